# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the collection, as tables."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from importlib import import_module
from pathlib import Path

import pytest

FILTERS = Path(__file__).parents[2] / "plugins" / "filter"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:openai-a1b2c3"
BEDROCK = {"partition": "aws-x", "region": "eu-west-1", "account_id": "123456789012"}
FOUNDATION, ANYWHERE = "arn:aws-x:bedrock:eu-west-1::foundation-model", "arn:aws-x:bedrock:*::foundation-model"
PROFILE = "arn:aws-x:bedrock:eu-west-1:123456789012:inference-profile"
PARAMETER = "arn:aws:ssm:eu-west-1:123456789012:parameter/team-x/key"


def filters(name: str) -> dict[str, t.Callable[..., t.Any]]:
    return import_module(f"ansible_collections.mlplatform.mlflow_aws.plugins.filter.{name}").FilterModule().filters()


def test_a_file_has_the_one_filter_that_it_is_called_by() -> None:
    names = sorted(file.stem for file in FILTERS.glob("*.py"))
    assert names and all(list(filters(name)) == [name] for name in names)


@pytest.mark.parametrize(
    ("name", "value", "arguments", "result"),
    [
        ("as_dicts", [], {"key": "name"}, []),
        ("as_dicts", iter(["a", "b"]), {"key": "name"}, [{"name": "a"}, {"name": "b"}]),
        ("as_dicts", ["a"], {"key": "arn", "port": 5000}, [{"arn": "a", "port": 5000}]),
        ("bedrock_model_arns", [], BEDROCK, []),
        ("bedrock_model_arns", ["amazon.nova-*", "zai.glm-4.7"], BEDROCK, [f"{FOUNDATION}/amazon.nova-*", f"{FOUNDATION}/zai.glm-4.7"]),
        ("bedrock_model_arns", ["eu.amazon.nova-pro-v1:0"], BEDROCK, [f"{PROFILE}/eu.amazon.nova-pro-v1:0", f"{ANYWHERE}/amazon.nova-pro-v1:0"]),
        (
            "bedrock_model_arns",
            ["us-gov.anthropic.x", "global.anthropic.x"],
            BEDROCK,
            [f"{PROFILE}/us-gov.anthropic.x", f"{ANYWHERE}/anthropic.x", f"{PROFILE}/global.anthropic.x"],
        ),
        ("bedrock_model_arns", [f"{PROFILE}/x", f"{PROFILE}/x"], BEDROCK, [f"{PROFILE}/x"]),
        ("bedrock_model_arns", ["*"], BEDROCK, [f"{ANYWHERE}/*", f"{PROFILE}/*", f"{PROFILE.replace('inf', 'application-inf')}/*"]),
        ("ecs_environment", {}, {}, []),
        ("ecs_environment", {"B": 1, "A": True, "C": ""}, {}, [{"name": "B", "value": "1"}, {"name": "A", "value": "True"}, {"name": "C", "value": ""}]),
        ("from_text", ["a"], {}, ["a"]),
        ("from_text", '["a", "b: c"]', {}, ["a", "b: c"]),
        ("from_text", "- a\n- b", {}, ["a", "b"]),
        ("from_text", '{\t"a": [1]}', {}, {"a": [1]}),
        ("from_text", "[]", {}, []),
        ("prefix_names", [], {"prefix": "x-"}, []),
        ("prefix_names", [{"name": "night", "max_capacity": 0}], {"prefix": "x-"}, [{"name": "x-night", "max_capacity": 0}]),
        ("secret_arns", [], {}, []),
        ("secret_arns", [{"name": "proxy", "image": "x"}], {}, []),
        ("secret_arns", [], {"more": {"A": f"{SECRET}:key::", "B": SECRET, "C": PARAMETER}}, [SECRET, PARAMETER]),
        ("secret_arns", [{"secrets": [{"name": "A", "valueFrom": f"{SECRET}:::"}]}], {"more": {"B": PARAMETER}}, [SECRET, PARAMETER]),
        ("secret_arns", [{"logConfiguration": {"logDriver": "splunk", "secretOptions": [{"name": "t", "valueFrom": PARAMETER}]}}], {}, [PARAMETER]),
        ("secret_arns", [{"repositoryCredentials": {"credentialsParameter": SECRET}}], {}, [SECRET]),
    ],
)
def test_filter(name: str, value: t.Any, arguments: dict[str, t.Any], result: t.Any) -> None:
    assert filters(name)[name](value, **arguments) == result


def test_what_is_given_is_left_as_it_is() -> None:
    action = {"name": "night"}
    filters("prefix_names")["prefix_names"]([action], "x-")
    assert action == {"name": "night"}


def test_a_program_of_several_files_runs_from_its_command(tmp_path: Path) -> None:
    files = {"main.py": "import sys, part\nprint(part.TEXT, sys.argv[1:])\n", "part.py": 'TEXT = "Jörg {0}"\n'}
    command = filters("python_command")["python_command"](files, main="main.py")
    assert command == filters("python_command")["python_command"](dict(reversed(files.items())), main="main.py")
    run = subprocess.run([sys.executable, *command[1:], "a", "b c"], env={**os.environ, "TMPDIR": str(tmp_path)}, check=True, capture_output=True, text=True)
    assert run.stdout == "Jörg {0} ['a', 'b c']\n"
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700

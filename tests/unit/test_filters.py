# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the collection, as tables."""

from __future__ import annotations

import typing as t
from importlib import import_module
from pathlib import Path

import pytest

FILTERS = Path(__file__).parents[2] / "plugins" / "filter"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:openai-a1b2c3"
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

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No module asks AWS for a change in check mode, nor while another run has the lease of the stack, as the call log of AWS
says: whatever is there, and whatever is asked for."""

from __future__ import annotations

import copy
import json
import os
import re
import time
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import SERVICES
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import is_read_only
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.lease import LEASE, this_run
from botocore.session import get_session
from embedded_aws.calls import READ_ONLY
from modules.run_module import ModuleFailed, run_module
from support.scenarios import ACTING, TAGS, other_cluster, scenarios
from support.stack import prerequisites

MODULES = Path(__file__).parents[2] / "plugins" / "modules"
ON_THE_BASE = {file.stem for file in MODULES.glob("*.py") if "run(module, build)" in file.read_text(encoding="utf-8")}


def lease(directory: Path) -> dict[str, str]:
    """The environment of the modules of a run."""
    directory.mkdir(exist_ok=True)
    holder = this_run("Deploy MLflow", os.getpid(), str(directory))._asdict()
    return {LEASE: json.dumps({"stack": "x", "tags": {}, "break": "", "began": time.time(), "holder": holder})}


def test_no_module_changes_anything_in_check_mode_or_without_the_lease(aws, tmp_path):
    (tmp_path / "a.py").write_text("def b(event, context): ...\n", encoding="utf-8")
    inputs = prerequisites(aws)
    every = scenarios(inputs, str(tmp_path))
    assert {*(scenario.module for scenario in every), *ACTING} == ON_THE_BASE

    def plan(module: str, **params: t.Any) -> bool:
        since = aws.mark()
        changed = run_module(module, copy.deepcopy({"tags": TAGS, **params}), aws, check=True)["changed"]
        assert [call["operation"] for call in aws.mutating(since)] == [], module
        return changed

    def stopped(module: str, **params: t.Any) -> None:
        since = aws.mark()
        with mock.patch.dict(os.environ, lease(tmp_path / "second")), pytest.raises(ModuleFailed, match="another run has the lease"):
            run_module(module, copy.deepcopy(params), aws)
        assert [call["operation"] for call in aws.mutating(since)] == [], module

    with mock.patch.dict(os.environ, lease(tmp_path / "first")):
        run_module("stack_lease", {"state": "acquired"}, aws)
    for module, given, change in every:
        absent = {} if module == "ecs_task" else {"state": "absent"}
        assert plan(module, **given)
        stopped(module, tags=TAGS, **given)
        assert not absent or not plan(module, **given, **absent)
        since = aws.mark()
        assert run_module(module, copy.deepcopy({"tags": TAGS, **given}), aws)["changed"]
        assert aws.mutating(since), module
        assert not absent or not plan(module, **given)
        assert plan(module, **{**given, **change, "tags": {**TAGS, "team": "y"}})
        assert not absent or plan(module, **given, **absent)
    other_cluster(aws)
    for module, params in ACTING.items():
        since = aws.mark()
        assert run_module(module, params, aws, check=True)["changed"]
        assert [call["operation"] for call in aws.mutating(since)] == [], module
        stopped(module, **params)


def test_a_module_without_its_action_plugin_changes_nothing(aws):
    """Nobody has told it of the lease, so two runs could mix."""
    (made,) = (scenario.given for scenario in scenarios(prerequisites(aws), "") if scenario.module == "ecs_cluster")
    since = aws.mark()
    with pytest.raises(ModuleFailed, match="CreateCluster would change AWS without the lease .* action plugin of this module is missing"):
        run_module("ecs_cluster", {"tags": TAGS, **made}, aws, action_plugin=False)
    assert aws.mutating(since) == []
    assert run_module("ecs_cluster", {"tags": TAGS, **made}, aws, action_plugin=False, check=True)["changed"]


def test_every_client_is_one_of_aws():
    """Which refuses changes in check mode, and takes the lease before any other."""
    makes_clients = re.compile(r"^\s*(import boto3|from boto3)|module\.client\(|create_client\(|\.resource\(", re.MULTILINE)
    files = [file for file in MODULES.parent.rglob("*.py") if makes_clients.search(file.read_text(encoding="utf-8"))]
    assert [file.name for file in files] == ["client.py"]


@pytest.mark.parametrize("service", SERVICES)
def test_what_the_client_takes_for_read_only_is_so(service):
    """The client of a module in check mode refuses everything else, so not even a defect of a module can change anything."""
    operations = get_session().get_service_model(service).operation_names
    assert [name for name in operations if is_read_only(name) and not READ_ONLY.match(name)] == []
    assert sum(map(is_read_only, operations)) >= 1

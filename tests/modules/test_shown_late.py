# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where AWS shows the state before, nothing is made twice, and nothing that is to be removed is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine import client
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.lease import LEASE, this_run
from embedded_aws.client import EmbeddedAWS
from modules.run_module import run_module
from support.ecs import smallest_service

BEHIND, SHOWN = 1.5, 2.5
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
LINK = {"name": "x", "subnet_ids": ["subnet-a"]}
AUTHORIZER = {"name": "x", "type": "JWT", "issuer": "https://issuer.example.com"}
API = {"name": "x", "vpc_link": LINK, "integration": {"listener_arn": "arn:listener"}, "authorizer": AUTHORIZER}
POOL = {"name": "x", "clients": [{"name": "one"}]}
TASK = {"family": "x", "container_definitions": [{"name": "c", "image": "i"}], "cpu": 256, "memory": 512, "execution_role_arn": "arn:role"}
TWINS = {
    "CreateVpcLink": ("apigatewayv2_vpc_link", LINK),
    "CreateApi": ("apigatewayv2_api", API),
    "CreateIntegration": ("apigatewayv2_api", API),
    "CreateAuthorizer": ("apigatewayv2_api", API),
    "CreateUserPool": ("cognito_user_pool", POOL),
    "CreateUserPoolClient": ("cognito_user_pool", POOL),
    "RegisterTaskDefinition": ("ecs_cluster", {"name": "x", "task_definitions": [TASK]}),
}
"""What makes something that AWS would make a second time: the module that calls it, and its options."""


class Runs:
    """Runs of a playbook, one after another, each of a process and with a directory of its own, in an AWS that is behind."""

    def __init__(self, aws: EmbeddedAWS, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws, self.folder, self.monkeypatch, self.number = aws, folder, monkeypatch, 0
        self.begin()

    def begin(self) -> None:
        """From now on modules are of a new run."""
        self.number += 1
        self.directory = self.folder / str(self.number)
        self.directory.mkdir()
        self.process = subprocess.Popen(["sleep", "600"])
        holder = this_run("Deploy MLflow", self.process.pid, str(self.directory))._asdict()
        lease = {"stack": "x", "tags": TAGS, "break": "", "holder": holder, "began": time.time()}
        self.monkeypatch.setenv(LEASE, json.dumps(lease))

    def module(self, name: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
        self.aws.stale(BEHIND)
        try:
            return run_module(name, {**options, **({} if name == "stack_lease" else {"tags": TAGS})}, self.aws)
        finally:
            self.aws.stale(0)

    def end(self) -> None:
        self.module("stack_lease", {"state": "released"})
        self.die(left=False)

    def die(self, *, left: bool) -> None:
        """End the process. Who is killed leaves the directory, who is interrupted or comes to an end does not."""
        self.process.kill()
        self.process.wait()
        if left:
            shutil.copytree(self.directory, f"{self.directory}.left")  # which no module in this process is at work in
        shutil.rmtree(self.directory)
        if left:
            Path(f"{self.directory}.left").rename(self.directory)

    def number_made(self, by: str) -> int:
        return len([call for call in self.aws.mutating() if call["operation"] == by and call["status"] < 300])


@pytest.fixture
def runs(aws: EmbeddedAWS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    monkeypatch.setattr(client, "CONSISTENCY_WINDOW", SHOWN)
    made = Runs(aws, tmp_path, monkeypatch)
    yield made
    made.process.kill()
    made.process.wait()


@pytest.mark.parametrize("by", TWINS)
def test_a_run_right_after_another_makes_no_twin(runs: Runs, by: str) -> None:
    assert runs.module(*TWINS[by])["changed"]
    runs.end()
    runs.begin()
    # Of a cluster AWS makes no second one, so a module does not wait until it is shown.
    assert {change["kind"] for change in runs.module(*TWINS[by])["changes"]} <= {"ecs_cluster"}
    assert runs.number_made(by) == 1


@pytest.mark.parametrize("by", TWINS)
def test_an_answer_that_is_lost_makes_no_twin(aws: EmbeddedAWS, runs: Runs, by: str) -> None:
    aws.faults({"operation": by, "times": 1, "drop": "after"})
    runs.module(*TWINS[by])
    assert runs.number_made(by) == 1


def test_a_module_that_starts_over_makes_no_twin_of_what_it_has_made(aws: EmbeddedAWS, runs: Runs) -> None:
    aws.faults({"operation": "CreateStage", "times": 1, "drop": "after"})
    runs.module("apigatewayv2_api", API)
    assert {by: runs.number_made(by) for by in ("CreateApi", "CreateIntegration", "CreateAuthorizer")} == {
        "CreateApi": 1,
        "CreateIntegration": 1,
        "CreateAuthorizer": 1,
    }


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "interrupted"])
def test_a_run_right_after_one_that_died_makes_no_twin(runs: Runs, killed: bool) -> None:
    run_module("stack_lease", {"state": "acquired"}, runs.aws)
    time.sleep(SHOWN)  # to know when it took the lease is not enough
    assert runs.module("apigatewayv2_vpc_link", LINK)["changed"]
    runs.die(left=killed)
    runs.begin()
    assert not runs.module("apigatewayv2_vpc_link", LINK)["changed"]
    assert runs.number_made("CreateVpcLink") == 1


def test_who_was_killed_has_left_when_it_changed_something_last(aws: EmbeddedAWS, runs: Runs) -> None:
    run_module("ecs_cluster", {"name": "x"}, aws)
    (noted,) = runs.directory.iterdir()
    os.utime(noted, (0, 0))
    run_module("ecs_cluster", {"name": "y"}, aws)
    assert time.time() - noted.stat().st_mtime < SHOWN


def test_a_run_that_removes_right_after_one_that_made_leaves_nothing(aws: EmbeddedAWS, runs: Runs) -> None:
    run_module("stack_lease", {"state": "acquired"}, aws)
    runs.module("apigatewayv2_vpc_link", LINK)
    runs.end()
    runs.begin()
    assert runs.module("stack_lease", {"state": "acquired_if_exists"})["acquired"]
    assert runs.module("apigatewayv2_vpc_link", {"name": "x", "state": "absent"})["changed"]
    assert aws.client("apigatewayv2").get_vpc_links()["Items"] == []


def test_where_aws_is_up_to_date_nothing_is_waited_for(aws: EmbeddedAWS, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CONSISTENCY_WINDOW", 1000)  # which would be noticed
    mark = aws.mark()
    assert not run_module("stack_lease", {"state": "acquired_if_exists"}, aws)["acquired"]
    run_module("apigatewayv2_api", {**API, "tags": TAGS}, aws)
    run_module("stack_lease", {"state": "released"}, aws)
    runs.begin()
    assert not run_module("apigatewayv2_api", {**API, "tags": TAGS}, aws)["changed"]
    runs.begin()
    run_module("stack_lease", {"state": "acquired_if_exists"}, aws)
    run_module("apigatewayv2_api", {"name": "x", "tags": TAGS, "state": "absent"}, aws)
    assert [c["operation"] for c in aws.calls(mark) if c["service"] == "ssm"] == [
        "GetParametersByPath",  # there is none
        "GetParametersByPath",
        "PutParameter",
        "PutParameter",  # acquired and released
        "GetParametersByPath",
        "PutParameter",
        "DeleteParameters",  # there was one, so it is taken
    ]


def test_what_aws_refuses_to_make_because_it_exists_is_read_again(aws: EmbeddedAWS, runs: Runs) -> None:
    """A service is known by its name, and AWS makes no second one."""
    service = {**smallest_service(aws), "desired_count": 0}
    runs.module("ecs_service", service)
    runs.end()
    runs.begin()
    mark = aws.mark()
    runs.module("ecs_service", service)
    tried = [call["error"] for call in aws.mutating(mark) if call["operation"] == "CreateService"]
    assert tried == ["InvalidParameterException"] and runs.number_made("CreateService") == 1


@pytest.mark.parametrize(("module", "options", "read"), [("apigatewayv2_api", API, "GetIntegrations"), ("cognito_user_pool", POOL, "ListUserPoolClients")])
def test_what_goes_while_it_is_read_has_gone(aws: EmbeddedAWS, module: str, options: dict[str, t.Any], read: str) -> None:
    """AWS shows for a while what was removed, until one of several calls about it is told so."""
    run_module(module, {**options, "tags": TAGS}, aws)
    aws.faults({"operation": read, "times": 1, "error": {"code": "NotFoundException", "message": "Invalid identifier"}})
    assert run_module(module, {"name": "x", "tags": TAGS, "state": "absent"}, aws)["changed"]


def test_what_proves_a_certificate_is_waited_for(aws: EmbeddedAWS, runs: Runs) -> None:
    zone = aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"].rpartition("/")[2]
    made = runs.module("acm_certificate", {"domain_name": "x.example.com", "zone_id": zone})
    assert made["certificate"]["status"] == "ISSUED" and runs.number_made("RequestCertificate") == 1

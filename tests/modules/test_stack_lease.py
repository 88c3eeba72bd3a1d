# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease of a stack, as the modules that change the stack take it, keep it and give it back."""

from __future__ import annotations

import json
import os
import time
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run import lease as lease_module
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.s3 import begun_bucket
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.lease import LEASE
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.cluster import Cluster
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

PATH = "/mlplatform/mlflow_aws/mlflow-x/lease"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "mlflow-x", "team": "x"}
TAKE = ["ssm:GetParametersByPath", "ssm:PutParameter"]
TAKE_NEXT = [*TAKE, "ssm:DeleteParameters"]


class Run:
    """A run of a playbook on this host, or what modules know of one."""

    def __init__(self, aws: EmbeddedAWS, directory: Path, pid: int | None = None, **option: t.Any) -> None:
        directory.mkdir(exist_ok=True)
        self.aws = aws
        self.directory = directory
        self.holder = lease_module.this_run("Deploy MLflow", pid or os.getpid(), str(directory))._asdict()
        self.lease = {"stack": "mlflow-x", "tags": TAGS, "break": "", "holder": self.holder, **option}

    def make(self, name: str, **how: t.Any) -> list[str]:
        """Run a module that makes an ECS cluster of that name; returns the calls that it made."""
        return self.module("ecs_cluster", {"name": name}, **how)

    def module(self, name: str, params: dict[str, t.Any], **how: t.Any) -> list[str]:
        mark = self.aws.mark()
        self.lease.setdefault("began", time.time())
        try:
            with mock.patch.dict(os.environ, {LEASE: json.dumps(self.lease)}):
                self.result = run_module(name, params, self.aws, **how)
        finally:
            calls = [f"{call['service']}:{call['operation']}" for call in self.aws.calls(mark)]
            self.calls = calls
        return calls

    def end(self, state: str = "released", **how: t.Any) -> list[str]:
        return self.module("stack_lease", {"state": state}, **how)

    def stopped(self, name: str = "stopped") -> str:
        """What a run is told that may not change the stack. It has changed nothing."""
        with pytest.raises(ModuleFailed) as failure:
            self.make(name)
        assert "ecs:CreateCluster" not in self.calls
        return failure.value.result["msg"]


@pytest.fixture
def run(aws: EmbeddedAWS, tmp_path: Path) -> Run:
    return Run(aws, tmp_path / "run")


@pytest.fixture
def other(aws: EmbeddedAWS, tmp_path: Path) -> Run:
    """A run of this host that has the lease, and whose process has died."""
    made = Run(aws, tmp_path / "other", pid=1)
    made.make("other")
    edit(aws, 1, holder={"started": 1, "directory": str(tmp_path / "removed")})
    return made


def leases(aws: EmbeddedAWS) -> dict[int, dict[str, t.Any]]:
    found = aws.client("ssm").get_parameters_by_path(Path=PATH)["Parameters"]
    return {int(p["Name"].removeprefix(f"{PATH}/")): json.loads(p["Value"]) for p in found}


def edit(aws: EmbeddedAWS, number: int, holder: dict[str, t.Any] | None = None, **fields: t.Any) -> None:
    value = leases(aws)[number]
    value = {**value, **fields, "holder": {**value["holder"], **(holder or {})}}
    aws.client("ssm").put_parameter(Name=f"{PATH}/{number}", Value=json.dumps(value), Overwrite=True)


def elsewhere(aws: EmbeddedAWS) -> None:
    """Say that the last lease is held on another host."""
    edit(aws, max(leases(aws)), holder={"host": "another pid:[1]", "who": "ci@runner"})


def test_a_run_takes_the_lease_before_its_first_change_and_asks_no_more(aws: EmbeddedAWS, run: Run) -> None:
    calls = run.make("one")
    assert calls.index("ssm:PutParameter") < calls.index("ecs:CreateCluster")
    assert [call for call in calls if call.startswith("ssm:")] == TAKE
    (held,) = leases(aws).values()
    assert (held["released"], held["holder"]["pid"]) == (False, os.getpid())
    tags = aws.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=f"{PATH}/1")["TagList"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == TAGS
    assert "ssm:GetParametersByPath" not in run.make("two")
    assert run.end() == ["ssm:PutParameter"] and not run.result["acquired"]
    assert [lease["released"] for lease in leases(aws).values()] == [True]
    assert run.end() == []


def test_a_run_with_nothing_to_do_takes_none(aws: EmbeddedAWS, run: Run, tmp_path: Path) -> None:
    run.make("one")
    run.end()
    again = Run(aws, tmp_path / "again")
    assert set(again.make("one")) == {"ecs:DescribeClusters"}
    assert again.end() == []


def test_a_plan_takes_none_and_is_not_stopped_by_one(aws: EmbeddedAWS, other: Run, run: Run) -> None:
    elsewhere(aws)
    assert set(run.make("one", check=True)) == {"ecs:DescribeClusters"} and run.result["changed"]
    assert run.end(check=True) == [] and run.end("acquired", check=True) == []


def test_the_next_run_removes_what_the_last_one_left(aws: EmbeddedAWS, run: Run, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        run = Run(aws, tmp_path / str(number))
        run.make(f"cluster-{number}")
        assert leases(aws).keys() == {number}
        run.end()
        assert leases(aws).keys() == {number}


def test_the_second_run_is_told_once_who_has_it_and_how_to_break_it(aws: EmbeddedAWS, other: Run, run: Run) -> None:
    elsewhere(aws)
    since, broken = leases(aws)[1]["since"], leases(aws)[1]["id"]
    roles = [{"name": f"x-{n}", "assume_role_policy": {"Version": "2012-10-17", "Statement": []}} for n in range(4)]  # created at the same time
    with pytest.raises(ModuleFailed) as failure:
        run.module("iam_roles", {"roles": roles})
    message = failure.value.result["msg"]
    assert message.startswith(
        f"another run has the lease of the stack mlflow-x: ci@runner (Deploy MLflow, process 1), since {since}. "
        "This run has changed nothing. Wait for the other to end; if it has died, its lease ends at "
    )
    assert message.endswith(f", or with -e mlflow_break_lease={broken}") and message.count("another run") == 1
    assert [call for call in run.calls if call.startswith("ssm:")] == TAKE[:1]
    assert [call for call in aws.mutating() if call["service"] == "iam"] == []

    breaker = Run(aws, run.directory, **{"break": broken})
    breaker.make("one")
    assert f"since {since}: mlflow_break_lease says so" in str(breaker.result["warnings"])
    assert other.end() == ["ssm:PutParameter"]  # of its own lease
    assert {number: lease["released"] for number, lease in leases(aws).items()} == {1: True, 2: False}


@pytest.mark.parametrize(
    ("change", "reason"),
    [({}, "its process has died on this host"), ({"holder": {"host": "another"}, "seconds": 0}, "it was not renewed in time")],
    ids=["died", "expired"],
)
def test_a_lease_that_nobody_keeps_is_taken_over(aws: EmbeddedAWS, other: Run, run: Run, change: dict[str, t.Any], reason: str) -> None:
    edit(aws, 1, **change)
    since = leases(aws)[1]["since"]
    run.make("one")
    assert "took over the lease of the stack mlflow-x from " in str(run.result["warnings"])
    assert f"(Deploy MLflow, process 1), since {since}: {reason}" in str(run.result["warnings"])
    assert leases(aws).keys() == {2}


def test_a_run_that_has_read_what_another_then_changed_changes_nothing(aws: EmbeddedAWS, other: Run, run: Run) -> None:
    run.make("other")  # nothing to do, but read
    edit(aws, 1, holder={"started": 1}, released=True)
    assert run.stopped().startswith("another run has changed the stack mlflow-x while this one was reading it: ")


def test_a_run_that_waits_takes_the_lease_and_renews_it(aws: EmbeddedAWS, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.creation_seconds(rds=3600)
    aws.client("rds").create_db_cluster(DBClusterIdentifier="x", Engine="aurora-mysql", MasterUsername="a", MasterUserPassword="long-enough-1")
    monkeypatch.setattr(Cluster, "timeout", 1)
    database = {"engine": "aurora-mysql", "host": "x", "port": "1", "database": "x", "unique_name": "x", "master_secret_arn": "x"}
    wait = ("mlflow_backend_store", {"name": "x", **database, "wait_for": {"cluster_identifier": "x"}})
    with pytest.raises(ModuleFailed, match="rds_cluster x: AWS has not finished after 1 seconds"):
        run.module(*wait)
    assert run.calls == ["rds:DescribeDBClusters", *TAKE, "rds:DescribeDBClusters"]
    before = aws.client("ssm").get_parameter(Name=f"{PATH}/1")["Parameter"]
    monkeypatch.setattr(lease_module, "RENEW", 0.5)
    with pytest.raises(ModuleFailed):
        run.module(*wait)
    assert run.calls == [*TAKE, "rds:DescribeDBClusters"] * 2
    after = aws.client("ssm").get_parameter(Name=f"{PATH}/1")["Parameter"]
    assert after["Value"] == before["Value"] and after["LastModifiedDate"] > before["LastModifiedDate"]


def test_a_run_whose_lease_was_taken_changes_nothing_more(aws: EmbeddedAWS, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run.make("one")
    Run(aws, tmp_path / "third", pid=1, **{"break": leases(aws)[1]["id"]}).make("two")
    monkeypatch.setattr(lease_module, "RENEW", 0)
    run.make("one")  # who only reads may go on
    assert run.stopped().startswith("the lease of the stack mlflow-x was taken from this run by ")
    run.end()
    assert {number: lease["released"] for number, lease in leases(aws).items()} == {1: True, 2: False}


def test_a_run_that_was_held_up_for_too_long_changes_nothing_more(aws: EmbeddedAWS, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "SECONDS", 0)
    run.make("one")
    monkeypatch.setattr(lease_module, "RENEW", 0)
    assert run.stopped().startswith("this run was held up for so long that its lease of the stack mlflow-x has expired")


def test_a_module_whose_run_has_died_changes_nothing_more(aws: EmbeddedAWS, run: Run) -> None:
    run.make("one")
    run.holder["pid"] = 2**22 + 1  # no process has this number
    assert run.stopped() == "the run of process 4194305 has ended" and run.calls == []


def test_an_answer_that_is_lost_is_no_other_run(aws: EmbeddedAWS, run: Run) -> None:
    aws.faults({"service": "ssm", "operation": "PutParameter", "times": 1, "drop": "after"})
    run.make("one")
    (run.directory / "mlflow-lease-mlflow-x.json").unlink()  # nor is what was not noted of it
    run.make("two")
    assert leases(aws).keys() == {1}


def test_an_ssm_that_refuses_stops_the_run_and_one_in_trouble_does_not_undo_it(aws: EmbeddedAWS, run: Run) -> None:
    denied = {"code": "AccessDeniedException", "message": "User: u is not authorized to perform: ssm:PutParameter on resource: r because"}
    aws.faults({"service": "ssm", "operation": "PutParameter", "error": denied})
    message = run.stopped()
    assert message.startswith("the lease of the stack mlflow-x cannot be taken: u may not ssm:PutParameter on r: allow this")
    aws.faults()
    run.make("one")
    aws.faults({"service": "ssm", "operation": "PutParameter", "error": denied})
    run.end()
    assert "the lease of the stack could not be released: u may not ssm:PutParameter" in str(run.result["warnings"])


def test_modules_that_do_not_know_of_the_lease_have_it_taken_for_them(aws: EmbeddedAWS, other: Run, run: Run) -> None:
    elsewhere(aws)
    with pytest.raises(ModuleFailed, match="another run has the lease"):
        run.end("acquired")
    edit(aws, 1, released=True)
    another = Run(aws, run.directory / "another")
    assert another.end("acquired") == TAKE_NEXT and another.result["acquired"]
    assert another.end("acquired") == []


def test_what_removes_a_stack_takes_the_lease_where_there_was_one(aws: EmbeddedAWS, run: Run, tmp_path: Path) -> None:
    assert run.end("acquired_if_exists") == TAKE[:1] and not run.result["acquired"]
    run.make("one")
    run.end()
    another = Run(aws, tmp_path / "another")
    assert another.end("acquired_if_exists") == TAKE_NEXT and another.result["acquired"]
    elsewhere(aws)
    with pytest.raises(ModuleFailed, match="another run has the lease"):
        Run(aws, tmp_path / "third").end("acquired_if_exists")
    aws.faults({"service": "ssm", "operation": "GetParametersByPath", "error": {"code": "AccessDeniedException", "message": "no"}})
    with pytest.raises(ModuleFailed, match="the lease of the stack mlflow-x cannot be taken"):
        Run(aws, tmp_path / "fourth").end("acquired_if_exists")


def test_nothing_is_left_of_a_stack_that_is_gone(aws: EmbeddedAWS, other: Run, run: Run) -> None:
    run.make("one")
    aws.client("ssm").put_parameter(Name=begun_bucket("mlflow-x"), Value="a bucket", Type="String")
    assert run.end("absent") == ["ssm:DeleteParameters"]
    assert leases(aws) == {}
    assert aws.client("ssm").describe_parameters()["Parameters"] == []
    assert run.end("absent") == ["ssm:GetParametersByPath"]


def test_a_run_that_finds_no_stack_removes_what_a_dead_one_left_but_no_other(aws: EmbeddedAWS, other: Run, run: Run) -> None:
    elsewhere(aws)
    run.end("absent")
    assert leases(aws).keys() == {1}
    edit(aws, 1, seconds=0)
    Run(aws, run.directory / "another").end("absent")
    assert leases(aws) == {}


def test_two_stacks_do_not_hinder_each_other(aws: EmbeddedAWS, other: Run, run: Run) -> None:
    elsewhere(aws)
    run.lease["stack"] = "mlflow"  # with which the other's name begins
    run.make("one")
    assert run.end() == ["ssm:PutParameter"]


def test_a_module_that_is_given_no_lease_takes_none(aws: EmbeddedAWS, other: Run) -> None:
    elsewhere(aws)
    mark = aws.mark()
    run_module("ecs_cluster", {"name": "x"}, aws)
    assert {call["service"] for call in aws.calls(mark)} == {"ecs"}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once: on one stack they never mix, on two they do not hinder each other. The tests build on one another."""

from __future__ import annotations

import json
import re
import typing as t
from itertools import dropwhile

import pytest
from embedded_aws.client import EmbeddedAWS
from support.stack import Run, Stack, prerequisites

ROOT = "/mlplatform/mlflow_aws"
STOPPED = re.compile(
    r"another run has the lease of the stack mlflow-team-x: (\S+) \((.+), process (\d+)\), since .+ UTC\. "
    r"This run has changed nothing\. .* -e mlflow_break_lease=([0-9a-f]{8})$"
)


@pytest.fixture(scope="module")
def neighbour(team: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Another team in the same account, whose name begins as the first one's does."""
    return Stack(team.aws, tmp_path_factory.mktemp("neighbour"), prerequisites(team.aws, "team-x-2", network=1))


def leases(aws: EmbeddedAWS) -> dict[str, dict[str, t.Any]]:
    """The leases of all stacks, by stack and number, such as C(mlflow-team-x 1)."""
    found = aws.client("ssm").get_parameters_by_path(Path=ROOT, Recursive=True)["Parameters"]
    return {p["Name"].removeprefix(f"{ROOT}/").replace("/lease/", " "): json.loads(p["Value"]) for p in found}


def take(aws: EmbeddedAWS, number: int, **fields: t.Any) -> None:
    """Let a run on another host take the next lease of team-x."""
    last = leases(aws)[f"mlflow-team-x {number - 1}"]
    holder = {**last["holder"], "who": "ci@runner", "host": "another"}
    value = {**last, "id": f"{number:08x}", "released": False, "holder": holder, **fields}
    aws.client("ssm").put_parameter(Name=f"{ROOT}/mlflow-team-x/lease/{number}", Value=json.dumps(value), Type="String")


def waits_for_its_database(stack: str, calls: list[dict[str, t.Any]]) -> bool:
    """Whether the run that deploys the stack has come to where it only waits, by the calls that name the stack."""
    named = re.compile(rf"{stack}(?!-2)")  # and not the neighbour
    of_stack = [call for call in calls if named.search(json.dumps(call["params"]))]
    services = [call["service"] for call in dropwhile(lambda call: not call["mutating"], of_stack)]  # preflight has asked for all
    return "s3" in services and services[-1] == "rds"


def stopped(run: Run) -> re.Match[str]:
    """What a run says that the lease of another has stopped, before its first change."""
    assert run.status != 0 and run.mutating == []
    (message,) = run.messages
    told = STOPPED.match(message)
    assert told, message
    return told


def test_the_second_run_on_a_stack_stops_and_no_other_does(team: Stack, neighbour: Stack) -> None:
    aws = team.aws
    aws.creation_seconds(rds=3600)  # all wait for their databases until this is taken back
    first, beside = team.start("site"), neighbour.start("site")
    first.until(lambda calls: waits_for_its_database("mlflow-team-x", calls))
    beside.until(lambda calls: waits_for_its_database("mlflow-team-x-2", calls))
    assert {name: lease["released"] for name, lease in leases(aws).items()} == {"mlflow-team-x 1": False, "mlflow-team-x-2 1": False}

    second = Stack(aws, neighbour.folder, team.inputs)
    who, playbook, pid, _id = stopped(second.run("site")).groups()
    assert (who, playbook, int(pid)) == (leases(aws)["mlflow-team-x 1"]["holder"]["who"], "Deploy MLflow", first.process.pid)
    plan = second.run("plan")
    assert (plan.status, plan.mutating) == (0, []) and plan.changes
    assert not [call for call in plan.calls if call["service"] == "ssm"]

    aws.creation_seconds(rds=0)
    for running in (first, beside):
        run = running.end()
        assert run.status == 0, run.messages
    assert {name: lease["released"] for name, lease in leases(aws).items()} == {"mlflow-team-x 1": True, "mlflow-team-x-2 1": True}


def test_a_failed_run_takes_over_what_has_expired_and_gives_its_lease_back(team: Stack) -> None:
    take(team.aws, 2, seconds=0)
    denied = {"code": "AccessDeniedException", "message": "User: u is not authorized to perform: ecs:UpdateService on resource: r"}
    team.aws.faults({"service": "ecs", "operation": "UpdateService", "error": denied})
    run = team.run("site", mlflow_service_environment={"A": "1"})
    team.aws.faults()
    assert run.status != 0 and "u may not ecs:UpdateService" in run.messages[0]
    assert "took over the lease of the stack mlflow-team-x from ci@runner" in run.text and "it was not renewed in time" in run.text
    assert {name: lease["released"] for name, lease in leases(team.aws).items() if name.startswith("mlflow-team-x ")} == {"mlflow-team-x 3": True}


def test_a_run_takes_over_from_one_that_was_killed_once_its_last_call_has_ended(team: Stack) -> None:
    team.aws.faults({"service": "ecs", "operation": "RegisterTaskDefinition", "times": 1, "latency_ms": 15_000})
    dead = team.start("site", mlflow_service_environment={"A": "2"})
    dead.until(lambda calls: any(call["operation"] == "RegisterTaskDefinition" for call in calls))
    dead.kill()
    run = team.apply(mlflow_service_environment={"A": "2"})
    assert f"process {dead.process.pid}" in run.text and "its process has died on this host" in run.text
    last = next(call for call in team.aws.calls(dead.mark) if call["operation"] == "RegisterTaskDefinition")
    first = next(call for call in run.calls if call["mutating"])
    assert first["operation"] == "PutParameter"
    assert last["time"] + last["milliseconds"] / 1000 <= first["time"]
    assert leases(team.aws).keys() >= {"mlflow-team-x 5"}


def test_destroy_leaves_no_lease_behind_once_that_of_a_dead_run_is_broken(team: Stack, neighbour: Stack) -> None:
    take(team.aws, 6)
    confirmed = ("-e", "mlflow_confirm_destroy=mlflow-team-x")
    told = stopped(team.run("destroy", *confirmed))
    assert told[1] == "ci@runner"
    run = team.destroy(mlflow_break_lease=told[4])
    assert "mlflow_break_lease says so" in run.text
    assert leases(team.aws).keys() == {"mlflow-team-x-2 1"}

    assert neighbour.run("plan").changes == [], "nothing of the neighbour's went, though its names begin with the stack's"
    families = team.aws.client("ecs").list_task_definitions()["taskDefinitionArns"]
    assert {arn.rpartition("/")[2] for arn in families} == {"mlflow-team-x-2:1", "mlflow-team-x-2-prepare-database:1"}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another version of MLflow: rolled out where the schema stays, upgraded the guarded way where it does not."""

from __future__ import annotations

import json
import typing as t

import pytest
from embedded_aws.client import EmbeddedAWS
from support.stack import Run, Stack

NAME = "mlflow-team-x"
PREPARATION = f"{NAME}-prepare-database"
TARGET = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


def answer(exit_code: int | None, schema: str | None, head: str, reason: str = "", **more: t.Any) -> dict[str, t.Any]:
    """How the task that prepares the database ends."""
    log = ["a line", json.dumps({"schema": schema, "head": head, "reason": reason})]
    return {"family": PREPARATION, "exit_code": exit_code, "log": log if exit_code in (0, 3, 4, 6) else ["it failed"], **more}


UPGRADE = {"environment": {"SCHEMA_UPGRADE": "true"}}


def needs_upgrade(old: str, new: str) -> list[dict[str, t.Any]]:
    """The image knows a newer schema than the database has: the upgrade succeeds."""
    return [answer(0, new, new, **UPGRADE), answer(3, old, new, "older")]


class State(t.NamedTuple):
    desired: int
    image: str
    suspended: bool
    rollback: bool
    tags: dict[str, str]


def state(aws: EmbeddedAWS) -> State:
    ecs = aws.client("ecs")
    service = ecs.describe_services(cluster=NAME, services=[NAME])["services"][0]
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    image = next(c["image"] for c in definition["containerDefinitions"] if c["name"] == "mlflow")
    target = aws.client("application-autoscaling").describe_scalable_targets(**TARGET)["ScalableTargets"][0]
    secret = aws.client("secretsmanager").describe_secret(SecretId=f"{NAME}-backend-store-uri")
    tags = {tag["Key"]: tag["Value"] for tag in secret["Tags"] if tag["Key"].startswith("mlflow-")}
    return State(
        service["desiredCount"],
        image.rpartition(":")[2],
        any(target["SuspendedState"].values()),
        service["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"],
        tags,
    )


def snapshots(aws: EmbeddedAWS) -> list[str]:
    found = aws.client("rds").describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    return [snapshot["DBClusterSnapshotIdentifier"] for snapshot in found]


def steps(run: Run) -> list[str]:
    return [call for call in run.changing if not call.startswith(("iam:", "logs:"))]


@pytest.fixture(scope="module")
def deployed(team: Stack) -> Stack:
    team.aws.task_results(answer(0, "a1", "a1"))
    team.apply(mlflow_service_max_capacity=5, mlflow_service_image_tag="v1")
    team.aws.client("ecs").update_service(cluster=NAME, service=NAME, desiredCount=3)  # as autoscaling has done
    return team


def test_the_version_and_the_schema_are_recorded(deployed: Stack) -> None:
    tags = state(deployed.aws).tags
    assert (tags["mlflow-version"], tags["mlflow-database-schema"]) == ("v1", "a1")


def test_a_plan_says_what_only_the_image_knows(deployed: Stack) -> None:
    run = deployed.run("plan", mlflow_service_image_tag="v2")
    (task,) = [change for change in run.changes if change["kind"] == "ecs_task"]
    assert run.mutating == []
    assert "whether v2 needs another schema than v1 is (known after apply)" in task["warnings"][0]
    assert "servers are stopped" in task["warnings"][0]


def test_the_same_schema_is_an_ordinary_deployment(deployed: Stack) -> None:
    deployed.aws.task_results(answer(0, "a1", "a1"))
    run = deployed.apply(mlflow_service_image_tag="v2")
    assert "rds:CreateDBClusterSnapshot" not in run.mutating
    assert run.mutating.count("ecs:RunTask") == run.mutating.count("ecs:UpdateService") == 1
    assert state(deployed.aws)[:4] == (3, "v2", False, True)
    assert state(deployed.aws).tags["mlflow-version"] == "v2"


@pytest.mark.parametrize(("status", "reason"), [(4, "this MLflow does not know the schema a1"), (6, "the text in the tables runs is in latin1")])
def test_what_mlflow_cannot_use_is_refused_before_a_server_stops(deployed: Stack, status: int, reason: str) -> None:
    deployed.aws.task_results(answer(status, "a1", "a0", reason))
    before = state(deployed.aws)
    run = deployed.run("site", mlflow_service_image_tag=f"v0-{status}")
    assert run.status != 0 and state(deployed.aws) == before
    assert steps(run) == ["ecs:RegisterTaskDefinition", "ecs:RunTask"]
    (message,) = run.messages
    assert reason in message and "last used with v2" in message


def test_a_newer_schema_is_an_upgrade(deployed: Stack) -> None:
    deployed.aws.task_results(*needs_upgrade("a1", "b2"))
    deployed.aws.creation_seconds(ecs=2)
    run = deployed.apply(mlflow_service_image_tag="v3")
    assert steps(run) == [
        "ecs:RegisterTaskDefinition",
        "ecs:RunTask",  # it refuses
        "secretsmanager:TagResource",
        "application-autoscaling:RegisterScalableTarget",
        "ecs:TagResource",
        "ecs:UpdateService",
        "rds:CreateDBClusterSnapshot",
        "ecs:RunTask",  # it upgrades
        "secretsmanager:TagResource",
        "ecs:RegisterTaskDefinition",
        "ecs:UpdateService",
        "ecs:UpdateService",
        "ecs:UpdateService",
        "ecs:UntagResource",
        "application-autoscaling:RegisterScalableTarget",
    ]
    stop, new, start, rest = [call["params"] for call in run.calls if call["operation"] == "UpdateService"]
    assert stop["desiredCount"] == 0 and "taskDefinition" not in stop
    assert (new["desiredCount"], start["desiredCount"], start["forceNewDeployment"]) == (0, 3, True)
    breakers = [p["deploymentConfiguration"]["deploymentCircuitBreaker"] for p in (new, start, rest)]
    assert breakers == [{"enable": True, "rollback": False}] * 2 + [{"enable": True, "rollback": True}]
    now = state(deployed.aws)
    assert now[:4] == (3, "v3", False, True)
    assert (now.tags["mlflow-version"], now.tags["mlflow-database-schema"]) == ("v3", "b2")
    assert snapshots(deployed.aws) == [now.tags["mlflow-database-snapshot"]]
    assert any(now.tags["mlflow-database-snapshot"] in str(result.get("msg")) for result in run.results)
    deployed.aws.creation_seconds(ecs=0)
    assert deployed.run("site").changes == []


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        pytest.param(
            needs_upgrade("b2", "c3"), {"service": "rds", "operation": "CreateDBClusterSnapshot", "error": {"code": "SnapshotQuotaExceeded"}}, id="no snapshot"
        ),
        pytest.param([answer(1, None, "", **UPGRADE), answer(3, "b2", "c3")], None, id="the upgrade fails"),
        pytest.param([answer(None, None, "", **UPGRADE), answer(3, "b2", "c3")], None, id="the upgrade does not start"),
    ],
)
def test_before_the_schema_changes_the_way_back_is_automatic(deployed: Stack, rules: list[dict[str, t.Any]], fault: dict[str, t.Any] | None) -> None:
    deployed.aws.task_results(*rules)
    deployed.aws.faults(*([fault] if fault else []))
    run = deployed.run("site", mlflow_service_image_tag="v4")
    deployed.aws.faults()
    now = state(deployed.aws)
    assert run.status != 0 and now[:4] == (3, "v3", False, True)
    assert not {"mlflow-database-snapshot", "mlflow-database-prepared"} & now.tags.keys()
    assert "The servers run as before, with v3, and nothing is lost." in run.messages[-1]


def test_then_the_old_version_goes_on_as_ever(deployed: Stack) -> None:
    deployed.aws.task_results(answer(0, "b2", "b2"))
    run = deployed.apply()
    assert {change["kind"] for change in run.changes} <= {"ecs_task", "ecs_task_definition", "secretsmanager_secret"}
    assert state(deployed.aws)[:4] == (3, "v3", False, True)


def test_after_a_half_done_upgrade_nothing_writes_until_the_same_command_has_gone_on(deployed: Stack) -> None:
    deployed.aws.task_results(answer(5, None, "", **UPGRADE), answer(3, "b2", "c3"))
    before = snapshots(deployed.aws)
    run = deployed.run("site", mlflow_service_image_tag="v4")
    now, (snapshot,) = state(deployed.aws), set(snapshots(deployed.aws)) - set(before)
    assert run.status != 0 and now[:3] == (0, "v3", True) and now.tags["mlflow-database-snapshot"] == snapshot
    command = f"mlplatform.mlflow_aws.restore -e @TEAM_FILE -e mlflow_restore_snapshot={snapshot} -e mlflow_service_image_tag=v3"
    assert command in run.messages[-1] and "it failed" in run.text

    deployed.aws.task_results(answer(4, "bc", "b2", "this MLflow does not know the schema bc"))
    run = deployed.run("site")  # with v3
    assert run.status != 0 and state(deployed.aws) == now and command in run.messages[-1]

    # Another failure, of whatever kind: what an earlier run may have changed is not taken for the schema of before.
    deployed.aws.task_results(answer(1, None, "", **UPGRADE), answer(3, "b2", "c3"))
    run = deployed.run("site", mlflow_service_image_tag="v4")
    assert run.status != 0 and state(deployed.aws) == now and command in run.messages[-1]

    deployed.aws.task_results(*needs_upgrade("b2", "c3"))
    run = deployed.apply(mlflow_service_image_tag="v4")
    assert state(deployed.aws)[:4] == (3, "v4", False, True)
    assert set(snapshots(deployed.aws)) - set(before) == {snapshot}


def test_a_new_version_that_does_not_start_never_brings_the_old_one_back(deployed: Stack) -> None:
    deployed.aws.task_results({"family": NAME, "image": "*:v5", "exit_code": 1}, *needs_upgrade("c3", "d4"))
    run = deployed.run("site", mlflow_service_image_tag="v5")
    now = state(deployed.aws)
    assert run.status != 0 and now[:4] == (3, "v5", True, False)
    assert "tasks failed to start" in run.messages[-1]
    assert f"mlflow_restore_snapshot={now.tags['mlflow-database-snapshot']}" in run.messages[-1]
    ecs = deployed.aws.client("ecs")
    service = ecs.describe_services(cluster=NAME, services=[NAME])["services"][0]
    assert {d["taskDefinition"] for d in service["deployments"]} == {service["taskDefinition"]}

    deployed.aws.task_results()
    deployed.apply(mlflow_service_image_tag="v5")
    assert state(deployed.aws)[:4] == (3, "v5", False, True)


def run_until(stack: Stack, operation: str, count: int, **inputs: t.Any) -> None:
    """Run C(site), and kill it when AWS has been asked for an operation for the count-th time."""
    run = stack.start("site", **inputs)
    run.until(lambda calls: [call["operation"] for call in calls if call["mutating"]].count(operation) >= count)
    run.kill()


class Kill(t.NamedTuple):
    operation: str
    count: int
    schema_is_new: bool = False


KILLS = [
    Kill("TagResource", 1),  # the upgrade is noted
    Kill("UpdateService", 1),  # the servers are stopped
    Kill("RunTask", 2),  # the upgrade runs
    Kill("UpdateService", 3, schema_is_new=True),  # the new revision starts
]


@pytest.mark.parametrize("n", range(len(KILLS)), ids=lambda n: f"{KILLS[n].operation} {KILLS[n].count}")
def test_a_run_that_was_killed_is_made_up_for(deployed: Stack, n: int) -> None:
    old, new, tag = f"e{n}", f"e{n + 1}", f"v6.{n}"
    deployed.aws.creation_seconds(ecs=1, rds=1)
    deployed.aws.task_results(*needs_upgrade(old, new))
    before = snapshots(deployed.aws)
    run_until(deployed, KILLS[n].operation, KILLS[n].count, mlflow_service_image_tag=tag)
    if KILLS[n].schema_is_new:
        deployed.aws.task_results(answer(0, new, new))
    deployed.apply(mlflow_service_image_tag=tag)
    now = state(deployed.aws)
    assert now[:4] == (3, tag, False, True)
    assert (now.tags["mlflow-version"], now.tags["mlflow-database-schema"]) == (tag, new)
    assert set(snapshots(deployed.aws)) - set(before) == {now.tags["mlflow-database-snapshot"]}


def test_after_a_kill_before_the_schema_changed_the_old_version_starts_again(deployed: Stack) -> None:
    before = state(deployed.aws)
    deployed.aws.task_results(*needs_upgrade("e4", "f5"))
    run_until(deployed, "CreateDBClusterSnapshot", 1, mlflow_service_image_tag="v7")
    assert state(deployed.aws).desired == 0
    deployed.aws.task_results(answer(0, "e4", "e4"))
    deployed.apply()  # with the old version
    assert state(deployed.aws)[:4] == before[:4]
    assert deployed.run("site").changes == []


def test_a_digest_stays_with_its_tag_on_the_way_there_and_back(deployed: Stack) -> None:
    old, moved, new = (f"{tag}@sha256:{digit * 64}" for tag, digit in (("v8", "a"), ("v8", "b"), ("v9", "c")))
    deployed.aws.task_results(answer(0, "e4", "e4"))
    deployed.apply(mlflow_service_image_tag=old)
    assert state(deployed.aws).tags["mlflow-version"] == old
    for tag, warned in (("v8", False), (moved, True)):
        (task,) = [change for change in deployed.run("plan", mlflow_service_image_tag=tag).changes if change["kind"] == "ecs_task"]
        assert any(f"whether {tag} needs another schema than {old} is" in warning for warning in task["warnings"]) is warned

    deployed.aws.task_results(answer(5, None, "", **UPGRADE), answer(3, "e4", "g6"))
    run = deployed.run("site", mlflow_service_image_tag=new)
    assert run.status != 0 and f"-e mlflow_service_image_tag={old}" in run.messages[-1]
    deployed.aws.task_results(*needs_upgrade("e4", "g6"))
    deployed.apply(mlflow_service_image_tag=new)
    assert state(deployed.aws).tags["mlflow-version"] == new

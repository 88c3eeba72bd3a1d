# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups are taken and brought back; whatever is replaced is kept. The tests go on where the one before ended."""

from __future__ import annotations

import typing as t
from collections import Counter
from pathlib import Path

import pytest
from embedded_aws.client import EmbeddedAWS
from support.account import changed, listing
from support.stack import Run, Stack, prerequisites

NAME = "mlflow-team-x"
CONFIRMED = {"mlflow_confirm_restore": NAME}
SCHEMA = "1bd49d398cd23"


def clusters(stack: Stack) -> dict[str, dict[str, t.Any]]:
    return {c["DBClusterIdentifier"]: c for c in stack.aws.client("rds").describe_db_clusters()["DBClusters"]}


def tags(described: dict[str, t.Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described["TagList"]}


def snapshots(stack: Stack) -> dict[str, dict[str, t.Any]]:
    found = stack.aws.client("rds").describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    return {snapshot["DBClusterSnapshotIdentifier"]: snapshot for snapshot in found}


def kept(stack: Stack) -> list[str]:
    return sorted(name for name in clusters(stack) if name.startswith(f"{NAME}-before-"))


def running(stack: Stack) -> tuple[int, set[bool]]:
    """How many servers run, and what of their scaling is suspended."""
    service = stack.aws.client("ecs").describe_services(cluster=NAME, services=[NAME])["services"][0]
    target = stack.aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    return service["runningCount"], set(target["SuspendedState"].values())


def restore(stack: Stack, *arguments: str, **inputs: t.Any) -> Run:
    run = stack.run("restore", *arguments, **CONFIRMED, **inputs)
    assert run.status == 0, run.messages or run.text
    return run


def refused(run: Run, *told: str) -> None:
    assert run.status != 0 and run.mutating == []
    assert all(text in " ".join(run.messages) for text in told), run.messages


def remembered(stack: Stack) -> dict[str, str]:
    """What the secret with the URI says of the database that MLflow uses."""
    found = stack.aws.client("secretsmanager").describe_secret(SecretId=f"{NAME}-backend-store-uri")["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def resource(stack: Stack, name: str = NAME) -> str:
    return clusters(stack)[name]["DbClusterResourceId"]


@pytest.fixture(scope="module")
def stack(deployed_team: Stack) -> Stack:
    return deployed_team


def test_a_backup_says_of_which_mlflow_it_is_and_is_taken_once(stack: Stack) -> None:
    recorded = {"mlflow-version": "v3.18.0-full", "mlflow-database-schema": SCHEMA}
    pairs = [{"Key": key, "Value": value} for key, value in recorded.items()]
    stack.aws.client("secretsmanager").tag_resource(SecretId=f"{NAME}-backend-store-uri", Tags=pairs)
    before = listing(stack.aws)
    planned = stack.run("backup", "--check", mlflow_backup_name="first")
    assert planned.status == 0 and planned.mutating == [] and listing(stack.aws) == before
    run = stack.run("backup", mlflow_backup_name="first")
    assert run.changes == planned.changes and run.changing == ["rds:CreateDBClusterSnapshot"]
    assert tags(snapshots(stack)["first"]) == {"team": "team-x", "managed-by": "mlplatform.mlflow_aws", "mlflow-stack": NAME, **recorded}
    assert f"The backup first is of MLflow v3.18.0-full, schema {SCHEMA}." in run.text
    assert f"-e mlflow_confirm_restore={NAME} -e mlflow_restore_snapshot=first" in run.text
    again = stack.run("backup", mlflow_backup_name="first")
    assert (again.status, again.changed, again.mutating) == (0, 0, [])
    assert changed(before, listing(stack.aws)) == {"added": {("db_cluster_snapshot", "first")}, "removed": set(), "altered": set()}


def test_what_is_asked_for_and_the_confirmation_are_checked_first(stack: Stack) -> None:
    run = stack.run("restore")
    refused(run, "mlflow_restore_snapshot: is missing: give one of", "mlflow_confirm_restore: '': to put other data", f"={NAME}")
    refused(stack.run("restore", "--check", mlflow_restore_time="yesterday"), "give a time with its zone")


def test_a_plan_of_a_restore_takes_nothing_from_the_database_that_will_go(stack: Stack) -> None:
    """Its master user and whether it is encrypted AWS could not change: they are the snapshot's."""
    rds, tagged = stack.aws.client("rds"), [{"Key": "mlflow-stack", "Value": NAME}]
    rds.create_db_cluster(
        DBClusterIdentifier="theirs",
        Engine="aurora-mysql",
        EngineVersion="8.0.mysql_aurora.3.10.3",
        MasterUsername="ecs_task",
        MasterUserPassword="b" * 12,
        StorageEncrypted=True,
    )
    rds.create_db_cluster_snapshot(DBClusterIdentifier="theirs", DBClusterSnapshotIdentifier="of-theirs", Tags=tagged)
    rds.delete_db_cluster(DBClusterIdentifier="theirs", SkipFinalSnapshot=True)
    refused(stack.run("restore", "--check", mlflow_restore_snapshot="of-theirs"), "mlflow_database_master_username", "give ecs_task")
    planned = stack.run("restore", "--check", mlflow_restore_snapshot="of-theirs", mlflow_database_master_username="ecs_task")
    assert planned.status == 0 and planned.mutating == [], planned.messages
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="of-theirs")


def test_a_snapshot_takes_the_place_of_the_database_which_is_kept(stack: Stack) -> None:
    old, endpoint, before = resource(stack), clusters(stack)[NAME]["Endpoint"], listing(stack.aws)
    planned = stack.run("restore", "--check", mlflow_restore_snapshot="first")
    assert planned.status == 0 and planned.mutating == [] and listing(stack.aws) == before
    assert "the database loses all that was written since snapshot:first" in planned.text

    run = restore(stack, mlflow_restore_snapshot="first")
    lines = [(c["action"], c["kind"], c["name"]) for c in run.changes]
    assert lines[: len(planned.changes)] != [] and {(c["action"], c["kind"]) for c in planned.changes} <= {line[:2] for line in lines}
    assert [call for call in run.changing if "agResource" not in call and "TagsToResource" not in call] == [
        "rds:RestoreDBClusterFromSnapshot",
        "rds:ModifyDBCluster",
        "rds:CreateDBInstance",  # beside the old one, with the password
        "ecs:RunTask",  # MLflow can use it
        "application-autoscaling:RegisterScalableTarget",
        "ecs:UpdateService",  # stopped
        "rds:ModifyDBCluster",
        "rds:ModifyDBCluster",  # the names
        "rds:ModifyDBCluster",  # log exports
        "ecs:UpdateService",
        "ecs:UpdateService",
        "application-autoscaling:RegisterScalableTarget",  # started
    ]
    asked = {call["operation"]: call["params"] for call in run.calls}
    assert asked["RestoreDBClusterFromSnapshot"]["SnapshotIdentifier"] == "first"
    host = asked["RunTask"]["overrides"]["containerOverrides"][0]["environment"]
    assert host == [{"name": "DATABASE_HOST", "value": endpoint.replace(NAME, f"{NAME}-restored", 1)}]
    (name,) = kept(stack)
    assert resource(stack, name) == old and clusters(stack)[name]["DeletionProtection"]
    new = clusters(stack)[NAME]
    assert new["DbClusterResourceId"] != old and new["Endpoint"] == endpoint and new["DeletionProtection"]
    assert tags(new)["mlflow-restored-from"] == "snapshot:first" and "mlflow-restored-at" in tags(new)
    assert running(stack) == (2, {False})
    for way in ("cluster", "discard"):
        assert f"-e mlflow_confirm_restore={NAME} -e mlflow_restore_{way}={name}" in run.text
    groups = {i for (kind, i) in listing(stack.aws) if kind == "log_group"}
    assert not [group for group in groups if "restored" in group or "before" in group]

    again = restore(stack, mlflow_restore_snapshot="first")
    assert (again.changed, again.mutating) == (0, []) and "mlflow_restore_again=true" in again.text
    site = stack.run("site")
    assert (site.status, site.changes, site.mutating) == (0, [], [])


def test_a_run_that_died_at_any_step_goes_on(stack: Stack) -> None:
    """And no other run comes in between, save the one that gives it up."""
    old, told, died = resource(stack), remembered(stack), {"code": "InvalidParameterValue"}
    again = {"mlflow_restore_snapshot": "first", "mlflow_restore_again": True}
    for operation in ("CreateDBInstance", "RunTask", "UpdateService"):
        stack.aws.faults({"operation": operation, "times": 1, "error": died})
        assert stack.run("restore", **CONFIRMED, **again).status != 0
        assert (resource(stack), remembered(stack)) == (old, told), operation
    refused(stack.run("restore", **CONFIRMED, mlflow_restore_time="latest"), "a restore of snapshot:first is under way")
    # The first renaming takes effect, whatever the answer says.
    stack.aws.faults({"operation": "ModifyDBCluster", "times": 1, "error": died, "late": True})
    assert stack.run("restore", **CONFIRMED, **again).status != 0
    assert NAME not in clusters(stack) and resource(stack, kept(stack)[-1]) == old
    stack.aws.faults()
    refused(stack.run("site"), "a restore is under way")
    refused(stack.run("restore", **CONFIRMED, mlflow_restore_discard=kept(stack)[-1]), "finish the restore first")
    stack.aws.faults({"operation": "DescribeTargetHealth", "error": died})  # the last check fails
    assert stack.run("restore", **CONFIRMED, **again).status != 0
    new = resource(stack)
    refused(stack.run("plan"), "a restore of snapshot:first is under way")
    stack.aws.faults()
    assert restore(stack, **again).changing == ["rds:AddTagsToResource"]
    assert new == resource(stack) != old and len(kept(stack)) == 2 and running(stack) == (2, {False})
    assert stack.run("site").mutating == []


def test_a_restore_is_given_up(stack: Stack) -> None:
    old = resource(stack)
    stack.aws.faults({"operation": "RunTask", "times": 1, "error": {"code": "InvalidParameterException"}})
    run = stack.run("restore", **CONFIRMED, mlflow_restore_time="latest")
    assert run.status != 0 and resource(stack) == old and running(stack) == (2, {False})
    asked = {call["operation"]: call["params"] for call in run.calls}["RestoreDBClusterToPointInTime"]
    assert (asked["SourceDBClusterIdentifier"], asked["UseLatestRestorableTime"]) == (NAME, "true")
    had = set(snapshots(stack))
    restore(stack, mlflow_restore_discard=f"{NAME}-restored")
    assert f"{NAME}-restored" not in clusters(stack) and set(snapshots(stack)) == had
    assert stack.run("site").mutating == []


def test_the_kept_database_goes_back(stack: Stack) -> None:
    name, replaced = kept(stack)[0], resource(stack)
    old = resource(stack, name)
    planned = stack.run("restore", "--check", mlflow_restore_cluster=name)
    assert planned.status == 0 and planned.mutating == []
    run = restore(stack, mlflow_restore_cluster=name)
    assert Counter(call for call in run.changing if "Restore" in call or "Create" in call or "Delete" in call) == Counter()
    assert resource(stack) == old and resource(stack, kept(stack)[-1]) == replaced
    site = stack.run("site")
    assert (site.status, site.mutating) == (0, [])


def test_a_kept_database_is_removed_after_a_last_snapshot(stack: Stack) -> None:
    name = kept(stack)[-1]
    planned = stack.run("restore", "--check", mlflow_restore_discard=name)
    assert planned.status == 0 and planned.mutating == [] and name in kept(stack)
    run = restore(stack, mlflow_restore_discard=name)
    assert name not in kept(stack)
    (last,) = (each for each in snapshots(stack) if each.startswith(name))
    assert f"It is kept in the snapshot {last}." in run.text
    assert stack.run("site").mutating == []


def test_destroy_keeps_each_database_in_a_snapshot_and_one_of_them_comes_back(stack: Stack) -> None:
    restore(stack, mlflow_restore_time="latest")
    (*_others, name), had = kept(stack), set(snapshots(stack))
    gone = stack.destroy()
    last = set(snapshots(stack)) - had
    assert clusters(stack) == {} and {each.partition("-final")[0] for each in last} >= {NAME, name}
    assert all(f"The database is kept in the snapshot {each}." in gone.text for each in last)
    of_it = next(each for each in last if each.startswith(f"{NAME}-final"))
    planned = stack.run("restore", "--check", mlflow_restore_snapshot=of_it)
    assert planned.status == 0 and planned.mutating == []
    run = restore(stack, mlflow_restore_snapshot=of_it)
    asked = {call["operation"]: call["params"] for call in run.calls}["RestoreDBClusterFromSnapshot"]
    assert (asked["DBClusterIdentifier"], asked["SnapshotIdentifier"]) == (NAME, of_it)
    assert kept(stack) == [] and running(stack) == (2, {False})
    assert stack.run("site").mutating == []


def test_postgresql_goes_back_to_a_time(aws: EmbeddedAWS, tmp_path: Path) -> None:
    stack = Stack(aws, tmp_path, prerequisites(aws))
    stack.apply(mlflow_database_engine="aurora-postgresql", mlflow_database_reader_count=1)
    time = aws.client("rds").describe_db_clusters()["DBClusters"][0]["LatestRestorableTime"].isoformat()
    old = resource(stack)
    run = restore(stack, mlflow_restore_time=time)
    asked = {call["operation"]: call["params"] for call in run.calls}["RestoreDBClusterToPointInTime"]
    assert asked["RestoreToTime"].startswith(time[:19])
    assert [resource(stack, name) for name in kept(stack)] == [old]
    new = clusters(stack)[NAME]
    members = {m["DBInstanceIdentifier"]: m["IsClusterWriter"] for m in new["DBClusterMembers"]}
    assert members == {f"{NAME}-3": True, f"{NAME}-4": False} and new["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert stack.run("site").mutating == []

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another MLflow's database is imported. What the task does in the databases is in tests/runtime. The tests go on where the one before ended."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.account import listing
from support.stack import Run, Stack

NAME = "mlflow-team-x"
TASK = f"{NAME}-import-database"
REPORT = {
    "revision": "97727af70f4d",
    "rows": {"experiments": 5, "runs": 51, "metrics": 1173, "registered_models": 1},
    "left_out": {},
    "artifacts": {"runs.artifact_uri": {"s3://old-bucket": 51}},
}
SECONDS = {"schema": 1.0, "copy": 2.0, "compare": 1.0, "upgrade": 5.0, "addresses": 0.1}
CONFIRMED = {"mlflow_confirm_import": NAME, "mlflow_import_source_stopped": True}


def answers(**steps: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """How the task ends in each of its steps."""
    return [
        {"family": TASK, "environment": {"IMPORT_STEP": step}, "exit_code": 4 if answer.get("reason") else 0, "log": [json.dumps(answer)]}
        for step, answer in steps.items()
    ]


ALL_WELL = answers(rehearse={**REPORT, "seconds": SECONDS}, **{"import": {**REPORT, "seconds": SECONDS, "kept": "mlflow_before_20261130"}})


def steps(run: Run) -> list[str]:
    """The steps that tasks were run for."""
    tasks = [call for call in run.calls if call["operation"] == "RunTask"]
    return [v["value"] for call in tasks for c in call["params"]["overrides"]["containerOverrides"] for v in c["environment"] if v["name"] == "IMPORT_STEP"]


def servers(stack: Stack) -> int:
    return stack.aws.client("ecs").describe_services(cluster=NAME, services=[NAME])["services"][0]["desiredCount"]


@pytest.fixture(scope="module")
def stack(deployed_team: Stack) -> Stack:
    return deployed_team


@pytest.fixture(scope="module")
def source(stack: Stack) -> dict[str, str]:
    """A secret that leads to the old database, and a security group that reaches it."""
    secret = stack.aws.client("secretsmanager").create_secret(Name="old-mlflow", SecretString="mysql://u:hunter2@db.example.com/mlflow")
    group = stack.aws.client("ec2").create_security_group(GroupName="old-clients", Description="x", VpcId=stack.inputs["mlflow_vpc_id"])
    return {"mlflow_import_database_secret_arn": secret["ARN"], "mlflow_import_security_group_id": group["GroupId"]}


def test_what_is_wrong_is_told_before_anything_is_changed(stack: Stack, source: dict[str, str]) -> None:
    before = listing(stack.aws)
    for inputs, said in [
        ({}, "mlflow_import_database_secret_arn: is missing: give one of"),
        ({**source, "mlflow_import_security_group_id": "sg-0a1b2c3d"}, "no such security group"),
        ({**source, "mlflow_import_database_secret_arn": f"{source['mlflow_import_database_secret_arn'][:-6]}zzzzzz"}, "it cannot be read"),
        ({"mlflow_import_sqlite_s3_uri": "s3://elsewhere/mlflow.db"}, "the servers may not read elsewhere"),
        ({**source, "mlflow_confirm_import": NAME}, "stop what writes to the database"),
        ({**source, **CONFIRMED, "mlflow_confirm_import": "mlflow-team-y"}, f"={NAME}"),
        ({**source, "mlflow_unique_name": "mlflow-team-z"}, "deploy it first, with the playbook site"),
    ]:
        run = stack.run("import", **inputs)
        assert run.status != 0 and run.mutating == [] and said in " ".join(run.messages), run.messages
    assert listing(stack.aws) == before


def test_a_plan_changes_nothing(stack: Stack, source: dict[str, str]) -> None:
    before = listing(stack.aws)
    planned = stack.run("import", "--check", **source, **CONFIRMED)
    assert planned.status == 0 and planned.mutating == [] and listing(stack.aws) == before, planned.messages
    assert TASK in {change["name"] for change in planned.changes}


def test_what_the_task_refuses_ends_the_run_while_the_servers_run(stack: Stack, source: dict[str, str]) -> None:
    stack.aws.task_results(*answers(rehearse={"revision": "ffffffffffff", "reason": "this MLflow does not know the schema ffffffffffff"}))
    run = stack.run("import", **source, **CONFIRMED)
    assert run.status != 0 and "does not know the schema ffffffffffff. MLflow and its database are as they were." in " ".join(run.messages), run.messages
    assert steps(run) == ["rehearse"] and servers(stack) > 0


def test_without_the_confirmation_it_is_a_rehearsal(stack: Stack, source: dict[str, str]) -> None:
    stack.aws.task_results(*ALL_WELL)
    run = stack.run("import", **source)
    assert run.status == 0 and steps(run) == ["rehearse"], run.messages
    assert "ecs:UpdateService" not in run.changing and servers(stack) > 0
    assert "51 runs" in run.text and "That was a rehearsal" in run.text and f"-e mlflow_confirm_import={NAME}" in run.text
    container = task(stack)
    assert {secret["name"]: secret["valueFrom"] for secret in container["secrets"]}["IMPORT_SOURCE"] == source["mlflow_import_database_secret_arn"]
    assert "hunter2" not in run.text and "hunter2" not in json.dumps(container)


def test_it_copies_while_the_servers_are_stopped_and_starts_them(stack: Stack, source: dict[str, str]) -> None:
    stack.aws.task_results(*ALL_WELL)
    run = stack.run("import", **source, **CONFIRMED)
    assert run.status == 0 and steps(run) == ["rehearse", "import"], run.messages
    names = [f"{call['service']}:{call['operation']}" for call in run.calls]
    last = max(n for n, name in enumerate(names) if name == "ecs:RunTask")
    assert "ecs:UpdateService" in names[:last] and "ecs:UpdateService" in names[last:]
    assert servers(stack) > 0 and "is kept on the same cluster as mlflow_before_20261130" in run.text
    assert stack.run("plan", **source).changed == 0
    assert [change["kind"] for change in stack.run("plan").changes] == ["iam_role_policy"]  # the permission to read the secret


def test_the_own_database_needs_no_secret(stack: Stack) -> None:
    stack.aws.task_results(*ALL_WELL)
    run = stack.run("import", mlflow_import_own_database=True)
    assert run.status == 0, run.messages
    assert "IMPORT_SOURCE" not in {secret["name"] for secret in task(stack)["secrets"]}


def task(stack: Stack) -> dict[str, t.Any]:
    containers = stack.aws.client("ecs").describe_task_definition(taskDefinition=TASK)["taskDefinition"]["containerDefinitions"]
    return next(each for each in containers if each["name"] == "import-database")


def test_destroy_leaves_nothing_of_it(stack: Stack) -> None:
    assert stack.run("destroy", mlflow_confirm_destroy=NAME).status == 0
    assert stack.aws.client("ecs").list_task_definitions(familyPrefix=TASK)["taskDefinitionArns"] == []

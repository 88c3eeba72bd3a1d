# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of stacks that a run left half made or half removed, how a plan looks, and how it ends.

That plans hold is also shown where stacks are made (test_deploy), changed by their inputs (test_changes), and by hand (test_drift).
"""

from __future__ import annotations

import re

import pytest
from support.plans import deviations, lines, read_plan
from support.stack import Run, Stack

LIMIT = {"code": "ServiceQuotaExceededException", "message": "no more", "status": 400}  # which no client tries again
TO_JSON = ("-e", "mlflow_plan_path=plan.json")
DETAILED = ("-e", "mlflow_plan_detailed_exitcode=true")
INPUTS = {
    "mlflow_load_balancer_idle_timeout": 60,
    "mlflow_database_backup_retention_days": 1,
    "mlflow_service_scheduled_actions": [{"name": "night", "schedule": "cron(0 20 * * ? *)", "min_capacity": 1}],
}
"""Changes of the team file, and below what a person then reads."""
SHOWN = """
    ~ rds_cluster mlflow-team-x
        backup_retention_period: 14 → 1
    ~ elbv2_load_balancer mlflow-team-x
        attributes.idle_timeout.timeout_seconds: "300" → "60"
    ~ ecs_task_definition mlflow-team-x
        containers.mlflow.environment.MLFLOW_UVICORN_OPTS: "--timeout-keep-alive=360" → "--timeout-keep-alive=120"
    ~ ecs_service mlflow-team-x
        task_definition: "arn:aws:ecs:eu-west-1:123456789012:task-definition/mlflow-team-x:1" → (known after apply)
    + application_autoscaling_scheduled_action mlflow-team-x-night
WARNING: rds_cluster mlflow-team-x: older backups are deleted
Plan: 1 to add, 4 to change, 0 to replace, 0 to remove.
"""


def shown(run: Run) -> str:
    """What a person reads below the name of the stack, up to the summary."""
    return re.search(r"\nmlflow-team-x\n(.*?Plan: [^\n]*\n)", run.text, re.DOTALL)[1]


# A run that died


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("ec2", "AuthorizeSecurityGroupEgress"),
        ("elbv2", "CreateRule"),
        ("ecs", "CreateService"),
        pytest.param("rds", "CreateDBInstance", marks=pytest.mark.faults),
        pytest.param("s3", "PutBucketLifecycleConfiguration", marks=pytest.mark.faults),
        pytest.param("apigatewayv2", "CreateStage", marks=pytest.mark.faults),
    ],
)
def test_a_plan_of_a_half_made_stack_says_what_the_next_run_does(stack: Stack, service: str, operation: str) -> None:
    stack.aws.faults({"service": service, "operation": operation, "error": LIMIT})
    died = stack.run("site")
    assert died.status == 2 and f"to {operation}: no more" in died.messages[-1]
    stack.aws.faults()
    planned, run = stack.plan_and_apply()
    assert planned and deviations(planned, run.changes) == []


# A stack that is complete


@pytest.fixture(scope="module")
def complete(deployed_team: Stack) -> Stack:
    deployed_team.inputs["mlflow_outputs_path"] = "outputs.json"
    return deployed_team


def test_a_plan_without_a_change_ends_with_0(complete: Stack) -> None:
    run = complete.run("plan", *TO_JSON, *DETAILED)
    assert (run.status, run.mutating) == (0, [])
    assert shown(run) == "Plan: 0 to add, 0 to change, 0 to replace, 0 to remove.\n"
    assert read_plan(complete.folder / "plan.json") == {
        "format_version": 1,
        "stack": "mlflow-team-x",
        "changes": [],
        "summary": {"add": 0, "change": 0, "replace": 0, "remove": 0},
    }


def test_a_plan_with_changes_is_read_at_a_glance_and_ends_with_another_status(complete: Stack) -> None:
    run = complete.run("plan", *TO_JSON, *DETAILED, **INPUTS)
    assert (run.status, run.mutating) == (2, [])
    assert run.messages == ["There are changes, and mlflow_plan_detailed_exitcode asks to fail then."]
    assert shown(run) == SHOWN.lstrip("\n")
    plan = read_plan(complete.folder / "plan.json")
    assert plan["summary"] == {"add": 1, "change": 4, "replace": 0, "remove": 0}
    assert plan["changes"][0] == {
        "action": "update",
        "kind": "rds_cluster",
        "name": "mlflow-team-x",
        "warnings": ["older backups are deleted"],
        "fields": [{"name": "backup_retention_period", "before": 14, "after": 1}],
    }


def test_site_in_check_mode_says_the_same_in_colours_too(complete: Stack) -> None:
    run = complete.run("site", "--check", "--diff", environment={"ANSIBLE_FORCE_COLOR": "true"}, **INPUTS)
    assert (run.status, run.mutating) == (0, [])
    without = run._replace(text=re.sub("\x1b\\[[0-9;]*m", "", run.text))
    assert shown(without) == SHOWN.lstrip("\n")
    for colour, line in (
        ("0;33", "    ~ rds_cluster mlflow-team-x"),
        ("0;32", "    + application_autoscaling_scheduled_action mlflow-team-x-night"),
        ("1;35", "WARNING: rds_cluster mlflow-team-x: older backups are deleted"),
    ):
        assert f"\x1b[{colour}m{line}\x1b[0m\n" in run.text


def test_a_plan_that_fails_in_the_middle_leaves_no_file(complete: Stack) -> None:
    path = complete.folder / "plan.json"
    path.write_text("{}", encoding="utf-8")
    complete.aws.faults({"service": "lambda", "operation": "GetFunction", "error": LIMIT})
    run = complete.run("plan", *TO_JSON, *DETAILED, **INPUTS)
    complete.aws.faults()
    assert run.status == 2 and "to GetFunction: no more" in run.messages[-1]
    assert not path.exists()


# A removal that died


def test_plans_of_a_half_removed_stack_say_what_the_next_run_does(complete: Stack) -> None:
    """The run that makes it whole again, and the one that goes on with the removal."""
    confirmed = ("-e", "mlflow_confirm_destroy=mlflow-team-x")
    complete.aws.faults({"service": "rds", "operation": "DeleteDBCluster", "error": LIMIT})
    died = complete.run("destroy", *confirmed)
    complete.aws.faults()
    assert died.status == 2 and "to DeleteDBCluster: no more" in died.messages[-1]
    planned, run = complete.plan_and_apply()
    assert deviations(planned, run.changes) == []
    assert {"rds_instance", "ecs_service", "apigatewayv2_api"} <= {kind for _action, kind, _name in lines(planned)}

    complete.aws.faults({"service": "elbv2", "operation": "DeleteTargetGroup", "error": LIMIT})
    died = complete.run("destroy", *confirmed)
    complete.aws.faults()
    assert died.status == 2 and "to DeleteTargetGroup: no more" in died.messages[-1]
    check = complete.run("destroy", "--check", *TO_JSON, *DETAILED)
    assert (check.status, check.mutating) == (2, [])
    planned = read_plan(complete.folder / "plan.json")["changes"]
    assert deviations(planned, complete.destroy().changes) == []
    assert ("delete", "elbv2_target_group", "mlflow-team-x") in lines(planned)
    assert ("delete", "s3_bucket", "mlflow-team-x-123456789012-eu-west-1") in lines(planned)
    assert "rds_cluster" not in {kind for _action, kind, _name in lines(planned)}
    assert not (complete.folder / "outputs.json").exists()
    check = complete.run("destroy", "--check", "-e", "mlflow_plan_detailed_exitcode=true")
    assert (check.status, shown(check)) == (0, "Plan: 0 to add, 0 to change, 0 to replace, 0 to remove.\n")

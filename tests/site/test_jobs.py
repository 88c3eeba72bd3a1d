# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which task runs MLflow's jobs: on a new stack, on one that changes its mind, and never two at a time."""

from __future__ import annotations

import typing as t

import pytest
from embedded_aws.client import EmbeddedAWS
from support.account import listing
from support.plans import deviations
from support.stack import Stack, prerequisites

NAME = "mlflow-team-x"
JOBS = f"{NAME}-jobs"
ENABLED, PERIODIC = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS"


@pytest.fixture(scope="module")
def stack(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    aws_server.reset()
    inputs = {name: value for name, value in prerequisites(aws_server).items() if name != "mlflow_jobs"}
    return Stack(aws_server, tmp_path_factory.mktemp("team"), inputs)


def environment(aws: EmbeddedAWS, service: str) -> dict[str, str]:
    """That of MLflow in the tasks of a service; empty where there is no such service."""
    ecs = aws.client("ecs")
    services = [each for each in ecs.describe_services(cluster=NAME, services=[service])["services"] if each["status"] == "ACTIVE"]
    if not services:
        return {}
    task = ecs.describe_task_definition(taskDefinition=services[0]["taskDefinition"])["taskDefinition"]
    (mlflow,) = (container for container in task["containerDefinitions"] if container["name"] == "mlflow")
    return {each["name"]: each["value"] for each in mlflow["environment"]}


def single(aws: EmbeddedAWS, service: str) -> bool:
    """Whether a deployment stops the task of a service before it starts another, and ECS leaves it in its zone."""
    (found,) = aws.client("ecs").describe_services(cluster=NAME, services=[service])["services"]
    of_one = found["deploymentConfiguration"]["maximumPercent"], found["deploymentConfiguration"]["minimumHealthyPercent"]
    assert of_one in ((100, 0), (200, 100))
    assert (found["availabilityZoneRebalancing"] == "DISABLED") == (of_one == (100, 0))
    return of_one == (100, 0)


def where(aws: EmbeddedAWS, port: int) -> list[tuple[str, list[str]]]:
    """The target groups that the rules of a listener lead to, in their order, with the paths that they are for."""
    elbv2, rules = aws.client("elbv2"), []
    for balancer in elbv2.describe_load_balancers()["LoadBalancers"]:
        for listener in elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
            if listener["Port"] == port:
                rules += [rule for rule in elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"] if not rule["IsDefault"]]
    paths = [[value for each in rule["Conditions"] if each["Field"] == "path-pattern" for value in each["PathPatternConfig"]["Values"]] for rule in rules]
    groups = [rule["Actions"][-1]["TargetGroupArn"].split("/")[1] for rule in rules]
    ordered = sorted(zip((int(rule["Priority"]) for rule in rules), groups, paths, strict=True))
    return [(group, values) for _priority, group, values in ordered]


def test_a_new_stack_runs_jobs_on_demand_in_one_task_of_their_own(stack: Stack) -> None:
    planned, run = stack.plan_and_apply()
    assert deviations(planned, run.changes) == []
    server, jobs = environment(stack.aws, NAME), environment(stack.aws, JOBS)
    assert (server[ENABLED], jobs[ENABLED]) == ("false", "true") and server[PERIODIC] == jobs[PERIODIC] == "false"
    assert server["MLFLOW_SQLALCHEMYSTORE_POOLCLASS"] == jobs["MLFLOW_SQLALCHEMYSTORE_POOLCLASS"] == "NullPool"
    assert (server["MLFLOW_WORKERS"], jobs["MLFLOW_WORKERS"]) == ("4", "2")
    assert jobs["MLFLOW_SERVER_ALLOWED_HOSTS"] == server["MLFLOW_SERVER_ALLOWED_HOSTS"] + ",0.0.0.0:5000"
    assert single(stack.aws, JOBS) and not single(stack.aws, NAME)
    people, programs = where(stack.aws, 443), where(stack.aws, 8443)
    assert [group for group, _paths in people] == [JOBS, NAME] and [group for group, _paths in programs] == [JOBS, NAME, NAME]
    assert people[0][1] == ["/*/prompt-optimization/jobs", "/ajax-api/*/invoke", "/ajax-api/3.0/jobs/*"] and programs[0][1] == ["/api/*-optimization/jobs"]
    assert stack.outputs["jobs_service_name"] == JOBS
    again = stack.run("site")
    assert again.changed == 0 and [call for call in again.calls if call["mutating"]] == []


CHANGES: list[tuple[dict[str, t.Any], list[str], dict[str, str], dict[str, str], bool]] = [
    # inputs, calls to ECS, what of the two variables the servers and the service for jobs have, and whether the only server has one task at most
    ({"mlflow_service_max_capacity": 1, "mlflow_service_min_capacity": 1}, ["DeleteService", "UpdateService"], {ENABLED: "true", PERIODIC: "false"}, {}, True),
    (
        {"mlflow_service_max_capacity": 2},
        ["UpdateService", "CreateService"],
        {ENABLED: "false", PERIODIC: "false"},
        {ENABLED: "true", PERIODIC: "false"},
        False,
    ),
    ({"mlflow_service_tls": True}, ["UpdateService"] * 3, {ENABLED: "false", PERIODIC: "false"}, {ENABLED: "true", PERIODIC: "false"}, False),
    (
        {"mlflow_jobs": "scheduled", "mlflow_database_auto_pause": False},
        ["UpdateService"] * 2,
        {ENABLED: "false", PERIODIC: "true"},
        {ENABLED: "true", PERIODIC: "true"},
        False,
    ),
    ({"mlflow_jobs": ""}, [], {ENABLED: "false", PERIODIC: "true"}, {ENABLED: "true", PERIODIC: "true"}, False),  # not given any more: it stays
    ({"mlflow_jobs": "off", "mlflow_database_auto_pause": True}, ["DeleteService", "UpdateService"], {ENABLED: "false"}, {}, False),
    ({"mlflow_jobs": "", "mlflow_database_auto_pause": False}, ["UpdateService"], {ENABLED: "false"}, {}, False),
    ({"mlflow_jobs": "on_demand"}, ["UpdateService", "CreateService"], {ENABLED: "false", PERIODIC: "false"}, {ENABLED: "true", PERIODIC: "false"}, False),
]


@pytest.mark.parametrize(("inputs", "calls", "server", "jobs", "alone"), CHANGES)
def test_a_stack_in_use_changes_its_mind(
    stack: Stack, inputs: dict[str, t.Any], calls: list[str], server: dict[str, str], jobs: dict[str, str], alone: bool
) -> None:
    """What runs jobs ends before another begins."""
    planned, run = stack.plan_and_apply(**inputs)
    assert deviations(planned, run.changes) == []
    assert [call["operation"] for call in run.calls if call["operation"] in ("CreateService", "UpdateService", "DeleteService")] == calls
    for service, expected in ((NAME, server), (JOBS, jobs)):
        assert {name: value for name, value in environment(stack.aws, service).items() if name in (ENABLED, PERIODIC)} == expected
    assert single(stack.aws, NAME) == alone
    groups = {each["TargetGroupName"] for each in stack.aws.client("elbv2").describe_target_groups()["TargetGroups"]}
    assert len(groups) == (2 if jobs else 1) and all("-jobs" in name for name in groups if name.startswith(JOBS))
    assert stack.run("site").changed == 0


def test_both_services_are_stopped_for_a_restore(stack: Stack) -> None:
    stack.run("backup", mlflow_backup_name="before")
    run = stack.run("restore", mlflow_restore_snapshot="before", mlflow_confirm_restore=NAME)
    assert run.status == 0, run.text
    counts = [(call["params"]["service"], call["params"]["desiredCount"]) for call in run.calls if "desiredCount" in (call["params"] or {})]
    assert {(NAME, 0), (JOBS, 0)} <= set(counts)
    services = stack.aws.client("ecs").describe_services(cluster=NAME, services=[NAME, JOBS])["services"]
    assert [each["runningCount"] for each in services] == [1, 1]
    assert stack.run("site").changed == 0


def test_both_services_are_removed(stack: Stack) -> None:
    stack.destroy()
    assert [found for found in listing(stack.aws) if JOBS in found[1]] == []

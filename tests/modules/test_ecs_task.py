# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from modules.run_module import ModuleFailed, run_module

MODULE = "ecs_task"
LOG = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/x", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "mlflow"}}


@pytest.fixture
def given(aws):
    ec2, ecs = aws.client("ec2"), aws.client("ecs")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="x", Description="x", VpcId=vpc)["GroupId"]
    ecs.create_cluster(clusterName="x")
    return {
        "name": "x-prepare-database",
        "cluster": "x",
        "task_definition": register(aws),
        "subnets": [subnet],
        "security_groups": [group],
        "tags": {"team": "x"},
    }


def register(aws, command="python"):
    return aws.client("ecs").register_task_definition(
        family="x-prepare-database",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[
            {"name": "init", "image": "mlflow", "essential": False, "command": ["false"]},
            {"name": "prepare", "image": "mlflow", "command": [command], "logConfiguration": LOG},
        ],
    )["taskDefinition"]["taskDefinitionArn"]


def mutations(aws, since):
    return [call["operation"] for call in aws.mutating(since)]


def start(aws, given):
    """A task as a run that died started it."""
    network = {"subnets": given["subnets"], "securityGroups": given["security_groups"]}
    return aws.client("ecs").run_task(
        cluster="x",
        taskDefinition=given["task_definition"],
        launchType="FARGATE",
        startedBy=given["name"],
        networkConfiguration={"awsvpcConfiguration": network},
    )["tasks"][0]["taskArn"]


def test_runs_a_task_to_its_end_every_time(aws, given):
    since = aws.mark()
    planned = run_module(MODULE, given, aws, check=True)
    assert mutations(aws, since) == [] and planned["task"] == {"arn": "(known after apply)"}
    for _ignored in range(2):
        since = aws.mark()
        result = run_module(MODULE, given, aws)
        assert result["changed"] and result["changes"] == planned["changes"]
        assert mutations(aws, since) == ["RunTask"]
    assert [(c["action"], c["kind"], c["name"]) for c in result["changes"]] == [("create", "ecs_task", given["name"])]
    (task,) = aws.client("ecs").describe_tasks(cluster="x", tasks=[result["task"]["arn"]], include=["TAGS"])["tasks"]
    assert task["lastStatus"] == "STOPPED" and task["startedBy"] == given["name"]
    assert {tag["key"]: tag["value"] for tag in task["tags"]} == {"team": "x"}


def test_takes_up_the_task_of_a_run_that_died(aws, given):
    arn = start(aws, given)
    since = aws.mark()
    assert run_module(MODULE, given, aws)["task"]["arn"] == arn
    assert mutations(aws, since) == []


def test_waits_for_another_revisions_task_and_then_runs_its_own(aws, given):
    arn = start(aws, given)
    result = run_module(MODULE, {**given, "task_definition": register(aws)}, aws)
    assert result["task"]["arn"] != arn
    (earlier,) = aws.client("ecs").describe_tasks(cluster="x", tasks=[arn])["tasks"]
    assert earlier["lastStatus"] == "STOPPED"


def test_a_plan_needs_nothing_to_be_there(aws):
    unknown = "(known after apply)"
    params = {"cluster": unknown, "task_definition": unknown, "subnets": [unknown], "security_groups": [unknown]}
    assert run_module(MODULE, {"name": "x", **params}, aws, check=True)["changed"]


def test_what_ecs_refuses_is_said(aws, given):
    with pytest.raises(ModuleFailed, match="^ecs_task x-prepare-database: AWS answered"):
        run_module(MODULE, {**given, "task_definition": f"{given['task_definition']}0"}, aws)


def test_a_task_that_fails_says_why(aws, given):
    with pytest.raises(ModuleFailed) as failure:
        run_module(MODULE, {**given, "task_definition": register(aws, command="false")}, aws)
    assert failure.value.result["msg"].splitlines() == [
        "ecs_task x-prepare-database: it failed",
        "  Essential container in task exited",
        "  container prepare ended with exit status 1",
    ]


def test_an_answer_is_an_exit_status_and_the_last_line_of_the_log(aws, given):
    aws.client("logs").create_log_group(logGroupName="/ecs/x")
    aws.task_results({"environment": {"MODE": "check"}, "exit_code": 3, "log": ["a line", '{"schema": "a1"}']})
    result = run_module(MODULE, {**given, "environment": {"MODE": "check"}, "exit_statuses": [0, 3]}, aws)
    assert (result["exit_status"], result["answer"]) == (3, {"schema": "a1"})
    result = run_module(MODULE, given, aws)
    assert (result["exit_status"], result["answer"]) == (0, {})
    with pytest.raises(ModuleFailed) as failure:
        run_module(MODULE, {**given, "environment": {"MODE": "check"}}, aws)
    assert failure.value.result["exit_status"] == 3 and '{"schema": "a1"}' in failure.value.result["msg"]


def test_a_task_that_never_ran_has_no_exit_status(aws, given):
    aws.task_results({"exit_code": None})
    with pytest.raises(ModuleFailed) as failure:
        run_module(MODULE, given, aws)
    assert failure.value.result["exit_status"] is None and "CannotPullContainerError" in failure.value.result["msg"]


DENIED = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret "
    "from asm: AccessDeniedException: User: x is not authorized to perform: secretsmanager:GetSecretValue"
)


@pytest.mark.parametrize("times", [2, None], ids=["for a while", "for good"])
def test_a_task_that_is_denied_is_started_again_for_two_minutes(aws, given, monkeypatch, times):
    """Each attempt takes 20 seconds to fail, and each pause as long."""
    clock = [1000.0]
    monkeypatch.setattr("time.sleep", lambda seconds: clock.append(clock[-1] + 20))
    monkeypatch.setattr("time.monotonic", lambda: clock[-1])
    aws.task_results({"exit_code": None, "reason": DENIED, "times": times})
    if times:
        assert run_module(MODULE, given, aws)["exit_status"] == 0
    else:
        with pytest.raises(ModuleFailed, match="AccessDeniedException"):
            run_module(MODULE, given, aws)
    assert mutations(aws, 0).count("RunTask") == (3 if times else 4)


def test_a_task_with_another_environment_is_another_task(aws, given):
    arn = start(aws, given)
    result = run_module(MODULE, {**given, "environment": {"MODE": "upgrade"}}, aws)
    assert result["task"]["arn"] != arn
    (earlier,) = aws.client("ecs").describe_tasks(cluster="x", tasks=[arn])["tasks"]
    assert earlier["lastStatus"] == "STOPPED"


def test_a_plan_says_what_may_come_of_it(aws, given):
    planned = run_module(MODULE, {**given, "warnings": ["servers may stop"]}, aws, check=True)
    assert planned["changes"][0]["warnings"] == ["servers may stop"]
    assert planned["exit_status"] == "(known after apply)"

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from modules.run_module import run_module

MODULE = "ecs_service_state"
PARAMS = {"name": "x", "cluster": "x", "desired_count": 2}
TARGET = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


def run(aws, **changes):
    """The result of a run, after a check run has changed nothing and announced the same."""
    since = aws.mark()
    planned = run_module(MODULE, {**PARAMS, **changes}, aws, check=True)
    assert aws.mutating(since) == []
    result = run_module(MODULE, {**PARAMS, **changes}, aws)
    assert planned["changes"] == result["changes"]
    return [(c["kind"], [(f["name"], f["before"], f["after"]) for f in c["fields"]]) for c in result["changes"]]


def service(aws):
    return aws.client("ecs").describe_services(cluster="x", services=["x"])["services"][0]


def suspended(aws):
    call = aws.client("application-autoscaling").describe_scalable_targets
    return set(call(ResourceIds=["service/x/x"], **TARGET)["ScalableTargets"][0]["SuspendedState"].values())


@pytest.fixture
def running(aws):
    ecs = aws.client("ecs")
    subnet = aws.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    ecs.create_cluster(clusterName="x")
    ecs.register_task_definition(
        family="x",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "mlflow", "image": "mlflow:1"}],
    )
    ecs.create_service(
        cluster="x",
        serviceName="x",
        taskDefinition="x",
        desiredCount=5,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
    )


def test_stopped_and_started_again(aws, running):
    register = aws.client("application-autoscaling").register_scalable_target
    register(ResourceId="service/x/x", MinCapacity=2, MaxCapacity=6, **TARGET)
    assert run(aws) == []
    aws.creation_seconds(ecs=2)
    since = aws.mark()
    assert run(aws, state="stopped") == [
        ("application_autoscaling_target", [("suspended", False, True)]),
        ("ecs_service", [("desired_count", 5, 0), ("stopped", False, True)]),
    ]
    assert [c["operation"] for c in aws.mutating(since)] == ["RegisterScalableTarget", "TagResource", "UpdateService"]
    assert (service(aws)["desiredCount"], service(aws)["runningCount"], suspended(aws)) == (0, 0, {True})
    assert run(aws, state="stopped") == []
    since = aws.mark()
    assert run(aws) == [("ecs_service", [("desired_count", 0, 5), ("stopped", True, False)]), ("application_autoscaling_target", [("suspended", True, False)])]
    assert [c["operation"] for c in aws.mutating(since)] == ["UpdateService", "UntagResource", "RegisterScalableTarget"]
    assert (service(aws)["desiredCount"], service(aws)["runningCount"], suspended(aws)) == (5, 5, {False})
    assert run(aws) == []


def test_at_least_as_many_as_are_asked_for_run(aws, running):
    run(aws, state="stopped")
    assert run(aws, desired_count=7) == [("ecs_service", [("desired_count", 0, 7), ("stopped", True, False)])]


def test_without_autoscaling(aws, running):
    assert run(aws, state="stopped") == [("ecs_service", [("desired_count", 5, 0), ("stopped", False, True)])]
    assert run(aws) == [("ecs_service", [("desired_count", 0, 5), ("stopped", True, False)])]


def test_a_run_that_died_between_the_two_goes_on(aws, running):
    register = aws.client("application-autoscaling").register_scalable_target
    register(ResourceId="service/x/x", MinCapacity=2, MaxCapacity=6, SuspendedState={"ScheduledScalingSuspended": True}, **TARGET)
    assert [kind for kind, _fields in run(aws, state="stopped")] == ["application_autoscaling_target", "ecs_service"]
    aws.client("ecs").update_service(cluster="x", service="x", desiredCount=6)
    assert [kind for kind, _fields in run(aws)] == ["ecs_service", "application_autoscaling_target"]
    assert service(aws)["desiredCount"] == 6 and run(aws) == []


def test_there_is_none(aws):
    assert run(aws, state="stopped") == [] and run(aws) == []

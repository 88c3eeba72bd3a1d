# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scaling of a service, which the module of the service manages."""

from __future__ import annotations

import copy

import pytest
from modules.run_module import run_module
from support.ecs import smallest_service

MODULE = "ecs_service"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
CPU = {"name": "x-cpu", "target_tracking": {"TargetValue": 70, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}}
STEP = {
    "name": "x-cpu",
    "step": {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        "MetricAggregationType": "Average",
    },
}
MADRID = {"timezone": "Europe/Madrid"}
NIGHT = {"name": "x-night", "schedule": "cron(0 20 * * ? *)", **MADRID, "min_capacity": 0, "max_capacity": 0}
MORNING = {"name": "x-morning", "schedule": "cron(0 7 * * ? *)", **MADRID, "min_capacity": 2, "max_capacity": 4}
GIVEN = {"min_capacity": 2, "max_capacity": 4, "policies": [CPU], "scheduled_actions": [NIGHT, MORNING]}
TAGS = {**OWNER, "team": "x"}
TARGET, POLICY, ACTION = (f"application_autoscaling_{kind}" for kind in ("target", "policy", "scheduled_action"))


@pytest.fixture
def service(aws):
    """The options of a service that is there, without its scaling."""
    given = {**smallest_service(aws), "tags": TAGS}
    run_module(MODULE, given, aws)
    return given


def run(aws, service, given, **changes):
    """The result of a run, after a check run has changed nothing and announced the same."""
    params = {**service, **{name: changes.pop(name) for name in ("tags", "state") if name in changes}, "scalable_target": {**given, **changes}}
    since = aws.mark()
    planned = run_module(MODULE, params, aws, check=True)
    assert aws.mutating(since) == []
    result = run_module(MODULE, params, aws)
    assert planned["changes"] == result["changes"]
    return planned, result


def mutations(aws, since):
    return sorted(call["operation"] for call in aws.mutating(since) if call["service"] == "application-autoscaling")


def lines(result):
    return [(change["action"], change["kind"], change["name"]) for change in result["changes"] if change["kind"] != "ecs_service"]


def bounds(aws):
    client = aws.client("application-autoscaling")
    (target,) = client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    return target["MinCapacity"], target["MaxCapacity"]


def set_bounds(aws, minimum, maximum):
    aws.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs", ResourceId="service/x/x", ScalableDimension="ecs:service:DesiredCount", MinCapacity=minimum, MaxCapacity=maximum
    )


def test_create_again_absent_again(aws, service):
    planned, result = run(aws, service, GIVEN)
    assert lines(result) == [("create", TARGET, "service/x/x"), ("create", POLICY, "x-cpu"), ("create", ACTION, "x-night"), ("create", ACTION, "x-morning")]
    assert planned["scalable_target"] == {**result["scalable_target"], "arn": "(known after apply)"}
    target = result["scalable_target"]
    assert (target["min_capacity"], target["max_capacity"]) == bounds(aws) == (2, 4)

    since = aws.mark()
    _ignored, again = run(aws, service, GIVEN)
    assert not again["changed"] and again["scalable_target"] == target and mutations(aws, since) == []

    since = aws.mark()
    gone = run_module(MODULE, {"name": "x", "cluster": "x", "tags": TAGS, "state": "absent"}, aws)
    assert gone["changes"][-1]["kind"] == MODULE  # what scales it goes first
    assert sorted(lines(gone)) == sorted(("delete", kind, name) for _ignored, kind, name in lines(result))
    assert mutations(aws, since) == ["DeregisterScalableTarget"] and gone["scalable_target"] == {}
    since = aws.mark()
    _ignored, again = run(aws, service, GIVEN, state="absent")
    assert not again["changed"] and mutations(aws, since) == []


def changed(option, index, **change):
    items = copy.deepcopy(GIVEN[option])
    items[index].update(change)
    return {option: items}


@pytest.mark.parametrize(
    ("change", "expected", "operations"),
    [
        ({"tags": {**OWNER, "team": "y"}}, [("update", TARGET, "service/x/x")], ["TagResource"]),
        ({"tags": OWNER}, [("update", TARGET, "service/x/x")], ["UntagResource"]),
        (changed("policies", 0, target_tracking={**CPU["target_tracking"], "TargetValue": 50}), [("update", POLICY, "x-cpu")], ["PutScalingPolicy"]),
        ({"policies": [STEP]}, [("replace", POLICY, "x-cpu")], ["DeleteScalingPolicy", "PutScalingPolicy"]),
        ({"policies": []}, [("delete", POLICY, "x-cpu")], ["DeleteScalingPolicy"]),
        (changed("scheduled_actions", 0, schedule="cron(0 22 * * ? *)"), [("update", ACTION, "x-night")], ["PutScheduledAction"]),
        (changed("scheduled_actions", 0, timezone="UTC"), [("update", ACTION, "x-night")], ["PutScheduledAction"]),
        (changed("scheduled_actions", 1, max_capacity=None), [("update", ACTION, "x-morning")], ["PutScheduledAction"]),
        ({"scheduled_actions": [MORNING]}, [("delete", ACTION, "x-night")], ["DeleteScheduledAction"]),
    ],
)
def test_change(aws, service, change, expected, operations):
    run(aws, service, GIVEN)
    since = aws.mark()
    _ignored, result = run(aws, service, GIVEN, **change)
    assert lines(result) == expected and mutations(aws, since) == operations
    assert not run(aws, service, GIVEN, **change)[1]["changed"]


@pytest.mark.parametrize("change", [{"min_capacity": 1}, {"max_capacity": 8}])
def test_bounds_change(aws, service, change):
    given = {**GIVEN, "scheduled_actions": []}
    run(aws, service, given)
    since = aws.mark()
    _ignored, result = run(aws, service, given, **change)
    assert lines(result) == [("update", TARGET, "service/x/x")] and mutations(aws, since) == ["RegisterScalableTarget"]
    assert bounds(aws) == (change.get("min_capacity", 2), change.get("max_capacity", 4))


def test_bounds_that_a_schedule_has_set_are_no_drift(aws, service):
    run(aws, service, GIVEN)
    set_bounds(aws, 0, 0)
    assert not run(aws, service, GIVEN)[1]["changed"] and bounds(aws) == (0, 0)


def test_bounds_set_by_hand_are_put_back(aws, service):
    run(aws, service, GIVEN)
    set_bounds(aws, 1, 9)
    assert lines(run(aws, service, GIVEN)[1]) == [("update", TARGET, "service/x/x")] and bounds(aws) == (2, 4)


def test_a_policy_and_an_action_made_by_hand_are_removed(aws, service):
    run(aws, service, GIVEN)
    client = aws.client("application-autoscaling")
    identity = {"ServiceNamespace": "ecs", "ResourceId": "service/x/x", "ScalableDimension": "ecs:service:DesiredCount"}
    client.put_scaling_policy(
        PolicyName="mine", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=CPU["target_tracking"], **identity
    )
    client.put_scheduled_action(ScheduledActionName="mine", Schedule="rate(1 day)", ScalableTargetAction={"MinCapacity": 1}, **identity)
    assert lines(run(aws, service, GIVEN)[1]) == [("delete", POLICY, "mine"), ("delete", ACTION, "mine")]


def test_suspended_scaling_is_resumed(aws, service):
    run(aws, service, GIVEN)
    client = aws.client("application-autoscaling")
    identity = {"ServiceNamespace": "ecs", "ResourceId": "service/x/x", "ScalableDimension": "ecs:service:DesiredCount"}
    client.register_scalable_target(**identity, SuspendedState={"DynamicScalingInSuspended": True})
    _ignored, result = run(aws, service, GIVEN)
    assert [f["name"] for f in result["changes"][0]["fields"]] == ["suspended"]
    (target,) = client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert set(target["SuspendedState"].values()) == {False} and target["MinCapacity"] == 2
    assert not run(aws, service, GIVEN)[1]["changed"]

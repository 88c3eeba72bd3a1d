# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a call is sent again, and how soon."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import REPEATS_OF_ANOTHER, THROTTLED_RETRIES, longest_back_off
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module
from support.ecs import smallest_service

MODULE = "ecs_cluster"
GIVEN = {"name": "x", "tags": {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}}
LONGEST = [longest_back_off(retry + 1) for retry in range(THROTTLED_RETRIES)]


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause, none of which takes any."""
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setattr("random.uniform", lambda _least, most: most)
    return pauses


def creates(aws: EmbeddedAWS) -> int:
    return [call["operation"] for call in aws.calls()].count("CreateCluster")


def throttle(aws: EmbeddedAWS, times: int, operation: str = "CreateCluster") -> None:
    aws.faults({"service": "ecs", "operation": operation, "error": "throttled", "times": times})


@pytest.mark.parametrize("operation", ["CreateCluster", "DescribeClusters"])
def test_what_aws_throttles_is_sent_again_soon_and_then_ever_later(aws: EmbeddedAWS, slept: list[float], operation: str) -> None:
    throttle(aws, THROTTLED_RETRIES, operation)
    assert run_module(MODULE, GIVEN, aws)["changed"]
    assert slept == LONGEST and creates(aws) == (THROTTLED_RETRIES + 1 if operation == "CreateCluster" else 1)


def test_what_aws_throttles_for_good_is_told(aws: EmbeddedAWS, slept: list[float]) -> None:
    throttle(aws, THROTTLED_RETRIES + 1)
    with pytest.raises(ModuleFailed, match="AWS answered ThrottlingException to CreateCluster"):
        run_module(MODULE, GIVEN, aws)
    assert slept == LONGEST and creates(aws) == THROTTLED_RETRIES + 1


def test_the_users_own_retries_are_botocores(aws: EmbeddedAWS, slept: list[float]) -> None:
    throttle(aws, THROTTLED_RETRIES)
    with pytest.raises(ModuleFailed, match="AWS answered ThrottlingException to CreateCluster"):
        run_module(MODULE, {**GIVEN, "aws_config": {"retries": {"max_attempts": 2}}}, aws)
    assert len(slept) == 2 and creates(aws) == 3


def test_what_another_service_throttles_is_sent_again_too(aws: EmbeddedAWS, slept: list[float]) -> None:
    message = "Error retrieving subnet information for [subnet-1]: Request limit exceeded. (ErrorCode: RequestLimitExceeded)"
    error = {"code": "InvalidParameterException", "message": message, "status": 400}
    aws.faults({"service": "ecs", "operation": "CreateCluster", "error": error, "times": 3})
    assert run_module(MODULE, GIVEN, aws)["changed"] and slept == LONGEST[:3]


def test_when_aws_says_when_it_is_botocores(aws: EmbeddedAWS, slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine import retries

    def asked(response: t.Any, **more: t.Any) -> float | None:
        http = SimpleNamespace(status_code=400, headers={**response[0].headers, "x-amz-retry-after": "3000"})
        return back_off(response=(http, response[1]), **more)

    back_off = retries._back_off
    monkeypatch.setattr(retries, "_back_off", asked)
    throttle(aws, 1)
    run_module(MODULE, GIVEN, aws)
    assert len(slept) == 1 and slept != LONGEST[:1]


@pytest.mark.parametrize("trouble", [{"error": "internal"}, {"error": "internal", "late": True}, {"drop": "before"}, {"drop": "after"}])
def test_a_change_that_aws_may_have_made_is_not_sent_again_before_it_is_looked_for(aws: EmbeddedAWS, slept: list[float], trouble: dict[str, t.Any]) -> None:
    aws.faults({"service": "ecs", "operation": "CreateCluster", "times": 1, **trouble})
    assert run_module(MODULE, GIVEN, aws)["changed"]
    made = trouble.get("late") or trouble.get("drop") == "after"
    expected = ["DescribeClusters", "CreateCluster", "DescribeClusters", *([] if made else ["CreateCluster"])]
    assert [call["operation"] for call in aws.calls()] == expected and slept == [0.25]


@pytest.mark.parametrize(("times", "starts"), [(3, 0), (None, 45)])
def test_what_aws_does_not_know_yet_is_sent_again_and_then_looked_for_every_two_seconds(
    aws: EmbeddedAWS, slept: list[float], times: int | None, starts: int
) -> None:
    unknown = {"code": "ClientException", "message": "Role is not valid", "status": 400}
    aws.faults({"service": "ecs", "operation": "CreateCluster", "error": unknown, "times": times})
    if times:
        assert run_module(MODULE, GIVEN, aws)["changed"]
    else:
        with pytest.raises(ModuleFailed, match="AWS answered ClientException to CreateCluster: Role is not valid"):
            run_module(MODULE, GIVEN, aws)
    sent_again = [0.5, *[1] * 12][:times]
    assert slept == sent_again + [2.0] * starts and creates(aws) == 1 + len(sent_again) + starts


def test_what_aws_is_busy_with_is_sent_again(aws: EmbeddedAWS, slept: list[float]) -> None:
    busy = {"code": "OperationAbortedException", "message": "A conflicting operation is currently in progress.", "status": 400}
    aws.faults(*({"service": "logs", "operation": name, "error": busy, "times": 2} for name in ("PutRetentionPolicy", "DeleteLogGroup")))
    given = {**GIVEN, "log_group": {"name": "/x", "retention_in_days": 30}, "account_id": "123456789012"}
    assert run_module(MODULE, given, aws)["changed"] and slept == [0.5, 1]
    assert run_module(MODULE, {**given, "state": "absent"}, aws)["changed"] and slept == [0.5, 1, 0.5, 1]


SCALING = {
    "min_capacity": 2,
    "max_capacity": 4,
    "policies": [
        {"name": "x-cpu", "target_tracking": {"TargetValue": 70, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}}
    ],
}
REFUSED_BY_ANOTHER = (
    "The security token included in the request is invalid",
    "User: x is not authorized to perform: cloudwatch:PutMetricAlarm",
    "Rate exceeded",
)


@pytest.fixture
def scaled(aws: EmbeddedAWS) -> dict[str, t.Any]:
    """The options of a service that is there, with a scaling that is not."""
    service = {**smallest_service(aws), "tags": GIVEN["tags"]}
    run_module("ecs_service", service, aws)
    return {**service, "scalable_target": SCALING}


def refuse_scaling(aws: EmbeddedAWS, operation: str, message: str, times: int) -> None:
    error = {"code": "FailedResourceAccessException", "message": message, "status": 400}
    aws.faults({"service": "application-autoscaling", "operation": operation, "error": error, "times": times})


@pytest.mark.parametrize("message", REFUSED_BY_ANOTHER)
@pytest.mark.parametrize("operation", ["PutScalingPolicy", "DescribeScalingPolicies"])
def test_what_another_service_refuses_to_autoscaling_is_sent_again_for_two_minutes(
    aws: EmbeddedAWS, scaled: dict[str, t.Any], slept: list[float], operation: str, message: str
) -> None:
    if operation == "DescribeScalingPolicies":
        run_module("ecs_service", scaled, aws)
    refuse_scaling(aws, operation, message, REPEATS_OF_ANOTHER)
    for check in (True, False):
        assert run_module("ecs_service", scaled, aws, check=check)["changed"] == (operation == "PutScalingPolicy")
    assert len(slept) == REPEATS_OF_ANOTHER and 120 < sum(slept) < 180
    assert not run_module("ecs_service", scaled, aws)["changed"]


def test_what_another_service_refuses_to_autoscaling_for_good_is_told(aws: EmbeddedAWS, scaled: dict[str, t.Any], slept: list[float]) -> None:
    refuse_scaling(aws, "PutScalingPolicy", REFUSED_BY_ANOTHER[1], REPEATS_OF_ANOTHER + 1)
    with pytest.raises(ModuleFailed, match="AWS answered FailedResourceAccessException to PutScalingPolicy: User: x is not authorized"):
        run_module("ecs_service", scaled, aws)
    assert len(slept) == REPEATS_OF_ANOTHER

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

from embedded.helpers import Network, create_service, has, refused
from embedded_aws.client import EmbeddedAWS


def test_application_autoscaling(aws: EmbeddedAWS, network: Network) -> None:
    aas = aws.client("application-autoscaling")
    create_service(aws, network)
    target = {"ServiceNamespace": "ecs", "ResourceId": "service/c/s", "ScalableDimension": "ecs:service:DesiredCount"}
    action = {
        **target,
        "ScheduledActionName": "night",
        "Schedule": "cron(0 20 * * ? *)",
        "Timezone": "Europe/Madrid",
        "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 0},
    }
    policy = {
        **target,
        "PolicyName": "cpu",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    }
    refused("ObjectNotFoundException", aas.put_scaling_policy, **policy)
    refused("ObjectNotFoundException", aas.put_scheduled_action, **action)
    arn = aas.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4, Tags={"a": "1"})["ScalableTargetARN"]
    (described,) = aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert described["RoleARN"].endswith("AWSServiceRoleForApplicationAutoScaling_ECSService")
    assert set(described["SuspendedState"].values()) == {False}
    aas.register_scalable_target(**target, SuspendedState={"ScheduledScalingSuspended": True})
    (described,) = aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    has(described, MinCapacity=1, MaxCapacity=4)
    assert [name for name, value in described["SuspendedState"].items() if value] == ["ScheduledScalingSuspended"]
    aas.tag_resource(ResourceARN=arn, Tags={"b": "2"})
    aas.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert aas.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}
    aas.put_scheduled_action(**action)
    (scheduled,) = aas.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    has(scheduled, **{name: action[name] for name in ("ScalableTargetAction", "Timezone", "Schedule")})
    arns = {aas.put_scaling_policy(**policy)["PolicyARN"] for _ignored in range(2)}
    assert len(arns) == 1
    assert len(aws.client("cloudwatch").describe_alarms()["MetricAlarms"]) == 2
    aas.deregister_scalable_target(**target)
    assert aas.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []
    assert aas.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"] == []
    refused("ObjectNotFoundException", aas.deregister_scalable_target, **target)

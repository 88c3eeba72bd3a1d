# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether those who are to be told of alarms can be."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import owner
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.monitoring import PUBLISHERS
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:team"
NAME = {"mlflow_unique_name": "x"}


def policy(action: str, *services: str) -> str:
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
    allowed = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": [action], "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [*([root] if action.startswith("kms") else []), allowed]})


def key(aws: EmbeddedAWS, *services: str) -> str:
    return aws.client("kms").create_key(Policy=policy("kms:GenerateDataKey*", *services))["KeyMetadata"]["Arn"]


def topic(aws: EmbeddedAWS, *services: str, by: str = "") -> None:
    attributes = {"Policy": policy("sns:Publish", *services), **({"KmsMasterKeyId": by} if by else {})}
    aws.client("sns").create_topic(Name="team", Attributes=attributes)


def problems(aws: EmbeddedAWS, **inputs: t.Any) -> str:
    with pytest.raises(ModuleFailed) as failure:
        run_module("preflight", {"inputs": {**NAME, **inputs}}, aws)
    return "\n".join(failure.value.result["problems"])


def decision(aws: EmbeddedAWS, scope: str = "site", **inputs: t.Any) -> dict[str, bool]:
    return run_module("preflight", {"inputs": {**NAME, **inputs}, "scope": scope}, aws)["monitoring"]


def test_a_topic_that_all_three_may_publish_to_is_right(aws: EmbeddedAWS) -> None:
    topic(aws, *PUBLISHERS, by=key(aws, *PUBLISHERS))
    assert decision(aws, mlflow_alarm_topic_arn=TOPIC) == {"wanted": True, "there": False}


def test_a_topic_that_is_not_there(aws: EmbeddedAWS) -> None:
    assert "there is no such topic" in problems(aws, mlflow_alarm_topic_arn=TOPIC)
    assert "it is of another account" in problems(aws, mlflow_alarm_topic_arn=TOPIC.replace(ACCOUNT, "210987654321"))
    assert "the region us-east-1" in problems(aws, mlflow_alarm_topic_arn=TOPIC.replace(REGION, "us-east-1"))


@pytest.mark.parametrize("missing", PUBLISHERS)
def test_a_topic_or_a_key_that_keeps_one_of_them_out(aws: EmbeddedAWS, missing: str) -> None:
    others = [service for service in PUBLISHERS if service != missing]
    closed = key(aws, *others)
    topic(aws, *others, by=closed)
    told = problems(aws, mlflow_alarm_topic_arn=TOPIC)
    assert f"its policy lets no {missing} publish" in told and f"whose policy has to allow {missing} kms:Decrypt" in told
    told = problems(aws, mlflow_alarm_emails=["a@example.com"], mlflow_key_arn=closed)
    assert told.startswith("mlflow_key_arn") and missing in told and others[0] not in told


def test_a_key_that_asks_eventbridge_for_its_source_keeps_it_out(aws: EmbeddedAWS) -> None:
    document = json.loads(policy("kms:GenerateDataKey*", *PUBLISHERS))
    document["Statement"][1]["Condition"] = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    closed = aws.client("kms").create_key(Policy=json.dumps(document))["KeyMetadata"]["Arn"]
    told = problems(aws, mlflow_alarm_emails=["a@example.com"], mlflow_key_arn=closed)
    assert "allow events.amazonaws.com kms:Decrypt and kms:GenerateDataKey*, without conditions on its source" in told


def test_aws_key_for_sns_will_not_do(aws: EmbeddedAWS) -> None:
    topic(aws, *PUBLISHERS, by="alias/aws/sns")
    assert "alias/aws/sns, which CloudWatch cannot use" in problems(aws, mlflow_alarm_topic_arn=TOPIC)


def service(aws: EmbeddedAWS, **deployment: t.Any) -> None:
    ecs, tags = aws.client("ecs"), [{"key": key, "value": value} for key, value in owner("x").items()]
    ecs.create_cluster(clusterName="x", tags=tags)
    ecs.register_task_definition(family="x", containerDefinitions=[{"name": "mlflow", "image": "m", "memory": 100}], tags=tags)
    ecs.create_service(cluster="x", serviceName="x", taskDefinition="x", desiredCount=0, deploymentConfiguration=deployment, tags=tags)


def test_of_a_stack_that_was_never_watched_no_alarm_is_asked_for(aws: EmbeddedAWS) -> None:
    service(aws)
    mark = aws.mark()
    assert decision(aws) == {"wanted": False, "there": False}
    calls = [call["operation"] for call in aws.calls(mark)]
    assert calls.count("DescribeServices") == 1 and "DescribeAlarms" not in calls


def test_what_the_stack_has_and_what_it_is_to_have(aws: EmbeddedAWS) -> None:
    assert decision(aws) == {"wanted": False, "there": False}
    for name in ("mlflow_dashboard", "mlflow_account_dashboard"):
        assert decision(aws, **{name: True}) == {"wanted": True, "there": False}
    service(aws, alarms={"alarmNames": ["x/api-errors"], "enable": False, "rollback": False})
    common = {"MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1}
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="x-2/cpu", ComparisonOperator="GreaterThanThreshold", **common)
    assert not decision(aws)["there"]  # which is another stack's
    cloudwatch.put_metric_alarm(AlarmName="x/cpu", ComparisonOperator="GreaterThanThreshold", **common)
    assert decision(aws) == decision(aws, "destroy") == {"wanted": False, "there": True}


def test_a_caller_who_may_not_see_alarms_has_none(aws: EmbeddedAWS) -> None:
    service(aws, alarms={"alarmNames": ["x/api-errors"], "enable": True, "rollback": True})
    aws.faults({"service": "cloudwatch", "error": {"code": "AccessDenied", "message": "not authorized", "status": 403}})
    assert decision(aws) == {"wanted": False, "there": False}


def test_the_default_policy_of_a_topic_lets_all_but_eventbridge_publish(aws: EmbeddedAWS) -> None:
    aws.client("sns").create_topic(Name="team")
    assert "lets no events.amazonaws.com publish to it: allow this service" in problems(aws, mlflow_alarm_topic_arn=TOPIC)

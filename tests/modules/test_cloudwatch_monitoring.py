# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

MODULE, TOPIC = "cloudwatch_monitoring", f"arn:aws:sns:{REGION}:{ACCOUNT}:x-alarms"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
SERVICES = ["cloudwatch.amazonaws.com", "events.amazonaws.com", "events.rds.amazonaws.com"]
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": SERVICES}, "Action": "sns:Publish", "Resource": TOPIC}]}
CPU = {"namespace": "AWS/ECS", "name": "CPUUtilization", "statistic": "Average", "dimensions": {"ClusterName": "x", "ServiceName": "x"}}
ERRORS = {"namespace": "AWS/ApiGateway", "name": "5xx", "statistic": "Sum", "dimensions": {"ApiId": "a"}}
ALARMS: list[dict[str, t.Any]] = [
    {"name": "x/cpu", "description": "Busy", "metrics": {"cpu": CPU}, "threshold": 95, "evaluation_periods": 15, "datapoints_to_alarm": 15},
    {
        "name": "x/errors",
        "description": "Errors",
        "metrics": {"errors": ERRORS, "tasks": {**CPU, "statistic": "SampleCount"}},
        "expression": "errors * (tasks > 0)",
        "threshold": 5,
    },
]
RULE = {
    "name": "x-stopped",
    "description": "Stopped",
    "event_pattern": {"source": ["aws.ecs"], "detail": {"lastStatus": ["STOPPED"]}},
    "input_paths": {"task": "$.detail.taskArn"},
    "input_template": '"<task>"',
}


@pytest.fixture
def cluster(aws: EmbeddedAWS) -> EmbeddedAWS:
    aws.client("rds").create_db_cluster(DBClusterIdentifier="x", Engine="aurora-mysql", MasterUsername="a", MasterUserPassword="b" * 12)
    aws.client("logs").create_log_group(logGroupName="/x")
    return aws


def params(**changed: t.Any) -> dict[str, t.Any]:
    return {
        "alarm_name_prefix": "x/",
        "alarms": ALARMS,
        "metric_filters": [{"name": "refused", "log_group": "/x", "pattern": "refused", "namespace": "n", "metric": "m"}],
        "topic": {"name": "x-alarms", "emails": ["anna@example.com"], "policy": POLICY, "kms_key_id": "arn:aws:kms:eu-west-1:123456789012:key/k"},
        "topic_arn": TOPIC,
        "event_rules": [RULE],
        "rds_event_subscriptions": [{"name": "x-database", "source_ids": ["x"], "event_categories": ["failover", "failure"]}],
        "dashboards": [{"name": "x", "body": {"widgets": []}}],
        "tags": TAGS,
        **changed,
    }


def run(aws: EmbeddedAWS, given: dict[str, t.Any]) -> tuple[list[tuple[str, str, str, list[str]]], list[str]]:
    """What a run did, as its plan foretold, and its changing calls; a second run does nothing."""
    mark = aws.mark()
    plan = run_module(MODULE, given, aws, check=True)
    assert aws.mutating(mark) == []
    done = run_module(MODULE, given, aws)
    lines = [[(c["action"], c["kind"], c["name"], [f["name"] for f in c["fields"]]) for c in result["changes"]] for result in (plan, done)]
    assert lines[0] == lines[1]
    calls = [call["operation"] for call in aws.mutating(mark)]
    mark = aws.mark()
    assert not run_module(MODULE, given, aws)["changed"] and aws.mutating(mark) == []
    return lines[0], calls


def alarms(aws: EmbeddedAWS) -> dict[str, dict[str, t.Any]]:
    return {alarm["AlarmName"]: alarm for alarm in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]}


def test_life(cluster: EmbeddedAWS) -> None:
    aws = cluster
    lines, calls = run(aws, params())
    kinds = ["cloudwatch_metric_alarm"] * 2 + [
        "logs_metric_filter",
        "sns_topic",
        "sns_subscription",
        "events_rule",
        "rds_event_subscription",
        "cloudwatch_dashboard",
    ]
    assert [line[:2] for line in lines] == [("create", kind) for kind in kinds]
    assert sorted(calls[:2]) == ["PutMetricAlarm"] * 2  # that the stack is watched is seen as long as anything of it is there
    cpu, errors = (alarms(aws)[name] for name in ("x/cpu", "x/errors"))
    assert (cpu["Namespace"], cpu["MetricName"], cpu["Statistic"], cpu["Period"], cpu["Threshold"]) == ("AWS/ECS", "CPUUtilization", "Average", 60, 95)
    assert cpu["Dimensions"] == [{"Name": "ClusterName", "Value": "x"}, {"Name": "ServiceName", "Value": "x"}]
    assert (cpu["EvaluationPeriods"], cpu["DatapointsToAlarm"], cpu["TreatMissingData"]) == (15, 15, "notBreaching")
    assert cpu["AlarmActions"] == cpu["OKActions"] == [TOPIC] and cpu["ActionsEnabled"]
    assert [(query["Id"], query["ReturnData"]) for query in errors["Metrics"]] == [("result", True), ("errors", False), ("tasks", False)]
    for arn in (cpu["AlarmArn"], f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/x"):
        assert {tag["Key"]: tag["Value"] for tag in aws.client("cloudwatch").list_tags_for_resource(ResourceARN=arn)["Tags"]} == TAGS
    attributes = aws.client("sns").get_topic_attributes(TopicArn=TOPIC)["Attributes"]
    assert json.loads(attributes["Policy"]) == POLICY and attributes["KmsMasterKeyId"].endswith("key/k")
    (target,) = aws.client("events").list_targets_by_rule(Rule="x-stopped")["Targets"]
    assert (target["Arn"], target["InputTransformer"]["InputPathsMap"]) == (TOPIC, RULE["input_paths"])
    (subscription,) = aws.client("rds").describe_event_subscriptions()["EventSubscriptionsList"]
    assert (subscription["SourceIdsList"], subscription["EventCategoriesList"], subscription["Enabled"]) == (["x"], ["failover", "failure"], True)
    again = run_module(MODULE, params(), aws)
    assert (again["alarms"], again["topic_arn"], again["dashboards"]) == (["x/cpu", "x/errors"], TOPIC, ["x"])
    lines, calls = run(aws, params(state="absent"))
    assert [line[0] for line in lines] == ["delete"] * len(kinds)
    assert calls[-2:] == ["DeleteAlarms"] * 2 and "Unsubscribe" not in calls
    assert alarms(aws) == {} and aws.client("sns").list_topics()["Topics"] == [] == aws.client("rds").describe_event_subscriptions()["EventSubscriptionsList"]
    assert aws.client("events").list_rules()["Rules"] == [] == aws.client("cloudwatch").list_dashboards()["DashboardEntries"]
    assert aws.client("logs").describe_metric_filters(logGroupName="/x")["metricFilters"] == []


def test_what_somebody_changed_is_put_right(cluster: EmbeddedAWS) -> None:
    aws = cluster
    run(aws, params())
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.disable_alarm_actions(AlarmNames=["x/cpu"])
    queries = alarms(aws)["x/errors"]["Metrics"]
    queries[0]["Expression"] = "errors"
    common = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 5}
    cloudwatch.put_metric_alarm(AlarmName="x/errors", Metrics=queries, **common)
    cloudwatch.untag_resource(ResourceARN=alarms(aws)["x/errors"]["AlarmArn"], TagKeys=["mlflow-stack"])
    cloudwatch.put_dashboard(DashboardName="x", DashboardBody='{"widgets": [{"type": "text"}]}')
    aws.client("events").disable_rule(Name="x-stopped")
    aws.client("sns").set_topic_attributes(TopicArn=TOPIC, AttributeName="Policy", AttributeValue=json.dumps({**POLICY, "Statement": []}))
    aws.client("rds").delete_event_subscription(SubscriptionName="x-database")
    lines, _calls = run(aws, params())
    changed = {line[2]: set(line[3]) for line in lines}
    assert changed["x/cpu"] == {"actions_enabled"} and changed["x-stopped"] == {"enabled"} and changed["x"] == {"body.widgets"}
    assert changed["x/errors"] >= {"expression", "comparison", "actions", "treat_missing_data", "description", "tags.mlflow-stack"}
    assert changed["x-alarms"] == {"policy.Statement"} and lines[-2][:3] == ("create", "rds_event_subscription", "x-database")
    assert alarms(aws)["x/cpu"]["ActionsEnabled"]


def test_an_alarm_that_is_not_wanted_any_more_goes_and_those_of_others_stay(cluster: EmbeddedAWS) -> None:
    aws = cluster
    run(aws, params())
    common = {"MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1}
    for name in ("x/theirs", "x-2/cpu"):
        aws.client("cloudwatch").put_metric_alarm(AlarmName=name, ComparisonOperator="GreaterThanThreshold", **common)
    lines, _calls = run(aws, params(alarms=ALARMS[:1]))
    assert [line[:3] for line in lines] == [("delete", "cloudwatch_metric_alarm", "x/errors")]
    assert sorted(alarms(aws)) == ["x-2/cpu", "x/cpu", "x/theirs"]


def test_without_a_topic_nobody_is_notified(cluster: EmbeddedAWS) -> None:
    aws = cluster
    run(aws, params())
    lines, _calls = run(aws, params(topic_arn="", topic={"name": "x-alarms"}, dashboards=[{"name": "x"}]))
    assert [(line[0], line[1]) for line in lines] == [
        *[("update", "cloudwatch_metric_alarm")] * 2,
        *[("delete", kind) for kind in ("sns_topic", "sns_subscription", "events_rule", "rds_event_subscription", "cloudwatch_dashboard")],
    ]
    assert [alarm["AlarmActions"] for alarm in alarms(aws).values()] == [[], []]


def test_addresses_are_those_of_the_input_once_they_are_confirmed(cluster: EmbeddedAWS) -> None:
    aws, topic = cluster, params()["topic"]
    assert run_module(MODULE, params(), aws)["not_confirmed"] == ["anna@example.com"]
    sns = aws.client("sns")
    sns.confirm_subscription(TopicArn=TOPIC, Token="anna@example.com")
    sns.subscribe(TopicArn=TOPIC, Protocol="https", Endpoint="https://chat.example.com")
    assert run_module(MODULE, params(), aws)["not_confirmed"] == []
    lines, _calls = run(aws, params(topic={**topic, "emails": ["ben@example.com"]}))
    assert [line[:3] for line in lines] == [("create", "sns_subscription", "ben@example.com"), ("delete", "sns_subscription", "anna@example.com")]
    kept = run_module(MODULE, params(topic={**topic, "emails": ["anna@example.com"]}), aws)  # nobody has confirmed Ben's, which has no ARN yet
    assert [change["name"] for change in kept["changes"]] == ["anna@example.com"]
    assert "ben@example.com is kept" in str(kept["warnings"])
    assert [each["Protocol"] for each in sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]].count("https") == 1


def test_a_topic_of_others_is_not_taken(cluster: EmbeddedAWS) -> None:
    cluster.client("sns").create_topic(Name="x-alarms")
    with pytest.raises(ModuleFailed) as refusal:
        run_module(MODULE, params(), cluster)
    assert "sns_topic x-alarms: it exists already and is not of this stack" in str(refusal.value)


def test_other_sources_take_a_new_subscription(cluster: EmbeddedAWS) -> None:
    aws = cluster
    run(aws, params())
    aws.client("rds").create_db_cluster(DBClusterIdentifier="y", Engine="aurora-mysql", MasterUsername="a", MasterUserPassword="b" * 12)
    changed = [{"name": "x-database", "source_ids": ["y"], "event_categories": ["failover"]}]
    lines, calls = run(aws, params(rds_event_subscriptions=changed))
    assert [line[0] for line in lines] == ["replace"] and calls == ["DeleteEventSubscription", "CreateEventSubscription"]
    lines, calls = run(aws, params(rds_event_subscriptions=[{**changed[0], "event_categories": ["failure"]}]))
    assert lines == [("update", "rds_event_subscription", "x-database", ["event_categories"])] and calls == ["ModifyEventSubscription"]

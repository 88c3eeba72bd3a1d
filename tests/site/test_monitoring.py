# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What watches a stack: it comes with its inputs, and goes with them."""

from __future__ import annotations

import typing as t
from collections import Counter

from embedded_aws.client import ACCOUNT, REGION
from support.account import changed, listing
from support.cloudformation import findings
from support.keys import let_alarms_use
from support.stack import Stack

WATCHED = {"metric_alarm", "metric_filter", "topic", "topic_subscription", "event_rule", "event_subscription", "dashboard"}
INPUTS: dict[str, t.Any] = {"mlflow_alarm_emails": ["anna@example.com"], "mlflow_dashboard": True, "mlflow_account_dashboard": True}
NONE: dict[str, t.Any] = dict.fromkeys(INPUTS)


def kinds(keys: t.Iterable[tuple[str, str]]) -> Counter[str]:
    return Counter(kind for kind, _identifier in keys)


def test_what_watches_a_stack_comes_and_goes_with_its_inputs(stack: Stack) -> None:
    aws = stack.aws
    theirs = aws.client("sns").create_topic(Name="mlflow-team-x-alarms")["TopicArn"]
    refused = stack.run("site", **INPUTS)
    assert "not of this stack: sns_topic mlflow-team-x-alarms" in refused.messages[0]
    aws.client("sns").delete_topic(TopicArn=theirs)
    assert refused.status != 0 and refused.mutating == []
    assert "mlflow_key_arn" in refused.messages[0] and "kms:GenerateDataKey*" in refused.messages[0]
    let_alarms_use(aws, stack.inputs["mlflow_key_arn"])
    nothing = listing(aws)
    stack.apply()
    plain = listing(aws)
    assert kinds(plain.keys() - nothing.keys()).keys().isdisjoint(WATCHED)
    assert {call["service"] for call in stack.run("plan").calls}.isdisjoint({"cloudwatch", "events", "sns"})

    plan, run = stack.plan_and_apply(**INPUTS)
    assert run.status == 0 and plan == run.changes
    watched = listing(aws)
    difference = changed(plain, watched)
    assert kinds(difference["added"]) == {
        **{"metric_alarm": 16, "event_rule": 2, "dashboard": 2},
        **dict.fromkeys(WATCHED - {"metric_alarm", "event_rule", "dashboard"}, 1),
    }
    assert difference["removed"] == set() and kinds(difference["altered"]).keys() <= {"ecs_service", "lease"}
    service = next(state for (kind, _identifier), state in watched.items() if kind == "ecs_service")
    deployment_alarms = ["mlflow-team-x/api-errors", "mlflow-team-x/people-errors"]
    assert service["deploymentConfiguration"]["alarms"] == {"alarmNames": deployment_alarms, "enable": True, "rollback": True}
    assert {name for kind, name in watched if kind == "metric_alarm"} >= set(deployment_alarms)
    assert findings(watched) == []
    assert stack.outputs["alarm_topic_arn"] == f"arn:aws:sns:{REGION}:{ACCOUNT}:mlflow-team-x-alarms"
    assert stack.outputs["dashboard_url"].endswith("#dashboards/dashboard/mlflow-team-x-eu-west-1")
    assert stack.outputs["account_dashboard_url"].endswith("#dashboards/dashboard/mlflow-team-x-eu-west-1-account")
    assert "anna@example.com has to follow the link" in run.text

    again = stack.apply()
    assert again.changed == 0 and again.mutating == []

    cloudwatch = aws.client("cloudwatch")
    cloudwatch.disable_alarm_actions(AlarmNames=["mlflow-team-x/cpu"])
    cloudwatch.delete_alarms(AlarmNames=["mlflow-team-x/memory"])
    cloudwatch.put_dashboard(DashboardName="mlflow-team-x-eu-west-1", DashboardBody='{"widgets": []}')
    aws.client("events").disable_rule(Name="mlflow-team-x-deployments")
    aws.client("rds").modify_event_subscription(SubscriptionName="mlflow-team-x-database", Enabled=False)
    plan, repaired = stack.plan_and_apply()
    assert repaired.status == 0 and plan == repaired.changes
    puts = ["cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm", "cloudwatch:PutMetricAlarm", "events:PutRule", "rds:ModifyEventSubscription"]
    assert sorted(repaired.changing) == puts
    difference = changed(watched, listing(aws))
    assert difference["added"] == difference["removed"] == set() and kinds(difference["altered"]).keys() <= {"lease"}

    plan, run = stack.plan_and_apply(**NONE)
    assert run.status == 0 and plan == run.changes
    assert changed(plain, listing(aws))["added"] == set()
    assert {stack.outputs[name] for name in ("alarm_topic_arn", "dashboard_url", "account_dashboard_url")} == {""}

    stack.apply(**INPUTS)
    stack.destroy(mlflow_database_skip_final_snapshot=True)
    assert kinds(listing(aws)).keys().isdisjoint(WATCHED)

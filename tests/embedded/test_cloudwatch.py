# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import typing as t

from embedded.helpers import refused
from embedded_aws.client import ACCOUNT, EmbeddedAWS

ALARM: dict[str, t.Any] = {
    "AlarmName": "x/a",
    "MetricName": "m",
    "Namespace": "n",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}


def test_tags_of_alarms(aws: EmbeddedAWS) -> None:
    """PutMetricAlarm (CloudWatch API Reference): tags are those of a new alarm, and are ignored for one that there is."""
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(**ALARM, Tags=[{"Key": "a", "Value": "1"}])
    (alarm,) = cloudwatch.describe_alarms(AlarmNamePrefix="x/")["MetricAlarms"]
    assert alarm["StateValue"] == "INSUFFICIENT_DATA"
    cloudwatch.put_metric_alarm(**ALARM, Tags=[{"Key": "b", "Value": "2"}])
    assert cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "1"}]
    cloudwatch.delete_alarms(AlarmNames=["x/a"])
    refused("ResourceNotFoundException", cloudwatch.list_tags_for_resource, ResourceARN=alarm["AlarmArn"])


def test_tags_of_dashboards(aws: EmbeddedAWS) -> None:
    """PutDashboard, TagResource (CloudWatch API Reference)."""
    cloudwatch, arn = aws.client("cloudwatch"), f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/x"
    refused("ResourceNotFoundException", cloudwatch.list_tags_for_resource, ResourceARN=arn)
    cloudwatch.put_dashboard(DashboardName="x", DashboardBody="{}", Tags=[{"Key": "a", "Value": "1"}])
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    cloudwatch.delete_dashboards(DashboardNames=["x"])
    cloudwatch.put_dashboard(DashboardName="x", DashboardBody="{}")
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == []

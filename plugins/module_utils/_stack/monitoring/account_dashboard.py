# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the dashboard over all stacks of an account. Pure.

CloudWatch finds what they consist of by its tags, also of stacks to come. Which kinds it can find so:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html#CloudWatch-Dashboard-Properties-Metric-Explorer-resourceType
Services of ECS and HTTP APIs are not among them: the former are found by their metrics, all of the region, and of an API its authorizer.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import OWNER_TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.monitoring.alarms import Document
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.monitoring.dashboard import HEIGHT, WIDTH
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import owner

MANAGED_BY, STACK = OWNER_TAGS


class Found(t.NamedTuple):
    """``metrics``: names and statistics of what resources of a kind have; ``function``: how those of one stack are put together."""

    title: str
    kind: str
    function: str
    metrics: t.Sequence[tuple[str, str]]
    period: int = 300


_LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer/ApplicationELB"
FOUND = (
    Found("Load balancers", _LOAD_BALANCER, "SUM", [(name, "Sum") for name in ("RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count")]),
    Found("Load balancers: seconds", _LOAD_BALANCER, "MAX", [("TargetResponseTime", "p99")]),
    Found("Authorizers of the APIs", "AWS::Lambda::Function", "SUM", [(name, "Sum") for name in ("Invocations", "Errors", "Throttles")]),
    Found("Databases", "AWS::RDS::DBInstance", "MAX", [(name, "Maximum") for name in ("ServerlessDatabaseCapacity", "CPUUtilization", "DatabaseConnections")]),
    Found("Artifacts: bytes", "AWS::S3::Bucket", "SUM", [("BucketSizeBytes", "Average")], 86400),
)


def account_dashboard(region: str, cost: str) -> Document:
    """The body of the dashboard. ``cost``: the URL of Cost Explorer."""
    text = f"## MLflow\nAll stacks of this account in {region}. [cost]({cost})"
    search = "SEARCH('{AWS/ECS,ClusterName,ServiceName} MetricName=\"CPUUtilization\"', 'SampleCount', 60)"
    tasks = {"expression": search, "label": "${PROP('Dim.ServiceName')}", "region": region}
    head: list[Document] = [
        {"type": "text", "x": 0, "y": 0, "width": WIDTH, "height": 2, "properties": {"markdown": text}},
        {
            "type": "metric",
            "x": 0,
            "y": 2,
            "width": WIDTH,
            "height": HEIGHT,
            "properties": {"title": "Tasks of all services of Amazon ECS", "region": region, "view": "timeSeries", "period": 60, "metrics": [[tasks]]},
        },
    ]
    return {"widgets": [*head, *(_explorer(found, 2 + HEIGHT + 2 * HEIGHT * n) for n, found in enumerate(FOUND))]}


def _explorer(found: Found, y: int) -> Document:
    properties = {
        "title": found.title,
        "labels": [{"key": MANAGED_BY, "value": owner("")[MANAGED_BY]}],
        "metrics": [{"metricName": name, "resourceType": found.kind, "stat": stat} for name, stat in found.metrics],
        "aggregateBy": {"key": STACK, "func": found.function},
        "period": found.period,
        "widgetOptions": {"legend": {"position": "bottom"}, "view": "timeSeries", "rowsPerPage": 1, "widgetsPerRow": 3},
    }
    return {"type": "explorer", "x": 0, "y": y, "width": WIDTH, "height": 2 * HEIGHT, "properties": properties}

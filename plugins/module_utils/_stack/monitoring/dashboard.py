# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the dashboard of a stack. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.monitoring.alarms import (
    Document,
    Watched,
    alarms,
    load_balancer_dimension,
    target_group_dimension,
)

WIDTH = 24
"""Of a dashboard, in its units."""
HEIGHT = 6
"""Of a graph."""


class Graph(t.NamedTuple):
    """``metrics``: namespace, metric, dimensions and statistic of each line."""

    title: str
    metrics: t.Sequence[tuple[str, str, dict[str, str], str]]
    period: int = 300


def dashboard(watched: Watched, bucket: str, prefix: str, arn_prefix: str, region: str, links: dict[str, str]) -> Document:
    """The body of the dashboard. ``arn_prefix``: how the ARNs of alarms begin, before the ``prefix`` of their names."""
    names = [f"{arn_prefix}{prefix}{alarm.name}" for alarm in alarms(watched)]
    text = " · ".join(f"[{name}]({url})" for name, url in links.items())
    head: list[Document] = [
        {"type": "text", "x": 0, "y": 0, "width": WIDTH, "height": 2, "properties": {"markdown": f"## MLflow {watched.stack}\n{text}"}},
        {"type": "alarm", "x": 0, "y": 2, "width": WIDTH, "height": 4, "properties": {"title": "Alarms", "alarms": names}},
    ]
    rows = [_doors(watched), _servers(watched), _database(watched), _artifacts(bucket)]
    widgets = [_widget(graph, x * WIDTH // len(row), y, WIDTH // len(row), region) for y, row in enumerate(rows) for x, graph in enumerate(row)]
    return {"widgets": [*head, *widgets]}


def _widget(graph: Graph, x: int, row: int, width: int, region: str) -> Document:
    lines = [[namespace, name, *(part for pair in dimensions.items() for part in pair), {"stat": stat}] for namespace, name, dimensions, stat in graph.metrics]
    properties = {"title": graph.title, "region": region, "view": "timeSeries", "period": graph.period, "metrics": lines}
    return {"type": "metric", "x": x, "y": 6 + row * HEIGHT, "width": width, "height": HEIGHT, "properties": properties}


def _doors(watched: Watched) -> list[Graph]:
    people = {"LoadBalancer": load_balancer_dimension(watched.load_balancers["people"])}
    target = {**people, "TargetGroup": target_group_dimension(watched.target_groups["people"])}
    api, elb, gateway = {"ApiId": watched.api_id}, "AWS/ApplicationELB", "AWS/ApiGateway"
    return [
        Graph("Load balancer: requests", [(elb, "RequestCount", people, "Sum"), (elb, "HTTPCode_Target_5XX_Count", target, "Sum")]),
        Graph("Load balancer: seconds", [(elb, "TargetResponseTime", target, stat) for stat in ("p50", "p99")]),
        Graph("API: requests", [(gateway, name, api, "Sum") for name in ("Count", "4xx", "5xx")]),
        Graph("API: milliseconds", [(gateway, "Latency", api, stat) for stat in ("p50", "p99")]),
    ]


def _servers(watched: Watched) -> list[Graph]:
    groups = {door: load_balancer_dimension(arn) for door, arn in watched.load_balancers.items()}
    healthy = [
        ("AWS/ApplicationELB", "HealthyHostCount", {"LoadBalancer": name, "TargetGroup": target_group_dimension(watched.target_groups[door])}, "Maximum")
        for door, name in groups.items()
    ]
    return [
        Graph("Servers: healthy", healthy, 60),
        Graph("Servers: tasks", [("AWS/ECS", "CPUUtilization", watched.service, "SampleCount")], 60),
        Graph("Servers: CPU and memory in percent", [("AWS/ECS", name, watched.service, "Average") for name in ("CPUUtilization", "MemoryUtilization")]),
    ]


def _database(watched: Watched) -> list[Graph]:
    cluster = {"DBClusterIdentifier": watched.stack}
    return [
        Graph("Database: ACU", [("AWS/RDS", "ServerlessDatabaseCapacity", cluster, "Average")]),
        Graph("Database: percent", [("AWS/RDS", name, cluster, "Average") for name in ("ACUUtilization", "CPUUtilization")]),
        Graph("Database: connections", [("AWS/RDS", "DatabaseConnections", cluster, "Maximum")]),
    ]


def _artifacts(bucket: str) -> list[Graph]:
    """What S3 measures once a day."""
    storage = ("AWS/S3", "BucketSizeBytes", {"BucketName": bucket, "StorageType": "StandardStorage"}, "Average")
    return [
        Graph(
            "Artifacts: bytes", [storage, ("AWS/S3", "BucketSizeBytes", {"BucketName": bucket, "StorageType": "IntelligentTieringFAStorage"}, "Average")], 86400
        ),
        Graph("Artifacts: objects", [("AWS/S3", "NumberOfObjects", {"BucketName": bucket, "StorageType": "AllStorageTypes"}, "Average")], 86400),
    ]

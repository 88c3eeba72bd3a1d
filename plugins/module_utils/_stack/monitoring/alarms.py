# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the alarms of a stack, as a table. Pure.

Each is silent where servers are scaled to none and the database sleeps: ``asleep`` says what its metric is then, and
``tests/unit/test_alarms.py`` evaluates it as CloudWatch does. Metrics are those that AWS publishes without further settings, except where the
servers' cluster has Container Insights.
"""

from __future__ import annotations

import typing as t

Dimensions = dict[str, str]
Document = dict[str, t.Any]

MISSING, ZERO, STEADY = "missing", "zero", "steady"
"""What a metric is at night: CloudWatch gets none, or 0, or what it gets by day."""
BELOW = "LessThanThreshold"
DEPLOYMENT = ("people-errors", "api-errors")
"""Those that end a deployment, which ECS then takes back."""
EVENTS_NAMESPACE = "MLflow"
"""Of the metrics that the stack makes of its logs."""
_MAX_CONNECTIONS = {
    "aurora-mysql": {1: 90, 4: 135, 8: 1000, 16: 2000, 32: 3000, 64: 4000, 128: 5000, 192: 6000},
    "aurora-postgresql": {1: 189, 4: 823, 8: 1669, 16: 3360, 32: 5000},
}
"""By the maximum capacity in ACU: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html"""
_MAX_CONNECTIONS_OF_ONE_THAT_PAUSES = {"aurora-postgresql": 2000}
"""With a minimum capacity of 0 or 0.5 ACU."""


class Metric(t.NamedTuple):
    namespace: str
    name: str
    statistic: str
    dimensions: Dimensions
    asleep: str = MISSING


class Alarm(t.NamedTuple):
    """A row of the table. It is in alarm while ``datapoints`` of the last ``of`` are beyond the threshold; missing ones are not, or change nothing."""

    name: str
    why: str
    metrics: dict[str, Metric]
    threshold: float
    comparison: str = "GreaterThanOrEqualToThreshold"
    expression: str = ""
    period: int = 60
    datapoints: int = 3
    of: int = 5
    missing: str = "notBreaching"

    def option(self, prefix: str) -> Document:
        """As the module takes it."""
        return {
            "name": f"{prefix}{self.name}",
            "description": self.why,
            "metrics": {
                identifier: {"namespace": metric.namespace, "name": metric.name, "statistic": metric.statistic, "dimensions": metric.dimensions}
                for identifier, metric in self.metrics.items()
            },
            "expression": self.expression,
            "period": self.period,
            "threshold": self.threshold,
            "comparison": self.comparison,
            "evaluation_periods": self.of,
            "datapoints_to_alarm": self.datapoints,
            "treat_missing_data": self.missing,
        }


class Watched(t.NamedTuple):
    """What the alarms of a stack are about: names and ARNs in AWS, and the inputs that decide what is normal."""

    stack: str
    """Of the cluster of ECS, the service, and the cluster of the database."""
    load_balancers: dict[str, str]
    """The ARN of that for ``people``, and, if it is another one, of that for ``programs``."""
    target_groups: dict[str, str]
    api_id: str
    authorizer: str
    """The name of the Lambda function; empty where there is none."""
    certificates: dict[str, str]
    rule: str
    """The rule of EventBridge that fits tasks that stop by themselves; empty where nobody is notified."""
    container_insights: bool
    capacities: tuple[int, ...]
    """All minimum and maximum numbers of tasks that there ever are."""
    minimum_capacities: tuple[int, ...]
    engine: str
    database_capacities: tuple[float, float]
    """The minimum and the maximum, in ACU."""

    @property
    def sleeps(self) -> bool:
        """Whether there are times without any server."""
        return min(self.capacities) == 0

    @property
    def service(self) -> Dimensions:
        return {"ClusterName": self.stack, "ServiceName": self.stack}

    @property
    def tasks(self) -> Metric:
        """The number of tasks that run, without Container Insights: each is a sample."""
        return Metric("AWS/ECS", "CPUUtilization", "SampleCount", self.service)


def max_connections(engine: str, minimum: float, maximum: float) -> int:
    """The connections that a Serverless v2 instance takes at most.

    >>> [max_connections("aurora-mysql", 1, acu) for acu in (1, 3.5, 16, 256)]
    [90, 90, 2000, 6000]
    >>> max_connections("aurora-postgresql", 0, 64)
    2000
    """
    limit = next(connections for acu, connections in reversed(_MAX_CONNECTIONS[engine].items()) if acu <= maximum)
    return min(limit, _MAX_CONNECTIONS_OF_ONE_THAT_PAUSES.get(engine, limit)) if minimum < 1 else limit


def alarms(watched: Watched) -> list[Alarm]:
    """The table."""
    return [*_doors(watched), *_servers(watched), *_database(watched), *_access(watched)]


def _doors(watched: Watched) -> t.Iterator[Alarm]:
    for door, arn in watched.load_balancers.items():
        load_balancer = {"LoadBalancer": load_balancer_dimension(arn)}
        both = {**load_balancer, "TargetGroup": target_group_dimension(watched.target_groups[door])}
        yield Alarm(
            f"{door}-errors", f"MLflow answers {door} with errors (5xx)", {"errors": Metric("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", both)}, 5
        )
        yield _unless_asleep(
            watched,
            f"{door}-load-balancer-errors",
            f"The load balancer itself answers {door} with errors (502, 503, 504): it gets no answer from MLflow",
            Metric("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum", load_balancer),
        )
        yield Alarm(
            f"{door}-no-healthy-server",
            f"No server that is there for {door} passes its health check",
            {"healthy": Metric("AWS/ApplicationELB", "HealthyHostCount", "Maximum", both)},
            1,
            BELOW,
            datapoints=5,
        )
    yield _unless_asleep(
        watched,
        "api-errors",
        "The API answers programs with errors (5xx): its own, the authorizer's or MLflow's",
        Metric("AWS/ApiGateway", "5xx", "Sum", {"ApiId": watched.api_id}),
    )


def _unless_asleep(watched: Watched, name: str, why: str, errors: Metric) -> Alarm:
    """Errors that there also are where somebody comes at a time without servers, which is then as it should be."""
    if not watched.sleeps:
        return Alarm(name, why, {"errors": errors}, 5)
    return Alarm(name, why, {"errors": errors, "tasks": watched.tasks}, 5, expression="errors * (tasks > 0)")


def _servers(watched: Watched) -> t.Iterator[Alarm]:
    lowest = min((capacity for capacity in watched.minimum_capacities if capacity), default=0)
    if watched.container_insights:
        counts = {name: Metric("ECS/ContainerInsights", metric, "Average", watched.service, ZERO) for name, metric in _COUNTS.items()}
        yield Alarm("few-tasks", _FEW_TASKS, counts, 1, expression="wanted - running", datapoints=15, of=15)
        storage = {name: Metric("ECS/ContainerInsights", metric, "Maximum", watched.service) for name, metric in _STORAGE.items()}
        why = "The disks of the servers are nearly full"
        yield Alarm("storage", why, storage, 80, expression="100 * used / reserved", period=300, datapoints=3, of=3)
    elif lowest > 1:  # one that is left shows no number, so that fewer than one is seen by others alone
        yield Alarm("few-tasks", _FEW_TASKS, {"running": watched.tasks}, lowest, BELOW, datapoints=15, of=15)
    for name, metric, threshold in (("cpu", "CPUUtilization", 95), ("memory", "MemoryUtilization", 90)):
        why = f"The servers are at the limit of their {'CPU' if name == 'cpu' else name}"
        yield Alarm(name, why, {name: Metric("AWS/ECS", metric, "Average", watched.service)}, threshold, datapoints=15, of=15)
    if watched.rule:
        why = "Tasks stop by themselves again and again: the e-mails about each say why"
        yield Alarm("tasks-keep-stopping", why, {"stopped": Metric("AWS/Events", "TriggeredRules", "Sum", {"RuleName": watched.rule})}, 3, period=900, **_ONCE)


_FEW_TASKS = "Fewer servers run than there should be"
_COUNTS = {"wanted": "DesiredTaskCount", "running": "RunningTaskCount"}
_STORAGE = {"used": "EphemeralStorageUtilized", "reserved": "EphemeralStorageReserved"}
_ONCE: t.Any = {"datapoints": 1, "of": 1}


def _database(watched: Watched) -> t.Iterator[Alarm]:
    cluster = {"DBClusterIdentifier": watched.stack}
    yield Alarm(
        "database-capacity",
        "The database is at its maximum capacity, and busy: raise mlflow_database_max_capacity",
        {
            # One whose minimum is its maximum is always at 100 percent of its capacity.
            "capacity": Metric("AWS/RDS", "ACUUtilization", "Average", cluster, ZERO),
            "cpu": Metric("AWS/RDS", "CPUUtilization", "Average", cluster, ZERO),
        },
        80,
        expression="cpu * (capacity >= 95)",
        period=300,
        datapoints=3,
        of=3,
    )
    limit = max_connections(watched.engine, *watched.database_capacities)
    yield Alarm(
        "database-connections",
        f"The database is near the limit of its connections ({limit}): raise mlflow_database_max_capacity, or lower mlflow_service_workers",
        {"connections": Metric("AWS/RDS", "DatabaseConnections", "Maximum", cluster, ZERO)},
        int(limit * 0.8),
        period=300,
        datapoints=3,
        of=3,
    )


def _access(watched: Watched) -> t.Iterator[Alarm]:
    if watched.authorizer:
        function = {"FunctionName": watched.authorizer}
        yield Alarm("authorizer-errors", "The authorizer of the API fails", {"errors": Metric("AWS/Lambda", "Errors", "Sum", function)}, 5)
        why = "AWS Lambda refuses to run the authorizer of the API: too many run at once"
        yield Alarm("authorizer-throttles", why, {"throttles": Metric("AWS/Lambda", "Throttles", "Sum", function)}, 1)
    refused = Metric(EVENTS_NAMESPACE, f"{watched.stack}/refused", "Sum", {})
    yield Alarm("programs-refused", "Many requests of programs are refused (401, 403)", {"refused": refused}, 100, period=300, **_ONCE)
    people = {"LoadBalancer": load_balancer_dimension(watched.load_balancers["people"])}
    failures = Metric("AWS/ApplicationELB", "ELBAuthFailure", "Sum", people)
    yield Alarm("people-refused", "Many people fail to sign in", {"failures": failures}, 50, period=300, **_ONCE)
    for door, arn in watched.certificates.items():
        days = Metric("AWS/CertificateManager", "DaysToExpiry", "Minimum", {"CertificateArn": arn}, STEADY)
        why = f"The certificate for {door} expires in less than 30 days"
        yield Alarm(f"{door}-certificate", why, {"days": days}, 30, BELOW, period=86400, **_ONCE, missing="ignore")  # ACM tells no days of one that has


def load_balancer_dimension(arn: str) -> str:
    """
    >>> load_balancer_dimension("arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/x/50dc6c495c0c9188")
    'app/x/50dc6c495c0c9188'
    """
    return arn.partition(":loadbalancer/")[2] or arn  # which a plan may not know yet


def target_group_dimension(arn: str) -> str:
    """
    >>> target_group_dimension("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/x/73e2d6bc24d8a067")
    'targetgroup/x/73e2d6bc24d8a067'
    """
    return arn.rpartition(":")[2]

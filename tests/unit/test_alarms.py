# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alarms of a stack: metrics that AWS publishes, and no alarm about what is as it should be.

What each metric says at night is on record in ``asleep``; how CloudWatch evaluates it is in ``state``, after
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import operator
import re

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.filter.stack_monitoring import stack_monitoring
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.monitoring.account_dashboard import FOUND, account_dashboard
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.monitoring.alarms import (
    DEPLOYMENT,
    MISSING,
    STEADY,
    ZERO,
    Alarm,
    Watched,
    alarms,
    max_connections,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.monitoring.dashboard import dashboard

ELB = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
WATCHED = Watched(
    stack="x",
    load_balancers={"people": f"{ELB}loadbalancer/app/x/1"},
    target_groups={"people": f"{ELB}targetgroup/x/2"},
    api_id="a",
    authorizer="x-authorizer",
    certificates={"people": "arn:1", "programs": "arn:2"},
    rule="x-stopped-tasks",
    container_insights=False,
    capacities=(2, 2),
    minimum_capacities=(2,),
    engine="aurora-mysql",
    database_capacities=(0, 1),
)
INTERNET_FACING = WATCHED._replace(
    load_balancers={**WATCHED.load_balancers, "programs": f"{ELB}loadbalancer/app/x-api/3"},
    target_groups={**WATCHED.target_groups, "programs": f"{ELB}targetgroup/x-api/4"},
)
SLEEPING = WATCHED._replace(capacities=(2, 2, 0, 0, 2, 2), minimum_capacities=(2, 0, 2))
STACKS = {
    "default": WATCHED,
    "internet-facing": INTERNET_FACING,
    "sleeping": SLEEPING,
    "sleeping, insights": SLEEPING._replace(container_insights=True),
    "insights": WATCHED._replace(container_insights=True),
    "nobody notified": WATCHED._replace(rule="", authorizer=""),
    "postgresql": WATCHED._replace(engine="aurora-postgresql", database_capacities=(2, 32)),
}
PUBLISHED: dict[str, dict[str, set[frozenset[str]]]] = {
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
    "AWS/ApplicationELB": {
        **{name: {frozenset({"LoadBalancer"})} for name in ("HTTPCode_ELB_5XX_Count", "ELBAuthFailure", "RequestCount")},
        **{name: {frozenset({"LoadBalancer", "TargetGroup"})} for name in ("HTTPCode_Target_5XX_Count", "HealthyHostCount", "TargetResponseTime")},
    },
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    "AWS/ApiGateway": {name: {frozenset({"ApiId"})} for name in ("4xx", "5xx", "Count", "Latency")},
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
    "AWS/ECS": {name: {frozenset({"ClusterName", "ServiceName"})} for name in ("CPUUtilization", "MemoryUtilization")},
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html
    "ECS/ContainerInsights": {
        name: {frozenset({"ClusterName", "ServiceName"})}
        for name in ("DesiredTaskCount", "RunningTaskCount", "EphemeralStorageUtilized", "EphemeralStorageReserved")
    },
    # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html
    "AWS/RDS": {
        name: {frozenset({"DBClusterIdentifier"})} for name in ("ACUUtilization", "CPUUtilization", "DatabaseConnections", "ServerlessDatabaseCapacity")
    },
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": {name: {frozenset({"FunctionName"})} for name in ("Errors", "Throttles")},
    # https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html
    "AWS/CertificateManager": {"DaysToExpiry": {frozenset({"CertificateArn"})}},
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    "AWS/Events": {"TriggeredRules": {frozenset({"RuleName"})}},
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
    "AWS/S3": {name: {frozenset({"BucketName", "StorageType"})} for name in ("BucketSizeBytes", "NumberOfObjects")},
}
"""What AWS publishes of what the alarms and the dashboard look at, each metric with the sets of dimensions under which it does.

Held against the directory of CloudWatch's console in AWS's npm package @aws-cdk/aws-service-spec 0.1.216, which has them all but those of Container
Insights and of ACM, and the capacity of a cluster; AWS's CDK has that (``DatabaseCluster.metricServerlessDatabaseCapacity``), and the days of a
certificate (``Certificate.metricDaysToExpiry``).
"""

Values = list[float | None]
COMPARISONS = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def calculate(expression: str, series: dict[str, Values]) -> Values:
    """Metric math: where a metric that is used has no datapoint, the result has none."""
    used = [name for name in series if re.search(rf"\b{name}\b", expression)]
    result: Values = []
    for values in zip(*(series[name] for name in used), strict=True):
        result.append(None if None in values else float(eval(expression, {}, dict(zip(used, values, strict=True)))))
    return result


def state(alarm: Alarm, series: dict[str, Values]) -> str:
    """The state of an alarm after the last of the datapoints, as many as it looks at."""
    values = calculate(alarm.expression or next(iter(series)), series)
    compare = COMPARISONS[alarm.comparison]
    beyond = sum(value is not None and compare(value, alarm.threshold) for value in values[-alarm.of :])  # those that are missing are not
    return "ALARM" if beyond >= alarm.datapoints else "OK"


def constant(alarm: Alarm, values: dict[str, float | None]) -> dict[str, Values]:
    return {name: [values[name]] * alarm.of for name in alarm.metrics}


def rows(stack: str) -> dict[str, Alarm]:
    return {alarm.name: alarm for alarm in alarms(STACKS[stack])}


@pytest.mark.parametrize("stack", STACKS)
def test_aws_publishes_each_metric_under_these_dimensions(stack: str) -> None:
    for alarm in alarms(STACKS[stack]):
        for metric in alarm.metrics.values():
            if metric.namespace != "MLflow":  # which the metric filter publishes
                assert frozenset(metric.dimensions) in PUBLISHED[metric.namespace][metric.name], alarm.name
            assert all(metric.dimensions.values()), alarm.name


@pytest.mark.parametrize("stack", STACKS)
def test_each_alarm_can_be_made(stack: str) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
    listed = alarms(STACKS[stack])
    assert len({alarm.name for alarm in listed}) == len(listed) and set(DEPLOYMENT) <= {alarm.name for alarm in listed}
    for alarm in listed:
        assert 1 <= alarm.datapoints <= alarm.of and alarm.period % 60 == 0 and alarm.period * alarm.of <= 86400, alarm.name
        assert all(re.fullmatch("[a-z][a-zA-Z0-9_]*", name) for name in alarm.metrics)
        assert bool(alarm.expression) == (len(alarm.metrics) > 1), alarm.name
        assert alarm.why and len(alarm.option("x/")["description"]) <= 1024


@pytest.mark.parametrize("stack", STACKS)
def test_no_alarm_at_night(stack: str) -> None:
    """Servers are scaled to none, and the database is paused: what each metric says then is in the table."""
    silent = {MISSING: None, ZERO: 0.0, STEADY: 60.0}
    for alarm in alarms(STACKS[stack]):
        assert state(alarm, constant(alarm, {name: silent[metric.asleep] for name, metric in alarm.metrics.items()})) == "OK", alarm.name


@pytest.mark.parametrize("stack", ["sleeping", "sleeping, insights"])
def test_no_alarm_where_somebody_comes_at_night(stack: str) -> None:
    """The load balancer answers him with 503, and so does the API."""
    for name in ("people-load-balancer-errors", "api-errors"):
        alarm = rows(stack)[name]
        assert state(alarm, constant(alarm, {"errors": 100, "tasks": None})) == "OK"
        assert state(alarm, constant(alarm, {"errors": 100, "tasks": 2})) == "ALARM"


def test_an_outage_is_told_where_servers_never_sleep() -> None:
    for name in ("people-load-balancer-errors", "api-errors", "people-errors"):
        alarm = rows("default")[name]
        assert state(alarm, constant(alarm, {"errors": 100})) == "ALARM"


@pytest.mark.parametrize(
    ("stack", "name", "values"),
    [
        ("default", "few-tasks", {"running": 1}),
        ("insights", "few-tasks", {"wanted": 2, "running": 1}),
        ("insights", "few-tasks", {"wanted": 2, "running": 0}),
        ("insights", "storage", {"used": 17, "reserved": 21}),
        ("default", "cpu", {"cpu": 99}),
        ("default", "memory", {"memory": 95}),
        ("default", "people-no-healthy-server", {"healthy": 0}),
        ("internet-facing", "programs-no-healthy-server", {"healthy": 0}),
        ("default", "database-capacity", {"capacity": 100, "cpu": 90}),
        ("default", "database-connections", {"connections": 80}),
        ("default", "authorizer-errors", {"errors": 5}),
        ("default", "authorizer-throttles", {"throttles": 1}),
        ("default", "programs-refused", {"refused": 500}),
        ("default", "people-refused", {"failures": 60}),
        ("default", "people-certificate", {"days": 29}),
        ("default", "programs-certificate", {"days": 3}),
        ("default", "tasks-keep-stopping", {"stopped": 3}),
    ],
)
def test_what_is_wrong_is_told(stack: str, name: str, values: dict[str, float | None]) -> None:
    alarm = rows(stack)[name]
    assert state(alarm, constant(alarm, values)) == "ALARM"


@pytest.mark.parametrize(
    ("stack", "name", "values"),
    [
        ("default", "database-capacity", {"capacity": 100, "cpu": 30}),  # its minimum is its maximum
        ("default", "database-capacity", {"capacity": 60, "cpu": 100}),
        ("default", "database-connections", {"connections": 40}),  # two servers with four workers each
        ("default", "few-tasks", {"running": 2}),
        ("insights", "few-tasks", {"wanted": 2, "running": 4}),  # in a deployment
        ("default", "people-no-healthy-server", {"healthy": 1}),
        ("default", "people-certificate", {"days": 60}),  # when ACM begins to renew it
    ],
)
def test_what_is_as_it_should_be_is_not_told(stack: str, name: str, values: dict[str, float | None]) -> None:
    alarm = rows(stack)[name]
    assert state(alarm, constant(alarm, values)) == "OK"


def test_one_bad_minute_is_no_alarm() -> None:
    """Such as that in which a paused database wakes up."""
    for alarm in rows("default").values():
        if alarm.period == 60 and alarm.name.endswith("errors"):
            assert state(alarm, {"errors": [None, 100, None, None, None]}) == "OK", alarm.name


def test_a_service_of_one_task_has_no_alarm_about_the_number_of_tasks_without_container_insights() -> None:
    one = [alarm.name for alarm in alarms(WATCHED._replace(capacities=(1, 1), minimum_capacities=(1,)))]
    assert "few-tasks" not in one and "few-tasks" in rows("default")


def test_every_kind_of_alarm_is_tried() -> None:
    named = {alarm.name for stack in STACKS.values() for alarm in alarms(stack)}
    assert named >= {"people-errors", "people-load-balancer-errors", "programs-load-balancer-errors", "api-errors"} and len(named) == 20


@pytest.mark.parametrize(
    ("engine", "minimum", "maximum", "expected"),
    [
        ("aurora-mysql", 0, 1, 90),
        ("aurora-mysql", 0.5, 2.5, 90),
        ("aurora-mysql", 1, 8, 1000),
        ("aurora-mysql", 1, 256, 6000),
        ("aurora-postgresql", 1, 1, 189),
        ("aurora-postgresql", 0.5, 64, 2000),
        ("aurora-postgresql", 1, 64, 5000),
    ],
)
def test_connections(engine: str, minimum: float, maximum: float, expected: int) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html"""
    assert max_connections(engine, minimum, maximum) == expected


@pytest.mark.parametrize("stack", STACKS)
def test_the_dashboard_shows_all_alarms_and_nothing_twice(stack: str) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"""
    watched = STACKS[stack]
    body = dashboard(watched, "bucket", "x/", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:", "eu-west-1", {"MLflow": "https://mlflow.example.com"})
    taken: set[tuple[int, int]] = set()
    for widget in body["widgets"]:
        place = {(x, y) for x in range(widget["x"], widget["x"] + widget["width"]) for y in range(widget["y"], widget["y"] + widget["height"])}
        assert not place & taken and max(x for x, _y in place) < 24
        taken |= place
        for line in widget["properties"].get("metrics", []):
            *names, options = line
            assert len(names) % 2 == 0 and all(isinstance(name, str) and name for name in names) and options["stat"]
            assert frozenset(names[2::2]) in PUBLISHED[names[0]][names[1]]
    (shown,) = (widget["properties"]["alarms"] for widget in body["widgets"] if widget["type"] == "alarm")
    assert [arn.rpartition("/")[2] for arn in shown] == [alarm.name for alarm in alarms(watched)]


def test_the_dashboard_over_all_stacks_finds_them_by_their_tags() -> None:
    body = account_dashboard("eu-west-1", "https://cost.example.com")
    of_kind = {
        "AWS::ElasticLoadBalancingV2::LoadBalancer/ApplicationELB": "AWS/ApplicationELB",
        "AWS::Lambda::Function": "AWS/Lambda",
        "AWS::RDS::DBInstance": "AWS/RDS",
        "AWS::S3::Bucket": "AWS/S3",
    }
    places = [(widget["y"], widget["y"] + widget["height"]) for widget in body["widgets"]]
    assert all(end == begin for (_begin, end), (begin, _end) in zip(places, places[1:], strict=False))
    explorers = [widget["properties"] for widget in body["widgets"] if widget["type"] == "explorer"]
    assert len(explorers) == len(FOUND)
    for properties in explorers:
        assert properties["labels"] == [{"key": "managed-by", "value": "mlplatform.mlflow_aws"}] and properties["aggregateBy"]["key"] == "mlflow-stack"
        (kind,) = {metric["resourceType"] for metric in properties["metrics"]}
        assert {metric["metricName"] for metric in properties["metrics"]} <= PUBLISHED[of_kind[kind]].keys() | {"Invocations"}


def test_an_expired_certificate_stays_told() -> None:
    """ACM publishes no days any more: https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html"""
    assert rows("default")["people-certificate"].option("x/")["treat_missing_data"] == "ignore"
    assert {alarm.missing for alarm in rows("default").values() if not alarm.name.endswith("certificate")} == {"notBreaching"}


def test_numbers_may_be_text() -> None:
    """What the command line gives."""
    given = {**SLEEPING._asdict(), "capacities": ["2", 2, 0], "minimum_capacities": ["2", 0], "database_capacities": ["0", "1"]}
    found = stack_monitoring(given, prefix="x/", arn_prefix="arn:", region="eu-west-1", bucket="b", links={"MLflow": ""})
    assert [alarm["name"] for alarm in found["alarms"]] == [f"x/{alarm.name}" for alarm in alarms(SLEEPING)]
    assert "tasks > 0" in next(alarm["expression"] for alarm in found["alarms"] if alarm["name"] == "x/api-errors")


def test_a_plan_of_a_new_stack_names_what_is_not_known_yet() -> None:
    unknown = WATCHED._replace(load_balancers={"people": UNKNOWN}, target_groups={"people": UNKNOWN}, api_id=UNKNOWN)
    dimensions = {value for alarm in alarms(unknown) for metric in alarm.metrics.values() for value in metric.dimensions.values()}
    assert UNKNOWN in dimensions and "" not in dimensions

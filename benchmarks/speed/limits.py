# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's documented limits on the rate of API calls, per account and region, as far as a stack can come near them.

Where an operation is not here, AWS documents no limit (IAM, S3, Application Auto Scaling), or one that is far away (Secrets
Manager reads 10,000 a second, STS 600).
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

DOCS = "https://docs.aws.amazon.com"
FAR_AWAY = 300
"""Stacks a minute: a limit that allows more is not shown."""


class Limit(NamedTuple):
    """A bucket: so many calls of the operations together pass a second, and after a pause ``burst`` at once."""

    service: str
    operations: str
    """Patterns with | between them."""
    rate: float
    burst: float
    source: str

    def counts(self, operation: str) -> bool:
        """Whether an operation such as ``ecs:ListClusters`` takes from this bucket."""
        service, _colon, name = operation.partition(":")
        return service == self.service and any(fnmatchcase(name, pattern) for pattern in self.operations.split("|"))

    def of(self, operations: Mapping[str, int]) -> int:
        """How many of these calls take from this bucket."""
        return sum(count for operation, count in operations.items() if self.counts(operation))


_GATEWAY = f"{DOCS}/apigateway/latest/developerguide/limits.html"
_ECS = f"{DOCS}/AmazonECS/latest/APIReference/request-throttling.html"
_EC2 = f"{DOCS}/ec2/latest/devguide/ec2-api-throttling.html"
_LOGS = f"{DOCS}/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"
_LAMBDA = f"{DOCS}/lambda/latest/dg/gettingstarted-limits.html"

LIMITS = (
    Limit("apigatewayv2", "CreateDomainName", 1 / 30, 1, _GATEWAY),
    Limit("apigatewayv2", "DeleteDomainName", 1 / 30, 1, _GATEWAY),
    Limit("apigatewayv2", "DeleteVpcLink", 1 / 30, 1, _GATEWAY),
    Limit("apigatewayv2", "CreateVpcLink", 1 / 15, 1, _GATEWAY),
    Limit("apigatewayv2", "*", 10, 40, _GATEWAY),
    Limit("route53", "*", 5, 5, f"{DOCS}/Route53/latest/DeveloperGuide/DNSLimitations.html"),
    Limit("rds", "*", 12, 300, f"{DOCS}/AmazonRDS/latest/UserGuide/rds-api-throttling.html"),
    Limit("elbv2", "Describe*", 10, 40, f"{DOCS}/elasticloadbalancing/latest/userguide/elb-api-throttling.html"),
    Limit("ecs", "DescribeClusters|ListClusters", 20, 50, _ECS),
    Limit("ecs", "CreateCluster|DeleteCluster|UpdateCluster*|PutClusterCapacityProviders", 1, 20, _ECS),
    Limit("ecs", "DescribeTaskDefinition|ListTaskDefinition*", 20, 50, _ECS),
    Limit("ecs", "RegisterTaskDefinition|DeregisterTaskDefinition", 1, 20, _ECS),
    Limit("ecs", "DeleteTaskDefinitions", 1, 5, _ECS),
    Limit("ecs", "DescribeServices|ListServices", 20, 100, _ECS),
    Limit("ecs", "CreateService|DeleteService|UpdateService", 5, 50, _ECS),
    Limit("ecs", "DescribeTasks|ListTasks", 20, 100, _ECS),
    Limit("ecs", "ListTagsForResource", 20, 50, _ECS),
    Limit("ec2", "DescribeSecurityGroups", 20, 100, _EC2),
    Limit("ec2", "DescribeSecurityGroupRules", 20, 100, _EC2),
    Limit("ec2", "DescribeSubnets", 20, 100, _EC2),
    Limit("ec2", "CreateSecurityGroup", 5, 50, _EC2),
    Limit("ec2", "AuthorizeSecurityGroupIngress", 5, 50, _EC2),
    Limit("ec2", "AuthorizeSecurityGroupEgress", 5, 50, _EC2),
    Limit("ec2", "DeleteSecurityGroup", 5, 50, _EC2),
    Limit("logs", "DescribeLogGroups", 10, 10, _LOGS),
    Limit("logs", "ListTagsForResource", 5, 5, _LOGS),
    Limit("logs", "CreateLogGroup", 10, 10, _LOGS),
    Limit("logs", "PutRetentionPolicy", 5, 5, _LOGS),
    Limit("logs", "DeleteLogGroup", 10, 10, _LOGS),
    Limit("lambda", "Create*|Update*|Delete*|Add*|Remove*|List*|Tag*|Untag*|GetFunctionConfiguration", 15, 15, _LAMBDA),
    Limit("acm", "DescribeCertificate", 10, 10, f"{DOCS}/acm/latest/userguide/acm-limits.html"),
)

_ERRORS = {
    "apigatewayv2": {"code": "TooManyRequestsException", "status": 429},
    "ec2": {"code": "RequestLimitExceeded", "status": 503},
    "lambda": {"code": "TooManyRequestsException", "status": 429},
    "route53": {"code": "Throttling", "status": 400},
}


def faults() -> list[dict[str, Any]]:
    """The limits as rules for the embedded AWS, which then throttles as AWS does."""
    throttled = {"code": "ThrottlingException", "status": 400, "message": "Rate exceeded"}
    return [
        {"service": each.service, "operation": each.operations, "rate": each.rate, "burst": each.burst, "error": throttled | _ERRORS.get(each.service, {})}
        for each in LIMITS
    ]


def table(steps: Mapping[str, Mapping[str, int]]) -> str:
    """How many stacks a minute AWS allows in the long run, given the calls of one stack in each step: the fewest first."""
    found = []
    for limit in LIMITS:
        calls = [limit.of(operations) for operations in steps.values()]
        if any(calls) and (fewest := 60 * limit.rate / max(calls)) <= FAR_AWAY:
            operations = limit.operations.replace("|", ", ") if limit.operations != "*" else "all"
            cells = f"[{limit.service}]({limit.source})", operations, _rate(limit), *(_allowed(limit, n) for n in calls)
            found.append((fewest, f"| {' | '.join(cells)} |"))
    head = ["service", "calls", "AWS allows", *(f"{step}: calls, stacks a minute" for step in steps)]
    rows = [row for _fewest, row in sorted(found, key=lambda each: each[0])]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows])


def _rate(limit: Limit) -> str:
    rate = f"{limit.rate:g} a second" if limit.rate >= 1 else f"1 in {1 / limit.rate:.0f} s"
    return rate if limit.burst <= max(limit.rate, 1) else f"{rate}, {limit.burst:g} at once"


def _allowed(limit: Limit, calls: int) -> str:
    return f"{calls}: {60 * limit.rate / calls:.0f}" if calls else ""

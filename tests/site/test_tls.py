# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS between the load balancer and the servers. The protocol of a target group cannot be changed, so another takes its place, there and back,
while the rules of the load balancer always forward to servers that are healthy.
"""

from __future__ import annotations

import pytest
from embedded_aws.client import EmbeddedAWS
from support.plans import deviations
from support.stack import Stack, prerequisites

NAME = "mlflow-team-x"
MOMENT = {kind: 0.3 for kind in ("rds", "elb", "vpclink", "ecs")}
"""Seconds that AWS takes, so that a service is not at once what it is to be."""


@pytest.fixture(scope="module")
def stack(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    aws_server.creation_seconds(**MOMENT)
    stack.apply()
    return stack


def unserved(aws: EmbeddedAWS) -> list[str]:
    """The rules whose requests would go to a target group without healthy servers."""
    elb = aws.client("elbv2")
    (balancer,) = elb.describe_load_balancers(Names=[NAME])["LoadBalancers"]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    rules = [rule for each in listeners for rule in elb.describe_rules(ListenerArn=each["ListenerArn"])["Rules"]]
    groups = [
        (rule["RuleArn"], group["TargetGroupArn"])
        for rule in rules
        for action in rule["Actions"]
        for group in action.get("ForwardConfig", {}).get("TargetGroups", ())
        if group.get("Weight", 1)
    ]
    assert len(groups) == 3
    return [rule for rule, group in groups if not elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]]


def target_groups(aws: EmbeddedAWS) -> dict[str, str]:
    groups = aws.client("elbv2").describe_target_groups()["TargetGroups"]
    assert all(group["Protocol"] == group["HealthCheckProtocol"] for group in groups)
    return {group["TargetGroupName"]: group["Protocol"] for group in groups}


CHANGE_OVER = [
    *("CreateTargetGroup", "ModifyTargetGroupAttributes", "ModifyRule", "ModifyRule", "ModifyRule"),  # forward to both
    *("RegisterTaskDefinition", "UpdateService", "ModifyRule", "ModifyRule", "ModifyRule", "UpdateService"),  # both have servers, one, the other
    *("AddTags", "ModifyRule", "ModifyRule", "ModifyRule", "DeleteTargetGroup", "RemoveTags"),
]


@pytest.mark.parametrize(("tls", "groups"), [(True, {f"{NAME}-tls": "HTTPS"}), (False, {NAME: "HTTP"})])
def test_the_servers_change_over_and_every_request_is_served(stack: Stack, tls: bool, groups: dict[str, str]) -> None:
    stack.aws.take_snapshots()
    planned, run = stack.plan_and_apply(mlflow_service_tls=tls)
    assert deviations(planned, run.changes) == []
    assert [call["operation"] for call in run.calls if call["mutating"] and call["service"] in ("elbv2", "ecs")] == CHANGE_OVER
    snapshots = stack.aws.snapshots()
    assert len(snapshots) > len(CHANGE_OVER)
    for snapshot in snapshots:
        with snapshot:
            assert unserved(snapshot) == [], snapshot
    assert target_groups(stack.aws) == groups
    assert stack.run("site").changed == 0
    assert stack.run("verify").status == 0


def test_a_first_deployment_and_a_removal(stack: Stack) -> None:
    """Without a target group of plain HTTP, and with none left."""
    stack.destroy()
    planned, run = stack.plan_and_apply(mlflow_service_tls=True)
    assert deviations(planned, run.changes) == []
    assert target_groups(stack.aws) == {f"{NAME}-tls": "HTTPS"}
    assert stack.run("site").changed == 0
    stack.destroy()
    assert target_groups(stack.aws) == {}
    assert stack.destroy().changed == 0

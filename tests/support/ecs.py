# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest service of ECS that there can be."""

from __future__ import annotations

import typing as t

from embedded_aws.client import EmbeddedAWS


def smallest_service(aws: EmbeddedAWS) -> dict[str, t.Any]:
    """The options of ``ecs_service`` for a service ``x`` in a cluster ``x``, once all that it needs is there."""
    ec2, ecs = aws.client("ec2"), aws.client("ecs")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="x", Description="x", VpcId=vpc)["GroupId"]
    ecs.create_cluster(clusterName="x", capacityProviders=["FARGATE", "FARGATE_SPOT"])
    task = ecs.register_task_definition(
        family="x",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "c", "image": "i", "memory": 128}],
    )["taskDefinition"]["taskDefinitionArn"]
    return {"name": "x", "cluster": "x", "task_definition": task, "desired_count": 2, "subnets": [subnet], "security_groups": [group]}

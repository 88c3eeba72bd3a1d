# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared subnets of the embedded AWS behave as AWS documents: "Responsibilities and permissions for owners and participants", VPC User Guide."""

from __future__ import annotations

from embedded.helpers import refused
from embedded_aws.client import EmbeddedAWS
from support.stack import shared_network


def test_a_participant_uses_shared_subnets_and_does_not_see_what_is_the_owners(aws: EmbeddedAWS) -> None:
    ec2, network = aws.client("ec2"), shared_network(aws)
    vpc, subnets = network["mlflow_vpc_id"], network["mlflow_service_subnet_ids"]
    shown = ec2.describe_subnets(Filters=[{"Name": "subnet-id", "Values": subnets}])["Subnets"]
    assert {subnet["SubnetId"] for subnet in shown} == set(subnets) and {subnet["OwnerId"] for subnet in shown} == {"999999999999"}
    here = [{"Name": "vpc-id", "Values": [vpc]}]
    assert len(ec2.describe_subnets(Filters=here)["Subnets"]) == 9  # not the public ones
    tables = ec2.describe_route_tables(Filters=here)["RouteTables"]
    assert len(tables) == 3 and not any(each["Main"] for table in tables for each in table["Associations"])
    assert ec2.describe_nat_gateways(Filters=here)["NatGateways"] == []
    refused("UnauthorizedOperation", ec2.create_tags, Resources=subnets[:1], Tags=[{"Key": "team", "Value": "x"}])
    group = ec2.create_security_group(GroupName="one", Description="one", VpcId=vpc)["GroupId"]
    aws.client("elbv2").create_load_balancer(Name="b", Scheme="internal", Subnets=subnets, SecurityGroups=[group])
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)


def test_a_subnet_that_is_not_shared_is_not_there(aws: EmbeddedAWS) -> None:
    owner = aws.client_of("999999999999", "ec2")
    vpc = owner.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = owner.create_subnet(VpcId=vpc, CidrBlock="10.8.0.0/24")["Subnet"]["SubnetId"]
    refused("InvalidSubnetID.NotFound", aws.client("ec2").describe_subnets, SubnetIds=[subnet])

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2 of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import json
from typing import Any

from embedded.helpers import Balancer, Network, has, refused
from embedded_aws.client import REGION, EmbeddedAWS


def test_a_group_takes_as_many_rules_of_each_ip_version_as_the_quota_says(aws: EmbeddedAWS, network: Network) -> None:
    def authorize(first: int, last: int, version: str = "4") -> None:
        cidrs = {"IpRanges": [{"CidrIp": f"10.0.{n}.0/24"} for n in range(first, last)]}
        if version == "6":
            cidrs = {"Ipv6Ranges": [{"CidrIpv6": f"2001:db8:{n:x}::/48"} for n in range(first, last)]}
        rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **cidrs}
        aws.client("ec2").authorize_security_group_ingress(GroupId=network.group, IpPermissions=[rule])

    authorize(0, 60)
    authorize(0, 60, "6")
    refused("RulesPerSecurityGroupLimitExceeded", authorize, first=60, last=61)
    refused("RulesPerSecurityGroupLimitExceeded", authorize, first=60, last=61, version="6")
    aws.client("service-quotas").request_service_quota_increase(ServiceCode="vpc", QuotaCode="L-0EA8095F", DesiredValue=100)
    authorize(60, 100)


def test_security_groups(aws: EmbeddedAWS, network: Network) -> None:
    ec2 = aws.client("ec2")
    other = ec2.create_security_group(GroupName="two", Description="two", VpcId=network.vpc)["GroupId"]
    pair = {"GroupId": network.group, "Description": "from one"}
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [pair]}
    cidr = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    made = ec2.authorize_security_group_ingress(
        GroupId=other, IpPermissions=[permission, cidr], TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "a", "Value": "1"}]}]
    )["SecurityGroupRules"]
    assert len(made) == 2
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [other]}])["SecurityGroupRules"]
    (egress,) = [rule for rule in rules if rule["IsEgress"]]
    has(egress, IpProtocol="-1", CidrIpv4="0.0.0.0/0")
    (from_group,) = [rule for rule in rules if rule.get("ReferencedGroupInfo")]
    has(from_group, Description="from one", Tags=[{"Key": "a", "Value": "1"}], FromPort=80)
    again = {**permission, "UserIdGroupPairs": [{**pair, "Description": "again"}]}
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=other, IpPermissions=[again])
    refused("DependencyViolation", ec2.delete_security_group, GroupId=network.group)
    ec2.revoke_security_group_ingress(GroupId=other, SecurityGroupRuleIds=[from_group["SecurityGroupRuleId"]])
    ec2.delete_security_group(GroupId=network.group)


def test_security_group_of_a_load_balancer_is_in_use(aws: EmbeddedAWS, network: Network, balancer: Balancer) -> None:
    refused("DependencyViolation", aws.client("ec2").delete_security_group, GroupId=network.group)
    refused("DependencyViolation", aws.client("ec2").delete_subnet, SubnetId=network.subnets[0])
    balancer.elb.delete_load_balancer(LoadBalancerArn=balancer.arn)
    aws.client("ec2").delete_security_group(GroupId=network.group)


def test_tags_of_a_nat_gateway_and_of_its_address_are_found_by_resource_type(aws: EmbeddedAWS, network: Network) -> None:
    ec2 = aws.client("ec2")

    def tagged(kind: str, value: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [{"Key": "team", "Value": value}]}]

    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", "x"))["AllocationId"]
    tags = tagged("natgateway", "y")
    ec2.create_nat_gateway(SubnetId=network.subnets[0], AllocationId=address, TagSpecifications=tags)
    for kind, value in (("elastic-ip", "x"), ("natgateway", "y")):
        found = ec2.describe_tags(Filters=[{"Name": "resource-type", "Values": [kind]}])["Tags"]
        assert [(tag["Key"], tag["Value"]) for tag in found] == [("team", value)]


def test_network_is_removed_from_the_inside_out(aws: EmbeddedAWS, network: Network) -> None:
    ec2, subnet = aws.client("ec2"), network.subnets[0]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    attachment = {"InternetGatewayId": gateway, "VpcId": network.vpc}
    ec2.attach_internet_gateway(**attachment)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=network.vpc, VpcEndpointType="Interface", ServiceName=f"com.amazonaws.{REGION}.logs", SubnetIds=[subnet], SecurityGroupIds=[network.group]
    )["VpcEndpoint"]["VpcEndpointId"]
    refused("DependencyViolation", ec2.detach_internet_gateway, **attachment)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnet)
    aws.creation_seconds(vpce=3600)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["State"] == "deleting"
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnet)
    refused("DependencyViolation", ec2.delete_security_group, GroupId=network.group)
    aws.creation_seconds(vpce=0)
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    for each in network.subnets:
        ec2.delete_subnet(SubnetId=each)
    ec2.delete_security_group(GroupId=network.group)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=network.vpc)
    ec2.detach_internet_gateway(**attachment)
    ec2.release_address(AllocationId=address)
    ec2.delete_vpc(VpcId=network.vpc)


def test_a_prefix_list_counts_as_many_rules_as_it_may_have_entries(aws: EmbeddedAWS, network: Network) -> None:
    """ "Prefix lists concepts and rules" of the VPC User Guide: the maximum number of entries counts towards the quota."""
    ec2 = aws.client("ec2")

    def prefix_list(family: str, entries: int) -> str:
        made = ec2.create_managed_prefix_list(PrefixListName="a", AddressFamily=family, MaxEntries=entries)
        return made["PrefixList"]["PrefixListId"]

    def authorize(identifier: str, port: int = 443) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "PrefixListIds": [{"PrefixListId": identifier, "Description": "Callers"}]}
        ec2.authorize_security_group_ingress(GroupId=network.group, IpPermissions=[rule])

    refused("InvalidPrefixListID.NotFound", authorize, identifier="pl-0a1b2c3d4e5f67890")
    refused("RulesPerSecurityGroupLimitExceeded", authorize, identifier=prefix_list("IPv4", 61))
    many = prefix_list("IPv4", 40)
    authorize(many)
    refused("RulesPerSecurityGroupLimitExceeded", authorize, identifier=many, port=80)
    authorize(prefix_list("IPv6", 40))
    (rule,) = [
        each
        for each in ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [network.group]}])["SecurityGroupRules"]
        if each.get("PrefixListId") == many
    ]
    has(rule, Description="Callers")


def test_an_endpoint_changes_in_place_and_stands_alone(aws: EmbeddedAWS, network: Network) -> None:
    """ModifyVpcEndpoint, and the refusals of CreateVpcEndpoint, of the API reference."""
    ec2, service = aws.client("ec2"), f"com.amazonaws.{REGION}.s3"
    tables = [ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"] for _table in range(2)]

    def routed() -> list[str]:
        shown = ec2.describe_route_tables(RouteTableIds=tables)["RouteTables"]
        return [table["RouteTableId"] for table in shown if any("DestinationPrefixListId" in route for route in table["Routes"])]

    gateway = {"VpcId": network.vpc, "ServiceName": service, "VpcEndpointType": "Gateway"}
    endpoint = ec2.create_vpc_endpoint(**gateway, RouteTableIds=tables[:1])["VpcEndpoint"]["VpcEndpointId"]
    assert routed() == tables[:1]
    refused("RouteAlreadyExists", ec2.create_vpc_endpoint, **gateway, RouteTableIds=tables)
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=tables[1:], RemoveRouteTableIds=tables[:1])
    assert routed() == tables[1:]
    interface = {"VpcId": network.vpc, "ServiceName": f"com.amazonaws.{REGION}.logs", "VpcEndpointType": "Interface", "SubnetIds": network.subnets[:1]}
    ec2.create_vpc_endpoint(**interface, PrivateDnsEnabled=True)
    refused("InvalidParameter", ec2.create_vpc_endpoint, **interface, PrivateDnsEnabled=True)
    ec2.create_vpc_endpoint(**interface, PrivateDnsEnabled=False)


def test_a_flow_log_needs_a_role_that_its_service_may_assume(aws: EmbeddedAWS, network: Network) -> None:
    """Amazon VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs"; the words: hashicorp/terraform-provider-aws#29323."""
    ec2, iam = aws.client("ec2"), aws.client("iam")
    given: dict[str, Any] = {"ResourceType": "VPC", "ResourceIds": [network.vpc], "TrafficType": "ALL", "LogGroupName": "flows"}

    def role(name: str, service: str) -> str:
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        return iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))["Role"]["Arn"]

    for arn in ("arn:aws:iam::123456789012:role/none", role("other", "lambda.amazonaws.com")):
        refused("InvalidParameter", ec2.create_flow_logs, **given, DeliverLogsPermissionArn=arn)
    given["DeliverLogsPermissionArn"] = role("flows", "vpc-flow-logs.amazonaws.com")
    tags = [{"Key": "a", "Value": "1"}]
    (made,) = ec2.create_flow_logs(**given, TagSpecifications=[{"ResourceType": "vpc-flow-log", "Tags": tags}])["FlowLogIds"]
    refused("FlowLogAlreadyExists", ec2.create_flow_logs, **given)
    ec2.create_tags(Resources=[made], Tags=[{"Key": "b", "Value": "2"}])
    has(ec2.describe_flow_logs()["FlowLogs"][0], FlowLogId=made, Tags=[*tags, {"Key": "b", "Value": "2"}])
    ec2.delete_flow_logs(FlowLogIds=[made])
    refused("InvalidFlowLogId.NotFound", ec2.delete_flow_logs, FlowLogIds=[made])

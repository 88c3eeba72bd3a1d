# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: security group rules as they are described, and groups that are in use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from moto.apigatewayv2.models import apigatewayv2_backends
from moto.core.responses import ActionResult
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError, RulesPerSecurityGroupLimitExceededError
from moto.ec2.models import EC2Backend, security_groups
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses.security_groups import SecurityGroups
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE
from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.rds.models import rds_backends

from embedded_aws.gaps import gap
from embedded_aws.services.servicequotas import limit
from embedded_aws.timing import Elapsed


@gap()
def interface_without_dns_name() -> None:
    """A network interface has a private DNS name only where its VPC has DNS host names enabled."""
    NetworkInterface.private_dns_name = None


@gap()
def resource_types() -> None:
    """DescribeTags knows a NAT gateway by the resource type natgateway, and an Elastic IP address by elastic-ip."""
    EC2_PREFIX_TO_RESOURCE.update(nat="natgateway", eipalloc="elastic-ip")


@gap(security_groups.SecurityGroupRule, "description")
def rule_description(original: Any, self: Any) -> str | None:
    """DescribeSecurityGroupRules tells the description of a rule that refers to a group or a prefix list as well."""
    return original(self) or self.source_group.get("Description") or self.prefix_list.get("Description")


@gap(security_groups.SecurityGroupRule, "__init__")
def rule_with_prefix_list(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """A rule that refers to a prefix list has a description."""
    original(self, *args, **kwargs)
    self.prefix_list = next((each for each in (*args, *kwargs.values()) if isinstance(each, dict) and "PrefixListId" in each), {})


@gap(Subnet, "ipv6_cidr_block_association_set")
def ipv6_blocks(_original: Any, self: Any) -> list[dict[str, Any]]:
    """DescribeSubnets tells the state of each IPv6 CIDR block."""
    return [each for each in self.ipv6_cidr_block_associations.values() if each["ipv6CidrBlockState"]["State"] == "associated"]


@gap(security_groups.SecurityGroupRule, "__eq__")
def same_rule(_original: Any, self: Any, other: Any) -> bool:
    """Rules that differ in their description only are the same rule: the second is InvalidPermission.Duplicate."""
    return _identity(self) == _identity(other)


def _identity(rule: Any) -> tuple[Any, ...]:
    ports = (None, None) if rule.ip_protocol == "-1" else (rule.from_port, rule.to_port)
    return (rule.ip_protocol, *ports, rule.cidr_ipv4, rule.cidr_ipv6, rule.source_group.get("GroupId"), rule.prefix_list_id)


@gap(SecurityGroups, "authorize_security_group_ingress")
def authorize_ingress(_original: Any, self: Any) -> ActionResult:
    """AuthorizeSecurityGroupIngress answers with all rules it made."""
    return _authorize(self, self.ec2_backend.authorize_security_group_ingress)


@gap(SecurityGroups, "authorize_security_group_egress")
def authorize_egress(_original: Any, self: Any) -> ActionResult:
    """AuthorizeSecurityGroupEgress answers with all rules it made."""
    return _authorize(self, self.ec2_backend.authorize_security_group_egress)


def _authorize(response: Any, authorize: Any) -> ActionResult:
    response.error_on_dryrun()
    rules = [rule for arguments in response._process_rules_from_querystring() for rule in authorize(**arguments)[0]]
    return ActionResult({"Return": True, "SecurityGroupRules": rules})


@gap(SecurityGroups, "update_security_group_rule_descriptions_ingress")
def describe_ingress(original: Any, self: Any) -> Any:
    """UpdateSecurityGroupRuleDescriptionsIngress takes rules by id too."""
    return _describe_rules(self) or original(self)


@gap(SecurityGroups, "update_security_group_rule_descriptions_egress")
def describe_egress(original: Any, self: Any) -> Any:
    """UpdateSecurityGroupRuleDescriptionsEgress takes rules by id too."""
    return _describe_rules(self) or original(self)


def _describe_rules(response: Any) -> ActionResult | None:
    wanted = response._get_param("SecurityGroupRuleDescriptions", [])
    group = response.ec2_backend.get_security_group_from_id(response._get_param("GroupId"))
    for item in wanted:
        rule = group.get_rule(item["SecurityGroupRuleId"])
        (rule.source_group or rule.prefix_list or rule.ip_range)["Description"] = item["Description"]
    return ActionResult({"Return": True}) if wanted else None


@gap(EC2Backend, "delete_security_group")
def delete_security_group(original: Any, self: Any, name: str | None = None, group_id: str | None = None) -> Any:
    """DeleteSecurityGroup refuses a group that another group's rule or a network interface uses."""
    group = self.get_security_group_by_name_or_id(group_id or name)
    if group and (_referenced(self, group.id) or any(group.id in groups for groups, _ignored in _interfaces(self))):
        raise DependencyViolationError(f"resource {group.id} has a dependent object")
    return original(self, name, group_id)


def _referenced(backend: Any, group_id: str) -> bool:
    return any(
        rule.source_group.get("GroupId") == group_id
        for groups in backend.groups.values()
        for group in groups.values()
        if group.id != group_id
        for rule in group.ingress_rules + group.egress_rules
    )


@gap(Subnet, "available_ip_address_count")
def available_addresses(original: Any, self: Any) -> int:
    """A subnet has fewer free addresses for each load balancer, VPC link, database and service in it."""
    return original(self) - sum(self.id in subnets for _ignored, subnets in _of_services(self.ec2_backend))


@gap(EC2Backend, "_verify_group_will_respect_rule_count_limit")
def rules_of_group(_original: Any, self: Any, group: Any, _have: int, ranges: list[Any], source_groups: list[Any] | None = None, egress: bool = False) -> None:
    """A group takes as many rules as the quota says, of IPv4 and of IPv6 each; one that refers to a group counts as both."""
    new = [(int("CidrIpv6" not in each), int("CidrIpv6" in each)) for each in ranges or []]
    _make_room(self, group, [*new, *[(1, 1)] * len(source_groups or [])], egress)


@gap(EC2Backend, "authorize_security_group_ingress")
def prefix_lists_let_in(original: Any, self: Any, group_name_or_id: str, *args: Any, **kwargs: Any) -> Any:
    """A rule that refers to a prefix list needs one that there is, and counts as many rules as that may have entries."""
    _check_prefix_lists(self, group_name_or_id, kwargs.get("prefix_list_ids"), egress=False)
    return original(self, group_name_or_id, *args, **kwargs)


@gap(EC2Backend, "authorize_security_group_egress")
def prefix_lists_let_out(original: Any, self: Any, group_name_or_id: str, *args: Any, **kwargs: Any) -> Any:
    """As for ingress: a rule with a prefix list needs one that there is, and counts as many rules as that may have entries."""
    _check_prefix_lists(self, group_name_or_id, kwargs.get("prefix_list_ids"), egress=True)
    return original(self, group_name_or_id, *args, **kwargs)


def _check_prefix_lists(backend: Any, group_id: str, prefix_lists: list[dict[str, str]] | None, *, egress: bool) -> None:
    for given in prefix_lists or []:
        if given["PrefixListId"] not in backend.managed_prefix_lists:
            raise EC2ClientError("InvalidPrefixListID.NotFound", f"The prefix list ID '{given['PrefixListId']}' does not exist")
        _make_room(backend, backend.get_security_group_from_id(group_id), [_of_prefix_list(backend, given["PrefixListId"])], egress)


def _of_prefix_list(backend: Any, prefix_list_id: str) -> tuple[int, int]:
    listed = backend.managed_prefix_lists[prefix_list_id]
    entries = int(listed.max_entries or 1)
    return (0, entries) if listed.address_family == "IPv6" else (entries, 0)


def _make_room(backend: Any, group: Any, new: list[tuple[int, int]], egress: bool) -> None:
    """Refuse what is more than the quota; each rule counts for IPv4 and for IPv6."""

    def counts(rule: Any) -> tuple[int, int]:
        if rule.prefix_list_id:
            return _of_prefix_list(backend, rule.prefix_list_id)
        return int(not rule.cidr_ipv6), int(not rule.cidr_ipv4)

    most = limit(backend.account_id, backend.region_name, "vpc", "L-0EA8095F")
    have = [counts(rule) for rule in (group.egress_rules if egress else group.ingress_rules)]
    for before, more in zip(zip((0, 0), *have), zip((0, 0), *new)):
        if sum(more) and sum(before) + sum(more) > most:
            raise RulesPerSecurityGroupLimitExceededError


@gap(EC2Backend, "delete_subnet")
def delete_subnet(original: Any, self: Any, subnet_id: str) -> Any:
    """DeleteSubnet refuses a subnet with network interfaces in it."""
    if any(subnet_id in subnets for _ignored, subnets in _interfaces(self)):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return original(self, subnet_id)


@gap(EC2Backend, "delete_vpc")
def delete_vpc(original: Any, self: Any, vpc_id: str) -> Any:
    """DeleteVpc refuses a VPC with an internet gateway or a security group other than the default one."""
    gateway = any(each.vpc and each.vpc.id == vpc_id for each in self.internet_gateways.values())
    if gateway or any(group.name != "default" for group in self.groups.get(vpc_id, {}).values()):
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    return original(self, vpc_id)


@gap(EC2Backend, "detach_internet_gateway")
def detach_internet_gateway(original: Any, self: Any, internet_gateway_id: str, vpc_id: str) -> None:
    """DetachInternetGateway refuses as long as a NAT gateway or a load balancer has public addresses in the VPC."""
    balancers = elbv2_backends[self.account_id][self.region_name].load_balancers.values()
    gateways = self.nat_gateways.values()
    if any(each.vpc_id == vpc_id and each.scheme == "internet-facing" for each in balancers) or any(
        each.vpc_id == vpc_id and each.state == "available" and each.connectivity_type != "private" for each in gateways
    ):
        raise DependencyViolationError(f"Network {vpc_id} has some mapped public address(es).")
    original(self, internet_gateway_id, vpc_id)


@gap(EC2Backend, "delete_nat_gateway")
def delete_nat_gateway(original: Any, self: Any, nat_gateway_id: str) -> Any:
    """DeleteNatGateway takes the gateway's network interface with it and sets its address free."""
    gateway = original(self, nat_gateway_id)
    self.enis.pop(gateway._eni.id, None)
    for address in self.addresses:
        if address.eni is gateway._eni:
            address.eni = address.association_id = None
    return gateway


@gap(EC2Backend, "delete_vpc_endpoints")
def delete_vpc_endpoints(original: Any, self: Any, vpce_ids: list[str] | None = None) -> None:
    """DeleteVpcEndpoints leaves an interface endpoint deleting for a while, in which its network interfaces are there."""
    endpoints = [self.vpc_end_points[each] for each in vpce_ids or [] if each in self.vpc_end_points]
    slow = [each for each in endpoints if (each.vpc_endpoint_type or "").lower() == "interface"]
    for endpoint in slow:
        if endpoint.state == "available":
            endpoint.state, endpoint.deletion_time = "deleting", Elapsed("vpce")
    original(self, [each.id for each in endpoints if each not in slow])


@gap(EC2Backend, "modify_vpc_endpoint")
def modify_vpc_endpoint(original: Any, self: Any, vpc_id: str, *args: Any, **kwargs: Any) -> None:
    """ModifyVpcEndpoint changes the routes of a gateway endpoint with its route tables."""
    endpoint = self.vpc_end_points[vpc_id]
    before = set(endpoint.route_table_ids)
    endpoint.route_table_ids, endpoint.security_group_ids = list(endpoint.route_table_ids), list(endpoint.security_group_ids)
    original(self, vpc_id, *args, **kwargs)
    for table in before - set(endpoint.route_table_ids):
        self.delete_route(table, endpoint.destination_prefix_list_id)
    for table in set(endpoint.route_table_ids) - before:
        self.create_route(table, None, gateway_id=vpc_id, destination_prefix_list_id=endpoint.destination_prefix_list_id)


@gap(EC2Backend, "create_vpc_endpoint")
def create_vpc_endpoint(original: Any, self: Any, vpc_id: str, service_name: str, endpoint_type: str | None, *args: Any, **kwargs: Any) -> Any:
    """CreateVpcEndpoint refuses a second gateway endpoint of a service for a route table, and a second private DNS name of it in a VPC."""
    interface = (endpoint_type or "").lower() == "interface"
    for other in self.vpc_end_points.values():
        if (other.vpc_id, other.service_name, other.state) == (vpc_id, service_name, "available"):
            if not interface and set(other.route_table_ids) & set(kwargs.get("route_table_ids") or []):
                raise EC2ClientError("RouteAlreadyExists", f"route table already has a route with destination-prefix-list-id of {service_name}")
            if interface and other.private_dns_enabled and kwargs.get("private_dns_enabled") and other.network_interface_ids:
                raise EC2ClientError(
                    "InvalidParameter", f"private-dns-enabled cannot be set because there is already a conflicting DNS domain for {service_name}"
                )
    return original(self, vpc_id, service_name, endpoint_type, *args, **kwargs)


@gap(EC2Backend, "create_flow_logs")
def create_flow_logs(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """CreateFlowLogs refuses a role that vpc-flow-logs.amazonaws.com may not assume."""
    role = kwargs.get("deliver_logs_permission_arn")
    if role and not _trusts_flow_logs(self.account_id, role):
        raise EC2ClientError("InvalidParameter", f"Unable to assume given IAM role: '{role}'")
    return original(self, *args, **kwargs)


def _trusts_flow_logs(account: str, arn: str) -> bool:
    role = next((each for each in iam_backends[account]["aws"].roles.values() if each.arn == arn), None)
    statements = json.loads(role.assume_role_policy_document)["Statement"] if role else []
    trusted = [each["Principal"].get("Service", []) for each in statements if each["Effect"] == "Allow" and isinstance(each["Principal"], dict)]
    return any("vpc-flow-logs.amazonaws.com" in ([each] if isinstance(each, str) else each) for each in trusted)


def _end_deletions(backend: Any) -> None:
    for endpoint in backend.vpc_end_points.values():
        if endpoint.state == "deleting" and endpoint.deletion_time.over():
            endpoint.state = "deleted"
            for interface in endpoint.network_interface_ids:
                backend.enis.pop(interface, None)


@gap(EC2Backend, "describe_vpc_endpoints")
def describe_vpc_endpoints(original: Any, self: Any, *args: Any, **kwargs: Any) -> list[Any]:
    """DescribeVpcEndpoints does not show an endpoint whose deletion is complete."""
    _end_deletions(self)
    return [endpoint for endpoint in original(self, *args, **kwargs) if endpoint.state != "deleted"]


def _interfaces(backend: Any) -> Iterator[tuple[list[str], list[str]]]:
    """The groups and subnets of everything that has network interfaces."""
    _end_deletions(backend)
    for endpoint in backend.vpc_end_points.values():
        if endpoint.state != "deleted":
            yield endpoint.security_group_ids, endpoint.subnet_ids or []
    for interface in backend.enis.values():
        yield [group.id for group in interface.group_set], [interface.subnet.id]
    yield from _of_services(backend)


def _of_services(backend: Any) -> Iterator[tuple[list[str], list[str]]]:
    """Those that moto does not make."""
    account, region = backend.account_id, backend.region_name
    for balancer in elbv2_backends[account][region].load_balancers.values():
        yield balancer.security_groups, [subnet.id for subnet in balancer.subnets]
    for link in apigatewayv2_backends[account][region].get_vpc_links():
        yield link.sg_ids, link.subnet_ids
    rds = rds_backends[account][region]
    for cluster in rds.describe_db_clusters():
        group = rds.subnet_groups.get(cluster.db_subnet_group) if cluster._members else None
        yield cluster.vpc_security_group_ids, [subnet.id for subnet in group._subnets] if group else []
    for service in ecs_backends[account][region].services.values():
        if service.status == "ACTIVE" and service.running_count:
            vpc = (service.network_configuration or {}).get("awsvpcConfiguration", {})
            yield vpc.get("securityGroups", []), vpc.get("subnets", [])

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: security group rules as they are described, and groups that are in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.apigatewayv2.models import apigatewayv2_backends
from moto.core.responses import ActionResult
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend, security_groups
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.responses.security_groups import SecurityGroups
from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends
from moto.rds.models import rds_backends

from embedded_aws.gaps import gap


@gap()
def interface_without_dns_name() -> None:
    """A network interface has a private DNS name only where its VPC has DNS host names enabled."""
    NetworkInterface.private_dns_name = None


@gap(security_groups.SecurityGroupRule, "description")
def rule_description(original: Any, self: Any) -> str | None:
    """DescribeSecurityGroupRules tells the description of a rule that refers to a group as well."""
    return original(self) or self.source_group.get("Description")


@gap(security_groups.SecurityGroupRule, "__eq__")
def same_rule(_original: Any, self: Any, other: Any) -> bool:
    """Rules that differ in their description only are the same rule: the second is InvalidPermission.Duplicate."""
    return _identity(self) == _identity(other)


def _identity(rule: Any) -> tuple[Any, ...]:
    ports = (None, None) if rule.ip_protocol == "-1" else (rule.from_port, rule.to_port)
    return (
        rule.ip_protocol, *ports, rule.cidr_ipv4, rule.cidr_ipv6, rule.source_group.get("GroupId"), rule.prefix_list_id
    )  # fmt: skip


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


@gap(EC2Backend, "delete_security_group")
def delete_security_group(original: Any, self: Any, name: str | None = None, group_id: str | None = None) -> Any:
    """DeleteSecurityGroup refuses a group that another group's rule or a network interface uses."""
    group = self.get_security_group_by_name_or_id(group_id or name)
    if group and (_referenced(self, group.id) or any(group.id in used for used in _groups_in_use(self))):
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


def _groups_in_use(backend: Any) -> Iterator[list[str]]:
    """The groups of everything that has network interfaces, most of which moto does not make."""
    where = backend.account_id, backend.region_name
    for interface in backend.enis.values():
        yield [group.id for group in interface.group_set]
    for balancer in elbv2_backends[where[0]][where[1]].load_balancers.values():
        yield balancer.security_groups
    for link in apigatewayv2_backends[where[0]][where[1]].get_vpc_links():
        yield link.sg_ids
    for cluster in rds_backends[where[0]][where[1]].describe_db_clusters():
        yield cluster.vpc_security_group_ids
    for service in ecs_backends[where[0]][where[1]].services.values():
        if service.status == "ACTIVE" and service.running_count:
            yield (service.network_configuration or {}).get("awsvpcConfiguration", {}).get("securityGroups", [])


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
        (rule.source_group or rule.ip_range)["Description"] = item["Description"]
    return ActionResult({"Return": True}) if wanted else None

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource Access Manager: subnets that another account shares, as "Share your VPC subnets" of the VPC User Guide says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.utils import generic_filter
from moto.ram.models import ram_backends

from embedded_aws.gaps import gap


def shared_subnets(backend: Any) -> Iterator[Any]:
    """The subnets that other accounts share with that of an EC2 backend."""
    for account, regions in list(ram_backends.items()):
        for share in regions[backend.region_name].resource_shares if account != backend.account_id else ():
            if share.status == "ACTIVE" and backend.account_id in share.principals:
                for subnet_id in (arn.partition(":subnet/")[2] for arn in share.resource_arns if ":subnet/" in arn):
                    yield ec2_backends[account][backend.region_name].get_subnet(subnet_id)


@gap(EC2Backend, "get_subnet")
def get_subnet(original: Any, self: Any, subnet_id: str) -> Any:
    """A subnet that another account shares can be used as one's own."""
    return next((subnet for subnet in shared_subnets(self) if subnet.id == subnet_id), None) or original(self, subnet_id)


@gap(EC2Backend, "describe_subnets")
def describe_subnets(original: Any, self: Any, subnet_ids: list[str] | None = None, filters: Any = None) -> list[Any]:
    """DescribeSubnets shows shared subnets, with the account that owns them."""
    shared = list(shared_subnets(self))
    if not shared:
        return original(self, subnet_ids, filters)
    own = original(self, [each for each in subnet_ids or [] if each not in {subnet.id for subnet in shared}] or None)
    every = [subnet for subnet in [*own, *shared] if not subnet_ids or subnet.id in subnet_ids]
    return generic_filter(filters, every) if filters else every


@gap(EC2Backend, "get_vpc")
def get_vpc(original: Any, self: Any, vpc_id: str) -> Any:
    """Security groups and target groups can be made in the VPC of a shared subnet."""
    owner = next((subnet.ec2_backend for subnet in shared_subnets(self) if subnet.vpc_id == vpc_id), None)
    return original(owner or self, vpc_id)


@gap(EC2Backend, "describe_route_tables")
def describe_route_tables(original: Any, self: Any, route_table_ids: list[str] | None = None, filters: Any = None) -> list[Any]:
    """DescribeRouteTables shows those that a shared subnet is explicitly associated with, and not the main one of its VPC."""
    shown = original(self, route_table_ids, filters)
    for subnet in shared_subnets(self):
        theirs = [table for table in subnet.ec2_backend.route_tables.values() if subnet.id in table._associations.values()]
        shown += [table for table in generic_filter(filters, theirs) if table not in shown and table.id in (route_table_ids or [table.id])]
    return shown


@gap(EC2Backend, "create_tags")
def create_tags(original: Any, self: Any, resource_ids: list[str], tags: dict[str, str]) -> bool:
    """CreateTags refuses a shared subnet: only its owner tags it."""
    if {subnet.id for subnet in shared_subnets(self)} & set(resource_ids):
        raise EC2ClientError("UnauthorizedOperation", "You are not authorized to perform this operation.")
    return original(self, resource_ids, tags)

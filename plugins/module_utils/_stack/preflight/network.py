# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: whether the subnets can hold the stack."""

from __future__ import annotations

import ipaddress
import typing as t
from collections import Counter
from functools import partial

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import LOAD_BALANCER_NAME, names_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.reads import Document, load_balancer, vpc_links
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.availability_zones import VPC_LINKS, is_known, lacks

LOAD_BALANCER, SERVICE, DATABASE = NAMES = tuple(f"mlflow_{of}_subnet_ids" for of in ("load_balancer", "service", "database"))
FREE = 8
"""Addresses that an Application Load Balancer takes to be free in each of its subnets (its User Guide)."""
PUBLIC_REGISTRIES = ("ghcr.io", "docker.io", "registry-1.docker.io", "index.docker.io", "public.ecr.aws", "quay.io")


class Network(Checks):
    def checks(self) -> list[Check]:
        return [
            (self.subnets, (), ("mlflow_vpc_id",)),
            (self.zones, (), (SERVICE,)),
            (self.addresses, (), ("mlflow_vpc_id",)),
            (self.internet_route, (), ("mlflow_vpc_id",)),
            (self.name_of_api_load_balancer, (), ("mlflow_unique_name",)),
        ]

    def subnets(self) -> Problems:
        known, vpc = self.known(), self.inputs["mlflow_vpc_id"]
        for name in NAMES:
            ids = self.inputs.get(name) or []
            missing = [i for i in ids if i not in known]
            outside = [i for i in ids if i in known and known[i]["VpcId"] != vpc]
            if missing:
                yield self.problem(name, f"{', '.join(missing)} not found in {self.aws.region}: give subnets of mlflow_vpc_id {vpc}")
            if outside:
                yield self.problem(name, f"{', '.join(outside)} not in mlflow_vpc_id {vpc}: give subnets of this VPC")
            zones = {known[i]["AvailabilityZone"] for i in ids if i in known}
            without = [i for i in ids if i in known and not known[i].get("CidrBlock")]
            if without:
                yield self.problem(name, f"{', '.join(without)} has IPv6 addresses only: give subnets with an IPv4 CIDR block")
            if ids and not missing and len(zones) < 2:
                yield self.problem(name, f"all lie in the zone {', '.join(zones)}: give subnets in two availability zones or more")
            elif not missing and len(zones) < len(ids) and name == LOAD_BALANCER:
                yield self.problem(name, "two of them lie in one availability zone: a load balancer takes one subnet in each zone")

    def zones(self) -> Problems:
        """Where AWS makes no VPC link, or runs no tasks. A link that is there knows better than a list that may be old."""
        known, region = self.known(), self.aws.region
        proved = {subnet for link in vpc_links(self.aws) if link.get("VpcLinkStatus") != "FAILED" for subnet in link["SubnetIds"]}
        zone_ids = {i: known[i].get("AvailabilityZoneId", "") for i in self.inputs[SERVICE] if i in known and i not in proved}
        for subnet, zone in zone_ids.items():
            if lacks(zone):
                remedy = f"give subnets in the zones {', '.join(VPC_LINKS[region])}" if region in VPC_LINKS else "give subnets in other zones"
                yield self.problem(SERVICE, f"{subnet} lies in the zone {zone} ({known[subnet]['AvailabilityZone']}), where AWS has no {lacks(zone)}: {remedy}")
        unknown = sorted({zone for zone in zone_ids.values() if zone and not is_known(region, zone)})
        if unknown:
            warn(
                f"{SERVICE}: this collection does not know whether API Gateway makes VPC links in {', '.join(unknown)} ({region}): where it does not, "
                "the run will stop after the security groups; AWS's list is in "
                "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-vpc-links-v2.html"
            )

    def addresses(self) -> Problems:
        """Whether what the run makes anew has room. What is there has its addresses already."""
        known, (balanced, linked) = self.known(), self.placed()
        new = [(LOAD_BALANCER, i) for i in self.inputs.get(LOAD_BALANCER) or [] if i in known and i not in balanced]
        programs = self.of_api_load_balancer()
        placed = self.api_load_balancer_placed() if programs else set()
        new += [(SERVICE, subnet) for subnet in programs if subnet not in placed]
        new = [(name, subnet) for name, subnet in new if known[subnet].get("CidrBlock")]  # else it is refused for that
        taken = Counter({subnet: FREE * times for subnet, times in Counter(subnet for _name, subnet in new).items()})
        for name, subnet in new:
            free, size = known[subnet]["AvailableIpAddressCount"], ipaddress.ip_network(known[subnet]["CidrBlock"]).prefixlen
            if size > 27:
                yield self.problem(name, f"{subnet} is a /{size}: a load balancer takes subnets of /27 and larger")
            elif free < taken[subnet]:
                yield self.problem(name, f"{subnet} has {free} free addresses, and a load balancer takes {FREE} in each: {_MORE}")
        left = {i: known[i]["AvailableIpAddressCount"] - taken[i] for i in self.inputs.get(SERVICE) or [] if i in known and i not in linked}
        full = [subnet for subnet, free in left.items() if free < 1]
        if full:
            yield self.problem(SERVICE, f"{', '.join(full)} has no free address for the VPC link: {_MORE}")
        if linked:
            return
        tasks = max(1, self.inputs.get("mlflow_service_min_capacity") or 0)
        if left and not full and sum(left.values()) - len(left) < tasks:
            yield self.problem(SERVICE, f"they have {sum(left.values())} free addresses, and VPC link and tasks take {len(left) + tasks}: {_MORE}")
        free = [known[i]["AvailableIpAddressCount"] for i in self.inputs.get(DATABASE) or [] if i in known]
        instances = 1 + (self.inputs.get("mlflow_database_reader_count") or 0)
        if free and sum(free) < instances:
            yield self.problem(DATABASE, f"they have {sum(free)} free addresses, and the database takes {instances}: {_MORE}")

    def of_api_load_balancer(self) -> list[str]:
        """The subnets of the load balancer for programs, which takes one in each zone: the first of those of the servers."""
        if self.inputs.get("mlflow_load_balancer_is_internal", True):
            return []
        known = self.known()
        first: dict[str, str] = {}
        for subnet in self.inputs.get(SERVICE) or []:
            if subnet in known:
                first.setdefault(known[subnet]["AvailabilityZone"], subnet)
        return list(first.values())

    def api_load_balancer_placed(self) -> set[str]:
        """The subnets that it has already."""
        name = self.names.api_load_balancer
        balancer = load_balancer(self.aws, name) if len(name) <= LOAD_BALANCER_NAME else None
        return {zone["SubnetId"] for zone in balancer.get("AvailabilityZones", [])} if balancer else set()

    def name_of_api_load_balancer(self) -> Problems:
        """It is not among the rules for the inputs, since what was deployed before there was this load balancer can still be removed."""
        if not self.inputs.get("mlflow_load_balancer_is_internal", True) and len(self.names.api_load_balancer) > LOAD_BALANCER_NAME:
            suffix = names_of({}).api_load_balancer
            yield self.problem(
                "mlflow_unique_name",
                f"with mlflow_load_balancer_is_internal false it may have {LOAD_BALANCER_NAME - len(suffix)} characters, since programs "
                f"come through a second load balancer, <unique_name>{suffix}, of whose name AWS takes {LOAD_BALANCER_NAME}: "
                "give a shorter one, or set mlflow_load_balancer_is_internal to true",
            )

    def internet_route(self) -> Problems:
        """Where the default routes lead. That there is none is only warned of: not every network shows its way out in its route tables."""
        vpc = [{"Name": "vpc-id", "Values": [self.inputs["mlflow_vpc_id"]]}]
        tables, (balanced, linked) = run_concurrently(lambda: self.aws.pages("ec2", "describe_route_tables", "RouteTables", Filters=vpc), self.placed)
        of_subnet = {a["SubnetId"]: table for table in tables for a in table["Associations"] if "SubnetId" in a}
        main = next((table for table in tables if any(a.get("Main") for a in table["Associations"])), None)
        routes = {i: default_route(of_subnet.get(i, main)) for name in (LOAD_BALANCER, SERVICE) for i in self.inputs.get(name) or []}
        yield from self.internet_route_of_load_balancer(routes, balanced)
        yield from self.internet_route_of_tasks(routes, linked)

    def internet_route_of_load_balancer(self, routes: dict[str, str | None], placed: set[str]) -> Problems:
        internal = self.inputs.get("mlflow_load_balancer_is_internal", True)
        wrong = {}
        for subnet in self.inputs.get(LOAD_BALANCER) or []:
            route = routes[subnet]
            if route == "":
                warn(
                    f"{LOAD_BALANCER}: {subnet} has no route to the internet; the load balancer has to reach "
                    "the identity provider on port 443, or nobody can sign in"
                )
            elif route and route.startswith("igw-" if internal else ("nat-", "tgw-", "vgw-")):
                wrong[subnet] = route
        reason = (
            "an internal load balancer has no public address, so it cannot reach the identity provider by it and nobody can sign in: "
            "give private subnets, whose default route leads to a NAT gateway"
            if internal
            else "nobody on the internet can reach an internet-facing load balancer there: give public subnets, whose default route leads to "
            "an internet gateway, or set mlflow_load_balancer_is_internal to true"
        )
        # An identity provider of one's own may have private addresses.
        certain = not internal or self.inputs.get("mlflow_load_balancer_sign_in", "cognito") == "cognito"
        yield from self.misled(LOAD_BALANCER, wrong, reason, certain and not placed & wrong.keys())

    def internet_route_of_tasks(self, routes: dict[str, str | None], placed: set[str]) -> Problems:
        image = self.inputs.get("mlflow_service_image") or "ghcr.io"
        registry = image.partition("/")[0]
        public = registry in PUBLIC_REGISTRIES or not set(registry) & {".", ":"}  # Docker Hub's names have no host
        wrong = {i: route for i in self.inputs.get(SERVICE) or [] if (route := routes[i]) and route.startswith("igw-")}
        reason = (
            "the tasks have no public address, so they reach neither the registry of their image nor AWS by it: give private subnets, "
            "whose default route leads to a NAT gateway"
        )
        # VPC endpoints may lead to a private registry and to AWS.
        yield from self.misled(SERVICE, wrong, reason, public and not placed & wrong.keys())
        for subnet in self.inputs.get(SERVICE) or []:
            if routes[subnet] == "" and public:
                warn(f"{SERVICE}: {subnet} has no route to the internet; the tasks have to reach {registry}, or they do not start")

    def misled(self, name: str, routes: dict[str, str], reason: str, refuse: bool) -> Problems:
        if not routes:
            return
        led = f"the default route of {', '.join(routes)} leads to {', '.join(sorted(set(routes.values())))}; {reason}"
        if refuse:
            yield self.problem(name, led)
        else:
            warn(f"{name}: {led}")

    def known(self) -> dict[str, Document]:
        """What AWS says of the subnets that there are."""
        wanted = sorted({subnet for name in NAMES for subnet in self.inputs.get(name) or []})
        filters = [{"Name": "subnet-id", "Values": wanted}]
        ask = partial(self.aws.pages, "ec2", "describe_subnets", "Subnets", Filters=filters)
        every = self.aws.once("subnets", ask) if wanted else []  # EC2 takes no filter without values
        return {subnet["SubnetId"]: subnet for subnet in every}

    def placed(self) -> tuple[set[str], set[str]]:
        """The subnets that the stack's load balancer and VPC link have already, a load balancer of another scheme aside."""
        name = self.inputs.get("mlflow_unique_name")
        if not name:
            return set(), set()
        balancer, links = run_concurrently(lambda: load_balancer(self.aws, name), lambda: vpc_links(self.aws))
        scheme = "internal" if self.inputs.get("mlflow_load_balancer_is_internal", True) else "internet-facing"
        zones: list[dict[str, t.Any]] = balancer.get("AvailabilityZones", []) if balancer and balancer.get("Scheme") == scheme else []
        ours = [link for link in links if link["Name"] == name and link.get("VpcLinkStatus") not in ("DELETING", "FAILED")]
        return {zone["SubnetId"] for zone in zones}, {subnet for link in ours for subnet in link["SubnetIds"]}


_MORE = "free some, or give larger subnets"


def default_route(table: Document | None) -> str | None:
    """The ID of where the default route of a route table leads; empty where it has none, None where there is no table.

    >>> default_route({"Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active", "Origin": "CreateRoute"}]})
    'nat-1'
    """
    if table is None:
        return None
    routes = [r for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0" and r.get("State") != "blackhole"]
    return next((str(value) for r in routes for key, value in r.items() if key.endswith(("Id", "Arn"))), "") or ("?" if routes else "")

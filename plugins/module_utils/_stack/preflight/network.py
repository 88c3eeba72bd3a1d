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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.reads import Document, load_balancer, prefix_lists, vpc_links
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.availability_zones import VPC_LINKS, is_known, lacks

LOAD_BALANCER, SERVICE, DATABASE = NAMES = tuple(f"mlflow_{of}_subnet_ids" for of in ("load_balancer", "service", "database"))
WEB_ACL = "mlflow_load_balancer_web_acl_arn"
FREE = 8
"""Addresses that an Application Load Balancer takes to be free in each of its subnets (its User Guide)."""
CALLERS, ADDRESS_TYPE = "mlflow_load_balancer_ingress_cidr_blocks", "mlflow_load_balancer_ip_address_type"
PUBLIC_REGISTRIES = ("ghcr.io", "docker.io", "registry-1.docker.io", "index.docker.io", "public.ecr.aws", "quay.io")


class Network(Checks):
    def checks(self) -> list[Check]:
        return [
            (self.subnets, (), ("mlflow_vpc_id",)),
            (self.zones, (), (SERVICE,)),
            (self.addresses, (), ("mlflow_vpc_id",)),
            (self.ipv6, (), (ADDRESS_TYPE, LOAD_BALANCER)),
            (self.prefix_lists, (), (CALLERS,)),
            (self.internet_route, (), ("mlflow_vpc_id",)),
            (self.name_of_api_load_balancer, (), ("mlflow_unique_name",)),
            (self.names_of_target_groups, (), ("mlflow_unique_name",)),
            (self.web_acl, (), (WEB_ACL,)),
        ]

    def web_acl(self) -> Problems:
        name, acl_id = self.inputs[WEB_ACL].split("/")[2:]
        if none_if_missing(self.aws.client("wafv2").get_web_acl, "WAFNonexistentItemException", Name=name, Scope="REGIONAL", Id=acl_id) is None:
            yield self.problem(WEB_ACL, f"no such web ACL in account {self.aws.account_id} and {self.aws.region}: make it, or leave the input out")

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

    def ipv6(self) -> Problems:
        """Whether the subnets have what the load balancer's type of IP addresses needs, and what that type is not good for."""
        kind = self.inputs[ADDRESS_TYPE]
        if kind == "ipv4":
            return
        without = [subnet for subnet in self.inputs[LOAD_BALANCER] if subnet in self.known() and not has_ipv6(self.known()[subnet])]
        if without:
            yield self.problem(
                LOAD_BALANCER, f"{', '.join(without)} has no IPv6 CIDR block, and {ADDRESS_TYPE} is {kind}: give subnets that have one, or set that to ipv4"
            )
        if kind == "dualstack-without-public-ipv4" and self.inputs.get("mlflow_load_balancer_sign_in", "cognito") == "cognito":
            warn(
                f"{ADDRESS_TYPE}: nobody can sign in with Cognito, which a load balancer asks over IPv4 only, and it has no public IPv4 address: give "
                "dualstack, unless programs alone use this stack"
            )

    def prefix_lists(self) -> Problems:
        wanted = [each for each in self.inputs[CALLERS] if each.startswith("pl-")]
        known = prefix_lists(self.aws, wanted)
        missing = [each for each in wanted if each not in known]
        if missing:
            yield self.problem(
                CALLERS, f"{', '.join(missing)} not found in {self.aws.region}: give managed prefix lists of this account, or shared with it, in this region"
            )
        unreachable = [each for each, listed in known.items() if listed.get("AddressFamily") == "IPv6"]
        if unreachable and self.inputs.get(ADDRESS_TYPE, "ipv4") == "ipv4":
            yield self.problem(
                CALLERS, f"{', '.join(unreachable)} holds IPv6 addresses, and the load balancer has IPv4 addresses only: set {ADDRESS_TYPE} to dualstack"
            )

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

    def names_of_target_groups(self) -> Problems:
        """The same of the target groups of TLS."""
        if not all(self.names.target_groups):
            longest = LOAD_BALANCER_NAME - max(map(len, names_of({**self.inputs, "mlflow_unique_name": ""}).target_groups))
            yield self.problem(
                "mlflow_unique_name",
                f"with mlflow_service_tls true it may have {longest} characters, since a target group has its name with more behind it, of which AWS "
                f"takes {LOAD_BALANCER_NAME}: give a shorter one, or set mlflow_service_tls to false",
            )

    def internet_route(self) -> Problems:
        """Where the default routes lead. That there is none is only warned of: not every network shows its way out in its route tables."""
        tables, (balanced, linked) = run_concurrently(self.route_tables, self.placed)
        routes = {subnet: default_route(table) for subnet, table in tables.items()}
        yield from self.internet_route_of_load_balancer(routes, balanced)
        yield from self.internet_route_of_tasks(routes, linked)

    def route_tables(self) -> dict[str, Document | None]:
        """The route table of each subnet of load balancer and servers, as far as AWS shows it. Of a subnet that another account shares it shows
        only a table that names it: what its main one says, nobody but the owner knows.
        """
        vpc = [{"Name": "vpc-id", "Values": [self.inputs["mlflow_vpc_id"]]}]
        read = partial(self.aws.pages, "ec2", "describe_route_tables", "RouteTables", Filters=vpc)
        known, tables = run_concurrently(self.known, partial(self.aws.once, "route tables", read))
        named = {a["SubnetId"]: table for table in tables for a in table["Associations"] if "SubnetId" in a}
        main = next((table for table in tables if any(a.get("Main") for a in table["Associations"])), None)
        subnets = [subnet for name in (LOAD_BALANCER, SERVICE) for subnet in self.inputs.get(name) or []]
        return {subnet: named.get(subnet, None if self.is_shared(known.get(subnet, {})) else main) for subnet in subnets}

    def cut_off(self, subnets: t.Iterable[str]) -> dict[str, Document]:
        """Those from which no route leads to the internet, as far as AWS shows it, with their route tables."""
        tables, known = self.route_tables(), self.known()
        return {
            subnet: table
            for subnet in subnets
            if subnet in known and not self.is_shared(known[subnet]) and (table := tables[subnet]) and default_route(table) == ""
        }

    def is_shared(self, subnet: Document) -> bool:
        """Whether a subnet is another account's, which shares it with this one."""
        return subnet.get("OwnerId", self.aws.account_id) != self.aws.account_id

    def internet_route_of_load_balancer(self, routes: dict[str, str | None], placed: set[str]) -> Problems:
        internal = self.inputs.get("mlflow_load_balancer_is_internal", True)
        cognito = self.inputs.get("mlflow_load_balancer_sign_in", "cognito") == "cognito"
        wrong = {}
        for subnet in self.inputs.get(LOAD_BALANCER) or []:
            route = routes[subnet]
            if route == "":
                warn(
                    f"{LOAD_BALANCER}: {subnet} has no route to the internet; the load balancer has to reach "
                    "the identity provider on port 443, or nobody can sign in" + (", and no VPC endpoint leads to Cognito's token endpoint" if cognito else "")
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
        certain = not internal or cognito
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


def has_ipv6(subnet: Document) -> bool:
    """Whether a subnet has an IPv6 CIDR block.

    >>> has_ipv6({"Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/64", "Ipv6CidrBlockState": {"State": "associated"}}]})
    True
    """
    return any(each["Ipv6CidrBlockState"]["State"] == "associated" for each in subnet.get("Ipv6CidrBlockAssociationSet") or [])


def default_route(table: Document | None) -> str | None:
    """The ID of where the default route of a route table leads; empty where it has none, None where there is no table.

    >>> default_route({"Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active", "Origin": "CreateRoute"}]})
    'nat-1'
    """
    if table is None:
        return None
    routes = [r for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0" and r.get("State") != "blackhole"]
    return next((str(value) for r in routes for key, value in r.items() if key.endswith(("Id", "Arn"))), "") or ("?" if routes else "")

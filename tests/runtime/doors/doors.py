# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All ways into a stack: from a name and an address to where a request ends, by what is in the embedded AWS alone."""

from __future__ import annotations

import typing as t

from embedded_aws.client import EmbeddedAWS
from runtime.doors.api_gateway import ApiGateway
from runtime.doors.load_balancer import LoadBalancer
from runtime.doors.network import SecurityGroups
from runtime.doors.request import Answer, NoRoute, Outcome, Request
from runtime.doors.signatures import Signer
from support.account import pages


class Doors:
    """The configuration of the account as it was when this was made; targets and their health as they are."""

    def __init__(self, aws: EmbeddedAWS, signers: t.Sequence[Signer] = ()) -> None:
        self._aws = aws
        self._groups = SecurityGroups(aws)
        documents = pages(aws.client("elbv2"), "describe_load_balancers", "LoadBalancers")
        self.balancers = {d["DNSName"]: LoadBalancer(aws, d, self._groups) for d in documents}
        self.gateway = ApiGateway(aws, list(self.balancers.values()), signers)
        self._records = self._aliases()

    def _aliases(self) -> dict[str, str]:
        route53 = self._aws.client("route53")
        return {
            record["Name"].rstrip("."): record["AliasTarget"]["DNSName"].rstrip(".")
            for zone in pages(route53, "list_hosted_zones", "HostedZones")
            for record in pages(route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"])
            if record["Type"] == "A" and "AliasTarget" in record
        }

    def decide(self, request: Request) -> Outcome:
        """Where the request ends."""
        name = self._records.get(request.name, request.name)
        if name in self.balancers:
            return self.balancers[name].decide(request, request.port)
        if name in self.gateway.targets() or name in self.gateway.names:
            return self.gateway.decide(request)
        groups = self._interface(name, request.port)
        if groups is None:
            return NoRoute(f"nothing is called {name}")
        if not self._groups.admit(request.source, "10.255.255.2", groups, request.port):
            return NoRoute(f"the security groups let nobody there to port {request.port} of {name}")
        return Answer(200, label="the inside")

    def _interface(self, name: str, port: int) -> list[str] | None:
        """The security groups of a task or a database that listens at C(name), which is an address or an endpoint."""
        for cluster in self._aws.client("rds").describe_db_clusters()["DBClusters"]:
            if name in (cluster["Endpoint"], cluster["ReaderEndpoint"]) and port == cluster["Port"]:
                return [group["VpcSecurityGroupId"] for group in cluster["VpcSecurityGroups"]]
        elb = self._aws.client("elbv2")
        for group in pages(elb, "describe_target_groups", "TargetGroups"):
            health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
            if (name, port) in {(each["Target"]["Id"], each["Target"]["Port"]) for each in health}:
                balancer = next(iter(self.balancers.values()))
                return balancer.groups_behind(group["TargetGroupArn"])
        return None

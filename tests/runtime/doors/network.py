# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a VPC: who may open a connection to whom, as the security groups say."""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterable

from embedded_aws.client import EmbeddedAWS
from runtime.doors.request import Source
from support.account import pages


class SecurityGroups:
    """All security groups of the account, as they are now."""

    def __init__(self, aws: EmbeddedAWS) -> None:
        self._rules = pages(aws.client("ec2"), "describe_security_group_rules", "SecurityGroupRules")

    def admit(self, source: Source, address: str, groups: Iterable[str], port: int) -> bool:
        """Whether a TCP connection from C(source) to an interface with C(groups) passes both ends' groups.

        What is not an interface in the VPC has no groups, and sends what it likes.
        """
        there = Source(address, frozenset(groups))
        leaves = not source.groups or self._allow(source.groups, there, port, egress=True)
        return leaves and self._allow(there.groups, source, port, egress=False)

    def _allow(self, groups: Iterable[str], peer: Source, port: int, egress: bool) -> bool:
        return any(rule["GroupId"] in groups and rule["IsEgress"] is egress and _covers(rule, port) and _is(rule, peer) for rule in self._rules)


def _covers(rule: dict[str, t.Any], port: int) -> bool:
    return rule["IpProtocol"] == "-1" or (rule["IpProtocol"] == "tcp" and rule["FromPort"] <= port <= rule["ToPort"])


def _is(rule: dict[str, t.Any], peer: Source) -> bool:
    if "ReferencedGroupInfo" in rule:
        return rule["ReferencedGroupInfo"]["GroupId"] in peer.groups
    address = ipaddress.ip_address(peer.address)
    return any(address in ipaddress.ip_network(rule[kind]) for kind in ("CidrIpv4", "CidrIpv6") if kind in rule)

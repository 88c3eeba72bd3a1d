# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The zones that AWS's lists know."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.network import default_route
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.availability_zones import UNSUITED, VPC_LINKS, is_known, lacks

VARS = Path(__file__).parents[2] / "roles" / "bootstrap" / "vars" / "main" / "network.yml"


@pytest.mark.parametrize(
    ("region", "zone", "missing", "known"),
    [
        ("eu-west-3", "euw3-az1", "", True),
        ("eu-west-3", "euw3-az2", "VPC links", True),
        ("us-east-1", "use1-az3", "VPC links", True),
        ("us-west-1", "usw1-az2", "VPC links and Fargate", True),
        ("cn-north-1", "cnn1-az3", "Fargate", True),
        ("eu-west-1", "euw1-az9", "", False),  # newer than the list
        ("af-south-1", "afs1-az1", "", False),
        ("us-west-2", "usw2-lax1-az1", "", False),
    ],
)
def test_what_a_zone_lacks(region: str, zone: str, missing: str, known: bool) -> None:
    assert (lacks(zone), is_known(region, zone)) == (missing, known)


def test_no_zone_is_in_both_lists() -> None:
    assert not UNSUITED & {zone for zones in VPC_LINKS.values() for zone in zones}
    assert all(len(zones) >= 2 for zones in VPC_LINKS.values())


def test_bootstrap_leaves_out_the_same_zones() -> None:
    """A role cannot read a module's list."""
    assert yaml.safe_load(VARS.read_text(encoding="utf-8"))["__bootstrap_unsuited_zones"] == sorted(UNSUITED)


NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "Origin": "CreateRoute", "State": "active"}
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}


@pytest.mark.parametrize(
    ("routes", "leads"),
    [
        ([LOCAL], ""),
        ([LOCAL, NAT], "nat-1"),
        ([{**NAT, "State": "blackhole"}], ""),
        ([{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}], "igw-1"),
        ([{"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"}], ""),
        ([{"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"}], ""),
        ([{"DestinationCidrBlock": "0.0.0.0/0", "InstanceId": "i-1", "InstanceOwnerId": "1", "NetworkInterfaceId": "eni-1"}], "i-1"),
        ([{"DestinationCidrBlock": "0.0.0.0/0", "CoreNetworkArn": "arn:aws:networkmanager::1:core-network/1"}], "arn:aws:networkmanager::1:core-network/1"),
    ],
)
def test_where_a_default_route_leads(routes: list[dict[str, str]], leads: str) -> None:
    assert default_route({"Routes": routes}) == leads

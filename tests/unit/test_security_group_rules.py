# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.security_groups import (
    existing_rule,
    identity,
    permission,
    single_rules,
    wanted_rule,
)


def spec(**changes: t.Any) -> dict[str, t.Any]:
    return {
        "direction": "ingress",
        "protocol": "tcp",
        "from_port": 443,
        "to_port": None,
        "cidr": None,
        "security_group": None,
        "prefix_list_id": None,
        "description": "",
        **changes,
    }


def raw(**changes: t.Any) -> dict[str, t.Any]:
    return {"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IsEgress": False, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **changes}


@pytest.mark.parametrize(
    ("wanted", "existing"),
    [
        pytest.param(spec(cidr="10.0.0.0/8"), raw(CidrIpv4="10.0.0.0/8"), id="IPv4"),
        pytest.param(spec(cidr="10.1.2.3/8"), raw(CidrIpv4="10.0.0.0/8"), id="host bits"),
        pytest.param(spec(cidr="10.1.2.3"), raw(CidrIpv4="10.1.2.3/32"), id="one address"),
        pytest.param(spec(cidr="2001:DB8:0::/32"), raw(CidrIpv6="2001:db8::/32"), id="IPv6"),
        pytest.param(spec(prefix_list_id="pl-1"), raw(PrefixListId="pl-1"), id="prefix list"),
        pytest.param(spec(security_group="peer"), raw(ReferencedGroupInfo={"GroupId": "sg-2", "UserId": "1"}), id="group by name"),
        pytest.param(spec(security_group="sg-3"), raw(ReferencedGroupInfo={"GroupId": "sg-3"}), id="group by id"),
        pytest.param(spec(cidr="10.0.0.0/8", to_port=444), raw(CidrIpv4="10.0.0.0/8", ToPort=444), id="range of ports"),
        pytest.param(
            spec(cidr="0.0.0.0/0", direction="egress", protocol="-1", from_port=-1),
            raw(CidrIpv4="0.0.0.0/0", IsEgress=True, IpProtocol="-1", FromPort=-1, ToPort=-1),
            id="everything",
        ),
        pytest.param(spec(cidr="10.0.0.0/8", description="a"), raw(CidrIpv4="10.0.0.0/8", Description="b"), id="description"),
    ],
)
def test_same_rule(wanted: dict[str, t.Any], existing: dict[str, t.Any]) -> None:
    assert identity(wanted_rule(wanted, {"peer": "sg-2"})) == identity(existing_rule(existing))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(raw(CidrIpv4="10.0.0.0/16"), id="peer"),
        pytest.param(raw(CidrIpv4="10.0.0.0/8", ToPort=444), id="last port"),
        pytest.param(raw(CidrIpv4="10.0.0.0/8", FromPort=442), id="first port"),
        pytest.param(raw(CidrIpv4="10.0.0.0/8", IpProtocol="udp"), id="protocol"),
        pytest.param(raw(CidrIpv4="10.0.0.0/8", IsEgress=True), id="direction"),
    ],
)
def test_other_rule(other: dict[str, t.Any]) -> None:
    assert identity(wanted_rule(spec(cidr="10.0.0.0/8"), {})) != identity(existing_rule(other))


@pytest.mark.parametrize(
    ("wanted", "side"),
    [
        (spec(cidr="10.0.0.0/8"), {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}),
        (spec(cidr="::/0", description="x"), {"Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": "x"}]}),
        (spec(security_group="sg-3"), {"UserIdGroupPairs": [{"GroupId": "sg-3"}]}),
        (spec(prefix_list_id="pl-1"), {"PrefixListIds": [{"PrefixListId": "pl-1"}]}),
    ],
)
def test_permission(wanted: dict[str, t.Any], side: dict[str, t.Any]) -> None:
    ports = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    assert permission(wanted_rule(wanted, {})) == {**ports, **side}


def test_names_what_is_no_cidr() -> None:
    with pytest.raises(AwsError, match="cidr 10.0.0.0/33"):
        wanted_rule(spec(cidr="10.0.0.0/33"), {})


@pytest.mark.parametrize(("cidrs", "single"), [(["10.0.0.0/8", "::/0"], ["10.0.0.0/8", "::/0"]), ([], []), (None, [None])])
def test_each_block_is_a_rule_of_its_own(cidrs: list[str] | None, single: list[str | None]) -> None:
    assert [rule["cidr"] for rule in single_rules([{"cidrs": cidrs, "from_port": 1}])] == single


def test_prefix_lists_stand_beside_blocks() -> None:
    rules = single_rules([{"cidrs": ["10.0.0.0/8"], "prefix_list_ids": ["pl-1", "pl-2"], "security_group": None, "from_port": 1}])
    assert [(rule["cidr"], rule["prefix_list_id"]) for rule in rules] == [("10.0.0.0/8", None), (None, "pl-1"), (None, "pl-2")]

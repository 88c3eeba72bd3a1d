# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import typing as t
from collections import Counter
from threading import Timer

import pytest
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
GROUP, RULE = "ec2_security_group", "ec2_security_group_rule"


def rule(direction: str, port: int, description: str = "", **peer: t.Any) -> dict[str, t.Any]:
    return {"direction": direction, "from_port": port, "description": description, **peer}


@pytest.fixture
def vpc(aws: EmbeddedAWS) -> str:
    """A VPC with IPv6, so that EC2 opens a new group's egress to all of IPv6 too."""
    ec2 = aws.client("ec2")
    return ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]


@pytest.fixture
def params(vpc: str) -> dict[str, t.Any]:
    """Three groups, of which two refer to each other."""
    return {
        "vpc_id": vpc,
        "security_groups": [
            {
                "name": "x-front",
                "description": "Front",
                "rules": [rule("ingress", 443, "Users", cidrs=["10.0.0.0/8", "2001:db8::/32"]), rule("egress", 5000, "Back", security_group="x-back")],
            },
            {"name": "x-back", "description": "Back", "rules": [rule("ingress", 5000, "Front", security_group="x-front")]},
            {"name": "x-closed", "description": "Closed"},
        ],
        "tags": OWNER,
    }


def changed(params: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    """The parameters with changes to the first rule of the first group."""
    params = copy.deepcopy(params)
    params["security_groups"][0]["rules"][0].update(changes)
    return params


def actions(result: dict[str, t.Any]) -> list[tuple[str, str, str]]:
    return [(c["action"], c["kind"], c["name"]) for c in result["changes"]]


def operations(aws: EmbeddedAWS, since: int) -> list[str]:
    return sorted(call["operation"] for call in aws.mutating(since))


def rules(aws: EmbeddedAWS, group_id: str) -> set[tuple[t.Any, ...]]:
    found = aws.client("ec2").describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group_id]}])
    return {
        (
            r["IsEgress"],
            r["FromPort"],
            r.get("CidrIpv4") or r.get("CidrIpv6") or r["ReferencedGroupInfo"]["GroupId"],
            r.get("Description"),
            frozenset((tag["Key"], tag["Value"]) for tag in r["Tags"]),
        )
        for r in found["SecurityGroupRules"]
    }


def test_makes_groups_that_refer_to_each_other_once(aws: EmbeddedAWS, params: dict[str, t.Any]) -> None:
    mark = aws.mark()
    plan = run_module("ec2_security_groups", params, aws, check=True)
    assert aws.mutating(mark) == []

    made = run_module("ec2_security_groups", params, aws)
    assert (
        actions(made)
        == actions(plan)
        == [
            ("create", GROUP, "x-front"),
            ("create", RULE, "x-front/ingress tcp 443 10.0.0.0/8"),
            ("create", RULE, "x-front/ingress tcp 443 2001:db8::/32"),
            ("create", RULE, "x-front/egress tcp 5000 x-back"),
            ("create", GROUP, "x-back"),
            ("create", RULE, "x-back/ingress tcp 5000 x-front"),
            ("create", GROUP, "x-closed"),
        ]
    )
    ids = {name: group["id"] for name, group in made["security_groups"].items()}
    tags = frozenset(OWNER.items())
    assert rules(aws, ids["x-front"]) == {
        (False, 443, "10.0.0.0/8", "Users", tags),
        (False, 443, "2001:db8::/32", "Users", tags),
        (True, 5000, ids["x-back"], "Back", tags),
    }
    assert rules(aws, ids["x-back"]) == {(False, 5000, ids["x-front"], "Front", tags)}
    assert rules(aws, ids["x-closed"]) == set()

    mark = aws.mark()
    again = run_module("ec2_security_groups", params, aws)
    assert (again["changed"], again["security_groups"]) == (False, made["security_groups"])
    assert [call["operation"] for call in aws.calls(mark)] == ["DescribeSecurityGroups", "DescribeSecurityGroupRules"]


@pytest.mark.parametrize(
    ("change", "expected", "calls"),
    [
        ({"description": "All"}, [("update", "10.0.0.0/8"), ("update", "2001:db8::/32")], ["UpdateSecurityGroupRuleDescriptionsIngress"] * 2),
        (
            {"cidrs": ["10.0.0.0/16", "2001:db8::/32"]},
            [("create", "10.0.0.0/16"), ("delete", "10.0.0.0/8")],
            ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"],
        ),
        ({"cidrs": ["2001:db8:0::/32", "10.9.9.9/8"]}, [], []),
        ({"cidrs": ["10.0.0.0/8"]}, [("delete", "2001:db8::/32")], ["RevokeSecurityGroupIngress"]),
    ],
)
def test_changes_exactly_what_differs(
    aws: EmbeddedAWS, params: dict[str, t.Any], change: dict[str, t.Any], expected: list[tuple[str, str]], calls: list[str]
) -> None:
    run_module("ec2_security_groups", params, aws)
    wanted = changed(params, **change)
    plan = run_module("ec2_security_groups", wanted, aws, check=True)
    mark = aws.mark()
    done = run_module("ec2_security_groups", wanted, aws)
    assert done["changes"] == plan["changes"]
    assert actions(done) == [(action, RULE, f"x-front/ingress tcp 443 {peer}") for action, peer in expected]
    assert operations(aws, mark) == calls
    assert not run_module("ec2_security_groups", wanted, aws)["changed"]


def test_retags_groups_and_rules(aws: EmbeddedAWS, params: dict[str, t.Any]) -> None:
    ids = run_module("ec2_security_groups", {**params, "tags": {**OWNER, "old": "1"}}, aws)["security_groups"]
    mark = aws.mark()
    wanted = {**params, "tags": {**OWNER, "new": "1"}}
    result = run_module("ec2_security_groups", wanted, aws)
    assert Counter(action for action, _kind, _name in actions(result)) == {"update": 7}
    assert set(operations(aws, mark)) == {"CreateTags", "DeleteTags"}
    assert {tags for *_rest, tags in rules(aws, ids["x-front"]["id"])} == {frozenset(wanted["tags"].items())}
    assert not run_module("ec2_security_groups", wanted, aws)["changed"]


def test_puts_back_what_was_changed_by_hand(aws: EmbeddedAWS, params: dict[str, t.Any]) -> None:
    ids = run_module("ec2_security_groups", params, aws)["security_groups"]
    ec2 = aws.client("ec2")
    ec2.authorize_security_group_egress(GroupId=ids["x-closed"]["id"], IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    ec2.revoke_security_group_ingress(
        GroupId=ids["x-back"]["id"],
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 5000, "ToPort": 5000, "UserIdGroupPairs": [{"GroupId": ids["x-front"]["id"], "Description": "Front"}]}
        ],
    )
    mended = run_module("ec2_security_groups", params, aws)
    assert actions(mended) == [("create", RULE, "x-back/ingress tcp 5000 x-front"), ("delete", RULE, "x-closed/egress -1 -1 0.0.0.0/0")]
    assert not run_module("ec2_security_groups", params, aws)["changed"]


def test_takes_a_rule_without_tags_over(aws: EmbeddedAWS, params: dict[str, t.Any]) -> None:
    ids = run_module("ec2_security_groups", params, aws)["security_groups"]
    wanted = copy.deepcopy(params)
    wanted["security_groups"][2]["rules"] = [rule("ingress", 22, cidrs=["10.0.0.1/32"])]
    aws.client("ec2").authorize_security_group_ingress(
        GroupId=ids["x-closed"]["id"], IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.1/32"}]}]
    )
    result = run_module("ec2_security_groups", wanted, aws)
    assert actions(result) == [("update", RULE, "x-closed/ingress tcp 22 10.0.0.1/32")]
    assert not run_module("ec2_security_groups", wanted, aws)["changed"]


def test_adds_a_group_that_an_existing_group_refers_to(aws: EmbeddedAWS, params: dict[str, t.Any]) -> None:
    run_module("ec2_security_groups", params, aws)
    wanted = copy.deepcopy(params)
    wanted["security_groups"][2]["rules"] = [rule("egress", 25, security_group="x-mail")]
    wanted["security_groups"].append({"name": "x-mail", "description": "Mail"})
    plan = run_module("ec2_security_groups", wanted, aws, check=True)
    done = run_module("ec2_security_groups", wanted, aws)
    assert actions(plan) == actions(done) == [("create", RULE, "x-closed/egress tcp 25 x-mail"), ("create", GROUP, "x-mail")]
    assert {"name": "peer", "before": None, "after": "(known after apply)"} in plan["changes"][0]["fields"]
    assert not run_module("ec2_security_groups", wanted, aws)["changed"]


def test_removes_groups_that_refer_to_each_other(aws: EmbeddedAWS, params: dict[str, t.Any]) -> None:
    ec2 = aws.client("ec2")
    run_module("ec2_security_groups", params, aws)
    absent = {**params, "state": "absent"}
    plan = run_module("ec2_security_groups", absent, aws, check=True)
    mark = aws.mark()
    gone = run_module("ec2_security_groups", absent, aws)
    assert gone["changes"] == plan["changes"]
    assert Counter((action, kind) for action, kind, _name in actions(gone)) == {("delete", GROUP): 3, ("delete", RULE): 4}
    assert Counter(operations(aws, mark)) == {  # one attempt each: no group was tried while a rule referred to it
        "RevokeSecurityGroupIngress": 3,
        "RevokeSecurityGroupEgress": 1,
        "DeleteSecurityGroup": 3,
    }
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [params["vpc_id"]]}])["SecurityGroups"]
    assert [group["GroupName"] for group in groups] == ["default"]
    mark = aws.mark()
    assert not run_module("ec2_security_groups", absent, aws)["changed"]
    assert aws.mutating(mark) == []


def test_waits_for_network_interfaces_that_use_a_group(aws: EmbeddedAWS, params: dict[str, t.Any]) -> None:
    ec2 = aws.client("ec2")
    subnet = ec2.create_subnet(VpcId=params["vpc_id"], CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = run_module("ec2_security_groups", params, aws)["security_groups"]["x-closed"]["id"]
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
    mark = aws.mark()
    Timer(1.5, ec2.delete_network_interface, kwargs={"NetworkInterfaceId": interface}).start()
    run_module("ec2_security_groups", {**params, "state": "absent"}, aws)
    assert Counter(operations(aws, mark))["DeleteSecurityGroup"] > 3
    assert "x-closed" not in {g["GroupName"] for g in ec2.describe_security_groups()["SecurityGroups"]}


def test_leaves_groups_of_others(aws: EmbeddedAWS, params: dict[str, t.Any]) -> None:
    ec2 = aws.client("ec2")
    other_vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    elsewhere = ec2.create_security_group(GroupName="x-front", Description="Front", VpcId=other_vpc)["GroupId"]
    here = ec2.create_security_group(GroupName="x-closed", Description="Closed", VpcId=params["vpc_id"])["GroupId"]
    with pytest.raises(ModuleFailed, match="ec2_security_group x-closed: it exists already and is not of this stack"):
        run_module("ec2_security_groups", params, aws)
    run_module("ec2_security_groups", {**params, "state": "absent"}, aws)
    kept = {group["GroupId"]: group for group in ec2.describe_security_groups()["SecurityGroups"]}
    assert kept[elsewhere]["IpPermissionsEgress"] and kept[here]["IpPermissionsEgress"]


def test_description_of_a_group_stays(aws: EmbeddedAWS, params: dict[str, t.Any]) -> None:
    run_module("ec2_security_groups", params, aws)
    params["security_groups"][2]["description"] = "Other"
    with pytest.raises(ModuleFailed, match="description cannot be changed on an existing ec2_security_group"):
        run_module("ec2_security_groups", params, aws)


def test_a_superseded_group_stays_with_its_rules_until_it_is_told_to_go(aws: EmbeddedAWS, params: dict[str, t.Any]) -> None:
    """x-front goes, to which x-back has a rule; a group of that name that is somebody else's does not."""
    run_module("ec2_security_groups", params, aws)
    theirs = aws.client("ec2").create_security_group(GroupName="x-theirs", Description="Theirs", VpcId=params["vpc_id"])["GroupId"]
    wanted = [{**group, "rules": []} for group in params["security_groups"][1:]]
    after = {**params, "security_groups": wanted, "superseded": ["x-front", "x-theirs", "x-none"]}
    mark = aws.mark()
    kept = run_module("ec2_security_groups", after, aws)
    assert (kept["changed"], kept["superseded"], aws.mutating(mark)) == (False, ["x-front"], [])

    gone = [("delete", RULE, "x-back/ingress tcp 5000 x-front"), ("delete", GROUP, "x-front")]
    plan = run_module("ec2_security_groups", {**after, "remove_superseded": True}, aws, check=True)
    done = run_module("ec2_security_groups", {**after, "remove_superseded": True}, aws)
    assert actions(plan) == actions(done) == gone and done["superseded"] == []
    assert [call["operation"] for call in aws.mutating(mark)] == ["RevokeSecurityGroupIngress", "DeleteSecurityGroup"]
    named = {group["GroupName"]: group["GroupId"] for group in aws.client("ec2").describe_security_groups()["SecurityGroups"]}
    assert "x-front" not in named and named["x-theirs"] == theirs
    assert run_module("ec2_security_groups", after, aws)["superseded"] == []


def test_lets_prefix_lists_in_beside_cidr_blocks(aws: EmbeddedAWS, params: dict[str, t.Any]) -> None:
    made = aws.client("ec2").create_managed_prefix_list(PrefixListName="offices", AddressFamily="IPv4", MaxEntries=10)
    offices = made["PrefixList"]["PrefixListId"]
    run_module("ec2_security_groups", params, aws)
    wanted = changed(params, prefix_list_ids=[offices])
    assert actions(run_module("ec2_security_groups", wanted, aws)) == [("create", RULE, f"x-front/ingress tcp 443 {offices}")]
    assert not run_module("ec2_security_groups", wanted, aws)["changed"]
    alone = changed(params, prefix_list_ids=[offices], cidrs=[])
    assert {name for _action, _kind, name in actions(run_module("ec2_security_groups", alone, aws))} == {
        f"x-front/ingress tcp 443 {cidr}" for cidr in ("10.0.0.0/8", "2001:db8::/32")
    }
    assert actions(run_module("ec2_security_groups", params, aws))[-1] == ("delete", RULE, f"x-front/ingress tcp 443 {offices}")
    with pytest.raises(ModuleFailed, match="mutually exclusive"):
        run_module("ec2_security_groups", changed(params, prefix_list_ids=[offices], cidrs=None, security_group="x-back"), aws)

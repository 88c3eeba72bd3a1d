# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: security groups of one VPC that refer to each other, with all their rules."""

from __future__ import annotations

import functools
import ipaddress
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list

IN_USE_SECONDS = 900
"""How long the network interfaces of what was just removed, such as a load balancer, may go on using their group."""


def existing_rule(raw: dict[str, t.Any]) -> State:
    """A rule in the form of ``wanted_rule``, from what DescribeSecurityGroupRules returns."""
    addresses = raw.get("CidrIpv4") or raw.get("CidrIpv6") or raw.get("PrefixListId")
    return {
        "direction": "egress" if raw["IsEgress"] else "ingress",
        "protocol": raw["IpProtocol"],
        "from_port": raw.get("FromPort", -1),
        "to_port": raw.get("ToPort", -1),
        "peer": addresses or raw["ReferencedGroupInfo"]["GroupId"],
        "description": raw.get("Description", ""),
        "id": raw["SecurityGroupRuleId"],
        "tags": tag_dict(raw.get("Tags", [])),
    }


def wanted_rule(spec: dict[str, t.Any], group_ids: dict[str, str]) -> State:
    """A rule of ``single_rules``, its peer as EC2 spells it, with the ids of the groups that it may name."""
    if spec["cidr"]:
        try:
            peer = str(ipaddress.ip_network(spec["cidr"], strict=False))  # EC2 clears the host bits too
        except ValueError as error:
            raise AwsError(f"cidr {spec['cidr']}: {error}") from error
    else:
        peer = spec["prefix_list_id"] or group_ids.get(spec["security_group"], spec["security_group"])
    return {
        "direction": spec["direction"],
        "protocol": spec["protocol"],
        "from_port": spec["from_port"],
        "to_port": spec["from_port"] if spec["to_port"] is None else spec["to_port"],
        "peer": peer,
        "description": spec["description"],
    }


def single_rules(rules: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """The rules of the module's options with one peer each: ``cidr``, ``prefix_list_id`` or ``security_group``."""
    peers = {"cidrs": "cidr", "prefix_list_ids": "prefix_list_id"}

    def each(rule: dict[str, t.Any]) -> list[dict[str, str]]:
        if all(rule.get(many) is None for many in peers):
            return [{}]  # of a group
        return [{one: peer} for many, one in peers.items() for peer in rule.get(many) or ()]

    return [{**rule, **dict.fromkeys(peers.values()), **peer} for rule in rules for peer in each(rule)]


def identity(rule: State) -> tuple[t.Any, ...]:
    """What makes two rules the same for EC2."""
    return tuple(rule[k] for k in ("direction", "protocol", "from_port", "to_port", "peer"))


def permission(rule: State) -> dict[str, t.Any]:
    """A rule as the IpPermission that the Authorize* operations take."""
    peer = rule["peer"]
    if peer.startswith("sg-"):
        side, key = "UserIdGroupPairs", "GroupId"
    elif peer.startswith("pl-"):
        side, key = "PrefixListIds", "PrefixListId"
    elif ":" in peer:
        side, key = "Ipv6Ranges", "CidrIpv6"
    else:
        side, key = "IpRanges", "CidrIp"
    description = {"Description": rule["description"]} if rule["description"] else {}
    return {"IpProtocol": rule["protocol"], "FromPort": rule["from_port"], "ToPort": rule["to_port"], side: [{key: peer, **description}]}


def is_open(rule: State) -> bool:
    """Whether a rule lets in everybody."""
    return rule["direction"] == "ingress" and rule["peer"] in ("0.0.0.0/0", "::/0")


class Tagged(Resource):
    """What EC2's CreateTags and DeleteTags tag."""

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        ec2 = self.aws.client("ec2")
        if to_unset:
            ec2.delete_tags(Resources=[before["id"]], Tags=[{"Key": key} for key in to_unset])
        if to_set:
            ec2.create_tags(Resources=[before["id"]], Tags=tag_list(to_set))


class Group(Tagged):
    """A security group with exactly the rules of its ``spec``: ``name``, ``description``, and ``rules`` as `single_rules` returns them."""

    kind = "ec2_security_group"
    tags: dict[str, str]
    immutable = frozenset({"description"})
    superseded: t.Sequence[Group] = ()
    """The groups of this run that are not needed any more."""
    kept = False
    """Of such a group: whether it stays for now, with the rules that name it."""

    def __init__(self, aws: Aws, vpc_id: str, spec: State, siblings: dict[str, Group], tags: dict[str, str], absent: bool) -> None:
        super().__init__(aws, spec["name"], spec, tags=tags, absent=absent)
        self.vpc_id, self.siblings = vpc_id, siblings
        """``siblings``: all groups of this run by name, this one among them."""

    def describe(self) -> State | None:
        return self._groups_before().get(self.name)

    def _groups_before(self) -> dict[str, State]:
        filters = [{"Name": "vpc-id", "Values": [self.vpc_id]}, {"Name": "group-name", "Values": list(self.siblings)}]
        groups = self.aws.once("groups", lambda: self.aws.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=filters))
        return {g["GroupName"]: {"id": g["GroupId"], "description": g["Description"], "tags": tag_dict(g.get("Tags", []))} for g in groups}

    def prefetch_reads(self) -> list[t.Callable[[], t.Any]]:
        return [self._rules_of_all]

    def _rules_of_all(self) -> list[dict[str, t.Any]]:
        """The rules that the groups of this run had before it."""
        filters = [{"Name": "group-id", "Values": [g["id"] for g in self._groups_before().values()]}]
        read = functools.partial(self.aws.pages, "ec2", "describe_security_group_rules", "SecurityGroupRules", Filters=filters)
        return self.aws.once("rules", read) if self._groups_before() else []

    def _rules_before(self) -> list[State]:
        return [existing_rule(rule) for rule in self._rules_of_all() if rule["GroupId"] == self.actual["id"]]

    def desired(self) -> State:
        return {"description": self.spec["description"]}

    def unknown(self) -> State:
        return {"id": UNKNOWN}

    def create(self, desired: State) -> State:
        ec2 = self.aws.client("ec2")
        group_id = ec2.create_security_group(
            GroupName=self.name,
            Description=desired["description"],
            VpcId=self.vpc_id,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": tag_list(desired["tags"])}],
        )["GroupId"]
        self._close(group_id)
        return {"id": group_id}

    def _close(self, group_id: str) -> None:
        """Revoke the egress to everywhere that EC2 gives a new group, before anything can use the group."""
        ec2 = self.aws.client("ec2")
        # The client sends no removal again, and starting over would find the rule and list its removal as a change.
        revoke = functools.partial(retry_on, ec2.revoke_security_group_egress, "InvalidGroup.NotFound", GroupId=group_id)
        revoke(IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        # Only a group in a VPC with IPv6 has this one.
        ipv6 = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
        none_if_missing(revoke, "InvalidPermission.NotFound", IpPermissions=[ipv6])

    def delete(self, before: State) -> None:
        ec2 = self.aws.client("ec2")
        retry_on(ec2.delete_security_group, "DependencyViolation", timeout=IN_USE_SECONDS, GroupId=before["id"])

    def children(self) -> list[Rule]:
        if self.absent:
            return []  # build() has put them first: a group cannot go while rules of another refer to it
        ids = {name: group["id"] for name, group in self._groups_before().items()}
        before = {} if self.newly_created() else {identity(rule): rule for rule in self._rules_before()}
        wanted = [(spec, identity(wanted_rule(spec, ids))) for spec in self.spec["rules"]]
        stray = [rule for key, rule in before.items() if key not in {key for _spec, key in wanted}]
        superseded = {ids[group.name]: group for group in self.superseded}
        return [
            *(Rule(self, spec, before.get(key)) for spec, key in wanted),
            *(
                Rule(self, None, rule, absent=True, needs=[group] if group else [])
                for rule, group in ((rule, superseded.get(rule["peer"])) for rule in stray)
                if not (group and group.kept)
            ),
        ]

    def rules_to_remove(self) -> list[Rule]:
        """All rules of a group that is removed; none where it is not ours."""
        self.state = self.describe()
        if self.state is None or self._owned_by_another(self.state):
            return []
        return [Rule(self, None, rule, absent=True, needs=self.siblings.values()) for rule in self._rules_before()]


class Rule(Tagged):
    """A rule of a group: one that is wanted (``spec``), one that exists (``before``), or both.

    All rules of our group are ours, whatever their tags say.
    """

    kind = "ec2_security_group_rule"

    def __init__(self, group: Group, spec: State | None, before: State | None, *, absent: bool = False, needs: t.Iterable[Group] = ()) -> None:
        names = {g["id"]: name for name, g in group._groups_before().items()}
        had = before or {}
        shown = wanted_rule(spec, {}) if spec else {**had, "peer": names.get(had["peer"], had["peer"])}
        first, last = shown["from_port"], shown["to_port"]
        ports = str(first) if first == last else f"{first}-{last}"
        peer = group.siblings.get(spec["security_group"]) if spec else None
        super().__init__(
            group.aws,
            f"{group.name}/{shown['direction']} {shown['protocol']} {ports} {shown['peer']}",
            spec,
            needs=[peer] if peer else list(needs),
            parent=group,
            absent=absent,
        )
        self.group, self.before = group, before

    def describe(self) -> State | None:
        return self.before

    def desired(self) -> State:
        ids = {name: group.state["id"] for name, group in self.group.siblings.items() if group.state}
        return {**wanted_rule(self.spec, ids), "tags": dict(self.group.tags)}

    def unknown(self) -> State:
        return {"id": UNKNOWN}

    def create(self, desired: State) -> State:
        ec2 = self.aws.client("ec2")
        authorize = getattr(ec2, f"authorize_security_group_{desired['direction']}")
        answer = authorize(
            GroupId=self.group.actual["id"],
            IpPermissions=[permission(desired)],
            TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": tag_list(desired["tags"])}],
        )
        return {"id": answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]}

    def update(self, before: State, changes: State) -> None:
        operation = f"update_security_group_rule_descriptions_{before['direction']}"
        getattr(self.aws.client("ec2"), operation)(
            GroupId=self.group.actual["id"], SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": before["id"], "Description": changes["description"]}]
        )

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before is None and is_open(changes):
            return [f"opens the group to the internet: everybody who can reach {self.group.name} may connect"]
        return []

    def delete(self, before: State) -> None:
        operation = f"revoke_security_group_{before['direction']}"
        getattr(self.aws.client("ec2"), operation)(GroupId=self.group.actual["id"], SecurityGroupRuleIds=[before["id"]])

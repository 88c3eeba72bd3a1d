#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_security_groups
version_added: 1.0.0
short_description: Manage security groups that refer to each other
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes a set of security groups of one VPC at the same time, with exactly the rules given here. Other
    rules of these groups are revoked, also the egress to everywhere that EC2 gives every new group.
  - A rule may name another group of the set, whichever is created first.
  - Used in place of M(amazon.aws.ec2_security_group), which must be called twice for groups that refer to each other, reports a
    change in check mode where the run then fails, pauses three seconds for each new group, and does not tag rules.
options:
  vpc_id:
    description: ID of the VPC of the groups. Groups of the same name in other VPCs are left alone.
    type: str
    required: true
  security_groups:
    description: The security groups.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the group, unique in the VPC.
        type: str
        required: true
      description:
        description:
          - What the group is for. EC2 cannot change it on an existing group, so a change is an error.
          - Required with O(state=present).
        type: str
      rules:
        description: All rules of the group. Two rules are the same if they differ in nothing but O(security_groups[].rules[].description).
        type: list
        elements: dict
        default: []
        suboptions:
          direction:
            description: Whether the rule allows traffic to the group or from it.
            type: str
            choices: [ingress, egress]
            required: true
          protocol:
            description: V(tcp), V(udp), V(icmp), V(icmpv6), a protocol number, or V(-1) for all.
            type: str
            default: tcp
          from_port:
            description: First port. V(-1) with all protocols.
            type: int
            required: true
          to_port:
            description: Last port. The first port where omitted.
            type: int
          cidrs:
            description: Addresses of the other side, IPv4 and IPv6 CIDR blocks. Each makes a rule of its own.
            type: list
            elements: str
          security_group:
            description: The other side as name of a group in O(security_groups), or as ID of any group.
            type: str
          prefix_list_id:
            description: ID of the prefix list with the addresses of the other side.
            type: str
          description:
            description: What the rule is for, at most 255 characters.
            type: str
            default: ""
  superseded:
    description:
      - Names of groups that are no longer needed and may still be in use. With O(state=present) those of the stack are left as they are,
        with all rules that name them, and RV(superseded) says which they are, until O(remove_superseded) is true.
    type: list
    elements: str
    default: []
  remove_superseded:
    description: Whether the groups of O(superseded), and the rules that name them, are removed.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Ensure that the database takes connections from the service only
  mlplatform.mlflow_aws.ec2_security_groups:
    vpc_id: vpc-0a1b2c3d4e5f67890
    security_groups:
      - name: mlflow-team-x-service
        description: MLflow servers
        rules:
          - direction: egress
            from_port: 3306
            security_group: mlflow-team-x-database
            description: Database
      - name: mlflow-team-x-database
        description: MLflow database
        rules:
          - direction: ingress
            from_port: 3306
            security_group: mlflow-team-x-service
            description: MLflow servers
    tags:
      team: x
"""

RETURN = r"""
security_groups:
  description: The security groups by name, as they are after the run. Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    mlflow-team-x-database:
      id: sg-0a1b2c3d4e5f67890
superseded:
  description: Names of the groups of O(superseded) that exist, belong to the stack, and were not removed by this run.
  type: list
  elements: str
  returned: success
  sample: []
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: V(create), V(update), V(replace) or V(delete).
      type: str
    kind:
      description: Kind of the resource, V(ec2_security_group) or V(ec2_security_group_rule).
      type: str
      sample: ec2_security_group
    name:
      description: Name of the resource; of a rule what it allows.
      type: str
      sample: mlflow-team-x-database/ingress tcp 3306 mlflow-team-x-service
    fields:
      description: What differs, each with C(name), C(before) and C(after).
      type: list
      elements: dict
    warnings:
      description: What the change costs, such as downtime.
      type: list
      elements: str
"""

import functools
import ipaddress
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run

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
    """The rules of the module's options with one peer each: ``cidr`` in place of ``cidrs``."""
    return [{**rule, "cidr": cidr} for rule in rules for cidr in (rule["cidrs"] if rule["cidrs"] is not None else [None])]


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
    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        ec2 = self.aws.client("ec2")
        if to_unset:
            ec2.delete_tags(Resources=[before["id"]], Tags=[{"Key": key} for key in to_unset])
        if to_set:
            ec2.create_tags(Resources=[before["id"]], Tags=tag_list(to_set))


class Group(Tagged):
    kind = "ec2_security_group"
    immutable = frozenset({"description"})
    superseded: t.Sequence[Group] = ()
    """The groups of this run that are wanted no more."""
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

    def _rules_before(self) -> list[State]:
        filters = [{"Name": "group-id", "Values": [g["id"] for g in self._groups_before().values()]}]
        rules = self.aws.once("rules", lambda: self.aws.pages("ec2", "describe_security_group_rules", "SecurityGroupRules", Filters=filters))
        return [existing_rule(rule) for rule in rules if rule["GroupId"] == self.state["id"]]

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
        """All rules of a group that goes; none where it is not ours."""
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
        shown = wanted_rule(spec, {}) if spec else {**before, "peer": names.get(before["peer"], before["peer"])}
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
            GroupId=self.group.state["id"],
            IpPermissions=[permission(desired)],
            TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": tag_list(desired["tags"])}],
        )
        return {"id": answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]}

    def update(self, before: State, changes: State) -> None:
        operation = f"update_security_group_rule_descriptions_{before['direction']}"
        getattr(self.aws.client("ec2"), operation)(
            GroupId=self.group.state["id"], SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": before["id"], "Description": changes["description"]}]
        )

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before is None and is_open(changes):
            return [f"opens the group to the internet: everybody who can reach {self.group.name} may connect"]
        return []

    def delete(self, before: State) -> None:
        operation = f"revoke_security_group_{before['direction']}"
        getattr(self.aws.client("ec2"), operation)(GroupId=self.group.state["id"], SecurityGroupRuleIds=[before["id"]])


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent, tags = params["state"] == "absent", params["tags"]
    groups: dict[str, Group] = {}
    for spec in params["security_groups"]:
        if not absent and not spec["description"]:
            raise AwsError(f"ec2_security_group {spec['name']}: description is required: EC2 makes no group without it")
        spec = {**spec, "rules": single_rules(spec["rules"])}
        groups[spec["name"]] = Group(aws, params["vpc_id"], spec, groups, tags, absent)
    rules = [rule for group in groups.values() for rule in group.rules_to_remove()] if absent else []
    wanted = list(groups.values())
    going = () if absent else _superseded(aws, params, groups)
    for group in wanted:
        group.superseded = group.needs = going  # which go after it, and after its rules that name them
    keep = not params["remove_superseded"]
    for group in going:
        group.kept = keep
    return [*rules, *wanted, *([] if keep else going)], lambda: {
        "security_groups": {g.name: {"id": g.state["id"]} for g in wanted if g.state},
        "superseded": [group.name for group in going if keep],
    }


def _superseded(aws: Aws, params: dict[str, t.Any], groups: dict[str, Group]) -> tuple[Group, ...]:
    """The groups that are wanted no more and are there and ours. They are put among ``groups``, which are read together."""
    more = {name: Group(aws, params["vpc_id"], {"name": name}, groups, params["tags"], True) for name in params["superseded"]}
    groups.update(more)
    return tuple(group for group in more.values() if (state := group.current_state()) and not group._owned_by_another(state))


def main() -> None:
    peers = ["cidrs", "security_group", "prefix_list_id"]
    rule = {
        "direction": {"type": "str", "choices": ["ingress", "egress"], "required": True},
        "protocol": {"type": "str", "default": "tcp"},
        "from_port": {"type": "int", "required": True},
        "to_port": {"type": "int"},
        "cidrs": {"type": "list", "elements": "str"},
        "security_group": {"type": "str"},
        "prefix_list_id": {"type": "str"},
        "description": {"type": "str", "default": ""},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "vpc_id": {"type": "str", "required": True},
            "security_groups": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "description": {"type": "str"},
                    "rules": {"type": "list", "elements": "dict", "default": [], "options": rule, "mutually_exclusive": [peers], "required_one_of": [peers]},
                },
            },
            "superseded": {"type": "list", "elements": "str", "default": []},
            "remove_superseded": {"type": "bool", "default": False},
            **STATE,
            **TAGS,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

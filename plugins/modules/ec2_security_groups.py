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
          prefix_list_ids:
            description: IDs of managed prefix lists with addresses of the other side, also beside O(security_groups[].rules[].cidrs). Each makes a
              rule of its own.
            type: list
            elements: str
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
- name: Create that the database takes connections from the service only
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

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.security_groups import Group, single_rules


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent, tags = params["state"] == "absent", params["tags"]
    groups: dict[str, Group] = {}
    for spec in params["security_groups"]:
        if not absent and not spec["description"]:
            raise AwsError(f"ec2_security_group {spec['name']}: description is required: EC2 creates no group without it")
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
    """The groups that are not needed any more, exist and are ours. They are put among ``groups``, which are read together."""
    more = {name: Group(aws, params["vpc_id"], {"name": name}, groups, params["tags"], True) for name in params["superseded"]}
    groups.update(more)
    return tuple(group for group in more.values() if (state := group.current_state()) and not group._owned_by_another(state))


def main() -> None:
    peers = ["cidrs", "prefix_list_ids", "security_group"]
    rule = {
        "direction": {"type": "str", "choices": ["ingress", "egress"], "required": True},
        "protocol": {"type": "str", "default": "tcp"},
        "from_port": {"type": "int", "required": True},
        "to_port": {"type": "int"},
        "cidrs": {"type": "list", "elements": "str"},
        "prefix_list_ids": {"type": "list", "elements": "str"},
        "security_group": {"type": "str"},
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
                    "rules": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "options": rule,
                        "mutually_exclusive": [[peer, "security_group"] for peer in peers[:2]],
                        "required_one_of": [peers],
                    },
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

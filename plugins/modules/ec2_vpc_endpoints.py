#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_vpc_endpoints
version_added: 1.1.0
short_description: Manage the VPC endpoints of AWS services in a VPC
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes the endpoints of a VPC, all at the same time. Other endpoints of the VPC that carry both tags C(managed-by) and
    C(mlflow-stack) of O(tags) are deleted.
  - Used in place of M(amazon.aws.ec2_vpc_endpoint), which changes neither policy, route tables, subnets nor security groups of an endpoint.
options:
  vpc_id:
    description: ID of the VPC.
    type: str
    required: true
  endpoints:
    description: The endpoints. One service has one of each type. Required with O(state=present).
    type: list
    elements: dict
    suboptions:
      service:
        description: Name of the service, such as C(com.amazonaws.eu-west-1.s3).
        type: str
        required: true
      name:
        description: Its tag C(Name), beside O(tags).
        type: str
      type:
        description: V(Gateway) adds routes, V(Interface) network interfaces, to which the service's own name leads in the VPC.
        type: str
        choices: [Gateway, Interface]
        default: Interface
      route_table_ids:
        description: Route tables of a V(Gateway). Not managed where omitted.
        type: list
        elements: str
      subnet_ids:
        description: Subnets of an V(Interface). Not managed where omitted.
        type: list
        elements: str
      security_group_ids:
        description: Security groups of an V(Interface). Not managed where omitted.
        type: list
        elements: str
      policy:
        description: Policy that says what may be done through the endpoint. Not managed where omitted; a new endpoint then allows everything.
        type: dict
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Create the endpoints of S3 and of CloudWatch Logs
  mlplatform.mlflow_aws.ec2_vpc_endpoints:
    vpc_id: vpc-0a1b2c3d4e5f67890
    endpoints:
      - service: com.amazonaws.eu-west-1.s3
        type: Gateway
        route_table_ids: [rtb-0a1b2c3d4e5f67890]
      - service: com.amazonaws.eu-west-1.logs
        subnet_ids: [subnet-0a1b2c3d4e5f67890]
        security_group_ids: [sg-0a1b2c3d4e5f67890]
    tags:
      managed-by: mlplatform.mlflow_aws
      mlflow-stack: team-x
"""

RETURN = r"""
endpoints:
  description: IDs of the endpoints by service, as they are after the run. Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    com.amazonaws.eu-west-1.s3: vpce-0a1b2c3d4e5f67890
ready:
  description: Whether AWS has finished its work.
  type: bool
  returned: success
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: V(create), V(update) or V(delete).
      type: str
    kind:
      description: Kind of the resource, V(ec2_vpc_endpoint).
      type: str
      sample: ec2_vpc_endpoint
    name:
      description: Name of the service.
      type: str
      sample: com.amazonaws.eu-west-1.s3
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

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS, WAIT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import OWNER_TAGS, owner_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.vpc_endpoints import ENDED, VpcEndpoint, endpoints_of


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    vpc_id, tags, absent = params["vpc_id"], params["tags"], params["state"] == "absent"
    there, owner = endpoints_of(aws, vpc_id), owner_tags(tags)
    wanted = {(spec["service"], spec["type"]): spec for spec in ([] if absent else params["endpoints"])}
    endpoints = [
        VpcEndpoint(aws, service, {**spec, "vpc_id": vpc_id}, tags={**tags, **({"Name": spec["name"]} if spec["name"] else {})})
        for (service, _type), spec in wanted.items()
    ]
    for endpoint in endpoints:
        mine = [each for each in there if (each["service"], each["type"]) == (endpoint.name, endpoint.spec["type"]) and each["state"].lower() not in ENDED]
        mine.sort(key=endpoint._owned_by_another)  # ours first
        endpoint.set_current_state(mine[0] if mine else None)
    stray = []
    for each in there:
        ours = len(owner) == len(OWNER_TAGS) and owner.items() <= each["tags"].items()
        if ours and (each["service"], each["type"]) not in wanted and each["state"].lower() != "deleted":
            stray.append(VpcEndpoint(aws, each["service"], {"vpc_id": vpc_id, "type": each["type"]}, tags=tags, absent=True))
            stray[-1].set_current_state(each)
    return [*endpoints, *stray], lambda: {"endpoints": {each.name: each.actual["id"] for each in endpoints}}


def main() -> None:
    strings = {"type": "list", "elements": "str"}
    module = AnsibleAWSModule(
        argument_spec={
            "vpc_id": {"type": "str", "required": True},
            "endpoints": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "service": {"type": "str", "required": True},
                    "name": {"type": "str"},
                    "type": {"type": "str", "choices": ["Gateway", "Interface"], "default": "Interface"},
                    "route_table_ids": strings,
                    "subnet_ids": strings,
                    "security_group_ids": strings,
                    "policy": {"type": "dict"},
                },
            },
            **STATE,
            **TAGS,
            **WAIT,
        },
        required_if=[("state", "present", ["endpoints"])],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

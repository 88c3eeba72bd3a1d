#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apigatewayv2_vpc_link
version_added: 1.0.0
short_description: Manage a VPC link of API Gateway
author: mlplatform contributors (@mlplatform)
description:
  - Creates and deletes the VPC link by which an HTTP API reaches into a VPC. No existing module does.
  - A VPC link's subnets and security groups cannot be changed, and API Gateway refuses to delete a link that an
    integration uses. So where they differ a new link of the same name is created beside the old one, which then is in
    RV(superseded). Once the integration uses the new link, remove the old one with O(state=absent) and O(vpc_link_ids).
    No request is lost in between.
  - Several VPC links can have one name; those that carry one of the tags C(managed-by) and C(mlflow-stack) of O(tags)
    are ours.
options:
  name:
    description: Name of the VPC link.
    type: str
    required: true
  subnet_ids:
    description: Subnets that the link has its network interfaces in. Required with O(state=present).
    type: list
    elements: str
  security_group_ids:
    description: Security groups of these network interfaces.
    type: list
    elements: str
    default: []
  vpc_link_ids:
    description: With O(state=absent), the links to remove, among those that are ours. All of them where omitted.
    type: list
    elements: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Create the VPC link
  mlplatform.mlflow_aws.apigatewayv2_vpc_link:
    name: mlflow-team-x
    subnet_ids: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
    security_group_ids: [sg-0123456789abcdef0]
    tags:
      managed-by: mlplatform.mlflow_aws
      mlflow-stack: mlflow-team-x
  register: vpc_link

# ... the integration is made to use vpc_link.vpc_link.id ...

- name: Remove the link that it used before
  mlplatform.mlflow_aws.apigatewayv2_vpc_link:
    name: mlflow-team-x
    vpc_link_ids: "{{ vpc_link.superseded }}"
    state: absent
    tags:
      managed-by: mlplatform.mlflow_aws
      mlflow-stack: mlflow-team-x
"""

RETURN = r"""
vpc_link:
  description: The VPC link as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  contains:
    id:
      description: ID of the link.
      type: str
      sample: a1b2c3
    name:
      description: Name of the link.
      type: str
superseded:
  description: IDs of the links that are ours and have other subnets or security groups.
  type: list
  elements: str
  returned: success
  sample: []
ready:
  description: Whether AWS has finished its work on all of it; without O(wait) it may not have. True in check mode.
  type: bool
  returned: success
  sample: true
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
      description: Kind of the resource.
      type: str
      sample: apigatewayv2_vpc_link
    name:
      description: Name of the resource.
      type: str
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.vpc_link import VPC_LINK, VpcLink, links_to_remove
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[t.Sequence[Resource], t.Callable[[], dict[str, t.Any]]]:
    link = VpcLink(aws, params["name"], params, tags=params["tags"])
    if params["state"] == "present":
        return [link], lambda: {"vpc_link": {"id": link.actual["id"], "name": link.name}, "superseded": sorted(other["id"] for other in link.others)}
    wanted = params["vpc_link_ids"]
    links = [] if wanted == [] else links_to_remove(aws, params["name"], params["tags"])
    return [link for link in links if wanted is None or link.id in wanted], lambda: {"vpc_link": {}, "superseded": []}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={**VPC_LINK, "vpc_link_ids": {"type": "list", "elements": "str"}, **STATE, **TAGS, **WAIT},
        required_if=[("state", "present", ["subnet_ids"])],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

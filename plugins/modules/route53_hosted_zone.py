#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: route53_hosted_zone
version_added: 1.0.0
short_description: Manage a public hosted zone and its owner
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes a public hosted zone. Its owner tags tell it from others of the same name.
  - If somebody else owns a public zone of that name, the module fails, also where both are created at the same time; Route 53 itself
    would create a second one, and the two would compete for the name. Private zones do not matter.
  - With O(state=absent) a zone of somebody else is left alone, and a zone that holds records is an error.
  - The module P(amazon.aws.route53_zone#module) takes over whatever zone has the name, and removes it.
options:
  name:
    description: Name of the zone.
    type: str
    required: true
  comment:
    description: Comment of the zone. It identifies a zone that a run created and could not tag before it died.
    type: str
    default: ""
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Create the hosted zone of the data teams
  mlplatform.mlflow_aws.route53_hosted_zone:
    name: ml.example.com
    comment: data teams
    tags:
      managed-by: mlplatform.mlflow_aws
      mlflow-stack: mlflow-team-x-bootstrap
"""

RETURN = r"""
hosted_zone:
  description: The zone as it is after the run. With O(state=absent) the one that was removed, empty where there was none.
  type: dict
  returned: success
  contains:
    id:
      description: ID of the zone.
      type: str
      sample: Z0123456789ABCDEFGHIJ
    name:
      description: Name of the zone.
      type: str
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains:
    action:
      description: V(create), V(update) or V(delete).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: route53_hosted_zone
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

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.hosted_zone import HostedZone
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    zone = HostedZone(aws, params["name"], params, tags=params["tags"], absent=params["state"] == "absent")

    def results() -> dict[str, t.Any]:
        state = zone.ours if zone.absent else zone.state
        return {"hosted_zone": {"id": state["id"], "name": zone.name} if state else {}}

    return [zone], results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={"name": {"type": "str", "required": True}, "comment": {"type": "str", "default": ""}, **STATE, **TAGS}, supports_check_mode=True
    )
    run(module, build)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_cluster
version_added: 1.0.0
short_description: Manage an ECS cluster for Fargate
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes one ECS cluster (C(CreateCluster), C(UpdateCluster), C(PutClusterCapacityProviders),
    C(DeleteCluster)).
  - A cluster that ECS still lists as C(INACTIVE) does not exist.
  - Used in place of M(community.aws.ecs_cluster), which has neither tags nor settings, so that the owner of a
    cluster cannot be recorded, and reports no diff.
options:
  name:
    description: Name of the cluster.
    type: str
    required: true
  container_insights:
    description: CloudWatch Container Insights of the cluster. Not managed where omitted.
    type: str
    choices: [disabled, enabled, enhanced]
  capacity_providers:
    description: The capacity providers that services and tasks may use.
    type: list
    elements: str
    default: [FARGATE, FARGATE_SPOT]
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Create the cluster
  mlplatform.mlflow_aws.ecs_cluster:
    name: mlflow-team-x
    container_insights: enhanced
    tags:
      team: x
"""

RETURN = r"""
cluster:
  description: The cluster, as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    arn: arn:aws:ecs:eu-west-1:123456789012:cluster/mlflow-team-x
    name: mlflow-team-x
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
      sample: ecs_cluster
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.cluster import Cluster


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    cluster = Cluster(aws, params["name"], params, tags=params["tags"], absent=params["state"] == "absent")
    return [cluster], lambda: {"cluster": {"arn": cluster.state["arn"], "name": cluster.name} if cluster.state else {}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "container_insights": {"type": "str", "choices": ["disabled", "enabled", "enhanced"]},
            "capacity_providers": {"type": "list", "elements": "str", "default": ["FARGATE", "FARGATE_SPOT"]},
            **STATE,
            **TAGS,
            **WAIT,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_service
version_added: 1.0.0
short_description: Manage an ECS service on Fargate
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes one ECS service on Fargate that is deployed by rolling updates (C(CreateService),
    C(UpdateService), C(DeleteService)), and waits until its deployment is complete.
  - A deployment that fails, or that ECS's circuit breaker rolls back, is an error with ECS's events, the reasons why
    tasks stopped, and the last lines that they logged. The next run deploys again.
  - The number of tasks of a running service is never changed; autoscaling controls it.
  - A service that M(mlplatform.mlflow_aws.ecs_service_state) has stopped is started again, with as many tasks as it had.
    The previous revision may be incompatible with what was changed in the meantime, such as the schema of its database. So
    the new revision is deployed while there are no tasks, and until its tasks run ECS's circuit breaker does not roll
    back.
  - Used in place of M(community.aws.ecs_service), which does not compare the deployment or network configuration,
    cannot change tags, reports a change on every run where autoscaling controls the number of tasks, and does not
    say why a deployment failed.
options:
  name:
    description: Name of the service.
    type: str
    required: true
  cluster:
    description: Name or ARN of the cluster.
    type: str
    required: true
  task_definition:
    description: ARN of the task definition, with its revision. Required with O(state=present).
    type: str
  desired_count:
    description: Number of tasks with which a new service starts.
    type: int
    default: 1
  platform_version:
    description: Version of the Fargate platform.
    type: str
    default: LATEST
  subnets:
    description: IDs of the subnets of the tasks. Required with O(state=present).
    type: list
    elements: str
  security_groups:
    description: IDs of the security groups of the tasks. Required with O(state=present).
    type: list
    elements: str
  assign_public_ip:
    description: Whether the tasks have public addresses.
    type: bool
    default: false
  load_balancers:
    description: The target groups that the tasks register with.
    type: list
    elements: dict
    default: []
    suboptions:
      target_group_arn:
        description: ARN of the target group.
        type: str
        required: true
      container_name:
        description: Name of the container.
        type: str
        required: true
      container_port:
        description: Port of the container.
        type: int
        required: true
  circuit_breaker:
    description: Whether ECS gives up a deployment whose tasks do not start, and rolls back to the last one that succeeded.
    type: bool
    default: true
  remedy:
    description: Last sentence of the error where a stopped service cannot be started again, such as how to roll back.
    type: str
    default: ""
  maximum_percent:
    description: Maximum number of tasks during a deployment, in percent of the number of tasks.
    type: int
    default: 200
  minimum_healthy_percent:
    description: Minimum number of healthy tasks during a deployment, in percent of the number of tasks.
    type: int
    default: 100
  health_check_grace_period_seconds:
    description: Seconds after its start in which a task may fail the load balancer's health checks.
    type: int
    default: 0
  enable_execute_command:
    description: Whether ECS Exec may open a shell in a task. A change starts a new deployment, because ECS sets it up
      with the task.
    type: bool
    default: false
  enable_ecs_managed_tags:
    description: Whether ECS tags the tasks with cluster and service.
    type: bool
    default: true
  propagate_tags:
    description: Whose tags new tasks get.
    type: str
    choices: [NONE, SERVICE, TASK_DEFINITION]
    default: SERVICE
  availability_zone_rebalancing:
    description: Whether ECS redistributes the tasks over the availability zones after one has failed.
    type: str
    choices: [ENABLED, DISABLED]
    default: ENABLED
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Create the service
  mlplatform.mlflow_aws.ecs_service:
    name: mlflow-team-x
    cluster: mlflow-team-x
    task_definition: "{{ registered.task_definition.arn }}"
    desired_count: 2
    subnets: [subnet-0a, subnet-0b]
    security_groups: [sg-0a]
    load_balancers:
      - target_group_arn: "{{ target_group_arn }}"
        container_name: mlflow
        container_port: 5000
    health_check_grace_period_seconds: 120
    tags:
      team: x
"""

RETURN = r"""
service:
  description: The service, as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    arn: arn:aws:ecs:eu-west-1:123456789012:service/mlflow-team-x/mlflow-team-x
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
      sample: ecs_service
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.service import Service


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    service = Service(aws, params["name"], params, tags=params["tags"], absent=params["state"] == "absent")
    return [service], lambda: {"service": {"arn": service.state["arn"], "name": service.name} if service.state else {}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "task_definition": {"type": "str"},
            "desired_count": {"type": "int", "default": 1},
            "platform_version": {"type": "str", "default": "LATEST"},
            "subnets": {"type": "list", "elements": "str"},
            "security_groups": {"type": "list", "elements": "str"},
            "assign_public_ip": {"type": "bool", "default": False},
            "load_balancers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "target_group_arn": {"type": "str", "required": True},
                    "container_name": {"type": "str", "required": True},
                    "container_port": {"type": "int", "required": True},
                },
            },
            "circuit_breaker": {"type": "bool", "default": True},
            "remedy": {"type": "str", "default": ""},
            "maximum_percent": {"type": "int", "default": 200},
            "minimum_healthy_percent": {"type": "int", "default": 100},
            "health_check_grace_period_seconds": {"type": "int", "default": 0},
            "enable_execute_command": {"type": "bool", "default": False},
            "enable_ecs_managed_tags": {"type": "bool", "default": True},
            "propagate_tags": {"type": "str", "choices": ["NONE", "SERVICE", "TASK_DEFINITION"], "default": "SERVICE"},
            "availability_zone_rebalancing": {"type": "str", "choices": ["ENABLED", "DISABLED"], "default": "ENABLED"},
            **STATE,
            **TAGS,
            **WAIT,
        },
        required_if=[("state", "present", ("task_definition", "subnets", "security_groups"))],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

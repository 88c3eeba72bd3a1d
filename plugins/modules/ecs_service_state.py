#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_service_state
version_added: 1.0.0
short_description: Stop and start the tasks of ECS services
author: mlplatform contributors (@mlplatform)
description:
  - Stops a service while something that it uses, such as its database, is replaced. Its autoscaling is suspended, because it would
    start tasks again, and the number of its tasks is set to 0; the module waits until none runs. The previous number of tasks is kept
    in the tag C(mlflow-desired-count), so that a later run can complete one that died.
  - Starts it again with as many tasks as it had, at least O(desired_count), and resumes autoscaling once they run.
    M(mlplatform.mlflow_aws.ecs_service) starts a stopped service as well, with whatever it is to run now.
  - A service that does not exist needs neither, as whatever creates it starts it.
  - M(mlplatform.mlflow_aws.ecs_service) never changes the number of tasks of a running service.
options:
  name:
    description: Name of the service.
    type: str
    required: true
  cluster:
    description: Name of its cluster.
    type: str
    required: true
  further_services:
    description: Names of services beside it, in the same cluster, which have no autoscaling. They are stopped and started with it.
    type: list
    elements: str
    default: []
  state:
    description: Whether the service runs.
    type: str
    choices: [started, stopped]
    default: started
  desired_count:
    description: Minimum number of tasks of the service O(name) where it is started.
    type: int
    default: 1
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
"""

EXAMPLES = r"""
- name: Stop the servers
  mlplatform.mlflow_aws.ecs_service_state:
    name: mlflow-team-x
    cluster: mlflow-team-x
    state: stopped

- name: Start them again
  mlplatform.mlflow_aws.ecs_service_state:
    name: mlflow-team-x
    cluster: mlflow-team-x
    desired_count: 2
"""

RETURN = r"""
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: Always V(update).
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
from functools import partial

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.application_autoscaling import DIMENSION, resource_id
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.service_state import Suspension, TaskCount, active_service


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    stopped = params["state"] == "stopped"
    further = [{**params, "name": name, "desired_count": 0} for name in params["further_services"]]
    there = run_concurrently(*(partial(active_service, aws, spec) for spec in (params, *further)))
    resources: list[Resource] = [TaskCount(aws, spec["name"], spec) for spec, service in zip(further, there[1:], strict=True) if service]
    if not there[0]:
        return resources, dict
    target = resource_id(params["cluster"], params["name"])
    describe = aws.client("application-autoscaling").describe_scalable_targets
    tasks = TaskCount(aws, params["name"], params)
    if not describe(ResourceIds=[target], **DIMENSION)["ScalableTargets"]:
        return [tasks, *resources], dict
    scaling = Suspension(aws, target, {"suspended": stopped})
    first, then = (scaling, tasks) if stopped else (tasks, scaling)
    then.needs = (first,)
    return [first, then, *resources], dict


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "further_services": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "desired_count": {"type": "int", "default": 1},
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_task
version_added: 1.0.0
short_description: Run a one-off Fargate task to its end
author: mlplatform contributors (@mlplatform)
description:
  - Runs one task (C(RunTask)) and waits until it has stopped. Succeeds if every essential container ended with exit
    status 0, or with one of O(exit_statuses); otherwise fails with ECS's reason and the last lines that the container
    logged.
  - A task that an earlier run started with the same O(started_by), and that is still running, is waited for first;
    if it has the same task definition and O(environment), no other is started. So a run that died and is repeated does
    not do the job twice.
  - The module reports C(changed) whenever it runs. In check mode it reports a change and runs nothing.
  - Used in place of M(community.aws.ecs_task), which takes any running task of the family for the requested one, waits for 10 minutes at
    most, and treats every exit status as a success.
options:
  name:
    description: What the task is called in plans and errors.
    type: str
    required: true
  cluster:
    description: Name or ARN of the cluster.
    type: str
    required: true
  task_definition:
    description: ARN of the task definition, with its revision.
    type: str
    required: true
  subnets:
    description: IDs of the subnets that the task may run in.
    type: list
    elements: str
    required: true
  security_groups:
    description: IDs of the security groups of the task.
    type: list
    elements: str
    required: true
  assign_public_ip:
    description: Whether the task has a public address.
    type: bool
    default: false
  environment:
    description: Variables that the essential containers get in addition to those of the task definition.
    type: dict
    default: {}
  exit_statuses:
    description: Exit statuses that are results, not failures.
    type: list
    elements: int
    default: [0]
  warnings:
    description: Warnings of the plan's line about this task.
    type: list
    elements: str
    default: []
  started_by:
    description: What ECS notes as the one who started the task, at most 128 characters. Default is O(name).
    type: str
  timeout:
    description: Seconds that the task may take. It is not stopped after that; the next run waits for it.
    type: int
    default: 3600
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.tags
attributes:
  idempotent:
    support: none
    description: Every run of the module runs the task.
"""

EXAMPLES = r"""
- name: Initialise the database
  mlplatform.mlflow_aws.ecs_task:
    name: mlflow-team-x-prepare-database
    cluster: mlflow-team-x
    task_definition: "{{ registered.task_definition.arn }}"
    subnets: [subnet-0a, subnet-0b]
    security_groups: [sg-0a]
"""

RETURN = r"""
task:
  description: The task that ran. In check mode C(arn) is C((known after apply)).
  type: dict
  returned: success
  sample:
    arn: arn:aws:ecs:eu-west-1:123456789012:task/mlflow-team-x/0123456789abcdef0123456789abcdef
exit_status:
  description:
    - The exit status of the essential container, of several the first that is not 0. In check mode C((known after apply)).
    - Empty where no container ran. Not returned where it is not known how the task ended.
  type: int
  returned: when the task has ended, also where that is a failure
  sample: 0
answer:
  description: The JSON object that is the last line of the first essential container's log. Empty where there is none, and in check mode.
  type: dict
  returned: success
  sample: {schema: 1b5f0d9ad7c1}
changes:
  description: What the run did, or would do in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: Always V(create).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: ecs_task
    name:
      description: Name of the resource.
      type: str
    fields:
      description: What the task is run with, each with C(name), C(before) and C(after).
      type: list
      elements: dict
    warnings:
      description: What the change costs, such as downtime.
      type: list
      elements: str
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.task import Task


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    params["environment"] = {name: str(value) for name, value in params["environment"].items()}
    task = Task(aws, params["name"], params, tags=params["tags"])
    return [task], lambda: {"task": {"arn": task.actual["arn"]}, **{k: task.actual[k] for k in ("exit_status", "answer")}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "task_definition": {"type": "str", "required": True},
            "subnets": {"type": "list", "elements": "str", "required": True},
            "security_groups": {"type": "list", "elements": "str", "required": True},
            "assign_public_ip": {"type": "bool", "default": False},
            "environment": {"type": "dict", "default": {}},
            "exit_statuses": {"type": "list", "elements": "int", "default": [0]},
            "warnings": {"type": "list", "elements": "str", "default": []},
            "started_by": {"type": "str"},
            "timeout": {"type": "int", "default": 3600},
            **TAGS,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

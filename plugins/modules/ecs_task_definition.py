#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_task_definition
version_added: 1.0.0
short_description: Manage an ECS task definition family for Fargate
author: mlplatform contributors (@mlplatform)
description:
  - Compares the latest active revision of a family with the options, by meaning, and registers a new revision where
    they differ (C(DescribeTaskDefinition), C(RegisterTaskDefinition)). Older revisions are kept, so that a service can
    go back to them.
  - A plan warns where another environment of MLflow would leave artifacts behind.
  - With O(state=absent), deregisters and deletes all revisions (C(DeregisterTaskDefinition), C(DeleteTaskDefinitions)).
  - Used in place of M(community.aws.ecs_taskdefinition), which does not see a changed environment variable, secret,
    command, CPU, memory or execution role, and mistakes an older revision that happens to match for the current one.
options:
  family:
    description: Name of the family.
    type: str
    required: true
  container_definitions:
    description:
      - The containers, spelled as the ECS API spells them (C(containerDefinitions) of C(RegisterTaskDefinition)).
      - Environment variables are shown in plans and diffs. Put what is secret into C(secrets).
      - Required with O(state=present).
    type: list
    elements: dict
  cpu:
    description: CPU units of a task; 1024 are one vCPU. Required with O(state=present).
    type: int
  memory:
    description: Memory of a task in MiB. Required with O(state=present).
    type: int
  network_mode:
    description: Network mode of a task. Fargate takes V(awsvpc) only.
    type: str
    choices: [awsvpc]
    default: awsvpc
  requires_compatibilities:
    description: What ECS checks the task definition for.
    type: list
    elements: str
    default: [FARGATE]
  execution_role_arn:
    description: ARN of the role with which ECS starts the task (pulls the image, reads the secrets, writes the log).
    type: str
    default: ""
  task_role_arn:
    description: ARN of the role that the containers have.
    type: str
    default: ""
  runtime_platform:
    description: C(cpuArchitecture) and C(operatingSystemFamily), spelled as the ECS API spells them.
    type: dict
    default: {cpuArchitecture: X86_64, operatingSystemFamily: LINUX}
  volumes:
    description: Volumes that the containers share, spelled as the ECS API spells them.
    type: list
    elements: dict
    default: []
  ephemeral_storage:
    description: Disk of a task in GiB, 20 to 200.
    type: int
    default: 20
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Create the task definition
  mlplatform.mlflow_aws.ecs_task_definition:
    family: mlflow-team-x
    cpu: 1024
    memory: 2048
    execution_role_arn: arn:aws:iam::123456789012:role/mlflow-team-x-ecs-execution
    container_definitions:
      - name: mlflow
        image: ghcr.io/mlflow/mlflow:v3.18.0-full
        command: [mlflow, server]
        portMappings:
          - containerPort: 5000
        environment:
          - name: MLFLOW_HOST
            value: 0.0.0.0
    tags:
      team: x

- name: Remove all revisions
  mlplatform.mlflow_aws.ecs_task_definition:
    family: mlflow-team-x
    state: absent
"""

RETURN = r"""
task_definition:
  description:
    - The latest revision, as it is after the run. Empty with O(state=absent).
    - In check mode C(arn) and C(revision) are C((known after apply)) where a revision would be registered.
  type: dict
  returned: success
  sample:
    arn: arn:aws:ecs:eu-west-1:123456789012:task-definition/mlflow-team-x:3
    family: mlflow-team-x
    revision: 3
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
      sample: ecs_task_definition
    name:
      description: Name of the resource.
      type: str
    fields:
      description: What differs, each with C(name), C(before) and C(after), such as
        C(containers.mlflow.environment.MLFLOW_WORKERS).
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.task_definition import DEFAULT_STORAGE, TaskDefinition
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.artifacts import artifact_warnings


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent = params["state"] == "absent"
    definition = TaskDefinition(aws, params["family"], params, tags=params["tags"], absent=absent, container_warnings=artifact_warnings)
    return [definition], lambda: {"task_definition": definition.result()}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "family": {"type": "str", "required": True},
            "container_definitions": {"type": "list", "elements": "dict"},
            "cpu": {"type": "int"},
            "memory": {"type": "int"},
            "network_mode": {"type": "str", "choices": ["awsvpc"], "default": "awsvpc"},
            "requires_compatibilities": {"type": "list", "elements": "str", "default": ["FARGATE"]},
            "execution_role_arn": {"type": "str", "default": ""},
            "task_role_arn": {"type": "str", "default": ""},
            "runtime_platform": {"type": "dict", "default": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}},
            "volumes": {"type": "list", "elements": "dict", "default": []},
            "ephemeral_storage": {"type": "int", "default": DEFAULT_STORAGE},
            **STATE,
            **TAGS,
        },
        required_if=[("state", "present", ("container_definitions", "cpu", "memory"))],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_cluster
version_added: 1.0.0
short_description: Manage an ECS cluster for Fargate, with the task definitions and the log group of what runs in it
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes one ECS cluster (C(CreateCluster), C(UpdateCluster), C(PutClusterCapacityProviders),
    C(DeleteCluster)).
  - A cluster that ECS still lists as C(INACTIVE) does not exist.
  - Of each task definition, compares the latest active revision of the family with the options, by meaning, and registers a new
    revision where they differ (C(DescribeTaskDefinition), C(RegisterTaskDefinition)). Older revisions are kept, so that a service
    can go back to them. A plan warns where another environment of MLflow would leave artifacts behind.
  - With O(state=absent), deregisters and deletes all revisions (C(DeregisterTaskDefinition), C(DeleteTaskDefinitions)), and deletes the
    log group once no task runs in the cluster any more.
  - Used in place of M(community.aws.ecs_cluster), which has neither tags nor settings, so that the owner of a
    cluster cannot be recorded, and reports no diff; of M(community.aws.ecs_taskdefinition), which does not see a changed environment
    variable, secret, command, CPU, memory or execution role, and mistakes an older revision that happens to match for the current
    one; and of M(amazon.aws.cloudwatchlogs_log_group), which reports no diff.
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
  task_definitions:
    description: The task definitions.
    type: list
    elements: dict
    default: []
    suboptions:
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
  log_group:
    description: The log group that the tasks write to. Not managed where omitted.
    type: dict
    suboptions:
      name:
        description: Name of the log group.
        type: str
        required: true
      retention_in_days:
        description: Days after which CloudWatch deletes log events. Not managed where omitted.
        type: int
      kms_key_id:
        description:
          - ARN of the KMS key that encrypts the log events. Not managed where omitted.
          - An empty string disassociates a key that this module has associated.
        type: str
  query_definition:
    description:
      - A saved query of CloudWatch Logs Insights for O(log_group). Not managed where omitted.
      - It has no tags. It is removed where the log group is owned by O(tags), or there is none.
    type: dict
    version_added: 1.2.0
    suboptions:
      name:
        description: Name of the query.
        type: str
        required: true
      query_string:
        description: The query. Required with O(state=present).
        type: str
        default: ""
  account_id:
    description: The account of the log group. Default is the caller's, which takes one more call.
    type: str
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
task_definitions:
  description:
    - The latest revision of each family, by its name, as it is after the run. Empty with O(state=absent).
    - In check mode C(arn) and C(revision) are C((known after apply)) where a revision would be registered.
  type: dict
  returned: success
  sample:
    mlflow-team-x:
      arn: arn:aws:ecs:eu-west-1:123456789012:task-definition/mlflow-team-x:3
      family: mlflow-team-x
      revision: 3
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
      description: Kind of the resource, V(ecs_cluster), V(ecs_task_definition), V(logs_log_group) or V(logs_query_definition).
      type: str
      sample: ecs_cluster
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

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS, WAIT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.cluster import Cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.task_definition import TASK_DEFINITION, TaskDefinition
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import LOG_GROUP, QUERY_DEFINITION, LogGroup, QueryDefinition
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.artifacts import artifact_warnings


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent, tags = params["state"] == "absent", params["tags"]
    cluster = Cluster(aws, params["name"], params, tags=tags, absent=absent)
    definitions = [
        TaskDefinition(aws, spec["family"], spec, tags=tags, absent=absent, container_warnings=artifact_warnings) for spec in params["task_definitions"]
    ]
    for definition in definitions:
        missing = [name for name in ("container_definitions", "cpu", "memory") if not definition.spec[name]]
        if missing and not absent:
            raise AwsError(f"ecs_task_definition {definition.name}: these options are required: {', '.join(missing)}")
    logs = params["log_group"]
    groups = [LogGroup(aws, logs["name"], {**logs, "account_id": params["account_id"]}, tags=tags, absent=absent)] if logs else []
    query = params["query_definition"]
    queries = [QueryDefinition(group, query["name"], query, absent=absent) for group in groups if query]
    if absent:
        cluster.needs = tuple(groups)  # which go after it: as long as it is there, tasks may log their end

    def results() -> dict[str, t.Any]:
        return {
            "cluster": {"arn": cluster.state["arn"], "name": cluster.name} if cluster.state else {},
            "task_definitions": {definition.name: definition.result() for definition in definitions if definition.state},
        }

    return ([cluster, *definitions, *queries, *groups] if absent else [*groups, *queries, cluster, *definitions]), results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "container_insights": {"type": "str", "choices": ["disabled", "enabled", "enhanced"]},
            "capacity_providers": {"type": "list", "elements": "str", "default": ["FARGATE", "FARGATE_SPOT"]},
            "task_definitions": {"type": "list", "elements": "dict", "default": [], "options": TASK_DEFINITION},
            "log_group": {"type": "dict", "options": LOG_GROUP},
            "query_definition": {"type": "dict", "options": QUERY_DEFINITION},
            "account_id": {"type": "str"},
            **STATE,
            **TAGS,
            **WAIT,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

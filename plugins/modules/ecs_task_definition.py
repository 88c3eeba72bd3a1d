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

import json
import typing as t
from functools import partial

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError, StaleState, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs import artifact_places, revisions
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owned_by_another
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run

DEFAULT_STORAGE = 20
"""GiB of disk that a Fargate task has where none is asked for; ECS takes no smaller number, this one included."""

KEYED = {
    "environment": ("name", "value"),
    "secrets": ("name", "valueFrom"),
    "secretOptions": ("name", "valueFrom"),
    "dependsOn": ("containerName", "condition"),
    "extraHosts": ("hostname", "ipAddress"),
    "systemControls": ("namespace", "value"),
    "resourceRequirements": ("type", "value"),
}
"""Lists of ECS whose order means nothing: the part that identifies an entry, and the one that says something of it."""

UNORDERED = ("add", "drop", "dnsServers", "volumesFrom", "credentialSpecs", "ignoredExitCodes")
HEALTH_CHECK_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}


def normalise_container(definition: State) -> State:
    """A container definition without its name, in one form for all spellings that mean the same to ECS.

    What ECS adds on its own is taken away or added to both sides, empty parts are left out, and lists that ECS may
    return in any order become dicts by name (which also makes a difference readable) or are sorted.
    """
    container = _without_empty({k: v for k, v in definition.items() if k != "name"})
    container = {"essential": True, **container}
    for flag in ("cpu", "privileged", "readonlyRootFilesystem", "interactive", "pseudoTerminal", "disableNetworking"):
        if not container.get(flag):
            container.pop(flag, None)
    if container.get("versionConsistency") == "enabled":
        del container["versionConsistency"]
    if "portMappings" in container:
        container["portMappings"] = dict(map(_port_mapping, container["portMappings"]))
    if "mountPoints" in container:
        container["mountPoints"] = {
            m["containerPath"]: {"sourceVolume": m.get("sourceVolume"), "readOnly": bool(m.get("readOnly"))} for m in container["mountPoints"]
        }
    if "ulimits" in container:
        container["ulimits"] = {u["name"]: {k: v for k, v in u.items() if k != "name"} for u in container["ulimits"]}
    if "healthCheck" in container:
        container["healthCheck"] = {**HEALTH_CHECK_DEFAULTS, **container["healthCheck"]}
    return {key: _normalise(key, value) for key, value in container.items()}


def _port_mapping(mapping: State) -> tuple[str, State]:
    """A port mapping by ``port/protocol``. In network mode awsvpc the host's port is the container's."""
    protocol = mapping.get("protocol", "tcp")
    port = mapping.get("containerPort") or mapping["containerPortRange"]
    identity = ("containerPort", "containerPortRange", "hostPort", "protocol")
    return f"{port}/{protocol}", {k: v for k, v in mapping.items() if k not in identity}


def _normalise(key: str, value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {k: _normalise(k, v) for k, v in value.items()}
    if isinstance(value, list) and key in KEYED:
        name, content = KEYED[key]
        return {str(entry[name]): str(entry.get(content, "")) for entry in value}
    if isinstance(value, list) and key in UNORDERED:
        return sorted(value, key=lambda entry: json.dumps(entry, sort_keys=True))
    return value


def _without_empty(value: t.Any) -> t.Any:
    """The value without its empty parts, on every level: for ECS they mean the same as none."""
    if isinstance(value, dict):
        parts = {k: _without_empty(v) for k, v in value.items()}
        return {k: v for k, v in parts.items() if v is not None and v != [] and v != {}}
    return [_without_empty(v) for v in value] if isinstance(value, list) else value


def artifact_warnings(before: State, after: State) -> list[str]:
    """What becomes of artifacts where the containers ``after`` have MLflow keep them elsewhere than those ``before``."""
    old, new = ({name: place for container in containers.values() for name, place in artifact_places(container).items()} for containers in (before, after))
    proxied, direct = "MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_DEFAULT_ARTIFACT_ROOT"
    if old.get(proxied) not in (None, new.get(proxied)):
        now = f"passes on those below {new[proxied]}" if proxied in new else "no longer passes any on"
        return [
            f"artifacts below {old[proxied]} can no longer be reached through the server, which {now}: copy them, or keep "
            "mlflow_artifact_bucket_id, mlflow_artifact_bucket_path and mlflow_artifact_access"
        ]
    if old.get(direct) not in (None, new.get(direct), new.get(proxied)):
        return [
            f"existing experiments keep their artifacts below {old[direct]}, which the server can no longer read: name the "
            "bucket in mlflow_artifact_buckets_mlflow_will_read"
        ]
    return []


STATUSES = ("ACTIVE", "INACTIVE")
"""Of the revisions that there are, in the order in which they are of interest."""


class TaskDefinition(Resource):
    kind = "ecs_task_definition"
    allows_duplicates = True
    service = "ecs"

    def describe(self) -> State | None:
        latest = self.name
        if self.absent:  # a run that died between deregistering and deleting leaves only inactive revisions
            known = run_concurrently(*(partial(self._before, status) for status in STATUSES))
            latest = next((arn for arns in known for arn in arns), "")
        answer = self._describe_definition(latest) if latest else None
        if answer is None:
            return None
        if self._is_foreign(answer):
            answer = self._latest_of_ours() or answer
        definition = answer["taskDefinition"]
        platform = definition.get("runtimePlatform", {})
        return {
            "arn": definition["taskDefinitionArn"],
            "revision": definition["revision"],
            "containers": {c["name"]: normalise_container(c) for c in definition["containerDefinitions"]},
            "cpu": int(definition.get("cpu", 0)),
            "memory": int(definition.get("memory", 0)),
            "network_mode": definition.get("networkMode"),
            "requires_compatibilities": sorted(definition.get("requiresCompatibilities", [])),
            "execution_role_arn": definition.get("executionRoleArn", ""),
            "task_role_arn": definition.get("taskRoleArn", ""),
            "runtime_platform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX", **platform},
            "volumes": _volumes(definition.get("volumes", [])),
            "ephemeral_storage": definition.get("ephemeralStorage", {}).get("sizeInGiB", DEFAULT_STORAGE),
            "tags": tag_dict(answer.get("tags", []), "key", "value"),
        }

    def _describe_definition(self, task_definition: str) -> State | None:
        try:
            return self.aws.client("ecs").describe_task_definition(taskDefinition=task_definition, include=["TAGS"])
        except ClientError as error:
            if error_code(error) == "ClientException" and "Unable to describe" in str(error):
                return None
            raise

    def _is_foreign(self, answer: State) -> bool:
        return owned_by_another(tag_dict(answer.get("tags", []), "key", "value"), self.tags or {})

    def _latest_of_ours(self) -> State | None:
        """The latest revision with our tags: who registers one by hand may leave them out, and takes no family by that."""
        for arn in revisions(self.aws, self.name, "ACTIVE"):
            answer = self._describe_definition(arn)
            if answer and not self._is_foreign(answer):
                return answer
        return None

    def _before(self, status: str) -> list[str]:
        """The revisions that there were before this run."""
        return self.aws.once((self.name, status), partial(revisions, self.aws, self.name, status))

    def desired(self) -> State:
        return {
            "containers": {c["name"]: normalise_container(c) for c in self.spec["container_definitions"]},
            **{name: self.spec[name] for name in ("cpu", "memory", "network_mode", "runtime_platform")},
            "requires_compatibilities": sorted(self.spec["requires_compatibilities"]),
            "execution_role_arn": self.spec["execution_role_arn"],
            "task_role_arn": self.spec["task_role_arn"],
            "volumes": _volumes(self.spec["volumes"]),
            "ephemeral_storage": self.spec["ephemeral_storage"],
        }

    def unknown(self) -> State:
        return {"arn": UNKNOWN, "revision": UNKNOWN}

    def create(self, desired: State) -> State:
        return self._register(desired["tags"])

    def update(self, before: State, changes: State) -> State:
        return self._register(self.tags or {})

    def _register(self, tags: dict[str, str]) -> State:
        optional: State = {
            "executionRoleArn": self.spec["execution_role_arn"],
            "taskRoleArn": self.spec["task_role_arn"],
            "volumes": self.spec["volumes"],
            "tags": tag_list(tags, "key", "value"),
        }
        if self.spec["ephemeral_storage"] != DEFAULT_STORAGE:
            optional["ephemeralStorage"] = {"sizeInGiB": self.spec["ephemeral_storage"]}
        definition = self.aws.client("ecs").register_task_definition(
            family=self.name,
            containerDefinitions=self.spec["container_definitions"],
            cpu=str(self.spec["cpu"]),
            memory=str(self.spec["memory"]),
            networkMode=self.spec["network_mode"],
            requiresCompatibilities=self.spec["requires_compatibilities"],
            runtimePlatform=self.spec["runtime_platform"],
            **{k: v for k, v in optional.items() if v},
        )["taskDefinition"]
        return {"arn": definition["taskDefinitionArn"], "revision": definition["revision"]}

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        if self.state["arn"] == before["arn"]:  # a revision just registered has them
            super().retag(before, to_set, to_unset)

    def delete(self, before: State) -> None:
        ecs = self.aws.client("ecs")
        for arn in self._before("ACTIVE"):
            ecs.deregister_task_definition(taskDefinition=arn)
        every = [arn for status in STATUSES for arn in self._before(status)]
        for start in range(0, len(every), 10):  # ECS takes ten at a time
            answer = ecs.delete_task_definitions(taskDefinitions=every[start : start + 10])
            if answer.get("failures"):
                raise StaleState(f"ECS did not delete {answer['failures'][0]['arn']}: {answer['failures'][0]['reason']}")

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before is None or self.absent:
            return []
        lower = [name for name in ("cpu", "memory") if changes.get(name, before[name]) < before[name]]
        return [
            *(f"{name}: each task gets {changes[name]} instead of {before[name]}" for name in lower),
            *artifact_warnings(before["containers"], changes.get("containers", before["containers"])),
        ]

    def result(self) -> State:
        """The returned value ``task_definition``."""
        if self.state is None:
            return {}
        changed = {field["name"].partition(".")[0] for field in self.change["fields"]} if self.change else set()
        planned = self.unknown() if self.aws.check_mode and changed - {"tags"} else {}
        return {"arn": self.state["arn"], "family": self.name, "revision": self.state["revision"], **planned}


def _volumes(volumes: list[State]) -> State:
    return {v["name"]: _without_empty({k: x for k, x in v.items() if k != "name"}) for v in volumes}


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    definition = TaskDefinition(aws, params["family"], params, tags=params["tags"], absent=params["state"] == "absent")
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

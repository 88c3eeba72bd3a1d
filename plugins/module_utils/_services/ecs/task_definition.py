# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: an ECS task definition family for Fargate."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError, StaleState, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owned_by_another, tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.containers import normalise_container, without_empty

DEFAULT_STORAGE = 20
"""GiB of disk that a Fargate task has where none is asked for; ECS takes no smaller number, this one included."""

STATUSES = ("ACTIVE", "INACTIVE")
"""Of the revisions that there are, in the order in which they are of interest."""

ContainerWarnings = t.Callable[[State, State], list[str]]
"""What a change of the containers costs, by their normal forms before and after it."""

TASK_DEFINITION: Arguments = {
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
}
"""The options of a task definition."""


def revisions(aws: Aws, family: str, status: str) -> list[str]:
    """ARNs of the revisions of a family, the latest first. AWS calls what it is asked by a prefix, so what it lists is looked at."""
    arns = aws.pages("ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix=family, status=status, sort="DESC")
    return [arn for arn in arns if arn.rpartition("/")[2].rpartition(":")[0] == family]


class TaskDefinition(Resource):
    """A family, of which the latest active revision of ours counts. ``spec``: `TASK_DEFINITION`."""

    kind = "ecs_task_definition"
    allows_duplicates = True
    service = "ecs"

    def __init__(self, *args: t.Any, container_warnings: ContainerWarnings | None = None, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.container_warnings = container_warnings

    def describe(self) -> State | None:
        latest = self.name
        if self.absent:  # a run that died between deregistering and deleting leaves only inactive revisions
            known = run_concurrently(*(partial(self._before, status) for status in STATUSES))
            latest = next((arn for arns in known for arn in arns), "")
        answer = self._describe_definition(latest) if latest else None
        if answer is None:
            return None
        if self._is_of_another(answer):
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

    def _is_of_another(self, answer: State) -> bool:
        return owned_by_another(tag_dict(answer.get("tags", []), "key", "value"), self.tags or {})

    def _latest_of_ours(self) -> State | None:
        """The latest revision with our tags: who registers one by hand may leave them out, and takes no family by that."""
        for arn in revisions(self.aws, self.name, "ACTIVE"):
            answer = self._describe_definition(arn)
            if answer and not self._is_of_another(answer):
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
        return self._register(self.actual["tags"])

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
        if self.actual["arn"] == before["arn"]:  # a revision just registered has them
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
        containers = changes.get("containers")
        lower = [name for name in ("cpu", "memory") if changes.get(name, before[name]) < before[name]]
        return [
            *(f"{name}: each task gets {changes[name]} instead of {before[name]}" for name in lower),
            *(self.container_warnings(before["containers"], containers) if containers and self.container_warnings else []),
        ]

    def result(self) -> State:
        """The returned value ``task_definition``."""
        if self.state is None:
            return {}
        changed = {field["name"].partition(".")[0] for field in self.change["fields"]} if self.change else set()
        planned = self.unknown() if self.aws.check_mode and changed - {"tags"} else {}
        return {"arn": self.state["arn"], "family": self.name, "revision": self.state["revision"], **planned}


def _volumes(volumes: list[State]) -> State:
    return {v["name"]: without_empty({k: _with_defaults(k, x) for k, x in v.items() if k != "name"}) for v in volumes}


def _with_defaults(kind: str, volume: t.Any) -> t.Any:
    """The configuration of a volume with what ECS adds to one on Amazon EFS."""
    if kind != "efsVolumeConfiguration":
        return volume
    authorization = {"iam": "DISABLED", **(volume.get("authorizationConfig") or {})}
    return {"rootDirectory": "/", "transitEncryption": "DISABLED", **volume, "authorizationConfig": authorization}

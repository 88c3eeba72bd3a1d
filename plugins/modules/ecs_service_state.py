#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_service_state
version_added: 1.0.0
short_description: Stop and start the tasks of an ECS service
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
  state:
    description: Whether the service runs.
    type: str
    choices: [started, stopped]
    default: started
  desired_count:
    description: Minimum number of tasks of a started service.
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

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.application_autoscaling import SUSPENSIONS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import StaleState
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs import STOPPED, progress
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run

DIMENSION = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


class Scaling(Resource):
    """The autoscaling of the service; ``spec`` says whether it is to be suspended."""

    kind = "application_autoscaling_target"

    def describe(self) -> State:
        call = self.aws.client("application-autoscaling").describe_scalable_targets
        targets = call(ResourceIds=[self.name], **DIMENSION)["ScalableTargets"]
        if not targets:
            raise StaleState("AWS does not show any more that there is such a target")
        state = targets[0].get("SuspendedState", {})
        if self.spec["suspended"]:
            return {"suspended": all(state.get(name) for name in SUSPENSIONS)}
        return {"suspended": any(state.get(name) for name in SUSPENSIONS)}

    def desired(self) -> State:
        return {"suspended": self.spec["suspended"]}

    def update(self, before: State, changes: State) -> None:
        self.aws.client("application-autoscaling").register_scalable_target(
            ResourceId=self.name, SuspendedState=dict.fromkeys(SUSPENSIONS, changes["suspended"]), **DIMENSION
        )


class Tasks(Resource):
    """The number of tasks of the service."""

    kind = "ecs_service"
    before: State
    asked = False  # whether AWS was asked for the change that is noted

    def describe(self) -> State:
        self.before = service(self.aws, self.spec)
        if not self.before:
            raise StaleState("AWS does not show any more that there is such a service")
        return {**{field: self.before[name] for field, name in FIELDS.items()}, "stopped": self._remembered is not None}

    @property
    def _remembered(self) -> int | None:
        """How many tasks it had before it was stopped."""
        count = tag_dict(self.before.get("tags", []), "key", "value").get(STOPPED)
        return None if count is None else int(count)

    def desired(self) -> State:
        if self.spec["state"] == "stopped":
            return {"desired_count": 0, "stopped": True}
        count = max(self.spec["desired_count"], self.before["desiredCount"], self._remembered or 0)
        return {"desired_count": count, "stopped": False}

    def update(self, before: State, changes: State) -> State:
        self.asked = True
        ecs, arn = self.aws.client("ecs"), self.before["serviceArn"]
        if changes.get("stopped"):  # before anything stops
            ecs.tag_resource(resourceArn=arn, tags=[{"key": STOPPED, "value": str(before["desired_count"])}])
        state: State = {}
        if "desired_count" in changes:
            count = changes["desired_count"]
            answer = ecs.update_service(cluster=self.spec["cluster"], service=self.name, desiredCount=count)["service"]
            state = {field: answer[name] for field, name in FIELDS.items()}
        if changes.get("stopped") is False:
            ecs.untag_resource(resourceArn=arn, tagKeys=[STOPPED])
        return state

    def pending(self, state: State) -> bool:
        if self.change and not self.asked:
            return False  # whatever is under way does not matter any more
        if self.spec["state"] == "stopped":
            return bool(state["running"] or state["pending"]) or self._stopping()
        return state["running"] < state["desired_count"]

    def _stopping(self) -> bool:
        """Whether a task that ECS does not count any more is still at its last words."""
        ecs, cluster = self.aws.client("ecs"), self.spec["cluster"]
        arns = ecs.list_tasks(cluster=cluster, serviceName=self.name, desiredStatus="STOPPED")["taskArns"]
        tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        return any(task["lastStatus"] != "STOPPED" for task in tasks)

    def progress(self, state: State) -> str:
        return progress(self.before)

    def warn(self, before: State | None, changes: State) -> list[str]:
        return ["MLflow is not available until it is started again"] if self.spec["state"] == "stopped" else []


FIELDS = {"desired_count": "desiredCount", "running": "runningCount", "pending": "pendingCount"}


def service(aws: Aws, params: State) -> State:
    """The service as ECS describes it; empty where there is none."""
    call, name = aws.client("ecs").describe_services, params["name"]
    wanted = {"cluster": params["cluster"], "services": [name], "include": ["TAGS"]}
    answer = none_if_missing(call, "ClusterNotFoundException", **wanted) or {"services": []}
    return next((s for s in answer["services"] if s["status"] == "ACTIVE"), {})


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    if not service(aws, params):
        return [], dict
    stopped = params["state"] == "stopped"
    resource_id = f"service/{params['cluster']}/{params['name']}"
    describe = aws.client("application-autoscaling").describe_scalable_targets
    tasks = Tasks(aws, params["name"], params)
    if not describe(ResourceIds=[resource_id], **DIMENSION)["ScalableTargets"]:
        return [tasks], dict
    scaling = Scaling(aws, resource_id, {"suspended": stopped})
    first, then = (scaling, tasks) if stopped else (tasks, scaling)
    then.needs = (first,)
    return [first, then], dict


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "desired_count": {"type": "int", "default": 1},
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

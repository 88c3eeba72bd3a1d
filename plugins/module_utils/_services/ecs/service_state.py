# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: whether an ECS service runs: the number of its tasks, and its autoscaling."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import StaleState
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.application_autoscaling import DIMENSION, SUSPENSIONS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.service import STOPPED, progress


class Suspension(Resource):
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


class TaskCount(Resource):
    """The number of tasks of the service. ``spec``: ``cluster``, ``state`` and ``desired_count``."""

    kind = "ecs_service"
    before: State
    asked = False  # whether AWS was asked for the change that is noted

    def describe(self) -> State:
        self.before = active_service(self.aws, self.spec)
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
        return ["it is not available until it is started again"] if self.spec["state"] == "stopped" else []


FIELDS = {"desired_count": "desiredCount", "running": "runningCount", "pending": "pendingCount"}


def active_service(aws: Aws, params: State) -> State:
    """The service as ECS describes it; empty where there is none."""
    call, name = aws.client("ecs").describe_services, params["name"]
    wanted = {"cluster": params["cluster"], "services": [name], "include": ["TAGS"]}
    answer = none_if_missing(call, "ClusterNotFoundException", **wanted) or {"services": []}
    return next((s for s in answer["services"] if s["status"] == "ACTIVE"), {})

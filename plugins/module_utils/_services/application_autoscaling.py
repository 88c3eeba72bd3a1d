# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: Application Auto Scaling of an ECS service: its scalable target, with policies and scheduled actions."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import own_tags

Bounds = tuple[t.Optional[int], t.Optional[int]]

DIMENSION = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
"""What every call about the number of tasks of a service takes, beside the ID of the service."""

SUSPENSIONS = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
"""The parts of a target's SuspendedState, which are suspended and resumed together."""

TRACKING_DEFAULTS = {"ScaleOutCooldown": 300, "ScaleInCooldown": 300, "DisableScaleIn": False}
"""What holds for an ECS service where a target tracking policy does not say it; the API returns what it was given."""

SCALABLE_TARGET: Arguments = {
    "min_capacity": {"type": "int", "required": True},
    "max_capacity": {"type": "int", "required": True},
    "policies": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str", "required": True}, "target_tracking": {"type": "dict"}, "step": {"type": "dict"}},
        "mutually_exclusive": [("target_tracking", "step")],
        "required_one_of": [("target_tracking", "step")],
    },
    "scheduled_actions": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "schedule": {"type": "str", "required": True},
            "timezone": {"type": "str", "default": "UTC"},
            "min_capacity": {"type": "int"},
            "max_capacity": {"type": "int"},
        },
        "required_one_of": [("min_capacity", "max_capacity")],
    },
}
"""The options of a scalable target."""


def resource_id(cluster: str, service: str) -> str:
    """What Application Auto Scaling calls a service, by its name and that of its cluster."""
    return f"service/{cluster}/{service}"


def reachable_bounds(bounds: Bounds, actions: t.Iterable[tuple[int | None, int | None]]) -> set[Bounds]:
    """The bounds that a target can have: its own, and all that scheduled actions (minimum, maximum) lead to from there.

    >>> sorted(reachable_bounds((2, 4), [(0, None), (2, None)]))
    [(0, 4), (2, 4)]
    """
    actions = list(actions)
    found: set[Bounds] = set()
    new = {bounds}
    while new:
        found |= new
        new = {(low if minimum is None else minimum, high if maximum is None else maximum) for low, high in new for minimum, maximum in actions} - found
    return found


def capacity_warnings(have: State | None, want: State | None) -> list[str]:
    """What it costs to go from the bounds ``have``, if any, to the bounds ``want``."""
    if not want:
        return []
    warnings = [f"{bound}: {want[bound]} instead of {have[bound]}" for bound in ("min", "max") if have and want[bound] < have[bound]]
    if want["max"] == 0 or want["min"] == 0 and (not have or have["min"] != 0):
        warnings.append("everything may be stopped: then nobody can use it")
    return warnings


class Target(Resource):
    """A scalable target with its policies and scheduled actions, called by its `resource_id`. ``spec``: `SCALABLE_TARGET`; empty where it
    is to be absent. Policies and actions that ``spec`` does not have are removed.
    """

    kind = "application_autoscaling_target"
    service = "application-autoscaling"
    suspended = False

    @property
    def identity(self) -> dict[str, str]:
        """What every call takes."""
        return {**DIMENSION, "ResourceId": self.name}

    def describe(self) -> State | None:
        client = self.aws.client("application-autoscaling")
        targets = client.describe_scalable_targets(ResourceIds=[self.name], **DIMENSION)["ScalableTargets"]
        if not targets:
            return None
        arn, bounds = targets[0]["ScalableTargetARN"], (targets[0]["MinCapacity"], targets[0]["MaxCapacity"])
        wanted = (self.spec.get("min_capacity"), self.spec.get("max_capacity"))
        actions = [(a["min_capacity"], a["max_capacity"]) for a in self.spec.get("scheduled_actions", [])]
        if bounds in reachable_bounds(wanted, actions):  # a schedule has set them: no drift
            bounds = wanted
        self.suspended = any(targets[0].get("SuspendedState", {}).values())
        return {
            "arn": arn,
            "capacity": {"min": bounds[0], "max": bounds[1]},
            "suspended": self.suspended,
            "tags": own_tags(client.list_tags_for_resource(ResourceARN=arn)["Tags"]),
        }

    def desired(self) -> State:
        capacity = {"min": self.spec["min_capacity"], "max": self.spec["max_capacity"]}
        return {"capacity": capacity, "suspended": False if self.suspended else None}

    def unknown(self) -> State:
        return {"arn": UNKNOWN}

    def create(self, desired: State) -> State:
        return self._register(desired["capacity"], Tags=desired["tags"])

    def update(self, before: State, changes: State) -> State:
        resumed = {"SuspendedState": dict.fromkeys(SUSPENSIONS, False)} if "suspended" in changes else {}
        return self._register(changes.get("capacity", {}), **resumed)

    def _register(self, capacity: dict[str, int], **more: t.Any) -> State:
        answer = self.aws.client("application-autoscaling").register_scalable_target(
            **{f"{bound.title()}Capacity": count for bound, count in capacity.items()}, **self.identity, **more
        )
        return {"arn": answer["ScalableTargetARN"]}

    def delete(self, before: State) -> None:
        self.aws.client("application-autoscaling").deregister_scalable_target(**self.identity)

    def warn(self, before: State | None, changes: State) -> list[str]:
        return capacity_warnings((before or {}).get("capacity"), changes.get("capacity"))

    def prefetch_reads(self) -> list[t.Callable[[], t.Any]]:
        return [partial(self._listed, kind) for kind in (Policy, ScheduledAction)]

    def _listed(self, kind: type[Child]) -> dict[str, State]:
        """The policies or scheduled actions that it had before this run, by name."""
        pages = partial(self.aws.pages, "application-autoscaling", kind.OPERATION, kind.RESULT, **self.identity)
        return {item[kind.NAME]: item for item in self.aws.once(kind.OPERATION, pages)}

    def children(self) -> list[Resource]:
        return [child for kind in (Policy, ScheduledAction) for child in self._children(kind)]

    def _children(self, kind: type[Child]) -> t.Iterator[Resource]:
        """The children of one kind: those that are wanted, and those that are there and not wanted."""
        there = {} if self.newly_created() else self._listed(kind)
        wanted = {spec["name"]: spec for spec in self.spec.get(kind.OPTION, [])}
        for each in wanted:
            yield kind(self, each, wanted[each], there.get(each))
        for each in there.keys() - wanted.keys():
            yield kind(self, each, {}, there[each], absent=True)

    def result(self) -> State:
        """The returned value ``scalable_target``."""
        if self.state is None:
            return {}
        return {
            "arn": self.state["arn"],
            "service_namespace": DIMENSION["ServiceNamespace"],
            "resource_id": self.name,
            "scalable_dimension": DIMENSION["ScalableDimension"],
            **{bound: self.spec[bound] for bound in ("min_capacity", "max_capacity")},
        }


class Child(Resource):
    """A policy or scheduled action: what the target's listing said of it is all there is to know."""

    deleted_with_parent = True
    OPTION: t.ClassVar[str]
    OPERATION: t.ClassVar[str]
    RESULT: t.ClassVar[str]
    NAME: t.ClassVar[str]
    """The option that has the wanted ones; how those that there are are listed, and which field is their name."""

    def __init__(self, target: Target, name: str, spec: State, listed: State | None, absent: bool = False) -> None:
        super().__init__(target.aws, name, spec, parent=target, absent=absent)
        self.target, self.listed = target, listed

    def create(self, desired: State) -> None:
        self.put(desired)

    def update(self, before: State, changes: State) -> None:
        self.put(self.desired())

    def put(self, desired: State) -> None:
        raise NotImplementedError


class Policy(Child):
    kind = "application_autoscaling_policy"
    OPTION, OPERATION, RESULT, NAME = "policies", "describe_scaling_policies", "ScalingPolicies", "PolicyName"
    immutable = frozenset({"policy_type"})
    replaceable = True

    def describe(self) -> State | None:
        if self.listed is None:
            return None
        policy_type = self.listed["PolicyType"]
        return {"policy_type": policy_type, "configuration": _configuration(policy_type, self.listed.get(f"{policy_type}PolicyConfiguration", {}))}

    def desired(self) -> State:
        policy_type = "TargetTrackingScaling" if self.spec["target_tracking"] else "StepScaling"
        given = self.spec["target_tracking"] or self.spec["step"]
        return {"policy_type": policy_type, "configuration": _configuration(policy_type, given)}

    def warn(self, before: State | None, changes: State) -> list[str]:
        return ["the capacity does not follow the load any more"] if self.absent and not self.target.absent else []

    def put(self, desired: State) -> None:
        self.aws.client("application-autoscaling").put_scaling_policy(
            PolicyName=self.name,
            PolicyType=desired["policy_type"],
            **{f"{desired['policy_type']}PolicyConfiguration": desired["configuration"]},
            **self.target.identity,
        )

    def delete(self, before: State) -> None:
        self.aws.client("application-autoscaling").delete_scaling_policy(PolicyName=self.name, **self.target.identity)


class ScheduledAction(Child):
    kind = "application_autoscaling_scheduled_action"
    OPTION, OPERATION = "scheduled_actions", "describe_scheduled_actions"
    RESULT, NAME = "ScheduledActions", "ScheduledActionName"

    def warn(self, before: State | None, changes: State) -> list[str]:
        if changes.get("capacity", {}).get("max") == 0:
            return ["stops everything at these times: then nobody can use it"]
        return []

    def describe(self) -> State | None:
        if self.listed is None:
            return None
        capacity = self.listed.get("ScalableTargetAction", {})
        return {
            "schedule": self.listed["Schedule"],
            "timezone": self.listed.get("Timezone", "UTC"),
            "capacity": {"min": capacity.get("MinCapacity"), "max": capacity.get("MaxCapacity")},
        }

    def desired(self) -> State:
        return {
            "schedule": self.spec["schedule"],
            "timezone": self.spec["timezone"] or "UTC",
            "capacity": {"min": self.spec["min_capacity"], "max": self.spec["max_capacity"]},
        }

    def put(self, desired: State) -> None:
        capacity = {"MinCapacity": desired["capacity"]["min"], "MaxCapacity": desired["capacity"]["max"]}
        self.aws.client("application-autoscaling").put_scheduled_action(
            ScheduledActionName=self.name,
            Schedule=desired["schedule"],
            Timezone=desired["timezone"],
            ScalableTargetAction={k: v for k, v in capacity.items() if v is not None},
            **self.target.identity,
        )

    def delete(self, before: State) -> None:
        self.aws.client("application-autoscaling").delete_scheduled_action(ScheduledActionName=self.name, **self.target.identity)


def _configuration(policy_type: str, given: State) -> State:
    """The configuration of a policy with the API's defaults."""
    if policy_type != "TargetTrackingScaling":
        return given
    return {**TRACKING_DEFAULTS, **given, "TargetValue": float(given["TargetValue"])}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling: tags, the service-linked role, suspended state, and what goes with a target."""

from __future__ import annotations

import json
from typing import Any

from moto.applicationautoscaling import models, responses
from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.core.exceptions import JsonRESTError

from embedded_aws.gaps import gap

NOT_SUSPENDED = {"DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False}


class ObjectNotFound(JsonRESTError):
    def __init__(self, message: str) -> None:
        super().__init__("ObjectNotFoundException", message)


class ResourceNotFound(JsonRESTError):
    def __init__(self, arn: str) -> None:
        super().__init__("ResourceNotFoundException", f"Resource not found: {arn}")


@gap(models.FakeScalableTarget, "__init__")
def target_defaults(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """A scalable target has the service-linked role and nothing suspended, whatever it was registered with."""
    original(self, *args, **kwargs)
    account = self.applicationautoscaling_backend.account_id
    self.role_arn = f"arn:aws:iam::{account}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService"
    self.suspended_state = {**NOT_SUSPENDED, **(self.suspended_state or {})}
    self.tags: dict[str, str] = {}


@gap(models.FakeScalableTarget, "update")
def update_target(original: Any, self: Any, min_capacity: Any, max_capacity: Any, suspended_state: Any) -> None:
    """Registering a target again keeps the parts of the suspended state that are not given."""
    merged = None if suspended_state is None else {**self.suspended_state, **suspended_state}
    original(self, min_capacity, max_capacity, merged)


@gap(responses.ApplicationAutoScalingResponse, "register_scalable_target")
def register_scalable_target(original: Any, self: Any) -> str:
    """RegisterScalableTarget tags a new target, and needs both capacities for it."""
    backend, tags = self.applicationautoscaling_backend, self._get_param("Tags")
    is_new = not backend._scalable_target_exists(self._get_param("ResourceId"), self._get_param("ScalableDimension"))
    minimum, maximum = self._get_int_param("MinCapacity"), self._get_int_param("MaxCapacity")
    if is_new and (minimum is None or maximum is None):
        raise AWSValidationException("ScalableTarget min capacity and max capacity are required for a new target")
    if minimum is not None and maximum is not None and minimum > maximum:
        raise AWSValidationException("Maximum capacity cannot be less than minimum capacity")
    answer = original(self)
    if tags:
        _target(self, json.loads(answer)["ScalableTargetARN"]).tags.update(tags)
    return answer


@gap(models.ApplicationAutoscalingBackend, "deregister_scalable_target")
def deregister_scalable_target(original: Any, self: Any, namespace: str, r_id: str, dimension: str) -> None:
    """DeregisterScalableTarget takes the scaling policies and scheduled actions of the target with it."""
    if not self._scalable_target_exists(r_id, dimension):
        raise ObjectNotFound(f"No scalable target found for service namespace: {namespace}, resource ID: {r_id}, scalable dimension: {dimension}")
    for policy in list(self.policies.values()):
        if (policy.resource_id, policy.scalable_dimension) == (r_id, dimension):
            self.delete_scaling_policy(policy.policy_name, namespace, r_id, dimension)
    self.scheduled_actions = [action for action in self.scheduled_actions if (action.resource_id, action.scalable_dimension) != (r_id, dimension)]
    original(self, namespace, r_id, dimension)


@gap(models.ApplicationAutoscalingBackend, "put_scaling_policy")
def put_scaling_policy(original: Any, self: Any, **kwargs: Any) -> Any:
    """PutScalingPolicy needs a scalable target; updating a policy keeps its ARN and replaces its alarms."""
    _need_target(self, kwargs["service_namespace"], kwargs["resource_id"], kwargs["scalable_dimension"])
    key = models.FakeApplicationAutoscalingPolicy.formulate_key(
        kwargs["service_namespace"], kwargs["resource_id"], kwargs["scalable_dimension"], kwargs["policy_name"]
    )
    existing = self.policies.get(key)
    policy = original(self, **kwargs)
    if existing:
        existing.delete_alarms(self.account_id, self.region_name)
        policy.policy_arn, policy.creation_time = existing.policy_arn, existing.creation_time
    return policy


@gap(models.ApplicationAutoscalingBackend, "delete_scaling_policy")
def delete_scaling_policy(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """DeleteScalingPolicy does not find a missing policy: ObjectNotFoundException."""
    try:
        original(self, *args, **kwargs)
    except AWSValidationException as error:
        raise ObjectNotFound(error.message) from error


@gap(models.ApplicationAutoscalingBackend, "put_scheduled_action")
def put_scheduled_action(original: Any, self: Any, **kwargs: Any) -> None:
    """PutScheduledAction needs a scalable target."""
    _need_target(self, kwargs["service_namespace"], kwargs["resource_id"], kwargs["scalable_dimension"])
    original(self, **kwargs)


@gap(models.ApplicationAutoscalingBackend, "delete_scheduled_action")
def delete_scheduled_action(original: Any, self: Any, **kwargs: Any) -> None:
    """DeleteScheduledAction does not find a missing action: ObjectNotFoundException."""
    before = len(self.scheduled_actions)
    original(self, **kwargs)
    if len(self.scheduled_actions) == before:
        raise ObjectNotFound(f"No scheduled action found with the name {kwargs['scheduled_action_name']}")


@gap(responses.ApplicationAutoScalingResponse, "list_tags_for_resource")
def list_tags_for_resource(_original: Any, self: Any) -> str:
    """ListTagsForResource answers with the tags of a scalable target."""
    return json.dumps({"Tags": _target(self, self._get_param("ResourceARN")).tags})


@gap(responses.ApplicationAutoScalingResponse, "tag_resource")
def tag_resource(_original: Any, self: Any) -> str:
    """TagResource adds tags to a scalable target."""
    _target(self, self._get_param("ResourceARN")).tags.update(self._get_param("Tags"))
    return "{}"


@gap(responses.ApplicationAutoScalingResponse, "untag_resource")
def untag_resource(_original: Any, self: Any) -> str:
    """UntagResource removes tags from a scalable target."""
    tags = _target(self, self._get_param("ResourceARN")).tags
    for key in self._get_param("TagKeys"):
        tags.pop(key, None)
    return "{}"


def _target(response: Any, arn: str) -> Any:
    for targets in response.applicationautoscaling_backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                return target
    raise ResourceNotFound(arn)


def _need_target(backend: Any, namespace: str, resource_id: str, dimension: str) -> None:
    if not backend._scalable_target_exists(resource_id, dimension):
        raise ObjectNotFound(f"No scalable target registered for service namespace: {namespace}, resource ID: {resource_id}, scalable dimension: {dimension}")

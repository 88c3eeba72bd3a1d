#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application_autoscaling_target
version_added: 1.0.0
short_description: Manage an Application Auto Scaling target with its policies and scheduled actions
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes a scalable target, such as the number of tasks of an ECS service, with its scaling
    policies and scheduled actions (C(RegisterScalableTarget), C(PutScalingPolicy), C(PutScheduledAction) and the
    calls that undo them). Policies and actions of the target that are not given here are removed.
  - A scheduled action sets the bounds of the target when its time comes. Bounds that O(scheduled_actions) lead to,
    starting from O(min_capacity) and O(max_capacity), are as they should be.
  - Suspended scaling is resumed, which completes a run of M(mlplatform.mlflow_aws.ecs_service_state) that died.
  - Used in place of M(community.aws.application_autoscaling_policy), which changes AWS in check mode, has no
    scheduled actions and never removes a target.
options:
  service_namespace:
    description: Service of the target.
    type: str
    default: ecs
  resource_id:
    description: The target, as Application Auto Scaling spells it, such as C(service/<cluster>/<service>).
    type: str
    required: true
  scalable_dimension:
    description: What is scaled.
    type: str
    default: ecs:service:DesiredCount
  min_capacity:
    description: Minimum capacity. Required with O(state=present).
    type: int
  max_capacity:
    description: Maximum capacity. Required with O(state=present).
    type: int
  policies:
    description: The scaling policies.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the policy.
        type: str
        required: true
      target_tracking:
        description: C(TargetTrackingScalingPolicyConfiguration), spelled as the API spells it. One of this and C(step)
          is required.
        type: dict
      step:
        description: C(StepScalingPolicyConfiguration), spelled as the API spells it.
        type: dict
  scheduled_actions:
    description: The scheduled actions.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the action.
        type: str
        required: true
      schedule:
        description: When, as C(cron(...)), C(rate(...)) or C(at(...)).
        type: str
        required: true
      timezone:
        description: Time zone of the schedule.
        type: str
        default: UTC
      min_capacity:
        description: Minimum capacity from then on. Left as it is where omitted.
        type: int
      max_capacity:
        description: Maximum capacity from then on. Left as it is where omitted.
        type: int
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Create that the service scales with its use, and sleeps at night
  mlplatform.mlflow_aws.application_autoscaling_target:
    resource_id: service/mlflow-team-x/mlflow-team-x
    min_capacity: 2
    max_capacity: 4
    policies:
      - name: mlflow-team-x-cpu
        target_tracking:
          TargetValue: 70
          PredefinedMetricSpecification:
            PredefinedMetricType: ECSServiceAverageCPUUtilization
    scheduled_actions:
      - name: night
        schedule: cron(0 20 * * ? *)
        timezone: Europe/Madrid
        min_capacity: 0
        max_capacity: 0
      - name: morning
        schedule: cron(0 7 ? * MON-FRI *)
        timezone: Europe/Madrid
        min_capacity: 2
        max_capacity: 4
"""

RETURN = r"""
scalable_target:
  description: The target, as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    arn: arn:aws:application-autoscaling:eu-west-1:123456789012:scalable-target/0ec5abc123
    service_namespace: ecs
    resource_id: service/mlflow-team-x/mlflow-team-x
    scalable_dimension: ecs:service:DesiredCount
    min_capacity: 2
    max_capacity: 4
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
      description:
        - V(application_autoscaling_target), V(application_autoscaling_policy) or
          V(application_autoscaling_scheduled_action).
      type: str
      sample: application_autoscaling_target
    name:
      description: Name of the resource; of the target, its O(resource_id).
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

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.application_autoscaling import Target


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    target = Target(aws, params["resource_id"], params, tags=params["tags"], absent=params["state"] == "absent")

    def results() -> dict[str, t.Any]:
        if target.state is None:
            return {"scalable_target": {}}
        return {
            "scalable_target": {
                "arn": target.state["arn"],
                **{name: params[name] for name in ("service_namespace", "resource_id", "scalable_dimension")},
                **{name: params[name] for name in ("min_capacity", "max_capacity")},
            }
        }

    return [target], results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "service_namespace": {"type": "str", "default": "ecs"},
            "resource_id": {"type": "str", "required": True},
            "scalable_dimension": {"type": "str", "default": "ecs:service:DesiredCount"},
            "min_capacity": {"type": "int"},
            "max_capacity": {"type": "int"},
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
            **STATE,
            **TAGS,
        },
        required_if=[("state", "present", ("min_capacity", "max_capacity"))],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_service
version_added: 1.0.0
short_description: Manage an ECS service on Fargate, with its scaling
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes an ECS service on Fargate that is deployed by rolling updates (C(CreateService),
    C(UpdateService), C(DeleteService)), and waits until its deployment is complete.
  - A deployment that fails, or that ECS's circuit breaker rolls back, is an error with ECS's events, the reasons why
    tasks stopped, and the last lines that they logged. The next run deploys again.
  - The number of tasks of a running service is never changed; autoscaling controls it.
  - A service that M(mlplatform.mlflow_aws.ecs_service_state) has stopped is started again, with as many tasks as it had.
    The previous revision may be incompatible with what was changed in the meantime, such as the schema of its database. So
    the new revision is deployed while there are no tasks, and until its tasks run ECS's circuit breaker does not roll
    back.
  - Once the service runs, creates and updates its scalable target with the scaling policies and scheduled actions
    (C(RegisterScalableTarget), C(PutScalingPolicy), C(PutScheduledAction) and the calls that undo them). Policies and actions of the
    target that are not given here are removed. A scheduled action sets the bounds of the target when its time comes. Bounds that the
    scheduled actions lead to, starting from those given here, are as they should be. Suspended scaling is resumed, which completes
    a run of M(mlplatform.mlflow_aws.ecs_service_state) that died.
  - With O(state=absent), removes the scalable target of the service first.
  - Used in place of M(community.aws.ecs_service), which does not compare the deployment or network configuration,
    cannot change tags, reports a change on every run where autoscaling controls the number of tasks, and does not
    say why a deployment failed; and of M(community.aws.application_autoscaling_policy), which changes AWS in check mode, has no
    scheduled actions and never removes a target.
options:
  name:
    description: Name of the service.
    type: str
    required: true
  further_services:
    description:
      - Services beside it, in the same cluster, which have no scaling. All that is not given here is as for O(name).
      - One that is new beside an existing O(name) is created once the deployment of that is complete, and one is removed before that
        begins. So what only one of them may do at a time moves from one to the other.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the service.
        type: str
        required: true
      task_definition:
        description: ARN of the task definition, with its revision. Required with O(further_services[].state=present).
        type: str
      load_balancers:
        description: The target groups that the tasks register with.
        type: list
        elements: dict
        default: []
        suboptions: &load_balancers
          target_group_arn:
            description: ARN of the target group.
            type: str
            required: true
          container_name:
            description: Name of the container.
            type: str
            required: true
          container_port:
            description: Port of the container.
            type: int
            required: true
      capacity_provider_strategy:
        description: The capacity providers that run the tasks, as O(capacity_provider_strategy).
        type: list
        elements: dict
        default: []
        suboptions: &capacity_provider_strategy
          capacity_provider:
            description: The capacity provider.
            type: str
            choices: [FARGATE, FARGATE_SPOT]
            required: true
          weight:
            description: Its share of the tasks beyond the base, relative to the weights of the others.
            type: int
            default: 1
          base:
            description: Number of tasks that it runs before any other does. One capacity provider may have a base.
            type: int
            default: 0
      single_task:
        description: As O(single_task). The service starts with one task then.
        type: bool
        default: false
      state:
        description: Whether it exists. With O(state=absent) none does.
        type: str
        choices: [present, absent]
        default: present
  single_task:
    description:
      - Whether there is never more than one task, not even during a deployment, which stops it before it starts the next one, so that the
        service is away meanwhile. O(maximum_percent) is V(100) then, O(minimum_healthy_percent) V(0), and
        O(availability_zone_rebalancing) V(DISABLED), which ECS refuses otherwise.
      - Where there are more tasks, all but one are stopped with the deployment. A maximum of one in O(scalable_target) keeps it so.
    type: bool
    default: false
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  task_definition:
    description: ARN of the task definition, with its revision. Required with O(state=present).
    type: str
  desired_count:
    description: Number of tasks with which a new service starts.
    type: int
    default: 1
  capacity_provider_strategy:
    description:
      - The capacity providers that run the tasks, which the cluster has to have. Without any it is the launch type C(FARGATE).
      - A change starts a new deployment, because ECS changes no running task.
    type: list
    elements: dict
    default: []
    suboptions: *capacity_provider_strategy
  platform_version:
    description: Version of the Fargate platform.
    type: str
    default: LATEST
  subnets:
    description: IDs of the subnets of the tasks. Required with O(state=present).
    type: list
    elements: str
  security_groups:
    description: IDs of the security groups of the tasks. Required with O(state=present).
    type: list
    elements: str
  assign_public_ip:
    description: Whether the tasks have public addresses.
    type: bool
    default: false
  load_balancers:
    description: The target groups that the tasks register with.
    type: list
    elements: dict
    default: []
    suboptions: *load_balancers
  change_over_with:
    description:
      - Whose tasks serve, for a while, both the target groups of before and those of O(load_balancers), where rules of a load balancer wait for
        tasks in the latter (O(ignore:target_group.superseded) of M(mlplatform.mlflow_aws.elbv2_load_balancer)), V(task_definition) or the
        V(previous) revision. They are registered with both, then the rules change over, and then the service is deployed as it is to be.
        So no request fails.
    type: str
    choices: [task_definition, previous]
    default: task_definition
  deployment_alarms:
    description:
      - Names of CloudWatch alarms. A deployment during which one of them goes into alarm fails, and ECS goes back to the last one that was completed.
      - A service that was stopped for a while by M(mlplatform.mlflow_aws.ecs_service_state) is started without them.
    type: list
    elements: str
    default: []
    version_added: 1.2.0
  circuit_breaker:
    description: Whether ECS gives up a deployment whose tasks do not start, and rolls back to the last one that succeeded.
    type: bool
    default: true
  remedy:
    description: Last sentence of the error where a stopped service cannot be started again, such as how to roll back.
    type: str
    default: ""
  maximum_percent:
    description: Maximum number of tasks during a deployment, in percent of the number of tasks.
    type: int
    default: 200
  minimum_healthy_percent:
    description: Minimum number of healthy tasks during a deployment, in percent of the number of tasks.
    type: int
    default: 100
  health_check_grace_period_seconds:
    description: Seconds after its start in which a task may fail the load balancer's health checks.
    type: int
    default: 0
  enable_execute_command:
    description: Whether ECS Exec may open a shell in a task. A change starts a new deployment, because ECS sets it up
      with the task.
    type: bool
    default: false
  enable_ecs_managed_tags:
    description: Whether ECS tags the tasks with cluster and service.
    type: bool
    default: true
  propagate_tags:
    description: Whose tags new tasks get.
    type: str
    choices: [NONE, SERVICE, TASK_DEFINITION]
    default: SERVICE
  availability_zone_rebalancing:
    description: Whether ECS redistributes the tasks over the availability zones after one has failed.
    type: str
    choices: [ENABLED, DISABLED]
    default: ENABLED
  scalable_target:
    description: How Application Auto Scaling controls the number of tasks. Not managed where omitted.
    type: dict
    suboptions:
      min_capacity:
        description: Minimum number of tasks.
        type: int
        required: true
      max_capacity:
        description: Maximum number of tasks.
        type: int
        required: true
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
            description: Minimum number of tasks from then on. Left as it is where omitted.
            type: int
          max_capacity:
            description: Maximum number of tasks from then on. Left as it is where omitted.
            type: int
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Create the service
  mlplatform.mlflow_aws.ecs_service:
    name: mlflow-team-x
    cluster: mlflow-team-x
    task_definition: "{{ registered.task_definitions['mlflow-team-x'].arn }}"
    desired_count: 2
    subnets: [subnet-0a, subnet-0b]
    security_groups: [sg-0a]
    load_balancers:
      - target_group_arn: "{{ target_group_arn }}"
        container_name: mlflow
        container_port: 5000
    health_check_grace_period_seconds: 120
    scalable_target:
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
    tags:
      team: x
"""

RETURN = r"""
service:
  description: The service, as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    arn: arn:aws:ecs:eu-west-1:123456789012:service/mlflow-team-x/mlflow-team-x
    name: mlflow-team-x
further_services:
  description: Those of O(further_services) that there are after the run, as RV(service).
  type: list
  elements: dict
  returned: success
  sample: []
scalable_target:
  description: The scalable target, as it is after the run. Empty where it is not managed, and with O(state=absent).
  type: dict
  returned: success
  sample:
    arn: arn:aws:application-autoscaling:eu-west-1:123456789012:scalable-target/0ec5abc123
    service_namespace: ecs
    resource_id: service/mlflow-team-x/mlflow-team-x
    scalable_dimension: ecs:service:DesiredCount
    min_capacity: 2
    max_capacity: 4
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
      description:
        - V(ecs_service), V(application_autoscaling_target), V(application_autoscaling_policy) or
          V(application_autoscaling_scheduled_action).
      type: str
      sample: ecs_service
    name:
      description: Name of the resource; of the scalable target, its C(resource_id).
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

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments, STATE, TAGS, WAIT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.reconcile import read
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.application_autoscaling import SCALABLE_TARGET, Target, resource_id
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.service import FARGATE, Service


def _lists() -> Arguments:
    """Options that each service has, made anew each time: Ansible fills in their defaults."""
    provider: Arguments = {
        "capacity_provider": {"type": "str", "choices": list(FARGATE), "required": True},
        "weight": {"type": "int", "default": 1},
        "base": {"type": "int", "default": 0},
    }
    balancer: Arguments = {
        "target_group_arn": {"type": "str", "required": True},
        "container_name": {"type": "str", "required": True},
        "container_port": {"type": "int", "required": True},
    }
    return {
        "capacity_provider_strategy": {"type": "list", "elements": "dict", "default": [], "options": provider},
        "load_balancers": {"type": "list", "elements": "dict", "default": [], "options": balancer},
    }


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent, tags = params["state"] == "absent", params["tags"]
    service = Service(aws, params["name"], {**params, **_with_count(params)}, tags=tags, absent=absent)
    target = Target(aws, resource_id(params["cluster"], params["name"]), params["scalable_target"], tags=tags, needs=[service], absent=absent)
    further = [
        Service(aws, each["name"], {**params, **each, **_with_count(each, 1)}, tags=tags, absent=absent or each["state"] == "absent")
        for each in params["further_services"]
    ]
    read(service, *further)
    for each in further:
        if each.absent or (service.current_state() and not each.current_state()):
            each.needs = (service,)

    def results() -> dict[str, t.Any]:
        services = [{"arn": each.state["arn"], "name": each.name} if each.state else {} for each in (service, *further)]
        return {"service": services[0], "further_services": list(filter(None, services[1:])), "scalable_target": target.result()}

    if absent:
        return [target, *further, service], results
    return [service, *([target] if params["scalable_target"] else []), *further], results


def _with_count(params: dict[str, t.Any], desired: int | None = None) -> dict[str, t.Any]:
    """What follows for a service from having a single task. ``desired``: with how many it starts, where nothing else says so."""
    single = {"maximum_percent": 100, "minimum_healthy_percent": 0, "availability_zone_rebalancing": "DISABLED"}
    return {**({} if desired is None else {"desired_count": desired}), **(single if params["single_task"] else {})}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "task_definition": {"type": "str"},
            "desired_count": {"type": "int", "default": 1},
            "further_services": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "task_definition": {"type": "str"},
                    **_lists(),
                    "single_task": {"type": "bool", "default": False},
                    **STATE,
                },
            },
            "single_task": {"type": "bool", "default": False},
            "platform_version": {"type": "str", "default": "LATEST"},
            "subnets": {"type": "list", "elements": "str"},
            "security_groups": {"type": "list", "elements": "str"},
            "assign_public_ip": {"type": "bool", "default": False},
            **_lists(),
            "change_over_with": {"type": "str", "choices": ["task_definition", "previous"], "default": "task_definition"},
            "deployment_alarms": {"type": "list", "elements": "str", "default": []},
            "circuit_breaker": {"type": "bool", "default": True},
            "remedy": {"type": "str", "default": ""},
            "maximum_percent": {"type": "int", "default": 200},
            "minimum_healthy_percent": {"type": "int", "default": 100},
            "health_check_grace_period_seconds": {"type": "int", "default": 0},
            "enable_execute_command": {"type": "bool", "default": False},
            "enable_ecs_managed_tags": {"type": "bool", "default": True},
            "propagate_tags": {"type": "str", "choices": ["NONE", "SERVICE", "TASK_DEFINITION"], "default": "SERVICE"},
            "availability_zone_rebalancing": {"type": "str", "choices": ["ENABLED", "DISABLED"], "default": "ENABLED"},
            "scalable_target": {"type": "dict", "options": SCALABLE_TARGET},
            **STATE,
            **TAGS,
            **WAIT,
        },
        required_if=[("state", "present", ("task_definition", "subnets", "security_groups"))],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

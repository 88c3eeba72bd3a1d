# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the parts of a stack that cost money by being there, as a plan would have them after it; and before each of its lines. Pure."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import Change
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import maximum_servers
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.jobs import ON_DEMAND, SCHEDULED, given
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.monitoring.alarms import Watched, alarms
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import Names

Parts = dict[str, dict[str, dict[str, t.Any]]]
"""By kind and name, each with those fields of a plan that decide what it costs."""

CLUSTER, INSTANCE, SERVICE, TASK = "rds_cluster", "rds_instance", "ecs_service", "ecs_task_definition"
TARGET, ACTION = "application_autoscaling_target", "application_autoscaling_scheduled_action"
LOAD_BALANCER, SECRET = "elbv2_load_balancer", "secretsmanager_secret"
ALARM, DASHBOARD, METRIC = "cloudwatch_metric_alarm", "cloudwatch_dashboard", "logs_metric_filter"
PRICED = frozenset({CLUSTER, INSTANCE, SERVICE, TASK, TARGET, ACTION, LOAD_BALANCER, SECRET, ALARM, DASHBOARD, METRIC})
_WATCHING = ("mlflow_alarm_topic_arn", "mlflow_alarm_emails", "mlflow_dashboard")


def parts_of(inputs: Inputs, names: Names, *, jobs: bool, identity: str) -> Parts:
    """What the inputs ask for. ``jobs``: whether a service of its own runs MLflow's jobs; ``identity``: the mode of `mlflow_identity`."""
    stack = names.unique_name
    minimum = 0 if inputs["mlflow_database_auto_pause"] else inputs["mlflow_database_min_capacity"]
    task = {
        "cpu": inputs["mlflow_service_cpu"],
        "memory": inputs["mlflow_service_memory"],
        "runtime_platform": {"cpuArchitecture": inputs["mlflow_service_cpu_architecture"]},
    }
    providers = {
        each["capacity_provider"]: {"weight": each.get("weight", 1), "base": each.get("base", 0)} for each in inputs["mlflow_service_capacity_providers"]
    }
    secrets = [*names.secrets, *([names.identity_key_secret] if identity != "off" and inputs["mlflow_api_authorizer"] == "lambda" else [])]
    watched = any(inputs.get(name) for name in _WATCHING)
    return {
        CLUSTER: {stack: {"serverless_v2_scaling": {"min_capacity": float(minimum), "max_capacity": float(inputs["mlflow_database_max_capacity"])}}},
        INSTANCE: {f"{stack}-{n + 1}": {} for n in range(1 + inputs["mlflow_database_reader_count"])},
        SERVICE: {stack: {"capacity_providers": providers}, **({names.jobs_service: {"capacity_providers": {}}} if jobs else {})},
        TASK: {stack: task, **({names.jobs_service: copy.deepcopy(task)} if jobs else {})},
        TARGET: {names.scalable_target: {"capacity": {"min": inputs["mlflow_service_min_capacity"], "max": inputs["mlflow_service_max_capacity"]}}},
        ACTION: {f"{names.scheduled_action_prefix}{each['name']}": _action(each) for each in inputs["mlflow_service_scheduled_actions"]},
        LOAD_BALANCER: {name: {"addresses": _addresses(inputs) if name == stack else 0} for name in names.load_balancers},
        SECRET: {name: {} for name in secrets},
        ALARM: {f"{names.alarm_prefix}{each.name}": {"metrics": dict.fromkeys(each.metrics)} for each in (alarms(_watched(inputs, names)) if watched else [])},
        DASHBOARD: {names.dashboard: {}} if inputs.get("mlflow_dashboard") else {},
        METRIC: {names.refused_filter: {}} if watched else {},
    }


def runs_jobs_apart(inputs: Inputs) -> bool:
    """Whether a new stack with these inputs has a service of its own for jobs, where nobody has asked AWS."""
    return not given(inputs) and (inputs.get("mlflow_jobs") or ON_DEMAND) in (ON_DEMAND, SCHEDULED) and maximum_servers(inputs) > 1


def _action(given: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "schedule": given["schedule"],
        "timezone": given.get("timezone") or "UTC",
        "capacity": {"min": given.get("min_capacity"), "max": given.get("max_capacity")},
    }


def _addresses(inputs: Inputs) -> int:
    """The public IPv4 addresses of the load balancer for people: one in each subnet."""
    private = inputs["mlflow_load_balancer_is_internal"] or inputs["mlflow_load_balancer_ip_address_type"] == "dualstack-without-public-ipv4"
    return 0 if private else len(inputs.get("mlflow_load_balancer_subnet_ids") or [])


def _watched(inputs: Inputs, names: Names) -> Watched:
    """The stack as its alarms see it, without what only AWS can say, which makes no difference to their number."""
    doors = dict(zip(("people", "programs"), names.load_balancers, strict=False))
    bounds = {
        bound: [inputs[f"mlflow_service_{bound}_capacity"], *(each[key] for each in inputs["mlflow_service_scheduled_actions"] if each.get(key) is not None)]
        for bound, key in (("min", "min_capacity"), ("max", "max_capacity"))
    }
    return Watched(
        stack=names.unique_name,
        load_balancers=doors,
        target_groups=doors,
        api_id="",
        authorizer=names.authorizer if inputs["mlflow_api_authorizer"] == "lambda" else "",
        certificates={"people": "", "programs": ""},
        rule=names.stopped_tasks_rule if any(inputs.get(name) for name in _WATCHING[:2]) else "",
        container_insights=inputs["mlflow_service_container_insights"] != "disabled",
        capacities=(*bounds["min"], *bounds["max"]),
        minimum_capacities=tuple(bounds["min"]),
        engine=inputs["mlflow_database_engine"],
        database_capacities=(0 if inputs["mlflow_database_auto_pause"] else inputs["mlflow_database_min_capacity"], inputs["mlflow_database_max_capacity"]),
    )


def before(parts: Parts, change: Change) -> Parts:
    """The parts as they were before a line of a plan, from those after it. The same object where the line is about none of them.

    >>> before({"rds_instance": {"x-1": {}, "x-2": {}}}, {"action": "create", "kind": "rds_instance", "name": "x-2", "fields": [], "warnings": []})
    {'rds_instance': {'x-1': {}}}
    """
    kind, name = change["kind"], change["name"]
    if kind not in PRICED:
        return parts
    there = parts.get(kind, {})
    if kind in (TASK, TARGET) and change["action"] != "update":
        return parts  # they come and go with their service
    if change["action"] == "create":
        left = {other: state for other, state in there.items() if other != name}
        return {**parts, kind: left} if len(left) < len(there) else parts
    if change["action"] == "delete":
        return {**parts, kind: {**there, name: {}}}  # a plan does not say how it was
    if name not in there:
        return parts
    state = copy.deepcopy(there[name])
    for field in change["fields"]:
        _put_back(state, field["name"].split("."), field["before"])
    return parts if state == there[name] else {**parts, kind: {**there, name: state}}


def _put_back(state: dict[str, t.Any], path: list[str], value: t.Any) -> None:
    """Give a field of a state the value of before, if it is one of those that decide what the part costs."""
    *within, last = path
    for key in within:
        inner = state.get(key)
        if not isinstance(inner, dict):
            if key not in _OPEN:
                return
            inner = state[key] = {}
        state = inner
    if value is None:
        state.pop(last, None)
    elif last in state or set(within) & _OPEN or last in _OPEN:
        state[last] = value


_OPEN = frozenset({"capacity_providers", "metrics", "FARGATE", "FARGATE_SPOT"})
"""Fields in which there may have been what there is not any more."""

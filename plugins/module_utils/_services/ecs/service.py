# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: an ECS service on Fargate, and that it was stopped for a while."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.stopped_task import why_stopped
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.changeover import change_over, rules_to_change_over

DEPLOYED = frozenset({"task_definition", "platform_version", "network", "load_balancers", "enable_execute_command", "capacity_providers"})
"""What ECS starts new tasks for."""

FORCED = frozenset({"enable_execute_command", "capacity_providers"})
"""What of that ECS starts no deployment for on its own."""

FARGATE = ("FARGATE", "FARGATE_SPOT")
"""The capacity providers that AWS has."""

EVENTS = 3
"""Last events of a service that an error shows."""

STOPPED = "mlflow-desired-count"
"""The tag of a service that was stopped for a while: how many tasks it had before."""


def progress(service: dict[str, t.Any]) -> str:
    """What ECS says of the tasks of a service."""
    rollouts = [d["rolloutState"] for d in service.get("deployments", []) if d.get("rolloutState")]
    counts = f"{service.get('runningCount', 0)} of {service.get('desiredCount', 0)} tasks running"
    starting = f", {service['pendingCount']} starting" if service.get("pendingCount") else ""
    failed = sum(d.get("failedTasks", 0) for d in service.get("deployments", []))
    return counts + starting + (f", {failed} failed" if failed else "") + "".join(f", deployment {r}" for r in rollouts[:1])


class Service(Resource):
    """A service on Fargate. ``spec``: the options of ``ecs_service``, but for ``name``."""

    kind = "ecs_service"
    service = "ecs"
    immutable = frozenset({"launch_type"})
    timeout = 3600

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.deployment: State = {}  # the one that this run waits for
        self.asked = False  # whether AWS was asked for the change that is noted
        self.stopped = False  # whether it was stopped for a while
        self.alarm_names: list[str] = []  # of those that end its deployments, or did

    def describe(self) -> State | None:
        answer = none_if_missing(
            self.aws.client("ecs").describe_services, "ClusterNotFoundException", cluster=self.spec["cluster"], services=[self.name], include=["TAGS"]
        )
        service = next(iter(answer["services"]), None) if answer else None
        # A service that is being deleted cannot be changed any more: a new one is created as soon as it is gone.
        gone = ("INACTIVE",) if self.absent else ("INACTIVE", "DRAINING")
        if service is None or service["status"] in gone:
            return None
        network = service.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
        deployment = service.get("deploymentConfiguration", {})
        breaker, alarms = deployment.get("deploymentCircuitBreaker", {}), deployment.get("alarms", {})
        tags = tag_dict(service.get("tags", []), "key", "value")
        providers = {each["capacityProvider"]: {"weight": each["weight"], "base": each["base"]} for each in service.get("capacityProviderStrategy", [])}
        remembered = tags.pop(STOPPED, None)
        self.stopped = self.stopped or remembered is not None
        self.alarm_names = alarms.get("alarmNames", [])
        return {
            **_rollout(service),
            "stopped": remembered is not None,
            "remembered": int(remembered or 0),
            "arn": service["serviceArn"],
            "status": service["status"],
            # So that the same task definition is deployed again.
            "task_definition": service["taskDefinition"] + (" (deployment failed)" if _failed(service) else ""),
            "launch_type": service.get("launchType") or ("FARGATE" if providers and set(providers) <= set(FARGATE) else ""),
            "capacity_providers": providers,
            "platform_version": service.get("platformVersion", ""),
            "network": {
                "subnets": sorted(network.get("subnets", [])),
                "security_groups": sorted(network.get("securityGroups", [])),
                "assign_public_ip": network.get("assignPublicIp") == "ENABLED",
            },
            "load_balancers": {b["targetGroupArn"]: f"{b['containerName']}:{b['containerPort']}" for b in service.get("loadBalancers", [])},
            "circuit_breaker": breaker.get("enable", False) and breaker.get("rollback", False),
            "deployment_alarms": sorted(alarms["alarmNames"]) if alarms.get("enable") and alarms.get("rollback") else [],
            "maximum_percent": deployment.get("maximumPercent"),
            "minimum_healthy_percent": deployment.get("minimumHealthyPercent"),
            "health_check_grace_period_seconds": service.get("healthCheckGracePeriodSeconds", 0),
            "enable_execute_command": service.get("enableExecuteCommand", False),
            "enable_ecs_managed_tags": service.get("enableECSManagedTags", False),
            "propagate_tags": service.get("propagateTags", "NONE"),
            "availability_zone_rebalancing": service.get("availabilityZoneRebalancing", "DISABLED"),
            "tags": tags,
        }

    def desired(self) -> State:
        same = (
            "task_definition",
            "platform_version",
            "circuit_breaker",
            "maximum_percent",
            "minimum_healthy_percent",
            "health_check_grace_period_seconds",
            "enable_execute_command",
            "enable_ecs_managed_tags",
            "propagate_tags",
            "availability_zone_rebalancing",
        )
        return {
            **{name: self.spec[name] for name in same},
            "deployment_alarms": sorted(self.spec["deployment_alarms"]),
            "stopped": False if self.stopped else None,
            "launch_type": "FARGATE",
            "capacity_providers": {
                each["capacity_provider"]: {"weight": each["weight"], "base": each["base"]} for each in self.spec["capacity_provider_strategy"]
            },
            "network": {
                "subnets": sorted(self.spec["subnets"]),
                "security_groups": sorted(self.spec["security_groups"]),
                "assign_public_ip": self.spec["assign_public_ip"],
            },
            "load_balancers": {b["target_group_arn"]: f"{b['container_name']}:{b['container_port']}" for b in self.spec["load_balancers"]},
        }

    def unknown(self) -> State:
        return {"arn": UNKNOWN}

    def create(self, desired: State) -> State:
        arguments = self._arguments(desired)
        if not desired["capacity_providers"]:  # ECS takes either, and no empty strategy here
            arguments = {**arguments, "launchType": "FARGATE"}
            del arguments["capacityProviderStrategy"]
        # While a service of this name is still being deleted, ECS takes no new one.
        service = retry_on(
            self.aws.client("ecs").create_service,
            "InvalidParameterException",
            message="still Draining",
            timeout=self.timeout,
            serviceName=self.name,
            cluster=self.spec["cluster"],
            desiredCount=self.spec["desired_count"],
            tags=tag_list(desired["tags"], "key", "value"),
            **arguments,
        )["service"]
        return self._answered(service)

    def update(self, before: State, changes: State) -> State:
        if self.stopped:
            return self._start_again(before, changes)
        if "load_balancers" in changes and before["count"]:
            self._change_over(before, changes)
        force = changes.keys() & FORCED or before["failed"]
        arguments = {**self._arguments(changes), **({"forceNewDeployment": True} if force else {})}
        if self.spec["single_task"] and before["count"] > 1:
            arguments["desiredCount"] = 1
        return self._answered(self.aws.client("ecs").update_service(service=self.name, cluster=self.spec["cluster"], **arguments)["service"])

    def _change_over(self, before: State, changes: State) -> None:
        """Where rules wait for tasks in another target group: register the tasks with both, and let the rules change over.

        A run that died at any point is made up for by the next: rules wait no more once they have changed over.
        """
        leaving = before["load_balancers"].keys() - changes["load_balancers"].keys()
        rules = rules_to_change_over(self.aws, changes["load_balancers"].keys()) if leaving else []
        if not rules:
            return
        both = {**changes, "load_balancers": {**before["load_balancers"], **changes["load_balancers"]}}
        if self.spec["change_over_with"] == "previous":
            both.pop("task_definition", None)
        self._deploy({"service": self.name, "cluster": self.spec["cluster"]}, self._arguments(both))
        for rule in rules:
            change_over(self.aws, rule)

    def _start_again(self, before: State, changes: State) -> State:
        """Start a stopped service. A run that died at any point is made up for by the next, because the tag goes last."""
        ecs, name = self.aws.client("ecs"), {"service": self.name, "cluster": self.spec["cluster"]}
        arguments = self._arguments({**changes, "circuit_breaker": True})
        configuration = arguments["deploymentConfiguration"]
        breaker, alarms = configuration["deploymentCircuitBreaker"], configuration.get("alarms")
        # Not back to an MLflow that does not know the schema any more; and while no server runs, there are errors.
        watched = {"alarms": {**alarms, "enable": False, "rollback": False}} if alarms else {}
        arguments["deploymentConfiguration"] = {**configuration, "deploymentCircuitBreaker": {**breaker, "rollback": False}, **watched}
        again, count = "task_definition" in changes, min(before["remembered"], 1) if self.spec["single_task"] else before["remembered"]
        if again:  # the last completed deployment, to which ECS could go back, becomes one of the new revision
            self._deploy(name, {**arguments, "desiredCount": 0})
        if again or before["count"] != count:  # in a deployment, or the circuit breaker would not watch it
            self._deploy(name, {**arguments, "desiredCount": count, "forceNewDeployment": True})
        else:
            self.asked, self.deployment = True, before["primary"]
            self.wait_ready()
        service = ecs.update_service(**name, deploymentConfiguration=configuration)["service"]
        ecs.untag_resource(resourceArn=before["arn"], tagKeys=[STOPPED])
        return self._answered(service)

    def _deploy(self, name: dict[str, str], arguments: State) -> None:
        """Start a deployment and wait until it is complete."""
        answered = self._answered(self.aws.client("ecs").update_service(**name, **arguments)["service"])
        self.state = {**self.actual, **answered}
        self.wait_ready()

    def _answered(self, service: State) -> State:
        self.asked = True
        rollout = _rollout(service)
        self.deployment = rollout["primary"]
        return {"arn": service["serviceArn"], "status": service["status"], **rollout}

    def _arguments(self, wanted: State) -> State:
        """The fields as CreateService and UpdateService take them."""
        plain = {
            "task_definition": "taskDefinition",
            "platform_version": "platformVersion",
            "enable_execute_command": "enableExecuteCommand",
            "enable_ecs_managed_tags": "enableECSManagedTags",
            "propagate_tags": "propagateTags",
            "availability_zone_rebalancing": "availabilityZoneRebalancing",
        }
        arguments = {plain[name]: value for name, value in wanted.items() if name in plain}
        if "health_check_grace_period_seconds" in wanted and self.spec["load_balancers"]:  # refused without one
            arguments["healthCheckGracePeriodSeconds"] = wanted["health_check_grace_period_seconds"]
        if "capacity_providers" in wanted:  # an empty list brings the launch type back
            providers = wanted["capacity_providers"]
            arguments["capacityProviderStrategy"] = [{"capacityProvider": name, **shares} for name, shares in providers.items()]
        if "network" in wanted:
            arguments["networkConfiguration"] = {
                "awsvpcConfiguration": {
                    "subnets": wanted["network"]["subnets"],
                    "securityGroups": wanted["network"]["security_groups"],
                    "assignPublicIp": "ENABLED" if wanted["network"]["assign_public_ip"] else "DISABLED",
                }
            }
        if "load_balancers" in wanted:
            containers = {arn: container.rpartition(":") for arn, container in wanted["load_balancers"].items()}
            arguments["loadBalancers"] = [
                {"targetGroupArn": arn, "containerName": name, "containerPort": int(port)} for arn, (name, _colon, port) in containers.items()
            ]
        if wanted.keys() & {"circuit_breaker", "deployment_alarms", "maximum_percent", "minimum_healthy_percent"}:
            enabled, alarms = self.spec["circuit_breaker"], sorted(self.spec["deployment_alarms"])
            # Switched off, their names stay: by them preflight sees that there may be alarms to remove.
            names = alarms or self.alarm_names
            alarmed = {"alarms": {"alarmNames": names, "enable": bool(alarms), "rollback": bool(alarms)}} if names else {}
            arguments["deploymentConfiguration"] = {
                "deploymentCircuitBreaker": {"enable": enabled, "rollback": enabled},
                "maximumPercent": self.spec["maximum_percent"],
                "minimumHealthyPercent": self.spec["minimum_healthy_percent"],
                **alarmed,
            }
        return arguments

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        self.asked = True
        super().retag(before, to_set, to_unset)

    def delete(self, before: State) -> None:
        if before["status"] == "ACTIVE":
            self.aws.client("ecs").delete_service(service=self.name, cluster=self.spec["cluster"], force=True)
        self.wait_gone()

    def warn(self, before: State | None, changes: State) -> list[str]:
        if self.absent:
            return ["all its tasks are stopped"]
        warnings = []
        if changes.get("network", {}).get("assign_public_ip") and not (before and before["network"]["assign_public_ip"]):
            warnings.append("its tasks get public addresses")
        if "FARGATE_SPOT" in changes.get("capacity_providers", {}) and not (before and "FARGATE_SPOT" in before["capacity_providers"]):
            warnings.append("AWS may take tasks on Fargate Spot away two minutes after it says so, and may have no capacity for others in their place")
        if changes.get("enable_execute_command"):
            warnings.append("whoever may ecs:ExecuteCommand can open a shell in its tasks")
        if before and self.spec["minimum_healthy_percent"] < 100 and changes.keys() & DEPLOYED:
            share = self.spec["minimum_healthy_percent"]
            warnings.append(f"restarts its tasks, and up to {100 - share} % of them are away at a time")
        return warnings

    def pending(self, state: State) -> bool:
        if self.change and not self.asked:
            return False  # what is about to be asked for takes the place of a deployment under way
        primary = state["primary"]
        self.deployment = self.deployment or primary
        ours = next((d for d in state["deployments"] if d["id"] == self.deployment.get("id")), None)
        if ours is None:
            if primary and primary["createdAt"] > self.deployment["createdAt"]:
                raise AwsError(f"another deployment took the place of this one: {_reason(primary)}")
            return True  # ECS does not show our deployment everywhere yet
        if ours.get("rolloutState") == "FAILED":
            raise AwsError(f"the deployment failed: {_reason(ours)}")
        return ours.get("rolloutState") != "COMPLETED" or (self.asked and state["running"] < state["count"])

    def wait_ready(self) -> None:
        try:
            super().wait_ready()
        except AwsError as error:
            remedy = [self.spec["remedy"]] if self.stopped and self.spec["remedy"] else []
            raise AwsError("\n  ".join([str(error), *self._reasons(), *remedy])) from error

    def progress(self, state: State) -> str:
        return str(state["progress"])

    def _reasons(self) -> list[str]:
        """What ECS says of the service, and why its last task stopped."""
        ecs, cluster = self.aws.client("ecs"), self.spec["cluster"]
        lines = [event["message"] for event in self.actual.get("events", [])[:EVENTS]]
        arns = ecs.list_tasks(cluster=cluster, serviceName=self.name, desiredStatus="STOPPED")["taskArns"]
        tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        stopped = sorted((task for task in tasks if "stoppedAt" in task), key=lambda task: task["stoppedAt"])
        if stopped:
            answer = ecs.describe_task_definition(taskDefinition=stopped[-1]["taskDefinitionArn"])
            lines += why_stopped(self.aws, stopped[-1], answer["taskDefinition"])
        return lines


def _rollout(service: State) -> State:
    """What pending() looks at."""
    return {
        "deployments": service.get("deployments", []),
        "primary": _primary(service),
        "failed": _failed(service),
        "running": service.get("runningCount", 0),
        "count": service.get("desiredCount", 0),
        "events": service.get("events", []),
        "progress": progress(service),
    }


def _primary(service: State) -> State:
    return next((d for d in service.get("deployments", []) if d["status"] == "PRIMARY"), {})


def _failed(service: State) -> bool:
    return _primary(service).get("rolloutState") == "FAILED"


def _reason(deployment: State) -> str:
    return deployment.get("rolloutStateReason") or "ECS gives no reason"

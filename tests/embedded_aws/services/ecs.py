# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ECS: complete echo, services that reach steady state, tasks that run and stop, life after deletion."""

from __future__ import annotations

import copy
import time
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ecs import exceptions, models, responses
from moto.elbv2.models import elbv2_backends
from moto.logs.models import logs_backends
from moto.moto_api._internal import mock_random

from embedded_aws.gaps import gap
from embedded_aws.task_definitions import refusals
from embedded_aws.task_secrets import unreadable
from embedded_aws.tasks import result_of
from embedded_aws.timing import Elapsed

Backend, Response = models.EC2ContainerServiceBackend, responses.EC2ContainerServiceResponse

# The changes that UpdateService starts a new deployment for.
DEPLOYED = ("task_definition", "network_configuration", "platform_version", "load_balancers", "service_registries")


class ClusterContainsServices(exceptions.ECSException):
    code = 400

    def __init__(self) -> None:
        super().__init__("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")


class ServiceNotActive(exceptions.ECSException):
    code = 400

    def __init__(self) -> None:
        super().__init__("ServiceNotActiveException", "Service was not ACTIVE.")


@gap(Backend, "create_cluster")
def create_cluster(original: Any, self: Any, cluster_name: str, *args: Any, **kwargs: Any) -> Any:
    """CreateCluster answers with the active cluster of that name if there is one."""
    existing = self.clusters.get(cluster_name)
    if existing and existing.status == "ACTIVE":
        return existing
    cluster = original(self, cluster_name, *args, **kwargs)
    cluster.tags = cluster.tags or []
    cluster.capacity_providers = cluster.capacity_providers or []
    cluster.default_capacity_provider_strategy = cluster.default_capacity_provider_strategy or []
    return cluster


@gap(Backend, "update_cluster")
def update_cluster(original: Any, self: Any, cluster_name: str, cluster_settings: Any, *args: Any, **kw: Any) -> Any:
    """UpdateCluster keeps the settings that it is not given."""
    if cluster_settings is not None:
        given = {setting["name"] for setting in cluster_settings}
        kept = [each for each in self._get_cluster(cluster_name).settings if each["name"] not in given]
        cluster_settings = cluster_settings + kept
    return original(self, cluster_name, cluster_settings, *args, **kw)


@gap(Response, "update_cluster_settings")
def update_cluster_settings(_original: Any, self: Any) -> ActionResult:
    """UpdateClusterSettings changes the settings of a cluster."""
    cluster = self.ecs_backend.update_cluster(self._get_param("cluster"), self._get_param("settings"), None, None)
    return ActionResult({"cluster": cluster})


@gap(Backend, "delete_cluster")
def delete_cluster(original: Any, self: Any, cluster_str: str) -> Any:
    """DeleteCluster refuses a cluster with active services; an inactive cluster can still be described."""
    name = self._get_cluster(cluster_str).name
    if any(service.cluster_name == name and _status(service) != "INACTIVE" for service in self.services.values()):
        raise ClusterContainsServices()
    return original(self, cluster_str)


@gap(Backend, "list_clusters")
def list_clusters(_original: Any, self: Any) -> list[str]:
    """ListClusters lists active clusters."""
    return [cluster.arn for cluster in self.clusters.values() if cluster.status == "ACTIVE"]


@gap(Backend, "list_tags_for_resource")
def list_tags_for_resource(original: Any, self: Any, resource_arn: str) -> list[dict[str, str]]:
    """ListTagsForResource answers with an empty list for an untagged resource."""
    return original(self, resource_arn) or []


@gap(models.TaskDefinition, "__init__")
def task_definition_defaults(original: Any, self: Any, family: str, revision: int, container_definitions: Any, *args: Any, **kwargs: Any) -> None:
    """A registered task definition has host ports and protocols, empty lists, and a host for a plain volume."""
    original(self, family, revision, copy.deepcopy(container_definitions), *args, **kwargs)
    self.registered_at = utcnow()
    self.registered_by = f"arn:aws:iam::{self.arn.split(':')[4]}:root"
    for container in self.container_definitions:
        container.setdefault("systemControls", [])
        container["portMappings"] = [_port_mapping(each, self.network_mode) for each in container["portMappings"]]
    for volume in self.volumes:
        if volume.keys() == {"name"}:
            volume["host"] = {}


def _port_mapping(mapping: dict[str, Any], network_mode: str | None) -> dict[str, Any]:
    host_port = mapping.get("containerPort") if network_mode == "awsvpc" else 0
    return {"hostPort": host_port, "protocol": "tcp", **mapping}


@gap(Response, "register_task_definition")
def register_task_definition(original: Any, self: Any) -> ActionResult:
    """RegisterTaskDefinition refuses what Fargate cannot run, echoes every field it is given, and the tags beside the task definition."""
    for message in refusals(self.params):
        raise exceptions.EcsClientException(message)
    definition = original(self).result["taskDefinition"]
    definition.enable_fault_injection = self._get_param("enableFaultInjection", False)
    return ActionResult({"taskDefinition": definition, "tags": definition.tags})


@gap(Backend, "register_task_definition")
def revisions_are_never_reused(original: Any, self: Any, family: str, *args: Any, **kwargs: Any) -> Any:
    """A revision number is not used again, even after DeleteTaskDefinitions."""
    last = self.__dict__.setdefault("last_revisions", {})
    definition = original(self, family, *args, **kwargs)
    if definition.revision <= last.get(family, 0):
        del self.task_definitions[family][definition.revision]
        definition.revision = last[family] + 1
        definition.arn = f"{definition.arn.rpartition(':')[0]}:{definition.revision}"
        self.task_definitions[family][definition.revision] = definition
    last[family] = definition.revision
    return definition


@gap(Response, "list_task_definitions")
def list_task_definitions(_original: Any, self: Any) -> ActionResult:
    """ListTaskDefinitions lists all families that begin with familyPrefix (the widest reading of its name), sorted as asked."""
    prefix, status = self._get_param("familyPrefix") or "", self._get_param("status", "ACTIVE")
    named = [each for each in self.ecs_backend.list_task_definitions(None, status) if each.rpartition("/")[2].startswith(prefix)]

    def place(arn: str) -> tuple[str, int]:
        family, _colon, revision = arn.rpartition("/")[2].rpartition(":")
        return family, int(revision)

    return ActionResult({"taskDefinitionArns": sorted(named, key=place, reverse=self._get_param("sort") == "DESC")})


@gap(Backend, "describe_task_definition")
def describe_task_definition(original: Any, self: Any, task_definition_str: str) -> Any:
    """A family alone means its latest active revision."""
    family = task_definition_str.rpartition("/")[2]
    if ":" not in family:
        active = [revision for revision, each in self.task_definitions.get(family, {}).items() if each.status == "ACTIVE"]
        if not active:
            raise exceptions.TaskDefinitionNotFoundException()
        task_definition_str = f"{family}:{max(active)}"
    return original(self, task_definition_str)


@gap(Backend, "deregister_task_definition")
def deregister_task_definition(original: Any, self: Any, task_definition_str: str) -> Any:
    """A deregistered task definition says when it was deregistered."""
    definition = original(self, task_definition_str)
    definition.deregistered_at = utcnow()
    return definition


@gap(Backend, "_calculate_task_resource_requirements")
def task_resource_requirements(original: Any, _self: Any, task_definition: Any) -> dict[str, Any]:
    """A Fargate task may give memory for the task only, and none for its containers."""
    counted = copy.copy(task_definition)
    counted.container_definitions = [
        each if {"memory", "memoryReservation"} & each.keys() else {**each, "memory": 0} for each in task_definition.container_definitions
    ]
    return original(counted)


@gap(Response, "create_service")
def create_service(original: Any, self: Any) -> ActionResult:
    """CreateService echoes and defaults its whole configuration, and refuses a name in use and a target group of no load balancer."""
    cluster = self.ecs_backend._get_cluster(self._get_param("cluster", "default"))
    if cluster.status != "ACTIVE":
        raise exceptions.ClusterNotFoundException()
    existing = self.ecs_backend.services.get(f"{cluster.name}:{self._get_param('serviceName')}")
    if existing and _status(existing) == "ACTIVE":
        raise exceptions.InvalidParameterException("Creation of service was not idempotent.")
    if existing and _status(existing) == "DRAINING":
        raise exceptions.InvalidParameterException("Unable to Start a service that is still Draining.")
    if self._get_param("launchType") and self._get_param("capacityProviderStrategy"):
        raise exceptions.InvalidParameterException("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
    _check_target_groups(self)
    _refuse_strategy(cluster, self._get_param("capacityProviderStrategy") or [])
    _refuse_rebalancing(self, "ENABLED", {})
    _complete_network(self.params)
    service = original(self).result["service"]
    service.since_deletion = None
    service.created_at = utcnow()
    service.created_by = f"arn:aws:iam::{self.current_account}:root"
    service.role_arn = f"arn:aws:iam::{self.current_account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    service.deployment_configuration = _deployment_configuration({}, self._get_param("deploymentConfiguration"))
    service.enable_execute_command = self._get_param("enableExecuteCommand", False)
    service.enable_ecs_managed_tags = self._get_param("enableECSManagedTags", False)
    service.availability_zone_rebalancing = self._get_param("availabilityZoneRebalancing") or "ENABLED"
    service.placement_constraints = self._get_param("placementConstraints", [])
    service.placement_strategy = self._get_param("placementStrategy", [])
    service.capacity_provider_strategy = _complete_strategy(self._get_param("capacityProviderStrategy"))
    if service.capacity_provider_strategy:
        service.launch_type = None
    grace_period = self._get_param("healthCheckGracePeriodSeconds")
    if grace_period is not None or service.load_balancers:
        service.health_check_grace_period_seconds = grace_period or 0
    if service.capacity_provider_strategy or service.launch_type == "FARGATE":
        service.platform_version = service.platform_version or "LATEST"
        service.platform_family = "Linux"
    _deploy(service)
    return ActionResult({"service": service})


@gap(Response, "update_service")
def update_service(original: Any, self: Any) -> ActionResult:
    """UpdateService keeps what it is not given; a change of what tasks are made of starts a new deployment, one of capacity providers none."""
    service = self.ecs_backend._get_service(self._get_param("cluster", "default"), self._get_param("service").rpartition("/")[2])
    if _status(service) != "ACTIVE":
        raise ServiceNotActive()
    _check_target_groups(self)
    _refuse_strategy(self.ecs_backend._get_cluster(service.cluster_name), self._get_param("capacityProviderStrategy") or [])
    before = {name: copy.deepcopy(getattr(service, name, None)) for name in DEPLOYED}
    configuration, desired = service.deployment_configuration, service.desired_count
    _refuse_rebalancing(self, service.availability_zone_rebalancing, configuration)
    force = self._get_param("forceNewDeployment", False)
    _complete_network(self.params)
    original(self)
    service.deployment_configuration = _deployment_configuration(configuration, self._get_param("deploymentConfiguration"))
    service.availability_zone_rebalancing = self._get_param("availabilityZoneRebalancing") or service.availability_zone_rebalancing
    if self._get_param("capacityProviderStrategy") is not None:
        service.capacity_provider_strategy = _complete_strategy(self._get_param("capacityProviderStrategy"))
        service.launch_type = None if service.capacity_provider_strategy else "FARGATE"
    if not service.task_definition.startswith("arn:"):
        service.task_definition = self.ecs_backend.describe_task_definition(service.task_definition).arn
    if force or before != {name: getattr(service, name, None) for name in DEPLOYED}:
        _deploy(service)
    elif service.desired_count != desired:
        _scale(service)
    return ActionResult({"service": service})


@gap(Backend, "describe_services")
def describe_services(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """A service reaches a steady state: as many running tasks as desired, one completed deployment, an event."""
    services, failures = original(self, *args, **kwargs)
    for service in services:
        _settle(service)
    return services, failures


@gap(Backend, "list_services")
def list_services(original: Any, self: Any, *args: Any, **kwargs: Any) -> list[str]:
    """ListServices leaves out inactive services."""
    inactive = {service.arn for service in self.services.values() if _status(service) == "INACTIVE"}
    return [arn for arn in original(self, *args, **kwargs) if arn not in inactive]


@gap(Backend, "delete_service")
def delete_service(original: Any, self: Any, cluster_name: str, service_name: str, force: bool) -> Any:
    """A deleted service is DRAINING, then INACTIVE; it can still be described, and not deleted again."""
    service = self._get_service(cluster_name, service_name)
    if _status(service) == "INACTIVE":
        raise exceptions.ServiceNotFoundException()
    original(self, cluster_name, service_name, force)
    service.since_deletion = service.since_deletion or Elapsed("ecs")
    service.status, service.desired_count, service.running_count = "DRAINING", 0, 0
    service.deployments = []
    _register_targets(service)
    return service


def _status(service: Any) -> str:
    if service.since_deletion and service.since_deletion.over():
        service.status = "INACTIVE"
    return service.status


def _check_target_groups(response: Any) -> None:
    """A target group has to be used by a load balancer before a service takes it."""
    backend = elbv2_backends[response.current_account][response.region]
    for balancer in response._get_param("loadBalancers") or []:
        arn = balancer.get("targetGroupArn")
        groups = [group for group in backend.describe_target_groups(None, None, None) if group.arn == arn]
        if arn and not groups:
            raise exceptions.InvalidParameterException(f"The specified target group does not exist: {arn}")
        if groups and not groups[0].load_balancer_arns:
            raise exceptions.InvalidParameterException(f"The target group with targetGroupArn {arn} does not have an associated load balancer.")


def _complete_network(params: dict[str, Any]) -> None:
    vpc = (params.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if vpc is not None:
        vpc.setdefault("securityGroups", [])
        vpc.setdefault("assignPublicIp", "DISABLED")


def _refuse_strategy(cluster: Any, strategy: list[dict[str, Any]]) -> None:
    """CapacityProviderStrategyItem: of the cluster, one base at most, and a weight at least where there are several."""
    for each in strategy:
        if each["capacityProvider"] not in cluster.capacity_providers:
            raise exceptions.InvalidParameterException(
                "The specified capacity provider strategy contains a capacity provider that is not associated with the cluster."
            )
    if len([each for each in strategy if each.get("base")]) > 1:
        raise exceptions.InvalidParameterException("A capacity provider strategy cannot contain more than one capacity provider with a defined base.")
    if strategy and not any(each.get("weight") for each in strategy):
        raise exceptions.InvalidParameterException("The specified capacity provider strategy must contain a capacity provider with a weight greater than 0.")


def _refuse_rebalancing(self: Any, rebalancing: str, configuration: dict[str, Any]) -> None:
    """A service whose deployments may start no task before another ends cannot be redistributed."""
    given = _deployment_configuration(configuration, self._get_param("deploymentConfiguration"))
    if (self._get_param("availabilityZoneRebalancing") or rebalancing) == "ENABLED" and given["maximumPercent"] <= 100:
        raise exceptions.InvalidParameterException("Availability Zone Rebalancing does not support a maximumPercent of 100 or less.")


def _complete_strategy(strategy: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{"weight": 0, "base": 0, **each} for each in strategy or []]


def _deployment_configuration(existing: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    defaults = {
        "bakeTimeInMinutes": 0,
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        "strategy": "ROLLING",
    }
    return {**defaults, **existing, **(given or {})}


def _deploy(service: Any, reason: str = "in progress") -> None:
    """Replace the service's deployment by a new one, which is completed when its time is over."""
    now = utcnow()
    service.since_deployment = Elapsed("ecs")
    service.goes_back = "rolling back" in reason
    service.alarms_before = _alarms(service)  # which ECS ignores for this deployment
    deployment = {
        "id": f"ecs-svc/{mock_random.randint(10**18, 10**19)}",
        "status": "PRIMARY",
        "taskDefinition": service.task_definition,
        "networkConfiguration": service.network_configuration,
        "platformVersion": service.platform_version,
        "createdAt": now,
        "updatedAt": now,
        "failedTasks": 0,
        "runningCount": 0,
        "pendingCount": service.desired_count,
        "desiredCount": service.desired_count,
        "rolloutState": "IN_PROGRESS",
    }
    if service.launch_type:
        deployment["launchType"] = service.launch_type
    if service.capacity_provider_strategy:
        deployment["capacityProviderStrategy"] = service.capacity_provider_strategy
    deployment["rolloutStateReason"] = f"ECS deployment {deployment['id']} {reason}."
    service.deployments = [deployment]
    _settle(service)


def _scale(service: Any) -> None:
    """Start or stop tasks of the deployment that there is."""
    service.since_deployment = Elapsed("ecs")
    service.deployments[0].update(desiredCount=service.desired_count, updatedAt=utcnow())
    _settle(service)


def _settle(service: Any) -> None:
    """Bring a service that has had its time into its steady state."""
    if _status(service) != "ACTIVE" or not service.deployments:
        return
    deployment = service.deployments[0]
    settled = service.since_deployment.over()
    if settled and not _starts(service):
        _give_up(service)
        return
    if deployment["rolloutState"] == "IN_PROGRESS" and not service.goes_back and _alarms(service) - service.alarms_before:
        _fail(service, "alarm detected", service.deployment_configuration["alarms"]["rollback"])
        return
    service.running_count = service.desired_count if settled else 0
    service.pending_count = service.desired_count - service.running_count
    deployment.update(runningCount=service.running_count, pendingCount=service.pending_count)
    if settled and deployment["rolloutState"] != "COMPLETED":
        deployment["rolloutState"] = "COMPLETED"
        deployment["rolloutStateReason"] = f"ECS deployment {deployment['id']} completed."
        service.completed_deployment = deployment
        _say(service, "has reached a steady state.")
    if settled:  # until then tasks of before, of which we keep no account, are where they were
        _register_targets(service)


def _starts(service: Any) -> bool:
    """Whether the service's tasks, if it has any, stay up."""
    backend = models.ecs_backends[service._account_id][service.region_name]
    definition = backend.describe_task_definition(service.task_definition)
    return service.desired_count == 0 or (result_of(definition, {}, counted=False).exit_code == 0 and not unreadable(definition))


def _give_up(service: Any) -> None:
    """What the circuit breaker does with a deployment whose tasks do not start; without it, ECS tries for ever."""
    failed, breaker = service.deployments[0], service.deployment_configuration["deploymentCircuitBreaker"]
    if failed["rolloutState"] == "FAILED" or not breaker["enable"] or service.goes_back:
        return
    _fail(service, "tasks failed to start", breaker["rollback"])


def _fail(service: Any, reason: str, rollback: bool) -> None:
    failed = service.deployments[0]
    by = "ECS deployment circuit breaker" if reason.startswith("tasks") else "ECS deployment"
    failed["rolloutState"] = "FAILED"
    failed["rolloutStateReason"] = f"{by}: {reason}."
    _say(service, f"(deployment {failed['id']}) deployment failed: {reason}.")
    completed = getattr(service, "completed_deployment", None)
    if rollback and completed:
        service.task_definition = completed["taskDefinition"]
        service.network_configuration = completed["networkConfiguration"]
        _deploy(service, f"circuit breaker: rolling back to deploymentId {completed['id']}")
        service.deployments.append({**failed, "status": "ACTIVE"})


def _alarms(service: Any) -> set[str]:
    """How CloudWatch alarms detect Amazon ECS deployment failures (Amazon ECS Developer Guide): those of the service that are in alarm."""
    configured = (service.deployment_configuration or {}).get("alarms", {})
    known = cloudwatch_backends[service._account_id][service.region_name].alarms
    names = configured.get("alarmNames", []) if configured.get("enable") else []
    return {name for name in names if name in known and known[name].state_value == "ALARM"}


def _say(service: Any, message: str) -> None:
    event = {"id": str(mock_random.uuid4()), "createdAt": utcnow(), "message": f"(service {service.name}) {message}"}
    service.events.insert(0, event)


def _register_targets(service: Any) -> None:
    """Register as many addresses as there are running tasks with the service's target groups, and none any more with those of before."""
    backend = elbv2_backends[service._account_id][service.region_name]
    ports = {balancer.get("targetGroupArn"): balancer["containerPort"] for balancer in service.load_balancers}
    for arn in {**dict.fromkeys(getattr(service, "registered_with", ())), **ports}:
        group = backend.target_groups.get(arn)
        if group and group.target_type == "ip":
            addresses = [f"10.255.{_subnet(service)}.{number + 1}" for number in range(service.running_count if arn in ports else 0)]
            group.targets.clear()
            group.register([{"Id": address, "Port": ports[arn]} for address in addresses])
    service.registered_with = list(ports)


def _subnet(service: Any) -> int:
    """A number of its own, so that no address is of tasks of two services."""
    if not hasattr(service, "subnet"):
        others = {getattr(other, "subnet", None) for other in models.ecs_backends[service._account_id][service.region_name].services.values()}
        service.subnet = next(number for number in range(250) if number not in others)
    return int(service.subnet)


@gap(Response, "run_task")
def run_task(original: Any, self: Any) -> ActionResult:
    """RunTask starts every container of the task definition, in any subnets and security groups given."""
    _complete_network(self.params)
    return original(self)


@gap(models.Task, "__init__")
def task_life(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """A task has all its containers and says how long it has existed."""
    original(self, *args, **kwargs)
    definition = kwargs.get("task_definition") or args[1]
    self.containers = [_container(self, container) for container in definition.container_definitions]
    self.created_at = self.started_at = utcnow()
    self.cpu, self.memory = definition.cpu, definition.memory
    self.stop_code = None
    self.definition, self.result = definition, result_of(definition, self.overrides)
    self.times_described = 0


def _container(task: Any, definition: dict[str, Any]) -> dict[str, Any]:
    return {
        "containerArn": f"{task.task_arn.replace(':task/', ':container/')}/{mock_random.uuid4()}",
        "cpu": str(definition.get("cpu", 0)),
        "healthStatus": "UNKNOWN",
        "image": definition["image"],
        "lastStatus": "RUNNING",
        "name": definition["name"],
        "networkInterfaces": [],
        "taskArn": task.task_arn,
    }


@gap(models.Task, "advance")
def advance(_original: Any, self: Any) -> None:
    """A task of RunTask is RUNNING, then STOPPED with exit codes and logs; one does not start whose execution role may not read its secrets."""
    self.times_described += 1
    if self.times_described < 2 or self.last_status == "STOPPED":
        return
    self.last_status = self.desired_status = "STOPPED"
    _release_interfaces(self)
    self.stopped_at = utcnow()
    refused = unreadable(self.definition)
    if self.result.exit_code is None or refused:
        self.stop_code = "TaskFailedToStart"
        self.stopped_reason = refused or self.result.reason
        return
    self.stop_code, self.stopped_reason = "EssentialContainerExited", "Essential container in task exited"
    for container, definition in zip(self.containers, self.definition.container_definitions, strict=True):
        code = self.result.exit_code if definition.get("essential", True) else 0
        container.update(lastStatus="STOPPED", exitCode=code)
        if definition.get("essential", True) and self.result.log:
            _write_log(self, definition)


def _write_log(task: Any, container: dict[str, Any]) -> None:
    """Write the lines of a container to its stream, prefix/container/task id."""
    options = container["logConfiguration"]["options"]
    logs = logs_backends[task._account_id][options["awslogs-region"]]
    stream = f"{options['awslogs-stream-prefix']}/{container['name']}/{task.task_arn.rpartition('/')[2]}"
    logs.create_log_stream(options["awslogs-group"], stream)
    now = int(time.time() * 1000)
    logs.put_log_events(options["awslogs-group"], stream, [{"timestamp": now, "message": line} for line in task.result.log])


@gap(Backend, "stop_task")
def stop_task(original: Any, self: Any, cluster_str: str, task_str: str, reason: str) -> Any:
    """A task's network interface goes with the task."""
    task = original(self, cluster_str, task_str, reason)
    task.stop_code = "UserInitiated"
    _release_interfaces(task)
    return task


def _release_interfaces(task: Any) -> None:
    interfaces = ec2_backends[task._account_id][task.region_name].enis
    for attachment in task.attachments:
        attachment["status"] = "DELETED"
        for detail in attachment["details"]:
            if detail["name"] == "networkInterfaceId":
                interfaces.pop(detail["value"], None)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What RegisterTaskDefinition refuses in a task definition for Fargate: the API reference, "Task definition differences for Fargate" and "Task
definition parameters for Fargate" of the Amazon ECS Developer Guide, and messages as people have reported them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

Container = dict[str, Any]

NOT_ON_FARGATE = ("disableNetworking", "dnsSearchDomains", "dnsServers", "dockerSecurityOptions", "extraHosts", "hostname", "links", "privileged")
NOT_IN_LINUX_PARAMETERS = ("devices", "maxSwap", "sharedMemorySize", "swappiness")
LOG_DRIVERS = ("awsfirelens", "awslogs", "splunk")
TMPFS_OPTIONS = set(
    "defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime diratime nodiratime bind rbind unbindable "
    "runbindable private rprivate shared rshared slave rslave relatime norelatime strictatime nostrictatime mode uid gid nr_inodes nr_blocks mpol".split()
)
TIMEOUT = 120
ENVIRONMENT_FILES = 10


def refusals(given: dict[str, Any]) -> Iterator[str]:
    """The messages of ClientException; ECS shows the first."""
    containers, volumes = given["containerDefinitions"], given.get("volumes", [])
    names = [container["name"] for container in containers]
    if len(set(names)) < len(names):
        yield "Container.name should be unique within a task definition."
    if not any(container.get("essential", True) for container in containers):
        yield "A task definition must have at least one essential container."
    if len({volume["name"] for volume in volumes}) < len(volumes):
        yield "Duplicate volume names are not allowed."
    for container in containers:
        yield from _of_container(container, names, {volume["name"] for volume in volumes})
    yield from _of_dependencies({container["name"]: container for container in containers})
    yield from _of_firelens(containers)
    if "FARGATE" in given.get("requiresCompatibilities", ()):
        yield from _of_fargate(given, containers, volumes)


def _of_container(container: Container, names: list[str], volumes: set[str]) -> Iterator[str]:
    name, mounts = container["name"], container.get("mountPoints", [])
    for mount in mounts:
        if mount.get("sourceVolume") not in volumes:
            yield f"Unknown volume '{mount.get('sourceVolume')}'."
    if len({mount.get("containerPath") for mount in mounts}) < len(mounts):
        yield f"Duplicate mount point in container '{name}'."
    for other in container.get("volumesFrom", []):
        if other.get("sourceContainer") not in names:
            yield f"Unknown container '{other.get('sourceContainer')}'."
    if container.get("memory", 1 << 30) < container.get("memoryReservation", 0):
        yield f"Invalid setting for container '{name}'. 'memory' must be greater than or equal to 'memoryReservation'."
    for tmpfs in container.get("linuxParameters", {}).get("tmpfs", []):
        if tmpfs["size"] < 1:
            yield "The container has an invalid tmpfs size value specified. It must be a non-zero, non-negative integer."
        unknown = {option.partition("=")[0] for option in tmpfs.get("mountOptions", [])} - TMPFS_OPTIONS
        if unknown:
            yield f"Invalid tmpfs mount options: {', '.join(sorted(unknown))}."
    variables = [each["name"] for each in container.get("environment", [])]
    for secret in container.get("secrets", []):
        if secret["name"] in variables:
            yield (
                "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as "
                f"'{secret['name']}'."
            )
    files = container.get("environmentFiles", [])
    if len(files) > ENVIRONMENT_FILES:
        yield f"Up to {ENVIRONMENT_FILES} environment files can be specified for container '{name}'."
    for file in files:
        if file["type"] != "s3" or not file["value"].endswith(".env"):
            yield f"Invalid environment file '{file['value']}': it must be an object in Amazon S3 with the file extension .env."


def _of_dependencies(containers: dict[str, Container]) -> Iterator[str]:
    graph = {name: [each["containerName"] for each in container.get("dependsOn", [])] for name, container in containers.items()}
    for container in containers.values():
        for each in container.get("dependsOn", []):
            other = containers.get(each["containerName"])
            if other is None:
                yield f"Unknown container '{each['containerName']}'."
            elif each["condition"] == "HEALTHY" and "healthCheck" not in other:
                yield f"Container '{each['containerName']}' must have a health check, since a dependency on it has the condition HEALTHY."
            elif each["condition"] in ("COMPLETE", "SUCCESS") and other.get("essential", True):
                yield "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"
    done: set[str] = set()
    while rest := [name for name in graph if name not in done]:
        free = [name for name in rest if set(graph[name]) & graph.keys() <= done]
        if not free:
            yield "Container dependencies must not be circular."
            return
        done |= set(free)


def _of_firelens(containers: list[Container]) -> Iterator[str]:
    routers = sum("firelensConfiguration" in container for container in containers)
    senders = [each for each in containers if each.get("logConfiguration", {}).get("logDriver") == "awsfirelens"]
    if senders and not routers:
        yield "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be configured in one of the containers."
    if routers and not senders:
        yield "When a firelens configuration object is specified, at least one container has to be configured with awsfirelens log driver."
    if routers > 1:
        yield "Only one container can have a firelens configuration object."


def _of_fargate(given: dict[str, Any], containers: list[Container], volumes: list[dict[str, Any]]) -> Iterator[str]:
    if sum(container.get("cpu", 0) for container in containers) > int(given["cpu"]):
        yield "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'."
    if any(container.get("memory", 0) > int(given["memory"]) for container in containers):
        yield "Invalid setting for container. 'memory' is greater than for the task."
    if sum(container.get("memoryReservation", container.get("memory", 0)) for container in containers) > int(given["memory"]):
        yield "The sum of all container memory reservations cannot be greater than the value of the task 'memory'."
    for volume in volumes:
        efs = volume.get("efsVolumeConfiguration", {})
        if efs.get("authorizationConfig") and efs.get("transitEncryption") != "ENABLED":
            yield "EFS Transit Encryption must be enabled if Authorization Configuration is used."
        if volume.get("host", {}).get("sourcePath"):
            yield "Fargate compatible task definitions do not support sourcePath"
        if "dockerVolumeConfiguration" in volume or "fsxWindowsFileServerVolumeConfiguration" in volume:
            yield "Fargate compatible task definitions do not support this volume configuration"
    ports = Counter((each.get("containerPort"), each.get("protocol", "tcp")) for container in containers for each in container.get("portMappings", []))
    for (port, protocol), times in ports.items():
        if port and times > 1:
            yield f"Container port {port}/{protocol} is used more than once, which networkMode=awsvpc does not allow."
    for container in containers:
        yield from _of_fargate_container(container)


def _of_fargate_container(container: Container) -> Iterator[str]:
    for name in NOT_ON_FARGATE:
        if container.get(name):
            yield f"Fargate compatible task definitions do not support {name}"
    parameters = container.get("linuxParameters", {})
    for name in NOT_IN_LINUX_PARAMETERS:
        if parameters.get(name):
            yield f"Fargate compatible task definitions do not support {name}"
    if set(parameters.get("capabilities", {}).get("add", [])) - {"SYS_PTRACE"}:
        yield "Fargate compatible task definitions do not support adding capabilities other than SYS_PTRACE"
    if container.get("resourceRequirements"):
        yield "Fargate compatible task definitions do not support resourceRequirements"
    for mapping in container.get("portMappings", []):
        if mapping.get("hostPort", mapping.get("containerPort")) != mapping.get("containerPort"):
            yield "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
    log = container.get("logConfiguration", {})
    if log and log["logDriver"] not in LOG_DRIVERS:
        yield f"Fargate compatible task definitions do not support log driver {log['logDriver']}"
    if log.get("logDriver") == "awslogs":
        missing = [name for name in ("awslogs-region", "awslogs-group", "awslogs-stream-prefix") if name not in log.get("options", {})]
        if missing:
            yield f"Log driver awslogs requires options: {', '.join(missing)}"
    if log.get("logDriver") == "splunk":
        given = {*log.get("options", {}), *(each["name"] for each in log.get("secretOptions", []))}
        missing = [name for name in ("splunk-url", "splunk-token") if name not in given]
        if missing:
            yield f"Log driver splunk requires options: {', '.join(missing)}"
    if container.get("firelensConfiguration", {}).get("options", {}).get("config-file-type") == "s3":
        yield "Invalid arn syntax."
    if max(container.get("startTimeout", 0), container.get("stopTimeout", 0)) > TIMEOUT:
        yield f"startTimeout and stopTimeout cannot be greater than {TIMEOUT} seconds on Fargate"

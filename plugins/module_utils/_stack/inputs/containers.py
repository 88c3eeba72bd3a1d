# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what ECS and Fargate take in the containers of a task. Pure.

What inputs give is spelled as the ECS API spells it and may be anything: types and unknown keys are checked by botocore's model of the API
(``_stack/preflight/service.py``), so that what has another type than it should is passed over here.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import sidecar_secrets
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.forms import is_secret_reference
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.rules import SECRET
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs, Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import LOOPBACK_PORT, SERVICE_PORT

SIDECARS = "mlflow_service_sidecar_container_definitions"
VOLUMES = "mlflow_service_volumes"
MOUNTS = "mlflow_service_mount_points"
LOG = "mlflow_service_log_configuration"
TMPFS = "mlflow_service_tmpfs_size"
_MAXIMUM = 8
"""Of the ten containers that a task definition takes, two are ours."""
_OURS = ("mlflow", "tmp-permissions")
_NOT_ON_FARGATE = ("disableNetworking", "dnsSearchDomains", "dnsServers", "dockerSecurityOptions", "extraHosts", "hostname", "links", "privileged")
_NOT_ON_FARGATE_LINUX = ("devices", "maxSwap", "sharedMemorySize", "swappiness")
_LOG_DRIVERS = ("awslogs", "awsfirelens", "splunk")
_LOG_OPTIONS = ("awslogs-group", "awslogs-region", "awslogs-stream-prefix")
_EFS = "efsVolumeConfiguration"
_TIMEOUT = 120
"""Seconds that Fargate waits for a container to start or to stop."""
_NOT_THERE = "Fargate has no such setting: leave it out"

Document = dict[str, t.Any]
Found = t.Iterator[tuple[str, t.Any, str]]
"""The field with a problem, its value (None: not shown) and the remedy."""


def task_definition_problems(v: Inputs, maximum: int, *also: str) -> t.Iterator[Problem]:
    """Whether what inputs put into the task definition of the servers, and `also` these, leaves room for the stack's own."""
    parts = ("mlflow_service_environment", "mlflow_service_secrets", SIDECARS, VOLUMES, MOUNTS, LOG, *also)
    inside = [v.get(part) or {} for part in parts]
    size = len(json.dumps(inside, default=str))
    if size > maximum:
        fewer = ", or give fewer groups" if also else ""
        largest = max(zip(map(len, map(str, inside)), parts))[1]
        yield Problem(
            largest,
            None,
            f"environment, secrets and sidecars are {size} characters together, and ECS takes {maximum}: keep what is long in S3 or in Parameter Store{fewer}",
        )


def container_problems(v: Inputs) -> t.Iterator[Problem]:
    """What ECS would refuse in the sidecars, by themselves and together."""
    sidecars = v.get(SIDECARS) or []
    if len(sidecars) > _MAXIMUM:
        yield Problem(SIDECARS, None, f"they are {len(sidecars)}, and ECS takes {_MAXIMUM} beside the two containers of the stack: give fewer")
    names = [sidecar.get("name") for sidecar in sidecars]
    given = [str(volume.get("name")) for volume in v.get(VOLUMES) or []]
    ours, volumes = (_OURS[:1], given) if v.get(TMPFS) else (_OURS, ["tmp", *given])
    for index, sidecar in enumerate(sidecars):
        others = [*ours, *(name for name in names[:index] + names[index + 1 :] if isinstance(name, str))]
        for check in (_identity(sidecar, names[:index]), _host(sidecar), _mounts(sidecar, volumes, others), _secrets(sidecar), _log(sidecar)):
            for field, value, remedy in check:
                yield Problem(f"{SIDECARS}[{index}].{field}", value, remedy)
    for index, field, value, remedy in (*_dependencies(sidecars, ours), *_ports(sidecars, tls=bool(v.get("mlflow_service_tls")))):
        yield Problem(f"{SIDECARS}[{index}].{field}", value, remedy)
    yield from _sizes(v, sidecars)
    yield from _log_router(sidecars, v.get(LOG) or {})
    yield from _volumes(v.get(VOLUMES) or [])
    yield from _mlflow(v, given)


def writable_directories(v: Inputs) -> list[str]:
    """Where MLflow can write."""
    return ["/tmp", *(str(mount.get("containerPath")).rstrip("/") for mount in v.get(MOUNTS) or [] if not mount.get("readOnly"))]


def _volumes(volumes: list[Document]) -> t.Iterator[Problem]:
    for index, volume in enumerate(volumes):
        where, name, efs = f"{VOLUMES}[{index}]", volume.get("name"), _dict(volume, _EFS)
        if not isinstance(name, str) or not re.fullmatch(r"[\w-]{1,255}", name, re.ASCII) or name == "tmp":
            yield Problem(f"{where}.name", name, "give a name of letters, digits, - and _, other than tmp, which the stack has")
        elif name in [other.get("name") for other in volumes[:index]]:
            yield Problem(f"{where}.name", name, "another volume has this name: give each its own")
        if _dict(volume, "host").get("sourcePath"):
            yield Problem(f"{where}.host.sourcePath", None, "Fargate has no host with directories to share: leave it out")
        for field in sorted(volume.keys() - {"name", "host", _EFS}):
            yield Problem(f"{where}.{field}", None, f"a volume here is storage of the task, by its name alone, or has {_EFS}: leave it out")
        if efs and (not _is_text(efs.get("fileSystemId")) or not re.fullmatch(r"fs-[0-9a-f]{8,40}", efs["fileSystemId"], re.ASCII)):
            yield Problem(f"{where}.{_EFS}.fileSystemId", efs.get("fileSystemId"), "give the ID of a file system of Amazon EFS, such as fs-0a1b2c3d4e5f67890")
        if _dict(efs, "authorizationConfig") and efs.get("transitEncryption") != "ENABLED":
            yield Problem(f"{where}.{_EFS}.transitEncryption", efs.get("transitEncryption"), "EFS takes authorizationConfig over TLS alone: give ENABLED")
        if _dict(efs, "authorizationConfig").get("accessPointId") and efs.get("rootDirectory", "/") != "/":
            yield Problem(f"{where}.{_EFS}.rootDirectory", efs["rootDirectory"], "the access point has a root directory of its own: leave this one out")


def _mlflow(v: Inputs, volumes: list[str]) -> t.Iterator[Problem]:
    """What inputs give the MLflow container."""
    mounts, log = v.get(MOUNTS) or [], v.get(LOG) or {}
    for _field, value, remedy in _mounts({"mountPoints": mounts}, volumes, []):
        yield Problem(MOUNTS, value, remedy)
    storage = [volume.get("name") for volume in v.get(VOLUMES) or [] if not volume.get(_EFS)]
    for index, mount in enumerate(mounts):
        path = mount.get("containerPath")
        if v.get(TMPFS) and mount.get("sourceVolume") in storage and not mount.get("readOnly"):
            remedy = f"Fargate gives this volume to root, and with {TMPFS} no container makes it writable: give readOnly, or a volume with {_EFS}"
            yield Problem(f"{MOUNTS}[{index}].readOnly", mount.get("readOnly"), remedy)
        if not _is_text(path) or not re.fullmatch(r"(/(?!\.{1,2}(/|$))[\w.+@-]+)+", path, re.ASCII) or path == "/tmp":
            yield Problem(f"{MOUNTS}[{index}].containerPath", path, "give a full path such as /opt/plugins, without a slash at its end, other than /tmp")
    options = _dict(log, "options")
    if log.get("logDriver") == "awslogs":
        own = sorted(options.keys() & set(_LOG_OPTIONS))
        if own:
            yield Problem(f"{LOG}.options", ", ".join(own), "the stack has a log group of its own: leave them out, or use another logDriver")
        log = {**log, "options": {**options, **dict.fromkeys(_LOG_OPTIONS)}}
    for check in (_log, _secrets):
        for field, value, remedy in check({"logConfiguration": log}):
            yield Problem(field.replace("logConfiguration", LOG), value, remedy)


def _identity(sidecar: Document, earlier: list[t.Any]) -> Found:
    name, image = sidecar.get("name"), sidecar.get("image")
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]{1,255}", name, re.ASCII) or name in _OURS:
        yield "name", name, f"give a name of letters, digits, - and _, other than {' and '.join(_OURS)}"
    elif name in earlier:
        yield "name", name, "another sidecar has this name: give each its own"
    if not isinstance(image, str) or not re.fullmatch(r"[\w.:/@-]{1,255}", image, re.ASCII):
        yield "image", image, "give an image"


def _host(sidecar: Document) -> Found:
    """Settings of a host, which nobody has on Fargate."""
    for field in _NOT_ON_FARGATE:
        if sidecar.get(field):
            yield field, None, _NOT_THERE
    linux = _dict(sidecar, "linuxParameters")
    for field in _NOT_ON_FARGATE_LINUX:
        if linux.get(field):
            yield f"linuxParameters.{field}", None, _NOT_THERE
    if set(filter(_is_text, _list(_dict(linux, "capabilities"), "add"))) - {"SYS_PTRACE"}:
        yield "linuxParameters.capabilities.add", None, "Fargate adds no capability but SYS_PTRACE: leave the others out"
    if any(_number(tmpfs, "size") < 1 for tmpfs in _dicts(linux, "tmpfs")):
        yield "linuxParameters.tmpfs", None, "give each its size, in MiB"
    if sidecar.get("resourceRequirements"):
        yield "resourceRequirements", None, "Fargate has no GPUs: leave it out"
    for field in ("startTimeout", "stopTimeout"):
        if _number(sidecar, field) > _TIMEOUT:
            yield field, sidecar[field], f"Fargate takes at most {_TIMEOUT} seconds"


def _mounts(sidecar: Document, volumes: t.Sequence[str], others: list[str]) -> Found:
    mounts, known = _dicts(sidecar, "mountPoints"), ", ".join(volumes) or VOLUMES
    for mount in mounts:
        if mount.get("sourceVolume") not in volumes:
            yield "mountPoints", mount.get("sourceVolume"), f"there is no such volume: give one of {known}"
    paths = [mount.get("containerPath") for mount in mounts]
    for path in {path for path in paths if _is_text(path) and paths.count(path) > 1}:
        yield "mountPoints", path, "two volumes have this containerPath: give each its own"
    for other in _dicts(sidecar, "volumesFrom"):
        if other.get("sourceContainer") not in others:
            yield "volumesFrom", other.get("sourceContainer"), f"give one of the other containers: {', '.join(others)}"


def _secrets(sidecar: Document) -> Found:
    for field, reference in sidecar_secrets(sidecar):
        registry = field.startswith("repositoryCredentials")
        if registry and not (isinstance(reference, str) and SECRET[0](reference)):
            yield field, None, SECRET[1]
        elif not registry and not is_secret_reference(reference):
            remedy = "give full ARNs in Secrets Manager or Parameter Store, or names of parameters, which the role that starts the tasks may then read"
            yield field, None, remedy
    variables = {name for each in _dicts(sidecar, "environment") if _is_text(name := each.get("name"))}
    for name in sorted(variables & {each.get("name") for each in _dicts(sidecar, "secrets") if _is_text(each.get("name"))}):
        yield "environment", name, "ECS takes no variable that is a secret too: leave it out here"


def _log(sidecar: Document) -> Found:
    log = _dict(sidecar, "logConfiguration")
    driver = log.get("logDriver")
    if log and driver not in _LOG_DRIVERS:
        yield "logConfiguration.logDriver", driver, f"Fargate has {', '.join(_LOG_DRIVERS)}: give one of them"
    missing = [option for option in _LOG_OPTIONS if option not in _dict(log, "options")]
    if driver == "awslogs" and missing:
        yield "logConfiguration.options", None, f"Fargate needs {', '.join(_LOG_OPTIONS)}: give {', '.join(missing)}"
    if driver == "splunk":
        secret = {each.get("name") for each in _dicts(log, "secretOptions") if _is_text(each.get("name"))}
        if "splunk-token" not in secret:
            yield "logConfiguration.secretOptions", None, "Splunk needs a token, which does not belong among the options: give splunk-token here"
        if "splunk-url" not in _dict(log, "options") and "splunk-url" not in secret:
            yield "logConfiguration.options", None, "Splunk needs an address: give splunk-url"
    if _dict(_dict(sidecar, "firelensConfiguration"), "options").get("config-file-type") == "s3":
        remedy = "Fargate reads no configuration of a log router from S3: give file, and a path in its image"
        yield "firelensConfiguration.options.config-file-type", "s3", remedy


def _dependencies(sidecars: list[Document], of_stack: tuple[str, ...]) -> t.Iterator[tuple[int, str, t.Any, str]]:
    """For containers that are not there or can never be waited for, and circles."""
    by_name: dict[str, Document] = {name: sidecar for sidecar in sidecars if _is_text(name := sidecar.get("name")) and name not in _OURS}
    known = [*of_stack, *by_name]
    ours: dict[str, Document] = {"mlflow": {"essential": True, "healthCheck": True}, "tmp-permissions": {"essential": False}}
    graph: dict[str, set[str]] = {"mlflow": {"tmp-permissions"}, "tmp-permissions": set()} | {
        name: {other for each in _dicts(sidecar, "dependsOn") if _is_text(other := each.get("containerName"))} for name, sidecar in by_name.items()
    }
    for index, sidecar in enumerate(sidecars):
        for each in _dicts(sidecar, "dependsOn"):
            other, condition = each.get("containerName"), each.get("condition")
            if other not in known or other == sidecar.get("name"):
                yield index, "dependsOn", other, f"give one of the other containers: {', '.join(known)}"
                continue
            awaited = {**ours, **by_name}[other]
            if condition == "HEALTHY" and not awaited.get("healthCheck"):
                yield index, "dependsOn", other, "it has no healthCheck that could be waited for: give it one, or another condition"
            if condition in ("COMPLETE", "SUCCESS") and awaited.get("essential", True):
                yield (
                    index,
                    "dependsOn",
                    other,
                    f"it is essential, so its end is that of the task: give it essential false, or a condition other than {condition}",
                )
        name = sidecar.get("name")
        if _is_text(name) and sidecar is by_name.get(name) and _leads_back(name, graph):
            yield index, "dependsOn", name, "these containers wait for each other in a circle: take one of the dependencies out"


def _leads_back(name: str, graph: dict[str, set[str]]) -> bool:
    """Whether a container waits, over others, for itself; to wait for itself directly is told elsewhere."""
    reached: set[str] = set()
    ahead = graph[name] - {name}
    while ahead:
        reached |= ahead
        ahead = {after for each in ahead for after in graph.get(each, ())} - reached
    return name in reached


def _ports(sidecars: list[Document], *, tls: bool) -> t.Iterator[tuple[int, str, t.Any, str]]:
    """All containers of a task have one network interface."""
    taken = {(port, "tcp"): "mlflow" for port in (SERVICE_PORT, *([LOOPBACK_PORT] if tls else []))}
    for index, sidecar in enumerate(sidecars):
        for mapping in _dicts(sidecar, "portMappings"):
            port, host = mapping.get("containerPort"), mapping.get("hostPort")
            if host is not None and host != port:
                yield index, "portMappings", host, f"on Fargate a hostPort is the containerPort, {port}: leave it out"
            if not isinstance(port, int):
                continue
            key = (port, str(mapping.get("protocol", "tcp")))
            if key in taken:
                yield index, "portMappings", port, f"the container {taken[key]} has this port: give another one"
            taken.setdefault(key, str(sidecar.get("name")))


def _sizes(v: Inputs, sidecars: list[Document]) -> t.Iterator[Problem]:
    for index, sidecar in enumerate(sidecars):
        memory, reserved = _number(sidecar, "memory"), _number(sidecar, "memoryReservation")
        if memory and memory < reserved:
            yield Problem(f"{SIDECARS}[{index}].memoryReservation", reserved, f"give at most its memory, {memory}")
    reserved = sum(_number(sidecar, "memoryReservation") or _number(sidecar, "memory") for sidecar in sidecars)
    largest = max((_number(sidecar, "memory") for sidecar in sidecars), default=0)
    for size, given, unit in (("cpu", sum(_number(sidecar, "cpu") for sidecar in sidecars), "CPU units"), ("memory", max(reserved, largest), "MiB")):
        of_task = v.get(f"mlflow_service_{size}")
        if isinstance(of_task, int) and given > of_task:
            remedy = f"the sidecars take {given} {unit}, and mlflow_service_{size} is {of_task}, which MLflow needs a part of: give them less or the task more"
            yield Problem(SIDECARS, None, remedy)
        elif size == "memory" and isinstance(of_task, int) and v.get(TMPFS, 0) and v[TMPFS] + reserved >= of_task:
            left = f"it is a part of mlflow_service_memory, {of_task}, of which sidecars reserve {reserved} and MLflow needs the rest"
            yield Problem(TMPFS, v[TMPFS], f"{left}: give less or the task more")


def _log_router(sidecars: list[Document], log_of_mlflow: Document) -> t.Iterator[Problem]:
    routers = [index for index, sidecar in enumerate(sidecars) if sidecar.get("firelensConfiguration")]
    logs = {f"{SIDECARS}[{index}].logConfiguration": _dict(sidecar, "logConfiguration") for index, sidecar in enumerate(sidecars)} | {LOG: log_of_mlflow}
    senders = [where for where, log in logs.items() if log.get("logDriver") == "awsfirelens"]
    for where in senders if not routers else ():
        yield Problem(f"{where}.logDriver", "awsfirelens", f"awsfirelens needs a log router: give one in {SIDECARS}, with firelensConfiguration")
    for index in routers[1:]:
        yield Problem(f"{SIDECARS}[{index}].firelensConfiguration", None, "ECS takes one log router: leave it out here")
    for index in routers[:1] if not senders else ():
        remedy = f"no container logs to this log router: give one of them the logDriver awsfirelens, MLflow by {LOG}"
        yield Problem(f"{SIDECARS}[{index}].firelensConfiguration", None, remedy)


def _is_text(value: t.Any) -> t.TypeGuard[str]:
    return isinstance(value, str)


def _dict(document: Document, field: str) -> Document:
    value = document.get(field)
    return value if isinstance(value, dict) else {}


def _list(document: Document, field: str) -> list[t.Any]:
    value = document.get(field)
    return value if isinstance(value, list) else []


def _dicts(document: Document, field: str) -> list[Document]:
    return [each for each in _list(document, field) if isinstance(each, dict)]


def _number(document: Document, field: str) -> int:
    value = document.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: container definitions of ECS, in one form for all spellings that mean the same. Pure."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State

KEYED = {
    "environment": ("name", "value"),
    "secrets": ("name", "valueFrom"),
    "secretOptions": ("name", "valueFrom"),
    "dependsOn": ("containerName", "condition"),
    "extraHosts": ("hostname", "ipAddress"),
    "systemControls": ("namespace", "value"),
    "resourceRequirements": ("type", "value"),
}
"""Lists of ECS whose order means nothing: the part that identifies an entry, and the one that says something of it."""

UNORDERED = ("add", "drop", "dnsServers", "volumesFrom", "credentialSpecs", "ignoredExitCodes")
HEALTH_CHECK_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}


def normalise_container(definition: State) -> State:
    """A container definition without its name, in one form for all spellings that mean the same to ECS.

    What ECS adds on its own is taken away or added to both sides, empty parts are left out, and lists that ECS may
    return in any order become dicts by name (which also makes a difference readable) or are sorted.
    """
    container = without_empty({k: v for k, v in definition.items() if k != "name"})
    container = {"essential": True, **container}
    for flag in ("cpu", "privileged", "readonlyRootFilesystem", "interactive", "pseudoTerminal", "disableNetworking"):
        if not container.get(flag):
            container.pop(flag, None)
    if container.get("versionConsistency") == "enabled":
        del container["versionConsistency"]
    if "portMappings" in container:
        container["portMappings"] = dict(map(_port_mapping, container["portMappings"]))
    if "mountPoints" in container:
        container["mountPoints"] = {
            m["containerPath"]: {"sourceVolume": m.get("sourceVolume"), "readOnly": bool(m.get("readOnly"))} for m in container["mountPoints"]
        }
    if "ulimits" in container:
        container["ulimits"] = {u["name"]: {k: v for k, v in u.items() if k != "name"} for u in container["ulimits"]}
    if "healthCheck" in container:
        container["healthCheck"] = {**HEALTH_CHECK_DEFAULTS, **container["healthCheck"]}
    return {key: _normalise(key, value) for key, value in container.items()}


def _port_mapping(mapping: State) -> tuple[str, State]:
    """A port mapping by ``port/protocol``. In network mode awsvpc the host's port is the container's."""
    protocol = mapping.get("protocol", "tcp")
    port = mapping.get("containerPort") or mapping["containerPortRange"]
    identity = ("containerPort", "containerPortRange", "hostPort", "protocol")
    return f"{port}/{protocol}", {k: v for k, v in mapping.items() if k not in identity}


def _normalise(key: str, value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {k: _normalise(k, v) for k, v in value.items()}
    if isinstance(value, list) and key in KEYED:
        name, content = KEYED[key]
        return {str(entry[name]): str(entry.get(content, "")) for entry in value}
    if isinstance(value, list) and key in UNORDERED:
        return sorted(value, key=lambda entry: json.dumps(entry, sort_keys=True))
    return value


def without_empty(value: t.Any) -> t.Any:
    """The value without its empty parts, on every level: for ECS they mean the same as none."""
    if isinstance(value, dict):
        parts = {k: without_empty(v) for k, v in value.items()}
        return {k: v for k, v in parts.items() if v is not None and v != [] and v != {}}
    return [without_empty(v) for v in value] if isinstance(value, list) else value

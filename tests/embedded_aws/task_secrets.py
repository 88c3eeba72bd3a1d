# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ECS reads before it starts a task, and whether the execution role may. Everything else may be done by anybody here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends
from moto.utilities.utils import get_partition

FAILURE = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "


def unreadable(definition: Any) -> str | None:
    """Why a task does not start, as ECS says it, where its execution role may not read a secret that there is."""
    arn = getattr(definition, "execution_role_arn", None) or ""
    account, name = arn.split(":")[4] if arn else "", arn.rpartition("/")[2]
    role = next((role for role in iam_backends[account]["aws"].roles.values() if role.name == name), None) if account else None
    if role is None or role.managed_policies:
        return None
    statements = [statement for policy in role.policies.values() for statement in json.loads(policy)["Statement"]]
    region = definition.arn.split(":")[3]
    for reference in _references(definition.container_definitions, f"arn:{get_partition(region)}:ssm:{region}:{account}:parameter/"):
        for action, resource, via in _needed(reference):
            if not any(_allows(statement, action, resource, via) for statement in statements):
                return f"{FAILURE}AccessDeniedException: {arn} is not authorized to perform: {action} on resource: {resource}"
    return None


def _references(containers: list[dict[str, Any]], parameters: str) -> Iterator[str]:
    """ARNs; the name of a parameter is one of the task's own account and region."""
    for container in containers:
        for each in [*container.get("secrets", []), *container.get("logConfiguration", {}).get("secretOptions", [])]:
            value = each["valueFrom"]
            yield value if value.startswith("arn:") else parameters + value.removeprefix("/")
        for each in container.get("environmentFiles", []):
            yield each["value"]
        if "repositoryCredentials" in container:
            yield container["repositoryCredentials"]["credentialsParameter"]


def _needed(reference: str) -> Iterator[tuple[str, str, str]]:
    """Actions with the resource of each, and the service through which it is done."""
    arn = ":".join(reference.split(":")[:7])
    _arn, _partition, service, region, account, *_rest = arn.split(":")
    if service == "s3":
        yield "s3:GetObject", arn, ""
        yield "s3:GetBucketLocation", arn.partition("/")[0], ""
        return
    if service == "ssm":
        yield "ssm:GetParameters", arn, ""
        backend, name = ssm_backends[account][region], arn.partition(":parameter/")[2]
        parameter = backend.get_parameter(f"/{name}") or backend.get_parameter(name)
        key = parameter and parameter.keyid
    else:
        yield "secretsmanager:GetSecretValue", arn, ""
        secret = secretsmanager_backends[account][region].secrets.get(arn)
        key = secret and secret.kms_key_id
    if key and not key.startswith("alias/aws/"):
        yield "kms:Decrypt", _key_arn(key, account, region), f"{service}.{region}.amazonaws.com"


def _key_arn(key: str, account: str, region: str) -> str:
    if key.startswith("arn:") and ":key/" in key:
        return key
    key_id = kms_backends[account][region].get_key_id(key)
    return f"arn:{get_partition(region)}:kms:{region}:{account}:key/{key_id}"


def _allows(statement: dict[str, Any], action: str, resource: str, via: str) -> bool:
    conditions = statement.get("Condition", {}).get("StringEquals", {})
    return (
        statement["Effect"] == "Allow"
        and any(fnmatchcase(action, each) for each in _listed(statement["Action"]))
        and any(fnmatchcase(resource, each) for each in _listed(statement["Resource"]))
        and via in _listed(conditions.get("kms:ViaService", via))
    )


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]

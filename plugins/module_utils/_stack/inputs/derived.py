# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what follows from inputs. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs


def manages_dns(inputs: Inputs) -> bool:
    """Whether the stack makes its DNS records itself."""
    return inputs.get("mlflow_manage_dns") is not False


def takes_host_names(inputs: Inputs) -> bool:
    """Whether the host names are to lead to the stack, and not yet to another that it replaces."""
    return inputs.get("mlflow_host_names") is not False


def maximum_servers(inputs: Inputs) -> int:
    """How many servers may run at the same time, by the limits of their number and those that a schedule sets."""
    actions = inputs.get("mlflow_service_scheduled_actions") or []
    return max([inputs.get("mlflow_service_max_capacity") or 0, *(action.get("max_capacity") or 0 for action in actions)])


def signs_urls(inputs: Inputs) -> bool:
    """Whether the server has clients and the pages of the UI transfer artifacts directly to and from S3, by URLs that it signs."""
    return inputs.get("mlflow_artifact_access") == "presigned" or bool(inputs.get("mlflow_artifact_multipart"))


def is_watched(inputs: Inputs) -> bool:
    """Whether the stack has alarms."""
    return any(inputs.get(f"mlflow_{name}") for name in ("alarm_topic_arn", "alarm_emails", "dashboard", "account_dashboard"))


def is_of_ecr(image: str) -> bool:
    """Whether an image is in a private registry of Amazon ECR."""
    return re.match(r"\d{12}\.dkr[.-]ecr(-fips)?\.", image) is not None


def secret_arn(reference: str, parameters: str = "") -> str:
    """The ARN in what a container definition says of a secret: without the JSON key, version stage and version that ECS takes with it.

    What is no ARN is the name of a parameter of the stack's account and region, whose ARNs begin with ``parameters``.

    >>> secret_arn("/team-x/token", "arn:aws:ssm:eu-west-1:123456789012:parameter")
    'arn:aws:ssm:eu-west-1:123456789012:parameter/team-x/token'
    """
    return ":".join(reference.split(":")[:7]) if reference.startswith("arn:") else f"{parameters}/{reference.removeprefix('/')}"


def sidecar_secrets(sidecar: dict[str, t.Any]) -> list[tuple[str, t.Any]]:
    """What a sidecar needs of Secrets Manager and Parameter Store to start, with the field that says so."""

    def part(name: str, inside: str) -> t.Any:
        return sidecar[name].get(inside) if isinstance(sidecar.get(name), dict) else None

    lists = (("secrets", sidecar.get("secrets")), ("logConfiguration.secretOptions", part("logConfiguration", "secretOptions")))
    found = [(field, each.get("valueFrom")) for field, given in lists if isinstance(given, list) for each in given if isinstance(each, dict)]
    credentials = part("repositoryCredentials", "credentialsParameter")
    return found if credentials is None else [*found, ("repositoryCredentials.credentialsParameter", credentials)]


def secret_arns(containers: t.Iterable[dict[str, t.Any]], more: t.Mapping[str, str] | None = None, parameters: str = "") -> list[str]:
    """The secrets and parameters that ECS reads before it starts containers, each once, without what it accepts after an ARN."""
    references = [*(more or {}).values(), *(reference for each in containers for _field, reference in sidecar_secrets(each))]
    return sorted({secret_arn(reference, parameters) for reference in references})

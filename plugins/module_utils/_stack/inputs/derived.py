# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what follows from inputs. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs

SERVER_SECRETS = ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_CRYPTO_KEK_PASSPHRASE", "MLFLOW_FLASK_SERVER_SECRET_KEY", "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY")
READER_SECRETS = ("MLFLOW_READ_REPLICA_BACKEND_STORE_URI",)
"""Variables that the role ``ecs`` gives the server as secrets, those of the second kind where it is to read from the readers."""


def reads_from_readers(inputs: Inputs) -> bool:
    """Whether MLflow is told to read from the readers of the database, and there are some."""
    return bool(inputs.get("mlflow_database_read_from_readers") and inputs.get("mlflow_database_reader_count"))


def maximum_servers(inputs: Inputs) -> int:
    """How many servers may run at the same time, by the limits of their number and those that a schedule sets."""
    actions = inputs.get("mlflow_service_scheduled_actions") or []
    return max([inputs.get("mlflow_service_max_capacity") or 0, *(action.get("max_capacity") or 0 for action in actions)])


def runs_jobs(inputs: Inputs) -> bool:
    """Whether the servers run MLflow's jobs."""
    given = (inputs.get("mlflow_service_environment") or {}).get("MLFLOW_SERVER_ENABLE_JOB_EXECUTION")
    return not inputs.get("mlflow_database_auto_pause") if given in (None, "") else str(given).lower() in ("true", "1")


def secret_arn(reference: str) -> str:
    """The ARN in what a container definition says of a secret: without the JSON key, version stage and version that ECS takes with it."""
    return ":".join(reference.split(":")[:7])


def sidecar_secrets(sidecar: dict[str, t.Any]) -> list[tuple[str, t.Any]]:
    """What a sidecar needs of Secrets Manager and Parameter Store to start, with the field that says so."""

    def part(name: str, inside: str) -> t.Any:
        return sidecar[name].get(inside) if isinstance(sidecar.get(name), dict) else None

    lists = (("secrets", sidecar.get("secrets")), ("logConfiguration.secretOptions", part("logConfiguration", "secretOptions")))
    found = [(field, each.get("valueFrom")) for field, given in lists if isinstance(given, list) for each in given if isinstance(each, dict)]
    credentials = part("repositoryCredentials", "credentialsParameter")
    return found if credentials is None else [*found, ("repositoryCredentials.credentialsParameter", credentials)]

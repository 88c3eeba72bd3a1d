# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: a secret of Secrets Manager."""

from __future__ import annotations

import base64
import json
import secrets
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN

GENERATORS: dict[str, t.Callable[[], str]] = {
    "hex16": lambda: secrets.token_hex(16),
    "hex32": lambda: secrets.token_hex(32),
    "fernet": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii"),
}

GENERATED_SECRET: Arguments = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str"},
    "kms_key_id": {"type": "str", "no_log": False},
    "generate": {"type": "dict"},
    "recovery_window_in_days": {"type": "int", "default": 30},
}
"""The options of one secret whose value is generated: what the ``spec`` of a `Secret` holds, besides ``value`` and ``marker``."""


def check_secret(options: dict[str, t.Any]) -> None:
    """Raise AwsError where an option of a secret has a value that there is not."""
    odd = {key: kind for key, kind in (options["generate"] or {}).items() if kind not in GENERATORS}
    if odd:
        raise AwsError(f"generate: {odd}: a kind is one of {', '.join(GENERATORS)}")
    days = options["recovery_window_in_days"]
    if days != 0 and not 7 <= days <= 30:
        raise AwsError(f"recovery_window_in_days: {days} is neither 0 nor from 7 to 30")


ARGUMENTS = {"description": "Description", "kms_key_id": "KmsKeyId", "value": "SecretString"}
"""Our fields as CreateSecret and UpdateSecret call them."""


class Secret(Resource):
    """``spec`` holds ``description``, ``kms_key_id``, ``value``, ``generate`` (a kind of ``GENERATORS`` for each key of the value, a JSON
    object), ``marker`` (further tags) and ``recovery_window_in_days``, as the options of ``secretsmanager_secret``.
    """

    kind = "secretsmanager_secret"
    service = "secretsmanager"
    secret = frozenset({"value"})

    def describe(self) -> State | None:
        answer, value = run_concurrently(self._description, self._value)
        if answer is None or (self.absent and "DeletedDate" in answer):
            return None
        current = (v for v, stages in answer.get("VersionIdsToStages", {}).items() if "AWSCURRENT" in stages)
        state = {
            "arn": answer["ARN"],
            "version_id": next(current, None),
            "scheduled_for_deletion": "DeletedDate" in answer,
            "description": answer.get("Description", ""),
            "kms_key_id": answer.get("KmsKeyId"),
            "tags": tag_dict(answer.get("Tags", [])),
        }
        if value is not None:
            state["value"] = value.get("SecretString")
        return state

    def _description(self) -> State | None:
        describe = self.aws.client("secretsmanager").describe_secret
        return none_if_missing(describe, "ResourceNotFoundException", SecretId=self.name)

    def _value(self) -> State | None:
        """GetSecretValue's answer, where the value is managed. AWS gives none of a secret that is to be deleted."""
        if self.spec["value"] is None or self.absent:
            return None
        get = self.aws.client("secretsmanager").get_secret_value
        return none_if_missing(get, "ResourceNotFoundException", "InvalidRequestException", SecretId=self.name)

    def desired(self) -> State:
        return {
            "scheduled_for_deletion": False,
            "description": self.spec["description"],
            "kms_key_id": self.spec["kms_key_id"],
            "value": self.spec["value"],
            "tags": self.spec["marker"],
        }

    def unknown(self) -> State:
        return {"arn": UNKNOWN, "version_id": UNKNOWN}

    def create(self, desired: State) -> State:
        if self.spec["generate"]:
            value = {key: GENERATORS[kind]() for key, kind in self.spec["generate"].items()}
            desired = {**desired, "value": json.dumps(value)}
        # AWS removes a secret that was deleted for good in the background; until then its name is taken, and the secret is "scheduled for
        # deletion", or "was deleted".
        answer = retry_on(
            self.aws.client("secretsmanager").create_secret,
            "InvalidRequestException",
            message="delet",
            Name=self.name,
            Tags=tag_list(desired["tags"]),
            **_arguments(desired),
        )
        return {"arn": answer["ARN"], "version_id": answer["VersionId"]}

    def update(self, before: State, changes: State) -> State:
        client = self.aws.client("secretsmanager")
        if before["scheduled_for_deletion"]:
            client.restore_secret(SecretId=before["arn"])
        arguments = _arguments(changes)
        answer = client.update_secret(SecretId=before["arn"], **arguments) if arguments else {}
        return {"version_id": answer["VersionId"]} if answer.get("VersionId") else {}

    def delete(self, before: State) -> None:
        days = self.spec["recovery_window_in_days"]
        window = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        self.aws.client("secretsmanager").delete_secret(SecretId=before["arn"], **window)

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before and not changes and not self.spec["recovery_window_in_days"]:
            return ["the value is deleted at once and for good"]
        return []

    def result(self) -> State:
        """The returned value ``secret``."""
        if self.state is None:
            return {}
        changed = {field["name"] for field in self.change["fields"]} if self.change else set()
        version_id = UNKNOWN if self.aws.check_mode and "value" in changed else self.state["version_id"]
        return {"arn": self.state["arn"], "name": self.name, "version_id": version_id}


def _arguments(wanted: State) -> State:
    return {argument: wanted[field] for field, argument in ARGUMENTS.items() if wanted.get(field) is not None}

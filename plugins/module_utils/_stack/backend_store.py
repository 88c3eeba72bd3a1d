# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the secrets of MLflow's backend store: the URIs, and the keys that encrypt what is in it.

The tags of the secret with the URIs record what the database was initialised for.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN, has_unknown
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import timestamp
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.password import secret_password
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.secretsmanager import Secret
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.database import (
    PREPARED_TAG,
    SCHEMA_TAG,
    SNAPSHOT_TAG,
    SNAPSHOT_VERSION_TAG,
    UPGRADING,
    VERSION_TAG,
    backend_store_uri,
    derive_password,
)

OF_UPGRADE = (SNAPSHOT_TAG, SNAPSHOT_VERSION_TAG)
SERVER_KEYS = {"crypto_kek_passphrase": "hex32", "webhook_secret_encryption_key": "fernet", "flask_server_secret_key": "hex32"}
"""The keys that all servers of MLflow share, each with its kind."""
REMEMBERED = (PREPARED_TAG, VERSION_TAG, SCHEMA_TAG, *OF_UPGRADE)
"""The tags that stay until an initialisation or an upgrade changes them."""


def preparation(prepared_for: t.Sequence[str], version_id: str) -> str:
    """The value of PREPARED_TAG for a database that was initialised for ``prepared_for`` and this version of the secret."""
    if has_unknown([*prepared_for, version_id]):
        return UNKNOWN
    return hashlib.sha256(json.dumps([*prepared_for, version_id]).encode()).hexdigest()[:16]


class BackendStore(Secret):
    """The secret with the URIs; ``spec`` holds the options of ``mlflow_backend_store`` beside those of ``Secret``."""

    before: State | None = None

    def describe(self) -> State | None:
        self.before = super().describe()
        return self.before

    def desired(self) -> State:
        before = self.before or {}
        tags = {k: v for k, v in before.get("tags", {}).items() if k in REMEMBERED}
        if self.spec["upgrade"] == "begin" and not upgrading(tags):
            snapshot = f"{self.spec['unique_name']}-before-upgrade-{timestamp()}"
            tags |= {PREPARED_TAG: UPGRADING, SNAPSHOT_TAG: snapshot, SNAPSHOT_VERSION_TAG: tags.get(VERSION_TAG, "")}
        if self.spec["upgrade"] == "abandon":
            tags = without(tags, PREPARED_TAG, *OF_UPGRADE)
        if self.spec["prepared"] and (self.aws.check_mode or before.get("value") == self.spec["value"]):
            schema = self.spec["database_schema"]
            if upgrading(tags) and schema and schema == tags.get(SCHEMA_TAG):  # it was not upgraded after all
                tags = without(tags, *OF_UPGRADE)
            same = before.get("value") == self.spec["value"]
            tags[PREPARED_TAG] = preparation(self.spec["prepared_for"], before["version_id"]) if same else UNKNOWN
            tags[VERSION_TAG] = self.spec["mlflow_version"] or ""
            tags[SCHEMA_TAG] = schema or ""
        return {**super().desired(), "tags": {name: value for name, value in tags.items() if value}}

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before and "value" in changes and writer(before["value"]) != writer(changes["value"]):
            return ["running servers cannot open connections to the database for some minutes, until they are replaced"]
        return super().warn(before, changes)

    def result(self) -> State:
        secret = super().result()
        wanted = preparation(self.spec["prepared_for"], secret["version_id"])
        tags = self.actual["tags"]
        return {
            **secret,
            "prepared": tags.get(PREPARED_TAG) == wanted,
            "mlflow_version": tags.get(VERSION_TAG, ""),
            "database_schema": tags.get(SCHEMA_TAG, ""),
            "snapshot": tags.get(SNAPSHOT_TAG, ""),
            "snapshot_version": tags.get(SNAPSHOT_VERSION_TAG, ""),
            "upgrading": upgrading(tags),
        }


def upgrading(tags: dict[str, str]) -> bool:
    """Whether an upgrade of the schema is in progress."""
    return tags.get(PREPARED_TAG) == UPGRADING and SNAPSHOT_TAG in tags


def without(tags: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in tags.items() if name not in names}


def master_secret(aws: Aws, arn: str) -> str:
    """The value of the secret with the master password."""
    answer = none_if_missing(aws.client("secretsmanager").get_secret_value, "ResourceNotFoundException", SecretId=arn)
    if answer is None or not answer.get("SecretString"):
        raise AwsError(f"the master password cannot be read: there is no secret {arn} with a text value")
    return answer["SecretString"]


def writer(value: str | None) -> str | None:
    """The URI of the writer in a value of the secret, or all of a value of another form."""
    try:
        return json.loads(value or "")["uri"]
    except (ValueError, LookupError, TypeError):
        return value


def uris(params: dict[str, t.Any], master_password: str) -> str:
    """The value of the secret; UNKNOWN where a plan does not know a part of it yet."""
    hosts = {"uri": params["host"], "reader_uri": params["reader_host"]}
    if has_unknown([*hosts.values(), params["port"]]):
        return UNKNOWN
    password = derive_password(master_password, params["unique_name"])
    return json.dumps(
        {
            field: backend_store_uri(
                engine=params["engine"],
                user=params["username"],
                password=password,
                host=host,
                port=int(params["port"]),
                database=params["database"],
                ca_file=params["ca_file"],
            )
            for field, host in hosts.items()
            if host
        }
    )


def server_keys(aws: Aws, params: dict[str, t.Any]) -> list[Secret]:
    """The secret with the keys, where ``params``, the options of ``mlflow_backend_store``, name one."""
    spec = {
        "description": "Keys with which MLflow encrypts what it keeps in its database",
        "kms_key_id": params["kms_key_id"],
        "value": None,
        "generate": SERVER_KEYS,
        "marker": {},
        "recovery_window_in_days": 30,  # a snapshot of this database, or of an earlier one of this name, is worth little without them
    }
    name = params["server_keys_name"]
    return [Secret(aws, name, spec, tags=params["tags"], absent=params["state"] == "absent")] if name else []


def absent(aws: Aws, params: dict[str, t.Any]) -> BackendStore:
    """The secret with the URIs, to be removed. ``params``: the options of ``mlflow_backend_store``."""
    return BackendStore(aws, params["name"], _spec(params), tags=params["tags"], absent=True)


def present(aws: Aws, params: dict[str, t.Any]) -> tuple[BackendStore, str]:
    """The secret with the URIs, and how a container definition of ECS refers to the master password, from which its value follows.

    ``params``: the options of ``mlflow_backend_store``. Raises AwsError where the master password cannot be read.
    """
    store = BackendStore(aws, params["name"], _spec(params), tags=params["tags"])
    master, _prefetched = run_concurrently(lambda: master_secret(aws, params["master_secret_arn"]), store.prefetch)
    password = secret_password(master)
    store.spec["value"] = uris(params, password)
    return store, params["master_secret_arn"] + ("" if password == master else ":password::")


def _spec(params: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        **params,
        "description": "Where MLflow keeps its data: the URIs of its database, with the password",
        "value": "",  # it follows from the master password, and is compared with what AWS has
        "generate": None,
        "marker": {},
        "recovery_window_in_days": 0,  # it can always be created again
    }

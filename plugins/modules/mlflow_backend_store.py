#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mlflow_backend_store
version_added: 1.0.0
short_description: Manage the secret that holds the URI of MLflow's backend store
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes the Secrets Manager secret with the SQLAlchemy URI with which MLflow connects to its
    database, as a database user of its own. The user's password is derived from the master password, which the
    module reads itself, so that no password passes through Ansible's variables.
  - The secret is a JSON object. Its field C(uri) leads to the writer, and C(reader_uri), where O(reader_host) is given,
    to the readers.
  - The tag C(mlflow-database-prepared) of the secret records what the database was initialised for (the user, the
    database and the schema were created). It is kept until a run with O(prepared=true) sets it, so that the next run
    completes an initialisation that failed. The tags C(mlflow-version) and C(mlflow-database-schema) record the version
    of MLflow that it was initialised for, and the schema that it then had.
  - While the schema is upgraded (O(upgrade)) that tag is C(upgrading). From then on the tag C(mlflow-database-snapshot)
    names the snapshot from before the upgrade, and C(mlflow-database-snapshot-version) its version of MLflow.
  - M(mlplatform.mlflow_aws.secretsmanager_secret) manages secrets with a given or random value.
options:
  name:
    description: Name of the secret.
    type: str
    required: true
  master_secret_arn:
    description: ARN of the secret that holds the master password of the database. Required with O(state=present), as
      are the next five.
    type: str
  engine:
    description: Engine of the database.
    type: str
    choices: [aurora-mysql, aurora-postgresql]
  host:
    description: Host name of the database.
    type: str
  reader_host:
    description: Host name that leads to the readers of the database, if it has any.
    type: str
    default: ""
  port:
    description: Port of the database. A string, because a plan may not know it yet.
    type: str
  database:
    description: Name of MLflow's database.
    type: str
  unique_name:
    description: Name of the stack. The password is derived from it, too.
    type: str
  username:
    description: MLflow's user in the database.
    type: str
    default: mlflow
  ca_file:
    description:
      - Path, in the server's container, of the certificates that verify the database. The connection is
        always encrypted; where this is empty, the database's certificate is not verified.
    type: str
    default: ""
  kms_key_id:
    description: ARN of the KMS key that encrypts the secret. Not managed where omitted.
    type: str
  prepared_for:
    description: What the initialisation of the database depends on besides the URI, such as the image and the database's
      resource ID.
    type: list
    elements: str
    default: []
  prepared:
    description: Whether the database has just been initialised for O(prepared_for) and the URI that the secret holds. This ends
      an upgrade. In check mode also for the URI that it would get, so that a plan has one line for the secret.
    type: bool
    default: false
  mlflow_version:
    description: With O(prepared=true), the version of MLflow that the database was initialised for.
    type: str
  database_schema:
    description: With O(prepared=true), the revision of its schema. Empty where that is not known.
    type: str
  upgrade:
    description:
      - V(begin) records that the schema is about to be upgraded, and chooses the name of the snapshot to take before. An upgrade
        that an earlier run has begun continues, with the same name.
      - V(abandon) records that it is not upgraded after all.
    type: str
    choices: [begin, abandon]
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Ensure the URI of the backend store
  mlplatform.mlflow_aws.mlflow_backend_store: &store
    name: mlflow-team-x-backend-store-uri
    master_secret_arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-team-x-db-a1b2c3
    engine: aurora-mysql
    host: mlflow-team-x.cluster-abc.eu-west-1.rds.amazonaws.com
    port: "3306"
    database: mlflow
    unique_name: mlflow-team-x
    prepared_for: [v3.18.0-full, cluster-ABC]
  register: store

- name: Initialise the database
  mlplatform.mlflow_aws.ecs_task:
    name: mlflow-team-x-prepare-database
    cluster: mlflow-team-x
    task_definition: "{{ task_definition_arn }}"
    subnets: [subnet-0a, subnet-0b]
    security_groups: [sg-0a]
  when: not store.secret.prepared

- name: Record that the database is initialised
  mlplatform.mlflow_aws.mlflow_backend_store:
    <<: *store
    prepared: true
"""

RETURN = r"""
secret:
  description:
    - The secret, as it is after the run. Empty with O(state=absent).
    - C(version_id) is that of the value, in check mode C((known after apply)) where the value would change.
    - C(prepared) says whether the database was initialised for this version and O(prepared_for); C(mlflow_version) and
      C(database_schema) for which version of MLflow it last was, and which schema it had then.
    - C(snapshot) is the name of the snapshot from before the last upgrade, C(snapshot_version) its version of MLflow, and
      C(upgrading) whether that upgrade is in progress.
  type: dict
  returned: success
  sample:
    arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-team-x-backend-store-uri-a1b2c3
    name: mlflow-team-x-backend-store-uri
    prepared: true
    mlflow_version: v3.18.0-full
    database_schema: 1b5f0d9ad7c1
    snapshot: mlflow-team-x-before-upgrade-20261122t221500z
    snapshot_version: v3.17.0-full
    upgrading: false
    version_id: 5048fd33-28c3-4f9d-8a1b-3f1d2c7b6a5e
master_password_value_from:
  description: How a container definition of ECS refers to the master password, which may be the value of its secret or
    a field of it.
  type: str
  returned: success and O(state=present)
  sample: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-team-x-db-a1b2c3:password::"
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: V(create), V(update), V(replace) or V(delete).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: secretsmanager_secret
    name:
      description: Name of the resource.
      type: str
    fields:
      description: What differs, each with C(name), C(before) and C(after).
      type: list
      elements: dict
    warnings:
      description: What the change costs, such as downtime.
      type: list
      elements: str
"""

import hashlib
import json
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.aurora import timestamp
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds_password import secret_password
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN, has_unknown
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.secret import Secret

OF_UPGRADE = (SNAPSHOT_TAG, SNAPSHOT_VERSION_TAG)
REMEMBERED = (PREPARED_TAG, VERSION_TAG, SCHEMA_TAG, *OF_UPGRADE)
"""The tags that stay until a preparation or an upgrade changes them."""
REQUIRED = ("master_secret_arn", "engine", "host", "port", "database", "unique_name")


def preparation(prepared_for: t.Sequence[str], version_id: str) -> str:
    """What the tag says of a database prepared for ``prepared_for`` and this version of the URI."""
    if has_unknown([*prepared_for, version_id]):
        return UNKNOWN
    return hashlib.sha256(json.dumps([*prepared_for, version_id]).encode()).hexdigest()[:16]


class BackendStore(Secret):
    """The secret; ``spec`` holds the module's options beside those of ``Secret``."""

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
        tags = self.state["tags"]
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
    """Whether an upgrade is under way."""
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


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Secret], t.Callable[[], dict[str, t.Any]]]:
    spec = {
        **params,
        "description": "Where MLflow keeps its data: the URIs of its database, with the password",
        "value": "",  # said below, when the master password is known; meanwhile the secret is read
        "generate": None,
        "marker": {},
        "recovery_window_in_days": 0,  # it can always be made again
    }
    store = BackendStore(aws, params["name"], spec, tags=params["tags"], absent=params["state"] == "absent")
    if store.absent:
        return [store], lambda: {"secret": {}}
    master, _ahead = run_concurrently(lambda: master_secret(aws, params["master_secret_arn"]), store.prefetch)
    password = secret_password(master)
    spec["value"] = uris(params, password)
    value_from = params["master_secret_arn"] + ("" if password == master else ":password::")
    return [store], lambda: {"secret": store.result(), "master_password_value_from": value_from}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "master_secret_arn": {"type": "str", "no_log": False},
            "engine": {"type": "str", "choices": ["aurora-mysql", "aurora-postgresql"]},
            "host": {"type": "str"},
            "reader_host": {"type": "str", "default": ""},
            "port": {"type": "str"},
            "database": {"type": "str"},
            "unique_name": {"type": "str"},
            "username": {"type": "str", "default": "mlflow"},
            "ca_file": {"type": "str", "default": ""},
            "kms_key_id": {"type": "str", "no_log": False},
            "prepared_for": {"type": "list", "elements": "str", "default": []},
            "prepared": {"type": "bool", "default": False},
            "mlflow_version": {"type": "str"},
            "database_schema": {"type": "str"},
            "upgrade": {"type": "str", "choices": ["begin", "abandon"]},
            **STATE,
            **TAGS,
        },
        required_if=[("state", "present", REQUIRED)],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

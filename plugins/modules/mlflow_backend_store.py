#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mlflow_backend_store
version_added: 1.0.0
short_description: Manage the secrets of MLflow's backend store
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes the Secrets Manager secret with the SQLAlchemy URI with which MLflow connects to its
    database, as a database user of its own. The user's password is derived from the master password, which the
    module reads itself, so that no password passes through Ansible's variables.
  - That secret is a JSON object. Its field C(uri) leads to the writer, and C(reader_uri), where O(reader_host) is given,
    to the readers.
  - The tag C(mlflow-database-prepared) of the secret records what the database was initialised for (the user, the
    database and the schema were created). It is kept until a run with O(prepared=true) sets it, so that the next run
    completes an initialisation that failed. The tags C(mlflow-version) and C(mlflow-database-schema) record the version
    of MLflow that it was initialised for, and the schema that it then had.
  - While the schema is upgraded (O(upgrade)) that tag is C(upgrading). From then on the tag C(mlflow-database-snapshot)
    names the snapshot from before the upgrade, and C(mlflow-database-snapshot-version) its version of MLflow.
  - A second secret (O(server_keys_name)) is a JSON object with the keys that all servers share, with which MLflow encrypts what it
    keeps in the database. They are random, and never changed.
  - M(mlplatform.mlflow_aws.secretsmanager_secret) manages secrets with a given or random value.
options:
  name:
    description: Name of the secret with the URIs.
    type: str
    required: true
  server_keys_name:
    description: Name of the secret with the keys that all servers share. Not managed where omitted. It is removed with a recovery window
      of 30 days, because a snapshot of the database is worth little without the keys.
    type: str
  wait_for:
    description: Database to wait for before anything else, as M(mlplatform.mlflow_aws.rds_cluster) returns it in
      RV(mlplatform.mlflow_aws.rds_cluster#module:pending). In check mode nothing is waited for.
    type: dict
    suboptions:
      cluster_identifier:
        description: Name of the cluster, which is waited for with all its instances.
        type: str
        required: true
      new_instances:
        description: Those of its instances that were just created, so that nobody uses them yet. Those that lack parameters of the
          cluster, whose parameter group may have been too new for them, are rebooted.
        type: list
        elements: str
        default: []
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
    description: ARN of the KMS key that encrypts the secrets. Not managed where omitted.
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
- name: Create the URI of the backend store
  mlplatform.mlflow_aws.mlflow_backend_store: &store
    name: mlflow-team-x-backend-store-uri
    master_secret_arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-team-x-db-a1b2c3
    engine: aurora-mysql
    host: mlflow-team-x.cluster-abc.eu-west-1.rds.amazonaws.com
    port: "3306"
    database: mlflow
    unique_name: mlflow-team-x
    prepared_for: [v3.18.0-full, cluster-ABC]
    server_keys_name: mlflow-team-x-server-keys
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
    - The secret with the URIs, as it is after the run. Empty with O(state=absent).
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
server_keys:
  description: The secret with the keys, as it is after the run. Empty without O(server_keys_name), and with O(state=absent).
  type: dict
  returned: success
  sample:
    arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-team-x-server-keys-a1b2c3
    name: mlflow-team-x-server-keys
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

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds import database
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack import backend_store


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    keys = backend_store.server_keys(aws, params)
    if params["state"] == "absent":
        return [backend_store.absent(aws, params), *keys], lambda: {"secret": {}, "server_keys": {}}
    if params["wait_for"] and not aws.check_mode:
        database.wait_available(aws, params["wait_for"])
    store, value_from = backend_store.present(aws, params)

    def results() -> dict[str, t.Any]:
        return {"secret": store.result(), "server_keys": keys[0].result() if keys else {}, "master_password_value_from": value_from}

    return [*keys, store], results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "server_keys_name": {"type": "str", "no_log": False},
            "wait_for": {"type": "dict", "options": database.PENDING},
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
        required_if=[("state", "present", ("master_secret_arn", "engine", "host", "port", "database", "unique_name"))],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

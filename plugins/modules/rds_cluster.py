#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_cluster
version_added: 1.0.0
short_description: Manage an Aurora cluster with its instances, parameters, subnet group and log groups
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes an Aurora cluster (C(CreateDBCluster), C(ModifyDBCluster), C(DeleteDBCluster)), its instances, its
    cluster parameter group, its subnet group and the log groups of its exported logs. Changes apply at once, not in the next maintenance window.
  - The instances are called C(<name_prefix>-1), C(-2), …, skipping numbers used by another cluster's instances; instances of other
    names are left alone. The writer is removed last.
  - The master password never passes through Ansible. The module reads it from its secret, and only to set it. Because AWS never
    returns a password, the version of the secret is kept in the tag C(mlflow-password-version) of the cluster; a cluster whose tag
    names another version gets the new password first and the tag once it is applied.
  - Used in place of M(amazon.aws.rds_cluster), which fails on a second run with some options (C(EnableHttpEndpoint)), modifies the
    security groups in every run, has no option for auto-pause, always differs with a minimum capacity of 0, and polls
    once a minute; and of M(amazon.aws.rds_instance), M(amazon.aws.rds_cluster_param_group) and M(amazon.aws.rds_subnet_group).
  - The engine, the KMS key, the encryption, the subnet group's name, the database's name and the master user of a cluster cannot be
    changed; such a change is an error before anything is changed, never a replacement.
  - With O(state=absent) the clusters that M(mlplatform.mlflow_aws.rds_cluster_switchover) has kept are deleted too, each after a
    final snapshot of its own, because they use its subnet group and parameter group.
options:
  cluster_identifier:
    description: Name of the cluster, in lower case.
    type: str
    required: true
  name_prefix:
    description:
      - Beginning of the names of its instances and its parameter group, and the name of its subnet group. Default is
        O(cluster_identifier).
      - A cluster that is to replace another has the prefix of the other.
    type: str
  restore_from:
    description:
      - Backup that a new cluster is restored from; one of O(restore_from.snapshot_identifier) and O(restore_from.time). The name of
        the master user, the name of the database and, without O(kms_key_id), the key are those of the backup; the other options
        apply.
      - Ignored for a cluster that exists, except that one restored from something else is an error.
    type: dict
    suboptions:
      snapshot_identifier:
        description: Name of a cluster snapshot.
        type: str
      source_cluster_identifier:
        description: The cluster whose automatic backups O(restore_from.time) refers to.
        type: str
      time:
        description: A time in ISO 8601, or V(latest) for the latest that the backups cover.
        type: str
  engine:
    description: The engine. Required with O(state=present).
    type: str
    choices: [aurora-mysql, aurora-postgresql]
  engine_version:
    description:
      - Version of the engine, such as V(8.0.mysql_aurora.3.10.3) or V(17.7). Required with O(state=present).
      - A newer minor or patch version upgrades in place, which restarts the database. A version that leaves the last numbers open
        (V(17)) and one that AWS has upgraded itself are not a difference. A downgrade is an error.
    type: str
  allow_major_version_upgrade:
    description: Whether O(engine_version) may be a newer major version.
    type: bool
    default: false
  database_name:
    description: Name of the first database. None is created where omitted.
    type: str
  master_username:
    description: Name of the master user. Required with O(state=present).
    type: str
  master_user_password_secret_arn:
    description:
      - ARN of the Secrets Manager secret with the master password, either as its whole value or as the field C(password) of a JSON
        object. Required with O(state=present).
    type: str
  port:
    description: Port. AWS's default for the engine where omitted.
    type: int
  subnet_ids:
    description: Subnets of the cluster, in two availability zones or more. Required with O(state=present).
    type: list
    elements: str
  subnet_group_name:
    description: Name of the subnet group. Default is O(name_prefix).
    type: str
  parameters:
    description:
      - Cluster parameters that differ from the engine's defaults. Others that were set are reset.
      - "The parameter group is called C(<name_prefix>-<family>), a family being C(aurora-mysql8-0) or C(aurora-postgresql17)."
    type: dict
    default: {}
  vpc_security_group_ids:
    description: IDs of the security groups.
    type: list
    elements: str
  storage_encrypted:
    description: Whether the storage is encrypted.
    type: bool
    default: true
  kms_key_id:
    description: ARN, id or alias of the KMS key. AWS's key for RDS where omitted.
    type: str
  backup_retention_period:
    description: Days that automatic backups are kept, 1 to 35.
    type: int
  preferred_backup_window:
    description: Time of day of the backup in UTC, such as V(03:00-04:00).
    type: str
  preferred_maintenance_window:
    description: Time of week of maintenance in UTC, such as V(sun:04:30-sun:05:30).
    type: str
  backtrack_window:
    description:
      - Seconds by which Aurora MySQL can be rewound in place, at most 259200. V(0) for not at all. Not managed where omitted.
      - AWS turns it on only for a new or a restored cluster; for another one that is an error before anything is changed.
    type: int
  copy_tags_to_snapshot:
    description: Whether snapshots get the cluster's tags.
    type: bool
    default: true
  deletion_protection:
    description: Whether AWS refuses to delete the cluster.
    type: bool
  enabled_cloudwatch_logs_exports:
    description:
      - Logs that are exported to CloudWatch, such as V(error) or V(postgresql).
      - Their log groups, C(/aws/rds/cluster/<cluster_identifier>/<log>), are created before the cluster, which would create them without
        retention and tags. With O(state=absent) the log groups of these logs are removed.
    type: list
    elements: str
  log_retention_in_days:
    description: Days that the exported logs are kept. Not managed where omitted.
    type: int
  log_kms_key_id:
    description:
      - ARN of the KMS key that encrypts the log groups of the exported logs. Not managed where omitted.
      - An empty string disassociates a key that this module has associated.
    type: str
  account_id:
    description: The account that the log groups are in. Default is the caller's, which one more call (C(sts:GetCallerIdentity)) finds out.
    type: str
  engine_lifecycle_support:
    description:
      - Whether the cluster is in the paid Extended Support after the end of standard support.
      - With a boto3 older than 1.43.60 it is set when the cluster is created, and not changed on an existing one.
    type: str
    choices: [open-source-rds-extended-support, open-source-rds-extended-support-disabled]
  serverless_v2_scaling:
    description: Capacity of instances of the class C(db.serverless).
    type: dict
    suboptions:
      min_capacity:
        description: Minimum capacity in ACU, in steps of 0.5. V(0) lets the database pause.
        type: float
        required: true
      max_capacity:
        description: Maximum capacity in ACU, in steps of 0.5.
        type: float
        required: true
      seconds_until_auto_pause:
        description:
          - Seconds without a connection until the database pauses, 300 to 86400. AWS's default is 300.
          - Only with a minimum of 0.
        type: int
  instance_class:
    description: Class of the instances.
    type: str
    default: db.serverless
  reader_count:
    description: Number of instances besides the writer, 0 to 15. RDS spreads them over the zones.
    type: int
    default: 0
  promotion_tier:
    description:
      - Promotion tier of every instance.
      - In tiers 0 and 1 a reader is always as large as the writer, so that it can take over.
    type: int
    default: 1
  monitoring_interval:
    description:
      - Seconds between two measurements of Enhanced Monitoring on each instance. Not managed where omitted.
      - V(0) turns off what was turned on with O(monitoring_role), and then removes that role. What others have turned on, with another role, stays.
    type: int
    choices: [0, 1, 5, 10, 15, 30, 60]
  monitoring_role:
    description:
      - The role by which Amazon RDS writes these measurements into CloudWatch Logs, which is created before the cluster. Required with an
        O(monitoring_interval) above V(0).
      - With O(state=absent) it is removed after the cluster, with all its policies.
    type: dict
    suboptions:
      name:
        description: Name of the role, at most 64 characters.
        type: str
        required: true
      path:
        description: Path of the role, which begins and ends with a slash. IAM cannot change it later. V(/) for a new role where omitted.
        type: str
      assume_role_policy:
        description:
          - The trust policy, a policy document as IAM spells it, says who may assume the role.
        type: dict
      description:
        description: What the role is for. Not managed where omitted.
        type: str
      managed_policies:
        description:
          - ARNs of the managed policies attached to the role.
          - One that is no longer given is detached. The tag C(mlflow-policies) tells which ones this module has attached; those that
            others have attached are left alone, and a warning names them.
          - With O(state=absent), a role to which others have attached policies is kept, unless this is omitted.
        type: list
        elements: str
      inline_policies:
        description:
          - The policies embedded in the role, policy documents by name. Others are left alone, and a warning names them.
          - With O(state=absent), a role with further ones is kept, unless this is omitted.
        type: dict
      permissions_boundary:
        description:
          - ARN of the managed policy that is the permissions boundary of the role. Empty for none.
          - Where omitted, a boundary that this module has set is removed, and one that others have set is left alone.
        type: str
      max_session_duration:
        description: Maximum duration of a session in seconds, 3600 to 43200. Not managed where omitted.
        type: int
  auto_minor_version_upgrade:
    description: Whether AWS upgrades the instances to newer minor versions.
    type: bool
    default: false
  skip_final_snapshot:
    description: With O(state=absent), whether the database is deleted without a final snapshot.
    type: bool
    default: false
  final_snapshot_identifier:
    description: With O(state=absent), name of the final snapshot. Default is C(<cluster_identifier>-final-<UTC time>), or
      C(<cluster_identifier>-final) where that is too long.
    type: str
  disable_deletion_protection:
    description: With O(state=absent), whether deletion protection is disabled. Without it a protected cluster is an error.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the cluster and its instances are available. Without it, RV(pending) says what is left to wait for.
      - The module always waits for a new password and for a removal.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Create a database that pauses when nobody uses it
  mlplatform.mlflow_aws.rds_cluster:
    cluster_identifier: mlflow-team-x
    engine: aurora-postgresql
    engine_version: "17.7"
    database_name: mlflow
    master_username: mlflow_admin
    master_user_password_secret_arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:team-x-database-a1b2c3
    subnet_ids: [subnet-0a1b2c3d, subnet-1a2b3c4d]
    vpc_security_group_ids: [sg-0a1b2c3d]
    parameters:
      rds.force_ssl: "1"
    serverless_v2_scaling: {min_capacity: 0, max_capacity: 4, seconds_until_auto_pause: 600}
    backup_retention_period: 14
    deletion_protection: true
    enabled_cloudwatch_logs_exports: [postgresql]
    log_retention_in_days: 30

- name: Remove it and its log group, keeping a last snapshot
  mlplatform.mlflow_aws.rds_cluster:
    cluster_identifier: mlflow-team-x
    enabled_cloudwatch_logs_exports: [postgresql]
    disable_deletion_protection: true
    state: absent

- name: Create a cluster beside it with the data of a snapshot
  mlplatform.mlflow_aws.rds_cluster:
    cluster_identifier: mlflow-team-x-restored
    name_prefix: mlflow-team-x
    restore_from:
      snapshot_identifier: mlflow-team-x-backup-20261122t221500z
    engine: aurora-postgresql
    engine_version: "17.7"
    database_name: mlflow
    master_username: mlflow_admin
    master_user_password_secret_arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:team-x-database-a1b2c3
    subnet_ids: [subnet-0a1b2c3d, subnet-1a2b3c4d]
    vpc_security_group_ids: [sg-0a1b2c3d]
    serverless_v2_scaling: {min_capacity: 0, max_capacity: 4}
    deletion_protection: true
"""

RETURN = r"""
cluster:
  description: The cluster, as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    id: mlflow-team-x
    arn: arn:aws:rds:eu-west-1:123456789012:cluster:mlflow-team-x
    resource_id: cluster-ABCDEFGHIJKLMNOP
    endpoint: mlflow-team-x.cluster-abcdefg.eu-west-1.rds.amazonaws.com
    reader_endpoint: mlflow-team-x.cluster-ro-abcdefg.eu-west-1.rds.amazonaws.com
    port: 5432
    database_name: mlflow
    master_username: mlflow_admin
    status: available
    password_version: 5048fd33-28c3-4f9d-8a1b-3f1d2c7b6a5e
instances:
  description: Names of its instances. Empty with O(state=absent).
  type: list
  elements: str
  returned: success
  sample: [mlflow-team-x-1]
reboot_pending:
  description:
    - Names of the instances that need a reboot before changed parameters take effect. No run reboots an instance, except for a new one that
      does not have all parameters yet.
  type: list
  elements: str
  returned: success
  sample: []
final_snapshots:
  description: Names of the final snapshots that this run created.
  type: list
  elements: str
  returned: success
  sample: [mlflow-team-x-final-20261122t221500z]
pending:
  description: What is left to wait for, as O(mlplatform.mlflow_aws.mlflow_backend_store#module:wait_for) takes it. Empty where everything is
    available, and in check mode.
  type: dict
  returned: success
  sample: {cluster_identifier: mlflow-team-x, new_instances: [mlflow-team-x-1]}
ready:
  description: Whether AWS has finished its work on all of it; without O(wait) it may not have. True in check mode.
  type: bool
  returned: success
  sample: true
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
      sample: rds_cluster
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

from ansible.module_utils.common.warnings import warn

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS, WAIT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.roles import ROLE
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds import database
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.cluster import Cluster


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    if params["state"] == "absent":
        wanted = database.absent(aws, params)
    else:
        if params["monitoring_interval"] and not params["monitoring_role"]:
            raise AwsError("monitoring_role is required with monitoring_interval: by it RDS writes what it measures")
        wanted = database.present(aws, params)
        _check_possible(wanted)
    cluster = wanted.clusters[0]

    def results() -> dict[str, t.Any]:
        reboot_pending = (cluster.state or {}).get("reboot_pending", [])
        if reboot_pending:
            warn(
                f"changed parameters take effect once these instances are rebooted: {', '.join(reboot_pending)} "
                "(aws rds reboot-db-instance --db-instance-identifier <name>)"
            )
        return {
            "cluster": cluster.result(),
            "instances": [instance.name for instance in cluster.child_resources if not instance.absent],
            "reboot_pending": reboot_pending,
            "final_snapshots": [each.final_snapshot for each in wanted.clusters if each.final_snapshot],
            "pending": _pending(cluster),
        }

    return wanted.resources, results


def _check_possible(wanted: database.Database) -> None:
    """Refuse what AWS cannot do to the existing cluster before anything else is changed for it."""
    run_concurrently(*(resource.prefetch for resource in wanted.resources))
    cluster = wanted.clusters[0]
    try:
        cluster.check_possible()
    except AwsError as error:
        raise AwsError(f"{cluster.kind} {cluster.name}: {error}") from error


def _pending(cluster: Cluster) -> dict[str, t.Any]:
    if cluster.aws.check_mode or not cluster.busy():
        return {}
    return {"cluster_identifier": cluster.name, "new_instances": [each.name for each in cluster.child_resources if each.newly_created()]}


def main() -> None:
    required = ("engine", "engine_version", "master_username", "master_user_password_secret_arn", "subnet_ids")
    module = AnsibleAWSModule(
        argument_spec={
            "cluster_identifier": {"type": "str", "required": True},
            "name_prefix": {"type": "str"},
            "restore_from": {
                "type": "dict",
                "options": {"snapshot_identifier": {"type": "str"}, "source_cluster_identifier": {"type": "str"}, "time": {"type": "str"}},
                "mutually_exclusive": [("snapshot_identifier", "time")],
                "required_one_of": [("snapshot_identifier", "time")],
                "required_by": {"time": ("source_cluster_identifier",)},
            },
            "engine": {"type": "str", "choices": ["aurora-mysql", "aurora-postgresql"]},
            "engine_version": {"type": "str"},
            "allow_major_version_upgrade": {"type": "bool", "default": False},
            "database_name": {"type": "str"},
            "master_username": {"type": "str"},
            "master_user_password_secret_arn": {"type": "str", "no_log": False},
            "port": {"type": "int"},
            "subnet_ids": {"type": "list", "elements": "str"},
            "subnet_group_name": {"type": "str"},
            "parameters": {"type": "dict", "default": {}},
            "vpc_security_group_ids": {"type": "list", "elements": "str"},
            "storage_encrypted": {"type": "bool", "default": True},
            "kms_key_id": {"type": "str", "no_log": False},
            "backup_retention_period": {"type": "int"},
            "preferred_backup_window": {"type": "str"},
            "preferred_maintenance_window": {"type": "str"},
            "backtrack_window": {"type": "int"},
            "copy_tags_to_snapshot": {"type": "bool", "default": True},
            "deletion_protection": {"type": "bool"},
            "enabled_cloudwatch_logs_exports": {"type": "list", "elements": "str"},
            "log_retention_in_days": {"type": "int"},
            "log_kms_key_id": {"type": "str", "no_log": False},
            "account_id": {"type": "str"},
            "engine_lifecycle_support": {"type": "str", "choices": ["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"]},
            "serverless_v2_scaling": {
                "type": "dict",
                "options": {
                    "min_capacity": {"type": "float", "required": True},
                    "max_capacity": {"type": "float", "required": True},
                    "seconds_until_auto_pause": {"type": "int"},
                },
            },
            "instance_class": {"type": "str", "default": "db.serverless"},
            "reader_count": {"type": "int", "default": 0},
            "promotion_tier": {"type": "int", "default": 1},
            "monitoring_interval": {"type": "int", "choices": [0, 1, 5, 10, 15, 30, 60]},
            "monitoring_role": {"type": "dict", "options": ROLE},
            "auto_minor_version_upgrade": {"type": "bool", "default": False},
            "skip_final_snapshot": {"type": "bool", "default": False},
            "final_snapshot_identifier": {"type": "str"},
            "disable_deletion_protection": {"type": "bool", "default": False},
            **WAIT,
            **STATE,
            **TAGS,
        },
        required_if=[("state", "present", required)],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

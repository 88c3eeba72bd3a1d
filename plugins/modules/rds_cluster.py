#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_cluster
version_added: 1.0.0
short_description: Manage an Aurora cluster with its instances, parameters and subnet group
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes an Aurora cluster (C(CreateDBCluster), C(ModifyDBCluster), C(DeleteDBCluster)), its instances, its
    cluster parameter group and its subnet group. Changes apply at once, not in the next maintenance window.
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
  copy_tags_to_snapshot:
    description: Whether snapshots get the cluster's tags.
    type: bool
    default: true
  deletion_protection:
    description: Whether AWS refuses to delete the cluster.
    type: bool
  enabled_cloudwatch_logs_exports:
    description: Logs that are exported to CloudWatch, such as V(error) or V(postgresql).
    type: list
    elements: str
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
  lift_deletion_protection:
    description: With O(state=absent), whether deletion protection is disabled. Without it a protected cluster is an error.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the cluster and its instances are available.
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
- name: Ensure a database that pauses when nobody uses it
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

- name: Remove it, keeping a last snapshot
  mlplatform.mlflow_aws.rds_cluster:
    cluster_identifier: mlflow-team-x
    lift_deletion_protection: true
    state: absent

- name: Ensure a cluster beside it with the data of a snapshot
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
from functools import partial

from ansible.module_utils.common.warnings import warn

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS, WAIT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.aurora import (
    RESTORED_AT_TAG,
    RESTORED_FROM_TAG,
    capacity_warnings,
    failure,
    is_kept,
    is_parameter_group,
    members,
    origin,
    parameter_group_family,
    parameter_group_name,
    restored_name,
    scaling,
    timestamp,
    version_change,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, first_or_none, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff, retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds_password import secret_password, secret_problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN, differences
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run

LONGEST_NAME = 63
"""Characters of a snapshot's name at most."""
PASSWORD_VERSION_TAG = "mlflow-password-version"
RESTORE = (
    "AWS cannot do this in place, and nothing was changed. To keep the data, restore a snapshot of the cluster into a new one "
    "that is as you want it (aws rds restore-db-cluster-from-snapshot); otherwise put the input back"
)
BEING_DELETED = "AWS is deleting it: run the same command again when it is gone"


class RdsResource(Resource):
    """What holds for every kind: tags by ARN."""

    @property
    def rds(self) -> t.Any:
        return self.aws.client("rds")

    def tags_of(self, arn: str) -> dict[str, str]:
        return tag_dict(self.rds.list_tags_for_resource(ResourceName=arn)["TagList"])

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        if to_set:
            self.rds.add_tags_to_resource(ResourceName=before["arn"], Tags=tag_list(to_set))
        if to_unset:
            self.rds.remove_tags_from_resource(ResourceName=before["arn"], TagKeys=to_unset)


class SubnetGroup(RdsResource):
    kind = "rds_subnet_group"
    DESCRIPTION = "Subnets of the database"

    def describe(self) -> State | None:
        group = first_or_none(self.rds.describe_db_subnet_groups, "DBSubnetGroups", "DBSubnetGroupNotFoundFault", DBSubnetGroupName=self.name)
        if group is None:
            return None
        return {
            "arn": group["DBSubnetGroupArn"],
            "subnet_ids": sorted(subnet["SubnetIdentifier"] for subnet in group["Subnets"]),
            "tags": self.tags_of(group["DBSubnetGroupArn"]),
        }

    def desired(self) -> State:
        return {"subnet_ids": sorted(self.spec["subnet_ids"])}

    def create(self, desired: State) -> None:
        self.rds.create_db_subnet_group(
            DBSubnetGroupName=self.name, DBSubnetGroupDescription=self.DESCRIPTION, SubnetIds=desired["subnet_ids"], Tags=tag_list(desired["tags"])
        )

    def update(self, before: State, changes: State) -> None:
        self.rds.modify_db_subnet_group(DBSubnetGroupName=self.name, SubnetIds=changes["subnet_ids"])

    def delete(self, before: State) -> None:
        retry_on(self.rds.delete_db_subnet_group, "InvalidDBSubnetGroupStateFault", DBSubnetGroupName=self.name)


class ClusterParameterGroup(RdsResource):
    kind = "rds_cluster_parameter_group"
    PER_CALL = 20
    """Parameters that one ModifyDBClusterParameterGroup takes."""

    def describe(self) -> State | None:
        if self.absent:  # build() has found it
            return {"arn": self.spec["arn"], "tags": self.tags_of(self.spec["arn"])}
        name = {"DBClusterParameterGroupName": self.name}
        group = first_or_none(self.rds.describe_db_cluster_parameter_groups, "DBClusterParameterGroups", "DBParameterGroupNotFound", **name)
        if group is None:
            return None
        arn = group["DBClusterParameterGroupArn"]
        by_user, tags = run_concurrently(
            lambda: self.aws.pages("rds", "describe_db_cluster_parameters", "Parameters", Source="user", **name), lambda: self.tags_of(arn)
        )
        parameters = {p["ParameterName"]: p["ParameterValue"] for p in by_user if "ParameterValue" in p}
        if missing := set(self.spec["parameters"]) - set(parameters):
            # Set to its default value, a parameter keeps the source of the default (rds.force_ssl of PostgreSQL 15 and later).
            defaults = (p for p in self._every() if p["ParameterName"] in missing and "ParameterValue" in p)
            parameters |= {p["ParameterName"]: p["ParameterValue"] for p in defaults}
        return {"arn": arn, "parameters": parameters, "tags": tags}

    def desired(self) -> State:
        return {"parameters": {name: str(value) for name, value in self.spec["parameters"].items()}}

    def create(self, desired: State) -> None:
        self.rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName=self.name,
            DBParameterGroupFamily=self.spec["family"],
            Description="Parameters of the database",
            Tags=tag_list(desired["tags"]),
        )
        self._set({name: (value, "pending-reboot") for name, value in desired["parameters"].items()})  # nothing runs yet

    def update(self, before: State, changes: State) -> None:
        new, old = changes["parameters"], before["parameters"]
        self._set({name: (value, self._method(name)) for name, value in new.items() if old.get(name) != value})
        self._call(
            self.rds.reset_db_cluster_parameter_group, [{"ParameterName": name, "ApplyMethod": self._method(name)} for name in sorted(old.keys() - new.keys())]
        )

    def _set(self, values: dict[str, tuple[str, str]]) -> None:
        self._call(
            self.rds.modify_db_cluster_parameter_group,
            [{"ParameterName": n, "ParameterValue": v, "ApplyMethod": method} for n, (v, method) in sorted(values.items())],
        )

    def _call(self, call: t.Callable[..., t.Any], parameters: list[dict[str, str]]) -> None:
        for start in range(0, len(parameters), self.PER_CALL):
            retry_on(  # the changes before are pending for a while
                call, "InvalidDBParameterGroupState", timeout=180, DBClusterParameterGroupName=self.name, Parameters=parameters[start : start + self.PER_CALL]
            )

    def _method(self, parameter: str) -> str:
        """How AWS applies a changed parameter: at once, or when an instance reboots."""
        dynamic = any(p["ParameterName"] == parameter and p.get("ApplyType") == "dynamic" for p in self._every())
        return "immediate" if dynamic else "pending-reboot"

    def _every(self) -> list[dict[str, t.Any]]:
        """All parameters, those with their default value included, as they were before this run."""
        return self.aws.once(
            ("parameters", self.name), lambda: self.aws.pages("rds", "describe_db_cluster_parameters", "Parameters", DBClusterParameterGroupName=self.name)
        )

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before is None or "parameters" not in changes:
            return []
        new, old = changes["parameters"], before["parameters"]
        differ = sorted(name for name in {*new, *old} if new.get(name) != old.get(name))
        static = [name for name in differ if self._method(name) == "pending-reboot"]
        return [f"{', '.join(static)}: takes effect when the instances are rebooted, which no run does"] if static else []

    def delete(self, before: State) -> None:
        retry_on(self.rds.delete_db_cluster_parameter_group, "InvalidDBParameterGroupState", DBClusterParameterGroupName=self.name)


class Cluster(RdsResource):
    kind = "rds_cluster"
    timeout = 3600

    ARGUMENTS: t.ClassVar[dict[str, str]] = {
        "engine_version": "EngineVersion",
        "port": "Port",
        "parameter_group_name": "DBClusterParameterGroupName",
        "vpc_security_group_ids": "VpcSecurityGroupIds",
        "backup_retention_period": "BackupRetentionPeriod",
        "preferred_backup_window": "PreferredBackupWindow",
        "preferred_maintenance_window": "PreferredMaintenanceWindow",
        "copy_tags_to_snapshot": "CopyTagsToSnapshot",
        "deletion_protection": "DeletionProtection",
        "engine_lifecycle_support": "EngineLifecycleSupport",
    }
    """What CreateDBCluster and ModifyDBCluster both take."""
    FIXED: t.ClassVar[dict[str, str]] = {
        "engine": "Engine",
        "database_name": "DatabaseName",
        "master_username": "MasterUsername",
        "subnet_group_name": "DBSubnetGroupName",
        "storage_encrypted": "StorageEncrypted",
        "kms_key_id": "KmsKeyId",
    }
    """What only CreateDBCluster takes."""

    def __init__(self, *arguments: t.Any, **keywords: t.Any) -> None:
        super().__init__(*arguments, **keywords)
        self.current: State | None = None
        self.modified: frozenset[str] = frozenset()
        self.final_snapshot: str | None = None

    # Reading

    def describe(self) -> State | None:
        cluster = first_or_none(self.rds.describe_db_clusters, "DBClusters", "DBClusterNotFoundFault", DBClusterIdentifier=self.name)
        self.current = self._read(cluster) if cluster else None
        if self.current and self.current["status"] == "deleting" and not self.absent:
            raise AwsError(BEING_DELETED)
        return self.current

    @staticmethod
    def _read(cluster: dict[str, t.Any]) -> State:
        capacity = cluster.get("ServerlessV2ScalingConfiguration") or {}
        tags = tag_dict(cluster.get("TagList", []))
        tags.pop(RESTORED_AT_TAG, None)
        return {
            "arn": cluster["DBClusterArn"],
            "resource_id": cluster["DbClusterResourceId"],
            "endpoint": cluster.get("Endpoint"),
            "reader_endpoint": cluster.get("ReaderEndpoint"),
            "status": cluster["Status"],
            "pending_modified": frozenset(cluster.get("PendingModifiedValues") or {}),
            "members": {m["DBInstanceIdentifier"]: m["IsClusterWriter"] for m in cluster.get("DBClusterMembers", [])},
            "reboot_pending": sorted(
                m["DBInstanceIdentifier"] for m in cluster.get("DBClusterMembers", []) if m.get("DBClusterParameterGroupStatus") == "pending-reboot"
            ),
            "engine": cluster["Engine"],
            "engine_version": cluster["EngineVersion"],
            "database_name": cluster.get("DatabaseName"),
            "master_username": cluster["MasterUsername"],
            "port": cluster.get("Port"),
            "subnet_group_name": cluster.get("DBSubnetGroup"),
            "parameter_group_name": cluster.get("DBClusterParameterGroup"),
            "vpc_security_group_ids": sorted(g["VpcSecurityGroupId"] for g in cluster.get("VpcSecurityGroups", [])),
            "storage_encrypted": cluster.get("StorageEncrypted", False),
            "kms_key_id": cluster.get("KmsKeyId"),
            "backup_retention_period": cluster.get("BackupRetentionPeriod"),
            "preferred_backup_window": cluster.get("PreferredBackupWindow"),
            "preferred_maintenance_window": cluster.get("PreferredMaintenanceWindow"),
            "copy_tags_to_snapshot": cluster.get("CopyTagsToSnapshot", False),
            "deletion_protection": cluster.get("DeletionProtection", False),
            "enabled_cloudwatch_logs_exports": sorted(cluster.get("EnabledCloudwatchLogsExports") or []),
            "engine_lifecycle_support": cluster.get("EngineLifecycleSupport"),
            "serverless_v2_scaling": (
                scaling(
                    {
                        "min_capacity": capacity["MinCapacity"],
                        "max_capacity": capacity["MaxCapacity"],
                        "seconds_until_auto_pause": capacity.get("SecondsUntilAutoPause"),
                    }
                )
                if capacity
                else None
            ),
            "password_version": tags.pop(PASSWORD_VERSION_TAG, None),
            "restored_from": tags.pop(RESTORED_FROM_TAG, None),
            "tags": tags,
        }

    def prefetch_reads(self) -> list[t.Callable[[], t.Any]]:
        return [] if self.absent else [self._password_stages]

    def desired(self) -> State:
        spec, current = self.spec, self.current
        version: str | None = spec["engine_version"]
        if current and not version_change(current["engine_version"], spec["engine_version"], auto_minor=spec["auto_minor_version_upgrade"]):
            version = None
        return {
            **{field: spec[field] for field in {**self.ARGUMENTS, **self.FIXED}},
            "engine_version": version,
            "engine_lifecycle_support": None if current and not self._can_modify("EngineLifecycleSupport") else spec["engine_lifecycle_support"],
            # AWS may not tell that of a restored cluster.
            "database_name": None if current and current["database_name"] is None else spec["database_name"],
            "kms_key_id": self._key(),
            "vpc_security_group_ids": _sorted(spec["vpc_security_group_ids"]),
            "preferred_backup_window": _lower(spec["preferred_backup_window"]),
            "preferred_maintenance_window": _lower(spec["preferred_maintenance_window"]),
            "enabled_cloudwatch_logs_exports": _sorted(spec["enabled_cloudwatch_logs_exports"]),
            "serverless_v2_scaling": spec["serverless_v2_scaling"] and scaling(spec["serverless_v2_scaling"]),
            "password_version": self._password_version(),
            "restored_from": self._origin(),
        }

    def _can_modify(self, argument: str) -> bool:
        """Whether this boto3 knows an argument that ModifyDBCluster has not always had."""
        return argument in self.rds.meta.service_model.operation_model("ModifyDBCluster").input_shape.members

    def _origin(self) -> str | None:
        source = self.spec["restore_from"]
        if not source:
            return None
        return origin("snapshot", source["snapshot_identifier"]) if source["snapshot_identifier"] else origin("time", source["time"])

    def _key(self) -> str | None:
        """The wanted KMS key, by its ARN where a cluster exists, because that is what AWS returns."""
        key = self.spec["kms_key_id"]
        if key is None or self.current is None or key == self.current["kms_key_id"]:
            return key
        describe = self.aws.client("kms").describe_key
        return self.aws.once(("key", key), lambda: describe(KeyId=key)["KeyMetadata"]["Arn"])

    def _password_stages(self) -> dict[str, list[str]]:
        arn = self.spec["master_user_password_secret_arn"]
        describe = self.aws.client("secretsmanager").describe_secret
        return self.aws.once(("secret", arn), lambda: describe(SecretId=arn).get("VersionIdsToStages", {}))

    def _password_version(self) -> str:
        arn, stages = self.spec["master_user_password_secret_arn"], self._password_stages()
        version = next((v for v, names in stages.items() if "AWSCURRENT" in names), None)
        if version is None:
            raise AwsError(f"the secret {arn} has no value: put the master password in it")
        return version

    def _password(self, version: str) -> str:
        arn = self.spec["master_user_password_secret_arn"]
        answer = self.aws.client("secretsmanager").get_secret_value(SecretId=arn, VersionId=version)
        value = answer.get("SecretString", "")
        problem = secret_problem(value, self.spec["engine"])
        if problem:
            raise AwsError(f"the secret {arn}: {problem}")
        return secret_password(value)

    def refuse_impossible(self) -> None:
        """Raise AwsError for what AWS cannot do to the existing cluster, before anything is changed for it."""
        before = self.current_state()
        self._check_owner(before)
        if before is None:
            return
        wanted = self.desired()
        fixed = [field for field in self.FIXED if wanted[field] is not None and wanted[field] != before[field]]
        if fixed:
            differ = "; ".join(f"{field} is {before[field]}, the input asks for {wanted[field]}" for field in fixed)
            raise AwsError(f"{differ}. {RESTORE}")
        if wanted["restored_from"] not in (None, before["restored_from"]):
            raise AwsError(f"it exists already, and its data is not of {wanted['restored_from']}: remove it first")
        have, want = before["engine_version"], self.spec["engine_version"]
        change = version_change(have, want, auto_minor=self.spec["auto_minor_version_upgrade"])
        if change == "downgrade":
            raise AwsError(f"engine_version is {have}, the input asks for the older {want}. {RESTORE}")
        if change == "major" and not self.spec["allow_major_version_upgrade"]:
            raise AwsError(f"from {have} to {want} is a major upgrade, which needs tests and a longer downtime. Set allow_major_version_upgrade to do it")

    # Changing

    def unknown(self) -> State:
        ids = ("arn", "resource_id", "endpoint", "reader_endpoint", "port")
        return {**dict.fromkeys(ids, UNKNOWN), "status": "creating", "members": {}, "reboot_pending": []}

    def create(self, desired: State) -> State:
        names = {**self.FIXED, **self.ARGUMENTS}
        arguments = {argument: desired[field] for field, argument in names.items() if desired[field] is not None}
        if desired["serverless_v2_scaling"]:
            arguments["ServerlessV2ScalingConfiguration"] = _capacity(desired["serverless_v2_scaling"])
        if desired["enabled_cloudwatch_logs_exports"]:
            arguments["EnableCloudwatchLogsExports"] = desired["enabled_cloudwatch_logs_exports"]
        if self.spec["restore_from"]:
            made = self._restore(arguments, {**desired["tags"], RESTORED_FROM_TAG: desired["restored_from"]})
        else:
            answer = self.rds.create_db_cluster(
                DBClusterIdentifier=self.name,
                MasterUserPassword=self._password(desired["password_version"]),
                Tags=tag_list({**desired["tags"], PASSWORD_VERSION_TAG: desired["password_version"]}),
                **arguments,
            )
            made = self._read(answer["DBCluster"])
        return {field: made[field] for field in (*self.unknown(), "pending_modified")}

    NOT_OF_A_RESTORE: t.ClassVar[tuple[str, ...]] = (
        "MasterUsername",
        "StorageEncrypted",
        "PreferredMaintenanceWindow",
        "EngineVersion",
        "BackupRetentionPeriod",
        "PreferredBackupWindow",
    )
    """What the operations that restore do not take, the last two of them not from every boto3; of the version both have an idea of their own."""

    def _restore(self, arguments: State, tags: dict[str, str]) -> State:
        """Make the cluster of a backup, and once it is available, give it the password and what a restore does not take."""
        source = self.spec["restore_from"]
        arguments = {name: value for name, value in arguments.items() if name not in self.NOT_OF_A_RESTORE}
        arguments |= {"DBClusterIdentifier": self.name, "Tags": tag_list(tags)}
        if name := source["snapshot_identifier"]:
            snapshot = self.rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"][0]
            have, want = snapshot["EngineVersion"], self.spec["engine_version"]
            upgrade = version_change(have, want, auto_minor=self.spec["auto_minor_version_upgrade"])
            self.rds.restore_db_cluster_from_snapshot(SnapshotIdentifier=name, EngineVersion=want if upgrade else have, **arguments)
        else:
            del arguments["Engine"], arguments["DatabaseName"]  # those of the source
            latest = source["time"] == "latest"
            self.rds.restore_db_cluster_to_point_in_time(
                SourceDBClusterIdentifier=source["source_cluster_identifier"],
                **({"UseLatestRestorableTime": True} if latest else {"RestoreToTime": source["time"]}),
                **arguments,
            )
        self.wait_ready()
        before = t.cast(State, self.current)
        self.update(before, differences(before, self.desired()))
        return {**before, **t.cast(State, self.current)}

    def update(self, before: State, changes: State) -> State:
        arguments = {argument: changes[field] for field, argument in self.ARGUMENTS.items() if field in changes}
        version = changes.get("password_version")
        if version:
            arguments["MasterUserPassword"] = self._password(version)
        if "engine_version" in changes:
            arguments["AllowMajorVersionUpgrade"] = self.spec["allow_major_version_upgrade"]
        if "serverless_v2_scaling" in changes:
            arguments["ServerlessV2ScalingConfiguration"] = _capacity(changes["serverless_v2_scaling"])
        if "enabled_cloudwatch_logs_exports" in changes:
            wanted = set(changes["enabled_cloudwatch_logs_exports"])
            have = set(before["enabled_cloudwatch_logs_exports"])
            arguments["CloudwatchLogsExportConfiguration"] = {"EnableLogTypes": sorted(wanted - have), "DisableLogTypes": sorted(have - wanted)}
        if version:  # until it is known which one is in force, the tag names none
            self.retag(before, {PASSWORD_VERSION_TAG: "changing"}, [])
        answer = retry_on(  # it was available when it was read; a backup may have begun since, or AWS have shown the state before
            self.rds.modify_db_cluster,
            "InvalidDBClusterStateFault",
            "InvalidDBInstanceState",
            timeout=900,
            DBClusterIdentifier=self.name,
            ApplyImmediately=True,
            **arguments,
        )
        self.modified = frozenset(arguments)
        now = self._read(answer["DBCluster"])
        state = {"status": now["status"], "pending_modified": now["pending_modified"]}
        if version:  # the tag says that the password is in force, so it comes last
            if self.pending({**before, **state}):
                self.wait_ready()
            self.retag(before, {PASSWORD_VERSION_TAG: version}, [])
            return {}
        return state

    def delete(self, before: State) -> None:
        if before["status"] != "deleting":  # as after a run that died
            if before["deletion_protection"]:
                lift = {"DeletionProtection": False, "ApplyImmediately": True}
                retry_on(self.rds.modify_db_cluster, "InvalidDBClusterStateFault", DBClusterIdentifier=self.name, **lift)
            snapshot = self.final_snapshot
            last = {"FinalDBSnapshotIdentifier": snapshot} if snapshot else {"SkipFinalSnapshot": True}
            # InvalidParameterCombination: RDS has not noticed everywhere yet that the protection was lifted.
            refusals = ("InvalidDBClusterStateFault", "InvalidParameterCombination")
            retry_on(self.rds.delete_db_cluster, *refusals, DBClusterIdentifier=self.name, **last)
        self.wait_gone()

    def pending(self, state: State) -> bool:
        status = state["status"]
        if self.absent and status == "deleting" or (self.newly_created() and not self.spec["restore_from"]):
            return False  # AWS makes a new cluster and its instances at the same time: waiting for those is enough
        problem = failure(status, self.name)
        if problem and not (self.absent and status not in ("stopped", "stopping")):
            raise AwsError(problem)
        # After a modification AWS still says available for a while, but lists what it has not applied yet.
        return not problem and (status != "available" or bool(state["pending_modified"] & self.modified))

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before is None:
            return []
        if not changes:
            if before["status"] == "deleting":
                return []
            if self.spec["skip_final_snapshot"]:
                return ["the database and its backups are deleted for good, without a last snapshot"]
            return ["the database and its automatic backups are deleted after a last snapshot"]
        warnings = []
        if changes.get("backup_retention_period", 99) < (before["backup_retention_period"] or 0):
            warnings.append("older backups are deleted")
        if changes.get("deletion_protection") is False:
            warnings.append("the database can be deleted by mistake")
        restarting = sorted({"engine_version", "port", "parameter_group_name"} & changes.keys())
        if restarting:
            warnings.append(f"{', '.join(restarting)}: restarts the database")
        return warnings + capacity_warnings(before["serverless_v2_scaling"], changes.get("serverless_v2_scaling"))

    # The instances

    def children(self) -> list[Resource]:
        existing = t.cast(State, self.state)["members"]
        if self.absent:
            self._check_removable()
            return [Instance(self.aws, name, tags=self.tags, parent=self, absent=True) for name in sorted(existing)]
        prefix, count = self.spec["name_prefix"] or self.name, 1 + self.spec["reader_count"]
        wanted, unwanted = members(prefix, existing, count)
        if set(wanted) - set(existing):  # a predecessor of this cluster has kept its instances and their names
            every = self.aws.pages("rds", "describe_db_instances", "DBInstances")
            taken = {i["DBInstanceIdentifier"] for i in every if i.get("DBClusterIdentifier") != self.name}
            wanted, unwanted = members(prefix, existing, count, taken)
        instances = [Instance(self.aws, name, self.spec, tags=self.tags, parent=self, absent=name in unwanted) for name in (*wanted, *unwanted)]
        for reader in instances[1 : len(wanted)]:
            reader.needs = (instances[0],)  # the instance that is made first becomes the writer
        return instances

    def _check_removable(self) -> None:
        """Before the first instance is removed, make sure that the cluster can be."""
        state = t.cast(State, self.state)
        if state["deletion_protection"] and not self.spec["lift_deletion_protection"]:
            raise AwsError("it is protected from deletion: set lift_deletion_protection to delete it all the same")
        if not self.spec["skip_final_snapshot"] and state["status"] != "deleting":
            name = f"{self.name}-final-{timestamp()}"
            if len(name) > LONGEST_NAME:
                name = f"{self.name}-final"
            elif self.aws.check_mode:
                name = f"{self.name}-final-{UNKNOWN}"
            self.final_snapshot = self.spec["final_snapshot_identifier"] or name

    # The results

    def result(self) -> State:
        """The returned value ``cluster``."""
        if self.state is None:
            return {}
        if self.newly_created() and not self.aws.check_mode and self.aws.module.params["wait"]:
            self.state.update(self.describe() or {})  # it was creating when this run read it last
        shown = ("arn", "resource_id", "endpoint", "reader_endpoint", "port", "database_name", "master_username", "status")
        result = {"id": self.name, **{field: self.state.get(field) for field in (*shown, "password_version")}}
        return {**result, "database_name": result["database_name"] or self.spec["database_name"]}


class Instance(RdsResource):
    """An instance of a cluster, which is its parent."""

    kind = "rds_instance"

    def describe(self) -> State | None:
        instance = first_or_none(self.rds.describe_db_instances, "DBInstances", "DBInstanceNotFound", DBInstanceIdentifier=self.name)
        if instance is None:
            return None
        if instance["DBInstanceStatus"] == "deleting":
            if self.absent:
                return None  # which it will be before its cluster is
            raise AwsError(BEING_DELETED)
        return {
            "arn": instance["DBInstanceArn"],
            "status": instance["DBInstanceStatus"],
            "instance_class": instance["DBInstanceClass"],
            "promotion_tier": instance.get("PromotionTier"),
            "auto_minor_version_upgrade": instance.get("AutoMinorVersionUpgrade"),
            "publicly_accessible": instance.get("PubliclyAccessible", False),
            "tags": tag_dict(instance.get("TagList", [])),
        }

    def desired(self) -> State:
        return {
            "instance_class": self.spec["instance_class"],
            "promotion_tier": self.spec["promotion_tier"],
            "auto_minor_version_upgrade": self.spec["auto_minor_version_upgrade"],
            "publicly_accessible": False,
        }

    def unknown(self) -> State:
        return {"arn": UNKNOWN, "status": "creating"}

    def create(self, desired: State) -> State:
        # AWS may take an instance only once its new cluster is available.
        answer = retry_on(
            self.rds.create_db_instance,
            "InvalidDBClusterStateFault",
            timeout=900,
            DBInstanceIdentifier=self.name,
            DBClusterIdentifier=self.parent.name,
            Engine=self.spec["engine"],
            Tags=tag_list(desired["tags"]),
            **self._arguments(desired),
        )
        return {"arn": answer["DBInstance"]["DBInstanceArn"], "status": answer["DBInstance"]["DBInstanceStatus"]}

    def update(self, before: State, changes: State) -> State:
        answer = retry_on(
            self.rds.modify_db_instance,
            "InvalidDBInstanceState",
            "InvalidDBClusterStateFault",
            timeout=900,
            DBInstanceIdentifier=self.name,
            ApplyImmediately=True,
            **self._arguments(changes),
        )
        return {"status": answer["DBInstance"]["DBInstanceStatus"]}

    @staticmethod
    def _arguments(wanted: State) -> State:
        names = {
            "instance_class": "DBInstanceClass",
            "promotion_tier": "PromotionTier",
            "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
            "publicly_accessible": "PubliclyAccessible",
        }
        return {argument: wanted[field] for field, argument in names.items() if field in wanted}

    def delete(self, before: State) -> None:
        # Its data is the cluster's: an instance of Aurora has no snapshot of its own. It waits for a failover that the
        # removal of another instance has brought about.
        retry_on(
            self.rds.delete_db_instance,
            "InvalidDBInstanceState",
            "InvalidDBClusterStateFault",
            timeout=900,
            DBInstanceIdentifier=self.name,
            SkipFinalSnapshot=True,
        )

    def wait_ready(self) -> None:
        """Until it is available, and as a new one has all parameters of its cluster, whose group may have been too new for it."""
        super().wait_ready()
        if self.newly_created() and self._lacks_parameters():  # nobody uses it yet
            retry_on(self.rds.reboot_db_instance, "InvalidDBInstanceState", timeout=900, DBInstanceIdentifier=self.name)
            wait = Wait(f"the parameters of {self.kind} {self.name}")
            for pause in backoff():
                super().wait_ready()
                if not self._lacks_parameters() or wait.seconds > self.timeout:
                    return
                wait.pause(pause, "rebooting")

    def _lacks_parameters(self) -> bool:
        answer = self.rds.describe_db_clusters(DBClusterIdentifier=self.parent.name)
        return self.name in Cluster._read(answer["DBClusters"][0])["reboot_pending"]

    def pending(self, state: State) -> bool:
        problem = failure(state["status"], self.parent.name)
        if problem and not self.absent:
            raise AwsError(problem)
        return not problem and state["status"] != "available"

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before and "instance_class" in changes:
            return ["instance_class: restarts the instance"]
        if self.absent and not self.parent.absent and not self.spec["reader_count"]:
            return ["without a reader, a failover takes up to about 10 minutes"]
        return []


def _capacity(capacity: t.Mapping[str, float]) -> dict[str, t.Any]:
    names = {"min_capacity": "MinCapacity", "max_capacity": "MaxCapacity", "seconds_until_auto_pause": "SecondsUntilAutoPause"}
    return {names[field]: value for field, value in capacity.items()}


def _sorted(values: list[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)


def _lower(value: str | None) -> str | None:
    return value and value.lower()


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    name, tags = params["cluster_identifier"], params["tags"]
    prefix = params["name_prefix"] or name
    absent = params["state"] == "absent"
    common = {"tags": tags, "absent": absent}
    subnet_group = SubnetGroup(aws, params["subnet_group_name"] or prefix, params, **common)
    spec = {**params, "subnet_group_name": subnet_group.name}
    cluster = Cluster(aws, name, spec, **common)
    clusters = [cluster]
    if absent:
        # Earlier major versions of the engine had groups of their own.
        listed, relatives, *_ahead = run_concurrently(
            partial(aws.pages, "rds", "describe_db_cluster_parameter_groups", "DBClusterParameterGroups"),
            partial(_relatives, aws, name, spec),
            subnet_group.prefetch,
            cluster.prefetch,
        )
        every = {group["DBClusterParameterGroupName"]: group["DBClusterParameterGroupArn"] for group in listed}
        ours = [group for group in sorted(every) if is_parameter_group(group, name)]
        groups = [ClusterParameterGroup(aws, group, {**params, "arn": every[group]}, **common) for group in ours]
        clusters += [Cluster(aws, n, s, **common) for n, s in relatives]
    else:
        family = parameter_group_family(params["engine"], params["engine_version"])
        group_name = parameter_group_name(prefix, family)
        groups = [ClusterParameterGroup(aws, group_name, {**params, "family": family}, **common)]
        spec["parameter_group_name"] = group_name
        run_concurrently(*(resource.prefetch for resource in (cluster, subnet_group, *groups)))
        try:
            cluster.refuse_impossible()
        except AwsError as error:
            raise AwsError(f"{cluster.kind} {name}: {error}") from error
    for each in clusters:
        each.needs = (subnet_group, *groups)

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
            "final_snapshots": [each.final_snapshot for each in clusters if each.final_snapshot],
        }

    return [subnet_group, *groups, *clusters], results


def _relatives(aws: Aws, name: str, spec: State) -> list[tuple[str, State]]:
    """The names of the clusters that restores have left beside this one, and what their removal has to know."""
    relatives = []
    for cluster in aws.pages("rds", "describe_db_clusters", "DBClusters"):
        other = cluster["DBClusterIdentifier"]
        if is_kept(other, name):
            relatives.append((other, {**spec, "final_snapshot_identifier": None}))
        elif other == restored_name(name):  # nothing was ever written to it
            relatives.append((other, {**spec, "skip_final_snapshot": True}))
    return relatives


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
            "copy_tags_to_snapshot": {"type": "bool", "default": True},
            "deletion_protection": {"type": "bool"},
            "enabled_cloudwatch_logs_exports": {"type": "list", "elements": "str"},
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
            "auto_minor_version_upgrade": {"type": "bool", "default": False},
            "skip_final_snapshot": {"type": "bool", "default": False},
            "final_snapshot_identifier": {"type": "str"},
            "lift_deletion_protection": {"type": "bool", "default": False},
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

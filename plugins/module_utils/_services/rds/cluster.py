# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: an Aurora cluster, with its instances as children."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN, differences
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.base import BEING_DELETED, RdsResource, describe_cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.capacity import capacity_warnings, scaling
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.instance import Instance, reboot_pending
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import (
    PASSWORD_VERSION_TAG,
    RESTORED_AT_TAG,
    RESTORED_FROM_TAG,
    final_snapshot_name,
    members,
    origin,
    timestamp,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.password import secret_password, secret_problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.status import failure
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.versions import version_change


RESTORE = (
    "AWS cannot do this in place, and nothing was changed. To keep the data, restore a snapshot of the cluster into a new one "
    "that is as you want it (aws rds restore-db-cluster-from-snapshot); otherwise put the input back"
)


class Cluster(RdsResource):
    """An Aurora cluster. ``spec`` holds the options of ``rds_cluster``, with ``subnet_group_name`` and ``parameter_group_name``, and the
    ``monitoring_role`` as a resource.

    ``modified`` holds the arguments of the last ModifyDBCluster, ``final_snapshot`` the name of the snapshot that its removal takes.
    """

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
        "backtrack_window": "BacktrackWindow",
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
        cluster = describe_cluster(self.aws, self.name)
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
            "reboot_pending": reboot_pending(cluster),
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
            "backtrack_window": cluster.get("BacktrackWindow", 0),
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
            "backtrack_window": spec["backtrack_window"] if current else spec["backtrack_window"] or None,
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

    def check_possible(self) -> None:
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
        if wanted["backtrack_window"] and not before["backtrack_window"]:
            raise AwsError(f"backtrack_window is 0, the input asks for {wanted['backtrack_window']}. {RESTORE}")
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
            created = self._restore(arguments, {**desired["tags"], RESTORED_FROM_TAG: desired["restored_from"]})
        else:
            answer = self.rds.create_db_cluster(
                DBClusterIdentifier=self.name,
                MasterUserPassword=self._password(desired["password_version"]),
                Tags=tag_list({**desired["tags"], PASSWORD_VERSION_TAG: desired["password_version"]}),
                **arguments,
            )
            created = self._read(answer["DBCluster"])
        return {field: created[field] for field in (*self.unknown(), "pending_modified")}

    NOT_RESTORED: t.ClassVar[tuple[str, ...]] = (
        "MasterUsername",
        "StorageEncrypted",
        "PreferredMaintenanceWindow",
        "EngineVersion",
        "BackupRetentionPeriod",
        "PreferredBackupWindow",
    )
    """What the operations that restore do not take, the last two not with every boto3. The version is that of the backup."""

    def _restore(self, arguments: State, tags: dict[str, str]) -> State:
        """Create the cluster from a backup, and once it is available, give it the password and what a restore does not take."""
        source = self.spec["restore_from"]
        arguments = {name: value for name, value in arguments.items() if name not in self.NOT_RESTORED}
        if name := source["snapshot_identifier"]:
            backup = self.rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"][0]
        else:
            backup = (self.ignored_tags and describe_cluster(self.aws, source["source_cluster_identifier"])) or {}
        others = self._others_tags({"tags": tag_dict(backup.get("TagList", []))})
        arguments |= {"DBClusterIdentifier": self.name, "Tags": tag_list({**others, **tags})}
        if name:
            have, want = backup["EngineVersion"], self.spec["engine_version"]
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
                unprotected: dict[str, t.Any] = {"DeletionProtection": False, "ApplyImmediately": True}
                retry_on(self.rds.modify_db_cluster, "InvalidDBClusterStateFault", DBClusterIdentifier=self.name, **unprotected)
            snapshot = self.final_snapshot
            last = {"FinalDBSnapshotIdentifier": snapshot} if snapshot else {"SkipFinalSnapshot": True}
            # InvalidParameterCombination: RDS has not noticed everywhere yet that the protection is disabled.
            refusals = ("InvalidDBClusterStateFault", "InvalidParameterCombination")
            retry_on(self.rds.delete_db_cluster, *refusals, DBClusterIdentifier=self.name, **last)
        self.wait_gone()

    def pending(self, state: State) -> bool:
        status = state["status"]
        if self.absent and status == "deleting" or (self.newly_created() and not self.spec["restore_from"]):
            return False  # AWS creates a cluster and its instances at the same time: waiting for those is enough
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
        if "backtrack_window" in changes and changes["backtrack_window"] < before["backtrack_window"]:
            warnings.append("the database can be rewound less far")
        restarting = sorted({"engine_version", "port", "parameter_group_name"} & changes.keys())
        if restarting:
            warnings.append(f"{', '.join(restarting)}: restarts the database")
        return warnings + capacity_warnings(before["serverless_v2_scaling"], changes.get("serverless_v2_scaling"))

    # The instances

    def children(self) -> list[Instance]:
        existing = self.actual["members"]
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
        role = self.spec["monitoring_role"]
        for number, instance in enumerate(instances):
            first = instances[:1] if 0 < number < len(wanted) else []  # the instance that is created first becomes the writer
            instance.needs = (*first, *([role, *role.child_resources] if role else []))
        return instances

    def _check_removable(self) -> None:
        """Before the first instance is removed, make sure that the cluster can be."""
        state = self.actual
        if state["deletion_protection"] and not self.spec["disable_deletion_protection"]:
            raise AwsError("it is protected from deletion: set disable_deletion_protection to delete it all the same")
        if not self.spec["skip_final_snapshot"] and state["status"] != "deleting":
            when = UNKNOWN if self.aws.check_mode else timestamp()
            self.final_snapshot = self.spec["final_snapshot_identifier"] or final_snapshot_name(self.name, when)

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


def _capacity(capacity: t.Mapping[str, float]) -> dict[str, t.Any]:
    names = {"min_capacity": "MinCapacity", "max_capacity": "MaxCapacity", "seconds_until_auto_pause": "SecondsUntilAutoPause"}
    return {names[field]: value for field, value in capacity.items()}


def _sorted(values: list[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)


def _lower(value: str | None) -> str | None:
    return value and value.lower()

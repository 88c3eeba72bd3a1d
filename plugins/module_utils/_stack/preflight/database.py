# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the database: what AWS could only change by making a new one is refused, before anything else was changed."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.base import describe_cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import RESTORED_AT_TAG, RESTORED_FROM_TAG, is_kept, restored_name
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.versions import parameter_group_family, version_change
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.windows import windows_meet
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.restore import Marks


class Database(Checks):
    INSTEAD = "AWS cannot change it in place. Keep it, or "
    RESTORE = "take a backup (the playbook backup) and restore it with this input (the playbook restore)"
    MOVE = "take a backup and restore it into a stack of another mlflow_unique_name (docs/restore.md)"

    def checks(self) -> list[Check]:
        return [(self.engine, (), ("mlflow_database_engine", "mlflow_rds_cluster_engine_version"))]

    def engine(self) -> Problems:
        engine, version = self.inputs["mlflow_database_engine"], self.inputs["mlflow_rds_cluster_engine_version"]
        name = self.inputs.get("mlflow_unique_name")
        have = (self.cluster(name) or {}).get("EngineVersion") if name else None
        if have and (have == version or self.auto_minor and not version_change(have, version, auto_minor=True)):
            return  # it runs already, or AWS went ahead: that AWS offers it to nobody else any more is no reason to stop
        offered = {v["EngineVersion"]: v for v in self.aws.pages("rds", "describe_db_engine_versions", "DBEngineVersions", Engine=engine)}
        fitting = [v for v in offered if v == version or v.startswith(f"{version}.")]
        if not fitting:
            yield self.problem("mlflow_rds_cluster_engine_version", f"AWS does not offer it for {engine}: use one of {', '.join(list(offered)[-8:])}")
            return
        limits = offered[fitting[-1]].get("ServerlessV2FeaturesSupport") or {}
        if self.inputs.get("mlflow_database_auto_pause") and limits.get("MinCapacity", 0) > 0:
            yield self.problem("mlflow_database_auto_pause", f"{engine} {version} cannot pause: choose false, or a newer version")
        if limits and self.inputs.get("mlflow_database_max_capacity", 0) > limits.get("MaxCapacity", 256):
            yield self.problem("mlflow_database_max_capacity", f"{engine} {version} takes at most {limits['MaxCapacity']:g} ACU")

    def database(self) -> Problems:
        name = self.inputs["mlflow_unique_name"]
        cluster = self.cluster(name)
        if cluster is None:
            left = sorted(each for each in self.clusters() if each != name)
            if left:
                remedy = f"a restore is under way: there is {', '.join(left)} and no {name}. Finish it, with the command that began it"
                yield self.problem("mlflow_unique_name", remedy)
            return
        if cluster["Status"] == "renaming":
            yield self.problem("mlflow_unique_name", f"the database {name} is being renamed: finish the restore, with the command that began it")
        elif self.marks(cluster).under_way and self.of_this_stack(cluster):
            origin = self.marks(cluster).restored_from
            yield self.problem("mlflow_unique_name", f"a restore of {origin} is under way: finish it, with the command that began it")
        if cluster["Engine"] != self.inputs.get("mlflow_database_engine"):
            remedy = f"the database {name} is {cluster['Engine']}. {self.INSTEAD}start a stack of another mlflow_unique_name"
            yield self.problem("mlflow_database_engine", remedy)
        else:
            yield from self.engine_version(f"the database {name}", cluster["EngineVersion"])
        key = self.inputs.get("mlflow_database_kms_key_arn")
        if not cluster.get("StorageEncrypted"):
            remedy = f"the database {name} is not encrypted, which it has to be. Take a backup and restore it with a key"
            yield self.problem("mlflow_database_kms_key_arn", remedy)
        elif key and self.key_arn(key) != cluster.get("KmsKeyId"):
            remedy = f"the database {name} is encrypted with {cluster.get('KmsKeyId')}. {self.INSTEAD}{self.RESTORE}"
            yield self.problem("mlflow_database_kms_key_arn", remedy)
        yield from self.fixed(f"the database {name}", "mlflow_database_master_username", cluster.get("MasterUsername"))
        yield from self.fixed(f"the database {name}", "mlflow_database_name", cluster.get("DatabaseName"))
        window, backups = self.inputs.get("mlflow_database_maintenance_window"), cluster.get("PreferredBackupWindow")
        if window and backups and windows_meet(backups, window):
            yield self.problem(
                "mlflow_database_maintenance_window", f"backups of the database {name} are taken at {backups}: give a time that does not meet it"
            )
        if self.inputs.get("mlflow_database_backtrack_window") and not cluster.get("BacktrackWindow"):
            remedy = f"AWS lets no database be rewound that was made without it, as {name} was. Leave this input out, or {self.RESTORE}"
            yield self.problem("mlflow_database_backtrack_window", remedy)
        yield from self.network(cluster)

    def network(self, cluster: dict[str, t.Any] | None) -> Problems:
        name, group = self.inputs["mlflow_unique_name"], (cluster or {}).get("DBSubnetGroup")
        describe = self.aws.client("rds").describe_db_subnet_groups
        described = group and first_or_none(describe, "DBSubnetGroups", "DBSubnetGroupNotFoundFault", DBSubnetGroupName=group)
        if not described:
            return
        vpc = described["VpcId"]
        if vpc != self.inputs.get("mlflow_vpc_id"):
            yield self.problem("mlflow_vpc_id", f"the database {name} is in {vpc}. {self.INSTEAD}{self.MOVE}")
        elif group != name:
            remedy = f"the database {name} is in the subnet group {group}, not {name}. {self.INSTEAD}{self.MOVE}"
            yield self.problem("mlflow_database_subnet_ids", remedy)

    def engine_version(self, what: str, have: str) -> Problems:
        """What is wrong with the wanted version for a database or a snapshot of the version ``have``."""
        variable, want = "mlflow_rds_cluster_engine_version", self.inputs.get("mlflow_rds_cluster_engine_version", "")
        change = want and version_change(have, want, auto_minor=self.auto_minor)
        if change == "downgrade":
            yield self.problem(variable, f"{what} runs {have}, and AWS takes none back to an older version: give {have} or a newer one")
        elif change == "major":
            family = parameter_group_family(self.inputs["mlflow_database_engine"], want)
            yield self.problem(
                variable,
                f"{what} runs {have}, and no run makes a major upgrade. Give {have}; when the upgrade is tested, take a backup, make it "
                f"with aws rds modify-db-cluster --db-cluster-identifier {self.inputs['mlflow_unique_name']} --engine-version {want} "
                f"--allow-major-version-upgrade --db-cluster-parameter-group-name default.{family} --apply-immediately, then give {want}",
            )

    @property
    def auto_minor(self) -> bool:
        return bool(self.inputs.get("mlflow_database_auto_minor_version_upgrade"))

    def fixed(self, what: str, variable: str, have: str | None) -> Problems:
        want = self.inputs.get(variable)
        if want and have and have != want:
            yield self.problem(variable, f"{what} has {have}, which AWS cannot change: give {have}")

    def key_arn(self, key: str) -> str:
        """The ARN of the key itself, also for the ARN of an alias."""
        return self.aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Arn"]

    def cluster(self, name: str) -> dict[str, t.Any] | None:
        return describe_cluster(self.aws, name)

    def clusters(self) -> dict[str, dict[str, t.Any]]:
        """The stack's own clusters by name: the database, the one that is being restored, and those that restores have kept."""
        name = self.inputs["mlflow_unique_name"]
        every = self.aws.pages("rds", "describe_db_clusters", "DBClusters")
        named = {c["DBClusterIdentifier"]: c for c in every if self.of_this_stack(c)}
        return {n: c for n, c in named.items() if n in (name, restored_name(name)) or is_kept(n, name)}

    def of_this_stack(self, described: dict[str, t.Any]) -> bool:
        return tag_dict(described.get("TagList", [])).get("mlflow-stack") == self.inputs["mlflow_unique_name"]

    @staticmethod
    def marks(cluster: dict[str, t.Any]) -> Marks:
        tags = tag_dict(cluster.get("TagList", []))
        return Marks(tags.get(RESTORED_FROM_TAG), tags.get(RESTORED_AT_TAG))

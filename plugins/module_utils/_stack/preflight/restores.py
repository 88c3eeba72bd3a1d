# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what a backup or a restore has to know, and what is in its way."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.database import SCHEMA_TAG, VERSION_TAG
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.buckets import Buckets
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.database import Database
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.restore import Mlflow, Restore, decide, is_compatible, requested


class Restores(Database, Buckets):
    def renamed_clusters(self) -> dict[str, dict[str, t.Any]]:
        """The same, once AWS has finished a renaming that a run which died has begun. Until then it shows the name of before."""
        wait = Wait("the renaming of a cluster")
        for pause in backoff():
            clusters = self.clusters()
            renaming = [name for name, cluster in clusters.items() if cluster["Status"] == "renaming"]
            if not renaming or self.aws.check_mode:
                return clusters
            self.aws.invalidate()
            wait.pause(pause, f"{renaming[0]} is renaming")
        raise AssertionError("unreachable: intervals() never ends")

    def deployed(self) -> Mlflow:
        """Of which MLflow the database is: the tags of the URI's secret say it, or the image that runs."""
        name = self.inputs["mlflow_unique_name"]
        describe = self.aws.client("secretsmanager").describe_secret
        answer = none_if_missing(describe, "ResourceNotFoundException", SecretId=f"{name}-backend-store-uri") or {}
        tags = tag_dict(answer.get("Tags", []))
        version = tags.get(VERSION_TAG) or self.container(name).get("image", "").rpartition("/")[2].partition(":")[2]
        return Mlflow(version, tags.get(SCHEMA_TAG) or "unknown")

    def backup_source(self) -> Problems:
        name = self.inputs["mlflow_unique_name"]
        cluster = self.cluster(name)
        if cluster is None or not self.of_this_stack(cluster):
            yield self.problem("mlflow_unique_name", f"there is no database {name} in {self.aws.region}: nothing to take a backup of")

    def restore(self) -> tuple[Restore, list[Problem]]:
        """What the restore has to do, and what is in its way."""
        (variable,) = requested(self.inputs)
        value, clusters = self.inputs[variable], self.renamed_clusters()
        marks = {name: self.marks(cluster) for name, cluster in clusters.items()}
        name = self.inputs["mlflow_unique_name"]
        again = bool(self.inputs.get("mlflow_restore_again"))
        decision = decide(name, variable, value, marks, again=again)
        if isinstance(decision, Problem):
            return Restore(), [decision]
        problems = list(self.network(clusters.get(name)))
        if decision.source and decision.cluster not in clusters:
            source = self.snapshot if variable == "mlflow_restore_snapshot" else self.time
            problems += source(value, clusters)
        current = clusters.get(name, {})
        fixed = {"master_username": "MasterUsername", "database_name": "DatabaseName", "storage_encrypted": "StorageEncrypted"}
        return decision._replace(
            endpoint=current.get("Endpoint", ""),
            engine_version=current.get("EngineVersion", ""),
            fixed={option: current[member] for option, member in fixed.items() if current.get(member) is not None},
        ), problems

    def snapshot(self, value: str, _clusters: dict[str, dict[str, t.Any]]) -> Problems:
        variable, name = "mlflow_restore_snapshot", self.inputs["mlflow_unique_name"]
        describe = self.aws.client("rds").describe_db_cluster_snapshots
        snapshot = first_or_none(describe, "DBClusterSnapshots", "DBClusterSnapshotNotFoundFault", DBClusterSnapshotIdentifier=value)
        if snapshot is None:
            every = self.aws.pages("rds", "describe_db_cluster_snapshots", "DBClusterSnapshots", DBClusterIdentifier=name)
            newest = sorted(every, key=lambda s: str(s.get("SnapshotCreateTime", "")), reverse=True)[:5]
            names = ", ".join(s["DBClusterSnapshotIdentifier"] for s in newest)
            yield self.problem(variable, f"there is no such snapshot; the newest of {name}: {names or 'none'}")
            return
        what = f"the snapshot {value}"
        tags = tag_dict(snapshot.get("TagList", []))
        if (tags.get("mlflow-stack") or snapshot["DBClusterIdentifier"]) != name:
            owner = tags.get("mlflow-stack") or snapshot["DBClusterIdentifier"]
            yield self.problem(variable, f"it is of {owner}: give one of {name}, or, if you mean it, give it the tag mlflow-stack={name}")
            return
        if snapshot["Status"] != "available":
            yield self.problem(variable, f"its status is {snapshot['Status']}: give one that is available")
        if snapshot["Engine"] != self.inputs.get("mlflow_database_engine"):
            yield self.problem("mlflow_database_engine", f"{what} is of {snapshot['Engine']}: give that")
        else:
            yield from self.engine_version(what, snapshot["EngineVersion"])
        yield from self.fixed(what, "mlflow_database_master_username", snapshot.get("MasterUsername"))
        recorded, tag = Mlflow(tags.get(VERSION_TAG, ""), tags.get(SCHEMA_TAG, "")), self.inputs.get("mlflow_service_image_tag", "")
        if recorded.version and not is_compatible(recorded, self.deployed(), tag):
            yield self.problem(
                "mlflow_service_image_tag",
                f"{what} is of MLflow {recorded.version} with the schema {recorded.schema or 'unknown'}: give {recorded.version} for the "
                "restore, and upgrade afterwards",
            )

    def time(self, value: str, clusters: dict[str, dict[str, t.Any]]) -> Problems:
        cluster = clusters[self.inputs["mlflow_unique_name"]]
        earliest, latest = cluster.get("EarliestRestorableTime"), cluster.get("LatestRestorableTime")
        if value == "latest" or not earliest or not latest:
            return
        if not earliest <= datetime.fromisoformat(value).astimezone(timezone.utc) <= latest:
            window = " to ".join(f"{time.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}" for time in (earliest, latest))
            yield self.problem("mlflow_restore_time", f"the backups of {cluster['DBClusterIdentifier']} cover {window}: give a time in it, or a snapshot")

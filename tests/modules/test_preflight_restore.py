# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight finds out for backup and restore, by what the account holds."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
from modules.run_module import ModuleFailed, run_module

VERSION = "8.0.mysql_aurora.3.10.3"
INPUTS = {
    "mlflow_unique_name": "x",
    "mlflow_database_engine": "aurora-mysql",
    "mlflow_rds_cluster_engine_version": VERSION,
    "mlflow_service_image_tag": "v2",
    "mlflow_database_master_username": "a",
}


def make(aws, name, *, stack="x", **more):
    rds, tags = aws.client("rds"), {"mlflow-stack": stack, **more.pop("tags", {})}
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    arguments = {"Engine": "aurora-mysql", "EngineVersion": VERSION, "MasterUsername": "a", **more}
    rds.create_db_cluster(DBClusterIdentifier=name, MasterUserPassword="b" * 12, Tags=pairs, CopyTagsToSnapshot=True, **arguments)


def take(aws, name, cluster="x", **tags):
    pairs = [{"Key": key.replace("_", "-"), "Value": value} for key, value in tags.items()]
    arguments = {"Tags": pairs} if tags else {}
    aws.client("rds").create_db_cluster_snapshot(DBClusterIdentifier=cluster, DBClusterSnapshotIdentifier=name, **arguments)


def restore(aws, **inputs):
    since = aws.mark()
    result = run_module("preflight", {"scope": "restore", "inputs": {**INPUTS, **inputs}}, aws)
    assert aws.mutating(since) == []
    return result["restore"]


def refused(aws, told, **inputs):
    with pytest.raises(ModuleFailed, match=told) as failed:
        restore(aws, **inputs)
    assert len(failed.value.result["problems"]) == 1


def test_a_snapshot_that_fits(aws):
    make(aws, "x")
    take(aws, "s")
    endpoint = aws.client("rds").describe_db_clusters()["DBClusters"][0]["Endpoint"]
    assert restore(aws, mlflow_restore_snapshot="s") == {
        "origin": "snapshot:s",
        "cluster": "x-restored",
        "source": {"snapshot_identifier": "s"},
        "switch": True,
        "done": False,
        "discard": "",
        "endpoint": endpoint,
        "engine_version": VERSION,
        "fixed": {"master_username": "a", "storage_encrypted": False},
    }
    aws.client("rds").delete_db_cluster(DBClusterIdentifier="x", SkipFinalSnapshot=True)
    assert restore(aws, mlflow_restore_snapshot="s")["cluster"] == "x"


def test_snapshots_that_do_not_fit(aws):
    make(aws, "x")
    make(aws, "y", stack="y")
    make(aws, "p", Engine="aurora-postgresql", EngineVersion="17.7")
    make(aws, "newer", EngineVersion="8.0.mysql_aurora.3.12.0")
    make(aws, "other-user", MasterUsername="c")
    take(aws, "of-y", "y")
    for name in ("p", "newer", "other-user"):
        take(aws, f"of-{name}", name)
    take(aws, "of-v1", mlflow_stack="x", mlflow_version="v1", mlflow_database_schema="abc")
    refused(aws, "there is no such snapshot; the newest of x: of-v1", mlflow_restore_snapshot="none")
    refused(aws, "it is of y: give one of x, or, if you mean it, give it the tag mlflow-stack=x", mlflow_restore_snapshot="of-y")
    refused(aws, "mlflow_database_engine: 'aurora-mysql': the snapshot of-p is of aurora-postgresql", mlflow_restore_snapshot="of-p")
    refused(aws, "give 8.0.mysql_aurora.3.12.0 or a newer one", mlflow_restore_snapshot="of-newer")
    refused(aws, "mlflow_database_master_username: 'a': the snapshot of-other-user has c", mlflow_restore_snapshot="of-other-user")
    refused(aws, "is of MLflow v1 with the schema abc: give v1 for the restore", mlflow_restore_snapshot="of-v1")
    restore(aws, mlflow_restore_snapshot="of-v1", mlflow_service_image_tag="v1")
    aws.creation_seconds(rds=60)
    refused(aws, "its status is creating", mlflow_restore_snapshot=_creating(aws))


def _creating(aws):
    aws.creation_seconds(rds=0)
    aws.client("rds").describe_db_clusters()
    take(aws, "new")
    aws.creation_seconds(rds=60)
    return "new"


def test_a_renaming_of_a_run_that_died_is_waited_for(aws):
    """Until it is over, AWS shows the name of before."""
    make(aws, "x-restored", tags={"mlflow-restored-from": "snapshot:s"})
    take(aws, "s", "x-restored")
    aws.creation_seconds(rds=2)
    time.sleep(2)
    aws.client("rds").modify_db_cluster(DBClusterIdentifier="x-restored", NewDBClusterIdentifier="x")
    found = restore(aws, mlflow_restore_snapshot="s")
    assert (found["cluster"], found["switch"], found["done"]) == ("x", False, False)


def test_a_schema_that_is_known_to_be_the_same_fits_whatever_the_version(aws):
    make(aws, "x")
    take(aws, "of-v1", mlflow_stack="x", mlflow_version="v1", mlflow_database_schema="abc")
    tags = [{"Key": "mlflow-version", "Value": "v2"}, {"Key": "mlflow-database-schema", "Value": "abc"}]
    aws.client("secretsmanager").create_secret(Name="x-backend-store-uri", SecretString="uri", Tags=tags)
    assert restore(aws, mlflow_restore_snapshot="of-v1")["switch"]


def test_a_time_that_backups_cover(aws):
    make(aws, "x")
    cluster = aws.client("rds").describe_db_clusters()["DBClusters"][0]
    now = datetime.now(timezone.utc)
    refused(aws, "the backups of x cover 20.* to 20", mlflow_restore_time=(now + timedelta(hours=1)).isoformat())
    refused(aws, "the backups of x cover", mlflow_restore_time=(now - timedelta(hours=1)).isoformat())
    source = restore(aws, mlflow_restore_time="latest")["source"]
    assert source == {"source_cluster_identifier": "x", "time": "latest"}
    assert restore(aws, mlflow_restore_time=cluster["LatestRestorableTime"].isoformat())["cluster"] == "x-restored"


def test_what_a_backup_is_of(aws):
    def backup():
        return run_module("preflight", {"scope": "backup", "inputs": INPUTS}, aws)

    with pytest.raises(ModuleFailed, match="there is no database x in eu-west-1"):
        backup()
    make(aws, "x")
    assert backup()["mlflow"] == {"version": "", "schema": "unknown"}
    container = {"name": "mlflow", "image": "registry.example:5000/mlflow/mlflow:v1", "memory": 512}
    aws.client("ecs").register_task_definition(family="x", containerDefinitions=[container])
    assert backup()["mlflow"] == {"version": "v1", "schema": "unknown"}
    tags = [{"Key": "mlflow-version", "Value": "v2"}, {"Key": "mlflow-database-schema", "Value": "abc"}]
    aws.client("secretsmanager").create_secret(Name="x-backend-store-uri", SecretString="uri", Tags=tags)
    assert backup()["mlflow"] == {"version": "v2", "schema": "abc"}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from modules.run_module import ModuleFailed, run_module

MODULE = "rds_cluster_snapshot"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
PARAMS = {"cluster_identifier": "x", "snapshot_identifier": "s", "tags": {**OWNER, "mlflow-version": "v1"}}


@pytest.fixture(autouse=True)
def clusters(aws):
    for name in ("x", "y"):
        aws.client("rds").create_db_cluster(DBClusterIdentifier=name, Engine="aurora-mysql", MasterUsername="a", MasterUserPassword="b" * 12)


def run(aws, **changes):
    """The result of a run, after a check run has changed nothing and announced the same."""
    since = aws.mark()
    planned = run_module(MODULE, {**PARAMS, **changes}, aws, check=True)
    assert aws.mutating(since) == []
    result = run_module(MODULE, {**PARAMS, **changes}, aws)
    assert planned["changes"] == result["changes"]
    return result


def mutations(aws, since):
    return [call["operation"] for call in aws.mutating(since)]


def test_taken_once(aws):
    aws.creation_seconds(rds=1)
    since = aws.mark()
    planned = run_module(MODULE, PARAMS, aws, check=True)["snapshot"]
    assert (planned["id"], planned["arn"]) == ("s", "(known after apply)")
    result = run(aws)
    assert [(c["action"], c["kind"], c["name"]) for c in result["changes"]] == [("create", "rds_cluster_snapshot", "s")]
    refused = [call["error"] for call in aws.mutating(since)][:-1]  # as long as the cluster is not available
    assert set(mutations(aws, since)) == {"CreateDBClusterSnapshot"} and set(refused) <= {"InvalidDBClusterStateFault"}
    (taken,) = aws.client("rds").describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    assert taken["Status"] == "available" and {tag["Key"]: tag["Value"] for tag in taken["TagList"]} == PARAMS["tags"]
    assert result["snapshot"]["arn"] == taken["DBClusterSnapshotArn"] and result["snapshot"]["created"].startswith("20")

    since = aws.mark()
    again = run(aws, tags={**OWNER, "mlflow-version": "v2", "new": "tag"})  # the tags say what was true when it was taken
    assert again["changes"] == [] and mutations(aws, since) == [] and again["snapshot"]["tags"] == PARAMS["tags"]


def test_a_name_from_the_time(aws):
    planned = run_module(MODULE, {**PARAMS, "snapshot_identifier": None}, aws, check=True)
    assert planned["snapshot"]["id"] == "x-backup-(known after apply)"
    result = run_module(MODULE, {**PARAMS, "snapshot_identifier": None}, aws)
    assert result["snapshot"]["id"].startswith("x-backup-20")


def test_one_that_died_is_waited_for(aws):
    run_module(MODULE, PARAMS, aws)
    aws.creation_seconds(rds=3)
    assert run(aws)["changes"] == []
    (taken,) = aws.client("rds").describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    assert taken["Status"] == "available"


def test_a_name_that_is_taken(aws):
    run_module(MODULE, {**PARAMS, "cluster_identifier": "y"}, aws)
    aws.client("rds").create_db_cluster_snapshot(DBClusterIdentifier="x", DBClusterSnapshotIdentifier="t")
    since = aws.mark()
    for changes, message in [
        ({}, "as a snapshot of y: choose another name"),
        ({"snapshot_identifier": "t"}, "not of this stack"),
        ({"cluster_identifier": "z"}, "there is no cluster z"),
    ]:
        for check in (True, False):
            with pytest.raises(ModuleFailed, match=message):
                run_module(MODULE, {**PARAMS, **changes}, aws, check=check)
    assert mutations(aws, since) == []

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest
from modules.run_module import ModuleFailed, run_module

MODULE = "rds_cluster_switchover"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
FROM = "snapshot:s"
PARAMS = {"cluster_identifier": "x", "replacement_identifier": "x-restored", "restored_from": FROM, "tags": OWNER}


def make(aws, name, tags=None, **arguments):
    """The resource id of a new cluster, which is ours unless its tags say otherwise."""
    pairs = [{"Key": key, "Value": value} for key, value in (OWNER if tags is None else tags).items()]
    answer = aws.client("rds").create_db_cluster(
        DBClusterIdentifier=name, Engine="aurora-mysql", MasterUsername="a", MasterUserPassword="b" * 12, Tags=pairs, **arguments
    )
    return answer["DBCluster"]["DbClusterResourceId"]


def clusters(aws):
    return {c["DBClusterIdentifier"]: c for c in aws.client("rds").describe_db_clusters()["DBClusters"]}


def tags(cluster):
    return {tag["Key"]: tag["Value"] for tag in cluster["TagList"]}


@pytest.fixture
def made(aws):
    """The resource ids of the two."""
    return make(aws, "x", EnableCloudwatchLogsExports=["error"]), make(aws, "x-restored", {**OWNER, "mlflow-restored-from": FROM})


def mutations(aws, since):
    return [call["operation"] for call in aws.mutating(since)]


def test_one_takes_the_place_of_the_other_which_is_kept(aws, made):
    old, new = made
    aws.creation_seconds(rds=1)
    planned = run_module(MODULE, PARAMS, aws, check=True)
    assert set(clusters(aws)) == {"x", "x-restored"}
    since = aws.mark()
    result = run_module(MODULE, PARAMS, aws)
    assert mutations(aws, since) == ["ModifyDBCluster", "ModifyDBCluster"]
    (kept,) = result["kept"]
    assert kept.startswith("x-before-20")
    fields = [{f["name"]: f["after"] for f in change["fields"]} for change in result["changes"]]
    assert fields == [{"cluster_identifier": kept, "deletion_protection": True, "enabled_cloudwatch_logs_exports": []}, {"cluster_identifier": "x"}]
    assert f"loses all that was written since {FROM}" in result["changes"][0]["warnings"][0]
    announced = [{f["name"]: f["after"] for f in change["fields"]} for change in planned["changes"]]
    assert announced == [{**fields[0], "cluster_identifier": "x-before-(known after apply)"}, fields[1]]
    after = clusters(aws)
    assert {name: c["DbClusterResourceId"] for name, c in after.items()} == {"x": new, kept: old}
    assert {c["Status"] for c in after.values()} == {"available"}
    assert after[kept]["DeletionProtection"] and not after[kept]["EnabledCloudwatchLogsExports"]

    since = aws.mark()
    again = run_module(MODULE, PARAMS, aws)
    assert again["changes"] == [] and again["kept"] == [kept] and mutations(aws, since) == []
    noted = run_module(MODULE, {**PARAMS, "finished": True}, aws)
    assert [f["name"] for f in noted["changes"][0]["fields"]] == ["restored_at"]
    assert tags(clusters(aws)["x"])["mlflow-restored-at"].startswith("20")
    assert run_module(MODULE, {**PARAMS, "finished": True}, aws)["changes"] == []


def test_a_kept_one_goes_back(aws):
    kept = "x-before-20261122t221500z"
    make(aws, "x", {**OWNER, "mlflow-restored-from": FROM, "mlflow-restored-at": "20261122t223000z"})
    old = make(aws, kept, {**OWNER, "mlflow-restored-from": "time:latest", "mlflow-restored-at": "20261120t223000z"})
    back = {**PARAMS, "replacement_identifier": kept, "restored_from": f"cluster:{kept}"}
    since = aws.mark()
    run_module(MODULE, back, aws)
    assert sorted(mutations(aws, since)) == ["AddTagsToResource", "ModifyDBCluster", "ModifyDBCluster", "RemoveTagsFromResource"]
    now = clusters(aws)["x"]
    assert (now["DbClusterResourceId"], tags(now)) == (old, {**OWNER, "mlflow-restored-from": f"cluster:{kept}"})
    assert run_module(MODULE, back, aws)["changes"] == []


@pytest.mark.parametrize("seconds", [0, 2])
def test_a_run_that_died_between_the_two_goes_on(aws, made, seconds):
    """Right after the first renaming was asked for, or when it is over."""
    aws.creation_seconds(rds=seconds)
    time.sleep(seconds)
    aws.client("rds").modify_db_cluster(DBClusterIdentifier="x", NewDBClusterIdentifier="x-before-20261122t221500z")
    run_module(MODULE, PARAMS, aws)
    after = {name: c["DbClusterResourceId"] for name, c in clusters(aws).items()}
    assert after == {"x": made[1], "x-before-20261122t221500z": made[0]}


@pytest.mark.parametrize("seconds", [0, 2])
def test_a_run_that_died_in_the_second_renaming_goes_on(aws, made, seconds):
    aws.client("rds").modify_db_cluster(DBClusterIdentifier="x", NewDBClusterIdentifier="x-before-20261122t221500z")
    aws.creation_seconds(rds=seconds)
    time.sleep(seconds)
    aws.client("rds").modify_db_cluster(DBClusterIdentifier="x-restored", NewDBClusterIdentifier="x")
    assert ("x-restored" in clusters(aws)) is bool(seconds)
    since = aws.mark()
    assert run_module(MODULE, PARAMS, aws)["changes"] == [] and mutations(aws, since) == []
    after = {name: c["DbClusterResourceId"] for name, c in clusters(aws).items()}
    assert after == {"x": made[1], "x-before-20261122t221500z": made[0]}


def test_what_has_taken_the_place_stays_there_whatever_there_is_of_the_other_name(aws):
    data = make(aws, "x", {**OWNER, "mlflow-restored-from": FROM})
    make(aws, "x-restored", {**OWNER, "mlflow-restored-from": FROM})
    assert run_module(MODULE, PARAMS, aws)["changes"] == [] and clusters(aws)["x"]["DbClusterResourceId"] == data


def test_where_nothing_is_to_be_replaced(aws):
    new = make(aws, "x-restored", {**OWNER, "mlflow-restored-from": FROM})
    result = run_module(MODULE, PARAMS, aws)
    assert len(result["changes"]) == 1 and clusters(aws)["x"]["DbClusterResourceId"] == new


def test_a_plan_of_what_is_not_restored_yet(aws):
    make(aws, "x")
    result = run_module(MODULE, PARAMS, aws, check=True)
    assert [c["name"] for c in result["changes"]] == ["x", "x-restored"]
    with pytest.raises(ModuleFailed, match="no cluster x-restored"):
        run_module(MODULE, PARAMS, aws)


def test_clusters_of_others_are_left_alone(aws):
    make(aws, "x")
    make(aws, "x-restored", {})
    since = aws.mark()
    with pytest.raises(ModuleFailed, match="x-restored is not of this stack"):
        run_module(MODULE, PARAMS, aws)
    assert mutations(aws, since) == []

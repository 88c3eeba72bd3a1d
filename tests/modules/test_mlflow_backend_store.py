# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import time

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.database import derive_password
from modules.run_module import ModuleFailed, run_module

MODULE = "mlflow_backend_store"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
NAME = "x-backend-store-uri"
MASTER = "m4ster#pässword"


@pytest.fixture
def given(aws):
    arn = aws.client("secretsmanager").create_secret(Name="master", SecretString=MASTER)["ARN"]
    return {
        "name": NAME,
        "master_secret_arn": arn,
        "engine": "aurora-mysql",
        "host": "db.example.com",
        "port": "3306",
        "database": "mlflow",
        "unique_name": "x",
        "prepared_for": ["image:1", "cluster-A"],
        "tags": OWNER,
    }


def run(aws, params, **changes):
    """The result of a run, after a check run has changed nothing and announced the same, neither with a password."""
    params = {**params, **changes}
    since = aws.mark()
    planned = run_module(MODULE, params, aws, check=True)
    assert aws.mutating(since) == []
    result = run_module(MODULE, params, aws)
    assert planned["changes"] == result["changes"]
    shown = json.dumps([planned, result], ensure_ascii=False)
    assert MASTER not in shown and derive_password(MASTER, "x") not in shown
    return planned, result


def uris(aws):
    return json.loads(aws.client("secretsmanager").get_secret_value(SecretId=NAME)["SecretString"])


def uri(aws):
    return uris(aws)["uri"]


def test_create_prepare_again_absent_again(aws, given):
    planned, result = run(aws, given)
    unknown = "(known after apply)"
    nothing = {"mlflow_version": "", "database_schema": "", "snapshot": "", "snapshot_version": "", "upgrading": False}
    assert planned["secret"] == {"arn": unknown, "name": NAME, "prepared": False, "version_id": unknown, **nothing}
    assert not result["secret"]["prepared"]
    assert uri(aws).startswith(f"mysql+pymysql://mlflow:{derive_password(MASTER, 'x')}@db.example.com:3306/mlflow?")

    _ignored, noted = run(aws, given, prepared=True)
    assert noted["secret"] == {**result["secret"], "prepared": True}
    assert [f["name"] for f in noted["changes"][0]["fields"]] == ["tags.mlflow-database-prepared"]
    for prepared in (False, True):
        since = aws.mark()
        _ignored, again = run(aws, given, prepared=prepared)
        assert not again["changed"] and again["secret"] == noted["secret"] and aws.mutating(since) == []

    _ignored, gone = run(aws, {"name": NAME, "tags": OWNER, "state": "absent"})
    assert gone["secret"] == {} and [change["action"] for change in gone["changes"]] == ["delete"]
    assert not run(aws, {"name": NAME, "tags": OWNER, "state": "absent"})[1]["changed"]


@pytest.mark.parametrize(
    ("change", "new_version"),
    [
        ({"host": "other.example.com"}, True),
        ({"reader_host": "readers.example.com"}, True),
        ({"database": "other"}, True),
        ({"prepared_for": ["image:2", "cluster-A"]}, False),
        ({"prepared_for": ["image:1", "cluster-B"]}, False),
    ],
)
def test_what_asks_for_another_preparation(aws, given, change, new_version):
    run_module(MODULE, given, aws)
    before = run_module(MODULE, {**given, "prepared": True}, aws)["secret"]
    planned, result = run(aws, given, **change)
    assert not planned["secret"]["prepared"] and not result["secret"]["prepared"]
    assert (result["secret"]["version_id"] != before["version_id"]) is new_version is result["changed"]
    assert run_module(MODULE, {**given, **change, "prepared": True}, aws)["secret"]["prepared"]
    assert run_module(MODULE, {**given, **change}, aws)["secret"]["prepared"]


def test_a_changed_master_password_is_a_new_uri_and_asks_for_another_preparation(aws, given):
    run_module(MODULE, given, aws)
    run_module(MODULE, {**given, "prepared": True}, aws)
    aws.client("secretsmanager").put_secret_value(SecretId="master", SecretString="an0ther-password")
    result = run_module(MODULE, given, aws)
    assert [f["name"] for f in result["changes"][0]["fields"]] == ["value"] and not result["secret"]["prepared"]
    assert "running servers cannot open connections" in result["changes"][0]["warnings"][0]
    assert derive_password("an0ther-password", "x") in uri(aws)


def test_readers_have_a_uri_of_their_own_and_running_servers_go_on(aws, given):
    assert run(aws, given)[1]["secret"] and uris(aws).keys() == {"uri"}
    before = uri(aws)
    _ignored, result = run(aws, given, reader_host="readers.example.com")
    assert [f["name"] for f in result["changes"][0]["fields"]] == ["value"] and result["changes"][0]["warnings"] == []
    assert uris(aws) == {"uri": before, "reader_uri": before.replace("@db.example.com", "@readers.example.com")}
    run(aws, given)
    assert uris(aws) == {"uri": before}


def test_the_master_password_may_be_a_field_of_its_secret(aws, given):
    assert run_module(MODULE, given, aws)["master_password_value_from"] == given["master_secret_arn"]
    before = uri(aws)
    value = json.dumps({"username": "admin", "password": MASTER})
    aws.client("secretsmanager").put_secret_value(SecretId="master", SecretString=value)
    result = run_module(MODULE, given, aws)
    assert result["master_password_value_from"] == f"{given['master_secret_arn']}:password::"
    assert not result["changed"] and uri(aws) == before


def test_a_plan_without_a_database(aws, given):
    unknown = "(known after apply)"
    planned = run_module(MODULE, {**given, "host": unknown, "port": unknown}, aws, check=True)
    assert [change["action"] for change in planned["changes"]] == ["create"] and not planned["secret"]["prepared"]


def test_a_plan_of_a_preparation_says_all_that_the_run_then_does_to_the_secret(aws, given):
    """The run itself needs two calls: what it prepares the database with, and that it has done so."""
    for change in ({}, {"host": "other.example.com"}):
        plan = run_module(MODULE, {**given, **change, "prepared": True}, aws, check=True)
        made = run_module(MODULE, {**given, **change}, aws)
        noted = run_module(MODULE, {**given, **change, "prepared": True}, aws)
        (planned,), (first,), (second,) = plan["changes"], made["changes"], noted["changes"]
        assert (planned["action"], planned["warnings"]) == (first["action"], first["warnings"])
        after = {field["name"]: field["after"] for field in planned["fields"]}
        assert after["tags.mlflow-database-prepared"] == "(known after apply)"
        assert sorted(after) == sorted(f["name"] for c in (first, second) for f in c["fields"])
    again = run_module(MODULE, {**given, **change, "prepared": True}, aws, check=True)
    assert not again["changed"]


def test_an_upgrade_is_noted_with_its_own_snapshot_in_one_call(aws, given):
    """Between two calls a run may die, and the next one would upgrade with the snapshot of an earlier upgrade."""

    def note(**changes):
        since = aws.mark()
        secret = run_module(MODULE, {**given, **changes}, aws)["secret"]
        return secret, [call["operation"] for call in aws.mutating(since)]

    note()
    note(prepared=True, mlflow_version="v1", database_schema="a1")
    earlier = note(upgrade="begin")[0]["snapshot"]
    assert note(upgrade="begin")[1] == []
    done = note(prepared=True, mlflow_version="v2", database_schema="b2")[0]
    assert (done["snapshot"], done["snapshot_version"], done["mlflow_version"]) == (earlier, "v1", "v2")
    time.sleep(1)  # the name of a snapshot holds the second
    begun, calls = note(upgrade="begin")
    assert begun["upgrading"] and not begun["prepared"] and begun["snapshot"] != earlier
    assert begun["snapshot_version"] == "v2"
    assert calls == ["TagResource"]
    abandoned, calls = note(upgrade="abandon")
    assert not abandoned["upgrading"] and not abandoned["prepared"] and abandoned["snapshot"] == ""
    assert calls == ["UntagResource"]


def test_an_upgrade_that_was_not_made_has_no_snapshot(aws, given):
    """It was begun, and then the old version was put back: the snapshot may never have been taken."""
    run_module(MODULE, given, aws)
    for changes in ({"prepared": True}, {"upgrade": "begin"}, {"prepared": True}):
        noted = run_module(MODULE, {**given, "mlflow_version": "v1", "database_schema": "a1", **changes}, aws)["secret"]
    assert noted["prepared"] and (noted["snapshot"], noted["snapshot_version"]) == ("", "")


def test_a_missing_master_secret_is_named(aws, given):
    with pytest.raises(ModuleFailed, match="there is no secret .*:secret:none with a text value"):
        run_module(MODULE, {**given, "master_secret_arn": "arn:aws:secretsmanager:eu-west-1:1:secret:none"}, aws)


def remembered(result):
    secret = result["secret"]
    return {k: secret[k] for k in ("prepared", "upgrading", "mlflow_version", "database_schema")}


def test_an_upgrade_is_noted_until_the_database_is_prepared(aws, given):
    old, new = {"mlflow_version": "v1", "database_schema": "a1"}, {"mlflow_version": "v2", "database_schema": "b2"}
    run_module(MODULE, given, aws)
    assert remembered(run_module(MODULE, {**given, "prepared": True, **old}, aws)) == {"prepared": True, "upgrading": False, **old}

    begun = run_module(MODULE, {**given, "upgrade": "begin"}, aws)
    assert remembered(begun) == {"prepared": False, "upgrading": True, **old}
    snapshot = begun["secret"]["snapshot"]
    assert snapshot.startswith("x-before-upgrade-")
    for changes in ({}, {"upgrade": "begin"}):
        again = run_module(MODULE, {**given, **changes}, aws)
        assert not again["changed"] and again["secret"] == begun["secret"]
    assert not run_module(MODULE, {**given, "prepared_for": ["image:0"]}, aws)["secret"]["prepared"]

    ended = run_module(MODULE, {**given, "prepared": True, **new}, aws)
    assert remembered(ended) == {"prepared": True, "upgrading": False, **new} and ended["secret"]["snapshot"] == snapshot

    assert run_module(MODULE, {**given, "upgrade": "begin"}, aws)["secret"]["upgrading"]
    abandoned = run_module(MODULE, {**given, "upgrade": "abandon"}, aws)
    assert remembered(abandoned) == {"prepared": False, "upgrading": False, **new}
    assert abandoned["secret"]["snapshot"] == ""


def test_a_schema_that_is_not_known_is_not_recorded(aws, given):
    run_module(MODULE, given, aws)
    run_module(MODULE, {**given, "prepared": True, "mlflow_version": "v1", "database_schema": "a1"}, aws)
    result = run_module(MODULE, {**given, "prepared": True, "mlflow_version": "v2"}, aws)
    assert remembered(result) == {"prepared": True, "upgrading": False, "mlflow_version": "v2", "database_schema": ""}


KEYS = "x-server-keys"


def test_the_keys_that_all_servers_share(aws, given):
    given["server_keys_name"] = KEYS
    planned, result = run(aws, given)
    assert planned["server_keys"]["arn"] == "(known after apply)"
    assert [change["name"] for change in result["changes"]] == [KEYS, NAME]
    get = aws.client("secretsmanager").get_secret_value
    value = get(SecretId=KEYS)["SecretString"]
    assert {key: len(each) for key, each in json.loads(value).items()} == {
        "crypto_kek_passphrase": 64,
        "webhook_secret_encryption_key": 44,
        "flask_server_secret_key": 64,
    }
    _ignored, again = run(aws, given)
    assert not again["changed"] and again["server_keys"] == result["server_keys"] and get(SecretId=KEYS)["SecretString"] == value

    absent = {"name": NAME, "server_keys_name": KEYS, "tags": OWNER, "state": "absent"}
    _ignored, gone = run(aws, absent)
    assert [change["name"] for change in gone["changes"]] == [NAME, KEYS] and gone["server_keys"] == {}
    assert [bool(change["warnings"]) for change in gone["changes"]] == [True, False]
    run(aws, given)
    assert get(SecretId=KEYS)["SecretString"] == value, "a snapshot of the database is worth little without them"


@pytest.fixture
def database(aws):
    """A cluster with two instances, which lack parameters until they are rebooted."""
    aws.creation_seconds(rds=1, parameters=600)
    rds = aws.client("rds")
    rds.create_db_cluster_parameter_group(DBClusterParameterGroupName="x", DBParameterGroupFamily="aurora-mysql8.0", Description="x")
    rds.create_db_cluster(
        DBClusterIdentifier="x",
        Engine="aurora-mysql",
        MasterUsername="admin",
        MasterUserPassword="first-Passw0rd",
        DBClusterParameterGroupName="x",
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 1},
    )
    for n in (1, 2):
        rds.create_db_instance(DBInstanceIdentifier=f"x-{n}", DBClusterIdentifier="x", Engine="aurora-mysql", DBInstanceClass="db.serverless")
    return rds


def test_waits_for_the_database_and_reboots_new_instances_that_lack_parameters(aws, database, given):
    since = aws.mark()
    result = run_module(MODULE, {**given, "wait_for": {"cluster_identifier": "x", "new_instances": ["x-1", "y-1"]}}, aws)
    assert [change["name"] for change in result["changes"]] == [NAME]
    assert [call["operation"] for call in aws.mutating(since)] == ["RebootDBInstance", "CreateSecret"]
    members = database.describe_db_clusters()["DBClusters"][0]["DBClusterMembers"]
    assert {m["DBInstanceIdentifier"]: m["DBClusterParameterGroupStatus"] for m in members} == {"x-1": "in-sync", "x-2": "pending-reboot"}
    assert {i["DBInstanceStatus"] for i in database.describe_db_instances()["DBInstances"]} == {"available"}


def test_a_plan_waits_for_nothing(aws, given):
    since = aws.mark()
    run_module(MODULE, {**given, "wait_for": {"cluster_identifier": "x"}}, aws, check=True)
    assert "DescribeDBClusters" not in [call["operation"] for call in aws.calls(since)]


def test_a_database_that_never_becomes_available(aws, database, given):
    aws.creation_seconds(rds=0)
    database.stop_db_cluster(DBClusterIdentifier="x")
    with pytest.raises(ModuleFailed, match="^rds_cluster x: its status is stop.*aws rds start-db-cluster"):
        run_module(MODULE, {**given, "wait_for": {"cluster_identifier": "x"}}, aws)

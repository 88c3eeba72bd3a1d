# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import time

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.cluster import Cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from modules.run_module import ModuleFailed, run_module

MODULE = "rds_cluster"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
PASSWORD = "first-Passw0rd"


@pytest.fixture
def params(aws):
    """A cluster of every option, with what it needs."""
    subnets = aws.client("ec2").describe_subnets()["Subnets"]
    secret = aws.client("secretsmanager").create_secret(Name="password", SecretString=PASSWORD)
    return {
        "cluster_identifier": "x",
        "engine": "aurora-mysql",
        "engine_version": "8.0.mysql_aurora.3.10.3",
        "database_name": "mlflow",
        "master_username": "admin",
        "master_user_password_secret_arn": secret["ARN"],
        "port": 3306,
        "subnet_ids": [subnet["SubnetId"] for subnet in subnets[:2]],
        "parameters": {"require_secure_transport": "ON"},
        "vpc_security_group_ids": [_security_group(aws, "one")],
        "backup_retention_period": 14,
        "preferred_backup_window": "03:00-04:00",
        "preferred_maintenance_window": "Sun:04:30-Sun:05:30",
        "deletion_protection": True,
        "backtrack_window": 86400,
        "enabled_cloudwatch_logs_exports": ["error"],
        "log_retention_in_days": 30,
        "engine_lifecycle_support": "open-source-rds-extended-support-disabled",
        "serverless_v2_scaling": {"min_capacity": 0, "max_capacity": 1, "seconds_until_auto_pause": 600},
        "tags": {**OWNER, "team": "x"},
    }


def _security_group(aws, name):
    return aws.client("ec2").create_security_group(GroupName=name, Description="x")["GroupId"]


def run(aws, params, **changes):
    """The result of a run, after a check run has changed nothing and announced the same."""
    params = {**params, **changes}
    since = aws.mark()
    planned = run_module(MODULE, params, aws, check=True)
    assert aws.mutating(since) == []
    result = run_module(MODULE, params, aws)
    assert planned["changes"] == result["changes"]
    return result


def mutations(aws, since):
    return [call["operation"] for call in aws.mutating(since)]


def lines(result):
    return [(change["action"], change["kind"], change["name"]) for change in result["changes"]]


def cluster(aws):
    return aws.client("rds").describe_db_clusters(DBClusterIdentifier="x")["DBClusters"][0]


def test_create_again_absent_again(aws, params):
    planned = run_module(MODULE, params, aws, check=True)
    assert planned["cluster"]["arn"] == "(known after apply)" and planned["cluster"]["database_name"] == "mlflow"
    since = aws.mark()
    result = run(aws, params)
    assert lines(result) == [
        ("create", "logs_log_group", "/aws/rds/cluster/x/error"),
        ("create", "rds_subnet_group", "x"),
        ("create", "rds_cluster_parameter_group", "x-aurora-mysql8-0"),
        ("create", "rds_cluster", "x"),
        ("create", "rds_instance", "x-1"),
    ]
    assert sorted(mutations(aws, since)) == [
        "CreateDBCluster",
        "CreateDBClusterParameterGroup",
        "CreateDBInstance",
        "CreateDBSubnetGroup",
        "CreateLogGroup",
        "ModifyDBClusterParameterGroup",
        "PutRetentionPolicy",
    ]
    assert mutations(aws, since).index("PutRetentionPolicy") < mutations(aws, since).index("CreateDBCluster")
    made = cluster(aws)
    version = aws.client("secretsmanager").describe_secret(SecretId="password")["VersionIdsToStages"]
    assert result["cluster"] == {
        "id": "x",
        "arn": made["DBClusterArn"],
        "resource_id": made["DbClusterResourceId"],
        "endpoint": made["Endpoint"],
        "reader_endpoint": made["ReaderEndpoint"],
        "port": 3306,
        "database_name": "mlflow",
        "master_username": "admin",
        "status": "available",
        "password_version": next(iter(version)),
    }
    assert (result["instances"], result["reboot_pending"], result["final_snapshots"]) == (["x-1"], [], [])
    assert PASSWORD not in json.dumps(result)
    assert made["StorageEncrypted"] and made["DeletionProtection"] and made["CopyTagsToSnapshot"]
    assert made["ServerlessV2ScalingConfiguration"]["SecondsUntilAutoPause"] == 600
    instance = aws.client("rds").describe_db_instances()["DBInstances"][0]
    assert instance["DBInstanceClass"] == "db.serverless" and not instance["PubliclyAccessible"]
    for tags in (made["TagList"], instance["TagList"]):
        assert params["tags"].items() <= {tag["Key"]: tag["Value"] for tag in tags}.items()

    since = aws.mark()
    again = run(aws, params)
    assert again["changes"] == [] and mutations(aws, since) == [] and again["cluster"] == result["cluster"]
    assert "GetSecretValue" not in [call["operation"] for call in aws.calls(since)]

    with pytest.raises(ModuleFailed, match="disable_deletion_protection"):
        run_module(MODULE, {**params, "state": "absent"}, aws)
    assert mutations(aws, since) == []
    gone = run(aws, params, state="absent", disable_deletion_protection=True)
    assert [line[0] for line in lines(gone)] == ["delete"] * 5
    snapshots = aws.client("rds").describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert [s["DBClusterSnapshotIdentifier"] for s in snapshots] == gone["final_snapshots"]
    assert gone["final_snapshots"][0].startswith("x-final-20")
    since = aws.mark()
    assert run(aws, params, state="absent")["changes"] == [] and mutations(aws, since) == []


CHANGES = [
    # option, new value, kind, fields that differ, calls
    (
        "subnet_ids",
        lambda aws: [s["SubnetId"] for s in aws.client("ec2").describe_subnets()["Subnets"]],
        "rds_subnet_group",
        ["subnet_ids"],
        ["ModifyDBSubnetGroup"],
    ),
    (
        "parameters",
        {"require_secure_transport": "OFF"},
        "rds_cluster_parameter_group",
        ["parameters.require_secure_transport"],
        ["ModifyDBClusterParameterGroup"],
    ),
    (
        "parameters",
        {"require_secure_transport": "OFF", "slow_query_log": "1"},
        "rds_cluster_parameter_group",
        ["parameters.slow_query_log"],
        ["ModifyDBClusterParameterGroup"],
    ),
    ("parameters", {}, "rds_cluster_parameter_group", ["parameters"], ["ResetDBClusterParameterGroup"]),
    ("vpc_security_group_ids", lambda aws: [_security_group(aws, "two")], "rds_cluster", ["vpc_security_group_ids"], ["ModifyDBCluster"]),
    ("engine_version", "8.0.mysql_aurora.3.10.6", "rds_cluster", ["engine_version"], ["ModifyDBCluster"]),
    ("port", 3307, "rds_cluster", ["port"], ["ModifyDBCluster"]),
    ("backup_retention_period", 7, "rds_cluster", ["backup_retention_period"], ["ModifyDBCluster"]),
    ("preferred_backup_window", "02:00-03:00", "rds_cluster", ["preferred_backup_window"], ["ModifyDBCluster"]),
    ("preferred_maintenance_window", "sat:04:30-sat:05:30", "rds_cluster", ["preferred_maintenance_window"], ["ModifyDBCluster"]),
    ("deletion_protection", False, "rds_cluster", ["deletion_protection"], ["ModifyDBCluster"]),
    ("backtrack_window", 7200, "rds_cluster", ["backtrack_window"], ["ModifyDBCluster"]),
    ("backtrack_window", 0, "rds_cluster", ["backtrack_window"], ["ModifyDBCluster"]),
    ("copy_tags_to_snapshot", False, "rds_cluster", ["copy_tags_to_snapshot"], ["ModifyDBCluster"]),
    ("log_retention_in_days", 60, "logs_log_group", ["retention_in_days"], ["PutRetentionPolicy"]),
    ("engine_lifecycle_support", "open-source-rds-extended-support", "rds_cluster", ["engine_lifecycle_support"], ["ModifyDBCluster"]),
    (
        "serverless_v2_scaling",
        {"min_capacity": 0.5, "max_capacity": 1, "seconds_until_auto_pause": 600},
        "rds_cluster",
        ["serverless_v2_scaling.min_capacity", "serverless_v2_scaling.seconds_until_auto_pause"],
        ["ModifyDBCluster"],
    ),
    ("promotion_tier", 2, "rds_instance", ["promotion_tier"], ["ModifyDBInstance"]),
    ("auto_minor_version_upgrade", True, "rds_instance", ["auto_minor_version_upgrade"], ["ModifyDBInstance"]),
    ("instance_class", "db.r8g.large", "rds_instance", ["instance_class"], ["ModifyDBInstance"]),
]


@pytest.fixture
def made(aws, params):
    run_module(MODULE, params, aws)
    return params


def test_each_change_changes_only_that(aws, made):
    params = made
    for option, value, kind, fields, calls in CHANGES:
        value = value(aws) if callable(value) else value
        params = {**params, option: value}
        since = aws.mark()
        result = run(aws, params)
        assert [(c["kind"], [f["name"] for f in c["fields"]]) for c in result["changes"]] == [(kind, fields)], option
        assert mutations(aws, since) == calls, option
    since = aws.mark()
    assert run_module(MODULE, params, aws)["changes"] == [] and mutations(aws, since) == []


def test_warnings(aws, made):
    result = run_module(
        MODULE,
        {
            **made,
            "backup_retention_period": 1,
            "deletion_protection": False,
            "backtrack_window": 3600,
            "engine_version": "8.0.mysql_aurora.3.12.0",
            "instance_class": "db.r8g.large",
            "parameters": {"tls_version": "TLSv1.3"},
        },
        aws,
        check=True,
    )
    group, of_cluster, of_instance = (change["warnings"] for change in result["changes"])
    assert "rebooted" in group[0]
    assert of_cluster == [
        "older backups are deleted",
        "the database can be deleted by mistake",
        "the database can be rewound less far",
        "engine_version: restarts the database",
    ]
    assert of_instance == ["instance_class: restarts the instance"]


def test_a_dynamic_parameter_is_applied_at_once(aws, made):
    since = aws.mark()
    result = run(aws, made, parameters={"require_secure_transport": "OFF", "tls_version": "TLSv1.3"})
    sent = [call for call in aws.mutating(since) if call["operation"] == "ModifyDBClusterParameterGroup"][0]["params"]
    assert [value for key, value in sorted(sent.items()) if key.endswith("ApplyMethod")] == ["immediate", "pending-reboot"]
    assert result["changes"][0]["warnings"] == ["tls_version: takes effect when the instances are rebooted, which no run does"]


def test_a_major_upgrade_and_the_groups_that_it_leaves(aws, params):
    postgresql = {
        **params,
        "engine": "aurora-postgresql",
        "engine_version": "16.9",
        "backtrack_window": None,
        "parameters": {"rds.force_ssl": "1"},
        "enabled_cloudwatch_logs_exports": ["postgresql"],
    }
    run_module(MODULE, postgresql, aws)
    assert run(aws, postgresql)["changes"] == []  # although for AWS a parameter with its default value was never set
    other = {"DBParameterGroupFamily": "aurora-postgresql16", "Description": "x", "Tags": [{"Key": k, "Value": v} for k, v in OWNER.items()]}
    aws.client("rds").create_db_cluster_parameter_group(DBClusterParameterGroupName="x-aurora-y-aurora-postgresql16", **other)
    result = run(aws, postgresql, engine_version="17.7", allow_major_version_upgrade=True)
    assert lines(result) == [("create", "rds_cluster_parameter_group", "x-aurora-postgresql17"), ("update", "rds_cluster", "x")]
    assert {field["name"] for field in result["changes"][1]["fields"]} == {"engine_version", "parameter_group_name"}
    assert cluster(aws)["DBClusterParameterGroup"] == "x-aurora-postgresql17"
    run(aws, postgresql, state="absent", disable_deletion_protection=True)
    left = aws.client("rds").describe_db_cluster_parameter_groups()["DBClusterParameterGroups"]
    assert [group["DBClusterParameterGroupName"] for group in left] == ["x-aurora-y-aurora-postgresql16"]


def test_tags(aws, made):
    since = aws.mark()
    result = run(aws, made, tags={**OWNER, "cost": "1"})
    assert [line[1] for line in lines(result)] == ["logs_log_group", "rds_subnet_group", "rds_cluster_parameter_group", "rds_cluster", "rds_instance"]
    assert sorted(mutations(aws, since)) == ["AddTagsToResource"] * 4 + ["RemoveTagsFromResource"] * 4 + ["TagResource", "UntagResource"]
    assert {tag["Key"] for tag in cluster(aws)["TagList"]} == {*OWNER, "cost", "mlflow-password-version"}


def test_a_new_password_is_applied_before_the_tag_says_so(aws, made):
    secret = aws.client("secretsmanager").put_secret_value(SecretId="password", SecretString='{"password": "second-Passw0rd"}')
    since = aws.mark()
    result = run(aws, made)
    assert [f["name"] for f in result["changes"][0]["fields"]] == ["password_version"]
    assert mutations(aws, since) == ["AddTagsToResource", "ModifyDBCluster", "AddTagsToResource"]
    assert result["cluster"]["password_version"] == secret["VersionId"] and "second" not in json.dumps(result)
    assert run(aws, made)["changes"] == []


@pytest.mark.parametrize("password", ["short", "has/slash-in-it", '{"user": "x"}'])
def test_a_password_that_rds_refuses(aws, params, password):
    aws.client("secretsmanager").put_secret_value(SecretId="password", SecretString=password)
    with pytest.raises(ModuleFailed, match="the password") as failed:
        run_module(MODULE, params, aws)
    assert password not in json.dumps(failed.value.result)


def test_changed_by_hand_is_put_back(aws, made):
    rds = aws.client("rds")
    rds.modify_db_cluster(DBClusterIdentifier="x", BackupRetentionPeriod=1, DeletionProtection=False)
    rds.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="x-aurora-mysql8-0",
        Parameters=[{"ParameterName": "slow_query_log", "ParameterValue": "1", "ApplyMethod": "pending-reboot"}],
    )
    rds.delete_db_instance(DBInstanceIdentifier="x-1", SkipFinalSnapshot=True)
    result = run(aws, made)
    assert [(c["kind"], [f["name"] for f in c["fields"]]) for c in result["changes"]][:2] == [
        ("rds_cluster_parameter_group", ["parameters.slow_query_log"]),
        ("rds_cluster", ["backup_retention_period", "deletion_protection"]),
    ]
    assert lines(result)[2] == ("create", "rds_instance", "x-1")
    assert run(aws, made)["changes"] == []


def test_a_new_instance_that_lacks_parameters_is_rebooted_before_anybody_uses_it(aws, params):
    aws.creation_seconds(rds=1, parameters=600)
    assert run(aws, params)["reboot_pending"] == []
    assert mutations(aws, 0).count("RebootDBInstance") == 1
    (member,) = aws.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterMembers"]
    assert member["DBClusterParameterGroupStatus"] == "in-sync"
    since = aws.mark()
    assert run(aws, params)["changes"] == [] and mutations(aws, since) == []


def test_readers(aws, made):
    assert lines(run(aws, made, reader_count=2)) == [("create", "rds_instance", "x-2"), ("create", "rds_instance", "x-3")]
    assert run(aws, made, reader_count=2)["instances"] == ["x-1", "x-2", "x-3"]
    result = run(aws, made, reader_count=1)
    assert lines(result) == [("delete", "rds_instance", "x-3")] and result["instances"] == ["x-1", "x-2"]


def test_what_cannot_be_changed_is_refused_before_any_change(aws, made):
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    since = aws.mark()
    for change, message in [
        ({"engine": "aurora-postgresql", "engine_version": "17.7"}, "engine is aurora-mysql.*restore a snapshot"),
        ({"kms_key_id": key}, "kms_key_id is .*restore a snapshot"),
        ({"storage_encrypted": False}, "storage_encrypted"),
        ({"database_name": "other"}, "database_name"),
        ({"master_username": "other"}, "master_username"),
        ({"subnet_group_name": "other"}, "subnet_group_name"),
        ({"engine_version": "8.0.mysql_aurora.3.08.2"}, "the older 8.0.mysql_aurora.3.08.2"),
        ({"engine_version": "8.4.mysql_aurora.8.4.7"}, "allow_major_version_upgrade"),
    ]:
        with pytest.raises(ModuleFailed, match=message):
            run_module(MODULE, {**made, **change}, aws)
    assert mutations(aws, since) == []


MONITORING = {
    "name": "x-rds-monitoring",
    "managed_policies": ["arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"],
    "assume_role_policy": {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "monitoring.rds.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    },
}
ROLE, ATTACHMENT = ("iam_role", "x-rds-monitoring"), ("iam_role_policy_attachment", f"x-rds-monitoring/{MONITORING['managed_policies'][0]}")


def monitored(aws):
    """The intervals of the instances, and the names of the roles."""
    instances = aws.client("rds").describe_db_instances()["DBInstances"]
    return [each.get("MonitoringInterval", 0) for each in instances], [role["RoleName"] for role in aws.client("iam").list_roles()["Roles"]]


def test_monitoring_with_its_role(aws, made):
    params = {**made, "reader_count": 1, "monitoring_role": MONITORING}
    run(aws, params, monitoring_interval=0)
    assert monitored(aws) == ([0, 0], [])
    since = aws.mark()
    params["monitoring_interval"] = 60
    assert lines(run(aws, params)) == [*(("create", *each) for each in (ROLE, ATTACHMENT)), *(("update", "rds_instance", name) for name in ("x-1", "x-2"))]
    assert mutations(aws, since) == ["CreateRole", "AttachRolePolicy", "ModifyDBInstance", "ModifyDBInstance"]
    assert monitored(aws) == ([60, 60], ["x-rds-monitoring"])
    assert run(aws, params)["changes"] == []

    params |= {"monitoring_interval": 5, "reader_count": 2}
    assert lines(run(aws, params)) == [("update", "rds_instance", "x-1"), ("update", "rds_instance", "x-2"), ("create", "rds_instance", "x-3")]
    assert monitored(aws) == ([5, 5, 5], ["x-rds-monitoring"])

    since = aws.mark()
    params["monitoring_interval"] = 0
    assert lines(run(aws, params)) == [
        *(("update", "rds_instance", name) for name in ("x-1", "x-2", "x-3")),
        *(("delete", *each) for each in (ROLE, ATTACHMENT)),
    ]
    assert mutations(aws, since) == ["ModifyDBInstance"] * 3 + ["DetachRolePolicy", "UntagRole", "DeleteRole"]
    assert monitored(aws) == ([0, 0, 0], [])
    since = aws.mark()
    assert run(aws, params)["changes"] == [] and mutations(aws, since) == []
    assert lines(run(aws, params, monitoring_interval=1))[0] == ("create", *ROLE)


def test_a_run_that_ended_monitoring_and_died_before_its_role_was_removed(aws, made):
    params = {**made, "monitoring_role": MONITORING}
    run(aws, params, monitoring_interval=60)
    aws.client("rds").modify_db_instance(DBInstanceIdentifier="x-1", MonitoringInterval=0, ApplyImmediately=True)
    assert lines(run(aws, params, monitoring_interval=0)) == [("delete", *ROLE), ("delete", *ATTACHMENT)]
    assert monitored(aws) == ([0], [])


def test_monitoring_goes_with_the_cluster(aws, made):
    run(aws, {**made, "monitoring_role": MONITORING}, monitoring_interval=60)
    gone = {"cluster_identifier": "x", "tags": OWNER, "state": "absent", "disable_deletion_protection": True}
    since = aws.mark()
    removed = lines(run(aws, {**gone, "monitoring_role": {"name": MONITORING["name"], "inline_policies": {}, "managed_policies": []}}))
    assert ("delete", *ROLE) in removed and monitored(aws) == ([], [])
    assert mutations(aws, since).index("DeleteDBCluster") < mutations(aws, since).index("DeleteRole")


def test_monitoring_that_others_have_turned_on_stays(aws, made):
    iam, rds = aws.client("iam"), aws.client("rds")
    role = iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=json.dumps(MONITORING["assume_role_policy"]))["Role"]
    iam.attach_role_policy(RoleName="theirs", PolicyArn=MONITORING["managed_policies"][0])
    rds.modify_db_instance(DBInstanceIdentifier="x-1", MonitoringInterval=60, MonitoringRoleArn=role["Arn"], ApplyImmediately=True)
    since = aws.mark()
    assert run(aws, {**made, "monitoring_role": MONITORING}, monitoring_interval=0)["changes"] == []
    assert [call for call in aws.calls(since) if call["service"] == "iam"] == [] and monitored(aws) == ([60], ["theirs"])
    run(aws, {**made, "monitoring_role": MONITORING}, monitoring_interval=60)
    assert rds.describe_db_instances()["DBInstances"][0]["MonitoringRoleArn"].endswith("/x-rds-monitoring")


def test_monitoring_needs_its_role(aws, made):
    with pytest.raises(ModuleFailed, match="monitoring_role is required"):
        run_module(MODULE, {**made, "monitoring_interval": 60}, aws)


def test_backtracking_is_only_for_a_new_cluster(aws, params):
    run_module(MODULE, {**params, "backtrack_window": 0}, aws)
    since = aws.mark()
    with pytest.raises(ModuleFailed, match="backtrack_window is 0, the input asks for 3600.*restore a snapshot"):
        run_module(MODULE, {**params, "backtrack_window": 3600}, aws)
    assert mutations(aws, since) == []


def test_the_key_in_any_spelling(aws, params):
    key = aws.client("kms").create_key()["KeyMetadata"]
    aws.client("kms").create_alias(AliasName="alias/db", TargetKeyId=key["KeyId"])
    params["kms_key_id"] = key["Arn"]
    run_module(MODULE, params, aws)
    for spelling in (key["Arn"], key["KeyId"], "alias/db"):
        assert run_module(MODULE, {**params, "kms_key_id": spelling}, aws)["changes"] == []


def test_the_log_groups_of_exported_logs(aws, made):
    logs, name = aws.client("logs"), "/aws/rds/cluster/x/audit"
    since = aws.mark()
    result = run(aws, made, enabled_cloudwatch_logs_exports=["error", "audit"])
    assert lines(result) == [("create", "logs_log_group", name), ("update", "rds_cluster", "x")]
    assert mutations(aws, since) == ["CreateLogGroup", "PutRetentionPolicy", "ModifyDBCluster"]
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert group["retentionInDays"] == 30

    absent = {"state": "absent", "disable_deletion_protection": True, "account_id": aws.client("sts").get_caller_identity()["Account"]}
    gone = run(aws, made, enabled_cloudwatch_logs_exports=["error", "audit", "slowquery"], **absent)
    assert [line[1:] for line in lines(gone)[-2:]] == [("logs_log_group", "/aws/rds/cluster/x/error"), ("logs_log_group", name)]
    assert logs.describe_log_groups()["logGroups"] == []


def test_a_log_group_that_rds_creates_until_the_end_is_removed_too(aws, made, monkeypatch):
    delete = Cluster.delete

    def log_meanwhile(self, before):
        delete(self, before)
        aws.client("logs").create_log_group(logGroupName="/aws/rds/cluster/x/slowquery", tags=OWNER)

    monkeypatch.setattr(Cluster, "delete", log_meanwhile)
    logs = {"enabled_cloudwatch_logs_exports": ["error", "slowquery"]}
    assert len(lines(run_module(MODULE, {**made, **logs, "state": "absent", "disable_deletion_protection": True}, aws))) == 6
    assert aws.client("logs").describe_log_groups()["logGroups"] == []


def test_waits(aws, params):
    aws.creation_seconds(rds=3)
    started = time.monotonic()
    result = run_module(MODULE, {**params, "wait": False}, aws)
    assert result["cluster"]["status"] == "creating"
    assert result["pending"] == {"cluster_identifier": "x", "new_instances": ["x-1"]}
    result = run_module(MODULE, {**params, "wait": False}, aws)
    assert result["changes"] == [] and result["pending"] == {"cluster_identifier": "x", "new_instances": []}
    result = run_module(MODULE, params, aws)
    assert result["changes"] == [] and result["cluster"]["status"] == "available" and time.monotonic() - started >= 3
    assert result["pending"] == {}


def test_a_removal_that_died_is_waited_for(aws, made):
    rds = aws.client("rds")
    rds.modify_db_cluster(DBClusterIdentifier="x", DeletionProtection=False)
    rds.delete_db_instance(DBInstanceIdentifier="x-1", SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier="x", SkipFinalSnapshot=True)
    aws.creation_seconds(rds=3)  # which is how long a removal takes as well
    with pytest.raises(ModuleFailed, match="run the same command again"):
        run_module(MODULE, made, aws)
    since = aws.mark()
    run_module(MODULE, {**made, "state": "absent"}, aws)
    assert mutations(aws, since).count("DeleteDBCluster") == 0
    assert run(aws, made, state="absent")["changes"] == []


def test_a_stopped_cluster_says_how_to_start_it(aws, made):
    aws.client("rds").stop_db_cluster(DBClusterIdentifier="x")
    with pytest.raises(ModuleFailed, match="aws rds start-db-cluster --db-cluster-identifier x"):
        run_module(MODULE, made, aws)


def test_somebody_elses_cluster_is_left_alone(aws, params):
    aws.client("rds").create_db_cluster(DBClusterIdentifier="x", Engine="aurora-mysql", MasterUsername="admin", MasterUserPassword=PASSWORD)
    since = aws.mark()
    with pytest.raises(ModuleFailed, match="rds_cluster x: .*not of this stack"):
        run_module(MODULE, params, aws)
    assert run_module(MODULE, {**params, "state": "absent"}, aws)["changes"] == []
    assert cluster(aws)["Status"] == "available" and mutations(aws, since) == []


# Of a backup

BESIDE = {"cluster_identifier": "x-restored", "name_prefix": "x", "enabled_cloudwatch_logs_exports": []}


def _of(aws, name):
    return aws.client("rds").describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]


def _tags(described):
    return {tag["Key"]: tag["Value"] for tag in described["TagList"]}


@pytest.fixture
def snapshot(aws, made):
    aws.client("rds").create_db_cluster_snapshot(DBClusterIdentifier="x", DBClusterSnapshotIdentifier="s")
    return {**made, **BESIDE, "restore_from": {"snapshot_identifier": "s"}}


def test_a_cluster_of_a_snapshot_beside_the_one_it_was_taken_of(aws, snapshot):
    aws.client("secretsmanager").put_secret_value(SecretId="password", SecretString="second-Passw0rd")  # since the snapshot
    since = aws.mark()
    result = run(aws, snapshot)
    assert lines(result) == [("create", "rds_cluster", "x-restored"), ("create", "rds_instance", "x-2")]
    assert {"name": "restored_from", "before": None, "after": "snapshot:s"} in result["changes"][0]["fields"]
    calls = ["RestoreDBClusterFromSnapshot", "AddTagsToResource", "ModifyDBCluster", "AddTagsToResource", "CreateDBInstance"]
    assert mutations(aws, since) == calls
    old, new = _of(aws, "x"), _of(aws, "x-restored")
    assert (new["Status"], new["DBClusterMembers"][0]["DBInstanceIdentifier"]) == ("available", "x-2")
    same = (
        "DBSubnetGroup",
        "DBClusterParameterGroup",
        "VpcSecurityGroups",
        "KmsKeyId",
        "Port",
        "DatabaseName",
        "EngineVersion",
        "BackupRetentionPeriod",
        "PreferredBackupWindow",
        "PreferredMaintenanceWindow",
        "ServerlessV2ScalingConfiguration",
        "DeletionProtection",
        "CopyTagsToSnapshot",
        "EngineLifecycleSupport",
        "MasterUsername",
    )
    assert {field: new.get(field) for field in same} == {field: old.get(field) for field in same}
    assert new["DbClusterResourceId"] != old["DbClusterResourceId"] and new["EnabledCloudwatchLogsExports"] == []
    password = aws.client("secretsmanager").describe_secret(SecretId="password")["VersionIdsToStages"]
    current = next(version for version, stages in password.items() if "AWSCURRENT" in stages)
    assert _tags(new) == {**snapshot["tags"], "mlflow-restored-from": "snapshot:s", "mlflow-password-version": current}
    assert result["cluster"]["database_name"] == "mlflow"
    again = run(aws, snapshot)
    assert again["changes"] == [] and again["cluster"]["resource_id"] == new["DbClusterResourceId"]
    with pytest.raises(ModuleFailed, match="its data is not of snapshot:t"):
        run(aws, snapshot, restore_from={"snapshot_identifier": "t"})


@pytest.mark.parametrize("backup", [{"snapshot_identifier": "s"}, {"source_cluster_identifier": "x", "time": "latest"}])
def test_a_restored_cluster_has_the_tags_of_others_too(aws, made, backup):
    aws.client("rds").add_tags_to_resource(ResourceName=_of(aws, "x")["DBClusterArn"], Tags=tag_list({"corp:owner": "us", "other": "1"}))
    aws.client("rds").create_db_cluster_snapshot(DBClusterIdentifier="x", DBClusterSnapshotIdentifier="s")
    run(aws, {**made, **BESIDE, "restore_from": backup}, ignore_tags=["corp:"])
    given = _tags(_of(aws, "x-restored"))
    assert given["corp:owner"] == "us" and "other" not in given


def test_a_cluster_as_it_was_at_a_time(aws, made):
    latest = {"source_cluster_identifier": "x", "time": "latest"}
    since = aws.mark()
    result = run(aws, {**made, **BESIDE, "restore_from": latest})
    assert lines(result)[0] == ("create", "rds_cluster", "x-restored")
    restore = next(call["params"] for call in aws.mutating(since) if call["operation"] == "RestoreDBClusterToPointInTime")
    assert (restore["SourceDBClusterIdentifier"], restore["UseLatestRestorableTime"]) == ("x", "true")
    assert _tags(_of(aws, "x-restored"))["mlflow-restored-from"] == "time:latest"


def test_an_older_snapshot_is_upgraded_to_the_wanted_version_and_given_another_key(aws, snapshot):
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    run_module(MODULE, {**snapshot, "engine_version": "8.0.mysql_aurora.3.10.6", "kms_key_id": key}, aws)
    new = _of(aws, "x-restored")
    assert (new["EngineVersion"], new["KmsKeyId"]) == ("8.0.mysql_aurora.3.10.6", key)


@pytest.mark.parametrize("operation", ["RestoreDBClusterFromSnapshot", "ModifyDBCluster", "CreateDBInstance"])
def test_a_restore_that_died_goes_on(aws, snapshot, operation):
    aws.faults({"service": "rds", "operation": operation, "times": 1, "error": {"code": "InvalidParameterValue"}})
    with pytest.raises(ModuleFailed, match="InvalidParameterValue"):
        run_module(MODULE, snapshot, aws)
    run_module(MODULE, snapshot, aws)
    new = _of(aws, "x-restored")
    assert "mlflow-password-version" in _tags(new) and len(new["DBClusterMembers"]) == 1
    assert run(aws, snapshot)["changes"] == []


def test_a_cluster_that_aws_names_no_database_of_is_as_it_should_be(aws, params):
    run_module(MODULE, {**params, "database_name": None}, aws)
    result = run(aws, params)
    assert result["changes"] == [] and result["cluster"]["database_name"] == "mlflow"


def test_the_clusters_that_restores_left_go_with_theirs(aws, snapshot):
    run_module(MODULE, snapshot, aws)
    aws.client("rds").modify_db_cluster(DBClusterIdentifier="x", NewDBClusterIdentifier="x-before-20261122t221500z")
    aws.client("rds").create_db_cluster(
        DBClusterIdentifier="x-before-20261122t221501z", Engine="aurora-mysql", MasterUsername="a", MasterUserPassword=PASSWORD
    )  # somebody else's
    gone = run(aws, {"cluster_identifier": "x", "tags": snapshot["tags"]}, state="absent", disable_deletion_protection=True)
    left = aws.client("rds").describe_db_clusters()["DBClusters"]
    assert [cluster["DBClusterIdentifier"] for cluster in left] == ["x-before-20261122t221501z"]
    (last,) = gone["final_snapshots"]
    assert last.startswith("x-before-20261122t221500z-final-20")
    assert not aws.client("rds").describe_db_subnet_groups()["DBSubnetGroups"]

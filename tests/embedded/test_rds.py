# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RDS of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from embedded.helpers import Network, create_db_cluster, has, refused
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS


def _describe_cluster(aws: EmbeddedAWS) -> dict[str, Any]:
    return aws.client("rds").describe_db_clusters(DBClusterIdentifier="d")["DBClusters"][0]


def _member(aws: EmbeddedAWS, name: str = "i", **arguments: Any) -> dict[str, Any]:
    return aws.client("rds").create_db_instance(
        DBInstanceIdentifier=name, DBClusterIdentifier="d", Engine="aurora-mysql", DBInstanceClass="db.serverless", **arguments
    )["DBInstance"]


def test_subnet_groups(aws: EmbeddedAWS, network: Network) -> None:
    rds, group = aws.client("rds"), {"DBSubnetGroupName": "g", "DBSubnetGroupDescription": "g"}
    refused("DBSubnetGroupDoesNotCoverEnoughAZs", rds.create_db_subnet_group, **group, SubnetIds=network.subnets[:1])
    create_db_cluster(aws, network)
    refused("DBSubnetGroupAlreadyExists", rds.create_db_subnet_group, **group, SubnetIds=network.subnets)
    rds.modify_db_subnet_group(DBSubnetGroupName="g", SubnetIds=network.subnets[:2])
    (described,) = rds.describe_db_subnet_groups(DBSubnetGroupName="g")["DBSubnetGroups"]
    assert {each["SubnetIdentifier"] for each in described["Subnets"]} == set(network.subnets[:2])
    refused("InvalidDBSubnetGroupStateFault", rds.delete_db_subnet_group, DBSubnetGroupName="g")


def test_cluster_parameter_groups(aws: EmbeddedAWS, network: Network) -> None:
    rds, name = aws.client("rds"), {"DBClusterParameterGroupName": "p"}
    created = rds.create_db_cluster_parameter_group(**name, DBParameterGroupFamily="aurora-mysql8.0", Description="p", Tags=[{"Key": "a", "Value": "1"}])[
        "DBClusterParameterGroup"
    ]
    arn = created["DBClusterParameterGroupArn"]
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "a", "Value": "1"}]

    def parameters(**source):
        return {
            each["ParameterName"]: (each.get("ParameterValue"), each["Source"]) for each in rds.describe_db_cluster_parameters(**name, **source)["Parameters"]
        }

    assert parameters(Source="user") == {}
    assert parameters()["require_secure_transport"][0] == "OFF"
    rds.modify_db_cluster_parameter_group(
        **name, Parameters=[{"ParameterName": "require_secure_transport", "ParameterValue": "ON", "ApplyMethod": "immediate"}]
    )
    assert parameters(Source="user") == {"require_secure_transport": ("ON", "user")}
    has(create_db_cluster(aws, network, **name), DBClusterParameterGroup="p")
    refused("InvalidDBParameterGroupState", rds.delete_db_cluster_parameter_group, **name)
    rds.reset_db_cluster_parameter_group(**name, ResetAllParameters=True)
    assert parameters(Source="user") == {}


def test_cluster_echo(aws: EmbeddedAWS, network: Network) -> None:
    given = {
        "DeletionProtection": True,
        "CopyTagsToSnapshot": True,
        "BackupRetentionPeriod": 14,
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
        "StorageEncrypted": True,
        "EngineVersion": "8.0.mysql_aurora.3.12.0",
        "Port": 3307,
        "DatabaseName": "mlflow",
    }
    created = create_db_cluster(
        aws,
        network,
        **given,
        EnableCloudwatchLogsExports=["audit"],
        EnableIAMDatabaseAuthentication=True,
        ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 4},
        StorageType="aurora-iopt1",
        VpcSecurityGroupIds=[network.group],
        Tags=[{"Key": "a", "Value": "1"}],
    )
    has(created, Status="creating")
    cluster = _describe_cluster(aws)
    has(cluster, **given, Status="available", EnabledCloudwatchLogsExports=["audit"], StorageType="aurora-iopt1")
    has(
        cluster,
        IAMDatabaseAuthenticationEnabled=True,
        HttpEndpointEnabled=False,
        DBSubnetGroup="g",
        TagList=[{"Key": "a", "Value": "1"}],
        DBClusterParameterGroup="default.aurora-mysql8.0",
        VpcSecurityGroups=[{"VpcSecurityGroupId": network.group, "Status": "active"}],
    )
    assert cluster["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0, "MaxCapacity": 4, "SecondsUntilAutoPause": 300}
    assert "ScalingConfigurationInfo" not in cluster
    assert cluster["KmsKeyId"].startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
    assert cluster["DbClusterResourceId"].startswith("cluster-")
    assert ".cluster-ro-" in cluster["ReaderEndpoint"]
    refused("InvalidParameterCombination", aws.client("rds").delete_db_cluster, DBClusterIdentifier="d", SkipFinalSnapshot=True)
    refused("DBClusterAlreadyExistsFault", create_db_cluster, aws=aws, network=network)


def test_cluster_defaults_and_refusals(aws: EmbeddedAWS, network: Network) -> None:
    for code, arguments in (
        ("InvalidParameterCombination", {"EngineVersion": "8.0.mysql_aurora.3.99.0"}),
        ("DBSubnetGroupNotFoundFault", {"DBSubnetGroupName": "none"}),
        ("DBClusterParameterGroupNotFound", {"DBClusterParameterGroupName": "none"}),
        ("KMSKeyNotAccessibleFault", {"StorageEncrypted": True, "KmsKeyId": "none"}),
    ):
        refused(code, create_db_cluster, aws=aws, network=network, **arguments)
    create_db_cluster(aws, network)
    has(
        _describe_cluster(aws),
        EngineLifecycleSupport="open-source-rds-extended-support",
        StorageType=None,
        KmsKeyId=None,
        ServerlessV2ScalingConfiguration=None,
        Port=3306,
    )
    refused("InvalidParameterCombination", _member, aws=aws)


def test_cluster_modification(aws: EmbeddedAWS, network: Network) -> None:
    rds = aws.client("rds")
    create_db_cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 4})
    _member(aws)
    assert "SecondsUntilAutoPause" not in _describe_cluster(aws)["ServerlessV2ScalingConfiguration"]
    rds.modify_db_cluster(
        DBClusterIdentifier="d",
        ApplyImmediately=True,
        BackupRetentionPeriod=7,
        EnableIAMDatabaseAuthentication=True,
        CloudwatchLogsExportConfiguration={"EnableLogTypes": ["audit", "error"]},
        ServerlessV2ScalingConfiguration={"MinCapacity": 0, "SecondsUntilAutoPause": 600},
        DeletionProtection=True,
        MasterUserPassword="another-password",
    )
    rds.modify_db_cluster(DBClusterIdentifier="d", CloudwatchLogsExportConfiguration={"DisableLogTypes": ["audit"]})
    arn = _describe_cluster(aws)["DBClusterArn"]
    assert rds.enable_http_endpoint(ResourceArn=arn)["HttpEndpointEnabled"] is True
    has(
        _describe_cluster(aws),
        BackupRetentionPeriod=7,
        IAMDatabaseAuthenticationEnabled=True,
        Status="available",
        HttpEndpointEnabled=True,
        EnabledCloudwatchLogsExports=["error"],
        DeletionProtection=True,
        ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 4, "SecondsUntilAutoPause": 600},
    )
    assert rds.disable_http_endpoint(ResourceArn=arn)["HttpEndpointEnabled"] is False
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    assert {group["logGroupName"] for group in groups} == {"/aws/rds/cluster/d/audit", "/aws/rds/cluster/d/error"}
    refused("DBClusterNotFoundFault", rds.modify_db_cluster, DBClusterIdentifier="none")


def test_windows_and_ports(aws: EmbeddedAWS, network: Network) -> None:
    """ModifyDBCluster in the RDS API Reference: the windows must not meet, the port is 1150 to 65535, and that of the instances too."""
    modify, cluster = aws.client("rds").modify_db_cluster, {"DBClusterIdentifier": "d"}
    create_db_cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 1}, PreferredBackupWindow="03:00-04:00")
    _member(aws)
    modify(**cluster, PreferredMaintenanceWindow="Sun:04:30-Sun:05:30")
    assert _describe_cluster(aws)["PreferredMaintenanceWindow"] == "sun:04:30-sun:05:30"
    refused("InvalidParameterValue", modify, **cluster, PreferredMaintenanceWindow="sun:03:30-sun:04:30")
    refused("InvalidParameterValue", modify, **cluster, PreferredBackupWindow="05:00-06:00")
    refused("InvalidParameterValue", modify, **cluster, PreferredMaintenanceWindow="sunday")
    refused("InvalidParameterValue", modify, **cluster, Port=80)
    modify(**cluster, Port=3400)
    assert _describe_cluster(aws)["Port"] == 3400
    assert aws.client("rds").describe_db_instances()["DBInstances"][0]["Endpoint"]["Port"] == 3400


def test_backtracking_is_for_clusters_that_were_made_with_it(aws: EmbeddedAWS, network: Network) -> None:
    """Amazon Aurora User Guide, "Backtracking an Aurora DB cluster", limitations."""
    modify, cluster = aws.client("rds").modify_db_cluster, {"DBClusterIdentifier": "d"}
    create_db_cluster(aws, network, BacktrackWindow=3600)
    modify(**cluster, BacktrackWindow=7200)
    assert _describe_cluster(aws)["BacktrackWindow"] == 7200
    aws.client("rds").delete_db_cluster(**cluster, SkipFinalSnapshot=True)
    create_db_cluster(aws, network)
    modify(**cluster, BacktrackWindow=0)
    assert "BacktrackWindow" not in _describe_cluster(aws)
    refused("InvalidParameterCombination", modify, **cluster, BacktrackWindow=3600)


def test_members(aws: EmbeddedAWS, network: Network) -> None:
    rds = aws.client("rds")
    create_db_cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 4})
    has(_member(aws, EnablePerformanceInsights=True), DBInstanceStatus="creating", PerformanceInsightsEnabled=True)
    _member(aws, "j")
    (described,) = rds.describe_db_instances(DBInstanceIdentifier="i")["DBInstances"]
    has(described, DBInstanceStatus="available", DBInstanceClass="db.serverless")
    assert described["DBSubnetGroup"]["DBSubnetGroupName"] == "g"
    members = _describe_cluster(aws)["DBClusterMembers"]
    assert [(each["DBInstanceIdentifier"], each["IsClusterWriter"]) for each in members] == [("i", True), ("j", False)]
    refused("InvalidDBClusterStateFault", rds.delete_db_cluster, DBClusterIdentifier="d", SkipFinalSnapshot=True)
    rds.delete_db_instance(DBInstanceIdentifier="i")
    (member,) = _describe_cluster(aws)["DBClusterMembers"]
    has(member, DBInstanceIdentifier="j", IsClusterWriter=True)
    rds.modify_db_instance(DBInstanceIdentifier="j", EnablePerformanceInsights=True, ApplyImmediately=True)
    (described,) = rds.describe_db_instances()["DBInstances"]
    has(described, PerformanceInsightsEnabled=True)


def test_cluster_deletion(aws: EmbeddedAWS, network: Network) -> None:
    rds, cluster = aws.client("rds"), {"DBClusterIdentifier": "d"}
    tags = [{"Key": "a", "Value": "1"}]
    create_db_cluster(aws, network, CopyTagsToSnapshot=True, Tags=tags)
    refused("InvalidParameterCombination", rds.delete_db_cluster, **cluster)
    assert rds.delete_db_cluster(**cluster, FinalDBSnapshotIdentifier="final")["DBCluster"]["Status"] == "deleting"
    refused("DBClusterNotFoundFault", rds.describe_db_clusters, **cluster)
    (snapshot,) = rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    has(snapshot, DBClusterSnapshotIdentifier="final", Status="available", SnapshotType="manual", TagList=tags)
    create_db_cluster(aws, network)
    refused("DBClusterSnapshotAlreadyExistsFault", rds.delete_db_cluster, **cluster, FinalDBSnapshotIdentifier="final")
    assert _describe_cluster(aws)["Status"] == "available"


def test_creation_and_deletion_take_time(aws: EmbeddedAWS, network: Network) -> None:
    rds = aws.client("rds")
    aws.creation_seconds(rds=0.7)
    create_db_cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 4})
    refused("InvalidDBClusterStateFault", rds.modify_db_cluster, DBClusterIdentifier="d", BackupRetentionPeriod=2)
    time.sleep(0.7)
    assert _describe_cluster(aws)["Status"] == "available"
    _member(aws)
    assert rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "creating"
    rds.delete_db_instance(DBInstanceIdentifier="i")
    rds.delete_db_cluster(DBClusterIdentifier="d", SkipFinalSnapshot=True)
    assert rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "deleting"
    assert _describe_cluster(aws)["Status"] == "deleting"
    time.sleep(0.7)
    assert rds.describe_db_instances()["DBInstances"] == rds.describe_db_clusters()["DBClusters"] == []


def test_snapshots_and_what_is_restored_from_them(aws: EmbeddedAWS, network: Network) -> None:
    rds, name = aws.client("rds"), {"DBClusterSnapshotIdentifier": "S"}
    create_db_cluster(
        aws,
        network,
        CopyTagsToSnapshot=True,
        Tags=[{"Key": "a", "Value": "1"}],
        DatabaseName="data",
        EngineVersion="8.0.mysql_aurora.3.10.3",
        StorageEncrypted=True,
        BackupRetentionPeriod=9,
        DeletionProtection=True,
    )
    aws.creation_seconds(rds=0.7)
    time.sleep(0.7)
    has(rds.create_db_cluster_snapshot(DBClusterIdentifier="d", **name)["DBClusterSnapshot"], Status="creating")
    refused("DBClusterSnapshotAlreadyExistsFault", rds.create_db_cluster_snapshot, DBClusterIdentifier="d", **name)
    restore = {"DBClusterIdentifier": "r", "SnapshotIdentifier": "s", "Engine": "aurora-mysql"}
    refused("InvalidDBClusterSnapshotStateFault", rds.restore_db_cluster_from_snapshot, **restore)
    time.sleep(0.7)
    (snapshot,) = rds.describe_db_cluster_snapshots(**name)["DBClusterSnapshots"]
    rds.add_tags_to_resource(ResourceName=_describe_cluster(aws)["DBClusterArn"], Tags=[{"Key": "b", "Value": "2"}])
    source = _describe_cluster(aws)
    has(snapshot, Status="available", DbClusterResourceId=source["DbClusterResourceId"], TagList=[{"Key": "a", "Value": "1"}])
    refused("DBClusterSnapshotNotFoundFault", rds.restore_db_cluster_from_snapshot, **{**restore, "SnapshotIdentifier": "t"})
    refused("DBClusterAlreadyExistsFault", rds.restore_db_cluster_from_snapshot, **{**restore, "DBClusterIdentifier": "d"})
    refused("InvalidParameterCombination", rds.restore_db_cluster_from_snapshot, **{**restore, "Engine": "aurora-postgresql"})
    scaling = {"MinCapacity": 1.0, "MaxCapacity": 4.0}
    answer = rds.restore_db_cluster_from_snapshot(
        **restore, DBSubnetGroupName="g", EngineVersion="8.0.mysql_aurora.3.10.3", ServerlessV2ScalingConfiguration=scaling
    )
    has(answer["DBCluster"], Status="creating", DBClusterMembers=[], DBSubnetGroup="g", DatabaseName="data", MasterUsername="m")
    member = {"DBInstanceIdentifier": "i", "DBInstanceClass": "db.serverless", "Engine": "aurora-mysql", "DBClusterIdentifier": "r"}
    refused("InvalidDBClusterStateFault", rds.create_db_instance, **member)
    time.sleep(0.7)
    rds.create_db_instance(**member)
    (restored,) = rds.describe_db_clusters(DBClusterIdentifier="r")["DBClusters"]
    has(
        restored,
        Status="available",
        KmsKeyId=source["KmsKeyId"],
        BackupRetentionPeriod=9,
        DeletionProtection=False,
        TagList=[],
        EnabledCloudwatchLogsExports=[],
        DBClusterParameterGroup="default.aurora-mysql8.0",
    )
    assert restored["DbClusterResourceId"] != source["DbClusterResourceId"]


def test_a_cluster_goes_back_to_a_time_that_its_backups_cover(aws: EmbeddedAWS, network: Network) -> None:
    rds = aws.client("rds")
    source = create_db_cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 4})
    restore = {"DBClusterIdentifier": "r", "SourceDBClusterIdentifier": "d", "DBSubnetGroupName": "g"}
    back = rds.restore_db_cluster_to_point_in_time
    refused("InvalidParameterCombination", back, **restore)
    refused("InvalidParameterValue", back, **restore, RestoreToTime=source["EarliestRestorableTime"] - timedelta(hours=1))
    refused("InvalidParameterValue", back, **restore, RestoreToTime=source["EarliestRestorableTime"] + timedelta(hours=1))
    refused("DBClusterNotFoundFault", back, **{**restore, "SourceDBClusterIdentifier": "none"}, UseLatestRestorableTime=True)
    restored = back(**restore, UseLatestRestorableTime=True)["DBCluster"]
    has(restored, Status="creating", ServerlessV2ScalingConfiguration={"MinCapacity": 1.0, "MaxCapacity": 4.0})
    time.sleep(0.01)
    back(**{**restore, "DBClusterIdentifier": "t"}, RestoreToTime=datetime.now(timezone.utc))


def test_enhanced_monitoring(aws: EmbeddedAWS, network: Network) -> None:
    """CreateDBInstance and ModifyDBInstance in the Amazon RDS API Reference; the role stays when it is turned off (pganalyze/collector#701)."""
    rds, iam = aws.client("rds"), aws.client("iam")
    create_db_cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 4})
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "monitoring.rds.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    arns = {}
    for name, service in {"right": "monitoring.rds", "bare": "monitoring.rds", "other": "rds"}.items():
        document = json.dumps({"Version": "2012-10-17", **trust}).replace("monitoring.rds", service)
        arns[name] = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        if name != "bare":
            iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole")
    for wrong in (arns["bare"], arns["other"], arns["right"] + "s"):
        message = refused("InvalidParameterValue", partial(_member, aws), MonitoringInterval=60, MonitoringRoleArn=wrong)
        assert "ENHANCED_MONITORING" in message
    refused("InvalidParameterCombination", partial(_member, aws), MonitoringInterval=60)
    has(_member(aws, MonitoringInterval=60, MonitoringRoleArn=arns["right"]), MonitoringInterval=60, MonitoringRoleArn=arns["right"])
    modify = partial(rds.modify_db_instance, DBInstanceIdentifier="i", ApplyImmediately=True)
    refused("InvalidParameterCombination", modify, MonitoringInterval=5)
    has(modify(MonitoringInterval=0)["DBInstance"], MonitoringInterval=0, MonitoringRoleArn=arns["right"])
    refused("InvalidParameterValue", modify, MonitoringInterval=5, MonitoringRoleArn=arns["bare"])


def test_a_renamed_cluster_takes_its_members_along(aws: EmbeddedAWS, network: Network) -> None:
    rds = aws.client("rds")
    before = create_db_cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 4})
    _member(aws)
    create_db_cluster(aws, network, DBClusterIdentifier="other")
    rename = {"DBClusterIdentifier": "d", "ApplyImmediately": True}
    refused("DBClusterAlreadyExistsFault", rds.modify_db_cluster, **rename, NewDBClusterIdentifier="other")
    aws.creation_seconds(rds=0.7)
    time.sleep(0.7)
    rds.modify_db_cluster(**rename, NewDBClusterIdentifier="E")
    assert _describe_cluster(aws)["Status"] == "renaming"
    refused("DBClusterNotFoundFault", rds.describe_db_clusters, DBClusterIdentifier="e")
    refused("InvalidDBClusterStateFault", rds.modify_db_cluster, **rename, BackupRetentionPeriod=2)
    time.sleep(0.7)
    refused("DBClusterNotFoundFault", rds.describe_db_clusters, DBClusterIdentifier="d")
    (renamed,) = rds.describe_db_clusters(DBClusterIdentifier="e")["DBClusters"]
    has(renamed, Status="available", DbClusterResourceId=before["DbClusterResourceId"], TagList=[])
    assert renamed["DBClusterArn"].endswith(":cluster:e")
    for endpoint in ("Endpoint", "ReaderEndpoint"):
        assert renamed[endpoint] == f"e{before[endpoint][1:]}"
    assert [member["DBInstanceIdentifier"] for member in renamed["DBClusterMembers"]] == ["i"]
    assert rds.describe_db_instances()["DBInstances"][0]["DBClusterIdentifier"] == "e"


@pytest.mark.parametrize(
    ("engine", "version", "family"),
    [
        ("aurora-mysql", "8.0.mysql_aurora.3.10.0", "aurora-mysql8.0"),
        ("aurora-mysql", "8.0.mysql_aurora.3.12.0", "aurora-mysql8.0"),
        ("aurora-postgresql", "16.8", "aurora-postgresql16"),
        ("aurora-postgresql", "17.7", "aurora-postgresql17"),
    ],
)
def test_engine_versions(aws: EmbeddedAWS, engine: str, version: str, family: str) -> None:
    rds = aws.client("rds")
    (offered,) = rds.describe_db_engine_versions(Engine=engine, EngineVersion=version)["DBEngineVersions"]
    has(offered, DBParameterGroupFamily=family, Status="available")
    assert rds.describe_db_engine_versions(Engine=engine, EngineVersion="0.1")["DBEngineVersions"] == []
    assert len(rds.describe_db_engine_versions(Engine=engine, DefaultOnly=True)["DBEngineVersions"]) == 1
    options = rds.describe_orderable_db_instance_options(Engine=engine, EngineVersion=version, DBInstanceClass="db.serverless")["OrderableDBInstanceOptions"]
    assert {option["DBInstanceClass"] for option in options} == {"db.serverless"}

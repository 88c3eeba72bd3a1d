# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RDS: Aurora clusters as AWS echoes, guards and times them."""

from __future__ import annotations

import copy
import itertools
import uuid
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.rds import exceptions, models, responses
from moto.rds.utils import valid_preferred_maintenance_window

from embedded_aws.gaps import gap
from embedded_aws.timing import Elapsed

MYSQL, POSTGRESQL = "aurora-mysql", "aurora-postgresql"
VERSIONS = {
    MYSQL: [
        "8.0.mysql_aurora.3.04.4",
        "8.0.mysql_aurora.3.08.2",
        *(f"8.0.mysql_aurora.3.10.{patch}" for patch in range(7)),
        "8.0.mysql_aurora.3.12.0",
        "8.0.mysql_aurora.3.13.0",
    ],
    POSTGRESQL: [
        "14.24",
        "15.19",
        *(f"16.{minor}" for minor in range(8, 16)),
        *(f"17.{minor}" for minor in range(4, 12)),
        *(f"18.{minor}" for minor in range(3, 7)),
    ],
}
DEFAULT_VERSIONS = {MYSQL: "8.0.mysql_aurora.3.10.0", POSTGRESQL: "17.7"}
LOG_TYPES = {MYSQL: ["audit", "error", "general", "instance", "iam-db-auth-error", "slowquery"], POSTGRESQL: ["iam-db-auth-error", "instance", "postgresql"]}
INSTANCE_CLASSES = ["db.serverless", "db.t4g.medium", "db.r7g.large", "db.r8g.large"]
# A few of the engine's defaults: those that a deployment is likely to look at.
ENGINE_DEFAULTS = {
    MYSQL: {
        "character_set_server": None,
        "general_log": None,
        "log_bin_trust_function_creators": None,
        "require_secure_transport": "OFF",
        "server_audit_events": None,
        "server_audit_logging": "0",
        "slow_query_log": None,
        "tls_version": "TLSv1.2,TLSv1.3",
    },
    POSTGRESQL: {
        "log_min_duration_statement": None,
        "log_statement": None,
        "pgaudit.log": None,
        "rds.force_ssl": "1",
        "rds.logical_replication": "0",
        "shared_preload_libraries": "pg_stat_statements",
    },
}
# The rest is static: it takes effect at a reboot.
DYNAMIC = {
    "character_set_server",
    "general_log",
    "log_bin_trust_function_creators",
    "log_min_duration_statement",
    "log_statement",
    "pgaudit.log",
    "rds.force_ssl",
    "require_secure_transport",
    "server_audit_events",
    "server_audit_logging",
    "slow_query_log",
}


class RDSError(exceptions.RDSClientError):
    """An error of the RDS API, by its documented code."""


def _family(engine: str, version: str) -> str:
    return f"{engine}{'8.0' if engine == MYSQL else version.partition('.')[0]}"


def _engine_of_family(family: str) -> str:
    return MYSQL if family.startswith(MYSQL) else POSTGRESQL


# --- engine versions -------------------------------------------------------------------------------------------------


AUTOMATED = itertools.count()
"""Tells automated snapshots of one minute apart."""


@gap(responses.RDSResponse, "describe_db_engine_versions")
def describe_db_engine_versions(_original: Any, self: Any) -> ActionResult:
    """DescribeDBEngineVersions lists the versions offered, with their parameter group family and log types."""
    engines = [self.params["Engine"]] if self.params.get("Engine") else list(VERSIONS)
    offered = [
        _engine_version(engine, version)
        for engine in engines
        for version in VERSIONS.get(engine, [])
        if self.params.get("EngineVersion") in (None, version)
        and not (self.params.get("DefaultOnly") and version != DEFAULT_VERSIONS[engine])
        and self.params.get("DBParameterGroupFamily") in (None, _family(engine, version))
    ]
    return ActionResult({"DBEngineVersions": offered})


def _engine_version(engine: str, version: str) -> dict[str, Any]:
    return {
        "Engine": engine,
        "EngineVersion": version,
        "MajorEngineVersion": "8.0" if engine == MYSQL else version.partition(".")[0],
        "DBParameterGroupFamily": _family(engine, version),
        "DBEngineDescription": "Aurora MySQL" if engine == MYSQL else "Aurora (PostgreSQL)",
        "ExportableLogTypes": LOG_TYPES[engine],
        "ServerlessV2FeaturesSupport": {"MinCapacity": 0.5 if ".3.04." in version else 0, "MaxCapacity": 256},
        "Status": "available",
        "SupportedEngineModes": ["provisioned"],
        "SupportsLogExportsToCloudwatchLogs": True,
        "SupportsReadReplica": False,
        "ValidUpgradeTarget": [],
    }


@gap(responses.RDSResponse, "describe_orderable_db_instance_options")
def describe_orderable_db_instance_options(original: Any, self: Any) -> Any:
    """DescribeOrderableDBInstanceOptions lists the instance classes, db.serverless among them, of Aurora versions."""
    engine = self.params.get("Engine")
    if engine not in VERSIONS:
        return original(self)
    options = [
        {
            "Engine": engine,
            "EngineVersion": version,
            "DBInstanceClass": instance_class,
            "LicenseModel": "general-public-license" if engine == MYSQL else "postgresql-license",
            "AvailabilityZones": [{"Name": f"{self.region}{zone}"} for zone in "abc"],
            "SupportsStorageEncryption": True,
            "SupportsIAMDatabaseAuthentication": True,
            "StorageType": storage_type,
            "SupportedEngineModes": ["provisioned"],
            "Vpc": True,
        }
        for version in VERSIONS[engine]
        for instance_class in INSTANCE_CLASSES
        for storage_type in ("aurora", "aurora-iopt1")
        if self.params.get("EngineVersion") in (None, version) and self.params.get("DBInstanceClass") in (None, instance_class)
    ]
    return ActionResult({"OrderableDBInstanceOptions": options})


# --- subnet groups ---------------------------------------------------------------------------------------------------


@gap(models.RDSBackend, "create_subnet_group")
def create_subnet_group(original: Any, self: Any, subnet_name: str, description: Any, subnets: Any, tags: Any) -> Any:
    """CreateDBSubnetGroup refuses a name in use and subnets in fewer than two Availability Zones."""
    if subnet_name.lower() in self.subnet_groups:
        raise RDSError("DBSubnetGroupAlreadyExists", f"The DB subnet group '{subnet_name}' already exists.")
    _need_two_zones(subnets)
    return original(self, subnet_name.lower(), description, subnets, tags)


@gap(models.RDSBackend, "describe_db_subnet_groups")
def describe_db_subnet_groups(original: Any, self: Any, subnet_group_name: str | None) -> Any:
    """A DB subnet group's name knows no case."""
    return original(self, subnet_group_name and subnet_group_name.lower())


@gap(models.RDSBackend, "modify_db_subnet_group")
def modify_db_subnet_group(_original: Any, self: Any, subnet_name: str, description: Any, subnets: Any) -> Any:
    """ModifyDBSubnetGroup changes the group in place."""
    group = self.describe_db_subnet_groups(subnet_name)[0]
    _need_two_zones(subnets)
    group.subnets = subnets
    if description is not None:
        group.description = description
    return group


@gap(models.RDSBackend, "delete_subnet_group")
def delete_subnet_group(original: Any, self: Any, subnet_name: str) -> Any:
    """DeleteDBSubnetGroup refuses a group in use."""
    _forget_deleted(self)
    if any(cluster.db_subnet_group == subnet_name for cluster in self.clusters.values()):
        raise RDSError("InvalidDBSubnetGroupStateFault", f"Cannot delete the subnet group '{subnet_name}' because at least one database is still using it.")
    return original(self, subnet_name.lower())


def _need_two_zones(subnets: list[Any]) -> None:
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        raise RDSError(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Add subnets to cover at least 2 AZs.",
        )


# --- cluster parameter groups ----------------------------------------------------------------------------------------


@gap(models.DBClusterParameterGroup, "__init__")
def parameter_group_age(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """A new cluster parameter group may not be known yet to an instance that is made within minutes: it needs a reboot."""
    original(self, *args, **kwargs)
    self.since_creation = Elapsed("parameters")


@gap(models.DBCluster, "db_cluster_members")
def cluster_members(original: Any, self: Any) -> Any:
    """A member says pending-reboot until it has all parameters of its cluster."""
    members = original(self)
    for member in members:
        if getattr(self.backend.databases[member["DBInstanceIdentifier"]], "lacks_parameters", False):
            member["DBClusterParameterGroupStatus"] = "pending-reboot"
    return members


@gap(models.RDSBackend, "reboot_db_instance")
def reboot_db_instance(_original: Any, self: Any, db_instance_identifier: str) -> Any:
    """RebootDBInstance needs an available instance, which then has all parameters."""
    instance = self.describe_db_instances(db_instance_identifier)[0]
    if instance.status != "available":
        raise RDSError("InvalidDBInstanceState", f"Database instance is not in available state: {instance.status}")
    instance.lacks_parameters, instance.status, instance.since_creation = False, "rebooting", Elapsed("rds")
    return instance


@gap(models.DBClusterParameterGroup, "update_cluster_parameters")
def update_cluster_parameters(_original: Any, self: Any, new_parameters: Any) -> None:
    """A parameter that was set has the source user, unless to its default value."""
    defaults = ENGINE_DEFAULTS[_engine_of_family(self.db_parameter_group_family)]
    for given in new_parameters:
        name = given["ParameterName"]
        if defaults.get(name) is not None and given.get("ParameterValue") == defaults[name]:
            self.parameters.pop(name, None)
            continue
        self.parameters[name] = {
            "ParameterValue": given.get("ParameterValue"),
            "ApplyMethod": given.get("ApplyMethod", "pending-reboot"),
            "Source": "user",
            "IsModifiable": True,
        }


@gap(responses.RDSResponse, "describe_db_cluster_parameters")
def describe_db_cluster_parameters(_original: Any, self: Any) -> ActionResult:
    """DescribeDBClusterParameters lists the engine's defaults too, says what is dynamic, and filters by source."""
    name, source = self.params.get("DBClusterParameterGroupName"), self.params.get("Source")
    if name.startswith("default."):
        engine, set_by_user = _engine_of_family(name.removeprefix("default.")), {}
    else:
        group = self.backend.describe_db_cluster_parameter_groups(name)[0]
        engine, set_by_user = _engine_of_family(group.db_parameter_group_family), group.parameters
    defaults = {
        parameter: {"ParameterValue": value, "Source": "engine-default" if value is None else "system"} for parameter, value in ENGINE_DEFAULTS[engine].items()
    }
    parameters = [
        {
            "ApplyMethod": "pending-reboot",
            "ApplyType": "dynamic" if parameter in DYNAMIC else "static",
            "IsModifiable": True,
            **each,
            "ParameterName": parameter,
        }
        for parameter, each in sorted({**defaults, **set_by_user}.items())
        if source in (None, each["Source"])
    ]
    return ActionResult({"Parameters": parameters})


@gap(responses.RDSResponse, "reset_db_cluster_parameter_group")
def reset_db_cluster_parameter_group(_original: Any, self: Any) -> ActionResult:
    """ResetDBClusterParameterGroup gives the named parameters, or all, their engine default back."""
    name = self.params["DBClusterParameterGroupName"]
    group = self.backend.describe_db_cluster_parameter_groups(name)[0]
    if self.params.get("ResetAllParameters"):
        group.parameters.clear()
    for parameter in self.params.get("Parameters", []):
        group.parameters.pop(parameter["ParameterName"], None)
    return ActionResult({"DBClusterParameterGroupName": name})


@gap(models.RDSBackend, "delete_db_cluster_parameter_group")
def delete_db_cluster_parameter_group(original: Any, self: Any, db_cluster_parameter_group_name: str) -> None:
    """DeleteDBClusterParameterGroup refuses a group in use."""
    _forget_deleted(self)
    name = db_cluster_parameter_group_name
    if any(cluster.parameter_group == name for cluster in self.clusters.values()):
        raise RDSError(
            "InvalidDBParameterGroupState", f"One or more database instances are still members of this parameter group {name}, so the group cannot be deleted"
        )
    original(self, name)


# --- clusters --------------------------------------------------------------------------------------------------------


@gap(models.DBCluster, "default_allocated_storage")
def default_allocated_storage(original: Any, engine: str, storage_type: str) -> int:
    """Aurora storage grows by itself: AllocatedStorage is 1, whatever the storage type."""
    return 1 if engine in VERSIONS else original(engine=engine, storage_type=storage_type)


@gap(models.DBCluster, "default_engine_version")
def default_engine_version(original: Any, engine: str) -> str:
    """A cluster without a version gets the engine's default version."""
    return DEFAULT_VERSIONS.get(engine) or original(engine)


@gap(models.DBCluster, "__init__")
def cluster_echo(original: Any, self: Any, backend: Any, **kwargs: Any) -> None:
    """A cluster echoes what it was created with, and has the service's key if encrypted without one."""
    engine = kwargs["engine"]
    if kwargs.get("engine_version") and engine in VERSIONS and kwargs["engine_version"] not in VERSIONS[engine]:
        raise exceptions.InvalidParameterCombination(f"Cannot find version {kwargs['engine_version']} for {engine}")
    original(self, backend, **kwargs)
    self.since_creation, self.since_deletion = Elapsed("rds"), None
    self.since_renaming, self.new_identifier, self.restored = None, None, False
    self._status = "available"
    self.kms_key_id = None
    if self.storage_encrypted:
        self.kms_key_id = backend._validate_kms_key(kwargs["kms_key_id"]) if kwargs.get("kms_key_id") else _service_key(backend)
    self.engine_lifecycle_support = kwargs.get("engine_lifecycle_support") or "open-source-rds-extended-support"
    self.database_insights_mode = kwargs.get("database_insights_mode") or "standard"
    self.performance_insights_enabled = kwargs.get("enable_performance_insights", False)
    self._enable_http_endpoint = bool(kwargs.get("enable_http_endpoint"))
    self.enabled_cloudwatch_logs_exports = list(self.enabled_cloudwatch_logs_exports)
    if engine in VERSIONS:
        if not kwargs.get("db_cluster_parameter_group_name"):
            self.parameter_group = f"default.{_family(engine, self.engine_version)}"
        # The storage type is returned only when it is not the default one, aurora.
        self.storage_type = "aurora-iopt1" if kwargs.get("storage_type") == "aurora-iopt1" else None
    self.serverless_v2_scaling_configuration = _scaling({}, kwargs.get("serverless_v2_scaling_configuration"))
    _check_port(kwargs.get("port"))
    _choose_windows(self, kwargs)
    # moto says 0 of any cluster, AWS nothing of one that was made without.
    self.backtrack_window = kwargs.get("backtrack_window") or None


def _check_port(port: int | None) -> None:
    if port and not 1150 <= port <= 65535:
        raise exceptions.InvalidParameterValue(f"Invalid port: {port}. It must be between 1150 and 65535.")


def _choose_windows(cluster: Any, given: dict[str, Any]) -> None:
    """AWS chooses the window that is not given so that the two do not meet."""
    if given.get("preferred_backup_window") and not given.get("preferred_maintenance_window"):
        hour = (int(given["preferred_backup_window"][:2]) + 12) % 24
        cluster.preferred_maintenance_window = f"wed:{hour:02}:00-wed:{hour:02}:30"
    elif given.get("preferred_maintenance_window") and not given.get("preferred_backup_window"):
        hour = (int(given["preferred_maintenance_window"][4:6]) + 12) % 24
        cluster.preferred_backup_window = f"{hour:02}:00-{hour:02}:30"
    cluster.preferred_maintenance_window = cluster.preferred_maintenance_window.lower()
    _check_windows(cluster)


def _check_windows(cluster: Any) -> None:
    problem = valid_preferred_maintenance_window(cluster.preferred_maintenance_window, cluster.preferred_backup_window)
    if problem:
        raise RDSError("InvalidParameterValue", problem)


def _service_key(backend: Any) -> str:
    """The ARN of the key behind alias/aws/rds, always the same in an account and region."""
    key = uuid.uuid5(uuid.NAMESPACE_URL, f"{backend.account_id}/{backend.region_name}/alias/aws/rds")
    return f"arn:aws:kms:{backend.region_name}:{backend.account_id}:key/{key}"


def _scaling(existing: dict[str, Any] | None, given: Any) -> dict[str, Any] | None:
    """The Serverless v2 scaling configuration; only with a minimum of 0 ACU is there a time until auto-pause."""
    if given is None:
        return existing or None
    given = given.original_dict() if hasattr(given, "original_dict") else dict(given)
    scaling = {**(existing or {}), **given}
    if float(scaling["MinCapacity"]) == 0:
        scaling.setdefault("SecondsUntilAutoPause", 300)
    else:
        scaling.pop("SecondsUntilAutoPause", None)
    return scaling


@gap(models.DBCluster, "endpoint")
def cluster_endpoint(_original: Any, self: Any) -> str:
    """The endpoints of an account's clusters in a region differ in the clusters' names only."""
    return f"{self.db_cluster_identifier}.cluster-{_url_identifier(self)}.{self.region}.rds.amazonaws.com"


@gap(models.DBCluster, "reader_endpoint")
def cluster_reader_endpoint(_original: Any, self: Any) -> str:
    """So do their reader endpoints."""
    return f"{self.db_cluster_identifier}.cluster-ro-{_url_identifier(self)}.{self.region}.rds.amazonaws.com"


def _url_identifier(cluster: Any) -> str:
    return "c" + uuid.uuid5(uuid.NAMESPACE_URL, f"{cluster.account_id}/{cluster.region}/rds").hex[:11]


@gap(models.DBCluster, "status")
def cluster_status(_original: Any, self: Any) -> str:
    """A cluster is creating, then available; deleting, then gone; renaming before it is found under its new name."""
    if self.since_deletion:
        return "deleting"
    if self.since_renaming:
        return "renaming"
    return self._status if self.since_creation.over() else "creating"


@gap(models.DBCluster, "scaling_configuration_info")
def scaling_configuration_info(original: Any, self: Any) -> dict[str, Any] | None:
    """Only a cluster of Serverless v1 has a ScalingConfigurationInfo."""
    return original(self) if self.engine_mode == "serverless" else None


@gap(models.RDSBackend, "create_db_cluster")
def create_db_cluster(original: Any, self: Any, kwargs: Any) -> Any:
    """CreateDBCluster refuses an identifier in use and groups that do not exist, and answers with status creating."""
    _forget_deleted(self)
    kwargs["db_cluster_identifier"] = kwargs["db_cluster_identifier"].lower()
    if kwargs["db_cluster_identifier"] in self.clusters:
        raise RDSError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
    if kwargs.get("db_subnet_group_name"):
        self.describe_db_subnet_groups(kwargs["db_subnet_group_name"])
    group = kwargs.get("db_cluster_parameter_group_name")
    if group and not group.startswith("default."):
        try:
            self.describe_db_cluster_parameter_groups(group)
        except exceptions.RDSClientError as error:
            raise RDSError("DBClusterParameterGroupNotFound", error.message) from error
    answer = copy.copy(original(self, kwargs))
    answer._status = "creating"
    return answer


@gap(models.RDSBackend, "modify_db_cluster")
def modify_db_cluster(original: Any, self: Any, kwargs: Any) -> Any:
    """ModifyDBCluster needs an available cluster, keeps what it is not given, switches log exports, renames, and turns no backtracking on."""
    cluster = _available_cluster(self, kwargs["db_cluster_identifier"])
    new_identifier = (kwargs.pop("new_db_cluster_identifier", None) or "").lower()
    if new_identifier in self.clusters or new_identifier in {each.new_identifier for each in self.clusters.values()}:
        raise RDSError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
    kwargs["db_cluster_identifier"] = cluster.db_cluster_identifier
    scaling = kwargs.pop("serverless_v2_scaling_configuration", None)
    exports = kwargs.pop("cloudwatch_logs_export_configuration", None)
    kwargs.pop("enable_http_endpoint", None)  # of Serverless v1 only; others have operations of their own
    storage_type = kwargs.pop("storage_type", None)
    if kwargs.get("enable_iam_database_authentication") is not None:
        cluster.iam_auth = kwargs["enable_iam_database_authentication"]
    version = kwargs.get("engine_version")
    if version and cluster.engine in VERSIONS and version not in VERSIONS[cluster.engine]:
        raise exceptions.InvalidParameterCombination(f"Cannot find version {version} for {cluster.engine}")
    window = kwargs.pop("backtrack_window", None)
    if window and cluster.backtrack_window is None:
        raise exceptions.InvalidParameterCombination("Backtrack cannot be enabled on a DB cluster that was created without it.")
    _check_port(kwargs.get("port"))
    windows = {name: kwargs[name].lower() for name in ("preferred_backup_window", "preferred_maintenance_window") if kwargs.get(name)}
    if windows:
        kwargs.update(windows)
        _check_windows(SimpleNamespace(**{**vars(cluster), **windows}))
    original(self, kwargs)
    if window is not None and cluster.backtrack_window is not None:
        cluster.backtrack_window = window
    for instance in cluster._members if kwargs.get("port") else ():
        instance.port = kwargs["port"]
    cluster.serverless_v2_scaling_configuration = _scaling(cluster.serverless_v2_scaling_configuration, scaling)
    if storage_type:
        cluster.storage_type = "aurora-iopt1" if storage_type == "aurora-iopt1" else None
    if exports:
        enabled = [*cluster.enabled_cloudwatch_logs_exports, *exports.get("EnableLogTypes", [])]
        disabled = exports.get("DisableLogTypes", [])
        cluster.enabled_cloudwatch_logs_exports = [each for each in dict.fromkeys(enabled) if each not in disabled]
    _export_logs(self, cluster)
    if new_identifier:
        cluster.new_identifier, cluster.since_renaming = new_identifier, Elapsed("rds")
    return cluster


@gap(responses.RDSResponse, "enable_http_endpoint")
def enable_http_endpoint(_original: Any, self: Any) -> ActionResult:
    """EnableHttpEndpoint switches the Data API of a cluster on; ModifyDBCluster cannot."""
    return _switch_http_endpoint(self, True)


@gap(responses.RDSResponse, "disable_http_endpoint")
def disable_http_endpoint(_original: Any, self: Any) -> ActionResult:
    """DisableHttpEndpoint switches the Data API of a cluster off."""
    return _switch_http_endpoint(self, False)


def _switch_http_endpoint(response: Any, enabled: bool) -> ActionResult:
    arn = response.params["ResourceArn"]
    cluster = next((each for each in response.backend.describe_db_clusters() if each.arn == arn), None)
    if not cluster:
        raise RDSError("ResourceNotFoundFault", f"The specified resource {arn} could not be found.")
    cluster._enable_http_endpoint = enabled
    return ActionResult({"ResourceArn": arn, "HttpEndpointEnabled": enabled})


@gap(responses.RDSResponse, "delete_db_cluster")
def delete_needs_snapshot_choice(original: Any, self: Any) -> Any:
    """DeleteDBCluster needs the name of a final snapshot unless it is told to skip it."""
    if not self.params.get("SkipFinalSnapshot") and not self.params.get("FinalDBSnapshotIdentifier"):
        raise exceptions.InvalidParameterCombination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
    return original(self)


@gap(models.RDSBackend, "delete_db_cluster")
def delete_db_cluster(_original: Any, self: Any, cluster_identifier: str, snapshot_name: str | None = None) -> Any:
    """DeleteDBCluster refuses a protected cluster and one with members, and takes the final snapshot first."""
    cluster = _available_cluster(self, cluster_identifier)
    if cluster.deletion_protection:
        raise exceptions.InvalidParameterCombination("Cannot delete protected Cluster, please disable deletion protection and try again.")
    if any(not member.since_deletion for member in cluster.members):
        raise exceptions.DBClusterToBeDeletedHasActiveMembers()
    identifier = cluster.db_cluster_identifier
    if snapshot_name:
        self.create_db_cluster_snapshot(identifier, snapshot_name.lower())
    if cluster.manage_master_user_password:
        cluster.master_user_secret.delete_secret()
    self.cluster_snapshots = {
        name: snapshot
        for name, snapshot in self.cluster_snapshots.items()
        if (snapshot.db_cluster_identifier, snapshot.snapshot_type) != (identifier, "automated")
    }
    cluster.since_deletion = Elapsed("rds")
    return cluster


@gap(models.RDSBackend, "describe_db_clusters")
def describe_db_clusters(original: Any, self: Any, db_cluster_identifier: Any = None, filters: Any = None) -> Any:
    """DescribeDBClusters does not find a cluster whose deletion is complete."""
    _forget_deleted(self)
    return original(self, db_cluster_identifier and db_cluster_identifier.lower(), filters)


@gap(models.DBClusterSnapshot, "__init__")
def snapshot_of_its_time(original: Any, self: Any, backend: Any, cluster: Any, *args: Any, **kwargs: Any) -> None:
    """A snapshot keeps the cluster's VPC, availability zones, engine mode and tags of its time."""
    original(self, backend, cluster, *args, **kwargs)
    self.availability_zones = cluster.availability_zones
    self.engine_mode = cluster.engine_mode
    self.db_cluster_resource_id = cluster.db_cluster_resource_id
    self.tags = copy.deepcopy(self.tags)
    self.since_creation, self.status, self.percent_progress = Elapsed("rds"), "creating", 0


@gap(models.RDSBackend, "create_db_cluster_snapshot")
def create_db_cluster_snapshot(original: Any, self: Any, db_cluster_identifier: str, db_cluster_snapshot_identifier: str, *args: Any, **kwargs: Any) -> Any:
    """CreateDBClusterSnapshot needs an available cluster, and its name knows no case; automated ones have names of their own."""
    automated = "automated" in (*args, kwargs.get("snapshot_type"))
    if automated:  # moto names them by the minute
        db_cluster_snapshot_identifier += f"-{next(AUTOMATED)}"
    else:
        db_cluster_identifier = _available_cluster(self, db_cluster_identifier).db_cluster_identifier
    return original(self, db_cluster_identifier, db_cluster_snapshot_identifier.lower(), *args, **kwargs)


@gap(models.RDSBackend, "describe_db_cluster_snapshots")
def describe_db_cluster_snapshots(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """A snapshot is creating, then available."""
    for snapshot in self.cluster_snapshots.values():
        if snapshot.status == "creating" and snapshot.since_creation.over():
            snapshot.status, snapshot.percent_progress = "available", 100
    return original(self, *args, **kwargs)


@gap(models.RDSBackend, "restore_db_cluster_from_snapshot")
def restore_db_cluster_from_snapshot(_original: Any, self: Any, from_snapshot_id: str, overrides: Any) -> Any:
    """RestoreDBClusterFromSnapshot needs an available snapshot of its engine, and keeps its data, users, key and port."""
    snapshot = self.describe_db_cluster_snapshots(None, from_snapshot_id.rpartition(":")[2])[0]
    if snapshot.status != "available":
        raise RDSError(
            "InvalidDBClusterSnapshotStateFault",
            f"DBClusterSnapshot {snapshot.db_cluster_snapshot_identifier} is in {snapshot.status} state but expected it to be one of available.",
        )
    if overrides["engine"] != snapshot.engine:
        raise exceptions.InvalidParameterCombination(f"The engine {overrides['engine']} is not the engine of the snapshot, {snapshot.engine}.")
    # Without a version the engine's default one is used.
    return _restore(self, snapshot.cluster, {"engine_version": None, **overrides})


@gap(models.RDSBackend, "restore_db_cluster_to_point_in_time")
def restore_db_cluster_to_point_in_time(_original: Any, self: Any, **given: Any) -> Any:
    """RestoreDBClusterToPointInTime needs a time that backups cover, and keeps the configuration of the source cluster."""
    source = self.describe_db_clusters(given.pop("source_db_cluster_identifier"))[0]
    time, latest = given.pop("restore_to_time", None), given.pop("use_latest_restorable_time", False)
    if bool(time) == bool(latest):
        raise exceptions.InvalidParameterCombination("Specify either RestoreToTime or UseLatestRestorableTime.")
    if time and not source.earliest_restorable_time <= _naive(time) <= utcnow():
        raise exceptions.InvalidParameterValue(
            f"The specified instance cannot be restored to a time later than {utcnow():%Y-%m-%dT%H:%M:%SZ} or earlier than "
            f"{source.earliest_restorable_time:%Y-%m-%dT%H:%M:%SZ}"
        )
    scaling = source.serverless_v2_scaling_configuration
    return _restore(self, source, {"serverless_v2_scaling_configuration": scaling, "engine": source.engine, **given})


def _naive(time: Any) -> datetime:
    """A time in UTC, as moto keeps times."""
    parsed = time if isinstance(time, datetime) else datetime.fromisoformat(time)
    return parsed.astimezone(timezone.utc).replace(tzinfo=None) if parsed.tzinfo else parsed


def _restore(backend: Any, source: Any, given: dict[str, Any]) -> Any:
    """A new cluster with the data of ``source``: what is not given has its default, save what belongs to the data."""
    kept = ("engine_version", "engine_mode", "port", "database_name", "master_username", "storage_encrypted", "backup_retention_period", "availability_zones")
    properties = {name: getattr(source, name) for name in kept}
    properties |= {"master_user_password": source._master_user_password}
    if source.kms_key_id != _service_key(backend):
        properties["kms_key_id"] = source.kms_key_id
    answer = backend.create_db_cluster({**properties, **given})
    backend.clusters[answer.db_cluster_identifier].restored = True
    return answer


def _available_cluster(backend: Any, identifier: str) -> Any:
    cluster = backend.describe_db_clusters(identifier)[0]
    if cluster.status != "available":
        raise exceptions.InvalidDBClusterStateFault(f"DBCluster {identifier} is in {cluster.status} state but expected it to be one of available.")
    return cluster


def _forget_deleted(backend: Any) -> None:
    """Let creations, renamings and deletions whose time is over take effect."""
    for identifier, instance in list(backend.databases.items()):
        if instance.since_deletion and instance.since_deletion.over():
            del backend.databases[identifier]
        elif instance.status in ("creating", "rebooting") and instance.since_creation.over():
            instance.status = "available"
    for identifier, cluster in list(backend.clusters.items()):
        if cluster.since_deletion and cluster.since_deletion.over():
            del backend.clusters[identifier]
        elif cluster.since_renaming and cluster.since_renaming.over():
            members = cluster._members  # which are found by the name of their cluster
            del backend.clusters[identifier]
            backend.clusters[cluster.new_identifier] = cluster
            for renamed in (cluster, *members):
                renamed.db_cluster_identifier = cluster.new_identifier
            cluster.new_identifier = cluster.since_renaming = None


def _export_logs(backend: Any, cluster: Any) -> None:
    """Create the log groups that the first exported line creates; only a cluster with an instance writes any."""
    logs = logs_backends[backend.account_id][backend.region_name]
    for log_type in cluster.enabled_cloudwatch_logs_exports if cluster._members else []:
        name = f"/aws/rds/cluster/{cluster.db_cluster_identifier}/{log_type}"
        if name not in logs.groups:
            logs.create_log_group(name, {})


# --- instances -------------------------------------------------------------------------------------------------------


@gap(models.DBInstance, "__init__")
def instance_echo(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """An instance echoes its insights settings, has a resource id of its own and the current certificate authority."""
    kwargs.setdefault("ca_certificate_identifier", "rds-ca-rsa2048-g1")
    original(self, *args, **kwargs)
    self.since_creation, self.since_deletion = Elapsed("rds"), None
    self.performance_insights_enabled = kwargs.get("enable_performance_insights", False)
    self.performance_insights_retention_period = kwargs.get("performance_insights_retention_period")
    self.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"


@gap(models.RDSBackend, "create_db_instance")
def create_db_instance(original: Any, self: Any, db_kwargs: Any) -> Any:
    """A member is in its cluster's subnets, over its zones; db.serverless needs scaling, a restored cluster be available."""
    _forget_deleted(self)
    _check_monitoring_role(self, db_kwargs)
    db_kwargs["db_instance_identifier"] = db_kwargs["db_instance_identifier"].lower()
    cluster = self.clusters.get(db_kwargs.get("db_cluster_identifier"))
    if cluster:
        if cluster.restored:
            _available_cluster(self, cluster.db_cluster_identifier)
        if db_kwargs["db_instance_class"] == "db.serverless" and not cluster.serverless_v2_scaling_configuration:
            raise exceptions.InvalidParameterCombination(
                "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a Serverless v2 DB instance."
            )
        if cluster.db_subnet_group in self.subnet_groups:
            group = self.subnet_groups[cluster.db_subnet_group]
            db_kwargs.setdefault("db_subnet_group_name", group.name)
            zones = sorted({subnet.availability_zone for subnet in group._subnets})
            db_kwargs.setdefault("availability_zone", zones[len(cluster._members) % len(zones)])
    instance = original(self, db_kwargs)
    instance.status = "creating"
    if cluster:
        _export_logs(self, cluster)
        group = self.db_cluster_parameter_groups.get(cluster.parameter_group)
        instance.lacks_parameters = group is not None and not group.since_creation.over()
    return instance


@gap(models.RDSBackend, "describe_db_instances")
def describe_db_instances(original: Any, self: Any, db_instance_identifier: Any = None, filters: Any = None) -> Any:
    """A DB instance is creating, then available; deleting, then gone."""
    _forget_deleted(self)
    return original(self, db_instance_identifier and db_instance_identifier.lower(), filters)


@gap(models.RDSBackend, "modify_db_instance")
def modify_db_instance(original: Any, self: Any, db_instance_identifier: str, db_kwargs: Any) -> Any:
    """ModifyDBInstance changes insights settings as well, and needs an available instance, and the role of Enhanced Monitoring with its interval."""
    instance = self.describe_db_instances(db_instance_identifier)[0]
    if instance.status != "available":
        raise RDSError("InvalidDBInstanceState", f"Database instance is not in available state: {instance.status}")
    if db_kwargs.get("monitoring_interval") and not db_kwargs.get("monitoring_role_arn"):
        raise exceptions.InvalidParameterCombination("A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.")
    _check_monitoring_role(self, db_kwargs)
    if db_kwargs.get("enable_performance_insights") is not None:
        instance.performance_insights_enabled = db_kwargs["enable_performance_insights"]
    return original(self, instance.db_instance_identifier, db_kwargs)


def _check_monitoring_role(backend: Any, given: dict[str, Any]) -> None:
    """RDS has to be able to assume the role of Enhanced Monitoring, and the role to write into CloudWatch Logs."""
    arn = given.get("monitoring_role_arn")
    if not arn:
        return
    role = next((each for each in iam_backends[backend.account_id][backend.partition].roles.values() if each.arn == arn), None)
    if not role or "monitoring.rds.amazonaws.com" not in str(role.assume_role_policy_document) or not (role.managed_policies or role.policies):
        raise exceptions.InvalidParameterValue("IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING")


@gap(models.RDSBackend, "delete_db_instance")
def delete_db_instance(original: Any, self: Any, db_instance_identifier: str, *args: Any, **kwargs: Any) -> Any:
    """A DB instance is deleting before it is gone."""
    _forget_deleted(self)
    identifier = db_instance_identifier.lower()
    if identifier in self.databases and self.databases[identifier].since_deletion:
        raise RDSError("InvalidDBInstanceState", f"Instance {identifier} is already being deleted.")
    instance = original(self, identifier, *args, **kwargs)
    instance.since_deletion = Elapsed("rds")
    self.databases[identifier] = instance
    if isinstance(instance, models.DBInstanceClustered):
        was_writer, instance.is_cluster_writer = instance.is_cluster_writer, False
        survivors = [member for member in instance.cluster._members if not member.since_deletion]
        if was_writer and survivors:
            survivors[0].is_cluster_writer = True
    return instance

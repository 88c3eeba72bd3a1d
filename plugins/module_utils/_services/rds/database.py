# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: an Aurora cluster and all that belongs to it: log groups, subnet group, parameter groups, instances."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import LogGroup
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.cluster import Cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.instance import Instance
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.monitoring import MonitoringRole
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import (
    is_kept,
    is_parameter_group,
    log_group_name,
    parameter_group_name,
    restored_name,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.parameter_group import ClusterParameterGroup
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.subnet_group import SubnetGroup
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.versions import parameter_group_family


PENDING: Arguments = {"cluster_identifier": {"type": "str", "required": True}, "new_instances": {"type": "list", "elements": "str", "default": []}}
"""What an earlier task has left to wait for: a cluster, and those of its instances that this run has created."""


class Database(t.NamedTuple):
    """A cluster and what it needs. ``clusters`` begins with the one of that name; those that restores have left beside it follow."""

    log_groups: list[LogGroup]
    subnet_group: SubnetGroup
    parameter_groups: list[ClusterParameterGroup]
    clusters: list[Cluster]
    monitoring_role: MonitoringRole | None

    @property
    def resources(self) -> list[Resource]:
        role = [self.monitoring_role] if self.monitoring_role else []
        in_rds: list[Resource] = [self.subnet_group, *self.parameter_groups, *self.clusters]
        in_rds = [*in_rds, *role] if role and role[0].absent else [*role, *in_rds]
        return [*in_rds, *self.log_groups] if self.clusters[0].absent else [*self.log_groups, *in_rds]


def present(aws: Aws, params: dict[str, t.Any]) -> Database:
    """The resources of a database that is to be there, none of them read yet. ``params``: the options of ``rds_cluster``."""
    name, tags = params["cluster_identifier"], params["tags"]
    family = parameter_group_family(params["engine"], params["engine_version"])
    group = ClusterParameterGroup(aws, parameter_group_name(_prefix(params), family), {**params, "family": family}, tags=tags)
    subnet_group = SubnetGroup(aws, _subnet_group_name(params), params, tags=tags)
    logs = _log_groups(aws, params)
    role = _monitoring_role(aws, params, absent=not params["monitoring_interval"]) if params["monitoring_interval"] is not None else None
    spec = {**params, "subnet_group_name": subnet_group.name, "parameter_group_name": group.name, "monitoring_role": role}
    cluster = Cluster(aws, name, spec, tags=tags, needs=(*logs, subnet_group, group, *([role] if role else [])))
    if role and role.absent:
        role.cluster = cluster
    return Database(logs, subnet_group, [group], [cluster], role)


def absent(aws: Aws, params: dict[str, t.Any]) -> Database:
    """The resources of a database that is to be removed. What there is of it besides the cluster, it asks AWS."""
    name, common = params["cluster_identifier"], {"tags": params["tags"], "absent": True}
    subnet_group = SubnetGroup(aws, _subnet_group_name(params), params, **common)
    cluster = Cluster(aws, name, params, **common)
    groups, relatives, *_prefetched = run_concurrently(
        partial(parameter_groups, aws, name), partial(_relatives, aws, name, params), subnet_group.prefetch, cluster.prefetch
    )
    of_families = [ClusterParameterGroup(aws, group, {**params, "arn": arn}, **common) for group, arn in sorted(groups.items())]
    clusters = [cluster, *(Cluster(aws, other, spec, **common) for other, spec in relatives)]
    logs, role = _log_groups(aws, params), _monitoring_role(aws, params, absent=True)
    for each in clusters:
        each.needs = (*logs, subnet_group, *of_families, *([role] if role else []))
    return Database(logs, subnet_group, of_families, clusters, role)


def _monitoring_role(aws: Aws, params: dict[str, t.Any], *, absent: bool) -> MonitoringRole | None:
    role = params["monitoring_role"]
    return MonitoringRole(aws, role["name"], role, tags=params["tags"], absent=absent) if role else None


def _log_groups(aws: Aws, params: dict[str, t.Any]) -> list[LogGroup]:
    spec = {"retention_in_days": params["log_retention_in_days"], "kms_key_id": params["log_kms_key_id"], "account_id": params["account_id"]}
    names = [log_group_name(params["cluster_identifier"], log) for log in params["enabled_cloudwatch_logs_exports"] or ()]
    return [LogGroup(aws, name, spec, tags=params["tags"], absent=params["state"] == "absent") for name in names]


def _prefix(params: dict[str, t.Any]) -> str:
    return params["name_prefix"] or params["cluster_identifier"]


def _subnet_group_name(params: dict[str, t.Any]) -> str:
    return params["subnet_group_name"] or _prefix(params)


def parameter_groups(aws: Aws, name: str) -> dict[str, str]:
    """The ARNs of the cluster's parameter groups by name: earlier major versions of the engine had their own."""
    listed = aws.pages("rds", "describe_db_cluster_parameter_groups", "DBClusterParameterGroups")
    every = {group["DBClusterParameterGroupName"]: group["DBClusterParameterGroupArn"] for group in listed}
    return {group: arn for group, arn in every.items() if is_parameter_group(group, name)}


def _relatives(aws: Aws, name: str, spec: State) -> list[tuple[str, State]]:
    """The names of the clusters that restores have left beside this one, each with the spec of its removal."""
    relatives = []
    for cluster in aws.pages("rds", "describe_db_clusters", "DBClusters"):
        other = cluster["DBClusterIdentifier"]
        if is_kept(other, name):
            relatives.append((other, {**spec, "final_snapshot_identifier": None}))
        elif other == restored_name(name):  # nothing was ever written to it
            relatives.append((other, {**spec, "skip_final_snapshot": True}))
    return relatives


class UnusedInstance(Instance):
    """An instance that an earlier task of the run has created, so that nobody uses it yet."""

    def newly_created(self) -> bool:
        return True


def wait_available(aws: Aws, pending: dict[str, t.Any]) -> None:
    """Wait until a cluster and its instances are available, the new ones with all parameters. ``pending``: `PENDING`.

    Raises AwsError where one of them cannot become available by itself.
    """
    cluster = Cluster(aws, pending["cluster_identifier"])
    _wait_ready(cluster)
    new = pending["new_instances"]
    members = cluster.actual["members"]
    instances = [(UnusedInstance if name in new else Instance)(aws, name, parent=cluster) for name in sorted(members)]
    run_concurrently(*(partial(_wait_ready, instance) for instance in instances))


def _wait_ready(resource: Resource) -> None:
    try:
        resource.wait_ready()
    except AwsError as error:
        raise type(error)(f"{resource.kind} {resource.name}: {error}") from error

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: a cluster parameter group."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.base import RdsResource


class ClusterParameterGroup(RdsResource):
    """``spec`` holds ``family`` and ``parameters``, a dict of those that differ from the defaults; of an absent one, its ``arn``."""

    kind = "rds_cluster_parameter_group"
    PER_CALL = 20
    """The maximum number of parameters that one ModifyDBClusterParameterGroup takes."""

    def describe(self) -> State | None:
        if self.absent:  # found by its name, with its ARN
            return {"arn": self.spec["arn"], "tags": self.tags_of(self.spec["arn"])}
        name = {"DBClusterParameterGroupName": self.name}
        group = first_or_none(self.rds.describe_db_cluster_parameter_groups, "DBClusterParameterGroups", "DBParameterGroupNotFound", **name)
        if group is None:
            return None
        arn = group["DBClusterParameterGroupArn"]
        by_user, tags = run_concurrently(
            lambda: self.aws.pages("rds", "describe_db_cluster_parameters", "Parameters", Source="user", **name), lambda: self.tags_of(arn)
        )
        parameters = {p["ParameterName"]: p["ParameterValue"] for p in by_user if "ParameterValue" in p}
        if missing := set(self.spec["parameters"]) - set(parameters):
            # Set to its default value, a parameter keeps the source of the default (rds.force_ssl of PostgreSQL 15 and later).
            defaults = (p for p in self._every() if p["ParameterName"] in missing and "ParameterValue" in p)
            parameters |= {p["ParameterName"]: p["ParameterValue"] for p in defaults}
        return {"arn": arn, "parameters": parameters, "tags": tags}

    def desired(self) -> State:
        return {"parameters": {name: str(value) for name, value in self.spec["parameters"].items()}}

    def create(self, desired: State) -> None:
        self.rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName=self.name,
            DBParameterGroupFamily=self.spec["family"],
            Description="Parameters of the database",
            Tags=tag_list(desired["tags"]),
        )
        self._set({name: (value, "pending-reboot") for name, value in desired["parameters"].items()})  # nothing runs yet

    def update(self, before: State, changes: State) -> None:
        new, old = changes["parameters"], before["parameters"]
        self._set({name: (value, self._method(name)) for name, value in new.items() if old.get(name) != value})
        self._call(
            self.rds.reset_db_cluster_parameter_group, [{"ParameterName": name, "ApplyMethod": self._method(name)} for name in sorted(old.keys() - new.keys())]
        )

    def _set(self, values: dict[str, tuple[str, str]]) -> None:
        self._call(
            self.rds.modify_db_cluster_parameter_group,
            [{"ParameterName": n, "ParameterValue": v, "ApplyMethod": method} for n, (v, method) in sorted(values.items())],
        )

    def _call(self, call: t.Callable[..., t.Any], parameters: list[dict[str, str]]) -> None:
        for start in range(0, len(parameters), self.PER_CALL):
            retry_on(  # the changes before are pending for a while
                call, "InvalidDBParameterGroupState", timeout=180, DBClusterParameterGroupName=self.name, Parameters=parameters[start : start + self.PER_CALL]
            )

    def _method(self, parameter: str) -> str:
        """How AWS applies a changed parameter: at once, or when an instance reboots."""
        dynamic = any(p["ParameterName"] == parameter and p.get("ApplyType") == "dynamic" for p in self._every())
        return "immediate" if dynamic else "pending-reboot"

    def _every(self) -> list[dict[str, t.Any]]:
        """All parameters, those with their default value included, as they were before this run."""
        return self.aws.once(
            ("parameters", self.name), lambda: self.aws.pages("rds", "describe_db_cluster_parameters", "Parameters", DBClusterParameterGroupName=self.name)
        )

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before is None or "parameters" not in changes:
            return []
        new, old = changes["parameters"], before["parameters"]
        differ = sorted(name for name in {*new, *old} if new.get(name) != old.get(name))
        static = [name for name in differ if self._method(name) == "pending-reboot"]
        return [f"{', '.join(static)}: takes effect when the instances are rebooted, which no run does"] if static else []

    def delete(self, before: State) -> None:
        retry_on(self.rds.delete_db_cluster_parameter_group, "InvalidDBParameterGroupState", DBClusterParameterGroupName=self.name)

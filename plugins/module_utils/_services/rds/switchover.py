# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: one Aurora cluster in the place of another."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff, retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owned_by_another, tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.base import describe_cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import RESTORED_AT_TAG, RESTORED_FROM_TAG, kept_name, timestamp
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.status import failure


class Renaming(Resource):
    """A cluster that gets another name. ``spec`` holds ``new_name``, ``restored_from``, and whether it is ``kept`` as the replaced one."""

    kind = "rds_cluster"
    timeout = 3600

    def __init__(self, *arguments: t.Any, **keywords: t.Any) -> None:
        super().__init__(*arguments, **keywords)
        self.current_name = self.name

    def describe(self) -> State | None:
        described = describe_cluster(self.aws, self.current_name)
        if described is None:
            # A plan takes for granted what the tasks before it would create.
            return self._planned() if self.aws.check_mode else None
        tags = tag_dict(described.get("TagList", []))
        return {
            "arn": described["DBClusterArn"],
            "status": described["Status"],
            "cluster_identifier": self.current_name,
            "deletion_protection": described.get("DeletionProtection", False),
            "enabled_cloudwatch_logs_exports": sorted(described.get("EnabledCloudwatchLogsExports") or []),
            "restored_from": tags.get(RESTORED_FROM_TAG),
            "restored_at": tags.get(RESTORED_AT_TAG),
        }

    def _planned(self) -> State:
        return {"arn": UNKNOWN, "cluster_identifier": self.name, "restored_from": self.spec["restored_from"]}

    def desired(self) -> State:
        if self.spec["kept"]:
            return {
                "cluster_identifier": self.spec["new_name"],
                "deletion_protection": True,
                "enabled_cloudwatch_logs_exports": [],  # its new name's log groups would be nobody's
            }
        return {"cluster_identifier": self.spec["new_name"], "restored_from": self.spec["restored_from"]}

    def update(self, before: State, changes: State) -> State:
        rds = self.aws.client("rds")
        arguments: dict[str, t.Any] = {}
        if "restored_from" in changes:
            if before["restored_at"]:
                rds.remove_tags_from_resource(ResourceName=before["arn"], TagKeys=[RESTORED_AT_TAG])
            rds.add_tags_to_resource(ResourceName=before["arn"], Tags=tag_list({RESTORED_FROM_TAG: changes["restored_from"]}))
        if "deletion_protection" in changes:
            arguments["DeletionProtection"] = True
        if "enabled_cloudwatch_logs_exports" in changes:
            exports = {"DisableLogTypes": before["enabled_cloudwatch_logs_exports"]}
            arguments["CloudwatchLogsExportConfiguration"] = exports
        retry_on(  # the name may not be free everywhere yet
            rds.modify_db_cluster,
            "DBClusterAlreadyExistsFault",
            "InvalidDBClusterStateFault",
            timeout=900,
            DBClusterIdentifier=self.name,
            NewDBClusterIdentifier=changes["cluster_identifier"],
            ApplyImmediately=True,
            **arguments,
        )
        self.current_name = changes["cluster_identifier"]
        self.wait_ready()
        return {}

    def pending(self, state: State) -> bool:
        problem = failure(state["status"], self.current_name)
        if problem:
            raise AwsError(problem)
        return state["status"] != "available"

    def warn(self, before: State | None, changes: State) -> list[str]:
        if not self.spec["kept"]:
            return ["the database does not answer until this cluster has its new name, which takes some minutes"]
        origin = self.spec["restored_from"]
        return [f"the database loses all that was written since {origin}: it is in {self.spec['new_name']} only, which is kept"]


class Finished(Resource):
    """The tag that says that a restore is complete."""

    kind = "rds_cluster"
    restored_at: str | None = None

    def describe(self) -> State | None:
        described = describe_cluster(self.aws, self.name)
        if described is None:
            raise AwsError("there is no such cluster")
        self.restored_at = tag_dict(described.get("TagList", [])).get(RESTORED_AT_TAG)
        return {"arn": described["DBClusterArn"], "restored_at": self.restored_at}

    def desired(self) -> State:
        return {"restored_at": self.restored_at or timestamp()}

    def update(self, before: State, changes: State) -> None:
        tags = tag_list({RESTORED_AT_TAG: changes["restored_at"]})
        self.aws.client("rds").add_tags_to_resource(ResourceName=before["arn"], Tags=tags)


def once_renamed(aws: Aws, name: str) -> State | None:
    """An item of DescribeDBClusters, or None; once AWS has finished a renaming that a run which died began."""
    for pause in backoff():
        described = describe_cluster(aws, name)
        if described is None or described["Status"] != "renaming" or aws.check_mode:
            return described
        aws.before_wait()
        time.sleep(pause)
    raise AssertionError("unreachable: backoff() never ends")


def renamings(aws: Aws, params: dict[str, t.Any]) -> list[Renaming]:
    """The renamings that are left to do, each after the one before; none where they are done. ``params``: the module's options.

    Raises AwsError where there is no replacement, or one of the clusters is owned by another stack.
    """
    name, replacement, origin = params["cluster_identifier"], params["replacement_identifier"], params["restored_from"]
    new = once_renamed(aws, replacement)  # it may get the other name meanwhile, so that is read afterwards
    current = once_renamed(aws, name)
    tags = tag_dict(current.get("TagList", [])) if current else {}
    if tags.get(RESTORED_FROM_TAG) == origin and RESTORED_AT_TAG not in tags:
        return []
    if new is None and not aws.check_mode:
        raise AwsError(f"there is no cluster {replacement} to take the place of {name}")
    spec = {"restored_from": origin}
    left: list[Renaming] = []
    if current:
        kept = kept_name(name, UNKNOWN if aws.check_mode else timestamp())
        left.append(Renaming(aws, name, {**spec, "kept": True, "new_name": kept}))
    left.append(Renaming(aws, replacement, {**spec, "kept": False, "new_name": name}, needs=left))
    for described in (current, new):
        if described and owned_by_another(tag_dict(described.get("TagList", [])), params["tags"]):
            raise AwsError(f"the cluster {described['DBClusterIdentifier']} is not of this stack")
    return left

#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_cluster_switchover
version_added: 1.0.0
short_description: Replace one Aurora cluster by another
author: mlplatform contributors (@mlplatform)
description:
  - Renames a cluster to C(<cluster_identifier>-before-<UTC time>), and its replacement to O(cluster_identifier)
    (C(ModifyDBCluster) with C(NewDBClusterIdentifier)). The endpoints follow the names, so what connects to the endpoint of
    O(cluster_identifier) gets the new cluster.
  - The replaced cluster is kept, with deletion protection, and no longer exports logs. Instances keep their names,
    because a new name would restart them. Nothing is removed.
  - Nothing may write to either cluster meanwhile, and O(cluster_identifier) does not answer for some minutes.
  - After a run that died between the two renames, the next one continues with the second. If O(replacement_identifier) does not exist,
    the replacement is complete.
options:
  cluster_identifier:
    description: Name of the cluster that is replaced, if there is one, and the later name of its replacement.
    type: str
    required: true
  replacement_identifier:
    description: Name of the replacement.
    type: str
    required: true
  restored_from:
    description:
      - Where the data of the replacement comes from, such as V(snapshot:name). Recorded in its tag C(mlflow-restored-from) before the
        first rename.
    type: str
    required: true
  finished:
    description: Whether the restore is complete, which is recorded in the tag C(mlflow-restored-at) of O(cluster_identifier).
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Put the restored cluster in the place of the other
  mlplatform.mlflow_aws.rds_cluster_switchover: &switchover
    cluster_identifier: mlflow-team-x
    replacement_identifier: mlflow-team-x-restored
    restored_from: snapshot:mlflow-team-x-backup-20261122t221500z
    tags: {managed-by: mlplatform.mlflow_aws, mlflow-stack: mlflow-team-x}

- name: Record that the restore is complete
  mlplatform.mlflow_aws.rds_cluster_switchover:
    <<: *switchover
    finished: true
"""

RETURN = r"""
kept:
  description: Names of all replaced clusters that still exist.
  type: list
  elements: str
  returned: success
  sample: [mlflow-team-x-before-20261122t221500z]
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: Always V(update).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: rds_cluster
    name:
      description: Name of the resource.
      type: str
    fields:
      description: What differs, each with C(name), C(before) and C(after).
      type: list
      elements: dict
    warnings:
      description: What the change costs, such as downtime.
      type: list
      elements: str
"""

import time
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.aurora import (
    RESTORED_AT_TAG,
    RESTORED_FROM_TAG,
    failure,
    is_kept,
    kept_name,
    timestamp,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, first_or_none
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff, retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owned_by_another
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


def cluster(aws: Aws, name: str) -> State | None:
    """A cluster as AWS describes it, or None."""
    return first_or_none(aws.client("rds").describe_db_clusters, "DBClusters", "DBClusterNotFoundFault", DBClusterIdentifier=name)


class Renaming(Resource):
    """A cluster that gets another name. ``spec`` holds it, and whether the cluster is to be ``kept`` from then on."""

    kind = "rds_cluster"
    timeout = 3600

    def __init__(self, *arguments: t.Any, **keywords: t.Any) -> None:
        super().__init__(*arguments, **keywords)
        self.current_name = self.name

    def describe(self) -> State | None:
        described = cluster(self.aws, self.current_name)
        if described is None:
            # A plan takes for granted what the tasks before it would make.
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
        rds, arguments = self.aws.client("rds"), {}
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
            return ["MLflow does not answer until this cluster has its new name, which takes some minutes"]
        origin = self.spec["restored_from"]
        return [f"MLflow loses all that was written since {origin}: it is in {self.spec['new_name']} only, which is kept"]


class Finished(Resource):
    """The note that a restore is complete."""

    kind = "rds_cluster"
    restored_at: str | None = None

    def describe(self) -> State | None:
        described = cluster(self.aws, self.name)
        if described is None:
            raise AwsError("there is no such cluster")
        self.restored_at = tag_dict(described.get("TagList", [])).get(RESTORED_AT_TAG)
        return {"arn": described["DBClusterArn"], "restored_at": self.restored_at}

    def desired(self) -> State:
        return {"restored_at": self.restored_at or timestamp()}

    def update(self, before: State, changes: State) -> None:
        tags = tag_list({RESTORED_AT_TAG: changes["restored_at"]})
        self.aws.client("rds").add_tags_to_resource(ResourceName=before["arn"], Tags=tags)


def under_that_name(aws: Aws, name: str) -> State | None:
    """A cluster, once AWS has finished a renaming that a run which died has begun."""
    for pause in backoff():
        described = cluster(aws, name)
        if described is None or described["Status"] != "renaming" or aws.check_mode:
            return described
        aws.before_wait()
        time.sleep(pause)
    raise AssertionError("unreachable: intervals() never ends")


def renamings(aws: Aws, params: dict[str, t.Any]) -> list[Renaming]:
    name, replacement, origin = params["cluster_identifier"], params["replacement_identifier"], params["restored_from"]
    new = under_that_name(aws, replacement)  # it may have been given the other name meanwhile, so that is looked at afterwards
    current = under_that_name(aws, name)
    tags = tag_dict(current.get("TagList", [])) if current else {}
    if tags.get(RESTORED_FROM_TAG) == origin and RESTORED_AT_TAG not in tags:
        return []
    if new is None and not aws.check_mode:
        raise AwsError(f"there is no cluster {replacement} to take the place of {name}")
    spec = {"restored_from": origin}
    made: list[Renaming] = []
    if current:
        kept = kept_name(name, UNKNOWN if aws.check_mode else timestamp())
        made.append(Renaming(aws, name, {**spec, "kept": True, "new_name": kept}))
    made.append(Renaming(aws, replacement, {**spec, "kept": False, "new_name": name}, needs=made))
    for described in (current, new):
        if described and owned_by_another(tag_dict(described.get("TagList", [])), params["tags"]):
            raise AwsError(f"the cluster {described['DBClusterIdentifier']} is not of this stack")
    return made


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    name = params["cluster_identifier"]
    resources: list[Resource] = [Finished(aws, name)] if params["finished"] else [*renamings(aws, params)]

    def results() -> dict[str, t.Any]:
        every = aws.pages("rds", "describe_db_clusters", "DBClusters")
        kept = [c["DBClusterIdentifier"] for c in every if not owned_by_another(tag_dict(c.get("TagList", [])), params["tags"])]
        return {"kept": sorted(each for each in kept if is_kept(each, name))}

    return resources, results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "cluster_identifier": {"type": "str", "required": True},
            "replacement_identifier": {"type": "str", "required": True},
            "restored_from": {"type": "str", "required": True},
            "finished": {"type": "bool", "default": False},
            **TAGS,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

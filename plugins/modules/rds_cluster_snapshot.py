#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_cluster_snapshot
version_added: 1.0.0
short_description: Take a named snapshot of an Aurora cluster
author: mlplatform contributors (@mlplatform)
description:
  - Takes a snapshot (C(CreateDBClusterSnapshot)) and waits until it is available. A snapshot that exists is left as it is, its tags
    included, because they say what was true when it was taken.
  - Snapshots are never removed or changed.
  - Used in place of M(amazon.aws.rds_cluster_snapshot), which has no diff, sets the tags of a snapshot that exists, and polls every
    30 seconds.
options:
  cluster_identifier:
    description: Name of the cluster.
    type: str
    required: true
  snapshot_identifier:
    description:
      - Name of the snapshot, in lower case. A name that a snapshot of another cluster has is an error.
      - Default is C(<cluster_identifier>-backup-<UTC time>).
    type: str
  tags:
    description:
      - The tags of a new snapshot.
      - A snapshot of the right name that carries neither the C(managed-by) nor the C(mlflow-stack) tag given here is owned by somebody
        else, which is an error.
    type: dict
    default: {}
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Take a snapshot before the big change
  mlplatform.mlflow_aws.rds_cluster_snapshot:
    cluster_identifier: mlflow-team-x
    snapshot_identifier: mlflow-team-x-before-the-big-change
    tags:
      managed-by: mlplatform.mlflow_aws
      mlflow-stack: mlflow-team-x
"""

RETURN = r"""
snapshot:
  description: The snapshot, as it is after the run. In check mode the values that AWS would choose are C((known after apply)).
  type: dict
  returned: success
  sample:
    id: mlflow-team-x-backup-20261122t221500z
    arn: arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:mlflow-team-x-backup-20261122t221500z
    created: "2026-11-22T22:15:03Z"
    tags: {managed-by: mlplatform.mlflow_aws, mlflow-stack: mlflow-team-x}
ready:
  description: Whether AWS has finished its work on all of it; without O(wait) it may not have. True in check mode.
  type: bool
  returned: success
  sample: true
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: Always V(create).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: rds_cluster_snapshot
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

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import TAGS, WAIT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.aurora import timestamp
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, first_or_none, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN, has_unknown
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


class Snapshot(Resource):
    kind = "rds_cluster_snapshot"
    timeout = 4 * 3600

    @property
    def rds(self) -> t.Any:
        return self.aws.client("rds")

    def describe(self) -> State | None:
        if has_unknown(self.name):
            return None
        call = self.rds.describe_db_cluster_snapshots
        snapshot = first_or_none(call, "DBClusterSnapshots", "DBClusterSnapshotNotFoundFault", DBClusterSnapshotIdentifier=self.name)
        if snapshot is None:
            return None
        state = self._read(snapshot)
        self._check_owner(state)
        if state["cluster_identifier"] != self.spec["cluster_identifier"]:
            raise AwsError(f"it exists already, as a snapshot of {state['cluster_identifier']}: choose another name")
        self.tags = None  # they are of the time when it was taken
        return state

    @staticmethod
    def _read(snapshot: State) -> State:
        return {
            "arn": snapshot["DBClusterSnapshotArn"],
            "cluster_identifier": snapshot["DBClusterIdentifier"],
            "status": snapshot["Status"],
            "created": f"{snapshot['SnapshotCreateTime']:%Y-%m-%dT%H:%M:%SZ}" if "SnapshotCreateTime" in snapshot else UNKNOWN,
            "tags": tag_dict(snapshot.get("TagList", [])),
        }

    def desired(self) -> State:
        return {"cluster_identifier": self.spec["cluster_identifier"]}

    def unknown(self) -> State:
        return {"arn": UNKNOWN, "created": UNKNOWN, "status": "creating"}

    def create(self, desired: State) -> State:
        answer = retry_on(  # it has to be available, which it is not while AWS changes or backs it up
            self.rds.create_db_cluster_snapshot,
            "InvalidDBClusterStateFault",
            timeout=1800,
            DBClusterIdentifier=self.spec["cluster_identifier"],
            DBClusterSnapshotIdentifier=self.name,
            Tags=tag_list(desired["tags"]),
        )
        return self._read(answer["DBClusterSnapshot"])

    def pending(self, state: State) -> bool:
        if state["status"] == "failed":
            raise AwsError("AWS could not take it: remove it and run again")
        return state["status"] != "available"

    def result(self) -> State:
        state = t.cast(State, self.state)
        return {"id": self.name, **{field: state[field] for field in ("arn", "created", "tags")}}


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    cluster = params["cluster_identifier"]
    describe = aws.client("rds").describe_db_clusters
    if none_if_missing(describe, "DBClusterNotFoundFault", DBClusterIdentifier=cluster) is None:
        raise AwsError(f"there is no cluster {cluster} to take a snapshot of")
    now = UNKNOWN if aws.check_mode else timestamp()
    snapshot = Snapshot(aws, params["snapshot_identifier"] or f"{cluster}-backup-{now}", params, tags=params["tags"])
    return [snapshot], lambda: {"snapshot": snapshot.result()}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={"cluster_identifier": {"type": "str", "required": True}, "snapshot_identifier": {"type": "str"}, **TAGS, **WAIT},
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

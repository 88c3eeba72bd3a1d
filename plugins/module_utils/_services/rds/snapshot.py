# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: a snapshot of an Aurora cluster."""

from __future__ import annotations


from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN, has_unknown
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.base import RdsResource


class Snapshot(RdsResource):
    """``spec`` holds ``cluster_identifier``. One that exists is left as it is."""

    kind = "rds_cluster_snapshot"
    timeout = 4 * 3600

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
        """The returned value ``snapshot``."""
        state = self.actual
        return {"id": self.name, **{field: state[field] for field in ("arn", "created", "tags")}}

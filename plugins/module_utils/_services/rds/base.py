# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what holds for every resource of RDS."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, first_or_none
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list

BEING_DELETED = "AWS is deleting it: run the same command again when it is gone"


def describe_cluster(aws: Aws, name: str) -> State | None:
    """An item of the answer of DescribeDBClusters, or None where there is no cluster of that name."""
    return first_or_none(aws.client("rds").describe_db_clusters, "DBClusters", "DBClusterNotFoundFault", DBClusterIdentifier=name)


class RdsResource(Resource):
    """A resource whose tags AWS reads and changes by its ARN."""

    @property
    def rds(self) -> t.Any:
        return self.aws.client("rds")

    def tags_of(self, arn: str) -> dict[str, str]:
        return tag_dict(self.rds.list_tags_for_resource(ResourceName=arn)["TagList"])

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        if to_set:
            self.rds.add_tags_to_resource(ResourceName=before["arn"], Tags=tag_list(to_set))
        if to_unset:
            self.rds.remove_tags_from_resource(ResourceName=before["arn"], TagKeys=to_unset)

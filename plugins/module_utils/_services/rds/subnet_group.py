# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the subnet group of a cluster."""

from __future__ import annotations


from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.base import RdsResource


class SubnetGroup(RdsResource):
    """``spec`` holds ``subnet_ids``, in two availability zones or more."""

    kind = "rds_subnet_group"
    DESCRIPTION = "Subnets of the database"

    def describe(self) -> State | None:
        group = first_or_none(self.rds.describe_db_subnet_groups, "DBSubnetGroups", "DBSubnetGroupNotFoundFault", DBSubnetGroupName=self.name)
        if group is None:
            return None
        return {
            "arn": group["DBSubnetGroupArn"],
            "subnet_ids": sorted(subnet["SubnetIdentifier"] for subnet in group["Subnets"]),
            "tags": self.tags_of(group["DBSubnetGroupArn"]),
        }

    def desired(self) -> State:
        return {"subnet_ids": sorted(self.spec["subnet_ids"])}

    def create(self, desired: State) -> None:
        self.rds.create_db_subnet_group(
            DBSubnetGroupName=self.name, DBSubnetGroupDescription=self.DESCRIPTION, SubnetIds=desired["subnet_ids"], Tags=tag_list(desired["tags"])
        )

    def update(self, before: State, changes: State) -> None:
        self.rds.modify_db_subnet_group(DBSubnetGroupName=self.name, SubnetIds=changes["subnet_ids"])

    def delete(self, before: State) -> None:
        retry_on(self.rds.delete_db_subnet_group, "InvalidDBSubnetGroupStateFault", DBSubnetGroupName=self.name)

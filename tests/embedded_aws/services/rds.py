# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RDS: Aurora clusters as AWS echoes, guards and times them."""

from __future__ import annotations

from typing import Any

from moto.rds import models

from embedded_aws.gaps import gap


@gap(models.RDSBackend, "modify_db_subnet_group")
def modify_db_subnet_group(original: Any, self: Any, subnet_name: str, description: Any, subnets: Any) -> Any:
    """ModifyDBSubnetGroup keeps the group."""
    group = original(self, subnet_name, description, subnets)
    self.subnet_groups[subnet_name] = group
    return group


@gap(models.RDSBackend, "create_db_instance")
def member_subnet_group(original: Any, self: Any, db_kwargs: dict[str, Any]) -> Any:
    """A member of a cluster is in the cluster's subnet group."""
    cluster = self.clusters.get(db_kwargs.get("db_cluster_identifier"))
    if cluster and not db_kwargs.get("db_subnet_group_name") and cluster.db_subnet_group in self.subnet_groups:
        db_kwargs["db_subnet_group_name"] = cluster.db_subnet_group
    return original(self, db_kwargs)

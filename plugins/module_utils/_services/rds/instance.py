# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: an instance of an Aurora cluster."""

from __future__ import annotations


from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff, retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.base import BEING_DELETED, RdsResource, describe_cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.status import failure


def reboot_pending(cluster: State) -> list[str]:
    """The names of the instances of a cluster, an item of DescribeDBClusters, that need a reboot to have all its parameters."""
    members = cluster.get("DBClusterMembers", [])
    return sorted(m["DBInstanceIdentifier"] for m in members if m.get("DBClusterParameterGroupStatus") == "pending-reboot")


class Instance(RdsResource):
    """An instance of a cluster, which is its parent. ``spec`` holds the options of ``rds_cluster``."""

    kind = "rds_instance"
    parent: Resource
    current: State | None = None

    MONITORING = frozenset({"monitoring_interval", "monitoring_role_arn"})
    """What AWS takes together only."""

    def describe(self) -> State | None:
        instance = first_or_none(self.rds.describe_db_instances, "DBInstances", "DBInstanceNotFound", DBInstanceIdentifier=self.name)
        if instance is None:
            return None
        if instance["DBInstanceStatus"] == "deleting":
            if self.absent:
                return None  # which it will be before its cluster is
            raise AwsError(BEING_DELETED)
        self.current = {
            "arn": instance["DBInstanceArn"],
            "status": instance["DBInstanceStatus"],
            "instance_class": instance["DBInstanceClass"],
            "promotion_tier": instance.get("PromotionTier"),
            "auto_minor_version_upgrade": instance.get("AutoMinorVersionUpgrade"),
            "publicly_accessible": instance.get("PubliclyAccessible", False),
            "monitoring_interval": instance.get("MonitoringInterval", 0),
            "monitoring_role_arn": instance.get("MonitoringRoleArn"),
            "tags": tag_dict(instance.get("TagList", [])),
        }
        return self.current

    def desired(self) -> State:
        return {
            "instance_class": self.spec["instance_class"],
            "promotion_tier": self.spec["promotion_tier"],
            "auto_minor_version_upgrade": self.spec["auto_minor_version_upgrade"],
            "publicly_accessible": False,
            **self._monitoring(),
        }

    def _monitoring(self) -> State:
        """Enhanced Monitoring. What others have turned on, with another role, stays."""
        interval, role = self.spec["monitoring_interval"], self.spec["monitoring_role"]
        if interval:
            return {"monitoring_interval": interval, "monitoring_role_arn": role.actual["arn"]}
        return {"monitoring_interval": 0 if role and role.is_role_of(self.current) else None}

    def unknown(self) -> State:
        return {"arn": UNKNOWN, "status": "creating"}

    def create(self, desired: State) -> State:
        # AWS may take an instance only once its new cluster is available.
        answer = retry_on(
            self.rds.create_db_instance,
            "InvalidDBClusterStateFault",
            timeout=900,
            DBInstanceIdentifier=self.name,
            DBClusterIdentifier=self.parent.name,
            Engine=self.spec["engine"],
            Tags=tag_list(desired["tags"]),
            **self._arguments(desired),
        )
        return {"arn": answer["DBInstance"]["DBInstanceArn"], "status": answer["DBInstance"]["DBInstanceStatus"]}

    def update(self, before: State, changes: State) -> State:
        if self.MONITORING & changes.keys() and self.actual["monitoring_interval"]:
            changes = {**changes, **{field: self.actual[field] for field in self.MONITORING}}
        answer = retry_on(
            self.rds.modify_db_instance,
            "InvalidDBInstanceState",
            "InvalidDBClusterStateFault",
            timeout=900,
            DBInstanceIdentifier=self.name,
            ApplyImmediately=True,
            **self._arguments(changes),
        )
        return {"status": answer["DBInstance"]["DBInstanceStatus"]}

    @staticmethod
    def _arguments(wanted: State) -> State:
        names = {
            "instance_class": "DBInstanceClass",
            "promotion_tier": "PromotionTier",
            "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
            "publicly_accessible": "PubliclyAccessible",
            "monitoring_interval": "MonitoringInterval",
            "monitoring_role_arn": "MonitoringRoleArn",
        }
        return {argument: wanted[field] for field, argument in names.items() if wanted.get(field) is not None}

    def delete(self, before: State) -> None:
        # Its data is the cluster's: an instance of Aurora has no snapshot of its own. It waits for a failover that the
        # removal of another instance has brought about.
        retry_on(
            self.rds.delete_db_instance,
            "InvalidDBInstanceState",
            "InvalidDBClusterStateFault",
            timeout=900,
            DBInstanceIdentifier=self.name,
            SkipFinalSnapshot=True,
        )

    def wait_ready(self) -> None:
        """Until it is available, and as a new one has all parameters of its cluster, whose group may have been too new for it."""
        super().wait_ready()
        if self.newly_created() and self._lacks_parameters():  # nobody uses it yet
            retry_on(self.rds.reboot_db_instance, "InvalidDBInstanceState", timeout=900, DBInstanceIdentifier=self.name)
            wait = Wait(f"the parameters of {self.kind} {self.name}")
            for pause in backoff():
                super().wait_ready()
                if not self._lacks_parameters() or wait.seconds > self.timeout:
                    return
                wait.pause(pause, "rebooting")

    def _lacks_parameters(self) -> bool:
        return self.name in reboot_pending(describe_cluster(self.aws, self.parent.name) or {})

    def pending(self, state: State) -> bool:
        problem = failure(state["status"], self.parent.name)
        if problem and not self.absent:
            raise AwsError(problem)
        return not problem and state["status"] != "available"

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before and "instance_class" in changes:
            return ["instance_class: restarts the instance"]
        if self.absent and not self.parent.absent and not self.spec["reader_count"]:
            return ["without a reader, a failover takes up to about 10 minutes"]
        return []

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the role of Enhanced Monitoring."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.roles import Role


class MonitoringRole(Role):
    """The role by which Amazon RDS writes what it measures of instances into CloudWatch Logs.

    Most stacks have none. So where it is to be absent, its policies are read only if it is there, and where the cluster stays, the role itself
    only if an instance tells of it, which it does even after its monitoring was turned off.
    """

    cluster: Resource | None = None
    """The cluster that stays without it, if so."""

    def is_role_of(self, instance: State | None) -> bool:
        """Whether an instance is, or was, monitored by it."""
        return ((instance or {}).get("monitoring_role_arn") or "").rpartition("/")[2] == self.name

    def prefetch(self) -> None:
        if not self.cluster:
            super().prefetch()

    def prefetch_reads(self) -> list[t.Callable[[], t.Any]]:
        return [] if self.absent else super().prefetch_reads()

    def describe(self) -> State | None:
        if self.cluster and not any(self.is_role_of(instance.state) for instance in self.cluster.child_resources):
            return None
        return super().describe()

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: an ECS cluster for Fargate."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list


class Cluster(Resource):
    """A cluster. ``spec``: ``container_insights`` (None: not managed) and ``capacity_providers``."""

    kind = "ecs_cluster"
    service = "ecs"
    timeout = 600

    def describe(self) -> State | None:
        ecs = self.aws.client("ecs")
        clusters = ecs.describe_clusters(clusters=[self.name], include=["TAGS", "SETTINGS"])["clusters"]
        if not clusters or clusters[0]["status"] == "INACTIVE":
            return None
        cluster = clusters[0]
        settings = {s["name"]: s["value"] for s in cluster.get("settings", [])}
        return {
            "arn": cluster["clusterArn"],
            "status": cluster["status"],
            "attachments_status": cluster.get("attachmentsStatus", ""),
            "container_insights": settings.get("containerInsights", "disabled"),
            "capacity_providers": sorted(cluster.get("capacityProviders", [])),
            # Not an option, but PutClusterCapacityProviders would remove it where it is not given again.
            "default_strategy": cluster.get("defaultCapacityProviderStrategy", []),
            "tags": tag_dict(cluster.get("tags", []), "key", "value"),
        }

    def desired(self) -> State:
        return {"container_insights": self.spec["container_insights"], "capacity_providers": sorted(self.spec["capacity_providers"])}

    def unknown(self) -> State:
        return {"arn": UNKNOWN}

    def create(self, desired: State) -> State:
        # With the first cluster of an account AWS creates ECS's service-linked role, which IAM does not know at once.
        cluster = retry_on(
            self.aws.client("ecs").create_cluster,
            "InvalidParameterException",
            message="service linked role",
            clusterName=self.name,
            settings=_settings(desired),
            capacityProviders=desired["capacity_providers"],
            tags=tag_list(desired["tags"], "key", "value"),
        )["cluster"]
        return {"arn": cluster["clusterArn"], "status": cluster["status"]}

    def update(self, before: State, changes: State) -> State:
        ecs = self.aws.client("ecs")
        if "container_insights" in changes:
            ecs.update_cluster(cluster=self.name, settings=_settings(changes))
        if "capacity_providers" not in changes:
            return {}
        providers = changes["capacity_providers"]
        answer = retry_on(
            ecs.put_cluster_capacity_providers,
            "UpdateInProgressException",
            cluster=self.name,
            capacityProviders=providers,
            defaultCapacityProviderStrategy=[s for s in before["default_strategy"] if s["capacityProvider"] in providers],
        )
        return {"attachments_status": answer["cluster"].get("attachmentsStatus", "")}

    def delete(self, before: State) -> None:
        # Tasks of a deleted service take a while to stop.
        retry_on(self.aws.client("ecs").delete_cluster, "ClusterContainsTasksException", "UpdateInProgressException", timeout=self.timeout, cluster=self.name)

    def pending(self, state: State) -> bool:
        if state.get("status") == "FAILED":
            raise AwsError("ECS could not create its capacity providers: remove the cluster and run again")
        return state.get("status") in ("PROVISIONING", "DEPROVISIONING") or (state.get("attachments_status") == "UPDATE_IN_PROGRESS")


def _settings(wanted: State) -> list[dict[str, str]]:
    insights = wanted["container_insights"]
    return [{"name": "containerInsights", "value": insights}] if insights else []

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: target groups."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.resource import Elbv2Resource, attribute_dict, attribute_values, tags_of

HEALTH_CHECK = {
    "protocol": "HealthCheckProtocol",
    "port": "HealthCheckPort",
    "path": "HealthCheckPath",
    "interval_seconds": "HealthCheckIntervalSeconds",
    "timeout_seconds": "HealthCheckTimeoutSeconds",
    "healthy_threshold_count": "HealthyThresholdCount",
    "unhealthy_threshold_count": "UnhealthyThresholdCount",
}


class TargetGroup(Elbv2Resource):
    kind = "elbv2_target_group"
    immutable = frozenset({"port", "protocol", "vpc_id", "target_type"})

    def describe(self) -> State | None:
        elbv2 = self.aws.client("elbv2")
        group = first_or_none(elbv2.describe_target_groups, "TargetGroups", "TargetGroupNotFound", Names=[self.name])
        if group is None:
            return None
        arn = group["TargetGroupArn"]
        answer, tags = run_concurrently(lambda: elbv2.describe_target_group_attributes(TargetGroupArn=arn), lambda: tags_of(self.aws, [arn]))
        attributes = attribute_dict(answer["Attributes"])
        health_check = {option: group.get(member) for option, member in HEALTH_CHECK.items()}
        health_check["matcher"] = group.get("Matcher", {}).get("HttpCode")
        return {
            "arn": arn,
            "port": group.get("Port"),
            "protocol": group.get("Protocol"),
            "vpc_id": group.get("VpcId"),
            "target_type": group["TargetType"],
            "health_check": {k: health_check[k] for k in self._health_check()},
            "attributes": {k: attributes.get(k) for k in self.spec["attributes"]},
            "tags": tags[arn],
        }

    def _health_check(self) -> State:
        return {k: v for k, v in self.spec["health_check"].items() if v is not None}

    def desired(self) -> State:
        return {
            **{name: self.spec[name] for name in ("port", "protocol", "vpc_id", "target_type")},
            "health_check": self._health_check(),
            "attributes": attribute_values(self.spec["attributes"]),
        }

    def create(self, desired: State) -> State:
        members = {"port": "Port", "protocol": "Protocol", "vpc_id": "VpcId", "target_type": "TargetType"}
        answer = self.aws.client("elbv2").create_target_group(
            Name=self.name,
            **{member: desired[name] for name, member in members.items() if desired[name] is not None},
            **self._health_check_arguments(desired["health_check"]),
            **({"Tags": tag_list(desired["tags"])} if desired["tags"] else {}),
        )
        arn = answer["TargetGroups"][0]["TargetGroupArn"]
        self._set_attributes(arn, {}, desired["attributes"])
        return {"arn": arn}

    def update(self, before: State, changes: State) -> None:
        if "health_check" in changes:
            arguments = self._health_check_arguments(changes["health_check"])
            self.aws.client("elbv2").modify_target_group(TargetGroupArn=before["arn"], **arguments)
        self._set_attributes(before["arn"], before["attributes"], changes.get("attributes", {}))

    @staticmethod
    def _health_check_arguments(health_check: State) -> dict[str, t.Any]:
        arguments = {HEALTH_CHECK[k]: v for k, v in health_check.items() if k in HEALTH_CHECK}
        return arguments | ({"Matcher": {"HttpCode": health_check["matcher"]}} if "matcher" in health_check else {})

    def _set_attributes(self, arn: str, before: State, attributes: State) -> None:
        changed = {k: v for k, v in attributes.items() if before.get(k) != v}
        if changed:
            self.aws.client("elbv2").modify_target_group_attributes(TargetGroupArn=arn, Attributes=tag_list(changed))

    def delete(self, before: State) -> None:
        # AWS takes a while to notice that the listeners which used it went with their load balancer.
        retry_on(self.aws.client("elbv2").delete_target_group, "ResourceInUse", TargetGroupArn=before["arn"])

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: target groups."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, first_or_none, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.resource import Elbv2Resource, attribute_dict, attribute_values, tags_of

SUPERSEDES = "mlflow-supersedes"
"""The tag of a target group that takes the place of another one: the other's name, as long as no rule forwards to that any more and it exists."""

HEALTH_CHECK = {
    "protocol": "HealthCheckProtocol",
    "port": "HealthCheckPort",
    "path": "HealthCheckPath",
    "interval_seconds": "HealthCheckIntervalSeconds",
    "timeout_seconds": "HealthCheckTimeoutSeconds",
    "healthy_threshold_count": "HealthyThresholdCount",
    "unhealthy_threshold_count": "UnhealthyThresholdCount",
}


def name_in(arn: str) -> str:
    """The name in the ARN of a target group."""
    return arn.split(":targetgroup/")[-1].split("/")[0]


class TargetGroup(Elbv2Resource):
    """A target group. ``superseded`` is the one whose place it takes in this run, where it is to be the only one at its end."""

    kind = "elbv2_target_group"
    immutable = frozenset({"port", "protocol", "vpc_id", "target_type"})
    superseded: SupersededTargetGroup | None = None

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
        supersedes = tags[arn].pop(SUPERSEDES, None)
        return {
            "arn": arn,
            "port": group.get("Port"),
            "protocol": group.get("Protocol"),
            "vpc_id": group.get("VpcId"),
            "target_type": group["TargetType"],
            "health_check": {k: health_check[k] for k in self._health_check()},
            "attributes": {k: attributes.get(k) for k in self.spec["attributes"]},
            "supersedes": supersedes,
            "tags": tags[arn],
        }

    def _health_check(self) -> State:
        return {k: v for k, v in self.spec["health_check"].items() if v is not None}

    def desired(self) -> State:
        return {
            **{name: self.spec[name] for name in ("port", "protocol", "vpc_id", "target_type")},
            "health_check": self._health_check(),
            "attributes": attribute_values(self.spec["attributes"]),
            "supersedes": self.superseded.name if self.superseded else None,
        }

    def forward(self, weights: dict[str, int]) -> State:
        """How a rule that forwards to target groups with these ``weights`` is to forward to this one.

        A rule that forwards to the superseded one goes on with that, so that the servers can register with both: AWS refuses a target group of
        a service that no load balancer uses. M(ecs_service) changes over once this one has servers.
        """
        arn, superseded = self.actual["arn"], next((each for each in weights if name_in(each) == self.spec.get("superseded")), None)
        if superseded is None or self.superseded:
            return {"TargetGroupArn": arn}
        changed_over = int(weights.get(arn, 0) > 0)
        groups = [{"TargetGroupArn": superseded, "Weight": 1 - changed_over}, {"TargetGroupArn": arn, "Weight": changed_over}]
        return {"ForwardConfig": {"TargetGroups": groups}}

    def create(self, desired: State) -> State:
        members = {"port": "Port", "protocol": "Protocol", "vpc_id": "VpcId", "target_type": "TargetType"}
        tags = {**(desired["tags"] or {}), **({SUPERSEDES: desired["supersedes"]} if desired["supersedes"] else {})}
        answer = self.aws.client("elbv2").create_target_group(
            Name=self.name,
            **{member: desired[name] for name, member in members.items() if desired[name] is not None},
            **self._health_check_arguments(desired["health_check"]),
            **({"Tags": tag_list(tags)} if tags else {}),
        )
        arn = answer["TargetGroups"][0]["TargetGroupArn"]
        self._set_attributes(arn, {}, desired["attributes"])
        return {"arn": arn}

    def update(self, before: State, changes: State) -> None:
        if "health_check" in changes:
            arguments = self._health_check_arguments(changes["health_check"])
            self.aws.client("elbv2").modify_target_group(TargetGroupArn=before["arn"], **arguments)
        self._set_attributes(before["arn"], before["attributes"], changes.get("attributes", {}))
        if "supersedes" in changes:
            self.aws.client("elbv2").add_tags(ResourceArns=[before["arn"]], Tags=tag_list({SUPERSEDES: changes["supersedes"]}))

    def warn(self, before: State | None, changes: State) -> list[str]:
        path = changes.get("health_check", {}).get("path")
        if before and path and path != before["health_check"].get("path"):
            return [f"the health checks ask for {path}: targets that do not answer there are taken for unhealthy until others take their place"]
        return []

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


class SupersededTargetGroup(TargetGroup):
    """The one whose place another takes, which forgets it at last."""

    def __init__(self, aws: Aws, name: str, *, by: TargetGroup) -> None:
        super().__init__(aws, name, {"health_check": {}, "attributes": {}}, tags=by.tags, absent=True)
        self.by = by

    def reconcile(self) -> None:
        super().reconcile()
        if self.by.state and self.by.state.get("supersedes") and not self.aws.check_mode:
            self.aws.client("elbv2").remove_tags(ResourceArns=[self.by.state["arn"]], TagKeys=[SUPERSEDES])

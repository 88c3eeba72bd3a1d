# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: rules of EventBridge that publish to an SNS topic."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list

TARGET = "topic"
"""The ID of the target that is ours. Others may have added theirs."""
_MISSING = ("ResourceNotFoundException",)


def _check(answer: dict[str, t.Any], operation: str) -> None:
    """What EventBridge refuses of a list it tells in an answer without an error. It is one like any other."""
    for refused in answer.get("FailedEntries") or []:
        raise ClientError({"Error": {"Code": refused["ErrorCode"], "Message": refused["ErrorMessage"]}}, operation)


class Rule(Resource):
    """A rule of the default event bus. ``spec``: ``description``, ``event_pattern``, ``input_paths``, ``input_template``, ``topic_arn``."""

    kind = "events_rule"
    service = "events"

    def describe(self) -> State | None:
        events = self.aws.client("events")
        rule = none_if_missing(events.describe_rule, *_MISSING, Name=self.name)
        if rule is None:
            return None
        targets = {each["Id"]: each for each in self.aws.pages("events", "list_targets_by_rule", "Targets", Rule=self.name)}
        ours = targets.get(TARGET, {})
        transformer = ours.get("InputTransformer", {})
        return {
            "arn": rule["Arn"],
            "description": rule.get("Description", ""),
            "event_pattern": json.loads(rule.get("EventPattern") or "{}"),
            "enabled": rule["State"] != "DISABLED",
            "target": {
                "topic_arn": ours.get("Arn", ""),
                "input_paths": transformer.get("InputPathsMap", {}),
                "input_template": transformer.get("InputTemplate", ""),
            },
            "target_ids": sorted(targets),
            "tags": tag_dict(events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]),
        }

    def desired(self) -> State:
        return {
            "description": self.spec["description"],
            "event_pattern": self.spec["event_pattern"],
            "enabled": True,
            "target": {name: self.spec[name] for name in ("topic_arn", "input_paths", "input_template")},
        }

    def unknown(self) -> State:
        return {"arn": f"arn:{self.aws.partition}:events:{self.aws.region}:{self.aws.account_id}:rule/{self.name}"}

    def create(self, desired: State) -> State:
        self._put(desired, Tags=tag_list(desired["tags"]))
        self._put_target(desired["target"])
        return self.unknown()

    def update(self, before: State, changes: State) -> None:
        if changes.keys() - {"target"}:
            self._put(self.desired())
        if "target" in changes:
            self._put_target(changes["target"])

    def _put(self, wanted: State, **more: t.Any) -> None:
        self.aws.client("events").put_rule(
            Name=self.name, Description=wanted["description"], EventPattern=json.dumps(wanted["event_pattern"]), State="ENABLED", **more
        )

    def _put_target(self, target: State) -> None:
        transformer = {"InputTransformer": {"InputPathsMap": target["input_paths"], "InputTemplate": target["input_template"]}}
        answer = self.aws.client("events").put_targets(
            Rule=self.name, Targets=[{"Id": TARGET, "Arn": target["topic_arn"], **(transformer if target["input_template"] else {})}]
        )
        _check(answer, "PutTargets")

    def delete(self, before: State) -> None:
        if before["target_ids"]:
            _check(self.aws.client("events").remove_targets(Rule=self.name, Ids=before["target_ids"]), "RemoveTargets")
        self.aws.client("events").delete_rule(Name=self.name)

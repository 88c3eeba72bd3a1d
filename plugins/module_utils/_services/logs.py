# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: CloudWatch Logs: log groups with their retention, and saved queries."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import own_tags

LOG_GROUP: Arguments = {"name": {"type": "str", "required": True}, "retention_in_days": {"type": "int"}, "kms_key_id": {"type": "str", "no_log": False}}
"""The options of one log group: what the ``spec`` of a `LogGroup` holds, besides ``account_id``."""
QUERY_DEFINITION: Arguments = {"name": {"type": "str", "required": True}, "query_string": {"type": "str", "default": ""}}
"""The options of one saved query: what the ``spec`` of a `QueryDefinition` holds, besides ``log_groups``."""

KEY = "mlflow-log-key"
"""The tag of a log group whose key a run has associated. A key that somebody else has associated stays where none is given."""


class LogGroup(Resource):
    """A log group. ``spec``: `LOG_GROUP`, and ``account_id``, the account that it is in; where that is None, STS is asked for the caller's.

    A value that is None is not managed.
    """

    kind = "logs_log_group"
    service = "logs"

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.keyed = False  # whether a run has associated its key

    def describe(self) -> State | None:
        groups, tags = run_concurrently(
            lambda: self.aws.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=self.name),
            lambda: none_if_missing(self.aws.client("logs").list_tags_for_resource, "ResourceNotFoundException", resourceArn=self._arn()),
        )
        group = next((g for g in groups if g["logGroupName"] == self.name), None)
        if group is None:
            return None
        named = own_tags(tags["tags"]) if tags else {}
        self.keyed = named.pop(KEY, None) is not None
        return {"arn": self._arn(), "retention_in_days": group.get("retentionInDays"), "kms_key_id": group.get("kmsKeyId", ""), "tags": named}

    def prefetch(self) -> None:
        if not self.absent:  # until what writes to it is gone, AWS may create it
            super().prefetch()

    def _arn(self) -> str:
        account = self.spec["account_id"] or self.aws.account_id
        return f"arn:{self.aws.partition}:logs:{self.aws.region}:{account}:log-group:{self.name}"

    def desired(self) -> State:
        key = self.spec["kms_key_id"]
        return {"retention_in_days": self.spec["retention_in_days"], "kms_key_id": key if key or self.keyed else None}

    def unknown(self) -> State:
        return {"arn": self._arn()}

    def create(self, desired: State) -> State:
        key, tags = ({"kmsKeyId": desired["kms_key_id"]}, {KEY: "true"}) if desired["kms_key_id"] else ({}, {})
        self.aws.client("logs").create_log_group(logGroupName=self.name, tags={**desired["tags"], **tags}, **key)
        self._set_retention(desired)
        return self.unknown()  # CreateLogGroup answers nothing

    def update(self, before: State, changes: State) -> None:
        self._set_retention(changes)
        if "kms_key_id" in changes:
            self._set_key(changes["kms_key_id"])

    def _set_key(self, key: str) -> None:
        logs = self.aws.client("logs")
        if key:
            logs.tag_resource(resourceArn=self._arn(), tags={KEY: "true"})
            logs.associate_kms_key(logGroupName=self.name, kmsKeyId=key)
        else:
            logs.disassociate_kms_key(logGroupName=self.name)
            logs.untag_resource(resourceArn=self._arn(), tagKeys=[KEY])

    def _set_retention(self, fields: State) -> None:
        days = fields.get("retention_in_days")
        if days:
            self.aws.client("logs").put_retention_policy(logGroupName=self.name, retentionInDays=days)

    def warn(self, before: State | None, changes: State) -> list[str]:
        if self.absent:
            return ["its logs are deleted"]
        if before is None:
            return []
        previous, days, key = before["retention_in_days"], changes.get("retention_in_days"), before["kms_key_id"]
        return [
            *([f"logs that are older than {days} days are deleted"] if days and (previous is None or days < previous) else []),
            *([f"what was logged until now can be read only as long as the key {key} is enabled"] if key and "kms_key_id" in changes else []),
        ]

    def delete(self, before: State) -> None:
        self.aws.client("logs").delete_log_group(logGroupName=self.name)


class QueryDefinition(Resource):
    """A saved query of CloudWatch Logs Insights about ``group``. ``spec``: `QUERY_DEFINITION`. It has no tags: it is whose the log group is."""

    kind = "logs_query_definition"
    service = "logs"
    allows_duplicates = True

    def __init__(self, group: LogGroup, name: str, spec: dict[str, t.Any], absent: bool = False) -> None:
        super().__init__(group.aws, name, spec, needs=[group], absent=absent)
        self.group = group

    def describe(self) -> State | None:
        answer = self.aws.client("logs").describe_query_definitions(queryDefinitionNamePrefix=self.name)
        found = next((each for each in answer["queryDefinitions"] if each["name"] == self.name), None)
        if found is None:
            return None
        return {"id": found["queryDefinitionId"], "query_string": found["queryString"], "log_groups": found.get("logGroupNames", [])}

    def desired(self) -> State:
        return {"query_string": self.spec["query_string"], "log_groups": [self.group.name]}

    def unknown(self) -> State:
        return {"id": UNKNOWN}

    def create(self, desired: State) -> State:
        return self._put(desired)

    def update(self, before: State, changes: State) -> None:
        self._put({**before, **changes}, queryDefinitionId=before["id"])

    def _put(self, state: State, **more: str) -> State:
        answer = self.aws.client("logs").put_query_definition(name=self.name, queryString=state["query_string"], logGroupNames=state["log_groups"], **more)
        return {"id": answer["queryDefinitionId"]}

    def delete(self, before: State) -> None:
        self.aws.client("logs").delete_query_definition(queryDefinitionId=before["id"])

    def _owned_by_another(self, before: State) -> bool:
        group = self.group.describe() if self.absent else None  # where both are wanted, the group has been looked at
        return group is not None and self.group._owned_by_another(group)


class MetricFilter(Resource):
    """A metric that counts the events of a log group that fit a pattern. ``spec``: ``log_group``, ``pattern``, ``namespace``, ``metric``.

    It is a part of the log group, has no tags, and goes with it.
    """

    kind = "logs_metric_filter"

    def describe(self) -> State | None:
        logs, group = self.aws.client("logs"), self.spec["log_group"]
        answer = none_if_missing(logs.describe_metric_filters, "ResourceNotFoundException", logGroupName=group, filterNamePrefix=self.name)
        found = next((each for each in (answer or {}).get("metricFilters", []) if each["filterName"] == self.name), None)
        return found and {"pattern": found["filterPattern"], "metrics": _metrics(found["metricTransformations"])}

    def desired(self) -> State:
        metric = {"namespace": self.spec["namespace"], "name": self.spec["metric"], "value": "1"}
        return {"pattern": self.spec["pattern"], "metrics": [metric]}

    def create(self, desired: State) -> None:
        self._put()

    def update(self, before: State, changes: State) -> None:
        self._put()

    def _put(self) -> None:
        metric = {"metricNamespace": self.spec["namespace"], "metricName": self.spec["metric"], "metricValue": "1"}
        self.aws.client("logs").put_metric_filter(
            logGroupName=self.spec["log_group"], filterName=self.name, filterPattern=self.spec["pattern"], metricTransformations=[metric]
        )

    def delete(self, before: State) -> None:
        self.aws.client("logs").delete_metric_filter(logGroupName=self.spec["log_group"], filterName=self.name)


def _metrics(transformations: list[dict[str, t.Any]]) -> list[State]:
    return [{"namespace": each["metricNamespace"], "name": each["metricName"], "value": each["metricValue"]} for each in transformations]

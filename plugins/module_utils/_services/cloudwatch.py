# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: CloudWatch: metric alarms, and dashboards."""

from __future__ import annotations

import json
import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list

RESULT = "result"
"""The ID of what a metric alarm calculates from several metrics."""
ONLY = "metric"
"""Here the ID of the metric of an alarm that calculates nothing, which has none in CloudWatch."""
_MISSING = ("ResourceNotFound", "ResourceNotFoundException")


def alarms_of(aws: Aws, prefix: str) -> dict[str, dict[str, t.Any]]:
    """The metric alarms whose names begin so, as CloudWatch describes them, by their names."""
    read = partial(aws.pages, "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=prefix)
    return {alarm["AlarmName"]: alarm for alarm in aws.once(("alarms", prefix), read)}


class _Tagged(Resource):
    service = "cloudwatch"

    def tags_of(self, arn: str) -> dict[str, str]:
        answer = none_if_missing(self.aws.client("cloudwatch").list_tags_for_resource, *_MISSING, ResourceARN=arn)
        return tag_dict(answer["Tags"]) if answer else {}


class MetricAlarm(_Tagged):
    """An alarm on a metric, or on what an expression makes of several. ``spec``: a row of the option ``alarms``, with the ``prefix`` of the names of
    all alarms that are read together, and the ``actions`` of a change of its state.
    """

    kind = "cloudwatch_metric_alarm"

    def describe(self) -> State | None:
        alarm = alarms_of(self.aws, self.spec["prefix"]).get(self.name)
        return {**_normal(alarm), "tags": self.tags_of(alarm["AlarmArn"])} if alarm else None

    def desired(self) -> State:
        same = ("description", "expression", "comparison", "evaluation_periods", "datapoints_to_alarm", "treat_missing_data", "period")
        return {
            **{name: self.spec[name] for name in same},
            "threshold": float(self.spec["threshold"]),
            "metrics": {
                identifier if self.spec["expression"] else ONLY: {**metric, "dimensions": {name: str(value) for name, value in metric["dimensions"].items()}}
                for identifier, metric in self.spec["metrics"].items()
            },
            "actions": sorted(self.spec["actions"]),
            "ok_actions": sorted(self.spec["actions"]),
            "insufficient_data_actions": [],
            "actions_enabled": True,
        }

    def unknown(self) -> State:
        return {"arn": f"arn:{self.aws.partition}:cloudwatch:{self.aws.region}:{self.aws.account_id}:alarm:{self.name}"}

    def create(self, desired: State) -> State:
        self._put(desired, Tags=tag_list(desired["tags"]))
        return self.unknown()  # PutMetricAlarm answers nothing

    def update(self, before: State, changes: State) -> None:
        self._put(self.desired())  # it replaces all settings of the alarm, and leaves its tags

    def _put(self, wanted: State, **more: t.Any) -> None:
        self.aws.client("cloudwatch").put_metric_alarm(
            AlarmName=self.name,
            AlarmDescription=wanted["description"],
            ActionsEnabled=True,
            AlarmActions=wanted["actions"],
            OKActions=wanted["ok_actions"],
            InsufficientDataActions=[],
            Threshold=wanted["threshold"],
            ComparisonOperator=wanted["comparison"],
            EvaluationPeriods=wanted["evaluation_periods"],
            DatapointsToAlarm=wanted["datapoints_to_alarm"],
            TreatMissingData=wanted["treat_missing_data"],
            **_metric_arguments(wanted),
            **more,
        )

    def delete(self, before: State) -> None:
        self.aws.client("cloudwatch").delete_alarms(AlarmNames=[self.name])


def _metric_arguments(wanted: State) -> dict[str, t.Any]:
    """The metrics as PutMetricAlarm takes them: one by itself, or several with the expression."""
    stats = {
        identifier: {
            "Metric": {
                "Namespace": metric["namespace"],
                "MetricName": metric["name"],
                "Dimensions": [{"Name": name, "Value": value} for name, value in sorted(metric["dimensions"].items())],
            },
            "Stat": metric["statistic"],
            "Period": wanted["period"],
        }
        for identifier, metric in wanted["metrics"].items()
    }
    if not wanted["expression"]:
        (stat,) = stats.values()
        return {**stat["Metric"], "Statistic": stat["Stat"], "Period": stat["Period"]}
    queries = [{"Id": identifier, "MetricStat": stat, "ReturnData": False} for identifier, stat in sorted(stats.items())]
    return {"Metrics": [{"Id": RESULT, "Expression": wanted["expression"], "Label": wanted["description"][:100], "ReturnData": True}, *queries]}


def _normal(alarm: dict[str, t.Any]) -> State:
    """What CloudWatch describes, with the names of the options. Of an alarm that somebody has changed it may lack anything."""
    queries = alarm.get("Metrics") or []
    stats = {query["Id"]: query["MetricStat"] for query in queries if query.get("MetricStat")}
    if not queries:
        stats = {ONLY: {"Metric": alarm, "Stat": alarm.get("Statistic") or alarm.get("ExtendedStatistic"), "Period": alarm.get("Period")}}
    return {
        "arn": alarm["AlarmArn"],
        "description": alarm.get("AlarmDescription", ""),
        "expression": next((query["Expression"] for query in queries if query.get("ReturnData") is not False and query.get("Expression")), ""),
        "comparison": alarm.get("ComparisonOperator"),
        "threshold": alarm.get("Threshold"),
        "evaluation_periods": alarm.get("EvaluationPeriods"),
        "datapoints_to_alarm": alarm.get("DatapointsToAlarm"),
        "treat_missing_data": alarm.get("TreatMissingData"),
        "period": next((stat["Period"] for stat in stats.values()), None),
        "metrics": {
            identifier: {
                "namespace": stat["Metric"].get("Namespace"),
                "name": stat["Metric"].get("MetricName"),
                "dimensions": {each["Name"]: each["Value"] for each in stat["Metric"].get("Dimensions") or []},
                "statistic": stat["Stat"],
            }
            for identifier, stat in stats.items()
        },
        "actions": sorted(alarm.get("AlarmActions", [])),
        "ok_actions": sorted(alarm.get("OKActions", [])),
        "insufficient_data_actions": sorted(alarm.get("InsufficientDataActions", [])),
        "actions_enabled": alarm.get("ActionsEnabled", True),
    }


class Dashboard(_Tagged):
    """A dashboard. ``spec``: ``body``. Its name is one for all regions of the account."""

    kind = "cloudwatch_dashboard"

    def describe(self) -> State | None:
        dashboard, tags = run_concurrently(
            lambda: none_if_missing(self.aws.client("cloudwatch").get_dashboard, *_MISSING, "DashboardNotFoundError", DashboardName=self.name),
            lambda: self.tags_of(self._arn()),
        )
        return {"arn": self._arn(), "body": json.loads(dashboard["DashboardBody"]), "tags": tags} if dashboard else None

    def _arn(self) -> str:
        return f"arn:{self.aws.partition}:cloudwatch::{self.aws.account_id}:dashboard/{self.name}"

    def desired(self) -> State:
        return {"body": self.spec["body"]}

    def unknown(self) -> State:
        return {"arn": self._arn()}

    def create(self, desired: State) -> State:
        """An older boto3 does not know that a dashboard can be created with tags."""
        cloudwatch = self.aws.client("cloudwatch")
        tags = {"Tags": tag_list(desired["tags"])}
        takes_tags = tags.keys() <= cloudwatch.meta.service_model.operation_model("PutDashboard").input_shape.members.keys()
        cloudwatch.put_dashboard(DashboardName=self.name, DashboardBody=json.dumps(desired["body"]), **(tags if takes_tags else {}))
        if not takes_tags:
            cloudwatch.tag_resource(ResourceARN=self._arn(), **tags)
        return self.unknown()

    def update(self, before: State, changes: State) -> None:
        self.aws.client("cloudwatch").put_dashboard(DashboardName=self.name, DashboardBody=json.dumps(changes["body"]))

    def delete(self, before: State) -> None:
        none_if_missing(self.aws.client("cloudwatch").delete_dashboards, *_MISSING, "DashboardNotFoundError", DashboardNames=[self.name])

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch: the tags of alarms and dashboards."""

from __future__ import annotations

from typing import Any

from moto.cloudwatch import models, responses
from moto.cloudwatch.exceptions import ResourceNotFoundException

from embedded_aws.gaps import gap


@gap(models.CloudWatchBackend, "delete_alarms")
def delete_alarms(original: Any, self: Any, alarm_names: list[str]) -> None:
    """DeleteAlarms deletes the tags of an alarm with it."""
    for name in alarm_names:
        if name in self.alarms:
            self.tagger.delete_all_tags_for_resource(self.alarms[name].alarm_arn)
    original(self, alarm_names)


@gap(models.CloudWatchBackend, "put_metric_alarm")
def put_metric_alarm(original: Any, self: Any, name: str, *args: Any, tags: Any = None, **kwargs: Any) -> Any:
    """PutMetricAlarm sets the tags of a new alarm alone; those of one that it changes stay. An alarm begins without data."""
    known = self.alarms.get(name)
    alarm = original(self, name, *args, tags=None if known else tags, **kwargs)
    alarm.state_value = known.state_value if known else "INSUFFICIENT_DATA"
    return alarm


def _dashboard_arns(backend: Any) -> list[str]:
    return [f"arn:{backend.partition}:cloudwatch::{backend.account_id}:dashboard/{name}" for name in backend.dashboards]


@gap(responses.CloudWatchResponse, "put_dashboard")
def put_dashboard(original: Any, self: Any) -> Any:
    """PutDashboard sets the tags of a new dashboard."""
    backend, name, tags = self.cloudwatch_backend, self._get_param("DashboardName"), self._get_param("Tags", [])
    is_new = name not in backend.dashboards
    answer = original(self)
    if is_new and tags:
        backend.tagger.tag_resource(f"arn:{backend.partition}:cloudwatch::{backend.account_id}:dashboard/{name}", tags)
    return answer


@gap(models.CloudWatchBackend, "delete_dashboards")
def delete_dashboards(original: Any, self: Any, dashboards: list[str]) -> Any:
    """DeleteDashboards deletes the tags of a dashboard with it."""
    for arn in _dashboard_arns(self):
        if arn.rpartition("/")[2] in dashboards:
            self.tagger.delete_all_tags_for_resource(arn)
    return original(self, dashboards)


@gap(models.CloudWatchBackend, "tag_resource")
def tag_resource(original: Any, self: Any, arn: str, tags: dict[str, str]) -> None:
    """TagResource takes the ARN of a dashboard too."""
    if arn in _dashboard_arns(self):
        self.tagger.tag_resource(arn, self.tagger.convert_dict_to_tags_input(tags))
    else:
        original(self, arn, tags)


@gap(models.CloudWatchBackend, "list_tags_for_resource")
def list_tags_for_resource(original: Any, self: Any, arn: str) -> dict[str, str]:
    """ListTagsForResource does not find an alarm or a dashboard that does not exist."""
    if arn not in (*(alarm.alarm_arn for alarm in self.alarms.values()), *_dashboard_arns(self)):
        raise ResourceNotFoundException
    return original(self, arn)

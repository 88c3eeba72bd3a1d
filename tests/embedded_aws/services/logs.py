# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch Logs: the retentions that exist, the tags of what does not."""

from __future__ import annotations

from typing import Any

from moto.logs import models
from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException

from embedded_aws.gaps import gap

RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
)  # fmt: skip


@gap(models.LogsBackend, "put_retention_policy")
def put_retention_policy(original: Any, self: Any, log_group_name: str, retention_in_days: Any) -> None:
    """PutRetentionPolicy accepts the documented numbers of days only."""
    if int(retention_in_days) not in RETENTION_DAYS:
        raise InvalidParameterException(msg=f"Invalid retention value {retention_in_days}")
    original(self, log_group_name, retention_in_days)


@gap(models.LogsBackend, "list_tags_for_resource")
def list_tags_for_resource(original: Any, self: Any, resource_arn: str) -> dict[str, str]:
    """ListTagsForResource does not find a log group that does not exist, or not any more."""
    _arn, of_log_group, name = resource_arn.partition(":log-group:")
    if of_log_group and name not in self.groups:
        raise ResourceNotFoundException()
    return original(self, resource_arn)

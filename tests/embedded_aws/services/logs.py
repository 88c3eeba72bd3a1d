# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch Logs: the retentions that exist, the tags of what does not, the policy of what AWS's services deliver."""

from __future__ import annotations

import json
from typing import Any

from moto.logs import models
from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException

from embedded_aws.gaps import gap

RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


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


DELIVERY_POLICY = "AWSLogDeliveryWrite20150319"
LONGEST_POLICY = 5120  # characters
VENDED = "/aws/vendedlogs/"


class PolicyTooLong(Exception):
    """The resource policy of log delivery would have more characters than CloudWatch Logs takes."""


def allow_delivery(account_id: str, region: str, log_group_arn: str) -> None:
    """Let AWS's services deliver to a log group: what logs:CreateLogDelivery does, on behalf of the service that is told to log.

    One policy of the account and region names each group for ever, those under /aws/vendedlogs/ all by one pattern.
    """
    backend = models.logs_backends[account_id][region]
    prefix, _separator, name = log_group_arn.partition(":log-group:")
    covered = f"{VENDED}*" if name.startswith(VENDED) else name.removesuffix(":*")
    wanted = f"{prefix}:log-group:{covered}:log-stream:*"
    policy = backend.resource_policies.get(DELIVERY_POLICY)
    resources = json.loads(policy.policy_document)["Statement"][0]["Resource"] if policy else []
    if wanted in resources:
        return
    statement = {
        "Sid": "AWSLogDeliveryWrite",
        "Effect": "Allow",
        "Principal": {"Service": "delivery.logs.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [*resources, wanted],
        "Condition": {"StringEquals": {"aws:SourceAccount": [account_id]}, "ArnLike": {"aws:SourceArn": [f"{prefix}:*"]}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
    if len(document) > LONGEST_POLICY:
        raise PolicyTooLong
    backend.put_resource_policy(DELIVERY_POLICY, document)

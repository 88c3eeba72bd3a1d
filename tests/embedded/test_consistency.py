# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was just created is not known everywhere at once, as AWS documents."""

from __future__ import annotations

import time

import pytest
from embedded.helpers import refused
from embedded_aws.client import EmbeddedAWS
from embedded_aws.consistency import TABLE
from moto.core.utils import get_service_model


def test_what_was_just_made_is_not_known_everywhere_at_once(aws: EmbeddedAWS) -> None:
    logs = aws.client("logs")
    aws.consistency(0.5)
    logs.create_log_group(logGroupName="/ecs/x")
    refused("ResourceNotFoundException", logs.put_retention_policy, logGroupName="/ecs/x", retentionInDays=30)
    assert logs.describe_log_groups()["logGroups"][0]["logGroupName"] == "/ecs/x"
    time.sleep(0.6)
    logs.put_retention_policy(logGroupName="/ecs/x", retentionInDays=30)


def test_the_first_to_name_what_was_just_made_do_not_know_it_each(aws: EmbeddedAWS) -> None:
    logs = aws.client("logs")
    aws.consistency(times=1)
    for name in ("/ecs/x", "/ecs/x-y"):
        logs.create_log_group(logGroupName=name)
    for name in ("/ecs/x", "/ecs/x-y"):
        refused("ResourceNotFoundException", logs.put_retention_policy, logGroupName=name, retentionInDays=30)
        logs.put_retention_policy(logGroupName=name, retentionInDays=30)
    refused("InvalidParameterException", aws.client("ecs").create_cluster)
    aws.client("ecs").create_cluster()
    assert aws.not_known() == [
        ("", "ecs", "CreateCluster", "InvalidParameterException"),
        ("CreateLogGroup", "logs", "PutRetentionPolicy", "ResourceNotFoundException"),
    ]


@pytest.mark.parametrize(
    ("service", "operation", "code"), [(r.service, operation, r.code) for late in TABLE for r in late.refused_by for operation in r.operations.split()]
)
def test_what_is_not_known_yet_is_refused_with_codes_that_the_service_has(service: str, operation: str, code: str) -> None:
    """EC2 lists none, S3 few; RDS has InvalidParameterValue for all its operations."""
    errors = get_service_model(service).operation_model(operation).error_shapes
    codes = [error.metadata.get("error", {}).get("code", error.name) for error in errors]
    assert code in codes or service in ("ec2", "s3") or (service, code) == ("rds", "InvalidParameterValue")

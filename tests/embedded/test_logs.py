# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch Logs of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import pytest
from embedded.helpers import has, refused
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from support.keys import key_policy


def test_log_groups(aws: EmbeddedAWS) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/a", tags={"a": "1"})
    refused("InvalidParameterException", logs.put_retention_policy, logGroupName="/a", retentionInDays=13)
    logs.put_retention_policy(logGroupName="/a", retentionInDays=14)
    (group,) = logs.describe_log_groups()["logGroups"]
    has(group, retentionInDays=14)
    logs.tag_resource(resourceArn=group["logGroupArn"], tags={"b": "2"})
    logs.untag_resource(resourceArn=group["logGroupArn"], tagKeys=["a"])
    assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {"b": "2"}


def test_keys_of_log_groups(aws: EmbeddedAWS) -> None:
    """Encrypt log data in CloudWatch Logs using AWS KMS (CloudWatch Logs User Guide)."""
    logs, kms = aws.client("logs"), aws.client("kms")
    closed = kms.create_key()["KeyMetadata"]["Arn"]
    key = kms.create_key(Policy=key_policy())["KeyMetadata"]["Arn"]
    for arn in (closed, closed[:-4] + "0000"):
        assert "not allowed to be used with Arn" in refused("AccessDeniedException", logs.create_log_group, logGroupName="/a", kmsKeyId=arn)
    logs.create_log_group(logGroupName="/a", kmsKeyId=key)
    logs.create_log_group(logGroupName="/b")
    refused("AccessDeniedException", logs.associate_kms_key, logGroupName="/b", kmsKeyId=closed)
    logs.associate_kms_key(logGroupName="/b", kmsKeyId=key)
    assert [group.get("kmsKeyId") for group in logs.describe_log_groups()["logGroups"]] == [key, key]
    logs.disassociate_kms_key(logGroupName="/b")
    assert [group.get("kmsKeyId") for group in logs.describe_log_groups()["logGroups"]] == [key, None]
    refused("ResourceNotFoundException", logs.disassociate_kms_key, logGroupName="/c")


def test_saved_queries(aws: EmbeddedAWS) -> None:
    """PutQueryDefinition, DescribeQueryDefinitions and DeleteQueryDefinition (CloudWatch Logs API Reference)."""
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/a")
    first = logs.put_query_definition(name="x/a", queryString="fields a", logGroupNames=["/a"])["queryDefinitionId"]
    second = logs.put_query_definition(name="x/a", queryString="fields b")["queryDefinitionId"]
    refused("ResourceNotFoundException", logs.put_query_definition, name="x", queryString="fields a", logGroupNames=["/b"])
    refused("ResourceNotFoundException", logs.put_query_definition, name="x", queryString="fields a", queryDefinitionId="gone")
    refused("InvalidParameterException", logs.put_query_definition, name="x", queryString="a" * 10_001)
    assert logs.put_query_definition(name="x/c", queryString="fields c", queryDefinitionId=first)["queryDefinitionId"] == first
    queries = {each["queryDefinitionId"]: each for each in logs.describe_query_definitions(queryDefinitionNamePrefix="x/")["queryDefinitions"]}
    has(queries[first], name="x/c", queryString="fields c", logGroupNames=[])  # what is left out on a change is gone
    has(queries[second], name="x/a", queryString="fields b")
    assert logs.describe_query_definitions(queryDefinitionNamePrefix="y")["queryDefinitions"] == []
    assert logs.delete_query_definition(queryDefinitionId=first)["success"]
    refused("ResourceNotFoundException", logs.delete_query_definition, queryDefinitionId=first)
    aws.reset()
    assert logs.describe_query_definitions()["queryDefinitions"] == []


def test_a_log_group_that_is_gone_has_no_tags(aws: EmbeddedAWS) -> None:
    logs = aws.client("logs")
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:one"
    for _time in range(2):
        with pytest.raises(logs.exceptions.ResourceNotFoundException):
            logs.list_tags_for_resource(resourceArn=arn)
        logs.create_log_group(logGroupName="one", tags={"a": "1"})
        assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "1"}
        logs.delete_log_group(logGroupName="one")

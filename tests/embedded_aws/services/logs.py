# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch Logs: the retentions that exist, the tags of what does not, the keys of groups, the policy of what AWS's services deliver, saved queries."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from moto.kms.models import kms_backends
from moto.logs import models, responses
from moto.logs.exceptions import InvalidParameterException, LogsClientError, ResourceNotFoundException

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


class KeyNotAllowed(LogsClientError):
    def __init__(self, log_group: str) -> None:
        self.code = 400
        super().__init__("AccessDeniedException", f"The specified KMS key does not exist or is not allowed to be used with Arn '{log_group}'")


@gap(models.LogsBackend, "create_log_group")
def create_log_group(original: Any, self: Any, log_group_name: str, tags: Any, **kwargs: Any) -> Any:
    """CreateLogGroup refuses a KMS key whose policy does not let CloudWatch Logs of the region use it."""
    if kwargs.get("kmsKeyId"):
        _refuse_unless_allowed(self, log_group_name, kwargs["kmsKeyId"])
    return original(self, log_group_name, tags, **kwargs)


@gap(responses.LogsResponse, "associate_kms_key")
def associate_kms_key(_original: Any, self: Any) -> str:
    """AssociateKmsKey gives a log group a KMS key, if its policy lets CloudWatch Logs of the region use it."""
    group = _group(self)
    _refuse_unless_allowed(self.logs_backend, group.name, self._get_param("kmsKeyId"))
    group.kms_key_id = self._get_param("kmsKeyId")
    return ""


@gap(responses.LogsResponse, "disassociate_kms_key")
def disassociate_kms_key(_original: Any, self: Any) -> str:
    """DisassociateKmsKey takes the KMS key of a log group away."""
    _group(self).kms_key_id = None
    return ""


def _group(response: Any) -> Any:
    group = response.logs_backend.groups.get(response._get_param("logGroupName"))
    if group is None:
        raise ResourceNotFoundException()
    return group


def _refuse_unless_allowed(backend: Any, log_group: str, key_arn: str) -> None:
    """Encrypt log data in CloudWatch Logs using AWS KMS (CloudWatch Logs User Guide): the key's policy names logs.<region>.amazonaws.com."""
    key = kms_backends[backend.account_id][backend.region_name].keys.get(key_arn.rpartition("/")[2])
    service = f"logs.{backend.region_name}.amazonaws.com"
    if key is None or key.key_state != "Enabled" or service not in key.policy:
        raise KeyNotAllowed(f"arn:aws:logs:{backend.region_name}:{backend.account_id}:log-group:{log_group}")


QUERY_STRING = 10_000  # characters


@gap(responses.LogsResponse, "put_query_definition")
def put_query_definition(_original: Any, self: Any) -> str:
    """PutQueryDefinition makes a saved query, or changes the one with the ID that it is given, for log groups that exist; names may be the same."""
    queries, given = _queries(self), self._get_param("queryDefinitionId")
    groups, text = self._get_param("logGroupNames") or [], self._get_param("queryString")
    if not 0 < len(text) <= QUERY_STRING:
        raise InvalidParameterException(msg=f"1 validation error detected: Value at 'queryString' has {len(text)} characters")
    if (given and given not in queries) or any(group not in self.logs_backend.groups for group in groups):
        raise ResourceNotFoundException()
    identifier = given or str(uuid.uuid4())
    queries[identifier] = {
        "queryDefinitionId": identifier,
        "name": self._get_param("name"),
        "queryString": text,
        "logGroupNames": groups,
        "lastModified": int(time.time() * 1000),
    }
    return json.dumps({"queryDefinitionId": identifier})


@gap(responses.LogsResponse, "describe_query_definitions")
def describe_query_definitions(_original: Any, self: Any) -> str:
    """DescribeQueryDefinitions lists the saved queries whose names begin with a prefix."""
    prefix = self._get_param("queryDefinitionNamePrefix") or ""
    return json.dumps({"queryDefinitions": [query for query in _queries(self).values() if query["name"].startswith(prefix)]})


@gap(responses.LogsResponse, "delete_query_definition")
def delete_query_definition(_original: Any, self: Any) -> str:
    """DeleteQueryDefinition removes the saved query of an ID."""
    if _queries(self).pop(self._get_param("queryDefinitionId"), None) is None:
        raise ResourceNotFoundException()
    return json.dumps({"success": True})


def _queries(response: Any) -> dict[str, dict[str, Any]]:
    """Those of the account and region, which moto's backend keeps until it is reset."""
    return vars(response.logs_backend).setdefault("query_definitions", {})


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


@gap(models.LogsBackend, "put_metric_filter")
def put_metric_filter(original: Any, self: Any, filter_name: str, filter_pattern: str, log_group_name: str, *args: Any, **kwargs: Any) -> None:
    """PutMetricFilter needs the log group."""
    if log_group_name not in self.groups:
        raise ResourceNotFoundException()
    original(self, filter_name, filter_pattern, log_group_name, *args, **kwargs)


@gap(models.LogsBackend, "delete_log_group")
def delete_log_group(original: Any, self: Any, log_group_name: str) -> None:
    """DeleteLogGroup deletes its metric filters with it."""
    original(self, log_group_name)
    self.filters.metric_filters = [each for each in self.filters.metric_filters if each["logGroupName"] != log_group_name]


@gap(models.LogsBackend, "describe_metric_filters")
def describe_metric_filters(original: Any, self: Any, prefix: Any = None, log_group_name: Any = None, *args: Any, **kwargs: Any) -> Any:
    """DescribeMetricFilters does not find a log group that does not exist."""
    if log_group_name and log_group_name not in self.groups:
        raise ResourceNotFoundException()
    return original(self, prefix, log_group_name, *args, **kwargs)

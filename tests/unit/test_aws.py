# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t
from types import SimpleNamespace

import boto3
import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import _REFUSED_BY_ANOTHER
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import is_busy, is_conflict, is_not_found_yet, may_have_changed
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import THROTTLED_RETRIES, longest_back_off
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import change_tags
from embedded_aws.consistency import TABLE

ARN = "arn:aws:service:eu-west-1:123456789012:resource/team-x"


@pytest.mark.parametrize(
    ("service", "tags"),
    [
        ("application-autoscaling", {"Tags": {"a": "1"}}),
        ("apigatewayv2", {"tags": {"a": "1"}}),
        ("cognito-idp", {"Tags": {"a": "1"}}),
        ("ecs", {"tags": [{"key": "a", "value": "1"}]}),
        ("lambda", {"Tags": {"a": "1"}}),
        ("logs", {"tags": {"a": "1"}}),
        ("secretsmanager", {"Tags": [{"Key": "a", "Value": "1"}]}),
    ],
)
def test_tags_are_spelled_as_the_service_spells_them(service: str, tags: dict[str, t.Any]) -> None:
    """boto3 itself refuses arguments that the service does not know."""
    client = boto3.client(service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    sent = {}

    def answer(model: t.Any, params: dict[str, t.Any], **_more: t.Any) -> tuple[t.Any, dict[str, t.Any]]:
        sent[model.name] = params["body"]
        return SimpleNamespace(status_code=200), {}

    client.meta.events.register("before-call", answer)
    change_tags(client, ARN, {}, [])
    assert sent == {}
    change_tags(client, ARN, {"a": "1"}, ["b"])
    assert list(sent) == ["UntagResource", "TagResource"]
    assert tags.items() <= json.loads(sent["TagResource"]).items()


@pytest.mark.parametrize(
    ("code", "status", "may"),
    [
        ("InternalFailure", 500, True),
        ("ServiceUnavailable", 503, True),
        ("502", 502, True),
        ("SlowDown", 503, False),
        ("RequestLimitExceeded", 503, False),
        ("Throttling", 400, False),
        ("TooManyRequestsException", 429, False),
        ("ValidationException", 400, False),
    ],
)
def test_aws_may_have_done_what_it_failed_at_and_not_what_it_refused(code: str, status: int, may: bool) -> None:
    assert may_have_changed(code, status) is may


@pytest.mark.parametrize(
    ("code", "message", "there", "contrary"),
    [
        ("EntityAlreadyExists", "", False, True),
        ("InvalidGroup.Duplicate", "", False, True),
        ("DBClusterAlreadyExistsFault", "", False, True),
        ("BucketAlreadyOwnedByYou", "", False, True),
        ("BucketAlreadyExists", "The requested bucket name is not available.", False, False),
        ("InvalidParameterException", "Creation of service was not idempotent.", False, True),
        ("ConflictException", "Stage already exists", False, True),
        ("ResourceConflictException", "Function already exist: x", False, True),
        ("ResourceConflictException", "The statement id (x) provided already exists.", False, True),
        ("ConflictException", "Unable to complete operation due to concurrent modification. Please try again later.", False, False),
        ("NotFoundException", "", False, False),
        ("NotFoundException", "", True, True),
        ("NoSuchEntity", "", True, True),
        ("EntityAlreadyExists", "", True, False),
        ("ConflictException", "Stage already exists", True, False),
        ("ValidationException", "", True, False),
        ("ServiceNotActiveException", "", True, True),
        ("ClusterContainsServicesException", "", True, True),
        ("InvalidDBInstanceState", "Instance x is already being deleted.", True, True),
        ("InvalidDBInstanceState", "Instance x is not in available state.", True, False),
        ("InvalidRequestException", "You can't perform this operation on the secret because it was deleted.", True, True),
        ("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.", True, True),
        ("InvalidChangeBatch", "[Tried to delete x but the values provided do not match the current values]", True, True),
        ("BucketNotEmpty", "The bucket you tried to delete is not empty", True, True),
    ],
)
def test_what_contradicts_a_describe(code: str, message: str, there: bool, contrary: bool) -> None:
    assert is_conflict(code, message, there) is contrary


@pytest.mark.parametrize(
    ("code", "message", "busy"),
    [
        ("OperationAbortedException", "A conflicting operation is currently in progress against this resource. Please try again.", True),
        ("ConcurrentModification", "", True),
        ("ConcurrentUpdateException", "", True),
        ("ConflictException", "Unable to complete operation due to concurrent modification. Please try again later.", True),
        ("ConflictException", "Stage already exists", False),
        ("ResourceConflictException", "The operation cannot be performed at this time. An update is in progress for resource: x", True),
        ("ResourceConflictException", "The function could not be updated due to a concurrent update operation.", True),
        ("ResourceConflictException", "Function already exist: x", False),
        ("DBClusterAlreadyExistsFault", "", False),
    ],
)
def test_who_is_busy_takes_a_change_later(code: str, message: str, busy: bool) -> None:
    assert is_busy(code, message) is busy


@pytest.mark.parametrize(
    ("code", "message", "unknown"),
    [
        *(
            (refusal.code, refusal.message, "iam:PassRole" not in refusal.message)  # see denies_new_role()
            for late in TABLE
            for refusal in late.refused_by
            if refusal.code != _REFUSED_BY_ANOTHER
        ),
        ("InvalidGroup.NotFound", "", True),
        ("InvalidParameterCombination", "Cannot find version 8.0.1 for aurora-mysql", False),
        ("InvalidParameterCombination", "The DB instance and EC2 security group are in different VPCs.", False),
        ("InvalidParameterException", "Security group sg-1 does not appear to belong to the same VPC as the input subnets.", False),
        ("InvalidParameterValueException", "The provided execution role does not have permissions to call CreateNetworkInterface on EC2", False),
        ("InvalidSubnet", "Not enough IP space available in subnet-1", False),
        ("BadRequestException", "Insufficient permissions to enable logging", False),
        ("BadRequestException", "For VpcLink VPC_LINK, integration uri should be a valid ELB listener ARN", False),
        ("UnsupportedCertificate", "The certificate 'x' must have a fully-qualified domain name, a supported signature", False),
        ("AccessDeniedException", "User: u is not authorized to perform: iam:CreateServiceLinkedRole on resource: r", False),
    ],
)
def test_what_aws_does_not_know(code: str, message: str, unknown: bool) -> None:
    assert is_not_found_yet(code, message) is unknown


@pytest.mark.parametrize(("retry", "seconds"), [(1, 0.05), (2, 0.1), (3, 0.2), (4, 0.4), (9, 12.8), (10, 20), (11, 20), (THROTTLED_RETRIES, 20)])
def test_a_back_off_is_short_at_first_and_doubles(retry: int, seconds: float) -> None:
    assert longest_back_off(retry) == pytest.approx(seconds)


def test_a_throttled_call_is_given_up_no_earlier_than_botocore_would() -> None:
    botocore = sum(min(2**retry, 20) for retry in range(10))
    assert botocore <= sum(longest_back_off(retry + 1) for retry in range(THROTTLED_RETRIES)) < botocore + 20

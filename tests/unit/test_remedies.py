# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS refuses, in the user's terms and with what to do about it, from AWS's own sentences."""

from __future__ import annotations

import re
import typing as t

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mlplatform.mlflow_aws.plugins.action.preflight import input_spec
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import explain
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.remedies import with_remedy
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.remedies import REMEDIES

CI = "arn:aws:sts::123456789012:assumed-role/ci/run-7"
ENCODED = "Encoded authorization failure message: " + "4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abcdefghijklmn-hijklmnopqrstuv-_" * 12


def refusal(code: str, message: str, operation: str = "Operation") -> str:
    return explain(ClientError({"Error": {"Code": code, "Message": message}}, operation))


DENIED = (
    # code, message, operation; action, resource, and what has to be done
    (
        "AccessDenied",
        f"User: {CI} is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::123456789012:role/x-ecs-task "
        "because no identity-based policy allows the iam:CreateRole action",
        "CreateRole",
        f"{CI} may not iam:CreateRole on arn:aws:iam::123456789012:role/x-ecs-task: allow this action in the caller's IAM policy "
        "(because no identity-based policy allows the iam:CreateRole action)",
    ),
    (
        "UnauthorizedOperation",
        f"You are not authorized to perform this operation. {ENCODED}",
        "CreateSecurityGroup",
        "the caller may not ec2:CreateSecurityGroup: allow this action in the caller's IAM policy",
    ),
    (
        "UnauthorizedOperation",
        f"You are not authorized to perform this operation. User: {CI} is not authorized to perform: ec2:CreateTags on resource: "
        f"arn:aws:ec2:eu-west-1:123456789012:security-group/* because no identity-based policy allows the ec2:CreateTags action. {ENCODED}",
        "CreateSecurityGroup",
        f"{CI} may not ec2:CreateTags on arn:aws:ec2:eu-west-1:123456789012:security-group/*: allow this action in the caller's IAM policy "
        "(because no identity-based policy allows the ec2:CreateTags action)",
    ),
    (
        "AccessDenied",
        f"User: {CI} is not authorized to access this resource",
        "GetHostedZone",
        f"{CI} may not GetHostedZone: give the ID of a hosted zone of this account, or, if it is in another one, set mlflow_dns_assume_role_arn, "
        "or mlflow_manage_dns to false",
    ),
    ("AccessDenied", "Access Denied", "PutBucketEncryption", "the caller may not s3:PutEncryptionConfiguration: allow this action in the caller's IAM policy"),
    ("AccessDenied", "Access Denied", "CreateBucket", "the caller may not s3:CreateBucket: allow this action in the caller's IAM policy"),
    ("403", "Forbidden", "HeadBucket", "the caller may not s3:ListBucket: allow this action in the caller's IAM policy"),
    (
        "AccessDenied",
        f'User: {CI} is not authorized to perform: s3:CreateBucket on resource: "arn:aws:s3:::x" because no identity-based policy allows it',
        "CreateBucket",
        f"{CI} may not s3:CreateBucket on arn:aws:s3:::x: allow this action in the caller's IAM policy (because no identity-based policy allows it)",
    ),
    (
        "AccessDeniedException",
        f"User: {CI} is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/x with an explicit deny in a "
        "service control policy",
        "RegisterTaskDefinition",
        f"{CI} may not iam:PassRole on arn:aws:iam::123456789012:role/x: ask whoever set this deny to lift it "
        "(with an explicit deny in a service control policy)",
    ),
    (
        "AccessDenied",
        f"User: {CI} is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::123456789012:role/x with an explicit deny in a "
        "service control policy",
        "CreateRole",
        f"{CI} may not iam:CreateRole on arn:aws:iam::123456789012:role/x: give the permissions boundary that the organisation demands as "
        "mlflow_permissions_boundary_arn, and the path as mlflow_iam_role_path, or ask whoever set this deny to lift it "
        "(with an explicit deny in a service control policy)",
    ),
    (
        "AccessDeniedException",
        f"User: {CI} is not authorized to perform: kms:DescribeKey on this resource because the resource does not exist in this Region, no "
        "resource-based policies allow access, or a resource-based policy explicitly denies access",
        "DescribeKey",
        f"{CI} may not kms:DescribeKey: allow this action in the caller's IAM policy (because the resource does not exist in this Region, no "
        "resource-based policies allow access, or a resource-based policy explicitly denies access)",
    ),
)


@pytest.mark.parametrize(("code", "message", "operation", "told"), DENIED)
def test_a_denial_names_the_action_the_resource_and_the_reason(code: str, message: str, operation: str, told: str) -> None:
    assert refusal(code, message, operation) == told


REFUSED = (
    ("SecurityGroupLimitExceeded", "The maximum number of security groups for VPC 'vpc-1' has been reached.", "Service Quotas"),
    ("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.", "Service Quotas"),
    ("BadRequestException", "There are too many Vpc Links defined for this account. Limit is 10.", "Service Quotas"),
    ("BadRequestException", "Subnet 'subnet-1' is in Availability Zone 'euw3-az2' where service is not available", "mlflow_service_subnet_ids"),
    ("ClientException", "You've reached the limit on the number of vCPUs you can run concurrently", "Service Quotas"),
    ("InvalidSubnet", "Not enough IP space available in subnet-1. ELB requires at least 8 free IP addresses in each subnet.", "free addresses"),
    ("InvalidSubnet", "VPC vpc-1 has no internet gateway", "mlflow_load_balancer_is_internal"),
    ("TooManyLoadBalancers", "The maximum number of load balancers has been reached", "Service Quotas"),
    ("TooManyTargetGroups", "The maximum number of target groups has been reached", "Service Quotas"),
    ("DBClusterQuotaExceededFault", "You cannot create more than 40 DB clusters", "Service Quotas"),
    ("InstanceQuotaExceeded", "Instance quota exceeded", "Service Quotas"),
    ("SnapshotQuotaExceeded", "Cannot create more than 100 manual snapshots", "Service Quotas"),
    ("LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000", "Service Quotas"),
    ("LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role x-ecs-task", "mlflow_artifact_buckets_mlflow_will_read"),
    ("LimitExceededException", "Resource limit exceeded.", "Service Quotas"),
    ("ServiceQuotaExceededException", "Quota exceeded", "Service Quotas"),
    ("CodeStorageExceededException", "Code storage limit exceeded.", "Service Quotas"),
    ("TooManyBuckets", "You have attempted to create more buckets than allowed", "Service Quotas"),
    ("TooManyRequestsException", "Too Many Requests", "wait some minutes"),
    ("Throttling", "Rate exceeded", "wait some minutes"),
    ("RequestLimitExceeded", "Request limit exceeded.", "wait some minutes"),
    ("BucketAlreadyExists", "The requested bucket name is not available.", "choose another mlflow_unique_name"),
    ("InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet 'subnet-1'", "free addresses in this subnet"),
    ("InvalidSubnet", "Not enough IP space available in subnet-1. ELB requires at least 8 free IP addresses in each subnet.", "free addresses"),
    ("InsufficientDBInstanceCapacity", "There is not enough capacity", "subnets in other zones"),
    ("InvalidParameterCombination", "Cannot find version 8.0.mysql_aurora.3.04.0 for aurora-mysql", "choose another mlflow_rds_cluster_engine_version"),
    ("KMSKeyNotAccessibleFault", "The specified KMS key is not accessible", "enable the key"),
    ("InvalidConfigurationRequest", "Access Denied for bucket: logs. Please check S3bucket permission", "mlflow_load_balancer_access_logs_bucket"),
    (
        "BadRequestException",
        "Cannot enable logging. Policy document length breaking Cloudwatch Logs Constraints, either < 1 or > 5120",
        "take the log groups out of it that are gone",
    ),
    ("BadRequestException", "Insufficient permissions to enable logging", "AccessLogsOfTheApi"),
    ("ExpiredTokenException", "The security token included in the request is expired", "sign in to AWS again"),
    ("InvalidClientTokenId", "The security token included in the request is invalid.", "sign in to AWS again"),
    ("SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than", "check the clock"),
    ("OptInRequired", "You are not subscribed to this service.", "ask AWS Support"),
    (
        "InvalidParameterException",
        "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
        "iam:CreateServiceLinkedRole",
    ),
)


@pytest.mark.parametrize(("code", "message", "remedy"), REFUSED)
def test_a_refusal_comes_with_what_to_do(code: str, message: str, remedy: str) -> None:
    told = refusal(code, message, "CreateThing")
    assert told.startswith(f"AWS answered {code} to CreateThing: {message.rstrip('.')}: ") and remedy in told


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (botocore.exceptions.NoCredentialsError(), "sign in to AWS again"),
        (botocore.exceptions.ProfileNotFound(profile="x"), "give mlflow_aws_profile the name of a profile"),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="https://sts.nowhere.amazonaws.com"), "check the network"),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="https://sts.eu-west-1.amazonaws.com"), "check the network"),
        (botocore.exceptions.UnauthorizedSSOTokenError(), "sign in to AWS again"),
    ],
)
def test_so_does_what_keeps_aws_from_being_asked(error: Exception, remedy: str) -> None:
    assert remedy in explain(error)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (
            "UnableToGetUpstreamImageException: The image or images were unable to be pulled using the pull through cache rule.",
            "mlflow_service_image_mirror_secret_arn",
        ),
        ("CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref ghcr.io/mlflow/mlflow:v9", "mlflow_service_image"),
        (
            "AccessDeniedException: The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:eu-west-1:1:log-group:g'",
            "mlflow_service_log_kms_key_arn",
        ),
        ("ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4: Connection timed out", "port 2049"),
        ("ResourceInitializationError: failed to download env files: unable to download env files: AccessDenied", "mlflow_service_environment_files"),
        ("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed", "mlflow_service_secrets"),
        ("OutOfMemoryError: Container killed due to memory usage", "mlflow_service_memory"),
        ("ECS did not start it: Capacity is unavailable at this time. Please try again later or in a different availability zone", "other zones"),
    ],
)
def test_so_does_the_reason_of_a_task_that_stopped(text: str, remedy: str) -> None:
    told = with_remedy(f"it failed\n  {text}")
    assert told.startswith(f"it failed\n  {text}\n") and remedy in told.splitlines()[-1]


def test_what_nobody_knows_a_remedy_for_is_told_as_aws_says_it() -> None:
    assert refusal("InvalidThing", "The thing is odd.", "CreateThing") == "AWS answered InvalidThing to CreateThing: The thing is odd."


def test_remedies_name_inputs_that_there_are() -> None:
    named = {name for _pattern, remedy in REMEDIES for name in re.findall(r"mlflow_\w+", remedy.replace("mlflow_*_subnet_ids", ""))}
    assert named <= set(input_spec()) and len(named) > 8


@given(st.text(), st.text(), st.text())
def test_no_answer_of_aws_breaks_the_telling(code: str, message: str, operation: str) -> None:
    error: dict[str, t.Any] = {"Error": {"Code": code, "Message": message}}
    assert explain(ClientError(error, operation))
    for denied in ("AccessDenied", "UnauthorizedOperation", "403"):
        assert explain(ClientError({"Error": {"Code": denied, "Message": message}}, operation))


def test_a_remedy_is_told_once() -> None:
    told = with_remedy("AWS answered KMSKeyNotFoundFault to CreateDBCluster: no such key")
    assert told.endswith("and run the same command again") and with_remedy(told) == told

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM action that a call of an API needs, where AWS's Service Authorization Reference does not tell, and what a policy says."""

from __future__ import annotations

import typing as t

SERVICES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas"}
"""The prefix of IAM actions where it is not boto3's name of the service."""

ACTIONS = {
    # Actions and resources for Amazon S3 (Service Authorization Reference): the names differ from the operations'.
    "s3:HeadBucket": "s3:ListBucket",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:DeleteObjects": "s3:DeleteObject",
}
METHODS = {"Get": "GET", "Create": "POST", "Update": "PATCH", "Delete": "DELETE", "TagResource": "TagResource", "Untag": "UntagResource"}


def action(call: dict[str, str]) -> str:
    """The IAM action of a call."""
    service, operation = SERVICES.get(call["service"], call["service"]), call["operation"]
    if service == "apigatewayv2":  # API Gateway's actions are HTTP methods
        return "apigateway:" + next(method for prefix, method in METHODS.items() if operation.startswith(prefix))
    return ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}")


NOT_IN_THE_REFERENCE = {
    # AWS denies CreateStage and CreateVpcLink with tags by this name ("not authorized to perform: apigateway:TagResource on
    # resource: arn:aws:apigateway:us-west-2::/vpclinks"), where only the HTTP methods are allowed: seen by several on real accounts.
    "apigateway:TagResource": "CreateStage and CreateVpcLink with tags",
    "apigateway:UntagResource": "its counterpart",
}
"""Actions that the reference does not list, and the calls that need them."""

NOT_NEEDED: dict[tuple[str, str], tuple[str, str] | None] = {
    ("rds:CreateDBInstance", "rds:CreateTenantDatabase"): ("CreateDBInstance", "MultiTenant"),
    ("rds:ModifyDBInstance", "rds:CreateTenantDatabase"): ("ModifyDBInstance", "MultiTenant"),
    ("rds:DeleteDBInstance", "rds:DeleteTenantDatabase"): ("CreateDBInstance", "MultiTenant"),
    ("rds:DeleteDBInstance", "rds:CreateDBSnapshot"): ("DeleteDBInstance", "FinalDBSnapshotIdentifier"),
    ("rds:ModifyDBCluster", "secretsmanager:RotateSecret"): ("ModifyDBCluster", "RotateMasterUserPassword"),
    ("rds:ModifyDBInstance", "secretsmanager:RotateSecret"): ("ModifyDBInstance", "RotateMasterUserPassword"),
    ("lambda:CreateFunction", "lambda:PassCapacityProvider"): ("CreateFunction", "CapacityProviderConfig"),
    # Of services whose quotas nobody asks for
    **{
        ("servicequotas:GetServiceQuota", other): None
        for other in (
            "autoscaling:DescribeAccountLimits",
            "cloudformation:DescribeAccountLimits",
            "dynamodb:DescribeLimits",
            "iam:GetAccountSummary",
            "kinesis:DescribeLimits",
            "route53:GetAccountLimit",
            "elasticloadbalancing:DescribeAccountLimits",
            "rds:DescribeAccountAttributes",  # bootstrap, unlike site
        )
    },
    # The documentation of CreateKey names kms:CreateKey and kms:TagResource as all that is required.
    ("kms:CreateKey", "kms:PutKeyPolicy"): None,
}
"""An action and one that the reference says it depends on: the operation and the parameter without which it does not."""


def needs_more(call: dict[str, t.Any]) -> list[str]:
    """The dependent actions that a call needs although C(NOT_NEEDED) has them."""
    parameters = {**call["params"], **(body if isinstance(body := call["params"].get("body"), dict) else {})}
    return [
        dependent
        for (_action, dependent), where in NOT_NEEDED.items()
        if where and call["operation"] == where[0] and any(name.partition(".")[0] == where[1] for name in parameters)
    ]


def statements(document: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The statements of a policy document, with a list in place of each single action and resource."""
    return [{name: strings(value) if name in ("Action", "Resource") else value for name, value in statement.items()} for statement in document["Statement"]]


def strings(value: str | list[str]) -> list[str]:
    """The values of a part of a policy that may be one or a list."""
    return [value] if isinstance(value, str) else value

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM action that a call of an API needs."""

from __future__ import annotations

SERVICES = {"elbv2": "elasticloadbalancing"}
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

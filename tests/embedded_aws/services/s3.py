# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3: what a new bucket has without being asked."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import xmltodict
from moto.s3 import models, responses
from moto.s3.exceptions import AccessForbidden, S3ClientError

from embedded_aws.gaps import gap


@gap(models.FakeBucket, "__init__")
def bucket_defaults(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """A new bucket is encrypted (SSE-S3), blocks public access and disables ACLs (BucketOwnerEnforced)."""
    original(self, *args, **kwargs)
    self.encryption = _sse_s3()
    self.public_access_block = models.PublicAccessBlock(True, True, True, True)
    self.ownership_rule = "BucketOwnerEnforced"


@gap(models.S3Backend, "delete_bucket_encryption")
def delete_bucket_encryption(_original: Any, self: Any, bucket_name: str) -> None:
    """DeleteBucketEncryption brings the default, SSE-S3, back."""
    self.get_bucket(bucket_name).encryption = _sse_s3()


def _sse_s3() -> dict[str, Any]:
    return {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}}


@gap(responses.S3Response, "_bucket_response_put")
def create_bucket(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """CreateBucket tags the bucket with the tags of its configuration, and refuses them outside the commercial regions."""
    # hashicorp/terraform-provider-aws#45566, #45684, #45784
    if b"<Tags>" in self.raw_body and re.search(rb"<LocationConstraint>(cn|us-gov|eusc)-", self.raw_body):
        raise S3ClientError("UnsupportedArgument", "The request contained an unsupported argument.")
    answer = original(self, *args, **kwargs)
    if b"<CreateBucketConfiguration" in self.raw_body:
        configuration = xmltodict.parse(self.raw_body)["CreateBucketConfiguration"] or {}
        tags = (configuration.get("Tags") or {}).get("Tag") or []
        tags = tags if isinstance(tags, list) else [tags]
        if tags:
            self.backend.put_bucket_tagging(self.bucket_name, {tag["Key"]: tag["Value"] or "" for tag in tags})
    return answer


@gap(responses.S3Response, "head_bucket")
def head_bucket(original: Any, self: Any) -> Any:
    """HeadBucket answers 403 for a bucket of another account than the caller expects, and 301 in another region, both with its region."""
    status, headers, body = original(self)
    if status != 200:
        return status, headers, body
    where = {"x-amz-bucket-region": headers["x-amz-bucket-region"]}
    expected = self.headers.get("x-amz-expected-bucket-owner")
    if expected and self.backend.get_bucket(self.bucket_name).account_id != expected:
        return 403, where, ""
    signed = re.search(r"Credential=[^/]+/\d+/([^/]+)/s3/", self.headers.get("Authorization", ""))
    if signed and signed[1] != headers["x-amz-bucket-region"]:
        return 301, where, ""
    return status, headers, body


@gap(responses.S3Response, "_set_cors_headers_options")
def answer_preflight(_original: Any, self: Any, headers: Any, bucket: Any) -> None:
    """A browser's preflight request is answered by the first CORS rule that allows origin, method and headers, and refused where none does."""
    asked = [name.strip() for name in headers.get("Access-Control-Request-Headers", "").split(",") if name.strip()]
    allowed = _cors_headers(bucket, headers.get("Origin", ""), headers.get("Access-Control-Request-Method", ""), asked)
    if not allowed:
        raise AccessForbidden("CORSResponse: This CORS request is not allowed.")
    self.response_headers.update(allowed)


@gap(responses.S3Response, "_get_cors_headers_other")
def cors_headers(_original: Any, self: Any) -> dict[str, str]:
    """An answer has the headers of the first CORS rule that allows its request, and none without an Origin."""
    origin = self.headers.get("Origin")
    return _cors_headers(self.backend.get_bucket(self.bucket_name), origin, self.method) if origin else {}


def _cors_headers(bucket: Any, origin: str, method: str, asked: list[str] | None = None) -> dict[str, str]:
    for rule in bucket.cors:
        by_origin = any(fnmatchcase(origin, pattern) for pattern in rule.allowed_origins)
        by_headers = all(any(fnmatchcase(name.lower(), pattern.lower()) for pattern in rule.allowed_headers or []) for name in asked or [])
        if by_origin and by_headers and method in rule.allowed_methods:
            found = {
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Allow-Methods": ", ".join(rule.allowed_methods),
                "Access-Control-Allow-Headers": ", ".join(asked or []),
                "Access-Control-Expose-Headers": ", ".join(rule.exposed_headers or []),
                "Access-Control-Max-Age": rule.max_age_seconds or "",
            }
            return {name: value for name, value in found.items() if value}
    return {}


@gap(models.FakeBucket, "get_permission")
def get_permission(original: Any, self: Any, action: str, resource: str) -> Any:
    """A bucket policy's statement on unencrypted connections or old TLS leaves other requests alone."""
    policy = self.policy
    if policy is None:
        return original(self, action, resource)
    document = json.loads(policy)
    # Requests here come over plain HTTP; each stands for one over TLS 1.3.
    document["Statement"] = [
        statement for statement in document["Statement"] if not re.search("aws:SecureTransport|s3:TlsVersion", json.dumps(statement.get("Condition", {})))
    ]
    self.policy = json.dumps(document).encode()
    try:
        return original(self, action, resource)
    finally:
        self.policy = policy

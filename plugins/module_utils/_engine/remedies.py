# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what to do about what AWS refuses. Pure: texts in, texts out. The table of remedies is handed in by `use`."""

from __future__ import annotations

import re

Remedies = tuple[tuple[str, str], ...]
"""Pairs of a pattern of AWS's error code or message, and what to do about it."""

_remedies: Remedies = ()


def use(remedies: Remedies) -> None:
    """Take these remedies for all errors of this process."""
    global _remedies
    _remedies = remedies


def _remedy(text: str) -> str | None:
    """The first that matches."""
    return next((remedy for pattern, remedy in _remedies if re.search(pattern, text)), None)


def with_remedy(text: str) -> str:
    """What AWS said, with what to do about it: the first remedy that matches, unless the text says it already."""
    remedy = _remedy(text)
    if remedy is None or remedy in text:
        return text
    return f"{text}\n  {remedy}" if "\n" in text else f"{text.rstrip('.')}: {remedy}"


_ACTIONS = {
    "HeadBucket": "s3:ListBucket",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "GetBucketCors": "s3:GetBucketCORS",
    "PutBucketCors": "s3:PutBucketCORS",
    "DeleteBucketCors": "s3:PutBucketCORS",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "DeleteObjects": "s3:DeleteObject",
}
"""S3's IAM actions where they are not called as the operation is (Service Authorization Reference)."""


def denied(code: str, operation: str, message: str) -> str:
    """What the caller may not do, on what, and the remedy, from AWS's sentence.

    It is "User: <arn> is not authorized to perform: <action> on resource: <arn> because ...", where there is one. EC2 adds
    a long code that says nothing to a person, and S3 sometimes says "Access Denied" only.
    """
    said = message.partition("Encoded authorization failure message")[0]
    who = re.search(r"User: (\S+)", said)
    action = re.search(r"perform: (\S+)", said)
    resource = re.search(r"on resource: \"?([^\s\"]+)", said)
    reason = re.search(r"(because .+|with an explicit deny .+)", said)
    service = {"UnauthorizedOperation": "ec2:", "AccessDenied": "s3:" if "Bucket" in operation or "Object" in operation else ""}.get(code, "")
    named = action.group(1) if action else _ACTIONS.get(operation, service + operation)
    remedy = "allow this action in the caller's IAM policy"
    if reason and "explicit deny" in reason.group(1):
        remedy = _remedy(f"explicit deny of {named}") or "ask whoever set this deny to lift it"
    elif not action:
        remedy = _remedy(said) or remedy
    return (
        f"{who.group(1) if who else 'the caller'} may not {named}{' on ' + resource.group(1) if resource else ''}: {remedy}"
        f"{' (' + reason.group(1).strip().rstrip('.') + ')' if reason else ''}"
    )

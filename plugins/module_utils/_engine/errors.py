# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: errors in the user's terms, and what AWS's error codes and messages mean. Pure."""

from __future__ import annotations

import re
import typing as t

try:
    # Once for all: some are for those who import them from here.
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoRegionError  # pylint: disable=unused-import
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = HTTPClientError = NoRegionError = Exception

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.remedies import denied, with_remedy

_READ_ONLY = ("Get", "List", "Describe", "Head", "Lookup", "Filter", "Simulate", "BatchGet", "AdminGet", "AdminList")
NOT_ALLOWED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized", "403")


class AwsError(Exception):
    """What went wrong and what to do about it, in the user's terms. Never holds a secret.

    ``results`` are what the module returns beside the message.
    """

    def __init__(self, message: str, **results: t.Any) -> None:
        super().__init__(message)
        self.results = results


class ChangeRefused(Exception):
    """Why this run may not change anything, and what to do. Unlike AwsError it is about no resource."""


class StaleState(AwsError):
    """The state that was read may be stale: it has to be read again before anything else is changed."""


class UnknownOutcome(StaleState):
    """The response to a change was lost, so its outcome is unknown; AWS itself knows."""


def is_read_only(operation: str) -> bool:
    """Whether an AWS API operation (as botocore names it, such as ``DescribeSubnets``) leaves AWS as it is."""
    return operation.startswith(_READ_ONLY)


def error_code(error: BaseException) -> str:
    """The code of an answer of AWS such as ``ThrottlingException``; empty where AWS did not answer."""
    return (getattr(error, "response", None) or {}).get("Error", {}).get("Code", "")  # botocore's errors of connections have None


def explain(error: BaseException) -> str:
    """What AWS refused and what to do about it; for a missing permission, the IAM action and the resource."""
    if not isinstance(error, ClientError):
        return with_remedy(f"{type(error).__name__}: {' '.join(str(error).split())}")  # a program's own words may be many lines
    code, operation = error_code(error), error.operation_name
    message = error.response.get("Error", {}).get("Message", "").strip()
    if code in NOT_ALLOWED:
        return denied(code, operation, message)
    return with_remedy(f"AWS answered {code} to {operation}: {message}")


_THROTTLED = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|BandwidthLimitExceeded")
_THROTTLED_BY_ANOTHER = re.compile(r"Rate exceeded|Request limit exceeded|RequestLimitExceeded")
"""Of messages of a service that passes on how another one, such as EC2 to ECS, has throttled it, under a code of its own."""
_CONFLICT = re.compile(r"(?<!^Bucket)AlreadyExists|AlreadyOwned|Duplicate|ResourceExists|PriorityInUse")
_EXISTS = re.compile(r"already exist|not idempotent", re.IGNORECASE)
"""Of messages whose codes say nothing: of API Gateway and Lambda, and of ECS where there is a service with other properties."""
_NOT_FOUND = re.compile(r"NotFound|NoSuch")
_CHANGED = re.compile(
    r"NotActive|ContainsServices|BucketNotEmpty|already being deleted|because it was (marked for )?delet|do not match the current values"
    r"|has a domain configured",
    re.IGNORECASE,
)
"""Of codes and messages: what was read has changed since."""
_BUSY = re.compile(r"OperationAborted|ConcurrentModification|ConcurrentUpdate|concurrent (modification|update)|cannot be performed at this time", re.IGNORECASE)
"""Of codes and messages: of IAM, Cognito, S3, CloudWatch Logs and Application Auto Scaling, of API Gateway, and of Lambda."""
_NOT_FOUND_CODES = ("404", "ClientException")  # of HeadBucket, and of DescribeTaskDefinition
_NOT_FOUND_YET = re.compile(
    r"not found|(do|does) not exist|doesn't exist|cannot be (found|assumed)|unable to (assume|retrieve listener)"
    r"|does not have an associated load balancer|^Invalid (security group|[\w ]+ identifier specified)|^Role is not valid"
    r"|^Missing necessary credentials|create service linked role\. Otherwise wait|invalid for CreateGrant|required permissions for: ENHANCED_MONITORING",
    re.IGNORECASE,
)
"""Of messages whose codes say nothing. A service that creates its service-linked role cannot use it at once, and KMS gives a function with
a new role nothing to decrypt its environment with.
"""


def is_throttled(code: str, message: str, status: int) -> bool:
    """Whether an answer says that there were too many calls; a service may pass on that another one has throttled it."""
    return bool(_THROTTLED.search(code) or (status < 500 and _THROTTLED_BY_ANOTHER.search(message)))


def may_have_changed(code: str, status: int) -> bool:
    """Whether AWS may have done what it answered an error to: it failed, and did not refuse."""
    return status >= 500 and not _THROTTLED.search(code)


def is_conflict(code: str, message: str, exists: bool) -> bool:
    """Whether an error says the contrary of what was read: that something ``exists``, or that it does not."""
    if exists:
        return bool(_NOT_FOUND.search(code) or _CHANGED.search(f"{code}: {message}"))
    return bool(_CONFLICT.search(code) or _EXISTS.search(message))


def is_busy(code: str, message: str) -> bool:
    """Whether an error says that AWS is still at work on another change, and takes this one later."""
    return bool(_BUSY.search(f"{code}: {message}"))


def is_not_found_yet(code: str, message: str) -> bool:
    """Whether an error says that AWS does not find what a change refers to. It may have been created a moment ago."""
    return bool(_NOT_FOUND.search(code) or _NOT_FOUND_YET.search(message))


def is_lasting(operation: str, status: int, code: str) -> bool:
    """Whether an answer says what AWS has, or has not: it is one to a reading operation, and no refusal."""
    return is_read_only(operation) and (status < 300 or code in _NOT_FOUND_CODES or bool(_NOT_FOUND.search(code)))

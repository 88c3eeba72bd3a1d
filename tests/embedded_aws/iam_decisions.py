# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's decisions: whether the policies of a role, and its permissions boundary, allow what a call asks for.

Only callers that have assumed a role with policies are restricted. Policies of resources are not looked at.
"""

from __future__ import annotations

import json
import re
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import AssumedRole

from embedded_aws.iam_requests import Question, Values, questions, request_of

CODES = {"ec2": ("UnauthorizedOperation", 403), "query": ("AccessDenied", 403), "rest-xml": ("AccessDenied", 403), "rest-json": ("AccessDeniedException", 403)}
"""Code and status by the protocol of a service. All others: AccessDeniedException, 400."""
ALWAYS = {"sts:GetCallerIdentity", "s3:ObjectCORSPreflightCheck"}
"""What needs no permission: a browser asks S3 by OPTIONS whether it may ask, which CORS rules alone decide."""

Statement = dict[str, Any]


def refusal(session: AssumedRole | None, service: str, protocol: str, operation: str, environ: dict[str, Any], body: bytes) -> dict[str, Any] | None:
    """The error that a call is answered with whose caller may not make it."""
    if session is None or not operation:
        return None
    account = session.role_arn.split(":")[4]
    role = next((each for each in iam_backends[account]["aws"].roles.values() if each.arn == session.role_arn), None)
    if role is None or not (role.policies or role.managed_policies):
        return None
    documents = [json.loads(document) for document in role.policies.values()]
    documents += [json.loads(version_of(policy)) for policy in role.managed_policies.values()]
    boundary = iam_backends[account]["aws"].managed_policies.get(role.permissions_boundary_arn)
    limits = [statements_of([json.loads(version_of(boundary))])] if boundary else []
    for asked in questions(request_of(service, operation, account, environ, body)):
        if asked.action in ALWAYS or all(allows(each, asked) for each in [statements_of(documents), *limits]):
            continue
        code, status = CODES.get(protocol, ("AccessDeniedException", 400))
        message = (
            f"User: {session.arn} is not authorized to perform: {asked.action} on resource: {asked.resource} "
            f"because no identity-based policy allows the {asked.action} action"
        )
        return {"code": code, "status": status, "message": message}
    return None


def version_of(policy: Any) -> str:
    """The document of a managed policy that is in force."""
    return next(each.document for each in policy.versions if each.is_default)


def statements_of(documents: list[dict[str, Any]]) -> list[Statement]:
    return [each for document in documents for each in listed(document["Statement"])]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allows(statements: list[Statement], asked: Question) -> bool:
    """Whether one of the statements allows it and none denies it."""
    fitting = {each["Effect"] for each in statements if fits(each, asked)}
    return fitting == {"Allow"}


def fits(statement: Statement, asked: Question) -> bool:
    return (
        any(like(pattern.lower(), asked.action.lower()) for pattern in listed(statement["Action"]))
        and any(like(pattern, asked.resource) for pattern in listed(statement["Resource"]))
        and all(
            holds(operator, key, [str(each) for each in listed(wanted)], asked.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def like(pattern: str, text: str) -> bool:
    """Whether a text is as a pattern with ``*`` and ``?`` says."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, re.DOTALL) is not None


def holds(operator: str, key: str, wanted: list[str], context: Values) -> bool:
    """Whether one condition holds. Without the key, only those do that say so."""
    quantifier, _colon, operator = operator.rpartition(":")
    operator, optional = operator.removesuffix("IfExists"), operator.endswith("IfExists")
    have = next((values for name, values in context.items() if name.lower() == key.lower()), None)
    if operator == "Null":
        return (have is None) == (wanted == ["true"])
    if have is None:
        return optional or quantifier == "ForAllValues" or "Not" in operator
    positive = operator.replace("Not", "")
    compare = like if positive in ("StringLike", "ArnLike", "ArnEquals") else lambda a, b: a.lower() == b.lower() if positive == "Bool" else a == b
    matches = [any(compare(each, value) for each in wanted) != ("Not" in operator) for value in have]
    return all(matches) if quantifier == "ForAllValues" else any(matches)

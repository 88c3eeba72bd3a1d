# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""STS: how long sessions last, and who gets one."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts import models, responses
from moto.sts.exceptions import STSClientError

from embedded_aws.gaps import gap

CHAINED = 3600
EXPIRED = {"ec2": ("RequestExpired", 400), "s3": ("ExpiredToken", 400), "json": ("ExpiredTokenException", 400)}
"""Code and status by service or protocol. All others: ExpiredToken, 403."""
_shortened: list[float] = []
_sessions: dict[str, models.AssumedRole] = {}


@gap(models.STSBackend, "assume_role")
def assume_role(original: Any, self: Any, *args: Any, **kwargs: Any) -> models.AssumedRole:
    """AssumeRole refuses a session longer than the role's maximum, and one without the external ID that the role asks for."""
    account = kwargs["role_arn"].split(":")[4]
    role = next((r for r in iam_backends[account]["aws"].roles.values() if r.arn == kwargs["role_arn"]), None)
    if role and kwargs["duration"] > role.max_session_duration:
        raise STSClientError("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if role and not _knows_external_id(role.assume_role_policy_document, kwargs["external_id"]):
        caller = f"arn:aws:iam::{self.account_id}:user/ci"
        raise STSClientError("AccessDenied", f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role.arn}")
    session = original(self, *args, **kwargs)
    if _shortened:
        session.expiration = utcnow() + timedelta(seconds=_shortened[0])
    _sessions[session.access_key_id] = session
    return session


@gap(responses.TokenResponse, "assume_role")
def chained_role(original: Any, self: Any) -> Any:
    """AssumeRole by a role gives a session of an hour at most."""
    if self.get_access_key() in _sessions and self._get_int_param("DurationSeconds", CHAINED) > CHAINED:
        raise STSClientError("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
    return original(self)


def shorten(seconds: float | None) -> None:
    """Let sessions end after so long, for tests that have no time for those of AWS; None: as asked for."""
    _shortened[:] = [] if seconds is None else [seconds]


def _knows_external_id(document: str, given: str | None) -> bool:
    wanted = {statement.get("Condition", {}).get("StringEquals", {}).get("sts:ExternalId", given) for statement in json.loads(document)["Statement"]}
    return given in wanted


def session_of(caller: str) -> models.AssumedRole | None:
    """The session whose access key a caller has."""
    return _sessions.get(caller)


def refusal(service: str, protocol: str, caller: str) -> dict[str, Any] | None:
    """The error that a call is answered with whose caller's session is over."""
    session = _sessions.get(caller)
    if session is None or utcnow() < session.expiration:
        return None
    code, status = EXPIRED.get(service) or EXPIRED.get(protocol) or ("ExpiredToken", 403)
    return {"code": code, "message": "The security token included in the request is expired", "status": status}

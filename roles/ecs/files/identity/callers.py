# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who calls, and by which entry point.

Each entry point has a header of its own that says who calls, and it counts at the host name of that entry point alone: the rules of the load
balancer let each host name in at one listener, and API Gateway overwrites it. What a caller makes up is refused by its signature too.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
import time
from typing import Any, Callable, Mapping, NamedTuple, Protocol

import signed_identity
from alb_jwt import LoadBalancerTokens
from cognito_jwt import CognitoTokens, names_in
from denied import Denied
from rights import EDITOR, Rights
from user import User

SIGNED_IDENTITY = "x-mlflow-identity"
"""What API Gateway overwrites with what the Lambda authorizer has signed."""
CALLER_ARN = "x-caller-arn"
"""What API Gateway overwrites with the ARN of who has signed the request with AWS credentials."""
LOAD_BALANCERS_TOKEN = "x-amzn-oidc-data"
ACCESS_TOKEN = "x-amzn-oidc-accesstoken"
OF_JOBS = ("x-mlflow-authorization", "authorization")
"""Where MLflow's own jobs have the token of its gateway; the first that is there counts, as it does for MLflow."""
CREDENTIALS = frozenset({*OF_JOBS, SIGNED_IDENTITY, CALLER_ARN, LOAD_BALANCERS_TOKEN, ACCESS_TOKEN, "x-amzn-oidc-identity", "x-amz-security-token"})
"""Headers that say who calls. Each may be there once, and none reaches MLflow."""
GATEWAY = "/gateway/"
JOBS = "jobs"
"""The entry point of MLflow's own jobs."""

MAX_NAME = 255  # characters, which MLflow has for the name of a user
MAX_CREDENTIALS = 16384  # characters, which the load balancer has for a header

_NAME_CLAIMS = ("email", "preferred_username", "sub")
_GROUPS_CLAIM = "groups"
_ARN = re.compile(
    r"arn:(?P<partition>[\w-]+):(iam|sts)::(?P<account>\d{12}):(root|(?P<kind>user|assumed-role|federated-user)/(?P<name>[\w+=,.@/-]+))", re.ASCII
)

Headers = Mapping[str, str]


class Caller(NamedTuple):
    """Somebody known, with his right."""

    name: str
    right: str
    entry_point: str


class EntryPoint(Protocol):
    """Where requests come in."""

    name: str

    def user(self, headers: Headers) -> User:
        """Return whom the headers tell, or raise Denied or Unavailable."""


class People:
    """The load balancer's listener that signs people in. Cognito has the groups in its access token alone, and any other provider in its user info."""

    name = "people"

    def __init__(self, tokens: LoadBalancerTokens, pool: CognitoTokens | None) -> None:
        self._tokens, self._pool = tokens, pool

    def user(self, headers: Headers) -> User:
        claims = self._tokens.verify(_credentials(headers, LOAD_BALANCERS_TOKEN))
        if self._pool is None:
            return User(next((claims[name] for name in _NAME_CLAIMS if isinstance(claims.get(name), str) and claims[name]), ""), _groups(claims))
        user = self._pool.verify(_credentials(headers, ACCESS_TOKEN))
        if not user.subject or user.subject != claims.get("sub"):
            raise Denied("two_users")
        return user


class SignedPrograms:
    """The API, whose Lambda authorizer has asked who calls."""

    name = "programs"

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key, self._clock = key, clock

    def user(self, headers: Headers) -> User:
        return signed_identity.verify(_credentials(headers, SIGNED_IDENTITY), self._key, self._clock())


class SigningPrograms:
    """The API, where programs sign with AWS credentials. IAM has let them in, and API Gateway says as whom."""

    name = "programs"

    def user(self, headers: Headers) -> User:
        return aws_user(_credentials(headers, CALLER_ARN))


class BearerPrograms:
    """The API or the load balancer itself, where a token was verified that is passed on."""

    def __init__(self, tokens: CognitoTokens, name: str = "programs") -> None:
        self._tokens, self.name = tokens, name

    def user(self, headers: Headers) -> User:
        scheme, _space, token = _credentials(headers, "authorization").partition(" ")
        if scheme.lower() != "bearer":
            raise Denied("scheme")
        return self._tokens.verify(token.strip())


class Callers:
    """Tells who calls. ``job_token`` is what MLflow gives its own jobs for its gateway."""

    def __init__(self, entry_points: Mapping[str, EntryPoint], rights: Rights, job_token: str) -> None:
        self._entry_points, self._rights, self._job_token = entry_points, rights, job_token

    def identify(self, headers: Headers, route: str, client: str) -> Caller:
        """Return who calls by the headers of a request for `route` from the address `client`. Raises Denied or Unavailable.

        The right of somebody who may do nothing is ``none``.
        """
        job = self._job(headers, route, client)
        if job is not None:
            return Caller(_checked(job), EDITOR, JOBS)
        entry_point = self._entry_points.get(headers.get("host", "").lower().removesuffix(":443"))
        if entry_point is None:
            raise Denied("host")
        user = entry_point.user(headers)
        return Caller(_checked(user.name), self._rights.of(user.groups), entry_point.name)

    def _job(self, headers: Headers, route: str, client: str) -> str | None:
        """Return for whom a job of this task calls MLflow's gateway, or None: by the load balancer comes nothing without X-Forwarded-For."""
        if not route.startswith(GATEWAY) or "x-forwarded-for" in headers or not _is_loopback(client):
            return None
        scheme, _space, encoded = next((headers[name] for name in OF_JOBS if headers.get(name)), "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _colon, token = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return None
        return name if hmac.compare_digest(token.encode(), self._job_token.encode()) else None


def aws_user(arn: str) -> User:
    """Return whom AWS calls by `arn`: by the name of the role, of whose sessions all are one, or of the user. His group is the ARN of that.

    Of a role it is without the path, which the ARN of a session does not have.
    """
    said = _ARN.fullmatch(arn)
    if said is None:
        raise Denied("arn")
    kind, name = said["kind"], said["name"] or "root"
    if kind == "assumed-role":
        role = name.partition("/")[0]
        return User(role, (f"arn:{said['partition']}:iam::{said['account']}:role/{role}",))
    return User(name.rpartition("/")[2], (arn,))


def _credentials(headers: Headers, name: str) -> str:
    value = headers.get(name)
    if not value:
        raise Denied("missing")
    if len(value) > MAX_CREDENTIALS:
        raise Denied("too_long")
    return value


def _checked(name: str) -> str:
    """Return a name that MLflow can keep and a log can show."""
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise Denied("name")
    return name


def _groups(claims: dict[str, Any]) -> tuple[str, ...]:
    """Return the groups that a provider's user info names: a list, or the name of one."""
    groups = claims.get(_GROUPS_CLAIM)
    return names_in([groups] if isinstance(groups, str) else groups)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False

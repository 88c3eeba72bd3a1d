# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lambda authorizer of an API Gateway HTTP API: payload format 2.0, simple responses.

Takes the Bearer tokens of a Cognito user pool and, where a secret is given, HTTP Basic credentials.

What the caller of the API sees, as API Gateway documents it:
- no Authorization header (the identity source of the authorizer): 401, and this function is not invoked;
- ``isAuthorized`` false: 403, which API Gateway keeps for the same credentials as long as any other answer;
- an exception here: 500, which it does not keep, and which MLflow's client sends again. (Raising
  ``Exception("Unauthorized")`` for a 401 is documented for REST APIs only.)

So what the caller sent is refused by an answer, and what has nothing to do with him raises. Nobody is let in by either.

Environment:
- ``COGNITO_USER_POOL_ID``: the user pool, ``<region>_<id>``
- ``COGNITO_CLIENT_IDS``: the app clients whose tokens are taken, separated by commas
- ``API_GROUPS``, ``API_SCOPES`` (optional): JSON lists of groups of the pool and of scopes, of which a token needs one each
- ``API_CREDENTIALS_SECRET_ARN`` (optional): the secret, a JSON object of user name to password. Without it no
  Basic credentials are taken.
- ``AWS_ENDPOINT_URL`` (optional): an endpoint in place of AWS's own; the keys of the user pool are read from there too.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import urllib.request
from typing import Any, Mapping

from basic_credentials import BasicCredentials
from cognito_jwt import CognitoTokens, issuer
from denied import Denied, Unavailable

logger = logging.getLogger("authorizer")

MAX_HEADER = 8192  # characters; API Gateway allows 10,240 bytes for all headers together
MAX_KEYS = 65536  # bytes; Cognito's key set has about 1,000
TIMEOUT = 2  # seconds to connect to AWS, and for each read: with one retry, well within the 10 an authorizer is given

# Scheme and token68 (RFC 9110, section 11.4). No comma: API Gateway joins repeated headers with one.
_AUTHORIZATION = re.compile(r"([A-Za-z]+) +([A-Za-z0-9._~+/=-]+)")


class AuthorizerFailed(Exception):
    """Whether the request is to be let in cannot be told. The message is for the function's log, and holds nothing of the request."""


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Return the simple response to `event`. Raises where it cannot be told, whatever the event.

    An allowed request has ``context.user`` and ``context.method`` (``basic`` or ``bearer``), for the access log.
    Of a denied one only the reason is logged.
    """
    try:
        user, method = _authorizer().authorize(event)
    except Denied as denied:
        logger.warning("denied reason=%s", denied.reason)
        return {"isAuthorized": False}
    except Unavailable as unavailable:
        reason = unavailable.reason
    except Exception as error:
        reason = f"internal error={type(error).__name__}"
    else:
        # As it stands in JSON: the access log has it between quotation marks, and a name may hold some.
        return {"isAuthorized": True, "context": {"user": json.dumps(user, ensure_ascii=False)[1:-1], "method": method}}
    # Outside of the handling of the other error, so that nothing of that is shown.
    raise AuthorizerFailed(reason)


class Authorizer:
    """Decides on a request by its Authorization header. A method that is None is not offered."""

    def __init__(self, tokens: CognitoTokens | None, credentials: BasicCredentials | None) -> None:
        self._methods = {"bearer": tokens, "basic": credentials}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Authorizer:
        """Return the authorizer that the environment variables above describe."""
        pool_id = environment.get("COGNITO_USER_POOL_ID")
        client_ids = [name.strip() for name in environment.get("COGNITO_CLIENT_IDS", "").split(",") if name.strip()]
        secret_arn = environment.get("API_CREDENTIALS_SECRET_ARN")
        tokens = credentials = None
        if pool_id:
            url = keys_url(pool_id, environment.get("AWS_ENDPOINT_URL"))
            groups, scopes = (json.loads(environment.get(name) or "[]") for name in ("API_GROUPS", "API_SCOPES"))
            tokens = CognitoTokens(pool_id, client_ids, functools.partial(_read_url, url), groups=groups, scopes=scopes)
        if secret_arn:
            credentials = BasicCredentials(functools.partial(_read_secret, secret_arn))
        return cls(tokens, credentials)

    def authorize(self, event: Any) -> tuple[str, str]:
        """Return the user and the method (``basic`` or ``bearer``) of `event`, or raise Denied or Unavailable."""
        scheme, value = authorization(event)
        method = scheme.lower()
        if method not in self._methods:
            raise Denied("scheme")
        verifier = self._methods[method]
        if verifier is None:
            raise Denied(f"{method}_not_configured")
        user = verifier.verify(value)
        # It goes into the access log; control characters and lone surrogates would spoil it.
        if not user.isprintable():
            raise Denied("malformed")
        return user, method


def authorization(event: Any) -> tuple[str, str]:
    """Return scheme and value of the one Authorization header of `event`, or raise Denied."""
    headers = event.get("headers") if isinstance(event, dict) else None
    if not isinstance(headers, dict):
        raise Denied("missing")
    values = [value for name, value in headers.items() if name.lower() == "authorization"]
    if not values:
        raise Denied("missing")
    if len(values) > 1 or not isinstance(values[0], str):
        raise Denied("malformed")
    if len(values[0]) > MAX_HEADER:
        raise Denied("too_long")
    match = _AUTHORIZATION.fullmatch(values[0])
    if match is None:
        raise Denied("malformed")
    return match[1], match[2]


def keys_url(pool_id: str, endpoint_url: str | None) -> str:
    """Return where the key set of the user pool `pool_id` is."""
    base = f"{endpoint_url.rstrip('/')}/{pool_id}" if endpoint_url else issuer(pool_id)
    return f"{base}/.well-known/jwks.json"


@functools.cache
def _authorizer() -> Authorizer:
    # Kept while the execution environment lives, and with it what it has fetched.
    return Authorizer.from_environment(os.environ)


def _read_url(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        return response.read(MAX_KEYS)


def _read_secret(arn: str) -> str:
    # Imported here because it takes most of a cold start, and Bearer tokens do not need it.
    import boto3
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": 2}
    config = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries=retries)
    return boto3.client("secretsmanager", config=config).get_secret_value(SecretId=arn)["SecretString"]

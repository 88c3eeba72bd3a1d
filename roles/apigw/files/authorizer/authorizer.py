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
- ``API_CREDENTIALS_SECRET_ARN`` (optional): the secret, a JSON object of user name to password, or to an object of ``password`` and
  ``groups``. Without it no Basic credentials are taken.
- ``IDENTITY_KEY_SECRET`` (optional): the name of the secret with the key to sign who calls with, for MLflow's servers
- ``AWS_ENDPOINT_URL`` (optional): an endpoint in place of AWS's own; the keys of the user pool are read from there too.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import time
import urllib.request
from typing import Any, Callable, Mapping

import signed_identity
from basic_credentials import BasicCredentials
from cognito_jwt import CognitoTokens, keys_url
from denied import Denied, Unavailable
from refreshed import Refreshed
from strict_json import load_object
from user import User

logger = logging.getLogger("authorizer")

MAX_HEADER = 8192  # characters; API Gateway allows 10,240 bytes for all headers together
MIN_KEY = 32  # characters
MAX_KEYS = 65536  # bytes; Cognito's key set has about 1,000
KEY_TTL, KEY_MAX_AGE, KEY_RETRY_AFTER = 3600, 24 * 3600, 5  # seconds of the key to sign with, which nobody changes
TIMEOUT = 2  # seconds to connect to AWS, and for each read: with one retry, well within the 10 an authorizer is given

# Scheme and token68 (RFC 9110, section 11.4). No comma: API Gateway joins repeated headers with one.
_AUTHORIZATION = re.compile(r"([A-Za-z]+) +([A-Za-z0-9._~+/=-]+)")


class AuthorizerFailed(Exception):
    """Whether the request is to be let in cannot be told. The message is for the function's log, and holds nothing of the request."""


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Return the simple response to `event`. Raises where it cannot be told, whatever the event.

    An allowed request has ``context.user`` and ``context.method`` (``basic`` or ``bearer``), for the access log, and ``context.identity``,
    for MLflow's servers, where there is a key to sign it with. Of a denied one only the reason is logged.
    """
    try:
        user, method = _authorizer().authorize(event)
        identity = _authorizer().identity(user)
    except Denied as denied:
        logger.warning("denied reason=%s", denied.reason)
        return {"isAuthorized": False}
    except Unavailable as unavailable:
        reason = unavailable.reason
    except Exception as error:
        reason = f"internal error={type(error).__name__}"
    else:
        # As it stands in JSON: the access log has it between quotation marks, and a name may hold some.
        return {"isAuthorized": True, "context": {"user": json.dumps(user.name, ensure_ascii=False)[1:-1], "method": method, **identity}}
    # Outside of the handling of the other error, so that nothing of that is shown.
    raise AuthorizerFailed(reason)


class Authorizer:
    """Decides on a request by its Authorization header. A method that is None is not offered.

    `fetch_key` returns the text of the secret with the key to sign with, and may raise anything.
    """

    def __init__(
        self,
        tokens: CognitoTokens | None,
        credentials: BasicCredentials | None,
        fetch_key: Callable[[], str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._methods = {"bearer": tokens, "basic": credentials}
        self._clock = clock
        self._key = None
        if fetch_key:
            self._key = Refreshed("identity_key", lambda: parse_key(fetch_key()), ttl=KEY_TTL, max_age=KEY_MAX_AGE, retry_after=KEY_RETRY_AFTER, clock=clock)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Authorizer:
        """Return the authorizer that the environment variables above describe."""
        pool_id = environment.get("COGNITO_USER_POOL_ID")
        client_ids = [name.strip() for name in environment.get("COGNITO_CLIENT_IDS", "").split(",") if name.strip()]
        secret_arn, key_secret = environment.get("API_CREDENTIALS_SECRET_ARN"), environment.get("IDENTITY_KEY_SECRET")
        tokens = credentials = None
        if pool_id:
            url = keys_url(pool_id, environment.get("AWS_ENDPOINT_URL"))
            groups, scopes = (json.loads(environment.get(name) or "[]") for name in ("API_GROUPS", "API_SCOPES"))
            tokens = CognitoTokens(pool_id, client_ids, functools.partial(_read_url, url), groups=groups, scopes=scopes)
        if secret_arn:
            credentials = BasicCredentials(functools.partial(_read_secret, secret_arn))
        return cls(tokens, credentials, functools.partial(_read_secret, key_secret) if key_secret else None)

    def authorize(self, event: Any) -> tuple[User, str]:
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
        if not user.name.isprintable():
            raise Denied("malformed")
        return user, method

    def identity(self, user: User) -> dict[str, str]:
        """Return what tells MLflow's servers who calls: nothing where they do not ask. Raises Unavailable."""
        return {"identity": signed_identity.sign(user, self._key.get(), self._clock())} if self._key else {}


def parse_key(text: str) -> bytes:
    """Return the key in the secret `text`. Raises ValueError for one that could be guessed."""
    key = load_object(text).get("key")
    if not isinstance(key, str) or len(key) < MIN_KEY:
        raise ValueError("not a key")
    return key.encode()


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


@functools.cache
def _authorizer() -> Authorizer:
    # Kept while the execution environment lives, and with it what it has fetched.
    return Authorizer.from_environment(os.environ)


def _read_url(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        return response.read(MAX_KEYS)


def _read_secret(secret_id: str) -> str:
    # Imported here because it takes most of a cold start, and Bearer tokens do not need it.
    import boto3
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": 2}
    config = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries=retries)
    return boto3.client("secretsmanager", config=config).get_secret_value(SecretId=secret_id)["SecretString"]

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who calls, as the authorizer tells MLflow's servers: a JSON object and its HMAC-SHA256, each in Base64url, with a dot between.

API Gateway sends it to them in a header, in place of whatever the caller has put there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from cognito_jwt import LEEWAY, decode_base64url, names_in, object_in
from denied import Denied
from user import User

LIFETIME = 300  # seconds; API Gateway uses an answer of the authorizer for up to 60


def sign(user: User, key: bytes, now: float) -> str:
    """Return what tells `user` to whoever has `key`."""
    claims = {"user": user.name, "groups": user.groups, "exp": int(now) + LIFETIME}
    payload = _encoded(json.dumps(claims, separators=(",", ":")).encode("ascii"))
    return f"{payload}.{_encoded(_mac(key, payload))}"


def verify(text: str, key: bytes, now: float) -> User:
    """Return whom `text` tells, or raise Denied unless it was signed with `key` and is young enough."""
    payload, _dot, mac = text.partition(".")
    try:
        given = decode_base64url(mac)
    except ValueError:
        raise Denied("malformed") from None
    if not hmac.compare_digest(given, _mac(key, payload)):
        raise Denied("signature")
    claims = object_in(payload)
    name, expires = claims.get("user"), claims.get("exp")
    if not isinstance(name, str) or not isinstance(expires, int) or isinstance(expires, bool):
        raise Denied("malformed")
    if now >= expires + LEEWAY:
        raise Denied("expired")
    return User(name, names_in(claims.get("groups")))


def _mac(key: bytes, payload: str) -> bytes:
    return hmac.digest(key, payload.encode(), hashlib.sha256)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")

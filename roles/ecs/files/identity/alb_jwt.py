# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an Application Load Balancer says of whom it has signed in: JSON Web Tokens with ES256, which it pads.

User Guide for Application Load Balancers, "Authenticate users", has their fields and says which of them to verify.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import urllib.error
from typing import Any, Callable

from cognito_jwt import LEEWAY, decode_base64url, object_in, parts_of
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from denied import Denied, Unavailable

logger = logging.getLogger("identity")

KEYS_RETRY_AFTER = 10  # seconds until a key is asked for after another one was not to be had

_KEY_ID = re.compile(r"[A-Za-z0-9-]{1,64}")  # it becomes a part of a URL
_NO_SUCH_KEY = (400, 403, 404)


class LoadBalancerTokens:
    """The tokens that one load balancer makes for one client of an identity provider.

    `fetch_key` returns the public key of a key id as PEM, and may raise anything.
    """

    def __init__(self, load_balancer_arn: str, client_id: str, issuer: str, fetch_key: Callable[[str], bytes], clock: Callable[[], float] = time.time) -> None:
        self._expected = {"alg": "ES256", "signer": load_balancer_arn, "client": client_id, "iss": issuer}
        self._fetch_key = fetch_key
        self._clock = clock
        self._keys: dict[str, ec.EllipticCurvePublicKey] = {}
        self._failed_at = float("-inf")
        self._lock = threading.Lock()

    def verify(self, token: str) -> dict[str, Any]:
        """Return what the identity provider says of the user of `token`, or raise Denied or Unavailable."""
        header, payload, signed, signature = parts_of(token, _decode)
        for name, value in self._expected.items():
            if header.get(name) != value:
                raise Denied(name)
        if "crit" in header:
            raise Denied("alg")
        if not verify_es256(self._key(header.get("kid")), signed, signature):
            raise Denied("signature")
        claims = object_in(payload, _decode)
        expires = header.get("exp")
        if not isinstance(expires, int) or isinstance(expires, bool):
            raise Denied("malformed")
        if self._clock() >= expires + LEEWAY:
            raise Denied("expired")
        return claims

    def _key(self, key_id: Any) -> ec.EllipticCurvePublicKey:
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise Denied("malformed")
        with self._lock:
            if key_id not in self._keys:
                if 0 <= self._clock() - self._failed_at < KEYS_RETRY_AFTER:
                    raise Unavailable("load_balancer_keys_unavailable")
                self._failed_at = self._clock()
                self._keys[key_id] = self._fetched(key_id)
                self._failed_at = float("-inf")
            return self._keys[key_id]

    def _fetched(self, key_id: str) -> ec.EllipticCurvePublicKey:
        try:
            return parse_key(self._fetch_key(key_id))
        except urllib.error.HTTPError as error:
            if error.code in _NO_SUCH_KEY:
                raise Denied("key") from None
            kind = f"HTTP status {error.code}"
        except Exception as error:  # whatever fails, nobody is let in
            kind = type(error).__name__
        logger.error("load balancer key fetch failed error=%s", kind)
        raise Unavailable("load_balancer_keys_unavailable")


def keys_url(region: str, endpoint_url: str | None) -> str:
    """Return where the load balancers of a region have their public keys, each below its id."""
    host = f"public-keys.auth.elb.{region}.amazonaws.com"
    return f"{endpoint_url.rstrip('/')}/{host}" if endpoint_url else f"https://{host}"


def parse_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    """Return the P-256 key in `pem`. Raises ValueError for any other."""
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ValueError("not a key of the curve P-256")
    return key


def verify_es256(key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` is that of `message` (RFC 7518, section 3.4: both numbers, each of 32 bytes)."""
    if len(signature) != 64:
        return False
    try:
        key.verify(utils.encode_dss_signature(*(int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _decode(text: str) -> bytes:
    """Return the bytes of `text` in Base64url, with the padding that it needs or with none."""
    plain = text.rstrip("=")
    if len(plain) < len(text) and len(text) % 4:
        raise ValueError("not the padding of Base64url")
    return decode_base64url(plain)

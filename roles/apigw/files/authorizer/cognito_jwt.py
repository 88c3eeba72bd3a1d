# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON Web Tokens of one Cognito user pool: RFC 7519 and 7515, and RS256 only, on the standard library alone.

Nothing here compares in constant time: tokens are signed, not secret from whoever sends them, and the keys
that verify them are public, so there is no secret that timing could tell.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from typing import Any, Callable, Collection, NamedTuple

from denied import Denied
from refreshed import Refreshed
from strict_json import load_object
from user import User

LEEWAY = 30  # seconds by which the clocks may differ
KEYS_TTL = 3600  # seconds; an unknown key id asks sooner
KEYS_MAX_AGE = 6 * 3600  # seconds for which the keys are still good when Cognito does not answer
KEYS_RETRY_AFTER = 10  # seconds between two attempts

# DER of DigestInfo{SHA-256, 32 bytes} up to the digest itself (RFC 8017, section 9.2, note 1).
_SHA256_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


class PublicKey(NamedTuple):
    """An RSA public key."""

    n: int
    e: int


class CognitoTokens:
    """The access and ID tokens that a user pool issues to the app clients in `client_ids`.

    With `groups`, only those of users in one of these groups; with `scopes`, only access tokens with one of these scopes.
    `fetch_keys` returns the text of the pool's JSON Web Key Set and may raise anything.
    """

    def __init__(
        self,
        pool_id: str,
        client_ids: Collection[str],
        fetch_keys: Callable[[], str | bytes],
        clock: Callable[[], float] = time.time,
        *,
        groups: Collection[str] = (),
        scopes: Collection[str] = (),
    ) -> None:
        self._issuer = issuer(pool_id)
        self._client_ids = frozenset(client_ids)
        self._groups, self._scopes = frozenset(groups), frozenset(scopes)
        self._clock = clock
        self._keys = Refreshed("keys", lambda: parse_keys(fetch_keys()), ttl=KEYS_TTL, max_age=KEYS_MAX_AGE, retry_after=KEYS_RETRY_AFTER, clock=clock)

    def verify(self, token: str) -> User:
        """Return whom `token` was issued to, or raise Denied or Unavailable."""
        header, payload, signed, signature = parts_of(token)
        # RFC 7515, section 4.1.11: what `crit` lists must be understood, and nothing that it could list is.
        if header.get("alg") != "RS256" or "crit" in header:
            raise Denied("algorithm")
        if not verify_rs256(self._key(header.get("kid")), signed, signature):
            raise Denied("signature")
        claims = object_in(payload)
        user = check_claims(claims, self._issuer, self._client_ids, self._clock())
        if self._groups and self._groups.isdisjoint(user.groups):
            raise Denied("group")
        if self._scopes and self._scopes.isdisjoint(scopes_of(claims)):
            raise Denied("scope")
        return user

    def _key(self, key_id: Any) -> PublicKey:
        if not isinstance(key_id, str):
            raise Denied("malformed")
        # Cognito may have begun to sign with another key since its keys were read.
        key = self._keys.get().get(key_id) or self._keys.get(newer=True).get(key_id)
        if key is None:
            self._keys.confirm()
            raise Denied("key")
        return key


def keys_url(pool_id: str, endpoint_url: str | None) -> str:
    """Return where the key set of the user pool `pool_id` is."""
    base = f"{endpoint_url.rstrip('/')}/{pool_id}" if endpoint_url else issuer(pool_id)
    return f"{base}/.well-known/jwks.json"


def issuer(pool_id: str) -> str:
    """Return the issuer of the tokens of the user pool `pool_id`, which is ``<region>_<id>``."""
    return f"https://cognito-idp.{pool_id.partition('_')[0]}.amazonaws.com/{pool_id}"


def check_claims(claims: dict[str, Any], expected_issuer: str, client_ids: Collection[str], now: float) -> User:
    """Return the user in the claims of a token whose signature is good, or raise Denied.

    A token of the client credentials grant has no user; its subject, the client's id, takes the place.
    """
    if claims.get("iss") != expected_issuer:
        raise Denied("issuer")
    expires = _seconds(claims, "exp")
    if expires is None:
        raise Denied("malformed")
    if now >= expires + LEEWAY:
        raise Denied("expired")
    for name in ("nbf", "iat"):
        not_before = _seconds(claims, name)
        if not_before is not None and now < not_before - LEEWAY:
            raise Denied("not_yet_valid")
    # Cognito puts the client into another claim in each kind of token, and always as one string.
    token_use = claims.get("token_use")
    if token_use == "access":
        client_id, user = claims.get("client_id"), claims.get("username", claims.get("sub"))
    elif token_use == "id":
        client_id, user = claims.get("aud"), claims.get("cognito:username", claims.get("sub"))
    else:
        raise Denied("token_use")
    if not isinstance(client_id, str) or client_id not in client_ids:
        raise Denied("client")
    subject = claims.get("sub", "")
    if not isinstance(user, str) or not isinstance(subject, str):
        raise Denied("malformed")
    return User(user, names_in(claims.get("cognito:groups")), subject)  # Cognito lists the groups in both kinds of token


def names_in(groups: Any) -> tuple[str, ...]:
    """Return the names in what a token says of the groups of its user."""
    return tuple(group for group in groups if isinstance(group, str)) if isinstance(groups, list) else ()


def scopes_of(claims: dict[str, Any]) -> list[str]:
    """Return the scopes of an access token, which Cognito puts into one string. An ID token has none."""
    scope = claims.get("scope")
    return scope.split(" ") if claims.get("token_use") == "access" and isinstance(scope, str) else []


def _seconds(claims: dict[str, Any], name: str) -> int | None:
    """Return the claim `name`, in seconds since the epoch, or None without it.

    Only an integer is taken: Cognito issues no other, and true, "1" and 1e999 compare in surprising ways.
    """
    value = claims.get(name)
    if name in claims and (not isinstance(value, int) or isinstance(value, bool)):
        raise Denied("malformed")
    return value


def decode_base64url(text: str) -> bytes:
    """Return the bytes of `text` in Base64url without padding (RFC 7515, section 2).

    Raises ValueError unless `text` is the one encoding of these bytes.
    """
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not Base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=") != text.encode("ascii"):
        raise ValueError("not the canonical Base64url")
    return data


def parts_of(token: str, decode: Callable[[str], bytes] = decode_base64url) -> tuple[dict[str, Any], str, bytes, bytes]:
    """Return the header of a JSON Web Token, its claims as they are encoded, what is signed, and the signature, or raise Denied.

    `decode` is the Base64url of who makes it.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise Denied("malformed")
    try:
        return object_in(parts[0], decode), parts[1], f"{parts[0]}.{parts[1]}".encode("ascii"), decode(parts[2])
    except ValueError:
        raise Denied("malformed") from None


def object_in(text: str, decode: Callable[[str], bytes] = decode_base64url) -> dict[str, Any]:
    """Return the JSON object that `text` encodes, or raise Denied."""
    try:
        return load_object(decode(text))
    except ValueError:
        raise Denied("malformed") from None


def parse_keys(text: str | bytes) -> dict[str, PublicKey]:
    """Return the RS256 keys of a JSON Web Key Set by their key id.

    Keys of other kinds, and weak or malformed ones, are left out. Raises ValueError when none is left.
    """
    jwks = load_object(text).get("keys")
    keys = {}
    for jwk in jwks if isinstance(jwks, list) else ():
        try:
            usable = (jwk["kty"], jwk.get("use", "sig"), jwk.get("alg", "RS256")) == ("RSA", "sig", "RS256")
            key = PublicKey(*(int.from_bytes(decode_base64url(jwk[name]), "big") for name in ("n", "e")))
            key_id = jwk["kid"]
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
        # The least that NIST SP 800-56B (section 6.2) takes; Cognito's are 2048 bits and 65537.
        if usable and isinstance(key_id, str) and key.n.bit_length() >= 2048 and key.e >= 65537:
            keys[key_id] = key
    if not keys:
        raise ValueError("no RS256 key in the key set")
    return keys


def verify_rs256(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` is the RSASSA-PKCS1-v1_5 signature of `message` with SHA-256 (RFC 8017, 8.2.2).

    The encoded message is built whole and compared whole. Parsing what the signature holds instead is where
    forgeries come from (Bleichenbacher 2006).
    """
    length = (key.n.bit_length() + 7) // 8
    number = int.from_bytes(signature, "big")
    if len(signature) != length or number >= key.n:
        return False
    digest_info = _SHA256_DIGEST_INFO + hashlib.sha256(message).digest()
    expected = b"\x00\x01" + b"\xff" * (length - len(digest_info) - 3) + b"\x00" + digest_info
    return pow(number, key.e, key.n).to_bytes(length, "big") == expected

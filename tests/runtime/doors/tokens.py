# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens, as far as AWS's own checks of them are alike."""

from __future__ import annotations

import json
import time
import typing as t
import urllib.request

from embedded_aws.client import EmbeddedAWS
from joserfc import jwk, jwt
from joserfc.errors import JoseError

Claims = dict[str, t.Any]


def claims_of(aws: EmbeddedAWS, token: str, issuer: str, algorithms: list[str]) -> Claims | None:
    """The claims of a token that a user pool has signed and that is valid now. None for any other."""
    pool_id = issuer.rpartition("/")[2]
    with urllib.request.urlopen(f"{aws.endpoint}/{pool_id}/.well-known/jwks.json", timeout=10) as answer:
        keys = jwk.KeySet.import_key_set(json.load(answer))
    try:
        claims = jwt.decode(token, keys, algorithms=algorithms).claims
    except (JoseError, ValueError):
        return None
    now = time.time()
    valid = claims.get("iss") == issuer and claims["exp"] > now and all(claims[name] <= now for name in ("nbf", "iat") if name in claims)
    return claims if valid else None

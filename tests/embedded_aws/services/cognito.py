# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cognito user pools: domains, tags, token claims, a signing key for each pool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

from joserfc import jwk, jwt
from moto.cognitoidp import exceptions, models, responses, urls

from embedded_aws.gaps import gap

# Making a key takes long, so the keys of pools that no longer exist are given to new ones. Only the current pools'
# keys are published.
_keys: list[jwk.RSAKey] = []

STANDARD_ATTRIBUTES = [
    "address",
    "birthdate",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "updated_at",
    "website",
    "zoneinfo",
]


@gap(models.CognitoIdpUserPool, "__init__")
def signing_key(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """Every user pool signs its tokens with a key of its own."""
    original(self, *args, **kwargs)
    in_use = {pool.json_web_key.kid for pool in _pools()}
    free = next((key for key in _keys if key.kid not in in_use), None)
    if free is None:
        free = jwk.RSAKey.generate_key(2048, auto_kid=True)
        _keys.append(free)
    self.json_web_key = free


UNIT_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


@gap(models.CognitoIdpUserPool, "create_jwt")
def create_jwt(original: Any, self: Any, client_id: str, username: str, token_use: str, *args: Any, **kwargs: Any) -> tuple[str, int]:
    """A token's header names the key that signed it; it is valid for as long as its app client says, or an hour."""
    settings = self.clients[client_id].extended_config
    if validity := settings.get(f"{token_use.title()}TokenValidity"):
        unit = settings.get("TokenValidityUnits", {}).get(f"{token_use.title()}Token", "hours")
        args, kwargs = args[1:], {**kwargs, "expires_in": validity * UNIT_SECONDS[unit]}
    token, expires_in = original(self, client_id, username, token_use, *args, **kwargs)
    payload = jwt.decode(token, self.json_web_key).claims
    return jwt.encode({"kid": self.json_web_key.kid, "alg": "RS256"}, payload, self.json_web_key), expires_in


@gap()
def published_keys() -> None:
    """A pool's JWKS holds the pool's keys; that of a pool that does not exist is not found."""

    def serve_json_web_key(_request: Any, full_url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
        pool_id = urlparse(full_url).path.strip("/").partition("/")[0]
        pool = next((pool for pool in _pools() if pool.id == pool_id), None)
        if not pool:
            return 404, {"Content-Type": "application/json"}, json.dumps({"message": "User pool does not exist."})
        key = {**pool.json_web_key.as_dict(private=False), "alg": "RS256", "use": "sig"}
        return 200, {"Content-Type": "application/json"}, json.dumps({"keys": [key]})

    for path in urls.url_paths:
        if "jwks.json" in path:
            urls.url_paths[path] = serve_json_web_key


def _pools() -> Iterator[Any]:
    for _account, _region, backend in models.cognitoidp_backends.iter_backends():
        yield from backend.user_pools.values()


@gap(models.CognitoIdpUserPoolClient, "get_readable_fields")
def get_readable_fields(original: Any, self: Any) -> list[str]:
    """A client may read all standard attributes unless restricted, and the id token carries them."""
    return original(self) or STANDARD_ATTRIBUTES


@gap(models.CognitoIdpBackend, "create_user_pool_domain")
def create_user_pool_domain(original: Any, self: Any, user_pool_id: str, domain: str, *args: Any, **kw: Any) -> Any:
    """CreateUserPoolDomain refuses a domain that is taken."""
    if domain in self.user_pool_domains:
        raise exceptions.InvalidParameterException("Domain already exists.")
    return original(self, user_pool_id, domain, *args, **kw)


@gap(models.CognitoIdpUserPoolDomain, "to_json")
def domain_account(original: Any, self: Any, extended: bool = True) -> dict[str, Any]:
    """DescribeUserPoolDomain tells the account of the pool."""
    document = original(self, extended)
    if extended:
        document["AWSAccountId"] = next(pool.account_id for pool in _pools() if pool.id == self.user_pool_id)
    return document


@gap(models.CognitoIdpBackend, "delete_user_pool")
def delete_user_pool(original: Any, self: Any, user_pool_id: str) -> None:
    """DeleteUserPool refuses a pool that has a domain."""
    if any(domain.user_pool_id == user_pool_id for domain in self.user_pool_domains.values()):
        raise exceptions.InvalidParameterException("User pool cannot be deleted. It has a domain configured that should be deleted first.")
    original(self, user_pool_id)


@gap(models.CognitoIdpBackend, "update_user_pool")
def update_user_pool(original: Any, self: Any, user_pool_id: str, extended_config: dict[str, Any]) -> None:
    """UpdateUserPool resets what it is not given, turns MFA off unless told, and takes MFA only with an SMS configuration."""
    pool, mfa = self.describe_user_pool(user_pool_id), extended_config.get("MfaConfiguration", "OFF")
    if mfa != "OFF" and not extended_config.get("SmsConfiguration"):
        raise exceptions.InvalidParameterException("SMS configuration and Auto verification for phone_number are required when MFA is required/optional")
    kept = {k: v for k, v in pool.extended_config.items() if k in ("UsernameAttributes", "AliasAttributes", "UsernameConfiguration")}
    original(self, user_pool_id, {**kept, **extended_config})
    pool.mfa_config = mfa
    if mfa == "OFF":
        pool.sms_mfa_config = pool.token_mfa_config = None


@gap(models.CognitoIdpBackend, "update_user_pool_client")
def update_user_pool_client(_original: Any, self: Any, user_pool_id: str, client_id: str, extended_config: dict[str, Any]) -> Any:
    """UpdateUserPoolClient resets what it is not given."""
    client = self.describe_user_pool_client(user_pool_id, client_id)
    client.extended_config = type(client)(user_pool_id, client.generate_secret, extended_config).extended_config
    return client


@gap(responses.CognitoIdpResponse, "tag_resource")
def tag_resource(_original: Any, self: Any) -> str:
    """TagResource sets tags of a user pool and keeps its other ones."""
    _tags_of(self).update(self._get_param("Tags"))
    return "{}"


@gap(responses.CognitoIdpResponse, "untag_resource")
def untag_resource(_original: Any, self: Any) -> str:
    """UntagResource takes the tags of the names given off a user pool."""
    for name in self._get_param("TagKeys"):
        _tags_of(self).pop(name, None)
    return "{}"


@gap(responses.CognitoIdpResponse, "list_tags_for_resource")
def list_tags_for_resource(_original: Any, self: Any) -> str:
    """ListTagsForResource tells the tags of a user pool."""
    return json.dumps({"Tags": _tags_of(self)})


def _tags_of(response: Any) -> dict[str, str]:
    pool = response.backend.describe_user_pool(response._get_param("ResourceArn").rpartition("/")[2])
    return pool.extended_config.setdefault("UserPoolTags", {})

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cognito of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import urllib.error
from typing import Any

import pytest
from embedded.helpers import get_json, has, refused
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS


def _tokens(aws: EmbeddedAWS, pool: str, **settings: Any) -> dict[str, Any]:
    cognito = aws.client("cognito-idp")
    client = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="c", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"], **settings
    )["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool, Username="u", MessageAction="SUPPRESS", UserAttributes=[{"Name": "email", "Value": "u@emu.test"}])
    cognito.admin_set_user_password(UserPoolId=pool, Username="u", Password="Passw0rd!", Permanent=True)
    return cognito.initiate_auth(ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": "u", "PASSWORD": "Passw0rd!"})[
        "AuthenticationResult"
    ]


def _jwks(aws: EmbeddedAWS, pool: str) -> dict[str, Any]:
    return get_json(f"{aws.endpoint}/{pool}/.well-known/jwks.json")


def test_tags_of_user_pools_can_be_changed(aws: EmbeddedAWS) -> None:
    cognito = aws.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="one", UserPoolTags={"a": "1", "b": "2"})["UserPool"]
    cognito.tag_resource(ResourceArn=pool["Arn"], Tags={"b": "3", "c": "4"})
    cognito.untag_resource(ResourceArn=pool["Arn"], TagKeys=["a"])
    assert cognito.list_tags_for_resource(ResourceArn=pool["Arn"])["Tags"] == {"b": "3", "c": "4"}
    assert cognito.describe_user_pool(UserPoolId=pool["Id"])["UserPool"]["UserPoolTags"] == {"b": "3", "c": "4"}


def test_user_pools_have_their_own_keys(aws: EmbeddedAWS) -> None:
    from joserfc import jwk, jwt
    from joserfc.errors import JoseError

    cognito = aws.client("cognito-idp")
    one, two = (cognito.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("one", "two"))
    token = _tokens(aws, one)["IdToken"]
    claims = jwt.decode(token, jwk.KeySet.import_key_set(_jwks(aws, one))).claims
    has(claims, email="u@emu.test", token_use="id", iss=f"https://cognito-idp.{REGION}.amazonaws.com/{one}")
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(token, jwk.KeySet.import_key_set(_jwks(aws, two)))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _jwks(aws, f"{REGION}_none")


def test_tokens_are_valid_for_as_long_as_their_client_says(aws: EmbeddedAWS) -> None:
    from joserfc import jwk, jwt

    pool = aws.client("cognito-idp").create_user_pool(PoolName="p")["UserPool"]["Id"]
    tokens = _tokens(aws, pool, AccessTokenValidity=10, IdTokenValidity=2, TokenValidityUnits={"AccessToken": "minutes"})
    keys = jwk.KeySet.import_key_set(_jwks(aws, pool))
    claims = [jwt.decode(tokens[name], keys).claims for name in ("AccessToken", "IdToken")]
    assert [each["exp"] - each["iat"] for each in claims] == [600, 7200]
    assert tokens["ExpiresIn"] == 600


def test_user_pool_domains_and_clients(aws: EmbeddedAWS) -> None:
    cognito = aws.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="p")["UserPool"]["Id"]
    client = cognito.create_user_pool_client(UserPoolId=pool, ClientName="c", GenerateSecret=True)["UserPoolClient"]
    described = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client["ClientId"])["UserPoolClient"]
    assert described["ClientSecret"] == client["ClientSecret"]
    assert cognito.describe_user_pool_domain(Domain="d")["DomainDescription"] == {}
    cognito.create_user_pool_domain(Domain="d", UserPoolId=pool)
    has(cognito.describe_user_pool_domain(Domain="d")["DomainDescription"], AWSAccountId=ACCOUNT, Status="ACTIVE")
    refused("InvalidParameterException", cognito.create_user_pool_domain, Domain="d", UserPoolId=pool)
    refused("InvalidParameterException", cognito.delete_user_pool, UserPoolId=pool)
    cognito.delete_user_pool_domain(Domain="d", UserPoolId=pool)
    cognito.delete_user_pool(UserPoolId=pool)

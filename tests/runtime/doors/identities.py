# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What callers of a stack's API prove who they are with: real tokens and credentials, and false ones."""

from __future__ import annotations

import base64
import json
import time
import typing as t

import boto3
from botocore.config import Config
from embedded_aws.client import REGION, EmbeddedAWS
from joserfc import jwk, jwt
from runtime.inputs import CREDENTIALS
from support.stack import Stack

USER, PASSWORD = "ada", "Lovelace-10-12-1815"


def authorizations(stack: Stack) -> dict[str, str | None]:
    """Authorization headers by what they are."""
    aws = stack.aws
    pool = stack.inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    (programs,) = stack.inputs.get("mlflow_api_client_ids") or [stack.inputs["mlflow_aws_cognito_user_pool_client_id"]]
    good = _tokens(aws, pool, programs)
    stranger = _tokens(aws, pool, _app_client(aws, pool))
    other_pool = aws.client("cognito-idp").create_user_pool(PoolName="strangers")["UserPool"]["Id"]
    strangers = _tokens(aws, other_pool, _app_client(aws, other_pool))
    expired = _tokens(aws, pool, programs, lifetime=-3600)
    header, payload, signature = good["AccessToken"].split(".")
    return {
        "none": None,
        "access token": f"Bearer {good['AccessToken']}",
        "ID token": f"Bearer {good['IdToken']}",
        "expired access token": f"Bearer {expired['AccessToken']}",
        "expired ID token": f"Bearer {expired['IdToken']}",
        "access token of another client": f"Bearer {stranger['AccessToken']}",
        "ID token of another client": f"Bearer {stranger['IdToken']}",
        "access token of another pool": f"Bearer {strangers['AccessToken']}",
        "forged token": f"Bearer {_forged(good['AccessToken'])}",
        "altered token": f"Bearer {header}.{_altered(payload)}.{signature}",
        "unsigned token": f"Bearer {_encoded({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        "no token": "Bearer ",
        "credentials": _basic("ci", CREDENTIALS["ci"]),
        "credentials of another user": _basic("nightly", CREDENTIALS["ci"]),
        "wrong credentials": _basic("ci", "guess"),
        "no password": _basic("ci", ""),
        "another scheme": "Digest username=ci",
    }


def _tokens(aws: EmbeddedAWS, pool: str, client_id: str, lifetime: int | None = None) -> dict[str, t.Any]:
    """What Cognito issues to a user who signs in with an app client, for C(lifetime) seconds."""
    cognito = aws.client("cognito-idp")
    if lifetime is not None:
        units = dict.fromkeys(("AccessToken", "IdToken"), "seconds")
        # Not by the ordinary client, which refuses to ask for a token that has expired when it is issued.
        unchecked = boto3.client(
            "cognito-idp",
            region_name=REGION,
            endpoint_url=aws.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(parameter_validation=False),
        )
        unchecked.update_user_pool_client(
            UserPoolId=pool,
            ClientId=client_id,
            AccessTokenValidity=lifetime,
            IdTokenValidity=lifetime,
            TokenValidityUnits=units,
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        )
    if USER not in {user["Username"] for user in cognito.list_users(UserPoolId=pool)["Users"]}:
        cognito.admin_create_user(UserPoolId=pool, Username=USER, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool, Username=USER, Password=PASSWORD, Permanent=True)
    return cognito.initiate_auth(ClientId=client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": USER, "PASSWORD": PASSWORD})[
        "AuthenticationResult"
    ]


def _app_client(aws: EmbeddedAWS, pool: str) -> str:
    """A further app client, which no stack takes tokens of."""
    return aws.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool, ClientName="stranger", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]["ClientId"]


def _forged(token: str) -> str:
    """The same claims and key id, signed with another key."""
    header, payload = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    return jwt.encode(header, payload, jwk.RSAKey.generate_key(2048))


def _altered(payload: str) -> str:
    """The claims of a token that is valid for a day longer."""
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return _encoded({**claims, "exp": int(time.time()) + 86400})


def _encoded(content: dict[str, t.Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

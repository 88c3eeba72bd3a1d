# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lambda authorizer in its deployment package, invoked by the embedded AWS with tokens of its Cognito."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.lambda_ import build_zip, code_sha256
from embedded_aws.client import EmbeddedAWS

AUTHORIZER = Path(__file__).parents[2] / "roles/apigw/files/authorizer"
FUNCTION = "team-x-mlflow-authorizer"
PASSWORD = "correct:horse bättery"


@dataclass
class Pool:
    """A user pool with one app client and the user ``ada``."""

    pool_id: str
    client_id: str
    access_token: str
    id_token: str


def make_pool(aws: EmbeddedAWS, name: str) -> Pool:
    cognito = aws.client("cognito-idp")
    pool_id = cognito.create_user_pool(PoolName=name)["UserPool"]["Id"]
    client_id = cognito.create_user_pool_client(
        UserPoolId=pool_id, ClientName=name, ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool_id, Username="ada", MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool_id, Username="ada", Password="Lovelace-1843", Permanent=True)
    tokens = cognito.initiate_auth(ClientId=client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": "ada", "PASSWORD": "Lovelace-1843"})[
        "AuthenticationResult"
    ]
    return Pool(pool_id, client_id, tokens["AccessToken"], tokens["IdToken"])


@pytest.fixture
def pool(aws: EmbeddedAWS) -> Pool:
    return make_pool(aws, "team-x")


@pytest.fixture
def secret_arn(aws: EmbeddedAWS) -> str:
    value = json.dumps({"ci": PASSWORD, "nightly": "another long password"})
    return aws.client("secretsmanager").create_secret(Name="team-x/api", SecretString=value)["ARN"]


class Function:
    """The deployed authorizer."""

    def __init__(self, aws: EmbeddedAWS, environment: dict[str, str]) -> None:
        self._client = aws.client("lambda")
        role = aws.client("iam").create_role(RoleName=FUNCTION, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        package = build_zip(AUTHORIZER)
        created = self._client.create_function(
            FunctionName=FUNCTION,
            Runtime="python3.13",
            Role=role,
            Handler="authorizer.handler",
            Timeout=10,
            Code={"ZipFile": package},
            Environment={"Variables": {"AWS_ENDPOINT_URL": aws.endpoint, **environment}},
        )
        self._logs = aws.client("logs")
        assert created["CodeSha256"] == code_sha256(package)

    def __call__(self, header: str | None) -> Any:
        headers = {"host": "api.example.com"} | ({} if header is None else {"authorization": header})
        event = {"version": "2.0", "type": "REQUEST", "identitySource": [header], "headers": headers}
        answer = self._client.invoke(FunctionName=FUNCTION, Payload=json.dumps(event).encode())
        result = json.load(answer["Payload"])
        return {"raised": result["errorMessage"]} if "FunctionError" in answer else result

    def log(self) -> str:
        """All that the function has written to its log group."""
        events = self._logs.filter_log_events(logGroupName=f"/aws/lambda/{FUNCTION}")["events"]
        return "\n".join(event["message"] for event in events)


def deploy(aws: EmbeddedAWS, pool: Pool, **environment: str) -> Function:
    defaults = {"COGNITO_USER_POOL_ID": pool.pool_id, "COGNITO_CLIENT_IDS": pool.client_id}
    return Function(aws, {**defaults, **environment})


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def allowed(user: str, method: str) -> dict[str, Any]:
    return {"isAuthorized": True, "context": {"user": user, "method": method}}


DENIED = {"isAuthorized": False}


def test_tokens_of_the_pool(aws: EmbeddedAWS, pool: Pool) -> None:
    authorize = deploy(aws, pool)
    assert authorize(f"Bearer {pool.access_token}") == allowed("ada", "bearer")
    assert authorize(f"Bearer {pool.id_token}") == allowed("ada", "bearer")
    assert authorize(f"Bearer {pool.access_token[:-8]}AAAAAAAA") == DENIED
    assert authorize(f"Bearer {pool.access_token},Bearer {pool.access_token}") == DENIED
    assert authorize(pool.access_token) == DENIED
    assert authorize(None) == DENIED
    assert authorize(basic("ci", PASSWORD)) == DENIED  # no secret is configured


def test_tokens_of_another_pool_or_client(aws: EmbeddedAWS, pool: Pool) -> None:
    stranger = make_pool(aws, "team-y")
    # The embedded Cognito signs for every pool with one key, so only the issuer tells the two apart here.
    authorize = deploy(aws, pool, COGNITO_CLIENT_IDS=f"{pool.client_id},{stranger.client_id}")
    assert authorize(f"Bearer {pool.access_token}") == allowed("ada", "bearer")
    assert authorize(f"Bearer {stranger.access_token}") == DENIED
    assert authorize(f"Bearer {stranger.id_token}") == DENIED


def test_a_client_that_is_not_listed(aws: EmbeddedAWS, pool: Pool) -> None:
    authorize = deploy(aws, pool, COGNITO_CLIENT_IDS="another")
    assert authorize(f"Bearer {pool.access_token}") == DENIED
    assert authorize(f"Bearer {pool.id_token}") == DENIED


def test_credentials_of_the_secret(aws: EmbeddedAWS, pool: Pool, secret_arn: str) -> None:
    authorize = deploy(aws, pool, API_CREDENTIALS_SECRET_ARN=secret_arn)
    assert authorize(basic("ci", PASSWORD)) == allowed("ci", "basic")
    assert authorize(basic("nightly", "another long password")) == allowed("nightly", "basic")
    assert authorize(basic("nightly", PASSWORD)) == DENIED
    assert authorize(basic("nobody", "another long password")) == DENIED
    assert authorize(f"Bearer {pool.access_token}") == allowed("ada", "bearer")


def test_a_secret_that_cannot_be_read_is_no_denial(aws: EmbeddedAWS, pool: Pool, secret_arn: str) -> None:
    authorize = deploy(aws, pool, API_CREDENTIALS_SECRET_ARN=secret_arn)
    aws.client("secretsmanager").delete_secret(SecretId=secret_arn, ForceDeleteWithoutRecovery=True)
    assert authorize(basic("ci", PASSWORD)) == {"raised": "credentials_unavailable"}
    assert "credentials refresh failed error=ResourceNotFoundException" in authorize.log()
    assert PASSWORD not in authorize.log() and basic("ci", PASSWORD) not in authorize.log()


def test_groups_and_scopes_of_real_tokens(aws: EmbeddedAWS, pool: Pool) -> None:
    cognito = aws.client("cognito-idp")
    cognito.create_group(GroupName="ml", UserPoolId=pool.pool_id)
    cognito.admin_add_user_to_group(UserPoolId=pool.pool_id, Username="ada", GroupName="ml")
    tokens = cognito.initiate_auth(ClientId=pool.client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": "ada", "PASSWORD": "Lovelace-1843"})[
        "AuthenticationResult"
    ]
    access, identity = (f"Bearer {tokens[kind]}" for kind in ("AccessToken", "IdToken"))

    authorize = deploy(aws, pool, API_GROUPS='["ml"]')
    assert (authorize(access), authorize(identity)) == (allowed("ada", "bearer"),) * 2
    assert authorize(f"Bearer {pool.access_token}") == DENIED  # of before she was in the group
    aws.client("lambda").delete_function(FunctionName=FUNCTION)
    aws.client("iam").delete_role(RoleName=FUNCTION)
    authorize = deploy(aws, pool, API_SCOPES='["aws.cognito.signin.user.admin"]')
    assert (authorize(access), authorize(identity)) == (allowed("ada", "bearer"), DENIED)


def test_the_log_says_why_and_not_who(aws: EmbeddedAWS, pool: Pool, secret_arn: str) -> None:
    authorize = deploy(aws, pool, COGNITO_CLIENT_IDS="another", API_CREDENTIALS_SECRET_ARN=secret_arn)
    assert authorize(f"Bearer {pool.access_token}") == DENIED
    assert authorize(basic("mallory", "hunter2")) == DENIED
    assert authorize(basic("ci", PASSWORD)) == allowed("ci", "basic")
    log = authorize.log().splitlines()
    said = [line for line in log if not line.startswith(("START", "END"))]
    assert said == ["denied reason=client", "denied reason=credentials"]

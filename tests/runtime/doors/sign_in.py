# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a load balancer and a user pool sign of who has signed in, and where their public keys are."""

from __future__ import annotations

import base64
import hmac
import json
import sys
import time
import typing as t
import uuid
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from embedded_aws.client import REGION, EmbeddedAWS
from runtime.doors.identities import PASSWORD

sys.path.insert(0, str(Path(__file__).parents[3] / "roles" / "apigw" / "files" / "authorizer"))

import signed_identity  # noqa: E402
from user import User  # noqa: E402

LIFETIME = 120  # seconds, as the load balancer's tokens have it


class Signer:
    """The key of a load balancer. Its public half is where servers read it that take the embedded AWS for AWS: an object of S3."""

    def __init__(self, aws: EmbeddedAWS) -> None:
        self._key, self._key_id = ec.generate_private_key(ec.SECP256R1()), str(uuid.uuid4())
        s3, bucket = aws.client("s3"), f"public-keys.auth.elb.{REGION}.amazonaws.com"
        if bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        pem = self._key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        s3.put_object(Bucket=bucket, Key=self._key_id, Body=pem, ACL="public-read")

    def token(self, balancer_arn: str, client_id: str, issuer: str, claims: dict[str, t.Any]) -> str:
        """The header x-amzn-oidc-data, padded as the load balancer pads it."""
        expires = int(time.time()) + LIFETIME
        header = {"typ": "JWT", "kid": self._key_id, "alg": "ES256", "iss": issuer, "client": client_id, "signer": balancer_arn, "exp": expires}
        signed = f"{_encoded(header)}.{_encoded({**claims, 'exp': expires, 'iss': issuer})}"
        numbers = utils.decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{base64.urlsafe_b64encode(b''.join(number.to_bytes(32, 'big') for number in numbers)).decode()}"


def access_token(aws: EmbeddedAWS, pool_id: str, client_id: str, user: str, groups: t.Sequence[str]) -> str:
    """What a user pool issues to a user who signs in with an app client, and who is made where there is none. He is in these groups and no others."""
    cognito = aws.client("cognito-idp")
    if user not in [each["Username"] for each in cognito.list_users(UserPoolId=pool_id)["Users"]]:
        cognito.admin_create_user(UserPoolId=pool_id, Username=user, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool_id, Username=user, Password=PASSWORD, Permanent=True)
    known = {group["GroupName"] for group in cognito.list_groups(UserPoolId=pool_id)["Groups"]}
    for group in groups:
        if group not in known:
            cognito.create_group(UserPoolId=pool_id, GroupName=group)
        cognito.admin_add_user_to_group(UserPoolId=pool_id, Username=user, GroupName=group)
    for group in cognito.admin_list_groups_for_user(UserPoolId=pool_id, Username=user)["Groups"]:
        if group["GroupName"] not in groups:
            cognito.admin_remove_user_from_group(UserPoolId=pool_id, Username=user, GroupName=group["GroupName"])
    client = cognito.describe_user_pool_client(UserPoolId=pool_id, ClientId=client_id)["UserPoolClient"]
    parameters = {"USERNAME": user, "PASSWORD": PASSWORD}
    if secret := client.get("ClientSecret"):
        parameters["SECRET_HASH"] = base64.b64encode(hmac.digest(secret.encode(), f"{user}{client_id}".encode(), "sha256")).decode()
    answer = cognito.admin_initiate_auth(UserPoolId=pool_id, ClientId=client_id, AuthFlow="ADMIN_USER_PASSWORD_AUTH", AuthParameters=parameters)
    return answer["AuthenticationResult"]["AccessToken"]


def subject(token: str) -> str:
    """Whom a token is of, as the identity provider's user info says it too."""
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sub"]


def as_program(environment: dict[str, str], token: str | None, user: str = "ci", groups: t.Sequence[str] = ()) -> dict[str, str]:
    """What the API adds for servers with this environment, for requests that go straight to them."""
    if "MLFLOW_IDENTITY_KEY" in environment:
        return {"X-MLflow-Identity": signed_identity.sign(User(user, tuple(groups)), environment["MLFLOW_IDENTITY_KEY"].encode(), time.time())}
    return {"Authorization": token or ""}


def _encoded(content: dict[str, t.Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()

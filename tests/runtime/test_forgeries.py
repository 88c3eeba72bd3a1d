# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that claim to be an admin's, through the doors to the real MLflow: of a reader who has signed in, of a program, and of somebody who has nothing
and reaches the servers themselves. Nobody becomes root by them, and none of them makes a webhook, which is for admins.
"""

from __future__ import annotations

import base64
import json
import time
import typing as t

import pytest
from runtime.deployment import Deployment
from runtime.doors.doors import Doors
from runtime.doors.proxy import Proxy
from runtime.doors.request import Forward, Request
from runtime.doors.sign_in import Signer, access_token
from runtime.test_identity import ADMIN, INTERNET, OFFICE, READER, People

WEBHOOKS = "/api/2.0/mlflow/webhooks"
WEBHOOK = {"name": "forged", "url": "https://1.1.1.1/hook", "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}
"""At a public address, as MLflow asks, without a name that it would look up. No model is registered while it is there."""
REFUSED = {400, 401, 403, 404, 405}

Headers = dict[str, str]


def encoded(value: t.Any) -> str:
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode().rstrip("=")


def unsigned(header: dict[str, t.Any], claims: dict[str, t.Any], signature: bytes = b"") -> str:
    return f"{encoded(header)}.{encoded(claims)}.{encoded(signature)}"


class Forger:
    """Somebody who knows all about a stack but its keys, and has a load balancer and a user pool of his own."""

    def __init__(self, deployment: Deployment, people: People) -> None:
        inputs = deployment.stack.inputs
        self.pool = inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
        self.issuer = f"https://cognito-idp.{self.pool.partition('_')[0]}.amazonaws.com/{self.pool}"
        self.client, self.balancer = inputs["mlflow_aws_cognito_user_pool_client_id"], people.balancer.arn
        self.claims = {"sub": "x", "email": "root", "preferred_username": "root", "username": "root", "groups": ["ml-admins"], "cognito:groups": ["ml-admins"]}
        self.claims |= {"exp": int(time.time()) + 600, "iss": self.issuer, "client_id": self.client, "token_use": "access"}
        self.own = Signer(deployment.aws)
        cognito = deployment.aws.client("cognito-idp")
        own_pool = cognito.create_user_pool(PoolName="own")["UserPool"]["Id"]
        flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
        client = cognito.create_user_pool_client(UserPoolId=own_pool, ClientName="own", GenerateSecret=True, ExplicitAuthFlows=flows)["UserPoolClient"][
            "ClientId"
        ]
        self.token_of_another_pool = access_token(deployment.aws, own_pool, client, "root", ["ml-admins"])

    def alb(self, **header: t.Any) -> dict[str, t.Any]:
        fields = {"typ": "JWT", "alg": "ES256", "kid": "x", "iss": self.issuer, "client": self.client, "signer": self.balancer, "exp": self.claims["exp"]}
        return {**fields, **header}

    def headers(self) -> dict[str, Headers]:
        """What he sends, by what it tries."""
        mac = encoded(b"\0" * 32)
        identity = encoded({"name": "root", "username": "root", "groups": ["ml-admins"], "exp": self.claims["exp"]})
        signed = self.own.token(self.balancer, self.client, self.issuer, self.claims)
        bare = unsigned({"alg": "none"}, self.claims)
        root = base64.b64encode(b"root:").decode()
        return {
            "a name in the authorizer's header": {"x-mlflow-identity": "root"},
            "an identity without a signature": {"x-mlflow-identity": identity},
            "an identity with an empty signature": {"x-mlflow-identity": f"{identity}."},
            "an identity with another signature": {"x-mlflow-identity": f"{identity}.{mac}"},
            "an identity with two signatures": {"x-mlflow-identity": f"{identity}.{mac}.{mac}"},
            "an identity of another spelling": {"x_mlflow_identity": f"{identity}.{mac}", "X-Mlflow-Identity": f"{identity}.{mac}"},
            "a load balancer's token of one's own key": {"x-amzn-oidc-data": signed, "x-amzn-oidc-accesstoken": bare},
            "a load balancer's token without an algorithm": {"x-amzn-oidc-data": unsigned(self.alb(alg="none"), self.claims)},
            "a load balancer's token with a shared key": {"x-amzn-oidc-data": unsigned(self.alb(alg="HS256"), self.claims, b"\0" * 32)},
            "a load balancer's token with a signature of nothing": {"x-amzn-oidc-data": unsigned(self.alb(), self.claims, b"\0" * 64)},
            "a token of another load balancer": {"x-amzn-oidc-data": self.own.token(f"{self.balancer}x", self.client, self.issuer, self.claims)},
            "a key at a path": {"x-amzn-oidc-data": unsigned(self.alb(kid="../../forged/key"), self.claims, b"\0" * 64)},
            "a key at an address": {"x-amzn-oidc-data": unsigned(self.alb(kid="https://example.com/key"), self.claims, b"\0" * 64)},
            "a token that is none": {"x-amzn-oidc-data": "..", "x-amzn-oidc-accesstoken": "..", "x-amzn-oidc-identity": "root"},
            "an access token without an algorithm": {"x-amzn-oidc-accesstoken": bare},
            "an access token of another pool": {"x-amzn-oidc-accesstoken": self.token_of_another_pool},
            "the subject alone": {"x-amzn-oidc-identity": "root"},
            "MLflow's own sign-in": {"x-mlflow-authorization": f"Basic {root}"},
            "a token of jobs": {"x-mlflow-authorization": f"Basic {base64.b64encode(b'root:' + b'0' * 64).decode()}"},
            "a delegation to the assistant": {"x-mlflow-assistant-delegation": f"v1:root:9999999999999:{mac}"},
            "this machine": {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "forwarded": "for=127.0.0.1", "x-forwarded-host": "127.0.0.1:5000"},
            "another path": {"x-original-url": "/health", "x-rewrite-url": "/health", "x-forwarded-prefix": "/health"},
            "another method": {"x-http-method-override": "GET", "x-http-method": "GET", "x-method-override": "GET"},
            "names of other proxies": {
                **dict.fromkeys(("remote-user", "x-remote-user", "x-user", "x-email", "x-forwarded-user", "x-forwarded-email", "x-auth-request-user"), "root"),
                **dict.fromkeys(("x-forwarded-groups", "x-auth-request-groups", "x-groups"), "ml-admins"),
            },
            "an ARN": {"x-caller-arn": "arn:aws:iam::123456789012:root", "x-amz-security-token": "x", "x-amzn-request-context": identity},
        }


PATHS = (
    *("//api/2.0/mlflow/webhooks", "/api/2.0/mlflow/webhooks/", "/api/2.0/mlflow//webhooks", "/ajax-api/2.0/mlflow/webhooks", "/API/2.0/mlflow/webhooks"),
    *(
        "/health/../api/2.0/mlflow/webhooks",
        "/health/%2e%2e/api/2.0/mlflow/webhooks",
        "/health%2f..%2fapi/2.0/mlflow/webhooks",
        "/health;/api/2.0/mlflow/webhooks",
    ),
    *("/static-files/../api/2.0/mlflow/webhooks", "/api/3.0/mlflow/server-info/../../../2.0/mlflow/webhooks", "/./api/2.0/mlflow/webhooks"),
    *("/%61pi/2.0/mlflow/webhooks", "/api/2.0/mlflow/webhook%73", "/api/2.0/mlflow/webhooks%2f", "/api/2.0/mlflow/webhooks%00", "/api/2.0/mlflow/webhooks%20"),
    *("/api/2.0/mlflow/webhooks?path=/health", "/api/2.0/mlflow/webhooks;x=1", "/api/2.0/mlflow/webhooks#/health", "/api/2.0/mlflow/webhooks?_method=GET"),
    *(
        "/gateway/../api/2.0/mlflow/webhooks",
        "/graphql/../api/2.0/mlflow/webhooks",
        "/api/2.0/mlflow/runs/search/../../webhooks",
        "/\\api\\2.0\\mlflow\\webhooks",
    ),
)


@pytest.fixture(scope="module")
def people(deployment: Deployment, proxy: Proxy, doors: Doors, proofs: dict[str, str]) -> People:
    return People(deployment, proxy, doors, proofs)


@pytest.fixture(scope="module")
def forger(deployment: Deployment, people: People) -> Forger:
    return Forger(deployment, people)


def statuses(people: People, path: str, headers: Headers) -> list[int]:
    """How MLflow, or a door, answers it: of a reader, of a program, at each entry point without a proof, and at a server itself by each host name."""
    deployment, body = people.deployment, json.dumps(WEBHOOK).encode()
    json_type = {"content-type": "application/json"}
    proofs = (
        (OFFICE, deployment.people, {"cookie": people.balancer.sign_in(*READER)}),
        (INTERNET, deployment.programs, {"authorization": people.proofs["access token"]}),
        (OFFICE, deployment.people, {}),
        (INTERNET, deployment.programs, {}),
    )
    found = []
    for source, host, proof in proofs:
        lower = {name.lower(): value for name, value in headers.items()}
        outcome = people.doors.decide(Request(source, f"https://{host}{path}", {**json_type, **lower, **proof}, "POST", body))
        answer = people.proxy.carry(outcome) if isinstance(outcome, Forward) else outcome
        found.append(getattr(answer, "status", 403))  # no route
    for host in (deployment.people, deployment.programs, "127.0.0.1:5000"):
        found.append(deployment.servers[0].status(path, "POST", body, **{**headers, **json_type, "Host": host}))
    return found


def webhooks(people: People) -> list[str]:
    return [each["webhook_id"] for each in json.loads(people.ask(ADMIN, "GET", WEBHOOKS).body).get("webhooks", [])]


def test_an_admin_makes_what_is_tried_here(people: People) -> None:
    assert people.ask(ADMIN, "POST", WEBHOOKS, WEBHOOK).status == 200
    (webhook,) = webhooks(people)
    assert people.ask(ADMIN, "DELETE", f"{WEBHOOKS}/{webhook}").status == 200


def test_headers_make_nobody_an_admin(people: People, forger: Forger) -> None:
    """25 of them, each at 7 places."""
    for what, headers in forger.headers().items():
        told = statuses(people, WEBHOOKS, headers)
        assert set(told) <= REFUSED | {302}, (what, told)
        assert set(told[-3:]) <= {400, 401}, (what, told)
    assert webhooks(people) == []


def test_no_spelling_of_a_path_gets_round_the_lists(people: People) -> None:
    """25 of them, each at 7 places."""
    for path in PATHS:
        told = statuses(people, path, {})
        assert set(told) <= REFUSED | {302}, (path, told)
    assert webhooks(people) == []

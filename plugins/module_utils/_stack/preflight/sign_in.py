# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: who people and programs are: the user pool."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems


TOKEN_ACCESS = "mlflow_load_balancer_token_access"
TOKEN_VALIDATION = "JwtValidationConfig"
"""Of an action of a load balancer, as Elastic Load Balancing calls it since November 2025."""
PUBLIC_PROVIDERS = ("Facebook", "Google", "LoginWithAmazon", "SignInWithApple")
"""Identity providers, as Cognito calls them, with which everybody can have an account."""


class SignIn(Checks):
    def checks(self) -> list[Check]:
        return [(self.user_pool, (), ("mlflow_aws_cognito_user_pool_arn",)), (self.token_access, (), (TOKEN_ACCESS,))]

    def token_access(self) -> Problems:
        known = self.aws.client("elbv2").meta.service_model.shape_for("Action").members
        if self.inputs[TOKEN_ACCESS] and TOKEN_VALIDATION not in known:
            yield self.problem(TOKEN_ACCESS, "the boto3 of this machine does not know yet that load balancers validate tokens: install one of 2026")

    def user_pool(self) -> Problems:
        cognito = self.aws.client("cognito-idp")
        pool_id = self.inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
        domain = self.inputs.get("mlflow_aws_cognito_user_pool_domain")
        ids = [("mlflow_api_client_ids", client) for client in self.inputs.get("mlflow_api_client_ids") or []]
        sign_in = "mlflow_aws_cognito_user_pool_client_id"
        if sign_in in self.inputs:
            ids.append((sign_in, self.inputs[sign_in]))
        pool, described, *clients = run_concurrently(
            lambda: none_if_missing(cognito.describe_user_pool, "ResourceNotFoundException", UserPoolId=pool_id),
            lambda: cognito.describe_user_pool_domain(Domain=domain) if domain else {},
            *(partial(self.app_client, pool_id, client_id) for _name, client_id in ids),
        )
        if pool is None:
            yield self.problem("mlflow_aws_cognito_user_pool_arn", f"no such user pool in {self.aws.region}")
            return
        if not pool["UserPool"].get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly") and not self.inputs.get("mlflow_allow_self_sign_up"):
            yield self.problem(
                "mlflow_aws_cognito_user_pool_arn",
                "anybody on the internet can make an account in this user pool, and would have everything in MLflow with it: turn its "
                "self-registration off (AdminCreateUserConfig.AllowAdminCreateUserOnly), or say mlflow_allow_self_sign_up: true if that is meant",
            )
        for (name, client_id), answer in zip(ids, clients, strict=True):
            if answer is None:
                yield Problem(name, client_id, f"the user pool {pool_id} has no such app client")
                continue
            self.providers(name, answer["UserPoolClient"])
            if name == sign_in and self.inputs.get("mlflow_load_balancer_sign_in") == "cognito":
                yield from self.sign_in_client(name, answer["UserPoolClient"])
        if domain and (described.get("DomainDescription") or {}).get("UserPoolId") != pool_id:
            yield self.problem("mlflow_aws_cognito_user_pool_domain", f"this is no domain of the user pool {pool_id}")
        self.scopes([answer["UserPoolClient"] for answer in clients if answer])

    def app_client(self, pool_id: str, client_id: str) -> dict[str, t.Any] | None:
        describe = self.aws.client("cognito-idp").describe_user_pool_client
        return none_if_missing(describe, "ResourceNotFoundException", UserPoolId=pool_id, ClientId=client_id)

    def providers(self, name: str, client: dict[str, t.Any]) -> None:
        """Only warns: a trigger of the pool may refuse those who are not of the team."""
        public = [provider for provider in client.get("SupportedIdentityProviders", []) if provider in PUBLIC_PROVIDERS]
        if public and not self.inputs.get("mlflow_allow_self_sign_up"):
            warn(
                f"{name}: anybody with an account of {', '.join(public)} can sign in by the app client {client['ClientId']}, and has everything "
                "in MLflow, unless a trigger of the user pool refuses them; mlflow_allow_self_sign_up: true says that this is meant"
            )

    def scopes(self, clients: list[dict[str, t.Any]]) -> None:
        """Only warns: a trigger of the pool may put scopes into tokens too."""
        granted = {"aws.cognito.signin.user.admin"}.union(*(client.get("AllowedOAuthScopes", []) for client in clients))
        for scope in self.inputs.get("mlflow_api_scopes") or []:
            if scope not in granted:
                warn(
                    f"mlflow_api_scopes: no app client of mlflow_api_client_ids or mlflow_aws_cognito_user_pool_client_id is allowed {scope}; "
                    "only a trigger of the user pool can put it into a token"
                )

    def sign_in_client(self, name: str, client: dict[str, t.Any]) -> Problems:
        """What an Application Load Balancer asks of an app client (Elastic Load Balancing User Guide, authenticate users)."""
        if not client.get("ClientSecret"):
            yield self.problem(name, "this app client has no secret, which the load balancer needs: make one with a secret")
        if "code" not in client.get("AllowedOAuthFlows", []) or "openid" not in client.get("AllowedOAuthScopes", []):
            yield self.problem(name, "allow this app client the authorization code grant and the scope openid")
        callback = f"https://{self.names.host}/oauth2/idpresponse"
        if self.names.host and callback not in client.get("CallbackURLs", []):
            yield self.problem(name, f"add {callback} to the callback URLs of this app client")

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inputs of the stacks: each engine has another kind of sign-in, authorizer and artifact root, and one has token access, so that all are tried."""

from __future__ import annotations

import json

from support.stack import Inputs, Stack, certificate

MASTER_USERNAME = "mlflow_admin"  # mlflow_database_master_username
TOKEN_RECORD = "mlflow-token"
CREDENTIALS = {"ci": "correct:horse bättery", "nightly": "another of twenty and more"}
"""What programs may use with HTTP Basic, user name to password."""

WITHOUT_DOORS: Inputs = {"mlflow_identity": "off", "mlflow_admin_groups": [], "mlflow_reader_groups": []}
"""Of servers that are asked without what would tell them who calls."""


def of(engine: str, stack: Stack) -> Inputs:
    """The inputs beside those that name the prerequisites; what they name is made."""
    aws = stack.aws
    pool = stack.inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    programs = aws.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool, ClientName="programs", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]["ClientId"]
    either = {
        "mlflow_database_engine": engine,
        "mlflow_admin_groups": ["ml-admins"],
        "mlflow_reader_groups": ["auditors"],
        "mlflow_service_workers": 1,  # each takes this machine as long to start as all the others
    }
    if engine == "aurora-mysql":
        users = aws.client("secretsmanager").create_secret(Name="api-users", SecretString=json.dumps(CREDENTIALS))
        return {**either, "mlflow_api_client_ids": [programs], "mlflow_api_credentials_secret_arn": users["ARN"]}
    oidc = aws.client("secretsmanager").create_secret(Name="oidc", SecretString="oidc-client-secret")
    zone, zone_id = stack.inputs["mlflow_api_zone_name"], stack.inputs["mlflow_api_zone_id"]
    return {
        **either,
        # With an identity provider of their own, people do not need the pool, and programs can have its one app client.
        "mlflow_aws_cognito_user_pool_client_id": programs,
        "mlflow_load_balancer_token_access": True,
        "mlflow_load_balancer_token_record_name": TOKEN_RECORD,
        "mlflow_api_cert_arn": certificate(aws, f"mlflow.{zone}", zone_id, f"{TOKEN_RECORD}.{zone}"),
        "mlflow_artifact_bucket_path": "/mlflow/artifacts",
        "mlflow_api_authorizer": "jwt",
        "mlflow_load_balancer_sign_in": "oidc",
        "mlflow_load_balancer_oidc_issuer": "https://idp.example.com",
        "mlflow_load_balancer_oidc_authorization_endpoint": "https://idp.example.com/authorize",
        "mlflow_load_balancer_oidc_token_endpoint": "https://idp.example.com/token",
        "mlflow_load_balancer_oidc_user_info_endpoint": "https://idp.example.com/user",
        "mlflow_load_balancer_oidc_client_id": "mlflow",
        "mlflow_load_balancer_oidc_client_secret_arn": oidc["ARN"],
    }

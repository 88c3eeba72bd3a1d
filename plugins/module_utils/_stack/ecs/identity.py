# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what C(roles/ecs/files/identity/), the check of who calls in front of MLflow in its container, has to know. Pure."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.choices import Choices, Parts, State, unique

MODULES = (
    "alb_jwt.py",
    "auth_users.py",
    "callers.py",
    "cognito_jwt.py",
    "denied.py",
    "identity_app.py",
    "refreshed.py",
    "rights.py",
    "signed_identity.py",
    "start.py",
    "strict_json.py",
    "user.py",
    "user_names.py",
)
"""Its files."""
MAIN = "start.py"


def settings(choices: Choices, parts: Parts) -> str:
    """The value of MLFLOW_IDENTITY."""
    account = choices.account
    known: State = {
        "mode": account["identity"]["mode"],
        "host": choices.names["host"],
        "api_host": choices.names["api_host"],
        "region": account["region"],
        "load_balancer_arn": parts.load_balancer_arn,
        "sign_in": _sign_in(choices, parts),
        "user_pool_id": _user_pool_id(choices),
        "programs": _programs(choices),
        "groups": {"admin": choices["mlflow_admin_groups"], "editor": choices["mlflow_editor_groups"], "reader": choices["mlflow_reader_groups"]},
        "default_right": choices["mlflow_default_right"],
        **(_token_access(choices) if choices.names["token_host"] else {}),
    }
    return json.dumps(known, sort_keys=True)


def _user_pool_id(choices: Choices) -> str:
    return choices["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]


def _client_ids(choices: Choices) -> list[str]:
    return unique([choices["mlflow_aws_cognito_user_pool_client_id"], *choices["mlflow_api_client_ids"]])


def _sign_in(choices: Choices, parts: Parts) -> State:
    """Whose user the load balancer has signed in."""
    if choices["mlflow_load_balancer_sign_in"] == "oidc":
        return {
            "cognito": False,
            "client_id": choices["mlflow_load_balancer_oidc_client_id"],
            "issuer": choices["mlflow_load_balancer_oidc_issuer"],
            "sign_out_uri": "",
        }
    pool = _user_pool_id(choices)
    return {
        "cognito": True,
        "client_id": choices["mlflow_aws_cognito_user_pool_client_id"],
        "issuer": f"https://cognito-idp.{pool.partition('_')[0]}.amazonaws.com/{pool}",
        "sign_out_uri": parts.sign_out_uri,
    }


def _programs(choices: Choices) -> t.Any:
    """Whose tokens the servers verify themselves."""
    return {
        "lambda": {},  # the authorizer has, and signs who calls
        "jwt": {"client_ids": _client_ids(choices), "scopes": choices["mlflow_api_scopes"]},
        "iam": "iam",  # API Gateway says who has signed: MLFLOW_IDENTITY tells preflight so too, which then has the API begin with it first
    }[choices["mlflow_api_authorizer"]]


def _token_access(choices: Choices) -> State:
    """What the load balancer cannot express of it, or not as AWS documents it, is verified here alone."""
    access = {"client_ids": _client_ids(choices), "groups": choices["mlflow_api_groups"], "scopes": choices["mlflow_api_scopes"]}
    return {"token_host": choices.names["token_host"], "token_access": access}

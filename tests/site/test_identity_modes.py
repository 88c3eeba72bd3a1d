# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that check who calls, on a stack in use: the API tells it before the first of them asks, and until the last one does not any more."""

from __future__ import annotations

import json
import typing as t

import pytest
from embedded_aws.client import EmbeddedAWS
from support.plans import deviations
from support.stack import Stack, prerequisites

NAME = "mlflow-team-x"
TELL, DEPLOY = ["UpdateFunctionConfiguration", "UpdateIntegration"], ["RegisterTaskDefinition", "UpdateService"]
PREPARE = ["RegisterTaskDefinition", "RunTask"]
TO_JWT = ["UpdateIntegration", "CreateAuthorizer", "UpdateRoute", "UpdateStage", "DeleteAuthorizer", "DeleteFunction"]
TO_LAMBDA = ["CreateFunction", "CreateAuthorizer", "UpdateIntegration", "AddPermission", "UpdateRoute", "UpdateStage", "DeleteAuthorizer"]
TO_IAM = ["UpdateIntegration", "UpdateRoute", "UpdateStage", "DeleteAuthorizer", "DeleteFunction"]
FROM_IAM = ["CreateAuthorizer", "UpdateIntegration", "AddPermission", "UpdateRoute", "UpdateStage"]
"""Servers believe the ARN in the header only while API Gateway overwrites it: from after it begins until before it ends."""


@pytest.fixture(scope="module")
def stack(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    stack.apply(mlflow_identity="off")
    return stack


def server(aws: EmbeddedAWS) -> tuple[dict[str, t.Any] | None, bool]:
    """The settings of the servers' check, and whether they have the key of the authorizer."""
    task = aws.client("ecs").describe_task_definition(taskDefinition=NAME)["taskDefinition"]
    (mlflow,) = (container for container in task["containerDefinitions"] if container["name"] == "mlflow")
    environment = {each["name"]: each["value"] for each in mlflow["environment"]}
    settings = json.loads(environment["MLFLOW_IDENTITY"]) if "MLFLOW_IDENTITY" in environment else None
    assert (mlflow["command"] == ["mlflow", "server"]) == (settings is None)
    return settings, "MLFLOW_IDENTITY_KEY" in {each["name"] for each in mlflow["secrets"]}


def sides(calls: list[str]) -> list[list[str]]:
    """What comes before the servers are replaced, and what after it. On each side some calls are made at the same time."""
    if "UpdateService" not in calls:
        return [sorted(calls)]
    at = calls.index("UpdateService")
    return [sorted(calls[:at]), sorted(calls[at:])]


def prepares_users(aws: EmbeddedAWS) -> bool:
    """Whether the preparation of the database makes the tables of MLflow's users."""
    task = aws.client("ecs").describe_task_definition(taskDefinition=f"{NAME}-prepare-database")["taskDefinition"]
    (container,) = (container for container in task["containerDefinitions"] if container["name"] == "prepare-database")
    return {"name": "MLFLOW_USERS", "value": "true"} in container["environment"]


@pytest.mark.parametrize(
    ("inputs", "order", "checks", "signed"),
    [
        ({"mlflow_identity": "edge", "mlflow_admin_groups": ["ml-admins"]}, TELL + DEPLOY, True, True),
        ({"mlflow_identity": ""}, [], True, True),  # not given any more: it stays
        ({"mlflow_reader_groups": ["auditors"], "mlflow_default_right": "none"}, DEPLOY, True, True),
        ({"mlflow_api_authorizer": "jwt"}, DEPLOY + TO_JWT, True, False),
        ({"mlflow_api_authorizer": "lambda"}, TO_LAMBDA + DEPLOY, True, True),
        ({"mlflow_api_authorizer": "iam"}, TO_IAM + DEPLOY, True, False),
        ({"mlflow_api_authorizer": "jwt"}, DEPLOY + ["CreateAuthorizer", "UpdateIntegration", "UpdateRoute", "UpdateStage"], True, False),
        ({"mlflow_api_authorizer": "iam"}, ["UpdateIntegration", "UpdateRoute", "UpdateStage", "DeleteAuthorizer"] + DEPLOY, True, False),
        ({"mlflow_api_authorizer": "lambda"}, ["CreateFunction"] + DEPLOY + FROM_IAM, True, True),
        ({"mlflow_identity": "mlflow"}, PREPARE + DEPLOY, True, True),  # its tables are made before the servers look for them
        ({"mlflow_identity": ""}, [], True, True),
        ({"mlflow_identity": "edge"}, PREPARE + DEPLOY, True, True),
        ({"mlflow_identity": "mlflow"}, PREPARE + DEPLOY, True, True),
        ({"mlflow_identity": "off", "mlflow_admin_groups": [], "mlflow_reader_groups": []}, PREPARE + DEPLOY + TELL, False, False),
    ],
)
def test_programs_go_on_working_while_the_servers_are_replaced(stack: Stack, inputs: dict[str, t.Any], order: list[str], checks: bool, signed: bool) -> None:
    planned, run = stack.plan_and_apply(**inputs)
    assert deviations(planned, run.changes) == []
    assert sides([call["operation"] for call in run.calls if call["mutating"] and call["service"] in ("lambda", "apigatewayv2", "ecs")]) == sides(order)
    settings, has_key = server(stack.aws)
    if "mlflow_identity" in inputs and inputs["mlflow_identity"]:
        assert (settings or {"mode": "off"})["mode"] == inputs["mlflow_identity"]
        assert prepares_users(stack.aws) == (inputs["mlflow_identity"] == "mlflow")
    assert (settings is not None, has_key) == (checks, signed)
    at_cognito = "https://team-x-sign-in.auth.eu-west-1.amazoncognito.com/logout?"
    assert stack.outputs["sign_out_uri"].startswith("https://mlflow.team-x.example.com/sign-out" if checks else at_cognito)
    if settings is not None:
        assert settings["sign_in"]["sign_out_uri"].startswith(at_cognito)
        assert settings["groups"]["admin"] == ["ml-admins"] and bool(settings["programs"]) != signed
    assert stack.run("site").changed == 0


def test_the_key_and_the_query_are_removed_with_the_stack(stack: Stack) -> None:
    stack.apply(mlflow_identity="edge", mlflow_default_right=None)
    logs = stack.aws.client("logs")
    (query,) = logs.describe_query_definitions()["queryDefinitions"]
    assert (query["name"], query["logGroupNames"]) == (f"{NAME}/audit", [f"/ecs/{NAME}"]) and query["queryString"].startswith('filter audit = "mlflow"')
    secrets = stack.aws.client("secretsmanager")
    key = json.loads(secrets.get_secret_value(SecretId=f"{NAME}-identity-key")["SecretString"])["key"]
    assert len(key) == 64
    stack.destroy()
    assert logs.describe_query_definitions()["queryDefinitions"] == []
    assert f"{NAME}-identity-key" not in [each["Name"] for each in secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]]

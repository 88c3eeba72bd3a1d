# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook `token`: a person with a name and a password gets a token, without credentials of AWS, and nobody sees it."""

from __future__ import annotations

from pathlib import Path

from embedded_aws.client import EmbeddedAWS
from support.stack import Stack, prerequisites

PASSWORD = "Correct-horse-1"


def test_a_person_gets_a_token(aws: EmbeddedAWS, tmp_path: Path) -> None:
    inputs, cognito = prerequisites(aws), aws.client("cognito-idp")
    pool = inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    client = cognito.create_user_pool_client(UserPoolId=pool, ClientName="programs", ExplicitAuthFlows=flows)["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool, Username="anna")
    cognito.admin_set_user_password(UserPoolId=pool, Username="anna", Password=PASSWORD, Permanent=True)
    stack = Stack(aws, tmp_path, {**inputs, "mlflow_api_client_ids": [client]})
    without = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "")
    given = {**without, "MLFLOW_TOKEN_USERNAME": "anna", "MLFLOW_TOKEN_PASSWORD": PASSWORD}
    run = stack.run("token", "-vvv", environment=given)
    assert run.status == 0, run.messages or run.text
    file = tmp_path / f"{inputs['mlflow_unique_name']}.token"
    token = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600 and token.count(".") == 2
    shown = run.text + str(run.results)
    assert f"export MLFLOW_TRACKING_TOKEN=$(cat {file})" in shown and "It is valid for 60 minutes." in shown
    assert token not in shown and PASSWORD not in shown
    assert [call["operation"] for call in run.calls] == ["InitiateAuth"]


def test_what_is_missing_is_told_before_anybody_signs_in(aws: EmbeddedAWS, tmp_path: Path) -> None:
    stack = Stack(aws, tmp_path, {**prerequisites(aws), "mlflow_token_path": "nowhere/x.token"})
    run = stack.run("token")
    assert run.status == 2 and run.mutating == []
    (told,) = run.messages
    assert "mlflow_api_client_ids: is missing" in told and "mlflow_token_path: 'nowhere/x.token': no such file can be written" in told

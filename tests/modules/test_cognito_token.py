# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

import pytest
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

PASSWORD = "Correct-horse-1"


@pytest.fixture
def client_id(aws: EmbeddedAWS, monkeypatch: pytest.MonkeyPatch) -> str:
    """An app client for programs, with Anna's password in the environment."""
    cognito = aws.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="x")["UserPool"]["Id"]
    cognito.admin_create_user(UserPoolId=pool, Username="anna", TemporaryPassword="Temporary-1")
    cognito.admin_create_user(UserPoolId=pool, Username="new", TemporaryPassword=PASSWORD)
    cognito.admin_set_user_password(UserPoolId=pool, Username="anna", Password=PASSWORD, Permanent=True)
    monkeypatch.setenv("MLFLOW_TOKEN_USERNAME", "anna")
    monkeypatch.setenv("MLFLOW_TOKEN_PASSWORD", PASSWORD)
    return cognito.create_user_pool_client(UserPoolId=pool, ClientName="programs", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])[
        "UserPoolClient"
    ]["ClientId"]


def claims(token: str) -> dict[str, t.Any]:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_a_token_is_written_for_its_owner_alone(aws: EmbeddedAWS, client_id: str, tmp_path: Path) -> None:
    file = tmp_path / "x.token"
    file.write_text("an old one")
    file.chmod(0o644)
    result = run_module("cognito_token", {"client_id": client_id, "path": str(file)}, aws)
    token = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600 and list(tmp_path.iterdir()) == [file]
    assert (claims(token)["token_use"], claims(token)["client_id"], claims(token)["username"]) == ("access", client_id, "anna")
    assert (result["path"], result["expires_in"], result["changed"]) == (str(file), 3600, True)
    assert token not in str(result) and PASSWORD not in str(result)


def test_check_mode_signs_nobody_in(aws: EmbeddedAWS, client_id: str, tmp_path: Path) -> None:
    mark = aws.mark()
    assert run_module("cognito_token", {"client_id": client_id, "path": str(tmp_path / "x.token")}, aws, check=True)["changed"]
    assert aws.calls(mark) == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"MLFLOW_TOKEN_PASSWORD": "Wrong-horse-1"}, "NotAuthorizedException.*check MLFLOW_TOKEN_USERNAME and MLFLOW_TOKEN_PASSWORD"),
        ({"MLFLOW_TOKEN_USERNAME": "new"}, "temporary password: sign in to the UI once"),
        ({"MLFLOW_TOKEN_PASSWORD": ""}, "have to be set in the environment: read -rs MLFLOW_TOKEN_PASSWORD"),
    ],
)
def test_there_is_no_token_without_a_sign_in(
    aws: EmbeddedAWS, client_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], reason: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ModuleFailed, match=reason) as failed:
        run_module("cognito_token", {"client_id": client_id, "path": str(tmp_path / "x.token")}, aws)
    assert list(tmp_path.iterdir()) == []
    assert not [secret for secret in (PASSWORD, "Wrong-horse-1") if secret in str(failed.value.result)]


def test_a_second_factor_is_told(aws: EmbeddedAWS, client_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.mlplatform.mlflow_aws.plugins.modules import cognito_token

    class Cognito:
        def initiate_auth(self, **_arguments: t.Any) -> dict[str, t.Any]:
            return {"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": "s"}

    with pytest.raises(cognito_token.NoToken, match="SOFTWARE_TOKEN_MFA, which a program cannot answer: use HTTP Basic"):
        cognito_token.sign_in(Cognito(), client_id, "anna", PASSWORD)


def test_a_folder_that_is_not_there_is_told(aws: EmbeddedAWS, client_id: str, tmp_path: Path) -> None:
    with pytest.raises(ModuleFailed, match="the token cannot be written: No such file or directory"):
        run_module("cognito_token", {"client_id": client_id, "path": str(tmp_path / "missing" / "x.token")}, aws)

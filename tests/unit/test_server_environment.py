# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables of MLflow's server a team file may set."""

from __future__ import annotations

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.server_environment import refusal, static_prefix


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("MLFLOW_WORKERS", "mlflow_service_workers"),
        ("MLFLOW_HOST", "0.0.0.0"),
        ("MLFLOW_PORT", "5000"),
        ("MLFLOW_UVICORN_OPTS", "mlflow_uvicorn_opts"),
        ("UVICORN_SSL_KEYFILE", "mlflow_uvicorn_opts"),
        ("MLFLOW_ARTIFACTS_DESTINATION", "mlflow_artifact_bucket_path"),
        ("MLFLOW_AUTH_ADMIN_USERNAME", "mlflow_identity"),
        ("MLFLOW_APP_NAME", "mlflow_identity"),
        ("MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", "MLFLOW_SERVER_ALLOWED_HOSTS"),
        ("MLFLOW_CRYPTO_KEK_PASSPHRASE", "mlflow_service_secrets"),
        ("_MLFLOW_STATIC_PREFIX", "sets it itself"),
    ],
)
def test_what_the_stack_relies_on_is_refused_with_the_input_to_use(name: str, remedy: str) -> None:
    assert remedy in (refusal(name) or "")


@pytest.mark.parametrize(
    "name",
    (
        "MLFLOW_STATIC_PREFIX MLFLOW_SERVER_ALLOWED_HOSTS MLFLOW_SERVER_CORS_ALLOWED_ORIGINS MLFLOW_SERVER_X_FRAME_OPTIONS "
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS MLFLOW_SQLALCHEMYSTORE_POOLCLASS MLFLOW_DISABLE_TELEMETRY "
        "MLFLOW_ENABLE_WORKSPACES MLFLOW_EXPOSE_PROMETHEUS MLFLOW_LOGGING_LEVEL _MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS AWS_REGION A"
    ).split(),
)
def test_others_are_the_user_s_own(name: str) -> None:
    assert refusal(name) is None


@pytest.mark.parametrize("name", ["MLFLOW_STATIC_PREFIX", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", "MLFLOW_BACKEND_STORE_URI", "MLFLOW_APP_NAME"])
def test_what_the_stack_has_to_know_is_no_secret(name: str) -> None:
    assert refusal(name, "secrets")


@pytest.mark.parametrize("name", ["MLFLOW_CRYPTO_KEK_PASSPHRASE", "MLFLOW_FLASK_SERVER_SECRET_KEY", "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", "TOKEN"])
def test_keys_of_another_server_may_be_named(name: str) -> None:
    assert refusal(name, "secrets") is None


@pytest.mark.parametrize(
    ("inputs", "prefix"),
    [({}, ""), ({"mlflow_service_environment": None}, ""), ({"mlflow_service_environment": "x"}, ""), ({"mlflow_service_environment": {"A": "b"}}, "")],
)
def test_without_a_prefix_there_is_none(inputs: dict[str, object], prefix: str) -> None:
    assert static_prefix(inputs) == prefix

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of who may do what, and of whose name what is made gets, against every route of the MLflow that they are for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from runtime.client import PROGRAMS
from runtime.containers import MLFLOW_VENV

sys.path.insert(0, str(Path(__file__).parents[2] / "roles" / "ecs" / "files" / "identity"))

import rights  # noqa: E402
import user_names  # noqa: E402

READING_POSTS = {
    "/graphql",
    "/api/2.0/mlflow/artifacts/presigned-download-url",
    "/api/2.0/mlflow/experiments/search",
    "/api/2.0/mlflow/experiments/search-datasets",
    "/api/2.0mlflow/experiments/search-datasets",
    "/api/2.0/mlflow/logged-models/search",
    "/api/2.0/mlflow/registered-models/get-latest-versions",
    "/api/2.0/mlflow/runs/search",
    "/api/3.0/jobs/search",
    "/api/3.0/mlflow/datasets/search",
    "/api/3.0/mlflow/issues/search",
    "/api/3.0/mlflow/prompt-optimization/jobs/search",
    "/api/3.0/mlflow/traces/batchGetInfos",
    "/api/3.0/mlflow/traces/calculate-filter-correlation",
    "/api/3.0/mlflow/traces/metrics",
    "/api/3.0/mlflow/traces/search",
    "/api/3.0/mlflow/ui-telemetry",
}
OF_ADMINS = {
    *(
        ("DELETE", f"/api/3.0/mlflow/gateway/{name}/delete")
        for name in ("budgets", "endpoints/bindings", "endpoints", "guardrails", "model-definitions", "secrets")
    ),
    *(("DELETE", f"/api/3.0/mlflow/gateway/{name}") for name in ("endpoints/delete-tag", "guardrails/remove-from-endpoint")),
    *(
        ("POST", f"/api/3.0/mlflow/gateway/{name}/create")
        for name in ("budgets", "endpoints/bindings", "endpoints", "guardrails", "model-definitions", "secrets")
    ),
    *(("POST", f"/api/3.0/mlflow/gateway/{name}/update") for name in ("budgets", "endpoints", "model-definitions", "secrets")),
    *(("POST", f"/api/3.0/mlflow/gateway/endpoints/{name}") for name in ("models/attach", "models/detach", "set-tag")),
    ("POST", "/api/3.0/mlflow/gateway/guardrails/add-to-endpoint"),
    ("PATCH", "/api/3.0/mlflow/gateway/guardrails/update-config"),
    ("POST", "/api/2.0/mlflow/webhooks"),
    *((method, "/api/2.0/mlflow/webhooks/<webhook_id>") for method in ("DELETE", "PATCH")),
    ("POST", "/api/2.0/mlflow/webhooks/<webhook_id>/test"),
    ("POST", "/api/3.0/mlflow/workspaces"),
    *((method, "/api/3.0/mlflow/workspaces/<workspace_name>") for method in ("DELETE", "PATCH")),
    ("POST", "/api/3.0/jobs"),
    ("PATCH", "/api/3.0/jobs/cancel/{job_id}"),
    ("PATCH", "/api/3.0/mlflow/jobs/cancel/<job_id>"),
    ("DELETE", "/api/3.0/mlflow/prompt-optimization/jobs/<job_id>"),
    ("POST", "/api/3.0/mlflow/prompt-optimization/jobs/<job_id>/cancel"),
    ("PUT", "/api/3.0/mlflow/assistant/config"),
    ("POST", "/api/3.0/mlflow/assistant/skills/install"),
}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Every method and path of MLflow."""
    folder = tmp_path_factory.mktemp("routes")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = [str(MLFLOW_VENV / "bin" / "python"), "-W", "ignore", str(PROGRAMS / "routes.py")]
    lines = subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()
    return [(method, path) for method, _blank, path in (line.partition(" ") for line in lines)]


def test_the_posts_that_read_are_those_of_mlflow(routes: list[tuple[str, str]]) -> None:
    assert len(routes) > 300
    assert {path for method, path in routes if method == "POST" and rights.reads(method, path)} == READING_POSTS


def test_a_get_reads_but_for_one(routes: list[tuple[str, str]]) -> None:
    assert {path for method, path in routes if method == "GET" and not rights.reads(method, path)} == {"/api/2.0/mlflow/gateway-proxy"}


def test_what_is_for_admins_is_what_mlflow_has_of_it(routes: list[tuple[str, str]]) -> None:
    assert {(method, path) for method, path in routes if rights.needed(method, path) == rights.ADMIN} == OF_ADMINS


def test_what_the_identity_provider_says_is_what_mlflow_has_of_it(routes: list[tuple[str, str]]) -> None:
    users = "/api/2.0/mlflow/users"
    assert {(method, path) for method, path in routes if rights.is_of_provider(path) and method not in ("HEAD", "OPTIONS")} == {
        ("GET", "/signup"),
        *(("POST", f"{users}/{name}") for name in ("create", "create-ui")),
        *(("PATCH", f"{users}/{name}") for name in ("update-admin", "update-password")),
    }
    assert {("POST", "/api/3.0/mlflow/users/permissions/grant"), ("DELETE", f"{users}/delete")} <= set(routes)


def test_what_is_open_is_there(routes: list[tuple[str, str]]) -> None:
    assert set(routes) >= rights.OPEN


def test_every_route_that_gets_a_name_is_there_and_none_is_forgotten(routes: list[tuple[str, str]]) -> None:
    named = {(method, path) for method, path in routes if user_names.concerns(method, path)}
    assert all(any(of == method and pattern.fullmatch(path) for method, path in routes) for of, pattern, _change in user_names._CHANGES)
    for what in ("runs", "experiments", "registered-models", "model-versions"):
        makes = {(method, path) for method, path in routes if re.search(rf"/{what}/create", path) and method == "POST"}
        assert makes and makes <= named
    assert {("POST", "/v1/traces"), ("POST", "/api/2.0/mlflow/traces"), ("POST", "/api/3.0/mlflow/traces"), ("POST", "/api/2.0/mlflow/logged-models")} <= named
    changes_tags = {(method, path) for method, path in routes if re.search(r"(^|[/-])tags?(/|$)", path) and method not in ("GET", "HEAD", "OPTIONS")}
    assert changes_tags and changes_tags <= named

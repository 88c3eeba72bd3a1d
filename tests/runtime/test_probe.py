# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `verify` does with a server, done with the real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.probe import EXPERIMENT, Server, probe
from runtime import containers
from runtime.databases import free_port

TOKEN = "Bearer token"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    environment = {
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/db",
        "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    container = containers.Container({"command": ["mlflow", "server", "--workers", "1"]}, environment)
    process = containers.Server(container, folder, {}, free_port())
    try:
        process.wait_until_healthy()
        yield Server(f"http://127.0.0.1:{process.port}", TOKEN)
    finally:
        process.kill()


def left(server: Server) -> dict[str, int]:
    """What there is that is not deleted."""
    experiments = server.call("experiments/search", max_results=100)["experiments"]
    ids = [experiment["experiment_id"] for experiment in experiments]
    return {"experiments": len(ids), "runs": len(server.call("runs/search", experiment_ids=ids).get("runs", []))}


def test_a_server_is_used_and_left_as_it_was(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = left(server)
    for _ignored in range(2):  # the second finds the deleted experiment of the first
        outcomes = dict(probe(server.uri, TOKEN))
        assert outcomes == {
            "API: /health": ("ok", "OK"),
            "API: /version": ("ok", "MLflow 3.18.0"),
            "API: a run": ("ok", "logged and read back"),
            "API: an artifact": ("ok", "written and read back"),
        }
    assert left(server) == before
    named = server.get("experiments/get-by-name", experiment_name=EXPERIMENT)["experiment"]
    assert named["lifecycle_stage"] == "deleted"
    assert not [path for path in Path(tmp_path_factory.getbasetemp()).glob("server*/artifacts/**/*") if path.is_file()]


def test_another_server_than_mlflow_is_seen(server: Server) -> None:
    outcomes = dict(probe(f"{server.uri}/nothing-here", TOKEN))
    assert {status for status, _detail in outcomes.values()} == {"failed", "skipped"}
    assert outcomes["API: /health"][1].startswith("HTTP 404 to GET /health")

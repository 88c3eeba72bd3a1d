# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server that takes TLS from the load balancer, with each of MLflow's web servers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_aws.client import EmbeddedAWS
from runtime import inputs
from runtime.containers import Container, Server, container
from runtime.databases import free_port
from support.stack import Stack, prerequisites

UNVERIFIED = ssl._create_unverified_context()
"""As the load balancer, which encrypts and does not verify."""
FILE = os.urandom(1 << 20) * 25
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


class TLSServer(Server):
    """The port of the task is that of the front, which is in its command; MLflow's own is another."""

    def __init__(self, mlflow: Container, directory: Path) -> None:
        *front, port, processes = mlflow.command[:5]  # and what it starts
        task_port = free_port()
        assert port == "5000"
        command = [*front, str(task_port), processes, *mlflow.command[5:]]
        super().__init__(mlflow._replace(definition={**mlflow.definition, "command": command}), directory, {}, free_port())
        self.port = task_port

    def connect(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=UNVERIFIED)


@pytest.fixture(scope="module")
def stack(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    stack.inputs |= {**inputs.of("aurora-mysql", stack), **inputs.WITHOUT_DOORS, "mlflow_service_tls": True}
    return stack


@pytest.fixture(scope="module", params=["uvicorn", "gunicorn"])
def server(request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TLSServer]:
    options = {"mlflow_gunicorn_opts": "--timeout 120"} if request.param == "gunicorn" else {}
    stack.apply(**options)
    folder = tmp_path_factory.mktemp("server")
    mlflow = container(stack.aws, stack.inputs["mlflow_unique_name"], "mlflow")
    environment = mlflow.environment | {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/db"}
    process = TLSServer(mlflow._replace(environment=environment), folder)
    try:
        process.wait_until_healthy()
        yield process
    finally:
        process.kill()


def test_both_health_checks_pass(stack: Stack, server: TLSServer) -> None:
    arn = stack.outputs["load_balancer_target_group_id"]
    (group,) = stack.aws.client("elbv2").describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert (group["HealthCheckProtocol"], server.status(group["HealthCheckPath"], Host="10.255.0.1:5000")) == ("HTTPS", 200)
    assert server.passes_its_own_health_check()


def test_a_run_and_a_large_file_go_there_and_back(stack: Stack, server: TLSServer) -> None:
    host = {"Host": stack.outputs["api_uri"].removeprefix("https://")}
    made = json.loads(server.ask("/api/2.0/mlflow/runs/create", "POST", b'{"experiment_id": "0"}', **{"Content-Type": "application/json"}, **host)[1])
    path = f"{ARTIFACTS}/0/{made['run']['info']['run_id']}/artifacts/file"
    assert server.status(path, "PUT", FILE, **host) == 200
    assert server.ask(path, **host) == (200, FILE)


def test_it_ends_when_the_task_is_stopped(server: TLSServer) -> None:
    assert server.stop() in (0, -signal.SIGTERM)
    deadline = time.monotonic() + 30
    while server.is_healthy():  # ECS ends what is left of the container
        assert time.monotonic() < deadline
        time.sleep(0.2)

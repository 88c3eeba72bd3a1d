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
import subprocess
import time
import typing as t
from collections.abc import Iterator

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

    def __init__(self, mlflow: Container, *arguments: t.Any) -> None:
        *command, port, processes = mlflow.command
        self.task_port = free_port()
        assert port == "5000"
        super().__init__(mlflow._replace(definition={**mlflow.definition, "command": [*command, str(self.task_port), processes]}), *arguments)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection("127.0.0.1", self.task_port, timeout=60, context=UNVERIFIED)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def is_healthy(self) -> bool:
        try:
            return self.ask("GET", "/health", Host="10.255.0.1:5000")[0] == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def stack(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    stack.inputs |= {**inputs.of("aurora-mysql", stack), "mlflow_service_tls": True}
    return stack


@pytest.fixture(scope="module", params=["uvicorn", "gunicorn"])
def server(request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TLSServer]:
    options = {"mlflow_gunicorn_opts": "--timeout 120"} if request.param == "gunicorn" else {}
    stack.apply(**options)
    folder = tmp_path_factory.mktemp("server")
    mlflow = container(stack.aws, stack.inputs["mlflow_unique_name"], "mlflow")
    environment = mlflow.environment | {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/db"}
    process = TLSServer(mlflow._replace(environment=environment), folder, {}, free_port())
    try:
        process.wait_until_healthy()
        yield process
    finally:
        process.kill()


def test_both_health_checks_pass(stack: Stack, server: TLSServer) -> None:
    arn = stack.outputs["load_balancer_target_group_id"]
    (group,) = stack.aws.client("elbv2").describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert (group["HealthCheckProtocol"], server.ask("GET", group["HealthCheckPath"], Host="10.255.0.1:5000")[0]) == ("HTTPS", 200)
    kind, *command = server.container.definition["healthCheck"]["command"]
    command = [word.replace(" 5000,", f" {server.task_port},") for word in command]
    assert kind == "CMD" and subprocess.run(command, env=server.environment, check=False).returncode == 0


def test_a_run_and_a_large_file_go_there_and_back(stack: Stack, server: TLSServer) -> None:
    host = {"Host": stack.outputs["api_uri"].removeprefix("https://")}
    made = json.loads(server.ask("POST", "/api/2.0/mlflow/runs/create", b'{"experiment_id": "0"}', **{"Content-Type": "application/json"}, **host)[1])
    path = f"{ARTIFACTS}/0/{made['run']['info']['run_id']}/artifacts/file"
    assert server.ask("PUT", path, FILE, **host)[0] == 200
    assert server.ask("GET", path, **host) == (200, FILE)


def test_it_ends_when_the_task_is_stopped(server: TLSServer) -> None:
    assert server.stop() in (0, -signal.SIGTERM)
    deadline = time.monotonic() + 30
    while server.is_healthy():  # ECS ends what is left of the container
        assert time.monotonic() < deadline
        time.sleep(0.2)

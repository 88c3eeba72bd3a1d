# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server below a path: the health checks, the rules of programs' listener and the addresses that are put out follow it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.probe import probe
from embedded_aws.client import EmbeddedAWS
from runtime import inputs
from runtime.containers import Server, container
from runtime.databases import free_port
from runtime.doors.doors import Doors
from runtime.doors.identities import authorizations
from runtime.doors.request import Forward, Outcome, Request, Source
from support.stack import Stack, prerequisites

ENVIRONMENT = {"MLFLOW_STATIC_PREFIX": "/team/mlflow", "MLFLOW_SERVER_ALLOWED_HOSTS": "127.0.0.1:*"}


@pytest.fixture(scope="module")
def stack(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    stack.apply(**inputs.of("aurora-mysql", stack) | inputs.WITHOUT_DOORS, mlflow_service_environment=ENVIRONMENT)
    return stack


@pytest.fixture(scope="module")
def server(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    mlflow = container(stack.aws, stack.inputs["mlflow_unique_name"], "mlflow")
    environment = mlflow.environment | {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/db"}
    process = Server(mlflow._replace(environment=environment), folder, {}, free_port())
    try:
        process.wait_until_healthy()
        yield process
    finally:
        process.kill()


@pytest.fixture(scope="module")
def token(stack: Stack) -> str:
    return authorizations(stack)["access token"] or ""


def test_both_health_checks_pass(stack: Stack, server: Server) -> None:
    arn = stack.outputs["load_balancer_target_group_id"]
    (group,) = stack.aws.client("elbv2").describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert server.status(group["HealthCheckPath"], Host="10.255.0.1:5000") == 200
    assert server.passes_its_own_health_check()
    assert server.status("/health", Host="10.255.0.1:5000") != 200


def test_what_verify_does_works_below_the_path(stack: Stack, server: Server) -> None:
    path = stack.outputs["api_uri"].partition("/team")
    outcomes = dict(probe(f"http://127.0.0.1:{server.port}/team{path[2]}", "Bearer token"))
    assert {status for status, _detail in outcomes.values()} == {"ok"}, outcomes


def test_people_have_the_ui_there(stack: Stack, server: Server) -> None:
    host = stack.outputs["tracking_uri"].removeprefix("https://").removesuffix("/team/mlflow")
    assert server.status("/team/mlflow/", Host=host) == 200


@pytest.mark.parametrize(
    ("path", "let_in"),
    [
        ("/team/mlflow/api/2.0/mlflow/experiments/search", True),
        ("/team/mlflow/v1/traces", True),
        ("/team/mlflow/health", True),
        ("/api/2.0/mlflow/experiments/search", False),
        ("/team/mlflow/", False),
        ("/team/mlflow/ajax-api/2.0/mlflow/experiments/search", False),
    ],
)
def test_programs_get_in_below_the_path_alone(stack: Stack, token: str, path: str, let_in: bool) -> None:
    host = stack.outputs["api_uri"].removesuffix("/team/mlflow")
    outcome: Outcome = Doors(stack.aws).decide(Request(Source("203.0.113.5"), f"{host}{path}", {"authorization": token}))
    assert isinstance(outcome, Forward) == let_in, outcome

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator

import pytest
from embedded_aws.client import EmbeddedAWS
from runtime import inputs
from runtime.client import EXPERIMENT, Client
from runtime.databases import ENGINES, running
from runtime.deployment import Deployment, HealthChecks
from runtime.doors.doors import Doors
from runtime.doors.identities import authorizations
from runtime.doors.proxy import Proxy
from runtime.doors.request import Source
from support.stack import PASSWORD, Stack, prerequisites
from xdist.scheduler import LoadScopeScheduling


class OneProcessForEachEngine(LoadScopeScheduling):
    """The tests of an engine share its database server and its MLflow servers."""

    def _split_scope(self, nodeid: str) -> str:
        return next((engine for engine in ENGINES if engine in nodeid), super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: t.Any) -> OneProcessForEachEngine:
    return OneProcessForEachEngine(config, log)


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def deployment(engine: str, aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A stack on the engine that was deployed, its database prepared and two servers of it started together."""
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    with running(engine, inputs.MASTER_USERNAME, PASSWORD) as database:
        database.make_database("mlflow")
        deployment = Deployment(stack, database)
        deployment.apply(**inputs.of(engine, stack))
        assert "the database is empty" in deployment.prepare()
        with deployment.started(2) as deployment.servers:
            yield deployment


@pytest.fixture(scope="session")
def health_checks(deployment: Deployment) -> Iterator[HealthChecks]:
    """The load balancer's, for as long as the servers run."""
    with HealthChecks(deployment) as checks:
        yield checks


@pytest.fixture(scope="session")
def doors(deployment: Deployment) -> Doors:
    """The ways into the deployed stack."""
    return Doors(deployment.aws)


@pytest.fixture(scope="session")
def proofs(deployment: Deployment) -> dict[str, str | None]:
    """Authorization headers, true and false, by what they are."""
    return authorizations(deployment.stack)


@pytest.fixture(scope="session")
def proxy(deployment: Deployment, doors: Doors, health_checks: HealthChecks) -> Iterator[Proxy]:
    """The doors, open on this machine for callers in the office, whose address people's door admits."""
    names, folder = (deployment.people, deployment.programs), deployment.stack.folder / "doors"
    with Proxy(doors, deployment.servers, Source("192.0.2.10"), folder, *names) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def client(deployment: Deployment, proxy: Proxy, proofs: dict[str, str]) -> Client:
    """Where the API takes HTTP Basic, the user has that; else an access token."""
    has_credentials = "mlflow_api_credentials_secret_arn" in deployment.stack.inputs
    return Client(deployment, proxy, proofs["credentials" if has_credentials else "access token"])


@pytest.fixture(scope="session")
def made(deployment: Deployment, client: Client, proxy: Proxy) -> dict[str, t.Any]:
    """What a program has written through the first server."""
    proxy.servers = deployment.servers[:1]
    try:
        made = json.loads(client.run("write.py", EXPERIMENT).splitlines()[-1])
        span = "forecast"
        experiment = f",x-mlflow-experiment-id={made['experiment_id']}"
        headers = client.otlp["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] + experiment
        client.run("export_span.py", span, **client.otlp | {"OTEL_EXPORTER_OTLP_TRACES_HEADERS": headers})
        return made | {"otlp_span": span}
    finally:
        proxy.servers = deployment.servers

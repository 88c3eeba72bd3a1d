# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest
from embedded_aws.client import EmbeddedAWS
from runtime import inputs
from runtime.databases import ENGINES, running
from runtime.deployment import Deployment
from stack import PASSWORD, Stack, prerequisites
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

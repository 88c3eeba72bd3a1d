# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack that the collection has deployed on the embedded AWS, run for real on this machine."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runtime.containers import Process, Server, container
from runtime.databases import Database, free_port
from stack import Run, Stack


class Deployment:
    """A stack, the database server that stands for its Aurora cluster, and the MLflow servers that its service would run."""

    def __init__(self, stack: Stack, database: Database) -> None:
        self.stack, self.aws, self.database = stack, stack.aws, database
        self.name: str = stack.inputs["mlflow_unique_name"]
        self.servers: list[Server] = []
        self.site: Run
        self._started = 0

    @property
    def people(self) -> str:
        """The host name of the UI."""
        return self.stack.outputs["tracking_uri"].removeprefix("https://")

    @property
    def programs(self) -> str:
        """The host name of the API."""
        return self.stack.outputs["api_uri"].removeprefix("https://")

    def apply(self, **inputs: t.Any) -> Run:
        self.site = self.stack.apply(**inputs)
        return self.site

    def cluster(self) -> dict[str, t.Any]:
        clusters = self.aws.client("rds").describe_db_clusters(DBClusterIdentifier=self.name)
        return clusters["DBClusters"][0]

    def addresses(self, writer: int | None = None, readers: int | None = None) -> dict[str, str]:
        """Where on this machine the cluster's endpoints are: its database server, or the given ports."""
        cluster, host = self.cluster(), self.database.host
        return {
            f"{cluster['Endpoint']}:{cluster['Port']}": f"{host}:{writer or self.database.port}",
            f"{cluster['ReaderEndpoint']}:{cluster['Port']}": f"{host}:{readers or self.database.port}",
        }

    def prepare(self) -> str:
        """Run the one-off task that prepares the database, and return what it printed."""
        task = container(self.aws, f"{self.name}-prepare-database", "prepare-database")
        process = Process(task, self._directory(), self.addresses())
        try:
            assert process.wait() == 0, process.log
        finally:
            process.kill()
        return process.log

    @contextmanager
    def started(self, count: int = 1, **ports: int) -> Iterator[list[Server]]:
        """Start servers of the service's task definition at the same time, and leave nothing of them behind.

        :arg ports: of the cluster's endpoints, as C(addresses) takes them.
        """
        (service,) = self.aws.client("ecs").describe_services(cluster=self.name, services=[self.name])["services"]
        mlflow = container(self.aws, service["taskDefinition"], "mlflow")
        with ExitStack() as stack:
            servers = []
            for _number in range(count):
                servers.append(Server(mlflow, self._directory(), self.addresses(**ports), free_port()))
                stack.callback(servers[-1].kill)
            for server in servers:
                server.wait_until_healthy()
            yield servers

    def _directory(self) -> Path:
        self._started += 1
        return self.stack.folder / f"task-{self._started}"

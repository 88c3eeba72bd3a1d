# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack that the collection has deployed on the embedded AWS, run for real on this machine."""

from __future__ import annotations

import threading
import time
import typing as t
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path

from runtime.containers import Process, Server, container
from runtime.databases import Database, free_port
from runtime.endpoint import Endpoint
from support.stack import Run, Stack


class Deployment:
    """A stack, the database server that stands for its Aurora cluster, and the MLflow servers that its service would run."""

    def __init__(self, stack: Stack, database: Database) -> None:
        self.stack, self.aws, self.database = stack, stack.aws, database
        self.name: str = stack.inputs["mlflow_unique_name"]
        self.writer, self.readers = Endpoint(database.port), Endpoint(database.port)
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

    def addresses(self) -> dict[str, str]:
        """Where on this machine the cluster's endpoints are."""
        cluster, host = self.cluster(), self.database.host
        return {
            f"{cluster['Endpoint']}:{cluster['Port']}": f"{host}:{self.writer.port}",
            f"{cluster['ReaderEndpoint']}:{cluster['Port']}": f"{host}:{self.readers.port}",
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
    def started(self, count: int = 1, service_name: str = "") -> Iterator[list[Server]]:
        """Start servers of a service's task definition at the same time, and leave nothing of them behind. ``service_name``: another than the stack's."""
        (service,) = self.aws.client("ecs").describe_services(cluster=self.name, services=[service_name or self.name])["services"]
        mlflow = container(self.aws, service["taskDefinition"], "mlflow")
        with ExitStack() as stack:
            servers = []
            for _number in range(count):
                servers.append(Server(mlflow, self._directory(), self.addresses(), free_port()))
                stack.callback(servers[-1].kill)
            for server in servers:
                server.wait_until_healthy()
            yield servers

    def _directory(self) -> Path:
        self._started += 1
        return self.stack.folder / f"task-{self._started}"


class HealthChecks:
    """The load balancer's health checks, as often as the target group says, of each server from each of two nodes."""

    def __init__(self, deployment: Deployment) -> None:
        elb = deployment.aws.client("elbv2")
        arn = deployment.stack.outputs["load_balancer_target_group_id"]
        (group,) = elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
        self._deployment, self._interval = deployment, group["HealthCheckIntervalSeconds"]
        self._path, self._timeout = group["HealthCheckPath"], group["HealthCheckTimeoutSeconds"]
        self._matcher = int(group["Matcher"]["HttpCode"])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.passed: list[datetime] = []
        self.failed: list[str] = []

    def __enter__(self) -> HealthChecks:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._interval):
            for number, server in enumerate(self._deployment.servers * 2):
                # By address, as the load balancer asks.
                answer: object
                try:
                    answer = server.status(self._path, timeout=self._timeout, Host=f"10.255.0.{number % 2 + 1}:5000")
                except OSError as error:
                    answer = error
                if answer == self._matcher:
                    self.passed.append(datetime.now(timezone.utc))
                else:
                    self.failed.append(f"{time.strftime('%X')}: {answer}")

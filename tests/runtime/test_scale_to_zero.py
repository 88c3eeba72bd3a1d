# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database can pause when nobody uses MLflow, and everybody can go on when it resumes."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta, timezone

import pytest
from runtime.client import Client
from runtime.deployment import Deployment, HealthChecks
from runtime.doors.proxy import Proxy
from runtime.doors.sign_in import as_program

IDLE = timedelta(seconds=float(os.environ.get("MLFLOW_IDLE_SECONDS", "150")))
RESUME_SECONDS = 30


def test_idle_servers_leave_the_database_alone(deployment: Deployment, proxy: Proxy, made: dict[str, str], health_checks: HealthChecks) -> None:
    """Other tests, which do not use these servers, come between: only the rest of the time is waited for."""
    last = proxy.last_answer
    time.sleep(max(0, (last + IDLE - datetime.now(timezone.utc)).total_seconds()))
    seen = deployment.database.last_connection("mlflow")
    assert seen and seen <= last + timedelta(seconds=1), f"connected {seen - last} after the last request"
    assert deployment.database.connections("mlflow") == 0
    assert health_checks.failed == []
    assert len([check for check in health_checks.passed if check > last]) >= IDLE.total_seconds() // 30
    assert [server.process.poll() for server in deployment.servers] == [None, None]


@pytest.mark.parametrize("refuses", [False, True], ids=["holds who connects", "refuses who connects"])
def test_a_program_that_finds_the_database_paused_goes_on(
    deployment: Deployment, proxy: Proxy, client: Client, health_checks: HealthChecks, refuses: bool
) -> None:
    before, failed = len(proxy.handled), len(health_checks.failed)
    deployment.writer.pause(RESUME_SECONDS, refuses)
    start = time.monotonic()
    client.run("early_bird.py", f"early-{refuses}")
    assert time.monotonic() - start >= RESUME_SECONDS and deployment.writer.is_open
    statuses = [each.status for each in proxy.handled[before:]]
    succeeded = statuses.index(next(status for status in statuses if status < 500))
    assert set(statuses[:succeeded]) <= {503, 504} and max(statuses[succeeded:]) < 500, statuses
    # A load balancer that took the servers for dead meanwhile would have ECS replace them.
    assert health_checks.failed[failed:] == []
    assert all(server.passes_its_own_health_check() for server in deployment.servers)


def test_without_auto_pause_there_is_a_pool_and_reads_may_go_to_the_readers(deployment: Deployment, proofs: dict[str, str]) -> None:
    single = {"mlflow_service_min_capacity": 1, "mlflow_service_max_capacity": 1, "mlflow_jobs": "scheduled"}
    deployment.apply(mlflow_database_auto_pause=False, mlflow_database_reader_count=1, mlflow_database_read_from_readers=True, **single)
    with deployment.started() as (server,):
        environment = server.environment
        assert "NullPool" not in environment.values() and environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "true"
        host = {"Host": deployment.programs, "Content-Type": "application/json", **as_program(environment, proofs["access token"])}

        def effect(path: str, method: str = "GET", body: bytes | None = None) -> tuple[bool, bool, bool]:
            """Whether, during a request, somebody spoke to the writer, to the readers, and connected to those anew."""
            writer, readers = deployment.writer, deployment.readers
            before = writer.carried, readers.carried, readers.attempts
            assert server.status(path, method, body=body, **host) == 200
            return writer.carried > before[0], readers.carried > before[1], readers.attempts > before[2]

        create = b'{"name": "written"}'
        assert effect("/api/2.0/mlflow/experiments/create", "POST", create)[0]
        # Jobs of the server speak to the database as well, from time to time: between them it shows what a search does.
        search = "/api/2.0/mlflow/experiments/search?max_results=1"
        seen = {effect(search) for _time in range(20)}
        assert (False, True, False) in seen, seen
        time.sleep(3)
        assert deployment.database.connections("mlflow") > 0
        # By this name the jobs that MLflow runs beside its servers call its gateway, and nobody gets in without their token.
        own = {"Host": f"0.0.0.0:{server.container.environment['MLFLOW_PORT']}"}
        assert server.status("/gateway/mlflow/v1/models", **own) == 401


def test_servers_end_in_good_order_when_ecs_stops_them(deployment: Deployment) -> None:
    assert [server.stop() for server in deployment.servers] == [0, 0]

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job of the real MLflow runs to its end, once, in the task that runs jobs, beside two servers that are replaced meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import time
import typing as t
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from embedded_aws.client import EmbeddedAWS
from runtime import inputs
from runtime.client import PROGRAMS
from runtime.containers import MLFLOW_VENV, Server
from runtime.databases import running
from runtime.deployment import Deployment
from runtime.doors.doors import Doors
from runtime.doors.request import Forward, Request, Source
from support.stack import PASSWORD, Stack, prerequisites

SECONDS = 20  # that the job takes
JOB_MEMORY = 2000  # MiB of a task that waits for jobs, with two workers: docs/jobs.md


class Site(t.NamedTuple):
    deployment: Deployment
    marks: Path

    def ask(self, server: Server, path: str, body: t.Any = None) -> tuple[int, t.Any]:
        """The answer to a page of the UI."""
        headers = {"Host": self.deployment.people, "Content-Type": "application/json"}
        status, answer = server.ask(path, "GET" if body is None else "POST", None if body is None else json.dumps(body).encode(), **headers)
        return status, json.loads(answer)

    def judge(self, server: Server) -> dict[str, t.Any]:
        """What the UI sends to have a trace scored that was just made."""
        environment = {**os.environ, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{server.port}", "JOBS_MARKS": "", "JOBS_SECONDS": ""}
        command = [str(MLFLOW_VENV / "bin" / "python"), "-W", "ignore", str(PROGRAMS / "judge.py")]
        return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()[-1])

    def begun(self) -> int:
        return len(self.marks.read_text().splitlines()) if self.marks.exists() else 0

    def until(self, reached: t.Callable[[], bool]) -> None:
        deadline = time.monotonic() + 300
        while not reached():
            assert time.monotonic() < deadline
            time.sleep(0.5)


@pytest.fixture(scope="module", params=["aurora-postgresql", "aurora-mysql"])
def site(request: pytest.FixtureRequest, aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    aws_server.reset()
    folder = tmp_path_factory.mktemp("jobs")
    stack = Stack(aws_server, folder, prerequisites(aws_server))
    marks = folder / "marks"
    environment = {
        "MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS": "true",  # so that no model is needed
        "MLFLOW_SERVER_ALLOWED_HOSTS": "127.0.0.1:*",
        "JOBS_MARKS": str(marks),
        "JOBS_SECONDS": str(SECONDS),
    }
    with running(request.param, inputs.MASTER_USERNAME, PASSWORD) as database:
        database.make_database("mlflow")
        deployment = Deployment(stack, database)
        deployment.apply(
            mlflow_database_engine=request.param,
            mlflow_service_workers=1,
            mlflow_identity="off",
            mlflow_jobs="on_demand",
            mlflow_service_environment=environment,
        )
        deployment.prepare()
        yield Site(deployment, marks)


def test_requests_that_submit_jobs_reach_the_service_that_runs_them(site: Site) -> None:
    aws, people = site.deployment.aws, site.deployment.people
    elbv2 = aws.client("elbv2")

    def targets(group: str) -> set[str]:
        (arn,) = (each["TargetGroupArn"] for each in elbv2.describe_target_groups(Names=[group])["TargetGroups"])
        return {each["Target"]["Id"] for each in elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]}

    servers, jobs = targets(site.deployment.name), targets(f"{site.deployment.name}-jobs")
    assert len(servers) == 2 and len(jobs) == 1 and not servers & jobs
    doors = Doors(aws)
    (balancer,) = doors.balancers.values()
    office = Source("192.0.2.10")
    for path, expected in (
        ("/ajax-api/3.0/jobs/", jobs),
        ("/ajax-api/3.0/mlflow/scorer/invoke", jobs),
        ("/ajax-api/3.0/mlflow/issues/invoke", jobs),
        ("/ajax-api/3.0/mlflow/genai/evaluate/invoke", jobs),
        ("/ajax-api/3.0/mlflow/prompt-optimization/jobs", jobs),
        ("/api/3.0/mlflow/prompt-optimization/jobs", jobs),
        ("/ajax-api/3.0/mlflow/runs/search", servers),
        ("/", servers),
    ):
        request = Request(office, f"https://{people}{path}", {"cookie": balancer.sign_in("ada")}, "POST")
        outcome = doors.decide(request)
        assert isinstance(outcome, Forward) and {address for address, _port in outcome.targets} == expected, path
        stranger = doors.decide(request.replace(headers={}))
        assert not isinstance(stranger, Forward), path


def test_a_job_runs_once_while_the_servers_are_replaced(site: Site) -> None:
    deployment = site.deployment
    jobs_service = f"{deployment.name}-jobs"
    with deployment.started(1, jobs_service) as (jobs,), deployment.started(2) as before:
        body = site.judge(before[0])
        status, answer = site.ask(before[0], "/ajax-api/3.0/mlflow/scorer/invoke", body)
        assert status == 500 and "not enabled" in answer["message"]  # so the load balancer's rules are needed
        status, answer = site.ask(jobs, "/ajax-api/3.0/mlflow/scorer/invoke", body)
        assert status == 200, answer
        (job,) = (each["job_id"] for each in answer["jobs"])
        site.until(lambda: site.begun() == 1)
        with deployment.started(2) as after:  # a rolling deployment: the next servers start before the last ones stop
            for server in before:
                server.stop()
            site.until(lambda: site.ask(after[0], f"/ajax-api/3.0/jobs/{job}")[1]["status"] not in ("PENDING", "RUNNING"))
            found = site.ask(after[1], f"/ajax-api/3.0/jobs/{job}")[1]
        assert found["status"] == "SUCCEEDED" and site.begun() == 1, found
        assert memory(jobs) < JOB_MEMORY
        # Nobody uses it any more: the database may pause.
        last = datetime.now(timezone.utc)
        time.sleep(70)
        seen = deployment.database.last_connection("mlflow")
        assert seen and (seen - last).total_seconds() < 5 and deployment.database.connections("mlflow") == 0


def test_a_job_whose_task_is_replaced_begins_again_and_ends_once(site: Site) -> None:
    deployment, begun = site.deployment, site.begun()
    with deployment.started(1, f"{deployment.name}-jobs") as (first,):
        status, answer = site.ask(first, "/ajax-api/3.0/mlflow/scorer/invoke", site.judge(first))
        assert status == 200, answer
        (job,) = (each["job_id"] for each in answer["jobs"])
        site.until(lambda: site.begun() == begun + 1)
        first.stop()  # at most 100 %: the next one starts when it has ended
    with deployment.started(1, f"{deployment.name}-jobs") as (second,):
        site.until(lambda: site.ask(second, f"/ajax-api/3.0/jobs/{job}")[1]["status"] not in ("PENDING", "RUNNING"))
        assert site.ask(second, f"/ajax-api/3.0/jobs/{job}")[1]["status"] == "SUCCEEDED"
    assert site.begun() == begun + 2


def memory(server: Server) -> float:
    """MiB of the server and all that it has started, what they share counted once (PSS)."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) != server.process.pid:
                continue
            total += int(next(line.split()[1] for line in (process / "smaps_rollup").read_text().splitlines() if line.startswith("Pss:")))
        except (OSError, StopIteration):
            continue
    assert total
    return total / 1024

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what follows from inputs for MLflow's jobs, and what they must be together. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import maximum_servers
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs, Problem

JOBS = "mlflow_jobs"
ON_DEMAND, SCHEDULED, OFF = "on_demand", "scheduled", "off"
AS_BEFORE = ""
"""The mode of servers that run jobs where the database does not pause, each of them, as they did before there was `JOBS`."""
VARIABLES = ("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS")
"""Of MLflow's server, with which a team file may say itself what the servers do."""

WORKERS = 2
"""Workers at most of a server that is asked to run jobs, and nothing else."""
_PROCESS, _RUNNER, _ROOM = 200, 1500, 500
"""MiB: of MLflow's server and each of its workers, and of what waits for jobs, both measured with MLflow 3.18; and room for two jobs."""


def given(inputs: Inputs) -> list[str]:
    """Those of `VARIABLES` that the team file gives the server."""
    to_server = {**(inputs.get("mlflow_service_environment") or {}), **(inputs.get("mlflow_service_secrets") or {})}
    return [name for name in VARIABLES if to_server.get(name) not in (None, "")]


def all_servers_run_jobs(inputs: Inputs) -> bool:
    """Whether the servers run MLflow's jobs, all of them, where no mode says which task does."""
    enabled = (inputs.get("mlflow_service_environment") or {}).get(VARIABLES[0])
    return not inputs.get("mlflow_database_auto_pause") if enabled in (None, "") else str(enabled).lower() in ("true", "1")


def needed_memory(inputs: Inputs) -> int:
    """MiB that MLflow needs in the task that runs jobs."""
    workers = inputs.get("mlflow_service_workers") or 1
    return (1 + (min(workers, WORKERS) if maximum_servers(inputs) > 1 else workers)) * _PROCESS + _RUNNER + _ROOM


def free_memory(inputs: Inputs) -> int | None:
    """MiB that a task has for MLflow: without what sidecars reserve, and what its files take."""
    memory, sidecars = inputs.get("mlflow_service_memory"), inputs.get("mlflow_service_sidecar_container_definitions") or []
    reserved = sum(each.get("memoryReservation") or each.get("memory") or 0 for each in sidecars)
    return memory - reserved - (inputs.get("mlflow_service_tmpfs_size") or 0) if memory else None


def problems(v: Inputs) -> t.Iterator[Problem]:
    if given(v):
        remedy = f"mlflow_jobs is {v[JOBS]}, which says what runs jobs: leave one of the two out"
        yield Problem("mlflow_service_environment", ", ".join(given(v)), remedy)
    yield from schedule_problems(v)


def schedule_problems(v: Inputs) -> t.Iterator[Problem]:
    if v[JOBS] == SCHEDULED and v.get("mlflow_database_auto_pause"):
        remedy = (
            "periodic tasks ask the database every minute, so that it would never pause: set mlflow_database_auto_pause to false, with a "
            "mlflow_database_min_capacity of 0.5 or more, or choose on_demand"
        )
        yield Problem(JOBS, v[JOBS], remedy)

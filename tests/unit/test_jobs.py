# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from inputs for MLflow's jobs."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs import jobs

DEFAULTS = {"mlflow_service_memory": 4096, "mlflow_service_workers": 4, "mlflow_service_max_capacity": 2}
ONE = {"mlflow_service_max_capacity": 1}


@pytest.mark.parametrize(
    ("inputs", "needed", "free"),
    [
        ({}, 2600, 4096),  # of a service of its own, which has two workers
        (ONE, 3000, 4096),
        ({**ONE, "mlflow_service_workers": 8}, 3800, 4096),
        ({"mlflow_service_workers": 1}, 2400, 4096),
        ({"mlflow_service_tmpfs_size": 512}, 2600, 3584),
        ({"mlflow_service_sidecar_container_definitions": [{"memory": 512, "memoryReservation": 128}, {"memory": 64}, {"name": "s"}]}, 2600, 3904),
        ({"mlflow_service_memory": None}, 2600, None),
    ],
)
def test_memory(inputs: dict[str, t.Any], needed: int, free: int | None) -> None:
    assert (jobs.needed_memory({**DEFAULTS, **inputs}), jobs.free_memory({**DEFAULTS, **inputs})) == (needed, free)


@pytest.mark.parametrize(
    ("inputs", "given"),
    [
        ({}, []),
        ({"mlflow_service_environment": {jobs.VARIABLES[0]: "", "A": "b"}}, []),
        ({"mlflow_service_environment": {jobs.VARIABLES[0]: "false"}}, [jobs.VARIABLES[0]]),
        ({"mlflow_service_secrets": {jobs.VARIABLES[1]: "arn"}, "mlflow_service_environment": None}, [jobs.VARIABLES[1]]),
    ],
)
def test_who_sets_the_variables_of_mlflow_himself(inputs: dict[str, t.Any], given: list[str]) -> None:
    assert jobs.given(inputs) == given
    told = [problem.variable for problem in jobs.problems({**inputs, "mlflow_jobs": "on_demand"})]
    assert told == (["mlflow_service_environment"] if given else [])


@pytest.mark.parametrize(("mode", "pause", "refused"), [("scheduled", True, True), ("scheduled", False, False), ("on_demand", True, False)])
def test_schedules_and_a_database_that_pauses_exclude_each_other(mode: str, pause: bool, refused: bool) -> None:
    told = [str(problem) for problem in jobs.problems({"mlflow_jobs": mode, "mlflow_database_auto_pause": pause})]
    assert bool(told) == refused and all("mlflow_database_auto_pause" in each for each in told)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from modules.run_module import run_module


@pytest.mark.parametrize(
    ("servers", "pause", "job_execution", "warned"),
    [(2, False, None, True), (3, True, None, False), (4, True, "true", True), (5, False, "false", False), (1, False, None, False)],
)
def test_jobs_of_more_than_one_server_are_warned_of(aws, servers, pause, job_execution, warned):
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": job_execution} if job_execution else {}
    inputs = {"mlflow_service_max_capacity": servers, "mlflow_database_auto_pause": pause, "mlflow_service_environment": environment}
    told = str(run_module("preflight", {"inputs": inputs}, aws).get("warnings", []))
    assert (f"jobs are on and up to {servers} servers run" in told) == warned


def test_the_servers_that_a_schedule_brings_count(aws):
    inputs = {"mlflow_service_max_capacity": 1, "mlflow_service_scheduled_actions": [{"name": "noon", "max_capacity": 6}, {"name": "night"}]}
    assert "up to 6 servers run" in str(run_module("preflight", {"inputs": inputs}, aws)["warnings"])

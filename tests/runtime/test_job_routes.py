# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The paths that lead to the service that runs jobs, against every route of MLflow and all of its code that submits jobs."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from runtime.containers import MLFLOW_VENV
from runtime.test_identity_routes import routes

__all__ = ["routes"]
VARIABLES = Path(__file__).parents[2] / "roles" / "alb" / "vars" / "main" / "jobs.yml"
SUBMITTED_BY = {
    "server/job_api.py": {"submit_job"},
    "server/handlers.py": {"_invoke_issue_detection_handler", "_invoke_genai_evaluate_handler", "_invoke_scorer_handler", "_create_prompt_optimization_job"},
    # of the task that runs jobs, by itself
    "genai/scorers/job.py": {"run_online_scoring_scheduler"},
    "genai/discovery/scheduler.py": {"_submit_occurrence"},
}
SUBMITTING = {
    ("POST", "/api/3.0/jobs"),
    ("POST", "/api/3.0/mlflow/scorer/invoke"),
    ("POST", "/api/3.0/mlflow/issues/invoke"),
    ("POST", "/api/3.0/mlflow/genai/evaluate/invoke"),
    ("POST", "/api/3.0/mlflow/prompt-optimization/jobs"),
}
"""As `routes` has them, /api for /ajax-api too."""
READING = {("GET", "/api/3.0/jobs/{job_id}"), ("PATCH", "/api/3.0/jobs/cancel/{job_id}"), ("POST", "/api/3.0/jobs/search")}
"""Of the same resource: any server answers these, from the database."""
SCHEDULES = {("GET", "/api/3.0/mlflow/server-info")}


def patterns(name: str) -> list[str]:
    """The paths of a rule, as the role has them, without the prefix."""
    values = yaml.safe_load(VARIABLES.read_text(encoding="utf-8"))[name]["PathPatternConfig"]["Values"]
    return re.findall(r"'(/[^']*)'", values) if isinstance(values, str) else [re.sub(r"{{.*?}}", "", value) for value in values]


def test_what_submits_jobs_in_mlflow_is_known() -> None:
    (mlflow,) = MLFLOW_VENV.glob("lib/python3*/site-packages/mlflow")
    found: dict[str, set[str]] = {}
    for file in (*mlflow.glob("server/**/*.py"), *mlflow.glob("genai/**/*.py")):
        function = ""
        for line in file.read_text(encoding="utf-8").splitlines():
            if start := re.match(r"(?:async )?def (\w+)", line):
                function = start[1]
            elif re.search(r"(?<![.\w])(?<!def )submit_job\((?!\))", line):
                found.setdefault(str(file.relative_to(mlflow)), set()).add(function)
    assert found == SUBMITTED_BY


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("__alb_jobs_paths_of_people", SUBMITTING | READING | SCHEDULES),
        ("__alb_jobs_paths_of_programs", {("POST", "/api/3.0/mlflow/prompt-optimization/jobs")}),  # the others are of the UI alone
    ],
)
def test_the_paths_for_jobs_are_those_that_submit_them(routes: list[tuple[str, str]], rule: str, expected: set[tuple[str, str]]) -> None:
    found = {(method, path) for method, path in routes if method not in ("HEAD", "OPTIONS")}
    led = [each.replace("/ajax-api/", "/api/") for each in patterns(rule)]
    assert {(method, path) for method, path in found if any(fnmatchcase(path, each) or fnmatchcase(f"{path}/", each) for each in led)} == expected


def test_the_longest_prefix_leaves_room_for_each_path() -> None:
    """AWS takes 128 characters, preflight 100 of a prefix, and five values in the conditions of a rule, one of which is the host."""
    for rule in ("__alb_jobs_paths_of_people", "__alb_jobs_paths_of_programs"):
        assert 1 <= len(patterns(rule)) <= 4 and all(len(each) <= 28 for each in patterns(rule))

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trace something, and print what the UI sends to have a judge of its own score the trace, which takes JOBS_SECONDS and leaves a line in JOBS_MARKS."""

import json

import mlflow
from mlflow.genai.scorers import scorer


@scorer
def is_short(outputs) -> bool:
    import os
    import time

    with open(os.environ["JOBS_MARKS"], "a") as marks:
        marks.write("begun\n")
    time.sleep(float(os.environ["JOBS_SECONDS"]))
    return len(outputs) < 100


@mlflow.trace
def answer(question: str) -> str:
    return "42"


experiment = mlflow.set_experiment("jobs")
answer("What is six times seven?")
mlflow.flush_trace_async_logging()
body = {
    "experiment_id": experiment.experiment_id,
    "trace_ids": [mlflow.get_last_active_trace_id()],
    "serialized_scorer": json.dumps(is_short.model_dump()),
    "log_assessments": True,
}
print(json.dumps(body))

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trace something, and print what the UI sends to have a judge score the trace: its own, which takes JOBS_SECONDS and leaves a line in JOBS_MARKS, or one
that asks the model of the gateway that the argument names.
"""

import json
import sys

import mlflow
from mlflow.genai.judges import make_judge
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


def judge():
    if not sys.argv[1:]:
        return is_short
    return make_judge(name="is_right", instructions="Is {{ outputs }} right?", model=f"gateway:/{sys.argv[1]}", feedback_value_type=bool)


experiment = mlflow.set_experiment("jobs")
answer("What is six times seven?")
mlflow.flush_trace_async_logging()
body = {
    "experiment_id": experiment.experiment_id,
    "trace_ids": [mlflow.get_last_active_trace_id()],
    "serialized_scorer": json.dumps(judge().model_dump()),
    "log_assessments": True,
}
print(json.dumps(body))

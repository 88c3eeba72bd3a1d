# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that uses MLflow as its users do: by MLFLOW_* variables alone. Writes to standard output what it has made."""

import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

LARGE = 200 * 1024 * 1024
name = sys.argv[1]
folder = Path(tempfile.mkdtemp())
client = MlflowClient()

mlflow.set_experiment(name)
with mlflow.start_run(run_name=f"{name}-run") as run:
    run_id = run.info.run_id
    mlflow.log_params({"optimizer": "adam", "layers": 3})
    for step in range(3):
        mlflow.log_metrics({"loss": 1 / (step + 1), "accuracy": step / 3}, step=step)
    # 1000 is the most that a request may hold.
    now = int(time.time() * 1000)
    batch = [Metric("batched", step / 7, now, step) for step in range(1000)]
    client.log_batch(run_id, metrics=batch, params=[Param("seed", "42")], tags=[RunTag("kind", "runtime")])
    mlflow.log_text("täxt", "notes/note.txt")
    mlflow.log_dict({"a": [1, 2]}, "config.json")
    (folder / "many").mkdir()
    for number in range(5):
        (folder / "many" / f"{number}.bin").write_bytes(os.urandom(100_000))
    mlflow.log_artifacts(str(folder / "many"), "many")
    digest = hashlib.sha256()
    with (folder / "large.bin").open("wb") as file:
        for _mebibyte in range(LARGE // 2**20):
            chunk = os.urandom(2**20)
            digest.update(chunk)
            file.write(chunk)
    mlflow.log_artifact(str(folder / "large.bin"))

    class Doubled(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input: list[float], params=None) -> list[float]:
            return [2 * value for value in model_input]

    info = mlflow.pyfunc.log_model(name="doubled", python_model=Doubled(), registered_model_name=name, pip_requirements=["mlflow"])
client.set_registered_model_alias(name, "champion", "1")
client.set_registered_model_tag(name, "owner", "ada")
client.create_model_version(name, f"runs:/{run_id}/doubled", run_id, description="the same again")
client.set_registered_model_alias(name, "challenger", "2")


@mlflow.trace(name="answer", attributes={"model": "none"})
def answer(question: str) -> str:
    with mlflow.start_span("think") as span:
        span.set_inputs({"question": question})
        span.set_outputs({"thought": "six times seven"})
    return "42"


answer("what is it?")
mlflow.flush_trace_async_logging()
trace_id = mlflow.get_last_active_trace_id()
client.set_trace_tag(trace_id, "reviewed", "yes")

doomed = client.create_run(run.info.experiment_id, run_name="doomed")
client.log_text(doomed.info.run_id, "to be deleted", "doomed.txt")
client.delete_run(doomed.info.run_id)
gone = client.create_experiment(f"{name}-gone")
client.delete_experiment(gone)

made = {
    "experiment_id": run.info.experiment_id,
    "run_id": run_id,
    "trace_id": trace_id,
    "large_sha256": digest.hexdigest(),
    "model_uri": info.model_uri,
    "doomed_run_id": doomed.info.run_id,
    "gone_experiment_id": gone,
}
print(json.dumps(made))

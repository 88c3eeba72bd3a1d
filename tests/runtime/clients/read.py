# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that reads back, and searches for, what write.py has made; fails where anything is missing or different."""

import hashlib
import json
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import ViewType

name, made = sys.argv[1], json.loads(sys.argv[2])
client = MlflowClient()

experiment = mlflow.get_experiment_by_name(name)
assert experiment.experiment_id == made["experiment_id"]
assert experiment.artifact_location.startswith("mlflow-artifacts:/"), experiment.artifact_location

run = client.get_run(made["run_id"])
assert run.info.status == "FINISHED" and run.info.run_name == f"{name}-run", run
assert run.data.params == {"optimizer": "adam", "layers": "3", "seed": "42"}, run.data.params
assert run.data.tags["kind"] == "runtime"
assert run.data.metrics == {"loss": 1 / 3, "accuracy": 2 / 3, "batched": 999 / 7}, run.data.metrics
history = client.get_metric_history(made["run_id"], "batched")
assert [metric.step for metric in history] == list(range(1000))

found = client.search_runs([made["experiment_id"]], "metrics.loss < 0.5 and params.optimizer = 'adam' and tags.kind = 'runtime'")
assert [each.info.run_id for each in found] == [made["run_id"]], found
assert not client.search_runs([made["experiment_id"]], "metrics.loss > 0.5")
assert [each.name for each in client.search_experiments(filter_string=f"name = '{name}'")] == [name]
deleted = client.search_runs([made["experiment_id"]], run_view_type=ViewType.DELETED_ONLY)
assert made["doomed_run_id"] in {each.info.run_id for each in deleted} or made.get("collected")
gone = {each.experiment_id for each in client.search_experiments(view_type=ViewType.DELETED_ONLY)}
assert (made["gone_experiment_id"] in gone) is not bool(made.get("collected"))

assert {each.path for each in client.list_artifacts(made["run_id"])} >= {"notes", "many", "config.json", "large.bin"}
assert len(client.list_artifacts(made["run_id"], "many")) == 5
assert mlflow.artifacts.load_text(f"runs:/{made['run_id']}/notes/note.txt") == "täxt"
assert mlflow.artifacts.load_dict(f"runs:/{made['run_id']}/config.json") == {"a": [1, 2]}
large = Path(mlflow.artifacts.download_artifacts(f"runs:/{made['run_id']}/large.bin"))
with large.open("rb") as file:
    assert hashlib.file_digest(file, "sha256").hexdigest() == made["large_sha256"]
large.unlink()

model = client.get_registered_model(name)
assert {alias: int(version) for alias, version in model.aliases.items()} == {"champion": 1, "challenger": 2}
assert model.tags == {"owner": "ada", "mlflow.user": run.data.tags["mlflow.user"]}, model.tags
assert len(client.search_model_versions(f"name = '{name}'")) == 2
assert [each.name for each in client.search_registered_models(f"name = '{name}'")] == [name]
assert mlflow.pyfunc.load_model(f"models:/{name}@champion").predict([1.0, 2.5]) == [2.0, 5.0]

trace = client.get_trace(made["trace_id"])
assert [span.name for span in trace.data.spans] == ["answer", "think"], trace
assert trace.data.spans[0].outputs == "42" and trace.info.tags["reviewed"] == "yes"
names = {span.name for each in client.search_traces(locations=[made["experiment_id"]]) for span in each.data.spans}
assert {"answer", "think"} <= names, names
if "otlp_span" in made:
    assert made["otlp_span"] in names, names

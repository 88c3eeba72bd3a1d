# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that prepares the database upgrades what MLflow 2.22 has made: nothing is lost, whether it succeeds or fails."""

from __future__ import annotations

import json
import subprocess
import typing as t
from collections.abc import Iterator

import pytest
from runtime.databases import running
from runtime.test_prepare_database import MLFLOW_VENV, ROOT, Stack

OLD_MLFLOW = ROOT / ".cache" / "mlflow-2.22.5"  # scripts/mlflow_venv makes it
OLD = {"PYTHONPATH": str(OLD_MLFLOW)}

WRITE = """
import os
import mlflow
import pandas
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, Metric, Param
assert mlflow.__version__.startswith("2.22"), mlflow.__version__
mlflow.set_tracking_uri(os.environ["MLFLOW_BACKEND_STORE_URI"])
client = MlflowClient()
experiment = client.create_experiment("churn", artifact_location="s3://bucket/churn", tags={"team": "x"})
client.delete_experiment(client.create_experiment("given up"))
for number in range(20):
    run = client.create_run(experiment, run_name=f"run {number}", tags={"number": str(number)}).info.run_id
    metrics = [Metric("loss", 1 / (step + number + 1), step, step) for step in range(50)]
    client.log_batch(run, metrics, [Param("long", "x" * 500), Param("number", str(number))])
    client.log_inputs(run, [DatasetInput(mlflow.data.from_pandas(pandas.DataFrame({"a": [number]}))._to_mlflow_entity(), [])])
    client.set_terminated(run)
client.delete_run(run)
client.create_registered_model("churn", {"owner": "x"}, "a model")
for version in "123":
    client.create_model_version("churn", f"s3://bucket/churn/{version}", run, {"v": version})
client.set_registered_model_alias("churn", "champion", "2")
client.transition_model_version_stage("churn", "3", "Staging")
for number in range(5):
    client._tracking_client.start_trace(experiment, number, {"k": str(number)}, {"mlflow.traceName": f"trace {number}"})
"""

# What is there, the same in both versions' words.
READ = """
import json, os
from mlflow import MlflowClient
from mlflow.entities import ViewType
client = MlflowClient(os.environ["MLFLOW_BACKEND_STORE_URI"])
experiments = client.search_experiments(ViewType.ALL, filter_string="name != 'Default'")
ids = [e.experiment_id for e in experiments]
runs = client.search_runs(ids, run_view_type=ViewType.ALL, order_by=["attributes.run_id"])
traces = client._tracking_client.store.search_traces(ids)[0]
print(json.dumps({
    "experiments": [[e.name, e.lifecycle_stage, e.artifact_location, e.tags] for e in experiments],
    "runs": [[
        r.info.run_id, r.info.run_name, r.info.lifecycle_stage, r.info.status, r.info.artifact_uri, r.data.params, r.data.tags,
        [(m.step, m.value, m.timestamp) for m in client.get_metric_history(r.info.run_id, "loss")],
        [(i.dataset.name, i.dataset.digest, i.dataset.schema) for i in r.inputs.dataset_inputs],
    ] for r in runs],
    "models": [[m.name, m.description, m.tags, {a: str(v) for a, v in m.aliases.items()}] for m in client.search_registered_models()],
    "versions": sorted(
        [v.name, str(v.version), v.current_stage, v.source, v.run_id, v.tags] for v in client.search_model_versions("name='churn'")
    ),
    "traces": sorted(
        [i.request_id, i.timestamp_ms, i.tags["mlflow.traceName"], i.request_metadata["k"]] for i in traces
    ),
}, default=str))
"""


def read(stack: Stack, name: str, **environment: str) -> dict[str, t.Any]:
    """All that a version of MLflow finds in a database; the older one with C(OLD)."""
    done = subprocess.run(
        [MLFLOW_VENV / "bin" / "python", "-W", "ignore", "-c", READ],
        env=stack.environment(stack.uri(name), **environment),
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def last_line(output: str) -> dict[str, t.Any]:
    return json.loads(output.splitlines()[-1])


@pytest.fixture(scope="module")
def stack(engine: str) -> Iterator[Stack]:
    """A database server with the database C(data), which MLflow 2.22 has made and filled."""
    assert OLD_MLFLOW.exists(), "run scripts/mlflow_venv"
    with running(engine) as database:
        database.directory.chmod(0o755)
        stack = Stack(database)
        status, output = stack.prepare(stack.uri("data"), **OLD)
        assert status == 0, output
        subprocess.run([MLFLOW_VENV / "bin" / "python", "-W", "ignore", "-c", WRITE], env=stack.environment(stack.uri("data"), **OLD), check=True)
        yield stack


def test_an_upgrade_that_fails_loses_nothing_and_one_that_succeeds_neither(stack: Stack) -> None:
    uri, old = stack.uri("data"), stack.revision("data")
    before = read(stack, "data", **OLD)
    assert {name: len(found) for name, found in before.items()} == {"experiments": 2, "runs": 20, "models": 1, "versions": 3, "traces": 5}

    status, output = stack.prepare(uri)
    answer = last_line(output)
    assert (status, answer["schema"]) == (3, old) and answer["head"] != old, output

    # A table that is in the way, as a half-done upgrade of an earlier day leaves it behind.
    stack.database.execute("CREATE TABLE secrets (id INTEGER)", "data")
    status, output = stack.prepare(uri, SCHEMA_UPGRADE="true")
    assert "secrets" in output.splitlines()[-1] and "already exists" in output, output
    if stack.database.engine == "aurora-postgresql":  # it has taken all back: the servers can go on as they were
        assert (status, stack.revision("data")) == (1, old)
        assert read(stack, "data", **OLD) == before
    else:
        assert status == 5 and stack.revision("data") != old, output
    stack.database.execute("DROP TABLE secrets", "data")

    status, output = stack.prepare(uri, SCHEMA_UPGRADE="true")
    assert status == 0, output
    assert last_line(output) == {"schema": answer["head"], "head": answer["head"], "reason": ""}
    assert read(stack, "data") == before


def test_the_older_mlflow_is_refused_from_then_on_and_not_even_a_password_is_changed(stack: Stack) -> None:
    uri = stack.uri("data")
    stack.database.set_master_password("An0ther-password")
    status, output = stack.prepare(stack.uri("data"), **OLD)
    assert status == 4 and last_line(output)["schema"] == stack.revision("data"), output
    stack.python(uri, "import os, sqlalchemy; sqlalchemy.create_engine(os.environ['MLFLOW_BACKEND_STORE_URI']).connect()")

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that does what each line says, a list in JSON: ["run"] makes a run, ["up", SIZE, NAME] logs a file of zeros to a new one,
["down", RUN, SIZE, NAME] gets one. Of each it answers the run, or what MLflow's client has said of a refusal."""

import json
import sys
import tempfile
import traceback
from pathlib import Path

import mlflow
from mlflow import MlflowClient

client = MlflowClient()


def run():
    return client.create_run("0").info.run_id


def up(size, name):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, name)
        with file.open("wb") as sparse:
            sparse.truncate(size)
        run_id = run()
        client.log_artifact(run_id, str(file))
    return run_id


def down(run_id, size, name):
    with tempfile.TemporaryDirectory() as folder:
        found = Path(client.download_artifacts(run_id, name, folder))
        assert found.stat().st_size == size, found.stat().st_size
    return run_id


for line in sys.stdin:
    way, *arguments = json.loads(line)
    try:
        answer = {"run_id": globals()[way](*arguments)}
    except Exception:
        answer = {"refusal": traceback.format_exc()}
    print(json.dumps({"version": mlflow.__version__, **answer}), flush=True)

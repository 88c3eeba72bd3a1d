# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that makes a run (`run`), logs a file of zeros to a new one (`up SIZE NAME`), or gets one (`down RUN SIZE NAME`)."""

import json
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient

way, *arguments = sys.argv[1:]
client = MlflowClient()
folder = Path(tempfile.mkdtemp())
if way == "down":
    run_id, size, name = arguments
    found = Path(client.download_artifacts(run_id, name, str(folder)))
    assert found.stat().st_size == int(size), found.stat().st_size
    found.unlink()
else:
    run_id = client.create_run("0").info.run_id
if way == "up":
    size, name = arguments
    file = folder / name
    with file.open("wb") as sparse:
        sparse.truncate(int(size))
    client.log_artifact(run_id, str(file))
print(json.dumps({"run_id": run_id, "version": mlflow.__version__}))

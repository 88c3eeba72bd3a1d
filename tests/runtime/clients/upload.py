# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that logs one artifact of the given number of bytes."""

import os
import sys
import tempfile
from pathlib import Path

from mlflow import MlflowClient

client = MlflowClient()
run = client.create_run("0")
file = Path(tempfile.mkdtemp()) / "artifact.bin"
file.write_bytes(os.urandom(int(sys.argv[1])))
client.log_artifact(run.info.run_id, str(file))
client.delete_run(run.info.run_id)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of older MLflows, and the task that imports them, with the real MLflow in place of the image."""

from __future__ import annotations

import gzip
import json
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.programs import python_command
from runtime.databases import Database
from runtime.test_prepare_database import MLFLOW_VENV, Stack

FILES = Path(__file__).parents[2] / "roles" / "ecs" / "files"
PROGRAM = {path.name: path.read_text() for path in [*(FILES / "moving_in").glob("*.py"), FILES / "prepare_database.py"]}
DUMPS = Path(__file__).parent / "old_databases"
"""Dumps of MariaDB, in latin1. The store of the MLflow in their name has written what is in them."""

# What a person would miss, by the engine's own SQL and not by what is tested.
READ = """
import json, sys
import sqlalchemy as sa
engine = sa.create_engine(sys.argv[1])
key = "`key`" if engine.dialect.name == "mysql" else "key"
queries = {
    "params": f"SELECT run_uuid, {key}, value FROM params",
    "tags": f"SELECT run_uuid, {key}, value FROM tags",
    "metrics": f"SELECT run_uuid, {key}, value, timestamp, step, is_nan FROM metrics",
    "runs": "SELECT run_uuid, user_id, status, start_time, end_time, lifecycle_stage, experiment_id, artifact_uri FROM runs",
    "experiments": "SELECT experiment_id, name, lifecycle_stage, artifact_location FROM experiments",
    "model_versions": "SELECT name, version, source, run_id, current_stage, creation_time FROM model_versions",
}
with engine.connect() as connection:
    found = {
        name: sorted([int(x) if isinstance(x, bool) else x for x in row] for row in connection.exec_driver_sql(query)) for name, query in queries.items()
    }
    found["schema"] = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
print(json.dumps(found))
"""

Rows = dict[str, t.Any]


def load(database: Database, name: str, dump: str) -> None:
    """Make a database from a dump, as it was, and let MLflow's user read it."""
    database.execute(f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET latin1; GRANT ALL ON {name}.* TO mlflow@'%'")
    # The sandbox of MariaDB's client is no SQL.
    text = gzip.decompress((DUMPS / f"mlflow-{dump}.sql.gz").read_bytes()).decode()
    database.execute(text.partition("\n")[2], name)


def read(uri: str) -> Rows:
    done = subprocess.run([MLFLOW_VENV / "bin" / "python", "-W", "ignore", "-c", READ, uri], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def rewritten(rows: Rows, root: str) -> Rows:
    """The rows with all addresses below a root as the server gives them out."""
    places = {"runs": 7, "experiments": 3, "model_versions": 2}

    def address(text: str | None) -> str | None:
        return "mlflow-artifacts:/" + text.removeprefix(f"{root}/") if text and text.startswith(f"{root}/") else text

    return {
        name: sorted([address(value) if column == places.get(name) else value for column, value in enumerate(row)] for row in found)
        if isinstance(found, list)
        else found
        for name, found in rows.items()
    }


def import_database(stack: Stack, uri: str, step: str, *, program: list[str] | None = None, **more: str) -> tuple[int, dict[str, t.Any], str]:
    """Run the task to its end: its exit status, its answer, and all that it printed, in which there is no password."""
    command = program or python_command(PROGRAM, main="import_database.py")[1:]
    master = {"DATABASE_MASTER_USERNAME": stack.database.master_username, "DATABASE_MASTER_PASSWORD": stack.database.master_password}
    environment = stack.environment(uri, IMPORT_STEP=step, DATABASE_WAIT_SECONDS="20", PYTHONWARNINGS="ignore", **master) | more
    done = subprocess.run([MLFLOW_VENV / "bin" / "python", *command], env=environment, capture_output=True, text=True, timeout=900, check=False)
    output = done.stdout + done.stderr
    for secret in (stack.database.master_password, stack.password):
        assert secret not in output
    last = done.stdout.strip().splitlines()[-1:] or [""]
    return done.returncode, json.loads(last[0]) if last[0].startswith("{") else {}, output

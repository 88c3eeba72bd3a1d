# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that prepares the database, with the real MLflow on real databases."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.programs import python_command
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.database import backend_store_uri, derive_password
from runtime.containers import MLFLOW_VENV
from runtime.databases import ENGINES, Database, running

ROOT = Path(__file__).resolve().parents[2]
FILES = {name: (ROOT / "roles" / "ecs" / "files" / name).read_text() for name in ("prepare_database.py", "prepare_users.py")}
UNIQUE_NAME = "team-x"

# Makes a schema one revision older than MLflow's, with an experiment in it.
OLDER_SCHEMA = """
import os
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db import utils
engine = utils.create_sqlalchemy_engine(os.environ["MLFLOW_BACKEND_STORE_URI"])
utils.InitialBase.metadata.create_all(engine)
config = utils._get_alembic_config(str(engine.url))
head = ScriptDirectory.from_config(config).get_revision("head")
with engine.begin() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, head.down_revision)
with engine.begin() as connection:
    connection.exec_driver_sql(
        "INSERT INTO experiments (experiment_id, name, lifecycle_stage, workspace) VALUES (7, 'kept', 'active', 'default')"
    )
"""
# Makes the schema of MLflow 1.30.
SCHEMA_OF_1_30 = """
import os
from alembic import command
from mlflow.store.db import utils
engine = utils.create_sqlalchemy_engine(os.environ["MLFLOW_BACKEND_STORE_URI"])
utils.InitialBase.metadata.create_all(engine)
config = utils._get_alembic_config(str(engine.url))
with engine.begin() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, "97727af70f4d")
"""
NEW_URI_WORKS_AND_THE_OLD_DOES_NOT = """
import os, sys
import sqlalchemy
sqlalchemy.create_engine(os.environ["MLFLOW_BACKEND_STORE_URI"]).connect()
try:
    sqlalchemy.create_engine(sys.argv[1]).connect()
except sqlalchemy.exc.OperationalError:
    sys.exit(0)
sys.exit("the old password still works")
"""


class Stack:
    """A database server, and the collection's way with it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def uri(self, name: str, ca_file: str | None = None) -> str:
        return backend_store_uri(
            engine=self.database.engine,
            user="mlflow",
            password=self.password,
            host=self.database.host,
            port=self.database.port,
            database=name,
            ca_file=str(self.database.ca_file) if ca_file is None else ca_file,
        )

    @property
    def password(self) -> str:
        return derive_password(self.database.master_password, UNIQUE_NAME)

    def environment(self, uri: str, **more: str) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": "/tmp", "MLFLOW_BACKEND_STORE_URI": uri} | more

    def start(self, uri: str, **more: str) -> subprocess.Popen[str]:
        secrets = {
            "DATABASE_MASTER_USERNAME": self.database.master_username,
            "DATABASE_MASTER_PASSWORD": self.database.master_password,
            "DATABASE_WAIT_SECONDS": "20",
        }
        program = python_command(FILES, main="prepare_database.py")[1:] if "MLFLOW_USERS" in more else ["-c", FILES["prepare_database.py"]]
        return subprocess.Popen(
            [MLFLOW_VENV / "bin" / "python", *program], env=self.environment(uri, **secrets | more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def prepare(self, uri: str, **more: str) -> tuple[int, str]:
        """Run the task to its end: its exit status and all that it printed, in which there is no password."""
        process = self.start(uri, **more)
        output, _ignored = process.communicate(timeout=300)
        for secret in (self.database.master_password, self.password, more.get("DATABASE_MASTER_PASSWORD")):
            assert not secret or secret not in output
        return process.returncode, output

    def python(self, uri: str, code: str, *arguments: str) -> None:
        subprocess.run([MLFLOW_VENV / "bin" / "python", "-c", code, *arguments], env=self.environment(uri), check=True)

    def make_empty(self, name: str) -> None:
        """Make a database as the task does, when MLflow's user exists."""
        if self.database.engine == "aurora-mysql":
            self.database.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4; GRANT ALL ON {name}.* TO mlflow@'%'")
        else:
            self.database.execute(f"CREATE DATABASE {name} OWNER mlflow")

    def exists(self, name: str) -> bool:
        databases = "SHOW DATABASES" if self.database.engine == "aurora-mysql" else "SELECT datname FROM pg_database"
        return name in self.database.execute(databases).split()

    def tables(self, name: str) -> set[str]:
        schema = name if self.database.engine == "aurora-mysql" else "public"
        return set(self.database.execute(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'", name).split())

    def collations(self, name: str) -> set[str]:
        """Those of all text in a database of MySQL."""
        found = self.database.execute(
            f"SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = '{name}' AND collation_name IS NOT NULL"
        )
        return set(found.split())

    def revision(self, name: str) -> str:
        return self.database.execute("SELECT version_num FROM alembic_version", name)


@pytest.fixture(scope="module")
def stack(engine: str) -> Iterator[Stack]:
    """A database server on which the task has run once, for the database ``first``, which RDS made with the cluster."""
    assert MLFLOW_VENV.exists(), "run scripts/mlflow_venv"
    with running(engine) as database:
        database.directory.chmod(0o755)
        stack = Stack(database)
        database.make_database("first")
        status, output = stack.prepare(stack.uri("first"))
        assert status == 0, output
        assert "the database is empty" in output
        yield stack


def test_a_prepared_database_is_left_as_it_is(stack: Stack) -> None:
    stack.database.execute("CREATE TABLE keepsake (id INTEGER)", "first")
    before = stack.tables("first"), stack.revision("first")
    status, output = stack.prepare(stack.uri("first"))
    assert status == 0, output
    assert "empty" not in output and "upgrading" not in output
    assert (stack.tables("first"), stack.revision("first")) == before
    assert {"experiments", "runs"} < before[0] and "mlplatform_initialising" not in before[0]
    stack.database.execute("DROP TABLE keepsake", "first")


def test_a_changed_master_password_changes_that_of_mlflow(stack: Stack) -> None:
    old_uri, old_password = stack.uri("first"), stack.database.master_password
    stack.database.set_master_password("An0ther-password")
    status, output = stack.prepare(stack.uri("first"), DATABASE_MASTER_PASSWORD=old_password, DATABASE_WAIT_SECONDS="0")
    assert status == 1 and "failed: OperationalError" in output
    assert stack.prepare(stack.uri("first"))[0] == 0
    stack.python(stack.uri("first"), NEW_URI_WORKS_AND_THE_OLD_DOES_NOT, old_uri)


def test_a_first_run_that_was_killed_is_taken_up(stack: Stack) -> None:
    process = stack.start(stack.uri("killed_1"))
    deadline = time.monotonic() + 180
    while "experiments" not in (stack.tables("killed_1") if stack.exists("killed_1") else ()):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.05)
    process.kill()
    process.communicate()
    left = stack.tables("killed_1")
    assert "mlplatform_initialising" in left and not stack.tables("first") <= left
    status, output = stack.prepare(stack.uri("killed_1"))
    assert status == 0 and "starting over" in output, output
    assert stack.tables("killed_1") == stack.tables("first")
    assert stack.revision("killed_1") == stack.revision("first")


def test_an_older_schema_is_upgraded_only_when_that_is_allowed(stack: Stack) -> None:
    uri = stack.uri("older")
    stack.make_empty("older")
    stack.python(uri, OLDER_SCHEMA)
    # As if a server had used a database whose first preparation was killed: what it holds is never thrown away.
    stack.database.execute("CREATE TABLE mlplatform_initialising (id INTEGER)", "older")
    if stack.database.engine == "aurora-postgresql":
        stack.database.execute("ALTER TABLE mlplatform_initialising OWNER TO mlflow", "older")
    before = stack.revision("older")
    status, output = stack.prepare(uri)
    assert status == 3 and "refused: the schema" in output, output
    assert stack.revision("older") == before
    status, output = stack.prepare(uri, SCHEMA_UPGRADE="true")
    assert status == 0 and f"upgrading the schema from {before}" in output, output
    assert stack.revision("older") == stack.revision("first") != before
    assert stack.database.execute("SELECT name FROM experiments WHERE experiment_id = 7", "older") == "kept"
    assert stack.tables("older") == stack.tables("first")


@pytest.mark.parametrize(
    ("name", "sql", "said"),
    [
        (
            "newer",
            "CREATE TABLE alembic_version (version_num VARCHAR(32)); "
            "INSERT INTO alembic_version VALUES ('ffffffffffff'); CREATE TABLE experiments (id INTEGER)",
            "does not know the schema ffffffffffff",
        ),
        ("foreign", "CREATE TABLE invoices (id INTEGER)", "no MLflow schema"),
    ],
)
def test_a_schema_that_this_mlflow_does_not_know_is_refused(stack: Stack, name: str, sql: str, said: str) -> None:
    name = f"{name}_schema"
    stack.make_empty(name)
    stack.database.execute(sql, name)
    if stack.database.engine == "aurora-postgresql":
        for table in stack.tables(name):
            stack.database.execute(f"ALTER TABLE {table} OWNER TO mlflow", name)
    before = stack.tables(name)
    status, output = stack.prepare(stack.uri(name), SCHEMA_UPGRADE="true")
    assert status == 4 and said in output, output
    assert stack.tables(name) == before


# In PostgreSQL all tables of a database have its character set.
in_mysql = pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine == "aurora-mysql"], indirect=True)


@in_mysql
@pytest.mark.parametrize("characters", ["latin1", "utf8mb3"])
def test_an_upgrade_that_mysql_could_not_end_is_refused(stack: Stack, characters: str) -> None:
    """Not begun, and refused before that is allowed, too, while the servers run."""
    name = f"old_{characters}"
    stack.make_empty(name)
    stack.database.execute(f"ALTER DATABASE {name} CHARACTER SET {characters}")
    stack.python(stack.uri(name), SCHEMA_OF_1_30)
    before = stack.tables(name), stack.revision(name)
    for more in ({}, {"SCHEMA_UPGRADE": "true"}):
        status, output = stack.prepare(stack.uri(name), **more)
        answer = json.loads(output.splitlines()[-1])
        assert status == 6 and answer["schema"] == "97727af70f4d", output
        assert f"is in {characters}, and" in answer["reason"] and "experiment_tags, experiments," in answer["reason"]
        assert "docs/moving-in.md" in answer["reason"]
        assert (stack.tables(name), stack.revision(name)) == before


@in_mysql
def test_a_table_of_somebody_else_is_in_no_upgrades_way(stack: Stack) -> None:
    stack.make_empty("other_tables")
    stack.python(stack.uri("other_tables"), SCHEMA_OF_1_30)
    stack.database.execute("CREATE TABLE keepsake (name VARCHAR(9)) CHARACTER SET latin1; ALTER DATABASE other_tables CHARACTER SET latin1", "other_tables")
    assert stack.prepare(stack.uri("other_tables"))[0] == 3
    status, output = stack.prepare(stack.uri("other_tables"), SCHEMA_UPGRADE="true")
    assert status == 0, output
    assert {collation.partition("_")[0] for collation in stack.collations("other_tables")} == {"latin1", "utf8mb4"}
    stack.database.execute("DROP TABLE keepsake", "other_tables")
    assert stack.tables("other_tables") == stack.tables("first")


@in_mysql
def test_new_tables_are_like_those_that_they_refer_to(stack: Stack) -> None:
    """Whatever the database was made with: MySQL refuses a foreign key between two collations."""
    stack.make_empty("collated")
    stack.database.execute("ALTER DATABASE collated COLLATE utf8mb4_unicode_520_ci")
    stack.python(stack.uri("collated"), SCHEMA_OF_1_30)
    stack.database.execute("ALTER DATABASE collated COLLATE utf8mb4_general_ci")
    status, output = stack.prepare(stack.uri("collated"), SCHEMA_UPGRADE="true")
    assert status == 0, output
    assert stack.collations("collated") <= {"utf8mb4_unicode_520_ci", "utf8mb4_bin"}


@in_mysql
def test_an_empty_database_of_whatever_characters_gets_utf8mb4(stack: Stack) -> None:
    stack.make_empty("empty_latin1")
    stack.database.execute("ALTER DATABASE empty_latin1 CHARACTER SET latin1")
    status, output = stack.prepare(stack.uri("empty_latin1"))
    assert status == 0, output
    assert stack.collations("empty_latin1") == stack.collations("first")


OLDER_USERS = """
import os
from mlflow.server.auth.db import utils
from mlflow.store.db.utils import create_sqlalchemy_engine
engine = create_sqlalchemy_engine(os.environ["MLFLOW_BACKEND_STORE_URI"])
with engine.begin() as connection:
    connection.exec_driver_sql("INSERT INTO users (username, password_hash, is_admin) VALUES ('ada', 'x', true)")
    connection.exec_driver_sql("UPDATE alembic_version_auth SET version_num = 'e5f6a7b8c9d0'")
"""
"""The last of the migrations changes data alone, so that it can run twice."""
WITH_USERS = {"MLFLOW_USERS": "true"}


def users_revision(stack: Stack, name: str) -> str:
    return stack.database.execute("SELECT version_num FROM alembic_version_auth", name)


def test_the_tables_of_users_are_made_beside_the_others_and_kept(stack: Stack) -> None:
    status, output = stack.prepare(stack.uri("with_users"), **WITH_USERS)
    assert status == 0, output
    answer = json.loads(output.splitlines()[-1])
    assert answer["schema"] == f"{stack.revision('with_users')}+{users_revision(stack, 'with_users')}"
    assert {"users", "roles", "role_permissions", "user_role_assignments"} == (stack.tables("with_users") - stack.tables("first")) & {
        *("users", "roles", "role_permissions", "user_role_assignments", "experiments")
    }
    stack.database.execute("INSERT INTO users (username, is_admin) VALUES ('ada', true)", "with_users")
    for more in ({}, WITH_USERS):  # without, they are of no interest
        status, output = stack.prepare(stack.uri("with_users"), **more)
        assert status == 0 and (json.loads(output.splitlines()[-1]) == answer) == bool(more), output
    assert stack.database.execute("SELECT username FROM users", "with_users") == "ada"


def test_older_tables_of_users_are_upgraded_only_when_that_is_allowed(stack: Stack) -> None:
    uri = stack.uri("older_users")
    assert stack.prepare(uri, **WITH_USERS)[0] == 0
    head = users_revision(stack, "older_users")
    stack.python(uri, OLDER_USERS)
    status, output = stack.prepare(uri, **WITH_USERS)
    answer = json.loads(output.splitlines()[-1])
    assert status == 3 and answer["schema"] == f"{stack.revision('older_users')}+e5f6a7b8c9d0" and head in answer["reason"], output
    assert users_revision(stack, "older_users") == "e5f6a7b8c9d0"
    status, output = stack.prepare(uri, **WITH_USERS, SCHEMA_UPGRADE="true")
    assert status == 0 and json.loads(output.splitlines()[-1])["schema"].endswith(f"+{head}"), output
    assert stack.database.execute("SELECT username FROM users", "older_users") == "ada"
    stack.database.execute("UPDATE alembic_version_auth SET version_num = 'ffffffffffff'", "older_users")
    status, output = stack.prepare(uri, **WITH_USERS, SCHEMA_UPGRADE="true")
    assert status == 4 and "does not know the schema ffffffffffff of its users" in output, output


@in_mysql
def test_what_an_attempt_left_of_the_tables_of_users_is_made_anew(stack: Stack) -> None:
    uri = stack.uri("half_users")
    assert stack.prepare(uri)[0] == 0
    without = stack.tables("half_users")
    subprocess.run(  # as MLflow itself does it, which fails half-way
        [MLFLOW_VENV / "bin" / "python", "-m", "mlflow.server.auth", "db", "upgrade", "--url", uri],
        env=stack.environment(uri),
        check=False,
        capture_output=True,
    )
    assert stack.tables("half_users") - without == {"alembic_version_auth", "users", "experiment_permissions"}
    status, output = stack.prepare(uri, **WITH_USERS)
    assert status == 0, output
    assert stack.tables("half_users") == stack.tables("with_users")
    stack.database.execute("DELETE FROM alembic_version_auth; INSERT INTO roles (name, workspace) VALUES ('not', 'ours')", "half_users")
    status, output = stack.prepare(uri, **WITH_USERS)
    assert status == 1 and "the table roles is not MLflow's" in output, output


def test_it_waits_for_a_database_that_resumes(stack: Stack) -> None:
    stack.database.stop()
    process = stack.start(stack.uri("first"))
    assert process.stdout is not None
    assert "waiting for the database" in process.stdout.readline()
    stack.database.start()
    assert process.wait(300) == 0


@pytest.mark.parametrize("ca", ["", "other"])
def test_the_server_is_verified_when_there_are_certificates_to_verify_it_with(stack: Stack, ca: str, tmp_path: Path) -> None:
    if ca:
        ca = str(tmp_path / "other.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Other CA", "-keyout", tmp_path / "key", "-out", ca],
            check=True,
            capture_output=True,
        )
    status, output = stack.prepare(stack.uri("first", ca), DATABASE_WAIT_SECONDS="0")
    assert (status, "certificate verify failed" in output) == ((1, True) if ca else (0, False)), output


def test_postgresql_is_never_given_the_password(stack: Stack) -> None:
    if stack.database.engine == "aurora-postgresql":
        log = (stack.database.directory / "log").read_text()
        assert "ALTER ROLE" in log and stack.password not in log

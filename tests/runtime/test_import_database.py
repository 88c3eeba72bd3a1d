# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that imports a database, with the real MLflow on real databases: nothing is lost, whatever the old MLflow and the engines, and where it dies."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import typing as t
import urllib.request
from collections.abc import Iterator

import pytest
from embedded_aws.client import EmbeddedAWS
from runtime.databases import Database, MariaDB, free_port, running
from runtime.moving import PROGRAM, import_database, load, read, rewritten
from runtime.test_prepare_database import MLFLOW_VENV, Stack, in_mysql
from runtime.test_upgrade import OLD, OLD_MLFLOW, WRITE

ROOT = "s3://old-bucket"
DUMPS = {"1.9.1-latin1": "0a8213491aaa", "1.30.1-latin1": "97727af70f4d", "2.9.2-latin1": "acf3f17fdcc7"}
OLDEST, *FURTHER = DUMPS
LIVE = "0584bdc529eb"  # of MLflow 2.22.5, which fills databases here

# Runs the program again and again, each time until it dies: after each table that it copies, in the upgrade, and when the copy is being put in place.
DYING = """
import os, signal, sys
import import_database, copy_database, prepare_database
import sqlalchemy as sa

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def dying(method):
    def copy_rows(self):
        method(self)
        print("DIED after", self.name, flush=True)
        die()
    return copy_rows

def upgrade(copy):
    print("DIED in the upgrade", flush=True)
    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def note(connection, cursor, statement, *others):
        if statement.startswith("ALTER TABLE"):
            die()
    genuine["upgrade"](copy)

def put_in_place(copy, app):
    print("DIED when put in place", flush=True)
    @sa.event.listens_for(sa.Engine, "after_cursor_execute")
    def note(connection, cursor, statement, *others):
        if "RENAME" in statement:
            die()
    genuine["put_in_place"](copy, app)

genuine = {"upgrade": copy_database.upgrade, "put_in_place": copy_database.put_in_place}
deaths = 0
for change in ("copy", "upgrade", "place"):
    while True:
        pid = os.fork()
        if pid == 0:
            if change == "copy":
                copy_database.Pair.copy_rows = dying(copy_database.Pair.copy_rows)
                copy_database.upgrade = lambda copy: os._exit(7)
            elif change == "upgrade":
                copy_database.upgrade = upgrade
            else:
                import_database.put_in_place = put_in_place
            os._exit(import_database.main())
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        deaths += status == -9
        if change != "copy" or status != -9:
            break
print("DEATHS", deaths, flush=True)
sys.exit(import_database.main())
"""


@pytest.fixture(scope="module")
def old_server() -> Iterator[Database]:
    """The server of an old MLflow, with its databases."""
    with running("aurora-mysql", "ecs_task") as database:
        database.directory.chmod(0o755)
        database.execute("CREATE USER mlflow@'%' IDENTIFIED BY 'old-password'")
        for dump in DUMPS:
            load(database, name_of(dump), dump)
        yield database


@pytest.fixture(scope="module")
def stack(engine: str) -> Iterator[Stack]:
    with running(engine) as database:
        database.directory.chmod(0o755)
        yield Stack(database)


def name_of(dump: str) -> str:
    return "m" + dump.replace(".", "_").replace("-", "_")


def old_uri(database: Database, name: str) -> str:
    return f"mysql+pymysql://mlflow:old-password@localhost:{database.port}/{name}?ssl_check_hostname=false"


def checksum(database: Database, name: str) -> str:
    """Of all tables of a database of MariaDB."""
    tables = database.execute(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{name}'").split()
    return database.execute(f"CHECKSUM TABLE {', '.join(f'{name}.{table}' for table in sorted(tables))}")


def new_stack(stack: Stack, name: str) -> str:
    """The URI of a stack's database, as a first deployment leaves it behind."""
    status, output = stack.prepare(stack.uri(name))
    assert status == 0, output
    return stack.uri(name)


def triggers(stack: Stack, name: str) -> list[str]:
    """Those of a database, which the migrations of MLflow have made."""
    of_database = {"aurora-mysql": f"trigger_schema = '{name}'", "aurora-postgresql": "trigger_schema = 'public'"}[stack.database.engine]
    return stack.database.execute(f"SELECT trigger_name FROM information_schema.triggers WHERE {of_database}", name).split()


def without_schema(rows: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: found for name, found in rows.items() if name != "schema"}


@pytest.mark.parametrize("dump", [OLDEST, *(pytest.param(dump, marks=pytest.mark.large) for dump in FURTHER)])
def test_a_database_in_latin1_is_imported_whole(stack: Stack, old_server: Database, dump: str) -> None:
    old, name = old_uri(old_server, name_of(dump)), name_of(dump)
    uri = new_stack(stack, name)
    before, empty, unchanged, made = read(old), read(uri), checksum(old_server, name), triggers(stack, name)
    source = {"IMPORT_SOURCE": old, "IMPORT_ARTIFACT_ROOT": ROOT}

    status, rehearsal, output = import_database(stack, uri, "rehearse", **source)
    assert status == 0 and rehearsal["seconds"].keys() == {"schema", "copy", "compare", "upgrade", "addresses"}, output
    assert rehearsal["revision"] == DUMPS[dump] and rehearsal["rows"]["metrics"] == len(before["metrics"]) == 920
    assert rehearsal["artifacts"]["runs.artifact_uri"] == {ROOT: len(before["runs"])}
    assert read(uri) == empty and not stack.exists(f"{name}_rehearsal")

    status, done, output = import_database(stack, uri, "import", **source)
    assert status == 0 and "old-password" not in output, output
    after = read(uri)
    assert without_schema(after) == without_schema(rewritten(before, ROOT)) and after["schema"] == empty["schema"]
    assert read(stack.uri(done["kept"])) == empty
    assert triggers(stack, name) == triggers(stack, done["kept"]) == made != []
    assert checksum(old_server, name) == unchanged and read(old) == before

    status, again, output = import_database(stack, uri, "import", **source)
    assert status == 0 and again["done"], output
    assert stack.prepare(uri)[0] == 0 and read(uri) == after  # as the servers are started
    if stack.database.engine == "aurora-mysql":
        assert {collation.partition("_")[0] for collation in stack.collations(name)} == {"utf8mb4"}


ARTIFACTS = """
import sys, mlflow
from mlflow import MlflowClient
uri, run, experiment = sys.argv[1:]
client = MlflowClient(uri)
assert [f.path for f in client.list_artifacts(run)] == ["model"], client.list_artifacts(run)
assert open(client.download_artifacts(run, "model/MLmodel")).read() == "old"
new = client.create_run(experiment)
client.log_text(new.info.run_id, "new", "new.txt")
mlflow.set_tracking_uri(uri)
assert open(mlflow.artifacts.download_artifacts("models:/Fraud Model/1/MLmodel")).read() == "old"
print("REACHED", new.info.artifact_uri)
"""


def bucket(aws: EmbeddedAWS, name: str) -> t.Any:
    """S3, where the bucket is, in an account that other tests go on using."""
    s3 = aws.client("s3")
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return s3


def test_clients_without_credentials_reach_old_artifacts_and_log_to_old_experiments(stack: Stack, old_server: Database, aws_server: EmbeddedAWS) -> None:
    name = name_of("1.30.1-latin1")
    uri = new_stack(stack, "artifacts")
    status, _answer, output = import_database(stack, uri, "import", IMPORT_SOURCE=old_uri(old_server, name), IMPORT_ARTIFACT_ROOT=ROOT)
    assert status == 0, output
    (source, run), *_others = [(version[2], version[3]) for version in read(old_uri(old_server, name))["model_versions"]]
    s3 = bucket(aws_server, "old-bucket")
    s3.put_object(Bucket="old-bucket", Key=f"{source.removeprefix(ROOT)[1:]}/MLmodel", Body=b"old")
    experiment = source.removeprefix(ROOT)[1:].split("/")[0]
    port = free_port()
    environment = {
        "PATH": f"{MLFLOW_VENV / 'bin'}:/usr/bin:/bin",
        "HOME": "/tmp",
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_SERVE_ARTIFACTS": "true",
        "MLFLOW_ARTIFACTS_DESTINATION": ROOT,
        "MLFLOW_PORT": str(port),
        "AWS_ENDPOINT_URL": aws_server.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    server = subprocess.Popen([MLFLOW_VENV / "bin" / "mlflow", "server"], env=environment, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        client = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "AWS_EC2_METADATA_DISABLED": "true"}
        command = [MLFLOW_VENV / "bin" / "python", "-W", "ignore", "-c", ARTIFACTS, f"http://127.0.0.1:{port}", run, experiment]
        done = subprocess.run(command, env=client, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and f"REACHED mlflow-artifacts:/{experiment}/" in done.stdout, done.stdout + done.stderr
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    assert any(item["Key"].endswith("new.txt") for item in s3.list_objects_v2(Bucket="old-bucket", Prefix=f"{experiment}/")["Contents"])


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 300
    while True:
        try:
            return urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.5)


def test_it_goes_on_wherever_it_died(stack: Stack, old_server: Database, tmp_path: t.Any) -> None:
    for name, text in PROGRAM.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "dying.py").write_text(DYING)
    name = name_of("2.9.2-latin1")
    uri = new_stack(stack, "killed")
    before, unchanged, made = read(old_uri(old_server, name)), checksum(old_server, name), triggers(stack, "killed")
    status, _answer, output = import_database(stack, uri, "import", program=[str(tmp_path / "dying.py")], IMPORT_SOURCE=old_uri(old_server, name))
    tables = {line.split()[2] for line in output.splitlines() if line.startswith("DIED after")}
    assert status == 0 and {"experiments", "runs", "metrics", "params", "tags", "model_versions"} < tables, output
    assert f"DEATHS {len(tables) + 2}" in output and "DIED in the upgrade" in output and "DIED when put in place" in output
    assert without_schema(read(uri)) == without_schema(before) and triggers(stack, "killed") == made != []
    assert checksum(old_server, name) == unchanged and not stack.exists("killed_import")


# Ends when the copy has been compared.
COMPARED = "import os, import_database, copy_database\ncopy_database.upgrade = lambda copy: os._exit(7)\nos._exit(import_database.main())"


def test_a_value_that_was_changed_after_a_run_died_is_not_lost(stack: Stack, old_server: Database, tmp_path: t.Any) -> None:
    """Though there are as many rows as before."""
    for name, text in {**PROGRAM, "ending.py": COMPARED}.items():
        (tmp_path / name).write_text(text)
    uri, old = new_stack(stack, "changing"), old_uri(old_server, "changing")
    load(old_server, "changing", "1.30.1-latin1")
    stack.database.make_database("changing_import")  # where a run died before MLflow's user had rights in it
    status, _answer, output = import_database(stack, uri, "import", program=[str(tmp_path / "ending.py")], IMPORT_SOURCE=old)
    assert status == 7, output
    old_server.execute("UPDATE tags SET value = 'changed' LIMIT 1", "changing")
    status, _answer, output = import_database(stack, uri, "import", IMPORT_SOURCE=old)
    assert status == 0 and "starting over" in output, output
    assert without_schema(read(uri)) == without_schema(read(old))


def test_a_database_of_others_is_not_taken_for_a_copy(stack: Stack, old_server: Database) -> None:
    uri = new_stack(stack, "taken")
    stack.database.make_database("taken_import")
    stack.database.execute("CREATE TABLE invoices (id INTEGER); INSERT INTO invoices VALUES (1)", "taken_import")
    before = read(uri)
    status, answer, output = import_database(stack, uri, "import", IMPORT_SOURCE=old_uri(old_server, name_of("1.30.1-latin1")))
    assert status == 4 and "taken_import" in answer["reason"], output
    assert read(uri) == before and stack.database.execute("SELECT COUNT(*) FROM invoices", "taken_import") == "1"


@pytest.mark.parametrize("old_engine", ["aurora-mysql", "aurora-postgresql", "sqlite"])
def test_a_database_of_any_engine_is_imported(stack: Stack, old_engine: str, tmp_path: t.Any, aws_server: EmbeddedAWS) -> None:
    """That MLflow 2.22 has filled, with traces, inputs and aliases."""
    name = f"from_{old_engine.replace('-', '_')}"
    uri = new_stack(stack, name)
    if old_engine == "sqlite":
        file = tmp_path / "mlflow.db"
        fill(f"sqlite:///{file}")
        before = read(f"sqlite:///{file}")
        bucket(aws_server, "old-files").upload_file(str(file), "old-files", "mlflow.db")
        source = {
            "IMPORT_SQLITE": "s3://old-files/mlflow.db",
            "AWS_ENDPOINT_URL": aws_server.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "TMPDIR": str(tmp_path),
        }
        status, _answer, output = import_database(stack, uri, "import", **source)
    else:
        with running(old_engine) as database:
            database.directory.chmod(0o755)
            old = Stack(database)
            assert old.prepare(old.uri("old"), **OLD)[0] == 0
            fill(old.uri("old"))
            before = read(old.uri("old"))
            status, _answer, output = import_database(stack, uri, "import", IMPORT_SOURCE=old.uri("old"))
            assert read(old.uri("old")) == before
    assert status == 0 and before["schema"] == LIVE, output
    assert without_schema(read(uri)) == without_schema(before) and len(before["metrics"]) == 1000
    assert int(stack.database.execute("SELECT COUNT(*) FROM trace_info", name)) == 5
    number = 'SELECT COUNT(*) FROM registered_model_aliases WHERE "version" = 2'.replace('"', "`" if isinstance(stack.database, MariaDB) else '"')
    assert int(stack.database.execute(number, name)) == 1
    create = "import os, mlflow; mlflow.set_tracking_uri(os.environ['MLFLOW_BACKEND_STORE_URI']); mlflow.create_experiment('new', 's3://b')"
    stack.python(uri, create)  # numbered after those that were copied


def fill(uri: str) -> None:
    assert OLD_MLFLOW.exists(), "run scripts/mlflow_venv"
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "MLFLOW_BACKEND_STORE_URI": uri, **OLD}
    subprocess.run([MLFLOW_VENV / "bin" / "python", "-W", "ignore", "-c", WRITE], env=environment, check=True)


@in_mysql
def test_the_own_database_in_latin1_is_replaced_by_a_copy(stack: Stack) -> None:
    new_stack(stack, "anything")  # makes MLflow's user
    load(stack.database, "own", "1.30.1-latin1")
    uri, before = stack.uri("own"), read(stack.uri("own"))
    assert stack.prepare(uri, SCHEMA_UPGRADE="true")[0] == 6
    status, rehearsal, output = import_database(stack, uri, "rehearse")
    assert status == 0 and rehearsal["seconds"]["copy"] >= 0 and read(uri) == before, output
    status, done, output = import_database(stack, uri, "import")
    assert status == 0, output
    assert without_schema(read(uri)) == without_schema(before) == without_schema(read(stack.uri(done["kept"])))
    assert stack.prepare(uri)[0] == 0 and {collation.partition("_")[0] for collation in stack.collations("own")} == {"utf8mb4"}
    assert import_database(stack, uri, "import")[1]["done"]


REFUSED = [
    ("newer_schema", "UPDATE alembic_version SET version_num = 'ffffffffffff'", "does not know the schema ffffffffffff"),
    ("no_schema", "DROP TABLE alembic_version", "no schema of MLflow"),
    ("foreign_table", "CREATE TABLE invoices (id INTEGER); INSERT INTO invoices VALUES (1)", "not MLflow's: invoices"),
    ("unknown_column", "ALTER TABLE runs ADD COLUMN price INTEGER", "columns that MLflow does not know: price"),
]


@pytest.mark.parametrize(("name", "sql", "said"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_cannot_be_copied_is_refused_and_nothing_is_changed(stack: Stack, old_server: Database, name: str, sql: str, said: str) -> None:
    uri = new_stack(stack, "refusing")
    load(old_server, name, "1.30.1-latin1")
    old_server.execute(sql, name)
    before = read(uri), checksum(old_server, name)
    status, answer, output = import_database(stack, uri, "import", IMPORT_SOURCE=old_uri(old_server, name))
    assert status == 4 and said in answer["reason"] and "old-password" not in output, output
    assert (read(uri), checksum(old_server, name)) == before


def test_a_stack_that_is_used_is_refused(stack: Stack, old_server: Database) -> None:
    uri = new_stack(stack, "used")
    stack.python(uri, "import os, mlflow; mlflow.set_tracking_uri(os.environ['MLFLOW_BACKEND_STORE_URI']); mlflow.create_experiment('mine', 's3://b')")
    before = read(uri)
    status, answer, output = import_database(stack, uri, "rehearse", IMPORT_SOURCE=old_uri(old_server, name_of("1.30.1-latin1")))
    assert status == 4 and "has 2 experiments already" in answer["reason"], output
    assert read(uri) == before


def test_an_old_database_that_cannot_be_reached_is_told_without_its_password(stack: Stack) -> None:
    uri = new_stack(stack, "unreachable")
    status, _answer, output = import_database(stack, uri, "rehearse", IMPORT_SOURCE="mysql://mlflow:old-password@localhost:1/mlflow?connect_timeout=1")
    assert status == 1 and "failed: OperationalError" in output and "old-password" not in output

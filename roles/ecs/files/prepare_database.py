# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare the database that an MLflow server is about to use: its account, its database and its schema.

A one-off ECS task runs this text with ``python -c`` in the server's own image, because only that image knows which
schema its MLflow needs. It can be run again at any time, also after a run that was killed.

Environment:
  MLFLOW_BACKEND_STORE_URI  the URI that the server will use; its user, password and database are what is prepared
  DATABASE_HOST             a host in place of the URI's, for a database that will have its place
  DATABASE_MASTER_USERNAME, DATABASE_MASTER_PASSWORD
  MLFLOW_USERS              "true" where MLflow's own auth app runs, whose tables are made or upgraded too (prepare_users.py, beside this text)
  SCHEMA_UPGRADE            "true" allows the upgrade of a schema that is older than this MLflow (back it up before)
  DATABASE_WAIT_SECONDS     how long to wait for the database to accept connections (default 300)

Exit status:
  0  prepared
  1  failed; a schema that was to be upgraded is as it was
  3  refused, with nothing changed: the schema is older than this MLflow, and SCHEMA_UPGRADE is not set
  4  refused, with nothing changed: the schema is not one that this MLflow knows: it is newer, or not MLflow's
  5  the upgrade failed, and has or may have changed the schema
  6  refused, with nothing changed: the schema is older, and MySQL could not upgrade it to the end, as its text is not in utf8mb4

With 0, 3, 4 and 6 the last line of the output is a JSON object: the ``schema`` that the database has, the ``head`` that
this MLflow needs, and the ``reason`` of a refusal. With MLFLOW_USERS the schema ends in ``+`` and that of the users.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager

import sqlalchemy
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from mlflow.store.db import utils as mlflow_db
from mlflow.store.db.base_sql_model import Base
from sqlalchemy.pool import NullPool

# Present while the first schema is being made. MySQL cannot roll DDL back, so what a killed first run leaves behind
# is thrown away and made again.
MARKER = "mlplatform_initialising"
LOCK = "mlplatform.mlflow_aws"


# The statements with which MySQL commits all that was done before them.
DDL = ("ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE")


class Refused(Exception):
    """The schema is not one that this run may serve; ``status`` is the exit status, ``revision`` what the schema is."""

    def __init__(self, status: int, revision: str | None, message: str) -> None:
        super().__init__(message)
        self.status, self.revision = status, revision


class HalfDone(Exception):
    """An upgrade failed, and the schema may be neither the old nor the new one."""


def say(message: str) -> None:
    print(message, flush=True)


def target() -> sqlalchemy.URL:
    """Return the URI of the database that is prepared."""
    uri = sqlalchemy.make_url(os.environ["MLFLOW_BACKEND_STORE_URI"])
    host = os.environ.get("DATABASE_HOST")
    return uri.set(host=host) if host else uri


def connect_as_master(app: sqlalchemy.URL, wait_seconds: float) -> sqlalchemy.Connection:
    """Return an autocommitting connection of the master user, outside MLflow's database, once the server accepts one.

    A paused Aurora takes up to half a minute to resume, and a changed master password a minute or so to apply.
    """
    url = app.set(
        username=os.environ["DATABASE_MASTER_USERNAME"],
        password=os.environ["DATABASE_MASTER_PASSWORD"],
        database="postgres" if app.get_backend_name() == "postgresql" else "",
    )
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool, hide_parameters=True, connect_args={"connect_timeout": 10})
    deadline = time.monotonic() + wait_seconds
    delay = 1.0
    while True:
        try:
            return engine.connect()
        except sqlalchemy.exc.OperationalError as error:
            if time.monotonic() + delay > deadline:
                raise
            say(f"waiting for the database: {masked(error.orig)}")
            time.sleep(delay)
            delay = min(2 * delay, 10)


@contextmanager
def exclusive(master: sqlalchemy.Connection):
    """Let one preparation run at a time: a retried task must not meet the one that it replaces."""
    if master.dialect.name == "postgresql":
        master.exec_driver_sql("SET lock_timeout = '600s'")
        master.exec_driver_sql("SELECT pg_advisory_lock(hashtext(%s))", (LOCK,))
    elif master.exec_driver_sql("SELECT GET_LOCK(%s, 600)", (LOCK,)).scalar() != 1:
        raise RuntimeError("another preparation of this database has been running for 10 minutes")
    yield  # The lock goes with the connection.


def prepare_account(master: sqlalchemy.Connection, app: sqlalchemy.URL) -> None:
    """Make MLflow's user, or set its password, and its database, in which it may do anything."""
    quoted = master.dialect.identifier_preparer.quote_identifier
    if master.dialect.name == "postgresql":
        from psycopg2.extensions import encrypt_password

        user, database = quoted(app.username), quoted(app.database)
        exists = master.exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = %s", (app.username,)).scalar()
        verb = "ALTER" if exists else "CREATE"
        # Hashed here: PostgreSQL may log the statements that it is given.
        verifier = encrypt_password(app.password, app.username, master.connection.dbapi_connection)
        master.exec_driver_sql(f"{verb} ROLE {user} LOGIN PASSWORD %s", (verifier,))
        # The master of RDS is no superuser: it gives a database to a role of which it is a member.
        master.exec_driver_sql(f"GRANT {user} TO CURRENT_USER")
        if not master.exec_driver_sql("SELECT 1 FROM pg_database WHERE datname = %s", (app.database,)).scalar():
            master.exec_driver_sql(f"CREATE DATABASE {database}")
        master.exec_driver_sql(f"ALTER DATABASE {database} OWNER TO {user}")
    else:
        master.exec_driver_sql(f"CREATE DATABASE IF NOT EXISTS {quoted(app.database)} CHARACTER SET utf8mb4")
        for verb in ("CREATE USER IF NOT EXISTS", "ALTER USER"):
            master.exec_driver_sql(f"{verb} %s@'%%' IDENTIFIED BY %s REQUIRE SSL", (app.username, app.password))
        # In a grant the database's name is a pattern.
        pattern = quoted(app.database.replace("_", r"\_"))
        master.exec_driver_sql(f"GRANT ALL PRIVILEGES ON {pattern}.* TO %s@'%%'", (app.username,))
    say(f"user {app.username} and database {app.database} are ready")


def tables(engine: sqlalchemy.Engine) -> set[str]:
    return set(sqlalchemy.inspect(engine).get_table_names())


def discard_unfinished(master: sqlalchemy.Connection, app: sqlalchemy.URL, engine: sqlalchemy.Engine) -> None:
    """Drop the database where a first run was killed and, as its experiments show, no server has ever used it."""
    found = tables(engine)
    if MARKER not in found or mlflow_db._get_schema_version(engine) == mlflow_db._get_latest_schema_revision():
        return
    if "experiments" in found:
        with engine.connect() as connection:
            if connection.exec_driver_sql("SELECT 1 FROM experiments LIMIT 1").scalar():
                return
    say("an earlier run did not finish the first schema: starting over")
    engine.dispose()
    master.exec_driver_sql(f"DROP DATABASE {master.dialect.identifier_preparer.quote_identifier(app.database)}")
    prepare_account(master, app)


def check_first(master: sqlalchemy.Connection, app: sqlalchemy.URL) -> None:
    """Raise ``Refused`` for a schema that this run may not serve, before anything is changed, such as a password."""
    catalogue = "pg_database WHERE datname" if master.dialect.name == "postgresql" else ("information_schema.schemata WHERE schema_name")
    if not master.exec_driver_sql(f"SELECT 1 FROM {catalogue} = %s", (app.database,)).scalar():
        return
    engine = sqlalchemy.create_engine(master.engine.url.set(database=app.database), poolclass=NullPool, hide_parameters=True)
    try:
        found = tables(engine)
        revision = mlflow_db._get_schema_version(engine)
    except sqlalchemy.exc.ProgrammingError:
        return  # The master may not read MLflow's tables yet: MLflow's user will.
    if found and MARKER not in found:
        check_upgrade(engine, revision, mlflow_db._get_latest_schema_revision())
        check_users(engine, revision)


def prepare_schema(engine: sqlalchemy.Engine) -> str:
    """Bring the schema to the revision that this MLflow needs, with the functions that MLflow itself uses; return it.

    Raises ``Refused`` where that needs a permission or another MLflow.
    """
    head = mlflow_db._get_latest_schema_revision()
    found = tables(engine)
    if not found - {MARKER}:
        say(f"the database is empty: making the schema {head}")
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {MARKER} (id INTEGER)")
        use_utf8mb4(engine)
        mlflow_db._initialize_tables(engine)
    revision = mlflow_db._get_schema_version(engine)
    check_users(engine, revision)
    if revision != head:
        check_upgrade(engine, revision, head)
        use_utf8mb4(engine)
        say(f"upgrading the schema from {revision} to {head}")
        upgrade(engine, revision)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {MARKER}")
    say(f"the schema is {head}, as this MLflow needs it")
    return head if users() is None else f"{head}+{prepare_users(engine, upgraded=revision != head)}"


def users():
    """Return the module about the tables of MLflow's own auth app, or None where that does not run."""
    if os.environ.get("MLFLOW_USERS") != "true":
        return None
    try:
        import prepare_users
    except ImportError as error:
        raise RuntimeError(f"the image has no auth app of MLflow: use one with MLflow's extra auth, such as the tag v3.18.0-full ({error})") from None
    return prepare_users


def check_users(engine: sqlalchemy.Engine, schema: str | None) -> None:
    """Raise ``Refused`` where there are users in tables that this MLflow does not know, or that must be upgraded without permission."""
    tables_of_users = users()
    if tables_of_users is None or not tables_of_users.are_used(engine):
        return
    found, head = tables_of_users.revision(engine), tables_of_users.head()
    try:
        tables_of_users.scripts().get_revision(found)
    except CommandError:
        raise Refused(4, f"{schema}+{found}", f"this MLflow does not know the schema {found} of its users (its newest is {head}): use a newer image") from None
    if found != head and os.environ.get("SCHEMA_UPGRADE") != "true":
        raise Refused(3, f"{schema}+{found}", f"the schema {found} of MLflow's users is older than {head}, which this MLflow needs: it must be upgraded")


def prepare_users(engine: sqlalchemy.Engine, *, upgraded: bool) -> str:
    """Make or upgrade the tables of MLflow's users and return their revision. Raises ``HalfDone`` unless a failure has left all as it was."""
    tables_of_users = users()
    used = tables_of_users.are_used(engine)
    try:
        revision = tables_of_users.prepare(engine)
    except Exception as error:
        if not (used or upgraded):
            raise
        raise HalfDone(f"{type(error).__name__}: {masked(getattr(error, 'orig', None) or error)}") from None
    say(f"the tables of MLflow's users are {revision}")
    return revision


def upgrade(engine: sqlalchemy.Engine, revision: str) -> None:
    """Upgrade the schema from ``revision``. Raises ``HalfDone`` unless a failure has left the schema as it was.

    PostgreSQL takes back what a failed upgrade did. MySQL takes back nothing from the first changed table on.
    """
    committed = []

    def note(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        if engine.dialect.name == "mysql" and statement.lstrip().upper().startswith(DDL):
            committed.append(statement)

    sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    try:
        mlflow_db._upgrade_db(engine)
    except Exception as error:
        try:
            unchanged = not committed and mlflow_db._get_schema_version(engine) == revision
        except sqlalchemy.exc.SQLAlchemyError:
            unchanged = False
        if unchanged:
            raise
        raise HalfDone(f"{type(error).__name__}: {masked(getattr(error, 'orig', None) or error)}") from None
    finally:
        sqlalchemy.event.remove(engine, "before_cursor_execute", note)


def use_utf8mb4(engine: sqlalchemy.Engine) -> None:
    """Have MySQL make new tables in utf8mb4, whatever the database was made with, and like those that they will refer to."""
    if engine.dialect.name != "mysql":
        return
    with engine.begin() as connection:
        database, default = connection.exec_driver_sql(
            "SELECT schema_name, default_collation_name FROM information_schema.schemata WHERE schema_name = DATABASE()"
        ).one()
        collation = connection.exec_driver_sql(
            "SELECT table_collation FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'runs'"
        ).scalar()
        if default != collation and (collation or not default.startswith("utf8mb4")):
            quoted = engine.dialect.identifier_preparer.quote_identifier(database)
            like = f" COLLATE {collation}" if collation else ""
            connection.exec_driver_sql(f"ALTER DATABASE {quoted} CHARACTER SET utf8mb4{like}")


def check_characters(engine: sqlalchemy.Engine, revision: str) -> None:
    """Raise ``Refused`` where MLflow's tables are not in utf8mb4: MySQL would carry out the upgrade by half.

    Some of its steps make columns in a collation of utf8mb4, or tables that refer to the old ones.
    """
    if engine.dialect.name != "mysql":
        return
    with engine.connect() as connection:
        columns = connection.exec_driver_sql(
            "SELECT table_name, character_set_name FROM information_schema.columns WHERE table_schema = DATABASE() AND character_set_name <> 'utf8mb4'"
        ).all()
    old = {(table, characters) for table, characters in columns if table in Base.metadata.tables}
    if old:
        names = sorted({table for table, _characters in old})
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise Refused(
            6,
            revision,
            f"the schema {revision} must be upgraded, and that would fail half-way: the text in the tables {', '.join(names[:5])}{more} is in "
            f"{', '.join(sorted({characters for _table, characters in old}))}, and this MLflow needs utf8mb4. The playbook "
            "import copies it into a new one, with mlflow_import_own_database (docs/moving-in.md)",
        )


def check_upgrade(engine: sqlalchemy.Engine, revision: str | None, head: str) -> None:
    """Raise ``Refused`` unless ``revision`` is ``head``, or an older one of this MLflow's and the upgrade is possible and allowed."""
    if revision == head:
        return
    if revision is None:
        raise Refused(4, revision, "the database holds tables, but no MLflow schema: give MLflow a database of its own")
    try:
        ScriptDirectory.from_config(mlflow_db._get_alembic_config("")).get_revision(revision)
    except CommandError:
        raise Refused(4, revision, f"this MLflow does not know the schema {revision} (its newest is {head}): use a newer image") from None
    check_characters(engine, revision)
    if os.environ.get("SCHEMA_UPGRADE") != "true":
        raise Refused(3, revision, f"the schema {revision} is older than {head}, which this MLflow needs: it must be upgraded")


def masked(error: object) -> str:
    """Return the error's text without the URI and the passwords."""
    text = str(error).strip()
    uri = os.environ.get("MLFLOW_BACKEND_STORE_URI", "")
    password = uri.partition("://")[2].partition("@")[0].partition(":")[2]
    for secret in (uri, password, os.environ.get("DATABASE_MASTER_PASSWORD")):
        text = text.replace(secret, "***") if secret else text
    return text


def answer(schema: str | None, head: str, reason: str = "") -> None:
    """Say what was found, for whoever started the task to read."""
    say(json.dumps({"schema": schema, "head": head, "reason": reason}))


def main() -> int:
    try:
        app = target()
        with connect_as_master(app, float(os.environ.get("DATABASE_WAIT_SECONDS", "300"))) as master, exclusive(master):
            check_first(master, app)
            prepare_account(master, app)
            engine = mlflow_db.create_sqlalchemy_engine(app.render_as_string(hide_password=False))
            try:
                discard_unfinished(master, app, engine)
                schema = prepare_schema(engine)
            finally:
                engine.dispose()
        answer(schema, schema)
    except Refused as refused:
        say(f"refused: {refused}")
        answer(refused.revision, mlflow_db._get_latest_schema_revision(), str(refused))
        return refused.status
    except HalfDone as error:
        say(f"the upgrade failed, and the schema may be changed: {error}")
        return 5
    except Exception as error:
        say(f"failed: {type(error).__name__}: {masked(getattr(error, 'orig', None) or error)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of MLflow's own auth app: users, and what is granted to them. They are in MLflow's database, with a schema version of their own.

MLflow 3.18 cannot make them in MySQL: its first migration gives two foreign keys one name (mlflow#9642, #10964). MySQL does not roll DDL back, so
that what is there without a user is of an attempt that did not end, or was never used, and is made anew.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from mlflow.server.auth.db import utils

VERSIONS, USERS = "alembic_version_auth", "users"
TAKEN_NAME, FREE_NAME = "CONSTRAINT fk_user_id ", "CONSTRAINT fk_user_id_registered_model "


def scripts() -> ScriptDirectory:
    """Return the migrations of this MLflow."""
    return ScriptDirectory.from_config(utils._get_alembic_config(""))


def head() -> str:
    """Return the revision that this MLflow needs."""
    return scripts().get_current_head()


def revision(engine: sqlalchemy.Engine) -> str | None:
    """Return the revision of the tables that there are."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection, opts={"version_table": VERSIONS}).get_current_revision()


def are_used(engine: sqlalchemy.Engine) -> bool:
    """Return whether there is a user."""
    return _has_rows(engine, USERS)


def prepare(engine: sqlalchemy.Engine) -> str:
    """Make the tables, or upgrade them, and return their revision."""
    if revision(engine) != head():
        if engine.dialect.name == "mysql" and not are_used(engine):
            _discard(engine)
        with _names_that_mysql_takes(engine):
            utils.migrate(engine, "head")
    return head()


def _has_rows(engine: sqlalchemy.Engine, table: str) -> bool:
    if not sqlalchemy.inspect(engine).has_table(table):
        return False
    with engine.connect() as connection:
        quoted = engine.dialect.identifier_preparer.quote_identifier(table)
        return connection.exec_driver_sql(f"SELECT 1 FROM {quoted} LIMIT 1").scalar() is not None


def _tables() -> list[str]:
    """Return the names of the tables that the migrations make, as they do in an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        engine = sqlalchemy.create_engine(f"sqlite:///{Path(folder, 'users.db')}")
        try:
            utils.migrate(engine, "head")
            return sqlalchemy.inspect(engine).get_table_names()
        finally:
            engine.dispose()


def _discard(engine: sqlalchemy.Engine) -> None:
    """Drop the tables of an attempt that did not end. Nothing is in them."""
    found = set(sqlalchemy.inspect(engine).get_table_names()) & set(_tables())
    for table in sorted(found - {VERSIONS}):
        if _has_rows(engine, table):
            raise RuntimeError(f"the table {table} is not MLflow's, which needs one of that name for its users: give MLflow a database of its own")
    quoted = engine.dialect.identifier_preparer.quote_identifier
    with engine.connect() as connection:
        connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 0")
        for table in sorted(found):
            connection.exec_driver_sql(f"DROP TABLE {quoted(table)}")
        connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 1")


@contextmanager
def _names_that_mysql_takes(engine: sqlalchemy.Engine):
    """Let the second foreign key of one name have another one. Migrations connect by an engine of their own."""

    def rename(_connection, _cursor, statement, parameters, _context, _many):
        if "CREATE TABLE registered_model_permissions" in statement:
            statement = statement.replace(TAKEN_NAME, FREE_NAME)
        return statement, parameters

    if engine.dialect.name == "mysql":
        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", rename, retval=True)
    try:
        yield
    finally:
        if engine.dialect.name == "mysql":
            sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", rename)

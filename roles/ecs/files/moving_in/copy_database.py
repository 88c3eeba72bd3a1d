# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy: made beside the stack's database, compared with the old one, upgraded, and put in place."""

from __future__ import annotations

import os
import time
import typing as t
from datetime import datetime, timezone

import prepare_database as prepare
import sqlalchemy as sa
from addresses import COLUMNS, SERVED, TAG, below
from alembic import command
from mlflow.store.db import utils as mlflow_db
from mlflow.store.db.base_sql_model import Base
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase
from old_database import MARKS, NOT_COPIED, Source, fingerprint_by, kind_of, refuse
from prepare_database import say
from rows import Fingerprint, fingerprint
from sqlalchemy.pool import NullPool

ROWS_AT_ONCE = 1000
SUFFIX = "_import"
"""Of the name of the copy that gets the stack's."""
AWAY, IN = "trigger away ", "trigger in "
"""How the marks begin that keep the triggers of the database that goes, and of the one that takes its place."""
STREAMING = {"stream_results": True, "max_row_buffer": ROWS_AT_ONCE}
# Whatever the parameter group says: nothing is cut, and the experiment Default keeps the number 0.
SQL_MODE = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
TYPES: dict[str, t.Any] = {
    "boolean": sa.Boolean,
    "float": sa.Float,
    "integer": sa.BigInteger,
    "text": sa.Text,
    "binary": sa.LargeBinary,
    "json": sa.JSON(none_as_null=True),
}


def exists(master: sa.Connection, database: str) -> bool:
    catalogue = "pg_database WHERE datname" if master.dialect.name == "postgresql" else "information_schema.schemata WHERE schema_name"
    return bool(master.exec_driver_sql(f"SELECT 1 FROM {catalogue} = %s", (database,)).scalar())


def drop(master: sa.Connection, database: str) -> None:
    master.exec_driver_sql(f"DROP DATABASE IF EXISTS {master.dialect.identifier_preparer.quote_identifier(database)}")


def connect(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True)
    if engine.dialect.name == "mysql":
        sa.event.listen(engine, "connect", lambda connection, _record: connection.cursor().execute(f"SET SESSION sql_mode = '{SQL_MODE}'"))
    return engine


class Copy:
    """The copy, and how far it is. ``marks`` has the tables that are there, with their rows, and the steps that are done."""

    def __init__(self, master: sa.Connection, app: sa.URL, database: str, source: Source) -> None:
        self.master, self.url, self.source = master, app.set(database=database), source
        self.engine = connect(self.url)
        self.marks: dict[str, str] = {}

    def begin(self) -> None:
        """Go on with the copy that is there if it is one of the same source, and was not being upgraded. Else begin a new one."""
        found = self.tables_there()
        if found and MARKS not in found:
            raise refuse(f"there is a database {self.url.database} on the stack's cluster that is no copy of an import: give it another name")
        if found:
            prepare.prepare_account(self.master, self.url)
            self.marks = read_marks(self.engine)
            if self.is_of_use():
                return
            say("an earlier copy is of no use: starting over")
        self.start_over()

    def tables_there(self) -> set[str]:
        """As the master user sees them: MLflow's may have no rights yet where a run died."""
        if not exists(self.master, self.url.database):
            return set()
        return prepare.tables(sa.create_engine(self.master.engine.url.set(database=self.url.database), poolclass=NullPool, hide_parameters=True))

    def is_of_use(self) -> bool:
        """MySQL takes back nothing of migrations that died, and what was compared once must still be what the source has."""
        died = "schema" not in self.marks or ("upgrading" in self.marks and "upgraded" not in self.marks)
        changed = "compared" in self.marks and self.marks["compared"] != self.source.state()
        return self.marks.get("source") == self.source.name and not died and not changed

    def start_over(self) -> None:
        drop(self.master, self.url.database)
        prepare.prepare_account(self.master, self.url)
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE {MARKS} (name VARCHAR(255) PRIMARY KEY, value TEXT)")
        self.marks = {}
        self.mark("source", self.source.name)

    def mark(self, name: str, value: object = "", connection: sa.Connection | None = None) -> None:
        if connection is None:
            with self.engine.begin() as connection:
                return self.mark(name, value, connection)
        connection.execute(sa.text(f"INSERT INTO {MARKS} VALUES (:name, :value)"), {"name": name, "value": str(value)})
        self.marks[name] = str(value)

    def make_schema(self) -> None:
        """Make the tables as the source's MLflow made them, by the migrations of this one."""
        if "schema" in self.marks:
            return
        prepare.use_utf8mb4(self.engine)
        InitialBase.metadata.create_all(self.engine)
        config = mlflow_db._get_alembic_config(str(self.url))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, self.source.revision)
        self.mark("schema", self.source.revision)

    def pairs(self) -> list[Pair]:
        """The tables that both have, those first to which others refer."""
        mine = sa.MetaData()
        mine.reflect(self.engine)
        lost = [name for name, rows in self.source.counts.items() if rows and name in Base.metadata.tables and name not in mine.tables]
        if lost:
            raise refuse(f"the schema {self.source.revision} has no tables {', '.join(lost)}, in which the old database has rows", self.source.revision)
        both = [table for table in mine.sorted_tables if table.name in self.source.tables.tables and table.name not in NOT_COPIED]
        return [Pair(self, self.source.tables.tables[table.name], table) for table in both]


def read_marks(engine: sa.Engine) -> dict[str, str]:
    if MARKS not in prepare.tables(engine):
        return {}
    with engine.connect() as connection:
        return {row.name: row.value for row in connection.exec_driver_sql(f"SELECT name, value FROM {MARKS}")}


class Pair:
    """A table of the source and its copy."""

    def __init__(self, copy: Copy, old: sa.Table, new: sa.Table) -> None:
        self.copy, self.name, self.source = copy, new.name, copy.source
        unknown = sorted(set(old.columns.keys()) - set(new.columns.keys()))
        if unknown:
            raise refuse(f"the table {new.name} of the old database has columns that MLflow does not know: {', '.join(unknown)}")
        # Types of our own: those that are read from MySQL would round numbers to decimals, and SQLite has hardly any.
        self.kinds = {column.name: kind_of(new.columns[column.name].type) for column in old.columns}
        self.table = sa.Table(new.name, sa.MetaData(), *(sa.Column(name, TYPES.get(kind, sa.types.NullType)) for name, kind in self.kinds.items()))

    def copy_rows(self) -> None:
        """In one transaction: a run that dies within begins with the table again."""
        started = time.monotonic()
        with self.copy.engine.begin() as connection:
            connection.execute(self.table.delete())  # migrations put rows into some tables
            result = self.source.connection.execute(sa.select(self.table), execution_options=STREAMING)
            for rows in result.mappings().partitions(ROWS_AT_ONCE):
                connection.execute(self.table.insert(), [dict(row) for row in rows])
            count = connection.execute(sa.select(sa.func.count()).select_from(self.table)).scalar_one()
            self.copy.mark(f"table {self.name}", count, connection)
        say(f"  {self.name}: {count} rows in {time.monotonic() - started:.1f} s")

    def is_equal(self) -> bool:
        """Row by row: by fingerprints that the engine works out where both are of one, else, or where those differ, by what the drivers give."""
        with self.copy.engine.connect() as connection:
            both = (self.source.connection, connection)
            if both[0].dialect.name == both[1].dialect.name:
                one, other = (fingerprint_by(each, self.name, self.kinds) for each in both)
                if one == other:
                    return True
            return self.read(both[0]) == self.read(both[1])

    def read(self, connection: sa.Connection) -> Fingerprint:
        return fingerprint(connection.execute(sa.select(self.table), execution_options=STREAMING))


def copy_rows(copy: Copy) -> dict[str, float]:
    """Copy, compare and upgrade, as far as that is not done yet. Returns the seconds that each took."""
    seconds: dict[str, float] = {}

    def timed(name: str, work: t.Callable[[], t.Any]) -> t.Any:
        started = time.monotonic()
        result = work()
        seconds[name] = round(time.monotonic() - started, 1)
        return result

    copy.begin()
    earlier = any(name.startswith("table ") for name in copy.marks)
    while "compared" not in copy.marks:
        timed("schema", copy.make_schema)
        pairs = copy.pairs()
        todo = [pair for pair in pairs if f"table {pair.name}" not in copy.marks]
        timed("copy", lambda todo=todo: [pair.copy_rows() for pair in todo])
        different = timed("compare", lambda pairs=pairs: [pair.name for pair in pairs if not pair.is_equal()])
        if not different:
            copy.mark("compared", copy.source.state())
        elif not earlier:
            raise RuntimeError(f"the copy is not equal in {', '.join(different)}: was the old database written to? Stop what writes, and try again")
        else:  # what an earlier run has copied, before the old servers were stopped
            say(f"the old database has changed since in {', '.join(different)}: starting over")
            copy.start_over()
            earlier = False
    if "upgraded" not in copy.marks:
        timed("upgrade", lambda: upgrade(copy))
    if "rewritten" not in copy.marks:
        timed("addresses", lambda: rewrite(copy, os.environ.get("IMPORT_ARTIFACT_ROOT", "")))
    return seconds


def upgrade(copy: Copy) -> None:
    set_sequences(copy.engine)
    copy.mark("upgrading")
    engine = mlflow_db.create_sqlalchemy_engine(copy.url.render_as_string(hide_password=False))
    try:
        prepare.upgrade(engine, copy.source.revision or "")
    finally:
        engine.dispose()
    copy.mark("upgraded")


def set_sequences(engine: sa.Engine) -> None:
    """Have PostgreSQL number new rows after those that were copied."""
    if engine.dialect.name != "postgresql":
        return
    mine = sa.MetaData()
    mine.reflect(engine)
    with engine.begin() as connection:
        for table in mine.sorted_tables:
            for column in table.primary_key.columns:
                sequence = connection.execute(sa.select(sa.func.pg_get_serial_sequence(table.name, column.name))).scalar()
                if sequence:
                    connection.execute(sa.select(sa.func.setval(sequence, sa.func.coalesce(sa.select(sa.func.max(column)).scalar_subquery(), 0) + 1, False)))


def rewrite(copy: Copy, root: str) -> None:
    """Let clients find the artifacts below ``root`` through the server."""
    if not root:
        return
    tables = sa.MetaData()
    tables.reflect(copy.engine)
    with copy.engine.begin() as connection:
        for table, name, more in [(*each, None) for each in COLUMNS] + [("trace_tags", "value", TAG)]:
            if table not in tables.tables or name not in tables.tables[table].columns:
                continue
            found = tables.tables[table]
            column, beginning = found.c[name], below(root)
            start = sa.func.substr(column, 1, len(beginning))
            # MySQL would take another case for the same.
            is_below = sa.cast(start, sa.LargeBinary) == beginning.encode() if copy.engine.dialect.name == "mysql" else start == beginning
            where = [is_below] if more is None else [is_below, found.c.key == more]
            change = found.update().where(*where).values({name: sa.func.concat(SERVED, sa.func.substr(column, len(beginning) + 1))})
            say(f"  {table}.{name}: {connection.execute(change).rowcount} addresses below {beginning}")
        copy.mark("rewritten", root, connection)


def put_in_place(copy: Copy, app: sa.URL) -> str:
    """Give the copy the name of the stack's database, which is kept under another name. Returns that."""
    if "aside" not in copy.marks:
        copy.mark("aside", f"{app.database}_before_{datetime.now(timezone.utc):%Y%m%d%H%M%S}")
    aside = copy.marks["aside"]
    quoted = copy.engine.dialect.identifier_preparer.quote_identifier
    if app.get_backend_name() == "postgresql":
        for old, new in ((app.database, aside), (copy.url.database, app.database)):
            if exists(copy.master, old):  # the first is not where a run died between the two
                copy.master.exec_driver_sql(f"ALTER DATABASE {quoted(old)} RENAME TO {quoted(new)}")
        return aside
    prepare.prepare_account(copy.master, app.set(database=aside))
    going = [(AWAY, connect(app)), (IN, copy.engine)]
    found = [(place, engine, name, statement) for place, engine in going for name, statement in triggers(engine).items()]
    for place, _engine, name, statement in found:  # all are noted before the first goes
        if place + name not in copy.marks:
            copy.mark(place + name, statement)
    for _place, engine, name, _statement in found:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP TRIGGER {quoted(name)}")
    moves = [(name, app.database, aside) for name in prepare.tables(connect(app))]
    moves += [(name, copy.url.database, app.database) for name in prepare.tables(copy.engine)]
    renamed = ", ".join(
        f"{quoted(old)}.{quoted(name)} TO {quoted(new)}.{quoted(name)}" for name, old, new in sorted(moves, key=lambda move: move[1] != app.database)
    )
    with copy.engine.connect() as connection:
        connection.exec_driver_sql(f"RENAME TABLE {renamed}")  # all or none
    finish(copy.master, app)
    return aside


def triggers(engine: sa.Engine) -> dict[str, str]:
    """The statements that make the triggers of a database of MySQL, by their names. MySQL gives no table to another database that has one."""
    quoted = engine.dialect.identifier_preparer.quote_identifier
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT trigger_name, action_timing, event_manipulation, event_object_table, action_statement "
            "FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
        ).all()
    return {name: f"CREATE TRIGGER {quoted(name)} {when} {event} ON {quoted(table)} FOR EACH ROW {body}" for name, when, event, table, body in found}


def finish(master: sa.Connection, app: sa.URL) -> None:
    """What is left to do in MySQL when the tables are in place, also for the run after one that died here."""
    marks = read_marks(connect(app))
    for place, database in ((AWAY, marks["aside"]), (IN, app.database)):
        engine = connect(app.set(database=database))
        there = triggers(engine)
        with engine.begin() as connection:
            for name in sorted(name for name in marks if name.startswith(place) and name.removeprefix(place) not in there):
                connection.exec_driver_sql(marks[name])
    prepare.use_utf8mb4(connect(app))
    drop(master, f"{app.database}{SUFFIX}")

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The old database: where it is, what there is to copy, and what cannot be copied. It is only read."""

from __future__ import annotations

import hashlib
import os
import typing as t
from functools import cached_property

import sqlalchemy as sa
from addresses import COLUMNS, Unreadable, count_roots, source_uri, sqlite_uri
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from mlflow.store.db import utils as mlflow_db
from mlflow.store.db.base_sql_model import Base
from prepare_database import MARKER, Refused
from rows import Fingerprint, fingerprint_sql
from sqlalchemy.pool import NullPool

MARKS = "mlplatform_import"
"""The table of a copy that says how far it is, and of what it is a copy."""
NOT_COPIED = {MARKS, MARKER, "alembic_version"}
# Of MLflow's basic-auth app, which a stack does not have: people and programs come by its doors.
BASIC_AUTH = {"alembic_version_auth", "users", "experiment_permissions", "registered_model_permissions", "scorer_permissions", "role_permissions", "roles"}


def refuse(reason: str, revision: str | None = None) -> Refused:
    return Refused(4, revision, reason)


class Source:
    """The old database, as it is at one moment, so that one that is in use can be rehearsed with. Every connection to it refuses to write."""

    def __init__(self, uri: str, name: str, *, is_own: bool = False) -> None:
        self.name, self.is_own = name[:255], is_own
        self.engine = sa.create_engine(uri, poolclass=NullPool, hide_parameters=True)
        sa.event.listen(self.engine, "connect", self._only_read)
        self.revision = mlflow_db._get_schema_version(self.engine)
        self.tables = sa.MetaData()
        self.tables.reflect(self.engine)
        self.connection = self.engine.connect()
        """Its one transaction sees nothing that is written later."""

    def _only_read(self, connection: t.Any, _record: object) -> None:
        if self.engine.dialect.name == "mysql":
            cursor = connection.cursor()
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
        elif self.engine.dialect.name == "postgresql":
            connection.rollback()
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)

    @cached_property
    def counts(self) -> dict[str, int]:
        counted = {name: sa.select(sa.func.count()).select_from(table) for name, table in sorted(self.tables.tables.items())}
        return {name: self.connection.execute(query).scalar_one() for name, query in counted.items()}

    def state(self, connection: sa.Connection | None = None) -> str:
        """A text that is another one as soon as any value of MLflow's is another one: of that moment, or as a new connection finds it."""
        if self.engine.dialect.name == "sqlite":
            return self.name  # with the ETag of the file
        found = []
        for name, table in sorted(self.tables.tables.items()):
            if name in Base.metadata.tables:
                kinds = {column.name: kind_of(column.type) for column in table.columns}
                found.append(f"{name} {fingerprint_by(connection or self.connection, name, kinds)}")
        return hashlib.sha256("\n".join(found).encode()).hexdigest()

    def state_now(self) -> str:
        with self.engine.connect() as connection:
            return self.state(connection)


def kind_of(column: sa.types.TypeEngine[t.Any]) -> str:
    for kind, type_ in (("boolean", sa.Boolean), ("float", sa.Float), ("json", sa.JSON), ("integer", sa.Integer), ("text", sa.String)):
        if isinstance(column, type_):
            return kind
    return "binary" if isinstance(column, sa.types._Binary) else "other"


def fingerprint_by(connection: sa.Connection, table: str, kinds: t.Mapping[str, str]) -> Fingerprint:
    """The fingerprint of a table as MySQL or PostgreSQL works it out."""
    quoted = connection.dialect.identifier_preparer.quote
    rows, total = connection.exec_driver_sql(fingerprint_sql(connection.dialect.name, quoted(table), kinds, quoted)).one()
    return Fingerprint(int(rows), int(total))


def old_database(app: sa.URL) -> Source:
    secret, file = os.environ.get("IMPORT_SOURCE"), os.environ.get("IMPORT_SQLITE")
    if file:
        return sqlite_source(file)
    if not secret:
        return Source(app.render_as_string(hide_password=False), "the stack's own database", is_own=True)
    try:
        url = sa.make_url(source_uri(secret))
    except (Unreadable, sa.exc.ArgumentError) as error:
        raise refuse(f"the secret of the old database cannot be used: {error if isinstance(error, Unreadable) else 'it is no URI'}") from None
    if url.get_backend_name() == "mysql":  # in which the server gives text, whatever it keeps it in
        url = url.update_query_dict({"charset": "utf8mb4"})
    name = f"{url.get_backend_name()}://{url.host}:{url.port or ''}/{url.database}"
    if place_of(url) == place_of(app):
        raise refuse("the secret of the old database leads to the stack's own: give mlflow_import_own_database to copy that")
    return Source(url.render_as_string(hide_password=False), name)


def place_of(url: sa.URL) -> tuple[str | None, int, str | None]:
    return url.host, url.port or {"mysql": 3306, "postgresql": 5432}[url.get_backend_name()], url.database


def sqlite_source(address: str) -> Source:
    """A copy of the file, upgraded by MLflow: SQLite keeps values of any length, for which the columns of an older schema are too short elsewhere."""
    import boto3

    bucket, _slash, key = address.removeprefix("s3://").partition("/")
    s3, path = boto3.client("s3"), os.path.join(os.environ.get("TMPDIR", "/tmp"), "import.db")
    for found in s3.list_objects_v2(Bucket=bucket, Prefix=f"{key}-wal").get("Contents", []):
        if found["Key"] == f"{key}-wal" and found["Size"]:
            raise refuse(f"{address}-wal is there: the file was copied while it was written. Stop the old server, and copy it again")
    s3.download_file(bucket, key, path)
    engine = mlflow_db.create_sqlalchemy_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            if connection.exec_driver_sql("PRAGMA quick_check").scalar() != "ok":
                raise refuse(f"SQLite finds {address} damaged: copy it again, while the old server is stopped")
        check_revision(mlflow_db._get_schema_version(engine))
        mlflow_db._upgrade_db(engine)
    except sa.exc.DatabaseError as error:
        raise refuse(f"{address} is not a database of SQLite that MLflow can upgrade: {error.orig}") from None
    finally:
        engine.dispose()
    return Source(sqlite_uri(path), f"{address}#{s3.head_object(Bucket=bucket, Key=key)['ETag']}")


def check_revision(revision: str | None) -> None:
    if revision is None:
        raise refuse("the old database has no schema of MLflow")
    try:
        ScriptDirectory.from_config(mlflow_db._get_alembic_config("")).get_revision(revision)
    except CommandError:
        head = mlflow_db._get_latest_schema_revision()
        raise refuse(f"this MLflow does not know the schema {revision} of the old database (its newest is {head}): use a newer image", revision) from None


def check_source(source: Source, engine: str) -> dict[str, t.Any]:
    """What there is to copy. Raises ``Refused`` for what cannot be."""
    check_revision(source.revision)
    counts = source.counts
    may_stay = set(filter(None, os.environ.get("IMPORT_LEAVE_OUT", "").split(",")))
    # Of a newer MLflow, which has all tables of an older one and no other of these names.
    others = {name: rows for name, rows in counts.items() if rows and name not in NOT_COPIED | Base.metadata.tables.keys()}
    # The users of the stack itself would be missed.
    unknown = sorted(others.keys() - (set() if source.is_own else BASIC_AUTH) - may_stay)
    if unknown:
        raise refuse(
            f"the old database has tables with rows that are not MLflow's: {', '.join(unknown)}. If they may stay behind, name them in mlflow_import_leave_out",
            source.revision,
        )
    problems = too_long(source) + (with_nul(source) if engine == "postgresql" else [])
    if problems:
        raise refuse(f"the old database has values that the new one cannot keep: {'; '.join(problems)}", source.revision)
    return {
        "revision": source.revision,
        "rows": {name: rows for name, rows in counts.items() if name in Base.metadata.tables},
        "left_out": others,
        "artifacts": count_artifacts(source),
    }


def text_columns(source: Source) -> t.Iterator[tuple[str, str, int | None]]:
    """The columns of MLflow's with text, and how long it may be."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if table.name in source.tables.tables and column.name in source.tables.tables[table.name].columns and isinstance(column.type, sa.String):
                yield table.name, column.name, column.type.length


def too_long(source: Source) -> list[str]:
    """Only SQLite lets a value be longer than its column."""
    if source.engine.dialect.name != "sqlite":
        return []
    problems = []
    for table, column, limit in text_columns(source):
        longest = source.connection.execute(sa.select(sa.func.max(sa.func.length(source.tables.tables[table].c[column])))).scalar()
        if limit and longest and longest > limit:
            problems.append(f"{table}.{column} has one of {longest} characters, {limit} are possible")
    return problems


def with_nul(source: Source) -> list[str]:
    """PostgreSQL keeps no text with the character 0."""
    if source.engine.dialect.name == "postgresql":
        return []
    problems = []
    for table, column, _limit in text_columns(source):
        # As bytes: to most collations of MySQL the character is nothing.
        place = sa.func.instr(sa.cast(source.tables.tables[table].c[column], sa.LargeBinary), sa.literal(b"\0"))
        count = source.connection.execute(sa.select(sa.func.count()).where(place > 0)).scalar()
        if count:
            problems.append(f"{table}.{column} has {count} with the character 0")
    return problems


def count_artifacts(source: Source) -> dict[str, dict[str, int]]:
    """Under which roots the artifacts are."""
    found = {}
    for table, column in COLUMNS:
        if table in source.tables.tables and column in source.tables.tables[table].columns:
            addresses = source.connection.execute(sa.select(source.tables.tables[table].c[column])).scalars()
            found[f"{table}.{column}"] = count_roots(address for address in addresses if address)
    return found

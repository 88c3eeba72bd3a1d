# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a row holds, it is the same after a copy from any engine to any, and is found equal; a row that is not the same is found."""

from __future__ import annotations

import json
import subprocess
import typing as t
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime.databases import running
from runtime.moving import FILES
from runtime.test_prepare_database import MLFLOW_VENV, Stack

# Answers each line of rows, from then on: copied, read back, and whether they are found equal before and after a change of the copy.
WORKER = """
import json, sys
from types import SimpleNamespace
import sqlalchemy as sa
from copy_database import Pair, connect
from old_database import Source

def table(engine, name):
    wide = sa.Text() if engine.dialect.name != "mysql" else sa.dialects.mysql.LONGTEXT()
    number = sa.Double() if engine.dialect.name != "sqlite" else sa.Float()
    binary = sa.LargeBinary() if engine.dialect.name != "mysql" else sa.dialects.mysql.LONGBLOB()
    columns = [
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(250)), sa.Column("note", wide), sa.Column("value", number), sa.Column("flag", sa.Boolean()), sa.Column("raw", binary),
    ]
    options = {"mysql_charset": "latin1" if name == "latin1" else "utf8mb4"}
    return sa.Table("rows_of_" + name, sa.MetaData(), *columns, **options)

def reflected(engine, name):
    found = sa.MetaData()
    found.reflect(engine, only=[name])
    return found.tables[name]

old_uri, new_uri, name = sys.argv[1:]
engine, target = sa.create_engine(old_uri), connect(sa.make_url(new_uri))
old, new = table(engine, name), table(target, name)
for which, made in ((engine, old), (target, new)):
    made.drop(which, checkfirst=True)
    made.create(which)
print("ready", flush=True)
for line in sys.stdin:
    given = json.loads(line)
    rows = [{**row, "raw": None if row["raw"] is None else bytes.fromhex(row["raw"])} for row in given]
    with engine.begin() as connection:
        if engine.dialect.name == "mysql":
            connection.exec_driver_sql("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'")
        connection.execute(old.delete())
        connection.execute(old.insert(), rows)
    with engine.connect() as reading:
        source = SimpleNamespace(connection=reading)
        copy = SimpleNamespace(source=source, engine=target, mark=lambda *ignored: None)
        pair = Pair(copy, reflected(engine, old.name), reflected(target, new.name))
        pair.copy_rows()
        equal = pair.is_equal()
        with target.begin() as connection:
            found = [dict(row) for row in connection.execute(sa.select(new).order_by(new.c.id)).mappings()]
            connection.execute(new.update().where(new.c.id == rows[0]["id"]).values(note=(rows[0]["note"] or "") + "!"))
        different = pair.is_equal()
    print(json.dumps({"equal": equal, "different": different, "rows": [{**row, "raw": row["raw"] and bytes(row["raw"]).hex()} for row in found]}), flush=True)
"""

PAIRS = [(old, new) for old in ("latin1", "utf8mb4", "postgresql", "sqlite") for new in ("aurora-mysql", "aurora-postgresql")]
# PostgreSQL has no NUL, and latin1 what Windows has of it; the surrogates are no characters.
CHARACTERS = {
    "latin1": st.characters(codec="latin-1", exclude_characters="\0", max_codepoint=0x7F) | st.characters(min_codepoint=0xA0, max_codepoint=0xFF),
    "others": st.characters(codec="utf-8", exclude_characters="\0"),
}
EDGES = st.sampled_from([0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1.7976931348623157e308, 0.1, 1 / 3, 1e22, 123456789.123456789])


def rows_of(name: str) -> st.SearchStrategy[list[dict[str, t.Any]]]:
    text = CHARACTERS["latin1" if name == "latin1" else "others"]
    row = st.fixed_dictionaries(
        {
            "id": st.integers(-(2**63), 2**63 - 1) | st.just(0),
            "key": st.none() | st.text(text, max_size=250),
            "note": st.none() | st.text(text, max_size=2000),
            "value": st.none() | EDGES | st.floats(allow_nan=False, allow_infinity=False),
            "flag": st.none() | st.booleans(),
            "raw": st.none() | st.binary(min_size=1, max_size=20).map(bytes.hex),
        }
    )
    return st.lists(row, min_size=1, max_size=30, unique_by=lambda each: each["id"])


@pytest.fixture(scope="module")
def uris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with ExitStack() as servers:
        found = {}
        for engine in ("aurora-mysql", "aurora-postgresql"):
            database = servers.enter_context(running(engine))
            database.directory.chmod(0o755)
            stack = Stack(database)
            for name in ("olds", "news"):
                assert stack.prepare(stack.uri(name))[0] == 0
            found[engine] = stack.uri("news")
            found |= dict.fromkeys(("latin1", "utf8mb4") if engine == "aurora-mysql" else ("postgresql",), stack.uri("olds"))
        yield found | {"sqlite": f"sqlite:///{tmp_path_factory.mktemp('old')}/old.db"}


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_rows_are_the_same_after_a_copy(uris: dict[str, str], old: str, new: str, tmp_path: Path) -> None:
    files = f"{FILES / 'moving_in'}:{FILES}"
    worker = subprocess.Popen(
        [MLFLOW_VENV / "bin" / "python", "-W", "ignore", "-c", WORKER, uris[old], uris[new], old],
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "PYTHONPATH": files},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin and worker.stdout
    while (line := worker.stdout.readline()) and line != "ready\n":
        pass

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(rows_of(old))
    def check(rows: list[dict[str, t.Any]]) -> None:
        assert worker.stdin and worker.stdout
        worker.stdin.write(json.dumps(rows) + "\n")
        worker.stdin.flush()
        while (answer := worker.stdout.readline()).startswith("  rows_of_"):
            pass
        found = json.loads(answer)
        assert found["rows"] == sorted(rows, key=lambda row: row["id"])
        assert found["equal"] and not found["different"]

    try:
        check()
    finally:
        worker.kill()

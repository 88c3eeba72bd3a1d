# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the task that imports a database works out by itself. tests/runtime has it with databases."""

from __future__ import annotations

import random
import sys
import typing as t
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

# Its modules import each other by their bare names, as they lie in the container.
sys.path.insert(0, str(Path(__file__).parents[2] / "roles" / "ecs" / "files" / "moving_in"))

import addresses  # noqa: E402
import rows  # noqa: E402

VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(), st.binary())
ROWS = st.lists(st.tuples(VALUES, VALUES), max_size=5)


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (0.0, -0.0), (Decimal("0.5"), 0.5), (b"ab", memoryview(b"ab")), ({"a": 1, "b": [2]}, {"b": [2], "a": 1})]
)
def test_what_engines_give_for_the_same(one: object, other: object) -> None:
    assert rows.fingerprint([[one]]) == rows.fingerprint([[other]])


@pytest.mark.parametrize(
    ("one", "other"), [(None, ""), (None, 0), ("1", 1), (b"1", "b31"), (1.0, 1), (0.1, 0.1 + 2e-17), ("Åre", "Are"), ("a", "a "), (5e-324, 0.0)]
)
def test_what_is_not_the_same(one: object, other: object) -> None:
    assert (rows.fingerprint([[one]]) != rows.fingerprint([[other]])) == (one != other or type(one) is not type(other))


@settings(deadline=None)
@given(ROWS, st.randoms())
def test_the_order_of_rows_is_of_no_account_and_each_row_is(found: list[tuple[t.Any, ...]], chance: random.Random) -> None:
    shuffled = chance.sample(found, len(found))
    assert rows.fingerprint(found) == rows.fingerprint(shuffled)
    assert rows.fingerprint([*found, (None, 1)]) != rows.fingerprint(found)


@settings(deadline=None)
@given(ROWS.filter(len), st.data())
def test_a_changed_value_is_found(found: list[tuple[t.Any, ...]], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(found) - 1))
    changed = data.draw(VALUES.filter(lambda value: rows.canonical(value) != rows.canonical(found[place][0])))
    assert rows.fingerprint([*found[:place], (changed, found[place][1]), *found[place + 1 :]]) != rows.fingerprint(found)


@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
def test_the_statement_reads_each_column_and_cannot_lose_a_long_row(dialect: str) -> None:
    statement = rows.fingerprint_sql(dialect, "`metrics`", {"key": "text", "value": "float", "raw": "binary"}, lambda name: f"<{name}>")
    assert statement.startswith("SELECT COUNT(*), ") and statement.endswith(" FROM `metrics`")
    assert all(f"<{name}>" in statement for name in ("key", "value", "raw"))
    assert statement.count("MD5") == 4  # of each column, and of those


@pytest.mark.parametrize(("root", "expected"), [("s3://old", "s3://old/"), ("s3://old/", "s3://old/"), ("s3://old/mlflow", "s3://old/mlflow/")])
def test_what_begins_with_the_name_of_the_root_lies_not_below_it(root: str, expected: str) -> None:
    assert addresses.below(root) == expected


def test_artifacts_are_counted_by_where_they_are() -> None:
    found = addresses.count_roots(["s3://a/1", "s3://a/2", "s3://b/1", "/mlruns/0", "./mlruns/0", "file:///mlruns", "mlflow-artifacts:/1", "gs://c"])
    assert found == {"file:": 3, "gs://c": 1, "mlflow-artifacts:": 1, "s3://a": 2, "s3://b": 1}


RDS = '{"engine": "mysql", "host": "db.example.com", "username": "ecs_task", "password": "a/b@c", "dbname": "mlflow", "port": 3306}'


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("mysql://u:p@db/mlflow", "mysql+pymysql://u:p@db/mlflow"),
        ("mysql+mysqldb://u:p@db/mlflow\n", "mysql+pymysql://u:p@db/mlflow"),
        ("postgres://u:p@db:5433/m", "postgresql+psycopg2://u:p@db:5433/m"),
        ("postgresql+psycopg://u:p@db/m?sslmode=require", "postgresql+psycopg2://u:p@db/m?sslmode=require"),
        ('{"uri": "mysql+pymysql://u:p@db/m", "reader_uri": ""}', "mysql+pymysql://u:p@db/m"),
        (RDS, "mysql+pymysql://ecs_task:a%2Fb%40c@db.example.com:3306/mlflow"),
        (RDS.replace('"mysql"', '"aurora-postgresql"').replace(', "port": 3306', ""), "postgresql+psycopg2://ecs_task:a%2Fb%40c@db.example.com/mlflow"),
    ],
)
def test_the_secret_of_the_old_database(secret: str, expected: str) -> None:
    assert addresses.source_uri(secret) == expected


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("hunter2", "it has no ://"),
        ("mssql+pyodbc://u:hunter2@db/m", "no driver for mssql://"),
        ("sqlite:///hunter2.db", "mlflow_import_sqlite_s3_uri"),
        ('["hunter2"]', "no JSON object"),
        ('{"password": "hunter2", "username": "u"}', "without dbname, engine, host"),
    ],
)
def test_a_secret_that_cannot_be_used_is_told_without_what_it_says(secret: str, said: str) -> None:
    with pytest.raises(addresses.Unreadable) as refused:
        addresses.source_uri(secret)
    assert said in str(refused.value) and "hunter2" not in str(refused.value)

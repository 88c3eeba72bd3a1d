# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of any engine: when two of them are equal, and the fingerprint of a table that is the same in every engine. Pure.

MySQL has no booleans, SQLite no dates and no decimals, drivers give bytes as bytes or as memory, and JSON as text or as objects. Engines sort
text differently, so the fingerprint of a table does not depend on the order of its rows.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from decimal import Decimal

BITS = 60
"""Of the hash of a row: a sum of them is exact in the decimals of MySQL and PostgreSQL."""


class Fingerprint(t.NamedTuple):
    """What a table holds: how many rows, and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def plus(self, row: t.Iterable[object]) -> Fingerprint:
        return Fingerprint(self.rows + 1, self.total + row_hash(row))


def canonical(value: object) -> object:
    """The same for what is the same in every engine; text of a JSON column is not among that, as whoever reads it makes it an object.

    >>> [canonical(value) for value in (True, 1, 1.0, None, "1", b"1", {"b": 1, "a": 2})]
    [1, 1, '1.0', None, 's1', 'b31', 'j{"a": 2, "b": 1}']
    >>> canonical(-0.0) == canonical(0.0)
    True
    """
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (float, Decimal)):
        return repr(float(value) + 0.0)  # engines do not keep the sign of a zero
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "b" + bytes(value).hex()
    if isinstance(value, (dict, list)):
        return "j" + json.dumps(value, sort_keys=True)
    if isinstance(value, str):
        return "s" + value
    return value


def row_hash(row: t.Iterable[object]) -> int:
    text = json.dumps([canonical(value) for value in row], default=str)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 64 - BITS


def fingerprint(rows: t.Iterable[t.Iterable[object]]) -> Fingerprint:
    found = Fingerprint()
    for row in rows:
        found = found.plus(row)
    return found


def fingerprint_sql(dialect: str, table: str, columns: t.Mapping[str, str], quote: t.Callable[[str], str]) -> str:
    """The statement with which MySQL or PostgreSQL works out a fingerprint by itself: one that is compared with the same engine's only.

    :arg table: how the statement names the table.
    :arg columns: the kind of each column: ``text``, ``float``, ``binary``, or another.
    """
    parts = []
    for name, kind in columns.items():
        column = quote(name)
        if dialect == "postgresql":
            text = f"encode(float8send({column}::float8), 'hex')" if kind == "float" else f"{column}::text"
        else:
            text = column if kind == "binary" else f"CONVERT(CAST({column} AS CHAR) USING utf8mb4)"
        # Of each column by itself: a row as one text might be longer than a packet may be, and then is NULL in MySQL.
        parts.append(f"COALESCE(MD5({text}), '-')")
    row = f"MD5(CONCAT({', '.join(parts)}))"
    digits = BITS // 4
    if dialect == "postgresql":
        number = f"('x' || lpad(left({row}, {digits}), 16, '0'))::bit(64)::bigint::numeric"
    else:
        number = f"CAST(CONV(LEFT({row}, {digits}), 16, 10) AS UNSIGNED)"
    return f"SELECT COUNT(*), COALESCE(SUM({number}), 0) FROM {table}"

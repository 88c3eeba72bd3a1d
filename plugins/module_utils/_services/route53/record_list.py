# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: which DNS records lead to a resource, listed in a tag of it.

Route 53 finds a record by its zone and name alone. Once an input names others, the previous record would be lost.
"""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State

RECORDS_TAG = "mlflow-dns-records"
KEYS = ("type", "zone_id", "name")

Record = dict[str, str]
"""Type, zone ID and name of a record."""


def dns_name(name: str) -> str:
    """A DNS name in the form that compares: lower case, no final dot, and no escaped asterisk (Route 53 says \\052)."""
    return name.lower().removesuffix(".").replace("\\052", "*")


def entry(record: Record) -> str:
    """A record as the tag holds it, such as ``A/Z0123456789ABCDEFGHIJ/mlflow.example.com``."""
    return f"{record['type']}/{record['zone_id']}/{dns_name(record['name'])}"


def take_records(tags: dict[str, str]) -> list[Record]:
    """What the tag lists. It is no tag that a user gave, so it is taken away from the others."""
    words = tags.pop(RECORDS_TAG, "").split()
    return [dict(zip(KEYS, word.split("/"), strict=True)) for word in words if word.count("/") == len(KEYS) - 1]


def records_tag(records: t.Iterable[Record]) -> dict[str, str]:
    """The tag that lists the records."""
    return {RECORDS_TAG: " ".join(sorted(map(entry, records)))}


class AliasTarget(Resource):
    """A resource that alias records lead to. Its describe() takes ``dns_records`` from its tags."""

    dns_records: t.Sequence[Record] = ()
    """The records that its tag lists, or that the tags of those list whose place it takes."""

    def alias(self) -> State:
        """Where the records lead: ``dns_name`` and ``zone_id``, as `Record` has them in its ``spec``. Once it was reconciled."""
        raise NotImplementedError


class RecordList:
    """The tag of one resource. A record is listed before it is created, until after it was removed."""

    def __init__(self, owner: AliasTarget) -> None:
        self.owner = owner
        self.records = {entry(record): record for record in owner.dns_records}
        self._lock = threading.Lock()

    def contains(self, record: Record) -> bool:
        return entry(record) in self.records

    def add(self, record: Record) -> None:
        with self._lock:
            self._write({**self.records, entry(record): record})

    def remove(self, record: Record) -> None:
        with self._lock:
            self._write({word: each for word, each in self.records.items() if word != entry(record)})

    def _write(self, records: dict[str, Record]) -> None:
        state = self.owner.state or self.owner.current_state()  # a former record may go before it is the owner's turn
        self.owner.retag(t.cast(State, state), records_tag(records.values()), [])
        self.records = records

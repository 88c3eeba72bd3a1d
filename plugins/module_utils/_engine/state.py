# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: states of resources, how they differ, and the lines of a plan. Pure."""

from __future__ import annotations

import typing as t

UNKNOWN = "(known after apply)"
"""Stands in a plan for what only AWS can say, such as the id of a resource that does not exist yet."""

SENSITIVE = "(sensitive)"

State = dict[str, t.Any]


class Change(t.TypedDict):
    """One line of a plan. ``fields`` holds what differs, by dotted name; of a removal it is empty."""

    action: str  # create, update, replace or delete
    kind: str
    name: str
    fields: list[dict[str, t.Any]]  # name, before, after
    warnings: list[str]


def has_unknown(value: t.Any) -> bool:
    """Whether a value, or anything inside it, is only known after apply."""
    if isinstance(value, str):
        return UNKNOWN in value
    if isinstance(value, dict):
        return any(has_unknown(v) for v in value.values())
    return isinstance(value, (list, tuple, set)) and any(has_unknown(v) for v in value)


def differences(before: State | None, desired: State) -> State:
    """The desired fields that AWS does not have yet. None in ``desired`` means: not managed."""
    before = before or {}
    return {k: v for k, v in desired.items() if v is not None and (k not in before or before[k] != v)}


def fields(before: State | None, changes: State, secret: t.Collection[str] = ()) -> list[dict[str, t.Any]]:
    """Changes as a person reads them: one entry for each value that differs, nested names joined by dots.

    >>> fields({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}})
    [{'name': 'a.c', 'before': 2, 'after': 3}]
    """
    entries = []
    for name, after in changes.items():
        old = (before or {}).get(name)
        if name in secret:
            entries.append({"name": name, "before": SENSITIVE if before else None, "after": SENSITIVE})
        elif isinstance(after, dict) and (isinstance(old, dict) or old is None) and after:
            old = old or {}
            different = {k: after.get(k) for k in sorted({*after, *old}) if after.get(k) != old.get(k)}
            entries += [{**e, "name": f"{name}.{e['name']}"} for e in fields(old, different)]
        else:
            entries.append({"name": name, "before": old, "after": after})
    return entries


def merge_changes(before: list[Change], more: list[Change]) -> list[Change]:
    """The changes of a module that started over: of a resource that it came back to, those that it noted first."""
    known = {(change["kind"], change["name"]) for change in before}
    return before + [change for change in more if (change["kind"], change["name"]) not in known]


def diff(change: Change) -> dict[str, t.Any]:
    """A change as Ansible's ``--diff`` shows it."""
    header = f"{change['kind']} {change['name']}"
    if change["action"] == "delete":
        return {"before_header": header, "after_header": header, "before": f"{header}\n", "after": ""}
    return {
        "before_header": header,
        "after_header": header,
        "before": {} if change["action"] == "create" else {f["name"]: f["before"] for f in change["fields"]},
        "after": {f["name"]: f["after"] for f in change["fields"]},
    }

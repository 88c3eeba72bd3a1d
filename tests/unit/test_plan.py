# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as people and pipelines read it."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.plan import document, lines
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import SENSITIVE, UNKNOWN


def change(action: str, name: str, *fields: tuple[str, t.Any, t.Any], warnings: list[str] | None = None) -> t.Any:
    listed = [{"name": n, "before": b, "after": a} for n, b, a in fields]
    return {"action": action, "kind": "thing", "name": name, "fields": listed, "warnings": warnings or []}


CHANGES = [
    change("create", "a", ("x", None, 1)),
    change("update", "b", ("x", 1, 2), ("id", "i-1", UNKNOWN), ("password", SENSITIVE, SENSITIVE), warnings=["it restarts"]),
    change("replace", "c", ("y", "ä", None)),
    change("delete", "d"),
    change("delete", "e"),
]


def test_a_plan_reads_at_a_glance() -> None:
    assert [text for _kind, text in lines(CHANGES)] == [
        "    + thing a",
        "    ~ thing b",
        "        x: 1 → 2",
        '        id: "i-1" → (known after apply)',
        "        password: (sensitive) → (sensitive)",
        "  -/+ thing c",
        '        y: "ä" → null',
        "    - thing d",
        "    - thing e",
        "WARNING: thing b: it restarts",
        "Plan: 1 to add, 1 to change, 1 to replace, 2 to remove.",
    ]


def test_an_empty_plan_says_so() -> None:
    assert [text for _kind, text in lines([])] == ["Plan: 0 to add, 0 to change, 0 to replace, 0 to remove."]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("x" * 300, "x" * 299 + "y", f'...{"x" * 20}x" → ...{"x" * 20}y"'),
        ("short", "z" * 300, f'"short" → "{"z" * 156}...'),
        ("a" * 200 + "b" * 200, "a" * 200 + "c" * 200, f"...{'a' * 20}{'b' * 134}... → ...{'a' * 20}{'c' * 134}..."),
        (["a" * 100, 1], ["a" * 100, 2], f'["{"a" * 100}", 1] → ["{"a" * 100}", 2]'),
        ("(a value like any other)", UNKNOWN, '"(a value like any other)" → (known after apply)'),
    ],
)
def test_what_differs_is_shown_in_long_values_too(before: t.Any, after: t.Any, shown: str) -> None:
    (line,) = [text for _kind, text in lines([change("update", "a", ("x", before, after))]) if " → " in text]
    assert line == f"        x: {shown}"


def test_long_values_are_cut_for_people_and_whole_for_pipelines() -> None:
    long = change("update", "a", ("x", "", "y" * 1000))
    assert max(len(text) for _kind, text in lines([long])) < 200
    plan = json.loads(document([long], "team"))
    assert plan["changes"][0]["fields"][0]["after"] == "y" * 1000
    assert plan["summary"] == {"add": 0, "change": 1, "replace": 0, "remove": 0}
    assert plan["stack"] == "team" and plan["format_version"] == 1

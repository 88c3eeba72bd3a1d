# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of plans take for a plan that lied."""

from __future__ import annotations

import typing as t

import pytest
from support.plans import UNKNOWN, deviations


def change(action: str, name: str, *fields: tuple[str, t.Any, t.Any], warnings: tuple[str, ...] = ()) -> t.Any:
    listed = [{"name": n, "before": b, "after": a} for n, b, a in fields]
    return {"action": action, "kind": "thing", "name": name, "fields": listed, "warnings": list(warnings)}


UPDATE = change("update", "a", ("x", 1, 2))


@pytest.mark.parametrize(
    ("planned", "done"),
    [
        ([], []),
        ([UPDATE], [UPDATE]),
        ([UPDATE, change("delete", "b")], [change("delete", "b"), UPDATE]),
        ([change("update", "a", ("x", 1, UNKNOWN))], [UPDATE]),
        ([change("update", "a", ("x", 1, 2), ("y", 1, UNKNOWN))], [UPDATE]),
        ([change("update", "a", ("x", "a", f"a/{UNKNOWN}/b"))], [change("update", "a", ("x", "a", "a/7/b"))]),
        ([change("update", "a", (f"x.{UNKNOWN}", None, [UNKNOWN, 1]))], [change("update", "a", ("x.7", None, [1, 2, 3]))]),
        ([change("update", "a", ("x", 1, {UNKNOWN: 2}))], [change("update", "a", ("x", 1, {"k": 2}))]),
        ([change("create", "a", ("x", None, 2))], [change("create", "a", ("x", None, 1)), UPDATE]),
        ([change("update", "a", ("x", 1, 3))], [UPDATE, change("update", "a", ("x", 2, 3))]),
    ],
)
def test_a_plan_that_held(planned: t.Any, done: t.Any) -> None:
    assert deviations(planned, done) == []


@pytest.mark.parametrize(
    ("planned", "done"),
    [
        ([UPDATE], []),
        ([], [UPDATE]),
        ([UPDATE], [UPDATE, change("delete", "b")]),
        ([change("delete", "b")], [change("delete", "b")] * 2),
        ([UPDATE], [change("create", "a", ("x", 1, 2))]),
        ([UPDATE], [change("update", "a", ("x", 1, 3))]),
        ([UPDATE], [change("update", "a", ("x", 0, 2))]),
        ([UPDATE], [change("update", "a", ("x", 1, 2), ("y", 1, 2))]),
        ([change("update", "a", ("x", 1, 2), ("y", 1, 2))], [UPDATE]),
        ([UPDATE], [change("update", "a", ("x", 1, 2), warnings=("it restarts",))]),
        ([change("update", "a", ("x", "a", f"a/{UNKNOWN}"))], [change("update", "a", ("x", "a", "b/7"))]),
    ],
)
def test_a_plan_that_lied(planned: t.Any, done: t.Any) -> None:
    assert deviations(planned, done) != []

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: a plan as people and pipelines read it. Pure."""

from __future__ import annotations

import json
import os
import typing as t
from collections import Counter

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import Change, SENSITIVE, UNKNOWN

FORMAT_VERSION = 1
SIGNS = {"create": "+", "update": "~", "replace": "-/+", "delete": "-"}
COUNTS = {"create": "add", "update": "change", "replace": "replace", "delete": "remove"}
WIDTH = 160
"""Characters of a value that a plan shows; the JSON has it whole."""
CONTEXT = 20
"""Characters of a long value that a plan shows before the first that changes."""

Line = tuple[str, str]
"""An action, or ``warning`` or ``summary``, and the text of one line."""


def count(changes: t.Iterable[Change]) -> dict[str, int]:
    """How many resources a plan adds, changes, replaces and removes."""
    actions = Counter(change["action"] for change in changes)
    return {word: actions[action] for action, word in COUNTS.items()}


def lines(changes: t.Sequence[Change]) -> t.Iterator[Line]:
    """The plan, a line for each resource and for each field that changes; then all warnings, and the summary."""
    for change in changes:
        action = change["action"]
        yield action, f"{SIGNS[action]:>5} {change['kind']} {change['name']}"
        if action in ("update", "replace"):
            for field in change["fields"]:
                before, after = _shown(_text(field["before"]), _text(field["after"]))
                yield action, f"{'':8}{field['name']}: {before} → {after}"
    for change in changes:
        for warning in change["warnings"]:
            yield "warning", f"WARNING: {change['kind']} {change['name']}: {warning}"
    n = count(changes)
    yield "summary", f"Plan: {n['add']} to add, {n['change']} to change, {n['replace']} to replace, {n['remove']} to remove."


def document(changes: t.Sequence[Change], stack: str) -> str:
    """The plan as JSON, which docs/plan-schema.json describes."""
    plan = {"format_version": FORMAT_VERSION, "stack": stack, "summary": count(changes), "changes": list(changes)}
    return json.dumps(plan, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _text(value: t.Any) -> str:
    if isinstance(value, str) and value in (UNKNOWN, SENSITIVE):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _shown(before: str, after: str) -> tuple[str, str]:
    """Both values, the long ones cut to where they differ."""
    common = len(os.path.commonprefix([before, after]))
    start = max(0, common - CONTEXT) if max(len(before), len(after)) > WIDTH else 0
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int) -> str:
    if len(text) <= WIDTH:
        return text
    cut = f"...{text[start:]}" if start > 3 else text
    return cut if len(cut) <= WIDTH else f"{cut[: WIDTH - 3]}..."

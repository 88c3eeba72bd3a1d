# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan says, beside what a run then did."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter, defaultdict
from pathlib import Path

import jsonschema

Change = dict[str, t.Any]
Line = tuple[str, str, str]
"""Action, kind and name."""

UNKNOWN = "(known after apply)"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "plan-schema.json").read_text(encoding="utf-8"))


def read_plan(path: Path) -> dict[str, t.Any]:
    """A plan that was written as JSON, as the schema says, its summary that of its lines."""
    plan = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(plan, SCHEMA, cls=jsonschema.Draft202012Validator)
    actions = Counter(change["action"] for change in plan["changes"])
    words = {"create": "add", "update": "change", "replace": "replace", "delete": "remove"}
    assert plan["summary"] == {word: actions[action] for action, word in words.items()}
    return plan


def lines(changes: t.Iterable[Change]) -> list[Line]:
    return sorted((change["action"], change["kind"], change["name"]) for change in changes)


def deviations(planned: t.Sequence[Change], done: t.Sequence[Change]) -> list[str]:
    """Where a run did something else than the plan of it said: other resources, other fields, other values."""
    plan, run = _by_line(planned), _by_line(_in_one(done))
    found = [f"planned, not done: {line}" for line in plan if len(plan[line]) > len(run.get(line, []))]
    found += [f"done, not planned: {line}" for line in run if len(run[line]) > len(plan.get(line, []))]
    for line in plan.keys() & run.keys():
        for said, was in zip(plan[line], run[line]):
            pairs = [(s, w) for s in said["fields"] for w in was["fields"] if all(_fits(s[k], w[k]) for k in s)]
            found += [
                f"planned, not so done: {line} {s}"
                for s in said["fields"]
                if UNKNOWN not in str(s) and not any(s is p for p, _w in pairs)  # what is unknown may turn out as it was
            ]
            found += [f"done, not so planned: {line} {w}" for w in was["fields"] if not any(w is p for _s, p in pairs)]
            if said["warnings"] != was["warnings"]:
                found.append(f"warned of otherwise: {line} {said['warnings']} {was['warnings']}")
    return found


def _by_line(changes: t.Iterable[Change]) -> dict[Line, list[Change]]:
    found: dict[Line, list[Change]] = defaultdict(list)
    for change in changes:
        found[change["action"], change["kind"], change["name"]].append(change)
    return found


def _in_one(changes: t.Iterable[Change]) -> list[Change]:
    """The changes of a run, those of a resource that it changed more than once in one."""
    kept: dict[tuple[str, str], Change] = {}
    found = []
    for change in changes:
        resource = change["kind"], change["name"]
        if change["action"] == "update" and resource in kept:
            first = kept[resource]
            fields = {field["name"]: field for field in first["fields"]}
            for field in change["fields"]:
                before = fields.get(field["name"], field)["before"]
                fields[field["name"]] = {**field, "before": None if first["action"] == "create" else before}
            first.update(fields=list(fields.values()), warnings=[*first["warnings"], *change["warnings"]])
            continue
        change = dict(change)
        found.append(change)
        if change["action"] != "delete":
            kept[resource] = change
    return found


def _fits(said: t.Any, was: t.Any) -> bool:
    """Whether a value is the one that was planned; what is only known after apply may be anything."""
    if isinstance(said, str) and UNKNOWN in said:
        return said == UNKNOWN or bool(re.fullmatch(".*".join(map(re.escape, said.split(UNKNOWN))), str(was)))
    if isinstance(said, dict) and isinstance(was, dict):
        return len(said) == len(was) and all(any(_fits(k, x) and _fits(said[k], was[x]) for x in was) for k in said)
    if isinstance(said, list) and isinstance(was, list):
        # Sets, most of them: several that are only known after apply may be one in the plan.
        return all(any(_fits(s, w) for w in was) for s in said) and all(any(_fits(s, w) for s in said) for w in was)
    return said == was

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: statements that inputs add to the policy of a role, as IAM's policy grammar has them. Pure."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Problem

_KEYS = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
_ACTION = re.compile(r"\*|[a-z0-9-]+:[\w*?]+", re.ASCII | re.IGNORECASE)
_RESOURCE = re.compile(r"\*|arn:[\w*?-]+:[\w*?-]+:[\w*?-]*:[\w*?-]*:[^\s\x00-\x1f]+", re.ASCII)
_VALUES = (str, int, float, bool)

Document = dict[str, t.Any]
Found = t.Iterator[tuple[str, t.Any, str]]
"""The key with a problem, its value (None: not shown) and the remedy. What is no name is the value."""


def statement_problems(name: str, statements: list[Document]) -> t.Iterator[Problem]:
    """What IAM would refuse in the statements of the input ``name``."""
    for index, statement in enumerate(statements):
        for key, value, remedy in _found(statement, [other.get("Sid") for other in statements[:index]]):
            yield Problem(f"{name}[{index}].{key}".rstrip("."), value, remedy)


def size(statements: list[Document]) -> int:
    """Characters of the statements, without blanks, which IAM does not count."""
    return sum(len(re.sub(r"\s", "", json.dumps(statement, ensure_ascii=False, default=str))) + 1 for statement in statements)


def _found(statement: Document, sids: list[t.Any]) -> Found:
    for key in statement.keys() - set(_KEYS):
        remedy = f"a statement of a role's policy has the keys {', '.join(_KEYS)}"
        yield (key, None, remedy) if re.fullmatch(r"\w{1,100}", key, re.ASCII) else ("", key, remedy)
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not re.fullmatch(r"[A-Za-z0-9]{0,128}", sid):
        yield "Sid", sid, "give letters and digits"
    elif sid and sid in sids:
        yield "Sid", sid, "another statement has this one: give each its own"
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield "Effect", statement.get("Effect"), "give Allow or Deny"
    yield from _one_of(statement, "Action", _ACTION, "actions such as bedrock:InvokeModel")
    yield from _one_of(statement, "Resource", _RESOURCE, "ARNs, in which * and ? stand for any characters, or * for all")
    condition = statement.get("Condition", {})
    if not _is_condition(condition):
        yield "Condition", None, "give a dict of operators, such as StringEquals, to dicts of keys to values"


def _one_of(statement: Document, key: str, form: re.Pattern[str], what: str) -> Found:
    given = [name for name in (key, f"Not{key}") if name in statement]
    if len(given) != 1:
        yield key, None, f"give {key} or Not{key}: {what}"
        return
    value = statement[given[0]]
    values = value if isinstance(value, list) else [value]
    wrong = [each for each in values if not (isinstance(each, str) and form.fullmatch(each))]
    if wrong or not values:
        yield given[0], wrong[0] if wrong else value, f"give {what}"


def _is_condition(condition: t.Any) -> bool:
    return isinstance(condition, dict) and all(
        isinstance(keys, dict)
        and keys
        and all(isinstance(each, _VALUES) for value in keys.values() for each in (value if isinstance(value, list) else [value]))
        for keys in condition.values()
    )

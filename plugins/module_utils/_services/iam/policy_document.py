# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: one form for all spellings of an IAM policy document that mean the same."""

from __future__ import annotations

import re
import typing as t

_ACCOUNT_ROOT = re.compile(r"arn:[^:]+:iam::(\d{12}):root")
_SETS = ("Action", "NotAction", "Resource", "NotResource")


def normal_policy(document: dict[str, t.Any]) -> dict[str, t.Any]:
    """The document with every set (actions, resources, principals, condition values) as a sorted list of strings.

    AWS takes one value in place of a list of one, stores an account number as the ARN of its root, returns lists in
    any order, and means version 2008-10-17 where none is given. Statements keep their order.

    Only to compare: what is sent is the document itself, because scanners of policies understand fewer spellings than AWS.
    """
    statements = document.get("Statement", [])
    return {"Version": "2008-10-17", **document, "Statement": [_statement(s) for s in (statements if isinstance(statements, list) else [statements])]}


def _statement(statement: dict[str, t.Any]) -> dict[str, t.Any]:
    normal = dict(statement)
    for name in _SETS:
        if name in normal:
            normal[name] = _strings(normal[name])
    for name in ("Principal", "NotPrincipal"):
        if name in normal:
            principals = {"AWS": "*"} if normal[name] == "*" else normal[name]
            normal[name] = {kind: sorted(_ACCOUNT_ROOT.sub(r"\1", who) for who in _strings(names)) for kind, names in principals.items()}
    if "Condition" in normal:
        normal["Condition"] = {operator: {key: _strings(values) for key, values in keys.items()} for operator, keys in normal["Condition"].items()}
    return normal


def _strings(values: t.Any) -> list[str]:
    values = values if isinstance(values, list) else [values]
    return sorted({str(v).lower() if isinstance(v, bool) else str(v) for v in values})

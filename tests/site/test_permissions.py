# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM policy in docs/ allows every call that the playbooks make."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

from support.permissions import action, needs_more
from support.stack import Stack

POLICY = json.loads((Path(__file__).parents[2] / "docs" / "iam-policy.json").read_text(encoding="utf-8"))
ALLOWED = [action for statement in POLICY["Statement"] for action in statement["Action"]]


def test_the_policy_allows_every_call(stack: Stack) -> None:
    confirmed = {"mlflow_confirm_restore": "mlflow-team-x"}
    runs = [
        stack.run("plan"),
        stack.apply(),
        stack.apply(mlflow_api_authorizer="jwt"),
        stack.run("verify"),
        stack.run("backup", mlflow_backup_name="s"),
        stack.run("restore", **confirmed, mlflow_restore_snapshot="s"),
        stack.run("restore", **confirmed, mlflow_restore_time="latest"),
        stack.destroy(),
    ]
    assert [run.status for run in runs] == [0] * len(runs)
    needed = {action(call) for run in runs for call in run.calls}
    assert len(needed) > 80
    missing = {a for a in needed if not any(fnmatchcase(a, allowed) for allowed in ALLOWED)}
    assert not missing
    assert [(call["operation"], more) for run in runs for call in run.calls if (more := needs_more(call))] == []

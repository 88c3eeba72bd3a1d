# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy documents of the caller allow every call that the playbooks make."""

from __future__ import annotations

from support.permissions import action, granted, needs_more
from support.stack import Stack

ALLOWED = granted(bootstrap=False)


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
    assert needed <= ALLOWED
    assert [(call["operation"], more) for run in runs for call in run.calls if (more := needs_more(call))] == []

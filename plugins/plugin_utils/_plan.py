# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows a plan to a person, and writes it as JSON for programs."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible import constants as C
from ansible.utils.display import Display

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine import plan
from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._files import write

COLOURS = {
    "create": C.COLOR_DIFF_ADD,
    "update": C.COLOR_CHANGED,
    "replace": C.COLOR_DIFF_REMOVE,
    "delete": C.COLOR_DIFF_REMOVE,
    "warning": C.COLOR_WARN,
    "summary": None,
}


def report_plan(stack: str, changes: list[plan.Change], path: str | None, detailed_exitcode: bool, notes: t.Iterable[str] = ()) -> dict[str, t.Any]:
    """Show the plan ``changes`` of ``stack``, write it to ``path`` if that is given, and return the task's result.

    The result is a failure where there are changes and ``detailed_exitcode`` asks for one, or where the file cannot be written.
    """
    display = Display()
    display.display(f"\n{stack}")
    for kind, text in plan.lines(changes):
        display.display(text, color=COLOURS[kind])
    for note in notes:
        display.display(note)
    result = {"changed": False, "summary": plan.count(changes)}
    if path:
        try:
            write(Path(path), plan.document(changes, stack))
        except OSError as error:
            return {**result, "failed": True, "msg": f"mlflow_plan_path: {path}: the plan cannot be written: {error.strerror}"}
    if changes and detailed_exitcode:
        return {**result, "failed": True, "msg": "There are changes, and mlflow_plan_detailed_exitcode asks to fail then."}
    return result

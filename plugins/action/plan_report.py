# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows a plan and writes it as JSON. It changes nothing but that file, so it does the same in check mode."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible import constants as C
from ansible.plugins.action import ActionBase
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


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(
            {
                "stack": {"type": "str", "required": True},
                "changes": {"type": "list", "elements": "dict", "required": True},
                "path": {"type": "path"},
                "detailed_exitcode": {"type": "bool", "default": False},
                "notes": {"type": "list", "elements": "str", "default": []},
            }
        )
        changes = arguments["changes"]
        display = Display()
        display.display(f"\n{arguments['stack']}")
        for kind, text in plan.lines(changes):
            display.display(text, color=COLOURS[kind])
        for note in arguments["notes"]:
            display.display(note)
        result.update(changed=False, summary=plan.count(changes))
        if arguments["path"]:
            try:
                write(Path(arguments["path"]), plan.document(changes, arguments["stack"]))
            except OSError as error:
                message = f"mlflow_plan_path: {arguments['path']}: the plan cannot be written: {error.strerror}"
                return {**result, "failed": True, "msg": message}
        if changes and arguments["detailed_exitcode"]:
            result.update(failed=True, msg="There are changes, and mlflow_plan_detailed_exitcode asks to fail then.")
        return result

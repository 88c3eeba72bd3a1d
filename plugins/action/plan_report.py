# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows a plan and writes it as JSON. It changes nothing but that file, so it does the same in check mode."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._plan import report_plan


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
        return {**result, **report_plan(**arguments)}

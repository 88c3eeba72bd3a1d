# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name and shows its checks as a person reads them."""

from __future__ import annotations

import typing as t

from ansible import constants as C
from ansible.utils.display import Display

from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._in_worker import InWorker

COLOURS = {"ok": C.COLOR_OK, "failed": C.COLOR_ERROR, "skipped": C.COLOR_SKIP}


class ActionModule(InWorker):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        result.update(self._execute_module(module_name="mlplatform.mlflow_aws.stack_health", task_vars=task_vars))
        display = Display()
        for check in result.get("checks", []):
            display.display(f"  {check['status']:<8}{check['name']}: {check['detail']}", color=COLOURS[check["status"]])
        return result

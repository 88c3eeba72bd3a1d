# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what a stack costs in a month: at the prices that AWS's price list answers to the module of the same name, or else at those of the collection."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

from ansible.utils.display import Display

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.cost import month
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.cost.prices import prices_of, to_ask, updated
from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._files import write
from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._in_worker import InWorker


class ActionModule(InWorker):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        cost = self._task.args.get("cost") or {}
        answer = self._execute_module(module_args={**self._task.args, "products": to_ask(cost.get("engine", ""))}, task_vars=task_vars)
        if answer.get("failed"):
            return {**result, **answer}
        prices = updated(prices_of(answer["region"]), answer["prices"], time.strftime("%Y-%m-%d", time.gmtime()))
        parts, path = cost["parts"], self._task.args.get("path")
        display = Display()
        display.display(f"\n{self._task.args['stack']}")
        for line in [*month.lines(parts, prices), *answer["notes"]]:
            display.display(line)
        figures = {"stack": self._task.args["stack"], **month.document(parts, prices)}
        if path:
            try:
                write(Path(path).expanduser(), json.dumps(figures, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
            except OSError as error:
                return {**result, "failed": True, "msg": f"mlflow_cost_path: {path}: the cost cannot be written: {error.strerror}"}
        told = {name: answer[name] for name in ("warnings", "deprecations") if name in answer}
        return {**result, **told, "changed": False, "cost": figures}

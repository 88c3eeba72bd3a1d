# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name in the worker, unless the run has no lease that it could give back."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.lease import note
from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils import _in_worker


class ActionModule(_in_worker.ActionModule):
    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        lease = _in_worker.lease_of(task_vars or {})
        acquired = bool(lease and note(lease["holder"]["directory"], lease["stack"]).exists())
        if self._task.args.get("state") == "released" and not acquired:
            return {"changed": False, "acquired": False}
        return super().run(tmp, task_vars)

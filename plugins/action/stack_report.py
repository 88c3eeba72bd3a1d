# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends a run: tells a person what was deployed and how to use it, or, in check mode, what would change."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._files import write
from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._plan import report_plan


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(
            {
                "stack": {"type": "str", "required": True},
                "outputs": {"type": "dict", "required": True},
                "path": {"type": "path", "required": True},
                "basic_credentials": {"type": "bool", "default": False},
                "manage_dns": {"type": "bool", "default": True},
                "changes": {"type": "list", "elements": "dict", "required": True},
                "plan_path": {"type": "path"},
                "detailed_exitcode": {"type": "bool", "default": False},
            }
        )
        stack, outputs = arguments["stack"], arguments["outputs"]
        if self._task.check_mode:
            return {**result, **report_plan(stack, arguments["changes"], arguments["plan_path"], arguments["detailed_exitcode"])}
        return {**result, **report_outputs(stack, outputs, arguments["path"], arguments["basic_credentials"], arguments["manage_dns"])}


def report_outputs(stack: str, outputs: dict[str, t.Any], path: str, basic_credentials: bool, manage_dns: bool) -> dict[str, t.Any]:
    """Show how to use the stack, write its outputs as JSON to ``path``, and return the task's result."""
    display = Display()
    for line in summary(stack, outputs, path, basic_credentials, manage_dns):
        display.display(line)
    text = json.dumps(outputs, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        return {"changed": write(Path(path), text)}
    except OSError as error:
        return {"failed": True, "msg": f"mlflow_outputs_path: {path}: the outputs cannot be written: {error.strerror}"}


def summary(stack: str, outputs: dict[str, t.Any], path: str, basic_credentials: bool, manage_dns: bool = True) -> t.Iterator[str]:
    """What a person wants to know after a deployment, line by line. No line holds a secret."""
    yield ""
    yield f"MLflow {stack} is deployed."
    yield ""
    yield f"  People     {outputs['tracking_uri']}"
    yield "             sign in with an account of the identity provider"
    yield f"  Programs   {outputs['api_uri']}"
    yield f"             export MLFLOW_TRACKING_URI={outputs['api_uri']}"
    if basic_credentials:
        yield "             export MLFLOW_TRACKING_USERNAME=<user> MLFLOW_TRACKING_PASSWORD=<password of the credentials secret>"
        yield "             or"
    yield "             export MLFLOW_TRACKING_TOKEN=<access or ID token of the Cognito user pool>"
    yield "             files over 5 MB: export MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=true"
    yield "             MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=5242880 MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=true"
    yield ""
    for n, record in enumerate([] if manage_dns else outputs["dns_records"]):
        yield f"  {'' if n else 'DNS':<9}  {record['name']} has to lead to {record['alias_dns_name']}"
        yield f"             (an alias of type {record['type']}, hosted zone {record['alias_zone_id']}, or a CNAME)"
    if not manage_dns:
        yield ""
    yield f"  Artifacts  s3://{outputs['artifact_bucket_id']}"
    yield f"  Database   {outputs['database_cluster_id']} ({outputs['database_endpoint']})"
    yield f"  Servers    {outputs['cluster_id']}"
    yield f"  Logs       {outputs['log_group_name']}"
    yield f"  Outputs    {path}"
    yield ""

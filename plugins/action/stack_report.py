# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the outputs of a stack and tells a person what was deployed and how to use it."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._files import write


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(
            {
                "stack": {"type": "str", "required": True},
                "outputs": {"type": "dict", "required": True},
                "path": {"type": "path", "required": True},
                "basic_credentials": {"type": "bool", "default": False},
                "notes": {"type": "list", "elements": "str", "default": []},
            }
        )
        display = Display()
        for line in summary(**arguments):
            display.display(line)
        text = json.dumps(arguments["outputs"], indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        try:
            changed = write(Path(arguments["path"]), text)
        except OSError as error:
            message = f"mlflow_outputs_path: {arguments['path']}: the outputs cannot be written: {error.strerror}"
            return {**result, "failed": True, "msg": message}
        return {**result, "changed": changed}


def summary(stack: str, outputs: dict[str, t.Any], path: str, basic_credentials: bool, notes: list[str]) -> t.Iterator[str]:
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
    yield f"  Artifacts  s3://{outputs['artifact_bucket_id']}"
    yield f"  Database   {outputs['database_cluster_id']} ({outputs['database_endpoint']})"
    yield f"  Servers    {outputs['cluster_id']}"
    yield f"  Logs       {outputs['log_group_name']}"
    yield f"  Outputs    {path}"
    for note in notes:
        yield f"  Note       {note}"
    yield ""

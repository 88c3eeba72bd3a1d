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

FIRST_STEPS = "https://github.com/mlplatform/mlflow_aws/blob/main/docs/first-steps.md"


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
                "authorizer": {"type": "str", "choices": ["lambda", "jwt", "iam"], "default": "lambda"},
                "basic_credentials": {"type": "bool", "default": False},
                "manage_dns": {"type": "bool", "default": True},
                "host_names": {"type": "bool", "default": True},
                "artifact_access": {"type": "str", "choices": ["proxied", "presigned", "direct"], "default": "proxied"},
                "artifact_multipart": {"type": "bool", "default": False},
                "not_confirmed": {"type": "list", "elements": "str", "default": []},
                "changes": {"type": "list", "elements": "dict", "required": True},
                "plan_path": {"type": "path"},
                "detailed_exitcode": {"type": "bool", "default": False},
            }
        )
        stack, outputs = arguments["stack"], arguments["outputs"]
        if self._task.check_mode:
            return {**result, **report_plan(stack, arguments["changes"], arguments["plan_path"], arguments["detailed_exitcode"])}
        programs = credentials(arguments["authorizer"], arguments["basic_credentials"])
        artifacts = artifact_lines(arguments["artifact_access"], arguments["artifact_multipart"], outputs["artifact_bucket_id"])
        lines = summary(stack, outputs, arguments["path"], programs, artifacts, arguments["manage_dns"], arguments["not_confirmed"], arguments["host_names"])
        return {**result, **report_outputs(lines, outputs, arguments["path"])}


def report_outputs(lines: t.Iterable[str], outputs: dict[str, t.Any], path: str) -> dict[str, t.Any]:
    """Show ``lines``, write the outputs of the stack as JSON to ``path``, and return the task's result."""
    display = Display()
    for line in lines:
        display.display(line)
    text = json.dumps(outputs, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        return {"changed": write(Path(path), text)}
    except OSError as error:
        return {"failed": True, "msg": f"mlflow_outputs_path: {path}: the outputs cannot be written: {error.strerror}"}


def credentials(authorizer: str, basic_credentials: bool) -> list[str]:
    """What programs set to prove who they are, by the authorizer of the API."""
    if authorizer == "iam":
        return ["export MLFLOW_TRACKING_AWS_SIGV4=true", "with AWS credentials that may execute-api:Invoke on the API"]
    token = "export MLFLOW_TRACKING_TOKEN=<access or ID token of the Cognito user pool, which the playbook token gets>"
    basic = "export MLFLOW_TRACKING_USERNAME=<user> MLFLOW_TRACKING_PASSWORD=<password of the credentials secret>"
    return [basic, "or", token] if basic_credentials else [token]


def artifact_lines(access: str, multipart: bool, bucket: str) -> tuple[str, ...]:
    """What the way of artifacts asks of programs: docs/artifacts.md has the table."""
    if access == "presigned":
        return "artifacts: directly to and from Amazon S3, which programs and browsers have to reach;", "MLflow 3.18 or newer, with no further settings"
    if access == "direct":
        return (f"artifacts: AWS credentials that may read and write s3://{bucket}",)
    if multipart:
        return (
            "artifacts: programs and browsers have to reach Amazon S3; for uploads of 5 to 500 MB:",
            "export MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=5242880",
        )
    return (
        "files over 5 MB: export MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=true",
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=5242880 MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=true",
    )


def summary(
    stack: str,
    outputs: dict[str, t.Any],
    path: str,
    credentials: t.Iterable[str],
    artifacts: t.Iterable[str],
    manage_dns: bool = True,
    not_confirmed: t.Sequence[str] = (),
    host_names: bool = True,
) -> t.Iterator[str]:
    """What a person wants to know after a deployment, line by line. No line holds a secret."""
    yield ""
    yield f"MLflow {stack} is deployed."
    yield ""
    yield f"  People     {outputs['tracking_uri']}"
    yield "             sign in with an account of the identity provider"
    if sign_out_uri := outputs.get("sign_out_uri"):
        yield f"             sign out at {sign_out_uri}"
    yield f"  Programs   {outputs['api_uri']}"
    yield f"             export MLFLOW_TRACKING_URI={outputs['api_uri']}"
    yield from (f"             {line}" for line in (*credentials, *artifacts))
    if token_uri := outputs.get("token_uri"):
        yield f"             or {token_uri}"
        yield "             from within the network, with an access token: without limits of size and time, and without the settings for files"
    yield ""
    if not host_names:
        yield "  Names      do not lead here: mlflow_host_names is false. Until then, to look at it from where they are known, let the name of people"
        yield f"             lead to {outputs['load_balancer_dns_name']} on your computer"
        yield ""
    for n, record in enumerate([] if manage_dns or not host_names else outputs["dns_records"]):
        yield f"  {'' if n else 'DNS':<9}  {record['name']} has to lead to {record['alias_dns_name']}"
        yield f"             (an alias of type {record['type']}, hosted zone {record['alias_zone_id']}, or a CNAME)"
    if host_names and not manage_dns:
        yield ""
    yield f"  Artifacts  s3://{outputs['artifact_bucket_id']}"
    yield f"  Database   {outputs['database_cluster_id']} ({outputs['database_endpoint']})"
    yield f"  Servers    {outputs['cluster_id']}"
    if outputs.get("jobs_service_name"):
        yield f"  Jobs       {outputs['jobs_service_name']}: one more task, all day"
    yield f"  Logs       {outputs['log_group_name']}"
    if dashboard := outputs.get("dashboard_url"):
        yield f"  Dashboard  {dashboard}"
    if dashboard := outputs.get("account_dashboard_url"):
        yield f"  All stacks {dashboard}"
    if topic := outputs.get("alarm_topic_arn"):
        yield f"  Alarms     {topic}"
        yield from (f"             {address} has to follow the link in the e-mail of AWS first" for address in not_confirmed)
    yield f"  Outputs    {path}"
    yield f"  Next       the first sign-in and the first run: {FIRST_STEPS}"
    yield ""

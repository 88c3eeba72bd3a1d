# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what the modules for ECS share: why a task stopped, in its own words."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._aws import Aws, BotoCoreError, ClientError

LOG_LINES = 5
"""Last lines of a container's log that an error shows."""


def failed_containers(task: dict[str, t.Any], definition: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The essential containers of a stopped task that did not end with 0, those that never ran included."""
    essential = {c["name"] for c in definition["containerDefinitions"] if c.get("essential", True)}
    return [c for c in task.get("containers", []) if c["name"] in essential and c.get("exitCode") != 0]


def why_stopped(aws: Aws, task: dict[str, t.Any], definition: dict[str, t.Any]) -> list[str]:
    """Why a task stopped, a line each: ECS's reason, each failed container, and the last lines that it logged."""
    lines = [task["stoppedReason"]] if task.get("stoppedReason") else []
    for container in failed_containers(task, definition):
        code = f"ended with exit status {container['exitCode']}" if "exitCode" in container else "did not run"
        reason = f": {container['reason']}" if container.get("reason") else ""
        lines.append(f"container {container['name']} {code}{reason}")
        if "exitCode" in container:
            lines += last_log_lines(aws, task["taskArn"], container["name"], definition)
    return lines


def last_log_lines(aws: Aws, task_arn: str, container: str, definition: dict[str, t.Any]) -> list[str]:
    """The last lines that a container wrote to CloudWatch Logs; none where they cannot be read."""
    given = next(c for c in definition["containerDefinitions"] if c["name"] == container)
    log = given.get("logConfiguration", {})
    options = log.get("options", {})
    if log.get("logDriver") != "awslogs" or "awslogs-stream-prefix" not in options:
        return []
    # The documented name of the stream: prefix/container/task id, the last part of the task's ARN.
    stream = f"{options['awslogs-stream-prefix']}/{container}/{task_arn.rpartition('/')[2]}"
    try:
        events = aws.client("logs").get_log_events(
            logGroupName=options["awslogs-group"], logStreamName=stream, limit=LOG_LINES, startFromHead=False
        )["events"]
    except (ClientError, BotoCoreError):
        return []
    return [f"  {_without_password(event['message'].rstrip())}" for event in events]


def _without_password(line: str) -> str:
    """The line with the password of any URI in it masked: a driver's error may quote the URI that it was given."""
    return re.sub(r"://([^:/@\s]*):[^@\s]+@", r"://\1:***@", line)

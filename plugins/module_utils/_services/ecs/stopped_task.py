# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: why a task of ECS stopped, in its own words."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import BotoCoreError, ClientError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait

LOG_LINES = 5
"""Last lines of a container's log that an error shows."""

LOG_DELAY = 30
"""Seconds that the last line of a container may take to get to CloudWatch Logs."""


def essential(definition: dict[str, t.Any]) -> list[str]:
    """The names of the containers with which a task stops."""
    return [c["name"] for c in definition["containerDefinitions"] if c.get("essential", True)]


def failed_containers(task: dict[str, t.Any], definition: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The essential containers of a stopped task that did not end with 0, those that never ran included."""
    names = essential(definition)
    return [c for c in task.get("containers", []) if c["name"] in names and c.get("exitCode") != 0]


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
    return [f"  {_without_password(line)}" for line in _log(aws, task_arn, container, definition) or []]


def last_object(aws: Aws, task_arn: str, container: str, definition: dict[str, t.Any]) -> dict[str, t.Any]:
    """The JSON object that is the last line of a container's log; empty where there is none."""
    wait = Wait(f"the log of container {container}")
    while True:
        lines = _log(aws, task_arn, container, definition)
        if lines and lines[-1].startswith("{"):
            return json.loads(lines[-1])
        if lines is None or wait.seconds > LOG_DELAY:  # a container that has a log has it from its start
            return {}
        wait.pause(2, "its last line is not there yet")


def _log(aws: Aws, task_arn: str, container: str, definition: dict[str, t.Any]) -> list[str] | None:
    """The last lines of a container's log; None where there is no log, or it cannot be read."""
    given = next(c for c in definition["containerDefinitions"] if c["name"] == container)
    log = given.get("logConfiguration", {})
    options = log.get("options", {})
    if log.get("logDriver") != "awslogs" or "awslogs-stream-prefix" not in options:
        return None
    # The documented name of the stream: prefix/container/task id, the last part of the task's ARN.
    stream = f"{options['awslogs-stream-prefix']}/{container}/{task_arn.rpartition('/')[2]}"
    try:
        events = aws.client("logs").get_log_events(logGroupName=options["awslogs-group"], logStreamName=stream, limit=LOG_LINES, startFromHead=False)["events"]
    except (ClientError, BotoCoreError):
        return None
    return [event["message"].rstrip() for event in events]


def _without_password(line: str) -> str:
    """The line with the password of any URI in it masked: a driver's error may quote the URI that it was given."""
    return re.sub(r"://([^:/@\s]*):[^@\s]+@", r"://\1:***@", line)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.stopped_task import failed_containers, why_stopped

LOG = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/x", "awslogs-stream-prefix": "mlflow", "awslogs-region": "eu-west-1"}}
DEFINITION = {"containerDefinitions": [{"name": "init", "essential": False, "logConfiguration": LOG}, {"name": "mlflow", "logConfiguration": LOG}]}


def task(stopped_reason="Essential container in task exited", **mlflow):
    containers = [{"name": "init", "exitCode": 0}, {"name": "mlflow", **mlflow}]
    return {"taskArn": "arn:aws:ecs:r:1:task/x/abc", "stoppedReason": stopped_reason, "containers": containers}


class Logs:
    def __init__(self, *messages):
        self.messages, self.asked = messages, []

    def get_log_events(self, **arguments):
        self.asked.append(arguments)
        return {"events": [{"message": message} for message in self.messages]}


@pytest.mark.parametrize(
    ("mlflow", "failed"), [({"exitCode": 0}, []), ({"exitCode": 3}, ["mlflow"]), ({"reason": "CannotPullContainerError: no such image"}, ["mlflow"])]
)
def test_essential_containers_that_did_not_succeed(mlflow, failed):
    assert [container["name"] for container in failed_containers(task(**mlflow), DEFINITION)] == failed


def test_a_container_that_is_not_essential_may_fail():
    ended = {"containers": [{"name": "init", "exitCode": 1}, {"name": "mlflow", "exitCode": 0}]}
    assert failed_containers(ended, DEFINITION) == []


def test_exit_status_and_last_log_lines():
    logs = Logs("starting", "refused: mysql+pymysql://mlflow:s3cr3t@db:3306/mlflow\n")
    lines = why_stopped(SimpleNamespace(client=lambda _: logs), task(exitCode=3), DEFINITION)
    assert lines == [
        "Essential container in task exited",
        "container mlflow ended with exit status 3",
        "  starting",
        "  refused: mysql+pymysql://mlflow:***@db:3306/mlflow",
    ]
    assert [(a["logGroupName"], a["logStreamName"]) for a in logs.asked] == [("/ecs/x", "mlflow/mlflow/abc")]


def test_a_container_that_never_ran_has_no_log():
    stopped = task("ResourceInitializationError: unable to pull secrets", reason="not started")
    assert why_stopped(SimpleNamespace(), stopped, DEFINITION) == [
        "ResourceInitializationError: unable to pull secrets",
        "container mlflow did not run: not started",
    ]

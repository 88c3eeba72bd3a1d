# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.service import Service

NOON = datetime(2026, 11, 22, 12)


def deployment(number, status="PRIMARY", rollout="IN_PROGRESS", reason=""):
    return {"id": f"ecs-svc/{number}", "status": status, "rolloutState": rollout, "rolloutStateReason": reason, "createdAt": NOON + timedelta(minutes=number)}


def answer(*deployments, running=2, desired=2):
    """What DescribeServices and UpdateService say of a service."""
    return {
        "serviceArn": "arn",
        "status": "ACTIVE",
        "serviceName": "x",
        "taskDefinition": "arn:x:2",
        "runningCount": running,
        "desiredCount": desired,
        "deployments": list(deployments),
    }


def service(*answers):
    """A service of which DescribeServices says the answers in turn."""
    remaining = list(answers)
    client = SimpleNamespace(describe_services=lambda **_: {"services": [remaining.pop(0)]})
    return Service(SimpleNamespace(client=lambda _: client), "x", {"cluster": "x"})


def pending(waiting, state):
    """Whether a service that this run just deployed (2 after 1) is still pending when AWS says C(state)."""
    waiting._answered(answer(deployment(2), deployment(1, "ACTIVE", "COMPLETED")))
    return waiting.pending(waiting.describe())


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (answer(deployment(2), deployment(1, "ACTIVE", "COMPLETED")), True),
        (answer(deployment(1, rollout="COMPLETED")), True),  # an answer from before the update
        (answer(deployment(2, rollout="COMPLETED")), False),
        (answer(deployment(2, rollout="COMPLETED"), running=1), True),
        (answer(deployment(2, rollout="COMPLETED"), running=0, desired=0), False),
    ],
)
def test_when_a_deployment_is_done(state, expected):
    assert pending(service(state), state) is expected


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (answer(deployment(3), deployment(2, "ACTIVE", "FAILED", "tasks failed to start")), "the deployment failed: tasks failed to start"),
        (answer(deployment(2, rollout="FAILED", reason="circuit breaker")), "the deployment failed: circuit breaker"),
        (
            answer(deployment(3, rollout="COMPLETED", reason="rolling back to deploymentId ecs-svc/1")),
            "another deployment took the place of this one: rolling back to deploymentId ecs-svc/1",
        ),
    ],
)
def test_a_failed_deployment_is_an_error(state, reason):
    with pytest.raises(AwsError, match=reason):
        pending(service(state), state)


def test_a_run_that_changes_nothing_waits_for_the_deployment_of_one_that_died():
    waiting = service(answer(deployment(1)), answer(deployment(1, rollout="COMPLETED")))
    assert waiting.pending(waiting.describe()) and not waiting.pending(waiting.describe())


def test_a_change_does_not_wait_for_the_deployment_that_it_replaces():
    waiting = service(answer(deployment(1)))
    waiting.change = {"action": "update"}
    assert not waiting.pending(waiting.describe())


def test_a_failed_deployment_is_made_again():
    failed = service(answer(deployment(1, rollout="FAILED")))
    assert failed.describe()["task_definition"] == "arn:x:2 (deployment failed)"

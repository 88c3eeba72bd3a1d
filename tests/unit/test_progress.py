# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine import progress
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.service import progress as progress_of_service

POLL = 0.5
"""Seconds that AWS takes to answer a poll."""


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on when the code sleeps."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


@pytest.mark.parametrize(("waited", "said"), [(10, 0), (13, 0), (40, 3), (600, 48)])
def test_a_person_hears_of_a_wait_at_least_every_15_seconds(clock, monkeypatch, waited, said):
    lines = []
    monkeypatch.setattr(progress, "show", lambda line: lines.append((clock[0], line)))
    wait = progress.Wait("rds_cluster x")
    for pause in backoff():
        wait.pause(pause, "creating")
        clock[0] += POLL
        if wait.seconds > waited:
            break
    times = [0.0, *(when for when, _line in lines), clock[0]]
    assert max(after - before for before, after in itertools.pairwise(times)) <= 15 + POLL
    assert abs(len(lines) - said) <= 1
    assert all(line == f"waiting for rds_cluster x: creating ({progress.duration(when)})" for when, line in lines)


def test_nobody_is_there_to_be_told(clock):
    progress.Wait("x").pause(20, "creating")
    assert clock[0] == 20


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"runningCount": 2, "desiredCount": 2, "deployments": []}, "2 of 2 tasks running"),
        (
            {
                "runningCount": 1,
                "desiredCount": 2,
                "pendingCount": 1,
                "deployments": [{"rolloutState": "IN_PROGRESS", "failedTasks": 2}, {"rolloutState": "COMPLETED"}],
            },
            "1 of 2 tasks running, 1 starting, 2 failed, deployment IN_PROGRESS",
        ),
    ],
)
def test_what_ecs_says_of_a_service(service, said):
    assert progress_of_service(service) == said

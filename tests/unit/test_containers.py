# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sidecars that ECS takes have no problem; what it refuses is in `support.bad_inputs`, which the embedded AWS refuses too."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.containers import SIDECARS, container_problems
from embedded_aws.task_definitions import refusals
from support.bad_inputs import BAD_SIDECARS

OURS: list[dict[str, t.Any]] = [
    {"name": "tmp-permissions", "image": "i", "essential": False},
    {"name": "mlflow", "image": "i", "portMappings": [{"containerPort": 5000}], "healthCheck": {"command": ["x"]}},
]


def refused(*sidecars: dict[str, t.Any]) -> list[str]:
    """What the embedded AWS says of a task with these sidecars."""
    task = {"cpu": "2048", "memory": "4096", "requiresCompatibilities": ["FARGATE"], "volumes": [{"name": "tmp"}]}
    return list(refusals({**task, "containerDefinitions": [*OURS, *sidecars]}))


def problems(*sidecars: dict[str, t.Any]) -> list[str]:
    given = {"mlflow_service_cpu": 2048, "mlflow_service_memory": 4096, SIDECARS: list(sidecars)}
    return [f"{problem.variable}: {problem.remedy}" for problem in container_problems(given)]


@pytest.mark.parametrize(
    "sidecars",
    [
        ({"name": "agent", "image": "agent:1", "essential": False, "cpu": 256, "memory": 512, "memoryReservation": 128},),
        ({"name": "proxy", "image": "nginx", "portMappings": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 80, "protocol": "udp"}]},),
        ({"name": "x", "image": "i", "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}], "volumesFrom": [{"sourceContainer": "mlflow"}]},),
        (
            {"name": "router", "image": "fluent-bit", "firelensConfiguration": {"type": "fluentbit"}},
            {"name": "x", "image": "i", "logConfiguration": {"logDriver": "awsfirelens"}, "dependsOn": [{"containerName": "router", "condition": "START"}]},
        ),
        ({"name": "x", "image": "i", "dependsOn": [{"containerName": "mlflow", "condition": "HEALTHY"}]},),
        ({"name": "x", "image": "i", "linuxParameters": {"tmpfs": [{"containerPath": "/x", "size": 64}]}},),
        ({"name": "x", "image": "i", "linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]}, "initProcessEnabled": True}},),
    ],
)
def test_what_ecs_takes_is_taken(sidecars: tuple[dict[str, t.Any], ...]) -> None:
    assert problems(*sidecars) == refused(*sidecars) == []


@pytest.mark.parametrize(("what", "field", "given"), BAD_SIDECARS)
def test_what_one_refuses_the_other_refuses(what: str, field: str, given: dict[str, t.Any]) -> None:
    sidecar = {"name": "a", "image": "i", **given}
    assert len(problems(sidecar)) == 1, what
    assert refused(sidecar), what


def test_the_remedy_names_the_inputs() -> None:
    (line,) = problems({"name": "a", "image": "i", "memory": 5000})
    assert "mlflow_service_memory is 4096" in line
    (line,) = problems({"name": "a", "image": "i", "mountPoints": [{"sourceVolume": "x", "containerPath": "/x"}]})
    assert line.startswith(f"{SIDECARS}[0].mountPoints: there is no such volume")

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import differences, fields
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.containers import normalise_container
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.artifacts import PRESIGNED_ONLY, artifact_warnings

GIVEN = {
    "name": "mlflow",
    "image": "ghcr.io/mlflow/mlflow:v3.18.0-full",
    "command": ["mlflow", "server"],
    "portMappings": [{"containerPort": 5000}],
    "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "secrets": [{"name": "S", "valueFrom": "arn:s"}, {"name": "T", "valueFrom": "arn:t"}],
    "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
    "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}],
    "healthCheck": {"command": ["CMD", "true"]},
    "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
    "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}},
    "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}],
}

SAME = {
    "what ECS adds": {
        "cpu": 0,
        "essential": True,
        "volumesFrom": [],
        "systemControls": [],
        "portMappings": [{"containerPort": 5000, "hostPort": 5000, "protocol": "tcp"}],
        "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": False}],
        "healthCheck": {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3},
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"add": [], "drop": ["ALL"]}, "devices": [], "tmpfs": []},
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}, "secretOptions": []},
        "versionConsistency": "enabled",
    },
    "another order of the environment": {"environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]},
    "another order of the secrets": {"secrets": [{"name": "T", "valueFrom": "arn:t"}, {"name": "S", "valueFrom": "arn:s"}]},
    "false spelled out": {"privileged": False, "readonlyRootFilesystem": False, "interactive": False},
    "nothing spelled out": {"user": None, "dockerLabels": {}, "entryPoint": []},
    "a number for a string": {"environment": [{"name": "A", "value": 1}, {"name": "B", "value": "2"}]},
}

DIFFERENT = {
    "image": ({"image": "ghcr.io/mlflow/mlflow:v3.19.0-full"}, "image"),
    "an argument": ({"command": ["mlflow", "server", "--dev"]}, "command"),
    "order of the command": ({"command": ["server", "mlflow"]}, "command"),
    "an environment value": ({"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]}, "environment.B"),
    "an environment variable more": ({"environment": [*GIVEN["environment"], {"name": "C", "value": ""}]}, "environment.C"),
    "an environment variable less": ({"environment": [{"name": "A", "value": "1"}]}, "environment.B"),
    "a secret": ({"secrets": [{"name": "S", "valueFrom": "arn:s"}, {"name": "T", "valueFrom": "arn:u"}]}, "secrets.T"),
    "essential": ({"essential": False}, "essential"),
    "read-only root": ({"readonlyRootFilesystem": True}, "readonlyRootFilesystem"),
    "a capability": ({"linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["NET_RAW"]}}}, "linuxParameters.capabilities.drop"),
    "the init process": ({"linuxParameters": {"initProcessEnabled": False, "capabilities": {"drop": ["ALL"]}}}, "linuxParameters.initProcessEnabled"),
    "a health check": ({"healthCheck": {"command": ["CMD", "true"], "retries": 5}}, "healthCheck.retries"),
    "a log option": ({"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "h"}}}, "logConfiguration.options.awslogs-group"),
    "a dependency": ({"dependsOn": [{"containerName": "init", "condition": "COMPLETE"}]}, "dependsOn.init"),
    "a mount that is read only": ({"mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": True}]}, "mountPoints./tmp.readOnly"),
    "a limit": ({"ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 8192}]}, "ulimits.nofile.hardLimit"),
    "cpu": ({"cpu": 256}, "cpu"),
}


@pytest.mark.parametrize("echo", SAME.values(), ids=SAME)
def test_spellings_that_mean_the_same(echo):
    assert normalise_container({**GIVEN, **echo}) == normalise_container(GIVEN)


@pytest.mark.parametrize(("change", "name"), DIFFERENT.values(), ids=DIFFERENT)
def test_a_difference_is_found_and_named(change, name):
    before = {"containers": {"mlflow": normalise_container(GIVEN)}}
    after = {"containers": {"mlflow": normalise_container({**GIVEN, **change})}}
    assert [f["name"] for f in fields(before, differences(before, after))] == [f"containers.mlflow.{name}"]


def test_a_port_more_is_found_and_named():
    more = {**GIVEN, "portMappings": [{"containerPort": 5000}, {"containerPort": 53, "protocol": "udp"}]}
    assert normalise_container(more)["portMappings"].keys() == {"5000/tcp", "53/udp"}


def test_the_definition_is_left_as_it_is():
    given = {"name": "c", "image": "i", "environment": [{"name": "A", "value": "1"}]}
    normalise_container(given)
    assert given == {"name": "c", "image": "i", "environment": [{"name": "A", "value": "1"}]}


PROXIED, DIRECT = "MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_DEFAULT_ARTIFACT_ROOT"


@pytest.mark.parametrize(
    ("before", "after", "warning"),
    [
        ({PROXIED: "s3://b"}, {PROXIED: "s3://b"}, ""),
        (
            {PROXIED: "s3://b"},
            {PROXIED: "s3://b/mlflow"},
            "artifacts below s3://b can no longer be reached through the server, which passes on those below s3://b/mlflow",
        ),
        ({PROXIED: "s3://b"}, {DIRECT: "s3://b"}, "artifacts below s3://b can no longer be reached through the server, which no longer passes any on"),
        ({DIRECT: "s3://b"}, {PROXIED: "s3://b"}, ""),
        ({DIRECT: "s3://b"}, {DIRECT: "s3://c"}, "keep their artifacts below s3://b, which the server can no longer read"),
        ({DIRECT: "s3://b"}, {PROXIED: "s3://c"}, "keep their artifacts below s3://b, which the server can no longer read"),
        ({}, {PROXIED: "s3://b"}, ""),
        ({PROXIED: "s3://b"}, {PROXIED: "s3://b", PRESIGNED_ONLY: "true"}, "clients older than MLflow 3.18"),
        ({PROXIED: "s3://b", PRESIGNED_ONLY: "true"}, {PROXIED: "s3://b", PRESIGNED_ONLY: "true"}, ""),
        ({PROXIED: "s3://b", PRESIGNED_ONLY: "true"}, {PROXIED: "s3://b"}, ""),
    ],
)
def test_artifacts_that_a_change_leaves_behind_are_warned_of(before: dict[str, str], after: dict[str, str], warning: str) -> None:
    found = artifact_warnings({"mlflow": {"environment": before}, "init": {}}, {"mlflow": {"environment": after}, "init": {}})
    assert warning in "".join(found) and len(found) == bool(warning)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task definitions, which the module of the cluster manages."""

from __future__ import annotations

import copy

import pytest
from modules.run_module import ModuleFailed, run_module

MODULE, KIND = "ecs_cluster", "ecs_task_definition"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
ROLE = "arn:aws:iam::123456789012:role/x"
CONTAINER = {
    "name": "mlflow",
    "image": "mlflow:1",
    "command": ["mlflow", "server"],
    "portMappings": [{"containerPort": 5000}],
    "environment": [{"name": "MLFLOW_WORKERS", "value": "4"}, {"name": "MLFLOW_HOST", "value": "0.0.0.0"}],
    "secrets": [{"name": "URI", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:u:::1"}],
    "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
    "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
    "healthCheck": {"command": ["CMD", "true"]},
}
WORKERS_2 = {"name": "MLFLOW_WORKERS", "value": "2"}
GIVEN = {
    "family": "x",
    "container_definitions": [CONTAINER, {"name": "init", "image": "mlflow:1", "essential": False}],
    "cpu": 1024,
    "memory": 2048,
    "execution_role_arn": ROLE,
    "task_role_arn": ROLE,
    "volumes": [{"name": "tmp"}],
    "tags": {**OWNER, "team": "x"},
}


def run_once(aws, given, **how):
    """The result of a run for a cluster of the family's name, as far as it is about the task definition."""
    family, tags, state = (given.get(name) for name in ("family", "tags", "state"))
    definition = {name: value for name, value in given.items() if name not in ("tags", "state")}
    result = run_module(MODULE, {"name": family, "task_definitions": [definition], "tags": tags, "state": state or "present"}, aws, **how)
    changes = [change for change in result["changes"] if change["kind"] == KIND]
    return {"task_definition": result["task_definitions"].get(family, {}), "changes": changes, "changed": result["changed"]}


def run(aws, params, **changes):
    """The result of a run, after a check run has changed nothing and announced the same."""
    params = {**params, **changes}
    since = aws.mark()
    planned = run_once(aws, params, check=True)
    assert aws.mutating(since) == []
    result = run_once(aws, params)
    assert planned["changes"] == result["changes"]
    return planned, result


def mutations(aws, since):
    return [call["operation"] for call in aws.mutating(since)]


def containers(*changes, **first):
    """The given containers, the first changed."""
    return [{**CONTAINER, **first}, *copy.deepcopy(GIVEN["container_definitions"][1:]), *changes]


def revisions(aws, status):
    return aws.client("ecs").list_task_definitions(familyPrefix="x", status=status)["taskDefinitionArns"]


def test_create_again_absent_again(aws):
    planned, result = run(aws, GIVEN)
    unknown = "(known after apply)"
    assert planned["task_definition"] == {"arn": unknown, "family": "x", "revision": unknown}
    assert result["task_definition"]["arn"].endswith("task-definition/x:1")
    answer = aws.client("ecs").describe_task_definition(taskDefinition="x", include=["TAGS"])
    assert {tag["key"]: tag["value"] for tag in answer["tags"]} == GIVEN["tags"]

    since = aws.mark()
    _ignored, again = run(aws, GIVEN)
    assert not again["changed"] and again["task_definition"] == result["task_definition"]
    assert sorted(call["operation"] for call in aws.calls(since)) == ["DescribeClusters"] * 2 + ["DescribeTaskDefinition"] * 2

    run(aws, GIVEN, cpu=2048, memory=4096)
    _ignored, gone = run(aws, GIVEN, state="absent")
    assert gone["task_definition"] == {} and [change["action"] for change in gone["changes"]] == ["delete"]
    assert revisions(aws, "ACTIVE") == revisions(aws, "INACTIVE") == []
    since = aws.mark()
    _ignored, again = run(aws, GIVEN, state="absent")
    assert not again["changed"] and mutations(aws, since) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"container_definitions": containers(image="mlflow:2")}, "containers.mlflow.image"),
        ({"container_definitions": containers(environment=[WORKERS_2, CONTAINER["environment"][1]])}, "containers.mlflow.environment.MLFLOW_WORKERS"),
        ({"container_definitions": containers(secrets=[])}, "containers.mlflow.secrets"),
        ({"container_definitions": containers(command=["mlflow", "gc"])}, "containers.mlflow.command"),
        ({"container_definitions": containers()[:1]}, "containers.init"),
        ({"cpu": 2048}, "cpu"),
        ({"memory": 4096}, "memory"),
        ({"execution_role_arn": f"{ROLE}-2"}, "execution_role_arn"),
        ({"task_role_arn": ""}, "task_role_arn"),
        ({"ephemeral_storage": 40}, "ephemeral_storage"),
        ({"runtime_platform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}}, "runtime_platform.cpuArchitecture"),
    ],
)
def test_a_change_is_a_new_revision(aws, change, field):
    run_once(aws, GIVEN)
    since = aws.mark()
    planned, result = run(aws, GIVEN, **change)
    assert [f["name"] for f in result["changes"][0]["fields"]] == [field]
    assert len(result["changes"]) == 1 and result["changes"][0]["action"] == "update"
    assert mutations(aws, since) == ["RegisterTaskDefinition"]
    assert planned["task_definition"]["arn"] == "(known after apply)"
    assert result["task_definition"]["revision"] == 2
    assert not run_once(aws, {**GIVEN, **change})["changed"]


@pytest.mark.parametrize(
    "volume",
    [
        {"name": "tmp", "host": {}},
        {"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-0a1b2c3d"}},
        {
            "name": "v",
            "efsVolumeConfiguration": {
                "fileSystemId": "fs-0a1b2c3d",
                "rootDirectory": "/",
                "authorizationConfig": {"accessPointId": "fsap-1"},
                "transitEncryption": "ENABLED",
            },
        },
    ],
)
def test_what_ecs_adds_to_a_volume_is_no_change(aws, volume):
    given = {**GIVEN, "volumes": [volume, *({"name": name} for name in ("tmp",) if volume["name"] != name)]}
    run_once(aws, given)
    assert not run_once(aws, given)["changed"]


def test_the_way_back_is_a_new_revision_too(aws):
    for number, memory in enumerate((2048, 4096, 2048), start=1):
        assert run_once(aws, {**GIVEN, "memory": memory})["task_definition"]["revision"] == number
    assert len(revisions(aws, "ACTIVE")) == 3


def test_tags_change_in_place(aws):
    run(aws, GIVEN)
    since = aws.mark()
    planned, result = run(aws, GIVEN, tags={**OWNER, "team": "y"})
    assert mutations(aws, since) == ["TagResource"] * 2  # of the cluster and of the revision
    assert planned["task_definition"] == result["task_definition"] and result["task_definition"]["revision"] == 1


def test_a_revision_registered_by_hand_is_replaced(aws):
    run(aws, GIVEN)
    ecs = aws.client("ecs")
    tags = [{"key": key, "value": value} for key, value in OWNER.items()]
    by_hand = [{"name": "other", "image": "o", "memory": 1}]
    ecs.register_task_definition(family="x", containerDefinitions=by_hand, tags=tags)
    _ignored, result = run(aws, GIVEN)
    assert result["task_definition"]["revision"] == 3


def test_a_revision_registered_by_hand_without_tags_is_passed_over_and_goes_with_the_family(aws):
    run(aws, GIVEN)
    by_hand = [{"name": "other", "image": "o", "memory": 1}]
    aws.client("ecs").register_task_definition(family="x", containerDefinitions=by_hand)
    _ignored, result = run(aws, GIVEN)
    assert result["task_definition"]["revision"] == 1 and not result["changed"]
    run(aws, GIVEN, state="absent")
    assert revisions(aws, "ACTIVE") == []


def test_what_a_dead_removal_left_is_removed(aws):
    run(aws, GIVEN)
    aws.client("ecs").deregister_task_definition(taskDefinition="x:1")
    _ignored, gone = run(aws, GIVEN, state="absent")
    assert [change["action"] for change in gone["changes"]] == ["delete"]
    assert revisions(aws, "INACTIVE") == []


def test_the_families_of_others_whose_names_begin_alike_are_left_alone(aws):
    """Also where AWS lists all families that begin so: other stacks, and other families of the same stack."""
    others = ["x-prepare-database", "x2", "x-y", "x-y-prepare-database"]
    for family in ("x", *others):
        run_once(aws, {**GIVEN, "family": family, "tags": {**OWNER, "mlflow-stack": family}})
    _ignored, gone = run(aws, GIVEN, state="absent")
    assert [change["name"] for change in gone["changes"]] == ["x"]
    kept = aws.client("ecs").list_task_definitions(familyPrefix="x")["taskDefinitionArns"]
    assert sorted(arn.rpartition("/")[2] for arn in kept) == sorted(f"{family}:1" for family in others)
    assert aws.client("ecs").list_task_definitions(familyPrefix="x", status="INACTIVE")["taskDefinitionArns"] == []
    assert not run(aws, GIVEN, state="absent")[1]["changed"]


def test_what_a_new_revision_needs_is_asked_for(aws):
    with pytest.raises(ModuleFailed, match="^ecs_task_definition x: these options are required: cpu, memory$"):
        run_once(aws, {"family": "x", "container_definitions": [CONTAINER], "tags": OWNER})

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image in a repository of the account: copied once, by a task, and named by its digest."""

from __future__ import annotations

import hashlib
import json
import typing as t

import pytest
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from support.account import listing
from support.cloudformation import findings
from support.plans import deviations
from support.stack import Run, Stack

NAME = "mlflow-team-x"
COPY = f"{NAME}-mirror-image"
REPOSITORY = f"{NAME}/mlflow"
CACHED = f"{NAME}/mlflow/mlflow"
URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}"
SECRET = '{"username": "ci", "password": "t"}'
KIND = "application/vnd.oci.image.manifest.v1+json"


def manifest(of: str) -> str:
    return json.dumps({"schemaVersion": 2, "mediaType": KIND, "layers": [], "annotations": {"of": of}})


def digest(of: str) -> str:
    return f"sha256:{hashlib.sha256(manifest(of).encode()).hexdigest()}"


def copying(of: str) -> dict[str, t.Any]:
    """How the task ends that has copied an image."""
    return {"family": COPY, "log": [json.dumps({"digest": digest(of), "bytes": 1})]}


def definition(aws: EmbeddedAWS, family: str) -> dict[str, t.Any]:
    return aws.client("ecs").describe_task_definition(taskDefinition=family)["taskDefinition"]


def containers(aws: EmbeddedAWS, family: str = NAME) -> dict[str, dict[str, t.Any]]:
    return {container["name"]: container for container in definition(aws, family)["containerDefinitions"]}


def given(aws: EmbeddedAWS) -> dict[str, str]:
    """The environment of the task that copies the image."""
    return {pair["name"]: pair["value"] for pair in containers(aws, COPY)["mirror-image"]["environment"]}


def copied(aws: EmbeddedAWS, of: str) -> None:
    """Put into the repository what the task has copied, which is not run here."""
    tag = given(aws)["MIRROR_TAG"]
    aws.client("ecr").put_image(repositoryName=REPOSITORY, imageTag=tag, imageManifest=manifest(of), imageManifestMediaType=KIND)


def tasks_run(run: Run) -> list[str]:
    return [call["params"]["taskDefinition"].rpartition("/")[2].partition(":")[0] for call in run.calls if call["operation"] == "RunTask"]


@pytest.fixture(scope="module")
def mirrored(team: Stack) -> tuple[Stack, Run]:
    """A new stack whose image is in a private registry."""
    secret = team.aws.client("secretsmanager").create_secret(Name="registry", SecretString=SECRET)["ARN"]
    team.aws.task_results(copying("v3.18.0"))
    team.inputs |= {"mlflow_service_image_mirror": True, "mlflow_service_image_credentials_secret_arn": secret}
    planned, run = team.plan_and_apply()
    assert deviations(planned, run.changes) == []
    (copy,) = [change for change in planned if change["name"] == COPY and change["kind"] == "ecs_task"]
    assert copy["warnings"] == [f"ghcr.io/mlflow/mlflow:v3.18.0-full is copied into {REPOSITORY}, about a gigabyte"]
    copied(team.aws, "v3.18.0")
    return team, run


def test_every_container_starts_from_the_copy_by_its_digest(mirrored: tuple[Stack, Run]) -> None:
    stack, run = mirrored
    assert tasks_run(run) == [COPY, f"{NAME}-prepare-database"]
    every = [*containers(stack.aws).values(), *containers(stack.aws, f"{NAME}-prepare-database").values()]
    (image,) = {container["image"] for container in every}
    tag = given(stack.aws)["MIRROR_TAG"]
    assert given(stack.aws) == {
        "ARCHITECTURE": "amd64",
        "AWS_DEFAULT_REGION": REGION,
        "MIRROR_REPOSITORY": REPOSITORY,
        "MIRROR_TAG": tag,
        "SOURCE_IMAGE": "ghcr.io/mlflow/mlflow",
        "SOURCE_TAG": "v3.18.0-full",
    }
    assert image == f"{URI}:{tag}@{digest('v3.18.0')}" and tag.startswith("v3.18.0-full-")
    assert not any("repositoryCredentials" in container for container in every)
    assert findings(listing(stack.aws)) == []


def test_only_the_task_that_copies_may_write_the_images_and_read_the_credentials(mirrored: tuple[Stack, Run]) -> None:
    stack, _run = mirrored
    secret = stack.inputs["mlflow_service_image_credentials_secret_arn"]
    (container,) = containers(stack.aws, COPY).values()
    assert container["image"] == "ghcr.io/mlflow/mlflow:v3.18.0-full" and container["repositoryCredentials"] == {"credentialsParameter": secret}
    assert {each["name"]: each["valueFrom"] for each in container["secrets"]} == {
        "REGISTRY_USERNAME": f"{secret}:username::",
        "REGISTRY_PASSWORD": f"{secret}:password::",
    }
    account = listing(stack.aws)
    policies = {identifier.partition("/")[0]: json.dumps(state["PolicyDocument"]) for (kind, identifier), state in account.items() if kind == "role_policy"}
    assert [role for role, policy in policies.items() if "ecr:PutImage" in policy] == [f"{NAME}-ecs-mirror"]
    assert [role for role, policy in policies.items() if secret in policy] == [f"{NAME}-ecs-mirror"]
    assert definition(stack.aws, COPY)["executionRoleArn"] == definition(stack.aws, COPY)["taskRoleArn"]


def test_a_second_run_copies_nothing(mirrored: tuple[Stack, Run]) -> None:
    stack, _run = mirrored
    planned, run = stack.plan_and_apply()
    assert (planned, run.changes, run.mutating, run.changed) == ([], [], [], 0)


def test_a_tag_that_was_moved_changes_nothing_and_its_new_digest_is_another_image(mirrored: tuple[Stack, Run]) -> None:
    stack, _run = mirrored
    stack.aws.task_results(copying("moved"))
    assert stack.run("plan").changes == []
    planned, run = stack.plan_and_apply(mlflow_service_image_tag=f"v3.18.0-full@sha256:{'0' * 64}")
    assert deviations(planned, run.changes) == [] and tasks_run(run) == [COPY, f"{NAME}-prepare-database"]
    copied(stack.aws, "moved")
    assert containers(stack.aws)["mlflow"]["image"].endswith(f"@{digest('moved')}")
    assert stack.run("plan").changes == []


def test_a_copy_that_fails_is_told_before_a_server_is_changed(mirrored: tuple[Stack, Run]) -> None:
    stack, _run = mirrored
    before = definition(stack.aws, NAME)["revision"]
    why = "failed: ghcr.io: mlflow/mlflow v4: HTTP status 404"
    stack.aws.task_results({"family": COPY, "exit_code": 1, "log": [why]})
    run = stack.run("site", mlflow_service_image_tag="v4")
    assert run.status != 0 and why in run.text and definition(stack.aws, NAME)["revision"] == before
    stack.aws.task_results({"family": COPY})  # it ends well, and its log is lost
    run = stack.run("site", mlflow_service_image_tag="v4")
    assert run.status != 0 and "run the same command again" in run.messages[-1] and definition(stack.aws, NAME)["revision"] == before
    copied(stack.aws, "v4")
    run = stack.apply(mlflow_service_image_tag="v4")
    assert tasks_run(run) == [f"{NAME}-prepare-database"]
    assert containers(stack.aws)["mlflow"]["image"].endswith(f"@{digest('v4')}")


def test_a_tag_reaches_what_copies_the_image_too(mirrored: tuple[Stack, Run]) -> None:
    stack, _run = mirrored
    planned, run = stack.plan_and_apply(mlflow_tags={"cost": "1"})
    assert deviations(planned, run.changes) == []
    assert {("ecr_repository", REPOSITORY), ("iam_role", f"{NAME}-ecs-mirror"), ("ecs_task_definition", COPY)} <= {
        (change["kind"], change["name"]) for change in run.changes
    }


def test_without_the_copy_the_tasks_start_from_the_registry_again(mirrored: tuple[Stack, Run]) -> None:
    stack, _run = mirrored
    planned, run = stack.plan_and_apply(mlflow_service_image_mirror=False)
    assert deviations(planned, run.changes) == []
    mlflow = containers(stack.aws)["mlflow"]
    assert mlflow["image"] == "ghcr.io/mlflow/mlflow:v4" and "repositoryCredentials" in mlflow
    assert stack.run("plan").changes == []


def test_destroy_removes_the_repository_with_its_images(mirrored: tuple[Stack, Run]) -> None:
    stack, _run = mirrored
    stack.aws.client("ecr").create_repository(repositoryName="mlflow-team-y/mlflow")
    run = stack.destroy()
    (removal,) = [change for change in run.changes if change["kind"] == "ecr_repository"]
    assert (removal["name"], removal["warnings"]) == (REPOSITORY, ["its images are deleted"])
    account = listing(stack.aws)
    assert [name for kind, name in account if kind == "ecr_repository"] == ["mlflow-team-y/mlflow"]
    assert not [name for kind, name in account if kind in ("role", "task_definition")]


@pytest.fixture(scope="module")
def cached(mirrored: tuple[Stack, Run]) -> tuple[Stack, Run]:
    """The same stack, made anew, whose image ECR's pull-through cache brings."""
    stack, _run = mirrored
    stack.destroy()
    secret = stack.aws.client("secretsmanager").create_secret(Name="ecr-pullthroughcache/ghcr", SecretString='{"username": "ci", "accessToken": "t"}')["ARN"]
    del stack.inputs["mlflow_service_image_credentials_secret_arn"]
    stack.inputs |= {"mlflow_service_image_mirror": True, "mlflow_service_image_tag": "v3.18.0-full", "mlflow_service_image_mirror_secret_arn": secret}
    planned, run = stack.plan_and_apply()
    assert deviations(planned, run.changes) == []
    return stack, run


def test_the_cache_brings_the_image_and_no_task_copies_it(cached: tuple[Stack, Run]) -> None:
    stack, run = cached
    assert tasks_run(run) == [f"{NAME}-prepare-database"]
    assert [call["operation"] for call in run.calls if call["operation"] == "BatchGetImage"] == ["BatchGetImage"]
    (image,) = stack.aws.client("ecr").describe_images(repositoryName=CACHED)["imageDetails"]
    every = [*containers(stack.aws).values(), *containers(stack.aws, f"{NAME}-prepare-database").values()]
    assert {each["image"] for each in every} == {f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{CACHED}:v3.18.0-full@{image['imageDigest']}"}
    account = listing(stack.aws)
    assert ("ecr_repository", REPOSITORY) not in account and ("ecr_pull_through_cache_rule", NAME) in account
    policies = {identifier.partition("/")[0]: json.dumps(state["PolicyDocument"]) for (kind, identifier), state in account.items() if kind == "role_policy"}
    assert {role for role, policy in policies.items() if "ecr:BatchImportUpstreamImage" in policy} == {f"{NAME}-ecs-{of}execution" for of in ("", "prepare-")}
    assert f"{NAME}-ecs-mirror" not in policies and findings(account) == []
    planned, run = stack.plan_and_apply()
    assert (planned, run.changes, run.mutating, run.changed) == ([], [], [], 0)


def test_without_the_cache_a_task_copies_the_image_and_destroy_removes_both(cached: tuple[Stack, Run]) -> None:
    stack, _run = cached
    stack.aws.task_results(copying("v3.18.0"))
    planned, run = stack.plan_and_apply(mlflow_service_image_mirror_secret_arn="")
    assert deviations(planned, run.changes) == [] and tasks_run(run) == [COPY, f"{NAME}-prepare-database"]
    assert containers(stack.aws)["mlflow"]["image"].startswith(f"{URI}:v3.18.0-full-")
    copied(stack.aws, "v3.18.0")
    assert stack.run("plan").changes == []
    run = stack.destroy()
    kinds = ("ecr_repository", "ecr_pull_through_cache_rule")
    assert {change["name"] for change in run.changes if change["kind"] in kinds} == {REPOSITORY, CACHED, NAME}
    assert not {name for kind, name in listing(stack.aws) if kind in kinds and name.partition("/")[0] == NAME}

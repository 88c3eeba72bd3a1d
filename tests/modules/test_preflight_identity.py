# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether MLflow's servers check who calls: as given, as deployed, or as they can."""

from __future__ import annotations

import typing as t

import pytest
from ansible.module_utils.common import warnings
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module
from support.stack import prerequisites

NAME = "mlflow-team-x"
SERVICE = "mlflow_service_subnet_ids"
TAGS = [{"key": "managed-by", "value": "mlplatform.mlflow_aws"}, {"key": "mlflow-stack", "value": NAME}]
GUNICORN = {"mlflow_gunicorn_opts": "--timeout 60"}


class Told(t.NamedTuple):
    identity: dict[str, t.Any] | None
    problems: list[str]
    warnings: str


@pytest.fixture
def inputs(aws: EmbeddedAWS) -> dict[str, t.Any]:
    given = prerequisites(aws)
    names = ("mlflow_vpc_id", "mlflow_load_balancer_subnet_ids", SERVICE, "mlflow_database_subnet_ids")
    return {"mlflow_unique_name": NAME, **{name: given[name] for name in names}}


def ask(aws: EmbeddedAWS, inputs: dict[str, t.Any], **more: t.Any) -> Told:
    mark = aws.mark()
    warnings._global_warnings.clear()  # of what ran in this process before
    try:
        result = run_module("preflight", {"inputs": {**inputs, **more}}, aws)
    except ModuleFailed as error:
        result = error.result
    assert aws.mutating(mark) == []
    return Told(result.get("identity"), result.get("problems", []), str(result.get("warnings", [])))


def deploy(aws: EmbeddedAWS, inputs: dict[str, t.Any], *variables: str) -> None:
    """A service of the stack whose servers have these variables."""
    ecs = aws.client("ecs")
    given = (variable.partition("=") for variable in variables if not variable.endswith("KEY"))
    environment = [{"name": name, "value": value or "x"} for name, _equals, value in given]
    secrets = [{"name": name, "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-a1b2c3"} for name in variables if name.endswith("KEY")]
    containers = [{"name": "mlflow", "image": "i", "environment": environment, "secrets": secrets}, {"name": "sidecar", "image": "i"}]
    definition = ecs.register_task_definition(
        family=NAME, containerDefinitions=containers, requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512", tags=TAGS
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.create_cluster(clusterName=NAME, tags=TAGS)
    network = {"awsvpcConfiguration": {"subnets": inputs[SERVICE]}}
    ecs.create_service(cluster=NAME, serviceName=NAME, taskDefinition=definition, desiredCount=0, launchType="FARGATE", networkConfiguration=network, tags=TAGS)


def cut_off(aws: EmbeddedAWS, inputs: dict[str, t.Any]) -> None:
    """Leave the subnets of the servers without a route to the internet."""
    ec2 = aws.client("ec2")
    table = ec2.create_route_table(VpcId=inputs["mlflow_vpc_id"])["RouteTable"]["RouteTableId"]
    for subnet in inputs[SERVICE]:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)


EDGE, OFF = {"mode": "edge", "begins": False, "ends": False}, {"mode": "off", "begins": False, "ends": False}
CHECKS = ["MLFLOW_IDENTITY"]
SIGNED = ["MLFLOW_IDENTITY", "MLFLOW_IDENTITY_KEY"]
USERS, MLFLOW = ['MLFLOW_IDENTITY={"mode": "mlflow"}', "MLFLOW_IDENTITY_KEY"], EDGE | {"mode": "mlflow"}
TOLD = ['MLFLOW_IDENTITY={"programs": "iam"}']


@pytest.mark.parametrize(
    ("variables", "given", "identity"),
    [
        (None, {}, EDGE),
        (None, {"mlflow_identity": "off"}, OFF),
        (None, {"mlflow_identity": "edge"}, EDGE),
        (None, {"mlflow_identity": "mlflow"}, MLFLOW),
        (["MLFLOW_HOST"], {"mlflow_identity": "mlflow"}, MLFLOW | {"begins": True}),
        (SIGNED, {"mlflow_identity": "mlflow"}, MLFLOW),
        (USERS, {}, MLFLOW),
        (USERS, {"mlflow_identity": "edge"}, EDGE),
        (USERS, {"mlflow_identity": "off"}, OFF | {"ends": True}),
        (USERS, {"mlflow_api_authorizer": "jwt"}, MLFLOW | {"ends": True}),
        ([], {}, OFF),
        (["MLFLOW_HOST"], {"mlflow_identity": "off"}, OFF),
        (["MLFLOW_HOST"], {"mlflow_identity": "edge"}, EDGE | {"begins": True}),
        (["MLFLOW_HOST"], {"mlflow_identity": "edge", "mlflow_api_authorizer": "jwt"}, EDGE),
        (SIGNED, {}, EDGE),
        (SIGNED, {"mlflow_identity": "edge"}, EDGE),
        (SIGNED, {"mlflow_identity": "off"}, OFF | {"ends": True}),
        (SIGNED, {"mlflow_api_authorizer": "jwt"}, EDGE | {"ends": True}),
        (CHECKS, {"mlflow_api_authorizer": "jwt"}, EDGE),
        (CHECKS, {"mlflow_api_authorizer": "lambda"}, EDGE | {"begins": True}),
        (CHECKS, {"mlflow_identity": "off", "mlflow_api_authorizer": "jwt"}, OFF),
        (None, {"mlflow_api_authorizer": "iam"}, EDGE),
        ([], {"mlflow_identity": "edge", "mlflow_api_authorizer": "iam"}, EDGE | {"begins": True}),
        (CHECKS, {"mlflow_api_authorizer": "iam"}, EDGE | {"begins": True}),
        (SIGNED, {"mlflow_api_authorizer": "iam"}, EDGE | {"begins": True}),
        (TOLD, {"mlflow_api_authorizer": "iam"}, EDGE),
        (TOLD, {"mlflow_api_authorizer": "lambda"}, EDGE),
        (TOLD, {"mlflow_api_authorizer": "jwt"}, EDGE),
        (TOLD, {"mlflow_identity": "off", "mlflow_api_authorizer": "iam"}, OFF),
    ],
)
def test_a_new_stack_checks_who_calls_and_one_in_use_goes_on_as_it_is(
    aws: EmbeddedAWS, inputs: dict[str, t.Any], variables: list[str] | None, given: dict[str, str], identity: dict[str, t.Any]
) -> None:
    if variables is not None:
        deploy(aws, inputs, *variables)
    told = ask(aws, inputs, **given)
    assert (told.identity, told.problems) == (identity, []) and "mlflow_identity" not in told.warnings


def test_a_service_that_is_gone_is_no_stack_in_use(aws: EmbeddedAWS, inputs: dict[str, t.Any]) -> None:
    deploy(aws, inputs)
    aws.client("ecs").delete_service(cluster=NAME, service=NAME, force=True)
    assert ask(aws, inputs).identity == EDGE


@pytest.mark.parametrize("hindrance", ["no way", "gunicorn"])
def test_a_new_stack_that_cannot_goes_without_and_says_so(aws: EmbeddedAWS, inputs: dict[str, t.Any], hindrance: str) -> None:
    more = GUNICORN if hindrance == "gunicorn" else {}
    if hindrance == "no way":
        cut_off(aws, inputs)
    told = ask(aws, inputs, **more)
    assert (told.identity, told.problems) == (OFF, [])
    assert "mlflow_identity: off, so that MLflow does not know who calls" in told.warnings
    assert ("gunicorn" if more else inputs[SERVICE][0]) in told.warnings
    silent = ask(aws, inputs, **more, mlflow_identity="off")
    assert silent.identity == OFF and "mlflow_identity" not in silent.warnings


@pytest.mark.parametrize("variables", [None, [], ["MLFLOW_IDENTITY"]])
@pytest.mark.parametrize("more", [{}, GUNICORN])
def test_what_is_asked_for_and_not_possible_is_refused(aws: EmbeddedAWS, inputs: dict[str, t.Any], variables: list[str] | None, more: dict[str, str]) -> None:
    if variables is not None:
        deploy(aws, inputs, *variables)
    if not more:
        cut_off(aws, inputs)
    told = ask(aws, inputs, **more, mlflow_identity="edge")
    (problem,) = told.problems
    assert problem.startswith("mlflow_identity: 'edge': ") and problem.endswith("set mlflow_identity to off")
    kept = ask(aws, inputs, **more)
    assert bool(kept.problems) == (variables == ["MLFLOW_IDENTITY"])


def test_a_proxy_is_a_way(aws: EmbeddedAWS, inputs: dict[str, t.Any]) -> None:
    cut_off(aws, inputs)
    environment = {"HTTPS_PROXY": "http://proxy.example.com:3128"}
    assert ask(aws, inputs, mlflow_identity="edge", mlflow_service_environment=environment).identity == EDGE


def test_the_check_takes_its_room_of_the_task_definition(aws: EmbeddedAWS, inputs: dict[str, t.Any]) -> None:
    environment = {"A": "x" * 29 * 1024}
    (problem,) = ask(aws, inputs, mlflow_service_environment=environment).problems
    assert problem.startswith("mlflow_service_environment: ") and "ECS takes 28672" in problem
    assert ask(aws, inputs, mlflow_service_environment=environment, mlflow_identity="off").problems == []
    groups = {f"mlflow_{right}_groups": [f"{number}-{'x' * 110}" for number in range(100)] for right in ("admin", "editor", "reader")}
    (problem,) = ask(aws, inputs, **groups).problems
    assert problem.startswith("mlflow_") and "_groups: " in problem


def test_a_stack_whose_servers_run_the_auth_app_keeps_an_image_that_has_it(aws: EmbeddedAWS, inputs: dict[str, t.Any]) -> None:
    deploy(aws, inputs, *USERS)
    image = {"mlflow_service_image": "ghcr.io/mlflow/mlflow"}
    assert ask(aws, inputs, **image, mlflow_service_image_tag="v3.19.0-full@sha256:" + "a" * 64).problems == []
    (problem,) = ask(aws, inputs, **image, mlflow_service_image_tag="v3.19.0").problems
    assert problem.startswith("mlflow_service_image_tag: ") and "v3.18.0-full" in problem
    assert ask(aws, inputs, **image, mlflow_service_image_tag="v3.19.0", mlflow_identity="edge").problems == []


@pytest.mark.parametrize(("variables", "refused"), [(None, True), ([], False), (["MLFLOW_IDENTITY"], True)])
def test_workspaces_are_for_servers_that_check_nobody(aws: EmbeddedAWS, inputs: dict[str, t.Any], variables: list[str] | None, refused: bool) -> None:
    if variables is not None:
        deploy(aws, inputs, *variables)
    workspaces = {"mlflow_service_environment": {"MLFLOW_ENABLE_WORKSPACES": "true"}}
    told = ask(aws, inputs, **workspaces).problems
    assert [problem.partition(":")[0] for problem in told] == ["mlflow_service_environment.MLFLOW_ENABLE_WORKSPACES"] * refused
    assert ask(aws, inputs, **workspaces, mlflow_identity="off").problems == []
    assert ask(aws, inputs, mlflow_service_environment={"MLFLOW_ENABLE_WORKSPACES": "false"}).problems == []


@pytest.mark.parametrize(
    ("variables", "mode", "refused"),
    [(None, "", False), (None, "edge", False), (CHECKS, "", False), (CHECKS, "edge", False), ([], "", True), ([], "edge", True)],
)
@pytest.mark.parametrize("more", [{"mlflow_api_client_ids": ["other"]}, {"mlflow_api_groups": ["a", "b"]}, {"mlflow_api_scopes": ["a/b", "a/c"]}])
def test_token_access_for_several_needs_servers_that_check_tokens(
    aws: EmbeddedAWS, inputs: dict[str, t.Any], variables: list[str] | None, mode: str, refused: bool, more: dict[str, t.Any]
) -> None:
    if variables is not None:
        deploy(aws, inputs, *variables)
    tokens = {"mlflow_load_balancer_token_access": True, "mlflow_load_balancer_token_record_name": "mlflow-token"}
    problems = ask(aws, inputs, mlflow_identity=mode, **tokens, **more).problems
    assert [problem.partition(":")[0] for problem in problems] == list(more) * refused
    assert all("mlflow_identity: edge first" in problem for problem in problems)


@pytest.mark.parametrize(
    ("mode", "value", "warned"), [("off", "true", True), ("off", "1", True), ("off", "false", False), ("edge", "true", False), ("", "true", False)]
)
@pytest.mark.parametrize("source", ["ENV", "FILE"])
def test_keys_of_models_from_the_environment_are_for_servers_that_know_admins(
    aws: EmbeddedAWS, inputs: dict[str, t.Any], mode: str, value: str, warned: bool, source: str
) -> None:
    name = f"MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_{source}"
    told = ask(aws, inputs, mlflow_identity=mode, mlflow_service_environment={name: value})
    assert told.problems == [] and (f"with {name} and mlflow_identity off" in told.warnings) == warned


def test_what_is_deployed_is_asked_for_once(aws: EmbeddedAWS, inputs: dict[str, t.Any]) -> None:
    deploy(aws, inputs)
    mark = aws.mark()
    run_module("preflight", {"inputs": inputs}, aws)
    operations = [call["operation"] for call in aws.calls(mark)]
    assert operations.count("DescribeServices") == 1

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from modules.run_module import ModuleFailed, run_module
from support.stack import prerequisites


def warnings(aws, inputs):
    names = ("mlflow_vpc_id", "mlflow_load_balancer_subnet_ids")
    return str(run_module("preflight", {"inputs": {name: inputs[name] for name in names}}, aws).get("warnings", []))


def test_subnets_of_the_load_balancer_that_lead_nowhere_are_warned_of(aws):
    inputs, ec2 = prerequisites(aws), aws.client("ec2")
    vpc, subnet = inputs["mlflow_vpc_id"], inputs["mlflow_load_balancer_subnet_ids"][0]
    assert "no route to the internet" not in warnings(aws, inputs)

    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    assert warnings(aws, inputs).count("no route to the internet") == 1 and subnet in warnings(aws, inputs)

    main = next(t["RouteTableId"] for t in ec2.describe_route_tables()["RouteTables"] if t["VpcId"] == vpc and any(a.get("Main") for a in t["Associations"]))
    ec2.delete_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0")
    assert warnings(aws, inputs).count("no route to the internet") == 3


POOL = ("mlflow_aws_cognito_user_pool_arn", "mlflow_aws_cognito_user_pool_client_id", "mlflow_aws_cognito_user_pool_domain")


def sign_in(aws, inputs, **more):
    """What is said of the user pool: why the run is refused, and warnings of it."""
    try:
        result = run_module("preflight", {"inputs": {**{name: inputs[name] for name in POOL}, **more}}, aws)
    except ModuleFailed as failed:
        return failed.result["msg"], []
    return "", [text for text in map(str, result.get("warnings", [])) if "app client" in text]


def test_a_pool_in_which_anybody_can_make_an_account_is_refused_however_people_sign_in(aws):
    inputs, cognito = prerequisites(aws), aws.client("cognito-idp")
    pool = inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    assert sign_in(aws, inputs) == ("", [])
    cognito.update_user_pool(UserPoolId=pool, AdminCreateUserConfig={"AllowAdminCreateUserOnly": False})
    for how in ("cognito", "oidc"):
        told, _warnings = sign_in(aws, inputs, mlflow_load_balancer_sign_in=how)
        assert told.startswith("mlflow_aws_cognito_user_pool_arn: 'arn:aws:cognito-idp:") and ": anybody on the internet" in told
        assert "mlflow_allow_self_sign_up: true" in told and ";" not in told
    assert sign_in(aws, inputs, mlflow_api_groups=["ml"], mlflow_api_scopes=["openid"])[0]
    assert sign_in(aws, inputs, mlflow_allow_self_sign_up=True) == ("", [])

    # A pool that was made without a word about it is open: that is Cognito's default.
    other = cognito.create_user_pool(PoolName="default")["UserPool"]
    client = cognito.create_user_pool_client(UserPoolId=other["Id"], ClientName="x")["UserPoolClient"]["ClientId"]
    told, _warnings = sign_in(
        aws, inputs, mlflow_aws_cognito_user_pool_arn=other["Arn"], mlflow_aws_cognito_user_pool_client_id=client, mlflow_aws_cognito_user_pool_domain=""
    )
    assert told.count("anybody on the internet") == 1


def test_a_scope_that_no_app_client_is_allowed_is_warned_of(aws):
    inputs = prerequisites(aws)
    assert sign_in(aws, inputs, mlflow_api_scopes=["openid", "aws.cognito.signin.user.admin"]) == ("", [])
    _told, warned = sign_in(aws, inputs, mlflow_api_scopes=["openid", "mlflow/wirte"])
    assert len(warned) == 1 and "is allowed mlflow/wirte; only a trigger" in warned[0]


def test_an_app_client_by_which_all_of_google_can_sign_in_is_warned_of(aws):
    inputs, cognito = prerequisites(aws), aws.client("cognito-idp")
    pool, client = inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2], inputs["mlflow_aws_cognito_user_pool_client_id"]
    for kind in ("Google", "SAML"):
        cognito.create_identity_provider(UserPoolId=pool, ProviderName=kind, ProviderType=kind, ProviderDetails={"client_id": "x"})
    cognito.update_user_pool_client(UserPoolId=pool, ClientId=client, SupportedIdentityProviders=["COGNITO", "SAML"])
    assert not [text for text in sign_in(aws, inputs)[1] if "anybody" in text]
    cognito.update_user_pool_client(UserPoolId=pool, ClientId=client, SupportedIdentityProviders=["COGNITO", "Google", "SAML"])
    assert len([text for text in sign_in(aws, inputs)[1] if f"an account of Google can sign in by the app client {client}" in text]) == 1


@pytest.mark.parametrize(
    "command",
    [
        ["mlflow", "server", "--default-artifact-root", "s3://the-artifacts/mlflow"],
        ["sh", "-c", "exec mlflow server --artifacts-destination=s3://the-artifacts/mlflow --serve-artifacts"],
    ],
)
def test_a_place_that_a_command_says_is_not_lost_either(aws, command):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="the-artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="the-artifacts", Key="mlflow/1/model", Body=b"x")
    tags = [{"key": "managed-by", "value": "mlplatform.mlflow_aws"}, {"key": "mlflow-stack", "value": "team-x"}]
    container = {"name": "mlflow", "image": "mlflow:1", "memory": 512, "command": command}
    aws.client("ecs").register_task_definition(family="team-x", containerDefinitions=[container], tags=tags)
    with pytest.raises(ModuleFailed, match="mlflow_artifact_bucket_id: the artifacts are in s3://the-artifacts/mlflow: put it back"):
        run_module("preflight", {"inputs": {"mlflow_unique_name": "team-x"}}, aws)
    there = {"mlflow_artifact_bucket_id": "the-artifacts", "mlflow_artifact_bucket_path": "/mlflow"}
    run_module("preflight", {"inputs": {"mlflow_unique_name": "team-x", **there}}, aws)


def test_programs_get_their_load_balancer_into_one_subnet_of_each_zone_of_the_servers(aws):
    inputs, ec2 = prerequisites(aws), aws.client("ec2")
    servers = inputs["mlflow_service_subnet_ids"]
    zone = ec2.describe_subnets(SubnetIds=servers[:1])["Subnets"][0]["AvailabilityZone"]
    twin = ec2.create_subnet(VpcId=inputs["mlflow_vpc_id"], CidrBlock="10.0.90.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
    given = {"mlflow_vpc_id": inputs["mlflow_vpc_id"], "mlflow_service_subnet_ids": [servers[0], twin, *servers[1:]]}
    assert run_module("preflight", {"inputs": given}, aws)["api_load_balancer_subnet_ids"] == []
    facing = {**given, "mlflow_load_balancer_is_internal": False}
    assert run_module("preflight", {"inputs": facing}, aws)["api_load_balancer_subnet_ids"] == servers


@pytest.mark.parametrize(
    ("length", "internal", "scope", "maximum"), [(28, True, "site", 0), (29, True, "site", 28), (25, False, "site", 24), (32, True, "destroy", 0)]
)
def test_a_name_has_to_leave_room_for_that_of_a_target_group_with_tls(aws, length, internal, scope, maximum):
    inputs = prerequisites(aws)
    given = {name: inputs[name] for name in ("mlflow_vpc_id", "mlflow_service_subnet_ids")}
    given |= {"mlflow_unique_name": "x" * length, "mlflow_load_balancer_is_internal": internal, "mlflow_service_tls": True}
    try:
        run_module("preflight", {"inputs": given, "scope": scope}, aws)
        problems = []
    except ModuleFailed as error:
        problems = error.result["problems"]
    told = [problem for problem in problems if f"with mlflow_service_tls true it may have {maximum} characters" in problem]
    assert len(told) == bool(maximum) and all(problem.startswith("mlflow_unique_name") for problem in told), problems


@pytest.mark.parametrize(
    ("length", "internal", "scope", "refused"),
    [(28, False, "site", False), (29, False, "site", True), (32, True, "site", False), (32, False, "destroy", False), (32, False, "backup", False)],
)
def test_a_name_has_to_leave_room_for_that_of_programs_load_balancer(aws, length, internal, scope, refused):
    """Not where a stack of before is backed up or removed."""
    inputs = prerequisites(aws)
    given = {name: inputs[name] for name in ("mlflow_vpc_id", "mlflow_service_subnet_ids")}
    given |= {"mlflow_unique_name": "x" * length, "mlflow_load_balancer_is_internal": internal}
    try:
        run_module("preflight", {"inputs": given, "scope": scope}, aws)
        problems = []
    except ModuleFailed as error:
        problems = [p for p in error.result["problems"] if "with mlflow_load_balancer_is_internal false it may have 28 characters" in p]
    assert [problem.partition("=")[0].partition(" ")[0].rstrip(":") for problem in problems] == ["mlflow_unique_name"] * refused

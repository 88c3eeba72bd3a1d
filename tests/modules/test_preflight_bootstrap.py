# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the way of bootstrap. tests/site/test_bootstrap.py has what others have under its names."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

OURS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "team-x-bootstrap"}
INPUTS = {
    "mlflow_unique_name": "team-x",
    "mlflow_record_name": "mlflow",
    "mlflow_zone_name": "ml.example.com",
    "mlflow_api_zone_name": "api.ml.example.com",
    "mlflow_bootstrap_state": "present",
    "mlflow_bootstrap_vpc_cidr": "10.0.0.0/16",
    "mlflow_bootstrap_internet_access": "nat_gateway",
    "mlflow_bootstrap_api_users": ["ci"],
    "mlflow_bootstrap_zone_id": "",
    "mlflow_bootstrap_api_zone_id": "",
    "mlflow_bootstrap_cognito_domain": "",
}


def problems(aws: EmbeddedAWS, **inputs: t.Any) -> list[str]:
    try:
        run_module("preflight", {"scope": "bootstrap", "inputs": {**INPUTS, **inputs}}, aws)
    except ModuleFailed as failure:
        return failure.result["problems"]
    return []


def tagged(kind: str, tags: dict[str, str]) -> list[dict[str, t.Any]]:
    return [{"ResourceType": kind, "Tags": tag_list(tags)}]


def made(aws: EmbeddedAWS) -> str:
    """What an earlier version of bootstrap made. Returns the ID of the VPC."""
    ec2, route53, cognito = (aws.client(service) for service in ("ec2", "route53", "cognito-idp"))
    for name in ("ml.example.com", "api.ml.example.com"):
        config = {"Comment": "team-x", "PrivateZone": False}
        zone = route53.create_hosted_zone(Name=name, CallerReference=f"{name}-1", HostedZoneConfig=config)["HostedZone"]["Id"].rpartition("/")[2]
        route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone, AddTags=tag_list(OURS))
    pool = cognito.create_user_pool(PoolName="team-x", UserPoolTags=OURS)["UserPool"]["Id"]
    cognito.create_user_pool_domain(Domain="team-x-123456789012", UserPoolId=pool)
    key = aws.client("kms").create_key(Tags=[{"TagKey": k, "TagValue": v} for k, v in OURS.items()])["KeyMetadata"]["KeyId"]
    aws.client("kms").create_alias(AliasName="alias/team-x", TargetKeyId=key)
    for part in ("database-password", "api-credentials"):
        aws.client("secretsmanager").create_secret(Name=f"team-x-{part}", SecretString="x", Tags=tag_list(OURS))
    return ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged("vpc", {**OURS, "Name": "team-x"}))["Vpc"]["VpcId"]


def test_what_an_earlier_version_made_is_ones_own(aws: EmbeddedAWS) -> None:
    ec2, vpc = aws.client("ec2"), made(aws)
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", TagSpecifications=tagged("subnet", OURS))
    ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged("vpc", {"Name": "team-x"}))
    aws.client("cognito-idp").create_user_pool(PoolName="team-x")
    assert problems(aws) == []


def test_what_others_have_put_where_bootstrap_needs_it(aws: EmbeddedAWS) -> None:
    ec2, vpc = aws.client("ec2"), made(aws)
    inside = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.10.128/25")["Subnet"]["SubnetId"]
    outside = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.99.0/24")["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=outside, AllocationId=address)["NatGateway"]["NatGatewayId"]
    endpoint = ec2.create_vpc_endpoint(VpcId=vpc, VpcEndpointType="Interface", ServiceName="com.amazonaws.eu-west-1.logs", SubnetIds=[outside])["VpcEndpoint"][
        "VpcEndpointId"
    ]
    said = problems(aws)
    assert all(line.startswith("mlflow_unique_name: 'team-x': there is ") for line in said) and len(said) == 3
    assert [any(each in line for line in said) for each in (inside, outside, gateway, nat, endpoint)] == [True, False, True, True, False]
    said = problems(aws, mlflow_bootstrap_internet_access="vpc_endpoints")
    assert [any(each in line for line in said) for each in (inside, outside, gateway, nat, endpoint)] == [True, False, True, False, True]
    assert problems(aws, mlflow_bootstrap_state="absent") == []


@pytest.mark.parametrize("other", ["team-y-bootstrap", "team-x"])
def test_what_another_team_or_the_stack_itself_has_is_not_ones_own(aws: EmbeddedAWS, other: str) -> None:
    tags = {**OURS, "mlflow-stack": other}
    aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged("vpc", {**tags, "Name": "team-x"}))
    aws.client("secretsmanager").create_secret(Name="team-x-api-credentials", SecretString="x", Tags=tag_list(tags))
    assert len(problems(aws)) == 2
    assert len(problems(aws, mlflow_bootstrap_api_users=[])) == 1


def test_quotas_that_are_full_are_told_at_once(aws: EmbeddedAWS) -> None:
    ec2 = aws.client("ec2")
    while len(ec2.describe_vpcs()["Vpcs"]) < 5:
        ec2.create_vpc(CidrBlock="172.16.0.0/16")
    ec2.allocate_address(Domain="vpc")
    assert [line for line in problems(aws) if "VPCs" in line and "may have 5" in line and "L-F678F1CE" in line] == problems(aws)
    for _address in range(4):
        ec2.allocate_address(Domain="vpc")
    _vpc, address = problems(aws)
    assert "the account has 5 Elastic IP addresses in eu-west-1 and may have 5" in address
    assert len(problems(aws, mlflow_bootstrap_internet_access="vpc_endpoints")) == 1  # which takes no address
    assert problems(aws, mlflow_bootstrap_state="absent") == []


def test_what_bootstrap_has_already_counts_for_no_quota(aws: EmbeddedAWS) -> None:
    ec2 = aws.client("ec2")
    made(aws)
    ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", OURS))
    while len(ec2.describe_vpcs()["Vpcs"]) < 5:
        ec2.create_vpc(CidrBlock="172.16.0.0/16")
    for _address in range(4):
        ec2.allocate_address(Domain="vpc")
    assert not [line for line in problems(aws) if "quota" in line]


def test_a_nat_gateway_in_each_zone_takes_an_address_each(aws: EmbeddedAWS) -> None:
    ec2 = aws.client("ec2")
    made(aws)
    ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", OURS))
    for _address in range(3):
        ec2.allocate_address(Domain="vpc")
    assert problems(aws) == []
    (line,) = problems(aws, mlflow_bootstrap_nat_gateways="one_per_zone")
    assert "the account has 4 Elastic IP addresses" in line and "needs 2 more" in line
    assert problems(aws, mlflow_bootstrap_nat_gateways="none") == []


def test_a_name_that_is_too_long_for_the_bucket_of_the_access_logs(aws: EmbeddedAWS) -> None:
    """In eu-west-1 35 characters fit, and a stack's name has 32 at most; names of regions are longer elsewhere."""
    assert not [line for line in problems(aws, mlflow_unique_name="a" * 35, mlflow_bootstrap_access_logs_bucket=True) if "access_logs" in line]
    (line,) = (line for line in problems(aws, mlflow_unique_name="a" * 36, mlflow_bootstrap_access_logs_bucket=True) if "access_logs" in line)
    assert "it may have 35 characters" in line


def test_what_is_in_the_way_of_the_flow_log(aws: EmbeddedAWS) -> None:
    """Nothing is asked without the input."""
    iam, logs, on = aws.client("iam"), aws.client("logs"), {"mlflow_bootstrap_flow_logs": True, "mlflow_iam_role_path": "/"}
    iam.create_role(RoleName="team-x-flow-logs", Path="/teams/", AssumeRolePolicyDocument="{}")
    logs.create_log_group(logGroupName="/aws/vpc-flow-logs/team-x")
    mark = aws.mark()
    assert problems(aws, mlflow_bootstrap_flow_logs=False) == []
    assert not {"GetRole", "ListTagsForResource"} & {call["operation"] for call in aws.calls(mark)}
    missing = "arn:aws:iam::123456789012:policy/none"
    role, group, boundary = problems(aws, **on, mlflow_permissions_boundary_arn=missing)
    assert "there is the role team-x-flow-logs already, which bootstrap did not make" in role
    assert "there is the log group /aws/vpc-flow-logs/team-x already, which bootstrap did not make" in group
    assert boundary.startswith(f"mlflow_permissions_boundary_arn: '{missing}': there is no such policy")
    iam.tag_role(RoleName="team-x-flow-logs", Tags=tag_list(OURS))
    logs.tag_log_group(logGroupName="/aws/vpc-flow-logs/team-x", tags=OURS)
    (line,) = problems(aws, **on)
    assert line.startswith("mlflow_iam_role_path: '/': IAM cannot move a role, and team-x-flow-logs is at /teams/: give /teams/")
    assert problems(aws, **on | {"mlflow_iam_role_path": "/teams/"}) == []

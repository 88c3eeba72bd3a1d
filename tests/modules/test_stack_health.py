# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

NAME = "team-x"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": NAME}
FOREIGN: list[dict[str, str]] = [{}, {"team": "y"}, {**OWNER, "mlflow-stack": "team-y"}, {"managed-by": "Terraform"}]


def health(aws: EmbeddedAWS, **more: t.Any) -> dict[str, tuple[str, str]]:
    with pytest.raises(ModuleFailed) as failure:  # there is no database, and so on
        run_module("stack_health", {"name": NAME, "domain_name": "mlflow.api.invalid", **more}, aws)
    return {check["name"]: (check["status"], check["detail"]) for check in failure.value.result["checks"]}


def api(aws: EmbeddedAWS, tags: dict[str, str]) -> str:
    return aws.client("apigatewayv2").create_api(Name=NAME, ProtocolType="HTTP", Tags=tags)["ApiId"]


@pytest.fixture
def subnets(aws: EmbeddedAWS) -> list[str]:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"] for n, zone in enumerate("ab")]


@pytest.mark.parametrize("tags", FOREIGN)
def test_an_api_of_somebody_else_with_the_same_name_is_nothing_to_us(aws: EmbeddedAWS, tags: dict[str, str]) -> None:
    api(aws, tags)
    assert health(aws)["API"] == ("failed", "not found")
    ours = api(aws, OWNER)
    api(aws, tags)
    assert health(aws)["API"] == ("ok", ours)
    second = api(aws, OWNER)
    status, detail = health(aws)["API"]
    assert status == "failed" and set(detail.split(", ")) == {ours, second}


@pytest.mark.parametrize("tags", FOREIGN)
def test_a_vpc_link_of_somebody_else_with_the_same_name_is_nothing_to_us(aws: EmbeddedAWS, subnets: list[str], tags: dict[str, str]) -> None:
    def link(of: dict[str, t.Any]) -> None:
        aws.client("apigatewayv2").create_vpc_link(Name=NAME, SubnetIds=subnets, SecurityGroupIds=[], Tags=of)

    link(tags)
    assert health(aws)["VPC link"] == ("failed", "not found")
    link(OWNER)
    assert health(aws)["VPC link"] == ("ok", "AVAILABLE")


def test_where_no_host_name_leads_to_the_stack_none_is_asked(aws: EmbeddedAWS) -> None:
    found = health(aws, host_names=False)
    assert found["API domain name"][0] == found["API: address"][0] == "skipped" and "API: /health" not in found

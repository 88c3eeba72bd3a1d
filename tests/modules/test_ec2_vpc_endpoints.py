# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

MODULE, KIND = "ec2_vpc_endpoints", "ec2_vpc_endpoint"
S3, LOGS = (f"com.amazonaws.eu-west-1.{service}" for service in ("s3", "logs"))
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"], "Resource": "*"}]}


@pytest.fixture
def network(aws: EmbeddedAWS) -> dict[str, t.Any]:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return {
        "vpc": vpc,
        "subnets": [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"] for n, zone in enumerate("ab")
        ],
        "tables": [ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _table in range(2)],
        "groups": [ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("one", "two")],
    }


def params(network: dict[str, t.Any], s3: dict[str, t.Any] | None = None, logs: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
    gateway = {"service": S3, "type": "Gateway", "name": "x-s3", "route_table_ids": network["tables"][:1], "policy": POLICY, **(s3 or {})}
    interface = {"service": LOGS, "subnet_ids": network["subnets"], "security_group_ids": network["groups"][:1], **(logs or {})}
    return {"vpc_id": network["vpc"], "endpoints": [gateway, interface], "tags": TAGS}


def there(aws: EmbeddedAWS) -> dict[str, dict[str, t.Any]]:
    return {each["ServiceName"]: each for each in aws.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]}


def run(aws: EmbeddedAWS, given: dict[str, t.Any]) -> tuple[list[tuple[str, str, list[str]]], list[str]]:
    """What a run did, as its plan foretold, and its changing calls; a second run does nothing."""
    mark = aws.mark()
    plan = run_module(MODULE, given, aws, check=True)
    assert aws.mutating(mark) == []
    done = run_module(MODULE, given, aws)
    lines = [[(c["action"], c["name"], [f["name"] for f in c["fields"]]) for c in result["changes"]] for result in (plan, done)]
    assert lines[0] == lines[1] and done["ready"]
    calls = [call["operation"] for call in aws.mutating(mark)]
    mark = aws.mark()
    assert not run_module(MODULE, given, aws)["changed"]
    assert [call["operation"] for call in aws.calls(mark)] == ["DescribeVpcEndpoints"]
    return lines[0], calls


def test_life(aws: EmbeddedAWS, network: dict[str, t.Any]) -> None:
    lines, calls = run(aws, params(network))
    assert [line[:2] for line in lines] == [("create", S3), ("create", LOGS)] and calls == ["CreateVpcEndpoint"] * 2
    s3, logs = there(aws)[S3], there(aws)[LOGS]
    assert json.loads(s3["PolicyDocument"]) == POLICY and s3["RouteTableIds"] == network["tables"][:1]
    assert {tag["Key"]: tag["Value"] for tag in s3["Tags"]} == {**TAGS, "Name": "x-s3"}
    assert logs["PrivateDnsEnabled"] and sorted(logs["SubnetIds"]) == sorted(network["subnets"])
    aws.creation_seconds(vpce=1)
    lines, calls = run(aws, {"vpc_id": network["vpc"], "tags": TAGS, "state": "absent"})
    assert sorted(line[:2] for line in lines) == [("delete", LOGS), ("delete", S3)] and calls == ["DeleteVpcEndpoints"] * 2
    assert there(aws) == {}


def test_changes_in_place(aws: EmbeddedAWS, network: dict[str, t.Any]) -> None:
    run(aws, params(network))
    other = {**POLICY, "Statement": [{**POLICY["Statement"][0], "Action": ["s3:ListBucket"]}]}
    for s3, logs, field in (
        ({"policy": other}, {}, "policy"),
        ({"policy": other, "route_table_ids": network["tables"]}, {}, "route_table_ids"),
        ({"policy": other, "route_table_ids": network["tables"][1:]}, {}, "route_table_ids"),
        ({"policy": other, "route_table_ids": network["tables"][1:]}, {"subnet_ids": network["subnets"][:1]}, "subnet_ids"),
    ):
        lines, calls = run(aws, params(network, s3, logs))
        assert [(action, fields[0].partition(".")[0]) for action, _name, fields in lines] == [("update", field)] and calls == ["ModifyVpcEndpoint"]
    routes = [table for table in aws.client("ec2").describe_route_tables()["RouteTables"] if any("DestinationPrefixListId" in r for r in table["Routes"])]
    assert [table["RouteTableId"] for table in routes] == network["tables"][1:]


def test_what_is_not_wanted_any_more_goes_and_what_others_made_stays(aws: EmbeddedAWS, network: dict[str, t.Any]) -> None:
    ec2 = aws.client("ec2")
    theirs = "com.amazonaws.eu-west-1.kms"
    ec2.create_vpc_endpoint(VpcId=network["vpc"], ServiceName=theirs, VpcEndpointType="Interface", SubnetIds=network["subnets"])
    run(aws, params(network))
    alone = params(network)
    lines, _calls = run(aws, {**alone, "endpoints": alone["endpoints"][:1]})
    assert lines == [("delete", LOGS, [])] and there(aws).keys() == {S3, theirs}
    with pytest.raises(ModuleFailed, match=f"{KIND} {theirs}: it exists already and is not of this stack"):
        run_module(MODULE, {**alone, "endpoints": [{"service": theirs}]}, aws)

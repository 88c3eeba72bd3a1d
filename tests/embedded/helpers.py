# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of several services use."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError
from embedded_aws.client import REGION, EmbeddedAWS


def refused(code: str, call: Callable[..., Any], **arguments: Any) -> str:
    """Assert that a call is refused with this error code, and return the message."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response["Error"]["Message"]


def has(actual: dict[str, Any], **expected: Any) -> None:
    """Assert that a description has these fields with these values (None: does not have the field)."""
    assert {name: actual.get(name) for name in expected} == expected


class Network:
    """A VPC with a subnet in each of three zones and one security group."""

    def __init__(self, aws: EmbeddedAWS) -> None:
        ec2 = aws.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]["SubnetId"]
            for number, zone in enumerate("abc")
        ]
        self.group = ec2.create_security_group(GroupName="one", Description="one", VpcId=self.vpc)["GroupId"]


def get_json(url: str) -> Any:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as response:
        return json.load(response)


TASK = {
    "family": "f",
    "containerDefinitions": [{"name": "c", "image": "i", "portMappings": [{"containerPort": 5000}]}],
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
}


def create_service(aws: EmbeddedAWS, network: Network, **arguments: Any) -> dict[str, Any]:
    ecs = aws.client("ecs")
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(**TASK)
    return ecs.create_service(
        cluster="c",
        serviceName="s",
        taskDefinition="f",
        networkConfiguration={"awsvpcConfiguration": {"subnets": network.subnets, "securityGroups": [network.group]}},
        **{"desiredCount": 2, "launchType": "FARGATE", **arguments},
    )["service"]


class Balancer:
    """An internal ALB with a target group and a plain listener that refuses everything."""

    def __init__(self, aws: EmbeddedAWS, network: Network) -> None:
        self.elb, self.subnets = aws.client("elbv2"), network.subnets
        (self.description,) = self.elb.create_load_balancer(Name="b", Scheme="internal", Subnets=network.subnets, SecurityGroups=[network.group])[
            "LoadBalancers"
        ]
        self.arn = self.description["LoadBalancerArn"]
        (group,) = self.elb.create_target_group(Name="t", Protocol="HTTP", Port=5000, VpcId=network.vpc, TargetType="ip")["TargetGroups"]
        self.group = group["TargetGroupArn"]
        (listener,) = self.elb.create_listener(
            LoadBalancerArn=self.arn, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}]
        )["Listeners"]
        self.listener = listener["ListenerArn"]

    def rule(self, priority: int, *actions: dict[str, Any], host: str = "a.example") -> dict[str, Any]:
        return self.elb.create_rule(
            ListenerArn=self.listener, Priority=priority, Actions=list(actions), Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}]
        )["Rules"][0]

    @property
    def forward(self) -> dict[str, Any]:
        return {"Type": "forward", "TargetGroupArn": self.group}


def create_db_cluster(aws: EmbeddedAWS, network: Network, **arguments: Any) -> dict[str, Any]:
    rds = aws.client("rds")
    if not rds.describe_db_subnet_groups()["DBSubnetGroups"]:
        rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="g", SubnetIds=network.subnets)
    return rds.create_db_cluster(
        **{"DBClusterIdentifier": "d", "Engine": "aurora-mysql", "MasterUsername": "m", "MasterUserPassword": "password", "DBSubnetGroupName": "g", **arguments}
    )["DBCluster"]


def import_certificate(aws: EmbeddedAWS, name: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    certificate = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(9)).sign(key, hashes.SHA256())
    return aws.client("acm").import_certificate(
        Certificate=certificate.public_bytes(serialization.Encoding.PEM),
        PrivateKey=key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )["CertificateArn"]


def change_records(aws: EmbeddedAWS, zone: str, *changes: tuple[str, dict[str, Any]]) -> None:
    aws.client("route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record_set} for action, record_set in changes]}
    )


def create_zone(aws: EmbeddedAWS) -> str:
    return aws.client("route53").create_hosted_zone(Name="emu.test", CallerReference="1")["HostedZone"]["Id"]

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded AWS as a server: its record of calls, faults, throttling, its end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import HTTPClientError
from embedded.helpers import Network, create_db_cluster, get_json, has, refused
from embedded_aws import gaps
from embedded_aws.client import REGION, EmbeddedAWS


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "mutating"),
    [
        ("sts", "get_caller_identity", {}, False),
        ("ec2", "describe_vpcs", {}, False),
        ("ecs", "create_cluster", {"clusterName": "c"}, True),
        ("s3", "create_bucket", {"Bucket": "bbb", "CreateBucketConfiguration": {"LocationConstraint": REGION}}, True),
        ("s3", "list_buckets", {}, False),
        ("apigatewayv2", "create_api", {"Name": "a", "ProtocolType": "HTTP"}, True),
        ("apigatewayv2", "get_apis", {}, False),
        ("lambda", "list_functions", {}, False),
        ("route53", "list_hosted_zones", {}, False),
        ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "ecs"}, False),
        ("cognito-idp", "list_user_pools", {"MaxResults": 1}, False),
        ("elbv2", "describe_load_balancers", {}, False),
    ],
)
def test_calls_are_recorded_by_api_name(aws: EmbeddedAWS, service: str, operation: str, arguments: dict[str, Any], mutating: bool) -> None:
    client = aws.client(service)
    getattr(client, operation)(**arguments)
    (call,) = aws.calls()
    has(call, service=service, mutating=mutating, error=None)
    assert call["operation"] == client.meta.method_to_api_mapping[operation]
    assert bool(aws.mutating()) == mutating


def test_a_client_keeps_its_connection(aws: EmbeddedAWS) -> None:
    client = aws.client("iam")
    client.list_roles()
    before = aws.connections()["iam"]
    client.list_roles()
    refused("NoSuchEntity", client.get_role, RoleName="none")
    client.list_roles()
    assert aws.connections()["iam"] == before


def test_calls_since_a_mark_and_their_errors(aws: EmbeddedAWS) -> None:
    aws.client("sts").get_caller_identity()
    mark = aws.mark()
    refused("NoSuchEntity", aws.client("iam").get_role, RoleName="none")
    (call,) = aws.calls(mark)
    has(call, operation="GetRole", status=404, error="NoSuchEntity", params={"RoleName": "none"})


def test_a_call_tells_who_signed_it_and_so_does_one_by_a_presigned_url(aws: EmbeddedAWS) -> None:
    aws.client("s3").create_bucket(Bucket="presigned", CreateBucketConfiguration={"LocationConstraint": REGION})
    signer = boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=aws.endpoint,
        config=Config(signature_version="s3v4"),
        aws_access_key_id="another",
        aws_secret_access_key="testing",
    )
    url = signer.generate_presigned_url("put_object", Params={"Bucket": "presigned", "Key": "k"})
    put = urllib.request.Request(url, data=b"body", method="PUT", headers={"Content-Type": "text/plain"})
    urllib.request.urlopen(put, timeout=10).close()
    assert [(call["operation"], call["caller"]) for call in aws.calls()] == [("CreateBucket", "testing"), ("PutObject", "another")]


def test_secrets_are_not_recorded(aws: EmbeddedAWS, network: Network) -> None:
    aws.client("secretsmanager").create_secret(Name="s", SecretString="hush-hush")
    create_db_cluster(aws, network, MasterUserPassword="hush-hush")
    assert "hush-hush" not in json.dumps(aws.calls())


def test_faults(aws: EmbeddedAWS) -> None:
    sts, ecs = aws.client("sts"), aws.client("ecs")
    aws.faults({"service": "sts", "times": 1, "error": {"code": "Throttling", "status": 400, "message": "slow down"}})
    assert refused("Throttling", sts.get_caller_identity) == "slow down"
    sts.get_caller_identity()
    aws.faults({"operation": "ListClusters", "latency_ms": 200})
    before = time.monotonic()
    ecs.list_clusters()
    assert time.monotonic() - before > 0.2
    for moment, clusters in (("before", 0), ("after", 1)):
        aws.faults({"operation": "CreateCluster", "drop": moment})
        with pytest.raises(HTTPClientError):
            ecs.create_cluster(clusterName="c")
        aws.faults()
        assert len(ecs.list_clusters()["clusterArns"]) == clusters


def test_a_rate_throttles_as_aws_does(aws: EmbeddedAWS) -> None:
    ecs = aws.client("ecs")
    ecs.list_clusters()
    aws.faults({"service": "ecs", "operation": "List*|DescribeClusters", "rate": 1, "burst": 2, "error": {"code": "ThrottlingException"}})
    ecs.list_clusters()
    ecs.describe_clusters()
    refused("ThrottlingException", ecs.list_clusters)
    ecs.create_cluster(clusterName="c")  # has no part in that rate
    time.sleep(1)
    ecs.list_clusters()
    refused("ThrottlingException", ecs.describe_clusters)


def test_reset_empties_everything(aws: EmbeddedAWS) -> None:
    aws.client("ecs").create_cluster(clusterName="c")
    bucket = {"Bucket": "bbb", "CreateBucketConfiguration": {"LocationConstraint": REGION}}
    aws.client("s3").create_bucket(**bucket)
    aws.faults({"error": {"code": "Throttling"}})
    aws.reset()
    assert aws.calls() == []
    assert aws.client("ecs").list_clusters()["clusterArns"] == []
    aws.client("s3").create_bucket(**bucket)


def test_server_ends_on_sigterm_and_with_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(gaps.__file__).parent), "--exit-with-parent", "--ready-file"]
    server = subprocess.Popen([*command, str(tmp_path / "one")], stdout=subprocess.DEVNULL)
    assert _ready(tmp_path / "one")["pid"] == server.pid
    server.terminate()
    assert server.wait(timeout=30) == 0
    parent = f"import subprocess, time; subprocess.Popen({[*command, str(tmp_path / 'two')]}); time.sleep(60)"
    starter = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.DEVNULL)
    endpoint = _ready(tmp_path / "two")["endpoint"]
    starter.kill()
    starter.wait()
    deadline = time.monotonic() + 30
    with pytest.raises(OSError):  # refused, or cut off in the middle of an answer
        while time.monotonic() < deadline:
            get_json(f"{endpoint}/_embedded/calls")
            time.sleep(0.2)


def _ready(path: Path) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    return json.loads(path.read_text(encoding="utf-8"))

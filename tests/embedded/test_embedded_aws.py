# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded AWS behaves as AWS documents, gap by gap."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from embedded_aws import gaps
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from embedded_aws.consistency import TABLE
from moto.core.utils import get_service_model


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


@pytest.fixture
def network(aws: EmbeddedAWS) -> Network:
    return Network(aws)


# --- the server ------------------------------------------------------------------------------------------------------


def test_every_gap_says_what_aws_does() -> None:
    assert all(gap.aws_does.endswith(".") and "\n" not in gap.aws_does for gap in gaps.load())


def test_readme_lists_every_gap() -> None:
    readme = Path(gaps.__file__).with_name("README.md").read_text(encoding="utf-8")
    assert gaps.as_markdown() in readme, "replace the table by the output of: python tests/embedded_aws --list-gaps"


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
    _cluster(aws, network, MasterUserPassword="hush-hush")
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
            _get(f"{endpoint}/_embedded/calls")
            time.sleep(0.2)


def _ready(path: Path) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    return json.loads(path.read_text(encoding="utf-8"))


def _get(url: str) -> Any:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as response:
        return json.load(response)


# --- API Gateway v2 --------------------------------------------------------------------------------------------------


def _api(aws: EmbeddedAWS, **arguments: Any) -> str:
    return aws.client("apigatewayv2").create_api(Name="a", ProtocolType="HTTP", **arguments)["ApiId"]


def test_authorizers(aws: EmbeddedAWS) -> None:
    apigw, api = aws.client("apigatewayv2"), _api(aws)
    request = apigw.create_authorizer(
        ApiId=api,
        Name="r",
        AuthorizerType="REQUEST",
        AuthorizerUri="arn:x",
        AuthorizerPayloadFormatVersion="2.0",
        IdentitySource=["$request.header.Authorization"],
    )
    has(
        request,
        AuthorizerPayloadFormatVersion="2.0",
        AuthorizerResultTtlInSeconds=300,
        EnableSimpleResponses=False,
        IdentitySource=["$request.header.Authorization"],
    )
    changed = apigw.update_authorizer(ApiId=api, AuthorizerId=request["AuthorizerId"], AuthorizerResultTtlInSeconds=0, EnableSimpleResponses=True)
    has(changed, AuthorizerResultTtlInSeconds=0, EnableSimpleResponses=True, AuthorizerUri="arn:x")
    jwt = {"Audience": ["client"], "Issuer": "https://issuer"}
    apigw.create_authorizer(ApiId=api, Name="j", AuthorizerType="JWT", IdentitySource=["$request.header.Authorization"], JwtConfiguration=jwt)
    listed = {each["Name"]: each for each in apigw.get_authorizers(ApiId=api)["Items"]}
    assert listed.keys() == {"r", "j"}
    has(listed["j"], JwtConfiguration=jwt, AuthorizerResultTtlInSeconds=None)


def test_integration_defaults_and_updates(aws: EmbeddedAWS) -> None:
    apigw, api = aws.client("apigatewayv2"), _api(aws)
    integration = apigw.create_integration(
        ApiId=api,
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="ANY",
        IntegrationUri="arn:listener",
        ConnectionType="VPC_LINK",
        ConnectionId="link",
        TlsConfig={"ServerNameToVerify": "a.example"},
        RequestParameters={"overwrite:path": "$request.path", "append:header.x": "y"},
    )
    has(integration, PayloadFormatVersion="1.0", TimeoutInMillis=30000, TlsConfig={"ServerNameToVerify": "a.example"})
    changed = apigw.update_integration(
        ApiId=api,
        IntegrationId=integration["IntegrationId"],
        TimeoutInMillis=20000,
        RequestParameters={"append:header.x": ""},
        ResponseParameters={"200": {"remove:header.x": "''"}},
    )
    has(
        changed,
        TimeoutInMillis=20000,
        ConnectionId="link",
        RequestParameters={"overwrite:path": "$request.path"},
        ResponseParameters={"200": {"remove:header.x": "''"}},
    )
    changed = apigw.update_integration(ApiId=api, IntegrationId=integration["IntegrationId"], ResponseParameters={"200": {}})
    has(changed, ResponseParameters={}, RequestParameters={"overwrite:path": "$request.path"})
    assert (
        apigw.create_integration(ApiId=api, IntegrationType="HTTP_PROXY", IntegrationUri="https://x.example", IntegrationMethod="ANY")["ConnectionType"]
        == "INTERNET"
    )


def test_stages(aws: EmbeddedAWS) -> None:
    apigw, api = aws.client("apigatewayv2"), _api(aws)
    stage = apigw.create_stage(
        ApiId=api,
        StageName="$default",
        AutoDeploy=True,
        DefaultRouteSettings={"ThrottlingBurstLimit": 10},
        AccessLogSettings={"DestinationArn": "arn:logs", "Format": "$context.requestId"},
        Tags={"a": "1"},
    )
    has(stage, AutoDeploy=True, Tags={"a": "1"})
    assert stage["DefaultRouteSettings"] == {"DetailedMetricsEnabled": False, "ThrottlingBurstLimit": 10}
    apigw.update_stage(ApiId=api, StageName="$default", DefaultRouteSettings={"ThrottlingRateLimit": 5.0})
    stage = apigw.get_stage(ApiId=api, StageName="$default")
    has(stage, AccessLogSettings={"DestinationArn": "arn:logs", "Format": "$context.requestId"}, AutoDeploy=True)
    assert stage["DefaultRouteSettings"] == {"DetailedMetricsEnabled": False, "ThrottlingBurstLimit": 10, "ThrottlingRateLimit": 5.0}
    refused("ConflictException", apigw.create_stage, ApiId=api, StageName="$default")
    here = {"ApiId": api, "StageName": "$default"}
    apigw.update_stage(**here, StageVariables={"a": "1", "b": "2"}, RouteSettings={"GET /x": {"ThrottlingBurstLimit": 1}})
    apigw.update_stage(**here, StageVariables={"a": ""})
    has(apigw.get_stage(**here), StageVariables={"b": "2"}, RouteSettings={"GET /x": {"ThrottlingBurstLimit": 1}})
    apigw.delete_route_settings(**here, RouteKey="GET /x")
    refused("NotFoundException", apigw.delete_route_settings, **here, RouteKey="GET /x")
    apigw.delete_access_log_settings(**here)
    stage = apigw.get_stage(**here)
    assert stage["RouteSettings"] == {} and "AccessLogSettings" not in stage


def test_the_policy_of_log_delivery_fills_up(aws: EmbeddedAWS) -> None:
    apigw, groups = aws.client("apigatewayv2"), f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"

    def log_to(name: str, api: str, operation: str = "create_stage") -> None:
        log = {"DestinationArn": f"{groups}{name}", "Format": "$context.requestId"}
        getattr(apigw, operation)(ApiId=api, StageName="$default", AccessLogSettings=log)

    def resources() -> list[str]:
        (policy,) = aws.client("logs").describe_resource_policies()["resourcePolicies"]
        assert policy["policyName"] == "AWSLogDeliveryWrite20150319" and len(policy["policyDocument"]) <= 5120
        return json.loads(policy["policyDocument"])["Statement"][0]["Resource"]

    api = _api(aws)
    log_to("/aws/apigateway/mlflow-team-01", api)
    for n in range(2, 100):
        try:
            log_to(f"/aws/apigateway/mlflow-team-{n:02}", api, "update_stage")
        except aws.client("apigatewayv2").exceptions.BadRequestException as error:
            assert "Policy document length breaking Cloudwatch Logs Constraints, either < 1 or > 5120" in str(error)
            break
    assert 40 < n < 60 and len(resources()) == n - 1
    has(apigw.get_stage(ApiId=api, StageName="$default")["AccessLogSettings"], DestinationArn=f"{groups}/aws/apigateway/mlflow-team-{n - 1:02}")
    apigw.delete_api(ApiId=api)
    assert len(resources()) == n - 1  # nothing is taken out
    api = _api(aws)
    log_to("/aws/apigateway/mlflow-team-01", api)  # is in it
    aws.client("logs").delete_resource_policy(policyName="AWSLogDeliveryWrite20150319")
    for n in range(100):
        log_to(f"/aws/vendedlogs/apigateway/mlflow-team-{n}", api, "update_stage")
    assert resources() == [f"{groups}/aws/vendedlogs/*:log-stream:*"]


def test_domain_names_and_mappings(aws: EmbeddedAWS) -> None:
    apigw, api = aws.client("apigatewayv2"), _api(aws, DisableExecuteApiEndpoint=True)
    configuration = {"CertificateArn": "arn:one", "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
    (created,) = apigw.create_domain_name(DomainName="a.example", DomainNameConfigurations=[configuration])["DomainNameConfigurations"]
    assert created["ApiGatewayDomainName"].endswith(f".execute-api.{REGION}.amazonaws.com")
    has(created, HostedZoneId="ZLY8HYME6SFDD", DomainNameStatus="AVAILABLE", CertificateArn="arn:one")
    (changed,) = apigw.update_domain_name(DomainName="a.example", DomainNameConfigurations=[{**configuration, "CertificateArn": "arn:two"}])[
        "DomainNameConfigurations"
    ]
    has(changed, CertificateArn="arn:two", ApiGatewayDomainName=created["ApiGatewayDomainName"])
    assert apigw.get_domain_name(DomainName="a.example")["RoutingMode"] == "API_MAPPING_ONLY"
    apigw.update_domain_name(DomainName="a.example", RoutingMode="ROUTING_RULE_ONLY")
    assert apigw.get_domain_name(DomainName="a.example")["RoutingMode"] == "ROUTING_RULE_ONLY"
    mapping = {"ApiId": api, "DomainName": "a.example", "Stage": "$default"}
    refused("BadRequestException", apigw.create_api_mapping, **mapping)
    apigw.create_stage(ApiId=api, StageName="$default")
    identifier = apigw.create_api_mapping(**mapping)["ApiMappingId"]
    refused("BadRequestException", apigw.delete_api, ApiId=api)
    refused("BadRequestException", apigw.delete_stage, ApiId=api, StageName="$default")
    moved = apigw.update_api_mapping(ApiId=api, ApiMappingId=identifier, DomainName="a.example", ApiMappingKey="v1")
    has(moved, ApiMappingKey="v1", Stage="$default")
    apigw.delete_domain_name(DomainName="a.example")
    apigw.delete_api(ApiId=api)
    refused("NotFoundException", apigw.get_authorizers, ApiId=api)


def test_api_update_and_references(aws: EmbeddedAWS) -> None:
    apigw, api = aws.client("apigatewayv2"), _api(aws)
    has(apigw.update_api(ApiId=api, DisableExecuteApiEndpoint=True), DisableExecuteApiEndpoint=True, Name="a")
    integration = apigw.create_integration(ApiId=api, IntegrationType="HTTP_PROXY", IntegrationMethod="ANY", IntegrationUri="https://x.example")[
        "IntegrationId"
    ]
    route = apigw.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")["RouteId"]
    refused("ConflictException", apigw.create_route, ApiId=api, RouteKey="$default")
    authorizer = {
        "ApiId": api,
        "AuthorizerId": apigw.create_authorizer(ApiId=api, Name="j", AuthorizerType="JWT", IdentitySource=["$request.header.Authorization"])["AuthorizerId"],
    }
    apigw.update_route(ApiId=api, RouteId=route, AuthorizationType="JWT", AuthorizerId=authorizer["AuthorizerId"])
    refused("ConflictException", apigw.delete_authorizer, **authorizer)
    has(apigw.update_route(ApiId=api, RouteId=route, AuthorizationType="NONE"), AuthorizerId=None)
    apigw.delete_authorizer(**authorizer)
    refused("ConflictException", apigw.delete_integration, ApiId=api, IntegrationId=integration)
    apigw.delete_route(ApiId=api, RouteId=route)
    refused("NotFoundException", apigw.delete_route, ApiId=api, RouteId=route)
    apigw.delete_integration(ApiId=api, IntegrationId=integration)


def test_vpc_links(aws: EmbeddedAWS, network: Network) -> None:
    apigw = aws.client("apigatewayv2")
    aws.creation_seconds(vpclink=0.5)
    link = apigw.create_vpc_link(Name="l", SubnetIds=network.subnets, SecurityGroupIds=[network.group], Tags={"a": "1"})
    has(link, VpcLinkStatus="PENDING", Tags={"a": "1"})
    time.sleep(0.5)
    has(apigw.get_vpc_link(VpcLinkId=link["VpcLinkId"]), VpcLinkStatus="AVAILABLE")
    api, user = _api(aws), {"IntegrationType": "HTTP_PROXY", "ConnectionType": "VPC_LINK", "ConnectionId": link["VpcLinkId"]}
    user = {"ApiId": api, "IntegrationId": apigw.create_integration(ApiId=api, **user)["IntegrationId"]}
    refused("BadRequestException", apigw.delete_vpc_link, VpcLinkId=link["VpcLinkId"])
    apigw.delete_integration(**user)
    apigw.delete_vpc_link(VpcLinkId=link["VpcLinkId"])
    has(apigw.get_vpc_link(VpcLinkId=link["VpcLinkId"]), VpcLinkStatus="DELETING")
    time.sleep(0.5)
    refused("NotFoundException", apigw.get_vpc_link, VpcLinkId=link["VpcLinkId"])


def test_apigateway_vpc_links_have_zones_and_quotas(aws: EmbeddedAWS, network: Network) -> None:
    paris = {"region_name": "eu-west-3"}
    ec2, apigw = (
        boto3.client(service, endpoint_url=aws.endpoint, aws_access_key_id="a", aws_secret_access_key="b", **paris) for service in ("ec2", "apigatewayv2")
    )
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    (subnet,) = [ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="eu-west-3b")["Subnet"]]
    assert subnet["AvailabilityZoneId"] == "euw3-az2"
    message = refused("BadRequestException", apigw.create_vpc_link, Name="l", SubnetIds=[subnet["SubnetId"]])
    assert message == f"Subnet '{subnet['SubnetId']}' is in Availability Zone 'euw3-az2' where service is not available"

    apigw = aws.client("apigatewayv2")
    refused("BadRequestException", apigw.create_vpc_link, Name="l", SubnetIds=[f"subnet-{n}" for n in range(11)])
    for n in range(10):
        apigw.create_vpc_link(Name=f"l{n}", SubnetIds=network.subnets)
    message = refused("BadRequestException", apigw.create_vpc_link, Name="l", SubnetIds=network.subnets)
    assert message == "There are too many Vpc Links defined for this account. Limit is 10."
    quotas = aws.client("service-quotas")
    which = {"ServiceCode": "apigateway", "QuotaCode": "L-608BDCD4"}
    has(quotas.get_service_quota(**which)["Quota"], QuotaName="VPC links(V2)", Value=10.0)
    quotas.request_service_quota_increase(**which, DesiredValue=11)
    assert quotas.get_service_quota(**which)["Quota"]["Value"] == 11
    apigw.create_vpc_link(Name="l", SubnetIds=network.subnets)
    refused("NoSuchResourceException", quotas.get_service_quota, ServiceCode="apigateway", QuotaCode="L-00000000")


def test_load_balancers_need_room(aws: EmbeddedAWS, network: Network) -> None:
    ec2, elbv2 = aws.client("ec2"), aws.client("elbv2")

    def room() -> list[int]:
        return [s["AvailableIpAddressCount"] for s in ec2.describe_subnets(SubnetIds=network.subnets)["Subnets"]]

    assert room() == [251] * 3
    create = elbv2.create_load_balancer
    assert "no internet gateway" in refused("InvalidSubnet", create, Name="b", Scheme="internet-facing", Subnets=network.subnets)
    create(Name="b", Scheme="internal", Subnets=network.subnets)
    aws.client("apigatewayv2").create_vpc_link(Name="l", SubnetIds=network.subnets[:2])
    assert sorted(room()) == [249, 249, 250]
    ec2.create_network_interface(SubnetId=network.subnets[0], SecondaryPrivateIpAddressCount=241)
    message = refused("InvalidSubnet", create, Name="c", Scheme="internal", Subnets=network.subnets)
    assert message == f"Not enough IP space available in {network.subnets[0]}. ELB requires at least 8 free IP addresses in each subnet."
    for n in range(49):
        create(Name=f"b{n}", Scheme="internal", Subnets=network.subnets[1:])
    refused("TooManyLoadBalancers", create, Name="c", Scheme="internal", Subnets=network.subnets[1:])


def test_a_group_takes_as_many_rules_of_each_ip_version_as_the_quota_says(aws: EmbeddedAWS, network: Network) -> None:
    def authorize(first: int, last: int, version: str = "4") -> None:
        cidrs = {"IpRanges": [{"CidrIp": f"10.0.{n}.0/24"} for n in range(first, last)]}
        if version == "6":
            cidrs = {"Ipv6Ranges": [{"CidrIpv6": f"2001:db8:{n:x}::/48"} for n in range(first, last)]}
        rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **cidrs}
        aws.client("ec2").authorize_security_group_ingress(GroupId=network.group, IpPermissions=[rule])

    authorize(0, 60)
    authorize(0, 60, "6")
    refused("RulesPerSecurityGroupLimitExceeded", authorize, first=60, last=61)
    refused("RulesPerSecurityGroupLimitExceeded", authorize, first=60, last=61, version="6")
    aws.client("service-quotas").request_service_quota_increase(ServiceCode="vpc", QuotaCode="L-0EA8095F", DesiredValue=100)
    authorize(60, 100)


def test_apigateway_tags(aws: EmbeddedAWS, network: Network) -> None:
    apigw, api = aws.client("apigatewayv2"), _api(aws, Tags={"a": "1"})
    apigw.create_stage(ApiId=api, StageName="$default", Tags={"a": "1"})
    apigw.create_domain_name(DomainName="a.example", Tags={"a": "1"})
    link = apigw.create_vpc_link(Name="l", SubnetIds=network.subnets, Tags={"a": "1"})["VpcLinkId"]
    for path in (f"apis/{api}", f"apis/{api}/stages/$default", "domainnames/a.example", f"vpclinks/{link}"):
        arn = f"arn:aws:apigateway:{REGION}::/{path}"
        apigw.tag_resource(ResourceArn=arn, Tags={"b": "2"})
        apigw.untag_resource(ResourceArn=arn, TagKeys=["a"])
        assert apigw.get_tags(ResourceArn=arn)["Tags"] == {"b": "2"}, path
    has(apigw.get_stage(ApiId=api, StageName="$default"), Tags={"b": "2"})


# --- ECS and Application Auto Scaling --------------------------------------------------------------------------------

TASK = {
    "family": "f",
    "containerDefinitions": [{"name": "c", "image": "i", "portMappings": [{"containerPort": 5000}]}],
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
}


def _service(aws: EmbeddedAWS, network: Network, **arguments: Any) -> dict[str, Any]:
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


def _describe_service(aws: EmbeddedAWS) -> dict[str, Any]:
    return aws.client("ecs").describe_services(cluster="c", services=["s"], include=["TAGS"])["services"][0]


def test_task_definitions(aws: EmbeddedAWS) -> None:
    ecs = aws.client("ecs")
    container = {
        "name": "c",
        "image": "i",
        "user": "1000",
        "readonlyRootFilesystem": True,
        "command": ["x"],
        "portMappings": [{"containerPort": 5000}],
        "secrets": [{"name": "S", "valueFrom": "arn:s"}],
        "dependsOn": [{"containerName": "d", "condition": "SUCCESS"}],
        "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
    }
    given = {
        **TASK,
        "containerDefinitions": [container, {"name": "d", "image": "i", "essential": False}],
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "volumes": [{"name": "tmp"}],
        "ephemeralStorage": {"sizeInGiB": 30},
        "taskRoleArn": "arn:t",
        "executionRoleArn": "arn:e",
        "tags": [{"key": "a", "value": "1"}],
    }
    registered = ecs.register_task_definition(**given)
    assert registered["tags"] == [{"key": "a", "value": "1"}]
    definition = registered["taskDefinition"]
    for name in ("runtimePlatform", "ephemeralStorage", "taskRoleArn", "executionRoleArn", "cpu", "memory"):
        assert definition[name] == given[name]
    first = definition["containerDefinitions"][0]
    for name in container.keys() - {"portMappings"}:
        assert first[name] == container[name]
    assert first["portMappings"] == [{"containerPort": 5000, "hostPort": 5000, "protocol": "tcp"}]
    has(first, essential=True, environment=[], cpu=0)
    assert definition["volumes"] == [{"name": "tmp", "host": {}}]
    assert ecs.register_task_definition(**given)["taskDefinition"]["revision"] == 2
    ecs.deregister_task_definition(taskDefinition="f:2")
    assert ecs.describe_task_definition(taskDefinition="f")["taskDefinition"]["revision"] == 1
    ecs.delete_task_definitions(taskDefinitions=["f:2"])
    assert ecs.register_task_definition(**given)["taskDefinition"]["revision"] == 3

    ecs.register_task_definition(**{**given, "family": "f-2"})
    names = [arn.rpartition("/")[2] for arn in ecs.list_task_definitions(familyPrefix="f", sort="DESC")["taskDefinitionArns"]]
    assert names == ["f-2:1", "f:3", "f:1"]


def test_service_defaults(aws: EmbeddedAWS, network: Network) -> None:
    service = _service(aws, network)
    has(
        service,
        healthCheckGracePeriodSeconds=None,
        enableExecuteCommand=False,
        enableECSManagedTags=False,
        propagateTags="NONE",
        platformVersion="LATEST",
        availabilityZoneRebalancing="ENABLED",
        launchType="FARGATE",
        schedulingStrategy="REPLICA",
        deploymentController={"type": "ECS"},
    )
    has(service["deploymentConfiguration"], maximumPercent=200, minimumHealthyPercent=100, deploymentCircuitBreaker={"enable": False, "rollback": False})
    assert service["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    refused("InvalidParameterException", _service, aws=aws, network=network)


def test_service_echo_and_update(aws: EmbeddedAWS, network: Network) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    given = {
        "healthCheckGracePeriodSeconds": 30,
        "enableExecuteCommand": True,
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
        "platformVersion": "1.4.0",
        "availabilityZoneRebalancing": "DISABLED",
        "tags": [{"key": "a", "value": "1"}],
    }
    created = _service(aws, network, deploymentConfiguration=breaker, **given)
    has(_describe_service(aws), **given, taskDefinition=created["taskDefinition"])
    assert _describe_service(aws)["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"] is True
    ecs = aws.client("ecs")
    deployment = _describe_service(aws)["deployments"][0]["id"]
    ecs.update_service(cluster="c", service="s", healthCheckGracePeriodSeconds=60, deploymentConfiguration={"minimumHealthyPercent": 50})
    service = _describe_service(aws)
    has(service, healthCheckGracePeriodSeconds=60, enableExecuteCommand=True)
    has(service["deploymentConfiguration"], minimumHealthyPercent=50, maximumPercent=200, **breaker)
    assert service["deployments"][0]["id"] == deployment
    ecs.register_task_definition(**TASK)
    ecs.update_service(cluster="c", service="s", taskDefinition="f:2")
    service = _describe_service(aws)
    assert service["taskDefinition"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/f:2"
    assert [each["id"] for each in service["deployments"]] != [deployment]


def test_service_reaches_steady_state(aws: EmbeddedAWS, network: Network) -> None:
    elb, ecs = aws.client("elbv2"), aws.client("ecs")
    group = elb.create_target_group(Name="t", Protocol="HTTP", Port=5000, VpcId=network.vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
    aws.creation_seconds(ecs=0.5)
    service = _service(aws, network, loadBalancers=[{"targetGroupArn": group, "containerName": "c", "containerPort": 5000}])
    has(service, runningCount=0, pendingCount=2, healthCheckGracePeriodSeconds=0)
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    time.sleep(0.5)
    service = _describe_service(aws)
    has(service, runningCount=2, pendingCount=0)
    has(service["deployments"][0], status="PRIMARY", rolloutState="COMPLETED", runningCount=2)
    assert "has reached a steady state" in service["events"][0]["message"]
    health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert [each["TargetHealth"]["State"] for each in health] == ["healthy", "healthy"]
    ecs.get_waiter("services_stable").wait(cluster="c", services=["s"])


def test_service_deletion(aws: EmbeddedAWS, network: Network) -> None:
    ecs = aws.client("ecs")
    _service(aws, network)
    refused("ClusterContainsServicesException", ecs.delete_cluster, cluster="c")
    refused("InvalidParameterException", ecs.delete_service, cluster="c", service="s")
    ecs.update_service(cluster="c", service="s", desiredCount=0)
    assert ecs.delete_service(cluster="c", service="s")["service"]["status"] == "DRAINING"
    assert _describe_service(aws)["status"] == "INACTIVE"
    assert ecs.list_services(cluster="c")["serviceArns"] == []
    refused("ServiceNotActiveException", ecs.update_service, cluster="c", service="s", desiredCount=1)
    _service(aws, network)
    ecs.delete_service(cluster="c", service="s", force=True)
    ecs.delete_cluster(cluster="c")
    assert ecs.list_clusters()["clusterArns"] == []
    assert ecs.describe_clusters(clusters=["c"])["clusters"][0]["status"] == "INACTIVE"


def test_service_with_capacity_providers(aws: EmbeddedAWS, network: Network) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    refused("InvalidParameterException", _service, aws=aws, network=network, capacityProviderStrategy=strategy)
    ecs = aws.client("ecs")
    service = ecs.create_service(
        cluster="c",
        serviceName="s",
        taskDefinition="f",
        desiredCount=1,
        capacityProviderStrategy=strategy,
        networkConfiguration={"awsvpcConfiguration": {"subnets": network.subnets}},
    )["service"]
    has(service, launchType=None, capacityProviderStrategy=[{**strategy[0], "base": 0}])


def test_run_task(aws: EmbeddedAWS, network: Network) -> None:
    ecs = aws.client("ecs")
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(**TASK)
    task = ecs.run_task(cluster="c", taskDefinition="f", launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": {"subnets": network.subnets[:1]}})[
        "tasks"
    ][0]

    def describe():
        return ecs.describe_tasks(cluster="c", tasks=[task["taskArn"]])["tasks"][0]

    has(describe(), lastStatus="RUNNING")
    stopped = describe()
    has(stopped, lastStatus="STOPPED", stopCode="EssentialContainerExited")
    assert [(each["name"], each["exitCode"]) for each in stopped["containers"]] == [("c", 0)]
    ecs.get_waiter("tasks_stopped").wait(cluster="c", tasks=[task["taskArn"]])


def test_how_tasks_end_is_said_by_rules(aws: EmbeddedAWS, network: Network) -> None:
    ecs, logs = aws.client("ecs"), aws.client("logs")
    ecs.create_cluster(clusterName="c")
    logs.create_log_group(logGroupName="/ecs/c")
    options = {"awslogs-group": "/ecs/c", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p"}
    logged = {**TASK["containerDefinitions"][0], "logConfiguration": {"logDriver": "awslogs", "options": options}}
    ecs.register_task_definition(**{**TASK, "containerDefinitions": [logged]})
    aws.task_results(
        {"family": "f", "environment": {"A": "1"}, "exit_code": 3, "log": ["first", "last"], "times": 1},
        {"environment": {"A": "1"}, "exit_code": None},
        {"family": "other", "exit_code": 1},
    )

    def stopped(environment: list[dict[str, str]]) -> dict[str, Any]:
        arn = ecs.run_task(
            cluster="c",
            taskDefinition="f",
            launchType="FARGATE",
            overrides={"containerOverrides": [{"name": "c", "environment": environment}]},
            networkConfiguration={"awsvpcConfiguration": {"subnets": network.subnets[:1]}},
        )["tasks"][0]["taskArn"]
        ecs.get_waiter("tasks_stopped").wait(cluster="c", tasks=[arn], WaiterConfig={"Delay": 0})
        return ecs.describe_tasks(cluster="c", tasks=[arn])["tasks"][0]

    task = stopped([{"name": "A", "value": "1"}])
    assert task["containers"][0]["exitCode"] == 3
    stream = f"p/c/{task['taskArn'].rpartition('/')[2]}"
    events = logs.get_log_events(logGroupName="/ecs/c", logStreamName=stream)["events"]
    assert [event["message"] for event in events] == ["first", "last"]
    task = stopped([{"name": "A", "value": "1"}])  # the first rule is used up
    assert task["stopCode"] == "TaskFailedToStart" and "exitCode" not in task["containers"][0]
    assert stopped([{"name": "A", "value": "2"}])["containers"][0]["exitCode"] == 0


def test_a_deployment_without_tasks_is_complete_and_what_ecs_then_goes_back_to(aws: EmbeddedAWS, network: Network) -> None:
    ecs = aws.client("ecs")
    _service(aws, network)
    aws.task_results({"family": "f", "exit_code": 1})
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    ecs.register_task_definition(**TASK)
    ecs.update_service(cluster="c", service="s", taskDefinition="f:2", desiredCount=0, deploymentConfiguration=breaker)
    assert _describe_service(aws)["deployments"][0]["rolloutState"] == "COMPLETED"
    ecs.update_service(cluster="c", service="s", desiredCount=1, forceNewDeployment=True)
    assert {d["taskDefinition"].rpartition("/")[2] for d in _describe_service(aws)["deployments"]} == {"f:2"}


def test_clusters_and_tags(aws: EmbeddedAWS, network: Network) -> None:
    ecs, insights = aws.client("ecs"), {"name": "containerInsights", "value": "enhanced"}
    configuration = {"executeCommandConfiguration": {"logging": "DEFAULT"}}
    cluster = ecs.create_cluster(clusterName="c")["cluster"]["clusterArn"]
    assert ecs.list_tags_for_resource(resourceArn=cluster)["tags"] == []
    ecs.update_cluster_settings(cluster="c", settings=[insights])
    ecs.update_cluster(cluster="c", configuration=configuration)
    assert ecs.create_cluster(clusterName="c")["cluster"]["settings"] == [insights]
    (described,) = ecs.describe_clusters(clusters=["c"], include=["TAGS", "SETTINGS", "CONFIGURATIONS"])["clusters"]
    has(described, settings=[insights], configuration=configuration)
    definition = ecs.register_task_definition(**TASK)["taskDefinition"]["taskDefinitionArn"]
    for arn in (cluster, _service(aws, network)["serviceArn"], definition):
        ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
        ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
        assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}], arn
    assert _describe_service(aws)["tags"] == [{"key": "b", "value": "2"}]


def test_application_autoscaling(aws: EmbeddedAWS, network: Network) -> None:
    aas = aws.client("application-autoscaling")
    _service(aws, network)
    target = {"ServiceNamespace": "ecs", "ResourceId": "service/c/s", "ScalableDimension": "ecs:service:DesiredCount"}
    action = {
        **target,
        "ScheduledActionName": "night",
        "Schedule": "cron(0 20 * * ? *)",
        "Timezone": "Europe/Madrid",
        "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 0},
    }
    policy = {
        **target,
        "PolicyName": "cpu",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    }
    refused("ObjectNotFoundException", aas.put_scaling_policy, **policy)
    refused("ObjectNotFoundException", aas.put_scheduled_action, **action)
    arn = aas.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4, Tags={"a": "1"})["ScalableTargetARN"]
    (described,) = aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert described["RoleARN"].endswith("AWSServiceRoleForApplicationAutoScaling_ECSService")
    assert set(described["SuspendedState"].values()) == {False}
    aas.register_scalable_target(**target, SuspendedState={"ScheduledScalingSuspended": True})
    (described,) = aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    has(described, MinCapacity=1, MaxCapacity=4)
    assert [name for name, value in described["SuspendedState"].items() if value] == ["ScheduledScalingSuspended"]
    aas.tag_resource(ResourceARN=arn, Tags={"b": "2"})
    aas.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert aas.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}
    aas.put_scheduled_action(**action)
    (scheduled,) = aas.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    has(scheduled, **{name: action[name] for name in ("ScalableTargetAction", "Timezone", "Schedule")})
    arns = {aas.put_scaling_policy(**policy)["PolicyARN"] for _ignored in range(2)}
    assert len(arns) == 1
    assert len(aws.client("cloudwatch").describe_alarms()["MetricAlarms"]) == 2
    aas.deregister_scalable_target(**target)
    assert aas.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []
    assert aas.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"] == []
    refused("ObjectNotFoundException", aas.deregister_scalable_target, **target)


# --- Elastic Load Balancing ------------------------------------------------------------------------------------------


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


@pytest.fixture
def balancer(aws: EmbeddedAWS, network: Network) -> Balancer:
    return Balancer(aws, network)


def _pairs(attributes: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in attributes}


def test_load_balancer(aws: EmbeddedAWS, network: Network) -> None:
    aws.creation_seconds(elb=0.5)
    balancer = Balancer(aws, network)
    elb, arn = balancer.elb, balancer.arn
    has(balancer.description, State={"Code": "provisioning"}, CanonicalHostedZoneId="Z32O12XQLNTSW2")
    assert balancer.description["DNSName"].startswith("internal-b-")
    time.sleep(0.5)
    has(elb.describe_load_balancers(Names=["b"])["LoadBalancers"][0], State={"Code": "active"})
    attributes = _pairs(elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
    assert len(attributes) >= 20
    expected = {
        "idle_timeout.timeout_seconds": "60",
        "routing.http.desync_mitigation_mode": "defensive",
        "routing.http2.enabled": "true",
        "client_keep_alive.seconds": "3600",
    }
    assert expected.items() <= attributes.items()
    protection = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=protection)
    refused("OperationNotPermitted", elb.delete_load_balancer, LoadBalancerArn=arn)
    assert elb.set_subnets(LoadBalancerArn=arn, Subnets=network.subnets[:2])["AvailabilityZones"]
    elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[network.group])
    (described,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert {each["SubnetId"] for each in described["AvailabilityZones"]} == set(network.subnets[:2])
    refused("DuplicateLoadBalancerName", elb.create_load_balancer, Name="b", Subnets=network.subnets)
    refused("ValidationError", elb.create_load_balancer, Name="c", Subnets=network.subnets[:1])
    refused("InvalidConfigurationRequest", elb.create_load_balancer, Name="c", Subnets=[network.subnets[0]] * 2)


def test_load_balancers_log_into_buckets_of_their_region_without_a_kms_key(aws: EmbeddedAWS, balancer: Balancer) -> None:
    s3, far = aws.client("s3"), aws.client("s3", "eu-west-2")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    for name, where, client in (("logs", REGION, s3), ("with-a-key", REGION, s3), ("far-away", "eu-west-2", far)):
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": where})
    s3.put_bucket_encryption(Bucket="with-a-key", ServerSideEncryptionConfiguration={"Rules": [rule]})

    def log(bucket: str) -> dict[str, Any]:
        wanted = [{"Key": "access_logs.s3.enabled", "Value": "true"}, {"Key": "access_logs.s3.bucket", "Value": bucket}]
        return {"LoadBalancerArn": balancer.arn, "Attributes": wanted}

    for bucket in ("with-a-key", "far-away"):
        refused("InvalidConfigurationRequest", balancer.elb.modify_load_balancer_attributes, **log(bucket))
    balancer.elb.modify_load_balancer_attributes(**log("logs"))


def test_target_groups(balancer: Balancer) -> None:
    elb, group = balancer.elb, balancer.group
    attributes = _pairs(elb.describe_target_group_attributes(TargetGroupArn=group)["Attributes"])
    expected = {"deregistration_delay.timeout_seconds": "300", "stickiness.type": "lb_cookie", "load_balancing.algorithm.anomaly_mitigation": "off"}
    assert expected.items() <= attributes.items()
    changed = elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}])
    assert len(changed["Attributes"]) == len(attributes)
    rule = balancer.rule(1, balancer.forward)

    def described():
        return elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]

    assert described()["LoadBalancerArns"] == [balancer.arn]
    refused("ResourceInUse", elb.delete_target_group, TargetGroupArn=group)
    description = elb.create_load_balancer(Name="c", Subnets=balancer.subnets)["LoadBalancers"][0]
    refuse = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}]
    (other,) = elb.create_listener(LoadBalancerArn=description["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=refuse)["Listeners"]
    here = {"ListenerArn": other["ListenerArn"], "Priority": 1, "Conditions": [{"Field": "host-header", "Values": ["a.example"]}]}
    refused("TargetGroupAssociationLimit", elb.create_rule, **here, Actions=[balancer.forward])
    elb.delete_rule(RuleArn=rule["RuleArn"])
    refused("RuleNotFound", elb.delete_rule, RuleArn=rule["RuleArn"])
    assert described()["LoadBalancerArns"] == []
    elb.delete_target_group(TargetGroupArn=group)


def test_transforms_and_client_certificates(aws: EmbeddedAWS, balancer: Balancer) -> None:
    elb, rule = balancer.elb, balancer.rule(1, balancer.forward)
    rewrite = [{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/a", "Replace": "/b"}]}}]
    for more, shown in (({"Transforms": rewrite}, rewrite), ({"Actions": [balancer.forward]}, rewrite), ({"ResetTransforms": True}, [])):
        elb.modify_rule(RuleArn=rule["RuleArn"], **more)
        described = elb.describe_rules(ListenerArn=balancer.listener)["Rules"][0]
        assert described.get("Transforms", []) == shown and described["Actions"]

    arn = aws.client("acm").request_certificate(DomainName="a.example")["CertificateArn"]
    refuse = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}]
    secure = {"Protocol": "HTTPS", "Port": 443, "Certificates": [{"CertificateArn": arn}], "DefaultActions": refuse}
    (listener,) = elb.create_listener(LoadBalancerArn=balancer.arn, **secure)["Listeners"]
    for more, mode in (({}, "off"), ({"MutualAuthentication": {"Mode": "passthrough"}}, "passthrough"), ({}, "passthrough")):
        elb.modify_listener(ListenerArn=listener["ListenerArn"], SslPolicy="ELBSecurityPolicy-2016-08", **more)
        (described,) = elb.describe_listeners(ListenerArns=[listener["ListenerArn"]])["Listeners"]
        assert described["MutualAuthentication"]["Mode"] == mode


COGNITO = {"UserPoolArn": "arn:p", "UserPoolClientId": "c", "UserPoolDomain": "d"}
OIDC = {"Issuer": "https://i", "AuthorizationEndpoint": "https://a", "TokenEndpoint": "https://t", "UserInfoEndpoint": "https://u", "ClientId": "c"}
AUTHENTICATE = {"OnUnauthenticatedRequest": "authenticate", "Scope": "openid", "SessionTimeout": 604800, "SessionCookieName": "AWSELBAuthSessionCookie"}


def test_action_defaults(balancer: Balancer) -> None:
    forward = balancer.forward
    both_forms = {
        **forward,
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": balancer.group, "Weight": 1}], "TargetGroupStickinessConfig": {"Enabled": False}},
    }
    table = [
        ([forward], [both_forms]),
        ([{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": balancer.group}]}}], [both_forms]),
        (
            [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}],
            [
                {
                    "Type": "redirect",
                    "RedirectConfig": {
                        "Protocol": "HTTPS",
                        "Port": "443",
                        "StatusCode": "HTTP_301",
                        "Host": "#{host}",
                        "Path": "/#{path}",
                        "Query": "#{query}",
                    },
                }
            ],
        ),
        (
            [{"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": COGNITO}, {**forward, "Order": 2}],
            [{"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": COGNITO | AUTHENTICATE}, {**both_forms, "Order": 2}],
        ),
        (
            [{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {**OIDC, "ClientSecret": "hush"}}, {**forward, "Order": 2}],
            [{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": OIDC | AUTHENTICATE}, {**both_forms, "Order": 2}],
        ),
    ]
    for priority, (given, echoed) in enumerate(table, start=1):
        assert balancer.rule(priority, *given)["Actions"] == echoed
    only_authentication = [{"Type": "authenticate-cognito", "AuthenticateCognitoConfig": COGNITO}]
    with pytest.raises(ClientError, match="InvalidLoadBalancerAction"):
        balancer.rule(99, *only_authentication)


def test_rules(balancer: Balancer) -> None:
    elb = balancer.elb
    second, first = balancer.rule(2, balancer.forward), balancer.rule(1, balancer.forward, host="b.example")
    assert first["Conditions"] == [{"Field": "host-header", "Values": ["b.example"], "HostHeaderConfig": {"Values": ["b.example"]}}]
    (changed,) = elb.modify_rule(RuleArn=first["RuleArn"], Conditions=[{"Field": "path-pattern", "Values": ["/x"]}])["Rules"]
    assert changed["Conditions"] == [{"Field": "path-pattern", "Values": ["/x"], "PathPatternConfig": {"Values": ["/x"]}}]
    with pytest.raises(ClientError, match="PriorityInUse"):
        balancer.rule(2, balancer.forward)

    def order():
        return [rule["RuleArn"] for rule in elb.describe_rules(ListenerArn=balancer.listener)["Rules"] if not rule["IsDefault"]]

    assert order() == [first["RuleArn"], second["RuleArn"]]
    swapped = [{"RuleArn": second["RuleArn"], "Priority": 1}, {"RuleArn": first["RuleArn"], "Priority": 2}]
    elb.set_rule_priorities(RulePriorities=swapped)
    assert order() == [second["RuleArn"], first["RuleArn"]]
    refused("PriorityInUse", elb.set_rule_priorities, RulePriorities=[{"RuleArn": first["RuleArn"], "Priority": 1}])


def test_a_load_balancer_takes_fifty_tags(balancer: Balancer) -> None:
    balancer.elb.add_tags(ResourceArns=[balancer.arn], Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(50)])
    balancer.elb.add_tags(ResourceArns=[balancer.arn], Tags=[{"Key": "k0", "Value": "w"}])
    refused("TooManyTags", balancer.elb.add_tags, ResourceArns=[balancer.arn], Tags=[{"Key": "another", "Value": "v"}])


def test_listeners(aws: EmbeddedAWS, balancer: Balancer) -> None:
    elb = balancer.elb
    one, two, three = (_imported_certificate(aws, f"{name}.example") for name in ("one", "two", "three"))
    secure = {"LoadBalancerArn": balancer.arn, "Protocol": "HTTPS", "Port": 443, "DefaultActions": [balancer.forward]}
    refused("CertificateNotFound", elb.create_listener, **secure)
    (listener,) = elb.create_listener(**secure, Certificates=[{"CertificateArn": one}], SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06")["Listeners"]
    arn = listener["ListenerArn"]
    has(listener, SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06", Certificates=[{"CertificateArn": one}])
    refused("DuplicateListener", elb.create_listener, **secure)
    elb.add_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": two}])
    certificate = [{"CertificateArn": three}]
    elb.modify_listener(ListenerArn=arn, Certificates=certificate, SslPolicy="ELBSecurityPolicy-2016-08")
    (listener,) = elb.describe_listeners(ListenerArns=[arn])["Listeners"]
    has(listener, SslPolicy="ELBSecurityPolicy-2016-08", Certificates=[{"CertificateArn": three}])
    certificates = elb.describe_listener_certificates(ListenerArn=arn)["Certificates"]
    assert {each["CertificateArn"]: each["IsDefault"] for each in certificates} == {three: True, two: False}
    attributes = _pairs(elb.describe_listener_attributes(ListenerArn=arn)["Attributes"])
    assert attributes["routing.http.response.server.enabled"] == "true"
    (plain,) = elb.describe_listeners(ListenerArns=[balancer.listener])["Listeners"]
    has(plain, SslPolicy=None, Certificates=None)


# --- RDS -------------------------------------------------------------------------------------------------------------


def _cluster(aws: EmbeddedAWS, network: Network, **arguments: Any) -> dict[str, Any]:
    rds = aws.client("rds")
    if not rds.describe_db_subnet_groups()["DBSubnetGroups"]:
        rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="g", SubnetIds=network.subnets)
    return rds.create_db_cluster(
        **{"DBClusterIdentifier": "d", "Engine": "aurora-mysql", "MasterUsername": "m", "MasterUserPassword": "password", "DBSubnetGroupName": "g", **arguments}
    )["DBCluster"]


def _describe_cluster(aws: EmbeddedAWS) -> dict[str, Any]:
    return aws.client("rds").describe_db_clusters(DBClusterIdentifier="d")["DBClusters"][0]


def _member(aws: EmbeddedAWS, name: str = "i", **arguments: Any) -> dict[str, Any]:
    return aws.client("rds").create_db_instance(
        DBInstanceIdentifier=name, DBClusterIdentifier="d", Engine="aurora-mysql", DBInstanceClass="db.serverless", **arguments
    )["DBInstance"]


def test_subnet_groups(aws: EmbeddedAWS, network: Network) -> None:
    rds, group = aws.client("rds"), {"DBSubnetGroupName": "g", "DBSubnetGroupDescription": "g"}
    refused("DBSubnetGroupDoesNotCoverEnoughAZs", rds.create_db_subnet_group, **group, SubnetIds=network.subnets[:1])
    _cluster(aws, network)
    refused("DBSubnetGroupAlreadyExists", rds.create_db_subnet_group, **group, SubnetIds=network.subnets)
    rds.modify_db_subnet_group(DBSubnetGroupName="g", SubnetIds=network.subnets[:2])
    (described,) = rds.describe_db_subnet_groups(DBSubnetGroupName="g")["DBSubnetGroups"]
    assert {each["SubnetIdentifier"] for each in described["Subnets"]} == set(network.subnets[:2])
    refused("InvalidDBSubnetGroupStateFault", rds.delete_db_subnet_group, DBSubnetGroupName="g")


def test_cluster_parameter_groups(aws: EmbeddedAWS, network: Network) -> None:
    rds, name = aws.client("rds"), {"DBClusterParameterGroupName": "p"}
    created = rds.create_db_cluster_parameter_group(**name, DBParameterGroupFamily="aurora-mysql8.0", Description="p", Tags=[{"Key": "a", "Value": "1"}])[
        "DBClusterParameterGroup"
    ]
    arn = created["DBClusterParameterGroupArn"]
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "a", "Value": "1"}]

    def parameters(**source):
        return {
            each["ParameterName"]: (each.get("ParameterValue"), each["Source"]) for each in rds.describe_db_cluster_parameters(**name, **source)["Parameters"]
        }

    assert parameters(Source="user") == {}
    assert parameters()["require_secure_transport"][0] == "OFF"
    rds.modify_db_cluster_parameter_group(
        **name, Parameters=[{"ParameterName": "require_secure_transport", "ParameterValue": "ON", "ApplyMethod": "immediate"}]
    )
    assert parameters(Source="user") == {"require_secure_transport": ("ON", "user")}
    has(_cluster(aws, network, **name), DBClusterParameterGroup="p")
    refused("InvalidDBParameterGroupState", rds.delete_db_cluster_parameter_group, **name)
    rds.reset_db_cluster_parameter_group(**name, ResetAllParameters=True)
    assert parameters(Source="user") == {}


def test_cluster_echo(aws: EmbeddedAWS, network: Network) -> None:
    given = {
        "DeletionProtection": True,
        "CopyTagsToSnapshot": True,
        "BackupRetentionPeriod": 14,
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
        "StorageEncrypted": True,
        "EngineVersion": "8.0.mysql_aurora.3.12.0",
        "Port": 3307,
        "DatabaseName": "mlflow",
    }
    created = _cluster(
        aws,
        network,
        **given,
        EnableCloudwatchLogsExports=["audit"],
        EnableIAMDatabaseAuthentication=True,
        ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 4},
        StorageType="aurora-iopt1",
        VpcSecurityGroupIds=[network.group],
        Tags=[{"Key": "a", "Value": "1"}],
    )
    has(created, Status="creating")
    cluster = _describe_cluster(aws)
    has(cluster, **given, Status="available", EnabledCloudwatchLogsExports=["audit"], StorageType="aurora-iopt1")
    has(
        cluster,
        IAMDatabaseAuthenticationEnabled=True,
        HttpEndpointEnabled=False,
        DBSubnetGroup="g",
        TagList=[{"Key": "a", "Value": "1"}],
        DBClusterParameterGroup="default.aurora-mysql8.0",
        VpcSecurityGroups=[{"VpcSecurityGroupId": network.group, "Status": "active"}],
    )
    assert cluster["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0, "MaxCapacity": 4, "SecondsUntilAutoPause": 300}
    assert "ScalingConfigurationInfo" not in cluster
    assert cluster["KmsKeyId"].startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
    assert cluster["DbClusterResourceId"].startswith("cluster-")
    assert ".cluster-ro-" in cluster["ReaderEndpoint"]
    refused("InvalidParameterCombination", aws.client("rds").delete_db_cluster, DBClusterIdentifier="d", SkipFinalSnapshot=True)
    refused("DBClusterAlreadyExistsFault", _cluster, aws=aws, network=network)


def test_cluster_defaults_and_refusals(aws: EmbeddedAWS, network: Network) -> None:
    for code, arguments in (
        ("InvalidParameterCombination", {"EngineVersion": "8.0.mysql_aurora.3.99.0"}),
        ("DBSubnetGroupNotFoundFault", {"DBSubnetGroupName": "none"}),
        ("DBClusterParameterGroupNotFound", {"DBClusterParameterGroupName": "none"}),
        ("KMSKeyNotAccessibleFault", {"StorageEncrypted": True, "KmsKeyId": "none"}),
    ):
        refused(code, _cluster, aws=aws, network=network, **arguments)
    _cluster(aws, network)
    has(
        _describe_cluster(aws),
        EngineLifecycleSupport="open-source-rds-extended-support",
        StorageType=None,
        KmsKeyId=None,
        ServerlessV2ScalingConfiguration=None,
        Port=3306,
    )
    refused("InvalidParameterCombination", _member, aws=aws)


def test_cluster_modification(aws: EmbeddedAWS, network: Network) -> None:
    rds = aws.client("rds")
    _cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 4})
    _member(aws)
    assert "SecondsUntilAutoPause" not in _describe_cluster(aws)["ServerlessV2ScalingConfiguration"]
    rds.modify_db_cluster(
        DBClusterIdentifier="d",
        ApplyImmediately=True,
        BackupRetentionPeriod=7,
        EnableIAMDatabaseAuthentication=True,
        CloudwatchLogsExportConfiguration={"EnableLogTypes": ["audit", "error"]},
        ServerlessV2ScalingConfiguration={"MinCapacity": 0, "SecondsUntilAutoPause": 600},
        DeletionProtection=True,
        MasterUserPassword="another-password",
    )
    rds.modify_db_cluster(DBClusterIdentifier="d", CloudwatchLogsExportConfiguration={"DisableLogTypes": ["audit"]})
    arn = _describe_cluster(aws)["DBClusterArn"]
    assert rds.enable_http_endpoint(ResourceArn=arn)["HttpEndpointEnabled"] is True
    has(
        _describe_cluster(aws),
        BackupRetentionPeriod=7,
        IAMDatabaseAuthenticationEnabled=True,
        Status="available",
        HttpEndpointEnabled=True,
        EnabledCloudwatchLogsExports=["error"],
        DeletionProtection=True,
        ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 4, "SecondsUntilAutoPause": 600},
    )
    assert rds.disable_http_endpoint(ResourceArn=arn)["HttpEndpointEnabled"] is False
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    assert {group["logGroupName"] for group in groups} == {"/aws/rds/cluster/d/audit", "/aws/rds/cluster/d/error"}
    refused("DBClusterNotFoundFault", rds.modify_db_cluster, DBClusterIdentifier="none")


def test_members(aws: EmbeddedAWS, network: Network) -> None:
    rds = aws.client("rds")
    _cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 4})
    has(_member(aws, EnablePerformanceInsights=True), DBInstanceStatus="creating", PerformanceInsightsEnabled=True)
    _member(aws, "j")
    (described,) = rds.describe_db_instances(DBInstanceIdentifier="i")["DBInstances"]
    has(described, DBInstanceStatus="available", DBInstanceClass="db.serverless")
    assert described["DBSubnetGroup"]["DBSubnetGroupName"] == "g"
    members = _describe_cluster(aws)["DBClusterMembers"]
    assert [(each["DBInstanceIdentifier"], each["IsClusterWriter"]) for each in members] == [("i", True), ("j", False)]
    refused("InvalidDBClusterStateFault", rds.delete_db_cluster, DBClusterIdentifier="d", SkipFinalSnapshot=True)
    rds.delete_db_instance(DBInstanceIdentifier="i")
    (member,) = _describe_cluster(aws)["DBClusterMembers"]
    has(member, DBInstanceIdentifier="j", IsClusterWriter=True)
    rds.modify_db_instance(DBInstanceIdentifier="j", EnablePerformanceInsights=True, ApplyImmediately=True)
    (described,) = rds.describe_db_instances()["DBInstances"]
    has(described, PerformanceInsightsEnabled=True)


def test_cluster_deletion(aws: EmbeddedAWS, network: Network) -> None:
    rds, cluster = aws.client("rds"), {"DBClusterIdentifier": "d"}
    tags = [{"Key": "a", "Value": "1"}]
    _cluster(aws, network, CopyTagsToSnapshot=True, Tags=tags)
    refused("InvalidParameterCombination", rds.delete_db_cluster, **cluster)
    assert rds.delete_db_cluster(**cluster, FinalDBSnapshotIdentifier="final")["DBCluster"]["Status"] == "deleting"
    refused("DBClusterNotFoundFault", rds.describe_db_clusters, **cluster)
    (snapshot,) = rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    has(snapshot, DBClusterSnapshotIdentifier="final", Status="available", SnapshotType="manual", TagList=tags)
    _cluster(aws, network)
    refused("DBClusterSnapshotAlreadyExistsFault", rds.delete_db_cluster, **cluster, FinalDBSnapshotIdentifier="final")
    assert _describe_cluster(aws)["Status"] == "available"


def test_creation_and_deletion_take_time(aws: EmbeddedAWS, network: Network) -> None:
    rds = aws.client("rds")
    aws.creation_seconds(rds=0.7)
    _cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 4})
    refused("InvalidDBClusterStateFault", rds.modify_db_cluster, DBClusterIdentifier="d", BackupRetentionPeriod=2)
    time.sleep(0.7)
    assert _describe_cluster(aws)["Status"] == "available"
    _member(aws)
    assert rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "creating"
    rds.delete_db_instance(DBInstanceIdentifier="i")
    rds.delete_db_cluster(DBClusterIdentifier="d", SkipFinalSnapshot=True)
    assert rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "deleting"
    assert _describe_cluster(aws)["Status"] == "deleting"
    time.sleep(0.7)
    assert rds.describe_db_instances()["DBInstances"] == rds.describe_db_clusters()["DBClusters"] == []


def test_snapshots_and_what_is_restored_from_them(aws: EmbeddedAWS, network: Network) -> None:
    rds, name = aws.client("rds"), {"DBClusterSnapshotIdentifier": "S"}
    _cluster(
        aws,
        network,
        CopyTagsToSnapshot=True,
        Tags=[{"Key": "a", "Value": "1"}],
        DatabaseName="data",
        EngineVersion="8.0.mysql_aurora.3.10.3",
        StorageEncrypted=True,
        BackupRetentionPeriod=9,
        DeletionProtection=True,
    )
    aws.creation_seconds(rds=0.7)
    time.sleep(0.7)
    has(rds.create_db_cluster_snapshot(DBClusterIdentifier="d", **name)["DBClusterSnapshot"], Status="creating")
    refused("DBClusterSnapshotAlreadyExistsFault", rds.create_db_cluster_snapshot, DBClusterIdentifier="d", **name)
    restore = {"DBClusterIdentifier": "r", "SnapshotIdentifier": "s", "Engine": "aurora-mysql"}
    refused("InvalidDBClusterSnapshotStateFault", rds.restore_db_cluster_from_snapshot, **restore)
    time.sleep(0.7)
    (snapshot,) = rds.describe_db_cluster_snapshots(**name)["DBClusterSnapshots"]
    rds.add_tags_to_resource(ResourceName=_describe_cluster(aws)["DBClusterArn"], Tags=[{"Key": "b", "Value": "2"}])
    source = _describe_cluster(aws)
    has(snapshot, Status="available", DbClusterResourceId=source["DbClusterResourceId"], TagList=[{"Key": "a", "Value": "1"}])
    refused("DBClusterSnapshotNotFoundFault", rds.restore_db_cluster_from_snapshot, **{**restore, "SnapshotIdentifier": "t"})
    refused("DBClusterAlreadyExistsFault", rds.restore_db_cluster_from_snapshot, **{**restore, "DBClusterIdentifier": "d"})
    refused("InvalidParameterCombination", rds.restore_db_cluster_from_snapshot, **{**restore, "Engine": "aurora-postgresql"})
    scaling = {"MinCapacity": 1.0, "MaxCapacity": 4.0}
    answer = rds.restore_db_cluster_from_snapshot(
        **restore, DBSubnetGroupName="g", EngineVersion="8.0.mysql_aurora.3.10.3", ServerlessV2ScalingConfiguration=scaling
    )
    has(answer["DBCluster"], Status="creating", DBClusterMembers=[], DBSubnetGroup="g", DatabaseName="data", MasterUsername="m")
    member = {"DBInstanceIdentifier": "i", "DBInstanceClass": "db.serverless", "Engine": "aurora-mysql", "DBClusterIdentifier": "r"}
    refused("InvalidDBClusterStateFault", rds.create_db_instance, **member)
    time.sleep(0.7)
    rds.create_db_instance(**member)
    (restored,) = rds.describe_db_clusters(DBClusterIdentifier="r")["DBClusters"]
    has(
        restored,
        Status="available",
        KmsKeyId=source["KmsKeyId"],
        BackupRetentionPeriod=9,
        DeletionProtection=False,
        TagList=[],
        EnabledCloudwatchLogsExports=[],
        DBClusterParameterGroup="default.aurora-mysql8.0",
    )
    assert restored["DbClusterResourceId"] != source["DbClusterResourceId"]


def test_a_cluster_goes_back_to_a_time_that_its_backups_cover(aws: EmbeddedAWS, network: Network) -> None:
    rds = aws.client("rds")
    source = _cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 4})
    restore = {"DBClusterIdentifier": "r", "SourceDBClusterIdentifier": "d", "DBSubnetGroupName": "g"}
    back = rds.restore_db_cluster_to_point_in_time
    refused("InvalidParameterCombination", back, **restore)
    refused("InvalidParameterValue", back, **restore, RestoreToTime=source["EarliestRestorableTime"] - timedelta(hours=1))
    refused("InvalidParameterValue", back, **restore, RestoreToTime=source["EarliestRestorableTime"] + timedelta(hours=1))
    refused("DBClusterNotFoundFault", back, **{**restore, "SourceDBClusterIdentifier": "none"}, UseLatestRestorableTime=True)
    restored = back(**restore, UseLatestRestorableTime=True)["DBCluster"]
    has(restored, Status="creating", ServerlessV2ScalingConfiguration={"MinCapacity": 1.0, "MaxCapacity": 4.0})
    time.sleep(0.01)
    back(**{**restore, "DBClusterIdentifier": "t"}, RestoreToTime=datetime.now(timezone.utc))


def test_a_renamed_cluster_takes_its_members_along(aws: EmbeddedAWS, network: Network) -> None:
    rds = aws.client("rds")
    before = _cluster(aws, network, ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 4})
    _member(aws)
    _cluster(aws, network, DBClusterIdentifier="other")
    rename = {"DBClusterIdentifier": "d", "ApplyImmediately": True}
    refused("DBClusterAlreadyExistsFault", rds.modify_db_cluster, **rename, NewDBClusterIdentifier="other")
    aws.creation_seconds(rds=0.7)
    time.sleep(0.7)
    rds.modify_db_cluster(**rename, NewDBClusterIdentifier="E")
    assert _describe_cluster(aws)["Status"] == "renaming"
    refused("DBClusterNotFoundFault", rds.describe_db_clusters, DBClusterIdentifier="e")
    refused("InvalidDBClusterStateFault", rds.modify_db_cluster, **rename, BackupRetentionPeriod=2)
    time.sleep(0.7)
    refused("DBClusterNotFoundFault", rds.describe_db_clusters, DBClusterIdentifier="d")
    (renamed,) = rds.describe_db_clusters(DBClusterIdentifier="e")["DBClusters"]
    has(renamed, Status="available", DbClusterResourceId=before["DbClusterResourceId"], TagList=[])
    assert renamed["DBClusterArn"].endswith(":cluster:e")
    for endpoint in ("Endpoint", "ReaderEndpoint"):
        assert renamed[endpoint] == f"e{before[endpoint][1:]}"
    assert [member["DBInstanceIdentifier"] for member in renamed["DBClusterMembers"]] == ["i"]
    assert rds.describe_db_instances()["DBInstances"][0]["DBClusterIdentifier"] == "e"


@pytest.mark.parametrize(
    ("engine", "version", "family"),
    [
        ("aurora-mysql", "8.0.mysql_aurora.3.10.0", "aurora-mysql8.0"),
        ("aurora-mysql", "8.0.mysql_aurora.3.12.0", "aurora-mysql8.0"),
        ("aurora-postgresql", "16.8", "aurora-postgresql16"),
        ("aurora-postgresql", "17.7", "aurora-postgresql17"),
    ],
)
def test_engine_versions(aws: EmbeddedAWS, engine: str, version: str, family: str) -> None:
    rds = aws.client("rds")
    (offered,) = rds.describe_db_engine_versions(Engine=engine, EngineVersion=version)["DBEngineVersions"]
    has(offered, DBParameterGroupFamily=family, Status="available")
    assert rds.describe_db_engine_versions(Engine=engine, EngineVersion="0.1")["DBEngineVersions"] == []
    assert len(rds.describe_db_engine_versions(Engine=engine, DefaultOnly=True)["DBEngineVersions"]) == 1
    options = rds.describe_orderable_db_instance_options(Engine=engine, EngineVersion=version, DBInstanceClass="db.serverless")["OrderableDBInstanceOptions"]
    assert {option["DBInstanceClass"] for option in options} == {"db.serverless"}


# --- ACM and Route 53 ------------------------------------------------------------------------------------------------


def _imported_certificate(aws: EmbeddedAWS, name: str) -> str:
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


def _change(aws: EmbeddedAWS, zone: str, *changes: tuple[str, dict[str, Any]]) -> None:
    aws.client("route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record_set} for action, record_set in changes]}
    )


def _zone(aws: EmbeddedAWS) -> str:
    return aws.client("route53").create_hosted_zone(Name="emu.test", CallerReference="1")["HostedZone"]["Id"]


def test_certificate_is_issued_by_its_record(aws: EmbeddedAWS) -> None:
    acm, zone = aws.client("acm"), _zone(aws)
    arn = acm.request_certificate(
        DomainName="a.emu.test", SubjectAlternativeNames=["*.a.emu.test", "b.emu.test"], ValidationMethod="DNS", Tags=[{"Key": "a", "Value": "1"}]
    )["CertificateArn"]

    def describe():
        return acm.describe_certificate(CertificateArn=arn)["Certificate"]

    certificate = describe()
    has(certificate, Status="PENDING_VALIDATION", DomainName="a.emu.test", Type="AMAZON_ISSUED")
    assert certificate["SubjectAlternativeNames"] == ["a.emu.test", "*.a.emu.test", "b.emu.test"]
    options = {each["DomainName"]: each["ResourceRecord"] for each in certificate["DomainValidationOptions"]}
    assert options["a.emu.test"] == options["*.a.emu.test"] != options["b.emu.test"]
    for status, domain in (("PENDING_VALIDATION", "a.emu.test"), ("ISSUED", "b.emu.test")):
        record = options[domain]
        _change(aws, zone, ("CREATE", {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}))
        has(describe(), Status=status)
    assert acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]


def test_a_record_that_the_internet_does_not_see_issues_no_certificate(aws: EmbeddedAWS, network: Network) -> None:
    acm = aws.client("acm")
    zone = aws.client("route53").create_hosted_zone(
        Name="emu.test", CallerReference="1", HostedZoneConfig={"PrivateZone": True}, VPC={"VPCRegion": REGION, "VPCId": network.vpc}
    )["HostedZone"]["Id"]
    arn = acm.request_certificate(DomainName="a.emu.test", ValidationMethod="DNS")["CertificateArn"]
    record = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"][0]["ResourceRecord"]
    _change(aws, zone, ("CREATE", {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}))
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "PENDING_VALIDATION"


def test_a_certificate_that_is_not_validated_fails_after_72_hours(aws: EmbeddedAWS) -> None:
    """The parent of its zone does not delegate to it."""
    aws.creation_seconds(delegation=3600)
    acm, zone = aws.client("acm"), _zone(aws)
    arn = acm.request_certificate(DomainName="a.emu.test", ValidationMethod="DNS", KeyAlgorithm="EC_prime256v1")["CertificateArn"]
    record = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"][0]["ResourceRecord"]
    _change(aws, zone, ("CREATE", {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}))
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "PENDING_VALIDATION"
    aws.creation_seconds(validation=0)
    certificate = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    has(certificate, Status="VALIDATION_TIMED_OUT", InUseBy=[], KeyAlgorithm="EC_prime256v1")
    has(certificate["DomainValidationOptions"][0], ValidationStatus="FAILED", ResourceRecord=record)
    assert acm.list_certificates()["CertificateSummaryList"] == []
    (summary,) = acm.list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"]
    has(summary, CertificateArn=arn, SubjectAlternativeNameSummaries=["a.emu.test"])


def test_a_hosted_zone_is_made_once_for_a_reference(aws: EmbeddedAWS) -> None:
    route53 = aws.client("route53")
    first = _zone(aws)
    refused("HostedZoneAlreadyExists", route53.create_hosted_zone, Name="emu.test", CallerReference="1")
    route53.create_hosted_zone(Name="emu.test", CallerReference="2")
    route53.delete_hosted_zone(Id=first)
    refused("HostedZoneAlreadyExists", route53.create_hosted_zone, Name="other.test", CallerReference="1")


def test_imported_certificate_has_no_chain(aws: EmbeddedAWS, balancer: Balancer) -> None:
    acm, arn = aws.client("acm"), _imported_certificate(aws, "a.example")
    assert not acm.get_certificate(CertificateArn=arn).get("CertificateChain")
    balancer.elb.create_listener(
        LoadBalancerArn=balancer.arn, Protocol="HTTPS", Port=443, Certificates=[{"CertificateArn": arn}], DefaultActions=[balancer.forward]
    )
    refused("ResourceInUseException", acm.delete_certificate, CertificateArn=arn)
    made = aws.client("apigatewayv2").create_domain_name(
        DomainName="a.example", DomainNameConfigurations=[{"CertificateArn": arn, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}]
    )
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"] == [balancer.arn, made["DomainNameArn"]]


def test_record_sets(aws: EmbeddedAWS) -> None:
    zone = _zone(aws)
    target = {"HostedZoneId": "Z1", "DNSName": "Internal-B-1.elb.amazonaws.com", "EvaluateTargetHealth": True}
    alias = {"Name": "A.emu.test", "Type": "A", "AliasTarget": target}
    plain = {"Name": "c.emu.test", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    _change(aws, zone, ("CREATE", alias), ("UPSERT", plain))
    record_sets = {each["Name"]: each for each in aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]}
    assert record_sets["a.emu.test."]["AliasTarget"] == {**target, "DNSName": "internal-b-1.elb.amazonaws.com."}
    other = {**plain, "ResourceRecords": [{"Value": "192.0.2.2"}]}
    cname = {"Name": "c.emu.test", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "x.example"}]}
    missing = {**plain, "Name": "d.emu.test"}
    for refusal in (("CREATE", other), ("DELETE", other), ("DELETE", missing), ("CREATE", cname)):
        with pytest.raises(ClientError, match="InvalidChangeBatch"):
            _change(aws, zone, ("UPSERT", {**plain, "Name": "new.emu.test"}), refusal)
    _change(aws, zone, ("DELETE", alias), ("DELETE", plain))
    assert len(aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]) == 2


# --- Lambda ----------------------------------------------------------------------------------------------------------

HANDLER = """
import os, time

def handler(event, context):
    print("hello from", context.function_name)
    if event == "fail":
        raise ValueError("no good")
    if event == "sleep":
        time.sleep(30)
    if event == "aws":
        import boto3
        return boto3.client("sts").get_caller_identity()["Account"]
    return {"event": event, "variable": os.environ["VARIABLE"]}
"""


def _zip(source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", source)
    return content.getvalue()


def _function(aws: EmbeddedAWS, **arguments: Any) -> dict[str, Any]:
    role = aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    return aws.client("lambda").create_function(
        **{
            "FunctionName": "f",
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Role": role,
            "Code": {"ZipFile": _zip(HANDLER)},
            "Environment": {"Variables": {"VARIABLE": "value"}},
            "Timeout": 2,
            **arguments,
        }
    )


def test_lambda_runs_handlers(aws: EmbeddedAWS) -> None:
    functions = aws.client("lambda")
    has(_function(aws), State="Active", Timeout=2)
    assert aws.client("logs").describe_log_groups()["logGroups"] == []

    def invoke(event: Any) -> tuple[str | None, Any]:
        answer = functions.invoke(FunctionName="f", Payload=json.dumps(event).encode())
        return answer.get("FunctionError"), json.load(answer["Payload"])

    assert invoke({"a": 1}) == (None, {"event": {"a": 1}, "variable": "value"})
    error, payload = invoke("fail")
    assert error == "Unhandled"
    has(payload, errorMessage="no good", errorType="ValueError")
    assert payload["stackTrace"]
    error, payload = invoke("sleep")
    assert error == "Unhandled"
    assert "timed out after 2.00 seconds" in payload["errorMessage"]
    events = aws.client("logs").filter_log_events(logGroupName="/aws/lambda/f")["events"]
    messages = [event["message"] for event in events]
    assert "hello from f" in messages
    assert any(message.startswith("START RequestId: ") for message in messages)


def test_lambda_reaches_this_aws(aws: EmbeddedAWS) -> None:
    _function(aws, Timeout=30)
    answer = aws.client("lambda").invoke(FunctionName="f", Payload=b'"aws"')
    assert json.load(answer["Payload"]) == ACCOUNT


def test_lambda_updates_and_permissions(aws: EmbeddedAWS) -> None:
    functions = aws.client("lambda")
    created = _function(aws, Tags={"a": "1"}, Architectures=["arm64"])
    has(created, LoggingConfig={"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}, Architectures=["arm64"])
    code = functions.update_function_code(FunctionName="f", ZipFile=_zip(HANDLER + "#"), Architectures=["x86_64"])
    assert code["CodeSha256"] != created["CodeSha256"]
    has(code, Architectures=["x86_64"])
    changed = functions.update_function_configuration(FunctionName="f", MemorySize=256, LoggingConfig={"LogFormat": "JSON"}, EphemeralStorage={"Size": 1024})
    has(changed, MemorySize=256, Timeout=2, EphemeralStorage={"Size": 1024}, LoggingConfig={"LogFormat": "JSON", "LogGroup": "/aws/lambda/f"})
    environment = {"Variables": {"A": "x" * 4096}}
    refused("InvalidParameterValueException", functions.update_function_configuration, FunctionName="f", Environment=environment)
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com", "SourceArn": "arn:aws:execute-api:x"}
    refused("ResourceNotFoundException", functions.get_policy, FunctionName="f")
    functions.add_permission(FunctionName="f", **permission)
    refused("ResourceConflictException", functions.add_permission, FunctionName="f", **permission)
    (statement,) = json.loads(functions.get_policy(FunctionName="f")["Policy"])["Statement"]
    has(statement, Sid="s", Principal={"Service": "apigateway.amazonaws.com"})
    functions.remove_permission(FunctionName="f", StatementId="s")
    refused("ResourceNotFoundException", functions.get_policy, FunctionName="f")


# --- the others ------------------------------------------------------------------------------------------------------


def test_security_groups(aws: EmbeddedAWS, network: Network) -> None:
    ec2 = aws.client("ec2")
    other = ec2.create_security_group(GroupName="two", Description="two", VpcId=network.vpc)["GroupId"]
    pair = {"GroupId": network.group, "Description": "from one"}
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [pair]}
    cidr = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    made = ec2.authorize_security_group_ingress(
        GroupId=other, IpPermissions=[permission, cidr], TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "a", "Value": "1"}]}]
    )["SecurityGroupRules"]
    assert len(made) == 2
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [other]}])["SecurityGroupRules"]
    (egress,) = [rule for rule in rules if rule["IsEgress"]]
    has(egress, IpProtocol="-1", CidrIpv4="0.0.0.0/0")
    (from_group,) = [rule for rule in rules if rule.get("ReferencedGroupInfo")]
    has(from_group, Description="from one", Tags=[{"Key": "a", "Value": "1"}], FromPort=80)
    again = {**permission, "UserIdGroupPairs": [{**pair, "Description": "again"}]}
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=other, IpPermissions=[again])
    refused("DependencyViolation", ec2.delete_security_group, GroupId=network.group)
    ec2.revoke_security_group_ingress(GroupId=other, SecurityGroupRuleIds=[from_group["SecurityGroupRuleId"]])
    ec2.delete_security_group(GroupId=network.group)


def test_security_group_of_a_load_balancer_is_in_use(aws: EmbeddedAWS, network: Network, balancer: Balancer) -> None:
    refused("DependencyViolation", aws.client("ec2").delete_security_group, GroupId=network.group)
    refused("DependencyViolation", aws.client("ec2").delete_subnet, SubnetId=network.subnets[0])
    balancer.elb.delete_load_balancer(LoadBalancerArn=balancer.arn)
    aws.client("ec2").delete_security_group(GroupId=network.group)


def test_tags_of_a_nat_gateway_and_of_its_address_are_found_by_resource_type(aws: EmbeddedAWS, network: Network) -> None:
    ec2 = aws.client("ec2")

    def tagged(kind: str, value: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [{"Key": "team", "Value": value}]}]

    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", "x"))["AllocationId"]
    tags = tagged("natgateway", "y")
    ec2.create_nat_gateway(SubnetId=network.subnets[0], AllocationId=address, TagSpecifications=tags)
    for kind, value in (("elastic-ip", "x"), ("natgateway", "y")):
        found = ec2.describe_tags(Filters=[{"Name": "resource-type", "Values": [kind]}])["Tags"]
        assert [(tag["Key"], tag["Value"]) for tag in found] == [("team", value)]


def test_network_is_removed_from_the_inside_out(aws: EmbeddedAWS, network: Network) -> None:
    ec2, subnet = aws.client("ec2"), network.subnets[0]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    attachment = {"InternetGatewayId": gateway, "VpcId": network.vpc}
    ec2.attach_internet_gateway(**attachment)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=network.vpc, VpcEndpointType="Interface", ServiceName=f"com.amazonaws.{REGION}.logs", SubnetIds=[subnet], SecurityGroupIds=[network.group]
    )["VpcEndpoint"]["VpcEndpointId"]
    refused("DependencyViolation", ec2.detach_internet_gateway, **attachment)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnet)
    aws.creation_seconds(vpce=3600)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["State"] == "deleting"
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnet)
    refused("DependencyViolation", ec2.delete_security_group, GroupId=network.group)
    aws.creation_seconds(vpce=0)
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    for each in network.subnets:
        ec2.delete_subnet(SubnetId=each)
    ec2.delete_security_group(GroupId=network.group)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=network.vpc)
    ec2.detach_internet_gateway(**attachment)
    ec2.release_address(AllocationId=address)
    ec2.delete_vpc(VpcId=network.vpc)


def test_new_buckets(aws: EmbeddedAWS) -> None:
    s3, tags = aws.client("s3"), [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    s3.create_bucket(Bucket="bbb", CreateBucketConfiguration={"LocationConstraint": REGION, "Tags": tags})
    assert s3.get_bucket_tagging(Bucket="bbb")["TagSet"] == tags
    with pytest.raises(ClientError, match="UnsupportedArgument"):
        aws.client("s3", "us-gov-west-1").create_bucket(Bucket="ccc", CreateBucketConfiguration={"LocationConstraint": "us-gov-west-1", "Tags": tags})

    def encryption() -> list[dict[str, Any]]:
        return s3.get_bucket_encryption(Bucket="bbb")["ServerSideEncryptionConfiguration"]["Rules"]

    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    assert encryption() == [default]
    assert set(s3.get_public_access_block(Bucket="bbb")["PublicAccessBlockConfiguration"].values()) == {True}
    (ownership,) = s3.get_bucket_ownership_controls(Bucket="bbb")["OwnershipControls"]["Rules"]
    assert ownership == {"ObjectOwnership": "BucketOwnerEnforced"}
    s3.put_bucket_encryption(
        Bucket="bbb",
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}]},
    )
    assert encryption() != [default]
    s3.delete_bucket_encryption(Bucket="bbb")
    assert encryption() == [default]
    s3.put_object(Bucket="bbb", Key="k", Body=b"x")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket="bbb")


def test_a_bucket_says_where_it_is(aws: EmbeddedAWS) -> None:
    """botocore follows a 301 to the bucket's region."""
    aws.client("s3", "eu-west-2").create_bucket(Bucket="bbb", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    mark = aws.mark()
    assert aws.client("s3").head_bucket(Bucket="bbb")["BucketRegion"] == "eu-west-2"
    assert [call["status"] for call in aws.calls(mark)] == [301, 200]
    with pytest.raises(ClientError) as error:
        aws.client("s3", "eu-west-2").head_bucket(Bucket="bbb", ExpectedBucketOwner="210987654321")
    answer = error.value.response["ResponseMetadata"]
    assert (answer["HTTPStatusCode"], answer["HTTPHeaders"]["x-amz-bucket-region"]) == (403, "eu-west-2")


def test_keys_that_aws_manages_say_so(aws: EmbeddedAWS) -> None:
    kms = aws.client("kms")
    managers = [kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] for key in ("alias/aws/ssm", kms.create_key()["KeyMetadata"]["KeyId"])]
    assert managers == ["AWS", "CUSTOMER"]


def test_a_task_starts_only_with_secrets_that_its_execution_role_may_read(aws: EmbeddedAWS, network: Network) -> None:
    ecs, iam, secrets = aws.client("ecs"), aws.client("iam"), aws.client("secretsmanager")
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    secret = secrets.create_secret(Name="s", SecretString='{"k": "v"}', KmsKeyId=key)["ARN"]
    aws.client("ssm").put_parameter(Name="/p/q", Value="v", Type="SecureString", KeyId=key)
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/p/q"
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}))["Role"]["Arn"]
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(
        family="f",
        executionRoleArn=role,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "c", "image": "i", "secrets": [{"name": "S", "valueFrom": f"{secret}:k::"}, {"name": "P", "valueFrom": parameter}]}],
    )

    where = {"awsvpcConfiguration": {"subnets": network.subnets[:1], "securityGroups": [network.group]}}

    def stopped() -> str:
        task = ecs.run_task(cluster="c", taskDefinition="f", launchType="FARGATE", networkConfiguration=where)["tasks"][0]["taskArn"]
        return [ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0].get("stoppedReason", "") for _poll in range(3)][-1]

    def allow(*statements: tuple[str, str, str]) -> None:
        document = [
            {"Effect": "Allow", "Action": action, "Resource": resource}
            | ({"Condition": {"StringEquals": {"kms:ViaService": f"{via}.{REGION}.amazonaws.com"}}} if via else {})
            for action, resource, via in statements
        ]
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": document}))

    read = [("secretsmanager:GetSecretValue", secret, ""), ("ssm:GetParameters", parameter, "")]
    assert "secretsmanager:GetSecretValue" in stopped()
    allow(*read, ("kms:Decrypt", key, "secretsmanager"))
    assert stopped().startswith("ResourceInitializationError") and f"kms:Decrypt on resource: {key}" in stopped()
    allow(*read, *(("kms:Decrypt", key, via) for via in ("secretsmanager", "ssm")))
    assert stopped() == "Essential container in task exited"


def test_kms_keys_by_arn(aws: EmbeddedAWS) -> None:
    kms = aws.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=arn)
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"


def test_secrets(aws: EmbeddedAWS) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="s", SecretString="one")
    refused("ResourceExistsException", secrets.create_secret, Name="s", SecretString="one")
    for value in ("two", "three"):
        secrets.put_secret_value(SecretId="s", SecretString=value)
    assert secrets.get_secret_value(SecretId="s", VersionStage="AWSPREVIOUS")["SecretString"] == "two"
    staged = secrets.list_secret_version_ids(SecretId="s")["Versions"]
    assert sorted(version["VersionStages"] for version in staged) == [["AWSCURRENT"], ["AWSPREVIOUS"]]
    secrets.delete_secret(SecretId="s", RecoveryWindowInDays=7)
    refused("InvalidRequestException", secrets.create_secret, Name="s", SecretString="four")
    refused("InvalidRequestException", secrets.get_secret_value, SecretId="s")
    secrets.restore_secret(SecretId="s")
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "three"


def test_parameters(aws: EmbeddedAWS) -> None:
    """As AWS documents them; moto has no gap here."""
    ssm = aws.client("ssm")
    tag = {"Key": "team", "Value": "x"}
    made = ssm.put_parameter(Name="/a/b/1", Value="one", Type="String", Tier="Standard", Tags=[tag])
    assert (made["Version"], made["Tier"]) == (1, "Standard")
    refused("ParameterAlreadyExists", ssm.put_parameter, Name="/a/b/1", Value="two", Type="String", Tags=[tag])
    refused("ValidationException", ssm.put_parameter, Name="/a/b/1", Value="two", Overwrite=True, Tags=[tag])
    assert ssm.put_parameter(Name="/a/b/1", Value="two", Overwrite=True)["Version"] == 2
    assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/a/b/1")["TagList"] == [tag]
    for name in ("/a/b/c/1", "/a/bb/1"):
        ssm.put_parameter(Name=name, Value="other", Type="String")
    answer = ssm.get_parameters_by_path(Path="/a/b")
    (parameter,) = answer["Parameters"]
    has(parameter, Name="/a/b/1", Value="two", Version=2, Type="String")
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    assert abs(now - parameter["LastModifiedDate"]) < timedelta(minutes=1)
    gone = ssm.delete_parameters(Names=["/a/b/1", "/a/b/2"])
    assert (gone["DeletedParameters"], gone["InvalidParameters"]) == (["/a/b/1"], ["/a/b/2"])
    assert ssm.get_parameters_by_path(Path="/a/b")["Parameters"] == []


def test_log_groups(aws: EmbeddedAWS) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/a", tags={"a": "1"})
    refused("InvalidParameterException", logs.put_retention_policy, logGroupName="/a", retentionInDays=13)
    logs.put_retention_policy(logGroupName="/a", retentionInDays=14)
    (group,) = logs.describe_log_groups()["logGroups"]
    has(group, retentionInDays=14)
    logs.tag_resource(resourceArn=group["logGroupArn"], tags={"b": "2"})
    logs.untag_resource(resourceArn=group["logGroupArn"], tagKeys=["a"])
    assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {"b": "2"}


def test_managed_policies_exist(aws: EmbeddedAWS) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    aws.reset()
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 0


def _tokens(aws: EmbeddedAWS, pool: str, **settings: Any) -> dict[str, Any]:
    cognito = aws.client("cognito-idp")
    client = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="c", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"], **settings
    )["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool, Username="u", MessageAction="SUPPRESS", UserAttributes=[{"Name": "email", "Value": "u@emu.test"}])
    cognito.admin_set_user_password(UserPoolId=pool, Username="u", Password="Passw0rd!", Permanent=True)
    return cognito.initiate_auth(ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": "u", "PASSWORD": "Passw0rd!"})[
        "AuthenticationResult"
    ]


def _jwks(aws: EmbeddedAWS, pool: str) -> dict[str, Any]:
    return _get(f"{aws.endpoint}/{pool}/.well-known/jwks.json")


def test_tags_of_user_pools_can_be_changed(aws: EmbeddedAWS) -> None:
    cognito = aws.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="one", UserPoolTags={"a": "1", "b": "2"})["UserPool"]
    cognito.tag_resource(ResourceArn=pool["Arn"], Tags={"b": "3", "c": "4"})
    cognito.untag_resource(ResourceArn=pool["Arn"], TagKeys=["a"])
    assert cognito.list_tags_for_resource(ResourceArn=pool["Arn"])["Tags"] == {"b": "3", "c": "4"}
    assert cognito.describe_user_pool(UserPoolId=pool["Id"])["UserPool"]["UserPoolTags"] == {"b": "3", "c": "4"}


def test_a_log_group_that_is_gone_has_no_tags(aws: EmbeddedAWS) -> None:
    logs = aws.client("logs")
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:one"
    for _time in range(2):
        with pytest.raises(logs.exceptions.ResourceNotFoundException):
            logs.list_tags_for_resource(resourceArn=arn)
        logs.create_log_group(logGroupName="one", tags={"a": "1"})
        assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "1"}
        logs.delete_log_group(logGroupName="one")


def test_user_pools_have_their_own_keys(aws: EmbeddedAWS) -> None:
    from joserfc import jwk, jwt
    from joserfc.errors import JoseError

    cognito = aws.client("cognito-idp")
    one, two = (cognito.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("one", "two"))
    token = _tokens(aws, one)["IdToken"]
    claims = jwt.decode(token, jwk.KeySet.import_key_set(_jwks(aws, one))).claims
    has(claims, email="u@emu.test", token_use="id", iss=f"https://cognito-idp.{REGION}.amazonaws.com/{one}")
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(token, jwk.KeySet.import_key_set(_jwks(aws, two)))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _jwks(aws, f"{REGION}_none")


def test_tokens_are_valid_for_as_long_as_their_client_says(aws: EmbeddedAWS) -> None:
    from joserfc import jwk, jwt

    pool = aws.client("cognito-idp").create_user_pool(PoolName="p")["UserPool"]["Id"]
    tokens = _tokens(aws, pool, AccessTokenValidity=10, IdTokenValidity=2, TokenValidityUnits={"AccessToken": "minutes"})
    keys = jwk.KeySet.import_key_set(_jwks(aws, pool))
    claims = [jwt.decode(tokens[name], keys).claims for name in ("AccessToken", "IdToken")]
    assert [each["exp"] - each["iat"] for each in claims] == [600, 7200]
    assert tokens["ExpiresIn"] == 600


def test_user_pool_domains_and_clients(aws: EmbeddedAWS) -> None:
    cognito = aws.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="p")["UserPool"]["Id"]
    client = cognito.create_user_pool_client(UserPoolId=pool, ClientName="c", GenerateSecret=True)["UserPoolClient"]
    described = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client["ClientId"])["UserPoolClient"]
    assert described["ClientSecret"] == client["ClientSecret"]
    assert cognito.describe_user_pool_domain(Domain="d")["DomainDescription"] == {}
    cognito.create_user_pool_domain(Domain="d", UserPoolId=pool)
    has(cognito.describe_user_pool_domain(Domain="d")["DomainDescription"], AWSAccountId=ACCOUNT, Status="ACTIVE")
    refused("InvalidParameterException", cognito.create_user_pool_domain, Domain="d", UserPoolId=pool)
    refused("InvalidParameterException", cognito.delete_user_pool, UserPoolId=pool)
    cognito.delete_user_pool_domain(Domain="d", UserPoolId=pool)
    cognito.delete_user_pool(UserPoolId=pool)


def test_what_was_just_made_is_not_known_everywhere_at_once(aws: EmbeddedAWS) -> None:
    logs = aws.client("logs")
    aws.consistency(0.5)
    logs.create_log_group(logGroupName="/ecs/x")
    refused("ResourceNotFoundException", logs.put_retention_policy, logGroupName="/ecs/x", retentionInDays=30)
    assert logs.describe_log_groups()["logGroups"][0]["logGroupName"] == "/ecs/x"
    time.sleep(0.6)
    logs.put_retention_policy(logGroupName="/ecs/x", retentionInDays=30)


def test_the_first_to_name_what_was_just_made_do_not_know_it_each(aws: EmbeddedAWS) -> None:
    logs = aws.client("logs")
    aws.consistency(times=1)
    for name in ("/ecs/x", "/ecs/x-y"):
        logs.create_log_group(logGroupName=name)
    for name in ("/ecs/x", "/ecs/x-y"):
        refused("ResourceNotFoundException", logs.put_retention_policy, logGroupName=name, retentionInDays=30)
        logs.put_retention_policy(logGroupName=name, retentionInDays=30)
    refused("InvalidParameterException", aws.client("ecs").create_cluster)
    aws.client("ecs").create_cluster()
    assert aws.not_known() == [
        ("", "ecs", "CreateCluster", "InvalidParameterException"),
        ("CreateLogGroup", "logs", "PutRetentionPolicy", "ResourceNotFoundException"),
    ]


@pytest.mark.parametrize(
    ("service", "operation", "code"), [(r.service, operation, r.code) for late in TABLE for r in late.refused_by for operation in r.operations.split()]
)
def test_what_is_not_known_yet_is_refused_with_codes_that_the_service_has(service: str, operation: str, code: str) -> None:
    """EC2 lists none, S3 few; RDS has InvalidParameterValue for all its operations."""
    errors = get_service_model(service).operation_model(operation).error_shapes
    codes = [error.metadata.get("error", {}).get("code", error.name) for error in errors]
    assert code in codes or service in ("ec2", "s3") or (service, code) == ("rds", "InvalidParameterValue")

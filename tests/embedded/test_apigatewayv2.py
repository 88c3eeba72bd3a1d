# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API Gateway v2 of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3
from embedded.helpers import Network, has, refused
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS


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
    for without in ("NONE", "AWS_IAM"):
        apigw.update_route(ApiId=api, RouteId=route, AuthorizationType="JWT", AuthorizerId=authorizer["AuthorizerId"])
        has(apigw.update_route(ApiId=api, RouteId=route, AuthorizationType=without), AuthorizationType=without, AuthorizerId=None)
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


def test_ip_address_types(aws: EmbeddedAWS) -> None:
    gateway = aws.client("apigatewayv2")
    api = gateway.create_api(Name="a", ProtocolType="HTTP")
    has(api, IpAddressType="ipv4")
    has(gateway.update_api(ApiId=api["ApiId"], IpAddressType="dualstack"), IpAddressType="dualstack")
    has(gateway.update_api(ApiId=api["ApiId"], Description="b"), IpAddressType="dualstack", Description="b")
    refused("BadRequestException", gateway.create_api, Name="a", ProtocolType="HTTP", IpAddressType="ipv6")
    configuration = {"CertificateArn": "arn:c", "IpAddressType": "dualstack"}
    has(gateway.create_domain_name(DomainName="a.example.com", DomainNameConfigurations=[configuration])["DomainNameConfigurations"][0], **configuration)
    other = {**configuration, "IpAddressType": "ipv6"}
    refused("BadRequestException", gateway.update_domain_name, DomainName="a.example.com", DomainNameConfigurations=[other])

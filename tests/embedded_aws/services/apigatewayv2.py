# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API Gateway v2 (HTTP APIs): updates, tags, domain name targets, VPC link states, references."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from moto.apigatewayv2 import exceptions, models, responses, urls
from moto.ec2.models import ec2_backends

from embedded_aws.gaps import gap
from embedded_aws.services.logs import PolicyTooLong, allow_delivery
from embedded_aws.services.servicequotas import limit
from embedded_aws.timing import Elapsed

REGIONAL_HOSTED_ZONES = {
    "us-east-1": "Z1UJRXOUMOOFQ8",
    "us-east-2": "ZOJJZC49E0EPZ",
    "us-west-1": "Z2MUQ32089INYE",
    "us-west-2": "Z2OJLYMUO9EFXC",
    "eu-west-1": "ZLY8HYME6SFDD",
    "eu-west-2": "ZJ5UAJN8Y3Z2Q",
    "eu-west-3": "Z3KY65QIEKYHQQ",
    "eu-central-1": "Z1U9ULNL0V5AJ3",
    "eu-north-1": "Z3UWIKFBOOGXPP",
}
VPC_LINK_ZONES = {
    "ap-east-1": "ape1-az2 ape1-az3",
    "ap-northeast-1": "apne1-az1 apne1-az2 apne1-az4",
    "ap-northeast-2": "apne2-az1 apne2-az2 apne2-az3",
    "ca-central-1": "cac1-az1 cac1-az2",
    "eu-west-3": "euw3-az1 euw3-az3",
    "us-east-1": "use1-az1 use1-az2 use1-az4 use1-az5 use1-az6",
    "us-west-1": "usw1-az1 usw1-az3",
}
"""The regions where API Gateway makes VPC links in some of the zones only (its Developer Guide, VPC links V2)."""


class Conflict(exceptions.APIGatewayV2Error):
    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


def _answer(resource: Any) -> tuple[int, dict[str, str], str]:
    return 200, {}, json.dumps(resource.to_json())


@gap(responses.ApiGatewayV2Response, "get_authorizers")
def get_authorizers(_original: Any, self: Any) -> Any:
    """GetAuthorizers lists the authorizers of an API."""
    api = self.apigatewayv2_backend.get_api(self.path.split("/")[-2])
    return 200, {}, json.dumps({"items": [authorizer.to_json() for authorizer in api.authorizers.values()]})


@gap(models.Authorizer, "__init__")
def authorizer_defaults(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """A Lambda authorizer's results are cached for 300 seconds, and its simple responses are off, unless it says."""
    original(self, *args, **kwargs)
    if self.authorizer_type == "REQUEST":
        self.auth_result_ttl = 300 if self.auth_result_ttl is None else self.auth_result_ttl
        self.enable_simple_response = bool(self.enable_simple_response)


@gap(models.Integration, "__init__")
def integration_defaults(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """An integration's connection type defaults to INTERNET and its payload format version to 1.0."""
    original(self, *args, **kwargs)
    self.connection_type = self.connection_type or "INTERNET"
    self.payload_format_version = self.payload_format_version or "1.0"


def _merged(existing: dict[str, Any] | None, given: dict[str, Any]) -> dict[str, Any]:
    """What API Gateway makes of a map that an update gives it."""
    return {name: value for name, value in {**(existing or {}), **given}.items() if value}


@gap(models.Integration, "update")
def integration_parameters(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """UpdateIntegration merges request and response parameters into those that exist; one with an empty value is removed."""
    names = ("request_parameters", "response_parameters")
    existing = {name: getattr(self, name) for name in names}
    original(self, *args, **kwargs)
    for name in names:
        if kwargs.get(name) is not None:
            setattr(self, name, _merged(existing[name], kwargs[name]))


@gap(models.Api, "to_json")
def api_address_type(original: Any, self: Any) -> dict[str, Any]:
    """An API has a type of IP addresses, ipv4 unless it says."""
    return {**original(self), "ipAddressType": getattr(self, "ip_address_type", "ipv4")}


@gap(responses.ApiGatewayV2Response, "create_api")
def create_api_address_type(original: Any, self: Any) -> Any:
    """CreateApi takes a type of IP addresses."""
    return _with_address_type(original, self)


@gap(responses.ApiGatewayV2Response, "update_api")
def update_api_address_type(original: Any, self: Any) -> Any:
    """UpdateApi changes the type of IP addresses."""
    return _with_address_type(original, self)


def _with_address_type(original: Any, response: Any) -> Any:
    given = json.loads(response.body).get("ipAddressType")
    _check_address_type(given)
    status, headers, body = original(response)
    api = response.apigatewayv2_backend.get_api(json.loads(body)["apiId"])
    api.ip_address_type = given or getattr(api, "ip_address_type", "ipv4")
    return status, headers, json.dumps(api.to_json())


def _check_address_type(given: str | None) -> None:
    if given not in (None, "ipv4", "dualstack"):
        raise exceptions.BadRequestException(f"Invalid value '{given}' for ipAddressType: must be one of [ipv4, dualstack]")


@gap(models.Stage, "__init__")
def stage_route_settings(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """A stage's default route settings say DetailedMetricsEnabled false, and AutoDeploy is false, unless set."""
    original(self, *args, **kwargs)
    self.default_route_settings = {"detailedMetricsEnabled": False, **self.default_route_settings}
    self.auto_deploy = bool(self.auto_deploy)


@gap(models.Api, "create_stage")
def stage_name_is_unique(original: Any, self: Any, config: dict[str, Any]) -> Any:
    """CreateStage refuses a name that the API has."""
    if config["stageName"] in self.stages:
        raise Conflict("Stage already exists")
    return original(self, config)


@gap(models.Api, "create_stage")
def stage_may_log(original: Any, self: Any, config: dict[str, Any]) -> Any:
    """CreateStage and UpdateStage with an access log add its group to a policy of CloudWatch Logs, and are refused where that is full."""
    _allow_access_log(self.backend, config)
    return original(self, config)


def _allow_access_log(backend: Any, config: dict[str, Any]) -> None:
    arn = (config.get("accessLogSettings") or {}).get("destinationArn")
    try:
        if arn:
            allow_delivery(backend.account_id, backend.region_name, arn)
    except PolicyTooLong:
        raise exceptions.BadRequestException(
            "Cannot enable logging. Policy document length breaking Cloudwatch Logs Constraints, either < 1 or > 5120"
        ) from None


@gap(responses.ApiGatewayV2Response, "update_stage")
def update_stage(_original: Any, self: Any) -> Any:
    """UpdateStage changes what it is given and keeps the rest, also of variables, of which an empty one is removed."""
    _allow_access_log(self.apigatewayv2_backend, json.loads(self.body))
    stage = self.apigatewayv2_backend.get_stage(self.path.split("/")[-3], unquote(self.path.split("/")[-1]))
    attributes = {
        "accessLogSettings": "access_log_settings",
        "autoDeploy": "auto_deploy",
        "clientCertificateId": "client_certificate_id",
        "description": "description",
        "routeSettings": "route_settings",
    }
    given = json.loads(self.body)
    stage.stage_variables = _merged(stage.stage_variables, given.get("stageVariables", {}))
    for name in attributes.keys() & given.keys():
        setattr(stage, attributes[name], given[name])
    if "defaultRouteSettings" in given:
        stage.default_route_settings = {**stage.default_route_settings, **given["defaultRouteSettings"]}
    stage.updated = datetime.now()
    return _answer(stage)


@gap()
def settings_paths() -> None:
    """DeleteRouteSettings and DeleteAccessLogSettings take the settings of one route, and the access log, off a stage."""
    stage = "{0}/v2/apis/(?P<api_id>[^/]+)/stages/(?P<stage_name>[^/]+)"
    urls.url_paths[f"{stage}/routesettings/(?P<route_key>.+)$"] = responses.ApiGatewayV2Response.dispatch
    urls.url_paths[f"{stage}/accesslogsettings$"] = responses.ApiGatewayV2Response.dispatch
    responses.ApiGatewayV2Response.delete_route_settings = _delete_route_settings
    responses.ApiGatewayV2Response.delete_access_log_settings = _delete_access_log_settings


def _delete_route_settings(response: Any) -> Any:
    path, _slash, route_key = unquote(response.path).partition("/routesettings/")
    stage = response.apigatewayv2_backend.get_stage(path.split("/")[-3], path.split("/")[-1])
    if stage.route_settings.pop(route_key, None) is None:
        raise exceptions.APIGatewayV2Error("NotFoundException", f"Unable to find RouteSettings by key {route_key}")
    return 204, {}, ""


def _delete_access_log_settings(response: Any) -> Any:
    api_id, _stages, stage_name = unquote(response.path).split("/")[-4:-1]
    response.apigatewayv2_backend.get_stage(api_id, stage_name).access_log_settings = None
    return 204, {}, ""


@gap(models.DomainName, "to_json")
def domain_name_target(original: Any, self: Any) -> dict[str, Any]:
    """A domain name has a target host and hosted zone for its alias record, a status, a security policy and a routing mode."""
    document = original(self)
    region = self.domain_name_arn.split(":")[3]
    identifier = hashlib.sha256(self.domain_name.encode()).hexdigest()[:10]
    defaults = {
        "apiGatewayDomainName": f"d-{identifier}.execute-api.{region}.amazonaws.com",
        "domainNameStatus": "AVAILABLE",
        "endpointType": "REGIONAL",
        "hostedZoneId": REGIONAL_HOSTED_ZONES.get(region, "ZLY8HYME6SFDD"),
        "ipAddressType": "ipv4",
        "securityPolicy": "TLS_1_2",
    }
    document["domainNameConfigurations"] = [{**defaults, **configuration} for configuration in copy.deepcopy(document["domainNameConfigurations"])]
    document["routingMode"] = getattr(self, "routing_mode", "API_MAPPING_ONLY")
    # AWS leaves out what does not apply.
    if not document["mutualTlsAuthentication"]:
        del document["mutualTlsAuthentication"]
    return document


@gap(models.ApiGatewayV2Backend, "create_domain_name")
def create_domain_name(original: Any, self: Any, domain_name: str, domain_name_configurations: list[dict[str, Any]], **kwargs: Any) -> Any:
    """CreateDomainName and UpdateDomainName refuse a type of IP addresses that there is not."""
    for configuration in domain_name_configurations:
        _check_address_type(configuration.get("ipAddressType"))
    return original(self, domain_name=domain_name, domain_name_configurations=domain_name_configurations, **kwargs)


@gap(responses.ApiGatewayV2Response, "update_domain_name")
def update_domain_name(_original: Any, self: Any) -> Any:
    """UpdateDomainName changes the configurations (certificate, security policy), mutual TLS and the routing mode."""
    domain = self.apigatewayv2_backend.get_domain_name(domain_name=self.path.split("/")[-1])
    given = json.loads(self.body)
    if "domainNameConfigurations" in given:
        for configuration in given["domainNameConfigurations"]:
            _check_address_type(configuration.get("ipAddressType"))
        existing = domain.domain_name_configurations or [{}]
        domain.domain_name_configurations = [
            {**(existing[index] if index < len(existing) else {}), **configuration} for index, configuration in enumerate(given["domainNameConfigurations"])
        ]
    if "mutualTlsAuthentication" in given:
        domain.mutual_tls_authentication = given["mutualTlsAuthentication"]
    if "routingMode" in given:
        domain.routing_mode = given["routingMode"]
    return _answer(domain)


@gap(models.ApiGatewayV2Backend, "delete_domain_name")
def delete_domain_name(_original: Any, self: Any, domain_name: str) -> None:
    """DeleteDomainName takes the API mappings of the domain name with it."""
    self.get_domain_name(domain_name)
    self.api_mappings = {identifier: mapping for identifier, mapping in self.api_mappings.items() if mapping.domain_name != domain_name}
    del self.domain_names[domain_name]


@gap(models.ApiGatewayV2Backend, "create_api_mapping")
def api_mapping_needs_stage(original: Any, self: Any, api_id: str, api_mapping_key: str, domain_name: str, stage: str) -> Any:
    """CreateApiMapping refuses a stage that does not exist and a key that the domain name has mapped."""
    if api_id in self.apis and stage not in self.apis[api_id].stages:
        raise exceptions.BadRequestException("Invalid stage identifier specified")
    if any(mapping.api_mapping_key == api_mapping_key for mapping in self.get_api_mappings(domain_name)):
        raise Conflict("ApiMapping key already exists for this domain name")
    return original(self, api_id=api_id, api_mapping_key=api_mapping_key, domain_name=domain_name, stage=stage)


@gap(responses.ApiGatewayV2Response, "update_api_mapping")
def update_api_mapping(_original: Any, self: Any) -> Any:
    """UpdateApiMapping changes the API, the stage and the key of a mapping."""
    mapping = self.apigatewayv2_backend.get_api_mapping(api_mapping_id=self.path.split("/")[-1], domain_name=self.path.split("/")[-3])
    given = json.loads(self.body)
    mapping.api_mapping_key = given.get("apiMappingKey", mapping.api_mapping_key)
    mapping.api_id = given.get("apiId", mapping.api_id)
    mapping.stage = given.get("stage", mapping.stage)
    return _answer(mapping)


@gap(models.ApiGatewayV2Backend, "create_vpc_link")
def create_vpc_link(original: Any, self: Any, name: str, sg_ids: list[str], subnet_ids: list[str], tags: dict[str, str]) -> Any:
    """CreateVpcLink refuses a subnet in a zone without VPC links, more subnets than one takes, and a link beyond the quota."""
    for subnet in (each for zone in ec2_backends[self.account_id][self.region_name].subnets.values() for each in zone.values()):
        zones = VPC_LINK_ZONES.get(self.region_name, subnet.availability_zone_id)
        if subnet.id in subnet_ids and subnet.availability_zone_id not in zones.split():
            raise exceptions.BadRequestException(f"Subnet '{subnet.id}' is in Availability Zone '{subnet.availability_zone_id}' where service is not available")
    most = limit(self.account_id, self.region_name, "apigateway", "L-668C9B28")
    if len(subnet_ids) > most:
        raise exceptions.BadRequestException(f"Too many subnets for one Vpc Link. Limit is {most}.")
    most = limit(self.account_id, self.region_name, "apigateway", "L-608BDCD4")
    if len(self.get_vpc_links()) >= most:
        raise exceptions.BadRequestException(f"There are too many Vpc Links defined for this account. Limit is {most}.")
    return original(self, name=name, sg_ids=sg_ids, subnet_ids=subnet_ids, tags=tags)


@gap(models.VpcLink, "__init__")
def vpc_link_creation(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """A VPC link is PENDING before it is AVAILABLE."""
    original(self, *args, **kwargs)
    self.since_creation = Elapsed("vpclink")
    self.since_deletion = None


@gap(models.VpcLink, "to_json")
def vpc_link_status(original: Any, self: Any) -> dict[str, Any]:
    """A VPC link's status follows its life: PENDING, AVAILABLE, DELETING."""
    document = original(self)
    if self.since_deletion:
        document["vpcLinkStatus"] = "DELETING"
    elif not self.since_creation.over():
        document["vpcLinkStatus"] = "PENDING"
    return document


@gap(models.ApiGatewayV2Backend, "delete_vpc_link")
def delete_vpc_link(_original: Any, self: Any, vpc_link_id: str) -> None:
    """DeleteVpcLink refuses a link that an integration uses; the link is DELETING until it is gone."""
    link = self.get_vpc_link(vpc_link_id)
    for api in self.apis.values():
        if any(integration.connection_id == vpc_link_id for integration in api.integrations.values()):
            raise exceptions.BadRequestException(f"Cannot delete vpc link. Vpc link '{vpc_link_id}', is referenced in [{api.api_id}]")
    link.since_deletion = link.since_deletion or Elapsed("vpclink")


@gap(models.ApiGatewayV2Backend, "get_vpc_link")
def deleted_vpc_link(original: Any, self: Any, vpc_link_id: str) -> Any:
    """GetVpcLink does not find a link whose deletion is complete."""
    _forget_deleted_links(self)
    return original(self, vpc_link_id)


@gap(models.ApiGatewayV2Backend, "get_vpc_links")
def deleted_vpc_links(original: Any, self: Any) -> Any:
    """GetVpcLinks does not list a link whose deletion is complete."""
    _forget_deleted_links(self)
    return original(self)


def _forget_deleted_links(backend: Any) -> None:
    backend.vpc_links = {identifier: link for identifier, link in backend.vpc_links.items() if not (link.since_deletion and link.since_deletion.over())}


@gap(models.Api, "delete_integration")
def delete_integration(original: Any, self: Any, integration_id: str) -> None:
    """DeleteIntegration refuses an integration that a route targets, and does not find a missing one."""
    self.get_integration(integration_id)
    routes = [each.route_id for each in self.routes.values() if each.target == f"integrations/{integration_id}"]
    if routes:
        raise Conflict(f"Cannot delete Integration because it is referenced by the following Routes with Ids: {routes}")
    original(self, integration_id)


@gap(models.Api, "delete_authorizer")
def delete_authorizer(original: Any, self: Any, authorizer_id: str) -> None:
    """DeleteAuthorizer refuses an authorizer that a route uses, and does not find a missing one."""
    name = self.get_authorizer(authorizer_id).name
    for route in self.routes.values():
        if route.authorizer_id == authorizer_id:
            raise Conflict(f"Cannot delete authorizer '{name}', is referenced in route: {route.route_key}")
    original(self, authorizer_id)


@gap(models.Api, "create_route")
def route_key_is_unique(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """CreateRoute refuses a route key that the API has."""
    if any(route.route_key == kwargs.get("route_key") for route in self.routes.values()):
        raise Conflict(f"Route with key {kwargs['route_key']} already exists for this API")
    return original(self, *args, **kwargs)


@gap(models.Route, "update")
def update_route(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """UpdateRoute with authorization type NONE or AWS_IAM detaches the authorizer; an empty list of scopes removes them."""
    original(self, *args, **kwargs)
    if kwargs.get("authorization_scopes") == []:
        self.authorization_scopes = []
    if self.authorization_type in ("NONE", "AWS_IAM"):
        self.authorizer_id, self.authorization_scopes = None, []


@gap(models.Api, "delete_route")
def delete_route(original: Any, self: Any, route_id: str) -> None:
    """DeleteRoute does not find a missing route."""
    self.get_route(route_id)
    original(self, route_id)


@gap(models.Api, "delete_stage")
def delete_stage(original: Any, self: Any, stage_name: str) -> None:
    """DeleteStage refuses a stage that a domain name maps to, and does not find a missing one."""
    self.get_stage(stage_name)
    _refuse_if_mapped(self, "stage", stage_name)
    original(self, stage_name)


@gap(models.ApiGatewayV2Backend, "delete_api")
def delete_api(original: Any, self: Any, api_id: str) -> None:
    """DeleteApi refuses an API that a domain name maps to, and does not find a missing one."""
    _refuse_if_mapped(self.get_api(api_id), "API")
    original(self, api_id)


def _refuse_if_mapped(api: Any, what: str, stage_name: str | None = None) -> None:
    for mapping in api.backend.api_mappings.values():
        if mapping.api_id == api.api_id and stage_name in (None, mapping.stage):
            raise exceptions.BadRequestException(f"Deleting {what} failed. Please remove all API mappings for the {what} from your custom domain names.")


@gap()
def tag_paths() -> None:
    """Tags are reached by the ARN of any resource: APIs, stages, domain names, VPC links."""
    urls.url_paths["{0}/v2/tags/(?P<resource_arn>.+)$"] = responses.ApiGatewayV2Response.dispatch


def _tagged(backend: Any, arn: str) -> Any:
    """The stage or domain name of an ARN, whose tags moto keeps on the resource itself; None for others."""
    path = unquote(arn.partition("::/")[2])
    if stage := re.fullmatch(r"apis/([^/]+)/stages/(.+)", path):
        return backend.get_stage(stage[1], stage[2])
    if domain := re.fullmatch(r"domainnames/([^/]+)", path):
        return backend.get_domain_name(domain[1])
    if api := re.fullmatch(r"apis/([^/]+)", path):
        # A resource under creation tags itself before the backend knows it; only existing ones are looked up.
        backend.get_api(api[1])
    return None


@gap(responses.ApiGatewayV2Response, "get_tags")
def get_tags(_original: Any, self: Any) -> Any:
    """GetTags answers for stages and domain names as well."""
    arn = _arn_of(self)
    resource = _tagged(self.apigatewayv2_backend, arn)
    tags = resource.tags if resource else self.apigatewayv2_backend.get_tags(arn)
    return 200, {}, json.dumps({"tags": tags})


@gap(responses.ApiGatewayV2Response, "tag_resource")
def tag_resource(_original: Any, self: Any) -> Any:
    """TagResource adds tags to stages and domain names as well."""
    arn, tags = _arn_of(self), json.loads(self.body).get("tags", {})
    resource = _tagged(self.apigatewayv2_backend, arn)
    if resource:
        resource.tags = {**resource.tags, **tags}
    else:
        self.apigatewayv2_backend.tag_resource(arn, tags)
    return 201, {}, "{}"


@gap(responses.ApiGatewayV2Response, "untag_resource")
def untag_resource(_original: Any, self: Any) -> Any:
    """UntagResource removes tags from stages and domain names as well."""
    arn, keys = _arn_of(self), self.querystring.get("tagKeys") or []
    resource = _tagged(self.apigatewayv2_backend, arn)
    if resource:
        resource.tags = {key: value for key, value in resource.tags.items() if key not in keys}
    else:
        self.apigatewayv2_backend.untag_resource(arn, keys)
    return 204, {}, ""


def _arn_of(response: Any) -> str:
    return unquote(response.path.split("/tags/")[1])

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from modules.run_module import ModuleFailed, run_module

MODULE = "apigatewayv2_api"
NAME = "team-x"
DOMAIN = "mlflow.api.example.com"
FUNCTION = "team-x-authorizer"
FUNCTION_ARN = f"arn:aws:lambda:eu-west-1:123456789012:function:{FUNCTION}"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": NAME}
INTEGRATION = {"listener_arn": "arn:listener", "server_name": DOMAIN, "host": DOMAIN}
LAMBDA = {"name": "team-x-lambda", "type": "REQUEST", "function_name": FUNCTION, "uri": f"arn:aws:apigateway:{FUNCTION_ARN}"}
JWT = {"name": "team-x-jwt", "type": "JWT", "issuer": "https://issuer.example.com", "audience": ["b", "a"]}
IAM = {"type": "AWS_IAM"}
STAGE = {"throttling_rate_limit": 100, "throttling_burst_limit": 200}
ACCESS_LOG = {"log_group": "/aws/apigateway/team-x", "retention_in_days": 30, "format": {"requestId": "$context.requestId"}}
LINK = {"name": NAME, "subnet_ids": ["subnet-a"]}
ABSENT = {
    "name": NAME,
    "vpc_link": {"name": NAME},
    "domain": {"name": DOMAIN},
    "access_log": {"log_group": ACCESS_LOG["log_group"]},
    "tags": TAGS,
    "state": "absent",
}


@pytest.fixture
def gateway(aws):
    return aws.client("apigatewayv2")


@pytest.fixture
def params(aws, gateway):
    role = aws.client("iam").create_role(RoleName=FUNCTION, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    aws.client("lambda").create_function(FunctionName=FUNCTION, Role=role, Runtime="python3.13", Handler="a.b", Code={"ZipFile": b"PK\x05\x06" + b"\0" * 18})
    return {
        "name": NAME,
        "vpc_link": LINK,
        "integration": INTEGRATION,
        "authorizer": LAMBDA,
        "stage": STAGE,
        "access_log": ACCESS_LOG,
        "domain": {"name": DOMAIN, "certificate_arn": "arn:certificate"},
        "tags": TAGS,
    }


def run(aws, params):
    """The result of a run that its plan foretold to the letter, ids aside, while the plan itself changed nothing."""
    mark = aws.mark()
    plan = run_module(MODULE, params, aws, check=True)
    assert aws.mutating(mark) == []
    result = run_module(MODULE, params, aws)
    assert lines(result) == lines(plan)
    result["operations"] = [call["operation"] for call in aws.mutating(mark)]
    assert bool(result["operations"]) == result["changed"]
    return result


def lines(result):
    """What a run did, as action, kind and names of the fields."""
    return [(c["action"], c["kind"].removeprefix("apigatewayv2_"), c["name"], [f["name"] for f in c["fields"]]) for c in result["changes"]]


def actions(result):
    return [line[:2] for line in lines(result)]


def items(answer):
    return answer["Items"]


def test_life(aws, gateway, params):
    created = run(aws, params)
    around, parts = ("logs_log_group", "vpc_link", "domain_name", "api"), ("integration", "authorizer", "lambda_permission", "route", "stage", "api_mapping")
    assert actions(created) == [("create", kind) for kind in (*around, *parts)]
    (api,) = items(gateway.get_apis())
    assert api["DisableExecuteApiEndpoint"] is True and api["Tags"] == TAGS
    (domain,) = gateway.get_domain_name(DomainName=DOMAIN)["DomainNameConfigurations"]
    target = {"target_dns_name": domain["ApiGatewayDomainName"], "target_zone_id": domain["HostedZoneId"]}
    assert created["api"] == {"name": NAME, "id": api["ApiId"], "endpoint": api["ApiEndpoint"], **target}
    here = {"ApiId": api["ApiId"]}
    (integration,) = items(gateway.get_integrations(**here))
    assert integration["RequestParameters"] == {"overwrite:header.Host": DOMAIN}
    assert integration["TlsConfig"] == {"ServerNameToVerify": DOMAIN}
    (link,) = items(gateway.get_vpc_links())
    assert integration["ConnectionId"] == link["VpcLinkId"] and link["SubnetIds"] == ["subnet-a"]
    (authorizer,) = items(gateway.get_authorizers(**here))
    assert (authorizer["AuthorizerPayloadFormatVersion"], authorizer["EnableSimpleResponses"]) == ("2.0", True)
    (route,) = items(gateway.get_routes(**here))
    assert (route["RouteKey"], route["AuthorizationType"]) == ("$default", "CUSTOM")
    assert route["Target"] == f"integrations/{integration['IntegrationId']}"
    assert route["AuthorizerId"] == authorizer["AuthorizerId"]
    (stage,) = items(gateway.get_stages(**here))
    log_group = aws.client("logs").describe_log_groups()["logGroups"][0]
    assert stage["AccessLogSettings"]["DestinationArn"] == log_group["arn"].removesuffix(":*") and log_group["retentionInDays"] == 30
    assert stage["AccessLogSettings"]["Format"] == '{"requestId": "$context.requestId"}' and stage["Tags"] == TAGS
    (mapping,) = items(gateway.get_api_mappings(DomainName=DOMAIN))
    assert (mapping["ApiId"], mapping["Stage"]) == (api["ApiId"], "$default")
    (statement,) = json.loads(aws.client("lambda").get_policy(FunctionName=FUNCTION)["Policy"])["Statement"]
    source = f"arn:aws:execute-api:eu-west-1:123456789012:{api['ApiId']}/authorizers/{authorizer['AuthorizerId']}"
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": source}}

    mark = aws.mark()
    assert not run_module(MODULE, params, aws)["changed"]
    assert sorted(call["operation"] for call in aws.calls(mark)) == [
        "DescribeLogGroups",
        "GetApiMappings",
        "GetApis",
        "GetAuthorizers",
        "GetCallerIdentity",
        "GetDomainNames",
        "GetIntegrations",
        "GetPolicy",
        "GetRoutes",
        "GetStages",
        "GetVpcLinks",
        "ListTagsForResource",
    ]

    gone = run(aws, ABSENT)
    assert gone["operations"][:3] == ["DeleteApiMapping", "DeleteDomainName", "DeleteApi"]
    assert sorted(gone["operations"][3:]) == ["DeleteLogGroup", "DeleteVpcLink"]
    assert items(gateway.get_apis()) == items(gateway.get_domain_names()) == items(gateway.get_vpc_links()) == []
    assert not run(aws, ABSENT)["changed"]


def changed(params, path, value):
    """The parameters with one value, given by its dotted name, changed."""
    first, _dot, rest = path.partition(".")
    return {**params, first: changed(params[first], rest, value) if rest else value}


@pytest.mark.parametrize(
    ("path", "value", "kind", "fields", "operation"),
    [
        ("description", "MLflow", "api", ["description"], "UpdateApi"),
        ("disable_execute_api_endpoint", False, "api", ["disable_execute_api_endpoint"], "UpdateApi"),
        ("integration.listener_arn", "arn:other", "integration", ["listener_arn"], "UpdateIntegration"),
        ("integration.timeout_ms", 5000, "integration", ["timeout_ms"], "UpdateIntegration"),
        ("integration.server_name", "other.example.com", "integration", ["server_name"], "UpdateIntegration"),
        ("integration.host", "o.example.com", "integration", ["request_parameters.overwrite:header.Host"], "UpdateIntegration"),
        ("integration.headers", {"x-user": "$context.authorizer.user"}, "integration", ["request_parameters.overwrite:header.x-user"], "UpdateIntegration"),
        ("authorizer.ttl", 0, "authorizer", ["ttl"], "UpdateAuthorizer"),
        ("authorizer.uri", "arn:other", "authorizer", ["uri"], "UpdateAuthorizer"),
        ("authorizer.identity_source", "$request.header.X", "authorizer", ["identity_source"], "UpdateAuthorizer"),
        ("stage.throttling_rate_limit", 0.5, "stage", ["throttling_rate_limit"], "UpdateStage"),
        ("stage.throttling_burst_limit", 5, "stage", ["throttling_burst_limit"], "UpdateStage"),
        ("stage.detailed_metrics_enabled", True, "stage", ["detailed_metrics_enabled"], "UpdateStage"),
        ("access_log.retention_in_days", 90, "logs_log_group", ["retention_in_days"], "PutRetentionPolicy"),
        ("domain.certificate_arn", "arn:other", "domain_name", ["certificate_arn"], "UpdateDomainName"),
        ("access_log.format", {"ip": "$context.identity.sourceIp"}, "stage", ["access_log.format"], "UpdateStage"),
    ],
)
def test_one_change(aws, params, path, value, kind, fields, operation):
    run(aws, params)
    after = run(aws, changed(params, path, value))
    assert [(line[0], line[1], line[3]) for line in lines(after)] == [("update", kind, fields)]
    assert after["operations"] == [operation]
    assert not run(aws, changed(params, path, value))["changed"]


def test_tags_reach_the_api_and_its_stage(aws, params):
    run(aws, params)
    after = run(aws, {**params, "tags": {**TAGS, "team": "x"}})
    assert actions(after) == [("update", kind) for kind in ("logs_log_group", "vpc_link", "domain_name", "api", "stage")]
    assert after["operations"] == ["TagResource"] * 5


@pytest.mark.parametrize(("first", "then"), [(LAMBDA, JWT), (JWT, LAMBDA)])
def test_a_route_is_never_without_its_authorizer(aws, gateway, params, first, then):
    run(aws, {**params, "authorizer": first})
    after = run(aws, {**params, "authorizer": then})
    permission = ["AddPermission"] if then is LAMBDA else []
    assert after["operations"] == ["CreateAuthorizer", *permission, "UpdateRoute", "DeleteAuthorizer"]
    api_id = after["api"]["id"]
    assert [a["Name"] for a in items(gateway.get_authorizers(ApiId=api_id))] == [then["name"]]
    assert not run(aws, {**params, "authorizer": then})["changed"]


@pytest.mark.parametrize("other", [LAMBDA, JWT])
def test_signatures_in_place_of_an_authorizer_and_back(aws, gateway, params, other):
    """The header that names the caller is there before the route takes signatures."""
    caller = {"X-Caller-Arn": "$context.identity.userArn"}
    run(aws, {**params, "authorizer": other})
    signed = {**params, "authorizer": IAM, "integration": {**INTEGRATION, "headers": caller}}
    after = run(aws, signed)
    assert after["operations"] == ["UpdateIntegration", "UpdateRoute", "DeleteAuthorizer"]
    here = {"ApiId": after["api"]["id"]}
    (route,) = items(gateway.get_routes(**here))
    assert route["AuthorizationType"] == "AWS_IAM" and not route.get("AuthorizerId")
    assert items(gateway.get_integrations(**here))[0]["RequestParameters"] == {
        "overwrite:header.Host": DOMAIN,
        "overwrite:header.X-Caller-Arn": caller["X-Caller-Arn"],
    }
    assert items(gateway.get_authorizers(**here)) == []
    assert not run(aws, signed)["changed"]

    gateway.update_route(**here, RouteId=route["RouteId"], AuthorizationType="NONE")
    assert lines(run(aws, signed)) == [("update", "route", f"{NAME}/$default", ["authorization_type"])]
    back = run(aws, {**params, "authorizer": other})
    permission = ["RemovePermission", "AddPermission"] if other is LAMBDA else []  # that of before was the former authorizer's
    assert sorted(back["operations"]) == sorted(["UpdateIntegration", "CreateAuthorizer", *permission, "UpdateRoute"])
    assert items(gateway.get_integrations(**here))[0]["RequestParameters"] == {"overwrite:header.Host": DOMAIN}
    assert not run(aws, {**params, "authorizer": other})["changed"]


def test_an_api_of_signatures_from_the_start(aws, gateway, params):
    created = run(aws, {**params, "authorizer": IAM})
    assert "CreateAuthorizer" not in created["operations"] and "AddPermission" not in created["operations"]
    assert items(gateway.get_routes(ApiId=created["api"]["id"]))[0]["AuthorizationType"] == "AWS_IAM"
    assert not run(aws, {**params, "authorizer": IAM})["changed"]
    run(aws, ABSENT)
    assert items(gateway.get_apis()) == []


def test_jwt(aws, gateway, params):
    api_id = run(aws, {**params, "authorizer": JWT})["api"]["id"]
    (authorizer,) = items(gateway.get_authorizers(ApiId=api_id))
    assert authorizer["JwtConfiguration"] == {"Audience": ["a", "b"], "Issuer": JWT["issuer"]}
    assert items(gateway.get_routes(ApiId=api_id))[0]["AuthorizationType"] == "JWT"
    after = run(aws, {**params, "authorizer": {**JWT, "audience": ["a", "c"]}})
    assert [line[3] for line in lines(after)] == [["audience"]]


def test_what_was_changed_by_hand_is_put_back(aws, gateway, params):
    created = run(aws, params)
    here = {"ApiId": created["api"]["id"]}
    route = items(gateway.get_routes(**here))[0]
    authorizer = items(gateway.get_authorizers(**here))[0]
    integration = items(gateway.get_integrations(**here))[0]
    gateway.update_route(**here, RouteId=route["RouteId"], AuthorizationType="NONE", AuthorizerId="")
    gateway.update_authorizer(**here, AuthorizerId=authorizer["AuthorizerId"], EnableSimpleResponses=False)
    gateway.update_integration(**here, IntegrationId=integration["IntegrationId"], RequestParameters={"append:header.x": "y", "overwrite:header.Host": "z"})
    gateway.update_stage(**here, StageName="$default", DefaultRouteSettings={"ThrottlingRateLimit": 1})
    gateway.update_api(**here, DisableExecuteApiEndpoint=False)
    after = run(aws, params)
    kinds = ["api", "integration", "authorizer", "route", "stage"]
    assert actions(after) == [("update", kind) for kind in kinds]
    assert items(gateway.get_integrations(**here))[0]["RequestParameters"] == {"overwrite:header.Host": DOMAIN}
    assert not run(aws, params)["changed"]


def test_settings_that_are_not_ours_are_emptied(aws, gateway, params):
    params = {**params, "authorizer": JWT}
    here = {"ApiId": run(aws, params)["api"]["id"]}
    before = everything(gateway, here)
    route, authorizer, integration = before["routes"], before["authorizers"], before["integrations"]
    gateway.update_api(**here, Version="theirs")
    gateway.update_route(**here, RouteId=route["RouteId"], AuthorizationScopes=["theirs"], ApiKeyRequired=True, OperationName="theirs")
    gateway.update_authorizer(**here, AuthorizerId=authorizer["AuthorizerId"], AuthorizerCredentialsArn="arn:theirs")
    gateway.update_integration(
        **here,
        IntegrationId=integration["IntegrationId"],
        CredentialsArn="arn:theirs",
        Description="theirs",
        ResponseParameters={"200": {"overwrite:header.x": "y"}},
    )
    gateway.update_stage(
        **here, StageName="$default", StageVariables={"x": "y"}, Description="theirs", RouteSettings={"$default": {"ThrottlingRateLimit": 1.0}}
    )
    after = run(aws, params)
    assert {line[1]: line[3] for line in lines(after)} == {
        "api": ["version"],
        "integration": ["description", "credentials_arn", "response_parameters"],
        "authorizer": ["credentials_arn"],
        "route": ["authorization_scopes", "api_key_required", "operation_name"],
        "stage": ["route_settings", "description", "variables"],
    }
    assert everything(gateway, here) == before
    assert not run(aws, params)["changed"]


def everything(gateway, here):
    """The one thing of each kind that an API holds, without what is empty and when it was changed."""
    parts = {part: items(getattr(gateway, f"get_{part}")(**here))[0] for part in ("routes", "authorizers", "integrations", "stages")}
    return {part: {k: v for k, v in thing.items() if v and "Date" not in k} for part, thing in parts.items()}


def test_scopes_are_of_the_route_and_change_with_the_authorizer_in_one_call(aws, gateway, params):
    here = {"ApiId": run(aws, params)["api"]["id"]}
    scopes = ["mlflow/write", "mlflow/admin"]
    limited = {**params, "authorizer": {**JWT, "scopes": scopes}}
    after = run(aws, limited)
    assert after["operations"].count("UpdateRoute") == 1
    (route,) = items(gateway.get_routes(**here))
    assert (route["AuthorizationType"], sorted(route["AuthorizationScopes"])) == ("JWT", sorted(scopes))
    assert not run(aws, {**params, "authorizer": {**JWT, "scopes": scopes[::-1]}})["changed"]
    after = run(aws, {**params, "authorizer": {**JWT, "scopes": scopes[:1]}})
    assert ([line[3] for line in lines(after)], after["operations"]) == ([["authorization_scopes"]], ["UpdateRoute"])
    assert items(gateway.get_routes(**here))[0]["AuthorizationScopes"] == scopes[:1]
    run(aws, params)
    (route,) = items(gateway.get_routes(**here))
    assert route["AuthorizationType"] == "CUSTOM" and not route.get("AuthorizationScopes")
    assert not run(aws, params)["changed"]
    run(aws, ABSENT)
    run(aws, limited)
    assert sorted(items(gateway.get_routes(ApiId=items(gateway.get_apis())[0]["ApiId"]))[0]["AuthorizationScopes"]) == sorted(scopes)


def test_another_log_group_takes_over_and_the_plan_says_where_the_lines_so_far_are(aws, gateway, params):
    api_id = run(aws, params)["api"]["id"]
    moved = {**params, "access_log": {**ACCESS_LOG, "log_group": "/aws/vendedlogs/apigateway/team-x"}}
    after = run(aws, moved)
    assert after["operations"] == ["CreateLogGroup", "PutRetentionPolicy", "UpdateStage"]
    assert after["changes"][1]["warnings"] == ["the lines of the access log so far stay in the log group /aws/apigateway/team-x"]
    arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/vendedlogs/apigateway/team-x"
    assert items(gateway.get_stages(ApiId=api_id))[0]["AccessLogSettings"]["DestinationArn"] == arn
    assert not run(aws, moved)["changed"]
    run(aws, {**ABSENT, "access_log": {**moved["access_log"], "former_log_groups": [ACCESS_LOG["log_group"]]}})
    assert aws.client("logs").describe_log_groups()["logGroups"] == []


def test_an_access_log_that_is_not_asked_for_is_removed(aws, gateway, params):
    api_id = run(aws, params)["api"]["id"]
    after = run(aws, {**params, "access_log": None})
    assert [line[3] for line in lines(after)] == [["access_log.arn", "access_log.format"]]
    assert "AccessLogSettings" not in items(gateway.get_stages(ApiId=api_id))[0]


def test_what_was_added_by_hand_is_removed(aws, gateway, params):
    created = run(aws, params)
    here = {"ApiId": created["api"]["id"]}
    other = gateway.create_integration(**here, IntegrationType="HTTP_PROXY", IntegrationUri="https://example.com")["IntegrationId"]
    gateway.create_route(**here, RouteKey="GET /open", Target=f"integrations/{other}")
    gateway.create_authorizer(**here, AuthorizerType="JWT", Name="o", IdentitySource=["x"], JwtConfiguration={"Issuer": "y"})
    gateway.create_stage(**here, StageName="open")
    gateway.create_api_mapping(**here, DomainName=DOMAIN, Stage="open", ApiMappingKey="open")
    aws.client("lambda").add_permission(FunctionName=FUNCTION, StatementId="open", Action="lambda:InvokeFunction", Principal="*")
    after = run(aws, params)
    assert sorted(actions(after)) == sorted(("delete", kind) for kind in ("integration", "route", "authorizer", "stage", "api_mapping", "lambda_permission"))
    order = after["operations"]
    assert order.index("DeleteRoute") < order.index("DeleteIntegration")
    assert order.index("DeleteApiMapping") < order.index("DeleteStage")
    assert not run(aws, params)["changed"]


def test_what_was_removed_by_hand_is_made_again(aws, gateway, params):
    created = run(aws, params)
    here = {"ApiId": created["api"]["id"]}
    (mapping,) = items(gateway.get_api_mappings(DomainName=DOMAIN))
    gateway.delete_api_mapping(DomainName=DOMAIN, ApiMappingId=mapping["ApiMappingId"])
    gateway.delete_stage(**here, StageName="$default")
    gateway.delete_route(**here, RouteId=items(gateway.get_routes(**here))[0]["RouteId"])
    gateway.delete_authorizer(**here, AuthorizerId=items(gateway.get_authorizers(**here))[0]["AuthorizerId"])
    after = run(aws, params)
    assert actions(after) == [("create", "authorizer"), ("replace", "lambda_permission"), ("create", "route"), ("create", "stage"), ("create", "api_mapping")]
    assert not run(aws, params)["changed"]


def test_an_api_of_somebody_else_with_the_same_name_is_left_alone(aws, gateway, params):
    theirs = gateway.create_api(Name=NAME, ProtocolType="HTTP")["ApiId"]
    assert run(aws, params)["api"]["id"] != theirs
    run(aws, ABSENT)
    assert [api["ApiId"] for api in items(gateway.get_apis())] == [theirs]


def test_a_mapping_to_another_api_is_moved(aws, gateway, params):
    run(aws, params)
    other = gateway.create_api(Name="other", ProtocolType="HTTP")["ApiId"]
    (mapping,) = items(gateway.get_api_mappings(DomainName=DOMAIN))
    gateway.delete_api_mapping(DomainName=DOMAIN, ApiMappingId=mapping["ApiMappingId"])
    gateway.create_stage(ApiId=other, StageName="$default")
    gateway.create_api_mapping(ApiId=other, DomainName=DOMAIN, Stage="$default")
    after = run(aws, params)
    assert ("update", "api_mapping") in actions(after)
    assert items(gateway.get_api_mappings(DomainName=DOMAIN))[0]["ApiId"] == after["api"]["id"]


def test_a_change_that_is_refused_while_another_is_under_way_is_tried_again(aws, params, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    message = "Unable to complete operation due to concurrent modification. Please try again later."
    aws.faults({"service": "apigatewayv2", "operation": "CreateRoute", "times": 1, "error": {"code": "ConflictException", "message": message, "status": 409}})
    assert run_module(MODULE, params, aws)["changed"]


def test_plan_on_an_empty_account(aws, params):
    unknown = "(known after apply)"
    aws.reset()
    plan = run_module(MODULE, {**params, "authorizer": {**LAMBDA, "uri": unknown}}, aws, check=True)
    assert len(plan["changes"]) == 10 and plan["api"]["id"] == unknown


# The custom domain name

RENAMED = "new.api.example.com"


def with_domain(params, **domain):
    return {**params, "domain": {**params["domain"], **domain}}


def test_the_domain_name(aws, gateway, params):
    run(aws, params)
    there = gateway.get_domain_name(DomainName=DOMAIN)
    (regional,) = there["DomainNameConfigurations"]
    assert (regional["SecurityPolicy"], regional["EndpointType"], there["Tags"]) == ("TLS_1_2", "REGIONAL", TAGS)


@pytest.mark.parametrize(
    "by_hand",
    [
        {"DomainNameConfigurations": [{"CertificateArn": "arn:other", "SecurityPolicy": "TLS_1_0"}]},
        {"DomainNameConfigurations": [{"IpAddressType": "dualstack"}]},
        {"MutualTlsAuthentication": {"TruststoreUri": "s3://theirs/truststore.pem"}},
        {"RoutingMode": "ROUTING_RULE_ONLY"},
    ],
)
def test_a_domain_name_that_was_changed_by_hand_is_put_back(aws, gateway, params, by_hand):
    params = changed(params, "domain.ip_address_type", "ipv4")
    run(aws, params)
    gateway.update_domain_name(DomainName=DOMAIN, **by_hand)
    assert actions(run(aws, params)) == [("update", "domain_name")]
    assert not run(aws, params)["changed"]


def test_a_domain_name_of_somebody_else_is_left_alone(aws, gateway, params):
    tags = {"managed-by": "them", "mlflow-stack": "theirs"}
    gateway.create_domain_name(DomainName=DOMAIN, DomainNameConfigurations=[{"CertificateArn": "arn:1"}], Tags=tags)
    with pytest.raises(ModuleFailed, match=f"^apigatewayv2_domain_name {DOMAIN}: .*is not of this stack"):
        run_module(MODULE, params, aws)
    assert items(gateway.get_apis()) == []
    assert "is kept" in str(run_module(MODULE, ABSENT, aws)["warnings"])
    assert [each["Tags"] for each in items(gateway.get_domain_names())] == [tags]


def test_a_former_domain_name_goes_once_the_api_is_reached_by_another(aws, gateway, params):
    """The first of the names is the API's, the second is of another stack."""
    run(aws, params)
    theirs = {**TAGS, "mlflow-stack": "team-y"}
    gateway.create_domain_name(DomainName="theirs.example.com", DomainNameConfigurations=[{"CertificateArn": "arn:1"}], Tags=theirs)
    renamed = with_domain(params, name=RENAMED)
    after = run(aws, renamed)
    assert actions(after) == [("create", "domain_name"), ("create", "api_mapping"), ("delete", "domain_name"), ("delete", "api_mapping")]
    assert after["operations"] == ["CreateDomainName", "CreateApiMapping", "DeleteApiMapping", "DeleteDomainName"]
    assert {each["DomainName"] for each in items(gateway.get_domain_names())} == {RENAMED, "theirs.example.com"}
    assert not run(aws, renamed)["changed"]
    run(aws, ABSENT)  # by the former name
    assert [each["DomainName"] for each in items(gateway.get_domain_names())] == ["theirs.example.com"]


def test_an_odd_domain_name_of_somebody_else_is_nothing_to_us(aws, gateway, params):
    """One that says nothing of its configurations, as its model allows."""
    gateway.create_domain_name(DomainName="odd.example.com")
    run(aws, params)
    assert not run(aws, params)["changed"]
    assert run(aws, ABSENT)["changed"]


# The VPC link, and the function that is not used any more


def test_another_vpc_link_takes_over_and_the_former_one_goes_last(aws, gateway, params):
    run(aws, params)
    (former,) = items(gateway.get_vpc_links())
    moved = {**params, "vpc_link": {**LINK, "subnet_ids": ["subnet-b"]}}
    after = run(aws, moved)
    assert actions(after) == [("create", "vpc_link"), ("update", "integration"), ("delete", "vpc_link")]
    assert after["operations"] == ["CreateVpcLink", "UpdateIntegration", "DeleteVpcLink"]
    (link,) = items(gateway.get_vpc_links())
    assert link["VpcLinkId"] != former["VpcLinkId"] and link["SubnetIds"] == ["subnet-b"]
    assert not run(aws, moved)["changed"]


def test_the_function_of_a_former_authorizer_goes_last(aws, gateway, params):
    run(aws, params)
    aws.client("logs").create_log_group(logGroupName="/aws/lambda/x", tags=TAGS)
    aws.client("iam").tag_role(RoleName=FUNCTION, Tags=[{"Key": key, "Value": value} for key, value in TAGS.items()])
    arn = aws.client("lambda").get_function(FunctionName=FUNCTION)["Configuration"]["FunctionArn"]
    aws.client("lambda").tag_resource(Resource=arn, Tags=TAGS)
    superseded = {"name": FUNCTION, "role": FUNCTION, "log_group": "/aws/lambda/x"}
    after = run(aws, {**params, "authorizer": JWT, "superseded_function": superseded})
    assert [line[1] for line in lines(after) if line[0] == "delete"] == ["authorizer", "lambda_function", "lambda_permission", "iam_role", "logs_log_group"]
    order = after["operations"]
    assert order[:4] == ["CreateAuthorizer", "UpdateRoute", "DeleteAuthorizer", "DeleteFunction"] and sorted(order[4:]) == ["DeleteLogGroup", "DeleteRole"]
    assert not run(aws, {**params, "authorizer": JWT, "superseded_function": superseded})["changed"]


def test_ip_address_types_of_the_api_and_of_its_domain_name(aws, gateway, params):
    before = run(aws, params)

    def with_type(kind):
        return {**params, "ip_address_type": kind, "domain": {**params["domain"], "ip_address_type": kind}}

    assert lines(run(aws, with_type("dualstack"))) == [("update", "domain_name", DOMAIN, ["ip_address_type"]), ("update", "api", NAME, ["ip_address_type"])]
    assert gateway.get_api(ApiId=before["api"]["id"])["IpAddressType"] == "dualstack"
    assert gateway.get_domain_name(DomainName=DOMAIN)["DomainNameConfigurations"][0]["IpAddressType"] == "dualstack"
    assert not run(aws, with_type("dualstack"))["changed"]
    assert not run(aws, params)["changed"]  # not managed
    back = run(aws, with_type("ipv4"))
    assert back["operations"] == ["UpdateDomainName", "UpdateApi"]
    assert [change["warnings"] for change in back["changes"]] == [["programs that use this name over IPv6 are cut off"], []]

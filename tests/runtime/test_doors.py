# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets where: a table of requests, each followed through what was deployed to where it ends."""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qs, urlsplit

import pytest
from runtime.deployment import Deployment
from runtime.doors.doors import Doors
from runtime.doors.request import Answer, Forward, Request, Source
from runtime.inputs import TOKEN_RECORD

# Where requests come from. The office is in mlflow_load_balancer_ingress_cidr_blocks.
SOURCES = {
    "office": Source("192.0.2.10"),
    "internet": Source("203.0.113.5"),
    "neighbour": Source("10.0.10.77"),  # something else in the VPC
}


class Row(t.NamedTuple):
    """A request, and where it ends with each authorizer: MLflow, sign-in, HTTPS, a status, no route, the inside."""

    source: str
    url: str  # {ui}, {api}, {token}, {alb}, {execute_api}, {task}, {database} are names and addresses of the stack
    proof: str  # a key of proofs, or "signed in", "a forged session"
    ends: str
    ends_jwt: str = ""  # where that differs
    host: str = ""  # a Host header that differs from the URL's
    method: str = "GET"


RUNS = "/api/2.0/mlflow/runs/search"
ROWS = [
    # People, signed in: all that the UI needs.
    Row("office", "https://{ui}/", "signed in", "MLflow"),
    Row("office", "https://{ui}/static-files/static/js/main.js", "signed in", "MLflow"),
    Row("office", "https://{ui}/ajax-api/2.0/mlflow/experiments/search", "signed in", "MLflow", method="POST"),
    Row("office", "https://{ui}/ajax-api/3.0/mlflow/server-info", "signed in", "MLflow"),
    Row("office", "https://{ui}/graphql", "signed in", "MLflow", method="POST"),
    Row("office", "https://{ui}/get-artifact?path=a&run_uuid=b", "signed in", "MLflow"),
    Row("office", "https://{ui}/model-versions/get-artifact?path=a", "signed in", "MLflow"),
    Row("office", "https://{ui}/api/2.0/mlflow-artifacts/artifacts/0/x", "signed in", "MLflow"),
    Row("office", "https://{ui}/version", "signed in", "MLflow"),
    Row("office", "https://{ui}/", "signed in", "MLflow", host="MLFLOW.TEAM-X.EXAMPLE.COM"),
    # People, not signed in: no path is open, whatever they send.
    Row("office", "https://{ui}/", "none", "sign-in"),
    Row("office", "https://{ui}/health", "none", "sign-in"),
    Row("office", "https://{ui}" + RUNS, "none", "sign-in", method="POST"),
    Row("office", "https://{ui}/v1/traces", "none", "sign-in", method="POST"),
    Row("office", "https://{ui}/", "a forged session", "sign-in"),
    Row("office", "https://{ui}/", "access token", "sign-in"),
    Row("office", "https://{ui}/", "credentials", "sign-in"),
    Row("office", "https://{ui}/api/../", "none", "sign-in"),
    Row("office", "http://{ui}/", "none", "HTTPS"),
    Row("office", "http://{ui}" + RUNS, "access token", "HTTPS", method="POST"),
    Row("office", "http://{ui}/", "signed in", "HTTPS"),
    # The load balancer by other names than people's.
    Row("office", "https://{alb}/", "signed in", "403"),
    Row("office", "https://{alb}/", "none", "sign-in", host="{ui}"),
    Row("office", "https://{ui}/", "signed in", "403", host="{api}"),
    Row("office", "https://{ui}" + RUNS, "access token", "403", host="{api}", method="POST"),
    Row("office", "https://{ui}/", "none", "403", host="anything.example.net"),
    Row("office", "https://{ui}/", "signed in", "403", host="x.{ui}"),
    Row("office", "http://{alb}/health", "none", "HTTPS", host="{api}"),
    # People's door from where it is not open.
    Row("internet", "https://{ui}/", "signed in", "no route"),
    Row("internet", "http://{ui}/", "none", "no route"),
    Row("neighbour", "https://{ui}/", "signed in", "no route"),
    # Programs' listener, which does not ask who calls, by another way than API Gateway.
    Row("office", "https://{ui}:8443" + RUNS, "access token", "no route", host="{api}"),
    Row("internet", "https://{alb}:8443/health", "none", "no route", host="{api}"),
    Row("neighbour", "https://{alb}:8443" + RUNS, "none", "no route", host="{api}"),
    Row("neighbour", "https://{alb}:8443/v1/traces", "none", "no route", host="{api}", method="POST"),
    # The inside.
    Row("office", "http://{task}:5000/", "none", "no route"),
    Row("neighbour", "http://{task}:5000" + RUNS, "none", "no route"),
    Row("office", "https://{database}", "none", "no route"),
    Row("neighbour", "https://{database}", "none", "no route"),
    Row("the load balancer", "http://{task}:5000/health", "none", "the inside"),
    Row("the VPC link", "http://{task}:5000/health", "none", "no route"),
    Row("a task", "https://{database}", "none", "the inside"),
    Row("a task", "https://{alb}:8443/health", "none", "no route", host="{api}"),
    Row("the load balancer", "https://{database}", "none", "no route"),
    # Programs, with proof of who they are: all that programs need, from anywhere.
    Row("internet", "https://{api}" + RUNS, "access token", "MLflow", method="POST"),
    Row("internet", "https://{api}" + RUNS, "ID token", "MLflow", method="POST"),
    Row("internet", "https://{api}" + RUNS, "credentials", "MLflow", "401", method="POST"),
    Row("office", "https://{api}/api/3.0/mlflow/traces/search", "access token", "MLflow", method="POST"),
    Row("neighbour", "https://{api}/api/3.0/mlflow/server-info", "access token", "MLflow"),
    Row("internet", "https://{api}/api/2.0/mlflow-artifacts/artifacts/0/x", "access token", "MLflow", method="PUT"),
    Row("internet", "https://{api}/api/2.0/mlflow-artifacts/mpu/create/0/x", "access token", "MLflow", method="POST"),
    Row("internet", "https://{api}/api/2.0/mlflow-artifacts/presigned/0/x", "access token", "MLflow"),
    Row("internet", "https://{api}/v1/traces", "access token", "MLflow", method="POST"),
    Row("internet", "https://{api}/gateway/mlflow/v1/chat/completions", "access token", "MLflow", method="POST"),
    Row("internet", "https://{api}/version", "access token", "MLflow"),
    Row("internet", "https://{api}/health", "access token", "MLflow"),
    # Programs get no more than that.
    Row("internet", "https://{api}/", "access token", "403"),
    Row("internet", "https://{api}/ajax-api/2.0/mlflow/experiments/search", "access token", "403", method="POST"),
    Row("internet", "https://{api}/graphql", "access token", "403", method="POST"),
    Row("internet", "https://{api}/sign-out", "access token", "403"),
    Row("internet", "https://{api}/static-files/index.html", "access token", "403"),
    Row("internet", "https://{api}/API/2.0/mlflow/runs/search", "access token", "403"),
    Row("internet", "https://{api}/healthy", "access token", "403"),
    Row("internet", "https://{api}//api/2.0/mlflow/runs/search", "access token", "403"),
    Row("internet", "http://{api}/health", "access token", "no route"),
    Row("internet", "https://{execute_api}" + RUNS, "access token", "404"),
    Row("internet", "https://{api}" + RUNS, "access token", "404", host="{execute_api}"),
    Row("internet", "https://{api}" + RUNS, "access token", "403", host="{ui}"),
    # Programs without proof, or with a false one: not even /health.
    Row("internet", "https://{api}/health", "none", "401"),
    Row("internet", "https://{api}" + RUNS, "none", "401", method="POST"),
    Row("internet", "https://{api}/v1/traces", "none", "401", method="POST"),
    Row("internet", "https://{api}/gateway/x", "none", "401"),
    Row("internet", "https://{api}/", "signed in", "401"),
    Row("office", "https://{api}/health", "none", "401"),
    Row("internet", "https://{api}" + RUNS, "expired access token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "expired ID token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "access token of another client", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "ID token of another client", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "access token of another pool", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "forged token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "altered token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "unsigned token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "no token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "credentials of another user", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "wrong credentials", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "no password", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "another scheme", "403", "401"),
    # Programs at the load balancer itself, which only one of the stacks lets in: with access tokens, and to what the API has.
    *(
        Row("office", "https://{token}" + path, "access token", "no route", "MLflow", method=method)
        for path, method in (
            (RUNS, "POST"),
            ("/api/2.0/mlflow-artifacts/artifacts/0/x", "PUT"),
            ("/v1/traces", "POST"),
            ("/gateway/mlflow/v1/chat/completions", "POST"),
            ("/version", "GET"),
            ("/health", "GET"),
        )
    ),
    *(
        Row("office", "https://{token}" + path, "access token", "no route", "403")
        for path in (
            "/",
            "/ajax-api/2.0/mlflow/experiments/search",
            "/graphql",
            "/static-files/index.html",
            "/API/2.0/mlflow/runs/search",
            "//api/x",
            "/healthy",
        )
    ),
    *(
        Row("office", "https://{token}" + path, proof, "no route", "401", method="POST")
        for path in (RUNS, "/health", "/gateway/x")
        for proof in (
            "none",
            "signed in",
            "ID token",
            "expired access token",
            "expired ID token",
            "access token of another client",
            "ID token of another client",
            "access token of another pool",
            "forged token",
            "altered token",
            "unsigned token",
            "no token",
            "credentials",
            "another scheme",
        )
    ),
    Row("office", "https://{token}" + RUNS, "access token", "no route", "403", host="{api}"),
    Row("office", "https://{token}" + RUNS, "access token", "no route", "sign-in", host="{ui}"),
    Row("office", "https://{ui}" + RUNS, "access token", "403", "MLflow", host="{token}"),
    Row("office", "https://{ui}" + RUNS, "signed in", "403", "401", host="{token}"),
    Row("office", "https://{token}:8443" + RUNS, "access token", "no route"),
    Row("office", "http://{token}" + RUNS, "access token", "no route", "HTTPS"),
    Row("internet", "https://{api}" + RUNS, "access token", "403", host="{token}"),
    Row("internet", "https://{token}" + RUNS, "access token", "no route"),
    Row("neighbour", "https://{token}" + RUNS, "access token", "no route"),
]


class Table:
    """The rows' requests to a deployment."""

    def __init__(self, deployment: Deployment, doors: Doors, proofs: dict[str, str | None]) -> None:
        self.deployment, self.doors, self.proofs = deployment, doors, proofs
        self.is_jwt = deployment.stack.inputs.get("mlflow_api_authorizer") == "jwt"
        (self.balancer,) = self.doors.balancers.values()
        (execute_api,) = self.doors.gateway.names
        cluster = deployment.cluster()
        self.names = {
            "ui": deployment.people,
            "api": deployment.programs,
            "token": f"{TOKEN_RECORD}.{deployment.stack.inputs['mlflow_api_zone_name']}",
            "alb": self.balancer.dns_name,
            "execute_api": execute_api,
            "task": "10.255.0.1",
            "database": f"{cluster['Endpoint']}:{cluster['Port']}",
        }
        self.cookies = {"signed in": self.balancer.sign_in("ada"), "a forged session": self.balancer.sign_in("ada")[:-4] + "AAAA"}
        groups = deployment.aws.client("ec2").describe_security_groups()["SecurityGroups"]
        named = {group["GroupName"].removeprefix(f"{deployment.name}-"): group["GroupId"] for group in groups}
        inside = {"the load balancer": "load-balancer", "the VPC link": "vpc-link", "a task": "service"}
        self.sources = SOURCES | {name: Source("10.0.10.9", frozenset({named[group]})) for name, group in inside.items()}

    def request(self, row: Row) -> Request:
        headers = {}
        if row.host:
            headers["host"] = row.host.format(**self.names)
        if row.proof in self.cookies:
            headers["cookie"] = self.cookies[row.proof]
        elif authorization := self.proofs[row.proof]:
            headers["authorization"] = authorization
        return Request(self.sources[row.source], row.url.format(**self.names), headers, row.method)


@pytest.fixture(scope="module")
def table(deployment: Deployment, doors: Doors, proofs: dict[str, str | None]) -> Table:
    return Table(deployment, doors, proofs)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.source} {row.method} {row.url} {row.host} {row.proof}")
def test_a_request_ends_where_it_should(table: Table, row: Row) -> None:
    outcome = table.doors.decide(table.request(row))
    assert outcome.label == (table.is_jwt and row.ends_jwt or row.ends), outcome


def test_the_table_is_of_use() -> None:
    assert len(ROWS) >= 50
    assert {row.ends for row in ROWS} == {"MLflow", "sign-in", "HTTPS", "401", "403", "404", "no route", "the inside"}


# A table that could not fail would prove nothing: each of these opens a door, or shuts one, and the rows notice.


class Change(t.NamedTuple):
    """A call that changes the account, the one that changes it back, and where a row's request ends meanwhile."""

    name: str
    row: Row
    ends: str
    service: str
    change: t.Callable[[Table], dict[str, t.Any]]
    undo: t.Callable[[Table], dict[str, t.Any]]
    operations: tuple[str, str]


def _everybody(table: Table) -> dict[str, t.Any]:
    rule = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    return {"GroupId": next(iter(table.sources["the load balancer"].groups)), "IpPermissions": [rule]}


def _forward_by_default(table: Table) -> dict[str, t.Any]:
    group = table.deployment.stack.outputs["load_balancer_target_group_id"]
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    return {"ListenerArn": table.balancer.listeners[443]["ListenerArn"], "DefaultActions": actions}


def _refuse_by_default(table: Table) -> dict[str, t.Any]:
    listener = table.balancer.listeners[443]
    return {"ListenerArn": listener["ListenerArn"], "DefaultActions": listener["DefaultActions"]}


def _route(table: Table, **changes: t.Any) -> dict[str, t.Any]:
    api = table.deployment.stack.outputs["api_id"]
    (route,) = table.deployment.aws.client("apigatewayv2").get_routes(ApiId=api)["Items"]
    return {"ApiId": api, "RouteId": route["RouteId"], **changes}


def _authorizer(table: Table) -> dict[str, t.Any]:
    api = table.deployment.stack.outputs["api_id"]
    (authorizer,) = table.deployment.aws.client("apigatewayv2").get_authorizers(ApiId=api)["Items"]
    kind = "JWT" if table.is_jwt else "CUSTOM"
    return _route(table, AuthorizationType=kind, AuthorizerId=authorizer["AuthorizerId"])


def _endpoint(table: Table, disabled: bool) -> dict[str, t.Any]:
    return {"ApiId": table.deployment.stack.outputs["api_id"], "DisableExecuteApiEndpoint": disabled}


CHANGES = [
    Change(
        "programs' listener is open to everybody",
        Row("neighbour", "https://{alb}:8443" + RUNS, "none", "no route", host="{api}"),
        "MLflow",
        "ec2",
        _everybody,
        _everybody,
        ("authorize_security_group_ingress", "revoke_security_group_ingress"),
    ),
    Change(
        "people's listener forwards what no rule names",
        Row("office", "https://{ui}/", "none", "403", host="anything.example.net"),
        "MLflow",
        "elbv2",
        _forward_by_default,
        _refuse_by_default,
        ("modify_listener", "modify_listener"),
    ),
    Change(
        "the API asks nobody who they are",
        Row("internet", "https://{api}" + RUNS, "none", "401"),
        "MLflow",
        "apigatewayv2",
        lambda table: _route(table, AuthorizationType="NONE"),
        _authorizer,
        ("update_route", "update_route"),
    ),
    Change(
        "the API's own endpoint is open",
        Row("internet", "https://{execute_api}" + RUNS, "access token", "404"),
        "MLflow",
        "apigatewayv2",
        lambda table: _endpoint(table, False),
        lambda table: _endpoint(table, True),
        ("update_api", "update_api"),
    ),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_door_that_is_open_by_mistake_is_noticed(table: Table, change: Change) -> None:
    client, request = table.deployment.aws.client(change.service), table.request(change.row)
    undo = change.undo(table)
    getattr(client, change.operations[0])(**change.change(table))
    try:
        assert Doors(table.deployment.aws).decide(request).label == change.ends
    finally:
        getattr(client, change.operations[1])(**undo)
    assert Doors(table.deployment.aws).decide(request).label == change.row.ends


def test_a_rule_for_tokens_that_asks_for_less_is_noticed(table: Table) -> None:
    """Each claim keeps somebody out: without that of the token's use ID tokens get in, without that of the app client those of others."""
    elb = table.deployment.aws.client("elbv2")
    rules = elb.describe_rules(ListenerArn=table.balancer.listeners[443]["ListenerArn"])["Rules"]
    checking = [rule for rule in rules if rule["Actions"][0]["Type"] == "jwt-validation"]
    assert len(checking) == 2 * table.is_jwt
    for rule in checking[:1]:
        check, forward = rule["Actions"]
        config = check["JwtValidationConfig"]
        assert table.balancer.certificate_covers(443, table.names["token"])
        for name, proof in (("token_use", "ID token"), ("client_id", "access token of another client")):
            request = table.request(Row("office", "https://{token}" + RUNS, proof, "401", method="POST"))
            fewer = [claim for claim in config["AdditionalClaims"] if claim["Name"] != name and (name, claim["Name"]) != ("token_use", "client_id")]
            elb.modify_rule(RuleArn=rule["RuleArn"], Actions=[{**check, "JwtValidationConfig": {**config, "AdditionalClaims": fewer}}, forward])
            try:
                assert Doors(table.deployment.aws).decide(request).label == "MLflow", name
            finally:
                elb.modify_rule(RuleArn=rule["RuleArn"], Actions=rule["Actions"])
            assert Doors(table.deployment.aws).decide(request).label == "401"


def test_what_is_too_large_for_api_gateway_passes_the_load_balancer(table: Table) -> None:
    """Any size, and an answer that takes longer than API Gateway's 30 seconds, as MLflow's AI gateway has them."""
    row = Row("office", "https://{token}/api/2.0/mlflow-artifacts/artifacts/0/x", "access token", "no route", method="PUT")
    outcome = table.doors.decide(table.request(row).replace(body=bytes(25 * 1024 * 1024)))
    if table.is_jwt:
        assert isinstance(outcome, Forward)
        assert (outcome.timeout, outcome.longest_answer) == (300, None)
        assert outcome.request.headers["authorization"] == table.proofs["access token"]  # as it is
    else:
        assert outcome.label == row.ends


def test_the_identity_provider_takes_people_back_to_the_ui(table: Table) -> None:
    """What the load balancer asks for in the redirect is what the user pool's app client allows."""
    outcome = table.doors.decide(table.request(Row("office", "https://{ui}/", "none", "sign-in")))
    assert isinstance(outcome, Answer)
    location = urlsplit(outcome.headers["location"])
    query = {name: values[0] for name, values in parse_qs(location.query).items()}
    assert query["redirect_uri"] == f"https://{table.deployment.people}/oauth2/idpresponse"
    inputs = table.deployment.stack.inputs
    if inputs.get("mlflow_load_balancer_sign_in") == "oidc":
        assert (location.hostname, query["client_id"]) == ("idp.example.com", "mlflow")
        return
    assert location.hostname == "team-x-sign-in.auth.eu-west-1.amazoncognito.com"
    client = table.deployment.aws.client("cognito-idp").describe_user_pool_client(
        UserPoolId=inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2], ClientId=query["client_id"]
    )["UserPoolClient"]
    assert query["redirect_uri"] in client["CallbackURLs"]
    assert query["scope"] in client["AllowedOAuthScopes"] and query["response_type"] in client["AllowedOAuthFlows"]


def test_what_is_too_large_for_api_gateway_is_refused_there(table: Table) -> None:
    row = Row("internet", "https://{api}/api/2.0/mlflow-artifacts/artifacts/0/x", "access token", "MLflow", method="PUT")
    request = table.request(row)
    outcome = table.doors.decide(request.replace(body=bytes(10 * 1024 * 1024)))
    assert isinstance(outcome, Forward)
    assert (outcome.timeout, outcome.longest_answer) == (30, 10 * 1024 * 1024)
    assert table.doors.decide(request.replace(body=bytes(10 * 1024 * 1024 + 1))).label == "413"

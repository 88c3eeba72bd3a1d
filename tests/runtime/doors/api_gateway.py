# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP APIs of API Gateway, as far as a request's way depends on their configuration.

The path goes on as it came. AWS decodes that of an event for Lambda, and what a route's path parameters hold; what it does with the path
of C($default) on its way through a VPC link is neither documented nor reported. docs/tested-on.md lists it among what only a real account can show.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
import uuid

from embedded_aws.client import EmbeddedAWS
from runtime.doors.authorizers import FORBIDDEN, Authorizers, Verdict
from runtime.doors.load_balancer import LoadBalancer
from runtime.doors.signatures import Signer
from runtime.doors.request import Answer, Forward, NoRoute, Outcome, Request, Source

LARGEST = 10 * 1024 * 1024  # of a request or an answer, in bytes
NOT_FOUND = Answer(404, {"content-type": "application/json"}, b'{"message":"Not Found"}')
TOO_LARGE = Answer(413, {"content-type": "application/json"}, b'{"message":"Request Entity Too Large"}')
UNAVAILABLE = Answer(503, {"content-type": "application/json"}, b'{"message":"Service Unavailable"}')
Document = dict[str, t.Any]


class ApiGateway:
    """The APIs and custom domain names of the region."""

    def __init__(self, aws: EmbeddedAWS, balancers: list[LoadBalancer], signers: t.Sequence[Signer]) -> None:
        gateway = aws.client("apigatewayv2")
        self._aws, self._balancers = aws, balancers
        self.apis = {api["ApiId"]: api for api in gateway.get_apis()["Items"]}
        self.domains = {
            domain["DomainName"]: gateway.get_api_mappings(DomainName=domain["DomainName"])["Items"] for domain in gateway.get_domain_names()["Items"]
        }
        self.names = {api["ApiEndpoint"].removeprefix("https://"): api_id for api_id, api in self.apis.items()}
        self._authorizers = {api_id: Authorizers(aws, api_id, signers) for api_id in self.apis}
        self._parts = {
            api_id: {
                "routes": gateway.get_routes(ApiId=api_id)["Items"],
                "integrations": {i["IntegrationId"]: i for i in gateway.get_integrations(ApiId=api_id)["Items"]},
                "stages": {stage["StageName"]: stage for stage in gateway.get_stages(ApiId=api_id)["Items"]},
            }
            for api_id in self.apis
        }
        self.access_logs: dict[str, list[str]] = {}
        """What is written into each log group, as far as it is known before MLflow answers."""

    def targets(self) -> set[str]:
        """The names that DNS records of custom domain names point to."""
        domains = self._aws.client("apigatewayv2").get_domain_names()["Items"]
        return {c["ApiGatewayDomainName"] for domain in domains for c in domain["DomainNameConfigurations"]}

    def decide(self, request: Request) -> Outcome:
        """Where a request ends that has reached API Gateway, whose addresses are open to everybody."""
        if request.port != 443 or not request.url.startswith("https:"):
            return NoRoute("API Gateway speaks HTTPS on port 443 alone")
        api_id = self._api_of(request.host.lower())
        if isinstance(api_id, Answer):
            return api_id
        if len(request.body) > LARGEST:
            return TOO_LARGE
        parts = self._parts[api_id]
        route = _route(parts["routes"], request)
        if route is None:
            return NOT_FOUND
        verdict = self._authorizers[api_id].check(route, request)
        outcome = verdict.refused or self.integrate(parts["integrations"][route["Target"].removeprefix("integrations/")], request, verdict)
        for stage in parts["stages"].values():
            self._log(stage.get("AccessLogSettings", {}), route, request, verdict, outcome)
        return outcome

    def _log(self, settings: Document, route: Document, request: Request, verdict: Verdict, outcome: Outcome) -> None:
        """A line of the access log: each variable of its format has its value, or a hyphen where there is none."""
        variables = {
            "requestId": str(uuid.uuid4()),
            "httpMethod": request.method,
            "path": request.path,
            "routeKey": route["RouteKey"],
            "identity.sourceIp": request.source.address,
            **({"status": outcome.status} if isinstance(outcome, Answer) else {}),
            **{f"authorizer.{name}": value for name, value in verdict.context.items()},
            **{f"identity.{name}": value for name, value in verdict.identity.items()},
        }
        if settings:
            line = re.sub(r"\$context\.([\w.:]*\w)", lambda variable: str(variables.get(variable[1], "-")), settings["Format"])
            self.access_logs.setdefault(settings["DestinationArn"].rpartition(":log-group:")[2], []).append(line)

    def _api_of(self, host: str) -> str | Answer:
        if host in self.names:  # the endpoint that every API has by itself
            return NOT_FOUND if self.apis[self.names[host]]["DisableExecuteApiEndpoint"] else self.names[host]
        if host not in self.domains:
            return FORBIDDEN
        mapping = next((m for m in self.domains[host] if not m.get("ApiMappingKey")), None)
        if mapping is None or mapping["Stage"] not in self._parts[mapping["ApiId"]]["stages"]:
            return NOT_FOUND
        return mapping["ApiId"]

    def integrate(self, integration: Document, request: Request, verdict: Verdict) -> Outcome:
        """Send it through the VPC link to the listener that the integration names."""
        assert (integration["IntegrationType"], integration["ConnectionType"]) == ("HTTP_PROXY", "VPC_LINK")
        link = self._aws.client("apigatewayv2").get_vpc_link(VpcLinkId=integration["ConnectionId"])
        if link["VpcLinkStatus"] != "AVAILABLE":
            return UNAVAILABLE
        listener = integration["IntegrationUri"]
        balancer = next(b for b in self._balancers if listener in {each["ListenerArn"] for each in b.listeners.values()})
        if not balancer.is_internal:  # its name leads to public addresses, which a VPC link does not reach
            return UNAVAILABLE
        port = balancer.port_of(listener)
        verified = integration.get("TlsConfig", {}).get("ServerNameToVerify")
        if verified and not balancer.certificate_covers(port, verified):
            return UNAVAILABLE
        # Without a mapping the listener gets the name that the integration has for it.
        headers = {**request.headers, "host": balancer.dns_name}
        for parameter, value in integration.get("RequestParameters", {}).items():
            action, _colon, name = parameter.partition(":header.")
            assert action == "overwrite", parameter
            if value.startswith("$"):
                source, variable = value.removeprefix("$context.").split(".")
                value = str({"authorizer": verdict.context, "identity": verdict.identity}[source].get(variable, ""))
            headers[name.lower()] = value
        forwarded = Request(
            source=Source(self._address_in(link["SubnetIds"][0]), frozenset(link["SecurityGroupIds"])),
            url=f"{'https' if verified else 'http'}://{balancer.dns_name}:{port}{request.target}",
            headers=headers,
            method=request.method,
            body=request.body,
        )
        outcome = balancer.decide(forwarded, port)
        if isinstance(outcome, NoRoute):
            return UNAVAILABLE
        if isinstance(outcome, Forward):
            seconds = integration["TimeoutInMillis"] / 1000
            return Forward(outcome.request, outcome.targets, min(outcome.timeout, seconds), 503, LARGEST)
        return outcome

    def _address_in(self, subnet: str) -> str:
        """An address of a network interface of the VPC link."""
        block = self._aws.client("ec2").describe_subnets(SubnetIds=[subnet])["Subnets"][0]["CidrBlock"]
        return str(ipaddress.ip_network(block)[10])


def _route(routes: list[Document], request: Request) -> Document | None:
    """The most specific route: a full path before a greedy one, a method before ANY, $default last."""

    def rank(route: Document) -> tuple[int, int, int] | None:
        if route["RouteKey"] == "$default":
            return (2, 0, 0)
        method, path = route["RouteKey"].split(" ", 1)
        pattern = re.sub(r"\{[^}+]+}", "[^/]+", re.sub(r"\{[^}]+\+}", ".+", path))
        if method not in ("ANY", request.method) or not re.fullmatch(pattern, request.path):
            return None
        return (int("+}" in path), -len(path), int(method == "ANY"))

    ranked = [(rank(route), route) for route in routes]
    matching = [(key, route) for key, route in ranked if key is not None]
    return min(matching, key=lambda pair: pair[0])[1] if matching else None

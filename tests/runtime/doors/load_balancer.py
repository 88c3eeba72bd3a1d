# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Load Balancers, as far as a request's way depends on their configuration."""

from __future__ import annotations

import re
import secrets
import typing as t
from urllib.parse import urlencode

from embedded_aws.client import REGION, EmbeddedAWS
from runtime.doors.network import SecurityGroups
from runtime.doors.request import Answer, Forward, NoRoute, Outcome, Request, Source
from runtime.doors.sign_in import Signer, access_token, subject
from runtime.doors.tokens import claims_of
from support.account import pages, tags

SESSION_COOKIE = "AWSELBAuthSessionCookie-0"
Document = dict[str, t.Any]


class LoadBalancer:
    """A load balancer with its listeners and rules, and the service behind each of its target groups."""

    def __init__(self, aws: EmbeddedAWS, document: Document, groups: SecurityGroups) -> None:
        elb = aws.client("elbv2")
        self._aws, self._groups = aws, groups
        self.arn, self.dns_name = document["LoadBalancerArn"], document["DNSName"]
        self.security_groups = frozenset(document["SecurityGroups"])
        self.is_internal = document["Scheme"] == "internal"
        self.attributes = tags(elb.describe_load_balancer_attributes(LoadBalancerArn=self.arn)["Attributes"])
        self.listeners = {listener["Port"]: listener for listener in pages(elb, "describe_listeners", "Listeners", LoadBalancerArn=self.arn)}
        self._rules = {port: pages(elb, "describe_rules", "Rules", ListenerArn=listener["ListenerArn"]) for port, listener in self.listeners.items()}
        self._sessions: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.signer = Signer(aws)

    # The node's own address matters to groups with CIDR blocks only, and those name no load balancer.
    address = "10.255.255.1"

    def port_of(self, listener_arn: str) -> int:
        return next(port for port, each in self.listeners.items() if each["ListenerArn"] == listener_arn)

    def certificate_covers(self, port: int, name: str) -> bool:
        """Whether a client that asks for C(name) gets a certificate for it."""
        arn = self.listeners[port]["ListenerArn"]
        arns = [each["CertificateArn"] for each in pages(self._aws.client("elbv2"), "describe_listener_certificates", "Certificates", ListenerArn=arn)]
        acm = self._aws.client("acm")
        certificates = [acm.describe_certificate(CertificateArn=arn)["Certificate"] for arn in arns]
        names = {each for certificate in certificates for each in certificate["SubjectAlternativeNames"]}
        return name in names or f"*.{name.partition('.')[2]}" in names

    def sign_in(self, user: str, *groups: str) -> str:
        """The cookie that a browser has after C(user), who is in these groups, has signed in."""
        session = secrets.token_urlsafe()
        self._sessions[session] = (user, groups)
        return f"{SESSION_COOKIE}={session}"

    def decide(self, request: Request, port: int) -> Outcome:
        if not self._groups.admit(request.source, self.address, self.security_groups, port):
            return NoRoute(f"the security groups let nobody there to port {port}")
        if port not in self.listeners:
            return NoRoute(f"there is no listener on port {port}")
        if self.listeners[port]["Protocol"] != ("HTTPS" if request.url.startswith("https:") else "HTTP"):
            return Answer(400) if request.url.startswith("http:") else NoRoute("the listener does not speak TLS")
        rules = sorted(self._rules[port], key=lambda rule: (rule["IsDefault"], rule["IsDefault"] or int(rule["Priority"])))
        rule = next(rule for rule in rules if all(_matches(each, request) for each in rule["Conditions"]))
        for action in sorted(rule["Actions"], key=lambda action: action.get("Order", 1)):
            outcome = getattr(self, "_" + action["Type"].replace("-", "_"))(action, request, port)
            if isinstance(outcome, Request):  # the next action goes on with it
                request = outcome
            else:
                return outcome
        raise AssertionError("the last action ends every request")

    def _redirect(self, action: Document, request: Request, port: int) -> Outcome:
        config = action["RedirectConfig"]
        given = {
            "protocol": self.listeners[port]["Protocol"],
            "host": request.host,
            "port": str(port),
            "path": request.path.lstrip("/"),
            "query": request.target.partition("?")[2],
        }

        def fill(name: str, default: str) -> str:
            return re.sub(r"#\{(\w+)}", lambda variable: given[variable[1]], config.get(name, default))

        protocol, host = fill("Protocol", "#{protocol}").lower(), fill("Host", "#{host}")
        location = f"{protocol}://{host}:{fill('Port', '#{port}')}{fill('Path', '/#{path}')}"
        query = fill("Query", "#{query}")
        status = int(config["StatusCode"].removeprefix("HTTP_"))
        headers = {"location": location + (f"?{query}" if query else "")}
        return Answer(status, headers, label="HTTPS" if protocol == "https" else str(status))

    def _fixed_response(self, action: Document, _request: Request, _port: int) -> Outcome:
        config = action["FixedResponseConfig"]
        headers = {"content-type": config.get("ContentType", "text/plain")}
        return Answer(int(config["StatusCode"]), headers, config.get("MessageBody", "").encode())

    def _authenticate_cognito(self, action: Document, request: Request, _port: int) -> Outcome | Request:
        config = action["AuthenticateCognitoConfig"]
        host, pool, client = f"{config['UserPoolDomain']}.auth.{REGION}.amazoncognito.com", config["UserPoolArn"].rpartition("/")[2], config["UserPoolClientId"]
        if signed_in := self._signed_in(request):
            user, groups = signed_in  # the groups are in the access token alone
            token, issuer = access_token(self._aws, pool, client, user, groups), f"https://cognito-idp.{REGION}.amazonaws.com/{pool}"
            return self._with_user(request, {"sub": subject(token), "username": user}, client, issuer, token)
        return self._authenticate(config, request, f"https://{host}/oauth2/authorize", client)

    def _authenticate_oidc(self, action: Document, request: Request, _port: int) -> Outcome | Request:
        config = action["AuthenticateOidcConfig"]
        if signed_in := self._signed_in(request):
            user, groups = signed_in
            claims = {"sub": f"sub-{user}", "email": user, "groups": list(groups)}
            return self._with_user(request, claims, config["ClientId"], config["Issuer"], "opaque")
        return self._authenticate(config, request, config["AuthorizationEndpoint"], config["ClientId"])

    def _signed_in(self, request: Request) -> tuple[str, tuple[str, ...]] | None:
        cookies = dict(each.strip().partition("=")[::2] for each in request.headers.get("cookie", "").split(";"))
        return self._sessions.get(cookies.get(SESSION_COOKIE, ""))

    def _with_user(self, request: Request, claims: Document, client_id: str, issuer: str, token: str) -> Request:
        data = self.signer.token(self.arn, client_id, issuer, claims)
        return request.with_headers(x_amzn_oidc_identity=claims["sub"], x_amzn_oidc_data=data, x_amzn_oidc_accesstoken=token)

    def _authenticate(self, config: Document, request: Request, endpoint: str, client_id: str) -> Outcome | Request:
        unauthenticated = config["OnUnauthenticatedRequest"]
        if unauthenticated == "allow":
            return request
        if unauthenticated == "deny":
            return Answer(401)
        query = {
            "client_id": client_id,
            "redirect_uri": f"https://{request.host}/oauth2/idpresponse",
            "response_type": "code",
            "scope": config["Scope"],
            "state": secrets.token_urlsafe(8),
        }
        return Answer(302, {"location": f"{endpoint}?{urlencode(query)}"}, label="sign-in")

    def _jwt_validation(self, action: Document, request: Request, _port: int) -> Outcome | Request:
        config = action["JwtValidationConfig"]
        scheme, _space, token = request.headers.get("authorization", "").partition(" ")
        claims = claims_of(self._aws, token, config["Issuer"], ["RS256"]) if scheme.lower() == "bearer" else None
        if claims is None or not all(_holds(each, claims.get(each["Name"])) for each in config.get("AdditionalClaims", [])):
            return Answer(401)
        return request

    def _forward(self, action: Document, request: Request, port: int) -> Outcome:
        elb = self._aws.client("elbv2")
        group_arn = action.get("TargetGroupArn") or action["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"]
        health = elb.describe_target_health(TargetGroupArn=group_arn)["TargetHealthDescriptions"]
        groups = self.groups_behind(group_arn)
        source = Source(self.address, self.security_groups)
        targets = tuple(
            (each["Target"]["Id"], each["Target"]["Port"])
            for each in health
            if each["TargetHealth"]["State"] == "healthy" and self._groups.admit(source, each["Target"]["Id"], groups, each["Target"]["Port"])
        )
        if not targets:
            return Answer(503)
        host = request.host
        if self.attributes["routing.http.preserve_host_header.enabled"] == "false" and port not in (80, 443):
            host = f"{host}:{port}"
        forwarded = request.with_headers(
            host=host, x_forwarded_for=request.source.address, x_forwarded_proto=self.listeners[port]["Protocol"].lower(), x_forwarded_port=str(port)
        )
        if self.attributes["routing.http.drop_invalid_header_fields.enabled"] == "true":
            valid = {name: value for name, value in forwarded.headers.items() if re.fullmatch(r"[A-Za-z0-9-]+", name)}
            forwarded = forwarded.replace(headers=valid)
        return Forward(forwarded, targets, timeout=float(self.attributes["idle_timeout.timeout_seconds"]))

    def groups_behind(self, target_group_arn: str) -> list[str]:
        """The security groups of the tasks that a service registers with a target group."""
        ecs = self._aws.client("ecs")
        for cluster in pages(ecs, "list_clusters", "clusterArns"):
            names = pages(ecs, "list_services", "serviceArns", cluster=cluster)
            for service in ecs.describe_services(cluster=cluster, services=names)["services"]:
                if any(each.get("targetGroupArn") == target_group_arn for each in service["loadBalancers"]):
                    return service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
        return []


def _matches(condition: Document, request: Request) -> bool:
    if condition["Field"] == "host-header":
        return any(_wildcard(value.lower(), request.host.lower()) for value in condition["Values"])
    if condition["Field"] == "path-pattern":  # of the path as it was sent: nothing is decoded, case counts
        return any(_wildcard(value, request.path) for value in condition["Values"])
    raise NotImplementedError(condition["Field"])


def _holds(wanted: Document, value: t.Any) -> bool:
    """Whether a claim has what it has to. Where several values were asked for, AWS does not document whether one is enough: nobody asks for several."""
    (expected,) = wanted["Values"]
    if wanted["Format"] == "single-string":
        return value == expected
    if wanted["Format"] == "string-array":
        return isinstance(value, list) and expected in value
    return isinstance(value, str) and expected in value.split(" ")


def _wildcard(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None

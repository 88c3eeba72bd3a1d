# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorizers of an HTTP API: the Lambda function really invoked, or a token checked as API Gateway documents it."""

from __future__ import annotations

import json
import re
import time
import typing as t

from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from runtime.doors.request import Answer, Request
from runtime.doors.signatures import Signer, may_invoke, signed_by
from runtime.doors.tokens import claims_of

Document = dict[str, t.Any]
UNAUTHORIZED = Answer(401, {"content-type": "application/json"}, b'{"message":"Unauthorized"}')
FORBIDDEN = Answer(403, {"content-type": "application/json"}, b'{"message":"Forbidden"}')
INTERNAL_ERROR = Answer(500, {"content-type": "application/json"}, b'{"message":"Internal Server Error"}')


class Verdict(t.NamedTuple):
    """The answer to a request that is refused, or None, and what C($context.authorizer) and C($context.identity) have of it."""

    refused: Answer | None
    context: dict[str, t.Any] = {}
    identity: dict[str, str] = {}


class Authorizers:
    """The authorizers of an API."""

    def __init__(self, aws: EmbeddedAWS, api_id: str, signers: t.Sequence[Signer]) -> None:
        self._aws, self._api_id, self._signers = aws, api_id, signers
        found = aws.client("apigatewayv2").get_authorizers(ApiId=api_id)["Items"]
        self._by_id = {authorizer["AuthorizerId"]: authorizer for authorizer in found}
        self._remembered: dict[tuple[str, ...], tuple[float, Verdict]] = {}

    def check(self, route: Document, request: Request) -> Verdict:
        if route["AuthorizationType"] == "NONE":
            return Verdict(None)
        if route["AuthorizationType"] == "AWS_IAM":
            return self._check_signature(request)
        authorizer = self._by_id[route["AuthorizerId"]]
        sources = [self._value(source, request) for source in authorizer["IdentitySource"]]
        if not all(sources):
            return Verdict(UNAUTHORIZED)
        if authorizer["AuthorizerType"] == "JWT":
            return self._check_token(authorizer, route, str(sources[0]))
        # Answers are remembered by the identity sources; that there was none is not.
        key = (authorizer["AuthorizerId"], *map(str, sources))
        expires, verdict = self._remembered.get(key, (0.0, Verdict(INTERNAL_ERROR)))
        if time.monotonic() >= expires:
            verdict = self._invoke(authorizer, request, [str(source) for source in sources])
            if verdict.refused is not INTERNAL_ERROR:
                self._remembered[key] = (time.monotonic() + authorizer["AuthorizerResultTtlInSeconds"], verdict)
        return verdict

    @staticmethod
    def _value(source: str, request: Request) -> str | None:
        name = re.fullmatch(r"\$request\.header\.(.+)", source)
        assert name, source
        return request.headers.get(name[1].lower())

    def _invoke(self, authorizer: Document, request: Request, sources: list[str]) -> Verdict:
        function = re.search(r"/functions/(.+)/invocations$", authorizer["AuthorizerUri"])
        assert function, authorizer["AuthorizerUri"]
        if not self._may_invoke(function[1], authorizer["AuthorizerId"]):
            return Verdict(INTERNAL_ERROR)
        event = {
            "version": authorizer["AuthorizerPayloadFormatVersion"],
            "type": "REQUEST",
            "routeArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self._api_id}/$default/{request.method}{request.path}",
            "identitySource": sources,
            "routeKey": "$default",
            "rawPath": request.path,
            "rawQueryString": request.target.partition("?")[2],
            "headers": {name: value for name, value in request.headers.items() if name != "cookie"},
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": self._api_id,
                "http": {"method": request.method, "path": request.path, "sourceIp": request.source.address},
                "stage": "$default",
            },
        }
        answer = self._aws.client("lambda").invoke(FunctionName=function[1], Payload=json.dumps(event).encode())
        result = json.load(answer["Payload"])
        if "FunctionError" in answer or not authorizer["EnableSimpleResponses"]:
            return Verdict(INTERNAL_ERROR)
        return Verdict(None if result.get("isAuthorized") is True else FORBIDDEN, result.get("context", {}))

    def _may_invoke(self, function: str, authorizer_id: str) -> bool:
        """Whether the function's resource policy lets this authorizer of this API call it."""
        source = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self._api_id}/authorizers/{authorizer_id}"
        policy = json.loads(self._aws.client("lambda").get_policy(FunctionName=function)["Policy"])
        return any(
            statement["Principal"] == {"Service": "apigateway.amazonaws.com"}
            and statement["Action"] == "lambda:InvokeFunction"
            and statement["Condition"]["ArnLike"]["AWS:SourceArn"] == source
            for statement in policy["Statement"]
        )

    def _check_signature(self, request: Request) -> Verdict:
        who = signed_by(self._signers, request)
        if who is None or not may_invoke(self._aws, who, self._api_id, request):
            return Verdict(FORBIDDEN)
        return Verdict(None, identity={"userArn": who.arn, "accountId": ACCOUNT})

    def _check_token(self, authorizer: Document, route: Document, value: str) -> Verdict:
        config = authorizer["JwtConfiguration"]
        token = re.sub(r"^bearer ", "", value, flags=re.IGNORECASE)
        claims = claims_of(self._aws, token, config["Issuer"], ["RS256", "RS384", "RS512"])
        if claims is None:
            return Verdict(UNAUTHORIZED)
        audience = claims.get("aud", claims.get("client_id"))  # the latter only where there is no audience
        audiences = audience if isinstance(audience, list) else [audience]
        if set(config["Audience"]).isdisjoint(audiences):
            return Verdict(UNAUTHORIZED)
        scopes = set(route.get("AuthorizationScopes") or [])
        lacking = scopes and scopes.isdisjoint(str(claims.get("scope", "")).split())
        return Verdict(FORBIDDEN if lacking else None, {f"claims.{name}": value for name, value in claims.items()})

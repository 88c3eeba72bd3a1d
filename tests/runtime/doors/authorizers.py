# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorizers of an HTTP API: the Lambda function really invoked, or a token checked as API Gateway documents it."""

from __future__ import annotations

import json
import re
import time
import typing as t
import urllib.request

from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from joserfc import jwk, jwt
from joserfc.errors import JoseError
from runtime.doors.request import Answer, Request

Document = dict[str, t.Any]
UNAUTHORIZED = Answer(401, {"content-type": "application/json"}, b'{"message":"Unauthorized"}')
FORBIDDEN = Answer(403, {"content-type": "application/json"}, b'{"message":"Forbidden"}')
INTERNAL_ERROR = Answer(500, {"content-type": "application/json"}, b'{"message":"Internal Server Error"}')


class Verdict(t.NamedTuple):
    """Of an authorizer: the answer to a request that is refused, or None, and what C($context.authorizer) has of it in the access log."""

    refused: Answer | None
    context: dict[str, t.Any] = {}


class Authorizers:
    """The authorizers of an API."""

    def __init__(self, aws: EmbeddedAWS, api_id: str) -> None:
        self._aws, self._api_id = aws, api_id
        found = aws.client("apigatewayv2").get_authorizers(ApiId=api_id)["Items"]
        self._by_id = {authorizer["AuthorizerId"]: authorizer for authorizer in found}
        self._remembered: dict[tuple[str, ...], tuple[float, Verdict]] = {}

    def check(self, route: Document, request: Request) -> Verdict:
        if route["AuthorizationType"] == "NONE":
            return Verdict(None)
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

    def _check_token(self, authorizer: Document, route: Document, value: str) -> Verdict:
        config = authorizer["JwtConfiguration"]
        pool_id = config["Issuer"].rpartition("/")[2]
        with urllib.request.urlopen(f"{self._aws.endpoint}/{pool_id}/.well-known/jwks.json", timeout=10) as answer:
            keys = jwk.KeySet.import_key_set(json.load(answer))
        token = re.sub(r"^bearer ", "", value, flags=re.IGNORECASE)
        try:
            claims = jwt.decode(token, keys, algorithms=["RS256", "RS384", "RS512"]).claims
        except (JoseError, ValueError):
            return Verdict(UNAUTHORIZED)
        now = time.time()
        audience = claims.get("aud", claims.get("client_id"))  # the latter only where there is no audience
        audiences = audience if isinstance(audience, list) else [audience]
        valid = (
            claims.get("iss") == config["Issuer"]
            and not set(config["Audience"]).isdisjoint(audiences)
            and claims["exp"] > now
            and all(claims[name] <= now for name in ("nbf", "iat") if name in claims)
        )
        if not valid:
            return Verdict(UNAUTHORIZED)
        scopes = set(route.get("AuthorizationScopes") or [])
        lacking = scopes and scopes.isdisjoint(str(claims.get("scope", "")).split())
        return Verdict(FORBIDDEN if lacking else None, {f"claims.{name}": value for name, value in claims.items()})

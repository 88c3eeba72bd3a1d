# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the authorizer of an API, and its permission to call a function."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.part import Part
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.resource import ApiGatewayResource, Document


class Authorizer(Part):
    kind = "apigatewayv2_authorizer"
    allows_duplicates = True
    immutable = frozenset({"type"})
    unused = {"credentials_arn": ("AuthorizerCredentialsArn", "")}

    def __init__(self, api: ApiGatewayResource, document: Document | None, *, needs: t.Sequence[Resource] = (), absent: bool = False) -> None:
        super().__init__(api, document, document["Name"] if document else api.spec["authorizer"]["name"], needs=needs, absent=absent)

    @staticmethod
    def normal(document: Document) -> State:
        jwt = document.get("JwtConfiguration", {})
        return {
            "id": document["AuthorizerId"],
            "type": document["AuthorizerType"],
            "identity_source": document.get("IdentitySource", []),
            "uri": document.get("AuthorizerUri"),
            "payload_format_version": document.get("AuthorizerPayloadFormatVersion"),
            "simple_responses": document.get("EnableSimpleResponses", False),
            "ttl": document.get("AuthorizerResultTtlInSeconds"),
            "issuer": jwt.get("Issuer"),
            "audience": sorted(jwt.get("Audience", [])),
        }

    def desired(self) -> State:
        spec = self.api.spec["authorizer"]
        either = {"type": spec["type"], "identity_source": [spec["identity_source"]], **self.empty()}
        if spec["type"] == "JWT":
            return either | {"issuer": spec["issuer"], "audience": sorted(spec["audience"])}
        answers = {"payload_format_version": "2.0", "simple_responses": True, "ttl": spec["ttl"]}
        return either | answers | {"uri": spec["uri"]}

    def create(self, desired: State) -> State:
        authorizer = self.call("create_authorizer", ApiId=self.api_id, **self._arguments())
        return {"id": authorizer["AuthorizerId"]}

    def update(self, before: State, changes: State) -> None:
        arguments = {**self._arguments(), **self.emptied(before, changes)}
        self.call("update_authorizer", ApiId=self.api_id, AuthorizerId=before["id"], **arguments)

    def _arguments(self) -> dict[str, t.Any]:
        wanted = self.desired()
        either = {"Name": self.name, "AuthorizerType": wanted["type"], "IdentitySource": wanted["identity_source"]}
        if wanted["type"] == "JWT":
            return either | {"JwtConfiguration": {"Issuer": wanted["issuer"], "Audience": wanted["audience"]}}
        return either | {
            "AuthorizerUri": wanted["uri"],
            "AuthorizerPayloadFormatVersion": wanted["payload_format_version"],
            "EnableSimpleResponses": wanted["simple_responses"],
            "AuthorizerResultTtlInSeconds": wanted["ttl"],
        }

    def delete(self, before: State) -> None:
        self.call("delete_authorizer", ApiId=self.api_id, AuthorizerId=before["id"])


class Permission(Resource):
    """A statement of the function's resource policy: who may call the function."""

    kind = "lambda_permission"
    immutable = frozenset({"principal", "action", "condition"})
    replaceable = True

    def __init__(self, authorizer: Authorizer, sid: str, statement: Document | None, *, absent: bool = False) -> None:
        self.function_name = authorizer.api.spec["authorizer"]["function_name"]
        needs = [] if absent else [authorizer]
        super().__init__(authorizer.aws, f"{self.function_name}/{sid}", needs=needs, absent=absent)
        self.authorizer, self.sid, self.statement = authorizer, sid, statement

    def describe(self) -> State | None:
        statement = self.statement
        return statement and {"principal": statement["Principal"], "action": statement["Action"], "condition": statement.get("Condition", {})}

    def desired(self) -> State:
        return {
            "principal": {"Service": "apigateway.amazonaws.com"},
            "action": "lambda:InvokeFunction",
            "condition": {"ArnLike": {"AWS:SourceArn": self._source_arn()}},
        }

    def _source_arn(self) -> str:
        api_id, authorizer_id = self.authorizer.api_id, self.authorizer.actual["id"]
        where = f"{self.aws.region}:{self.aws.account_id}:{api_id}/authorizers/{authorizer_id}"
        return f"arn:{self.aws.partition}:execute-api:{where}"

    def create(self, desired: State) -> None:
        self.aws.client("lambda").add_permission(
            FunctionName=self.function_name,
            StatementId=self.sid,
            Action=desired["action"],
            Principal=desired["principal"]["Service"],
            SourceArn=self._source_arn(),
        )

    def delete(self, before: State) -> None:
        self.aws.client("lambda").remove_permission(FunctionName=self.function_name, StatementId=self.sid)

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before and not self.absent:
            return ["for a moment API Gateway answers 500 to credentials that it has not cached"]
        return []

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the routes of an API."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.authorizer import Authorizer
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.integration import Integration
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.part import Part
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.resource import ApiGatewayResource, Document

AUTHORIZATION = {"REQUEST": "CUSTOM", "JWT": "JWT", "AWS_IAM": "AWS_IAM"}
"""What API Gateway calls the authorization of a route by the type of its authorizer."""


class Route(Part):
    kind = "apigatewayv2_route"
    unused = {"api_key_required": ("ApiKeyRequired", False), "operation_name": ("OperationName", "")}

    def __init__(
        self,
        api: ApiGatewayResource,
        document: Document | None,
        key: str,
        integration: Integration | None = None,
        authorizer: Authorizer | None = None,
        *,
        needs: t.Sequence[Resource] = (),
        absent: bool = False,
    ) -> None:
        super().__init__(api, document, f"{api.name}/{key}", needs=needs, absent=absent)
        self.key, self.integration, self.authorizer = key, integration, authorizer

    @staticmethod
    def normal(document: Document) -> State:
        return {
            "id": document["RouteId"],
            "target": document.get("Target"),
            "authorization_type": document.get("AuthorizationType", "NONE"),
            "authorizer_id": document.get("AuthorizerId") or "",
            "authorization_scopes": sorted(document.get("AuthorizationScopes") or []),
        }

    def desired(self) -> State:
        spec = self.api.spec["authorizer"]
        return {
            "target": f"integrations/{t.cast(Resource, self.integration).actual['id']}",
            "authorization_type": AUTHORIZATION[spec["type"]],
            "authorizer_id": self.authorizer.actual["id"] if self.authorizer else "",
            "authorization_scopes": sorted(spec["scopes"]),
            **self.empty(),
        }

    def create(self, desired: State) -> State:
        scopes = {"AuthorizationScopes": desired["authorization_scopes"]} if desired["authorization_scopes"] else {}
        return {"id": self.call("create_route", ApiId=self.api_id, **self._arguments(), **scopes)["RouteId"]}

    def update(self, before: State, changes: State) -> None:
        scopes = {"AuthorizationScopes": changes["authorization_scopes"]} if "authorization_scopes" in changes else {}
        authorizer = {"AuthorizerId": changes["authorizer_id"]} if "authorizer_id" in changes else {}  # an empty one takes that of before away
        arguments = {**self._arguments(), **authorizer, **scopes, **self.emptied(before, changes)}
        self.call("update_route", ApiId=self.api_id, RouteId=before["id"], **arguments)

    def _arguments(self) -> dict[str, t.Any]:
        wanted = self.desired()
        authorizer = {"AuthorizerId": wanted["authorizer_id"]} if wanted["authorizer_id"] else {}
        return {"RouteKey": self.key, "Target": wanted["target"], "AuthorizationType": wanted["authorization_type"], **authorizer}

    def delete(self, before: State) -> None:
        self.call("delete_route", ApiId=self.api_id, RouteId=before["id"])

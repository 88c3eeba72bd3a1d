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
            "authorizer_id": document.get("AuthorizerId"),
            "authorization_scopes": sorted(document.get("AuthorizationScopes") or []),
        }

    def desired(self) -> State:
        integration, authorizer = (t.cast(Resource, needed).actual for needed in (self.integration, self.authorizer))
        return {
            "target": f"integrations/{integration['id']}",
            "authorization_type": "JWT" if authorizer["type"] == "JWT" else "CUSTOM",
            "authorizer_id": authorizer["id"],
            "authorization_scopes": sorted(self.api.spec["authorizer"]["scopes"]),
            **self.empty(),
        }

    def create(self, desired: State) -> State:
        scopes = {"AuthorizationScopes": desired["authorization_scopes"]} if desired["authorization_scopes"] else {}
        return {"id": self.call("create_route", ApiId=self.api_id, **self._arguments(), **scopes)["RouteId"]}

    def update(self, before: State, changes: State) -> None:
        scopes = {"AuthorizationScopes": changes["authorization_scopes"]} if "authorization_scopes" in changes else {}
        arguments = {**self._arguments(), **scopes, **self.emptied(before, changes)}
        self.call("update_route", ApiId=self.api_id, RouteId=before["id"], **arguments)

    def _arguments(self) -> dict[str, t.Any]:
        wanted = self.desired()
        return {"RouteKey": self.key, "Target": wanted["target"], "AuthorizationType": wanted["authorization_type"], "AuthorizerId": wanted["authorizer_id"]}

    def delete(self, before: State) -> None:
        self.call("delete_route", ApiId=self.api_id, RouteId=before["id"])

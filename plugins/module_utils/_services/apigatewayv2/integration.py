# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the integration of an API: where its requests go."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.part import Part
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.resource import ApiGatewayResource, Document
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.vpc_link import VpcLink


class Integration(Part):
    """The integration that the routes lead to, or a ``spare`` one beside it."""

    kind = "apigatewayv2_integration"
    allows_duplicates = True
    unused = {"description": ("Description", ""), "credentials_arn": ("CredentialsArn", ""), "response_parameters": ("ResponseParameters", {})}

    def __init__(
        self,
        api: ApiGatewayResource,
        document: Document | None,
        link: VpcLink | None = None,
        *,
        needs: t.Sequence[Resource] = (),
        spare: bool = False,
        absent: bool = False,
    ) -> None:
        name = f"{api.name}/{document['IntegrationId']}" if spare and document else api.name
        super().__init__(api, document, name, needs=needs, absent=absent)
        self.link = link

    @staticmethod
    def normal(document: Document) -> State:
        return {
            "id": document["IntegrationId"],
            "integration_type": document.get("IntegrationType"),
            "integration_method": document.get("IntegrationMethod"),
            "connection_type": document.get("ConnectionType"),
            "vpc_link_id": document.get("ConnectionId"),
            "listener_arn": document.get("IntegrationUri"),
            "payload_format_version": document.get("PayloadFormatVersion"),
            "timeout_ms": document.get("TimeoutInMillis"),
            "server_name": document.get("TlsConfig", {}).get("ServerNameToVerify", ""),
            "request_parameters": document.get("RequestParameters", {}),
        }

    def desired(self) -> State:
        spec = self.api.spec["integration"]
        headers = {**({"Host": spec["host"]} if spec["host"] else {}), **spec["headers"]}
        return {
            "integration_type": "HTTP_PROXY",
            "integration_method": "ANY",
            "connection_type": "VPC_LINK",
            "vpc_link_id": t.cast(VpcLink, self.link).actual["id"],
            "listener_arn": spec["listener_arn"],
            "payload_format_version": "1.0",
            "timeout_ms": spec["timeout_ms"],
            "server_name": spec["server_name"] or "",
            "request_parameters": {f"overwrite:header.{name}": value for name, value in headers.items()},
            **self.empty(),
        }

    def create(self, desired: State) -> State:
        integration = self.call("create_integration", ApiId=self.api_id, **self._arguments({}))
        return {"id": integration["IntegrationId"]}

    def update(self, before: State, changes: State) -> None:
        arguments = {**self._arguments(before["request_parameters"]), **self.emptied(before, changes)}
        self.call("update_integration", ApiId=self.api_id, IntegrationId=before["id"], **arguments)

    def _arguments(self, parameters_before: dict[str, str]) -> dict[str, t.Any]:
        wanted = self.desired()
        return {
            "IntegrationType": wanted["integration_type"],
            "IntegrationMethod": wanted["integration_method"],
            "ConnectionType": wanted["connection_type"],
            "ConnectionId": wanted["vpc_link_id"],
            "IntegrationUri": wanted["listener_arn"],
            "PayloadFormatVersion": wanted["payload_format_version"],
            "TimeoutInMillis": wanted["timeout_ms"],
            "TlsConfig": {"ServerNameToVerify": wanted["server_name"]} if wanted["server_name"] else {},
            # API Gateway merges these: one that is left out stays, an empty one goes.
            "RequestParameters": dict.fromkeys(parameters_before, "") | wanted["request_parameters"],
        }

    def delete(self, before: State) -> None:
        self.call("delete_integration", ApiId=self.api_id, IntegrationId=before["id"])

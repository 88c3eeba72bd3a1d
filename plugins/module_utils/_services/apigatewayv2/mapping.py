# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: API mappings: what leads from a custom domain name to a stage."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.part import Part
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.resource import ApiGatewayResource, Document


def mapping_name(domain_name: str, key: str) -> str:
    """What an API mapping is called: the domain name and the path that it maps."""
    return f"{domain_name}/{key}".rstrip("/")


class Mapping(Part):
    """What leads from the custom domain name to a stage. AWS deletes no API that one leads to."""

    kind = "apigatewayv2_api_mapping"

    def __init__(self, api: ApiGatewayResource, document: Document | None, domain_name: str, *, needs: t.Sequence[Resource] = (), absent: bool = False) -> None:
        self.domain_name = domain_name
        key = document.get("ApiMappingKey", "") if document else ""
        super().__init__(api, document, mapping_name(self.domain_name, key), needs=needs, absent=absent)
        self.parent = None  # it lies in the domain name, and may exist before the API does

    @staticmethod
    def normal(document: Document) -> State:
        return {"id": document["ApiMappingId"], "api_id": document["ApiId"], "stage": document["Stage"]}

    def desired(self) -> State:
        return {"api_id": self.api_id, "stage": self.api.spec["stage"]["name"]}

    def create(self, desired: State) -> State:
        mapping = self.call("create_api_mapping", DomainName=self.domain_name, **self._arguments(desired))
        return {"id": mapping["ApiMappingId"]}

    def update(self, before: State, changes: State) -> None:
        which = {"DomainName": self.domain_name, "ApiMappingId": before["id"]}
        self.call("update_api_mapping", **which, **self._arguments(self.desired()))

    def _arguments(self, wanted: State) -> dict[str, t.Any]:
        return {"ApiId": wanted["api_id"], "Stage": wanted["stage"]}

    def delete(self, before: State) -> None:
        self.call("delete_api_mapping", DomainName=self.domain_name, ApiMappingId=before["id"])

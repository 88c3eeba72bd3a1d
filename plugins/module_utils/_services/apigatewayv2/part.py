# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what the parts of an API have in common."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN, State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.resource import ApiGatewayResource, Document


class Part(ApiGatewayResource):
    """What lies in an API. ``document`` is what the API has read of it; whose it is, the API says."""

    deleted_with_parent = True
    unused: t.ClassVar[dict[str, tuple[str, t.Any]]] = {}
    """Settings that stay empty, as API Gateway calls them and as it answers them then: somebody may have filled them."""

    def __init__(self, api: ApiGatewayResource, document: Document | None, name: str, *, needs: t.Sequence[Resource] = (), absent: bool = False) -> None:
        super().__init__(api.aws, name, needs=needs, parent=api, absent=absent)
        self.api, self.document = api, document

    def describe(self) -> State | None:
        document = self.document
        if not document:
            return None
        filled = {name: document.get(member) or empty for name, (member, empty) in self.unused.items()}
        if "response_parameters" in filled:  # API Gateway goes on to name a status code whose parameters were removed
            filled["response_parameters"] = {k: v for k, v in filled["response_parameters"].items() if v}
        return {**self.normal(document), **filled}

    @staticmethod
    def normal(document: Document) -> State:
        """The document in our terms."""
        raise NotImplementedError

    def empty(self) -> State:
        """The unused settings as they should be."""
        return {name: empty for name, (_member, empty) in self.unused.items()}

    def emptied(self, before: State, changes: State) -> dict[str, t.Any]:
        """The arguments that empty what somebody filled. API Gateway keeps what a map does not name."""
        return {
            member: {key: type(value)() for key, value in before[name].items()} if isinstance(empty, dict) else empty
            for name, (member, empty) in self.unused.items()
            if name in changes
        }

    def unknown(self) -> State:
        return {"id": UNKNOWN}

    @property
    def api_id(self) -> str:
        return self.api.actual["id"]

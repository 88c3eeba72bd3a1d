# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what the resources of API Gateway v2 have in common."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._aws import eventually
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._resource import Resource, State


class ApiGatewayResource(Resource):
    """A resource of API Gateway v2."""

    def call(self, operation: str, **arguments: t.Any) -> dict[str, t.Any]:
        """The answer of an operation that changes something, once API Gateway is free to change it."""
        change = getattr(self.aws.client("apigatewayv2"), operation)
        return eventually(change, "ConflictException", message="concurrent modification", **arguments)

    def path(self, state: State) -> str:
        """The part of the ARN after the region, by which tags reach the resource."""
        raise NotImplementedError

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        arn = f"arn:{self.aws.partition}:apigateway:{self.aws.region}::/{self.path(before)}"
        if to_unset:
            self.call("untag_resource", ResourceArn=arn, TagKeys=to_unset)
        if to_set:
            self.call("tag_resource", ResourceArn=arn, Tags=to_set)


def own_tags(document: dict[str, t.Any]) -> dict[str, str]:
    """The tags of an answer, without those that AWS itself sets."""
    return {k: v for k, v in document.get("Tags", {}).items() if not k.startswith("aws:")}

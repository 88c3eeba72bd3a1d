# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what the resources of API Gateway v2 have in common."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import change_tags

Document = dict[str, t.Any]
"""Something of API Gateway as it answers it."""


class ApiGatewayResource(Resource):
    """A resource of API Gateway v2."""

    def call(self, operation: str, **arguments: t.Any) -> dict[str, t.Any]:
        """The answer of an operation that changes something.

        API Gateway takes one CreateVpcLink in 15 seconds from a whole account, one CreateDomainName in 30 (Amazon API Gateway
        quotas): where many stacks are deployed together, each waits for its turn.
        """
        change = getattr(self.aws.client("apigatewayv2"), operation)
        return retry_on(change, "TooManyRequestsException", timeout=self.timeout, **arguments)

    def path(self, state: State) -> str:
        """The part of the ARN after the region, by which tags reach the resource."""
        raise NotImplementedError

    def arn(self, state: State) -> str:
        """The ARN, which API Gateway itself does not tell."""
        return f"arn:{self.aws.partition}:apigateway:{self.aws.region}::/{self.path(state)}"

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        change_tags(self.aws.client("apigatewayv2"), self.arn(before), to_set, to_unset)

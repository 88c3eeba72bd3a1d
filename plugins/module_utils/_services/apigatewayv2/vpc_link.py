# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: VPC links."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN, State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import own_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.resource import ApiGatewayResource

VPC_LINK: Arguments = {
    "name": {"type": "str", "required": True},
    "subnet_ids": {"type": "list", "elements": "str"},
    "security_group_ids": {"type": "list", "elements": "str", "default": []},
}
"""The options of a VPC link: what the ``spec`` of a `VpcLink` holds. Those but the name are needed where it is to exist."""


def normal(link: dict[str, t.Any]) -> State:
    """A VPC link as API Gateway answers it, in our terms."""
    return {
        "id": link["VpcLinkId"],
        "subnet_ids": sorted(link["SubnetIds"]),
        "security_group_ids": sorted(link["SecurityGroupIds"]),
        "usable": link["VpcLinkStatus"] != "FAILED",
        "status": link["VpcLinkStatus"],
        "reason": link.get("VpcLinkStatusMessage", ""),
        "tags": own_tags(link.get("Tags", {})),
    }


class VpcLink(ApiGatewayResource):
    """A VPC link, known by its subnets and security groups, or by ``id`` once there is one."""

    kind = "apigatewayv2_vpc_link"
    allows_duplicates = True
    immutable = frozenset({"usable"})  # a link that failed is created again; nothing can be using it
    replaceable = True
    id = ""
    others: t.Sequence[State] = ()

    def describe(self) -> State | None:
        if self.id:
            link = none_if_missing(self.aws.client("apigatewayv2").get_vpc_link, "NotFoundException", VpcLinkId=self.id)
            return normal(link) if link else None
        ours = self.ours()
        same = [link for link in ours if self._placement().items() <= link.items()]
        link = min(same, key=lambda link: not link["usable"], default=None)
        self.others = [other for other in ours if other is not link]
        if link:
            self.id = link["id"]
        return link

    def ours(self) -> list[State]:
        """The links of this name that carry our tags."""
        links = self.aws.pages("apigatewayv2", "get_vpc_links", "Items")
        named = (link for link in links if link["Name"] == self.name and not self._owned_by_another({"tags": own_tags(link.get("Tags", {}))}))
        return [normal(link) for link in named if link["VpcLinkStatus"] != "DELETING"]

    def superseded(self) -> list[VpcLink]:
        """As absent, the links beside this one, which was read already."""
        return [_removal(self.aws, self.name, self.tags, other) for other in self.others]

    def _placement(self) -> State:
        return {name: sorted(self.spec[name]) for name in ("subnet_ids", "security_group_ids")}

    def desired(self) -> State:
        return {**self._placement(), "usable": True}

    def unknown(self) -> State:
        return {"id": UNKNOWN}

    def create(self, desired: State) -> State:
        link = self.call(
            "create_vpc_link", Name=self.name, SubnetIds=desired["subnet_ids"], SecurityGroupIds=desired["security_group_ids"], Tags=desired["tags"]
        )
        self.id = link["VpcLinkId"]
        return {"id": self.id, "status": link["VpcLinkStatus"], "reason": link.get("VpcLinkStatusMessage", "")}

    def path(self, state: State) -> str:
        return f"vpclinks/{state['id']}"

    def delete(self, before: State) -> None:
        self.call("delete_vpc_link", VpcLinkId=before["id"])
        self.id = before["id"]
        self.wait_gone()  # until then its network interfaces hold on to the security groups

    def pending(self, state: State) -> bool:
        if state["status"] == "FAILED":
            raise AwsError(f"API Gateway could not create it: {state['reason'] or 'no reason given'}")
        return state["status"] == "PENDING"

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before or not self.others:
            return []
        return ["takes the place of a link with other subnets or groups, which serves until the API uses this one"]


def links_to_remove(aws: Aws, name: str, tags: dict[str, str]) -> list[VpcLink]:
    """As absent, all links of this name that carry our tags."""
    return [_removal(aws, name, tags, link) for link in VpcLink(aws, name, tags=tags).ours()]


def _removal(aws: Aws, name: str, tags: dict[str, str] | None, state: State) -> VpcLink:
    link = VpcLink(aws, name, tags=tags, absent=True)
    link.id = state["id"]
    link.set_current_state(state)
    return link

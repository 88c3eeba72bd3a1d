# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: VPC endpoints, by which what has no way to the internet reaches AWS's services."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN, State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.security_groups import Tagged
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.policy_document import normal_policy

ENDED = ("deleting", "deleted")
MEMBERS = {"route_table_ids": "RouteTableId", "subnet_ids": "SubnetId", "security_group_ids": "SecurityGroupId"}
"""What an endpoint is in, as our options and as ModifyVpcEndpoint call them."""


def endpoints_of(aws: Aws, vpc_id: str) -> list[State]:
    """The endpoints of services in a VPC, also those on their way out."""
    found = aws.pages("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    return [_normal(each) for each in found if each.get("ServiceName")]  # those of resources and of service networks have none


def _normal(endpoint: dict[str, t.Any]) -> State:
    return {
        "id": endpoint["VpcEndpointId"],
        "service": endpoint["ServiceName"],
        "type": endpoint["VpcEndpointType"],
        "route_table_ids": sorted(endpoint.get("RouteTableIds", [])),
        "subnet_ids": sorted(endpoint.get("SubnetIds", [])),
        "security_group_ids": sorted(group["GroupId"] for group in endpoint.get("Groups", [])),
        "private_dns": endpoint.get("PrivateDnsEnabled", False),
        "policy": normal_policy(json.loads(endpoint.get("PolicyDocument") or "{}")),
        "state": endpoint["State"],
        "tags": tag_dict(endpoint.get("Tags", [])),
    }


class VpcEndpoint(Tagged):
    """The endpoint of a service, of whose name it is. ``spec``: ``vpc_id``, ``type``, `MEMBERS` and ``policy``; of one that is absent the first two."""

    kind = "ec2_vpc_endpoint"
    tags: dict[str, str]

    def describe(self) -> State | None:
        mine = [each for each in endpoints_of(self.aws, self.spec["vpc_id"]) if (each["service"], each["type"]) == (self.name, self.spec["type"])]
        there = [each for each in mine if each["state"].lower() not in ENDED]
        ours = [each for each in there if not self._owned_by_another(each)]
        return next(iter([*ours, *there, *(mine if self.absent else [])]), None)

    def desired(self) -> State:
        policy = self.spec["policy"]
        return {
            **{name: None if self.spec[name] is None else sorted(self.spec[name]) for name in MEMBERS},
            "private_dns": True if self.spec["type"] == "Interface" else None,
            "policy": None if policy is None else normal_policy(policy),
        }

    def unknown(self) -> State:
        return {"id": UNKNOWN}

    def create(self, desired: State) -> State:
        endpoint = self.aws.client("ec2").create_vpc_endpoint(
            VpcId=self.spec["vpc_id"],
            ServiceName=self.name,
            VpcEndpointType=self.spec["type"],
            **{f"{member}s": desired[name] for name, member in MEMBERS.items() if desired[name]},
            **({"PrivateDnsEnabled": True} if desired["private_dns"] else {}),
            **self._policy(),
            TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": tag_list(desired["tags"])}],
        )["VpcEndpoint"]
        return {"id": endpoint["VpcEndpointId"], "state": endpoint["State"]}

    def _policy(self) -> dict[str, str]:
        return {"PolicyDocument": json.dumps(self.spec["policy"])} if self.spec["policy"] is not None else {}

    def update(self, before: State, changes: State) -> None:
        members: dict[str, t.Any] = {}
        for name in MEMBERS.keys() & changes.keys():
            was, is_to_be = set(before[name]), set(changes[name])
            both = {"Add": sorted(is_to_be - was), "Remove": sorted(was - is_to_be)}
            members |= {f"{verb}{MEMBERS[name]}s": ids for verb, ids in both.items() if ids}
        dns = {"PrivateDnsEnabled": True} if "private_dns" in changes else {}
        policy = self._policy() if "policy" in changes else {}
        self.aws.client("ec2").modify_vpc_endpoint(VpcEndpointId=before["id"], **members, **dns, **policy)

    def delete(self, before: State) -> None:
        if before["state"].lower() not in ENDED:
            refused = self.aws.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[before["id"]])["Unsuccessful"]
            if refused:
                raise AwsError(f"EC2 does not delete it: {refused[0]['Error']['Message']}")
        self.wait_gone()

    def pending(self, state: State) -> bool:
        if state.get("state", "").lower() in ("failed", "rejected"):
            raise AwsError(f"it is {state['state']}: remove it, and run the same command again")
        return state.get("state", "").lower() == "pending"

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: flow logs, which tell of the connections in a VPC."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN, State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.security_groups import Tagged
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.roles import Role


def _normal(flow_log: dict[str, t.Any]) -> State:
    return {
        "id": flow_log["FlowLogId"],
        "vpc_id": flow_log["ResourceId"],
        "traffic_type": flow_log["TrafficType"],
        "max_aggregation_interval": flow_log["MaxAggregationInterval"],
        "role": flow_log.get("DeliverLogsPermissionArn", ""),
        "tags": tag_dict(flow_log.get("Tags", [])),
    }


def _check(answer: dict[str, t.Any], operation: str) -> None:
    """What EC2 refuses of a list it tells in an answer without an error. It is one like any other."""
    for refused in answer.get("Unsuccessful") or []:
        raise ClientError({"Error": refused["Error"]}, operation)


class FlowLog(Tagged):
    """The flow log that writes into a log group, of whose name it is. ``spec``: ``vpc_id``, ``traffic_type``, ``max_aggregation_interval``."""

    kind = "ec2_flow_log"
    tags: dict[str, str]
    immutable = frozenset({"vpc_id", "traffic_type", "max_aggregation_interval", "role"})
    replaceable = True  # its lines stay in the log group

    def __init__(self, *args: t.Any, role: Role, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.role = role

    def describe(self) -> State | None:
        into = [{"Name": "log-group-name", "Values": [self.name]}]
        found = [_normal(each) for each in self.aws.pages("ec2", "describe_flow_logs", "FlowLogs", Filter=into)]
        return next(iter(sorted(found, key=self._owned_by_another)), None)  # ours first

    def desired(self) -> State:
        return {name: self.spec[name] for name in ("vpc_id", "traffic_type", "max_aggregation_interval")} | {"role": self.role.actual["arn"]}

    def unknown(self) -> State:
        return {"id": UNKNOWN}

    def create(self, desired: State) -> State:
        answer = self.aws.client("ec2").create_flow_logs(
            ResourceType="VPC",
            ResourceIds=[desired["vpc_id"]],
            TrafficType=desired["traffic_type"],
            MaxAggregationInterval=desired["max_aggregation_interval"],
            LogGroupName=self.name,
            DeliverLogsPermissionArn=desired["role"],
            TagSpecifications=[{"ResourceType": "vpc-flow-log", "Tags": tag_list(desired["tags"])}],
        )
        _check(answer, "CreateFlowLogs")
        return {"id": answer["FlowLogIds"][0]}

    def delete(self, before: State) -> None:
        _check(self.aws.client("ec2").delete_flow_logs(FlowLogIds=[before["id"]]), "DeleteFlowLogs")

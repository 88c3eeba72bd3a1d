#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_flow_log
version_added: 1.1.0
short_description: Manage a flow log of a VPC with its log group and its role
author: mlplatform contributors (@mlplatform)
description:
  - Creates, changes and deletes a flow log of a VPC that writes into a log group of CloudWatch Logs, with that log group and the role that lets
    it write there.
  - A flow log has no name; the one that writes into O(log_group) is meant.
  - EC2 cannot change a flow log, so one that differs is deleted and created again. What it has written stays in the log group.
  - Neither amazon.aws nor community.aws has a module for flow logs.
options:
  log_group:
    description: The log group, which is created before the flow log and removed after it, with all that it holds.
    type: dict
    required: true
    suboptions:
      name:
        description: Name of the log group.
        type: str
        required: true
      retention_in_days:
        description: Days after which log events expire. Not managed where omitted.
        type: int
      kms_key_id:
        description:
          - ARN of the KMS key that encrypts it. Not managed where omitted.
          - An empty string disassociates a key that this module has associated.
        type: str
  role:
    description:
      - The role that the flow log writes as, which is created before it and removed after it, with all its policies.
      - It has to trust C(vpc-flow-logs.amazonaws.com). One that was just created is waited for, up to two minutes, until it may be assumed.
    type: dict
    required: true
    suboptions:
      name:
        description: Name of the role, at most 64 characters.
        type: str
        required: true
      path:
        description: Path of the role, which begins and ends with a slash. IAM cannot change it later. V(/) for a new role where omitted.
        type: str
      assume_role_policy:
        description:
          - The trust policy, a policy document as IAM spells it, says who may assume the role.
        type: dict
      description:
        description: What the role is for. Not managed where omitted.
        type: str
      managed_policies:
        description:
          - ARNs of the managed policies attached to the role.
          - One that is no longer given is detached. The tag C(mlflow-policies) tells which ones this module has attached; those that
            others have attached are left alone, and a warning names them.
          - With O(state=absent), a role to which others have attached policies is kept, unless this is omitted.
        type: list
        elements: str
      inline_policies:
        description:
          - The policies embedded in the role, policy documents by name. Others are left alone, and a warning names them.
          - With O(state=absent), a role with further ones is kept, unless this is omitted.
        type: dict
      permissions_boundary:
        description:
          - ARN of the managed policy that is the permissions boundary of the role. Empty for none.
          - Where omitted, a boundary that this module has set is removed, and one that others have set is left alone.
        type: str
      max_session_duration:
        description: Maximum duration of a session in seconds, 3600 to 43200. Not managed where omitted.
        type: int
  vpc_id:
    description: ID of the VPC. Required with O(state=present).
    type: str
  traffic_type:
    description: Which traffic it tells of.
    type: str
    choices: [ACCEPT, REJECT, ALL]
    default: ALL
  max_aggregation_interval:
    description: For how many seconds at most it gathers packets into one line.
    type: int
    choices: [60, 600]
    default: 600
  account_id:
    description: The account, of which the ARN of O(log_group) tells. AWS is asked for it where omitted.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Create the flow log
  mlplatform.mlflow_aws.ec2_flow_log:
    vpc_id: vpc-0123456789abcdef0
    log_group:
      name: /aws/vpc-flow-logs/mlflow-team-x
      retention_in_days: 90
    role:
      name: mlflow-team-x-flow-logs
      assume_role_policy:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: vpc-flow-logs.amazonaws.com}
            Action: sts:AssumeRole
      inline_policies:
        flow-logs:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action: [logs:CreateLogStream, logs:DescribeLogStreams, logs:PutLogEvents]
              Resource: arn:aws:logs:eu-west-1:123456789012:log-group:/aws/vpc-flow-logs/mlflow-team-x:*
    tags:
      team: x
"""

RETURN = r"""
flow_log:
  description: The flow log as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  contains:
    id:
      description: ID of the flow log.
      type: str
      sample: fl-0123456789abcdef0
    log_group:
      description: Name of its log group.
      type: str
      sample: /aws/vpc-flow-logs/mlflow-team-x
    role_arn:
      description: ARN of its role.
      type: str
      sample: arn:aws:iam::123456789012:role/mlflow-team-x-flow-logs
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: V(create), V(update), V(replace) or V(delete).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: ec2_flow_log
    name:
      description: Name of the resource.
      type: str
    fields:
      description: What differs, each with C(name), C(before) and C(after).
      type: list
      elements: dict
    warnings:
      description: What the change costs, such as downtime.
      type: list
      elements: str
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.flow_logs import FlowLog
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.roles import ROLE, Role
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import LOG_GROUP, LogGroup


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent, tags = params["state"] == "absent", params["tags"]
    log_group = LogGroup(aws, params["log_group"]["name"], {**params["log_group"], "account_id": params["account_id"]}, tags=tags, absent=absent)
    role = Role(aws, params["role"]["name"], params["role"], tags=tags, absent=absent)
    flow_log = FlowLog(aws, log_group.name, params, tags=tags, role=role, needs=[log_group, role], absent=absent)

    def results() -> dict[str, t.Any]:
        state = flow_log.state
        return {"flow_log": {"id": state["id"], "log_group": flow_log.name, "role_arn": state["role"]} if state else {}}

    return [flow_log, role, log_group] if absent else [log_group, role, flow_log], results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "log_group": {"type": "dict", "required": True, "options": LOG_GROUP},
            "role": {"type": "dict", "required": True, "options": ROLE},
            "vpc_id": {"type": "str"},
            "traffic_type": {"type": "str", "choices": ["ACCEPT", "REJECT", "ALL"], "default": "ALL"},
            "max_aggregation_interval": {"type": "int", "choices": [60, 600], "default": 600},
            "account_id": {"type": "str"},
            **STATE,
            **TAGS,
        },
        required_if=[("state", "present", ["vpc_id"])],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

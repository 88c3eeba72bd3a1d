#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: logs_log_groups
version_added: 1.0.0
short_description: Manage CloudWatch log groups with their retention
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes a set of CloudWatch log groups at the same time.
  - Used in place of M(amazon.aws.cloudwatchlogs_log_group), which reports no diff, so that a plan could not show changes, and
    needs one task and three calls for each group.
options:
  log_groups:
    description: The log groups.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the log group.
        type: str
        required: true
      retention_in_days:
        description: Days after which CloudWatch deletes log events. Not managed where omitted.
        type: int
      kms_key_id:
        description: ARN of the KMS key that encrypts the log events. Not managed where omitted.
        type: str
  account_id:
    description: The account of the log groups. Default is the caller's, which takes one more call.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Create the log group of the service
  mlplatform.mlflow_aws.logs_log_groups:
    log_groups:
      - name: /mlflow/team-x
        retention_in_days: 90
    tags:
      team: x
"""

RETURN = r"""
log_groups:
  description: The log groups by name, as they are after the run. Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    /mlflow/team-x:
      arn: arn:aws:logs:eu-west-1:123456789012:log-group:/mlflow/team-x
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
      sample: logs_log_group
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import LOG_GROUP, LogGroup


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[t.Sequence[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent = params["state"] == "absent"
    account = {"account_id": params["account_id"]}
    groups = [LogGroup(aws, spec["name"], {**spec, **account}, tags=params["tags"], absent=absent) for spec in params["log_groups"]]
    return groups, lambda: {"log_groups": {g.name: {"arn": g.state["arn"]} for g in groups if g.state}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "log_groups": {"type": "list", "elements": "dict", "required": True, "options": LOG_GROUP},
            "account_id": {"type": "str"},
            **STATE,
            **TAGS,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

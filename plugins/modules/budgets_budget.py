#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: budgets_budget
version_added: 1.2.0
short_description: Create a monthly budget and say who is told
author: mlplatform contributors (@mlplatform)
description:
  - Creates, changes and removes a budget of AWS Budgets, for what the resources with a tag cost in a month.
  - AWS counts costs by a tag only once that is a cost allocation tag, which the account that pays activates, and up to a day late.
options:
  name:
    description: Name of the budget. An account has one set of names for all regions.
    type: str
    required: true
  amount:
    description: What the resources may cost a month, in US dollars. Required with O(state=present).
    type: float
  cost_tags:
    description: The tag, and its value, of the resources whose costs count.
    type: dict
    default: {}
  notifications:
    description: When somebody is told.
    type: list
    elements: dict
    default: [{type: ACTUAL, percent: 80}, {type: FORECASTED, percent: 100}]
    suboptions:
      type:
        description: Of the costs so far, or of those that AWS expects of the month.
        type: str
        choices: [ACTUAL, FORECASTED]
        required: true
      percent:
        description: More than so many percent of O(amount).
        type: float
        required: true
  emails:
    description: E-mail addresses that are told, at most 10.
    type: list
    elements: str
    default: []
  topic_arn:
    description: ARN of an SNS topic that is told. Its policy, and that of its key, let C(budgets.amazonaws.com) publish to it.
    type: str
    default: ""
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Tell the team when its stack costs more than 500 dollars a month
  mlplatform.mlflow_aws.budgets_budget:
    name: mlflow-team-x
    amount: 500
    cost_tags: {mlflow-stack: mlflow-team-x}
    emails: [team-x@example.com]
    tags:
      managed-by: us
"""

RETURN = r"""
arn:
  description: ARN of the budget. Empty with O(state=absent).
  type: str
  returned: success
  sample: arn:aws:budgets::123456789012:budget/mlflow-team-x
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains:
    action:
      description: V(create), V(update), V(replace) or V(delete).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: budgets_budget
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.budgets import Budget

NOTIFICATION = {"type": {"type": "str", "choices": ["ACTUAL", "FORECASTED"], "required": True}, "percent": {"type": "float", "required": True}}
TOLD = [{"type": "ACTUAL", "percent": 80}, {"type": "FORECASTED", "percent": 100}]


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    budget = Budget(aws, params["name"], params, tags=params["tags"], absent=params["state"] == "absent")
    return [budget], lambda: {"arn": "" if budget.absent else budget.arn}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "amount": {"type": "float"},
            "cost_tags": {"type": "dict", "default": {}},
            "notifications": {"type": "list", "elements": "dict", "default": TOLD, "options": NOTIFICATION},
            "emails": {"type": "list", "elements": "str", "default": []},
            "topic_arn": {"type": "str", "default": ""},
            **STATE,
            **TAGS,
        },
        required_if=[("state", "present", ("amount",))],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

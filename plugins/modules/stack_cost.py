#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_cost
version_added: 1.2.0
short_description: Say what a stack costs in a month
author: mlplatform contributors (@mlplatform)
description:
  - Shows what a stack costs, resource by resource, where nobody uses it and where it is in use at its full capacity, and what else costs by its use.
  - Asks AWS's price list (C(pricing:GetProducts)). Where that gives no answer, the prices are those of a dated file in the collection. What has no price
    says so.
  - The prices are list prices, on demand, without taxes, discounts and the free tier.
options:
  stack:
    description: Name of the stack, for the heading.
    type: str
    required: true
  cost:
    description: What M(mlplatform.mlflow_aws.preflight) returned as C(cost).
    type: dict
    required: true
  path:
    description: File to write the figures to, as JSON that C(docs/cost-schema.json) describes. Written atomically.
    type: path
  products:
    description:
      - What to ask the price list for. Filled in by the action plugin.
      - Each with C(name), the C(service) and the C(usage) type as the price list has them, without the prefix of a region, and further C(filters).
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
attributes:
  check_mode:
    support: full
    description: Does the same in check mode.
  diff_mode:
    support: none
    description: It changes nothing that a diff could show.
"""

EXAMPLES = r"""
- name: Check the inputs of the stack
  mlplatform.mlflow_aws.preflight:
    scope: cost
  register: checked

- name: Say what it costs
  mlplatform.mlflow_aws.stack_cost:
    stack: mlflow-team-x
    cost: "{{ checked.cost }}"
"""

RETURN = r"""
cost:
  description:
    - The figures, as C(docs/cost-schema.json) describes them. Amounts are of a month; C(null) where something has no price.
  type: dict
  returned: success
  sample:
    stack: mlflow-team-x
    region: eu-west-1
    currency: USD
    prices_date: "2026-07-31"
    prices_source: AWS's price list, as it has just answered
    asleep: 163.84
    awake: 266.04
    complete: true
    resources:
      - {kind: elbv2_load_balancer, name: mlflow-team-x, what: "", asleep: 18.4, awake: 18.4}
    by_use:
      - {product: api_requests, unit: million requests, price: 1.11}
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, BotoCoreError, ClientError, explain
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import guarded
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.pricing import unit_prices


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "cost": {"type": "dict", "required": True},
            "path": {"type": "path"},
            "products": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    if not module.region:
        module.fail_json(msg="no region is set: give mlflow_aws_region (or the option region), or set AWS_DEFAULT_REGION")
    prices, notes = {}, []
    try:
        prices = unit_prices(guarded(module), module.params["products"])
        if not prices:
            notes.append(f"AWS's price list has none of these prices for {module.region}: they are those of the collection.")
    except AwsError as error:
        notes.append(f"AWS's price list cannot be asked, so the prices are those of the collection: {error}")
    except (ClientError, BotoCoreError) as error:
        notes.append(f"AWS's price list cannot be asked (pricing:GetProducts), so the prices are those of the collection: {explain(error)}")
    module.exit_json(changed=False, region=module.region, prices=prices, notes=notes)


if __name__ == "__main__":
    main()

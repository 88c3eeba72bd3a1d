#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apigatewayv2_domain_name
version_added: 1.0.0
short_description: Manage a custom domain name of API Gateway
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes a regional custom domain name for HTTP APIs. No existing module does.
  - Mutual TLS is off, and API mappings decide where a request goes. Other settings are reverted.
  - Whether the domain name has IPv6 addresses too is not managed.
  - With O(state=absent) the API mappings of the domain name are deleted with it.
  - A domain name cannot be renamed. After a change of O(name) the old one is in RV(superseded), for removal once the
    new one is in use.
options:
  name:
    description: The domain name, such as C(mlflow.api.example.com).
    type: str
    required: true
  certificate_arn:
    description: ARN of the ACM certificate, in the same region, that covers the name. Required with O(state=present).
    type: str
  security_policy:
    description: Oldest version of TLS that clients may use; V(TLS_1_2) includes TLS 1.3. API Gateway offers no newer
      one for HTTP APIs.
    type: str
    choices: [TLS_1_2]
    default: TLS_1_2
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Create the domain name of the API
  mlplatform.mlflow_aws.apigatewayv2_domain_name:
    name: mlflow.api.example.com
    certificate_arn: arn:aws:acm:eu-west-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef
    tags:
      team: x
"""

RETURN = r"""
domain_name:
  description: The domain name as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  contains:
    name:
      description: The domain name.
      type: str
    arn:
      description: ARN of the domain name.
      type: str
      sample: arn:aws:apigateway:eu-west-1::/domainnames/mlflow.api.example.com
    target_domain_name:
      description: Name that an alias record of the domain name leads to.
      type: str
      sample: d-0123456789.execute-api.eu-west-1.amazonaws.com
    target_zone_id:
      description: ID of the hosted zone of RV(domain_name.target_domain_name).
      type: str
superseded:
  description: Other domain names that carry both tags C(managed-by) and C(mlflow-stack) of O(tags). Empty where O(tags)
    lacks them.
  type: list
  elements: str
  returned: success
  sample: []
ready:
  description: Whether AWS has finished its work on all of it; without O(wait) it may not have. True in check mode.
  type: bool
  returned: success
  sample: true
dns_records:
  description:
    - The DNS records that lead to the domain name or to one of RV(superseded), each with C(type), C(zone_id) and C(name), as the tag
      C(mlflow-dns-records) of each lists them. See O(mlplatform.mlflow_aws.route53_records#module:remember).
  type: list
  elements: dict
  returned: success
  sample: []
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
      sample: apigatewayv2_domain_name
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

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS, WAIT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.domain_name import DomainName
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    domain = DomainName(aws, params["name"], params, tags=params["tags"], absent=params["state"] == "absent")
    shown = ("target_domain_name", "target_zone_id")
    return [domain], lambda: {
        "domain_name": {"name": domain.name, "arn": domain.arn({}), **{k: domain.state[k] for k in shown}} if domain.state else {},
        "superseded": domain.superseded,
        "dns_records": domain.dns_records,
    }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "certificate_arn": {"type": "str"},
            "security_policy": {"type": "str", "choices": ["TLS_1_2"], "default": "TLS_1_2"},
            **STATE,
            **TAGS,
            **WAIT,
        },
        required_if=[("state", "present", ["certificate_arn"])],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

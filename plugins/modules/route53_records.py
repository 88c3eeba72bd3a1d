#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: route53_records
version_added: 1.0.0
short_description: Manage DNS records and their owner
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes Route 53 records with C(ChangeResourceRecordSets).
  - Records have no tags. So each record has a TXT record beside it, C(_mlflow-stack-<type>.<name>), that holds the owner tags of
    O(tags). Both are changed in one batch, which Route 53 applies atomically.
  - An existing record without the TXT record of this owner is owned by somebody else. With O(state=present) this is an error,
    unless the record is exactly the one asked for, which is then taken over; with O(state=absent) the record is kept.
  - For records that lead to a load balancer or to an API, M(mlplatform.mlflow_aws.elbv2_load_balancer) and M(mlplatform.mlflow_aws.apigatewayv2_api)
    have an option of their own, which also removes the record of a name or a zone that is not wanted any more.
  - Used in place of M(amazon.aws.route53), whose option O(ignore:region) means latency routing, so that it fails where
    C(module_defaults) set the region, and which ignores who owns an existing record.
options:
  records:
    description: The records. Each has either O(records[].alias), or O(records[].values) and O(records[].ttl).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Full name of the record, with or without the final dot.
        type: str
        required: true
      type:
        description: Type of the record.
        type: str
        choices: [A, AAAA, CNAME]
        required: true
      zone_id:
        description: ID of the hosted zone. Nothing is removed from a zone that does not exist.
        type: str
        required: true
      alias:
        description: The AWS resource that the record points to.
        type: dict
        suboptions:
          dns_name:
            description: DNS name of the AWS resource, such as a load balancer.
            type: str
            required: true
          zone_id:
            description: ID of the hosted zone of the AWS resource; AWS has one for each kind of resource and region.
            type: str
            required: true
          evaluate_target_health:
            description: Whether Route 53 takes the health of the target into account. It does where several records share a name.
            type: bool
            default: false
      values:
        description: The values of a record that is no alias.
        type: list
        elements: str
      ttl:
        description: Seconds for which resolvers may cache O(records[].values).
        type: int
  tags:
    description:
      - The tags C(managed-by) and C(mlflow-stack) among these identify the owner of the records. Others are ignored.
      - Without them the owner does not matter, and any record may be changed or removed.
    type: dict
    default: {}
  wait:
    description:
      - Whether to wait until all name servers of Route 53 have the change, which takes 15 to 60 seconds.
      - Nothing in AWS waits for this, and the caches of resolvers last longer, so waiting rarely helps.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
"""

EXAMPLES = r"""
- name: Create the name of the load balancer
  mlplatform.mlflow_aws.route53_records:
    records:
      - name: mlflow.example.com
        type: A
        zone_id: Z0123456789ABCDEFGHIJ
        alias:
          dns_name: internal-mlflow-team-x-123456789.eu-west-1.elb.amazonaws.com
          zone_id: Z32O12XQLNTSW2
    tags:
      managed-by: mlplatform.mlflow_aws
      mlflow-stack: mlflow-team-x

- name: Remove it
  mlplatform.mlflow_aws.route53_records:
    records:
      - name: mlflow.example.com
        type: A
        zone_id: Z0123456789ABCDEFGHIJ
    state: absent
    tags:
      managed-by: mlplatform.mlflow_aws
      mlflow-stack: mlflow-team-x
"""

RETURN = r"""
records:
  description: The records as they are after the run, in the order of O(records). Empty with O(state=absent).
  type: list
  elements: dict
  returned: success
  sample:
    - name: mlflow.example.com
      type: A
      zone_id: Z0123456789ABCDEFGHIJ
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
      sample: route53_record
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record import Record
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record_list import entry
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[t.Sequence[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent = params["state"] == "absent"
    for spec in params["records"]:
        if not absent and not spec["alias"] and (not spec["values"] or spec["ttl"] is None):
            raise AwsError(f"the record {spec['name']} needs an alias, or values and a ttl")
    more = {"tags": params["tags"], "wait": params["wait"]}
    wanted = {entry(record): {**record, **more} for record in params["records"]}
    records = [Record(aws, record["name"], record, absent=absent) for record in wanted.values()]
    return records, lambda: {"records": [{key: r.spec[key] for key in ("name", "type", "zone_id")} for r in records if r.state]}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "records": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "type": {"type": "str", "choices": ["A", "AAAA", "CNAME"], "required": True},
                    "zone_id": {"type": "str", "required": True},
                    "alias": {
                        "type": "dict",
                        "options": {
                            "dns_name": {"type": "str", "required": True},
                            "zone_id": {"type": "str", "required": True},
                            "evaluate_target_health": {"type": "bool", "default": False},
                        },
                    },
                    "values": {"type": "list", "elements": "str"},
                    "ttl": {"type": "int"},
                },
                "mutually_exclusive": [["alias", "values"], ["alias", "ttl"]],
                "required_together": [["values", "ttl"]],
            },
            **STATE,
            "tags": TAGS["tags"],
            "wait": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: acm_certificate
version_added: 1.0.0
short_description: Request an ACM certificate and validate it by DNS
author: mlplatform contributors (@mlplatform)
description:
  - Requests a public certificate, creates the records that prove the ownership of its names in a hosted zone, and waits until it is
    issued. ACM renews it as long as the records are there.
  - With O(state=absent) the certificates for O(domain_name) that have the owner tags are deleted, whatever their status and their further
    names, each with its validation records. A record that also validates another certificate of the account and region is kept.
  - The module of the same name in community.aws only imports certificates.
options:
  domain_name:
    description: The name that the certificate is for.
    type: str
    required: true
  subject_alternative_names:
    description: Further names.
    type: list
    elements: str
    default: []
  zone_id:
    description: ID of the public hosted zone for the validation records.
    type: str
    required: true
  remove_orphans:
    description:
      - Whether O(state=absent) also removes the validation records of these names whose certificate no longer exists.
      - Only for a zone that nobody else uses, because a record does not say which account's certificate it validates.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Create the certificate
  mlplatform.mlflow_aws.acm_certificate:
    domain_name: mlflow.ml.example.com
    zone_id: Z0123456789ABCDEFGHIJ
"""

RETURN = r"""
certificate:
  description: The certificate as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  contains:
    arn:
      description: ARN of the certificate.
      type: str
    status:
      description: V(ISSUED) once it can be used.
      type: str
ready:
  description: Whether AWS has finished its work on all of it; without O(wait) it may not have. True in check mode.
  type: bool
  returned: success
  sample: true
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
      sample: acm_certificate
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.acm import Certificate
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    certificate = Certificate(aws, params["domain_name"], params, tags=params["tags"], absent=params["state"] == "absent")

    def results() -> dict[str, t.Any]:
        state = certificate.state
        return {"certificate": {"arn": state["arn"], "status": state["status"]} if state and not certificate.absent else {}}

    return [certificate], results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "domain_name": {"type": "str", "required": True},
            "subject_alternative_names": {"type": "list", "elements": "str", "default": []},
            "zone_id": {"type": "str", "required": True},
            "remove_orphans": {"type": "bool", "default": False},
            **STATE,
            **TAGS,
            **WAIT,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_health
version_added: 1.0.0
short_description: Check that a deployed stack works
author: mlplatform contributors (@mlplatform)
description:
  - Checks each layer of a stack in AWS and, where they can be reached, the addresses for people and for programs.
  - Logs a run and an artifact through the API and reads them back, with the credentials that MLflow's own client would take from the
    environment (E(MLFLOW_TRACKING_TOKEN), or E(MLFLOW_TRACKING_USERNAME) and E(MLFLOW_TRACKING_PASSWORD)), and deletes them again.
  - Changes nothing else. Shows each check on the terminal; fails where one failed, and names what could not be checked and why.
options:
  name:
    description: Name of the stack.
    type: str
    required: true
  load_balancers:
    description: Names of the stack's load balancers. Default is one with O(name).
    type: list
    elements: str
    default: []
  target_groups:
    description: Names of their target groups. Default is one for each load balancer, with the same name.
    type: list
    elements: str
    default: []
  jobs_service:
    description: Name of the service that runs MLflow's jobs, where one of its own does.
    type: str
    default: ""
  jobs_target_groups:
    description: Names of its target groups.
    type: list
    elements: str
    default: []
  domain_name:
    description: Host name of the API.
    type: str
    required: true
  host_names:
    description: Whether the host names lead to the stack. If not, the domain name and the address of the API are not checked.
    type: bool
    default: true
    version_added: 1.2.0
  api_uri:
    description: Address of the API. Default is C(https://) and O(domain_name).
    type: str
  certificate_arns:
    description: ARNs of the ACM certificates in use.
    type: list
    elements: str
    default: []
  urls:
    description: Addresses that must answer. Any HTTP status below 500 counts, because sign-in may be required.
    type: list
    elements: str
    default: []
  addresses:
    description: Host names of these addresses that are reached at another one, such as a load balancer's, in place of what DNS says.
    type: dict
    default: {}
  drift:
    description: Differences between the stack and the inputs, as modules of this collection return C(changes). The check fails if not empty.
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
"""

EXAMPLES = r"""
- name: Check every layer
  mlplatform.mlflow_aws.stack_health:
    name: mlflow-team-x
    domain_name: mlflow.api.ml.example.com
"""

RETURN = r"""
checks:
  description: What was checked.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Name of the check.
      type: str
      sample: database
    status:
      description: V(ok), V(failed) or V(skipped).
      type: str
    detail:
      description: What AWS or the address answered, or why it could not be asked.
      type: str
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import connect
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.health import checks


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "load_balancers": {"type": "list", "elements": "str", "default": []},
            "target_groups": {"type": "list", "elements": "str", "default": []},
            "jobs_service": {"type": "str", "default": ""},
            "jobs_target_groups": {"type": "list", "elements": "str", "default": []},
            "domain_name": {"type": "str", "required": True},
            "host_names": {"type": "bool", "default": True},
            "api_uri": {"type": "str"},
            "certificate_arns": {"type": "list", "elements": "str", "default": []},
            "urls": {"type": "list", "elements": "str", "default": []},
            "addresses": {"type": "dict", "default": {}},
            "drift": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    done = checks(connect(module), module.params)
    drift = [f"{c['kind']} {c['name']}" for c in module.params["drift"]]
    done.append({"name": "inputs", "status": "failed" if drift else "ok", "detail": f"{len(drift)} resource(s) differ"})
    bad = [f"{c['name']}: {c['detail']}" for c in done if c["status"] == "failed"]
    if bad:
        module.fail_json(msg=f"The stack {module.params['name']} does not work as its inputs say: " + "; ".join(bad), checks=done)
    module.exit_json(changed=False, checks=done)


if __name__ == "__main__":
    main()

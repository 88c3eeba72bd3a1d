#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_report
version_added: 1.0.0
short_description: Say what was deployed and how to use it, or what would change
author: mlplatform contributors (@mlplatform)
description:
  - Writes the outputs as JSON, atomically, and shows names, addresses, how people sign in and how programs are configured.
  - In check mode it shows what would change instead, as M(mlplatform.mlflow_aws.plan_report) does.
  - Runs on the controller, as an action plugin.
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  outputs:
    description: The outputs of the stack.
    type: dict
    required: true
  path:
    description: File that the outputs are written to.
    type: path
    required: true
  authorizer:
    description: Authorizer of the API, which decides what programs prove who they are with.
    type: str
    choices: [lambda, jwt, iam]
    default: lambda
  basic_credentials:
    description: Whether programs may use HTTP Basic.
    type: bool
    default: false
  manage_dns:
    description: Whether the DNS records are managed. If not, it is said which have to be created.
    type: bool
    default: true
  host_names:
    description: Whether the host names lead to the stack. If not, it is said where it is found.
    type: bool
    default: true
    version_added: 1.2.0
  artifact_access:
    description: How programs transfer artifacts, the input C(mlflow_artifact_access).
    type: str
    choices: [proxied, presigned, direct]
    default: proxied
    version_added: 1.2.0
  artifact_multipart:
    description: Whether the server tells programs to transfer large artifacts in parts, the input C(mlflow_artifact_multipart).
    type: bool
    default: false
    version_added: 1.2.0
  not_confirmed:
    description: E-mail addresses that are told of alarms once somebody has followed the link that SNS has sent there.
    type: list
    elements: str
    default: []
    version_added: 1.2.0
  changes:
    description: What the modules returned as C(changes), in order.
    type: list
    elements: dict
    required: true
  plan_path:
    description: File to write the plan to in check mode, as JSON that C(docs/plan-schema.json) describes. Written atomically.
    type: path
  detailed_exitcode:
    description: Whether the task fails in check mode where there are changes.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: It shows the plan, and writes no outputs.
  diff_mode:
    support: none
    description: The outputs are long, and not shown as a diff.
"""

EXAMPLES = r"""
- name: Show what was deployed, or what would change
  mlplatform.mlflow_aws.stack_report:
    stack: mlflow-team-x
    outputs: "{{ mlflow_outputs }}"
    path: mlflow-team-x.outputs.json
    changes: "{{ mlflow_changes }}"
"""

RETURN = r"""
summary:
  description: How many resources would be added, changed, replaced and removed.
  type: dict
  returned: success, in check mode
  sample: {add: 3, change: 1, replace: 0, remove: 0}
"""

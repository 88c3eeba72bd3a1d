#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_report
version_added: 1.0.0
short_description: Write the outputs of a stack and say how to use it
author: mlplatform contributors (@mlplatform)
description:
  - Writes the outputs as JSON, atomically, and shows names, addresses, how people sign in and how programs are configured.
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
  basic_credentials:
    description: Whether programs may use HTTP Basic.
    type: bool
    default: false
  notes:
    description: Further lines.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: none
    description: It runs after a deployment only.
  diff_mode:
    support: none
    description: The outputs are long, and not shown as a diff.
"""

EXAMPLES = r"""
- name: Show the outputs
  mlplatform.mlflow_aws.stack_report:
    stack: mlflow-team-x
    outputs: "{{ mlflow_outputs }}"
    path: mlflow-team-x.outputs.json
"""

RETURN = r"""#"""

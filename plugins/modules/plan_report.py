#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: plan_report
version_added: 1.0.0
short_description: Show what a run changes
author: mlplatform contributors (@mlplatform)
description:
  - Shows the changes that modules of this collection returned, one line for each resource, and counts them.
  - Runs on the controller, as an action plugin.
options:
  stack:
    description: Name of the stack, for the heading.
    type: str
    required: true
  changes:
    description: What the modules returned as C(changes), in order.
    type: list
    elements: dict
    required: true
  path:
    description: File to write the plan to, as JSON that C(docs/plan-schema.json) describes. Written atomically.
    type: path
  detailed_exitcode:
    description: Whether the task fails where there are changes.
    type: bool
    default: false
  notes:
    description: Lines to show below.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Does the same in check mode.
  diff_mode:
    support: none
    description: It changes nothing that a diff could show.
"""

EXAMPLES = r"""
- name: Show what would change
  mlplatform.mlflow_aws.plan_report:
    stack: mlflow-team-x
    changes: "{{ network_changes + rds_changes }}"
"""

RETURN = r"""
summary:
  description: How many resources are added, changed, replaced and removed.
  type: dict
  returned: success
  sample: {add: 3, change: 1, replace: 0, remove: 0}
"""

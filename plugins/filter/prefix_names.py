# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: prefix_names
version_added: 1.0.0
short_description: Add a prefix to the name of each dictionary of a list
author: mlplatform contributors (@mlplatform)
description:
  - The names in AWS contain the name of the stack, those in the inputs do not.
positional: prefix
options:
  _input:
    description: The dictionaries, each with a C(name).
    type: list
    elements: dict
    required: true
  prefix:
    description: The prefix.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the scheduled actions as AWS is given them
  ansible.builtin.debug:
    msg: "{{ mlflow_service_scheduled_actions | mlplatform.mlflow_aws.prefix_names('mlflow-team-x-') }}"
"""

RETURN = r"""
_value:
  description: The dictionaries with these names, in the same order.
  type: list
  elements: dict
  sample: [{name: mlflow-team-x-night, max_capacity: 0}]
"""

import typing as t


def prefix_names(named: t.Iterable[dict[str, t.Any]], prefix: str) -> list[dict[str, t.Any]]:
    return [{**each, "name": f"{prefix}{each['name']}"} for each in named]


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"prefix_names": prefix_names}

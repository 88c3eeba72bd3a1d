# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: ecs_environment
version_added: 1.0.0
short_description: Format environment variables for a container definition of ECS
author: mlplatform contributors (@mlplatform)
description:
  - ECS expects the variables of a container as a list of names and values, with each value a string.
options:
  _input:
    description: The variables, by name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what ECS is given
  ansible.builtin.debug:
    msg: "{{ {'MLFLOW_WORKERS': 4} | mlplatform.mlflow_aws.ecs_environment }}"
"""

RETURN = r"""
_value:
  description: A dictionary with C(name) and C(value) for each variable, in the same order.
  type: list
  elements: dict
  sample: [{name: MLFLOW_WORKERS, value: "4"}]
"""

import typing as t


def ecs_environment(variables: t.Mapping[str, t.Any]) -> list[dict[str, str]]:
    # Here, since Ansible loads all filters of a collection in each run that uses one of them
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.environment import entries

    return entries(dict(variables))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ecs_environment": ecs_environment}

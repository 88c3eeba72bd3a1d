# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: inputs
version_added: 1.2.0
short_description: Give the inputs of a stack, each in its type
author: mlplatform contributors (@mlplatform)
description:
  - The variables C(mlflow_*) of a team file, in the types that the role C(mlflow) declares, whatever they were given as. Text of a list, which surveys
    and C(-e name='[...]') give, is a list.
  - To be used after M(mlplatform.mlflow_aws.preflight), which refuses what has no such type.
options: {}
"""

EXAMPLES = r"""
- name: Show how many CPU units each task has
  ansible.builtin.debug:
    msg: "{{ lookup('mlplatform.mlflow_aws.inputs').mlflow_service_cpu }}"
"""

RETURN = r"""
_list:
  description: The inputs, by their names.
  type: list
  elements: dict
"""

import typing as t

from ansible.plugins.lookup import LookupBase

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import in_its_type
from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._inputs import input_spec


class LookupModule(LookupBase):
    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        given = variables or {}
        return [{name: in_its_type(self._templar.template(given[name]), option) for name, option in input_spec().items() if name in given}]

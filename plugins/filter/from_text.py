# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: from_text
version_added: 1.1.0
short_description: Take a list or a dictionary that may be given as text
author: mlplatform contributors (@mlplatform)
description:
  - Parses JSON or YAML text, which is what surveys of AWX and C(-e name='[...]') give. A list or a dictionary stays what it is.
options:
  _input:
    description: The list, the dictionary, or its text.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show the subnets
  ansible.builtin.debug:
    msg: "{{ '[subnet-0a, subnet-0b]' | mlplatform.mlflow_aws.from_text }}"
"""

RETURN = r"""
_value:
  description: The list or the dictionary.
  type: raw
  sample: [subnet-0a, subnet-0b]
"""

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import from_text


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"from_text": from_text}

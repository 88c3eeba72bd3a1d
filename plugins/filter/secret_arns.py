# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: secret_arns
version_added: 1.0.0
short_description: List the secrets and parameters that containers use
author: mlplatform contributors (@mlplatform)
description:
  - The ARNs in Secrets Manager and Parameter Store that ECS reads before it starts containers, as their C(secrets), as C(secretOptions) of their
    log configuration, or as credentials of a registry.
  - They are returned without the JSON key, version stage and version that ECS accepts after an ARN.
positional: more, parameters
options:
  _input:
    description: Container definitions, spelled as the ECS API spells them.
    type: list
    elements: dict
    required: true
  more:
    description: Further secrets, by the name of an environment variable.
    type: dict
    default: {}
  parameters:
    description: What the ARNs of parameters begin with that are given by their names, up to C(:parameter).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show what the role that starts the tasks has to read
  ansible.builtin.debug:
    msg: "{{ mlflow_service_sidecar_container_definitions | mlplatform.mlflow_aws.secret_arns(mlflow_service_secrets) }}"
"""

RETURN = r"""
_value:
  description: The ARNs, each once, sorted.
  type: list
  elements: str
  sample: ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:openai-a1b2c3"]
"""

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import secret_arns


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"secret_arns": secret_arns}

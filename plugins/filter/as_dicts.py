# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: as_dicts
version_added: 1.0.0
short_description: Turn each value of a list into a dictionary
author: mlplatform contributors (@mlplatform)
description:
  - Each value becomes a dictionary that has it under one key, with further keys that are the same for all.
positional: key
options:
  _input:
    description: The values.
    type: list
    required: true
  key:
    description: The key of the value.
    type: str
    required: true
notes:
  - All other keyword arguments become keys of each dictionary.
"""

EXAMPLES = r"""
- name: Register a service with each of the target groups
  mlplatform.mlflow_aws.ecs_service:
    name: mlflow-team-x
    cluster: mlflow-team-x
    task_definition: "{{ task_definition_arn }}"
    subnets: [subnet-0a, subnet-0b]
    security_groups: [sg-0a]
    load_balancers: "{{ [target_group_arn] | mlplatform.mlflow_aws.as_dicts('target_group_arn', container_name='mlflow', container_port=5000) }}"
"""

RETURN = r"""
_value:
  description: A dictionary for each value, in the same order.
  type: list
  elements: dict
  sample:
    - target_group_arn: arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/mlflow-team-x/0123456789abcdef
      container_name: mlflow
      container_port: 5000
"""

import typing as t


def as_dicts(values: t.Iterable[t.Any], key: str, **more: t.Any) -> list[dict[str, t.Any]]:
    return [{key: value, **more} for value in values]


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"as_dicts": as_dicts}

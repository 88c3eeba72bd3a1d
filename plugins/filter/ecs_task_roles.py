# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: ecs_task_roles
version_added: 1.2.0
short_description: Give the IAM roles of the tasks of a stack
author: mlplatform contributors (@mlplatform)
description:
  - From what a team has chosen, the IAM roles of the tasks of MLflow's service, with all that they may do, as M(mlplatform.mlflow_aws.iam_roles)
    takes them.
options:
  _input:
    description: The inputs, as the lookup P(mlplatform.mlflow_aws.inputs#lookup) gives them.
    type: dict
    required: true
  account:
    description: What M(mlplatform.mlflow_aws.preflight) returns.
    type: dict
    required: true
  bucket_id:
    description: The name of the bucket of the artifacts.
    type: str
    required: true
  bucket_arn:
    description: Its ARN.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the roles
  ansible.builtin.debug:
    msg: "{{ lookup('mlplatform.mlflow_aws.inputs') | mlplatform.mlflow_aws.ecs_task_roles(account=account, bucket_id='b', bucket_arn='arn:aws:s3:::b') }}"
"""

RETURN = r"""
_value:
  description: The roles.
  type: list
  elements: dict
"""

import typing as t


def ecs_task_roles(inputs: dict[str, t.Any], *, account: dict[str, t.Any], bucket_id: str, bucket_arn: str) -> list[dict[str, t.Any]]:
    # Here, since Ansible loads all filters of a collection in each task that uses one of them
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.choices import Choices
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.roles import Roles

    return Roles(Choices(inputs, account), bucket_id, bucket_arn).all()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ecs_task_roles": ecs_task_roles}

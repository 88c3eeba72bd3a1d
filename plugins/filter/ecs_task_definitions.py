# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: ecs_task_definitions
version_added: 1.2.0
short_description: Give the task definitions of a stack
author: mlplatform contributors (@mlplatform)
description:
  - From what a team has chosen and the other parts of the stack, task definitions of MLflow's service, as M(mlplatform.mlflow_aws.ecs_cluster)
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
  parts:
    description: The other parts of the stack, the fields of C(Parts) in C(module_utils/_stack/ecs/choices.py).
    type: dict
    required: true
  tasks:
    description:
      - Which task definitions to give. V(preparation) initialises the database, V(moving_in) copies another MLflow's, V(servers) are the servers and
        what runs MLflow's jobs, if that is a service of its own.
    type: list
    elements: str
    choices: [preparation, moving_in, servers]
    required: true
  files:
    description: The directory of the programs that the containers run.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Show a task definition
  ansible.builtin.debug:
    msg: "{{ inputs | mlplatform.mlflow_aws.ecs_task_definitions(account=account, parts=parts, tasks=['preparation'], files=role_path ~ '/files') }}"
"""

RETURN = r"""
_value:
  description: The task definitions.
  type: list
  elements: dict
"""

import typing as t
from pathlib import Path


def ecs_task_definitions(
    inputs: dict[str, t.Any], *, account: dict[str, t.Any], parts: dict[str, t.Any], tasks: t.Iterable[str], files: str
) -> list[dict[str, t.Any]]:
    # Here, since Ansible loads all filters of a collection in each task that uses one of them
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.choices import Choices, Parts
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.containers import Tasks

    def read(name: str) -> str:
        return Path(files, name).read_text(encoding="utf-8").rstrip()

    definitions = Tasks(Choices(inputs, account), Parts.of(parts), read)
    give = {"preparation": lambda: [definitions.preparation()], "moving_in": lambda: [definitions.moving_in()], "servers": definitions.servers}
    return [definition for task in tasks for definition in give[task]()]


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ecs_task_definitions": ecs_task_definitions}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: stack_monitoring
version_added: 1.2.0
short_description: Give the alarms and the dashboards of a stack
author: mlplatform contributors (@mlplatform)
description:
  - From what a stack consists of and what is normal for it, its alarms and its dashboards, as M(mlplatform.mlflow_aws.cloudwatch_monitoring) takes them.
options:
  _input:
    description: What is watched, the fields of C(Watched) in C(module_utils/_stack/monitoring/alarms.py).
    type: dict
    required: true
  prefix:
    description: How the names of all alarms begin.
    type: str
    required: true
  arn_prefix:
    description: How the ARNs of all alarms begin.
    type: str
    required: true
  region:
    description: The region of the stack.
    type: str
    required: true
  bucket:
    description: The bucket of the artifacts.
    type: str
    required: true
  links:
    description: What the dashboard links to, URLs by names. C(cost) is that of Cost Explorer.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the alarms
  ansible.builtin.debug:
    msg: "{{ (watched | mlplatform.mlflow_aws.stack_monitoring(prefix='team-x/', arn_prefix=arns, region='eu-west-1', bucket='b', links={})).alarms }}"
"""

RETURN = r"""
_value:
  description: The alarms, and the bodies of the dashboards.
  type: dict
  contains:
    alarms:
      description: A list.
      type: list
    dashboard:
      description: The body of that of the stack.
      type: dict
    account_dashboard:
      description: The body of that over all stacks of the account.
      type: dict
"""

import typing as t


def stack_monitoring(watched: dict[str, t.Any], *, prefix: str, arn_prefix: str, region: str, bucket: str, links: dict[str, str]) -> dict[str, t.Any]:
    # Here, since Ansible loads all filters of a collection in each run that uses one of them
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.monitoring.account_dashboard import account_dashboard
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.monitoring.alarms import Watched, alarms
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.monitoring.dashboard import dashboard

    numbers = {"capacities": int, "minimum_capacities": int, "database_capacities": float}  # which may come as text
    known = Watched(**{**watched, **{name: tuple(map(of, watched[name])) for name, of in numbers.items()}})
    body = dashboard(known, bucket, prefix, arn_prefix, region, {name: url for name, url in links.items() if url})
    return {
        "alarms": [alarm.option(prefix) for alarm in alarms(known)],
        "dashboard": body,
        "account_dashboard": account_dashboard(region, links.get("cost", "")),
    }


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"stack_monitoring": stack_monitoring}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What holds for every module on the shared base, and the options that they share."""

    DOCUMENTATION = r"""
options: {}
requirements:
  - python >= 3.11
  - boto3 >= 1.40.0
  - botocore >= 1.40.0
attributes:
  check_mode:
    support: full
    description: Reports what would change and changes nothing. In check mode every operation that could change AWS is refused.
  diff_mode:
    support: full
    description: Reports each field that differs, before and after. Secrets show as C((sensitive)).
  idempotent:
    support: full
    description: A second run changes nothing.
  action_group:
    support: full
    description: Use C(group/mlplatform.mlflow_aws.aws) in C(module_defaults) to set the credentials and the region once.
    membership:
      - mlplatform.mlflow_aws.aws
"""

    STATE = r"""
options:
  state:
    description: Whether the resources exist.
    type: str
    choices: [present, absent]
    default: present
"""

    TAGS = r"""
options:
  tags:
    description:
      - The tags of every resource that the module creates. Other tags on them are removed, unless O(ignore_tags) names them.
      - A resource of the right name that carries neither the C(managed-by) nor the C(mlflow-stack) tag given here is owned by
        somebody else. With C(state=present) this is an error, with C(state=absent) the resource is kept.
    type: dict
    default: {}
  ignore_tags:
    description:
      - Tags that others set and that are left alone, by their keys. What ends in C(-) or C(:) is the beginning of keys.
      - A resource that takes the place of another, such as the next revision of a task definition, gets those of the other.
      - Use C(group/mlplatform.mlflow_aws.tagged) in C(module_defaults) to set it once.
    type: list
    elements: str
    default: []
"""

    WAIT = r"""
options:
  wait:
    description: Whether to wait until AWS has finished its work.
    type: bool
    default: true
"""

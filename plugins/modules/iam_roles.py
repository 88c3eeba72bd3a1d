#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_roles
version_added: 1.0.0
short_description: Manage IAM roles with all their policies
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes a set of IAM roles at the same time, each with its trust policy, its inline policies and its
    attached managed policies. Policies that others have added to these roles are left alone.
  - Policy documents are compared by meaning, not by spelling, and sent as they are given here.
  - Used in place of M(amazon.aws.iam_role), which has no inline policies and reports no diff, and of M(amazon.aws.iam_policy),
    so that a role takes one task and a plan names each policy.
  - IAM is eventually consistent, so a new role can be used after some seconds only. Whatever uses it must retry until then.
options:
  roles:
    description: The roles.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the role, at most 64 characters.
        type: str
        required: true
      path:
        description: Path of the role, which begins and ends with a slash. IAM cannot change it later. V(/) for a new role where omitted.
        type: str
      assume_role_policy:
        description:
          - The trust policy, a policy document as IAM spells it, says who may assume the role.
          - Required with O(state=present).
        type: dict
      description:
        description: What the role is for. Not managed where omitted.
        type: str
      managed_policies:
        description:
          - ARNs of the managed policies attached to the role.
          - One that is no longer given is detached. The tag C(mlflow-policies) tells which ones this module has attached; those that
            others have attached are left alone, and a warning names them.
          - With O(state=absent), a role to which others have attached policies is kept, unless this is omitted.
        type: list
        elements: str
      inline_policies:
        description:
          - The policies embedded in the role, policy documents by name. Others are left alone, and a warning names them.
          - With O(state=absent), a role with further ones is kept, unless this is omitted.
        type: dict
      permissions_boundary:
        description:
          - ARN of the managed policy that is the permissions boundary of the role. Empty for none.
          - Where omitted, a boundary that this module has set is removed, and one that others have set is left alone.
        type: str
      max_session_duration:
        description: Maximum duration of a session in seconds, 3600 to 43200. Not managed where omitted.
        type: int
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Create the role of the tasks
  mlplatform.mlflow_aws.iam_roles:
    roles:
      - name: mlflow-team-x-ecs-task
        assume_role_policy:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Principal: {Service: ecs-tasks.amazonaws.com}
              Action: sts:AssumeRole
        inline_policies:
          artifacts:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: [s3:GetObject, s3:PutObject]
                Resource: arn:aws:s3:::mlflow-team-x/*
    tags:
      team: x
"""

RETURN = r"""
roles:
  description: The roles by name, as they are after the run. With O(state=absent) those that are kept for the policies that others have added.
  type: dict
  returned: success
  sample:
    mlflow-team-x-ecs-task:
      arn: arn:aws:iam::123456789012:role/mlflow-team-x-ecs-task
      id: AROAEXAMPLE
      name: mlflow-team-x-ecs-task
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: V(create), V(update), V(replace) or V(delete).
      type: str
    kind:
      description: Kind of the resource, V(iam_role), V(iam_role_policy) or V(iam_role_policy_attachment).
      type: str
      sample: iam_role
    name:
      description: Name of the resource; of a policy C(role/policy).
      type: str
    fields:
      description: What differs, each with C(name), C(before) and C(after).
      type: list
      elements: dict
    warnings:
      description: What the change costs, such as downtime.
      type: list
      elements: str
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.roles import ROLE, Role


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Role], t.Callable[[], dict[str, t.Any]]]:
    absent = params["state"] == "absent"
    for spec in params["roles"]:
        if not absent and not spec["assume_role_policy"]:
            raise AwsError(f"iam_role {spec['name']}: assume_role_policy is required: it says who may assume the role")
    roles = [Role(aws, spec["name"], spec, tags=params["tags"], absent=absent) for spec in params["roles"]]
    return roles, lambda: {"roles": {r.name: {"arn": r.state["arn"], "id": r.state["id"], "name": r.name} for r in roles if r.state}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={"roles": {"type": "list", "elements": "dict", "required": True, "options": ROLE}, **STATE, **TAGS}, supports_check_mode=True
    )
    run(module, build)


if __name__ == "__main__":
    main()

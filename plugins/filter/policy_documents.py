# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: policy_documents
version_added: 1.1.0
short_description: The IAM policy documents that deploy stacks of a prefix of names
author: mlplatform contributors (@mlplatform)
description:
  - The permissions that the caller of the playbooks needs, as documents that each fit into a managed policy. Those with C(bootstrap) in
    their names are for the playbook C(bootstrap), all others together for the other playbooks.
positional: account_id, region
options:
  _input:
    description: How the names of the stacks begin.
    type: str
    required: true
  account_id:
    description: The account.
    type: str
    required: true
  region:
    description: The region.
    type: str
    required: true
  permissions_boundary_arn:
    description: The permissions boundary that roles of the stacks must have. Without one, who may create roles may give them any permission.
    type: str
    default: ""
  role_path:
    description: The path of the roles of the stacks.
    type: str
    default: /
  secret_arns:
    description: Secrets to read whose names do not begin with the prefix.
    type: list
    elements: str
    default: []
  key_arns:
    description: KMS keys to use. All of the account and region where empty.
    type: list
    elements: str
    default: []
  dns_role_arn:
    description: The role to assume in the account that has the hosted zones, if it is another one.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show the documents of one stack
  ansible.builtin.debug:
    msg: "{{ 'mlflow-team-x' | mlplatform.mlflow_aws.policy_documents('123456789012', 'eu-west-1') }}"
"""

RETURN = r"""
_value:
  description: The documents, by their names.
  type: dict
  sample:
    iam-policy-network: {Version: "2012-10-17", Statement: []}
"""

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.statements import Document


def policy_documents(
    prefix: str,
    account_id: str,
    region: str,
    permissions_boundary_arn: str = "",
    role_path: str = "/",
    secret_arns: t.Iterable[str] = (),
    key_arns: t.Iterable[str] = (),
    dns_role_arn: str = "",
) -> dict[str, Document]:
    # Here, since Ansible loads all filters of a collection in each task that uses one of them
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.documents import documents
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.statements import Scope

    return documents(Scope(prefix, str(account_id), region, role_path, permissions_boundary_arn, tuple(secret_arns), tuple(key_arns), dns_role_arn))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"policy_documents": policy_documents}

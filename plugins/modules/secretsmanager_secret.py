#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secretsmanager_secret
version_added: 1.0.0
short_description: Manage a Secrets Manager secret whose value is given or generated
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes one secret (C(CreateSecret), C(UpdateSecret), C(RestoreSecret), C(DeleteSecret)).
  - The value is never returned, and shows as C((sensitive)) in the diff and in O(ignore:changes).
  - A secret of this name and this stack that is scheduled for deletion is restored and reused.
  - Used in place of M(community.aws.secretsmanager_secret), which cannot generate a value that no later run changes,
    and does not return the version of a value, which shows others that it changed.
options:
  name:
    description: Name of the secret.
    type: str
    required: true
  description:
    description: Description of the secret. Not managed where omitted.
    type: str
  kms_key_id:
    description:
      - ARN, id or alias of the KMS key that encrypts the secret, always in the same spelling, because AWS returns it as it was
        given.
      - Not managed where omitted; a new secret is then encrypted with the account's C(aws/secretsmanager) key.
    type: str
  value:
    description:
      - The value. It is compared with the one AWS has (C(GetSecretValue)).
      - With O(state=present), one of O(value) and O(generate) is required.
    type: str
  generate:
    description:
      - "The value is a JSON object with these keys, each with a random value of this kind: V(hex16) and V(hex32) are 16 and 32
        bytes in hexadecimal, V(fernet) is 32 bytes in URL-safe base64, the form of a Fernet key."
      - It is generated when the secret is created and never changed afterwards, even if this option changes.
    type: dict
  marker:
    description: Further tags of the secret.
    type: dict
    default: {}
  recovery_window_in_days:
    description: With O(state=absent), days in which the secret can be restored, 7 to 30. V(0) deletes it at once and for good.
    type: int
    default: 30
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Create the keys that all replicas of the server share
  mlplatform.mlflow_aws.secretsmanager_secret:
    name: mlflow-team-x-server-keys
    generate:
      flask_secret_key: hex32
      webhook_encryption_key: fernet
    tags:
      team: x

- name: Create a secret with a given value
  mlplatform.mlflow_aws.secretsmanager_secret:
    name: mlflow-team-x-backend-store-uri
    value: "{{ uri }}"

- name: Remove a secret, for good after a week
  mlplatform.mlflow_aws.secretsmanager_secret:
    name: mlflow-team-x-server-keys
    recovery_window_in_days: 7
    state: absent
"""

RETURN = r"""
secret:
  description:
    - The secret, as it is after the run. Empty with O(state=absent).
    - C(version_id) is that of the current value, in check mode C((known after apply)) where the value would change.
  type: dict
  returned: success
  sample:
    arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-team-x-server-keys-a1b2c3
    name: mlflow-team-x-server-keys
    version_id: 5048fd33-28c3-4f9d-8a1b-3f1d2c7b6a5e
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
      description: Kind of the resource.
      type: str
      sample: secretsmanager_secret
    name:
      description: Name of the resource.
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.secretsmanager import GENERATED_SECRET, Secret, check_secret


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    check_secret(params)
    if params["state"] == "present" and params["value"] is None and params["generate"] is None:
        raise AwsError("one of value and generate is required")
    secret = Secret(aws, params["name"], params, tags=params["tags"], absent=params["state"] == "absent")
    return [secret], lambda: {"secret": secret.result()}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={**GENERATED_SECRET, "value": {"type": "str", "no_log": True}, "marker": {"type": "dict", "default": {}}, **STATE, **TAGS},
        mutually_exclusive=[("value", "generate")],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

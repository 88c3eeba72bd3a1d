#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lambda_function
version_added: 1.0.0
short_description: Manage a Lambda function with its code, its role, its log group and its secret
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes a Lambda function. Its package is built from a directory, with the same bytes on every
    machine, so code is deployed only when it has changed.
  - The function has no layers, no VPC and no KMS key of its own; where somebody added one it is removed.
  - Code and configuration are changed one after the other, because Lambda refuses a change while another is under way.
  - Used in place of M(amazon.aws.lambda), which has no logging configuration, reports no diff, and does not wait
    until Lambda has applied a change.
options:
  name:
    description: Name of the function.
    type: str
    required: true
  source:
    description: Directory whose files are the function's package. Required with O(state=present).
    type: path
  handler:
    description: Entry point, as C(module.function). Required with O(state=present).
    type: str
  role:
    description:
      - ARN of the role that the function runs as. Either this or O(execution_role) is required with O(state=present).
      - A role that was just created is waited for, up to two minutes, until Lambda may assume it.
    type: str
  execution_role:
    description: The role that the function runs as, which is created before it and removed after it, with all its policies.
    type: dict
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
  log_group:
    description: A log group that is created before the function and removed after it. O(logging_config) has the function write to it.
    type: dict
    suboptions:
      name:
        description: Name of the log group.
        type: str
        required: true
      retention_in_days:
        description: Days after which log events expire. Not managed where omitted.
        type: int
      kms_key_id:
        description:
          - ARN of the KMS key that encrypts it. Not managed where omitted.
          - An empty string disassociates a key that this module has associated.
        type: str
  secret:
    description:
      - A secret with generated values that the function reads. It is created before the function and removed after it.
      - One that is scheduled for deletion is restored and reused. The values are never returned.
    type: dict
    suboptions:
      name:
        description: Name of the secret.
        type: str
        required: true
      description:
        description: Description of the secret. Not managed where omitted.
        type: str
      kms_key_id:
        description:
          - ARN, id or alias of the KMS key that encrypts the secret, always in the same spelling, because AWS returns it as it was given.
          - Not managed where omitted; a new secret is then encrypted with the account's C(aws/secretsmanager) key.
        type: str
      generate:
        description:
          - "The value is a JSON object with these keys, each with a random value of this kind: V(hex16), V(hex32) or V(fernet), as of
            M(mlplatform.mlflow_aws.secretsmanager_secret)."
          - It is generated when the secret is created and never changed afterwards.
        type: dict
      recovery_window_in_days:
        description: With O(state=absent), days in which the secret can be restored, 7 to 30. V(0) deletes it at once and for good.
        type: int
        default: 30
  account_id:
    description: The account, of which the ARN of O(log_group) tells. AWS is asked for it where omitted.
    type: str
  runtime:
    description: The runtime.
    type: str
    default: python3.13
  architectures:
    description: The processor, V(arm64) or V(x86_64), as a list of one.
    type: list
    elements: str
    default: [arm64]
  description:
    description: What the function is for.
    type: str
    default: ""
  timeout:
    description: Seconds after which Lambda ends a call.
    type: int
    default: 3
  memory_size:
    description: Memory in MiB; the processor's share grows with it.
    type: int
    default: 128
  environment:
    description: The environment variables. Their values are shown in plans, so secrets do not belong here.
    type: dict
    default: {}
  logging_config:
    description: Where and how the function logs.
    type: dict
    suboptions:
      log_group:
        description: Name of the log group.
        type: str
        required: true
      log_format:
        description: Format of the log events.
        type: str
        choices: [JSON, Text]
        default: JSON
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Create the authorizer
  mlplatform.mlflow_aws.lambda_function:
    name: mlflow-team-x-authorizer
    source: files/authorizer
    handler: authorizer.handler
    role: arn:aws:iam::123456789012:role/mlflow-team-x-authorizer
    timeout: 10
    environment:
      COGNITO_USER_POOL_ID: eu-west-1_EXAMPLE
    logging_config:
      log_group: /aws/lambda/mlflow-team-x-authorizer
    tags:
      team: x
"""

RETURN = r"""
function:
  description: The function as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  contains:
    arn:
      description: ARN of the function.
      type: str
      sample: arn:aws:lambda:eu-west-1:123456789012:function:mlflow-team-x-authorizer
    invoke_arn:
      description: URI by which API Gateway calls the function.
      type: str
    name:
      description: Name of the function.
      type: str
secret:
  description:
    - The secret, as it is after the run. Empty with O(state=absent), and where O(secret) is omitted.
    - C(version_id) is that of the current value.
  type: dict
  returned: success
  sample:
    arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-team-x-identity-key-a1b2c3
    name: mlflow-team-x-identity-key
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
      sample: lambda_function
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.lambda_ import Function, build_zip
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.roles import ROLE, Role
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import LOG_GROUP, LogGroup
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.secretsmanager import GENERATED_SECRET, Secret, check_secret
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent, tags = params["state"] == "absent", params["tags"]
    spec = dict(params)
    if not absent:
        try:
            spec["package"] = build_zip(params["source"])
        except (OSError, ValueError) as error:
            raise AwsError(f"source: {error}") from None
    group, role, secret = params["log_group"], params["execution_role"], params["secret"]
    if secret:
        check_secret(secret)
    log_group = LogGroup(aws, group["name"], {**group, "account_id": params["account_id"]}, tags=tags, absent=absent) if group else None
    execution_role = Role(aws, role["name"], role, tags=tags, absent=absent) if role else None
    before = [execution_role] if execution_role and not absent else []  # which costs nothing, and may be refused
    key = Secret(aws, secret["name"], {**secret, "value": None, "marker": {}}, tags=tags, needs=before, absent=absent) if secret else None
    used = [each for each in (log_group, execution_role, key) if each]
    function = Function(aws, params["name"], spec, tags=tags, role=execution_role, needs=used, absent=absent)

    def results() -> dict[str, t.Any]:
        of_secret = {"secret": key.result() if key else {}}
        if not function.state:
            return {"function": {}, **of_secret}
        arn = function.state["arn"]
        path = f"lambda:path/2015-03-31/functions/{arn}/invocations"
        invoke_arn = f"arn:{aws.partition}:apigateway:{aws.region}:{path}"
        return {"function": {"name": function.name, "arn": arn, "invoke_arn": invoke_arn}, **of_secret}

    return [function, *reversed(used)] if absent else [*used, function], results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "source": {"type": "path"},
            "handler": {"type": "str"},
            "role": {"type": "str"},
            "execution_role": {"type": "dict", "options": ROLE},
            "log_group": {"type": "dict", "options": LOG_GROUP},
            "secret": {"type": "dict", "options": GENERATED_SECRET, "no_log": False},
            "account_id": {"type": "str"},
            "runtime": {"type": "str", "default": "python3.13"},
            "architectures": {"type": "list", "elements": "str", "default": ["arm64"]},
            "description": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 3},
            "memory_size": {"type": "int", "default": 128},
            "environment": {"type": "dict", "default": {}},
            "logging_config": {
                "type": "dict",
                "options": {"log_group": {"type": "str", "required": True}, "log_format": {"type": "str", "choices": ["JSON", "Text"], "default": "JSON"}},
            },
            **STATE,
            **TAGS,
        },
        required_if=[("state", "present", ["source", "handler"]), ("state", "present", ["role", "execution_role"], True)],
        mutually_exclusive=[("role", "execution_role")],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

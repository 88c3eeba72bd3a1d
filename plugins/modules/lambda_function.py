#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lambda_function
version_added: 1.0.0
short_description: Manage a Lambda function with its code
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
      - ARN of the role that the function runs as. Required with O(state=present).
      - A role that was just created is waited for, up to two minutes, until Lambda may assume it.
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
- name: Ensure the authorizer
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

import json
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.lambda_package import build_zip, code_sha256
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run

CODE = frozenset({"code_sha256", "architectures"})
"""What UpdateFunctionCode changes; UpdateFunctionConfiguration changes the rest."""


WITHOUT = {"layers": ("Layers", []), "subnet_ids": ("VpcConfig", {"SubnetIds": [], "SecurityGroupIds": []}), "kms_key_arn": ("KMSKeyArn", "")}
"""What the function does without, and how Lambda is told so."""


def normal(configuration: dict[str, t.Any]) -> State:
    """A function's configuration as Lambda answers it, in our terms."""
    logging = configuration.get("LoggingConfig", {})
    return {
        "arn": configuration["FunctionArn"],
        "code_sha256": configuration["CodeSha256"],
        "handler": configuration["Handler"],
        "role": configuration["Role"],
        "runtime": configuration["Runtime"],
        "architectures": configuration.get("Architectures", ["x86_64"]),
        "description": configuration.get("Description", ""),
        "timeout": configuration["Timeout"],
        "memory_size": configuration["MemorySize"],
        "environment": configuration.get("Environment", {}).get("Variables", {}),
        "layers": [layer["Arn"] for layer in configuration.get("Layers", [])],
        "subnet_ids": sorted(configuration.get("VpcConfig", {}).get("SubnetIds", [])),
        "kms_key_arn": configuration.get("KMSKeyArn", ""),
        "logging_config": {"log_group": logging.get("LogGroup"), "log_format": logging.get("LogFormat")},
        **_status(configuration),
    }


def _status(configuration: dict[str, t.Any]) -> State:
    return {
        "state": configuration.get("State", "Active"),
        "update": configuration.get("LastUpdateStatus", "Successful"),
        "reason": configuration.get("StateReason") or configuration.get("LastUpdateStatusReason") or "no reason given",
    }


def arguments(fields: State) -> dict[str, t.Any]:
    """Fields of the configuration as Lambda's API takes them."""
    spelled = {"handler": "Handler", "role": "Role", "runtime": "Runtime", "description": "Description", "timeout": "Timeout", "memory_size": "MemorySize"}
    given = {spelled[name]: value for name, value in fields.items() if name in spelled}
    if "environment" in fields:
        given["Environment"] = {"Variables": fields["environment"]}
    if logging := fields.get("logging_config"):
        given["LoggingConfig"] = {"LogGroup": logging["log_group"], "LogFormat": logging["log_format"]}
    return given


class Function(Resource):
    kind = "lambda_function"
    service = "lambda"
    timeout = 300

    def describe(self) -> State | None:
        answer = none_if_missing(self.aws.client("lambda").get_function, "ResourceNotFoundException", FunctionName=self.name)
        if answer is None:
            return None
        if "TagsError" in answer:
            raise AwsError(f"its tags cannot be read: {answer['TagsError'].get('Message')}")
        tags = {k: v for k, v in answer.get("Tags", {}).items() if not k.startswith("aws:")}
        return {**normal(answer["Configuration"]), "tags": tags}

    def desired(self) -> State:
        environment = {name: str(value) for name, value in self.spec["environment"].items()}
        plain = "handler role runtime architectures description timeout memory_size logging_config".split()
        fields = {name: self.spec[name] for name in plain}
        without: State = {"layers": [], "subnet_ids": [], "kms_key_arn": ""}
        return {**fields, **without, "environment": environment, "code_sha256": code_sha256(self.spec["package"])}

    def unknown(self) -> State:
        return {"arn": f"arn:{self.aws.partition}:lambda:{self.aws.region}:{self.aws.account_id}:function:{self.name}"}

    def create(self, desired: State) -> State:
        configuration = self.aws.client("lambda").create_function(
            FunctionName=self.name, Code={"ZipFile": self.spec["package"]}, Architectures=desired["architectures"], Tags=desired["tags"], **arguments(desired)
        )
        return {"arn": configuration["FunctionArn"], **_status(configuration)}

    def update(self, before: State, changes: State) -> State:
        client, status = self.aws.client("lambda"), {}
        if CODE & changes.keys():
            code = {"ZipFile": self.spec["package"], "Architectures": self.spec["architectures"]}
            status = _status(client.update_function_code(FunctionName=self.name, **code))
        without = dict(WITHOUT[name] for name in WITHOUT.keys() & changes.keys())
        if configuration := {**arguments(changes), **without}:
            if status and self.pending(status):
                self.wait_ready()
            status = _status(client.update_function_configuration(FunctionName=self.name, **configuration))
        return status

    def delete(self, before: State) -> None:
        self.aws.client("lambda").delete_function(FunctionName=self.name)

    def children(self) -> list[Permission]:
        """The statements of the policy of a function that goes. Those of one that stays are of what calls it."""
        if not self.absent:
            return []
        policy = self._policy()
        statements = json.loads(policy["Policy"])["Statement"] if policy else []
        return [Permission(self.aws, f"{self.name}/{s['Sid']}", parent=self, absent=True) for s in statements]

    def prefetch_reads(self) -> list[t.Callable[[], t.Any]]:
        return [self._policy] if self.absent else []

    def _policy(self) -> State | None:
        """GetPolicy's answer, as it was before this run."""
        get = self.aws.client("lambda").get_policy
        return self.aws.once("policy", lambda: none_if_missing(get, "ResourceNotFoundException", FunctionName=self.name))

    def pending(self, state: State) -> bool:
        if "Failed" in (state["state"], state["update"]):
            raise AwsError(f"Lambda could not take it over: {state['reason']}. Delete the function and run again")
        return state["state"] == "Pending" or state["update"] == "InProgress"


class Permission(Resource):
    """A statement of the policy of a function that goes."""

    kind = "lambda_permission"
    deleted_with_parent = True

    def describe(self) -> State:
        return {}


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent = params["state"] == "absent"
    spec = dict(params)
    if not absent:
        try:
            spec["package"] = build_zip(params["source"])
        except (OSError, ValueError) as error:
            raise AwsError(f"source: {error}") from None
    function = Function(aws, params["name"], spec, tags=params["tags"], absent=absent)

    def results() -> dict[str, t.Any]:
        if not function.state:
            return {"function": {}}
        arn = function.state["arn"]
        path = f"lambda:path/2015-03-31/functions/{arn}/invocations"
        invoke_arn = f"arn:{aws.partition}:apigateway:{aws.region}:{path}"
        return {"function": {"name": function.name, "arn": arn, "invoke_arn": invoke_arn}}

    return [function], results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "source": {"type": "path"},
            "handler": {"type": "str"},
            "role": {"type": "str"},
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
        required_if=[("state", "present", ["source", "handler", "role"])],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

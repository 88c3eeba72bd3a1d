# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: Lambda functions, and their packages."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import typing as t
import zipfile
from pathlib import Path

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import own_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.roles import Role
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import LogGroup

CODE = frozenset({"code_sha256", "architectures"})
"""What UpdateFunctionCode changes; UpdateFunctionConfiguration changes the rest."""
WITHOUT = {"layers": ("Layers", []), "subnet_ids": ("VpcConfig", {"SubnetIds": [], "SecurityGroupIds": []}), "kms_key_arn": ("KMSKeyArn", "")}
"""What the function does without, and how Lambda is told so."""


def build_zip(directory: str | Path) -> bytes:
    """Return a zip of the files under ``directory``, the same bytes for the same files on every machine.

    Names are relative to ``directory``; bytecode is left out. Raises ValueError when there is no file.
    """
    root = Path(directory)
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.relative_to(root).parts}
    if not files:
        raise ValueError(f"no file to package under {root}")
    buffer = io.BytesIO()
    # Stored, not deflated: what deflate gives depends on the zlib at hand, and a package that differs
    # between two machines would be deployed again by each of them.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, wherever this runs
            entry.external_attr = 0o100644 << 16  # a regular file that Lambda's user can read
            package.writestr(entry, files[name].read_bytes())
    return buffer.getvalue()


def code_sha256(package: bytes) -> str:
    """Return the Base64 of the SHA-256 of ``package``, which is what Lambda calls CodeSha256."""
    return base64.b64encode(hashlib.sha256(package).digest()).decode("ascii")


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
    """A function. ``spec``: the options of the module lambda_function, and its ``package``. It runs as ``role`` where one of this run is given."""

    kind = "lambda_function"
    service = "lambda"
    timeout = 300

    def __init__(self, *args: t.Any, role: Role | None = None, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.role = role

    def describe(self) -> State | None:
        answer = none_if_missing(self.aws.client("lambda").get_function, "ResourceNotFoundException", FunctionName=self.name)
        if answer is None:
            return None
        if "TagsError" in answer:
            raise AwsError(f"its tags cannot be read: {answer['TagsError'].get('Message')}")
        tags = own_tags(answer.get("Tags", {}))
        return {**normal(answer["Configuration"]), "tags": tags}

    def desired(self) -> State:
        environment = {name: str(value) for name, value in self.spec["environment"].items()}
        plain = "handler role runtime architectures description timeout memory_size logging_config".split()
        fields = {name: self.spec[name] for name in plain}
        if self.role:
            fields["role"] = self.role.actual["arn"]
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
        return self.aws.once(("policy", self.name), lambda: none_if_missing(get, "ResourceNotFoundException", FunctionName=self.name))

    def pending(self, state: State) -> bool:
        if "Failed" in (state["state"], state["update"]):
            raise AwsError(f"Lambda could not take it over: {state['reason']}. Delete the function and run again")
        return state["state"] == "Pending" or state["update"] == "InProgress"


def function_to_remove(aws: Aws, spec: State, tags: dict[str, str]) -> list[Resource]:
    """As absent, a function, its execution role and its log group, by their names: ``name``, ``role`` and ``log_group``. Of the role, what
    others have added to its own ``role_policies`` stays, where these are named.
    """
    own = spec["role_policies"]
    policies: State = {"inline_policies": None, "managed_policies": None} if own is None else {"inline_policies": dict.fromkeys(own), "managed_policies": []}
    role = Role(aws, spec["role"], policies, tags=tags, absent=True) if spec["role"] else None
    group = LogGroup(aws, spec["log_group"], {"account_id": aws.account_id}, tags=tags, absent=True) if spec["log_group"] else None
    used = [each for each in (role, group) if each]
    return [Function(aws, spec["name"], tags=tags, needs=used, absent=True), *used]


class Permission(Resource):
    """A statement of the policy of a function that goes."""

    kind = "lambda_permission"
    deleted_with_parent = True

    def describe(self) -> State:
        return {}

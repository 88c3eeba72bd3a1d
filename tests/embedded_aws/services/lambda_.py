# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lambda: Python handlers run for real, in a process of their own, and log as in AWS."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from typing import Any

from moto.awslambda import models
from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.core.utils import iso_8601_datetime_with_nanoseconds
from moto.logs.models import logs_backends
from moto.moto_api._internal import mock_random

from embedded_aws.gaps import gap

# Runs in the child: the event comes on standard input, the result goes to a file; what the handler prints is its log.
RUNTIME = """
import importlib, json, sys, time, traceback

code, handler, request_id, arn, memory, deadline, result = sys.argv[1:]
sys.path.insert(0, code)


class Context:
    function_name = arn.split(":")[6]
    function_version = "$LATEST"
    invoked_function_arn = arn
    memory_limit_in_mb = memory
    aws_request_id = request_id
    log_group_name = "/aws/lambda/" + function_name
    log_stream_name = request_id
    identity = client_context = None

    def get_remaining_time_in_millis(self):
        return max(0, int((float(deadline) - time.time()) * 1000))


try:
    module, function = handler.rsplit(".", 1)
    returned = getattr(importlib.import_module(module.replace("/", ".")), function)(json.load(sys.stdin), Context())
    answer = {"returned": returned}
    json.dumps(answer)
except BaseException as error:
    traceback.print_exc()
    answer = {"error": {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }}
with open(result, "w") as stream:
    json.dump(answer, stream)
"""


class ResourceConflict(LambdaClientError):
    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


@gap(models.LambdaFunction, "__init__")
def logging_config(original: Any, self: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    """A function has a logging configuration: text, to /aws/lambda/<name>, unless it says otherwise."""
    _measure_environment(spec)
    original(self, account_id, spec, *args, **kwargs)
    defaults = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"}
    self.logging_config = {**defaults, **spec.get("LoggingConfig", {})}


def _measure_environment(spec: dict[str, Any]) -> None:
    measured = json.dumps(spec.get("Environment", {}).get("Variables", {}), separators=(",", ":"))
    if len(measured.encode()) > 4096:
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB "
            f"limit. String measured: {measured}"
        )


@gap(models.LambdaFunction, "get_configuration")
def configuration(original: Any, self: Any, on_create: bool = False) -> dict[str, Any]:
    """A function's configuration includes its logging configuration."""
    return {**original(self, on_create), "LoggingConfig": self.logging_config}


@gap(models.LambdaFunction, "update_configuration")
def update_configuration(original: Any, self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
    """UpdateFunctionConfiguration changes storage, tracing, the KMS key and logging as well, and takes 4 KB of environment."""
    _measure_environment(config_updates)
    original(self, config_updates)
    self.tracing_config = config_updates.get("TracingConfig", self.tracing_config)
    self.kms_key_arn = config_updates.get("KMSKeyArn", self.kms_key_arn)
    self.logging_config = {**self.logging_config, **config_updates.get("LoggingConfig", {})}
    if "EphemeralStorage" in config_updates:
        self.ephemeral_storage = config_updates["EphemeralStorage"]["Size"]
    self.last_modified = iso_8601_datetime_with_nanoseconds()
    return self.get_configuration()


@gap(models.LambdaFunction, "update_function_code")
def update_function_code(original: Any, self: Any, updated_spec: dict[str, Any]) -> dict[str, Any]:
    """UpdateFunctionCode changes the architecture with the code."""
    original(self, updated_spec)
    self.architectures = updated_spec.get("Architectures", self.architectures)
    self.last_modified = iso_8601_datetime_with_nanoseconds()
    return self.get_configuration()


@gap(LambdaSimpleBackend, "add_permission")
def add_permission(original: Any, self: Any, function_name: str, qualifier: Any, raw: str) -> dict[str, Any]:
    """AddPermission refuses a statement id in use: ResourceConflictException."""
    identifier = json.loads(raw)["StatementId"]
    if any(each.get("Sid") == identifier for each in self.get_function(function_name, qualifier).policy.statements):
        raise ResourceConflict(f"The statement id ({identifier}) provided already exists. Please provide a new statement id, or remove the existing statement.")
    return original(self, function_name, qualifier, raw)


@gap(LambdaSimpleBackend, "invoke")
def invoke(_original: Any, self: Any, function_name: str, qualifier: Any, body: Any, headers: Any, response_headers: Any) -> bytes:
    """Invoke runs the handler with its environment and timeout; an error is FunctionError Unhandled."""
    function = self.get_function(function_name, qualifier)
    request_id = str(mock_random.uuid4())
    answer, log = _run(function, request_id, body)
    _write_log(function, request_id, log)
    if "error" in answer:
        response_headers["x-amz-function-error"] = "Unhandled"
        return json.dumps(answer["error"]).encode()
    return json.dumps(answer["returned"]).encode()


def _run(function: Any, request_id: str, body: Any) -> tuple[dict[str, Any], str]:
    event = (body.decode() if isinstance(body, bytes) else body) or "{}"
    timeout = int(function.timeout or 3)
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(io.BytesIO(function.code_bytes)).extractall(os.path.join(folder, "code"))
        result = os.path.join(folder, "result.json")
        command = [
            sys.executable,
            "-c",
            RUNTIME,
            os.path.join(folder, "code"),
            function.handler,
            request_id,
            function.function_arn,
            str(function.memory_size),
            str(time.time() + timeout),
            result,
        ]
        try:
            finished = subprocess.run(
                command,
                input=event,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                cwd=folder,
                env=_environment(function),
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            message = f"{request_id} Task timed out after {timeout:.2f} seconds"
            log = (expired.output or b"").decode(errors="replace") if isinstance(expired.output, bytes) else ""
            return {"error": {"errorType": "Sandbox.Timedout", "errorMessage": message}}, f"{log}{message}\n"
        if not os.path.exists(result):
            message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {finished.returncode}"
            return {"error": {"errorType": "Runtime.ExitError", "errorMessage": message}}, finished.stdout
        with open(result, encoding="utf-8") as stream:
            return json.load(stream), finished.stdout


def _environment(function: Any) -> dict[str, str]:
    """What AWS sets for a function, its own variables, and the way back to this server for its AWS calls."""
    endpoint = f"http://127.0.0.1:{os.environ['MOTO_PORT']}"
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_ENDPOINT_URL": endpoint,
        "NO_PROXY": "127.0.0.1",
        "PATH": os.environ.get("PATH", ""),
        **(function.environment_vars or {}),
    }


def _write_log(function: Any, request_id: str, log: str) -> None:
    """Write what a function printed to its log group, which Lambda creates when there is something to write."""
    backend = logs_backends[function.account_id][function.region]
    group = function.logging_config["LogGroup"]
    if group not in backend.groups:
        backend.create_log_group(group, {})
    stream = f"[$LATEST]{request_id.replace('-', '')}"
    backend.create_log_stream(group, stream)
    lines = [f"START RequestId: {request_id} Version: $LATEST", *log.splitlines(), f"END RequestId: {request_id}"]
    now = int(time.time() * 1000)
    backend.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in lines])

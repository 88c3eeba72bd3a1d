# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lambda of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from embedded.helpers import has, refused
from embedded_aws.client import ACCOUNT, EmbeddedAWS

HANDLER = """
import os, time

def handler(event, context):
    print("hello from", context.function_name)
    if event == "fail":
        raise ValueError("no good")
    if event == "sleep":
        time.sleep(30)
    if event == "aws":
        import boto3
        return boto3.client("sts").get_caller_identity()["Account"]
    return {"event": event, "variable": os.environ["VARIABLE"]}
"""


def _zip(source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", source)
    return content.getvalue()


def _function(aws: EmbeddedAWS, **arguments: Any) -> dict[str, Any]:
    role = aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    return aws.client("lambda").create_function(
        **{
            "FunctionName": "f",
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Role": role,
            "Code": {"ZipFile": _zip(HANDLER)},
            "Environment": {"Variables": {"VARIABLE": "value"}},
            "Timeout": 2,
            **arguments,
        }
    )


def test_lambda_runs_handlers(aws: EmbeddedAWS) -> None:
    functions = aws.client("lambda")
    has(_function(aws), State="Active", Timeout=2)
    assert aws.client("logs").describe_log_groups()["logGroups"] == []

    def invoke(event: Any) -> tuple[str | None, Any]:
        answer = functions.invoke(FunctionName="f", Payload=json.dumps(event).encode())
        return answer.get("FunctionError"), json.load(answer["Payload"])

    assert invoke({"a": 1}) == (None, {"event": {"a": 1}, "variable": "value"})
    error, payload = invoke("fail")
    assert error == "Unhandled"
    has(payload, errorMessage="no good", errorType="ValueError")
    assert payload["stackTrace"]
    error, payload = invoke("sleep")
    assert error == "Unhandled"
    assert "timed out after 2.00 seconds" in payload["errorMessage"]
    events = aws.client("logs").filter_log_events(logGroupName="/aws/lambda/f")["events"]
    messages = [event["message"] for event in events]
    assert "hello from f" in messages
    assert any(message.startswith("START RequestId: ") for message in messages)


def test_lambda_reaches_this_aws(aws: EmbeddedAWS) -> None:
    _function(aws, Timeout=30)
    answer = aws.client("lambda").invoke(FunctionName="f", Payload=b'"aws"')
    assert json.load(answer["Payload"]) == ACCOUNT


def test_lambda_updates_and_permissions(aws: EmbeddedAWS) -> None:
    functions = aws.client("lambda")
    created = _function(aws, Tags={"a": "1"}, Architectures=["arm64"])
    has(created, LoggingConfig={"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}, Architectures=["arm64"])
    code = functions.update_function_code(FunctionName="f", ZipFile=_zip(HANDLER + "#"), Architectures=["x86_64"])
    assert code["CodeSha256"] != created["CodeSha256"]
    has(code, Architectures=["x86_64"])
    changed = functions.update_function_configuration(FunctionName="f", MemorySize=256, LoggingConfig={"LogFormat": "JSON"}, EphemeralStorage={"Size": 1024})
    has(changed, MemorySize=256, Timeout=2, EphemeralStorage={"Size": 1024}, LoggingConfig={"LogFormat": "JSON", "LogGroup": "/aws/lambda/f"})
    environment = {"Variables": {"A": "x" * 4096}}
    refused("InvalidParameterValueException", functions.update_function_configuration, FunctionName="f", Environment=environment)
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com", "SourceArn": "arn:aws:execute-api:x"}
    refused("ResourceNotFoundException", functions.get_policy, FunctionName="f")
    functions.add_permission(FunctionName="f", **permission)
    refused("ResourceConflictException", functions.add_permission, FunctionName="f", **permission)
    (statement,) = json.loads(functions.get_policy(FunctionName="f")["Policy"])["Statement"]
    has(statement, Sid="s", Principal={"Service": "apigateway.amazonaws.com"})
    functions.remove_permission(FunctionName="f", StatementId="s")
    refused("ResourceNotFoundException", functions.get_policy, FunctionName="f")

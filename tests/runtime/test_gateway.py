# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MLflow's AI gateway asks Amazon Bedrock with the credentials of the container, as ECS gives them for the role of the tasks."""

from __future__ import annotations

import json
import subprocess
import threading
import typing as t
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from runtime.containers import MLFLOW_VENV

MODEL = "anthropic.claude-sonnet-4-20250514-v1:0"
CREDENTIALS = {"AccessKeyId": "ASIAOFTHETASK", "SecretAccessKey": "secret", "Token": "session-of-the-task", "Expiration": "2999-01-01T00:00:00Z"}
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello from Bedrock"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
    "metrics": {"latencyMs": 1},
}
ASK = f"""
import asyncio
from mlflow.gateway.config import EndpointConfig
from mlflow.gateway.providers.bedrock import AmazonBedrockProvider
from mlflow.gateway.schemas import chat
model = {{"provider": "bedrock", "name": "{MODEL}", "config": {{"aws_config": {{"aws_region": "eu-west-1"}}}}}}
provider = AmazonBedrockProvider(EndpointConfig(name="claude", endpoint_type="llm/v1/chat", model=model))
answer = asyncio.run(provider.chat(chat.RequestPayload(messages=[{{"role": "user", "content": "Hello"}}])))
print(answer.choices[0].message.content)
"""


class Stub(ThreadingHTTPServer):
    """ECS's credentials of a task (GET) and Amazon Bedrock (POST)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), Answering)


class Answering(BaseHTTPRequestHandler):
    def _answer(self, document: dict[str, t.Any]) -> None:
        assert isinstance(self.server, Stub)
        self.server.asked.append((f"{self.command} {self.path}", dict(self.headers)))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer(CREDENTIALS)

    def do_POST(self) -> None:
        self._answer(ANSWER)

    def log_message(self, *_arguments: t.Any) -> None:
        pass


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_gateway_asks_bedrock_as_the_role_of_the_tasks(stub: Stub) -> None:
    url = f"http://127.0.0.1:{stub.server_port}"
    environment = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v2/credentials/task",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": "/nowhere",
        "NO_PROXY": "127.0.0.1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    run = subprocess.run([MLFLOW_VENV / "bin" / "python", "-c", ASK], env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert run.stdout.splitlines()[-1:] == ["Hello from Bedrock"], run.stderr
    asked = dict(stub.asked)
    assert list(asked) == ["GET /v2/credentials/task", f"POST /model/{MODEL.replace(':', '%3A')}/converse"]
    headers = {name.lower(): value for name, value in asked[f"POST /model/{MODEL.replace(':', '%3A')}/converse"].items()}
    assert "Credential=ASIAOFTHETASK/" in headers["authorization"] and headers["x-amz-security-token"] == "session-of-the-task"

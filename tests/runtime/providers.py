# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Providers of models that take their time: one with the API of OpenAI, and Amazon Bedrock."""

from __future__ import annotations

import binascii
import json
import struct
import threading
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Document = dict[str, t.Any]


class Asked(t.NamedTuple):
    path: str
    headers: dict[str, str]
    body: Document


class Providers(ThreadingHTTPServer):
    """Both answer what a question says in seconds: with a word each second, or after so many seconds where it does not ask for a stream.

    Any other question is a judge's, and is answered at once as judges are.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.sent: list[float] = []
        """When each word of the last stream was sent."""
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def providers() -> Iterator[Providers]:
    with Providers() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Providers

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        self.server.asked.append(Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        content = body["messages"][0]["content"]
        question = content if isinstance(content, str) else content[0]["text"]
        seconds = int(question) if question.isdecimal() else 0
        if self.path.endswith("/converse-stream"):
            self._stream("application/vnd.amazon.eventstream", map(_bedrock_event, _bedrock_events(seconds)))
        elif body.get("stream"):
            self._stream("text/event-stream", map(_openai_event, [*range(seconds), None]))
        else:
            time.sleep(seconds)
            self._answer(_CONVERSE if self.path.endswith("/converse") else _COMPLETION)

    def _stream(self, kind: str, events: t.Iterable[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")  # of which botocore gives each part as it comes
        self.end_headers()
        self.server.sent.clear()
        for event in events:
            self.server.sent.append(time.monotonic())
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.flush()
            time.sleep(1)
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, document: Document) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: t.Any) -> None:
        pass


_USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
_COMPLETION = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": '{"result": true, "rationale": "Hello"}'}, "finish_reason": "stop"}],
    "usage": _USAGE,
}
_CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
    "metrics": {"latencyMs": 1},
}


def _openai_event(number: int | None) -> bytes:
    """A word of an answer, or its end."""
    if number is None:
        return b"data: [DONE]\n\n"
    choice = {"index": 0, "delta": {"role": "assistant", "content": f"w{number} "}, "finish_reason": None}
    return f"data: {json.dumps({'id': 'c', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm', 'choices': [choice]})}\n\n".encode()


def _bedrock_events(seconds: int) -> Iterator[tuple[str, Document]]:
    for number in range(seconds):
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": f"w{number} "}}
    yield "messageStop", {"stopReason": "end_turn"}


def _bedrock_event(event: tuple[str, Document]) -> bytes:
    """A message as Smithy's event stream encoding has it (application/vnd.amazon.eventstream)."""
    kind, document = event
    headers = b""
    for name, value in ((":event-type", kind), (":content-type", "application/json"), (":message-type", "event")):
        headers += struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
    payload = json.dumps(document).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", binascii.crc32(message))

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 for files that are larger than this machine can keep: it counts the parts of an upload and discards them."""

from __future__ import annotations

import http.client
import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from embedded_aws.client import EmbeddedAWS

CHUNK = 1 << 20
COMPLETE = b'<CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ETag>"all"</ETag></CompleteMultipartUploadResult>'


class DiscardingStore(ThreadingHTTPServer):
    """In front of the embedded AWS, which gets all other calls."""

    daemon_threads = True

    def __init__(self, aws: EmbeddedAWS) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.aws_host = urlsplit(aws.endpoint).netloc
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        self.parts: dict[str, int] = {}
        """The bytes of each part, by its number."""
        self.completed = 0


@contextmanager
def discarding_store(aws: EmbeddedAWS) -> Iterator[DiscardingStore]:
    with DiscardingStore(aws) as store:
        threading.Thread(target=store.serve_forever, daemon=True).start()
        yield store
        store.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: DiscardingStore

    def _handle(self) -> None:
        query, length = parse_qs(urlsplit(self.path).query), int(self.headers.get("Content-Length", 0))
        if self.command == "PUT" and "partNumber" in query:
            self.server.parts[query["partNumber"][0]] = length
            while length:
                length -= len(self.rfile.read(min(CHUNK, length)))
            self._answer(200, {"ETag": f'"{query["partNumber"][0]}"'}, b"")
        elif self.command == "POST" and "uploadId" in query:
            self.rfile.read(length)
            self.server.completed += 1
            self._answer(200, {"Content-Type": "application/xml"}, COMPLETE)
        else:
            connection = http.client.HTTPConnection(self.server.aws_host, timeout=60)
            connection.request(self.command, self.path, self.rfile.read(length), dict(self.headers))
            answer = connection.getresponse()
            body = answer.read()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in ("content-length", "connection", "date", "server")}
            connection.close()
            self._answer(answer.status, headers, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: t.Any) -> None:
        """Say nothing."""

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doors as an HTTPS server on this machine, in front of MLflow servers that run here."""

from __future__ import annotations

import http.client
import itertools
import ssl
import threading
import typing as t
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from runtime import certificates
from runtime.containers import Server
from runtime.doors.doors import Doors
from runtime.doors.request import Answer, Forward, NoRoute, Request, Source

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length"}


class Handled(t.NamedTuple):
    """A request that came through, and how it was answered."""

    method: str
    host: str
    path: str
    status: int
    door: str
    """Whose answer it is: C(MLflow) or what a door's own answer is called."""


class Answering(t.Protocol):
    """What answers requests that come from C(source)."""

    source: Source

    def answer(self, request: Request) -> Answer | NoRoute:
        """Return what the caller gets, or why the connection is closed without."""


class Proxy:
    """Takes requests for any host name, follows each through the doors, and carries it to where it ends.

    Names do not resolve on this machine: whoever connects to C(port) reaches what the name leads to in the VPC.
    """

    def __init__(self, doors: Doors, servers: list[Server], source: Source, directory: Path, *names: str) -> None:
        self.doors, self.source = doors, source
        self.servers = servers
        self.handled: list[Handled] = []
        self.last_answer = datetime.now(timezone.utc)
        """When MLflow has last answered."""
        self.ca_file = directory / "ca.pem"
        self._turn = itertools.count()
        directory.mkdir()
        certificates.make(directory, *names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "server.pem", directory / "server.key")
        self._server = _HttpsServer(("127.0.0.1", 0), type("Handler", (Handler,), {"proxy": self}), context)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Request) -> Answer | NoRoute:
        """Follow a request to where it ends, and return what comes back from there."""
        outcome = self.doors.decide(request)
        answer = self.carry(outcome) if isinstance(outcome, Forward) else outcome
        if isinstance(answer, Answer):
            self.handled.append(Handled(request.method, request.host, request.path, answer.status, answer.label))
        return answer

    def server(self, outcome: Forward) -> Server:
        """The MLflow server whose turn it is; the n-th address of the service is the n-th server's."""
        return self.servers[next(self._turn) % min(len(outcome.targets), len(self.servers))]

    def carry(self, outcome: Forward) -> Answer:
        """Send the request to a server of the service, and return its answer, or the door's where there is none."""
        request = outcome.request
        connection = http.client.HTTPConnection("127.0.0.1", self.server(outcome).port, timeout=outcome.timeout)
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name not in HOP_BY_HOP:
                    connection.putheader(name, value)
            if request.body or request.method in ("POST", "PUT", "PATCH"):
                connection.putheader("content-length", str(len(request.body)))
            connection.endheaders(request.body or None)
            response = connection.getresponse()
            body = response.read()
            headers = {name.lower(): value for name, value in response.getheaders() if name.lower() != "set-cookie"}
            cookies = tuple(response.headers.get_all("set-cookie", []))
        except TimeoutError:
            return Answer(outcome.timeout_status, label="timeout")
        except (OSError, http.client.HTTPException):
            return Answer(502, label="bad gateway")
        finally:
            self.last_answer = datetime.now(timezone.utc)
            connection.close()
        if outcome.longest_answer is not None and len(body) > outcome.longest_answer:
            return Answer(500, label="answer too large")
        return Answer(response.status, headers, body, label=Forward.label, cookies=cookies)


class _HttpsServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext) -> None:
        super().__init__(address, handler)
        self._context = context

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        # In the connection's own thread: a client that does not speak holds up nobody else.
        super().finish_request(self._context.wrap_socket(request, server_side=True), client_address)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Say nothing of clients that go away."""


class Handler(BaseHTTPRequestHandler):
    """Reads requests, and has them answered."""

    proxy: Answering
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        request = Request(self.proxy.source, f"https://{headers['host']}{self.path}", headers, self.command, body)
        answer = self.proxy.answer(request)
        if isinstance(answer, NoRoute):
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name not in HOP_BY_HOP:
                self.send_header(name, value)
        for cookie in answer.cookies:
            self.send_header("set-cookie", cookie)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
            self.wfile.flush()

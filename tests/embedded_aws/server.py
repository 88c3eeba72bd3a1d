# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server process: moto behind the recorder, and the ``/_embedded`` control endpoints."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

# moto reads these when it is imported.
os.environ["MOTO_ACM_VALIDATION_WAIT"] = "0"
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"  # which allows all pages everything
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # nobody here runs instances, and the images take long to load

from moto.core.base_backend import BackendDict, BaseBackend  # noqa: E402
from moto.core.config import default_user_config  # noqa: E402
from moto.core.model_instances import reset_model_data  # noqa: E402
from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends  # noqa: E402
from werkzeug.serving import BaseWSGIServer, make_server  # noqa: E402

from embedded_aws import gaps, tasks, timing  # noqa: E402
from embedded_aws.calls import Fault, Recorder  # noqa: E402
from embedded_aws.consistency import Consistency  # noqa: E402
from embedded_aws.services import iam, sts  # noqa: E402
from embedded_aws.shapes import Judge  # noqa: E402
from embedded_aws.snapshots import Snapshots  # noqa: E402
from embedded_aws.stale import Stale  # noqa: E402

CONTROL = "/_embedded/"


class EmbeddedApplication:
    """WSGI application: ``/_embedded/*`` controls the server, everything else is an AWS API call."""

    def __init__(self, latency_ms: float = 0, oldest_botocore: Path | None = None) -> None:
        self.connections: Counter[str] = Counter()
        judge = Judge(oldest_botocore) if oldest_botocore else None
        self.recorder = Recorder(DomainDispatcherApplication(create_backend_app), latency_ms, judge)
        self.snapshots = self.recorder.observer = Snapshots(self._serve_copy)
        self.stale = self.recorder.replicas = Stale(self._serve_replica)

    def note_connection(self, environ: dict[str, Any]) -> None:
        """Count a new connection, by the service that its first request is signed for."""
        scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split("/")
        self.connections[scope[3] if len(scope) > 3 else ""] += 1

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(CONTROL):
            return self.recorder(environ, start_response)
        try:
            status, answer = "200 OK", self._control(environ)
        except KeyError:
            status, answer = "404 Not Found", {"error": "no such control"}
        except (TypeError, ValueError) as error:
            status, answer = "400 Bad Request", {"error": str(error)}
        body = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _control(self, environ: dict[str, Any]) -> Any:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        action = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'].removeprefix(CONTROL)}"
        return {
            "GET calls": lambda: [vars(call) for call in self.recorder.calls[int(query.get("since", 0)) :]],
            "GET connections": lambda: self.connections,
            "GET mark": lambda: len(self.recorder.calls),
            "GET objections": lambda: sorted(self.recorder.judge.objections) if self.recorder.judge else [],
            "POST reset": self._reset,
            "POST faults": lambda: self._set_faults(json.loads(body)),
            "POST task-results": lambda: tasks.set_results(json.loads(body)),
            "GET consistency": self.recorder.consistency.refusals,
            "POST consistency": lambda: setattr(self.recorder, "consistency", Consistency(**json.loads(body))),
            "POST stale": lambda: setattr(self.stale, "seconds", float(json.loads(body)["seconds"])),
            "POST latency": lambda: setattr(self.recorder, "latency_ms", float(json.loads(body)["ms"])),
            "POST creation-seconds": lambda: timing.change(json.loads(body)),
            "POST session-seconds": lambda: sts.shorten(json.loads(body)["seconds"]),
            "POST demanded-boundary": lambda: iam.demand_boundary(json.loads(body)["arn"]),
            "GET holdings": holdings,
            "POST copies": self._copy,
            "GET snapshots": lambda: [asdict(snapshot) for snapshot in self.snapshots.taken],
            "POST snapshots": lambda: self.snapshots.begin(**json.loads(body)),
            "DELETE snapshots": self.snapshots.stop,
        }[action]()

    def _reset(self) -> None:
        # Not moto's own reset, which builds every backend anew, although they are made on first use: that takes long.
        # Only backends that hold more than themselves, such as S3's open files, tidy up.
        for backends in BackendDict._instances:
            for _account, _region, backend in list(backends.iter_backends()):
                if type(backend).reset is not BaseBackend.reset:
                    backend.reset()
            for account in backends.values():
                account.clear()
        s3_backends.bucket_accounts.clear()  # S3 keeps who has which bucket beside its backends
        reset_model_data()
        timing.reset()
        sts.shorten(None)
        iam.demand_boundary(None)
        tasks.set_results([])
        self.snapshots.drop()
        self.stale.drop()
        self.stale.seconds = 0
        self.recorder.reset()

    def _copy(self) -> dict[str, Any]:
        with self.recorder.between_calls():
            return asdict(self.snapshots.copy(len(self.recorder.calls)))

    def _set_faults(self, rules: list[dict[str, Any]]) -> None:
        self.recorder.set_faults([Fault(**rule) for rule in rules])

    def _serve_copy(self, listening: socket.socket) -> None:
        """Serve as a forked copy of this process."""
        self.recorder.renew_locks()
        self.recorder.faults = []
        self.stale = self.recorder.replicas = Stale(self._serve_replica)
        server = _server(self, listening.getsockname()[1], listening.fileno())
        threading.Thread(target=_follow_parent, args=(os.getppid(),), daemon=True).start()
        server.serve_forever()

    def _serve_replica(self, listening: socket.socket) -> None:
        """As a copy that is asked by this process only, which has waited already."""
        self.recorder.latency_ms = 0
        self._serve_copy(listening)


def holdings() -> dict[str, int]:
    """How many things of each kind the account holds, as moto keeps them: whatever they are, none is left out."""
    found: Counter[str] = Counter()
    for backends in BackendDict._instances:
        for _account, _region, backend in list(backends.iter_backends()):
            for name, value in vars(backend).items():
                if isinstance(value, (dict, list, set)):
                    found[f"{backends.service_name}.{name}"] += len(value)
    return {name: number for name, number in sorted(found.items()) if number}


class RequestHandler(MotoRequestHandler):
    """Keeps connections open, as AWS does and werkzeug does not; the call log replaces the access log."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a whole response is one packet
    disable_nagle_algorithm = True
    is_first = True

    def run_wsgi(self) -> None:
        """Answer one request. The application reads all of its body, so the next one begins where this one ends."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        self.environ = environ = self.make_environ()
        if self.is_first:
            self.is_first = False
            self.server.app.note_connection(environ)
        head: list[Any] = []
        try:
            body = b"".join(self.server.app(environ, lambda status, headers, *_exception: head.extend((status, headers))))
            status, headers = head
        except ConnectionError:  # a fault
            raise
        except Exception:  # a defect of moto, or of ours
            status, headers, body = "500 Internal Server Error", [("Content-Type", "text/plain")], traceback.format_exc().encode()
        code, _space, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in {name.lower() for name, _value in headers}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if environ["REQUEST_METHOD"] != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


def _server(app: EmbeddedApplication, port: int, fd: int | None = None) -> BaseWSGIServer:
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=RequestHandler, fd=fd)
    os.environ["MOTO_PORT"] = str(server.server_address[1])
    return server


def serve(
    port: int, ready_file: Path | None, latency_ms: float, creation_seconds: dict[str, float], exit_with_parent: bool, oldest_botocore: Path | None
) -> None:
    """Serve on 127.0.0.1 until SIGTERM or SIGINT. ``port`` 0 takes a free one; raises OSError if it is taken."""
    default_user_config["lambda"] = {"use_docker": False}
    default_user_config["iam"] = {"load_aws_managed_policies": True}
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    gaps.apply()
    timing.configure(creation_seconds)
    server = _server(EmbeddedApplication(latency_ms, oldest_botocore), port)
    endpoint = f"http://127.0.0.1:{server.server_port}"
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: os._exit(0))  # nothing is kept, so there is nothing to tidy up
    if exit_with_parent:
        threading.Thread(target=_follow_parent, args=(os.getppid(),), daemon=True).start()
    if ready_file:
        # The socket listens since make_server; the first connection waits in its queue until serve_forever.
        _write_atomically(ready_file, json.dumps({"endpoint": endpoint, "pid": os.getpid()}))
    print(f"embedded AWS on {endpoint}", flush=True)
    server.serve_forever()


def _follow_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: use an MLflow server as a program does, over plain HTTP, and take away again what that has logged."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import time
import typing as t
import urllib.error
import urllib.request
import uuid
from urllib.parse import quote, urlencode

EXPERIMENT = "mlplatform.mlflow_aws verify"
"""The experiment that is used, and deleted again. MLflow keeps what is deleted until ``mlflow gc``, so it is always the same."""

TIMEOUT = 30
"""Seconds, as API Gateway gives the server. A database that was paused takes most of them."""

NO_CREDENTIALS = "no credentials: set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"

Outcome = tuple[str, str]
"""Status (``ok``, ``failed`` or ``skipped``) and detail of a check."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect to the sign-in page is an answer, not a way to go."""

    def redirect_request(self, *_args: t.Any, **_kwargs: t.Any) -> None:
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def opener(addresses: t.Mapping[str, str]) -> urllib.request.OpenerDirector:
    """What opens addresses, those whose host is a key of ``addresses`` where its value is reached. The certificate has to be the host's."""
    if not addresses:
        return OPENER
    tls = ssl.create_default_context()

    class Connection(http.client.HTTPSConnection):
        def connect(self) -> None:
            if self.host not in addresses:
                super().connect()
                return
            plain = socket.create_connection((addresses[self.host], self.port), self.timeout)
            self.sock = tls.wrap_socket(plain, server_hostname=self.host)

    class Handler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Connection, req, context=tls)

    return urllib.request.build_opener(NoRedirect, Handler)


class Refused(Exception):
    """The server, or what is before it, did not do what it was asked."""


def authorization(environment: t.Mapping[str, str]) -> str | None:
    """The header with which MLflow's own client would come: HTTP Basic wins over a token."""
    user, password = environment.get("MLFLOW_TRACKING_USERNAME"), environment.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    token = environment.get("MLFLOW_TRACKING_TOKEN")
    return f"Bearer {token}" if token else None


def unreachable(error: OSError) -> Outcome:
    """An address that cannot be reached from here says nothing about what is there: it may be private."""
    return "skipped", f"cannot be reached from here ({getattr(error, 'reason', error)})"


class Server:
    """A server, as a program reaches it."""

    def __init__(self, uri: str, header: str, way: urllib.request.OpenerDirector = OPENER) -> None:
        self.uri, self._header, self._way = uri.rstrip("/"), header, way

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/octet-stream") -> bytes:
        headers = {"Authorization": self._header} | ({"Content-Type": kind} if body is not None else {})
        request = urllib.request.Request(self.uri + path, data=body, headers=headers, method=method)
        try:
            with self._way.open(request, timeout=TIMEOUT) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace").strip()[:200]
            raise Refused(f"HTTP {error.code} to {method} {path.partition('?')[0]}{': ' + text if text else ''}") from None

    def call(self, operation: str, **fields: t.Any) -> dict[str, t.Any]:
        """An operation of MLflow's REST API that changes something."""
        return json.loads(self.ask("POST", f"/api/2.0/mlflow/{operation}", json.dumps(fields).encode(), "application/json") or b"{}")

    def get(self, operation: str, **fields: str) -> dict[str, t.Any]:
        return json.loads(self.ask("GET", f"/api/2.0/mlflow/{operation}?{urlencode(fields)}"))


def probe(uri: str, header: str | None, way: urllib.request.OpenerDirector = OPENER) -> list[tuple[str, Outcome]]:
    """What became of each check, by its name."""
    names = ("API: /health", "API: /version", "API: a run", "API: an artifact")
    if header is None:
        return [(name, ("skipped", NO_CREDENTIALS)) for name in names]
    server, outcomes = Server(uri, header, way), []
    run = Run(server)
    checks: tuple[t.Callable[[], Outcome], ...] = (
        lambda: ("ok", server.ask("GET", "/health").decode()[:80]),
        lambda: ("ok", "MLflow " + server.ask("GET", "/version").decode()[:80]),
        run.log_and_read,
        run.put_and_get,
    )
    out_of_reach: Outcome | None = None
    for name, check in zip(names, checks, strict=True):
        try:
            outcomes.append((name, out_of_reach or check()))
        except Refused as error:
            outcomes.append((name, ("failed", str(error))))
        except OSError as error:
            out_of_reach = unreachable(error)
            outcomes.append((name, out_of_reach))
        except (ValueError, LookupError) as error:  # somebody else's answer
            outcomes.append((name, ("failed", f"the answer is not MLflow's: {type(error).__name__}: {error}")))
    try:
        run.remove()
    except (Refused, OSError) as error:
        outcomes.append(("API: cleaning up", ("failed", f"the run of this check is left in {EXPERIMENT!r}: {error}")))
    return outcomes


class Run:
    """A run that is logged for a check."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.experiment = self.id = self.artifacts = ""
        self.path = ""  # of the artifact, once it may be there

    def log_and_read(self) -> Outcome:
        self.experiment = self._experiment()
        run = self.server.call("runs/create", experiment_id=self.experiment, run_name="verify", start_time=_now())["run"]
        self.id, self.artifacts = run["info"]["run_id"], run["info"]["artifact_uri"]
        value = float(_now() % 1000)
        self.server.call("runs/log-metric", run_id=self.id, key="verify", value=value, timestamp=_now(), step=0)
        metrics = self.server.get("runs/get", run_id=self.id)["run"]["data"]["metrics"]
        found = {metric["key"]: metric["value"] for metric in metrics}
        if found != {"verify": value}:
            return "failed", f"the metric verify={value} was logged, and {found} was read"
        return "ok", "logged and read back"

    def _experiment(self) -> str:
        try:
            there = self.server.get("experiments/get-by-name", experiment_name=EXPERIMENT)["experiment"]
        except Refused as error:
            if "RESOURCE_DOES_NOT_EXIST" not in str(error):
                raise
            return self.server.call("experiments/create", name=EXPERIMENT)["experiment_id"]
        if there["lifecycle_stage"] == "deleted":
            self.server.call("experiments/restore", experiment_id=there["experiment_id"])
        return there["experiment_id"]

    def put_and_get(self) -> Outcome:
        if not self.artifacts:
            return "skipped", "there is no run to log it with"
        scheme, _colon, path = self.artifacts.partition(":")
        if scheme != "mlflow-artifacts":
            return "skipped", f"programs write to {scheme} themselves"
        content = uuid.uuid4().bytes
        self.path = f"/api/2.0/mlflow-artifacts/artifacts/{quote(path.lstrip('/'))}/verify"
        self.server.ask("PUT", self.path, content)
        if self.server.ask("GET", self.path) != content:
            return "failed", "what was read is not what was written"
        return "ok", "written and read back"

    def remove(self) -> None:
        """Delete whatever was made."""
        if self.path:
            self.server.ask("DELETE", self.path)
        if self.id:
            self.server.call("runs/delete", run_id=self.id)
        if self.experiment:
            self.server.call("experiments/delete", experiment_id=self.experiment)


def _now() -> int:
    return int(time.time() * 1000)

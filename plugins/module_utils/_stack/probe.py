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

try:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.session import Session
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

EXPERIMENT = "mlplatform.mlflow_aws verify"
"""The experiment that is used, and deleted again. MLflow keeps what is deleted until ``mlflow gc``, so it is always the same; where MLflow knows its
users, one for each, as only the owner restores it."""
READER = "a reader changes nothing"
"""What the servers say to a user who may only read (roles/ecs/files/identity/identity_app.py)."""

ARTIFACTS = "/api/2.0/mlflow-artifacts"
SIGNED = "S3 by a signed URL"
"""What a refusal calls it: who has the URL may do what it is for."""

TIMEOUT = 30
"""Seconds, as API Gateway gives the server. A database that was paused takes most of them."""

NO_CREDENTIALS = (
    "no credentials: set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or, with mlflow_api_authorizer iam, "
    "MLFLOW_TRACKING_AWS_SIGV4"
)

Outcome = tuple[str, str]
"""Status (``ok``, ``failed`` or ``skipped``) and detail of a check."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect to the sign-in page is an answer, not a way to go."""

    def redirect_request(self, *_args: t.Any, **_kwargs: t.Any) -> None:
        return None


OPENER = urllib.request.build_opener(NoRedirect)


class Signing(urllib.request.BaseHandler):
    """Signs requests with the caller's AWS credentials, as MLflow's own client does with MLFLOW_TRACKING_AWS_SIGV4."""

    handler_order = 900  # after what completes the request

    def __init__(self, credentials: t.Any, region: str) -> None:
        self._auth = SigV4Auth(credentials, "execute-api", region)

    def https_request(self, request: urllib.request.Request) -> urllib.request.Request:
        signed = AWSRequest(request.get_method(), request.full_url, data=request.data)
        self._auth.add_auth(signed)
        for name, value in signed.headers.items():
            request.add_unredirected_header(name, value)
        return request


def opener(addresses: t.Mapping[str, str], *handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    """What opens addresses, those whose host is a key of ``addresses`` where its value is reached. The certificate has to be the host's."""
    if not addresses:
        return urllib.request.build_opener(NoRedirect, *handlers) if handlers else OPENER
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

    return urllib.request.build_opener(NoRedirect, Handler, *handlers)


class Refused(Exception):
    """The server, or what is before it, did not do what it was asked."""


def authorization(environment: t.Mapping[str, str]) -> str | None:
    """The header with which MLflow's own client would come: HTTP Basic wins over a token."""
    user, password = environment.get("MLFLOW_TRACKING_USERNAME"), environment.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    token = environment.get("MLFLOW_TRACKING_TOKEN")
    return f"Bearer {token}" if token else None


def signature(environment: t.Mapping[str, str], region: str) -> Signing | None:
    """What signs as MLflow's own client would, if it would, with the credentials that boto3 finds."""
    asked = environment.get("MLFLOW_TRACKING_AWS_SIGV4", "").lower() in ("true", "1")
    credentials = Session().get_credentials() if asked else None
    return Signing(credentials, region) if credentials else None


def unreachable(error: OSError) -> Outcome:
    """An address that cannot be reached from here says nothing about what is there: it may be private."""
    return "skipped", f"cannot be reached from here ({getattr(error, 'reason', error)})"


def exchange(
    way: urllib.request.OpenerDirector, method: str, url: str, headers: dict[str, str], body: bytes | None, name: str
) -> tuple[bytes, t.Mapping[str, str]]:
    """The body and the headers of an answer. ``name``: what a refusal calls the address."""
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with way.open(request, timeout=TIMEOUT) as answer:
            return answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace").strip()[:200]
        raise Refused(f"HTTP {error.code} to {method} {name}{': ' + text if text else ''}") from None


def use_signed(method: str, signed: dict[str, t.Any], body: bytes | None = None) -> tuple[bytes, t.Mapping[str, str]]:
    """Do in S3 what the server has signed an URL for."""
    try:
        headers = {"Content-Type": "application/octet-stream"} if body is not None else {}
        return exchange(OPENER, method, signed["url"], headers | signed.get("headers", {}), body, SIGNED)
    except OSError as error:
        raise OSError(f"{SIGNED}: {getattr(error, 'reason', error)}") from None


class Server:
    """A server, as a program reaches it."""

    def __init__(self, uri: str, header: str, way: urllib.request.OpenerDirector = OPENER) -> None:
        self.uri, self._header, self._way = uri.rstrip("/"), header, way

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/octet-stream") -> bytes:
        headers = ({"Authorization": self._header} if self._header else {}) | ({"Content-Type": kind} if body is not None else {})
        return exchange(self._way, method, self.uri + path, headers, body, path.partition("?")[0])[0]

    def post(self, path: str, /, **fields: t.Any) -> dict[str, t.Any]:
        return json.loads(self.ask("POST", path, json.dumps(fields).encode(), "application/json") or b"{}")

    def call(self, operation: str, **fields: t.Any) -> dict[str, t.Any]:
        """An operation of MLflow's REST API that changes something."""
        return self.post(f"/api/2.0/mlflow/{operation}", **fields)

    def get(self, operation: str, **fields: str) -> dict[str, t.Any]:
        query = f"?{urlencode(fields)}" if fields else ""
        return json.loads(self.ask("GET", f"/api/2.0/mlflow/{operation}{query}"))


def probe(uri: str, header: str | None, way: urllib.request.OpenerDirector = OPENER) -> list[tuple[str, Outcome]]:
    """What became of each check, by its name. The ``header`` is empty where the ``way`` signs."""
    names = ("API: /health", "API: /version", "API: a run", "API: an artifact")
    if header is None:
        return [(name, ("skipped", NO_CREDENTIALS)) for name in names]
    server, outcomes = Server(uri, header, way), []
    run = Run(server)
    checks: tuple[t.Callable[[], Outcome], ...] = (
        lambda: ("ok", server.ask("GET", "/health").decode()[:80]),
        lambda: ("ok", "MLflow " + server.ask("GET", "/version").decode()[:80]),
        run.log_or_read,
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

    def log_or_read(self) -> Outcome:
        """What the caller's right is enough for."""
        try:
            return self.log_and_read()
        except Refused as error:
            if READER not in str(error):
                raise
        self.experiment = ""  # somebody else's, if there is one
        self.server.call("experiments/search", max_results=1)
        return "ok", "experiments can be read; no run was logged, as this user is a reader: the credentials of an editor verify that too"

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
        name = " ".join(filter(None, (EXPERIMENT, self._user())))
        try:
            there = self.server.get("experiments/get-by-name", experiment_name=name)["experiment"]
        except Refused as error:
            if "RESOURCE_DOES_NOT_EXIST" not in str(error):
                raise
            return self.server.call("experiments/create", name=name)["experiment_id"]
        if there["lifecycle_stage"] == "deleted":
            self.server.call("experiments/restore", experiment_id=there["experiment_id"])
        return there["experiment_id"]

    def _user(self) -> str:
        """The caller's name where MLflow's own auth app runs; otherwise there is no such route."""
        try:
            return self.server.get("users/current")["user"]["username"]
        except Refused as error:
            if "HTTP 404" not in str(error):
                raise
            return ""

    def put_and_get(self) -> Outcome:
        if not self.artifacts:
            return "skipped", "there is no run to log it with"
        scheme, _colon, path = self.artifacts.partition(":")
        if scheme != "mlflow-artifacts":
            return "skipped", f"programs write to {scheme} themselves"
        content, folder = uuid.uuid4().bytes, quote(path.lstrip("/"))
        self.path = f"{ARTIFACTS}/artifacts/{folder}/verify"
        if json.loads(self.server.ask("GET", "/api/3.0/mlflow/server-info")).get("artifacts_presigned_only"):
            self._upload_by_signed_url(folder, content)
            found = self._download_by_signed_url(folder)
        else:
            self.server.ask("PUT", self.path, content)
            found = self.server.ask("GET", self.path)
        if found != content:
            return "failed", "what was read is not what was written"
        return "ok", "written and read back"

    def _upload_by_signed_url(self, folder: str, content: bytes) -> None:
        begun = self.server.post(f"{ARTIFACTS}/mpu/create/{folder}", path="verify", num_parts=1)
        (part,) = begun["credentials"]
        try:
            _body, headers = use_signed("PUT", part, content)
            done = {"part_number": part["part_number"], "etag": headers["ETag"], "url": part["url"]}
            self.server.post(f"{ARTIFACTS}/mpu/complete/{folder}", path="verify", upload_id=begun["upload_id"], parts=[done])
        except (Refused, OSError):
            self.server.post(f"{ARTIFACTS}/mpu/abort/{folder}", path="verify", upload_id=begun["upload_id"])
            raise

    def _download_by_signed_url(self, folder: str) -> bytes:
        signed = json.loads(self.server.ask("GET", f"{ARTIFACTS}/presigned/{folder}/verify"))
        return use_signed("GET", signed)[0]

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

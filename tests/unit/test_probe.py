# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
import runpy
import threading
import typing as t
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.probe import NO_CREDENTIALS, READER, authorization, opener, probe, signature

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("environment", "header"),
    [
        ({}, None),
        ({"MLFLOW_TRACKING_TOKEN": "t"}, "Bearer t"),
        ({"MLFLOW_TRACKING_USERNAME": "ci"}, None),
        ({"MLFLOW_TRACKING_USERNAME": "ci", "MLFLOW_TRACKING_PASSWORD": "p", "MLFLOW_TRACKING_TOKEN": "t"}, "Basic Y2k6cA=="),
    ],
)
def test_the_callers_credentials_are_taken_as_mlflow_takes_them(environment, header):
    assert authorization(environment) == header


def test_what_is_not_tried_is_said():
    assert {outcome for _name, outcome in probe("http://127.0.0.1:1", None)} == {("skipped", NO_CREDENTIALS)}
    outcomes = [outcome for _name, outcome in probe("http://127.0.0.1:1", "Bearer t")]
    assert len(outcomes) == 4 and {status for status, _detail in outcomes} == {"skipped"}
    assert all("cannot be reached from here" in detail and "refused" in detail for _status, detail in outcomes)


def test_a_host_is_reached_at_another_address_and_proves_its_own_name(monkeypatch):
    reached, proven = [], []

    class Context:
        def wrap_socket(self, plain, server_hostname):
            proven.append((plain, server_hostname))
            raise OSError("enough")

    monkeypatch.setattr("ssl.create_default_context", Context)
    monkeypatch.setattr("socket.create_connection", lambda address, *_more: reached.append(address) or "plain")
    way = opener({"mlflow.example.com": "x.elb.amazonaws.com"})
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with pytest.raises(OSError, match="enough"):
        way.open("https://mlflow.example.com/health", timeout=1)
    assert (reached, proven) == ([("x.elb.amazonaws.com", 443)], [("plain", "mlflow.example.com")])


def test_requests_are_signed_as_mlflows_client_signs_them(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    assert signature({}, "eu-west-1") is None and signature({"MLFLOW_TRACKING_AWS_SIGV4": "false"}, "eu-west-1") is None
    signing = signature({"MLFLOW_TRACKING_AWS_SIGV4": "true"}, "eu-west-1")
    sent = []

    class Answering(urllib.request.HTTPSHandler):
        def https_open(self, req):
            sent.append(req)
            raise OSError("enough")

    way = urllib.request.build_opener(Answering, signing)
    (name, (status, _detail)), *_others = probe("https://mlflow.api.example.com", "", way)
    assert (name, status) == ("API: /health", "skipped")
    headers = {key.lower(): value for key, value in sent[0].header_items()}
    assert re.match(r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-west-1/execute-api/aws4_request, SignedHeaders=host;x-amz-", headers["authorization"])
    assert headers["x-amz-security-token"] == "session" and "x-amz-date" in headers


class PresignedOnly(BaseHTTPRequestHandler):
    """As much of an MLflow server that passes no artifact on as the check asks for, and of S3."""

    stored: t.ClassVar[dict[str, bytes]] = {}
    seen: t.ClassVar[list[tuple[str, str]]] = []
    refuse = False

    def do_GET(self) -> None:
        self.answer()

    do_POST = do_PUT = do_DELETE = do_GET

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.command, self.path))
        status, found = self.s3(body) if self.path.startswith("/s3/") else (200, json.dumps(self.mlflow(body)).encode())
        self.send_response(status)
        self.send_header("ETag", '"an etag"')
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def s3(self, body: bytes) -> tuple[int, bytes]:
        assert "Authorization" not in self.headers, "S3 refuses a request that says twice who asks"
        if self.refuse:
            return 403, b"<Error><Code>AccessDenied</Code></Error>"
        if self.command == "PUT":
            self.stored[self.path] = body
        return 200, self.stored[self.path]

    def mlflow(self, body: bytes) -> t.Any:
        url = f"http://127.0.0.1:{self.server.server_address[1]}/s3/verify?X-Amz-Signature=s3cr3t"
        given = json.loads(body) if body else {}
        if self.path.endswith("/mpu/complete/1/run/artifacts"):
            assert given == {"path": "verify", "upload_id": "u", "parts": [{"part_number": 1, "etag": '"an etag"', "url": url}]}
        answers = {
            "/server-info": {"artifacts_presigned_only": True},
            "/mpu/create/1/run/artifacts": {"upload_id": "u", "credentials": [{"part_number": 1, "url": url, "headers": {}}]},
            "/presigned/1/run/artifacts/verify": {"url": url, "headers": {}, "file_size": 16},
            "/runs/create": {"run": {"info": {"run_id": "run", "artifact_uri": "mlflow-artifacts:/1/run/artifacts"}}},
            "/users/current": {"user": {"username": "ada"}},
            "get-by-name?experiment_name=mlplatform.mlflow_aws+verify+ada": {"experiment": {"experiment_id": "1", "lifecycle_stage": "active"}},
        }
        return next((answer for end, answer in answers.items() if self.path.endswith(end)), {})

    def log_message(self, format: str, *args: t.Any) -> None:
        """Say nothing."""


@pytest.fixture
def presigned_only() -> Iterator[tuple[str, type[PresignedOnly]]]:
    handler = type("Handler", (PresignedOnly,), {"stored": {}, "seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", handler
        server.shutdown()


def test_an_artifact_goes_to_s3_where_the_server_passes_none_on(presigned_only):
    uri, handler = presigned_only
    assert dict(probe(uri, "Bearer t"))["API: an artifact"] == ("ok", "written and read back")
    assert ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/verify") not in handler.seen
    assert handler.seen[-3][0] == "DELETE"  # the artifact, then the run and the experiment


def test_a_reader_is_no_failure(presigned_only, monkeypatch):
    uri, handler = presigned_only
    identity = runpy.run_path(str(ROOT / "roles" / "ecs" / "files" / "identity" / "rights.py"))
    assert READER in (ROOT / "roles" / "ecs" / "files" / "identity" / "identity_app.py").read_text()

    def do_POST(self) -> None:
        if identity["reads"]("POST", self.path):
            return self.answer()
        body = json.dumps({"error_code": "PERMISSION_DENIED", "message": READER}).encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    monkeypatch.setattr(handler, "do_POST", do_POST)
    outcomes = dict(probe(uri, "Bearer t"))
    assert outcomes["API: a run"] == (
        "ok",
        "experiments can be read; no run was logged, as this user is a reader: the credentials of an editor verify that too",
    )
    assert outcomes["API: an artifact"] == ("skipped", "there is no run to log it with") and len(outcomes) == 4
    assert not any(method in ("PUT", "DELETE") for method, _path in handler.seen)


def test_a_refusal_of_s3_does_not_show_the_signed_url(presigned_only):
    uri, handler = presigned_only
    handler.refuse = True
    status, detail = dict(probe(uri, "Bearer t"))["API: an artifact"]
    assert (status, detail) == ("failed", "HTTP 403 to PUT S3 by a signed URL: <Error><Code>AccessDenied</Code></Error>")
    assert ("POST", "/api/2.0/mlflow-artifacts/mpu/abort/1/run/artifacts") in handler.seen

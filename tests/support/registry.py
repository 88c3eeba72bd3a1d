# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small registry of images (OCI Distribution Specification): token authentication, blobs behind redirects, faults on request."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
TOKEN = "a-token"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Registry:
    """Serves what is added to it, for the one repository C(team/mlflow). ``failing``: statuses with which the next requests of a path part
    are answered in place of what they ask for.
    """

    def __init__(self, username: str = "", password: str = "") -> None:
        self.basic = f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}" if username else None
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.failing: list[tuple[str, int]] = []
        self.requests: list[str] = []
        self.cut = 0
        """So many blobs are broken off in the middle."""
        self.challenge = "Bearer"
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.answer(self)

            def log_message(self, *arguments: t.Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    @property
    def image(self) -> str:
        return f"{self.host}/team/mlflow"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def blob(self, content: bytes) -> dict[str, t.Any]:
        self.blobs[digest(content)] = content
        return {"digest": digest(content), "size": len(content)}

    def document(self, kind: str, content: dict[str, t.Any], *tags: str) -> str:
        """Add a manifest or an index; returns its digest."""
        body = json.dumps({"schemaVersion": 2, "mediaType": kind, **content}, indent=1).encode()
        for name in (digest(body), *tags):
            self.manifests[name] = (body, kind)
        return digest(body)

    def add_image(self, *tags: str, architecture: str = "amd64", layers: t.Sequence[bytes] = (b"a layer", b"another"), kind: str = MANIFEST) -> str:
        config = self.blob(json.dumps({"architecture": architecture, "os": "linux"}).encode())
        return self.document(kind, {"config": config, "layers": [self.blob(layer) for layer in layers]}, *tags)

    def add_index(self, *tags: str, **images: str) -> str:
        """Of images by architecture, with an attestation, as builders add it."""
        platforms = [({"os": "linux", "architecture": name}, found) for name, found in images.items()]
        platforms.insert(0, ({"os": "unknown", "architecture": "unknown"}, f"sha256:{'0' * 64}"))
        return self.document(INDEX, {"manifests": [{"mediaType": MANIFEST, "digest": found, "platform": platform} for platform, found in platforms]}, *tags)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, given = request.path, request.headers.get("Authorization")
        self.requests.append(path)
        for part, status in self.failing:
            if part in path:
                self.failing.remove((part, status))
                return self.send(request, status)
        if path.startswith("/token?"):
            allowed = given == self.basic and "scope=repository%3Ateam%2Fmlflow%3Apull" in path and "service=images" in path
            return self.send(request, 200 if allowed else 401, json.dumps({"token": TOKEN}).encode() if allowed else b"")
        if path.startswith("/store/"):  # as S3 does, it takes one way to authorise, and that is in the URL
            content = self.blobs[path.rpartition("/")[2]]
            if self.cut:
                self.cut -= 1
                return self.send(request, 200, content, short=True)
            return self.send(request, 400 if given else 200, content)
        wanted = self.basic if self.challenge == "Basic" else f"Bearer {TOKEN}"
        if given != wanted:
            realm = f'realm="http://{self.host}/token",service="images",scope="repository:team/mlflow:pull"'
            return self.send(request, 401, **{"WWW-Authenticate": f"{self.challenge} {realm}"})
        name = path.rpartition("/")[2]
        if path.startswith("/v2/team/mlflow/manifests/") and name in self.manifests and MANIFEST in request.headers["Accept"]:
            body, kind = self.manifests[name]
            return self.send(request, 200, body, **{"Content-Type": f"{kind}; charset=utf-8"})
        if path.startswith("/v2/team/mlflow/blobs/") and name in self.blobs:
            return self.send(request, 307, Location=f"http://localhost:{self.server.server_port}/store/{name}")
        return self.send(request, 404)

    @staticmethod
    def send(request: BaseHTTPRequestHandler, status: int, body: bytes = b"", *, short: bool = False, **headers: str) -> None:
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body[: len(body) // 2] if short else body)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy one image from a registry into a repository of Amazon ECR.

A one-off ECS task runs this text with ``python -c`` in that image itself, which has Python and boto3. It speaks the API of registries (OCI
Distribution Specification), and to ECR by boto3. The manifest comes last, so that the tag names a complete image or nothing, and layers that
are there already are not copied again: it can be run again at any time, also after a run that was killed.

Environment:
  SOURCE_IMAGE                           without tag, such as ghcr.io/mlflow/mlflow
  SOURCE_TAG                             tag, or tag@sha256:<digest>
  ARCHITECTURE                           of an index of several, the one to copy: amd64 or arm64
  MIRROR_REPOSITORY, MIRROR_TAG          where it goes
  REGISTRY_USERNAME, REGISTRY_PASSWORD   optional

Exit status 0: the last line of the output is a JSON object: the ``digest`` of the image in the repository, and how many ``bytes`` were
copied. Otherwise 1, and the last line says why.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import sys
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

import boto3

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
MAX_MANIFEST = 4 * 1024 * 1024
"""Bytes of a manifest that registries have to take."""
ATTEMPTS = 5
TIMEOUT = 60
"""Seconds in which the registry has to answer."""


class Failed(Exception):
    """The image cannot be copied."""


class Descriptor(t.NamedTuple):
    """What a manifest or an index says of something it refers to."""

    digest: str
    size: int


def retried(what: str, act: t.Callable[[], t.Any]) -> t.Any:
    """What ``act`` returns. A registry that is busy or away is asked again, for half a minute."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return act()
        except urllib.error.HTTPError as error:
            reason = f"HTTP status {error.code}"
            if error.code not in (408, 429, 500, 502, 503, 504):
                raise Failed(f"{what}: {reason}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:  # no connection, one that broke, an answer that does not fit its digest
            reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        if attempt < ATTEMPTS:
            print(f"{what}: {reason}; once more", flush=True)
            time.sleep(2**attempt)
    raise Failed(f"{what}: {reason}")


class Registry:
    """One repository of a registry, read only."""

    def __init__(self, image: str, username: str = "", password: str = "") -> None:
        host, _slash, path = image.partition("/")
        if not path or not set(host) & {".", ":"} and host != "localhost":  # Docker Hub's names have no host
            host, path = "registry-1.docker.io", image if "/" in image else f"library/{image}"
        elif host == "docker.io":
            host = "registry-1.docker.io"
        local = host.partition(":")[0] in ("localhost", "127.0.0.1")
        self.host, self.path, self.base = host, path, f"{'http' if local else 'https'}://{host}/v2/{path}"
        self.basic = base64.b64encode(f"{username}:{password}".encode()).decode() if username else ""
        self.authorization = ""

    def manifest(self, reference: str) -> tuple[bytes, str]:
        """A manifest or index by tag or digest, as the registry has it, and its media type."""

        def read() -> tuple[bytes, str]:
            with self._open(f"{self.base}/manifests/{reference}", {"Accept": ", ".join(INDEXES + MANIFESTS)}) as answer:
                body, kind = answer.read(MAX_MANIFEST + 1), answer.headers.get("Content-Type", "").partition(";")[0].strip()
            if len(body) > MAX_MANIFEST:
                raise Failed(f"{reference}: the manifest is too large")
            if ":" in reference and digest_of(body) != reference:
                raise ValueError(f"{reference}: the registry sent something else")
            return body, kind

        return retried(f"{self.host}: {self.path} {reference}", read)

    def architecture(self, config: str) -> str:
        """Of the image with this configuration, a blob."""

        def read() -> str:
            with self.blob(config) as answer:
                return json.loads(answer.read(MAX_MANIFEST)).get("architecture", "")

        return retried(f"{self.host}: {self.path} {config}", read)

    def blob(self, digest: str) -> t.Any:
        """An open answer with a blob. The registry may send to where it keeps them, to which the token does not go."""
        return self._open(f"{self.base}/blobs/{digest}", {})

    def _open(self, url: str, headers: dict[str, str]) -> t.Any:
        for again in (True, False):
            request = urllib.request.Request(url, headers=headers)
            if self.authorization:
                request.add_unredirected_header("Authorization", self.authorization)
            try:
                return urllib.request.urlopen(request, timeout=TIMEOUT)
            except urllib.error.HTTPError as error:
                if error.code != 401 or not again:
                    raise
                self.authorization = self._authorize(error.headers.get("WWW-Authenticate", ""))
        raise AssertionError("unreachable: the second attempt returns or raises")

    def _authorize(self, challenge: str) -> str:
        """What the registry asks for: a token, from where it says (or Basic)."""
        scheme, _space, text = challenge.partition(" ")
        if scheme.lower() == "basic" and self.basic:
            return f"Basic {self.basic}"
        parts = dict(re.findall(r'(\w+)="([^"]*)"', text))
        realm = parts.pop("realm", "")
        safe = urllib.parse.urlsplit(realm).scheme == "https" or self.base.startswith("http:")
        if scheme.lower() != "bearer" or not realm or not safe:
            raise Failed(f"{self.host}: it asks for {scheme or 'no'} credentials in a way that is not known")
        query = urllib.parse.urlencode({"scope": f"repository:{self.path}:pull", **{k: v for k, v in parts.items() if k in ("service", "scope")}})
        request = urllib.request.Request(f"{realm}{'&' if '?' in realm else '?'}{query}")
        if self.basic:
            request.add_unredirected_header("Authorization", f"Basic {self.basic}")
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            tokens = json.load(answer)
        return f"Bearer {tokens.get('token') or tokens.get('access_token')}"


class Mirror:
    """A repository of Amazon ECR."""

    def __init__(self, repository: str) -> None:
        self.ecr, self.repository = boto3.client("ecr"), repository

    def has(self, digest: str) -> bool:
        layers = self.ecr.batch_check_layer_availability(repositoryName=self.repository, layerDigests=[digest])["layers"]
        return any(layer["layerAvailability"] == "AVAILABLE" for layer in layers)

    def copy(self, source: Registry, blob: Descriptor) -> int:
        """Copy a blob that is not there, and return how many bytes were sent."""
        if self.has(blob.digest):
            return 0
        return retried(f"{source.host}: {source.path} {blob.digest}", lambda: self._upload(source, blob))

    def _upload(self, source: Registry, blob: Descriptor) -> int:
        upload = self.ecr.initiate_layer_upload(repositoryName=self.repository)
        where, size = {"repositoryName": self.repository, "uploadId": upload["uploadId"]}, 0
        checksum = hashlib.sha256()
        with source.blob(blob.digest) as answer:
            while part := answer.read(upload["partSize"]):
                if size + len(part) > blob.size:
                    raise ValueError("it is longer than its manifest says")
                checksum.update(part)
                self.ecr.upload_layer_part(**where, partFirstByte=size, partLastByte=size + len(part) - 1, layerPartBlob=part)
                size += len(part)
        if f"sha256:{checksum.hexdigest()}" != blob.digest:
            raise ValueError("what came is not what its digest says")
        try:
            self.ecr.complete_layer_upload(**where, layerDigests=[blob.digest])
        except self.ecr.exceptions.LayerAlreadyExistsException:
            pass  # somebody else's copy was faster
        return size

    def put(self, manifest: bytes, kind: str, tag: str) -> str:
        """Give the repository the manifest of an image whose blobs it has; returns the image's digest."""
        digest = digest_of(manifest)
        try:
            self.ecr.put_image(repositoryName=self.repository, imageManifest=manifest.decode(), imageManifestMediaType=kind, imageTag=tag, imageDigest=digest)
        except self.ecr.exceptions.ImageAlreadyExistsException:
            pass
        except self.ecr.exceptions.ImageTagAlreadyExistsException:  # the tag was moved at the source while two tasks copied
            (image,) = self.ecr.describe_images(repositoryName=self.repository, imageIds=[{"imageTag": tag}])["imageDetails"]
            return image["imageDigest"]
        return digest


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def kind_of(document: dict[str, t.Any], kind: str) -> str:
    """The media type of a manifest or index: it says so itself, or the answer's header does."""
    return document.get("mediaType") or kind


def of_platform(index: dict[str, t.Any], architecture: str) -> str:
    """The digest of the image for Linux and a CPU architecture."""
    platforms = [(each.get("platform") or {}, each["digest"]) for each in index["manifests"]]
    found = {platform.get("architecture", ""): digest for platform, digest in platforms if platform.get("os") == "linux"}
    if architecture not in found:
        raise Failed(f"the image is not made for {architecture}, but for {', '.join(sorted(found)) or 'no Linux'}")
    return found[architecture]


def copy_image(source: Registry, reference: str, architecture: str, mirror: Mirror, tag: str) -> tuple[str, int]:
    """Copy the image, and return its digest in the mirror and the bytes that were sent."""
    manifest, kind = source.manifest(reference)
    document = json.loads(manifest)
    if kind_of(document, kind) in INDEXES:
        manifest, kind = source.manifest(of_platform(document, architecture))
        document = json.loads(manifest)
    kind = kind_of(document, kind)
    if kind not in MANIFESTS:
        raise Failed(f"{reference} is {kind or 'of no media type'}, and Amazon ECS runs images of {' and '.join(MANIFESTS)}")
    made_for = source.architecture(document["config"]["digest"])
    if made_for != architecture:
        raise Failed(f"the image is not made for {architecture}, but for {made_for}")
    sent = 0
    for each in [document["config"], *document["layers"]]:
        blob = Descriptor(each["digest"], each["size"])
        copied = mirror.copy(source, blob)
        print(f"{blob.digest}: {f'{copied} bytes copied' if copied else 'is there already'}", flush=True)
        sent += copied
    return mirror.put(manifest, kind, tag), sent


def main() -> int:
    given = os.environ
    try:
        source = Registry(given["SOURCE_IMAGE"], given.get("REGISTRY_USERNAME", ""), given.get("REGISTRY_PASSWORD", ""))
        tag, _at, digest = given["SOURCE_TAG"].partition("@")
        found, sent = copy_image(source, digest or tag, given["ARCHITECTURE"], Mirror(given["MIRROR_REPOSITORY"]), given["MIRROR_TAG"])
    except Failed as error:
        print(f"failed: {error}", flush=True)
        return 1
    except Exception as error:
        print(f"failed: {type(error).__name__}: {error}", flush=True)
        return 1
    print(json.dumps({"digest": found, "bytes": sent}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ECR: what it checks of layers and images before it takes them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.ecr import models

from embedded_aws.gaps import gap

Backend = models.ECRBackend
MIN_PART = 5 * 1024 * 1024
"""Bytes of a part of a layer that is not the last."""


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@gap(Backend, "upload_layer_part")
def upload_layer_part(original: Any, self: Any, repository_name: str, upload_id: str, *args: Any, **kwargs: Any) -> Any:
    """UploadLayerPart and CompleteLayerUpload refuse a part below 5 MiB that is not the last: LayerPartTooSmallException."""
    upload = self._get_repository(repository_name).uploads.get(upload_id)
    if upload and getattr(upload, "has_last", False):
        raise JsonRESTError("LayerPartTooSmallException", "Layer parts must be at least 5 MiB in size.")
    before = len(upload.layer_parts) if upload else 0
    answer = original(self, repository_name, upload_id, *args, **kwargs)
    upload.has_last = len(upload.layer_parts) - before < MIN_PART
    return answer


@gap(Backend, "complete_layer_upload")
def complete_layer_upload(original: Any, self: Any, repository_name: str, upload_id: str, layer_digests: list[str], *args: Any, **kwargs: Any) -> Any:
    """CompleteLayerUpload refuses an empty upload, a layer that is not what its digest says, and one that is there."""
    repository = self._get_repository(repository_name)
    upload = repository.uploads.get(upload_id)
    if upload:
        digest = _digest(bytes(upload.layer_parts))
        if not upload.layer_parts:
            raise JsonRESTError("EmptyUploadException", "The layer upload has no parts.")
        if digest not in layer_digests:
            raise JsonRESTError("InvalidLayerException", f"Layer digests {layer_digests} do not match the uploaded layer {digest}.")
        if digest in repository.layers:
            raise JsonRESTError("LayerAlreadyExistsException", f"Layer with digest '{digest}' already exists in the repository.")
    return original(self, repository_name, upload_id, layer_digests, *args, **kwargs)


@gap(Backend, "put_image")
def put_image(
    original: Any, self: Any, repository_name: str, image_manifest: str, image_tag: str, image_manifest_mediatype: str | None = None, digest: str | None = None
) -> Any:
    """PutImage takes an image whose layers there are and whose digest is its manifest's, and refuses a tag that another immutable image has."""
    repository, found = self._get_repository(repository_name), _digest(image_manifest.encode())
    if digest and digest != found:
        raise JsonRESTError("ImageDigestDoesNotMatchException", f"The image digest {digest} does not match the calculated digest {found}.")
    document = json.loads(image_manifest)
    needed = [each["digest"] for each in [document.get("config"), *document.get("layers", [])] if each]
    missing = [each for each in needed if each not in repository.layers]
    if missing:
        raise JsonRESTError("LayersNotFoundException", f"Layers with digests {missing} required for pushing image do not exist.")
    if repository.is_tag_immutable() and any(image_tag in image.image_tags and image.image_digest != found for image in repository.images):
        raise JsonRESTError(
            "ImageTagAlreadyExistsException", f"The image tag '{image_tag}' already exists and cannot be overwritten because the tag is immutable."
        )
    return original(self, repository_name, image_manifest, image_tag, image_manifest_mediatype, found)

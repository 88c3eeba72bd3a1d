# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ECR: what it checks of layers and images before it takes them, and its pull-through cache."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecr import models
from moto.ecr.responses import ECRResponse as Response
from moto.secretsmanager.models import secretsmanager_backends

from embedded_aws.gaps import gap

Backend = models.ECRBackend
WITH_CREDENTIALS = {"ghcr.io": "github-container-registry", "registry-1.docker.io": "docker-hub", "registry.gitlab.com": "gitlab-container-registry"}
"""Registries that the pull-through cache signs in at, and what the API calls them."""
INDEX = "application/vnd.oci.image.index.v1+json"
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


@gap(Response, "create_pull_through_cache_rule")
def create_pull_through_cache_rule(_original: Any, self: Any) -> ActionResult:
    """CreatePullThroughCacheRule takes the registries that it knows, one rule a prefix, and a secret that it can read: under no customer key."""
    rules, prefix = _rules(self.ecr_backend), self._get_param("ecrRepositoryPrefix")
    if prefix in rules:
        raise JsonRESTError("PullThroughCacheRuleAlreadyExistsException", f"A pull through cache rule with prefix '{prefix}' already exists.")
    url = self._get_param("upstreamRegistryUrl")
    if self._get_param("upstreamRegistry") != WITH_CREDENTIALS.get(url):
        raise JsonRESTError("UnsupportedUpstreamRegistryException", f"The upstream registry '{url}' is not supported.")
    _check_secret(self, self._get_param("credentialArn"))
    members = ("ecrRepositoryPrefix", "upstreamRegistryUrl", "upstreamRegistry", "credentialArn")
    now, account = utcnow(), {"registryId": self.current_account, "upstreamRepositoryPrefix": "ROOT"}
    rules[prefix] = {**account, **{name: self._get_param(name) for name in members}, "createdAt": now, "updatedAt": now}
    return ActionResult(rules[prefix])


@gap(Response, "update_pull_through_cache_rule")
def update_pull_through_cache_rule(_original: Any, self: Any) -> ActionResult:
    """UpdatePullThroughCacheRule changes the credentials of a rule."""
    rule = _rule(self)
    _check_secret(self, self._get_param("credentialArn"))
    rule.update(credentialArn=self._get_param("credentialArn"), updatedAt=utcnow())
    return ActionResult(rule)


@gap(Response, "describe_pull_through_cache_rules")
def describe_pull_through_cache_rules(_original: Any, self: Any) -> ActionResult:
    """DescribePullThroughCacheRules lists the rules, and refuses a prefix that has none."""
    wanted = self._get_param("ecrRepositoryPrefixes")
    return ActionResult({"pullThroughCacheRules": [_rule(self, prefix) for prefix in wanted] if wanted else list(_rules(self.ecr_backend).values())})


@gap(Response, "delete_pull_through_cache_rule")
def delete_pull_through_cache_rule(_original: Any, self: Any) -> ActionResult:
    """DeletePullThroughCacheRule removes a rule, and leaves what it has brought."""
    return ActionResult(_rules(self.ecr_backend).pop(_rule(self)["ecrRepositoryPrefix"]))


@gap(Backend, "batch_get_image")
def batch_get_image(original: Any, self: Any, repository_name: str, registry_id: str | None = None, image_ids: Any = None) -> dict[str, Any]:
    """BatchGetImage has ECR bring an image that a rule is for, by its tag alone; it is listed a while later. Every registry has the versions."""
    answer: dict[str, Any] = original(self, repository_name, registry_id, image_ids)
    rule = next((rule for prefix, rule in _rules(self).items() if repository_name.startswith(f"{prefix}/")), None)
    for failure in [each for each in answer["failures"] if rule and each["imageId"]["imageTag"] != "null"]:
        tag, name = failure["imageId"]["imageTag"], repository_name.removeprefix(f"{rule['ecrRepositoryPrefix']}/")
        secret = _secret(self.account_id, self.region_name, rule["credentialArn"])
        if not {"username", "accessToken"} <= json.loads(secret.versions[secret.default_version_id]["secret_string"]).keys():
            failure.update(failureCode="UpstreamAccessDenied", failureReason="Unable to authenticate to the upstream registry")
            continue
        if not tag.startswith("v"):
            continue
        manifest = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"of": f"{rule['upstreamRegistryUrl']}/{name}:{tag}"}})
        image = models.Image(self.account_id, tag, manifest, repository_name, INDEX, _digest(manifest.encode()))
        vars(self).setdefault("arriving", {})[repository_name] = image
        answer["images"].append(image)
        answer["failures"].remove(failure)
    return answer


@gap(Backend, "describe_images")
def describe_images(original: Any, self: Any, repository_name: str, *args: Any, **kwargs: Any) -> Any:
    """DescribeImages lists what a rule brings once it is there, with all of its layers."""
    try:
        return original(self, repository_name, *args, **kwargs)
    finally:
        if image := getattr(self, "arriving", {}).pop(repository_name, None):
            self._get_repository(repository_name).images.append(image)


def _rules(backend: Any) -> dict[str, dict[str, Any]]:
    rules: dict[str, dict[str, Any]] = vars(backend).setdefault("pull_through_cache_rules", {})
    return rules


def _rule(response: Any, prefix: str = "") -> dict[str, Any]:
    prefix = prefix or response._get_param("ecrRepositoryPrefix")
    rules = _rules(response.ecr_backend)
    if prefix not in rules:
        account = response.current_account
        message = f"The pull through cache rule with prefix '{prefix}' does not exist in the registry with id '{account}'"
        raise JsonRESTError("PullThroughCacheRuleNotFoundException", message)
    return rules[prefix]


def _secret(account: str, region: str, arn: str) -> Any:
    secrets = secretsmanager_backends[account][region].secrets
    return secrets[arn] if arn in secrets else None


def _check_secret(response: Any, arn: str) -> None:
    secret = _secret(response.current_account, response.region, arn)
    if secret is None:
        raise JsonRESTError("SecretNotFoundException", f"The ARN of the secret specified in the pull through cache rule was not found: {arn}")
    if secret.kms_key_id and not secret.kms_key_id.endswith("alias/aws/secretsmanager"):
        raise JsonRESTError("UnableToDecryptSecretValueException", "The secret is accessible but is unable to be decrypted.")

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: Amazon ECR: repositories of images, and the pull-through cache that brings images from other registries."""

from __future__ import annotations

import json

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none, none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, StaleState
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list

_MISSING = "RepositoryNotFoundException"
CACHE_PREFIX = (2, 30)
"""Characters of the prefix of a pull-through cache rule."""
_REGISTRIES = {"ghcr.io": "github-container-registry", "registry-1.docker.io": "docker-hub", "registry.gitlab.com": "gitlab-container-registry"}
_MEDIA_TYPES = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]


def upstream(image: str) -> tuple[str, str]:
    """The registry and the repository of an image without its tag.

    >>> [upstream(image) for image in ("ghcr.io/mlflow/mlflow", "team/mlflow", "docker.io/python", "localhost:5000/mlflow")]
    [('ghcr.io', 'mlflow/mlflow'), ('registry-1.docker.io', 'team/mlflow'), ('registry-1.docker.io', 'library/python'), ('localhost:5000', 'mlflow')]
    """
    host, _slash, path = image.partition("/")
    if not path or not set(host) & {".", ":"} and host != "localhost":
        host, path = "docker.io", image  # Docker Hub's names have no host
    if host in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        return "registry-1.docker.io", path if "/" in path else f"library/{path}"
    return host, path


def upstream_registry(url: str) -> str:
    """What ECR's pull-through cache calls a registry that it signs in at with credentials; empty where it knows none of this host name.

    >>> [upstream_registry(url) for url in ("ghcr.io", "team.azurecr.io", "quay.io", "registry.example.com")]
    ['github-container-registry', 'azure-container-registry', '', '']
    """
    return _REGISTRIES.get(url, "azure-container-registry" if url.endswith(".azurecr.io") else "")


class Repository(Resource):
    """A repository with its lifecycle policy. ``spec``: the options of ``ecr_repository``, but for ``name`` and ``tags``."""

    kind = "ecr_repository"
    service = "ecr"

    def describe(self) -> State | None:
        ecr, name, tag = self.aws.client("ecr"), self.name, self.spec.get("image_tag")
        repository = first_or_none(ecr.describe_repositories, "repositories", _MISSING, repositoryNames=[name])
        if repository is None:
            return None
        image = {"imageIds": [{"imageTag": tag}]}
        tags, policy, found = run_concurrently(
            lambda: ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"],
            lambda: none_if_missing(ecr.get_lifecycle_policy, "LifecyclePolicyNotFoundException", repositoryName=name),
            lambda: first_or_none(ecr.describe_images, "imageDetails", "ImageNotFoundException", repositoryName=name, **image) if tag else None,
        )
        return {
            "arn": repository["repositoryArn"],
            "uri": repository["repositoryUri"],
            "image_tag_mutability": repository["imageTagMutability"],
            "scan_on_push": repository.get("imageScanningConfiguration", {}).get("scanOnPush", False),
            "lifecycle_policy": json.loads(policy["lifecyclePolicyText"]) if policy else {},
            "image_digest": found["imageDigest"] if found else "",
            "tags": tag_dict(tags),
        }

    def _arn(self) -> str:
        return f"arn:{self.aws.partition}:ecr:{self.aws.region}:{self.aws.account_id}:repository/{self.name}"

    def desired(self) -> State:
        return {name: self.spec[name] for name in ("image_tag_mutability", "scan_on_push", "lifecycle_policy")}

    def unknown(self) -> State:
        return {"arn": self._arn(), "uri": UNKNOWN, "image_digest": ""}

    def create(self, desired: State) -> State:
        repository = self.aws.client("ecr").create_repository(
            repositoryName=self.name,
            imageTagMutability=desired["image_tag_mutability"],
            imageScanningConfiguration={"scanOnPush": desired["scan_on_push"]},
            tags=tag_list(desired["tags"]),
        )["repository"]
        self._set_lifecycle_policy(desired)
        return {"arn": repository["repositoryArn"], "uri": repository["repositoryUri"]}

    def update(self, before: State, changes: State) -> None:
        ecr = self.aws.client("ecr")
        if "image_tag_mutability" in changes:
            ecr.put_image_tag_mutability(repositoryName=self.name, imageTagMutability=changes["image_tag_mutability"])
        if "scan_on_push" in changes:
            ecr.put_image_scanning_configuration(repositoryName=self.name, imageScanningConfiguration={"scanOnPush": changes["scan_on_push"]})
        self._set_lifecycle_policy(changes)

    def _set_lifecycle_policy(self, fields: State) -> None:
        policy = fields.get("lifecycle_policy")
        if policy:
            self.aws.client("ecr").put_lifecycle_policy(repositoryName=self.name, lifecyclePolicyText=json.dumps(policy))
        elif policy == {} and not self.newly_created():
            self.aws.client("ecr").delete_lifecycle_policy(repositoryName=self.name)

    def warn(self, before: State | None, changes: State) -> list[str]:
        return ["its images are deleted"] if self.absent else []

    def delete(self, before: State) -> None:
        self.aws.client("ecr").delete_repository(repositoryName=self.name, force=True)

    def result(self) -> State:
        return {"name": self.name, **{name: self.actual[name] for name in ("arn", "uri", "image_digest")}}


class PullThroughCacheRule(Resource):
    """The rule by which ECR brings images from another registry. ``name`` is the prefix of the repositories that they get.

    ``spec``: ``upstream_registry_url`` and ``credential_arn``; to remove it, ``tags``, which tell what is below it, and ``besides``: the
    repositories there that are removed otherwise. A rule has no tags: one with the name of the stack is the stack's.
    """

    kind = "ecr_pull_through_cache_rule"
    service = "ecr"
    immutable = frozenset({"upstream_registry_url"})
    replaceable = True

    def describe(self) -> State | None:
        if not CACHE_PREFIX[0] <= len(self.name) <= CACHE_PREFIX[1]:
            return None  # a stack may be called so, and a rule not
        missing = "PullThroughCacheRuleNotFoundException"
        rule = first_or_none(self.aws.client("ecr").describe_pull_through_cache_rules, "pullThroughCacheRules", missing, ecrRepositoryPrefixes=[self.name])
        return rule and {"upstream_registry_url": rule["upstreamRegistryUrl"], "credential_arn": rule.get("credentialArn", "")}

    def desired(self) -> State:
        return {name: self.spec[name] for name in ("upstream_registry_url", "credential_arn")}

    def create(self, desired: State) -> None:
        self.aws.client("ecr").create_pull_through_cache_rule(
            ecrRepositoryPrefix=self.name,
            upstreamRegistryUrl=desired["upstream_registry_url"],
            upstreamRegistry=upstream_registry(desired["upstream_registry_url"]),
            credentialArn=desired["credential_arn"],
        )

    def update(self, before: State, changes: State) -> None:
        self.aws.client("ecr").update_pull_through_cache_rule(ecrRepositoryPrefix=self.name, credentialArn=changes["credential_arn"])

    def children(self) -> list[Resource]:
        """To remove it: the repositories of all images that came by it, whatever the inputs are now. Else those stay, as revisions may name them."""
        if not self.absent:
            return []
        names = (repository["repositoryName"] for repository in self.aws.pages("ecr", "describe_repositories", "repositories"))
        below = [name for name in names if name.startswith(f"{self.name}/") and name not in self.spec["besides"]]
        return [Repository(self.aws, name, tags=self.spec["tags"], parent=self) for name in below]

    def delete(self, before: State) -> None:
        self.aws.client("ecr").delete_pull_through_cache_rule(ecrRepositoryPrefix=self.name)


class CachedImage(Resource):
    """An image that ECR brings by a rule, and what a plan says of it. ``spec``: ``repository``, ``tag``, ``digest`` (of the image that the tag
    has to name; empty for any), ``upstream_registry_url``. It is there once ECR lists it, with all of its layers.
    """

    kind = "ecr_image"
    service = "ecr"

    def describe(self) -> State | None:
        image = {"imageDigest": self.spec["digest"]} if self.spec["digest"] else {"imageTag": self.spec["tag"]}
        missing = ("ImageNotFoundException", _MISSING)
        arguments = {"repositoryName": self.spec["repository"], "imageIds": [image]}
        found = first_or_none(self.aws.client("ecr").describe_images, "imageDetails", *missing, **arguments)
        return found and {"digest": found["imageDigest"]}

    def desired(self) -> State:
        return {}

    def unknown(self) -> State:
        return {"digest": ""}

    def create(self, desired: State) -> None:
        """Ask for it by its tag, which has ECR bring it: it brings nothing that it is asked for by a digest."""
        tag, digest = self.spec["tag"], self.spec["digest"]
        answer = self.aws.client("ecr").batch_get_image(repositoryName=self.spec["repository"], imageIds=[{"imageTag": tag}], acceptedMediaTypes=_MEDIA_TYPES)
        for failure in answer.get("failures", []):
            reason = f"Amazon ECR cannot bring it from {self.spec['upstream_registry_url']} ({failure['failureCode']}: {failure['failureReason']})"
            if failure["failureCode"] == "ImageNotFound" and any(need.newly_created() for need in self.needs):
                raise StaleState(reason)  # the rule may not be everywhere yet
            raise AwsError(f"{reason}: check mlflow_service_image, its tag, and the credentials in mlflow_service_image_mirror_secret_arn")
        image = answer["images"][0]
        if digest not in f"{image['imageId']['imageDigest']} {image['imageManifest']}":  # an index names the images of each architecture
            raise AwsError(
                f"the tag {tag} names {image['imageId']['imageDigest']} and not {digest}, and Amazon ECR brings an image by its tag alone: give the tag "
                "that names it, or leave out mlflow_service_image_mirror_secret_arn to have a task copy it"
            )

    def pending(self, state: State) -> bool:
        return not state["digest"]

    def warn(self, before: State | None, changes: State) -> list[str]:
        return [f"Amazon ECR brings it from {self.spec['upstream_registry_url']}, about a gigabyte"]

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: Amazon ECR: repositories of images."""

from __future__ import annotations

import json

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none, none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list

_MISSING = "RepositoryNotFoundException"


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

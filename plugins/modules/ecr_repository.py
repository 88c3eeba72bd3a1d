#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_repository
version_added: 1.1.0
short_description: Manage a repository of Amazon ECR, and find an image in it or bring one
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes one repository (C(CreateRepository), C(PutImageTagMutability), C(PutImageScanningConfiguration),
    C(PutLifecyclePolicy), C(DeleteLifecyclePolicy), C(DeleteRepository)). Its encryption is that of Amazon ECR itself (AES256).
  - With O(state=absent), its images are deleted with it.
  - With O(pull_through_cache), the rule by which Amazon ECR brings images from another registry is managed too (C(CreatePullThroughCacheRule),
    C(UpdatePullThroughCacheRule), C(DeletePullThroughCacheRule)), and the image O(image_tag) is brought (C(BatchGetImage)) unless it is there.
    A rule has no tags, so whoever gives its prefix says that it is theirs.
  - Used in place of M(community.aws.ecs_ecr), which has no tags, so that the owner of a repository cannot be recorded, reports no diff, and
    finds no image.
options:
  name:
    description: Name of the repository.
    type: str
    required: true
  image_tag:
    description: The tag of an image to find.
    type: str
  image_tag_mutability:
    description: Whether a tag may be moved to another image.
    type: str
    choices: [IMMUTABLE, MUTABLE]
    default: IMMUTABLE
  scan_on_push:
    description: Whether each image is scanned for known vulnerabilities when it comes.
    type: bool
    default: true
  lifecycle_policy:
    description: Which images Amazon ECR removes, spelled as its API spells it. V({}) removes the policy. Not managed where omitted.
    type: dict
  pull_through_cache:
    description:
      - The rule for the repositories below a prefix. The repository O(name) is one of them.
      - With O(state=absent), the rule and all repositories below its prefix that have the owner's O(tags) are removed. Not managed where omitted.
    type: dict
    suboptions:
      ecr_repository_prefix:
        description: The prefix, 2 to 30 characters.
        type: str
        required: true
      upstream_registry_url:
        description:
          - The host name of the registry, V(ghcr.io), V(registry-1.docker.io), V(registry.gitlab.com) or one of V(azurecr.io). Required but with
            O(state=absent). A change replaces the rule; what it has brought stays.
        type: str
      credential_arn:
        description:
          - ARN of a Secrets Manager secret whose name begins with C(ecr-pullthroughcache/), a JSON object with the keys C(username) and
            C(accessToken). Required but with O(state=absent).
        type: str
      image_digest:
        description: The digest that the image with the tag O(image_tag) has to have, or an image in the index that it names. Any where omitted.
        type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Create a repository that keeps all images with a tag
  mlplatform.mlflow_aws.ecr_repository:
    name: mlflow-team-x/mlflow
    lifecycle_policy:
      rules:
        - rulePriority: 1
          selection: {tagStatus: untagged, countType: sinceImagePushed, countUnit: days, countNumber: 14}
          action: {type: expire}
    tags:
      team: x

- name: Bring an image from GitHub's registry
  mlplatform.mlflow_aws.ecr_repository:
    name: mlflow-team-x/mlflow/mlflow
    image_tag: v3.18.0-full
    pull_through_cache:
      ecr_repository_prefix: mlflow-team-x
      upstream_registry_url: ghcr.io
      credential_arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:ecr-pullthroughcache/ghcr-a1b2c3

- name: Remove it with its images
  mlplatform.mlflow_aws.ecr_repository:
    name: mlflow-team-x/mlflow
    state: absent
"""

RETURN = r"""
repository:
  description:
    - The repository, as it is after the run. Empty with O(state=absent). In check mode C(uri) of one that would be created is
      C((known after apply)).
    - C(image_digest) is that of the image with the tag O(image_tag), empty where there is none.
  type: dict
  returned: success
  sample:
    arn: arn:aws:ecr:eu-west-1:123456789012:repository/mlflow-team-x/mlflow
    image_digest: sha256:94afd1f2e64d908bc90dbca0035a5b567e6bd9f9b8dbf0f3b1f4c5d6e7f80912
    name: mlflow-team-x/mlflow
    uri: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlflow-team-x/mlflow
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: V(create), V(update), V(replace) or V(delete).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: ecr_repository
    name:
      description: Name of the resource.
      type: str
    fields:
      description: What differs, each with C(name), C(before) and C(after).
      type: list
      elements: dict
    warnings:
      description: What the change costs, such as downtime.
      type: list
      elements: str
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecr import CachedImage, PullThroughCacheRule, Repository


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent, cache = params["state"] == "absent", params["pull_through_cache"]
    repository = Repository(aws, params["name"], params, tags=params["tags"], absent=absent)
    if not cache:
        return [repository], lambda: {"repository": repository.result() if repository.state else {}}
    if absent:
        below = {"tags": params["tags"], "besides": [params["name"]]}
        return [repository, PullThroughCacheRule(aws, cache["ecr_repository_prefix"], below, absent=True)], lambda: {"repository": {}}
    rule = PullThroughCacheRule(aws, cache["ecr_repository_prefix"], cache)
    wanted = {"repository": params["name"], "tag": params["image_tag"], "digest": cache["image_digest"] or ""}
    spec = {**wanted, "upstream_registry_url": cache["upstream_registry_url"]}
    image = CachedImage(aws, f"{params['name']}:{params['image_tag']}", spec, parent=repository, needs=[repository, rule])
    return [repository, rule, image], lambda: {"repository": {**repository.result(), "image_digest": image.actual["digest"]}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "image_tag": {"type": "str"},
            "image_tag_mutability": {"type": "str", "choices": ["IMMUTABLE", "MUTABLE"], "default": "IMMUTABLE"},
            "scan_on_push": {"type": "bool", "default": True},
            "lifecycle_policy": {"type": "dict"},
            "pull_through_cache": {
                "type": "dict",
                "options": {
                    "ecr_repository_prefix": {"type": "str", "required": True},
                    "upstream_registry_url": {"type": "str"},
                    "credential_arn": {"type": "str"},
                    "image_digest": {"type": "str"},
                },
            },
            **STATE,
            **TAGS,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_repository
version_added: 1.0.0
short_description: Manage a repository of Amazon ECR, and find an image in it
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes one repository (C(CreateRepository), C(PutImageTagMutability), C(PutImageScanningConfiguration),
    C(PutLifecyclePolicy), C(DeleteLifecyclePolicy), C(DeleteRepository)). Its encryption is that of Amazon ECR itself (AES256).
  - With O(state=absent), its images are deleted with it.
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecr import Repository


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    repository = Repository(aws, params["name"], params, tags=params["tags"], absent=params["state"] == "absent")
    return [repository], lambda: {"repository": repository.result() if repository.state else {}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "image_tag": {"type": "str"},
            "image_tag_mutability": {"type": "str", "choices": ["IMMUTABLE", "MUTABLE"], "default": "IMMUTABLE"},
            "scan_on_push": {"type": "bool", "default": True},
            "lifecycle_policy": {"type": "dict"},
            **STATE,
            **TAGS,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

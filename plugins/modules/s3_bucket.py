#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: s3_bucket
version_added: 1.0.0
short_description: Manage an S3 bucket with its configuration
author: mlplatform contributors (@mlplatform)
description:
  - Creates and updates an S3 bucket of the caller's account, in the region of the module.
  - A bucket that holds objects is never removed, and no object is ever deleted, unless O(force_empty) asks for it.
  - Where S3 accepts no tags with a new bucket, or the caller may not tag by that call, the bucket is created without tags and tagged at
    once. Until then a parameter of SSM, C(/mlplatform/mlflow_aws/<stack>/bucket), records that it is the stack's.
  - S3 refuses a policy that would keep the caller from changing the policy again.
  - Used in place of M(amazon.aws.s3_bucket) and M(community.aws.s3_lifecycle), neither of which has a check mode.
options:
  name:
    description: Name of the bucket, unique in all of AWS.
    type: str
    required: true
  versioning:
    description: Whether S3 keeps earlier versions of objects. Not managed where omitted.
    type: bool
  encryption:
    description: How S3 encrypts new objects. Not managed where omitted.
    type: dict
    suboptions:
      algorithm:
        description: V(AES256) for keys of S3, V(aws:kms) for keys of KMS.
        type: str
        choices: [AES256, "aws:kms"]
        required: true
      kms_key_id:
        description: ARN of the KMS key. The account's key for S3 where empty.
        type: str
        default: ""
      bucket_key_enabled:
        description: Whether one data key serves many objects, which saves calls of KMS.
        type: bool
        default: false
  public_access_block:
    description: Whether all four blocks of public access are on. Not managed where omitted.
    type: bool
  object_ownership:
    description: Who owns the objects. V(BucketOwnerEnforced) turns ACLs off. Not managed where omitted.
    type: str
    choices: [BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter]
  policy:
    description: The bucket policy, a policy document as IAM spells it. Empty for none. Not managed where omitted.
    type: dict
  lifecycle_rules:
    description:
      - The lifecycle rules as the S3 API spells them, each with an C(ID). Empty for none. Not managed where omitted.
    type: list
    elements: dict
  access_logs:
    description:
      - Where S3 logs access to the bucket.
      - Where omitted, logging that this module has turned on is turned off, and logging that others have turned on is not managed. The bucket names the
        other bucket in its tag C(mlflow-access-logs).
    type: dict
    suboptions:
      bucket:
        description: Name of the bucket for the logs, in the same account and region.
        type: str
        required: true
      prefix:
        description: Beginning of the keys of the logs.
        type: str
        default: ""
  cors_rule:
    description:
      - The rule by which pages of other origins may use the bucket, such as those of MLflow's UI (CORS), spelled as the S3 API spells it, without C(ID).
      - The rule gets the ID C(mlplatform.mlflow_aws), and the bucket the tag C(mlflow-cors-rule). Rules with other IDs, or with none, are of others
        and stay. Where omitted, the rule that this module has made is removed.
    type: dict
    version_added: 1.2.0
  expected_bucket_owner:
    description: The account that must be the owner of the bucket. Default is the caller's, which takes one more call.
    type: str
  force_empty:
    description:
      - With O(state=absent), whether a bucket that is not empty is emptied and removed. All objects, in all versions, are lost.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Create the artifact bucket
  mlplatform.mlflow_aws.s3_bucket:
    name: mlflow-team-x-123456789012-eu-west-1
    versioning: true
    encryption:
      algorithm: AES256
    public_access_block: true
    object_ownership: BucketOwnerEnforced
    lifecycle_rules:
      - ID: abandoned-uploads
        Status: Enabled
        Filter: {Prefix: ""}
        AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7}
    tags:
      team: x

- name: Remove the artifact bucket if it is empty
  mlplatform.mlflow_aws.s3_bucket:
    name: mlflow-team-x-123456789012-eu-west-1
    state: absent
"""

RETURN = r"""
bucket:
  description: The bucket as it is after the run. Empty where there is none.
  type: dict
  returned: success
  contains:
    name:
      description: Name of the bucket.
      type: str
      sample: mlflow-team-x-123456789012-eu-west-1
    arn:
      description: ARN of the bucket.
      type: str
      sample: arn:aws:s3:::mlflow-team-x-123456789012-eu-west-1
kept:
  description: Whether the bucket was kept despite O(state=absent), because it holds objects.
  type: bool
  returned: success
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
      sample: s3_bucket
    name:
      description: Name of the resource.
      type: str
    fields:
      description: What differs, each with C(name), C(before) and C(after).
      type: list
      elements: dict
    warnings:
      description: What the change costs, such as lost data.
      type: list
      elements: str
"""

import typing as t

from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.s3 import Bucket


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent = params["state"] == "absent"
    bucket = Bucket(aws, params["name"], params, tags=params["tags"], absent=absent)
    kept = absent and not params["force_empty"] and bucket.must_stay()
    if kept:
        warn(f"s3_bucket {bucket.name} is kept: it holds objects")

    def results() -> dict[str, t.Any]:
        there = kept or bucket.state is not None
        return {"bucket": {"name": bucket.name, "arn": bucket.arn} if there else {}, "kept": kept}

    return [] if kept else [bucket], results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "versioning": {"type": "bool"},
            "encryption": {
                "type": "dict",
                "options": {
                    "algorithm": {"type": "str", "choices": ["AES256", "aws:kms"], "required": True},
                    "kms_key_id": {"type": "str", "default": "", "no_log": False},
                    "bucket_key_enabled": {"type": "bool", "default": False},
                },
            },
            "public_access_block": {"type": "bool"},
            "object_ownership": {"type": "str", "choices": ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]},
            "policy": {"type": "dict"},
            "lifecycle_rules": {"type": "list", "elements": "dict"},
            "access_logs": {"type": "dict", "options": {"bucket": {"type": "str", "required": True}, "prefix": {"type": "str", "default": ""}}},
            "cors_rule": {"type": "dict"},
            "expected_bucket_owner": {"type": "str"},
            "force_empty": {"type": "bool", "default": False},
            **STATE,
            **TAGS,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

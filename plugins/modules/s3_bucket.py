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
- name: Ensure the artifact bucket
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

import datetime
import json
import typing as t
from functools import partial

from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, ClientError, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.s3 import begun_bucket, was_begun
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.policy import normal_policy
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import OWNER_TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")

TAKEN = (
    "a bucket of this name exists and is not of this account, or the caller may not s3:ListBucket on it. "
    "Names are shared by all of AWS: choose another one, or allow this action in the caller's IAM policy"
)

STACK = OWNER_TAGS[1]

BATCH = 1000
"""The most objects that one DeleteObjects takes."""

FOR_EVER = float("inf")


def normal_lifecycle(rules: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Lifecycle rules in the order of their ID, for comparison: S3 takes several spellings and returns any order."""
    return sorted((_lifecycle_rule(rule) for rule in rules), key=lambda rule: rule.get("ID", ""))


def shorter_lives(before: list[dict[str, t.Any]], after: list[dict[str, t.Any]]) -> list[str]:
    """The IDs of the normal rules in ``after`` that delete objects or versions sooner than the rules in ``before`` did."""
    old = {(rule.get("ID", ""), json.dumps(rule["Filter"])): _days_to_live(rule) for rule in before}
    sooner = []
    for rule in after:
        lives = old.get((rule.get("ID", ""), json.dumps(rule["Filter"])), {})
        if any(days < lives.get(of, FOR_EVER) for of, days in _days_to_live(rule).items()):
            sooner.append(rule.get("ID", "a rule without ID"))
    return sooner


def _days_to_live(rule: dict[str, t.Any]) -> dict[str, float]:
    """After how many days a rule deletes objects, and noncurrent versions. A date counts as at once."""
    lives: dict[str, float] = {}
    if rule["Status"] != "Enabled":
        return lives
    if rule.get("Expiration", {}).keys() & {"Days", "Date"}:
        lives["objects"] = float(rule["Expiration"].get("Days", 0))
    if "NoncurrentVersionExpiration" in rule:
        lives["versions"] = float(rule["NoncurrentVersionExpiration"].get("NoncurrentDays", 0))
    return lives


def _lifecycle_rule(rule: dict[str, t.Any]) -> dict[str, t.Any]:
    normal = {key: _dates_as_text(value) for key, value in rule.items() if key != "Prefix"}
    # A rule for all objects has an empty filter, an empty prefix in it, or, in old rules, an empty prefix in its place.
    normal["Filter"] = rule.get("Filter") or {"Prefix": rule.get("Prefix", "")}
    for name, days in (("Transitions", "Days"), ("NoncurrentVersionTransitions", "NoncurrentDays")):
        if name in normal:
            normal[name] = sorted(normal[name], key=lambda transition: transition.get(days, 0))
    return normal


def _dates_as_text(value: t.Any) -> t.Any:
    """Lifecycle dates are midnights of UTC: the day says it all."""
    if isinstance(value, dict):
        return {k: (v.date().isoformat() if isinstance(v, datetime.datetime) else str(v)[:10]) if k == "Date" else v for k, v in value.items()}
    return [_dates_as_text(v) for v in value] if isinstance(value, list) else value


class Bucket(Resource):
    kind = "s3_bucket"
    settings = ("public_access_block", "object_ownership", "versioning", "encryption", "lifecycle_rules", "policy")
    """In the order in which a new bucket gets them: closed before a policy says who may come in."""

    def describe(self) -> State | None:
        managed = [name for name in self.settings if self.spec[name] is not None]
        head, tags, *values = run_concurrently(self._head, self._get_tags, *(getattr(self, f"_get_{name}") for name in managed))
        if head is None:
            return None
        if not tags and self._was_begun():
            tags = {STACK: self.tags[STACK]}  # it is ours, and has to get its tags
        return {"arn": self.arn, "tags": tags, **dict(zip(managed, values, strict=True))}

    def _head(self) -> dict[str, t.Any] | None:
        """HeadBucket's answer, if there is a bucket that can be ours."""
        try:
            # Another account may have taken the name and let us in: what we store there would be theirs.
            owner = self.spec["expected_bucket_owner"] or self.aws.account_id
            head = self.aws.client("s3").head_bucket(Bucket=self.name, ExpectedBucketOwner=owner)
        except ClientError as error:
            if error_code(error) in ("404", "NoSuchBucket"):
                return None
            raise AwsError(TAKEN) if error_code(error) in ("403", "AccessDenied") else error
        region = head.get("BucketRegion", self.aws.region)
        if region != self.aws.region:
            raise AwsError(f"it is in the region {region}, and a bucket cannot move: choose another name")
        return head

    def _ask(self, operation: str, missing: str) -> dict[str, t.Any] | None:
        """The answer on one of its settings, or None where it has none, or where there is no bucket."""
        return none_if_missing(getattr(self.aws.client("s3"), operation), missing, "NoSuchBucket", Bucket=self.name)

    @property
    def arn(self) -> str:
        return f"arn:{self.aws.partition}:s3:::{self.name}"

    def _get_tags(self) -> dict[str, str]:
        answer = self._ask("get_bucket_tagging", "NoSuchTagSet")
        return tag_dict(answer["TagSet"]) if answer else {}

    def _get_public_access_block(self) -> bool:
        answer = self._ask("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
        return answer is not None and all(answer["PublicAccessBlockConfiguration"].get(block) for block in BLOCKS)

    def _get_object_ownership(self) -> str:
        answer = self._ask("get_bucket_ownership_controls", "OwnershipControlsNotFoundError")
        return answer["OwnershipControls"]["Rules"][0]["ObjectOwnership"] if answer else "ObjectWriter"

    def _get_versioning(self) -> bool:
        answer = self._ask("get_bucket_versioning", "NoSuchBucket")
        return answer is not None and answer.get("Status") == "Enabled"

    def _get_encryption(self) -> dict[str, t.Any] | None:
        answer = self._ask("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")
        if answer is None:
            return None
        rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
        default = rule["ApplyServerSideEncryptionByDefault"]
        return {
            "algorithm": default["SSEAlgorithm"],
            "kms_key_id": default.get("KMSMasterKeyID", ""),
            "bucket_key_enabled": rule.get("BucketKeyEnabled", False),
        }

    def _get_lifecycle_rules(self) -> list[dict[str, t.Any]]:
        answer = self._ask("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
        return normal_lifecycle(answer["Rules"]) if answer else []

    def _get_policy(self) -> dict[str, t.Any]:
        answer = self._ask("get_bucket_policy", "NoSuchBucketPolicy")
        return normal_policy(json.loads(answer["Policy"])) if answer else {}

    def desired(self) -> State:
        wanted = {name: self.spec[name] for name in self.settings}
        if wanted["policy"]:
            wanted["policy"] = normal_policy(wanted["policy"])
        if wanted["lifecycle_rules"]:
            wanted["lifecycle_rules"] = normal_lifecycle(wanted["lifecycle_rules"])
        return wanted

    def unknown(self) -> State:
        return {"arn": self.arn}

    def create(self, desired: State) -> None:
        configuration: dict[str, t.Any] = {}
        if self.aws.region != "us-east-1":  # which has no name as a location
            configuration["LocationConstraint"] = self.aws.region
        tags = desired["tags"]
        try:
            self._make({**configuration, "Tags": tag_list(tags)} if tags else configuration)
        except ClientError as error:
            # S3 knows no tags in this call in some regions, and some callers may not tag by it.
            message = error.response["Error"].get("Message", "")
            if not tags or error_code(error) != "UnsupportedArgument" and "not authorized to perform: s3:TagResource" not in message:
                raise
            self._begin()
            self._make(configuration)
            self._tag(tags)
        self.update({}, {name: value for name, value in desired.items() if value is not None})

    def _make(self, configuration: dict[str, t.Any]) -> None:
        arguments = {"CreateBucketConfiguration": configuration} if configuration else {}
        try:
            # OperationAborted: S3 is not done yet with the removal of a bucket of this name.
            retry_on(self.aws.client("s3").create_bucket, "OperationAborted", timeout=600, Bucket=self.name, **arguments)
        except ClientError as error:
            raise AwsError(TAKEN) if error_code(error) == "BucketAlreadyExists" else error

    def _begin(self) -> None:
        """Note that the bucket of this name will be ours although it has no tags at first. A destroy removes the note."""
        if STACK in self.tags:
            put = partial(self.aws.client("ssm").put_parameter, Name=begun_bucket(self.tags[STACK]), Value=self.name)
            if not none_if_missing(put, "ParameterAlreadyExists", Type="String", Tags=tag_list(self.tags)):
                put(Overwrite=True)

    def _was_begun(self) -> bool:
        """Whether an earlier run of the stack has made it, and died before it had tags."""
        return STACK in self.tags and was_begun(self.aws, self.tags[STACK], self.name)

    def update(self, before: State, changes: State) -> None:
        for name in self.settings:
            if name in changes:
                getattr(self, f"_put_{name}")(changes[name])

    def _call(self, operation: str, **arguments: t.Any) -> None:
        getattr(self.aws.client("s3"), operation)(Bucket=self.name, **arguments)

    def _put_public_access_block(self, on: bool) -> None:
        if on:
            self._call("put_public_access_block", PublicAccessBlockConfiguration=dict.fromkeys(BLOCKS, True))
        else:
            self._call("delete_public_access_block")

    def _put_object_ownership(self, ownership: str) -> None:
        self._call("put_bucket_ownership_controls", OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]})

    def _put_versioning(self, on: bool) -> None:
        status = "Enabled" if on else "Suspended"
        self._call("put_bucket_versioning", VersioningConfiguration={"Status": status})

    def _put_encryption(self, encryption: dict[str, t.Any]) -> None:
        key = {"KMSMasterKeyID": encryption["kms_key_id"]} if encryption["kms_key_id"] else {}
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": encryption["algorithm"], **key}, "BucketKeyEnabled": encryption["bucket_key_enabled"]}
        self._call("put_bucket_encryption", ServerSideEncryptionConfiguration={"Rules": [rule]})

    def _put_lifecycle_rules(self, rules: list[dict[str, t.Any]]) -> None:
        if rules:
            self._call("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": rules})
        else:
            self._call("delete_bucket_lifecycle")

    def _put_policy(self, policy: dict[str, t.Any]) -> None:
        if policy:  # sent as it was given: scanners do not know all spellings that mean the same
            self._call("put_bucket_policy", Policy=json.dumps(self.spec["policy"]))
        else:
            self._call("delete_bucket_policy")

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        kept = {key: value for key, value in before["tags"].items() if key not in to_unset}
        self._tag({**kept, **to_set})

    def _tag(self, tags: dict[str, str]) -> None:
        """Replaces all tags: S3 has no call that adds one."""
        self._call("put_bucket_tagging", Tagging={"TagSet": tag_list(tags)})

    def must_stay(self) -> bool:
        """Whether it is ours and holds objects, be it in earlier versions or as delete markers of them."""
        self.prefetch()
        state = self.current_state()
        return state is not None and not self._owned_by_another(state) and bool(self._first_entry())

    def prefetch_reads(self) -> list[t.Callable[[], t.Any]]:
        return [self._first_entry] if self.absent and not self.spec["force_empty"] else []

    def _first_entry(self) -> list[dict[str, t.Any]] | None:
        return self.aws.once("first entry", lambda: none_if_missing(self._entries, "NoSuchBucket", most=1))

    def warn(self, before: State | None, changes: State) -> list[str]:
        if self.absent and self.spec["force_empty"]:
            return ["all its objects are deleted, in all versions"]
        if before is None:
            return []
        warnings = []
        if "encryption" in changes:
            warnings.append("objects that are in it already keep their encryption")
        if changes.get("versioning") is False:
            warnings.append("what is overwritten or deleted from now on cannot be brought back")
        if changes.get("public_access_block") is False:
            warnings.append("its objects can be made public")
        sooner = shorter_lives(before.get("lifecycle_rules") or [], changes.get("lifecycle_rules") or [])
        if sooner:
            warnings.append(f"lifecycle_rules: {', '.join(sooner)}: objects or versions of them are deleted earlier, those that are there too")
        return warnings

    def delete(self, before: State) -> None:
        if self.spec["force_empty"]:
            self._empty()
        self.aws.client("s3").delete_bucket(Bucket=self.name)

    def _empty(self) -> None:
        s3 = self.aws.client("s3")
        for upload in self.aws.pages("s3", "list_multipart_uploads", "Uploads", Bucket=self.name):
            s3.abort_multipart_upload(Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"])
        while entries := self._entries(BATCH):
            objects = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
            answer = s3.delete_objects(Bucket=self.name, Delete={"Objects": objects, "Quiet": True})
            for error in answer.get("Errors", []):
                raise AwsError(f"object {error['Key']} cannot be deleted: {error['Code']}: {error['Message']}")

    def _entries(self, most: int) -> list[dict[str, t.Any]]:
        """The first versions of objects and delete markers in the bucket."""
        page = self.aws.client("s3").list_object_versions(Bucket=self.name, MaxKeys=most)
        return [*page.get("Versions", []), *page.get("DeleteMarkers", [])]


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

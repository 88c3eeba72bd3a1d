# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: an S3 bucket with its configuration, and the note of one whose creation was begun."""

from __future__ import annotations

import datetime
import json
import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, ClientError, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import OWNER_TAGS, owner_tags, tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.policy_document import normal_policy

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")

TAKEN = (
    "a bucket of this name exists and is not of this account, or the caller may not s3:ListBucket on it. "
    "Names are shared by all of AWS: choose another one, or allow this action in the caller's IAM policy"
)

STACK = OWNER_TAGS[1]

BATCH = 1000
"""The maximum number of objects that one DeleteObjects takes."""

FOR_EVER = float("inf")

ACCESS_LOGS_TAG = "mlflow-access-logs"
"""The tag of a bucket that names the bucket for its access logs which the stack has chosen: logging that others have turned on is theirs."""

CORS_TAG = "mlflow-cors-rule"
"""The tag of a bucket that names the CORS rule which the stack has made."""

CORS_RULE = "mlplatform.mlflow_aws"
"""The ID of that rule: rules with another one, or with none, are of others."""


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


def normal_cors_rule(rule: State) -> State:
    """A CORS rule less its ID, for comparison: the order in its lists says nothing."""
    return {name: sorted(value) if isinstance(value, list) else value for name, value in rule.items() if name != "ID"}


def begun_bucket(stack: str) -> str:
    """The parameter of SSM that names the bucket which a run of the stack has begun to make, and not tagged yet."""
    return f"/mlplatform/mlflow_aws/{stack}/bucket"


def was_begun(aws: Aws, stack: str, bucket: str) -> bool:
    """Whether an earlier run of the stack has made the bucket, and died before it had tags."""
    name = begun_bucket(stack)
    notes = aws.pages("ssm", "get_parameters_by_path", "Parameters", Path=name.rpartition("/")[0])
    return any((note["Name"], note["Value"]) == (name, bucket) for note in notes)


class Bucket(Resource):
    """A bucket of this region, in ``expected_bucket_owner`` or, where that is None, the caller's account.

    ``spec``: a value for each of `settings` (None: not managed), ``expected_bucket_owner``, and ``force_empty``, whether its removal may
    delete objects.
    """

    kind = "s3_bucket"
    tags: dict[str, str]
    settings = ("public_access_block", "object_ownership", "versioning", "encryption", "lifecycle_rules", "policy", "access_logs", "cors_rule")
    """In the order in which a new bucket gets them: closed before a policy says who may come in."""

    superseded: State = {}
    """Settings that the stack was once told to make, and is no longer, as they are without that."""

    def describe(self) -> State | None:
        managed = [name for name in self.settings if self.spec[name] is not None]
        head, tags, *values = run_concurrently(self._head, self._get_tags, *(getattr(self, f"_get_{name}") for name in managed))
        if head is None:
            return None
        state = {"arn": self.arn, "tags": tags, **dict(zip(managed, values, strict=True))}
        self.superseded = {}
        if ACCESS_LOGS_TAG in tags and self.spec["access_logs"] is None:
            state["access_logs"] = self._get_access_logs()
            if state["access_logs"].get("bucket") == tags[ACCESS_LOGS_TAG]:
                self.superseded["access_logs"] = {}
        if CORS_TAG in tags and self.spec["cors_rule"] is None:
            state["cors_rule"] = self._get_cors_rule()
            self.superseded["cors_rule"] = {}
        if not owner_tags(tags) and self._was_begun():
            state["tags"] = {**tags, STACK: self.tags[STACK]}  # it is ours, and has to get its tags
        return state

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

    def _get_access_logs(self) -> dict[str, str]:
        answer = (self._ask("get_bucket_logging", "NoSuchBucket") or {}).get("LoggingEnabled")
        return {"bucket": answer["TargetBucket"], "prefix": answer.get("TargetPrefix", "")} if answer else {}

    def _get_cors_rule(self) -> State:
        """The stack's own rule; empty where there is none."""
        return next((normal_cors_rule(rule) for rule in self._cors_rules() if rule.get("ID") == CORS_RULE), {})

    def _cors_rules(self) -> list[State]:
        answer = self._ask("get_bucket_cors", "NoSuchCORSConfiguration")
        return answer["CORSRules"] if answer else []

    def desired(self) -> State:
        wanted: State = {name: self.spec[name] for name in self.settings}
        wanted.update(self.superseded)
        marks = {}
        if wanted["access_logs"]:
            marks[ACCESS_LOGS_TAG] = wanted["access_logs"]["bucket"]
        if wanted["cors_rule"]:
            marks[CORS_TAG] = CORS_RULE
            wanted["cors_rule"] = normal_cors_rule(wanted["cors_rule"])
        if marks:
            wanted["tags"] = marks
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
            self._create({**configuration, "Tags": tag_list(tags)} if tags else configuration)
        except ClientError as error:
            # S3 knows no tags in this call in some regions, and some callers may not tag by it.
            message = error.response["Error"].get("Message", "")
            if not tags or error_code(error) != "UnsupportedArgument" and "not authorized to perform: s3:TagResource" not in message:
                raise
            self._record_creation()
            self._create(configuration)
            there = self._get_tags() if self.ignored_tags else {}  # others may have been faster
            self._tag({**self._others_tags({"tags": there}), **tags})
        self.update({}, {name: value for name, value in desired.items() if value is not None})

    def _create(self, configuration: dict[str, t.Any]) -> None:
        arguments: dict[str, t.Any] = {"CreateBucketConfiguration": configuration} if configuration else {}
        try:
            # OperationAborted: S3 is not done yet with the removal of a bucket of this name.
            retry_on(self.aws.client("s3").create_bucket, "OperationAborted", timeout=600, Bucket=self.name, **arguments)
        except ClientError as error:
            raise AwsError(TAKEN) if error_code(error) == "BucketAlreadyExists" else error

    def _record_creation(self) -> None:
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

    def _put_access_logs(self, target: dict[str, str]) -> None:
        enabled = {"LoggingEnabled": {"TargetBucket": target["bucket"], "TargetPrefix": target["prefix"]}} if target else {}
        self._call("put_bucket_logging", BucketLoggingStatus=enabled)

    def _put_cors_rule(self, rule: State) -> None:
        """Puts all rules: S3 has no call that changes one. Ours is the first, as S3 takes the first that matches."""
        others = [each for each in self._cors_rules() if each.get("ID") != CORS_RULE]
        rules = [{"ID": CORS_RULE, **rule}, *others] if rule else others
        if rules:
            self._call("put_bucket_cors", CORSConfiguration={"CORSRules": rules})
        else:
            self._call("delete_bucket_cors")

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
        return self.aws.once("first entry", lambda: none_if_missing(self._entries, "NoSuchBucket", maximum=1))

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
        if changes.get("access_logs") == {}:
            warnings.append("access to it is no longer logged")
        if changes.get("cors_rule") == {}:
            warnings.append("pages of the UI can no longer reach it: reload those that are open")
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

    def _entries(self, maximum: int) -> list[dict[str, t.Any]]:
        """The first versions of objects and delete markers in the bucket."""
        page = self.aws.client("s3").list_object_versions(Bucket=self.name, MaxKeys=maximum)
        return [*page.get("Versions", []), *page.get("DeleteMarkers", [])]

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the buckets, and where the artifacts are."""

from __future__ import annotations

import json
import typing as t
from fnmatch import fnmatchcase

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError, NOT_ALLOWED, error_code, explain
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.artifacts import artifact_places
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import signs_urls
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems


ACCESS_LOGS = {"mlflow_load_balancer_access_logs_bucket": "load balancers", "mlflow_artifact_bucket_access_logs_bucket": "buckets"}
"""Inputs that name a bucket for access logs, and what writes them."""


OF_REQUESTS = ("aws:SourceIp", "aws:VpcSourceIp", "aws:SourceVpc", "aws:SourceVpce", "s3:authType", "s3:signatureAge")
"""Condition keys of bucket policies that tell the requests of clients from those of the servers, although both are the servers' role's."""


class Buckets(Checks):
    def checks(self) -> list[Check]:
        return [
            (self.bucket, (), ("mlflow_artifact_bucket_id",)),
            (self.signed_urls, (), ("mlflow_artifact_bucket_id", "mlflow_record_name", "mlflow_zone_name")),
            *((self.access_logs, (name, writer), (name,)) for name, writer in ACCESS_LOGS.items()),
            (self.logs_of_this_account, (), ("mlflow_artifact_bucket_access_logs_bucket",)),
            (self.artifacts, (), ("mlflow_unique_name",)),
        ]

    def bucket(self) -> Problems:
        name, s3 = "mlflow_artifact_bucket_id", self.aws.client("s3")
        bucket, role = self.inputs[name], self.names.task_role
        try:
            answer = none_if_missing(s3.head_bucket, "403", Bucket=bucket, ExpectedBucketOwner=self.aws.account_id)
            if answer is None:
                answer = s3.head_bucket(Bucket=bucket)
                warn(f"{name}: {bucket} is of another account: its policy, and that of its key, have to let the role {role} in")
        except ClientError as error:
            answer = error.response
            if self.is_here(answer):
                reason = {"404": "no such bucket", "403": "the caller may not see this bucket"}.get(error_code(error), explain(error))
                yield self.problem(name, f"{reason}: give a bucket of this account, or leave the input out")
        if not self.is_here(answer):
            remedy = f"it is in the region {bucket_region(answer)}, but the stack is in {self.aws.region}: give a bucket of this region, or leave the input out"
            yield self.problem(name, remedy)

    def signed_urls(self) -> Problems:
        """What somebody else's bucket does with the URLs that the server signs. Where clients are, nobody knows from here: it is only warned of.

        Without a CORS rule the UI comes back to a server that passes artifacts on; another one leaves it without.
        """
        bucket, origin = self.inputs["mlflow_artifact_bucket_id"], f"https://{self.names.host}"
        if signs_urls(self.inputs):
            rules = self._cors_rules(bucket) if self.inputs["mlflow_artifact_access"] == "presigned" else None
            if rules is not None and not all(_answers(rules, origin, method) for method in ("GET", "PUT")):
                warn(
                    f"mlflow_artifact_bucket_id: {bucket}: no CORS rule of it lets pages of {origin} GET and PUT and read the ETag, so that the UI can "
                    "neither show nor take artifacts: add the one of docs/artifacts.md"
                )
            unseen = ("NoSuchBucketPolicy", "NoSuchBucket", *NOT_ALLOWED)
            policy = none_if_missing(self.aws.client("s3").get_bucket_policy, *unseen, Bucket=bucket)
            denied = _denied_by(json.loads(policy["Policy"])) if policy else []
            if denied:
                warn(
                    f"mlflow_artifact_bucket_id: {bucket}: its policy denies requests by {', '.join(denied)}: see that those of clients, which come from "
                    "where they are by URLs that the server signs, are let in"
                )
        yield from ()

    def _cors_rules(self, bucket: str) -> list[dict[str, t.Any]] | None:
        """None where the caller may not see them."""
        try:
            answer = none_if_missing(self.aws.client("s3").get_bucket_cors, "NoSuchCORSConfiguration", Bucket=bucket)
        except ClientError as error:
            if error_code(error) in ("NoSuchBucket", *NOT_ALLOWED):
                return None
            raise
        return answer["CORSRules"] if answer else []

    def access_logs(self, name: str, writer: str) -> Problems:
        """What the caller may not see may be in the account that keeps the logs."""
        s3, facts = self.aws.client("s3"), []
        try:
            answer = s3.head_bucket(Bucket=self.inputs[name])
        except ClientError as error:
            answer = error.response
            if error_code(error) == "404":
                yield self.problem(name, f"no such bucket: make it, with the policy that {writer} need, or leave the input out")
                return
        if not self.is_here(answer):
            facts.append(f"it is in the region {bucket_region(answer)}")
        unseen = ("ServerSideEncryptionConfigurationNotFoundError", *NOT_ALLOWED)
        encryption = none_if_missing(s3.get_bucket_encryption, *unseen, Bucket=self.inputs[name])
        key = bucket_key(encryption)
        if key is not None:
            facts.append(f"it encrypts with the KMS key {key or 'aws/s3'}")
        if facts:
            yield self.problem(
                name,
                f"{' and '.join(facts)}: {writer} write their logs only into a bucket of their own region, {self.aws.region}, whose default "
                "encryption is SSE-S3 (AES256). Give such a bucket, or leave the input out",
            )

    def logs_of_this_account(self) -> Problems:
        """S3 logs access to a bucket only into one of the same account, whose policy lets it in."""
        s3, name = self.aws.client("s3"), "mlflow_artifact_bucket_access_logs_bucket"
        bucket = self.inputs[name]
        if bucket == self.names.bucket:
            yield self.problem(name, "this is the artifact bucket, and each log would be logged: give another one")
        elif none_if_missing(s3.head_bucket, "403", "404", Bucket=bucket, ExpectedBucketOwner=self.aws.account_id) is None:
            yield self.problem(name, f"it is no bucket of account {self.aws.account_id}: give one of this account, or leave the input out")
        elif not self.lets_logs_in(bucket):
            yield self.problem(name, "its policy does not name logging.s3.amazonaws.com, without which S3 writes no logs there: allow it s3:PutObject")

    def lets_logs_in(self, bucket: str) -> bool:
        """Whether the policy of a bucket names who writes access logs of S3, as far as the caller may see it."""
        try:
            policy = none_if_missing(self.aws.client("s3").get_bucket_policy, "NoSuchBucketPolicy", Bucket=bucket)
        except ClientError as error:
            if error_code(error) in NOT_ALLOWED:
                return True
            raise
        return policy is not None and "logging.s3.amazonaws.com" in policy["Policy"]

    def is_here(self, answer: dict[str, t.Any]) -> bool:
        """Whether a bucket is in the region of the stack, as far as an answer of HeadBucket says where it is."""
        return bucket_region(answer) in ("", self.aws.region)

    def artifacts(self) -> Problems:
        """MLflow finds its artifacts below one place: another one that is empty would be the loss of all of them."""
        name = self.inputs["mlflow_unique_name"]
        running = {variable: place for container in self.containers(name) for variable, place in artifact_places(container).items()}
        have = running.get("MLFLOW_ARTIFACTS_DESTINATION") or running.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
        place = (self.inputs.get("mlflow_artifact_bucket_id") or self.names.bucket, (self.inputs.get("mlflow_artifact_bucket_path") or "").strip("/"))
        want = "s3://" + "/".join(part for part in place if part)
        if not have or not have.startswith("s3://") or "$" in have:  # of a variable that the environment does not have
            return
        if have == want or not self.holds_objects(have) or self.holds_objects(want):
            return
        variable = "mlflow_artifact_bucket_path" if have.split("/")[2] == place[0] else "mlflow_artifact_bucket_id"
        yield self.problem(variable, f"the artifacts are in {have}: put it back, or copy them first, with aws s3 sync {have} {want}")

    def holds_objects(self, root: str) -> bool:
        bucket, _slash, prefix = root.removeprefix("s3://").partition("/")
        call = self.aws.client("s3").list_objects_v2
        prefix = f"{prefix}/" if prefix else ""
        answer = none_if_missing(call, "NoSuchBucket", "AccessDenied", Bucket=bucket, Prefix=prefix, MaxKeys=1)
        return bool(answer and answer.get("KeyCount", len(answer.get("Contents", []))))

    def containers(self, family: str) -> list[dict[str, t.Any]]:
        """Those of the deployed task definition, MLflow's last."""
        answer = none_if_missing(self.aws.client("ecs").describe_task_definition, "ClientException", taskDefinition=family)
        containers = answer["taskDefinition"]["containerDefinitions"] if answer else []
        return sorted(containers, key=lambda container: container["name"] == "mlflow")

    def container(self, family: str) -> dict[str, t.Any]:
        return next((container for container in self.containers(family) if container["name"] == "mlflow"), {})


def _answers(rules: list[dict[str, t.Any]], origin: str, method: str) -> bool:
    """Whether the first CORS rule that takes such a request lets a page read the ETag of the answer."""
    taken = (rule for rule in rules if method in rule["AllowedMethods"] and any(fnmatchcase(origin, pattern) for pattern in rule["AllowedOrigins"]))
    exposed = next(({header.lower() for header in rule.get("ExposeHeaders", [])} for rule in taken), None)
    return exposed is not None and (method == "GET" or "etag" in exposed)


def _denied_by(policy: dict[str, t.Any]) -> list[str]:
    """Those of OF_REQUESTS by which a bucket policy denies something."""
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    conditions = [keys for each in statements if each["Effect"] == "Deny" for keys in each.get("Condition", {}).values()]
    used = {key.lower() for keys in conditions for key in keys}
    return [key for key in OF_REQUESTS if key.lower() in used]


def bucket_region(answer: dict[str, t.Any]) -> str:
    """The region of a bucket, which S3 tells of any bucket that there is, also where it refuses; empty where it does not."""
    return answer.get("BucketRegion") or answer["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region", "")


def bucket_key(answer: dict[str, t.Any] | None) -> str | None:
    """The KMS key with which a bucket encrypts by default, as GetBucketEncryption says it: empty for AWS's own, None for none."""
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"] if answer else []
    defaults = [rule["ApplyServerSideEncryptionByDefault"] for rule in rules if "ApplyServerSideEncryptionByDefault" in rule]
    return next((each.get("KMSMasterKeyID", "") for each in defaults if each["SSEAlgorithm"].startswith("aws:kms")), None)

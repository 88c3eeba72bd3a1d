# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services import s3 as service
from embedded_aws.client import REGION, EmbeddedAWS
from modules.run_module import ModuleFailed, run_module
from support.stack import logs_bucket

NAME = "mlflow-x-123456789012-eu-west-1"
ARN = f"arn:aws:s3:::{NAME}"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "mlflow-x"}
TLS_ONLY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [ARN, f"{ARN}/*"], "Condition": {"Bool": {"aws:SecureTransport": False}}}],
}


def lifecycle(**days: int) -> list[dict[str, t.Any]]:
    wanted = {"transition": 60, "noncurrent": 90, "uploads": 7, **days}
    every = {"Status": "Enabled", "Filter": {"Prefix": ""}}
    return [
        {"ID": "tier", **every, "Transitions": [{"Days": wanted["transition"], "StorageClass": "INTELLIGENT_TIERING"}]},
        {"ID": "noncurrent", **every, "NoncurrentVersionExpiration": {"NoncurrentDays": wanted["noncurrent"]}},
        {"ID": "uploads", **every, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": wanted["uploads"]}},
        {"ID": "markers", **every, "Expiration": {"ExpiredObjectDeleteMarker": True}},
    ]


PARAMS: dict[str, t.Any] = {
    "name": NAME,
    "versioning": True,
    "encryption": {"algorithm": "AES256"},
    "public_access_block": True,
    "object_ownership": "BucketOwnerEnforced",
    "policy": TLS_ONLY,
    "lifecycle_rules": lifecycle(),
    "tags": OWNER,
}
ABSENT: dict[str, t.Any] = {"name": NAME, "tags": OWNER, "state": "absent"}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"


def operations(aws: EmbeddedAWS, since: int) -> list[str]:
    return [call["operation"] for call in aws.mutating(since)]


def test_makes_a_bucket_once(aws: EmbeddedAWS) -> None:
    plan = run_module("s3_bucket", PARAMS, aws, check=True)
    assert aws.mutating() == []
    made = run_module("s3_bucket", PARAMS, aws)
    assert made["changes"] == plan["changes"]
    assert made["bucket"] == plan["bucket"] == {"name": NAME, "arn": ARN}
    assert operations(aws, 0) == [
        "CreateBucket",
        "PutPublicAccessBlock",
        "PutBucketOwnershipControls",
        "PutBucketVersioning",
        "PutBucketEncryption",
        "PutBucketLifecycleConfiguration",
        "PutBucketPolicy",
    ]
    mark = aws.mark()
    assert not run_module("s3_bucket", PARAMS, aws)["changed"]
    assert aws.mutating(mark) == []
    tags = aws.client("s3").get_bucket_tagging(Bucket=NAME)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == OWNER


def test_access_logs_are_turned_on_changed_and_off(aws: EmbeddedAWS) -> None:
    logs = {"bucket": logs_bucket(aws, "logs")}
    run_module("s3_bucket", PARAMS, aws)
    for access_logs, name in ((logs, "access_logs.bucket"), ({**logs, "prefix": "a/"}, "access_logs.prefix")):
        plan = run_module("s3_bucket", {**PARAMS, "access_logs": access_logs}, aws, check=True)
        made = run_module("s3_bucket", {**PARAMS, "access_logs": access_logs}, aws)
        assert made["changes"] == plan["changes"] and name in [field["name"] for field in made["changes"][0]["fields"]]
        assert not run_module("s3_bucket", {**PARAMS, "access_logs": access_logs}, aws)["changed"]
    enabled = aws.client("s3").get_bucket_logging(Bucket=NAME)["LoggingEnabled"]
    assert (enabled["TargetBucket"], enabled["TargetPrefix"]) == ("logs", "a/")
    mark = aws.mark()
    (change,) = run_module("s3_bucket", PARAMS, aws)["changes"]
    assert operations(aws, mark) == ["PutBucketLogging", "PutBucketTagging"] and change["warnings"] == ["access to it is no longer logged"]
    assert "LoggingEnabled" not in aws.client("s3").get_bucket_logging(Bucket=NAME)
    mark = aws.mark()
    assert not run_module("s3_bucket", PARAMS, aws)["changed"]
    assert "GetBucketLogging" not in [call["operation"] for call in aws.calls(mark)]


def test_access_logs_that_others_have_turned_on_stay(aws: EmbeddedAWS) -> None:
    run_module("s3_bucket", {**PARAMS, "access_logs": {"bucket": logs_bucket(aws, "logs")}}, aws)
    enabled = {"LoggingEnabled": {"TargetBucket": logs_bucket(aws, "theirs"), "TargetPrefix": ""}}
    aws.client("s3").put_bucket_logging(Bucket=NAME, BucketLoggingStatus=enabled)
    run_module("s3_bucket", PARAMS, aws)
    assert not run_module("s3_bucket", PARAMS, aws)["changed"]
    assert aws.client("s3").get_bucket_logging(Bucket=NAME)["LoggingEnabled"]["TargetBucket"] == "theirs"


CORS: dict[str, t.Any] = {
    "AllowedOrigins": ["https://mlflow.example.com"],
    "AllowedMethods": ["GET", "PUT"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 3600,
}
THEIRS = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}


def cors_rules(aws: EmbeddedAWS) -> list[dict[str, t.Any]]:
    return aws.client("s3").get_bucket_cors(Bucket=NAME)["CORSRules"]


def test_a_cors_rule_is_made_changed_and_removed(aws: EmbeddedAWS) -> None:
    run_module("s3_bucket", PARAMS, aws)
    other = {**CORS, "AllowedOrigins": ["https://other.example.com"]}
    for rule, name in ((CORS, "cors_rule.AllowedOrigins"), (other, "cors_rule.AllowedOrigins")):
        plan = run_module("s3_bucket", {**PARAMS, "cors_rule": rule}, aws, check=True)
        made = run_module("s3_bucket", {**PARAMS, "cors_rule": rule}, aws)
        assert made["changes"] == plan["changes"] and name in [field["name"] for field in made["changes"][0]["fields"]]
        assert not run_module("s3_bucket", {**PARAMS, "cors_rule": {**rule, "AllowedMethods": ["PUT", "GET"]}}, aws)["changed"]
        assert cors_rules(aws) == [{"ID": "mlplatform.mlflow_aws", **rule}]
    mark = aws.mark()
    (change,) = run_module("s3_bucket", PARAMS, aws)["changes"]
    assert operations(aws, mark) == ["DeleteBucketCors", "PutBucketTagging"]
    assert change["warnings"] == ["pages of the UI can no longer reach it: reload those that are open"]
    mark = aws.mark()
    assert not run_module("s3_bucket", PARAMS, aws)["changed"]
    assert "GetBucketCors" not in [call["operation"] for call in aws.calls(mark)]


def test_a_new_bucket_gets_its_cors_rule(aws: EmbeddedAWS) -> None:
    run_module("s3_bucket", {**PARAMS, "cors_rule": CORS}, aws)
    assert operations(aws, 0)[-1] == "PutBucketCors"
    assert not run_module("s3_bucket", {**PARAMS, "cors_rule": CORS}, aws)["changed"]


def test_cors_rules_of_others_stay(aws: EmbeddedAWS) -> None:
    run_module("s3_bucket", PARAMS, aws)
    aws.client("s3").put_bucket_cors(Bucket=NAME, CORSConfiguration={"CORSRules": [THEIRS, {"ID": "cdn", **THEIRS}]})
    assert not run_module("s3_bucket", PARAMS, aws)["changed"]
    run_module("s3_bucket", {**PARAMS, "cors_rule": CORS}, aws)
    assert [rule.get("ID") for rule in cors_rules(aws)] == ["mlplatform.mlflow_aws", None, "cdn"]
    assert run_module("s3_bucket", PARAMS, aws)["changed"]
    assert cors_rules(aws) == [THEIRS, {"ID": "cdn", **THEIRS}]


def test_a_cors_rule_that_was_removed_by_hand_is_made_again(aws: EmbeddedAWS) -> None:
    run_module("s3_bucket", {**PARAMS, "cors_rule": CORS}, aws)
    aws.client("s3").delete_bucket_cors(Bucket=NAME)
    mark = aws.mark()
    assert run_module("s3_bucket", {**PARAMS, "cors_rule": CORS}, aws)["changed"]
    assert operations(aws, mark) == ["PutBucketCors"]
    aws.client("s3").delete_bucket_cors(Bucket=NAME)
    mark = aws.mark()
    run_module("s3_bucket", PARAMS, aws)
    assert operations(aws, mark) == ["PutBucketTagging"]


def test_the_policy_is_sent_as_it_is_given_and_compared_by_its_meaning(aws: EmbeddedAWS) -> None:
    """Scanners look for single values: a list of one they take for another policy."""
    run_module("s3_bucket", PARAMS, aws)
    s3 = aws.client("s3")
    assert json.loads(s3.get_bucket_policy(Bucket=NAME)["Policy"]) == TLS_ONLY

    (statement,) = TLS_ONLY["Statement"]
    lists = {"Principal": {"AWS": ["*"]}, "Action": ["s3:*"], "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}}
    s3.put_bucket_policy(Bucket=NAME, Policy=json.dumps({**TLS_ONLY, "Statement": [{**statement, **lists}]}))
    assert not run_module("s3_bucket", PARAMS, aws)["changed"]

    other = {**TLS_ONLY, "Statement": [{**statement, "Sid": "Tls"}]}
    run_module("s3_bucket", {**PARAMS, "policy": other}, aws)
    assert json.loads(s3.get_bucket_policy(Bucket=NAME)["Policy"]) == other


@pytest.mark.parametrize(
    ("change", "names", "calls"),
    [
        ({"versioning": False}, ["versioning"], ["PutBucketVersioning"]),
        (
            {"encryption": {"algorithm": "aws:kms", "kms_key_id": KEY, "bucket_key_enabled": True}},
            ["encryption.algorithm", "encryption.bucket_key_enabled", "encryption.kms_key_id"],
            ["PutBucketEncryption"],
        ),
        ({"public_access_block": False}, ["public_access_block"], ["DeletePublicAccessBlock"]),
        ({"object_ownership": "BucketOwnerPreferred"}, ["object_ownership"], ["PutBucketOwnershipControls"]),
        ({"policy": {**TLS_ONLY, "Statement": [{**TLS_ONLY["Statement"][0], "Sid": "Tls"}]}}, ["policy.Statement"], ["PutBucketPolicy"]),
        ({"policy": {}}, ["policy"], ["DeleteBucketPolicy"]),
        ({"lifecycle_rules": lifecycle(noncurrent=30)}, ["lifecycle_rules"], ["PutBucketLifecycleConfiguration"]),
        ({"lifecycle_rules": []}, ["lifecycle_rules"], ["DeleteBucketLifecycle"]),
        ({"lifecycle_rules": lifecycle()[::-1]}, [], []),
        ({"tags": {**OWNER, "team": "x"}}, ["tags.team"], ["PutBucketTagging"]),
        ({"policy": None, "versioning": None}, [], []),
    ],
)
def test_changes_exactly_what_differs(aws: EmbeddedAWS, change: dict[str, t.Any], names: list[str], calls: list[str]) -> None:
    run_module("s3_bucket", PARAMS, aws)
    wanted = {name: value for name, value in {**PARAMS, **change}.items() if value is not None}
    plan = run_module("s3_bucket", wanted, aws, check=True)
    mark = aws.mark()
    done = run_module("s3_bucket", wanted, aws)
    assert done["changes"] == plan["changes"]
    assert [f["name"] for c in done["changes"] for f in c["fields"]] == names
    assert operations(aws, mark) == calls
    assert not run_module("s3_bucket", wanted, aws)["changed"]


def test_completes_what_a_killed_run_left_and_what_was_changed_by_hand(aws: EmbeddedAWS) -> None:
    s3 = aws.client("s3")
    tags = [{"Key": key, "Value": value} for key, value in OWNER.items()]
    s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION, "Tags": tags})
    s3.put_public_access_block(Bucket=NAME, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    plan = run_module("s3_bucket", PARAMS, aws, check=True)
    mended = run_module("s3_bucket", PARAMS, aws)
    assert mended["changes"] == plan["changes"]
    assert {f["name"].partition(".")[0] for f in mended["changes"][0]["fields"]} == {"versioning", "policy", "lifecycle_rules", "public_access_block"}
    assert not run_module("s3_bucket", PARAMS, aws)["changed"]


def test_removes_an_empty_bucket(aws: EmbeddedAWS) -> None:
    run_module("s3_bucket", PARAMS, aws)
    plan = run_module("s3_bucket", ABSENT, aws, check=True)
    mark = aws.mark()
    gone = run_module("s3_bucket", ABSENT, aws)
    assert gone["changes"] == plan["changes"]
    assert (gone["changed"], gone["bucket"], gone["kept"]) == (True, {}, False)
    assert operations(aws, mark) == ["DeleteBucket"]
    again = run_module("s3_bucket", ABSENT, aws)
    assert (again["changed"], again["kept"]) == (False, False)


@pytest.mark.parametrize("deleted", [False, True], ids=["an object", "a deleted object"])
def test_keeps_a_bucket_with_objects_until_asked(aws: EmbeddedAWS, deleted: bool) -> None:
    s3 = aws.client("s3")
    run_module("s3_bucket", PARAMS, aws)
    for version in range(2):
        s3.put_object(Bucket=NAME, Key="model", Body=str(version))
    s3.create_multipart_upload(Bucket=NAME, Key="abandoned")
    if deleted:
        s3.delete_object(Bucket=NAME, Key="model")

    mark = aws.mark()
    for check in (True, False):
        kept = run_module("s3_bucket", ABSENT, aws, check=check)
        assert (kept["changed"], kept["kept"], kept["bucket"]["name"]) == (False, True, NAME)
        assert f"s3_bucket {NAME} is kept: it holds objects" in str(kept["warnings"])
    assert aws.mutating(mark) == []
    assert not run_module("s3_bucket", PARAMS, aws)["changed"]

    force = {**ABSENT, "force_empty": True}
    plan = run_module("s3_bucket", force, aws, check=True)
    assert plan["changes"][0]["warnings"] == ["all its objects are deleted, in all versions"]
    assert len(s3.list_object_versions(Bucket=NAME)["Versions"]) == 2
    gone = run_module("s3_bucket", force, aws)
    assert (gone["changes"], gone["kept"]) == (plan["changes"], False)
    assert s3.list_buckets()["Buckets"] == []
    assert not run_module("s3_bucket", force, aws)["changed"]


def test_empties_a_bucket_in_batches(aws: EmbeddedAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BATCH", 2)
    s3 = aws.client("s3")
    run_module("s3_bucket", PARAMS, aws)
    for number in range(5):
        s3.put_object(Bucket=NAME, Key=str(number), Body=b"")
    mark = aws.mark()
    run_module("s3_bucket", {**ABSENT, "force_empty": True}, aws)
    assert operations(aws, mark) == ["DeleteObjects", "DeleteObjects", "DeleteObjects", "DeleteBucket"]


def test_leaves_a_bucket_of_another_stack(aws: EmbeddedAWS) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})
    mark = aws.mark()
    with pytest.raises(ModuleFailed, match=f"s3_bucket {NAME}: it exists already and is not of this stack"):
        run_module("s3_bucket", PARAMS, aws)
    result = run_module("s3_bucket", {**ABSENT, "force_empty": True}, aws)
    assert (result["changed"], result["kept"]) == (False, False)
    assert aws.mutating(mark) == []


def test_says_that_another_account_has_the_name(aws: EmbeddedAWS) -> None:
    other = aws.client_of("999999999999", "s3")
    other.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})
    with pytest.raises(ModuleFailed, match="is not of this account.*choose another one"):
        run_module("s3_bucket", PARAMS, aws)


def test_says_that_the_bucket_is_in_another_region(aws: EmbeddedAWS) -> None:
    aws.client("s3", "us-east-1").create_bucket(Bucket=NAME)
    with pytest.raises(ModuleFailed, match="it is in the region us-east-1"):
        run_module("s3_bucket", PARAMS, aws)


def test_makes_a_bucket_in_the_region_without_a_location(aws: EmbeddedAWS) -> None:
    wanted = {"name": NAME, "tags": OWNER, "region": "us-east-1"}
    assert run_module("s3_bucket", wanted, aws)["changed"]
    assert not run_module("s3_bucket", wanted, aws)["changed"]


# S3 knows no tags in CreateBucket there, and some callers may not tag by it.
GOVERNMENT: dict[str, t.Any] = {**PARAMS, "region": "us-gov-west-1", "policy": {}}
DENIED = {
    "code": "AccessDenied",
    "status": 403,
    "message": f'User: arn:aws:iam::123456789012:user/ci is not authorized to perform: s3:TagResource on resource: "{ARN}"',
}


def notes(aws: EmbeddedAWS, region: str = REGION) -> list[str]:
    return [p["Name"] for p in aws.client("ssm", region).get_parameters_by_path(Path="/mlplatform/mlflow_aws/mlflow-x", Recursive=True)["Parameters"]]


def test_tags_a_bucket_at_once_where_s3_takes_no_tags_with_it(aws: EmbeddedAWS) -> None:
    assert run_module("s3_bucket", GOVERNMENT, aws)["changed"]
    assert operations(aws, 0)[:4] == ["CreateBucket", "PutParameter", "CreateBucket", "PutBucketTagging"]
    mark = aws.mark()
    assert not run_module("s3_bucket", GOVERNMENT, aws)["changed"]
    assert {call["service"] for call in aws.calls(mark)} == {"s3", "sts"} and aws.mutating(mark) == []


def test_tags_a_bucket_at_once_where_the_caller_may_not_tag_it_while_making_it(aws: EmbeddedAWS) -> None:
    aws.faults({"service": "s3", "operation": "CreateBucket", "error": DENIED, "times": 1})
    assert run_module("s3_bucket", PARAMS, aws)["changed"]
    assert not run_module("s3_bucket", PARAMS, aws)["changed"]


def test_another_denial_is_told(aws: EmbeddedAWS) -> None:
    denied = {**DENIED, "message": DENIED["message"].replace("TagResource", "CreateBucket")}
    aws.faults({"service": "s3", "operation": "CreateBucket", "error": denied, "times": 1})
    with pytest.raises(ModuleFailed, match="may not s3:CreateBucket"):
        run_module("s3_bucket", PARAMS, aws)
    assert notes(aws) == []


@pytest.mark.parametrize("absent", [False, True], ids=["made", "removed"])
def test_a_bucket_that_a_run_has_made_and_not_tagged_is_ours(aws: EmbeddedAWS, absent: bool) -> None:
    """For each moment at which a run may die."""
    aws.take_snapshots()
    run_module("s3_bucket", GOVERNMENT, aws)
    snapshots = aws.snapshots()
    assert [snapshot.operation for snapshot in snapshots][:3] == ["PutParameter", "CreateBucket", "PutBucketTagging"]
    for snapshot in snapshots[:3]:
        with snapshot:
            if absent:
                run_module("s3_bucket", {**ABSENT, "region": "us-gov-west-1"}, snapshot)
                assert snapshot.client("s3", "us-gov-west-1").list_buckets()["Buckets"] == []
                continue
            plan = run_module("s3_bucket", GOVERNMENT, snapshot, check=True)
            assert run_module("s3_bucket", GOVERNMENT, snapshot)["changes"] == plan["changes"]
            assert not run_module("s3_bucket", GOVERNMENT, snapshot)["changed"]
            tags = snapshot.client("s3", "us-gov-west-1").get_bucket_tagging(Bucket=NAME)["TagSet"]
            assert {tag["Key"]: tag["Value"] for tag in tags} == OWNER


def tags_of(aws: EmbeddedAWS) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in aws.client("s3", "us-gov-west-1").get_bucket_tagging(Bucket=NAME)["TagSet"]}


ROBOT = {"Key": "corp:owner", "Value": "us"}


def test_a_bucket_that_others_tag_before_a_run_can_is_ours(aws: EmbeddedAWS) -> None:
    aws.take_snapshots()
    run_module("s3_bucket", GOVERNMENT, aws)
    with aws.snapshots()[2] as died:  # before PutBucketTagging
        died.client("s3", "us-gov-west-1").put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": [ROBOT]})
        assert run_module("s3_bucket", {**GOVERNMENT, "ignore_tags": ["corp:"]}, died)["changed"]
        assert tags_of(died) == {**OWNER, "corp:owner": "us"}


def test_the_first_tags_of_a_bucket_leave_those_of_others(aws: EmbeddedAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    create = service.Bucket._create

    def create_and_be_tagged(bucket: service.Bucket, configuration: dict[str, t.Any]) -> None:
        create(bucket, configuration)
        aws.client("s3", "us-gov-west-1").put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": [ROBOT]})

    monkeypatch.setattr(service.Bucket, "_create", create_and_be_tagged)
    run_module("s3_bucket", {**GOVERNMENT, "ignore_tags": ["corp:"]}, aws)
    assert tags_of(aws) == {**OWNER, "corp:owner": "us"}


def test_a_bucket_without_tags_that_no_run_of_the_stack_has_begun_is_not_ours(aws: EmbeddedAWS) -> None:
    aws.client("s3", "us-gov-west-1").create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "us-gov-west-1"})
    ssm = aws.client("ssm", "us-gov-west-1")
    ssm.put_parameter(Name="/mlplatform/mlflow_aws/mlflow-x/bucket", Value="another", Type="String")
    with pytest.raises(ModuleFailed, match="it exists already and is not of this stack"):
        run_module("s3_bucket", GOVERNMENT, aws)

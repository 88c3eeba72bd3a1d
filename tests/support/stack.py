# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the playbooks as a person would, in a process of their own, against the embedded AWS."""

from __future__ import annotations

import copy
import ipaddress
import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import yaml
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS

from support.plans import read_plan

Inputs = dict[str, t.Any]
LOSSES = {"rds:DeleteDBCluster", "rds:DeleteDBClusterSnapshot", "rds:DeleteDBClusterAutomatedBackup", "s3:DeleteBucket", "s3:DeleteObject", "s3:DeleteObjects"}
"""The calls that lose data. No run makes one as a side effect."""
ANSIBLE_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
PASSWORD = "correct-horse:battery%staple'\\&"


class Unsafe(str):
    """Text in a team file that Ansible must not take for a template."""


yaml.SafeDumper.add_representer(Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"'))


def as_data(value: t.Any) -> t.Any:
    """The value with what looks like a template marked as none."""
    if isinstance(value, dict):
        return {key: as_data(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_data(each) for each in value]
    return Unsafe(value) if isinstance(value, str) and "{" in value else value


def logs_bucket(aws: EmbeddedAWS, name: str) -> str:
    """The name of a new bucket that takes access logs of buckets and load balancers."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    statements = [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/*"}
        for service in ("logging.s3.amazonaws.com", "logdelivery.elasticloadbalancing.amazonaws.com")
    ]
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    return name


def web_acl(aws: EmbeddedAWS, name: str) -> str:
    """The ARN of a new web ACL of AWS WAF."""
    metrics = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": name}
    created = aws.client("wafv2").create_web_acl(Name=name, Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=metrics)
    return created["Summary"]["ARN"]


def prerequisites(aws: EmbeddedAWS, name: str = "team-x", network: int = 0) -> Inputs:
    """What a team has before the first deployment, made by plain API calls; the inputs that name it."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock=f"10.{network}.0.0/16")["Vpc"]["VpcId"]
    main = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=public_subnets(aws, vpc, "a", 40)[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.create_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)

    def subnets(offset: int) -> list[str]:
        return [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{network}.{offset + n}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"]
            for n, zone in enumerate("abc")
        ]

    people, programs = f"{name}.example.com", f"api.{name}.example.com"
    zones = {domain: zone(aws, domain) for domain in (people, programs)}
    cognito = aws.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName=name, AdminCreateUserConfig={"AllowAdminCreateUserOnly": True})["UserPool"]
    cognito.create_user_pool_domain(Domain=f"{name}-sign-in", UserPoolId=pool["Id"])
    sign_in = cognito.create_user_pool_client(
        UserPoolId=pool["Id"],
        ClientName="load-balancer",
        GenerateSecret=True,
        CallbackURLs=[f"https://mlflow.{people}/oauth2/idpresponse"],
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid"],
        AllowedOAuthFlowsUserPoolClient=True,
    )["UserPoolClient"]["ClientId"]
    secrets = aws.client("secretsmanager")
    key = aws.client("kms").create_key(Description=name)["KeyMetadata"]["Arn"]
    password = secrets.create_secret(Name=f"{name}-password", SecretString=PASSWORD, KmsKeyId=key)["ARN"]
    return {
        "mlflow_unique_name": f"mlflow-{name}",
        "mlflow_vpc_id": vpc,
        "mlflow_load_balancer_subnet_ids": subnets(0),
        "mlflow_load_balancer_ingress_cidr_blocks": ["192.0.2.0/24"],
        "mlflow_service_subnet_ids": subnets(10),
        "mlflow_database_subnet_ids": subnets(20),
        "mlflow_database_password_secret_arn": password,
        "mlflow_key_arn": key,
        "mlflow_record_name": "mlflow",
        "mlflow_zone_id": zones[people],
        "mlflow_zone_name": people,
        "mlflow_certificate_arn": certificate(aws, f"mlflow.{people}", zones[people]),
        "mlflow_api_zone_id": zones[programs],
        "mlflow_api_zone_name": programs,
        "mlflow_api_cert_arn": certificate(aws, f"mlflow.{programs}", zones[programs]),
        "mlflow_aws_cognito_user_pool_arn": pool["Arn"],
        "mlflow_aws_cognito_user_pool_client_id": sign_in,
        "mlflow_aws_cognito_user_pool_domain": f"{name}-sign-in",
        "mlflow_tags": {"team": name},
        "mlflow_jobs": "off",  # a further service in each stack; test_jobs.py has it
    }


def public_subnets(aws: EmbeddedAWS, vpc: str, zones: str = "abc", offset: int = 50) -> list[str]:
    """New subnets of a VPC, one in each zone, whose way out is the internet gateway of the VPC."""
    ec2 = aws.client("ec2")
    network = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"].rsplit(".", 2)[0]
    (gateway,) = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])["InternetGateways"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway["InternetGatewayId"])
    subnets = []
    for n, zone in enumerate(zones):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"{network}.{offset + n}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        subnets.append(subnet)
    return subnets


def shared_network(aws: EmbeddedAWS, owner: str = "999999999999") -> Inputs:
    """A network of another account whose subnets are shared with this one; the inputs that name it."""
    ec2 = aws.client_of(owner, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)

    def subnets(offset: int, **way_out: str) -> list[str]:
        made = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{offset + n}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"]
            for n, zone in enumerate("abc")
        ]
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        if way_out:
            ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **way_out)
        for subnet in made:
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return made

    public = subnets(40, GatewayId=gateway)
    nat = ec2.create_nat_gateway(SubnetId=public[0], AllocationId=ec2.allocate_address(Domain="vpc")["AllocationId"])["NatGateway"]["NatGatewayId"]
    kinds = {"load_balancer": subnets(0, NatGatewayId=nat), "service": subnets(10, NatGatewayId=nat), "database": subnets(20)}
    arns = [f"arn:aws:ec2:eu-west-1:{owner}:subnet/{subnet}" for ids in kinds.values() for subnet in ids]
    aws.client_of(owner, "ram").create_resource_share(name="network", resourceArns=arns, principals=[ACCOUNT])
    return {"mlflow_vpc_id": vpc, **{f"mlflow_{kind}_subnet_ids": ids for kind, ids in kinds.items()}}


def give_ipv6(aws: EmbeddedAWS, vpc: str, subnets: t.Iterable[str]) -> None:
    """Give a VPC an IPv6 CIDR block of AWS, and each of these subnets its part of it."""
    ec2 = aws.client("ec2")
    ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    block = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    for subnet, part in zip(subnets, ipaddress.ip_network(block).subnets(new_prefix=64)):
        ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=str(part))


def zone(aws: EmbeddedAWS, domain: str, reference: str = "") -> str:
    """The ID of a new hosted zone. Zones of one name differ in their references."""
    made = aws.client("route53").create_hosted_zone(Name=domain, CallerReference=reference or domain)["HostedZone"]["Id"]
    return made.removeprefix("/hostedzone/")


def certificate(aws: EmbeddedAWS, domain: str, zone_id: str, *others: str) -> str:
    """The ARN of a new certificate for one domain or more, validated in a hosted zone."""
    acm, names = aws.client("acm"), {"SubjectAlternativeNames": [domain, *others]} if others else {}
    arn = acm.request_certificate(DomainName=domain, ValidationMethod="DNS", **names)["CertificateArn"]
    for option in acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"]:
        name, value = option["ResourceRecord"]["Name"], option["ResourceRecord"]["Value"]
        record = {"Name": name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": value}]}
        batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
        aws.client("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)
    return arn


class Run(t.NamedTuple):
    """What one run of a playbook did, as Ansible's JSON callback and the call log of AWS say."""

    status: int
    output: dict[str, t.Any]
    text: str
    calls: list[dict[str, t.Any]]
    seconds: float

    @property
    def results(self) -> list[dict[str, t.Any]]:
        return [r for play in self.output.get("plays", []) for task in play["tasks"] for r in task["hosts"].values()]

    @property
    def changes(self) -> list[dict[str, t.Any]]:
        """What was changed. A look at what is there, before a removal, lists as well what would be, but changes nothing."""
        return [change for result in self.results if result.get("changed") for change in result.get("changes") or []]

    @property
    def changed(self) -> int:
        return sum(host["changed"] for host in self.output["stats"].values())

    @property
    def mutating(self) -> list[str]:
        return [f"{call['service']}:{call['operation']}" for call in self.calls if call["mutating"]]

    @property
    def changing(self) -> list[str]:
        """The changes of the stack itself, without those of its lease."""
        return [call for call in self.mutating if not call.startswith("ssm:")]

    @property
    def messages(self) -> list[str]:
        """What each failed task said: its message, and the problems that preflight lists."""
        return ["\n".join([str(r["msg"]), *r.get("problems", [])]) for r in self.results if r.get("failed")]


class Stack:
    """One team's stack: its inputs, and the playbooks run on them in a folder of its own."""

    def __init__(self, aws: EmbeddedAWS, folder: Path, inputs: Inputs) -> None:
        self.aws, self.folder, self.inputs = aws, folder, copy.deepcopy(inputs)

    def run(self, playbooks: str, *arguments: str, environment: dict[str, str] | None = None, **inputs: t.Any) -> Run:
        """Run playbooks by their FQCN with the team file, C(inputs) in place of its values (None: leave it out)."""
        run = self.start(playbooks, *arguments, environment=environment, **inputs).end()
        told_to_delete = {"destroy", "bootstrap"} & set(playbooks.split()) or "mlflow_restore_discard" in inputs
        assert told_to_delete or not LOSSES & set(run.mutating)
        return run

    def start(self, playbooks: str, *arguments: str, environment: dict[str, str] | None = None, **inputs: t.Any) -> Running:
        """As C(run), without waiting for the end."""
        return Running(self.aws, self.folder, self.command(playbooks, *arguments, **inputs), environment)

    def command(self, playbooks: str, *arguments: str, **inputs: t.Any) -> list[str]:
        """What C(run) runs, with the team file written."""
        team = {k: v for k, v in {**self.inputs, **inputs}.items() if v is not None}
        (self.folder / "team.yml").write_text(yaml.safe_dump(team), encoding="utf-8")
        names = [f"mlplatform.mlflow_aws.{playbook}" for playbook in playbooks.split()]
        return [ANSIBLE_PLAYBOOK, *names, "-e", "@team.yml", *arguments]

    def apply(self, **inputs: t.Any) -> Run:
        """Run C(site), keep the inputs for later runs, and expect that it ends green."""
        self.inputs = {k: v for k, v in {**self.inputs, **inputs}.items() if v is not None}
        run = self.run("site")
        assert run.status == 0, run.messages or run.text
        return run

    def plan_and_apply(self, **inputs: t.Any) -> tuple[list[dict[str, t.Any]], Run]:
        """The changes that C(plan) says, changing nothing, and then C(apply), in one process, which takes two thirds of the time."""
        self.inputs = {k: v for k, v in {**self.inputs, **inputs}.items() if v is not None}
        both = self.run("plan site", "-e", "mlflow_plan_path='{{ ansible_play_name }}.json'")
        assert both.status == 0, both.messages or both.text
        path = self.folder / "Plan MLflow.json"
        ended = path.stat().st_mtime
        assert [call for call in both.calls if call["mutating"] and call["time"] < ended] == []
        run = both._replace(
            output={**both.output, "plays": [play for play in both.output["plays"] if play["play"]["name"] == "Deploy MLflow"]},
            calls=[call for call in both.calls if call["time"] >= ended],
        )
        return read_plan(path)["changes"], run

    def destroy(self, **inputs: t.Any) -> Run:
        run = self.run("destroy", "-e", f"mlflow_confirm_destroy={self.inputs['mlflow_unique_name']}", **inputs)
        assert run.status == 0, run.messages or run.text
        return run

    @property
    def outputs(self) -> dict[str, t.Any]:
        return json.loads((self.folder / f"{self.inputs['mlflow_unique_name']}.outputs.json").read_text(encoding="utf-8"))


def run_ansible(aws: EmbeddedAWS, folder: Path, command: list[str], environment: dict[str, str] | None = None) -> Run:
    """Run a command of Ansible with the JSON callback, and read what it did."""
    return Running(aws, folder, command, environment).end()


class Running:
    """A command of Ansible with the JSON callback, under way."""

    def __init__(self, aws: EmbeddedAWS, folder: Path, command: list[str], environment: dict[str, str] | None = None) -> None:
        env = {
            **os.environ,
            **aws.env,
            "PWD": str(folder),
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.json",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            **(environment or {}),
        }
        self.aws, self.mark = aws, aws.mark()
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def until(self, reached: t.Callable[[list[dict[str, t.Any]]], bool]) -> None:
        """Wait until the calls since its start are as asked for."""
        deadline = time.monotonic() + 300
        while not reached(self.aws.calls(self.mark)):
            assert self.process.poll() is None and time.monotonic() < deadline, self.process.communicate()
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, to Ansible itself; its workers are left to themselves."""
        self.process.kill()
        self.process.wait()

    def end(self) -> Run:
        """Wait for the end."""
        out, err = self.process.communicate(timeout=600)
        seconds = time.monotonic() - self.started
        start = out.rfind('\n{\n    "custom_stats"')  # the last playbook's holds what the others did, too
        begin = start + 1 if start >= 0 else out.find("{")
        try:
            output = json.JSONDecoder().raw_decode(out[begin:])[0] if begin >= 0 else {}
        except ValueError:
            output = {}
        return Run(self.process.returncode, output, out + err, self.aws.calls(self.mark), seconds)

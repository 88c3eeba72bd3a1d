# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of controls in docs/security.md is what a stack with the default inputs, and with those of the page, passes and fails.

Each control is evaluated as its description in the AWS Security Hub User Guide says.
"""

from __future__ import annotations

import json
import re
import typing as t
from functools import cached_property
from pathlib import Path

import yaml
from embedded_aws.client import REGION, EmbeddedAWS
from support.stack import Stack, logs_bucket, web_acl

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
ROWS = re.findall(r"^\| ([A-Za-z0-9]+\.\d+) [^|]*\| (yes|no) \| (yes|no) \| (.*) \|$", PAGE, re.MULTILINE)
HARDENED = yaml.safe_load(next(block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "hardened" in block))
NAME = "mlflow-team-x"
DEFAULT_PORTS = (3306, 5432)


class Account:
    """What the account holds of the stack."""

    def __init__(self, aws: EmbeddedAWS) -> None:
        self.aws = aws
        self.cluster = aws.client("rds").describe_db_clusters(DBClusterIdentifier=NAME)["DBClusters"][0]
        self.instances = aws.client("rds").describe_db_instances()["DBInstances"]
        self.balancers = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
        self.bucket = f"{NAME}-123456789012-{REGION}"
        self.service = aws.client("ecs").describe_services(cluster=NAME, services=[NAME])["services"][0]

    @cached_property
    def tasks(self) -> list[dict[str, t.Any]]:
        describe = self.aws.client("ecs").describe_task_definition
        return [describe(taskDefinition=family)["taskDefinition"] for family in (NAME, f"{NAME}-prepare-database")]

    @property
    def containers(self) -> list[dict[str, t.Any]]:
        return [container for task in self.tasks for container in task["containerDefinitions"]]

    @cached_property
    def attributes(self) -> list[dict[str, str]]:
        describe = self.aws.client("elbv2").describe_load_balancer_attributes
        answers = [describe(LoadBalancerArn=balancer["LoadBalancerArn"])["Attributes"] for balancer in self.balancers]
        return [{each["Key"]: each["Value"] for each in answer} for answer in answers]

    @cached_property
    def listeners(self) -> list[dict[str, t.Any]]:
        describe = self.aws.client("elbv2").describe_listeners
        return [listener for balancer in self.balancers for listener in describe(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]]

    @cached_property
    def target_groups(self) -> list[dict[str, t.Any]]:
        return self.aws.client("elbv2").describe_target_groups()["TargetGroups"]

    def parameter(self, name: str) -> str | None:
        group = self.cluster["DBClusterParameterGroup"]
        every = self.aws.client("rds").describe_db_cluster_parameters(DBClusterParameterGroupName=group, Source="user")["Parameters"]
        return {each["ParameterName"]: each.get("ParameterValue") for each in every}.get(name)

    def balancer_attribute(self, name: str) -> set[str]:
        return {each[name] for each in self.attributes}

    def api(self, operation: str, **arguments: t.Any) -> list[dict[str, t.Any]]:
        client = self.aws.client("apigatewayv2")
        (api,) = client.get_apis()["Items"]
        return getattr(client, operation)(ApiId=api["ApiId"], **arguments)["Items"]

    def has_web_acls(self) -> bool:
        answers = (self.aws.client("wafv2").get_web_acl_for_resource(ResourceArn=balancer["LoadBalancerArn"]) for balancer in self.balancers)
        return all("WebACL" in answer for answer in answers)

    def of_bucket(self, what: str) -> dict[str, t.Any]:
        return getattr(self.aws.client("s3"), f"get_{what}")(Bucket=self.bucket)

    def of_function(self, operation: str) -> dict[str, t.Any]:
        return getattr(self.aws.client("lambda"), operation)(FunctionName=f"{NAME}-authorizer")

    def secrets_rotate(self) -> bool:
        return all(each.get("RotationEnabled") for each in self.aws.client("secretsmanager").list_secrets()["SecretList"] if each["Name"].startswith(NAME))


def _encryption(a: Account) -> str:
    rule = a.of_bucket("bucket_encryption")["ServerSideEncryptionConfiguration"]["Rules"][0]
    return rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]


def _denies_plain_http(a: Account) -> bool:
    statements = json.loads(a.of_bucket("bucket_policy")["Policy"])["Statement"]
    return any(s["Effect"] == "Deny" and s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}} for s in statements)


CONTROLS: dict[str, t.Callable[[Account], bool]] = {
    "ECS.2": lambda a: a.service["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED",
    "ECS.4": lambda a: not any(each.get("privileged") for each in a.containers),
    "ECS.5": lambda a: all(each.get("readonlyRootFilesystem") for each in a.containers),
    "ECS.8": lambda a: not any("AWS_SECRET" in variable["name"] or "_URI" in variable["name"] for each in a.containers for variable in each["environment"]),
    "ECS.9": lambda a: all(each.get("logConfiguration") for each in a.containers),
    "ECS.10": lambda a: a.service["platformVersion"] == "LATEST",
    "ECS.12": lambda a: (
        {s["value"] for s in a.aws.client("ecs").describe_clusters(clusters=[NAME], include=["SETTINGS"])["clusters"][0]["settings"]} <= {"enabled", "enhanced"}
    ),
    "ECS.20": lambda a: all(each.get("user", "0").partition(":")[0] not in ("0", "root") for each in a.containers),
    "RDS.2": lambda a: not any(each["PubliclyAccessible"] for each in a.instances),
    "RDS.6": lambda a: all(each.get("MonitoringInterval") for each in a.instances),
    "RDS.7": lambda a: a.cluster["DeletionProtection"],
    "RDS.12": lambda a: a.cluster.get("IAMDatabaseAuthenticationEnabled", False),
    "RDS.13": lambda a: all(each["AutoMinorVersionUpgrade"] for each in a.instances),
    "RDS.14": lambda a: bool(a.cluster.get("BacktrackWindow")),
    "RDS.15": lambda a: len({each["AvailabilityZone"] for each in a.instances}) > 1,
    "RDS.16": lambda a: a.cluster["CopyTagsToSnapshot"],
    "RDS.23": lambda a: a.cluster["Port"] not in DEFAULT_PORTS,
    "RDS.24": lambda a: a.cluster["MasterUsername"] not in ("admin", "postgres"),
    "RDS.27": lambda a: a.cluster["StorageEncrypted"],
    "RDS.34": lambda a: "audit" in a.cluster.get("EnabledCloudwatchLogsExports", []),
    "RDS.45": lambda a: a.parameter("server_audit_logging") == "1",
    "ELB.1": lambda a: all(each["DefaultActions"][0]["Type"] == "redirect" for each in a.listeners if each["Protocol"] == "HTTP"),
    "ELB.4": lambda a: a.balancer_attribute("routing.http.drop_invalid_header_fields.enabled") == {"true"},
    "ELB.5": lambda a: a.balancer_attribute("access_logs.s3.enabled") == {"true"},
    "ELB.6": lambda a: a.balancer_attribute("deletion_protection.enabled") == {"true"},
    "ELB.12": lambda a: a.balancer_attribute("routing.http.desync_mitigation_mode") <= {"defensive", "strictest"},
    "ELB.13": lambda a: all(len(each["AvailabilityZones"]) > 1 for each in a.balancers),
    "ELB.16": Account.has_web_acls,
    "ELB.17": lambda a: {each["SslPolicy"] for each in a.listeners if each["Protocol"] == "HTTPS"} == {"ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"},
    "ELB.18": lambda a: {each["Protocol"] for each in a.listeners} == {"HTTPS"},
    "ELB.21": lambda a: {each["HealthCheckProtocol"] for each in a.target_groups} == {"HTTPS"},
    "ELB.22": lambda a: {each["Protocol"] for each in a.target_groups} == {"HTTPS"},
    "APIGateway.8": lambda a: all(each["AuthorizationType"] in ("CUSTOM", "JWT") for each in a.api("get_routes")),
    "APIGateway.9": lambda a: all(each.get("AccessLogSettings") for each in a.api("get_stages")),
    "APIGateway.10": lambda a: all(each.get("TlsConfig") for each in a.api("get_integrations")),
    "Lambda.1": lambda a: all(s.get("Condition") and s["Principal"] != "*" for s in json.loads(a.of_function("get_policy")["Policy"])["Statement"]),
    "Lambda.2": lambda a: a.of_function("get_function_configuration")["Runtime"] in ("python3.12", "python3.13", "python3.14"),
    "S3.3": lambda a: all(a.of_bucket("public_access_block")["PublicAccessBlockConfiguration"].values()),
    "S3.5": _denies_plain_http,
    "S3.9": lambda a: "LoggingEnabled" in a.of_bucket("bucket_logging"),
    "S3.12": lambda a: a.of_bucket("bucket_ownership_controls")["OwnershipControls"]["Rules"][0]["ObjectOwnership"] == "BucketOwnerEnforced",
    "S3.13": lambda a: bool(a.of_bucket("bucket_lifecycle_configuration")["Rules"]),
    "S3.17": lambda a: _encryption(a) == "aws:kms",
    "SecretsManager.1": Account.secrets_rotate,
}


def verdicts(aws: EmbeddedAWS) -> dict[str, str]:
    account = Account(aws)
    return {control: "yes" if passes(account) else "no" for control, passes in CONTROLS.items()}


def test_the_table_says_why_a_control_fails_and_which_input_makes_it_pass() -> None:
    assert [control for control, *_columns in ROWS] == list(CONTROLS)
    assert [control for control, default, hardened, how in ROWS if "no" in (default, hardened) and not how] == []
    assert [control for control, default, hardened, how in ROWS if (default, hardened) == ("no", "yes") and "`mlflow_" not in how] == []


def test_a_stack_with_the_default_inputs_passes_what_the_table_says(deployed_once: Stack) -> None:
    assert verdicts(deployed_once.aws) == {control: default for control, default, *_rest in ROWS}


def test_a_hardened_stack_passes_what_the_table_says(stack: Stack) -> None:
    logs_bucket(stack.aws, "logs-bucket")
    mine = {"mlflow_load_balancer_web_acl_arn": web_acl(stack.aws, "mlflow"), "mlflow_artifact_bucket_encryption_key_arn": stack.inputs["mlflow_key_arn"]}
    assert mine.keys() <= HARDENED.keys()
    stack.apply(**{**HARDENED, **mine})
    assert verdicts(stack.aws) == {control: hardened for control, _default, hardened, _how in ROWS}
    assert stack.apply().changes == []
    stack.destroy()

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a stack: plan, site, site again, verify, destroy, and once more. Each step keeps what it left in AWS."""

from __future__ import annotations

import fnmatch
import json
import time
import typing as t
import urllib.parse
from collections import Counter

import pytest
from embedded_aws.client import ACCOUNT, REGION
from support.account import Listing, changed, listing
from support.cloudformation import KINDS, findings, template
from support.permissions import statements
from support.plans import deviations, lines, read_plan
from support.stack import PASSWORD, Run, Stack

NAME = "mlflow-team-x"
BUCKET = f"{NAME}-{ACCOUNT}-{REGION}"
HOST, API_HOST = "mlflow.team-x.example.com", "mlflow.api.team-x.example.com"
TAGS = {"team": "team-x", "managed-by": "mlplatform.mlflow_aws", "mlflow-stack": NAME}
PLANNED = {
    "ec2_security_group": "security_group",
    "ec2_security_group_rule": "security_group_rule",
    "s3_bucket": "bucket",
    "rds_subnet_group": "db_subnet_group",
    "rds_cluster_parameter_group": "db_cluster_parameter_group",
    "rds_cluster": "db_cluster",
    "rds_instance": "db_instance",
    "elbv2_target_group": "target_group",
    "elbv2_load_balancer": "load_balancer",
    "elbv2_listener": "listener",
    "elbv2_listener_rule": "listener_rule",
    "route53_record": "record",
    "logs_log_group": "log_group",
    "logs_query_definition": "query_definition",
    "secretsmanager_secret": "secret",
    "iam_role": "role",
    "iam_role_policy": "role_policy",
    "ecs_cluster": "ecs_cluster",
    "ecs_task_definition": "task_definition",
    "ecs_service": "ecs_service",
    "application_autoscaling_target": "scalable_target",
    "application_autoscaling_policy": "scaling_policy",
    "lambda_function": "function",
    "apigatewayv2_vpc_link": "vpc_link",
    "apigatewayv2_domain_name": "api_domain_name",
    "apigatewayv2_api": "api",
    "apigatewayv2_integration": "api_integration",
    "apigatewayv2_authorizer": "api_authorizer",
    "apigatewayv2_route": "api_route",
    "apigatewayv2_stage": "api_stage",
    "apigatewayv2_api_mapping": "api_mapping",
}
"""What a plan calls a kind, and what the listing of the account does."""
ELSEWHERE = Counter(ecs_task=1, lambda_permission=1)
"""Kinds of a plan that are not in the listing: a task ends, and a permission is in the function's policy."""
BESIDE = {"alarm", "db_cluster_snapshot", "network_interface", "lease"}
"""Kinds of the listing that are in no plan: what AWS makes itself, and what says who changed the stack last."""


class Step(t.NamedTuple):
    run: Run
    account: Listing

    def of(self, kind: str) -> dict[str, t.Any]:
        """The stack's own resources of a kind, by the end of their identifier."""
        own = {i: s for (k, i), s in self.account.items() if k == kind and NAME in json.dumps(s, default=str)}
        return {identifier.rpartition("/")[2]: state for identifier, state in own.items()}

    def one(self, kind: str) -> dict[str, t.Any]:
        (state,) = self.of(kind).values()
        return state

    def group(self, name: str) -> str:
        """The id of the security group of that name, without the stack's."""
        return next(i for i, state in self.of("security_group").items() if state["GroupName"] == f"{NAME}-{name}")


def _lasting(changes: t.Iterable[dict[str, t.Any]]) -> list[tuple[str, str]]:
    """Kind and name of each resource, without the task, which ends by itself."""
    return sorted((change["kind"], change["name"]) for change in changes if change["kind"] != "ecs_task")


@pytest.fixture(scope="module")
def empty(team: Stack) -> Listing:
    return listing(team.aws)


@pytest.fixture(scope="module")
def planned(team: Stack, empty: Listing) -> Step:
    run = team.run("plan", "-e", "mlflow_plan_path=plan.json")
    return Step(run, listing(team.aws))


@pytest.fixture(scope="module")
def deployed(team: Stack, planned: Step) -> Step:
    run = team.run("site", "-vvv", "--diff")
    assert run.status == 0, run.messages or run.text
    return Step(run, listing(team.aws))


@pytest.fixture(scope="module")
def again(team: Stack, deployed: Step) -> Step:
    return Step(team.run("site"), listing(team.aws))


@pytest.fixture(scope="module")
def verified(team: Stack, again: Step) -> Step:
    return Step(team.run("verify"), listing(team.aws))


@pytest.fixture(scope="module")
def planned_removal(team: Stack, again: Step, verified: Step) -> Step:
    run = team.run("destroy", "--check", "-e", "mlflow_plan_path=removal.json")
    return Step(run, listing(team.aws))


@pytest.fixture(scope="module")
def destroyed(team: Stack, planned_removal: Step) -> Step:
    return Step(team.destroy(), listing(team.aws))


# Plan


@pytest.mark.versions
def test_a_plan_on_an_empty_account_asks_only_and_lists_what_the_run_then_makes(team: Stack, empty: Listing, planned: Step, deployed: Step) -> None:
    assert planned.run.status == 0, planned.run.messages
    assert planned.run.mutating == []
    assert planned.account == empty
    plan = read_plan(team.folder / "plan.json")
    assert deviations(plan["changes"], deployed.run.changes) == []
    assert plan["summary"] == {"add": 63, "change": 0, "replace": 0, "remove": 0}
    assert [change["warnings"] for change in plan["changes"] if change["warnings"]] == []


def test_a_first_deployment_prefetches_nothing(deployed: Step) -> None:
    """Each of its modules changes something: what was asked before would count for nothing. Only whose the names are is asked."""
    assert len(deployed.run.calls) <= 233


def test_each_resource_of_the_account_is_one_line_of_the_plan(team: Stack, empty: Listing, deployed: Step) -> None:
    changes = read_plan(team.folder / "plan.json")["changes"]
    planned = Counter(PLANNED.get(change["kind"], change["kind"]) for change in changes) - ELSEWHERE
    new = [key for key in changed(empty, deployed.account)["added"] if key[0] not in BESIDE]
    owners = [key for key in new if key[0] == "record" and key[1].startswith("_mlflow-stack-")]
    assert planned == Counter(kind for kind, _identifier in new) - Counter(record=len(owners)) and len(owners) == 2


# What exists after the first run


def test_every_property_is_one_that_cloudformation_would_take(deployed: Step) -> None:
    kinds = {resource["Type"] for resource in template(deployed.account)["Resources"].values()}
    elsewhere = {"user_pool", "ecr_repository", "ecr_pull_through_cache_rule", "listener_certificates"}  # of bootstrap, a mirror of the image, token access
    watching = {"metric_alarm", "dashboard", "topic", "topic_subscription", "event_rule", "event_subscription", "metric_filter"}
    assert {how.type for kind, how in KINDS.items() if kind not in elsewhere | watching} == kinds
    assert findings(deployed.account) == []


def test_the_network_opens_nothing_that_need_not_be(deployed: Step) -> None:
    names = {i: state["GroupName"].removeprefix(f"{NAME}-") for i, state in deployed.of("security_group").items()}
    rules = {
        (
            names[r["GroupId"]],
            "out" if r["IsEgress"] else "in",
            r["IpProtocol"],
            r["FromPort"],
            r["ToPort"],
            r.get("CidrIpv4") or names[r["ReferencedGroupInfo"]["GroupId"]],
        )
        for r in deployed.of("security_group_rule").values()
    }
    assert rules == {
        ("load-balancer", "in", "tcp", 80, 80, "192.0.2.0/24"),
        ("load-balancer", "in", "tcp", 443, 443, "192.0.2.0/24"),
        ("load-balancer", "in", "tcp", 8443, 8443, "vpc-link"),
        ("load-balancer", "out", "tcp", 5000, 5000, "service"),
        ("load-balancer", "out", "tcp", 443, 443, "0.0.0.0/0"),
        ("service", "in", "tcp", 5000, 5000, "load-balancer"),
        ("service", "out", "tcp", 3306, 3306, "database"),
        ("service", "out", "tcp", 443, 443, "0.0.0.0/0"),
        ("database", "in", "tcp", 3306, 3306, "service"),
        ("vpc-link", "out", "tcp", 8443, 8443, "load-balancer"),
    }
    assert len(rules) == len(deployed.of("security_group_rule"))


def test_the_load_balancer_is_internal_and_refuses_by_default(team: Stack, deployed: Step) -> None:
    balancer, inputs = deployed.one("load_balancer"), team.inputs
    assert balancer["Scheme"] == "internal" and balancer["SecurityGroups"] == [deployed.group("load-balancer")]
    subnets = {zone["SubnetId"] for zone in balancer["AvailabilityZones"]}
    assert subnets == set(inputs["mlflow_load_balancer_subnet_ids"])
    attributes = balancer["attributes"]
    assert attributes["idle_timeout.timeout_seconds"] == "300"
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    listeners = {state["Port"]: state for state in deployed.of("listener").values()}
    assert set(listeners) == {80, 443, 8443}
    redirect = listeners[80]["DefaultActions"][0]["RedirectConfig"]
    assert (redirect["Protocol"], redirect["Port"], redirect["StatusCode"]) == ("HTTPS", "443", "HTTP_301")
    for port, certificate in ((443, "mlflow_certificate_arn"), (8443, "mlflow_api_cert_arn")):
        (default,) = listeners[port]["DefaultActions"]
        assert default["Type"] == "fixed-response" and default["FixedResponseConfig"]["StatusCode"] == "403"
        assert listeners[port]["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
        assert listeners[port]["Certificates"] == [{"CertificateArn": inputs[certificate]}]


def test_people_sign_in_and_programs_come_through_the_api_alone(team: Stack, deployed: Step) -> None:
    rules = {
        (rule["port"], rule["Priority"]): ({c["Field"]: c["Values"] for c in rule["Conditions"]}, [action["Type"] for action in rule["Actions"]])
        for rule in deployed.of("listener_rule").values()
    }
    assert rules == {
        (443, "1"): ({"host-header": [HOST]}, ["authenticate-cognito", "forward"]),
        (8443, "1"): ({"host-header": [API_HOST], "path-pattern": ["/api/*", "/gateway/*", "/v1/*"]}, ["forward"]),
        (8443, "2"): ({"host-header": [API_HOST], "path-pattern": ["/health", "/version"]}, ["forward"]),
    }
    sign_in = next(
        action["AuthenticateCognitoConfig"]
        for rule in deployed.of("listener_rule").values()
        for action in rule["Actions"]
        if action["Type"] == "authenticate-cognito"
    )
    assert sign_in["UserPoolArn"] == team.inputs["mlflow_aws_cognito_user_pool_arn"]
    assert sign_in["UserPoolClientId"] == team.inputs["mlflow_aws_cognito_user_pool_client_id"]
    assert sign_in["UserPoolDomain"] == team.inputs["mlflow_aws_cognito_user_pool_domain"]
    assert sign_in["OnUnauthenticatedRequest"] == "authenticate"
    group = deployed.one("target_group")
    assert (group["Protocol"], group["Port"], group["TargetType"]) == ("HTTP", 5000, "ip")
    assert group["HealthCheckPath"] == "/health"


def test_the_database_is_encrypted_backed_up_protected_and_takes_tls_alone(team: Stack, deployed: Step) -> None:
    cluster, instance = deployed.one("db_cluster"), deployed.one("db_instance")
    asked = {
        "Engine": "aurora-mysql",
        "EngineVersion": "8.0.mysql_aurora.3.10.3",
        "EngineMode": "provisioned",
        "Port": 3306,
        "DatabaseName": "mlflow",
        "StorageEncrypted": True,
        "BackupRetentionPeriod": 14,
        "DeletionProtection": True,
        "CopyTagsToSnapshot": True,
        "EnabledCloudwatchLogsExports": ["error", "slowquery"],
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.0, "MaxCapacity": 1.0, "SecondsUntilAutoPause": 300},
    }
    assert {key: cluster[key] for key in asked} == asked
    assert [g["VpcSecurityGroupId"] for g in cluster["VpcSecurityGroups"]] == [deployed.group("database")]
    assert (instance["DBInstanceClass"], instance["PubliclyAccessible"]) == ("db.serverless", False)
    assert deployed.one("db_cluster_parameter_group")["parameters"]["require_secure_transport"] == "ON"
    subnets = {s["SubnetIdentifier"] for s in deployed.one("db_subnet_group")["Subnets"]}
    assert subnets == set(team.inputs["mlflow_database_subnet_ids"])


def test_the_bucket_is_private_versioned_encrypted_and_tidies_up(deployed: Step) -> None:
    bucket = deployed.of("bucket")[BUCKET]
    assert bucket["versioning"]["Status"] == "Enabled"
    (rule,) = bucket["encryption"]["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert set(bucket["public_access_block"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["ownership_controls"]["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    denied = [s["Condition"] for s in json.loads(bucket["policy"]["Policy"])["Statement"] if s["Effect"] == "Deny"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in denied  # as scanners look for it
    rules = bucket["lifecycle_configuration"]["Rules"]
    assert {"Days": 60, "StorageClass": "INTELLIGENT_TIERING"} in [x for r in rules for x in r.get("Transitions", [])]
    assert {"NoncurrentDays": 90} in [r.get("NoncurrentVersionExpiration") for r in rules]
    assert {"DaysAfterInitiation": 7} in [r.get("AbortIncompleteMultipartUpload") for r in rules]


def test_mlflow_runs_on_fargate_configured_by_environment_and_secrets(team: Stack, deployed: Step) -> None:
    task = next(task for task in deployed.of("task_definition").values() if task["family"] == NAME)
    assert (task["cpu"], task["memory"], task["networkMode"]) == ("2048", "4096", "awsvpc")
    mlflow = next(c for c in task["containerDefinitions"] if c["name"] == "mlflow")
    assert mlflow["image"] == "ghcr.io/mlflow/mlflow:v3.18.0-full"
    assert mlflow["command"][:2] == ["python", "-c"] and len(mlflow["command"]) == 3 and not mlflow.get("entryPoint")
    environment = {e["name"]: e["value"] for e in mlflow["environment"]}
    assert environment["MLFLOW_SERVER_ALLOWED_HOSTS"] == f"{HOST},{API_HOST}"
    assert environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] == f"https://{HOST}"
    assert environment["MLFLOW_ARTIFACTS_DESTINATION"] == f"s3://{BUCKET}"
    assert environment["MLFLOW_SERVE_ARTIFACTS"] == "true" and "MLFLOW_DEFAULT_ARTIFACT_ROOT" not in environment
    assert environment["MLFLOW_UVICORN_OPTS"] == "--timeout-keep-alive=360"  # above the load balancer's idle timeout
    assert environment["MLFLOW_SQLALCHEMYSTORE_POOLCLASS"] == "NullPool"  # so that the database can pause
    assert "MLFLOW_GUNICORN_OPTS" not in environment
    secrets = {s["name"]: s["valueFrom"] for s in mlflow["secrets"]}
    store = deployed.of("secret")[f"{NAME}-backend-store-uri"]
    assert secrets["MLFLOW_BACKEND_STORE_URI"].startswith(f"{store['ARN']}:uri::")
    assert "MLFLOW_READ_REPLICA_BACKEND_STORE_URI" not in secrets
    assert all(value.startswith("arn:aws:secretsmanager:") for value in secrets.values())
    assert not set(secrets) & set(environment)
    identity = json.loads(environment["MLFLOW_IDENTITY"])
    assert (identity["host"], identity["api_host"], identity["load_balancer_arn"]) == (HOST, API_HOST, deployed.one("load_balancer")["LoadBalancerArn"])
    assert (identity["default_right"], identity["programs"], identity["sign_in"]["cognito"]) == ("editor", {}, True)
    key = deployed.of("secret")[f"{NAME}-identity-key"]
    assert secrets["MLFLOW_IDENTITY_KEY"].startswith(f"{key['ARN']}:key::")
    options = mlflow["logConfiguration"]["options"]
    assert (options["awslogs-group"], options["awslogs-region"]) == (f"/ecs/{NAME}", REGION)

    service = deployed.one("ecs_service")
    assert service["taskDefinition"] == task["taskDefinitionArn"]
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert (service["healthCheckGracePeriodSeconds"], service["desiredCount"]) == (120, 2)
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    assert set(network["subnets"]) == set(team.inputs["mlflow_service_subnet_ids"])
    assert (network["securityGroups"], network["assignPublicIp"]) == ([deployed.group("service")], "DISABLED")
    (target,) = service["loadBalancers"]
    assert target["targetGroupArn"] == deployed.one("target_group")["TargetGroupArn"]
    assert (target["containerName"], target["containerPort"]) == ("mlflow", 5000)
    scalable = deployed.one("scalable_target")
    assert (scalable["MinCapacity"], scalable["MaxCapacity"]) == (2, 2)
    assert deployed.one("scaling_policy")["PolicyType"] == "TargetTrackingScaling"


def test_the_database_was_prepared_before_the_service_was_made(deployed: Step) -> None:
    order = [call["operation"] for call in deployed.run.calls if call["service"] == "ecs"]
    assert order.index("RunTask") < order.index("CreateService")


def test_the_roles_may_do_what_they_must_and_no_more(team: Stack, deployed: Step) -> None:
    def allowed(role: str) -> list[tuple[list[str], list[str]]]:
        return [
            (sorted(s["Action"]), sorted(s["Resource"]))
            for state in deployed.of("role_policy").values()
            if state["RoleName"] == f"{NAME}-{role}"
            for s in statements(state["PolicyDocument"])
        ]

    bucket = f"arn:aws:s3:::{BUCKET}"
    objects = ("AbortMultipartUpload", "DeleteObject", "GetObject", "ListMultipartUploadParts", "PutObject")
    assert allowed("ecs-task") == [
        (["s3:ListBucket"], [bucket]),
        (["s3:ListBucketMultipartUploads"], [bucket]),
        ([f"s3:{action}" for action in objects], [f"{bucket}/*"]),
    ]
    secrets = [f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{NAME}-{name}-??????" for name in ("backend-store-uri", "server-keys", "identity-key")]
    assert all(fnmatch.fnmatchcase(deployed.of("secret")[secret[:-7].rpartition(":")[2]]["ARN"], secret) for secret in secrets)  # made after the roles
    password = team.inputs["mlflow_database_password_secret_arn"]
    for role, readable in (("ecs-execution", secrets), ("ecs-prepare-execution", [secrets[0], password])):
        may = {tuple(actions): resources for actions, resources in allowed(role)}
        assert may["secretsmanager:GetSecretValue",] == sorted(readable)
        assert may["kms:Decrypt",] == [team.inputs["mlflow_key_arn"]]
    tasks = deployed.of("task_definition").values()
    assert {task["family"]: task["executionRoleArn"].rpartition("/")[2] for task in tasks} == {
        NAME: f"{NAME}-ecs-execution",
        f"{NAME}-prepare-database": f"{NAME}-ecs-prepare-execution",
    }
    logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{NAME}-authorizer:*"
    assert allowed("authorizer") == [
        (["logs:CreateLogStream", "logs:PutLogEvents"], [logs]),
        (["secretsmanager:GetSecretValue"], [secrets[2]]),
        (["kms:Decrypt"], [team.inputs["mlflow_key_arn"]]),
    ]
    assert [role["attached"] for role in deployed.of("role").values()] == [[], [], [], []]


def test_the_api_lets_nobody_past_its_authorizer(team: Stack, deployed: Step) -> None:
    api = deployed.one("api")
    assert (api["ProtocolType"], api["DisableExecuteApiEndpoint"]) == ("HTTP", True)
    inside = {
        kind: [state for (k, i), state in deployed.account.items() if k == kind and i.startswith(api["ApiId"])]
        for kind in ("api_route", "api_integration", "api_authorizer", "api_stage")
    }
    (route,), (integration,), (authorizer,), (stage,) = inside.values()
    assert (route["RouteKey"], route["AuthorizationType"]) == ("$default", "CUSTOM")
    assert route["AuthorizerId"] == authorizer["AuthorizerId"]
    assert route["Target"] == f"integrations/{integration['IntegrationId']}"
    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    listener = next(state for state in deployed.of("listener").values() if state["Port"] == 8443)
    assert integration["IntegrationUri"] == listener["ListenerArn"]
    assert integration["ConnectionId"] == deployed.one("vpc_link")["VpcLinkId"]
    assert integration["TlsConfig"] == {"ServerNameToVerify": API_HOST}
    parameters = {"overwrite:header.Host": API_HOST, "overwrite:header.x-mlflow-identity": "$context.authorizer.identity"}
    assert integration["RequestParameters"] == parameters
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    assert stage["AccessLogSettings"]["DestinationArn"].endswith(f":log-group:/aws/vendedlogs/apigateway/{NAME}")
    assert "$context.authorizer.user" in stage["AccessLogSettings"]["Format"]
    assert "authorization" not in stage["AccessLogSettings"]["Format"].lower()
    settings = stage["DefaultRouteSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (100.0, 200)
    link = deployed.one("vpc_link")
    assert link["SecurityGroupIds"] == [deployed.group("vpc-link")]
    assert set(link["SubnetIds"]) == set(team.inputs["mlflow_service_subnet_ids"])

    function = deployed.one("function")
    assert function["Handler"] == "authorizer.handler" and function["Runtime"].startswith("python3.")
    (allowed,) = json.loads(function["policy"]["Policy"])["Statement"]
    assert allowed["Principal"] == {"Service": "apigateway.amazonaws.com"}
    assert f":{api['ApiId']}/authorizers/{authorizer['AuthorizerId']}" in json.dumps(allowed["Condition"])


def test_both_names_lead_to_their_doors(deployed: Step) -> None:
    people, programs = (deployed.account["record", f"{host}. A"]["AliasTarget"] for host in (HOST, API_HOST))
    balancer = deployed.one("load_balancer")
    assert (people["DNSName"], people["HostedZoneId"]) == (f"{balancer['DNSName']}.", balancer["CanonicalHostedZoneId"])
    (domain,) = deployed.account["api_domain_name", API_HOST]["DomainNameConfigurations"]
    assert programs["DNSName"] == f"{domain['ApiGatewayDomainName']}."
    assert programs["HostedZoneId"] == domain["HostedZoneId"]
    assert domain["SecurityPolicy"] == "TLS_1_2"
    (mapping,) = [state for (kind, _i), state in deployed.account.items() if kind == "api_mapping"]
    assert (mapping["ApiId"], mapping["Stage"]) == (deployed.one("api")["ApiId"], "$default")


def test_every_log_is_kept_for_as_long_as_asked(deployed: Step) -> None:
    groups = {i: state.get("retentionInDays") for (kind, i), state in deployed.account.items() if kind == "log_group"}
    assert groups == dict.fromkeys(
        (
            f"/ecs/{NAME}",
            f"/aws/lambda/{NAME}-authorizer",
            f"/aws/vendedlogs/apigateway/{NAME}",
            f"/aws/rds/cluster/{NAME}/error",
            f"/aws/rds/cluster/{NAME}/slowquery",
        ),
        90,
    )


UNTAGGABLE = {
    "record",
    "query_definition",
    "role_policy",
    "scaling_policy",
    "alarm",
    "api_route",
    "api_integration",
    "api_authorizer",
    "api_mapping",
    "network_interface",
}


def test_every_resource_that_can_carry_tags_carries_all(empty: Listing, deployed: Step) -> None:
    new = changed(empty, deployed.account)["added"]
    untagged = {key for key in new if key[0] not in UNTAGGABLE and not TAGS.items() <= deployed.account[key]["tags"].items()}
    assert untagged == set()
    assert len(new) > 50


def test_the_prerequisites_are_left_as_they_were(empty: Listing, deployed: Step) -> None:
    difference = changed(empty, deployed.account)
    assert (difference["removed"], difference["altered"]) == (set(), set())


def test_the_outputs_are_those_of_the_contract(team: Stack, deployed: Step) -> None:
    balancer, (domain,) = deployed.one("load_balancer"), deployed.one("api_domain_name")["DomainNameConfigurations"]
    assert team.outputs == {
        "artifact_bucket_id": BUCKET,
        "cluster_id": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{NAME}",
        "load_balancer_arn": balancer["LoadBalancerArn"],
        "load_balancer_dns_name": balancer["DNSName"],
        "load_balancer_target_group_id": deployed.one("target_group")["TargetGroupArn"],
        "load_balancer_zone_id": balancer["CanonicalHostedZoneId"],
        "service_autoscaling_target_max_capacity": 2,
        "service_autoscaling_target_min_capacity": 2,
        "service_autoscaling_target_resource_id": f"service/{NAME}/{NAME}",
        "service_autoscaling_target_scalable_dimension": "ecs:service:DesiredCount",
        "service_autoscaling_target_service_namespace": "ecs",
        "service_execution_role_id": f"{NAME}-ecs-execution",
        "service_task_role_id": f"{NAME}-ecs-task",
        "tracking_uri": f"https://{HOST}",
        "api_uri": f"https://{API_HOST}",
        "token_uri": "",
        "sign_out_uri": f"https://{HOST}/sign-out",
        "api_id": deployed.one("api")["ApiId"],
        "database_cluster_id": NAME,
        "database_endpoint": deployed.one("db_cluster")["Endpoint"],
        "jobs_service_name": "",
        "alarm_topic_arn": "",
        "dashboard_url": "",
        "account_dashboard_url": "",
        "log_group_name": f"/ecs/{NAME}",
        "api_load_balancer_arn": balancer["LoadBalancerArn"],
        "dns_records": [
            {
                "name": HOST,
                "type": "A",
                "zone_id": team.inputs["mlflow_zone_id"],
                "alias_dns_name": balancer["DNSName"],
                "alias_zone_id": balancer["CanonicalHostedZoneId"],
            },
            {
                "name": API_HOST,
                "type": "A",
                "zone_id": team.inputs["mlflow_api_zone_id"],
                "alias_dns_name": domain["ApiGatewayDomainName"],
                "alias_zone_id": domain["HostedZoneId"],
            },
        ],
    }
    for shown in (f"https://{HOST}", f"MLFLOW_TRACKING_URI=https://{API_HOST}", BUCKET):
        assert shown in deployed.run.text


def test_no_secret_is_in_any_output_file_log_or_definition(team: Stack, deployed: Step, again: Step) -> None:
    secrets = team.aws.client("secretsmanager")
    uri = json.loads(secrets.get_secret_value(SecretId=f"{NAME}-backend-store-uri")["SecretString"])["uri"]
    keys = json.loads(secrets.get_secret_value(SecretId=f"{NAME}-server-keys")["SecretString"])
    user = urllib.parse.urlsplit(uri).password
    assert user and user != urllib.parse.quote(PASSWORD, safe="")
    hidden = {PASSWORD, urllib.parse.quote(PASSWORD, safe=""), json.dumps(PASSWORD)[1:-1], user, *keys.values()}
    files = [file for file in team.folder.rglob("*") if file.is_file()]
    places = {
        "what AWS describes": json.dumps([*deployed.account.values()], default=str),
        "the task definitions": json.dumps([*deployed.of("task_definition").values()], default=str),
        "the run": deployed.run.text,
        "the second run": again.run.text,
        **{str(file): file.read_text(encoding="utf-8", errors="replace") for file in files},
    }
    assert [(place, secret) for place, text in places.items() for secret in hidden if secret in text] == []


# The second run, and verify


@pytest.mark.versions
def test_the_second_run_changes_nothing(again: Step, deployed: Step) -> None:
    assert again.run.status == 0, again.run.messages
    assert again.run.changed == 0 and again.run.changes == []
    assert again.run.mutating == []
    assert not [call for call in again.run.calls if call["service"] == "ssm"]
    assert again.account == deployed.account
    assert len(again.run.calls) <= 99
    assert len(again.run.results) <= 16 and not any(result.get("skipped") for result in again.run.results)  # each task costs a process


def test_verify_is_green_and_changes_nothing(verified: Step, deployed: Step) -> None:
    assert verified.run.status == 0, verified.run.messages
    assert verified.run.mutating == []
    assert verified.account == deployed.account
    checks = next(r["checks"] for r in verified.run.results if "checks" in r)
    assert {c["name"]: c["status"] for c in checks}.items() >= {
        "database": "ok",
        "load balancer": "ok",
        "service": "ok",
        "API": "ok",
        "VPC link": "ok",
        "inputs": "ok",
    }.items()


# The end


def test_the_plan_of_the_removal_lists_what_was_made_and_what_the_run_then_removes(team: Stack, planned_removal: Step, again: Step, destroyed: Step) -> None:
    assert (planned_removal.run.status, planned_removal.run.mutating) == (0, [])
    assert planned_removal.account == again.account
    removal = read_plan(team.folder / "removal.json")["changes"]
    assert deviations(removal, destroyed.run.changes) == []
    assert {change["action"] for change in removal} == {"delete"}
    assert _lasting(removal) == _lasting(read_plan(team.folder / "plan.json")["changes"])
    warned = {change["kind"] for change in removal if change["warnings"]}
    assert {"rds_cluster", "secretsmanager_secret", "logs_log_group", "ecs_service"} <= warned


@pytest.mark.parametrize("confirmed", ["", "mlflow-team-y"])
def test_destroy_asks_first(team: Stack, again: Step, confirmed: str) -> None:
    run = team.run("destroy", "-e", f"mlflow_confirm_destroy={confirmed}")
    assert run.status != 0
    assert f"-e mlflow_confirm_destroy={NAME}" in run.messages[-1]
    assert run.mutating == []


KEPT_SECRET = ("secret", f"{NAME}-server-keys")
"""It decrypts what the final snapshot holds, so AWS keeps it for the recovery window."""


@pytest.mark.versions
def test_destroy_leaves_the_prerequisites_and_the_snapshot(empty: Listing, destroyed: Step, team: Stack) -> None:
    difference = changed(empty, destroyed.account)
    assert (difference["removed"], difference["altered"]) == (set(), set())
    snapshots = {key for key in difference["added"] if key[0] == "db_cluster_snapshot"}
    assert difference["added"] - snapshots == {KEPT_SECRET}
    assert "DeletedDate" in destroyed.account[KEPT_SECRET]
    assert len(snapshots) == 1
    ((_kind, snapshot),) = snapshots
    assert snapshot in destroyed.run.text
    assert not (team.folder / f"{NAME}.outputs.json").exists()


@pytest.mark.versions
def test_nothing_that_a_stack_does_is_deprecated(planned: Step, deployed: Step, again: Step, destroyed: Step) -> None:
    """What a library deprecates while it is imported is told by Ansible itself, in no result."""
    results = [result for step in (planned, deployed, again, destroyed) for result in step.run.results]
    assert [result["deprecations"] for result in results if result.get("deprecations")] == []


def _log_as_before(team: Stack) -> None:
    """Let the API write its access log where an older collection had it, and nothing where it is now."""
    logs, gateway, before = team.aws.client("logs"), team.aws.client("apigatewayv2"), f"/aws/apigateway/{NAME}"
    logs.create_log_group(logGroupName=before, tags=TAGS)
    logs.create_log_stream(logGroupName=before, logStreamName="x")
    event = {"timestamp": int(time.time() * 1000), "message": "a line of before"}
    logs.put_log_events(logGroupName=before, logStreamName="x", logEvents=[event])
    (stage,) = gateway.get_stages(ApiId=team.outputs["api_id"])["Items"]
    settings = {**stage["AccessLogSettings"], "DestinationArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{before}"}
    gateway.update_stage(ApiId=team.outputs["api_id"], StageName="$default", AccessLogSettings=settings)
    logs.delete_log_group(logGroupName=f"/aws/vendedlogs/apigateway/{NAME}")


def test_what_comes_after_destroy(empty: Listing, destroyed: Step, team: Stack) -> None:
    """A second destroy; site again; destroy with artifacts in the bucket; site and destroy again."""
    second = team.destroy()
    assert (second.changes, second.mutating, second.changed) == ([], [], 0)

    reborn = team.apply()
    assert ("create", "rds_cluster", NAME) in lines(reborn.changes)
    s3 = team.aws.client("s3")
    s3.put_object(Bucket=BUCKET, Key="1/model.pkl", Body=b"weights")

    _log_as_before(team)
    moved = team.apply()
    assert moved.changing == ["logs:CreateLogGroup", "logs:PutRetentionPolicy", "apigatewayv2:UpdateStage"]
    assert [line for line in lines(moved.changes) if line[0] != "create"] == [("update", "apigatewayv2_stage", f"{NAME}/$default")]
    (event,) = team.aws.client("logs").filter_log_events(logGroupName=f"/aws/apigateway/{NAME}")["events"]
    assert event["message"] == "a line of before"

    kept = team.destroy()
    assert f"The bucket {BUCKET} holds objects and is kept" in kept.text
    assert s3.get_object(Bucket=BUCKET, Key="1/model.pkl")["Body"].read() == b"weights"
    left = changed(empty, listing(team.aws))["added"]
    snapshots = {key for key in left if key[0] == "db_cluster_snapshot"}
    assert left - snapshots == {KEPT_SECRET, ("bucket", BUCKET)}
    assert len(snapshots) == 2

    taken_up = team.apply()
    assert "s3_bucket" not in {change["kind"] for change in taken_up.changes}
    assert s3.get_object(Bucket=BUCKET, Key="1/model.pkl")["Body"].read() == b"weights"

    emptied = team.destroy(mlflow_artifact_bucket_force_destroy=True, mlflow_database_skip_final_snapshot=True)
    assert ("delete", "s3_bucket", BUCKET) in lines(emptied.changes)
    assert changed(empty, listing(team.aws))["added"] == snapshots | {KEPT_SECRET}  # which those need

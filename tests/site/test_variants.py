# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other choices than the defaults. Choices that do not meet share one stack; what matters is what AWS then has."""

from __future__ import annotations

import base64
import json
import typing as t
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

import pytest
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from runtime.doors.authorizers import Verdict
from runtime.doors.doors import Doors
from runtime.doors.request import Answer, Forward, Request, Source
from runtime.doors.signatures import signer
from support.account import Listing, listing, pages
from support.cloudformation import findings
from support.permissions import statements, strings
from support.plans import deviations
from support.stack import Inputs, Run, Stack, certificate, prerequisites, public_subnets, zone

NAME = "mlflow-team-x"
SERVICE = f"service/{NAME}/{NAME}"
DIMENSION = {"ServiceNamespace": "ecs", "ResourceId": SERVICE, "ScalableDimension": "ecs:service:DesiredCount"}
NOTHING = {"min_capacity": 0, "max_capacity": 0}
MADRID = "Europe/Madrid"
OIDC_SECRET = "oidc-client-secret-of-the-test"
CERTIFICATES = "/etc/ssl/rds-global-bundle.pem"
SIDECAR = {
    "name": "proxy",
    "image": "public.ecr.aws/example/proxy:1",
    "essential": False,
    "environment": [{"name": "UPSTREAM", "value": "127.0.0.1:5000"}],
    "portMappings": [{"containerPort": 9090, "protocol": "tcp"}],
}


class Variant(t.NamedTuple):
    stack: Stack
    run: Run
    again: Run
    account: Listing

    def one(self, kind: str) -> dict[str, t.Any]:
        (state,) = [state for (k, _i), state in self.account.items() if k == kind]
        return state

    @property
    def containers(self) -> dict[str, dict[str, t.Any]]:
        (task,) = [s for (k, _i), s in self.account.items() if k == "task_definition" and s["family"] == NAME]
        return {container["name"]: container for container in task["containerDefinitions"]}

    @property
    def environment(self) -> dict[str, str]:
        return {entry["name"]: entry["value"] for entry in self.containers["mlflow"]["environment"]}

    @property
    def task_policy(self) -> list[dict[str, t.Any]]:
        return statements(self.account["role_policy", f"{NAME}-ecs-task/{NAME}-ecs-task"]["PolicyDocument"])


def _deploy(stack: Stack, **inputs: t.Any) -> Variant:
    return Variant(stack, stack.apply(**inputs), stack.run("site"), listing(stack.aws))


def _assert_settled(variant: Variant) -> None:
    assert variant.again.status == 0, variant.again.messages
    assert (variant.again.changes, variant.again.mutating, variant.again.changed) == ([], [], 0)


# PostgreSQL, always on, with a reader; OIDC; a jwt authorizer; a KMS-encrypted bucket and direct artifacts; a sidecar


@pytest.fixture(scope="module")
def postgres(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Variant:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    key = aws_server.client("kms").create_key(Description="artifacts")["KeyMetadata"]["Arn"]
    secret = aws_server.client("secretsmanager").create_secret(Name="oidc", SecretString=OIDC_SECRET)["ARN"]
    return _deploy(
        stack,
        mlflow_database_engine="aurora-postgresql",
        mlflow_database_auto_pause=False,
        mlflow_database_min_capacity=0.5,
        mlflow_database_max_capacity=4,
        mlflow_database_reader_count=1,
        mlflow_database_ca_file=CERTIFICATES,
        mlflow_load_balancer_sign_in="oidc",
        mlflow_load_balancer_oidc_issuer="https://idp.example.com",
        mlflow_load_balancer_oidc_authorization_endpoint="https://idp.example.com/authorize",
        mlflow_load_balancer_oidc_token_endpoint="https://idp.example.com/token",
        mlflow_load_balancer_oidc_user_info_endpoint="https://idp.example.com/user",
        mlflow_load_balancer_oidc_client_id="mlflow",
        mlflow_load_balancer_oidc_client_secret_arn=secret,
        mlflow_api_authorizer="jwt",
        mlflow_artifact_bucket_encryption_algorithm="aws:kms",
        mlflow_artifact_bucket_encryption_key_arn=key,
        mlflow_artifact_bucket_path="/mlflow/artifacts",
        mlflow_artifact_access="direct",
        mlflow_service_sidecar_container_definitions=[SIDECAR],
        mlflow_service_cpu_architecture="ARM64",
        mlflow_load_balancer_is_internal=False,
        mlflow_load_balancer_subnet_ids=public_subnets(aws_server, stack.inputs["mlflow_vpc_id"]),
    )


def test_the_other_choices_settle_too(postgres: Variant) -> None:
    _assert_settled(postgres)


def test_every_property_is_one_that_cloudformation_would_take(postgres: Variant) -> None:
    assert findings(postgres.account) == []


def test_postgresql_has_its_own_port_parameters_logs_and_uri(postgres: Variant) -> None:
    cluster = postgres.one("db_cluster")
    assert (cluster["Engine"], cluster["Port"], cluster["StorageEncrypted"]) == ("aurora-postgresql", 5432, True)
    assert cluster["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert postgres.one("db_cluster_parameter_group")["parameters"]["rds.force_ssl"] == "1"
    groups = {i for (kind, i) in postgres.account if kind == "log_group" and i.startswith("/aws/rds/")}
    assert groups == {f"/aws/rds/cluster/{NAME}/postgresql"}
    names = {i: s["GroupName"] for (k, i), s in postgres.account.items() if k == "security_group"}
    ports = {r["FromPort"] for (k, _i), r in postgres.account.items() if k == "security_group_rule" and names[r["GroupId"]] == f"{NAME}-database"}
    assert ports == {5432}


def test_the_database_is_verified_by_the_certificates_in_the_image(postgres: Variant, aws_server: EmbeddedAWS) -> None:
    assert f"sslmode=verify-full&sslrootcert={quote(CERTIFICATES, safe='')}" in _backend_store(aws_server)


def _backend_store(aws: EmbeddedAWS) -> str:
    return aws.client("secretsmanager").get_secret_value(SecretId=f"{NAME}-backend-store-uri")["SecretString"]


def test_a_database_that_does_not_pause_has_its_capacity_and_a_reader_in_another_zone(postgres: Variant) -> None:
    scaling = postgres.one("db_cluster")["ServerlessV2ScalingConfiguration"]
    assert (scaling["MinCapacity"], scaling["MaxCapacity"]) == (0.5, 4.0)
    assert "MLFLOW_SQLALCHEMYSTORE_POOLCLASS" not in postgres.environment
    members = {m["DBInstanceIdentifier"]: m["IsClusterWriter"] for m in postgres.one("db_cluster")["DBClusterMembers"]}
    assert members == {f"{NAME}-1": True, f"{NAME}-2": False}
    classes = {s["DBInstanceClass"] for (kind, _i), s in postgres.account.items() if kind == "db_instance"}
    assert classes == {"db.serverless"}
    store = postgres.account["secret", f"{NAME}-backend-store-uri"]["ARN"]
    value_from = {s["name"]: s["valueFrom"] for s in postgres.containers["mlflow"]["secrets"]}
    assert value_from["MLFLOW_BACKEND_STORE_URI"].startswith(f"{store}:uri::")
    assert "MLFLOW_READ_REPLICA_BACKEND_STORE_URI" not in value_from  # it is there for a failover


def test_no_server_runs_jobs_where_they_are_off(postgres: Variant) -> None:
    assert postgres.environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_people_sign_in_at_the_oidc_provider(postgres: Variant) -> None:
    rules = [state for (kind, _i), state in postgres.account.items() if kind == "listener_rule"]
    actions = next(rule["Actions"] for rule in rules if rule["port"] == 443)
    assert [action["Type"] for action in actions] == ["authenticate-oidc", "forward"]
    config = actions[0]["AuthenticateOidcConfig"]
    assert (config["Issuer"], config["ClientId"], config["Scope"]) == ("https://idp.example.com", "mlflow", "openid")
    assert config["TokenEndpoint"] == "https://idp.example.com/token"
    account = json.dumps([*postgres.account.values()], default=str)
    assert OIDC_SECRET not in postgres.run.text + postgres.again.text + account


def test_a_jwt_authorizer_needs_no_function(postgres: Variant) -> None:
    authorizer, route = postgres.one("api_authorizer"), postgres.one("api_route")
    pool = next(i for (kind, i) in postgres.account if kind == "user_pool")
    client = next(i for (kind, i) in postgres.account if kind == "user_pool_client")
    assert authorizer["AuthorizerType"] == "JWT"
    assert authorizer["JwtConfiguration"] == {"Audience": [client], "Issuer": f"https://cognito-idp.{REGION}.amazonaws.com/{pool}"}
    assert (route["AuthorizationType"], route["AuthorizerId"]) == ("JWT", authorizer["AuthorizerId"])
    assert not any("authorizer" in i for (kind, i) in postgres.account if kind in ("function", "role", "log_group"))


def test_clients_go_to_an_encrypted_bucket_themselves(postgres: Variant) -> None:
    bucket = postgres.one("bucket")
    (rule,) = bucket["encryption"]["ServerSideEncryptionConfiguration"]["Rules"]
    encryption = rule["ApplyServerSideEncryptionByDefault"]
    assert encryption["SSEAlgorithm"] == "aws:kms" and rule["BucketKeyEnabled"]
    keys = [s["Resource"] for s in postgres.task_policy if "kms:Decrypt" in s["Action"]]
    assert keys == [[encryption["KMSMasterKeyID"]]]
    root = f"s3://{NAME}-{ACCOUNT}-{REGION}/mlflow/artifacts"
    assert postgres.environment["MLFLOW_DEFAULT_ARTIFACT_ROOT"] == root
    assert postgres.environment["MLFLOW_SERVE_ARTIFACTS"] == "false"
    assert "MLFLOW_ARTIFACTS_DESTINATION" not in postgres.environment


def test_a_sidecar_runs_beside_mlflow_as_it_was_given(postgres: Variant) -> None:
    assert set(postgres.containers) == {"tmp-permissions", "mlflow", "proxy"}
    proxy = postgres.containers["proxy"]
    assert (proxy["image"], proxy["essential"], proxy["environment"]) == (SIDECAR["image"], False, SIDECAR["environment"])
    (port,) = proxy["portMappings"]
    assert port["containerPort"] == 9090
    task = next(s for (k, _i), s in postgres.account.items() if k == "task_definition" and s["family"] == NAME)
    assert task["runtimePlatform"]["cpuArchitecture"] == "ARM64"


def test_programs_have_an_internal_load_balancer_beside_an_internet_facing_one(postgres: Variant, aws_server: EmbeddedAWS) -> None:
    """API Gateway's VPC link reaches private addresses only."""
    found = {kind: [s for (k, _i), s in postgres.account.items() if k == kind] for kind in ("load_balancer", "listener", "security_group_rule")}
    balancers = {balancer["LoadBalancerName"]: balancer for balancer in found["load_balancer"]}
    assert {name: b["Scheme"] for name, b in balancers.items()} == {NAME: "internet-facing", f"{NAME}-api": "internal"}
    names = {b["LoadBalancerArn"]: name for name, b in balancers.items()}
    assert {(names[s["LoadBalancerArn"]], s["Port"]) for s in found["listener"]} == {(NAME, 80), (NAME, 443), (f"{NAME}-api", 8443)}
    groups = {i: s["GroupName"].removeprefix(f"{NAME}-") for (k, i), s in postgres.account.items() if k == "security_group"}
    assert [groups[i] for name in (NAME, f"{NAME}-api") for i in balancers[name]["SecurityGroups"]] == ["load-balancer", "load-balancer-api"]
    rules = {
        (groups[r["GroupId"]], r["IsEgress"], r["FromPort"], groups.get(r.get("ReferencedGroupInfo", {}).get("GroupId"))) for r in found["security_group_rule"]
    }
    assert {rule for rule in rules if rule[2] == 8443} == {("vpc-link", True, 8443, "load-balancer-api"), ("load-balancer-api", False, 8443, "vpc-link")}
    assert {rule[3] for rule in rules if rule[:3] == ("service", False, 5000)} == {"load-balancer", "load-balancer-api"}
    assert len(postgres.one("ecs_service")["loadBalancers"]) == 2

    doors, host = Doors(aws_server), f"mlflow.{postgres.stack.inputs['mlflow_api_zone_name']}"
    request = Request(Source("203.0.113.5"), f"https://{host}/api/2.0/mlflow/runs/search", {"host": host})
    integration = postgres.one("api_integration")
    assert isinstance(doors.gateway.integrate(integration, request, Verdict(None)), Forward)
    to_people = next(s["ListenerArn"] for s in found["listener"] if s["Port"] == 443)
    unreached = doors.gateway.integrate({**integration, "IntegrationUri": to_people}, request, Verdict(None))
    assert isinstance(unreached, Answer) and unreached.status == 503


def test_people_keep_their_way_in_while_programs_get_a_load_balancer(postgres: Variant) -> None:
    """First it is made a stack of before, when one load balancer was for both; then `site` brings it up to date; then all of it goes."""
    stack = postgres.stack
    before = stack.run("site", "-e", json.dumps(dict.fromkeys(("__alb_has_api_load_balancer", "__network_has_api_load_balancer"), False)))
    assert before.status == 0, before.messages
    elb = stack.aws.client("elbv2")

    def people() -> tuple[t.Any, ...]:
        """All of their load balancer but the listener that was for programs."""
        (balancer,) = elb.describe_load_balancers(Names=[NAME])["LoadBalancers"]
        listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        kept = [listener for listener in listeners if listener["Port"] != 8443]
        return balancer, kept, [elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"] for listener in kept]

    assert [b["LoadBalancerName"] for b in elb.describe_load_balancers()["LoadBalancers"]] == [NAME]
    there = people()
    planned, run = stack.plan_and_apply()
    assert deviations(planned, run.changes) == []
    assert people() == there
    assert not [c for c in run.changes if c["kind"] in ("elbv2_load_balancer", "route53_record") and c["name"] == NAME]
    order = [call["operation"] for call in run.calls if call["mutating"] and call["service"] in ("elbv2", "ecs", "apigatewayv2")]
    steps = [order.index(step) for step in ("CreateLoadBalancer", "CreateRule", "UpdateService", "UpdateIntegration")]
    assert steps == sorted(steps) and "DeleteLoadBalancer" not in order
    assert stack.run("site").mutating == []
    health = stack.run("verify").text
    assert f"load balancer {NAME}-api" in health and f"targets {NAME}-api" in health

    elb.modify_load_balancer_attributes(
        LoadBalancerArn=stack.outputs["api_load_balancer_arn"], Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}]
    )
    stack.destroy()
    assert elb.describe_load_balancers()["LoadBalancers"] == elb.describe_target_groups()["TargetGroups"] == []


# An existing bucket

EXISTING = "the-team-s-own-bucket"


def _under_other_keys(stack: Stack) -> tuple[str, str, Inputs]:
    """A key beside mlflow_key_arn and what is under it, one more for the registry's credentials, and a parameter under mlflow_key_arn; the
    inputs that name that.
    """
    secrets, ssm, s3 = (stack.aws.client(service) for service in ("secretsmanager", "ssm", "s3"))
    key, of_registry = (stack.aws.client("kms").create_key()["KeyMetadata"]["Arn"] for _key in range(2))
    team = stack.inputs["mlflow_key_arn"]
    registry = secrets.create_secret(Name="registry", SecretString='{"username": "ci", "password": "t"}', KmsKeyId=of_registry)["ARN"]
    secrets.update_secret(SecretId=stack.inputs["mlflow_database_password_secret_arn"], KmsKeyId=key)
    users, token = (
        secrets.create_secret(Name=name, SecretString=value, KmsKeyId=key)["ARN"]
        for name, value in (("users", json.dumps({"ci": "c" * 32})), ("token", '{"token": "t"}'))
    )
    for name, by in (("/team/x/openai", team), ("/team/x/other", key)):
        ssm.put_parameter(Name=name, Value="s", Type="SecureString", KeyId=by)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    for bucket in (EXISTING, "their-data"):
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    parameters = [f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/team/x/{name}" for name in ("openai", "other")]
    sidecar = {"name": "agent", "image": "agent:1", "essential": False, "secrets": [{"name": "P", "valueFrom": parameters[1]}]}
    return (
        key,
        of_registry,
        {
            "mlflow_service_image_credentials_secret_arn": registry,
            "mlflow_api_credentials_secret_arn": users,
            "mlflow_service_secrets": {"TOKEN": f"{token}:token::", "OPENAI_API_KEY": parameters[0]},
            "mlflow_service_sidecar_container_definitions": [sidecar],
        },
    )


def _decrypts(variant: Variant, role: str) -> set[tuple[str, str, str]]:
    """What a role may do with which keys, through which service."""
    policies = [s["PolicyDocument"] for (k, i), s in variant.account.items() if k == "role_policy" and i.startswith(f"{NAME}-{role}/")]
    return {
        (action, key, via)
        for policy in policies
        for statement in statements(policy)
        for action in statement["Action"]
        for key in statement["Resource"]
        if action.startswith("kms:")
        for via in strings(statement["Condition"]["StringEquals"]["kms:ViaService"])
    }


def test_an_existing_bucket_is_used_and_never_changed_and_mysql_is_verified_too(stack: Stack) -> None:
    """Its key, and the keys of the secrets and parameters, are others than mlflow_key_arn: each role may use just those that it needs."""
    s3 = stack.aws.client("s3")
    s3.create_bucket(Bucket=EXISTING, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=EXISTING, Key="theirs.txt", Body=b"theirs")
    s3.create_bucket(Bucket="their-data", CreateBucketConfiguration={"LocationConstraint": REGION})
    key, of_registry, inputs = _under_other_keys(stack)
    before = listing(stack.aws)["bucket", EXISTING]
    variant = _deploy(
        stack,
        **inputs,
        mlflow_artifact_bucket_id=EXISTING,
        mlflow_artifact_bucket_path="/team-x/mlflow",
        mlflow_database_ca_file=CERTIFICATES,
        mlflow_artifact_buckets_mlflow_will_read=["their-data", "arn:aws:s3:::shared-*/public/*"],
    )
    _assert_settled(variant)
    assert f"ssl_ca={quote(CERTIFICATES, safe='')}" in _backend_store(stack.aws)
    assert {i for (kind, i) in variant.account if kind == "bucket"} == {EXISTING, "their-data"}
    assert stack.outputs["artifact_bucket_id"] == EXISTING
    assert variant.environment["MLFLOW_ARTIFACTS_DESTINATION"] == f"s3://{EXISTING}/team-x/mlflow"
    arn = f"arn:aws:s3:::{EXISTING}"
    granted = {(a, resource) for s in variant.task_policy for a in s["Action"] for resource in s["Resource"] if a.startswith("s3:")}
    objects = ("AbortMultipartUpload", "DeleteObject", "GetObject", "ListMultipartUploadParts", "PutObject")
    assert granted == {
        ("s3:ListBucket", arn),
        ("s3:ListBucketMultipartUploads", arn),
        *((f"s3:{action}", f"{arn}/team-x/mlflow/*") for action in objects),
        ("s3:ListBucket", "arn:aws:s3:::their-data"),
        ("s3:ListBucket", "arn:aws:s3:::shared-*"),
        ("s3:GetObject", "arn:aws:s3:::their-data/*"),
        ("s3:GetObject", "arn:aws:s3:::shared-*/public/*"),
    }
    team, (manager, store, s3_here) = stack.inputs["mlflow_key_arn"], (f"{s}.{REGION}.amazonaws.com" for s in ("secretsmanager", "ssm", "s3"))
    assert _decrypts(variant, "ecs-execution") == {("kms:Decrypt", k, via) for k in (team, key) for via in (manager, store)} | {
        ("kms:Decrypt", of_registry, manager)
    }
    assert _decrypts(variant, "ecs-prepare-execution") == {("kms:Decrypt", k, manager) for k in (team, key, of_registry)}
    credentials = {"credentialsParameter": inputs["mlflow_service_image_credentials_secret_arn"]}
    definitions = [state for (kind, _i), state in variant.account.items() if kind == "task_definition"]
    ours = [container for task in definitions for container in task["containerDefinitions"] if container["name"] != "agent"]
    assert [container["repositoryCredentials"] for container in ours] == [credentials] * 4
    assert _decrypts(variant, "authorizer") == {("kms:Decrypt", k, manager) for k in (team, key)}
    assert _decrypts(variant, "ecs-task") == {(action, key, s3_here) for action in ("kms:Decrypt", "kms:GenerateDataKey")}

    gone = stack.destroy(mlflow_artifact_bucket_force_destroy=True)  # which is about the stack's own bucket
    assert "s3_bucket" not in {change["kind"] for change in gone.changes}
    assert listing(stack.aws)["bucket", EXISTING] == before
    touched = [c for c in [*variant.run.calls, *gone.calls] if c["service"] == "s3" and c["mutating"]]
    assert touched == []


# A live stack that changes its authorizer, and one whose capacity changes by itself


def test_the_route_has_an_authorizer_at_every_moment_of_a_change(team: Stack) -> None:
    programs = {"ci": "a-password-of-a-program"}
    secret = team.aws.client("secretsmanager").create_secret(Name="programs", SecretString=json.dumps(programs))["ARN"]
    team.apply(mlflow_api_credentials_secret_arn=secret)
    gateway = team.aws.client("apigatewayv2")
    api = team.outputs["api_id"]
    pool = team.inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    tokens = _tokens(team.aws, pool, team.inputs["mlflow_aws_cognito_user_pool_client_id"])
    identity = {"authorization": f"Bearer {tokens['IdToken']}"}
    access = {"authorization": f"Bearer {tokens['AccessToken']}"}
    basic = {"authorization": "Basic " + base64.b64encode(b"ci:a-password-of-a-program").decode()}
    assert [(line["user"], line["authMethod"]) for line in _access_log(team, access, identity, basic)] == [
        ("ada", "bearer"),
        ("ada", "bearer"),
        ("ci", "basic"),
    ]

    # Secrets Manager does not give the secret: nobody is refused for that, and API Gateway keeps nothing of it.
    secrets, doors = team.aws.client("secretsmanager"), Doors(team.aws)
    secrets.delete_secret(SecretId=secret)
    assert [doors.decide(_call(team, headers)).label for headers in (basic, access)] == ["500", "MLflow"]
    secrets.restore_secret(SecretId=secret)
    assert doors.decide(_call(team, basic)).label == "MLflow"

    for kind, inputs in (
        ("JWT", {"mlflow_api_authorizer": "jwt", "mlflow_api_credentials_secret_arn": None}),
        ("REQUEST", {"mlflow_api_authorizer": "lambda", "mlflow_api_credentials_secret_arn": secret}),
    ):
        team.inputs = {k: v for k, v in team.inputs.items() if k not in inputs}
        run = team.apply(**inputs)
        (authorizer,) = gateway.get_authorizers(ApiId=api)["Items"]
        (route,) = gateway.get_routes(ApiId=api)["Items"]
        assert authorizer["AuthorizerType"] == kind
        assert route["AuthorizerId"] == authorizer["AuthorizerId"]
        order = [c["operation"] for c in run.calls if c["service"] == "apigatewayv2" and c["mutating"]]
        assert order.count("UpdateIntegration") == 1  # in what MLflow is told of who calls
        assert [call for call in order if call not in ("UpdateStage", "UpdateIntegration")] == ["CreateAuthorizer", "UpdateRoute", "DeleteAuthorizer"]
        (update,) = [c for c in run.calls if c["operation"] == "UpdateRoute"]
        assert _value(update["params"], "authorizerId") == authorizer["AuthorizerId"]
        if kind == "JWT":
            (sub,) = {line["sub"] for line in _access_log(team, access, identity)}
            assert sub not in ("-", "ada")
            client = team.inputs["mlflow_aws_cognito_user_pool_client_id"]
            assert [[line[name] for name in ("user", "idTokenUser", "clientId", "audience")] for line in _access_log(team, access, identity)] == [
                ["ada", "-", client, "-"],
                ["-", "ada", "-", client],
            ]
            limited = team.apply(mlflow_api_scopes=["mlflow/write", "aws.cognito.signin.user.admin"])
            changes = [c["operation"] for c in limited.calls if c["mutating"] and c["service"] != "ssm"]
            assert changes == ["RegisterTaskDefinition", "UpdateService", "UpdateRoute"]  # the servers look at them, too
        doors = Doors(team.aws)
        ends = {"JWT": ["MLflow", "403", "401"], "REQUEST": ["MLflow", "403", "MLflow"]}[kind]
        assert [doors.decide(_call(team, headers)).label for headers in (access, identity, basic)] == ends
        assert team.run("site").mutating == []
    functions = [f["FunctionName"] for f in team.aws.client("lambda").list_functions()["Functions"]]
    assert functions == [f"{NAME}-authorizer"]


def _tokens(aws: EmbeddedAWS, pool: str, client_id: str) -> dict[str, str]:
    """Of a user of the pool, by an app client with a secret."""
    cognito = aws.client("cognito-idp")
    cognito.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username="ada", Password="Lovelace-1843", Permanent=True)
    return cognito.admin_initiate_auth(
        UserPoolId=pool, ClientId=client_id, AuthFlow="ADMIN_NO_SRP_AUTH", AuthParameters={"USERNAME": "ada", "PASSWORD": "Lovelace-1843"}
    )["AuthenticationResult"]


def _call(team: Stack, headers: dict[str, str]) -> Request:
    return Request(Source("203.0.113.5"), f"{team.outputs['api_uri']}/version", headers)


def _access_log(team: Stack, *headers: dict[str, str]) -> list[dict[str, str]]:
    """What the API's access log says of these requests."""
    doors = Doors(team.aws)
    for each in headers:
        doors.decide(_call(team, each))
    (group,) = team.aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/vendedlogs/apigateway/")["logGroups"]
    assert list(doors.gateway.access_logs) == [group["logGroupName"]] == [f"/aws/vendedlogs/apigateway/{NAME}"]
    lines = doors.gateway.access_logs[group["logGroupName"]]
    assert not any(each["authorization"] in line for each in headers for line in lines)
    return [json.loads(line) for line in lines]


def _value(params: t.Any, key: str) -> t.Any:
    """The value of a key wherever it stands in the parameters of a call."""
    if isinstance(params, dict):
        found = [v for k, v in params.items() if k.lower() == key.lower()] or [_value(v, key) for v in params.values()]
        return next((v for v in found if v is not None), None)
    return None


def test_what_autoscaling_and_schedules_set_is_no_drift(team: Stack) -> None:
    scaling, ecs = team.aws.client("application-autoscaling"), team.aws.client("ecs")
    team.apply(
        mlflow_service_max_capacity=6,
        mlflow_service_scheduled_actions=[
            {"name": "night", "schedule": "cron(0 20 * * ? *)", "timezone": MADRID, **NOTHING},
            {"name": "morning", "schedule": "cron(0 7 ? * MON-FRI *)", "min_capacity": 2, "max_capacity": 6},
        ],
    )
    found = pages(scaling, "describe_scheduled_actions", "ScheduledActions", ServiceNamespace="ecs")
    actions = {action["ScheduledActionName"]: action for action in found}
    assert set(actions) == {f"{NAME}-night", f"{NAME}-morning"}
    assert actions[f"{NAME}-night"]["Timezone"] == MADRID
    assert findings(listing(team.aws)) == []
    assert actions[f"{NAME}-night"]["ScalableTargetAction"] == {"MinCapacity": 0, "MaxCapacity": 0}

    # The schedule "night" comes, and autoscaling stops all tasks.
    scaling.register_scalable_target(**DIMENSION, MinCapacity=0, MaxCapacity=0)
    ecs.update_service(cluster=NAME, service=NAME, desiredCount=0)
    night = team.run("site")
    assert (night.status, night.changes, night.mutating) == (0, [], [])

    # In the morning there is much to do. Even a run that changes the service leaves the number of tasks alone.
    scaling.register_scalable_target(**DIMENSION, MinCapacity=2, MaxCapacity=6)
    ecs.update_service(cluster=NAME, service=NAME, desiredCount=5)
    run = team.apply(mlflow_service_workers=2)
    assert {change["kind"] for change in run.changes} == {"ecs_task_definition", "ecs_service"}
    assert ecs.describe_services(cluster=NAME, services=[NAME])["services"][0]["desiredCount"] == 5
    assert team.run("site").mutating == []

    # Bounds that no schedule of the stack sets were set by hand.
    scaling.register_scalable_target(**DIMENSION, MinCapacity=1, MaxCapacity=9)
    back = team.apply()
    assert [(c["action"], c["kind"]) for c in back.changes] == [("update", "application_autoscaling_target")]


def test_nothing_is_left_of_the_names_and_zones_of_before(team: Stack) -> None:
    """The stack of the tests above, given other names: of people a host in a second zone of the same name, of programs all."""
    before, people, programs = dict(team.inputs), team.inputs["mlflow_zone_name"], "api.example.net"
    zones = {"people": zone(team.aws, people, "another"), "programs": zone(team.aws, programs)}
    callback = {"CallbackURLs": [f"https://{host}.{people}/oauth2/idpresponse" for host in ("mlflow", "lab")]}
    sign_in = {
        "UserPoolId": before["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2],
        "ClientId": before["mlflow_aws_cognito_user_pool_client_id"],
        "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": ["openid"],
        "AllowedOAuthFlowsUserPoolClient": True,
    }
    team.aws.client("cognito-idp").update_user_pool_client(**sign_in, **callback)

    def names() -> dict[str, set[str]]:
        """Whatever has an A record or says whose one is, by zone."""
        route53 = team.aws.client("route53")
        ids = {**zones, "old": before["mlflow_zone_id"], "old api": before["mlflow_api_zone_id"]}
        found = {of: pages(route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=i) for of, i in ids.items()}
        return {of: {r["Name"] for r in records if r["Type"] in ("A", "TXT")} for of, records in found.items()}

    def both(host: str) -> set[str]:
        return {f"{host}.", f"_mlflow-stack-a.{host}."}

    assert names() == {"people": set(), "programs": set(), "old": both(f"mlflow.{people}"), "old api": both(f"mlflow.api.{people}")}
    moved = {
        "mlflow_record_name": "lab",
        "mlflow_zone_id": zones["people"],
        "mlflow_certificate_arn": certificate(team.aws, f"lab.{people}", zones["people"]),
        "mlflow_api_zone_id": zones["programs"],
        "mlflow_api_zone_name": programs,
        "mlflow_api_cert_arn": certificate(team.aws, f"lab.{programs}", zones["programs"]),
    }
    plan = team.run("plan", **moved)
    run = team.apply(**moved)
    records = [(c["action"], c["name"]) for c in run.changes if c["kind"] == "route53_record"]
    assert records == [("create", f"lab.{people}"), ("delete", f"mlflow.{people}"), ("create", f"lab.{programs}"), ("delete", f"mlflow.api.{people}")]
    assert records == [(c["action"], c["name"]) for c in plan.changes if c["kind"] == "route53_record"]
    assert names() == {"people": both(f"lab.{people}"), "programs": both(f"lab.{programs}"), "old": set(), "old api": set()}
    domains = team.aws.client("apigatewayv2").get_domain_names()["Items"]
    assert [domain["DomainName"] for domain in domains] == [f"lab.{programs}"]
    again = team.run("site")
    assert (again.status, again.changes, again.mutating) == (0, [], [])

    team.destroy(**before)  # by a team file that says what it said once
    assert set().union(*names().values()) == set()
    assert team.aws.client("apigatewayv2").get_domain_names()["Items"] == []


def test_programs_with_tokens_come_by_the_load_balancer(aws_server: EmbeddedAWS, tmp_path: Path) -> None:
    """On a host name of their own, which other stacks do not have, and which goes with the stack, whatever the team file says then."""
    aws_server.reset()
    team = Stack(aws_server, tmp_path, prerequisites(aws_server))
    zone, zone_id = team.inputs["mlflow_api_zone_name"], team.inputs["mlflow_api_zone_id"]
    host, pool = f"mlflow-token.{zone}", team.inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    tokens = {"mlflow_load_balancer_token_access": True, "mlflow_load_balancer_token_record_name": "mlflow-token"}
    refused = team.run("site", **tokens)
    assert refused.status != 0 and refused.mutating == []
    assert f"not {host}: request one for mlflow.{zone} and {host}" in refused.messages[0]

    covered = certificate(aws_server, f"mlflow.{zone}", zone_id, host)
    planned, run = team.plan_and_apply(**tokens, mlflow_api_cert_arn=covered)
    assert deviations(planned, run.changes) == []
    assert team.outputs["token_uri"] == f"https://{host}"
    assert [record["name"] for record in team.outputs["dns_records"]] == [f"mlflow.{team.inputs['mlflow_zone_name']}", host, f"mlflow.{zone}"]
    assert f"or https://{host}\n" in run.text
    again = team.run("site")
    assert (again.status, again.changes, again.mutating) == (0, [], [])
    assert findings(listing(aws_server)) == []

    given = _tokens(aws_server, pool, team.inputs["mlflow_aws_cognito_user_pool_client_id"])

    def ends(token: str | None, path: str = "/api/2.0/mlflow/runs/search", address: str = "192.0.2.10") -> str:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return Doors(aws_server).decide(Request(Source(address), f"https://{host}{path}", headers)).label

    assert [ends(given["AccessToken"]), ends(given["IdToken"]), ends(None), ends(given["AccessToken"], "/")] == ["MLflow", "401", "401", "403"]
    assert ends(given["AccessToken"], address="203.0.113.5") == "no route"
    team.apply(mlflow_api_groups=["ml"])
    assert ends(given["AccessToken"]) == "401"
    team.apply(mlflow_api_groups=None)

    team.destroy(mlflow_load_balancer_token_access=None, mlflow_load_balancer_token_record_name=None)
    names = {record["Name"] for record in pages(aws_server.client("route53"), "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone_id)}
    assert not names & {f"{host}.", f"_mlflow-stack-a.{host}."}


def test_programs_with_aws_credentials_sign_their_requests(aws_server: EmbeddedAWS, tmp_path: Path) -> None:
    """IAM says who may, and API Gateway who it is, whatever the program says; a change of the authorizer leaves nothing of the other."""
    aws_server.reset()
    team = Stack(aws_server, tmp_path, prerequisites(aws_server))
    sidecar = {"mlflow_service_sidecar_container_definitions": [SIDECAR]}
    refused = team.run("site", mlflow_api_authorizer="iam", **sidecar)
    assert refused.status != 0 and refused.mutating == [] and "mlflow_api_iam_trust_sidecars: true" in refused.messages[0]

    team.apply()
    planned, run = team.plan_and_apply(mlflow_api_authorizer="iam")
    assert deviations(planned, run.changes) == []
    order = [call["operation"] for call in run.calls if call["mutating"] and call["service"] in ("apigatewayv2", "lambda")]
    assert [call for call in order if call != "UpdateStage"] == ["UpdateIntegration", "UpdateRoute", "DeleteAuthorizer", "DeleteFunction"]  # at the same time
    assert "MLFLOW_TRACKING_AWS_SIGV4=true\n" in run.text
    again = team.run("site")
    assert (again.status, again.changes, again.mutating) == (0, [], [])
    assert findings(listing(aws_server)) == []

    api_id = team.outputs["api_id"]
    arn = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:"
    trainer, reader, stranger = (
        signer(aws_server, role, {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arn + resource})
        for role, resource in (("trainer", f"{api_id}/*"), ("reader", f"{api_id}/*/GET/*"), ("stranger", "another/*"))
    )
    doors = Doors(aws_server, [trainer, reader, stranger])
    unsigned = Request(
        Source("203.0.113.5"), f"{team.outputs['api_uri']}/api/2.0/mlflow/runs/search?a=b%20c", {"x-caller-arn": "arn:aws:iam::1:root"}, "POST", b"{}"
    )
    let_in = doors.decide(trainer.sign(unsigned))
    assert isinstance(let_in, Forward)
    assert let_in.request.headers["x-caller-arn"] == trainer.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/trainer/session"
    (line,) = doors.gateway.access_logs[f"/aws/vendedlogs/apigateway/{NAME}"]
    assert (json.loads(line)["user"], json.loads(line)["accountId"]) == (trainer.arn, ACCOUNT)
    assert doors.decide(reader.sign(unsigned.replace(method="GET", body=b""))).label == "MLflow"

    signed, now = trainer.sign(unsigned), datetime.now(timezone.utc)
    pool = team.inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    token = _tokens(aws_server, pool, team.inputs["mlflow_aws_cognito_user_pool_client_id"])["AccessToken"]
    forgeries = {
        "no signature": unsigned,
        "a token": unsigned.with_headers(authorization=f"Bearer {token}"),
        "a role that may not": stranger.sign(unsigned),
        "a role that may only read": reader.sign(unsigned),
        "another body": signed.replace(body=b'{"a": 1}'),
        "another method": signed.replace(method="DELETE"),
        "another path": signed.replace(url=signed.url.replace("search", "delete")),
        "another query": signed.replace(url=f"{signed.url}d"),
        "another service": trainer.sign(unsigned, service="s3"),
        "an old signature": trainer.sign(unsigned, at=now - timedelta(minutes=6)),
        "one of the future": trainer.sign(unsigned, at=now + timedelta(minutes=6)),
        "another's session": signed.with_headers(x_amz_security_token=reader.credentials.token),
        "another's key": signed.with_headers(
            authorization=signed.headers["authorization"].replace(trainer.credentials.access_key, reader.credentials.access_key)
        ),
        "no date": signed.replace(headers={name: value for name, value in signed.headers.items() if name != "x-amz-date"}),
    }
    assert {name: doors.decide(request).label for name, request in forgeries.items()} == dict.fromkeys(forgeries, "403")
    lines = doors.gateway.access_logs[f"/aws/vendedlogs/apigateway/{NAME}"]
    assert not any(secret in line for line in lines for secret in (trainer.credentials.token, trainer.credentials.access_key, "Signature"))

    planned, run = team.plan_and_apply(mlflow_api_authorizer="lambda")
    assert deviations(planned, run.changes) == []
    doors = Doors(aws_server, [trainer])
    assert doors.decide(trainer.sign(unsigned)).label == "403"
    (integration,) = aws_server.client("apigatewayv2").get_integrations(ApiId=api_id)["Items"]
    assert integration["RequestParameters"] == {
        "overwrite:header.Host": team.outputs["api_uri"].removeprefix("https://"),
        "overwrite:header.x-mlflow-identity": "$context.authorizer.identity",
    }
    trusted = team.run("plan", mlflow_api_authorizer="iam", mlflow_api_iam_trust_sidecars=True, **sidecar)
    assert trusted.status == 0, trusted.messages

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody changed by hand in AWS: a plan says it all, one run puts it back and touches nothing else, the next nothing."""

from __future__ import annotations

import functools
import json
import typing as t
from collections.abc import Callable

import pytest
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from support.account import pages, tags
from support.plans import deviations
from support.stack import Run, Stack

NAME = "mlflow-team-x"
BUCKET = f"{NAME}-{ACCOUNT}-{REGION}"
HOST, API_HOST = "mlflow.team-x.example.com", "mlflow.api.team-x.example.com"
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
OPEN = {"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


class Hand:
    """Somebody with the AWS console. Identifiers that a repair may change are looked up each time."""

    def __init__(self, aws: EmbeddedAWS, inputs: dict[str, t.Any]) -> None:
        self.aws, self.inputs = aws, inputs

    def __getattr__(self, service: str) -> t.Any:
        """The client of a service, such as C(hand.iam)."""
        return self.aws.client(service.replace("_", "-"))

    def group(self, of: str) -> str:
        named = [{"Name": "group-name", "Values": [f"{NAME}-{of}"]}]
        (group,) = self.ec2.describe_security_groups(Filters=named)["SecurityGroups"]
        return group["GroupId"]

    def permissions(self, of: str, direction: str) -> list[t.Any]:
        (group,) = self.ec2.describe_security_groups(GroupIds=[self.group(of)])["SecurityGroups"]
        return group["IpPermissions" if direction == "in" else "IpPermissionsEgress"]

    @functools.cached_property
    def balancer(self) -> str:
        return self.elbv2.describe_load_balancers(Names=[NAME])["LoadBalancers"][0]["LoadBalancerArn"]

    @functools.cached_property
    def targets(self) -> str:
        return self.elbv2.describe_target_groups(Names=[NAME])["TargetGroups"][0]["TargetGroupArn"]

    def listener(self, port: int) -> dict[str, t.Any]:
        listeners = pages(self.elbv2, "describe_listeners", "Listeners", LoadBalancerArn=self.balancer)
        return next(listener for listener in listeners if listener["Port"] == port)

    def rules(self, port: int) -> list[dict[str, t.Any]]:
        """The rules of a listener without their ARNs, which are new after a repair."""
        found = pages(self.elbv2, "describe_rules", "Rules", ListenerArn=self.listener(port)["ListenerArn"])
        return [{key: value for key, value in rule.items() if key != "RuleArn"} for rule in found]

    def rule(self, port: int, priority: str) -> str:
        rules = pages(self.elbv2, "describe_rules", "Rules", ListenerArn=self.listener(port)["ListenerArn"])
        return next(rule["RuleArn"] for rule in rules if rule["Priority"] == priority)

    @functools.cached_property
    def api(self) -> str:
        return self.apigatewayv2.get_apis()["Items"][0]["ApiId"]

    def of_api(self, what: str) -> dict[str, t.Any]:
        (item,) = getattr(self.apigatewayv2, f"get_{what}s")(ApiId=self.api)["Items"]
        return {k: v for k, v in item.items() if k not in ("LastUpdatedDate", "CreatedDate", "DeploymentId")}

    def parameters(self) -> dict[str, str | None]:
        found = pages(self.rds, "describe_db_cluster_parameters", "Parameters", DBClusterParameterGroupName=f"{NAME}-aurora-mysql8-0")
        return {p["ParameterName"]: p.get("ParameterValue") for p in found}

    def cluster(self, *fields: str) -> list[t.Any]:
        cluster = self.rds.describe_db_clusters(DBClusterIdentifier=NAME)["DBClusters"][0]
        return [cluster[field] for field in fields]

    def service(self, *fields: str) -> list[t.Any]:
        service = self.ecs.describe_services(cluster=NAME, services=[NAME])["services"][0]
        return [service.get(field) for field in fields]

    def container(self) -> dict[str, t.Any]:
        """The container of MLflow as the service runs it: its revision may be another one after a repair."""
        (definition,) = self.service("taskDefinition")
        task = self.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
        return next(c for c in task["containerDefinitions"] if c["name"] == "mlflow")

    def run_another_image(self) -> None:
        """In a revision without tags, as the command line of AWS makes one."""
        (definition,) = self.service("taskDefinition")
        task = self.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
        kept = (
            "family",
            "taskRoleArn",
            "executionRoleArn",
            "networkMode",
            "volumes",
            "cpu",
            "memory",
            "requiresCompatibilities",
            "runtimePlatform",
            "containerDefinitions",
        )
        task["containerDefinitions"][-1]["image"] = "example.com/somebody/else:1"
        made = self.ecs.register_task_definition(**{key: task[key] for key in kept if key in task})
        self.ecs.update_service(cluster=NAME, service=NAME, taskDefinition=made["taskDefinition"]["taskDefinitionArn"])

    def policies(self, role: str) -> dict[str, t.Any]:
        name = f"{NAME}-{role}"
        names = pages(self.iam, "list_role_policies", "PolicyNames", RoleName=name)
        inline = {n: self.iam.get_role_policy(RoleName=name, PolicyName=n)["PolicyDocument"] for n in names}
        attached = pages(self.iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
        return {**inline, "attached": attached}

    def group_of_logs(self, name: str) -> dict[str, t.Any]:
        groups = self.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        return {group["logGroupName"]: group.get("retentionInDays") for group in groups}

    def query(self) -> dict[str, t.Any]:
        (query,) = self.logs.describe_query_definitions(queryDefinitionNamePrefix=NAME)["queryDefinitions"]
        return {name: value for name, value in query.items() if name != "lastModified"}

    def target(self) -> tuple[int, int]:
        (target,) = self.application_autoscaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        return target["MinCapacity"], target["MaxCapacity"]

    def scaling(self) -> list[t.Any]:
        found = self.application_autoscaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
        return [(policy["PolicyName"], policy["TargetTrackingScalingPolicyConfiguration"]) for policy in found]

    def records(self, zone: str = "mlflow_zone_id") -> list[t.Any]:
        found = pages(self.route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=self.inputs[zone])
        return [record for record in found if record["Type"] == "A"]

    def change_record(self, action: str, record: dict[str, t.Any], zone: str = "mlflow_zone_id") -> None:
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        self.route53.change_resource_record_sets(HostedZoneId=self.inputs[zone], ChangeBatch=batch)

    def attributes(self) -> dict[str, str]:
        return tags(self.elbv2.describe_load_balancer_attributes(LoadBalancerArn=self.balancer)["Attributes"])

    def elbv2_tags(self, arn: str) -> dict[str, str]:
        return tags(self.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])

    def function(self) -> dict[str, t.Any]:
        found = getattr(self, "lambda").get_function_configuration(FunctionName=f"{NAME}-authorizer")
        return {key: found[key] for key in ("Handler", "Timeout", "MemorySize", "Environment", "CodeSha256")}

    def mappings(self) -> list[dict[str, t.Any]]:
        return self.apigatewayv2.get_api_mappings(DomainName=API_HOST)["Items"]


class Drift(t.NamedTuple):
    what: str
    by_hand: Callable[[Hand], t.Any]
    look: Callable[[Hand], t.Any]
    """What it is about, to see that it changed and that it came back."""
    repair: tuple[str, str, str]
    """Action, kind and name of the change that the run says it makes."""
    field: str = ""
    """The beginning of the name of the field that the change is about, where others may be about another field."""


DRIFTS = (
    Drift(
        "a security group rule was added",
        lambda h: h.ec2.authorize_security_group_ingress(GroupId=h.group("database"), IpPermissions=[OPEN]),
        lambda h: h.permissions("database", "in"),
        ("delete", "ec2_security_group_rule", f"{NAME}-database"),
    ),
    Drift(
        "a security group rule was removed",
        lambda h: h.ec2.revoke_security_group_egress(GroupId=h.group("vpc-link"), IpPermissions=h.permissions("vpc-link", "out")),
        lambda h: h.permissions("vpc-link", "out"),
        ("create", "ec2_security_group_rule", f"{NAME}-vpc-link"),
    ),
    Drift(
        "a listener lets in what no rule lets in",
        lambda h: h.elbv2.modify_listener(ListenerArn=h.listener(443)["ListenerArn"], DefaultActions=[{"Type": "forward", "TargetGroupArn": h.targets}]),
        lambda h: h.listener(443)["DefaultActions"],
        ("update", "elbv2_listener", NAME),
        "default_actions",
    ),
    Drift(
        "a listener has an old TLS policy",
        lambda h: h.elbv2.modify_listener(ListenerArn=h.listener(8443)["ListenerArn"], SslPolicy="ELBSecurityPolicy-2016-08"),
        lambda h: h.listener(8443)["SslPolicy"],
        ("update", "elbv2_listener", NAME),
        "ssl_policy",
    ),
    Drift(
        "a listener verifies client certificates",
        lambda h: h.elbv2.modify_listener(ListenerArn=h.listener(443)["ListenerArn"], MutualAuthentication={"Mode": "passthrough"}),
        lambda h: h.listener(443)["MutualAuthentication"],
        ("update", "elbv2_listener", NAME),
        "client_certificates",
    ),
    Drift(
        "a rule leads programs to people's paths",
        lambda h: h.elbv2.modify_rule(
            RuleArn=h.rule(8443, "1"), Transforms=[{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/api/", "Replace": "/ajax-api/"}]}}]
        ),
        lambda h: h.rules(8443)[0],
        ("update", "elbv2_listener_rule", NAME),
        "transforms",
    ),
    Drift(
        "the target group sends each to one server",
        lambda h: h.elbv2.modify_target_group_attributes(TargetGroupArn=h.targets, Attributes=[{"Key": "stickiness.enabled", "Value": "true"}]),
        lambda h: h.elbv2.describe_target_group_attributes(TargetGroupArn=h.targets)["Attributes"],
        ("update", "elbv2_target_group", NAME),
        "attributes.stickiness",
    ),
    Drift(
        "people need not sign in",
        lambda h: h.elbv2.modify_rule(RuleArn=h.rule(443, "1"), Actions=[{"Type": "forward", "TargetGroupArn": h.targets}]),
        lambda h: h.rules(443)[0],
        ("update", "elbv2_listener_rule", NAME),
        "actions",
    ),
    Drift(
        "a listener rule was deleted",
        lambda h: h.elbv2.delete_rule(RuleArn=h.rule(8443, "2")),
        lambda h: h.rules(8443),
        ("create", "elbv2_listener_rule", NAME),
    ),
    Drift(
        "a listener rule was added",
        lambda h: h.elbv2.create_rule(
            ListenerArn=h.listener(443)["ListenerArn"],
            Priority=7,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": h.targets}],
        ),
        lambda h: [rule["Priority"] for rule in h.rules(443)],
        ("delete", "elbv2_listener_rule", NAME),
    ),
    Drift(
        "the load balancer passes invalid headers on",
        lambda h: h.elbv2.modify_load_balancer_attributes(
            LoadBalancerArn=h.balancer, Attributes=[{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "false"}]
        ),
        lambda h: h.attributes(),
        ("update", "elbv2_load_balancer", NAME),
        "attributes.routing.http.drop_invalid_header_fields",
    ),
    Drift(
        "a tag was changed",
        lambda h: h.elbv2.add_tags(ResourceArns=[h.balancer], Tags=[{"Key": "team", "Value": "somebody-else"}]),
        lambda h: h.elbv2_tags(h.balancer),
        ("update", "elbv2_load_balancer", NAME),
        "tags.team",
    ),
    Drift(
        "a tag was removed",
        lambda h: h.elbv2.remove_tags(ResourceArns=[h.targets], TagKeys=["team"]),
        lambda h: h.elbv2_tags(h.targets),
        ("update", "elbv2_target_group", NAME),
        "tags.team",
    ),
    Drift(
        "the health check asks for another path",
        lambda h: h.elbv2.modify_target_group(TargetGroupArn=h.targets, HealthCheckPath="/"),
        lambda h: h.elbv2.describe_target_groups(TargetGroupArns=[h.targets])["TargetGroups"][0]["HealthCheckPath"],
        ("update", "elbv2_target_group", NAME),
        "health_check",
    ),
    Drift(
        "the database takes connections without TLS",
        lambda h: h.rds.modify_db_cluster_parameter_group(
            DBClusterParameterGroupName=f"{NAME}-aurora-mysql8-0",
            Parameters=[{"ParameterName": "require_secure_transport", "ParameterValue": "OFF", "ApplyMethod": "immediate"}],
        ),
        lambda h: h.parameters()["require_secure_transport"],
        ("update", "rds_cluster_parameter_group", f"{NAME}-aurora-mysql8-0"),
        "parameters.require_secure_transport",
    ),
    Drift(
        "the database keeps backups for a day and may be deleted",
        lambda h: h.rds.modify_db_cluster(DBClusterIdentifier=NAME, BackupRetentionPeriod=1, DeletionProtection=False, ApplyImmediately=True),
        lambda h: h.cluster("BackupRetentionPeriod", "DeletionProtection"),
        ("update", "rds_cluster", NAME),
        "deletion_protection",
    ),
    Drift(
        "the bucket policy was deleted",
        lambda h: h.s3.delete_bucket_policy(Bucket=BUCKET),
        lambda h: "Policy" in _answer(h.s3.get_bucket_policy, Bucket=BUCKET),
        ("update", "s3_bucket", BUCKET),
        "policy",
    ),
    Drift(
        "the bucket may be made public",
        lambda h: h.s3.delete_public_access_block(Bucket=BUCKET),
        lambda h: "PublicAccessBlockConfiguration" in _answer(h.s3.get_public_access_block, Bucket=BUCKET),
        ("update", "s3_bucket", BUCKET),
        "public_access_block",
    ),
    Drift(
        "the bucket forgets what is overwritten",
        lambda h: h.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}),
        lambda h: h.s3.get_bucket_versioning(Bucket=BUCKET)["Status"],
        ("update", "s3_bucket", BUCKET),
        "versioning",
    ),
    Drift(
        "a role may do everything",
        lambda h: h.iam.put_role_policy(RoleName=f"{NAME}-ecs-task", PolicyName=f"{NAME}-ecs-task", PolicyDocument=EVERYTHING),
        lambda h: h.policies("ecs-task"),
        ("update", "iam_role_policy", f"{NAME}-ecs-task/{NAME}-ecs-task"),
    ),
    Drift(
        "logs are kept for ever",
        lambda h: h.logs.delete_retention_policy(logGroupName=f"/ecs/{NAME}"),
        lambda h: h.group_of_logs(f"/ecs/{NAME}"),
        ("update", "logs_log_group", f"/ecs/{NAME}"),
        "retention_in_days",
    ),
    Drift(
        "the query of the audit log was changed",
        lambda h: h.logs.put_query_definition(**{**h.query(), "queryString": "fields @message"}),
        lambda h: h.query(),
        ("update", "logs_query_definition", f"{NAME}/audit"),
        "query_string",
    ),
    Drift(
        "a log group was deleted",
        lambda h: h.logs.delete_log_group(logGroupName=f"/aws/rds/cluster/{NAME}/slowquery"),
        lambda h: h.group_of_logs(f"/aws/rds/cluster/{NAME}/slowquery"),
        ("create", "logs_log_group", f"/aws/rds/cluster/{NAME}/slowquery"),
    ),
    Drift(
        "the service runs another image without a grace period",
        lambda h: (h.run_another_image(), h.ecs.update_service(cluster=NAME, service=NAME, healthCheckGracePeriodSeconds=0)),
        lambda h: (h.container(), h.service("healthCheckGracePeriodSeconds")),
        ("update", "ecs_service", NAME),
        "task_definition",
    ),
    Drift(
        "the bounds of the scaling were changed",
        lambda h: h.application_autoscaling.register_scalable_target(
            ServiceNamespace="ecs", ResourceId=f"service/{NAME}/{NAME}", ScalableDimension="ecs:service:DesiredCount", MinCapacity=1, MaxCapacity=20
        ),
        lambda h: h.target(),
        ("update", "application_autoscaling_target", f"service/{NAME}/{NAME}"),
        "capacity",
    ),
    Drift(
        "a scaling policy was deleted",
        lambda h: h.application_autoscaling.delete_scaling_policy(
            PolicyName=f"{NAME}-cpu", ServiceNamespace="ecs", ResourceId=f"service/{NAME}/{NAME}", ScalableDimension="ecs:service:DesiredCount"
        ),
        lambda h: h.scaling(),
        ("create", "application_autoscaling_policy", f"{NAME}-cpu"),
    ),
    Drift(
        "programs need not say who they are",
        lambda h: h.apigatewayv2.update_route(ApiId=h.api, RouteId=h.of_api("route")["RouteId"], AuthorizationType="NONE"),
        lambda h: [h.of_api("route").get(key) for key in ("RouteKey", "AuthorizationType", "AuthorizerId", "Target")],
        ("update", "apigatewayv2_route", NAME),
        "authorization_type",
    ),
    Drift(
        "the API does not throttle",
        lambda h: h.apigatewayv2.update_stage(
            ApiId=h.api, StageName="$default", DefaultRouteSettings={"ThrottlingRateLimit": 9999.0, "ThrottlingBurstLimit": 5000}
        ),
        lambda h: h.of_api("stage")["DefaultRouteSettings"],
        ("update", "apigatewayv2_stage", NAME),
        "throttling",
    ),
    Drift(
        "a route has limits of its own and the stage has variables",
        lambda h: h.apigatewayv2.update_stage(
            ApiId=h.api, StageName="$default", RouteSettings={"$default": {"ThrottlingRateLimit": 1.0}}, StageVariables={"a": "b"}
        ),
        lambda h: [h.of_api("stage").get(key) for key in ("RouteSettings", "StageVariables")],
        ("update", "apigatewayv2_stage", NAME),
        "route_settings",
    ),
    Drift(
        "a route asks for an API key and has a name",
        lambda h: h.apigatewayv2.update_route(ApiId=h.api, RouteId=h.of_api("route")["RouteId"], ApiKeyRequired=True, OperationName="theirs"),
        lambda h: [h.of_api("route").get(key) or None for key in ("ApiKeyRequired", "OperationName")],
        ("update", "apigatewayv2_route", NAME),
        "api_key_required",
    ),
    Drift(
        "answers to programs are rewritten",
        lambda h: h.apigatewayv2.update_integration(
            ApiId=h.api, IntegrationId=h.of_api("integration")["IntegrationId"], ResponseParameters={"200": {"overwrite:statuscode": "500"}}
        ),
        lambda h: h.of_api("integration").get("ResponseParameters") or {},
        ("update", "apigatewayv2_integration", NAME),
        "response_parameters",
    ),
    Drift(
        "rules of routing take the place of the API mapping",
        lambda h: h.apigatewayv2.update_domain_name(DomainName=API_HOST, RoutingMode="ROUTING_RULE_ONLY"),
        lambda h: h.apigatewayv2.get_domain_name(DomainName=API_HOST)["RoutingMode"],
        ("update", "apigatewayv2_domain_name", API_HOST),
        "routing_mode",
    ),
    Drift(
        "the API can be reached past its domain name",
        lambda h: h.apigatewayv2.update_api(ApiId=h.api, DisableExecuteApiEndpoint=False),
        lambda h: h.apigatewayv2.get_api(ApiId=h.api)["DisableExecuteApiEndpoint"],
        ("update", "apigatewayv2_api", NAME),
        "disable_execute_api_endpoint",
    ),
    Drift(
        "the domain name leads nowhere",
        lambda h: h.apigatewayv2.delete_api_mapping(DomainName=API_HOST, ApiMappingId=h.mappings()[0]["ApiMappingId"]),
        lambda h: [(mapping["ApiId"], mapping["Stage"]) for mapping in h.mappings()],
        ("create", "apigatewayv2_api_mapping", API_HOST),
    ),
    Drift(
        "the authorizer takes tokens of another pool",
        lambda h: getattr(h, "lambda").update_function_configuration(
            FunctionName=f"{NAME}-authorizer", Environment={"Variables": {"COGNITO_USER_POOL_ID": "eu-west-1_other"}}
        ),
        lambda h: h.function(),
        ("update", "lambda_function", f"{NAME}-authorizer"),
        "environment",
    ),
    Drift(
        "a DNS record leads elsewhere",
        lambda h: h.change_record("UPSERT", {"Name": HOST, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}),
        lambda h: h.records(),
        ("update", "route53_record", HOST),
    ),
)


class Deletion(t.NamedTuple):
    what: str
    by_hand: Callable[[Hand], t.Any]
    repair: tuple[str, str, str]


DELETIONS = (
    Deletion("the service", lambda h: h.ecs.delete_service(cluster=NAME, service=NAME, force=True), ("create", "ecs_service", NAME)),
    Deletion("the instance of the database", lambda h: h.rds.delete_db_instance(DBInstanceIdentifier=f"{NAME}-1"), ("create", "rds_instance", f"{NAME}-1")),
    Deletion(
        "the authorizer", lambda h: getattr(h, "lambda").delete_function(FunctionName=f"{NAME}-authorizer"), ("create", "lambda_function", f"{NAME}-authorizer")
    ),
    Deletion(
        "the role of MLflow",
        lambda h: (h.iam.delete_role_policy(RoleName=f"{NAME}-ecs-task", PolicyName=f"{NAME}-ecs-task"), h.iam.delete_role(RoleName=f"{NAME}-ecs-task")),
        ("create", "iam_role", f"{NAME}-ecs-task"),
    ),
    Deletion(
        "the load balancer with its listeners", lambda h: h.elbv2.delete_load_balancer(LoadBalancerArn=h.balancer), ("create", "elbv2_load_balancer", NAME)
    ),
    Deletion(
        "the keys that the servers share",
        lambda h: h.secretsmanager.delete_secret(SecretId=f"{NAME}-server-keys", RecoveryWindowInDays=30),
        ("update", "secretsmanager_secret", f"{NAME}-server-keys"),
    ),
    Deletion(
        "the DNS record of programs",
        lambda h: h.change_record("DELETE", h.records("mlflow_api_zone_id")[0], "mlflow_api_zone_id"),
        ("create", "route53_record", API_HOST),
    ),
)


def _answer(operation: Callable[..., dict[str, t.Any]], **arguments: str) -> dict[str, t.Any]:
    """What AWS answers, or an empty dict where there is no such thing."""
    try:
        return operation(**arguments)
    except Exception as error:
        assert "NoSuch" in str(error), error
        return {}


class Repaired(t.NamedTuple):
    before: list[t.Any]
    drifted: list[t.Any]
    after: list[t.Any]
    planned: list[dict[str, t.Any]]
    run: Run
    again: Run


@pytest.fixture(scope="module")
def repaired(deployed_team: Stack) -> Repaired:
    """A stack, everything in it changed by hand, and put back by one run."""
    hand = Hand(deployed_team.aws, deployed_team.inputs)

    def look() -> list[t.Any]:
        return [drift.look(hand) for drift in DRIFTS]

    before = look()
    for drift in DRIFTS:
        drift.by_hand(hand)
    drifted = look()
    planned, run = deployed_team.plan_and_apply()
    return Repaired(before, drifted, look(), planned, run, deployed_team.run("site"))


def _is_repair(drift: Drift, change: dict[str, t.Any]) -> bool:
    action, kind, name = drift.repair
    return (
        (change["action"], change["kind"]) == (action, kind)
        and change["name"].startswith(name)
        and (not drift.field or any(field["name"].startswith(drift.field) for field in change["fields"]))
    )


@pytest.mark.parametrize(("index", "drift"), list(enumerate(DRIFTS)), ids=[drift.what for drift in DRIFTS])
def test_what_was_changed_by_hand_is_put_back(repaired: Repaired, index: int, drift: Drift) -> None:
    assert repaired.drifted[index] != repaired.before[index]
    assert any(_is_repair(drift, change) for change in repaired.run.changes)
    assert repaired.after[index] == repaired.before[index]


def test_the_plan_said_so(repaired: Repaired) -> None:
    assert deviations(repaired.planned, repaired.run.changes) == []


def test_nothing_else_is_touched(repaired: Repaired) -> None:
    others = [c for c in repaired.run.changes if not any(_is_repair(drift, c) for drift in DRIFTS)]
    assert others == []


def test_the_run_after_the_repair_changes_nothing(repaired: Repaired) -> None:
    assert repaired.again.status == 0, repaired.again.messages
    assert (repaired.again.changes, repaired.again.mutating, repaired.again.changed) == ([], [], 0)


class Rebuilt(t.NamedTuple):
    planned: list[dict[str, t.Any]]
    run: Run
    again: Run
    verified: Run


@pytest.fixture(scope="module")
def rebuilt(deployed_team: Stack, repaired: Repaired) -> Rebuilt:
    """The same stack, what it is made of deleted by hand, and made again by one run."""
    hand = Hand(deployed_team.aws, deployed_team.inputs)
    for deletion in DELETIONS:
        deletion.by_hand(hand)
    return Rebuilt(*deployed_team.plan_and_apply(), deployed_team.run("site"), deployed_team.run("verify"))


@pytest.mark.parametrize("deletion", DELETIONS, ids=[deletion.what for deletion in DELETIONS])
def test_what_was_deleted_by_hand_is_made_again(rebuilt: Rebuilt, deletion: Deletion) -> None:
    assert deletion.repair in [(c["action"], c["kind"], c["name"]) for c in rebuilt.run.changes]


def test_the_plan_said_that_too(rebuilt: Rebuilt) -> None:
    assert deviations(rebuilt.planned, rebuilt.run.changes) == []


def test_after_that_the_stack_works_and_nothing_changes_any_more(rebuilt: Rebuilt) -> None:
    assert rebuilt.again.status == 0, rebuilt.again.messages
    assert (rebuilt.again.changes, rebuilt.again.mutating) == ([], [])
    assert rebuilt.verified.status == 0, rebuilt.verified.messages

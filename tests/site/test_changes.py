# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One changed input changes exactly the resources that it should, in place where AWS can, by exactly the calls that it takes.
Its plan says so before, field by field, and warns of what that costs, and of nothing else.

The changes of the table are made on one stack, those together that are about different things. Each run has to make its own
changes and no others, so it also shows that the run before it left nothing to do; a run without any change ends the table.
`make test-faults` makes each change by itself.
"""

from __future__ import annotations

import json
import typing as t
from collections import Counter

import pytest
from embedded_aws.client import EmbeddedAWS
from support.account import listing
from support.cloudformation import findings
from support.keys import key_policy
from support.plans import deviations
from support.stack import Inputs, Stack, certificate, give_ipv6, logs_bucket, prerequisites, public_subnets, web_acl


class Given(t.NamedTuple):
    """What the values of the table refer to: made before the first deployment."""

    inputs: Inputs
    subnet: str
    database_subnet: str
    secret: str
    registry: str
    client: str
    public_subnets: list[str]
    prefix_list: str
    web_acls: tuple[str, str, None]
    log_key: str


Values = t.Callable[[Given], Inputs]


class Case(t.NamedTuple):
    name: str
    values: Values
    changes: str  # "action kind" of each resource, separated by commas
    calls: str  # "service:Operation" of each mutating call, with "*n" where there are more
    warns: tuple[str, ...] = ()  # a part of each warning
    revised: str = ""  # the fields of what is SHARED, separated by commas

    @property
    def fields(self) -> set[str]:
        return set(filter(None, self.revised.split(", ")))


ENV = "containers.mlflow.environment."
NEW_REVISION = "update ecs_task_definition, update ecs_service"
DEPLOY = "ecs:RegisterTaskDefinition, ecs:UpdateService"
BOTH_REVISIONS = "update ecs_task_definition*2, update ecs_service"
DEPLOY_BOTH = "ecs:RegisterTaskDefinition*2, ecs:UpdateService"
OTHER_URIS = f"update secretsmanager_secret*2, create ecs_task, {BOTH_REVISIONS}"
DEPLOY_OTHER_URIS = f"secretsmanager:UpdateSecret, ecs:RunTask, secretsmanager:TagResource, {DEPLOY_BOTH}"
SHARED = {
    ("ecs_task_definition", "mlflow-team-x"): "",
    ("ecs_task_definition", "mlflow-team-x-prepare-database"): "prepare.",
    ("ecs_service", "mlflow-team-x"): "service.",
}
"""What many cases change in one run, each in fields of its own: what the names of these begin with here."""
SHARED_KINDS = {kind for kind, _name in SHARED}
DEPLOYING = set(DEPLOY.split(", "))
PAUSE = f"{ENV}MLFLOW_SQLALCHEMYSTORE_POOLCLASS"
PRESIGNED = f"{ENV}MLFLOW_ARTIFACTS_PRESIGNED_ONLY"
SIGNED_URLS = ", ".join(
    f"{ENV}{name}"
    for name in ("AWS_DEFAULT_REGION", "MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE", "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD")
)
URIS = ", ".join(
    f"{container}.secrets.MLFLOW_{uri}_URI"
    for container, uri in (
        ("containers.mlflow", "BACKEND_STORE"),
        ("containers.mlflow", "READ_REPLICA_BACKEND_STORE"),
        ("prepare.containers.prepare-database", "BACKEND_STORE"),
    )
)
CONTAINERS = ("containers.mlflow", "containers.tmp-permissions", "prepare.containers.prepare-database", "prepare.containers.tmp-permissions")
IMAGES = ", ".join(f"{container}.image" for container in CONTAINERS)
NO_CREDENTIALS = ", ".join(f"{container}.repositoryCredentials" for container in CONTAINERS)
CREDENTIALS = ", ".join(f"{each}.credentialsParameter" for each in NO_CREDENTIALS.split(", "))
WRITABLE = ", ".join(f"{container}.readonlyRootFilesystem" for container in CONTAINERS)
SCHEDULE = {"name": "night", "schedule": "cron(0 20 * * ? *)", "min_capacity": 0, "max_capacity": 0}

FILE_SYSTEM = {"fileSystemId": "fs-0a1b2c3d"}
MOUNTS = ("containers.mlflow.mountPoints./opt/plugins", "containers.mlflow.mountPoints./data", "containers.tmp-permissions.mountPoints./opt/plugins")
VOLUMES_OF_MLFLOW = "containers.tmp-permissions.command, volumes.plugins"
PARAMETER = "/team/x/token"
LOG = "containers.mlflow.logConfiguration"
AWSLOGS = ", ".join(f"{LOG}.options.awslogs-{option}" for option in ("group", "region", "stream-prefix"))

LEASE = "ssm:PutParameter*2, ssm:DeleteParameters"
"""What every run with a change does beside: it takes the lease, gives it back, and removes that of the run before it."""

CASES = [
    Case(
        "another image",
        lambda g: {"mlflow_service_image_tag": "v3.18.1-full"},
        f"{BOTH_REVISIONS}, create ecs_task, update secretsmanager_secret",
        f"{DEPLOY_BOTH}, ecs:RunTask, secretsmanager:TagResource",
        ("needs another schema than",),
        revised=IMAGES,
    ),
    Case(
        "its digest, of the same version",
        lambda g: {"mlflow_service_image_tag": f"v3.18.1-full@sha256:{'0' * 64}"},
        f"{BOTH_REVISIONS}, create ecs_task, update secretsmanager_secret",
        f"{DEPLOY_BOTH}, ecs:RunTask, secretsmanager:TagResource",
        revised=IMAGES,
    ),
    Case(
        "credentials for the image's registry",
        lambda g: {"mlflow_service_image_credentials_secret_arn": g.registry},
        f"update iam_role_policy*2, {BOTH_REVISIONS}",
        f"iam:PutRolePolicy*2, {DEPLOY_BOTH}",
        revised=CREDENTIALS,
    ),
    Case(
        "no credentials",
        lambda g: {"mlflow_service_image_credentials_secret_arn": None},
        f"update iam_role_policy*2, {BOTH_REVISIONS}",
        f"iam:PutRolePolicy*2, {DEPLOY_BOTH}",
        revised=NO_CREDENTIALS,
    ),
    Case("an environment variable", lambda g: {"mlflow_service_environment": {"A": "1"}}, NEW_REVISION, DEPLOY, revised=f"{ENV}A"),
    Case("its value", lambda g: {"mlflow_service_environment": {"A": "2"}}, NEW_REVISION, DEPLOY, revised=f"{ENV}A"),
    Case(
        "hosts and origins beside those of the stack",
        lambda g: {
            "mlflow_service_environment": {"MLFLOW_SERVER_ALLOWED_HOSTS": "a.example.com", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "https://b.example.com"}
        },
        NEW_REVISION,
        DEPLOY,
        revised=f"{ENV}A, {ENV}MLFLOW_SERVER_ALLOWED_HOSTS, {ENV}MLFLOW_SERVER_CORS_ALLOWED_ORIGINS",
    ),
    Case(
        "a path to serve below",
        lambda g: {"mlflow_service_environment": {"MLFLOW_STATIC_PREFIX": "/mlflow"}},
        f"{NEW_REVISION}, update elbv2_target_group, update elbv2_listener_rule*2",
        f"{DEPLOY}, elbv2:ModifyTargetGroup, elbv2:ModifyRule*2",
        ("the health checks ask for /mlflow/health",),
        revised=f"{ENV}MLFLOW_SERVER_ALLOWED_HOSTS, {ENV}MLFLOW_SERVER_CORS_ALLOWED_ORIGINS, {ENV}MLFLOW_STATIC_PREFIX, containers.mlflow.healthCheck.command",
    ),
    Case(
        "no such path",
        lambda g: {"mlflow_service_environment": {}},
        f"{NEW_REVISION}, update elbv2_target_group, update elbv2_listener_rule*2",
        f"{DEPLOY}, elbv2:ModifyTargetGroup, elbv2:ModifyRule*2",
        ("the health checks ask for /health",),
        revised=f"{ENV}MLFLOW_STATIC_PREFIX, containers.mlflow.healthCheck.command",
    ),
    Case("CPU", lambda g: {"mlflow_service_cpu": 1024}, BOTH_REVISIONS, DEPLOY_BOTH, ("cpu: each task gets 1024 instead of 2048",), revised="cpu, prepare.cpu"),
    Case("memory", lambda g: {"mlflow_service_memory": 8192}, BOTH_REVISIONS, DEPLOY_BOTH, revised="memory, prepare.memory"),
    Case(
        "architecture",
        lambda g: {"mlflow_service_cpu_architecture": "ARM64"},
        BOTH_REVISIONS,
        DEPLOY_BOTH,
        revised="runtime_platform.cpuArchitecture, prepare.runtime_platform.cpuArchitecture",
    ),
    Case("workers", lambda g: {"mlflow_service_workers": 2}, NEW_REVISION, DEPLOY, revised=f"{ENV}MLFLOW_WORKERS"),
    Case(
        "a sidecar",
        lambda g: {"mlflow_service_sidecar_container_definitions": [{"name": "agent", "image": "agent:1", "essential": False}]},
        NEW_REVISION,
        DEPLOY,
        revised="containers.agent.essential, containers.agent.image",
    ),
    Case(
        "a secret",
        lambda g: {"mlflow_service_secrets": {"S": g.secret}},
        f"update iam_role_policy, {NEW_REVISION}",
        f"iam:PutRolePolicy, {DEPLOY}",
        revised="containers.mlflow.secrets.S",
    ),
    Case(
        "a permissions boundary",
        lambda g: {"mlflow_permissions_boundary_arn": "arn:aws:iam::aws:policy/PowerUserAccess"},
        "update iam_role*4",
        "iam:TagRole*4, iam:PutRolePermissionsBoundary*4",
    ),
    Case(
        "another boundary",
        lambda g: {"mlflow_permissions_boundary_arn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        "update iam_role*4",
        "iam:TagRole*8, iam:PutRolePermissionsBoundary*4",
    ),
    Case("no boundary", lambda g: {"mlflow_permissions_boundary_arn": None}, "update iam_role*4", "iam:DeleteRolePermissionsBoundary*4, iam:UntagRole*4"),
    Case(
        "permissions of the tasks",
        lambda g: {
            "mlflow_service_task_policy_arns": ["arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess"],
            "mlflow_service_task_policy_statements": [{"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"}],
        },
        "update iam_role, update iam_role_policy, create iam_role_policy_attachment*2",
        "iam:TagRole, iam:PutRolePolicy, iam:AttachRolePolicy*2",
    ),
    Case(
        "others",
        lambda g: {"mlflow_service_task_policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"], "mlflow_service_task_policy_statements": None},
        "update iam_role_policy, delete iam_role_policy_attachment",
        "iam:PutRolePolicy, iam:DetachRolePolicy, iam:TagRole",
    ),
    Case("models of Bedrock", lambda g: {"mlflow_gateway_bedrock_models": ["eu.amazon.nova-*"]}, "update iam_role_policy", "iam:PutRolePolicy"),
    Case("no models of Bedrock", lambda g: {"mlflow_gateway_bedrock_models": None}, "update iam_role_policy", "iam:PutRolePolicy"),
    Case("none of them", lambda g: {"mlflow_service_task_policy_arns": None}, "delete iam_role_policy_attachment", "iam:DetachRolePolicy, iam:UntagRole"),
    Case(
        "ECS Exec",
        lambda g: {"mlflow_service_enable_execute_command": True},
        f"update iam_role_policy, {BOTH_REVISIONS}",
        f"iam:PutRolePolicy, {DEPLOY_BOTH}",
        ("open a shell in its tasks",),
        revised=f"{WRITABLE}, service.enable_execute_command",
    ),
    Case(
        "volumes of MLflow",
        lambda g: {
            "mlflow_service_volumes": [
                {"name": "plugins"},
                {"name": "data", "efsVolumeConfiguration": {**FILE_SYSTEM, "authorizationConfig": {"iam": "ENABLED"}, "transitEncryption": "ENABLED"}},
            ],
            "mlflow_service_mount_points": [
                {"sourceVolume": "plugins", "containerPath": "/opt/plugins"},
                {"sourceVolume": "data", "containerPath": "/data", "readOnly": True},
            ],
        },
        f"create ec2_security_group_rule, update iam_role_policy, {NEW_REVISION}",
        f"ec2:AuthorizeSecurityGroupEgress, iam:PutRolePolicy, {DEPLOY}",
        revised=f"{VOLUMES_OF_MLFLOW}, {', '.join(f'{mount}.{field}' for mount in MOUNTS for field in ('readOnly', 'sourceVolume'))}, "
        "volumes.data.efsVolumeConfiguration.authorizationConfig.iam, volumes.data.efsVolumeConfiguration.fileSystemId, "
        "volumes.data.efsVolumeConfiguration.rootDirectory, volumes.data.efsVolumeConfiguration.transitEncryption",
    ),
    Case(
        "no volumes",
        lambda g: {"mlflow_service_volumes": [], "mlflow_service_mount_points": []},
        f"delete ec2_security_group_rule, update iam_role_policy, {NEW_REVISION}",
        f"ec2:RevokeSecurityGroupEgress, iam:PutRolePolicy, {DEPLOY}",
        revised=f"{VOLUMES_OF_MLFLOW}, {', '.join(MOUNTS)}, volumes.data",
    ),
    Case(
        "a log router",
        lambda g: {
            "mlflow_service_sidecar_container_definitions": [{"name": "router", "image": "router:1", "firelensConfiguration": {"type": "fluentbit"}}],
            "mlflow_service_log_configuration": {
                "logDriver": "awsfirelens",
                "options": {"Name": "loki"},
                "secretOptions": [{"name": "token", "valueFrom": PARAMETER}],
            },
        },
        f"update iam_role_policy, {NEW_REVISION}",
        f"iam:PutRolePolicy, {DEPLOY}",
        revised=f"containers.agent, containers.router.essential, containers.router.firelensConfiguration.type, containers.router.image, {LOG}.logDriver, "
        f"{LOG}.options.Name, {LOG}.secretOptions.token, {AWSLOGS}",
    ),
    Case(
        "the log group again",
        lambda g: {"mlflow_service_sidecar_container_definitions": [], "mlflow_service_log_configuration": {}},
        f"update iam_role_policy, {NEW_REVISION}",
        f"iam:PutRolePolicy, {DEPLOY}",
        revised=f"containers.router, {LOG}.logDriver, {LOG}.options.Name, {LOG}.secretOptions, {AWSLOGS}",
    ),
    Case(
        "an environment file and a parameter by its name",
        lambda g: {"mlflow_service_environment_files": ["arn:aws:s3:::logs-bucket/mlflow.env"], "mlflow_service_secrets": {"P": PARAMETER}},
        f"update iam_role_policy, {NEW_REVISION}",
        f"iam:PutRolePolicy, {DEPLOY}",
        revised="containers.mlflow.environmentFiles, containers.mlflow.secrets.S, containers.mlflow.secrets.P",
    ),
    Case(
        "no environment file",
        lambda g: {"mlflow_service_environment_files": []},
        f"update iam_role_policy, {NEW_REVISION}",
        f"iam:PutRolePolicy, {DEPLOY}",
        revised="containers.mlflow.environmentFiles",
    ),
    Case(
        "grace period",
        lambda g: {"mlflow_service_health_check_grace_period_seconds": 60},
        NEW_REVISION,
        DEPLOY,
        revised="containers.mlflow.healthCheck.startPeriod, service.health_check_grace_period_seconds",
    ),
    Case("container insights", lambda g: {"mlflow_service_container_insights": "enabled"}, "update ecs_cluster", "ecs:UpdateCluster"),
    Case(
        "a subnet of the service",
        lambda g: {"mlflow_service_subnet_ids": [*g.inputs["mlflow_service_subnet_ids"], g.subnet]},
        "create apigatewayv2_vpc_link, update ecs_service, update apigatewayv2_integration, delete apigatewayv2_vpc_link",
        "apigatewayv2:CreateVpcLink, ecs:UpdateService, apigatewayv2:UpdateIntegration, apigatewayv2:DeleteVpcLink",
        ("takes the place of a link",),
        revised="service.network.subnets",
    ),
    Case(
        "a subnet of the database",
        lambda g: {"mlflow_database_subnet_ids": [*g.inputs["mlflow_database_subnet_ids"], g.database_subnet]},
        "update rds_subnet_group",
        "rds:ModifyDBSubnetGroup",
    ),
    Case(
        "subnets of the load balancer",
        lambda g: {"mlflow_load_balancer_subnet_ids": g.inputs["mlflow_load_balancer_subnet_ids"][:2]},
        "update elbv2_load_balancer",
        "elbv2:SetSubnets",
        ("connections through subnet-",),
    ),
    Case(
        "another CIDR block",
        lambda g: {"mlflow_load_balancer_ingress_cidr_blocks": ["198.51.100.0/24"]},
        "create ec2_security_group_rule*2, delete ec2_security_group_rule*2",
        "ec2:AuthorizeSecurityGroupIngress*2, ec2:RevokeSecurityGroupIngress*2",
    ),
    Case(
        "one more CIDR block",
        lambda g: {"mlflow_load_balancer_ingress_cidr_blocks": ["198.51.100.0/24", g.prefix_list]},
        "create ec2_security_group_rule*2",
        "ec2:AuthorizeSecurityGroupIngress*2",
    ),
    Case(
        "IPv6",
        lambda g: {
            "mlflow_load_balancer_ip_address_type": "dualstack",
            "mlflow_load_balancer_ingress_cidr_blocks": ["198.51.100.0/24", "2001:db8::/32"],
            "mlflow_api_ip_address_type": "dualstack",
        },
        "update elbv2_load_balancer, create ec2_security_group_rule*2, delete ec2_security_group_rule*2, update apigatewayv2_api, "
        "update apigatewayv2_domain_name, create route53_record*2",
        "elbv2:SetIpAddressType, ec2:AuthorizeSecurityGroupIngress*2, ec2:RevokeSecurityGroupIngress*2, apigatewayv2:UpdateApi, "
        "apigatewayv2:UpdateDomainName, elbv2:AddTags, apigatewayv2:TagResource, route53:ChangeResourceRecordSets*2",
    ),
    Case(
        "no IPv6",
        lambda g: {
            "mlflow_load_balancer_ip_address_type": None,
            "mlflow_load_balancer_ingress_cidr_blocks": ["198.51.100.0/24"],
            "mlflow_api_ip_address_type": None,
        },
        "update elbv2_load_balancer, delete ec2_security_group_rule*2, update apigatewayv2_api, update apigatewayv2_domain_name, delete route53_record*2",
        "elbv2:SetIpAddressType, ec2:RevokeSecurityGroupIngress*2, apigatewayv2:UpdateApi, apigatewayv2:UpdateDomainName, elbv2:AddTags, "
        "apigatewayv2:TagResource, route53:ChangeResourceRecordSets*2",
        ("loses its IPv6 addresses", "use this name over IPv6 are cut off"),
    ),
    Case(
        "log retention",
        lambda g: {"mlflow_service_log_retention_in_days": 30},
        "update logs_log_group*5",
        "logs:PutRetentionPolicy*5",
        ("logs that are older than 30 days are deleted",),
    ),
    Case("a key of the logs", lambda g: {"mlflow_service_log_kms_key_arn": g.log_key}, "update logs_log_group*5", "logs:TagResource*5, logs:AssociateKmsKey*5"),
    Case(
        "no key of the logs",
        lambda g: {"mlflow_service_log_kms_key_arn": ""},
        "update logs_log_group*5",
        "logs:DisassociateKmsKey*5, logs:UntagResource*5",
        ("can be read only as long as the key",),
    ),
    Case(
        "Fargate Spot",
        lambda g: {"mlflow_service_capacity_providers": [{"capacity_provider": "FARGATE", "base": 1}, {"capacity_provider": "FARGATE_SPOT", "weight": 3}]},
        "update ecs_service",
        "ecs:UpdateService",
        ("AWS may take tasks on Fargate Spot away",),
        revised=", ".join(f"service.capacity_providers.{name}.{share}" for name in ("FARGATE", "FARGATE_SPOT") for share in ("base", "weight")),
    ),
    Case("Fargate alone", lambda g: {"mlflow_service_capacity_providers": []}, "update ecs_service", "ecs:UpdateService", revised="service.capacity_providers"),
    Case(
        "fewest tasks",
        lambda g: {"mlflow_service_min_capacity": 1},
        "update application_autoscaling_target",
        "application-autoscaling:RegisterScalableTarget",
        ("min: 1 instead of 2",),
    ),
    Case("most tasks", lambda g: {"mlflow_service_max_capacity": 6}, "update application_autoscaling_target", "application-autoscaling:RegisterScalableTarget"),
    Case(
        "the target of autoscaling",
        lambda g: {"mlflow_service_cpu_target": 50},
        "update application_autoscaling_policy",
        "application-autoscaling:PutScalingPolicy",
    ),
    Case(
        "no target",
        lambda g: {"mlflow_service_cpu_target": 0},
        "delete application_autoscaling_policy",
        "application-autoscaling:DeleteScalingPolicy",
        ("does not follow the load",),
    ),
    Case(
        "a schedule",
        lambda g: {"mlflow_service_scheduled_actions": [SCHEDULE]},
        "create application_autoscaling_scheduled_action",
        "application-autoscaling:PutScheduledAction",
        ("stops everything at these times",),
    ),
    Case(
        "its time zone",
        lambda g: {"mlflow_service_scheduled_actions": [{**SCHEDULE, "timezone": "Europe/Madrid"}]},
        "update application_autoscaling_scheduled_action",
        "application-autoscaling:PutScheduledAction",
    ),
    Case(
        "no schedule",
        lambda g: {"mlflow_service_scheduled_actions": []},
        "delete application_autoscaling_scheduled_action",
        "application-autoscaling:DeleteScheduledAction",
    ),
    Case("most ACU", lambda g: {"mlflow_database_max_capacity": 4}, "update rds_cluster", "rds:ModifyDBCluster"),
    Case("seconds until pause", lambda g: {"mlflow_database_seconds_until_auto_pause": 600}, "update rds_cluster", "rds:ModifyDBCluster"),
    Case("no pause", lambda g: {"mlflow_database_auto_pause": False}, f"update rds_cluster, {NEW_REVISION}", f"rds:ModifyDBCluster, {DEPLOY}", revised=PAUSE),
    Case("least ACU", lambda g: {"mlflow_database_min_capacity": 2}, "update rds_cluster", "rds:ModifyDBCluster"),
    Case(
        "backup retention", lambda g: {"mlflow_database_backup_retention_days": 7}, "update rds_cluster", "rds:ModifyDBCluster", ("older backups are deleted",)
    ),
    Case(
        "no deletion protection",
        lambda g: {"mlflow_database_deletion_protection": False},
        "update rds_cluster",
        "rds:ModifyDBCluster",
        ("the database can be deleted by mistake",),
    ),
    Case(
        "minor upgrades in a window",
        lambda g: {"mlflow_database_auto_minor_version_upgrade": True, "mlflow_database_maintenance_window": "sun:04:30-sun:05:30"},
        "update rds_cluster, update rds_instance",
        "rds:ModifyDBCluster, rds:ModifyDBInstance",
    ),
    Case(
        "no minor upgrades",
        lambda g: {"mlflow_database_auto_minor_version_upgrade": None, "mlflow_database_maintenance_window": None},
        "update rds_instance",
        "rds:ModifyDBInstance",
    ),
    Case(
        "enhanced monitoring",
        lambda g: {"mlflow_database_monitoring_interval": 60},
        "create iam_role, create iam_role_policy_attachment, update rds_instance",
        "iam:CreateRole, iam:AttachRolePolicy, rds:ModifyDBInstance",
    ),
    Case(
        "no enhanced monitoring",
        lambda g: {"mlflow_database_monitoring_interval": None},
        "update rds_instance, delete iam_role, delete iam_role_policy_attachment",
        "rds:ModifyDBInstance, iam:DetachRolePolicy, iam:UntagRole, iam:DeleteRole",
    ),
    Case(
        "an audit log",
        lambda g: {"mlflow_database_audit_log": True},
        "create logs_log_group, update rds_cluster_parameter_group, update rds_cluster",
        "logs:CreateLogGroup, logs:PutRetentionPolicy, rds:ModifyDBClusterParameterGroup, rds:ModifyDBCluster",
    ),
    Case(
        "no audit log",
        lambda g: {"mlflow_database_audit_log": None},
        "update rds_cluster_parameter_group, update rds_cluster",
        "rds:ResetDBClusterParameterGroup, rds:ModifyDBCluster",
    ),
    *(
        Case(
            name,
            lambda g, port=port: {"mlflow_database_port": port},
            f"create ec2_security_group_rule*2, delete ec2_security_group_rule*2, update rds_cluster, {OTHER_URIS}",
            "ec2:AuthorizeSecurityGroupIngress, ec2:AuthorizeSecurityGroupEgress, ec2:RevokeSecurityGroupIngress, ec2:RevokeSecurityGroupEgress, "
            f"rds:ModifyDBCluster, {DEPLOY_OTHER_URIS}",
            ("port: restarts the database", "running servers cannot open connections to the database"),
            revised=", ".join(field for field in URIS.split(", ") if "READ_REPLICA" not in field),
        )
        for name, port in (("another port of the database", 3400), ("the port of its engine", None))
    ),
    Case(
        "a reader to read from",
        lambda g: {"mlflow_database_reader_count": 1, "mlflow_database_read_from_readers": True},
        f"create rds_instance, {OTHER_URIS}",
        f"rds:CreateDBInstance, {DEPLOY_OTHER_URIS}",
        revised=URIS,
    ),
    Case(
        "no reader",
        lambda g: {"mlflow_database_reader_count": 0},
        f"delete rds_instance, {OTHER_URIS}",
        f"rds:DeleteDBInstance, {DEPLOY_OTHER_URIS}",
        ("without a reader, a failover takes",),
        revised=URIS,
    ),
    Case(
        "TLS policy", lambda g: {"mlflow_load_balancer_ssl_policy": "ELBSecurityPolicy-TLS13-1-3-2021-06"}, "update elbv2_listener*2", "elbv2:ModifyListener*2"
    ),
    Case(
        "idle timeout, which the server's keep-alive follows",
        lambda g: {"mlflow_load_balancer_idle_timeout": 120},
        f"update elbv2_load_balancer, {NEW_REVISION}",
        f"elbv2:ModifyLoadBalancerAttributes, {DEPLOY}",
        revised=f"{ENV}MLFLOW_UVICORN_OPTS",
    ),
    Case(
        "deregistration delay", lambda g: {"mlflow_load_balancer_deregistration_delay": 300}, "update elbv2_target_group", "elbv2:ModifyTargetGroupAttributes"
    ),
    Case("session timeout", lambda g: {"mlflow_load_balancer_session_timeout": 3600}, "update elbv2_listener_rule", "elbv2:ModifyRule"),
    Case(
        "token access",
        lambda g: {"mlflow_load_balancer_token_access": True, "mlflow_load_balancer_token_record_name": "mlflow-token"},
        f"create elbv2_listener_certificates, create elbv2_listener_rule*2, create route53_record, {NEW_REVISION}",
        f"elbv2:AddListenerCertificates, elbv2:AddTags*2, elbv2:CreateRule*2, route53:ChangeResourceRecordSets, {DEPLOY}",
        revised=f"{ENV}MLFLOW_SERVER_ALLOWED_HOSTS",
    ),
    Case(
        "tokens with a group and a scope",
        lambda g: {"mlflow_api_groups": ["ml"], "mlflow_api_scopes": ["mlflow/write"]},
        "update elbv2_listener_rule*2, update lambda_function",
        "elbv2:ModifyRule*2, lambda:UpdateFunctionConfiguration",
    ),
    Case(
        "no token access",
        lambda g: {"mlflow_load_balancer_token_access": None, "mlflow_api_groups": None, "mlflow_api_scopes": None},
        f"delete elbv2_listener_certificates, delete elbv2_listener_rule*2, delete route53_record, update lambda_function, {NEW_REVISION}",
        f"elbv2:RemoveListenerCertificates, elbv2:RemoveTags, elbv2:DeleteRule*2, elbv2:AddTags, route53:ChangeResourceRecordSets, "
        f"lambda:UpdateFunctionConfiguration, {DEPLOY}",
        ("clients that ask for another name",),
        revised=f"{ENV}MLFLOW_SERVER_ALLOWED_HOSTS",
    ),
    Case(
        "deletion protection of the load balancer",
        lambda g: {"mlflow_load_balancer_deletion_protection": True},
        "update elbv2_load_balancer",
        "elbv2:ModifyLoadBalancerAttributes",
    ),
    Case(
        "none again",
        lambda g: {"mlflow_load_balancer_deletion_protection": False},
        "update elbv2_load_balancer",
        "elbv2:ModifyLoadBalancerAttributes",
        ("the load balancer can be deleted by mistake",),
    ),
    Case(
        "access logs", lambda g: {"mlflow_load_balancer_access_logs_bucket": "logs-bucket"}, "update elbv2_load_balancer", "elbv2:ModifyLoadBalancerAttributes"
    ),
    *(
        Case(name, lambda g, n=n: {"mlflow_load_balancer_web_acl_arn": g.web_acls[n]}, f"{action} wafv2_web_acl_association", calls, warns)
        for n, (name, action, calls, warns) in enumerate(
            (
                ("a web ACL", "create", "wafv2:AssociateWebACL, elbv2:AddTags", ()),
                ("another web ACL", "update", "wafv2:AssociateWebACL, elbv2:AddTags", ()),
                ("no web ACL", "delete", "wafv2:DisassociateWebACL, elbv2:RemoveTags", ("no longer filtered",)),
            )
        )
    ),
    Case("their prefix", lambda g: {"mlflow_load_balancer_access_logs_prefix": "mlflow"}, "update elbv2_load_balancer", "elbv2:ModifyLoadBalancerAttributes"),
    Case(
        "clients of the API, and groups and scopes of its users",
        lambda g: {"mlflow_api_client_ids": [g.client], "mlflow_api_groups": ["ml"], "mlflow_api_scopes": ["openid"]},
        "update lambda_function",
        "lambda:UpdateFunctionConfiguration",
    ),
    Case(
        "users of the API",
        lambda g: {"mlflow_api_credentials_secret_arn": g.secret, "mlflow_api_groups": []},
        "update iam_role_policy, update lambda_function",
        "iam:PutRolePolicy, lambda:UpdateFunctionConfiguration",
    ),
    Case(
        "throttling",
        lambda g: {"mlflow_api_throttling_rate_limit": 50, "mlflow_api_throttling_burst_limit": 60},
        "update apigatewayv2_stage",
        "apigatewayv2:UpdateStage",
        ("throttling_rate_limit: 50 instead of 100", "throttling_burst_limit: 60 instead of 200"),
    ),
    Case(
        "API Gateway's own authorizer",
        lambda g: {"mlflow_api_authorizer": "jwt", "mlflow_api_credentials_secret_arn": None},
        "create apigatewayv2_authorizer, update apigatewayv2_route, update apigatewayv2_stage, delete apigatewayv2_authorizer, delete lambda_function, "
        "delete lambda_permission, delete iam_role, delete iam_role_policy, delete logs_log_group",
        "apigatewayv2:CreateAuthorizer, apigatewayv2:UpdateRoute, apigatewayv2:UpdateStage, apigatewayv2:DeleteAuthorizer, lambda:DeleteFunction, "
        "iam:DeleteRolePolicy, iam:DeleteRole, logs:DeleteLogGroup",
        ("its logs are deleted",),
    ),
    Case(
        "the function again",
        lambda g: {"mlflow_api_authorizer": "lambda"},
        "create logs_log_group, create iam_role, create iam_role_policy, create lambda_function, create apigatewayv2_authorizer, "
        "create lambda_permission, update apigatewayv2_route, update apigatewayv2_stage, delete apigatewayv2_authorizer",
        "logs:CreateLogGroup, logs:PutRetentionPolicy, iam:CreateRole, iam:PutRolePolicy, lambda:CreateFunction, "
        "apigatewayv2:CreateAuthorizer, lambda:AddPermission, apigatewayv2:UpdateRoute, apigatewayv2:UpdateStage, apigatewayv2:DeleteAuthorizer",
    ),
    Case(
        "days of noncurrent artifacts",
        lambda g: {"mlflow_artifact_bucket_noncurrent_days": 30},
        "update s3_bucket",
        "s3:PutBucketLifecycleConfiguration",
        ("lifecycle_rules: expire-noncurrent-versions: objects or versions of them are deleted earlier",),
    ),
    Case(
        "access logs of the bucket",
        lambda g: {"mlflow_artifact_bucket_access_logs_bucket": "logs-bucket", "mlflow_artifact_bucket_access_logs_prefix": "artifacts"},
        "update s3_bucket",
        "s3:PutBucketLogging, s3:PutBucketTagging",
    ),
    Case(
        "no access logs of the bucket",
        lambda g: {"mlflow_artifact_bucket_access_logs_bucket": None, "mlflow_artifact_bucket_access_logs_prefix": None},
        "update s3_bucket",
        "s3:PutBucketLogging, s3:PutBucketTagging",
        ("access to it is no longer logged",),
    ),
    Case(
        "a key of the bucket",
        lambda g: {"mlflow_artifact_bucket_encryption_algorithm": "aws:kms", "mlflow_artifact_bucket_encryption_key_arn": g.inputs["mlflow_key_arn"]},
        "update s3_bucket, update iam_role_policy",
        "s3:PutBucketEncryption, iam:PutRolePolicy",
        ("keep their encryption",),
    ),
    Case(
        "path in the bucket",
        lambda g: {"mlflow_artifact_bucket_path": "/mlflow"},
        f"update iam_role_policy, {NEW_REVISION}",
        f"iam:PutRolePolicy, {DEPLOY}",
        ("can no longer be reached through the server, which passes on those below",),
        revised=f"{ENV}MLFLOW_ARTIFACTS_DESTINATION",
    ),
    Case("buckets to read", lambda g: {"mlflow_artifact_buckets_mlflow_will_read": ["other-bucket"]}, "update iam_role_policy", "iam:PutRolePolicy"),
    Case(
        "direct artifacts",
        lambda g: {"mlflow_artifact_access": "direct"},
        NEW_REVISION,
        DEPLOY,
        ("can no longer be reached through the server, which no longer passes any on",),
        revised=f"{ENV}MLFLOW_ARTIFACTS_DESTINATION, {ENV}MLFLOW_DEFAULT_ARTIFACT_ROOT, {ENV}MLFLOW_SERVE_ARTIFACTS",
    ),
    Case(
        "presigned artifacts",
        lambda g: {"mlflow_artifact_access": "presigned"},
        f"update s3_bucket, {NEW_REVISION}",
        f"s3:PutBucketCors, s3:PutBucketTagging, {DEPLOY}",
        ("clients older than MLflow 3.18 can no longer log artifacts",),
        revised=f"{ENV}MLFLOW_ARTIFACTS_DESTINATION, {ENV}MLFLOW_DEFAULT_ARTIFACT_ROOT, {ENV}MLFLOW_SERVE_ARTIFACTS, {PRESIGNED}, {SIGNED_URLS}",
    ),
    Case("proxied artifacts in parts", lambda g: {"mlflow_artifact_access": None, "mlflow_artifact_multipart": True}, NEW_REVISION, DEPLOY, revised=PRESIGNED),
    Case(
        "artifacts through the server",
        lambda g: {"mlflow_artifact_multipart": None},
        f"update s3_bucket, {NEW_REVISION}",
        f"s3:DeleteBucketCors, s3:PutBucketTagging, {DEPLOY}",
        ("pages of the UI can no longer reach it",),
        revised=SIGNED_URLS,
    ),
    Case("options of uvicorn", lambda g: {"mlflow_uvicorn_opts": "--timeout-keep-alive=500"}, NEW_REVISION, DEPLOY, revised=f"{ENV}MLFLOW_UVICORN_OPTS"),
    Case(
        "gunicorn",
        lambda g: {"mlflow_uvicorn_opts": None, "mlflow_gunicorn_opts": "--timeout 60"},
        NEW_REVISION,
        DEPLOY,
        revised=f"{ENV}MLFLOW_UVICORN_OPTS, {ENV}MLFLOW_GUNICORN_OPTS",
    ),
    Case(
        "less of everything",
        lambda g: {
            "mlflow_database_auto_pause": True,
            "mlflow_database_max_capacity": 2,
            "mlflow_service_memory": 4096,
            "mlflow_service_max_capacity": 1,
            "mlflow_service_min_capacity": 0,
        },
        f"update rds_cluster, {BOTH_REVISIONS}, update application_autoscaling_target",
        f"rds:ModifyDBCluster, {DEPLOY_BOTH}, application-autoscaling:RegisterScalableTarget",
        (
            "min_capacity: 0 ACU instead of 2",
            "max_capacity: 2 ACU instead of 4",
            "pauses when nobody uses it",
            "memory: each task gets 4096 instead of 8192",
            "min: 0 instead of 1",
            "max: 1 instead of 6",
            "everything may be stopped",
        ),
        revised=f"{PAUSE}, memory, prepare.memory",
    ),
    Case(
        "the internet",
        lambda g: {
            "mlflow_load_balancer_is_internal": False,
            "mlflow_load_balancer_subnet_ids": g.public_subnets,
            "mlflow_load_balancer_ingress_cidr_blocks": ["198.51.100.0/24", "0.0.0.0/0", "::/0"],
            "mlflow_load_balancer_ip_address_type": "dualstack",
        },
        "create ec2_security_group, create ec2_security_group_rule*8, delete ec2_security_group_rule*2, "
        "create elbv2_target_group, create elbv2_load_balancer, create elbv2_listener, create elbv2_listener_rule*2, "
        "replace elbv2_load_balancer, replace elbv2_listener*2, replace elbv2_listener_rule, delete elbv2_listener, "
        "delete elbv2_listener_rule*2, update route53_record, create route53_record, update ecs_service, update apigatewayv2_integration",
        "ec2:CreateSecurityGroup, ec2:AuthorizeSecurityGroupIngress*6, ec2:AuthorizeSecurityGroupEgress*2, "
        "ec2:RevokeSecurityGroupIngress, ec2:RevokeSecurityGroupEgress*3, elbv2:CreateTargetGroup, elbv2:CreateLoadBalancer*2, "
        "elbv2:ModifyTargetGroupAttributes, elbv2:ModifyLoadBalancerAttributes*2, elbv2:DeleteLoadBalancer, elbv2:CreateListener*3, "
        "elbv2:CreateRule*3, elbv2:AddTags, route53:ChangeResourceRecordSets*2, ecs:UpdateService, apigatewayv2:UpdateIntegration",
        (
            "opens the group to the internet",
            "opens the load balancer to the internet",
            "requests fail for minutes",
            "nobody can connect to this port any more",
            "are cut",
        ),
        revised="service.load_balancers",
    ),
    Case(
        "back from the internet",
        lambda g: {
            "mlflow_load_balancer_is_internal": True,
            "mlflow_load_balancer_subnet_ids": g.inputs["mlflow_load_balancer_subnet_ids"],
            "mlflow_load_balancer_ingress_cidr_blocks": ["198.51.100.0/24"],
            "mlflow_load_balancer_ip_address_type": None,
        },
        "create ec2_security_group_rule*2, delete ec2_security_group_rule*6, delete ec2_security_group, "
        "replace elbv2_load_balancer, replace elbv2_listener*2, replace elbv2_listener_rule, create elbv2_listener, "
        "create elbv2_listener_rule*2, update route53_record, delete route53_record, update ecs_service, update apigatewayv2_integration, "
        "delete elbv2_target_group, delete elbv2_load_balancer, delete elbv2_listener, delete elbv2_listener_rule*2",
        "ec2:AuthorizeSecurityGroupIngress, ec2:AuthorizeSecurityGroupEgress, ec2:RevokeSecurityGroupIngress*5, "
        "ec2:RevokeSecurityGroupEgress, ec2:DeleteSecurityGroup, elbv2:DeleteLoadBalancer*2, elbv2:CreateLoadBalancer, "
        "elbv2:ModifyLoadBalancerAttributes, elbv2:CreateListener*3, elbv2:CreateRule*3, elbv2:DeleteTargetGroup, "
        "elbv2:AddTags, route53:ChangeResourceRecordSets*2, ecs:UpdateService, apigatewayv2:UpdateIntegration",
        ("requests fail for minutes", "are cut"),
        revised="service.load_balancers",
    ),
]


@pytest.fixture(scope="module")
def deployed(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stack, Given]:
    aws_server.reset()
    inputs = prerequisites(aws_server)
    zone = inputs["mlflow_api_zone_name"]
    inputs["mlflow_api_cert_arn"] = certificate(aws_server, f"mlflow.{zone}", inputs["mlflow_api_zone_id"], f"mlflow-token.{zone}")
    ec2 = aws_server.client("ec2")
    subnets = [
        ec2.create_subnet(VpcId=inputs["mlflow_vpc_id"], CidrBlock=cidr, AvailabilityZone="eu-west-1b")["Subnet"]["SubnetId"]
        for cidr in ("10.0.30.0/24", "10.0.31.0/24")
    ]
    secret = aws_server.client("secretsmanager").create_secret(Name="users", SecretString='{"ci": "a password of a program"}')["ARN"]
    registry = aws_server.client("secretsmanager").create_secret(Name="registry", SecretString='{"username": "ci", "password": "t"}')["ARN"]
    pool = inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    client = aws_server.client("cognito-idp").create_user_pool_client(UserPoolId=pool, ClientName="programs")
    logs_bucket(aws_server, "logs-bucket")
    aws_server.client("s3").put_object(Bucket="logs-bucket", Key="mlflow.env", Body=b"# of the team\nA_FILE=1\n")
    aws_server.client("ssm").put_parameter(Name=PARAMETER, Value="s", Type="SecureString", KeyId=inputs["mlflow_key_arn"])
    log_key = aws_server.client("kms").create_key(Policy=key_policy())["KeyMetadata"]["Arn"]
    stack = Stack(aws_server, tmp_path_factory.mktemp("stack"), {**inputs, "mlflow_identity": "off"})
    stack.apply()
    public = public_subnets(aws_server, inputs["mlflow_vpc_id"])
    give_ipv6(aws_server, inputs["mlflow_vpc_id"], [*inputs["mlflow_load_balancer_subnet_ids"], *public])
    offices = ec2.create_managed_prefix_list(PrefixListName="offices", AddressFamily="IPv4", MaxEntries=10)["PrefixList"]["PrefixListId"]
    web_acls = (web_acl(aws_server, "one"), web_acl(aws_server, "other"), None)
    return stack, Given(inputs, *subnets, secret, registry, client["UserPoolClient"]["ClientId"], public, offices, web_acls, log_key)


def counted(text: str) -> Counter[str]:
    """'a, b*2' as a Counter."""
    total: Counter[str] = Counter()
    for name, _star, times in (word.partition("*") for word in text.split(", ")):
        total[name] += int(times or 1)
    return total


def together(cases: t.Iterable[Case]) -> list[list[Case]]:
    """The cases in as few runs as there can be: each after all those before it that change a resource of the same kind, or of what cases
    share the same field, or what is in it.
    """
    runs: list[list[Case]] = []
    last: dict[str, int] = {}
    for case in cases:
        touched = {change.partition(" ")[2] for change in counted(case.changes)} - SHARED_KINDS | case.fields
        number = (
            max((last[other] for other in last for each in touched if f"{each}.".startswith(f"{other}.") or f"{other}.".startswith(f"{each}.")), default=-1) + 1
        )
        last |= dict.fromkeys(touched, number)
        if number == len(runs):
            runs.append([])
        runs[number].append(case)
    return runs


def in_all(texts: t.Iterable[str]) -> Counter[str]:
    """What several cases change or call in one run: all of it, but what they share once."""
    total: Counter[str] = Counter()
    for text in texts:
        for name, times in counted(text).items():
            total[name] = max(total[name], times) if name.partition(" ")[2] in SHARED_KINDS or name in DEPLOYING else total[name] + times
    return total


def revised(changes: list[dict[str, t.Any]]) -> set[str]:
    """The fields that change of what is SHARED. That the service has the new revision is no news."""
    shared = [(SHARED[change["kind"], change["name"]], change["fields"]) for change in changes if change["kind"] in SHARED_KINDS]
    return {f"{prefix}{field['name'].partition('.arn:')[0]}" for prefix, fields in shared for field in fields} - {"service.task_definition"}


BY_THEMSELVES = [pytest.param([case], marks=pytest.mark.faults, id=f"{case.name} alone") for case in CASES]


@pytest.mark.parametrize("cases", [*together(CASES), *BY_THEMSELVES], ids=lambda cases: "; ".join(case.name for case in cases))
def test_a_changed_input_changes_what_it_should(deployed: tuple[Stack, Given], cases: list[Case]) -> None:
    stack, given = deployed
    planned, run = stack.plan_and_apply(**{name: value for case in cases for name, value in case.values(given).items()})
    assert deviations(planned, run.changes) == []
    assert Counter(f"{change['action']} {change['kind']}" for change in run.changes) == in_all(case.changes for case in cases)
    assert Counter(run.mutating) == in_all([LEASE, *(case.calls for case in cases)])
    assert revised(run.changes) == set().union(*(case.fields for case in cases))
    warnings = {warning for change in planned for warning in change["warnings"]}
    expected = [part for case in cases for part in case.warns]
    assert [w for w in warnings if not any(part in w for part in expected)] == []
    assert [part for part in expected if not any(part in w for w in warnings)] == []
    assert findings(listing(stack.aws)) == []


def test_a_tag_reaches_everything_and_leaves_it_again(deployed: tuple[Stack, Given]) -> None:
    stack, _given = deployed
    planned, run = stack.plan_and_apply(mlflow_tags={"team": "team-x", "new": "tag"})
    assert deviations(planned, run.changes) == []
    assert {change["action"] for change in run.changes} == {"update"} and len(run.changes) > 35
    assert {field["name"] for change in run.changes for field in change["fields"]} <= {"tags.new", "task_definition"}
    planned, run = stack.plan_and_apply(mlflow_tags={"team": "team-x"})
    assert deviations(planned, run.changes) == []
    removed = [field for change in run.changes for field in change["fields"] if field["name"] == "tags.new"]
    assert len(removed) > 35 and {(f["before"], f["after"]) for f in removed} == {("tag", None)}


def test_a_new_password_reaches_the_database_and_the_servers(deployed: tuple[Stack, Given]) -> None:
    stack, given = deployed
    arn = given.inputs["mlflow_database_password_secret_arn"]
    stack.aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString="another-password-1")
    planned, run = stack.plan_and_apply()
    assert deviations(planned, run.changes) == []
    assert "another-password-1" not in run.text + json.dumps(planned)
    store = next(change for change in planned if change["name"].endswith("-backend-store-uri"))
    assert {"name": "value", "before": "(sensitive)", "after": "(sensitive)"} in store["fields"]
    assert "running servers cannot open connections" in store["warnings"][0]
    assert "        value: (sensitive) → (sensitive)\n" in run.text
    order = [call for call in run.mutating if call in ("rds:ModifyDBCluster", "ecs:RunTask", "ecs:UpdateService")]
    assert order == ["rds:ModifyDBCluster", "ecs:RunTask", "ecs:UpdateService"]


def test_without_a_container_as_root_and_with_it_again(deployed: tuple[Stack, Given]) -> None:
    """Not in the table: a container that goes has no fields of its own, which others there change."""
    stack, _given = deployed
    families = {"mlflow": "mlflow-team-x", "prepare-database": "mlflow-team-x-prepare-database"}
    disk = {"tmpfs": [], "mounts": ["/tmp"], "volumes": ["tmp"], "waits": ["tmp-permissions"], "users": {"0", "10001:10001"}}
    memory = {"mounts": [], "volumes": [], "waits": [], "users": {"10001:10001"}}
    for size in (1024, 512, 0):
        planned, run = stack.plan_and_apply(mlflow_service_tmpfs_size=size)
        assert deviations(planned, run.changes) == []
        assert Counter(f"{change['action']} {change['kind']}" for change in run.changes) == counted(BOTH_REVISIONS)
        assert Counter(run.mutating) == in_all([LEASE, DEPLOY_BOTH])
        tmpfs = [{"containerPath": "/tmp", "size": size, "mountOptions": ["mode=1777", "exec", "nosuid", "nodev"]}]
        for name, family in families.items():
            task = stack.aws.client("ecs").describe_task_definition(taskDefinition=family)["taskDefinition"]
            container = next(each for each in task["containerDefinitions"] if each["name"] == name)
            assert {
                "tmpfs": container["linuxParameters"].get("tmpfs", []),
                "mounts": [each["containerPath"] for each in container.get("mountPoints", [])],
                "volumes": [each["name"] for each in task.get("volumes", [])],
                "waits": [each["containerName"] for each in container.get("dependsOn", [])],
                "users": {each.get("user", "0") for each in task["containerDefinitions"]},
            } == ({**memory, "tmpfs": tmpfs} if size else disk)
        assert findings(listing(stack.aws)) == []


def test_the_end_of_the_table_left_nothing_to_do(deployed: tuple[Stack, Given]) -> None:
    stack, _given = deployed
    planned, run = stack.plan_and_apply()
    assert (planned, run.changes, run.mutating) == ([], [], [])

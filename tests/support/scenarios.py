# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options with which each module of the collection makes something, changes it and removes it."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from embedded_aws.client import EmbeddedAWS

ROLE = "arn:aws:iam::123456789012:role/x"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
FLOW_LOGS_TRUST = {"Version": "2012-10-17", "Statement": [{**TRUST["Statement"][0], "Principal": {"Service": "vpc-flow-logs.amazonaws.com"}}]}
TASK = "arn:aws:ecs:eu-west-1:123456789012:task-definition/x:1"
CONTAINER = {"name": "c", "image": "i", "portMappings": [{"containerPort": 5000}]}
TRACKING = {"TargetValue": 70, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}
EXPIRY = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
            "action": {"type": "expire"},
        }
    ]
}
ALARM = {
    "name": "x/a",
    "description": "a",
    "metrics": {"m1": {"namespace": "AWS/ECS", "name": "CPUUtilization", "statistic": "Average", "dimensions": {"C": "x"}}},
}
PUBLISH = {"Effect": "Allow", "Principal": {"Service": ["events.rds.amazonaws.com"]}, "Action": "sns:Publish", "Resource": "*"}
WATCHING = {
    "topic": {"name": "x", "emails": ["anna@example.com"], "policy": {"Version": "2012-10-17", "Statement": [PUBLISH]}},
    "topic_arn": "arn:aws:sns:eu-west-1:123456789012:x",
    "event_rules": [{"name": "x", "event_pattern": {"source": ["aws.ecs"]}}],
    "rds_event_subscriptions": [{"name": "x", "source_ids": ["x"], "event_categories": ["failover"]}],
    "dashboards": [{"name": "x", "body": {"widgets": []}}],
}
FORWARD = {"Type": "forward"}
HOST = {"Field": "host-header", "Values": ["x.example.com"]}
TAGS = {"managed-by": "us", "mlflow-stack": "x"}
QUERY = {"name": "x/audit", "query_string": "fields x"}
ACTING = {
    "rds_cluster_snapshot": {"cluster_identifier": "x", "snapshot_identifier": "s", "tags": TAGS},
    "rds_cluster_switchover": {"cluster_identifier": "x", "replacement_identifier": "y", "restored_from": "snapshot:s", "tags": TAGS},
    "ecs_service_state": {"name": "x", "cluster": "x", "state": "stopped"},
}
"""What makes nothing that it could remove as well, and works with what the others have made, and with L(other_cluster)."""


class Scenario(t.NamedTuple):
    """Options that make something, and other ones that change it."""

    module: str
    given: dict[str, t.Any]
    change: dict[str, t.Any]


def scenarios(inputs: dict[str, t.Any], source: str) -> list[Scenario]:
    """One for every module, in an order in which each finds what it needs."""
    subnets, vpc, zone = inputs["mlflow_load_balancer_subnet_ids"], inputs["mlflow_vpc_id"], inputs["mlflow_zone_id"]
    rules = [{"direction": "ingress", "from_port": 80, "cidrs": ["192.0.2.0/24"]}]
    listener = {"port": 80, "protocol": "HTTP", "default_actions": [FORWARD], "rules": [{"priority": 1, "conditions": [HOST], "actions": [FORWARD]}]}
    database = {
        "engine": "aurora-mysql",
        "engine_version": "8.0.mysql_aurora.3.10.3",
        "master_username": "admin",
        "master_user_password_secret_arn": inputs["mlflow_database_password_secret_arn"],
        "subnet_ids": subnets,
        "reader_count": 1,
        "enabled_cloudwatch_logs_exports": ["error"],
        "log_retention_in_days": 30,
        "serverless_v2_scaling": {"min_capacity": 0.5, "max_capacity": 1},
    }
    store = {
        "master_secret_arn": inputs["mlflow_database_password_secret_arn"],
        "engine": "aurora-mysql",
        "host": "h",
        "port": "1",
        "database": "d",
        "unique_name": "x",
    }
    task = {"family": "x", "container_definitions": [CONTAINER], "cpu": 256, "memory": 512}
    placed = {"subnets": subnets, "security_groups": ["sg-1"], "cluster": "x", "task_definition": TASK}
    api = {
        "vpc_link": {"name": "x-api", "subnet_ids": subnets},
        "integration": {"listener_arn": "arn:listener"},
        "authorizer": {"name": "x", "type": "REQUEST", "function_name": "x", "uri": "arn:function"},
    }
    return [
        Scenario(
            "ec2_security_groups",
            {"vpc_id": vpc, "security_groups": [{"name": "x", "description": "x", "rules": rules}]},
            {"security_groups": [{"name": "x", "description": "x", "rules": []}]},
        ),
        Scenario(
            "ec2_vpc_endpoints",
            {"vpc_id": vpc, "endpoints": [{"service": "com.amazonaws.eu-west-1.logs", "subnet_ids": subnets[:2]}]},
            {"endpoints": [{"service": "com.amazonaws.eu-west-1.logs", "subnet_ids": subnets[1:]}]},
        ),
        Scenario(
            "ec2_flow_log",
            {"vpc_id": vpc, "log_group": {"name": "/aws/vpc-flow-logs/x"}, "role": {"name": "x-flow-logs", "assume_role_policy": FLOW_LOGS_TRUST}},
            {"traffic_type": "REJECT", "log_group": {"name": "/aws/vpc-flow-logs/x", "retention_in_days": 30}},
        ),
        Scenario(
            "iam_roles",
            {"roles": [{"name": "x", "assume_role_policy": TRUST, "inline_policies": {"p": POLICY}, "managed_policies": []}]},
            {"roles": [{"name": "x", "assume_role_policy": TRUST, "managed_policies": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}]},
        ),
        Scenario(
            "s3_bucket",
            {"name": "x-bucket", "versioning": True, "policy": {}, "lifecycle_rules": [], "force_empty": True},
            {"versioning": False, "public_access_block": True, "cors_rule": {"AllowedOrigins": ["https://x.example.com"], "AllowedMethods": ["GET"]}},
        ),
        Scenario("secretsmanager_secret", {"name": "x", "value": "first-value"}, {"value": "second-value"}),
        Scenario("mlflow_backend_store", {"name": "x-store", "server_keys_name": "x-keys", **store}, {"host": "other", "prepared": True}),
        Scenario("rds_cluster", {"cluster_identifier": "x", **database}, {"backup_retention_period": 7, "reader_count": 0, "log_retention_in_days": 60}),
        Scenario(
            "elbv2_load_balancer",
            {
                "name": "x",
                "subnets": subnets,
                "target_group": {"name": "x", "port": 80, "vpc_id": vpc},
                "listeners": [listener],
                "dns_records": [{"name": "z.team-x.example.com", "zone_id": zone}],
            },
            {"scheme": "internet-facing", "listeners": []},
        ),
        Scenario(
            "route53_records",
            {"records": [{"name": "x.team-x.example.com", "type": "A", "zone_id": zone, "values": ["192.0.2.1"], "ttl": 60}]},
            {"records": [{"name": "x.team-x.example.com", "type": "A", "zone_id": zone, "values": ["192.0.2.2"], "ttl": 60}]},
        ),
        Scenario("route53_hosted_zone", {"name": "zone.example.com"}, {"comment": "other"}),
        Scenario(
            "ecr_repository",
            {"name": "x/mlflow", "image_tag": "v1", "lifecycle_policy": {}},
            {"image_tag_mutability": "MUTABLE", "scan_on_push": False, "lifecycle_policy": EXPIRY},
        ),
        Scenario(
            "ecs_cluster",
            {"name": "x", "task_definitions": [task], "log_group": {"name": "x-tasks", "retention_in_days": 30}, "query_definition": QUERY},
            {
                "container_insights": "enabled",
                "query_definition": {**QUERY, "query_string": "fields y"},
                "capacity_providers": ["FARGATE"],
                "task_definitions": [{**task, "cpu": 512, "memory": 1024}],
            },
        ),
        Scenario("ecs_task", {"name": "x", **placed}, {}),
        Scenario(
            "ecs_service",
            {"name": "x", **placed, "scalable_target": {"min_capacity": 1, "max_capacity": 2, "policies": [{"name": "x", "target_tracking": TRACKING}]}},
            {
                "enable_execute_command": True,
                "scalable_target": {"min_capacity": 0, "max_capacity": 2, "scheduled_actions": [{"name": "x", "schedule": "rate(1 day)", "min_capacity": 1}]},
            },
        ),
        Scenario("lambda_function", {"name": "x", "source": source, "handler": "a.b", "role": ROLE}, {"memory_size": 256, "architectures": ["x86_64"]}),
        Scenario("apigatewayv2_vpc_link", {"name": "x", "subnet_ids": subnets}, {"subnet_ids": subnets[:2]}),
        Scenario(
            "apigatewayv2_api",
            {
                "name": "x",
                **api,
                "domain": {"name": "x.example.com", "certificate_arn": "arn:1", "dns_records": [{"name": "y.team-x.example.com", "zone_id": zone}]},
                "access_log": {"log_group": "x-api", "retention_in_days": 30},
            },
            {
                "route_keys": ["GET /"],
                "domain": {"name": "x.example.com", "certificate_arn": "arn:2"},
                "authorizer": {"name": "y", "type": "JWT", "issuer": "https://i.example.com"},
            },
        ),
        Scenario(
            "cloudwatch_monitoring",
            {
                "alarm_name_prefix": "x/",
                "alarms": [{**ALARM, "threshold": 90}],
                "metric_filters": [{"name": "x", "log_group": "x-tasks", "pattern": "refused", "namespace": "n", "metric": "m"}],
                **WATCHING,
            },
            {"alarms": [{**ALARM, "name": "x/b", "threshold": 80}], "dashboards": [{"name": "x"}], "topic_arn": ""},
        ),
        Scenario("acm_certificate", {"domain_name": "x.team-x.example.com", "zone_id": zone}, {"subject_alternative_names": ["y.team-x.example.com"]}),
        Scenario(
            "cognito_user_pool",
            {"name": "x", "domain": "x-pool", "clients": [{"name": "c"}]},
            {
                "deletion_protection": False,
                "invited": ["anna@example.com"],
                "invited_groups": ["ml-admins"],
                "clients": [{"name": "c", "callback_urls": ["https://x.example.com"], "logout_urls": ["https://x.example.com/"]}, {"name": "d"}],
            },
        ),
    ]


def other_cluster(aws: EmbeddedAWS) -> None:
    """Make the cluster that takes the place of another."""
    aws.client("rds").create_db_cluster(DBClusterIdentifier="y", Engine="aurora-mysql", Tags=tag_list(TAGS), MasterUsername="a", MasterUserPassword="b" * 12)

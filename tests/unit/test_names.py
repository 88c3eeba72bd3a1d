# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of a stack in AWS, in full: what is deployed under another name is lost to the next run."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import LOAD_BALANCER_NAME, host_name, lease_path, names_of, owner
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.rules import RULES

INPUTS = {
    "mlflow_unique_name": "mlflow-team-x",
    "mlflow_record_name": "mlflow",
    "mlflow_zone_name": "ml.example.com.",
    "mlflow_api_zone_name": "api.ml.example.com",
    "mlflow_database_engine": "aurora-mysql",
    "mlflow_load_balancer_is_internal": True,
}
TOKENS = {"mlflow_load_balancer_token_access": True, "mlflow_load_balancer_token_record_name": "mlflow-token"}


def test_the_names_of_a_stack() -> None:
    assert names_of(INPUTS, "123456789012", "eu-west-1")._asdict() == {
        "unique_name": "mlflow-team-x",
        "host": "mlflow.ml.example.com",
        "api_host": "mlflow.api.ml.example.com",
        "token_host": "",
        "path_prefix": "",
        "ports": {"service": 5000, "loopback": 5001, "api_listener": 8443, "database": 3306},
        "load_balancer_security_group": "mlflow-team-x-load-balancer",
        "service_security_group": "mlflow-team-x-service",
        "database_security_group": "mlflow-team-x-database",
        "vpc_link_security_group": "mlflow-team-x-vpc-link",
        "api_load_balancer_security_group": "mlflow-team-x-load-balancer-api",
        "bucket": "mlflow-team-x-123456789012-eu-west-1",
        "database_log_groups": {"error": "/aws/rds/cluster/mlflow-team-x/error", "slowquery": "/aws/rds/cluster/mlflow-team-x/slowquery"},
        "all_database_log_groups": {log: f"/aws/rds/cluster/mlflow-team-x/{log}" for log in ("error", "slowquery", "postgresql", "audit")},
        "load_balancers": ["mlflow-team-x"],
        "target_groups": ["mlflow-team-x"],
        "tls_target_groups": {"mlflow-team-x": "mlflow-team-x-tls", "mlflow-team-x-api": "mlflow-team-x-api-tls"},
        "jobs_target_groups": ["mlflow-team-x-jobs"],
        "all_jobs_target_groups": {
            "mlflow-team-x": ["mlflow-team-x-jobs", "mlflow-team-x-jobs-tls"],
            "mlflow-team-x-api": ["mlflow-team-x-jobs-api", "mlflow-team-x-jobs-api-tls"],
        },
        "api_load_balancer": "mlflow-team-x-api",
        "jobs_service": "mlflow-team-x-jobs",
        "preparation_task": "mlflow-team-x-prepare-database",
        "import_task": "mlflow-team-x-import-database",
        "mirror_repository": "mlflow-team-x/mlflow",
        "mirror_task": "mlflow-team-x-mirror-image",
        "mirror_role": "mlflow-team-x-ecs-mirror",
        "mirror_tag": "",
        "cached_repository": "",
        "cached_registry": "",
        "scalable_target": "service/mlflow-team-x/mlflow-team-x",
        "cpu_policy": "mlflow-team-x-cpu",
        "scheduled_action_prefix": "mlflow-team-x-",
        "execution_role": "mlflow-team-x-ecs-execution",
        "preparation_role": "mlflow-team-x-ecs-prepare-execution",
        "task_role": "mlflow-team-x-ecs-task",
        "monitoring_role": "mlflow-team-x-rds-monitoring",
        "backend_store_secret": "mlflow-team-x-backend-store-uri",
        "server_keys_secret": "mlflow-team-x-server-keys",
        "identity_key_secret": "mlflow-team-x-identity-key",
        "service_log_group": "/ecs/mlflow-team-x",
        "audit_query": "mlflow-team-x/audit",
        "authorizer": "mlflow-team-x-authorizer",
        "lambda_authorizer": "mlflow-team-x-lambda",
        "jwt_authorizer": "mlflow-team-x-jwt",
        "authorizer_log_group": "/aws/lambda/mlflow-team-x-authorizer",
        "access_log_group": "/aws/vendedlogs/apigateway/mlflow-team-x",
        "previous_access_log_group": "/aws/apigateway/mlflow-team-x",
        "alarm_prefix": "mlflow-team-x/",
        "deployment_alarms": ["mlflow-team-x/people-errors", "mlflow-team-x/api-errors"],
        "alarm_topic": "mlflow-team-x-alarms",
        "database_events": "mlflow-team-x-database",
        "deployments_rule": "mlflow-team-x-deployments",
        "stopped_tasks_rule": "mlflow-team-x-stopped-tasks",
        "refused_filter": "mlflow-team-x/refused",
        "dashboard": "mlflow-team-x-eu-west-1",
        "account_dashboard": "mlflow-team-x-eu-west-1-account",
        "access_logs_bucket": "mlflow-team-x-logs-123456789012-eu-west-1",
        "flow_logs_role": "mlflow-team-x-flow-logs",
        "flow_log_group": "/aws/vpc-flow-logs/mlflow-team-x",
        "database_password_secret": "mlflow-team-x-database-password",
        "api_credentials_secret": "mlflow-team-x-api-credentials",
        "cognito_domain": "mlflow-team-x-123456789012",
    }


@pytest.mark.parametrize(
    ("changed", "field", "value"),
    [
        ({"mlflow_database_engine": "aurora-postgresql"}, "database_log_groups", {"postgresql": "/aws/rds/cluster/mlflow-team-x/postgresql"}),
        ({"mlflow_database_engine": "aurora-postgresql"}, "ports", {"service": 5000, "loopback": 5001, "api_listener": 8443, "database": 5432}),
        (
            {"mlflow_database_engine": "aurora-postgresql", "mlflow_database_port": 5433},
            "ports",
            {"service": 5000, "loopback": 5001, "api_listener": 8443, "database": 5433},
        ),
        (
            {"mlflow_database_engine": "aurora-mysql", "mlflow_database_audit_log": True},
            "database_log_groups",
            {log: f"/aws/rds/cluster/mlflow-team-x/{log}" for log in ("error", "slowquery", "audit")},
        ),
        ({"mlflow_load_balancer_is_internal": False}, "load_balancers", ["mlflow-team-x", "mlflow-team-x-api"]),
        ({"mlflow_service_tls": True}, "target_groups", ["mlflow-team-x-tls"]),
        ({"mlflow_unique_name": "x" * 28}, "tls_target_groups", {"x" * 28: "x" * 28 + "-tls", "x" * 28 + "-api": ""}),
        ({"mlflow_load_balancer_is_internal": False}, "jobs_target_groups", ["mlflow-team-x-jobs", "mlflow-team-x-jobs-api"]),
        ({"mlflow_service_tls": True}, "jobs_target_groups", ["mlflow-team-x-jobs-tls"]),
        ({"mlflow_unique_name": "x" * 28}, "jobs_target_groups", [""]),
        ({"mlflow_api_zone_name": ""}, "api_host", ""),
        (TOKENS, "token_host", "mlflow-token.api.ml.example.com"),
        ({**TOKENS, "mlflow_load_balancer_token_access": False}, "token_host", ""),
        ({**TOKENS, "mlflow_api_zone_name": ""}, "token_host", ""),
        ({"mlflow_service_environment": {"MLFLOW_STATIC_PREFIX": "/mlflow"}}, "path_prefix", "/mlflow"),
    ],
)
def test_names_that_other_inputs_change(changed: dict[str, t.Any], field: str, value: t.Any) -> None:
    assert names_of({**INPUTS, **changed})._asdict()[field] == value


def test_every_name_holds_the_name_of_its_stack() -> None:
    """The contract promises it, so that two stacks never meet."""
    every = {
        field: value
        for field, value in names_of(INPUTS)._asdict().items()
        if field not in ("host", "api_host", "token_host", "path_prefix", "ports", "unique_name", "mirror_tag", "cached_repository", "cached_registry")
    }
    for field, value in every.items():
        names = [value] if isinstance(value, str) else list(value.values() if isinstance(value, dict) else value)
        flat = [each for name in names for each in ([name] if isinstance(name, str) else name)]
        assert flat and all("mlflow-team-x" in name for name in flat), field


def test_the_longest_unique_name_is_that_of_the_shortest_kind() -> None:
    right, _remedy = RULES["mlflow_unique_name"]
    assert right("x" * LOAD_BALANCER_NAME) and not right("x" * (LOAD_BALANCER_NAME + 1))


def test_what_has_no_field() -> None:
    assert lease_path("team-x") == "/mlplatform/mlflow_aws/team-x/lease"
    assert owner("team-x") == {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "team-x"}
    assert host_name("mlflow", "ml.example.com") == "mlflow.ml.example.com"


def test_each_image_and_architecture_has_a_tag_of_its_own_in_the_mirror() -> None:
    image = {"mlflow_service_image": "ghcr.io/mlflow/mlflow", "mlflow_service_image_tag": "v3.18.0-full", "mlflow_service_cpu_architecture": "X86_64"}
    digest = f"sha256:{'0' * 64}"
    others = (
        {"mlflow_service_image": "registry.example.com/mlflow"},
        {"mlflow_service_image_tag": f"v3.18.0-full@{digest}"},
        {"mlflow_service_cpu_architecture": "ARM64"},
    )
    tags = [names_of({**INPUTS, **image, **other}).mirror_tag for other in ({}, *others)]
    assert all(re.fullmatch(r"v3\.18\.0-full-[0-9a-f]{12}", tag) for tag in tags) and len(set(tags)) == 4

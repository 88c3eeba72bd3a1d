# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of a stack in AWS, in full: what is deployed under another name is lost to the next run."""

from __future__ import annotations

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


def test_the_names_of_a_stack() -> None:
    assert names_of(INPUTS, "123456789012", "eu-west-1")._asdict() == {
        "unique_name": "mlflow-team-x",
        "host": "mlflow.ml.example.com",
        "api_host": "mlflow.api.ml.example.com",
        "ports": {"service": 5000, "api_listener": 8443, "database": 3306},
        "load_balancer_security_group": "mlflow-team-x-load-balancer",
        "service_security_group": "mlflow-team-x-service",
        "database_security_group": "mlflow-team-x-database",
        "vpc_link_security_group": "mlflow-team-x-vpc-link",
        "api_load_balancer_security_group": "mlflow-team-x-load-balancer-api",
        "bucket": "mlflow-team-x-123456789012-eu-west-1",
        "database_log_groups": {"error": "/aws/rds/cluster/mlflow-team-x/error", "slowquery": "/aws/rds/cluster/mlflow-team-x/slowquery"},
        "all_database_log_groups": {log: f"/aws/rds/cluster/mlflow-team-x/{log}" for log in ("error", "slowquery", "postgresql")},
        "load_balancers": ["mlflow-team-x"],
        "api_load_balancer": "mlflow-team-x-api",
        "preparation_task": "mlflow-team-x-prepare-database",
        "scalable_target": "service/mlflow-team-x/mlflow-team-x",
        "cpu_policy": "mlflow-team-x-cpu",
        "scheduled_action_prefix": "mlflow-team-x-",
        "execution_role": "mlflow-team-x-ecs-execution",
        "preparation_role": "mlflow-team-x-ecs-prepare-execution",
        "task_role": "mlflow-team-x-ecs-task",
        "backend_store_secret": "mlflow-team-x-backend-store-uri",
        "server_keys_secret": "mlflow-team-x-server-keys",
        "service_log_group": "/ecs/mlflow-team-x",
        "authorizer": "mlflow-team-x-authorizer",
        "lambda_authorizer": "mlflow-team-x-lambda",
        "jwt_authorizer": "mlflow-team-x-jwt",
        "authorizer_log_group": "/aws/lambda/mlflow-team-x-authorizer",
        "access_log_group": "/aws/vendedlogs/apigateway/mlflow-team-x",
        "previous_access_log_group": "/aws/apigateway/mlflow-team-x",
        "database_password_secret": "mlflow-team-x-database-password",
        "api_credentials_secret": "mlflow-team-x-api-credentials",
        "cognito_domain": "mlflow-team-x-123456789012",
    }


@pytest.mark.parametrize(
    ("changed", "field", "value"),
    [
        ({"mlflow_database_engine": "aurora-postgresql"}, "database_log_groups", {"postgresql": "/aws/rds/cluster/mlflow-team-x/postgresql"}),
        ({"mlflow_database_engine": "aurora-postgresql"}, "ports", {"service": 5000, "api_listener": 8443, "database": 5432}),
        ({"mlflow_load_balancer_is_internal": False}, "load_balancers", ["mlflow-team-x", "mlflow-team-x-api"]),
        ({"mlflow_api_zone_name": ""}, "api_host", ""),
    ],
)
def test_names_that_other_inputs_change(changed: dict[str, t.Any], field: str, value: t.Any) -> None:
    assert names_of({**INPUTS, **changed})._asdict()[field] == value


def test_every_name_holds_the_name_of_its_stack() -> None:
    """The contract promises it, so that two stacks never meet."""
    every = {field: value for field, value in names_of(INPUTS)._asdict().items() if field not in ("host", "api_host", "ports", "unique_name")}
    for field, value in every.items():
        names = [value] if isinstance(value, str) else list(value.values() if isinstance(value, dict) else value)
        assert names and all("mlflow-team-x" in name for name in names), field


def test_the_longest_unique_name_is_that_of_the_shortest_kind() -> None:
    right, _remedy = RULES["mlflow_unique_name"]
    assert right("x" * LOAD_BALANCER_NAME) and not right("x" * (LOAD_BALANCER_NAME + 1))


def test_what_has_no_field() -> None:
    assert lease_path("team-x") == "/mlplatform/mlflow_aws/team-x/lease"
    assert owner("team-x") == {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "team-x"}
    assert host_name("mlflow", "ml.example.com") == "mlflow.ml.example.com"

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight finds out about the roles of a stack and the managed policies for them, and what it asks for that."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight import roles
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.roles import Roles
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS

NAME = "mlflow-team-x"
OWNER = [{"Key": "managed-by", "Value": "mlplatform.mlflow_aws"}, {"Key": "mlflow-stack", "Value": NAME}]
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"


def told(aws: EmbeddedAWS, iam: t.Any = None, **inputs: t.Any) -> list[str]:
    client = SimpleNamespace(account_id=ACCOUNT, region=REGION, client=lambda service: iam or aws.client(service))
    given = {"mlflow_unique_name": NAME, "mlflow_iam_role_path": "/", **inputs}
    return [str(problem) for check, arguments, needs in Roles(client, given).checks() if all(given.get(n) for n in needs) for problem in check(*arguments)]


def test_nothing_is_wrong_with_a_new_stack_and_policies_that_exist(aws: EmbeddedAWS) -> None:
    assert told(aws, mlflow_permissions_boundary_arn="arn:aws:iam::aws:policy/PowerUserAccess", mlflow_iam_role_path="/x/") == []
    assert sorted(call["operation"] for call in aws.calls()) == ["GetPolicy", *["GetRole"] * 4]


def test_a_policy_has_to_exist_in_this_account(aws: EmbeddedAWS) -> None:
    assert told(aws, mlflow_permissions_boundary_arn=POLICY) == [
        f"mlflow_permissions_boundary_arn: '{POLICY}': there is no such policy: create it, or give the ARN of one that exists"
    ]
    other = POLICY.replace(ACCOUNT, "210987654321")
    (problem,) = told(aws, mlflow_service_task_policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess", other])
    assert problem.startswith(f"mlflow_service_task_policy_arns: '{other}': it is of the account 210987654321")


def test_a_policy_that_the_caller_may_not_read_is_only_warned_of(aws: EmbeddedAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(**_arguments: t.Any) -> t.Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetPolicy")

    warnings: list[str] = []
    monkeypatch.setattr(roles, "warn", warnings.append)
    iam = SimpleNamespace(get_role=aws.client("iam").get_role, get_policy=denied)
    assert told(aws, iam, mlflow_permissions_boundary_arn=POLICY) == []
    assert warnings == [f"mlflow_permissions_boundary_arn: {POLICY}: the caller may not GetPolicy it, so nobody knows whether it exists"]


def test_only_roles_of_the_stack_stand_in_the_way_of_another_path(aws: EmbeddedAWS) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName=f"{NAME}-ecs-task", AssumeRolePolicyDocument="{}", Tags=OWNER)
    iam.create_role(RoleName=f"{NAME}-authorizer", AssumeRolePolicyDocument="{}", Tags=OWNER)
    iam.create_role(RoleName=f"{NAME}-ecs-execution", AssumeRolePolicyDocument="{}")
    (problem,) = told(aws, mlflow_iam_role_path="/x/", mlflow_api_authorizer="jwt")
    assert f"these are at /: {NAME}-ecs-task. Give /, or delete these roles" in problem
    assert told(aws) == []

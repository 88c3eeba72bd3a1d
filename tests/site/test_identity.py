# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles of a stack in an account whose organisation has rules for roles, and whose people add policies to them."""

from __future__ import annotations

import json
import typing as t

from support.stack import Run, Stack

NAME = "mlflow-team-x"
ROLES = {f"{NAME}-{role}" for role in ("ecs-execution", "ecs-prepare-execution", "ecs-task", "authorizer")}
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "xray:PutTraceSegments", "Resource": "*"}]})


def policy(stack: Stack, name: str) -> str:
    return stack.aws.client("iam").create_policy(PolicyName=name, PolicyDocument=DOCUMENT)["Policy"]["Arn"]


def roles(stack: Stack) -> dict[str, dict[str, t.Any]]:
    iam = stack.aws.client("iam")
    return {role["RoleName"]: iam.get_role(RoleName=role["RoleName"])["Role"] for role in iam.list_roles()["Roles"]}


def changing(run: Run) -> set[str]:
    """The services that a run has tried to change something in, beside its lease."""
    return {call.partition(":")[0] for call in run.changing}


def test_what_an_organisation_demands_of_roles_is_told_before_anything_is_created(stack: Stack) -> None:
    boundary = policy(stack, "boundary")
    stack.aws.demand_boundary(boundary)
    refused = stack.run("site")
    (message,) = refused.messages
    assert refused.status == 2 and changing(refused) == {"iam"} and roles(stack) == {}
    assert "may not iam:CreateRole on arn:aws:iam::123456789012:role/" in message
    assert "give the permissions boundary that the organisation demands as mlflow_permissions_boundary_arn" in message

    stack.apply(mlflow_permissions_boundary_arn=boundary, mlflow_iam_role_path="/teams/x/")
    assert {name: (role["Path"], role["PermissionsBoundary"]["PermissionsBoundaryArn"]) for name, role in roles(stack).items()} == dict.fromkeys(
        ROLES, ("/teams/x/", boundary)
    )
    again = stack.run("plan site")
    assert (again.changed, again.mutating) == (0, [])
    kept = stack.run("site", mlflow_permissions_boundary_arn=None)
    assert kept.status == 2 and "iam:DeleteRolePermissionsBoundary" in kept.messages[0]
    stack.destroy()
    assert roles(stack) == {}


def test_roles_are_created_before_anything_that_costs_money(stack: Stack) -> None:
    order = stack.apply().changing
    last = max(n for n, call in enumerate(order) if call == "iam:CreateRole")
    assert {call.partition(":")[0] for call in order[:last]} <= {"iam", "logs"}


def test_what_iam_would_refuse_is_told_before_the_first_change(deployed_stack: Stack) -> None:
    missing = "arn:aws:iam::123456789012:policy/missing"
    for playbook in ("plan", "site"):
        run = deployed_stack.run(playbook, mlflow_permissions_boundary_arn=missing, mlflow_iam_role_path="/teams/x/")
        (message,) = run.messages
        assert (run.status, run.mutating) == (2, [])
        assert f"mlflow_permissions_boundary_arn: '{missing}': there is no such policy" in message
        assert "mlflow_iam_role_path: '/teams/x/': IAM cannot move a role, and these are at /: " in message
        assert all(name in message for name in ROLES)
    theirs = deployed_stack.run("plan", mlflow_permissions_boundary_arn="arn:aws:iam::210987654321:policy/boundary")
    assert "it is of the account 210987654321" in theirs.messages[0]


def test_a_path_changes_once_the_roles_are_gone(deployed_stack: Stack) -> None:
    iam = deployed_stack.aws.client("iam")
    for name in ROLES:
        for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=inline)
        iam.delete_role(RoleName=name)
    run = deployed_stack.apply(mlflow_iam_role_path="/teams/x/")
    assert {role["Path"] for role in roles(deployed_stack).values()} == {"/teams/x/"}
    assert "ecs:UpdateService" in run.mutating and "lambda:UpdateFunctionConfiguration" in run.mutating
    assert deployed_stack.apply().changed == 0


def attached(stack: Stack, role: str) -> set[str]:
    iam = stack.aws.client("iam")
    managed = {each["PolicyArn"] for each in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]}
    return managed | set(iam.list_role_policies(RoleName=role)["PolicyNames"])


def test_policies_that_others_add_stay_through_plan_run_change_and_removal(deployed_stack: Stack) -> None:
    iam = deployed_stack.aws.client("iam")
    task, authorizer = f"{NAME}-ecs-task", f"{NAME}-authorizer"
    theirs, ours = policy(deployed_stack, "theirs"), policy(deployed_stack, "ours")
    iam.attach_role_policy(RoleName=deployed_stack.outputs["service_task_role_id"], PolicyArn=theirs)
    iam.put_role_policy(RoleName=authorizer, PolicyName="by-hand", PolicyDocument=DOCUMENT)
    told = (f"iam_role {task}: these policies are not of the stack, and stay: {theirs}", f"iam_role {authorizer}: these policies are not of the stack")
    for playbook in ("plan", "site"):
        run = deployed_stack.run(playbook)
        assert (run.status, run.changed, run.mutating) == (0, 0, [])
        assert all(warning in run.text for warning in told), run.text

    deployed_stack.apply(mlflow_service_task_policy_arns=[ours])
    assert attached(deployed_stack, task) == {theirs, ours, task}
    deployed_stack.apply(mlflow_service_task_policy_arns=[])
    assert attached(deployed_stack, task) == {theirs, task}

    removed = deployed_stack.destroy()
    assert f"iam_role {task} is kept: IAM deletes no role with policies, and these are not of the stack: {theirs}" in removed.text
    assert set(roles(deployed_stack)) == {task, authorizer}
    assert (attached(deployed_stack, task), attached(deployed_stack, authorizer)) == ({theirs}, {"by-hand"})
    again = deployed_stack.destroy()
    assert (again.changed, again.changing) == (0, [])
    assert f"iam_role {task} is kept" in again.text

    iam.detach_role_policy(RoleName=task, PolicyArn=theirs)
    iam.delete_role_policy(RoleName=authorizer, PolicyName="by-hand")
    deployed_stack.destroy()
    assert roles(deployed_stack) == {}

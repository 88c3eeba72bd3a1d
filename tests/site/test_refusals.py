# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS refuses: the run stops with the reason and what to do, the rest stays, and the same command goes on afterwards."""

from __future__ import annotations

import textwrap
import typing as t

import pytest
from embedded_aws.calls import protocol_of
from embedded_aws.client import ACCOUNT, REGION
from support.account import changed, listing
from support.permissions import action
from support.stack import Run, Stack, run_ansible

Fault = dict[str, t.Any]
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/run-7"


def fault(service: str, operation: str, code: str, message: str) -> Fault:
    status = 400 if "json" in protocol_of(service) else 403
    return {"service": service, "operation": operation, "times": 1, "error": {"code": code, "message": message, "status": status}}


def thing(service: str, operation: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:thing/{operation}"


def denial(service: str, operation: str) -> Fault:
    """Access denied, in the words of the service: EC2's are encoded, and the answer to a HEAD has none."""
    if service == "ec2":
        encoded = "4GIOHlTkIaWHQD0Q0m6XSnuUMCm-" * 20
        message = f"You are not authorized to perform this operation. Encoded authorization failure message: {encoded}"
        return fault(service, operation, "UnauthorizedOperation", message)
    if operation.startswith("Head"):
        return fault(service, operation, "403", "")
    needed = action({"service": service, "operation": operation})
    message = (
        f"User: {CALLER} is not authorized to perform: {needed} on resource: {thing(service, operation)} "
        f"because no identity-based policy allows the {needed} action"
    )
    return fault(service, operation, "AccessDeniedException" if "json" in protocol_of(service) else "AccessDenied", message)


def assert_told(run: Run) -> str:
    """The message, which a terminal shows in ten lines."""
    assert run.status != 0
    (message,) = run.messages
    shown = [line for text in message.splitlines() for line in textwrap.wrap(text, 160)]
    assert len(shown) <= 10, message
    assert "Traceback" not in run.text and "4GIOHlTk" not in message
    return message


# In the order in which `site` meets them, one or two in a task. Each is told with its remedy.
REFUSALS = (
    (
        fault("ec2", "CreateSecurityGroup", "SecurityGroupLimitExceeded", "The maximum number of security groups for VPC 'vpc-1' has been reached."),
        "raise this quota",
    ),
    (denial("ec2", "AuthorizeSecurityGroupIngress"), "the caller may not ec2:AuthorizeSecurityGroupIngress: allow this action"),
    (fault("logs", "CreateLogGroup", "LimitExceededException", "Resource limit exceeded."), "raise this quota"),
    (fault("rds", "CreateDBCluster", "DBClusterQuotaExceededFault", "You cannot create more than 40 DB clusters"), "raise this quota"),
    (fault("rds", "CreateDBInstance", "InsufficientDBInstanceCapacity", "db.serverless is not available"), "subnets in other zones"),
    (
        fault("elbv2", "CreateLoadBalancer", "InvalidSubnet", "Not enough IP space available in subnet-1. ELB requires at least 8 free IP addresses."),
        "free addresses in this subnet",
    ),
    (denial("apigatewayv2", "CreateVpcLink"), f"may not apigateway:POST on {thing('apigatewayv2', 'CreateVpcLink')}: allow this action"),
    (fault("s3", "CreateBucket", "BucketAlreadyExists", "The requested bucket name is not available."), "choose another"),
    (fault("iam", "CreateRole", "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000"), "raise this quota"),
    (denial("ecs", "RegisterTaskDefinition"), "may not ecs:RegisterTaskDefinition on"),
    (denial("route53", "ChangeResourceRecordSets"), "may not route53:ChangeResourceRecordSets on"),
)


def test_a_run_that_aws_refuses_says_why_and_goes_on_once_the_cause_is_gone(stack: Stack) -> None:
    """Each refusal comes once. So each run comes a bit further, undoes nothing, and the last one ends the work."""
    aws, told = stack.aws, []
    aws.faults(*(rule for rule, _remedy in REFUSALS))
    before = listing(aws)
    while (run := stack.run("site")).status != 0:
        told.append(assert_told(run))
        assert len(told) <= len(REFUSALS)
        after = listing(aws)
        assert changed(before, after)["removed"] == set()
        before = after
    for rule, remedy in REFUSALS:
        assert any(remedy in message for message in told), (rule["operation"], told)
    again = stack.run("site")
    assert (again.status, again.changed, again.mutating) == (0, 0, [])
    gateway = aws.client("apigatewayv2")  # takes two of one name
    assert len(gateway.get_apis()["Items"]) == len(gateway.get_vpc_links()["Items"]) == 1


def test_people_see_the_reason_and_the_remedy_in_ten_lines(stack: Stack) -> None:
    stack.aws.faults({**denial("ec2", "CreateSecurityGroup"), "times": None})
    run = run_ansible(stack.aws, stack.folder, stack.command("site"), {"ANSIBLE_STDOUT_CALLBACK": "default"})
    shown = run.text[run.text.index("[ERROR]") : run.text.index("fatal: ")].strip().splitlines()
    assert len(shown) <= 10 and "may not ec2:CreateSecurityGroup" in shown[0], run.text


# Every IAM action

CHANGES: dict[str, t.Any] = {
    "mlflow_tags": {"team": "other"},
    "mlflow_load_balancer_idle_timeout": 100,
    "mlflow_load_balancer_ingress_cidr_blocks": ["198.51.100.0/24"],
    "mlflow_database_max_capacity": 4,
    "mlflow_database_reader_count": 1,
    "mlflow_database_backup_retention_days": 7,
    "mlflow_artifact_bucket_noncurrent_days": 7,
    "mlflow_service_cpu": 1024,
    "mlflow_service_memory": 2048,
    "mlflow_service_max_capacity": 4,
    "mlflow_service_log_retention_in_days": 30,
    "mlflow_service_container_insights": "enabled",
    "mlflow_service_scheduled_actions": [{"name": "night", "schedule": "rate(1 day)", "min_capacity": 1}],
    "mlflow_api_throttling_rate_limit": 50,
    "mlflow_api_authorizer": "jwt",
}


def named(operation: tuple[str, str], message: str) -> bool:
    """Whether a message says that this may not be done, and on what, where AWS says that."""
    service, name = operation
    on = "" if service == "ec2" or name.startswith("Head") else f" on {thing(service, name)}:"
    return f" may not {action({'service': service, 'operation': name})}{on}" in message


def allow_one_after_another(stack: Stack, playbook: str, operations: set[tuple[str, str]], *arguments: str, **inputs: t.Any) -> None:
    """Run a playbook until it ends green, with none of the operations allowed but those that a message has named."""
    missing = set(operations)
    while True:
        stack.aws.faults(*({**denial(*operation), "times": None} for operation in sorted(missing)))
        run = stack.run(playbook, *arguments, **inputs)
        assert "Traceback" not in run.text
        if run.status == 0:
            break
        told = {operation for operation in missing if named(operation, "\n".join(run.messages))}
        assert told, run.messages
        missing -= told
    stack.aws.faults()
    assert missing == set()


@pytest.mark.faults
def test_each_denied_action_is_named_with_its_resource(stack: Stack) -> None:
    """For a first deployment, a change of nearly everything, and the removal: what exists afterwards is what an undisturbed run leaves."""

    def operations(run: Run) -> set[tuple[str, str]]:
        return {(call["service"], call["operation"]) for call in run.calls} - {("sts", "GetCallerIdentity")}

    def kinds() -> dict[str, int]:
        found = listing(stack.aws)
        return {kind: sum(1 for each, _name in found if each == kind) for kind, _name in found}

    confirm = ("-e", f"mlflow_confirm_destroy={stack.inputs['mlflow_unique_name']}", "-e", "mlflow_database_skip_final_snapshot=true")
    steps: tuple[tuple[str, tuple[str, ...], dict[str, t.Any]], ...] = (("site", (), {}), ("site", (), CHANGES), ("destroy", confirm, CHANGES))
    undisturbed = []
    for playbook, arguments, inputs in steps:
        run = stack.run(playbook, *arguments, **inputs)
        assert run.status == 0, run.messages
        undisturbed.append((operations(run), kinds()))
    for (playbook, arguments, inputs), (needed, left) in zip(steps, undisturbed, strict=True):
        allow_one_after_another(stack, playbook, needed, *arguments, **inputs)
        assert kinds() == left

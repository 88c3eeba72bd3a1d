# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run asks AWS at once what its modules need to know, and no module takes what it has changed since for what is there."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from pathlib import Path

import pytest
from modules.run_module import run_module
from stack import PASSWORD, Stack

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils import _answers
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._aws import ANSWERS

VALUES = "GetSecretValue"
"""What each module asks itself, because the answer is secret."""


def questions(calls: t.Iterable[dict[str, t.Any]]) -> Counter[str]:
    return Counter(json.dumps([call["service"], call["operation"], call["params"]], sort_keys=True) for call in calls)


def others(calls: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    return [call for call in calls if call["operation"] != VALUES]


@pytest.mark.parametrize(
    "inputs", [{}, {"mlflow_database_engine": "aurora-postgresql"}, {"mlflow_api_authorizer": "jwt"}, {"mlflow_service_max_capacity": 4}],
    ids=["defaults", "aurora-postgresql", "jwt", "scaling"],
)  # fmt: skip
def test_where_nothing_is_to_be_done_all_is_asked_at_once(stack: Stack, inputs: dict[str, t.Any]) -> None:
    """The first module to ask something itself reads the values of secrets: nothing is left to ask after that."""
    stack.apply(**inputs)
    for run in (stack.run("site"), stack.run("plan")):
        assert run.status == 0 and run.changed == 0, run.messages
        last = max(n for n, call in enumerate(run.calls) if call["operation"] == VALUES)
        assert [(call["operation"], call["params"]) for call in run.calls[last + 1 :]] == []
        assert [question for question, times in questions(others(run.calls)).items() if times > 1] == []


def test_a_plan_of_an_empty_account_asks_all_at_once(stack: Stack) -> None:
    run = stack.run("plan")
    assert run.status == 0, run.messages
    first = next(n for n, call in enumerate(run.calls) if str(call["params"]).find("backend-store-uri") > 0 and call["operation"] == VALUES)
    assert {call["operation"] for call in run.calls[first:]} == {VALUES}


def test_a_first_deployment_has_no_survey(stack: Stack) -> None:
    """Each of its modules changes something: what was asked before would count for nothing."""
    assert len(stack.apply().calls) <= 180


def test_after_the_first_change_everything_is_asked_again(stack: Stack) -> None:
    """One group of the network has lost a rule: what comes after the network is read as it then is."""
    stack.apply()
    ec2 = stack.aws.client("ec2")
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["mlflow-team-x-database"]}])["SecurityGroups"]
    ec2.revoke_security_group_ingress(GroupId=groups[0]["GroupId"], IpPermissions=groups[0]["IpPermissions"])
    run = stack.run("site")
    assert run.status == 0 and [change["kind"] for change in run.changes] == ["ec2_security_group_rule"], run.messages
    first = next(n for n, call in enumerate(run.calls) if call["mutating"] and call["service"] == "ec2")
    for services in ({"ecs"}, {"elbv2"}, {"s3"}, {"lambda"}):
        before, after = (questions(c for c in calls if c["service"] in services) for calls in (run.calls[:first], run.calls[first:]))
        assert after and not after - before, "what was asked before the change is what is asked again"
    assert stack.run("plan").changes == []


def test_only_a_play_of_which_nothing_else_is_a_part_has_a_survey(stack: Stack) -> None:
    stack.apply()
    run = stack.run("site", "-e", "__mlflow_survey=false")
    last = max(n for n, call in enumerate(run.calls) if call["operation"] == VALUES)
    assert len(run.calls[last:]) > 20


def test_modules_outside_the_worker_ask_themselves(stack: Stack) -> None:
    stack.apply()
    run = stack.run("plan", mlflow_run_in_worker=False)
    assert run.status == 0 and run.changes == [], run.messages
    last = max(n for n, call in enumerate(run.calls) if call["operation"] == VALUES)
    assert len(run.calls[last:]) > 20


@pytest.fixture
def surveyed(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the answers that a survey of a deployed stack has had."""
    stack.apply()
    file = tmp_path / "answers"
    monkeypatch.setenv(ANSWERS, str(file))
    (cluster,) = stack.aws.client("rds").describe_db_clusters()["DBClusters"]
    database = {"mlflow_database_engine": cluster["Engine"], "mlflow_rds_cluster_engine_version": cluster["EngineVersion"]}
    run_module("preflight", {"inputs": {**database, **stack.inputs}, "survey": True}, stack.aws)
    return file


def test_no_secret_is_kept(stack: Stack, surveyed: Path) -> None:
    kept, secrets = surveyed.read_bytes(), stack.aws.client("secretsmanager")
    hidden = [PASSWORD]
    for name in ("backend-store-uri", "server-keys"):
        hidden += json.loads(secrets.get_secret_value(SecretId=f"mlflow-team-x-{name}")["SecretString"]).values()
    pool = stack.inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    client = stack.inputs["mlflow_aws_cognito_user_pool_client_id"]
    hidden.append(stack.aws.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]["ClientSecret"])
    assert len(hidden) > 4 and not [secret for secret in hidden if secret.encode() in kept]
    assert surveyed.stat().st_mode & 0o777 == 0o600


def test_what_was_asked_is_not_asked_again_until_something_changes(stack: Stack, surveyed: Path) -> None:
    tags = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "mlflow-team-x", **stack.inputs["mlflow_tags"]}
    cluster = {"name": "mlflow-team-x", "container_insights": "disabled", "tags": tags}
    mark = stack.aws.mark()
    assert run_module("ecs_cluster", cluster, stack.aws)["changed"] is False
    assert stack.aws.calls(mark) == [] and surveyed.exists()

    assert run_module("ecs_cluster", {**cluster, "container_insights": "enhanced"}, stack.aws)["changed"] is True
    assert not surveyed.exists()
    assert run_module("ecs_cluster", {**cluster, "container_insights": "enhanced"}, stack.aws)["changed"] is False
    assert [call["operation"] for call in stack.aws.calls(mark) if call["operation"] == "DescribeClusters"] == ["DescribeClusters"]


def test_old_answers_count_for_nothing(stack: Stack, surveyed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_answers, "LASTING", 0)
    mark = stack.aws.mark()
    run_module("ecs_cluster", {"name": "mlflow-team-x"}, stack.aws, check=True)
    assert [call["operation"] for call in stack.aws.calls(mark)] == ["DescribeClusters"]

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs as a role whose sessions end long before the run does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from embedded_aws.client import ACCOUNT, EmbeddedAWS
from support.stack import Run, Stack

ARN = f"arn:aws:iam::{ACCOUNT}:role/deployer"
EXTERNAL_ID = "agreed:with/us"
ROLE = {"mlflow_aws_assume_role_arn": ARN, "mlflow_aws_assume_role_external_id": EXTERNAL_ID, "mlflow_aws_assume_role_duration": 7200}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}}
    ],
}


@pytest.fixture
def stack(stack: Stack) -> Stack:
    stack.aws.client("iam").create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(TRUST), MaxSessionDuration=7200)
    return stack


def assert_all_calls_are_the_roles(run: Run) -> None:
    assert run.status == 0, run.messages or run.text
    assert {call["caller"] == "testing" for call in run.calls if call["operation"] != "AssumeRole"} == {False}
    assert [call["error"] for call in run.calls if "Expired" in (call["error"] or "")] == []


@pytest.mark.parametrize("in_worker", [True, pytest.param(False, marks=pytest.mark.faults)], ids=["in the worker", "in processes of their own"])
def test_a_run_outlasts_the_sessions_of_its_role(stack: Stack, in_worker: bool) -> None:
    stack.aws.session_seconds(2)
    run = stack.run("plan", mlflow_run_in_worker=in_worker, **ROLE)
    assert_all_calls_are_the_roles(run)
    assumed = [call for call in run.calls if call["operation"] == "AssumeRole"]
    assert len(assumed) > 3 and run.seconds > 2
    assert {call["params"]["ExternalId"] for call in assumed} == {EXTERNAL_ID}


def test_one_session_serves_a_whole_run(stack: Stack) -> None:
    run = stack.run("plan", **ROLE)
    assert_all_calls_are_the_roles(run)
    assert [call["operation"] for call in run.calls].count("AssumeRole") == 1


def test_bootstrap_works_as_the_role(aws: EmbeddedAWS, stack: Stack, tmp_path: Path) -> None:
    inputs = {
        "mlflow_unique_name": "mlflow-y",
        "mlflow_record_name": "mlflow",
        "mlflow_zone_name": "y.example.com",
        "mlflow_api_zone_name": "api.y.example.com",
        "mlflow_bootstrap_team_file": str(tmp_path / "made.yml"),
    }
    assert_all_calls_are_the_roles(Stack(aws, tmp_path, inputs).run("bootstrap", **ROLE))


def test_a_role_that_is_no_role_is_told_once(stack: Stack) -> None:
    """The task that gives the lease back comes after it."""
    run = stack.run("site", **{**ROLE, "mlflow_aws_assume_role_duration": "an hour"})
    assert run.status != 0 and run.calls == []
    assert [message.count("mlflow_aws_assume_role_duration: 'an hour': give a whole number") for message in run.messages] == [1]


def test_a_refused_role_is_told(stack: Stack) -> None:
    run = stack.run("plan", **{**ROLE, "mlflow_aws_assume_role_external_id": "another"})
    assert run.status != 0 and {call["operation"] for call in run.calls} == {"AssumeRole"}
    assert f"mlflow_aws_assume_role_arn: '{ARN}': " in run.text and "may not sts:AssumeRole" in run.text and "Traceback" not in run.text

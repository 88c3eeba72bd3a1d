# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs as a role whose sessions end long before the run does; one makes prerequisites where AWS does not have all in each zone."""

from __future__ import annotations

import json
import typing as t

import boto3
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


def create_role(aws: EmbeddedAWS) -> None:
    aws.client("iam").create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(TRUST), MaxSessionDuration=7200)


@pytest.fixture
def stack(stack: Stack) -> Stack:
    create_role(stack.aws)
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


class Bootstrapped(t.NamedTuple):
    run: Run
    subnets: list[dict[str, t.Any]]
    plan: Run


@pytest.fixture(scope="module")
def bootstrapped(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Bootstrapped:
    """Prerequisites that the role made in Paris, where one of three zones has no VPC links, and a plan of a stack on them."""
    aws_server.reset()
    create_role(aws_server)
    inputs = {
        "mlflow_unique_name": "mlflow-y",
        "mlflow_aws_region": "eu-west-3",
        "mlflow_record_name": "mlflow",
        "mlflow_zone_name": "y.example.com",
        "mlflow_api_zone_name": "api.y.example.com",
        "mlflow_bootstrap_team_file": "made.yml",
        **ROLE,
    }
    stack = Stack(aws_server, tmp_path_factory.mktemp("bootstrapped"), inputs)
    run = stack.run("bootstrap")
    ec2 = boto3.client("ec2", region_name="eu-west-3", endpoint_url=aws_server.endpoint, aws_access_key_id="a", aws_secret_access_key="b")
    subnets = ec2.describe_subnets(Filters=[{"Name": "tag:mlflow-stack", "Values": ["mlflow-y-bootstrap"]}])["Subnets"]
    return Bootstrapped(run, subnets, stack.run("plan", "-e", "@made.yml"))


def test_bootstrap_works_as_the_role(bootstrapped: Bootstrapped) -> None:
    assert_all_calls_are_the_roles(bootstrapped.run)


def test_bootstrap_chooses_zones_that_have_all(bootstrapped: Bootstrapped) -> None:
    made, plan = bootstrapped.subnets, bootstrapped.plan
    assert len(made) == 6 and {subnet["AvailabilityZoneId"] for subnet in made} == {"euw3-az1", "euw3-az3"}
    assert plan.status == 0, plan.messages or plan.text
    assert not [result for result in plan.results if "_subnet_ids" in str(result.get("warnings"))]


def test_a_role_that_is_no_role_is_told_once(stack: Stack) -> None:
    """The task that gives the lease back comes after it."""
    run = stack.run("site", **{**ROLE, "mlflow_aws_assume_role_duration": "an hour"})
    assert run.status != 0 and run.calls == []
    assert [message.count("mlflow_aws_assume_role_duration: 'an hour': give a whole number") for message in run.messages] == [1]


def test_a_refused_role_is_told(stack: Stack) -> None:
    run = stack.run("plan", **{**ROLE, "mlflow_aws_assume_role_external_id": "another"})
    assert run.status != 0 and {call["operation"] for call in run.calls} == {"AssumeRole"}
    assert f"mlflow_aws_assume_role_arn: '{ARN}': " in run.text and "may not sts:AssumeRole" in run.text and "Traceback" not in run.text

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bootstrap makes, or a stack by an input, and refers to while AWS does not know it everywhere. tests/site has all the rest, in one deployment."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import REPEATS
from embedded_aws.client import EmbeddedAWS
from modules.run_module import run_module

TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}


@pytest.fixture(autouse=True)
def late(aws: EmbeddedAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    """For longer than the client sends a change again."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    aws.consistency(times=REPEATS + 2)


def run(aws: EmbeddedAWS, module: str, given: dict[str, t.Any]) -> set[tuple[str, str, str, str]]:
    """What was not known in a run of the module, after which there is nothing to do."""
    assert run_module(module, {**given, "tags": TAGS}, aws)["changed"]
    assert not run_module(module, {**given, "tags": TAGS}, aws)["changed"]
    return set(aws.not_known())


def test_a_user_pool_of_which_its_clients_and_domain_do_not_know(aws: EmbeddedAWS) -> None:
    pool = {"name": "x", "domain": "sign-in", "clients": [{"name": "load-balancer"}, {"name": "programs"}]}
    assert run(aws, "cognito_user_pool", pool) == {
        ("CreateUserPool", "cognito-idp", f"CreateUserPool{what}", "ResourceNotFoundException") for what in ("Client", "Domain")
    }


def test_a_certificate_in_a_hosted_zone_that_route_53_does_not_know_everywhere(aws: EmbeddedAWS) -> None:
    zone = aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="x")["HostedZone"]["Id"]
    given = {"domain_name": "a.example.com", "zone_id": zone.removeprefix("/hostedzone/")}
    assert run(aws, "acm_certificate", given) == {("CreateHostedZone", "route53", "ChangeResourceRecordSets", "NoSuchHostedZone")}


def test_a_repository_whose_lifecycle_policy_does_not_know_of_it(aws: EmbeddedAWS) -> None:
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 30}
    policy = {"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]}
    given = {"name": "x/mlflow", "lifecycle_policy": policy}
    assert run(aws, "ecr_repository", given) == {("CreateRepository", "ecr", "PutLifecyclePolicy", "RepositoryNotFoundException")}


def test_a_flow_log_with_a_role_that_ec2_cannot_assume_yet(aws: EmbeddedAWS) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "vpc-flow-logs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = {"name": "x-flow-logs", "assume_role_policy": {"Version": "2012-10-17", "Statement": [statement]}}
    vpc = aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert run(aws, "ec2_flow_log", {"vpc_id": vpc, "log_group": {"name": "/aws/vpc-flow-logs/x"}, "role": role}) == {
        ("CreateRole", "ec2", "CreateFlowLogs", "InvalidParameter")
    }

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module takes on the role of the run, in sessions that it shares with the others and that are renewed in time."""

from __future__ import annotations

import json
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.assumed_role import DNS_ROLE, ROLE, Role
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module
from support.zone_account import DNS_ROLE as DNS_ARN
from support.zone_account import EXTERNAL_ID, ZoneAccount

ARN = "arn:aws:iam::123456789012:role/deployer"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": "agreed"}}}
    ],
}


@pytest.fixture
def directory(aws: EmbeddedAWS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    aws.client("iam").create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(TRUST), MaxSessionDuration=7200)
    monkeypatch.setenv(ROLE, str(tmp_path / "role"))
    return tmp_path / "role"


def run(aws: EmbeddedAWS, name: str, **more: t.Any) -> list[dict[str, t.Any]]:
    """The calls of a module."""
    mark = aws.mark()
    run_module("ecs_cluster", {"name": name, "tags": TAGS, **more}, aws)
    return aws.calls(mark)


def operations(calls: list[dict[str, t.Any]]) -> list[str]:
    return [call["operation"] for call in calls]


def test_all_modules_of_a_run_share_one_session(aws: EmbeddedAWS, directory: Path) -> None:
    Role(ARN, "mlflow-x", 7200, "agreed").note(directory)
    first, second = run(aws, "one"), run(aws, "two")
    assert operations(first) == ["AssumeRole", "DescribeClusters", "CreateCluster"]
    assert operations(second) == ["DescribeClusters", "CreateCluster"]
    asked = {"RoleArn": ARN, "RoleSessionName": "mlflow-x", "DurationSeconds": "7200", "ExternalId": "agreed"}
    assert first[0]["params"] == asked and first[0]["caller"] == "testing"
    (caller,) = {call["caller"] for call in first[1:] + second}
    assert caller != "testing"
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}


def test_the_credentials_that_a_module_is_given_take_on_the_role(aws: EmbeddedAWS, directory: Path) -> None:
    Role(ARN, "mlflow-x", 3600, "agreed").note(directory)
    assert run(aws, "one", access_key="of-another", secret_key="secret")[0]["caller"] == "of-another"


def test_a_session_that_ends_soon_is_renewed_before_it_does(aws: EmbeddedAWS, directory: Path) -> None:
    Role(ARN, "mlflow-x", 900, "agreed").note(directory)
    aws.session_seconds(1)
    aws.faults({"service": "ecs", "operation": "DescribeClusters", "latency_ms": 1500})
    calls = run(aws, "one")
    assert [name for name in operations(calls) if name != "AssumeRole"] == ["DescribeClusters", "CreateCluster"]
    assert calls[-2]["operation"] == "AssumeRole" and calls[-1]["caller"] != calls[-3]["caller"]
    aws.session_seconds(None)
    assert operations(run(aws, "one")) == ["AssumeRole", "DescribeClusters"]
    assert operations(run(aws, "one")) == ["DescribeClusters"]


@pytest.mark.parametrize(
    ("duration", "external_id", "told"),
    [
        (3600, "", "mlflow_aws_assume_role_arn: .*may not sts:AssumeRole on arn:aws:iam::123456789012:role/deployer"),
        (7201, "agreed", "mlflow_aws_assume_role_duration: .*give at most the MaxSessionDuration of the role"),
    ],
)
def test_what_aws_refuses_is_told_by_preflight(aws: EmbeddedAWS, directory: Path, duration: int, external_id: str, told: str) -> None:
    Role(ARN, "mlflow-x", duration, external_id).note(directory)
    inputs = {"mlflow_aws_assume_role_arn": ARN, "mlflow_aws_assume_role_duration": duration}
    mark = aws.mark()
    with pytest.raises(ModuleFailed, match=told):
        run_module("preflight", {"inputs": inputs}, aws)
    assert set(operations(aws.calls(mark))) == {"AssumeRole"}


def test_a_role_that_takes_on_the_role_gets_an_hour(aws: EmbeddedAWS, directory: Path) -> None:
    Role(ARN, "mlflow-x", 7200, "agreed").note(directory)
    keys = aws.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/ci", RoleSessionName="ci")["Credentials"]
    own = {"access_key": keys["AccessKeyId"], "secret_key": keys["SecretAccessKey"], "session_token": keys["SessionToken"]}
    with pytest.raises(ModuleFailed, match="mlflow_aws_assume_role_duration: .*1 hour session limit"):
        run_module("preflight", {"inputs": {"mlflow_aws_assume_role_arn": ARN}, **own}, aws)


@pytest.fixture
def zone(aws: EmbeddedAWS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A hosted zone of another account."""
    monkeypatch.setenv(DNS_ROLE, str(tmp_path / "dns"))
    Role(DNS_ARN, "mlflow-x", 3600, EXTERNAL_ID).note(tmp_path / "dns")
    made = ZoneAccount(aws).client("route53").create_hosted_zone(Name="corp.test", CallerReference="1")
    return made["HostedZone"]["Id"].rpartition("/")[2]


def record(aws: EmbeddedAWS, zone: str) -> list[tuple[str, str]]:
    """The operations of a module that makes a record, and who called each."""
    mark = aws.mark()
    wanted = {"name": "a.corp.test", "type": "CNAME", "zone_id": zone, "values": ["b.corp.test"], "ttl": 60}
    run_module("route53_records", {"records": [wanted], "tags": TAGS}, aws)
    return [(call["operation"], call["caller"]) for call in aws.calls(mark)]


def test_calls_to_route_53_are_those_of_the_role_of_the_zones_account(aws: EmbeddedAWS, zone: str) -> None:
    calls = record(aws, zone)
    assert [operation for operation, _caller in calls] == ["AssumeRole", "ListResourceRecordSets", "ChangeResourceRecordSets"]
    assert calls[0][1] == "testing" and "testing" not in {caller for _operation, caller in calls[1:]}
    mark = aws.mark()
    run_module("ecs_cluster", {"name": "one", "tags": TAGS}, aws)
    assert {call["caller"] for call in aws.calls(mark)} == {"testing"}


def test_the_role_of_the_run_takes_on_that_of_the_zones_account(aws: EmbeddedAWS, zone: str, directory: Path) -> None:
    Role(ARN, "mlflow-x", 7200, "agreed").note(directory)
    calls = record(aws, zone)
    assert [operation for operation, _caller in calls] == ["AssumeRole", "AssumeRole", "ListResourceRecordSets", "ChangeResourceRecordSets"]
    callers = [caller for _operation, caller in calls]
    assert callers[0] == "testing" and len(set(callers[:3])) == 3 and callers[2] == callers[3]


def test_a_role_of_the_zones_account_that_is_refused_is_told_once_by_preflight(aws: EmbeddedAWS, zone: str, tmp_path: Path) -> None:
    Role(DNS_ARN, "mlflow-x", 3600, "another").note(tmp_path / "dns")
    inputs = {"mlflow_dns_assume_role_arn": DNS_ARN, "mlflow_zone_id": zone, "mlflow_zone_name": "corp.test", "mlflow_record_name": "a"}
    with pytest.raises(ModuleFailed) as failure:
        run_module("preflight", {"inputs": inputs}, aws)
    (told,) = [problem for problem in failure.value.result["problems"] if "sts:AssumeRole" in problem]
    assert told.startswith(f"mlflow_dns_assume_role_arn: '{DNS_ARN}': ")

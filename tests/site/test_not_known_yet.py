# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A first deployment in an account where everybody who names what was just made does not know it the first time."""

from __future__ import annotations

from pathlib import Path

from embedded_aws.client import EmbeddedAWS
from embedded_aws.consistency import TABLE
from support.account import Account, listing
from support.plans import lines
from support.stack import Stack, certificate, prerequisites

ELSEWHERE = {"CreateFlowLogs", "CreateHostedZone", "CreateRepository", "CreateUserPool"}
"""Called by bootstrap, or for the mirror of the image. tests/modules has them, and those who refer to what they make."""


def test_a_first_deployment_waits_for_whatever_is_not_known_yet(aws: EmbeddedAWS, tmp_path: Path) -> None:
    inputs = prerequisites(aws)
    inputs["mlflow_service_scheduled_actions"] = [{"name": "night", "schedule": "cron(0 20 * * ? *)", "min_capacity": 1}]
    inputs["mlflow_database_monitoring_interval"] = 60
    inputs["mlflow_artifact_access"] = "presigned"
    inputs |= {"mlflow_load_balancer_token_access": True, "mlflow_load_balancer_token_record_name": "mlflow-token"}
    aws.consistency(times=1)
    zone, api_zone = inputs["mlflow_zone_name"], inputs["mlflow_api_zone_name"]
    inputs["mlflow_certificate_arn"] = certificate(aws, f"mlflow.{zone}", inputs["mlflow_zone_id"])
    inputs["mlflow_api_cert_arn"] = certificate(aws, f"mlflow.{api_zone}", inputs["mlflow_api_zone_id"], f"mlflow-token.{api_zone}")
    known = listing(aws)
    folders = [tmp_path / name for name in ("undisturbed", "late")]
    for folder in folders:
        folder.mkdir()
    with aws.copy() as copy:
        copy.consistency()
        beside = Stack(copy, folders[0], inputs).start("site")
        stack = Stack(aws, folders[1], inputs)
        run, undisturbed = stack.run("site"), beside.end()
        assert run.status == 0, run.messages or run.text
        assert undisturbed.status == 0, undisturbed.messages or undisturbed.text
        assert Account(aws, known).differences(Account(copy, known)) == []
    assert lines(run.changes) == lines(undisturbed.changes)
    failed = [call for call in run.calls if call["error"]]
    assert len(run.calls) <= 2 * len(undisturbed.calls) + len(failed)  # no storm

    rows = {
        (late.made_by, refusal.service, operation, refusal.code)
        for late in TABLE
        for refusal in late.refused_by
        for operation in refusal.operations.split()
        if not {late.made_by, operation} & ELSEWHERE
    }
    assert set(aws.not_known()) == rows
    again = stack.run("site plan")
    assert again.status == 0, again.messages or again.text
    assert (again.changes, again.mutating) == ([], [])

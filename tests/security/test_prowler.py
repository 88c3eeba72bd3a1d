# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an outside scanner, Prowler, finds over a deployed stack: nothing of high or critical severity that is not explained.

`make test-security` installs Prowler (scripts/prowler_venv) and runs this.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from embedded_aws.client import REGION, EmbeddedAWS
from support.stack import Stack, prerequisites

PROWLER = Path(__file__).parents[2] / ".cache" / "prowler" / "bin" / "prowler"
SERVICES = "acm apigatewayv2 awslambda cognito ec2 ecs elbv2 iam kms rds route53 s3 secretsmanager vpc".split()
EXPLAINED = yaml.safe_load(Path(__file__).with_name("explained.yml").read_text())


def findings(aws: EmbeddedAWS, folder: Path) -> list[dict[str, t.Any]]:
    """Prowler's verdicts of high and critical severity, in the form of OCSF."""
    where = ["--region", REGION, "--service", *SERVICES, "--severity", "critical", "high"]
    how = ["--output-formats", "json-ocsf", "--output-filename", "prowler", "--output-directory", str(folder), "--ignore-exit-code-3", "--no-banner"]
    run = subprocess.run([PROWLER, "aws", *where, *how], env={**os.environ, **aws.env}, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    return json.loads((folder / "prowler.ocsf.json").read_text())


@pytest.mark.skipif(not PROWLER.exists(), reason="Prowler is not installed: make test-security")
def test_each_finding_is_explained(aws: EmbeddedAWS, tmp_path: Path) -> None:
    Stack(aws, tmp_path, prerequisites(aws)).apply()
    every = findings(aws, tmp_path)
    failed = {(each["metadata"]["event_code"], each["resources"][0]["uid"]) for each in every if each["status_code"] == "FAIL"}
    assert len(every) - len(failed) > 40  # it has seen the stack
    unexplained = {(check, uid) for check, uid in failed if not any(check == each["check"] and re.search(each["resource"], uid) for each in EXPLAINED)}
    assert unexplained == set()
    gone = [each for each in EXPLAINED if not any(check == each["check"] and re.search(each["resource"], uid) for check, uid in failed)]
    assert gone == []


def test_each_explanation_has_a_reason() -> None:
    assert all(each.keys() == {"check", "resource", "reason"} and each["reason"] for each in EXPLAINED)

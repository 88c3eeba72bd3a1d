# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bootstrap makes is what site takes, also where AWS does not have all in each zone."""

from __future__ import annotations

from pathlib import Path

import boto3
from embedded_aws.client import EmbeddedAWS
from support.stack import Stack

CHOICES = {
    "mlflow_unique_name": "mlflow-team-x",
    "mlflow_aws_region": "eu-west-3",
    "mlflow_record_name": "mlflow",
    "mlflow_zone_name": "ml.example.com",
    "mlflow_api_zone_name": "api.ml.example.com",
}


def test_bootstrap_chooses_zones_that_have_all(aws: EmbeddedAWS, tmp_path: Path) -> None:
    """In Paris one of three zones has no VPC links."""
    stack = Stack(aws, tmp_path, {**CHOICES, "mlflow_bootstrap_team_file": "made.yml"})
    run = stack.run("bootstrap")
    assert run.status == 0, run.messages or run.text
    ec2 = boto3.client("ec2", region_name="eu-west-3", endpoint_url=aws.endpoint, aws_access_key_id="a", aws_secret_access_key="b")
    made = ec2.describe_subnets(Filters=[{"Name": "tag:mlflow-stack", "Values": ["mlflow-team-x-bootstrap"]}])["Subnets"]
    assert len(made) == 6 and {subnet["AvailabilityZoneId"] for subnet in made} == {"euw3-az1", "euw3-az3"}

    run = stack.run("plan", "-e", "@made.yml")
    assert run.status == 0, run.messages or run.text
    assert not [result for result in run.results if "_subnet_ids" in str(result.get("warnings"))]

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person is told after a deployment."""

from __future__ import annotations

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.action.stack_report import artifact_lines, summary

OUTPUTS = {
    "tracking_uri": "https://mlflow.example.com",
    "api_uri": "https://mlflow.api.example.com",
    "artifact_bucket_id": "artifacts",
    "database_cluster_id": "x",
    "database_endpoint": "x.rds",
    "cluster_id": "x",
    "log_group_name": "/ecs/x",
}


@pytest.mark.parametrize(
    ("access", "multipart", "told", "not_told"),
    [
        ("proxied", False, "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=true", "S3"),
        ("proxied", True, "have to reach Amazon S3", "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD"),
        ("presigned", False, "MLflow 3.18 or newer, with no further settings", "MULTIPART"),
        ("direct", False, "AWS credentials that may read and write s3://artifacts", "MULTIPART"),
    ],
)
def test_the_summary_says_what_the_way_of_artifacts_asks_of_programs(access: str, multipart: bool, told: str, not_told: str) -> None:
    lines = list(summary("x", OUTPUTS, "outputs.json", [], artifact_lines(access, multipart, "artifacts")))
    text = "\n".join(lines[: lines.index("  Artifacts  s3://artifacts")])
    assert told in text and not_told not in text
    assert max(map(len, lines)) <= 120

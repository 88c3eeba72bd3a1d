# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook import is asked for."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.imports import validate_request

SECRET = {
    "mlflow_import_database_secret_arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:old-a1b2c3",
    "mlflow_import_security_group_id": "sg-00000001",
}
FILE = {"mlflow_import_sqlite_s3_uri": "s3://old/mlflow.db"}
OWN = {"mlflow_import_own_database": True}
OLD_BUCKET = {"mlflow_artifact_bucket_id": "old", "mlflow_artifact_bucket_path": "/mlflow", "mlflow_artifact_access": "proxied"}


@pytest.mark.parametrize(
    "inputs",
    [
        SECRET,
        FILE,
        OWN,
        {**OWN, "mlflow_confirm_import": "x", "mlflow_database_engine": "aurora-mysql"},
        {**SECRET, "mlflow_confirm_import": "x", "mlflow_import_source_stopped": True},
        {**SECRET, **OLD_BUCKET, "mlflow_import_artifact_root": "s3://old/mlflow"},
        {**SECRET, **OLD_BUCKET, "mlflow_import_artifact_root": "s3://old/mlflow/"},
        {**FILE, **OLD_BUCKET, "mlflow_artifact_bucket_path": "", "mlflow_import_artifact_root": "s3://old"},
    ],
)
def test_one_source_is_enough(inputs: dict[str, t.Any]) -> None:
    assert validate_request(inputs) == []


@pytest.mark.parametrize(
    ("inputs", "variable", "said"),
    [
        ({}, "mlflow_import_database_secret_arn", "is missing: give one of"),
        ({**OWN, "mlflow_import_own_database": False}, "mlflow_import_database_secret_arn", "is missing: give one of"),
        ({**SECRET, **FILE}, "mlflow_import_sqlite_s3_uri", "mlflow_import_database_secret_arn is given too"),
        ({**FILE, **OWN}, "mlflow_import_own_database", "mlflow_import_sqlite_s3_uri is given too"),
        ({**OWN, "mlflow_database_engine": "aurora-postgresql"}, "mlflow_import_own_database", "nothing to copy"),
        ({**SECRET, "mlflow_import_security_group_id": ""}, "mlflow_import_security_group_id", "is missing"),
        ({**FILE, "mlflow_confirm_import": "x"}, "mlflow_import_source_stopped", "stop what writes"),
        ({**SECRET, "mlflow_confirm_import": "x", "mlflow_import_source_stopped": False}, "mlflow_import_source_stopped", "stop what writes"),
        ({**SECRET, "mlflow_import_artifact_root": "s3://old"}, "mlflow_import_artifact_root", "below a bucket of its own"),
        ({**SECRET, **OLD_BUCKET, "mlflow_import_artifact_root": "s3://old"}, "mlflow_import_artifact_root", "below s3://old/mlflow:"),
        ({**SECRET, **OLD_BUCKET, "mlflow_import_artifact_root": "s3://old/mlflow-2"}, "mlflow_import_artifact_root", "below s3://old/mlflow:"),
        (
            {**SECRET, **OLD_BUCKET, "mlflow_artifact_access": "direct", "mlflow_import_artifact_root": "s3://old/mlflow"},
            "mlflow_import_artifact_root",
            "mlflow_artifact_access is direct",
        ),
    ],
)
def test_what_cannot_be_imported_is_told(inputs: dict[str, t.Any], variable: str, said: str) -> None:
    (problem,) = validate_request(inputs)
    assert problem.variable == variable and said in problem.remedy

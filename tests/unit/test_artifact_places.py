# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a container has MLflow keep artifacts, however it says so."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.artifacts import artifact_places, artifact_warnings

ROOT, DESTINATION = "MLFLOW_DEFAULT_ARTIFACT_ROOT", "MLFLOW_ARTIFACTS_DESTINATION"


@pytest.mark.parametrize(
    ("container", "places"),
    [
        ({}, {}),
        ({"command": ["mlflow", "server"]}, {}),
        ({"environment": [{"name": ROOT, "value": "s3://a"}]}, {ROOT: "s3://a"}),
        ({"environment": {ROOT: "s3://a/"}}, {ROOT: "s3://a"}),
        ({"command": ["mlflow", "server", "--default-artifact-root", "s3://a/b"]}, {ROOT: "s3://a/b"}),
        ({"command": ["mlflow", "server", "--default-artifact-root=s3://a/b/"]}, {ROOT: "s3://a/b"}),
        ({"command": ["server", "--artifacts-destination", "s3://a", "--serve-artifacts"]}, {DESTINATION: "s3://a"}),
        ({"entryPoint": ["mlflow", "server"], "command": ["--artifacts-destination=s3://a"]}, {DESTINATION: "s3://a"}),
        ({"entryPoint": ["sh", "-c", "mlflow server --default-artifact-root s3://a/b"], "command": None}, {ROOT: "s3://a/b"}),
        ({"command": ["sh", "-c", "pip install x && exec mlflow server --default-artifact-root='s3://a/b c';"]}, {ROOT: "s3://a/b c"}),
        ({"command": ['/bin/bash -c "mlflow server \\\n  --default-artifact-root s3://a"']}, {ROOT: "s3://a"}),  # a command in a command
        ({"command": ['mlflow server --default-artifact-root "s3://a']}, {ROOT: '"s3://a'}),
        ({"command": ["sh", "-c", "mlflow server --default-artifact-root $B/x"], "environment": {"B": "s3://a"}}, {ROOT: "s3://a/x"}),
        ({"command": ["sh", "-c", "mlflow server --default-artifact-root=${B}"]}, {ROOT: "${B}"}),
        ({"command": ["mlflow", "server", "--default-artifact-root"]}, {}),
        ({"command": ["mlflow", "server", "--default-artifact-root", "s3://new"], "environment": {ROOT: "s3://old"}}, {ROOT: "s3://new"}),
        ({"command": ["mlflow", "server", "--default-artifact-root=s3://a", "--artifacts-destination=s3://b"]}, {ROOT: "s3://a", DESTINATION: "s3://b"}),
    ],
)
def test_places(container: dict[str, t.Any], places: dict[str, str]) -> None:
    assert artifact_places(container) == places


def test_a_plan_warns_of_what_a_command_said() -> None:
    old = {"mlflow": {"command": ["mlflow", "server", "--default-artifact-root=s3://old"], "environment": {"A": "b"}}}
    new = {"mlflow": {"command": ["mlflow", "server"], "environment": {DESTINATION: "s3://new"}}}
    (warning,) = artifact_warnings(old, new)
    assert "below s3://old" in warning and "mlflow_artifact_buckets_mlflow_will_read" in warning
    assert artifact_warnings(old, {"mlflow": {"environment": {DESTINATION: "s3://old"}}}) == []

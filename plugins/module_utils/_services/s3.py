# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what is special about S3: which bucket a run has begun to create."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws


def begun_bucket(stack: str) -> str:
    """The parameter of SSM that names the bucket which a run of the stack has begun to make, and not tagged yet."""
    return f"/mlplatform/mlflow_aws/{stack}/bucket"


def was_begun(aws: Aws, stack: str, bucket: str) -> bool:
    """Whether an earlier run of the stack has made the bucket, and died before it had tags."""
    name = begun_bucket(stack)
    notes = aws.pages("ssm", "get_parameters_by_path", "Parameters", Path=name.rpartition("/")[0])
    return any((note["Name"], note["Value"]) == (name, bucket) for note in notes)

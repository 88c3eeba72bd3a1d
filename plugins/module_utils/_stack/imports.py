# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what the playbook ``import`` is asked for. Pure: nothing here asks AWS."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs, Problem

SOURCES = ("mlflow_import_database_secret_arn", "mlflow_import_sqlite_s3_uri", "mlflow_import_own_database")
"""The inputs that say what is imported, of which the playbook takes one."""
OWN = SOURCES[-1]
GROUP, ROOT, STOPPED, CONFIRMED = (f"mlflow_{name}" for name in ("import_security_group_id", "import_artifact_root", "import_source_stopped", "confirm_import"))


def validate_request(inputs: Inputs) -> list[Problem]:
    """What is wrong with the choice of what to import."""
    given, all_names = [name for name in SOURCES if inputs.get(name)], ", ".join(SOURCES)
    if not given:
        return [Problem(SOURCES[0], None, f"is missing: give one of {all_names}")]
    if len(given) > 1:
        return [Problem(given[1], inputs[given[1]], f"{given[0]} is given too: give one of {all_names}")]
    problems = []
    if given == [SOURCES[0]] and not inputs.get(GROUP):
        problems.append(
            Problem(GROUP, None, "is missing: give a security group that reaches the old database, since that of the servers reaches only their own")
        )
    if given == [OWN] and inputs.get("mlflow_database_engine") == "aurora-postgresql":
        problems.append(Problem(OWN, True, "in PostgreSQL all tables have the character set of the database, so there is nothing to copy: leave it out"))
    if inputs.get(ROOT) and inputs["mlflow_import_artifact_root"].rstrip("/") != artifact_root(inputs):
        remedy = (
            f"the server finds artifacts below {artifact_root(inputs) or 'a bucket of its own'}: set mlflow_artifact_bucket_id and "
            "mlflow_artifact_bucket_path to where the artifacts are, or leave this input out"
        )
        problems.append(Problem(ROOT, inputs[ROOT], remedy))
    if inputs.get(ROOT) and inputs.get("mlflow_artifact_access") == "direct":
        problems.append(Problem(ROOT, inputs[ROOT], "mlflow_artifact_access is direct, so clients go to S3 themselves: leave one of the two out"))
    if inputs.get(CONFIRMED) and not inputs.get(STOPPED) and given != [OWN]:  # whose servers the playbook stops
        remedy = "stop what writes to the database that is imported, and give true: what is written during the copy would be lost"
        problems.append(Problem(STOPPED, inputs.get(STOPPED), remedy))
    return problems


def artifact_root(inputs: Inputs) -> str:
    """The root below which the server of the stack finds artifacts, empty where it has a bucket of its own, which nobody else has used.

    >>> artifact_root({"mlflow_artifact_bucket_id": "old", "mlflow_artifact_bucket_path": "/mlflow/"})
    's3://old/mlflow'
    """
    bucket, path = inputs.get("mlflow_artifact_bucket_id"), (inputs.get("mlflow_artifact_bucket_path") or "").strip("/")
    return f"s3://{bucket}/{path}".rstrip("/") if bucket else ""

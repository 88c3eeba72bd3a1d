# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With the oldest boto3 that the collection promises to run with. What all other site tests call, it knows too: see conftest.py."""

from __future__ import annotations

import contextlib

import pytest
from botocore.exceptions import ClientError
from conftest import OLDEST
from embedded_aws.client import EmbeddedAWS
from support.stack import Stack

CONFIRMED = {"mlflow_confirm_restore": "mlflow-team-x"}

pytestmark = pytest.mark.skipif(not OLDEST.is_dir(), reason="it needs what scripts/oldest_boto3 installs")


def test_the_embedded_aws_knows_what_service_models_do_not_allow() -> None:
    """Of a query, of JSON, of XML and of a path, whatever AWS itself answers."""
    with EmbeddedAWS("--oldest-botocore", str(OLDEST / "botocore")) as aws:
        calls = [
            (
                "rds",
                "restore_db_cluster_from_snapshot",
                {"DBClusterIdentifier": "x", "SnapshotIdentifier": "s", "Engine": "aurora-mysql", "BackupRetentionPeriod": 1},
            ),
            ("ecs", "create_cluster", {"clusterName": "x", "settings": [{"name": "other", "value": "v"}]}),
            ("s3", "put_bucket_ownership_controls", {"Bucket": "x", "OwnershipControls": {"Rules": [{"ObjectOwnership": "Mine"}]}}),
            ("lambda", "get_function", {"FunctionName": "a b"}),
            ("iam", "get_role", {"RoleName": "x"}),
        ]
        for service, operation, given in calls:
            with contextlib.suppress(ClientError):
                getattr(aws.client(service), operation)(**given)
        assert aws.objections() == [
            "ecs CreateCluster settings[].name: not one of the enumeration",
            "lambda GetFunction FunctionName: does not fit the pattern",
            "rds RestoreDBClusterFromSnapshot BackupRetentionPeriod: unknown to the oldest",
            "s3 PutBucketOwnershipControls OwnershipControls.Rules[].ObjectOwnership: not one of the enumeration",
        ]


def test_a_stack_is_made_backed_up_and_restored(stack: Stack) -> None:
    environment = {"PYTHONPATH": str(OLDEST)}
    for playbooks in ("site", "backup -e mlflow_backup_name=one", "restore -e mlflow_restore_snapshot=one", "site"):
        names, *extra = playbooks.split(" -e ")
        run = stack.run(names, *(word for each in extra for word in ("-e", each)), environment=environment, **CONFIRMED)
        assert run.status == 0, run.messages or run.text
    assert run.changes == []

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the collection data can be lost at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services import s3, secretsmanager
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds import cluster, instance

PLUGINS = Path(__file__).parents[2] / "plugins"


@pytest.mark.parametrize(
    ("operation", "files"),
    [
        ("delete_db_cluster", {"cluster.py"}),
        ("delete_db_instance", {"instance.py"}),
        ("delete_db_cluster_snapshot", set()),
        ("delete_db_cluster_automated_backup", set()),
        ("delete_bucket", {"s3.py"}),
        ("delete_object", set()),
        ("delete_objects", {"s3.py"}),
    ],
)
def test_what_loses_data_is_asked_for_in_one_place(operation: str, files: set[str]) -> None:
    assert {p.name for p in PLUGINS.rglob("*.py") if re.search(rf"\.{operation}\b", p.read_text(encoding="utf-8"))} == files


def test_what_holds_data_is_never_replaced() -> None:
    modules = (cluster, instance, s3, secretsmanager)
    kinds = [k for module in modules for k in vars(module).values() if isinstance(k, type) and issubclass(k, Resource)]
    assert {"Cluster", "Instance", "Bucket", "Secret"} <= {kind.__name__ for kind in kinds}
    assert not [kind.__name__ for kind in kinds if kind.replaceable]

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight makes of AWS's answers, as tables."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._preflight.database import Database
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._preflight.network import Network


def preflight(checks, answer, **inputs):
    return checks(SimpleNamespace(region="eu-west-1", pages=lambda *_a, **_k: answer), inputs)


OLD = {"EngineVersion": "8.0.mysql_aurora.3.04.4", "ServerlessV2FeaturesSupport": {"MinCapacity": 0.5, "MaxCapacity": 128}}
NEW = {"EngineVersion": "8.0.mysql_aurora.3.10.3", "ServerlessV2FeaturesSupport": {"MinCapacity": 0, "MaxCapacity": 256}}


@pytest.mark.parametrize(
    ("version", "pause", "most", "problems"),
    [
        (NEW["EngineVersion"], True, 256, []),
        (OLD["EngineVersion"], False, 128, []),
        (OLD["EngineVersion"], True, 1, ["mlflow_database_auto_pause"]),
        (OLD["EngineVersion"], False, 129, ["mlflow_database_max_capacity"]),
        ("8.0.mysql_aurora.3.99.0", True, 1, ["mlflow_rds_cluster_engine_version"]),
    ],
)
def test_the_version_must_do_what_is_asked_of_it(version, pause, most, problems):
    check = preflight(
        Database,
        [OLD, NEW, {"EngineVersion": "8.0.mysql_aurora.3.11.0"}],
        mlflow_database_engine="aurora-mysql",
        mlflow_rds_cluster_engine_version=version,
        mlflow_database_auto_pause=pause,
        mlflow_database_max_capacity=most,
    )
    assert [problem.variable for problem in check.engine()] == problems


@pytest.mark.parametrize(
    ("zones", "problems"),
    [
        ("abc", []),
        ("aaa", ["mlflow_load_balancer_subnet_ids", "mlflow_service_subnet_ids"]),
        ("aab", ["mlflow_load_balancer_subnet_ids"]),  # the others may have several in a zone
    ],
)
def test_a_load_balancer_takes_one_subnet_in_each_zone(zones, problems):
    known = [{"SubnetId": f"subnet-{n}", "VpcId": "vpc-1", "AvailabilityZone": zone} for n, zone in enumerate(zones)]
    ids = [subnet["SubnetId"] for subnet in known]
    check = preflight(Network, known, mlflow_vpc_id="vpc-1", mlflow_load_balancer_subnet_ids=ids, mlflow_service_subnet_ids=ids)
    assert [problem.variable for problem in check.subnets()] == problems

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight makes of AWS's answers, as tables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._preflight.database import Database
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._preflight.network import Network
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._preflight.secrets import MIN_PASSWORD, credentials_reason


def preflight(checks, answer, **inputs):
    return checks(SimpleNamespace(region="eu-west-1", once=lambda _key, read: read(), pages=lambda *_a, **_k: answer), inputs)


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
    known = [{"SubnetId": f"subnet-{n}", "VpcId": "vpc-1", "AvailabilityZone": zone, "CidrBlock": "10.0.0.0/24"} for n, zone in enumerate(zones)]
    ids = [subnet["SubnetId"] for subnet in known]
    check = preflight(Network, known, mlflow_vpc_id="vpc-1", mlflow_load_balancer_subnet_ids=ids, mlflow_service_subnet_ids=ids)
    assert [problem.variable for problem in check.subnets()] == problems


LONG = "hunter2-and-13-others"


@pytest.mark.parametrize(
    ("users", "named"),
    [
        ({"ci": LONG}, None),
        ({"ci": "x" * 20, "jürgen": "ä" * 20}, None),
        ({"ci": "x" * 19}, "the password of 'ci' is shorter than 20 characters"),
        ({"ci": LONG, "weak": "hunter2", "weaker": "x"}, "the password of 'weak', 'weaker' is shorter"),
        ({f"user{n}": "hunter2" for n in range(9)}, "'user4' and 4 more is shorter"),
        ({"a\nb\x1b[2J": "hunter2"}, r"the password of 'a\nb\x1b[2J' is shorter"),
        ({"ci": ""}, "a JSON object of user name to password"),
        ({"ci": 12345678901234567890123}, "a JSON object of user name to password"),
        ({"": LONG}, "no user name that is empty"),
        ({"a:b": LONG}, "no user name that is empty or holds a colon"),
        ({}, "a JSON object of user name to password"),
        ([LONG], "a JSON object of user name to password"),
    ],
)
def test_the_secret_of_http_basic_is_told_by_its_users_and_never_by_a_password(users, named):
    reason = credentials_reason(json.dumps(users))
    assert (reason is None) == (named is None) and (named or "") in (reason or "")
    assert "hunter2" not in (reason or "") and (reason or "").isprintable()


def test_the_authorizer_takes_what_preflight_takes():
    code = Path(__file__).parents[2] / "roles/apigw/files/authorizer/basic_credentials.py"
    assert re.findall(r"^MIN_PASSWORD = (\d+)", code.read_text(encoding="utf-8"), re.MULTILINE) == [str(MIN_PASSWORD)]


def test_a_subnet_without_ipv4_addresses_is_refused():
    known = [{"SubnetId": f"subnet-{zone}", "VpcId": "vpc-1", "AvailabilityZone": zone} for zone in "ab"]
    known[0]["CidrBlock"] = "10.0.0.0/24"
    check = preflight(Network, known, mlflow_vpc_id="vpc-1", mlflow_service_subnet_ids=["subnet-a", "subnet-b"])
    (problem,) = check.subnets()
    assert problem.variable == "mlflow_service_subnet_ids" and problem.remedy.startswith("subnet-b has IPv6 addresses only")

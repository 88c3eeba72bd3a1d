# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.capacity import scaling
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import members
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.status import failure
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.versions import parameter_group_family, parse_version, version_change
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.windows import is_maintenance_window, windows_meet


@pytest.mark.parametrize(
    ("engine", "version", "family", "numbers"),
    [
        ("aurora-mysql", "8.0.mysql_aurora.3.10.3", "aurora-mysql8.0", (3, 10, 3)),
        ("aurora-mysql", "8.0.mysql_aurora.3.10", "aurora-mysql8.0", (3, 10)),
        ("aurora-mysql", "8.4.mysql_aurora.8.4.7", "aurora-mysql8.4", (8, 4, 7)),
        ("aurora-postgresql", "17.7", "aurora-postgresql17", (17, 7)),
        ("aurora-postgresql", "16.6-limitless", "aurora-postgresql16", (16, 6)),
        ("aurora-postgresql", "17", "aurora-postgresql17", (17,)),
    ],
)
def test_versions(engine, version, family, numbers):
    assert parameter_group_family(engine, version) == family
    assert parse_version(version)[1] == numbers


M = "8.0.mysql_aurora."


@pytest.mark.parametrize(
    ("have", "want", "auto_minor", "change"),
    [
        ("17.7", "17.7", False, None),
        ("17.7", "17", False, None),
        ("17.7", "17.10", False, "minor"),
        ("17.10", "17.7", False, "downgrade"),
        ("17.10", "17.7", True, None),
        ("17.7", "18.3", True, "major"),
        ("17.7", "16.9", True, "downgrade"),
        (M + "3.10.3", M + "3.10.3", False, None),
        (M + "3.10.3", M + "3.10", False, None),
        (M + "3.10.6", M + "3.10.3", False, None),  # AWS forces patches
        (M + "3.10.3", M + "3.10.6", False, "minor"),
        (M + "3.10.3", M + "3.12.0", False, "minor"),
        (M + "3.12.0", M + "3.10.3", False, "downgrade"),
        (M + "3.12.0", M + "3.10.3", True, None),
        (M + "3.10.3", "8.4.mysql_aurora.8.4.7", False, "major"),
        ("8.4.mysql_aurora.8.4.7", M + "3.13.0", True, "downgrade"),
        ("5.7.mysql_aurora.2.12.5", M + "3.10.3", False, "major"),
    ],
)
def test_version_change(have, want, auto_minor, change):
    assert version_change(have, want, auto_minor=auto_minor) == change


@pytest.mark.parametrize(
    ("existing", "count", "wanted", "unwanted"),
    [
        ({}, 1, ["x-1"], []),
        ({}, 3, ["x-1", "x-2", "x-3"], []),
        ({"x-1": True}, 1, ["x-1"], []),
        ({"x-1": True}, 2, ["x-1", "x-2"], []),
        ({"x-1": True, "x-2": False, "x-3": False}, 2, ["x-1", "x-2"], ["x-3"]),
        ({"x-1": False, "x-2": True}, 1, ["x-2"], ["x-1"]),  # after a failover the writer stays
        ({"x-2": True}, 2, ["x-1", "x-2"], []),
        ({"x-1": True, "by-hand": False, "x-y-1": False}, 1, ["x-1"], []),
        ({"by-hand": True}, 1, ["x-1"], []),
        ({"x-1": True, "x-2": False}, 0, [], ["x-1", "x-2"]),
    ],
)
def test_members(existing, count, wanted, unwanted):
    assert members("x", existing, count) == (wanted, unwanted)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((0, 1, 600), {"min_capacity": 0, "max_capacity": 1, "seconds_until_auto_pause": 600}),
        ((0, 1, None), {"min_capacity": 0, "max_capacity": 1, "seconds_until_auto_pause": 300}),
        ((0.5, 1, 600), {"min_capacity": 0.5, "max_capacity": 1}),
    ],
)
def test_scaling(given, kept):
    assert scaling(dict(zip(("min_capacity", "max_capacity", "seconds_until_auto_pause"), given, strict=True))) == kept


@pytest.mark.parametrize("status", ["available", "creating", "modifying", "backing-up", "resetting-master-credentials", "upgrading"])
def test_status_of_a_cluster_that_may_become_available(status):
    assert failure(status, "x") is None


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("stopped", "aws rds start-db-cluster --db-cluster-identifier x"),
        ("failed", "describe-events"),
        ("incompatible-parameters", "describe-events"),
        ("inaccessible-encryption-credentials-recoverable", "KMS key"),
    ],
)
def test_status_of_a_cluster_that_never_does(status, remedy):
    assert remedy in failure(status, "x")


@pytest.mark.parametrize(
    ("window", "right"),
    [
        ("sun:04:30-sun:05:00", True),
        ("Sun:23:45-Mon:00:15", True),
        ("sun:23:45-mon:23:45", True),
        ("sun:23:45-mon:23:46", False),
        ("sun:04:30-sun:04:59", False),
        ("sun:04:30-sat:04:30", False),
        ("sun:24:00-mon:01:00", False),
        ("04:30-05:30", False),
        ("xyz:04:30-xyz:05:30", False),
    ],
)
def test_a_maintenance_window_has_30_minutes_to_a_day(window, right):
    assert is_maintenance_window(window) is right


@pytest.mark.parametrize(
    ("backup", "maintenance", "meet"),
    [
        ("03:00-04:00", "sun:04:00-sun:05:00", False),
        ("03:00-04:00", "sun:03:59-sun:05:00", True),
        ("05:00-06:00", "sun:04:00-sun:05:00", False),
        ("04:59-06:00", "Sun:04:00-Sun:05:00", True),
        ("04:10-04:40", "sun:04:00-sun:05:00", True),
        ("23:30-00:30", "sun:23:00-sun:23:30", False),
        ("23:30-00:30", "mon:00:00-mon:00:30", True),
        ("00:00-00:30", "sun:23:30-mon:00:10", True),
        ("12:00-12:30", "sun:04:00-mon:04:00", True),
    ],
)
def test_windows_that_meet(backup, maintenance, meet):
    assert windows_meet(backup, maintenance) is meet

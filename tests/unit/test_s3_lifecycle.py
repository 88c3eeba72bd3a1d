# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.s3 import normal_lifecycle

ALL = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}}
MIDNIGHT = datetime.datetime(2030, 1, 2, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param([ALL], [{**ALL, "Filter": {}}], id="empty filter"),
        pytest.param([ALL], [{"ID": "a", "Status": "Enabled", "Prefix": ""}], id="prefix of old rules"),
        pytest.param([ALL], [{"ID": "a", "Status": "Enabled"}], id="no filter"),
        pytest.param([ALL, {**ALL, "ID": "b"}], [{**ALL, "ID": "b"}, ALL], id="order of rules"),
        pytest.param([{**ALL, "Transitions": [{"Days": 90}, {"Days": 30}]}], [{**ALL, "Transitions": [{"Days": 30}, {"Days": 90}]}], id="order of transitions"),
        pytest.param([{**ALL, "Expiration": {"Date": "2030-01-02T00:00:00Z"}}], [{**ALL, "Expiration": {"Date": MIDNIGHT}}], id="date"),
    ],
)
def test_same_rules(one: list[dict[str, t.Any]], other: list[dict[str, t.Any]]) -> None:
    assert normal_lifecycle(one) == normal_lifecycle(other)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({**ALL, "Status": "Disabled"}, id="status"),
        pytest.param({**ALL, "Filter": {"Prefix": "x"}}, id="prefix"),
        pytest.param({**ALL, "Filter": {"Tag": {"Key": "k", "Value": "v"}}}, id="tag"),
        pytest.param({**ALL, "Expiration": {"Days": 1}}, id="action"),
        pytest.param({"ID": "a", "Status": "Enabled", "Prefix": "x"}, id="prefix of old rules"),
    ],
)
def test_other_rules(other: dict[str, t.Any]) -> None:
    assert normal_lifecycle([ALL]) != normal_lifecycle([other])

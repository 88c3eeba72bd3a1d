# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VPC link that API Gateway could not make, which the embedded AWS has no way to show."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.reconcile import reconcile
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.vpc_link import VpcLink, normal

FAILED = {
    "VpcLinkId": "old",
    "Name": "team-x",
    "SubnetIds": ["subnet-a"],
    "SecurityGroupIds": [],
    "Tags": {},
    "VpcLinkStatus": "FAILED",
    "VpcLinkStatusMessage": "no free address in subnet-a",
}


class FakeAws:
    """One failed link; a new one gets the state that the test asks for."""

    check_mode = False
    module = types.SimpleNamespace(params={})

    def __init__(self, status: str) -> None:
        self.status, self.links, self.log, self.created_at = status, {"old": FAILED}, [], {}

    def before_wait(self) -> None:
        """Nothing: no run has a lease here."""

    def read_late_enough(self, what: str, made: float) -> None:
        """What was read is up to date here."""

    def client(self, service: str) -> t.Any:
        return self

    def pages(self, *names: str) -> list[t.Any]:
        return list(self.links.values())

    def get_vpc_link(self, VpcLinkId: str) -> t.Any:
        return self.links.get(VpcLinkId)

    def delete_vpc_link(self, VpcLinkId: str) -> None:
        self.log.append(f"delete {VpcLinkId}")
        del self.links[VpcLinkId]

    def create_vpc_link(self, **given: t.Any) -> t.Any:
        self.log.append("create")
        self.links["new"] = {**FAILED, "VpcLinkId": "new", "VpcLinkStatus": self.status}
        return self.links["new"]


def link(aws: FakeAws) -> VpcLink:
    return VpcLink(t.cast(t.Any, aws), "team-x", {"subnet_ids": ["subnet-a"], "security_group_ids": []}, tags={})


def test_a_link_that_failed_is_made_again() -> None:
    aws = FakeAws("AVAILABLE")
    (change,) = reconcile([link(aws)])
    assert change["action"] == "replace"
    assert aws.log == ["delete old", "create"]


def test_the_reason_of_a_failure_is_the_error() -> None:
    with pytest.raises(AwsError, match="no free address in subnet-a"):
        reconcile([link(FakeAws("FAILED"))])


def test_an_idle_link_is_usable() -> None:
    """API Gateway takes the interfaces of a link without traffic away, and brings them back with the next request."""
    state = normal({**FAILED, "VpcLinkStatus": "INACTIVE"})
    assert state["usable"] and not link(FakeAws("AVAILABLE")).pending(state)

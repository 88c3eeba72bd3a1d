# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service beside another one, and services that never have more than one task."""

from __future__ import annotations

import typing as t

import pytest
from embedded_aws.client import EmbeddedAWS
from modules.run_module import run_module
from modules.test_ecs_service import given, mutations, register, run

__all__ = ["given"]
SINGLE = (100, 0, "DISABLED")


def beside(params: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    balancers = [{**params["load_balancers"][0], "target_group_arn": params["_more"]["targets"][1]}]
    return {"name": "y", "task_definition": params["task_definition"], "load_balancers": balancers, "single_task": True, **changes}


def described(aws: EmbeddedAWS, name: str) -> dict[str, t.Any]:
    (found,) = aws.client("ecs").describe_services(cluster="x", services=[name])["services"]
    return found


def deployed(aws: EmbeddedAWS, name: str) -> tuple[int, int, str]:
    found = described(aws, name)
    return found["deploymentConfiguration"]["maximumPercent"], found["deploymentConfiguration"]["minimumHealthyPercent"], found["availabilityZoneRebalancing"]


def asked(aws: EmbeddedAWS, since: int) -> list[tuple[str, str]]:
    return [(call["operation"], call["params"].get("serviceName") or call["params"].get("service")) for call in aws.mutating(since)]


def test_a_service_beside_another_one(aws: EmbeddedAWS, given: dict[str, t.Any]) -> None:
    _planned, result = run(aws, given, further_services=[beside(given)])
    assert [each["name"] for each in result["further_services"]] == ["y"]
    assert deployed(aws, "y") == SINGLE and deployed(aws, "x") == (200, 100, "ENABLED")
    assert (described(aws, "x")["desiredCount"], described(aws, "y")["desiredCount"]) == (2, 1)
    assert not run(aws, given, further_services=[beside(given)])[1]["changed"]
    since = aws.mark()
    run(aws, given, further_services=[{"name": "y", "state": "absent"}])
    assert mutations(aws, since) == ["DeleteService"]
    run(aws, given, further_services=[beside(given)])
    since = aws.mark()
    run(aws, given, further_services=[{"name": "y", "state": "absent"}], state="absent")
    assert mutations(aws, since) == ["DeleteService", "DeleteService"]


def test_what_one_at_a_time_may_do_moves_from_one_to_the_other(aws: EmbeddedAWS, given: dict[str, t.Any]) -> None:
    """A new one comes after the deployment of an existing service, and goes before it."""
    run(aws, given)
    other, since = register(aws, "other"), aws.mark()
    run(aws, given, task_definition=other, further_services=[beside(given)])
    assert asked(aws, since) == [("UpdateService", "x"), ("CreateService", "y")]
    since = aws.mark()
    run(aws, given, task_definition=register(aws, "third"), further_services=[{"name": "y", "state": "absent"}])
    assert asked(aws, since)[1:] == [("DeleteService", "y"), ("UpdateService", "x")]


def test_a_service_of_a_single_task_leaves_the_others(aws: EmbeddedAWS, given: dict[str, t.Any]) -> None:
    run(aws, given)
    since = aws.mark()
    run(aws, given, task_definition=register(aws, "other"), single_task=True)
    (update,) = (call["params"] for call in aws.mutating(since) if call["operation"] == "UpdateService")
    assert update["desiredCount"] == 1 and deployed(aws, "x") == SINGLE
    since = aws.mark()
    run(aws, given, task_definition=register(aws, "third"), single_task=True)
    assert "desiredCount" not in next(call["params"] for call in aws.mutating(since) if call["operation"] == "UpdateService")


@pytest.mark.parametrize("there", [["x"], ["y"], ["x", "y"]])
def test_both_are_stopped_and_started(aws: EmbeddedAWS, given: dict[str, t.Any], there: list[str]) -> None:
    run(aws, given, further_services=[beside(given)])
    for name in {"x", "y"} - set(there):
        aws.client("ecs").delete_service(cluster="x", service=name, force=True)
    counts = {name: described(aws, name)["desiredCount"] for name in there}
    params = {"name": "x", "cluster": "x", "further_services": ["y"]}
    run_module("ecs_service_state", {**params, "state": "stopped"}, aws)
    assert [described(aws, name)["runningCount"] for name in there] == [0] * len(there)
    assert not run_module("ecs_service_state", {**params, "state": "stopped"}, aws)["changed"]
    run_module("ecs_service_state", {**params, "state": "started"}, aws)
    assert {name: described(aws, name)["desiredCount"] for name in there} == counts

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS's price list answers."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.cost.prices import to_ask
from embedded_aws.client import EmbeddedAWS
from modules.run_module import run_module


def ask(aws: EmbeddedAWS, engine: str = "aurora-mysql", **more: t.Any) -> dict[str, t.Any]:
    return run_module("stack_cost", {"stack": "x", "cost": {"parts": {}}, "products": to_ask(engine), **more}, aws)


def test_prices_of_the_region_and_the_engine(aws: EmbeddedAWS) -> None:
    mark = aws.mark()
    answer = ask(aws)
    assert answer["prices"] == {
        "fargate_vcpu": 0.05,
        "fargate_memory": 0.005,
        "fargate_arm_vcpu": 0.04,
        "database_capacity": 0.15,
        "load_balancer": 0.03,
        "alarm": 0.1,  # the first tier is free
        "api_requests": 0.0000012,
    }  # the list has a secret at two prices, and of others nothing
    assert answer["notes"] == [] and answer["region"] == "eu-west-1" and not answer["changed"]
    calls = aws.calls(mark)
    assert {call["operation"] for call in calls} == {"GetProducts"} and not any(call["mutating"] for call in calls)
    assert ask(aws, "aurora-postgresql")["prices"]["database_capacity"] == 0.16


def test_a_region_in_which_some_usage_types_have_no_prefix(aws: EmbeddedAWS) -> None:
    prices = ask(aws, region="us-east-1")["prices"]
    assert prices["load_balancer"] == 0.03 and prices == ask(aws)["prices"]


def test_a_region_that_the_list_does_not_have(aws: EmbeddedAWS) -> None:
    answer = ask(aws, region="eu-south-2")
    assert answer["prices"] == {} and "has none of these prices for eu-south-2" in answer["notes"][0]


@pytest.mark.parametrize("check", [False, True])
def test_where_it_cannot_be_asked_that_is_said(aws: EmbeddedAWS, check: bool) -> None:
    refused = {"code": "AccessDeniedException", "message": "User: x is not authorized to perform: pricing:GetProducts", "status": 400}
    aws.faults({"service": "pricing", "operation": "GetProducts", "error": refused})
    answer = run_module("stack_cost", {"stack": "x", "cost": {"parts": {}}, "products": to_ask("aurora-mysql")}, aws, check=check)
    assert answer["prices"] == {} and "cannot be asked (pricing:GetProducts)" in answer["notes"][0] and answer["notes"][0].count("GetProducts") == 2

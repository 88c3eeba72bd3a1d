# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

MODULE, ARN = "budgets_budget", f"arn:aws:budgets::{ACCOUNT}:budget/x"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:team"
WHICH = {"AccountId": ACCOUNT, "BudgetName": "x"}
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
REFUSED = {"code": "AccessDeniedException", "message": "User: x is not authorized to perform: budgets:ViewBudget on resource: y", "status": 400}


def params(**changed: t.Any) -> dict[str, t.Any]:
    return {"name": "x", "amount": 500, "cost_tags": {"mlflow-stack": "x"}, "emails": ["anna@example.com"], "tags": TAGS, **changed}


def run(aws: EmbeddedAWS, given: dict[str, t.Any]) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """What a run did, as its plan foretold, and its changing calls; a second run does nothing."""
    mark = aws.mark()
    plan = run_module(MODULE, given, aws, check=True)
    assert aws.mutating(mark) == []
    done = run_module(MODULE, given, aws)
    assert plan["changes"] == done["changes"] and plan["arn"] == done["arn"]
    calls = [call["operation"] for call in aws.mutating(mark)]
    mark = aws.mark()
    assert not run_module(MODULE, given, aws)["changed"] and aws.mutating(mark) == []
    return [(each["action"], [field["name"] for field in each["fields"]]) for each in done["changes"]], calls


def told(aws: EmbeddedAWS) -> dict[tuple[str, float], list[dict[str, str]]]:
    budgets = aws.client("budgets")
    return {
        (each["NotificationType"], each["Threshold"]): budgets.describe_subscribers_for_notification(**WHICH, Notification=each)["Subscribers"]
        for each in budgets.describe_notifications_for_budget(**WHICH)["Notifications"]
    }


def test_life(aws: EmbeddedAWS) -> None:
    budgets = aws.client("budgets")
    lines, calls = run(aws, params())
    assert [line[0] for line in lines] == ["create"] and calls == ["CreateBudget"]
    budget = budgets.describe_budget(**WHICH)["Budget"]
    assert (budget["BudgetLimit"], budget["TimeUnit"], budget["BudgetType"]) == ({"Amount": "500", "Unit": "USD"}, "MONTHLY", "COST")
    assert budget["CostFilters"] == {"TagKeyValue": ["user:mlflow-stack$x"]}
    anna = [{"SubscriptionType": "EMAIL", "Address": "anna@example.com"}]
    assert told(aws) == {("ACTUAL", 80.0): anna, ("FORECASTED", 100.0): anna}
    assert {each["Key"]: each["Value"] for each in budgets.list_tags_for_resource(ResourceARN=ARN)["ResourceTags"]} == TAGS

    assert run(aws, params(amount=1234.5)) == ([("update", ["amount"])], ["UpdateBudget"])
    assert budgets.describe_budget(**WHICH)["Budget"]["BudgetLimit"]["Amount"] == "1234.5"
    assert len(told(aws)) == 2

    lines, calls = run(aws, params(amount=1234.5, emails=[], topic_arn=TOPIC))
    assert sorted(calls) == ["CreateNotification", "CreateNotification", "DeleteNotification", "DeleteNotification"]
    assert told(aws)["ACTUAL", 80.0] == [{"SubscriptionType": "SNS", "Address": TOPIC}]

    assert run(aws, params(amount=1234.5, emails=[], topic_arn=TOPIC, tags={**TAGS, "a": "1"})) == ([("update", ["tags.a"])], ["TagResource"])
    assert run(aws, params(state="absent")) == ([("delete", [])], ["DeleteBudget"])


def test_what_somebody_has_changed_is_put_right(aws: EmbeddedAWS) -> None:
    run(aws, params())
    budgets = aws.client("budgets")
    (first, _second) = budgets.describe_notifications_for_budget(**WHICH)["Notifications"]
    budgets.delete_notification(**WHICH, Notification=first)
    odd = {"NotificationType": "ACTUAL", "ComparisonOperator": "EQUAL_TO", "Threshold": 10.0, "ThresholdType": "ABSOLUTE_VALUE"}
    budgets.create_notification(**WHICH, Notification=odd, Subscribers=[{"SubscriptionType": "EMAIL", "Address": "ben@example.com"}])
    _lines, calls = run(aws, params())
    assert sorted(calls) == ["CreateNotification", "DeleteNotification"]
    assert told(aws).keys() == {("ACTUAL", 80.0), ("FORECASTED", 100.0)}


def test_a_budget_of_somebody_else_is_left_alone(aws: EmbeddedAWS) -> None:
    budget = {"BudgetName": "x", "BudgetLimit": {"Amount": "1", "Unit": "USD"}, "TimeUnit": "MONTHLY", "BudgetType": "COST"}
    aws.client("budgets").create_budget(AccountId=ACCOUNT, Budget=budget)
    with pytest.raises(ModuleFailed, match="budgets_budget x"):
        run_module(MODULE, params(), aws)


def test_a_new_one_says_that_the_tag_has_to_be_activated(aws: EmbeddedAWS) -> None:
    (change,) = run_module(MODULE, params(), aws)["changes"]
    assert change["warnings"] == [
        "it counts nothing before the tag mlflow-stack is a cost allocation tag: the account that pays activates it (Billing, Cost allocation tags)"
    ]


def test_whoever_may_not_see_budgets_has_none_to_remove(aws: EmbeddedAWS) -> None:
    aws.faults({"service": "budgets", "operation": "DescribeBudget", "error": REFUSED})
    assert not run_module(MODULE, {"name": "x", "tags": TAGS, "state": "absent"}, aws)["changed"]
    with pytest.raises(ModuleFailed, match="budgets:ViewBudget"):
        run_module(MODULE, params(), aws)

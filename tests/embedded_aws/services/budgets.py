# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS Budgets: changes, who is told, and tags."""

from __future__ import annotations

import json
from typing import Any

from moto.budgets import models, responses
from moto.budgets.exceptions import NotFoundException
from moto.core.exceptions import JsonRESTError

from embedded_aws.gaps import gap

EMAILS, TOPICS = 10, 1
"""Subscribers that a notification has at most, by their kinds."""


def _budget(response: Any, name: str = "") -> Any:
    budgets = response.backend.budgets[response._get_param("AccountId") or response.current_account]
    name = name or response._get_param("BudgetName")
    if name not in budgets:
        raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
    return budgets[name]


def _check(subscribers: list[dict[str, str]]) -> None:
    kinds = [each["SubscriptionType"] for each in subscribers]
    if not subscribers or kinds.count("EMAIL") > EMAILS or kinds.count("SNS") > TOPICS:
        raise JsonRESTError("InvalidParameterException", "A notification has 1 to 10 subscribers by email and at most one topic.")


@gap(responses.BudgetsResponse, "create_budget")
def create_budget(original: Any, self: Any) -> Any:
    """CreateBudget takes tags, and for each notification 1 to 10 subscribers by e-mail and at most one topic."""
    for each in self._get_param("NotificationsWithSubscribers", []):
        _check(each["Subscribers"])
    answer = original(self)
    _budget(self, self._get_param("Budget")["BudgetName"]).tags = {each["Key"]: each["Value"] for each in self._get_param("ResourceTags", [])}
    return answer


@gap(responses.BudgetsResponse, "update_budget")
def update_budget(_original: Any, self: Any) -> str:
    """UpdateBudget changes all of a budget but its name and its notifications."""
    given = self._get_param("NewBudget")
    budget = _budget(self, given["BudgetName"])
    budget.budget = {**{"TimePeriod": budget.budget["TimePeriod"]}, **given}
    return json.dumps({})


@gap(responses.BudgetsResponse, "create_notification")
def create_notification(original: Any, self: Any) -> Any:
    """CreateNotification takes as many subscribers as CreateBudget, and no notification a second time."""
    _check(self._get_param("Subscribers", []))
    if self._get_param("Notification") in _budget(self).get_notifications():
        raise JsonRESTError("DuplicateRecordException", "The notification already exists.")
    return original(self)


@gap(responses.BudgetsResponse, "describe_subscribers_for_notification")
def describe_subscribers_for_notification(_original: Any, self: Any) -> str:
    """DescribeSubscribersForNotification says who is told."""
    wanted = self._get_param("Notification")
    found = next((each for each in _budget(self).notifications if each.details == wanted), None)
    if found is None:
        raise NotFoundException("The notification doesn't exist.")
    return json.dumps({"Subscribers": found.subscribers})


def _tagged(response: Any) -> Any:
    return _budget(response, response._get_param("ResourceARN").partition(":budget/")[2])


@gap(responses.BudgetsResponse, "list_tags_for_resource")
def list_tags_for_resource(_original: Any, self: Any) -> str:
    """Budgets have tags."""
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in _tagged(self).tags.items()]})


@gap(responses.BudgetsResponse, "tag_resource")
def tag_resource(_original: Any, self: Any) -> str:
    """TagResource adds tags to a budget."""
    _tagged(self).tags.update({each["Key"]: each["Value"] for each in self._get_param("ResourceTags")})
    return json.dumps({})


@gap(responses.BudgetsResponse, "untag_resource")
def untag_resource(_original: Any, self: Any) -> str:
    """UntagResource removes tags from a budget."""
    for key in self._get_param("ResourceTagKeys"):
        _tagged(self).tags.pop(key, None)
    return json.dumps({})


@gap(models.BudgetsBackend, "describe_notifications_for_budget")
def describe_notifications_for_budget(original: Any, self: Any, account_id: str, budget_name: str) -> Any:
    """DescribeNotificationsForBudget needs a budget that exists."""
    if budget_name not in self.budgets[account_id]:
        raise NotFoundException(f"Unable to get budget: {budget_name} - the budget doesn't exist.")
    return original(self, account_id, budget_name)

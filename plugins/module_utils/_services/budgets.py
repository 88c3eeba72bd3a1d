# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: AWS Budgets: what the resources with a tag may cost a month, and who is told when they cost more."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import NOT_ALLOWED, ClientError, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list

_MISSING = ("NotFoundException",)


class Budget(Resource):
    """A budget of a month. ``spec``: the options of ``budgets_budget``.

    Notifications that others have added, of other thresholds, are removed.
    """

    kind = "budgets_budget"
    service = "budgets"

    @property
    def identity(self) -> dict[str, str]:
        """What most calls take."""
        return {"AccountId": self.aws.account_id, "BudgetName": self.name}

    @property
    def arn(self) -> str:
        return f"arn:{self.aws.partition}:budgets::{self.aws.account_id}:budget/{self.name}"

    def describe(self) -> State | None:
        client = self.aws.client("budgets")
        try:
            answer = none_if_missing(client.describe_budget, *_MISSING, **self.identity)
        except ClientError as error:
            if not self.absent or error_code(error) not in NOT_ALLOWED:
                raise
            answer = None  # a caller who may not see budgets has created none
        if answer is None:
            return None
        budget = answer["Budget"]
        notifications, tags = run_concurrently(self._notifications, lambda: client.list_tags_for_resource(ResourceARN=self.arn)["ResourceTags"])
        return {
            "arn": self.arn,
            "amount": float(budget.get("BudgetLimit", {}).get("Amount", 0)),
            "unit": budget.get("BudgetLimit", {}).get("Unit", ""),
            "filters": budget.get("CostFilters", {}),
            "period": budget["TimeUnit"],
            "type": budget["BudgetType"],
            "notifications": notifications,
            "tags": tag_dict(tags),
        }

    def _notifications(self) -> dict[str, list[str]]:
        """Who is told, by what is told."""
        client = self.aws.client("budgets")
        found = self.aws.pages("budgets", "describe_notifications_for_budget", "Notifications", **self.identity)
        plain = [{name: each[name] for name in ("NotificationType", "ComparisonOperator", "Threshold", "ThresholdType") if name in each} for each in found]
        answers = run_concurrently(*(partial(client.describe_subscribers_for_notification, **self.identity, Notification=each) for each in plain))
        return {_key(each): sorted(who["Address"] for who in answer["Subscribers"]) for each, answer in zip(plain, answers, strict=True)}

    def desired(self) -> State:
        subscribers = sorted([*self.spec["emails"], *([self.spec["topic_arn"]] if self.spec["topic_arn"] else [])])
        return {
            "amount": float(self.spec["amount"]),
            "unit": "USD",
            "filters": {"TagKeyValue": sorted(f"user:{key}${value}" for key, value in self.spec["cost_tags"].items())},
            "period": "MONTHLY",
            "type": "COST",
            "notifications": {f"{each['type']} {float(each['percent']):g}": subscribers for each in self.spec["notifications"]},
        }

    def unknown(self) -> State:
        return {"arn": self.arn}

    def create(self, desired: State) -> State:
        told = [{"Notification": _notification(key), "Subscribers": _subscribers(who)} for key, who in desired["notifications"].items()]
        self.aws.client("budgets").create_budget(
            AccountId=self.aws.account_id, Budget=self._budget(desired), NotificationsWithSubscribers=told, ResourceTags=tag_list(desired["tags"])
        )
        return self.unknown()

    def update(self, before: State, changes: State) -> None:
        client = self.aws.client("budgets")
        if changes.keys() - {"notifications"}:
            client.update_budget(AccountId=self.aws.account_id, NewBudget=self._budget(self.desired()))
        had: State = before["notifications"]
        wanted: State = changes.get("notifications", had)
        for key in had.keys() | wanted.keys():
            if had.get(key) == wanted.get(key):
                continue
            if key in had:
                client.delete_notification(**self.identity, Notification=_notification(key))
            if key in wanted:
                client.create_notification(**self.identity, Notification=_notification(key), Subscribers=_subscribers(wanted[key]))

    def _budget(self, wanted: State) -> dict[str, t.Any]:
        return {
            "BudgetName": self.name,
            "BudgetLimit": {"Amount": f"{wanted['amount']:g}" if wanted["amount"] < 10**6 else f"{wanted['amount']:.2f}", "Unit": wanted["unit"]},
            "CostFilters": wanted["filters"],
            "TimeUnit": wanted["period"],
            "BudgetType": wanted["type"],
        }

    def delete(self, before: State) -> None:
        self.aws.client("budgets").delete_budget(**self.identity)

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before is not None or self.absent:
            return []
        keys = ", ".join(self.spec["cost_tags"])
        return [f"it counts nothing before the tag {keys} is a cost allocation tag: the account that pays activates it (Billing, Cost allocation tags)"]


def _key(notification: dict[str, t.Any]) -> str:
    """
    >>> _key({"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0, "ThresholdType": "PERCENTAGE"})
    'ACTUAL 80'
    """
    others = [notification["ComparisonOperator"], notification.get("ThresholdType", "PERCENTAGE")]
    odd = f" {' '.join(others)}" if others != ["GREATER_THAN", "PERCENTAGE"] else ""
    return f"{notification['NotificationType']} {notification['Threshold']:g}{odd}"


def _notification(key: str) -> dict[str, t.Any]:
    kind, threshold, *others = key.split()
    comparison, of = others or ("GREATER_THAN", "PERCENTAGE")
    return {"NotificationType": kind, "ComparisonOperator": comparison, "Threshold": float(threshold), "ThresholdType": of}


def _subscribers(addresses: t.Iterable[str]) -> list[dict[str, str]]:
    return [{"SubscriptionType": "SNS" if each.startswith("arn:") else "EMAIL", "Address": each} for each in addresses]

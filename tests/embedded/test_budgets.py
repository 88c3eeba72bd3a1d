# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS Budgets and the price list of the embedded AWS behave as AWS documents."""

from __future__ import annotations

import json
import typing as t

from embedded.helpers import refused
from embedded_aws.client import ACCOUNT, EmbeddedAWS

TOLD = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0, "ThresholdType": "PERCENTAGE"}
WHICH = {"AccountId": ACCOUNT, "BudgetName": "x"}
ARN = f"arn:aws:budgets::{ACCOUNT}:budget/x"


def budget(amount: str) -> dict[str, t.Any]:
    return {"BudgetName": "x", "BudgetLimit": {"Amount": amount, "Unit": "USD"}, "TimeUnit": "MONTHLY", "BudgetType": "COST"}


def email(address: str) -> dict[str, str]:
    return {"SubscriptionType": "EMAIL", "Address": address}


def test_the_life_of_a_budget(aws: EmbeddedAWS) -> None:
    """CreateBudget, UpdateBudget, CreateNotification, DescribeSubscribersForNotification, TagResource (AWS Billing and Cost Management API Reference)."""
    budgets = aws.client("budgets")
    refused("NotFoundException", budgets.describe_budget, **WHICH)
    refused("NotFoundException", budgets.describe_notifications_for_budget, **WHICH)
    tag = [{"Key": "a", "Value": "1"}]
    many = [{"Notification": TOLD, "Subscribers": [email(f"{n}@example.com") for n in range(11)]}]
    refused("InvalidParameterException", budgets.create_budget, AccountId=ACCOUNT, Budget=budget("5"), NotificationsWithSubscribers=many)
    some = [{"Notification": TOLD, "Subscribers": [email("anna@example.com")]}]
    budgets.create_budget(AccountId=ACCOUNT, Budget=budget("5"), NotificationsWithSubscribers=some, ResourceTags=tag)
    refused("DuplicateRecordException", budgets.create_budget, AccountId=ACCOUNT, Budget=budget("5"))
    budgets.update_budget(AccountId=ACCOUNT, NewBudget=budget("6"))
    assert budgets.describe_budget(**WHICH)["Budget"]["BudgetLimit"]["Amount"] == "6"
    assert budgets.describe_notifications_for_budget(**WHICH)["Notifications"] == [TOLD]
    assert budgets.describe_subscribers_for_notification(**WHICH, Notification=TOLD)["Subscribers"] == [email("anna@example.com")]
    refused("DuplicateRecordException", budgets.create_notification, **WHICH, Notification=TOLD, Subscribers=[email("ben@example.com")])
    budgets.delete_notification(**WHICH, Notification=TOLD)
    refused("NotFoundException", budgets.describe_subscribers_for_notification, **WHICH, Notification=TOLD)
    budgets.tag_resource(ResourceARN=ARN, ResourceTags=[{"Key": "b", "Value": "2"}])
    budgets.untag_resource(ResourceARN=ARN, ResourceTagKeys=["a"])
    assert budgets.list_tags_for_resource(ResourceARN=ARN)["ResourceTags"] == [{"Key": "b", "Value": "2"}]
    budgets.delete_budget(**WHICH)
    refused("NotFoundException", budgets.delete_budget, **WHICH)


def test_the_price_list_answers_in_pages_what_has_all_attributes(aws: EmbeddedAWS) -> None:
    """GetProducts (AWS Billing and Cost Management API Reference)."""
    filters = [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": "eu-west-1"}]
    pricing = aws.client("pricing", "us-east-1")
    pages = list(pricing.get_paginator("get_products").paginate(ServiceCode="AmazonECS", Filters=filters))
    usage = [json.loads(each)["product"]["attributes"]["usagetype"] for page in pages for each in page["PriceList"]]
    assert len(pages) == 2 and "EU-Fargate-vCPU-Hours:perCPU" in usage
    none = [*filters, {"Type": "TERM_MATCH", "Field": "usagetype", "Value": "USE1-Fargate-GB-Hours"}]
    assert pricing.get_products(ServiceCode="AmazonECS", Filters=none)["PriceList"] == []

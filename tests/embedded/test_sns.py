# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SNS of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

from embedded.helpers import refused
from embedded_aws.client import EmbeddedAWS


def test_a_subscription_by_email_has_to_be_confirmed(aws: EmbeddedAWS) -> None:
    """Subscribe, ConfirmSubscription, Unsubscribe (Amazon SNS API Reference); email notifications (Amazon SNS Developer Guide)."""
    sns = aws.client("sns")
    topic = sns.create_topic(Name="x")["TopicArn"]
    refused("InvalidParameter", sns.subscribe, TopicArn=topic, Protocol="email", Endpoint="anna")
    for _twice in range(2):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="anna@example.com")
    (pending,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert pending["SubscriptionArn"] == "PendingConfirmation"
    refused("InvalidParameter", sns.unsubscribe, SubscriptionArn="PendingConfirmation")
    refused("InvalidParameter", sns.confirm_subscription, TopicArn=topic, Token="ben@example.com")
    arn = sns.confirm_subscription(TopicArn=topic, Token="anna@example.com")["SubscriptionArn"]
    assert [each["SubscriptionArn"] for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]] == [arn]
    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="anna@example.com")
    sns.delete_topic(TopicArn=topic)
    assert sns.list_subscriptions()["Subscriptions"] == []

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SNS: subscriptions by e-mail, which somebody has to confirm."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.sns import models, responses
from moto.sns.exceptions import SNSInvalidParameter

from embedded_aws.gaps import gap

PENDING = "PendingConfirmation"


@gap(models.SNSBackend, "subscribe")
def subscribe(original: Any, self: Any, topic_arn: str, endpoint: str, protocol: str) -> Any:
    """Subscribe leaves a subscription by e-mail pending until somebody confirms it, with the token of the e-mail: here its address."""
    if protocol == "email" and "@" not in endpoint:
        raise SNSInvalidParameter("Invalid parameter: Email address")
    is_new = self._find_subscription(topic_arn, endpoint, protocol) is None
    subscription = original(self, topic_arn, endpoint, protocol)
    if protocol == "email" and is_new:
        subscription.confirmed_arn, subscription.arn = subscription.arn, PENDING
        subscription.attributes["PendingConfirmation"] = True
        self.subscriptions[f"{topic_arn} {endpoint}"] = self.subscriptions.pop(subscription.confirmed_arn)
    return subscription


@gap(models.SNSBackend, "list_subscriptions_by_topic")
def list_subscriptions_by_topic(_original: Any, self: Any, topic_arn: str, next_token: Any = None) -> tuple[list[Any], None]:
    """ListSubscriptionsByTopic says ``PendingConfirmation`` in place of the ARN of each subscription that is pending."""
    return self._get_topic_subscriptions(self.get_topic(topic_arn)), None


@gap(models.SNSBackend, "unsubscribe")
def unsubscribe(original: Any, self: Any, subscription_arn: str) -> None:
    """Unsubscribe takes the ARN of a subscription, which one that is pending has not."""
    if not subscription_arn.startswith("arn:"):
        raise SNSInvalidParameter("Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1")
    original(self, subscription_arn)


@gap(responses.SNSResponse, "confirm_subscription")
def confirm_subscription(_original: Any, self: Any) -> Any:
    """ConfirmSubscription confirms a subscription that is pending."""
    topic = self.backend.get_topic(self._get_param("TopicArn"))
    subscription = self.backend.subscriptions.pop(f"{topic.arn} {self._get_param('Token')}", None)
    if subscription is None:
        raise SNSInvalidParameter("Invalid parameter: Token")
    subscription.arn = subscription.confirmed_arn
    subscription.attributes["PendingConfirmation"] = False
    self.backend.subscriptions[subscription.arn] = subscription
    return ActionResult({"SubscriptionArn": subscription.arn})


@gap(models.SNSBackend, "delete_topic_subscriptions")
def delete_topic_subscriptions(_original: Any, self: Any, topic: Any) -> None:
    """DeleteTopic deletes the subscriptions of a topic with it, those that are pending too."""
    for key in [key for key, subscription in self.subscriptions.items() if subscription.topic is topic]:
        del self.subscriptions[key]

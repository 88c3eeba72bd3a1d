# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RDS: subscriptions to events."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds import models, responses
from moto.rds.exceptions import RDSClientError, SubscriptionNotFoundError
from moto.sns.models import sns_backends

from embedded_aws.gaps import gap

PUBLISHER = "events.rds.amazonaws.com"
CATEGORIES = {
    "db-cluster": (
        "configuration change",
        "creation",
        "deletion",
        "failover",
        "failure",
        "global-failover",
        "maintenance",
        "migration",
        "notification",
        "serverless",
    )
}


def _check(backend: Any, topic_arn: str, source_type: str, categories: list[str]) -> None:
    """Amazon RDS event notification (Amazon Aurora User Guide): RDS publishes a test to the topic, as its policy lets it."""
    account, name = topic_arn.split(":")[4:6]
    topic = sns_backends[account][backend.region_name].topics.get(topic_arn)
    if topic is None:
        raise RDSClientError("SNSTopicArnNotFound", f"The SNS topic {name} does not exist.")
    if account == backend.account_id and PUBLISHER not in topic.policy:
        raise RDSClientError("SNSNoAuthorization", f"RDS does not have permission to publish to the SNS topic {name}.")
    if unknown := set(categories) - set(CATEGORIES.get(source_type, categories)):
        raise RDSClientError("SubscriptionCategoryNotFound", f"The supplied category does not exist: {sorted(unknown)}")


@gap(models.RDSBackend, "create_event_subscription")
def create_event_subscription(original: Any, self: Any, kwargs: dict[str, Any]) -> Any:
    """CreateEventSubscription refuses a topic that RDS may not publish to, sources that do not exist, and categories that the sources do not have."""
    _check(self, kwargs["sns_topic_arn"], kwargs.get("source_type", ""), kwargs.get("event_categories", []))
    if kwargs.get("source_type") == "db-cluster" and (missing := set(kwargs.get("source_ids", [])) - set(self.clusters)):
        raise RDSClientError("SourceNotFound", f"The source {', '.join(sorted(missing))} does not exist.")
    return original(self, {"enabled": True, **kwargs})


@gap(responses.RDSResponse, "modify_event_subscription")
def modify_event_subscription(_original: Any, self: Any) -> Any:
    """ModifyEventSubscription changes all but the name, the sources and the tags."""
    given, backend = self.params, self.backend
    subscription = backend.event_subscriptions.get(given["SubscriptionName"])
    if subscription is None:
        raise SubscriptionNotFoundError(given["SubscriptionName"])
    topic_arn, source_type = given.get("SnsTopicArn", subscription.sns_topic_arn), given.get("SourceType", subscription.source_type)
    categories = given.get("EventCategories", subscription.event_categories)
    _check(backend, topic_arn, source_type, categories)
    subscription.sns_topic_arn, subscription.source_type, subscription.event_categories = topic_arn, source_type, categories
    subscription.enabled = given.get("Enabled", subscription.enabled)
    return ActionResult({"EventSubscription": subscription})

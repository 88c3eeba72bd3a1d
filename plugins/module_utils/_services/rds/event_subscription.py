# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: subscriptions to events of RDS, which it publishes to an SNS topic."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.base import RdsResource

FAILED = {
    "no-permission": "RDS may not publish to its topic: let the policy of the topic, and of its key, allow events.rds.amazonaws.com",
    "topic-not-exist": "its topic does not exist any more",
}
_NOT_ALLOWED_YET = "SNSNoAuthorization"
"""What RDS answers where the policy of a topic does not let it publish; that of a new one it may not see at once."""


class EventSubscription(RdsResource):
    """``spec``: ``topic_arn``, ``source_type``, ``source_ids``, ``event_categories``."""

    kind = "rds_event_subscription"
    immutable = frozenset({"source_ids"})  # RDS changes them one by one, and a new subscription costs nothing
    replaceable = True

    def describe(self) -> State | None:
        found = first_or_none(self.rds.describe_event_subscriptions, "EventSubscriptionsList", "SubscriptionNotFound", SubscriptionName=self.name)
        if found is None:
            return None
        return {
            "arn": found["EventSubscriptionArn"],
            "topic_arn": found["SnsTopicArn"],
            "source_type": found.get("SourceType"),
            "source_ids": sorted(found.get("SourceIdsList", [])),
            "event_categories": sorted(found.get("EventCategoriesList", [])),
            "enabled": found["Enabled"],
            "status": found["Status"],
            "tags": self.tags_of(found["EventSubscriptionArn"]),
        }

    def desired(self) -> State:
        return {
            "topic_arn": self.spec["topic_arn"],
            "source_type": self.spec["source_type"],
            "source_ids": sorted(self.spec["source_ids"]),
            "event_categories": sorted(self.spec["event_categories"]),
            "enabled": True,
        }

    def unknown(self) -> State:
        return {"arn": f"arn:{self.aws.partition}:rds:{self.aws.region}:{self.aws.account_id}:es:{self.name}", "status": "creating"}

    def create(self, desired: State) -> State:
        answer = retry_on(
            self.rds.create_event_subscription,
            _NOT_ALLOWED_YET,
            timeout=30,
            SubscriptionName=self.name,
            SnsTopicArn=desired["topic_arn"],
            SourceType=desired["source_type"],
            SourceIds=desired["source_ids"],
            EventCategories=desired["event_categories"],
            Enabled=True,
            Tags=tag_list(desired["tags"]),
        )
        return {"arn": answer["EventSubscription"]["EventSubscriptionArn"], "status": answer["EventSubscription"]["Status"]}

    def update(self, before: State, changes: State) -> State:
        wanted = self.desired()
        answer = retry_on(
            self.rds.modify_event_subscription,
            _NOT_ALLOWED_YET,
            timeout=30,
            SubscriptionName=self.name,
            SnsTopicArn=wanted["topic_arn"],
            SourceType=wanted["source_type"],
            EventCategories=wanted["event_categories"],
            Enabled=True,
        )
        return {"status": answer["EventSubscription"]["Status"]}

    def delete(self, before: State) -> None:
        self.rds.delete_event_subscription(SubscriptionName=self.name)
        self.wait_gone()

    def pending(self, state: State) -> bool:
        if state["status"] in FAILED and not self.absent:
            raise AwsError(FAILED[state["status"]])
        return state["status"] in ("creating", "modifying", "deleting")

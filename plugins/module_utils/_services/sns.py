# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: SNS topics, and who gets what is published to them by e-mail."""

from __future__ import annotations

import json
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.policy_document import normal_policy

EMAIL = "email"
_MISSING = ("NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException")


class Topic(Resource):
    """A topic. ``spec``: ``kms_key_id``, ``policy``, ``emails``.

    Its subscriptions by e-mail are as ``emails`` says; those of other kinds, such as of a chat, are others'.
    """

    kind = "sns_topic"
    service = "sns"

    def describe(self) -> State | None:
        sns, arn = self.aws.client("sns"), self.arn
        attributes, tags = run_concurrently(
            lambda: none_if_missing(sns.get_topic_attributes, *_MISSING, TopicArn=arn),
            lambda: none_if_missing(sns.list_tags_for_resource, *_MISSING, ResourceArn=arn),
        )
        if attributes is None:
            return None
        found = attributes["Attributes"]
        return {
            "arn": arn,
            "kms_key_id": found.get("KmsMasterKeyId", ""),
            "policy": normal_policy(json.loads(found["Policy"])),
            "tags": tag_dict(tags["Tags"]) if tags else {},
        }

    @property
    def arn(self) -> str:
        return f"arn:{self.aws.partition}:sns:{self.aws.region}:{self.aws.account_id}:{self.name}"

    def desired(self) -> State:
        return {"kms_key_id": self.spec["kms_key_id"], "policy": normal_policy(self.spec["policy"])}

    def unknown(self) -> State:
        return {"arn": self.arn}

    def create(self, desired: State) -> State:
        attributes = {"Policy": json.dumps(self.spec["policy"]), **({"KmsMasterKeyId": desired["kms_key_id"]} if desired["kms_key_id"] else {})}
        return {"arn": self.aws.client("sns").create_topic(Name=self.name, Attributes=attributes, Tags=tag_list(desired["tags"]))["TopicArn"]}

    def update(self, before: State, changes: State) -> None:
        values = {"KmsMasterKeyId": changes.get("kms_key_id"), "Policy": json.dumps(self.spec["policy"]) if "policy" in changes else None}
        for name, value in values.items():
            if value is not None:
                self.aws.client("sns").set_topic_attributes(TopicArn=before["arn"], AttributeName=name, AttributeValue=value)

    def delete(self, before: State) -> None:
        self.aws.client("sns").delete_topic(TopicArn=before["arn"])

    def subscriptions(self) -> dict[str, str]:
        """The ARNs of the subscriptions by e-mail, by the address; of one that nobody has confirmed yet, what SNS says in its place."""
        if self.newly_created():
            return {}
        read = partial(self.aws.pages, "sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=self.arn)
        found = self.aws.once(("subscriptions", self.arn), read)
        return {each["Endpoint"]: each["SubscriptionArn"] for each in found if each["Protocol"] == EMAIL}

    def children(self) -> list[Resource]:
        wanted = [] if self.absent else self.spec["emails"]
        known = sorted(self.subscriptions())
        return [Subscription(self.aws, email, parent=self, absent=email not in wanted) for email in dict.fromkeys([*wanted, *known])]


class Subscription(Resource):
    """Somebody's subscription by e-mail, of whose address it is. Until he has confirmed it, it has no ARN, and cannot be removed."""

    kind = "sns_subscription"
    deleted_with_parent = True
    parent: Topic

    def describe(self) -> State | None:
        arn = self.parent.subscriptions().get(self.name)
        return None if arn is None else {"arn": arn}

    def desired(self) -> State:
        return {}

    def create(self, desired: State) -> None:
        self.aws.client("sns").subscribe(TopicArn=self.parent.arn, Protocol=EMAIL, Endpoint=self.name)

    def delete(self, before: State) -> None:
        self.aws.client("sns").unsubscribe(SubscriptionArn=before["arn"])

    def kept_because(self) -> str:
        confirmed = (self.state or {}).get("arn", "").startswith("arn:")
        return "" if confirmed or self.parent.absent else "nobody has confirmed it, and SNS removes it by itself after some days"

    def warn(self, before: State | None, changes: State) -> list[str]:
        return [] if self.absent else ["SNS sends nothing there before the link in its e-mail is followed"]


def not_confirmed(topic: Topic) -> list[str]:
    """The addresses from which nobody has confirmed yet that he wants to be told."""
    return sorted(email for email in topic.spec["emails"] if not topic.subscriptions().get(email, "").startswith("arn:"))

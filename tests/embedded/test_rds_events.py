# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscriptions to events of RDS behave as AWS documents: Amazon RDS event notification (Amazon Aurora User Guide)."""

from __future__ import annotations

import json
import typing as t

from embedded.helpers import has, refused
from embedded_aws.client import EmbeddedAWS


def test_subscriptions(aws: EmbeddedAWS) -> None:
    rds, sns = aws.client("rds"), aws.client("sns")
    topic = sns.create_topic(Name="x")["TopicArn"]
    given: dict[str, t.Any] = {"SubscriptionName": "x", "SnsTopicArn": topic, "SourceType": "db-cluster", "EventCategories": ["failover"]}
    refused("SNSTopicArnNotFound", rds.create_event_subscription, **{**given, "SnsTopicArn": f"{topic}-2"})
    refused("SNSNoAuthorization", rds.create_event_subscription, **given)
    statement = {"Effect": "Allow", "Principal": {"Service": "events.rds.amazonaws.com"}, "Action": "sns:Publish", "Resource": topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    refused("SubscriptionCategoryNotFound", rds.create_event_subscription, **{**given, "EventCategories": ["backup"]})
    refused("SourceNotFound", rds.create_event_subscription, **given, SourceIds=["x"])
    rds.create_event_subscription(**given, Tags=[{"Key": "a", "Value": "1"}])
    refused("SubscriptionAlreadyExist", rds.create_event_subscription, **given)
    rds.modify_event_subscription(SubscriptionName="x", EventCategories=["failure", "maintenance"], Enabled=False)
    (found,) = rds.describe_event_subscriptions(SubscriptionName="x")["EventSubscriptionsList"]
    has(found, CustSubscriptionId="x", EventCategoriesList=["failure", "maintenance"], Enabled=False, SnsTopicArn=topic, Status="active")
    assert rds.list_tags_for_resource(ResourceName=found["EventSubscriptionArn"])["TagList"] == [{"Key": "a", "Value": "1"}]
    rds.delete_event_subscription(SubscriptionName="x")
    refused("SubscriptionNotFound", rds.modify_event_subscription, SubscriptionName="x", Enabled=True)

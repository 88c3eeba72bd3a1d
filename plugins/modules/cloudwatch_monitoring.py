#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloudwatch_monitoring
version_added: 1.2.0
short_description: Manage alarms with whom they notify, and dashboards
author: mlplatform contributors (@mlplatform)
description:
  - Creates, changes and deletes what watches some resources together. That is alarms and dashboards of CloudWatch, metrics that count lines of a log,
    an SNS topic with its subscriptions by e-mail, rules of EventBridge that publish to it, and subscriptions to events of Amazon RDS.
  - The modules of amazon.aws and community.aws for alarms and topics take one at a time, set no tags on alarms, do not see whether the actions of an
    alarm were disabled or its expression was changed, cannot encrypt a topic, and show no diff. They have none for dashboards and for
    subscriptions to events of RDS.
options:
  alarm_name_prefix:
    description:
      - How the names of all O(alarms) begin. An alarm of such a name with the owner tags that is not listed any more is deleted.
      - End it so that no other name begins alike, such as with a slash.
    type: str
    required: true
  alarms:
    description: The metric alarms. They notify O(topic_arn) when their state becomes ALARM, and when it becomes OK again.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the alarm, which begins with O(alarm_name_prefix).
        type: str
        required: true
      description:
        description: What it means, for those who are notified.
        type: str
        required: true
      metrics:
        description:
          - The metrics by the IDs that O(alarms[].expression) has for them, each with C(namespace), C(name), C(dimensions) and C(statistic).
          - Without an expression it is one.
        type: dict
        required: true
      expression:
        description: What is compared with the threshold, an expression of CloudWatch's metric math.
        type: str
        default: ""
      period:
        description: Seconds of one datapoint, V(60) or a multiple.
        type: int
        default: 60
      threshold:
        description: What the metric is compared with.
        type: float
        required: true
      comparison:
        description: How.
        type: str
        choices: [GreaterThanOrEqualToThreshold, GreaterThanThreshold, LessThanThreshold, LessThanOrEqualToThreshold]
        default: GreaterThanOrEqualToThreshold
      evaluation_periods:
        description: How many of the last datapoints are looked at.
        type: int
        default: 1
      datapoints_to_alarm:
        description: How many of them have to be beyond the threshold.
        type: int
        default: 1
      treat_missing_data:
        description: What a datapoint is taken for that there is not.
        type: str
        choices: [breaching, notBreaching, ignore, missing]
        default: notBreaching
  metric_filters:
    description: Metrics that count the events of a log group. A filter goes with its log group.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the filter in the log group.
        type: str
        required: true
      log_group:
        description: Name of the log group, which has to exist.
        type: str
        required: true
      pattern:
        description: Which events are counted, a filter pattern of CloudWatch Logs.
        type: str
      namespace:
        description: Namespace of the metric.
        type: str
      metric:
        description: Name of the metric.
        type: str
  topic:
    description: An SNS topic. Where it has nobody to notify, it is removed.
    type: dict
    suboptions:
      name:
        description: Name of the topic.
        type: str
        required: true
      emails:
        description:
          - Addresses that are subscribed. SNS sends each an e-mail with a link, which has to be followed first.
          - Another address by which the topic is subscribed is removed. Subscriptions of other kinds are left alone.
        type: list
        elements: str
        default: []
      kms_key_id:
        description:
          - ARN of the KMS key that encrypts the topic. Its policy has to let CloudWatch, EventBridge and RDS use it, so that the key C(alias/aws/sns)
            will not do. Empty for none.
        type: str
        default: ""
      policy:
        description: The policy of the topic, a policy document as IAM spells it, says who may publish to it.
        type: dict
        default: {}
  topic_arn:
    description: Where all is published. Where it is empty, O(event_rules) and O(rds_event_subscriptions) are removed.
    type: str
    default: ""
  event_rules:
    description: Rules of the default event bus of EventBridge. Targets that others have added stay, until a rule is removed.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the rule.
        type: str
        required: true
      description:
        description: What it is for.
        type: str
        default: ""
      event_pattern:
        description: Which events it publishes, as EventBridge spells it.
        type: dict
      input_paths:
        description: Parts of an event, by the names that O(event_rules[].input_template) has for them.
        type: dict
        default: {}
      input_template:
        description: What is published in place of the event.
        type: str
        default: ""
  rds_event_subscriptions:
    description: Subscriptions to events of Amazon RDS. One with other sources is deleted and created again.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the subscription.
        type: str
        required: true
      source_type:
        description: Of what kind the sources are.
        type: str
        default: db-cluster
      source_ids:
        description: Names of the sources.
        type: list
        elements: str
        default: []
      event_categories:
        description: Categories of the events.
        type: list
        elements: str
        default: []
  dashboards:
    description: Dashboards, whose names are those of all regions of the account.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the dashboard.
        type: str
        required: true
      body:
        description: What it shows, as CloudWatch spells it. Where it is empty, the dashboard is removed.
        type: dict
        default: {}
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Tell the team when its load balancer has no healthy target
  mlplatform.mlflow_aws.cloudwatch_monitoring:
    alarm_name_prefix: team-x/
    alarms:
      - name: team-x/no-healthy-target
        description: No server answers
        metrics:
          m1:
            namespace: AWS/ApplicationELB
            name: HealthyHostCount
            statistic: Maximum
            dimensions: {LoadBalancer: app/team-x/0123456789abcdef, TargetGroup: targetgroup/team-x/0123456789abcdef}
        comparison: LessThanThreshold
        threshold: 1
        evaluation_periods: 5
        datapoints_to_alarm: 5
    topic_arn: arn:aws:sns:eu-west-1:123456789012:team-x
    tags:
      managed-by: us
"""

RETURN = r"""
alarms:
  description: Names of the alarms. Empty with O(state=absent).
  type: list
  elements: str
  returned: success
  sample: [team-x/no-healthy-target]
topic_arn:
  description: ARN of the topic that all is published to, if any.
  type: str
  returned: success
  sample: arn:aws:sns:eu-west-1:123456789012:team-x
not_confirmed:
  description: Addresses whose subscription nobody has confirmed yet.
  type: list
  elements: str
  returned: success
  sample: []
dashboards:
  description: Names of the dashboards.
  type: list
  elements: str
  returned: success
  sample: []
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains:
    action:
      description: V(create), V(update), V(replace) or V(delete).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: cloudwatch_metric_alarm
    name:
      description: Name of the resource.
      type: str
    fields:
      description: What differs, each with C(name), C(before) and C(after).
      type: list
      elements: dict
    warnings:
      description: What the change costs, such as downtime.
      type: list
      elements: str
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.cloudwatch import Dashboard, MetricAlarm, alarms_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.events import Rule
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import MetricFilter
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.event_subscription import EventSubscription
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.sns import Topic, not_confirmed

ALARM = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str", "required": True},
    "metrics": {"type": "dict", "required": True},
    "expression": {"type": "str", "default": ""},
    "period": {"type": "int", "default": 60},
    "threshold": {"type": "float", "required": True},
    "comparison": {
        "type": "str",
        "choices": ["GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"],
        "default": "GreaterThanOrEqualToThreshold",
    },
    "evaluation_periods": {"type": "int", "default": 1},
    "datapoints_to_alarm": {"type": "int", "default": 1},
    "treat_missing_data": {"type": "str", "choices": ["breaching", "notBreaching", "ignore", "missing"], "default": "notBreaching"},
}
METRIC_FILTER = {
    "name": {"type": "str", "required": True},
    "log_group": {"type": "str", "required": True},
    "pattern": {"type": "str"},
    "namespace": {"type": "str"},
    "metric": {"type": "str"},
}
TOPIC = {
    "name": {"type": "str", "required": True},
    "emails": {"type": "list", "elements": "str", "default": []},
    "kms_key_id": {"type": "str", "default": "", "no_log": False},
    "policy": {"type": "dict", "default": {}},
}
EVENT_RULE = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str", "default": ""},
    "event_pattern": {"type": "dict"},
    "input_paths": {"type": "dict", "default": {}},
    "input_template": {"type": "str", "default": ""},
}
RDS_EVENT_SUBSCRIPTION = {
    "name": {"type": "str", "required": True},
    "source_type": {"type": "str", "default": "db-cluster"},
    "source_ids": {"type": "list", "elements": "str", "default": []},
    "event_categories": {"type": "list", "elements": "str", "default": []},
}
DASHBOARD = {"name": {"type": "str", "required": True}, "body": {"type": "dict", "default": {}}}


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    removed, tags, topic_arn = params["state"] == "absent", params["tags"], params["topic_arn"]
    alarms = _alarms(aws, params, removed)
    # What is still there tells that the stack is watched, so alarms are the first that come and the last that go.
    common: dict[str, t.Any] = {"tags": tags, "needs": alarms}
    topics = [Topic(aws, each["name"], each, absent=removed or not each["emails"], **common) for each in [params["topic"]] if each]
    publishing: dict[str, t.Any] = {"tags": tags, "needs": [*alarms, *topics], "absent": removed or not topic_arn}
    rules = [Rule(aws, each["name"], {**each, "topic_arn": topic_arn}, **publishing) for each in params["event_rules"]]
    subscriptions = [EventSubscription(aws, each["name"], {**each, "topic_arn": topic_arn}, **publishing) for each in params["rds_event_subscriptions"]]
    filters = [MetricFilter(aws, each["name"], each, needs=alarms, absent=removed) for each in params["metric_filters"]]
    dashboards = [Dashboard(aws, each["name"], each, absent=removed or not each["body"], **common) for each in params["dashboards"]]

    def results() -> dict[str, t.Any]:
        return {
            "alarms": [alarm.name for alarm in alarms if not alarm.absent],
            "topic_arn": "" if removed else topic_arn,
            "not_confirmed": [email for topic in topics if not topic.absent for email in not_confirmed(topic)],
            "dashboards": [dashboard.name for dashboard in dashboards if not dashboard.absent],
        }

    return [*alarms, *filters, *topics, *rules, *subscriptions, *dashboards], results


def _alarms(aws: Aws, params: dict[str, t.Any], removed: bool) -> list[MetricAlarm]:
    """Those that are wanted, and as absent those that are there besides."""
    prefix, actions = params["alarm_name_prefix"], [params["topic_arn"]] if params["topic_arn"] else []
    wanted = {} if removed else {each["name"]: {**each, "actions": actions} for each in params["alarms"]}
    names = dict.fromkeys([*wanted, *sorted(alarms_of(aws, prefix))])
    return [MetricAlarm(aws, name, {"prefix": prefix, **wanted.get(name, {})}, tags=params["tags"], absent=name not in wanted) for name in names]


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "alarm_name_prefix": {"type": "str", "required": True},
            "alarms": {"type": "list", "elements": "dict", "default": [], "options": ALARM},
            "metric_filters": {"type": "list", "elements": "dict", "default": [], "options": METRIC_FILTER},
            "topic": {"type": "dict", "options": TOPIC},
            "topic_arn": {"type": "str", "default": ""},
            "event_rules": {"type": "list", "elements": "dict", "default": [], "options": EVENT_RULE},
            "rds_event_subscriptions": {"type": "list", "elements": "dict", "default": [], "options": RDS_EVENT_SUBSCRIPTION},
            "dashboards": {"type": "list", "elements": "dict", "default": [], "options": DASHBOARD},
            **STATE,
            **TAGS,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

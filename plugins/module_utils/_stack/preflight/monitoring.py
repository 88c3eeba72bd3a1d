# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: whether the stack is watched, and whether those who are to be told of it can be."""

from __future__ import annotations

import json
import typing as t

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import NOT_ALLOWED, ClientError, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.cloudwatch import alarms_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.service_state import active_service
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import is_watched
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems

TOPIC, EMAILS, KEY = "mlflow_alarm_topic_arn", "mlflow_alarm_emails", "mlflow_key_arn"
EVENTBRIDGE = "events.amazonaws.com"
PUBLISHERS = ("cloudwatch.amazonaws.com", EVENTBRIDGE, "events.rds.amazonaws.com")
_OF_THE_SOURCE = {"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid"}
"""Conditions of a key's policy that EventBridge does not meet: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"""
_KEY_ACTIONS = "kms:Decrypt and kms:GenerateDataKey*"


class Decision(t.NamedTuple):
    wanted: bool
    there: bool
    """Whether the stack has alarms, which are the first of what watches it that comes, and the last that goes."""


class Monitoring(Checks):
    def checks(self) -> list[Check]:
        return [(self.topic, (), (TOPIC,)), (self.key, (), (EMAILS, KEY))]

    def decision(self) -> Decision:
        return Decision(is_watched(self.inputs), bool(self.inputs.get("mlflow_unique_name")) and self._was_watched() and self._there())

    def removal(self) -> Decision:
        """Of a stack that goes. Its service may have gone before."""
        return Decision(wanted=False, there=self._there())

    def _was_watched(self) -> bool:
        """Whether the service knows of alarms, as it does before there are any, and as long as it exists. It is read anyway, and of others no alarm is."""
        name = self.inputs["mlflow_unique_name"]
        service = active_service(self.aws, {"name": name, "cluster": name})
        return bool(service and service.get("deploymentConfiguration", {}).get("alarms", {}).get("alarmNames"))

    def _there(self) -> bool:
        try:
            return bool(alarms_of(self.aws, self.names.alarm_prefix))
        except ClientError as error:
            if error_code(error) not in NOT_ALLOWED:
                raise
            return False  # a caller who may not see alarms has created none

    def topic(self) -> Problems:
        """The team's topic, as far as the caller may see it."""
        arn = self.inputs[TOPIC]
        if self.is_of_another_account(arn):
            yield self.problem(TOPIC, "it is of another account, to which RDS does not publish events: give one of this account, which may be subscribed to")
            return
        try:
            answer = none_if_missing(self.aws.client("sns").get_topic_attributes, "NotFound", "NotFoundException", TopicArn=arn)
        except ClientError as error:
            if error_code(error) not in NOT_ALLOWED:
                raise
            warn(f"{TOPIC}: the caller may not sns:GetTopicAttributes: see to it that its policy lets {', '.join(PUBLISHERS)} publish to it")
            return
        if answer is None:
            yield self.problem(TOPIC, f"there is no such topic in {self.aws.region}")
            return
        attributes = answer["Attributes"]
        if refused := _not_allowed(attributes["Policy"], "sns:Publish", "SNS:Publish"):
            yield self.problem(
                TOPIC, f"its policy lets no {', '.join(refused)} publish to it: allow {'this service' if len(refused) == 1 else 'them'} sns:Publish"
            )
        key = attributes.get("KmsMasterKeyId", "")
        if key == "alias/aws/sns":
            yield self.problem(TOPIC, f"it is encrypted with {key}, which CloudWatch cannot use: encrypt it with a customer key that {_allows(PUBLISHERS)}")
        elif key and (refused := self._without_key(key)):
            yield self.problem(TOPIC, f"it is encrypted with {key}, whose policy has to allow {_allows(refused)}")

    def key(self) -> Problems:
        """The key that encrypts the topic of the stack."""
        if refused := self._without_key(self.inputs[KEY]):
            yield self.problem(KEY, f"{EMAILS} needs a topic, which it encrypts, and its policy has to allow {_allows(refused)}")

    def _without_key(self, key: str) -> list[str]:
        """Those of the publishers who may not use a key, as far as the caller may see that."""
        try:
            policy = self.aws.client("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"]
        except ClientError as error:
            if error_code(error) not in (*NOT_ALLOWED, "NotFoundException"):
                raise
            return []
        return _not_allowed(policy, "kms:GenerateDataKey*", "kms:GenerateDataKey", "kms:*")


def _allows(services: t.Iterable[str]) -> str:
    unless = ", without conditions on its source such as aws:SourceAccount" if EVENTBRIDGE in services else ""
    return f"{', '.join(services)} {_KEY_ACTIONS}{unless}"


def _not_allowed(policy: str, *actions: str) -> list[str]:
    """The publishers whom no statement allows one of these actions, or all actions.

    >>> _not_allowed('{"Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish"}]}', "sns:Publish")
    ['cloudwatch.amazonaws.com', 'events.rds.amazonaws.com']
    """
    allowed: set[str] = set()
    for statement in json.loads(policy)["Statement"]:
        principal, given = statement.get("Principal", {}), statement.get("Action", [])
        named = {given} if isinstance(given, str) else set(given)
        if statement["Effect"] != "Allow" or not named & {*actions, "*", f"{actions[0].partition(':')[0]}:*"}:
            continue
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        conditions = {key.lower() for operator in statement.get("Condition", {}).values() for key in operator}
        everybody = principal == "*" or (isinstance(principal, dict) and principal.get("AWS") == "*")
        if everybody:  # a topic of the default policy, whose condition EventBridge does not meet
            allowed |= set(PUBLISHERS) - ({EVENTBRIDGE} if statement.get("Condition") else set())
        by_name = {services} if isinstance(services, str) else set(services)
        allowed |= by_name - ({EVENTBRIDGE} if actions[0].startswith("kms:") and conditions & _OF_THE_SOURCE else set())
    return [service for service in PUBLISHERS if service not in allowed]

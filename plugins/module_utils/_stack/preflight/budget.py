# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: whether the topic that alarms go to can be told of costs too."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import NOT_ALLOWED, ClientError, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems

BUDGET, TOPIC = "mlflow_monthly_budget", "mlflow_alarm_topic_arn"
PUBLISHER = "budgets.amazonaws.com"


class Budget(Checks):
    def checks(self) -> list[Check]:
        return [(self.topic, (), (TOPIC, BUDGET))] if self.inputs.get(BUDGET) else []

    def topic(self) -> Problems:
        """Whether AWS Budgets may publish to the topic, and use its key, as far as the caller may see that. What else is wrong with it, alarms say."""
        answer = self._visible("sns", "get_topic_attributes", TopicArn=self.inputs[TOPIC])
        attributes = answer["Attributes"] if answer else {}
        if attributes and not _allows(attributes["Policy"], "sns:Publish", "SNS:Publish"):
            yield self.problem(TOPIC, f"{BUDGET} needs a policy of the topic that lets {PUBLISHER} publish to it: allow this service sns:Publish")
        key = attributes.get("KmsMasterKeyId", "")
        policy = self._visible("kms", "get_key_policy", KeyId=key, PolicyName="default") if key and key != "alias/aws/sns" else None
        if policy and not _allows(policy["Policy"], "kms:GenerateDataKey*", "kms:GenerateDataKey"):
            yield self.problem(TOPIC, f"it is encrypted with {key}, whose policy has to allow {PUBLISHER} kms:Decrypt and kms:GenerateDataKey*, for {BUDGET}")

    def _visible(self, service: str, operation: str, **arguments: str) -> dict[str, t.Any] | None:
        try:
            return none_if_missing(getattr(self.aws.client(service), operation), "NotFound", "NotFoundException", **arguments)
        except ClientError as error:
            if error_code(error) not in NOT_ALLOWED:
                raise
            return None


def _allows(policy: str, *actions: str) -> bool:
    """Whether a statement lets AWS Budgets do one of these actions.

    >>> _allows('{"Statement": [{"Effect": "Allow", "Principal": {"Service": "budgets.amazonaws.com"}, "Action": "sns:*"}]}', "sns:Publish")
    True
    """
    service = actions[0].partition(":")[0]
    for statement in json.loads(policy)["Statement"]:
        given, principal = statement.get("Action", []), statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        names = {services} if isinstance(services, str) else set(services)
        everybody = not statement.get("Condition") and (principal == "*" or (isinstance(principal, dict) and principal.get("AWS") == "*"))
        if statement["Effect"] == "Allow" and (PUBLISHER in names or everybody):
            if ({given} if isinstance(given, str) else set(given)) & {*actions, "*", f"{service}:*"}:
                return True
    return False

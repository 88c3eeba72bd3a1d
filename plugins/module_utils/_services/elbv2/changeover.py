# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: rules that forward to two target groups of one service, of which one takes the place of the other."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.actions import forward_weights, normal_actions, sent_actions

Rule = dict[str, t.Any]


def rules_to_change_over(aws: Aws, arns: t.Collection[str]) -> list[Rule]:
    """The rules that forward to one of these target groups, but no requests yet."""
    groups = aws.client("elbv2").describe_target_groups(TargetGroupArns=sorted(arns))["TargetGroups"]
    balancers = sorted({arn for group in groups for arn in group["LoadBalancerArns"]})
    listeners = [each for arn in balancers for each in aws.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn)]
    rules = [rule for each in listeners for rule in aws.pages("elbv2", "describe_rules", "Rules", ListenerArn=each["ListenerArn"])]
    return [rule for rule in rules if any(not weight and arn in arns for arn, weight in forward_weights(normal_actions(rule["Actions"])).items())]


def change_over(aws: Aws, rule: Rule) -> None:
    """Let all requests of a rule go to the target group that had none."""
    aws.client("elbv2").modify_rule(RuleArn=rule["RuleArn"], Actions=changed_over(rule["Actions"]))


def changed_over(actions: t.Sequence[Rule]) -> list[Rule]:
    """The actions of a rule, whose two target groups take each other's place. A client secret stays what it is."""
    changed = sent_actions(normal_actions(actions))
    for action in changed:
        for group in action.get("ForwardConfig", {}).get("TargetGroups", ()):
            group["Weight"] = int(not group["Weight"])
        if "AuthenticateOidcConfig" in action:
            action["AuthenticateOidcConfig"] = {**action["AuthenticateOidcConfig"], "UseExistingClientSecret": True}
    return changed

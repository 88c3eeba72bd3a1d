# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: listeners of a load balancer, and their rules."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.actions import (
    asks_who_calls,
    forward_weights,
    normal_actions,
    normal_conditions,
    sent_actions,
    sent_conditions,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.certificates import (
    CERTIFICATES_TAG,
    ListenerCertificates,
    additional_certificates,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.resource import Elbv2Resource, tags_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.target_group import TargetGroup

CLIENT_SECRET_VERSION = "mlflow-client-secret-version"


def read_listeners(aws: Aws, load_balancer_arn: str) -> dict[int, State]:
    """What AWS has of every listener, by port, and in ``rules`` of every rule but the default one, by priority."""
    listeners = aws.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=load_balancer_arn)
    if not listeners:
        return {}
    arns = [listener["ListenerArn"] for listener in listeners]
    every = run_concurrently(*(partial(aws.pages, "elbv2", "describe_rules", "Rules", ListenerArn=arn) for arn in arns))
    rules = {arn: [rule for rule in each if not rule["IsDefault"]] for arn, each in zip(arns, every, strict=True)}
    tags = tags_of(aws, [*rules, *(rule["RuleArn"] for each in rules.values() for rule in each)])
    listed = {arn: tags[arn].pop(CERTIFICATES_TAG, "").split() for arn in rules}
    run_concurrently(*(partial(additional_certificates, aws, arn) for arn, ids in listed.items() if ids))  # for children()
    return {
        listener["Port"]: {
            "arn": listener["ListenerArn"],
            "protocol": listener["Protocol"],
            "ssl_policy": listener.get("SslPolicy"),
            "certificate_arn": next((each["CertificateArn"] for each in listener.get("Certificates", [])), None),
            "default_actions": normal_actions(listener["DefaultActions"]),
            "client_certificates": listener.get("MutualAuthentication", {}).get("Mode", "off"),
            "listed_certificates": listed[listener["ListenerArn"]],
            "tags": tags[listener["ListenerArn"]],
            "rules": {
                int(rule["Priority"]): {
                    "arn": rule["RuleArn"],
                    "conditions": normal_conditions(rule["Conditions"]),
                    "actions": normal_actions(rule["Actions"]),
                    "transforms": rule.get("Transforms") or [],  # which an older boto3 does not know
                    "client_secret_version": tags[rule["RuleArn"]].pop(CLIENT_SECRET_VERSION, None),
                    "tags": tags[rule["RuleArn"]],
                }
                for rule in rules[listener["ListenerArn"]]
            },
        }
        for listener in listeners
    }


class InLoadBalancer(Elbv2Resource):
    """A listener or a rule. What AWS has of it, its load balancer has read; whose it is, its load balancer says."""

    parent: t.Any
    deleted_with_parent = True  # AWS may refuse to delete a load balancer, which then still has to work

    def __init__(self, *args: t.Any, existing: State | None, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.existing = existing

    def describe(self) -> State | None:
        return self.existing

    def routed(self, actions: t.Sequence[State], balancer: t.Any, before: str) -> list[State]:
        """Normal actions, with the module's target group where a forward names none, and the ARN of another one of the module where one names that.

        ``before``: the field with the actions that AWS has.
        """
        target_group: TargetGroup | None = balancer.target_group
        further = {group.name: group for group in balancer.further_target_groups}
        weights = forward_weights(self.existing[before]) if self.existing else {}
        named = []
        for action in actions:
            if action["Type"] == "forward" and "TargetGroupName" in action:
                if action["TargetGroupName"] not in further:
                    raise AwsError(f"a forward names the target group {action['TargetGroupName']}, which further_target_groups lacks")
                action = {"Type": "forward", "TargetGroupArn": further[action["TargetGroupName"]].actual["arn"]}
            elif action["Type"] == "forward" and not action.keys() & {"TargetGroupArn", "ForwardConfig"}:
                if target_group is None:
                    raise AwsError("a forward that names no target group needs the option target_group")
                action = {**action, **target_group.forward(weights)}
            named.append(action)
        return normal_actions(named)


class Listener(InLoadBalancer):
    kind = "elbv2_listener"

    def desired(self) -> State:
        return {
            "protocol": self.spec["protocol"],
            "ssl_policy": self.spec["ssl_policy"],
            "certificate_arn": self.spec["certificate_arn"],
            "default_actions": self.routed(self.spec["default_actions"], self.parent, "default_actions"),
            "client_certificates": "off" if self.spec["protocol"] == "HTTPS" else None,
            "tags": self.parent.tags,
        }

    def create(self, desired: State) -> State:
        answer = self.aws.client("elbv2").create_listener(
            LoadBalancerArn=self.parent.state["arn"],
            Port=self.spec["port"],
            **self._arguments(desired),
            **({"Tags": tag_list(desired["tags"])} if desired["tags"] else {}),
        )
        return {"arn": answer["Listeners"][0]["ListenerArn"]}

    def update(self, before: State, changes: State) -> None:
        # HTTPS needs its certificate in the same call, also where the certificate is no change.
        desired = self.desired() if "protocol" in changes else changes
        off = {"MutualAuthentication": {"Mode": "off"}} if "client_certificates" in changes else {}
        self.aws.client("elbv2").modify_listener(ListenerArn=before["arn"], **self._arguments(desired), **off)

    @staticmethod
    def _arguments(desired: State) -> dict[str, t.Any]:
        arguments: dict[str, t.Any] = {}
        if desired.get("protocol"):
            arguments["Protocol"] = desired["protocol"]
        if desired.get("ssl_policy"):
            arguments["SslPolicy"] = desired["ssl_policy"]
        if desired.get("certificate_arn"):
            arguments["Certificates"] = [{"CertificateArn": desired["certificate_arn"]}]
        if desired.get("default_actions"):
            arguments["DefaultActions"] = sent_actions(desired["default_actions"])
        return arguments

    def delete(self, before: State) -> None:
        self.aws.client("elbv2").delete_listener(ListenerArn=before["arn"])

    def warn(self, before: State | None, changes: State) -> list[str]:
        if self.absent and not self.parent.absent:
            return ["nobody can connect to this port any more"]
        return []

    def children(self) -> list[Resource]:
        return [*self._certificates(), *self._rules()]

    def _certificates(self) -> list[ListenerCertificates]:
        """The certificates beside the default one."""
        given = [] if self.absent else self.spec["additional_certificate_arns"]
        wanted = sorted({arn for arn in given if arn != self.spec["certificate_arn"]})
        existing = {} if self.newly_created() else t.cast(State, self.existing)
        listed = existing.get("listed_certificates", [])
        return [ListenerCertificates(self, wanted, listener_arn=existing.get("arn"), listed=listed)] if wanted or listed else []

    def _rules(self) -> list[Rule]:
        existing = {} if self.newly_created() else t.cast(State, self.existing)["rules"]
        wanted = {spec["priority"]: spec for spec in ([] if self.absent else self.spec["rules"])}

        def rule(priority: int, *needs: Resource) -> Rule:
            absent = priority not in wanted
            spec, there = wanted.get(priority), existing.get(priority)
            return Rule(self.aws, f"{self.name}/{priority}", spec, needs=[*self.needs, *needs], parent=self, absent=absent, existing=there)

        # A rule goes once all others are there: what it says may move to another priority, and nobody is to be refused meanwhile.
        going = [rule(priority) for priority in existing if priority not in wanted]
        return sorted([*going, *(rule(priority, *going) for priority in wanted)], key=lambda each: int(each.name.rpartition("/")[2]))


class Rule(InLoadBalancer):
    """A rule is known by its priority, so what moves between priorities is its content.

    No priority is ever in use twice, and no order of changes is needed.
    """

    kind = "elbv2_listener_rule"

    def desired(self) -> State:
        balancer = self.parent.parent
        actions = self.routed(self.spec["actions"], balancer, "actions")
        oidc = any(action["Type"] == "authenticate-oidc" for action in actions)
        return {
            "conditions": normal_conditions(self.spec["conditions"]),
            "actions": actions,
            "transforms": [],
            "client_secret_version": client_secret_version(self.aws, balancer.spec["client_secret_arn"]) if oidc else None,
            "tags": balancer.tags,
        }

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before and "actions" in changes and asks_who_calls(before["actions"]) and not asks_who_calls(changes["actions"]):
            return ["lets everybody in without a sign-in"]
        return []

    def create(self, desired: State) -> State:
        tags = {**desired["tags"], **self._version_tag(desired)}
        answer = self.aws.client("elbv2").create_rule(
            ListenerArn=self.parent.state["arn"],
            Priority=self.spec["priority"],
            Conditions=sent_conditions(desired["conditions"]),
            Actions=sent_actions(desired["actions"], self._client_secret(desired)),
            **({"Tags": tag_list(tags)} if tags else {}),
        )
        return {"arn": answer["Rules"][0]["RuleArn"]}

    def update(self, before: State, changes: State) -> None:
        elbv2, desired = self.aws.client("elbv2"), self.desired()
        arguments: dict[str, t.Any] = {}
        if "conditions" in changes:
            arguments["Conditions"] = sent_conditions(changes["conditions"])
        if changes.keys() & {"actions", "client_secret_version"}:
            arguments["Actions"] = sent_actions(desired["actions"], self._client_secret(desired))
        if "transforms" in changes:
            arguments["ResetTransforms"] = True
        if "client_secret_version" in changes:  # until it is known which one is in force, the tag names none
            elbv2.add_tags(ResourceArns=[before["arn"]], Tags=tag_list({CLIENT_SECRET_VERSION: "changing"}))
        elbv2.modify_rule(RuleArn=before["arn"], **arguments)
        if "client_secret_version" in changes:
            elbv2.add_tags(ResourceArns=[before["arn"]], Tags=tag_list(self._version_tag(changes)))

    @staticmethod
    def _version_tag(desired: State) -> dict[str, str]:
        version = desired["client_secret_version"]
        return {CLIENT_SECRET_VERSION: version} if version else {}

    def _client_secret(self, desired: State) -> str | None:
        if not desired["client_secret_version"]:
            return None
        return self.aws.client("secretsmanager").get_secret_value(
            SecretId=self.parent.parent.spec["client_secret_arn"], VersionId=desired["client_secret_version"]
        )["SecretString"]

    def delete(self, before: State) -> None:
        self.aws.client("elbv2").delete_rule(RuleArn=before["arn"])


def client_secret_version(aws: Aws, arn: str | None) -> str:
    """The current version of the client's secret, found without reading the secret."""
    if not arn:
        raise AwsError("authenticate-oidc needs the option client_secret_arn")
    versions = aws.once(("client secret", arn), lambda: aws.client("secretsmanager").describe_secret(SecretId=arn)["VersionIdsToStages"])
    return next(version for version, stages in versions.items() if "AWSCURRENT" in stages)

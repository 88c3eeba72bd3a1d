#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elbv2_load_balancer
version_added: 1.0.0
short_description: Manage an Application Load Balancer with its listeners, rules and target group
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes one Application Load Balancer and everything that belongs to it, with the Elastic Load Balancing v2
    API (C(CreateLoadBalancer), C(CreateTargetGroup), C(CreateListener), C(CreateRule) and their siblings).
  - Listeners are identified by their port and rules by their priority. Those that are not given here are removed.
  - Transforms of rules, which rewrite the host or the path after a rule has matched, and the verification of client certificates by a
    listener are removed.
  - The attributes of listeners (C(routing.http.response.*) and C(routing.http.request.*)) and further certificates of a listener are
    not managed, because they take further calls for each listener on every run. AWS cannot change the kind
    of addresses, or the protocol version, of a target group.
  - Used in place of M(amazon.aws.elb_application_lb) and M(community.aws.elb_target_group). The first reports defaults that AWS
    fills in as changes, fails with C(PriorityInUse) where rules change places, and cannot tag listeners; the second has no check
    mode, so that nothing that refers to the target group can be planned.
options:
  name:
    description: Name of the load balancer, at most 32 characters.
    type: str
    required: true
  scheme:
    description:
      - Whether the load balancer has private addresses only.
      - AWS cannot change this. The load balancer is recreated, which changes its DNS name; the plan warns of it.
    type: str
    choices: [internal, internet-facing]
    default: internal
  subnets:
    description: IDs of its subnets, in two availability zones or more. Not managed where omitted.
    type: list
    elements: str
  security_groups:
    description: IDs of its security groups. Not managed where omitted.
    type: list
    elements: str
  ip_address_type:
    description: Kind of addresses. Not managed where omitted.
    type: str
    choices: [ipv4, dualstack, dualstack-without-public-ipv4]
  attributes:
    description: Attributes by the key that AWS gives them, such as C(idle_timeout.timeout_seconds). Those omitted are not managed.
    type: dict
    default: {}
  target_group:
    description: The target group of the load balancer. AWS can change neither its port, nor protocol, VPC or target type.
    type: dict
    suboptions:
      name:
        description: Name of the target group, at most 32 characters.
        type: str
        required: true
      port:
        description: Port of a target for which no other was registered. Needed with O(state=present).
        type: int
      protocol:
        description: Protocol that targets speak.
        type: str
        choices: [HTTP, HTTPS]
        default: HTTP
      vpc_id:
        description: ID of the VPC. Needed with O(state=present).
        type: str
      target_type:
        description: How targets are registered.
        type: str
        choices: [instance, ip]
        default: ip
      health_check:
        description: How the load balancer checks targets. What is omitted is not managed.
        type: dict
        default: {}
        suboptions:
          protocol:
            description: Protocol of the check.
            type: str
            choices: [HTTP, HTTPS]
          port:
            description: Port of the check, or V(traffic-port).
            type: str
          path:
            description: Path of the check.
            type: str
          interval_seconds:
            description: Seconds between two checks.
            type: int
          timeout_seconds:
            description: Seconds after which a check has failed.
            type: int
          healthy_threshold_count:
            description: Number of good checks in a row that make a target healthy.
            type: int
          unhealthy_threshold_count:
            description: Number of failed checks in a row that make a target unhealthy.
            type: int
          matcher:
            description: HTTP status codes of a good check, such as V(200) or V(200-299).
            type: str
      attributes:
        description: Attributes by the key that AWS gives them. Those omitted are not managed.
        type: dict
        default: {}
  listeners:
    description: The listeners. Those on other ports are removed.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: Port of the listener.
        type: int
        required: true
      protocol:
        description: Protocol of the listener.
        type: str
        choices: [HTTP, HTTPS]
        required: true
      ssl_policy:
        description: TLS policy of an HTTPS listener. Not managed where omitted.
        type: str
      certificate_arn:
        description: ARN of the default certificate of an HTTPS listener. Not managed where omitted.
        type: str
      default_actions:
        description:
          - What happens to requests that no rule matches, as the API spells it.
          - A C(forward) that names no target group forwards to O(target_group).
        type: list
        elements: dict
        required: true
      rules:
        description: The rules. Those of other priorities are removed.
        type: list
        elements: dict
        default: []
        suboptions:
          priority:
            description: Place among the rules of the listener; the lowest comes first.
            type: int
            required: true
          conditions:
            description: What a request must have, as the API spells it.
            type: list
            elements: dict
            required: true
          actions:
            description:
              - What happens to the request, as the API spells it, in this order; C(Order) may be omitted.
              - A C(forward) that names no target group forwards to O(target_group).
              - The client secret of C(authenticate-oidc) comes from O(client_secret_arn). It is for rules only.
            type: list
            elements: dict
            required: true
  client_secret_arn:
    description:
      - ARN or name of the Secrets Manager secret whose string is the client secret of C(authenticate-oidc) actions.
      - AWS never returns a client secret. So the rule's tag C(mlflow-client-secret-version) records which version of the secret it has,
        and the rule is updated when the secret has a new version.
    type: str
  lift_deletion_protection:
    description: Whether O(state=absent) disables deletion protection. Without it a protected load balancer is an error.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Ensure the load balancer
  mlplatform.mlflow_aws.elbv2_load_balancer:
    name: mlflow-team-x
    subnets: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
    security_groups: [sg-0123456789abcdef0]
    attributes:
      routing.http.drop_invalid_header_fields.enabled: true
    target_group:
      name: mlflow-team-x
      port: 5000
      vpc_id: vpc-0123456789abcdef0
      health_check:
        path: /health
    listeners:
      - port: 80
        protocol: HTTP
        default_actions:
          - Type: redirect
            RedirectConfig: {Protocol: HTTPS, Port: "443", StatusCode: HTTP_301}
      - port: 443
        protocol: HTTPS
        ssl_policy: ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09
        certificate_arn: arn:aws:acm:eu-west-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef
        default_actions:
          - Type: fixed-response
            FixedResponseConfig: {StatusCode: "403"}
        rules:
          - priority: 1
            conditions:
              - Field: host-header
                Values: [mlflow.example.com]
            actions:
              - Type: authenticate-cognito
                AuthenticateCognitoConfig:
                  UserPoolArn: arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_0123456789
                  UserPoolClientId: 0123456789abcdefghijklmnop
                  UserPoolDomain: mlflow-team-x
              - Type: forward
    tags:
      team: x

- name: Remove it
  mlplatform.mlflow_aws.elbv2_load_balancer:
    name: mlflow-team-x
    target_group:
      name: mlflow-team-x
    state: absent
"""

RETURN = r"""
load_balancer:
  description: The load balancer, as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  contains:
    arn:
      description: Its ARN.
      type: str
    dns_name:
      description: Its DNS name.
      type: str
    canonical_hosted_zone_id:
      description: ID of the Route 53 hosted zone that alias records to it name.
      type: str
    state:
      description: V(active), or without O(wait) perhaps V(provisioning).
      type: str
target_group:
  description: The target group, as it is after the run. Empty with O(state=absent), and without O(target_group).
  type: dict
  returned: success
  contains:
    arn:
      description: Its ARN.
      type: str
listeners:
  description: ARNs of the listeners by port. Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    "443": arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/mlflow-team-x/0123456789abcdef/0123456789abcdef
ready:
  description: Whether AWS has finished its work on all of it; without O(wait) it may not have. True in check mode.
  type: bool
  returned: success
  sample: true
dns_records:
  description: The DNS records that lead to the load balancer, each with C(type), C(zone_id) and C(name), as its tag
    C(mlflow-dns-records) lists them. See O(mlplatform.mlflow_aws.route53_records#module:remember).
  type: list
  elements: dict
  returned: success
  sample: []
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: V(create), V(update), V(replace) or V(delete).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: elbv2_listener_rule
    name:
      description: Name of the resource; listeners and rules add their port and priority to the name of the load balancer.
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
from functools import partial

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS, WAIT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, first_or_none, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.dns_records import records_tag, take_records
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2 import normal_actions, normal_conditions, sent_actions, sent_conditions
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run

DELETION_PROTECTION = "deletion_protection.enabled"
CLIENT_SECRET_VERSION = "mlflow-client-secret-version"
TAGS_PER_CALL = 20
HEALTH_CHECK = {
    "protocol": "HealthCheckProtocol",
    "port": "HealthCheckPort",
    "path": "HealthCheckPath",
    "interval_seconds": "HealthCheckIntervalSeconds",
    "timeout_seconds": "HealthCheckTimeoutSeconds",
    "healthy_threshold_count": "HealthyThresholdCount",
    "unhealthy_threshold_count": "UnhealthyThresholdCount",
}


def attribute_dict(attributes: t.Iterable[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each.get("Value", "") for each in attributes}


def spelled(attributes: dict[str, t.Any]) -> dict[str, str]:
    """Attributes as AWS spells their values: ``true``, ``false``, numbers as text."""
    return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in attributes.items()}


def tags_of(aws: Aws, arns: t.Sequence[str]) -> dict[str, dict[str, str]]:
    """The tags of several resources of Elastic Load Balancing, by ARN, in as few calls as AWS allows."""
    tags: dict[str, dict[str, str]] = {}
    for start in range(0, len(arns), TAGS_PER_CALL):
        answer = aws.client("elbv2").describe_tags(ResourceArns=arns[start : start + TAGS_PER_CALL])
        tags |= {each["ResourceArn"]: tag_dict(each["Tags"]) for each in answer["TagDescriptions"]}
    return tags


def read_listeners(aws: Aws, load_balancer_arn: str) -> dict[int, State]:
    """What AWS has of every listener, by port, and in ``rules`` of every rule but the default one, by priority."""
    listeners = aws.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=load_balancer_arn)
    if not listeners:
        return {}
    arns = [listener["ListenerArn"] for listener in listeners]
    every = run_concurrently(*(partial(aws.pages, "elbv2", "describe_rules", "Rules", ListenerArn=arn) for arn in arns))
    rules = {arn: [rule for rule in each if not rule["IsDefault"]] for arn, each in zip(arns, every, strict=True)}
    tags = tags_of(aws, [*rules, *(rule["RuleArn"] for each in rules.values() for rule in each)])
    return {
        listener["Port"]: {
            "arn": listener["ListenerArn"],
            "protocol": listener["Protocol"],
            "ssl_policy": listener.get("SslPolicy"),
            "certificate_arn": next((each["CertificateArn"] for each in listener.get("Certificates", [])), None),
            "default_actions": normal_actions(listener["DefaultActions"]),
            "client_certificates": listener.get("MutualAuthentication", {}).get("Mode", "off"),
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


class Balancing(Resource):
    """What every resource of Elastic Load Balancing has: an ARN, and tags that are changed by it."""

    def unknown(self) -> State:
        return {"arn": UNKNOWN}

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        elbv2 = self.aws.client("elbv2")
        if to_unset:
            elbv2.remove_tags(ResourceArns=[before["arn"]], TagKeys=to_unset)
        if to_set:
            elbv2.add_tags(ResourceArns=[before["arn"]], Tags=tag_list(to_set))


class TargetGroup(Balancing):
    kind = "elbv2_target_group"
    immutable = frozenset({"port", "protocol", "vpc_id", "target_type"})

    def describe(self) -> State | None:
        elbv2 = self.aws.client("elbv2")
        group = first_or_none(elbv2.describe_target_groups, "TargetGroups", "TargetGroupNotFound", Names=[self.name])
        if group is None:
            return None
        arn = group["TargetGroupArn"]
        answer, tags = run_concurrently(lambda: elbv2.describe_target_group_attributes(TargetGroupArn=arn), lambda: tags_of(self.aws, [arn]))
        attributes = attribute_dict(answer["Attributes"])
        health_check = {option: group.get(member) for option, member in HEALTH_CHECK.items()}
        health_check["matcher"] = group.get("Matcher", {}).get("HttpCode")
        return {
            "arn": arn,
            "port": group.get("Port"),
            "protocol": group.get("Protocol"),
            "vpc_id": group.get("VpcId"),
            "target_type": group["TargetType"],
            "health_check": {k: health_check[k] for k in self._health_check()},
            "attributes": {k: attributes.get(k) for k in self.spec["attributes"]},
            "tags": tags[arn],
        }

    def _health_check(self) -> State:
        return {k: v for k, v in self.spec["health_check"].items() if v is not None}

    def desired(self) -> State:
        return {
            **{name: self.spec[name] for name in ("port", "protocol", "vpc_id", "target_type")},
            "health_check": self._health_check(),
            "attributes": spelled(self.spec["attributes"]),
        }

    def create(self, desired: State) -> State:
        members = {"port": "Port", "protocol": "Protocol", "vpc_id": "VpcId", "target_type": "TargetType"}
        answer = self.aws.client("elbv2").create_target_group(
            Name=self.name,
            **{member: desired[name] for name, member in members.items() if desired[name] is not None},
            **self._health_check_arguments(desired["health_check"]),
            **({"Tags": tag_list(desired["tags"])} if desired["tags"] else {}),
        )
        arn = answer["TargetGroups"][0]["TargetGroupArn"]
        self._set_attributes(arn, {}, desired["attributes"])
        return {"arn": arn}

    def update(self, before: State, changes: State) -> None:
        if "health_check" in changes:
            arguments = self._health_check_arguments(changes["health_check"])
            self.aws.client("elbv2").modify_target_group(TargetGroupArn=before["arn"], **arguments)
        self._set_attributes(before["arn"], before["attributes"], changes.get("attributes", {}))

    @staticmethod
    def _health_check_arguments(health_check: State) -> dict[str, t.Any]:
        arguments = {HEALTH_CHECK[k]: v for k, v in health_check.items() if k in HEALTH_CHECK}
        return arguments | ({"Matcher": {"HttpCode": health_check["matcher"]}} if "matcher" in health_check else {})

    def _set_attributes(self, arn: str, before: State, attributes: State) -> None:
        changed = {k: v for k, v in attributes.items() if before.get(k) != v}
        if changed:
            self.aws.client("elbv2").modify_target_group_attributes(TargetGroupArn=arn, Attributes=tag_list(changed))

    def delete(self, before: State) -> None:
        # AWS takes a while to notice that the listeners which used it went with their load balancer.
        retry_on(self.aws.client("elbv2").delete_target_group, "ResourceInUse", TargetGroupArn=before["arn"])


class LoadBalancer(Balancing):
    kind = "elbv2_load_balancer"
    immutable = frozenset({"scheme"})
    replaceable = True
    target_group: TargetGroup | None = None
    dns_records: t.Sequence[dict[str, str]] = ()

    def describe(self) -> State | None:
        elbv2 = self.aws.client("elbv2")
        balancer = first_or_none(elbv2.describe_load_balancers, "LoadBalancers", "LoadBalancerNotFound", Names=[self.name])
        if balancer is None:
            return None
        arn = balancer["LoadBalancerArn"]
        answer, all_tags, _listeners = run_concurrently(
            lambda: elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn),
            lambda: tags_of(self.aws, [arn]),
            lambda: self._listeners(arn),  # for children()
        )
        attributes = attribute_dict(answer["Attributes"])
        tags = all_tags[arn]
        self.dns_records = take_records(tags)
        return {
            **self._answered(balancer),
            "scheme": balancer["Scheme"],
            "subnets": sorted(zone["SubnetId"] for zone in balancer["AvailabilityZones"]),
            "security_groups": sorted(balancer.get("SecurityGroups", [])),
            "ip_address_type": balancer["IpAddressType"],
            "attributes": {k: attributes.get(k) for k in self.spec["attributes"]},
            "protected": attributes.get(DELETION_PROTECTION) == "true",
            "tags": tags,
        }

    def _listeners(self, arn: str) -> dict[int, State]:
        """The listeners that it had before this run."""
        return self.aws.once(("listeners", arn), lambda: read_listeners(self.aws, arn))

    @staticmethod
    def _answered(balancer: dict[str, t.Any]) -> State:
        return {
            "arn": balancer["LoadBalancerArn"],
            "dns_name": balancer["DNSName"],
            "canonical_hosted_zone_id": balancer["CanonicalHostedZoneId"],
            "state": balancer["State"]["Code"],
            "reason": balancer["State"].get("Reason", ""),
        }

    def desired(self) -> State:
        return {
            "scheme": self.spec["scheme"],
            "subnets": _sorted(self.spec["subnets"]),
            "security_groups": _sorted(self.spec["security_groups"]),
            "ip_address_type": self.spec["ip_address_type"],
            "attributes": spelled(self.spec["attributes"]),
        }

    def unknown(self) -> State:
        return dict.fromkeys(("arn", "dns_name", "canonical_hosted_zone_id", "state"), UNKNOWN)

    def create(self, desired: State) -> State:
        members = {"subnets": "Subnets", "security_groups": "SecurityGroups", "ip_address_type": "IpAddressType"}
        # One that takes the place of another remembers what that one did.
        tags = {**desired["tags"], **(records_tag(self.dns_records) if self.dns_records else {})}
        answer = self.aws.client("elbv2").create_load_balancer(
            Name=self.name,
            Type="application",
            Scheme=desired["scheme"],
            **{member: desired[name] for name, member in members.items() if desired[name] is not None},
            **({"Tags": tag_list(tags)} if tags else {}),
        )
        state = self._answered(answer["LoadBalancers"][0])
        self._set_attributes(state["arn"], {}, desired["attributes"])
        return state

    def update(self, before: State, changes: State) -> None:
        elbv2, arn = self.aws.client("elbv2"), before["arn"]
        if "subnets" in changes:
            elbv2.set_subnets(LoadBalancerArn=arn, Subnets=changes["subnets"])
        if "security_groups" in changes:
            elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=changes["security_groups"])
        if "ip_address_type" in changes:
            elbv2.set_ip_address_type(LoadBalancerArn=arn, IpAddressType=changes["ip_address_type"])
        self._set_attributes(arn, before["attributes"], changes.get("attributes", {}))

    def _set_attributes(self, arn: str, before: State, attributes: State) -> None:
        changed = {k: v for k, v in attributes.items() if before.get(k) != v}
        if changed:
            self.aws.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=tag_list(changed))

    def delete(self, before: State) -> None:
        elbv2, arn = self.aws.client("elbv2"), before["arn"]
        if before["protected"]:
            self._set_attributes(arn, {}, {DELETION_PROTECTION: "false"})
        # OperationNotPermitted: AWS has not noticed everywhere yet that the protection was lifted.
        retry_on(elbv2.delete_load_balancer, "OperationNotPermitted", timeout=30, LoadBalancerArn=arn)
        self.wait_gone()

    def pending(self, state: State) -> bool:
        if state["state"] == "failed" and not self.absent:
            raise AwsError(f"AWS could not make it ({state['reason']}): remove it, and run the same command again")
        return state["state"] == "provisioning"

    def warn(self, before: State | None, changes: State) -> list[str]:
        replaced = before is not None and "scheme" in changes
        if before and before["protected"] and (self.absent or replaced) and not self._may_lift_protection():
            # Said here so that a plan says it too: AWS itself would refuse only when the change is under way.
            raise AwsError("its deletion protection is on: turn it off first, or with state=absent give lift_deletion_protection")
        warnings = []
        if changes.get("scheme") == "internet-facing":
            warnings.append("opens the load balancer to the internet")
        if replaced:
            warnings.append("deletes the load balancer and makes it anew: its DNS name changes, requests fail for minutes")
        if before and before["protected"] and changes.get("attributes", {}).get(DELETION_PROTECTION) == "false":
            warnings.append("the load balancer can be deleted by mistake")
        if before and "subnets" in changes and (left := sorted(set(before["subnets"]) - set(changes["subnets"]))):
            warnings.append(f"connections through {', '.join(left)} are cut")
        return warnings

    def _may_lift_protection(self) -> bool:
        if self.absent:
            return self.spec["lift_deletion_protection"]
        return spelled(self.spec["attributes"]).get(DELETION_PROTECTION) == "false"

    def children(self) -> list[Resource]:
        there = {} if self.newly_created() else self._listeners(t.cast(State, self.state)["arn"])
        wanted = {spec["port"]: spec for spec in ([] if self.absent else self.spec["listeners"])}
        return [
            Listener(
                self.aws,
                f"{self.name}:{port}",
                wanted.get(port),
                needs=[self.target_group] if self.target_group and port in wanted else [],
                parent=self,
                absent=port not in wanted,
                there=there.get(port),
            )
            for port in sorted({*there, *wanted})
        ]


class Inside(Balancing):
    """A listener or a rule. What AWS has of it, its load balancer has read; whose it is, its load balancer says."""

    parent: t.Any
    deleted_with_parent = True  # AWS may refuse to delete a load balancer, which then still has to work

    def __init__(self, *args: t.Any, there: State | None, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.there = there

    def describe(self) -> State | None:
        return self.there

    def routed(self, actions: t.Sequence[State], target_group: TargetGroup | None) -> list[State]:
        """Normal actions, with the module's target group where a forward names none."""
        named = []
        for action in actions:
            if action["Type"] == "forward" and not action.keys() & {"TargetGroupArn", "ForwardConfig"}:
                if target_group is None:
                    raise AwsError("a forward that names no target group needs the option target_group")
                action = {**action, "TargetGroupArn": t.cast(State, target_group.state)["arn"]}
            named.append(action)
        return normal_actions(named)


class Listener(Inside):
    kind = "elbv2_listener"

    def desired(self) -> State:
        return {
            "protocol": self.spec["protocol"],
            "ssl_policy": self.spec["ssl_policy"],
            "certificate_arn": self.spec["certificate_arn"],
            "default_actions": self.routed(self.spec["default_actions"], self.parent.target_group),
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
        there = {} if self.newly_created() else t.cast(State, self.there)["rules"]
        wanted = {spec["priority"]: spec for spec in ([] if self.absent else self.spec["rules"])}
        return [
            Rule(self.aws, f"{self.name}/{priority}", wanted.get(priority), parent=self, absent=priority not in wanted, there=there.get(priority))
            for priority in sorted({*there, *wanted})
        ]


class Rule(Inside):
    """A rule is known by its priority, so what moves between priorities is its content.

    No priority is ever in use twice, and no order of changes is needed.
    """

    kind = "elbv2_listener_rule"

    def desired(self) -> State:
        balancer = self.parent.parent
        actions = self.routed(self.spec["actions"], balancer.target_group)
        oidc = any(action["Type"] == "authenticate-oidc" for action in actions)
        return {
            "conditions": normal_conditions(self.spec["conditions"]),
            "actions": actions,
            "transforms": [],
            "client_secret_version": client_secret_version(self.aws) if oidc else None,
            "tags": balancer.tags,
        }

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before and "actions" in changes and _signs_in(before["actions"]) and not _signs_in(changes["actions"]):
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
        arguments = {}
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
            SecretId=self.aws.module.params["client_secret_arn"], VersionId=desired["client_secret_version"]
        )["SecretString"]

    def delete(self, before: State) -> None:
        self.aws.client("elbv2").delete_rule(RuleArn=before["arn"])


def _signs_in(actions: t.Sequence[State]) -> bool:
    return any(action["Type"].startswith("authenticate-") for action in actions)


def client_secret_version(aws: Aws) -> str:
    """The current version of the client's secret, found without reading the secret."""
    arn = aws.module.params["client_secret_arn"]
    if not arn:
        raise AwsError("authenticate-oidc needs the option client_secret_arn")
    versions = aws.once("client secret", lambda: aws.client("secretsmanager").describe_secret(SecretId=arn)["VersionIdsToStages"])
    return next(version for version, stages in versions.items() if "AWSCURRENT" in stages)


def _sorted(values: list[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent, tags, group_spec = params["state"] == "absent", params["tags"], params["target_group"]
    group = TargetGroup(aws, group_spec["name"], group_spec, tags=tags, absent=absent) if group_spec else None
    # Both are made at the same time, and a listener waits for both. A target group goes after what forwards to it.
    needs = [group] if group and absent else []
    balancer = LoadBalancer(aws, params["name"], params, tags=tags, needs=needs, absent=absent)
    balancer.target_group = group

    def results() -> dict[str, t.Any]:
        state = balancer.state or {}
        return {
            "load_balancer": {k: state[k] for k in balancer.unknown() if state},
            "target_group": {"arn": group.state["arn"]} if group and group.state else {},
            "listeners": {each.name.rpartition(":")[2]: each.state["arn"] for each in balancer.child_resources if each.state},
            "dns_records": balancer.dns_records,
        }

    return [*([group] if group else []), balancer], results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "scheme": {"type": "str", "choices": ["internal", "internet-facing"], "default": "internal"},
            "subnets": {"type": "list", "elements": "str"},
            "security_groups": {"type": "list", "elements": "str"},
            "ip_address_type": {"type": "str", "choices": ["ipv4", "dualstack", "dualstack-without-public-ipv4"]},
            "attributes": {"type": "dict", "default": {}},
            "target_group": {
                "type": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "port": {"type": "int"},
                    "protocol": {"type": "str", "choices": ["HTTP", "HTTPS"], "default": "HTTP"},
                    "vpc_id": {"type": "str"},
                    "target_type": {"type": "str", "choices": ["instance", "ip"], "default": "ip"},
                    "health_check": {
                        "type": "dict",
                        "default": {},
                        "options": {
                            "protocol": {"type": "str", "choices": ["HTTP", "HTTPS"]},
                            "port": {"type": "str"},
                            "path": {"type": "str"},
                            "interval_seconds": {"type": "int"},
                            "timeout_seconds": {"type": "int"},
                            "healthy_threshold_count": {"type": "int"},
                            "unhealthy_threshold_count": {"type": "int"},
                            "matcher": {"type": "str"},
                        },
                    },
                    "attributes": {"type": "dict", "default": {}},
                },
            },
            "listeners": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "port": {"type": "int", "required": True},
                    "protocol": {"type": "str", "choices": ["HTTP", "HTTPS"], "required": True},
                    "ssl_policy": {"type": "str"},
                    "certificate_arn": {"type": "str"},
                    "default_actions": {"type": "list", "elements": "dict", "required": True},
                    "rules": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "options": {
                            "priority": {"type": "int", "required": True},
                            "conditions": {"type": "list", "elements": "dict", "required": True},
                            "actions": {"type": "list", "elements": "dict", "required": True},
                        },
                    },
                },
            },
            "client_secret_arn": {"type": "str", "no_log": False},
            "lift_deletion_protection": {"type": "bool", "default": False},
            **STATE,
            **TAGS,
            **WAIT,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

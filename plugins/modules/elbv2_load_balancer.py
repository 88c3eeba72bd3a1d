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
  - The attributes of listeners (C(routing.http.response.*) and C(routing.http.request.*)) are not managed, because they take a further call for
    each listener on every run. AWS cannot change the kind of addresses, or the protocol version, of a target group.
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
    description:
      - Type of its IP addresses. With V(dualstack) and V(dualstack-without-public-ipv4) each subnet needs an IPv6 CIDR block.
      - V(dualstack-without-public-ipv4) is for O(scheme=internet-facing). People cannot sign in at Cognito then, which the load balancer reaches over
        IPv4 only.
      - Not managed where omitted.
    type: str
    choices: [ipv4, dualstack, dualstack-without-public-ipv4]
  attributes:
    description: Attributes by the key that AWS gives them, such as C(idle_timeout.timeout_seconds). Those omitted are not managed.
    type: dict
    default: {}
  target_group:
    description: The target group of the load balancer. AWS can change neither its port, nor protocol, VPC or target type.
    type: dict
    suboptions: &target_group
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
      superseded:
        description:
          - Name of a target group of the same stack whose place this one takes, such as one of another protocol.
          - Rules that forward to it forward to both, and leave the requests where they are, so that an ECS service can register its
            tasks with this one too. M(mlplatform.mlflow_aws.ecs_service) changes over once it has. RV(superseded) says so.
          - With O(state=absent) it is removed too.
        type: str
  further_target_groups:
    description:
      - Target groups beside O(target_group), for some of the requests. A C(forward) with C(TargetGroupName) forwards to the one of that name.
      - C(superseded) has no effect on them.
    type: list
    elements: dict
    default: []
    suboptions: *target_group
  obsolete_target_groups:
    description:
      - Names of target groups of the same stack that are not to be there any more, at most 32 characters each. Where they are, RV(superseded) says so, and
        they are removed with O(remove_superseded) or O(state=absent).
    type: list
    elements: str
    default: []
  remove_superseded:
    description:
      - Whether rules forward to O(target_group) alone, and O(target_group.superseded) is removed. The target group lists what it supersedes in
        its tag C(mlflow-supersedes) until then, so that a run that died leaves nothing behind.
    type: bool
    default: false
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
      additional_certificate_arns:
        description:
          - ARNs of further certificates of an HTTPS listener, for clients that ask for a name of theirs (SNI).
          - The listener lists those that this module has added in its tag C(mlflow-certificates). They are removed when they are not given here any
            more, and those that others have added stay.
        type: list
        elements: str
        default: []
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
              - A C(forward) that names no target group forwards to O(target_group), one with C(TargetGroupName) to that one of this module.
              - The client secret of C(authenticate-oidc) comes from O(client_secret_arn). It is for rules only.
            type: list
            elements: dict
            required: true
  web_acl_arn:
    description:
      - ARN of the web ACL of AWS WAF, a regional one, that filters requests to the load balancer.
      - Where omitted, a web ACL that this module has associated is disassociated, and one that others have associated stays. The load balancer has the
        ARN in its tag C(mlflow-web-acl).
    type: str
  dns_records:
    description:
      - The alias records that lead to the load balancer. With O(state=absent) they are removed before it.
      - The load balancer lists its records in its tag C(mlflow-dns-records). Listed records that are not given here are removed once the others
        exist. So neither a change of a name or a zone nor a run that died leaves a record behind.
      - Each record has an owner, as with M(mlplatform.mlflow_aws.route53_records).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Full name of the record, with or without the final dot.
        type: str
        required: true
      type:
        description: Type of the record.
        type: str
        choices: [A, AAAA]
        default: A
      zone_id:
        description: ID of the hosted zone. Nothing is removed from a zone that does not exist.
        type: str
        required: true
  manage_dns:
    description:
      - Whether the module manages records. With V(false) it ignores O(dns_records) and asks Route 53 nothing.
      - Records that the load balancer lists then stay as they are, and are not listed any more.
    type: bool
    default: true
  client_secret_arn:
    description:
      - ARN or name of the Secrets Manager secret whose string is the client secret of C(authenticate-oidc) actions.
      - AWS never returns a client secret. So the rule's tag C(mlflow-client-secret-version) records which version of the secret it has,
        and the rule is updated when the secret has a new version.
    type: str
  disable_deletion_protection:
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
- name: Create the load balancer
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
    dns_records:
      - name: mlflow.example.com
        zone_id: Z0123456789ABCDEFGHIJ
    tags:
      team: x

- name: Remove it
  mlplatform.mlflow_aws.elbv2_load_balancer:
    name: mlflow-team-x
    target_group:
      name: mlflow-team-x
    dns_records:
      - name: mlflow.example.com
        zone_id: Z0123456789ABCDEFGHIJ
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
further_target_groups:
  description: ARNs of O(further_target_groups) by their names. Empty with O(state=absent).
  type: dict
  returned: success
  sample: {}
superseded:
  description:
    - Name of O(target_group.superseded) as long as it exists, belongs to the load balancer, and was not removed by this run, and those of
      O(obsolete_target_groups) that exist and were not removed.
  type: list
  elements: str
  returned: success
  sample: []
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

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments, STATE, TAGS, WAIT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.reconcile import read
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.load_balancer import LoadBalancer
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.target_group import SupersededTargetGroup, TargetGroup
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record import ALIAS_RECORD, alias_records
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


def _target_group() -> Arguments:
    """The options of a target group, made anew each time: Ansible fills in their defaults."""
    return {
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
        "superseded": {"type": "str"},
    }


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    absent, tags, group_spec = params["state"] == "absent", params["tags"], params["target_group"]
    group = TargetGroup(aws, group_spec["name"], group_spec, tags=tags, absent=absent) if group_spec else None
    further = [TargetGroup(aws, spec["name"], spec, tags=tags, absent=absent) for spec in params["further_target_groups"]]
    obsolete = [TargetGroup(aws, name, {"health_check": {}, "attributes": {}}, tags=tags, absent=True) for name in params["obsolete_target_groups"]]
    groups = [*([group] if group else []), *further]
    # All are created at the same time, and a listener waits for all. A target group goes after what forwards to it.
    needs = groups if absent else []
    balancer = LoadBalancer(aws, params["name"], params, tags=tags, target_group=group, needs=needs, absent=absent)
    read(balancer, *groups, *obsolete)  # its tag lists the records, and its rules tell of a target group that is superseded
    superseded = _superseded(group, balancer) if group else None
    remove = absent or params["remove_superseded"]
    if group and superseded and remove:
        group.superseded = superseded
    going = [*([superseded] if superseded else []), *(each for each in obsolete if each.current_state())]
    if remove:
        balancer.needs = (*balancer.needs, *going)
    balancer.further_target_groups = [*further, *(going if remove else [])]
    records = alias_records(balancer, params["dns_records"], manage=params["manage_dns"])

    def results() -> dict[str, t.Any]:
        state = balancer.state or {}
        return {
            "load_balancer": {k: state[k] for k in balancer.unknown() if state},
            "target_group": {"arn": group.state["arn"]} if group and group.state else {},
            "further_target_groups": {each.name: each.state["arn"] for each in further if each.state},
            "superseded": [] if remove else [each.name for each in going],
            "listeners": {each.name.rpartition(":")[2]: each.state["arn"] for each in balancer.child_resources if each.state and "arn" in each.state},
        }

    return [*groups, balancer, *(going if remove else []), *records], results


def _superseded(group: TargetGroup, balancer: LoadBalancer) -> SupersededTargetGroup | None:
    """The target group whose place this one takes, where there may be one: rules forward to it, or did until a run that died."""
    name = group.spec["superseded"]
    if name and (balancer.absent or name in balancer.target_groups() or (group.current_state() or {}).get("supersedes") == name):
        return SupersededTargetGroup(group.aws, name, by=group)
    return None


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "scheme": {"type": "str", "choices": ["internal", "internet-facing"], "default": "internal"},
            "subnets": {"type": "list", "elements": "str"},
            "security_groups": {"type": "list", "elements": "str"},
            "ip_address_type": {"type": "str", "choices": ["ipv4", "dualstack", "dualstack-without-public-ipv4"]},
            "attributes": {"type": "dict", "default": {}},
            "web_acl_arn": {"type": "str"},
            "target_group": {"type": "dict", "options": _target_group()},
            "further_target_groups": {"type": "list", "elements": "dict", "default": [], "options": _target_group()},
            "obsolete_target_groups": {"type": "list", "elements": "str", "default": []},
            "remove_superseded": {"type": "bool", "default": False},
            "listeners": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "port": {"type": "int", "required": True},
                    "protocol": {"type": "str", "choices": ["HTTP", "HTTPS"], "required": True},
                    "ssl_policy": {"type": "str"},
                    "certificate_arn": {"type": "str"},
                    "additional_certificate_arns": {"type": "list", "elements": "str", "default": []},
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
            "dns_records": {"type": "list", "elements": "dict", "default": [], "options": ALIAS_RECORD},
            "manage_dns": {"type": "bool", "default": True},
            "client_secret_arn": {"type": "str", "no_log": False},
            "disable_deletion_protection": {"type": "bool", "default": False},
            **STATE,
            **TAGS,
            **WAIT,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

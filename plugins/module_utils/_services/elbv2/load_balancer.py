# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: Application Load Balancers."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN, State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.actions import forward_weights
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.listener import Listener, read_listeners
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.resource import Elbv2Resource, attribute_dict, attribute_values, tags_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.target_group import TargetGroup, name_in
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.web_acl import WEB_ACL_TAG, WebAclAssociation, associated_web_acl
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record_list import AliasTarget, records_tag, take_records

DELETION_PROTECTION = "deletion_protection.enabled"
PROTECTED = "its deletion protection is on: turn it off first, or with state=absent give disable_deletion_protection"


class LoadBalancer(Elbv2Resource, AliasTarget):
    kind = "elbv2_load_balancer"
    immutable = frozenset({"scheme"})
    replaceable = True

    def __init__(self, *args: t.Any, target_group: TargetGroup | None = None, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.target_group = target_group
        self.further_target_groups: list[TargetGroup] = []
        """Those that a forward may name, and those that go once nothing forwards to them."""
        self.web_acl: str | None = None
        """The web ACL that the stack has associated, as the tag says that was there before this run."""

    def target_groups(self) -> set[str]:
        """The names of the target groups that the rules which it had before this run forward to."""
        state = self.current_state()
        listeners = self._listeners(state["arn"]).values() if state else ()
        return {name_in(arn) for listener in listeners for rule in listener["rules"].values() for arn in forward_weights(rule["actions"])}

    def alias(self) -> State:
        return {"dns_name": self.actual["dns_name"], "zone_id": self.actual["canonical_hosted_zone_id"]}

    def describe(self) -> State | None:
        elbv2 = self.aws.client("elbv2")
        balancer = first_or_none(elbv2.describe_load_balancers, "LoadBalancers", "LoadBalancerNotFound", Names=[self.name])
        if balancer is None:
            return None
        arn = balancer["LoadBalancerArn"]
        answer, all_tags, *_for_children = run_concurrently(
            lambda: elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn),
            lambda: tags_of(self.aws, [arn]),
            lambda: self._listeners(arn),  # for children()
            *([lambda: associated_web_acl(self.aws, arn)] if self.spec.get("web_acl_arn") else []),
        )
        attributes = attribute_dict(answer["Attributes"])
        tags = all_tags[arn]
        self.dns_records = take_records(tags)
        self.web_acl = tags.pop(WEB_ACL_TAG, None)
        protected = attributes.get(DELETION_PROTECTION) == "true"
        if protected and self.absent and not self._may_disable_protection() and not self._owned_by_another({"tags": tags}):
            raise AwsError(PROTECTED)  # before anything that leads to it is removed
        return {
            **self._answered(balancer),
            "scheme": balancer["Scheme"],
            "subnets": sorted(zone["SubnetId"] for zone in balancer["AvailabilityZones"]),
            "security_groups": sorted(balancer.get("SecurityGroups", [])),
            "ip_address_type": balancer["IpAddressType"],
            "attributes": {k: attributes.get(k) for k in self.spec["attributes"]},
            "protected": protected,
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
            "attributes": attribute_values(self.spec["attributes"]),
        }

    def unknown(self) -> State:
        return dict.fromkeys(("arn", "dns_name", "canonical_hosted_zone_id", "state"), UNKNOWN)

    def create(self, desired: State) -> State:
        members = {"subnets": "Subnets", "security_groups": "SecurityGroups", "ip_address_type": "IpAddressType"}
        # One that takes the place of another lists the records that lead to that one.
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
        kind = {"IpAddressType": changes["ip_address_type"]} if "ip_address_type" in changes else {}
        if "subnets" in changes:  # with the type, as the one may need the other
            elbv2.set_subnets(LoadBalancerArn=arn, Subnets=changes["subnets"], **kind)
        elif kind:
            elbv2.set_ip_address_type(LoadBalancerArn=arn, **kind)
        if "security_groups" in changes:
            elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=changes["security_groups"])
        self._set_attributes(arn, before["attributes"], changes.get("attributes", {}))

    def _set_attributes(self, arn: str, before: State, attributes: State) -> None:
        changed = {k: v for k, v in attributes.items() if before.get(k) != v}
        if changed:
            self.aws.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=tag_list(changed))

    def delete(self, before: State) -> None:
        elbv2, arn = self.aws.client("elbv2"), before["arn"]
        if before["protected"]:
            self._set_attributes(arn, {}, {DELETION_PROTECTION: "false"})
        # OperationNotPermitted: AWS has not noticed everywhere yet that the protection is off.
        retry_on(elbv2.delete_load_balancer, "OperationNotPermitted", timeout=30, LoadBalancerArn=arn)
        self.wait_gone()

    def pending(self, state: State) -> bool:
        if state["state"] == "failed" and not self.absent:
            raise AwsError(f"AWS could not create it ({state['reason']}): remove it, and run the same command again")
        return state["state"] == "provisioning"

    def warn(self, before: State | None, changes: State) -> list[str]:
        replaced = before is not None and "scheme" in changes
        if before and before["protected"] and replaced and not self._may_disable_protection():
            # Said here so that a plan says it too: AWS itself would refuse only when the change is under way.
            raise AwsError(PROTECTED)
        warnings = []
        if changes.get("scheme") == "internet-facing":
            warnings.append("opens the load balancer to the internet")
        if replaced:
            warnings.append("deletes the load balancer and creates it anew: its DNS name changes, requests fail for minutes")
        if before and "ip_address_type" in changes and not replaced:
            kinds = (_addresses(before["ip_address_type"]), _addresses(changes["ip_address_type"]))
            if left := [kind for kind in kinds[0] if kind not in kinds[1]]:
                warnings.append(f"the load balancer loses its {' and '.join(left)} addresses: whoever connects by them is cut off")
        if before and before["protected"] and changes.get("attributes", {}).get(DELETION_PROTECTION) == "false":
            warnings.append("the load balancer can be deleted by mistake")
        if before and "subnets" in changes and (left := sorted(set(before["subnets"]) - set(changes["subnets"]))):
            warnings.append(f"connections through {', '.join(left)} are cut")
        return warnings

    def _may_disable_protection(self) -> bool:
        if self.absent:
            return self.spec["disable_deletion_protection"]
        return attribute_values(self.spec["attributes"]).get(DELETION_PROTECTION) == "false"

    def _target_groups(self) -> list[TargetGroup]:
        """What its listeners and rules come after, and before whose end they change."""
        group = self.target_group
        return [*([group] if group else []), *self.further_target_groups]

    def children(self) -> list[Resource]:
        return [*self._listener_children(), *self._web_acl_children()]

    def _web_acl_children(self) -> list[WebAclAssociation]:
        """The association with a web ACL. A removed load balancer takes its own along."""
        wanted = self.spec.get("web_acl_arn")
        if self.absent or not (wanted or self.web_acl):
            return []
        return [WebAclAssociation(self.aws, self.name, {"arn": wanted or self.web_acl}, parent=self, absent=not wanted)]

    def _listener_children(self) -> list[Listener]:
        existing = {} if self.newly_created() else self._listeners(self.actual["arn"])
        wanted = {spec["port"]: spec for spec in ([] if self.absent else self.spec["listeners"])}
        return [
            Listener(
                self.aws,
                f"{self.name}:{port}",
                wanted.get(port),
                needs=[each for each in self._target_groups() if port in wanted],
                parent=self,
                absent=port not in wanted,
                existing=existing.get(port),
            )
            for port in sorted({*existing, *wanted})
        ]


def _addresses(ip_address_type: str) -> list[str]:
    """What a load balancer of a type has beside private IPv4 addresses.

    >>> _addresses("dualstack"), _addresses("dualstack-without-public-ipv4")
    (['public IPv4', 'IPv6'], ['IPv6'])
    """
    return [*([] if "without-public-ipv4" in ip_address_type else ["public IPv4"]), *(["IPv6"] if "dualstack" in ip_address_type else [])]


def _sorted(values: list[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)

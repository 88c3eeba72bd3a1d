# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: custom domain names."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN, State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import OWNER_TAGS, own_tags, owner_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.mapping import mapping_name
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.resource import ApiGatewayResource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record import ALIAS_RECORD
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record_list import AliasTarget, take_records

DOMAIN_NAME: Arguments = {
    "name": {"type": "str", "required": True},
    "certificate_arn": {"type": "str"},
    "security_policy": {"type": "str", "choices": ["TLS_1_2"], "default": "TLS_1_2"},
    "ip_address_type": {"type": "str", "choices": ["ipv4", "dualstack"]},
    "dns_records": {"type": "list", "elements": "dict", "default": [], "options": ALIAS_RECORD},
    "manage_dns": {"type": "bool", "default": True},
}
"""The options of a custom domain name: what the ``spec`` of a `DomainName` holds."""


def normal(domain: dict[str, t.Any]) -> State:
    """A domain name as API Gateway answers it, in our terms."""
    regional: dict[str, t.Any] = next(iter(domain.get("DomainNameConfigurations") or ()), {})
    return {
        "certificate_arn": regional.get("CertificateArn"),
        "endpoint_type": regional.get("EndpointType"),
        "security_policy": regional.get("SecurityPolicy"),
        "ip_address_type": regional.get("IpAddressType", "ipv4"),
        "routing_mode": domain.get("RoutingMode", "API_MAPPING_ONLY"),
        "mutual_tls": bool(domain.get("MutualTlsAuthentication", {}).get("TruststoreUri")),
        "target_domain_name": regional.get("ApiGatewayDomainName"),
        "target_zone_id": regional.get("HostedZoneId"),
        "status": regional.get("DomainNameStatus", "AVAILABLE"),
        "reason": regional.get("DomainNameStatusMessage", ""),
    }


class DomainName(ApiGatewayResource, AliasTarget):
    """A custom domain name. ``spec``: `DOMAIN_NAME`; where it is absent only the name is needed."""

    kind = "apigatewayv2_domain_name"
    immutable = frozenset({"endpoint_type"})
    others: t.Mapping[str, State] = {}
    """What AWS has of the other domain names of this stack, by name."""

    def describe(self) -> State | None:
        domains = {d["DomainName"]: d for d in self.aws.pages("apigatewayv2", "get_domain_names", "Items")}
        tags = {name: own_tags(domain.get("Tags", {})) for name, domain in domains.items()}
        listed = {name: take_records(each) for name, each in tags.items()}
        states = {name: normal(domain) | {"tags": tags[name]} for name, domain in domains.items()}
        self.others = {name: states[name] for name in sorted(states) if name != self.name and self._is_ours(tags[name])}
        self.dns_records = [record for name in (self.name, *self.others) for record in listed.get(name, [])]
        return states.get(self.name)

    def superseded(self, needs: t.Sequence[Resource] = ()) -> list[DomainName]:
        """As absent, the other domain names of this stack. This one was read already."""
        names = []
        for name, state in self.others.items():
            domain = DomainName(self.aws, name, tags=self.tags, needs=needs, absent=True)
            domain.set_current_state(state)
            names.append(domain)
        return names

    def alias(self) -> State:
        return {"dns_name": self.actual["target_domain_name"], "zone_id": self.actual["target_zone_id"]}

    def _is_ours(self, tags: dict[str, str]) -> bool:
        """Whether a domain name of whatever name is of this stack: all owner tags say so."""
        wanted = owner_tags(self.tags or {})
        return len(wanted) == len(OWNER_TAGS) and wanted.items() <= tags.items()

    def desired(self) -> State:
        return {
            "certificate_arn": self.spec["certificate_arn"],
            "endpoint_type": "REGIONAL",
            "security_policy": self.spec["security_policy"],
            "ip_address_type": self.spec["ip_address_type"],
            "routing_mode": "API_MAPPING_ONLY",
            "mutual_tls": False,
        }

    def unknown(self) -> State:
        return {"target_domain_name": UNKNOWN, "target_zone_id": UNKNOWN}

    def create(self, desired: State) -> State:
        domain = self.call("create_domain_name", DomainName=self.name, DomainNameConfigurations=[self._configuration()], Tags=desired["tags"])
        return _added(domain)

    def update(self, before: State, changes: State) -> State:
        off = {"MutualTlsAuthentication": {"TruststoreUri": ""}} if "mutual_tls" in changes else {}
        routing = {"RoutingMode": changes["routing_mode"]} if "routing_mode" in changes else {}
        domain = self.call("update_domain_name", DomainName=self.name, DomainNameConfigurations=[self._configuration()], **off, **routing)
        return _added(domain)

    def _configuration(self) -> dict[str, str]:
        kind = {"IpAddressType": self.spec["ip_address_type"]} if self.spec["ip_address_type"] else {}
        return {"CertificateArn": self.spec["certificate_arn"], "EndpointType": "REGIONAL", "SecurityPolicy": self.spec["security_policy"], **kind}

    def path(self, state: State) -> str:
        return f"domainnames/{self.name}"

    def delete(self, before: State) -> None:
        self.call("delete_domain_name", DomainName=self.name)

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before and changes.get("ip_address_type") == "ipv4":
            return ["programs that use this name over IPv6 are cut off"]
        return ["programs that use this name are cut off"] if self.absent else []

    def children(self) -> list[RemovedMapping]:
        """The API mappings of a name that goes. Those of a name that stays are the API's."""
        return [RemovedMapping(self, mapping) for mapping in self._mappings()] if self.absent else []

    def prefetch_reads(self) -> list[t.Callable[[], t.Any]]:
        return [self._mappings] if self.absent else []

    def _mappings(self) -> list[dict[str, t.Any]]:
        """The API mappings that it had before this run."""
        pages = partial(self.aws.pages, "apigatewayv2", "get_api_mappings", "Items", DomainName=self.name)
        return self.aws.once(("mappings", self.name), partial(none_if_missing, pages, "NotFoundException")) or []

    def pending(self, state: State) -> bool:
        if state["status"].startswith("PENDING"):  # AWS waits for the owner
            raise AwsError(f"API Gateway says {state['status']}: {state['reason'] or 'see the certificate in ACM'}")
        return state["status"] != "AVAILABLE"


class RemovedMapping(ApiGatewayResource):
    """What leads from a name that goes to an API."""

    kind = "apigatewayv2_api_mapping"
    parent: DomainName

    def __init__(self, domain: DomainName, mapping: dict[str, t.Any]) -> None:
        super().__init__(domain.aws, mapping_name(domain.name, mapping.get("ApiMappingKey", "")), parent=domain, absent=True)
        self.id = mapping["ApiMappingId"]

    def describe(self) -> State:
        return {"id": self.id}

    def delete(self, before: State) -> None:
        self.call("delete_api_mapping", DomainName=self.parent.name, ApiMappingId=self.id)


def _added(domain: dict[str, t.Any]) -> State:
    return {k: v for k, v in normal(domain).items() if k.startswith("target") or k in ("status", "reason")}

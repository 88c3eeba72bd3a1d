#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apigatewayv2_domain_name
version_added: 1.0.0
short_description: Manage a custom domain name of API Gateway
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes a regional custom domain name for HTTP APIs. No existing module does.
  - Mutual TLS is off, and API mappings decide where a request goes. Other settings are reverted.
  - Whether the domain name has IPv6 addresses too is not managed.
  - With O(state=absent) the API mappings of the domain name are deleted with it.
  - A domain name cannot be renamed. After a change of O(name) the old one is in RV(superseded), for removal once the
    new one is in use.
options:
  name:
    description: The domain name, such as C(mlflow.api.example.com).
    type: str
    required: true
  certificate_arn:
    description: ARN of the ACM certificate, in the same region, that covers the name. Required with O(state=present).
    type: str
  security_policy:
    description: Oldest version of TLS that clients may use; V(TLS_1_2) includes TLS 1.3. API Gateway offers no newer
      one for HTTP APIs.
    type: str
    choices: [TLS_1_2]
    default: TLS_1_2
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Ensure the domain name of the API
  mlplatform.mlflow_aws.apigatewayv2_domain_name:
    name: mlflow.api.example.com
    certificate_arn: arn:aws:acm:eu-west-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef
    tags:
      team: x
"""

RETURN = r"""
domain_name:
  description: The domain name as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  contains:
    name:
      description: The domain name.
      type: str
    arn:
      description: ARN of the domain name.
      type: str
      sample: arn:aws:apigateway:eu-west-1::/domainnames/mlflow.api.example.com
    target_domain_name:
      description: Name that an alias record of the domain name leads to.
      type: str
      sample: d-0123456789.execute-api.eu-west-1.amazonaws.com
    target_zone_id:
      description: ID of the hosted zone of RV(domain_name.target_domain_name).
      type: str
superseded:
  description: Other domain names that carry both tags C(managed-by) and C(mlflow-stack) of O(tags). Empty where O(tags)
    lacks them.
  type: list
  elements: str
  returned: success
  sample: []
ready:
  description: Whether AWS has finished its work on all of it; without O(wait) it may not have. True in check mode.
  type: bool
  returned: success
  sample: true
dns_records:
  description:
    - The DNS records that lead to the domain name or to one of RV(superseded), each with C(type), C(zone_id) and C(name), as the tag
      C(mlflow-dns-records) of each lists them. See O(mlplatform.mlflow_aws.route53_records#module:remember).
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
      sample: apigatewayv2_domain_name
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

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS, WAIT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2 import ApiGatewayResource, mapping_name, own_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.dns_records import take_records
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import OWNER_TAGS, owner_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


def normal(domain: dict[str, t.Any]) -> State:
    """A domain name as API Gateway answers it, in our terms."""
    regional = next(iter(domain.get("DomainNameConfigurations") or ()), {})
    return {
        "certificate_arn": regional.get("CertificateArn"),
        "endpoint_type": regional.get("EndpointType"),
        "security_policy": regional.get("SecurityPolicy"),
        "routing_mode": domain.get("RoutingMode", "API_MAPPING_ONLY"),
        "mutual_tls": bool(domain.get("MutualTlsAuthentication", {}).get("TruststoreUri")),
        "target_domain_name": regional.get("ApiGatewayDomainName"),
        "target_zone_id": regional.get("HostedZoneId"),
        "status": regional.get("DomainNameStatus", "AVAILABLE"),
        "reason": regional.get("DomainNameStatusMessage", ""),
    }


class DomainName(ApiGatewayResource):
    kind = "apigatewayv2_domain_name"
    immutable = frozenset({"endpoint_type"})

    superseded: t.Sequence[str] = ()
    dns_records: t.Sequence[dict[str, str]] = ()

    def describe(self) -> State | None:
        domains = {d["DomainName"]: d for d in self.aws.pages("apigatewayv2", "get_domain_names", "Items")}
        tags = {name: own_tags(domain) for name, domain in domains.items()}
        remembered = {name: take_records(each) for name, each in tags.items()}
        self.superseded = sorted(name for name, each in tags.items() if name != self.name and self._is_ours(each))
        self.dns_records = [record for name in (self.name, *self.superseded) for record in remembered.get(name, [])]
        domain = domains.get(self.name)
        return normal(domain) | {"tags": tags[self.name]} if domain else None

    def _is_ours(self, tags: dict[str, str]) -> bool:
        """Whether a domain name of whatever name is of this stack: all owner tags say so."""
        wanted = owner_tags(self.tags or {})
        return len(wanted) == len(OWNER_TAGS) and wanted.items() <= tags.items()

    def desired(self) -> State:
        return {
            "certificate_arn": self.spec["certificate_arn"],
            "endpoint_type": "REGIONAL",
            "security_policy": self.spec["security_policy"],
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
        return {"CertificateArn": self.spec["certificate_arn"], "EndpointType": "REGIONAL", "SecurityPolicy": self.spec["security_policy"]}

    def path(self, state: State) -> str:
        return f"domainnames/{self.name}"

    def delete(self, before: State) -> None:
        self.call("delete_domain_name", DomainName=self.name)

    def warn(self, before: State | None, changes: State) -> list[str]:
        return ["programs that use this name are cut off"] if self.absent else []

    def children(self) -> list[Mapping]:
        """The API mappings of a name that goes. Those of a name that stays are the API's."""
        mappings = self.aws.pages("apigatewayv2", "get_api_mappings", "Items", DomainName=self.name) if self.absent else []
        return [Mapping(self, mapping) for mapping in mappings]

    def pending(self, state: State) -> bool:
        if state["status"].startswith("PENDING"):  # AWS waits for the owner
            raise AwsError(f"API Gateway says {state['status']}: {state['reason'] or 'see the certificate in ACM'}")
        return state["status"] != "AVAILABLE"


class Mapping(ApiGatewayResource):
    """What leads from a name that goes to an API."""

    kind = "apigatewayv2_api_mapping"

    def __init__(self, domain: DomainName, mapping: dict[str, t.Any]) -> None:
        super().__init__(domain.aws, mapping_name(domain.name, mapping.get("ApiMappingKey", "")), parent=domain, absent=True)
        self.id = mapping["ApiMappingId"]

    def describe(self) -> State:
        return {"id": self.id}

    def delete(self, before: State) -> None:
        self.call("delete_api_mapping", DomainName=self.parent.name, ApiMappingId=self.id)


def _added(domain: dict[str, t.Any]) -> State:
    return {k: v for k, v in normal(domain).items() if k.startswith("target") or k in ("status", "reason")}


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    domain = DomainName(aws, params["name"], params, tags=params["tags"], absent=params["state"] == "absent")
    shown = ("target_domain_name", "target_zone_id")
    return [domain], lambda: {
        "domain_name": {"name": domain.name, "arn": domain.arn({}), **{k: domain.state[k] for k in shown}} if domain.state else {},
        "superseded": domain.superseded,
        "dns_records": domain.dns_records,
    }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "certificate_arn": {"type": "str"},
            "security_policy": {"type": "str", "choices": ["TLS_1_2"], "default": "TLS_1_2"},
            **STATE,
            **TAGS,
            **WAIT,
        },
        required_if=[("state", "present", ["certificate_arn"])],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

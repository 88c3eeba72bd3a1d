# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ACM: DNS validation by the record in Route 53, chains of imported certificates."""

from __future__ import annotations

import hashlib
from typing import Any

from moto.acm import models
from moto.core.exceptions import AWSError
from moto.route53.models import route53_backends

from embedded_aws.gaps import gap


class ResourceInUse(AWSError):
    TYPE = "ResourceInUseException"


@gap(models.CertBundle, "__init__")
def imported_chain(original: Any, self: Any, account_id: str, *args: Any, **kwargs: Any) -> None:
    """An imported certificate has the chain it was imported with, or none."""
    original(self, account_id, *args, **kwargs)
    self.account_id = account_id
    if self.type == "IMPORTED":
        self.chain = kwargs.get("chain") or b""


@gap(models.CertBundle, "check")
def validated_by_record(original: Any, self: Any) -> None:
    """A requested certificate is PENDING_VALIDATION until its CNAME records are in public zones, then ISSUED."""
    if self.type == "AMAZON_ISSUED" and self.status == "PENDING_VALIDATION":
        if all(_in_route53(self.account_id, _record(domain)) for domain in _domains(self)):
            self.status = "ISSUED"
        return
    original(self)


@gap(models.CertBundle, "describe")
def validation_options(original: Any, self: Any) -> dict[str, Any]:
    """DescribeCertificate gives each domain the record that validates it; a wildcard shares its parent's."""
    description = original(self)
    certificate = description["Certificate"]
    if self.type == "AMAZON_ISSUED":
        certificate["SubjectAlternativeNames"] = _domains(self)
        certificate["DomainValidationOptions"] = [
            {
                "DomainName": domain,
                "ValidationDomain": domain,
                "ValidationMethod": "DNS",
                "ValidationStatus": "SUCCESS" if _in_route53(self.account_id, _record(domain)) else self.status,
                "ResourceRecord": _record(domain),
            }
            for domain in _domains(self)
        ]
        for option in certificate["DomainValidationOptions"]:
            if self.status == "ISSUED":
                option["ValidationStatus"] = "SUCCESS"
        if self.status == "PENDING_VALIDATION":
            for unknown in ("IssuedAt", "NotAfter", "NotBefore", "Serial"):
                certificate.pop(unknown, None)
    return description


@gap(models.AWSCertificateManagerBackend, "delete_certificate")
def delete_certificate(original: Any, self: Any, arn: str) -> None:
    """DeleteCertificate refuses a certificate that a listener or a domain name uses."""
    if arn in self._certificates and _used(self, arn):
        raise ResourceInUse(f"Certificate {arn} in account {self.account_id} is in use.")
    original(self, arn)


def _used(backend: Any, arn: str) -> bool:
    from moto.apigatewayv2.models import apigatewayv2_backends
    from moto.elbv2.models import elbv2_backends

    balancers = elbv2_backends[backend.account_id][backend.region_name].load_balancers.values()
    domains = apigatewayv2_backends[backend.account_id][backend.region_name].domain_names.values()
    return any(arn in listener.certificates for each in balancers for listener in each.listeners.values()) or any(
        configuration.get("certificateArn") == arn
        for domain in domains
        for configuration in domain.domain_name_configurations
    )


def _domains(certificate: Any) -> list[str]:
    others = [name for name in certificate.sans if name != certificate.common_name]
    return [certificate.common_name, *sorted(others)]


def _record(domain: str) -> dict[str, str]:
    """The validation record of a domain: the same for every certificate that an account requests for it."""
    name = domain.removeprefix("*.")
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {
        "Name": f"_{digest[:32]}.{name}.",
        "Type": "CNAME",
        "Value": f"_{digest[32:]}.acm-validations.aws.",
    }


def _in_route53(account_id: str, record: dict[str, str]) -> bool:
    zones = route53_backends[account_id]["aws"].zones.values()
    return any(
        (record_set.name.rstrip("."), record_set.type) == (record["Name"].rstrip("."), "CNAME")
        and record["Value"].rstrip(".") in [value.rstrip(".") for value in record_set.records]
        for zone in zones
        if not zone.private_zone
        for record_set in zone.rrsets
    )

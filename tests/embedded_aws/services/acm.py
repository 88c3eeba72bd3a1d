# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ACM: DNS validation by the record in Route 53, chains of imported certificates."""

from __future__ import annotations

import hashlib
from typing import Any

from moto.acm import models, responses
from moto.core.exceptions import AWSError
from moto.route53.models import route53_backends

from embedded_aws.gaps import gap
from embedded_aws.timing import Elapsed


class ResourceInUse(AWSError):
    TYPE = "ResourceInUseException"


@gap(models.CertBundle, "__init__")
def imported_chain(original: Any, self: Any, account_id: str, *args: Any, **kwargs: Any) -> None:
    """An imported certificate has the chain it was imported with, or none."""
    original(self, account_id, *args, **kwargs)
    self.account_id, self.validation_time = account_id, Elapsed("validation")
    if self.type == "IMPORTED":
        self.chain = kwargs.get("chain") or b""


@gap(models.CertBundle, "check")
def validated_by_record(original: Any, self: Any) -> None:
    """A requested certificate is PENDING_VALIDATION until the internet finds its CNAME records, then ISSUED; after 72 hours VALIDATION_TIMED_OUT."""
    if self.type == "AMAZON_ISSUED" and self.status == "PENDING_VALIDATION":
        if all(_in_dns(_record(domain)) for domain in _domains(self)):
            self.status = "ISSUED"
        elif self.validation_time.over():
            self.status = "VALIDATION_TIMED_OUT"
        return
    original(self)


@gap(models.CertBundle, "describe")
def validation_options(original: Any, self: Any) -> dict[str, Any]:
    """DescribeCertificate gives each domain the record that validates it, a wildcard its parent's, and the users of the certificate."""
    description = original(self)
    certificate = description["Certificate"]
    certificate["KeyAlgorithm"] = getattr(self, "key_algorithm", None) or certificate["KeyAlgorithm"]
    certificate["InUseBy"] = _users(self.account_id, self.arn)
    certificate["SubjectAlternativeNameSummaries"] = _domains(self)  # a member of the list's answer only
    if self.type == "AMAZON_ISSUED":
        certificate["SubjectAlternativeNames"] = _domains(self)
        certificate["DomainValidationOptions"] = [
            {
                "DomainName": domain,
                "ValidationDomain": domain,
                "ValidationMethod": "DNS",
                "ValidationStatus": "SUCCESS" if _in_dns(_record(domain)) else self.status,
                "ResourceRecord": _record(domain),
            }
            for domain in _domains(self)
        ]
        for option in certificate["DomainValidationOptions"]:
            if self.status == "ISSUED":
                option["ValidationStatus"] = "SUCCESS"
            elif self.status == "VALIDATION_TIMED_OUT":
                option["ValidationStatus"] = "FAILED"
        if self.status in ("PENDING_VALIDATION", "VALIDATION_TIMED_OUT"):
            for unknown in ("IssuedAt", "NotAfter", "NotBefore", "Serial"):
                certificate.pop(unknown, None)
    return description


@gap(responses.AWSCertificateManagerResponse, "request_certificate")
def request_certificate(original: Any, self: Any) -> Any:
    """RequestCertificate makes the key that it is asked for."""
    answer = original(self)
    self.acm_backend.get_certificate(answer.result["CertificateArn"]).key_algorithm = self._get_param("KeyAlgorithm")
    return answer


@gap(models.AWSCertificateManagerBackend, "delete_certificate")
def delete_certificate(original: Any, self: Any, arn: str) -> None:
    """DeleteCertificate refuses a certificate that a listener or a domain name uses."""
    if arn in self._certificates and _users(self.account_id, arn):
        raise ResourceInUse(f"Certificate {arn} in account {self.account_id} is in use.")
    original(self, arn)


@gap(models.AWSCertificateManagerBackend, "list_certificates")
def list_certificates(original: Any, self: Any, statuses: list[str], includes: dict[str, Any] | None) -> Any:
    """ListCertificates shows certificates with RSA keys of 1024 and 2048 bits, others only where Includes names their key types."""
    return original(self, statuses, {"keyTypes": ["RSA_1024", "RSA_2048"], **(includes or {})})


def _users(account_id: str, arn: str) -> list[str]:
    from moto.apigatewayv2.models import apigatewayv2_backends
    from moto.elbv2.models import elbv2_backends

    region = arn.split(":")[3]
    balancers = elbv2_backends[account_id][region].load_balancers.values()
    domains = apigatewayv2_backends[account_id][region].domain_names.values()
    return [each.arn for each in balancers if any(arn in listener.certificates for listener in each.listeners.values())] + [
        domain.domain_name_arn for domain in domains if any(configuration.get("certificateArn") == arn for configuration in domain.domain_name_configurations)
    ]


def _domains(certificate: Any) -> list[str]:
    others = [name for name in certificate.sans if name != certificate.common_name]
    return [certificate.common_name, *sorted(others)]


def _record(domain: str) -> dict[str, str]:
    """The validation record of a domain: the same for every certificate that an account requests for it."""
    name = domain.removeprefix("*.")
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"Name": f"_{digest[:32]}.{name}.", "Type": "CNAME", "Value": f"_{digest[32:]}.acm-validations.aws."}


def _in_dns(record: dict[str, str]) -> bool:
    """Whether the internet finds the record, in the hosted zones of all accounts."""
    zones = [zone for _account, _partition, backend in list(route53_backends.iter_backends()) for zone in backend.zones.values()]
    return any(
        (record_set.name.rstrip("."), record_set.type) == (record["Name"].rstrip("."), "CNAME")
        and record["Value"].rstrip(".") in [value.rstrip(".") for value in record_set.records]
        for zone in zones
        if not zone.private_zone and zone.delegation_time.over()
        for record_set in zone.rrsets
    )

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: certificates, hosted zones and TLS of the host names."""

from __future__ import annotations

import re

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import manages_dns, takes_host_names
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import names_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.reads import Document, record_sets
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record_list import dns_name
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems


class HostNames(Checks):
    def checks(self) -> list[Check]:
        names = names_of(self.inputs)
        of_zone = {"mlflow_zone": {"mlflow_record_name": names.host}, "mlflow_api_zone": {"mlflow_record_name": names.api_host}}
        if names.token_host:
            of_zone["mlflow_api_zone"]["mlflow_load_balancer_token_record_name"] = names.token_host
        certificates = {"mlflow_certificate_arn": "mlflow_zone", "mlflow_api_cert_arn": "mlflow_api_zone"}
        zones = of_zone if manages_dns(self.inputs) and takes_host_names(self.inputs) else {}
        return [
            *((self.certificate, (name, *of_zone[zone].values()), (name, f"{zone}_name", "mlflow_record_name")) for name, zone in certificates.items()),
            *((self.zone, pair, pair) for pair in ((f"{zone}_id", f"{zone}_name") for zone in zones)),
            *(
                (self.alone, (f"{zone}_id", record, host), (f"{zone}_id", f"{zone}_name", record))
                for zone, hosts in zones.items()
                for record, host in hosts.items()
            ),
            (self.trusted, (), ("mlflow_api_cert_arn",)),
            (self.tls_policy, (), ("mlflow_load_balancer_ssl_policy",)),
        ]

    def certificate(self, name: str, *hosts: str) -> Problems:
        certificate, wanted = self.described(name), " and ".join(hosts)
        if certificate is None:
            yield self.problem(name, f"no such certificate in {self.aws.region}: request one for {wanted}")
            return
        if certificate["Status"] != "ISSUED":
            yield self.problem(name, f"the certificate is {certificate['Status']}, not ISSUED: finish its validation")
        names = certificate.get("SubjectAlternativeNames") or [certificate["DomainName"]]
        missing = [host for host in hosts if not any(covers(pattern, host) for pattern in names)]
        if missing:
            yield self.problem(name, f"it covers {', '.join(names)}, not {', '.join(missing)}: request one for {wanted}")

    def trusted(self) -> Problems:
        """The VPC link ends at a listener with this certificate, and API Gateway takes those of public authorities only."""
        name, certificate = "mlflow_api_cert_arn", self.described("mlflow_api_cert_arn")
        if certificate is None or not is_private(certificate):
            return
        reason = (
            f"its issuer is {certificate.get('Issuer') or 'a private certificate authority'}, which API Gateway does not trust: behind the VPC link every "
            "program would get a 503. Request a public certificate in ACM, or import one of a public authority"
        )
        ours = [f":loadbalancer/app/{balancer}/" for balancer in (self.names.unique_name, self.names.api_load_balancer)]
        if any(balancer in arn for arn in certificate.get("InUseBy", []) for balancer in ours):
            warn(f"{name}: {reason}")
        else:
            yield self.problem(name, reason)

    def alone(self, id_name: str, record: str, host: str) -> Problems:
        """What DNS or Route 53 allows no record beside."""
        for record_set in record_sets(self.aws, self.inputs[id_name], host):
            if dns_name(record_set["Name"]) == host and record_set["Type"] in ("CNAME", "NS"):
                values = ", ".join(value["Value"] for value in record_set.get("ResourceRecords", []))
                what = "an alias" if record_set["Type"] == "CNAME" else "a zone of its own"
                yield self.problem(
                    record,
                    f"in the hosted zone {self.inputs[id_name]}, {host} is {what} already ({record_set['Type']} {values}), beside which no other "
                    "record counts: delete that record, or choose another name",
                )

    def described(self, name: str) -> Document | None:
        """What AWS says of the certificate that an input names."""
        arn, describe = self.inputs[name], self.aws.client("acm").describe_certificate
        answer = self.aws.once(f"certificate {arn}", lambda: none_if_missing(describe, "ResourceNotFoundException", CertificateArn=arn))
        return answer["Certificate"] if answer else None

    def zone(self, id_name: str, name: str) -> Problems:
        answer = none_if_missing(self.aws.client("route53").get_hosted_zone, "NoSuchHostedZone", Id=self.inputs[id_name])
        if answer is None:
            yield self.problem(id_name, f"no such hosted zone: give the ID of the zone {self.inputs[name]}")
        elif answer["HostedZone"]["Name"].rstrip(".") != self.inputs[name].rstrip("."):
            yield self.problem(id_name, f"this zone is {answer['HostedZone']['Name'].rstrip('.')}, but {name} is {self.inputs[name]}")

    def tls_policy(self) -> Problems:
        name = "mlflow_load_balancer_ssl_policy"
        describe = self.aws.client("elbv2").describe_ssl_policies
        if none_if_missing(describe, "SSLPolicyNotFound", Names=[self.inputs[name]]) is None:
            yield self.problem(name, "AWS has no such policy: give one such as ELBSecurityPolicy-TLS13-1-2-2021-06")


def is_private(certificate: Document) -> bool:
    """Whether no public authority has issued it, as far as ACM's description of it tells: by a private one of AWS, or by itself.

    >>> is_private({"Type": "IMPORTED", "Subject": "C=ES,O=Team X,CN=api.example.com", "Issuer": "api.example.com"})
    True
    """
    subject = [part.partition("=")[2] for part in re.split(r"(?<!\\),\s*", certificate.get("Subject", ""))]
    return certificate.get("Type") == "PRIVATE" or (certificate.get("Type") == "IMPORTED" and certificate.get("Issuer") in subject)


def covers(pattern: str, host: str) -> bool:
    """Whether a name of a certificate covers a host name (RFC 6125: a wildcard stands for one whole label)."""
    pattern, host = pattern.lower(), host.lower()
    return pattern == host or (pattern.startswith("*.") and re.fullmatch(r"[^.]+" + re.escape(pattern[1:]), host) is not None)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: certificates, hosted zones and TLS of the two host names."""

from __future__ import annotations

import re

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._aws import found
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._preflight.base import Check, Checks, Problems


class HostNames(Checks):
    def checks(self) -> list[Check]:
        certificates = (("mlflow_certificate_arn", "mlflow_zone_name"), ("mlflow_api_cert_arn", "mlflow_api_zone_name"))
        zones = (("mlflow_zone_id", "mlflow_zone_name"), ("mlflow_api_zone_id", "mlflow_api_zone_name"))
        return [
            *((self.certificate, pair, (*pair, "mlflow_record_name")) for pair in certificates),
            *((self.zone, pair, pair) for pair in zones),
            (self.tls_policy, (), ("mlflow_load_balancer_ssl_policy",)),
        ]

    def certificate(self, name: str, zone: str) -> Problems:
        arn, host = self.inputs[name], f"{self.inputs['mlflow_record_name']}.{self.inputs[zone].rstrip('.')}"
        answer = found(self.aws.client("acm").describe_certificate, "ResourceNotFoundException", CertificateArn=arn)
        if answer is None:
            yield self.problem(name, f"no such certificate in {self.aws.region}: request one for {host}")
            return
        certificate = answer["Certificate"]
        if certificate["Status"] != "ISSUED":
            yield self.problem(name, f"the certificate is {certificate['Status']}, not ISSUED: finish its validation")
        names = certificate.get("SubjectAlternativeNames") or [certificate["DomainName"]]
        if not any(covers(pattern, host) for pattern in names):
            yield self.problem(name, f"it covers {', '.join(names)}, not {host}: request one for {host}")

    def zone(self, id_name: str, name: str) -> Problems:
        answer = found(self.aws.client("route53").get_hosted_zone, "NoSuchHostedZone", Id=self.inputs[id_name])
        if answer is None:
            yield self.problem(id_name, f"no such hosted zone: give the ID of the zone {self.inputs[name]}")
        elif answer["HostedZone"]["Name"].rstrip(".") != self.inputs[name].rstrip("."):
            yield self.problem(id_name, f"this zone is {answer['HostedZone']['Name'].rstrip('.')}, but {name} is {self.inputs[name]}")

    def tls_policy(self) -> Problems:
        name = "mlflow_load_balancer_ssl_policy"
        describe = self.aws.client("elbv2").describe_ssl_policies
        if found(describe, "SSLPolicyNotFound", Names=[self.inputs[name]]) is None:
            yield self.problem(name, "AWS has no such policy: give one such as ELBSecurityPolicy-TLS13-1-2-2021-06")


def covers(pattern: str, host: str) -> bool:
    """Whether a name of a certificate covers a host name (RFC 6125: a wildcard stands for one whole label)."""
    pattern, host = pattern.lower(), host.lower()
    return pattern == host or (pattern.startswith("*.") and re.fullmatch(r"[^.]+" + re.escape(pattern[1:]), host) is not None)

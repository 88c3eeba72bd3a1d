# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ACM of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

from embedded.helpers import Balancer, Network, change_records, create_zone, has, import_certificate, refused
from embedded_aws.client import REGION, EmbeddedAWS


def test_certificate_is_issued_by_its_record(aws: EmbeddedAWS) -> None:
    acm, zone = aws.client("acm"), create_zone(aws)
    arn = acm.request_certificate(
        DomainName="a.emu.test", SubjectAlternativeNames=["*.a.emu.test", "b.emu.test"], ValidationMethod="DNS", Tags=[{"Key": "a", "Value": "1"}]
    )["CertificateArn"]

    def describe():
        return acm.describe_certificate(CertificateArn=arn)["Certificate"]

    certificate = describe()
    has(certificate, Status="PENDING_VALIDATION", DomainName="a.emu.test", Type="AMAZON_ISSUED")
    assert certificate["SubjectAlternativeNames"] == ["a.emu.test", "*.a.emu.test", "b.emu.test"]
    options = {each["DomainName"]: each["ResourceRecord"] for each in certificate["DomainValidationOptions"]}
    assert options["a.emu.test"] == options["*.a.emu.test"] != options["b.emu.test"]
    for status, domain in (("PENDING_VALIDATION", "a.emu.test"), ("ISSUED", "b.emu.test")):
        record = options[domain]
        change_records(aws, zone, ("CREATE", {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}))
        has(describe(), Status=status)
    assert acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]


def test_a_record_that_the_internet_does_not_see_issues_no_certificate(aws: EmbeddedAWS, network: Network) -> None:
    acm = aws.client("acm")
    zone = aws.client("route53").create_hosted_zone(
        Name="emu.test", CallerReference="1", HostedZoneConfig={"PrivateZone": True}, VPC={"VPCRegion": REGION, "VPCId": network.vpc}
    )["HostedZone"]["Id"]
    arn = acm.request_certificate(DomainName="a.emu.test", ValidationMethod="DNS")["CertificateArn"]
    record = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"][0]["ResourceRecord"]
    change_records(aws, zone, ("CREATE", {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}))
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "PENDING_VALIDATION"


def test_a_certificate_that_is_not_validated_fails_after_72_hours(aws: EmbeddedAWS) -> None:
    """The parent of its zone does not delegate to it."""
    aws.creation_seconds(delegation=3600)
    acm, zone = aws.client("acm"), create_zone(aws)
    arn = acm.request_certificate(DomainName="a.emu.test", ValidationMethod="DNS", KeyAlgorithm="EC_prime256v1")["CertificateArn"]
    record = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"][0]["ResourceRecord"]
    change_records(aws, zone, ("CREATE", {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}))
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "PENDING_VALIDATION"
    aws.creation_seconds(validation=0)
    certificate = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    has(certificate, Status="VALIDATION_TIMED_OUT", InUseBy=[], KeyAlgorithm="EC_prime256v1")
    has(certificate["DomainValidationOptions"][0], ValidationStatus="FAILED", ResourceRecord=record)
    assert acm.list_certificates()["CertificateSummaryList"] == []
    (summary,) = acm.list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"]
    has(summary, CertificateArn=arn, SubjectAlternativeNameSummaries=["a.emu.test"])


def test_imported_certificate_has_no_chain(aws: EmbeddedAWS, balancer: Balancer) -> None:
    acm, arn = aws.client("acm"), import_certificate(aws, "a.example")
    assert not acm.get_certificate(CertificateArn=arn).get("CertificateChain")
    balancer.elb.create_listener(
        LoadBalancerArn=balancer.arn, Protocol="HTTPS", Port=443, Certificates=[{"CertificateArn": arn}], DefaultActions=[balancer.forward]
    )
    refused("ResourceInUseException", acm.delete_certificate, CertificateArn=arn)
    made = aws.client("apigatewayv2").create_domain_name(
        DomainName="a.example", DomainNameConfigurations=[{"CertificateArn": arn, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}]
    )
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"] == [balancer.arn, made["DomainNameArn"]]

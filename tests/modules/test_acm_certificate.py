# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.acm import Certificate
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

MODULE = "acm_certificate"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}


def test_a_certificate_that_stays_pending_says_what_to_do_and_goes_on_later(aws, monkeypatch):
    """The validation records are in a private zone first, which the internet does not see."""
    monkeypatch.setattr(Certificate, "timeout", 0)
    vpc = aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    private, public = (
        aws.client("route53").create_hosted_zone(Name="example.com", CallerReference=str(config), HostedZoneConfig=config, **more)["HostedZone"]["Id"]
        for config, more in (({"PrivateZone": True}, {"VPC": {"VPCRegion": "eu-west-1", "VPCId": vpc}}), ({"PrivateZone": False}, {}))
    )
    given = {"domain_name": "a.example.com", "zone_id": private, "tags": TAGS}
    with pytest.raises(ModuleFailed) as failure:
        run_module(MODULE, given, aws)
    message = str(failure.value)
    assert "PENDING_VALIDATION" in message and private in message and "delegate to its name servers" in message

    made = aws.mark()
    result = run_module(MODULE, {**given, "zone_id": public}, aws)
    assert result["certificate"]["status"] == "ISSUED"
    assert "RequestCertificate" not in [call["operation"] for call in aws.calls(made)]


def zone(aws: EmbeddedAWS, name: str = "example.com") -> str:
    made = aws.client("route53").create_hosted_zone(Name=name, CallerReference=name)
    return made["HostedZone"]["Id"].removeprefix("/hostedzone/")


def cnames(aws: EmbeddedAWS, zone_id: str) -> list[str]:
    records = aws.client("route53").list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    return [record["Name"] for record in records if record["Type"] == "CNAME"]


def certificates(aws: EmbeddedAWS) -> list[str]:
    return [each["CertificateArn"] for each in aws.client("acm").list_certificates()["CertificateSummaryList"]]


@pytest.mark.parametrize("status", ["PENDING_VALIDATION", "VALIDATION_TIMED_OUT", "ISSUED"])
def test_a_certificate_of_any_status_goes_with_its_record(aws: EmbeddedAWS, status: str) -> None:
    """The parent of a new zone does not delegate to it yet, which is where bootstrap stops first."""
    aws.creation_seconds(delegation=0 if status == "ISSUED" else 3600)
    zone_id = zone(aws)
    given = {"domain_name": "a.example.com", "zone_id": zone_id, "tags": TAGS}
    if status == "ISSUED":
        run_module(MODULE, given, aws)
    else:
        arn = run_module(MODULE, {**given, "wait": False}, aws)["certificate"]["arn"]
        prove(aws, arn, zone_id)
        aws.creation_seconds(validation=0 if status == "VALIDATION_TIMED_OUT" else 3600)
    assert [aws.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]["Status"] for arn in certificates(aws)] == [status]
    assert cnames(aws, zone_id)

    removed = run_module(MODULE, {**given, "state": "absent"}, aws)
    assert [(change["action"], change["name"]) for change in removed["changes"]] == [("delete", "a.example.com")]
    assert certificates(aws) == cnames(aws, zone_id) == []
    aws.client("route53").delete_hosted_zone(Id=zone_id)
    assert not run_module(MODULE, {**given, "state": "absent"}, aws)["changed"]


def test_a_certificate_gets_a_further_name_by_another_one_and_both_go(aws: EmbeddedAWS) -> None:
    zone_id = zone(aws)
    given = {"domain_name": "a.example.com", "zone_id": zone_id, "tags": TAGS}
    first = run_module(MODULE, given, aws)["certificate"]["arn"]
    more = {**given, "subject_alternative_names": ["b.example.com"]}
    second = run_module(MODULE, more, aws)["certificate"]["arn"]
    assert sorted(certificates(aws)) == sorted([first, second]) and len(cnames(aws, zone_id)) == 2
    assert not run_module(MODULE, more, aws)["changed"]
    theirs = aws.client("acm").request_certificate(DomainName="b.example.com", ValidationMethod="DNS")["CertificateArn"]
    run_module(MODULE, {**given, "state": "absent"}, aws)
    assert certificates(aws) == [theirs] and [name.partition(".")[2] for name in cnames(aws, zone_id)] == ["b.example.com."]
    assert not run_module(MODULE, {**given, "state": "absent"}, aws)["changed"]


def prove(aws: EmbeddedAWS, arn: str, zone_id: str) -> None:
    option = aws.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"][0]["ResourceRecord"]
    record = {"Name": option["Name"], "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": option["Value"]}]}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)


@pytest.mark.parametrize(
    "other",
    [
        {"DomainName": "a.example.com"},
        {"DomainName": "*.a.example.com"},
        {"DomainName": "b.example.com", "SubjectAlternativeNames": ["a.example.com"]},
        {"DomainName": "a.example.com", "KeyAlgorithm": "EC_prime256v1"},
    ],
)
def test_a_record_that_proves_another_certificate_stays(aws: EmbeddedAWS, other: dict[str, t.Any]) -> None:
    zone_id = zone(aws)
    given = {"domain_name": "a.example.com", "zone_id": zone_id, "tags": TAGS}
    run_module(MODULE, given, aws)
    theirs = aws.client("acm").request_certificate(**other, ValidationMethod="DNS")["CertificateArn"]
    run_module(MODULE, {**given, "state": "absent"}, aws)
    assert aws.client("acm").describe_certificate(CertificateArn=theirs)
    assert len(cnames(aws, zone_id)) == 1
    assert not run_module(MODULE, {**given, "state": "absent"}, aws)["changed"]


def test_records_without_their_certificate_go_from_a_zone_of_ones_own_only(aws: EmbeddedAWS) -> None:
    """An earlier version, or a run that died, has left them."""
    zone_id = zone(aws)
    given = {"domain_name": "a.example.com", "zone_id": zone_id, "tags": TAGS}
    for name in ("a.example.com", "b.example.com"):
        made = run_module(MODULE, {**given, "domain_name": name}, aws)["certificate"]["arn"]
        aws.client("acm").delete_certificate(CertificateArn=made)
    assert not run_module(MODULE, {**given, "state": "absent"}, aws)["changed"]
    orphans = {**given, "state": "absent", "remove_orphans": True}
    assert run_module(MODULE, orphans, aws)["changed"]
    assert [name.partition(".")[2] for name in cnames(aws, zone_id)] == ["b.example.com."]
    assert not run_module(MODULE, orphans, aws)["changed"]
    assert not run_module(MODULE, {**orphans, "zone_id": "Z000"}, aws)["changed"]

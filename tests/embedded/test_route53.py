# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route 53 of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from embedded.helpers import change_records, create_zone, refused
from embedded_aws.client import EmbeddedAWS
from support.zone_account import ZoneAccount


def test_a_hosted_zone_is_made_once_for_a_reference(aws: EmbeddedAWS) -> None:
    route53 = aws.client("route53")
    first = create_zone(aws)
    refused("HostedZoneAlreadyExists", route53.create_hosted_zone, Name="emu.test", CallerReference="1")
    route53.create_hosted_zone(Name="emu.test", CallerReference="2")
    route53.delete_hosted_zone(Id=first)
    refused("HostedZoneAlreadyExists", route53.create_hosted_zone, Name="other.test", CallerReference="1")


def test_a_hosted_zone_of_another_account_is_denied(aws: EmbeddedAWS) -> None:
    """As https://github.com/aws/copilot-cli/issues/5909 shows it: "is not authorized to access this resource"."""
    theirs = ZoneAccount(aws).client("route53")
    zone = theirs.create_hosted_zone(Name="corp.test", CallerReference="1")["HostedZone"]["Id"]
    ours = aws.client("route53")
    assert ours.list_hosted_zones()["HostedZones"] == []
    refused("AccessDenied", ours.get_hosted_zone, Id=zone)
    refused("AccessDenied", ours.list_resource_record_sets, HostedZoneId=zone)
    record = {"Name": "a.corp.test", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    with pytest.raises(ClientError, match="AccessDenied"):
        change_records(aws, zone, ("CREATE", record))
    assert theirs.get_hosted_zone(Id=zone)["HostedZone"]["Name"] == "corp.test."
    refused("NoSuchHostedZone", ours.get_hosted_zone, Id="Z0123456789ABCDEFGHIJ")


def test_record_sets(aws: EmbeddedAWS) -> None:
    zone = create_zone(aws)
    target = {"HostedZoneId": "Z1", "DNSName": "Internal-B-1.elb.amazonaws.com", "EvaluateTargetHealth": True}
    alias = {"Name": "A.emu.test", "Type": "A", "AliasTarget": target}
    plain = {"Name": "c.emu.test", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    change_records(aws, zone, ("CREATE", alias), ("UPSERT", plain))
    record_sets = {each["Name"]: each for each in aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]}
    assert record_sets["a.emu.test."]["AliasTarget"] == {**target, "DNSName": "internal-b-1.elb.amazonaws.com."}
    other = {**plain, "ResourceRecords": [{"Value": "192.0.2.2"}]}
    cname = {"Name": "c.emu.test", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "x.example"}]}
    missing = {**plain, "Name": "d.emu.test"}
    for refusal in (("CREATE", other), ("DELETE", other), ("DELETE", missing), ("CREATE", cname)):
        with pytest.raises(ClientError, match="InvalidChangeBatch"):
            change_records(aws, zone, ("UPSERT", {**plain, "Name": "new.emu.test"}), refusal)
    change_records(aws, zone, ("DELETE", alias), ("DELETE", plain))
    assert len(aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]) == 2


def test_what_is_below_a_name_comes_right_after_it(aws: EmbeddedAWS) -> None:
    zone = create_zone(aws)
    names = [f"{name}.emu.test." for name in ("_b.a-z", "a", "_c.a", "ab")]  # - comes before the dot, letters come after it
    changes = [("CREATE", {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}) for name in reversed(names)]
    change_records(aws, zone, *changes)
    listed = aws.client("route53").list_resource_record_sets(HostedZoneId=zone, StartRecordName="a.emu.test.")["ResourceRecordSets"]
    assert [each["Name"] for each in listed] == names[1:]
    listed = aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert [each["Name"] for each in listed if each["Type"] == "A"] == names

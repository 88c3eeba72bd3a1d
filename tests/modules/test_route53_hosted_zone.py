# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53 import hosted_zone
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

MODULE = "route53_hosted_zone"
NAME = "ml.example.com"


def given(team: str, **more: t.Any) -> dict[str, t.Any]:
    return {"name": NAME, "comment": team, "tags": {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": f"{team}-bootstrap"}, **more}


def zones(aws: EmbeddedAWS) -> dict[str, dict[str, str]]:
    """The tags of each zone, by its ID."""
    route53 = aws.client("route53")
    ids = [zone["Id"].rpartition("/")[2] for zone in route53.list_hosted_zones()["HostedZones"]]
    return {
        each: {tag["Key"]: tag["Value"] for tag in route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=each)["ResourceTagSet"]["Tags"]}
        for each in ids
    }


def test_a_zone_is_made_once_and_removed(aws: EmbeddedAWS) -> None:
    """With more tags than Route 53 sets in one call."""
    tags = {**{f"t{n}": str(n) for n in range(25)}, **given("x")["tags"]}
    made = run_module(MODULE, given("x", tags=tags), aws)
    assert zones(aws) == {made["hosted_zone"]["id"]: tags}
    assert not run_module(MODULE, given("x", tags=tags), aws)["changed"]
    changed = run_module(MODULE, given("x", comment="other"), aws)
    assert changed["hosted_zone"] == made["hosted_zone"] and zones(aws) == {made["hosted_zone"]["id"]: given("x")["tags"]}
    assert run_module(MODULE, given("x", state="absent"), aws, check=True)["hosted_zone"] == made["hosted_zone"]
    assert run_module(MODULE, given("x", state="absent"), aws)["hosted_zone"] == made["hosted_zone"]
    assert zones(aws) == {}
    assert not run_module(MODULE, given("x", state="absent"), aws)["changed"]


@pytest.mark.parametrize("theirs", [{}, given("y")["tags"]], ids=["made by hand", "of another team"])
def test_a_zone_of_others_is_refused_and_left_alone(aws: EmbeddedAWS, theirs: dict[str, str]) -> None:
    """Also one that was made by hand with the same comment."""
    route53 = aws.client("route53")
    zone = route53.create_hosted_zone(Name=NAME, CallerReference="hand", HostedZoneConfig={"Comment": "x", "PrivateZone": False})
    zone_id = zone["HostedZone"]["Id"].rpartition("/")[2]
    if theirs:
        tags = [{"Key": key, "Value": value} for key, value in theirs.items()]
        route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id, AddTags=tags)
    since = aws.mark()
    with pytest.raises(ModuleFailed) as refusal:
        run_module(MODULE, given("x"), aws)
    assert zone_id in str(refusal.value) and "mlflow_bootstrap_zone_id" in str(refusal.value)
    kept = run_module(MODULE, given("x", state="absent"), aws)
    assert not kept["changed"] and kept["hosted_zone"] == {}
    assert any(NAME in str(warning) and "kept" in str(warning) for warning in kept["warnings"])
    assert aws.mutating(since) == [] and zones(aws) == {zone_id: theirs}


def test_a_private_zone_of_that_name_is_in_nobodys_way(aws: EmbeddedAWS) -> None:
    vpc = aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    private = (
        aws.client("route53")
        .create_hosted_zone(Name=NAME, CallerReference="p", HostedZoneConfig={"PrivateZone": True}, VPC={"VPCRegion": "eu-west-1", "VPCId": vpc})["HostedZone"][
            "Id"
        ]
        .rpartition("/")[2]
    )
    run_module(MODULE, given("x"), aws)
    run_module(MODULE, given("x", state="absent"), aws)
    assert zones(aws) == {private: {}}


def test_a_zone_is_made_again_although_its_reference_stays_taken(aws: EmbeddedAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted_zone, "CONSISTENCY_WINDOW", 0)
    for _time in range(2):
        run_module(MODULE, given("x"), aws)
        run_module(MODULE, given("x", state="absent"), aws)
    made = run_module(MODULE, given("y"), aws)["hosted_zone"]["id"]
    assert zones(aws) == {made: given("y")["tags"]}


def test_a_zone_whose_maker_died_before_it_was_tagged_is_its_own(aws: EmbeddedAWS) -> None:
    made = run_module(MODULE, given("x"), aws)["hosted_zone"]["id"]
    tags = list(given("x")["tags"])
    aws.client("route53").change_tags_for_resource(ResourceType="hostedzone", ResourceId=made, RemoveTagKeys=tags)
    with pytest.raises(ModuleFailed):
        run_module(MODULE, given("y"), aws)
    assert run_module(MODULE, given("x"), aws)["hosted_zone"]["id"] == made
    assert zones(aws) == {made: given("x")["tags"]}


def test_a_zone_with_records_of_others_stays(aws: EmbeddedAWS) -> None:
    made = run_module(MODULE, given("x"), aws)["hosted_zone"]["id"]
    record = {"Name": f"www.{NAME}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=made, ChangeBatch=batch)
    with pytest.raises(ModuleFailed, match=f"A www.{NAME}"):
        run_module(MODULE, given("x", state="absent"), aws)
    assert list(zones(aws)) == [made]

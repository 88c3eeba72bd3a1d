# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from modules.run_module import ModuleFailed, run_module

MODULE = "route53_records"
NAME = "mlflow.example.com"
OWNER_NAME = f"_mlflow-stack-a.{NAME}."
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "team-x", "team": "x"}
ALIAS = {"dns_name": "internal-team-x-1.eu-west-1.elb.amazonaws.com", "zone_id": "Z32O12XQLNTSW2"}
OTHER = {"dns_name": "other.eu-west-1.elb.amazonaws.com", "zone_id": "Z32O12XQLNTSW2"}


@pytest.fixture
def zone(aws):
    return aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]


def params(zone, **changes):
    record = {"name": NAME, "type": "A", "zone_id": zone.removeprefix("/hostedzone/"), "alias": ALIAS}
    given = {key: value for key, value in (record | changes).items() if value is not None}
    return {"records": [given], "tags": TAGS}


def run(aws, params):
    """The result of a run that its plan foretold to the letter, while the plan itself changed nothing."""
    mark = aws.mark()
    plan = run_module(MODULE, params, aws, check=True)
    assert aws.mutating(mark) == []
    result = run_module(MODULE, params, aws)
    assert result["changes"] == plan["changes"]
    assert bool(aws.mutating(mark)) == result["changed"]
    return result


def records(aws, zone):
    found = aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return {r["Name"]: r for r in found if r["Type"] not in ("NS", "SOA")}


def put(aws, zone, record, action="UPSERT"):
    changes = [{"Action": action, "ResourceRecordSet": record}]
    aws.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def alias(dns_name, name=NAME):
    target = {"DNSName": dns_name, "HostedZoneId": "Z32O12XQLNTSW2", "EvaluateTargetHealth": False}
    return {"Name": name, "Type": "A", "AliasTarget": target}


def test_life(aws, zone):
    result = run(aws, params(zone))
    assert [(c["action"], c["kind"], c["name"]) for c in result["changes"]] == [("create", "route53_record", NAME)]
    assert result["records"] == [{"name": NAME, "type": "A", "zone_id": zone.removeprefix("/hostedzone/")}]
    owner = {"Value": '"managed-by=mlplatform.mlflow_aws,mlflow-stack=team-x"'}
    assert records(aws, zone)[OWNER_NAME]["ResourceRecords"] == [owner]

    mark = aws.mark()
    assert not run_module(MODULE, params(zone), aws)["changed"]
    assert [call["operation"] for call in aws.calls(mark)] == ["ListResourceRecordSets"]

    absent = {**params(zone), "state": "absent"}
    assert [c["action"] for c in run(aws, absent)["changes"]] == ["delete"]
    assert records(aws, zone) == {}
    assert not run(aws, absent)["changed"]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"alias": OTHER}, ["alias.dns_name"]),
        ({"alias": {**ALIAS, "zone_id": "Z215JYRZR1TBD5"}}, ["alias.zone_id"]),
        ({"alias": {**ALIAS, "evaluate_target_health": True}}, ["alias.evaluate_target_health"]),
        ({"alias": None, "values": ["192.0.2.1"], "ttl": 60}, ["values", "ttl"]),
    ],
)
def test_one_change(aws, zone, change, fields):
    run(aws, params(zone))
    (line,) = run(aws, params(zone, **change))["changes"]
    assert line["action"] == "update"
    assert [f["name"] for f in line["fields"]] == fields
    assert not run(aws, params(zone, **change))["changed"]


@pytest.mark.parametrize("same", [{"name": NAME + "."}, {"name": NAME.upper()}, {"alias": {**ALIAS, "dns_name": f"dualstack.{ALIAS['dns_name'].upper()}."}}])
def test_other_spellings_are_no_change(aws, zone, same):
    run(aws, params(zone))
    assert not run(aws, params(zone, **same))["changed"]


def test_values(aws, zone):
    values = {"alias": None, "values": ["192.0.2.2", "192.0.2.1"], "ttl": 60}
    run(aws, params(zone, **values))
    assert not run(aws, params(zone, **{**values, "values": ["192.0.2.1", "192.0.2.2"]}))["changed"]
    (line,) = run(aws, params(zone, **{**values, "ttl": 300}))["changes"]
    assert line["fields"] == [{"name": "ttl", "before": 60, "after": 300}]


def test_what_was_changed_by_hand_is_put_back(aws, zone):
    run(aws, params(zone))
    before = records(aws, zone)
    put(aws, zone, alias("somewhere.else.example.net"))
    assert run(aws, params(zone))["changed"]
    put(aws, zone, before[NAME + "."], "DELETE")
    assert run(aws, params(zone))["changed"]
    put(aws, zone, before[OWNER_NAME], "DELETE")
    assert run(aws, params(zone))["changed"]
    assert records(aws, zone) == before


@pytest.mark.parametrize("check", [True, False])
def test_a_record_of_somebody_else_is_left_alone(aws, zone, check):
    put(aws, zone, alias("theirs.example.net"))
    before, mark = records(aws, zone), aws.mark()
    with pytest.raises(ModuleFailed, match="leads to theirs.example.net, and is not of this stack"):
        run_module(MODULE, params(zone), aws, check=check)
    kept = run_module(MODULE, {**params(zone), "state": "absent"}, aws, check=check)
    assert not kept["changed"]
    assert "is kept: it is not of this stack" in str(kept["warnings"])
    assert aws.mutating(mark) == [] and records(aws, zone) == before


def test_a_record_of_another_stack_is_left_alone(aws, zone):
    run(aws, {**params(zone, alias=OTHER), "tags": {**TAGS, "mlflow-stack": "team-y"}})
    with pytest.raises(ModuleFailed, match="is not of this stack"):
        run_module(MODULE, params(zone), aws)


def test_the_remedy_of_the_error_hands_a_record_over(aws, zone):
    put(aws, zone, alias("theirs.example.net"))
    with pytest.raises(ModuleFailed, match=f"{OWNER_NAME[:-1]} with the value"):
        run_module(MODULE, params(zone), aws)
    value = {"Value": '"managed-by=mlplatform.mlflow_aws,mlflow-stack=team-x"'}
    put(aws, zone, {"Name": OWNER_NAME, "Type": "TXT", "TTL": 60, "ResourceRecords": [value]})
    assert run(aws, params(zone))["changed"]


def test_a_name_with_a_cname_is_refused(aws, zone):
    put(aws, zone, {"Name": NAME, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "theirs.example.net"}]})
    with pytest.raises(ModuleFailed, match="records of this name exist, of type CNAME"):
        run_module(MODULE, params(zone), aws, check=True)


def test_an_owner_record_left_alone_is_removed(aws, zone):
    run(aws, params(zone))
    put(aws, zone, records(aws, zone)[NAME + "."], "DELETE")
    assert run(aws, {**params(zone), "state": "absent"})["changed"]
    assert records(aws, zone) == {}


def test_the_owner_record_is_found_behind_many_names(aws, zone):
    run(aws, params(zone))
    for number in range(25):
        put(aws, zone, alias("theirs.example.net", f"{number}.{NAME}"))
    assert not run(aws, params(zone))["changed"]


def test_nothing_is_removed_from_a_zone_that_is_gone(aws, zone):
    assert not run_module(MODULE, {**params("Z0NOSUCHZONE"), "state": "absent"}, aws)["changed"]


def test_plan_with_a_target_that_is_not_known_yet(aws, zone):
    unknown = {"dns_name": "(known after apply)", "zone_id": "(known after apply)"}
    assert run_module(MODULE, params(zone, alias=unknown), aws, check=True)["changed"]


def test_a_record_without_a_target_is_refused(aws, zone):
    with pytest.raises(ModuleFailed, match="needs an alias, or values and a ttl"):
        run_module(MODULE, params(zone, alias=None), aws)

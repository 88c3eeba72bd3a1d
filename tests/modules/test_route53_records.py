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


# What a load balancer, or a domain name of API Gateway, remembers

TAG = "mlflow-dns-records"


@pytest.fixture(params=["elbv2", "apigatewayv2"])
def owner(request, aws):
    """What the records lead to: its ARN, what its tags are, and a way to set one."""
    if request.param == "elbv2":
        elbv2, subnets = aws.client("elbv2"), aws.client("ec2").describe_subnets()["Subnets"][:2]
        made = elbv2.create_load_balancer(Name="team-x", Subnets=[s["SubnetId"] for s in subnets])
        arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        return arn, lambda: {t["Key"]: t["Value"] for t in elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]}
    gateway, name = aws.client("apigatewayv2"), "mlflow.api.example.com"
    gateway.create_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": "arn:certificate"}])
    return f"arn:aws:apigateway:eu-west-1::/domainnames/{name}", lambda: gateway.get_domain_name(DomainName=name).get("Tags", {})


def remembering(given, owner):
    """The parameters with the resource that remembers, and what its module would return of its tag."""
    arn, tags = owner
    words = (word.split("/") for word in tags().get(TAG, "").split())
    return {**given, "remember": {"arn": arn, "records": [dict(zip(("type", "zone_id", "name"), word)) for word in words]}}


def moved(zone, name="second.example.com"):
    return params(zone, name=name)


def actions(result):
    return [(change["action"], change["name"]) for change in result["changes"]]


def test_a_record_of_another_name_or_zone_takes_the_place_of_the_one_before(aws, zone, owner):
    other = aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="2")["HostedZone"]["Id"]
    run(aws, remembering(params(zone), owner))
    assert owner[1]()[TAG] == f"A/{zone.removeprefix('/hostedzone/')}/{NAME}"
    mark = aws.mark()
    assert not run_module(MODULE, remembering(params(zone), owner), aws)["changed"]
    assert [call["operation"] for call in aws.calls(mark) if call["service"] == "route53"] == ["ListResourceRecordSets"]

    mark = aws.mark()
    assert actions(run(aws, remembering(moved(zone), owner))) == [("create", "second.example.com"), ("delete", NAME)]
    batches = [call["operation"] for call in aws.mutating(mark)]
    assert [o for o in batches if o == "ChangeResourceRecordSets"] == batches[1:3], "the new one is made first, and noted before"
    assert set(records(aws, zone)) == {"second.example.com.", "_mlflow-stack-a.second.example.com."}

    assert actions(run(aws, remembering(moved(other), owner))) == [("create", "second.example.com"), ("delete", "second.example.com")]
    assert records(aws, zone) == {} and len(records(aws, other)) == 2
    assert owner[1]()[TAG] == f"A/{other.removeprefix('/hostedzone/')}/second.example.com"
    assert not run(aws, remembering(moved(other), owner))["changed"]


@pytest.mark.parametrize("made", [False, True])
def test_a_run_that_died_leaves_no_record_behind_whatever_is_asked_for_next(aws, zone, owner, made):
    run(aws, remembering(params(zone), owner))
    if made:  # it died before the old record was removed: both are there and remembered
        both = {**params(zone), "records": [*params(zone)["records"], *moved(zone)["records"]]}
        run(aws, remembering(both, owner))
    else:
        refusal = {"code": "AccessDenied", "message": "no", "status": 403}
        aws.faults({"service": "route53", "operation": "ChangeResourceRecordSets", "times": 1, "error": refusal})
        with pytest.raises(ModuleFailed):
            run_module(MODULE, remembering(moved(zone), owner), aws)
    assert run(aws, remembering(moved(zone, "third.example.com"), owner))["changed"]
    assert set(records(aws, zone)) == {"third.example.com.", "_mlflow-stack-a.third.example.com."}
    assert not run(aws, remembering(moved(zone, "third.example.com"), owner))["changed"]


def test_a_record_that_is_remembered_twice_is_removed_once(aws, zone, owner):
    """As where two domain names remember it, that of before and the one that takes its place."""
    run(aws, remembering(params(zone), owner))
    given = remembering(moved(zone), owner)
    given["remember"]["records"] *= 2
    assert actions(run(aws, given)) == [("create", "second.example.com"), ("delete", NAME)]


def test_a_remembered_record_that_is_gone_or_somebody_else_s_is_forgotten(aws, zone, owner):
    run(aws, remembering(params(zone), owner))
    before = records(aws, zone)
    for name in (NAME + ".", OWNER_NAME):
        put(aws, zone, before[name], "DELETE")
    run(aws, remembering(moved(zone), owner))
    put(aws, zone, {**before[OWNER_NAME], "Name": "_mlflow-stack-a.second.example.com.", "ResourceRecords": [{"Value": '"them"'}]})
    theirs = records(aws, zone)
    (_made, line) = run(aws, remembering(moved(zone, "third.example.com"), owner))["changes"]
    assert (line["action"], line["name"]) == ("delete", "second.example.com") and "the record stays" in line["warnings"][0]
    assert theirs.items() <= records(aws, zone).items()
    assert owner[1]()[TAG].endswith("/third.example.com") and " " not in owner[1]()[TAG]


def test_a_lost_tag_is_put_back(aws, zone):
    elbv2 = aws.client("elbv2")
    subnets = [s["SubnetId"] for s in aws.client("ec2").describe_subnets()["Subnets"][:2]]
    arn = elbv2.create_load_balancer(Name="team-x", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    given = {**params(zone), "remember": {"arn": arn, "records": []}}
    run(aws, given)
    mark = aws.mark()
    (line,) = run(aws, given)["changes"]
    assert line["fields"] == [{"name": "remembered", "before": False, "after": True}]
    assert [call["operation"] for call in aws.mutating(mark)] == ["AddTags"]


def test_plan_with_a_target_that_is_not_known_yet(aws, zone):
    unknown = {"dns_name": "(known after apply)", "zone_id": "(known after apply)"}
    assert run_module(MODULE, params(zone, alias=unknown), aws, check=True)["changed"]


def test_a_record_without_a_target_is_refused(aws, zone):
    with pytest.raises(ModuleFailed, match="needs an alias, or values and a ttl"):
        run_module(MODULE, params(zone, alias=None), aws)

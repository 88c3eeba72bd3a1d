# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DNS records of a load balancer and of an API's domain name, which each of them lists in a tag."""

from __future__ import annotations

import pytest
from modules.run_module import ModuleFailed, run_module

TAG = "mlflow-dns-records"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "team-x"}
NAME, SECOND, THIRD = "mlflow.example.com", "second.example.com", "third.example.com"
OWNER_NAME = f"_mlflow-stack-a.{NAME}."
DOMAIN = "mlflow.api.example.com"


class LoadBalancer:
    """The module, what the records lead to, and its tags."""

    module, service = "elbv2_load_balancer", "elbv2"
    tagging = "AddTags"

    def __init__(self, aws):
        self.aws = aws
        self.given = {"name": "team-x", "subnets": [s["SubnetId"] for s in aws.client("ec2").describe_subnets()["Subnets"][:2]]}

    def params(self, *records, **more):
        return {**self.given, "dns_records": list(records), "tags": TAGS, **more}

    def arn(self):
        return self.aws.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]

    def tags(self):
        (described,) = self.aws.client("elbv2").describe_tags(ResourceArns=[self.arn()])["TagDescriptions"]
        return {tag["Key"]: tag["Value"] for tag in described["Tags"]}

    def unmanaged(self, *records, **more):
        return {**self.params(*records, **more), "manage_dns": False}

    def lose_the_tag(self):
        self.aws.client("elbv2").remove_tags(ResourceArns=[self.arn()], TagKeys=[TAG])


class Api:
    """The same."""

    module, service = "apigatewayv2_api", "apigatewayv2"
    tagging = "TagResource"

    def __init__(self, aws):
        self.aws = aws
        self.given = {
            "name": "team-x",
            "vpc_link": {"name": "team-x", "subnet_ids": ["subnet-a"]},
            "integration": {"listener_arn": "arn:listener"},
            "authorizer": {"name": "team-x-jwt", "type": "JWT", "issuer": "https://issuer.example.com"},
        }

    def params(self, *records, domain=DOMAIN, **more):
        return {**self.given, "domain": {"name": domain, "certificate_arn": "arn:certificate", "dns_records": list(records)}, "tags": TAGS, **more}

    def tags(self):
        return self.aws.client("apigatewayv2").get_domain_name(DomainName=DOMAIN).get("Tags", {})

    def unmanaged(self, *records, **more):
        params = self.params(*records, **more)
        return {**params, "domain": {**params["domain"], "manage_dns": False}}

    def lose_the_tag(self):
        self.aws.client("apigatewayv2").untag_resource(ResourceArn=f"arn:aws:apigateway:eu-west-1::/domainnames/{DOMAIN}", TagKeys=[TAG])


@pytest.fixture(params=[LoadBalancer, Api], ids=lambda kind: kind.service)
def owner(request, aws):
    return request.param(aws)


@pytest.fixture
def zone(aws):
    return new_zone(aws, "1")


def new_zone(aws, reference):
    return aws.client("route53").create_hosted_zone(Name="example.com", CallerReference=reference)["HostedZone"]["Id"].removeprefix("/hostedzone/")


def record(zone, name=NAME, **more):
    return {"name": name, "zone_id": zone, **more}


def run(owner, params):
    """What a run did with records, as its plan foretold to the letter, while the plan itself changed nothing."""
    aws, mark = owner.aws, owner.aws.mark()
    plan = run_module(owner.module, params, aws, check=True)
    assert aws.mutating(mark) == []
    result = run_module(owner.module, params, aws)
    assert [line[:2] for line in lines(result)] == [line[:2] for line in lines(plan)]
    return [line for line in lines(result) if line[1] == "route53_record"]


def lines(result):
    return [(change["action"], change["kind"], change["name"]) for change in result["changes"]]


def made(result):
    return [(action, name) for action, _kind, name in result]


def records(aws, zone):
    found = aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return {r["Name"]: r for r in found if r["Type"] not in ("NS", "SOA")}


def put(aws, zone, record_set, action="UPSERT"):
    changes = [{"Action": action, "ResourceRecordSet": record_set}]
    aws.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def test_a_record_leads_to_its_owner_and_is_removed_before_it(aws, zone, owner):
    given = owner.params(record(zone))
    assert made(run(owner, given)) == [("create", NAME)]
    aliases = records(aws, zone)[NAME + "."]["AliasTarget"]
    names = {
        "elbv2": lambda: aws.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["DNSName"],
        "apigatewayv2": lambda: aws.client("apigatewayv2").get_domain_name(DomainName=DOMAIN)["DomainNameConfigurations"][0]["ApiGatewayDomainName"],
    }
    assert aliases["DNSName"].removesuffix(".") == names[owner.service]()
    mark = aws.mark()
    assert not run_module(owner.module, given, aws)["changed"]
    assert [call["operation"] for call in aws.calls(mark) if call["service"] == "route53"] == ["ListResourceRecordSets"]
    mark = aws.mark()
    assert made(run(owner, {**given, "state": "absent"})) == [("delete", NAME)]
    assert aws.mutating(mark)[0]["operation"] == "ChangeResourceRecordSets" and records(aws, zone) == {}
    assert not run_module(owner.module, {**given, "state": "absent"}, aws)["changed"]


def test_a_record_goes_also_where_its_owner_is_gone(aws, zone, owner):
    run(owner, owner.params(record(zone)))
    record_sets = records(aws, zone)
    run(owner, {**owner.params(record(zone)), "state": "absent"})
    for each in record_sets.values():
        put(aws, zone, each)
    assert made(run(owner, {**owner.params(record(zone)), "state": "absent"})) == [("delete", NAME)]
    assert records(aws, zone) == {}


def test_a_record_of_another_name_or_zone_takes_the_place_of_the_one_before(aws, zone, owner):
    other = new_zone(aws, "2")
    run(owner, owner.params(record(zone)))
    assert owner.tags()[TAG] == f"A/{zone}/{NAME}"

    mark = aws.mark()
    assert made(run(owner, owner.params(record(zone, SECOND)))) == [("create", SECOND), ("delete", NAME)]
    batches = [call["operation"] for call in aws.mutating(mark)]
    assert batches == [owner.tagging, *["ChangeResourceRecordSets"] * 2, owner.tagging], "the new one is created first, and listed before"
    assert set(records(aws, zone)) == {f"{SECOND}.", f"_mlflow-stack-a.{SECOND}."}

    assert made(run(owner, owner.params(record(other, SECOND)))) == [("create", SECOND), ("delete", SECOND)]
    assert records(aws, zone) == {} and len(records(aws, other)) == 2
    assert owner.tags()[TAG] == f"A/{other}/{SECOND}"
    assert not run(owner, owner.params(record(other, SECOND)))
    assert made(run(owner, owner.params())) == [("delete", SECOND)]


@pytest.mark.parametrize("both", [False, True])
def test_a_run_that_died_leaves_no_record_behind_whatever_is_asked_for_next(aws, zone, owner, both):
    run(owner, owner.params(record(zone)))
    if both:  # it died before the old record was removed: both are there and listed
        run(owner, owner.params(record(zone), record(zone, SECOND)))
    else:
        refusal = {"code": "AccessDenied", "message": "no", "status": 403}
        aws.faults({"service": "route53", "operation": "ChangeResourceRecordSets", "times": 1, "error": refusal})
        with pytest.raises(ModuleFailed):
            run_module(owner.module, owner.params(record(zone, SECOND)), aws)
    assert run(owner, owner.params(record(zone, THIRD)))
    assert set(records(aws, zone)) == {f"{THIRD}.", f"_mlflow-stack-a.{THIRD}."}
    assert not run(owner, owner.params(record(zone, THIRD)))


def test_a_listed_record_that_is_gone_or_somebody_else_s_is_forgotten(aws, zone, owner):
    run(owner, owner.params(record(zone)))
    before = records(aws, zone)
    for name in (NAME + ".", OWNER_NAME):
        put(aws, zone, before[name], "DELETE")
    run(owner, owner.params(record(zone, SECOND)))
    put(aws, zone, {**before[OWNER_NAME], "Name": f"_mlflow-stack-a.{SECOND}.", "ResourceRecords": [{"Value": '"them"'}]})
    theirs = records(aws, zone)
    (_created, line) = run_module(owner.module, owner.params(record(zone, THIRD)), aws)["changes"]
    assert (line["action"], line["name"]) == ("delete", SECOND) and "the record stays" in line["warnings"][0]
    assert theirs.items() <= records(aws, zone).items()
    assert owner.tags()[TAG] == f"A/{zone}/{THIRD}"


def test_a_lost_tag_is_put_back(aws, zone, owner):
    run(owner, owner.params(record(zone)))
    owner.lose_the_tag()
    mark = aws.mark()
    (line,) = run_module(owner.module, owner.params(record(zone)), aws)["changes"]
    assert line["fields"] == [{"name": "remembered", "before": False, "after": True}]
    assert [call["operation"] for call in aws.mutating(mark)] == [owner.tagging]


def test_a_load_balancer_that_takes_the_place_of_another_lists_the_same_records(aws, zone):
    owner = LoadBalancer(aws)
    run(owner, owner.params(record(zone)))
    ec2 = aws.client("ec2")
    ec2.attach_internet_gateway(
        InternetGatewayId=ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"], VpcId=ec2.describe_subnets()["Subnets"][0]["VpcId"]
    )
    replaced = owner.params(record(zone, SECOND), scheme="internet-facing")
    assert made(run(owner, replaced)) == [("create", SECOND), ("delete", NAME)]
    assert owner.tags()[TAG] == f"A/{zone}/{SECOND}" and len(records(aws, zone)) == 2
    assert not run(owner, replaced)


def test_a_domain_name_that_takes_the_place_of_another_takes_its_records_over(aws, zone):
    owner = Api(aws)
    run(owner, owner.params(record(zone)))
    renamed = owner.params(record(zone, SECOND), domain="new.api.example.com")
    mark = aws.mark()
    assert made(run(owner, renamed)) == [("create", SECOND), ("delete", NAME)]
    order = [call["operation"] for call in aws.mutating(mark)]
    assert order.index("CreateApiMapping") < order.index("ChangeResourceRecordSets") < order.index("DeleteDomainName")
    assert set(records(aws, zone)) == {f"{SECOND}.", f"_mlflow-stack-a.{SECOND}."}
    assert not run(owner, renamed)
    assert made(run(owner, {**owner.params(), "state": "absent"})) == [("delete", SECOND)]


def test_a_load_balancer_that_is_protected_keeps_its_record(aws, zone):
    owner = LoadBalancer(aws)
    given = owner.params(record(zone), attributes={"deletion_protection.enabled": True})
    run(owner, given)
    mark = aws.mark()
    with pytest.raises(ModuleFailed, match="^elbv2_load_balancer team-x: its deletion protection is on"):
        run_module(owner.module, {**given, "state": "absent"}, aws)
    assert aws.mutating(mark) == []


def test_a_record_for_ipv6_beside_that_for_ipv4(aws, zone, owner):
    both = [record(zone), record(zone, type="AAAA")]
    run(owner, owner.params(*both[:1]))
    assert made(run(owner, owner.params(*both))) == [("create", NAME)]
    found = aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert [r["Type"] for r in found if r["Name"] == f"{NAME}."] == ["A", "AAAA"]
    assert f"_mlflow-stack-aaaa.{NAME}." in records(aws, zone)
    assert not run_module(owner.module, owner.params(*both), aws)["changed"]
    assert made(run(owner, owner.params(*both[:1]))) == [("delete", NAME)]
    assert set(records(aws, zone)) == {f"{NAME}.", OWNER_NAME}
    run(owner, owner.params(*both))
    run(owner, {**owner.params(*both[:1]), "state": "absent"})  # its tag knows of the other
    assert records(aws, zone) == {}


def test_records_that_others_manage_are_not_looked_at(owner, aws, zone):
    mark = aws.mark()
    assert run(owner, owner.unmanaged(record("", SECOND))) == []
    assert "route53" not in {call["service"] for call in aws.calls(mark)}
    assert TAG not in owner.tags() and records(aws, zone) == {}


def test_records_stay_when_others_are_to_manage_them_and_are_taken_up_again(owner, aws, zone):
    run(owner, owner.params(record(zone)))
    before, mark = records(aws, zone), aws.mark()
    (plan,) = [change for change in run_module(owner.module, owner.unmanaged(), aws, check=True)["changes"] if change["kind"] == "route53_record"]
    assert plan["fields"] == [{"name": "remembered", "before": True, "after": False}]
    assert plan["warnings"] == [f"the record stays in the hosted zone {zone} as it is, and no run changes or removes it any more"]
    assert made(run(owner, owner.unmanaged())) == [("update", NAME)]
    assert run(owner, owner.unmanaged()) == [] and aws.mutating(mark)[1:] == []
    assert "route53" not in {call["service"] for call in aws.calls(mark)}
    assert owner.tags()[TAG] == "" and records(aws, zone) == before

    assert made(run(owner, owner.params(record(zone)))) == [("update", NAME)]
    assert run(owner, owner.params(record(zone))) == [] and NAME in owner.tags()[TAG] and records(aws, zone) == before


def test_what_others_manage_stays_without_what_it_led_to(owner, aws, zone):
    run(owner, owner.params(record(zone)))
    before, mark = records(aws, zone), aws.mark()
    result = run_module(owner.module, {**owner.unmanaged(), "state": "absent"}, aws)
    assert f"the record {NAME} stays in the hosted zone {zone}" in str(result["warnings"])
    assert "route53_record" not in {kind for _action, kind, _name in lines(result)}
    assert "route53" not in {call["service"] for call in aws.calls(mark)} and records(aws, zone) == before

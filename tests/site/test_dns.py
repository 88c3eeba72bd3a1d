# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks whose DNS is elsewhere: in an account of its own, or not to be touched at all."""

from __future__ import annotations

import typing as t

from embedded_aws.client import EmbeddedAWS
from support.account import listing
from support.plans import deviations, lines
from support.stack import Stack, zone
from support.zone_account import DNS_ROLE, EXTERNAL_ID, ZoneAccount

ROLE = {"mlflow_dns_assume_role_arn": DNS_ROLE, "mlflow_dns_assume_role_external_id": EXTERNAL_ID}


def records(of: EmbeddedAWS | ZoneAccount, zone_id: str) -> dict[str, str]:
    """The records of a zone beside its own: where each A record leads, and what each TXT record says."""
    found = of.client("route53").list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    return {
        f"{each['Type']} {each['Name']}": each["AliasTarget"]["DNSName"] if "AliasTarget" in each else each["ResourceRecords"][0]["Value"]
        for each in found
        if each["Type"] in ("A", "AAAA", "TXT")
    }


def test_zones_in_another_account(stack: Stack) -> None:
    central = ZoneAccount(stack.aws)
    zones = {f"mlflow_{kind}zone_id": zone(central, stack.inputs[f"mlflow_{kind}zone_name"]) for kind in ("", "api_")}
    refused = stack.run("site", **zones)
    assert refused.status != 0 and refused.changing == []
    assert all(f"{name}: it cannot be checked: " in refused.text for name in zones) and "mlflow_dns_assume_role_arn" in refused.text

    stack.inputs |= {**zones, **ROLE}
    plan, run = stack.plan_and_apply()
    assert [change["action"] for change in plan if change["kind"] == "route53_record"] == ["create", "create"]
    callers = {call["caller"] for call in run.calls if call["service"] == "route53"}
    assert len(callers) == 1 and "testing" not in callers
    assert {call["caller"] for call in run.calls if call["service"] != "route53"} == {"testing"}
    assert all(len(records(central, each)) == 2 for each in zones.values())

    again = stack.run("site verify")
    assert (again.status, again.changed) == (0, 0)
    stack.destroy(mlflow_database_skip_final_snapshot=True)
    assert all(records(central, each) == {} for each in zones.values())


def test_bootstrap_with_zones_in_another_account(aws: EmbeddedAWS, tmp_path: t.Any) -> None:
    central = ZoneAccount(aws)
    inputs = {
        "mlflow_unique_name": "mlflow-team-x",
        "mlflow_record_name": "mlflow",
        "mlflow_zone_name": "ml.example.com",
        "mlflow_api_zone_name": "api.ml.example.com",
        "mlflow_bootstrap_zone_id": zone(central, "ml.example.com"),
        **ROLE,
    }
    stack = Stack(aws, tmp_path, inputs)
    run = stack.run("bootstrap")
    assert run.status == 0, run.messages or run.text
    assert aws.client("route53").list_hosted_zones()["HostedZones"] == []
    assert sorted(each["Name"] for each in central.client("route53").list_hosted_zones()["HostedZones"]) == ["api.ml.example.com.", "ml.example.com."]
    assert {each["Status"] for each in aws.client("acm").list_certificates()["CertificateSummaryList"]} == {"ISSUED"}
    removed = stack.run("bootstrap", mlflow_bootstrap_state="absent", mlflow_confirm_destroy="mlflow-team-x")
    assert removed.status == 0, removed.messages or removed.text
    assert [each["Name"] for each in central.client("route53").list_hosted_zones()["HostedZones"]] == ["ml.example.com."]


def test_records_that_others_make(stack: Stack) -> None:
    """Nothing is asked of Route 53, and the outputs say what to create."""
    elsewhere = {"mlflow_manage_dns": False, "mlflow_zone_id": None, "mlflow_api_zone_id": None}
    zones = [stack.inputs[f"mlflow_{kind}zone_id"] for kind in ("", "api_")]
    stack.inputs = {k: v for k, v in {**stack.inputs, **elsewhere}.items() if v is not None}
    run = stack.run("site verify")
    assert run.status == 0, run.messages or run.text
    balancer = stack.aws.client("elbv2").describe_load_balancers(Names=["mlflow-team-x"])["LoadBalancers"][0]
    domain = stack.aws.client("apigatewayv2").get_domain_name(DomainName="mlflow.api.team-x.example.com")["DomainNameConfigurations"][0]
    targets = {
        "mlflow.team-x.example.com": (balancer["DNSName"], balancer["CanonicalHostedZoneId"]),
        "mlflow.api.team-x.example.com": (domain["ApiGatewayDomainName"], domain["HostedZoneId"]),
    }
    assert stack.outputs["dns_records"] == [
        {"name": name, "type": "A", "zone_id": "", "alias_dns_name": target, "alias_zone_id": zone_id} for name, (target, zone_id) in targets.items()
    ]
    for each in stack.outputs["dns_records"]:
        assert f"{each['name']} has to lead to {each['alias_dns_name']}" in run.text
    again = stack.run("plan site")
    assert (again.status, again.changed, again.mutating) == (0, 0, [])
    removed = stack.destroy(mlflow_database_skip_final_snapshot=True)
    assert "mlflow.team-x.example.com and mlflow.api.team-x.example.com are left to those who manage them" in removed.text
    assert "route53" not in {call["service"] for each in (run, again, removed) for call in each.calls}
    assert [records(stack.aws, each) for each in zones] == [{}, {}]


def test_records_stay_when_others_are_to_manage_them(deployed_stack: Stack) -> None:
    stack = deployed_stack
    zones = {name: stack.inputs[name] for name in ("mlflow_zone_id", "mlflow_api_zone_id")}
    before = [records(stack.aws, each) for each in zones.values()]
    assert all(len(each) == 2 for each in before)
    plan, run = stack.plan_and_apply(mlflow_manage_dns=False, mlflow_zone_id=None, mlflow_api_zone_id=None)
    assert deviations(plan, run.changes) == []
    assert lines(plan) == [("update", "route53_record", f"mlflow.{kind}team-x.example.com") for kind in ("api.", "")]
    assert all("stays in the hosted zone" in warning for change in plan for warning in change["warnings"])
    assert sorted(run.changing) == ["apigatewayv2:TagResource", "elbv2:AddTags"]
    assert stack.run("site").changed == 0

    _plan, run = stack.plan_and_apply(mlflow_manage_dns=True, **zones)
    assert sorted(run.changing) == ["apigatewayv2:TagResource", "elbv2:AddTags"]
    removed = stack.destroy(mlflow_manage_dns=False, mlflow_database_skip_final_snapshot=True)
    assert all(f"the record mlflow.{kind}team-x.example.com stays" in removed.text for kind in ("", "api."))
    assert [records(stack.aws, each) for each in zones.values()] == before


def test_a_stack_is_ready_before_it_gets_the_host_names_of_another(stack: Stack) -> None:
    gateway, route53, hosts = stack.aws.client("apigatewayv2"), stack.aws.client("route53"), ("mlflow.team-x.example.com", "mlflow.api.team-x.example.com")
    configuration = {"CertificateArn": stack.inputs["mlflow_api_cert_arn"], "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
    gateway.create_domain_name(DomainName=hosts[1], DomainNameConfigurations=[configuration], Tags={"managed-by": "terraform"})
    record = {"Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "old.example.org"}]}

    def change(action: str) -> None:
        for host, kind in zip(hosts, ("", "api_"), strict=True):
            batch = {"Changes": [{"Action": action, "ResourceRecordSet": {"Name": host, **record}}]}
            route53.change_resource_record_sets(HostedZoneId=stack.inputs[f"mlflow_{kind}zone_id"], ChangeBatch=batch)

    change("CREATE")
    others = listing(stack.aws)
    refused = stack.run("site")
    assert refused.status != 0 and refused.mutating == []
    assert all(host in refused.text for host in hosts)

    stack.inputs |= {"mlflow_host_names": False}
    run = stack.run("site verify")
    assert run.status == 0, run.messages or run.text
    found = listing(stack.aws)
    assert {key: found[key] for key in others} == others
    assert "route53" not in {call["service"] for call in run.calls}
    assert "Names      do not lead here" in run.text and stack.outputs["load_balancer_dns_name"] in run.text
    assert [each["name"] for each in stack.outputs["dns_records"]] == [hosts[0]]
    removal = stack.run("destroy", "--check", mlflow_confirm_destroy="mlflow-team-x")
    assert removal.status == 0 and not {"route53_record", "apigatewayv2_domain_name"} & {change["kind"] for change in removal.changes}, removal.changes

    gateway.delete_domain_name(DomainName=hosts[1])
    change("DELETE")
    plan, run = stack.plan_and_apply(mlflow_host_names=True)
    assert deviations(plan, run.changes) == []
    kinds = [(change["action"], change["kind"]) for change in plan]
    assert sorted(set(kinds)) == [("create", "apigatewayv2_api_mapping"), ("create", "apigatewayv2_domain_name"), ("create", "route53_record")]
    assert all(len(records(stack.aws, stack.inputs[f"mlflow_{kind}zone_id"])) == 2 for kind in ("", "api_"))
    assert stack.run("site verify").changed == 0

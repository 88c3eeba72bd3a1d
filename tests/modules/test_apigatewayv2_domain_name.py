# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from modules.run_module import ModuleFailed, run_module

MODULE = "apigatewayv2_domain_name"
NAME = "mlflow.api.example.com"
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "team-x"}
PARAMS = {"name": NAME, "certificate_arn": CERTIFICATE, "tags": TAGS}
ABSENT = {"name": NAME, "tags": TAGS, "state": "absent"}


def run(aws, params):
    """The result of a run that its plan foretold to the letter, while the plan itself changed nothing."""
    mark = aws.mark()
    plan = run_module(MODULE, params, aws, check=True)
    assert aws.mutating(mark) == []
    result = run_module(MODULE, params, aws)
    assert result["changes"] == plan["changes"]
    assert bool(aws.mutating(mark)) == result["changed"]
    return result


def test_life(aws):
    created = run(aws, PARAMS)
    there = aws.client("apigatewayv2").get_domain_name(DomainName=NAME)
    (regional,) = there["DomainNameConfigurations"]
    assert (regional["SecurityPolicy"], regional["EndpointType"], there["Tags"]) == ("TLS_1_2", "REGIONAL", TAGS)
    assert created["domain_name"] == {
        "name": NAME,
        "arn": f"arn:aws:apigateway:eu-west-1::/domainnames/{NAME}",
        "target_domain_name": regional["ApiGatewayDomainName"],
        "target_zone_id": regional["HostedZoneId"],
    }

    mark = aws.mark()
    assert run_module(MODULE, PARAMS, aws)["domain_name"] == created["domain_name"]
    assert [call["operation"] for call in aws.calls(mark)] == ["GetDomainNames"]

    assert [c["action"] for c in run(aws, ABSENT)["changes"]] == ["delete"]
    assert not run(aws, ABSENT)["changed"]


@pytest.mark.parametrize(
    ("change", "field", "operation"),
    [({"certificate_arn": CERTIFICATE + "2"}, "certificate_arn", "UpdateDomainName"), ({"tags": {**TAGS, "team": "x"}}, "tags.team", "TagResource")],
)
def test_one_change(aws, change, field, operation):
    run(aws, PARAMS)
    mark = aws.mark()
    (line,) = run(aws, PARAMS | change)["changes"]
    assert (line["action"], [f["name"] for f in line["fields"]]) == ("update", [field])
    assert [call["operation"] for call in aws.mutating(mark)] == [operation]
    assert not run(aws, PARAMS | change)["changed"]


@pytest.mark.parametrize(
    "by_hand",
    [
        {"DomainNameConfigurations": [{"CertificateArn": "arn:other", "SecurityPolicy": "TLS_1_0"}]},
        {"MutualTlsAuthentication": {"TruststoreUri": "s3://theirs/truststore.pem"}},
        {"RoutingMode": "ROUTING_RULE_ONLY"},
    ],
)
def test_what_was_changed_by_hand_is_put_back(aws, by_hand):
    run(aws, PARAMS)
    aws.client("apigatewayv2").update_domain_name(DomainName=NAME, **by_hand)
    assert run(aws, PARAMS)["changed"]
    assert not run(aws, PARAMS)["changed"]


def test_a_domain_name_of_somebody_else_is_left_alone(aws):
    run(aws, {**PARAMS, "tags": {**TAGS, "managed-by": "them", "mlflow-stack": "theirs"}})
    mark = aws.mark()
    with pytest.raises(ModuleFailed, match="is not of this stack"):
        run_module(MODULE, PARAMS, aws)
    assert "is kept" in str(run_module(MODULE, ABSENT, aws)["warnings"])
    assert aws.mutating(mark) == []


def test_the_domain_name_of_before_is_named(aws):
    run(aws, PARAMS)
    run(aws, {**PARAMS, "name": "theirs.example.com", "tags": {**TAGS, "mlflow-stack": "team-y"}})
    renamed = {**PARAMS, "name": "new.api.example.com"}
    assert run(aws, renamed)["superseded"] == [NAME]
    assert run(aws, ABSENT)["superseded"] == ["new.api.example.com"]
    assert run_module(MODULE, renamed, aws)["superseded"] == []


def test_it_tells_the_records_that_it_and_the_one_of_before_remember(aws):
    gateway, renamed = aws.client("apigatewayv2"), {**PARAMS, "name": "new.api.example.com"}
    for params, word in ((PARAMS, f"A/Z1/{NAME}"), (renamed, "A/Z2/new.api.example.com")):
        arn = run(aws, params)["domain_name"]["arn"]
        gateway.tag_resource(ResourceArn=arn, Tags={"mlflow-dns-records": word})
    before = {"type": "A", "zone_id": "Z1", "name": NAME}
    after = {"type": "A", "zone_id": "Z2", "name": "new.api.example.com"}
    settled = run(aws, renamed)
    assert not settled["changed"] and settled["dns_records"] == [after, before]
    assert run_module(MODULE, ABSENT, aws, check=True)["dns_records"] == [before, after]


def test_its_mappings_go_with_it(aws):
    run(aws, PARAMS)
    gateway = aws.client("apigatewayv2")
    api_id = gateway.create_api(Name="x", ProtocolType="HTTP")["ApiId"]
    gateway.create_stage(ApiId=api_id, StageName="$default")
    gateway.create_api_mapping(ApiId=api_id, DomainName=NAME, Stage="$default")
    mark = aws.mark()
    run(aws, ABSENT)
    assert [call["operation"] for call in aws.mutating(mark)] == ["DeleteApiMapping", "DeleteDomainName"]


def test_an_odd_domain_name_of_somebody_else_is_nothing_to_us(aws):
    """One that says nothing of its configurations, as its model allows."""
    aws.client("apigatewayv2").create_domain_name(DomainName="odd.example.com")
    assert run(aws, PARAMS)["domain_name"]["name"] == NAME
    assert not run(aws, PARAMS)["changed"]
    assert run(aws, ABSENT)["changed"]

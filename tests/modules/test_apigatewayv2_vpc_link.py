# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import THROTTLED_RETRIES
from modules.run_module import run_module

MODULE = "apigatewayv2_vpc_link"
NAME = "team-x"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": NAME, "team": "x"}
PARAMS = {"name": NAME, "subnet_ids": ["subnet-b", "subnet-a"], "security_group_ids": ["sg-1"], "tags": TAGS}
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


def links(aws):
    return {link["VpcLinkId"]: link for link in aws.client("apigatewayv2").get_vpc_links()["Items"]}


def test_life(aws):
    first = run(aws, PARAMS)
    assert [(c["action"], c["kind"], c["name"]) for c in first["changes"]] == [("create", MODULE, NAME)]
    (link,) = links(aws).values()
    assert link["SubnetIds"] == ["subnet-a", "subnet-b"] and link["Tags"] == TAGS
    assert first["vpc_link"] == {"id": link["VpcLinkId"], "name": NAME}

    mark = aws.mark()
    again = run_module(MODULE, {**PARAMS, "subnet_ids": ["subnet-a", "subnet-b"]}, aws)
    assert not again["changed"] and again["superseded"] == []
    assert [call["operation"] for call in aws.calls(mark)] == ["GetVpcLinks"]

    (line,) = run(aws, {**PARAMS, "tags": {**TAGS, "team": "y"}})["changes"]
    assert [f["name"] for f in line["fields"]] == ["tags.team"]

    assert [c["action"] for c in run(aws, ABSENT)["changes"]] == ["delete"]
    assert links(aws) == {}
    assert not run(aws, ABSENT)["changed"]


@pytest.mark.parametrize("change", [{"subnet_ids": ["subnet-a", "subnet-c"]}, {"security_group_ids": ["sg-2"]}])
def test_other_subnets_or_groups_make_a_link_beside_the_one_in_use(aws, change):
    old = run(aws, PARAMS)["vpc_link"]["id"]
    result = run(aws, PARAMS | change)
    assert [c["action"] for c in result["changes"]] == ["create"]
    assert "takes the place of a link" in result["changes"][0]["warnings"][0]
    assert result["superseded"] == [old] and result["vpc_link"]["id"] != old

    gone = run(aws, {**ABSENT, "vpc_link_ids": result["superseded"]})
    assert [c["action"] for c in gone["changes"]] == ["delete"]
    assert list(links(aws)) == [result["vpc_link"]["id"]]
    mark = aws.mark()
    assert not run_module(MODULE, {**ABSENT, "vpc_link_ids": []}, aws)["changed"]
    assert aws.calls(mark) == []


def test_waits_until_it_is_there_and_until_it_is_gone(aws, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds, real=__import__("time").sleep: real(min(seconds, 0.1)))
    aws.creation_seconds(vpclink=0.3)
    started = run_module(MODULE, {**PARAMS, "wait": False}, aws)
    assert [link["VpcLinkStatus"] for link in links(aws).values()] == ["PENDING"]
    waited = run_module(MODULE, PARAMS, aws)
    assert not waited["changed"] and waited["vpc_link"] == started["vpc_link"]
    assert [link["VpcLinkStatus"] for link in links(aws).values()] == ["AVAILABLE"]
    run_module(MODULE, ABSENT, aws)
    assert links(aws) == {}


def test_links_of_others_are_left_alone(aws):
    client = aws.client("apigatewayv2")
    theirs = client.create_vpc_link(Name=NAME, SubnetIds=["subnet-a", "subnet-b"], SecurityGroupIds=["sg-1"])["VpcLinkId"]
    ours = run(aws, PARAMS)["vpc_link"]["id"]
    assert ours != theirs
    run(aws, ABSENT)
    assert list(links(aws)) == [theirs]


@pytest.mark.faults
def test_it_waits_for_its_turn_longer_than_a_call_is_sent_again(aws):
    limit = {"code": "TooManyRequestsException", "message": "Too Many Requests", "status": 429}
    aws.faults({"operation": "CreateVpcLink", "error": limit, "times": THROTTLED_RETRIES + 2})
    run_module(MODULE, PARAMS, aws)
    assert len(links(aws)) == 1

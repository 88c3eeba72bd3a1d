# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from modules.run_module import run_module
from support.keys import key_policy

MODULE = "ecs_cluster"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
GIVEN = {"name": "x", "container_insights": "disabled", "tags": {**OWNER, "team": "x"}}


def run(aws, params, **changes):
    """The result of a run, after a check run has changed nothing and announced the same."""
    params = {**params, **changes}
    since = aws.mark()
    planned = run_module(MODULE, params, aws, check=True)
    assert aws.mutating(since) == []
    result = run_module(MODULE, params, aws)
    assert planned["changes"] == result["changes"]
    return planned, result


def mutations(aws, since):
    return [call["operation"] for call in aws.mutating(since)]


def cluster(aws):
    return aws.client("ecs").describe_clusters(clusters=["x"], include=["TAGS", "SETTINGS"])["clusters"][0]


def test_create_again_absent_again(aws):
    planned, result = run(aws, GIVEN)
    assert planned["cluster"] == {"arn": "(known after apply)", "name": "x"}
    there = cluster(aws)
    assert result["cluster"] == {"arn": there["clusterArn"], "name": "x"}
    assert there["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    assert sorted(there["capacityProviders"]) == ["FARGATE", "FARGATE_SPOT"]
    assert {tag["key"]: tag["value"] for tag in there["tags"]} == GIVEN["tags"]

    since = aws.mark()
    _ignored, again = run(aws, GIVEN)
    assert not again["changed"] and again["cluster"] == result["cluster"] and mutations(aws, since) == []

    _ignored, gone = run(aws, GIVEN, state="absent")
    assert gone["cluster"] == {} and [change["action"] for change in gone["changes"]] == ["delete"]
    assert cluster(aws)["status"] == "INACTIVE"  # as ECS keeps it, and for us it does not exist
    since = aws.mark()
    _ignored, again = run(aws, GIVEN, state="absent")
    assert not again["changed"] and mutations(aws, since) == []
    assert [change["action"] for change in run(aws, GIVEN)[1]["changes"]] == ["create"]


@pytest.mark.parametrize(
    ("change", "fields", "operations"),
    [
        ({"container_insights": "enhanced"}, ["container_insights"], ["UpdateCluster"]),
        ({"capacity_providers": ["FARGATE"]}, ["capacity_providers"], ["PutClusterCapacityProviders"]),
        ({"tags": {**OWNER, "team": "y"}}, ["tags.team"], ["TagResource"]),
        ({"tags": OWNER}, ["tags.team"], ["UntagResource"]),
    ],
)
def test_change_and_back(aws, change, fields, operations):
    run(aws, GIVEN)
    for params in ({**GIVEN, **change}, GIVEN):
        since = aws.mark()
        _ignored, result = run(aws, params)
        assert [field["name"] for field in result["changes"][0]["fields"]] == fields
        assert len(mutations(aws, since)) == 1
        if params != GIVEN:
            assert mutations(aws, since) == operations
        assert not run(aws, params)[1]["changed"]


def test_the_log_group_comes_first_and_goes_last(aws):
    given = {**GIVEN, "log_group": {"name": "/ecs/x", "retention_in_days": 30}}
    _ignored, result = run(aws, given)
    assert [(change["action"], change["kind"]) for change in result["changes"]] == [("create", "logs_log_group"), ("create", MODULE)]
    (group,) = aws.client("logs").describe_log_groups()["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == ("/ecs/x", 30)
    assert not run(aws, given)[1]["changed"] and not run(aws, GIVEN)[1]["changed"]

    since = aws.mark()
    run(aws, {"name": "x", "log_group": {"name": "/ecs/x"}, "tags": GIVEN["tags"]}, state="absent")
    assert mutations(aws, since) == ["DeleteCluster", "DeleteLogGroup"]  # a task may log its end


def test_a_saved_query_is_of_the_log_group_and_there_once(aws):
    given = {**GIVEN, "log_group": {"name": "/ecs/x"}, "query_definition": {"name": "x/audit", "query_string": "fields a"}}
    logs = aws.client("logs")
    logs.put_query_definition(name="x/audit-of-somebody-else", queryString="fields z")
    _ignored, result = run(aws, given)
    assert [change["kind"] for change in result["changes"]] == ["logs_log_group", "logs_query_definition", MODULE]
    since = aws.mark()
    assert not run(aws, given)[1]["changed"] and not run(aws, GIVEN)[1]["changed"]
    _ignored, result = run(aws, {**given, "query_definition": {"name": "x/audit", "query_string": "fields b"}})
    assert [field["name"] for field in result["changes"][0]["fields"]] == ["query_string"] and mutations(aws, since) == ["PutQueryDefinition"]
    _other, query = sorted(logs.describe_query_definitions()["queryDefinitions"], key=lambda each: each["queryString"], reverse=True)
    assert (query["name"], query["queryString"], query["logGroupNames"]) == ("x/audit", "fields b", ["/ecs/x"])
    gone = {"name": "x", "log_group": {"name": "/ecs/x"}, "query_definition": {"name": "x/audit"}}
    run(aws, {**gone, "tags": {**GIVEN["tags"], "mlflow-stack": "another"}}, state="absent")
    assert len(logs.describe_query_definitions()["queryDefinitions"]) == 2  # it is of the log group's owner
    for _twice in range(2):
        run(aws, {**gone, "tags": GIVEN["tags"]}, state="absent")
    assert [each["name"] for each in logs.describe_query_definitions()["queryDefinitions"]] == ["x/audit-of-somebody-else"]


def test_what_is_not_given_is_not_managed(aws):
    run(aws, GIVEN, container_insights="enabled")
    assert not run(aws, {"name": "x", "tags": GIVEN["tags"]})[1]["changed"]


def keyed(key):
    return {**GIVEN, "log_group": {"name": "/ecs/x", "kms_key_id": key}}


def key_of_logs(aws):
    (group,) = aws.client("logs").describe_log_groups()["logGroups"]
    return group.get("kmsKeyId")


def test_the_key_of_a_log_group_comes_and_goes_in_place(aws):
    key, other = (aws.client("kms").create_key(Policy=key_policy())["KeyMetadata"]["Arn"] for _time in range(2))
    run(aws, keyed(""))
    for wanted, calls in (
        (key, ["TagResource", "AssociateKmsKey"]),
        (key, []),
        (other, ["TagResource", "AssociateKmsKey"]),
        ("", ["DisassociateKmsKey", "UntagResource"]),
        ("", []),
    ):
        since = aws.mark()
        _planned, result = run(aws, keyed(wanted))
        assert mutations(aws, since) == calls and key_of_logs(aws) == (wanted or None)
        if calls and wanted != key:
            assert "can be read only as long as the key" in result["changes"][0]["warnings"][0]


def test_a_log_group_is_created_with_its_key(aws):
    key = aws.client("kms").create_key(Policy=key_policy())["KeyMetadata"]["Arn"]
    run(aws, keyed(key))
    assert key_of_logs(aws) == key
    run(aws, keyed(""))
    assert key_of_logs(aws) is None


def test_a_key_that_somebody_else_has_given_a_log_group_stays(aws):
    run(aws, keyed(""))
    key = aws.client("kms").create_key(Policy=key_policy())["KeyMetadata"]["Arn"]
    aws.client("logs").associate_kms_key(logGroupName="/ecs/x", kmsKeyId=key)
    for _time in range(2):
        assert not run(aws, keyed(""))[1]["changed"] and key_of_logs(aws) == key

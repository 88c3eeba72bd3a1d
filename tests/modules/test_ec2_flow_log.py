# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError, explain
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.flow_logs import _check
from embedded_aws.client import ACCOUNT, EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

MODULE, GROUP, ROLE = "ec2_flow_log", "/aws/vpc-flow-logs/x", "x-flow-logs"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "vpc-flow-logs.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}]}


@pytest.fixture
def vpc(aws: EmbeddedAWS) -> str:
    return aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


def params(vpc: str, **changed: t.Any) -> dict[str, t.Any]:
    role = {"name": ROLE, "assume_role_policy": TRUST, "inline_policies": {"logs": POLICY}}
    return {"vpc_id": vpc, "log_group": {"name": GROUP, "retention_in_days": 30}, "role": role, "account_id": ACCOUNT, "tags": TAGS, **changed}


def there(aws: EmbeddedAWS) -> list[dict[str, t.Any]]:
    return aws.client("ec2").describe_flow_logs()["FlowLogs"]


def run(aws: EmbeddedAWS, given: dict[str, t.Any]) -> tuple[list[tuple[str, str, list[str]]], list[str]]:
    """What a run did, as its plan foretold, and its changing calls; a second run does nothing."""
    mark = aws.mark()
    plan = run_module(MODULE, given, aws, check=True)
    assert aws.mutating(mark) == []
    done = run_module(MODULE, given, aws)
    lines = [[(c["action"], c["kind"], [f["name"] for f in c["fields"]]) for c in result["changes"]] for result in (plan, done)]
    assert lines[0] == lines[1]
    calls = [call["operation"] for call in aws.mutating(mark)]
    mark = aws.mark()
    assert not run_module(MODULE, given, aws)["changed"] and aws.mutating(mark) == []
    return lines[0], calls


def test_life(aws: EmbeddedAWS, vpc: str) -> None:
    lines, calls = run(aws, params(vpc))
    assert [line[:2] for line in lines] == [("create", kind) for kind in ("logs_log_group", "iam_role", "iam_role_policy", "ec2_flow_log")]
    assert sorted(calls) == ["CreateFlowLogs", "CreateLogGroup", "CreateRole", "PutRetentionPolicy", "PutRolePolicy"]
    assert calls.index("CreateFlowLogs") > max(calls.index("CreateRole"), calls.index("PutRetentionPolicy"))
    (flow_log,) = there(aws)
    assert (flow_log["ResourceId"], flow_log["LogGroupName"], flow_log["TrafficType"], flow_log["MaxAggregationInterval"]) == (vpc, GROUP, "ALL", 600)
    assert flow_log["DeliverLogsPermissionArn"] == f"arn:aws:iam::{ACCOUNT}:role/{ROLE}" and flow_log["DeliverLogsStatus"] == "SUCCESS"
    assert {tag["Key"]: tag["Value"] for tag in flow_log["Tags"]} == TAGS
    again = run_module(MODULE, params(vpc), aws)
    assert again["flow_log"] == {"id": flow_log["FlowLogId"], "log_group": GROUP, "role_arn": flow_log["DeliverLogsPermissionArn"]}
    lines, calls = run(aws, {**params(vpc), "vpc_id": None, "state": "absent"})
    assert [line[:2] for line in lines] == [("delete", kind) for kind in ("ec2_flow_log", "iam_role", "iam_role_policy", "logs_log_group")]
    assert calls[0] == "DeleteFlowLogs" and [call for call in calls if "Role" in call] == ["DeleteRolePolicy", "DeleteRole"]
    assert sorted(calls[1:]) == ["DeleteLogGroup", "DeleteRole", "DeleteRolePolicy"]  # at the same time
    assert there(aws) == [] == aws.client("logs").describe_log_groups()["logGroups"]


@pytest.mark.parametrize("name, value", [("traffic_type", "REJECT"), ("max_aggregation_interval", 60), ("role", "y-flow-logs")])
def test_what_EC2_cannot_change_takes_a_new_one_and_the_lines_stay(aws: EmbeddedAWS, vpc: str, name: str, value: t.Any) -> None:
    run(aws, params(vpc))
    changed = {**params(vpc)["role"], "name": value} if name == "role" else value
    lines, calls = run(aws, params(vpc, **{name: changed}))
    assert lines[-1] == ("replace", "ec2_flow_log", [name])
    flows = [call for call in calls if "FlowLogs" in call]
    assert flows == ["DeleteFlowLogs", "CreateFlowLogs"] and "DeleteLogGroup" not in calls


def test_another_vpc_takes_the_place_of_the_one_that_was(aws: EmbeddedAWS, vpc: str) -> None:
    run(aws, params(vpc))
    other = aws.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    lines, _calls = run(aws, params(other))
    assert lines == [("replace", "ec2_flow_log", ["vpc_id"])] and [each["ResourceId"] for each in there(aws)] == [other]


def test_tags_and_retention_change_in_place(aws: EmbeddedAWS, vpc: str) -> None:
    run(aws, params(vpc))
    (before,) = there(aws)
    given = params(vpc, tags={**TAGS, "team": "y"}, log_group={"name": GROUP, "retention_in_days": 60})
    lines, calls = run(aws, given)
    assert lines == [
        ("update", "logs_log_group", ["retention_in_days", "tags.team"]),
        ("update", "iam_role", ["tags.team"]),
        ("update", "ec2_flow_log", ["tags.team"]),
    ]
    assert sorted(calls) == ["CreateTags", "PutRetentionPolicy", "TagResource", "TagRole"]
    assert [each["FlowLogId"] for each in there(aws)] == [before["FlowLogId"]]
    lines, calls = run(aws, params(vpc))
    assert lines[-1] == ("update", "ec2_flow_log", ["tags.team"]) and "DeleteTags" in calls


def test_one_that_somebody_deleted_is_created_again(aws: EmbeddedAWS, vpc: str) -> None:
    run(aws, params(vpc))
    aws.client("ec2").delete_flow_logs(FlowLogIds=[there(aws)[0]["FlowLogId"]])
    lines, calls = run(aws, params(vpc))
    assert [line[:2] for line in lines] == [("create", "ec2_flow_log")] and calls == ["CreateFlowLogs"]


def test_those_of_others_are_left_alone(aws: EmbeddedAWS, vpc: str) -> None:
    """One that writes elsewhere stands beside it; one that writes into its log group is in its way."""
    iam, ec2 = aws.client("iam"), aws.client("ec2")
    run(aws, params(vpc))
    arn = iam.get_role(RoleName=ROLE)["Role"]["Arn"]
    theirs = {"ResourceType": "VPC", "ResourceIds": [vpc], "TrafficType": "ALL", "DeliverLogsPermissionArn": arn}
    elsewhere = ec2.create_flow_logs(**theirs, LogGroupName="theirs")["FlowLogIds"]
    run(aws, {**params(vpc), "state": "absent"})
    assert [each["FlowLogId"] for each in there(aws)] == elsewhere
    run_module("iam_roles", {"roles": [params(vpc)["role"]], "tags": TAGS}, aws)
    ec2.create_flow_logs(**theirs, LogGroupName=GROUP)
    with pytest.raises(ModuleFailed) as refusal:
        run_module(MODULE, params(vpc), aws)
    assert f"ec2_flow_log {GROUP}: it exists already and is not of this stack" in str(refusal.value)
    run_module(MODULE, {**params(vpc), "state": "absent"}, aws)
    assert len(there(aws)) == 2


def test_what_EC2_refuses_of_a_list_is_an_error_like_any_other() -> None:
    _check({"Unsuccessful": []}, "DeleteFlowLogs")
    refused = {"Unsuccessful": [{"ResourceId": "fl-1", "Error": {"Code": "InvalidFlowLogId.NotFound", "Message": "not found"}}]}
    with pytest.raises(ClientError) as error:
        _check(refused, "DeleteFlowLogs")
    assert explain(error.value) == "AWS answered InvalidFlowLogId.NotFound to DeleteFlowLogs: not found"

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import json
import typing as t

import pytest
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

NAME = "mlflow-x-task"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "mlflow-x"}


def document(*actions: str) -> dict[str, t.Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [*actions], "Resource": "*"}]}


def params(**role: t.Any) -> dict[str, t.Any]:
    spec = {
        "name": NAME,
        "assume_role_policy": TRUST,
        "description": "Tasks",
        "managed_policies": [EXECUTION],
        "inline_policies": {"artifacts": document("s3:GetObject", "s3:PutObject")},
        **role,
    }
    return {"roles": [spec], "tags": OWNER}


def actions(result: dict[str, t.Any]) -> list[tuple[str, str, str]]:
    return [(c["action"], c["kind"], c["name"]) for c in result["changes"]]


def operations(aws: EmbeddedAWS, since: int) -> list[str]:
    return sorted(call["operation"] for call in aws.mutating(since))


def test_makes_a_role_with_its_policies_once(aws: EmbeddedAWS) -> None:
    plan = run_module("iam_roles", params(), aws, check=True)
    assert aws.mutating() == []

    made = run_module("iam_roles", params(), aws)
    assert made["changes"] == plan["changes"]
    assert plan["roles"][NAME] == {**made["roles"][NAME], "id": "(known after apply)"}
    assert operations(aws, 0) == ["AttachRolePolicy", "CreateRole", "PutRolePolicy"]
    role = aws.client("iam").get_role(RoleName=NAME)["Role"]
    assert made["roles"] == {NAME: {"arn": role["Arn"], "id": role["RoleId"], "name": NAME}}
    assert {tag["Key"]: tag["Value"] for tag in role["Tags"]} == OWNER

    mark = aws.mark()
    again = run_module("iam_roles", params(), aws)
    assert (again["changed"], again["roles"]) == (False, made["roles"])
    assert sorted(call["operation"] for call in aws.calls(mark)) == ["GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies"]


def test_policies_are_sent_as_they_are_given_and_compared_by_their_meaning(aws: EmbeddedAWS) -> None:
    iam, single = aws.client("iam"), {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    wanted = params(inline_policies={"artifacts": {"Version": "2012-10-17", "Statement": [single]}})
    run_module("iam_roles", wanted, aws)

    def kept() -> tuple[t.Any, t.Any]:
        trust = iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"]
        return trust, iam.get_role_policy(RoleName=NAME, PolicyName="artifacts")["PolicyDocument"]["Statement"]

    assert kept() == (TRUST, [single])
    (trust,) = TRUST["Statement"]
    lists = {**TRUST, "Statement": [{**trust, "Principal": {"Service": ["ecs-tasks.amazonaws.com"]}, "Action": ["sts:AssumeRole"]}]}
    iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(lists))
    iam.put_role_policy(
        RoleName=NAME,
        PolicyName="artifacts",
        PolicyDocument=json.dumps(document("s3:GetObject")).replace('"Resource"', '"Condition": {"Bool": {"aws:SecureTransport": ["true"]}}, "Resource"'),
    )
    assert not run_module("iam_roles", wanted, aws)["changed"]

    other = {**TRUST, "Statement": [{**trust, "Sid": "Tasks"}]}
    named = {"artifacts": {"Version": "2012-10-17", "Statement": [{**single, "Sid": "S"}]}}
    run_module("iam_roles", params(assume_role_policy=other, inline_policies=named), aws)
    assert kept() == (other, [{**single, "Sid": "S"}])


@pytest.mark.parametrize(
    ("change", "names", "calls"),
    [
        ({"description": "Other"}, ["description"], ["UpdateRole"]),
        ({"max_session_duration": 7200}, ["max_session_duration"], ["UpdateRole"]),
        ({"permissions_boundary": LOGS}, ["permissions_boundary"], ["PutRolePermissionsBoundary"]),
        (
            {"assume_role_policy": {**TRUST, "Statement": [{**TRUST["Statement"][0], "Sid": "Tasks"}]}},
            ["assume_role_policy.Statement"],
            ["UpdateAssumeRolePolicy"],
        ),
        ({"inline_policies": {"artifacts": document("s3:GetObject")}}, ["document.Statement"], ["PutRolePolicy"]),
        ({"inline_policies": {"other": document("s3:GetObject")}}, ["document.Statement", "document.Version"], ["DeleteRolePolicy", "PutRolePolicy"]),
        ({"managed_policies": [EXECUTION, LOGS]}, ["policy_arn"], ["AttachRolePolicy"]),
        ({"managed_policies": []}, [], ["DetachRolePolicy"]),
    ],
)
def test_changes_exactly_what_differs(aws: EmbeddedAWS, change: dict[str, t.Any], names: list[str], calls: list[str]) -> None:
    run_module("iam_roles", params(), aws)
    plan = run_module("iam_roles", params(**change), aws, check=True)
    mark = aws.mark()
    done = run_module("iam_roles", params(**change), aws)
    assert done["changes"] == plan["changes"]
    assert sorted(f["name"] for c in done["changes"] for f in c["fields"]) == names
    assert operations(aws, mark) == calls
    assert not run_module("iam_roles", params(**change), aws)["changed"]


def test_takes_a_boundary_away_only_when_asked(aws: EmbeddedAWS) -> None:
    run_module("iam_roles", params(permissions_boundary=LOGS), aws)
    assert not run_module("iam_roles", params(), aws)["changed"]
    mark = aws.mark()
    run_module("iam_roles", params(permissions_boundary=""), aws)
    assert operations(aws, mark) == ["DeleteRolePermissionsBoundary"]
    assert not run_module("iam_roles", params(permissions_boundary=""), aws)["changed"]


def test_other_spelling_is_no_change(aws: EmbeddedAWS) -> None:
    run_module("iam_roles", params(), aws)
    trust = copy.deepcopy(TRUST)
    trust["Statement"][0]["Principal"]["Service"] = ["ecs-tasks.amazonaws.com"]
    same = params(assume_role_policy=trust, inline_policies={"artifacts": document("s3:PutObject", "s3:GetObject")})
    assert not run_module("iam_roles", same, aws)["changed"]


def test_puts_back_what_was_changed_by_hand(aws: EmbeddedAWS) -> None:
    run_module("iam_roles", params(), aws)
    iam = aws.client("iam")
    iam.put_role_policy(
        RoleName=NAME, PolicyName="by-hand", PolicyDocument='{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}, "Version": "2012-10-17"}'
    )
    iam.attach_role_policy(RoleName=NAME, PolicyArn=LOGS)
    iam.untag_role(RoleName=NAME, TagKeys=["mlflow-stack"])
    iam.tag_role(RoleName=NAME, Tags=[{"Key": "by", "Value": "hand"}])
    mended = run_module("iam_roles", params(), aws)
    assert actions(mended) == [
        ("update", "iam_role", NAME),
        ("delete", "iam_role_policy", f"{NAME}/by-hand"),
        ("delete", "iam_role_policy_attachment", f"{NAME}/{LOGS}"),
    ]
    assert iam.list_role_policies(RoleName=NAME)["PolicyNames"] == ["artifacts"]
    assert {tag["Key"]: tag["Value"] for tag in iam.get_role(RoleName=NAME)["Role"]["Tags"]} == OWNER
    assert not run_module("iam_roles", params(), aws)["changed"]


def test_removes_roles_with_all_inside(aws: EmbeddedAWS) -> None:
    run_module("iam_roles", params(), aws)
    iam = aws.client("iam")
    iam.create_instance_profile(InstanceProfileName="by-hand")
    iam.add_role_to_instance_profile(InstanceProfileName="by-hand", RoleName=NAME)
    absent = {"roles": [{"name": NAME}], "tags": OWNER, "state": "absent"}
    plan = run_module("iam_roles", absent, aws, check=True)
    gone = run_module("iam_roles", absent, aws)
    assert gone["changes"] == plan["changes"]
    assert sorted(actions(gone)) == [
        ("delete", "iam_role", NAME),
        ("delete", "iam_role_policy", f"{NAME}/artifacts"),
        ("delete", "iam_role_policy_attachment", f"{NAME}/{EXECUTION}"),
    ]
    assert iam.list_roles()["Roles"] == []
    mark = aws.mark()
    assert not run_module("iam_roles", absent, aws)["changed"]
    assert aws.mutating(mark) == []


def test_leaves_a_role_of_somebody_else(aws: EmbeddedAWS) -> None:
    aws.client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument="{}")
    mark = aws.mark()
    with pytest.raises(ModuleFailed, match=f"iam_role {NAME}: it exists already and is not of this stack"):
        run_module("iam_roles", params(), aws)
    assert not run_module("iam_roles", {**params(), "state": "absent"}, aws)["changed"]
    assert aws.mutating(mark) == []


def test_a_role_needs_a_trust_policy(aws: EmbeddedAWS) -> None:
    with pytest.raises(ModuleFailed, match="assume_role_policy is required"):
        run_module("iam_roles", {"roles": [{"name": NAME}]}, aws)

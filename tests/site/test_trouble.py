# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs against an AWS in trouble: they end green, and what exists then is what undisturbed runs make."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from account import Account, Listing, listing
from embedded_aws.client import EmbeddedAWS, Snapshot
from stack import Inputs, Run, Stack, prerequisites

Trouble = t.Callable[[EmbeddedAWS], None]
PLAYBOOKS = ("site", "site", "destroy")


def faults(*rules: dict[str, t.Any]) -> Trouble:
    return lambda aws: aws.faults(*({**rule, "seed": n} for n, rule in enumerate(rules)))


TROUBLES: dict[str, Trouble] = {
    "internal errors": faults({"error": "internal", "probability": 0.05}, {"error": "internal", "late": True, "probability": 0.05}),
    "answers lost": faults({"drop": "after", "probability": 0.1}),
    "late to know": lambda aws: aws.consistency(3),
    "late to show": lambda aws: aws.stale(3),
}
"""By what one calls it, what brings it about."""
AT_ONCE = {"late to show": ("site site", "destroy"), "very late to show": ("site", "site destroy")}
"""Where it matters how soon after another a playbook begins: what is run as one command."""
MORE_TROUBLES: dict[str, Trouble] = {
    "throttled": faults({"error": "throttled", "probability": 0.3}),
    "requests lost": faults({"drop": "before", "probability": 0.1}),
    "answers of 20 seconds": faults({"latency_ms": 20_000, "probability": 0.03}),
    "very late to know": lambda aws: aws.consistency(10),
    "very late to show": lambda aws: aws.stale(10),
}


class Undisturbed(t.NamedTuple):
    """What runs do and leave behind without trouble, and copies of the account from before them."""

    inputs: Inputs
    known: Listing
    copies: list[Snapshot]
    ends: list[Account]
    calls: list[int]
    errors: int


def failed(calls: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    return [call for call in calls if call["error"]]


def play(stack: Stack, playbooks: str) -> Run:
    return stack.run(playbooks, "-e", f"mlflow_confirm_destroy={stack.inputs['mlflow_unique_name']}")


@pytest.fixture(scope="module")
def undisturbed(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    known = listing(aws_server)
    aws_server.take_snapshots()
    for _copy in [*TROUBLES, *MORE_TROUBLES]:
        aws_server.client("ec2").create_tags(Resources=[stack.inputs["mlflow_vpc_id"]], Tags=[{"Key": "of", "Value": "all"}])
    copies, ends, calls, errors = aws_server.snapshots(), [], [], 0
    for playbook in PLAYBOOKS:
        run = play(stack, playbook)
        assert run.status == 0, run.messages or run.text
        ends.append(Account(aws_server, known))
        calls.append(len(run.calls))
        errors += len(failed(run.calls))
    yield Undisturbed(stack.inputs, known, copies, ends, calls, errors)


@pytest.mark.parametrize("name", [*TROUBLES, *(pytest.param(name, marks=pytest.mark.faults) for name in MORE_TROUBLES)])
def test_runs_end_green_and_where_undisturbed_ones_do(undisturbed: Undisturbed, name: str, tmp_path: Path) -> None:
    """Calls stay below twice those of the undisturbed runs and those that failed: no storm."""
    with undisturbed.copies.pop() as aws:
        stack, done, played = Stack(aws, tmp_path, undisturbed.inputs), [], 0
        for playbooks in AT_ONCE.get(name, PLAYBOOKS):
            begin, played = played, played + len(playbooks.split())
            (TROUBLES | MORE_TROUBLES)[name](aws)
            run = play(stack, playbooks)
            aws.faults()
            aws.consistency(0)
            aws.stale(0)
            assert run.status == 0, run.messages or run.text
            assert len(run.calls) <= 2 * sum(undisturbed.calls[begin:played]) + len(failed(run.calls))
            assert Account(aws, undisturbed.known).differences(undisturbed.ends[played - 1]) == []
            done += run.calls
        slow = [call for call in done if call["milliseconds"] > 10_000]
        behind = [call for call in done if call["behind"]]
        assert len(failed(done)) > undisturbed.errors or slow or behind  # it was in trouble

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
from stack import Run, Stack, prerequisites

PLAYBOOKS = ("site", "site plan", "destroy")
SLACK = 5
"""Seconds by which a run may be slower where the machine is busier than it was during the undisturbed runs."""


class Trouble(t.NamedTuple):
    """What brings it about, and the seconds by which AWS is late to know what it has made."""

    begin: t.Callable[[EmbeddedAWS], None]
    late: float = 0


def faults(*rules: dict[str, t.Any]) -> Trouble:
    return Trouble(lambda aws: aws.faults(*({**rule, "seed": n} for n, rule in enumerate(rules))))


def late_to_know(seconds: float) -> Trouble:
    return Trouble(lambda aws: aws.consistency(seconds), seconds)


TROUBLES: dict[str, Trouble] = {
    "internal errors": faults({"error": "internal", "probability": 0.05}, {"error": "internal", "late": True, "probability": 0.05}),
    "answers lost": faults({"drop": "after", "probability": 0.1}),
    "late to know": late_to_know(3),
    "throttled": faults({"error": "throttled", "probability": 0.3}),
}
MORE_TROUBLES: dict[str, Trouble] = {
    "requests lost": faults({"drop": "before", "probability": 0.1}),
    "answers of 20 seconds": faults({"latency_ms": 20_000, "probability": 0.03}),
    "very late to know": late_to_know(10),
}


class Undisturbed(t.NamedTuple):
    """What runs do and leave behind without trouble, and copies of the account from before them."""

    stack: Stack
    known: Listing
    copies: list[Snapshot]
    ends: list[Account]
    calls: list[int]
    seconds: list[float]
    errors: int


def failed(calls: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    return [call for call in calls if call["error"]]


def delays(calls: list[dict[str, t.Any]], late: float) -> float:
    """The seconds in which AWS was late: to answer by more than 10 seconds, or for C(late) seconds to know what it had made.

    Delays at the same time count once, and what it was late to know only where it refused a change meanwhile.
    """
    spans = [(call["time"], call["time"] + call["milliseconds"] / 1000) for call in calls if call["milliseconds"] > 10_000]
    refused = [call["time"] for call in calls if call["mutating"] and call["error"]]
    made = [call["time"] + call["milliseconds"] / 1000 for call in calls if call["mutating"] and not call["error"]]
    spans += [(since, since + late) for since in made if any(since < time < since + late for time in refused)]
    total, until = 0.0, 0.0
    for start, end in sorted(spans):
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total


def too_long(took: list[float], undisturbed: list[float]) -> bool:
    return any(seconds > 3 * without + SLACK for seconds, without in zip(took, undisturbed, strict=True))


def play(stack: Stack, playbook: str) -> Run:
    return stack.destroy() if playbook == "destroy" else stack.run(playbook)


@pytest.fixture(scope="module")
def undisturbed(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    known = listing(aws_server)
    aws_server.take_snapshots()
    for _copy in [*TROUBLES, *MORE_TROUBLES]:
        aws_server.client("ec2").create_tags(Resources=[stack.inputs["mlflow_vpc_id"]], Tags=[{"Key": "of", "Value": "all"}])
    copies, ends, calls, seconds, errors = aws_server.snapshots(), [], [], [], 0
    for playbook in PLAYBOOKS:
        run = play(stack, playbook)
        assert run.status == 0, run.messages or run.text
        ends.append(Account(aws_server, known))
        calls.append(len(run.calls))
        seconds.append(run.seconds)
        errors += len(failed(run.calls))
    yield Undisturbed(stack, known, copies, ends, calls, seconds, errors)


@pytest.mark.parametrize("name", [*TROUBLES, *(pytest.param(name, marks=pytest.mark.faults) for name in MORE_TROUBLES)])
def test_runs_end_green_and_where_undisturbed_ones_do(undisturbed: Undisturbed, name: str, tmp_path: Path) -> None:
    """Calls stay below twice those of the undisturbed runs and those that failed: no storm. So do seconds below three times theirs
    and the delays themselves.
    """
    with undisturbed.copies.pop() as aws:
        stack, done, took = Stack(aws, tmp_path, undisturbed.stack.inputs), [], []
        trouble = (TROUBLES | MORE_TROUBLES)[name]
        for playbook, end, calls in zip(PLAYBOOKS, undisturbed.ends, undisturbed.calls, strict=True):
            trouble.begin(aws)
            run = play(stack, playbook)
            aws.faults()
            aws.consistency(0)
            assert run.status == 0, run.messages or run.text
            assert len(run.calls) <= 2 * calls + len(failed(run.calls))
            assert Account(aws, undisturbed.known).differences(end) == []
            assert run.changes == [] or playbook != "site plan"  # nothing was left to do
            done += run.calls
            took.append(run.seconds - delays(run.calls, trouble.late))
        slow = [call for call in done if call["milliseconds"] > 10_000]
        assert len(failed(done)) > undisturbed.errors or slow  # it was in trouble
    if too_long(took, undisturbed.seconds):  # or the machine is busier now: what do undisturbed runs take?
        again = [play(undisturbed.stack, playbook).seconds for playbook in PLAYBOOKS]
        assert not too_long(took, again), (took, undisturbed.seconds, again)

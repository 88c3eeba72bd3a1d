# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs against an AWS in trouble: they end green, and what exists then is what undisturbed runs make."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import CONSISTENCY_WINDOW
from embedded_aws.client import EmbeddedAWS, Snapshot
from support.account import Account, Listing, listing
from support.stack import Run, Stack, prerequisites

COMMANDS = ("site", "site plan", "destroy")
SLACK = 5
"""Seconds by which a run may be slower where the machine is busier than it was during the undisturbed runs."""


class Trouble(t.NamedTuple):
    """What brings it about, the seconds by which AWS is late to know what it has made, those for which a command waits at most where AWS
    may show what was before, and the commands.
    """

    begin: t.Callable[[EmbeddedAWS], None]
    late: float = 0
    shown: float = 0
    commands: tuple[str, ...] = COMMANDS


def faults(*rules: dict[str, t.Any]) -> Trouble:
    return Trouble(lambda aws: aws.faults(*({**rule, "seed": n} for n, rule in enumerate(rules))))


def late_to_know(seconds: float) -> Trouble:
    return Trouble(lambda aws: aws.consistency(seconds), seconds)


def late_to_show(seconds: float, *commands: str) -> Trouble:
    """It matters how soon after another a playbook begins."""
    return Trouble(lambda aws: aws.stale(seconds), shown=CONSISTENCY_WINDOW + seconds, commands=commands)


TROUBLES: dict[str, Trouble] = {
    "internal errors": faults({"error": "internal", "probability": 0.05}, {"error": "internal", "late": True, "probability": 0.05}),
    "late to know": late_to_know(3),
    "late to show": late_to_show(3, "site site plan", "destroy"),
    "throttled": faults({"error": "throttled", "probability": 0.3}),
}
MORE_TROUBLES: dict[str, Trouble] = {
    "answers lost": faults({"drop": "after", "probability": 0.1}),
    "requests lost": faults({"drop": "before", "probability": 0.1}),
    "answers of 20 seconds": faults({"latency_ms": 20_000, "probability": 0.03}),
    "very late to know": late_to_know(10),
    "very late to show": late_to_show(10, "site", "site plan destroy"),
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


def delays(calls: list[dict[str, t.Any]], trouble: Trouble) -> float:
    """The seconds in which AWS was late: to answer by more than 10 seconds, or to know, or show, what it had made.

    Delays at the same time count once, and what it was late to know only where it refused a change meanwhile.
    """
    spans = [(call["time"], call["time"] + call["milliseconds"] / 1000) for call in calls if call["milliseconds"] > 10_000]
    refused = [call["time"] for call in calls if call["mutating"] and call["error"]]
    made = [call["time"] + call["milliseconds"] / 1000 for call in calls if call["mutating"] and not call["error"]]
    spans += [(since, since + trouble.late) for since in made if any(since < time < since + trouble.late for time in refused)]
    total, until = trouble.shown, 0.0
    for start, end in sorted(spans):
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total


def too_long(seconds: float, undisturbed: float) -> bool:
    return seconds > 3 * undisturbed + SLACK


def play(stack: Stack, playbooks: str) -> Run:
    return stack.run(playbooks, "-e", f"mlflow_confirm_destroy={stack.inputs['mlflow_unique_name']}")


@pytest.fixture(scope="module")
def undisturbed(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    known = listing(aws_server)
    copies, ends, calls, seconds, errors = [aws_server.copy() for _trouble in TROUBLES | MORE_TROUBLES], [], [], [], 0
    for playbook in " ".join(COMMANDS).split():
        run = play(stack, playbook)
        assert run.status == 0, run.messages or run.text
        ends.append(Account(aws_server, known))
        calls.append(len(run.calls))
        seconds.append(run.seconds)
        errors += len(failed(run.calls))
    yield Undisturbed(stack, known, copies, ends, calls, seconds, errors)
    for copy in copies:
        copy.stop()


@pytest.mark.parametrize("name", [*TROUBLES, *(pytest.param(name, marks=pytest.mark.faults) for name in MORE_TROUBLES)])
def test_runs_end_green_and_where_undisturbed_ones_do(undisturbed: Undisturbed, name: str, tmp_path: Path) -> None:
    """Calls stay below twice those of the undisturbed runs and those that failed: no storm. So do seconds below three times theirs
    and the delays themselves.
    """
    with undisturbed.copies.pop() as aws:
        stack, done, played = Stack(aws, tmp_path, undisturbed.stack.inputs), [], 0
        trouble = (TROUBLES | MORE_TROUBLES)[name]
        took: dict[str, tuple[float, float]] = {}
        for command in trouble.commands:
            part = slice(played, played + len(command.split()))
            played = part.stop
            trouble.begin(aws)
            run = play(stack, command)
            aws.faults()
            aws.consistency(0)
            aws.stale(0)
            assert run.status == 0, run.messages or run.text
            assert len(run.calls) <= 2 * sum(undisturbed.calls[part]) + len(failed(run.calls))
            assert Account(aws, undisturbed.known).differences(undisturbed.ends[played - 1]) == []
            assert run.changes == [] or command != "site plan"  # nothing was left to do
            done += run.calls
            took[command] = (run.seconds - delays(run.calls, trouble), sum(undisturbed.seconds[part]))
        slow = [call for call in done if call["milliseconds"] > 10_000]
        behind = [call for call in done if call["behind"]]
        assert len(failed(done)) > undisturbed.errors or slow or behind  # it was in trouble
    if any(too_long(*each) for each in took.values()):  # or the machine is busier now: what do undisturbed runs take?
        again = {command: play(undisturbed.stack, command).seconds for command in COMMANDS}
        assert not any(too_long(seconds, again.get(command, without)) for command, (seconds, without) in took.items()), (took, again)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the figures say: medians, ratios, and the tables of them. Pure functions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FIGURES = ("wall", "cpu", "memory", "calls")
STEPS = {
    "deploy": "first deployment",
    "again": "deploy again, nothing to do",
    "plan": "plan, nothing to do",
    "plan_empty": "plan on an empty account",
    "destroy": "destroy",
    "ten_again": "ten stacks: deploy again, nothing to do",
    "ten_plan": "ten stacks: plan, nothing to do",
}
"""The rows of the table, in order."""

Figures = dict[str, float]
Row = dict[str, Any]
"""A row of the table: ``step``, ``latency`` in ms, and the Figures of ``ours`` and ``terraform`` (None: not here)."""


def medians(samples: Sequence[Any]) -> Figures:
    """The median of each figure of several runs."""
    return {figure: statistics.median(getattr(sample, figure) for sample in samples) for figure in FIGURES}


def ratio(row: Row, figure: str) -> float | None:
    """Ours as a share of Terraform's; None where there is nothing to compare with."""
    return row["ours"][figure] / row["terraform"][figure] if row["terraform"] else None


def markdown(results: dict[str, Any]) -> str:
    """The table, with the conditions that it was measured under."""
    lines = ["| step | latency | seconds | CPU seconds | memory, MB | API calls |", "|---|---|---|---|---|---|"]
    for row in sorted(results["rows"], key=lambda row: (list(STEPS).index(row["step"]), row["latency"])):
        cells = [_cell(row, figure) for figure in FIGURES]
        lines.append(f"| {STEPS[row['step']]} | {row['latency']} ms | {' | '.join(cells)} |")
    lines += ["", _legend(results)]
    if results["waits"]:
        lines += ["", _waits(results)]
    return "\n".join([*lines, "", conditions(results["conditions"])])


def _cell(row: Row, figure: str) -> str:
    ours = number(row["ours"][figure], figure)
    if (part := ratio(row, figure)) is None:
        return ours
    both = f"{ours} : {number(row['terraform'][figure], figure)}"
    return both if figure == "calls" else f"{both} = **{share(part)}**"


def number(value: float, figure: str) -> str:
    return f"{value:.0f}" if figure in ("memory", "calls") or value >= 99.5 else f"{value:.1f}"


def share(value: float) -> str:
    """A ratio with two decimals, rounded up, so that it never looks better than it is."""
    return f"{math.ceil(round(value * 100, 6)) / 100:.2f}"


def _legend(results: dict[str, Any]) -> str:
    measured = {row["step"] for row in results["rows"]}
    missing = [name for step, name in STEPS.items() if step not in measured] + ([] if results["waits"] else ["creation times"])
    compared = "This collection : Terraform = ratio. " if any(row["terraform"] for row in results["rows"]) else ""
    return f"{compared}The latency is added to every API call; memory is the highest sum of the PSS of all processes." + (
        f" Not measured this time: {', '.join(missing)}." if missing else ""
    )


def _waits(results: dict[str, Any]) -> str:
    ours, theirs = results["waits"]["ours"], results["waits"]["terraform"]
    created = ", ".join(f"{kind} {seconds} s" for kind, seconds in results["waits"]["creation_seconds"].items())
    return (
        f"With creation times as long as in AWS, shortened ({created}), a first deployment takes {ours['wall']:.1f} s"
        f"{', Terraform ' + format(theirs['wall'], '.1f') + ' s' if theirs else ''}."
    )


def conditions(of: dict[str, Any]) -> str:
    """What the figures were measured under, as a sentence."""
    return (
        f"Measured on {of['date']}, medians of {of['repetitions']}, in turn, on {of['cores']} cores ({of['processor']}), "
        f"{of['memory_gb']} GB, {of['system']}; load average at the start {of['load']}; {', '.join(of['versions'])}; "
        f"commit {of['commit']}."
    )


def many(results: dict[str, Any]) -> str:
    """The table of docs/many-stacks.md, with the conditions that it was measured under."""
    lines = [
        "| stacks | step | runs | seconds | per stack | CPU s per stack | peak memory, MB | per stack | calls per stack | with rate limits |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        n, figures, limited = row["stacks"], row["ours"], row["limited"]
        cells = (
            n,
            STEPS[row["step"]],
            row["runs"],
            f"{figures['wall']:.1f}",
            f"{figures['wall'] / n:.2f}",
            f"{figures['cpu'] / n:.2f}",
            f"{figures['memory']:.0f}",
            f"{figures['memory'] / n:.1f}",
            f"{figures['calls'] / n:.0f}",
            f"{limited['wall']:.1f} s, {limited['calls'] / n:.0f} calls",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, "", conditions(results["conditions"])])


def between(text: str, name: str, content: str) -> str:
    """A document with what stands between its markers of that name replaced."""
    begin, end = f"<!-- {name}: written by scripts/bench.py -->", f"<!-- end of {name} -->"
    head, tail = text.index(begin) + len(begin), text.index(end)
    return f"{text[:head]}\n{content}\n{text[tail:]}"


def row(step: str, latency: int, samples: Mapping[str, Iterable[Any]], **more: Any) -> Row:
    """A row of the samples of each peer, by name."""
    figures = {name: medians(list(taken)) for name, taken in samples.items()}
    return {"step": step, "latency": latency, **more, "ours": figures["ours"], "terraform": figures.get("Terraform")}

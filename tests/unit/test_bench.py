# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make bench` makes of its measurements, and that what it published is up to date."""

from __future__ import annotations

import json
import os
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from speed import chart, limits, measure, report
from speed.peers import Sample

ROOT = Path(__file__).parents[2]
CONDITIONS = {
    "date": "2026-11-25",
    "repetitions": 3,
    "cores": 2,
    "processor": "Abacus",
    "memory_gb": 25,
    "system": "Linux 6",
    "load": 0.1,
    "versions": ["Python 3.13.0"],
    "commit": "abc",
}


def sample(wall: float, cpu: float = 1, memory: float = 100, calls: int = 90) -> Sample:
    return Sample(wall, cpu, memory, calls, {})


def results(*rows: report.Row, waits: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"conditions": CONDITIONS, "rows": list(rows), "waits": waits}


def again(ours: Sample, theirs: Sample | None = None) -> report.Row:
    return report.row("again", 0, {"ours": [ours], **({"Terraform": [theirs]} if theirs else {})})


def test_a_row_has_the_median_of_each_figure() -> None:
    taken = [sample(3, cpu=1, memory=10), sample(1, cpu=9, memory=30), sample(2, cpu=2, memory=20)]
    row = report.row("again", 100, {"ours": taken, "Terraform": taken[:2]}, stacks=5)
    assert row == {
        "step": "again",
        "latency": 100,
        "stacks": 5,
        "ours": {"wall": 2, "cpu": 2, "memory": 20, "calls": 90},
        "terraform": {"wall": 2, "cpu": 5, "memory": 20, "calls": 90},
    }


def test_a_ratio_is_rounded_up() -> None:
    assert (report.share(0.3), report.share(0.301), report.share(0.1 + 0.2)) == ("0.30", "0.31", "0.30")


def test_the_table_has_the_figures_of_both_and_the_conditions() -> None:
    row = again(sample(3, cpu=2), sample(123.4, cpu=10, memory=800))
    text = report.markdown(results(row))
    cells = "| 3.0 : 123 = **0.03** | 2.0 : 10.0 = **0.20** | 100 : 800 = **0.13** | 90 : 90 |"
    assert f"| deploy again, nothing to do | 0 ms {cells}" in text
    assert "Measured on 2026-11-25, medians of 3, in turn, on 2 cores (Abacus), 25 GB, Linux 6; load average at the start 0.1" in text


def test_what_was_not_measured_is_said() -> None:
    assert " Not measured this time: first deployment, plan, nothing to do, " in report.markdown(results(again(sample(3))))
    rows = [report.row(step, latency, {"ours": [sample(1)]}) for latency in (0, 100) for step in report.STEPS]
    waits = {"creation_seconds": {"rds": 40}, "ours": {"wall": 41}, "terraform": None}
    assert "Not measured" not in report.markdown(results(*rows, waits=waits))


def test_without_terraform_the_table_has_ours_alone() -> None:
    text = report.markdown(results(again(sample(3))))
    assert "| deploy again, nothing to do | 0 ms | 3.0 | 1.0 | 100 | 90 |" in text
    assert "= ratio" not in text


@pytest.mark.parametrize(("theirs", "told"), [(None, "takes 53.1 s."), ({"wall": 90}, "takes 53.1 s, Terraform 90.0 s.")])
def test_a_deployment_with_creation_times_is_told_in_a_sentence(theirs: dict[str, Any] | None, told: str) -> None:
    waits = {"creation_seconds": {"rds": 40}, "ours": {"wall": 53.1}, "terraform": theirs}
    assert f"(rds 40 s), a first deployment {told}" in report.markdown(results(again(sample(3)), waits=waits))


def test_rows_come_in_order() -> None:
    rows = [report.row(step, latency, {"ours": [sample(1)]}) for latency in (100, 0) for step in reversed(report.STEPS)]
    lines = report.markdown(results(*rows)).splitlines()[2:][: len(rows)]
    assert [tuple(line.split(" | ")[:2]) for line in lines] == [(f"| {label}", f"{latency} ms") for label in report.STEPS.values() for latency in (0, 100)]


def test_the_picture_is_drawn_to_scale() -> None:
    rows = again(sample(5), sample(10)), report.row("plan", 0, {"ours": [sample(20)], "Terraform": [sample(10)]})
    picture = ET.fromstring(chart.svg(results(*rows)))
    bars = [(each.get("class"), float(each.get("width", 0))) for each in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert bars == [("theirs", 210), ("ours", 105), ("theirs", 210), ("ours", 420)]  # the longest has the whole width
    ends = [tick.get("d", "")[1:6] for tick in picture.iter("{http://www.w3.org/2000/svg}path")]
    assert ends == ["550.0", "550.0"]  # 340 + Terraform's 210


def test_the_limits_say_how_many_stacks_a_minute_aws_takes() -> None:
    calls = {"route53:GetHostedZone": 2, "route53:ListResourceRecordSets": 2, "apigatewayv2:CreateDomainName": 1, "iam:GetRole": 9}
    rows = limits.table({"a": calls | {"apigatewayv2:GetApi": 1}, "b": {"route53:GetHostedZone": 1}}).splitlines()[2:]
    assert [row.partition(") ")[2] for row in rows] == [
        "| CreateDomainName | 1 in 30 s | 1: 2 |  |",
        "| all | 5 a second | 4: 75 | 1: 300 |",
        "| all | 10 a second, 40 at once | 2: 300 |  |",
    ]
    assert len(limits.table({"a": calls}).splitlines()) == 4  # API Gateway's 10 a second for one call are far away
    for rule in limits.faults():
        assert rule["rate"] > 0 and rule["error"]["code"] in ("ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "Throttling")


def test_many_stacks_are_shown_by_stack() -> None:
    limited = sample(31, calls=1000)._asdict()
    row = report.row("again", 100, {"ours": [sample(20, cpu=15, memory=250, calls=900)]}, stacks=10, runs=3, limited=limited)
    line = "| 10 | deploy again, nothing to do | 3 | 20.0 | 2.00 | 1.50 | 250 | 25.0 | 90 | 31.0 s, 100 calls |"
    assert line in report.many(results(row))


def test_a_command_costs_what_all_its_processes_take(tmp_path: Path) -> None:
    """One of them is left behind by its parent, as an orphan."""
    work = "import time\nmemory = bytearray(60_000_000)\nwhile time.process_time() < {}: pass"
    script = f"""{sys.executable} -c '{work.format(0.5)}' & {sys.executable} -c '{work.format(1)}'; exit 3"""
    cost = measure.measure(["sh", "-c", script], tmp_path, os.environ, tmp_path / "log")
    assert cost.status == 3
    assert 1.5 <= cost.cpu < 2.5
    assert cost.wall >= 1
    assert 100 < cost.memory < 200


def test_the_tree_of_a_process_is_found_at_any_depth() -> None:
    assert sorted(measure.tree(1, {2: 1, 3: 2, 4: 3, 5: 9, 6: 1, 1: 0})) == [2, 3, 4, 6]


def test_what_is_published_is_what_was_measured() -> None:
    published, many = ROOT / "benchmarks" / "results.json", ROOT / "benchmarks" / "many-stacks.json"
    if published.exists():
        measured = json.loads(published.read_text(encoding="utf-8"))
        assert report.markdown(measured) in (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
        assert chart.svg(measured) == (ROOT / "docs" / "benchmark.svg").read_text(encoding="utf-8")
    if many.exists():
        measured = json.loads(many.read_text(encoding="utf-8"))
        page = (ROOT / "docs" / "many-stacks.md").read_text(encoding="utf-8")
        assert report.many(measured) in page and limits.table(measured["operations"]) in page


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    text = "a\n<!-- x: written by scripts/bench.py -->\nold\n<!-- end of x -->\nb"
    assert report.between(text, "x", "new") == text.replace("old", "new")
    with pytest.raises(ValueError):
        report.between("no markers", "x", "new")

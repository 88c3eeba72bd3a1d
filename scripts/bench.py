# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what a deployment takes, side by side with Terraform where that is here, and writes down what came out.

The figures go to benchmarks/results.json, and from there to the table in docs/performance.md and the picture
docs/benchmark.svg; those of --stacks to benchmarks/many-stacks.json and docs/many-stacks.md. What is not the whole measurement (--quick, fewer than 3
repetitions, no Terraform) is only shown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import sysconfig
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".cache" / "bench"
RESULTS = ROOT / "benchmarks" / "results.json"
MANY_RESULTS = ROOT / "benchmarks" / "many-stacks.json"
TABLE, PICTURE, MANY = ROOT / "docs" / "performance.md", ROOT / "docs" / "benchmark.svg", ROOT / "docs" / "many-stacks.md"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from speed import chart, limits, report  # noqa: E402
from speed.peers import Ours, Peer, Sample, Terraform, Unavailable, terraform  # noqa: E402

LATENCIES = (0, 100)
ENOUGH = 3
FEW = 10
"""More stacks than these take minutes, over which a machine is as busy as it is on average: each step is run once."""
BUSY = 0.5
"""The load average above which seconds mean little."""
CREATION_SECONDS = {"rds": 40, "elb": 25, "vpclink": 30}
# The steps of one stack's life in order: its name, what is run, and whether nothing may change.
LIFE = (("plan_empty", "plan", False), ("deploy", "deploy", False), ("again", "again", True), ("plan", "plan", True), ("destroy", "destroy", False))
TEN = (("ten_again", "again", True), ("ten_plan", "plan", True))

Taken = dict[tuple[str, int], dict[str, list[Sample]]]
"""The samples of each step at each latency, by peer."""


def run(peer: Peer, step: str, what: str, idle: bool, latency: int) -> Sample:
    peer.aws.latency(latency)
    sample = peer.run(step, idle)
    print(
        f"  {time.strftime('%H:%M:%S')} {what}, {latency} ms, {peer.name}: {sample.wall:.1f} s, CPU {sample.cpu:.1f} s, "
        f"{sample.memory:.0f} MB, {sample.calls} calls",
        flush=True,
    )
    return sample


def measure_life(peers: list[Peer], repetitions: int, latencies: tuple[int, ...], taken: Taken) -> None:
    """One stack from a plan on an empty account to its end, the peers in turn at each step."""
    for latency in latencies:
        for _repetition in range(repetitions):
            for peer in peers:
                peer.start(1)
            for what, step, idle in LIFE:
                for peer in peers:
                    taken[what, latency][peer.name].append(run(peer, step, what, idle, latency))


def measure_ten(peers: list[Peer], repetitions: int, latencies: tuple[int, ...], taken: Taken) -> None:
    for peer in peers:
        peer.start(10)
        run(peer, "deploy", "first deployment of ten", False, 0)
    for latency in latencies:
        for _repetition in range(repetitions):
            for what, step, idle in TEN:
                for peer in peers:
                    taken[what, latency][peer.name].append(run(peer, step, what, idle, latency))


def measure_waits(peers: list[Peer], repetitions: int) -> dict[str, Any]:
    """A first deployment where creation takes as long as CREATION_SECONDS says."""
    taken: dict[str, list[Sample]] = defaultdict(list)
    for _repetition in range(repetitions):
        for peer in peers:
            peer.start(1)
            peer.aws.creation_seconds(**CREATION_SECONDS)
            taken[peer.name].append(run(peer, "deploy", "deploy with creation times", False, 0))
    row = report.row("deploy", 0, taken)
    return {"creation_seconds": CREATION_SECONDS, "ours": row["ours"], "terraform": row["terraform"]}


def measure_many(counts: list[int], repetitions: int) -> dict[str, Any]:
    """More and more stacks in one run; once more each step with AWS's documented limits on the rate of calls in force."""
    ours, latency, rows = Ours(WORK / "ours"), LATENCIES[-1], []
    ours.start(1)
    operations = {what: ours.run(step).operations for what, step in (("first deployment", "deploy"), ("nothing to do", "again"))}
    ours.start(counts[0])
    for stacks in counts:
        ours.grow(stacks)
        run(ours, "deploy", f"deploy up to {stacks}", False, 0)
        for step in ("again", "plan"):
            what = f"{stacks} stacks: {step}"
            times = repetitions if stacks <= FEW else 1
            samples = [run(ours, step, what, True, latency) for _repetition in range(times)]
            ours.aws.faults(*limits.faults())
            limited = run(ours, step, f"{what}, with AWS's rate limits", True, latency)
            ours.aws.faults()
            rows.append(report.row(step, latency, {ours.name: samples}, stacks=stacks, runs=times, limited={f: getattr(limited, f) for f in report.FIGURES}))
    return {"rows": rows, "operations": operations}


def conditions(repetitions: int, load: float, peer: Terraform | None) -> dict[str, Any]:
    processor = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), platform.machine())
    amazon = Path(sysconfig.get_path("purelib"), "ansible_collections", "amazon", "aws", "MANIFEST.json")
    versions = [
        f"Python {platform.python_version()}",
        f"ansible-core {version('ansible-core')}",
        f"amazon.aws {json.loads(amazon.read_text())['collection_info']['version']}",
        f"boto3 {version('boto3')}",
        f"moto {version('moto')}",
        *([peer.versions()] if peer else []),
    ]
    git = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "repetitions": repetitions,
        "cores": len(os.sched_getaffinity(0)),
        "processor": processor,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(load, 2),
        "versions": versions,
        "commit": subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "unknown",
    }


def write(path: Path, name: str, content: str) -> None:
    path.write_text(report.between(path.read_text(encoding="utf-8"), name, content), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one stack, once, without latency")
    parser.add_argument("--one-stack", action="store_true", help="without ten stacks and without creation times: half the time")
    parser.add_argument("--repetitions", type=int, default=ENOUGH, metavar="N", help=f"how often each step is run ({ENOUGH})")
    parser.add_argument("--stacks", metavar="N,N,...", help="instead, this collection alone with so many stacks in one run")
    options = parser.parse_args()
    repetitions = 1 if options.quick else options.repetitions
    load, start = os.getloadavg()[0], time.monotonic()
    if load > BUSY:
        print(f"This machine is busy (load average {load:.1f}): do not trust the seconds.")
    if options.stacks:
        counts = sorted(int(n) for n in options.stacks.split(","))
        results = {"conditions": conditions(repetitions, load, None), **measure_many(counts, repetitions)}
        print("", report.many(results), "", limits.table(results["operations"]), sep="\n")
        complete = repetitions >= ENOUGH
    else:
        peers: list[Peer] = [Ours(WORK / "ours")]
        peer = None
        try:
            peers.append(peer := terraform(WORK / "terraform"))
        except Unavailable as reason:
            print(f"This collection alone: {reason}.")
        for each in peers:
            each.start(1)
            each.run("plan")  # once before what counts, so that everything is compiled and in the cache of files
        latencies = LATENCIES[:1] if options.quick else LATENCIES
        taken: Taken = defaultdict(lambda: defaultdict(list))
        measure_life(peers, repetitions, latencies, taken)
        whole = not options.quick and not options.one_stack
        if whole:
            measure_ten(peers, repetitions, latencies, taken)
        results = {
            "conditions": conditions(repetitions, load, peer),
            "rows": [report.row(step, latency, samples) for (step, latency), samples in taken.items()],
            "waits": measure_waits(peers, repetitions) if whole else None,
        }
        print("", report.markdown(results), sep="\n")
        complete = bool(peer and not options.quick and repetitions >= ENOUGH)
    print(f"\nThat took {(time.monotonic() - start) / 60:.0f} minutes.")
    if complete:
        path = MANY_RESULTS if options.stacks else RESULTS
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        publish()
    return 0


def publish() -> None:
    """Bring the documents up to date with the results that are written down."""
    if RESULTS.exists():
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
        write(TABLE, "speed", f"![Time of each step, as a share of Terraform's](benchmark.svg)\n\n{report.markdown(results)}")
        PICTURE.write_text(chart.svg(results), encoding="utf-8")
    if MANY_RESULTS.exists():
        results = json.loads(MANY_RESULTS.read_text(encoding="utf-8"))
        write(MANY, "figures", report.many(results))
        write(MANY, "limits", limits.table(results["operations"]))


if __name__ == "__main__":
    sys.exit(main())

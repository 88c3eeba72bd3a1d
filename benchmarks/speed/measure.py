# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command costs, with every process that it starts: wall-clock and CPU seconds, and peak memory. For Linux.

usage: measure.py RESULT COMMAND...

The command runs as a child of this small process, which adopts whatever the command leaves behind, so that the CPU time of
all is counted once it has ended. Memory is the proportional set size (PSS) of all processes together: a page that n of them
share counts once.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

INTERVAL = 0.2
PR_SET_CHILD_SUBREAPER = 36


class Cost(NamedTuple):
    """What one run of a command took."""

    status: int
    wall: float
    """Seconds from its start to its end."""
    cpu: float
    """User and system seconds of all its processes."""
    memory: float
    """The highest sum of the PSS of its processes at one time, in MB."""


def measure(command: list[str], cwd: Path, env: Mapping[str, str], log: Path) -> Cost:
    """Run a command to its end, its output in a file, and say what it cost."""
    result = log.with_suffix(".json")
    with log.open("wb") as output:
        subprocess.run(
            [sys.executable, "-I", __file__, str(result), *command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=True,
        )
    return Cost(**json.loads(result.read_text(encoding="utf-8")))


def tree(root: int, parents: Mapping[int, int]) -> list[int]:
    """The descendants of a process, given the parent of every process."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found, todo = [], [root]
    while todo:
        more = children.get(todo.pop(), [])
        found += more
        todo += more
    return found


def _parents() -> dict[int, int]:
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:
            # pid (name) state parent ..., where the name may hold anything
            parents[int(name)] = int(stat.read().rpartition(b")")[2].split()[1])
    return parents


def _pss(pid: int) -> int:
    """In kB; 0 for a process that has just ended."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:
        for line in rollup:
            if line.startswith(b"Pss:"):
                return int(line.split()[1])
    return 0


def _main(result: str, *command: str) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    peak, start = 0, time.monotonic()
    process = subprocess.Popen(command)
    end = os.pidfd_open(process.pid)
    while not select.select([end], [], [], INTERVAL)[0]:
        peak = max(peak, sum(map(_pss, tree(os.getpid(), _parents()))))
    wall = time.monotonic() - start
    status = process.wait()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = Cost(status, wall, used.ru_utime + used.ru_stime, peak * 1024 / 1e6)
    Path(result).write_text(json.dumps(cost._asdict()), encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])

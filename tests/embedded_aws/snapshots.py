# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the account, as it is or as a call left it, each in a forked process that has an address of its own.

What a client that dies after a call leaves behind is what AWS has then. So one run shows, in one snapshot after each of
its calls, what its death at any moment would leave. Memory is shared until one side changes it. A snapshot stands still,
its clock too, until somebody connects to it.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import stat
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from embedded_aws import timing


@dataclass
class Snapshot:
    """The account after the call ``n``."""

    n: int
    service: str
    operation: str
    endpoint: str
    pid: int


class Snapshots:
    """Takes them on request: one at once, or after every ``every``-th mutating call, from the ``first`` on."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self.taken: list[Snapshot] = []
        self.stop()

    def begin(self, every: int = 1, first: int = 1) -> None:
        """Drop those taken before, and take more from now on."""
        self.drop()
        self._every, self._until_next = every, first

    def stop(self) -> None:
        """Take no more."""
        self._every = self._until_next = 0

    def drop(self) -> None:
        """Take no more, and end those that were taken."""
        self.stop()
        for snapshot in self.taken:
            end(snapshot.pid)
        self.taken = []

    def copy(self, n: int) -> Snapshot:
        """Take one at once, after ``n`` calls, which is not dropped with the others. Needs the lock that keeps other calls from the account."""
        return self._fork(n, "", "")

    def after(self, call: Any) -> None:
        """Take one if it is time. Needs the lock that keeps other calls from the account."""
        if not self._every or not call.mutating or call.status >= 400:
            return
        self._until_next -= 1
        if self._until_next == 0:
            self._until_next = self._every
            self.taken.append(self._fork(call.n, call.service, call.operation))

    def _fork(self, n: int, service: str, operation: str) -> Snapshot:
        fork = Fork(self._live)
        return Snapshot(n, service, operation, fork.endpoint, fork.pid)

    def _live(self, listening: socket.socket) -> None:
        self.stop()
        self.taken = []
        self._serve(listening)


class Fork:
    """A copy of this process that stands still until somebody connects to it, and then serves, as long as this one lives."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        gc.freeze()  # or the collector touches all that is shared, and so copies it
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid:
            listening.close()
            return
        try:
            _leave_sockets(listening.fileno())
            since = time.monotonic()
            while not select.select([listening], [], [], 0.5)[0]:
                if os.getppid() != parent:
                    return
            timing.stood_still(time.monotonic() - since)
            serve(listening)
        except BaseException:  # noqa: BLE001 - nothing of this process may return into the parent's code
            traceback.print_exc()
        finally:
            os._exit(0)


def end(pid: int) -> None:
    """End a fork, if it has not ended."""
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _leave_sockets(kept: int) -> None:
    """Let go of the parent's connections. Their numbers stay in use: objects of threads that ended may close them yet."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):
            if int(name) != kept and stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                os.dup2(nothing, int(name))

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what a person is told while a module waits for AWS: for what, in which state that is, and for how long."""

from __future__ import annotations

import time
import typing as t

QUIET = 14.0
"""Seconds without a word at most. A poll takes a moment too, and 15 are promised."""

show: t.Callable[[str], None] | None = None
"""Shows a line at once. Whoever runs a module in a process that can do that sets it. In a process of its own a module is
silent, because Ansible reads what it writes only when it has ended."""


def duration(seconds: float) -> str:
    """
    >>> duration(75)
    '1 min 15 s'
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Wait:
    """One wait for AWS, from now on."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._started = self._said = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return time.monotonic() - self._started

    def pause(self, seconds: float, state: str) -> None:
        """Sleep until the next poll; say first what is waited for, and its ``state``, where silence would get too long."""
        if show and time.monotonic() + seconds - self._said > QUIET:
            show(f"waiting for {self.what}: {state} ({duration(self.seconds)})")
            self._said = time.monotonic()
        time.sleep(seconds)

    def until(self, moment: float, state: str) -> None:
        """Sleep until a moment, in seconds since the epoch."""
        while (left := moment - time.time()) > 0:
            self.pause(min(left, QUIET), state)

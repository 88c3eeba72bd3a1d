# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long resources take to come into being, so that waiting can be tested."""

from __future__ import annotations

import time

USUAL = {"validation": 72 * 3600.0}
"""What is not at once by itself: after so long ACM gives up on a certificate that was not validated."""
_start_values: dict[str, float] = {}
_seconds: dict[str, float] = {}
_stood_still = 0.0


def configure(seconds: dict[str, float]) -> None:
    """Set the durations, in seconds by kind (rds, elb, vpclink, vpce, delegation, validation), that hold from the start and after a reset."""
    _start_values.update(seconds)
    reset()


def change(seconds: dict[str, float]) -> None:
    """Change durations until the next reset."""
    _seconds.update(seconds)


def reset() -> None:
    _seconds.clear()
    _seconds.update(_start_values)


def stood_still(seconds: float) -> None:
    """Take away time in which nothing was at work."""
    global _stood_still
    _stood_still += seconds


def _now() -> float:
    return time.monotonic() - _stood_still


class Elapsed:
    """The time since an event, such as a creation or a deletion, of one kind of resource."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._since = _now()

    def over(self) -> bool:
        """Whether the duration of this kind of resource has passed."""
        return _now() - self._since >= _seconds.get(self._kind, USUAL.get(self._kind, 0))

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A value fetched from elsewhere and kept for a while, for as long as the execution environment lives."""

from __future__ import annotations

import logging
import threading
import time
from typing import Callable, Generic, TypeVar

from denied import Unavailable

logger = logging.getLogger("authorizer")
T = TypeVar("T")


class Refreshed(Generic[T]):
    """The result of `fetch`, fetched when first needed and again when it is older than `ttl` seconds.

    A failing fetch leaves the last good value in use until that is `max_age` seconds old. Fetches start at
    least `retry_after` seconds apart whatever the requests ask for, so that nobody can turn requests into
    load on AWS, and an outage does not cost every request a timeout. Threads that ask while one of them fetches wait for it.
    """

    # The wall clock, because the monotonic one may stand still while Lambda keeps the environment frozen.
    # An age below zero (the clock was set back) counts as too old.
    def __init__(self, name: str, fetch: Callable[[], T], *, ttl: float, max_age: float, retry_after: float, clock: Callable[[], float] = time.time) -> None:
        self._name = name
        self._fetch = fetch
        self._ttl = ttl
        self._max_age = max_age
        self._retry_after = retry_after
        self._clock = clock
        self._lock = threading.Lock()
        self._value: T | None = None
        self._fetched_at = self._attempted_at = float("-inf")

    def get(self, *, newer: bool = False) -> T:
        """Return the value; with `newer`, fetch even if `ttl` has not passed.

        Raises Unavailable (``<name>_unavailable``) when there is none that is young enough.
        """
        with self._lock:
            now = self._clock()
            if newer or not 0 <= now - self._fetched_at < self._ttl:
                self._refresh(now)
        if self._value is None or not 0 <= now - self._fetched_at < self._max_age:
            raise Unavailable(f"{self._name}_unavailable")
        return self._value

    def confirm(self) -> None:
        """Raise Unavailable when the value could not be fetched again: nobody is refused by one that may be out of date."""
        if self._attempted_at != self._fetched_at:
            raise Unavailable(f"{self._name}_unavailable")

    def _refresh(self, now: float) -> None:
        if 0 <= now - self._attempted_at < self._retry_after:
            return
        self._attempted_at = now
        try:
            self._value = self._fetch()
            self._fetched_at = now
        except Exception as error:  # whatever fails, the bounded life of the last good value is the answer
            # Only the kind of error: its message may quote what was fetched.
            kind = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
            logger.error("%s refresh failed error=%s", self._name, kind)

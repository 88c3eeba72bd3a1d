# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the time of day in which AWS takes backups, such as ``03:00-04:00``, and that of week in which it maintains, in UTC. Pure."""

from __future__ import annotations

import re

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = r"([01]\d|2[0-3]):([0-5]\d)"
_DAY = 24 * 60


def is_maintenance_window(value: str) -> bool:
    """Whether AWS takes it: 30 minutes or more, and no more than a day.

    >>> is_maintenance_window("sun:23:45-mon:00:15"), is_maintenance_window("sun:23:45-mon:00:00")
    (True, False)
    """
    day = f"({'|'.join(_DAYS)})"
    return re.fullmatch(f"{day}:{_TIME}-{day}:{_TIME}", value.lower(), re.ASCII) is not None and 30 <= _length(value) <= _DAY


def windows_meet(backup: str, maintenance: str) -> bool:
    """Whether the two have a minute in common, on any day, which AWS refuses.

    >>> windows_meet("23:00-00:30", "mon:00:00-mon:01:00"), windows_meet("23:00-00:00", "mon:00:00-mon:01:00")
    (True, False)
    """
    start = _minute(maintenance.partition("-")[0])
    return any((start + minute - _minute(backup.partition("-")[0])) % _DAY < _length(backup) % _DAY for minute in range(_length(maintenance)))


def _length(window: str) -> int:
    """Minutes from the beginning of a window to its end."""
    begin, _hyphen, end = window.partition("-")
    return (_minute(end) - _minute(begin)) % (7 * _DAY)


def _minute(time: str) -> int:
    """The minute of the day, or where the time has one of the week."""
    *day, hour, minute = time.lower().split(":")
    return (_DAYS.index(day[0]) * _DAY if day else 0) + int(hour) * 60 + int(minute)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: for how many hours of a month a service has how many tasks, by its scheduled actions. Pure."""

from __future__ import annotations

import calendar
import re
import typing as t
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

HOURS = 730
"""Of a month, a twelfth of a year, as AWS's own calculator has it."""
_YEAR = 2026
"""Of 365 days, which is taken for any."""
_EVENTS = 20_000
"""Times of a schedule in a year; one with more of them is not followed."""
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_DAYS = "SUN MON TUE WED THU FRI SAT".split()
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


class Action(t.NamedTuple):
    """A scheduled action. A bound that is None stays as it is."""

    schedule: str
    timezone: str
    minimum: int | None
    maximum: int | None


class TaskHours(t.NamedTuple):
    """Task-hours of a month with as few and with as many tasks as there may be, and the hours in which there may be any."""

    fewest: float
    most: float
    open: float


@lru_cache(maxsize=64)
def task_hours(minimum: int, maximum: int, actions: tuple[Action, ...]) -> TaskHours | None:
    """What the bounds of a service and its scheduled actions make of a month; None where a schedule says too little for that.

    >>> task_hours(1, 2, ())
    TaskHours(fewest=730, most=1460, open=730)
    >>> [round(each) for each in task_hours(0, 2, (Action("cron(0 8 ? * MON-FRI *)", "UTC", 1, 2), Action("cron(0 18 ? * * *)", "UTC", 0, 0)))]
    [218, 435, 218]
    """
    if not actions:
        return TaskHours(minimum * HOURS, maximum * HOURS, HOURS if maximum else 0)
    events = []
    for place, action in enumerate(actions):
        times = _times(action)
        if times is None:
            return None
        events += [(at, place) for at in times]
    events.sort()
    bounds = (minimum, maximum)
    for _at, place in events:  # what the year before has left
        bounds = _after(bounds, actions[place])
    fewest = most = opened = 0.0
    now, end = 0.0, 365 * 24.0
    for at, place in [*events, (end, -1)]:
        hours = at - now
        fewest, most, opened = fewest + bounds[0] * hours, most + bounds[1] * hours, opened + (hours if bounds[1] else 0)
        now = at
        if place >= 0:
            bounds = _after(bounds, actions[place])
    return TaskHours(*(each * HOURS / end for each in (fewest, most, opened)))


def _after(bounds: tuple[int, int], action: Action) -> tuple[int, int]:
    return (bounds[0] if action.minimum is None else action.minimum, bounds[1] if action.maximum is None else action.maximum)


def _times(action: Action) -> list[float] | None:
    """The hours of the year at which an action is due. One that is due once (``at``) is no part of a month."""
    kind, inside = action.schedule[:-1].partition("(")[::2]
    if kind == "at":
        return []
    if kind == "rate":
        count, unit = inside.split()
        step = int(count) * _SECONDS[unit.rstrip("s")] / 3600
        return [n * step for n in range(int(365 * 24 / step) + 1) if n * step < 365 * 24] if step * _EVENTS > 365 * 24 else None
    fields = inside.upper().split()
    if kind != "cron" or len(fields) != 6:
        return None
    minutes, hours = _values(fields[0], 0, 59), _values(fields[1], 0, 23)
    due = {day: _is_due(day, fields) for day in (date(_YEAR, 1, 1) + timedelta(n) for n in range(365))}
    days = [day for day in due if due[day]]
    if minutes is None or hours is None or None in due.values() or len(minutes) * len(hours) * len(days) > _EVENTS:
        return None
    return sorted(_utc(day, hour, minute, action.timezone) for day in days for hour in hours for minute in minutes)


def _utc(day: date, hour: int, minute: int, zone: str) -> float:
    """The hour of the year, in UTC, of a time of day in a time zone."""
    try:
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone or "UTC"))
    except (OSError, ValueError, KeyError):  # this machine has no list of them
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=timezone.utc)
    return ((local - datetime(_YEAR, 1, 1, tzinfo=timezone.utc)).total_seconds() / 3600) % (365 * 24)


def _is_due(day: date, fields: list[str]) -> bool | None:
    """Whether a cron expression is due on a day; None where it has a form that is not followed here (``W``, ``L-3``)."""
    months = _values(fields[3], 1, 12, _MONTHS)
    last = calendar.monthrange(day.year, day.month)[1]
    weekday = day.isoweekday() % 7 + 1  # Sunday is 1
    if months is None:
        return None
    if fields[2] != "?":
        of_month = [last] if fields[2] == "L" else _values(fields[2], 1, 31)
        return None if of_month is None else day.month in months and day.day in of_month
    special = re.fullmatch(r"(\w{1,3}?)(?:(L)|#([1-5]))", fields[4])
    if special:
        wanted = _values(special.group(1), 1, 7, _DAYS)
        in_place = day.day + 7 > last if special.group(2) else (day.day - 1) // 7 + 1 == int(special.group(3))
        return None if wanted is None else day.month in months and weekday in wanted and in_place
    of_week = [7] if fields[4] == "L" else _values(fields[4], 1, 7, _DAYS)
    return None if of_week is None else day.month in months and weekday in of_week


def _values(text: str, first: int, last: int, names: t.Sequence[str] = ()) -> list[int] | None:
    """The numbers that a field of a cron expression stands for.

    >>> _values("MON-WED,7", 1, 7, _DAYS)
    [2, 3, 4, 7]
    >>> _values("0/20", 0, 59)
    [0, 20, 40]
    """
    found: set[int] = set()
    for item in text.split(","):
        span, slash, step = item.partition("/")
        ends = [str(names.index(end) + first) if end in names else end for end in span.split("-", 1)]
        if span in ("*", "?"):
            low, high = first, last
        elif all(end.isdigit() for end in ends):
            low, high = int(ends[0]), int(ends[-1]) if len(ends) > 1 or not slash else last
        else:
            return None
        numbers = range(low, high + 1) if low <= high else [*range(low, last + 1), *range(first, high + 1)]
        found |= set(list(numbers)[:: int(step) if slash else 1])
    return sorted(found)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tasks of ECS end. None is run here, so whoever wants another end than exit status 0 says which."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


@dataclass
class TaskResult:
    """How tasks end that match.

    ``family`` and ``image`` are patterns, ``environment`` is what the overrides of RunTask set. ``exit_code`` is that of
    the essential containers; None: the task does not start, for the ``reason``. They write the lines ``log``. ``times``: for so many tasks.
    """

    family: str = "*"
    image: str = "*"
    environment: dict[str, str] = field(default_factory=dict)
    exit_code: int | None = 0
    log: list[str] = field(default_factory=list)
    times: int | None = None
    reason: str = "CannotPullContainerError: pull image manifest has been retried 7 time(s)"

    def matches(self, definition: Any, overrides: dict[str, Any]) -> bool:
        given = [e for c in overrides.get("containerOverrides", []) for e in c.get("environment", [])]
        return (
            self.times != 0
            and fnmatchcase(definition.family, self.family)
            and any(fnmatchcase(c["image"], self.image) for c in definition.container_definitions)
            and self.environment.items() <= {e["name"]: e["value"] for e in given}.items()
        )


_results: list[TaskResult] = []


def set_results(results: list[dict[str, Any]]) -> None:
    """Replace the rules, of which the first that matches counts."""
    _results[:] = [TaskResult(**result) for result in results]


def result_of(definition: Any, overrides: dict[str, Any], *, counted: bool = True) -> TaskResult:
    """How a task ends; without a rule a task with an essential container that runs C(false) with 1, all others with 0."""
    for result in _results:
        if result.matches(definition, overrides):
            if counted and result.times:
                result.times -= 1
            return result
    essential = [c for c in definition.container_definitions if c.get("essential", True)]
    return TaskResult(exit_code=int(any(c.get("command") == ["false"] for c in essential)))

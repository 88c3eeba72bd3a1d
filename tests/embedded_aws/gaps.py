# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one list of gaps in moto that are closed here, and the way each is declared.

A gap is a function decorated with ``@gap(owner, name)``: it takes the place of ``owner.name`` and gets the original
(None where moto has nothing) as its first argument. ``@gap()`` declares a function that is called once, to change a
table of moto's. The docstring says in one line what AWS does.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gap:
    """One method of moto that is replaced, or (without owner) one function that changes moto's tables."""

    owner: Any
    name: str
    replacement: Callable[..., Any]

    @property
    def service(self) -> str:
        return self.replacement.__module__.rpartition(".")[2].rstrip("_")

    @property
    def aws_does(self) -> str:
        return inspect.getdoc(self.replacement) or ""

    def close(self) -> None:
        if self.owner is None:
            self.replacement()
            return
        existing = inspect.getattr_static(self.owner, self.name, None)
        original = existing.fget if isinstance(existing, property) else getattr(self.owner, self.name, None)

        def method(*args: Any, **kwargs: Any) -> Any:
            return self.replacement(original, *args, **kwargs)

        if original is not None:
            functools.update_wrapper(method, original)
        setattr(method, "__name__", self.name)
        setattr(self.owner, self.name, existing.getter(method) if isinstance(existing, property) else method)


GAPS: list[Gap] = []


def gap(owner: Any = None, name: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the decorated function as the replacement of ``owner.name``, or as one to call."""

    def declare(replacement: Callable[..., Any]) -> Callable[..., Any]:
        GAPS.append(Gap(owner, name, replacement))
        return replacement

    return declare


def load() -> list[Gap]:
    """Import every service's gaps and return them all."""
    from embedded_aws import services

    for module in pkgutil.iter_modules(services.__path__):
        importlib.import_module(f"{services.__name__}.{module.name}")
    return GAPS


def apply() -> None:
    """Close every gap. Call once, before moto serves anything."""
    for each in load():
        each.close()


def as_markdown() -> str:
    """The table for the README: service and what AWS does."""
    by_service = sorted(load(), key=lambda each: each.service)  # in whatever order they were imported
    rows = [f"| {each.service} | {each.aws_does} |" for each in by_service]
    return "\n".join(["| Service | What AWS does, and now the embedded AWS too |", "|---|---|", *rows])

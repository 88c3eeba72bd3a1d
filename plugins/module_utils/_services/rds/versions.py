# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the version numbers of Aurora."""

from __future__ import annotations

import re


def parse_version(engine_version: str) -> tuple[str, tuple[int, ...]]:
    """The major version and Aurora's own numbers.

    >>> parse_version("8.0.mysql_aurora.3.10.3"), parse_version("17.7")
    (('8.0', (3, 10, 3)), ('17', (17, 7)))
    """
    major, mysql, numbers = engine_version.partition(".mysql_aurora.")
    parsed = tuple(int(number) for number in re.findall(r"\d+", numbers if mysql else engine_version))
    return (major if mysql else str(parsed[0])), parsed


def parameter_group_family(engine: str, engine_version: str) -> str:
    """The family of the parameter groups of a version, such as ``aurora-mysql8.0``."""
    return engine + parse_version(engine_version)[0]


def version_change(have: str, want: str, *, auto_minor: bool) -> str | None:
    """What it means to have one engine version and want another: None, ``minor``, ``major`` or ``downgrade``.

    It means nothing where ``want`` leaves open what AWS has (``17`` and ``17.7``), or where AWS went ahead by itself: with
    ``auto_minor`` to a newer minor version, and to a newer patch always, because AWS forces those.
    """
    (have_major, have_numbers), (want_major, want_numbers) = parse_version(have), parse_version(want)
    if have_major != want_major:
        return "major" if float(want_major) > float(have_major) else "downgrade"
    if have_numbers[: len(want_numbers)] == want_numbers:
        return None
    if have_numbers < want_numbers:
        return "minor"
    return None if auto_minor or (len(want_numbers) > 2 and have_numbers[:2] == want_numbers[:2]) else "downgrade"

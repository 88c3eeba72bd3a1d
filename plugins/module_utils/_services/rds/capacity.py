# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the capacity of instances of the class ``db.serverless``."""

from __future__ import annotations

import typing as t


def scaling(capacity: t.Mapping[str, t.Any]) -> dict[str, float]:
    """A Serverless v2 scaling configuration as AWS keeps it: only with a minimum of 0 ACU there is a time until auto-pause."""
    kept = {"min_capacity": float(capacity["min_capacity"]), "max_capacity": float(capacity["max_capacity"])}
    if kept["min_capacity"] == 0:
        kept["seconds_until_auto_pause"] = capacity.get("seconds_until_auto_pause") or 300
    return kept


def capacity_warnings(have: t.Mapping[str, float] | None, want: t.Mapping[str, float] | None) -> list[str]:
    """What it costs to go from one Serverless v2 scaling configuration to another, as scaling() returns them."""
    if not have or not want:
        return []
    lower = [name for name in ("min_capacity", "max_capacity") if want[name] < have[name]]
    warnings = [f"{name}: {want[name]:g} ACU instead of {have[name]:g}: less room for busy times" for name in lower]
    if want["min_capacity"] == 0 < have["min_capacity"]:
        warnings.append("it pauses when nobody uses it: the first request after a pause waits about 15 seconds")
    return warnings

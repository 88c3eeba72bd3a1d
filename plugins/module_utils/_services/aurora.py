# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what is special about Aurora: its version numbers, its statuses, and what its clusters and members are called."""

from __future__ import annotations

import re
import time
import typing as t

RESTORED_FROM_TAG = "mlflow-restored-from"
"""The tag of a cluster that says what its data was restored from, as ``origin`` spells it."""
RESTORED_AT_TAG = "mlflow-restored-at"
"""The tag that says when that restore was complete. Without it the restore is under way, or died."""


def origin(kind: str, value: str) -> str:
    """What a cluster was restored from: ``snapshot:<name>``, ``time:<time>`` or ``cluster:<name>``."""
    return f"{kind}:{value}"


def restored_name(cluster: str) -> str:
    """What a restored cluster is called until it takes the place of the ``cluster``."""
    return f"{cluster}-restored"


def timestamp() -> str:
    """The time now (UTC), as it stands in names of clusters and snapshots, such as ``20261122t221500z``."""
    return time.strftime("%Y%m%dt%H%M%Sz", time.gmtime())


def kept_name(cluster: str, when: str) -> str:
    """What a cluster is called that a restored one has replaced at a time such as ``20261122t221500z``."""
    return f"{cluster}-before-{when}"


def is_kept(name: str, cluster: str) -> bool:
    """Whether a name is that of a predecessor of the ``cluster``."""
    return re.fullmatch(re.escape(cluster) + r"-before-\d{8}t\d{6}z", name) is not None


def parameter_group_name(prefix: str, family: str) -> str:
    """What the cluster parameter group of a family such as ``aurora-mysql8.0`` is called."""
    return f"{prefix}-{family.replace('.', '-')}"


def is_parameter_group(name: str, cluster: str) -> bool:
    """Whether a name is that of a parameter group of the ``cluster``, in whatever engine and version."""
    return re.fullmatch(re.escape(cluster) + r"-aurora-(mysql|postgresql)[\d-]+", name) is not None


_START = "start it with: aws rds start-db-cluster --db-cluster-identifier {cluster}"
_EVENTS = "the reason is in: aws rds describe-events --source-type db-cluster --source-identifier {cluster}"
_FAILED = {
    "failed": _EVENTS,
    "stopped": _START,
    "stopping": "when it is stopped, " + _START,
    "inaccessible-encryption-credentials": "AWS cannot use its KMS key any more: restore a snapshot taken under a key that exists",
    "inaccessible-encryption-credentials-recoverable": "enable its KMS key and RDS's access to it within 7 days, then " + _START,
    "insufficient-capacity": "AWS has too little capacity in this zone: delete the instance and run the same command again",
}


def failure(status: str, cluster: str) -> str | None:
    """Why a cluster or an instance of it never becomes available by itself, and the remedy; None if it may."""
    remedy = _FAILED.get(status) or (_EVENTS if status.startswith(("incompatible-", "restore-error")) else None)
    return remedy and f"its status is {status}: {remedy.format(cluster=cluster)}"


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


def members(cluster: str, existing: t.Mapping[str, bool], count: int, taken: t.Collection[str] = ()) -> tuple[list[str], list[str]]:
    """The names of the instances that a cluster keeps or gets, and of those that it loses.

    ``existing`` maps the names of its instances to whether they are the writer, which is kept longest. Only instances
    named ``<cluster>-<number>`` are ours. No new one gets a name in ``taken``.
    """
    number = {name: int(name.rpartition("-")[2]) for name in existing if re.fullmatch(re.escape(cluster) + r"-\d+", name)}
    ours = sorted(number, key=lambda name: (not existing[name], number[name]))
    numbers = range(1, count + len(ours) + len(taken) + 1)
    free = (name for n in numbers if (name := f"{cluster}-{n}") not in number and name not in taken)
    new = [next(free) for _ignored in range(count - len(ours))]
    wanted = sorted([*ours[:count], *new], key=lambda name: int(name.rpartition("-")[2]))
    return wanted, ours[count:]


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

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the names and tags of clusters, instances, snapshots and parameter groups. Pure."""

from __future__ import annotations

import re
import time
import typing as t

LONGEST_NAME = 63
"""The maximum number of characters of the name of a snapshot."""
PASSWORD_VERSION_TAG = "mlflow-password-version"
"""The tag of a cluster with the version of the secret whose password is in force: AWS never returns a password."""
RESTORED_FROM_TAG = "mlflow-restored-from"
"""The tag of a cluster that says what its data was restored from, as ``origin`` spells it."""
RESTORED_AT_TAG = "mlflow-restored-at"
"""The tag that says when that restore was complete. Without it the restore is in progress, or its run died."""


def origin(kind: str, value: str) -> str:
    """What a cluster was restored from: ``snapshot:<name>``, ``time:<time>`` or ``cluster:<name>``."""
    return f"{kind}:{value}"


def restored_name(cluster: str) -> str:
    """What a restored cluster is called until it takes the place of the ``cluster``."""
    return f"{cluster}-restored"


def final_snapshot_name(cluster: str, when: str) -> str:
    """What the last snapshot of a ``cluster`` is called that is removed at a time such as ``20261122t221500z``."""
    name = f"{cluster}-final"
    return f"{name}-{when}" if len(f"{name}-{timestamp()}") <= LONGEST_NAME else name


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


def log_group_name(cluster: str, log: str) -> str:
    """What RDS calls the log group of a log type such as ``error``."""
    return f"/aws/rds/cluster/{cluster}/{log}"


def is_parameter_group(name: str, cluster: str) -> bool:
    """Whether a name is that of a parameter group of the ``cluster``, in whatever engine and version."""
    return re.fullmatch(re.escape(cluster) + r"-aurora-(mysql|postgresql)[\d-]+", name) is not None


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

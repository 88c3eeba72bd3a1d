# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the statuses of clusters and instances that they never leave by themselves."""

from __future__ import annotations

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

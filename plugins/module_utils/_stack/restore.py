# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what a restore has to do, from where the clusters of a stack stand. Pure: nothing here asks AWS.

A restored cluster says in a tag what it was restored from, and in another since when that restore has been complete. So
the command that was begun, and no other, goes on from wherever it died.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import is_kept, origin, restored_name
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs, Problem

REQUESTS = {"mlflow_restore_snapshot": "snapshot", "mlflow_restore_time": "time", "mlflow_restore_cluster": "cluster", "mlflow_restore_discard": "discard"}
"""The inputs that say what the playbook ``restore`` is to do, of which it takes one."""


class Marks(t.NamedTuple):
    """What the tags of a cluster say."""

    restored_from: str | None = None
    restored_at: str | None = None

    @property
    def under_way(self) -> bool:
        return self.restored_from is not None and self.restored_at is None


class Restore(t.NamedTuple):
    """What is to be done."""

    origin: str = ""
    cluster: str = ""
    """The cluster that gets or has the data."""
    source: dict[str, str] = {}
    """What that cluster is made of, as the option ``restore_from`` of the module ``rds_cluster``."""
    switch: bool = False
    """Whether it takes the place of another."""
    done: bool = False
    """Whether an earlier run has done it all."""
    discard: str = ""
    endpoint: str = ""
    """The endpoint of the database that is there, and its version."""
    engine_version: str = ""
    fixed: dict[str, t.Any] = {}
    """What else AWS cannot change of it, by options of the module ``rds_cluster``."""


def requested(inputs: Inputs) -> list[str]:
    return [name for name in REQUESTS if inputs.get(name)]


def validate_request(inputs: Inputs) -> list[Problem]:
    """What is wrong with the choice of what to do."""
    given, all_names = requested(inputs), ", ".join(REQUESTS)
    if len(given) == 1:
        return []
    if not given:
        return [Problem("mlflow_restore_snapshot", None, f"is missing: give one of {all_names}")]
    return [Problem(given[1], inputs[given[1]], f"{given[0]} is given too: give one of {all_names}")]


def decide(name: str, variable: str, value: str, clusters: t.Mapping[str, Marks], *, again: bool = False) -> Restore | Problem:
    """What a restore has to do where ``clusters`` are those of the stack ``name``, or what is in its way."""
    kind, beside = REQUESTS[variable], restored_name(name)
    current, kept = clusters.get(name), sorted(each for each in clusters if is_kept(each, name))

    def problem(remedy: str) -> Problem:
        return Problem(variable, value, remedy)

    if kind == "discard":
        if value not in (*kept, *({beside} & clusters.keys())):
            there = [*kept, *({beside} & clusters.keys())]
            return problem(f"there is no such cluster to remove; there is {', '.join(there) or 'none'}")
        if current is None:
            return problem(f"there is no database {name} without it: finish the restore first, with the command that began it")
        return Restore(discard=value)

    wanted = origin(kind, value)
    source = _source(name, kind, value)
    if current and current.restored_from == wanted and (current.under_way or not again):
        return Restore(wanted, name, source, done=not current.under_way)
    if current and current.under_way:
        return problem(f"a restore of {current.restored_from} is under way: finish it first, with the command that began it")
    if beside in clusters and clusters[beside].restored_from != wanted:
        return problem(
            f"a restore of {clusters[beside].restored_from} is under way: finish it, with the command that began it, or remove "
            f"what it has made, with -e mlflow_restore_discard={beside}"
        )
    if kind == "cluster":
        if value in kept:
            return Restore(wanted, value, {}, switch=True)
        return problem(f"there is no such cluster; those that restores have kept: {', '.join(kept) or 'none'}")
    if current or beside in clusters:
        return Restore(wanted, beside, source, switch=True)
    if kept:
        return problem(f"the database is called {kept[-1]}, and nothing has taken its place: give mlflow_restore_cluster={kept[-1]}")
    if kind == "time":
        return problem(f"there is no database {name} to go back in: give a snapshot, with mlflow_restore_snapshot")
    return Restore(wanted, name, source)


def _source(name: str, kind: str, value: str) -> dict[str, str]:
    if kind == "snapshot":
        return {"snapshot_identifier": value}
    return {"source_cluster_identifier": name, "time": value} if kind == "time" else {}


class Mlflow(t.NamedTuple):
    """Of which MLflow a database is: the tag of the image, with its digest if it had one, and the revision of the schema; empty where nobody knows."""

    version: str = ""
    schema: str = ""


def is_compatible(recorded: Mlflow, deployed: Mlflow, tag: str) -> bool:
    """Whether the image ``tag`` runs on a database of the ``recorded`` MLflow, as far as can be said beforehand."""
    if recorded.version == "" or is_same_version(recorded.version, tag):
        return True
    known = recorded.schema not in ("", "unknown")
    return known and recorded.schema == deployed.schema and is_same_version(deployed.version, tag)


def is_same_version(one: str, other: str) -> bool:
    """Whether two tags are the same version: the tag tells it, unless both have a digest. ``__ecs_is_same_version`` in role ecs says the same.

    >>> [is_same_version("v1", other) for other in ("v1", "v1@sha256:a", "v10", "v2@sha256:a")]
    [True, True, False, False]
    >>> is_same_version("v1@sha256:a", "v1@sha256:b")
    False
    """
    one, other = f"{one}@", f"{other}@"
    return one.startswith(other) or other.startswith(one)

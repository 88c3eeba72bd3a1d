# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what, whatever MLflow's own auth app adds to it. Without that, MLflow does not know its users, so that an editor may change what
another one has made.

The lists are of MLflow 3.18, of which tests/runtime/test_identity_routes.py has every route. What they do not name is a write, and what
writes is for editors: a route of a later MLflow is refused to readers until it is listed.
"""

from __future__ import annotations

import re
from typing import Collection, Mapping

READER, EDITOR, ADMIN, NONE = "reader", "editor", "admin", "none"
RIGHTS = (READER, EDITOR, ADMIN)
"""Each includes those before it."""

OPEN = frozenset({("GET", "/health"), ("GET", "/api/3.0/mlflow/server-info")})
"""What needs no identity: health checks, and what MLflow's client asks for before it has a reason to say who it is."""

_READING_POSTS = re.compile(
    r"/graphql"  # its one mutation answers with what it was given
    r"|/api/3\.0/jobs/search"
    r"|/api/\d\.0/?mlflow/experiments/search-datasets"  # one of MLflow's routes has no slash there
    r"|/api/\d\.0/mlflow/("
    r"(experiments|runs|logged-models|datasets|issues|traces|prompt-optimization/jobs)/search"
    r"|registered-models/get-latest-versions|artifacts/presigned-download-url"
    r"|traces/(batchGetInfos|metrics|calculate-filter-correlation)|ui-telemetry)"
)
_WRITING_GETS = re.compile(r"/api/\d\.0/mlflow/gateway-proxy")  # it calls another server
_OF_ADMINS = re.compile(
    r"/api/\d\.0/(mlflow/(webhooks|gateway|workspaces|assistant/(config|skills)|jobs)|jobs)(/.*)?"
    r"|/api/\d\.0/mlflow/prompt-optimization/jobs/[^/]+(/cancel)?"
)
"""Writes with which one user changes what is everybody's, such as keys of models and webhooks, or ends a job of another."""
_OF_PROVIDER = re.compile(r"/signup|/api/\d\.0/mlflow/users/(create|create-ui|update-password|update-admin)")
"""What MLflow's auth app has of this, in whose place the identity provider says who is who."""


def route_of(path: str, prefix: str = "") -> str:
    """Return the route of a request's path as the lists have it: without `prefix`, below which MLflow serves, and /api for /ajax-api.

    A path that is not below `prefix` has none. Slashes too many count as one: no list is got round by them.
    """
    if not path.startswith(f"{prefix}/"):
        return ""
    plain = re.sub("/{2,}", "/", path[len(prefix) :]).rstrip("/") or "/"
    return re.sub("^/ajax-api/", "/api/", plain)


def is_open(method: str, path: str, prefix: str = "") -> bool:
    """Return whether MLflow answers this request to everybody. Only of these paths as they are spelled, and of no other spelling."""
    return ("GET" if method == "HEAD" else method, re.sub("^/ajax-api/", "/api/", path.removeprefix(prefix))) in OPEN and path.startswith(prefix)


def reads(method: str, route: str) -> bool:
    """Return whether a request changes nothing."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return not _WRITING_GETS.fullmatch(route)
    return method == "POST" and _READING_POSTS.fullmatch(route) is not None


def needed(method: str, route: str) -> str:
    """Return the right that a request needs."""
    if reads(method, route):
        return READER
    return ADMIN if _OF_ADMINS.fullmatch(route) else EDITOR


def is_of_provider(route: str) -> bool:
    """Return whether a request is for nobody."""
    return _OF_PROVIDER.fullmatch(route) is not None


def includes(right: str, other: str) -> bool:
    """Return whether who has `right` may do what needs `other`."""
    return RIGHTS.index(right) >= RIGHTS.index(other)


class Rights:
    """The right of a user: the highest that one of his groups has in `groups`, by right, and `default` of who is in none of them."""

    def __init__(self, groups: Mapping[str, Collection[str]], default: str) -> None:
        self._groups = {right: frozenset(groups.get(right, ())) for right in reversed(RIGHTS)}
        self._default = default

    def of(self, groups: Collection[str]) -> str:
        """Return the right of a user in `groups`: one of RIGHTS, or NONE."""
        return next((right for right, named in self._groups.items() if not named.isdisjoint(groups)), self._default)

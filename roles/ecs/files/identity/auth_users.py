# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callers as users of MLflow's own auth app, with which they own what they make and grant it to others.

That app asks ``authorize`` who calls. Its tables are made by the preparation of the database (prepare_users.py) and never here. Only MLflow's
server imports it.
"""

from __future__ import annotations

import contextvars
import secrets
import time
from typing import Any, Callable, NamedTuple

from callers import JOBS, Caller
from rights import ADMIN

KNOWN_FOR = 60  # seconds

_caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller")


class TooLike(Exception):
    """To this database the name is that of another user: MySQL takes Alice for alice."""


class _Known(NamedTuple):
    user: Any
    since: float


class Users:
    """The users in the tables of MLflow's auth app, whose ``store`` it gets. Each is asked for once in a while, not several times a request."""

    def __init__(self, store: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock, self._from_database = store, clock, store.get_user
        self._known: dict[str, _Known] = {}
        store.get_user = self._get_user

    def enter(self, caller: Caller) -> None:
        """Have the auth app know `caller`, an admin or not as his right says. Raises TooLike.

        A job acts for somebody who was here before.
        """
        is_admin = caller.right == ADMIN
        known = self._known.get(caller.name)
        if caller.entry_point == JOBS or (known and known.user.is_admin == is_admin and self._clock() - known.since < KNOWN_FOR):
            return
        user = self._get_or_create(caller.name, is_admin)
        if user.username != caller.name:
            raise TooLike
        if user.is_admin != is_admin:
            user = self._store.update_user(caller.name, is_admin=is_admin)
        self._known[caller.name] = _Known(user, self._clock())

    def _get_or_create(self, name: str, is_admin: bool) -> Any:
        from mlflow.exceptions import MlflowException

        for last in (False, True):
            try:
                return self._from_database(name)
            except MlflowException as error:
                if last or error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
            try:  # nobody is told this password, and nothing asks for one
                return self._store.create_user(name, secrets.token_urlsafe(32), is_admin=is_admin)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another server was faster
                    raise

    def _get_user(self, username: str) -> Any:
        """In place of the store's function, which would connect to the database two or three times a request for the one who calls."""
        known = self._known.get(username) if username == _caller.get("") else None
        return known.user if known else self._from_database(username)


def calls(caller: Caller) -> None:
    """Tell the auth app who calls in this context, the request."""
    _caller.set(caller.name)


def authorize() -> Any:
    """MLflow's ``authorization_function``."""
    from flask import make_response
    from werkzeug.datastructures import Authorization

    name = _caller.get("")
    return Authorization("basic", {"username": name, "password": ""}) if name else make_response("Sign in.", 401)


def create_app() -> tuple[Any, Users]:
    """Return MLflow's app with its auth app, and the users. Raises where the tables are not those of this MLflow."""
    from mlflow.server import auth
    from mlflow.server.auth.db import utils

    utils.migrate_if_needed = _check_tables
    return auth.create_app(), Users(auth.store)


def _check_tables(engine: Any, _revision: str) -> None:
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from mlflow.server.auth.db import utils

    with engine.connect() as connection:
        found = MigrationContext.configure(connection, opts={"version_table": "alembic_version_auth"}).get_current_revision()
    head = ScriptDirectory.from_config(utils._get_alembic_config("")).get_current_head()
    if found != head:
        raise RuntimeError(f"the tables of MLflow's users are {found or 'not there'}, and this MLflow needs {head}: the playbook site prepares them")

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP Basic credentials, checked against a Secrets Manager secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from typing import Any, Callable, NamedTuple

from denied import Denied
from refreshed import Refreshed
from strict_json import load_object
from user import User

logger = logging.getLogger("authorizer")

MIN_PASSWORD = 20  # characters: nothing slows down who guesses but the stage's throttling
TTL = 60  # seconds until a changed secret counts
MAX_AGE = 300  # seconds for which credentials are still good when Secrets Manager does not answer
RETRY_AFTER = 5  # seconds between two attempts


class BasicCredentials:
    """The users of a secret that is a JSON object of user name to password, or to an object of ``password`` and ``groups``.

    `fetch` returns the secret's text and may raise anything.
    """

    def __init__(self, fetch: Callable[[], str], clock: Callable[[], float] = time.time) -> None:
        self._users = Refreshed("credentials", lambda: parse_secret(fetch()), ttl=TTL, max_age=MAX_AGE, retry_after=RETRY_AFTER, clock=clock)

    def verify(self, encoded: str) -> User:
        """Return the user of the credentials `encoded` (what follows ``Basic``), or raise Denied or Unavailable."""
        user, password = decode(encoded)
        user_digest, password_digest = _digest(user), _digest(password)
        found: list[User] = []
        # Every user is compared, whole and in constant time: how long it takes tells the number of users,
        # and nothing of a name or a password.
        for known in self._users.get():
            same_user = hmac.compare_digest(known.name_digest, user_digest)
            same_password = hmac.compare_digest(known.password_digest, password_digest)
            if same_user & same_password:
                found.append(known.user)
        if not found:
            self._users.confirm()
            raise Denied("credentials")
        return found[0]


def decode(encoded: str) -> tuple[str, str]:
    """Return user name and password of `encoded` (RFC 7617: Base64 of ``user:password`` in UTF-8).

    The password is all that follows the first colon. Raises Denied for anything else, and for an empty
    name or password, so that an empty password in the secret lets nobody in.
    """
    try:
        user, _ignored, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except ValueError:
        raise Denied("malformed") from None
    if not user or not password:
        raise Denied("malformed")
    return user, password


class KnownUser(NamedTuple):
    """A user of the secret."""

    user: User
    name_digest: bytes
    password_digest: bytes


def parse_secret(text: str) -> list[KnownUser]:
    """Return the users in the secret `text`, without those whose passwords are too short. Raises ValueError for any other text."""
    users = {name: _password_and_groups(value) for name, value in load_object(text).items()}
    long_enough = {name: value for name, value in users.items() if len(value[0]) >= MIN_PASSWORD}
    if len(long_enough) < len(users):
        logger.warning("passwords of less than %d characters left out: %d", MIN_PASSWORD, len(users) - len(long_enough))
    return [KnownUser(User(name, groups), _digest(name), _digest(password)) for name, (password, groups) in long_enough.items()]


def _password_and_groups(value: Any) -> tuple[str, tuple[str, ...]]:
    password, groups = (value.get("password"), value.get("groups", [])) if isinstance(value, dict) else (value, [])
    if not isinstance(password, str) or not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise ValueError("a password is not a string, or the groups are not a list of strings")
    if isinstance(value, dict) and value.keys() - {"password", "groups"}:
        raise ValueError("a user has something else than a password and groups")
    return password, tuple(groups)


def _digest(text: str) -> bytes:
    # Of equal length, so that the comparison does not tell the length either.
    return hashlib.sha256(text.encode("utf-8")).digest()

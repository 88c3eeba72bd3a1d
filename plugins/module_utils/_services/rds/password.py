# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The master password of the database: where it stands in its secret, and what RDS accepts."""

from __future__ import annotations

import json
import typing as t

_LONGEST = {"aurora-mysql": 41, "aurora-postgresql": 99}
_SHORTEST = 8
_REFUSED = '/"@ '


def secret_password(value: str) -> str:
    """The password in the value of a secret: the field ``password`` of a JSON object, or else the whole value."""
    fields = _fields(value)
    if fields is None:
        return value
    password = fields.get("password", "")
    return password if isinstance(password, str) else ""


def secret_problem(value: str, engine: str) -> str | None:
    """What is wrong with the value of a secret as the master password of ``engine`` and the remedy, without the password; None if nothing."""
    password = (_fields(value) or {}).get("password", "")
    if not isinstance(password, str):
        what = "no text" if isinstance(password, bool) or not isinstance(password, (int, float)) else "a number"
        # ECS would hand 12345678 on as 1.2345678e+07.
        return f"its field password is {what}, which ECS would hand to a container in another form: put it in quotes"
    return password_problem(secret_password(value), engine)


def _fields(value: str) -> dict[str, t.Any] | None:
    """The fields of a value that is a JSON object."""
    try:
        fields = json.loads(value)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def password_problem(password: str, engine: str) -> str | None:
    """What RDS would refuse in a master password of ``engine`` and the remedy, without the password; None if nothing."""
    longest = _LONGEST[engine]
    if not _SHORTEST <= len(password) <= longest:
        return (
            f"the password has {len(password)} characters: give the secret {_SHORTEST} to {longest}, either as its whole "
            "value or as the field password of a JSON object"
        )
    if any(not "!" <= character <= "~" or character in _REFUSED for character in password):
        return 'the password holds a character that RDS refuses: use printable ASCII characters without / " @ and space'
    return None

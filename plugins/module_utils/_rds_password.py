# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The master password of the database: where it stands in its secret, and what RDS accepts."""

from __future__ import annotations

import json

_LONGEST = {"aurora-mysql": 41, "aurora-postgresql": 99}
_SHORTEST = 8
_REFUSED = '/"@ '


def secret_password(value: str) -> str:
    """The password in the value of a secret: the field C(password) of a JSON object, or else the whole value."""
    try:
        fields = json.loads(value)
    except ValueError:
        return value
    if not isinstance(fields, dict):
        return value
    password = fields.get("password", "")
    return password if isinstance(password, str) else ""


def password_problem(password: str, engine: str) -> str | None:
    """What RDS would refuse in a master password of C(engine) and the remedy, without the password; None if nothing."""
    longest = _LONGEST[engine]
    if not _SHORTEST <= len(password) <= longest:
        return (
            f"the password has {len(password)} characters: give the secret {_SHORTEST} to {longest}, either as its whole "
            "value or as the field password of a JSON object"
        )
    if any(not "!" <= character <= "~" or character in _REFUSED for character in password):
        return 'the password holds a character that RDS refuses: use printable ASCII characters without / " @ and space'
    return None

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON without the liberties of the standard parser."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def load_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in `text` (bytes: UTF-8).

    Raises ValueError when it is not exactly one object. A name given twice, at any depth, is refused
    because parsers differ in which of the values they take; NaN and Infinity, because they are not JSON.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_not_json)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a JSON object has the same name twice")
    return result


def _not_json(constant: str) -> NoReturn:
    raise ValueError("not a JSON number")

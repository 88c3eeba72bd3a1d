# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what an input is: its type, and what is said of one that is wrong. Pure, as all of this package: nothing here asks AWS or reads a file."""

from __future__ import annotations

import json
import re
import typing as t

from ansible.module_utils.common.yaml import yaml_load

Spec = dict[str, dict[str, t.Any]]
Inputs = dict[str, t.Any]


def is_given(v: Inputs, name: str) -> bool:
    """Whether an input has a value: the empty text of a default is none."""
    return v.get(name) not in (None, "")


MAY_BE_SECRET = {
    "mlflow_api_credentials_secret_arn",
    "mlflow_database_password_secret_arn",
    "mlflow_import_database_secret_arn",
    "mlflow_load_balancer_oidc_client_secret_arn",
    "mlflow_service_environment",
    "mlflow_service_log_configuration",
    "mlflow_service_image_credentials_secret_arn",
    "mlflow_service_image_mirror_secret_arn",
    "mlflow_service_secrets",
    "mlflow_service_sidecar_container_definitions",
}
"""Inputs in which somebody may have put a secret in place of its ARN. Of a wrong value of theirs, only an ARN is shown."""


class Problem(t.NamedTuple):
    """What is wrong with one input, and the remedy. A value that is None is not shown."""

    variable: str
    value: t.Any
    remedy: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.variable, self._shown(), self.remedy)))

    def _shown(self) -> str:
        """The value on one line, short, and with escapes for what a terminal would act on."""
        if self.value is None:
            return ""
        if self.variable in MAY_BE_SECRET and not (isinstance(self.value, str) and self.value.startswith("arn:")):
            return "(not shown)"
        try:
            text = str(self.value)
        except (ValueError, RecursionError):  # a number of thousands of digits, a list that holds itself
            return f"({type(self.value).__name__})"
        return repr(text) if len(text) <= 80 else f"{text[:77]!r}..."


def unusable(value: t.Any, depth: int = 0) -> str | None:
    """What to do about a value that no AWS API could take, whatever the input, or None."""
    if depth > 30:
        return "nest it less deeply"
    if isinstance(value, str):
        if "\0" in value:
            return "take out the NUL characters"
        if re.search("[\ud800-\udfff]", value):
            return "take out what is no Unicode character"
    if isinstance(value, (int, float)) and not abs(value) < 10**18:  # nor is NaN
        return "give a number of less than 18 digits"
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            return "put those keys in quotes that YAML takes for something else"
        value = [*value.keys(), *value.values()]
    inside = value if isinstance(value, (list, tuple)) else ()
    return next(filter(None, (unusable(item, depth + 1) for item in inside)), None)


def is_text(value: t.Any) -> bool:
    """Whether it is text, or a number that stays the same as text: YAML takes 1.10 for 1.1, and yes for true."""
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18)


_KIND = {
    "bool": "true or false",
    "dict": 'a dict: each key with its value on a line of its own, or JSON text, such as {"team": "x"}',
    "float": "a number",
    "int": "a whole number",
    "list": 'a list: each item on a line of its own, after a hyphen, or JSON text, such as ["a", "b"]',
    "path": "a path",
    "str": "a string, in quotes where YAML takes it for something else, such as 1.10",
}


def from_text(value: t.Any) -> t.Any:
    """A list or a dict that is given as JSON or YAML text, which is what surveys and C(-e name='[…]') give. Raises ValueError for other text."""
    if not isinstance(value, str):
        return value
    for load in (json.loads, yaml_load):  # YAML refuses JSON that is indented with tabs
        try:
            found = load(value)
        except Exception:  # each parser has its own errors, and they may quote a secret
            continue
        if isinstance(found, (list, dict)):
            return found
    raise ValueError("it is neither a list nor a dict as JSON or YAML")


_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_WHOLE = r"-?(0|[1-9][0-9]{0,17})"


def typed(value: t.Any, option: dict[str, t.Any]) -> t.Any:
    """The value as the type that the argument spec declares. Raises ValueError with the remedy.

    Text in place of a number, true or false is what ``-e name=value`` gives; the roles take it for the same.
    """
    kind = option.get("type", "str")
    text = value.lower() if isinstance(value, str) else ""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if value is False and "off" in option.get("choices", ()):  # which YAML takes for it
        return "off"
    if kind in ("str", "path") and is_text(value):
        return value if isinstance(value, str) else str(value)
    if kind == "bool" and (isinstance(value, bool) or text in _WORDS):
        return value if isinstance(value, bool) else _WORDS[text]
    if kind == "int" and (isinstance(number, int) or re.fullmatch(_WHOLE, text)):
        return int(value)
    if kind == "float" and (re.fullmatch(rf"{_WHOLE}(\.[0-9]{{1,17}})?", text) or number is not None and abs(number) < 10**18):
        return float(value)
    if kind == "dict" and isinstance(value, dict):
        return value
    if kind == "list" and isinstance(value, list):
        items = [typed(item, {**option, "type": option.get("elements", "str")}) for item in value]
        return [_suboptions(item, option["options"]) if "options" in option else item for item in items]
    raise ValueError(f"give {_KIND[kind]}")


def in_its_type(value: t.Any, option: dict[str, t.Any]) -> t.Any:
    """An input that was found right, as the type that the argument spec declares. Empty text in place of whatever it is means none."""
    if value is None or value == "":
        return value
    return typed(from_text(value) if option.get("type") in ("list", "dict") else value, option)


def _suboptions(item: dict[str, t.Any], options: Spec) -> dict[str, t.Any]:
    for name in item.keys() - options.keys():
        raise ValueError(f"{name!r} is not a key of it: use {', '.join(sorted(options))}")
    for name, option in options.items():
        if option.get("required") and item.get(name) is None:
            raise ValueError(f"each item needs the key {name}")
    result = {}
    for name, value in item.items():
        try:
            result[name] = typed(value, options[name])
            if result[name] not in options[name].get("choices", [result[name]]):
                raise ValueError(f"give one of {', '.join(options[name]['choices'])}")
        except ValueError as error:
            raise ValueError(f"as {name} {error}") from None
    return result

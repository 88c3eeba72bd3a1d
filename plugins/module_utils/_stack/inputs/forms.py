# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: forms of values, as AWS takes them. Pure."""

from __future__ import annotations

import ipaddress
import re
import shlex
import typing as t
import unicodedata
from datetime import datetime
from zoneinfo import ZoneInfo

Rule = t.Callable[[t.Any], bool]


def matches(pattern: str, maximum: int = 2048) -> Rule:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: len(value) <= maximum and compiled.fullmatch(value) is not None


def between(minimum: float, maximum: float, step: float | None = None) -> Rule:
    return lambda value: minimum <= value <= maximum and (step is None or value % step == 0)


def distinct(rule: Rule, minimum: int = 0, maximum: int = 1000) -> Rule:
    return lambda values: minimum <= len(values) <= maximum and len(set(values)) == len(values) and all(map(rule, values))


def arn_of(service: str, resource: str, region: str = r"[a-z0-9-]+") -> Rule:
    return matches(rf"arn:aws(-[a-z]+)*:{service}:{region}:\d{{12}}:{resource}")


LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
SECRET_NAME = r"secret:[\w/+=.@!-]{1,512}-[A-Za-z0-9]{6}"


is_role_arn = arn_of("iam", r"role/[\w+=,.@/-]{1,576}", region="")
is_policy_arn = matches(r"arn:aws(-[a-z]+)*:iam::(\d{12}|aws):policy/[\w+=,.@/-]{1,640}")


def is_cidr(value: str) -> bool:
    """Whether it is a CIDR block as AWS writes it."""
    try:
        return str(ipaddress.ip_network(value)) == value and "%" not in value
    except ValueError:
        return False


def is_vpc_cidr(value: str) -> bool:
    if not is_cidr(value) or not value.endswith("/16"):
        return False
    network = ipaddress.ip_network(value)
    kept = network.is_loopback or network.is_link_local or network.is_multicast or network.is_reserved
    return network.version == 4 and not kept and not value.startswith("0.")


def is_cognito_group(value: str) -> bool:
    """Whether it is a name of a group as Cognito takes them (CreateGroup)."""
    return 0 < len(value) <= 128 and all(unicodedata.category(c)[0] in "LMSNP" for c in value)


def is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def is_shell_arguments(value: str) -> bool:
    """Whether MLflow can split it into arguments."""
    try:
        shlex.split(value)
    except ValueError:
        return False
    return True


def is_bucket_name(value: str) -> bool:
    """The rules for the names of general purpose buckets (Amazon S3 User Guide)."""
    return (
        re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value) is not None
        and not any(pair in value for pair in ("..", ".-", "-."))
        and re.fullmatch(r"[0-9.]+", value) is None
        and not value.startswith(("xn--", "sthree-", "amzn-s3-demo-"))
        and not value.endswith(("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"))
    )


def is_unique_name(value: str) -> bool:
    return (
        len(value) <= 32
        and re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", value, re.ASCII) is not None
        and not value.startswith(("internal-", "sg-", "sthree-"))
        and value != "default"
    )


def is_tag_text(text: str, minimum: int, maximum: int) -> bool:
    """What all AWS services take in tags (their API references): Unicode letters, digits and spaces, and _.:/=+-@."""
    return (
        minimum <= len(text) <= maximum
        and all(unicodedata.category(c)[0] in "LNZ" or c in "_.:/=+-@" for c in text)
        and not text.lower().startswith(("aws:", "rds:"))
    )


def is_variable_name(name: t.Any) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w{0,254}", name, re.ASCII) is not None


def is_secret_reference(value: t.Any) -> bool:
    """Whether ECS takes it for a secret: an ARN, of Secrets Manager with a key, a stage and a version or without; or the name of a parameter."""
    name = rf"secretsmanager:[a-z0-9-]+:\d{{12}}:{SECRET_NAME}(:[^:]*:[\w/+=.@-]*:[\w-]*)?"
    parameter = r"ssm:[a-z0-9-]+:\d{12}:parameter/[\w./-]+"
    return isinstance(value, str) and re.fullmatch(rf"arn:aws(-[a-z]+)*:({name}|{parameter})|[\w./-]{{1,1011}}", value, re.ASCII) is not None


def is_reserved_by_cognito(domain: str) -> bool:
    return any(word in domain for word in ("aws", "amazon", "cognito"))


_FIELDS = (
    (0, 59, "", ""),
    (0, 23, "", ""),
    (1, 31, "", r"\?|LW?|\d{1,2}W|L-\d{1,2}"),
    (1, 12, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", ""),
    (1, 7, "SUN MON TUE WED THU FRI SAT", r"\?|L|(\d|[A-Z]{3})(L|#[1-5])"),
    (1970, 2199, "", ""),
)
"""Of a cron expression (Amazon EventBridge User Guide): minimum, maximum, names, and what else the field takes."""


def _cron_field(text: str, minimum: int, maximum: int, names: str, more: str) -> bool:
    def value(one: str) -> bool:
        return one in names.split() or (re.fullmatch(r"[0-9]{1,4}", one) is not None and minimum <= int(one) <= maximum)

    def item(one: str) -> bool:
        span, slash, step = one.partition("/")
        return (span == "*" or all(map(value, span.split("-", 1)))) and (not slash or re.fullmatch(r"[1-9][0-9]{0,2}", step) is not None)

    return (bool(more) and re.fullmatch(more, text, re.ASCII) is not None) or all(map(item, text.split(",")))


def is_schedule(value: str) -> bool:
    """Whether it is a schedule as Application Auto Scaling takes them."""
    kind, inside = value[:-1].partition("(")[::2] if value.endswith(")") else ("", "")
    if kind == "rate":
        return re.fullmatch(r"[1-9][0-9]{0,5} (minute|hour|day)s?", inside) is not None
    if kind == "at":
        try:
            return datetime.strptime(inside, "%Y-%m-%dT%H:%M:%S").isoformat() == inside
        except ValueError:
            return False
    fields = inside.upper().split()
    return (
        kind == "cron"
        and len(fields) == len(_FIELDS)
        and (fields[2] == "?") != (fields[4] == "?")
        and all(_cron_field(text, *field) for text, field in zip(fields, _FIELDS, strict=True))
    )


def is_timezone(value: str) -> bool:
    """Whether IANA knows it, as far as this machine has its list."""
    if re.fullmatch(r"[A-Z][\w+-]*(/[A-Z][\w+-]*)*", value, re.ASCII) is None:
        return False
    for name in (value, "UTC"):
        try:
            ZoneInfo(name)
        except (OSError, ValueError, KeyError):
            continue
        return name == value
    return True

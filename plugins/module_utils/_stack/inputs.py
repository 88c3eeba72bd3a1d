# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what a team file may say. Pure: nothing here asks AWS or reads a file.

The names, types and choices of the inputs come from the argument spec of the role ``mlflow``; the rules here are what an
argument spec cannot say: ranges, forms and what goes together.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
import shlex
import typing as t
import unicodedata
from datetime import datetime
from zoneinfo import ZoneInfo

Spec = dict[str, dict[str, t.Any]]
Inputs = dict[str, t.Any]

LOG_RETENTION = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)

FARGATE_MEMORY: dict[int, t.Collection[int]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
    32768: (61440, 122880, 249856),
}
"""MiB of memory that Fargate offers for CPU units (Amazon ECS Developer Guide, task definition parameters)."""


MAY_BE_SECRET = {
    "mlflow_api_credentials_secret_arn",
    "mlflow_database_password_secret_arn",
    "mlflow_load_balancer_oidc_client_secret_arn",
    "mlflow_service_environment",
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


Rule = t.Callable[[t.Any], bool]


def _matches(pattern: str, most: int = 2048) -> Rule:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: len(value) <= most and compiled.fullmatch(value) is not None


def _between(least: float, most: float, step: float | None = None) -> Rule:
    return lambda value: least <= value <= most and (step is None or value % step == 0)


def _each(rule: Rule, least: int = 0, most: int = 1000) -> Rule:
    return lambda values: least <= len(values) <= most and len(set(values)) == len(values) and all(map(rule, values))


def _cidr(value: str) -> bool:
    """Whether it is a CIDR block as AWS writes it."""
    try:
        return str(ipaddress.ip_network(value)) == value and "%" not in value
    except ValueError:
        return False


def _group(value: str) -> bool:
    """Whether it is a name of a group as Cognito takes them (CreateGroup)."""
    return 0 < len(value) <= 128 and all(unicodedata.category(c)[0] in "LMSNP" for c in value)


def _time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _vpc_cidr(value: str) -> bool:
    if not _cidr(value) or not value.endswith("/16"):
        return False
    network = ipaddress.ip_network(value)
    kept = network.is_loopback or network.is_link_local or network.is_multicast or network.is_reserved
    return network.version == 4 and not kept and not value.startswith("0.")


def _options(value: str) -> bool:
    """Whether MLflow can split it into arguments."""
    try:
        shlex.split(value)
    except ValueError:
        return False
    return True


def _bucket(value: str) -> bool:
    """The rules for the names of general purpose buckets (Amazon S3 User Guide)."""
    return (
        re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value) is not None
        and not any(pair in value for pair in ("..", ".-", "-."))
        and re.fullmatch(r"[0-9.]+", value) is None
        and not value.startswith(("xn--", "sthree-", "amzn-s3-demo-"))
        and not value.endswith(("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"))
    )


def _unique_name(value: str) -> bool:
    return (
        len(value) <= 32
        and re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", value, re.ASCII) is not None
        and not value.startswith(("internal-", "sg-", "sthree-"))
        and value != "default"
    )


def _tag_text(text: str, least: int, most: int) -> bool:
    """What all AWS services take in tags (their API references): Unicode letters, digits and spaces, and _.:/=+-@."""
    return (
        least <= len(text) <= most
        and all(unicodedata.category(c)[0] in "LNZ" or c in "_.:/=+-@" for c in text)
        and not text.lower().startswith(("aws:", "rds:"))
    )


def _is_text(value: t.Any) -> bool:
    """Whether it is text, or a number that stays the same as text: YAML takes 1.10 for 1.1, and yes for true."""
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18)


_FIELDS = (
    (0, 59, "", ""),
    (0, 23, "", ""),
    (1, 31, "", r"\?|LW?|\d{1,2}W|L-\d{1,2}"),
    (1, 12, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", ""),
    (1, 7, "SUN MON TUE WED THU FRI SAT", r"\?|L|(\d|[A-Z]{3})(L|#[1-5])"),
    (1970, 2199, "", ""),
)
"""Of a cron expression (Amazon EventBridge User Guide): least, most, names, and what else the field takes."""


def _cron_field(text: str, least: int, most: int, names: str, more: str) -> bool:
    def value(one: str) -> bool:
        return one in names.split() or (re.fullmatch(r"[0-9]{1,4}", one) is not None and least <= int(one) <= most)

    def item(one: str) -> bool:
        span, slash, step = one.partition("/")
        return (span == "*" or all(map(value, span.split("-", 1)))) and (not slash or re.fullmatch(r"[1-9][0-9]{0,2}", step) is not None)

    return (bool(more) and re.fullmatch(more, text, re.ASCII) is not None) or all(map(item, text.split(",")))


def _schedule(value: str) -> bool:
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


def _timezone(value: str) -> bool:
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


def _arn(service: str, resource: str, region: str = r"[a-z0-9-]+") -> Rule:
    return _matches(rf"arn:aws(-[a-z]+)*:{service}:{region}:\d{{12}}:{resource}")


is_role_arn = _arn("iam", r"role/[\w+=,.@/-]{1,576}", region="")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = rf"({_LABEL}\.)+{_LABEL}\.?"
_ID = r"([0-9a-f]{8}|[0-9a-f]{17})"
_SECRET_NAME = r"secret:[\w/+=.@!-]{1,512}-[A-Za-z0-9]{6}"
_SECRET = (_arn("secretsmanager", _SECRET_NAME), "give the full ARN of a Secrets Manager secret, with the six characters at its end")
_KEY = (_arn("kms", r"key/[\w-]+"), "give the ARN of a KMS key itself: IAM policies name it, and they know no aliases")
_KEY_OR_ALIAS = (_arn("kms", r"(key|alias)/[\w/-]+"), "give the ARN of a KMS key")
_CERTIFICATE = (_arn("acm", r"certificate/[\w-]+"), "give the ARN of an ACM certificate in the region of the stack")
_SUBNETS = (_each(_matches(rf"subnet-{_ID}"), 2, 16), "give two or more different subnets, at most 16, such as subnet-0a1b2c3d4e5f67890")
_ZONE_ID = (_matches(r"[A-Z0-9]{1,32}"), "give the ID of a hosted zone, such as Z0123456789ABCDEFGHIJ, without /hostedzone/")
_ZONE_NAME = (_matches(_DOMAIN, 254), "give the name of the hosted zone, in lower case, such as ml.example.com")
_URL = (_matches(r"https://[\w.~:/?#\[\]@!$&()*+,;=%-]+"), "give a URL that begins with https://, without quotes, spaces and braces")
_CLIENT_ID = (_matches(r"[\w+]{1,128}"), "give the ID of an app client of the Cognito user pool")
_SCOPE = _matches(r"[!#-\[\]-~]{1,513}")
_BUCKET = (_bucket, "give the name of a bucket, not an ARN or a URL")
_SNAPSHOT = (_matches(r"(?=.{1,63}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"), "give 1 to 63 lower-case letters, digits and single hyphens, beginning with a letter")
_PATH = r"(?!\.\.?(/|$))[\w!.'()-]+(/(?!\.\.?(/|$))[\w!.'()-]+)*"
_OPTIONS = (_options, "close each quote: MLflow splits the options as a shell does")
_ACU = "give Aurora capacity units in steps of 0.5"

RULES: dict[str, tuple[Rule, str]] = {
    "mlflow_unique_name": (
        _unique_name,
        "give 1 to 32 lower-case letters, digits and single hyphens, beginning with a letter and not with internal-, sg- or "
        "sthree-, other than default: it is part of every name in AWS, of which the load balancer's is the shortest",
    ),
    "mlflow_break_lease": (_matches(r"[0-9a-f]{8}"), "give the ID of the lease, as the run says that it stops: 8 hexadecimal digits, in quotes"),
    "mlflow_aws_account_id": (_matches(r"\d{12}"), "give the 12 digits of the account, in quotes"),
    "mlflow_aws_region": (_matches(r"[a-z]{2,}(-[a-z]+)+-\d{1,2}", 32), "give the code of a region, such as eu-west-1"),
    "mlflow_aws_profile": (_matches(r"[^\[\]\x00-\x1f]+", 256), "give the name of a profile of the AWS configuration files"),
    "mlflow_aws_assume_role_arn": (is_role_arn, "give the ARN of an IAM role"),
    "mlflow_aws_assume_role_duration": (_between(900, 43200), "give 900 to 43200 seconds, at most the MaxSessionDuration of the role"),
    "mlflow_aws_assume_role_external_id": (_matches(r"[\w+=,.@:/-]{2,1224}"), "give the external ID that the trust policy of the role asks for"),
    "mlflow_vpc_id": (_matches(rf"vpc-{_ID}"), "give the ID of a VPC, such as vpc-0a1b2c3d4e5f67890"),
    "mlflow_load_balancer_subnet_ids": _SUBNETS,
    "mlflow_service_subnet_ids": _SUBNETS,
    "mlflow_database_subnet_ids": _SUBNETS,
    "mlflow_record_name": (_matches(rf"({_LABEL}\.)*{_LABEL}"), "give the first part of the host name, in lower case, such as mlflow"),
    "mlflow_zone_id": _ZONE_ID,
    "mlflow_api_zone_id": _ZONE_ID,
    "mlflow_zone_name": _ZONE_NAME,
    "mlflow_api_zone_name": _ZONE_NAME,
    "mlflow_certificate_arn": _CERTIFICATE,
    "mlflow_api_cert_arn": _CERTIFICATE,
    "mlflow_load_balancer_ingress_cidr_blocks": (
        _each(_cidr, 1),
        "give one or more different CIDR blocks without host bits, such as 10.0.0.0/8, IPv6 in its short form, such as 2001:db8::/32",
    ),
    "mlflow_load_balancer_ssl_policy": (
        _matches(r"ELBSecurityPolicy-(TLS13-1-[23]|FS-1-2)[\w-]*", 64),
        "give a policy of TLS 1.2 or newer, such as ELBSecurityPolicy-TLS13-1-2-2021-06",
    ),
    "mlflow_load_balancer_idle_timeout": (_between(1, 4000), "give 1 to 4000 seconds"),
    "mlflow_load_balancer_session_timeout": (_between(1, 604800), "give 1 to 604800 seconds"),
    "mlflow_load_balancer_access_logs_bucket": _BUCKET,
    "mlflow_load_balancer_access_logs_prefix": (
        lambda v: re.fullmatch(_PATH, v, re.ASCII) is not None and len(v) <= 512 and "AWSLogs" not in v,
        "give a prefix such as logs/mlflow, without AWSLogs and without a slash at either end",
    ),
    "mlflow_load_balancer_oidc_issuer": _URL,
    "mlflow_load_balancer_oidc_authorization_endpoint": _URL,
    "mlflow_load_balancer_oidc_token_endpoint": _URL,
    "mlflow_load_balancer_oidc_user_info_endpoint": _URL,
    "mlflow_load_balancer_oidc_client_id": (_matches(r"[!-~]+", 1024), "give the ID of the client, of printable ASCII without spaces"),
    "mlflow_load_balancer_oidc_client_secret_arn": _SECRET,
    "mlflow_load_balancer_oidc_scope": (
        lambda v: "openid" in v and all(re.fullmatch(r"[!#-\[\]-~]{1,256}", scope) for scope in v.split(" ")),
        "give scopes with a space between them, openid among them, such as openid email",
    ),
    "mlflow_aws_cognito_user_pool_arn": (
        _matches(r"arn:aws(-[a-z]+)*:cognito-idp:([a-z0-9-]+):\d{12}:userpool/\2_[0-9a-zA-Z]+"),
        "give the ARN of a Cognito user pool",
    ),
    "mlflow_aws_cognito_user_pool_client_id": _CLIENT_ID,
    "mlflow_aws_cognito_user_pool_domain": (
        _matches(rf"{_LABEL}|{_DOMAIN}", 253),
        "give the domain prefix of the user pool, such as team-x, or its own domain, without https://",
    ),
    "mlflow_api_client_ids": (_each(_CLIENT_ID[0], most=49), "give at most 49 different IDs of app clients of the Cognito user pool"),
    "mlflow_api_groups": (_each(_group, most=100), "give different names of groups of the Cognito user pool, at most 100, without spaces"),
    "mlflow_api_scopes": (
        _each(_SCOPE, most=10),
        "give different scopes, at most 10, which API Gateway takes, as <resource server>/<scope>, such as mlflow/write",
    ),
    "mlflow_api_credentials_secret_arn": _SECRET,
    "mlflow_api_throttling_rate_limit": (_between(1, 10000), "give 1 to 10000 requests a second"),
    "mlflow_api_throttling_burst_limit": (_between(1, 5000), "give 1 to 5000 requests"),
    "mlflow_rds_cluster_engine_version": (
        _matches(r"[0-9]+(\.[0-9a-z_]+)*", 64),
        "give a version as Amazon RDS spells it, such as 8.0.mysql_aurora.3.10.3 or 17.7",
    ),
    "mlflow_database_password_secret_arn": _SECRET,
    "mlflow_key_arn": _KEY,
    "mlflow_database_kms_key_arn": _KEY_OR_ALIAS,
    "mlflow_database_master_username": (
        lambda v: re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,15}", v, re.ASCII) is not None and v.lower() not in ("mlflow", "rdsadmin"),
        "give 1 to 16 letters, digits and underscores, beginning with a letter, other than rdsadmin, which is AWS's own, and mlflow, which "
        "is that of the servers",
    ),
    "mlflow_database_min_capacity": (_between(0, 256, 0.5), f"{_ACU}, 0 to 256"),
    "mlflow_database_max_capacity": (_between(1, 256, 0.5), f"{_ACU}, 1 to 256"),
    "mlflow_database_seconds_until_auto_pause": (_between(300, 86400), "give 300 to 86400 seconds"),
    "mlflow_database_reader_count": (_between(0, 15), "give 0 to 15 readers"),
    "mlflow_database_backup_retention_days": (_between(1, 35), "give 1 to 35 days"),
    "mlflow_database_ca_file": (_matches(r"(/[\w.@+-]+)+"), "give the full path of a file in the image, such as /etc/ssl/rds-global-bundle.pem"),
    "mlflow_backup_name": _SNAPSHOT,
    "mlflow_restore_snapshot": (_matches(r"[a-z][a-z0-9:-]{0,254}"), "give the name of a cluster snapshot, not its ARN"),
    "mlflow_restore_time": (lambda v: v == "latest" or _time(v), "give a time with its zone, such as 2026-11-22T22:15:00Z, or latest"),
    "mlflow_restore_cluster": _SNAPSHOT,
    "mlflow_restore_discard": _SNAPSHOT,
    "mlflow_artifact_bucket_id": _BUCKET,
    "mlflow_artifact_bucket_path": (
        _matches(rf"/?|/?{_PATH}/?", 512),
        "give a path such as /mlflow, of letters, digits and _ - . ! ' ( ), without empty parts, . and ..",
    ),
    "mlflow_artifact_bucket_encryption_key_arn": _KEY,
    "mlflow_artifact_bucket_noncurrent_days": (_between(1, 36500), "give 1 to 36500 days"),
    "mlflow_artifact_buckets_mlflow_will_read": (
        _each(lambda v: _bucket(v) or re.fullmatch(r"arn:aws(-[a-z]+)*:s3:::[\w.*?/-]{1,1024}", v, re.ASCII) is not None),
        "give different bucket names or ARNs such as arn:aws:s3:::bucket-prefix-*",
    ),
    "mlflow_service_image": (
        _matches(r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*", 255),
        "give an image without tag, such as ghcr.io/mlflow/mlflow; the tag goes into mlflow_service_image_tag",
    ),
    "mlflow_service_image_tag": (_matches(r"\w[\w.-]{0,127}"), "give a tag, such as v3.18.0-full"),
    "mlflow_service_cpu": (lambda v: v in FARGATE_MEMORY, f"give one of {', '.join(map(str, FARGATE_MEMORY))}"),
    "mlflow_service_workers": (_between(1, 64), "give 1 to 64 workers"),
    "mlflow_service_min_capacity": (_between(0, 1000), "give 0 to 1000 tasks"),
    "mlflow_service_max_capacity": (_between(0, 1000), "give 0 to 1000 tasks"),
    "mlflow_service_cpu_target": (_between(0, 100), "give 1 to 100 percent, or 0 for none"),
    "mlflow_service_log_retention_in_days": (lambda v: v in LOG_RETENTION, f"give one of the retentions of CloudWatch: {', '.join(map(str, LOG_RETENTION))}"),
    "mlflow_service_health_check_grace_period_seconds": (_between(0, 2147483647), "give 0 to 2147483647 seconds"),
    "mlflow_gunicorn_opts": _OPTIONS,
    "mlflow_uvicorn_opts": _OPTIONS,
    "mlflow_bootstrap_vpc_cidr": (_vpc_cidr, "give a /16, such as 10.0.0.0/16"),
    "mlflow_bootstrap_zone_id": _ZONE_ID,
    "mlflow_bootstrap_api_zone_id": _ZONE_ID,
    "mlflow_bootstrap_cognito_domain": (
        lambda v: re.fullmatch(_LABEL, v) is not None and not _reserved_by_cognito(v),
        "give 1 to 63 lower-case letters, digits and hyphens, without the words aws, amazon and cognito",
    ),
    "mlflow_bootstrap_api_users": (
        _each(lambda v: 0 < len(v) <= 128 and v.isprintable() and not set(v) & {":", " "}),
        "give different names without colons and spaces",
    ),
    "mlflow_tags": (
        lambda v: len(v) <= 40 and len({key.lower() for key in v}) == len(v),
        "give at most 40 tags, whose keys differ in more than upper and lower case: AWS takes 50 with those of the collection",
    ),
}
"""What a value must be, and what to do otherwise. An empty string is right where it is the default: not given."""


OWN_TAGS = (
    "managed-by",
    "mlflow-client-secret-version",
    "mlflow-database-prepared",
    "mlflow-database-schema",
    "mlflow-database-snapshot",
    "mlflow-database-snapshot-version",
    "mlflow-desired-count",
    "mlflow-dns-records",
    "mlflow-password-version",
    "mlflow-restored-at",
    "mlflow-restored-from",
    "mlflow-stack",
    "mlflow-version",
)
"""Tags by which the collection recognises what is its own and remembers what AWS cannot be asked."""


def _reserved_by_cognito(domain: str) -> bool:
    return any(word in domain for word in ("aws", "amazon", "cognito"))


def _secret_reference(value: t.Any) -> bool:
    """Whether ECS takes it for a secret: an ARN, of Secrets Manager with a key, a stage and a version or without."""
    name = rf"secretsmanager:[a-z0-9-]+:\d{{12}}:{_SECRET_NAME}(:[^:]*:[\w/+=.@-]*:[\w-]*)?"
    parameter = r"ssm:[a-z0-9-]+:\d{12}:parameter/[\w./-]+"
    return isinstance(value, str) and re.fullmatch(rf"arn:aws(-[a-z]+)*:({name}|{parameter})", value, re.ASCII) is not None


def _variable(name: t.Any) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w{0,254}", name, re.ASCII) is not None


ITEMS: dict[str, tuple[t.Callable[[t.Any, t.Any], bool], str]] = {
    "mlflow_service_environment": (
        lambda k, v: _variable(k) and _is_text(v),
        "give a dict of variable names to strings; quote what YAML would take for something else: true, yes, 1.10, dates, null",
    ),
    "mlflow_service_secrets": (
        lambda k, v: _variable(k) and _secret_reference(v),
        "give a dict of variable names to full ARNs in Secrets Manager or Parameter Store",
    ),
    "mlflow_tags": (
        lambda k, v: isinstance(k, str) and _tag_text(k, 1, 128) and k.lower() not in OWN_TAGS and _is_text(v) and _tag_text(str(v), 0, 256),
        "give keys of 1 to 128 and values of at most 256 letters, digits, spaces and _ . : / = + - @, which do not begin with aws: or rds:, "
        "and are no tag that the collection itself sets, such as managed-by; quote what YAML would take for something else: true, yes, 1.10, dates, null",
    ),
}
"""What each item of a dict must be. Of an input with wrong items, only those are shown."""


def unknown_names(names: t.Iterable[str], known: t.Collection[str]) -> list[Problem]:
    """A problem for each name that is meant to be an input and is none, with the nearest one that is."""
    problems = []
    for name in sorted(set(names) - set(known)):
        prefix, _sep, rest = name.lower().partition("_")
        if prefix == "mlflow":
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
        elif f"mlflow_{rest}" in known and difflib.SequenceMatcher(None, prefix, "mlflow").ratio() > 0.75:
            nearest = f"mlflow_{rest}"
        else:
            continue
        problems.append(Problem(name, None, f"there is no such input; did you mean {nearest}?"))
    return problems


_KIND = {
    "bool": "true or false",
    "dict": "a dict: each key with its value on a line of its own",
    "float": "a number",
    "int": "a whole number",
    "list": "a list: each item on a line of its own, after a hyphen",
    "path": "a path",
    "str": "a string, in quotes where YAML takes it for something else, such as 1.10",
}
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_WHOLE = r"-?(0|[1-9][0-9]{0,17})"


def typed(value: t.Any, option: dict[str, t.Any]) -> t.Any:
    """The value as the type that the argument spec declares. Raises ValueError with the remedy.

    Text in place of a number, true or false is what ``-e name=value`` gives; the roles take it for the same.
    """
    kind = option.get("type", "str")
    text = value.lower() if isinstance(value, str) else ""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if kind in ("str", "path") and _is_text(value):
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
        except ValueError as error:
            raise ValueError(f"as {name} {error}") from None
    return result


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


SERVER_SECRETS = ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_CRYPTO_KEK_PASSPHRASE", "MLFLOW_FLASK_SERVER_SECRET_KEY", "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY")
READER_SECRETS = ("MLFLOW_READ_REPLICA_BACKEND_STORE_URI",)
"""Variables that the role ``ecs`` gives the server as secrets, those of the second kind where it is to read from the readers."""


def reads_from_readers(inputs: Inputs) -> bool:
    """Whether MLflow is told to read from the readers of the database, and there are some."""
    return bool(inputs.get("mlflow_database_read_from_readers") and inputs.get("mlflow_database_reader_count"))


def most_servers(inputs: Inputs) -> int:
    """How many servers may run at the same time, by the limits of their number and those that a schedule sets."""
    actions = inputs.get("mlflow_service_scheduled_actions") or []
    return max([inputs.get("mlflow_service_max_capacity") or 0, *(action.get("max_capacity") or 0 for action in actions)])


def runs_jobs(inputs: Inputs) -> bool:
    """Whether the servers run MLflow's jobs."""
    given = (inputs.get("mlflow_service_environment") or {}).get("MLFLOW_SERVER_ENABLE_JOB_EXECUTION")
    return not inputs.get("mlflow_database_auto_pause") if given in (None, "") else str(given).lower() in ("true", "1")


BOOTSTRAP_NEEDS = ("mlflow_unique_name", "mlflow_record_name", "mlflow_zone_name", "mlflow_api_zone_name")
"""What ``bootstrap`` cannot do without; the other required inputs are what it makes."""


def check(given: Inputs, spec: Spec, *, bootstrap: bool = False) -> tuple[Inputs, list[Problem]]:
    """The inputs in their types, and all that is wrong with them. A value with a problem is not in the result."""
    values: Inputs = {}
    problems: list[Problem] = []
    for name, option in spec.items():
        value = given.get(name)
        required = option.get("required")
        needed = required and (not bootstrap or name in BOOTSTRAP_NEEDS)
        if value is None and name not in given and not needed:
            continue
        if needed and (value is None or value == ""):
            problems.append(Problem(name, None, f"is missing: {_plain(option['description'][0])}"))
        elif required and (value is None or value == ""):  # what bootstrap makes
            continue
        elif value == "" and option.get("default") == "":
            values[name] = value
        else:
            problem = _problem(name, value, option)
            if problem:
                problems.append(problem)
            else:
                values[name] = typed(value, option)
    return values, problems + list(_together(values, bootstrap))


def _problem(name: str, value: t.Any, option: dict[str, t.Any]) -> Problem | None:
    """What is wrong with one value by itself."""
    if value is None or (value == "" and name not in RULES):
        return Problem(name, None, "is empty: leave the line out for the default, or give a value")
    remedy = unusable(value)
    if remedy:
        return Problem(name, value, remedy)
    try:
        value = typed(value, option)
    except ValueError as error:
        return Problem(name, value, str(error))
    if "choices" in option and value not in option["choices"]:
        return Problem(name, value, f"give one of {', '.join(option['choices'])}")
    if name in ITEMS:
        right, remedy = ITEMS[name]
        wrong = {k: v for k, v in value.items() if not right(k, v)}
        if wrong:
            named = ", ".join(k for k in wrong if _variable(k))[:100] if name in MAY_BE_SECRET else ""
            return Problem(name, wrong, f"{named}: {remedy}" if named else remedy)
    if name in RULES and not RULES[name][0](value):
        return Problem(name, value, RULES[name][1])
    return None


def _plain(description: str) -> str:
    """A description without Ansible's markup."""
    return re.sub(r"\b[A-Z]\(([^)]*)\)", r"\1", description).rstrip(".")


def _together(v: Inputs, bootstrap: bool) -> t.Iterator[Problem]:
    """What is wrong with inputs that are right one by one. A rule is left out where an input that it needs is not there."""

    def have(*names: str) -> bool:
        return all(v.get(name) not in (None, "") for name in names)

    if have("mlflow_record_name", "mlflow_zone_name", "mlflow_api_zone_name"):
        if v["mlflow_zone_name"].rstrip(".") == v["mlflow_api_zone_name"].rstrip("."):
            yield Problem(
                "mlflow_api_zone_name",
                v["mlflow_api_zone_name"],
                "people and programs would get one host name: give a zone other than mlflow_zone_name, such as api.<zone_name>",
            )
        for zone in ("mlflow_zone_name", "mlflow_api_zone_name"):
            host = f"{v['mlflow_record_name']}.{v[zone].rstrip('.')}"
            if len(host) > 128:
                reason = f"the host name {host[:20]}... is longer than 128 characters, the most that a load balancer's rule takes"
                yield Problem("mlflow_record_name", v["mlflow_record_name"], reason)
            elif bootstrap and len(host) > _CERTIFICATE_NAME:
                reason = (
                    f"the host name {host[:20]}... has {len(host)} characters, and ACM takes {_CERTIFICATE_NAME} in the first name of a certificate: "
                    "give a shorter one, or make the prerequisites without bootstrap"
                )
                yield Problem("mlflow_record_name", v["mlflow_record_name"], reason)
    if have("mlflow_service_cpu", "mlflow_service_memory"):
        memory = FARGATE_MEMORY[v["mlflow_service_cpu"]]
        if v["mlflow_service_memory"] not in memory:
            offered = ", ".join(map(str, memory))
            yield Problem(
                "mlflow_service_memory", v["mlflow_service_memory"], f"Fargate offers these MiB with mlflow_service_cpu {v['mlflow_service_cpu']}: {offered}"
            )
    for least, most in (("mlflow_database_min_capacity", "mlflow_database_max_capacity"), ("mlflow_service_min_capacity", "mlflow_service_max_capacity")):
        if have(least, most) and v[least] > v[most]:
            yield Problem(least, v[least], f"give at most {most}, which is {v[most]}")
    if have("mlflow_database_engine", "mlflow_rds_cluster_engine_version"):
        version = v["mlflow_rds_cluster_engine_version"]
        if (v["mlflow_database_engine"] == "aurora-mysql") != (".mysql_aurora." in version):
            yield Problem(
                "mlflow_rds_cluster_engine_version",
                version,
                f"this is no version of {v['mlflow_database_engine']}: give one such as 8.0.mysql_aurora.3.10.3 for aurora-mysql, 17.7 for aurora-postgresql",
            )
    if v.get("mlflow_database_engine") in _RESERVED_USERS and have("mlflow_database_master_username"):
        user = v["mlflow_database_master_username"].lower()
        if user in _RESERVED_USERS[v["mlflow_database_engine"]] or (user.startswith("pg_") and v["mlflow_database_engine"] == "aurora-postgresql"):
            yield Problem(
                "mlflow_database_master_username",
                v["mlflow_database_master_username"],
                f"{v['mlflow_database_engine']} keeps this name for itself: give another one, such as mlflow_admin",
            )
    if v.get("mlflow_database_auto_pause") is False and have("mlflow_database_min_capacity"):
        if v["mlflow_database_min_capacity"] < 0.5:
            yield Problem("mlflow_database_min_capacity", v["mlflow_database_min_capacity"], "give 0.5 or more, or set mlflow_database_auto_pause to true")
    if v.get("mlflow_artifact_bucket_encryption_algorithm") == "aws:kms" and not have("mlflow_artifact_bucket_encryption_key_arn"):
        if not have("mlflow_artifact_bucket_id"):
            yield Problem(
                "mlflow_artifact_bucket_encryption_key_arn", "", "is missing: give the key, since mlflow_artifact_bucket_encryption_algorithm is aws:kms"
            )
    if v.get("mlflow_api_authorizer") == "jwt" and have("mlflow_api_credentials_secret_arn"):
        yield Problem(
            "mlflow_api_credentials_secret_arn",
            v["mlflow_api_credentials_secret_arn"],
            "HTTP Basic needs mlflow_api_authorizer lambda: leave this input out, or choose lambda",
        )
    yield from _callers(v)
    if v.get("mlflow_load_balancer_sign_in") == "oidc":
        for part in ("issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint", "client_id", "client_secret_arn"):
            if not have(f"mlflow_load_balancer_oidc_{part}"):
                yield Problem(f"mlflow_load_balancer_oidc_{part}", "", "is missing: mlflow_load_balancer_sign_in is oidc")
    environment, secrets = (v.get(f"mlflow_service_{part}") or {} for part in ("environment", "secrets"))
    twice = environment.keys() & {*secrets, *SERVER_SECRETS, *(READER_SECRETS if reads_from_readers(v) else ())}
    if twice:
        yield Problem("mlflow_service_environment", ", ".join(sorted(twice)), "ECS takes no variable that is a secret of the server too: leave it out here")
    if have("mlflow_gunicorn_opts", "mlflow_uvicorn_opts"):
        yield Problem("mlflow_gunicorn_opts", v["mlflow_gunicorn_opts"], "MLflow takes one server: leave out this or mlflow_uvicorn_opts")
    if have("mlflow_service_image", "mlflow_service_image_tag"):
        image = f"{v['mlflow_service_image']}:{v['mlflow_service_image_tag']}"
        if len(image) > 255:
            yield Problem("mlflow_service_image", v["mlflow_service_image"], "ECS takes at most 255 characters of image and tag together")
    paths = [name for name in ("mlflow_outputs_path", "mlflow_plan_path", "mlflow_bootstrap_team_file") if have(name)]
    for index, name in enumerate(paths):
        same = [other for other in paths[:index] if v[other] == v[name]]
        if same:
            yield Problem(name, v[name], f"{same[0]} is this file too: give another one")
    for given, of_stack in (("mlflow_bootstrap_zone_id", "mlflow_zone_id"), ("mlflow_bootstrap_api_zone_id", "mlflow_api_zone_id")):
        if bootstrap and have(given, of_stack) and v[given] != v[of_stack]:
            yield Problem(given, v[given], f"{of_stack} is {v[of_stack]}: leave one of the two out")
    if bootstrap and have("mlflow_unique_name") and not v.get("mlflow_bootstrap_cognito_domain"):
        if _reserved_by_cognito(v["mlflow_unique_name"]):
            yield Problem(
                "mlflow_bootstrap_cognito_domain",
                None,
                f"is missing: give one without the words aws, amazon and cognito, which mlflow_unique_name {v['mlflow_unique_name']} holds",
            )
    yield from _containers(v)
    yield from _policies(v)
    yield from _scheduled_actions(v)


_FUNCTION_ENVIRONMENT = 4096
"""Bytes that AWS Lambda takes of a function's environment, as JSON."""


def _callers(v: Inputs) -> t.Iterator[Problem]:
    """Which users of the pool may use the API."""
    jwt, groups, scopes = v.get("mlflow_api_authorizer") == "jwt", v.get("mlflow_api_groups") or [], v.get("mlflow_api_scopes") or []
    if jwt and groups:
        yield Problem(
            "mlflow_api_groups", groups, "mlflow_api_authorizer jwt is API Gateway itself, which checks no groups: leave this input out, or choose lambda"
        )
    for scope in scopes:
        if jwt and len(scope) > 64:
            yield Problem("mlflow_api_scopes", scope, "with mlflow_api_authorizer jwt give scopes of at most 64 characters, which API Gateway takes")
    lists = {"mlflow_api_client_ids": v.get("mlflow_api_client_ids") or [], "mlflow_api_groups": groups, "mlflow_api_scopes": scopes}
    environment = {  # as the role apigw has it
        "COGNITO_USER_POOL_ID": v.get("mlflow_aws_cognito_user_pool_arn", "").rpartition("/")[2],
        "COGNITO_CLIENT_IDS": ",".join([v.get("mlflow_aws_cognito_user_pool_client_id", ""), *lists["mlflow_api_client_ids"]]),
        "API_GROUPS": json.dumps(groups),
        "API_SCOPES": json.dumps(scopes),
        "API_CREDENTIALS_SECRET_ARN": v.get("mlflow_api_credentials_secret_arn", ""),
    }
    size = len(json.dumps(environment))
    if not jwt and size > _FUNCTION_ENVIRONMENT:
        largest = max(lists, key=lambda name: len(json.dumps(lists[name])))
        yield Problem(
            largest,
            lists[largest],
            f"app clients, groups and scopes take {size} bytes of the authorizer's environment, and AWS Lambda takes "
            f"{_FUNCTION_ENVIRONMENT}: give fewer, or shorter ones",
        )


_RESERVED_USERS = {
    "aurora-mysql": "root event_scheduler mysql_infoschema mysql_session mysql_sys rdsrepladmin system".split(),
    "aurora-postgresql": (
        "admin postgres public none all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create "
        "current_catalog current_date current_role current_time current_user default deferrable desc distinct do else end except false fetch "
        "for foreign from grant group having in initially intersect into lateral leading limit localtime not null offset on only or order "
        "placing primary references rdsrepladmin rds_superuser returning select session_user some symmetric table then to trailing true union "
        "unique user using variadic when where window with"
    ).split(),
}
"""Names that a database's master user cannot have, by engine: of the engine's own users and roles, and reserved words of PostgreSQL."""


def secret_arn(reference: str) -> str:
    """The ARN in what a container definition says of a secret: without the JSON key, version stage and version that ECS takes with it."""
    return ":".join(reference.split(":")[:7])


def sidecar_secrets(sidecar: dict[str, t.Any]) -> list[tuple[str, t.Any]]:
    """What a sidecar needs of Secrets Manager and Parameter Store to start, with the field that says so."""

    def part(name: str, inside: str) -> t.Any:
        return sidecar[name].get(inside) if isinstance(sidecar.get(name), dict) else None

    lists = (("secrets", sidecar.get("secrets")), ("logConfiguration.secretOptions", part("logConfiguration", "secretOptions")))
    found = [(field, each.get("valueFrom")) for field, given in lists if isinstance(given, list) for each in given if isinstance(each, dict)]
    credentials = part("repositoryCredentials", "credentialsParameter")
    return found if credentials is None else [*found, ("repositoryCredentials.credentialsParameter", credentials)]


_CERTIFICATE_NAME = 64
_SIDECARS = 8
"""Of the ten containers that a task definition takes, two are ours."""
_SCHEDULED_ACTIONS = 200
"""Of a scalable target (Application Auto Scaling)."""
_ARNS_IN_POLICY = 9 * 1024
"""Characters of ARNs that inputs put into the inline policy of a role, of which IAM takes 10,240 in all, without blanks."""
_TASK_DEFINITION = 48 * 1024
"""Characters of the inputs in a task definition, of which ECS takes 64 KiB in all."""


def _containers(v: Inputs) -> t.Iterator[Problem]:
    given = "mlflow_service_sidecar_container_definitions"
    sidecars = v.get(given) or []
    if len(sidecars) > _SIDECARS:
        yield Problem(given, None, f"they are {len(sidecars)}, and ECS takes {_SIDECARS} beside the two containers of the stack: give fewer")
    names = [sidecar.get("name") for sidecar in sidecars]
    known = ("mlflow", "tmp-permissions", *(name for name in names if isinstance(name, str)))
    for index, sidecar in enumerate(sidecars):
        where, name = f"{given}[{index}]", names[index]
        if not isinstance(name, str) or not re.fullmatch(r"[\w-]{1,255}", name, re.ASCII) or name in known[:2]:
            yield Problem(f"{where}.name", name, "give a name of letters, digits, - and _, other than mlflow and tmp-permissions")
        elif name in names[:index]:
            yield Problem(f"{where}.name", name, "another sidecar has this name: give each its own")
        image = sidecar.get("image")
        if not isinstance(image, str) or not re.fullmatch(r"[\w.:/@-]{1,255}", image, re.ASCII):
            yield Problem(f"{where}.image", image, "give an image")
        after = sidecar.get("dependsOn") if isinstance(sidecar.get("dependsOn"), list) else []
        for other in (d.get("containerName") for d in after if isinstance(d, dict)):
            if other not in known or other == name:
                yield Problem(f"{where}.dependsOn", other, f"give one of the other containers: {', '.join(known)}")
        for field, reference in sidecar_secrets(sidecar):
            registry = field.startswith("repositoryCredentials")
            if registry and not (isinstance(reference, str) and _SECRET[0](reference)):
                yield Problem(f"{where}.{field}", None, _SECRET[1])
            elif not registry and not _secret_reference(reference):
                remedy = "give full ARNs in Secrets Manager or Parameter Store, which the role that starts the tasks may then read"
                yield Problem(f"{where}.{field}", None, remedy)
    inside = [v.get(part) or {} for part in ("mlflow_service_environment", "mlflow_service_secrets", given)]
    size = len(json.dumps(inside, default=str))
    if size > _TASK_DEFINITION:
        largest = max(zip(map(len, map(str, inside)), ("mlflow_service_environment", "mlflow_service_secrets", given)))[1]
        yield Problem(
            largest,
            None,
            f"environment, secrets and sidecars are {size} characters together, and ECS takes {_TASK_DEFINITION}: "
            "keep what is long in S3 or in Parameter Store",
        )


def _policies(v: Inputs) -> t.Iterator[Problem]:
    """What the roles of the tasks name one by one."""
    buckets, secrets = "mlflow_artifact_buckets_mlflow_will_read", "mlflow_service_secrets"
    named = {each if each.startswith("arn:") else f"arn:aws:s3:::{each}" for each in v.get(buckets) or []}
    listed, read = ({re.sub("/.*", "", arn) for arn in named}, {arn if "/" in arn else f"{arn}/*" for arn in named})
    valued = {":".join(value.split(":")[:7]) for value in (v.get(secrets) or {}).values()}
    for name, arns, remedy in (
        (buckets, [*listed, *read], "name fewer, by an ARN with * where they have a common prefix"),
        (secrets, [*valued], "keep several values in one secret, as a JSON object"),
    ):
        size = sum(len(arn) + 3 for arn in arns)  # with quotes and comma
        if size > _ARNS_IN_POLICY:
            yield Problem(name, None, f"the role of the tasks would name {size} characters of ARNs, and IAM takes {_ARNS_IN_POLICY} there: {remedy}")


def _scheduled_actions(v: Inputs) -> t.Iterator[Problem]:
    actions = v.get("mlflow_service_scheduled_actions") or []
    if len(actions) > _SCHEDULED_ACTIONS:
        given = "mlflow_service_scheduled_actions"
        yield Problem(given, None, f"they are {len(actions)}, and Application Auto Scaling takes {_SCHEDULED_ACTIONS}: give fewer")
    for index, action in enumerate(actions):
        where = f"mlflow_service_scheduled_actions[{index}]"
        if not re.fullmatch(r"(?! )[^\x00-\x1f\x7f-\x9f:/|]{1,200}(?<! )", action["name"]):
            yield Problem(f"{where}.name", action["name"], "give a name of 1 to 200 characters, without : / | and spaces at its ends")
        if action["name"] in (a["name"] for a in actions[:index]):
            yield Problem(f"{where}.name", action["name"], "another action has this name: give each its own")
        if not _schedule(action["schedule"]):
            yield Problem(
                f"{where}.schedule",
                action["schedule"],
                "give cron(minutes hours day-of-month month day-of-week year) with ? for one of the two days, such as cron(0 20 * * ? *), "
                "or rate(2 hours), or at(2030-01-31T06:00:00)",
            )
        if "timezone" in action and not _timezone(action["timezone"]):
            yield Problem(f"{where}.timezone", action["timezone"], "give a time zone of IANA, such as Europe/Madrid")
        least, most = action.get("min_capacity"), action.get("max_capacity")
        if least is None and most is None:
            yield Problem(where, action["name"], "give min_capacity, max_capacity or both")
        for key, value, highest in (("min_capacity", least, 1000 if most is None else most), ("max_capacity", most, 1000)):
            if value is not None and not 0 <= value <= highest:
                yield Problem(f"{where}.{key}", value, f"give 0 to {max(0, min(highest, 1000))} tasks")

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what a team file may say. Pure: nothing here asks AWS or reads a file.

The names, types and choices of the inputs come from the argument spec of the role C(mlflow); the rules here are what an
argument spec cannot say: ranges, forms and what goes together.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import typing as t
from datetime import datetime

from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.common.validation import (
    check_type_bool,
    check_type_dict,
    check_type_float,
    check_type_int,
    check_type_list,
)

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


class Problem(t.NamedTuple):
    """What is wrong with one input, and the remedy."""

    variable: str
    value: t.Any
    remedy: str

    def __str__(self) -> str:
        shown = to_text(self.value)
        return f"{self.variable}: {shown[:77] + '...' if len(shown) > 80 else shown!r}: {self.remedy}"


Rule = t.Callable[[t.Any], bool]


def _matches(pattern: str) -> Rule:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _between(least: float, most: float, step: float | None = None) -> Rule:
    return lambda value: least <= value <= most and (step is None or value % step == 0)


def _each(rule: Rule, least: int = 0) -> Rule:
    return lambda values: len(values) >= least and len(set(values)) == len(values) and all(map(rule, values))


def _cidr(value: str) -> bool:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return False
    return "/" in value


def _time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _arn(service: str, resource: str) -> Rule:
    return _matches(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]*:\d{{12}}:{resource}")


_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = rf"({_LABEL}\.)+{_LABEL}\.?"
_SECRET = (_arn("secretsmanager", r"secret:[\w/+=.@!-]+"), "give the full ARN of a Secrets Manager secret")
_KEY = (_arn("kms", r"key/[\w-]+"), "give the ARN of a KMS key itself: IAM policies name it, and they know no aliases")
_KEY_OR_ALIAS = (_arn("kms", r"(key|alias)/[\w/-]+"), "give the ARN of a KMS key")
_CERTIFICATE = (_arn("acm", r"certificate/[\w-]+"), "give the ARN of an ACM certificate in the region of the stack")
_SUBNETS = (_each(_matches(r"subnet-[0-9a-f]{8,17}"), 2), "give two or more different subnets, such as subnet-0a1b2c3d4e5f67890")
_ZONE_ID = (_matches(r"[A-Z0-9]{1,32}"), "give the ID of a hosted zone, such as Z0123456789ABCDEFGHIJ, without /hostedzone/")
_ZONE_NAME = (_matches(_DOMAIN), "give the name of the hosted zone, in lower case, such as ml.example.com")
_URL = (_matches(r"https://[^\s\"'<>]{1,2000}"), "give a URL that begins with https://")
_CLIENT_ID = (_matches(r"[\w+]{1,128}"), "give the ID of an app client of the Cognito user pool")
_BUCKET = r"(?!xn--)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_SNAPSHOT = (
    _matches(r"(?=.{1,63}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "give 1 to 63 lower-case letters, digits and single hyphens, beginning with a letter",
)
_ACU = "give Aurora capacity units in steps of 0.5"

RULES: dict[str, tuple[Rule, str]] = {
    "mlflow_unique_name": (
        lambda v: len(v) <= 32 and bool(re.fullmatch(r"[a-z]+[a-z0-9]*(-[a-z0-9]+)*", v)) and not v.startswith("internal-"),
        "give 1 to 32 lower-case letters, digits and single hyphens, beginning with a letter and not with internal-: "
        "it is part of every name in AWS, of which the load balancer's is the shortest",
    ),
    "mlflow_aws_account_id": (_matches(r"\d{12}"), "give the 12 digits of the account, in quotes"),
    "mlflow_aws_region": (_matches(r"[a-z]{2,}(-[a-z]+)+-\d"), "give the code of a region, such as eu-west-1"),
    "mlflow_aws_assume_role_arn": (_arn("iam", r"role/[\w+=,.@/-]+"), "give the ARN of an IAM role"),
    "mlflow_vpc_id": (_matches(r"vpc-[0-9a-f]{8,17}"), "give the ID of a VPC, such as vpc-0a1b2c3d4e5f67890"),
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
        "give one or more different CIDR blocks without host bits, such as 10.0.0.0/8",
    ),
    "mlflow_load_balancer_ssl_policy": (
        _matches(r"ELBSecurityPolicy-(TLS13-1-[23]|FS-1-2)[\w-]*"),
        "give a policy of TLS 1.2 or newer, such as ELBSecurityPolicy-TLS13-1-2-2021-06",
    ),
    "mlflow_load_balancer_idle_timeout": (_between(1, 4000), "give 1 to 4000 seconds"),
    "mlflow_load_balancer_session_timeout": (_between(1, 604800), "give 1 to 604800 seconds"),
    "mlflow_load_balancer_access_logs_bucket": (_matches(_BUCKET), "give the name of a bucket"),
    "mlflow_load_balancer_oidc_issuer": _URL,
    "mlflow_load_balancer_oidc_authorization_endpoint": _URL,
    "mlflow_load_balancer_oidc_token_endpoint": _URL,
    "mlflow_load_balancer_oidc_user_info_endpoint": _URL,
    "mlflow_load_balancer_oidc_client_secret_arn": _SECRET,
    "mlflow_aws_cognito_user_pool_arn": (
        _arn("cognito-idp", r"userpool/[\w-]+_[0-9a-zA-Z]+"),
        "give the ARN of a Cognito user pool",
    ),
    "mlflow_aws_cognito_user_pool_client_id": _CLIENT_ID,
    "mlflow_aws_cognito_user_pool_domain": (
        _matches(rf"{_LABEL}|{_DOMAIN}"),
        "give the domain prefix of the user pool, such as team-x, or its own domain, without https://",
    ),
    "mlflow_api_client_ids": (_each(_CLIENT_ID[0]), "give different IDs of app clients of the Cognito user pool"),
    "mlflow_api_credentials_secret_arn": _SECRET,
    "mlflow_api_throttling_rate_limit": (_between(1, 10000), "give 1 to 10000 requests a second"),
    "mlflow_api_throttling_burst_limit": (_between(1, 5000), "give 1 to 5000 requests"),
    "mlflow_rds_cluster_engine_version": (
        _matches(r"[0-9]+(\.[0-9a-z_]+)*"),
        "give a version as Amazon RDS spells it, such as 8.0.mysql_aurora.3.10.3 or 17.7",
    ),
    "mlflow_database_password_secret_arn": _SECRET,
    "mlflow_key_arn": _KEY,
    "mlflow_database_kms_key_arn": _KEY_OR_ALIAS,
    "mlflow_database_min_capacity": (_between(0, 256, 0.5), f"{_ACU}, 0 to 256"),
    "mlflow_database_max_capacity": (_between(1, 256, 0.5), f"{_ACU}, 1 to 256"),
    "mlflow_database_seconds_until_auto_pause": (_between(300, 86400), "give 300 to 86400 seconds"),
    "mlflow_database_reader_count": (_between(0, 15), "give 0 to 15 readers"),
    "mlflow_database_backup_retention_days": (_between(1, 35), "give 1 to 35 days"),
    "mlflow_database_ca_file": (
        _matches(r"(/[\w.@+-]+)+"),
        "give the full path of a file in the image, such as /etc/ssl/rds-global-bundle.pem",
    ),
    "mlflow_backup_name": _SNAPSHOT,
    "mlflow_restore_snapshot": (_matches(r"[a-z][a-z0-9:-]{0,254}"), "give the name of a cluster snapshot, not its ARN"),
    "mlflow_restore_time": (
        lambda v: v == "latest" or _time(v),
        "give a time with its zone, such as 2026-11-22T22:15:00Z, or latest",
    ),
    "mlflow_restore_cluster": _SNAPSHOT,
    "mlflow_restore_discard": _SNAPSHOT,
    "mlflow_artifact_bucket_id": (_matches(_BUCKET), "give the name of a bucket, not an ARN or a URL"),
    "mlflow_artifact_bucket_path": (
        _matches(r"/?|/?[\w!.*'()-]+(/[\w!.*'()-]+)*/?"),
        "give a path such as /mlflow, without spaces or empty parts",
    ),
    "mlflow_artifact_bucket_encryption_key_arn": _KEY,
    "mlflow_artifact_bucket_noncurrent_days": (_between(1, 36500), "give 1 to 36500 days"),
    "mlflow_artifact_buckets_mlflow_will_read": (
        _each(_matches(rf"{_BUCKET}|arn:aws[a-z-]*:s3:::[\w.*?/-]+")),
        "give different bucket names or ARNs such as arn:aws:s3:::bucket-prefix-*",
    ),
    "mlflow_service_image": (
        _matches(r"[\w.-]+(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"),
        "give an image without tag, such as ghcr.io/mlflow/mlflow; the tag goes into mlflow_service_image_tag",
    ),
    "mlflow_service_image_tag": (_matches(r"\w[\w.-]{0,127}"), "give a tag, such as v3.18.0-full"),
    "mlflow_service_cpu": (lambda v: v in FARGATE_MEMORY, f"give one of {', '.join(map(str, FARGATE_MEMORY))}"),
    "mlflow_service_workers": (_between(1, 64), "give 1 to 64 workers"),
    "mlflow_service_min_capacity": (_between(0, 1000), "give 0 to 1000 tasks"),
    "mlflow_service_max_capacity": (_between(0, 1000), "give 0 to 1000 tasks"),
    "mlflow_service_cpu_target": (_between(0, 100), "give 1 to 100 percent, or 0 for none"),
    "mlflow_service_log_retention_in_days": (
        lambda v: v in LOG_RETENTION,
        f"give one of the retentions of CloudWatch: {', '.join(map(str, LOG_RETENTION))}",
    ),
    "mlflow_service_health_check_grace_period_seconds": (_between(0, 2147483647), "give 0 or more seconds"),
    "mlflow_service_environment": (
        lambda v: all(re.fullmatch(r"[A-Za-z_]\w*", k) and isinstance(x, (str, int, float)) for k, x in v.items()),
        "give a dict of variable names to strings; quote what YAML would take for something else",
    ),
    "mlflow_service_secrets": (
        lambda v: all(re.fullmatch(r"[A-Za-z_]\w*", k) and re.match(r"arn:aws[a-z-]*:(secretsmanager|ssm):", str(x)) for k, x in v.items()),
        "give a dict of variable names to ARNs in Secrets Manager or Parameter Store",
    ),
    "mlflow_bootstrap_vpc_cidr": (_matches(r"(\d{1,3}\.){2}0\.0/16"), "give a /16, such as 10.0.0.0/16"),
    "mlflow_bootstrap_cognito_domain": (_matches(_LABEL), "give lower-case letters, digits and hyphens"),
    "mlflow_bootstrap_api_users": (_each(_matches(r"[^:\s]+")), "give different names without colons and spaces"),
    "mlflow_tags": (
        lambda v: len(v) <= 40 and all(_tag(k, x) for k, x in v.items()),
        "give at most 40 tags: keys of 1 to 128 characters that do not begin with aws: and are not managed-by, mlflow-stack or "
        "another tag that the collection itself sets, "
        "values of at most 256, of letters, digits, spaces and _ . : / = + - @; true and false in quotes",
    ),
}
"""What a value must be, and what to do otherwise. An empty string of an optional input means: not given."""


OWN_TAGS = (
    "managed-by",
    "mlflow-client-secret-version",
    "mlflow-database-prepared",
    "mlflow-dns-records",
    "mlflow-password-version",
    "mlflow-stack",
)
"""Tags by which the collection recognises what is its own and remembers what AWS cannot be asked."""


def _tag(key: t.Any, value: t.Any) -> bool:
    allowed = r"[\w .:/=+@-]"
    return (
        isinstance(key, str)
        and isinstance(value, (str, int, float))
        and not isinstance(value, bool)
        and not key.lower().startswith("aws:")
        and key not in OWN_TAGS
        and bool(re.fullmatch(rf"{allowed}{{1,128}}", key))
        and bool(re.fullmatch(rf"{allowed}{{0,256}}", str(value)))
    )


def unknown_names(names: t.Iterable[str], known: t.Collection[str]) -> list[Problem]:
    """A problem for each name that is no input, with the nearest one that is."""
    problems = []
    for name in sorted(set(names) - set(known)):
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
        problems.append(Problem(name, "", f"there is no such input; did you mean {nearest[0]}?"))
    return problems


_CONVERT: dict[str, t.Callable[[t.Any], t.Any]] = {
    "bool": check_type_bool,
    "dict": check_type_dict,
    "float": check_type_float,
    "int": check_type_int,
    "list": check_type_list,
}
_KIND = {
    "bool": "true or false",
    "dict": "a dict",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "path": "a path",
    "str": "a string",
}


def typed(value: t.Any, option: dict[str, t.Any]) -> t.Any:
    """The value as the type that the argument spec declares. Raises ValueError with the remedy."""
    kind = option.get("type", "str")
    if kind in ("str", "path"):
        if isinstance(value, (dict, list, bool)) or value is None:
            raise ValueError(f"give {_KIND[kind]}, in quotes where YAML takes it for something else")
        return to_text(value)
    if kind in ("int", "float") and isinstance(value, bool):
        raise ValueError(f"give {_KIND[kind]}")
    if kind == "list" and not isinstance(value, list):
        raise ValueError("give a list: each item on a line of its own, after a hyphen")
    try:
        result = _CONVERT[kind](value)
    except (TypeError, ValueError):
        raise ValueError(f"give {_KIND[kind]}") from None
    if kind == "list":
        items = [typed(item, {**option, "type": option.get("elements", "str")}) for item in result]
        return [_suboptions(item, option["options"]) if "options" in option else item for item in items]
    return result


def _suboptions(item: dict[str, t.Any], options: Spec) -> dict[str, t.Any]:
    for name in item.keys() - options.keys():
        raise ValueError(f"{name} is not a key of it: use {', '.join(sorted(options))}")
    for name, option in options.items():
        if option.get("required") and item.get(name) is None:
            raise ValueError(f"each item needs the key {name}")
    return {k: typed(v, options[k]) for k, v in item.items() if v is not None}


SERVER_SECRETS = (
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_CRYPTO_KEK_PASSPHRASE",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY",
)
"""Variables that the role C(ecs) gives the server as secrets."""

BOOTSTRAP_NEEDS = ("mlflow_unique_name", "mlflow_record_name", "mlflow_zone_name", "mlflow_api_zone_name")
"""What C(bootstrap) cannot do without; the other required inputs are what it makes."""


def check(given: Inputs, spec: Spec, *, bootstrap: bool = False) -> tuple[Inputs, list[Problem]]:
    """The inputs in their types, and all that is wrong with them. A value with a problem is not in the result."""
    values: Inputs = {}
    problems: list[Problem] = []
    for name, option in spec.items():
        value = given.get(name)
        required = option.get("required") and (not bootstrap or name in BOOTSTRAP_NEEDS)
        if value is None or (value == "" and not required):
            if required:
                problems.append(Problem(name, "", f"is missing: {option['description'][0].rstrip('.')}"))
            elif name in given:
                values[name] = given[name]
            continue
        try:
            value = typed(value, option)
        except ValueError as error:
            problems.append(Problem(name, value, str(error)))
            continue
        choices = option.get("choices")
        if choices and value not in choices:
            problems.append(Problem(name, value, f"give one of {', '.join(choices)}"))
        elif name in RULES and not RULES[name][0](value):
            problems.append(Problem(name, value, RULES[name][1]))
        else:
            values[name] = value
    return values, problems + list(_together(values))


def _together(v: Inputs) -> t.Iterator[Problem]:
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
    if have("mlflow_service_cpu", "mlflow_service_memory"):
        memory = FARGATE_MEMORY[v["mlflow_service_cpu"]]
        if v["mlflow_service_memory"] not in memory:
            offered = ", ".join(map(str, memory))
            yield Problem(
                "mlflow_service_memory",
                v["mlflow_service_memory"],
                f"Fargate offers these MiB with mlflow_service_cpu {v['mlflow_service_cpu']}: {offered}",
            )
    for least, most in (("mlflow_database_min_capacity", "mlflow_database_max_capacity"),
                        ("mlflow_service_min_capacity", "mlflow_service_max_capacity")):
        if have(least, most) and v[least] > v[most]:
            yield Problem(least, v[least], f"give at most {most}, which is {v[most]}")
    if have("mlflow_database_engine", "mlflow_rds_cluster_engine_version"):
        version = v["mlflow_rds_cluster_engine_version"]
        if (v["mlflow_database_engine"] == "aurora-mysql") != (".mysql_aurora." in version):
            yield Problem("mlflow_rds_cluster_engine_version", version,
                          f"this is no version of {v['mlflow_database_engine']}: give one such as "
                          "8.0.mysql_aurora.3.10.3 for aurora-mysql, 17.7 for aurora-postgresql")
    if v.get("mlflow_database_auto_pause") is False and have("mlflow_database_min_capacity"):
        if v["mlflow_database_min_capacity"] < 0.5:
            yield Problem("mlflow_database_min_capacity", v["mlflow_database_min_capacity"],
                          "give 0.5 or more, or set mlflow_database_auto_pause to true")
    if v.get("mlflow_artifact_bucket_encryption_algorithm") == "aws:kms" and not have("mlflow_artifact_bucket_encryption_key_arn"):
        if not have("mlflow_artifact_bucket_id"):
            yield Problem("mlflow_artifact_bucket_encryption_key_arn", "",
                          "is missing: give the key, since mlflow_artifact_bucket_encryption_algorithm is aws:kms")
    if v.get("mlflow_api_authorizer") == "jwt" and have("mlflow_api_credentials_secret_arn"):
        yield Problem("mlflow_api_credentials_secret_arn", v["mlflow_api_credentials_secret_arn"],
                      "HTTP Basic needs mlflow_api_authorizer lambda: leave this input out, or choose lambda")
    if v.get("mlflow_load_balancer_sign_in") == "oidc":
        for part in ("issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint", "client_id", "client_secret_arn"):
            if not have(f"mlflow_load_balancer_oidc_{part}"):
                yield Problem(f"mlflow_load_balancer_oidc_{part}", "", "is missing: mlflow_load_balancer_sign_in is oidc")
    environment, secrets = (v.get(f"mlflow_service_{part}") or {} for part in ("environment", "secrets"))
    twice = environment.keys() & {*secrets, *SERVER_SECRETS}
    if twice:
        yield Problem("mlflow_service_environment", ", ".join(sorted(twice)),
                      "ECS takes no variable that is a secret of the server too: leave it out here")
    if have("mlflow_gunicorn_opts", "mlflow_uvicorn_opts"):
        yield Problem("mlflow_gunicorn_opts", v["mlflow_gunicorn_opts"], "MLflow takes one server: leave out this or mlflow_uvicorn_opts")
    for index, sidecar in enumerate(v.get("mlflow_service_sidecar_container_definitions") or []):
        name = sidecar.get("name")
        if not isinstance(name, str) or not re.fullmatch(r"[\w-]{1,255}", name) or name in ("mlflow", "tmp-permissions"):
            yield Problem(f"mlflow_service_sidecar_container_definitions[{index}].name", name or "",
                          "give a name of letters, digits, - and _, other than mlflow and tmp-permissions")
        if not isinstance(sidecar.get("image"), str):
            yield Problem(f"mlflow_service_sidecar_container_definitions[{index}].image", sidecar.get("image", ""), "give an image")
    for index, action in enumerate(v.get("mlflow_service_scheduled_actions") or []):
        where = f"mlflow_service_scheduled_actions[{index}]"
        if not re.fullmatch(r"(cron|rate|at)\(.+\)", action["schedule"]):
            yield Problem(f"{where}.schedule", action["schedule"], "give cron(...), rate(...) or at(...)")
        least, most = action.get("min_capacity"), action.get("max_capacity")
        if least is None and most is None:
            yield Problem(where, action["name"], "give min_capacity, max_capacity or both")
        elif least is not None and most is not None and not 0 <= least <= most:
            yield Problem(f"{where}.min_capacity", least, f"give 0 to max_capacity, which is {most}")
    names = [a["name"] for a in v.get("mlflow_service_scheduled_actions") or []]
    if len(set(names)) < len(names):
        yield Problem("mlflow_service_scheduled_actions", ", ".join(names), "give each action a name of its own")

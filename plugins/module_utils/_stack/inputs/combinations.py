# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what inputs must be together."""

from __future__ import annotations

import json
import re
import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import is_ignored
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecr import CACHE_PREFIX, upstream, upstream_registry
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record_list import entry
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import host_name, names_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.containers import (
    SIDECARS,
    container_problems,
    task_definition_problems,
    writable_directories,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import is_of_ecr, manages_dns, secret_arn
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.forms import is_reserved_by_cognito, is_schedule, is_timezone
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.policy_statements import size as size_of, statement_problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.rules import FARGATE_MEMORY
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.server_environment import (
    METRICS,
    STATIC_PREFIX,
    is_static_prefix,
    refusal,
    refused_options,
    static_prefix,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs, Problem

_FUNCTION_ENVIRONMENT = 4096
"""Bytes that AWS Lambda takes of a function's environment, as JSON."""


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


_CERTIFICATE_NAME = 64
"""Characters of the first name of a certificate (ACM)."""
_TAG_VALUE = 256
"""Characters of the value of a tag."""
_CLAIM_VALUE = 256
"""Characters of a value that a load balancer compares a claim of a token with."""
_RULE_HOST_NAME = 128
"""Characters of a host name in a rule of a load balancer."""
_IMAGE = 255
"""Characters of an image with its tag, without a digest (ECS)."""
_MIRRORED_TAG = 115
"""Characters of a tag that gets 13 more in the stack's own repository, of 128 (OCI Distribution Specification)."""
_CACHED_IMAGE = 190
"""Characters of a repository of the account with a tag, which leaves room for the host name of its registry in ``_IMAGE``."""
_SCHEDULED_ACTIONS = 200
"""Of a scalable target (Application Auto Scaling)."""
_ARNS_IN_POLICY = 9 * 1024
"""Characters of ARNs that inputs put into the inline policy of a role, of which IAM takes 10,240 in all, without blanks."""
_STATEMENTS_IN_POLICY = 7 * 1024
"""Characters of statements that an input may add to the policy of the servers' role, which then has room for the stack's own."""
_STATEMENTS = "mlflow_service_task_policy_statements"
_TASK_DEFINITION = 48 * 1024
"""Characters of the inputs in a task definition, of which ECS takes 64 KiB in all; with ``mlflow_identity`` see ``preflight/identity.py``."""


Combination = tuple[t.Callable[[Inputs], t.Iterator[Problem]], tuple[str, ...]]
"""A rule for several inputs, and the inputs without which it is left out: a value that is wrong by itself is not among them."""


def problems_together(v: Inputs, *, bootstrap: bool) -> t.Iterator[Problem]:
    """What is wrong with inputs that are right one by one."""
    for rule, needed in [*COMBINATIONS, *(OF_BOOTSTRAP if bootstrap else ())]:
        if all(_has(v, name) for name in needed):
            yield from rule(v)


def _has(v: Inputs, name: str) -> bool:
    return v.get(name) not in (None, "")


def _hosts(v: Inputs) -> list[str]:
    return [host_name(v["mlflow_record_name"], v[zone]) for zone in ("mlflow_zone_name", "mlflow_api_zone_name")]


def _ignored_tags(v: Inputs) -> t.Iterator[Problem]:
    ignored = v["mlflow_ignore_tags"]
    for key in filter(partial(is_ignored, ignored=ignored), v["mlflow_tags"]):
        yield Problem("mlflow_ignore_tags", ignored, f"mlflow_tags sets {key}: leave it out of one of the two")


def _dns_role(v: Inputs) -> t.Iterator[Problem]:
    if not manages_dns(v):
        yield Problem("mlflow_dns_assume_role_arn", v["mlflow_dns_assume_role_arn"], "mlflow_manage_dns is false: leave one of the two out")


def _dns_of_bootstrap(v: Inputs) -> t.Iterator[Problem]:
    if not manages_dns(v):
        remedy = (
            "the certificates of bootstrap are validated by records in hosted zones: leave it out (mlflow_dns_assume_role_arn is for zones in another "
            "account), or make the prerequisites without bootstrap"
        )
        yield Problem("mlflow_manage_dns", v["mlflow_manage_dns"], remedy)


def _host_names(v: Inputs) -> t.Iterator[Problem]:
    hosts = _hosts(v)
    if len(set(hosts)) == 1:
        remedy = "people and programs would get one host name: give a zone other than mlflow_zone_name, such as api.<zone_name>"
        yield Problem("mlflow_api_zone_name", v["mlflow_api_zone_name"], remedy)
    for host in hosts:
        if len(host) > _RULE_HOST_NAME:
            reason = f"the host name {host[:20]}... is longer than {_RULE_HOST_NAME} characters, the most that a load balancer's rule takes"
            yield Problem("mlflow_record_name", v["mlflow_record_name"], reason)


def _certificate_names(v: Inputs) -> t.Iterator[Problem]:
    for host in _hosts(v):
        if _CERTIFICATE_NAME < len(host) <= _RULE_HOST_NAME:
            reason = (
                f"the host name {host[:20]}... has {len(host)} characters, and ACM takes {_CERTIFICATE_NAME} in the first name of a certificate: "
                "give a shorter one, or make the prerequisites without bootstrap"
            )
            yield Problem("mlflow_record_name", v["mlflow_record_name"], reason)


def _token_access(v: Inputs) -> t.Iterator[Problem]:
    """Programs that come by the load balancer itself."""
    access, record, zone = "mlflow_load_balancer_token_access", "mlflow_load_balancer_token_record_name", "mlflow_api_zone_name"
    if not v[access]:
        return
    if not _has(v, record):
        yield Problem(record, None, f"is missing: {access} is true: give the first part of a host name of its own, such as mlflow-token")
    elif _has(v, zone):
        yield from _token_host(record, host_name(v[record], v[zone]), v)
    yield from _token_claims(access, v)


def _token_host(record: str, host: str, v: Inputs) -> t.Iterator[Problem]:
    others = [_stack_host(v, zone) for zone in ("mlflow_zone_name", "mlflow_api_zone_name")]
    if host in others:
        yield Problem(record, v[record], f"{host} is a host name of the stack already: give another one, such as mlflow-token")
    if len(host) > _RULE_HOST_NAME:
        yield Problem(record, v[record], f"{host[:20]}... is longer than {_RULE_HOST_NAME} characters, the most that a load balancer's rule takes")
    kinds = ("A",) if v.get("mlflow_load_balancer_ip_address_type", "ipv4") == "ipv4" else ("A", "AAAA")
    names = {others[0]: v.get("mlflow_zone_id") or "", host: v.get("mlflow_api_zone_id") or ""}
    listed = " ".join(entry({"type": kind, "zone_id": zone, "name": name}) for name, zone in names.items() for kind in kinds)
    if manages_dns(v) and len(host) <= _RULE_HOST_NAME and len(listed) > _TAG_VALUE:
        reason = f"a tag of the load balancer lists its DNS records, which are {len(listed)} characters, and AWS takes {_TAG_VALUE}: give a shorter one"
        yield Problem(record, v[record], reason)


def _stack_host(v: Inputs, zone: str) -> str:
    return host_name(v["mlflow_record_name"], v[zone]) if _has(v, zone) and _has(v, "mlflow_record_name") else ""


def _token_claims(access: str, v: Inputs) -> t.Iterator[Problem]:
    """What the load balancer, which alone checks these tokens, can hold them to: of a claim with several values AWS does not say whether one is enough."""
    ids, groups, scopes = "mlflow_api_client_ids", "mlflow_api_groups", "mlflow_api_scopes"
    others = [each for each in v.get(ids) or [] if each != v.get("mlflow_aws_cognito_user_pool_client_id")]
    if others:
        remedy = f"{access} is true, and the load balancer can hold tokens to one app client, mlflow_aws_cognito_user_pool_client_id: leave one of the two out"
        yield Problem(ids, others, remedy)
    for name in (groups, scopes):
        if len(v.get(name) or []) > 1:
            yield Problem(name, v[name], f"{access} is true, and the load balancer can hold tokens to one of them only: give one, or leave that out")
    for scope in v.get(scopes) or []:
        if len(scope) > _CLAIM_VALUE:
            yield Problem(
                scopes, scope, f"{access} is true, and a load balancer takes values of a claim of at most {_CLAIM_VALUE} characters: give a shorter one"
            )


def _memory(v: Inputs) -> t.Iterator[Problem]:
    cpu, memory = v["mlflow_service_cpu"], v["mlflow_service_memory"]
    if memory not in FARGATE_MEMORY[cpu]:
        offered = ", ".join(map(str, FARGATE_MEMORY[cpu]))
        yield Problem("mlflow_service_memory", memory, f"Fargate offers these MiB with mlflow_service_cpu {cpu}: {offered}")


def _capacity(of: str, v: Inputs) -> t.Iterator[Problem]:
    minimum, maximum = (f"mlflow_{of}_{end}_capacity" for end in ("min", "max"))
    if v[minimum] > v[maximum]:
        yield Problem(minimum, v[minimum], f"give at most {maximum}, which is {v[maximum]}")


def _engine_version(v: Inputs) -> t.Iterator[Problem]:
    engine, version = v["mlflow_database_engine"], v["mlflow_rds_cluster_engine_version"]
    if (engine == "aurora-mysql") != (".mysql_aurora." in version):
        remedy = f"this is no version of {engine}: give one such as 8.0.mysql_aurora.3.10.3 for aurora-mysql, 17.7 for aurora-postgresql"
        yield Problem("mlflow_rds_cluster_engine_version", version, remedy)


def _master_username(v: Inputs) -> t.Iterator[Problem]:
    engine, given = v["mlflow_database_engine"], v["mlflow_database_master_username"]
    user = given.lower()
    if user in _RESERVED_USERS[engine] or (engine == "aurora-postgresql" and user.startswith("pg_")):
        yield Problem("mlflow_database_master_username", given, f"{engine} keeps this name for itself: give another one, such as mlflow_admin")


def _auto_pause(v: Inputs) -> t.Iterator[Problem]:
    minimum = v["mlflow_database_min_capacity"]
    if v["mlflow_database_auto_pause"] is False and minimum < 0.5:
        yield Problem("mlflow_database_min_capacity", minimum, "give 0.5 or more, or set mlflow_database_auto_pause to true")


def _backtrack(v: Inputs) -> t.Iterator[Problem]:
    name, engine = "mlflow_database_backtrack_window", v["mlflow_database_engine"]
    if v[name] and engine != "aurora-mysql":
        yield Problem(name, v[name], f"{engine} cannot be rewound: leave this input out, and restore a point in time instead (docs/restore.md)")


def _bucket_key(v: Inputs) -> t.Iterator[Problem]:
    key, algorithm = "mlflow_artifact_bucket_encryption_key_arn", "mlflow_artifact_bucket_encryption_algorithm"
    if v[algorithm] == "aws:kms" and not _has(v, key) and not _has(v, "mlflow_artifact_bucket_id"):
        yield Problem(key, "", f"is missing: give the key, since {algorithm} is aws:kms")


def _bucket_logs(v: Inputs) -> t.Iterator[Problem]:
    name = "mlflow_artifact_bucket_access_logs_bucket"
    yield Problem(name, v[name], "mlflow_artifact_bucket_id is a bucket of yours: leave this input out, and turn its access logs on yourself")


def _multipart(v: Inputs) -> t.Iterator[Problem]:
    access, given = v["mlflow_artifact_access"], "mlflow_artifact_multipart"
    if v[given] and access != "proxied":
        reason = "every artifact goes to S3 by a signed URL already" if access == "presigned" else "clients transfer artifacts to S3 by themselves"
        yield Problem(given, v[given], f"mlflow_artifact_access is {access}, so {reason}: leave one of the two out")


def _basic_credentials(v: Inputs) -> t.Iterator[Problem]:
    secret = "mlflow_api_credentials_secret_arn"
    if v["mlflow_api_authorizer"] != "lambda":
        yield Problem(secret, v[secret], "HTTP Basic needs mlflow_api_authorizer lambda: leave this input out, or choose lambda")


def _address_type(v: Inputs) -> t.Iterator[Problem]:
    given, kind = "mlflow_load_balancer_ip_address_type", v["mlflow_load_balancer_ip_address_type"]
    if kind == "dualstack-without-public-ipv4" and v.get("mlflow_load_balancer_is_internal", True):
        yield Problem(given, kind, "is for a load balancer that faces the internet: give dualstack, or set mlflow_load_balancer_is_internal to false")
    callers = "mlflow_load_balancer_ingress_cidr_blocks"
    if kind == "ipv4" and any(":" in block for block in v.get(callers) or []):
        blocks = ", ".join(block for block in v[callers] if ":" in block)
        remedy = f"the load balancer has IPv4 addresses only, so that nobody from there reaches it: set {given} to dualstack, or leave these blocks out"
        yield Problem(callers, blocks, remedy)


def _sign_in(v: Inputs) -> t.Iterator[Problem]:
    if v["mlflow_load_balancer_sign_in"] == "oidc":
        for part in ("issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint", "client_id", "client_secret_arn"):
            name = f"mlflow_load_balancer_oidc_{part}"
            if not _has(v, name):
                yield Problem(name, "", "is missing: mlflow_load_balancer_sign_in is oidc")


def _environment(v: Inputs) -> t.Iterator[Problem]:
    environment, secrets = (v.get(f"mlflow_service_{part}") or {} for part in ("environment", "secrets"))
    for given_in, names in (("environment", environment), ("secrets", secrets)):
        for name in sorted(names):
            remedy = refusal(name, given_in)
            if remedy:
                yield Problem(f"mlflow_service_{given_in}.{name}", None, remedy)
    twice = environment.keys() & secrets
    if twice:
        remedy = "ECS takes no variable that is a secret of the server too: leave it out here"
        yield Problem("mlflow_service_environment", ", ".join(sorted(twice)), remedy)
    prefix, metrics = static_prefix(v), environment.get(METRICS, "")
    if not is_static_prefix(prefix):
        remedy = "give a path of letters, digits, _ . ~ and - that begins with a slash and does not end with one, such as /mlflow, of at most 100 characters"
        yield Problem(f"mlflow_service_environment.{STATIC_PREFIX}", prefix, remedy)
    writable = tuple(f"{path}/" for path in writable_directories(v))
    if str(metrics).startswith("/") and not str(metrics).startswith(writable):
        remedy = "the server makes this directory, and can write to /tmp and its volumes alone: give one below it, such as /tmp/metrics"
        yield Problem(f"mlflow_service_environment.{METRICS}", metrics, remedy)


def _server(v: Inputs) -> t.Iterator[Problem]:
    yield Problem("mlflow_gunicorn_opts", v["mlflow_gunicorn_opts"], "MLflow takes one server: leave out this or mlflow_uvicorn_opts")


def _server_options(v: Inputs) -> t.Iterator[Problem]:
    for name in ("mlflow_uvicorn_opts", "mlflow_gunicorn_opts"):
        refused = refused_options(name, v.get(name) or "")
        if refused:
            remedy = f"the load balancer and the health checks reach the server where MLflow has it listen: leave out {', '.join(refused)}"
            yield Problem(name, v[name], f"{remedy}; for TLS, use mlflow_service_tls")


def _image(v: Inputs) -> t.Iterator[Problem]:
    tag = v["mlflow_service_image_tag"].partition("@")[0]
    if len(f"{v['mlflow_service_image']}:{tag}") > _IMAGE:
        yield Problem("mlflow_service_image", v["mlflow_service_image"], f"ECS takes at most {_IMAGE} characters of image and tag together")


def _image_mirror(v: Inputs) -> t.Iterator[Problem]:
    name, tag = "mlflow_service_image_mirror", v["mlflow_service_image_tag"].partition("@")[0]
    if v[name] and is_of_ecr(v["mlflow_service_image"]):
        yield Problem(name, v[name], "the image is in Amazon ECR already: leave it out")
    if v[name] and len(tag) > _MIRRORED_TAG:
        yield Problem("mlflow_service_image_tag", tag, f"with {name} give a tag of at most {_MIRRORED_TAG} characters")


def _image_credentials(v: Inputs) -> t.Iterator[Problem]:
    name = "mlflow_service_image_credentials_secret_arn"
    if is_of_ecr(v["mlflow_service_image"]):
        yield Problem(name, v[name], "the image is in Amazon ECR, where the roles of the tasks and the policy of the repository decide: leave it out")


def _image_cache(v: Inputs) -> t.Iterator[Problem]:
    name, of_task, stack = "mlflow_service_image_mirror_secret_arn", "mlflow_service_image_credentials_secret_arn", v["mlflow_unique_name"]
    registry, repository = upstream(v["mlflow_service_image"])
    if not v.get("mlflow_service_image_mirror"):
        yield Problem(name, v[name], "it is for the mirror of the image: set mlflow_service_image_mirror to true, or leave it out")
    elif not is_of_ecr(v["mlflow_service_image"]) and not upstream_registry(registry):
        yield Problem(name, v[name], f"Amazon ECR's pull-through cache takes no credentials for {registry}: leave it out, and a task copies the image")
    if v.get(of_task):
        yield Problem(of_task, v[of_task], f"Amazon ECR itself signs in at the registry, with {name}: leave one of the two out")
    if not CACHE_PREFIX[0] <= len(stack) <= CACHE_PREFIX[1]:
        yield Problem("mlflow_unique_name", stack, f"with {name} give one of 2 to 30 characters, as Amazon ECR takes them")
    if len(f"{stack}/{repository}:{v['mlflow_service_image_tag'].partition('@')[0]}") > _CACHED_IMAGE:
        yield Problem("mlflow_service_image", v["mlflow_service_image"], f"it is too long to be in a repository of the account: leave {name} out")


def _paths(v: Inputs) -> t.Iterator[Problem]:
    paths = [name for name in ("mlflow_outputs_path", "mlflow_plan_path", "mlflow_bootstrap_team_file", "mlflow_token_path") if _has(v, name)]
    for index, name in enumerate(paths):
        same = [other for other in paths[:index] if v[other] == v[name]]
        if same:
            yield Problem(name, v[name], f"{same[0]} is this file too: give another one")


def _zone(given: str, of_stack: str, v: Inputs) -> t.Iterator[Problem]:
    if v[given] != v[of_stack]:
        yield Problem(given, v[given], f"{of_stack} is {v[of_stack]}: leave one of the two out")


def _nat_gateways(v: Inputs) -> t.Iterator[Problem]:
    given = "mlflow_bootstrap_nat_gateways"
    if v["mlflow_bootstrap_internet_access"] == "vpc_endpoints" and v[given] == "one_per_zone":
        yield Problem(given, v[given], "mlflow_bootstrap_internet_access is vpc_endpoints, which has none: leave one of the two out")


def _cognito_domain(v: Inputs) -> t.Iterator[Problem]:
    name = v["mlflow_unique_name"]
    if not v.get("mlflow_bootstrap_cognito_domain") and is_reserved_by_cognito(name):
        remedy = f"is missing: give one without the words aws, amazon and cognito, which mlflow_unique_name {name} holds"
        yield Problem("mlflow_bootstrap_cognito_domain", None, remedy)


def _callers(v: Inputs) -> t.Iterator[Problem]:
    """Which users of the pool may use the API."""
    authorizer, groups, scopes = v.get("mlflow_api_authorizer"), v.get("mlflow_api_groups") or [], v.get("mlflow_api_scopes") or []
    if authorizer == "iam":
        yield from _signed_callers(v)
        return
    jwt = authorizer == "jwt"
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
        "IDENTITY_KEY_SECRET": names_of(v).identity_key_secret,
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


def _signed_callers(v: Inputs) -> t.Iterator[Problem]:
    """With signatures in place of tokens, IAM says who may use the API."""
    for name in ("mlflow_api_client_ids", "mlflow_api_groups", "mlflow_api_scopes"):
        if v.get(name) and not v.get("mlflow_load_balancer_token_access"):
            yield Problem(name, v[name], "mlflow_api_authorizer iam takes no tokens: leave this input out, and let IAM policies say who may execute-api:Invoke")
    trusted = "mlflow_api_iam_trust_sidecars"
    if v.get(SIDECARS) and not v.get(trusted):
        yield Problem(
            SIDECARS,
            ", ".join(str(each.get("name")) for each in v[SIDECARS] if isinstance(each, dict)),
            f"with mlflow_api_authorizer iam API Gateway names the caller in a header, and sidecars, which reach MLflow without it, can name anybody: "
            f"leave them out, or say {trusted}: true if they are trusted with that",
        )


def _identity(v: Inputs) -> t.Iterator[Problem]:
    """Who may do what, which nobody asks where MLflow is not told who calls."""
    groups = [name for name in (f"mlflow_{right}_groups" for right in ("admin", "editor", "reader")) if v.get(name)]
    if v.get("mlflow_identity") == "off":
        for name in groups:
            yield Problem(name, v[name], "mlflow_identity is off, so that everybody may do everything: leave one of the two out")
    elif v.get("mlflow_default_right") == "none" and not groups:
        yield Problem("mlflow_default_right", "none", "nobody may do anything: name groups in mlflow_admin_groups, or give another right")


def _containers(v: Inputs) -> t.Iterator[Problem]:
    yield from container_problems(v)
    yield from task_definition_problems(v, _TASK_DEFINITION)


def _policies(v: Inputs) -> t.Iterator[Problem]:
    """What the roles of the tasks name one by one."""
    buckets, secrets = "mlflow_artifact_buckets_mlflow_will_read", "mlflow_service_secrets"
    named = {each if each.startswith("arn:") else f"arn:aws:s3:::{each}" for each in v.get(buckets) or []}
    listed, read = ({re.sub("/.*", "", arn) for arn in named}, {arn if "/" in arn else f"{arn}/*" for arn in named})
    valued = {secret_arn(value) for value in (v.get(secrets) or {}).values()}
    sizes = {}
    for name, arns, remedy in (
        (buckets, [*listed, *read], "name fewer, by an ARN with * where they have a common prefix"),
        (secrets, [*valued], "keep several values in one secret, as a JSON object"),
    ):
        size = sizes[name] = sum(len(arn) + 3 for arn in arns)  # with quotes and comma
        if size > _ARNS_IN_POLICY:
            yield Problem(name, None, f"the role of the tasks would name {size} characters of ARNs, and IAM takes {_ARNS_IN_POLICY} there: {remedy}")
    added, room = size_of(v.get(_STATEMENTS) or []), max(0, _STATEMENTS_IN_POLICY - sizes[buckets])
    if added > room:
        yield Problem(
            _STATEMENTS,
            None,
            f"they have {added} characters, and the policy of the servers' role has room for {room}: put them into managed policies, and give "
            "the ARNs of these as mlflow_service_task_policy_arns",
        )


def _task_policy_statements(v: Inputs) -> t.Iterator[Problem]:
    yield from statement_problems(_STATEMENTS, v.get(_STATEMENTS) or [])


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
        if not is_schedule(action["schedule"]):
            yield Problem(
                f"{where}.schedule",
                action["schedule"],
                "give cron(minutes hours day-of-month month day-of-week year) with ? for one of the two days, such as cron(0 20 * * ? *), "
                "or rate(2 hours), or at(2030-01-31T06:00:00)",
            )
        if "timezone" in action and not is_timezone(action["timezone"]):
            yield Problem(f"{where}.timezone", action["timezone"], "give a time zone of IANA, such as Europe/Madrid")
        minimum, maximum = action.get("min_capacity"), action.get("max_capacity")
        if minimum is None and maximum is None:
            yield Problem(where, action["name"], "give min_capacity, max_capacity or both")
        for key, value, highest in (("min_capacity", minimum, 1000 if maximum is None else maximum), ("max_capacity", maximum, 1000)):
            if value is not None and not 0 <= value <= highest:
                yield Problem(f"{where}.{key}", value, f"give 0 to {max(0, min(highest, 1000))} tasks")


def _capacity_providers(v: Inputs) -> t.Iterator[Problem]:
    given = "mlflow_service_capacity_providers"
    providers = v.get(given) or []
    names = [each["capacity_provider"] for each in providers]
    for index, each in enumerate(providers):
        where, name = f"{given}[{index}]", names[index]
        if name in names[:index]:
            yield Problem(f"{where}.capacity_provider", name, "it is given twice: give its weight and its base once")
        for key, highest in (("weight", 1000), ("base", 100_000)):
            if not 0 <= each.get(key, 0) <= highest:
                yield Problem(f"{where}.{key}", each[key], f"give 0 to {highest}")
    if len([each for each in providers if each.get("base")]) > 1:
        yield Problem(given, None, "ECS takes the base of one capacity provider: leave it out of the others")
    if providers and not any(each.get("weight", 1) for each in providers):
        yield Problem(given, None, "no capacity provider has a weight, so that ECS would start no server beyond the base: give one of them 1")


COMBINATIONS: tuple[Combination, ...] = (
    (_ignored_tags, ("mlflow_ignore_tags", "mlflow_tags")),
    (_dns_role, ("mlflow_dns_assume_role_arn",)),
    (_host_names, ("mlflow_record_name", "mlflow_zone_name", "mlflow_api_zone_name")),
    (_token_access, ("mlflow_load_balancer_token_access",)),
    (_memory, ("mlflow_service_cpu", "mlflow_service_memory")),
    (partial(_capacity, "database"), ("mlflow_database_min_capacity", "mlflow_database_max_capacity")),
    (partial(_capacity, "service"), ("mlflow_service_min_capacity", "mlflow_service_max_capacity")),
    (_engine_version, ("mlflow_database_engine", "mlflow_rds_cluster_engine_version")),
    (_master_username, ("mlflow_database_engine", "mlflow_database_master_username")),
    (_auto_pause, ("mlflow_database_auto_pause", "mlflow_database_min_capacity")),
    (_backtrack, ("mlflow_database_engine", "mlflow_database_backtrack_window")),
    (_bucket_key, ("mlflow_artifact_bucket_encryption_algorithm",)),
    (_bucket_logs, ("mlflow_artifact_bucket_id", "mlflow_artifact_bucket_access_logs_bucket")),
    (_multipart, ("mlflow_artifact_access", "mlflow_artifact_multipart")),
    (_basic_credentials, ("mlflow_api_authorizer", "mlflow_api_credentials_secret_arn")),
    (_callers, ()),
    (_address_type, ("mlflow_load_balancer_ip_address_type",)),
    (_sign_in, ("mlflow_load_balancer_sign_in",)),
    (_environment, ()),
    (_server, ("mlflow_gunicorn_opts", "mlflow_uvicorn_opts")),
    (_server_options, ()),
    (_image, ("mlflow_service_image", "mlflow_service_image_tag")),
    (_image_mirror, ("mlflow_service_image", "mlflow_service_image_tag", "mlflow_service_image_mirror")),
    (_image_credentials, ("mlflow_service_image", "mlflow_service_image_credentials_secret_arn")),
    (_image_cache, ("mlflow_unique_name", "mlflow_service_image", "mlflow_service_image_tag", "mlflow_service_image_mirror_secret_arn")),
    (_paths, ()),
    (_containers, ()),
    (_identity, ()),
    (_policies, ()),
    (_task_policy_statements, ()),
    (_scheduled_actions, ()),
    (_capacity_providers, ()),
)
OF_BOOTSTRAP: tuple[Combination, ...] = (
    (_dns_of_bootstrap, ("mlflow_manage_dns",)),
    (_certificate_names, ("mlflow_record_name", "mlflow_zone_name", "mlflow_api_zone_name")),
    (partial(_zone, "mlflow_bootstrap_zone_id", "mlflow_zone_id"), ("mlflow_bootstrap_zone_id", "mlflow_zone_id")),
    (partial(_zone, "mlflow_bootstrap_api_zone_id", "mlflow_api_zone_id"), ("mlflow_bootstrap_api_zone_id", "mlflow_api_zone_id")),
    (_nat_gateways, ("mlflow_bootstrap_internet_access", "mlflow_bootstrap_nat_gateways")),
    (_cognito_domain, ("mlflow_unique_name",)),
)

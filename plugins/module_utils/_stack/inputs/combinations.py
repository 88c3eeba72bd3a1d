# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what inputs must be together."""

from __future__ import annotations

import re
import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import is_ignored
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecr import CACHE_PREFIX, upstream, upstream_registry
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs import entry_points, jobs
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.containers import (
    container_problems,
    task_definition_problems,
    writable_directories,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import is_of_ecr, manages_dns, secret_arn
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.forms import is_schedule, is_timezone
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs, Problem, is_given

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
        if all(is_given(v, name) for name in needed):
            yield from rule(v)


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
    if v[algorithm] == "aws:kms" and not is_given(v, key) and not is_given(v, "mlflow_artifact_bucket_id"):
        yield Problem(key, "", f"is missing: give the key, since {algorithm} is aws:kms")


def _bucket_logs(v: Inputs) -> t.Iterator[Problem]:
    name = "mlflow_artifact_bucket_access_logs_bucket"
    yield Problem(name, v[name], "mlflow_artifact_bucket_id is a bucket of yours: leave this input out, and turn its access logs on yourself")


def _multipart(v: Inputs) -> t.Iterator[Problem]:
    access, given = v["mlflow_artifact_access"], "mlflow_artifact_multipart"
    if v[given] and access != "proxied":
        reason = "every artifact goes to S3 by a signed URL already" if access == "presigned" else "clients transfer artifacts to S3 by themselves"
        yield Problem(given, v[given], f"mlflow_artifact_access is {access}, so {reason}: leave one of the two out")


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
    paths = [name for name in ("mlflow_outputs_path", "mlflow_plan_path", "mlflow_bootstrap_team_file", "mlflow_token_path") if is_given(v, name)]
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
    models = "mlflow_gateway_bedrock_models"
    of_models = sum(2 * len(model) + 128 for model in v.get(models) or [])  # at most two ARNs of each
    if of_models and of_models > _STATEMENTS_IN_POLICY - sizes[buckets]:
        yield Problem(models, None, f"the policy of the servers' role would name {of_models} characters of ARNs: name fewer, by an ID with * for several")
    added, room = size_of(v.get(_STATEMENTS) or []), max(0, _STATEMENTS_IN_POLICY - sizes[buckets] - of_models)
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


def _alarms(v: Inputs) -> t.Iterator[Problem]:
    if v.get("mlflow_alarm_topic_arn") and v.get("mlflow_alarm_emails"):
        yield Problem("mlflow_alarm_emails", None, "mlflow_alarm_topic_arn is given too: subscribe the addresses to that topic, or leave it out")


COMBINATIONS: tuple[Combination, ...] = (
    (_ignored_tags, ("mlflow_ignore_tags", "mlflow_tags")),
    (_dns_role, ("mlflow_dns_assume_role_arn",)),
    (entry_points.host_names, ("mlflow_record_name", "mlflow_zone_name", "mlflow_api_zone_name")),
    (entry_points.token_access, ("mlflow_load_balancer_token_access",)),
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
    (entry_points.basic_credentials, ("mlflow_api_authorizer", "mlflow_api_credentials_secret_arn")),
    (entry_points.callers, ()),
    (entry_points.address_type, ("mlflow_load_balancer_ip_address_type",)),
    (entry_points.sign_in, ("mlflow_load_balancer_sign_in",)),
    (_environment, ()),
    (_server, ("mlflow_gunicorn_opts", "mlflow_uvicorn_opts")),
    (_server_options, ()),
    (_image, ("mlflow_service_image", "mlflow_service_image_tag")),
    (_image_mirror, ("mlflow_service_image", "mlflow_service_image_tag", "mlflow_service_image_mirror")),
    (_image_credentials, ("mlflow_service_image", "mlflow_service_image_credentials_secret_arn")),
    (_image_cache, ("mlflow_unique_name", "mlflow_service_image", "mlflow_service_image_tag", "mlflow_service_image_mirror_secret_arn")),
    (_paths, ()),
    (_containers, ()),
    (entry_points.identity, ()),
    (jobs.problems, (jobs.JOBS,)),
    (_policies, ()),
    (_task_policy_statements, ()),
    (_scheduled_actions, ()),
    (_capacity_providers, ()),
    (_alarms, ()),
)
OF_BOOTSTRAP: tuple[Combination, ...] = (
    (_dns_of_bootstrap, ("mlflow_manage_dns",)),
    (entry_points.certificate_names, ("mlflow_record_name", "mlflow_zone_name", "mlflow_api_zone_name")),
    (partial(_zone, "mlflow_bootstrap_zone_id", "mlflow_zone_id"), ("mlflow_bootstrap_zone_id", "mlflow_zone_id")),
    (partial(_zone, "mlflow_bootstrap_api_zone_id", "mlflow_api_zone_id"), ("mlflow_bootstrap_api_zone_id", "mlflow_api_zone_id")),
    (_nat_gateways, ("mlflow_bootstrap_internet_access", "mlflow_bootstrap_nat_gateways")),
    (entry_points.cognito_domain, ("mlflow_unique_name",)),
    (entry_points.first_admin, ("mlflow_first_admin_email", "mlflow_admin_groups")),
)

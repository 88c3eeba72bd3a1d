# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what each input must be by itself. Its name, type and choices come from the argument spec of the role ``mlflow``; here is what
an argument spec cannot say: ranges and forms.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import is_ignored
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.windows import is_maintenance_window
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.forms import (
    LABEL,
    SECRET_NAME,
    Rule,
    arn_of,
    between,
    distinct,
    is_bucket_name,
    is_cidr,
    is_cognito_group,
    is_policy_arn,
    is_reserved_by_cognito,
    is_role_arn,
    is_secret_reference,
    is_shell_arguments,
    is_tag_text,
    is_time,
    is_unique_name,
    is_variable_name,
    is_vpc_cidr,
    matches,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import MAY_BE_SECRET, Problem, is_text, typed, unusable

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


_DOMAIN = rf"({LABEL}\.)+{LABEL}\.?"
_ID = r"([0-9a-f]{8}|[0-9a-f]{17})"
SECRET = (arn_of("secretsmanager", SECRET_NAME), "give the full ARN of a Secrets Manager secret, with the six characters at its end")
_ACCOUNT = (matches(r"\d{12}"), "give the 12 digits of the account, in quotes")
_REGION = (matches(r"[a-z]{2,}(-[a-z]+)+-\d{1,2}", 32), "give the code of a region, such as eu-west-1")
_EMAIL = matches(rf"[\w.!#$%&'*+/=?^`{{|}}~-]{{1,64}}@{_DOMAIN}", 128)
_KEY = (arn_of("kms", r"key/[\w-]+"), "give the ARN of a KMS key itself: IAM policies name it, and they know no aliases")
_KEY_OR_ALIAS = (arn_of("kms", r"(key|alias)/[\w/-]+"), "give the ARN of a KMS key")
_CERTIFICATE = (arn_of("acm", r"certificate/[\w-]+"), "give the ARN of an ACM certificate in the region of the stack")
_SUBNETS = (distinct(matches(rf"subnet-{_ID}"), 2, 16), "give two or more different subnets, at most 16, such as subnet-0a1b2c3d4e5f67890")
_PREFIX_LIST = matches(rf"pl-{_ID}")
_ZONE_ID = (matches(r"[A-Z0-9]{1,32}"), "give the ID of a hosted zone, such as Z0123456789ABCDEFGHIJ, without /hostedzone/")
_ROLE = (is_role_arn, "give the ARN of an IAM role")
_EXTERNAL_ID = (matches(r"[\w+=,.@:/-]{2,1224}"), "give the external ID that the trust policy of the role asks for")
_RECORD_NAME = matches(rf"({LABEL}\.)*{LABEL}")
_ZONE_NAME = (matches(_DOMAIN, 254), "give the name of the hosted zone, in lower case, such as ml.example.com")
_URL = (matches(r"https://[\w.~:/?#\[\]@!$&()*+,;=%-]+"), "give a URL that begins with https://, without quotes, spaces and braces")
_CLIENT_ID = (matches(r"[\w+]{1,128}"), "give the ID of an app client of the Cognito user pool")
_SCOPE = matches(r"[!#-\[\]-~]{1,513}")
_GROUPS = (
    distinct(lambda v: 0 < len(v) <= 128 and v.isprintable() and v == v.strip() and not set(v) & {"{", "}"}, maximum=100),
    "give different names of groups, at most 100, without braces, as the tokens of the identity provider or the secret of HTTP Basic have them",
)
_BEDROCK_MODEL = r"\*|(?!arn:)[\w-]+\.[\w.:*?-]{1,256}|arn:aws[\w-]*:bedrock:[\w*?-]*:[\d*?]*:[a-z-]+/[\w.:/*?-]{1,256}"
_BUCKET = (is_bucket_name, "give the name of a bucket, not an ARN or a URL")
_SNAPSHOT = (matches(r"(?=.{1,63}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"), "give 1 to 63 lower-case letters, digits and single hyphens, beginning with a letter")
_PATH = r"(?!\.\.?(/|$))[\w!.'()-]+(/(?!\.\.?(/|$))[\w!.'()-]+)*"
_OPTIONS = (is_shell_arguments, "close each quote: MLflow splits the options as a shell does")
_ENGINES_OWN_DATABASES = ("information_schema", "mysql", "performance_schema", "rdsadmin", "sys", "template0", "template1")
_ACU = "give Aurora capacity units in steps of 0.5"


OWN_TAGS = (
    "managed-by",
    "mlflow-access-logs",
    "mlflow-certificates",
    "mlflow-client-secret-version",
    "mlflow-database-prepared",
    "mlflow-database-schema",
    "mlflow-database-snapshot",
    "mlflow-database-snapshot-version",
    "mlflow-desired-count",
    "mlflow-dns-records",
    "mlflow-log-key",
    "mlflow-password-version",
    "mlflow-policies",
    "mlflow-restored-at",
    "mlflow-restored-from",
    "mlflow-stack",
    "mlflow-supersedes",
    "mlflow-version",
    "mlflow-web-acl",
)
"""Tags by which the collection recognises what is its own and remembers what AWS cannot be asked."""


RULES: dict[str, tuple[Rule, str]] = {
    "mlflow_unique_name": (
        is_unique_name,
        "give 1 to 32 lower-case letters, digits and single hyphens, beginning with a letter and not with internal-, sg- or "
        "sthree-, other than default: it is part of every name in AWS, of which the load balancer's is the shortest",
    ),
    "mlflow_policy_name_prefix": (
        matches(r"[a-z][a-z0-9-]*", 32),
        "give the first 1 to 32 lower-case letters, digits and hyphens of the names of the stacks, such as mlflow-",
    ),
    "mlflow_policy_account_id": _ACCOUNT,
    "mlflow_policy_region": _REGION,
    "mlflow_policy_secret_arns": (distinct(SECRET[0], maximum=10), "give at most 10 different full ARNs of Secrets Manager secrets"),
    "mlflow_policy_key_arns": (distinct(_KEY[0], maximum=10), "give at most 10 different ARNs of KMS keys themselves, not of aliases"),
    "mlflow_break_lease": (matches(r"[0-9a-f]{8}"), "give the ID of the lease, as the run says that it stops: 8 hexadecimal digits, in quotes"),
    "mlflow_aws_account_id": _ACCOUNT,
    "mlflow_aws_region": _REGION,
    "mlflow_aws_profile": (matches(r"[^\[\]\x00-\x1f]+", 256), "give the name of a profile of the AWS configuration files"),
    "mlflow_aws_assume_role_arn": _ROLE,
    "mlflow_aws_assume_role_duration": (between(900, 43200), "give 900 to 43200 seconds, at most the MaxSessionDuration of the role"),
    "mlflow_iam_role_path": (
        matches(r"(?!/aws-)/([\w+=,.@-]+/)*", 512),
        "give a path that begins and ends with a slash, such as /teams/mlflow/, and not with /aws-, of letters, digits and _ + = , . @ -",
    ),
    "mlflow_permissions_boundary_arn": (is_policy_arn, "give the ARN of a managed policy of IAM, such as arn:aws:iam::123456789012:policy/boundary"),
    "mlflow_aws_assume_role_external_id": _EXTERNAL_ID,
    "mlflow_dns_assume_role_arn": _ROLE,
    "mlflow_dns_assume_role_external_id": _EXTERNAL_ID,
    "mlflow_vpc_id": (matches(rf"vpc-{_ID}"), "give the ID of a VPC, such as vpc-0a1b2c3d4e5f67890"),
    "mlflow_load_balancer_subnet_ids": _SUBNETS,
    "mlflow_service_subnet_ids": _SUBNETS,
    "mlflow_database_subnet_ids": _SUBNETS,
    "mlflow_record_name": (_RECORD_NAME, "give the first part of the host name, in lower case, such as mlflow"),
    "mlflow_load_balancer_token_record_name": (_RECORD_NAME, "give the first part of the host name, in lower case, such as mlflow-token"),
    "mlflow_zone_id": _ZONE_ID,
    "mlflow_api_zone_id": _ZONE_ID,
    "mlflow_zone_name": _ZONE_NAME,
    "mlflow_api_zone_name": _ZONE_NAME,
    "mlflow_certificate_arn": _CERTIFICATE,
    "mlflow_api_cert_arn": _CERTIFICATE,
    "mlflow_load_balancer_ingress_cidr_blocks": (
        distinct(lambda v: is_cidr(v) or _PREFIX_LIST(v), 1),
        "give one or more different CIDR blocks without host bits, such as 10.0.0.0/8, IPv6 in its short form, such as 2001:db8::/32, or IDs of "
        "managed prefix lists, such as pl-0a1b2c3d4e5f67890",
    ),
    "mlflow_load_balancer_ssl_policy": (
        matches(r"ELBSecurityPolicy-(TLS13-1-[23]|FS-1-2)[\w-]*", 64),
        "give a policy of TLS 1.2 or newer, such as ELBSecurityPolicy-TLS13-1-2-2021-06",
    ),
    "mlflow_load_balancer_idle_timeout": (between(1, 4000), "give 1 to 4000 seconds"),
    "mlflow_load_balancer_deregistration_delay": (between(0, 3600), "give 0 to 3600 seconds"),
    "mlflow_load_balancer_session_timeout": (between(1, 604800), "give 1 to 604800 seconds"),
    "mlflow_load_balancer_web_acl_arn": (
        arn_of("wafv2", r"regional/webacl/[\w-]{1,128}/[0-9a-f-]{36}"),
        "give the ARN of a regional web ACL of AWS WAF, not one for CloudFront",
    ),
    "mlflow_load_balancer_access_logs_bucket": _BUCKET,
    "mlflow_load_balancer_access_logs_prefix": (
        lambda v: re.fullmatch(_PATH, v, re.ASCII) is not None and len(v) <= 512 and "AWSLogs" not in v,
        "give a prefix such as logs/mlflow, without AWSLogs and without a slash at either end",
    ),
    "mlflow_load_balancer_oidc_issuer": _URL,
    "mlflow_load_balancer_oidc_authorization_endpoint": _URL,
    "mlflow_load_balancer_oidc_token_endpoint": _URL,
    "mlflow_load_balancer_oidc_user_info_endpoint": _URL,
    "mlflow_load_balancer_oidc_client_id": (matches(r"[!-~]+", 1024), "give the ID of the client, of printable ASCII without spaces"),
    "mlflow_load_balancer_oidc_client_secret_arn": SECRET,
    "mlflow_load_balancer_oidc_scope": (
        lambda v: "openid" in v and all(re.fullmatch(r"[!#-\[\]-~]{1,256}", scope) for scope in v.split(" ")),
        "give scopes with a space between them, openid among them, such as openid email",
    ),
    "mlflow_aws_cognito_user_pool_arn": (
        matches(r"arn:aws(-[a-z]+)*:cognito-idp:([a-z0-9-]+):\d{12}:userpool/\2_[0-9a-zA-Z]+"),
        "give the ARN of a Cognito user pool",
    ),
    "mlflow_aws_cognito_user_pool_client_id": _CLIENT_ID,
    "mlflow_aws_cognito_user_pool_domain": (
        matches(rf"{LABEL}|{_DOMAIN}", 253),
        "give the domain prefix of the user pool, such as team-x, or its own domain, without https://",
    ),
    "mlflow_api_client_ids": (distinct(_CLIENT_ID[0], maximum=49), "give at most 49 different IDs of app clients of the Cognito user pool"),
    "mlflow_api_groups": (distinct(is_cognito_group, maximum=100), "give different names of groups of the Cognito user pool, at most 100, without spaces"),
    "mlflow_api_scopes": (
        distinct(_SCOPE, maximum=10),
        "give different scopes, at most 10, which API Gateway takes, as <resource server>/<scope>, such as mlflow/write",
    ),
    "mlflow_api_credentials_secret_arn": SECRET,
    "mlflow_admin_groups": _GROUPS,
    "mlflow_editor_groups": _GROUPS,
    "mlflow_reader_groups": _GROUPS,
    "mlflow_api_throttling_rate_limit": (between(1, 10000), "give 1 to 10000 requests a second"),
    "mlflow_api_throttling_burst_limit": (between(1, 5000), "give 1 to 5000 requests"),
    "mlflow_rds_cluster_engine_version": (
        matches(r"[0-9]+(\.[0-9a-z_]+)*", 64),
        "give a version as Amazon RDS spells it, such as 8.0.mysql_aurora.3.10.3 or 17.7",
    ),
    "mlflow_database_password_secret_arn": SECRET,
    "mlflow_key_arn": _KEY,
    "mlflow_database_kms_key_arn": _KEY_OR_ALIAS,
    "mlflow_database_name": (
        lambda v: re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", v, re.ASCII) is not None and v.lower() not in _ENGINES_OWN_DATABASES,
        "give 1 to 63 letters, digits and underscores, beginning with a letter, other than the databases of the engine itself",
    ),
    "mlflow_database_master_username": (
        lambda v: re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,15}", v, re.ASCII) is not None and v.lower() not in ("mlflow", "rdsadmin"),
        "give 1 to 16 letters, digits and underscores, beginning with a letter, other than rdsadmin, which is AWS's own, and mlflow, which "
        "is that of the servers",
    ),
    "mlflow_database_min_capacity": (between(0, 256, 0.5), f"{_ACU}, 0 to 256"),
    "mlflow_database_max_capacity": (between(1, 256, 0.5), f"{_ACU}, 1 to 256"),
    "mlflow_database_seconds_until_auto_pause": (between(300, 86400), "give 300 to 86400 seconds"),
    "mlflow_database_maintenance_window": (is_maintenance_window, "give days and times in UTC, 30 minutes or more apart, such as sun:04:30-sun:05:30"),
    "mlflow_database_port": (lambda v: v == 0 or 1150 <= v <= 65535, "give 1150 to 65535, or 0 for the port of the engine"),
    "mlflow_database_reader_count": (between(0, 15), "give 0 to 15 readers"),
    "mlflow_database_backup_retention_days": (between(1, 35), "give 1 to 35 days"),
    "mlflow_database_backtrack_window": (between(0, 259200), "give 0 to 259200 seconds, which are 72 hours"),
    "mlflow_database_monitoring_interval": (lambda v: v in (0, 1, 5, 10, 15, 30, 60), "give 1, 5, 10, 15, 30 or 60 seconds, or 0 for none"),
    "mlflow_database_ca_file": (matches(r"(/[\w.@+-]+)+"), "give the full path of a file in the image, such as /etc/ssl/rds-global-bundle.pem"),
    "mlflow_backup_name": _SNAPSHOT,
    "mlflow_restore_snapshot": (matches(r"[a-z][a-z0-9:-]{0,254}"), "give the name of a cluster snapshot, not its ARN"),
    "mlflow_restore_time": (lambda v: v == "latest" or is_time(v), "give a time with its zone, such as 2026-11-22T22:15:00Z, or latest"),
    "mlflow_restore_cluster": _SNAPSHOT,
    "mlflow_import_database_secret_arn": SECRET,
    "mlflow_import_sqlite_s3_uri": (
        lambda v: re.fullmatch(r"s3://([^/]+)/[^\s/](\S*[^\s/])?", v) is not None and is_bucket_name(v[5:].partition("/")[0]),
        "give the address of the file, such as s3://bucket/path/mlflow.db",
    ),
    "mlflow_import_security_group_id": (matches(rf"sg-{_ID}"), "give the ID of a security group, such as sg-0a1b2c3d4e5f67890"),
    "mlflow_import_artifact_root": (
        lambda v: is_bucket_name(v.removeprefix("s3://").partition("/")[0]) and re.fullmatch(rf"s3://[^/]+(/{_PATH})?/?", v, re.ASCII) is not None,
        "give the bucket, with the path in it if there is one, such as s3://bucket/mlflow",
    ),
    "mlflow_import_leave_out": (distinct(matches(r"\w{1,64}"), maximum=50), "give different names of tables, at most 50"),
    "mlflow_restore_discard": _SNAPSHOT,
    "mlflow_artifact_bucket_id": _BUCKET,
    "mlflow_artifact_bucket_path": (
        matches(rf"/?|/?{_PATH}/?", 512),
        "give a path such as /mlflow, of letters, digits and _ - . ! ' ( ), without empty parts, . and ..",
    ),
    "mlflow_artifact_bucket_encryption_key_arn": _KEY,
    "mlflow_artifact_bucket_noncurrent_days": (between(1, 36500), "give 1 to 36500 days"),
    "mlflow_artifact_bucket_access_logs_bucket": _BUCKET,
    "mlflow_artifact_bucket_access_logs_prefix": (matches(_PATH, 512), "give a prefix such as logs/mlflow, without a slash at either end"),
    "mlflow_artifact_buckets_mlflow_will_read": (
        distinct(lambda v: is_bucket_name(v) or re.fullmatch(r"arn:aws(-[a-z]+)*:s3:::[\w.*?/-]{1,1024}", v, re.ASCII) is not None),
        "give different bucket names or ARNs such as arn:aws:s3:::bucket-prefix-*",
    ),
    "mlflow_service_image": (
        matches(r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*", 255),
        "give an image without tag, such as ghcr.io/mlflow/mlflow; the tag goes into mlflow_service_image_tag",
    ),
    "mlflow_service_image_tag": (
        matches(r"\w[\w.-]{0,127}(@sha256:[0-9a-f]{64})?"),
        "give a tag, such as v3.18.0-full, or a tag with a digest, v3.18.0-full@sha256:<64 hexadecimal digits>; a digest alone does not tell "
        "the version of MLflow",
    ),
    "mlflow_service_image_credentials_secret_arn": SECRET,
    "mlflow_service_image_mirror_secret_arn": (
        arn_of("secretsmanager", r"secret:ecr-pullthroughcache/[\w/+=.@-]{1,490}-[A-Za-z0-9]{6}"),
        "give the full ARN of a Secrets Manager secret whose name begins with ecr-pullthroughcache/, as Amazon ECR reads no other, with the six "
        "characters at its end",
    ),
    "mlflow_service_environment_files": (
        distinct(matches(r"arn:aws(-[a-z]+)*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[\w!.*'()/-]+\.env", 1024), maximum=10),
        "give at most 10 different ARNs of objects that end in .env, such as arn:aws:s3:::team-x-config/mlflow.env",
    ),
    "mlflow_service_cpu": (lambda v: v in FARGATE_MEMORY, f"give one of {', '.join(map(str, FARGATE_MEMORY))}"),
    "mlflow_service_tmpfs_size": (between(0, 249_856), "give MiB, less than mlflow_service_memory, or 0 for a volume on disk"),
    "mlflow_service_workers": (between(1, 64), "give 1 to 64 workers"),
    "mlflow_service_min_capacity": (between(0, 1000), "give 0 to 1000 tasks"),
    "mlflow_service_max_capacity": (between(0, 1000), "give 0 to 1000 tasks"),
    "mlflow_service_cpu_target": (between(0, 100), "give 1 to 100 percent, or 0 for none"),
    "mlflow_service_log_retention_in_days": (lambda v: v in LOG_RETENTION, f"give one of the retentions of CloudWatch: {', '.join(map(str, LOG_RETENTION))}"),
    "mlflow_service_task_policy_arns": (
        distinct(is_policy_arn, maximum=20),
        "give different ARNs of managed policies of IAM, at most 20, such as arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess",
    ),
    "mlflow_gateway_bedrock_models": (
        distinct(matches(_BEDROCK_MODEL), maximum=50),
        "give different IDs of models or inference profiles of Amazon Bedrock, such as eu.anthropic.claude-sonnet-4-*, or ARNs, at most 50; or * for all",
    ),
    "mlflow_service_log_kms_key_arn": _KEY,
    "mlflow_service_health_check_grace_period_seconds": (between(0, 2147483647), "give 0 to 2147483647 seconds"),
    "mlflow_alarm_topic_arn": (arn_of("sns", r"[\w-]{1,256}"), "give the ARN of a standard topic of Amazon SNS"),
    "mlflow_alarm_emails": (distinct(_EMAIL, maximum=100), "give different e-mail addresses, such as team@example.com"),
    "mlflow_gunicorn_opts": _OPTIONS,
    "mlflow_uvicorn_opts": _OPTIONS,
    "mlflow_bootstrap_vpc_cidr": (is_vpc_cidr, "give a /16, such as 10.0.0.0/16"),
    "mlflow_bootstrap_endpoint_buckets": (
        distinct(lambda v: is_bucket_name(v) or re.fullmatch(r"arn:aws(-[a-z]+)*:s3:::[\w.*?/-]{1,1024}", v, re.ASCII) is not None),
        "give different bucket names or ARNs such as arn:aws:s3:::bucket-prefix-*",
    ),
    "mlflow_bootstrap_password_minimum_length": (lambda v: v == 0 or 6 <= v <= 99, "give 6 to 99, or 0 for 14 in a new pool"),
    "mlflow_bootstrap_zone_id": _ZONE_ID,
    "mlflow_bootstrap_api_zone_id": _ZONE_ID,
    "mlflow_first_admin_email": (_EMAIL, "give an e-mail address of at most 128 characters, such as anna@example.com"),
    "mlflow_bootstrap_cognito_domain": (
        lambda v: re.fullmatch(LABEL, v) is not None and not is_reserved_by_cognito(v),
        "give 1 to 63 lower-case letters, digits and hyphens, without the words aws, amazon and cognito",
    ),
    "mlflow_bootstrap_api_users": (
        distinct(lambda v: 0 < len(v) <= 128 and v.isprintable() and not set(v) & {":", " "}),
        "give different names without colons and spaces",
    ),
    "mlflow_tags": (
        lambda v: len(v) <= 40 and len({key.lower() for key in v}) == len(v),
        "give at most 40 tags, whose keys differ in more than upper and lower case: AWS takes 50 with those of the collection",
    ),
    "mlflow_ignore_tags": (
        distinct(lambda v: is_tag_text(v, 1, 128) and not any(is_ignored(own, [v.lower()]) for own in OWN_TAGS)),
        "give different keys of tags, or beginnings of keys that end in - or :, none of which is of a tag that the collection itself sets, such as managed-by",
    ),
}
"""What a value must be, and what to do otherwise. An empty string is right where it is the default: not given."""


ITEMS: dict[str, tuple[t.Callable[[t.Any, t.Any], bool], str]] = {
    "mlflow_service_environment": (
        lambda k, v: is_variable_name(k) and is_text(v),
        "give a dict of variable names to strings; quote what YAML would take for something else: true, yes, 1.10, dates, null",
    ),
    "mlflow_service_secrets": (
        lambda k, v: is_variable_name(k) and is_secret_reference(v),
        "give a dict of variable names to full ARNs in Secrets Manager or Parameter Store, or names of parameters",
    ),
    "mlflow_tags": (
        lambda k, v: isinstance(k, str) and is_tag_text(k, 1, 128) and k.lower() not in OWN_TAGS and is_text(v) and is_tag_text(str(v), 0, 256),
        "give keys of 1 to 128 and values of at most 256 letters, digits, spaces and _ . : / = + - @, which do not begin with aws: or rds:, "
        "and are no tag that the collection itself sets, such as managed-by; quote what YAML would take for something else: true, yes, 1.10, dates, null",
    ),
}
"""What each item of a dict must be. Of an input with wrong items, only those are shown."""


def problem_with(name: str, value: t.Any, option: dict[str, t.Any]) -> Problem | None:
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
            named = ", ".join(k for k in wrong if is_variable_name(k))[:100] if name in MAY_BE_SECRET else ""
            return Problem(name, wrong, f"{named}: {remedy}" if named else remedy)
    if name in RULES and not RULES[name][0](value):
        return Problem(name, value, RULES[name][1])
    return None

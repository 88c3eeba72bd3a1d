# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Broken team files, each a good one with one thing wrong: for the pure functions, and for the playbooks."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.action.preflight import input_spec

ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
SPEC = input_spec()
REQUIRED = [name for name, option in SPEC.items() if option.get("required")]
LEFT_OUT = object()


class Broken(t.NamedTuple):
    """C(changes) to a good team file, and the variables that have to be told, no other."""

    what: str
    changes: dict[str, t.Any]
    told: tuple[str, ...]


MANY = "a" * 10_000
HOSTILE = {
    "quotes": "'\"`",
    "braces": "{{ 7 * 7 }}",
    "lookup": "{{ lookup('ansible.builtin.pipe', 'touch pwned') }}",
    "statement": "{% for x in range(9) %}{{ x }}{% endfor %}",
    "comment": "{# #}",
    "line": "a\nb",
    "return": "a\rb",
    "tab": "a\tb",
    "NUL": "a\0b",
    "escape": "\x1b[2Ja",
    "shell": "$(touch pwned); `touch pwned` | touch pwned & > pwned",
    "flag": "--version",
    "traversal": "../../etc/passwd",
    "unicode": "ｍｌｆｌｏｗ",
    "digits": "١٢٣٤٥٦٧٨٩٠١٢",
    "right to left": "abc\u202edef",
    "zero width": "ml\u200bflow",
    "emoji": "🦊",
    "space": " ",
    "spaces at its ends": " mlflow ",
    "10 kB": MANY,
    "10 kB of dots": "a." * 5000,
    "10 kB of dashes": "a-" * 5000,
    "format": "%s %(x)s {0} {x!r}",
    "yaml": "!!python/object/apply:os.system ['touch pwned']",
    "json": '{"a": [1, null]}',
    "arn": "arn:aws:iam::aws:policy/*",
}
"""Strings that no grammar takes, but for a few inputs that take some of them."""

FREE = {
    "mlflow_confirm_destroy",
    "mlflow_confirm_restore",
    "mlflow_outputs_path",
    "mlflow_plan_path",
    "mlflow_bootstrap_team_file",
    "mlflow_gunicorn_opts",
    "mlflow_uvicorn_opts",
    "mlflow_aws_profile",
    "mlflow_aws_assume_role_external_id",
    "mlflow_load_balancer_oidc_client_id",
    "mlflow_load_balancer_oidc_scope",
}
"""Strings without a grammar, or with one that takes some of the hostile ones."""

TAKEN = {"mlflow_api_groups": {"quotes", "flag", "traversal", "unicode", "digits", "emoji", "arn"}, "mlflow_api_scopes": {"flag", "traversal", "arn"}}
"""Hostile strings that items of these lists take, because AWS does."""

GRAMMAR = [name for name, option in SPEC.items() if option.get("type") == "str" and name not in FREE]

WRONG_TYPES: dict[str, tuple[t.Any, ...]] = {
    "bool": ("maybe", 2, 0.5, [], {}, "2", "", "truee"),
    "dict": ([], "a=b", '{"a": "b"}', 1, True, ""),
    "float": ("x", "", [], {}, True, float("nan"), float("inf"), "1e3", "0x1", "1_0", "١"),
    "int": ("x", "", [], {}, True, 1.5, 2.0, "1.0", "1_000", " 1", "0x10", "١", 10**40, "9" * 5000),
    "list": ("a", {}, 1, True, "", "[a]", [["a"]], [{"a": 1}], [None], [True], [1.5]),
    "path": ([], {}, True, 1.5),
    "str": ([], {}, ["a"], True, 1.5, 1e400),
}


def _missing() -> t.Iterator[Broken]:
    for name in REQUIRED:
        yield Broken(f"{name} is left out", {name: LEFT_OUT}, (name,))
    for name in SPEC:
        yield Broken(f"{name} is null", {name: None}, (name,))
    for name, option in SPEC.items():
        if option.get("required") or ("default" in option and option["default"] not in ("", "/") and option.get("type") in ("str", "path")):
            yield Broken(f"{name} is an empty string", {name: ""}, (name,))


def _wrong_types() -> t.Iterator[Broken]:
    for name, option in SPEC.items():
        for value in WRONG_TYPES[option.get("type", "str")]:
            if option.get("elements") == "dict" and value in ([{"a": 1}],):
                continue
            yield Broken(f"{name} of type {type(value).__name__}", {name: value}, (name,))


def _typos() -> t.Iterator[Broken]:
    for name in SPEC:
        middle = len(name) // 2 + 2
        for typo in (name[:middle] + name[middle + 1 :], name[:middle] + name[middle : middle + 2][::-1] + name[middle + 2 :], name + "s"):
            if typo not in SPEC and typo != name:
                yield Broken(f"{typo} for {name}", {typo: "x"}, (typo,))
    for typo in ("mlfow_service_cpu", "mflow_tags", "MLFLOW_vpc_id", "mlflwo_key_arn"):
        yield Broken(f"{typo}, with a typo in its prefix", {typo: "x"}, (typo,))


def _hostile() -> t.Iterator[Broken]:
    for name in GRAMMAR:
        for what, text in HOSTILE.items():
            if what == "flag" and name in ("mlflow_artifact_bucket_path", "mlflow_load_balancer_access_logs_prefix"):
                continue  # S3 takes it
            yield Broken(f"{name} with {what}", {name: text}, (name,))
    for name, option in SPEC.items():
        if option.get("elements") == "str":
            for what, text in HOSTILE.items():
                if what in TAKEN.get(name, ()):
                    continue
                if name != "mlflow_bootstrap_api_users" or what in ("line", "return", "tab", "NUL", "escape", "space", "10 kB", "right to left"):
                    yield Broken(f"an item of {name} with {what}", {name: [text, "another"]}, (name,))


BAD: tuple[tuple[str, tuple[t.Any, ...]], ...] = (
    ("mlflow_unique_name", ("Team", "-a", "a-", "a--b", "1a", "a_b", "a" * 33, "internal-x", "sg-x", "sthree-x", "default", "a b", "a\n", "ä", 5, "a.b")),
    ("mlflow_vpc_id", ("vpc", "vpc-XYZ", "subnet-00000001", "vpc-00000001;x", "vpc-000000012", "VPC-00000001")),
    *(
        (
            f"mlflow_{of}_subnet_ids",
            ([], ["subnet-00000001"], ["subnet-00000001"] * 2, ["x", "y"], [f"subnet-{n:08}" for n in range(17)], ["subnet-00000001", "vpc-00000001"]),
        )
        for of in ("load_balancer", "service", "database")
    ),
    (
        "mlflow_load_balancer_ingress_cidr_blocks",
        (
            [],
            ["10.0.0.1/8"],
            ["10.0.0.0"],
            ["10.0.0.0/33"],
            ["::/129"],
            ["x"],
            [1],
            ["10.0.0.0/255.0.0.0"],
            ["010.0.0.0/8"],
            ["2001:DB8::/32"],
            ["10.0.0.0/8", "10.0.0.0/8"],
            ["fe80::%eth0/64"],
            ["10.0.0.0/8 "],
            ["10.0.0.0/٨"],
        ),
    ),
    ("mlflow_record_name", ("a_b", "-a", "a..b", "A", "a" * 64, "*", "a.", ".a")),
    *(
        (f"mlflow_{of}zone_name", ("example", "Example.com", "ex ample.com", ".example.com", "https://example.com", "a." * 127 + "com", "exämple.com"))
        for of in ("", "api_")
    ),
    *((f"mlflow_{of}zone_id", ("/hostedzone/Z1", "z1", "Z" * 33, "ZЖ")) for of in ("", "api_")),
    *(
        (
            name,
            (
                "x",
                ARN.format("iam", "server-certificate/x"),
                "arn:aws:acm:eu-west-1:1:certificate/x",
                "arn:aws:acm:eu-west-1:123456789012:certificate/",
                "arn:aws:acm::123456789012:certificate/x",
                "arn:aws:acm:eu-west-1:١٢٣٤٥٦٧٨٩٠١٢:certificate/x",
                ARN.format("acm", "certificate/x "),
            ),
        )
        for name in ("mlflow_certificate_arn", "mlflow_api_cert_arn")
    ),
    (
        "mlflow_aws_cognito_user_pool_arn",
        ("eu-west-1_AbCdEfGhI", ARN.format("cognito-idp", "userpool/x"), ARN.format("cognito-idp", "userpool/us-east-1_AbCdEfGhI")),
    ),
    ("mlflow_break_lease", ("0a1b2c3", "0A1B2C3D", "0a1b2c3d4", "the other")),
    ("mlflow_aws_cognito_user_pool_domain", ("https://team-x", "Team", "a/b", "-a", "a" * 64)),
    ("mlflow_aws_cognito_user_pool_client_id", ("a b", "a" * 129, "a-b")),
    ("mlflow_aws_account_id", (12345678901, "12345678901", "1234567890123", "abc", "123456789012 ")),
    ("mlflow_aws_region", ("Ireland", "eu-west", "eu_west_1", "eu-west-1a", "eu-west-100")),
    ("mlflow_aws_profile", ("a\nb", "[default]", MANY)),
    ("mlflow_aws_assume_role_arn", ("role", ARN.format("iam", "user/x"), ARN.format("iam", "role/x"), "arn:aws:iam::123456789012:role/")),
    ("mlflow_aws_assume_role_duration", (899, 43201)),
    ("mlflow_aws_assume_role_external_id", ("a", "a b", "ä", "a" * 1225)),
    ("mlflow_load_balancer_ssl_policy", ("ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-TLS13-1-0-2021-06", "x", "ELBSecurityPolicy-TLS-1-2-2017-01")),
    ("mlflow_load_balancer_idle_timeout", (0, 4001, -1)),
    ("mlflow_load_balancer_deregistration_delay", (3601, -1)),
    ("mlflow_load_balancer_session_timeout", (0, 604801)),
    ("mlflow_load_balancer_sign_in", ("none", "Cognito")),
    ("mlflow_load_balancer_access_logs_bucket", ("Bucket", "a", "s3://bucket", "192.168.0.1", "a..b", "a" * 64, "a.-b")),
    ("mlflow_load_balancer_access_logs_prefix", ("/a", "a/", "AWSLogs", "a/AWSLogs/b", "a//b", "..", "a" * 513)),
    *(
        (f"mlflow_load_balancer_oidc_{part}", ("http://idp.example.com", "idp.example.com", "https://", "https://a b", "https://{x}", "https://ä"))
        for part in ("issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint")
    ),
    ("mlflow_load_balancer_oidc_client_id", ("a b", "ä", "a\tb")),
    ("mlflow_load_balancer_oidc_scope", ("email", "openid  email", "openid\nemail", 'openid "x"', " openid")),
    ("mlflow_api_authorizer", ("none", "basic", "Lambda")),
    ("mlflow_api_client_ids", ([""], ["a", "a"], ["a b"], [f"a{n}" for n in range(50)])),
    ("mlflow_api_groups", ([""], ["a", "a"], ["a b"], ["a" * 129], ["a\u0301 b"], [f"a{n}" for n in range(101)])),
    ("mlflow_api_scopes", ([""], ["a", "a"], ["a b"], ["a/b c/d"], ["a/ä"], ["a" * 514], [f"a/{n}" for n in range(11)])),
    ("mlflow_api_throttling_rate_limit", (0, 10001, -1)),
    ("mlflow_api_throttling_burst_limit", (0, 5001)),
    ("mlflow_database_engine", ("mysql", "aurora", "Aurora-mysql")),
    ("mlflow_rds_cluster_engine_version", ("latest", "8.0;x", "8.0 ", "v17.7")),
    *(
        (name, ("hunter2", ARN.format("secretsmanager", "secret:x"), ARN.format("ssm", "parameter/x"), ARN.format("secretsmanager", "secret:x-a1b2c3:key::")))
        for name in ("mlflow_database_password_secret_arn", "mlflow_api_credentials_secret_arn", "mlflow_load_balancer_oidc_client_secret_arn")
    ),
    *(
        (name, ("alias/x", "cb698b74", ARN.format("s3", "key/x"), ARN.format("kms", "alias/x")))
        for name in ("mlflow_key_arn", "mlflow_artifact_bucket_encryption_key_arn")
    ),
    ("mlflow_database_kms_key_arn", ("alias/x", "cb698b74", ARN.format("kms", "grant/x"))),
    ("mlflow_database_name", ("1a", "_a", "a-b", "a" * 64, "MySQL", "rdsadmin", "template1", "a b", "ä", 5)),
    ("mlflow_database_master_username", ("1a", "_a", "a-b", "a" * 17, "mlflow", "MLflow", "rdsadmin", "a b", "ä", 5)),
    ("mlflow_database_min_capacity", (-0.5, 0.7, 257)),
    ("mlflow_database_max_capacity", (0, 0.5, 1.25, 257)),
    ("mlflow_database_seconds_until_auto_pause", (299, 86401)),
    ("mlflow_database_reader_count", (-1, 16)),
    ("mlflow_database_backup_retention_days", (0, 36)),
    ("mlflow_database_ca_file", ("bundle.pem", "/a b", "/etc/", "//etc/a", "https://example.com/bundle.pem")),
    *(
        (name, ("Team", "-a", "a-", "a--b", "1a", "a" * 64, ARN.format("rds", "cluster-snapshot:x")))
        for name in ("mlflow_backup_name", "mlflow_restore_cluster", "mlflow_restore_discard")
    ),
    ("mlflow_restore_snapshot", ("Team", "1a", "a" * 256, "a b", "rds_a")),
    ("mlflow_restore_time", ("yesterday", "2026-11-22", "2026-11-22T22:15:00", "2026-02-30T00:00:00Z", "Latest")),
    ("mlflow_artifact_bucket_id", ("arn:aws:s3:::bucket", "B", "xn--x", "bucket-s3alias", "sthree-x", "ab")),
    ("mlflow_artifact_bucket_path", ("/a//b", "a b", "//", "/../$x", "/a/../b", "/.", "/a*", "/ä", "s3://bucket/a", "a" * 600)),
    ("mlflow_artifact_bucket_encryption_algorithm", ("aes256", "kms")),
    ("mlflow_artifact_bucket_noncurrent_days", (0, -1, 36501)),
    ("mlflow_artifact_buckets_mlflow_will_read", (["B"], ["*"], ["bucket", "bucket"], ["s3://bucket"], ["arn:aws:s3:eu-west-1:123456789012:bucket"])),
    ("mlflow_artifact_access", ("both",)),
    ("mlflow_service_image", ("ghcr.io/mlflow/mlflow:v1", "UPPER/x/Y", "a b", "https://ghcr.io/x", "a//b", "a/b@sha256:0", "a" * 256)),
    ("mlflow_service_image_tag", ("-x", "a/b", "a" * 129, "a b", 3.18, "v1@sha256:0")),
    ("mlflow_service_cpu", (100, 3000, 0, -256)),
    ("mlflow_service_cpu_architecture", ("arm64", "x86")),
    ("mlflow_service_workers", (0, 65)),
    ("mlflow_service_min_capacity", (-1, 1001)),
    ("mlflow_service_max_capacity", (-1, 1001)),
    ("mlflow_service_cpu_target", (-1, 101)),
    ("mlflow_service_log_retention_in_days", (0, 2, 91)),
    ("mlflow_service_health_check_grace_period_seconds", (-1, 2147483648)),
    ("mlflow_service_container_insights", ("on", "Enabled")),
    (
        "mlflow_service_environment",
        (
            ["A=1"],
            {"1A": "x"},
            {"A": [1]},
            {"A": None},
            {"A": True},
            {"A": 1.10},
            {"A-B": "x"},
            {"": "x"},
            {"Ä": "x"},
            {1: "x"},
            {"A": "a\0b"},
            {"A\n": "x"},
            {"A": {"b": "c"}},
            {"A" * 256: "x"},
        ),
    ),
    (
        "mlflow_service_secrets",
        (
            {"A": "plain"},
            ["x"],
            {"A": ARN.format("secretsmanager", "secret:x")},
            {"A": ARN.format("kms", "key/x")},
            {"A": None},
            {"A": 1},
            {"A B": ARN.format("ssm", "parameter/a")},
            {"A": ARN.format("ssm", "parameter/a b")},
            {"A": {"arn": ARN.format("ssm", "parameter/a")}},
        ),
    ),
    ("mlflow_service_sidecar_container_definitions", ({}, ["x"], [None], [{1: 2}])),
    (
        "mlflow_service_scheduled_actions",
        (
            [{"name": "x"}],
            [{"name": "x", "schedule": "rate(1 day)", "min": 1}],
            [{"schedule": "rate(1 day)"}],
            "x",
            ["x"],
            [{"name": "x", "schedule": "rate(1 day)", "min_capacity": "many"}],
            [{"name": ["x"], "schedule": "rate(1 day)", "min_capacity": 1}],
        ),
    ),
    ("mlflow_gunicorn_opts", ("--x '", '"', "\\")),
    ("mlflow_uvicorn_opts", ("--x '",)),
    (
        "mlflow_tags",
        (
            ["a"],
            {"aws:x": "1"},
            {"AWS:x": "1"},
            {"rds:x": "1"},
            {"managed-by": "me"},
            {"Managed-By": "me"},
            {"mlflow-stack": "x"},
            {"mlflow-database-snapshot": "x"},
            {"mlflow-desired-count": "1"},
            {"mlflow-dns-records": "x"},
            {"mlflow-version": "x"},
            {"a": "x" * 257},
            {"a" * 129: "x"},
            {"": "x"},
            {"a<": "x"},
            {"a": True},
            {"a": None},
            {1: "x"},
            {"a": "x\ty"},
            {"a": 1.10},
            {"a": ["x"]},
            {"a": "{{ 1 }}"},
            {"a": "aws:x"},
            {"a": "x\u202ey"},
            {"a": "x\ny"},
            {"a": "🦊"},
            {"Team": "x", "team": "y"},
            {f"k{n}": "x" for n in range(41)},
        ),
    ),
    ("mlflow_bootstrap_state", ("gone",)),
    (
        "mlflow_bootstrap_vpc_cidr",
        ("10.0.0.0/8", "10.0.1.0/16", "x", "999.1.0.0/16", "127.0.0.0/16", "169.254.0.0/16", "224.0.0.0/16", "0.0.0.0/16", "2001::/16"),
    ),
    ("mlflow_bootstrap_internet_access", ("none",)),
    *((name, ("x", "ml.example.com", "Z-1", "/hostedzone/Z0123456789ABCDEFGHIJ")) for name in ("mlflow_bootstrap_zone_id", "mlflow_bootstrap_api_zone_id")),
    ("mlflow_bootstrap_cognito_domain", ("my-aws", "amazon1", "cognito", "A", "a" * 64, "a.b")),
    ("mlflow_bootstrap_api_users", ([""], ["a:b"], ["a b"], ["a", "a"], ["a\n"])),
)


def _bad_values() -> t.Iterator[Broken]:
    for name, values in BAD:
        for value in values:
            yield Broken(f"{name}: {str(value)[:60]}", {name: value}, (name,))


SIDECAR = "mlflow_service_sidecar_container_definitions"
ACTION = "mlflow_service_scheduled_actions"
DAILY = {"name": "x", "schedule": "rate(1 day)", "min_capacity": 1}

CONTRADICTORY = (
    Broken("one host name for people and programs", {"mlflow_api_zone_name": "{zone}."}, ("mlflow_api_zone_name",)),
    Broken("a host name of 129 characters", {"mlflow_record_name": ".".join(["a" * 63] * 2)}, ("mlflow_record_name",)),
    Broken("a version of no engine", {"mlflow_rds_cluster_engine_version": "8.0"}, ("mlflow_rds_cluster_engine_version",)),
    Broken("a version of the other engine", {"mlflow_rds_cluster_engine_version": "17.7"}, ("mlflow_rds_cluster_engine_version",)),
    *(
        Broken(
            f"the user {user} of {engine}",
            {"mlflow_database_engine": engine, "mlflow_rds_cluster_engine_version": version, "mlflow_database_master_username": user},
            ("mlflow_database_master_username",),
        )
        for engine, version, user in (
            ("aurora-postgresql", "17.7", "admin"),
            ("aurora-postgresql", "17.7", "postgres"),
            ("aurora-postgresql", "17.7", "pg_me"),
            ("aurora-postgresql", "17.7", "User"),
            ("aurora-mysql", "8.0.mysql_aurora.3.10.3", "root"),
        )
    ),
    *(
        Broken(f"{field} of a sidecar by name", {SIDECAR: [{"name": "s", "image": "i", **fields}]}, (f"{SIDECAR}[0].{field}",))
        for field, fields in (
            ("secrets", {"secrets": [{"name": "S", "valueFrom": "/team/x"}]}),
            ("logConfiguration.secretOptions", {"logConfiguration": {"logDriver": "splunk", "secretOptions": [{"name": "t", "valueFrom": "token"}]}}),
            ("repositoryCredentials.credentialsParameter", {"repositoryCredentials": {"credentialsParameter": "registry"}}),
        )
    ),
    Broken("too much memory for the CPU", {"mlflow_service_cpu": 256}, ("mlflow_service_memory",)),
    Broken("memory that Fargate does not have", {"mlflow_service_memory": 4097}, ("mlflow_service_memory",)),
    Broken("least tasks above most", {"mlflow_service_min_capacity": 3}, ("mlflow_service_min_capacity",)),
    Broken("least ACU above most", {"mlflow_database_min_capacity": 2}, ("mlflow_database_min_capacity",)),
    Broken("0 ACU without pause", {"mlflow_database_auto_pause": False, "mlflow_database_min_capacity": 0}, ("mlflow_database_min_capacity",)),
    Broken("KMS without a key", {"mlflow_artifact_bucket_encryption_algorithm": "aws:kms"}, ("mlflow_artifact_bucket_encryption_key_arn",)),
    Broken(
        "Basic with the jwt authorizer",
        {"mlflow_api_authorizer": "jwt", "mlflow_api_credentials_secret_arn": ARN.format("secretsmanager", "secret:x-abcdef")},
        ("mlflow_api_credentials_secret_arn",),
    ),
    Broken("groups with the jwt authorizer", {"mlflow_api_authorizer": "jwt", "mlflow_api_groups": ["ml"]}, ("mlflow_api_groups",)),
    Broken("a scope that API Gateway does not take", {"mlflow_api_scopes": ["a/" + "b" * 63], "mlflow_api_authorizer": "jwt"}, ("mlflow_api_scopes",)),
    Broken("more groups than a function's environment holds", {"mlflow_api_groups": [f"{n:02}" + "a" * 98 for n in range(50)]}, ("mlflow_api_groups",)),
    Broken(
        "more clients, groups and scopes together than it holds",
        {"mlflow_api_client_ids": [f"{n:02}" + "a" * 48 for n in range(49)], "mlflow_api_groups": [f"{n:02}" + "a" * 98 for n in range(20)]},
        ("mlflow_api_client_ids",),
    ),
    Broken(
        "OIDC without a provider",
        {"mlflow_load_balancer_sign_in": "oidc"},
        tuple(
            f"mlflow_load_balancer_oidc_{part}"
            for part in ("issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint", "client_id", "client_secret_arn")
        ),
    ),
    Broken("a variable of the server", {"mlflow_service_environment": {"MLFLOW_BACKEND_STORE_URI": "x"}}, ("mlflow_service_environment",)),
    Broken(
        "a variable of the server with readers",
        {
            "mlflow_database_reader_count": 1,
            "mlflow_database_read_from_readers": True,
            "mlflow_service_environment": {"MLFLOW_READ_REPLICA_BACKEND_STORE_URI": "x"},
        },
        ("mlflow_service_environment",),
    ),
    Broken(
        "a variable that is a secret too",
        {"mlflow_service_environment": {"A": "x"}, "mlflow_service_secrets": {"A": ARN.format("ssm", "parameter/a")}},
        ("mlflow_service_environment",),
    ),
    Broken("two servers", {"mlflow_gunicorn_opts": "-w 2", "mlflow_uvicorn_opts": "--x"}, ("mlflow_gunicorn_opts",)),
    Broken("an image that is too long", {"mlflow_service_image": "a" * 200, "mlflow_service_image_tag": "b" * 100}, ("mlflow_service_image",)),
    Broken("one file for two things", {"mlflow_plan_path": "x.json", "mlflow_outputs_path": "x.json"}, ("mlflow_plan_path",)),
    Broken("60 kB of environment", {"mlflow_service_environment": {"A": "x" * 60_000}}, ("mlflow_service_environment",)),
    Broken("more sidecars than fit", {SIDECAR: [{"name": f"s{n}", "image": "x"} for n in range(9)]}, (SIDECAR,)),
    Broken(
        "more scheduled actions than fit",
        {"mlflow_service_scheduled_actions": [{"name": f"a{n}", "schedule": "rate(2 hours)", "max_capacity": 1} for n in range(201)]},
        ("mlflow_service_scheduled_actions",),
    ),
    Broken(
        "more buckets than fit into a policy",
        {"mlflow_artifact_buckets_mlflow_will_read": [f"a-bucket-with-quite-a-long-name-{n}" for n in range(100)]},
        ("mlflow_artifact_buckets_mlflow_will_read",),
    ),
    Broken(
        "more secrets than fit into a policy",
        {"mlflow_service_secrets": {f"S{n}": ARN.format("ssm", f"parameter/team-x/{'p' * 60}-{n}") for n in range(100)}},
        ("mlflow_service_secrets",),
    ),
    Broken("a sidecar of our name", {SIDECAR: [{"name": "mlflow", "image": "x"}]}, (f"{SIDECAR}[0].name",)),
    Broken("a sidecar without an image", {SIDECAR: [{"name": "x"}]}, (f"{SIDECAR}[0].image",)),
    Broken("a sidecar without a name", {SIDECAR: [{"image": "x"}]}, (f"{SIDECAR}[0].name",)),
    Broken("two sidecars of one name", {SIDECAR: [{"name": "x", "image": "x"}] * 2}, (f"{SIDECAR}[1].name",)),
    Broken(
        "a sidecar that waits for nobody",
        {SIDECAR: [{"name": "x", "image": "x", "dependsOn": [{"containerName": "y", "condition": "START"}]}]},
        (f"{SIDECAR}[0].dependsOn",),
    ),
    *(
        Broken(f"schedule {schedule}", {ACTION: [{**DAILY, "schedule": schedule}]}, (f"{ACTION}[0].schedule",))
        for schedule in (
            "daily",
            "cron(x)",
            "cron(0 20 * * *)",
            "cron(0 20 * * * *)",
            "cron(0 20 ? * ? *)",
            "cron(60 20 * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 20 32 * ? *)",
            "cron(0 20 * 13 ? *)",
            "cron(0 20 ? * 8 *)",
            "cron(0 20 ? * FUN *)",
            "cron(0 20 * * ? 1969)",
            "cron(0/0 20 * * ? *)",
            "cron(0 20 * * ? *",
            "rate(0 days)",
            "rate(1 week)",
            "rate(1)",
            "rate(-1 days)",
            "at(2030-01-31)",
            "at(2030-02-31T00:00:00)",
            "at(2030-01-31T00:00:00Z)",
            "at(tomorrow)",
            "",
            "()",
            ")",
        )
    ),
    *(
        Broken(f"time zone {zone}", {ACTION: [{**DAILY, "timezone": zone}]}, (f"{ACTION}[0].timezone",))
        for zone in ("Madrid", "Europe/Madird", "europe/madrid", "../../etc/passwd", "/etc/localtime", "GMT+1 ", "")
    ),
    *(
        Broken(f"action {name!r}", {ACTION: [{**DAILY, "name": name}]}, (f"{ACTION}[0].name",))
        for name in ("", " x", "x ", "a:b", "a/b", "a|b", "a\nb", "a" * 201)
    ),
    Broken("an action without effect", {ACTION: [{"name": "x", "schedule": "rate(1 day)"}]}, (f"{ACTION}[0]",)),
    Broken("least above most of an action", {ACTION: [{**DAILY, "min_capacity": 2, "max_capacity": 1}]}, (f"{ACTION}[0].min_capacity",)),
    Broken("a negative capacity of an action", {ACTION: [{**DAILY, "min_capacity": -1}]}, (f"{ACTION}[0].min_capacity",)),
    Broken("too great a capacity of an action", {ACTION: [{**DAILY, "max_capacity": 1001}]}, (f"{ACTION}[0].max_capacity",)),
    Broken("two actions of one name", {ACTION: [DAILY, DAILY]}, (f"{ACTION}[1].name",)),
)

ALONE = (*_missing(), *_wrong_types(), *_typos(), *_hostile(), *_bad_values())
"""One input is wrong by itself, whatever the others are."""

CORPUS = (*ALONE, *CONTRADICTORY)


def broken_team(good: dict[str, t.Any], broken: Broken) -> dict[str, t.Any]:
    """A team file with the changes, where C({zone}) is the name of its zone."""
    zone = good["mlflow_zone_name"].rstrip(".")
    changes = {k: v.replace("{zone}", zone) if isinstance(v, str) else v for k, v in broken.changes.items()}
    return {k: v for k, v in {**good, **changes}.items() if v is not LEFT_OUT}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Broken team files, each a good one with one thing wrong: for the pure functions, and for the playbooks."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.action.preflight import input_spec

ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
CACHE_SECRET = ARN.format("secretsmanager", "secret:ecr-pullthroughcache/ghcr-abcdef")
FILE = "arn:aws:s3:::bucket/{}"
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

TOKEN_RECORD = "mlflow_load_balancer_token_record_name"
TOKENS = {"mlflow_load_balancer_token_access": True, TOKEN_RECORD: "mlflow-token"}
BAD_TOKEN_RECORDS = (("at the host name of the API", "mlflow"), ("at a host name of 129 characters", ".".join(["a" * 63] * 2)))

FREE = {
    "mlflow_confirm_destroy",
    "mlflow_confirm_import",
    "mlflow_confirm_restore",
    "mlflow_outputs_path",
    "mlflow_plan_path",
    "mlflow_bootstrap_team_file",
    "mlflow_token_path",
    "mlflow_gunicorn_opts",
    "mlflow_uvicorn_opts",
    "mlflow_aws_profile",
    "mlflow_aws_assume_role_external_id",
    "mlflow_dns_assume_role_external_id",
    "mlflow_load_balancer_oidc_client_id",
    "mlflow_load_balancer_oidc_scope",
}
"""Strings without a grammar, or with one that takes some of the hostile ones."""

_GROUPS = ("mlflow_admin_groups", "mlflow_editor_groups", "mlflow_reader_groups")
TAKEN = {
    **dict.fromkeys(_GROUPS, {"quotes", "shell", "flag", "traversal", "unicode", "digits", "emoji", "yaml", "arn"}),
    "mlflow_api_groups": {"quotes", "flag", "traversal", "unicode", "digits", "emoji", "arn"},
    "mlflow_api_scopes": {"flag", "traversal", "arn"},
    "mlflow_ignore_tags": {"flag", "traversal", "unicode", "digits", "space", "spaces at its ends"},
}
"""Hostile strings that items of these lists take, because AWS does."""

GRAMMAR = [name for name, option in SPEC.items() if option.get("type") == "str" and name not in FREE]

WRONG_TYPES: dict[str, tuple[t.Any, ...]] = {
    "bool": ("maybe", 2, 0.5, [], {}, "2", "", "truee"),
    "dict": ([], "a=b", '["a", "b"]', '{"a": ', 1, True, ""),
    "float": ("x", "", [], {}, True, float("nan"), float("inf"), "1e3", "0x1", "1_0", "١"),
    "int": ("x", "", [], {}, True, 1.5, 2.0, "1.0", "1_000", " 1", "0x10", "١", 10**40, "9" * 5000),
    "list": ("a", "a,b", {}, 1, True, "", "{a: b}", '["a"', "[a]]", "[[a]]", [["a"]], [{"a": 1}], [None], [True], [1.5]),
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
            if what == "flag" and name in (
                "mlflow_artifact_bucket_path",
                "mlflow_artifact_bucket_access_logs_prefix",
                "mlflow_load_balancer_access_logs_prefix",
            ):
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
    *((name, ("a_b", "-a", "a..b", "A", "a" * 64, "*", "a.", ".a")) for name in ("mlflow_record_name", TOKEN_RECORD)),
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
    ("mlflow_policy_name_prefix", ("Team-", "-a", "a_b", "a*", "a" * 33)),
    ("mlflow_policy_account_id", (12345678901, "12345678901", "abc")),
    ("mlflow_policy_region", ("Ireland", "eu-west", "*")),
    ("mlflow_policy_secret_arns", (["team-x"], [ARN.format("secretsmanager", "secret:*")], [ARN.format("secretsmanager", "secret:x-a1b2c3")] * 2)),
    ("mlflow_policy_key_arns", (["k"], [ARN.format("kms", "alias/x")], [ARN.format("kms", f"key/{n}") for n in range(11)])),
    ("mlflow_aws_profile", ("a\nb", "[default]", MANY)),
    ("mlflow_aws_assume_role_arn", ("role", ARN.format("iam", "user/x"), ARN.format("iam", "role/x"), "arn:aws:iam::123456789012:role/")),
    ("mlflow_aws_assume_role_duration", (899, 43201)),
    ("mlflow_aws_assume_role_external_id", ("a", "a b", "ä", "a" * 1225)),
    ("mlflow_iam_role_path", ("teams", "/teams", "teams/", "//", "/a b/", "/ä/", "/a//b/", "/aws-service-role/x/", "/" + "a" * 511 + "/")),
    (
        "mlflow_permissions_boundary_arn",
        ("boundary", ARN.format("iam", "policy/x"), "arn:aws:iam::123456789012:role/x", "arn:aws:iam::aws:policy/", "arn:aws:iam::1:policy/x"),
    ),
    ("mlflow_load_balancer_ssl_policy", ("ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-TLS13-1-0-2021-06", "x", "ELBSecurityPolicy-TLS-1-2-2017-01")),
    ("mlflow_load_balancer_ip_address_type", ("ipv6", "DualStack", "dual-stack")),
    ("mlflow_load_balancer_idle_timeout", (0, 4001, -1)),
    ("mlflow_load_balancer_deregistration_delay", (3601, -1)),
    ("mlflow_load_balancer_session_timeout", (0, 604801)),
    ("mlflow_load_balancer_sign_in", ("none", "Cognito")),
    ("mlflow_api_ip_address_type", ("ipv6", "dualstack-without-public-ipv4")),
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
    *((name, ([""], ["a", "a"], ["a\nb"], ["a" * 129], [" a"], [f"a{n}" for n in range(101)])) for name in _GROUPS),
    ("mlflow_identity", ("on", "Edge", "basic-auth", "no", True)),
    ("mlflow_jobs", ("on", "On_demand", "always", True)),
    ("mlflow_default_right", ("", "owner", "Editor", "READER")),
    ("mlflow_api_scopes", ([""], ["a", "a"], ["a b"], ["a/b c/d"], ["a/ä"], ["a" * 514], [f"a/{n}" for n in range(11)])),
    ("mlflow_api_throttling_rate_limit", (0, 10001, -1)),
    ("mlflow_api_throttling_burst_limit", (0, 5001)),
    ("mlflow_database_engine", ("mysql", "aurora", "Aurora-mysql")),
    ("mlflow_rds_cluster_engine_version", ("latest", "8.0;x", "8.0 ", "v17.7")),
    *(
        (name, ("hunter2", ARN.format("secretsmanager", "secret:x"), ARN.format("ssm", "parameter/x"), ARN.format("secretsmanager", "secret:x-a1b2c3:key::")))
        for name in (
            "mlflow_database_password_secret_arn",
            "mlflow_import_database_secret_arn",
            "mlflow_api_credentials_secret_arn",
            "mlflow_load_balancer_oidc_client_secret_arn",
            "mlflow_service_image_credentials_secret_arn",
            "mlflow_service_image_mirror_secret_arn",
        )
    ),
    ("mlflow_service_image_mirror_secret_arn", (ARN.format("secretsmanager", "secret:ghcr-abcdef"),)),
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
    ("mlflow_load_balancer_web_acl_arn", ("acl", "arn:aws:wafv2:us-east-1:123456789012:global/webacl/x/0f4b4b4e-0000-4000-8000-000000000000")),
    ("mlflow_artifact_bucket_access_logs_bucket", ("Logs", "s3://logs", "arn:aws:s3:::logs")),
    ("mlflow_artifact_bucket_access_logs_prefix", ("/a", "a/", "a//b", "a" * 513)),
    ("mlflow_database_maintenance_window", ("sun", "04:30-05:30", "sun:04:30-sun:04:45", "sun:04:30-tue:04:30", "son:04:30-son:05:30")),
    ("mlflow_database_port", (-1, 80, 1149, 65536)),
    ("mlflow_database_reader_count", (-1, 16)),
    ("mlflow_database_backup_retention_days", (0, 36)),
    ("mlflow_database_backtrack_window", (-1, 259201)),
    ("mlflow_database_monitoring_interval", (-1, 2, 61)),
    ("mlflow_database_ca_file", ("bundle.pem", "/a b", "/etc/", "//etc/a", "https://example.com/bundle.pem")),
    *(
        (name, ("Team", "-a", "a-", "a--b", "1a", "a" * 64, ARN.format("rds", "cluster-snapshot:x")))
        for name in ("mlflow_backup_name", "mlflow_restore_cluster", "mlflow_restore_discard")
    ),
    ("mlflow_restore_snapshot", ("Team", "1a", "a" * 256, "a b", "rds_a")),
    ("mlflow_restore_time", ("yesterday", "2026-11-22", "2026-11-22T22:15:00", "2026-02-30T00:00:00Z", "Latest")),
    ("mlflow_import_sqlite_s3_uri", ("mlflow.db", "s3://bucket", "s3://bucket/", "s3://B/mlflow.db", "https://bucket/mlflow.db", "s3://bucket/a b")),
    ("mlflow_import_security_group_id", ("default", "sg-1", "vpc-0a1b2c3d4e5f67890")),
    ("mlflow_import_artifact_root", ("bucket", "s3://", "s3://B", "mlflow-artifacts:/", "s3://bucket//a", "s3://bucket/../a", "file:///mlruns")),
    ("mlflow_import_leave_out", ([""], ["a", "a"], ["a b"], ["a;b"], ["a,b"], ["a" * 65])),
    ("mlflow_artifact_bucket_id", ("arn:aws:s3:::bucket", "B", "xn--x", "bucket-s3alias", "sthree-x", "ab")),
    ("mlflow_artifact_bucket_path", ("/a//b", "a b", "//", "/../$x", "/a/../b", "/.", "/a*", "/ä", "s3://bucket/a", "a" * 600)),
    ("mlflow_artifact_bucket_encryption_algorithm", ("aes256", "kms")),
    ("mlflow_artifact_bucket_noncurrent_days", (0, -1, 36501)),
    ("mlflow_artifact_buckets_mlflow_will_read", (["B"], ["*"], ["bucket", "bucket"], ["s3://bucket"], ["arn:aws:s3:eu-west-1:123456789012:bucket"])),
    ("mlflow_artifact_access", ("both",)),
    ("mlflow_service_image", ("ghcr.io/mlflow/mlflow:v1", "UPPER/x/Y", "a b", "https://ghcr.io/x", "a//b", "a/b@sha256:0", "a" * 256)),
    ("mlflow_service_image_tag", ("-x", "a/b", "a" * 129, "a b", 3.18, "v1@sha256:0", f"sha256:{'0' * 64}", f"@sha256:{'0' * 64}", f"v1@sha256:{'A' * 64}")),
    ("mlflow_service_cpu", (100, 3000, 0, -256)),
    ("mlflow_service_cpu_architecture", ("arm64", "x86")),
    ("mlflow_service_tmpfs_size", (-1, 249_857)),
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
            {"A": "plain text"},
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
    (
        "mlflow_service_task_policy_arns",
        (["x"], ["arn:aws:iam::aws:policy/A"] * 2, ["arn:aws:iam::1:policy/A"], [f"arn:aws:iam::aws:policy/A{n}" for n in range(21)]),
    ),
    ("mlflow_service_task_policy_statements", ({}, ["x"], [None], [{1: 2}])),
    (
        "mlflow_gateway_bedrock_models",
        (["claude"], ["a.b c"], ["amazon.x"] * 2, ["arn:aws:s3:::x"], ["arn:aws:bedrock:x"], [f"amazon.x{n}" for n in range(51)], ["https://x.y"]),
    ),
    ("mlflow_service_sidecar_container_definitions", ({}, ["x"], [None], [{1: 2}])),
    (
        "mlflow_service_capacity_providers",
        (
            {},
            ["FARGATE"],
            [{}],
            [{"capacity_provider": "EC2"}],
            [{"weight": 1}],
            [{"capacity_provider": "FARGATE", "share": 1}],
            [{"capacity_provider": "FARGATE", "weight": "much"}],
        ),
    ),
    ("mlflow_service_environment_files", ("x", ["mlflow.env"], ["s3://b/x.env"], [FILE.format("a.txt")], [FILE.format("a.env")] * 2)),
    ("mlflow_service_environment_files", ([FILE.format(f"{n}.env") for n in range(11)],)),
    ("mlflow_service_volumes", ({}, ["x"])),
    ("mlflow_service_mount_points", ({}, ["x"])),
    ("mlflow_service_log_configuration", ([], "awslogs")),
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
        "mlflow_ignore_tags",
        (
            {"a": "1"},
            ["a", "a"],
            [""],
            ["a<"],
            ["aws:"],
            ["a" * 129],
            ["managed-by"],
            ["Managed-By"],
            ["managed-"],
            ["mlflow-stack"],
            ["mlflow-"],
            ["mlflow-dns-"],
        ),
    ),
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
            {"mlflow-policies": "x"},
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
    ("mlflow_bootstrap_nat_gateways", ("two", "vpc_endpoints")),
    ("mlflow_bootstrap_endpoint_buckets", (["s3://bucket"], ["a"], ["bucket", "bucket"])),
    ("mlflow_bootstrap_password_minimum_length", (5, 100, -1)),
    ("mlflow_bootstrap_mfa", ("on", "OPTIONAL")),
    ("mlflow_bootstrap_threat_protection", ("full",)),
    *((name, ("x", "ml.example.com", "Z-1", "/hostedzone/Z0123456789ABCDEFGHIJ")) for name in ("mlflow_bootstrap_zone_id", "mlflow_bootstrap_api_zone_id")),
    ("mlflow_alarm_topic_arn", ("alarms", "arn:aws:sns:eu-west-1:123456789012:alarms.fifo", "arn:aws:sqs:eu-west-1:123456789012:alarms")),
    ("mlflow_alarm_emails", (["team"], ["team@example"], ["a@example.com", "a@example.com"], [""])),
    ("mlflow_first_admin_email", ("anna", "@example.com", "anna@", "anna@example", "a b@example.com", "Anna <anna@example.com>", "a@b@example.com")),
    ("mlflow_bootstrap_cognito_domain", ("my-aws", "amazon1", "cognito", "A", "a" * 64, "a.b")),
    ("mlflow_bootstrap_api_users", ([""], ["a:b"], ["a b"], ["a", "a"], ["a\n"])),
)


def _bad_values() -> t.Iterator[Broken]:
    for name, values in BAD:
        for value in values:
            yield Broken(f"{name}: {str(value)[:60]}", {name: value}, (name,))


SIDECAR = "mlflow_service_sidecar_container_definitions"
CALLERS, IP_ADDRESS_TYPE = "mlflow_load_balancer_ingress_cidr_blocks", "mlflow_load_balancer_ip_address_type"
ACTION = "mlflow_service_scheduled_actions"
DAILY = {"name": "x", "schedule": "rate(1 day)", "min_capacity": 1}

REFUSED_VARIABLES = (
    *("HOME", "MLFLOW_HOST", "MLFLOW_PORT", "MLFLOW_WORKERS", "SCRIPT_NAME", "GUNICORN_CMD_ARGS", "UVICORN_ROOT_PATH", "MLFLOW_GUNICORN_OPTS"),
    *("MLFLOW_UVICORN_OPTS", "MLFLOW_SERVE_ARTIFACTS", "MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_DEFAULT_ARTIFACT_ROOT", "MLFLOW_ARTIFACTS_ONLY"),
    "MLFLOW_ARTIFACTS_PRESIGNED_ONLY",
    *("MLFLOW_BACKEND_STORE_URI", "MLFLOW_REGISTRY_STORE_URI", "MLFLOW_READ_REPLICA_BACKEND_STORE_URI", "MLFLOW_CRYPTO_KEK_PASSPHRASE"),
    *("MLFLOW_MYSQL_SSL_CA", "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", "MLFLOW_WORKSPACE", "MLFLOW_APP_NAME", "MLFLOW_AUTH_CONFIG_PATH"),
    *("MLFLOW_BASIC_AUTH_FAIL_CLOSED", "MLFLOW_WAITRESS_OPTS", "_MLFLOW_STATIC_PREFIX", "_MLFLOW_SERVER_ARTIFACTS_ONLY"),
)
"""Variables of the server that the rest of the stack relies on, or that say something to nobody."""

TOKEN = {"name": "splunk-token", "valueFrom": ARN.format("ssm", "parameter/token")}
WAITS = {"dependsOn": [{"containerName": "b", "condition": "START"}]}
BAD_SIDECARS: tuple[tuple[str, str, dict[str, t.Any]], ...] = (
    ("a volume that there is not", "mountPoints", {"mountPoints": [{"sourceVolume": "config", "containerPath": "/etc/x"}]}),
    ("two volumes at one path", "mountPoints", {"mountPoints": [{"sourceVolume": "tmp", "containerPath": "/x"}] * 2}),
    ("volumes of nobody", "volumesFrom", {"volumesFrom": [{"sourceContainer": "nobody"}]}),
    ("MLflow's port", "portMappings", {"portMappings": [{"containerPort": 5000}]}),
    ("another port of the host", "portMappings", {"portMappings": [{"containerPort": 80, "hostPort": 8080}]}),
    ("links", "links", {"links": ["mlflow"]}),
    ("privileges", "privileged", {"privileged": True}),
    ("hosts", "extraHosts", {"extraHosts": [{"hostname": "x", "ipAddress": "10.0.0.1"}]}),
    ("a device", "linuxParameters.devices", {"linuxParameters": {"devices": [{"hostPath": "/dev/fuse"}]}}),
    ("shared memory", "linuxParameters.sharedMemorySize", {"linuxParameters": {"sharedMemorySize": 64}}),
    ("a tmpfs without a size", "linuxParameters.tmpfs", {"linuxParameters": {"tmpfs": [{"containerPath": "/x", "size": 0}]}}),
    ("a capability", "linuxParameters.capabilities.add", {"linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}}}),
    ("a GPU", "resourceRequirements", {"resourceRequirements": [{"type": "GPU", "value": "1"}]}),
    ("a long stop", "stopTimeout", {"stopTimeout": 121}),
    ("another log driver", "logConfiguration.logDriver", {"logConfiguration": {"logDriver": "fluentd"}}),
    ("a log without a place", "logConfiguration.options", {"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "x"}}}),
    ("a log without a router", "logConfiguration.logDriver", {"logConfiguration": {"logDriver": "awsfirelens"}}),
    ("a router without a log", "firelensConfiguration", {"firelensConfiguration": {"type": "fluentbit"}}),
    (
        "a router's configuration in S3",
        "firelensConfiguration.options.config-file-type",
        {
            "firelensConfiguration": {"type": "fluentbit", "options": {"config-file-type": "s3", "config-file-value": "x"}},
            "logConfiguration": {"logDriver": "awsfirelens"},
        },
    ),
    ("a wait for the health of what has none", "dependsOn", {"dependsOn": [{"containerName": "tmp-permissions", "condition": "HEALTHY"}]}),
    ("a wait for the end of the task", "dependsOn", {"dependsOn": [{"containerName": "mlflow", "condition": "SUCCESS"}]}),
    ("more reserved than it may have", "memoryReservation", {"memory": 128, "memoryReservation": 256}),
    ("Splunk without an address", "logConfiguration.options", {"logConfiguration": {"logDriver": "splunk", "secretOptions": [TOKEN]}}),
    ("Splunk without a token", "logConfiguration.secretOptions", {"logConfiguration": {"logDriver": "splunk", "options": {"splunk-url": "https://x"}}}),
    (
        "a variable that is a secret too",
        "environment",
        {"environment": [{"name": "A", "value": "x"}], "secrets": [{"name": "A", "valueFrom": ARN.format("ssm", "parameter/a")}]},
    ),
)
"""What ECS refuses in one sidecar, and the field that is told."""
VOLUMES, MOUNTS = "mlflow_service_volumes", "mlflow_service_mount_points"
PROVIDERS = "mlflow_service_capacity_providers"
TMPFS = "mlflow_service_tmpfs_size"
EFS = "efsVolumeConfiguration"
BAD_VOLUMES: tuple[tuple[str, str, dict[str, t.Any]], ...] = (
    ("the name of the stack's own", "name", {"name": "tmp"}),
    ("a space in its name", "name", {"name": "a b"}),
    ("a directory of the host", "host.sourcePath", {"host": {"sourcePath": "/etc"}}),
    ("a volume of Docker", "dockerVolumeConfiguration", {"dockerVolumeConfiguration": {"scope": "task"}}),
    ("no file system", f"{EFS}.fileSystemId", {EFS: {"rootDirectory": "/"}}),
    ("IAM without TLS", f"{EFS}.transitEncryption", {EFS: {"fileSystemId": "fs-0a1b2c3d", "authorizationConfig": {"iam": "ENABLED"}}}),
    (
        "two roots",
        f"{EFS}.rootDirectory",
        {EFS: {"fileSystemId": "fs-0a1b2c3d", "transitEncryption": "ENABLED", "rootDirectory": "/a", "authorizationConfig": {"accessPointId": "fsap-1"}}},
    ),
)
"""What ECS refuses in a volume, and the field that is told."""

STATEMENTS = "mlflow_service_task_policy_statements"
BAD_STATEMENTS = (
    ("no effect", {"Effect": LEFT_OUT}, "Effect"),
    ("an effect of no policy", {"Effect": "allow"}, "Effect"),
    ("no action", {"Action": LEFT_OUT}, "Action"),
    ("an action and others", {"NotAction": "s3:*"}, "Action"),
    ("an action without a service", {"Action": "InvokeModel"}, "Action"),
    ("an action of no text", {"Action": [{"a": "b"}]}, "Action"),
    ("an empty list of actions", {"Action": []}, "Action"),
    ("no resource", {"Resource": LEFT_OUT}, "Resource"),
    ("a resource that is no ARN", {"Resource": ["*", "bucket"]}, "Resource"),
    ("a principal", {"Principal": "*"}, "Principal"),
    ("an id with blanks", {"Sid": "a b"}, "Sid"),
    ("a condition without an operator", {"Condition": {"aws:SourceVpc": "vpc-1"}}, "Condition"),
    ("a condition that is a list", {"Condition": [{}]}, "Condition"),
)
"""What IAM refuses in one statement, and the key that is told."""


def _statement(**changes: t.Any) -> dict[str, t.Any]:
    whole = {"Effect": "Allow", "Action": "xray:PutTraceSegments", "Resource": "*", **changes}
    return {key: value for key, value in whole.items() if value is not LEFT_OUT}


CONTRADICTORY = (
    Broken(
        "two ways to be told of alarms",
        {"mlflow_alarm_topic_arn": "arn:aws:sns:eu-west-1:123456789012:alarms", "mlflow_alarm_emails": ["team@example.com"]},
        ("mlflow_alarm_emails",),
    ),
    *(Broken(f"a statement with {what}", {STATEMENTS: [_statement(**changes)]}, (f"{STATEMENTS}[0].{told}",)) for what, changes, told in BAD_STATEMENTS),
    Broken("two statements of one id", {STATEMENTS: [_statement(Sid="A"), _statement(Sid="A")]}, (f"{STATEMENTS}[1].Sid",)),
    Broken(
        "more models than a policy holds", {"mlflow_gateway_bedrock_models": [f"amazon.{'x' * 120}{n}" for n in range(30)]}, ("mlflow_gateway_bedrock_models",)
    ),
    Broken("more statements than a policy holds", {STATEMENTS: [_statement() for _number in range(130)]}, (STATEMENTS,)),
    *(Broken(f"a sidecar with {what}", {SIDECAR: [{"name": "a", "image": "i", **fields}]}, (f"{SIDECAR}[0].{told}",)) for what, told, fields in BAD_SIDECARS),
    Broken(
        "a sidecar with MLflow's port behind TLS",
        {"mlflow_service_tls": True, SIDECAR: [{"name": "a", "image": "i", "portMappings": [{"containerPort": 5001}]}]},
        (f"{SIDECAR}[0].portMappings",),
    ),
    *(Broken(f"a volume with {what}", {VOLUMES: [{"name": "v", **fields}]}, (f"{VOLUMES}[0].{told}",)) for what, told, fields in BAD_VOLUMES),
    *(
        Broken(f"a capacity provider with {what}", {PROVIDERS: [{"capacity_provider": "FARGATE"} | given]}, (f"{PROVIDERS}[0].{next(iter(given))}",))
        for what, given in (("a weight below 0", {"weight": -1}), ("too much weight", {"weight": 1001}), ("too large a base", {"base": 100_001}))
    ),
    Broken("a capacity provider twice", {PROVIDERS: [{"capacity_provider": "FARGATE"}] * 2}, (f"{PROVIDERS}[1].capacity_provider",)),
    Broken("two bases", {PROVIDERS: [{"capacity_provider": name, "base": 1} for name in ("FARGATE", "FARGATE_SPOT")]}, (PROVIDERS,)),
    Broken("no weight", {PROVIDERS: [{"capacity_provider": "FARGATE", "weight": 0, "base": 1}]}, (PROVIDERS,)),
    Broken("more memory for /tmp than a task has", {TMPFS: 4096}, (TMPFS,)),
    Broken("memory for /tmp that sidecars reserve", {TMPFS: 3072, SIDECAR: [{"name": "a", "image": "i", "memoryReservation": 1024}]}, (TMPFS,)),
    Broken(
        "a volume to write without root",
        {TMPFS: 512, VOLUMES: [{"name": "v"}], MOUNTS: [{"sourceVolume": "v", "containerPath": "/v"}]},
        (f"{MOUNTS}[0].readOnly",),
    ),
    *(
        Broken(f"a sidecar that needs {what}, with /tmp in memory", {TMPFS: 512, SIDECAR: [{"name": "a", "image": "i", **fields}]}, (f"{SIDECAR}[0].{told}",))
        for what, told, fields in (
            ("the volume tmp", "mountPoints", {"mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}]}),
            ("tmp-permissions", "dependsOn", {"dependsOn": [{"containerName": "tmp-permissions", "condition": "SUCCESS"}]}),
            ("its volumes", "volumesFrom", {"volumesFrom": [{"sourceContainer": "tmp-permissions"}]}),
        )
    ),
    Broken("two volumes of one name", {VOLUMES: [{"name": "v"}] * 2}, (f"{VOLUMES}[1].name",)),
    *(
        Broken(
            f"MLflow's volume at {path}", {VOLUMES: [{"name": "v"}], MOUNTS: [{"sourceVolume": "v", "containerPath": path}]}, (f"{MOUNTS}[0].containerPath",)
        )
        for path in ("/tmp", "tmp", "/", "/a/../b", "/a/", None)
    ),
    Broken("a volume of MLflow that there is not", {MOUNTS: [{"sourceVolume": "v", "containerPath": "/v"}]}, (MOUNTS,)),
    *(
        Broken(f"MLflow's log with {what}", {"mlflow_service_log_configuration": given}, (f"mlflow_service_log_configuration{told}",))
        for what, given, told in (
            ("another driver", {"logDriver": "fluentd"}, ".logDriver"),
            ("no driver", {"options": {"a": "b"}}, ".logDriver"),
            ("another group", {"logDriver": "awslogs", "options": {"awslogs-group": "x"}}, ".options"),
            ("no router", {"logDriver": "awsfirelens"}, ".logDriver"),
            ("no token", {"logDriver": "splunk", "options": {"splunk-url": "https://x", "splunk-token": "x"}}, ".secretOptions"),
            ("no address", {"logDriver": "splunk", "secretOptions": [TOKEN]}, ".options"),
        )
    ),
    *(
        Broken(f"sidecars with more {size} than the task", {SIDECAR: [{"name": name, "image": "i", size: 2100} for name in "ab"]}, (SIDECAR,))
        for size in ("cpu", "memory")
    ),
    Broken(
        "two sidecars at one port",
        {SIDECAR: [{"name": n, "image": "i", "portMappings": [{"containerPort": 80}]} for n in "ab"]},
        (f"{SIDECAR}[1].portMappings",),
    ),
    Broken(
        "two sidecars that wait for each other",
        {SIDECAR: [{"name": "a", "image": "i", **WAITS}, {"name": "b", "image": "i", "dependsOn": [{"containerName": "a", "condition": "START"}]}]},
        (f"{SIDECAR}[0].dependsOn", f"{SIDECAR}[1].dependsOn"),
    ),
    Broken(
        "two log routers",
        {SIDECAR: [{"name": n, "image": "i", "firelensConfiguration": {"type": "fluentbit"}, "logConfiguration": {"logDriver": "awsfirelens"}} for n in "ab"]},
        (f"{SIDECAR}[1].firelensConfiguration",),
    ),
    Broken(
        "a role for zones that nobody asks",
        {"mlflow_manage_dns": False, "mlflow_dns_assume_role_arn": ARN.format("iam", "role/dns").replace("eu-west-1", "")},
        ("mlflow_dns_assume_role_arn",),
    ),
    Broken("a tag that is ignored", {"mlflow_tags": {"corp:owner": "x"}, "mlflow_ignore_tags": ["a", "corp:"]}, ("mlflow_ignore_tags",)),
    Broken("one host name for people and programs", {"mlflow_api_zone_name": "{zone}."}, ("mlflow_api_zone_name",)),
    Broken("a host name of 129 characters", {"mlflow_record_name": ".".join(["a" * 63] * 2)}, ("mlflow_record_name",)),
    Broken("token access without a host name", {**TOKENS, TOKEN_RECORD: LEFT_OUT}, (TOKEN_RECORD,)),
    *(Broken(f"token access {what}", {**TOKENS, TOKEN_RECORD: record}, (TOKEN_RECORD,)) for what, record in BAD_TOKEN_RECORDS),
    Broken(
        "token access with longer names than a tag lists",
        {**TOKENS, TOKEN_RECORD: f"{'a' * 63}.{'b' * 40}", "mlflow_load_balancer_ip_address_type": "dualstack"},
        (TOKEN_RECORD,),
    ),
    Broken("token access of two app clients", {**TOKENS, "mlflow_identity": "off", "mlflow_api_client_ids": ["other"]}, ("mlflow_api_client_ids",)),
    Broken("token access of two groups", {**TOKENS, "mlflow_identity": "off", "mlflow_api_groups": ["a", "b"]}, ("mlflow_api_groups",)),
    Broken("token access with two scopes", {**TOKENS, "mlflow_identity": "off", "mlflow_api_scopes": ["a/b", "a/c"]}, ("mlflow_api_scopes",)),
    Broken("token access with a long scope", {**TOKENS, "mlflow_api_scopes": ["a" * 257]}, ("mlflow_api_scopes",)),
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
            ("secrets", {"secrets": [{"name": "S", "valueFrom": "a secret"}]}),
            (
                "logConfiguration.secretOptions",
                {
                    "logConfiguration": {"logDriver": "awsfirelens", "secretOptions": [{"name": "t", "valueFrom": "a b"}]},
                    "firelensConfiguration": {"type": "x"},
                },
            ),
            ("repositoryCredentials.credentialsParameter", {"repositoryCredentials": {"credentialsParameter": "registry"}}),
        )
    ),
    Broken("too much memory for the CPU", {"mlflow_service_cpu": 256}, ("mlflow_service_memory",)),
    Broken("memory that Fargate does not have", {"mlflow_service_memory": 4097}, ("mlflow_service_memory",)),
    Broken("least tasks above most", {"mlflow_service_min_capacity": 3}, ("mlflow_service_min_capacity",)),
    Broken("least ACU above most", {"mlflow_database_min_capacity": 2}, ("mlflow_database_min_capacity",)),
    Broken("0 ACU without pause", {"mlflow_database_auto_pause": False, "mlflow_database_min_capacity": 0}, ("mlflow_database_min_capacity",)),
    Broken(
        "PostgreSQL that can be rewound",
        {"mlflow_database_engine": "aurora-postgresql", "mlflow_rds_cluster_engine_version": "17.7", "mlflow_database_backtrack_window": 3600},
        ("mlflow_database_backtrack_window",),
    ),
    Broken(
        "access logs of a bucket that is not the stack's",
        {"mlflow_artifact_bucket_id": "my-bucket", "mlflow_artifact_bucket_access_logs_bucket": "logs"},
        ("mlflow_artifact_bucket_access_logs_bucket",),
    ),
    *(
        Broken(f"multipart with {access}", {"mlflow_artifact_access": access, "mlflow_artifact_multipart": True}, ("mlflow_artifact_multipart",))
        for access in ("presigned", "direct")
    ),
    Broken("KMS without a key", {"mlflow_artifact_bucket_encryption_algorithm": "aws:kms"}, ("mlflow_artifact_bucket_encryption_key_arn",)),
    Broken(
        "Basic with the jwt authorizer",
        {"mlflow_api_authorizer": "jwt", "mlflow_api_credentials_secret_arn": ARN.format("secretsmanager", "secret:x-abcdef")},
        ("mlflow_api_credentials_secret_arn",),
    ),
    Broken(
        "credentials with the iam authorizer",
        {"mlflow_api_authorizer": "iam", "mlflow_api_credentials_secret_arn": ARN.format("secretsmanager", "secret:x-abcdef")},
        ("mlflow_api_credentials_secret_arn",),
    ),
    *(
        Broken(f"{name} with the iam authorizer", {"mlflow_api_authorizer": "iam", name: ["a"]}, (name,))
        for name in ("mlflow_api_client_ids", "mlflow_api_groups", "mlflow_api_scopes")
    ),
    Broken("a sidecar with the iam authorizer", {"mlflow_api_authorizer": "iam", SIDECAR: [{"name": "s", "image": "i"}]}, (SIDECAR,)),
    Broken("groups with the jwt authorizer", {"mlflow_api_authorizer": "jwt", "mlflow_api_groups": ["ml"]}, ("mlflow_api_groups",)),
    *(
        Broken(
            f"workspaces with {mode}",
            {"mlflow_identity": mode, "mlflow_service_environment": {"MLFLOW_ENABLE_WORKSPACES": "1"}},
            ("mlflow_service_environment.MLFLOW_ENABLE_WORKSPACES",),
        )
        for mode in ("edge", "mlflow")
    ),
    Broken("the auth app in an image without it", {"mlflow_identity": "mlflow", "mlflow_service_image_tag": "v3.18.0"}, ("mlflow_service_image_tag",)),
    Broken("the auth app of an older MLflow", {"mlflow_identity": "mlflow", "mlflow_service_image_tag": "v3.17.2-full"}, ("mlflow_service_image_tag",)),
    *(Broken(f"{name} that nobody looks at", {name: ["ml"], "mlflow_identity": "off"}, (name,)) for name in _GROUPS),
    *(
        Broken(f"{name} beside mlflow_jobs", {"mlflow_jobs": "off", "mlflow_service_environment": {name: "true"}}, ("mlflow_service_environment",))
        for name in ("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS")
    ),
    Broken("schedules that keep the database awake", {"mlflow_jobs": "scheduled", "mlflow_database_auto_pause": True}, ("mlflow_jobs",)),
    Broken("a right of nobody", {"mlflow_default_right": "none"}, ("mlflow_default_right",)),
    Broken("a scope that API Gateway does not take", {"mlflow_api_scopes": ["a/" + "b" * 63], "mlflow_api_authorizer": "jwt"}, ("mlflow_api_scopes",)),
    Broken("more groups than a function's environment holds", {"mlflow_api_groups": [f"{n:02}" + "a" * 98 for n in range(50)]}, ("mlflow_api_groups",)),
    Broken(
        "more clients, groups and scopes together than it holds",
        {"mlflow_api_client_ids": [f"{n:02}" + "a" * 48 for n in range(49)], "mlflow_api_groups": [f"{n:02}" + "a" * 98 for n in range(20)]},
        ("mlflow_api_client_ids",),
    ),
    Broken("callers by IPv6 without dualstack", {CALLERS: ["192.0.2.0/24", "2001:db8::/32"], IP_ADDRESS_TYPE: "ipv4"}, (CALLERS,)),
    Broken("no public IPv4 where nothing is public", {IP_ADDRESS_TYPE: "dualstack-without-public-ipv4"}, (IP_ADDRESS_TYPE,)),
    Broken(
        "OIDC without a provider",
        {"mlflow_load_balancer_sign_in": "oidc"},
        tuple(
            f"mlflow_load_balancer_oidc_{part}"
            for part in ("issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint", "client_id", "client_secret_arn")
        ),
    ),
    *(
        Broken(f"{name} as a variable", {"mlflow_service_environment": {name: value}}, (f"mlflow_service_environment.{name}",))
        for name, value in (
            *((name, "x") for name in REFUSED_VARIABLES),
            *(("MLFLOW_STATIC_PREFIX", prefix) for prefix in ("mlflow", "/mlflow/", "/", "/{x}", "/a/../b", "/a b", "/a*", "/" + "a" * 100)),
            ("MLFLOW_EXPOSE_PROMETHEUS", "/metrics"),
        )
    ),
    *(
        Broken(f"{name} as a secret", {"mlflow_service_secrets": {name: ARN.format("ssm", "parameter/a")}}, (f"mlflow_service_secrets.{name}",))
        for name in ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_PORT", "MLFLOW_STATIC_PREFIX", "MLFLOW_SERVER_ALLOWED_HOSTS")
    ),
    Broken(
        "a variable that is a secret too",
        {"mlflow_service_environment": {"A": "x"}, "mlflow_service_secrets": {"A": ARN.format("ssm", "parameter/a")}},
        ("mlflow_service_environment",),
    ),
    *(
        Broken(f"a server that listens elsewhere: {options}", {f"mlflow_{server}_opts": options}, (f"mlflow_{server}_opts",))
        for server, options in (
            *(("uvicorn", options) for options in ("--host 127.0.0.1", "--port=80", "--uds /tmp/x", "--fd 3", "--ssl-keyfile a.pem --ssl-certfile b.pem")),
            *(("gunicorn", options) for options in ("-b 127.0.0.1:80", "-b:80", "--bind=unix:/tmp/x", "--key a.pem --certfile b.pem", "-D", "--daemon")),
        )
    ),
    Broken("two servers", {"mlflow_gunicorn_opts": "-w 2", "mlflow_uvicorn_opts": "--x"}, ("mlflow_gunicorn_opts",)),
    Broken("an image that is too long", {"mlflow_service_image": "a" * 200, "mlflow_service_image_tag": "b" * 100}, ("mlflow_service_image",)),
    Broken(
        "a mirror of Amazon ECR",
        {"mlflow_service_image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlflow", "mlflow_service_image_mirror": True},
        ("mlflow_service_image_mirror",),
    ),
    Broken("too long a tag for a mirror", {"mlflow_service_image_tag": "a" * 116, "mlflow_service_image_mirror": True}, ("mlflow_service_image_tag",)),
    Broken(
        "credentials for Amazon ECR",
        {
            "mlflow_service_image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlflow",
            "mlflow_service_image_credentials_secret_arn": ARN.format("secretsmanager", "secret:x-abcdef"),
        },
        ("mlflow_service_image_credentials_secret_arn",),
    ),
    *(
        Broken(what, {"mlflow_service_image_mirror": True, "mlflow_service_image_mirror_secret_arn": CACHE_SECRET, **given}, names)
        for what, given, names in (
            ("a cache without a mirror", {"mlflow_service_image_mirror": False}, ("mlflow_service_image_mirror_secret_arn",)),
            ("a cache of a registry that ECR knows not", {"mlflow_service_image": "quay.io/x/mlflow"}, ("mlflow_service_image_mirror_secret_arn",)),
            (
                "two credentials for a cache",
                {"mlflow_service_image_credentials_secret_arn": ARN.format("secretsmanager", "secret:x-abcdef")},
                ("mlflow_service_image_credentials_secret_arn",),
            ),
            ("too long a name for a cache", {"mlflow_unique_name": "x" * 31}, ("mlflow_unique_name",)),
            ("too long an image for a cache", {"mlflow_service_image": f"ghcr.io/{'x' * 180}"}, ("mlflow_service_image",)),
        )
    ),
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

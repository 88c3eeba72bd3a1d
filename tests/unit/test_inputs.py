# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a team file may say."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mlplatform.mlflow_aws.plugins.action.preflight import input_spec
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils import _inputs

ROOT = Path(__file__).parents[2]
DEFAULTS = yaml.safe_load((ROOT / "roles/mlflow/defaults/main.yml").read_text(encoding="utf-8"))
SPEC = input_spec()
ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
GOOD: dict[str, t.Any] = {
    **{k: v for k, v in DEFAULTS.items() if "{{" not in str(v)},
    "mlflow_unique_name": "mlflow-team-x",
    "mlflow_vpc_id": "vpc-0a1b2c3d4e5f67890",
    "mlflow_load_balancer_subnet_ids": ["subnet-00000001", "subnet-00000002"],
    "mlflow_service_subnet_ids": ["subnet-00000003", "subnet-00000004"],
    "mlflow_database_subnet_ids": ["subnet-00000005", "subnet-00000006"],
    "mlflow_load_balancer_ingress_cidr_blocks": ["192.0.2.0/24", "2001:db8::/32"],
    "mlflow_record_name": "mlflow",
    "mlflow_zone_id": "Z0123456789ABCDEFGHIJ",
    "mlflow_zone_name": "ml.example.com",
    "mlflow_certificate_arn": ARN.format("acm", "certificate/466836c6-1642"),
    "mlflow_api_zone_id": "Z9876543210ABCDEFGHIJ",
    "mlflow_api_zone_name": "api.ml.example.com",
    "mlflow_api_cert_arn": ARN.format("acm", "certificate/6c137ab5-8366"),
    "mlflow_aws_cognito_user_pool_arn": ARN.format("cognito-idp", "userpool/eu-west-1_AbCdEfGhI"),
    "mlflow_aws_cognito_user_pool_client_id": "77eb1860bd874742b3eaa08fff",
    "mlflow_aws_cognito_user_pool_domain": "team-x",
    "mlflow_database_password_secret_arn": ARN.format("secretsmanager", "secret:team-x-password-gnjcGb"),
    "mlflow_key_arn": ARN.format("kms", "key/cb698b74-c034-43a4"),
    "mlflow_rds_cluster_engine_version": "8.0.mysql_aurora.3.10.3",
}


def problems(**changes: t.Any) -> list[_inputs.Problem]:
    inputs = {k: v for k, v in {**GOOD, **changes}.items() if v is not ...}
    return _inputs.check(inputs, SPEC)[1]


def test_a_good_team_file_has_no_problem() -> None:
    assert problems() == []


def test_every_rule_and_every_default_is_of_an_input() -> None:
    assert set(_inputs.RULES) <= set(SPEC)
    assert set(DEFAULTS) <= set(SPEC)
    required = {name for name, option in SPEC.items() if option.get("required")}
    assert set(SPEC) - required == set(DEFAULTS)


@pytest.mark.parametrize("name", [name for name, option in SPEC.items() if option.get("required")])
@pytest.mark.parametrize("value", [..., None, ""])
def test_a_required_input_is_missed(name: str, value: t.Any) -> None:
    assert [p.variable for p in problems(**{name: value})] == [name]


BAD: list[tuple[str, t.Any]] = [
    *(("mlflow_unique_name", v) for v in ("Team", "-a", "a-", "a--b", "1a", "a_b", "a" * 33, "internal-x", "a b", "a\n", "ä", ["a"], 5, True)),
    *(("mlflow_vpc_id", v) for v in ("vpc", "vpc-XYZ", "subnet-00000001", "vpc-00000001;x")),
    *(("mlflow_load_balancer_subnet_ids", v) for v in ([], ["subnet-00000001"], ["subnet-00000001"] * 2, "subnet-00000001", ["x", "y"], {})),
    *(("mlflow_load_balancer_ingress_cidr_blocks", v) for v in ([], ["10.0.0.1/8"], ["10.0.0.0"], ["10.0.0.0/33"], ["::/129"], ["x"], [1])),
    *(("mlflow_record_name", v) for v in ("a_b", "-a", "a..b", "A", "a" * 64)),
    *(("mlflow_zone_name", v) for v in ("example", "Example.com", "ex ample.com", ".example.com")),
    *(("mlflow_zone_id", v) for v in ("/hostedzone/Z1", "z1", "")),
    *(("mlflow_certificate_arn", v) for v in ("x", ARN.format("iam", "server-certificate/x"), "arn:aws:acm:eu-west-1:1:certificate/x")),
    *(("mlflow_aws_cognito_user_pool_arn", v) for v in ("eu-west-1_AbCdEfGhI", ARN.format("cognito-idp", "userpool/x"))),
    *(("mlflow_aws_cognito_user_pool_domain", v) for v in ("https://team-x", "Team", "a/b")),
    *(("mlflow_aws_account_id", v) for v in (12345678901, "12345678901", "1234567890123", "abc")),
    *(("mlflow_aws_region", v) for v in ("Ireland", "eu-west", "eu_west_1")),
    *(("mlflow_aws_assume_role_arn", v) for v in ("role", ARN.format("iam", "user/x"))),
    *(("mlflow_load_balancer_ssl_policy", v) for v in ("ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-TLS13-1-0-2021-06", "x")),
    *(("mlflow_load_balancer_idle_timeout", v) for v in (0, 4001, "x", 1.5, True)),
    *(("mlflow_load_balancer_session_timeout", v) for v in (0, 604801)),
    *(("mlflow_load_balancer_is_internal", v) for v in ("maybe", 2, [])),
    *(("mlflow_load_balancer_sign_in", v) for v in ("none", "Cognito")),
    *(("mlflow_load_balancer_access_logs_bucket", v) for v in ("Bucket", "a", "s3://bucket")),
    *(("mlflow_api_authorizer", v) for v in ("none", "basic", True)),
    *(("mlflow_api_client_ids", v) for v in ("abc", [""], ["a", "a"], [{"a": 1}])),
    *(("mlflow_api_throttling_rate_limit", v) for v in (0, "x", 10001)),
    *(("mlflow_api_throttling_burst_limit", v) for v in (0, 5001, 1.5)),
    *(("mlflow_database_engine", v) for v in ("mysql", "aurora")),
    *(("mlflow_rds_cluster_engine_version", v) for v in ("latest", "8.0;x", "8.0 ")),
    *(("mlflow_database_min_capacity", v) for v in (-0.5, 0.7, 1.5, 257, "x")),
    *(("mlflow_database_max_capacity", v) for v in (0, 0.5, 1.25, 257)),
    *(("mlflow_database_seconds_until_auto_pause", v) for v in (299, 86401)),
    *(("mlflow_database_reader_count", v) for v in (-1, 16, 0.5)),
    *(("mlflow_database_backup_retention_days", v) for v in (0, 36)),
    *(("mlflow_database_ca_file", v) for v in ("bundle.pem", "/a b", "/etc/", "https://example.com/bundle.pem", ["/a"])),
    *(("mlflow_key_arn", v) for v in ("alias/x", "cb698b74", ARN.format("s3", "key/x"), ARN.format("kms", "alias/x"))),
    *(("mlflow_artifact_bucket_id", v) for v in ("arn:aws:s3:::b", "B", "xn--x")),
    *(("mlflow_artifact_bucket_path", v) for v in ("/a//b", "a b", "//", "/../$x")),
    *(("mlflow_artifact_bucket_noncurrent_days", v) for v in (0, -1)),
    *(("mlflow_artifact_buckets_mlflow_will_read", v) for v in ("b", ["B"], ["*"], ["bucket", "bucket"])),
    *(("mlflow_artifact_access", v) for v in ("both",)),
    *(("mlflow_service_image", v) for v in ("ghcr.io/mlflow/mlflow:v1", "UPPER/x/Y", "a b", "https://ghcr.io/x")),
    *(("mlflow_service_image_tag", v) for v in ("-x", "a/b", "a" * 129, "a b")),
    *(("mlflow_service_cpu", v) for v in (100, 3000, "x")),
    *(("mlflow_service_memory", v) for v in (1000, 2048, 20480)),
    *(("mlflow_service_cpu_architecture", v) for v in ("arm64", "x86")),
    *(("mlflow_service_workers", v) for v in (0, 65)),
    *(("mlflow_service_min_capacity", v) for v in (-1, 3, 1001)),
    *(("mlflow_service_max_capacity", v) for v in (-1, 1001)),
    *(("mlflow_service_cpu_target", v) for v in (-1, 101)),
    *(("mlflow_service_log_retention_in_days", v) for v in (0, 2, 91)),
    *(("mlflow_service_environment", v) for v in (["A=1"], {"1A": "x"}, {"A": [1]}, {"A": None})),
    *(("mlflow_service_secrets", v) for v in ({"A": "plain"}, ["x"])),
    *(("mlflow_service_sidecar_container_definitions", v) for v in ({}, ["x"])),
    *(("mlflow_service_scheduled_actions", v) for v in (
        [{"name": "x"}], [{"name": "x", "schedule": "cron(x)", "min": 1}], [{"schedule": "cron(x)"}], "x",
        [{"name": "x", "schedule": "cron(x)", "min_capacity": 1}] * 2)),
    *(("mlflow_tags", v) for v in (["a"], {"aws:x": "1"}, {"managed-by": "me"}, {"mlflow-stack": "x"}, {"mlflow-dns-records": "x"})),
    *(("mlflow_tags", v) for v in ({"a": "x" * 257}, {"a" * 129: "x"})),
    *(("mlflow_tags", v) for v in ({"a<": "x"}, {"a": True}, {"a": None}, {1: "x"}, {"a": "x\ty"})),
    *(("mlflow_bootstrap_vpc_cidr", v) for v in ("10.0.0.0/8", "10.0.1.0/16", "x")),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda v: str(v)[:40])
def test_a_bad_value_is_named_with_a_remedy(name: str, value: t.Any) -> None:
    found = problems(**{name: value})
    assert name in [p.variable for p in found]
    assert all(p.remedy for p in found)


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"mlflow_api_zone_name": "ml.example.com."}, "mlflow_api_zone_name"),
        ({"mlflow_record_name": ".".join(["a" * 63] * 2)}, "mlflow_record_name"),
        ({"mlflow_rds_cluster_engine_version": "8.0"}, "mlflow_rds_cluster_engine_version"),
        ({"mlflow_database_engine": "aurora-postgresql"}, "mlflow_rds_cluster_engine_version"),
        ({"mlflow_service_cpu": 256}, "mlflow_service_memory"),
        ({"mlflow_service_min_capacity": 3}, "mlflow_service_min_capacity"),
        ({"mlflow_database_min_capacity": 2}, "mlflow_database_min_capacity"),
        ({"mlflow_database_auto_pause": False, "mlflow_database_min_capacity": 0}, "mlflow_database_min_capacity"),
        ({"mlflow_artifact_bucket_encryption_algorithm": "aws:kms"}, "mlflow_artifact_bucket_encryption_key_arn"),
        (
            {"mlflow_api_authorizer": "jwt", "mlflow_api_credentials_secret_arn": ARN.format("secretsmanager", "secret:x-abcdef")},
            "mlflow_api_credentials_secret_arn",
        ),
        ({"mlflow_load_balancer_sign_in": "oidc"}, "mlflow_load_balancer_oidc_issuer"),
        ({"mlflow_service_environment": {"MLFLOW_BACKEND_STORE_URI": "x"}}, "mlflow_service_environment"),
        (
            {"mlflow_service_environment": {"A": "x"}, "mlflow_service_secrets": {"A": ARN.format("ssm", "parameter/a")}},
            "mlflow_service_environment",
        ),
        ({"mlflow_gunicorn_opts": "-w 2", "mlflow_uvicorn_opts": "--x"}, "mlflow_gunicorn_opts"),
        ({"mlflow_service_sidecar_container_definitions": [{"name": "mlflow", "image": "x"}]}, "mlflow_service_sidecar_container_definitions[0].name"),
        ({"mlflow_service_sidecar_container_definitions": [{"name": "x"}]}, "mlflow_service_sidecar_container_definitions[0].image"),
        ({"mlflow_service_scheduled_actions": [{"name": "x", "schedule": "daily", "min_capacity": 1}]}, "mlflow_service_scheduled_actions[0].schedule"),
        ({"mlflow_service_scheduled_actions": [{"name": "x", "schedule": "cron(x)"}]}, "mlflow_service_scheduled_actions[0]"),
        (
            {"mlflow_service_scheduled_actions": [{"name": "x", "schedule": "cron(x)", "min_capacity": 2, "max_capacity": 1}]},
            "mlflow_service_scheduled_actions[0].min_capacity",
        ),
    ],
)
def test_inputs_that_do_not_go_together(changes: dict[str, t.Any], variable: str) -> None:
    assert variable in [p.variable for p in problems(**changes)]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("mlflow_service_cpu", "2048", 2048),
        ("mlflow_database_auto_pause", "no", False),
        ("mlflow_database_max_capacity", "1.5", 1.5),
        ("mlflow_unique_name", "team", "team"),
        ("mlflow_aws_account_id", "012345678901", "012345678901"),
        ("mlflow_artifact_bucket_path", "/", "/"),
        ("mlflow_artifact_bucket_path", "/a/b_c/", "/a/b_c/"),
    ],
)
def test_values_are_taken_as_people_write_them(name: str, value: t.Any, expected: t.Any) -> None:
    values, found = _inputs.check({**GOOD, name: value}, SPEC)
    assert not found and values[name] == expected


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("mlflow_servce_cpu", "mlflow_service_cpu"),
        ("mlflow_uniqe_name", "mlflow_unique_name"),
        ("mlflow_subnet_ids", "mlflow_service_subnet_ids"),
        ("mlflow_x", None),
    ],
)
def test_an_unknown_name_is_told_the_nearest(name: str, nearest: str | None) -> None:
    (problem,) = _inputs.unknown_names([name, "mlflow_unique_name"], SPEC)
    assert problem.variable == name and (nearest or "mlflow_") in problem.remedy


def test_all_problems_are_found_at_once() -> None:
    found = problems(mlflow_vpc_id=..., mlflow_service_cpu=1, mlflow_unique_name="X", mlflow_api_authorizer="x")
    assert {p.variable for p in found} == {"mlflow_vpc_id", "mlflow_service_cpu", "mlflow_unique_name", "mlflow_api_authorizer"}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from(sorted(SPEC)), value=ANYTHING)
def test_no_value_breaks_the_check(name: str, value: t.Any) -> None:
    for problem in problems(**{name: value}):
        assert problem.variable.startswith("mlflow_") and str(problem) and len(str(problem)) < 600

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a team file may say."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.check import check, check_policy, check_token, unknown_names
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.rules import RULES
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import MAY_BE_SECRET, Problem, in_its_type, unusable
from support.bad_inputs import ARN, CORPUS, SPEC, Broken, broken_team

ROOT = Path(__file__).parents[2]
DEFAULTS = yaml.safe_load((ROOT / "roles/mlflow/defaults/main.yml").read_text(encoding="utf-8"))
GOOD: dict[str, t.Any] = {
    **{k: v for k, v in DEFAULTS.items() if "{{" not in str(v)},
    "mlflow_unique_name": "mlflow-team-x",
    "mlflow_vpc_id": "vpc-0a1b2c3d4e5f67890",
    "mlflow_load_balancer_subnet_ids": ["subnet-00000001", "subnet-00000002"],
    "mlflow_service_subnet_ids": ["subnet-00000003", "subnet-00000004"],
    "mlflow_database_subnet_ids": ["subnet-00000005", "subnet-00000006"],
    "mlflow_load_balancer_ingress_cidr_blocks": ["192.0.2.0/24", "pl-0a1b2c3d4e5f67890"],
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


def problems(**changes: t.Any) -> list[Problem]:
    given = {k: v for k, v in {**GOOD, **changes}.items() if v is not ...}
    return check(given, SPEC)[1]


def test_a_good_team_file_has_no_problem() -> None:
    assert problems() == []


def test_the_inputs_that_roles_are_given_are_in_the_types_that_were_checked() -> None:
    """Whatever they were given as."""
    as_text = {name: json.dumps(value) if isinstance(value, (list, dict)) else str(value) for name, value in GOOD.items()}
    expected = check(GOOD, SPEC)[0]
    for team in (GOOD, as_text):
        assert {name: in_its_type(team[name], SPEC[name]) for name in expected} == expected


def test_callers_by_ipv6_with_ipv6() -> None:
    blocks = ["192.0.2.0/24", "2001:db8::/32"]
    assert problems(mlflow_load_balancer_ip_address_type="dualstack", mlflow_load_balancer_ingress_cidr_blocks=blocks) == []


def test_signed_callers_beside_tokens_and_trusted_sidecars() -> None:
    tokens = {"mlflow_load_balancer_token_access": True, "mlflow_load_balancer_token_record_name": "mlflow-token", "mlflow_api_groups": ["ml"]}
    assert problems(mlflow_api_authorizer="iam", **tokens) == []
    sidecars = [{"name": "s", "image": "i"}]
    assert problems(mlflow_api_authorizer="iam", mlflow_service_sidecar_container_definitions=sidecars, mlflow_api_iam_trust_sidecars=True) == []


def test_every_rule_and_every_default_is_of_an_input() -> None:
    assert set(RULES) <= set(SPEC)
    assert set(DEFAULTS) <= set(SPEC)
    required = {name for name, option in SPEC.items() if option.get("required")}
    assert set(SPEC) - required == set(DEFAULTS)


CASES: dict[str, list[Broken]] = {}
for case in CORPUS:
    CASES.setdefault(next(iter(case.changes)), []).append(case)


def told(team: dict[str, t.Any]) -> list[Problem]:
    given = {name: value for name, value in team.items() if name in SPEC}
    return unknown_names(team, SPEC) + check(given, SPEC)[1]


@pytest.mark.parametrize("name", CASES)
def test_a_broken_team_file_is_told_by_the_name_of_its_input_and_nothing_else_is(name: str) -> None:
    for case in CASES[name]:
        problems = told(broken_team(GOOD, case))
        assert tuple(dict.fromkeys(p.variable for p in problems)) == case.told, case.what
        for problem in problems:
            line = str(problem)
            assert problem.remedy and line.startswith(f"{problem.variable}: ") and len(line) < 700, case.what
            assert line.isprintable(), case.what  # on one line, and nothing that a terminal acts on


def test_every_input_has_its_place_in_the_corpus() -> None:
    assert len(CORPUS) > 2000 and set(SPEC) <= set(CASES)


def test_every_number_has_bounds() -> None:
    unbounded = {name for name, option in SPEC.items() if option.get("type") in ("int", "float")} - set(RULES)
    assert unbounded == {"mlflow_service_memory"}  # Fargate's table


def test_the_check_of_long_strings_takes_no_time() -> None:
    """No pattern tries all ways to match."""
    for name, option in SPEC.items():
        for text in ("a" * 20_000, "a." * 10_000, "a-" * 10_000, "0" * 20_000, "https://" + "a/" * 10_000, "/" * 20_000):
            value = [text] * 2 if option.get("elements") == "str" else text
            started = time.process_time()
            told({**GOOD, name: value})
            assert time.process_time() - started < 0.5, (name, text[:10])


@pytest.mark.parametrize("name", sorted(MAY_BE_SECRET))
@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: [s],
        lambda s: {"A": s},
        lambda s: {s: 1.5},
        lambda s: {f"T={s}": None},
        lambda s: {"A": {"b": s}},
        lambda s: [{"name": "x", "image": "y", "environment": {"A": s}, "dependsOn": s}],
    ],
)
def test_what_may_be_a_secret_is_not_shown(name: str, wrap: t.Callable[[str], t.Any]) -> None:
    for problem in told({**GOOD, name: wrap("hunter2-as-is")}):
        assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("mlflow_service_cpu", "2048", 2048),
        ("mlflow_database_auto_pause", "no", False),
        ("mlflow_database_max_capacity", "1.5", 1.5),
        ("mlflow_unique_name", "team", "team"),
        ("mlflow_aws_account_id", "012345678901", "012345678901"),
        ("mlflow_api_groups", ["ml-team", "données", "a,b", 7], ["ml-team", "données", "a,b", "7"]),
        (
            "mlflow_api_scopes",
            ["https://mlflow.example.com/write", "aws.cognito.signin.user.admin", "x" * 513],
            ["https://mlflow.example.com/write", "aws.cognito.signin.user.admin", "x" * 513],
        ),
        ("mlflow_api_groups", '["ml-team", "a,b"]', ["ml-team", "a,b"]),
        ("mlflow_api_groups", "- ml-team\n- données\n", ["ml-team", "données"]),
        ("mlflow_api_groups", "[]", []),
        ("mlflow_identity", False, "off"),
        ("mlflow_jobs", False, "off"),
        ("mlflow_identity", "off", "off"),
        ("mlflow_tags", '{\n\t"team": "x",\n\t"cost": 7\n}', {"team": "x", "cost": 7}),
        ("mlflow_tags", "team: x", {"team": "x"}),
        (
            "mlflow_service_scheduled_actions",
            '[{"name": "night", "schedule": "cron(0 20 * * ? *)", "min_capacity": "0"}]',
            [{"name": "night", "schedule": "cron(0 20 * * ? *)", "min_capacity": 0}],
        ),
        ("mlflow_artifact_bucket_path", "/", "/"),
        ("mlflow_artifact_bucket_path", "/a/b_c/", "/a/b_c/"),
    ],
)
def test_values_are_taken_as_people_write_them(name: str, value: t.Any, expected: t.Any) -> None:
    values, found = check({**GOOD, name: value}, SPEC)
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
    (problem,) = unknown_names([name, "mlflow_unique_name"], SPEC)
    assert problem.variable == name and (nearest or "mlflow_") in problem.remedy


def test_all_problems_are_found_at_once() -> None:
    found = problems(mlflow_vpc_id=..., mlflow_service_cpu=1, mlflow_unique_name="X", mlflow_api_authorizer="x")
    assert {p.variable for p in found} == {"mlflow_vpc_id", "mlflow_service_cpu", "mlflow_unique_name", "mlflow_api_authorizer"}


# Whatever else somebody may write

CHARACTERS = st.characters(exclude_categories=()) | st.sampled_from("\0\n{}%'\"$`\\:/.-_ *?\u202e١ａ")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARACTERS) | st.dates() | st.binary() | st.builds(lambda: 10**5000),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(CHARACTERS) | st.integers() | st.none(), inner) | st.tuples(inner),
    max_leaves=5,
)


@st.composite
def nearly_right(draw: st.DrawFn) -> tuple[str, str]:
    """A right value of a string, with something put into it."""
    name = draw(st.sampled_from([name for name, value in GOOD.items() if isinstance(value, str) and value]))
    value = GOOD[name]
    where = draw(st.integers(0, len(value)))
    return name, value[:where] + draw(st.text(CHARACTERS, min_size=1, max_size=3)) + value[where:]


def assert_told_or_taken(name: str, value: t.Any) -> None:
    """Refused with a line that can be shown, or taken as its type."""
    values, problems = check({**GOOD, name: value}, SPEC)
    for problem in problems:
        assert problem.variable.startswith("mlflow_") and problem.remedy
        assert str(problem).isprintable() and len(str(problem)) < 700
    if name in values:
        kind = {"bool": bool, "dict": dict, "float": float, "int": int, "list": list}.get(SPEC[name].get("type", "str"), str)
        assert isinstance(values[name], kind)
        assert unusable(values[name]) is None


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(SPEC)), value=ANYTHING)
def test_any_value_is_told_or_taken(name: str, value: t.Any) -> None:
    assert_told_or_taken(name, value)


@settings(max_examples=300, deadline=None)
@given(nearly_right())
def test_a_value_that_is_nearly_right_is_told_or_taken(given: tuple[str, str]) -> None:
    assert_told_or_taken(*given)


@settings(max_examples=100, deadline=None)
@given(value=ANYTHING, key=st.text(CHARACTERS, min_size=1))
def test_any_list_of_sidecars_and_actions_is_told_or_taken(value: t.Any, key: str) -> None:
    for name, item in (
        ("mlflow_service_sidecar_container_definitions", {"name": "x", "image": "y"}),
        ("mlflow_service_scheduled_actions", {"name": "x", "schedule": "rate(1 day)", "min_capacity": 1}),
    ):
        for changed in ({**item, key: value}, *({**item, k: value} for k in item), {**item, "dependsOn": [value]}, {**item, "timezone": value}):
            assert_told_or_taken(name, [changed])


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(SPEC)), ANYTHING, max_size=30))
def test_any_team_file_is_told_or_taken(team: dict[str, t.Any]) -> None:
    for bootstrap in (False, True):
        _values, problems = check(team, SPEC, bootstrap=bootstrap)
        assert all(str(problem).isprintable() for problem in problems)


@pytest.mark.parametrize(("length", "told"), [(64, []), (65, ["mlflow_record_name"])])
def test_a_name_is_as_short_as_the_certificate_that_bootstrap_requests(length: int, told: list[str]) -> None:
    record = "m" * (length - len(".ml.example.com"))
    team = {**GOOD, "mlflow_record_name": record, "mlflow_api_zone_name": "ap.example.com"}
    assert [problem.variable for problem in check(team, SPEC, bootstrap=True)[1]] == told * 2
    assert check(team, SPEC)[1] == []


@settings(max_examples=100, deadline=None)
@given(st.text(CHARACTERS))
def test_any_name_is_told_or_passed_over(name: str) -> None:
    for problem in unknown_names([name, f"mlflow_{name}", f"mlfow_{name}"], SPEC):
        assert problem.remedy.startswith("there is no such input; did you mean mlflow_")


@pytest.mark.parametrize("manage_dns", [False, "no", True, "yes", "maybe"])
def test_zones_are_needed_by_those_who_manage_dns_records(manage_dns: bool | str) -> None:
    zones = ("mlflow_zone_id", "mlflow_api_zone_id")
    team = {name: value for name, value in GOOD.items() if name not in zones} | {"mlflow_manage_dns": manage_dns}
    told = [problem.variable for problem in check(team, SPEC)[1]]
    assert sorted(told) == sorted({False: (), "no": (), "maybe": (*zones, "mlflow_manage_dns")}.get(manage_dns, zones))


@pytest.mark.parametrize(("groups", "told"), [(["ml-admins", "all of us"], []), (["all of us", "ml-admins"], ["mlflow_admin_groups"])])
def test_the_group_of_the_first_admin_is_one_of_cognito(groups: list[str], told: list[str]) -> None:
    team = {**GOOD, "mlflow_admin_groups": groups, "mlflow_first_admin_email": "anna@example.com"}
    assert [problem.variable for problem in check(team, SPEC, bootstrap=True)[1]] == told
    assert check({**team, "mlflow_first_admin_email": ""}, SPEC, bootstrap=True)[1] == check(team, SPEC)[1] == []


def test_bootstrap_cannot_do_without_dns() -> None:
    assert [problem.variable for problem in check({**GOOD, "mlflow_manage_dns": False}, SPEC, bootstrap=True)[1]] == ["mlflow_manage_dns"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"mlflow_policy_account_id": "123456789012", "mlflow_policy_region": "eu-west-1"}, []),
        ({"mlflow_aws_account_id": "123456789012", "mlflow_aws_region": "eu-west-1", "mlflow_policy_account_id": "", "mlflow_policy_region": ""}, []),
        ({"mlflow_policy_region": "eu-west-1"}, ["mlflow_policy_account_id: is missing: The account that the documents are for"]),
        ({"mlflow_policy_account_id": "123456789012", "mlflow_policy_region": ""}, ["mlflow_policy_region: is missing: The region that the documents are for"]),
        ({"mlflow_aws_account_id": "1", "mlflow_aws_region": "eu-west-1"}, ["mlflow_aws_account_id: '1': give the 12 digits of the account, in quotes"]),
    ],
)
def test_the_playbook_policy_needs_an_account_and_a_region_and_nothing_of_a_stack(given: dict[str, t.Any], told: list[str]) -> None:
    others = {"mlflow_dns_assume_role_arn": "arn:aws:iam::210987654321:role/dns", "mlflow_policy_name_prefix": "mlflow-"}
    assert list(map(str, check_policy({**others, **given}, SPEC))) == told


POOL_ARN = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEfGhI"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, []),
        ({"mlflow_vpc_id": "not of interest"}, []),
        ({"mlflow_api_client_ids": []}, ["mlflow_api_client_ids"]),
        ({"mlflow_aws_cognito_user_pool_arn": ""}, ["mlflow_aws_cognito_user_pool_arn"]),
        ({"mlflow_aws_cognito_user_pool_arn": "eu-west-1_AbCdEfGhI"}, ["mlflow_aws_cognito_user_pool_arn"]),
    ],
)
def test_the_inputs_of_a_token(given: dict[str, t.Any], told: list[str]) -> None:
    enough = {"mlflow_unique_name": "team-x", "mlflow_aws_cognito_user_pool_arn": POOL_ARN, "mlflow_api_client_ids": ["1h57kf5cpq17m0eml12"]}
    assert [problem.variable for problem in check_token({**enough, **given}, SPEC)] == told

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack costs, before it is there, and what each line of a plan makes of that."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import jsonschema
import pytest
import yaml
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.plan import document as plan_document
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.cost import month
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.cost.month import BY_USE, FREE, NOTHING, PRODUCTS_BY_USE, Money
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.cost.parts import PRICED, Parts, parts_of, runs_jobs_apart
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.cost.prices import FILE, Prices, prices_of, products, to_ask, updated
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.cost.schedules import HOURS, Action, task_hours
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import names_of

ROOT = Path(__file__).parents[2]
DEFAULTS = yaml.safe_load((ROOT / "roles/mlflow/defaults/main.yml").read_text(encoding="utf-8"))
STACK = "mlflow-team-x"
UNIT = {name: 1.0 for name in products()}
PRICES = Prices(
    "eu-west-1",
    "USD",
    "2026-01-01",
    "a table",
    {
        **UNIT,
        **{"fargate_vcpu": 0.04, "fargate_memory": 0.004, "fargate_arm_vcpu": 0.03, "fargate_arm_memory": 0.003},
        **{"database_capacity": 0.1, "load_balancer": 0.02, "public_address": 0.005, "secret": 0.4, "alarm": 0.1, "metric": 0.3, "dashboard": 3},
    },
)
TASK = (2 * 0.04 + 4 * 0.004) * HOURS
NIGHT = {"name": "night", "schedule": "cron(0 20 * * ? *)", "min_capacity": 0, "max_capacity": 0}
DAY = {"name": "day", "schedule": "cron(0 8 * * ? *)", "min_capacity": 1, "max_capacity": 3}


def parts(*, jobs: bool = False, identity: str = "edge", **inputs: t.Any) -> Parts:
    given = {**DEFAULTS, "mlflow_unique_name": STACK, "mlflow_load_balancer_subnet_ids": ["subnet-1", "subnet-2"], **inputs}
    return parts_of(given, names_of(given, "123456789012", "eu-west-1"), jobs=jobs, identity=identity)


def amounts(of: Parts, prices: Prices = PRICES) -> dict[str, tuple[float | None, float | None]]:
    return {f"{row.kind} {row.name}".strip(): tuple(None if each is None else round(each, 2) for each in row.money) for row in month.rows(of, prices)}


def change(action: str, kind: str, name: str, **fields: tuple[t.Any, t.Any]) -> dict[str, t.Any]:
    listed = [{"name": field.replace("__", "."), "before": before, "after": after} for field, (before, after) in fields.items()]
    return {"action": action, "kind": kind, "name": name, "fields": listed, "warnings": []}


@pytest.mark.parametrize(
    ("inputs", "resource", "asleep", "awake"),
    [
        ({}, f"rds_cluster {STACK}", 0, 73),
        ({"mlflow_database_auto_pause": False, "mlflow_database_max_capacity": 4}, f"rds_cluster {STACK}", 73, 292),
        ({"mlflow_database_auto_pause": False, "mlflow_database_min_capacity": 0.5, "mlflow_database_reader_count": 2}, f"rds_cluster {STACK}", 109.5, 219),
        ({}, f"ecs_service {STACK}", 2 * TASK, 2 * TASK),
        ({"mlflow_service_min_capacity": 1, "mlflow_service_max_capacity": 4}, f"ecs_service {STACK}", TASK, 4 * TASK),
        ({"mlflow_service_cpu_architecture": "ARM64"}, f"ecs_service {STACK}", 2 * 52.56, 2 * 52.56),
        ({"mlflow_service_cpu": 1024, "mlflow_service_memory": 2048}, f"ecs_service {STACK}", TASK, TASK),
        ({"mlflow_service_scheduled_actions": [NIGHT, DAY]}, f"ecs_service {STACK}", TASK / 2, 3 * TASK / 2),
        ({"mlflow_service_scheduled_actions": [NIGHT, DAY]}, f"rds_cluster {STACK}", 0, 36.5),
        ({"mlflow_service_scheduled_actions": [{**DAY, "schedule": "cron(0 8 LW * ? *)"}]}, f"ecs_service {STACK}", None, None),
        ({"jobs": True}, f"ecs_service {STACK}-jobs", TASK, TASK),
        ({"jobs": True, "mlflow_service_scheduled_actions": [NIGHT, DAY]}, f"ecs_service {STACK}-jobs", TASK, TASK),
        ({}, f"elbv2_load_balancer {STACK}", 14.6, 14.6),
        ({"mlflow_load_balancer_is_internal": False}, f"elbv2_load_balancer {STACK}", 21.9, 21.9),
        ({"mlflow_load_balancer_is_internal": False}, f"elbv2_load_balancer {STACK}-api", 14.6, 14.6),
        (
            {"mlflow_load_balancer_is_internal": False, "mlflow_load_balancer_ip_address_type": "dualstack-without-public-ipv4"},
            f"elbv2_load_balancer {STACK}",
            14.6,
            14.6,
        ),
        ({}, "secretsmanager_secret", 1.2, 1.2),
        ({"identity": "off"}, "secretsmanager_secret", 0.8, 0.8),
        ({"mlflow_api_authorizer": "iam"}, "secretsmanager_secret", 0.8, 0.8),
        ({"mlflow_dashboard": True}, "cloudwatch_dashboard", 3, 3),
        ({"mlflow_dashboard": True}, "cloudwatch_metric_alarm", 1.6, 1.6),
        ({"mlflow_alarm_emails": ["a@example.com"]}, "cloudwatch_metric_alarm", 1.7, 1.7),
        ({"mlflow_alarm_emails": ["a@example.com"]}, "logs_metric_filter", 0.3, 0.3),
    ],
)
def test_what_a_resource_costs(inputs: dict[str, t.Any], resource: str, asleep: float | None, awake: float | None) -> None:
    expected = tuple(None if each is None else round(each, 2) for each in (asleep, awake))
    assert amounts(parts(**inputs))[resource] == expected


def test_the_sum_is_that_of_what_has_a_price_and_says_what_has_none() -> None:
    without = PRICES._replace(unit_prices={name: price for name, price in PRICES.unit_prices.items() if name != "database_capacity"})
    stack = parts(mlflow_database_auto_pause=False)
    assert amounts(stack, without)[f"rds_cluster {STACK}"] == (None, None)
    assert round(month.total(month.rows(stack, PRICES)).awake or 0, 2) == round(73 + 2 * TASK + 14.6 + 1.2, 2)
    assert round(month.total(month.rows(stack, without)).awake or 0, 2) == round(2 * TASK + 14.6 + 1.2, 2)
    (row,) = [line for line in month.lines(stack, without) if "rds_cluster" in line]
    assert row.count("no price") == 2
    assert any(line.endswith("in all, without what has no price (1 line)") for line in month.lines(stack, without))
    assert month.document(stack, without)["complete"] is False and month.document(stack, PRICES)["complete"] is True


def test_a_database_that_pauses_costs_nothing_asleep_whatever_its_price() -> None:
    nowhere = prices_of("xx-nowhere-1")
    assert amounts(parts(), nowhere)[f"rds_cluster {STACK}"] == (0, None)
    assert "none for this region" in list(month.lines(parts(), nowhere))[-1]


def test_spot_says_that_it_has_no_fixed_price() -> None:
    providers = [{"capacity_provider": "FARGATE_SPOT", "weight": 1}]
    (line,) = [line for line in month.lines(parts(mlflow_service_capacity_providers=providers), PRICES) if f"ecs_service {STACK}" in line]
    assert "at most: Fargate Spot costs less, and has no fixed price" in line


@pytest.mark.parametrize(
    ("inputs", "apart"),
    [
        ({}, True),
        ({"mlflow_service_max_capacity": 1}, False),
        ({"mlflow_jobs": "off"}, False),
        ({"mlflow_service_environment": {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "true"}}, False),
    ],
)
def test_whether_a_new_stack_has_a_service_for_jobs(inputs: dict[str, t.Any], apart: bool) -> None:
    assert runs_jobs_apart({**DEFAULTS, **inputs}) is apart


SCALING = {"serverless_v2_scaling__max_capacity": (1.0, 4.0)}


@pytest.mark.parametrize(
    ("inputs", "changes", "expected"),
    [
        ({"mlflow_database_max_capacity": 4}, [change("update", "rds_cluster", STACK, **SCALING)], [(0, 219)]),
        ({}, [change("update", "rds_cluster", STACK, backup_retention_period=(14, 1))], [(0, 0)]),
        ({"mlflow_database_reader_count": 1}, [change("create", "rds_instance", f"{STACK}-2")], [(0, 73)]),
        ({}, [change("delete", "rds_instance", f"{STACK}-2")], [(0, -73)]),
        (
            {"mlflow_database_auto_pause": False, "mlflow_database_min_capacity": 1},
            [
                change(
                    "update", "rds_cluster", STACK, serverless_v2_scaling__min_capacity=(0.0, 1.0), serverless_v2_scaling__seconds_until_auto_pause=(300, None)
                )
            ],
            [(73, 0)],
        ),
        (
            {"mlflow_service_cpu": 4096, "mlflow_service_memory": 8192},
            [change("update", "ecs_task_definition", STACK, cpu=(2048, 4096), memory=(4096, 8192), containers__mlflow__image=("a", "b"))],
            [(2 * TASK, 2 * TASK)],
        ),
        (
            {"mlflow_service_max_capacity": 4},
            [change("update", "application_autoscaling_target", f"service/{STACK}/{STACK}", capacity__max=(2, 4))],
            [(0, 2 * TASK)],
        ),
        (
            {"mlflow_service_scheduled_actions": [NIGHT, DAY], "mlflow_service_min_capacity": 1, "mlflow_service_max_capacity": 3},
            [change("create", "application_autoscaling_scheduled_action", f"{STACK}-{name}") for name in ("night", "day")],
            [(-TASK, -3 * TASK - 73), (TASK / 2, 3 * TASK / 2 + 36.5)],
        ),
        ({}, [change("delete", "application_autoscaling_scheduled_action", f"{STACK}-night")], [(None, None)]),
        ({}, [change("delete", "ecs_service", f"{STACK}-jobs"), change("delete", "ecs_task_definition", f"{STACK}-jobs")], [(-TASK, -TASK), (0, 0)]),
        ({"jobs": True}, [change("create", "ecs_task_definition", f"{STACK}-jobs"), change("create", "ecs_service", f"{STACK}-jobs")], [(0, 0), (TASK, TASK)]),
        ({}, [change("delete", "elbv2_load_balancer", f"{STACK}-api")], [(-14.6, -14.6)]),
        ({"mlflow_dashboard": True}, [change("create", "cloudwatch_dashboard", f"{STACK}-eu-west-1")], [(3, 3)]),
        ({"identity": "off"}, [change("delete", "secretsmanager_secret", f"{STACK}-identity-key")], [(-0.4, -0.4)]),
        ({}, [change("create", "s3_bucket", "b"), change("create", "iam_role", "r")], [(0, 0), (0, 0)]),
        ({}, [change("create", "quantum_computer", "q")], [(None, None)]),
    ],
)
def test_what_a_line_of_a_plan_makes_of_the_cost(inputs: dict[str, t.Any], changes: list[t.Any], expected: list[tuple[float | None, float | None]]) -> None:
    found = month.differences(parts(**inputs), changes, PRICES)
    assert [(each.action, each.kind, each.name) for each in found] == [(each["action"], each["kind"], each["name"]) for each in changes]
    rounded = [tuple(None if amount is None else round(amount, 2) for amount in each.money) for each in found]
    assert rounded == [tuple(None if amount is None else round(amount, 2) for amount in pair) for pair in expected]


def test_the_lines_of_a_first_plan_are_together_what_the_stack_costs() -> None:
    stack = parts(jobs=True, mlflow_dashboard=True, mlflow_service_scheduled_actions=[NIGHT, DAY])
    changes = [change("create", kind, name) for kind, of_kind in stack.items() for name in of_kind]
    money = month.in_all(each.money for each in month.differences(stack, changes, PRICES))
    assert [round(each or 0, 6) for each in money] == [round(each or 0, 6) for each in month.total(month.rows(stack, PRICES))]
    told = list(month.lines(stack, PRICES, changes))
    assert any(line.endswith(f"+ ecs_service {STACK}-jobs") for line in told) and told.index("What this plan makes of it:") > 0


def test_each_kind_of_resource_is_priced_or_free_or_says_that_it_has_no_price() -> None:
    files = (ROOT / "plugins/module_utils/_services").rglob("*.py")
    kinds = {kind for file in files for kind in re.findall(r'^    kind = "(\w+)"', file.read_text(encoding="utf-8"), re.M)}
    of_bootstrap = {"acm_certificate", "ec2_flow_log", "ec2_vpc_endpoint", "route53_hosted_zone", *(kind for kind in kinds if kind.startswith("cognito_"))}
    assert kinds - of_bootstrap == (PRICED | BY_USE | FREE) & kinds
    assert FREE.isdisjoint(PRICED | BY_USE) and FREE <= kinds


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [  # in which there is a task, of those that a schedule starts, while another stops all at midnight UTC
        ("cron(0 12 * * ? *)", 365),
        ("cron(0 12 ? * MON-FRI *)", 365 * 261 / 365),
        ("cron(0 0/12 ? * SUN *)", 52 * 24 / 12),
        ("cron(0 18 1 * ? *)", 6),
        ("cron(0 18 L * ? *)", 6),
        ("cron(0 18 ? * FRI#1 *)", 6),
        ("cron(0 18 ? * FRIL *)", 6),
        ("cron(0 18 ? JAN,JUL 2 *)", 6 * 8 / 12),
        ("rate(1 day)", HOURS),
        ("at(2030-01-31T06:00:00)", 0),
        ("cron(0/2 * * * ? *)", None),
        ("cron(0 8 15W * ? *)", None),
    ],
)
def test_schedules(schedule: str, hours: float | None) -> None:
    found = task_hours(0, 0, (Action("cron(0 0 * * ? *)", "UTC", 0, 0), Action(schedule, "UTC", 1, 1)))
    assert (found and round(found.most, 1)) == (hours and round(hours, 1))


def test_a_schedule_has_a_time_zone() -> None:
    actions = (Action("cron(0 0 * * ? *)", "UTC", 0, 0), Action("cron(0 12 * * ? *)", "Asia/Tokyo", 1, 1))
    assert round(task_hours(0, 0, actions).most) == round(21 / 24 * HOURS)  # type: ignore[union-attr]


def test_the_file_of_prices_is_dated_and_whole() -> None:
    book = json.loads(FILE.read_text(encoding="utf-8"))
    assert set(PRODUCTS_BY_USE) <= book["products"].keys()
    assert re.search(r"2026-\d\d-\d\d$", book["source"])
    for region, listed in book["regions"].items():
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", listed["date"]), region
        assert listed["prices"].keys() <= book["products"].keys(), region
        assert all(0 < price < 10 for price in listed["prices"].values()), region


def test_what_the_price_list_says_goes_before_the_file() -> None:
    listed = prices_of("eu-west-1")
    assert updated(listed, {}, "2026-12-01") == listed
    asked = updated(listed, {"load_balancer": 0.5}, "2026-12-01")
    assert (asked.of("load_balancer"), asked.of("secret"), asked.date) == (0.5, 0.4, "2026-12-01")
    assert "as it has just answered; of 2026-07-31, from the collection's file: " in asked.source and "secret" in asked.source
    engines = {each["filters"].get("databaseEngine") for engine in ("aurora-mysql", "aurora-postgresql") for each in to_ask(engine)}
    assert engines == {None, "Aurora MySQL", "Aurora PostgreSQL"}
    assert "dashboard" not in {each["name"] for each in to_ask("aurora-mysql")}


def test_the_figures_of_a_plan_are_beside_its_lines() -> None:
    schema = json.loads((ROOT / "docs/plan-schema.json").read_text(encoding="utf-8"))
    changes: list[t.Any] = [change("update", "rds_cluster", STACK, **SCALING)]
    figures = month.document(parts(mlflow_database_max_capacity=4), PRICES, changes)
    plain, with_cost = (json.loads(plan_document(changes, STACK, cost)) for cost in (None, figures))
    for plan in (plain, with_cost):
        jsonschema.validate(plan, schema, cls=jsonschema.Draft202012Validator)
    assert with_cost.pop("cost")["differences"] == [{"action": "update", "kind": "rds_cluster", "name": STACK, "asleep": 0.0, "awake": 219.0, "by_use": True}]
    assert with_cost == plain


def test_the_figures_of_the_playbook_are_as_their_schema_says() -> None:
    schema = json.loads((ROOT / "docs/cost-schema.json").read_text(encoding="utf-8"))
    for prices in (PRICES, prices_of("xx-nowhere-1")):
        jsonschema.validate({"stack": STACK, **month.document(parts(jobs=True), prices)}, schema, cls=jsonschema.Draft202012Validator)


def test_no_line_is_long_or_shows_a_minus_zero() -> None:
    stack = parts(jobs=True, mlflow_dashboard=True)
    told = list(month.lines(stack, PRICES, [change("delete", "rds_instance", f"{STACK}-2")]))
    assert max(len(line) for line in told[:-2]) <= 160 and not any("-0.00" in line for line in told)
    assert Money(0.0, 0.0) == NOTHING

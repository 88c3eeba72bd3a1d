# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack costs is said before it is there, and in each plan; a budget comes and goes with its input."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import jsonschema
from embedded_aws.client import ACCOUNT, EmbeddedAWS
from support.account import changed, listing
from support.cloudformation import findings
from support.plans import read_plan
from support.stack import Stack

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "cost-schema.json").read_text(encoding="utf-8"))
WATCHED: dict[str, t.Any] = {"mlflow_alarm_emails": ["anna@example.com"]}
WHICH = {"AccountId": ACCOUNT, "BudgetName": "mlflow-team-x-eu-west-1"}


def let_alarms_use(aws: EmbeddedAWS, key: str) -> None:
    kms = aws.client("kms")
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    services = [f"{service}.amazonaws.com" for service in ("cloudwatch", "events", "events.rds")]
    actions = ["kms:Decrypt", "kms:GenerateDataKey*"]
    policy["Statement"].append({"Effect": "Allow", "Principal": {"Service": services}, "Action": actions, "Resource": "*"})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))


def test_the_cost_of_a_stack_of_which_nothing_is_there(aws: EmbeddedAWS, tmp_path: Path) -> None:
    stack = Stack(aws, tmp_path, {"mlflow_unique_name": "mlflow-team-x", "mlflow_cost_path": "cost.json"})
    run = stack.run("cost")
    assert run.status == 0 and run.changed == 0, run.text
    assert {call["operation"] for call in run.calls} <= {"GetProducts", "GetCallerIdentity"} and run.mutating == []
    cost = json.loads((tmp_path / "cost.json").read_text())
    jsonschema.validate(cost, SCHEMA, cls=jsonschema.Draft202012Validator)
    rows = {f"{row['kind']} {row['name']}".strip(): (row["asleep"], row["awake"]) for row in cost["resources"]}
    task = (2 * 0.05 + 4 * 0.005) * 730  # as the price list of the embedded AWS has them
    assert rows["rds_cluster mlflow-team-x"] == (0, 109.5)
    assert rows["ecs_service mlflow-team-x"] == (round(2 * task, 2), round(2 * task, 2))
    assert rows["ecs_service mlflow-team-x-jobs"] == (round(task, 2), round(task, 2))
    assert rows["secretsmanager_secret"] == (1.2, 1.2)  # which has two prices there: that of the collection
    assert cost["complete"] and "as it has just answered; of 2026-07-31" in cost["prices_source"]
    assert f"{cost['awake']:,.2f}  in all" in run.text and "By use, without a price: " in run.text


def test_the_cost_without_a_price_list(aws: EmbeddedAWS, tmp_path: Path) -> None:
    stack = Stack(aws, tmp_path, {"mlflow_unique_name": "mlflow-team-x"})
    aws.faults({"service": "pricing", "error": {"code": "AccessDeniedException", "message": "You may not do this", "status": 400}})
    run = stack.run("cost")
    assert run.status == 0 and "Prices: of 2026-07-31." in run.text and "cannot be asked (pricing:GetProducts)" in run.text
    assert "102.20  rds_cluster mlflow-team-x: 1 instance of 0 to 1 ACU, which pauses" in run.text


def test_what_is_wrong_with_a_team_file_is_told(aws: EmbeddedAWS, tmp_path: Path) -> None:
    run = Stack(aws, tmp_path, {"mlflow_unique_name": "x", "mlflow_service_cpu": 3, "mlflow_cost_path": "nowhere/x.json"}).run("cost")
    assert run.status == 2 and run.calls == []
    (told,) = run.messages
    assert "mlflow_service_cpu: " in told and "mlflow_cost_path: 'nowhere/x.json': no such file can be written" in told


def test_a_plan_says_what_its_lines_make_of_the_cost(stack: Stack) -> None:
    path = stack.folder / "plan.json"
    run = stack.run("plan", mlflow_plan_path=str(path))
    assert run.status == 0 and "pricing" not in {call["service"] for call in run.calls}
    cost = read_plan(path)["cost"]
    sums = {name: round(sum(each[name] for each in cost["differences"]), 2) for name in ("asleep", "awake")}
    assert sums == {name: cost[name] for name in sums} and cost["complete"]
    assert run.text.index("Plan: ") < run.text.index("A month in eu-west-1") < run.text.index("What this plan makes of it:")
    stack.apply()
    run = stack.run("plan", mlflow_plan_path=str(path))
    assert read_plan(path)["cost"]["differences"] == [] and "What this plan makes of it:" not in run.text
    run = stack.run("plan", mlflow_plan_path=str(path), mlflow_database_max_capacity=4, mlflow_service_cpu=4096, mlflow_service_memory=8192)
    found = {f"{each['kind']} {each['name']}": (each["asleep"], each["awake"]) for each in read_plan(path)["cost"]["differences"]}
    assert found["rds_cluster mlflow-team-x"] == (0, 306.6)
    assert found["ecs_task_definition mlflow-team-x"] == (144.16, 144.16)
    assert found["ecs_service mlflow-team-x"] == (0, 0)
    verified = stack.run("verify")
    assert "A month in" not in verified.text


def test_a_budget_comes_and_goes_with_its_input(stack: Stack) -> None:
    aws = stack.aws
    let_alarms_use(aws, stack.inputs["mlflow_key_arn"])
    refused = stack.run("site", mlflow_monthly_budget=500)
    assert refused.status != 0 and refused.mutating == [] and "nobody would be told" in refused.messages[0]
    stack.apply()
    plain = listing(aws)
    stack.apply(**WATCHED)
    watched = listing(aws)
    plan, run = stack.plan_and_apply(mlflow_monthly_budget=500)
    assert run.status == 0 and plan == run.changes and run.changing == ["budgets:CreateBudget"]
    assert [each["warnings"][0][:40] for each in run.changes] == ["it counts nothing before the tag mlflow-"]
    assert changed(watched, listing(aws))["added"] == {("budget", "mlflow-team-x-eu-west-1")}
    assert findings(listing(aws)) == []
    budget = aws.client("budgets").describe_budget(**WHICH)["Budget"]
    assert budget["CostFilters"] == {"TagKeyValue": ["user:mlflow-stack$mlflow-team-x"]}
    again = stack.apply()
    assert again.changed == 0 and again.mutating == []
    other = {name: budget[name] for name in ("BudgetName", "CostFilters", "TimeUnit", "BudgetType")}
    aws.client("budgets").update_budget(AccountId=ACCOUNT, NewBudget={**other, "BudgetLimit": {"Amount": "9999", "Unit": "USD"}})
    assert stack.apply().changing == ["budgets:UpdateBudget"]
    assert stack.apply(mlflow_monthly_budget=None).changing == ["budgets:DeleteBudget"]
    stack.apply(mlflow_monthly_budget=500)
    plan, run = stack.plan_and_apply(mlflow_alarm_emails=None, mlflow_monthly_budget=None)
    assert plan == run.changes and run.changing[0] == "budgets:DeleteBudget"
    assert changed(plain, listing(aws))["added"] == set()
    assert {call["service"] for call in stack.apply().calls}.isdisjoint({"budgets", "pricing"})
    stack.apply(**WATCHED, mlflow_monthly_budget=500)
    stack.destroy(mlflow_database_skip_final_snapshot=True)
    assert "budget" not in {kind for kind, _identifier in listing(aws)}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what a stack costs in a month, resource by resource, asleep and awake, and what each line of a plan makes of that. Pure."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.plan import SIGNS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import Change
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.cost.parts import (
    ACTION,
    ALARM,
    CLUSTER,
    DASHBOARD,
    INSTANCE,
    LOAD_BALANCER,
    METRIC,
    PRICED,
    SECRET,
    SERVICE,
    TARGET,
    TASK,
    Parts,
    before,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.cost.prices import Prices, products
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.cost.schedules import HOURS, Action, TaskHours, task_hours

SPOT = "FARGATE_SPOT"
BY_USE = frozenset(
    """
    apigatewayv2_api cloudwatch_metric_alarm ecr_image ecr_repository ecs_task elbv2_load_balancer lambda_function logs_log_group rds_cluster s3_bucket
    sns_subscription sns_topic
    """.split()
)
"""The kinds of resources that cost by their use, some of them besides what they cost by being there."""
FREE = frozenset(
    """
    apigatewayv2_api_mapping apigatewayv2_authorizer apigatewayv2_domain_name apigatewayv2_integration apigatewayv2_route apigatewayv2_stage
    apigatewayv2_vpc_link application_autoscaling_policy budgets_budget ec2_security_group ec2_security_group_rule ecr_pull_through_cache_rule ecs_cluster
    elbv2_listener elbv2_listener_certificates elbv2_listener_rule elbv2_target_group events_rule iam_role iam_role_policy iam_role_policy_attachment
    lambda_permission logs_query_definition rds_cluster_parameter_group rds_cluster_snapshot rds_event_subscription rds_subnet_group route53_record
    wafv2_web_acl_association
    """.split()
)
"""Those that cost nothing."""
PRODUCTS_BY_USE = (
    "load_balancer_capacity",
    "database_storage",
    "database_requests",
    "database_backups",
    "bucket_storage",
    "api_requests",
    "function_requests",
    "function_time",
    "log_lines",
    "log_storage",
    "traffic_out",
)
"""What a stack costs by its use."""


class Money(t.NamedTuple):
    """An amount a month: where nobody uses the stack, and where it is in use at its full capacity. None where something has no price."""

    asleep: float | None
    awake: float | None

    def times(self, asleep: float, awake: float) -> Money:
        """So many of it. None of it costs nothing, whatever its price."""
        return Money(*(0.0 if not count else None if price is None else price * count for price, count in zip(self, (asleep, awake), strict=True)))

    def plus(self, other: Money) -> Money:
        return Money(_plus(self.asleep, other.asleep), _plus(self.awake, other.awake))

    def less(self, other: Money) -> Money:
        return self.plus(other.times(-1, -1))


def _plus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


NOTHING, UNPRICED = Money(0.0, 0.0), Money(None, None)


def in_all(amounts: t.Iterable[Money]) -> Money:
    return functools.reduce(Money.plus, amounts, NOTHING)


class Row(t.NamedTuple):
    """A resource, or all of a kind, and what it costs by being there."""

    kind: str
    name: str
    what: str
    money: Money


class Difference(t.NamedTuple):
    """What a line of a plan makes of the cost of the stack."""

    action: str
    kind: str
    name: str
    money: Money
    by_use: bool
    """Whether the resource also costs by its use."""


def rows(parts: Parts, prices: Prices) -> list[Row]:
    """The resources that cost money by being there."""
    found = [*_database(parts, prices), *_services(parts, prices), *_load_balancers(parts, prices)]
    for kind, product in ((SECRET, "secret"), (ALARM, "alarm"), (METRIC, "metric"), (DASHBOARD, "dashboard")):
        there = parts.get(kind, {})
        if there:
            count = sum(len(state.get("metrics", (0,))) for state in there.values())
            what = f"{len(there)}, with {_count(count, 'metric')}" if kind == ALARM else f"{len(there)}"
            found.append(Row(kind, "", what, _each(prices, product).times(count, count)))
    return found


def total(listed: t.Iterable[Row]) -> Money:
    """The sum of what has a price."""
    return in_all(row.money for row in listed if None not in row.money)


def differences(parts: Parts, changes: t.Sequence[Change], prices: Prices) -> list[Difference]:
    """What each line of a plan makes of the cost, from what the stack has after it. Together they are what the plan makes of it."""
    found: list[Difference] = []
    after, rows_after = parts, rows(parts, prices)
    for change in reversed(changes):
        kind, earlier = change["kind"], before(after, change)
        money = NOTHING if kind in PRICED | BY_USE | FREE else UNPRICED
        if earlier is not after:
            rows_before = rows(earlier, prices)
            money, after, rows_after = _difference(rows_before, rows_after), earlier, rows_before
        found.append(Difference(change["action"], kind, change["name"], money, kind in BY_USE))
    return found[::-1]


def _difference(earlier: list[Row], later: list[Row]) -> Money:
    were, are = ({(row.kind, row.name): row.money for row in each} for each in (earlier, later))
    return in_all(are.get(key, NOTHING).less(were.get(key, NOTHING)) for key in {**were, **are} if were.get(key) != are.get(key))


def _each(prices: Prices, product: str) -> Money:
    price = prices.of(product)
    return Money(price, price)


def _count(number: float, unit: str) -> str:
    """
    >>> [_count(1, "instance"), _count(2, "address")]
    ['1 instance', '2 addresses']
    """
    return f"{number:g} {unit}{'' if number == 1 else 'es' if unit.endswith('s') else 's'}"


def _server_hours(parts: Parts) -> TaskHours | None:
    """Of all servers; None where the times are not known of a schedule, or of one that a plan removes without saying how it was."""
    actions = []
    for state in parts.get(ACTION, {}).values():
        if not state.get("schedule"):
            return None
        actions.append(Action(state["schedule"], state["timezone"], state["capacity"].get("min"), state["capacity"].get("max")))
    bounds = _target(parts)[1]
    return task_hours(bounds["min"], bounds["max"], tuple(actions))


def _target(parts: Parts) -> tuple[str, dict[str, int]]:
    """The name of the service of the servers, and the bounds of their number."""
    resource, state = next(iter(parts[TARGET].items()))
    return resource.rpartition("/")[2], state["capacity"]


def _database(parts: Parts, prices: Prices) -> t.Iterator[Row]:
    instances = len(parts.get(INSTANCE, {}))
    for name, state in parts.get(CLUSTER, {}).items():
        capacity = state.get("serverless_v2_scaling")
        if not capacity:  # one that a plan removes
            yield Row(CLUSTER, name, _count(instances, "instance"), UNPRICED.times(instances, instances))
            continue
        low, high = capacity["min_capacity"], capacity["max_capacity"]
        open_hours = _server_hours(parts) if low == 0 else None  # without servers nobody wakes it
        hours = open_hours.open if open_hours else HOURS
        what = f"{_count(instances, 'instance')} of {low:g} to {high:g} ACU" + (", which pauses" if low == 0 else "")
        yield Row(CLUSTER, name, what, _each(prices, "database_capacity").times(low * instances * HOURS, high * instances * hours))


def _services(parts: Parts, prices: Prices) -> t.Iterator[Row]:
    tasks, servers = parts.get(TASK, {}), _target(parts)[0]
    for name, state in parts.get(SERVICE, {}).items():
        task = tasks.get(name) or tasks[servers]  # the task of a service that a plan removes is as large as that of the servers
        hours = _server_hours(parts) if name == servers else TaskHours(HOURS, HOURS, HOURS)
        if hours is None:
            yield Row(SERVICE, name, "at times that are not known", UNPRICED)
            continue
        arm = "_arm" if task["runtime_platform"].get("cpuArchitecture") == "ARM64" else ""
        vcpu, memory = task["cpu"] / 1024, task["memory"] / 1024
        one = _each(prices, f"fargate{arm}_vcpu").times(vcpu, vcpu).plus(_each(prices, f"fargate{arm}_memory").times(memory, memory))
        numbers = dict.fromkeys(f"{each / HOURS:.3g}" for each in (hours.fewest, hours.most))
        what = f"{' to '.join(numbers)} {'task' if list(numbers) == ['1'] else 'tasks'} of {vcpu:g} vCPU and {memory:g} GB{', ARM' if arm else ''}"
        if SPOT in (state.get("capacity_providers") or {}):
            what += "; at most: Fargate Spot costs less, and has no fixed price"
        yield Row(SERVICE, name, what, one.times(hours.fewest, hours.most))


def _load_balancers(parts: Parts, prices: Prices) -> t.Iterator[Row]:
    for name, state in parts.get(LOAD_BALANCER, {}).items():
        addresses = state.get("addresses", 0)
        of_addresses = _each(prices, "public_address").times(addresses * HOURS, addresses * HOURS)
        what = f"with {_count(addresses, 'public IPv4 address')}" if addresses else ""
        yield Row(LOAD_BALANCER, name, what, _each(prices, "load_balancer").times(HOURS, HOURS).plus(of_addresses))


def lines(parts: Parts, prices: Prices, changes: t.Sequence[Change] = ()) -> t.Iterator[str]:
    """The figures for a person."""
    listed = rows(parts, prices)
    yield f"A month in {prices.region}, in {prices.currency} before taxes, asleep (nobody uses it) and awake (at full capacity, at all times):"
    for row in listed:
        yield f"{_amounts(row.money)}  {row.kind}{f' {row.name}' if row.name else ''}{f': {row.what}' if row.what else ''}"
    without = [row for row in listed if None in row.money]
    yield f"{_amounts(total(listed))}  in all" + (f", without what has no price ({_count(len(without), 'line')})" if without else "")
    if changes:
        yield from _difference_lines(differences(parts, changes, prices))
    known = [f"{name.replace('_', ' ')} {prices.shown(name)}" for name in PRODUCTS_BY_USE if prices.of(name) is not None]
    unknown = [name.replace("_", " ") for name in PRODUCTS_BY_USE if prices.of(name) is None]
    if known:
        yield f"By use, besides: {', '.join(known)}"
    if unknown:
        yield f"By use, without a price: {', '.join(unknown)}"
    yield f"Prices: {f'of {prices.date}' if prices.date else 'none for this region'}. {prices.source}"


def _difference_lines(found: t.Sequence[Difference]) -> t.Iterator[str]:
    yield "What this plan makes of it:"
    told = [each for each in found if each.money != NOTHING]
    for each in told:
        yield f"{_amounts(each.money, '+')}  {SIGNS[each.action]} {each.kind} {each.name}"
    silent, without = len(found) - len(told), sum(None in each.money for each in told)
    yield (
        f"{_amounts(in_all(each.money for each in told if None not in each.money), '+')}  in all"
        + (f", without what has no price ({_count(without, 'line')})" if without else "")
        + (f"; {_count(silent, 'other line')}: nothing, or by use" if silent else "")
    )


def _amounts(money: Money, sign: str = "") -> str:
    return "".join(f"{'no price':>12}" if amount is None else f"{amount + 0.0:>{sign}12,.2f}" for amount in money)


def document(parts: Parts, prices: Prices, changes: t.Sequence[Change] | None = None) -> dict[str, t.Any]:
    """The figures for a program, as ``docs/cost-schema.json`` describes them. Amounts are of a month."""
    listed, units = rows(parts, prices), products()
    by_use = [{"product": name, "unit": units[name].unit, "price": prices.per_unit_shown(name)} for name in PRODUCTS_BY_USE]
    found = {} if changes is None else {"differences": [_row(each) for each in differences(parts, changes, prices)]}
    return {
        "region": prices.region,
        "currency": prices.currency,
        "prices_date": prices.date,
        "prices_source": prices.source,
        **_rounded(total(listed)),
        "complete": all(None not in row.money for row in listed),
        "resources": [_row(row) for row in listed],
        "by_use": by_use,
        **found,
    }


def _row(row: Row | Difference) -> dict[str, t.Any]:
    return {**{name: value for name, value in row._asdict().items() if name != "money"}, **_rounded(row.money)}


def _rounded(money: Money) -> dict[str, float | None]:
    return {name: None if amount is None else round(amount + 0.0, 2) for name, amount in money._asdict().items()}

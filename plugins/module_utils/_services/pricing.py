# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: AWS's price list."""

from __future__ import annotations

import json
import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, run_concurrently

_FIRST = ("AmazonECS", "Fargate-vCPU-Hours:perCPU")
"""A product that every region with Fargate has, whose usage type tells how those of the region begin, such as ``EU-``."""
_WITHOUT_PREFIX = "USE1-"
"""Of the region in which many usage types have no prefix."""

Product = dict[str, t.Any]
"""What the module ``stack_cost`` takes as ``products``, and what the list answers."""


def unit_prices(aws: Aws, wanted: t.Sequence[Product]) -> dict[str, float]:
    """The prices on demand of what the list has for the region, by name. None of what it has at several prices."""
    service, usage = _FIRST
    known = [_attributes(each)["usagetype"] for each in _products(aws, service, regionCode=aws.region, cputype="perCPU")]
    prefix = next((each.removesuffix(usage) for each in known if each.endswith(usage) and each.removesuffix(usage).count("-") < 2), None)
    if prefix is None:
        return {}
    answers = run_concurrently(*(partial(_unit_price, aws, each, prefix) for each in wanted))
    return {each["name"]: price for each, price in zip(wanted, answers, strict=True) if price is not None}


def _unit_price(aws: Aws, wanted: Product, prefix: str) -> float | None:
    for beginning in [prefix, *([""] if prefix == _WITHOUT_PREFIX else [])]:
        found = _products(aws, wanted["service"], usagetype=beginning + wanted["usage"], **wanted["filters"])
        prices = {price for each in found if (price := first_price(each)) is not None}
        if prices:
            return prices.pop() if len(prices) == 1 else None
    return None


def _products(aws: Aws, service: str, **fields: str) -> list[Product]:
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in fields.items()]
    return [json.loads(each) for each in aws.pages("pricing", "get_products", "PriceList", ServiceCode=service, Filters=filters)]


def _attributes(product: Product) -> dict[str, str]:
    return product["product"]["attributes"]


def first_price(product: Product) -> float | None:
    """What a unit costs on demand in US dollars, in the first tier that is not free.

    >>> tiers = {"a": {"beginRange": "0", "pricePerUnit": {"USD": "0"}}, "b": {"beginRange": "10", "pricePerUnit": {"USD": "0.5"}}}
    >>> first_price({"terms": {"OnDemand": {"x": {"priceDimensions": tiers}}}})
    0.5
    """
    offers = product.get("terms", {}).get("OnDemand", {}).values()
    tiers = [tier for offer in offers for tier in offer["priceDimensions"].values() if "USD" in tier["pricePerUnit"]]
    prices = [float(tier["pricePerUnit"]["USD"]) for tier in sorted(tiers, key=lambda tier: float(tier.get("beginRange") or 0))]
    return next((price for price in prices if price), None)

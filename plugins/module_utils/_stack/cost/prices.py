# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: AWS's list prices, by region, from the dated file of the collection, and what to ask AWS's price list for."""

from __future__ import annotations

import functools
import json
import typing as t
from pathlib import Path

FILE = Path(__file__).with_name("prices.json")
_ENGINES = {"aurora-mysql": "Aurora MySQL", "aurora-postgresql": "Aurora PostgreSQL"}
"""What the price list calls them."""


class Product(t.NamedTuple):
    """What a price is of. ``per``: the price is shown for so many units."""

    service: str
    usage: str
    """The usage type, without the prefix that it has in most regions, such as ``EU-``. Empty for what the price list has not."""
    filters: dict[str, str]
    unit: str
    per: int


class Prices(t.NamedTuple):
    """The prices of one region. What is not in there has no price."""

    region: str
    currency: str
    date: str
    """Of the list that they are from; empty where there is none for the region."""
    source: str
    unit_prices: dict[str, float]

    def of(self, product: str) -> float | None:
        """Of one unit."""
        return self.unit_prices.get(product)

    def shown(self, product: str) -> str:
        """
        >>> Prices("eu-west-2", "USD", "", "", {"api_requests": 0.00000116}).shown("api_requests")
        '1.16 a million requests'
        """
        unit = products()[product].unit
        price = self.per_unit_shown(product)
        return "no price" if price is None else f"{price:g} {'an' if unit[0] in 'AL' else 'a'} {unit}"

    def per_unit_shown(self, product: str) -> float | None:
        """Of as many units as its ``unit`` says, such as a million."""
        price = self.of(product)
        return None if price is None else round(price * products()[product].per, 4)


@functools.cache
def _book() -> dict[str, t.Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))


@functools.cache
def products() -> dict[str, Product]:
    return {name: Product(**product) for name, product in _book()["products"].items()}


def prices_of(region: str) -> Prices:
    """What the file of the collection says of a region."""
    book = _book()
    listed = book["regions"].get(region, {"date": "", "prices": {}})
    return Prices(region, book["currency"], listed["date"], book["source"], listed["prices"])


def updated(prices: Prices, asked: dict[str, float], date: str) -> Prices:
    """The prices with those that AWS's price list has just said, and what that makes of their date and source."""
    if not asked:
        return prices
    missing = sorted(prices.unit_prices.keys() - asked.keys())
    source = "AWS's price list, as it has just answered"
    if missing:
        source += f"; of {prices.date}, from the collection's file: {', '.join(missing)}"
    return prices._replace(date=date, source=source, unit_prices={**prices.unit_prices, **asked})


def to_ask(engine: str) -> list[dict[str, t.Any]]:
    """The products of a stack with this engine, as the module ``pricing_products`` takes them."""
    return [
        {
            "name": name,
            "service": product.service,
            "usage": product.usage,
            "filters": {key: value.format(engine=_ENGINES.get(engine, "")) for key, value in product.filters.items()},
        }
        for name, product in products().items()
        if product.service
    ]

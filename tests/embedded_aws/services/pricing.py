# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS Price List Service, which moto has not: a few products of two regions."""

from __future__ import annotations

import json
import re
import sys
from types import ModuleType
from typing import Any

import moto
from moto import backend_index
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.responses import BaseResponse

from embedded_aws.gaps import gap

PRODUCTS: list[tuple[str, str, dict[str, str], list[tuple[str, str]]]] = [
    ("AmazonECS", "Fargate-vCPU-Hours:perCPU", {"cputype": "perCPU"}, [("0", "0.0500000000")]),
    ("AmazonECS", "Fargate-ARM-vCPU-Hours:perCPU", {"cputype": "perCPU", "cpuArchitecture": "ARM"}, [("0", "0.0400000000")]),
    ("AmazonECS", "ECS-EC2-vCPU-Hours", {"cputype": "perCPU"}, [("0", "0.0000000000")]),
    ("AmazonECS", "Fargate-GB-Hours", {"memorytype": "perGB"}, [("0", "0.0050000000")]),
    ("AmazonRDS", "Aurora:ServerlessV2Usage", {"databaseEngine": "Aurora MySQL"}, [("0", "0.1500000000")]),
    ("AmazonRDS", "Aurora:ServerlessV2Usage", {"databaseEngine": "Aurora PostgreSQL"}, [("0", "0.1600000000")]),
    ("AWSELB", "LoadBalancerUsage", {"operation": "LoadBalancing:Application"}, [("0", "0.0300000000")]),
    ("AWSELB", "LoadBalancerUsage", {"operation": "LoadBalancing:Network"}, [("0", "0.0310000000")]),
    ("AmazonApiGateway", "ApiGatewayHttpRequest", {"operation": "ApiGatewayHttpApi"}, [("0", "0.0000012000"), ("300000000", "0.0000011000")]),
    ("AmazonCloudWatch", "CW:AlarmMonitorUsage", {}, [("0", "0.0000000000"), ("10", "0.1000000000")]),
    ("AWSSecretsManager", "AWSSecretsManager-Secrets", {"group": "a"}, [("0", "0.4000000000")]),
    ("AWSSecretsManager", "AWSSecretsManager-Secrets", {"group": "b"}, [("0", "0.5000000000")]),
]
"""Service, usage type without the prefix of a region, further attributes, tiers."""
PREFIXES = {"eu-west-1": "EU-", "us-east-1": "USE1-"}
UNPREFIXED = ("AWSELB", "AmazonRDS", "AmazonCloudWatch")
"""Services whose usage types have no prefix in us-east-1."""


def _listed() -> list[dict[str, Any]]:
    products = []
    for region, prefix in PREFIXES.items():
        for service, usage, attributes, tiers in PRODUCTS:
            begins = "" if region == "us-east-1" and service in UNPREFIXED else prefix
            dimensions = {f"x.{begin}": {"beginRange": begin, "unit": "x", "pricePerUnit": {"USD": price}} for begin, price in tiers}
            products.append(
                {
                    "serviceCode": service,
                    "product": {"attributes": {"servicecode": service, "usagetype": begins + usage, "regionCode": region, **attributes}},
                    "terms": {"OnDemand": {"x": {"priceDimensions": dimensions}}},
                }
            )
    return products


class PricingBackend(BaseBackend):
    """Nothing of an account's."""


class PricingResponse(BaseResponse):
    def __init__(self) -> None:
        super().__init__(service_name="pricing")

    def get_products(self) -> str:
        wanted = {each["Field"]: each["Value"] for each in self._get_param("Filters", [])}
        service, page, size = self._get_param("ServiceCode"), int(self._get_param("NextToken") or 0), 2
        found = [
            json.dumps(each)
            for each in _listed()
            if each["serviceCode"] == service and all(each["product"]["attributes"].get(field) == value for field, value in wanted.items())
        ]
        more = {"NextToken": str(page + size)} if len(found) > page + size else {}
        return json.dumps({"FormatVersion": "aws_v1", "PriceList": found[page : page + size], **more})


@gap()
def price_list() -> None:
    """GetProducts answers with the products of a service that have all attributes of the filters, in pages, in the API's own few regions."""
    module = ModuleType("moto.pricing")
    module.__path__ = []  # type: ignore[attr-defined]
    models, urls = ModuleType("moto.pricing.models"), ModuleType("moto.pricing.urls")
    backends = BackendDict(PricingBackend, "pricing", use_boto3_regions=False, additional_regions=["us-east-1", "eu-central-1", "ap-south-1"])
    setattr(module, "pricing_backends", backends)
    setattr(models, "pricing_backends", backends)
    setattr(urls, "url_bases", [r"https?://(api\.)?pricing\.(.+)\.amazonaws\.com"])
    setattr(urls, "url_paths", {"{0}/$": PricingResponse.dispatch})
    PricingBackend.__module__ = models.__name__  # by which moto finds the URLs
    for each in (module, models, urls):
        sys.modules[each.__name__] = each
    setattr(moto, "pricing", module)
    backend_index.backend_url_patterns.insert(0, ("pricing", re.compile(r"https?://(api\.)?pricing\.(.+)\.amazonaws\.com")))

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service Quotas: the quotas of what a stack consists of, which the other services then keep to."""

from __future__ import annotations

import json
from typing import Any

from moto.servicequotas import models
from moto.servicequotas.responses import ServiceQuotasResponse

from embedded_aws.gaps import gap

QUOTAS = {
    ("apigateway", "L-608BDCD4"): ("VPC links(V2)", 10),
    ("apigateway", "L-668C9B28"): ("Subnets per VPC link(V2)", 10),
    ("apigateway", "L-A93447B8"): ("Custom Domain Names", 120),
    ("elasticloadbalancing", "L-53DA6B97"): ("Application Load Balancers per Region", 50),
    ("fargate", "L-3032A538"): ("Fargate On-Demand vCPU resource count", 6),
    ("rds", "L-7B6409FD"): ("DB instances", 40),
    ("rds", "L-952B80B8"): ("DB clusters", 40),
}
"""Service code and quota code: name, and what a new account has."""


def limit(account_id: str, region: str, service: str, code: str) -> int:
    """How many an account may have."""
    value = models.servicequotas_backends[account_id][region].get_service_quota(service, code)["Value"]
    return int(value)


@gap(models.ServiceQuotasBackend, "get_service_quota")
def get_service_quota(original: Any, self: Any, service_code: str, quota_code: str) -> dict[str, Any]:
    """GetServiceQuota knows the quotas of API Gateway, load balancers, Fargate and database clusters as well."""
    raised = getattr(self, "raised", {}).get((service_code, quota_code))
    if (service_code, quota_code) in QUOTAS:
        name, value = QUOTAS[service_code, quota_code]
        quota = {"ServiceCode": service_code, "QuotaCode": quota_code, "QuotaName": name, "Adjustable": True, "GlobalQuota": False}
        return {**quota, "Value": float(raised or value), "Unit": "None"}
    quota = original(self, service_code, quota_code)
    return {**quota, "Value": float(raised)} if raised else quota


@gap()
def request_service_quota_increase() -> None:
    """RequestServiceQuotaIncrease is granted: on AWS after minutes or days, here at once."""
    ServiceQuotasResponse.request_service_quota_increase = _raise_quota


def _raise_quota(response: Any) -> str:
    service, code, value = (response._get_param(name) for name in ("ServiceCode", "QuotaCode", "DesiredValue"))
    response.backend.get_service_quota(service, code)
    response.backend.raised = {**getattr(response.backend, "raised", {}), (service, code): float(value)}
    return json.dumps({"RequestedQuota": {"ServiceCode": service, "QuotaCode": code, "DesiredValue": float(value), "Status": "APPROVED"}})

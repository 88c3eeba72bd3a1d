# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record_list import dns_name
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record import leads_to


def alias(name, zone="Z1", health=False):
    return {"AliasTarget": {"DNSName": name, "HostedZoneId": zone, "EvaluateTargetHealth": health}}


def values(*each, ttl=60):
    return {"TTL": ttl, "ResourceRecords": [{"Value": value} for value in each]}


@pytest.mark.parametrize(
    ("name", "compared"),
    [
        ("mlflow.example.com", "mlflow.example.com"),
        ("MLflow.Example.com.", "mlflow.example.com"),
        ("\\052.example.com.", "*.example.com"),
        ("(known after apply)", "(known after apply)"),
    ],
)
def test_dns_name(name, compared):
    assert dns_name(name) == compared


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (alias("lb.amazonaws.com"), alias("LB.amazonaws.com."), True),
        (alias("lb.amazonaws.com"), alias("dualstack.lb.amazonaws.com."), True),
        (alias("lb.amazonaws.com"), alias("lb2.amazonaws.com"), False),
        (alias("lb.amazonaws.com"), alias("lb.amazonaws.com", zone="Z2"), False),
        (alias("lb.amazonaws.com"), alias("lb.amazonaws.com", health=True), False),
        (alias("192.0.2.1"), values("192.0.2.1"), False),
        (values("192.0.2.1", "192.0.2.2"), values("192.0.2.2", "192.0.2.1"), True),
        (values("192.0.2.1"), values("192.0.2.1", "192.0.2.2"), False),
        (values("192.0.2.1"), values("192.0.2.1", ttl=300), False),
    ],
)
def test_where_a_record_leads(one, other, same):
    assert (leads_to(one) == leads_to(other)) is same

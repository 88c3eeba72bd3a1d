# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what several checks of preflight read, as AWS answers it. Nothing of it is asked twice, see ``ResponseRecorder``."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, first_or_none, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record import PAGE_SIZE

Document = dict[str, t.Any]


def load_balancer(aws: Aws, name: str) -> Document | None:
    return first_or_none(aws.client("elbv2").describe_load_balancers, "LoadBalancers", "LoadBalancerNotFound", Names=[name])


def vpc_links(aws: Aws) -> list[Document]:
    return aws.pages("apigatewayv2", "get_vpc_links", "Items")


def domain_names(aws: Aws) -> list[Document]:
    return aws.pages("apigatewayv2", "get_domain_names", "Items")


def prefix_lists(aws: Aws, ids: t.Iterable[str]) -> dict[str, Document]:
    """The managed prefix lists that there are of these, by ID."""
    wanted = sorted(ids)
    if not wanted:
        return {}
    found = aws.pages("ec2", "describe_managed_prefix_lists", "PrefixLists", Filters=[{"Name": "prefix-list-id", "Values": wanted}])
    return {each["PrefixListId"]: each for each in found}


def record_sets(aws: Aws, zone_id: str, host: str) -> list[Document]:
    """Those of a name, and of the names below it, which come right after it, as far as they are on one page."""
    listed = partial(aws.client("route53").list_resource_record_sets, HostedZoneId=zone_id, MaxItems=PAGE_SIZE, StartRecordName=host)
    answer = none_if_missing(listed, "NoSuchHostedZone")
    return answer["ResourceRecordSets"] if answer else []

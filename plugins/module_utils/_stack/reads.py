# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what both the checks of preflight and the prefetch read, asked once for all of them."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, first_or_none, none_if_missing

Document = dict[str, t.Any]


def load_balancer(aws: Aws, name: str) -> Document | None:
    describe = aws.client("elbv2").describe_load_balancers
    return aws.once(f"load balancer {name}", lambda: first_or_none(describe, "LoadBalancers", "LoadBalancerNotFound", Names=[name]))


def db_cluster(aws: Aws, name: str) -> Document | None:
    describe = aws.client("rds").describe_db_clusters
    return aws.once(f"cluster {name}", lambda: first_or_none(describe, "DBClusters", "DBClusterNotFoundFault", DBClusterIdentifier=name))


def vpc_links(aws: Aws) -> list[Document]:
    return aws.once("VPC links", lambda: aws.pages("apigatewayv2", "get_vpc_links", "Items"))


def domain_names(aws: Aws) -> list[Document]:
    return aws.once("domain names", lambda: aws.pages("apigatewayv2", "get_domain_names", "Items"))


def db_instances(aws: Aws) -> list[Document]:
    return aws.once("database instances", lambda: aws.pages("rds", "describe_db_instances", "DBInstances"))


def record_sets(aws: Aws, zone_id: str, host: str) -> list[Document]:
    """Those of a name, and of the names below it, which come right after it, as far as they are on one page."""
    listed = partial(aws.client("route53").list_resource_record_sets, HostedZoneId=zone_id, MaxItems="20", StartRecordName=host)
    answer = aws.once(f"records of {host} in {zone_id}", lambda: none_if_missing(listed, "NoSuchHostedZone"))
    return answer["ResourceRecordSets"] if answer else []

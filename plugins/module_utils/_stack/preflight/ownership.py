# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what has a name that the stack needs and is somebody else's, all at once, before a first part of the stack is created."""

from __future__ import annotations

import contextlib
import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owned_by_another, tag_dict
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.domain_name import DomainName
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.load_balancer import LoadBalancer
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.base import RdsResource, describe_cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.cluster import Cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record import Record
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record_list import dns_name
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.s3 import TAKEN, Bucket
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import owner
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.prefetch import known
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.resources import Deployment


class Ownership:
    """Whose the resources are that have the names of the stack's.

    Where they were prefetched, nothing is asked. Where AWS does not answer, or in a way that nobody expects, the task that creates a
    resource asks again, and tells. Names that others may have too, such as those of APIs and VPC links, stand in nobody's way.
    """

    def __init__(self, deployment: Deployment, cluster: dict[str, t.Any] | None, resources: list[Resource] | None = None) -> None:
        """``cluster``: what DescribeDBClusters says of the database, if there is one; ``resources``: those of the deployment, where they
        were prefetched.
        """
        self.aws, self.inputs, self.names = deployment.aws, deployment.inputs, deployment.names
        self.owner = owner(self.names.unique_name)
        wanted = resources if resources is not None else [resource for layer in deployment.layers() for resource in known(layer)]
        self.resources = [resource for resource in wanted if not resource.absent]
        self.database_is_ours = bool(cluster and not owned_by_another(tag_dict(cluster.get("TagList", [])), self.owner))

    def problems(self) -> list[Problem]:
        named, hosts = run_concurrently(self.named, self.hosts)
        tags = ", ".join(f"{k}={v}" for k, v in self.owner.items())
        moving = "If another tool has made them, such as Terraform: docs/moving-in.md"
        problems = []
        if named:
            remedy = (
                f"these exist already and are not of this stack: {', '.join(named)}. Choose another name, or, to hand them over to the "
                f"stack, give each the tags {tags}. {moving}"
            )
            problems.append(Problem("mlflow_unique_name", self.names.unique_name, remedy))
        if hosts:
            remedy = (
                f"these exist already and are not of this stack: {', '.join(hosts)}. Choose another name, delete them, or, to hand them over "
                f"to the stack, give a domain name the tags {tags}, and to a record of type A add the TXT record _mlflow-stack-a.<its name>, of "
                f'type AAAA _mlflow-stack-aaaa.<its name>, with the value "{tags.replace(", ", ",")}". {moving}'
            )
            problems.append(Problem("mlflow_record_name", self.inputs.get("mlflow_record_name"), remedy))
        return problems

    def named(self) -> list[str]:
        """What is called by the stack's name."""
        of_others = [partial(self.of_another, resource) for resource in self.resources if not isinstance(resource, (DomainName, RdsResource, Record))]
        database = [partial(self.of_another, resource) for resource in self._all(RdsResource) if not isinstance(resource, Cluster)]
        return _found([] if self.database_is_ours else [self.databases, *database], of_others)

    def hosts(self) -> list[str]:
        """What is called by the host names."""
        return _found([partial(self.of_another, resource) for resource in self._all(DomainName)], [partial(self.record, each) for each in self._all(Record)])

    def _all(self, kind: type[t.Any]) -> list[t.Any]:
        return [resource for resource in self.resources if isinstance(resource, kind)]

    def of_another(self, resource: Resource) -> t.Iterator[str]:
        try:
            state = resource.current_state()
        except AwsError as error:
            if isinstance(resource, Bucket) and str(error) == TAKEN:
                yield f"{resource.kind} {resource.name} (of another account)"
            return
        if state is not None and self._is_of_another(state["tags"]):
            yield f"{resource.kind} {resource.name}"

    def _is_of_another(self, tags: dict[str, str]) -> bool:
        return owned_by_another(tags, self.owner)

    def databases(self) -> t.Iterator[str]:
        """Also the one that the original Terraform module makes: beside it a stack of this name would be taken for that one, with no data."""
        for name in (self.names.unique_name, f"{self.names.unique_name}-rds"):
            cluster = describe_cluster(self.aws, name)
            if cluster is None:
                continue
            tags = tag_dict(cluster.get("TagList", []))
            others = name == self.names.unique_name or owned_by_another(tags, owner(name))  # else it is that of a stack which is called so
            if others and self._is_of_another(tags):
                yield f"{Cluster.kind} {name}"

    def record(self, record: Record) -> t.Iterator[str]:
        """A record that leads to the stack itself is its own, whoever created it."""
        listed = record.record_sets()
        found, mark = listed.get((dns_name(record.name), record.spec["type"])), listed.get((record.owner_name, "TXT"))
        if found is None:
            return
        target = dns_name(found.get("AliasTarget", {}).get("DNSName", "")).removeprefix("dualstack.")
        if target and target in self._own_addresses():
            return
        said = mark["ResourceRecords"][0]["Value"].strip('"').split(",") if mark else []
        if self._is_of_another(dict(each.split("=", 1) for each in said if "=" in each)):
            yield f"{record.kind} {record.name} ({record.spec['type']})"

    def _own_addresses(self) -> set[str]:
        """Where the host names of this stack lead: to its load balancer, and to the address of the API's domain name."""
        addresses = set()
        for kind, address in ((LoadBalancer, "dns_name"), (DomainName, "target_domain_name")):
            for resource in self._all(kind):
                state = resource.current_state()
                if state is not None and not self._is_of_another(state["tags"]):
                    addresses.add(dns_name(state[address] or ""))
        return addresses


def _found(*checks: t.Iterable[t.Callable[[], t.Iterator[str]]]) -> list[str]:
    def attempt(check: t.Callable[[], t.Iterator[str]]) -> list[str]:
        with contextlib.suppress(Exception):  # see the class
            return list(check())
        return []

    return [name for names in run_concurrently(*(partial(attempt, check) for each in checks for check in each)) for name in names]

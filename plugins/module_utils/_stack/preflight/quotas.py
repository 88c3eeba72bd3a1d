# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: whether the account may have what the run makes anew. What is there already is counted by nobody."""

from __future__ import annotations

import ipaddress
import typing as t
from functools import partial

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import LOAD_BALANCER_NAME
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.base import describe_cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.reads import domain_names, load_balancer, prefix_lists, vpc_links
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import BotoCoreError, ClientError, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.jobs import Jobs

CIDRS, SUBNETS = "mlflow_load_balancer_ingress_cidr_blocks", "mlflow_service_subnet_ids"


class Quota(t.NamedTuple):
    """What AWS calls it, in Service Quotas, and what an account has that has asked for no more."""

    service: str
    code: str
    what: str
    default: float

    def raise_it(self) -> str:
        return f"raise the quota {self.code} of {self.service} in Service Quotas"


VPC_LINKS = Quota("apigateway", "L-608BDCD4", "VPC links", 10)
LINK_SUBNETS = Quota("apigateway", "L-668C9B28", "subnets in a VPC link", 10)
DOMAIN_NAMES = Quota("apigateway", "L-A93447B8", "custom domain names of API Gateway", 120)
LOAD_BALANCERS = Quota("elasticloadbalancing", "L-53DA6B97", "Application Load Balancers", 50)
VCPUS = Quota("fargate", "L-3032A538", "vCPUs of Fargate On-Demand", 6)
CLUSTERS = Quota("rds", "L-952B80B8", "database clusters", 40)
INSTANCES = Quota("rds", "L-7B6409FD", "database instances", 40)
VPCS = Quota("vpc", "L-F678F1CE", "VPCs", 5)
ADDRESSES = Quota("ec2", "L-0263D0A3", "Elastic IP addresses", 5)
RULES = Quota("vpc", "L-0EA8095F", "inbound rules in a security group", 60)


class Quotas(Checks):
    def checks(self) -> list[Check]:
        return [
            (self.counts, (), ("mlflow_unique_name",)),
            (self.vcpus, (), ("mlflow_unique_name", "mlflow_service_cpu")),
            (self.rules, (), ("mlflow_unique_name", CIDRS)),
            (self.link_subnets, (), ("mlflow_unique_name", SUBNETS)),
        ]

    def counts(self) -> Problems:
        counts = (self.vpc_links, self.load_balancers, self.domain_names, self.clusters)
        for problems in run_concurrently(*(lambda count=count: list(count()) for count in counts)):
            yield from problems

    def vpc_links(self) -> Problems:
        """A link is made anew for other subnets, and takes the place of the one before only when it is in use."""
        wanted, links = set(self.inputs.get(SUBNETS) or []), vpc_links(self.aws)
        if not any(link["Name"] == self.name and set(link["SubnetIds"]) == wanted for link in links):
            yield from self.room(VPC_LINKS, len(links))

    def load_balancers(self) -> Problems:
        more = [name for name in self.names.load_balancers if len(name) <= LOAD_BALANCER_NAME and not load_balancer(self.aws, name)]
        if more:
            every = self.aws.pages("elbv2", "describe_load_balancers", "LoadBalancers")
            yield from self.room(LOAD_BALANCERS, sum(each.get("Type") == "application" for each in every), len(more))

    def domain_names(self) -> Problems:
        names = [each["DomainName"] for each in domain_names(self.aws)]
        if self.names.api_host and self.names.api_host not in names:
            yield from self.room(DOMAIN_NAMES, len(names))

    def clusters(self) -> Problems:
        if self.is_new():
            clusters, instances = run_concurrently(
                lambda: self.aws.pages("rds", "describe_db_clusters", "DBClusters"), lambda: self.aws.pages("rds", "describe_db_instances", "DBInstances")
            )
            yield from self.room(CLUSTERS, len(clusters))
            yield from self.room(INSTANCES, len(instances), 1 + (self.inputs.get("mlflow_database_reader_count") or 0))

    def room(self, quota: Quota, have: int, more: int = 1) -> Problems:
        limit = self.limit(quota, have)
        if limit is not None and have + more > limit:
            yield self.problem(
                "mlflow_unique_name",
                f"the account has {have} {quota.what} in {self.aws.region} and may have {limit:g}, but the stack needs {more} more: "
                f"{quota.raise_it()}, or remove what nobody needs any more",
            )

    def vcpus(self) -> Problems:
        """Whether the tasks of this stack alone fit: what others use of it, AWS does not say."""
        limit = self.limit(VCPUS) if self.is_new() else None
        if limit is None:
            return
        each = self.inputs["mlflow_service_cpu"] / 1024
        minimum, maximum = (self.inputs.get(f"mlflow_service_{of}_capacity") or 0 for of in ("min", "max"))
        jobs = int(Jobs(self.aws, self.inputs).decision().service)  # a task of its own
        minimum, maximum = max(minimum, 1) + jobs, max(maximum, minimum + 1) + jobs  # an update starts a task before it ends another
        if minimum * each > limit:
            yield self.problem(
                "mlflow_service_cpu",
                f"{minimum} tasks of {each:g} vCPUs are more than the {limit:g} {VCPUS.what} that the account may use in "
                f"{self.aws.region}: {VCPUS.raise_it()}, or give less",
            )
        elif maximum * each > limit:
            warn(
                f"mlflow_service_max_capacity: {maximum} tasks of {each:g} vCPUs, as many as there may be for a while, are more than the "
                f"{limit:g} {VCPUS.what} that the account may use in {self.aws.region}: {VCPUS.raise_it()}"
            )

    def rules(self) -> Problems:
        """Two for each block, of port 80 and 443, and one for API Gateway, which counts as IPv4 and as IPv6, where it comes by this load balancer.
        A prefix list counts as many as it may have entries.
        """
        gateway, callers = int(self.inputs.get("mlflow_load_balancer_is_internal", True)), self.inputs[CIDRS]
        listed = prefix_lists(self.aws, (each for each in callers if each.startswith("pl-"))).values()
        for version in (4, 6):
            blocks = sum(ipaddress.ip_network(cidr).version == version for cidr in callers if not cidr.startswith("pl-"))
            entries = [each.get("MaxEntries") or 1 for each in listed if each.get("AddressFamily", "IPv4") == f"IPv{version}"]
            lists = f" and prefix lists of up to {sum(entries)} entries" if entries else ""
            rules = 2 * (blocks + sum(entries)) + gateway
            remedy = "give fewer, larger blocks" if not entries else "give fewer, or prefix lists with a smaller maximum of entries"
            yield from self.within_quota(CIDRS, RULES, rules, f"{blocks} IPv{version} blocks{lists} take {rules} rules", remedy)

    def link_subnets(self) -> Problems:
        many = len(self.inputs[SUBNETS])
        yield from self.within_quota(SUBNETS, LINK_SUBNETS, many, f"they are {many}", "give fewer")

    def within_quota(self, name: str, quota: Quota, many: int, count: str, remedy: str) -> Problems:
        """AWS is asked only where it is more than any account may have. Where it does not answer, what is there already shows that it may."""
        if many <= quota.default:
            return
        limit = self.limit(quota)
        if limit is None and not self.is_new():
            warn(f"{name}: {count}, and AWS does not say whether the account may have more {quota.what} than {quota.default:g}")
        elif many > (limit or quota.default):
            yield self.problem(name, f"{count}, and AWS takes {limit or quota.default:g} {quota.what}: {remedy}, or {quota.raise_it()}")

    def limit(self, quota: Quota, have: int = 0) -> float | None:
        """What the account may have; None where AWS does not say: the caller may not ask, Service Quotas is out of reach, or it gives an
        error of the service (`ErrorReason`) in place of a value.
        """
        ask = partial(self.aws.client("service-quotas").get_service_quota, ServiceCode=quota.service, QuotaCode=quota.code)
        try:
            value = ask()["Quota"].get("Value")
            return None if value is None else float(value)
        except (ClientError, BotoCoreError) as error:  # Service Quotas may know the default only, which may have been raised elsewhere
            return quota.default if error_code(error) == "NoSuchResourceException" and have <= quota.default else None

    @property
    def name(self) -> str:
        return self.inputs["mlflow_unique_name"]

    def is_new(self) -> bool:
        return describe_cluster(self.aws, self.name) is None

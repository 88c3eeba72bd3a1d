# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what has a name that the stack needs and is somebody else's, all at once, before a first part of the stack is made."""

from __future__ import annotations

import contextlib
import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.resource import own_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.reads import domain_names, load_balancer
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.task_definition import revisions
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record_list import dns_name
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs, Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.s3 import was_begun
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owned_by_another
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import names_of, owner
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.prefetch import Deployment

Named = t.Iterator[tuple[str, str, dict[str, str]]]
"""Kind, name and tags of what AWS has."""


class Ownership:
    """Whose the things are that have the names of the stack's.

    They are asked for as the prefetch does, word for word, so that where there was one its responses are used. Where AWS does not answer, or in
    a way that nobody expects, the task that makes a thing asks again, and tells. Names that others may have too, such as those of APIs and
    VPC links, stand in nobody's way.
    """

    def __init__(self, aws: Aws, inputs: Inputs, cluster: dict[str, t.Any] | None) -> None:
        """``cluster``: what DescribeDBClusters says of the database, if there is one."""
        self.aws, self.inputs, self.cluster = aws, inputs, cluster
        self.prefetch = Deployment(aws, inputs, cluster)
        self.names = names_of(inputs, aws.account_id, aws.region)
        self.name = self.names.unique_name
        self.owner = owner(self.name)
        self.second_load_balancer = not inputs.get("mlflow_load_balancer_is_internal", True)

    def problems(self) -> list[Problem]:
        things, hosts = (self._owned_by_another(*reads) for reads in (self.things(), self.hosts()))
        tags = ", ".join(f"{k}={v}" for k, v in self.owner.items())
        moving = "If another tool has made them, such as Terraform: docs/moving-in.md"
        problems = []
        if things:
            remedy = (
                f"these exist already and are not of this stack: {', '.join(things)}. Choose another name, or, to hand them over to the "
                f"stack, give each the tags {tags}. {moving}"
            )
            problems.append(Problem("mlflow_unique_name", self.name, remedy))
        if hosts:
            remedy = (
                f"these exist already and are not of this stack: {', '.join(hosts)}. Choose another name, delete them, or, to hand them over "
                f"to the stack, give a domain name the tags {tags}, and to a record of type A add the TXT record _mlflow-stack-a.<its name> with "
                f'the value "{tags.replace(", ", ",")}". {moving}'
            )
            problems.append(Problem("mlflow_record_name", self.inputs.get("mlflow_record_name"), remedy))
        return problems

    def _owned_by_another(self, *reads: t.Callable[[], Named]) -> list[str]:
        def read_all(read: t.Callable[[], Named]) -> list[str]:
            theirs: list[str] = []
            with contextlib.suppress(Exception):  # see the class
                theirs.extend(f"{kind} {name}" for kind, name, tags in read() if owned_by_another(tags, self.owner))
            return theirs

        return [each for theirs in run_concurrently(*(partial(read_all, read) for read in reads)) for each in theirs]

    def things(self) -> t.Iterator[t.Callable[[], Named]]:
        """What is called by the stack's name."""
        if not self.cluster or owned_by_another(tag_dict(self.cluster.get("TagList", [])), self.owner):
            yield from (self.databases, self.subnet_group, self.parameter_group)
        yield from (self.security_groups, self.bucket)
        for name in self.names.load_balancers:
            yield from (partial(self.load_balancer, name), partial(self.target_group, name))
        lambda_authorizer = self.inputs.get("mlflow_api_authorizer") != "jwt"
        yield from (partial(self.role, name) for name in self.names.task_roles)
        if lambda_authorizer:
            yield from (partial(self.role, self.names.authorizer), self.function)
        yield self.log_groups
        yield from (partial(self.secret, name) for name in self.names.secrets)
        yield from (self.ecs_cluster, self.ecs_service, self.scalable_target)
        yield from (partial(self.family, name) for name in self.names.task_families)

    def hosts(self) -> t.Iterator[t.Callable[[], Named]]:
        """What is called by the host names."""
        yield self.domain_name
        yield partial(self.record, self.names.host, "mlflow_zone_id")
        yield partial(self.record, self.names.api_host, "mlflow_api_zone_id")

    # The database

    def databases(self) -> Named:
        """Also the one that the original Terraform module makes: beside it a stack of this name would be taken for that one, with no data."""
        for name in (self.name, f"{self.name}-rds"):
            answer = none_if_missing(self.aws.client("rds").describe_db_clusters, "DBClusterNotFoundFault", DBClusterIdentifier=name)
            for cluster in answer["DBClusters"] if answer else []:
                tags = tag_dict(cluster.get("TagList", []))
                if name == self.name or owned_by_another(tags, owner(name)):  # else it is that of a stack which is called so
                    yield "rds_cluster", name, tags

    def subnet_group(self) -> Named:
        for group in self.aws.client("rds").describe_db_subnet_groups(DBSubnetGroupName=self.name)["DBSubnetGroups"]:
            yield "rds_subnet_group", self.name, self._rds_tags(group["DBSubnetGroupArn"])

    def parameter_group(self) -> Named:
        name = self.prefetch.parameter_group()
        answer = self.aws.client("rds").describe_db_cluster_parameter_groups(DBClusterParameterGroupName=name)
        for group in answer["DBClusterParameterGroups"]:
            yield "rds_cluster_parameter_group", name, self._rds_tags(group["DBClusterParameterGroupArn"])

    def _rds_tags(self, arn: str) -> dict[str, str]:
        return tag_dict(self.aws.client("rds").list_tags_for_resource(ResourceName=arn)["TagList"])

    # The other layers

    def security_groups(self) -> Named:
        for group in self.prefetch.groups(self.inputs["mlflow_vpc_id"]):
            if self.second_load_balancer or group["GroupName"] != self.names.api_load_balancer_security_group:
                yield "ec2_security_group", group["GroupName"], tag_dict(group.get("Tags", []))

    def bucket(self) -> Named:
        if self.inputs.get("mlflow_artifact_bucket_id"):
            return
        s3, name = self.aws.client("s3"), self.names.bucket
        try:
            s3.head_bucket(Bucket=name, ExpectedBucketOwner=self.aws.account_id)
        except ClientError as error:
            if error_code(error) in ("403", "AccessDenied"):
                yield "s3_bucket", f"{name} (of another account)", {}
            return
        answer = none_if_missing(s3.get_bucket_tagging, "NoSuchTagSet", Bucket=name)
        tags = tag_dict(answer["TagSet"] if answer else [])
        if tags or not was_begun(self.aws, self.name, name):
            yield "s3_bucket", name, tags

    def load_balancer(self, name: str) -> Named:
        balancer = load_balancer(self.aws, name)
        if balancer:
            yield "elbv2_load_balancer", name, self._elb_tags(balancer["LoadBalancerArn"])

    def target_group(self, name: str) -> Named:
        for group in self.aws.client("elbv2").describe_target_groups(Names=[name])["TargetGroups"]:
            yield "elbv2_target_group", name, self._elb_tags(group["TargetGroupArn"])

    def _elb_tags(self, arn: str) -> dict[str, str]:
        described = self.aws.client("elbv2").describe_tags(ResourceArns=[arn])["TagDescriptions"]
        return {k: v for each in described for k, v in tag_dict(each["Tags"]).items()}

    def role(self, name: str) -> Named:
        yield "iam_role", name, tag_dict(self.aws.client("iam").get_role(RoleName=name)["Role"].get("Tags", []))

    def function(self) -> Named:
        name = self.names.authorizer
        yield "lambda_function", name, self.aws.client("lambda").get_function(FunctionName=name).get("Tags", {})

    def log_groups(self) -> Named:
        unused = self.names.authorizer_log_group if self.inputs.get("mlflow_api_authorizer") == "jwt" else None
        names = [name for name in self.prefetch.log_groups() if name != unused]
        answers = run_concurrently(*(partial(none_if_missing, self.prefetch.log_group_tags, "ResourceNotFoundException", name=name) for name in names))
        for name, tags in zip(names, answers, strict=True):
            if tags is not None:
                yield "logs_log_group", name, tags

    def secret(self, name: str) -> Named:
        answer = self.aws.client("secretsmanager").describe_secret(SecretId=name)
        yield "secretsmanager_secret", name, tag_dict(answer.get("Tags", []))

    def ecs_cluster(self) -> Named:
        for cluster in self.aws.client("ecs").describe_clusters(clusters=[self.name], include=["TAGS", "SETTINGS"])["clusters"]:
            if cluster["status"] != "INACTIVE":
                yield "ecs_cluster", self.name, tag_dict(cluster.get("tags", []), "key", "value")

    def ecs_service(self) -> Named:
        services = {"cluster": self.prefetch.cluster_arn(), "services": [self.name], "include": ["TAGS"]}
        for service in self.aws.client("ecs").describe_services(**services)["services"]:
            if service["status"] != "INACTIVE":
                yield "ecs_service", self.name, tag_dict(service.get("tags", []), "key", "value")

    def family(self, name: str) -> Named:
        """Of the revisions of a task definition one of ours is enough: what others have registered beside it takes no family."""
        latest = self._revision_tags(name)
        if owned_by_another(latest, self.owner) and any(
            not owned_by_another(self._revision_tags(arn), self.owner) for arn in revisions(self.aws, name, "ACTIVE")
        ):
            return
        yield "ecs_task_definition", name, latest

    def _revision_tags(self, name: str) -> dict[str, str]:
        answer = self.aws.client("ecs").describe_task_definition(taskDefinition=name, include=["TAGS"])
        return tag_dict(answer.get("tags", []), "key", "value")

    def scalable_target(self) -> Named:
        client, name = self.aws.client("application-autoscaling"), self.names.scalable_target
        which = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount", "ResourceIds": [name]}
        for target in client.describe_scalable_targets(**which)["ScalableTargets"]:
            yield "application_autoscaling_target", name, client.list_tags_for_resource(ResourceARN=target["ScalableTargetARN"])["Tags"]

    # The host names

    def domain_name(self) -> Named:
        host = self.names.api_host
        for domain in domain_names(self.aws):
            if domain["DomainName"] == host:
                yield "apigatewayv2_domain_name", host, own_tags(domain)

    def record(self, host: str, zone: str) -> Named:
        """A record that leads to the stack itself is its own, whoever made it."""
        listed = {(dns_name(r["Name"]), r["Type"]): r for r in self.prefetch.record(self.inputs[zone], host)}
        record, mark = listed.get((dns_name(host), "A")), listed.get((f"_mlflow-stack-a.{dns_name(host)}", "TXT"))
        if record is None:
            return
        leads_to = dns_name(record.get("AliasTarget", {}).get("DNSName", "")).removeprefix("dualstack.")
        if leads_to and leads_to in self._own_addresses(host):
            return
        said = mark["ResourceRecords"][0]["Value"].strip('"').split(",") if mark else []
        yield "route53_record", f"{host} (A)", dict(each.split("=", 1) for each in said if "=" in each)

    def _own_addresses(self, host: str) -> set[str]:
        """Where the host names of this stack lead: to its load balancer, and to the address of the API's domain name."""
        addresses = {
            configuration.get("ApiGatewayDomainName", "")
            for domain in domain_names(self.aws)
            if domain["DomainName"] == host and not owned_by_another(own_tags(domain), self.owner)
            for configuration in domain.get("DomainNameConfigurations") or []
        }
        balancer = load_balancer(self.aws, self.name)
        if balancer and not owned_by_another(self._elb_tags(balancer["LoadBalancerArn"]), self.owner):
            addresses.add(balancer["DNSName"])
        return {dns_name(name) for name in addresses}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: asks AWS for all of a stack at the same time, where its modules would ask one after the other.

A survey decides nothing: it puts the questions that the modules will put, by the names that a stack gives its resources, and
what is answered is kept for them, see ``Answers``. What it leaves out, they ask themselves.
"""

from __future__ import annotations

import contextlib
import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import LOAD_BALANCER_NAME, Names, names_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.reads import db_instances, domain_names, load_balancer, record_sets, vpc_links
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import is_parameter_group, parameter_group_name
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.versions import parameter_group_family
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.task_definition import revisions
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs

Document = dict[str, t.Any]
Question = t.Callable[[], t.Any]


class Prefetch:
    """The questions about one stack, in the order in which answers lead to others: those of all runs."""

    def __init__(self, aws: Aws, names: Names) -> None:
        self.aws, self.names, self.name = aws, names, names.unique_name

    def run(self) -> None:
        """Ask everything. What AWS does not answer, or answers in an unexpected way, is left to the modules, which say what is
        wrong: a survey never ends a run.
        """
        with contextlib.suppress(Exception):
            self._all(*self.questions())

    def questions(self) -> t.Iterator[Question]:
        raise NotImplementedError

    def _all(self, *questions: Question) -> None:
        run_concurrently(*(partial(self._ask, question) for question in questions))

    def _ask(self, question: Question) -> t.Any:
        with contextlib.suppress(Exception):
            return question()

    def groups(self, vpc_id: str) -> list[Document]:
        """The security groups of the names that the stack's have."""
        filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": list(self.names.security_groups)}]
        return self.aws.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=filters)

    def security_groups(self, vpc_id: str) -> None:
        ids = [group["GroupId"] for group in self.groups(vpc_id)]
        self.aws.pages("ec2", "describe_security_group_rules", "SecurityGroupRules", Filters=[{"Name": "group-id", "Values": ids}])

    def load_balancers(self, also: bool) -> t.Iterator[Question]:
        """``also``: whether to ask for the one of programs, too."""
        for name in (self.name, *([self.names.api_load_balancer] if also else [])):
            yield partial(self.target_group, name)
            yield partial(self.load_balancer, name)

    def target_group(self, name: str) -> None:
        elbv2 = self.aws.client("elbv2")
        for group in elbv2.describe_target_groups(Names=[name])["TargetGroups"]:
            of_group = {"TargetGroupArn": group["TargetGroupArn"]}
            tags = partial(elbv2.describe_tags, ResourceArns=[group["TargetGroupArn"]])
            self._all(partial(elbv2.describe_target_group_attributes, **of_group), tags)

    def load_balancer(self, name: str) -> None:
        elbv2, balancer = self.aws.client("elbv2"), load_balancer(self.aws, name)
        if not balancer:
            return
        arn = balancer["LoadBalancerArn"]
        self._all(
            partial(elbv2.describe_load_balancer_attributes, LoadBalancerArn=arn),
            partial(elbv2.describe_tags, ResourceArns=[arn]),
            partial(self.listeners, arn),
        )

    def listeners(self, load_balancer: str) -> None:
        listeners = self.aws.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=load_balancer)
        arns = [listener["ListenerArn"] for listener in listeners]
        every = run_concurrently(*(partial(self.aws.pages, "elbv2", "describe_rules", "Rules", ListenerArn=arn) for arn in arns))
        rules = [rule["RuleArn"] for each in every for rule in each if not rule["IsDefault"]]
        self.aws.client("elbv2").describe_tags(ResourceArns=[*arns, *rules])

    def record(self, zone_id: str, host: str) -> list[Document]:
        return record_sets(self.aws, zone_id, host)

    def roles(self) -> dict[str, str]:
        """The inline policy of each role."""
        return {role: role for role in self.names.task_roles} | {self.names.authorizer: "authorizer"}

    def role(self, name: str) -> t.Iterator[Question]:
        yield partial(self.aws.client("iam").get_role, RoleName=name)
        yield partial(self.aws.pages, "iam", "list_role_policies", "PolicyNames", RoleName=name)
        yield partial(self.aws.pages, "iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name)

    def scaling(self) -> None:
        client, resource = self.aws.client("application-autoscaling"), self.names.scalable_target
        target = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
        listed = partial(self.aws.pages, "application-autoscaling", ResourceId=resource, **target)
        self._all(
            partial(listed, "describe_scaling_policies", "ScalingPolicies"),
            partial(listed, "describe_scheduled_actions", "ScheduledActions"),
            lambda: [
                client.list_tags_for_resource(ResourceARN=each["ScalableTargetARN"])
                for each in client.describe_scalable_targets(ResourceIds=[resource], **target)["ScalableTargets"]
            ],
        )

    def profiles(self, role: str) -> Question:
        """What only who removes a role asks."""
        return partial(self.aws.pages, "iam", "list_instance_profiles_for_role", "InstanceProfiles", RoleName=role)

    def authorizer(self) -> t.Iterator[Question]:
        yield partial(self.aws.client("lambda").get_function, FunctionName=self.names.authorizer)
        yield partial(self.aws.client("lambda").get_policy, FunctionName=self.names.authorizer)

    def api(self, host: str) -> t.Iterator[Question]:
        listed = partial(self.aws.pages, "apigatewayv2")
        yield partial(vpc_links, self.aws)
        yield partial(domain_names, self.aws)
        yield partial(listed, "get_api_mappings", "Items", DomainName=host)
        yield self.parts_of_api

    def parts_of_api(self) -> None:
        ids = [api["ApiId"] for api in self.aws.pages("apigatewayv2", "get_apis", "Items") if api["Name"] == self.name]
        parts = ("integrations", "authorizers", "routes", "stages")
        self._all(*(partial(self.aws.pages, "apigatewayv2", f"get_{part}", "Items", ApiId=i) for i in ids for part in parts))


class Deployment(Prefetch):
    """What the modules of a deployment ask."""

    def __init__(self, aws: Aws, inputs: Inputs, cluster: Document | None) -> None:
        """``cluster``: what DescribeDBClusters says of the database, if there is one."""
        super().__init__(aws, names_of(inputs, aws.account_id, aws.region))
        self.inputs, self.cluster = inputs, cluster or {}

    def questions(self) -> t.Iterator[Question]:
        yield partial(self.security_groups, self.inputs["mlflow_vpc_id"])
        yield from (partial(self.log_group, name) for name in self.log_groups())
        yield from self.database()
        yield from self.load_balancers(also=not self.inputs.get("mlflow_load_balancer_is_internal", True))
        yield partial(self.record, self.inputs["mlflow_zone_id"], self.names.host)
        yield partial(self.record, self.inputs["mlflow_api_zone_id"], self.names.api_host)
        yield from self.bucket()
        for role, policy in self.roles().items():
            yield from self.role(role)
            yield partial(self.aws.client("iam").get_role_policy, RoleName=role, PolicyName=policy)
        if self.inputs.get("mlflow_api_authorizer") == "jwt":
            yield self.profiles(self.names.authorizer)
        yield from self.tasks()
        yield self.scaling
        yield from self.authorizer()
        yield from self.api(self.names.api_host)

    def log_groups(self) -> list[str]:
        return [*self.names.database_log_groups.values(), self.names.service_log_group, self.names.access_log_group, self.names.authorizer_log_group]

    def log_group(self, name: str) -> None:
        listed = partial(self.aws.pages, "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
        self._all(listed, partial(self.log_group_tags, name))

    def log_group_tags(self, name: str) -> dict[str, str]:
        arn = f"arn:{self.aws.partition}:logs:{self.aws.region}:{self.aws.account_id}:log-group:{name}"
        return self.aws.client("logs").list_tags_for_resource(resourceArn=arn)["tags"]

    def database(self) -> t.Iterator[Question]:
        rds, arn = self.aws.client("rds"), f"arn:{self.aws.partition}:rds:{self.aws.region}:{self.aws.account_id}"
        group = self.parameter_group()
        yield partial(rds.describe_db_cluster_parameter_groups, DBClusterParameterGroupName=group)
        if self.cluster:
            user = partial(self.aws.pages, "rds", "describe_db_cluster_parameters", "Parameters", Source="user")
            yield partial(user, DBClusterParameterGroupName=group)
            yield partial(rds.list_tags_for_resource, ResourceName=f"{arn}:cluster-pg:{group}")
            yield partial(rds.list_tags_for_resource, ResourceName=f"{arn}:subgrp:{self.name}")
        else:  # or a check has asked
            yield partial(rds.describe_db_subnet_groups, DBSubnetGroupName=self.name)
            yield partial(db_instances, self.aws)
        for member in self.cluster.get("DBClusterMembers", []):
            yield partial(rds.describe_db_instances, DBInstanceIdentifier=member["DBInstanceIdentifier"])
        for secret in self.names.secrets:  # of the password's a check has asked
            yield partial(self.aws.client("secretsmanager").describe_secret, SecretId=secret)

    def parameter_group(self) -> str:
        engine, version = self.inputs["mlflow_database_engine"], self.inputs["mlflow_rds_cluster_engine_version"]
        return parameter_group_name(self.name, parameter_group_family(engine, version))

    def bucket(self) -> t.Iterator[Question]:
        if self.inputs.get("mlflow_artifact_bucket_id"):
            return
        s3, bucket = self.aws.client("s3"), self.names.bucket
        yield partial(s3.head_bucket, Bucket=bucket, ExpectedBucketOwner=self.aws.account_id)
        for part in (
            "bucket_tagging",
            "bucket_policy",
            "bucket_ownership_controls",
            "bucket_encryption",
            "bucket_versioning",
            "bucket_lifecycle_configuration",
            "public_access_block",
        ):
            yield partial(getattr(s3, f"get_{part}"), Bucket=bucket)

    def cluster_arn(self) -> str:
        return f"arn:{self.aws.partition}:ecs:{self.aws.region}:{self.aws.account_id}:cluster/{self.name}"

    def tasks(self) -> t.Iterator[Question]:
        ecs, cluster = self.aws.client("ecs"), self.cluster_arn()
        yield partial(ecs.describe_clusters, clusters=[self.name], include=["TAGS", "SETTINGS"])
        for family in self.names.task_families:
            yield partial(ecs.describe_task_definition, taskDefinition=family, include=["TAGS"])
        yield partial(ecs.describe_services, cluster=cluster, services=[self.name], include=["TAGS"])


class Removal(Prefetch):
    """What the modules of a removal ask.

    Without what holds data that would be lost: whose the database and the bucket are, and whether the bucket is empty, their modules ask
    right before they remove them. And without the log groups, which AWS's services make by themselves as long as they run.
    """

    def __init__(self, aws: Aws, name: str, where: Document) -> None:
        """``where``: the option ``survey`` of ``mlplatform.mlflow_aws.stack_lease``."""
        super().__init__(aws, names_of({"mlflow_unique_name": name}, aws.account_id, aws.region))
        self.where = where

    def questions(self) -> t.Iterator[Question]:
        yield lambda: self.aws.account_id
        yield partial(self.security_groups, self.where["vpc_id"])
        yield self.subnet_group
        yield self.parameter_groups
        yield self.instances
        yield from self.load_balancers(also=len(self.names.api_load_balancer) <= LOAD_BALANCER_NAME)
        yield partial(self.record, self.where["zone_id"], self.where["host"])
        yield partial(self.record, self.where["api_zone_id"], self.where["api_host"])
        for role in self.roles():
            yield from self.role(role)
            yield self.profiles(role)
        yield partial(self.aws.client("ecs").describe_clusters, clusters=[self.name], include=["TAGS", "SETTINGS"])
        yield partial(self.aws.client("ecs").describe_services, cluster=self.name, services=[self.name], include=["TAGS"])
        yield from (partial(self.revisions, family) for family in self.names.task_families)
        for secret in self.names.secrets:
            yield partial(self.aws.client("secretsmanager").describe_secret, SecretId=secret)
        yield self.scaling
        yield from self.authorizer()
        yield from self.api(self.where["api_host"])

    def subnet_group(self) -> None:
        rds = self.aws.client("rds")
        for group in rds.describe_db_subnet_groups(DBSubnetGroupName=self.name)["DBSubnetGroups"]:
            rds.list_tags_for_resource(ResourceName=group["DBSubnetGroupArn"])

    def parameter_groups(self) -> None:
        every = self.aws.pages("rds", "describe_db_cluster_parameter_groups", "DBClusterParameterGroups")
        arns = [g["DBClusterParameterGroupArn"] for g in every if is_parameter_group(g["DBClusterParameterGroupName"], self.name)]
        self._all(*(partial(self.aws.client("rds").list_tags_for_resource, ResourceName=arn) for arn in arns))

    def instances(self) -> None:
        every = self.aws.pages("rds", "describe_db_instances", "DBInstances")
        ours = [i["DBInstanceIdentifier"] for i in every if i.get("DBClusterIdentifier") == self.name]
        self._all(*(partial(self.aws.client("rds").describe_db_instances, DBInstanceIdentifier=name) for name in ours))

    def revisions(self, family: str) -> None:
        listed = run_concurrently(*(partial(revisions, self.aws, family, status) for status in ("ACTIVE", "INACTIVE")))
        for arn in next(filter(None, listed), [])[:1]:
            self.aws.client("ecs").describe_task_definition(taskDefinition=arn, include=["TAGS"])

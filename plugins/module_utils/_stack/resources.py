# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the resources of a stack, layer by layer, each with as much of its specification as reading it takes.

Their modules have the whole of it. A resource that is missing here costs time and nothing else: its module reads it by itself.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.api import Api
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.domain_name import DomainName
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.vpc_link import VpcLink
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.application_autoscaling import Target
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.cloudwatch import Dashboard, MetricAlarm, alarms_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.security_groups import Group
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecr import PullThroughCacheRule, Repository
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.cluster import Cluster as EcsCluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.service import Service
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.task_definition import TaskDefinition
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.load_balancer import LoadBalancer
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.target_group import TargetGroup
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.events import Rule
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.roles import Role
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.lambda_ import Function
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import LogGroup, QueryDefinition
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.cluster import Cluster as RdsCluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.database import parameter_groups
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.event_subscription import EventSubscription
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.instance import Instance
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.monitoring import MonitoringRole
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import parameter_group_name
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.parameter_group import ClusterParameterGroup
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.subnet_group import SubnetGroup
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.versions import parameter_group_family
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record import Record
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.s3 import Bucket
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.secretsmanager import Secret
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.sns import Topic
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import is_watched, manages_dns, signs_urls, takes_host_names
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import LOAD_BALANCER_NAME, Names, names_of, owner

AUTHORIZER_POLICY = "authorizer"
"""The inline policy of the authorizer's role. A role of the tasks has one of its own name."""

Layer = t.Callable[[], t.Iterator[Resource]]


class Resources:
    """The resources of one stack; ``absent`` where they are read to be removed."""

    absent: t.ClassVar[bool]

    def __init__(self, aws: Aws, names: Names) -> None:
        self.aws, self.names = aws, names
        self.web_acl_arn: str | None = None
        self.common: dict[str, t.Any] = {"tags": owner(names.unique_name), "absent": self.absent}

    def layers(self) -> tuple[Layer, ...]:
        """What gives the resources of each layer. Raises LookupError where an input is missing."""
        raise NotImplementedError

    def _security_groups(self, vpc_id: str, wanted: t.Container[str]) -> t.Iterator[Resource]:
        siblings: dict[str, Group] = {}  # all are read together
        for name in self.names.security_groups:
            siblings[name] = Group(self.aws, vpc_id, {"name": name, "rules": []}, siblings, **self.common)
        yield from (group for name, group in siblings.items() if name in wanted)

    def _load_balancers(self, names: t.Iterable[str]) -> t.Iterator[Resource]:
        for name in names:
            yield LoadBalancer(self.aws, name, {"attributes": {}, "web_acl_arn": self.web_acl_arn}, **self.common)

    def _target_groups(self, names: t.Iterable[str]) -> t.Iterator[Resource]:
        for name in names:
            yield TargetGroup(self.aws, name, {"health_check": {}, "attributes": {}}, **self.common)

    def _task_roles(self) -> t.Iterator[Resource]:
        for name in self.names.task_roles:
            yield self._role(name, name, absent=self.absent)

    def _role(self, name: str, policy: str, *, absent: bool) -> Role:
        spec = {"inline_policies": {policy: {}}, "managed_policies": []}
        return Role(self.aws, name, spec, tags=self.common["tags"], absent=absent)

    def _monitoring_role(self) -> Role:
        return MonitoringRole(self.aws, self.names.monitoring_role, {"inline_policies": {}, "managed_policies": []}, **self.common)

    def _authorizer(self, *, absent: bool) -> t.Iterator[Resource]:
        yield self._role(self.names.authorizer, AUTHORIZER_POLICY, absent=absent)
        yield Function(self.aws, self.names.authorizer, tags=self.common["tags"], absent=absent)

    def _secrets(self, names: t.Iterable[str]) -> t.Iterator[Resource]:
        for name in names:  # their values no module takes from another's response
            yield Secret(self.aws, name, {"value": None}, **self.common)

    def _ecs(self) -> t.Iterator[Resource]:
        name = self.names.unique_name
        yield EcsCluster(self.aws, name, **self.common)
        yield Service(self.aws, name, {"cluster": name}, **self.common)
        yield Target(self.aws, self.names.scalable_target, **self.common)
        for family in (*self.names.task_families, *([self.names.import_task] if self.absent else [])):
            yield TaskDefinition(self.aws, family, **self.common)

    def _jobs(self, balancers: t.Iterable[str], *, wanted: bool) -> t.Iterator[Resource]:
        """Of the service that runs jobs. What is not wanted is removed, if it is there."""
        names = self.names
        as_wanted = {**self.common, "absent": not wanted}
        yield Service(self.aws, names.jobs_service, {"cluster": names.unique_name}, **as_wanted)
        for group in filter(None, (group for balancer in balancers for group in names.all_jobs_target_groups[balancer])):
            absent = not (wanted and group in names.jobs_target_groups)
            yield TargetGroup(self.aws, group, {"health_check": {}, "attributes": {}}, **{**as_wanted, "absent": absent})
        if wanted or self.absent:
            yield TaskDefinition(self.aws, names.jobs_service, **as_wanted)

    def _mirror(self) -> t.Iterator[Resource]:
        names = self.names
        yield Repository(self.aws, names.mirror_repository, {"image_tag": names.mirror_tag}, **self.common)
        yield self._role(names.mirror_role, names.mirror_role, absent=self.absent)
        yield TaskDefinition(self.aws, names.mirror_task, **self.common)

    def _api(self, host: str, authorizer: dict[str, str], *, manage_dns: bool = True, host_names: bool = True) -> t.Iterator[Resource]:
        domain = DomainName(self.aws, host, **self.common) if host_names else None
        if domain:
            yield domain
        spec: State = {"domain": {"dns_records": [], "manage_dns": manage_dns}, "authorizer": authorizer, "route_keys": [], "stage": {"name": "$default"}}
        yield Api(self.aws, self.names.unique_name, spec, domain=None if self.absent else domain, **self.common)
        yield VpcLink(self.aws, self.names.unique_name, {"subnet_ids": [], "security_group_ids": []}, **self.common)

    def _record(self, host: str, zone_id: str, kind: str = "A") -> Record:
        """Never as absent: then it would warn of what is somebody else's, which its module does."""
        spec = {"type": kind, "zone_id": zone_id, "alias": None, "values": [], "ttl": None, "tags": self.common["tags"]}
        return Record(self.aws, host, spec)

    def _audit_query(self) -> QueryDefinition:
        group = LogGroup(self.aws, self.names.service_log_group, {"account_id": self.aws.account_id})
        return QueryDefinition(group, self.names.audit_query, {}, absent=self.absent)


class Deployment(Resources):
    """Those of a stack that is deployed, in the order in which preflight names what is somebody else's."""

    absent = False

    def __init__(self, aws: Aws, inputs: Inputs, *, jobs: t.Callable[[], bool], whole: bool = True) -> None:
        """``jobs``: whether a service of its own runs MLflow's jobs; ``whole``: with all settings, or as far as tells whose the resources are."""
        super().__init__(aws, names_of(inputs, aws.account_id, aws.region))
        self.jobs_service = jobs
        self.whole = whole
        self.inputs = inputs
        self.authorizer = inputs.get("mlflow_api_authorizer") or "lambda"
        self.host_names = takes_host_names(inputs)
        self.manage_dns = manages_dns(inputs) and self.host_names
        self.web_acl_arn = inputs.get("mlflow_load_balancer_web_acl_arn")

    def layers(self) -> tuple[Layer, ...]:
        return (
            self.database,
            self.security_groups,
            self.bucket,
            lambda: self._load_balancers(self.names.load_balancers),
            lambda: self._target_groups(filter(None, self.names.target_groups)),  # preflight tells of one that has no name
            self._task_roles,
            lambda: self._authorizer(absent=self.authorizer != "lambda"),
            self.log_groups,
            self.secrets,
            self._ecs,
            self.jobs,
            self.mirror,
            self.api,
            self.records,
            self.monitoring,
        )

    def database(self) -> t.Iterator[Resource]:
        name, inputs = self.names.unique_name, self.inputs
        yield SubnetGroup(self.aws, name, **self.common)
        family = parameter_group_family(inputs["mlflow_database_engine"], inputs["mlflow_rds_cluster_engine_version"])
        yield ClusterParameterGroup(self.aws, parameter_group_name(name, family), {"parameters": {}}, **self.common)
        password = {"master_user_password_secret_arn": inputs["mlflow_database_password_secret_arn"]}
        spec = {**password, "name_prefix": name, "reader_count": inputs.get("mlflow_database_reader_count") or 0, "monitoring_role": None}
        yield RdsCluster(self.aws, name, spec, **self.common)
        if inputs.get("mlflow_database_monitoring_interval"):
            yield self._monitoring_role()

    def security_groups(self) -> t.Iterator[Resource]:
        internal = self.inputs.get("mlflow_load_balancer_is_internal", True)
        wanted = set(self.names.security_groups) - ({self.names.api_load_balancer_security_group} if internal else set())
        yield from self._security_groups(self.inputs["mlflow_vpc_id"], wanted)

    def bucket(self) -> t.Iterator[Resource]:
        if not self.inputs.get("mlflow_artifact_bucket_id"):
            settings: State = dict.fromkeys(Bucket.settings, {} if self.whole else None)
            if not self.inputs.get("mlflow_artifact_bucket_access_logs_bucket"):
                settings["access_logs"] = None
            if not signs_urls(self.inputs):
                settings["cors_rule"] = None
            yield Bucket(self.aws, self.names.bucket, {**settings, "expected_bucket_owner": self.aws.account_id}, **self.common)

    def log_groups(self) -> t.Iterator[Resource]:
        account = {"account_id": self.aws.account_id}
        for name in (*self.names.database_log_groups.values(), self.names.service_log_group, self.names.access_log_group):
            yield LogGroup(self.aws, name, account, **self.common)
        yield LogGroup(self.aws, self.names.authorizer_log_group, account, tags=self.common["tags"], absent=self.authorizer != "lambda")
        if self.whole and self.inputs.get("mlflow_identity") != "off":
            yield self._audit_query()

    def secrets(self) -> t.Iterator[Resource]:
        signs = self.authorizer == "lambda" and self.inputs.get("mlflow_identity") != "off"
        yield from self._secrets([*self.names.secrets, *([self.names.identity_key_secret] if signs else [])])

    def jobs(self) -> t.Iterator[Resource]:
        yield from self._jobs(self.names.load_balancers, wanted=self.jobs_service())

    def mirror(self) -> t.Iterator[Resource]:
        if self.inputs.get("mlflow_service_image_mirror_secret_arn"):  # its rule and its image have no tags that would tell whose they are
            yield Repository(self.aws, self.names.cached_repository, **self.common)
        elif self.inputs.get("mlflow_service_image_mirror"):
            yield from self._mirror()

    def api(self) -> t.Iterator[Resource]:
        spec = {
            "lambda": {"type": "REQUEST", "name": self.names.lambda_authorizer, "function_name": self.names.authorizer},
            "jwt": {"type": "JWT", "name": self.names.jwt_authorizer},
            "iam": {"type": "AWS_IAM"},
        }[self.authorizer]
        yield from self._api(self.names.api_host, spec, manage_dns=self.manage_dns, host_names=self.host_names)

    def records(self) -> t.Iterator[Record]:
        if not self.manage_dns:
            return
        names, zone, api_zone = self.names, self.inputs["mlflow_zone_id"], self.inputs["mlflow_api_zone_id"]
        of = {"mlflow_load_balancer": {names.host: zone, names.token_host: api_zone}, "mlflow_api": {names.api_host: api_zone}}
        for prefix, hosts in of.items():
            kinds = ("A",) if self.inputs.get(f"{prefix}_ip_address_type", "ipv4") == "ipv4" else ("A", "AAAA")
            yield from (self._record(host, zone_id, kind) for host, zone_id in hosts.items() for kind in kinds if host)

    def monitoring(self) -> t.Iterator[Resource]:
        """Of a stack that is watched. The alarms as what is removed: others may have some that begin so."""
        if not is_watched(self.inputs):
            return
        names, inputs, tags = self.names, self.inputs, self.common["tags"]
        emails = inputs.get("mlflow_alarm_emails")
        tells = {"tags": tags, "absent": not (emails or inputs.get("mlflow_alarm_topic_arn"))}
        yield Topic(self.aws, names.alarm_topic, {"emails": emails or []}, tags=tags, absent=not emails)
        for rule in (names.deployments_rule, names.stopped_tasks_rule):
            yield Rule(self.aws, rule, **tells)
        yield EventSubscription(self.aws, names.database_events, **tells)
        for dashboard, name in ((names.dashboard, "mlflow_dashboard"), (names.account_dashboard, "mlflow_account_dashboard")):
            yield Dashboard(self.aws, dashboard, tags=tags, absent=not inputs.get(name))
        for alarm in alarms_of(self.aws, names.alarm_prefix):
            yield MetricAlarm(self.aws, alarm, {"prefix": names.alarm_prefix}, tags=tags, absent=True)


class Removal(Resources):
    """Those of a stack that is removed, whatever its inputs were.

    Without what holds data that would be lost: whose the database and the bucket are, and whether the bucket is empty, their modules read
    right before they remove them. And without the log groups, which AWS's services create by themselves as long as they run.
    """

    absent = True

    def __init__(self, aws: Aws, name: str, where: dict[str, str]) -> None:
        """``where``: the option ``prefetch`` of ``mlplatform.mlflow_aws.stack_lease``."""
        super().__init__(aws, names_of({"mlflow_unique_name": name}))
        self.where = where

    def layers(self) -> tuple[Layer, ...]:
        names, where = self.names, self.where
        balancers = [name for name in (names.unique_name, names.api_load_balancer) if len(name) <= LOAD_BALANCER_NAME]
        return (
            self.account,
            self.database,
            self.instances,
            lambda: self._security_groups(where["vpc_id"], names.security_groups),
            lambda: self._load_balancers(balancers),
            lambda: self._target_groups([*balancers, *filter(None, names.tls_target_groups.values())]),
            lambda: self._jobs(balancers, wanted=False),
            self._task_roles,
            lambda: self._authorizer(absent=True),
            lambda: self._secrets([*names.secrets, names.identity_key_secret]),
            lambda: iter([self._audit_query()]),
            self._ecs,
            self._mirror,
            lambda: iter([PullThroughCacheRule(self.aws, names.unique_name, {**self.common, "besides": [names.mirror_repository]}, absent=True)]),
            lambda: self._api(where["api_host"], {}),
            self.records,
        )

    def records(self) -> t.Iterator[Record]:
        where = self.where
        of = {where["host"]: where["zone_id"], where["api_host"]: where["api_zone_id"], where["token_host"]: where["api_zone_id"]}
        yield from (self._record(host, zone_id) for host, zone_id in of.items() if host and zone_id)

    def account(self) -> t.Iterator[Resource]:
        """No resource; but many modules ask whose account it is."""
        self.aws.account_id
        yield from ()

    def database(self) -> t.Iterator[Resource]:
        yield SubnetGroup(self.aws, self.names.unique_name, **self.common)
        for name, arn in parameter_groups(self.aws, self.names.unique_name).items():
            yield ClusterParameterGroup(self.aws, name, {"arn": arn}, **self.common)
        yield self._monitoring_role()

    def instances(self) -> t.Iterator[Resource]:
        for instance in self.aws.pages("rds", "describe_db_instances", "DBInstances"):
            if instance.get("DBClusterIdentifier") == self.names.unique_name:
                yield Instance(self.aws, instance["DBInstanceIdentifier"], **self.common)

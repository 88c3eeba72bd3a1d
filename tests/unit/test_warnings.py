# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan warns of: changes that cost data or downtime, and doors that they open; and nothing else."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services import application_autoscaling
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.domain_name import DomainName
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.security_groups import is_open
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.service import Service
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.task_definition import TaskDefinition
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.listener import Listener, Rule
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.load_balancer import DELETION_PROTECTION, LoadBalancer
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import LogGroup
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.capacity import capacity_warnings
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.cluster import Cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.instance import Instance
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.s3 import Bucket, shorter_lives
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.secretsmanager import Secret

AWS: t.Any = types.SimpleNamespace(check_mode=True, module=types.SimpleNamespace(params={}))
SIGN_IN, FORWARD = {"Type": "authenticate-cognito"}, {"Type": "forward"}


def thing(kind: type[Resource], absent: bool = False, parent: t.Any = None, **spec: t.Any) -> Resource:
    return kind(AWS, "x", spec, absent=absent, parent=parent)


def inside(kind: type[t.Any], absent: bool = False, parent_absent: bool = False) -> Resource:
    """A listener or a rule."""
    return kind(AWS, "x", {}, absent=absent, parent=types.SimpleNamespace(absent=parent_absent), existing=None)


def scaled(kind: type[t.Any], absent: bool = False, parent_absent: bool = False) -> Resource:
    """A policy or a scheduled action."""
    target = types.SimpleNamespace(aws=AWS, absent=parent_absent)
    return kind(target, "x", {}, None, absent=absent)


def cluster(absent: bool = False, skip_final_snapshot: bool = False) -> Resource:
    return thing(Cluster, absent, skip_final_snapshot=skip_final_snapshot)


def instance(absent: bool = False, parent_absent: bool = False, readers: int = 0) -> Resource:
    return thing(Instance, absent, types.SimpleNamespace(absent=parent_absent), reader_count=readers)


def balancer(absent: bool = False, may_disable: bool = True) -> Resource:
    attributes = {DELETION_PROTECTION: not may_disable}
    return thing(LoadBalancer, absent, disable_deletion_protection=may_disable, attributes=attributes)


def bucket(absent: bool = False, force_empty: bool = False) -> Resource:
    return thing(Bucket, absent, force_empty=force_empty)


def service(healthy: int = 100, absent: bool = False) -> Resource:
    return thing(Service, absent, minimum_healthy_percent=healthy)


DATABASE = {
    "status": "available",
    "backup_retention_period": 14,
    "deletion_protection": True,
    "serverless_v2_scaling": {"min_capacity": 1.0, "max_capacity": 4.0},
}
BALANCER = {"protected": False, "subnets": ["subnet-a", "subnet-b"], "scheme": "internal"}
TASK = {"cpu": 1024, "memory": 2048, "containers": {"c": {"environment": {"BUCKET": "a", "X": "1"}}}}
SERVICE = {"network": {"assign_public_ip": False}}
family = thing(TaskDefinition)

CASES = [
    # the database
    (cluster(), None, {"backup_retention_period": 1, "deletion_protection": False}, []),
    (cluster(), DATABASE, {"backup_retention_period": 13}, ["older backups are deleted"]),
    (cluster(), DATABASE, {"backup_retention_period": 15, "copy_tags_to_snapshot": True}, []),
    (cluster(), DATABASE, {"deletion_protection": False}, ["the database can be deleted by mistake"]),
    (cluster(), {**DATABASE, "deletion_protection": False}, {"deletion_protection": True}, []),
    (cluster(), DATABASE, {"engine_version": "8.0.mysql_aurora.3.11.0"}, ["engine_version: restarts the database"]),
    (cluster(), DATABASE, {"parameter_group_name": "y", "port": 1}, ["parameter_group_name, port: restarts the database"]),
    (cluster(absent=True), DATABASE, {}, ["the database and its automatic backups are deleted after a last snapshot"]),
    (cluster(absent=True, skip_final_snapshot=True), DATABASE, {}, ["the database and its backups are deleted for good, without a last snapshot"]),
    (instance(), {"arn": "x"}, {"instance_class": "db.r8g.large"}, ["instance_class: restarts the instance"]),
    (instance(), {"arn": "x"}, {"promotion_tier": 2}, []),
    (instance(absent=True), {"arn": "x"}, {}, ["without a reader, a failover takes up to about 10 minutes"]),
    (instance(absent=True, readers=1), {"arn": "x"}, {}, []),
    (instance(absent=True, parent_absent=True), {"arn": "x"}, {}, []),
    # the load balancer
    (balancer(), None, {"scheme": "internet-facing"}, ["opens the load balancer to the internet"]),
    (balancer(), None, {"scheme": "internal", "subnets": []}, []),
    (
        balancer(),
        BALANCER,
        {"scheme": "internet-facing"},
        ["opens the load balancer to the internet", "deletes the load balancer and creates it anew: its DNS name changes, requests fail for minutes"],
    ),
    (balancer(), {**BALANCER, "protected": True}, {"attributes": {DELETION_PROTECTION: "false"}}, ["the load balancer can be deleted by mistake"]),
    (balancer(), BALANCER, {"attributes": {DELETION_PROTECTION: "true"}}, []),
    (balancer(), BALANCER, {"subnets": ["subnet-b", "subnet-c"]}, ["connections through subnet-a are cut"]),
    (balancer(), BALANCER, {"subnets": ["subnet-a", "subnet-b", "subnet-c"]}, []),
    (inside(Listener, absent=True), {"arn": "x"}, {}, ["nobody can connect to this port any more"]),
    (inside(Listener, absent=True, parent_absent=True), {"arn": "x"}, {}, []),
    (inside(Rule), {"actions": [SIGN_IN, FORWARD]}, {"actions": [FORWARD]}, ["lets everybody in without a sign-in"]),
    (inside(Rule), {"actions": [FORWARD]}, {"actions": [SIGN_IN, FORWARD]}, []),
    # the bucket
    (bucket(), None, {"versioning": False, "public_access_block": False}, []),
    (bucket(), {"arn": "x"}, {"encryption": {}}, ["objects that are in it already keep their encryption"]),
    (bucket(), {"arn": "x"}, {"versioning": False}, ["what is overwritten or deleted from now on cannot be brought back"]),
    (bucket(), {"arn": "x"}, {"public_access_block": False}, ["its objects can be made public"]),
    (bucket(), {"arn": "x"}, {"versioning": True, "public_access_block": True, "policy": {}}, []),
    (bucket(absent=True, force_empty=True), {"arn": "x"}, {}, ["all its objects are deleted, in all versions"]),
    (bucket(absent=True), {"arn": "x"}, {}, []),
    # the servers
    (family, None, {"cpu": 256, "containers": {}}, []),
    (family, TASK, {"cpu": 512, "memory": 4096}, ["cpu: each task gets 512 instead of 1024"]),
    (family, TASK, {"memory": 1024}, ["memory: each task gets 1024 instead of 2048"]),
    (service(), SERVICE, {"task_definition": "x:2"}, []),
    (service(healthy=50), SERVICE, {"task_definition": "x:2"}, ["restarts its tasks, and up to 50 % of them are away at a time"]),
    (service(healthy=50), SERVICE, {"health_check_grace_period_seconds": 1}, []),
    (service(), SERVICE, {"network": {"assign_public_ip": True}}, ["its tasks get public addresses"]),
    (service(), None, {"network": {"assign_public_ip": True}}, ["its tasks get public addresses"]),
    (service(), {"network": {"assign_public_ip": True}}, {"network": {"assign_public_ip": True}}, []),
    (service(), SERVICE, {"enable_execute_command": True}, ["whoever may ecs:ExecuteCommand can open a shell in its tasks"]),
    (service(absent=True), SERVICE, {}, ["all its tasks are stopped"]),
    (scaled(application_autoscaling.Policy, absent=True), {}, {}, ["the capacity does not follow the load any more"]),
    (scaled(application_autoscaling.Policy, absent=True, parent_absent=True), {}, {}, []),
    (scaled(application_autoscaling.ScheduledAction), None, {"capacity": {"min": 0, "max": 0}}, ["stops everything at these times: then nobody can use it"]),
    (scaled(application_autoscaling.ScheduledAction), None, {"capacity": {"min": 0, "max": None}}, []),
    # the rest
    (thing(LogGroup), {"retention_in_days": None, "kms_key_id": ""}, {"retention_in_days": 90}, ["logs that are older than 90 days are deleted"]),
    (thing(LogGroup), {"retention_in_days": 90, "kms_key_id": ""}, {"retention_in_days": 30}, ["logs that are older than 30 days are deleted"]),
    (thing(LogGroup), {"retention_in_days": 30, "kms_key_id": ""}, {"retention_in_days": 90}, []),
    (thing(LogGroup), {"retention_in_days": 30, "kms_key_id": ""}, {"kms_key_id": "key"}, []),
    (
        thing(LogGroup),
        {"retention_in_days": 30, "kms_key_id": "key"},
        {"kms_key_id": ""},
        ["what was logged until now can be read only as long as the key key is enabled"],
    ),
    (thing(LogGroup), None, {"retention_in_days": 90}, []),
    (thing(LogGroup, absent=True), {"retention_in_days": 90}, {}, ["its logs are deleted"]),
    (thing(Secret, absent=True, recovery_window_in_days=0), {"arn": "x"}, {}, ["the value is deleted at once and for good"]),
    (thing(Secret, absent=True, recovery_window_in_days=30), {"arn": "x"}, {}, []),
    (thing(DomainName, absent=True), {"status": "AVAILABLE"}, {}, ["programs that use this name are cut off"]),
]


@pytest.mark.parametrize(("resource", "before", "changes", "expected"), CASES)
def test_warnings(resource: Resource, before: t.Any, changes: t.Any, expected: list[str]) -> None:
    assert resource.warn(before, changes) == expected


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        (None, {"min_capacity": 0, "max_capacity": 1}, []),
        ({"min_capacity": 1, "max_capacity": 2}, None, []),
        ({"min_capacity": 0, "max_capacity": 1}, {"min_capacity": 1, "max_capacity": 2}, []),
        (
            {"min_capacity": 1, "max_capacity": 4},
            {"min_capacity": 0.5, "max_capacity": 2},
            ["min_capacity: 0.5 ACU instead of 1: less room for busy times", "max_capacity: 2 ACU instead of 4: less room for busy times"],
        ),
        (
            {"min_capacity": 1, "max_capacity": 1},
            {"min_capacity": 0, "max_capacity": 1},
            [
                "min_capacity: 0 ACU instead of 1: less room for busy times",
                "it pauses when nobody uses it: the first request after a pause waits about 15 seconds",
            ],
        ),
        ({"min_capacity": 0, "max_capacity": 1}, {"min_capacity": 0, "max_capacity": 1, "seconds_until_auto_pause": 300}, []),
    ],
)
def test_less_capacity_of_the_database(have: t.Any, want: t.Any, expected: list[str]) -> None:
    assert capacity_warnings(have, want) == expected


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        (None, {"min": 2, "max": 2}, []),
        (None, {"min": 0, "max": 2}, ["everything may be stopped: then nobody can use it"]),
        ({"min": 2, "max": 2}, {"min": 2, "max": 4}, []),
        ({"min": 2, "max": 4}, {"min": 1, "max": 3}, ["min: 1 instead of 2", "max: 3 instead of 4"]),
        ({"min": 1, "max": 1}, {"min": 0, "max": 0}, ["min: 0 instead of 1", "max: 0 instead of 1", "everything may be stopped: then nobody can use it"]),
        ({"min": 0, "max": 2}, {"min": 0, "max": 3}, []),
        ({"min": 2, "max": 2}, None, []),
    ],
)
def test_fewer_tasks(have: t.Any, want: t.Any, expected: list[str]) -> None:
    assert application_autoscaling.capacity_warnings(have, want) == expected


@pytest.mark.parametrize(
    ("direction", "peer", "expected"),
    [("ingress", "0.0.0.0/0", True), ("ingress", "::/0", True), ("egress", "0.0.0.0/0", False), ("ingress", "10.0.0.0/8", False), ("ingress", "sg-1", False)],
)
def test_what_opens_a_security_group_to_the_internet(direction: str, peer: str, expected: bool) -> None:
    assert is_open({"direction": direction, "peer": peer}) is expected


def expiring(name: str, status: str = "Enabled", prefix: str = "", **rule: t.Any) -> dict[str, t.Any]:
    return {"ID": name, "Status": status, "Filter": {"Prefix": prefix}, **rule}


VERSIONS_30, VERSIONS_90 = ({"NoncurrentVersionExpiration": {"NoncurrentDays": days}} for days in (30, 90))
OBJECTS_30 = {"Expiration": {"Days": 30}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [], []),
        ([], [expiring("a", **VERSIONS_30)], ["a"]),
        ([expiring("a", **VERSIONS_90)], [expiring("a", **VERSIONS_30)], ["a"]),
        ([expiring("a", **VERSIONS_30)], [expiring("a", **VERSIONS_90)], []),
        ([expiring("a", **VERSIONS_30)], [], []),
        ([expiring("a", **VERSIONS_30)], [expiring("a", **VERSIONS_30, **OBJECTS_30)], ["a"]),
        ([expiring("a", "Disabled", **OBJECTS_30)], [expiring("a", **OBJECTS_30)], ["a"]),
        ([expiring("a", **OBJECTS_30)], [expiring("a", "Disabled", **OBJECTS_30)], []),
        ([expiring("a", prefix="tmp/", **OBJECTS_30)], [expiring("a", **OBJECTS_30)], ["a"]),
        ([], [expiring("a", Expiration={"Date": "2030-01-01"})], ["a"]),
        ([], [expiring("a", Expiration={"ExpiredObjectDeleteMarker": True})], []),
        ([], [expiring("a", Transitions=[{"Days": 1}]), expiring("b", **OBJECTS_30)], ["b"]),
    ],
)
def test_what_lives_shorter_in_a_bucket(before: t.Any, after: t.Any, expected: list[str]) -> None:
    assert shorter_lives(before, after) == expected

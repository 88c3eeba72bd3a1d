# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from collections import Counter

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.modules import aws_wait
from modules.run_module import ModuleFailed, run_module

MODULE = "aws_wait"


def _database(aws, name, **more):
    rds = aws.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-mysql",
        MasterUsername="admin",
        MasterUserPassword="first-Passw0rd",
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 1},
        **more,
    )
    for n in (1, 2):
        rds.create_db_instance(DBInstanceIdentifier=f"{name}-{n}", DBClusterIdentifier=name, Engine="aurora-mysql", DBInstanceClass="db.serverless")


def test_a_new_instance_that_lacks_parameters_is_rebooted_and_others_are_not(aws):
    rds = aws.client("rds")
    aws.creation_seconds(rds=1, parameters=600)
    rds.create_db_cluster_parameter_group(DBClusterParameterGroupName="x", DBParameterGroupFamily="aurora-mysql8.0", Description="x")
    _database(aws, "x", DBClusterParameterGroupName="x")
    since = aws.mark()
    result = run_module(MODULE, {"db_clusters": ["x"], "new_db_instances": ["x-1", "y-1"]}, aws)
    assert result["changed"] and result["rebooted"] == ["x-1"]
    assert [call["operation"] for call in aws.mutating(since)] == ["RebootDBInstance"]
    members = rds.describe_db_clusters()["DBClusters"][0]["DBClusterMembers"]
    assert {m["DBInstanceIdentifier"]: m["DBClusterParameterGroupStatus"] for m in members} == {"x-1": "in-sync", "x-2": "pending-reboot"}
    assert {i["DBInstanceStatus"] for i in rds.describe_db_instances()["DBInstances"]} == {"available"}
    result = run_module(MODULE, {"db_clusters": ["x"], "new_db_instances": ["x-1"]}, aws)
    assert not result["changed"] and result["rebooted"] == []


def _load_balancer(aws, name):
    subnets = [subnet["SubnetId"] for subnet in aws.client("ec2").describe_subnets()["Subnets"]][:2]
    return aws.client("elbv2").create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]


def _vpc_link(aws, name):
    subnets = [subnet["SubnetId"] for subnet in aws.client("ec2").describe_subnets()["Subnets"]][:2]
    return aws.client("apigatewayv2").create_vpc_link(Name=name, SubnetIds=subnets)["VpcLinkId"]


def test_waits_for_all_at_the_same_time_with_one_describe_for_each_kind(aws):
    started = time.monotonic()
    _database(aws, "x")
    _database(aws, "y")
    params = {"db_clusters": ["x", "y"], "load_balancers": [_load_balancer(aws, "x"), _load_balancer(aws, "y")], "vpc_links": [_vpc_link(aws, "x")]}
    aws.creation_seconds(rds=time.monotonic() - started + 2)  # counted from their creation
    since = aws.mark()
    result = run_module(MODULE, params, aws)
    assert not result["changed"]
    waited = {label.split()[0]: seconds for label, seconds in result["waited"].items()}
    assert waited["db_cluster"] > waited["load_balancer"] and len(result["waited"]) == 5
    calls = Counter(call["operation"] for call in aws.calls(since))
    assert calls["DescribeDBClusters"] == calls["DescribeDBInstances"] >= 2
    assert calls["DescribeLoadBalancers"] == calls["GetVpcLinks"] == 1
    since = aws.mark()
    run_module(MODULE, params, aws)
    assert Counter(call["operation"] for call in aws.calls(since)) == dict.fromkeys(
        ("DescribeDBClusters", "DescribeDBInstances", "DescribeLoadBalancers", "GetVpcLinks"), 1
    )


@pytest.mark.parametrize(("params", "check"), [({}, False), ({"db_clusters": ["x"]}, True)])
def test_nothing_to_wait_for(aws, params, check):
    since = aws.mark()
    assert run_module(MODULE, params, aws, check=check)["waited"] == {} and aws.calls(since) == []


def test_a_cluster_that_never_becomes_available(aws):
    _database(aws, "x")
    aws.client("rds").stop_db_cluster(DBClusterIdentifier="x")
    with pytest.raises(ModuleFailed, match="db_cluster x: .*aws rds start-db-cluster"):
        run_module(MODULE, {"db_clusters": ["x"]}, aws)


def test_timeout_names_what_is_not_ready(aws):
    aws.creation_seconds(rds=30)
    _database(aws, "x")
    with pytest.raises(ModuleFailed, match="not ready after 1 seconds: db_cluster x: x creating, x-1 creating, x-2 creating"):
        run_module(MODULE, {"db_clusters": ["x"], "timeout": 1}, aws)


def test_what_aws_does_not_know(aws, monkeypatch):
    monkeypatch.setattr(aws_wait, "UNSEEN", 0)
    arn = "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
    with pytest.raises(ModuleFailed, match="db_cluster x: AWS does not know it; certificate .*: AWS does not know it"):
        run_module(MODULE, {"db_clusters": ["x"], "certificates": [arn]}, aws)


class Answers:
    """The part of Aws that the readers use, with given answers."""

    def __init__(self, answer):
        self.answer = answer

    def client(self, _service):
        return self

    def __getattr__(self, _operation):
        return lambda **_arguments: self.answer

    def pages(self, _service, _operation, result, **_arguments):
        return self.answer[result]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({"Code": "provisioning"}, ("provisioning", False, False)),
        ({"Code": "active"}, ("active", True, False)),
        ({"Code": "active_impaired"}, ("active_impaired", True, False)),
        ({"Code": "failed", "Reason": "no addresses"}, ("failed: no addresses", False, True)),
    ],
)
def test_load_balancers(state, status):
    answer = Answers({"LoadBalancers": [{"LoadBalancerArn": "a", "State": state}]})
    assert aws_wait.load_balancers(answer, ["a"]) == {"a": status}


@pytest.mark.parametrize(
    ("code", "ready", "failed"), [("PENDING", False, False), ("AVAILABLE", True, False), ("INACTIVE", True, False), ("FAILED", False, True)]
)
def test_vpc_links(code, ready, failed):
    link = {"VpcLinkId": "a", "VpcLinkStatus": code, "VpcLinkStatusMessage": "why"}
    other = {"VpcLinkId": "b", "VpcLinkStatus": "FAILED"}
    assert aws_wait.vpc_links(Answers({"Items": [link, other]}), ["a"]) == {"a": (f"{code}: why", ready, failed)}


@pytest.mark.parametrize(
    ("code", "ready", "failed"), [("PENDING_VALIDATION", False, False), ("ISSUED", True, False), ("FAILED", False, True), ("EXPIRED", False, True)]
)
def test_certificates(code, ready, failed):
    answer = Answers({"Certificate": {"Status": code}})
    assert aws_wait.certificates(answer, ["a"]) == {"a": (code, ready, failed)}


DONE = {"rolloutState": "COMPLETED"}


@pytest.mark.parametrize(
    ("service", "ready", "failed"),
    [
        ({"deployments": [DONE]}, True, False),
        ({"deployments": [DONE], "runningCount": 1}, False, False),
        ({"deployments": [DONE, DONE]}, False, False),
        ({"deployments": [{"rolloutState": "IN_PROGRESS"}]}, False, False),
        ({"deployments": [DONE, {"rolloutState": "FAILED", "rolloutStateReason": "tasks failed"}]}, False, True),
        ({"deployments": [DONE], "status": "DRAINING"}, False, True),
        ({"deployments": [DONE], "runningCount": 0, "desiredCount": 0}, True, False),
    ],
)
def test_ecs_services(service, ready, failed):
    described = {"serviceName": "s", "status": "ACTIVE", "runningCount": 2, "desiredCount": 2, "events": [{"message": "e"}], **service}
    status = aws_wait.ecs_services(Answers({"services": [described]}), [("c", "s")])["c", "s"]
    assert (status.ready, status.failed) == (ready, failed)
    assert not failed or status.text.endswith("e")

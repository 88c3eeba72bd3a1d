# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading

import pytest
from modules.run_module import ModuleFailed, run_module

MODULE = "ecs_service"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}


@pytest.fixture
def given(aws):
    """The options of a service for which everything is there."""
    ec2, elb, ecs = aws.client("ec2"), aws.client("elbv2"), aws.client("ecs")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"] for number, zone in enumerate("abc")
    ]
    subnets = [subnet["SubnetId"] for subnet in subnets]
    groups = [ec2.create_security_group(GroupName=n, Description=n, VpcId=vpc)["GroupId"] for n in ("one", "two")]
    balancer = elb.create_load_balancer(Name="x", Subnets=subnets[:2])["LoadBalancers"][0]["LoadBalancerArn"]
    targets = [elb.create_target_group(Name=name, Protocol="HTTP", Port=5000, VpcId=vpc, TargetType="ip")["TargetGroups"][0] for name in ("x", "y")]
    targets = [target["TargetGroupArn"] for target in targets]
    for number, target in enumerate(targets):
        action = {"Type": "forward", "TargetGroupArn": target}
        elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80 + number, DefaultActions=[action])
    ecs.create_cluster(clusterName="x", capacityProviders=["FARGATE", "FARGATE_SPOT"])
    return {
        "name": "x",
        "cluster": "x",
        "task_definition": register(aws),
        "desired_count": 2,
        "subnets": subnets[:2],
        "security_groups": groups[:1],
        "load_balancers": [{"target_group_arn": targets[0], "container_name": "mlflow", "container_port": 5000}],
        "health_check_grace_period_seconds": 60,
        "tags": {**OWNER, "team": "x"},
        "_more": {"subnets": subnets, "security_groups": groups, "targets": targets},
    }


def register(aws, command="mlflow"):
    return aws.client("ecs").register_task_definition(
        family="x",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "mlflow", "image": "mlflow", "command": [command], "portMappings": [{"containerPort": 5000}]}],
    )["taskDefinition"]["taskDefinitionArn"]


def without_more(params):
    return {name: value for name, value in params.items() if name != "_more"}


def run(aws, params, **changes):
    """The result of a run, after a check run has changed nothing and announced the same."""
    params = without_more({**params, **changes})
    since = aws.mark()
    planned = run_module(MODULE, params, aws, check=True)
    assert aws.mutating(since) == []
    result = run_module(MODULE, params, aws)
    assert planned["changes"] == result["changes"]
    return planned, result


def mutations(aws, since):
    return [call["operation"] for call in aws.mutating(since)]


def service(aws):
    return aws.client("ecs").describe_services(cluster="x", services=["x"], include=["TAGS"])["services"][0]


def test_create_again_absent_again(aws, given):
    planned, result = run(aws, given)
    assert planned["service"] == {"arn": "(known after apply)", "name": "x"}
    there = service(aws)
    assert result["service"] == {"arn": there["serviceArn"], "name": "x"}
    assert there["desiredCount"] == there["runningCount"] == 2
    assert there["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert {tag["key"]: tag["value"] for tag in there["tags"]} == given["tags"]
    assert there["propagateTags"] == "SERVICE" and there["enableECSManagedTags"]

    since = aws.mark()
    _ignored, again = run(aws, given)
    assert not again["changed"] and again["service"] == result["service"]
    assert [call["operation"] for call in aws.calls(since)] == ["DescribeServices"] * 2

    _ignored, gone = run(aws, given, state="absent")
    assert gone["service"] == {} and [change["action"] for change in gone["changes"]] == ["delete"]
    assert service(aws)["status"] == "INACTIVE"
    since = aws.mark()
    _ignored, again = run(aws, given, state="absent")
    assert not again["changed"] and mutations(aws, since) == []
    assert [change["action"] for change in run(aws, given)[1]["changes"]] == ["create"]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (lambda given: {"subnets": given["_more"]["subnets"]}, ["network.subnets"]),
        (lambda given: {"security_groups": given["_more"]["security_groups"]}, ["network.security_groups"]),
        (lambda given: {"assign_public_ip": True}, ["network.assign_public_ip"]),
        (lambda given: {"circuit_breaker": False}, ["circuit_breaker"]),
        (lambda given: {"maximum_percent": 150}, ["maximum_percent"]),
        (lambda given: {"minimum_healthy_percent": 50}, ["minimum_healthy_percent"]),
        (lambda given: {"health_check_grace_period_seconds": 90}, ["health_check_grace_period_seconds"]),
        (lambda given: {"enable_execute_command": True}, ["enable_execute_command"]),
        (lambda given: {"enable_ecs_managed_tags": False}, ["enable_ecs_managed_tags"]),
        (lambda given: {"propagate_tags": "TASK_DEFINITION"}, ["propagate_tags"]),
        (lambda given: {"availability_zone_rebalancing": "DISABLED"}, ["availability_zone_rebalancing"]),
        (lambda given: {"platform_version": "1.4.0"}, ["platform_version"]),
    ],
)
def test_change(aws, given, change, fields):
    run(aws, given)
    since = aws.mark()
    _ignored, result = run(aws, given, **change(given))
    assert [field["name"] for field in result["changes"][0]["fields"]] == fields
    assert mutations(aws, since) == ["UpdateService"]
    since = aws.mark()
    assert not run(aws, given, **change(given))[1]["changed"] and mutations(aws, since) == []


SPOT = {"capacity_provider": "FARGATE_SPOT", "weight": 3}
MIXED = [{"capacity_provider": "FARGATE", "base": 1}, SPOT]


def shares(aws):
    there = service(aws)
    return there.get("launchType"), {each["capacityProvider"]: (each["weight"], each["base"]) for each in there["capacityProviderStrategy"]}


def test_capacity_providers_come_and_go_in_place(aws, given):
    """Each change is a new deployment, which ECS would not start on its own; an empty strategy is the launch type again."""
    run(aws, given)
    for strategy, expected in ((MIXED, (None, {"FARGATE": (1, 1), "FARGATE_SPOT": (3, 0)})), ([SPOT], (None, {"FARGATE_SPOT": (3, 0)})), ([], ("FARGATE", {}))):
        before, since = service(aws)["deployments"][0]["id"], aws.mark()
        _planned, result = run(aws, given, capacity_provider_strategy=strategy)
        (call,) = aws.mutating(since)
        assert call["operation"] == "UpdateService" and call["params"]["forceNewDeployment"] is True
        assert shares(aws) == expected and service(aws)["deployments"][0]["id"] != before
        warned = any("Fargate Spot away" in warning for warning in result["changes"][0]["warnings"])
        assert warned == (strategy is MIXED)
        assert not run(aws, given, capacity_provider_strategy=strategy)[1]["changed"]


def test_a_service_is_created_with_capacity_providers(aws, given):
    run(aws, given, capacity_provider_strategy=MIXED)
    assert shares(aws) == (None, {"FARGATE": (1, 1), "FARGATE_SPOT": (3, 0)})
    assert not run(aws, given, capacity_provider_strategy=list(reversed(MIXED)))[1]["changed"]


def test_another_target_group_and_another_task_definition(aws, given):
    run(aws, given)
    balancers = [{**given["load_balancers"][0], "target_group_arn": given["_more"]["targets"][1]}]
    task_definition = register(aws)
    since = aws.mark()
    run(aws, given, load_balancers=balancers, task_definition=task_definition)
    assert mutations(aws, since) == ["UpdateService"]
    assert service(aws)["loadBalancers"][0]["targetGroupArn"] == given["_more"]["targets"][1]
    assert service(aws)["taskDefinition"] == task_definition
    assert not run(aws, given, load_balancers=balancers, task_definition=task_definition)[1]["changed"]


@pytest.mark.parametrize(("change_over_with", "first"), [("task_definition", "new"), ("previous", "old")])
def test_rules_change_over_once_both_target_groups_have_tasks(aws, given, change_over_with, first):
    elb, (old, new) = aws.client("elbv2"), given["_more"]["targets"]
    run(aws, given)
    listener = elb.describe_listeners(LoadBalancerArn=elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"])["Listeners"][0]["ListenerArn"]
    groups = [{"TargetGroupArn": old, "Weight": 1}, {"TargetGroupArn": new, "Weight": 0}]
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    rule = elb.create_rule(ListenerArn=listener, Priority=1, Conditions=[{"Field": "path-pattern", "Values": ["/a"]}], Actions=[forward])["Rules"][0]
    revisions = {"old": given["task_definition"], "new": register(aws)}
    changes = {
        "load_balancers": [{**given["load_balancers"][0], "target_group_arn": new}],
        "task_definition": revisions["new"],
        "change_over_with": change_over_with,
    }
    since = aws.mark()
    run(aws, given, **changes)
    assert mutations(aws, since) == ["UpdateService", "ModifyRule", "UpdateService"]
    both, last = (call["params"] for call in aws.mutating(since) if call["operation"] == "UpdateService")
    assert {each["targetGroupArn"] for each in both["loadBalancers"]} == {old, new} and [each["targetGroupArn"] for each in last["loadBalancers"]] == [new]
    assert both.get("taskDefinition", revisions["old"]) == revisions[first] and last["taskDefinition"] == revisions["new"]
    (forward,) = elb.describe_rules(RuleArns=[rule["RuleArn"]])["Rules"][0]["Actions"]
    assert {each["TargetGroupArn"]: each["Weight"] for each in forward["ForwardConfig"]["TargetGroups"]} == {old: 0, new: 1}
    since = aws.mark()
    assert not run(aws, given, **changes)[1]["changed"] and mutations(aws, since) == []


def test_tags_change_without_a_deployment(aws, given):
    run(aws, given)
    before = service(aws)["deployments"][0]["id"]
    since = aws.mark()
    run(aws, given, tags={**OWNER, "team": "y"})
    assert mutations(aws, since) == ["TagResource"]
    run(aws, given, tags=OWNER)
    assert {tag["key"]: tag["value"] for tag in service(aws)["tags"]} == OWNER
    assert service(aws)["deployments"][0]["id"] == before


def test_exec_reaches_the_running_tasks(aws, given):
    run(aws, given)
    since = aws.mark()
    run(aws, given, enable_execute_command=True)
    (call,) = aws.mutating(since)
    assert call["params"]["forceNewDeployment"] is True


def test_the_number_of_tasks_is_autoscalings(aws, given):
    run(aws, given)
    aws.client("ecs").update_service(cluster="x", service="x", desiredCount=4)
    since = aws.mark()
    assert not run(aws, given)[1]["changed"] and mutations(aws, since) == []
    run(aws, given, maximum_percent=150)
    assert service(aws)["desiredCount"] == 4


def test_a_change_by_hand_is_put_back(aws, given):
    run(aws, given)
    by_hand = {"taskDefinition": register(aws), "healthCheckGracePeriodSeconds": 5}
    aws.client("ecs").update_service(cluster="x", service="x", **by_hand)
    _ignored, result = run(aws, given)
    changed = {field["name"] for field in result["changes"][0]["fields"]}
    assert changed == {"health_check_grace_period_seconds", "task_definition"}
    assert service(aws)["taskDefinition"] == given["task_definition"]


def test_waits_for_the_deployment(aws, given):
    aws.creation_seconds(ecs=1.5)
    run(aws, given)
    assert service(aws)["deployments"][0]["rolloutState"] == "COMPLETED"
    run(aws, given, task_definition=register(aws), wait=False)
    assert service(aws)["deployments"][0]["rolloutState"] == "IN_PROGRESS"


def test_a_service_being_deleted_is_made_again_when_it_is_gone(aws, given):
    run(aws, given)
    aws.creation_seconds(ecs=1.5)
    aws.client("ecs").delete_service(cluster="x", service="x", force=True)
    assert service(aws)["status"] == "DRAINING"
    _ignored, result = run(aws, given)
    assert [change["action"] for change in result["changes"]] == ["create"] and service(aws)["status"] == "ACTIVE"


def test_another_stacks_service_is_refused(aws, given):
    run(aws, given)
    with pytest.raises(ModuleFailed, match="not of this stack"):
        run(aws, given, tags={**OWNER, "mlflow-stack": "y", "managed-by": "z"})


def test_a_deployment_that_is_rolled_back_is_an_error_and_drift(aws, given):
    run_module(MODULE, without_more(given), aws)
    aws.creation_seconds(ecs=0.5)
    broken = register(aws, command="false")
    with pytest.raises(ModuleFailed) as failure:
        run_module(MODULE, {**without_more(given), "task_definition": broken}, aws)
    message = failure.value.result["msg"]
    assert "the deployment failed: ECS deployment circuit breaker: tasks failed to start." in message
    assert "deployment failed: tasks failed to start.\n" in message  # the last event, and the one before it
    assert service(aws)["taskDefinition"] == given["task_definition"]
    planned = run_module(MODULE, {**without_more(given), "task_definition": broken}, aws, check=True)
    assert [f["name"] for f in planned["changes"][0]["fields"]] == ["task_definition"]
    assert not run(aws, given)[1]["changed"]


def test_a_first_deployment_that_failed_is_made_again(aws, given):
    broken = {**without_more(given), "task_definition": register(aws, command="false")}
    for operation in ("CreateService", "UpdateService"):
        since = aws.mark()
        with pytest.raises(ModuleFailed, match="tasks failed to start"):
            run_module(MODULE, broken, aws)
        assert mutations(aws, since) == [operation]
    run(aws, given)
    assert service(aws)["deployments"][0]["rolloutState"] == "COMPLETED"


def stop(aws):
    run_module("ecs_service_state", {"name": "x", "cluster": "x", "state": "stopped"}, aws)


def updates(aws, since):
    """The number of tasks, the task definition and the rollback of each UpdateService."""
    found = [call["params"] for call in aws.mutating(since) if call["operation"] == "UpdateService"]
    breakers = [params.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker", {}) for params in found]
    return [(p.get("desiredCount"), p.get("taskDefinition"), b.get("rollback")) for p, b in zip(found, breakers, strict=True)]


def test_a_stopped_service_is_started_as_it_was(aws, given):
    run_module(MODULE, without_more(given), aws)
    aws.client("ecs").update_service(cluster="x", service="x", desiredCount=4)
    stop(aws)
    since = aws.mark()
    _ignored, result = run(aws, given)
    assert [(f["name"], f["before"], f["after"]) for f in result["changes"][0]["fields"]] == [("stopped", True, False)]
    assert updates(aws, since) == [(4, None, False), (None, None, True)]
    assert service(aws)["runningCount"] == 4
    since = aws.mark()
    assert not run(aws, given)[1]["changed"] and mutations(aws, since) == []


def test_a_stopped_service_never_goes_back_to_what_it_ran(aws, given):
    run_module(MODULE, without_more(given), aws)
    stop(aws)
    broken = {**without_more(given), "task_definition": register(aws, command="false"), "remedy": "restore the snapshot"}
    since = aws.mark()
    with pytest.raises(ModuleFailed) as failure:
        run_module(MODULE, broken, aws)
    message = failure.value.result["msg"]
    assert "tasks failed to start" in message and message.endswith("\n  restore the snapshot")
    assert updates(aws, since) == [(0, broken["task_definition"], False), (2, broken["task_definition"], False)]
    assert service(aws)["taskDefinition"] == broken["task_definition"]

    mended = register(aws)
    run(aws, given, task_definition=mended)
    assert (service(aws)["taskDefinition"], service(aws)["runningCount"]) == (mended, 2)
    assert service(aws)["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"] is True
    assert not run(aws, given, task_definition=mended)[1]["changed"]


ALARM = {"MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1}


def alarms_of(aws):
    return service(aws)["deploymentConfiguration"].get("alarms")


def test_alarms_of_deployments_come_and_go_in_place(aws, given):
    run(aws, given)
    assert alarms_of(aws) is None
    for names in (["x/b", "x/a"], []):
        since = aws.mark()
        _ignored, result = run(aws, given, deployment_alarms=names)
        assert [field["name"] for field in result["changes"][0]["fields"]] == ["deployment_alarms"] and mutations(aws, since) == ["UpdateService"]
        assert alarms_of(aws) == {"alarmNames": ["x/a", "x/b"], "enable": bool(names), "rollback": bool(names)}  # switched off, it still knows them
        assert not run(aws, given, deployment_alarms=names)[1]["changed"]


def test_a_deployment_that_trips_an_alarm_is_rolled_back(aws, given):
    alarmed = {**without_more(given), "deployment_alarms": ["x/errors"]}
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="x/errors", ComparisonOperator="GreaterThanThreshold", **ALARM)
    run_module(MODULE, alarmed, aws)
    aws.creation_seconds(ecs=3)
    trips = threading.Timer(1, lambda: cloudwatch.set_alarm_state(AlarmName="x/errors", StateValue="ALARM", StateReason="test"))
    trips.start()
    with pytest.raises(ModuleFailed, match="the deployment failed: ECS deployment: alarm detected"):
        run_module(MODULE, {**alarmed, "task_definition": register(aws)}, aws)
    trips.join()
    assert service(aws)["taskDefinition"] == given["task_definition"]
    cure = register(aws)  # an alarm that was there before counts for nothing
    run(aws, alarmed, task_definition=cure)
    assert service(aws)["taskDefinition"] == cure


def test_a_stopped_service_is_started_without_its_alarms(aws, given):
    alarmed = {**without_more(given), "deployment_alarms": ["x/errors"]}
    run_module(MODULE, alarmed, aws)
    stop(aws)
    since = aws.mark()
    run(aws, alarmed, task_definition=register(aws))
    found = [call["params"]["deploymentConfiguration"]["alarms"] for call in aws.mutating(since) if call["operation"] == "UpdateService"]
    assert [(each["enable"], each["rollback"]) for each in found] == [(False, False), (False, False), (True, True)]
    assert not run(aws, alarmed, task_definition=service(aws)["taskDefinition"])[1]["changed"]

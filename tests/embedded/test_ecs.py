# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ECS of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import json
import time
from typing import Any

from embedded.helpers import TASK, Balancer, Network, create_service, has, refused
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS


def _describe_service(aws: EmbeddedAWS) -> dict[str, Any]:
    return aws.client("ecs").describe_services(cluster="c", services=["s"], include=["TAGS"])["services"][0]


def test_task_definitions(aws: EmbeddedAWS) -> None:
    ecs = aws.client("ecs")
    container = {
        "name": "c",
        "image": "i",
        "user": "1000",
        "readonlyRootFilesystem": True,
        "command": ["x"],
        "portMappings": [{"containerPort": 5000}],
        "secrets": [{"name": "S", "valueFrom": "arn:s"}],
        "dependsOn": [{"containerName": "d", "condition": "SUCCESS"}],
        "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
    }
    given = {
        **TASK,
        "containerDefinitions": [container, {"name": "d", "image": "i", "essential": False}],
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "volumes": [{"name": "tmp"}],
        "ephemeralStorage": {"sizeInGiB": 30},
        "taskRoleArn": "arn:t",
        "executionRoleArn": "arn:e",
        "tags": [{"key": "a", "value": "1"}],
    }
    registered = ecs.register_task_definition(**given)
    assert registered["tags"] == [{"key": "a", "value": "1"}]
    definition = registered["taskDefinition"]
    for name in ("runtimePlatform", "ephemeralStorage", "taskRoleArn", "executionRoleArn", "cpu", "memory"):
        assert definition[name] == given[name]
    first = definition["containerDefinitions"][0]
    for name in container.keys() - {"portMappings"}:
        assert first[name] == container[name]
    assert first["portMappings"] == [{"containerPort": 5000, "hostPort": 5000, "protocol": "tcp"}]
    has(first, essential=True, environment=[], cpu=0)
    assert definition["volumes"] == [{"name": "tmp", "host": {}}]
    assert ecs.register_task_definition(**given)["taskDefinition"]["revision"] == 2
    ecs.deregister_task_definition(taskDefinition="f:2")
    assert ecs.describe_task_definition(taskDefinition="f")["taskDefinition"]["revision"] == 1
    ecs.delete_task_definitions(taskDefinitions=["f:2"])
    assert ecs.register_task_definition(**given)["taskDefinition"]["revision"] == 3

    ecs.register_task_definition(**{**given, "family": "f-2"})
    names = [arn.rpartition("/")[2] for arn in ecs.list_task_definitions(familyPrefix="f", sort="DESC")["taskDefinitionArns"]]
    assert names == ["f-2:1", "f:3", "f:1"]


def test_service_defaults(aws: EmbeddedAWS, network: Network) -> None:
    service = create_service(aws, network)
    has(
        service,
        healthCheckGracePeriodSeconds=None,
        enableExecuteCommand=False,
        enableECSManagedTags=False,
        propagateTags="NONE",
        platformVersion="LATEST",
        availabilityZoneRebalancing="ENABLED",
        launchType="FARGATE",
        schedulingStrategy="REPLICA",
        deploymentController={"type": "ECS"},
    )
    has(service["deploymentConfiguration"], maximumPercent=200, minimumHealthyPercent=100, deploymentCircuitBreaker={"enable": False, "rollback": False})
    assert service["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    refused("InvalidParameterException", create_service, aws=aws, network=network)


def test_service_echo_and_update(aws: EmbeddedAWS, network: Network) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    given = {
        "healthCheckGracePeriodSeconds": 30,
        "enableExecuteCommand": True,
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
        "platformVersion": "1.4.0",
        "availabilityZoneRebalancing": "DISABLED",
        "tags": [{"key": "a", "value": "1"}],
    }
    created = create_service(aws, network, deploymentConfiguration=breaker, **given)
    has(_describe_service(aws), **given, taskDefinition=created["taskDefinition"])
    assert _describe_service(aws)["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"] is True
    ecs = aws.client("ecs")
    deployment = _describe_service(aws)["deployments"][0]["id"]
    ecs.update_service(cluster="c", service="s", healthCheckGracePeriodSeconds=60, deploymentConfiguration={"minimumHealthyPercent": 50})
    service = _describe_service(aws)
    has(service, healthCheckGracePeriodSeconds=60, enableExecuteCommand=True)
    has(service["deploymentConfiguration"], minimumHealthyPercent=50, maximumPercent=200, **breaker)
    assert service["deployments"][0]["id"] == deployment
    ecs.register_task_definition(**TASK)
    ecs.update_service(cluster="c", service="s", taskDefinition="f:2")
    service = _describe_service(aws)
    assert service["taskDefinition"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/f:2"
    assert [each["id"] for each in service["deployments"]] != [deployment]


def test_service_reaches_steady_state(aws: EmbeddedAWS, network: Network) -> None:
    elb, ecs = aws.client("elbv2"), aws.client("ecs")
    balancer = Balancer(aws, network)
    balancer.rule(1, balancer.forward)
    group = balancer.group
    aws.creation_seconds(ecs=0.5)
    service = create_service(aws, network, loadBalancers=[{"targetGroupArn": group, "containerName": "c", "containerPort": 5000}])
    has(service, runningCount=0, pendingCount=2, healthCheckGracePeriodSeconds=0)
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    time.sleep(0.5)
    service = _describe_service(aws)
    has(service, runningCount=2, pendingCount=0)
    has(service["deployments"][0], status="PRIMARY", rolloutState="COMPLETED", runningCount=2)
    assert "has reached a steady state" in service["events"][0]["message"]
    health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert [each["TargetHealth"]["State"] for each in health] == ["healthy", "healthy"]
    ecs.get_waiter("services_stable").wait(cluster="c", services=["s"])


def test_a_service_takes_a_target_group_of_a_load_balancer_only(aws: EmbeddedAWS, network: Network) -> None:
    """ "Create an Amazon ECS service" of the developer guide: the target group has to be associated with a load balancer."""
    elb, ecs, balancer = aws.client("elbv2"), aws.client("ecs"), Balancer(aws, network)
    balancer.rule(1, balancer.forward)
    (other,) = elb.create_target_group(Name="o", Protocol="HTTPS", Port=5000, VpcId=network.vpc, TargetType="ip")["TargetGroups"]
    used, unused = ({"targetGroupArn": arn, "containerName": "c", "containerPort": 5000} for arn in (balancer.group, other["TargetGroupArn"]))
    assert "does not have an associated load balancer" in refused("InvalidParameterException", create_service, aws=aws, network=network, loadBalancers=[unused])
    create_service(aws, network, loadBalancers=[used])
    refused("InvalidParameterException", ecs.update_service, cluster="c", service="s", loadBalancers=[used, unused])


def test_tasks_leave_the_target_groups_of_before_at_the_end_of_a_deployment(aws: EmbeddedAWS, network: Network) -> None:
    """ "loadBalancers" of UpdateService: tasks register with the new and deregister from the old, by a deployment."""
    elb, ecs, balancer = aws.client("elbv2"), aws.client("ecs"), Balancer(aws, network)
    balancer.rule(1, balancer.forward)

    def targets() -> int:
        return len(elb.describe_target_health(TargetGroupArn=balancer.group)["TargetHealthDescriptions"])

    create_service(aws, network, loadBalancers=[{"targetGroupArn": balancer.group, "containerName": "c", "containerPort": 5000}])
    assert targets() == 2
    aws.creation_seconds(ecs=0.5)
    ecs.update_service(cluster="c", service="s", loadBalancers=[])
    assert targets() == 2
    time.sleep(0.5)
    _describe_service(aws)
    assert targets() == 0


def test_a_service_of_one_task_at_most_is_not_redistributed(aws: EmbeddedAWS, network: Network) -> None:
    """Amazon ECS Developer Guide, Availability Zone rebalancing: not with a maximum percent of 100."""
    ecs, one = aws.client("ecs"), {"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0}}
    refused("InvalidParameterException", create_service, aws=aws, network=network, **one)
    create_service(aws, network, availabilityZoneRebalancing="DISABLED", **one)
    update = {"cluster": "c", "service": "s", "availabilityZoneRebalancing": "ENABLED"}
    refused("InvalidParameterException", ecs.update_service, **update)
    assert ecs.update_service(**update, deploymentConfiguration={"maximumPercent": 200})["service"]["availabilityZoneRebalancing"] == "ENABLED"


def test_service_deletion(aws: EmbeddedAWS, network: Network) -> None:
    ecs = aws.client("ecs")
    create_service(aws, network)
    refused("ClusterContainsServicesException", ecs.delete_cluster, cluster="c")
    refused("InvalidParameterException", ecs.delete_service, cluster="c", service="s")
    ecs.update_service(cluster="c", service="s", desiredCount=0)
    assert ecs.delete_service(cluster="c", service="s")["service"]["status"] == "DRAINING"
    assert _describe_service(aws)["status"] == "INACTIVE"
    assert ecs.list_services(cluster="c")["serviceArns"] == []
    refused("ServiceNotActiveException", ecs.update_service, cluster="c", service="s", desiredCount=1)
    create_service(aws, network)
    ecs.delete_service(cluster="c", service="s", force=True)
    ecs.delete_cluster(cluster="c")
    assert ecs.list_clusters()["clusterArns"] == []
    assert ecs.describe_clusters(clusters=["c"])["clusters"][0]["status"] == "INACTIVE"


def test_service_with_capacity_providers(aws: EmbeddedAWS, network: Network) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    refused("InvalidParameterException", create_service, aws=aws, network=network, capacityProviderStrategy=strategy)
    ecs = aws.client("ecs")
    given = {"cluster": "c", "serviceName": "s", "taskDefinition": "f"}
    assert "not associated with the cluster" in refused("InvalidParameterException", ecs.create_service, **given, capacityProviderStrategy=strategy)
    ecs.put_cluster_capacity_providers(cluster="c", capacityProviders=["FARGATE", "FARGATE_SPOT"], defaultCapacityProviderStrategy=[])
    service = ecs.create_service(
        **given, desiredCount=1, capacityProviderStrategy=strategy, networkConfiguration={"awsvpcConfiguration": {"subnets": network.subnets}}
    )["service"]
    has(service, launchType=None, capacityProviderStrategy=[{**strategy[0], "base": 0}])
    name = {"cluster": "c", "service": service["serviceName"]}
    for wrong in ([{"capacityProvider": "EC2", "weight": 1}], [{"capacityProvider": "FARGATE", "weight": 0, "base": 1}]):
        refused("InvalidParameterException", ecs.update_service, **name, capacityProviderStrategy=wrong)
    deployments = service["deployments"]
    back = ecs.update_service(**name, capacityProviderStrategy=[])["service"]  # "back to the launch type: pass an empty list"
    has(back, launchType="FARGATE", capacityProviderStrategy=[])
    assert [each["id"] for each in back["deployments"]] == [each["id"] for each in deployments]  # "doesn't trigger a new service deployment"


def test_run_task(aws: EmbeddedAWS, network: Network) -> None:
    ecs = aws.client("ecs")
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(**TASK)
    task = ecs.run_task(cluster="c", taskDefinition="f", launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": {"subnets": network.subnets[:1]}})[
        "tasks"
    ][0]

    def describe():
        return ecs.describe_tasks(cluster="c", tasks=[task["taskArn"]])["tasks"][0]

    has(describe(), lastStatus="RUNNING")
    stopped = describe()
    has(stopped, lastStatus="STOPPED", stopCode="EssentialContainerExited")
    assert [(each["name"], each["exitCode"]) for each in stopped["containers"]] == [("c", 0)]
    ecs.get_waiter("tasks_stopped").wait(cluster="c", tasks=[task["taskArn"]])


def test_how_tasks_end_is_said_by_rules(aws: EmbeddedAWS, network: Network) -> None:
    ecs, logs = aws.client("ecs"), aws.client("logs")
    ecs.create_cluster(clusterName="c")
    logs.create_log_group(logGroupName="/ecs/c")
    options = {"awslogs-group": "/ecs/c", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p"}
    logged = {**TASK["containerDefinitions"][0], "logConfiguration": {"logDriver": "awslogs", "options": options}}
    ecs.register_task_definition(**{**TASK, "containerDefinitions": [logged]})
    aws.task_results(
        {"family": "f", "environment": {"A": "1"}, "exit_code": 3, "log": ["first", "last"], "times": 1},
        {"environment": {"A": "1"}, "exit_code": None},
        {"family": "other", "exit_code": 1},
    )

    def stopped(environment: list[dict[str, str]]) -> dict[str, Any]:
        arn = ecs.run_task(
            cluster="c",
            taskDefinition="f",
            launchType="FARGATE",
            overrides={"containerOverrides": [{"name": "c", "environment": environment}]},
            networkConfiguration={"awsvpcConfiguration": {"subnets": network.subnets[:1]}},
        )["tasks"][0]["taskArn"]
        ecs.get_waiter("tasks_stopped").wait(cluster="c", tasks=[arn], WaiterConfig={"Delay": 0})
        return ecs.describe_tasks(cluster="c", tasks=[arn])["tasks"][0]

    task = stopped([{"name": "A", "value": "1"}])
    assert task["containers"][0]["exitCode"] == 3
    stream = f"p/c/{task['taskArn'].rpartition('/')[2]}"
    events = logs.get_log_events(logGroupName="/ecs/c", logStreamName=stream)["events"]
    assert [event["message"] for event in events] == ["first", "last"]
    task = stopped([{"name": "A", "value": "1"}])  # the first rule is used up
    assert task["stopCode"] == "TaskFailedToStart" and "exitCode" not in task["containers"][0]
    assert stopped([{"name": "A", "value": "2"}])["containers"][0]["exitCode"] == 0


def test_a_deployment_without_tasks_is_complete_and_what_ecs_then_goes_back_to(aws: EmbeddedAWS, network: Network) -> None:
    ecs = aws.client("ecs")
    create_service(aws, network)
    aws.task_results({"family": "f", "exit_code": 1})
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    ecs.register_task_definition(**TASK)
    ecs.update_service(cluster="c", service="s", taskDefinition="f:2", desiredCount=0, deploymentConfiguration=breaker)
    assert _describe_service(aws)["deployments"][0]["rolloutState"] == "COMPLETED"
    ecs.update_service(cluster="c", service="s", desiredCount=1, forceNewDeployment=True)
    assert {d["taskDefinition"].rpartition("/")[2] for d in _describe_service(aws)["deployments"]} == {"f:2"}


def test_clusters_and_tags(aws: EmbeddedAWS, network: Network) -> None:
    ecs, insights = aws.client("ecs"), {"name": "containerInsights", "value": "enhanced"}
    configuration = {"executeCommandConfiguration": {"logging": "DEFAULT"}}
    cluster = ecs.create_cluster(clusterName="c")["cluster"]["clusterArn"]
    assert ecs.list_tags_for_resource(resourceArn=cluster)["tags"] == []
    ecs.update_cluster_settings(cluster="c", settings=[insights])
    ecs.update_cluster(cluster="c", configuration=configuration)
    assert ecs.create_cluster(clusterName="c")["cluster"]["settings"] == [insights]
    (described,) = ecs.describe_clusters(clusters=["c"], include=["TAGS", "SETTINGS", "CONFIGURATIONS"])["clusters"]
    has(described, settings=[insights], configuration=configuration)
    definition = ecs.register_task_definition(**TASK)["taskDefinition"]["taskDefinitionArn"]
    for arn in (cluster, create_service(aws, network)["serviceArn"], definition):
        ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
        ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
        assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}], arn
    assert _describe_service(aws)["tags"] == [{"key": "b", "value": "2"}]


def test_a_task_starts_only_with_secrets_that_its_execution_role_may_read(aws: EmbeddedAWS, network: Network) -> None:
    ecs, iam, secrets = aws.client("ecs"), aws.client("iam"), aws.client("secretsmanager")
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    secret = secrets.create_secret(Name="s", SecretString='{"k": "v"}', KmsKeyId=key)["ARN"]
    aws.client("ssm").put_parameter(Name="/p/q", Value="v", Type="SecureString", KeyId=key)
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/p/q"
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}))["Role"]["Arn"]
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(
        family="f",
        executionRoleArn=role,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "c", "image": "i", "secrets": [{"name": "S", "valueFrom": f"{secret}:k::"}, {"name": "P", "valueFrom": parameter}]}],
    )

    where = {"awsvpcConfiguration": {"subnets": network.subnets[:1], "securityGroups": [network.group]}}

    def stopped() -> str:
        task = ecs.run_task(cluster="c", taskDefinition="f", launchType="FARGATE", networkConfiguration=where)["tasks"][0]["taskArn"]
        return [ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0].get("stoppedReason", "") for _poll in range(3)][-1]

    def allow(*statements: tuple[str, str, str]) -> None:
        document = [
            {"Effect": "Allow", "Action": action, "Resource": resource}
            | ({"Condition": {"StringEquals": {"kms:ViaService": f"{via}.{REGION}.amazonaws.com"}}} if via else {})
            for action, resource, via in statements
        ]
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": document}))

    read = [("secretsmanager:GetSecretValue", secret, ""), ("ssm:GetParameters", parameter, "")]
    assert "secretsmanager:GetSecretValue" in stopped()
    allow(*read, ("kms:Decrypt", key, "secretsmanager"))
    assert stopped().startswith("ResourceInitializationError") and f"kms:Decrypt on resource: {key}" in stopped()
    allow(*read, *(("kms:Decrypt", key, via) for via in ("secretsmanager", "ssm")))
    assert stopped() == "Essential container in task exited"


def test_task_definitions_that_fargate_cannot_run(aws: EmbeddedAWS) -> None:
    """Task definition parameters for Fargate; and what RegisterTaskDefinition says, as people have reported it."""
    ecs = aws.client("ecs")

    def message(*more: dict[str, Any], **container: Any) -> str:
        definitions = [{"name": "c", "image": "i", **container}, *more]
        return refused("ClientException", ecs.register_task_definition, **{**TASK, "containerDefinitions": definitions})

    assert message(mountPoints=[{"sourceVolume": "config", "containerPath": "/x"}]) == "Unknown volume 'config'."
    assert "sum of all container 'cpu' values" in message(cpu=100_000)
    assert "greater than for the task" in message(memory=1_000_000)
    assert "should be unique" in message({"name": "c", "image": "i"})
    assert "more than once" in message({"name": "d", "image": "i", "portMappings": [{"containerPort": 80}]}, portMappings=[{"containerPort": 80}])
    assert "must match" in message(portMappings=[{"containerPort": 80, "hostPort": 81}])
    assert "Unknown container 'x'" in message(dependsOn=[{"containerName": "x", "condition": "START"}])
    assert "cannot be an essential container" in message({"name": "d", "image": "i"}, dependsOn=[{"containerName": "d", "condition": "SUCCESS"}])
    after = {"condition": "START"}
    assert "circular" in message({"name": "d", "image": "i", "dependsOn": [{"containerName": "c", **after}]}, dependsOn=[{"containerName": "d", **after}])
    assert "When awsfirelens log driver is specified" in message(logConfiguration={"logDriver": "awsfirelens"})
    assert "requires options: awslogs-region" in message(logConfiguration={"logDriver": "awslogs", "options": {"awslogs-group": "g"}})
    assert "do not support links" in message(links=["d"])
    assert "do not support devices" in message(linuxParameters={"devices": [{"hostPath": "/dev/fuse"}]})
    # Its size as people have reported the message, its options as the API reference lists them
    assert "invalid tmpfs size" in message(linuxParameters={"tmpfs": [{"containerPath": "/x", "size": 0}]})
    assert "mount options: x" in message(linuxParameters={"tmpfs": [{"containerPath": "/x", "size": 1, "mountOptions": ["x=1", "rw"]}]})
    # "Amazon ECS now supports tmpfs mounts on AWS Fargate" (6 January 2026)
    tmpfs = [{"containerPath": "/x", "size": 64, "mountOptions": ["mode=1777"]}]
    ecs.register_task_definition(**{**TASK, "containerDefinitions": [{"name": "c", "image": "i", "linuxParameters": {"tmpfs": tmpfs}}]})
    host = {"volumes": [{"name": "v", "host": {"sourcePath": "/x"}}]}
    assert "sourcePath" in refused("ClientException", ecs.register_task_definition, **{**TASK, **host})

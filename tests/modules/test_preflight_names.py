# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that has a name that the stack needs and is somebody else's is told at once, before the first change."""

from __future__ import annotations

import io
import json
import typing as t
import zipfile

import pytest
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module
from support.stack import Inputs, prerequisites

U = "mlflow-team-x"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": U}
ENGINE = {"mlflow_database_engine": "aurora-mysql", "mlflow_rds_cluster_engine_version": "8.0.mysql_aurora.3.10.3"}
KINDS = {
    f"rds_subnet_group {U}",
    f"rds_cluster_parameter_group {U}-aurora-mysql8-0",
    f"rds_cluster {U}-rds",
    f"ec2_security_group {U}-service",
    f"s3_bucket {U}-123456789012-eu-west-1",
    f"elbv2_load_balancer {U}",
    f"elbv2_target_group {U}",
    f"iam_role {U}-ecs-execution",
    f"iam_role {U}-ecs-task",
    f"iam_role {U}-authorizer",
    f"lambda_function {U}-authorizer",
    f"logs_log_group /ecs/{U}",
    f"secretsmanager_secret {U}-server-keys",
    f"ecs_cluster {U}",
    f"ecs_service {U}",
    f"ecs_task_definition {U}",
    f"application_autoscaling_target service/{U}/{U}",
    "apigatewayv2_domain_name mlflow.api.team-x.example.com",
    "route53_record mlflow.team-x.example.com (A)",
    "route53_record mlflow.api.team-x.example.com (A)",
}


def pairs(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: k, value: v} for k, v in tags.items()]


def deploy_by_hand(aws: EmbeddedAWS, given: Inputs, tags: dict[str, str]) -> None:
    """What another tool makes for a stack of the name U: all that costs nothing to leave out is left out."""
    ec2, rds, elb, iam, ecs = (aws.client(service) for service in ("ec2", "rds", "elbv2", "iam", "ecs"))
    vpc, subnets = given["mlflow_vpc_id"], given["mlflow_load_balancer_subnet_ids"]
    group = ec2.create_security_group(GroupName=f"{U}-service", Description="x", VpcId=vpc)["GroupId"]
    ec2.create_tags(Resources=[group], Tags=pairs(tags or {"Name": "x"}))
    rds.create_db_subnet_group(DBSubnetGroupName=U, DBSubnetGroupDescription="x", SubnetIds=subnets, Tags=pairs(tags))
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=f"{U}-aurora-mysql8-0", DBParameterGroupFamily="aurora-mysql8.0", Description="x", Tags=pairs(tags)
    )
    rds.create_db_cluster(DBClusterIdentifier=f"{U}-rds", Engine="aurora-mysql", MasterUsername="ecs_task", MasterUserPassword="Secret-123", Tags=pairs(tags))
    bucket = f"{U}-123456789012-eu-west-1"
    aws.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    if tags:
        aws.client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs(tags)})
    tagged: dict[str, t.Any] = {"Tags": pairs(tags)} if tags else {}
    balancer = elb.create_load_balancer(Name=U, Subnets=subnets, Scheme="internal", **tagged)["LoadBalancers"][0]
    target_group = elb.create_target_group(Name=U, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", **tagged)["TargetGroups"][0]
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    for role in ("ecs-execution", "ecs-task", "authorizer"):
        arn = iam.create_role(RoleName=f"{U}-{role}", AssumeRolePolicyDocument=trust, Tags=pairs(tags))["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("x.py", "")
    aws.client("lambda").create_function(
        FunctionName=f"{U}-authorizer", Role=arn, Runtime="python3.12", Handler="x.y", Code={"ZipFile": code.getvalue()}, Tags=tags
    )
    aws.client("logs").create_log_group(logGroupName=f"/ecs/{U}", tags=tags)
    aws.client("secretsmanager").create_secret(Name=f"{U}-server-keys", SecretString="{}", Tags=pairs(tags))
    small = pairs(tags, "key", "value")
    ecs.create_cluster(clusterName=U, tags=small)
    ecs.register_task_definition(
        family=U,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "mlflow", "image": "mlflow", "portMappings": [{"containerPort": 80}]}],
        tags=small,
    )
    ecs.create_service(
        cluster=U,
        serviceName=U,
        taskDefinition=U,
        desiredCount=0,
        launchType="FARGATE",
        tags=small,
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
    )
    aws.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs", ScalableDimension="ecs:service:DesiredCount", ResourceId=f"service/{U}/{U}", MinCapacity=1, MaxCapacity=2, Tags=tags
    )
    programs = f"mlflow.{given['mlflow_api_zone_name']}"
    domain = aws.client("apigatewayv2").create_domain_name(
        DomainName=programs, DomainNameConfigurations=[{"CertificateArn": given["mlflow_api_cert_arn"], "EndpointType": "REGIONAL"}], Tags=tags
    )["DomainNameConfigurations"][0]
    record(aws, given, "mlflow_zone", balancer["DNSName"], balancer["CanonicalHostedZoneId"])
    record(aws, given, "mlflow_api_zone", domain["ApiGatewayDomainName"], domain["HostedZoneId"])
    assert target_group["Port"] == 80


def record(aws: EmbeddedAWS, given: Inputs, zone: str, leads_to: str, its_zone: str) -> None:
    alias = {"DNSName": leads_to, "HostedZoneId": its_zone, "EvaluateTargetHealth": False}
    made = {"Name": f"mlflow.{given[f'{zone}_name']}", "Type": "A", "AliasTarget": alias}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": made}]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=given[f"{zone}_id"], ChangeBatch=batch)


def problems(aws: EmbeddedAWS, given: Inputs, **more: t.Any) -> list[str]:
    mark = aws.mark()
    try:
        run_module("preflight", {"inputs": {**ENGINE, **given, **more}}, aws)
        return []
    except ModuleFailed as failure:
        return failure.result["problems"]
    finally:
        assert aws.mutating(mark) == []


def told(lines: list[str]) -> set[str]:
    """The things in the lines about names."""
    return {each for line in lines if "these exist" in line for each in line.partition("of this stack: ")[2].partition(". ")[0].split(", ")}


@pytest.mark.parametrize("tags", [{}, {"managed-by": "Terraform"}, {**OWNER, "mlflow-stack": f"{U}-2"}])
def test_all_names_of_somebody_else_are_told_at_once(aws: EmbeddedAWS, tags: dict[str, str]) -> None:
    given = prerequisites(aws)
    assert problems(aws, given) == []
    deploy_by_hand(aws, given, tags)
    lines = problems(aws, given)
    assert len(lines) == 2 and [line.split(":")[0] for line in lines] == ["mlflow_unique_name", "mlflow_record_name"], lines
    assert told(lines) == KINDS
    assert all("managed-by=mlplatform.mlflow_aws, mlflow-stack=mlflow-team-x" in line and "docs/moving-in.md" in line for line in lines)


def test_what_was_handed_over_or_left_by_a_run_that_died_is_the_stacks(aws: EmbeddedAWS) -> None:
    given = prerequisites(aws)
    deploy_by_hand(aws, given, OWNER)
    assert problems(aws, given) == []


def test_what_is_not_needed_is_in_nobodys_way(aws: EmbeddedAWS) -> None:
    given = prerequisites(aws)
    deploy_by_hand(aws, given, {})
    jwt = told(problems(aws, given, mlflow_api_authorizer="jwt", mlflow_artifact_bucket_id=f"{U}-123456789012-eu-west-1"))
    assert KINDS - jwt == {f"iam_role {U}-authorizer", f"lambda_function {U}-authorizer", f"s3_bucket {U}-123456789012-eu-west-1"}
    aws.client("elbv2").create_target_group(Name=f"{U}-api", Protocol="HTTP", Port=80, VpcId=given["mlflow_vpc_id"], TargetType="ip")
    assert f"elbv2_target_group {U}-api" not in told(problems(aws, given))
    assert f"elbv2_target_group {U}-api" in told(problems(aws, given, mlflow_load_balancer_is_internal=False))
    aws.client("rds").create_db_cluster(
        DBClusterIdentifier="mlflow-team-rds",
        Engine="aurora-mysql",
        MasterUsername="x",
        MasterUserPassword="Secret-123",
        Tags=pairs({**OWNER, "mlflow-stack": "mlflow-team-rds"}),
    )
    beside = {**given, "mlflow_unique_name": "mlflow-team", "mlflow_record_name": "mlflow2"}
    assert not [line for line in problems(aws, beside) if "these exist" in line]


def test_a_revision_that_somebody_registered_by_hand_takes_no_family(aws: EmbeddedAWS) -> None:
    given, ecs = prerequisites(aws), aws.client("ecs")
    for tags in (OWNER, {}):
        ecs.register_task_definition(family=U, containerDefinitions=[{"name": "x", "image": "x", "memory": 128}], tags=pairs(tags, "key", "value"))
    assert problems(aws, given) == []
    ecs.deregister_task_definition(taskDefinition=f"{U}:1")
    assert told(problems(aws, given)) == {f"ecs_task_definition {U}"}


def test_a_bucket_that_a_run_began_and_died_before_it_was_tagged_is_the_stacks(aws: EmbeddedAWS) -> None:
    given, bucket = prerequisites(aws), f"{U}-123456789012-eu-west-1"
    aws.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert told(problems(aws, given)) == {f"s3_bucket {bucket}"}
    aws.client("ssm").put_parameter(Name=f"/mlplatform/mlflow_aws/{U}/bucket", Value=bucket, Type="String")
    assert problems(aws, given) == []

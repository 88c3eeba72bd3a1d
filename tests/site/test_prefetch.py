# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run asks AWS at once what its modules need to know, and no module takes what it has changed since for what is there."""

from __future__ import annotations

import json
import os
import time
import typing as t
from collections import Counter
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine import client
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run import recorded_responses
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.lease import LEASE, this_run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.recorded_responses import RESPONSES
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds import parameter_group, subnet_group
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.cluster import Cluster
from modules.run_module import ModuleFailed, run_module
from support.stack import PASSWORD, Stack, public_subnets

VALUES = "GetSecretValue"
"""What each module asks itself, because the answer is secret."""


def questions(calls: t.Iterable[dict[str, t.Any]]) -> Counter[str]:
    return Counter(json.dumps([call["service"], call["operation"], call["params"]], sort_keys=True) for call in calls)


def others(calls: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    return [call for call in calls if call["operation"] != VALUES]


def assert_all_is_asked_at_once(stack: Stack) -> None:
    """The first module to ask something itself reads the values of secrets: nothing is left to ask after that."""
    for run in (stack.run("site"), stack.run("plan")):
        assert run.status == 0 and run.changed == 0, run.messages
        last = max(n for n, call in enumerate(run.calls) if call["operation"] == VALUES)
        assert [(call["operation"], call["params"]) for call in run.calls[last + 1 :]] == []
        assert [question for question, times in questions(others(run.calls)).items() if times > 1] == []


def test_a_plan_of_an_empty_account_asks_all_at_once(stack: Stack) -> None:
    run = stack.run("plan")
    assert run.status == 0, run.messages
    first = next(n for n, call in enumerate(run.calls) if str(call["params"]).find("backend-store-uri") > 0 and call["operation"] == VALUES)
    assert {call["operation"] for call in run.calls[first:]} == {VALUES}


def test_where_nothing_is_to_be_done_all_is_asked_at_once_with_other_choices(stack: Stack) -> None:
    stack.apply(
        mlflow_database_engine="aurora-postgresql",
        mlflow_api_authorizer="jwt",
        mlflow_service_max_capacity=4,
        mlflow_load_balancer_is_internal=False,
        mlflow_load_balancer_subnet_ids=public_subnets(stack.aws, stack.inputs["mlflow_vpc_id"]),
    )
    assert_all_is_asked_at_once(stack)


# One stack, from here on


@pytest.fixture(scope="module")
def deployed(deployed_team: Stack) -> Stack:
    return deployed_team


def test_where_nothing_is_to_be_done_all_is_asked_at_once(deployed: Stack) -> None:
    assert_all_is_asked_at_once(deployed)


def test_after_the_first_change_everything_is_asked_again(deployed: Stack) -> None:
    """One group of the network has lost a rule: what comes after the network is read as it then is."""
    ec2 = deployed.aws.client("ec2")
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["mlflow-team-x-database"]}])["SecurityGroups"]
    ec2.revoke_security_group_ingress(GroupId=groups[0]["GroupId"], IpPermissions=groups[0]["IpPermissions"])
    run = deployed.run("site")
    assert run.status == 0 and [change["kind"] for change in run.changes] == ["ec2_security_group_rule"], run.messages
    first = next(n for n, call in enumerate(run.calls) if call["mutating"] and call["service"] == "ec2")
    for services in ({"ecs"}, {"elbv2"}, {"s3"}, {"lambda"}):
        before, after = (questions(c for c in calls if c["service"] in services) for calls in (run.calls[:first], run.calls[first:]))
        assert after and not after - before, "what was asked before the change is what is asked again"
    assert deployed.run("plan").changes == []


def test_only_a_play_of_which_nothing_else_is_a_part_prefetches(deployed: Stack) -> None:
    run = deployed.run("site", "-e", "mlflow_prefetch=false")
    last = max(n for n, call in enumerate(run.calls) if call["operation"] == VALUES)
    assert len(run.calls[last:]) > 20


def test_modules_outside_the_worker_ask_themselves(deployed: Stack) -> None:
    run = deployed.run("plan", mlflow_run_in_worker=False)
    assert run.status == 0 and run.changes == [], run.messages
    last = max(n for n, call in enumerate(run.calls) if call["operation"] == VALUES)
    assert len(run.calls[last:]) > 20


@pytest.fixture
def prefetched(deployed: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the answers that the prefetch of a deployed stack has had."""
    file = tmp_path / "answers"
    monkeypatch.setenv(RESPONSES, str(file))
    (cluster,) = deployed.aws.client("rds").describe_db_clusters()["DBClusters"]
    database = {"mlflow_database_engine": cluster["Engine"], "mlflow_rds_cluster_engine_version": cluster["EngineVersion"]}
    run_module("preflight", {"inputs": {**database, **deployed.inputs}, "prefetch": True}, deployed.aws)
    return file


def test_no_secret_is_kept(deployed: Stack, prefetched: Path) -> None:
    kept, secrets = prefetched.read_bytes(), deployed.aws.client("secretsmanager")
    hidden = [PASSWORD]
    for name in ("backend-store-uri", "server-keys"):
        hidden += json.loads(secrets.get_secret_value(SecretId=f"mlflow-team-x-{name}")["SecretString"]).values()
    pool = deployed.inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    client = deployed.inputs["mlflow_aws_cognito_user_pool_client_id"]
    hidden.append(deployed.aws.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]["ClientSecret"])
    assert len(hidden) > 4 and not [secret for secret in hidden if secret.encode() in kept]
    assert prefetched.stat().st_mode & 0o777 == 0o600


def test_what_was_asked_is_not_asked_again_until_something_changes(deployed: Stack, prefetched: Path) -> None:
    tags = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "mlflow-team-x", **deployed.inputs["mlflow_tags"]}
    cluster = {"name": "mlflow-team-x", "container_insights": "disabled", "tags": tags}
    mark = deployed.aws.mark()
    assert run_module("ecs_cluster", cluster, deployed.aws)["changed"] is False
    assert deployed.aws.calls(mark) == [] and prefetched.exists()

    assert run_module("ecs_cluster", {**cluster, "container_insights": "enhanced"}, deployed.aws)["changed"] is True
    assert not prefetched.exists()
    assert run_module("ecs_cluster", {**cluster, "container_insights": "enhanced"}, deployed.aws)["changed"] is False
    assert [call["operation"] for call in deployed.aws.calls(mark) if call["operation"] == "DescribeClusters"] == ["DescribeClusters"]


def test_old_answers_count_for_nothing(deployed: Stack, prefetched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_responses, "LASTING", 0)
    mark = deployed.aws.mark()
    run_module("ecs_cluster", {"name": "mlflow-team-x"}, deployed.aws, check=True)
    assert [call["operation"] for call in deployed.aws.calls(mark)] == ["DescribeClusters"]


# Of a removal

NAME = "mlflow-team-x"
OF_DATA = {"DescribeDBClusters": 2, "HeadBucket": 1, "GetBucketTagging": 1, "ListObjectVersions": 1}
OF_WHAT_SERVICES_MAKE = {"DescribeLogGroups": 9, "ListTagsForResource": 9}
"""Log groups, that of the servers once more: its saved query is whose it is."""
WHETHER_GONE = {"GetVpcLink": 1, "DescribeServices": 1, "DescribeDBClusters": 1, "DescribeLoadBalancers": 1}


def test_a_removal_asks_at_once_what_does_not_hold_data(deployed_stack: Stack) -> None:
    deployed_at = (deployed_stack.folder / f"{NAME}.outputs.json").stat().st_mtime
    time.sleep(max(0, deployed_at + client.CONSISTENCY_WINDOW - time.time()))
    run = deployed_stack.destroy()
    stacks = [call for call in run.calls if call["service"] != "ssm"]
    first = next(n for n, call in enumerate(stacks) if call["mutating"])
    prefetched, rest = stacks[1:first], stacks[first:]  # preflight has asked for the account
    assert [question for question, times in questions(prefetched).items() if times > 1] == []
    assert Counter(call["operation"] for call in rest if not call["mutating"]) == Counter(OF_DATA) + Counter(OF_WHAT_SERVICES_MAKE) + Counter(WHETHER_GONE)
    assert len(run.calls) <= 172


def test_a_removal_right_after_a_change_prefetches_nothing(stack: Stack) -> None:
    """AWS may not show yet what the run before has made: each module looks as late as it can."""
    stack.apply()
    run = stack.destroy()
    first = next(n for n, call in enumerate(run.calls) if call["mutating"] and call["service"] != "ssm")
    of_the_api = {"apigatewayv2", "route53", "lambda", "iam"}  # with its host names, its function and the function's role
    assert {call["service"] for call in run.calls[:first]} == {"sts", "ssm", "cloudwatch", *of_the_api}  # preflight asks for alarms


def removal(stack: Stack, module: str, **options: t.Any) -> dict[str, t.Any]:
    """What a module of a removal returns."""
    tags = {} if module == "stack_lease" else {"tags": {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": NAME}, "state": "absent"}
    return run_module(module, {**tags, **options}, stack.aws)


@pytest.fixture
def removing(deployed_stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the answers that a removal of a deployed stack has had. One of its log groups was gone."""
    deployed_stack.aws.client("logs").delete_log_group(logGroupName=f"/aws/rds/cluster/{NAME}/error")
    file = tmp_path / "answers"
    holder = this_run("Remove MLflow", os.getpid(), str(tmp_path))._asdict()
    monkeypatch.setenv(LEASE, json.dumps({"stack": NAME, "tags": {}, "break": "", "holder": holder, "began": time.time()}))
    monkeypatch.setenv(RESPONSES, str(file))
    monkeypatch.setattr(client, "CONSISTENCY_WINDOW", 0)
    given = deployed_stack.inputs
    where = {
        "vpc_id": given["mlflow_vpc_id"],
        "host": f"mlflow.{given['mlflow_zone_name']}",
        "zone_id": given["mlflow_zone_id"],
        "api_host": f"mlflow.{given['mlflow_api_zone_name']}",
        "api_zone_id": given["mlflow_api_zone_id"],
    }
    assert removal(deployed_stack, "stack_lease", state="acquired_if_exists", prefetch=where)["acquired"] and file.exists()
    return file


def test_what_changes_after_the_prefetch_is_neither_removed_nor_left(deployed_stack: Stack, removing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3, rds, logs = (deployed_stack.aws.client(service) for service in ("s3", "rds", "logs"))
    bucket, log_group = s3.list_buckets()["Buckets"][0]["Name"], f"/aws/rds/cluster/{NAME}/error"
    s3.put_object(Bucket=bucket, Key="1/model.pkl", Body=b"weights")
    assert removal(deployed_stack, "s3_bucket", name=bucket)["kept"]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "mlflow-stack", "Value": "another"}]})
    assert not removal(deployed_stack, "s3_bucket", name=bucket, force_empty=True)["changed"]
    assert s3.get_object(Bucket=bucket, Key="1/model.pkl")["Body"].read() == b"weights"

    logs.create_log_group(logGroupName=log_group, tags={"managed-by": "mlplatform.mlflow_aws"})  # as RDS may
    assert removal(deployed_stack, "ecs_cluster", name="x", log_group={"name": log_group})["changed"]

    (database,) = rds.describe_db_clusters()["DBClusters"]
    rds.modify_db_cluster(DBClusterIdentifier=NAME, DeletionProtection=True)
    with pytest.raises(ModuleFailed, match="protected from deletion"):
        removal(deployed_stack, "rds_cluster", cluster_identifier=NAME)
    rds.add_tags_to_resource(ResourceName=database["DBClusterArn"], Tags=[{"Key": "mlflow-stack", "Value": "another"}])
    for group in (parameter_group, subnet_group):
        monkeypatch.setattr(group, "retry_on", lambda call, *_codes, timeout=0, **arguments: call(**arguments))
    with pytest.raises(ModuleFailed, match="rds_subnet_group"):  # which the other one uses now
        removal(deployed_stack, "rds_cluster", cluster_identifier=NAME, disable_deletion_protection=True)
    assert len(rds.describe_db_clusters()["DBClusters"]) == len(rds.describe_db_instances()["DBInstances"]) == 1

    role = f"{NAME}-ecs-task"
    deployed_stack.aws.client("iam").delete_role_policy(RoleName=role, PolicyName=role)
    assert removal(deployed_stack, "iam_roles", roles=[{"name": role}])["changed"]
    assert not removing.exists(), "AWS has contradicted an answer"


def test_a_change_ends_the_answers_of_its_module_and_a_pause_those_of_all(deployed_stack: Stack, removing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = deployed_stack.aws.mark()
    assert removal(deployed_stack, "ecs_service", name=NAME, cluster=NAME)["changed"]
    assert removal(deployed_stack, "ecs_cluster", name=NAME)["changed"]
    called = [call["operation"] for call in deployed_stack.aws.calls(mark)]
    assert called == ["DeregisterScalableTarget", "DeleteService", "DescribeServices", "DeleteCluster"]

    deployed_stack.aws.creation_seconds(rds=3600)
    monkeypatch.setattr(Cluster, "timeout", 1)
    store = {"name": "x", "engine": "aurora-mysql", "host": "x", "port": "1", "database": "x", "unique_name": "x", "master_secret_arn": "x"}
    with pytest.raises(ModuleFailed, match="has not finished"):
        run_module("mlflow_backend_store", {**store, "wait_for": {"cluster_identifier": NAME}}, deployed_stack.aws)
    assert not removing.exists()

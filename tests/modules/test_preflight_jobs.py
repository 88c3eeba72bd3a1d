# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which task runs MLflow's jobs: as given, as deployed, or as it can."""

from __future__ import annotations

import typing as t

import pytest
from ansible.module_utils.common import warnings
from embedded_aws.client import EmbeddedAWS
from modules.run_module import ModuleFailed, run_module

NAME = "mlflow-team-x"
INPUTS = {"mlflow_unique_name": NAME, "mlflow_service_max_capacity": 2, "mlflow_service_memory": 4096, "mlflow_service_workers": 4}
ENABLED, PERIODIC = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS"
ONE, SMALL, LONG = {"mlflow_service_max_capacity": 1}, {"mlflow_service_memory": 2048}, {"mlflow_unique_name": "x" * 28}


class Told(t.NamedTuple):
    jobs: tuple[str, bool, bool] | None
    problems: list[str]
    warnings: str


def ask(aws: EmbeddedAWS, **more: t.Any) -> Told:
    mark = aws.mark()
    warnings._global_warnings.clear()  # of what ran in this process before
    try:
        result = run_module("preflight", {"inputs": {**INPUTS, **more}}, aws)
    except ModuleFailed as error:
        result = error.result
    assert aws.mutating(mark) == []
    jobs = tuple(result["jobs"][each] for each in ("mode", "service", "itself")) if "jobs" in result else None
    return Told(jobs, [each for each in result.get("problems", []) if "mlflow_jobs" in each], str(result.get("warnings", [])))


def deploy(aws: EmbeddedAWS, **environment: str) -> None:
    """A service of the stack whose servers have this environment."""
    ecs = aws.client("ecs")
    tags = [{"key": "managed-by", "value": "mlplatform.mlflow_aws"}, {"key": "mlflow-stack", "value": NAME}]
    containers = [{"name": "mlflow", "image": "i", "environment": [{"name": name, "value": value} for name, value in environment.items()]}]
    sizes = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
    definition = ecs.register_task_definition(family=NAME, containerDefinitions=containers, tags=tags, **sizes)["taskDefinition"]["taskDefinitionArn"]
    ecs.create_cluster(clusterName=NAME, tags=tags)
    vpc = aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = aws.client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    network = {"awsvpcConfiguration": {"subnets": [subnet]}}
    ecs.create_service(cluster=NAME, serviceName=NAME, taskDefinition=definition, desiredCount=0, launchType="FARGATE", networkConfiguration=network, tags=tags)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("on_demand", True, False)),
        (ONE, ("on_demand", False, True)),
        ({**ONE, "mlflow_service_scheduled_actions": [{"name": "noon", "max_capacity": 3}]}, ("on_demand", True, False)),
        ({"mlflow_jobs": "off"}, ("off", False, False)),
        ({"mlflow_jobs": "scheduled"}, ("scheduled", True, False)),
        ({"mlflow_service_environment": {ENABLED: "true"}}, ("", False, False)),  # as before
    ],
)
def test_a_new_stack(aws: EmbeddedAWS, given: dict[str, t.Any], expected: tuple[str, bool, bool]) -> None:
    told = ask(aws, **given)
    assert told.jobs == expected and told.problems == [] and "mlflow_jobs: off" not in told.warnings


def test_a_secret_may_say_what_the_servers_do(aws: EmbeddedAWS) -> None:
    secret = aws.client("secretsmanager").create_secret(Name="periodic", SecretString="false")["ARN"]
    assert ask(aws, mlflow_service_secrets={PERIODIC: secret}).jobs == ("", False, False)


@pytest.mark.parametrize(("given", "reason"), [(SMALL, "needs 2600 MiB"), ({**ONE, "mlflow_service_memory": 2048}, "needs 3000 MiB"), (LONG, "27 characters")])
def test_a_new_stack_that_cannot_goes_without_unless_it_is_asked_to(aws: EmbeddedAWS, given: dict[str, t.Any], reason: str) -> None:
    told = ask(aws, **given)
    assert told.jobs == ("off", False, False) and told.problems == [] and reason in told.warnings
    asked = ask(aws, mlflow_jobs="on_demand", **given)
    assert asked.jobs is None and len(asked.problems) == 1 and reason in asked.problems[0]
    assert ask(aws, mlflow_jobs="off", **given).jobs == ("off", False, False)


@pytest.mark.parametrize(
    ("environment", "mode"),
    [
        ({}, ""),
        ({ENABLED: "true"}, ""),
        ({ENABLED: "false"}, "off"),
        ({PERIODIC: "false"}, ""),
        ({ENABLED: "false", PERIODIC: "false"}, "on_demand"),
        ({ENABLED: "true", PERIODIC: "false"}, "on_demand"),
        ({ENABLED: "false", PERIODIC: "true"}, "scheduled"),
    ],
)
def test_a_deployed_stack_keeps_what_it_has_until_the_input_is_set(aws: EmbeddedAWS, environment: dict[str, str], mode: str) -> None:
    deploy(aws, **environment)
    runs = mode in ("on_demand", "scheduled")
    assert ask(aws).jobs == (mode, runs, False)
    assert ask(aws, mlflow_jobs="off").jobs == ("off", False, False)
    assert ask(aws, **SMALL).jobs == (None if runs else (mode, False, False))  # nothing goes without that had it
    pausing = ask(aws, mlflow_database_auto_pause=True)
    assert ["mlflow_database_auto_pause" in each for each in pausing.problems] == ([True] if mode == "scheduled" else [])

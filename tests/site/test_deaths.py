# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed, after any of its calls: the same command then makes what an undisturbed run would have made.

There is no state file, so what a death leaves behind is what AWS has then, whether its answer arrived or not. One run
gives that state after each of its calls, as a snapshot of the embedded AWS; the command is run again on each of them, in
an empty folder, as on another machine. `make test-faults` does so for every call. Other runs try some calls, from a first
one that chance chooses: the name of a failure says which, and MLFLOW_DEATHS=FIRST:EVERY tries the same again.
"""

from __future__ import annotations

import json
import os
import random
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from embedded_aws.client import EmbeddedAWS, Snapshot
from support.account import Account, Listing, listing
from support.plans import lines, read_plan
from support.stack import Inputs, Run, Stack, certificate, prerequisites

EVERY = 40
FIRST, _colon, STEP = os.environ.get("MLFLOW_DEATHS", f"{random.randint(1, EVERY)}:{EVERY}").partition(":")
AT_ONCE = 2 if "MLFLOW_DEATHS" in os.environ else 1  # of a sample, others run tests beside it
MOMENT = {kind: 0.3 for kind in ("rds", "elb", "vpclink", "ecs")}
"""Seconds that AWS takes to finish things, so that a death also leaves what is not finished."""
UPDATE: Inputs = {
    "mlflow_tags": {"team": "team-y", "cost-center": "42"},
    "mlflow_record_name": "tracking",
    "mlflow_load_balancer_ingress_cidr_blocks": ["192.0.2.128/25", "198.51.100.0/24"],
    "mlflow_load_balancer_idle_timeout": 60,
    "mlflow_load_balancer_deletion_protection": True,
    "mlflow_load_balancer_session_timeout": 3600,
    "mlflow_api_authorizer": "jwt",
    "mlflow_api_throttling_rate_limit": 50,
    "mlflow_database_max_capacity": 4,
    "mlflow_database_reader_count": 1,
    "mlflow_database_backup_retention_days": 7,
    "mlflow_artifact_bucket_noncurrent_days": 30,
    "mlflow_service_image_tag": "v3.18.1-full",
    "mlflow_service_max_capacity": 4,
    "mlflow_service_cpu_target": 50,
    "mlflow_service_scheduled_actions": [{"name": "night", "schedule": "cron(0 20 * * ? *)", "min_capacity": 1}],
    "mlflow_service_log_retention_in_days": 30,
    "mlflow_service_container_insights": "enabled",
}
"""A change of every layer, with a new host, another VPC link, and an authorizer that is no longer needed."""
OLD_SCHEMA, NEW_SCHEMA = "a1", "b2"
TO_JSON = ("-e", "mlflow_plan_path=plan.json")


class Team(t.NamedTuple):
    stack: Stack
    known: Listing


@pytest.fixture(scope="module")
def team(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Team:
    aws_server.reset()
    inputs = prerequisites(aws_server)
    for cert, zone in (("mlflow_certificate_arn", "mlflow"), ("mlflow_api_cert_arn", "mlflow_api")):
        inputs[cert] = certificate(aws_server, f"*.{inputs[f'{zone}_zone_name']}", inputs[f"{zone}_zone_id"])
    aws_server.client("cognito-idp").update_user_pool_client(
        UserPoolId=inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2],
        ClientId=inputs["mlflow_aws_cognito_user_pool_client_id"],
        CallbackURLs=[f"https://{name}.{inputs['mlflow_zone_name']}/oauth2/idpresponse" for name in ("mlflow", "tracking")],
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid"],
        AllowedOAuthFlowsUserPoolClient=True,
    )
    aws_server.creation_seconds(**MOMENT)
    aws_server.task_results(preparation(0, OLD_SCHEMA))
    return Team(Stack(aws_server, tmp_path_factory.mktemp("team"), inputs), listing(aws_server))


def preparation(exit_code: int, schema: str, **more: t.Any) -> dict[str, t.Any]:
    """How the task ends that prepares a database with this schema."""
    answer = json.dumps({"schema": schema, "head": NEW_SCHEMA if exit_code else schema, "reason": ""})
    return {"family": "*-prepare-database", "exit_code": exit_code, "log": [answer], **more}


def die_and_go_on(
    team: Team, folder: Path, run: t.Callable[[Stack], Run], again: t.Callable[[Stack], Run], left: t.Callable[[EmbeddedAWS], None] = lambda aws: None
) -> None:
    """Do one undisturbed run, and one for each death that it may meet, and expect that all end in the same.

    C(left) does with a snapshot what the embedded AWS cannot know of the death.
    """
    stack, known = team
    stack.aws.take_snapshots(int(STEP), int(FIRST))
    undisturbed = run(stack)
    assert undisturbed.status == 0, undisturbed.messages or undisturbed.text
    snapshots, expected = stack.aws.snapshots(), Account(stack.aws, known)
    done = [call for call in undisturbed.calls if call["mutating"] and call["status"] < 400]
    assert len(snapshots) == len(done[int(FIRST) - 1 :: int(STEP)])

    def went_wrong(snapshot: Snapshot) -> str:
        home = folder / str(snapshot.n)
        home.mkdir()
        with snapshot:
            left(snapshot)
            long_ago(snapshot, home / "died")
            rerun = again(Stack(snapshot, home, stack.inputs))
            if rerun.status != 0:
                problems = rerun.messages or [rerun.text]
            else:
                unfinished = lines(read_plan(home / "plan.json")["changes"]) if (home / "plan.json").exists() else []
                problems = [f"still to do: {line}" for line in unfinished] + Account(snapshot, known).differences(expected)
        told = "\n    ".join([f"{snapshot}:", *problems]) if problems else ""
        print(told, end="\n" * bool(told), flush=True)  # at once, where pytest is asked to show it
        return told

    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = list(filter(None, pool.map(went_wrong, snapshots)))
    assert not problems, f"MLFLOW_DEATHS={FIRST}:{STEP}\n" + "\n".join(problems)


def long_ago(aws: EmbeddedAWS, directory: Path) -> None:
    """Have a run that has the lease be killed long ago, so that nobody has to wait until AWS shows what it did last."""
    ssm = aws.client("ssm")
    for parameter in ssm.get_parameters_by_path(Path="/mlplatform/mlflow_aws", Recursive=True)["Parameters"]:
        lease = json.loads(parameter["Value"])
        if not lease["released"]:
            lease["holder"]["directory"] = str(directory)
            ssm.put_parameter(Name=parameter["Name"], Value=json.dumps(lease), Overwrite=True)
            directory.mkdir()
            noted = directory / f"mlflow-lease-{parameter['Name'].split('/')[3]}.json"
            noted.touch()
            os.utime(noted, (0, 0))


def site_and_plan(stack: Stack) -> Run:
    return stack.run("site plan", *TO_JSON)


def destroy(stack: Stack) -> Run:
    return stack.run("destroy", "-e", f"mlflow_confirm_destroy={stack.inputs['mlflow_unique_name']}")


def test_a_first_deployment(team: Team, tmp_path: Path) -> None:
    die_and_go_on(team, tmp_path, lambda stack: stack.run("site"), site_and_plan)


def test_an_update_of_every_layer(team: Team, tmp_path: Path) -> None:
    inputs = team.stack.inputs
    inputs |= {**UPDATE, "mlflow_service_subnet_ids": inputs["mlflow_service_subnet_ids"][:2]}
    die_and_go_on(team, tmp_path, lambda stack: stack.run("site"), site_and_plan)


@pytest.mark.parametrize("tls", [True, False])
def test_servers_that_change_over_to_tls_and_back(team: Team, tmp_path: Path, tls: bool) -> None:
    team.stack.apply(mlflow_service_tls=not tls)
    team.stack.inputs["mlflow_service_tls"] = tls
    die_and_go_on(team, tmp_path, lambda stack: stack.run("site"), site_and_plan)


def test_a_guarded_upgrade_of_the_schema(team: Team, tmp_path: Path) -> None:
    def schema(aws: EmbeddedAWS) -> None:
        """Tasks look into the database: it is upgraded once the task was started that does it."""
        upgraded = any("SCHEMA_UPGRADE" in json.dumps(call["params"]) for call in aws.calls() if call["operation"] == "RunTask")
        upgrade = preparation(0, NEW_SCHEMA, environment={"SCHEMA_UPGRADE": "true"})
        aws.task_results(*([preparation(0, NEW_SCHEMA)] if upgraded else [upgrade, preparation(3, OLD_SCHEMA)]))

    team.stack.inputs["mlflow_service_image_tag"] = "v3.19.0-full"
    schema(team.stack.aws)
    # An earlier upgrade has left the name of its own snapshot.
    name, earlier, aws = team.stack.inputs["mlflow_unique_name"], "before-an-earlier-upgrade", team.stack.aws
    aws.client("rds").create_db_cluster_snapshot(DBClusterIdentifier=name, DBClusterSnapshotIdentifier=earlier)
    noted = [{"Key": "mlflow-database-snapshot", "Value": earlier}, {"Key": "mlflow-database-snapshot-version", "Value": "v3.17.0-full"}]
    aws.client("secretsmanager").tag_resource(SecretId=f"{name}-backend-store-uri", Tags=noted)
    die_and_go_on(team, tmp_path, lambda stack: stack.run("site"), site_and_plan, schema)


def test_a_removal(team: Team, tmp_path: Path) -> None:
    die_and_go_on(team, tmp_path, destroy, destroy)

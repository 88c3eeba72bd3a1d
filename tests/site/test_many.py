# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""More than one stack: side by side in one account, and as the hosts of an inventory."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from embedded_aws.client import EmbeddedAWS
from support.account import Listing, changed, listing
from support.plans import read_plan
from support.stack import ANSIBLE_PLAYBOOK, Inputs, Run, Stack, prerequisites, run_ansible

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"


def test_a_stack_neither_touches_nor_misses_its_neighbour(aws: EmbeddedAWS, tmp_path: Path) -> None:
    """In one VPC, with one user pool and one set of zones."""
    x = Stack(aws, tmp_path, prerequisites(aws))
    y = Stack(aws, tmp_path, _sibling(aws, x.inputs))
    y.apply()
    alone = listing(aws)

    x.apply()
    together = changed(alone, listing(aws))
    assert (together["removed"], together["altered"]) == (set(), set())
    assert len(together["added"]) > 50

    x.destroy(mlflow_database_skip_final_snapshot=True)
    assert _without(listing(aws), "mlflow-team-x-server-keys") == alone
    again = y.run("site")
    assert (again.status, again.changed, again.mutating) == (0, 0, [])


def _sibling(aws: EmbeddedAWS, inputs: Inputs) -> Inputs:
    """The inputs of a second team that shares with the first whatever two stacks can share."""
    people, programs = f"other.{inputs['mlflow_zone_name']}", f"other.{inputs['mlflow_api_zone_name']}"
    acm, cognito = aws.client("acm"), aws.client("cognito-idp")
    pool = inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    client = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="other",
        GenerateSecret=True,
        CallbackURLs=[f"https://{people}/oauth2/idpresponse"],
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid"],
        AllowedOAuthFlowsUserPoolClient=True,
    )["UserPoolClient"]["ClientId"]
    certificates = []
    for host, zone_id in ((people, inputs["mlflow_zone_id"]), (programs, inputs["mlflow_api_zone_id"])):
        arn = acm.request_certificate(DomainName=host, ValidationMethod="DNS")["CertificateArn"]
        (option,) = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"]
        record = option["ResourceRecord"]
        made = {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
        batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": made}]}
        aws.client("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)
        certificates.append(arn)
    return {
        **inputs,
        "mlflow_unique_name": "mlflow-team-x2",  # begins as the other's does
        "mlflow_record_name": "other",
        "mlflow_certificate_arn": certificates[0],
        "mlflow_api_cert_arn": certificates[1],
        "mlflow_aws_cognito_user_pool_client_id": client,
        "mlflow_tags": {"team": "team-x2"},
    }


def _without(account: Listing, secret: str) -> Listing:
    return {key: state for key, state in account.items() if key != ("secret", secret)}


# An inventory


@pytest.fixture(scope="module")
def fleet(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an inventory of two teams: what they share in group_vars, what is their own in host_vars."""
    aws_server.reset()
    folder = tmp_path_factory.mktemp("fleet")
    teams = {name: prerequisites(aws_server, name, network=n) for n, name in enumerate(("team-x", "team-y"))}
    shared = {"mlflow_record_name": "mlflow", "mlflow_service_cpu": 1024, "mlflow_service_workers": 2}
    _write(folder / "hosts.yml", {"mlflow": {"hosts": dict.fromkeys(teams)}})
    _write(folder / "group_vars" / "mlflow.yml", shared)
    for name, inputs in teams.items():
        _write(folder / "host_vars" / f"{name}.yml", {k: v for k, v in inputs.items() if k not in shared})
    return folder


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def _play(aws: EmbeddedAWS, folder: Path, *arguments: str, playbook: str = "site") -> Run:
    return run_ansible(aws, folder, [ANSIBLE_PLAYBOOK, "-i", "hosts.yml", f"mlplatform.mlflow_aws.{playbook}", *arguments])


def _clusters(aws: EmbeddedAWS) -> set[str]:
    return {arn.rpartition("/")[2] for arn in aws.client("ecs").list_clusters()["clusterArns"]}


def test_two_hosts_with_one_name_are_refused_before_any_change(aws_server: EmbeddedAWS, fleet: Path) -> None:
    run = _play(aws_server, fleet, "-e", "mlflow_unique_name=mlflow-both")
    assert run.status != 0
    assert any("mlflow_unique_name: 'mlflow-both': the host team-" in message for message in run.messages)
    assert run.mutating == []


def test_each_host_writes_a_plan_of_its_own(aws_server: EmbeddedAWS, fleet: Path) -> None:
    one = _play(aws_server, fleet, "-e", "mlflow_plan_path=plan.json", playbook="plan")
    assert one.status != 0 and not (fleet / "plan.json").exists()
    assert any("mlflow_plan_path: 'plan.json': the host team-" in message for message in one.messages)
    each = _play(aws_server, fleet, "-e", "mlflow_plan_path='{{ mlflow_unique_name }}.plan.json'", playbook="plan")
    assert each.status == 0, each.messages
    stacks = {read_plan(fleet / f"mlflow-{team}.plan.json")["stack"] for team in ("team-x", "team-y")}
    assert stacks == {"mlflow-team-x", "mlflow-team-y"}


def test_a_limit_picks_a_team_and_the_whole_inventory_deploys_all(aws_server: EmbeddedAWS, fleet: Path) -> None:
    limited = _play(aws_server, fleet, "--limit", "team-y")
    assert limited.status == 0, limited.messages
    assert _clusters(aws_server) == {"mlflow-team-y"}
    before = listing(aws_server)

    both = _play(aws_server, fleet)
    assert both.status == 0, both.messages
    assert _clusters(aws_server) == {"mlflow-team-x", "mlflow-team-y"}
    difference = changed(before, listing(aws_server))
    assert (difference["removed"], difference["altered"]) == (set(), set())
    assert both.output["stats"]["team-y"]["changed"] == 0
    for name in ("team-x", "team-y"):
        outputs = json.loads((fleet / f"mlflow-{name}.outputs.json").read_text(encoding="utf-8"))
        assert outputs["tracking_uri"] == f"https://mlflow.{name}.example.com"
    leases = aws_server.client("ssm").get_parameters_by_path(Path="/mlplatform/mlflow_aws", Recursive=True)["Parameters"]
    assert {p["Name"].removeprefix("/mlplatform/mlflow_aws/") for p in leases} == {"mlflow-team-x/lease/1", "mlflow-team-y/lease/1"}
    task = aws_server.client("ecs").describe_task_definition(taskDefinition="mlflow-team-x")["taskDefinition"]
    assert task["cpu"] == "1024"  # of group_vars

    again = _play(aws_server, fleet)
    assert (again.status, again.changed, again.mutating) == (0, 0, [])


def test_slices_in_processes_of_their_own_do_the_same_as_one_run(aws_server: EmbeddedAWS, fleet: Path) -> None:
    """As AWX slices a job: every n-th host of the inventory, all slices at the same time."""
    change = ["-e", "mlflow_service_log_retention_in_days=30", "-e", "mlflow_plan_path={{ inventory_hostname }}.json"]
    hosts = sorted(yaml.safe_load((fleet / "hosts.yml").read_text(encoding="utf-8"))["mlflow"]["hosts"])

    def plans(*limits: str) -> tuple[dict[str, t.Any], Counter[str]]:
        """What is planned for each host, and the calls made for it, by runs at the same time."""
        mark = aws_server.mark()
        with ThreadPoolExecutor() as pool:
            runs = list(pool.map(lambda limit: _play(aws_server, fleet, "--check", "--limit", limit, *change), limits))
        assert [(run.status, run.messages) for run in runs] == [(0, [])] * len(limits)
        planned = {host: json.loads((fleet / f"{host}.json").read_text(encoding="utf-8")) for host in hosts}
        return planned, Counter(f"{call['service']}:{call['operation']} {call['params']}" for call in aws_server.calls(mark))

    whole, calls = plans("all")
    assert all({change["action"] for change in plan["changes"]} == {"update"} for plan in whole.values())
    for host in hosts:
        (fleet / f"{host}.json").unlink()
    assert plans(*(",".join(hosts[n::2]) for n in range(2))) == (whole, calls)


def test_a_run_adapts_to_throttling(aws_server: EmbeddedAWS, fleet: Path) -> None:
    """At AWS's documented rates, without what AWS lets through at once."""
    rates = {"route53": 5, "elbv2": 10, "apigatewayv2": 10, "rds": 12, "logs": 10}
    aws_server.faults(
        *({"service": service, "rate": rate, "error": {"code": "ThrottlingException", "message": "Rate exceeded"}} for service, rate in rates.items())
    )
    run = _play(aws_server, fleet)
    aws_server.faults()
    assert (run.status, run.changed) == (0, 0), run.messages
    assert sum(call["error"] == "ThrottlingException" for call in run.calls) > 5


def test_the_playbooks_of_a_checkout_do_the_same(stack: Stack) -> None:
    """Their folder is the working directory, the outputs are written where the input says."""
    team, outputs = stack.folder / "team.yml", stack.folder / "outputs.json"
    _write(team, {**stack.inputs, "mlflow_outputs_path": str(outputs)})
    run = run_ansible(stack.aws, PLAYBOOKS, [ANSIBLE_PLAYBOOK, "site.yml", "-e", f"@{team}"])
    assert run.status == 0, run.messages or run.text
    assert json.loads(outputs.read_text(encoding="utf-8"))["artifact_bucket_id"].startswith("mlflow-team-x-")
    check = run_ansible(stack.aws, PLAYBOOKS, [ANSIBLE_PLAYBOOK, "site.yml", "-e", f"@{team}", "--check", "--diff"])
    assert (check.status, check.changed, check.mutating) == (0, 0, [])

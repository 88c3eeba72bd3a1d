# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Broken team files through the playbook: each thing that is wrong is told, and AWS is not changed."""

from __future__ import annotations

import collections
import itertools
import json
import resource
import typing as t
from pathlib import Path

import pytest
import yaml
from embedded_aws.client import EmbeddedAWS
from support.bad_inputs import ACTION, CONTRADICTORY, CORPUS, SIDECAR, SPEC, Broken, broken_team
from support.stack import ANSIBLE_PLAYBOOK, Inputs, Run, Stack, as_data, public_subnets, run_ansible

NOT_ASKED = ("mlflow_aws_", "mlflow_run_in_worker")
"""With these wrong AWS cannot be asked: they are in teams of their own, so that for most others it is."""


def packed(cases: t.Sequence[Broken]) -> list[Broken]:
    """As few team files as can hold all cases with each input wrong in at most one way."""
    ways = collections.Counter(name for case in cases for name in case.changes)
    wanted: list[list[Broken]] = [[] for _team in range(max(ways.values()))]
    used: list[set[str]] = [set() for _team in wanted]
    for case in sorted(cases, key=lambda case: next(iter(case.changes))):
        free = [n for n, names in enumerate(used) if names.isdisjoint(case.changes)]
        team = min(free, key=lambda n: len(wanted[n]))
        wanted[team].append(case)
        used[team].update(case.changes)
    return [
        Broken(
            "; ".join(case.what for case in team),
            {k: v for case in team for k, v in case.changes.items()},
            tuple(itertools.chain.from_iterable(case.told for case in team)),
        )
        for team in wanted
    ]


def by_itself(case: Broken) -> bool:
    """Whether the one input is refused that is changed. Otherwise AWS is asked about it as well, and may add to it."""
    (name, *more) = case.changes
    return not more and (case not in CONTRADICTORY or (name in (ACTION, SIDECAR) and "valueFrom" not in str(case.changes)))


def site_on_all(aws: EmbeddedAWS, folder: Path, teams: dict[str, Inputs], *arguments: str) -> tuple[Run, dict[str, list[str]]]:
    """One run over an inventory of these teams, and for each the problems that it was told."""
    inventory = {"mlflow": {"hosts": {name: as_data(inputs) for name, inputs in teams.items()}}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory, allow_unicode=True, width=10**6), encoding="utf-8")
    run = run_ansible(aws, folder, [ANSIBLE_PLAYBOOK, "-i", "hosts.yml", "-f", "4", "mlplatform.mlflow_aws.site", *arguments])
    lines = {}
    for task in (task for play in run.output["plays"] for task in play["tasks"]):
        for host, result in task["hosts"].items():
            if result.get("failed"):
                lines[host] = result.get("problems", [])
    return run, lines


def assert_refused(aws: EmbeddedAWS, folder: Path, good: Inputs, cases: t.Sequence[Broken]) -> None:
    teams = {f"team-{n:03}": broken_team({**good, "mlflow_unique_name": f"mlflow-{n:03}"}, case) for n, case in enumerate(cases)}
    run, lines = site_on_all(aws, folder, teams)
    assert run.status == 2 and set(lines) == set(teams)
    for team, case in zip(teams, cases, strict=True):
        told = {line.partition(": ")[0] for line in lines[team]}
        assert set(case.told) <= told if case in CONTRADICTORY else set(case.told) == told, (case.what, told ^ set(case.told))
    assert run.mutating == []
    assert not list(folder.rglob("pwned*")) and "hunter2" not in run.text and "Traceback" not in run.text
    assert "\x1b[2J" not in run.text


def hostile(case: Broken) -> bool:
    return " with " in case.what


def test_everything_that_is_wrong_is_told_in_one_run_over_all_broken_teams(stack: Stack) -> None:
    """Each input in each way; of the hostile strings, which every input refuses, each input gets a third."""
    cases = [case for n, case in enumerate(CORPUS) if not hostile(case) or n % 3 == 0]
    alone = [case for case in cases if by_itself(case)]
    asking = [case for case in alone if not any(name.startswith(NOT_ASKED) for name in case.changes)]
    not_asking = [case for case in alone if case not in asking]
    together = [case for case in cases if case not in alone]
    teams = [*packed(asking), *packed(not_asking), *together]
    assert sum(len(team.changes) for team in teams) > 1500 and len(teams) < 240
    assert_refused(stack.aws, stack.folder, stack.inputs, teams)


@pytest.mark.faults
def test_each_broken_team_file_by_itself(stack: Stack) -> None:
    cases = [case for case in CORPUS if not hostile(case)]
    for start in range(0, len(cases), 200):
        assert_refused(stack.aws, stack.folder, stack.inputs, cases[start : start + 200])


def test_a_bad_team_file_is_told_within_three_seconds(stack: Stack) -> None:
    """After Ansible has started. Seconds of the processor: other work on the machine is none of ours."""

    def seconds(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = stack.run("site", *arguments, mlflow_service_cpu=3)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "mlflow_service_cpu" in str(run.messages) or arguments
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert seconds() - seconds("--syntax-check") < 3


# Templates in a team file

TEMPLATES = {
    "mlflow_unique_name": "{{ mlflow_unique_name }}",
    "mlflow_record_name": "{{ nobody_knows }}",
    "mlflow_zone_name": "{{ 'a' ",
    "mlflow_api_zone_name": "{% if %}",
    "mlflow_vpc_id": "{{ 'a' | no_such_filter }}",
    "mlflow_key_arn": "{{ 1 / 0 }}",
    "mlflow_certificate_arn": "{{ omit }}",
    "mlflow_api_cert_arn": "{{ lookup('no.such.lookup') }}",
    "mlflow_tags": {"a": {"b": ["{{ nobody_knows }}"]}},
    "mlflow_service_environment": {"A": "{{ none }}"},
    "mlflow_service_cpu": "{{ 10 ** 5000 }}",
    "mlflow_service_memory": "{{ '4096 ' }}",
    "mlflow_zone_id": "{{ none }}",
    "mlflow_api_zone_id": "{{ [1] }}",
    "mlflow_load_balancer_subnet_ids": "{{ 'subnet-00000001,subnet-00000002' }}",
    "mlflow_plan_path": "{{ nobody_knows }}",
}


def test_a_template_that_does_not_render_is_told_by_the_name_of_its_input(stack: Stack) -> None:
    run = stack.run("site", **TEMPLATES)
    told = {line.split(": ")[0] for line in run.messages[0].splitlines()[1:]}
    assert told == set(TEMPLATES), run.messages[0]
    assert run.mutating == []


def test_a_template_that_ansible_needs_before_is_shown_with_its_line(stack: Stack) -> None:
    (stack.folder / "team.yml").write_text("mlflow_aws_region: '{{ nobody_knows }}'\n", encoding="utf-8")
    as_people_see_it = {"ANSIBLE_STDOUT_CALLBACK": "default"}
    run = run_ansible(stack.aws, stack.folder, [ANSIBLE_PLAYBOOK, "mlplatform.mlflow_aws.site", "-e", "@team.yml"], as_people_see_it)
    assert run.status != 0 and run.mutating == []
    assert "'nobody_knows' is undefined" in run.text
    assert "1 mlflow_aws_region: '{{ nobody_knows }}'" in run.text and "team.yml:1" in run.text


# Files that are no team file

FILES = {
    "a bracket that is not closed": ("mlflow_unique_name: x\nmlflow_tags: {a: b\nmlflow_key_arn: c\n", ("broken.yml:3:",)),
    "a tab": ("mlflow_tags:\n\ta: b\n", ("broken.yml:2:",)),
    "two colons": ("mlflow_unique_name: a: b\n", ("broken.yml:1:",)),
    "a list": ("- mlflow_unique_name: x\n", ("broken.yml", "could not be made into a dictionary")),
    "nothing": ("", ("broken.yml", "could not be made into a dictionary")),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_is_none_is_told_with_its_line(aws_server: EmbeddedAWS, tmp_path: Path, what: str) -> None:
    text, told = FILES[what]
    (tmp_path / "broken.yml").write_text(text, encoding="utf-8")
    run = run_ansible(aws_server, tmp_path, [ANSIBLE_PLAYBOOK, "mlplatform.mlflow_aws.site", "-e", "@broken.yml"])
    assert run.status != 0 and run.calls == []
    assert all(part in run.text for part in told), run.text


# Folders


def test_no_folder_is_removed_in_place_of_a_file(stack: Stack) -> None:
    """Ansible's file module removes a folder with all that is in it."""
    kept = stack.folder / "precious" / "file"
    kept.parent.mkdir()
    kept.touch()
    for name, playbook in (("mlflow_plan_path", "plan"), ("mlflow_outputs_path", "destroy"), ("mlflow_bootstrap_team_file", "bootstrap")):
        run = stack.run(playbook, **{name: str(kept.parent)}, mlflow_bootstrap_state="absent", mlflow_confirm_destroy=stack.inputs["mlflow_unique_name"])
        assert f"\n{name}: " in run.messages[0] and ": this is a folder: " in run.messages[0]
        assert kept.exists() and run.mutating == []


def test_what_is_no_regular_file_is_not_removed_as_a_plan(stack: Stack) -> None:
    device = stack.folder / "device"
    device.symlink_to("/dev/null")
    assert stack.run("plan", mlflow_plan_path=str(device), mlflow_vpc_id="no VPC").status != 0
    assert device.is_symlink()


# Text in place of numbers, true and false


def test_values_on_the_command_line_are_taken_for_what_they_say(stack: Stack) -> None:
    """C(-e name=value) gives text. The plan is the same as that of a team file with YAML's numbers, true and false."""
    values = {
        "mlflow_load_balancer_is_internal": False,
        "mlflow_load_balancer_deletion_protection": False,
        "mlflow_load_balancer_token_access": False,
        "mlflow_api_iam_trust_sidecars": False,
        "mlflow_load_balancer_idle_timeout": 100,
        "mlflow_load_balancer_deregistration_delay": 0,
        "mlflow_database_auto_pause": False,
        "mlflow_database_min_capacity": 0.5,
        "mlflow_database_max_capacity": 4,
        "mlflow_database_deletion_protection": False,
        "mlflow_database_auto_minor_version_upgrade": True,
        "mlflow_database_audit_log": True,
        "mlflow_database_port": 3400,
        "mlflow_service_enable_execute_command": False,
        "mlflow_service_tls": False,
        "mlflow_dashboard": False,
        "mlflow_account_dashboard": False,
        "mlflow_service_cpu": 1024,
        "mlflow_service_memory": 2048,
        "mlflow_service_tmpfs_size": 256,
        "mlflow_service_cpu_target": 0,
        "mlflow_service_workers": 2,
        "mlflow_service_health_check_grace_period_seconds": 60,
        "mlflow_api_throttling_rate_limit": 7.5,
        "mlflow_artifact_bucket_noncurrent_days": 7,
        "mlflow_plan_detailed_exitcode": False,
        "mlflow_allow_self_sign_up": False,
        "mlflow_manage_dns": False,
        "mlflow_host_names": False,
        "mlflow_database_read_from_readers": False,
        "mlflow_service_image_mirror": False,
        "mlflow_artifact_multipart": False,
    }
    assert {name for name, option in SPEC.items() if option.get("type") == "bool"} - set(values) == {
        "mlflow_run_in_worker",
        "mlflow_database_skip_final_snapshot",
        "mlflow_artifact_bucket_force_destroy",
        "mlflow_bootstrap_access_logs_bucket",
        "mlflow_bootstrap_flow_logs",
        "mlflow_restore_again",
        "mlflow_import_own_database",
        "mlflow_import_source_stopped",
    }  # of other playbooks
    structures = {
        "mlflow_tags": {"team": "x", "cost": "7"},
        "mlflow_ignore_tags": ["corp:"],
        "mlflow_service_environment": {"MLFLOW_LOG_LEVEL": "DEBUG"},
        "mlflow_service_scheduled_actions": [{"name": "night", "schedule": "cron(0 20 * * ? *)", "min_capacity": 0, "max_capacity": 3}],
        "mlflow_service_sidecar_container_definitions": [{"name": "proxy", "image": "envoy:1", "essential": False}],
        "mlflow_api_groups": ["ml-team"],
        "mlflow_artifact_buckets_mlflow_will_read": ["others"],
        "mlflow_load_balancer_subnet_ids": public_subnets(stack.aws, stack.inputs["mlflow_vpc_id"]),
        **{name: stack.inputs[name] for name in ("mlflow_service_subnet_ids", "mlflow_load_balancer_ingress_cidr_blocks")},
    }
    typed = stack.run("plan", **values, **structures)
    given = {name: str(value).lower() for name, value in values.items()} | {name: json.dumps(value) for name, value in structures.items()}
    text = stack.run("plan", *(argument for name, value in given.items() for argument in ("-e", f"{name}='{value}'")))
    assert typed.status == text.status == 0, text.messages
    assert typed.changes == text.changes
    schemes = {c["name"]: f["after"] for c in text.changes for f in c["fields"] if f["name"] == "scheme"}
    assert schemes == {"mlflow-team-x": "internet-facing", "mlflow-team-x-api": "internal"}


def test_false_on_the_command_line_keeps_the_snapshot(stack: Stack) -> None:
    run = stack.run("destroy", "--check", "-e", "mlflow_database_skip_final_snapshot=false", "-e", "mlflow_artifact_bucket_force_destroy=no")
    assert run.status == 0, run.messages

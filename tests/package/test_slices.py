# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slices of an inventory, as AWX and Automation Platform run them: each a job of ansible-runner, with answers of a survey."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import ansible_runner
import pytest
import yaml
from embedded_aws.client import EmbeddedAWS
from support.account import listing
from support.plans import read_plan
from support.stack import Inputs, prerequisites

TEAMS = ("team-x", "team-y")
ANSWERS = {"mlflow_service_cpu": 1024, "mlflow_service_memory": 2048, "mlflow_tags": '{"cost-centre": "4711"}'}
"""A survey gives lists and dictionaries as text."""


@pytest.mark.package
def test_slices_side_by_side_find_what_one_run_finds(aws: EmbeddedAWS, tmp_path: Path) -> None:
    inputs = {name: prerequisites(aws, name, network=n) for n, name in enumerate(TEAMS)}
    deployed = finish([start(aws, tmp_path / name, "site", inputs, limit=name) for name in TEAMS])
    assert [job.status for job in deployed] == ["successful"] * 2, [job.stdout.read() for job in deployed]
    outputs = {name: (tmp_path / f"{name}.json").read_text(encoding="utf-8") for name in TEAMS}
    before = listing(aws)

    again = finish([start(aws, tmp_path / f"again {name}", "site", inputs, limit=name) for name in TEAMS])
    (one_run,) = finish([start(aws, tmp_path / "all", "site", inputs)])
    assert [job.stats["changed"] for job in (*again, one_run)] == [{}] * 3
    assert sorted(one_run.stats["ok"]) == sorted(TEAMS)
    assert one_run.stats["ok"] == {**again[0].stats["ok"], **again[1].stats["ok"]}
    assert {name: (tmp_path / f"{name}.json").read_text(encoding="utf-8") for name in TEAMS} == outputs
    assert listing(aws) == before

    finish([start(aws, tmp_path / f"planned {name}", "plan", inputs, limit=name, mlflow_service_cpu=2048, mlflow_service_memory=4096) for name in TEAMS])
    finish([start(aws, tmp_path / "all planned", "plan", inputs, mlflow_service_cpu=2048, mlflow_service_memory=4096)])
    for name in TEAMS:
        planned = read_plan(tmp_path / f"planned {name}" / f"{name}.plan.json")
        assert planned["changes"] != []
        assert planned == read_plan(tmp_path / "all planned" / f"{name}.plan.json")
    assert listing(aws) == before


def start(
    aws: EmbeddedAWS, folder: Path, playbook: str, teams: dict[str, Inputs], limit: str | None = None, **answers: t.Any
) -> tuple[t.Any, ansible_runner.Runner]:
    """A job: the inventory, of which ``limit`` is the slice, and a playbook of the project that imports one of the collection."""
    project = folder / "project"
    project.mkdir(parents=True)
    (project / f"{playbook}.yml").write_text(yaml.safe_dump([{"name": playbook, "import_playbook": f"mlplatform.mlflow_aws.{playbook}"}]))
    own = "{{ inventory_hostname }}"
    paths = {"mlflow_outputs_path": f"{folder.parent}/{own}.json", "mlflow_plan_path": f"{folder}/{own}.plan.json"}
    hosts = {name: {key: value for key, value in inputs.items() if key not in ANSWERS} for name, inputs in teams.items()}
    inventory = folder / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"mlflow": {"hosts": hosts, "vars": paths}}))
    return ansible_runner.run_async(
        private_data_dir=str(folder),
        playbook=f"{playbook}.yml",
        inventory=str(inventory),
        limit=limit,
        extravars={**ANSWERS, **answers},
        envvars={**aws.env, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        quiet=True,
    )


def finish(jobs: list[tuple[t.Any, ansible_runner.Runner]]) -> list[ansible_runner.Runner]:
    """Wait for all."""
    for thread, _job in jobs:
        thread.join()
    return [job for _thread, job in jobs]

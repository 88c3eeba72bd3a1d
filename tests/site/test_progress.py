# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person is told of a wait while it lasts, on the terminal and in Ansible's log."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
from embedded_aws.client import EmbeddedAWS
from support.stack import ANSIBLE_PLAYBOOK

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - mlplatform.mlflow_aws.mlflow_backend_store:
        name: x
        master_secret_arn: master
        engine: aurora-mysql
        host: x
        port: "3306"
        database: mlflow
        unique_name: x
        wait_for: {cluster_identifier: x}
"""


@pytest.mark.versions
def test_a_wait_is_told_while_it_lasts(aws: EmbeddedAWS, tmp_path: Path) -> None:
    aws.creation_seconds(rds=3600)
    aws.client("rds").create_db_cluster(DBClusterIdentifier="x", Engine="aurora-mysql", MasterUsername="a", MasterUserPassword="long-enough-1")
    aws.client("secretsmanager").create_secret(Name="master", SecretString="long-enough-1")
    (tmp_path / "wait.yml").write_text(PLAYBOOK)
    env = {**os.environ, **aws.env, "ANSIBLE_LOG_PATH": str(tmp_path / "log"), "ANSIBLE_LOCALHOST_WARNING": "false"}
    command = [ANSIBLE_PLAYBOOK, "wait.yml"]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    timer = threading.Timer(240, process.kill)
    timer.start()
    assert process.stderr is not None
    line = next((line for line in process.stderr if "waiting for" in line), "")
    aws.creation_seconds(rds=0)  # only now it can end
    told = re.fullmatch(r"localhost: waiting for rds_cluster x: creating \((\d+) s\)\n", line)
    assert told and int(told[1]) < 20, line
    process.communicate()
    timer.cancel()
    assert process.returncode == 0
    assert line.strip() in (tmp_path / "log").read_text()

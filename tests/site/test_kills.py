# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are really killed, again and again: C(test_deaths.py) has more deaths, these also show what is left on disk.

Each is killed, with all its workers, while AWS has done what it was asked for and has not answered yet; what else was under
way may be done or not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from support.account import Account, listing
from support.stack import PASSWORD, Stack

CONFIRMED = ("-e", "mlflow_confirm_destroy=mlflow-team-x")


def kill(stack: Stack, operation: str, playbook: str, *arguments: str) -> None:
    """Run a playbook until AWS was asked for an operation, and kill it before the answer."""
    folder = stack.folder
    stack.aws.faults({"operation": operation, "times": 1, "hold": True})
    (folder / ".tmp").mkdir(exist_ok=True)
    # What a run keeps for itself, in its home and in folders for temporary files, is looked at below; and what it says.
    run = stack.start(
        playbook,
        *arguments,
        environment={
            "HOME": str(folder),
            "TMPDIR": str(folder / ".tmp"),
            "ANSIBLE_LOG_PATH": str(folder / ".log"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        },
    )
    run.until(lambda calls: any(call["operation"] == operation and call["status"] for call in calls))
    for pid in family(run.process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run.process.wait()
    stack.aws.faults()


def family(pid: int) -> list[int]:
    """A process and all that came of it. Ansible's workers have sessions of their own, and would go on without it."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in table.splitlines()]
    found = [pid]
    for member in found:
        found += [child for child, parent in parents if parent == member]
    return found


def secrets_on_disk(stack: Stack) -> list[str]:
    """Files below the folder that hold the team's password or what is in a secret of the stack."""
    manager = stack.aws.client("secretsmanager")
    values = {PASSWORD.encode()}
    for secret in manager.list_secrets()["SecretList"]:
        values.add(manager.get_secret_value(SecretId=secret["Name"])["SecretString"].encode())
    files = [path for path in stack.folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(value in path.read_bytes() for value in values)]


def test_a_stack_whose_runs_are_killed_again_and_again(stack: Stack) -> None:
    aws, known = stack.aws, listing(stack.aws)
    aws.creation_seconds(rds=0.3, elb=0.3, vpclink=0.3, ecs=0.3)
    copy = aws.copy()
    stack.apply()
    deployed = Account(aws, known)
    stack.destroy()
    removed = Account(aws, known)

    # Its path is short: Ansible makes a socket below it, whose path may have a hundred characters.
    with copy, tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        killed = Stack(copy, folder, stack.inputs)
        for operation in ("CreateDBCluster", "CreateSecret", "RunTask", "CreateApi"):
            kill(killed, operation, "site")
        assert secrets_on_disk(killed) == []
        killed.apply()
        assert Account(copy, known).differences(deployed) == []
        for operation in ("DeleteApi", "DeleteDBCluster"):
            kill(killed, operation, "destroy", *CONFIRMED)
        assert secrets_on_disk(killed) == []
        killed.destroy()
        assert Account(copy, known).differences(removed) == []
        assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == ["team.yml"]

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may take the lease of a stack, and when a run of this host has died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run import lease as lease_module
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.lease import Holder, Lease, LeaseError, Verdict, decide, is_dead, started, this_host

BEGAN, NOW = 1000.0, 1060.0
ME = Holder("ann@laptop", "Deploy MLflow", "boot pid:[1]", 10, 111, "/tmp/ansible-local-10abc")
BEFORE_ME = ME._replace(pid=9, started=99, directory="/tmp/ansible-local-9xyz")
ELSEWHERE = Holder("ci@runner", "Remove MLflow", "other pid:[1]", 10, 111, "/tmp/ansible-local-10abc")
NOWHERE = ELSEWHERE._replace(host="", started=None)  # a host that cannot be told from others


def lease(holder: Holder, modified: float, *, released: bool = False) -> Lease:
    return Lease(7, "0a1b2c3d", holder, "2026-01-02 03:04:05 UTC", 900, released, modified)


@pytest.mark.parametrize(
    ("last", "verdict"),
    [
        (None, Verdict.FREE),
        (lease(ELSEWHERE, 900, released=True), Verdict.FREE),
        (lease(ELSEWHERE, 1001, released=True), Verdict.CHANGED),
        (lease(ME, 1001, released=True), Verdict.FREE),  # an earlier play of this very run
        (lease(ME, 1001), Verdict.MINE),
        (lease(ME, 100), Verdict.MINE),
        (lease(ELSEWHERE, 900), Verdict.HELD),
        (lease(ELSEWHERE, 1050), Verdict.HELD),
        (lease(ELSEWHERE, 160), Verdict.EXPIRED),
        (lease(ELSEWHERE, 161), Verdict.HELD),
        (lease(BEFORE_ME, 900), Verdict.DIED),
        (lease(BEFORE_ME, 160), Verdict.EXPIRED),
        (lease(BEFORE_ME, 1001), Verdict.CHANGED),  # it died after this run began to read
        (lease(NOWHERE, 900), Verdict.HELD),
    ],
)
def test_decide(last: Lease | None, verdict: Verdict) -> None:
    assert decide(last, ME, began=BEGAN, now=NOW, broken="", is_dead=lambda holder: True) is verdict


def test_a_run_that_lives_or_cannot_be_told_from_others_keeps_its_lease() -> None:
    last = lease(BEFORE_ME, 900)
    assert decide(last, ME, began=BEGAN, now=NOW, broken="", is_dead=lambda holder: False) is Verdict.HELD
    nowhere = ME._replace(host="", started=None)
    last = lease(NOWHERE, 900)
    assert decide(last, nowhere, began=BEGAN, now=NOW, broken="", is_dead=lambda holder: True) is Verdict.HELD


@pytest.mark.parametrize(("broken", "verdict"), [("0a1b2c3d", Verdict.BROKEN), ("00000000", Verdict.HELD), (None, Verdict.HELD)])
def test_a_lease_is_broken_by_its_own_id_only(broken: str | None, verdict: Verdict) -> None:
    assert decide(lease(ELSEWHERE, 1050), ME, began=BEGAN, now=NOW, broken=broken, is_dead=lambda holder: False) is verdict


def test_a_parameter_holds_a_whole_lease() -> None:
    made = lease(ELSEWHERE, 5.0)
    assert Lease.read("/mlplatform/mlflow_aws/x/lease/7", made.value(), 5.0) == made


@pytest.mark.parametrize("value", ["", "[]", "{}", '{"id": "1", "holder": {}}', '{"id": "1", "holder": null}', "{{ 1 }}"])
def test_what_is_no_lease_is_not_taken_for_one(value: str) -> None:
    with pytest.raises(LeaseError, match="/x/lease/7 holds no lease"):
        Lease.read("/x/lease/7", value, 0)


# Processes of this host


@pytest.fixture
def sleeper(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A process that works on a directory, as a module of a run does."""
    code = f"import fcntl, os, time; fcntl.flock(os.open({str(tmp_path)!r}, 0), fcntl.LOCK_SH); print(1, flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def holder(pid: int, since: int | None, directory: Path) -> Holder:
    return Holder("x", "x", this_host(), pid, since, str(directory))


def test_a_process_is_told_by_its_start(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    since = started(sleeper.pid)
    assert this_host() and since is not None and started(os.getpid()) < since
    elsewhere = tmp_path / "removed"  # what a run leaves that ended in good order
    assert not is_dead(holder(sleeper.pid, since, elsewhere))
    assert is_dead(holder(sleeper.pid, since - 1, elsewhere))  # the number is another process's by now
    os.kill(sleeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert started(sleeper.pid) is None  # a zombie
    assert is_dead(holder(sleeper.pid, since, elsewhere))


def test_a_run_has_not_died_as_long_as_a_module_of_it_is_at_work(sleeper: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = holder(sleeper.pid, 1, tmp_path)
    monkeypatch.setattr(lease_module, "LAST_CALLS", 0.5)
    assert not is_dead(dead)
    monkeypatch.setattr(lease_module, "LAST_CALLS", 60)
    killed = time.monotonic()
    subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -9 {sleeper.pid}"])
    assert is_dead(dead) and time.monotonic() - killed > 0.4
    (tmp_path / "file").touch()
    assert not is_dead(dead._replace(directory=str(tmp_path / "file")))  # whatever this is, it is no directory of a run

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A newcomer's way through C(make try): sign in, paste the first program, see its run, sign out, and Ctrl-C, after which nothing is left."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 900


class Attempt:
    """The script under way. All that it puts anywhere is below C(folder)."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder, self._log = folder, log
        environment = {**os.environ, "TMPDIR": str(folder)}
        with log.open("wb") as output:
            self.process = subprocess.Popen([sys.executable, ROOT / "scripts" / "try.py"], env=environment, stdout=output, stderr=output)

    @property
    def text(self) -> str:
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + SECONDS
        while not self.text.endswith("EOF\n\n"):
            assert self.process.poll() is None and time.monotonic() < deadline, self.text[-6000:]
            time.sleep(0.5)

    def processes(self) -> list[str]:
        """The commands of all processes that were started in the folder, or have it in their command or their environment."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                told = os.readlink(process / "cwd").encode() + (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:  # it has just ended
                continue
            if str(self.folder).encode() in told:
                found.append((process / "cmdline").read_text())
        return found


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Attempt]:
    folder = Path(tempfile.mkdtemp(prefix="try-"))  # not pytest's directory: the database's user could not enter it
    folder.chmod(0o755)
    attempt = Attempt(folder, tmp_path / "log")
    try:
        yield attempt
    finally:
        attempt.process.send_signal(signal.SIGINT)
        attempt.process.wait(SECONDS)
        shutil.rmtree(folder)


def test_a_newcomer_signs_in_logs_a_run_and_leaves_nothing(attempt: Attempt) -> None:
    attempt.wait_until_ready()
    ui = re.search(r"People +(http://127\.0\.0\.1:\d+)\n", attempt.text)
    assert ui
    cookies = CookieJar()
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(cookies))

    def shown(path: str) -> str:
        return browser.open(f"{ui[1]}{path}").read().decode()

    assert "<h1>Sign in</h1>" in shown("/")
    assert "<title>MLflow</title>" in shown("/oauth2/idpresponse?user=ada&groups=ml-admins")

    program = attempt.text[attempt.text.rindex("\nexport MLFLOW_TRACKING_URI=") :]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run(["bash", "-e"], input=program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    experiment = json.loads(shown("/ajax-api/2.0/mlflow/experiments/get-by-name?experiment_name=first"))["experiment"]["experiment_id"]
    body, headers = json.dumps({"experiment_ids": [experiment]}).encode(), {"content-type": "application/json", "origin": ui[1]}
    (run,) = json.load(browser.open(urllib.request.Request(f"{ui[1]}/ajax-api/2.0/mlflow/runs/search", body, headers)))["runs"]
    assert [(each["key"], each["value"]) for each in run["data"]["metrics"]] == [("loss", 0.5)]
    assert (run["info"]["user_id"], run["info"]["status"]) == ("ci", "FINISHED")

    assert len(cookies) == 1
    assert "<h1>Sign in</h1>" in shown("/sign-out")
    assert len(cookies) == 0 and "<h1>Sign in</h1>" in shown("/")

    assert attempt.processes()
    attempt.process.send_signal(signal.SIGINT)
    assert attempt.process.wait(SECONDS) == 0, attempt.text[-6000:]
    assert attempt.processes() == list(attempt.folder.iterdir()) == []

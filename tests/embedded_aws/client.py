# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and question the embedded AWS from tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

REGION = "eu-west-1"
ACCOUNT = "123456789012"
START_TIMEOUT = 60
SESSION = boto3.session.Session()
"""For the clients of all servers: it reads the model of a service once. It makes one client at a time."""
SESSION_LOCK = threading.Lock()
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Past any proxy. Made once: it loads the certificates of this machine, which takes 30 ms."""


class EmbeddedAWS:
    """A server process for the length of a ``with`` block (or until ``stop``).

    :param arguments: further command-line arguments, such as ``"--creation-seconds", "rds=2"``.
    """

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._clients: dict[tuple[str, str], Any] = {}
        self.endpoint = ""

    def __enter__(self) -> EmbeddedAWS:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> EmbeddedAWS:
        """Start the server and wait until it answers; raises RuntimeError if it does not."""
        self._folder = tempfile.TemporaryDirectory(prefix="embedded_aws.")
        ready = Path(self._folder.name, "ready.json")
        command = [sys.executable, str(Path(__file__).parent), "--ready-file", str(ready), "--exit-with-parent"]
        with self._log_file.open("wb") as output:
            self._process = subprocess.Popen([*command, *self._arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_TIMEOUT
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = self.log
                self.stop()
                raise RuntimeError(f"the embedded AWS did not start:\n{log}")
            time.sleep(0.02)
        self.endpoint = json.loads(ready.read_text())["endpoint"]
        return self

    def stop(self) -> None:
        """End the server; does nothing if it has ended."""
        if self._process and self._folder:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._folder.cleanup()
            self._process = self._folder = None

    @property
    def log(self) -> str:
        """What the server has printed: a traceback for each call that it could not handle."""
        return self._log_file.read_text()

    @property
    def _log_file(self) -> Path:
        assert self._folder, "not started"
        return Path(self._folder.name, "log")

    @property
    def env(self) -> dict[str, str]:
        """Environment variables that lead boto3, and so Ansible's modules and lookups, to this server only."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client of a service on this server. One attempt per call: a retry would hide an emulator's error."""
        with SESSION_LOCK:
            if (service, region) not in self._clients:
                self._clients[service, region] = SESSION.client(
                    service,
                    region_name=region,
                    endpoint_url=self.endpoint,
                    aws_access_key_id="testing",
                    aws_secret_access_key="testing",
                    config=Config(retries={"total_max_attempts": 1}, proxies={}),
                )
        return self._clients[service, region]

    def client_of(self, account: str, service: str) -> Any:
        """A client in another account."""
        role = self.client("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/other", RoleSessionName="other")["Credentials"]
        keys = {"aws_access_key_id": role["AccessKeyId"], "aws_secret_access_key": role["SecretAccessKey"], "aws_session_token": role["SessionToken"]}
        return boto3.client(service, region_name=REGION, endpoint_url=self.endpoint, **keys)

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """The API calls after the mark ``since``, oldest first, as ``calls.Call`` describes them."""
        return self._control("GET", f"calls?since={since}")

    def mutating(self, since: int = 0) -> list[dict[str, Any]]:
        """The calls after the mark ``since`` that could have changed something."""
        return [call for call in self.calls(since) if call["mutating"]]

    def connections(self) -> dict[str, int]:
        """How many connections were opened until now, by the service that is signed for."""
        return self._control("GET", "connections")

    def mark(self) -> int:
        """The number of calls so far, to give to ``calls`` and ``mutating``."""
        return self._control("GET", "mark")

    def objections(self) -> list[str]:
        """What the service models do not allow of any call since the start, where the oldest botocore was given."""
        return self._control("GET", "objections")

    def reset(self) -> None:
        """Empty the account, the call log, faults, results of tasks, latency and creation times."""
        self._control("POST", "reset")

    def faults(self, *rules: dict[str, Any]) -> None:
        """Replace the fault rules; see the README for their form."""
        self._control("POST", "faults", rules)

    def task_results(self, *rules: dict[str, Any]) -> None:
        """Replace the rules of how tasks end; see the README for their form."""
        self._control("POST", "task-results", rules)

    def latency(self, milliseconds: float) -> None:
        """Delay every API call."""
        self._control("POST", "latency", {"ms": milliseconds})

    def consistency(self, seconds: float = 0, times: int = 0) -> None:
        """For so long, and for the first times, what was just made is not known to those who refer to it."""
        self._control("POST", "consistency", {"seconds": seconds, "times": times})

    def not_known(self) -> list[tuple[str, str, str, str]]:
        """What was refused because something was not known yet, each once: what had made that, service, operation, error code."""
        return [tuple(refused) for refused in self._control("GET", "consistency")]

    def stale(self, seconds: float) -> None:
        """Reads are behind by so long, where AWS allows them to be. 0 lets one look at what is, until they are behind again."""
        self._control("POST", "stale", {"seconds": seconds})

    def creation_seconds(self, **seconds: float) -> None:
        """How long resources take, by kind: new ones to become available (rds, elb, vpclink), an interface endpoint to go (vpce), a hosted
        zone to be asked by the internet (delegation), a certificate to fail that is not validated (validation).
        """
        self._control("POST", "creation-seconds", seconds)

    def demand_boundary(self, arn: str | None) -> None:
        """Have a service control policy deny all roles without this permissions boundary; None: no such policy."""
        self._control("POST", "demanded-boundary", {"arn": arn})

    def session_seconds(self, seconds: float | None) -> None:
        """How long the sessions last that STS gives from now on, whatever they were asked for; None: as long as that."""
        self._control("POST", "session-seconds", {"seconds": seconds})

    def holdings(self) -> dict[str, int]:
        """How many things of each kind the account holds, as moto keeps them."""
        return self._control("GET", "holdings")

    def take_snapshots(self, every: int = 1, first: int = 1) -> None:
        """From now on keep the account as it is after every C(every)-th mutating call, from the C(first) on, in a copy.

        Those taken before are dropped.
        """
        self._control("POST", "snapshots", {"every": every, "first": first})

    def copy(self) -> Snapshot:
        """A copy of the account as it is, which outlives a reset."""
        return Snapshot(**self._control("POST", "copies"))

    def snapshots(self) -> list[Snapshot]:
        """The copies that were taken. No more are taken from now on."""
        self._control("DELETE", "snapshots")
        return [Snapshot(**taken) for taken in self._control("GET", "snapshots")]

    def _control(self, method: str, action: str, content: Any = None) -> Any:
        request = urllib.request.Request(f"{self.endpoint}/_embedded/{action}", method=method, data=None if content is None else json.dumps(content).encode())
        with DIRECT.open(request, timeout=30) as response:
            return json.load(response)


class Snapshot(EmbeddedAWS):
    """The account as it was after the call C(n). It ends, at the latest, with the server that it is a copy of."""

    def __init__(self, n: int, service: str, operation: str, endpoint: str, pid: int) -> None:
        super().__init__()
        self.n, self.service, self.operation, self.endpoint, self._pid = n, service, operation, endpoint, pid

    def __str__(self) -> str:
        return f"call {self.n}, {self.service}:{self.operation}"

    def start(self) -> Snapshot:
        """It has started."""
        return self

    def stop(self) -> None:
        """End it. Its pid stays its own until its parent, the server, drops its snapshots."""
        os.kill(self._pid, signal.SIGKILL)
        self._clients.clear()

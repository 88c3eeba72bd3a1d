# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs on a user's machine that use a stack through the doors, set up as the summary of C(site) says."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import typing as t
from pathlib import Path
from urllib.parse import quote

from runtime.containers import MLFLOW_VENV
from runtime.deployment import Deployment
from runtime.doors.proxy import Proxy

PROGRAMS = Path(__file__).parent / "clients"
EXPERIMENT = "wind-power"


class Client:
    """A user's machine, with what proves to the API who the user is."""

    def __init__(self, deployment: Deployment, proxy: Proxy, authorization: str) -> None:
        self._deployment, self._proxy, self._authorization = deployment, proxy, authorization
        self.folder = deployment.stack.folder / "client"
        self.folder.mkdir(exist_ok=True)

    @property
    def summary(self) -> dict[str, str]:
        """The variables that the summary of the last C(site) tells programs to set, those with a value of one's own aside."""
        return dict(re.findall(r"(MLFLOW_\w+)=([^<\s]\S*)", self._deployment.site.text))

    @property
    def proof(self) -> dict[str, str]:
        """The caller's own variables."""
        scheme, _space, value = self._authorization.partition(" ")
        if scheme == "Bearer":
            return {"MLFLOW_TRACKING_TOKEN": value}
        user, _colon, password = base64.b64decode(value).decode().partition(":")
        return {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}

    @property
    def network(self) -> dict[str, str]:
        """What on this machine takes the place of DNS and of a public certificate authority."""
        return {
            "PYTHONPATH": str(PROGRAMS / "names"),
            "NAMES": f"{self._deployment.programs}:443={self._proxy.port}",
            "REQUESTS_CA_BUNDLE": str(self._proxy.ca_file),
        }

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{MLFLOW_VENV / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "GIT_PYTHON_REFRESH": "quiet",
            **self.network,
            **self.summary,
            **self.proof,
        }

    @property
    def otlp(self) -> dict[str, str]:
        """What an exporter of OpenTelemetry is told, less the headers that say whose spans they are."""
        return {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"https://{self._deployment.programs}/v1/traces",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(self._proxy.ca_file),
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"authorization={quote(self._authorization)}",
        }

    def run(self, program: str, *arguments: str, without: t.Collection[str] = (), **environment: str) -> str:
        """Run one of our programs to its end, and return what it printed to standard output."""
        done = self.try_to_run(program, *arguments, without=without, **environment)
        assert done.returncode == 0, done.stderr[-6000:]
        return done.stdout

    def try_to_run(self, program: str, *arguments: str, without: t.Collection[str] = (), **environment: str) -> subprocess.CompletedProcess[str]:
        given = self._given(without, environment)
        return subprocess.run(
            ["python", str(PROGRAMS / program), *arguments], env=given, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False
        )

    def start(self, program: str, *, without: t.Collection[str] = (), **environment: str) -> subprocess.Popen[str]:
        """Start one of our programs that is told line by line what to do, and answers."""
        pipe, given = subprocess.PIPE, self._given(without, environment)
        return subprocess.Popen(["python", str(PROGRAMS / program)], env=given, cwd=self.folder, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)

    def _given(self, without: t.Collection[str], environment: dict[str, str]) -> dict[str, str]:
        return {k: v for k, v in {**self.environment, **environment}.items() if k not in without}

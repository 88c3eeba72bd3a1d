# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of registered task definitions, as ECS starts them, with processes of this machine in place of the image."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

from embedded_aws.client import REGION, EmbeddedAWS

MLFLOW_VENV = Path(__file__).resolve().parents[2] / ".cache" / "mlflow-3.18.0"  # scripts/mlflow_venv makes it
START_SECONDS = 300


class Container(t.NamedTuple):
    """What ECS starts: the command and its environment, secrets and the task role's credentials included."""

    definition: dict[str, t.Any]
    environment: dict[str, str]

    @property
    def command(self) -> list[str]:
        return self.definition["command"]


def container(aws: EmbeddedAWS, task_definition: str, name: str) -> Container:
    """The container of that name of a family or revision, with what ECS and the Fargate agent add to its environment."""
    task = aws.client("ecs").describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
    definition = next(each for each in task["containerDefinitions"] if each["name"] == name)
    role = aws.client("sts").assume_role(RoleArn=task["taskRoleArn"], RoleSessionName="task")["Credentials"]
    variables = {each["name"]: each["value"] for each in definition.get("environment", [])}
    secrets = {each["name"]: secret(aws, each["valueFrom"]) for each in definition.get("secrets", [])}
    assert not variables.keys() & secrets.keys(), "ECS refuses a name that is both"
    given = {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": role["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": role["SecretAccessKey"],
        "AWS_SESSION_TOKEN": role["SessionToken"],
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    return Container(definition, {**given, **variables, **secrets})


def secret(aws: EmbeddedAWS, value_from: str) -> str:
    """What C(valueFrom) stands for: the ARN of a secret, then, as far as given, a JSON key, a stage and a version."""
    parts = value_from.split(":")
    key, stage, version = (parts[7:] + ["", "", ""])[:3]
    which = {"VersionStage": stage, "VersionId": version}
    value = aws.client("secretsmanager").get_secret_value(SecretId=":".join(parts[:7]), **{name: given for name, given in which.items() if given})[
        "SecretString"
    ]
    return json.loads(value)[key] if key else value


class Process:
    """A container that runs, as a process of this machine.

    :arg directory: takes the place of the container's volume C(/tmp).
    :arg addresses: what is reached at another C(host:port) on this machine than in the VPC.
    """

    def __init__(self, container: Container, directory: Path, addresses: dict[str, str], **environment: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.container = container
        self.log_file = directory / "log"
        mapped = {**container.environment, **environment}
        for name, value in mapped.items():
            for there, here in addresses.items():
                value = value.replace(f"@{there}/", f"@{here}/")
            mapped[name] = value
        self.environment = {**mapped, "HOME": str(directory), "TMPDIR": str(directory), "PATH": f"{MLFLOW_VENV / 'bin'}:{os.environ['PATH']}"}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                container.command, env=self.environment, cwd=directory, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def wait(self) -> int:
        """The exit status of a task that ends by itself."""
        return self.process.wait(300)

    def stop(self) -> int:
        """Stop it as ECS does, and return the exit status; ECS would kill it after C(stopTimeout)."""
        self.process.terminate()
        return self.process.wait(self.container.definition["stopTimeout"])

    def kill(self) -> None:
        """Leave nothing of it behind, nor of what it has started, which may outlive it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Server(Process):
    """An MLflow server, on a port of its own in place of an address of its own."""

    def __init__(self, container: Container, directory: Path, addresses: dict[str, str], port: int) -> None:
        super().__init__(container, directory, addresses, MLFLOW_PORT=str(port))
        self.port = port

    def connect(self, timeout: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, timeout: float = 60, **headers: str) -> tuple[int, bytes]:
        """The status and the body of the answer to a request straight to the server, with these headers."""
        connection = self.connect(timeout)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self, path: str, method: str = "GET", body: bytes | None = None, timeout: float = 60, **headers: str) -> int:
        """The status alone."""
        return self.ask(path, method, body, timeout, **headers)[0]

    def is_healthy(self) -> bool:
        """Whether it passes the load balancer's health check, by address."""
        try:
            return self.status(f"{self.container.environment.get('MLFLOW_STATIC_PREFIX', '')}/health", timeout=5, Host="10.255.0.1:5000") == 200
        except OSError:
            return False

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.is_healthy():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log
            time.sleep(0.2)

    def passes_its_own_health_check(self) -> bool:
        """Whether the container's health check succeeds, which ECS runs in the container."""
        kind, *command = self.container.definition["healthCheck"]["command"]
        assert kind == "CMD"
        port = self.container.definition["portMappings"][0]["containerPort"]
        command = [word.replace(f" {port},", f" {self.port},") for word in command]
        return subprocess.run(command, env=self.environment, check=False).returncode == 0

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the containers and the task definitions of MLflow's service, as the ECS API spells them. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs import identity
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.choices import Choices, Parts, State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.environment import (
    backend_store,
    entries,
    jobs_environment,
    server_environment,
    server_secrets,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.programs import python_command

ReadFile = t.Callable[[str], str]
"""The text of a file of the role, by its path in C(roles/ecs/files)."""

_PREPARATION = "prepare_database.py"
_MOVING_IN = ("addresses.py", "copy_database.py", "import_database.py", "old_database.py", "rows.py")
_UNPRIVILEGED = {"user": "10001:10001", "workingDirectory": "/tmp"}
_HEALTH = """\
import http.client as h; c = h.HTTPConnection('127.0.0.1', {port}, timeout=4); \
c.request('GET', '{prefix}/health'); raise SystemExit(c.getresponse().status != 200)"""
_HEALTH_OVER_TLS = """\
import http.client as h, ssl; c = h.HTTPSConnection('127.0.0.1', {port}, timeout=4, \
context=ssl._create_unverified_context()); c.request('GET', '{prefix}/health'); raise SystemExit(c.getresponse().status != 200)"""


class Tasks:
    """The task definitions of a stack, as the module C(ecs_cluster) takes them."""

    def __init__(self, choices: Choices, parts: Parts, read: ReadFile) -> None:
        self.choices, self.parts, self.read = choices, parts, read
        self.has_tmpfs = choices["mlflow_service_tmpfs_size"] > 0

    def preparation(self) -> State:
        """The one that initialises the database. It has an execution role of its own, so that the servers' cannot read the master password."""
        names = self.choices.names
        return self._definition(names["preparation_task"], self._prepared_containers({}), names["preparation_role"])

    def moving_in(self) -> State:
        """The one that copies another MLflow's database: C(files/moving_in/)."""
        choices, names = self.choices, self.choices.names
        files = {name: self.read(f"moving_in/{name}") for name in _MOVING_IN}
        variables = {
            "IMPORT_SQLITE": choices["mlflow_import_sqlite_s3_uri"],
            "IMPORT_ARTIFACT_ROOT": choices["mlflow_import_artifact_root"],
            "IMPORT_LEAVE_OUT": ",".join(choices["mlflow_import_leave_out"]),
        }
        preparation, source = self._preparation_container(), {"name": "IMPORT_SOURCE", "valueFrom": choices["mlflow_import_database_secret_arn"]}
        container = {
            "name": "import-database",
            "command": python_command({**files, _PREPARATION: self.read(_PREPARATION)}, main="import_database.py"),
            "environment": preparation["environment"] + entries(variables),
            "secrets": preparation["secrets"] + ([source] if choices["mlflow_import_database_secret_arn"] else []),
        }
        return self._definition(names["import_task"], self._prepared_containers(container), names["preparation_role"])

    def servers(self) -> list[State]:
        """That of the servers, and that of the service that runs jobs, where there is one: the same but for its variables."""
        choices, names = self.choices, self.choices.names
        families = {choices["mlflow_unique_name"]: server_environment(choices, self.parts)}
        if choices.account["jobs"]["service"]:
            families[names["jobs_service"]] = jobs_environment(choices, self.parts)
        server, before = self._server_container(), self._permissions(self._writable_mounts())
        return [
            self._definition(
                family,
                [*before, {**server, "environment": entries(variables)}, *choices["mlflow_service_sidecar_container_definitions"]],
                names["execution_role"],
                choices["mlflow_service_volumes"],
            )
            for family, variables in families.items()
        ]

    def _definition(self, family: str, containers: list[State], execution_role: str, volumes: t.Sequence[State] = ()) -> State:
        choices, roles = self.choices, self.parts.roles
        return {
            "family": family,
            "container_definitions": containers,
            "volumes": [*([] if self.has_tmpfs else [{"name": "tmp"}]), *volumes],
            "execution_role_arn": roles[execution_role]["arn"],
            "cpu": choices["mlflow_service_cpu"],
            "memory": choices["mlflow_service_memory"],
            "task_role_arn": roles[choices.names["task_role"]]["arn"],
            "runtime_platform": {"cpuArchitecture": choices["mlflow_service_cpu_architecture"], "operatingSystemFamily": "LINUX"},
        }

    def _log(self) -> State:
        """The MLflow container logs as the team file says, the others to the log group, in which the run reads what they say."""
        options = {
            "awslogs-group": self.choices.names["service_log_group"],
            "awslogs-region": self.choices.account["region"],
            "awslogs-stream-prefix": "mlflow",
        }
        return {"logDriver": "awslogs", "options": options}

    def _log_of_mlflow(self) -> State:
        ours, given = self._log(), self.choices["mlflow_service_log_configuration"]
        if (given.get("logDriver", "awslogs")) != "awslogs":
            return given
        return {**ours, **given, "options": {**ours["options"], **given.get("options", {})}}

    def _hardened(self) -> State:
        """What all our containers share; ECS Exec cannot work on a read-only root."""
        credentials = (
            {} if self.choices["mlflow_service_image_mirror"] else {"credentialsParameter": self.choices["mlflow_service_image_credentials_secret_arn"]}
        )
        linux: State = {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}}
        if self.has_tmpfs:  # needs no container with root. Programs run from it as from the volume: MLflow's jobs have their environments there
            options = ["mode=1777", "exec", "nosuid", "nodev"]
            linux["tmpfs"] = [{"containerPath": "/tmp", "size": self.choices["mlflow_service_tmpfs_size"], "mountOptions": options}]
        return {
            "image": self.parts.image,
            "readonlyRootFilesystem": not self.choices["mlflow_service_enable_execute_command"],
            "linuxParameters": linux,
            "mountPoints": [] if self.has_tmpfs else [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
            "logConfiguration": self._log(),
            **({"repositoryCredentials": credentials} if any(credentials.values()) else {}),
        }

    def _permissions(self, mounts: t.Sequence[State] = ()) -> list[State]:
        """Fargate gives a volume to root; MLflow does not run as root."""
        if self.has_tmpfs:
            return []
        hardened = self._hardened()
        return [
            {
                "name": "tmp-permissions",
                "essential": False,
                "command": ["chmod", "1777", "/tmp", *(mount["containerPath"] for mount in mounts)],
                "user": "0",
                **hardened,
                "mountPoints": [*hardened["mountPoints"], *mounts],
            }
        ]

    def _waiting(self) -> State:
        return {} if self.has_tmpfs else {"dependsOn": [{"containerName": "tmp-permissions", "condition": "SUCCESS"}]}

    def _writable_mounts(self) -> list[State]:
        """In storage of the task, which Fargate gives to root; a file system of EFS has its own permissions."""
        file_systems = {volume["name"] for volume in self.choices.file_systems}
        ours = [mount for mount in self.choices["mlflow_service_mount_points"] if mount.get("sourceVolume") not in file_systems]
        return [mount for mount in ours if "readOnly" not in mount] + [mount for mount in ours if not mount.get("readOnly", True)]

    def _preparation_container(self) -> State:
        has_users = self.choices.has_users
        variables = {"HOME": "/tmp", "DATABASE_MASTER_USERNAME": self.parts.database_master_username, "MLFLOW_DISABLE_TELEMETRY": "true"}
        if has_users:  # with the tables of MLflow's users
            command = python_command({name: self.read(name) for name in (_PREPARATION, "prepare_users.py")}, main=_PREPARATION)
        else:
            command = ["python", "-c", self.read(_PREPARATION)]
        return {
            "name": "prepare-database",
            "essential": True,
            "command": command,
            "environment": entries({**variables, **({"MLFLOW_USERS": "true"} if has_users else {})}),
            "secrets": [
                {"name": "MLFLOW_BACKEND_STORE_URI", "valueFrom": backend_store(self.parts, "uri")},
                {"name": "DATABASE_MASTER_PASSWORD", "valueFrom": self.parts.backend_store["master_password_value_from"]},
            ],
        }

    def _prepared_containers(self, more: State) -> list[State]:
        return [*self._permissions(), {**self._preparation_container(), **more, **self._hardened(), **_UNPRIVILEGED, **self._waiting()}]

    def _server_container(self) -> State:
        choices, hardened = self.choices, self._hardened()
        port = choices.names["ports"]["service"]
        health = (_HEALTH_OVER_TLS if choices["mlflow_service_tls"] else _HEALTH).format(port=port, prefix=choices.names["path_prefix"])
        return {
            "name": "mlflow",
            "essential": True,
            "command": [*self._tls_command(port), *self._server_command()],
            "portMappings": [{"containerPort": port, "protocol": "tcp"}],
            "environment": [],
            "secrets": server_secrets(choices, self.parts),
            "healthCheck": {
                "command": ["CMD", "python", "-c", health],
                "interval": 30,
                "timeout": 5,
                "retries": 3,
                "startPeriod": min(choices["mlflow_service_health_check_grace_period_seconds"], 300),
            },
            "stopTimeout": 60,
            **hardened,
            **_UNPRIVILEGED,
            "mountPoints": [*hardened["mountPoints"], *choices["mlflow_service_mount_points"]],
            "environmentFiles": [{"value": arn, "type": "s3"} for arn in choices["mlflow_service_environment_files"]],
            "logConfiguration": self._log_of_mlflow(),
            **self._waiting(),
        }

    def _tls_command(self, port: int) -> list[str]:
        """As many processes for TLS as there are CPUs."""
        if not self.choices["mlflow_service_tls"]:
            return []
        return ["python", "-c", self.read("serve_tls.py"), str(port), str(max(self.choices["mlflow_service_cpu"] // 1024, 1))]

    def _server_command(self) -> list[str]:
        if not self.choices.checks_who_calls:
            return ["mlflow", "server"]
        return python_command({name: self.read(f"identity/{name}") for name in identity.MODULES}, main=identity.MAIN)

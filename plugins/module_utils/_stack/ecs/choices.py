# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what the roles and the tasks of MLflow's service are made from. Pure, as all of this package."""

from __future__ import annotations

import typing as t

State = dict[str, t.Any]


class Choices(t.NamedTuple):
    """Inputs of the team file, without ``mlflow_`` in their names, and what preflight and the role ``mlflow`` make of them."""

    account: State
    """What preflight returns."""
    unique_name: str
    key_arn: str
    service_cpu: int
    service_memory: int
    service_cpu_architecture: str
    service_tmpfs_size: int
    service_enable_execute_command: bool
    service_health_check_grace_period_seconds: int
    service_tls: bool
    service_image_credentials_secret_arn: str
    service_image_mirror: bool
    service_image_mirror_secret_arn: str
    service_workers: int
    service_capacities: list[int]
    """All numbers of servers that are a maximum at some time."""
    service_environment: State
    service_secrets: dict[str, str]
    service_environment_files: list[str]
    service_sidecar_container_definitions: list[State]
    service_volumes: list[State]
    service_mount_points: list[State]
    service_log_configuration: State
    service_task_policy_arns: list[str]
    service_task_policy_statements: list[State]
    gunicorn_opts: str
    uvicorn_opts: str
    load_balancer_idle_timeout: int
    load_balancer_sign_in: str
    load_balancer_oidc_client_id: str
    load_balancer_oidc_issuer: str
    provider_sign_out_uri: str
    """Where the identity provider ends its session with a person."""
    aws_cognito_user_pool_arn: str
    aws_cognito_user_pool_client_id: str
    api_authorizer: str
    api_client_ids: list[str]
    api_groups: list[str]
    api_scopes: list[str]
    admin_groups: list[str]
    editor_groups: list[str]
    reader_groups: list[str]
    default_right: str
    database_auto_pause: bool
    database_password_secret_arn: str
    reads_from_readers: bool
    import_database_secret_arn: str
    import_sqlite_s3_uri: str
    import_artifact_root: str
    import_leave_out: list[str]
    artifact_access: str
    artifact_bucket_path: str
    artifact_bucket_encryption_key_arn: str
    artifact_buckets_mlflow_will_read: list[str]
    signs_urls: bool
    ui_origins: list[str]
    gateway_bedrock_models: list[str]
    iam_role_path: str
    permissions_boundary_arn: str

    @classmethod
    def of(cls, given: State) -> Choices:
        return cls(**_plain(given))

    @property
    def names(self) -> State:
        """The names of the stack in AWS."""
        return self.account["names"]

    @property
    def artifact_prefix(self) -> str:
        return self.artifact_bucket_path.strip("/")

    @property
    def file_systems(self) -> list[State]:
        """The volumes that are file systems of Amazon EFS."""
        return [volume for volume in self.service_volumes if "efsVolumeConfiguration" in volume]

    @property
    def checks_who_calls(self) -> bool:
        """Whether the servers do."""
        return self.account["identity"]["mode"] != "off"

    @property
    def has_users(self) -> bool:
        """Whether MLflow's own auth app is behind that check."""
        return self.account["identity"]["mode"] == "mlflow"

    @property
    def is_signed(self) -> bool:
        """Whether the authorizer signs for the servers who calls."""
        return self.checks_who_calls and self.api_authorizer == "lambda"

    def arn(self, service: str, resource: str) -> str:
        """Of something in the region of the stack."""
        return f"arn:{self.account['partition']}:{service}:{self.account['region']}:{self.account['account_id']}:{resource}"


class Parts(t.NamedTuple):
    """The other parts of the stack, as the roles return them."""

    image: str
    bucket_id: str
    database_master_username: str
    backend_store: State
    """What the module C(mlflow_backend_store) returns."""
    roles: dict[str, State]
    """By their names."""
    load_balancer_arn: str
    identity_key: State
    """The secret with which the authorizer signs; empty where it signs nothing."""

    @classmethod
    def of(cls, given: State) -> Parts:
        return cls(**_plain(given))


def unique(values: t.Iterable[str]) -> list[str]:
    """Each value once, whatever its case: the first."""
    found: dict[str, str] = {}
    for value in values:
        found.setdefault(value.lower(), value)
    return list(found.values())


def _plain(value: t.Any) -> t.Any:
    """With lists and dicts that are no more than that, in place of Ansible's, which render what is in them when it is asked for."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what the roles and the tasks of MLflow's service are made from. Pure, as all of this package."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs

State = dict[str, t.Any]


class Choices:
    """What a team has chosen, by the names of the inputs, and what preflight has found out."""

    def __init__(self, inputs: Inputs, account: State) -> None:
        self.inputs: Inputs = plain(inputs)
        """In their types, as the lookup C(inputs) gives them."""
        self.account: State = plain(account)
        """What preflight returns."""

    def __getitem__(self, name: str) -> t.Any:
        return self.inputs[name]

    @property
    def names(self) -> State:
        """The names of the stack in AWS."""
        return self.account["names"]

    @property
    def artifact_prefix(self) -> str:
        return self["mlflow_artifact_bucket_path"].strip("/")

    @property
    def file_systems(self) -> list[State]:
        """The volumes that are file systems of Amazon EFS."""
        return [volume for volume in self["mlflow_service_volumes"] if "efsVolumeConfiguration" in volume]

    @property
    def reads_from_readers(self) -> bool:
        return self["mlflow_database_read_from_readers"] and self["mlflow_database_reader_count"] > 0

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
        return self.checks_who_calls and self["mlflow_api_authorizer"] == "lambda"

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
    ui_origins: list[str]
    """Of the pages of the UI."""
    sign_out_uri: str
    """Where the identity provider ends its session with a person."""

    @classmethod
    def of(cls, given: State) -> Parts:
        return cls(**plain(given))


def unique(values: t.Iterable[str]) -> list[str]:
    """Each value once, whatever its case: the first."""
    found: dict[str, str] = {}
    for value in values:
        found.setdefault(value.lower(), value)
    return list(found.values())


def plain(value: t.Any) -> t.Any:
    """With lists and dicts that are no more than that, in place of Ansible's, which render what is in them when it is asked for."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the role that a run takes on for all its calls (``mlflow_aws_assume_role_arn``), and with that, or else with its own credentials,
the one for those to Route 53 (``mlflow_dns_assume_role_arn``), in sessions that botocore renews.

Each module of a run is a process of its own. They share the session through a directory of the run that its user alone can
read and that Ansible removes at the end.
"""

from __future__ import annotations

import json
import os
import tempfile
import typing as t
from functools import partial
from pathlib import Path
from types import SimpleNamespace

try:
    from botocore.credentials import AssumeRoleCredentialFetcher, Credentials, DeferredRefreshableCredentials
    from botocore.exceptions import NoCredentialsError
    from botocore.utils import JSONFileCache
except ImportError:  # AnsibleAWSModule reports the missing library
    JSONFileCache = object

ROLE = "MLPLATFORM_MLFLOW_AWS_ROLE"
"""The variable of the environment by which an action plugin names the directory of the run's role, where it has one."""
DNS_ROLE = "MLPLATFORM_MLFLOW_AWS_DNS_ROLE"
"""As ROLE, for the role of the account that has the hosted zones."""
SPARE = 300
"""Seconds before the end of a session from which nobody begins with it: AWS gives one of 900 at least."""
KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


class Role(t.NamedTuple):
    """A role and how it is taken on."""

    arn: str
    session_name: str
    duration: int
    external_id: str

    def note(self, directory: Path) -> None:
        """Note it in a directory, for the modules of a run to come."""
        directory.mkdir(mode=0o700, exist_ok=True)
        _write(directory / "role", json.dumps(self))

    @classmethod
    def noted(cls, directory: str | None) -> tuple[Role, str] | None:
        """The role that this run has noted in a directory, where it has one, and that directory."""
        return (cls(*json.loads(Path(directory, "role").read_text(encoding="utf-8"))), directory) if directory else None

    def credentials(self, source: t.Any, given: dict[str, str | None], directory: str, **how: t.Any) -> t.Any:
        """What the role lets one do, renewed by botocore in time.

        It is taken on with the credentials ``given``, or else with those of the session ``source``, by a client made with ``how``.
        """
        own = Credentials(*(given.get(key) for key in KEYS)) if given.get(KEYS[0]) else source.get_credentials()
        if own is None:
            raise NoCredentialsError
        external_id = {"ExternalId": self.external_id} if self.external_id else {}
        fetcher = AssumeRoleCredentialFetcher(
            partial(source.create_client, **how),
            own,
            self.arn,
            cache=_Sessions(directory),
            expiry_window_seconds=SPARE,
            extra_args={"RoleSessionName": self.session_name, "DurationSeconds": self.duration, **external_id},
        )
        return DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)

    def assume(self, session: t.Any, credentials: t.Any) -> None:
        """Have a session of botocore make clients with these credentials."""
        session.register_component("credential_provider", SimpleNamespace(load_credentials=lambda: credentials))


class _Sessions(JSONFileCache):
    """botocore's cache of sessions, in which other processes never see half of one. It has been like that since 1.41 or so."""

    def __setitem__(self, cache_key: str, value: t.Any) -> None:
        _write(Path(self._convert_cache_key(cache_key)), self._dumps(value))


def _write(file: Path, text: str) -> None:
    """Write a whole file that its user alone can read."""
    handle, whole = tempfile.mkstemp(dir=file.parent)  # of mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
    os.replace(whole, file)

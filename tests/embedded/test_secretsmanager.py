# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets Manager of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

from embedded.helpers import refused
from embedded_aws.client import EmbeddedAWS


def test_secrets(aws: EmbeddedAWS) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="s", SecretString="one")
    refused("ResourceExistsException", secrets.create_secret, Name="s", SecretString="one")
    for value in ("two", "three"):
        secrets.put_secret_value(SecretId="s", SecretString=value)
    assert secrets.get_secret_value(SecretId="s", VersionStage="AWSPREVIOUS")["SecretString"] == "two"
    staged = secrets.list_secret_version_ids(SecretId="s")["Versions"]
    assert sorted(version["VersionStages"] for version in staged) == [["AWSCURRENT"], ["AWSPREVIOUS"]]
    secrets.delete_secret(SecretId="s", RecoveryWindowInDays=7)
    refused("InvalidRequestException", secrets.create_secret, Name="s", SecretString="four")
    refused("InvalidRequestException", secrets.get_secret_value, SecretId="s")
    secrets.restore_secret(SecretId="s")
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "three"

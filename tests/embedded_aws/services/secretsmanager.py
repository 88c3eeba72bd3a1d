# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets Manager: secrets scheduled for deletion, versions without stages."""

from __future__ import annotations

import json
from typing import Any

from moto.secretsmanager import models, responses
from moto.secretsmanager.exceptions import InvalidRequestException, SecretNotFoundException

from embedded_aws.gaps import gap


@gap(models.SecretsManagerBackend, "create_secret")
def create_secret(original: Any, self: Any, name: str, *args: Any, **kwargs: Any) -> str:
    """CreateSecret refuses the name of a secret that is scheduled for deletion: InvalidRequestException."""
    if name in self.secrets and self.secrets[name].is_deleted():
        raise InvalidRequestException("You can't create this secret because a secret with this name is already scheduled for deletion.")
    return original(self, name, *args, **kwargs)


@gap(responses.SecretsManagerResponse, "list_secret_version_ids")
def list_secret_version_ids(original: Any, self: Any) -> str:
    """ListSecretVersionIds leaves out versions without a stage unless asked, and does not find a missing secret."""
    secret_id = self._get_param("SecretId")
    if secret_id not in self.backend.secrets:
        raise SecretNotFoundException()
    answer = json.loads(original(self))
    answer.pop("NextToken", None)
    answer["ARN"] = self.backend.secrets[secret_id].arn
    if not self._get_bool_param("IncludeDeprecated", False):
        answer["Versions"] = [version for version in answer["Versions"] if version["VersionStages"]]
    return json.dumps(answer)

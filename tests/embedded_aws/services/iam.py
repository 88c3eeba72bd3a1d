# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM: AWS's managed policies, read once; partial updates of roles."""

from __future__ import annotations

import copy
import functools
from typing import Any

from moto.core.responses import EmptyResult
from moto.iam import models, responses

from embedded_aws.gaps import gap


@gap(models.IAMBackend, "_init_aws_policies")
def aws_managed_policies(original: Any, self: Any) -> list[Any]:
    """AWS's managed policies exist in every account. Reading all 1500 takes long, so a reset copies them."""
    return [copy.copy(policy) for policy in _policies(original, self.account_id, self.region_name)]


@functools.cache
def _policies(read: Any, account_id: str, region_name: str) -> list[Any]:
    backend = models.IAMBackend.__new__(models.IAMBackend)
    backend.account_id, backend.region_name = account_id, region_name
    return read(backend)


@gap(responses.IamResponse, "update_role")
def update_role(_original: Any, self: Any) -> EmptyResult:
    """UpdateRole changes what is given and leaves the rest as it is."""
    role = self.backend.get_role(self._get_param("RoleName"))
    if (description := self._get_param("Description")) is not None:
        role.description = description
    if (duration := self._get_param("MaxSessionDuration")) is not None:
        role.max_session_duration = duration
    return EmptyResult()

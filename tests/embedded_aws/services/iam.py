# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM: partial updates of roles."""

from __future__ import annotations

from typing import Any

from moto.core.responses import EmptyResult
from moto.iam import responses

from embedded_aws.gaps import gap


@gap(responses.IamResponse, "update_role")
def partial_update(original: Any, self: Any) -> Any:
    """UpdateRole changes the parameters that are given and leaves the others as they are."""
    role = self.backend.get_role(self._get_param("RoleName"))
    if (description := self._get_param("Description")) is not None:
        role.description = description
    if (duration := self._get_param("MaxSessionDuration")) is not None:
        role.max_session_duration = duration
    return EmptyResult()

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""KMS: keys are named by id or ARN everywhere."""

from __future__ import annotations

from typing import Any

from moto.kms import models

from embedded_aws.gaps import gap


@gap(models.KmsBackend, "schedule_key_deletion")
def schedule_key_deletion(original: Any, self: Any, key_id: str, pending_window_in_days: int) -> float:
    """ScheduleKeyDeletion takes a key's ARN as well as its id."""
    return original(self, self.get_key_id(key_id), pending_window_in_days)


@gap(models.KmsBackend, "cancel_key_deletion")
def cancel_key_deletion(original: Any, self: Any, key_id: str) -> None:
    """CancelKeyDeletion takes a key's ARN as well as its id."""
    original(self, self.get_key_id(key_id))

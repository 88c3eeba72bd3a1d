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


@gap(models.KmsBackend, "_generate_default_keys")
def aws_managed_key(original: Any, self: Any, alias_name: str) -> str | None:
    """DescribeKey says of the key of an alias aws/..., which AWS makes by itself, that AWS manages it."""
    key_id = original(self, alias_name)
    if key_id:
        self.keys[key_id].key_manager = "AWS"
    return key_id

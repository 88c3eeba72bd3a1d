# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""KMS of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

from embedded_aws.client import EmbeddedAWS


def test_keys_that_aws_manages_say_so(aws: EmbeddedAWS) -> None:
    kms = aws.client("kms")
    managers = [kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] for key in ("alias/aws/ssm", kms.create_key()["KeyMetadata"]["KeyId"])]
    assert managers == ["AWS", "CUSTOMER"]


def test_kms_keys_by_arn(aws: EmbeddedAWS) -> None:
    kms = aws.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=arn)
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"

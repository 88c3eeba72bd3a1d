# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of KMS keys."""

from __future__ import annotations

import json

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.monitoring import PUBLISHERS
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS


def key_policy() -> str:
    """The policy of a key that CloudWatch Logs may use."""
    use = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"Service": f"logs.{REGION}.amazonaws.com"}, "Action": use, "Resource": "*"},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def let_alarms_use(aws: EmbeddedAWS, key: str) -> None:
    """Add what a topic of alarms needs to the policy of its key, as docs/monitoring.md has it."""
    kms = aws.client("kms")
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    actions = ["kms:Decrypt", "kms:GenerateDataKey*"]
    policy["Statement"].append({"Sid": "Alarms", "Effect": "Allow", "Principal": {"Service": list(PUBLISHERS)}, "Action": actions, "Resource": "*"})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account of a company that has its hosted zones, beside the one that a stack is in."""

from __future__ import annotations

import json
import typing as t

from embedded_aws.client import ACCOUNT, REGION, SESSION, SESSION_LOCK, EmbeddedAWS

ZONE_ACCOUNT = "222222222222"
DNS_ROLE = f"arn:aws:iam::{ZONE_ACCOUNT}:role/dns"
EXTERNAL_ID = "dns:for/us"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}}
    ],
}


class ZoneAccount:
    """That account, with the role by which others may change its zones. Its clients do all that those of the embedded AWS do."""

    def __init__(self, aws: EmbeddedAWS) -> None:
        self.aws = aws
        self._keys = aws.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ZONE_ACCOUNT}:role/admin", RoleSessionName="admin")["Credentials"]
        self.client("iam").create_role(RoleName="dns", AssumeRolePolicyDocument=json.dumps(TRUST))

    def client(self, service: str) -> t.Any:
        keys = {"aws_access_key_id": self._keys["AccessKeyId"], "aws_secret_access_key": self._keys["SecretAccessKey"]}
        with SESSION_LOCK:
            return SESSION.client(service, REGION, endpoint_url=self.aws.endpoint, aws_session_token=self._keys["SessionToken"], **keys)

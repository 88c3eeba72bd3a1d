# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eventual consistency: what was just made is not known everywhere for some seconds, and who refers to it is refused."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class Late:
    """What one operation makes, found in its request or answer, and how those refuse it that do not know it yet."""

    made_by: str
    found_as: str
    """A regular expression whose group is what others name it by."""
    refused_by: tuple[tuple[str, str, str, str], ...]
    """Service, operations (a pattern), error code and message."""


TABLE = (
    Late("CreateRole", r"<RoleName>([^<]+)</RoleName>", (
        ("iam", "PutRolePolicy", "NoSuchEntity", "The role cannot be found."),
        ("iam", "AttachRolePolicy", "NoSuchEntity", "The role cannot be found."),
        ("lambda", "CreateFunction", "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."),
        ("ecs", "RegisterTaskDefinition", "ClientException", "Role is not valid"),
    )),
    Late("CreateSecurityGroup", r"<groupId>(sg-\w+)</groupId>", (
        ("ec2", "AuthorizeSecurityGroup*", "InvalidGroup.NotFound", "The security group does not exist"),
        ("elbv2", "CreateLoadBalancer", "InvalidSecurityGroup", "One or more security groups are not found"),
        ("rds", "CreateDBCluster", "InvalidVPCNetworkStateFault", "The security group does not exist"),
        ("apigatewayv2", "CreateVpcLink", "BadRequestException", "The security group does not exist"),
        ("ecs", "CreateService", "InvalidParameterException", "The security group does not exist"),
        ("ecs", "RunTask", "InvalidParameterException", "The security group does not exist"),
    )),
    Late("CreateVpcLink", r'"vpcLinkId": ?"(\w+)"', (
        ("apigatewayv2", "CreateIntegration", "BadRequestException", "Invalid VPC link identifier"),
    )),
    Late("RequestCertificate", r'"CertificateArn": ?"([^"]+)"', (
        ("elbv2", "CreateListener", "CertificateNotFound", "Certificate not found"),
        ("apigatewayv2", "CreateDomainName", "BadRequestException", "The provided certificate does not exist"),
    )),
    Late("CreateTargetGroup", r"<TargetGroupArn>([^<]+)</TargetGroupArn>", (
        ("elbv2", "Create*", "TargetGroupNotFound", "Target groups not found"),
        ("ecs", "CreateService", "InvalidParameterException", "The target group does not exist"),
    )),
    Late("CreateFunction", r'"FunctionName": ?"([^"]+)"', (
        ("lambda", "AddPermission", "ResourceNotFoundException", "Function not found"),
    )),
    Late("CreateLogGroup", r'"logGroupName": ?"([^"]+)"', (
        ("logs", "PutRetentionPolicy", "ResourceNotFoundException", "The specified log group does not exist."),
        ("logs", "TagResource", "ResourceNotFoundException", "The specified log group does not exist."),
        ("apigatewayv2", "CreateStage", "BadRequestException", "The log group does not exist"),
    )),
)  # fmt: skip


class Consistency:
    """Knows what was made lately, and by whom it is not known yet."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._made: dict[str, tuple[float, Late]] = {}

    def note(self, operation: str, body: bytes, answer: bytes) -> None:
        """Remember what a call has made."""
        for late in TABLE if self.seconds else ():
            if late.made_by == operation and (found := re.search(late.found_as, (answer + body).decode())):
                self._made[found[1]] = (time.monotonic(), late)

    def refusal(self, service: str, operation: str, path: str, body: bytes) -> dict[str, Any] | None:
        """The error that a call is answered with that refers to what is not known yet."""
        text = unquote(path + " " + body.decode(errors="replace")) if self.seconds else ""
        for name, (since, late) in list(self._made.items()) if text else ():  # others add to it meanwhile
            if time.monotonic() - since < self.seconds and re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
                for who, what, code, message in late.refused_by:
                    if who == service and fnmatchcase(operation, what):
                        return {"code": code, "message": message, "status": 404 if "NotFound" in code and service == "lambda" else 400}
        return None

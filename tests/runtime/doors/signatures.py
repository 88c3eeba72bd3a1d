# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that sign their requests with AWS credentials (Signature Version 4), and how API Gateway checks that."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from datetime import datetime, timedelta, timezone

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from embedded_aws.iam_decisions import allows, statements_of
from embedded_aws.iam_requests import Question
from runtime.doors.request import Request

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/(?P<scope>\d{8}/[\w-]+/[\w-]+/aws4_request), ?SignedHeaders=(?P<headers>[\w;-]+), ?Signature=(?P<signature>\w+)"
)
SKEW = timedelta(minutes=5)
TIMESTAMP = "%Y%m%dT%H%M%SZ"


class Signer(t.NamedTuple):
    """A session of a role, with which a program signs."""

    role: str
    arn: str
    credentials: Credentials

    def sign(self, request: Request, *, service: str = "execute-api", at: datetime | None = None) -> Request:
        """The request as a client sends it that signs it now, or as if it was another time."""
        headers = {"host": request.host, **request.headers, "x-amz-content-sha256": hashlib.sha256(request.body).hexdigest()}
        if self.credentials.token:
            headers["x-amz-security-token"] = self.credentials.token
        headers["x-amz-date"] = (at or datetime.now(timezone.utc)).strftime(TIMESTAMP)
        authorization = _authorization(self.credentials, request, headers, service)
        return request.replace(headers={**headers, "authorization": authorization})


def signer(aws: EmbeddedAWS, role: str, *statements: dict[str, t.Any]) -> Signer:
    """A session of a new role whose policy has these statements."""
    iam, trust = aws.client("iam"), {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName=role, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    answer = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")
    keys = answer["Credentials"]
    return Signer(role, answer["AssumedRoleUser"]["Arn"], Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]))


def signed_by(signers: t.Iterable[Signer], request: Request) -> Signer | None:
    """Who has signed the request, where the signature is right, is of this region and service, and is not older or newer than AWS allows."""
    headers = {"host": request.host, **request.headers}
    said = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    who = next((each for each in signers if said and each.credentials.access_key == said["key"]), None)
    if said is None or who is None:
        return None
    signed = {name: headers.get(name, "") for name in said["headers"].split(";")}
    date, token = headers.get("x-amz-date", ""), headers.get("x-amz-security-token")
    try:
        age = abs(datetime.now(timezone.utc) - datetime.strptime(date, TIMESTAMP).replace(tzinfo=timezone.utc))
    except ValueError:
        return None
    right = (
        {"host", "x-amz-date"} <= signed.keys()
        and said["scope"] == f"{date[:8]}/{REGION}/execute-api/aws4_request"
        and age <= SKEW
        and token == who.credentials.token
        and headers.get("x-amz-content-sha256", hashlib.sha256(request.body).hexdigest()) == hashlib.sha256(request.body).hexdigest()
        and said["signature"] == _authorization(who.credentials, request, signed, "execute-api").rpartition("=")[2]
    )
    return who if right else None


def may_invoke(aws: EmbeddedAWS, who: Signer, api_id: str, request: Request) -> bool:
    """Whether the policies of the role allow it (Developer Guide, control access for invoking an API)."""
    iam = aws.client("iam")
    names = iam.list_role_policies(RoleName=who.role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=who.role, PolicyName=name)["PolicyDocument"] for name in names]
    resource = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api_id}/$default/{request.method}{request.path}"
    return allows(statements_of(documents), Question("execute-api:Invoke", resource))


def _authorization(credentials: Credentials, request: Request, signed: dict[str, str], service: str) -> str:
    """The header Authorization of a request whose headers in C(signed) are signed."""
    asked = AWSRequest(method=request.method, url=f"https://{signed['host']}{request.target}", data=request.body, headers=signed)
    asked.context["timestamp"] = signed["x-amz-date"]
    auth = SigV4Auth(credentials, service, REGION)
    signature = auth.signature(auth.string_to_sign(asked, auth.canonical_request(asked)), asked)
    names = ";".join(sorted(signed))
    return f"AWS4-HMAC-SHA256 Credential={auth.scope(asked)}, SignedHeaders={names}, Signature={signature}"

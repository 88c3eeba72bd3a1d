# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM action that a call of an API needs, where AWS's Service Authorization Reference does not tell, and what a policy says."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.documents import documents
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.statements import Scope
from embedded_aws.client import ACCOUNT, EmbeddedAWS
from embedded_aws.iam_requests import action_of

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]}


def action(call: dict[str, str]) -> str:
    """The IAM action of a call."""
    return action_of(call["service"], call["operation"])


NOT_IN_THE_REFERENCE = {
    # AWS denies CreateStage and CreateVpcLink with tags by this name ("not authorized to perform: apigateway:TagResource on
    # resource: arn:aws:apigateway:us-west-2::/vpclinks"), where only the HTTP methods are allowed: seen by several on real accounts.
    "apigateway:TagResource": "CreateStage and CreateVpcLink with tags",
    "apigateway:UntagResource": "its counterpart",
}
"""Actions that the reference does not list, and the calls that need them."""

NOT_NEEDED: dict[tuple[str, str], tuple[str, str] | None] = {
    ("rds:CreateDBInstance", "rds:CreateTenantDatabase"): ("CreateDBInstance", "MultiTenant"),
    ("rds:ModifyDBInstance", "rds:CreateTenantDatabase"): ("ModifyDBInstance", "MultiTenant"),
    ("rds:DeleteDBInstance", "rds:DeleteTenantDatabase"): ("CreateDBInstance", "MultiTenant"),
    ("rds:DeleteDBInstance", "rds:CreateDBSnapshot"): ("DeleteDBInstance", "FinalDBSnapshotIdentifier"),
    ("rds:ModifyDBCluster", "secretsmanager:RotateSecret"): ("ModifyDBCluster", "RotateMasterUserPassword"),
    ("rds:ModifyDBInstance", "secretsmanager:RotateSecret"): ("ModifyDBInstance", "RotateMasterUserPassword"),
    # Of lines with fields of ECS
    **{
        ("ec2:CreateFlowLogs", f"ecs:List{what}"): ("CreateFlowLogs", "LogFormat")
        for what in ("Clusters", "ContainerInstances", "Services", "TaskDefinitions", "Tasks")
    },
    ("lambda:CreateFunction", "lambda:PassCapacityProvider"): ("CreateFunction", "CapacityProviderConfig"),
    # Of services whose quotas nobody asks for
    **{
        ("servicequotas:GetServiceQuota", other): None
        for other in (
            "autoscaling:DescribeAccountLimits",
            "cloudformation:DescribeAccountLimits",
            "dynamodb:DescribeLimits",
            "iam:GetAccountSummary",
            "kinesis:DescribeLimits",
            "route53:GetAccountLimit",
            "elasticloadbalancing:DescribeAccountLimits",
            "rds:DescribeAccountAttributes",  # bootstrap, unlike site
        )
    },
    # Of web ACLs of other resources than load balancers, and of those that are shared with other accounts
    **{
        (f"wafv2:{operation}", other): None
        for operation, others in {
            "AssociateWebACL": "amplify:AssociateWebACL apigateway:SetWebACL apprunner:AssociateWebAcl appsync:AssociateWebACL appsync:SetWebACL "
            "cognito-idp:AssociateWebACL ec2:AssociateVerifiedAccessInstanceWebAcl wafv2:GetPermissionPolicy wafv2:PutPermissionPolicy",
            "DisassociateWebACL": "amplify:DisassociateWebACL apigateway:SetWebACL apprunner:DisassociateWebAcl appsync:DisassociateWebACL "
            "appsync:SetWebACL cognito-idp:DisassociateWebACL ec2:DisassociateVerifiedAccessInstanceWebAcl wafv2:PutPermissionPolicy",
            "GetWebACLForResource": "amplify:GetWebACLForResource apprunner:DescribeWebAclForService appsync:GetWebACLForResource "
            "cognito-idp:GetWebACLForResource ec2:GetVerifiedAccessInstanceWebAcl",
        }.items()
        for other in others.split()
    },
}
"""An action and one that the reference says it depends on: the operation and the parameter without which it does not."""


def needs_more(call: dict[str, t.Any]) -> list[str]:
    """The dependent actions that a call needs although C(NOT_NEEDED) has them."""
    parameters = {**call["params"], **(body if isinstance(body := call["params"].get("body"), dict) else {})}
    return [
        dependent
        for (_action, dependent), where in NOT_NEEDED.items()
        if where and call["operation"] == where[0] and any(name.partition(".")[0] == where[1] for name in parameters)
    ]


def granted(*, bootstrap: bool) -> set[str]:
    """The actions that the documents of the caller allow, those of ``bootstrap`` or all others."""
    of_set = {name: document for name, document in documents(Scope("mlflow-", "123456789012", "eu-west-1")).items() if ("bootstrap" in name) == bootstrap}
    return {action for document in of_set.values() for statement in document["Statement"] for action in statement["Action"]}


def hired(aws: EmbeddedAWS, policies: t.Iterable[str], boundary: str = "") -> dict[str, str]:
    """The credentials of a new role that has these policies, as environment variables."""
    iam, limited = aws.client("iam"), {"PermissionsBoundary": boundary} if boundary else {}
    role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(TRUST), **limited)["Role"]["Arn"]
    for n, document in enumerate(policies):
        policy = iam.create_policy(PolicyName=f"deployer-{n}", PolicyDocument=document)["Policy"]["Arn"]
        iam.attach_role_policy(RoleName="deployer", PolicyArn=policy)
    session = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    return {"AWS_ACCESS_KEY_ID": session["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"], "AWS_SESSION_TOKEN": session["SessionToken"]}


def statements(document: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The statements of a policy document, with a list in place of each single action and resource."""
    return [{name: strings(value) if name in ("Action", "Resource") else value for name, value in statement.items()} for statement in document["Statement"]]


def strings(value: str | list[str]) -> list[str]:
    """The values of a part of a policy that may be one or a list."""
    return [value] if isinstance(value, str) else value

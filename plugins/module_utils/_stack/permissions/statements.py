# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what a statement of a policy document says, and what several statements are about. Pure.

What a resource or a condition depends on stands in braces: the fields of ``Scope``, and ``{secrets}`` and ``{keys}``, which are lists.
"""

from __future__ import annotations

import typing as t

Document = dict[str, t.Any]
Conditions = dict[str, dict[str, t.Any]]


class Scope(t.NamedTuple):
    """What the documents are written for."""

    prefix: str
    """Of the names of all stacks (``mlflow_unique_name``) that the caller deploys."""
    account: str
    region: str
    role_path: str = "/"
    """Of the roles that the stacks get."""
    boundary: str = ""
    """The permissions boundary that each of these roles must have. Without one, who may create roles may give them any permission."""
    secrets: tuple[str, ...] = ()
    """The secrets that inputs name, where their names do not begin with the prefix."""
    keys: tuple[str, ...] = ()
    """The KMS keys that inputs name. None: all keys of the account and region."""
    dns_role: str = ""
    """The role of the account that has the hosted zones, if it is another one."""

    @property
    def partition(self) -> str:
        partitions = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((partition for prefix, partition in partitions.items() if self.region.startswith(prefix)), "aws")


class Statement(t.NamedTuple):
    """One statement. All are allowed; what differs with a boundary says so."""

    sid: str
    actions: str
    resources: tuple[str, ...]
    conditions: Conditions = {}
    why: str = ""
    """Why it names more than what is the stack's by name or tag. Required where the resource is ``*``."""
    bounded: bool = False
    """Whether it applies only to roles that have the boundary, if there is one."""
    unbounded: bool = False
    """Whether it is left out if there is a boundary."""


EC2 = "arn:{partition}:ec2:{region}:{account}:"
ELB = "arn:{partition}:elasticloadbalancing:{region}:{account}:"
RDS = "arn:{partition}:rds:{region}:{account}:"
ECS = "arn:{partition}:ecs:{region}:{account}:"
API = "arn:{partition}:apigateway:{region}::"
LOG_GROUP = "arn:{partition}:logs:{region}:{account}:log-group:"
ALL = ("*",)

OWN: Conditions = {"StringLike": {"aws:ResourceTag/mlflow-stack": "{prefix}*"}}
NEW: Conditions = {"StringLike": {"aws:RequestTag/mlflow-stack": "{prefix}*"}}
NO_RESOURCES = "AWS knows no resources for these actions"
LEASE = Statement(
    "Lease",
    "ssm:AddTagsToResource ssm:DeleteParameters ssm:GetParametersByPath ssm:PutParameter",
    ("arn:{partition}:ssm:{region}:{account}:parameter/mlplatform/mlflow_aws/{prefix}*",),
)
CALLER = (
    Statement("Caller", "sts:GetCallerIdentity", ALL, why=NO_RESOURCES),
    Statement("Quotas", "servicequotas:GetServiceQuota", ("arn:{partition}:servicequotas:{region}:{account}:*",)),
)


def roles(names: str) -> tuple[Statement, ...]:
    """What creates, changes and removes the roles of these names."""
    here = "arn:{partition}:iam::{account}:role{role_path}" + names
    return (
        Statement(
            "RoleReads",
            "iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies iam:ListInstanceProfilesForRole iam:ListRolePolicies",
            ("arn:{partition}:iam::{account}:role/" + names, here),
        ),
        Statement(
            "ManagedPolicies",
            "iam:GetPolicy",
            ("arn:{partition}:iam::{account}:policy/*", "arn:{partition}:iam::aws:policy/*"),
            why="inputs name the managed policies of the roles",
        ),
        Statement(
            "BoundedRoles",
            "iam:AttachRolePolicy iam:CreateRole iam:PutRolePermissionsBoundary iam:PutRolePolicy iam:UpdateAssumeRolePolicy",
            (here,),
            bounded=True,
        ),
        Statement("Boundaries", "iam:DeleteRolePermissionsBoundary", (here,), unbounded=True),
        Statement("Roles", "iam:DeleteRole iam:DeleteRolePolicy iam:DetachRolePolicy iam:TagRole iam:UntagRole iam:UpdateRole", (here,)),
        Statement(
            "InstanceProfiles",
            "iam:RemoveRoleFromInstanceProfile",
            ("arn:{partition}:iam::{account}:instance-profile/*",),
            why="others may have put a role of the stack into a profile of theirs",
        ),
    )

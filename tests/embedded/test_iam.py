# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import pytest
from embedded_aws.client import EmbeddedAWS

DOCUMENT = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


def test_managed_policies_exist(aws: EmbeddedAWS) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    aws.reset()
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 0


def test_a_boundary_has_to_exist(aws: EmbeddedAWS) -> None:
    """IAM API Reference, CreateRole and PutRolePermissionsBoundary: NoSuchEntity."""
    iam = aws.client("iam")
    missing = "arn:aws:iam::123456789012:policy/missing"
    iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    for refused in (
        lambda: iam.create_role(RoleName="s", AssumeRolePolicyDocument="{}", PermissionsBoundary=missing),
        lambda: iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=missing),
    ):
        with pytest.raises(iam.exceptions.NoSuchEntityException, match=f"Scope ARN: {missing} does not exist"):
            refused()
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["r"]


def test_an_organisation_may_demand_a_boundary(aws: EmbeddedAWS) -> None:
    """IAM User Guide, "Permissions boundaries for IAM entities", Delegating responsibility to others: the condition iam:PermissionsBoundary of
    CreateRole, PutRolePolicy, AttachRolePolicy and PutRolePermissionsBoundary, and no DeleteRolePermissionsBoundary.
    """
    iam = aws.client("iam")
    boundary, other = (iam.create_policy(PolicyName=name, PolicyDocument=DOCUMENT)["Policy"]["Arn"] for name in ("boundary", "other"))
    iam.create_role(RoleName="before", AssumeRolePolicyDocument="{}")
    aws.demand_boundary(boundary)
    iam.create_role(RoleName="r", Path="/x/", AssumeRolePolicyDocument="{}", PermissionsBoundary=boundary)
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=DOCUMENT)
    iam.attach_role_policy(RoleName="r", PolicyArn=other)
    for operation, refused in {
        "CreateRole": lambda: iam.create_role(RoleName="s", AssumeRolePolicyDocument="{}"),
        "PutRolePermissionsBoundary": lambda: iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=other),
        "DeleteRolePermissionsBoundary": lambda: iam.delete_role_permissions_boundary(RoleName="r"),
        "PutRolePolicy": lambda: iam.put_role_policy(RoleName="before", PolicyName="p", PolicyDocument=DOCUMENT),
        "AttachRolePolicy": lambda: iam.attach_role_policy(RoleName="before", PolicyArn=other),
    }.items():
        with pytest.raises(iam.exceptions.ClientError, match=f"iam:{operation} on resource: arn:aws:iam::.* with an explicit deny in a service control policy"):
            refused()
    aws.reset()
    iam.create_role(RoleName="s", AssumeRolePolicyDocument="{}")

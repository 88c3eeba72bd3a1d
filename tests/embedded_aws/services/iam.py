# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM: AWS's managed policies, read once; partial updates of roles; permissions boundaries, and an organisation that demands one."""

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any

from moto.core.responses import EmptyResult
from moto.iam import models, responses
from moto.iam.exceptions import IAMException, NoSuchEntity

from embedded_aws.gaps import gap


@gap(models.IAMBackend, "_init_aws_policies")
def aws_managed_policies(original: Any, self: Any) -> list[Any]:
    """AWS's managed policies exist in every account. Reading all 1500 takes long, so a reset copies them."""
    return [copy.copy(policy) for policy in _policies(original, self.account_id, self.region_name)]


@functools.cache
def _policies(read: Any, account_id: str, region_name: str) -> list[Any]:
    backend = models.IAMBackend.__new__(models.IAMBackend)
    backend.account_id, backend.region_name = account_id, region_name
    return read(backend)


@gap(responses.IamResponse, "update_role")
def update_role(_original: Any, self: Any) -> EmptyResult:
    """UpdateRole changes what is given and leaves the rest as it is."""
    role = self.backend.get_role(self._get_param("RoleName"))
    if (description := self._get_param("Description")) is not None:
        role.description = description
    if (duration := self._get_param("MaxSessionDuration")) is not None:
        role.max_session_duration = duration
    return EmptyResult()


_demanded: list[str] = []


def demand_boundary(arn: str | None) -> None:
    """Have an organisation's service control policy deny roles without this permissions boundary; None: no such policy."""
    _demanded[:] = [arn] if arn else []


class _Denied(IAMException):
    code = "AccessDenied"

    def __init__(self, operation: str, role: str) -> None:
        super().__init__(
            f"User: arn:aws:iam::123456789012:user/ci is not authorized to perform: iam:{operation} on resource: {role} "
            "with an explicit deny in a service control policy"
        )


def _check_boundary(backend: Any, operation: str, role: str, boundary: str | None) -> None:
    if _demanded and boundary not in _demanded:
        raise _Denied(operation, role)
    if boundary and boundary not in {policy.arn for policy in backend.managed_policies.values()}:
        raise NoSuchEntity(f"Scope ARN: {boundary} does not exist or is not attachable.")


@gap(models.IAMBackend, "create_role")
def create_role(original: Any, self: Any, role_name: str, *args: Any, **kwargs: Any) -> Any:
    """CreateRole refuses a permissions boundary that does not exist, and obeys a service control policy that demands one."""
    given = inspect.signature(original).bind(self, role_name, *args, **kwargs).arguments
    arn = f"arn:{self.partition}:iam::{self.account_id}:role{given.get('path') or '/'}{role_name}"
    _check_boundary(self, "CreateRole", arn, given.get("permissions_boundary") or None)
    return original(self, role_name, *args, **kwargs)


@gap(models.IAMBackend, "put_role_permissions_boundary")
def put_role_permissions_boundary(original: Any, self: Any, role_name: str, permissions_boundary: str) -> None:
    """PutRolePermissionsBoundary refuses a policy that does not exist, and obeys such a service control policy."""
    _check_boundary(self, "PutRolePermissionsBoundary", self.get_role(role_name).arn, permissions_boundary)
    original(self, role_name, permissions_boundary)


@gap(models.IAMBackend, "delete_role_permissions_boundary")
def delete_role_permissions_boundary(original: Any, self: Any, role_name: str) -> None:
    """DeleteRolePermissionsBoundary obeys such a service control policy."""
    _check_boundary(self, "DeleteRolePermissionsBoundary", self.get_role(role_name).arn, None)
    original(self, role_name)


@gap(models.IAMBackend, "put_role_policy")
def put_role_policy(original: Any, self: Any, role_name: str, *args: Any, **kwargs: Any) -> None:
    """PutRolePolicy obeys such a service control policy, for a role that has another boundary."""
    role = self.get_role(role_name)
    _check_boundary(self, "PutRolePolicy", role.arn, role.permissions_boundary_arn)
    original(self, role_name, *args, **kwargs)


@gap(models.IAMBackend, "attach_role_policy")
def attach_role_policy(original: Any, self: Any, policy_arn: str, role_name: str) -> None:
    """AttachRolePolicy obeys such a service control policy, for a role that has another boundary."""
    role = self.get_role(role_name)
    _check_boundary(self, "AttachRolePolicy", role.arn, role.permissions_boundary_arn)
    original(self, policy_arn, role_name)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the IAM roles of the stack, and the managed policies that inputs name for them."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError, NOT_ALLOWED, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owned_by_another, tag_dict
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import owner
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems

BOUNDARY = "mlflow_permissions_boundary_arn"
ATTACHED = "mlflow_service_task_policy_arns"


class Roles(Checks):
    def checks(self) -> list[Check]:
        path = "mlflow_iam_role_path"
        named = [(BOUNDARY, self.inputs.get(BOUNDARY)), *((ATTACHED, arn) for arn in self.inputs.get(ATTACHED) or [])]
        return [(self.path, (path,), (path, "mlflow_unique_name")), *((self.policy, each, each[:1]) for each in named)]

    def path(self, name: str) -> Problems:
        """A role keeps the path that it was created at."""
        wanted = self.inputs[name]
        names = self.names.task_roles + ((self.names.authorizer,) if self.inputs.get("mlflow_api_authorizer", "lambda") == "lambda" else ())
        roles = [role for role in run_concurrently(*(partial(self._own, role) for role in names)) if role and role["Path"] != wanted]
        for path in sorted({role["Path"] for role in roles}):
            there = ", ".join(role["RoleName"] for role in roles if role["Path"] == path)
            yield self.problem(
                name,
                f"IAM cannot move a role, and these are at {path}: {there}. Give {path}, or delete these roles and run site: from then until it has "
                "ended, the servers cannot reach their artifacts, and none can start",
            )

    def _own(self, name: str) -> dict[str, t.Any] | None:
        """The role of that name, if it is there and of this stack."""
        answer = none_if_missing(self.aws.client("iam").get_role, "NoSuchEntity", RoleName=name)
        others = answer and owned_by_another(tag_dict(answer["Role"].get("Tags", [])), owner(self.names.unique_name))
        return None if others else answer and answer["Role"]

    def policy(self, name: str, arn: str) -> Problems:
        account = arn.split(":")[4]
        if account not in ("aws", self.aws.account_id):
            yield Problem(name, arn, f"it is of the account {account}: IAM takes managed policies of AWS and of the account {self.aws.account_id}")
            return
        try:
            answer = none_if_missing(self.aws.client("iam").get_policy, "NoSuchEntity", PolicyArn=arn)
        except ClientError as error:
            if error_code(error) not in NOT_ALLOWED:
                raise
            warn(f"{name}: {arn}: the caller may not GetPolicy it, so nobody knows whether it exists")
            return
        if answer is None:
            yield Problem(name, arn, "there is no such policy: create it, or give the ARN of one that exists")
        elif not answer["Policy"].get("IsAttachable", True):
            yield Problem(name, arn, "IAM does not let it be attached: give another policy")

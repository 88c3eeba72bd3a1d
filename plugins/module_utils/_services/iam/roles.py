# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: IAM roles with their inline policies and their attached managed policies."""

from __future__ import annotations

import json
import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.policy_document import normal_policy

ROLE: Arguments = {
    "name": {"type": "str", "required": True},
    "assume_role_policy": {"type": "dict"},
    "description": {"type": "str"},
    "managed_policies": {"type": "list", "elements": "str", "default": []},
    "inline_policies": {"type": "dict", "default": {}},
    "permissions_boundary": {"type": "str"},
    "max_session_duration": {"type": "int"},
}
"""The options of one role."""


class Role(Resource):
    """A role. ``spec``: `ROLE`. Policies of it that ``spec`` does not name are removed."""

    kind = "iam_role"

    def describe(self) -> State | None:
        answer = none_if_missing(self.aws.client("iam").get_role, "NoSuchEntity", RoleName=self.name)
        if answer is None:
            return None
        role = answer["Role"]
        return {
            "arn": role["Arn"],
            "id": role["RoleId"],
            "assume_role_policy": normal_policy(role["AssumeRolePolicyDocument"]),
            "description": role.get("Description", ""),
            "permissions_boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "max_session_duration": role.get("MaxSessionDuration"),
            "tags": tag_dict(role.get("Tags", [])),
        }

    def desired(self) -> State:
        return {
            "assume_role_policy": normal_policy(self.spec["assume_role_policy"]),
            "description": self.spec["description"],
            "permissions_boundary": self.spec["permissions_boundary"],
            "max_session_duration": self.spec["max_session_duration"],
        }

    def unknown(self) -> State:
        # What refers to a role that was deleted does not change when it is created again.
        return {"arn": f"arn:{self.aws.partition}:iam::{self.aws.account_id}:role/{self.name}", "id": UNKNOWN}

    def create(self, desired: State) -> State:
        optional = {
            "Description": desired["description"],
            "PermissionsBoundary": desired["permissions_boundary"],
            "MaxSessionDuration": desired["max_session_duration"],
        }
        role = self.aws.client("iam").create_role(
            RoleName=self.name,
            AssumeRolePolicyDocument=json.dumps(self.spec["assume_role_policy"]),
            Tags=tag_list(desired["tags"]),
            **{k: v for k, v in optional.items() if v},
        )["Role"]
        return {"arn": role["Arn"], "id": role["RoleId"]}

    def update(self, before: State, changes: State) -> None:
        iam = self.aws.client("iam")
        if "assume_role_policy" in changes:
            document = json.dumps(self.spec["assume_role_policy"])
            iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=document)
        plain = {"description": "Description", "max_session_duration": "MaxSessionDuration"}
        if plain.keys() & changes.keys():
            iam.update_role(RoleName=self.name, **{plain[k]: v for k, v in changes.items() if k in plain})
        if changes.get("permissions_boundary"):
            iam.put_role_permissions_boundary(RoleName=self.name, PermissionsBoundary=changes["permissions_boundary"])
        elif "permissions_boundary" in changes:
            iam.delete_role_permissions_boundary(RoleName=self.name)

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        iam = self.aws.client("iam")
        if to_unset:
            iam.untag_role(RoleName=self.name, TagKeys=to_unset)
        if to_set:
            iam.tag_role(RoleName=self.name, Tags=tag_list(to_set))

    def delete(self, before: State) -> None:
        iam = self.aws.client("iam")
        for profile in self.profiles():
            iam.remove_role_from_instance_profile(InstanceProfileName=profile["InstanceProfileName"], RoleName=self.name)
        # DeleteConflict: IAM has not noticed everywhere yet that the policies are gone.
        retry_on(iam.delete_role, "DeleteConflict", RoleName=self.name)

    def children(self) -> list[Resource]:
        wanted = self.spec["inline_policies"]
        embedded, attached = ([], []) if self.newly_created() else (self.embedded(), self.attached())
        return [
            *(InlinePolicy(self.aws, name, {"document": wanted[name]}, parent=self) for name in wanted),
            *(InlinePolicy(self.aws, name, parent=self, absent=True) for name in embedded if name not in wanted),
            *(Attachment(self.aws, arn, parent=self) for arn in self.spec["managed_policies"]),
            *(Attachment(self.aws, arn, parent=self, absent=True) for arn in attached if arn not in self.spec["managed_policies"]),
        ]

    def prefetch_reads(self) -> list[t.Callable[[], t.Any]]:
        documents = [partial(self.document, name) for name in self.spec["inline_policies"]]
        return [self.embedded, self.attached, *documents, *([self.profiles] if self.absent else [])]

    def embedded(self) -> list[str]:
        """Names of the inline policies that the role had before this run."""
        return self._listed("list_role_policies", "PolicyNames")

    def document(self, policy: str) -> State | None:
        """GetRolePolicy's answer on an inline policy, as it was before this run."""
        get = self.aws.client("iam").get_role_policy
        return self.aws.once((self.name, policy), lambda: none_if_missing(get, "NoSuchEntity", RoleName=self.name, PolicyName=policy))

    def attached(self) -> list[str]:
        """ARNs of the managed policies that the role had before this run."""
        return [policy["PolicyArn"] for policy in self._listed("list_attached_role_policies", "AttachedPolicies")]

    def profiles(self) -> list[State]:
        """The instance profiles that had the role before this run."""
        return self._listed("list_instance_profiles_for_role", "InstanceProfiles")

    def _listed(self, operation: str, result: str) -> list[t.Any]:
        pages = partial(self.aws.pages, "iam", operation, result, RoleName=self.name)
        return self.aws.once((self.name, operation), lambda: none_if_missing(pages, "NoSuchEntity") or [])


class Policy(Resource):
    """A policy of a role; in a plan it is called ``role/policy``."""

    def __init__(self, aws: Aws, policy: str, spec: State | None = None, *, parent: Role, absent: bool = False) -> None:
        super().__init__(aws, f"{parent.name}/{policy}", spec, parent=parent, absent=absent)
        self.role, self.policy = parent, policy


class InlinePolicy(Policy):
    kind = "iam_role_policy"

    def describe(self) -> State | None:
        if self.absent:
            return {}  # the role has listed it
        answer = self.role.document(self.policy)
        return answer and {"document": normal_policy(answer["PolicyDocument"])}

    def desired(self) -> State:
        return {"document": normal_policy(self.spec["document"])}

    def create(self, desired: State) -> None:
        document = json.dumps(self.spec["document"])
        self.aws.client("iam").put_role_policy(RoleName=self.role.name, PolicyName=self.policy, PolicyDocument=document)

    def update(self, before: State, changes: State) -> None:
        self.create(changes)

    def delete(self, before: State) -> None:
        iam = self.aws.client("iam")
        iam.delete_role_policy(RoleName=self.role.name, PolicyName=self.policy)


class Attachment(Policy):
    kind = "iam_role_policy_attachment"

    def describe(self) -> State | None:
        return {"policy_arn": self.policy} if self.policy in self.role.attached() else None

    def desired(self) -> State:
        return {"policy_arn": self.policy}

    def create(self, desired: State) -> None:
        iam = self.aws.client("iam")
        iam.attach_role_policy(RoleName=self.role.name, PolicyArn=self.policy)

    def delete(self, before: State) -> None:
        iam = self.aws.client("iam")
        iam.detach_role_policy(RoleName=self.role.name, PolicyArn=self.policy)

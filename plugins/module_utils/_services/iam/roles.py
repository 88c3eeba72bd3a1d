# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: IAM roles with their inline policies and their attached managed policies."""

from __future__ import annotations

import hashlib
import json
import threading
import typing as t
from functools import partial

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.policy_document import normal_policy

ROLE: Arguments = {
    "name": {"type": "str", "required": True},
    "path": {"type": "str"},
    "assume_role_policy": {"type": "dict"},
    "description": {"type": "str"},
    "managed_policies": {"type": "list", "elements": "str"},
    "inline_policies": {"type": "dict"},
    "permissions_boundary": {"type": "str"},
    "max_session_duration": {"type": "int"},
}
"""The options of one role."""

POLICIES_TAG = "mlflow-policies"
"""The tag of a role that holds the `mark` of each managed policy that was attached to it, or made its boundary, by its owner: what others attach
is theirs. A mark is written before the policy is attached and removed after it is detached, so wherever a run ends, nothing of its own is
taken for somebody else's.
"""


def mark(arn: str) -> str:
    """What stands for a policy in the tag, whose value AWS limits to 256 characters, and in which an ARN is not always allowed.

    >>> mark("arn:aws:iam::aws:policy/ReadOnlyAccess")
    '2a3bda39'
    """
    return hashlib.sha256(arn.encode()).hexdigest()[:8]


class Role(Resource):
    """A role. ``spec``: `ROLE`. Policies that others have attached to it or embedded in it stay, and a role that has some is not deleted."""

    kind = "iam_role"
    immutable = frozenset({"path"})

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.before: State | None = None
        """The role as it was before this run."""
        self.marks: set[str] = set()
        """What its tag holds, or is going to hold before policies are attached."""
        self._detached: set[str] = set()
        """The marks of policies that this run has detached."""
        self._lock = threading.Lock()

    def describe(self) -> State | None:
        answer = none_if_missing(self.aws.client("iam").get_role, "NoSuchEntity", RoleName=self.name)
        role = answer and answer["Role"]
        self.before = role and {
            "arn": role["Arn"],
            "id": role["RoleId"],
            "path": role["Path"],
            "assume_role_policy": normal_policy(role["AssumeRolePolicyDocument"]),
            "description": role.get("Description", ""),
            "permissions_boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "max_session_duration": role.get("MaxSessionDuration"),
            "tags": tag_dict(role.get("Tags", [])),
        }
        self.marks = set(self.before["tags"].get(POLICIES_TAG, "").split()) if self.before else set()
        return self.before

    def desired(self) -> State:
        boundary = self._boundary()
        self.marks = self._desired_marks(boundary)
        return {
            "path": self.spec["path"],
            "assume_role_policy": normal_policy(self.spec["assume_role_policy"]),
            "description": self.spec["description"],
            "permissions_boundary": boundary,
            "max_session_duration": self.spec["max_session_duration"],
            "tags": self._desired_tags(),
        }

    def _desired_tags(self) -> dict[str, str] | None:
        """The base adds its own, where the caller has some; else all that the role has stay."""
        others = self.before["tags"] if self.before and self.tags is None else {}
        tags = {name: value for name, value in others.items() if name != POLICIES_TAG}
        return {**tags, POLICIES_TAG: _joined(self.marks)} if self.marks else tags if self.tags is not None or self.before else None

    def _boundary(self) -> str | None:
        """Where none is given, one that was set by this collection goes, and one that others have set stays."""
        given, has = self.spec["permissions_boundary"], self.before["permissions_boundary"] if self.before else ""
        return "" if given is None and has and self.is_marked(has) else given

    def _desired_marks(self, boundary: str | None) -> set[str]:
        managed = self.spec["managed_policies"] or []
        attached = self.attached() if self.before and (managed or self.marks) else []
        has = [*attached, self.before["permissions_boundary"]] if self.before else []
        added = [arn for arn in (*managed, boundary) if arn and arn not in has]
        kept = [arn for arn in (*attached, boundary) if arn and self.is_marked(arn)]
        return {mark(arn) for arn in (*added, *kept)}

    def is_marked(self, arn: str) -> bool:
        """Whether a policy was attached to the role, or made its boundary, by its owner."""
        return mark(arn) in self.marks

    def unmark(self, arn: str) -> None:
        """Note that a policy is detached."""
        with self._lock:  # several may be detached at the same time
            if self.is_marked(arn):
                self._detached.add(mark(arn))
                self._write(_joined(self.marks - self._detached))

    def _mark_first(self, before: State) -> None:
        """Add to the tag what it is going to hold, and note that for retag(), which has the rest to do."""
        has = before["tags"].get(POLICIES_TAG, "")
        marks = _joined(self.marks | set(has.split()))
        if marks != has:
            self._write(marks)
            before["tags"] = {**before["tags"], POLICIES_TAG: marks}

    def _write(self, marks: str) -> None:
        self.retag({}, {POLICIES_TAG: marks} if marks else {}, [] if marks else [POLICIES_TAG])

    def unknown(self) -> State:
        # What refers to a role that was deleted does not change when it is created again.
        return {"arn": f"arn:{self.aws.partition}:iam::{self.aws.account_id}:role{self.spec['path'] or '/'}{self.name}", "id": UNKNOWN}

    def create(self, desired: State) -> State:
        optional = {
            "Path": desired["path"],
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
            self._mark_first(before)
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
        documents, wanted = self.spec["inline_policies"] or {}, self.spec["managed_policies"] or []
        embedded, attached = ([], []) if self.newly_created() else (self.embedded(), self.attached())
        if self.absent:
            theirs = self.of_others()
            return [
                *(InlinePolicy(self.aws, name, parent=self, absent=True) for name in embedded if name not in theirs),
                *(Attachment(self.aws, arn, parent=self, absent=True) for arn in attached if arn not in theirs),
            ]
        if not self.newly_created() and (theirs := self.of_others()):
            warn(f"iam_role {self.name}: these policies are not of the stack, and stay: {', '.join(theirs)}")
        return [
            *(InlinePolicy(self.aws, name, {"document": documents[name]}, parent=self) for name in documents),
            *(Attachment(self.aws, arn, parent=self) for arn in wanted),
            *(Attachment(self.aws, arn, parent=self, absent=True) for arn in attached if arn not in wanted and self.is_marked(arn)),
        ]

    def of_others(self) -> list[str]:
        """The policies that others have embedded in the role or attached to it. To whoever removes a role and names no policies of it, all are its own."""
        documents, wanted = self.spec["inline_policies"], self.spec["managed_policies"]
        embedded = [] if self.absent and documents is None else [name for name in self.embedded() if name not in (documents or {})]
        attached = [] if self.absent and wanted is None else [arn for arn in self.attached() if arn not in (wanted or []) and not self.is_marked(arn)]
        return embedded + attached

    def kept_because(self) -> str:
        theirs = ", ".join(self.of_others())
        return theirs and f"IAM deletes no role with policies, and these are not of the stack: {theirs}. Detach or delete them, and run again"

    def prefetch_reads(self) -> list[t.Callable[[], t.Any]]:
        if self.absent:
            return [self.embedded, self.attached, self.profiles]
        return [self.embedded, self.attached, *(partial(self.document, name) for name in self.spec["inline_policies"] or {})]

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


def _joined(marks: set[str]) -> str:
    return " ".join(sorted(marks))


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
        self.role.unmark(self.policy)

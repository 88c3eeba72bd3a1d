# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the base of all resources: describe, compare, act.

A subclass of `Resource` says how one kind of AWS resource is read and changed; when, and whether at all, is decided here, once: check mode,
tags, ownership, replacement, waiting and errors.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible.module_utils.common.warnings import warn  # AnsibleAWSModule's own says with each that it is deprecated

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import (
    AwsError,
    BotoCoreError,
    ClientError,
    StaleState,
    error_code,
    explain,
    is_busy,
    is_conflict,
    is_not_found_yet,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff, denies_new_role
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import Change, SENSITIVE, State, differences, fields, has_unknown
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import OWNER_TAGS, change_tags, is_ignored, owned_by_another, owner_tags


class Resource:
    """One AWS resource: how to read it and how to change it.

    ``spec`` holds its parameters, ``needs`` the resources of the same run that must be reconciled first (their ``state`` is
    then at hand), ``parent`` the resource that it lies in. After it was reconciled, ``state`` is what AWS has, or in check
    mode what it would have; None if there is nothing.
    """

    kind: t.ClassVar[str]
    service: t.ClassVar[str]
    """The service of boto3 whose TagResource and UntagResource change its tags, by the ARN in its state."""
    secret: t.ClassVar[frozenset[str]] = frozenset()
    """Fields whose values are never shown."""
    immutable: t.ClassVar[frozenset[str]] = frozenset()
    """Fields that AWS cannot change on an existing resource."""
    replaceable: t.ClassVar[bool] = False
    """Whether the resource may be deleted and made again for an immutable field: only where it holds no data."""
    deleted_with_parent: t.ClassVar[bool] = False
    """Whether AWS removes it together with its parent: then its removal is a line of the plan, and no call."""
    allows_duplicates: t.ClassVar[bool] = False
    """Whether AWS would make a second one of the same name: then it is made only where what was read cannot be from before the
    first. AWS may show a change late."""
    timeout: t.ClassVar[int] = 1800
    """Seconds that AWS may take to finish a change."""

    def __init__(
        self,
        aws: Aws,
        name: str,
        spec: State | None = None,
        *,
        tags: dict[str, str] | None = None,
        needs: t.Sequence[Resource] = (),
        parent: Resource | None = None,
        absent: bool = False,
    ) -> None:
        self.aws, self.name, self.spec = aws, name, spec or {}
        # YAML makes numbers of some values; AWS knows text only.
        self.tags = None if tags is None else {k: str(v) for k, v in tags.items()}
        self.needs, self.parent, self.absent = tuple(needs), parent, absent
        self.state: State | None = None
        self.change: Change | None = None
        self.child_resources: t.Sequence[Resource] = ()
        self._known_state: tuple[State | None] | None = None

    # What a subclass says.

    def describe(self) -> State | None:
        """What AWS has, in the form of ``desired`` plus ids and ``tags``, or None."""
        raise NotImplementedError

    def prefetch_reads(self) -> t.Sequence[t.Callable[[], t.Any]]:
        """What else to ask at the same time as describe(), each kept by ``Aws.once`` for whoever needs it later."""
        return ()

    def desired(self) -> State:
        """What AWS should have. A field that is None is not managed. Tags are added by the base."""
        raise NotImplementedError

    def create(self, desired: State) -> State | None:
        """Make it, tags included; returns what AWS added (ids, endpoints)."""
        raise NotImplementedError

    def update(self, before: State, changes: State) -> State | None:
        """Change the fields in ``changes``, which never holds tags; returns what AWS added, as create() does."""
        raise NotImplementedError

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        """Change tags. Only called for a resource that has ``tags``."""
        change_tags(self.aws.client(self.service), before["arn"], to_set, to_unset)

    def delete(self, before: State) -> None:
        raise NotImplementedError

    def pending(self, state: State) -> bool:
        """Whether AWS is still at work on it. May raise AwsError for a state that it never leaves."""
        return False

    def progress(self, state: State) -> str:
        """AWS's own words for the state of something that is pending."""
        return str(state.get("status") or state.get("state") or "under way")

    def unknown(self) -> State:
        """What create() will return, for a plan: the ids, each as UNKNOWN unless it follows from the name."""
        return {}

    def children(self) -> t.Sequence[Resource]:
        """Resources inside this one, known once it was read: those wanted, and as absent those that are not."""
        return ()

    def kept_because(self) -> str:
        """Why it is not removed although that is asked for, if so: what others have put into it. Its own children are removed all the same."""
        return ""

    def newly_created(self) -> bool:
        """Whether this run made it, or would make it: then nothing can be inside it yet."""
        return self.change is not None and self.change["action"] in ("create", "replace")

    def warn(self, before: State | None, changes: State) -> list[str]:
        """What a plan must say loudly of these changes: lost data, downtime, exposure."""
        return []

    # What the base does with it.

    @property
    def actual(self) -> State:
        """The ``state`` of a resource that there is: it was reconciled, and is not absent."""
        if self.state is None:
            raise AssertionError(f"nothing is known of {self.kind} {self.name}")
        return self.state

    @property
    def ignored_tags(self) -> list[str]:
        """The tags that are others' to set: keys, and beginnings of keys."""
        return self.aws.module.params.get("ignore_tags") or []

    def read(self) -> None:
        """Read all of it before it is this resource's turn: what AWS has of it does not depend on what is reconciled first."""
        run_concurrently(self.current_state, *self.prefetch_reads())

    def prefetch(self) -> None:
        """Read it early, where that helps. What goes wrong is asked again, and told, in its turn."""
        if self._known_state is None:
            with contextlib.suppress(AwsError, ClientError, BotoCoreError):
                self.read()

    def current_state(self) -> State | None:
        """What AWS has, before it is this resource's turn."""
        before = self._current()
        self.set_current_state(before)
        return before

    def set_current_state(self, before: State | None) -> None:
        """Take what AWS has from an answer that told of others too."""
        self._known_state = (before,)

    def _current(self) -> State | None:
        before, self._known_state = self._known_state, None
        if before:
            return before[0]
        with self._stale_on_conflict(there=True):  # it may go between two of the calls
            return self.describe()

    def _read_children(self) -> t.Sequence[Resource]:
        with self._stale_on_conflict(there=True):  # it may have gone since it was read
            return self.children()

    def reconcile(self) -> None:
        """Bring AWS to the desired state, or in check mode work out what that would change."""
        if self.absent:
            self._remove()
            return
        parent = self.parent.change["action"] if self.parent and self.parent.change else "update"
        before = None if parent == "create" else self._current()
        self._check_owner(before)
        desired = self.desired()
        if self.tags is not None:
            desired["tags"] = {**self.tags, **desired.get("tags", {})}
        if before and desired.get("tags") is not None:
            desired["tags"] = {**self._others_tags(before), **desired["tags"]}
        if not self.aws.check_mode and has_unknown(desired):
            raise AwsError("a value is not known although everything it depends on exists: please report this")
        changes = differences(before, desired)
        frozen = self.immutable & changes.keys() if before else frozenset()
        if before and frozen and not self.replaceable:
            raise AwsError(
                f"{', '.join(sorted(frozen))} cannot be changed on an existing {self.kind} "
                f"(it has {_shown(before, frozen, self.secret)}, the input asks for {_shown(desired, frozen, self.secret)})"
            )
        self.state = {**(before or self.unknown()), **{k: v for k, v in desired.items() if v is not None}}
        replaced = before is not None and (bool(frozen) or parent == "replace")
        if replaced:
            self.child_resources = self._read_children()  # as long as it can be read: what is inside is replaced with it
        if changes or replaced or before is None:
            action = "replace" if replaced else "update" if before else "create"
            if self.allows_duplicates and before is None and parent != "create" and not self.aws.check_mode:
                self.aws.before_wait()  # the lease says when the run before ended
                self.aws.wait_for_consistency(f"{self.kind} {self.name}", self.aws.created_at.get((self.kind, self.name), 0))
            self._note(action, before, changes)
            if replaced:
                self.state.update(self.unknown())
            if not self.aws.check_mode:
                self._apply(action, before, desired, changes)
        if not self.aws.check_mode and self.aws.module.params.get("wait", True):
            with self._stale_on_conflict(there=True):
                if self.pending(self.state):
                    self.wait_ready()
        if not replaced:
            self.child_resources = self._read_children()

    def _others_tags(self, before: State) -> dict[str, str]:
        """The tags of others that it has and keeps, also where another takes its place."""
        return {key: value for key, value in (before.get("tags") or {}).items() if is_ignored(key, self.ignored_tags)}

    def _apply(self, action: str, before: State | None, desired: State, changes: State) -> None:
        if before is not None:
            if self._busy(before):  # a run before this one died while AWS was at work
                with self._stale_on_conflict(there=True):
                    self.wait_ready()
            if action == "replace" and not self._deleted_with_parent():
                self._delete(before)
        if before is None or action != "update":
            with self._stale_on_conflict(there=False), self._creating():
                self.actual.update(self.create(desired) or {})
            return
        tags = changes.pop("tags", None)
        with self._stale_on_conflict(there=True):
            if changes:
                self.actual.update(self.update(before, changes) or {})
            if tags is not None:
                old = before.get("tags") or {}
                to_set = {k: v for k, v in tags.items() if old.get(k) != v}
                self.retag(before, to_set, sorted(old.keys() - tags.keys()))

    @contextlib.contextmanager
    def _creating(self) -> t.Iterator[None]:
        """Note that AWS may have it from now on, unless it refuses to make it."""
        refused = False
        try:
            yield
        except ClientError:
            refused = True
            raise
        finally:
            if self.allows_duplicates and not refused:
                self.aws.created_at[self.kind, self.name] = time.time()

    def _delete(self, before: State) -> None:
        with self._stale_on_conflict(there=True):
            self.delete(before)

    @contextlib.contextmanager
    def _stale_on_conflict(self, there: bool) -> t.Iterator[None]:
        """Take it for a sign of an AWS that is not up to date where it says the contrary to a change, or does not know what
        the change refers to: it shows some changes late, and not everywhere at once.
        """
        try:
            yield
        except ClientError as error:
            code, message = error_code(error), error.response["Error"].get("Message", "")
            late = is_conflict(code, message, there) or is_not_found_yet(code, message) or is_busy(code, message)
            if late or denies_new_role(self.aws.client, message):
                raise StaleState(explain(error)) from error
            raise

    def _remove(self) -> None:
        before = self.state = self._current()
        if before is None:
            return
        if self._owned_by_another(before):
            warn(f"{self.kind} {self.name} is kept: it has none of the tags {', '.join(OWNER_TAGS)}")
            return
        self.child_resources = self._read_children()
        for child in reversed(self.child_resources):
            child.absent = True
            child.reconcile()
        if reason := self.kept_because():
            warn(f"{self.kind} {self.name} is kept: {reason}")
            return
        self._note("delete", before, {})
        if not self.aws.check_mode and not self._deleted_with_parent():
            with self._stale_on_conflict(there=True):
                if self._busy(before):
                    self.wait_ready()
            self._delete(before)
        self.state = None

    def _deleted_with_parent(self) -> bool:
        """Whether AWS removes it, or has removed it, together with its parent."""
        replaced = self.parent and self.parent.change and self.parent.change["action"] == "replace"
        return self.deleted_with_parent and self.parent is not None and (self.parent.absent or bool(replaced))

    def _note(self, action: str, before: State | None, changes: State) -> None:
        self.change = Change(action=action, kind=self.kind, name=self.name, fields=fields(before, changes, self.secret), warnings=self.warn(before, changes))

    def _owned_by_another(self, before: State) -> bool:
        return owned_by_another(before.get("tags") or {}, self.tags or {})

    def _check_owner(self, before: State | None) -> None:
        if before is not None and self._owned_by_another(before):
            owner = ", ".join(f"{k}={v}" for k, v in owner_tags(self.tags).items())
            raise AwsError(f"it exists already and is not of this stack. Choose another name, or, to hand it over to the stack, give it the tags {owner}")

    def busy(self) -> bool:
        """Whether AWS is still at work on it or on anything inside it."""
        return bool(self.state and self.pending(self.state)) or any(child.busy() for child in self.child_resources)

    def _busy(self, state: State) -> bool:
        """Whether a change has to wait for AWS. What has failed can be changed or removed at once."""
        try:
            return self.pending(state)
        except AwsError:
            return False

    def wait_ready(self) -> None:
        """Wait until AWS has finished its work on this resource."""
        wait = Wait(f"{self.kind} {self.name}")
        for pause in backoff():
            state = self.describe()
            if state is not None:
                self.state = {**(self.state or {}), **state}
                if not self.pending(state):
                    return
            self.aws.before_wait()
            if wait.seconds > self.timeout:
                raise AwsError(f"AWS has not finished after {self.timeout} seconds; run the same command again to go on")
            wait.pause(pause, "not there yet" if state is None else self.progress(state))

    def wait_gone(self) -> None:
        """Wait until AWS no longer has this resource."""
        wait = Wait(f"the end of {self.kind} {self.name}")
        for pause in backoff():
            state = self.describe()
            if state is None:
                return
            self.aws.before_wait()
            if wait.seconds > self.timeout:
                raise AwsError(f"AWS has not removed it after {self.timeout} seconds; run the same command again")
            wait.pause(pause, self.progress(state))


def _shown(state: State, names: t.Collection[str], secret: t.Collection[str]) -> str:
    return ", ".join(f"{n}={SENSITIVE if n in secret else state.get(n)!r}" for n in sorted(names))

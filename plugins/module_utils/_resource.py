# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the base of the modules of this collection: describe, compare, act.

A subclass of L(Resource) says how one kind of AWS resource is read and changed; when, and whether at all, is decided
here, once: check mode, diff, tags, ownership, replacement, waiting, order and errors. A module is documentation plus a
list of resources handed to L(run).
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ansible.module_utils.common.warnings import warn  # AnsibleAWSModule's own says with each that it is deprecated

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._aws import (
    MAX_IN_FLIGHT,
    AnswerLost,
    Aws,
    AwsError,
    BotoCoreError,
    ClientError,
    LeaseError,
    OutOfDate,
    change_tags,
    contradicts,
    denies_new_role,
    does_not_know,
    error_code,
    explain,
    intervals,
    is_busy,
    together,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._progress import Wait
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._remedies import with_remedy

UNKNOWN = "(known after apply)"
"""Stands in a plan for what only AWS can say, such as the id of a resource that does not exist yet."""

SENSITIVE = "(sensitive)"
OWNER_TAGS = ("managed-by", "mlflow-stack")
"""The tags that say whose a resource is: a resource of the right name that has neither is somebody else's."""

RECOVERY = 90
"""Seconds that a module pauses, all in all, to start over where it does not know what AWS has done."""
CATCH_UP = 2.0
"""Seconds between the starts where AWS is not up to date: each reads all of the module's resources again."""

State = dict[str, t.Any]


class Change(t.TypedDict):
    """One line of a plan. C(fields) holds what differs, by dotted name; of a removal it is empty."""

    action: str  # create, update, replace or delete
    kind: str
    name: str
    fields: list[dict[str, t.Any]]  # name, before, after
    warnings: list[str]


def has_unknown(value: t.Any) -> bool:
    """Whether a value, or anything inside it, is only known after apply."""
    if isinstance(value, str):
        return UNKNOWN in value
    if isinstance(value, dict):
        return any(has_unknown(v) for v in value.values())
    return isinstance(value, (list, tuple, set)) and any(has_unknown(v) for v in value)


def differences(before: State | None, desired: State) -> State:
    """The desired fields that AWS does not have yet. None in C(desired) means: not managed."""
    before = before or {}
    return {k: v for k, v in desired.items() if v is not None and (k not in before or before[k] != v)}


def fields(before: State | None, changes: State, secret: t.Collection[str] = ()) -> list[dict[str, t.Any]]:
    """Changes as a person reads them: one entry for each value that differs, nested names joined by dots.

    >>> fields({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}})
    [{'name': 'a.c', 'before': 2, 'after': 3}]
    """
    entries = []
    for name, after in changes.items():
        old = (before or {}).get(name)
        if name in secret:
            entries.append({"name": name, "before": SENSITIVE if before else None, "after": SENSITIVE})
        elif isinstance(after, dict) and (isinstance(old, dict) or old is None) and after:
            old = old or {}
            different = {k: after.get(k) for k in sorted({*after, *old}) if after.get(k) != old.get(k)}
            entries += [{**e, "name": f"{name}.{e['name']}"} for e in fields(old, different)]
        else:
            entries.append({"name": name, "before": old, "after": after})
    return entries


def owner_tags(tags: dict[str, str]) -> dict[str, str]:
    """Those of the tags that say whose a resource is."""
    return {name: tags[name] for name in OWNER_TAGS if name in tags}


def owner(stack: str) -> dict[str, str]:
    """The owner tags of everything in a stack, as the role C(mlflow) gives them."""
    return dict(zip(OWNER_TAGS, ("mlplatform.mlflow_aws", stack), strict=True))


def foreign(has: dict[str, str], ours: dict[str, str]) -> bool:
    """Whether a resource with the tags C(has) is somebody else's. A lost C(mlflow-stack) tag alone does not make it so."""
    manager, stack = OWNER_TAGS
    if not owner_tags(ours):
        return False  # the caller makes no claim
    if stack in has:
        return has[stack] != ours.get(stack)
    return manager not in ours or has.get(manager) != ours[manager]


class Resource:
    """One AWS resource: how to read it and how to change it.

    C(spec) holds its parameters, C(needs) the resources of the same run that must be settled first (their C(state) is
    then at hand), C(parent) the resource that it lies in. After it was settled, C(state) is what AWS has, or in check
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
    goes_with_parent: t.ClassVar[bool] = False
    """Whether AWS removes it together with its parent: then its removal is a line of the plan, and no call."""
    twins: t.ClassVar[bool] = False
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
        self.inside: t.Sequence[Resource] = ()
        self._read_before: tuple[State | None] | None = None

    # What a subclass says.

    def describe(self) -> State | None:
        """What AWS has, in the form of C(desired) plus ids and C(tags), or None."""
        raise NotImplementedError

    def ahead(self) -> t.Sequence[t.Callable[[], t.Any]]:
        """What else to ask at the same time as describe(), each kept by L(Aws.once) for whoever needs it later."""
        return ()

    def desired(self) -> State:
        """What AWS should have. A field that is None is not managed. Tags are added by the base."""
        raise NotImplementedError

    def create(self, desired: State) -> State | None:
        """Make it, tags included; returns what AWS added (ids, endpoints)."""
        raise NotImplementedError

    def update(self, before: State, changes: State) -> State | None:
        """Change the fields in C(changes), which never holds tags; returns what AWS added, as create() does."""
        raise NotImplementedError

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        """Change tags. Only called for a resource that has C(tags)."""
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

    def fresh(self) -> bool:
        """Whether this run made it, or would make it: then nothing can be inside it yet."""
        return self.change is not None and self.change["action"] in ("create", "replace")

    def warn(self, before: State | None, changes: State) -> list[str]:
        """What a plan must say loudly of these changes: lost data, downtime, exposure."""
        return []

    # What the base does with it.

    def read_ahead(self) -> None:
        """Read before it is this resource's turn: what AWS has of it does not depend on what is settled first."""
        if self._read_before is None:
            with contextlib.suppress(AwsError, ClientError, BotoCoreError):  # it is asked again, and told, in its turn
                before, *_others = together(self.describe, *self.ahead())
                self._read_before = (before,)

    def peek(self) -> State | None:
        """What AWS has, before it is this resource's turn."""
        before = self._have()
        self.know(before)
        return before

    def know(self, before: State | None) -> None:
        """Take what AWS has from an answer that told of others too."""
        self._read_before = (before,)

    def _have(self) -> State | None:
        before, self._read_before = self._read_before, None
        if before:
            return before[0]
        with self._contradictions(there=True):  # it may go between two of the calls
            return self.describe()

    def _look_inside(self) -> t.Sequence[Resource]:
        with self._contradictions(there=True):  # it may have gone since it was read
            return self.children()

    def settle(self) -> None:
        """Bring AWS to the desired state, or in check mode work out what that would change."""
        if self.absent:
            self._remove()
            return
        parent = self.parent.change["action"] if self.parent and self.parent.change else "update"
        before = None if parent == "create" else self._have()
        self._check_owner(before)
        desired = self.desired()
        if self.tags is not None:
            desired["tags"] = {**self.tags, **desired.get("tags", {})}
        if not self.aws.check_mode and has_unknown(desired):
            raise AwsError("a value is not known although everything it depends on exists: please report this")
        changes = differences(before, desired)
        frozen = self.immutable & changes.keys() if before else frozenset()
        if frozen and not self.replaceable:
            raise AwsError(
                f"{', '.join(sorted(frozen))} cannot be changed on an existing {self.kind} "
                f"(it has {_shown(before, frozen, self.secret)}, the input asks for {_shown(desired, frozen, self.secret)})"
            )
        self.state = {**(before or self.unknown()), **{k: v for k, v in desired.items() if v is not None}}
        replaced = before is not None and (bool(frozen) or parent == "replace")
        if replaced:
            self.inside = self._look_inside()  # as long as it can be read: what is inside is replaced with it
        if changes or replaced or before is None:
            action = "replace" if replaced else "update" if before else "create"
            if self.twins and before is None and parent != "create" and not self.aws.check_mode:
                self.aws.before_wait()  # the lease says when the run before ended
                self.aws.read_late_enough(f"{self.kind} {self.name}", self.aws.made.get((self.kind, self.name), 0))
            self._note(action, before, changes)
            if replaced:
                self.state.update(self.unknown())
            if not self.aws.check_mode:
                self._apply(action, before, desired, changes)
        if not self.aws.check_mode and self.aws.module.params.get("wait", True):
            with self._contradictions(there=True):
                if self.pending(self.state):
                    self.wait_ready()
        if not replaced:
            self.inside = self._look_inside()

    def _apply(self, action: str, before: State | None, desired: State, changes: State) -> None:
        if before is not None and self._busy(before):  # a run before this one died while AWS was at work
            with self._contradictions(there=True):
                self.wait_ready()
        if action == "replace" and not self._went():
            self._delete(t.cast(State, before))
        if action != "update":
            with self._contradictions(there=False), self._making():
                self.state.update(self.create(desired) or {})
            return
        tags = changes.pop("tags", None)
        with self._contradictions(there=True):
            if changes:
                self.state.update(self.update(before, changes) or {})
            if tags is not None:
                old = before.get("tags") or {}
                to_set = {k: v for k, v in tags.items() if old.get(k) != v}
                self.retag(before, to_set, sorted(old.keys() - tags.keys()))

    @contextlib.contextmanager
    def _making(self) -> t.Iterator[None]:
        """Note that AWS may have it from now on, unless it refuses to make it."""
        refused = False
        try:
            yield
        except ClientError:
            refused = True
            raise
        finally:
            if self.twins and not refused:
                self.aws.made[self.kind, self.name] = time.time()

    def _delete(self, before: State) -> None:
        with self._contradictions(there=True):
            self.delete(before)

    @contextlib.contextmanager
    def _contradictions(self, there: bool) -> t.Iterator[None]:
        """Take it for a sign of an AWS that is not up to date where it says the contrary to a change, or does not know what
        the change refers to: it shows some changes late, and not everywhere at once.
        """
        try:
            yield
        except ClientError as error:
            code, message = error_code(error), error.response["Error"].get("Message", "")
            late = contradicts(code, message, there) or does_not_know(code, message) or is_busy(code, message)
            if late or denies_new_role(self.aws, message):
                raise OutOfDate(explain(error)) from error
            raise

    def _remove(self) -> None:
        before = self.state = self._have()
        if before is None:
            return
        if self._foreign(before):
            warn(f"{self.kind} {self.name} is kept: it has none of the tags {', '.join(OWNER_TAGS)}")
            return
        self.inside = self._look_inside()
        for child in reversed(self.inside):
            child.absent = True
            child.settle()
        self._note("delete", before, {})
        if not self.aws.check_mode and not self._went():
            with self._contradictions(there=True):
                if self._busy(before):
                    self.wait_ready()
            self._delete(before)
        self.state = None

    def _went(self) -> bool:
        """Whether AWS removes it, or has removed it, together with its parent."""
        replaced = self.parent and self.parent.change and self.parent.change["action"] == "replace"
        return self.goes_with_parent and self.parent is not None and (self.parent.absent or bool(replaced))

    def _note(self, action: str, before: State | None, changes: State) -> None:
        self.change = Change(action=action, kind=self.kind, name=self.name, fields=fields(before, changes, self.secret), warnings=self.warn(before, changes))

    def _foreign(self, before: State) -> bool:
        return foreign(before.get("tags") or {}, self.tags or {})

    def _check_owner(self, before: State | None) -> None:
        if before is not None and self._foreign(before):
            owner = ", ".join(f"{k}={v}" for k, v in owner_tags(self.tags).items())
            raise AwsError(f"it exists already and is not of this stack. Choose another name, or, to hand it over to the stack, give it the tags {owner}")

    def busy(self) -> bool:
        """Whether AWS is still at work on it or on anything inside it."""
        return bool(self.state and self.pending(self.state)) or any(child.busy() for child in self.inside)

    def _busy(self, state: State) -> bool:
        """Whether a change has to wait for AWS. What has failed can be changed or removed at once."""
        try:
            return self.pending(state)
        except AwsError:
            return False

    def wait_ready(self) -> None:
        """Wait until AWS has finished its work on this resource."""
        wait = Wait(f"{self.kind} {self.name}")
        for pause in intervals():
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
        for pause in intervals():
            state = self.describe()
            if state is None:
                return
            self.aws.before_wait()
            if wait.seconds > self.timeout:
                raise AwsError(f"AWS has not removed it after {self.timeout} seconds; run the same command again")
            wait.pause(pause, self.progress(state))


def settle(resources: t.Sequence[Resource]) -> list[Change]:
    """Settle resources, each after those it needs (in reverse where either is absent), at most MAX_IN_FLIGHT at a time.

    Returns the changes in the order of C(resources), each followed by those of its children. Where some fail, those that
    do not depend on them are finished first; then one AwsError names all, which is what all of them were, such as OutOfDate.
    """
    waiting: dict[Resource, set[Resource]] = {}
    running: dict[Future[None], Resource] = {}
    failed: set[Resource] = set()
    problems: list[str] = []
    kinds: set[type[Exception]] = set()
    results: dict[str, t.Any] = {}

    def add(more: t.Sequence[Resource]) -> None:
        waiting.update({resource: set() for resource in more})
        unsettled = {*waiting, *running.values(), *failed}  # a child may need what is under way just now
        for resource in more:
            for need in resource.needs:
                # What another still uses cannot go: the other is changed, or removed, before.
                first, then = (resource, need) if resource.absent or need.absent else (need, resource)
                if first in unsettled and then in waiting:
                    waiting[then].add(first)

    add(resources)
    with ThreadPoolExecutor(MAX_IN_FLIGHT) as pool:
        list(pool.map(Resource.read_ahead, resources))
        while True:
            for resource in [r for r, needs in waiting.items() if not needs]:
                del waiting[resource]
                running[pool.submit(resource.settle)] = resource
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                resource = running.pop(future)
                try:
                    future.result()
                except (AwsError, ClientError, BotoCoreError) as error:
                    reason = with_remedy(str(error)) if isinstance(error, AwsError) else explain(error)
                    failed.add(resource)
                    problems.append(f"{resource.kind} {resource.name}: {reason}")
                    kinds.add(type(error))
                    results.update(getattr(error, "results", {}))
                    continue  # what needs it stays in waiting, untouched
                for needs in waiting.values():
                    needs.discard(resource)
                if not resource.absent:
                    add(resource.inside)
    if problems:
        shared = (kind for kind in (AnswerLost, OutOfDate) if all(issubclass(each, kind) for each in kinds))
        raise next(shared, AwsError)("\n".join(problems), **results)
    if waiting:
        raise AssertionError(f"resources need each other: {', '.join(r.name for r in waiting)}")
    return noted(resources)


def noted(resources: t.Iterable[Resource]) -> list[Change]:
    """The changes of resources and of those inside them, as far as they came."""
    return [change for resource in resources for change in _changes(resource)]


def _changes(resource: Resource) -> t.Iterator[Change]:
    if resource.change:
        yield resource.change
    for child in resource.inside:
        yield from _changes(child)


def _shown(state: State, names: t.Collection[str], secret: t.Collection[str]) -> str:
    return ", ".join(f"{n}={SENSITIVE if n in secret else state.get(n)!r}" for n in sorted(names))


def run(module: t.Any, build: t.Callable[[Aws, dict[str, t.Any]], tuple[t.Sequence[Resource], t.Callable[[], dict[str, t.Any]]]]) -> t.NoReturn:
    """Run a module: C(build) gives its resources and a function that returns its results once they are settled.

    Where it is not known whether AWS has made a change, the module starts over: a second run of it would make up for a
    first that had died there, so it is the second run.
    """
    aws = Aws(module)
    changes: list[Change] = []
    wait, paused, soon = Wait("what AWS has done"), 0.0, intervals(0.25)
    try:
        while True:
            resources: t.Sequence[Resource] = ()
            try:
                resources, results = build(aws, module.params)
                changes = in_all(changes, settle(resources))
                returned = results()
                if not changes and module.params.get("state") == "absent":
                    aws.read_late_enough("what is to be removed")
                break
            except OutOfDate as error:
                pause = next(soon) if isinstance(error, AnswerLost) else CATCH_UP
                paused += pause
                if paused > RECOVERY:
                    raise
                changes = in_all(changes, noted(resources))
                aws.forget()
                wait.pause(pause, str(error))
        if "wait" in module.params:
            returned["ready"] = aws.check_mode or not any(resource.busy() for resource in resources)
    except AwsError as error:
        module.fail_json(msg=str(error), **error.results)
    except LeaseError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json(msg=explain(error))
    module.exit_json(changed=bool(changes), changes=changes, diff=[_diff(change) for change in changes], **returned)


def in_all(before: list[Change], more: list[Change]) -> list[Change]:
    """The changes of a module that started over: of a resource that it came back to, those that it noted first."""
    known = {(change["kind"], change["name"]) for change in before}
    return before + [change for change in more if (change["kind"], change["name"]) not in known]


def _diff(change: Change) -> dict[str, t.Any]:
    header = f"{change['kind']} {change['name']}"
    if change["action"] == "delete":
        return {"before_header": header, "after_header": header, "before": f"{header}\n", "after": ""}
    return {
        "before_header": header,
        "after_header": header,
        "before": {} if change["action"] == "create" else {f["name"]: f["before"] for f in change["fields"]},
        "after": {f["name"]: f["after"] for f in change["fields"]},
    }

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of the modules, on resources that live in a dict instead of AWS."""

from __future__ import annotations

import threading
import types
import typing as t

import pytest
from botocore.exceptions import ClientError

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine import progress
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine import resource as resources
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, StaleState
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.reconcile import reconcile
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import SENSITIVE, UNKNOWN, diff, differences, fields, has_unknown
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import is_ignored, owned_by_another

US = {"managed-by": "us", "mlflow-stack": "team"}


@pytest.mark.parametrize(
    ("has", "ours", "expected"),
    [
        (US, US, False),
        ({"mlflow-stack": "team"}, US, False),
        ({"managed-by": "us"}, US, False),
        ({}, US, True),
        ({"owner": "them"}, US, True),
        ({"managed-by": "them"}, US, True),
        ({"managed-by": "us", "mlflow-stack": "other"}, US, True),
        ({"mlflow-stack": "other"}, US, True),
        ({}, {}, False),
        ({"mlflow-stack": "team"}, {"team": "x"}, False),
        ({}, {"mlflow-stack": "team"}, True),
        ({"mlflow-stack": "team"}, {"managed-by": "us"}, True),
    ],
)
def test_foreign(has: dict[str, str], ours: dict[str, str], expected: bool) -> None:
    assert owned_by_another(has, ours) is expected


@pytest.mark.parametrize(
    ("key", "ignored", "expected"),
    [
        ("cost", ["cost"], True),
        ("cost-centre", ["cost"], False),
        ("cost-centre", ["cost-"], True),
        ("corp:owner", ["a", "corp:"], True),
        ("corporate", ["corp:"], False),
        ("Cost", ["cost"], False),
        ("cost", [], False),
    ],
)
def test_tags_of_others(key: str, ignored: list[str], expected: bool) -> None:
    assert is_ignored(key, ignored) is expected


@pytest.mark.parametrize(
    ("value", "expected"), [("x", False), (UNKNOWN, True), (f"arn:{UNKNOWN}:x", True), ({"a": [1, {"b": UNKNOWN}]}, True), ([], False), (None, False)]
)
def test_has_unknown(value: t.Any, expected: bool) -> None:
    assert has_unknown(value) is expected


@pytest.mark.parametrize(
    ("before", "desired", "expected"),
    [
        (None, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1, "id": "x"}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": None}, {}),
        ({"a": []}, {"a": None}, {}),
        ({"a": 1}, {"b": False}, {"b": False}),
        ({"a": "x"}, {"a": UNKNOWN}, {"a": UNKNOWN}),
    ],
)
def test_differences(before: dict[str, t.Any] | None, desired: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert differences(before, desired) == expected


@pytest.mark.parametrize(
    ("before", "changes", "secret", "expected"),
    [
        (None, {"a": 1}, (), [("a", None, 1)]),
        ({"a": 1}, {"a": 2}, (), [("a", 1, 2)]),
        ({"t": {"x": "1", "y": "2"}}, {"t": {"x": "1", "z": "3"}}, (), [("t.y", "2", None), ("t.z", None, "3")]),
        ({"t": {"x": {"y": 1}}}, {"t": {"x": {"y": 2}}}, (), [("t.x.y", 1, 2)]),
        ({"t": {"x": 1}}, {"t": {}}, (), [("t", {"x": 1}, {})]),
        ({"l": [1]}, {"l": [1, 2]}, (), [("l", [1], [1, 2])]),
        ({"p": "old"}, {"p": "new"}, ("p",), [("p", SENSITIVE, SENSITIVE)]),
        (None, {"p": "new"}, ("p",), [("p", None, SENSITIVE)]),
    ],
)
def test_fields(before: t.Any, changes: t.Any, secret: t.Any, expected: t.Any) -> None:
    assert [(f["name"], f["before"], f["after"]) for f in fields(before, changes, secret)] == expected


class FakeAws:
    """As much of Aws as the base itself uses."""

    def __init__(self, check_mode: bool = False, **params: t.Any) -> None:
        self.check_mode, self.log, self.world = check_mode, [], {}
        self.warnings: list[str] = []
        self.lock = threading.Lock()
        self.module = types.SimpleNamespace(params=params, warn=self.warnings.append)

    def before_wait(self) -> None:
        """Nothing: no run has a lease here."""


class Thing(Resource):
    kind = "thing"
    immutable = frozenset({"frozen"})
    inner: t.Sequence[Resource] = ()

    def describe(self) -> t.Any:
        self.aws.log.append(f"describe {self.name}")
        return self.aws.world.get(self.name)

    def desired(self) -> t.Any:
        return dict(self.spec)

    def unknown(self) -> t.Any:
        return {"id": UNKNOWN}

    def create(self, desired: t.Any) -> t.Any:
        self.aws.log.append(f"create {self.name}")
        self.aws.world[self.name] = {**desired, "id": self.name}
        return {"id": self.name}

    def update(self, before: t.Any, changes: t.Any) -> None:
        self.aws.log.append(f"update {self.name} {changes}")
        self.aws.world[self.name].update(changes)

    def retag(self, before: t.Any, to_set: t.Any, to_unset: t.Any) -> None:
        self.aws.log.append(f"retag {self.name} {to_set} {to_unset}")
        self.aws.world[self.name]["tags"] = self.tags

    def delete(self, before: t.Any) -> None:
        self.aws.log.append(f"delete {self.name}")
        del self.aws.world[self.name]

    def children(self) -> t.Sequence[Resource]:
        return self.inner


def acts(aws: FakeAws) -> list[str]:
    return [entry for entry in aws.log if not entry.startswith("describe")]


def test_create_then_nothing_then_update_then_remove() -> None:
    aws = FakeAws()
    assert [c["action"] for c in reconcile([Thing(aws, "a", {"x": 1}, tags=US)])] == ["create"]
    assert reconcile([Thing(aws, "a", {"x": 1}, tags=US)]) == []
    changes = reconcile([Thing(aws, "a", {"x": 2}, tags={**US, "t": 1})])  # a number, as YAML may give it
    assert changes[0]["fields"] == [{"name": "x", "before": 1, "after": 2}, {"name": "tags.t", "before": None, "after": "1"}]
    assert reconcile([Thing(aws, "a", absent=True, tags=US)])[0]["action"] == "delete"
    assert reconcile([Thing(aws, "a", absent=True, tags=US)]) == []
    assert acts(aws) == ["create a", "update a {'x': 2}", "retag a {'t': '1'} []", "delete a"]


def test_check_mode_says_the_same_and_does_nothing() -> None:
    for world, spec, absent in [({}, {"x": 1}, False), ({"a": {"x": 1, "tags": US}}, {"x": 2}, False), ({"a": {"tags": US}}, {}, True)]:
        said = []
        for check_mode in (True, False):
            aws = FakeAws(check_mode)
            aws.world.update({k: dict(v) for k, v in world.items()})
            said.append(reconcile([Thing(aws, "a", spec, absent=absent, tags=US)]))
            assert bool(acts(aws)) is not check_mode
        assert said[0] == said[1] != []


def test_unknown_ids_pass_through_a_plan_and_are_refused_outside() -> None:
    aws = FakeAws(check_mode=True)
    first = Thing(aws, "a", {})
    second = Thing(aws, "b", {"of": UNKNOWN}, needs=[first])
    reconcile([first, second])
    assert second.change["fields"] == [{"name": "of", "before": None, "after": UNKNOWN}]
    with pytest.raises(AwsError, match="not known"):
        reconcile([Thing(FakeAws(), "b", {"of": UNKNOWN})])


def test_somebody_elses_resource_is_refused_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(resources, "warn", warnings.append)
    aws = FakeAws()
    aws.world["a"] = {"x": 1, "tags": {"owner": "them"}}
    with pytest.raises(AwsError, match="managed-by=us, mlflow-stack=team"):
        reconcile([Thing(aws, "a", {"x": 2}, tags=US)])
    assert reconcile([Thing(aws, "a", absent=True, tags=US)]) == []
    assert acts(aws) == [] and "kept" in warnings[0]


def test_an_immutable_field_stops_the_run_in_a_plan_too() -> None:
    for check_mode in (True, False):
        aws = FakeAws(check_mode)
        aws.world["a"] = {"frozen": "old", "x": 1}
        with pytest.raises(AwsError, match="frozen cannot be changed.*'old'.*'new'"):
            reconcile([Thing(aws, "a", {"frozen": "new", "x": 2})])
        assert acts(aws) == []


def test_a_replaceable_resource_is_replaced() -> None:
    class Soft(Thing):
        replaceable = True

    aws = FakeAws()
    aws.world["a"] = {"frozen": "old"}
    assert reconcile([Soft(aws, "a", {"frozen": "new"})])[0]["action"] == "replace"
    assert acts(aws) == ["delete a", "create a"]


def test_order_follows_needs_and_is_reversed_for_removal() -> None:
    aws = FakeAws()
    a, b = Thing(aws, "a", {}), Thing(aws, "b", {})
    c = Thing(aws, "c", {}, needs=[a, b])
    reconcile([c, a, b])
    assert acts(aws).index("create c") == 2
    a, b = Thing(aws, "a", {}, absent=True), Thing(aws, "b", {}, absent=True)
    reconcile([a, b, Thing(aws, "c", {}, needs=[a, b], absent=True)])
    assert acts(aws)[3] == "delete c"


def test_what_goes_is_removed_after_what_no_longer_needs_it() -> None:
    aws = FakeAws()
    aws.world.update({"old": {}, "user": {"uses": "old"}})
    old, new = Thing(aws, "old", absent=True), Thing(aws, "new", {})
    reconcile([old, new, Thing(aws, "user", {"uses": "new"}, needs=[new, old])])
    assert acts(aws) == ["create new", "update user {'uses': 'new'}", "delete old"]


def test_children_of_a_new_parent_are_not_described() -> None:
    aws = FakeAws()
    parent = Thing(aws, "a", {})
    parent.inner = [Thing(aws, "a/1", {}, parent=parent)]
    changes = reconcile([parent])
    assert [c["name"] for c in changes] == ["a", "a/1"]
    assert aws.log == ["describe a", "create a", "create a/1"]


class Gone(Thing):
    """What goes before its inside is read."""

    def children(self) -> t.Any:
        raise ClientError({"Error": {"Code": "ThingNotFound"}}, "DescribeChildren")


def test_what_has_gone_when_its_inside_is_read_is_out_of_date() -> None:
    aws = FakeAws()
    aws.world["a"] = {"id": "a"}
    with pytest.raises(StaleState, match="ThingNotFound"):
        reconcile([Gone(aws, "a", {}, absent=True)])


def test_children_are_removed_before_their_parent() -> None:
    aws = FakeAws()
    aws.world.update({"a": {}, "a/1": {}, "a/2": {}})
    parent = Thing(aws, "a", absent=True)
    parent.inner = [Thing(aws, "a/1", parent=parent), Thing(aws, "a/2", parent=parent)]
    reconcile([parent])
    assert acts(aws) == ["delete a/2", "delete a/1", "delete a"]


class Inner(Thing):
    deleted_with_parent = True


def nested(aws: FakeAws, kind: type[Thing], spec: dict[str, t.Any], *, absent: bool = False) -> Thing:
    """A thing with two inside it, of which only a/1 is wanted, and in that a third."""
    parent = kind(aws, "a", spec, absent=absent)
    first, second = Inner(aws, "a/1", {}, parent=parent), Inner(aws, "a/2", parent=parent, absent=True)
    first.inner = [Inner(aws, "a/1/x", {}, parent=first)]
    parent.inner = [first, second]
    return parent


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_goes_with_its_parent_is_a_line_and_no_call(check_mode: bool) -> None:
    aws = FakeAws(check_mode)
    aws.world.update({"a": {}, "a/1": {}, "a/1/x": {}, "a/2": {}})
    changes = reconcile([nested(aws, Thing, {}, absent=True)])
    assert [(c["action"], c["name"]) for c in changes] == [("delete", name) for name in ("a", "a/1", "a/1/x", "a/2")]
    assert acts(aws) == ([] if check_mode else ["delete a"])


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_is_inside_is_replaced_with_its_parent(check_mode: bool) -> None:
    class Soft(Thing):
        replaceable = True

    aws = FakeAws(check_mode)
    aws.world.update({"a": {"frozen": "old"}, "a/1": {}, "a/2": {}})
    changes = reconcile([nested(aws, Soft, {"frozen": "new"})])
    assert [(c["action"], c["name"]) for c in changes] == [("replace", "a"), ("replace", "a/1"), ("create", "a/1/x"), ("delete", "a/2")]
    assert acts(aws) == ([] if check_mode else ["delete a", "create a", "create a/1", "create a/1/x"])


def test_the_diff_of_a_removal_shows_what_goes() -> None:
    aws = FakeAws(check_mode=True)
    aws.world["a"] = {"x": 1}
    (change,) = reconcile([Thing(aws, "a", absent=True)])
    assert (diff(change)["before"], diff(change)["after"]) == ("thing a\n", "")


def test_a_failure_names_the_resource_finishes_the_others_and_leaves_what_needs_it() -> None:
    class Broken(Thing):
        def create(self, desired: t.Any) -> t.Any:
            raise AwsError("no more of these")

    aws = FakeAws()
    broken = Broken(aws, "a", {})
    with pytest.raises(AwsError, match="thing a: no more of these"):
        reconcile([broken, Thing(aws, "b", {}), Thing(aws, "c", {}, needs=[broken])])
    assert acts(aws) == ["create b"]


def test_what_has_failed_can_be_changed_and_removed() -> None:
    class Failed(Thing):
        def pending(self, state: t.Any) -> bool:
            if state.get("x") == "broken":
                raise AwsError("AWS could not make it")
            return False

    aws = FakeAws()
    aws.world["a"] = {"x": "broken"}
    assert reconcile([Failed(aws, "a", {"x": "whole"})])[0]["action"] == "update"
    aws.world["a"] = {"x": "broken"}
    with pytest.raises(AwsError, match="could not make it"):
        reconcile([Failed(aws, "a", {"x": "broken"})])
    assert reconcile([Failed(aws, "a", absent=True)])[0]["action"] == "delete"


def test_waits_until_ready_and_only_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.time, "sleep", lambda seconds: None)

    class Slow(Thing):
        def create(self, desired: t.Any) -> t.Any:
            super().create(desired)
            self.aws.world[self.name]["polls"] = 3
            return {"polls": 3}

        def describe(self) -> t.Any:
            state = super().describe()
            if state and state.get("polls"):
                state["polls"] -= 1
            return dict(state) if state else None

        def pending(self, state: t.Any) -> bool:
            return bool(state.get("polls"))

    aws = FakeAws(wait=True)
    slow = Slow(aws, "a", {})
    reconcile([slow])
    assert slow.state["polls"] == 0
    aws = FakeAws(wait=False)
    slow = Slow(aws, "a", {})
    reconcile([slow])
    assert slow.state["polls"] == 3

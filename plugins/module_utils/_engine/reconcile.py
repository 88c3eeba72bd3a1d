# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: bring resources to their desired state, each after those that it needs, and run a module."""

from __future__ import annotations

import functools
import typing as t
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, MAX_IN_FLIGHT, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import (
    AwsError,
    BotoCoreError,
    ChangeRefused,
    ClientError,
    StaleState,
    UnknownOutcome,
    explain,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.remedies import with_remedy
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import Change, diff, merge_changes

RECOVERY = 90
"""Seconds that a module pauses, all in all, to start over where it does not know what AWS has done."""
CATCH_UP = 2.0
"""Seconds between the starts where AWS is not up to date: each reads all of the module's resources again."""

Build = t.Callable[[Aws, dict[str, t.Any]], tuple[t.Sequence[Resource], t.Callable[[], dict[str, t.Any]]]]
"""From a module's options to its resources, and to a function that returns its results once they are reconciled."""


def reconcile(resources: t.Sequence[Resource]) -> list[Change]:
    """Reconcile resources, each after those it needs (in reverse where either is absent), at most MAX_IN_FLIGHT at a time.

    Returns the changes in the order of ``resources``, each followed by those of its children. Where some fail, those that
    do not depend on them are finished first; then one AwsError names all, which is what all of them were, such as StaleState.
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
        list(pool.map(lambda resource: resource.prefetch(), resources))
        while True:
            for resource in [r for r, needs in waiting.items() if not needs]:
                del waiting[resource]
                running[pool.submit(resource.reconcile)] = resource
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                resource = running.pop(future)
                try:
                    future.result()
                except (AwsError, ClientError, BotoCoreError) as error:
                    failed.add(resource)
                    problems.append(_problem(resource, error))
                    kinds.add(type(error))
                    results.update(getattr(error, "results", {}))
                    continue  # what needs it stays in waiting, untouched
                for needs in waiting.values():
                    needs.discard(resource)
                if not resource.absent:
                    add(resource.child_resources)
    if problems:
        shared = (kind for kind in (UnknownOutcome, StaleState) if all(issubclass(each, kind) for each in kinds))
        raise next(shared, AwsError)("\n".join(problems), **results)
    if waiting:
        raise AssertionError(f"resources need each other: {', '.join(r.name for r in waiting)}")
    return collect_changes(resources)


def read(*resources: Resource) -> None:
    """Read resources at the same time, before it is their turn, because others follow from what AWS has of them. An error names its resource."""
    run_concurrently(*(functools.partial(_read, resource) for resource in resources))


def _read(resource: Resource) -> None:
    try:
        resource.read()
    except StaleState:
        raise
    except (AwsError, ClientError, BotoCoreError) as error:
        raise AwsError(_problem(resource, error)) from error


def _problem(resource: Resource, error: Exception) -> str:
    reason = with_remedy(str(error)) if isinstance(error, AwsError) else explain(error)
    return f"{resource.kind} {resource.name}: {reason}"


def collect_changes(resources: t.Iterable[Resource]) -> list[Change]:
    """The changes of resources and of those inside them, as far as they came."""
    return [change for resource in resources for change in _changes(resource)]


def _changes(resource: Resource) -> t.Iterator[Change]:
    if resource.change:
        yield resource.change
    for child in resource.child_resources:
        yield from _changes(child)


def run(aws: Aws, build: Build) -> None:
    """Run a module: `build` gives its resources and a function that returns its results once they are reconciled.

    Where it is not known whether AWS has made a change, the module starts over: a second run of it would make up for a
    first that had died there, so it is the second run.
    """
    module = aws.module
    changes: list[Change] = []
    wait, paused, soon = Wait("what AWS has done"), 0.0, backoff(0.25)
    try:
        while True:
            resources: t.Sequence[Resource] = ()
            try:
                resources, results = build(aws, module.params)
                changes = merge_changes(changes, reconcile(resources))
                returned = results()
                if not changes and module.params.get("state") == "absent":
                    aws.wait_for_consistency("what is to be removed")
                break
            except StaleState as error:
                pause = next(soon) if isinstance(error, UnknownOutcome) else CATCH_UP
                paused += pause
                if paused > RECOVERY:
                    raise
                changes = merge_changes(changes, collect_changes(resources))
                aws.invalidate()
                wait.pause(pause, str(error))
        if "wait" in module.params:
            returned["ready"] = aws.check_mode or not any(resource.busy() for resource in resources)
    except AwsError as error:
        module.fail_json(msg=str(error), **error.results)
    except ChangeRefused as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json(msg=explain(error))
    module.exit_json(changed=bool(changes), changes=changes, diff=[diff(change) for change in changes], **returned)

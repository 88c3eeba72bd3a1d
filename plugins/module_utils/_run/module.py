# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what every module begins with: the engine with the guards of this run, and the remedies of this stack."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine import reconcile, remedies
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.hooks import CheckModeGuard, FewConnections
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import RepeatUntilTaken
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.lease import LEASE, LeaseManager, RefuseWithoutLease
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.recorded_responses import RESPONSES, RecordedResponses, ResponseRecorder
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.remedies import REMEDIES

remedies.use(REMEDIES)


def run(module: t.Any, build: reconcile.Build) -> None:
    """Run a module: `build` gives its resources and a function that returns its results once they are reconciled."""
    reconcile.run(connect(module), build)


def connect(module: t.Any) -> Aws:
    """AWS as a module of this run may use it: what this run has recorded it takes from there, and changes need the lease."""
    aws = guarded(module)
    file = os.environ.get(RESPONSES)
    if file:
        responses = RecordedResponses(file)
        aws.reading_since = responses.since or aws.reading_since
        aws.hooks.append(responses)
    return aws


def recording(module: t.Any) -> tuple[Aws, ResponseRecorder]:
    """AWS, and what records its responses, for this module and for those to come."""
    aws, recorder = guarded(module), ResponseRecorder(os.environ.get(RESPONSES))
    aws.hooks.append(recorder)
    return aws, recorder


def guarded(module: t.Any) -> Aws:
    """AWS with nothing but its guards."""
    aws = Aws(module)
    manager = lease_manager(aws)
    if aws.check_mode:
        aws.hooks.append(CheckModeGuard())
    else:
        aws.hooks += [RepeatUntilTaken(), manager or RefuseWithoutLease()]
    aws.hooks.append(FewConnections())
    return aws


def lease_manager(aws: Aws) -> LeaseManager | None:
    """The manager of this run's lease, where it has one to take."""
    option = os.environ.get(LEASE)
    return LeaseManager(aws, json.loads(option)) if option and not aws.check_mode else None

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module of the collection in this process, as Ansible would, against the embedded AWS."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import os
import typing as t
from unittest import mock

import botocore.hooks
import botocore.loaders
from ansible.module_utils.testing import patch_module_args
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.lease import LEASE

# One loader for all runs: reading the service models of AWS from disk is most of the work of a run.
botocore.loaders.create_loader = functools.cache(botocore.loaders.create_loader)
# Most of the rest: each run's session registers a hundred handlers, and finds out what their events and arguments are.
current_name = functools.cache(botocore.hooks.EventAliaser(None)._alias_event_name)
botocore.hooks.EventAliaser._alias_event_name = lambda _self, name: current_name(name)
botocore.hooks.accepts_kwargs = functools.lru_cache(1000)(botocore.hooks.accepts_kwargs)


class ModuleFailed(Exception):
    """What fail_json was called with."""

    def __init__(self, result: dict[str, t.Any]) -> None:
        super().__init__(result.get("msg"))
        self.result = result


def run_module(name: str, params: dict[str, t.Any], aws: t.Any, *, check: bool = False, action_plugin: bool = True) -> dict[str, t.Any]:
    """The result of the module C(name) with C(params). Raises ModuleFailed where the module fails.

    C(action_plugin): whether it is told what its action plugin tells it, that there is no lease unless a test says otherwise.
    """
    module = importlib.import_module(f"ansible_collections.mlplatform.mlflow_aws.plugins.modules.{name}")
    arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
    output = io.StringIO()
    environment = {**({LEASE: ""} if action_plugin else {}), **os.environ, **aws.env}
    with mock.patch.dict(os.environ, environment), patch_module_args(arguments), contextlib.redirect_stdout(output):
        with contextlib.suppress(SystemExit):
            module.main()
    result = json.loads(output.getvalue())
    if result.get("failed"):
        raise ModuleFailed(result)
    return result

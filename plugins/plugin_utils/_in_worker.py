# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: run a module of this collection in the worker that Ansible has already forked, instead of a new Python process.

Ansible's controller imports an action plugin before it forks a worker for the task, so what is imported here is loaded once
for all tasks. A module still is an ordinary module, and runs as one wherever it is not certain that this makes no difference.

Each module has an action plugin of its own, of 12 lines. One for all, by ``plugin_routing.action.<module>.redirect``, does not work: all modules
then resolve to one action, and Ansible applies the ``module_defaults`` of one module to every other ("Unsupported parameters for iam_roles:
ca_file", which roles/ecs/tasks/prepare.yml gives to mlflow_backend_store). A module without an action plugin gets no lease, and changes nothing.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import re
import sys
import typing as t
from pathlib import Path
from urllib.parse import quote

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils import _internal, basic
from ansible.module_utils.ansible_release import __version__
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.plugins.loader import module_loader
from ansible.utils.display import Display

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine import progress
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.lease import LEASE
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.recorded_responses import RESPONSES
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.forms import is_role_arn
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.assumed_role import DNS_ROLE, ROLE, Role

gc.disable()  # as long as only what stays is made
try:
    from ansible.module_utils._internal._ansiballz import _loader
    from ansible.module_utils.common.json import Direction, get_module_decoder, get_module_encoder
    from ansible.plugins.loader import connection_loader, filter_loader, get_shell_plugin, lookup_loader, test_loader

    import ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module  # noqa: F401, pylint: disable=unused-import
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import preload

    preload()
    POSSIBLE = __version__.startswith(("2.19.", "2.20.", "2.21.", "2.22."))  # what it is tested with: it uses internals of core
except ImportError:  # boto3 is missing: the module says so in the usual way; or this is another Ansible
    POSSIBLE = False

PROFILE = "legacy"  # how arguments and results of a module are written as JSON

if POSSIBLE:  # what Ansible itself would look for and load again in each worker
    for direction in Direction:
        get_module_encoder(PROFILE, direction)
        get_module_decoder(PROFILE, direction)
    connection_loader.get("local", class_only=True)
    get_shell_plugin("sh")
    test_loader.get("ansible.builtin.defined")  # and with it all tests of Ansible's own
    with contextlib.suppress(KeyError):  # where this is imported without Ansible, which alone knows of collections
        filter_loader.get("mlplatform.mlflow_aws.from_text")  # and with it all filters of this one
    lookup_loader.get("mlplatform.mlflow_aws.inputs", class_only=True)
gc.freeze()  # or each fork copies the pages that the garbage collector touches
# The controller and each worker would look through all that they hold many times in a run of seconds, and find next to nothing.
gc.set_threshold(100_000, 50, 100)
gc.enable()


def lease_of(task_vars: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """What preflight has said of the lease of this run's stack, once it has."""
    return task_vars.get("mlflow_account", {}).get("lease")


def _responses_of(host: str) -> Path:
    """The file of what AWS has answered in this run, where it has: in the directory that Ansible removes at its end."""
    return Path(C.DEFAULT_LOCAL_TMP, f"mlflow-responses-{quote(host, safe='')}")


class InWorker(ActionBase):
    """An action plugin whose modules run in the worker where that is safe."""

    def __init_subclass__(cls) -> None:
        """Import the module of the same name here, in the controller, once for all workers."""
        if POSSIBLE and ".plugins.action." in cls.__module__:
            importlib.import_module(cls.__module__.replace(".plugins.action.", ".plugins.modules."))

    def _execute_module(
        self, module_name: str | None = None, module_args: dict[str, t.Any] | None = None, task_vars: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> dict[str, t.Any]:
        name = module_name or self._task.action
        self._give_lease(task_vars or {})
        self._give_role(task_vars or {}, ROLE, "mlflow_aws_assume_role")
        self._give_role(task_vars or {}, DNS_ROLE, "mlflow_dns_assume_role")
        resolved = module_loader.find_plugin_with_context(name, collection_list=self._task.collections).plugin_resolved_name
        responses = _responses_of((task_vars or {}).get("inventory_hostname", ""))
        if not self._is_safe(resolved, task_vars or {}, kwargs):
            responses.unlink(missing_ok=True)  # it would not know that what it changes is in there
            return super()._execute_module(module_name=module_name, module_args=module_args, task_vars=task_vars, **kwargs)
        self._tell(RESPONSES, str(responses))
        arguments = dict(self._task.args if module_args is None else module_args)
        self._update_module_args(name, arguments, task_vars)
        with self._environment(), _shown(str((task_vars or {}).get("inventory_hostname", ""))):
            answer = _run(resolved, arguments)
        result = self._parse_returned_data(answer, PROFILE)
        if isinstance(result, dict):  # ansible-core 2.19 and 2.20
            from ansible.vars.clean import remove_internal_keys

            remove_internal_keys(result)
            return result
        result.remove_internal_keys()
        return result.as_result_dict(for_round_trip=True)

    def _give_lease(self, task_vars: dict[str, t.Any]) -> None:
        """Tell the module which stack its run is to have for itself, once preflight has checked the inputs."""
        lease = None if self._task.check_mode else lease_of(task_vars)
        self._tell(LEASE, json.dumps(lease) if lease else "")

    def _give_role(self, task_vars: dict[str, t.Any], told_as: str, name: str) -> None:
        """Tell the module a role that it has to take on, where the team file names one. What is wrong with it, preflight says."""
        try:
            arn, duration, external_id, stack = (
                self._templar.template(task_vars.get(variable, ""))
                for variable in (f"{name}_arn", f"{name}_duration", f"{name}_external_id", "mlflow_unique_name")
            )
            if not isinstance(arn, str) or not is_role_arn(arn):
                return
            session = "mlflow-" + re.sub("[^a-z0-9-]", "", str(stack))
            role = Role(arn, session[:64], int(duration or 3600), str(external_id or ""))
        except (AnsibleError, TypeError, ValueError):
            return
        directory = Path(C.DEFAULT_LOCAL_TMP, f"{name}-{quote(task_vars.get('inventory_hostname', ''), safe='')}")
        role.note(directory)
        self._tell(told_as, str(directory))

    def _tell(self, variable: str, value: str) -> None:
        """Give the module a variable of the environment."""
        self._task.environment = [*(self._task.environment or []), {variable: value}]

    def _is_safe(self, name: str | None, task_vars: dict[str, t.Any], kwargs: dict[str, t.Any]) -> bool:
        """Whether the module would run here, now, as this user, in this Python, and once: its globals outlive a run."""
        task = self._task
        return (
            POSSIBLE
            and name is not None
            and name.startswith("ansible_collections.mlplatform.mlflow_aws.")
            and getattr(self._connection, "transport", None) == "local"
            and not self._connection.become
            and not task.async_val
            and not kwargs.get("wrap_async")
            and not (task.loop or task.loop_with or task.until)
            and not C.DEFAULT_KEEP_REMOTE_FILES
            and not C.DEFAULT_DEBUG
            and self._same_python(task_vars)
            and basic.boolean(self._templar.template(task_vars.get("mlflow_run_in_worker", True)))
        )

    def _same_python(self, task_vars: dict[str, t.Any]) -> bool:
        interpreter = task_vars.get("ansible_python_interpreter", "")
        if interpreter == "{{ ansible_playbook_python }}":  # as our playbooks have it: a millisecond less for each task
            interpreter = task_vars.get("ansible_playbook_python")
        else:
            interpreter = self._templar.template(interpreter)
        return isinstance(interpreter, str) and interpreter == sys.executable

    @contextlib.contextmanager
    def _environment(self) -> t.Iterator[None]:
        """The environment of the task, as long as its module runs."""
        before = dict(os.environ)
        try:
            for more in self._task.environment or []:
                if more:
                    os.environ.update({k: str(v) for k, v in self._templar.template(more).items()})
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


class ActionModule(InWorker, NormalAction):
    """What Ansible does for any module, in the worker."""


@contextlib.contextmanager
def _shown(host: str) -> t.Iterator[None]:
    """Whatever the module has to say while it runs is shown, and logged, at once, with the name of the host."""
    progress.show = lambda line: Display().display(f"{host}: {line}", stderr=True)  # which goes through the controller
    try:
        yield
    finally:
        progress.show = None


@contextlib.contextmanager
def _as_module() -> t.Iterator[None]:
    """Whatever asks Ansible is told that this is no controller, so that warnings go into the result, as a module's do."""
    _internal.is_controller = False
    try:
        yield
    finally:
        _internal.is_controller = True


def _run(name: str, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    """Run ``main()`` of a module as a process of its own would, and return that process's exit status and output."""
    encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder).encode()
    basic._ANSIBLE_PROFILE = PROFILE
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _as_module():
        try:
            importlib.import_module(name).main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 0
        except Exception as error:  # the result that Ansible's own loader makes of it
            with contextlib.suppress(SystemExit):
                _loader._handle_exception(error, PROFILE)
            status = 1
    return {
        "rc": status,
        "stdout": out.getvalue(),
        "stderr": err.getvalue(),
        "stdout_lines": out.getvalue().splitlines(),
        "stderr_lines": err.getvalue().splitlines(),
    }

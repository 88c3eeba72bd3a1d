# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers the inputs of a stack from the variables of its host, checks them, and lets the module check them with AWS."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
from functools import cache
from pathlib import Path

from ansible import constants as C
from ansible.errors import AnsibleError

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.lease import this_run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.check import check, check_policy, check_token, unknown_names
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs, Problem, Spec
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack import imports
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.restore import validate_request
from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._in_worker import InWorker
from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._inputs import ROLES, input_spec, read_yaml

NO_INPUTS = ("mlflow_account", "mlflow_outputs", "mlflow_scope", "mlflow_prefetch")
"""The names with our prefix that are no inputs: facts of a run, and what playbooks hand to the role ``mlflow``."""
WRITTEN = b"# Written by mlplatform.mlflow_aws.bootstrap"
"""How the team file begins that bootstrap writes."""
ASKING = ("mlflow_aws_", "mlflow_dns_assume_role_", "mlflow_run_in_worker")
"""How the inputs begin without which AWS cannot be asked."""

input_spec()  # before Ansible forks, once for all who need it


@cache
def _exported() -> dict[str, t.Any]:
    """What the role ``mlflow`` exports to the others, which nobody can give."""
    files = sorted((ROLES / "mlflow/vars/main").glob("*.yml"))
    return {name: value for file in files for name, value in read_yaml(file).items() if name.startswith("mlflow_")}


def _not_inputs(variables: dict[str, t.Any]) -> set[str]:
    """The names with our prefix that are no inputs. An exported one that somebody gave all the same is a wrong input."""
    return {*NO_INPUTS, *(name for name, value in _exported().items() if variables.get(name) == value)}


class ActionModule(InWorker):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        began = time.time()
        result = super().run(tmp, task_vars)
        variables, spec = task_vars or {}, input_spec()
        scope = self._task.args.get("scope", "site")
        problems = unknown_names(variables.keys() - _not_inputs(variables), spec)
        given, unrendered = self._given(variables, spec)
        if scope in ("policy", "token"):  # which ask AWS for nothing, and change nothing there
            found = [*check_policy(given, spec), *_no_directory(given)] if scope == "policy" else [*check_token(given, spec), *_unwritable(given, scope)]
            problems += [*unrendered, *found]
            return self._failed(result, problems) if problems else {**result, "failed": False, "changed": False}
        _remove_plan(given)
        inputs, more = check(given, spec, bootstrap=scope == "bootstrap")
        told = {problem.variable for problem in unrendered} | _derived(variables, spec)
        problems += unrendered + [problem for problem in more if problem.variable not in told]
        problems += self._duplicates(variables, given, "mlflow_unique_name", variables.get("groups", {}).get("mlflow", []))
        if self._task.check_mode:  # a plan
            problems += self._duplicates(variables, given, "mlflow_plan_path", variables.get("ansible_play_hosts_all", []))
        problems += [*_unwritable(inputs, scope), *_two_credentials(inputs)]
        if scope == "bootstrap" and inputs.get("mlflow_bootstrap_state") == "present":
            problems += _others_file(inputs)
        removal = scope == "destroy" or (scope == "bootstrap" and inputs.get("mlflow_bootstrap_state") == "absent")
        if removal and not self._task.check_mode:
            problems += _confirmation(inputs, "mlflow_confirm_destroy", "to remove everything that is called so")
        if scope == "restore":
            problems += validate_request(inputs)
            if not self._task.check_mode:
                problems += _confirmation(inputs, "mlflow_confirm_restore", "to put other data in the place of its database")
        if scope == "import":
            problems += imports.validate_request(inputs)
            if inputs.get("mlflow_confirm_import"):
                problems += _confirmation(inputs, "mlflow_confirm_import", "to put the copy in the place of its database")
        answer: dict[str, t.Any] = {}
        if not any(problem.variable.startswith(ASKING) for problem in problems):
            answer = self._execute_module(
                module_name="mlplatform.mlflow_aws.preflight",
                module_args={**self._task.args, "inputs": inputs, "prefetch": not problems and self._task.args.get("prefetch", False)},
                task_vars=task_vars,
            )
            if answer.get("failed") and not answer.get("problems"):  # it broke off
                return {**result, **answer}
        if problems or answer.get("problems"):
            return self._failed(result, problems, answer.get("problems", []))
        lease = self._lease(inputs, variables, began)
        return {**result, **answer, "failed": False, "lease": lease}

    def _lease(self, inputs: Inputs, variables: dict[str, t.Any], began: float) -> dict[str, t.Any]:
        """What all modules of this run need to know to take the lease of the stack."""
        playbook = str(variables.get("ansible_play_name", ""))
        return {
            "stack": inputs["mlflow_unique_name"],
            "tags": self._templar.template(variables["mlflow_stack_tags"]),
            "break": inputs.get("mlflow_break_lease", ""),
            "began": began,
            "holder": this_run(playbook, os.getppid(), C.DEFAULT_LOCAL_TMP)._asdict(),
        }

    def _given(self, variables: dict[str, t.Any], spec: Spec) -> tuple[Inputs, list[Problem]]:
        """The inputs with their templates rendered, and a problem for each that cannot be."""
        given, problems = {}, []
        for name in sorted(spec.keys() & variables.keys()):
            try:
                given[name] = self._templar.template(variables[name])
            except AnsibleError as error:
                reason = " ".join(str(error.message).split())
                problems.append(Problem(name, None, f"its template cannot be rendered: {reason}"))
        derived = _derived(variables, spec)
        return given, [problem for problem in problems if problem.variable not in derived]

    def _duplicates(self, variables: dict[str, t.Any], given: Inputs, name: str, hosts: list[str]) -> list[Problem]:
        """Two hosts with one name would overwrite each other's stack, with one path each other's plan."""
        value = given.get(name)
        if not value or not isinstance(value, str):
            return []
        me, hostvars = variables["inventory_hostname"], variables["hostvars"]
        duplicates = [host for host in hosts if host != me and _value(hostvars, host, name) == value]
        return [Problem(name, value, f"the host {duplicates[0]} has it too: give each stack its own")] if duplicates else []

    def _failed(self, result: dict[str, t.Any], problems: list[t.Any], more: t.Sequence[str] = ()) -> dict[str, t.Any]:
        lines = list(dict.fromkeys([*map(str, problems), *more]))
        count = f"{len(lines)} problems" if len(lines) > 1 else "1 problem"
        # The screen shows msg twice and the rest once: the problems are not in msg, and this key puts each on a line of its own.
        listed = {"problems": lines, "_ansible_verbose_always": True}
        return {**result, "failed": True, "changed": False, "msg": f"Nothing was changed. {count} to solve first.", **listed}


def _derived(variables: dict[str, t.Any], spec: Spec) -> set[str]:
    """The inputs whose default is in force and refers to another input, which is at fault where it comes out wrong."""
    return {name for name, option in spec.items() if "{{" in str(option.get("default")) and variables.get(name) == option["default"]}


def _remove_plan(given: Inputs) -> None:
    """Remove the plan of an earlier run, so that a plan file is always of the last one. What is no regular file is left alone."""
    path = given.get("mlflow_plan_path")
    if path and isinstance(path, str):
        with contextlib.suppress(OSError, ValueError):  # a file that cannot be written either is told as a problem
            plan = Path(_absolute(path))
            if plan.is_file():
                plan.unlink()


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(os.path.expandvars(path)))


def _unwritable(inputs: Inputs, scope: str) -> t.Iterator[Problem]:
    """A run must not find out at its end, after the deployment, that it cannot write its files."""
    written = {"bootstrap": "mlflow_bootstrap_team_file", "token": "mlflow_token_path"}
    for name in ("mlflow_plan_path", written.get(scope, "mlflow_outputs_path")):
        if not inputs.get(name):
            continue
        path = _absolute(inputs[name])
        folder, file = os.path.split(path)
        if os.path.isdir(path):
            yield Problem(name, inputs[name], "this is a folder: give the path of a file in it")
        elif len(os.fsencode(file)) > 255 or not os.access(folder, os.W_OK | os.X_OK):
            yield Problem(name, inputs[name], "no such file can be written: make its folder, or give another path")


def _no_directory(given: Inputs) -> t.Iterator[Problem]:
    name = "mlflow_policy_directory"
    path = given.get(name)
    if isinstance(path, str) and "\0" not in path and not os.access(_absolute(path), os.W_OK | os.X_OK):
        yield Problem(name, path, "no files can be written there: make this directory, or give another one")


def _others_file(inputs: Inputs) -> t.Iterator[Problem]:
    """The file that bootstrap would write, where somebody else wrote it: it may be the very file that the inputs are in."""
    name = "mlflow_bootstrap_team_file"
    if inputs.get(name) == "":
        yield Problem(name, "", "it is empty: give the path of the file that bootstrap is to write")
    path = Path(_absolute(inputs[name])) if inputs.get(name) else None
    if path and path.is_file() and WRITTEN not in path.read_bytes()[:200]:
        yield Problem(name, inputs[name], "bootstrap did not write this file: give the path of another one, which it may write")


def _two_credentials(inputs: Inputs) -> t.Iterator[Problem]:
    profile = inputs.get("mlflow_aws_profile")
    if profile and os.environ.get("AWS_ACCESS_KEY_ID") and not inputs.get("mlflow_aws_assume_role_arn"):
        yield Problem("mlflow_aws_profile", profile, "AWS_ACCESS_KEY_ID is set too: unset it, or leave the profile out")


def _confirmation(inputs: Inputs, variable: str, purpose: str) -> list[Problem]:
    name, given = inputs.get("mlflow_unique_name", ""), inputs.get(variable, "")
    return [] if given == name else [Problem(variable, given, f"{purpose}, add -e {variable}={name}")]


def _value(hostvars: t.Any, host: str, name: str) -> t.Any:
    try:
        return hostvars[host].get(name)
    except AnsibleError:
        return None

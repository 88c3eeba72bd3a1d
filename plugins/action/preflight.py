# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers the inputs of a stack from the variables of its host, checks them, and lets the module check them with AWS."""

from __future__ import annotations

import contextlib
import typing as t
from functools import cache
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils import _inputs, _restore
from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._in_worker import InWorker

SPEC = Path(__file__).parents[2] / "roles" / "mlflow" / "meta" / "argument_specs.yml"
FIXED = ("rds_master_username", "rds_database_name", "s3_bucket_name")
"""Variables of the roles that AWS cannot change later."""
NO_INPUTS = ("mlflow_account", "mlflow_outputs", "mlflow_stack_tags")
"""The names with our prefix that are no inputs: what the role C(mlflow) exports to others, and the fact that a run leaves."""


@cache
def input_spec() -> _inputs.Spec:
    """The inputs as the role C(mlflow) declares them, each description as a list of strings."""
    options = yaml_load(SPEC.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    for option in options.values():
        if isinstance(option["description"], str):
            option["description"] = [option["description"]]
    return options


class ActionModule(InWorker):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        spec = input_spec()
        given, problems = self._given(task_vars or {}, spec)
        problems += self._twins(task_vars or {}, given, "mlflow_unique_name", (task_vars or {}).get("groups", {}).get("mlflow", []))
        if self._task.check_mode:  # a plan
            problems += self._twins(task_vars or {}, given, "mlflow_plan_path", (task_vars or {}).get("ansible_play_hosts_all", []))
        scope = self._task.args.get("scope", "site")
        inputs, more = _inputs.check(given, spec, bootstrap=scope == "bootstrap")
        problems += more
        removal = scope == "destroy" or (scope == "bootstrap" and inputs.get("mlflow_bootstrap_state") == "absent")
        if removal and not self._task.check_mode:
            problems += _confirmation(inputs, "mlflow_confirm_destroy", "to remove everything that is called so")
        if scope == "restore":
            problems += _restore.which(inputs)
            if not self._task.check_mode:
                problems += _confirmation(inputs, "mlflow_confirm_restore", "to put other data in the place of its database")
        answer: dict[str, t.Any] = {}
        if not any(problem.variable.startswith("mlflow_aws_") for problem in problems):
            answer = self._execute_module(
                module_name="mlplatform.mlflow_aws.preflight",
                module_args={**self._task.args, "inputs": inputs, "roles": self._roles(task_vars or {})},
                task_vars=task_vars,
            )
            if answer.get("failed") and not answer.get("problems"):
                return {**result, **answer} if not problems else self._failed(result, problems, [answer["msg"]])
        if problems or answer.get("problems"):
            return self._failed(result, problems, answer.get("problems", []))
        return {**result, **answer, "failed": False}

    def _given(self, task_vars: dict[str, t.Any], spec: _inputs.Spec) -> tuple[_inputs.Inputs, list[_inputs.Problem]]:
        names = [name for name in task_vars if name.startswith("mlflow_") and name not in NO_INPUTS]
        problems = _inputs.unknown_names(names, spec)
        given = {}
        for name in spec.keys() & set(names):
            try:
                given[name] = self._templar.template(task_vars[name])
            except AnsibleError as error:
                problems.append(_inputs.Problem(name, "", f"its template cannot be rendered: {error.message}"))
        return given, problems

    def _roles(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The values of these variables, except what follows from the account, which is not known yet."""
        defaults = yaml_load((SPEC.parents[2] / "rds" / "defaults" / "main.yml").read_text(encoding="utf-8"))
        values = {}
        for name in FIXED:
            with contextlib.suppress(AnsibleError):
                values[name] = self._templar.template(task_vars.get(name, defaults.get(name)))
        return values

    def _twins(
        self, task_vars: dict[str, t.Any], given: _inputs.Inputs, name: str, hosts: list[str]
    ) -> list[_inputs.Problem]:
        """Two hosts with one name would overwrite each other's stack, with one path each other's plan."""
        value = given.get(name)
        if not value or not isinstance(value, str):
            return []
        me, hostvars = task_vars["inventory_hostname"], task_vars["hostvars"]
        twins = [host for host in hosts if host != me and _value(hostvars, host, name) == value]
        return [_inputs.Problem(name, value, f"the host {twins[0]} has it too: give each stack its own")] if twins else []

    def _failed(self, result: dict[str, t.Any], problems: list[t.Any], more: list[str]) -> dict[str, t.Any]:
        lines = [str(problem) for problem in problems] + more
        count = f"{len(lines)} problems" if len(lines) > 1 else "1 problem"
        message = f"Nothing was changed. {count} to solve first:\n" + "\n".join(f"- {line}" for line in lines)
        return {**result, "failed": True, "changed": False, "msg": message, "problems": lines}


def _confirmation(inputs: _inputs.Inputs, variable: str, purpose: str) -> list[_inputs.Problem]:
    name, given = inputs.get("mlflow_unique_name", ""), inputs.get(variable, "")
    return [] if given == name else [_inputs.Problem(variable, given, f"{purpose}, add -e {variable}={name}")]


def _value(hostvars: t.Any, host: str, name: str) -> t.Any:
    try:
        return hostvars[host].get(name)
    except AnsibleError:
        return None

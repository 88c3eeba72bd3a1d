# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: which task runs MLflow's jobs, and whether it can."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.service_state import active_service
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs import jobs
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import maximum_servers
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.jobs import AS_BEFORE, JOBS, OFF, ON_DEMAND, SCHEDULED
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import LOAD_BALANCER_NAME, names_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems

RUNNING = (ON_DEMAND, SCHEDULED)


class Decision(t.NamedTuple):
    mode: str
    """Empty where the servers go on as they did before there was the input."""
    service: bool
    """Whether a service of its own runs jobs, and no server."""
    itself: bool
    """Whether the only server does."""


class Jobs(Checks):
    def checks(self) -> list[Check]:
        return [(self.possible, (), ("mlflow_unique_name",))]

    def possible(self) -> Problems:
        """What is in the way of a mode that is given or deployed. Of a new stack that has none it is warned of: that goes without."""
        deployed = self.deployed()
        mode, hindrance = self._mode(deployed), self.hindrance()
        if mode not in RUNNING:
            return
        if hindrance and self._is_default(deployed):
            warn(f"{JOBS}: off, so that MLflow runs no judges, evaluations or prompt optimisations for people: {hindrance}")
        elif hindrance:
            yield self.problem(JOBS, f"{hindrance}, or set {JOBS} to off")
        elif not self.inputs.get(JOBS):  # else the check of the inputs has told it
            yield from jobs.schedule_problems({**self.inputs, JOBS: mode})

    def decision(self) -> Decision:
        deployed = self.deployed()
        mode = self._mode(deployed)
        if mode in RUNNING and self._is_default(deployed) and self.hindrance():
            mode = OFF
        runs, several = mode in RUNNING, maximum_servers(self.inputs) > 1
        return Decision(mode, runs and several, runs and not several)

    def _is_default(self, deployed: str | None) -> bool:
        return deployed is None and not self.inputs.get(JOBS)

    def _mode(self, deployed: str | None) -> str:
        """As given; otherwise as deployed; a new stack runs jobs on demand. Whoever sets MLflow's own variables has what they say."""
        if jobs.given(self.inputs):
            return AS_BEFORE
        return self.inputs.get(JOBS) or (ON_DEMAND if deployed is None else deployed)

    def deployed(self) -> str | None:
        """The mode of the servers that there are. Those beside a service that runs jobs say, too, whether there are periodic tasks."""
        return self.aws.once(JOBS, self._deployed)

    def _deployed(self) -> str | None:
        name = self.inputs.get("mlflow_unique_name")
        service = active_service(self.aws, {"name": name, "cluster": name}) if name else None
        if not service:
            return None
        task = self.aws.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        server: dict[str, t.Any] = next((container for container in task["containerDefinitions"] if container["name"] == "mlflow"), {})
        environment = {each["name"]: each["value"] for each in server.get("environment", [])}
        enabled, periodic = (environment.get(name) for name in jobs.VARIABLES)
        if enabled is None or periodic is None:
            return OFF if enabled == "false" else AS_BEFORE
        return ON_DEMAND if periodic == "false" else SCHEDULED

    def hindrance(self) -> str:
        """Why no task can run jobs, with the remedy; empty where one can."""
        needed, there = jobs.needed_memory(self.inputs), jobs.free_memory(self.inputs)
        if there is not None and there < needed:
            return (
                f"the task that runs jobs needs {needed} MiB for MLflow, and mlflow_service_memory leaves it {there}, without what sidecars reserve and "
                "mlflow_service_tmpfs_size: give more"
            )
        if maximum_servers(self.inputs) > 1 and not all(self.names.jobs_target_groups):
            longest = LOAD_BALANCER_NAME - max(map(len, names_of({**self.inputs, "mlflow_unique_name": ""}).jobs_target_groups))
            return (
                f"mlflow_unique_name may have {longest} characters, since the target group of the service that runs jobs has its name with more behind "
                f"it, of which AWS takes {LOAD_BALANCER_NAME}: give a shorter one"
            )
        return ""

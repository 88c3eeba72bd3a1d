# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: whether MLflow's servers check who calls, and whether they can."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.containers import task_definition_problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.network import SERVICE, Network

IDENTITY, GUNICORN = "mlflow_identity", "mlflow_gunicorn_opts"
EDGE, OFF = "edge", "off"
VARIABLE, KEY = "MLFLOW_IDENTITY", "MLFLOW_IDENTITY_KEY"
"""Of the container of servers that check who calls; the secret, of those that have it of programs from the Lambda authorizer."""
PROXIES = ("HTTPS_PROXY", "https_proxy")
MAX_TASK_DEFINITION = 32 * 1024
"""Characters of the inputs in a task definition that holds the check too, of which ECS takes 64 KiB in all."""


class Decision(t.NamedTuple):
    mode: str
    begins: bool
    """Whether the servers are about to need what the Lambda authorizer signs; until then they do not."""
    ends: bool
    """The other way round."""


class Deployed(t.NamedTuple):
    """Of the servers that there are."""

    mode: str
    signed: bool


class Identity(Checks):
    def checks(self) -> list[Check]:
        return [(self.possible, (), ("mlflow_unique_name",))]

    def possible(self) -> Problems:
        """What is in the way of a mode that is given or deployed. Of a new stack that has none it is warned of: that goes without."""
        deployed, hindrance = self.deployed(), self.hindrance()
        if (self.inputs.get(IDENTITY) or (deployed.mode if deployed else EDGE)) != EDGE:
            return
        if hindrance and not self.inputs.get(IDENTITY) and deployed is None:
            warn(f"{IDENTITY}: off, so that MLflow does not know who calls, and everybody who may enter may do everything: {hindrance}")
        elif hindrance:
            yield self.problem(IDENTITY, f"{hindrance}, or set {IDENTITY} to off")
        else:
            yield from task_definition_problems(self.inputs, MAX_TASK_DEFINITION)

    def decision(self) -> Decision:
        """The mode of the servers: as given; otherwise as deployed; a new stack checks who calls where it can."""
        deployed = self.deployed()
        mode = self.inputs.get(IDENTITY) or (deployed.mode if deployed else OFF if self.hindrance() else EDGE)
        signed = mode == EDGE and self.inputs.get("mlflow_api_authorizer") != "jwt"
        return Decision(mode, bool(deployed and signed and not deployed.signed), bool(deployed and deployed.signed and not signed))

    def deployed(self) -> Deployed | None:
        """How the servers are that there are."""
        return self.aws.once(IDENTITY, self._deployed)

    def _deployed(self) -> Deployed | None:
        name, ecs = self.inputs.get("mlflow_unique_name"), self.aws.client("ecs")
        if not name:
            return None
        answer = none_if_missing(ecs.describe_services, "ClusterNotFoundException", cluster=name, services=[name], include=["TAGS"])
        service = next((each for each in answer["services"] if each["status"] == "ACTIVE"), None) if answer else None
        if service is None:
            return None
        containers = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]["containerDefinitions"]
        server: dict[str, t.Any] = next((container for container in containers if container["name"] == "mlflow"), {})
        variables, secrets = ({each["name"] for each in server.get(part, [])} for part in ("environment", "secrets"))
        return Deployed(EDGE if VARIABLE in variables else OFF, KEY in secrets)

    def hindrance(self) -> str:
        """Why the servers cannot check who calls, with the remedy; empty where they can."""
        if self.inputs.get(GUNICORN):
            return f"{GUNICORN} has MLflow run gunicorn, whose requests the check cannot see: leave that input out"
        environment = {**(self.inputs.get("mlflow_service_environment") or {}), **(self.inputs.get("mlflow_service_secrets") or {})}
        if not self.inputs.get("mlflow_vpc_id") or any(environment.get(name) for name in PROXIES):
            return ""
        cut_off = Network(self.aws, self.inputs).cut_off(self.inputs.get(SERVICE) or [])
        if cut_off:
            return (
                f"the servers read the public keys of the load balancer on the internet, and {', '.join(cut_off)} of {SERVICE} has no route there: "
                f"give subnets that have one, or a proxy as {PROXIES[0]} in mlflow_service_environment"
            )
        return ""

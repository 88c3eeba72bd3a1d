# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: whether MLflow's servers check who calls, and whether they can."""

from __future__ import annotations

import json
import typing as t

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.containers import task_definition_problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.entry_points import auth_app_problems, claims_of_tokens, workspace_problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.network import SERVICE, Network

IDENTITY, GUNICORN = "mlflow_identity", "mlflow_gunicorn_opts"
EDGE, MLFLOW, OFF = "edge", "mlflow", "off"
"""``MLFLOW`` is ``EDGE`` with MLflow's own auth app behind it."""
LAMBDA, IAM = "lambda", "iam"
VARIABLE, KEY = "MLFLOW_IDENTITY", "MLFLOW_IDENTITY_KEY"
"""Of the container of servers that check who calls; the secret, of those that have it of programs from the Lambda authorizer."""
SETTINGS = (*("mlflow_admin_groups", "mlflow_editor_groups", "mlflow_reader_groups"), *("mlflow_api_client_ids", "mlflow_api_groups", "mlflow_api_scopes"))
"""Inputs of any length that the variable has too."""
ENVIRONMENT = "mlflow_service_environment"
RESOLVING = ("MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_ENV", "MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_FILE")
"""With which MLflow's AI gateway takes the key of a model from its environment, or from a file."""
PROXIES = ("HTTPS_PROXY", "https_proxy")
MAX_TASK_DEFINITION = 28 * 1024
"""Characters of the inputs in a task definition that holds the check too, of which ECS takes 64 KiB in all."""


class Decision(t.NamedTuple):
    mode: str
    begins: bool
    """Whether the API has to tell who calls before the servers are replaced: they are about to need it, or to believe it."""
    ends: bool
    """Whether the authorizer has to go on telling it until they are."""


class Deployed(t.NamedTuple):
    """Of the servers that there are."""

    mode: str
    told_by: str
    """The authorizer with which API Gateway tells them who calls, C(lambda) or C(iam); empty where they verify that themselves, or do not ask."""


def programs_of(settings: str) -> t.Any:
    """How the settings of a server say that programs come in; None where they do not.

    >>> programs_of('{"programs": "iam"}'), programs_of("x")
    ('iam', None)
    """
    try:
        return json.loads(settings)["programs"]
    except (ValueError, LookupError, TypeError):
        return None


def begins(told_by: str, new: str) -> bool:
    """Whether the API has to begin before the servers do. While these believe an ARN that is not signed, it has to go on with that, and they change first.

    >>> [begins(*each) for each in (("", "lambda"), ("", "iam"), ("lambda", "iam"), ("iam", "lambda"), ("iam", ""), ("lambda", "lambda"), ("", ""))]
    [True, True, True, False, False, False, False]
    """
    return new not in ("", told_by) and told_by != IAM


class Identity(Checks):
    def checks(self) -> list[Check]:
        return [
            (self.possible, (), ("mlflow_unique_name",)),
            (self.token_access, (), ("mlflow_unique_name", "mlflow_load_balancer_token_access")),
            (self.keys_of_models, (), ("mlflow_unique_name", ENVIRONMENT)),
        ]

    def token_access(self) -> Problems:
        """Of whom the load balancer alone keeps out, until servers run that do: it changes before they are replaced."""
        deployed = self.deployed()
        if self.inputs.get(IDENTITY) != OFF and (deployed or self.decision()).mode == OFF:
            yield from claims_of_tokens(self.inputs)

    def keys_of_models(self) -> Problems:
        """Only warned of: where nobody can come in but those who are trusted, it is as good as any other way."""
        given = [name for name in RESOLVING if str(self.inputs[ENVIRONMENT].get(name, "")).lower() in ("true", "1")]
        if given and self.decision().mode == OFF:
            warn(
                f"{ENVIRONMENT}: with {given[0]} and {IDENTITY} off, everybody who may enter can have any secret of the servers sent to an address of his "
                f"own, as the key of a model: set {IDENTITY} to edge, so that admins alone can, or leave that variable out"
            )
        yield from ()

    def possible(self) -> Problems:
        """What is in the way of a mode that is given or deployed. Of a new stack that has none it is warned of: that goes without."""
        deployed, hindrance = self.deployed(), self.hindrance()
        mode = self.inputs.get(IDENTITY) or (deployed.mode if deployed else EDGE)
        if mode == OFF:
            return
        if hindrance and not self.inputs.get(IDENTITY) and deployed is None:
            warn(f"{IDENTITY}: off, so that MLflow does not know who calls, and everybody who may enter may do everything: {hindrance}")
        elif hindrance:
            yield self.problem(IDENTITY, f"{hindrance}, or set {IDENTITY} to off")
        else:
            if not self.inputs.get(IDENTITY):  # of a mode that is given it is told with the inputs
                yield from workspace_problems(self.inputs)
                yield from auth_app_problems(self.inputs) if mode == MLFLOW else ()
            yield from task_definition_problems(self.inputs, MAX_TASK_DEFINITION, *SETTINGS)

    def decision(self) -> Decision:
        """The mode of the servers: as given; otherwise as deployed; a new stack checks who calls where it can."""
        deployed = self.deployed()
        mode = self.inputs.get(IDENTITY) or (deployed.mode if deployed else OFF if self.hindrance() else EDGE)
        authorizer = self.inputs.get("mlflow_api_authorizer") or LAMBDA
        told_by = authorizer if mode != OFF and authorizer != "jwt" else ""
        return Decision(mode, bool(deployed and begins(deployed.told_by, told_by)), bool(deployed and deployed.told_by == LAMBDA and not told_by))

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
        variables, secrets = ({each["name"]: each.get("value", "") for each in server.get(part, [])} for part in ("environment", "secrets"))
        if VARIABLE not in variables:
            return Deployed(OFF, "")
        mode = MLFLOW if f'"mode": "{MLFLOW}"' in variables[VARIABLE] else EDGE
        return Deployed(mode, LAMBDA if KEY in secrets else IAM if programs_of(variables[VARIABLE]) == IAM else "")

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

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: whether tasks without a way to the internet have the VPC endpoints by which they reach AWS."""

from __future__ import annotations

import re

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.vpc_endpoints import State, endpoints_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import sidecar_secrets
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.network import SERVICE, Network


class VpcEndpoints(Checks):
    def checks(self) -> list[Check]:
        return [(self.of_tasks, (), ("mlflow_vpc_id", SERVICE))]

    def of_tasks(self) -> Problems:
        """Only warned of, as a missing default route is. Of a VPC that another account shares, nobody but the owner sees the endpoints."""
        cut_off = Network(self.aws, self.inputs).cut_off(self.inputs[SERVICE])
        if not cut_off:
            return
        there = endpoints_of(self.aws, self.inputs["mlflow_vpc_id"])
        for subnet, table in cut_off.items():
            missing = [service for service in needed(self.inputs) if not any(leads_to(each, service, table["RouteTableId"]) for each in there)]
            if missing:
                warn(
                    f"{SERVICE}: {subnet} has no route to the internet, and no VPC endpoint leads from there to {', '.join(missing)}: the tasks "
                    "do not start, or do not work, without. Create these endpoints, interface endpoints with private DNS"
                )
        yield from ()


def needed(inputs: Inputs) -> list[str]:
    """The services that the tasks reach, as the names of their endpoints end.

    >>> needed({"mlflow_service_image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlflow", "mlflow_service_enable_execute_command": True})
    ['s3', 'logs', 'secretsmanager', 'ecr.api', 'ecr.dkr', 'ssmmessages']
    """
    sidecars = inputs.get("mlflow_service_sidecar_container_definitions") or []
    images = [inputs.get("mlflow_service_image") or "", *(str(sidecar.get("image")) for sidecar in sidecars)]
    secrets = [*(inputs.get("mlflow_service_secrets") or {}).values(), *(value for sidecar in sidecars for _field, value in sidecar_secrets(sidecar))]
    return [
        *("s3", "logs", "secretsmanager"),
        *(("ecr.api", "ecr.dkr") if any(re.match(r"\d{12}\.dkr[.-]ecr\.", image) for image in images) else ()),
        *(("ssm",) if any(":ssm:" in str(value) for value in secrets) else ()),
        *(("ssmmessages",) if inputs.get("mlflow_service_enable_execute_command") else ()),
        *(("bedrock-runtime",) if inputs.get("mlflow_gateway_bedrock_models") else ()),
    ]


def leads_to(endpoint: State, service: str, route_table_id: str) -> bool:
    """Whether an endpoint leads from the subnets of a route table to a service."""
    by_route = endpoint["type"] == "Gateway" and route_table_id in endpoint["route_table_ids"]
    return (
        re.fullmatch(rf"com\.amazonaws\.[a-z0-9-]+\.{re.escape(service)}", endpoint["service"]) is not None
        and endpoint["state"].lower() in ("available", "pending")
        and (by_route or (endpoint["type"] == "Interface" and endpoint["private_dns"]))
    )

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the stage of an API."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import own_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.part import Part
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.resource import ApiGatewayResource, Document
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import LogGroup


class Stage(Part):
    kind = "apigatewayv2_stage"
    unused = {"description": ("Description", ""), "variables": ("StageVariables", {})}

    def __init__(
        self, api: ApiGatewayResource, document: Document | None, log_group: LogGroup | None = None, *, needs: t.Sequence[Resource] = (), absent: bool = False
    ) -> None:
        self.stage_name = document["StageName"] if document else api.spec["stage"]["name"]
        super().__init__(api, document, f"{api.name}/{self.stage_name}", needs=needs, absent=absent)
        self.log_group = log_group

    @staticmethod
    def normal(document: Document) -> State:
        routes, log = document.get("DefaultRouteSettings", {}), document.get("AccessLogSettings", {})
        return {
            "auto_deploy": document.get("AutoDeploy", False),
            "access_log": {"arn": log.get("DestinationArn", "").removesuffix(":*"), "format": log.get("Format", "")},
            "throttling_rate_limit": routes.get("ThrottlingRateLimit"),
            "throttling_burst_limit": routes.get("ThrottlingBurstLimit"),
            "detailed_metrics_enabled": routes.get("DetailedMetricsEnabled", False),
            "route_settings": document.get("RouteSettings", {}),
            "tags": own_tags(document.get("Tags", {})),
        }

    def desired(self) -> State:
        spec, log = self.api.spec["stage"], {"arn": "", "format": ""}
        if self.log_group:
            log = {"arn": self.log_group.actual["arn"], "format": json.dumps(self.api.spec["access_log"]["format"])}
        plain = ("throttling_rate_limit", "throttling_burst_limit", "detailed_metrics_enabled")
        return {
            "auto_deploy": True,
            "access_log": log,
            **{name: spec[name] for name in plain},
            "route_settings": {},
            **self.empty(),
            "tags": dict(t.cast("dict[str, str]", self.api.tags)),
        }

    def unknown(self) -> State:
        return {}

    def create(self, desired: State) -> None:
        which = {"ApiId": self.api_id, "StageName": self.stage_name}
        self.call("create_stage", **which, Tags=desired["tags"], **self._arguments())

    def update(self, before: State, changes: State) -> None:
        which = {"ApiId": self.api_id, "StageName": self.stage_name}
        for route_key in before["route_settings"]:
            self.call("delete_route_settings", **which, RouteKey=route_key)
        if "access_log" in changes and not changes["access_log"]["arn"]:
            self.call("delete_access_log_settings", **which)
        self.call("update_stage", **which, **self._arguments(), **self.emptied(before, changes))

    def _arguments(self) -> dict[str, t.Any]:
        wanted = self.desired()
        throttling = {"ThrottlingRateLimit": wanted["throttling_rate_limit"], "ThrottlingBurstLimit": wanted["throttling_burst_limit"]}
        log = wanted["access_log"]
        return {
            "AutoDeploy": wanted["auto_deploy"],
            "DefaultRouteSettings": {
                "DetailedMetricsEnabled": wanted["detailed_metrics_enabled"],
                **{name: value for name, value in throttling.items() if value is not None},
            },
            **({"AccessLogSettings": {"DestinationArn": log["arn"], "Format": log["format"]}} if log["arn"] else {}),
        }

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before is None:
            return []
        after, moved = {**before, **changes}, []
        if before["access_log"]["arn"] and after["access_log"]["arn"] != before["access_log"]["arn"]:
            moved = [f"the lines of the access log so far stay in the log group {before['access_log']['arn'].rpartition(':')[2]}"]
        limits = ("throttling_rate_limit", "throttling_burst_limit")
        lower = [name for name in limits if before[name] and after[name] < before[name]]
        return moved + [f"{name}: {changes[name]:g} instead of {before[name]:g}: more requests are refused" for name in lower]

    def path(self, state: State) -> str:
        return f"apis/{self.api_id}/stages/{self.stage_name}"

    def delete(self, before: State) -> None:
        self.call("delete_stage", ApiId=self.api_id, StageName=self.stage_name)

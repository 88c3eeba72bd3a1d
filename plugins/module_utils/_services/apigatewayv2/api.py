# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: HTTP APIs."""

from __future__ import annotations

import functools
import json
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN, State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import own_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.authorizer import Authorizer, Permission
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.domain_name import DomainName
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.integration import Integration
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.mapping import Mapping
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.resource import ApiGatewayResource, Document
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.route import Route
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.stage import Stage
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.vpc_link import VpcLink
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import LogGroup
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record import alias_records

PARTS = ("integrations", "authorizers", "routes", "stages")
"""What lies in an API, as the names of API Gateway's operations call it."""
STATEMENT_ID = "apigateway"


class Api(ApiGatewayResource):
    """An API with all that lies in it, and what comes after it: the records of its domain name, and then the end of what it used before.

    ``spec``: the options of the module apigatewayv2_api.
    """

    kind = "apigatewayv2_api"
    allows_duplicates = True

    def __init__(
        self,
        *args: t.Any,
        link: VpcLink | None = None,
        domain: DomainName | None = None,
        log_group: LogGroup | None = None,
        superseded: t.Sequence[Resource] = (),
        **kwargs: t.Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.link, self.domain, self.log_group, self.superseded = link, domain, log_group, superseded

    def describe(self) -> State | None:
        apis = self.aws.pages("apigatewayv2", "get_apis", "Items")
        named = (api for api in apis if api["Name"] == self.name)
        state = next((self._normal(api) for api in named if not self._owned_by_another({"tags": own_tags(api.get("Tags", {}))})), None)
        if state and self.absent:  # for children(): what leads to it goes before it is its turn, and from then on nothing recorded holds
            run_concurrently(*self._lists(state["id"]).values())
        return state

    @staticmethod
    def _normal(api: Document) -> State:
        return {
            "id": api["ApiId"],
            "endpoint": api["ApiEndpoint"],
            "description": api.get("Description", ""),
            "disable_execute_api_endpoint": api.get("DisableExecuteApiEndpoint", False),
            "ip_address_type": api.get("IpAddressType", "ipv4"),
            "cors": bool(api.get("CorsConfiguration")),
            "version": api.get("Version", ""),
            "tags": own_tags(api.get("Tags", {})),
        }

    def desired(self) -> State:
        return {
            "description": self.spec["description"],
            "disable_execute_api_endpoint": self.spec["disable_execute_api_endpoint"],
            "ip_address_type": self.spec["ip_address_type"],
            "cors": False,  # for browsers, which come in by the load balancer
            "version": "",
        }

    def unknown(self) -> State:
        return {"id": UNKNOWN, "endpoint": UNKNOWN}

    def create(self, desired: State) -> State:
        api = self.call("create_api", Name=self.name, ProtocolType="HTTP", Tags=desired["tags"], **self._arguments())
        return {"id": api["ApiId"], "endpoint": api["ApiEndpoint"]}

    def update(self, before: State, changes: State) -> None:
        if "cors" in changes:
            self.call("delete_cors_configuration", ApiId=before["id"])
        if changes.keys() - {"cors"}:
            version = {"Version": changes["version"]} if "version" in changes else {}
            self.call("update_api", ApiId=before["id"], **self._arguments(), **version)

    def _arguments(self) -> dict[str, t.Any]:
        kind = {"IpAddressType": self.spec["ip_address_type"]} if self.spec["ip_address_type"] else {}
        return {"Description": self.spec["description"], "DisableExecuteApiEndpoint": self.spec["disable_execute_api_endpoint"], **kind}

    def path(self, state: State) -> str:
        return f"apis/{state['id']}"

    def delete(self, before: State) -> None:
        self.call("delete_api", ApiId=before["id"])

    def children(self) -> list[Resource]:
        parts = self._parts()
        used = {route.get("Target") for route in parts["routes"]}
        integrations = sorted(parts["integrations"], key=lambda i: f"integrations/{i['IntegrationId']}" not in used)
        if self.absent:
            return [
                *(Integration(self, i, spare=place > 0, absent=True) for place, i in enumerate(integrations)),
                *(Authorizer(self, a, absent=True) for a in parts["authorizers"]),
                *(Route(self, r, r["RouteKey"], absent=True) for r in parts["routes"]),
                *(Stage(self, s, absent=True) for s in parts["stages"]),
            ]

        integration = Integration(self, next(iter(integrations), None), self.link)
        authorizers, kind = {a["Name"]: a for a in parts["authorizers"]}, self.spec["authorizer"]["type"]
        # Signatures with AWS credentials API Gateway checks by itself, without an authorizer.
        authorizer = None if kind == "AWS_IAM" else Authorizer(self, authorizers.pop(self.spec["authorizer"]["name"], None))
        unused = [
            *(Integration(self, i, needs=self.superseded, spare=True, absent=True) for i in integrations[1:]),
            *(Authorizer(self, a, needs=self.superseded, absent=True) for a in authorizers.values()),
        ]

        statements = {s["Sid"]: s for s in parts["statements"]}
        permissions = []
        if authorizer and kind == "REQUEST":
            permissions = [
                Permission(authorizer, STATEMENT_ID, statements.pop(STATEMENT_ID, None)),
                *(Permission(authorizer, sid, statement, absent=True) for sid, statement in statements.items()),
            ]

        # What was used before goes after the routes were changed, and the stage comes after the routes: so a route always has an
        # authorizer that works.
        existing = {r["RouteKey"]: r for r in parts["routes"]}
        needs = [integration, *([authorizer] if authorizer else []), *permissions, *unused, *self.superseded]
        routes = [Route(self, existing.pop(key, None), key, integration, authorizer, needs=needs) for key in self.spec["route_keys"]]
        stray_routes = [Route(self, r, key, needs=unused, absent=True) for key, r in existing.items()]

        stages = {s["StageName"]: s for s in parts["stages"]}
        stage = Stage(self, stages.pop(self.spec["stage"]["name"], None), self.log_group, needs=routes)
        stray_stages = [Stage(self, s, absent=True) for s in stages.values()]

        mappings = {m.get("ApiMappingKey", ""): m for m in parts["mappings"]}
        mapping = mappings.pop("", None)
        wanted = [Mapping(self, mapping, self.domain.name, needs=[stage, *stray_stages])] if self.domain else []
        stray_mappings = [Mapping(self, m, self.domain.name, needs=stray_stages, absent=True) for m in self._own(mappings.values())] if self.domain else []
        # Last, so that nobody finds an API that is not whole.
        of_domain = self.spec["domain"]
        records = alias_records(self.domain, of_domain["dns_records"], manage=of_domain["manage_dns"], needs=[*wanted, *self.superseded]) if self.domain else []
        parts_in_order = [
            integration,
            *([authorizer] if authorizer else []),
            *permissions,
            *routes,
            stage,
            *wanted,
            *stray_mappings,
            *stray_stages,
            *stray_routes,
            *unused,
        ]
        return [*parts_in_order, *records, *self.superseded]

    def prefetch_reads(self) -> list[t.Callable[[], t.Any]]:
        return [self._mappings, self._statements]

    def _parts(self) -> dict[str, list[Document]]:
        """What belongs to the API, all read at the same time."""
        api_id = self.actual["id"]
        read = {"mappings": self._mappings, "statements": self._statements, "account": lambda: self.aws.account_id}
        read |= {} if self.newly_created() else self._lists(api_id)
        return {part: [] for part in PARTS} | dict(zip(read, run_concurrently(*read.values()), strict=True))

    def _lists(self, api_id: str) -> dict[str, t.Callable[[], t.Any]]:
        """The reads of what the API had in it before this run."""
        pages = {part: functools.partial(self.aws.pages, "apigatewayv2", f"get_{part}", "Items", ApiId=api_id) for part in PARTS}
        return {part: functools.partial(self.aws.once, (part, api_id), read) for part, read in pages.items()}

    def _mappings(self) -> list[Document]:
        """All API mappings that the custom domain name had before this run."""
        if not self.domain:
            return []
        operation = {"service": "apigatewayv2", "operation": "get_api_mappings", "result": "Items"}
        pages = functools.partial(none_if_missing, self.aws.pages, "NotFoundException", **operation, DomainName=self.domain.name)
        return self.aws.once(("mappings", self.domain.name), pages) or []

    def _statements(self) -> list[Document]:
        """The resource policy that the authorizer's function had before this run, where the API is to have one."""
        if self.absent or self.spec["authorizer"]["type"] != "REQUEST":
            return []
        function_name = self.spec["authorizer"]["function_name"]
        get = self.aws.client("lambda").get_policy
        policy = self.aws.once(("policy", function_name), lambda: none_if_missing(get, "ResourceNotFoundException", FunctionName=function_name))
        return json.loads(policy["Policy"])["Statement"] if policy else []

    def _own(self, mappings: t.Iterable[Document]) -> list[Document]:
        return [m for m in mappings if m["ApiId"] == self.actual["id"]]

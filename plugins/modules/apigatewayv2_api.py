#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apigatewayv2_api
version_added: 1.0.0
short_description: Manage an HTTP API that forwards authorized requests into a VPC
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes an HTTP API of API Gateway with its parts, namely one private integration, one
    authorizer, its routes, a stage and the mapping to a custom domain name. No existing module does any of these.
  - Other parts of the API are removed, and so are settings for which the module has no option, such as stage variables or limits of
    a single route. Each route needs the authorizer; there is no route without.
  - A change of the type of the authorizer creates the new one, moves the routes to it, and only then removes the old one, so
    that no request is let through in between.
  - A Lambda authorizer's function gets the resource policy that lets this one authorizer call it, and nobody else.
  - For the access log the caller needs the permissions for log delivery, such as C(logs:CreateLogDelivery).
  - Whether AWS's own address of the API has IPv6 addresses too is not managed.
  - Several APIs can have one name; the one that carries one of the tags C(managed-by) and C(mlflow-stack) of O(tags) is
    ours.
options:
  name:
    description: Name of the API.
    type: str
    required: true
  description:
    description: What the API is for.
    type: str
    default: ""
  disable_execute_api_endpoint:
    description: Whether the API can be reached by its custom domain name only.
    type: bool
    default: true
  integration:
    description: Where requests go. Required with O(state=present).
    type: dict
    suboptions:
      vpc_link_id:
        description: ID of the VPC link.
        type: str
        required: true
      listener_arn:
        description: ARN of the listener of a load balancer.
        type: str
        required: true
      server_name:
        description: Name that the listener's certificate must cover; API Gateway speaks HTTPS to it. Plain HTTP where
          omitted.
        type: str
      host:
        description:
          - Host header that the listener gets, in place of the load balancer's own name.
          - A constant, as API Gateway takes no variable there.
        type: str
      timeout_ms:
        description: Milliseconds that a response may take, 50 to 30000.
        type: int
        default: 30000
  authorizer:
    description: The authorizer of all routes. Required with O(state=present).
    type: dict
    suboptions:
      name:
        description: Name of the authorizer. The type of an authorizer cannot be changed.
        type: str
        required: true
      type:
        description: V(REQUEST) is a Lambda function, V(JWT) API Gateway's own check of a token.
        type: str
        choices: [REQUEST, JWT]
        required: true
      identity_source:
        description: Where the credentials are. A request without them is refused at once.
        type: str
        default: $request.header.Authorization
      function_name:
        description: Name of the function, with V(REQUEST). It answers simple responses to payloads of format 2.0.
        type: str
      uri:
        description: URI by which API Gateway calls the function, with V(REQUEST).
        type: str
      ttl:
        description: Seconds for which an answer of the function is cached for the same credentials, 0 to 3600, denials included.
          With V(REQUEST).
        type: int
        default: 60
      issuer:
        description: Issuer of the tokens, with V(JWT).
        type: str
      audience:
        description: Accepted values of C(aud), or of C(client_id) where a token has no C(aud). With V(JWT).
        type: list
        elements: str
        default: []
      scopes:
        description: A token needs one of these scopes, on each route. None is needed where empty. With V(JWT).
        type: list
        elements: str
        default: []
  route_keys:
    description: The routes. All lead to the integration.
    type: list
    elements: str
    default: [$default]
  stage:
    description: The stage. Changes of the API are deployed to it at once.
    type: dict
    suboptions:
      name:
        description: Name of the stage.
        type: str
        default: $default
      access_log_arn:
        description: ARN of the log group of the access log. No access log where omitted.
        type: str
      access_log_format:
        description: The fields of a line of the access log, each with the C($context) variable that it shows.
        type: dict
        default: {}
      throttling_rate_limit:
        description: Steady-state rate limit of the stage, in requests a second. Not managed where omitted.
        type: float
      throttling_burst_limit:
        description: Burst limit of the stage, in requests. Not managed where omitted.
        type: int
      detailed_metrics_enabled:
        description: Whether CloudWatch gets metrics by route, which cost extra.
        type: bool
        default: false
  domain_name:
    description: Custom domain name that leads to the stage, without a path.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Ensure the API
  mlplatform.mlflow_aws.apigatewayv2_api:
    name: mlflow-team-x
    integration:
      vpc_link_id: a1b2c3
      listener_arn:
        arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/mlflow-team-x/0123456789abcdef/0123456789abcdef
      server_name: mlflow.api.example.com
      host: mlflow.api.example.com
    authorizer:
      name: mlflow-team-x-jwt
      type: JWT
      issuer: https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE
      audience: [1example23456789]
    stage:
      throttling_rate_limit: 100
      throttling_burst_limit: 200
    domain_name: mlflow.api.example.com
    tags:
      managed-by: mlplatform.mlflow_aws
      mlflow-stack: mlflow-team-x
"""

RETURN = r"""
api:
  description: The API as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  contains:
    id:
      description: ID of the API.
      type: str
      sample: a1b2c3d4e5
    endpoint:
      description: The API's own endpoint, which answers only where O(disable_execute_api_endpoint=false).
      type: str
      sample: https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com
    name:
      description: Name of the API.
      type: str
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: V(create), V(update), V(replace) or V(delete).
      type: str
    kind:
      description:
        - Kind of the resource, V(apigatewayv2_api), V(apigatewayv2_integration), V(apigatewayv2_authorizer),
          V(lambda_permission), V(apigatewayv2_route), V(apigatewayv2_stage) or V(apigatewayv2_api_mapping).
      type: str
      sample: apigatewayv2_api
    name:
      description: Name of the resource.
      type: str
    fields:
      description: What differs, each with C(name), C(before) and C(after).
      type: list
      elements: dict
    warnings:
      description: What the change costs, such as downtime.
      type: list
      elements: str
"""

import functools
import json
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2 import ApiGatewayResource, mapping_name, own_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing, run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run

Document = dict[str, t.Any]
"""Something in an API as API Gateway answers it."""

PARTS = ("integrations", "authorizers", "routes", "stages")
"""What lies in an API, as the names of API Gateway's operations call it."""
STATEMENT_ID = "apigateway"


class Api(ApiGatewayResource):
    kind = "apigatewayv2_api"
    allows_duplicates = True

    def describe(self) -> State | None:
        apis = self.aws.pages("apigatewayv2", "get_apis", "Items")
        named = (api for api in apis if api["Name"] == self.name)
        return next((self._normal(api) for api in named if not self._owned_by_another({"tags": own_tags(api)})), None)

    @staticmethod
    def _normal(api: Document) -> State:
        return {
            "id": api["ApiId"],
            "endpoint": api["ApiEndpoint"],
            "description": api.get("Description", ""),
            "disable_execute_api_endpoint": api.get("DisableExecuteApiEndpoint", False),
            "cors": bool(api.get("CorsConfiguration")),
            "version": api.get("Version", ""),
            "tags": own_tags(api),
        }

    def desired(self) -> State:
        return {
            "description": self.spec["description"],
            "disable_execute_api_endpoint": self.spec["disable_execute_api_endpoint"],
            "cors": False,  # for browsers, which use the other door
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
        return {"Description": self.spec["description"], "DisableExecuteApiEndpoint": self.spec["disable_execute_api_endpoint"]}

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
                *(Mapping(self, m, absent=True) for m in self._own(parts["mappings"])),
                *(Integration(self, i, spare=place > 0, absent=True) for place, i in enumerate(integrations)),
                *(Authorizer(self, a, absent=True) for a in parts["authorizers"]),
                *(Route(self, r, r["RouteKey"], absent=True) for r in parts["routes"]),
                *(Stage(self, s, absent=True) for s in parts["stages"]),
            ]

        integration = Integration(self, next(iter(integrations), None))
        authorizers = {a["Name"]: a for a in parts["authorizers"]}
        authorizer = Authorizer(self, authorizers.pop(self.spec["authorizer"]["name"], None))
        unused = [*(Integration(self, i, spare=True, absent=True) for i in integrations[1:]), *(Authorizer(self, a, absent=True) for a in authorizers.values())]

        statements = {s["Sid"]: s for s in parts["statements"]}
        permissions = []
        if self.spec["authorizer"]["type"] == "REQUEST":
            permissions = [
                Permission(authorizer, STATEMENT_ID, statements.pop(STATEMENT_ID, None)),
                *(Permission(authorizer, sid, statement, absent=True) for sid, statement in statements.items()),
            ]

        # The unused go after the routes were changed, and the stage comes after the routes: so a route always has an
        # authorizer that works.
        there = {r["RouteKey"]: r for r in parts["routes"]}
        needs = [integration, authorizer, *permissions, *unused]
        routes = [Route(self, there.pop(key, None), key, integration, authorizer, needs=needs) for key in self.spec["route_keys"]]
        stray_routes = [Route(self, r, key, needs=unused, absent=True) for key, r in there.items()]

        stages = {s["StageName"]: s for s in parts["stages"]}
        stage = Stage(self, stages.pop(self.spec["stage"]["name"], None), needs=routes)
        stray_stages = [Stage(self, s, absent=True) for s in stages.values()]

        mappings = {m.get("ApiMappingKey", ""): m for m in parts["mappings"]}
        mapping = mappings.pop("", None)
        wanted = [Mapping(self, mapping, needs=[stage, *stray_stages])] if self.spec["domain_name"] else []
        stray_mappings = [Mapping(self, m, needs=stray_stages, absent=True) for m in self._own(mappings.values())]
        return [integration, authorizer, *permissions, *routes, stage, *wanted, *stray_mappings, *stray_stages, *stray_routes, *unused]

    def _parts(self) -> dict[str, list[Document]]:
        """What belongs to the API, all read at the same time."""
        api_id = t.cast(State, self.state)["id"]
        read = {"mappings": self._mappings, "statements": self._statements, "account": lambda: self.aws.account_id}
        for part in [] if self.newly_created() else PARTS:
            read[part] = functools.partial(self.aws.pages, "apigatewayv2", f"get_{part}", "Items", ApiId=api_id)
        return {part: [] for part in PARTS} | dict(zip(read, run_concurrently(*read.values()), strict=True))

    def _mappings(self) -> list[Document]:
        """All API mappings of the custom domain name."""
        if not self.spec["domain_name"]:
            return []
        operation = {"service": "apigatewayv2", "operation": "get_api_mappings", "result": "Items"}
        return none_if_missing(self.aws.pages, "NotFoundException", **operation, DomainName=self.spec["domain_name"]) or []

    def _statements(self) -> list[Document]:
        """The resource policy of the authorizer's function, where the API is to have one."""
        if self.absent or self.spec["authorizer"]["type"] == "JWT":
            return []
        function_name = self.spec["authorizer"]["function_name"]
        policy = none_if_missing(self.aws.client("lambda").get_policy, "ResourceNotFoundException", FunctionName=function_name)
        return json.loads(policy["Policy"])["Statement"] if policy else []

    def _own(self, mappings: t.Iterable[Document]) -> list[Document]:
        return [m for m in mappings if m["ApiId"] == t.cast(State, self.state)["id"]]


class Part(ApiGatewayResource):
    """What lies in an API. ``document`` is what the API has read of it; whose it is, the API says."""

    deleted_with_parent = True
    unused: t.ClassVar[dict[str, tuple[str, t.Any]]] = {}
    """Settings that stay empty, as API Gateway calls them and as it answers them then: somebody may have filled them."""

    def __init__(self, api: Api, document: Document | None, name: str, *, needs: t.Sequence[Resource] = (), absent: bool = False) -> None:
        super().__init__(api.aws, name, needs=needs, parent=api, absent=absent)
        self.api, self.document = api, document

    def describe(self) -> State | None:
        document = self.document
        if not document:
            return None
        filled = {name: document.get(member) or empty for name, (member, empty) in self.unused.items()}
        if "response_parameters" in filled:  # API Gateway goes on to name a status code whose parameters were removed
            filled["response_parameters"] = {k: v for k, v in filled["response_parameters"].items() if v}
        return {**self.normal(document), **filled}

    @staticmethod
    def normal(document: Document) -> State:
        """The document in our terms."""
        raise NotImplementedError

    def empty(self) -> State:
        """The unused settings as they should be."""
        return {name: empty for name, (_member, empty) in self.unused.items()}

    def emptied(self, before: State, changes: State) -> dict[str, t.Any]:
        """The arguments that empty what somebody filled. API Gateway keeps what a map does not name."""
        return {
            member: {key: type(value)() for key, value in before[name].items()} if isinstance(empty, dict) else empty
            for name, (member, empty) in self.unused.items()
            if name in changes
        }

    def unknown(self) -> State:
        return {"id": UNKNOWN}

    @property
    def api_id(self) -> str:
        return t.cast(State, self.api.state)["id"]


class Integration(Part):
    """The integration that the routes lead to, or a ``spare`` one beside it."""

    kind = "apigatewayv2_integration"
    allows_duplicates = True
    unused = {"description": ("Description", ""), "credentials_arn": ("CredentialsArn", ""), "response_parameters": ("ResponseParameters", {})}

    def __init__(self, api: Api, document: Document | None, *, spare: bool = False, absent: bool = False) -> None:
        name = f"{api.name}/{document['IntegrationId']}" if spare and document else api.name
        super().__init__(api, document, name, absent=absent)

    @staticmethod
    def normal(document: Document) -> State:
        return {
            "id": document["IntegrationId"],
            "integration_type": document.get("IntegrationType"),
            "integration_method": document.get("IntegrationMethod"),
            "connection_type": document.get("ConnectionType"),
            "vpc_link_id": document.get("ConnectionId"),
            "listener_arn": document.get("IntegrationUri"),
            "payload_format_version": document.get("PayloadFormatVersion"),
            "timeout_ms": document.get("TimeoutInMillis"),
            "server_name": document.get("TlsConfig", {}).get("ServerNameToVerify", ""),
            "request_parameters": document.get("RequestParameters", {}),
        }

    def desired(self) -> State:
        spec = self.api.spec["integration"]
        return {
            "integration_type": "HTTP_PROXY",
            "integration_method": "ANY",
            "connection_type": "VPC_LINK",
            "vpc_link_id": spec["vpc_link_id"],
            "listener_arn": spec["listener_arn"],
            "payload_format_version": "1.0",
            "timeout_ms": spec["timeout_ms"],
            "server_name": spec["server_name"] or "",
            "request_parameters": {"overwrite:header.Host": spec["host"]} if spec["host"] else {},
            **self.empty(),
        }

    def create(self, desired: State) -> State:
        integration = self.call("create_integration", ApiId=self.api_id, **self._arguments({}))
        return {"id": integration["IntegrationId"]}

    def update(self, before: State, changes: State) -> None:
        arguments = {**self._arguments(before["request_parameters"]), **self.emptied(before, changes)}
        self.call("update_integration", ApiId=self.api_id, IntegrationId=before["id"], **arguments)

    def _arguments(self, parameters_before: dict[str, str]) -> dict[str, t.Any]:
        wanted = self.desired()
        return {
            "IntegrationType": wanted["integration_type"],
            "IntegrationMethod": wanted["integration_method"],
            "ConnectionType": wanted["connection_type"],
            "ConnectionId": wanted["vpc_link_id"],
            "IntegrationUri": wanted["listener_arn"],
            "PayloadFormatVersion": wanted["payload_format_version"],
            "TimeoutInMillis": wanted["timeout_ms"],
            "TlsConfig": {"ServerNameToVerify": wanted["server_name"]} if wanted["server_name"] else {},
            # API Gateway merges these: one that is left out stays, an empty one goes.
            "RequestParameters": dict.fromkeys(parameters_before, "") | wanted["request_parameters"],
        }

    def delete(self, before: State) -> None:
        self.call("delete_integration", ApiId=self.api_id, IntegrationId=before["id"])


class Authorizer(Part):
    kind = "apigatewayv2_authorizer"
    allows_duplicates = True
    immutable = frozenset({"type"})
    unused = {"credentials_arn": ("AuthorizerCredentialsArn", "")}

    def __init__(self, api: Api, document: Document | None, *, absent: bool = False) -> None:
        super().__init__(api, document, document["Name"] if document else api.spec["authorizer"]["name"], absent=absent)

    @staticmethod
    def normal(document: Document) -> State:
        jwt = document.get("JwtConfiguration", {})
        return {
            "id": document["AuthorizerId"],
            "type": document["AuthorizerType"],
            "identity_source": document.get("IdentitySource", []),
            "uri": document.get("AuthorizerUri"),
            "payload_format_version": document.get("AuthorizerPayloadFormatVersion"),
            "simple_responses": document.get("EnableSimpleResponses", False),
            "ttl": document.get("AuthorizerResultTtlInSeconds"),
            "issuer": jwt.get("Issuer"),
            "audience": sorted(jwt.get("Audience", [])),
        }

    def desired(self) -> State:
        spec = self.api.spec["authorizer"]
        either = {"type": spec["type"], "identity_source": [spec["identity_source"]], **self.empty()}
        if spec["type"] == "JWT":
            return either | {"issuer": spec["issuer"], "audience": sorted(spec["audience"])}
        answers = {"payload_format_version": "2.0", "simple_responses": True, "ttl": spec["ttl"]}
        return either | answers | {"uri": spec["uri"]}

    def create(self, desired: State) -> State:
        authorizer = self.call("create_authorizer", ApiId=self.api_id, **self._arguments())
        return {"id": authorizer["AuthorizerId"]}

    def update(self, before: State, changes: State) -> None:
        arguments = {**self._arguments(), **self.emptied(before, changes)}
        self.call("update_authorizer", ApiId=self.api_id, AuthorizerId=before["id"], **arguments)

    def _arguments(self) -> dict[str, t.Any]:
        wanted = self.desired()
        either = {"Name": self.name, "AuthorizerType": wanted["type"], "IdentitySource": wanted["identity_source"]}
        if wanted["type"] == "JWT":
            return either | {"JwtConfiguration": {"Issuer": wanted["issuer"], "Audience": wanted["audience"]}}
        return either | {
            "AuthorizerUri": wanted["uri"],
            "AuthorizerPayloadFormatVersion": wanted["payload_format_version"],
            "EnableSimpleResponses": wanted["simple_responses"],
            "AuthorizerResultTtlInSeconds": wanted["ttl"],
        }

    def delete(self, before: State) -> None:
        self.call("delete_authorizer", ApiId=self.api_id, AuthorizerId=before["id"])


class Permission(Resource):
    """A statement of the function's resource policy: who may call the function."""

    kind = "lambda_permission"
    immutable = frozenset({"principal", "action", "condition"})
    replaceable = True

    def __init__(self, authorizer: Authorizer, sid: str, statement: Document | None, *, absent: bool = False) -> None:
        self.function_name = authorizer.api.spec["authorizer"]["function_name"]
        needs = [] if absent else [authorizer]
        super().__init__(authorizer.aws, f"{self.function_name}/{sid}", needs=needs, absent=absent)
        self.authorizer, self.sid, self.statement = authorizer, sid, statement

    def describe(self) -> State | None:
        statement = self.statement
        return statement and {"principal": statement["Principal"], "action": statement["Action"], "condition": statement.get("Condition", {})}

    def desired(self) -> State:
        return {
            "principal": {"Service": "apigateway.amazonaws.com"},
            "action": "lambda:InvokeFunction",
            "condition": {"ArnLike": {"AWS:SourceArn": self._source_arn()}},
        }

    def _source_arn(self) -> str:
        api_id, authorizer_id = self.authorizer.api_id, t.cast(State, self.authorizer.state)["id"]
        where = f"{self.aws.region}:{self.aws.account_id}:{api_id}/authorizers/{authorizer_id}"
        return f"arn:{self.aws.partition}:execute-api:{where}"

    def create(self, desired: State) -> None:
        self.aws.client("lambda").add_permission(
            FunctionName=self.function_name,
            StatementId=self.sid,
            Action=desired["action"],
            Principal=desired["principal"]["Service"],
            SourceArn=self._source_arn(),
        )

    def delete(self, before: State) -> None:
        self.aws.client("lambda").remove_permission(FunctionName=self.function_name, StatementId=self.sid)

    def warn(self, before: State | None, changes: State) -> list[str]:
        if before and not self.absent:
            return ["for a moment API Gateway answers 500 to credentials that it has not cached"]
        return []


class Route(Part):
    kind = "apigatewayv2_route"
    unused = {"api_key_required": ("ApiKeyRequired", False), "operation_name": ("OperationName", "")}

    def __init__(
        self,
        api: Api,
        document: Document | None,
        key: str,
        integration: Integration | None = None,
        authorizer: Authorizer | None = None,
        *,
        needs: t.Sequence[Resource] = (),
        absent: bool = False,
    ) -> None:
        super().__init__(api, document, f"{api.name}/{key}", needs=needs, absent=absent)
        self.key, self.integration, self.authorizer = key, integration, authorizer

    @staticmethod
    def normal(document: Document) -> State:
        return {
            "id": document["RouteId"],
            "target": document.get("Target"),
            "authorization_type": document.get("AuthorizationType", "NONE"),
            "authorizer_id": document.get("AuthorizerId"),
            "authorization_scopes": sorted(document.get("AuthorizationScopes") or []),
        }

    def desired(self) -> State:
        integration, authorizer = (t.cast(State, needed.state) for needed in (self.integration, self.authorizer))
        return {
            "target": f"integrations/{integration['id']}",
            "authorization_type": "JWT" if authorizer["type"] == "JWT" else "CUSTOM",
            "authorizer_id": authorizer["id"],
            "authorization_scopes": sorted(self.api.spec["authorizer"]["scopes"]),
            **self.empty(),
        }

    def create(self, desired: State) -> State:
        scopes = {"AuthorizationScopes": desired["authorization_scopes"]} if desired["authorization_scopes"] else {}
        return {"id": self.call("create_route", ApiId=self.api_id, **self._arguments(), **scopes)["RouteId"]}

    def update(self, before: State, changes: State) -> None:
        scopes = {"AuthorizationScopes": changes["authorization_scopes"]} if "authorization_scopes" in changes else {}
        arguments = {**self._arguments(), **scopes, **self.emptied(before, changes)}
        self.call("update_route", ApiId=self.api_id, RouteId=before["id"], **arguments)

    def _arguments(self) -> dict[str, t.Any]:
        wanted = self.desired()
        return {"RouteKey": self.key, "Target": wanted["target"], "AuthorizationType": wanted["authorization_type"], "AuthorizerId": wanted["authorizer_id"]}

    def delete(self, before: State) -> None:
        self.call("delete_route", ApiId=self.api_id, RouteId=before["id"])


class Stage(Part):
    kind = "apigatewayv2_stage"
    unused = {"description": ("Description", ""), "variables": ("StageVariables", {})}

    def __init__(self, api: Api, document: Document | None, *, needs: t.Sequence[Resource] = (), absent: bool = False) -> None:
        self.stage_name = document["StageName"] if document else api.spec["stage"]["name"]
        super().__init__(api, document, f"{api.name}/{self.stage_name}", needs=needs, absent=absent)

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
            "tags": own_tags(document),
        }

    def desired(self) -> State:
        spec = self.api.spec["stage"]
        log = {"arn": spec["access_log_arn"], "format": json.dumps(spec["access_log_format"])}
        plain = ("throttling_rate_limit", "throttling_burst_limit", "detailed_metrics_enabled")
        return {
            "auto_deploy": True,
            "access_log": log if spec["access_log_arn"] else {"arn": "", "format": ""},
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
        moved = []
        if before and before["access_log"]["arn"] and changes.get("access_log", before["access_log"])["arn"] != before["access_log"]["arn"]:
            moved = [f"the lines of the access log so far stay in the log group {before['access_log']['arn'].rpartition(':')[2]}"]
        limits = ("throttling_rate_limit", "throttling_burst_limit")
        lower = [name for name in limits if before and before[name] and changes.get(name, before[name]) < before[name]]
        return moved + [f"{name}: {changes[name]:g} instead of {before[name]:g}: more requests are refused" for name in lower]

    def path(self, state: State) -> str:
        return f"apis/{self.api_id}/stages/{self.stage_name}"

    def delete(self, before: State) -> None:
        self.call("delete_stage", ApiId=self.api_id, StageName=self.stage_name)


class Mapping(Part):
    """What leads from the custom domain name to a stage. AWS deletes no API that one leads to."""

    kind = "apigatewayv2_api_mapping"

    def __init__(self, api: Api, document: Document | None, *, needs: t.Sequence[Resource] = (), absent: bool = False) -> None:
        self.domain_name = api.spec["domain_name"]
        key = document.get("ApiMappingKey", "") if document else ""
        super().__init__(api, document, mapping_name(self.domain_name, key), needs=needs, absent=absent)
        self.parent = None  # it lies in the domain name, and may be there before the API is

    @staticmethod
    def normal(document: Document) -> State:
        return {"id": document["ApiMappingId"], "api_id": document["ApiId"], "stage": document["Stage"]}

    def desired(self) -> State:
        return {"api_id": self.api_id, "stage": self.api.spec["stage"]["name"]}

    def create(self, desired: State) -> State:
        mapping = self.call("create_api_mapping", DomainName=self.domain_name, **self._arguments(desired))
        return {"id": mapping["ApiMappingId"]}

    def update(self, before: State, changes: State) -> None:
        which = {"DomainName": self.domain_name, "ApiMappingId": before["id"]}
        self.call("update_api_mapping", **which, **self._arguments(self.desired()))

    def _arguments(self, wanted: State) -> dict[str, t.Any]:
        return {"ApiId": wanted["api_id"], "Stage": wanted["stage"]}

    def delete(self, before: State) -> None:
        self.call("delete_api_mapping", DomainName=self.domain_name, ApiMappingId=before["id"])


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    api = Api(aws, params["name"], params, tags=params["tags"], absent=params["state"] == "absent")
    shown = ("id", "endpoint")
    return [api], lambda: {"api": {"name": api.name, **{k: api.state[k] for k in shown}} if api.state else {}}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "description": {"type": "str", "default": ""},
            "disable_execute_api_endpoint": {"type": "bool", "default": True},
            "integration": {
                "type": "dict",
                "options": {
                    "vpc_link_id": {"type": "str", "required": True},
                    "listener_arn": {"type": "str", "required": True},
                    "server_name": {"type": "str"},
                    "host": {"type": "str"},
                    "timeout_ms": {"type": "int", "default": 30000},
                },
            },
            "authorizer": {
                "type": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "type": {"type": "str", "choices": ["REQUEST", "JWT"], "required": True},
                    "identity_source": {"type": "str", "default": "$request.header.Authorization"},
                    "function_name": {"type": "str"},
                    "uri": {"type": "str"},
                    "ttl": {"type": "int", "default": 60},
                    "issuer": {"type": "str"},
                    "audience": {"type": "list", "elements": "str", "default": []},
                    "scopes": {"type": "list", "elements": "str", "default": []},
                },
                "required_if": [("type", "REQUEST", ["function_name", "uri"]), ("type", "JWT", ["issuer"])],
            },
            "route_keys": {"type": "list", "elements": "str", "default": ["$default"], "no_log": False},
            "stage": {
                "type": "dict",
                "apply_defaults": True,
                "options": {
                    "name": {"type": "str", "default": "$default"},
                    "access_log_arn": {"type": "str"},
                    "access_log_format": {"type": "dict", "default": {}},
                    "throttling_rate_limit": {"type": "float"},
                    "throttling_burst_limit": {"type": "int"},
                    "detailed_metrics_enabled": {"type": "bool", "default": False},
                },
            },
            "domain_name": {"type": "str"},
            **STATE,
            **TAGS,
        },
        required_if=[("state", "present", ["integration", "authorizer"])],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

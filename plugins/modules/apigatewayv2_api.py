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
- name: Create the API
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

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import STATE, TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.api import Api
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


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

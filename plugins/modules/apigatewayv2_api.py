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
  - With it come its custom domain name and the DNS records that lead there, its VPC link and the log group of its access log. What the API
    used before, such as a VPC link with other subnets, is removed once nothing leads to it any more.
  - Other parts of the API are removed, and so are settings for which the module has no option, such as stage variables or limits of
    a single route. Each route needs the authorizer, or a signature with AWS credentials; there is no route without.
  - A change of the type of the authorizer creates the new one, moves the routes to it, and only then removes the old one, so
    that no request is let through in between.
  - A Lambda authorizer's function gets the resource policy that lets this one authorizer call it, and nobody else.
  - For the access log the caller needs the permissions for log delivery, such as C(logs:CreateLogDelivery).
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
  ip_address_type:
    description: Whether AWS's own address of the API has IPv4 addresses only, or IPv6 addresses too. Not managed where omitted.
    type: str
    choices: [ipv4, dualstack]
  integration:
    description: Where requests go. Required with O(state=present).
    type: dict
    suboptions:
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
      headers:
        description:
          - Further headers that the listener gets, each in place of whatever the caller has given it.
          - A value may be a variable, such as C($context.identity.userArn), or C($context.authorizer.name) for C(name) of the context that a Lambda
            authorizer returns.
        type: dict
        default: {}
      timeout_ms:
        description: Milliseconds that a response may take, 50 to 30000.
        type: int
        default: 30000
  authorizer:
    description: The authorizer of all routes. Required with O(state=present).
    type: dict
    suboptions:
      name:
        description: Name of the authorizer, whose type cannot be changed. Needed unless O(authorizer.type=AWS_IAM).
        type: str
      type:
        description:
          - V(REQUEST) is a Lambda function, V(JWT) API Gateway's own check of a token.
          - V(AWS_IAM) is its own check of a signature (Signature Version 4) with AWS credentials that IAM allows C(execute-api:Invoke). There is no
            authorizer then, and the other options do not apply.
        type: str
        choices: [REQUEST, JWT, AWS_IAM]
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
  vpc_link:
    description:
      - The VPC link of the integration. Required with O(state=present), which waits for it.
      - Other links of this name that are ours, such as one with other subnets, are removed once the integration uses this one. See
        M(mlplatform.mlflow_aws.apigatewayv2_vpc_link), which can ask for the link earlier.
      - With O(state=absent) all links of this name that are ours are removed.
    type: dict
    suboptions:
      name:
        description: Name of the VPC link.
        type: str
        required: true
      subnet_ids:
        description: Subnets that the link has its network interfaces in. Needed with O(state=present).
        type: list
        elements: str
      security_group_ids:
        description: Security groups of these network interfaces.
        type: list
        elements: str
        default: []
  domain:
    description:
      - The custom domain name that leads to the stage, without a path. It is regional. Mutual TLS is off, and API mappings decide where a
        request goes; other settings are reverted.
      - Other domain names that carry both tags C(managed-by) and C(mlflow-stack) of O(tags) are removed with their API mappings once this one
        is in use.
      - With O(state=absent) the domain names are removed with their API mappings, whatever these lead to.
    type: dict
    suboptions:
      name:
        description: The domain name, such as C(mlflow.api.example.com).
        type: str
        required: true
      certificate_arn:
        description: ARN of the ACM certificate, in the same region, that covers the name. Needed with O(state=present).
        type: str
      security_policy:
        description: Oldest version of TLS that clients may use; V(TLS_1_2) includes TLS 1.3. API Gateway offers no newer one for HTTP APIs.
        type: str
        choices: [TLS_1_2]
        default: TLS_1_2
      ip_address_type:
        description: Whether the domain name has IPv4 addresses only, or IPv6 addresses too. Not managed where omitted.
        type: str
        choices: [ipv4, dualstack]
      dns_records:
        description:
          - The alias records that lead to the domain name. They are created last, and with O(state=absent) removed first.
          - The domain name lists its records in its tag C(mlflow-dns-records). Listed records that are not given here are removed once the others
            exist, also those of a domain name whose place this one takes.
          - Each record has an owner, as with M(mlplatform.mlflow_aws.route53_records).
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Full name of the record, with or without the final dot.
            type: str
            required: true
          type:
            description: Type of the record.
            type: str
            choices: [A, AAAA]
            default: A
          zone_id:
            description: ID of the hosted zone. Nothing is removed from a zone that does not exist.
            type: str
            required: true
      manage_dns:
        description:
          - Whether the module manages records. With V(false) it ignores O(domain.dns_records) and asks Route 53 nothing.
          - Records that the domain name lists then stay as they are, and are not listed any more.
        type: bool
        default: true
  access_log:
    description: The access log of the stage. None where omitted.
    type: dict
    suboptions:
      log_group:
        description: Name of its log group, which is created before the API and with O(state=absent) removed after it.
        type: str
        required: true
      former_log_groups:
        description: Names that the log group had before. With O(state=absent) these are removed too.
        type: list
        elements: str
        default: []
      retention_in_days:
        description: Days after which log events expire. Not managed where omitted.
        type: int
      kms_key_id:
        description:
          - ARN of the KMS key that encrypts the log group. Not managed where omitted.
          - An empty string disassociates a key that this module has associated.
        type: str
      format:
        description: The fields of a line, each with the C($context) variable that it shows.
        type: dict
        default: {}
  superseded_function:
    description: The function of an authorizer that the API had before. It is removed once no route uses it.
    type: dict
    suboptions:
      name:
        description: Name of the function.
        type: str
        required: true
      role:
        description: Name of its role, which is removed after it.
        type: str
      role_policies:
        description:
          - Names of the inline policies that are the role's own. A role that has others, or managed policies that others have attached, is kept with
            those.
          - Where omitted, the role is removed with all its policies.
        type: list
        elements: str
      log_group:
        description: Name of its log group, which is removed after it.
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
    vpc_link:
      name: mlflow-team-x
      subnet_ids: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
      security_group_ids: [sg-0123456789abcdef0]
    integration:
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
    domain:
      name: mlflow.api.example.com
      certificate_arn: arn:aws:acm:eu-west-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef
      dns_records:
        - name: mlflow.api.example.com
          zone_id: Z0123456789ABCDEFGHIJ
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
    target_dns_name:
      description: Where alias records of the custom domain name lead. Missing where there is none.
      type: str
      sample: d-a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com
    target_zone_id:
      description: ID of the hosted zone of C(target_dns_name), for alias records.
      type: str
      sample: ZLY8HYME6SFDD
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.reconcile import read
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.api import Api
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.domain_name import DOMAIN_NAME, DomainName
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.vpc_link import VPC_LINK, VpcLink, links_to_remove
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.lambda_ import function_to_remove
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.logs import LogGroup
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record import alias_records
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    return _removal(aws, params) if params["state"] == "absent" else _deployment(aws, params)


def _deployment(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    tags, log, of_domain = params["tags"], params["access_log"], params["domain"]
    if not params["vpc_link"]["subnet_ids"] or (of_domain and not of_domain["certificate_arn"]):
        raise AwsError("vpc_link needs subnet_ids, and domain a certificate_arn")
    log_group = _log_group(aws, log["log_group"], tags, log) if log else None
    link = VpcLink(aws, params["vpc_link"]["name"], params["vpc_link"], tags=tags)
    domain = DomainName(aws, of_domain["name"], of_domain, tags=tags) if of_domain else None
    before = [each for each in (log_group, link, domain) if each]
    read(*(each for each in (link, domain) if each))  # they tell of others whose place they take
    superseded = [*link.superseded(), *(domain.superseded() if domain else []), *_superseded_function(aws, params)]
    api = Api(aws, params["name"], params, tags=tags, needs=before, link=link, domain=domain, log_group=log_group, superseded=superseded)

    def results() -> dict[str, t.Any]:
        target = {f"target_{part}": value for part, value in domain.alias().items()} if domain else {}
        return {"api": {"name": api.name, "id": api.actual["id"], "endpoint": api.actual["endpoint"], **target}}

    return [*before, api], results


def _removal(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    """What leads to the API goes first, and what it uses last."""
    tags, log, of_domain = params["tags"], params["access_log"], params["domain"]
    names = [log["log_group"], *log["former_log_groups"]] if log else []
    used = [
        *(links_to_remove(aws, params["vpc_link"]["name"], tags) if params["vpc_link"] else []),
        *_superseded_function(aws, params),
        *(_log_group(aws, name, tags, absent=True) for name in names),
    ]
    api = Api(aws, params["name"], params, tags=tags, needs=used, absent=True)
    leading: list[Resource] = []
    if of_domain:
        domain = DomainName(aws, of_domain["name"], of_domain, tags=tags, needs=[api], absent=True)
        read(domain)
        domains = [domain, *domain.superseded(needs=[api])]
        leading = [*alias_records(domain, of_domain["dns_records"], manage=of_domain["manage_dns"], needs=domains), *domains]
    return [*leading, api, *used], lambda: {"api": {}}


def _log_group(aws: Aws, name: str, tags: dict[str, str], log: dict[str, t.Any] | None = None, *, absent: bool = False) -> LogGroup:
    spec = {option: log[option] if log else None for option in ("retention_in_days", "kms_key_id")}
    return LogGroup(aws, name, {**spec, "account_id": aws.account_id}, tags=tags, absent=absent)


def _superseded_function(aws: Aws, params: dict[str, t.Any]) -> list[Resource]:
    function = params["superseded_function"]
    return function_to_remove(aws, function, params["tags"]) if function else []


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "description": {"type": "str", "default": ""},
            "disable_execute_api_endpoint": {"type": "bool", "default": True},
            "ip_address_type": {"type": "str", "choices": ["ipv4", "dualstack"]},
            "integration": {
                "type": "dict",
                "options": {
                    "listener_arn": {"type": "str", "required": True},
                    "server_name": {"type": "str"},
                    "host": {"type": "str"},
                    "headers": {"type": "dict", "default": {}},
                    "timeout_ms": {"type": "int", "default": 30000},
                },
            },
            "authorizer": {
                "type": "dict",
                "options": {
                    "name": {"type": "str"},
                    "type": {"type": "str", "choices": ["REQUEST", "JWT", "AWS_IAM"], "required": True},
                    "identity_source": {"type": "str", "default": "$request.header.Authorization"},
                    "function_name": {"type": "str"},
                    "uri": {"type": "str"},
                    "ttl": {"type": "int", "default": 60},
                    "issuer": {"type": "str"},
                    "audience": {"type": "list", "elements": "str", "default": []},
                    "scopes": {"type": "list", "elements": "str", "default": []},
                },
                "required_if": [("type", "REQUEST", ["name", "function_name", "uri"]), ("type", "JWT", ["name", "issuer"])],
            },
            "route_keys": {"type": "list", "elements": "str", "default": ["$default"], "no_log": False},
            "stage": {
                "type": "dict",
                "apply_defaults": True,
                "options": {
                    "name": {"type": "str", "default": "$default"},
                    "throttling_rate_limit": {"type": "float"},
                    "throttling_burst_limit": {"type": "int"},
                    "detailed_metrics_enabled": {"type": "bool", "default": False},
                },
            },
            "vpc_link": {"type": "dict", "options": VPC_LINK},
            "domain": {"type": "dict", "options": DOMAIN_NAME},
            "access_log": {
                "type": "dict",
                "options": {
                    "log_group": {"type": "str", "required": True},
                    "former_log_groups": {"type": "list", "elements": "str", "default": []},
                    "retention_in_days": {"type": "int"},
                    "kms_key_id": {"type": "str", "no_log": False},
                    "format": {"type": "dict", "default": {}},
                },
            },
            "superseded_function": {
                "type": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "role": {"type": "str"},
                    "role_policies": {"type": "list", "elements": "str"},
                    "log_group": {"type": "str"},
                },
            },
            **STATE,
            **TAGS,
        },
        required_if=[("state", "present", ["integration", "authorizer", "vpc_link"])],
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

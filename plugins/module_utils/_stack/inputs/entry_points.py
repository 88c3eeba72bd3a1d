# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what inputs of the entry points must be together: their host names, who may enter, who may do what."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record_list import entry
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import host_name, names_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.containers import SIDECARS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import manages_dns
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.forms import is_reserved_by_cognito
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.server_environment import WORKSPACES
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs, Problem, is_given

_FUNCTION_ENVIRONMENT = 4096
"""Bytes that AWS Lambda takes of a function's environment, as JSON."""
_CERTIFICATE_NAME = 64
"""Characters of the first name of a certificate (ACM)."""
_TAG_VALUE = 256
"""Characters of the value of a tag."""
_CLAIM_VALUE = 256
"""Characters of a value that a load balancer compares a claim of a token with."""
_RULE_HOST_NAME = 128
"""Characters of a host name in a rule of a load balancer."""
_AUTH_APP = (3, 18)
"""The first MLflow whose auth app refuses routes that it does not know, and has its schema prepared by ours."""


def _hosts(v: Inputs) -> list[str]:
    return [host_name(v["mlflow_record_name"], v[zone]) for zone in ("mlflow_zone_name", "mlflow_api_zone_name")]


def host_names(v: Inputs) -> t.Iterator[Problem]:
    hosts = _hosts(v)
    if len(set(hosts)) == 1:
        remedy = "people and programs would get one host name: give a zone other than mlflow_zone_name, such as api.<zone_name>"
        yield Problem("mlflow_api_zone_name", v["mlflow_api_zone_name"], remedy)
    for host in hosts:
        if len(host) > _RULE_HOST_NAME:
            reason = f"the host name {host[:20]}... is longer than {_RULE_HOST_NAME} characters, the most that a load balancer's rule takes"
            yield Problem("mlflow_record_name", v["mlflow_record_name"], reason)


def certificate_names(v: Inputs) -> t.Iterator[Problem]:
    for host in _hosts(v):
        if _CERTIFICATE_NAME < len(host) <= _RULE_HOST_NAME:
            reason = (
                f"the host name {host[:20]}... has {len(host)} characters, and ACM takes {_CERTIFICATE_NAME} in the first name of a certificate: "
                "give a shorter one, or make the prerequisites without bootstrap"
            )
            yield Problem("mlflow_record_name", v["mlflow_record_name"], reason)


def token_access(v: Inputs) -> t.Iterator[Problem]:
    """Programs that come by the load balancer itself."""
    access, record, zone = "mlflow_load_balancer_token_access", "mlflow_load_balancer_token_record_name", "mlflow_api_zone_name"
    if not v[access]:
        return
    if not is_given(v, record):
        yield Problem(record, None, f"is missing: {access} is true: give the first part of a host name of its own, such as mlflow-token")
    elif is_given(v, zone):
        yield from _token_host(record, host_name(v[record], v[zone]), v)
    if v.get("mlflow_identity") == "off":
        yield from claims_of_tokens(v)
    for scope in v.get("mlflow_api_scopes") or []:
        if len(scope) > _CLAIM_VALUE:
            yield Problem(
                "mlflow_api_scopes",
                scope,
                f"{access} is true, and a load balancer takes values of a claim of at most {_CLAIM_VALUE} characters: give a shorter one",
            )


def _token_host(record: str, host: str, v: Inputs) -> t.Iterator[Problem]:
    others = [_stack_host(v, zone) for zone in ("mlflow_zone_name", "mlflow_api_zone_name")]
    if host in others:
        yield Problem(record, v[record], f"{host} is a host name of the stack already: give another one, such as mlflow-token")
    if len(host) > _RULE_HOST_NAME:
        yield Problem(record, v[record], f"{host[:20]}... is longer than {_RULE_HOST_NAME} characters, the most that a load balancer's rule takes")
    kinds = ("A",) if v.get("mlflow_load_balancer_ip_address_type", "ipv4") == "ipv4" else ("A", "AAAA")
    names = {others[0]: v.get("mlflow_zone_id") or "", host: v.get("mlflow_api_zone_id") or ""}
    listed = " ".join(entry({"type": kind, "zone_id": zone, "name": name}) for name, zone in names.items() for kind in kinds)
    if manages_dns(v) and len(host) <= _RULE_HOST_NAME and len(listed) > _TAG_VALUE:
        reason = f"a tag of the load balancer lists its DNS records, which are {len(listed)} characters, and AWS takes {_TAG_VALUE}: give a shorter one"
        yield Problem(record, v[record], reason)


def _stack_host(v: Inputs, zone: str) -> str:
    return host_name(v["mlflow_record_name"], v[zone]) if is_given(v, zone) and is_given(v, "mlflow_record_name") else ""


def claims_of_tokens(v: Inputs) -> t.Iterator[Problem]:
    """What the load balancer cannot hold tokens to, where nothing behind it does: of a claim with several values AWS does not say whether one is enough."""
    access, ids, groups, scopes = "mlflow_load_balancer_token_access", "mlflow_api_client_ids", "mlflow_api_groups", "mlflow_api_scopes"
    edge = "have it deployed with mlflow_identity: edge first, whose servers check tokens too"
    others = [each for each in v.get(ids) or [] if each != v.get("mlflow_aws_cognito_user_pool_client_id")]
    if others:
        remedy = f"{access} is true, and the load balancer can hold tokens to one app client, mlflow_aws_cognito_user_pool_client_id: {edge}, or leave this out"
        yield Problem(ids, others, remedy)
    for name in (groups, scopes):
        if len(v.get(name) or []) > 1:
            yield Problem(name, v[name], f"{access} is true, and the load balancer can hold tokens to one of them only: {edge}, or give one")


def basic_credentials(v: Inputs) -> t.Iterator[Problem]:
    secret = "mlflow_api_credentials_secret_arn"
    if v["mlflow_api_authorizer"] != "lambda":
        yield Problem(secret, v[secret], "HTTP Basic needs mlflow_api_authorizer lambda: leave this input out, or choose lambda")


def address_type(v: Inputs) -> t.Iterator[Problem]:
    given, kind = "mlflow_load_balancer_ip_address_type", v["mlflow_load_balancer_ip_address_type"]
    if kind == "dualstack-without-public-ipv4" and v.get("mlflow_load_balancer_is_internal", True):
        yield Problem(given, kind, "is for a load balancer that faces the internet: give dualstack, or set mlflow_load_balancer_is_internal to false")
    callers = "mlflow_load_balancer_ingress_cidr_blocks"
    if kind == "ipv4" and any(":" in block for block in v.get(callers) or []):
        blocks = ", ".join(block for block in v[callers] if ":" in block)
        remedy = f"the load balancer has IPv4 addresses only, so that nobody from there reaches it: set {given} to dualstack, or leave these blocks out"
        yield Problem(callers, blocks, remedy)


def sign_in(v: Inputs) -> t.Iterator[Problem]:
    if v["mlflow_load_balancer_sign_in"] == "oidc":
        for part in ("issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint", "client_id", "client_secret_arn"):
            name = f"mlflow_load_balancer_oidc_{part}"
            if not is_given(v, name):
                yield Problem(name, "", "is missing: mlflow_load_balancer_sign_in is oidc")


def cognito_domain(v: Inputs) -> t.Iterator[Problem]:
    name = v["mlflow_unique_name"]
    if not v.get("mlflow_bootstrap_cognito_domain") and is_reserved_by_cognito(name):
        remedy = f"is missing: give one without the words aws, amazon and cognito, which mlflow_unique_name {name} holds"
        yield Problem("mlflow_bootstrap_cognito_domain", None, remedy)


def first_admin(v: Inputs) -> t.Iterator[Problem]:
    """The group of the user pool that makes the first person an admin."""
    group = v["mlflow_admin_groups"][0]
    if any(character.isspace() for character in group):
        remedy = "mlflow_first_admin_email is put in the first of these, and Cognito takes no spaces in the name of a group: let another one be the first"
        yield Problem("mlflow_admin_groups", group, remedy)


def callers(v: Inputs) -> t.Iterator[Problem]:
    """Which users of the pool may use the API."""
    authorizer, groups, scopes = v.get("mlflow_api_authorizer"), v.get("mlflow_api_groups") or [], v.get("mlflow_api_scopes") or []
    if authorizer == "iam":
        yield from _signed_callers(v)
        return
    jwt = authorizer == "jwt"
    if jwt and groups:
        yield Problem(
            "mlflow_api_groups", groups, "mlflow_api_authorizer jwt is API Gateway itself, which checks no groups: leave this input out, or choose lambda"
        )
    for scope in scopes:
        if jwt and len(scope) > 64:
            yield Problem("mlflow_api_scopes", scope, "with mlflow_api_authorizer jwt give scopes of at most 64 characters, which API Gateway takes")
    lists = {"mlflow_api_client_ids": v.get("mlflow_api_client_ids") or [], "mlflow_api_groups": groups, "mlflow_api_scopes": scopes}
    environment = {  # as the role apigw has it
        "COGNITO_USER_POOL_ID": v.get("mlflow_aws_cognito_user_pool_arn", "").rpartition("/")[2],
        "COGNITO_CLIENT_IDS": ",".join([v.get("mlflow_aws_cognito_user_pool_client_id", ""), *lists["mlflow_api_client_ids"]]),
        "API_GROUPS": json.dumps(groups),
        "API_SCOPES": json.dumps(scopes),
        "API_CREDENTIALS_SECRET_ARN": v.get("mlflow_api_credentials_secret_arn", ""),
        "IDENTITY_KEY_SECRET": names_of(v).identity_key_secret,
    }
    size = len(json.dumps(environment))
    if not jwt and size > _FUNCTION_ENVIRONMENT:
        largest = max(lists, key=lambda name: len(json.dumps(lists[name])))
        yield Problem(
            largest,
            lists[largest],
            f"app clients, groups and scopes take {size} bytes of the authorizer's environment, and AWS Lambda takes "
            f"{_FUNCTION_ENVIRONMENT}: give fewer, or shorter ones",
        )


def _signed_callers(v: Inputs) -> t.Iterator[Problem]:
    """With signatures in place of tokens, IAM says who may use the API."""
    for name in ("mlflow_api_client_ids", "mlflow_api_groups", "mlflow_api_scopes"):
        if v.get(name) and not v.get("mlflow_load_balancer_token_access"):
            yield Problem(name, v[name], "mlflow_api_authorizer iam takes no tokens: leave this input out, and let IAM policies say who may execute-api:Invoke")
    trusted = "mlflow_api_iam_trust_sidecars"
    if v.get(SIDECARS) and not v.get(trusted):
        yield Problem(
            SIDECARS,
            ", ".join(str(each.get("name")) for each in v[SIDECARS] if isinstance(each, dict)),
            f"with mlflow_api_authorizer iam API Gateway names the caller in a header, and sidecars, which reach MLflow without it, can name anybody: "
            f"leave them out, or say {trusted}: true if they are trusted with that",
        )


def auth_app_problems(v: Inputs) -> t.Iterator[Problem]:
    """Of MLflow's own images those without MLflow's extra ``auth``, or with an older auth app. What another image has, only its task can tell."""
    tag = str(v.get("mlflow_service_image_tag")).partition("@")[0]
    version = re.fullmatch(r"v?(\d+)\.(\d+)\.\d+(?:rc\d+)?(-full)?", tag)
    if not str(v.get("mlflow_service_image")).endswith("ghcr.io/mlflow/mlflow") or not version:
        return
    if version[3] is None or (int(version[1]), int(version[2])) < _AUTH_APP:
        needed = ".".join(map(str, _AUTH_APP))
        remedy = f"mlflow_identity mlflow runs MLflow's own auth app, which is in the images of v{needed}.0-full and newer: give one, or mlflow_identity edge"
        yield Problem("mlflow_service_image_tag", v["mlflow_service_image_tag"], remedy)


def workspace_problems(v: Inputs) -> t.Iterator[Problem]:
    """MLflow's workspaces are not for servers that check who calls: whoever may do something may do it in each."""
    given_in = next((part for part in ("environment", "secrets") if WORKSPACES in (v.get(f"mlflow_service_{part}") or {})), None)
    value = (v.get("mlflow_service_environment") or {}).get(WORKSPACES, "true")
    if given_in and str(value).lower() in ("true", "1"):
        remedy = (
            "with workspaces each client says in which it works, and no group of mlflow_identity is of one of them: leave it out, and give what has to be "
            "apart stacks of their own (docs/identity.md), or set mlflow_identity to off"
        )
        yield Problem(f"mlflow_service_{given_in}.{WORKSPACES}", None, remedy)


def identity(v: Inputs) -> t.Iterator[Problem]:
    """Who may do what, which nobody asks where MLflow is not told who calls."""
    groups = [name for name in (f"mlflow_{right}_groups" for right in ("admin", "editor", "reader")) if v.get(name)]
    if v.get("mlflow_identity") == "off":
        for name in groups:
            yield Problem(name, v[name], "mlflow_identity is off, so that everybody may do everything: leave one of the two out")
    elif v.get("mlflow_default_right") == "none" and not groups:
        yield Problem("mlflow_default_right", "none", "nobody may do anything: name groups in mlflow_admin_groups, or give another right")
    if v.get("mlflow_identity") in ("edge", "mlflow"):
        yield from workspace_problems(v)
    if v.get("mlflow_identity") == "mlflow":
        yield from auth_app_problems(v)

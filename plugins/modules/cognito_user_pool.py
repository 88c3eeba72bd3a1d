#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cognito_user_pool
version_added: 1.0.0
short_description: Manage a Cognito user pool with its app clients and its domain
author: mlplatform contributors (@mlplatform)
description:
  - Creates, updates and deletes a user pool, its app clients and its domain prefix. Neither amazon.aws nor community.aws has
    modules for them.
  - App clients that are not named here are left alone, because other programs may use them.
options:
  name:
    description: Name of the pool. Pools may share a name; the one with the owner tags is meant.
    type: str
    required: true
  allow_admin_create_user_only:
    description: Whether only administrators create accounts, so that nobody can sign up.
    type: bool
    default: true
  deletion_protection:
    description: Whether Cognito refuses to delete the pool. It is disabled for O(state=absent).
    type: bool
    default: true
  password_minimum_length:
    description: Minimum length of passwords, 6 to 99. Where omitted, a new pool has 14, and an existing one keeps its own.
    type: int
  mfa:
    description:
      - Whether people sign in with a second factor, an authenticator app. With V(required), programs cannot sign in with user and password.
      - Not managed where omitted; a new pool has none.
    type: str
    choices: [disabled, optional, required]
  threat_protection:
    description:
      - Whether Cognito logs (V(audit)) or stops (V(enforced)) sign-ins that look like an attack. Both need its feature plan Plus.
      - Not managed where omitted; a new pool has none.
    type: str
    choices: [disabled, audit, enforced]
  domain:
    description: Prefix of the pool's domain. No domain is managed where omitted.
    type: str
  invited:
    description:
      - E-mail addresses of people who get an account, with the address as its name. Cognito sends them a temporary password.
      - An account of that name that is there already is left alone but for O(invited_groups), and none is removed but with the pool.
    type: list
    elements: str
    default: []
    version_added: 1.2.0
  invited_groups:
    description: Groups that those in O(invited) are put in. They are created where there are none, and nobody is taken out of one.
    type: list
    elements: str
    default: []
    version_added: 1.2.0
  clients:
    description: The app clients.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the app client.
        type: str
        required: true
      generate_secret:
        description: Whether it has a secret. Cannot be changed.
        type: bool
        default: false
      callback_urls:
        description: Where Cognito may send people back to.
        type: list
        elements: str
        default: []
      logout_urls:
        description: Where Cognito may send people to after they have signed out. Other URLs that it may send them to stay.
        type: list
        elements: str
        default: []
        version_added: 1.2.0
      allowed_oauth_flows:
        description: OAuth grants it may use, such as V(code).
        type: list
        elements: str
        default: []
      allowed_oauth_scopes:
        description: OAuth scopes it may ask for.
        type: list
        elements: str
        default: []
      explicit_auth_flows:
        description: Ways to sign in without the hosted pages, such as V(ALLOW_USER_SRP_AUTH).
        type: list
        elements: str
        default: []
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.state
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Create the user pool of the data teams
  mlplatform.mlflow_aws.cognito_user_pool:
    name: data
    domain: data-example
    clients:
      - name: load-balancer
        generate_secret: true
        callback_urls: [https://mlflow.ml.example.com/oauth2/idpresponse]
        allowed_oauth_flows: [code]
        allowed_oauth_scopes: [openid]
    tags:
      managed-by: mlplatform.mlflow_aws
"""

RETURN = r"""
user_pool:
  description: The pool as it is after the run. Empty with O(state=absent).
  type: dict
  returned: success
  contains:
    id:
      description: ID of the pool.
      type: str
      sample: eu-west-1_AbCdEfGhI
    arn:
      description: ARN of the pool.
      type: str
    domain:
      description: Prefix of its domain.
      type: str
    clients:
      description: IDs of the app clients by name.
      type: dict
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains:
    action:
      description: V(create), V(update), V(replace) or V(delete).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: cognito_user_pool_client
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
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.cognito_idp import UserPool, Client
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    pool = UserPool(aws, params["name"], params, tags=params["tags"], absent=params["state"] == "absent")

    def results() -> dict[str, t.Any]:
        if pool.state is None:
            return {"user_pool": {}}
        clients = {c.name: c.actual["id"] for c in pool.child_resources if isinstance(c, Client)}
        return {"user_pool": {"id": pool.state["id"], "arn": pool.state["arn"], "domain": params["domain"], "clients": clients}}

    return [pool], results


def main() -> None:
    strings = {"type": "list", "elements": "str", "default": []}
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "allow_admin_create_user_only": {"type": "bool", "default": True},
            "deletion_protection": {"type": "bool", "default": True},
            "password_minimum_length": {"type": "int", "no_log": False},
            "mfa": {"type": "str", "choices": ["disabled", "optional", "required"]},
            "threat_protection": {"type": "str", "choices": ["disabled", "audit", "enforced"]},
            "domain": {"type": "str"},
            "invited": strings,
            "invited_groups": strings,
            "clients": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "generate_secret": {"type": "bool", "default": False, "no_log": False},
                    "callback_urls": strings,
                    "logout_urls": strings,
                    "allowed_oauth_flows": strings,
                    "allowed_oauth_scopes": strings,
                    "explicit_auth_flows": strings,
                },
            },
            **STATE,
            **TAGS,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()

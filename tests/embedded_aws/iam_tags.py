# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What IAM has to know of the account for its decisions: tags, roles, keys of secrets."""

from __future__ import annotations

import re
from typing import Any

from moto.acm.models import acm_backends
from moto.apigatewayv2.models import apigatewayv2_backends
from moto.cognitoidp.models import cognitoidp_backends
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends


def account_tags(arn: str) -> dict[str, str]:
    """The tags of a resource; none if it does not exist, or is of a service whose tags no condition asks for."""
    if arn.count(":") < 5:
        return {}
    _arn, _partition, service, region, account, name = arn.split(":", 5)
    read = {"acm": _of_certificate, "apigateway": _of_api, "cognito-idp": _of_pool, "ec2": _of_ec2, "kms": _of_key}.get(service)
    return dict(read(account, region, name, arn)) if read else {}


def _of_ec2(account: str, region: str, name: str, _arn: str) -> dict[str, str]:
    return ec2_backends[account][region].tags.get(name.partition("/")[2], {})


def _of_key(account: str, region: str, name: str, _arn: str) -> dict[str, str]:
    return kms_backends[account][region].tagger.get_tag_dict_for_resource(name.partition("/")[2])


def _of_certificate(account: str, region: str, _name: str, arn: str) -> dict[str, Any]:
    found = acm_backends[account][region]._certificates.get(arn)
    return dict(found.tags) if found else {}


def _of_pool(account: str, region: str, name: str, _arn: str) -> dict[str, str]:
    pool = cognitoidp_backends[account][region].user_pools.get(name.partition("/")[2])
    return pool.extended_config.get("UserPoolTags", {}) if pool else {}


def _of_api(_account: str, region: str, name: str, _arn: str) -> dict[str, str]:
    """Of an API, a VPC link or a domain name itself. What is in them has no tags."""
    for account in list(apigatewayv2_backends):
        backend = apigatewayv2_backends[account][region]
        kind, _slash, identifier = name.strip("/").partition("/")
        if kind == "domainnames" and identifier in backend.domain_names:
            return backend.domain_names[identifier].tags or {}
        if tags := backend.tagger.get_tag_dict_for_resource(f"arn:aws:apigateway:{region}::/{kind}/{identifier}"):
            return tags
    return {}


def role_arn(account: str, name: str, path: list[str]) -> str:
    """The ARN of a role, with the path that it has or would get."""
    role = next((each for each in iam_backends[account]["aws"].roles.values() if each.name == name), None)
    return role.arn if role else f"arn:aws:iam::{account}:role{(path or ['/'])[0]}{name}"


def boundary_of(account: str, names: list[str]) -> list[str]:
    found = [each.permissions_boundary_arn for each in iam_backends[account]["aws"].roles.values() if each.name in names]
    return [boundary for boundary in found if boundary]


def route_table_of(account: str, region: str, association: str) -> str | None:
    tables = ec2_backends[account][region].route_tables.values()
    return next((table.id for table in tables if association in table.all_associations_ids), None)


def key_of_secret(account: str, region: str, secret: str) -> str | None:
    """The key of a secret by its name or ARN; None for the account's own."""
    name = re.sub(r"-\w{6}$", "", secret.rpartition(":secret:")[2]) if secret.startswith("arn:") else secret
    found = secretsmanager_backends[account][region].secrets.get(name)
    return found.kms_key_id if found else None

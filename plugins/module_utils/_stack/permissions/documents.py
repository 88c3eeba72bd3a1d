# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the permissions that the caller needs, as policy documents for a prefix of names, an account and a region. Pure.

The statements are written down in this package alone: the playbook ``policy`` and ``docs/iam-policy-*.json`` are rendered from them.
"""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.bootstrap import BOOTSTRAP_ACCOUNTS, BOOTSTRAP_NETWORK
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.stack import (
    API_GATEWAY,
    DATABASE,
    IDENTITY,
    MONITORING,
    NETWORK,
    SERVERS,
    STORAGE,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.statements import Document, Scope, Statement

STATEMENTS: dict[str, tuple[Statement, ...]] = {
    "iam-policy-identity": IDENTITY,
    "iam-policy-network": NETWORK,
    "iam-policy-database": DATABASE,
    "iam-policy-storage": STORAGE,
    "iam-policy-servers": SERVERS,
    "iam-policy-api": API_GATEWAY,
    "iam-policy-monitoring": MONITORING,
    "iam-policy-bootstrap-network": BOOTSTRAP_NETWORK,
    "iam-policy-bootstrap-accounts": BOOTSTRAP_ACCOUNTS,
}
"""By the name of the document. Those of ``bootstrap`` stand for themselves, all others belong together. No document may have more than
6,144 characters without white space, and no role more than 10 of them.
"""


def documents(scope: Scope) -> dict[str, Document]:
    """The policy documents for a scope, by their names."""
    return {
        name: {
            "Version": "2012-10-17",
            "Statement": [_rendered(each, scope) for each in statements if _resources(each, scope) and not (each.unbounded and scope.boundary)],
        }
        for name, statements in STATEMENTS.items()
    }


def explained() -> list[tuple[str, Statement]]:
    """The statements that reach further than what is the stack's by name or tag, each with the name of its document."""
    return [(name, each) for name, statements in STATEMENTS.items() for each in statements if each.why]


def _rendered(statement: Statement, scope: Scope) -> Document:
    conditions = statement.conditions
    if statement.bounded and scope.boundary:
        conditions = {**conditions, "StringEquals": {**conditions.get("StringEquals", {}), "iam:PermissionsBoundary": scope.boundary}}
    rendered: Document = {"Sid": statement.sid, "Effect": "Allow", "Action": sorted(statement.actions.split()), "Resource": _resources(statement, scope)}
    if conditions:
        rendered["Condition"] = {operator: {key: _value(value, scope) for key, value in keys.items()} for operator, keys in conditions.items()}
    return rendered


def _value(value: str | list[str], scope: Scope) -> str | list[str]:
    return [_fill(each, scope) for each in value] if isinstance(value, list) else _fill(value, scope)


def _resources(statement: Statement, scope: Scope) -> list[str]:
    return list(dict.fromkeys(filled for each in statement.resources for filled in _filled(each, scope) if filled))


def _filled(resource: str, scope: Scope) -> tuple[str, ...]:
    """The resources that one of a statement stands for."""
    lists = {"{secrets}": scope.secrets, "{keys}": scope.keys or (_fill("arn:{partition}:kms:{region}:{account}:key/*", scope),)}
    return lists[resource] if resource in lists else (_fill(resource, scope),)


def _fill(text: str, scope: Scope) -> str:
    return text.format(**scope._asdict(), partition=scope.partition)

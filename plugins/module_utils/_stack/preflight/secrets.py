# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the values of the secrets that inputs name."""

from __future__ import annotations

import json
import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import CACHE, Check, Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.password import secret_problem


class Secrets(Checks):
    def checks(self) -> list[Check]:
        secrets = (
            ("mlflow_database_password_secret_arn", self.password_reason),
            ("mlflow_api_credentials_secret_arn", credentials_reason),
            ("mlflow_load_balancer_oidc_client_secret_arn", lambda value: None),
            ("mlflow_service_image_credentials_secret_arn", partial(registry_reason, key="password")),
        )
        return [*((self.secret, row, row[:1]) for row in secrets), (self.of_cache, (), (CACHE,))]

    def of_cache(self) -> Problems:
        """The credentials of ECR's pull-through cache, whose service-linked role reads secrets of its own account alone."""
        if self.is_of_another_account(self.inputs[CACHE]):
            yield self.problem(CACHE, f"it is not of the account {self.aws.account_id}, and Amazon ECR reads no other: make one there")
        else:
            yield from self.secret(CACHE, partial(registry_reason, key="accessToken"))

    def secret(self, name: str, check: t.Callable[[str], str | None]) -> Problems:
        try:
            value = self.aws.client("secretsmanager").get_secret_value(SecretId=self.inputs[name]).get("SecretString")
        except ClientError as error:
            if error_code(error) not in ("ResourceNotFoundException", "InvalidRequestException"):
                raise
            yield self.problem(name, f"it cannot be read ({error_code(error)}): make the secret and give it a value")
            return
        reason = check(value) if value else "it has no text value: give it one"
        if reason:
            yield self.problem(name, reason)

    def password_reason(self, value: str) -> str | None:
        return secret_problem(value, self.inputs.get("mlflow_database_engine", "aurora-mysql"))


MIN_PASSWORD = 20
"""Characters of a password that the authorizer takes (roles/apigw/files/authorizer/basic_credentials.py)."""


def credentials_reason(value: str) -> str | None:
    """What is wrong with the secret of the user names and passwords, or None. It never shows a password."""
    try:
        users = json.loads(value)
    except ValueError:
        users = None
    numbers = [user for user, password in users.items() if isinstance(password, (int, float))] if isinstance(users, dict) else []
    if numbers:
        named = ", ".join(map(repr, numbers))[:100]
        return f"the password of {named} is no text but a number, true or false: put it in quotes in a JSON object of user name to password"
    if not isinstance(users, dict) or not users or not all(isinstance(p, str) and p for p in users.values()):
        return 'give the secret a JSON object of user name to password, such as {"ci": "..."}'
    if any(not user or ":" in user for user in users):
        return "HTTP Basic takes no user name that is empty or holds a colon"
    short = [user for user, password in users.items() if len(password) < MIN_PASSWORD]
    if short:
        named = ", ".join(repr(user)[:80] for user in short[:5]) + (f" and {len(short) - 5} more" if len(short) > 5 else "")
        return (
            f"the password of {named} is shorter than {MIN_PASSWORD} characters, and whoever guesses it is in: give a longer one, such as 32 random characters"
        )
    return None


def registry_reason(value: str, key: str) -> str | None:
    """What is wrong with the credentials for a registry, or None. ``key``: that of the password."""
    try:
        given = json.loads(value)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(given.get(name), str) and given[name] for name in ("username", key)):
        return f'give the secret a JSON object with the user and the password or token of the registry: {{"username": "...", "{key}": "..."}}'
    return None

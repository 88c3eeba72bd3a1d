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
    if not isinstance(users, dict) or not users:
        return 'give the secret a JSON object of user name to password, such as {"ci": "..."}'
    passwords: dict[str, t.Any] = {user: given.get("password") if isinstance(given, dict) else given for user, given in users.items()}
    numbers = [user for user, password in passwords.items() if isinstance(password, (int, float))]
    if numbers:
        return f"the password of {_named(numbers)} is no text but a number, true or false: put it in quotes in a JSON object of user name to password"
    odd = [
        user for user, given in users.items() if isinstance(given, dict) and (given.keys() - {"password", "groups"} or not _are_groups(given.get("groups", [])))
    ]
    if odd:
        return f'give {_named(odd)} a password and a list of the names of groups, such as {{"ci": {{"password": "...", "groups": ["ml-users"]}}}}'
    if not all(isinstance(password, str) and password for password in passwords.values()):
        return 'give the secret a JSON object of user name to password, such as {"ci": "..."}'
    if any(not user or ":" in user for user in users):
        return "HTTP Basic takes no user name that is empty or holds a colon"
    short = [user for user, password in passwords.items() if len(password) < MIN_PASSWORD]
    if short:
        return (
            f"the password of {_named(short)} is shorter than {MIN_PASSWORD} characters, and whoever guesses it is in: "
            "give a longer one, such as 32 random characters"
        )
    return None


def _are_groups(groups: t.Any) -> bool:
    return isinstance(groups, list) and all(isinstance(group, str) for group in groups)


def _named(users: list[str]) -> str:
    return ", ".join(repr(user)[:80] for user in users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")


def registry_reason(value: str, key: str) -> str | None:
    """What is wrong with the credentials for a registry, or None. ``key``: that of the password."""
    try:
        given = json.loads(value)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(given.get(name), str) and given[name] for name in ("username", key)):
        return f'give the secret a JSON object with the user and the password or token of the registry: {{"username": "...", "{key}": "..."}}'
    return None

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: user pools of Cognito with their app clients and their domain."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN, State, has_unknown
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import own_tags, owner_tags


PASSWORD_LENGTH = 14
"""Of a new pool, unless told. An existing one keeps its own."""
MFA = {"disabled": "OFF", "optional": "OPTIONAL", "required": "ON"}
THREAT_PROTECTION = {"disabled": "OFF", "audit": "AUDIT", "enforced": "ENFORCED"}
"""Our words, and Cognito's."""


class UserPool(Resource):
    kind = "cognito_user_pool"
    allows_duplicates = True
    service = "cognito-idp"

    def describe(self) -> State | None:
        cognito = self.aws.client("cognito-idp")
        for pool in self.aws.pages("cognito-idp", "list_user_pools", "UserPools", MaxResults=60):
            if pool["Name"] != self.name:
                continue
            described = cognito.describe_user_pool(UserPoolId=pool["Id"])["UserPool"]
            tags = own_tags(described.get("UserPoolTags", {}))
            if owner_tags(self.tags).items() <= tags.items():
                return {
                    "id": pool["Id"],
                    "arn": described["Arn"],
                    "allow_admin_create_user_only": described["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"],
                    "deletion_protection": described.get("DeletionProtection") == "ACTIVE",
                    "password_minimum_length": described.get("Policies", {}).get("PasswordPolicy", {}).get("MinimumLength"),
                    "mfa": _ours(MFA, described.get("MfaConfiguration")),
                    "threat_protection": _ours(THREAT_PROTECTION, described.get("UserPoolAddOns", {}).get("AdvancedSecurityMode")),
                    "tags": tags,
                    "described": described,
                }
        return None

    def desired(self) -> State:
        names = ("allow_admin_create_user_only", "deletion_protection", "password_minimum_length", "mfa", "threat_protection")
        return {name: self.spec[name] for name in names}

    def unknown(self) -> State:
        return {"id": UNKNOWN, "arn": UNKNOWN}

    def create(self, desired: State) -> State:
        kinds = ("RequireUppercase", "RequireLowercase", "RequireNumbers", "RequireSymbols")
        password = {"MinimumLength": PASSWORD_LENGTH, **dict.fromkeys(kinds, True), "TemporaryPasswordValidityDays": 7}
        settings = _settings(desired, {"PasswordPolicy": password})
        answer = self.aws.client("cognito-idp").create_user_pool(
            PoolName=self.name, UserPoolTags=desired["tags"], **{"Policies": {"PasswordPolicy": password}, **settings}
        )
        state = {"id": answer["UserPool"]["Id"], "arn": answer["UserPool"]["Arn"]}
        if desired["mfa"] not in (None, "disabled"):
            self._set_mfa(state["id"], desired["mfa"])
        return state

    def _set_mfa(self, pool_id: str, mfa: str) -> None:
        """By authenticator apps; what else the pool takes for a second factor it goes on to take."""
        cognito = self.aws.client("cognito-idp")
        there = {k: v for k, v in cognito.get_user_pool_mfa_config(UserPoolId=pool_id).items() if k in _settable(cognito, "SetUserPoolMfaConfig")}
        factors = {} if mfa == "disabled" else {**there, "SoftwareTokenMfaConfiguration": {"Enabled": True}}
        cognito.set_user_pool_mfa_config(UserPoolId=pool_id, **{**factors, "MfaConfiguration": MFA[mfa]})

    def update(self, before: State, changes: State) -> None:
        if changes.keys() - {"mfa"}:
            self._update(before, changes)
        if "mfa" in changes:
            self._set_mfa(before["id"], changes["mfa"])

    def _update(self, before: State, changes: State) -> None:
        """UpdateUserPool resets what it is not given, so everything that was there is sent again.

        It takes MFA by other means than SMS from SetUserPoolMfaConfig only, and turns it off where it is not told of it.
        """
        cognito, described = self.aws.client("cognito-idp"), before["described"]
        kept = {k: v for k, v in described.items() if k in _settable(cognito, "UpdateUserPool") and k != "PoolName"}
        if "SmsConfiguration" not in kept:
            kept.pop("MfaConfiguration", None)
        managed = {name: changes.get(name) for name in ("password_minimum_length", "threat_protection")}
        wanted = _settings({**before, **changes, **managed}, described.get("Policies", {}))
        wanted["AdminCreateUserConfig"] = {**described.get("AdminCreateUserConfig", {}), **wanted["AdminCreateUserConfig"]}
        wanted["AdminCreateUserConfig"].pop("UnusedAccountValidityDays", None)  # Cognito refuses it beside the password policy
        secured = described.get("MfaConfiguration", "OFF") != "OFF" and not self.absent
        factors = cognito.get_user_pool_mfa_config(UserPoolId=before["id"]) if secured else {}
        cognito.update_user_pool(UserPoolId=before["id"], **{**kept, **wanted})
        if factors:
            kept = {k: v for k, v in factors.items() if k in _settable(cognito, "SetUserPoolMfaConfig")}
            cognito.set_user_pool_mfa_config(UserPoolId=before["id"], **kept)

    def delete(self, before: State) -> None:
        if before["deletion_protection"]:
            self.update(before, {"deletion_protection": False})
        self.aws.client("cognito-idp").delete_user_pool(UserPoolId=before["id"])

    def warn(self, before: State | None, changes: State) -> list[str]:
        if self.absent:
            return ["every account in the pool is deleted"]
        warnings = []
        if before and changes.get("mfa") == "required":
            warnings.append("who has no authenticator app has to set one up at the next sign-in, and programs that sign in with user and password are cut off")
        if before and changes.get("mfa") == "disabled":
            warnings.append("from now on a password is enough to sign in")
        if changes.get("threat_protection") in ("audit", "enforced"):
            warnings.append("the pool moves to Cognito's feature plan Plus, which costs more for each active user")
        return warnings

    def children(self) -> list[Resource]:
        clients: list[Resource] = [Client(self.aws, spec["name"], spec, parent=self, absent=self.absent) for spec in self.spec["clients"]]
        domain = self.spec["domain"]
        if self.absent:  # Cognito keeps a pool that has a domain, which may be another than the one given now
            domain = self.actual["described"].get("Domain")
        people: list[Resource] = []
        if not self.absent:
            people += [Group(self.aws, name, parent=self) for name in self.spec["invited_groups"]]
            people += [User(self.aws, address, {"groups": self.spec["invited_groups"]}, parent=self) for address in self.spec["invited"]]
        return clients + people + ([Domain(self.aws, domain, parent=self, absent=self.absent)] if domain else [])


def _settable(client: t.Any, operation: str) -> t.Container[str]:
    """What an operation takes."""
    return client.meta.service_model.operation_model(operation).input_shape.members


def _ours(words: dict[str, str], theirs: str | None) -> str:
    return next((word for word, other in words.items() if other == theirs), "disabled")


def _settings(wanted: State, policies: State) -> State:
    """What CreateUserPool and UpdateUserPool take; of ``policies``, those that there are, the length of passwords is changed, where it is given."""
    settings: State = {
        "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": wanted["allow_admin_create_user_only"]},
        "DeletionProtection": "ACTIVE" if wanted["deletion_protection"] else "INACTIVE",
    }
    if wanted["password_minimum_length"] is not None:
        length = {"MinimumLength": wanted["password_minimum_length"]}
        settings["Policies"] = {**policies, "PasswordPolicy": {**policies.get("PasswordPolicy", {}), **length}}
    if wanted["threat_protection"] is not None:
        settings["UserPoolAddOns"] = {"AdvancedSecurityMode": THREAT_PROTECTION[wanted["threat_protection"]]}
        settings["UserPoolTier"] = "ESSENTIALS" if wanted["threat_protection"] == "disabled" else "PLUS"
    return settings


class Client(Resource):
    kind = "cognito_user_pool_client"
    parent: UserPool
    allows_duplicates = True
    immutable = frozenset({"generate_secret"})

    def describe(self) -> State | None:
        pool_id = self.parent.actual["id"]
        if has_unknown(pool_id):
            return None
        clients = self.aws.once(
            ("clients", pool_id), lambda: self.aws.pages("cognito-idp", "list_user_pool_clients", "UserPoolClients", UserPoolId=pool_id, MaxResults=60)
        )
        known = next((c for c in clients if c["ClientName"] == self.name), None)
        if known is None:
            return None
        client = self.aws.client("cognito-idp").describe_user_pool_client(UserPoolId=pool_id, ClientId=known["ClientId"])["UserPoolClient"]
        return {
            "id": client["ClientId"],
            "generate_secret": "ClientSecret" in client,
            "callback_urls": sorted(client.get("CallbackURLs", [])),
            "logout_urls": sorted({*client.get("LogoutURLs", [])} & {*self.spec["logout_urls"]}),  # others' stay
            "allowed_oauth_flows": sorted(client.get("AllowedOAuthFlows", [])),
            "allowed_oauth_scopes": sorted(client.get("AllowedOAuthScopes", [])),
            "explicit_auth_flows": sorted(client.get("ExplicitAuthFlows", [])),
            "described": client,
        }

    def desired(self) -> State:
        lists = ("callback_urls", "logout_urls", "allowed_oauth_flows", "allowed_oauth_scopes", "explicit_auth_flows")
        return {"generate_secret": self.spec["generate_secret"], **{k: sorted(self.spec[k]) for k in lists}}

    def unknown(self) -> State:
        return {"id": UNKNOWN}

    def _arguments(self, wanted: State) -> State:
        flows = wanted["allowed_oauth_flows"]
        return {
            "UserPoolId": self.parent.actual["id"],
            "ClientName": self.name,
            "CallbackURLs": wanted["callback_urls"],
            "LogoutURLs": wanted["logout_urls"],
            "AllowedOAuthFlows": flows,
            "AllowedOAuthScopes": wanted["allowed_oauth_scopes"],
            "AllowedOAuthFlowsUserPoolClient": bool(flows),
            "ExplicitAuthFlows": wanted["explicit_auth_flows"],
            "PreventUserExistenceErrors": "ENABLED",
            **({"SupportedIdentityProviders": ["COGNITO"]} if flows else {}),
        }

    def create(self, desired: State) -> State:
        answer = self.aws.client("cognito-idp").create_user_pool_client(GenerateSecret=desired["generate_secret"], **self._arguments(desired))
        return {"id": answer["UserPoolClient"]["ClientId"]}

    def update(self, before: State, changes: State) -> None:
        """UpdateUserPoolClient too resets what it is not given, such as an identity provider that somebody added."""
        cognito = self.aws.client("cognito-idp")
        kept = {k: v for k, v in before["described"].items() if k in _settable(cognito, "UpdateUserPoolClient")}
        wanted = self._arguments({**before, **changes})
        wanted["LogoutURLs"] = sorted({*kept.get("LogoutURLs", ()), *wanted["LogoutURLs"]})
        if "callback_urls" in changes and kept.get("DefaultRedirectURI") not in wanted["CallbackURLs"]:
            kept.pop("DefaultRedirectURI", None)  # has to be one of them
        for fixed in ("PreventUserExistenceErrors", "SupportedIdentityProviders"):
            if kept.get(fixed):
                wanted.pop(fixed, None)
        cognito.update_user_pool_client(**{**kept, **wanted, "ClientId": before["id"]})

    def delete(self, before: State) -> None:
        self.aws.client("cognito-idp").delete_user_pool_client(UserPoolId=self.parent.actual["id"], ClientId=before["id"])


class Group(Resource):
    """A group of users, which goes with its pool."""

    kind = "cognito_user_pool_group"
    parent: UserPool

    def describe(self) -> State | None:
        pool_id = self.parent.actual["id"]
        if has_unknown(pool_id):
            return None
        return {} if none_if_missing(self.aws.client("cognito-idp").get_group, "ResourceNotFoundException", UserPoolId=pool_id, GroupName=self.name) else None

    def desired(self) -> State:
        return {}

    def create(self, desired: State) -> None:
        self.aws.client("cognito-idp").create_group(UserPoolId=self.parent.actual["id"], GroupName=self.name)


class User(Resource):
    """An account that Cognito invites, by an e-mail with a temporary password. Of one that is there only the groups are added to; it goes with its pool."""

    kind = "cognito_user_pool_user"
    parent: UserPool

    def describe(self) -> State | None:
        pool_id = self.parent.actual["id"]
        if has_unknown(pool_id):
            return None
        answer = none_if_missing(self.aws.client("cognito-idp").admin_get_user, "UserNotFoundException", UserPoolId=pool_id, Username=self.name)
        if answer is None:
            return None
        groups = self.aws.pages("cognito-idp", "admin_list_groups_for_user", "Groups", UserPoolId=pool_id, Username=self.name) if self.spec["groups"] else []
        return {"id": answer["Username"], "groups": sorted({group["GroupName"] for group in groups} & {*self.spec["groups"]})}  # others stay

    def desired(self) -> State:
        return {"groups": sorted(self.spec["groups"])}

    def unknown(self) -> State:
        return {"id": self.name}

    def create(self, desired: State) -> None:
        attributes = [{"Name": "email", "Value": self.name}, {"Name": "email_verified", "Value": "true"}]
        self.aws.client("cognito-idp").admin_create_user(
            UserPoolId=self.parent.actual["id"], Username=self.name, UserAttributes=attributes, DesiredDeliveryMediums=["EMAIL"]
        )
        self._join(desired["groups"])

    def update(self, before: State, changes: State) -> None:
        self._join(name for name in changes["groups"] if name not in before["groups"])

    def _join(self, groups: t.Iterable[str]) -> None:
        for name in groups:
            self.aws.client("cognito-idp").admin_add_user_to_group(UserPoolId=self.parent.actual["id"], Username=self.name, GroupName=name)


class Domain(Resource):
    kind = "cognito_user_pool_domain"
    parent: UserPool

    def describe(self) -> State | None:
        answer = none_if_missing(self.aws.client("cognito-idp").describe_user_pool_domain, "ResourceNotFoundException", Domain=self.name)
        description = (answer or {}).get("DomainDescription") or {}
        return {"user_pool_id": description["UserPoolId"]} if description.get("UserPoolId") else None

    immutable = frozenset({"user_pool_id"})

    def desired(self) -> State:
        return {"user_pool_id": self.parent.actual["id"]}

    def create(self, desired: State) -> None:
        self.aws.client("cognito-idp").create_user_pool_domain(Domain=self.name, UserPoolId=desired["user_pool_id"])

    def delete(self, before: State) -> None:
        self.aws.client("cognito-idp").delete_user_pool_domain(Domain=self.name, UserPoolId=before["user_pool_id"])

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from embedded_aws.client import EmbeddedAWS
from modules.run_module import run_module
from support.account import still
from support.cloudformation import findings, template

POOL = {
    "name": "x",
    "domain": "x-sign-in",
    "clients": [{"name": "load-balancer", "callback_urls": ["https://a.example.com"], "allowed_oauth_flows": ["code"], "allowed_oauth_scopes": ["openid"]}],
    "tags": {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x-bootstrap"},
}
SET_BY_OTHERS = {
    "Policies": {"PasswordPolicy": {"MinimumLength": 20, "TemporaryPasswordValidityDays": 3}},
    "AutoVerifiedAttributes": ["email"],
    "VerificationMessageTemplate": {"DefaultEmailOption": "CONFIRM_WITH_LINK"},
    "EmailConfiguration": {"EmailSendingAccount": "COGNITO_DEFAULT"},
    "AccountRecoverySetting": {"RecoveryMechanisms": [{"Priority": 1, "Name": "admin_only"}]},
    "UserPoolAddOns": {"AdvancedSecurityMode": "AUDIT"},
    "DeviceConfiguration": {"ChallengeRequiredOnNewDevice": True},
    "LambdaConfig": {"PreSignUp": "arn:aws:lambda:eu-west-1:123456789012:function:f"},
}
INVITE = {"AllowAdminCreateUserOnly": False, "InviteMessageTemplate": {"EmailSubject": "Welcome", "EmailMessage": "{username} {####}"}}


def described(aws: EmbeddedAWS, pool_id: str) -> dict[str, t.Any]:
    return aws.client("cognito-idp").describe_user_pool(UserPoolId=pool_id)["UserPool"]


def test_cloudformation_would_take_every_property(aws: EmbeddedAWS) -> None:
    programs = {"name": "programs", "explicit_auth_flows": ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"]}
    made = run_module("cognito_user_pool", {**POOL, "clients": [*POOL["clients"], programs]}, aws)["user_pool"]
    pool, describe = described(aws, made["id"]), aws.client("cognito-idp").describe_user_pool_client
    account = {("user_pool", made["id"]): {"tags": pool.pop("UserPoolTags"), **still(pool)}}
    for client_id in made["clients"].values():
        account["user_pool_client", client_id] = still(describe(UserPoolId=made["id"], ClientId=client_id)["UserPoolClient"])
    assert len(template(account)["Resources"]) == 3
    assert findings(account) == []


@pytest.mark.parametrize("sms", [False, True], ids=["with TOTP", "with SMS"])
def test_a_change_of_the_pool_keeps_all_that_somebody_set(aws: EmbeddedAWS, sms: bool) -> None:
    pool = run_module("cognito_user_pool", POOL, aws)["user_pool"]["id"]
    cognito = aws.client("cognito-idp")
    tags = described(aws, pool)["UserPoolTags"]
    texts = {"SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::123456789012:role/sms", "ExternalId": "x"}} if sms else {}
    cognito.update_user_pool(UserPoolId=pool, AdminCreateUserConfig=INVITE, DeletionProtection="ACTIVE", UserPoolTags=tags, **SET_BY_OTHERS, **texts)
    factors = {"MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": {"Enabled": True}}
    if sms:
        factors["SmsMfaConfiguration"] = texts
    cognito.set_user_pool_mfa_config(UserPoolId=pool, **factors)
    before = described(aws, pool)
    assert run_module("cognito_user_pool", POOL, aws)["changed"]  # nobody can sign up any more
    after = described(aws, pool)
    assert after["AdminCreateUserConfig"] == {**INVITE, "AllowAdminCreateUserOnly": True}
    assert {k for k in before.keys() | after if before.get(k) != after.get(k)} <= {"AdminCreateUserConfig", "LastModifiedDate"}
    kept = cognito.get_user_pool_mfa_config(UserPoolId=pool)
    assert {k: kept.get(k) for k in factors} == factors
    assert not run_module("cognito_user_pool", POOL, aws)["changed"]

    run_module("cognito_user_pool", {**POOL, "state": "absent"}, aws)
    assert cognito.list_user_pools(MaxResults=60)["UserPools"] == []


def test_a_change_of_an_app_client_keeps_all_that_somebody_set(aws: EmbeddedAWS) -> None:
    made = run_module("cognito_user_pool", POOL, aws)["user_pool"]
    ids = {"UserPoolId": made["id"], "ClientId": made["clients"]["load-balancer"]}
    cognito = aws.client("cognito-idp")
    cognito.create_identity_provider(UserPoolId=made["id"], ProviderName="corp", ProviderType="OIDC", ProviderDetails={})
    theirs = {
        "SupportedIdentityProviders": ["COGNITO", "corp"],
        "AccessTokenValidity": 15,
        "TokenValidityUnits": {"AccessToken": "minutes"},
        "LogoutURLs": ["https://a.example.com/out"],
        "EnableTokenRevocation": False,
        "ReadAttributes": ["email"],
    }
    given = {"CallbackURLs": ["https://a.example.com"], "AllowedOAuthFlows": ["code"], "AllowedOAuthScopes": ["openid"]}
    cognito.update_user_pool_client(**ids, ClientName="load-balancer", **given, AllowedOAuthFlowsUserPoolClient=True, **theirs)
    changed = {**POOL, "clients": [{**POOL["clients"][0], "callback_urls": ["https://b.example.com"]}]}
    assert run_module("cognito_user_pool", changed, aws)["changed"]
    client = cognito.describe_user_pool_client(**ids)["UserPoolClient"]
    assert {k: client.get(k) for k in theirs} == theirs
    assert client["CallbackURLs"] == ["https://b.example.com"]


def test_logout_urls_are_added_to_those_that_others_have_set(aws: EmbeddedAWS) -> None:
    client, ours, theirs = POOL["clients"][0], "https://a.example.com/", "https://portal.example.com"
    made = run_module("cognito_user_pool", POOL, aws)["user_pool"]
    ids, cognito = {"UserPoolId": made["id"], "ClientId": made["clients"]["load-balancer"]}, aws.client("cognito-idp")
    settings = cognito.describe_user_pool_client(**ids)["UserPoolClient"]
    known = ("CallbackURLs", "AllowedOAuthFlows", "AllowedOAuthScopes", "AllowedOAuthFlowsUserPoolClient", "ClientName")
    cognito.update_user_pool_client(**ids, **{name: settings[name] for name in known}, LogoutURLs=[theirs])
    assert not run_module("cognito_user_pool", POOL, aws)["changed"]
    wanted = {**POOL, "clients": [{**client, "logout_urls": [ours]}]}
    (change,) = run_module("cognito_user_pool", wanted, aws)["changes"]
    assert [field["name"] for field in change["fields"]] == ["logout_urls"]
    assert sorted(cognito.describe_user_pool_client(**ids)["UserPoolClient"]["LogoutURLs"]) == [ours, theirs]
    assert not run_module("cognito_user_pool", wanted, aws)["changed"]


def test_the_invited_are_put_into_groups(aws: EmbeddedAWS) -> None:
    """Also who was invited before there was one, or whom a dead run has left outside. Nobody is taken out."""
    anna, cognito = "anna@example.com", aws.client("cognito-idp")
    run_module("cognito_user_pool", {**POOL, "invited": [anna]}, aws)
    wanted = {**POOL, "invited": [anna, "ben@example.com"], "invited_groups": ["ml-admins"]}
    results = [run_module("cognito_user_pool", wanted, aws, check=check) for check in (True, False)]
    for result in results:
        assert [(c["action"], c["kind"].removeprefix("cognito_user_pool_"), c["name"]) for c in result["changes"]] == [
            ("create", "group", "ml-admins"),
            ("update", "user", anna),
            ("create", "user", "ben@example.com"),
        ]
    pool = results[1]["user_pool"]["id"]
    users = cognito.list_users_in_group(UserPoolId=pool, GroupName="ml-admins")["Users"]
    assert sorted(user["Username"] for user in users) == wanted["invited"]
    assert not run_module("cognito_user_pool", wanted, aws)["changed"]
    cognito.create_group(UserPoolId=pool, GroupName="others")
    cognito.admin_add_user_to_group(UserPoolId=pool, Username=anna, GroupName="others")
    assert not run_module("cognito_user_pool", wanted, aws)["changed"]
    assert not run_module("cognito_user_pool", {**wanted, "invited_groups": []}, aws)["changed"]
    assert len(cognito.admin_list_groups_for_user(UserPoolId=pool, Username=anna)["Groups"]) == 2


def test_somebody_is_invited_once(aws: EmbeddedAWS) -> None:
    invited = {**POOL, "invited": ["anna@example.com"]}
    plan = run_module("cognito_user_pool", invited, aws, check=True)
    made = run_module("cognito_user_pool", invited, aws)
    planned, done = ([(c["action"], c["kind"], c["name"]) for c in result["changes"]] for result in (plan, made))
    assert planned == done and ("create", "cognito_user_pool_user", "anna@example.com") in done
    (call,) = [call for call in aws.calls() if call["operation"] == "AdminCreateUser"]
    assert call["params"]["DesiredDeliveryMediums"] == ["EMAIL"] and "TemporaryPassword" not in call["params"]
    cognito, pool = aws.client("cognito-idp"), made["user_pool"]["id"]
    user = cognito.admin_get_user(UserPoolId=pool, Username="anna@example.com")
    assert user["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    assert {"email": "anna@example.com", "email_verified": "true"}.items() <= {a["Name"]: a["Value"] for a in user["UserAttributes"]}.items()
    assert not run_module("cognito_user_pool", invited, aws)["changed"]
    assert not run_module("cognito_user_pool", POOL, aws)["changed"]
    assert cognito.list_users(UserPoolId=pool)["Users"]
    assert run_module("cognito_user_pool", {**invited, "state": "absent"}, aws)["changed"]
    assert cognito.list_user_pools(MaxResults=60)["UserPools"] == []


def test_a_pool_goes_with_its_domain_and_leaves_that_of_others(aws: EmbeddedAWS) -> None:
    cognito = aws.client("cognito-idp")
    theirs = cognito.create_user_pool(PoolName="x")["UserPool"]["Id"]
    cognito.create_user_pool_domain(Domain="theirs", UserPoolId=theirs)
    run_module("cognito_user_pool", POOL, aws)
    since = aws.mark()
    absent = {**POOL, "domain": "theirs", "state": "absent"}
    assert run_module("cognito_user_pool", absent, aws)["changed"]
    assert [pool["Id"] for pool in cognito.list_user_pools(MaxResults=60)["UserPools"]] == [theirs]
    assert cognito.describe_user_pool_domain(Domain="theirs")["DomainDescription"]["UserPoolId"] == theirs
    assert "UpdateUserPoolClient" not in [call["operation"] for call in aws.calls(since)]
    assert not run_module("cognito_user_pool", absent, aws)["changed"]


def test_a_new_pool_asks_for_long_passwords_and_an_existing_one_keeps_its_own(aws: EmbeddedAWS) -> None:
    pool = run_module("cognito_user_pool", POOL, aws)["user_pool"]["id"]
    policy = described(aws, pool)["Policies"]["PasswordPolicy"]
    assert policy["MinimumLength"] == 14 and all(policy[f"Require{kind}"] for kind in ("Uppercase", "Lowercase", "Numbers", "Symbols"))
    cognito = aws.client("cognito-idp")
    tags = described(aws, pool)["UserPoolTags"]
    cognito.update_user_pool(
        UserPoolId=pool,
        UserPoolTags=tags,
        DeletionProtection="ACTIVE",
        AdminCreateUserConfig={"AllowAdminCreateUserOnly": True},
        Policies={"PasswordPolicy": {**policy, "MinimumLength": 8, "RequireSymbols": False}},
    )
    assert not run_module("cognito_user_pool", POOL, aws)["changed"]
    assert run_module("cognito_user_pool", {**POOL, "password_minimum_length": 16}, aws)["changed"]
    assert described(aws, pool)["Policies"]["PasswordPolicy"] == {**policy, "MinimumLength": 16, "RequireSymbols": False}


def test_second_factor_and_threat_protection(aws: EmbeddedAWS) -> None:
    """Set with the pool, changed in place, and kept where nobody says."""

    def run(**options: str) -> list[str]:
        result = run_module("cognito_user_pool", {**POOL, **options}, aws)
        assert not run_module("cognito_user_pool", {**POOL, **options}, aws)["changed"]
        return [warning for change in result["changes"] for warning in change["warnings"]]

    def settings() -> tuple[str, str]:
        pool = described(aws, aws.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"][0]["Id"])
        return pool["MfaConfiguration"], pool.get("UserPoolAddOns", {}).get("AdvancedSecurityMode", "OFF")

    assert run(mfa="optional", threat_protection="audit") == ["the pool moves to Cognito's feature plan Plus, which costs more for each active user"]
    assert settings() == ("OPTIONAL", "AUDIT")
    assert run() == [] and settings() == ("OPTIONAL", "AUDIT")
    assert "programs that sign in with user and password are cut off" in run(mfa="required")[0] and settings() == ("ON", "AUDIT")
    run(threat_protection="enforced")
    assert settings() == ("ON", "ENFORCED")
    assert run(mfa="disabled", threat_protection="disabled") == ["from now on a password is enough to sign in"]
    assert settings() == ("OFF", "OFF")

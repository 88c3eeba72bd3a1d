# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.actions import (
    normal_actions,
    normal_conditions,
    sent_actions,
    sent_conditions,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.elbv2.changeover import changed_over

POOL = {"UserPoolArn": "arn:pool", "UserPoolClientId": "client", "UserPoolDomain": "mlflow"}
OIDC = {
    "Issuer": "https://id.example.com",
    "AuthorizationEndpoint": "https://id.example.com/authorize",
    "TokenEndpoint": "https://id.example.com/token",
    "UserInfoEndpoint": "https://id.example.com/me",
    "ClientId": "client",
}
FILLED_IN = {"SessionCookieName": "AWSELBAuthSessionCookie", "Scope": "openid", "SessionTimeout": 604800, "OnUnauthenticatedRequest": "authenticate"}
REDIRECT = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": 443, "StatusCode": "HTTP_301"}}
REDIRECT_ANSWER = {
    "Type": "redirect",
    "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}", "StatusCode": "HTTP_301"},
}
REFUSE = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": 403}}
FORWARD = {"Type": "forward", "TargetGroupArn": "arn:1"}


def forward(*groups, **stickiness):
    config = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups]}
    return {"Type": "forward", "ForwardConfig": {**config, **({"TargetGroupStickinessConfig": stickiness} if stickiness else {})}}


def cognito(**config):
    return {"Type": "authenticate-cognito", "AuthenticateCognitoConfig": {**POOL, **config}}


def token(**config):
    return {"Type": "jwt-validation", "JwtValidationConfig": {"Issuer": "i", "JwksEndpoint": "e", **config}}


def claim(name, *values):
    return {"Name": name, "Format": "string-array", "Values": list(values)}


def oidc(**config):
    return {"Type": "authenticate-oidc", "AuthenticateOidcConfig": {**OIDC, **config}}


@pytest.mark.parametrize(
    ("wanted", "answered"),
    [
        ([REDIRECT], [REDIRECT_ANSWER]),
        ([REDIRECT], [{**REDIRECT_ANSWER, "Order": 1}]),
        ([REFUSE], [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403", "ContentType": "text/plain"}}]),
        ([REFUSE], [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403", "MessageBody": ""}, "Order": 1}]),
        ([FORWARD], [forward(("arn:1", 1))]),
        ([FORWARD], [forward(("arn:1", 0))]),
        ([FORWARD], [{**forward(("arn:1", 1), Enabled=False), "TargetGroupArn": "arn:1", "Order": 1}]),
        ([forward(("arn:2", 1), ("arn:1", 9))], [forward(("arn:1", 9), ("arn:2", 1), Enabled=False)]),
        ([cognito()], [cognito(**FILLED_IN)]),
        ([cognito(SessionTimeout="3600")], [cognito(**{**FILLED_IN, "SessionTimeout": 3600})]),
        ([cognito()], [cognito(**FILLED_IN, AuthenticationRequestExtraParams={})]),
        ([oidc(ClientSecret="hidden")], [oidc(**FILLED_IN)]),
        ([oidc(UseExistingClientSecret=True)], [oidc(**FILLED_IN)]),
        ([cognito(), FORWARD], [{**forward(("arn:1", 1)), "Order": 2}, {**cognito(**FILLED_IN), "Order": 1}]),
        ([cognito(), FORWARD], [{**cognito(**FILLED_IN), "Order": 10}, {**FORWARD, "Order": 50000}]),
        (
            [{"Type": "jwt-validation", "JwtValidationConfig": {"Issuer": "i", "JwksEndpoint": "e"}}, FORWARD],
            [{"Type": "jwt-validation", "JwtValidationConfig": {"Issuer": "i", "JwksEndpoint": "e"}, "Order": 1}, {**FORWARD, "Order": 2}],
        ),
        ([token(), FORWARD], [token(AdditionalClaims=[]), FORWARD]),
        ([token(AdditionalClaims=[claim("b", "2", "1"), claim("a", "1")])], [token(AdditionalClaims=[claim("a", "1"), claim("b", "1", "2")])]),
    ],
)
def test_same_actions(wanted, answered):
    assert normal_actions(wanted) == normal_actions(answered)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([REDIRECT], [{**REDIRECT, "RedirectConfig": {**REDIRECT["RedirectConfig"], "StatusCode": "HTTP_302"}}]),
        ([REDIRECT], [{**REDIRECT, "RedirectConfig": {**REDIRECT["RedirectConfig"], "Host": "elsewhere.example.com"}}]),
        ([REFUSE], [{**REFUSE, "FixedResponseConfig": {"StatusCode": "200"}}]),
        ([REFUSE], [{**REFUSE, "FixedResponseConfig": {"StatusCode": "403", "ContentType": "text/html"}}]),
        ([REFUSE], [FORWARD]),
        ([FORWARD], [{**FORWARD, "TargetGroupArn": "arn:2"}]),
        ([FORWARD], [forward(("arn:1", 1), Enabled=True, DurationSeconds=60)]),
        ([FORWARD], [forward(("arn:1", 1), ("arn:2", 1))]),
        ([forward(("arn:1", 1), ("arn:2", 1))], [forward(("arn:1", 1), ("arn:2", 0))]),
        ([cognito(), FORWARD], [FORWARD]),
        ([cognito(), FORWARD], [cognito(OnUnauthenticatedRequest="allow"), FORWARD]),
        ([cognito()], [cognito(UserPoolClientId="theirs")]),
        ([cognito()], [cognito(AuthenticationRequestExtraParams={"prompt": "login"})]),
        ([oidc()], [oidc(Scope="openid email")]),
        ([token(), FORWARD], [FORWARD]),
        ([token()], [token(Issuer="j")]),
        ([token(AdditionalClaims=[claim("a", "1")])], [token()]),
        ([token(AdditionalClaims=[claim("a", "1")])], [token(AdditionalClaims=[claim("a", "1", "2")])]),
    ],
)
def test_different_actions(one, other):
    assert normal_actions(one) != normal_actions(other)


@pytest.mark.parametrize(
    ("wanted", "answered"),
    [
        (
            {"Field": "host-header", "Values": ["A.example.com"]},
            {"Field": "host-header", "Values": ["a.example.com"], "HostHeaderConfig": {"Values": ["a.example.com"]}},
        ),
        (
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/b", "/a"]}},
            {"Field": "path-pattern", "Values": ["/a", "/b"], "PathPatternConfig": {"Values": ["/a", "/b"], "RegexValues": []}},
        ),
        (
            {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/a$"]}},
            {"Field": "path-pattern", "RegexValues": ["^/a$"], "PathPatternConfig": {"Values": [], "RegexValues": ["^/a$"]}},
        ),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24"]}}, {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24"]}}),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "Authorization", "Values": ["Bearer *"]}},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "authorization", "Values": ["Bearer *"]}},
        ),
        (
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "2"}, {"Key": "a", "Value": "1"}]}},
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "1", "Key": "a"}, {"Value": "2"}]}},
        ),
    ],
)
def test_same_conditions(wanted, answered):
    assert normal_conditions([wanted]) == normal_conditions([answered])


def test_conditions_have_no_order():
    host, path = {"Field": "host-header", "Values": ["a.example.com"]}, {"Field": "path-pattern", "Values": ["/a"]}
    assert normal_conditions([host, path]) == normal_conditions([path, host])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Field": "path-pattern", "Values": ["/a"]}, {"Field": "path-pattern", "Values": ["/A"]}),
        ({"Field": "path-pattern", "Values": ["/a"]}, {"Field": "path-pattern", "Values": ["/a", "/b"]}),
        ({"Field": "path-pattern", "Values": ["/a"]}, {"Field": "path-pattern", "RegexValues": ["/a"]}),
        ({"Field": "path-pattern", "Values": ["a.b"]}, {"Field": "host-header", "Values": ["a.b"]}),
    ],
)
def test_different_conditions(one, other):
    assert normal_conditions([one]) != normal_conditions([other])


def test_what_is_sent_compares_equal_to_what_was_wanted():
    actions = normal_actions([oidc(), forward(("arn:2", 1), ("arn:1", 9))])
    assert normal_actions(sent_actions(actions, "hidden")) == actions
    conditions = normal_conditions([{"Field": "host-header", "Values": ["a.b"]}, {"Field": "path-pattern", "Values": ["/a"]}])
    assert normal_conditions(sent_conditions(conditions)) == conditions


def test_only_what_is_sent_holds_the_client_secret():
    actions = normal_actions([oidc(ClientSecret="hidden"), FORWARD])
    assert "hidden" not in str(actions)
    sent = sent_actions(actions, "hidden")
    assert sent[0]["AuthenticateOidcConfig"]["ClientSecret"] == "hidden"
    assert [action["Order"] for action in sent] == [1, 2]
    assert "hidden" not in str(actions)


def test_a_rule_changes_over_with_its_sign_in_and_the_secret_of_that():
    before = [{"Type": "authenticate-oidc", "AuthenticateOidcConfig": OIDC}, forward(("arn:1", 1), ("arn:2", 0))]
    sign_in, forwards = changed_over(before)
    assert sign_in["AuthenticateOidcConfig"] == {**OIDC, **FILLED_IN, "UseExistingClientSecret": True}
    assert {**forwards, "Order": None} == {**forward(("arn:1", 0), ("arn:2", 1)), "Order": None}
    assert [sign_in["Order"], forwards["Order"]] == [1, 2]

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: actions and conditions of load balancer rules in the one form in which they compare.

AWS fills in defaults and answers some things twice. Here each has one spelling, the shortest that says all of it, both
for what the user wants and for what AWS has.
"""

from __future__ import annotations

import json
import typing as t

AUTHENTICATION_DEFAULTS = {
    "SessionCookieName": "AWSELBAuthSessionCookie",
    "Scope": "openid",
    "SessionTimeout": 604800,
    "OnUnauthenticatedRequest": "authenticate",
}
REDIRECT_DEFAULTS = {"Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}
CONDITION_CONFIGS = {
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "path-pattern": "PathPatternConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}

Document = dict[str, t.Any]


def normal_actions(actions: t.Sequence[Document]) -> list[Document]:
    """Actions in the order in which they run, without ``Order``, without a client secret, and with AWS's defaults."""
    ordered = sorted(enumerate(actions, start=1), key=lambda each: int(each[1].get("Order") or each[0]))
    return [_normal_action(action) for _place, action in ordered]


def _normal_action(action: Document) -> Document:
    kind = action["Type"]
    if kind == "forward":
        return {"Type": kind, **_normal_forward(action)}
    if kind == "redirect":
        config = _given(action["RedirectConfig"])
        return {"Type": kind, "RedirectConfig": {**REDIRECT_DEFAULTS, **{k: str(v) for k, v in config.items()}}}
    if kind == "fixed-response":
        config = {k: str(v) for k, v in _given(action["FixedResponseConfig"]).items()}
        return {"Type": kind, "FixedResponseConfig": {"ContentType": "text/plain", **config}}
    if kind in ("authenticate-cognito", "authenticate-oidc"):
        name = "AuthenticateCognitoConfig" if kind == "authenticate-cognito" else "AuthenticateOidcConfig"
        config = {**AUTHENTICATION_DEFAULTS, **_given(action[name])}
        config["SessionTimeout"] = int(config["SessionTimeout"])
        for never_returned in ("ClientSecret", "UseExistingClientSecret"):
            config.pop(never_returned, None)
        return {"Type": kind, name: config}
    if kind == "jwt-validation":
        config = _given(action["JwtValidationConfig"])
        if "AdditionalClaims" in config:
            claims = ({**claim, "Values": sorted(claim["Values"])} for claim in config["AdditionalClaims"])
            config["AdditionalClaims"] = sorted(claims, key=lambda claim: claim["Name"])
        return {"Type": kind, "JwtValidationConfig": config}
    return {k: v for k, v in action.items() if k != "Order"}


def _normal_forward(action: Document) -> Document:
    """AWS answers a forward to one target group as ``TargetGroupArn`` and as ``ForwardConfig`` with an idle weight."""
    config = action.get("ForwardConfig") or {}
    groups = config.get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"]}]
    stickiness = _given(config.get("TargetGroupStickinessConfig") or {})
    if len(groups) == 1 and not stickiness.get("Enabled"):
        return {"TargetGroupArn": groups[0]["TargetGroupArn"]}
    weighted = [{"TargetGroupArn": g["TargetGroupArn"], "Weight": int(g.get("Weight", 1))} for g in groups]
    normal: Document = {"TargetGroups": sorted(weighted, key=lambda group: group["TargetGroupArn"])}
    if stickiness.get("Enabled"):
        normal["TargetGroupStickinessConfig"] = stickiness
    return {"ForwardConfig": normal}


def asks_who_calls(actions: t.Sequence[Document]) -> bool:
    """Whether actions let in only who signs in or has a token."""
    return any(action["Type"].startswith("authenticate-") or action["Type"] == "jwt-validation" for action in actions)


def forward_weights(actions: t.Sequence[Document]) -> dict[str, int]:
    """The target groups that normal actions forward to, by ARN, each with its share of the requests."""
    forward = next((action for action in actions if action["Type"] == "forward"), {})
    groups = forward.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": forward[k], "Weight": 1} for k in ("TargetGroupArn",) if k in forward]
    return {group["TargetGroupArn"]: group["Weight"] for group in groups}


def normal_conditions(conditions: t.Sequence[Document]) -> list[Document]:
    """Conditions in one order, each as ``Field`` and what must match, be it given as ``Values`` or as the field's own config."""
    return sorted((_normal_condition(condition) for condition in conditions), key=json.dumps)


def _normal_condition(condition: Document) -> Document:
    field = condition["Field"]
    # AWS answers a condition both ways; the configuration is the complete one.
    matching = condition.get(CONDITION_CONFIGS[field]) or {k: condition.get(k) for k in ("Values", "RegexValues")}
    normal: Document = {"Field": field}
    for name, value in sorted(_given(matching).items()):
        if isinstance(value, list):
            value = sorted(value, key=lambda each: json.dumps(each, sort_keys=True))
        # Host names and names of headers are the same in capitals; everything else is not.
        if (field, name) == ("host-header", "Values"):
            value = sorted(host.lower() for host in value)
        elif name == "HttpHeaderName":
            value = value.lower()
        normal[name] = value
    return normal


def sent_actions(actions: t.Sequence[Document], client_secret: str | None = None) -> list[Document]:
    """Normal actions as AWS wants to be told them. ``client_secret`` is the one of ``authenticate-oidc``."""
    sent = [{**action, "Order": order} for order, action in enumerate(actions, start=1)]
    for action in sent:
        if action["Type"] == "authenticate-oidc" and client_secret:
            action["AuthenticateOidcConfig"] = {**action["AuthenticateOidcConfig"], "ClientSecret": client_secret}
    return sent


def sent_conditions(conditions: t.Sequence[Document]) -> list[Document]:
    """Normal conditions as AWS wants to be told them."""
    return [{"Field": each["Field"], CONDITION_CONFIGS[each["Field"]]: {k: v for k, v in each.items() if k != "Field"}} for each in conditions]


def _given(config: Document) -> Document:
    """The members that say something: AWS answers some that are not set as empty ones."""
    return {name: value for name, value in config.items() if value not in (None, "", [], {})}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lambda authorizer: what it lets in, and everything else that it must not."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import http.server
import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

# The function's modules import each other by their bare names, as they lie in its deployment package.
sys.path.insert(0, str(Path(__file__).parents[2] / "roles/apigw/files/authorizer"))

import authorizer  # noqa: E402
import cognito_jwt  # noqa: E402
import signed_identity  # noqa: E402
from authorizer import Authorizer  # noqa: E402
from basic_credentials import BasicCredentials, parse_secret  # noqa: E402
from cognito_jwt import CognitoTokens  # noqa: E402
from denied import Denied, Unavailable  # noqa: E402
from refreshed import Refreshed  # noqa: E402
from strict_json import load_object  # noqa: E402
from user import User  # noqa: E402

NOW = 1_800_000_000
POOL = "eu-west-1_Abc123DEF"
ISSUER = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"
CLIENT, OTHER_CLIENT = "client-one", "client-two"
PASSWORD = "correct:horse battery"
LONG = "x" * 20
USERS = {"ci": PASSWORD, "jürgen": "ein längeres pässwörd ✓", "ada": LONG, "a:b": "c" * 20, 'quoted "name\\': LONG}
SHORT = {"locked": "", "short": "x" * 19}
SHA256_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


# --- helpers ---------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


class Source:
    """Something to fetch, which counts how often it is and can be made to fail."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.fetches = 0
        self.failing = False

    def __call__(self) -> str:
        self.fetches += 1
        if self.failing:
            raise TimeoutError(f"no answer about {self.text}")
        return self.text


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwk(key: rsa.RSAPrivateKey, kid: str = "one", **changes: Any) -> dict[str, Any]:
    public = key.public_key().public_numbers()
    result = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": number(public.n), "e": number(public.e)}
    return {name: value for name, value in {**result, **changes}.items() if value is not None}


def jwks(*keys: Any) -> str:
    return json.dumps({"keys": keys})


def rs256(key: rsa.RSAPrivateKey) -> Callable[[bytes], bytes]:
    return lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def token(sign: Callable[[bytes], bytes], claims: Any, header: Any = None) -> str:
    """A JWT in compact form; `claims` and `header` may be text, for JSON that json.dumps would not write."""
    header = {"alg": "RS256", "kid": "one"} if header is None else header
    parts = [value if isinstance(value, str) else json.dumps(value) for value in (header, claims)]
    signed = ".".join(b64url(part.encode()) for part in parts)
    return f"{signed}.{b64url(sign(signed.encode()))}"


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of an access token, with `changes`; None removes a claim."""
    result = {
        "iss": ISSUER,
        "sub": "0a1b",
        "client_id": CLIENT,
        "token_use": "access",
        "username": "ada",
        "scope": "openid",
        "auth_time": NOW - 10,
        "iat": NOW - 10,
        "exp": NOW + 3600,
    }
    return {name: value for name, value in {**result, **changes}.items() if value is not None}


def id_claims(**changes: Any) -> dict[str, Any]:
    return claims(**{"client_id": None, "username": None, "aud": CLIENT, "token_use": "id", "cognito:username": "ada", **changes})


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def request(header: Any) -> dict[str, Any]:
    """An event of payload format 2.0 with this Authorization header."""
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:eu-west-1:123456789012:a/$default/GET/x",
        "identitySource": [header],
        "routeKey": "$default",
        "rawPath": "/x",
        "rawQueryString": "",
        "headers": {"accept": "*/*", "authorization": header, "host": "api.example.com"},
        "requestContext": {"http": {"method": "GET", "path": "/x"}},
        "isBase64Encoded": False,
    }


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def other_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@dataclasses.dataclass
class World:
    """An authorizer with everything around it under the test's control."""

    clock: Clock
    keys: Source
    secret: Source
    authorizer: Authorizer

    def decide(self, header: Any) -> str:
        """``<method> <user>``, or the reason of the denial, or why it cannot be told."""
        try:
            user, method = self.authorizer.authorize(request(header))
        except (Denied, Unavailable) as reason:
            return reason.reason
        return f"{method} {user.name}"


@pytest.fixture
def world(key: rsa.RSAPrivateKey) -> World:
    clock, keys, secret = Clock(), Source(jwks(jwk(key))), Source(json.dumps(USERS))
    tokens = CognitoTokens(POOL, [CLIENT, OTHER_CLIENT], keys, clock)
    return World(clock, keys, secret, Authorizer(tokens, BasicCredentials(secret, clock)))


@pytest.fixture
def handle(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    monkeypatch.setattr(authorizer, "_authorizer", lambda: world.authorizer)
    return lambda event: authorizer.handler(event, None)


# --- the handler -----------------------------------------------------------------------------------------------------


def test_allows_with_user_and_method_and_nothing_else(handle: Callable[[Any], Any], key: rsa.RSAPrivateKey, caplog: pytest.LogCaptureFixture) -> None:
    assert handle(request(basic("ci", PASSWORD))) == {"isAuthorized": True, "context": {"user": "ci", "method": "basic"}}
    assert handle(request("Bearer " + token(rs256(key), claims()))) == {"isAuthorized": True, "context": {"user": "ada", "method": "bearer"}}
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_names_of_header_and_scheme_are_case_insensitive(handle: Callable[[Any], Any], name: str, scheme: str) -> None:
    header = basic("ci", PASSWORD).replace("Basic", scheme)
    assert handle({"headers": {name: header}})["isAuthorized"]


GOOD = basic("ci", PASSWORD)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (None, "missing"),
        ([], "missing"),
        ("text", "missing"),
        ({}, "missing"),
        ({"headers": None}, "missing"),
        ({"headers": [["authorization", GOOD]]}, "missing"),
        ({"headers": {}}, "missing"),
        ({"headers": {"x-authorization": GOOD}}, "missing"),
        ({"headers": {"authorization": None}}, "malformed"),
        ({"headers": {"authorization": [GOOD]}}, "malformed"),
        ({"headers": {"authorization": GOOD.encode()}}, "malformed"),
        ({"headers": {"authorization": GOOD, "Authorization": GOOD}}, "malformed"),
        (request(""), "malformed"),
        (request(" "), "malformed"),
        (request("Basic"), "malformed"),
        (request("Basic "), "malformed"),
        (request("Bearer"), "malformed"),
        (request(GOOD.removeprefix("Basic ")), "malformed"),
        (request(f"{GOOD},{GOOD}"), "malformed"),
        (request(f"{GOOD}, Bearer a.b.c"), "malformed"),
        (request(f"{GOOD} {GOOD}"), "malformed"),
        (request(f"{GOOD}\n"), "malformed"),
        (request(f"{GOOD}\0"), "malformed"),
        (request(GOOD.replace(" ", "\t")), "malformed"),
        (request("Bäsic YTpi"), "malformed"),
        (request("Basic ✓"), "malformed"),
        (request("Basic \ud800"), "malformed"),
        (request("Basic YTpi" + "A" * 8192), "too_long"),
        (request("Bearer " + "a" * 8192 + ".b.c"), "too_long"),
        (request("Digest YTpi"), "scheme"),
        (request("Negotiate YTpi"), "scheme"),
        (request("AWS4-HMAC-SHA256 x"), "malformed"),
    ],
)
def test_denies_anything_but_one_header_of_a_known_form(
    handle: Callable[[Any], Any], world: World, caplog: pytest.LogCaptureFixture, event: Any, reason: str
) -> None:
    assert handle(event) == {"isAuthorized": False}
    assert caplog.messages == [f"denied reason={reason}"]
    assert world.keys.fetches == world.secret.fetches == 0


def test_logs_nothing_of_a_denied_request(handle: Callable[[Any], Any], world: World, key: rsa.RSAPrivateKey, caplog: pytest.LogCaptureFixture) -> None:
    refused = token(rs256(key), claims(username="mallory", client_id="stranger"), {"alg": "RS256", "kid": "one"})
    handle(request("Bearer " + refused))
    handle(request("Bearer " + token(rs256(key), claims(), {"alg": "RS256", "kid": "kid-of-mallory"})))
    handle(request(basic("mallory", "hunter2")))
    world.secret.text, world.clock.now = '{"ci": "hunter2", "broken', NOW + 61
    with pytest.raises(authorizer.AuthorizerFailed) as raised:
        handle(request(basic("mallory", "hunter2")))
    assert_tells_only(raised.value, "credentials_unavailable")
    assert caplog.messages == ["denied reason=client", "denied reason=key", "denied reason=credentials", "credentials refresh failed error=JSONDecodeError"]
    assert all(record.exc_info is None for record in caplog.records)


def test_an_error_of_its_own_is_no_answer_and_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("hunter2")

    monkeypatch.setattr(authorizer, "_authorizer", broken)
    with pytest.raises(authorizer.AuthorizerFailed) as raised:
        authorizer.handler(request(GOOD), None)
    assert_tells_only(raised.value, "internal error=ZeroDivisionError")


def assert_tells_only(error: BaseException, text: str) -> None:
    """Nor does what came before it, which Lambda's log may show as well."""
    assert (str(error), error.__context__, error.__cause__) == (text, None, None)


def test_where_aws_cannot_be_asked_there_is_no_answer(
    handle: Callable[[Any], Any], world: World, key: rsa.RSAPrivateKey, caplog: pytest.LogCaptureFixture
) -> None:
    """API Gateway would keep an answer for a minute; what is raised it does not keep."""
    world.keys.failing = world.secret.failing = True
    bearer = "Bearer " + token(rs256(key), claims())
    for header, reason in ((bearer, "keys_unavailable"), (GOOD, "credentials_unavailable")):
        with pytest.raises(authorizer.AuthorizerFailed) as raised:
            handle(request(header))
        assert_tells_only(raised.value, reason)
    assert caplog.messages == ["keys refresh failed error=TimeoutError", "credentials refresh failed error=TimeoutError"]
    # What the caller sent is refused all the same, where AWS has nothing to say to it.
    assert handle(request("Bearer a.b")) == handle(request("Basic ====")) == {"isAuthorized": False}
    world.keys.failing = world.secret.failing = False
    world.clock.now = NOW + 10
    assert handle(request(bearer))["isAuthorized"] and handle(request(GOOD))["isAuthorized"]


def test_what_may_be_out_of_date_lets_in_and_refuses_nobody(world: World, key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey) -> None:
    """A user who was just added, or Cognito's new key: what was read before does not know them."""
    known, new = "Bearer " + token(rs256(key), claims()), "Bearer " + token(rs256(other_key), claims(), {"alg": "RS256", "kid": "two"})
    assert (world.decide(known), world.decide(GOOD), world.decide(basic("new", LONG))) == ("bearer ada", "basic ci", "credentials")
    world.keys.failing = world.secret.failing = True
    world.clock.now = NOW + 60
    assert (world.decide(known), world.decide(new)) == ("bearer ada", "keys_unavailable")
    assert (world.decide(GOOD), world.decide(basic("new", LONG))) == ("basic ci", "credentials_unavailable")
    world.keys.failing = world.secret.failing = False
    world.keys.text, world.secret.text = jwks(jwk(key), jwk(other_key, "two")), json.dumps({**USERS, "new": LONG})
    world.clock.now = NOW + 70
    assert (world.decide(new), world.decide(basic("new", LONG)), world.decide(basic("nobody", LONG))) == ("bearer ada", "basic new", "credentials")


def test_a_name_does_not_end_its_field_of_the_access_log(handle: Callable[[Any], Any]) -> None:
    answer = handle(request(basic('quoted "name\\', LONG)))
    assert json.loads(f'{{"user": "{answer["context"]["user"]}"}}') == {"user": 'quoted "name\\'}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
tokens = st.lists(
    st.text(max_size=20)
    | st.binary(max_size=60).map(b64url)
    | json_values.map(lambda value: b64url(json.dumps(value, default=repr).encode()))
    | st.sampled_from([b64url(b'{"alg": "RS256", "kid": "one"}'), b64url(b'{"alg": "none"}')]),
    max_size=6,
).map(".".join)
credentials = st.binary(max_size=40).map(lambda data: base64.b64encode(data).decode())
headers = st.one_of(json_values, st.builds("{} {}".format, st.sampled_from(["Basic", "Bearer", "bearer", "X"]), tokens | credentials | st.text()))
events = st.one_of(
    json_values,
    st.fixed_dictionaries({"headers": json_values}),
    headers.map(request),
    st.dictionaries(st.sampled_from(["authorization", "Authorization", "x"]), headers).map(lambda h: {"headers": h}),
)


@settings(max_examples=300, deadline=None)
@given(event=events)
def test_never_raises_and_never_lets_in_by_chance(key: rsa.RSAPrivateKey, event: Any) -> None:
    bearer = CognitoTokens(POOL, [CLIENT], lambda: jwks(jwk(key)), lambda: NOW)
    guarded = Authorizer(bearer, BasicCredentials(lambda: json.dumps(USERS), lambda: NOW))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authorizer, "_authorizer", lambda: guarded)
        errors: list[str] = []
        patch.setattr(authorizer.logger, "warning", lambda text, *_values: errors.append(text) if text.startswith("denied") else None)
        assert authorizer.handler(event, None) == {"isAuthorized": False}
    assert len(errors) == 1


@settings(max_examples=200, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(sorted({*claims(), *id_claims(), "nbf"})), json_values, min_size=1))
def test_claims_of_any_type_are_a_user_or_a_denial(changes: dict[str, Any]) -> None:
    try:
        user = cognito_jwt.check_claims({**claims(), **changes}, ISSUER, {CLIENT}, NOW)
    except Denied:
        return
    assert isinstance(user.name, str) and all(isinstance(group, str) for group in user.groups)


# --- Basic -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "decision"),
    [
        (basic("ci", PASSWORD), "basic ci"),
        (basic("ada", LONG), "basic ada"),
        (basic("jürgen", "ein längeres pässwörd ✓"), "basic jürgen"),
        ("Basic   " + basic("ada", LONG).removeprefix("Basic "), "basic ada"),
        (basic("short", "x" * 19), "credentials"),  # it is right, and too short
        (basic("ci", LONG), "credentials"),  # another user's password
        (basic("ci", PASSWORD + " "), "credentials"),
        (basic("ci", PASSWORD[:-1]), "credentials"),
        (basic("a", "b:" + "c" * 20), "credentials"),  # the first colon ends the name: nobody can be the secret's user a:b
        (basic("CI", PASSWORD), "credentials"),
        (basic("nobody", PASSWORD), "credentials"),
        (basic("locked", ""), "malformed"),  # an empty password is no password, even if the secret has one
        (basic("locked", "x"), "credentials"),
        (basic("", PASSWORD), "malformed"),
        ("Basic " + base64.b64encode(b"ci").decode(), "malformed"),
        ("Basic " + base64.b64encode("jürgen:x".encode("latin-1")).decode(), "malformed"),
        (basic("ci", PASSWORD).rstrip("=") + "A", "malformed"),
        ("Basic YTpi=YTpi", "malformed"),
        ("Basic ====", "malformed"),
        ("Basic YTp-", "malformed"),  # Base64url
    ],
)
def test_basic(world: World, header: str, decision: str) -> None:
    world.secret.text = json.dumps({**USERS, **SHORT})
    assert world.decide(header) == decision


@pytest.mark.parametrize("control", ["\n", "\0", "\x1b[31m", "\u202e"])
def test_a_user_name_that_would_spoil_the_access_log_is_denied(world: World, control: str) -> None:
    world.secret.text = json.dumps({f"ci{control}": LONG})
    assert world.decide(basic(f"ci{control}", LONG)) == "malformed"


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "text",
        "[]",
        "null",
        '{"ci": 1}',
        '{"ci": null}',
        '{"ci": {"a": "b"}}',
        '{"ci": {"groups": ["a"]}}',
        '{"ci": {"password": "xxxxxxxxxxxxxxxxxxxx", "groups": "a"}}',
        '{"ci": {"password": "xxxxxxxxxxxxxxxxxxxx", "groups": [1]}}',
        '{"ci": {"password": "xxxxxxxxxxxxxxxxxxxx", "group": ["a"]}}',
        '{"ci": {"password": {"password": "xxxxxxxxxxxxxxxxxxxx"}}}',
        '{"ci": "a", "ci": "b"}',
        '{"ci": "\\ud800 and enough of other characters"}',
        '{"ci": NaN}',
        "[" * 100_000,
    ],
)
def test_a_secret_of_another_form_lets_nobody_in(world: World, secret: str) -> None:
    with pytest.raises(ValueError):
        parse_secret(secret)
    world.secret.text = secret
    for password in ("a", "b", "1", "None"):
        assert world.decide(basic("ci", password)) == "credentials_unavailable"


def test_a_user_of_the_secret_may_have_groups(world: World) -> None:
    world.secret.text = json.dumps(
        {"ci": {"password": LONG, "groups": ["ml-users", "ml"]}, "old": LONG, "none": {"password": LONG}, "short": {"password": "x"}}
    )
    assert [world.decide(basic(user, LONG)) for user in ("ci", "old", "none", "short")] == ["basic ci", "basic old", "basic none", "credentials"]
    groups = [world.authorizer.authorize(request(basic(user, LONG)))[0].groups for user in ("ci", "old", "none")]
    assert groups == [("ml-users", "ml"), (), ()]
    assert world.decide(basic("short", "x")) == "credentials"


# --- who calls, for MLflow's servers ---------------------------------------------------------------------------------

IDENTITY_KEY = "k" * 64


def test_who_calls_is_signed_for_mlflows_servers(world: World, key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Source(json.dumps({"key": IDENTITY_KEY}))
    signing = Authorizer(world.authorizer._methods["bearer"], world.authorizer._methods["basic"], secret, world.clock)
    monkeypatch.setattr(authorizer, "_authorizer", lambda: signing)
    bearer = "Bearer " + token(rs256(key), claims(**{"cognito:groups": ["ml, a", "b"]}))
    for header, user in ((bearer, User("ada", ("ml, a", "b"))), (basic("jürgen", USERS["jürgen"]), User("jürgen"))):
        identity = authorizer.handler(request(header), None)["context"]["identity"]
        assert identity.isascii() and IDENTITY_KEY not in identity
        assert signed_identity.verify(identity, IDENTITY_KEY.encode(), NOW + signed_identity.LIFETIME) == user
        for wrong, now in ((b"x" * 64, NOW), (IDENTITY_KEY.encode(), NOW + 1000)):
            with pytest.raises(Denied):
                signed_identity.verify(identity, wrong, now)
    assert secret.fetches == 1
    world.clock.now += authorizer.KEY_TTL
    secret.failing = True  # the last key is still good
    assert authorizer.handler(request(basic("ci", PASSWORD)), None)["isAuthorized"]
    world.clock.now += authorizer.KEY_MAX_AGE
    with pytest.raises(authorizer.AuthorizerFailed, match="identity_key_unavailable"):
        authorizer.handler(request(basic("ci", PASSWORD)), None)
    assert authorizer.handler(request(basic("ci", "wrong " * 4)), None) == {"isAuthorized": False}


@pytest.mark.parametrize("secret", ["", "{}", '{"key": ""}', '{"key": "short"}', '{"key": 7}', '["key"]'])
def test_nobody_is_let_in_with_a_key_that_could_be_guessed(world: World, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    signing = Authorizer(None, world.authorizer._methods["basic"], Source(secret), world.clock)
    monkeypatch.setattr(authorizer, "_authorizer", lambda: signing)
    with pytest.raises(authorizer.AuthorizerFailed):
        authorizer.handler(request(basic("ci", PASSWORD)), None)


def test_every_user_is_compared_whoever_asks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for user in USERS, "nobody":
        compared.clear()
        world.decide(basic(str(user), "some password"))
        assert compared == [(32, 32)] * 2 * len(USERS)


def test_a_changed_secret_counts_within_a_minute(world: World) -> None:
    assert world.decide(basic("ci", PASSWORD)) == "basic ci"
    world.secret.text = json.dumps({"ci": "a new password of the user"})
    world.clock.now = NOW + 59
    assert world.decide(basic("ci", PASSWORD)) == "basic ci"
    assert world.secret.fetches == 1
    world.clock.now = NOW + 60
    assert world.decide(basic("ci", PASSWORD)) == "credentials"
    assert world.decide(basic("ci", "a new password of the user")) == "basic ci"
    assert world.secret.fetches == 2


def test_short_passwords_are_left_out_and_told_without_them(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.secret.text = json.dumps({"ci": PASSWORD, "weak": "hunter2"})
    assert (world.decide(basic("weak", "hunter2")), world.decide(GOOD)) == ("credentials", "basic ci")
    assert caplog.messages == ["passwords of less than 20 characters left out: 1"]


@pytest.mark.parametrize(("outage", "seconds"), [(False, 120), (True, 360)])
def test_who_was_removed_is_out_after_as_long_as_the_documentation_says(world: World, outage: bool, seconds: int) -> None:
    """The function keeps the secret, and API Gateway the function's answer: the longest is one after the other."""
    role = Path(__file__).parents[2] / "roles/apigw"
    kept = yaml.safe_load((role / "vars/main/authorizer.yml").read_text())["__apigw_authorizers"]["lambda"]["ttl"]
    assert world.decide(GOOD) == "basic ci"
    world.secret.text, world.secret.failing = json.dumps({"another": LONG}), outage
    last = next(t for t in range(1, 1000) if setattr(world.clock, "now", NOW + t) or world.decide(GOOD) != "basic ci")
    assert last + kept == seconds
    assert f"{seconds} seconds" in (role / "README.md").read_text()


def test_a_wrong_password_does_not_fetch_the_secret_again(world: World) -> None:
    for _ignored in range(20):
        assert world.decide(basic("ci", "wrong")) == "credentials"
    assert world.secret.fetches == 1


# --- the cache -------------------------------------------------------------------------------------------------------


def test_refreshed_keeps_the_last_good_value_for_a_bounded_time() -> None:
    clock, source = Clock(), Source("first")
    value = Refreshed("thing", source, ttl=60, max_age=300, retry_after=5, clock=clock)
    assert value.get() == "first"
    source.failing, source.text = True, "second"
    clock.now = NOW + 299
    assert value.get() == "first"
    clock.now = NOW + 300
    with pytest.raises(Unavailable, match="thing_unavailable"):
        value.get()
    source.failing = False
    clock.now = NOW + 304
    assert value.get() == "second"


def test_refreshed_does_not_ask_more_often_than_it_may() -> None:
    clock, source = Clock(), Source("value")
    source.failing = True
    value = Refreshed("thing", source, ttl=60, max_age=300, retry_after=5, clock=clock)
    for second in (0, 1, 4.9, 5, 9, 10):
        clock.now = NOW + second
        with pytest.raises(Unavailable):
            value.get(newer=True)
    assert source.fetches == 3


def test_refreshed_fetches_again_when_the_clock_was_set_back() -> None:
    clock, source = Clock(), Source("first")
    value = Refreshed("thing", source, ttl=60, max_age=300, retry_after=5, clock=clock)
    value.get()
    source.text, clock.now = "second", NOW - 3600
    assert value.get() == "second"


# --- Bearer: claims --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signed", "decision"),
    [
        (claims(), "bearer ada"),
        (claims(client_id=OTHER_CLIENT), "bearer ada"),
        (claims(username=None), "bearer 0a1b"),  # client credentials grant
        (id_claims(), "bearer ada"),
        (id_claims(aud=OTHER_CLIENT), "bearer ada"),
        (claims(exp=NOW - 29), "bearer ada"),
        (claims(exp=NOW - 30), "expired"),
        (claims(exp=0), "expired"),
        (claims(exp=-1), "expired"),
        (claims(exp=-(10**400)), "expired"),
        (claims(exp=10**400), "bearer ada"),
        (claims(exp=None), "malformed"),
        (claims(exp=str(NOW + 3600)), "malformed"),
        (claims(exp=NOW + 3600.5), "malformed"),
        (claims(exp=True), "malformed"),
        (claims(exp=[NOW + 3600]), "malformed"),
        (claims(exp=float("nan")), "malformed"),
        (claims(exp=float("inf")), "malformed"),
        (json.dumps(claims()).replace(str(NOW + 3600), "1e999"), "malformed"),
        (json.dumps(claims()).replace(str(NOW + 3600), "9" * 5000), "malformed"),
        (json.dumps(claims()).replace(str(NOW + 3600), "null"), "malformed"),
        (claims(nbf=NOW + 30), "bearer ada"),
        (claims(nbf=NOW + 31), "not_yet_valid"),
        (claims(nbf=str(NOW)), "malformed"),
        (claims(iat=NOW + 31), "not_yet_valid"),
        (claims(iat=None), "bearer ada"),
        (json.dumps(claims()).replace(f'"iat": {NOW - 10}', '"iat": null'), "malformed"),
        (claims(iss="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other0000"), "issuer"),
        (claims(iss="https://cognito-idp.us-east-1.amazonaws.com/" + POOL), "issuer"),
        (claims(iss=ISSUER + "/"), "issuer"),
        (claims(iss=ISSUER.upper()), "issuer"),
        (claims(iss=[ISSUER]), "issuer"),
        (claims(iss=None), "issuer"),
        (claims(token_use=None), "token_use"),
        (claims(token_use="refresh"), "token_use"),
        (claims(token_use="Access"), "token_use"),
        (claims(token_use=["access"]), "token_use"),
        (claims(token_use="id"), "client"),  # an access token in disguise: its client is not where an ID token's is
        (id_claims(token_use="access"), "client"),
        (claims(client_id="stranger"), "client"),
        (claims(client_id="stranger", aud=CLIENT), "client"),
        (claims(client_id=""), "client"),
        (claims(client_id=None), "client"),
        (claims(client_id=[CLIENT]), "client"),
        (claims(client_id=f"{CLIENT},{OTHER_CLIENT}"), "client"),
        (id_claims(aud="stranger"), "client"),
        (id_claims(aud=None), "client"),
        (id_claims(aud=[CLIENT]), "client"),
        (id_claims(aud=["stranger", CLIENT]), "client"),
        (id_claims(aud={CLIENT: 1}), "client"),
        (claims(username=7), "malformed"),
        (claims(username=None, sub=None), "malformed"),
        (claims(username="a\nb"), "malformed"),
        (claims(username="a\ud800"), "malformed"),
        ("", "malformed"),
        ("[]", "malformed"),
        ('"text"', "malformed"),
        ("null", "malformed"),
        (json.dumps([claims()]), "malformed"),
        (json.dumps(claims()) + "x", "malformed"),
        (json.dumps(claims())[:-1] + f', "exp": {NOW + 9}}}', "malformed"),  # a name given twice
        (json.dumps(claims(client_id="stranger"))[:-1] + f', "client_id": "{CLIENT}"}}', "malformed"),
        (json.dumps(claims())[:-1] + ', "a": {"b": 1, "b": 2}}', "malformed"),
        ("[" * 4000, "malformed"),
        ('{"a":' * 900 + "1" + "}" * 900, "issuer"),
        ("\ufeff" + json.dumps(claims()), "malformed"),
    ],
)
def test_claims(world: World, key: rsa.RSAPrivateKey, signed: Any, decision: str) -> None:
    assert world.decide("Bearer " + token(rs256(key), signed)) == decision


@pytest.mark.parametrize(
    ("limits", "signed", "decision"),
    [
        ({"groups": ["ml", "data, all"]}, claims(**{"cognito:groups": ["other", "ml"]}), "bearer ada"),
        ({"groups": ["ml", "data, all"]}, id_claims(**{"cognito:groups": ["data, all"]}), "bearer ada"),
        ({"groups": ["ml"]}, claims(), "group"),
        ({"groups": ["ml"]}, claims(**{"cognito:groups": []}), "group"),
        ({"groups": ["ml"]}, claims(**{"cognito:groups": ["ML", "mlops", "m", " ml"]}), "group"),
        ({"groups": ["ml"]}, claims(**{"cognito:groups": "ml"}), "group"),  # Cognito's is a list
        ({"groups": ["ml"]}, claims(**{"cognito:groups": {"ml": 1}}), "group"),
        ({"groups": ["ml"]}, claims(**{"cognito:groups": [["ml"], {"ml": 1}, None, 7]}), "group"),
        ({"groups": ["ml"]}, claims(groups=["ml"]), "group"),
        ({"scopes": ["mlflow/write", "mlflow/admin"]}, claims(scope="openid mlflow/write"), "bearer ada"),
        ({"scopes": ["mlflow/write"]}, claims(scope="mlflow/write"), "bearer ada"),
        ({"scopes": ["mlflow/write"]}, claims(), "scope"),
        ({"scopes": ["mlflow/write"]}, claims(scope=None), "scope"),
        ({"scopes": ["mlflow/write"]}, claims(scope=["mlflow/write"]), "scope"),
        ({"scopes": ["mlflow/write"]}, claims(scope="mlflow/write2 mlflow/writ xmlflow/write mlflow/write\n"), "scope"),
        ({"scopes": ["mlflow/write"]}, id_claims(scope="mlflow/write"), "scope"),  # an ID token has none, whoever put it there
        ({"scopes": ["mlflow/write"]}, claims(username=None, scope="mlflow/write"), "bearer 0a1b"),  # client credentials
        ({"groups": ["ml"], "scopes": ["a/b"]}, claims(**{"cognito:groups": ["ml"], "scope": "a/b"}), "bearer ada"),
        ({"groups": ["ml"], "scopes": ["a/b"]}, claims(**{"cognito:groups": ["ml"], "scope": "a/c"}), "scope"),
        ({"groups": ["ml"], "scopes": ["a/b"]}, claims(**{"cognito:groups": ["x"], "scope": "a/b"}), "group"),
        ({"groups": ["ml"]}, claims(**{"cognito:groups": ["ml"], "client_id": "stranger"}), "client"),
    ],
)
def test_groups_and_scopes(world: World, key: rsa.RSAPrivateKey, limits: dict[str, list[str]], signed: dict[str, Any], decision: str) -> None:
    limited = CognitoTokens(POOL, [CLIENT], world.keys, world.clock, **limits)
    world.authorizer = Authorizer(limited, BasicCredentials(world.secret, world.clock))
    assert world.decide("Bearer " + token(rs256(key), signed)) == decision
    assert world.decide(GOOD) == "basic ci"  # is no user of the pool


def test_without_client_ids_no_token_is_taken(key: rsa.RSAPrivateKey) -> None:
    bearer = CognitoTokens(POOL, [], lambda: jwks(jwk(key)), lambda: NOW)
    for client_id in (CLIENT, "", " "):
        with pytest.raises(Denied, match="client"):
            bearer.verify(token(rs256(key), claims(client_id=client_id)))


# --- Bearer: signature -----------------------------------------------------------------------------------------------


def emsa(message: bytes, length: int = 256) -> bytes:
    info = SHA256_DIGEST_INFO + hashlib.sha256(message).digest()
    return b"\x00\x01" + b"\xff" * (length - len(info) - 3) + b"\x00" + info


def raw(key: rsa.RSAPrivateKey, block: bytes) -> bytes:
    """The signature that decrypts to `block`, whatever that is."""
    private = key.private_numbers()
    assert int.from_bytes(block, "big") < private.public_numbers.n
    return pow(int.from_bytes(block, "big"), private.d, private.public_numbers.n).to_bytes(256, "big")


def info(message: bytes, digest_info: bytes = SHA256_DIGEST_INFO) -> bytes:
    return digest_info + hashlib.sha256(message).digest()


@pytest.mark.parametrize(
    ("block", "good"),
    [
        (emsa, True),
        (lambda m: b"\x00\x01" + b"\xff" * 8 + b"\x00" + info(m) + bytes(256 - 11 - 51), False),  # 2006: garbage behind
        (lambda m: b"\x00\x01\x00" + info(m) + bytes(256 - 3 - 51), False),  # no padding at all
        (lambda m: b"\x00\x01" + b"\xff" * 201 + b"\x00" + info(m) + b"\x00", False),  # one byte of it
        (lambda m: b"\x00\x02" + emsa(m)[2:], False),  # the block type of encryption
        (lambda m: b"\x00\x00" + emsa(m)[2:], False),
        (lambda m: b"\x00\x01" + b"\xfe" + emsa(m)[3:], False),  # padding of other bytes
        (lambda m: emsa(m).replace(b"\xff\x00", b"\xff\xff"), False),  # no separator
        (lambda m: emsa(m)[:-1] + bytes([emsa(m)[-1] ^ 1]), False),  # another digest
        (lambda m: emsa(m + b"x"), False),
        # DigestInfo without the NULL parameters (a lenient DER parser takes it)
        (lambda m: b"\x00\x01" + b"\xff" * 204 + b"\x00" + bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + hashlib.sha256(m).digest(), False),
        # DigestInfo of SHA-1
        (lambda m: b"\x00\x01" + b"\xff" * 218 + b"\x00" + bytes.fromhex("3021300906052b0e03021a05000414") + hashlib.sha1(m).digest(), False),
    ],
)
def test_only_the_exact_padding_is_a_signature(world: World, key: rsa.RSAPrivateKey, block: Callable[[bytes], bytes], good: bool) -> None:
    def sign(message: bytes) -> bytes:
        assert len(block(message)) == 256
        return raw(key, block(message))

    assert world.decide("Bearer " + token(sign, claims())) == ("bearer ada" if good else "signature")


def test_a_signature_forged_without_the_key_is_none() -> None:
    """Bleichenbacher's forgery: with exponent 3, a cube root whose cube begins like an encoded message."""
    key = rsa.generate_private_key(3, 2048).public_key().public_numbers()
    public = cognito_jwt.PublicKey(key.n, key.e)
    message = b"any message"
    prefix = b"\x00\x01" + b"\xff" * 8 + b"\x00" + info(message)
    target = int.from_bytes(prefix.ljust(256, b"\xff"), "big")
    low, high = 0, 1 << 1024
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= target else (low, middle - 1)
    forged = low.to_bytes(256, "big")
    assert pow(low, 3, key.n).to_bytes(256, "big").startswith(prefix)  # a check of the beginning takes it
    assert not cognito_jwt.verify_rs256(public, message, forged)


def test_a_signature_has_one_form(key: rsa.RSAPrivateKey) -> None:
    """A signature and the modulus more than it are the same number to the arithmetic, and not to RFC 8017."""
    public = key.public_key().public_numbers()
    verifier = cognito_jwt.PublicKey(public.n, public.e)
    sign, aliases = rs256(key), 0
    for n in range(200):
        message = str(n).encode()
        signature = sign(message)
        alias = int.from_bytes(signature, "big") + public.n
        if alias.bit_length() <= 2048:
            aliases += 1
            assert not cognito_jwt.verify_rs256(verifier, message, alias.to_bytes(256, "big"))
        assert not cognito_jwt.verify_rs256(verifier, message, alias.to_bytes(257, "big"))
        assert cognito_jwt.verify_rs256(verifier, message, signature)
    # About half of them fit into 256 bytes, fewer the nearer the modulus is to filling these itself.
    assert aliases or public.n * 100 > 2**2048 * 95


def sign_none(message: bytes) -> bytes:
    return b""


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "none", "kid": "one"}, "algorithm"),
        ({"alg": "None", "kid": "one"}, "algorithm"),
        ({"alg": "rs256", "kid": "one"}, "algorithm"),
        ({"alg": "RS512", "kid": "one"}, "algorithm"),
        ({"alg": "PS256", "kid": "one"}, "algorithm"),
        ({"alg": ["RS256"], "kid": "one"}, "algorithm"),
        ({"alg": None, "kid": "one"}, "algorithm"),
        ({"kid": "one"}, "algorithm"),
        ({"alg": "RS256", "kid": "one", "crit": ["b64"], "b64": False}, "algorithm"),
        ({"alg": "RS256"}, "malformed"),
        ({"alg": "RS256", "kid": None}, "malformed"),
        ({"alg": "RS256", "kid": 1}, "malformed"),
        ({"alg": "RS256", "kid": ["one"]}, "malformed"),
        ({"alg": "RS256", "kid": ""}, "key"),
        ({"alg": "RS256", "kid": "two"}, "key"),
        ({"alg": "RS256", "kid": "ONE"}, "key"),
        ('{"alg": "none", "alg": "RS256", "kid": "one"}', "malformed"),
        ("[]", "malformed"),
        ("null", "malformed"),
        ("", "malformed"),
        ("x", "malformed"),
    ],
)
def test_header(world: World, key: rsa.RSAPrivateKey, header: Any, reason: str) -> None:
    assert world.decide("Bearer " + token(rs256(key), claims(), header)) == reason


def test_forged_signatures(world: World, key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey) -> None:
    public = key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    good = rs256(key)
    n = public.public_numbers().n

    forgeries: dict[str, tuple[Callable[[bytes], bytes], dict[str, Any], str]] = {
        "none": (sign_none, {"alg": "none"}, "malformed"),
        "none, but with some signature": (good, {"alg": "none"}, "algorithm"),
        "HS256 keyed with the public key": (lambda message: hmac.digest(pem, message, "sha256"), {"alg": "HS256", "kid": "one"}, "algorithm"),
        "RS256 by name, HMAC by content": (lambda message: hmac.digest(pem, message, "sha256"), {"alg": "RS256", "kid": "one"}, "signature"),
        "another key, the same key id": (rs256(other_key), {"alg": "RS256", "kid": "one"}, "signature"),
        "another hash": (lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA512()), {"alg": "RS256", "kid": "one"}, "signature"),
        "PSS": (
            lambda message: key.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
            {"alg": "RS256", "kid": "one"},
            "signature",
        ),
        "one byte more": (lambda message: b"\0" + good(message), {"alg": "RS256", "kid": "one"}, "signature"),
        "one byte less": (lambda message: good(message)[1:], {"alg": "RS256", "kid": "one"}, "signature"),
        "one bit off": (lambda message: good(message)[:-1] + bytes([good(message)[-1] ^ 1]), {"alg": "RS256", "kid": "one"}, "signature"),
        "zero": (lambda message: bytes(256), {"alg": "RS256", "kid": "one"}, "signature"),
        "one": (lambda message: (1).to_bytes(256, "big"), {"alg": "RS256", "kid": "one"}, "signature"),
        "the modulus": (lambda message: n.to_bytes(256, "big"), {"alg": "RS256", "kid": "one"}, "signature"),
        "empty": (sign_none, {"alg": "RS256", "kid": "one"}, "malformed"),
        "with its own key in the header": (rs256(other_key), {"alg": "RS256", "kid": "one", "jwk": jwk(other_key)}, "signature"),
    }
    decisions = {name: world.decide("Bearer " + token(sign, claims(), header)) for name, (sign, header, _ignored) in forgeries.items()}
    assert decisions == {name: reason for name, (_ignored, _ignored, reason) in forgeries.items()}


def test_a_changed_token_is_denied(world: World, key: rsa.RSAPrivateKey) -> None:
    header, payload, signature = token(rs256(key), claims()).split(".")
    admin = b64url(json.dumps(claims(username="admin")).encode())
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 256 bytes leave 2 bits of the last character unused: the same bytes, written in another way
    alias = signature[:-1] + last[last.index(signature[-1]) ^ 1]
    changed = {
        f"{header}.{admin}.{signature}": "signature",
        f"{header}.{payload}.{alias}": "malformed",
        f"{header}.{payload}.{signature}==": "malformed",
        f"{header}.{payload}.{signature}A": "signature",
        f"{header}.{payload}.{signature}AAA": "malformed",  # no number of bytes has this length
        f"{header}={payload}.{signature}": "malformed",
        f"{header}.{payload}": "malformed",
        f"{header}.{payload}.": "malformed",
        f"{header}..{signature}": "signature",
        f".{payload}.{signature}": "malformed",
        f"{header}.{payload}.{signature}.": "malformed",
        f".{header}.{payload}.{signature}": "malformed",
        f"{header}.{payload}.{signature}.{header}.{payload}": "malformed",  # a JWE has five parts
        f"{header}.{payload}.+{signature[1:]}": "malformed",
        "..": "malformed",
        "...": "malformed",
        ".": "malformed",
    }
    assert {text: world.decide(f"Bearer {text}") for text in changed} == changed


# --- Bearer: keys ----------------------------------------------------------------------------------------------------


def test_a_new_key_is_found_and_unknown_ones_cause_no_load(world: World, key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey) -> None:
    new = "Bearer " + token(rs256(other_key), claims(), {"alg": "RS256", "kid": "two"})
    assert world.decide(new) == "key"
    world.keys.text = jwks(jwk(key), jwk(other_key, "two"))
    world.clock.now = NOW + 9
    for _ignored in range(50):
        assert world.decide(new) == "key"
    assert world.keys.fetches == 1
    world.clock.now = NOW + 10
    assert world.decide(new) == "bearer ada"
    assert world.decide("Bearer " + token(rs256(key), claims())) == "bearer ada"
    assert world.keys.fetches == 2


def test_a_withdrawn_key_is_no_longer_taken(world: World, key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey) -> None:
    assert world.decide("Bearer " + token(rs256(key), claims(exp=NOW + 9999))) == "bearer ada"
    world.keys.text, world.clock.now = jwks(jwk(other_key, "two")), NOW + 3600
    assert world.decide("Bearer " + token(rs256(key), claims(exp=NOW + 9999))) == "key"


def test_keys_outlive_an_outage_of_cognito_for_some_hours(world: World, key: rsa.RSAPrivateKey) -> None:
    header = "Bearer " + token(rs256(key), claims(exp=NOW + 10**6))
    assert world.decide(header) == "bearer ada"
    world.keys.failing = True
    world.clock.now = NOW + 6 * 3600 - 1
    assert world.decide(header) == "bearer ada"
    world.clock.now = NOW + 6 * 3600
    assert world.decide(header) == "keys_unavailable"


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "EC"},
        {"use": "enc"},
        {"alg": "RS512"},
        {"kid": None},
        {"kid": 1},
        {"n": None},
        {"e": None},
        {"n": 3},
        {"n": "!"},
        {"e": ""},
        {"e": "AQ"},
        {"e": "Aw"},
        {"n": "AQAB"},
    ],
)
def test_an_unfit_key_is_left_out(key: rsa.RSAPrivateKey, changes: dict[str, Any]) -> None:
    unfit = {**jwk(key, "unfit"), **changes}
    if changes == {"kid": None}:
        del unfit["kid"]
    assert list(cognito_jwt.parse_keys(jwks(unfit, "no key", jwk(key)))) == ["one"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": {}}', '{"keys": []}', '{"keys": [1]}', "<html>"])
def test_a_key_set_without_a_key_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        cognito_jwt.parse_keys(text)


def test_optional_members_of_a_key(key: rsa.RSAPrivateKey) -> None:
    assert list(cognito_jwt.parse_keys(jwks(jwk(key, use=None, alg=None)))) == ["one"]


# --- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["1", "[]", '{"a": Infinity}', '{"a": -Infinity}', '{"a": NaN}', b'{"a": "\xff"}', "[" * 100_000])
def test_load_object_refuses(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        load_object(text)


# --- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (None, f"{ISSUER}/.well-known/jwks.json"),
        ("", f"{ISSUER}/.well-known/jwks.json"),
        ("http://127.0.0.1:5000", f"http://127.0.0.1:5000/{POOL}/.well-known/jwks.json"),
        ("http://127.0.0.1:5000/", f"http://127.0.0.1:5000/{POOL}/.well-known/jwks.json"),
    ],
)
def test_keys_url(endpoint: str | None, url: str) -> None:
    assert cognito_jwt.keys_url(POOL, endpoint) == url


@pytest.fixture
def keys_server(key: rsa.RSAPrivateKey) -> Iterator[str]:
    """The URL of a server that has the pool's keys and nothing else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == f"/{POOL}/.well-known/jwks.json"
            self.send_response(200 if found else 404)
            self.end_headers()
            if found:
                self.wfile.write(jwks(jwk(key)).encode())

        def log_message(self, *_args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def from_environment(environment: dict[str, str], header: str) -> str:
    try:
        user, method = Authorizer.from_environment(environment).authorize(request(header))
        return f"{method} {user.name}"
    except (Denied, Unavailable) as reason:
        return reason.reason


def test_environment(keys_server: str, key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    environment = {"COGNITO_USER_POOL_ID": POOL, "COGNITO_CLIENT_IDS": f"{CLIENT}, {OTHER_CLIENT},,", "AWS_ENDPOINT_URL": keys_server}

    def bearer(**changes: Any) -> str:
        return "Bearer " + token(rs256(key), claims(**{"exp": 10**11, "iat": 0, **changes}))

    assert from_environment(environment, bearer()) == "bearer ada"
    assert from_environment(environment, bearer(client_id=OTHER_CLIENT)) == "bearer ada"
    assert from_environment(environment, bearer(client_id="")) == "client"
    assert from_environment(environment, basic("ci", PASSWORD)) == "basic_not_configured"
    assert from_environment({**environment, "COGNITO_CLIENT_IDS": ""}, bearer()) == "client"
    assert from_environment({**environment, "COGNITO_USER_POOL_ID": "eu-west-1_Other"}, bearer()) == "keys_unavailable"
    limited = {**environment, "API_GROUPS": '["ml, a", "ml"]', "API_SCOPES": '["mlflow/write"]'}
    assert from_environment(limited, bearer()) == "group"
    assert from_environment(limited, bearer(**{"cognito:groups": ["ml, a"]})) == "scope"
    assert from_environment(limited, bearer(**{"cognito:groups": ["ml, a"], "scope": "mlflow/write"})) == "bearer ada"
    assert from_environment({}, bearer()) == "bearer_not_configured"
    assert from_environment({}, basic("ci", PASSWORD)) == "basic_not_configured"


def test_the_handler_without_configuration_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COGNITO_USER_POOL_ID", "COGNITO_CLIENT_IDS", "API_CREDENTIALS_SECRET_ARN", "IDENTITY_KEY_SECRET"):
        monkeypatch.delenv(name, raising=False)
    authorizer._authorizer.cache_clear()
    try:
        assert authorizer.handler(request(GOOD), None) == {"isAuthorized": False}
    finally:
        authorizer._authorizer.cache_clear()

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who calls MLflow's servers, what he may do, and whose name what he makes gets: the app in front of MLflow, with an app that echoes in its place."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import sys
import time
import typing as t
import urllib.error
import zlib
from configparser import ConfigParser
from contextvars import copy_context
from email.message import Message
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

ROOT = Path(__file__).parents[2]
FILES = ROOT / "roles" / "ecs" / "files" / "identity"
# Its modules import each other by their bare names, as they lie in the container.
sys.path.insert(0, str(FILES))

import alb_jwt  # noqa: E402
import callers  # noqa: E402
import identity_app  # noqa: E402
import auth_users  # noqa: E402
import signed_identity  # noqa: E402
import start  # noqa: E402
import user_names  # noqa: E402
from alb_jwt import LoadBalancerTokens  # noqa: E402
from callers import BearerPrograms, Callers, People, SignedPrograms, SigningPrograms, aws_user  # noqa: E402
from cognito_jwt import CognitoTokens  # noqa: E402
from denied import Denied, Unavailable  # noqa: E402
from identity_app import Identity  # noqa: E402
from rights import Rights, is_open, needed, route_of  # noqa: E402
from user import User  # noqa: E402

NOW = 1_800_000_000
REGION, POOL = "eu-west-1", "eu-west-1_Abc123DEF"
ISSUER = f"https://cognito-idp.{REGION}.amazonaws.com/{POOL}"
ALB = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/team-x/50dc6c495c0c9188"
PEOPLE, PROGRAMS, TOKENS = "mlflow.example.com", "mlflow.api.example.com", "mlflow-token.api.example.com"
SIGN_IN, PROGRAM = "signinclient", "programclient"
KEY = b"0" * 64
JOB_TOKEN = "f" * 64
KID = "12345678-1234-1234-1234-123456789012"
GROUPS = {"admin": ["ml-admins"], "editor": ["ml-users"], "reader": ["auditors"]}
SEARCH = "/api/2.0/mlflow/runs/search"


# --- whoever signs ---------------------------------------------------------------------------------------------------


def b64url(data: bytes, pad: bool = False) -> str:
    text = base64.urlsafe_b64encode(data).decode()
    return text if pad else text.rstrip("=")


def encoded(value: t.Any, pad: bool = False) -> str:
    return b64url((value if isinstance(value, str) else json.dumps(value)).encode(), pad)


class Signers(t.NamedTuple):
    """The keys of the load balancer and of the user pool, and those of somebody else."""

    alb: ec.EllipticCurvePrivateKey
    pool: rsa.RSAPrivateKey
    others_alb: ec.EllipticCurvePrivateKey
    others_pool: rsa.RSAPrivateKey

    def oidc_data(self, user: str = "ada", *, key: ec.EllipticCurvePrivateKey | None = None, pad: bool = True, claims: t.Any = None, **header: t.Any) -> str:
        fields = {"typ": "JWT", "kid": KID, "alg": "ES256", "iss": ISSUER, "client": SIGN_IN, "signer": ALB, "exp": NOW + 120, **header}
        claims = {"sub": f"sub-{user}", "username": user, "email": f"{user}@example.com", "exp": NOW + 120, "iss": ISSUER} if claims is None else claims
        signed = f"{encoded({name: value for name, value in fields.items() if value is not None}, pad)}.{encoded(claims, pad)}"
        numbers = utils.decode_dss_signature((key or self.alb).sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{b64url(b''.join(number.to_bytes(32, 'big') for number in numbers), pad)}"

    def token(self, user: str = "ada", groups: t.Sequence[str] = ("ml-users",), *, key: rsa.RSAPrivateKey | None = None, **claims: t.Any) -> str:
        fields = {"sub": f"sub-{user}", "iss": ISSUER, "client_id": SIGN_IN, "token_use": "access", "username": user, "cognito:groups": groups}
        fields |= {"exp": NOW + 3600, "scope": "openid", **claims}
        signed = f"{encoded({'alg': 'RS256', 'kid': 'pool'})}.{encoded(fields)}"
        return f"{signed}.{b64url((key or self.pool).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def pem(self, key_id: str) -> bytes:
        """The load balancer's key, where AWS has it."""
        if key_id != KID:
            raise urllib.error.HTTPError(key_id, 403, "Forbidden", Message(), None)
        return self.alb.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def jwks(self) -> str:
        numbers = self.pool.public_key().public_numbers()
        n, e = (b64url(number.to_bytes((number.bit_length() + 7) // 8, "big")) for number in (numbers.n, numbers.e))
        return json.dumps({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "pool", "n": n, "e": e}]})


@pytest.fixture(scope="session")
def signers() -> Signers:
    ecs, rsas = [ec.generate_private_key(ec.SECP256R1()) for _each in "ab"], [rsa.generate_private_key(65537, 2048) for _each in "ab"]
    return Signers(ecs[0], rsas[0], ecs[1], rsas[1])


def clock() -> float:
    return NOW


def signed(name: str = "ada", groups: t.Sequence[str] = ("ml-users",), key: bytes = KEY, now: float = NOW) -> str:
    return signed_identity.sign(User(name, tuple(groups)), key, now)


def with_mac(payload: t.Any, key: bytes = KEY) -> str:
    text = encoded(payload)
    return f"{text}.{b64url(hmac.digest(key, text.encode(), hashlib.sha256))}"


# --- the server ------------------------------------------------------------------------------------------------------


class Answer(t.NamedTuple):
    status: int
    body: dict[str, t.Any]
    seen: dict[str, t.Any] | None
    """What MLflow got, if it got anything."""
    lines: list[dict[str, t.Any]]
    """What was logged."""
    headers: list[tuple[str, str]] = []


class Server:
    """The app, with an MLflow that remembers what it got."""

    def __init__(self, people: People, programs: t.Any, default: str = "none", prefix: str = "", sign_out_uri: str = "", users: t.Any = None) -> None:
        self.lines: list[str] = []
        self.seen: dict[str, t.Any] | None = None
        self.answer = 200
        identifies = Callers({PEOPLE: people, PROGRAMS: programs}, Rights(GROUPS, default), JOB_TOKEN)
        self.app = Identity(self.mlflow, identifies, prefix, self.lines.append, sign_out_uri, users)

    async def mlflow(self, scope: dict[str, t.Any], receive: t.Any, send: t.Any) -> None:
        body, more = b"", scope["type"] == "http"
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.seen = {"headers": [(key.decode(), value.decode("latin-1")) for key, value in scope.get("headers", [])], "body": body, "type": scope["type"]}
        await send({"type": "http.response.start", "status": self.answer, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    def ask(
        self,
        headers: t.Mapping[str, str] | t.Sequence[tuple[str, str]] = (),
        path: str = SEARCH,
        method: str = "POST",
        body: bytes | t.Any = b"{}",
        query: str = "",
        client: str = "10.0.1.5",
        **more: t.Any,
    ) -> Answer:
        given = list(headers.items() if isinstance(headers, t.Mapping) else headers)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lengths = [] if any(name.lower() in ("content-length", "transfer-encoding") for name, _value in given) else [("content-length", str(len(content)))]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "client": (client, 40000),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in [*given, *lengths]],
            **more,
        }
        chunks = [content[start : start + 65536] for start in range(0, len(content), 65536)] or [b""]
        sent: list[dict[str, t.Any]] = []

        async def receive() -> dict[str, t.Any]:
            return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)} if chunks else {"type": "http.disconnect"}

        async def send(message: dict[str, t.Any]) -> None:
            sent.append(message)

        self.seen = None
        self.lines.clear()
        asyncio.run(self.app(scope, receive, send))
        answer = b"".join(message.get("body", b"") for message in sent)
        told = [(name.decode(), value.decode()) for name, value in sent[0].get("headers", [])]
        content = {"text": answer.decode()} if ("content-type", "text/plain") in told else json.loads(answer or b"{}")
        return Answer(sent[0].get("status", 0), content, self.seen, [json.loads(line) for line in self.lines], told)


@pytest.fixture
def people(signers: Signers) -> People:
    tokens = LoadBalancerTokens(ALB, SIGN_IN, ISSUER, signers.pem, clock)
    return People(tokens, CognitoTokens(POOL, [SIGN_IN], signers.jwks, clock))


@pytest.fixture
def server(people: People) -> Server:
    return Server(people, SignedPrograms(KEY, clock))


@pytest.fixture
def jwt_server(people: People, signers: Signers) -> Server:
    return Server(people, BearerPrograms(CognitoTokens(POOL, [SIGN_IN, PROGRAM], signers.jwks, clock)))


def person(signers: Signers, user: str = "ada", groups: t.Sequence[str] = ("ml-users",)) -> dict[str, str]:
    return {"host": PEOPLE, "x-amzn-oidc-data": signers.oidc_data(user), "x-amzn-oidc-accesstoken": signers.token(user, groups)}


def program(user: str = "ci", groups: t.Sequence[str] = ("ml-users",)) -> dict[str, str]:
    return {"host": PROGRAMS, "x-mlflow-identity": signed(user, groups), "authorization": "Bearer what.API.Gateway-has-read"}


JSON = {"content-type": "application/json"}


# --- who calls -------------------------------------------------------------------------------------------------------


def test_who_calls_is_known_at_each_entry_point(server: Server, jwt_server: Server, signers: Signers) -> None:
    run = {"path": "/api/2.0/mlflow/runs/create", "body": {}}
    assert json.loads(server.ask(person(signers), **run).seen["body"])["user_id"] == "ada"
    assert json.loads(server.ask({**person(signers), "host": f"{PEOPLE.upper()}:443"}, **run).seen["body"])["user_id"] == "ada"
    assert json.loads(server.ask(program(), **run).seen["body"])["user_id"] == "ci"
    bearer = {"host": PROGRAMS, "authorization": f"Bearer {signers.token('jo', client_id=PROGRAM)}"}
    assert json.loads(jwt_server.ask(bearer, **run).seen["body"])["user_id"] == "jo"
    assert json.loads(jwt_server.ask(person(signers), **run).seen["body"])["user_id"] == "ada"


def test_a_provider_of_ones_own_names_user_and_groups(signers: Signers) -> None:
    issuer = "https://id.example.com/"
    oidc = People(LoadBalancerTokens(ALB, "one's own", issuer, signers.pem, clock), None)

    def caller(**claims: t.Any) -> User:
        return oidc.user({"x-amzn-oidc-data": signers.oidc_data(client="one's own", iss=issuer, claims=claims)})

    assert caller(sub="1", email="ada@example.com", groups=["a", 1, "b"]) == User("ada@example.com", ("a", "b"))
    assert caller(sub="1", preferred_username="ada", groups="a b") == User("ada", ("a b",))
    assert caller(sub="1", email="", preferred_username=7) == User("1", ())
    assert caller(groups={"admin": 1}) == User("", ())


class Forgery(t.NamedTuple):
    what: str
    headers: t.Callable[[Signers], t.Mapping[str, str] | list[tuple[str, str]]]
    status: int = 401


def at_people(**changes: t.Any) -> t.Callable[[Signers], dict[str, str]]:
    """A person's headers with another token of the load balancer."""
    return lambda s: {**person(s), "x-amzn-oidc-data": s.oidc_data(**changes)}


def at_people_data(text: str) -> t.Callable[[Signers], dict[str, str]]:
    return lambda s: {**person(s), "x-amzn-oidc-data": text}


def at_people_token(make: t.Callable[[Signers], str]) -> t.Callable[[Signers], dict[str, str]]:
    return lambda s: {**person(s), "x-amzn-oidc-accesstoken": make(s)}


def at_programs(text: str) -> t.Callable[[Signers], dict[str, str]]:
    return lambda _signers: {"host": PROGRAMS, "x-mlflow-identity": text}


def elsewhere(host: str | None) -> t.Callable[[Signers], dict[str, str]]:
    """All that anybody could prove, at another host name."""
    return lambda s: {**person(s), **program(), **({"host": host} if host is not None else {"host": ""})}


ADMIN = {"user": "eve", "groups": ["ml-admins"], "exp": NOW + 60}
FORGERIES = [
    Forgery("nothing", lambda s: {}),
    Forgery("nothing at people's", lambda s: {"host": PEOPLE}),
    Forgery("nothing at programs'", lambda s: {"host": PROGRAMS}),
    *(Forgery(f"host {host!r}", elsewhere(host)) for host in (None, "evil.example.com", f"{PEOPLE}.evil.example.com", f"x.{PEOPLE}", f"{PROGRAMS}@{PEOPLE}")),
    *(Forgery(f"host {host!r}", elsewhere(host)) for host in ("localhost:5000", "0.0.0.0:5000", "127.0.0.1", f"{PEOPLE}:8443", f"{PEOPLE}.", f" {PEOPLE}")),
    # Each header at the other entry point.
    Forgery("a person's at programs'", lambda s: {**person(s), "host": PROGRAMS}),
    Forgery("a program's at people's", lambda s: {**program(), "host": PEOPLE}),
    Forgery("a person's token as Bearer at programs'", lambda s: {"host": PROGRAMS, "authorization": f"Bearer {s.token()}"}),
    Forgery("a Bearer token at people's", lambda s: {"host": PEOPLE, "authorization": f"Bearer {s.token()}"}),
    # Given twice.
    *(
        Forgery(f"{name} twice", lambda s, name=name: [*person(s).items(), *list(program().items())[1:], (name, "x")], 400)
        for name in ("x-amzn-oidc-data", "X-Amzn-Oidc-Accesstoken", "X-MLflow-Identity", "Authorization")
    ),
    Forgery("host twice", lambda s: [*person(s).items(), ("host", PROGRAMS)], 400),
    Forgery("host twice, the same", lambda s: [*program().items(), ("Host", PROGRAMS)], 400),
    Forgery("x-amzn-oidc-identity twice", lambda s: [*person(s).items(), ("x-amzn-oidc-identity", "a"), ("x-amzn-oidc-identity", "b")], 400),
    # What the load balancer signs.
    Forgery("one of two headers: no data", lambda s: {name: value for name, value in person(s).items() if name != "x-amzn-oidc-data"}),
    Forgery("one of two headers: no token", lambda s: {name: value for name, value in person(s).items() if name != "x-amzn-oidc-accesstoken"}),
    Forgery("another load balancer", at_people(signer=ALB.replace("team-x", "team-y"))),
    Forgery("another account's load balancer", at_people(signer=ALB.replace("123456789012", "210987654321"))),
    Forgery("no signer", at_people(signer=None)),
    Forgery("another client", at_people(client=PROGRAM)),
    Forgery("no client", at_people(client=None)),
    Forgery("another issuer", at_people(iss="https://id.example.com")),
    Forgery("no issuer", at_people(iss=None)),
    Forgery("expired", at_people(exp=NOW - 31)),
    Forgery("expires never", at_people(exp=None)),
    *(Forgery(f"expires at {value!r}", at_people(exp=value)) for value in ("9999999999", 1e12, True, [NOW + 60])),
    *(Forgery(f"algorithm {value!r}", at_people(alg=value)) for value in ("none", "HS256", "RS256", "es256", None, ["ES256"])),
    Forgery("something critical", at_people(crit=["exp"])),
    *(
        Forgery(f"key id {value!r}", at_people(kid=value))
        for value in ("../../x", "https://evil.example.com/", "a/b", "", None, 1, "x" * 65, "%2e%2e", "a?b", "a#b")
    ),
    Forgery("a key id that there is not", at_people(kid="99999999-1234-1234-1234-123456789012")),
    Forgery("another's sub", at_people(user="eve")),
    Forgery("no sub", at_people(claims={"username": "ada"})),
    Forgery("claims that are a list", at_people(claims="[]")),
    Forgery("a name twice in the claims", at_people(claims='{"sub": "x", "sub": "sub-ada"}')),
    Forgery("own key", lambda s: {**person(s), "x-amzn-oidc-data": s.oidc_data(key=s.others_alb)}),
    Forgery("no signature", lambda s: {**person(s), "x-amzn-oidc-data": s.oidc_data().rpartition(".")[0] + "."}),
    Forgery("half a signature", lambda s: {**person(s), "x-amzn-oidc-data": s.oidc_data()[:-44]}),
    Forgery("a signature of zeros", lambda s: {**person(s), "x-amzn-oidc-data": f"{s.oidc_data().rpartition('.')[0]}.{b64url(bytes(64), True)}"}),
    Forgery("claims that are not ASCII", lambda s: {**person(s), "x-amzn-oidc-data": mixed(s.oidc_data("ada"), "a.é.c")}),
    Forgery("other claims", lambda s: {**person(s, "eve"), "x-amzn-oidc-data": mixed(s.oidc_data("ada"), s.oidc_data("eve"))}),
    *(Forgery(f"data {value!r}", at_people_data(value)) for value in ("", "x", "a.b", "a.b.c", "a.b.c.d", "..", "é.é.é", "=.=.=", "e30=.e30=.e30==")),
    Forgery("too long", at_people_data("a" * 16385)),
    # What the user pool signs.
    Forgery("own key of the pool", at_people_token(lambda s: s.token(key=s.others_pool))),
    Forgery("token of a program's client", at_people_token(lambda s: s.token(client_id=PROGRAM))),
    Forgery("expired token", at_people_token(lambda s: s.token(exp=NOW - 31))),
    Forgery("token that expires never", at_people_token(lambda s: s.token(exp=None))),
    Forgery("token of another pool", at_people_token(lambda s: s.token(iss=ISSUER.replace("Abc", "Xyz")))),
    Forgery("refresh token", at_people_token(lambda s: s.token(token_use="refresh"))),
    Forgery("token that is not ASCII", at_people_token(lambda s: mixed(s.token(), "a.é.c"))),
    Forgery("another's token", at_people_token(lambda s: s.token("eve"))),
    Forgery("token without sub", at_people_token(lambda s: s.token(sub=""))),
    Forgery("token whose sub is no text", at_people_token(lambda s: s.token(sub=7))),
    Forgery("unsigned token", at_people_token(lambda s: f"{encoded({'alg': 'none', 'kid': 'pool'})}.{s.token().split('.')[1]}.")),
    Forgery("the load balancer's token in place of the pool's", at_people_token(lambda s: s.oidc_data())),
    # What the authorizer signs.
    *(
        Forgery(f"identity {value!r}", at_programs(value))
        for value in ("eve", '{"user": "eve"}', ".", "..", "a.b", "a.b.c", encoded(ADMIN), f"{encoded(ADMIN)}.")
    ),
    Forgery("own key of the authorizer", at_programs(with_mac(ADMIN, b"1" * 64))),
    Forgery("empty key of the authorizer", at_programs(with_mac(ADMIN, b""))),
    Forgery("other claims with its MAC", at_programs(f"{encoded(ADMIN)}.{signed().partition('.')[2]}")),
    Forgery("expired identity", at_programs(with_mac({**ADMIN, "exp": NOW - 31}))),
    *(Forgery(f"identity that expires at {value!r}", at_programs(with_mac({**ADMIN, "exp": value}))) for value in (None, "9999999999", True, 1e12)),
    *(
        Forgery(f"user {value!r}", at_programs(with_mac({**ADMIN, "user": value})))
        for value in (None, "", 7, ["eve"], "x" * 256, "a\nb", "a\x1b[2J", "a\u202eb", "\ud800")
    ),
    Forgery("identity with a name twice", at_programs(with_mac('{"user": "eve", "user": "ada", "exp": 9999999999}'))),
    Forgery("identity that is a list", at_programs(with_mac([1]))),
    # MLflow's own.
    Forgery("MLflow's Basic", lambda s: {"host": PROGRAMS, "authorization": "Basic " + base64.b64encode(b"admin:password").decode()}),
    Forgery("MLflow's assistant", lambda s: {"host": PROGRAMS, "x-mlflow-assistant-delegation": "ada.9999999999.x"}),
    Forgery("MLflow's job, by the load balancer", lambda s: {"host": PROGRAMS, "x-mlflow-authorization": job(), "x-forwarded-for": "127.0.0.1"}),
    Forgery("MLflow's job, not at the gateway", lambda s: {"host": "127.0.0.1:5000", "x-mlflow-authorization": job()}),
]


def mixed(token: str, other: str) -> str:
    """The signature of one token below the claims of another."""
    return ".".join((*token.split(".")[:1], other.split(".")[1], token.split(".")[2]))


def job(name: str = "ada", token: str = JOB_TOKEN) -> str:
    return "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.what)
@pytest.mark.parametrize("path", [SEARCH, "/"])
def test_nobody_gets_in_by_what_he_makes_up(server: Server, signers: Signers, forgery: Forgery, path: str) -> None:
    answer = server.ask(forgery.headers(signers), path, client="127.0.0.1")
    assert (answer.status, answer.seen) == (forgery.status, None)
    (line,) = answer.lines
    assert (line["status"], line["user"], line["right"]) == (forgery.status, None, None)
    assert answer.body["error_code"] == {400: "BAD_REQUEST", 401: "UNAUTHENTICATED"}[forgery.status]


JWT_FORGERIES = [
    Forgery("nothing", lambda s: {}),
    *(Forgery(f"{value!r}", lambda s, value=value: {"authorization": value}) for value in ("", "Bearer", "Bearer ", "Bearer a.b.c", "Basic YTpi", "eve")),
    Forgery("own key", lambda s: {"authorization": f"Bearer {s.token(key=s.others_pool)}"}),
    Forgery("another client", lambda s: {"authorization": f"Bearer {s.token(client_id='stranger')}"}),
    Forgery("expired", lambda s: {"authorization": f"Bearer {s.token(exp=NOW - 31)}"}),
    Forgery("what a Lambda authorizer would sign", lambda s: {"x-mlflow-identity": signed()}),
    Forgery("two tokens", lambda s: {"authorization": f"Bearer {s.token()}, Bearer {s.token()}"}),
]


@pytest.mark.parametrize("forgery", JWT_FORGERIES, ids=lambda forgery: forgery.what)
def test_nobody_gets_in_behind_a_jwt_authorizer_either(jwt_server: Server, signers: Signers, forgery: Forgery) -> None:
    headers = forgery.headers(signers)
    assert isinstance(headers, dict)
    answer = jwt_server.ask({"host": PROGRAMS, **headers})
    assert (answer.status, answer.seen) == (401, None)


def test_a_clock_may_differ_a_little(server: Server, signers: Signers) -> None:
    late = {**person(signers), "x-amzn-oidc-data": signers.oidc_data(exp=NOW - 29)}
    assert server.ask(late).status == 200
    assert server.ask({"host": PROGRAMS, "x-mlflow-identity": signed(now=NOW - 329)}).status == 200
    assert server.ask({"host": PROGRAMS, "x-mlflow-identity": signed(now=NOW - 330)}).status == 401


def test_a_token_may_be_padded_or_not(server: Server, signers: Signers) -> None:
    for pad in (True, False):
        assert server.ask({**person(signers), "x-amzn-oidc-data": signers.oidc_data(pad=pad)}).status == 200


def test_keys_are_fetched_once_and_seldom_when_they_are_not_to_be_had() -> None:
    key, asked, now = ec.generate_private_key(ec.SECP256R1()), [], [float(NOW)]

    def fetch(key_id: str) -> bytes:
        asked.append(key_id)
        if key_id != "known":
            raise TimeoutError(key_id)
        return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    tokens = LoadBalancerTokens(ALB, SIGN_IN, ISSUER, fetch, lambda: now[0])
    others = Signers(key, rsa.generate_private_key(65537, 2048), key, rsa.generate_private_key(65537, 2048))
    for _each in range(3):
        assert tokens.verify(others.oidc_data(kid="known"))["username"] == "ada"
    for _each in range(3):
        with pytest.raises(Unavailable):
            tokens.verify(others.oidc_data(kid="unknown"))
    assert asked == ["known", "unknown"]
    now[0] += alb_jwt.KEYS_RETRY_AFTER
    with pytest.raises(Unavailable):
        tokens.verify(others.oidc_data(kid="unknown", exp=NOW + 300))
    assert asked == ["known", "unknown", "unknown"]


@pytest.mark.parametrize("pem", [b"", b"x", "rsa", "p384"])
def test_no_key_of_another_kind_is_taken(pem: t.Any) -> None:
    kinds: dict[str, t.Any] = {"rsa": lambda: rsa.generate_private_key(65537, 2048), "p384": lambda: ec.generate_private_key(ec.SECP384R1())}
    if pem in kinds:
        pem = kinds[pem]().public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError):
        alb_jwt.parse_key(pem)


def test_keys_that_cannot_be_fetched_let_nobody_in(signers: Signers) -> None:
    def fails(*_arguments: t.Any) -> t.Any:
        raise TimeoutError

    tokens = LoadBalancerTokens(ALB, SIGN_IN, ISSUER, fails, clock)
    server = Server(People(tokens, CognitoTokens(POOL, [SIGN_IN], fails, clock)), BearerPrograms(CognitoTokens(POOL, [SIGN_IN], fails, clock)))
    for headers in (person(signers), {"host": PROGRAMS, "authorization": f"Bearer {signers.token()}"}):
        answer = server.ask(headers)
        assert (answer.status, answer.seen, answer.body["error_code"]) == (503, None, "TEMPORARILY_UNAVAILABLE")


@pytest.mark.parametrize(
    ("headers", "path", "client", "status"),
    [
        ({"x-mlflow-authorization": job()}, "/gateway/mlflow/v1/chat/completions", "127.0.0.1", 200),
        ({"authorization": job()}, "/gateway/mlflow/v1/chat/completions", "::1", 200),
        ({"x-mlflow-authorization": job("Jörg: Ω")}, "/gateway/x/mlflow/invocations", "127.0.0.1", 401),  # a name has no colon there
        ({"x-mlflow-authorization": job("")}, "/gateway/x", "127.0.0.1", 401),
        ({"x-mlflow-authorization": job(token="0" * 64)}, "/gateway/x", "127.0.0.1", 401),
        ({"x-mlflow-authorization": job(token="")}, "/gateway/x", "127.0.0.1", 401),
        ({"x-mlflow-authorization": job(token=""), "authorization": job()}, "/gateway/x", "127.0.0.1", 401),
        ({"x-mlflow-authorization": "Basic é"}, "/gateway/x", "127.0.0.1", 401),
        ({"x-mlflow-authorization": job().replace("Basic", "Bearer")}, "/gateway/x", "127.0.0.1", 401),
        ({"x-mlflow-authorization": job()}, "/gateway", "127.0.0.1", 401),
        ({"x-mlflow-authorization": job()}, SEARCH, "127.0.0.1", 401),
        ({"x-mlflow-authorization": job()}, "/gateway/x", "10.0.1.5", 401),
        ({"x-mlflow-authorization": job()}, "/gateway/x", "", 401),
        ({"x-mlflow-authorization": job(), "x-forwarded-for": ""}, "/gateway/x", "127.0.0.1", 401),
    ],
)
def test_the_token_of_jobs_is_for_the_gateway_and_from_this_task_alone(server: Server, headers: dict[str, str], path: str, client: str, status: int) -> None:
    answer = server.ask({"host": "127.0.0.1:5000", **headers}, path, client=client)
    assert answer.status == status
    if status == 200:
        assert (answer.lines[0]["user"], answer.lines[0]["entry_point"]) == ("ada", "jobs")


# --- what is open ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "prefix", "status"),
    [
        ("GET", "/health", "", 200),
        ("HEAD", "/health", "", 200),
        ("GET", "/api/3.0/mlflow/server-info", "", 200),
        ("GET", "/ajax-api/3.0/mlflow/server-info", "", 200),
        ("GET", "/team/health", "/team", 200),
        ("POST", "/health", "", 401),
        ("GET", "/health/", "", 401),
        ("GET", "//health", "", 401),
        ("GET", "/healthx", "", 401),
        ("GET", "/Health", "", 401),
        ("GET", "/health", "/team", 401),
        ("GET", "/teamhealth", "/team", 401),
        ("GET", "/team/team/health", "/team", 401),
        ("GET", "/api/3.0/mlflow/server-info/../experiments/search", "", 401),
        ("GET", "/static-files/../health", "", 401),
        *(("GET", path, "", 401) for path in ("/", "/version", "/metrics", "/static-files/x.js", "/get-artifact", "/graphql", "/signup", "", "health")),
        ("OPTIONS", SEARCH, "", 401),
    ],
)
def test_nothing_else_than_health_and_server_info_is_open(people: People, method: str, path: str, prefix: str, status: int) -> None:
    server = Server(people, SignedPrograms(KEY, clock), prefix=prefix)
    answer = server.ask([("host", "10.0.0.1:5000")], path, method, b"")
    assert answer.status == status and bool(answer.seen) == (status == 200)


COOKIES = [("set-cookie", f"AWSELBAuthSessionCookie-{n}=; Max-Age=-1; Path=/; Secure; HttpOnly") for n in range(4)]
AT_THE_PROVIDER = "https://sign-in.auth.eu-west-1.amazoncognito.com/logout?client_id=1&logout_uri=https%3A%2F%2Fui%2F"


@pytest.mark.parametrize("prefix", ["", "/team/x"])
@pytest.mark.parametrize("groups", [["ml-users"], ["in-no-group"]])
def test_people_end_both_sessions(people: People, signers: Signers, prefix: str, groups: list[str]) -> None:
    """By a link as well as by a form, and led to one address, whatever they ask for."""
    server = Server(people, SignedPrograms(KEY, clock), prefix=prefix, sign_out_uri=AT_THE_PROVIDER)
    for method in ("GET", "POST"):
        answer = server.ask(person(signers, groups=groups), f"{prefix}/sign-out", method, query="logout_uri=https://evil.example.com")
        assert (answer.status, answer.seen, [each for each in answer.headers if each[0] == "set-cookie"]) == (302, None, COOKIES)
        assert dict(answer.headers)["location"] == AT_THE_PROVIDER and dict(answer.headers)["cache-control"] == "no-store"


def test_who_has_another_provider_is_told_that_its_session_goes_on(server: Server, signers: Signers) -> None:
    answer = server.ask(person(signers), "/sign-out", "GET")
    assert (answer.status, [each for each in answer.headers if each[0] == "set-cookie"]) == (200, COOKIES)
    assert "sign out there as well" in answer.body["text"] and "location" not in dict(answer.headers)


@pytest.mark.parametrize(("headers", "status"), [(program(), 200), ({"host": PROGRAMS}, 401), ({"host": PEOPLE}, 401), ({}, 401)])
def test_nobody_else_signs_out(server: Server, headers: dict[str, str], status: int) -> None:
    answer = server.ask(headers, "/sign-out", "GET")
    assert answer.status == status and "set-cookie" not in dict(answer.headers)


def test_a_websocket_is_refused_and_the_lifespan_is_mlflows(server: Server) -> None:
    server.ask(type="lifespan")
    assert server.seen is not None and server.seen["type"] == "lifespan"
    assert server.ask(type="websocket").seen is None


# --- rights ----------------------------------------------------------------------------------------------------------

READS = [
    *(("GET", path) for path in ("/", SEARCH, "/api/2.0/mlflow/webhooks", "/api/3.0/mlflow/gateway/secrets/list", "/get-artifact", "/api/3.0/jobs/7")),
    *(("HEAD", "/"), ("OPTIONS", SEARCH), ("POST", SEARCH), ("POST", "/graphql"), ("POST", "/api/3.0/jobs/search"), ("POST", "/ajax-api/3.0/jobs/search/")),
    *(("POST", f"/ajax-api/2.0/mlflow/{name}/search") for name in ("experiments", "logged-models")),
    *(("POST", f"/api/3.0/mlflow/{name}") for name in ("traces/search", "traces/batchGetInfos", "traces/metrics", "traces/calculate-filter-correlation")),
    *(("POST", f"/ajax-api/3.0/mlflow/{name}") for name in ("datasets/search", "issues/search", "prompt-optimization/jobs/search", "ui-telemetry")),
    *(("POST", f"/api/2.0{slash}mlflow/experiments/search-datasets") for slash in ("/", "")),
    *(("POST", f"/api/2.0/mlflow/{name}") for name in ("registered-models/get-latest-versions", "artifacts/presigned-download-url")),
]
EDITS = [
    *(("POST", f"/api/2.0/mlflow/{name}") for name in ("runs/create", "runs/log-batch", "runs/delete", "runs/searchx", "experiments/delete", "traces", "x")),
    *(("DELETE", f"/api/2.0/mlflow/{name}") for name in ("registered-models/delete", "logged-models/m-1", "traces/tr-1/tags")),
    *(
        ("POST", path)
        for path in ("/v1/traces", "/gateway/mlflow/v1/chat/completions", "/api/3.0/mlflow/scorer/invoke", "/ajax-api/3.0/mlflow/genai/evaluate/invoke")
    ),
    *(
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/x"),
        ("POST", "/api/2.0/mlflow/artifacts/presigned-upload-url"),
        ("GET", "/ajax-api/2.0/mlflow/gateway-proxy"),
    ),
    *(
        ("POST", "/api/3.0/mlflow/review-queues/get-or-create-user"),
        ("POST", "/api/3.0/mlflow/prompt-optimization/jobs"),
        ("POST", "/a/new/route"),
        ("TRACE", "/"),
    ),
    *(("post", SEARCH), ("get", "/"), ("POST", f"{SEARCH}/x"), ("POST", f"/x{SEARCH}"), ("POST", "/API/2.0/mlflow/runs/search")),
]
ADMINISTERS = [
    *(("POST", f"/api/2.0/mlflow/webhooks{rest}") for rest in ("", "/", "/w-1/test")),
    *((method, "/api/2.0/mlflow/webhooks/w-1") for method in ("PATCH", "DELETE")),
    *(
        ("POST", f"/ajax-api/3.0/mlflow/gateway/{name}")
        for name in ("secrets/create", "secrets/update", "endpoints/create", "endpoints/set-tag", "budgets/update")
    ),
    *(("DELETE", f"/api/3.0/mlflow/gateway/{name}/delete") for name in ("secrets", "endpoints", "endpoints/bindings")),
    *(("POST", path) for path in ("/ajax-api/3.0/jobs/", "/ajax-api/3.0/jobs", "/api//3.0/mlflow//gateway/secrets/create", "//ajax-api/3.0/jobs")),
    *(("PATCH", path) for path in ("/ajax-api/3.0/jobs/cancel/7", "/ajax-api/3.0/mlflow/jobs/cancel/7")),
    *(("POST", "/api/3.0/mlflow/prompt-optimization/jobs/7/cancel"), ("DELETE", "/api/3.0/mlflow/prompt-optimization/jobs/7")),
    *(("POST", "/api/3.0/mlflow/workspaces"), ("DELETE", "/api/3.0/mlflow/workspaces/w"), ("PUT", "/ajax-api/3.0/mlflow/assistant/config")),
    ("POST", "/ajax-api/3.0/mlflow/assistant/skills/install"),
]


@pytest.mark.parametrize(("need", "requests"), [("reader", READS), ("editor", EDITS), ("admin", ADMINISTERS)])
@pytest.mark.parametrize(("group", "right"), [("auditors", "reader"), ("ml-users", "editor"), ("ml-admins", "admin"), ("nobody's", "none")])
def test_a_right_includes_those_below_it(server: Server, need: str, requests: list[tuple[str, str]], group: str, right: str) -> None:
    rights = ("none", "reader", "editor", "admin")
    for method, path in requests:
        answer = server.ask({**program(groups=[group]), **JSON}, path, method, b"{}")
        allowed = rights.index(right) >= rights.index(need)
        assert (answer.status, answer.seen is not None) == ((200, True) if allowed else (403, False)), (method, path)
        logged = [(line["user"], line["right"], line["method"], line["path"], line["status"]) for line in answer.lines]
        assert logged == ([("ci", right, method, path, answer.status)] if not allowed or need != "reader" else []), (method, path)


def test_below_a_prefix_the_same_routes_need_the_same(people: People) -> None:
    server = Server(people, SignedPrograms(KEY, clock), prefix="/team/x")
    reader = program(groups=["auditors"])
    for path, status in (("/team/x/api/2.0/mlflow/runs/search", 200), ("/team/x/api/2.0/mlflow/runs/create", 403), (SEARCH, 403), ("/team/xapi/2.0/x", 403)):
        assert server.ask(reader, path).status == status
    assert server.ask(program(), "/team/x/ajax-api/3.0/jobs/").status == 403
    assert server.ask(reader, "/root/team/x/api/2.0/mlflow/runs/search", root_path="/root").status == 200


@pytest.mark.parametrize(
    ("groups", "default", "right"),
    [
        ([], "editor", "editor"),
        ([], "none", "none"),
        (["x"], "admin", "admin"),
        (["auditors"], "editor", "reader"),
        (["auditors", "ml-users"], "none", "editor"),
        (["ml-users", "ml-admins", "auditors"], "none", "admin"),
        (["ML-ADMINS", "ml-admins "], "none", "none"),
    ],
)
def test_the_highest_right_of_a_users_groups_counts(groups: list[str], default: str, right: str) -> None:
    assert Rights(GROUPS, default).of(groups) == right


def test_who_needs_an_admin_is_told_who_is_one(server: Server) -> None:
    assert "mlflow_admin_groups" in server.ask(program(), "/api/2.0/mlflow/webhooks").body["message"]


# --- whose name ------------------------------------------------------------------------------------------------------

ME, EVE = {"key": "mlflow.user", "value": "ci"}, {"key": "mlflow.user", "value": "eve"}
OTHER = {"key": "team", "value": "x"}
NAMED = [
    ("POST", "/api/2.0/mlflow/runs/create", {}, {"user_id": "ci", "tags": [ME]}),
    ("POST", "/api/2.0/mlflow/runs/create", {"user_id": "eve", "tags": [EVE, OTHER, EVE]}, {"user_id": "ci", "tags": [OTHER, ME]}),
    ("POST", "/api/2.0/mlflow/runs/create", {"userId": "eve", "tags": None}, {"user_id": "ci", "tags": [ME]}),
    ("POST", "/api/2.0/mlflow/runs/create/", json.dumps({"user_id": "eve"}), {"user_id": "ci", "tags": [ME]}),
    ("POST", "/ajax-api/2.0/mlflow/runs/create-promptlab-run", {"user_id": "eve"}, {"user_id": "ci", "tags": [ME]}),
    *(("POST", f"/api/2.0/mlflow/{kind}/create", {"name": "a", "tags": [EVE]}, {"name": "a", "tags": [ME]}) for kind in ("experiments", "registered-models")),
    ("POST", "/api/2.0/mlflow/model-versions/create", {"name": "a"}, {"name": "a", "tags": [ME]}),
    ("POST", "/api/2.0/mlflow/logged-models", {"name": "a", "tags": [EVE]}, {"name": "a", "tags": [ME]}),
    ("POST", "/api/2.0/mlflow/traces", {"tags": [EVE]}, {"tags": [ME], "request_metadata": [ME]}),
    ("POST", "/api/2.0/mlflow/traces", {"requestMetadata": [EVE, OTHER]}, {"tags": [ME], "requestMetadata": [OTHER, ME]}),
    (
        "POST",
        "/api/3.0/mlflow/traces",
        {"trace": {"trace_info": {"tags": {"mlflow.user": "eve", "a": "b"}}}},
        {"trace": {"trace_info": {"tags": {"mlflow.user": "ci", "a": "b"}, "trace_metadata": {"mlflow.user": "ci"}}}},
    ),
    (
        "POST",
        "/api/3.0/mlflow/traces",
        {"trace": {"traceInfo": {"traceMetadata": {"mlflow.user": "eve", "mlflow.trace.user": "a customer"}}}},
        {"trace": {"traceInfo": {"tags": {"mlflow.user": "ci"}, "traceMetadata": {"mlflow.user": "ci", "mlflow.trace.user": "a customer"}}}},
    ),
    ("POST", "/api/2.0/mlflow/runs/log-batch", {"run_id": "r", "tags": [EVE, OTHER]}, {"run_id": "r", "tags": [OTHER]}),
    ("POST", "/api/2.0/mlflow/runs/log-batch", {"run_id": "r"}, {"run_id": "r"}),
    ("PATCH", "/api/2.0/mlflow/logged-models/m-1/tags", {"tags": [EVE, OTHER]}, {"tags": [OTHER]}),
    ("PATCH", "/api/2.0/mlflow/traces/tr-1", {"tags": [EVE], "requestMetadata": [EVE, OTHER]}, {"tags": [], "requestMetadata": [OTHER]}),
    ("POST", "/api/2.0/mlflow/runs/set-tag", OTHER, OTHER),
    ("POST", "/api/3.0/mlflow/datasets/create", {"name": "d"}, {"name": "d", "tags": '{"mlflow.user": "ci"}'}),
    ("POST", "/api/3.0/mlflow/datasets/create", {"tags": '{"a": "b", "mlflow.user": "eve"}'}, {"tags": '{"a": "b", "mlflow.user": "ci"}'}),
    (
        "POST",
        "/ajax-api/3.0/mlflow/datasets/d-1/records",
        {"records": '[{"inputs": {"q": 1}}, {"tags": {"a": "b", "mlflow.user": "eve"}}]'},
        {"records": '[{"inputs": {"q": 1}, "tags": {"mlflow.user": "ci"}}, {"tags": {"a": "b", "mlflow.user": "ci"}}]'},
    ),
    *(
        ("POST", "/api/3.0/mlflow/traces/tr-1/assessments", {"assessment": sent}, {"assessment": {"metadata": {"mlflow.user": "ci"}, **arrives}})
        for sent, arrives in (
            ({}, {"source": {"source_type": "HUMAN", "source_id": "ci"}}),
            ({"source": {"source_type": "HUMAN", "source_id": "eve"}}, {"source": {"source_type": "HUMAN", "source_id": "ci"}}),
            ({"source": {"sourceType": 1, "sourceId": "eve"}}, {"source": {"sourceType": 1, "source_id": "ci"}}),
            ({"source": {"source_type": "LLM_JUDGE", "source_id": "gpt"}}, {"source": {"source_type": "LLM_JUDGE", "source_id": "gpt"}}),
            ({"source": {"source_type": "CODE"}, "metadata": {"mlflow.user": "eve"}}, {"source": {"source_type": "CODE"}}),
        )
    ),
    (
        "PATCH",
        "/api/3.0/mlflow/traces/tr-1/assessments/a-1",
        {"assessment": {"metadata": {"a": "b", "mlflow.user": "eve"}}, "update_mask": "metadata"},
        {"assessment": {"metadata": {"a": "b", "mlflow.user": "ci"}}, "update_mask": "metadata"},
    ),
    ("PATCH", "/api/3.0/mlflow/traces/tr-1/assessments/a-1", {"assessment": {"rationale": "x"}}, {"assessment": {"rationale": "x"}}),
    (
        "POST",
        "/api/3.0/mlflow/traces",
        {"trace": {"trace_info": {"assessments": [{"source": {"source_type": "HUMAN", "source_id": "eve"}}]}}},
        {
            "trace": {
                "trace_info": {
                    "tags": {"mlflow.user": "ci"},
                    "trace_metadata": {"mlflow.user": "ci"},
                    "assessments": [{"source": {"source_type": "HUMAN", "source_id": "ci"}, "metadata": {"mlflow.user": "ci"}}],
                }
            }
        },
    ),
]


@pytest.mark.parametrize(("method", "path", "sent", "arrives"), NAMED)
def test_what_is_made_has_its_makers_name(server: Server, method: str, path: str, sent: t.Any, arrives: t.Any) -> None:
    answer = server.ask({**program(), **JSON}, path, method, sent)
    assert answer.seen is not None
    assert json.loads(answer.seen["body"]) == arrives
    assert dict(answer.seen["headers"])["content-length"] == str(len(answer.seen["body"]))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/3.0/mlflow/datasets/create", {"tags": "{"}),
        ("/api/3.0/mlflow/datasets/create", {"tags": "[]"}),
        ("/api/3.0/mlflow/datasets/create", {"tags": 7}),
        ("/api/3.0/mlflow/datasets/d/records", {"records": "[7]"}),
        ("/api/3.0/mlflow/datasets/d/records", {"records": "7"}),
        ("/api/3.0/mlflow/traces/t/assessments", {"assessment": "x"}),
        ("/api/3.0/mlflow/traces/t/assessments", {"assessment": {"source": ["x"]}}),
        ("/api/3.0/mlflow/traces/t/assessments", {"assessment": {"source": {"source_type": {}}}}),
    ],
)
def test_what_cannot_be_named_is_refused(server: Server, path: str, body: t.Any) -> None:
    answer = server.ask({**program(), **JSON}, path, "POST", body)
    assert (answer.status, answer.seen) == (400, None)


@pytest.mark.parametrize(
    ("path", "answer", "status", "run"),
    [
        ("/ajax-api/3.0/mlflow/genai/evaluate/invoke", {"job_id": "j", "run_id": "r-1"}, 200, "r-1"),
        ("/p/api/3.0/mlflow/prompt-optimization/jobs", {"job": {"job_id": "j", "run_id": "r-2"}}, 200, "r-2"),
        ("/api/3.0/mlflow/prompt-optimization/jobs", {"job": {"job_id": "j"}}, 200, None),
        ("/api/3.0/mlflow/prompt-optimization/jobs", {"error_code": "X", "message": "no"}, 400, None),
        ("/api/3.0/mlflow/prompt-optimization/jobs", [], 200, None),
        ("/api/3.0/mlflow/prompt-optimization/jobs", {"run_id": 7}, 200, None),
        ("/api/3.0/mlflow/scorer/invoke", {"run_id": "r-1"}, 200, None),
    ],
)
def test_a_run_that_mlflow_makes_for_a_job_has_the_name_of_who_submitted_it(people: People, path: str, answer: t.Any, status: int, run: str | None) -> None:
    asked: list[tuple[str, t.Any]] = []

    async def mlflow(scope: dict[str, t.Any], receive: t.Any, send: t.Any) -> None:
        asked.append((scope["path"], json.loads((await receive())["body"])))
        tags = scope["path"].endswith("/set-tag")
        await send({"type": "http.response.start", "status": 200 if tags else status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}" if tags else json.dumps(answer).encode()})

    prefix = "/p" if path.startswith("/p/") else ""
    server = Server(people, SignedPrograms(KEY, clock), prefix=prefix)
    server.app._app = mlflow
    got = server.ask({**program(), **JSON}, path, "POST", {"a": "b"})
    assert (got.status, got.body) == (status, answer)
    assert [line["path"] for line in got.lines] == [path]
    named = [(f"{prefix}/api/2.0/mlflow/runs/set-tag", {"run_id": run, "key": "mlflow.user", "value": "ci"})] if run else []
    assert asked == [(path, {"a": "b"}), *named]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *(("POST", f"/api/2.0/mlflow/{kind}", EVE) for kind in ("runs/set-tag", "registered-models/set-tag", "model-versions/set-tag")),
        *(("POST", f"/ajax-api/2.0/mlflow/{kind}", EVE) for kind in ("experiments/set-experiment-tag", "runs/delete-tag", "experiments/delete-experiment-tag")),
        *(("DELETE", f"/api/2.0/mlflow/{kind}/delete-tag", {"key": "mlflow.user", "name": "a"}) for kind in ("registered-models", "model-versions")),
        *((method, f"/api/{version}.0/mlflow/traces/tr-1/tags", EVE) for version in (2, 3) for method in ("PATCH", "DELETE")),
        ("DELETE", "/api/2.0/mlflow/logged-models/m-1/tags/mlflow.user", b""),
        ("POST", "/api/2.0/mlflow/runs/set-tag", b'{"key": "a", "key": "mlflow.user", "value": "eve"}'),
        ("POST", "/api/2.0/mlflow/runs/set-tag", json.dumps(EVE)),
        ("POST", "/api//2.0/mlflow/runs/set-tag/", EVE),
    ],
)
def test_nobody_changes_the_name_later(server: Server, method: str, path: str, body: t.Any) -> None:
    for groups in (["ml-users"], ["ml-admins"]):
        answer = server.ask({**program(groups=groups), **JSON}, path, method, body)
        assert (answer.status, answer.seen) == (403, None)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"{"', b"7", b"\xff\xfe", b'{"tags": 7}', b'{"tags": ["x"]}', b"[" * 100_000, json.dumps("[]").encode()])
def test_what_mlflow_could_not_read_is_refused(server: Server, body: bytes) -> None:
    for content_type in ("application/json", "text/plain"):
        answer = server.ask({**program(), "content-type": content_type}, "/api/2.0/mlflow/runs/create", body=body)
        assert (answer.status, answer.seen) == (400, None)
    assert server.ask({**program(), **JSON, "content-encoding": "gzip"}, "/api/2.0/mlflow/runs/create").status == 400


def span(attributes: t.Any = (), **more: t.Any) -> dict[str, t.Any]:
    return {"name": "s", "attributes": list(attributes), **more}


MINE = {"key": "mlflow.traceTag.mlflow.user", "value": {"stringValue": "ci"}}
EVES = {"key": "mlflow.traceTag.mlflow.user", "value": {"stringValue": "eve"}}


@pytest.mark.parametrize("encode", [lambda body: ({}, body), lambda body: ({"content-encoding": "gzip"}, gzip.compress(body)), "deflate", "raw"])
def test_spans_have_their_makers_name(server: Server, encode: t.Any) -> None:
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    ways = {
        "deflate": lambda body: ({"content-encoding": "deflate"}, zlib.compress(body)),
        "raw": lambda body: ({"content-encoding": "Deflate"}, raw.compress(body) + raw.flush()),
    }
    spans = [span([EVES]), span([EVES], parentSpanId="00f067aa0ba902b7"), span([EVES], parentSpanId="0" * 16), {"name": "t", "parentSpanId": ""}]
    for resources, scopes in (("resourceSpans", "scopeSpans"), ("resource_spans", "scope_spans")):
        raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = json.dumps({resources: [{scopes: [{"spans": spans}, {}]}, {scopes: None}]}).encode()
        headers, sent = ways.get(encode, encode)(body)
        answer = server.ask({**program(), "content-type": "application/json; charset=utf-8", **headers}, "/v1/traces", body=sent)
        assert answer.seen is not None and not {"content-encoding"} & dict(answer.seen["headers"]).keys()
        found = json.loads(answer.seen["body"])[resources][0][scopes][0]["spans"]
        assert [each["attributes"] for each in found] == [[MINE], [], [MINE], [MINE]]


_EMPTY = gzip.compress(b"{}")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", b"x"), ("gzip", _EMPTY[:-4]), ("gzip", _EMPTY + b"x"), ("deflate", b"x"), ("br", b"{}"), ("gzip, gzip", b"{}")],
    ids=["no gzip", "gzip that ends early", "gzip and more", "no deflate", "unknown", "twice"],
)
def test_a_body_that_cannot_be_decompressed_is_refused(server: Server, encoding: str, body: bytes) -> None:
    assert server.ask({**program(), **JSON, "content-encoding": encoding}, "/v1/traces", body=body).status == 400


def test_bodies_have_limits(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity_app, "MAX_BODY", 100_000)
    monkeypatch.setattr(user_names, "MAX_DECOMPRESSED", 100_000)
    large = {"run_id": "r", "x": "y" * 100_000}
    create = server.ask({**program(), **JSON}, "/api/2.0/mlflow/runs/create", body=large)
    assert (create.status, create.seen, create.lines[0]["reason"]) == (413, None, "too large")
    bomb = server.ask({**program(), **JSON, "content-encoding": "gzip"}, "/v1/traces", body=gzip.compress(json.dumps(large).encode()))
    assert (bomb.status, bomb.seen) == (413, None)
    # What names nobody passes as it comes, whatever its size.
    for headers, path, method in ((JSON, "/api/2.0/mlflow/runs/log-inputs", "POST"), ({}, "/api/2.0/mlflow-artifacts/artifacts/0/x", "PUT")):
        passed = server.ask({**program(), **headers}, path, method, large)
        assert passed.seen is not None and json.loads(passed.seen["body"]) == large
        assert dict(passed.seen["headers"])["content-length"] == str(len(json.dumps(large)))
    chunked = server.ask({**program(), **JSON, "transfer-encoding": "chunked"}, "/api/2.0/mlflow/runs/create", body={"name": "a"})
    assert chunked.seen is not None and "transfer-encoding" not in dict(chunked.seen["headers"])


# --- what MLflow and the log see -------------------------------------------------------------------------------------


def test_mlflow_sees_no_credential(server: Server, signers: Signers) -> None:
    secret = "hunter2-hunter2-hunter2"
    given = {
        **person(signers),
        "authorization": f"Bearer {secret}",
        "x-mlflow-identity": secret,
        "x-amzn-oidc-identity": secret,
        "x-mlflow-authorization": secret,
        "cookie": f"theme=dark; AWSELBAuthSessionCookie-0={secret};AWSELBAuthSessionCookie-1={secret}; x=y",
        "accept": "*/*",
    }
    for path, method in ((SEARCH, "POST"), ("/api/2.0/mlflow/runs/create", "POST"), ("/gateway/x", "POST"), ("/health", "GET")):
        answer = server.ask({**given, **JSON}, path, method)
        assert answer.seen is not None
        assert secret not in str(answer.seen) + str(answer.lines) and signers.token() not in str(answer.seen)
        headers = dict(answer.seen["headers"])
        assert (headers["accept"], headers["cookie"], headers["host"]) == ("*/*", "theme=dark; x=y", PEOPLE)
        # MLflow's handlers are told who calls; a gateway would hand that on to a provider.
        assert headers.get("authorization") == (None if path in ("/gateway/x", "/health") else "Basic " + base64.b64encode(b"ada:").decode())


def test_a_name_that_a_header_cannot_have_is_left_out_there(server: Server) -> None:
    answer = server.ask(program("arn:aws:iam::123456789012:role/x"))
    assert answer.seen is not None and "authorization" not in dict(answer.seen["headers"])


def test_a_line_tells_who_did_what(server: Server, signers: Signers) -> None:
    headers = {**person(signers), **JSON, "x-forwarded-for": "198.51.100.1, 192.0.2.10"}
    server.answer = 404
    answer = server.ask(headers, "/api/2.0/mlflow/runs/delete", body={"run_id": "51ee", "x": "not shown"}, query="experiment_id=7&token=not-shown")
    (line,) = answer.lines
    assert isinstance(line.pop("ms"), int)
    assert line == {
        "audit": "mlflow",
        "user": "ada",
        "right": "editor",
        "entry_point": "people",
        "ip": "192.0.2.10",
        "method": "POST",
        "path": "/api/2.0/mlflow/runs/delete",
        "status": 404,
        "on": {"experiment_id": "7", "run_id": "51ee"},
    }


def test_reads_are_not_logged_unless_they_are_refused(server: Server) -> None:
    assert server.ask(program()).lines == []
    server.answer = 403
    assert server.ask(program()).lines[0]["status"] == 403


def test_a_line_is_one_line_of_ascii_and_has_a_limit(server: Server) -> None:
    headers = {**program("Jörg Ω"), **JSON}
    server.ask(headers, "/api/2.0/mlflow/runs/delete\n" + "é" * 5000, body={"run_id": "r\n" + "x" * 5000, "name": ["no", "text"]})
    (text,) = server.lines
    assert text.isascii() and "\n" not in text and len(text) < 8192
    assert json.loads(text)["user"] == "Jörg Ω" and len(json.loads(text)["on"]["run_id"]) == 200 and "name" not in json.loads(text)["on"]


def test_a_request_costs_less_than_a_millisecond(server: Server, signers: Signers) -> None:
    """Of this machine's CPU, of which AWS has no less; without the event loop that each question has here."""
    identifies = server.app._callers
    for headers in (person(signers), program()):
        identifies.identify(headers, SEARCH, "10.0.1.5")
        began, count = time.process_time(), 200
        for _each in range(count):
            identifies.identify(headers, SEARCH, "10.0.1.5")
        assert (time.process_time() - began) / count < 0.002


# --- MLflow's own auth app behind it ---------------------------------------------------------------------------------


class MlflowError(Exception):
    def __init__(self, error_code: str) -> None:
        super().__init__(error_code)
        self.error_code = error_code


class MlflowUser(t.NamedTuple):
    username: str
    is_admin: bool


class Store:
    """The users of MLflow's auth app, in a database that takes Alice for alice, as MySQL does."""

    def __init__(self) -> None:
        self.rows: dict[str, MlflowUser] = {}
        self.calls: list[str] = []
        self.first = ""
        """Whom another server creates when this one is about to."""

    def get_user(self, name: str) -> MlflowUser:
        self.calls.append("get")
        if name.lower() not in self.rows:
            raise MlflowError("RESOURCE_DOES_NOT_EXIST")
        return self.rows[name.lower()]

    def create_user(self, name: str, password: str, is_admin: bool) -> MlflowUser:
        self.calls.append("create")
        assert len(password) > 40
        if self.first:
            self.rows[self.first.lower()], self.first = MlflowUser(self.first, False), ""
        if name.lower() in self.rows:
            raise MlflowError("RESOURCE_ALREADY_EXISTS")
        return self.rows.setdefault(name.lower(), MlflowUser(name, is_admin))

    def update_user(self, name: str, is_admin: bool) -> MlflowUser:
        self.calls.append("update")
        self.rows[name.lower()] = MlflowUser(name, is_admin)
        return self.rows[name.lower()]

    def since(self) -> list[str]:
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    exceptions = ModuleType("mlflow.exceptions")
    exceptions.MlflowException = MlflowError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", exceptions)
    return Store()


def caller(name: str, right: str = "editor", entry_point: str = "people") -> callers.Caller:
    return callers.Caller(name, right, entry_point)


def test_who_calls_is_a_user_of_mlflow_and_an_admin_as_long_as_his_groups_say(store: Store) -> None:
    now = [0.0]
    users = auth_users.Users(store, lambda: now[0])
    for right, at, calls in (
        ("editor", 0, ["get", "create"]),
        ("editor", 59, []),
        ("admin", 59, ["get", "update"]),
        ("admin", 118, []),
        ("admin", 119, ["get"]),
        ("reader", 119, ["get", "update"]),
    ):
        now[0] = at
        users.enter(caller("ada", right))
        assert (store.since(), store.rows["ada"].is_admin) == (calls, right == "admin"), (right, at)
    store.rows["ada"] = MlflowUser("ada", True)  # by hand: until the next question
    now[0] = 200
    users.enter(caller("ada", "reader"))
    assert not store.rows["ada"].is_admin


def test_mlflow_asks_the_database_for_others_only(store: Store) -> None:
    users = auth_users.Users(store)
    users.enter(caller("ada"))
    users.enter(caller("bob"))
    store.since()

    def asks() -> None:
        auth_users.calls(caller("ada"))
        assert store.get_user("ada").username == "ada" and store.since() == []
        assert store.get_user("bob").username == "bob" and store.since() == ["get"]

    copy_context().run(asks)
    assert store.get_user("ada").username == "ada" and store.since() == ["get"]  # in no request


def test_servers_that_meet_somebody_at_the_same_time_make_one_user(store: Store) -> None:
    store.first = "ada"
    auth_users.Users(store).enter(caller("ada", "admin"))
    assert store.rows == {"ada": MlflowUser("ada", True)}


def test_who_is_another_to_the_database_is_refused(people: People, store: Store) -> None:
    server = Server(people, SignedPrograms(KEY, clock), users=auth_users.Users(store))
    assert server.ask(program("Ada", groups=["ml-admins"])).status == 200
    answer = server.ask(program("ada"))
    assert (answer.status, answer.seen, answer.lines[0]["reason"]) == (403, None, "too like") and "Ada" not in str(answer.body)
    assert store.rows == {"ada": MlflowUser("Ada", True)}


def test_jobs_and_who_may_do_nothing_are_no_users(people: People, store: Store) -> None:
    server = Server(people, SignedPrograms(KEY, clock), users=auth_users.Users(store))
    job = {"host": "127.0.0.1:5000", "authorization": f"Basic {base64.b64encode(f'ada:{JOB_TOKEN}'.encode()).decode()}"}
    assert server.ask(job, "/gateway/mlflow/v1/chat/completions", client="127.0.0.1").status == 200
    assert server.ask(program("eve", groups=["nobody's"])).status == 403
    assert server.ask({"host": PROGRAMS}).status == 401
    assert server.ask(program("rita", groups=["auditors"]), "/api/2.0/mlflow/runs/create").status == 403
    assert store.since() == []


@pytest.mark.parametrize("path", ["/signup", "/api/2.0/mlflow/users/create", "/ajax-api/2.0/mlflow/users/create-ui", "/api/2.0/mlflow/users/update-password"])
def test_nobody_makes_users_or_admins_by_hand(server: Server, path: str) -> None:
    for method in ("GET", "POST", "PATCH"):
        answer = server.ask({**program(groups=["ml-admins"]), **JSON}, path, method, {"username": "eve", "is_admin": True})
        assert (answer.status, answer.seen, answer.lines[0]["reason"]) == (403, None, "of the identity provider")


def test_the_log_says_whose_grant_it_was(server: Server) -> None:
    grant = {"username": "bob", "resource_type": "experiment", "resource_id": "7", "permission": "EDIT", "password": "x"}
    (line,) = server.ask({**program(), **JSON}, "/api/3.0/mlflow/users/permissions/grant", body=grant).lines
    assert line["on"] == {name: value for name, value in grant.items() if name != "password"}


@pytest.mark.parametrize("mode", ["edge", "mlflow"])
def test_mlflow_is_started_with_the_app_and_where_its_users_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str) -> None:
    started: list[t.Any] = []
    uri = "mysql+pymysql://mlflow:50%25@db:3306/mlflow"
    for name in ("MLFLOW_AUTH_CONFIG_PATH", "_MLFLOW_AUTH_ADMIN_BOOTSTRAPPED", identity_app.JOB_TOKEN, "PYTHONPATH"):
        monkeypatch.setenv(name, "")  # so that it is as before afterwards
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_IDENTITY", json.dumps({**SETTINGS, "mode": mode}))
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", uri)
    monkeypatch.setattr(start, "__file__", str(tmp_path / "start.py"))
    monkeypatch.setattr(start.os, "execvp", lambda *command: started.append(command))
    start.main(["--x"])
    assert started == [("mlflow", ["mlflow", "server", "--app-name", "mlflow-identity", "--x"])]
    assert ("MLFLOW_AUTH_CONFIG_PATH" in start.os.environ) == (mode == "mlflow")
    if mode == "mlflow":
        file = Path(start.os.environ["MLFLOW_AUTH_CONFIG_PATH"])
        config = ConfigParser()
        config.read(file)
        assert (file.stat().st_mode & 0o777, config["mlflow"]["database_uri"]) == (0o600, uri)


# --- settings --------------------------------------------------------------------------------------------------------

SETTINGS = {
    "mode": "edge",
    "host": PEOPLE,
    "api_host": PROGRAMS,
    "region": REGION,
    "load_balancer_arn": ALB,
    "sign_in": {"cognito": True, "client_id": SIGN_IN, "issuer": ISSUER, "sign_out_uri": ""},
    "user_pool_id": POOL,
    "programs": {"client_ids": [SIGN_IN, PROGRAM], "scopes": ["openid"]},
    "groups": GROUPS,
    "default_right": "none",
}


@pytest.mark.parametrize("key", [{}, {"MLFLOW_IDENTITY_KEY": KEY.decode()}])
def test_the_environment_says_who_may_call(signers: Signers, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]) -> None:
    asked = []

    def read(url: str) -> bytes:
        asked.append(url)
        return signers.pem(KID) if url.endswith(KID) else signers.jwks().encode()

    monkeypatch.setattr(identity_app, "_read_url", read)
    now = int(time.time())
    people = {"x-amzn-oidc-data": signers.oidc_data(exp=now + 60), "x-amzn-oidc-accesstoken": signers.token(exp=now + 60)}
    programs = {"authorization": f"Bearer {signers.token('jo', client_id=PROGRAM, exp=now + 60)}", "x-mlflow-identity": signed("jo", now=now)}
    for endpoint in ({}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566/"}):
        asked.clear()
        settings = {**SETTINGS, **({"programs": {}} if key else {})}
        environment = {"MLFLOW_IDENTITY": json.dumps(settings), identity_app.JOB_TOKEN: JOB_TOKEN, **key, **endpoint}
        identifies = identity_app.callers_from(environment)
        assert identifies.identify({"host": PEOPLE, **people}, SEARCH, "")[:2] == ("ada", "editor")
        assert identifies.identify({"host": PROGRAMS, **programs}, SEARCH, "")[:2] == ("jo", "editor")
        without = {name: value for name, value in programs.items() if name != ("x-mlflow-identity" if key else "authorization")}
        with pytest.raises(Denied):
            identifies.identify({"host": PROGRAMS, **without}, SEARCH, "")
        base = "http://127.0.0.1:4566" if endpoint else "https:/"
        pool = f"http://127.0.0.1:4566/{POOL}" if endpoint else ISSUER
        assert set(asked) == {f"{base}/public-keys.auth.elb.{REGION}.amazonaws.com/{KID}", f"{pool}/.well-known/jwks.json"}


def test_scopes_are_asked_for_behind_a_jwt_authorizer_too(signers: Signers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity_app, "_read_url", lambda _url: signers.jwks().encode())
    settings = {**SETTINGS, "programs": {"client_ids": [PROGRAM], "scopes": ["mlflow/write"]}}
    identifies = identity_app.callers_from({"MLFLOW_IDENTITY": json.dumps(settings), identity_app.JOB_TOKEN: JOB_TOKEN})
    token = signers.token(client_id=PROGRAM, exp=int(time.time()) + 60)
    with pytest.raises(Denied, match="scope"):
        identifies.identify({"host": PROGRAMS, "authorization": f"Bearer {token}"}, SEARCH, "")


SESSION, ROLE = "arn:aws:sts::123456789012:assumed-role/trainer/nightly", "arn:aws:iam::123456789012:role/trainer"


@pytest.mark.parametrize(
    ("arn", "user"),
    [
        (SESSION, User("trainer", (ROLE,))),
        (ROLE.replace("role/trainer", "user/team/anna"), User("anna", (ROLE.replace("role/trainer", "user/team/anna"),))),
        ("arn:aws-cn:sts::123456789012:federated-user/bob", User("bob", ("arn:aws-cn:sts::123456789012:federated-user/bob",))),
        ("arn:aws:iam::123456789012:root", User("root", ("arn:aws:iam::123456789012:root",))),
    ],
)
def test_a_caller_with_aws_credentials_has_the_name_of_the_role(arn: str, user: User) -> None:
    assert aws_user(arn) == user


@pytest.mark.parametrize("arn", ["-", "trainer", ROLE, "arn:aws:iam::1:root", f"{SESSION}\n", f"{SESSION}, {SESSION}", "arn:aws:s3:::bucket/user/x"])
def test_what_is_no_arn_of_a_caller_is_nobody(arn: str) -> None:
    with pytest.raises(Denied, match="arn"):
        aws_user(arn)


def test_a_role_has_the_right_of_its_arn_and_the_header_counts_at_the_host_of_the_api_alone(people: People) -> None:
    server = Server(people, SigningPrograms(), default="reader")
    given = {"x-caller-arn": SESSION, "authorization": "AWS4-HMAC-SHA256 Credential=x", "x-amz-security-token": "secret"}
    answer = server.ask({"host": PROGRAMS, **given}, "/api/2.0/mlflow/runs/create")
    assert answer.status == 403 and (answer.lines[0]["user"], answer.lines[0]["right"]) == ("trainer", "reader")
    GROUPS["admin"].append(ROLE)
    try:
        answer = Server(people, SigningPrograms()).ask({"host": PROGRAMS, **given}, "/api/2.0/mlflow/webhooks")
    finally:
        GROUPS["admin"].remove(ROLE)
    assert answer.status == 200 and answer.lines[0]["right"] == "admin"
    assert answer.seen and not {"x-caller-arn", "x-amz-security-token"} & dict(answer.seen["headers"]).keys()
    assert "AWS4" not in dict(answer.seen["headers"]).get("authorization", "")
    assert server.ask({"host": PEOPLE, **given}).status == server.ask({"host": "127.0.0.1:5000", **given}).status == 401
    assert server.ask([("host", PROGRAMS), ("x-caller-arn", SESSION), ("X-Caller-Arn", SESSION)]).status == 400
    assert server.ask({"host": PROGRAMS, "authorization": given["authorization"]}).status == 401


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, None),
        ({"client_id": SIGN_IN, "cognito:groups": ["b", "c"]}, None),
        ({"client_id": "stranger"}, "client"),
        ({"cognito:groups": ["c"]}, "group"),
        ({"scope": "openid"}, "scope"),
        ({"iss": "https://example.com"}, "issuer"),
        ({"exp": 1}, "expired"),
    ],
)
@pytest.mark.parametrize("programs", ["iam", {}])
def test_token_access_checks_clients_groups_and_scopes(
    signers: Signers, monkeypatch: pytest.MonkeyPatch, claims: dict[str, t.Any], reason: str | None, programs: t.Any
) -> None:
    monkeypatch.setattr(identity_app, "_read_url", lambda _url: signers.jwks().encode())
    tokens = {"token_host": TOKENS, "token_access": {"client_ids": [SIGN_IN, PROGRAM], "groups": ["a", "b"], "scopes": ["x/read", "x/write"]}}
    settings = {**SETTINGS, "programs": programs, "default_right": "editor", **tokens}
    identifies = identity_app.callers_from({"MLFLOW_IDENTITY": json.dumps(settings), "MLFLOW_IDENTITY_KEY": KEY.decode(), identity_app.JOB_TOKEN: JOB_TOKEN})
    token = signers.token("jo", ["a"], **{"client_id": PROGRAM, "scope": "x/write y", "exp": int(time.time()) + 60, **claims})
    given = {"authorization": f"Bearer {token}", "x-mlflow-identity": signed(now=time.time()), "x-caller-arn": SESSION}
    if reason is None:
        assert identifies.identify({"host": TOKENS, **given}, SEARCH, "") == ("jo", "editor", "token access")
    else:
        with pytest.raises(Denied, match=reason):
            identifies.identify({"host": TOKENS, **given}, SEARCH, "")
    without = {name: value for name, value in given.items() if name != "authorization"}
    with pytest.raises(Denied, match="missing"):
        identifies.identify({"host": TOKENS, **without}, SEARCH, "")


@pytest.mark.parametrize("missing", ["MLFLOW_IDENTITY", "MLFLOW_IDENTITY_KEY", identity_app.JOB_TOKEN])
def test_without_its_settings_it_does_not_start(missing: str) -> None:
    environment = {"MLFLOW_IDENTITY": json.dumps({**SETTINGS, "programs": {}}), "MLFLOW_IDENTITY_KEY": KEY.decode(), identity_app.JOB_TOKEN: JOB_TOKEN}
    identity_app.callers_from(environment)
    with pytest.raises(KeyError):
        identity_app.callers_from({name: value for name, value in environment.items() if name != missing})


# --- the lists, and the container ------------------------------------------------------------------------------------


def test_routes_are_as_the_lists_have_them() -> None:
    assert [route_of(path) for path in ("/", "//", "/ajax-api/2.0/x/", "/api//x", "x", "")] == ["/", "/", "/api/2.0/x", "/api/x", "", ""]
    assert [route_of(path, "/p") for path in ("/p", "/p/", "/px", "/p/a", "/a")] == ["", "/", "", "/a", ""]
    assert needed("POST", "") == "editor" and not is_open("GET", "")


def test_what_is_shared_with_the_authorizer_is_the_same_file() -> None:
    links = sorted(file.name for file in FILES.glob("*.py") if file.is_symlink())
    assert links == ["cognito_jwt.py", "denied.py", "refreshed.py", "signed_identity.py", "strict_json.py", "user.py"]
    assert all(file.resolve().parent == ROOT / "roles" / "apigw" / "files" / "authorizer" for file in FILES.glob("*.py") if file.is_symlink())


def test_names_of_headers_are_those_that_are_dropped() -> None:
    assert {callers.SIGNED_IDENTITY, callers.CALLER_ARN, callers.LOAD_BALANCERS_TOKEN, callers.ACCESS_TOKEN, *callers.OF_JOBS} < callers.CREDENTIALS


def test_it_fits_into_a_task_definition() -> None:
    files = {file.name: file.read_text(encoding="utf-8") for file in FILES.glob("*.py")}
    command = import_module("ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.programs").python_command(files, main="start.py")
    assert len(json.dumps(command)) < 28 * 1024  # of the 64 KiB that ECS takes

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MLflow's server behind a check of who calls and what he may do. The app that ``mlflow server --app-name mlflow-identity`` runs.

Of each request: who it is (callers.py), whether he may (rights.py), whose name what it makes gets (user_names.py), and a line in the log of each
write and each refusal. All of it before MLflow does anything, and without the database.

Environment:
- ``MLFLOW_IDENTITY``: a JSON object; roles/ecs/vars/main/identity.yml has its fields
- ``MLFLOW_IDENTITY_KEY``: with which the Lambda authorizer signs who calls; not where API Gateway itself verifies tokens
- ``AWS_ENDPOINT_URL`` (optional): an endpoint in place of AWS's own, from which public keys are read
"""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import os
import time
import urllib.request
from typing import Any, Awaitable, Callable, Mapping
from urllib.parse import parse_qs

import alb_jwt
import cognito_jwt
import auth_users
import user_names
from alb_jwt import LoadBalancerTokens
from callers import CREDENTIALS, GATEWAY, BearerPrograms, Caller, Callers, EntryPoint, Headers, People, SignedPrograms, SigningPrograms
from cognito_jwt import CognitoTokens
from denied import Denied, Unavailable
from auth_users import TooLike, Users
from rights import ADMIN, EDITOR, NONE, Rights, includes, is_of_provider, is_open, needed, reads, route_of

JOB_TOKEN = "_MLFLOW_INTERNAL_GATEWAY_AUTH_TOKEN"
"""MLflow's variable with what its jobs authenticate with at its gateway."""
STATIC_PREFIX = "MLFLOW_STATIC_PREFIX"

MLFLOW = "mlflow"
"""The mode in which MLflow's own auth app is behind this one."""

MAX_BODY = 10 * 1024 * 1024  # bytes of a body that names a user: what API Gateway takes
MAX_KEYS = 65536  # bytes
TIMEOUT = 3  # seconds

SHOWN = (
    *("run_id", "run_uuid", "experiment_id", "name", "new_name", "version", "model_id", "trace_id", "request_id", "key", "job_id", "path"),
    *("username", "role_id", "resource_type", "resource_id", "resource_pattern", "permission"),  # of a grant
)
"""What the log has of what a request is about. No value of it is a credential."""
MAX_SHOWN = 200  # characters of each

_SESSION_COOKIE = "AWSELBAuthSessionCookie"
_SHARDS = 4  # into which the load balancer splits it
SIGN_OUT = "/sign-out"
_NEEDS = {EDITOR: "a reader changes nothing", ADMIN: "this is for admins, whose groups mlflow_admin_groups names"}

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Refused(Exception):
    """The request is answered with `status`. `reason` is for the log, and without `message` for the caller too."""

    def __init__(self, status: int, reason: str, message: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.message = status, reason, message or reason


class Identity:
    """An ASGI app around MLflow's. People end their session at SIGN_OUT, and that with the identity provider at `sign_out_uri`. `users` are those
    of MLflow's auth app, where that is behind it.
    """

    def __init__(
        self,
        app: App,
        callers: Callers,
        prefix: str = "",
        log: Callable[[str], None] = functools.partial(print, flush=True),
        sign_out_uri: str = "",
        users: Users | None = None,
    ) -> None:
        self._app, self._callers, self._prefix, self._log, self._sign_out_uri, self._users = app, callers, prefix, log, sign_out_uri, users

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # MLflow has none
            return await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path = _path(scope)
        if is_open(scope["method"], path, self._prefix):
            return await self._app(_with(scope, _kept(scope)), receive, send)
        audit = Audit(scope, path, self._log)
        try:
            headers = _headers(scope)
            route = route_of(path, self._prefix)
            audit.caller = caller = await self._identify(headers, route, (scope.get("client") or ("",))[0])
            if route == SIGN_OUT and caller.entry_point == People.name:
                return await _sign_out(send, self._sign_out_uri)
            audit.writes = not reads(scope["method"], route)
            _check_right(caller, needed(scope["method"], route))
            if is_of_provider(route):
                raise Refused(403, "of the identity provider", "the identity provider says who is a user, and mlflow_admin_groups who is an admin")
            if self._users is not None:
                await self._enter(self._users, caller)
            kept = _kept(scope)
            if audit.writes:
                receive, kept = await _name(scope["method"], route, headers, receive, kept, caller, audit)
        except Refused as refused:
            return await audit.refuse(send, refused)
        if not route.startswith(GATEWAY) and ":" not in caller.name:  # there, MLflow hands the header on to the provider of the model
            # By this MLflow's handlers know for whom they start jobs. It is no credential: the password is empty, and nobody asks for one.
            kept = [*kept, (b"authorization", b"Basic " + base64.b64encode(f"{caller.name}:".encode()))]
        makes_run = user_names.makes_run(scope["method"], route)
        await audit.watch(self._naming_the_run(caller.name) if makes_run else self._app, _with(scope, kept), receive, send)

    async def _identify(self, headers: Headers, route: str, client: str) -> Caller:
        try:
            return await asyncio.to_thread(self._callers.identify, headers, route, client)  # it may fetch a key
        except Denied as denied:
            raise Refused(401, denied.reason, "Sign in.") from None
        except Unavailable as unavailable:
            raise Refused(503, unavailable.reason, "Who you are cannot be told now. Try again.") from None

    def _naming_the_run(self, user: str) -> App:
        """Return MLflow's app, which here also names the run that it makes for a job."""

        async def naming(scope: Scope, receive: Receive, send: Send) -> None:
            answer: list[Message] = []
            await self._app(dict(scope), receive, _collecting(answer))
            run = user_names.run_of(b"".join(message.get("body", b"") for message in answer))
            if run:
                tag = json.dumps({"run_id": run, "key": user_names.KEY, "value": user}).encode("ascii")
                path = f"{self._prefix}{user_names.SET_TAG}"
                headers = [(b"content-type", b"application/json"), (b"content-length", str(len(tag)).encode())]
                headers += [(key, value) for key, value in scope["headers"] if key == b"host"]
                request = {**_with(scope, headers), "path": path, "raw_path": path.encode("ascii"), "root_path": "", "query_string": b""}
                await self._app(request, _again(tag, receive), _collecting([]))
            for message in answer:
                await send(message)

        return naming

    @staticmethod
    async def _enter(users: Users, caller: Caller) -> None:
        try:
            await asyncio.to_thread(users.enter, caller)  # it may ask the database
        except TooLike:
            raise Refused(403, "too like", f"to the database, the name {caller.name} is that of another user") from None
        auth_users.calls(caller)


class Audit:
    """One line of JSON for a write or a refusal. It has no body and no header, so that no credential gets into it."""

    def __init__(self, scope: Scope, path: str, log: Callable[[str], None]) -> None:
        self.caller: Caller | None = None
        self.writes = False
        self.about = _shown({name: values[0] for name, values in parse_qs(scope.get("query_string", b"").decode("latin-1")).items()})
        self._scope, self._path, self._log = scope, path, log
        self._began = time.monotonic()

    async def refuse(self, send: Send, refused: Refused) -> None:
        """Answer as MLflow answers, and write the line."""
        code = {400: "BAD_REQUEST", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 503: "TEMPORARILY_UNAVAILABLE"}.get(refused.status, "BAD_REQUEST")
        body = json.dumps({"error_code": code, "message": refused.message}).encode("ascii")
        self._write(refused.status, reason=refused.reason)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def watch(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Have `app` answer, and write the line of a write, or of a read that MLflow has refused."""
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, watched)
        finally:
            if self.writes or status in (401, 403):
                self._write(status)

    def _write(self, status: int, **more: str) -> None:
        forwarded = next((value.decode("latin-1") for name, value in self._scope["headers"] if name == b"x-forwarded-for"), "")
        line = {
            "audit": "mlflow",
            "user": self.caller.name if self.caller else None,
            "right": self.caller.right if self.caller else None,
            "entry_point": self.caller.entry_point if self.caller else None,
            "ip": (forwarded.rpartition(",")[2].strip() or (self._scope.get("client") or ("",))[0])[:MAX_SHOWN],
            "method": self._scope["method"],
            "path": self._path[:1000],
            "status": status,
            "ms": round((time.monotonic() - self._began) * 1000),
            **({"on": self.about} if self.about else {}),
            **more,
        }
        self._log(json.dumps(line))


def create_app() -> Identity:
    """Return the app, as the environment describes it."""
    callers, prefix = callers_from(os.environ), os.environ.get(STATIC_PREFIX, "").rstrip("/")
    settings = json.loads(os.environ["MLFLOW_IDENTITY"])
    sign_out_uri = settings["sign_in"]["sign_out_uri"]
    if settings["mode"] == MLFLOW:
        app, users = auth_users.create_app()
        return Identity(app, callers, prefix, sign_out_uri=sign_out_uri, users=users)
    from mlflow.server.fastapi_app import app

    return Identity(app, callers, prefix, sign_out_uri=sign_out_uri)


def callers_from(environment: Mapping[str, str]) -> Callers:
    """Return who may call, as the environment variables above say."""
    settings, endpoint = json.loads(environment["MLFLOW_IDENTITY"]), environment.get("AWS_ENDPOINT_URL")

    def pool(client_ids: list[str], **needs: list[str]) -> CognitoTokens:
        url = cognito_jwt.keys_url(settings["user_pool_id"], endpoint)
        return CognitoTokens(settings["user_pool_id"], client_ids, functools.partial(_read_url, url), **needs)

    sign_in, keys = settings["sign_in"], alb_jwt.keys_url(settings["region"], endpoint)
    tokens = LoadBalancerTokens(settings["load_balancer_arn"], sign_in["client_id"], sign_in["issuer"], lambda key_id: _read_url(f"{keys}/{key_id}"))
    people = People(tokens, pool([sign_in["client_id"]]) if sign_in["cognito"] else None)
    programs: EntryPoint
    if settings["programs"] == "iam":
        programs = SigningPrograms()
    elif settings["programs"]:
        programs = BearerPrograms(pool(**settings["programs"]))
    else:
        programs = SignedPrograms(environment["MLFLOW_IDENTITY_KEY"].encode())
    entry_points: dict[str, EntryPoint] = {settings["host"]: people, settings["api_host"]: programs}
    if settings.get("token_host"):
        entry_points[settings["token_host"]] = BearerPrograms(pool(**settings["token_access"]), "token access")
    return Callers(entry_points, Rights(settings["groups"], settings["default_right"]), environment[JOB_TOKEN])


def _read_url(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        return response.read(MAX_KEYS)


async def _sign_out(send: Send, uri: str) -> None:
    """End the load balancer's session, and lead to where the identity provider ends its own, or say that it goes on.

    Another site can lead people here, who then have to sign in again, and to nowhere else than `uri`.
    """
    expired = [(b"set-cookie", f"{_SESSION_COOKIE}-{shard}=; Max-Age=-1; Path=/; Secure; HttpOnly".encode()) for shard in range(_SHARDS)]
    body = b"" if uri else b"You have signed out of MLflow. Your identity provider may sign you in again without asking: sign out there as well."
    headers = [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store"), *expired]
    headers += [(b"location", uri.encode("latin-1"))] if uri else [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 302 if uri else 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _path(scope: Scope) -> str:
    """Return the path that MLflow routes by, which is without that at which uvicorn may be told to serve."""
    root = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers by their names in lower case. Raises Refused where one is given twice that decides on who calls."""
    headers: dict[str, str] = {}
    for key, value in scope["headers"]:
        name = key.decode("latin-1").lower()
        if name in headers and (name == "host" or name in CREDENTIALS):
            raise Refused(400, f"{name} twice")
        headers[name] = value.decode("latin-1")
    return headers


def _kept(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the headers that MLflow, what it logs and whom it calls may see."""
    kept = []
    for key, value in scope["headers"]:
        name = key.decode("latin-1").lower()
        if name == "cookie":
            cookies = [cookie for cookie in value.split(b";") if not cookie.strip().startswith(_SESSION_COOKIE.encode())]
            if cookies:
                kept.append((key, b";".join(cookies)))
        elif name not in CREDENTIALS:
            kept.append((key, value))
    return kept


def _with(scope: Scope, headers: list[tuple[bytes, bytes]]) -> Scope:
    return {**scope, "headers": headers}


def _check_right(caller: Caller, right: str) -> None:
    if caller.right == NONE:
        raise Refused(403, "no right", f"{caller.name} is in no group that may use MLflow")
    if not includes(caller.right, right):
        raise Refused(403, f"needs {right}", _NEEDS[right])


async def _name(
    method: str, route: str, headers: Headers, receive: Receive, kept: list[tuple[bytes, bytes]], caller: Caller, audit: Audit
) -> tuple[Receive, list[tuple[bytes, bytes]]]:
    """Return the body and the headers of a write with the caller's name in them, and note what it is about. What names nobody passes as it comes."""
    concerns = user_names.concerns(method, route)
    is_json = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    length = headers.get("content-length", "")
    if not concerns and not (is_json and length.isdecimal() and int(length) <= MAX_BODY):
        return receive, kept
    body = await _body(receive)
    encoding = headers.get("content-encoding", "").strip().lower()

    def rewritten() -> tuple[bytes, dict[str, Any]]:
        named = user_names.named(method, route, body, headers.get("content-type", ""), encoding, caller.name) if concerns else body
        return named, _about(named) if route != user_names.TRACES else {}

    try:
        body, about = await asyncio.to_thread(rewritten)  # of a large body it takes a while
    except user_names.Malformed:
        raise Refused(400, "malformed") from None
    except user_names.TooLarge:
        raise Refused(413, "too large") from None
    except user_names.Forbidden:
        raise Refused(403, f"{user_names.KEY} is not to be changed") from None
    audit.about |= about
    of_body = {b"content-length", b"transfer-encoding", *([b"content-encoding"] if concerns else [])}
    kept = [*((key, value) for key, value in kept if key.lower() not in of_body), (b"content-length", str(len(body)).encode())]
    return _again(body, receive), kept


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "ended early")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise Refused(413, "too large", f"MLflow takes {MAX_BODY} bytes of this at once: send less")
        if not message.get("more_body"):
            return b"".join(parts)


def _collecting(messages: list[Message]) -> Send:
    """Return what keeps an answer in place of sending it."""

    async def collect(message: Message) -> None:
        messages.append(message)

    return collect


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read already, and then what comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _about(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return _shown(message) if isinstance(message, dict) else {}


def _shown(fields: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: fields[name] for name in SHOWN if isinstance(fields.get(name), (str, int))}
    return {name: value[:MAX_SHOWN] if isinstance(value, str) else value for name, value in values.items()}

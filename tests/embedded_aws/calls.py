# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name, record and, on request, disturb every API call on its way to moto."""

from __future__ import annotations

import contextlib
import functools
import json
import random
import re
import socket
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from io import BytesIO
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from botocore.exceptions import UnknownServiceError
from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException

from embedded_aws import iam_decisions
from embedded_aws.consistency import Consistency
from embedded_aws.services import sts
from embedded_aws.shapes import Judge

# Credential scopes whose name is not the service's name in botocore.
SERVICE_OF_SCOPE = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "servicequotas": "service-quotas", "tagging": "resourcegroupstaggingapi"}

READ_ONLY = re.compile(
    r"((Admin)?(Get|List)|Describe|Head|Lookup|Check|Search|BatchGet|BatchCheck|Filter|Query|Scan|Select|Simulate|Test|Estimate"
    r"|Validate|Verify|AssumeRole|Decrypt|Encrypt|GenerateDataKey|InitiateAuth|AdminInitiateAuth|StartQuery)"
)
SECRET = re.compile(r"(password|secretstring|secretbinary|clientsecret|plaintext|privatekey|secretaccesskey)$", re.I)
ERROR_CODE = (re.compile(rb"<Code>([^<]+)</Code>"), re.compile(rb'"(?:__type|code|Code)"\s*:\s*"(?:[^"]*#)?([^"]+)"'))


@dataclass
class Call:
    """One API call, as the log shows it.

    ``caller`` is the access key that signed it, ``time`` is in seconds since the epoch, ``milliseconds`` the handling,
    ``behind`` whether a replica answered.
    """

    n: int
    service: str
    operation: str
    mutating: bool
    params: Any
    caller: str
    time: float
    status: int = 0
    error: str | None = None
    milliseconds: float = 0
    behind: bool = False


def redacted(value: Any, name: str = "") -> Any:
    """A copy of request parameters without secrets and without bulk."""
    if SECRET.search(name):
        return "***"
    if isinstance(value, dict):
        return {key: redacted(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [redacted(each) for each in value]
    if isinstance(value, str) and len(value) > 4000:
        return f"<{len(value)} characters>"
    return value


def caller_and_service(environ: dict[str, Any]) -> tuple[str, str]:
    """The access key that signed a request, and the botocore name of the service that it is for.

    Both are in the signature, which a presigned URL has in its query; what is not signed may have a JSON target.
    """
    signature = environ.get("HTTP_AUTHORIZATION", "") or unquote(environ.get("QUERY_STRING", ""))
    scope = re.search(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/aws4_request", signature)
    if not scope:
        unsigned = environ.get("HTTP_X_AMZ_TARGET", "").startswith("AWSCognitoIdentityProviderService")
        return "", "cognito-idp" if unsigned else ""
    caller, service = scope.groups()
    if service == "apigateway":
        return caller, "apigatewayv2" if environ["PATH_INFO"].startswith("/v2/") else "apigateway"
    return caller, SERVICE_OF_SCOPE.get(service, service)


def operation_of(service: str, environ: dict[str, Any], body: bytes) -> tuple[str, Any]:
    """The API's name of the operation ("" when it cannot be told) and its parameters, redacted."""
    content_type = environ.get("CONTENT_TYPE", "")
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return target.rpartition(".")[2], redacted(_json(body))
    if content_type.startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        operation = form.pop("Action", "")
        form.pop("Version", None)
        return operation, {name: redacted(value, name.rpartition(".")[2]) for name, value in form.items()}
    if rpc := re.fullmatch(r"/service/[^/]+/operation/(\w+)", environ["PATH_INFO"]):
        return rpc[1], {}
    params = {"path": environ["PATH_INFO"], "query": environ.get("QUERY_STRING", "")}
    if body:
        # Only JSON can be searched for secrets; S3 objects and XML documents are recorded by their size.
        params["body"] = redacted(_json(body)) if body[:1] == b"{" else f"<{len(body)} bytes>"
    try:
        operation, _ignored = get_service_router(service).match(Request(dict(environ, **{"wsgi.input": BytesIO(body)})))
    except (HTTPException, NotImplementedError, ValueError, KeyError):
        return "", params
    return operation.name, params


def _json(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError:
        return f"<{len(body)} bytes>"


OWN_ERRORS: dict[str, dict[str, tuple[str, int]]] = {
    "throttled": {
        "ec2": ("RequestLimitExceeded", 503),
        "query": ("Throttling", 400),
        "json": ("ThrottlingException", 400),
        "rest-json": ("TooManyRequestsException", 429),
        "rest-xml": ("Throttling", 400),
        "s3": ("SlowDown", 503),
        "cognito-idp": ("TooManyRequestsException", 400),
    },
    "internal": {
        "ec2": ("InternalError", 500),
        "query": ("InternalFailure", 500),
        "json": ("InternalFailure", 500),
        "rest-json": ("InternalServerErrorException", 500),
        "rest-xml": ("ServiceUnavailable", 503),
        "s3": ("InternalError", 500),
        "iam": ("ServiceFailure", 500),
        "ecs": ("ServerException", 500),
        "logs": ("ServiceUnavailableException", 503),
        "secretsmanager": ("InternalServiceError", 500),
        "application-autoscaling": ("InternalServiceException", 500),
        "lambda": ("ServiceException", 500),
        "cognito-idp": ("InternalErrorException", 500),
    },
}
"""Code and status of an error that every service has, where a service has no code of its own by its protocol."""
MESSAGES = {"throttled": "Rate exceeded", "internal": "An internal error has occurred. Retry your query."}


@dataclass
class Fault:
    """A disturbance of the calls that match: an error answer, a delay, or a dropped connection."""

    service: str = "*"
    operation: str = "*"
    times: int | None = None
    probability: float = 1.0
    rate: float | None = None
    burst: float = 1
    error: dict[str, Any] | str | None = None
    late: bool = False
    latency_ms: float = 0
    drop: str | None = None
    hold: bool = False
    seed: int | None = None
    fired: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.drop not in (None, "before", "after"):
            raise ValueError("drop is 'before' or 'after' the call takes effect")
        self.let_go = threading.Event()
        if isinstance(self.error, str) and self.error not in OWN_ERRORS:
            raise ValueError(f"error is a document, or one of {', '.join(OWN_ERRORS)}")
        self._matched: Counter[tuple[str, str]] = Counter()
        self._tokens, self._filled = self.burst, time.monotonic()

    def strikes(self, call: Call) -> bool:
        """Whether this call is disturbed; counts it if so."""
        if self.service not in ("*", call.service):
            return False
        if not any(fnmatchcase(call.operation, pattern) for pattern in self.operation.split("|")):
            return False
        if self.times is not None and self.fired >= self.times or self._chance(call) >= self.probability:
            return False
        if self.rate is not None and self._token(self.rate):
            return False
        self.fired += 1
        return True

    def _chance(self, call: Call) -> float:
        """A number from 0 to 1. With a seed the n-th call of an operation always gets the same, in whatever order they come."""
        if self.seed is None:
            return random.random()
        self._matched[call.service, call.operation] += 1
        return random.Random(f"{self.seed} {call.service} {call.operation} {self._matched[call.service, call.operation]}").random()

    def answer(self, service: str) -> dict[str, Any]:
        """The error as the service would answer it."""
        if not isinstance(self.error, str):
            return self.error or {}
        own = OWN_ERRORS[self.error]
        code, status = own.get(service) or own[protocol_of(service)]
        return {"code": code, "status": status, "message": MESSAGES[self.error]}

    def _token(self, rate: float) -> bool:
        """Take a token from the bucket, if there is one."""
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def error_response(service: str, error: dict[str, Any]) -> tuple[str, str, bytes]:
    """Status line, content type and body of an error (code, message, status) in the protocol of the service."""
    code, message = error.get("code", "InternalFailure"), escape(error.get("message", "injected fault"))
    status = f"{error.get('status', 400)} {code}"
    inner = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    match protocol_of(service):
        case "ec2":
            return status, "text/xml", f"<Response><Errors>{inner}</Errors></Response>".encode()
        case "query":
            return status, "text/xml", f"<ErrorResponse>{inner}</ErrorResponse>".encode()
        case "rest-xml":
            xml = inner if service == "s3" else f"<ErrorResponse>{inner}</ErrorResponse>"
            return status, "application/xml", xml.encode()
        case _:
            document = {"__type": code, "code": code, "message": error.get("message", "injected fault")}
            return status, "application/json", json.dumps(document).encode()


@functools.cache
def protocol_of(service: str) -> str:
    """The protocol that botocore speaks with a service."""
    try:
        return str(get_service_model(service).protocol)
    except UnknownServiceError:
        return ""


class Observer(Protocol):
    """Who is told of each call that was handled alone, before the next one may change the account."""

    def after(self, call: Call) -> None: ...


class Replicas(Protocol):
    """Who may answer reads in the account's place, and is told before a call may change it."""

    def before_change(self) -> None: ...

    def answer(self, service: str, operation: str, environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes] | None: ...


class Recorder:
    """WSGI middleware: calls pass one at a time, because moto's state knows no threads, and leave a trace."""

    def __init__(self, app: Callable[..., Iterable[bytes]], latency_ms: float = 0, judge: Judge | None = None) -> None:
        self._app, self.judge = app, judge
        self._start_latency_ms = latency_ms
        self.observer: Observer | None = None
        self.replicas: Replicas | None = None
        self.faults: list[Fault] = []
        self.renew_locks()
        self.reset()

    def renew_locks(self) -> None:
        """Begin with locks that nobody holds, as a forked process must, where the threads that held them are no more."""
        self._moto = threading.RLock()
        self._log_lock = threading.Lock()

    def between_calls(self) -> contextlib.AbstractContextManager[Any]:
        """The lock that keeps calls from the account."""
        return self._moto

    def reset(self) -> None:
        """Forget calls, faults and latency set later; the numbering of calls goes on from 1."""
        self.latency_ms = self._start_latency_ms
        self.calls: list[Call] = []
        self.consistency = Consistency()
        self.set_faults([])

    def set_faults(self, faults: list[Fault]) -> None:
        """Replace the fault rules, and let go of the answers that the ones of before hold back."""
        before, self.faults = self.faults, faults
        for fault in before:
            fault.let_go.set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = self._read_body(environ)
        caller, service = caller_and_service(environ)
        if not service:
            # Unsigned documents (a user pool's JWKS, for one) are not API calls.
            with self._moto:
                return list(self._app(environ, start_response))
        operation, params = operation_of(service, environ, body)
        with self._log_lock:
            mutating = not READ_ONLY.match(operation)
            call = Call(len(self.calls) + 1, service, operation, mutating, params, caller, time.time())
            self.calls.append(call)
            faults = [fault for fault in self.faults if fault.strikes(call)]
        refused = sts.refusal(service, protocol_of(service), caller) or iam_decisions.refusal(
            sts.session_of(caller), service, protocol_of(service), operation, environ, body
        )
        if self.judge:
            self.judge.hear(service, operation, environ, body)
        time.sleep((self.latency_ms + sum(fault.latency_ms for fault in faults)) / 1000)
        for fault in faults:
            if fault.drop == "before":
                return self._drop(call, environ)
            if fault.error and not fault.late:
                return self._refuse(call, fault.answer(service), start_response)
        if refusal := refused or self.consistency.refusal(service, operation, environ["PATH_INFO"], body):
            return self._refuse(call, refusal, start_response)
        answered: dict[str, Any] = {}

        def remember(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            answered.update(status=status, headers=headers)

        try:
            # A Lambda function may call AWS in its turn, so its invocation must not hold the lock.
            alone = operation != "Invoke"
            if stale := self.replicas and self.replicas.answer(service, operation, environ, body):
                call.behind = True
                answered["status"], answered["headers"], answer = stale
                self._finish(call, answered["status"], answer)
            else:
                with self._moto if alone else contextlib.nullcontext():
                    if alone and mutating and self.replicas:
                        self.replicas.before_change()
                    answer = b"".join(self._app(environ, remember))
                    self._finish(call, answered["status"], answer)
                    if call.status < 300:
                        self.consistency.note(operation, environ["PATH_INFO"], body, answer)
                    if alone and self.observer:
                        self.observer.after(call)
        except Exception as error:  # noqa: BLE001 - whatever moto fails with is an error of the emulator
            traceback.print_exc()
            failure = {"code": "EmbeddedAWSFailure", "status": 501, "message": f"{operation}: {error!r}"}
            return self._refuse(call, failure, start_response)
        for fault in faults:
            if fault.hold:
                fault.let_go.wait()
        if any(fault.drop == "after" for fault in faults):
            return self._drop(call, environ)
        for fault in faults:
            if fault.error:
                return self._refuse(call, fault.answer(service), start_response)
        start_response(answered["status"], answered["headers"])
        return [answer]

    @staticmethod
    def _read_body(environ: dict[str, Any]) -> bytes:
        if environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read()
        else:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        return body

    def _refuse(self, call: Call, error: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, content_type, answer = error_response(call.service, error)
        self._finish(call, status, answer)
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(answer)))])
        return [answer]

    @staticmethod
    def _finish(call: Call, status: str, answer: bytes) -> None:
        call.status = int(status.split()[0])
        call.milliseconds = round((time.time() - call.time) * 1000, 2)
        if call.status >= 400:
            found = next((match for match in (pattern.search(answer) for pattern in ERROR_CODE) if match), None)
            call.error = found[1].decode() if found else status

    @staticmethod
    def _drop(call: Call, environ: dict[str, Any]) -> Iterable[bytes]:
        call.error = call.error or "ConnectionDropped"
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionError("dropped by a fault rule")

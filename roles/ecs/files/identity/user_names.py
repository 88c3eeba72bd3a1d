# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The true name of who makes a run, an experiment, a model, a version of one or a trace, in place of what the client says of it.

MLflow takes it from the request: the field ``user_id`` of a run, and the tag ``mlflow.user`` of everything. Nobody changes that tag later.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, Callable, Iterator

KEY = "mlflow.user"
TRACES = "/v1/traces"
"""The route of OTLP."""
MAX_DECOMPRESSED = 64 * 1024 * 1024  # bytes of OTLP, of which API Gateway takes 10 MB compressed

_SPAN_ATTRIBUTE = f"mlflow.traceTag.{KEY}"
"""Of the root span: MLflow makes a tag of the trace of it."""
_TAG_ROUTES = re.compile(r"/api/\d\.0/mlflow/.*/((set|delete)-(experiment-)?tag|tags)(/.*)?")


class Malformed(Exception):
    """The body is not what the route takes."""


class TooLarge(Exception):
    """The body is larger than what is read of it."""


class Forbidden(Exception):
    """The request changes the tag with the name."""


def concerns(method: str, route: str) -> bool:
    """Return whether the body of a request must be read: it may name a user."""
    return (method == "POST" and route == TRACES) or _change(method, route) is not None or _TAG_ROUTES.fullmatch(route) is not None


def named(method: str, route: str, body: bytes, content_type: str, encoding: str, user: str) -> bytes:
    """Return `body`, as it is to reach MLflow without a content encoding, with `user` as the one who makes what it makes.

    Raises Malformed, TooLarge or Forbidden.
    """
    if route == TRACES:
        return _named_spans(decompressed(body, encoding), content_type, user)
    if encoding:
        raise Malformed
    message = _object(body)
    if _TAG_ROUTES.fullmatch(route) and KEY in (message.get("key"), route.rpartition("/")[2]):
        raise Forbidden
    change = _change(method, route)
    if change is None and not body:
        return body
    if change is not None:
        try:
            change(message, user)
        except (TypeError, AttributeError):
            raise Malformed from None
    return json.dumps(message).encode("ascii")


def _set_tag(message: dict[str, Any], user: str) -> None:
    message["tags"] = [*_others(message.get("tags")), {"key": KEY, "value": user}]


def _drop_tag(message: dict[str, Any], _user: str) -> None:
    for field in ("tags", *_spellings("request_metadata")):
        if field in message:
            message[field] = _others(message[field])


def _set_run(message: dict[str, Any], user: str) -> None:
    _set_tag(message, user)
    for field in _spellings("user_id"):
        message.pop(field, None)
    message["user_id"] = user


def _set_trace(message: dict[str, Any], user: str) -> None:
    """A trace of version 2, whose tags and metadata are lists."""
    _set_tag(message, user)
    (field, others) = next(((field, _others(message[field])) for field in _spellings("request_metadata") if field in message), ("request_metadata", []))
    message[field] = [*others, {"key": KEY, "value": user}]


def _set_trace_info(message: dict[str, Any], user: str) -> None:
    """A trace of version 3, whose tags and metadata are dicts."""
    for info in _members(message["trace"] if "trace" in message else {}, "trace_info"):
        info["tags"] = {**(info.get("tags") or {}), KEY: user}
        field = next((field for field in _spellings("trace_metadata") if field in info), "trace_metadata")
        info[field] = {**(info.get(field) or {}), KEY: user}


_CHANGES: list[tuple[str, re.Pattern[str], Callable[[dict[str, Any], str], None]]] = [
    ("POST", re.compile(r"/api/\d\.0/mlflow/runs/create(-promptlab-run)?"), _set_run),
    ("POST", re.compile(r"/api/\d\.0/mlflow/((experiments|registered-models|model-versions)/create|logged-models)"), _set_tag),
    ("POST", re.compile(r"/api/2\.0/mlflow/traces"), _set_trace),
    ("POST", re.compile(r"/api/3\.0/mlflow/traces"), _set_trace_info),
    ("POST", re.compile(r"/api/\d\.0/mlflow/runs/log-batch"), _drop_tag),
    ("PATCH", re.compile(r"/api/\d\.0/mlflow/(logged-models/[^/]+/tags|traces/[^/]+)"), _drop_tag),
]


def _change(method: str, route: str) -> Callable[[dict[str, Any], str], None] | None:
    return next((change for of, pattern, change in _CHANGES if of == method and pattern.fullmatch(route)), None)


def _object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`, as MLflow reads it: older clients send the text of one. Empty for no body."""
    try:
        message = json.loads(body) if body else {}
        message = json.loads(message) if isinstance(message, str) else message
    except (ValueError, RecursionError):
        raise Malformed from None
    if not isinstance(message, dict):
        raise Malformed
    return message


def _others(tags: Any) -> list[Any]:
    """Return a list of tags without the one with the name."""
    return [tag for tag in tags or [] if tag.get("key") != KEY]


def _spellings(field: str) -> tuple[str, str]:
    """Return the two names of a field that JSON of Protocol Buffers may have."""
    first, *rest = field.split("_")
    return field, first + "".join(map(str.capitalize, rest))


def _members(message: dict[str, Any], field: str) -> Iterator[Any]:
    """Yield what `message` has in `field`, by each of its names."""
    for name in _spellings(field):
        if message.get(name) is not None:
            yield message[name]


def decompressed(body: bytes, encoding: str) -> bytes:
    """Return `body` without its content encoding, of which MLflow takes gzip and deflate."""
    try:
        match encoding:
            case "":
                return body
            case "gzip":
                return _whole(zlib.decompressobj(16 + zlib.MAX_WBITS), body)
            case "deflate":
                try:
                    return _whole(zlib.decompressobj(), body)
                except zlib.error:  # some clients send it without the header of zlib
                    return _whole(zlib.decompressobj(-zlib.MAX_WBITS), body)
    except zlib.error:
        pass
    raise Malformed


def _whole(decompressor: Any, body: bytes) -> bytes:
    data = decompressor.decompress(body, MAX_DECOMPRESSED + 1)
    if len(data) > MAX_DECOMPRESSED:
        raise TooLarge
    if not decompressor.eof or decompressor.unused_data:
        raise Malformed
    return data


def _named_spans(body: bytes, content_type: str, user: str) -> bytes:
    if content_type.partition(";")[0].strip() == "application/json":
        message = _object(body)
        try:
            for span in _spans(message):
                others = [each for each in span.get("attributes") or [] if each.get("key") != _SPAN_ATTRIBUTE]
                is_root = not any(str(parent).strip("0A=") for parent in _members(span, "parent_span_id"))  # hexadecimal or Base64
                span["attributes"] = [*others, *([{"key": _SPAN_ATTRIBUTE, "value": {"stringValue": user}}] if is_root else [])]
        except (TypeError, AttributeError):
            raise Malformed from None
        return json.dumps(message).encode("ascii")
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise Malformed from None
    for span in (span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans):
        others = [each for each in span.attributes if each.key != _SPAN_ATTRIBUTE]
        del span.attributes[:]
        span.attributes.extend(others)
        if not any(span.parent_span_id):
            added = span.attributes.add()
            added.key, added.value.string_value = _SPAN_ATTRIBUTE, user
    return request.SerializeToString()


def _spans(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the spans of OTLP's JSON."""
    for resources in _members(message, "resource_spans"):
        for resource in resources:
            for scopes in _members(resource, "scope_spans"):
                for scope in scopes:
                    yield from scope.get("spans") or []

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The true name of who makes a run, an experiment, a model, a version of one, a trace, a dataset or an assessment, in place of what the client says.

MLflow takes it from the request: the field ``user_id`` of a run, the metadata of an assessment, and the tag ``mlflow.user`` of everything else. Nobody
changes that tag later. A run that MLflow makes for a job gets the tag when the job is submitted.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, Callable, Iterator

KEY = "mlflow.user"
TRACES = "/v1/traces"
"""The route of OTLP."""
SET_TAG = "/api/2.0/mlflow/runs/set-tag"
MAX_DECOMPRESSED = 64 * 1024 * 1024  # bytes of OTLP, of which API Gateway takes 10 MB compressed

_SPAN_ATTRIBUTE = f"mlflow.traceTag.{KEY}"
"""Of the root span: MLflow makes a tag of the trace of it."""
_JOBS_WITH_RUN = re.compile(r"/api/\d\.0/mlflow/(genai/evaluate/invoke|prompt-optimization/jobs)")
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
        except (TypeError, AttributeError, ValueError, RecursionError):
            raise Malformed from None
    return json.dumps(message).encode("ascii")


def makes_run(method: str, route: str) -> bool:
    """Return whether MLflow itself makes a run, which its answer names, for the job that a request submits."""
    return method == "POST" and _JOBS_WITH_RUN.fullmatch(route) is not None


def run_of(answer: bytes) -> str:
    """Return the run that MLflow's answer to such a request names, or nothing."""
    try:
        message = json.loads(answer)
        run_id = {**message, **(message.get("job") or {})}.get("run_id")
    except (ValueError, RecursionError, TypeError, AttributeError):
        return ""
    return run_id if isinstance(run_id, str) else ""


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
        for assessment in info.get("assessments") or []:
            _name_assessment(assessment, user)


def _set_assessment(message: dict[str, Any], user: str) -> None:
    if message.get("assessment") is not None:
        _name_assessment(message["assessment"], user)


def _change_assessment(message: dict[str, Any], user: str) -> None:
    """A change of metadata is one of all of it, and a source cannot be changed."""
    if (message.get("assessment") or {}).get("metadata") is not None:
        message["assessment"]["metadata"][KEY] = user


def _name_assessment(assessment: dict[str, Any], user: str) -> None:
    """Who recorded it. What is not a judge's or a program's is a human's, and that is the one who calls."""
    assessment["metadata"] = {**(assessment.get("metadata") or {}), KEY: user}
    source = assessment.get("source") or {}
    if not {"LLM_JUDGE", "CODE"}.intersection(source.get(field) for field in _spellings("source_type")):
        for field in _spellings("source_id"):
            source.pop(field, None)
        kind = {} if any(field in source for field in _spellings("source_type")) else {"source_type": "HUMAN"}
        assessment["source"] = {**kind, **source, "source_id": user}


def _set_dataset(message: dict[str, Any], user: str) -> None:
    """Its tags are the text of a JSON object."""
    message["tags"] = json.dumps({**json.loads(message.get("tags") or "{}"), KEY: user})


def _set_records(message: dict[str, Any], user: str) -> None:
    """They are the text of a JSON list, each with tags."""
    records = json.loads(message.get("records") or "[]")
    message["records"] = json.dumps([{**record, "tags": {**(record.get("tags") or {}), KEY: user}} for record in records])


_CHANGES: list[tuple[str, re.Pattern[str], Callable[[dict[str, Any], str], None]]] = [
    ("POST", re.compile(r"/api/\d\.0/mlflow/runs/create(-promptlab-run)?"), _set_run),
    ("POST", re.compile(r"/api/\d\.0/mlflow/((experiments|registered-models|model-versions)/create|logged-models)"), _set_tag),
    ("POST", re.compile(r"/api/2\.0/mlflow/traces"), _set_trace),
    ("POST", re.compile(r"/api/3\.0/mlflow/traces"), _set_trace_info),
    ("POST", re.compile(r"/api/\d\.0/mlflow/traces/[^/]+/assessments"), _set_assessment),
    ("PATCH", re.compile(r"/api/\d\.0/mlflow/traces/[^/]+/assessments/[^/]+"), _change_assessment),
    ("POST", re.compile(r"/api/\d\.0/mlflow/datasets/create"), _set_dataset),
    ("POST", re.compile(r"/api/\d\.0/mlflow/datasets/[^/]+/records"), _set_records),
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

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether calls are what the service models say: the installed botocore's, and those of the oldest that callers may have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationNotFoundError, ServiceModel, Shape
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException


def unknown(shape: Shape | None, value: Any, path: str = "") -> Iterator[str]:
    """The members of a parameter that a model, by its shape, does not have."""
    for inner, each, where in _inside(shape, value, path):
        if inner is None:
            yield f"{where}: unknown"
        else:
            yield from unknown(inner, each, where)


def out_of_range(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """What a model, by its shape, does not allow of a parameter's values. Never holds one: they may be secret."""
    limits, text = shape.metadata, isinstance(value, str)
    if text and shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"{path}: not one of the enumeration"
        if not _fits(limits.get("pattern", ""), value):
            yield f"{path}: does not fit the pattern"
    size = len(value) if text or isinstance(value, (list, dict)) else value
    if isinstance(size, (int, float)) and not isinstance(size, bool) and shape.type_name not in ("structure", "blob", "timestamp"):
        if not limits.get("min", size) <= size <= limits.get("max", size):
            yield f"{path}: out of range"
    for inner, each, where in _inside(shape, value, path):
        if inner is not None:
            yield from out_of_range(inner, each, where)


def _inside(shape: Shape | None, value: Any, path: str) -> Iterator[tuple[Shape | None, Any, str]]:
    """The shape (None where the model has none), value and path of whatever a parameter consists of."""
    if shape is None or getattr(shape, "is_document_type", False):
        return
    if isinstance(value, dict) and shape.type_name == "structure":
        for name, each in value.items():
            yield shape.members.get(name), each, f"{path}.{name}".lstrip(".")
    elif isinstance(value, dict) and shape.type_name == "map":
        for each in value.values():
            yield shape.value, each, f"{path}{{}}"
    elif isinstance(value, list) and shape.type_name == "list":
        for each in value:
            yield shape.member, each, f"{path}[]"


def _fits(pattern: str, value: str) -> bool:
    try:
        return not pattern or bool(re.fullmatch(pattern, value))
    except re.error:  # Java knows classes of characters that Python does not
        return True


def parameters(service: str, operation: str, environ: dict[str, Any], body: bytes) -> Any:
    """The parameters of a call as a client names them, or None where they cannot be told."""
    request = Request(dict(environ, **{"wsgi.input": BytesIO(body)}))
    try:
        model = get_service_model(service)
        parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)](model.operation_model(operation))
        _model, in_path = get_service_router(service).match(request)
        return parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": in_path,
            }
        )
    except (HTTPException, KeyError, NotImplementedError, OperationNotFoundError, UnknownServiceError, ValueError):
        return None


class Judge:
    """Knows, of all calls, what one of the models does not allow."""

    def __init__(self, oldest: Path) -> None:
        """C(oldest): the folder of an installed botocore."""
        self._loader = Loader(extra_search_paths=[str(oldest / "data")], include_default_search_paths=False)
        self._models: dict[str, ServiceModel | None] = {}
        self.objections: set[str] = set()

    def hear(self, service: str, operation: str, environ: dict[str, Any], body: bytes) -> None:
        """Note what there is to object to a call."""
        given = parameters(service, operation, environ, body)
        if not given:
            return
        newest = get_service_model(service).operation_model(operation).input_shape
        found = [*unknown(newest, given), *out_of_range(newest, given)]
        found += [f"{objection} to the oldest" for objection in self._unknown_to_the_oldest(service, operation, given)]
        self.objections.update(f"{service} {operation} {objection}" for objection in found)

    def _unknown_to_the_oldest(self, service: str, operation: str, given: Any) -> Iterator[str]:
        model = self._model(service)
        if model is None or operation not in model.operation_names:
            yield "unknown"
        else:
            yield from unknown(model.operation_model(operation).input_shape, given)

    def _model(self, service: str) -> ServiceModel | None:
        if service not in self._models:
            try:
                self._models[service] = ServiceModel(self._loader.load_service_model(service, "service-2"), service)
            except UnknownServiceError:
                self._models[service] = None
        return self._models[service]

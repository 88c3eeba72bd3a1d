# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request, where it comes from, and where it can end."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit


class Source(t.NamedTuple):
    """Who opens a connection: an address, and in a VPC the security groups of its network interface."""

    address: str
    groups: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Request:
    """An HTTP request. C(headers) have lower-case names; C(url) is what the client was given, and where it connects."""

    source: Source
    url: str
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    method: str = "GET"
    body: bytes = b""

    @property
    def name(self) -> str:
        """The name that the client resolves, and that it expects in the certificate."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or {"https": 443, "http": 80}[parts.scheme]

    @property
    def host(self) -> str:
        """The Host header."""
        return self.headers.get("host", urlsplit(self.url).netloc)

    @property
    def path(self) -> str:
        return urlsplit(self.url).path or "/"

    @property
    def target(self) -> str:
        """Path and query, as they are in the request line."""
        query = urlsplit(self.url).query
        return f"{self.path}?{query}" if query else self.path

    def replace(self, **changes: t.Any) -> Request:
        return dataclasses.replace(self, **changes)

    def with_headers(self, **headers: str) -> Request:
        """The request with further headers, underscores in their names standing for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.replace(headers={**self.headers, **named})


@dataclasses.dataclass(frozen=True)
class NoRoute:
    """The connection is not let through, or there is nothing to connect to."""

    reason: str
    label: t.ClassVar[str] = "no route"


@dataclasses.dataclass(frozen=True)
class Answer:
    """A door answers itself."""

    status: int
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    label: str = ""
    cookies: tuple[str, ...] = ()
    """The values of Set-Cookie, which an answer may have several of."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or str(self.status))


@dataclasses.dataclass(frozen=True)
class Forward:
    """The request reaches MLflow, as it then is, at one of these addresses."""

    request: Request
    targets: tuple[tuple[str, int], ...]
    timeout: float
    timeout_status: int = 504
    longest_answer: int | None = None
    """Bytes, above which the answer is an error."""
    label: t.ClassVar[str] = "MLflow"


Outcome = NoRoute | Answer | Forward

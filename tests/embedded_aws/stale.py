# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eventual consistency of reads: they answer with what the account was some seconds ago.

A read asks a replica that is behind by so many seconds. Replicas are forked copies of the account from before a change; the oldest
that is young enough answers. When nothing has changed for so long, the account itself answers.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from socket import socket
from typing import Any
from urllib.parse import urlsplit

from embedded_aws.snapshots import Fork, end

TRUE = re.compile(r"sts:.*|route53:.*|s3:(Get|Head|List)(Object|MultipartUpload|Part).*")
"""Reads, as ``service:Operation``, that show each change at once, as AWS says. The README has the table, with the sources."""
READ = re.compile(r"Get|List|Describe|Head|BatchGet|Lookup|Search")
COPIES = 10
"""Per length of the delay, at most: changes shortly after one another share the copy from before the first of them."""


class Stale:
    """The replicas of the last ``seconds``."""

    def __init__(self, serve: Callable[[socket], None]) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self._copies: list[tuple[float, Fork]] = []
        self.seconds = 0.0
        """How far reads are behind. While it is 0 they are not; replicas are kept, so that one can look at the account meanwhile."""

    def drop(self) -> None:
        """Have all that was changed shown from now on."""
        with self._lock:
            while self._copies:
                end(self._copies.pop()[1].pid)

    def before_change(self) -> None:
        """Keep the account as it is. Needs the lock that keeps other calls from it."""
        with self._lock:
            self._drop_old()
            if self.seconds and (not self._copies or time.monotonic() - self._copies[-1][0] > self.seconds / COPIES):
                self._copies.append((time.monotonic(), Fork(self._serve)))

    def answer(self, service: str, operation: str, environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes] | None:
        """Status, headers and body of what a replica answers to a read; None where the account itself is to answer."""
        if not self.seconds or not READ.match(operation) or TRUE.fullmatch(f"{service}:{operation}"):
            return None
        with self._lock:
            self._drop_old()
            endpoint = self._copies[0][1].endpoint if self._copies else None
        if endpoint:
            with suppress(OSError, HTTPException):  # its time is over
                return _forward(endpoint, environ, body)
        return None

    def _drop_old(self) -> None:
        while self.seconds and self._copies and time.monotonic() - self._copies[0][0] > self.seconds:
            end(self._copies.pop(0)[1].pid)


def _forward(endpoint: str, environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    headers = {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
    if "CONTENT_TYPE" in environ:
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=30)
    connection.request(environ["REQUEST_METHOD"], environ["RAW_URI"], body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return f"{answer.status} {answer.reason}", _own(answer.getheaders()), content


def _own(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of the answer without those that the connection has by itself."""
    return [(name, value) for name, value in headers if name.lower() not in ("connection", "date", "server", "transfer-encoding")]

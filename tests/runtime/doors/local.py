# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doors for browsers and programs that know neither the names of a stack nor its certificates: at addresses of this machine, by plain HTTP."""

from __future__ import annotations

import dataclasses
import html
import threading
import typing as t
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from runtime.doors.load_balancer import LoadBalancer
from runtime.doors.proxy import Handler, Proxy
from runtime.doors.request import Answer, NoRoute, Request

# Of Cognito's pages, and of the load balancer, which people come back to.
SIGN_IN, SIGN_OUT, BACK = "/oauth2/authorize", "/logout", "/oauth2/idpresponse"
PAGE = """<!doctype html><title>Sign in</title><style>body {{ font: 16px sans-serif; margin: 10% auto; width: 24em }} input {{ width: 100% }}</style>
<h1>Sign in</h1><p>In place of Cognito: whoever you say you are, you are.
<form action="{back}"><p>Name <input name="user" value="ada"><p>Groups <input name="groups" value="{groups}"><p><button>Sign in</button></form>"""


class LocalDoor:
    """The door of one host name, for the length of a C(with) block."""

    def __init__(self, proxy: Proxy, name: str) -> None:
        self.source = proxy.source
        self._proxy, self._name = proxy, name
        self._server = _Server(("127.0.0.1", 0), type("LocalHandler", (Handler,), {"proxy": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Request) -> Answer | NoRoute:
        """As the door of the host name answers. Wherever the one address is told, the other one takes its place."""
        here, there = f"http://{request.host}", f"https://{self._name}"
        headers = {name: value.replace(here, there, 1) if name in ("origin", "referer") else value for name, value in request.headers.items()}
        answer = self._proxy.answer(request.replace(url=f"{there}{request.target}", headers={**headers, "host": self._name}))
        if isinstance(answer, NoRoute):
            return answer
        location = {"location": self._here(answer.headers["location"])} if "location" in answer.headers else {}
        cookies = tuple(cookie.replace("; Secure", "") for cookie in answer.cookies)  # of which not every browser takes one here
        return dataclasses.replace(answer, headers={**answer.headers, **location}, cookies=cookies)

    def _here(self, location: str) -> str:
        return location.replace(f"https://{self._name}", self.url, 1)


class PeoplesDoor(LocalDoor):
    """The door of people, with the pages on which Cognito signs them in and out."""

    def __init__(self, proxy: Proxy, name: str, balancer: LoadBalancer, groups: str) -> None:
        super().__init__(proxy, name)
        self._balancer, self._groups = balancer, groups

    def answer(self, request: Request) -> Answer | NoRoute:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        if request.path == SIGN_IN:
            return Answer(200, {"content-type": "text/html"}, PAGE.format(back=BACK, groups=html.escape(self._groups)).encode())
        if request.path == BACK:
            groups = [group.strip() for group in query.get("groups", "").split(",") if group.strip()]
            cookie = self._balancer.sign_in(query["user"], *groups)
            return Answer(302, {"location": f"{self.url}/"}, cookies=(f"{cookie}; Path=/; HttpOnly; SameSite=Lax",))
        if request.path == SIGN_OUT:
            return Answer(302, {"location": self._here(query["logout_uri"])})
        return super().answer(request)

    def _here(self, location: str) -> str:
        """Cognito's pages are here, too."""
        path = urlsplit(location).path
        return location.partition(path)[1] + location.partition(path)[2] if path in (SIGN_IN, SIGN_OUT) else super()._here(location)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Say nothing of clients that go away."""

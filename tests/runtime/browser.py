# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, driven by the DevTools protocol over a pipe."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import typing as t
from pathlib import Path

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1400,1000",
    "--remote-debugging-pipe",
)
SECONDS = 60


class Browser:
    """A browser with one page, for the length of a C(with) block.

    :arg hosts: host names to ports of this machine, in place of DNS. Certificates are not verified.
    """

    def __init__(self, folder: Path, hosts: dict[str, int]) -> None:
        self.errors: list[str] = []
        """What a developer would see in the console as an error: of scripts, of the network, of the page's own."""
        self._buffer, self._answers, self._number = b"", {}, 0
        rules = ",".join(f"MAP {host}:443 127.0.0.1:{port}" for host, port in hosts.items())
        read_commands, self._commands = os.pipe()
        self._messages, write_messages = os.pipe()
        # Chromium reads commands from descriptor 3 and writes to 4.
        script = f'exec "$@" 3<&{read_commands} 4>&{write_messages}'
        with (folder / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "bash",
                    "-c",
                    script,
                    "bash",
                    find_chromium(),
                    *FLAGS,
                    f"--user-data-dir={folder / 'profile'}",
                    "--ignore-certificate-errors",
                    f"--host-resolver-rules={rules}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(read_commands, write_messages),
                env={**os.environ, "HOME": str(folder)},
                start_new_session=True,
            )
        os.close(read_commands)
        os.close(write_messages)
        self._session = ""

    def __enter__(self) -> Browser:
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.command(f"{domain}.enable")
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._commands)
        os.close(self._messages)

    def set_cookie(self, host: str, cookie: str) -> None:
        name, _equals, value = cookie.partition("=")
        self.command("Network.setCookie", name=name, value=value, domain=host, path="/", secure=True, httpOnly=True)

    def open(self, url: str) -> None:
        failed = self.command("Page.navigate", url=url).get("errorText")
        assert not failed, f"{url}: {failed}"

    def evaluate(self, expression: str) -> t.Any:
        """The value of a JavaScript expression in the page."""
        answer = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for_text(self, *texts: str) -> None:
        """Wait until the page shows all of C(texts)."""
        deadline = time.monotonic() + SECONDS
        while not all(text in (shown := self.evaluate("document.body?.innerText") or "") for text in texts):
            assert time.monotonic() < deadline, f"{texts} not in: {shown}\n{self.errors}"
            time.sleep(0.3)

    def screenshot(self) -> str:
        """The page as a PNG, in Base64."""
        return self.command("Page.captureScreenshot")["data"]

    def command(self, method: str, **params: t.Any) -> dict[str, t.Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while number not in self._answers:
            self._read()
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer}"
        return answer["result"]

    def _read(self) -> None:
        received = os.read(self._messages, 1 << 16)
        assert received, "Chromium has ended"
        *messages, self._buffer = (self._buffer + received).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message["method"], message["params"])

    def _note(self, event: str, params: dict[str, t.Any]) -> None:
        if event == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(" ".join(str(a.get("value") or a.get("description")) for a in params["args"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")


def find_chromium() -> str:
    found = shutil.which("chromium")
    if not found:
        raise FileNotFoundError("chromium is not installed (Debian: apt-get install chromium)")
    return found

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An endpoint of an Aurora cluster, in front of a database server, that can be paused and takes its time to resume."""

from __future__ import annotations

import socket
import struct
import threading


class Endpoint:
    """A port of this machine that leads to C(target), another one.

    A paused Aurora resumes when somebody wants to connect. What becomes of that attempt, and of others until it has
    resumed, depends: some are held and then let through, others are refused.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.carried = 0
        """Bytes that have come from clients."""
        self.attempts = 0
        self._pause: tuple[float, bool] | None = None
        self._open = threading.Event()
        self._open.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def pause(self, seconds: float, refuses: bool) -> None:
        """Be paused, and resume C(seconds) after the first attempt to connect."""
        self._pause = (seconds, refuses)
        self._open.clear()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    def _accept(self) -> None:
        resumes = False
        while True:
            client, _address = self._listener.accept()
            self.attempts += 1
            refuses = False
            if not self.is_open and self._pause:
                seconds, refuses = self._pause
                if not resumes:
                    threading.Timer(seconds, self._open.set).start()
                resumes = True
            else:
                resumes = False
            threading.Thread(target=self._refuse if refuses else self._lead, args=(client,), daemon=True).start()

    @staticmethod
    def _refuse(client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

    def _lead(self, client: socket.socket) -> None:
        self._open.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            self._refuse(client)
            return
        threading.Thread(target=self._carry, args=(server, client, False), daemon=True).start()
        self._carry(client, server, True)

    def _carry(self, giver: socket.socket, taker: socket.socket, counted: bool) -> None:
        try:
            while data := giver.recv(1 << 16):
                self.carried += len(data) if counted else 0
                taker.sendall(data)
        except OSError:
            pass
        for end in (giver, taker):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            if not counted:
                end.close()

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what may be given to the clients of a module run: guards, recorders, retries."""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, is_read_only


class Hook:
    """Listens to the clients of one module run. This one does nothing."""

    last_change: float = 0.0
    """When somebody before this run changed AWS last, at the latest, in seconds since the epoch; 0 where nobody is known to have."""

    def attach(self, client: t.Any) -> None:
        """Listen to a client of botocore, before its first call."""

    def before_wait(self) -> None:
        """Called before the module waits for AWS."""

    def invalidate(self) -> None:
        """Called when nothing that was read of AWS earlier in this run holds any more."""


class CheckModeGuard(Hook):
    """Refuses every operation that could change AWS, whatever the module's code does."""

    def attach(self, client: t.Any) -> None:
        client.meta.events.register("before-call", self._before_call)

    @staticmethod
    def _before_call(model: t.Any, **_kwargs: t.Any) -> None:
        if not is_read_only(model.name):
            raise AwsError(f"{model.name} would change AWS in check mode: this is a defect of the module, please report it")


CONNECTIONS = 4
"""Calls to one service that a module has under way at most: each needs a connection, and a new one costs two round trips and a handshake,
while no module has more than four rounds of questions to a service that need each other's answers."""


class FewConnections(Hook):
    """Has a client reuse a few connections, where all that is asked at the same time would open one for each question."""

    def attach(self, client: t.Any) -> None:
        free = threading.BoundedSemaphore(CONNECTIONS)

        def acquire(context: dict[str, t.Any], **_kwargs: t.Any) -> None:
            free.acquire()
            context["mlflow_connection"] = free

        client.meta.events.register_last("before-call", acquire)  # where no other listener has refused or answered the call
        client.meta.events.register("after-call", self._release)
        client.meta.events.register("after-call-error", self._release)

    @staticmethod
    def _release(context: dict[str, t.Any], **_kwargs: t.Any) -> None:
        free = context.pop("mlflow_connection", None)
        if free:
            free.release()

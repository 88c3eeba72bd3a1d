# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what AWS has answered in this run already, for its modules to come.

Each module of a run is a process of its own, and most have to ask AWS before they find that nothing is to be done. What
the first one has asked at the same time, the others need not ask in turn. The answers are in a file of the run's own
directory, which Ansible makes for its user alone and removes at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import threading
import time
import typing as t
from pathlib import Path
from types import SimpleNamespace

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import is_lasting, is_read_only
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.hooks import Hook

RESPONSES = "MLPLATFORM_MLFLOW_AWS_RESPONSES"
"""The variable of the environment by which an action plugin names the file of what AWS has answered in this run already."""

LASTING = 300
"""Seconds after which an answer counts for nothing: a run of many stacks may come to a module late."""
SECRET = ("GetSecretValue", "GetObject", "DescribeUserPoolClient")
"""Operations whose answers are never kept, because they hold a secret."""

Answer = tuple[int, bytes]
"""HTTP status and, pickled, what botocore made of the answer before its own listeners change that in place."""


def forget() -> None:
    """Have nothing taken for true any more that AWS has answered earlier in this run."""
    if os.environ.get(RESPONSES):
        Path(os.environ[RESPONSES]).unlink(missing_ok=True)


def _note_question(params: dict[str, t.Any], model: t.Any, context: dict[str, t.Any], **_kwargs: t.Any) -> None:
    """What a client does before it puts a call into words: remember which it is."""
    question = (model.service_model.service_name, model.name, params)
    context["mlflow_question"] = json.dumps(question, sort_keys=True, default=str)


def _stand_in(answer: Answer | None) -> tuple[SimpleNamespace, dict[str, t.Any]] | None:
    """What a listener of "before-call" returns in place of the call, see ``BaseClient._make_api_call`` of botocore."""
    return (SimpleNamespace(status_code=answer[0]), pickle.loads(answer[1])) if answer else None


class RecordedResponses(Hook):
    """The answers that the modules of a run share, until one of them first changes or waits for something.

    A module gets an answer once: where it asks again, it wants to know what is new.

    In a removal a change ends them only for the module that makes it. Each module there reads and removes what is its own, and what
    is removed no other module asks for; nor does anything make what a prefetch has not found, as the run has the stack for itself. What
    would tell of it too late, the prefetch of a removal leaves out. A pause to wait ends them there too, for all.
    """

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        self._known: dict[str, Answer] = {}
        self._removal = False
        self.since: float | None = None
        """When the first of them was asked for, in seconds since the epoch; None where there are none."""
        self._load()
        self._lock = threading.Lock()

    def attach(self, client: t.Any) -> None:
        """Have a client of botocore take its answers from here, as far as there are any."""
        client.meta.events.register("before-parameter-build", _note_question)
        client.meta.events.register("before-call", self._before_call)
        client.meta.events.register("before-call", self._answer)

    def _before_call(self, model: t.Any, **_kwargs: t.Any) -> None:
        if not is_read_only(model.name):
            self._changed()

    def _changed(self) -> None:
        """Forget what does not hold any more because this module changes something."""
        if not self._removal:
            self.invalidate()
            return
        with self._lock:
            self._known = {}

    def invalidate(self) -> None:
        """Forget all answers, for this module and all to come: they do not hold any more."""
        with self._lock:
            self._file.unlink(missing_ok=True)
            self._known = {}

    def _answer(self, context: dict[str, t.Any], **_kwargs: t.Any) -> tuple[SimpleNamespace, dict[str, t.Any]] | None:
        with self._lock:
            answer = self._known.pop(context["mlflow_question"], None)
        return _stand_in(answer)

    def _load(self) -> None:
        with contextlib.suppress(Exception), self._file.open("rb") as file:  # a file that cannot be read counts for nothing
            since, removal, known = pickle.load(file)
            if time.time() - since < LASTING:
                self.since, self._removal, self._known = since, removal, known


class ResponseRecorder(Hook):
    """Records what AWS answers, for the modules to come; and within this one no two threads ask the same."""

    def __init__(self, file: str | None) -> None:
        """``file``: where the modules find the responses; None where this run has no place for them."""
        self._file = Path(file) if file else None
        self._known: dict[str, Answer] = {}
        self._asked: dict[str, threading.Event] = {}
        """The questions that AWS has not answered yet."""
        self._lock = threading.Lock()
        self._since = time.time()

    def attach(self, client: t.Any) -> None:
        """Listen to a client of botocore."""
        client.meta.events.register("before-parameter-build", _note_question)
        client.meta.events.register("before-call", self._answer)
        client.meta.events.register("response-received", self._note)
        client.meta.events.register("after-call", self._answered)
        client.meta.events.register("after-call-error", self._answered)

    def invalidate(self) -> None:
        """Forget all responses: they do not hold any more."""
        with self._lock:
            self._known, self._since = {}, time.time()

    @property
    def is_for_others(self) -> bool:
        """Whether modules to come find the responses."""
        return self._file is not None

    def save(self, *, removal: bool = False) -> None:
        """Hand over what was answered until now, to a run that is a ``removal`` or not, see ``RecordedResponses``."""
        if self._file:
            with os.fdopen(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                pickle.dump((self._since, removal, dict(self._known)), file)

    def _answer(self, model: t.Any, context: dict[str, t.Any], **_kwargs: t.Any) -> tuple[SimpleNamespace, dict[str, t.Any]] | None:
        """What is known is not asked again, and who asks what another thread is asking waits for its answer."""
        question = context["mlflow_question"]
        while is_read_only(model.name) and model.name not in SECRET:
            with self._lock:
                if question in self._known:
                    return _stand_in(self._known[question])
                asked = self._asked.get(question)
                if asked is None:
                    self._asked[question] = threading.Event()
                    break
            if not asked.wait(LASTING):
                break
        return None

    def _answered(self, context: dict[str, t.Any], **_kwargs: t.Any) -> None:
        with self._lock:
            asked = self._asked.pop(context["mlflow_question"], None)
        if asked:
            asked.set()

    def _note(
        self, event_name: str, response_dict: dict[str, t.Any], parsed_response: dict[str, t.Any] | None, context: dict[str, t.Any], **_kwargs: t.Any
    ) -> None:
        if parsed_response is None:  # there was no answer
            return
        operation, status = event_name.rpartition(".")[2], response_dict["status_code"]
        if operation not in SECRET and is_lasting(operation, status, parsed_response.get("Error", {}).get("Code", "")):
            self._known[context["mlflow_question"]] = (status, pickle.dumps(parsed_response))

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: when a call is sent again, and how long to pause between polls."""

from __future__ import annotations

import random
import re
import typing as t
from email.utils import parsedate_to_datetime

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import (
    ClientError,
    HTTPClientError,
    NOT_ALLOWED,
    UnknownOutcome,
    error_code,
    explain,
    is_busy,
    is_not_found_yet,
    is_read_only,
    is_throttled,
    may_have_changed,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.hooks import Hook
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait

THROTTLED_RETRIES = 15
"""How often a call that AWS throttles is sent again: for at least as long, in total, as ten times of botocore's."""
REPEATS = 13
"""How often a change is sent again that refers to what AWS does not find yet, or is busy with: every second, for 12 seconds."""
REPEATS_OF_ANOTHER = 45
"""How often a call is sent again that another service refused to the one that was called: for two minutes, up to four seconds apart."""
NEW_ROLE = 60
"""Seconds for which IAM may deny passing a role only because it does not know it everywhere yet."""

_REFUSED_BY_ANOTHER = "FailedResourceAccessException"
"""Of Application Auto Scaling where ECS or CloudWatch refuses it: they do not know its service-linked role yet, or throttle it."""
_REMOVES = re.compile(r"^(Delete|Deregister|Detach|Remove|Revoke|Untag)")
_PASS_ROLE = re.compile(r"iam:PassRole on resource: \S+:role/(?:\S+/)?([\w+=,.@-]+)")

Response = t.Optional[tuple[t.Any, dict[str, t.Any]]]
"""What botocore gives to listeners of ``needs-retry``: the HTTP response and its parsed body; None where there was no answer."""


def backoff(first: float = 1.0, maximum: float = 12.0) -> t.Iterator[float]:
    """Seconds to pause between polls: short at first, so that quick things cost little, then growing by half."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 1.5, maximum)


def retry_on(call: t.Callable[..., t.Any], *codes: str, message: str = "", timeout: float = 120, **arguments: t.Any) -> t.Any:
    """The answer of a call that AWS may refuse for a while, for another reason than that it does not find something yet.

    Repeats while AWS answers with one of the error codes ``codes`` (and ``message`` is part of its message), up to
    ``timeout`` seconds; then raises that answer.
    """
    wait = Wait(getattr(call, "__name__", "AWS"))
    for pause in backoff():
        try:
            return call(**arguments)
        except ClientError as error:
            known = error_code(error) in codes and message in error.response["Error"].get("Message", "")
            if not known or wait.seconds + pause > timeout:
                raise
            answer = explain(error)
        wait.pause(pause, answer)
    raise AssertionError("unreachable: backoff() never ends")


def attach_to_client(client: t.Any, *, throttling: bool, outcome: bool) -> None:
    """Have a client of botocore send again what this file says: on ``throttling`` too, and no change whose ``outcome`` is unknown."""
    event = f"needs-retry.{client.meta.service_model.service_id.hyphenize()}"
    client.meta.events.register_first(event, _repeat_for_another)
    if throttling:
        client.meta.events.register_first(event, _back_off)
    if outcome:
        client.meta.events.register_first(event, _refuse_to_repeat)


def longest_back_off(retry: int) -> float:
    """The seconds that a throttled call is put off at most before it is sent again for the ``retry``-th time.

    >>> [longest_back_off(retry) for retry in (1, 2, 3, 9, 10)]
    [0.05, 0.1, 0.2, 12.8, 20]
    """
    return min(0.05 * 2 ** (retry - 1), 20)


def _back_off(response: Response, attempts: int, **_kwargs: t.Any) -> float | None:
    """The seconds until botocore is to send a throttled call again; None where that is left to botocore.

    Its own begin with half a second on average, in which most of AWS's buckets let several calls through again. Where so
    many share one that it stays empty, these become as long as its own.
    """
    if response is None:
        return None
    http, answer = response
    error = answer.get("Error", {})
    throttled = is_throttled(error.get("Code", ""), error.get("Message", ""), http.status_code)
    if not throttled or attempts > THROTTLED_RETRIES or "x-amz-retry-after" in http.headers:
        return None
    return random.uniform(0, longest_back_off(attempts))  # "full jitter"


def _repeat_for_another(response: Response, attempts: int, **_kwargs: t.Any) -> float | None:
    """The seconds until botocore is to send a call again that another service has refused to the one that was called.

    It has changed nothing, and may be about a role that was created a moment ago, or about a limit that many stacks share.
    """
    code = response[1].get("Error", {}).get("Code") if response else None
    if code != _REFUSED_BY_ANOTHER or attempts > REPEATS_OF_ANOTHER:
        return None
    pause = min(longest_back_off(attempts), 4)
    return random.uniform(pause / 2, pause)


def _refuse_to_repeat(operation: t.Any, response: Response, caught_exception: Exception | None, **_kwargs: t.Any) -> None:
    """Keep botocore from repeating a change that AWS may have made: it would create a duplicate, or be told that it exists.

    What AWS refuses, as it does where it throttles, and what never reached it, botocore may send again; and what has an
    idempotency token, by which AWS recognises it.
    """
    if is_read_only(operation.name) or operation.idempotent_members:
        return
    lost: t.Any
    if response is None:
        lost = caught_exception if isinstance(caught_exception, HTTPClientError) else None
    else:
        http, answer = response
        error = answer.get("Error", {}) if http.status_code >= 500 else {}
        code = error.get("Code", str(http.status_code))
        lost = may_have_changed(code, http.status_code) and f"{code}: {error.get('Message', '')}"
    if lost:
        raise UnknownOutcome(f"AWS may have done {operation.name}, or not: {lost}")


class RepeatUntilTaken(Hook):
    """Has botocore send a change again that AWS refused because it does not find something yet, or is busy.

    It has changed nothing, so nothing has to be read again. Only what is to be removed may be gone for good.
    """

    def __init__(self) -> None:
        self._given_up: set[tuple[str, str]] = set()

    def attach(self, client: t.Any) -> None:
        client.meta.events.register("needs-retry", self._pause)

    def _pause(self, operation: t.Any, response: Response, attempts: int, **_kwargs: t.Any) -> float | None:
        error = response[1].get("Error", {}) if response else {}
        code, message = error.get("Code", ""), error.get("Message", "")
        refusal = operation.name, message
        if is_read_only(operation.name) or refusal in self._given_up:
            return None
        removes = _REMOVES.match(operation.name) or "Tried to delete" in message
        if not is_busy(code, message) and (removes or not is_not_found_yet(code, message)):
            return None
        if attempts > REPEATS:
            self._given_up.add(refusal)
            return None
        return min(0.5 * attempts, 1)


def denies_new_role(client: t.Callable[[str], t.Any], message: str) -> bool:
    """Whether an error denies passing a role that was created a moment ago, which may say nothing about the permission.

    ``client`` gives the client of a service.
    """
    role = None if "explicit deny" in message else _PASS_ROLE.search(message)
    if not role:
        return False
    try:
        answer = client("iam").get_role(RoleName=role[1])
    except ClientError as error:
        if error_code(error) in ("NoSuchEntity", *NOT_ALLOWED):
            return False
        raise
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return (now - answer["Role"]["CreateDate"]).total_seconds() < NEW_ROLE

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the lease of a stack: who changes a stack has had it for itself since it began to read it.

A lease is a parameter of SSM, ``/mlplatform/mlflow_aws/<stack>/lease/<number>``. Numbers only go up, and the parameter with
the highest number says who has the stack, or who had it last. It is taken before the first call of the run that is not
read-only, by making the next number, which AWS lets one run do and no other. It is released by saying so in its
parameter: a deleted parameter cannot be made again for a while, and a run that has read the stack meanwhile has to know
that it was changed.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import getpass
import json
import os
import secrets
import socket
import threading
import time
import typing as t
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import lease_path
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import (
    AwsError,
    BotoCoreError,
    ChangeRefused,
    ClientError,
    error_code,
    explain,
    is_read_only,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.hooks import Hook
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.s3 import begun_bucket

SECONDS = 900
"""How long a lease lasts if it is not renewed. It is renewed by any call to AWS; no run goes without one for so long."""
RENEW = 300
"""Seconds after which it is renewed."""
LAST_CALLS = 60
"""Seconds that the calls which a dead run has under way may take to end."""


LEASE = "MLPLATFORM_MLFLOW_AWS_LEASE"
"""The variable of the environment by which an action plugin gives a module what preflight returned as ``lease``; empty before preflight,
and in a play without it. Where it is not set, no action plugin of this collection has started the module.
"""


class LeaseError(ChangeRefused):
    """Why this run may not change the stack, and what to do."""


class Holder(t.NamedTuple):
    """A run of a playbook, told from all others."""

    who: str
    playbook: str
    host: str  # since its boot, as its processes see it; empty where that cannot be told
    pid: int  # of ansible-playbook
    started: int | None  # when that process was, in the host's own time
    directory: str  # the run's own, on that host

    def same_run(self, other: Holder) -> bool:
        return self._replace(playbook="") == other._replace(playbook="")  # a run may play several


class Lease(t.NamedTuple):
    """A lease as its parameter says."""

    number: int
    id: str
    holder: Holder
    since: str
    seconds: int
    released: bool = False
    modified: float = 0  # when AWS last wrote the parameter, by AWS's clock

    @property
    def expires(self) -> float:
        return self.modified + self.seconds

    def __str__(self) -> str:
        return f"{self.holder.who} ({self.holder.playbook}, process {self.holder.pid}), since {self.since}"

    def value(self) -> str:
        """What its parameter holds."""
        fields = {name: getattr(self, name) for name in ("id", "since", "seconds", "released")}
        return json.dumps({**fields, "holder": self.holder._asdict()})

    @classmethod
    def read(cls, name: str, value: str, modified: float) -> Lease:
        try:
            fields = json.loads(value)
            return cls(int(name.rpartition("/")[2]), **{**fields, "holder": Holder(**fields["holder"])}, modified=modified)
        except (ValueError, TypeError, KeyError):
            raise LeaseError(f"the SSM parameter {name} holds no lease: if no run is under way, delete it") from None


class Verdict(enum.Enum):
    """What a run may do where the last lease of the stack is this one, and why."""

    FREE = "nobody has it"
    MINE = "this run has it"
    BROKEN = "mlflow_break_lease says so"
    EXPIRED = "it was not renewed in time"
    DIED = "its process has died on this host"
    HELD = "another run has it"
    CHANGED = "another run had it since this one began to read"


def decide(last: Lease | None, me: Holder, *, began: float, now: float, broken: str | None, is_dead: t.Callable[[Holder], bool]) -> Verdict:
    """Whether ``me``, which began to read the stack at ``began``, may take the next lease at ``now``, both by AWS's clock."""
    if last is None:
        return Verdict.FREE
    if last.holder.same_run(me):
        return Verdict.FREE if last.released else Verdict.MINE
    if last.released:
        return Verdict.CHANGED if last.modified > began else Verdict.FREE
    if last.id == broken:
        return Verdict.BROKEN
    if now < last.expires and not (me.host and last.holder.host == me.host and is_dead(last.holder)):
        return Verdict.HELD
    if last.modified > began:
        return Verdict.CHANGED
    return Verdict.EXPIRED if now >= last.expires else Verdict.DIED


def this_host() -> str:
    """This host since its boot, as this process sees its processes; empty where that cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def started(pid: int) -> int | None:
    """When a process of this host was started, in the host's own time; None if there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])  # a zombie has died


def is_dead(holder: Holder) -> bool:
    """Whether a run of this host has died, and all calls that it had under way have ended: its modules may outlive it."""
    if started(holder.pid) == holder.started:
        return False
    give_up = time.monotonic() + LAST_CALLS
    for pause in backoff(0.1, 1):
        try:
            directory = os.open(holder.directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return True
        except OSError:  # it is another user's
            return False
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > give_up:
                return False
        finally:
            os.close(directory)
        time.sleep(pause)
    raise AssertionError("unreachable: intervals() never ends")


def shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return str(os.getuid())


def this_run(playbook: str, pid: int, directory: str) -> Holder:
    """The run whose ``ansible-playbook`` is this process of this host, and has this directory for itself."""
    return Holder(f"{user()}@{socket.gethostname()}", playbook, this_host(), pid, started(pid), directory)


def note(directory: str, stack: str) -> Path:
    """The file in which a run that has a lease notes that."""
    return Path(directory) / f"mlflow-lease-{stack}.json"


class LeaseManager(Hook):
    """Takes the lease before the first change of a run, and renews it. Each module of the run has a manager of its own.

    What they know of the lease is in a file in the directory of the run, so that a module need not ask AWS.
    """

    def __init__(self, aws: Aws, option: dict[str, t.Any]) -> None:
        self._aws, self._option = aws, option
        self._path = lease_path(option["stack"])
        self._me = Holder(**option["holder"])
        self._file = note(self._me.directory, option["stack"])
        self._lock = threading.Lock()
        self._refusal: LeaseError | None = None
        self._at_work: int | None = None
        self._lease: Lease | None = None
        self._renewed = 0.0
        self._load()

    @property
    def stack(self) -> str:
        return t.cast(str, self._option["stack"])

    @property
    def acquired(self) -> bool:
        """Whether this run has the lease."""
        return self._lease is not None

    def attach(self, client: t.Any) -> None:
        if client.meta.service_model.service_name != "ssm":  # its own calls
            client.meta.events.register("before-call", self._before_call)

    def before_wait(self) -> None:
        """Take the lease before waiting, too: what is under way, only one run may go on with."""
        self.acquire()

    def _before_call(self, model: t.Any, **_kwargs: t.Any) -> None:
        """What a client does before each call. Raises LeaseError where the run may not change the stack."""
        with self._lock:
            if not is_read_only(model.name):
                self._acquire()
            elif self._lease:
                self._live()
                self._renew()

    def acquire(self) -> None:
        """Take the lease, unless this run has it."""
        with self._lock:
            self._acquire()

    def acquire_if_exists(self) -> None:
        """Take the lease, unless this run has it or there is none: then there is no stack."""
        with self._lock:
            self._acquire(again=True)

    def release(self) -> None:
        """Give the lease back, if this run has it."""
        if self._lease:
            self._put(self._lease._replace(released=True))
        self._forget()

    def remove(self) -> None:
        """Leave nothing behind of a stack that is gone. Raises LeaseError where another run has the lease."""
        if not self._lease and self._list()[0]:
            self._take()
        if self._lease:
            self._delete([self._lease.number], begun_bucket(self.stack))
        self._forget()

    def _acquire(self, *, again: bool = False) -> None:
        if self._refusal:
            raise self._refusal
        self._live()
        try:
            if self._lease:
                self._renew()
                with contextlib.suppress(OSError):
                    os.utime(self._file)  # it says when the last change was, should this run die
            else:
                self._take(again)
        except LeaseError as error:
            self._refusal = error
        except (ClientError, BotoCoreError) as error:
            self._refusal = LeaseError(f"the lease of the stack {self._option['stack']} cannot be taken: {explain(error)}")
        if self._refusal:
            raise self._refusal

    def _live(self) -> None:
        """See to it that no other run takes over while this module is at work, and do no work for a run that has died."""
        if self._at_work is None:
            try:
                self._at_work = os.open(self._me.directory, os.O_RDONLY)
            except OSError as error:
                raise LeaseError(
                    f"the lease of the stack {self._option['stack']} cannot be taken: {error}. "
                    "A run changes a stack from the host and as the user that it was started by: use the connection local"
                ) from None
            fcntl.flock(self._at_work, fcntl.LOCK_SH)  # as long as this process lives, see is_dead()
        if self._me.host and (self._me.started is None or started(self._me.pid) != self._me.started):
            raise LeaseError(f"the run of process {self._me.pid} has ended")

    def _renew(self) -> None:
        """Renew the lease when it is time. Where that fails for good, the next change is refused: who only reads may go on."""
        lease, age = t.cast(Lease, self._lease), time.time() - self._renewed
        if age < RENEW or self._refusal:
            return
        stack, again = self.stack, "Run the same command again"
        if age >= lease.seconds:
            self._refusal = LeaseError(f"this run was held up for so long that its lease of the stack {stack} has expired. {again}")
            return
        try:
            leases, _now = self._list()
            if leases and leases[-1].number > lease.number:
                self._refusal = LeaseError(f"the lease of the stack {stack} was taken from this run by {leases[-1]}. {again}")
            else:
                self._keep(lease)
        except (ClientError, BotoCoreError):
            pass  # there is time left to try again

    def _take(self, again: bool = False) -> None:
        """``again``: only where there is one to follow."""
        stack = self.stack
        tried: set[str] = set()
        for pause in (0, 0, 1, 2, 4, 8):  # AWS may say for a moment what was before
            time.sleep(pause)
            leases, now = self._list()
            last = max(leases, default=None)
            if again and not last:
                return
            verdict = decide(last, self._me, began=now - (time.time() - self._option["began"]), now=now, broken=self._option["break"], is_dead=is_dead)
            if last and verdict is Verdict.HELD:
                raise LeaseError(
                    f"another run has the lease of the stack {stack}: {last}. This run has changed nothing. Wait for the other to end; "
                    f"if it has died, its lease ends at {shown(last.expires)}, or with -e mlflow_break_lease={last.id}"
                )
            if verdict is Verdict.CHANGED:
                raise LeaseError(
                    f"another run has changed the stack {stack} while this one was reading it: {last}. This run has changed nothing. Run the same command again"
                )
            numbers = [lease.number for lease in leases]
            self.last_change = self._last_change([lease for lease in leases if lease.id not in tried], now)
            if last and verdict is Verdict.MINE:  # an answer of AWS, or what was noted of it, was lost
                self._keep(last)
                self._delete(numbers[:-1])
                return
            lease = Lease(last.number + 1 if last else 1, secrets.token_hex(4), self._me, shown(now), SECONDS)
            tried.add(lease.id)
            try:
                self._keep(lease, new=True)
            except ClientError as error:
                if error_code(error) not in ("ParameterAlreadyExists", "TooManyUpdates"):
                    raise
                continue  # another run was faster
            if verdict is not Verdict.FREE:
                warn(f"took over the lease of the stack {stack} from {last}: {verdict.value}")
            self._delete(numbers)
            return
        raise LeaseError(f"other runs are taking the lease of the stack {stack}. This run has changed nothing")

    def _last_change(self, leases: list[Lease], now: float) -> float:
        """When the runs that had these leases changed the stack last, by this host's clock: a moment that was not before."""
        here = time.time() - now
        moments = [0.0]
        for lease in leases:
            try:
                moments.append(note(lease.holder.directory, self.stack).stat().st_mtime)
            except OSError:  # it ended by itself, or on another host
                moments.append(here + (lease.modified if lease.released else min(now, lease.expires)))
        return max(moments)

    def _list(self) -> tuple[list[Lease], float]:
        """The leases of the stack, the last one last, and what time it is by AWS's clock."""
        pages = list(self._aws.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=self._path))
        leases = [Lease.read(p["Name"], p["Value"], p["LastModifiedDate"].timestamp()) for page in pages for p in page["Parameters"]]
        date = parsedate_to_datetime(pages[-1]["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()  # in whole seconds
        here = time.time()
        return sorted(leases), here if date <= here < date + 2 else date + 0.5

    def _keep(self, lease: Lease, *, new: bool = False) -> None:
        """Write the lease to AWS, then to the file."""
        renewed = time.time()
        self._put(lease, new=new)
        self._lease, self._renewed = lease, renewed
        self._store(lease)

    def _put(self, lease: Lease, *, new: bool = False) -> None:
        how = (
            {"Overwrite": True}
            if not new
            else {
                "Type": "String",
                "Tier": "Standard",
                "Description": "Who changes the stack, or changed it last",
                "Tags": tag_list({k: str(v) for k, v in self._option["tags"].items()}),
            }
        )
        self._aws.client("ssm").put_parameter(Name=f"{self._path}/{lease.number}", Value=lease.value(), **how)

    def _delete(self, numbers: list[int], *others: str) -> None:
        """Delete leases by their numbers, and what else may be there."""
        names = [*(f"{self._path}/{number}" for number in numbers), *others]
        for start in range(0, len(names), 10):  # as many as one call takes
            self._aws.client("ssm").delete_parameters(Names=names[start : start + 10])

    def _forget(self) -> None:
        self._lease = None
        self._file.unlink(missing_ok=True)

    def _load(self) -> None:
        try:
            noted = json.loads(self._file.read_text(encoding="utf-8"))
        except OSError:
            return
        self._renewed, self.last_change = noted["renewed"], noted["last_change"]
        self._lease = Lease.read(noted["name"], noted["value"], 0)

    def _store(self, lease: Lease) -> None:
        name = f"{self._path}/{lease.number}"
        noted = {"renewed": self._renewed, "last_change": self.last_change, "name": name, "value": lease.value()}
        whole = self._file.with_suffix(".new")
        whole.write_text(json.dumps(noted), encoding="utf-8")
        whole.replace(self._file)


class RefuseWithoutLease(Hook):
    """Refuses a change by a module that was not told of the lease: its action plugin is missing, and two runs could mix."""

    def attach(self, client: t.Any) -> None:
        client.meta.events.register("before-call", self._before_call)

    @staticmethod
    def _before_call(model: t.Any, **_kwargs: t.Any) -> None:
        if LEASE not in os.environ and not is_read_only(model.name):
            raise AwsError(
                f"{model.name} would change AWS without the lease of the stack: the action plugin of this module is missing. "
                "Install the collection again, or, if it is whole, report this"
            )

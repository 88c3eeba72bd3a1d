# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the clients of a module run, and how they are called."""

from __future__ import annotations

import functools
import os
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from ansible.module_utils.common.parameters import set_fallbacks

try:
    from botocore.config import Config
    from botocore.hooks import HierarchicalEmitter

    HAS_BOTOCORE = True
except ImportError:  # AnsibleAWSModule reports the missing library
    HAS_BOTOCORE = False

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleBotocoreError
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine import retries
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.assumed_role import DNS_ROLE, KEYS, ROLE, Role
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.credentials import UnattendedSession
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import (
    AwsError,
    BotoCoreError,
    ClientError,
    NoRegionError,
    StaleState,
    error_code,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.hooks import Hook
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.models import ModelLoader
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait

MAX_IN_FLIGHT = 8
"""Calls that one module run has under way at most: more would hit the rate limits of IAM and API Gateway."""

CONSISTENCY_WINDOW = 15
"""Seconds after a change for which AWS may go on to show what was before: far longer than it takes as a rule."""

SERVICES = (
    "acm apigatewayv2 application-autoscaling cloudwatch cognito-idp ec2 ecr ecs elbv2 events iam kms lambda logs rds route53 s3 secretsmanager sns sts"
).split()

OPTIONAL = ("service-quotas",)
"""Services without which a run is as good: where there is no way to them, nobody waits for it."""
_OPTIONAL = {"retries": {"mode": "standard", "max_attempts": 2}, "connect_timeout": 3, "read_timeout": 5}


@functools.cache
def _loader() -> ModelLoader:
    """One loader of botocore's service models for all sessions: reading a model costs more than a call."""
    return ModelLoader()


def _session(profile: str | None) -> UnattendedSession:
    events = HierarchicalEmitter()
    session = UnattendedSession(event_hooks=events)
    # Clients emit their events straight to it: botocore and this collection use none of the old names of events, which it would look for in each of ten
    # events of each call, for a tenth of the time that the call takes.
    session.register_component("event_emitter", events)
    session.register_component("data_loader", _loader())
    if profile:
        session.set_config_variable("profile", profile)
    return session


def _create_clients(connection: dict[str, t.Any], services: t.Iterable[str], roles: t.Iterable[tuple[Role, str]] = ()) -> dict[str, t.Any]:
    """Clients by service. ``connection`` holds what get_aws_connection_info() says: region, endpoint, credentials. Of the ``roles`` each
    takes on the next, and with the last the calls are made.
    """
    arguments = dict(connection)
    profile = arguments.pop("profile_name", None)
    session = _session(profile)
    own = arguments.pop("aws_config", None) or Config()
    config = Config(retries={"mode": "standard", "max_attempts": 10}, max_pool_connections=MAX_IN_FLIGHT, connect_timeout=10).merge(own)
    for role, directory in roles:
        given = {key: arguments.pop(key, None) for key in KEYS}
        credentials = role.credentials(session, given, directory, config=config, **arguments)
        session = _session(profile)
        role.assume(session, credentials)
    clients = {}
    for service in services:
        optional = service in OPTIONAL
        client = session.create_client(service, config=config.merge(Config(**_OPTIONAL)) if optional else config, **arguments)
        # Where the user has said how to retry, it is as the user says. The lease, which is in SSM, looks for its own lost changes.
        retries.attach_to_client(client, throttling=not own.retries and not optional, outcome=service != "ssm")
        clients[service] = client
    return clients


class _Prepared(t.NamedTuple):
    """Clients that were created before it was known who needs them, and what has to be the same for whoever uses them."""

    connection: dict[str, t.Any]
    environment: dict[str, str]
    clients: dict[str, t.Any]


_prepared = _Prepared({}, {}, {})


def _environment() -> dict[str, str]:
    """Everything in the environment that botocore may read."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_") or name == "HOME"}


def _connection(module: t.Any) -> dict[str, t.Any]:
    region, endpoint, credentials = get_aws_connection_info(module)
    return {"region_name": region, "endpoint_url": endpoint, **credentials}


def known_regions() -> set[str]:
    """The regions that this botocore knows, in all partitions."""
    return {region for partition in _loader().load_data("endpoints")["partitions"] for region in partition["regions"]}


def preload() -> None:
    """Do once what every module run begins with, for a process that forks others: read the models of all services and
    create the clients that a module without options of its own would create. Raises ImportError without botocore.
    """
    global _prepared
    if not HAS_BOTOCORE:
        raise ImportError("botocore")
    spec: dict[str, dict[str, t.Any]] = aws_argument_spec()
    options: dict[str, t.Any] = {}
    set_fallbacks(spec, options)
    defaults = {name: option.get("default") for name, option in spec.items()}
    try:
        connection = _connection(SimpleNamespace(params={**defaults, **options}))
        connection["region_name"] = connection["region_name"] or "us-east-1"  # any will do to read the models
        clients = _create_clients(connection, SERVICES)
    except (AnsibleBotocoreError, BotoCoreError):
        return  # such as a profile that does not exist: the module will say so
    for client in clients.values():
        client.can_paginate(next(iter(client.meta.method_to_api_mapping)))  # reads which operations answer in pages
    _prepared = _Prepared(connection, _environment(), clients)


class Aws:
    """The clients of one module run, shared by its threads, and what it has read already.

    ``hooks`` are attached to each client: guards, recorded responses, retries.
    """

    def __init__(self, module: t.Any) -> None:
        self.module = module
        self.check_mode: bool = module.check_mode
        self.hooks: list[Hook] = []
        self.reading_since = time.time()
        """All that this module knows of AWS was read since then, in seconds since the epoch."""
        self.created_at: dict[t.Hashable, float] = {}
        """When this run created, or may have created, what AWS would create a second time."""
        self._clients: dict[str, t.Any] = {}
        self._read: dict[t.Hashable, t.Any] = {}
        self._locks: dict[t.Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self._connection = _connection(module)
        self._role, self._dns_role = (Role.noted(os.environ.get(variable)) for variable in (ROLE, DNS_ROLE))
        reusable = not self._role and (_prepared.connection, _prepared.environment) == (self._connection, _environment())
        self._prepared = _prepared.clients if reusable else {}

    def client(self, service: str) -> t.Any:
        """The client of a service such as ``ec2``."""
        with self._lock:  # botocore creates clients in one thread only; a client serves all
            if service not in self._clients:
                try:
                    client = self._create(service)
                except NoRegionError:
                    raise AwsError("no region is set: give mlflow_aws_region (or the option region), or set AWS_DEFAULT_REGION") from None
                for hook in self.hooks:
                    hook.attach(client)
                self._clients[service] = client
            return self._clients[service]

    def _create(self, service: str) -> t.Any:
        roles = [role for role in (self._role, self._dns_role if service == "route53" else None) if role]
        prepared = None if roles else self._prepared.get(service)
        return prepared or _create_clients(self._connection, [service], roles)[service]

    def once(self, key: t.Hashable, read: t.Callable[[], t.Any]) -> t.Any:
        """What ``read`` returns, asked for once in this run however many resources need it."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._read:
                self._read[key] = read()
            return self._read[key]

    def invalidate(self) -> None:
        """Have everything read again."""
        self._read.clear()
        self._invalidate_hooks()
        self.reading_since = time.time()

    def _invalidate_hooks(self) -> None:
        for hook in self.hooks:
            hook.invalidate()

    def before_wait(self) -> None:
        """Told by whoever is about to wait for AWS: nothing that was read before holds after it."""
        self._invalidate_hooks()
        for hook in self.hooks:
            hook.before_wait()

    def pages(self, service: str, operation: str, result: str, **arguments: t.Any) -> list[t.Any]:
        """All items of a paginated operation, for example ``pages("ec2", "describe_subnets", "Subnets")``."""
        client = self.client(service)
        if not client.can_paginate(operation):  # botocore knows no paginator for some that do answer in pages
            page = getattr(client, operation)(**arguments)
            items = list(page.get(result) or [])
            while token := page.get("NextToken"):
                page = getattr(client, operation)(**arguments, NextToken=token)
                items += page.get(result) or []
            return items
        return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page.get(result) or []]

    def wait_for_consistency(self, what: str, created_at: float = 0) -> None:
        """Wait and start over where ``what`` was not found, but may exist: when that was read, AWS may not have shown yet what the
        run before this one had changed, or what this one had created, at a time in seconds since the epoch.
        """
        shown = self._consistent_from(created_at)
        if self.reading_since < shown:
            Wait(what).until(shown, "it may exist, and AWS not show it yet")
            raise StaleState(f"AWS may not have shown yet that {what} exists")

    @property
    def is_consistent(self) -> bool:
        """Whether AWS shows, in all that this module reads, what the run before this one has changed."""
        return self.reading_since >= self._consistent_from()

    def _consistent_from(self, created_at: float = 0) -> float:
        """When AWS shows what the run before this one has changed, and what was created then, in seconds since the epoch."""
        return max([created_at, *(hook.last_change for hook in self.hooks)]) + CONSISTENCY_WINDOW

    @property
    def account_id(self) -> str:
        """The 12 digits of the caller's account."""
        return self.once("account", lambda: self.client("sts").get_caller_identity()["Account"])

    @property
    def region(self) -> str:
        return self.module.region

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``."""
        return self.client("sts").meta.partition


def run_concurrently(*reads: t.Callable[[], t.Any]) -> list[t.Any]:
    """The answers of calls that do not need each other's, made at the same time."""
    if len(reads) < 2:
        return [read() for read in reads]
    with ThreadPoolExecutor(len(reads)) as pool:
        return list(pool.map(lambda read: read(), reads))


def none_if_missing(call: t.Callable[..., t.Any], *missing: str, **arguments: t.Any) -> t.Any | None:
    """The answer of a call, or None where AWS says with one of the error codes ``missing`` that there is no such thing."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error_code(error) in missing:
            return None
        raise


def first_or_none(call: t.Callable[..., t.Any], result: str, *missing: str, **arguments: t.Any) -> t.Any | None:
    """The first of the list ``result`` in an answer, or None where there is none: AWS may say so by one of the error codes
    ``missing``, and by an empty list.
    """
    answer = none_if_missing(call, *missing, **arguments)
    return next(iter(answer.get(result) or ()), None) if answer else None

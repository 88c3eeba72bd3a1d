# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: how the modules of this collection talk to AWS: clients, waiting, and errors in the user's terms."""

from __future__ import annotations

import functools
import json
import os
import random
import re
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

from ansible.module_utils.common.parameters import set_fallbacks

try:
    from botocore import xform_name
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoRegionError
    from botocore.loaders import Loader
    from botocore.session import Session

    HAS_BOTOCORE = True
except ImportError:  # AnsibleAWSModule reports the missing library
    HAS_BOTOCORE = False
    BotoCoreError = ClientError = HTTPClientError = NoRegionError = Exception

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleBotocoreError
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._answers import Answers, Record
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._progress import Wait
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._remedies import denied, with_remedy
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._role import KEYS, ROLE, Role

MAX_IN_FLIGHT = 8
"""Calls that one module run has under way at most: more would hit the rate limits of IAM and API Gateway."""

THROTTLED_RETRIES = 15
"""How often a call that AWS throttles is sent again: for at least as long, all in all, as in ten times of botocore's."""

SHOWN = 15
"""Seconds after a change for which AWS may go on to show what was before: far longer than it takes as a rule."""

_READ_ONLY = ("Get", "List", "Describe", "Head", "Lookup", "Filter", "Simulate", "BatchGet")
NOT_ALLOWED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized", "403")


class AwsError(Exception):
    """What went wrong and what to do about it, in the user's terms. Never holds a secret.

    C(results) are what the module returns beside the message.
    """

    def __init__(self, message: str, **results: t.Any) -> None:
        super().__init__(message)
        self.results = results


class LeaseError(Exception):
    """Why this run may not change the stack, and what to do. Unlike AwsError it is about no resource."""


class OutOfDate(AwsError):
    """What was read of AWS does not hold, or may not: it has to be read again before anything else is changed."""


class AnswerLost(OutOfDate):
    """It may not, because it is not known whether AWS has made a change; AWS itself does know."""


def is_read_only(operation: str) -> bool:
    """Whether an AWS API operation (as botocore names it, such as C(DescribeSubnets)) leaves AWS as it is."""
    return operation.startswith(_READ_ONLY)


def error_code(error: BaseException) -> str:
    """The code of an answer of AWS such as C(ThrottlingException); empty where AWS did not answer."""
    return getattr(error, "response", {}).get("Error", {}).get("Code", "")


def explain(error: BaseException) -> str:
    """What AWS refused and what to do about it; for a missing permission, the IAM action and the resource."""
    if not isinstance(error, ClientError):
        return with_remedy(f"{type(error).__name__}: {error}")
    code, operation = error_code(error), error.operation_name
    message = error.response.get("Error", {}).get("Message", "").strip()
    if code in NOT_ALLOWED:
        return denied(code, operation, message)
    return with_remedy(f"AWS answered {code} to {operation}: {message}")


_THROTTLED = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|BandwidthLimitExceeded")
_THROTTLED_THERE = re.compile(r"Rate exceeded|Request limit exceeded|RequestLimitExceeded")
"""Of messages of a service that passes on how another one, such as EC2 to ECS, has throttled it, under a code of its own."""
_REFUSED_BY_ANOTHER = "FailedResourceAccessException"
"""Of Application Auto Scaling where ECS or CloudWatch refuses it: they do not know its service-linked role yet, or throttle it."""
_CONTRADICTION = re.compile(r"(?<!^Bucket)AlreadyExists|AlreadyOwned|Duplicate|ResourceExists|PriorityInUse")
_EXISTS = re.compile(r"already exist|not idempotent", re.IGNORECASE)
"""Of messages whose codes say nothing: of API Gateway and Lambda, and of ECS where there is a service with other properties."""
_GONE = re.compile(r"NotFound|NoSuch")
_CHANGED = re.compile(
    r"NotActive|ContainsServices|BucketNotEmpty|already being deleted|because it was (marked for )?delet|do not match the current values"
    r"|has a domain configured",
    re.IGNORECASE,
)
"""Of codes and messages: that what was read is no more as it was."""
_BUSY = re.compile(r"OperationAborted|ConcurrentModification|ConcurrentUpdate|concurrent (modification|update)|cannot be performed at this time", re.IGNORECASE)
"""Of codes and messages: of IAM, Cognito, S3, CloudWatch Logs and Application Auto Scaling, of API Gateway, and of Lambda."""
_NOT_THERE = ("404", "ClientException")  # of HeadBucket, and of DescribeTaskDefinition
_UNKNOWN = re.compile(
    r"not found|(do|does) not exist|doesn't exist|cannot be (found|assumed)|unable to (assume|retrieve listener)"
    r"|does not have an associated load balancer|^Invalid (security group|[\w ]+ identifier specified)|^Role is not valid"
    r"|^Missing necessary credentials|create service linked role\. Otherwise wait|invalid for CreateGrant",
    re.IGNORECASE,
)
"""Of messages whose codes say nothing. A service that makes its service-linked role cannot use it at once, and KMS gives a function with
a new role nothing to decrypt its environment with.
"""
_REMOVES = re.compile(r"^(Delete|Deregister|Detach|Remove|Revoke|Untag)")
_PASS_ROLE = re.compile(r"iam:PassRole on resource: \S+:role/(?:\S+/)?([\w+=,.@-]+)")

REPEATS = 13
"""How often a change is sent again that refers to what AWS does not know yet, or is busy with: every second, for 12 seconds."""
REPEATS_OF_ANOTHER = 45
"""How often a call is sent again that another service refused to the one that was called: for two minutes, up to four seconds apart."""
NEW_ROLE = 60
"""Seconds for which IAM may deny passing a role only because it does not know it everywhere yet."""


def may_have_changed(code: str, status: int) -> bool:
    """Whether AWS may have done what it answered an error to: it failed, and did not refuse."""
    return status >= 500 and not _THROTTLED.search(code)


def contradicts(code: str, message: str, there: bool) -> bool:
    """Whether an error says the contrary of what was read: that something is C(there), or that it is not."""
    if there:
        return bool(_GONE.search(code) or _CHANGED.search(f"{code}: {message}"))
    return bool(_CONTRADICTION.search(code) or _EXISTS.search(message))


def is_busy(code: str, message: str) -> bool:
    """Whether an error says that AWS is still at work on another change, and takes this one later."""
    return bool(_BUSY.search(f"{code}: {message}"))


def does_not_know(code: str, message: str) -> bool:
    """Whether an error says that AWS does not know what a change refers to. It may have been made a moment ago."""
    return bool(_GONE.search(code) or _UNKNOWN.search(message))


def lasts(operation: str, status: int, code: str) -> bool:
    """Whether an answer is what AWS has, or has not: to a reading operation, and no refusal."""
    return is_read_only(operation) and (status < 300 or code in _NOT_THERE or bool(_GONE.search(code)))


def denies_new_role(aws: Aws, message: str) -> bool:
    """Whether an error denies passing a role that was made a moment ago, which may say nothing about the permission."""
    role = None if "explicit deny" in message else _PASS_ROLE.search(message)
    answer = role and found(aws.client("iam").get_role, "NoSuchEntity", *NOT_ALLOWED, RoleName=role[1])
    if not answer:
        return False
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return (now - answer["Role"]["CreateDate"]).total_seconds() < NEW_ROLE


def tag_dict(tags: t.Iterable[dict[str, str]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    """AWS's list of tags as a dict, without the tags that AWS itself sets (C(aws:…)), which nobody can change."""
    return {tag[key]: tag[value] for tag in tags if not tag[key].startswith("aws:")}


def tag_list(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """A dict of tags as the list that most AWS APIs take."""
    return [{key: k, value: v} for k, v in sorted(tags.items())]


def change_tags(client: t.Any, resource: str, to_set: dict[str, str], to_unset: list[str]) -> None:
    """Change tags by UntagResource and TagResource, whose arguments each service spells in its own way.

    C(resource) is the ARN, or whatever else the service knows it by.
    """
    for operation, tags in (("UntagResource", to_unset), ("TagResource", to_set)):
        if tags:
            members = client.meta.service_model.operation_model(operation).input_shape.members
            which, what = members
            if tags is to_set and members[what].type_name == "list":
                tags = tag_list(to_set, *members[what].member.members)
            getattr(client, xform_name(operation))(**{which: resource, what: tags})


SERVICES = ("acm apigatewayv2 application-autoscaling cognito-idp ec2 ecs elbv2 iam kms lambda logs rds route53 s3 secretsmanager sts").split()

OPTIONAL = ("service-quotas",)
"""Services without which a run is as good: where there is no way to them, nobody waits for it."""
_OPTIONAL = {"retries": {"mode": "standard", "max_attempts": 2}, "connect_timeout": 3, "read_timeout": 5}


@functools.cache
def _loader() -> Loader:
    """One loader of botocore's service models for all sessions: reading a model costs more than a call."""
    return Loader()


def _session(profile: str | None) -> Session:
    session = Session()
    session.register_component("data_loader", _loader())
    if profile:
        session.set_config_variable("profile", profile)
    return session


def _create_clients(connection: dict[str, t.Any], services: t.Iterable[str], role: tuple[Role, str] | None = None) -> dict[str, t.Any]:
    """Clients by service. C(connection) holds what get_aws_connection_info() says: region, endpoint, credentials."""
    arguments = dict(connection)
    profile = arguments.pop("profile_name", None)
    session = _session(profile)
    own = arguments.pop("aws_config", None) or Config()
    config = Config(retries={"mode": "standard", "max_attempts": 10}, max_pool_connections=MAX_IN_FLIGHT, connect_timeout=10).merge(own)
    if role:
        given = {key: arguments.pop(key, None) for key in KEYS}
        credentials = role[0].credentials(_session(profile), given, role[1], config=config, **arguments)
        role[0].take_on(session, credentials)
    clients = {
        service: session.create_client(service, config=config.merge(Config(**_OPTIONAL)) if service in OPTIONAL else config, **arguments)
        for service in services
    }
    for service, client in clients.items():
        event = f"needs-retry.{client.meta.service_model.service_id.hyphenize()}"
        client.meta.events.register_first(event, _repeat_for_another)
        if not own.retries and service not in OPTIONAL:  # else it is as the user says
            client.meta.events.register_first(event, _back_off)
        if service != "ssm":  # the keeper of the lease looks for its own
            client.meta.events.register_first(event, _refuse_to_repeat)
    return clients


def longest_back_off(retry: int) -> float:
    """The seconds that a throttled call is put off at most before it is sent again for the C(retry)-th time.

    >>> [longest_back_off(retry) for retry in (1, 2, 3, 9, 10)]
    [0.05, 0.1, 0.2, 12.8, 20]
    """
    return min(0.05 * 2 ** (retry - 1), 20)


def _back_off(response: tuple[t.Any, dict[str, t.Any]] | None, attempts: int, **_kwargs: t.Any) -> float | None:
    """The seconds until botocore is to send a throttled call again; None where that is left to botocore.

    Its own begin with half a second on average, in which most of AWS's buckets let several calls through again. Where so
    many share one that it stays empty, these become as long as its own.
    """
    if response is None:
        return None
    http, answer = response
    error = answer.get("Error", {})
    throttled = _THROTTLED.search(error.get("Code", "")) or http.status_code < 500 and _THROTTLED_THERE.search(error.get("Message", ""))
    if not throttled or attempts > THROTTLED_RETRIES or "x-amz-retry-after" in http.headers:
        return None
    return random.uniform(0, longest_back_off(attempts))  # "full jitter"


def _repeat_for_another(response: tuple[t.Any, dict[str, t.Any]] | None, attempts: int, **_kwargs: t.Any) -> float | None:
    """The seconds until botocore is to send a call again that another service has refused to the one that was called.

    It has changed nothing, and may be about a role that was made a moment ago, or about a limit that many stacks share.
    """
    code = response[1].get("Error", {}).get("Code") if response else None
    if code != _REFUSED_BY_ANOTHER or attempts > REPEATS_OF_ANOTHER:
        return None
    pause = min(longest_back_off(attempts), 4)
    return random.uniform(pause / 2, pause)


def _refuse_to_repeat(operation: t.Any, response: tuple[t.Any, dict[str, t.Any]] | None, caught_exception: Exception | None, **_kwargs: t.Any) -> None:
    """Keep botocore from asking again for a change that AWS may have made: it would make a twin, or be told that it exists.

    What AWS refuses, as it does where it throttles, and what never reached it, botocore may send again; and what has an
    idempotency token, by which AWS knows it again.
    """
    if is_read_only(operation.name) or operation.idempotent_members:
        return
    if response is None:
        lost = caught_exception if isinstance(caught_exception, HTTPClientError) else None
    else:
        http, answer = response
        error = answer.get("Error", {}) if http.status_code >= 500 else {}
        code = error.get("Code", str(http.status_code))
        lost = may_have_changed(code, http.status_code) and f"{code}: {error.get('Message', '')}"
    if lost:
        raise AnswerLost(f"AWS may have done {operation.name}, or not: {lost}")


class _Prepared(t.NamedTuple):
    """Clients that were made before it was known who needs them, and what has to be the same for whoever uses them."""

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
    make the clients that a module without options of its own would make. Raises ImportError without botocore.
    """
    global _prepared
    if not HAS_BOTOCORE:
        raise ImportError("botocore")
    spec, options = aws_argument_spec(), {}
    set_fallbacks(spec, options)
    defaults = {name: option.get("default") for name, option in spec.items()}
    try:
        connection = _connection(SimpleNamespace(params={**defaults, **options}))
        connection["region_name"] = connection["region_name"] or "us-east-1"  # any will do to read the models
        clients = _create_clients(connection, SERVICES)
    except (AnsibleBotocoreError, BotoCoreError):
        return  # such as a profile that there is not: the module will say so
    for client in clients.values():
        client.can_paginate(next(iter(client.meta.method_to_api_mapping)))  # reads which operations answer in pages
    _prepared = _Prepared(connection, _environment(), clients)


LEASE = "MLPLATFORM_MLFLOW_AWS_LEASE"
"""The variable of the environment by which an action plugin gives a module what preflight returned as ``lease``; empty before preflight,
and in a play without it. Where it is not set, no action plugin of this collection has started the module.
"""

ANSWERS = "MLPLATFORM_MLFLOW_AWS_ANSWERS"
"""The variable of the environment by which an action plugin names the file of what AWS has answered in this run already."""


class Aws:
    """The clients of one module run, shared by its threads, and what it has read already.

    In check mode a client refuses every operation that could change AWS, whatever the module's code does. Otherwise it
    takes the lease of the stack before the first of them, where the run has one to take.
    """

    def __init__(self, module: t.Any, *, record: bool = False) -> None:
        """C(record): keep what AWS answers, for the modules to come, instead of taking answers from there."""
        self.module = module
        self.check_mode: bool = module.check_mode
        self.keeper = None if self.check_mode else _keeper(self)
        answers = os.environ.get(ANSWERS)
        self.record = Record(answers, lasts) if answers and record else None
        self._answers = Answers(answers) if answers and not record else None
        self._clients: dict[str, t.Any] = {}
        self._read: dict[t.Hashable, t.Any] = {}
        self.reading_since = self._answers and self._answers.since or time.time()
        """All that this module knows of AWS was read since then, in seconds since the epoch."""
        self.made: dict[t.Hashable, float] = {}
        """When this run made, or may have made, what AWS would make a second time."""
        self._locks: dict[t.Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self._given_up: set[tuple[str, str]] = set()
        self._connection = _connection(module)
        self._role = Role.noted(os.environ.get(ROLE))
        reusable = not self._role and (_prepared.connection, _prepared.environment) == (self._connection, _environment())
        self._prepared = _prepared.clients if reusable else {}

    def client(self, service: str) -> t.Any:
        """The client of a service such as C(ec2)."""
        with self._lock:  # botocore makes clients in one thread only; a made client serves all
            if service not in self._clients:
                try:
                    client = self._prepared.get(service) or _create_clients(self._connection, [service], self._role)[service]
                except NoRegionError:
                    raise AwsError("no region is set: give mlflow_aws_region (or the option region), or set AWS_DEFAULT_REGION") from None
                if self.check_mode:
                    client.meta.events.register("before-call", _refuse_change)
                else:
                    client.meta.events.register("needs-retry", self._repeat_until_taken)
                    client.meta.events.register("before-call", self.keeper.before_call if self.keeper else _refuse_without_lease)
                if self._answers:
                    client.meta.events.register("before-call", self._before_call)
                    self._answers.attach(client)
                if self.record:
                    self.record.attach(client)
                self._clients[service] = client
            return self._clients[service]

    def _repeat_until_taken(self, operation: t.Any, response: tuple[t.Any, dict[str, t.Any]] | None, attempts: int, **_kwargs: t.Any) -> float | None:
        """Have botocore send a change again, after the seconds returned, that AWS refused because it does not know something, or is busy.

        It has changed nothing, so nothing has to be read again. Only what is to be removed may be gone for good.
        """
        error = response[1].get("Error", {}) if response else {}
        code, message = error.get("Code", ""), error.get("Message", "")
        refusal = operation.name, message
        if is_read_only(operation.name) or refusal in self._given_up:
            return None
        removes = _REMOVES.match(operation.name) or "Tried to delete" in message
        if not is_busy(code, message) and (removes or not does_not_know(code, message)):
            return None
        if attempts > REPEATS:
            self._given_up.add(refusal)
            return None
        return min(0.5 * attempts, 1)

    def once(self, key: t.Hashable, read: t.Callable[[], t.Any]) -> t.Any:
        """What C(read) returns, asked for once in this run however many resources need it."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._read:
                self._read[key] = read()
            return self._read[key]

    def _before_call(self, model: t.Any, **_kwargs: t.Any) -> None:
        if not is_read_only(model.name):
            self._answers.changed()

    def outdate(self) -> None:
        """Take nothing for true any more that AWS has answered earlier in this run."""
        if self._answers:
            self._answers.end()

    def forget(self) -> None:
        """Have everything read again."""
        self._read.clear()
        self.outdate()
        self.reading_since = time.time()

    def pages(self, service: str, operation: str, result: str, **arguments: t.Any) -> list[t.Any]:
        """All items of a paginated operation, for example C(pages("ec2", "describe_subnets", "Subnets"))."""
        client = self.client(service)
        if not client.can_paginate(operation):  # botocore knows no paginator for some that do answer in pages
            page = getattr(client, operation)(**arguments)
            items = list(page.get(result) or [])
            while token := page.get("NextToken"):
                page = getattr(client, operation)(**arguments, NextToken=token)
                items += page.get(result) or []
            return items
        return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page.get(result) or []]

    def read_late_enough(self, what: str, made: float = 0) -> None:
        """Wait and start over where C(what) was not found, but may be there: when that was read, AWS may not have shown yet what the
        run before this one had changed, or what this one had C(made), at a time in seconds since the epoch.
        """
        shown = self._shown(made)
        if self.reading_since < shown:
            Wait(what).until(shown, "it may exist, and AWS not show it yet")
            raise OutOfDate(f"AWS may not have shown yet that {what} exists")

    @property
    def shows_all(self) -> bool:
        """Whether AWS shows, in all that this module reads, what the run before this one has changed."""
        return self.reading_since >= self._shown()

    def _shown(self, made: float = 0) -> float:
        """When AWS shows what the run before this one has changed, and what was C(made) then, in seconds since the epoch."""
        return max(made, self.keeper.changed_before if self.keeper else 0) + SHOWN

    def before_wait(self) -> None:
        """Take the lease before waiting, too: what is under way, only one run may go on with."""
        self.outdate()
        if self.keeper:
            self.keeper.hold()

    @property
    def account_id(self) -> str:
        """The 12 digits of the caller's account."""
        return self.once("account", lambda: self.client("sts").get_caller_identity()["Account"])

    @property
    def region(self) -> str:
        return self.module.region

    @property
    def partition(self) -> str:
        """C(aws), C(aws-cn) or C(aws-us-gov)."""
        return self.client("sts").meta.partition


def _keeper(aws: Aws) -> t.Any:
    option = os.environ.get(LEASE)
    if not option:
        return None
    # It needs this file itself.
    from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._lease import Keeper

    return Keeper(aws, json.loads(option))


def _refuse_change(model: t.Any, **_kwargs: t.Any) -> None:
    if not is_read_only(model.name):
        raise AwsError(f"{model.name} would change AWS in check mode: this is a defect of the module, please report it")


def _refuse_without_lease(model: t.Any, **_kwargs: t.Any) -> None:
    """Refuse a change by a module that was not told of the lease: its action plugin is missing, and two runs could mix."""
    if LEASE not in os.environ and not is_read_only(model.name):
        raise AwsError(
            f"{model.name} would change AWS without the lease of the stack: the action plugin of this module is missing. "
            "Install the collection again, or, if it is whole, report this"
        )


def together(*reads: t.Callable[[], t.Any]) -> list[t.Any]:
    """The answers of calls that do not need each other's, made at the same time."""
    if len(reads) < 2:
        return [read() for read in reads]
    with ThreadPoolExecutor(len(reads)) as pool:
        return list(pool.map(lambda read: read(), reads))


def found(call: t.Callable[..., t.Any], *missing: str, **arguments: t.Any) -> t.Any | None:
    """The answer of a call, or None where AWS says with one of the error codes C(missing) that there is no such thing."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error_code(error) in missing:
            return None
        raise


def first(call: t.Callable[..., t.Any], result: str, *missing: str, **arguments: t.Any) -> t.Any | None:
    """The first of the list C(result) in an answer, or None where there is none: AWS may say so by one of the error codes
    C(missing), and by an empty list.
    """
    answer = found(call, *missing, **arguments)
    return next(iter(answer.get(result) or ()), None) if answer else None


def eventually(call: t.Callable[..., t.Any], *codes: str, message: str = "", timeout: float = 120, **arguments: t.Any) -> t.Any:
    """The answer of a call that AWS may refuse for a while, for another reason than that it does not know something yet.

    Repeats while AWS answers with one of the error codes C(codes) (and C(message) is part of its message), up to
    C(timeout) seconds; then raises that answer.
    """
    wait = Wait(getattr(call, "__name__", "AWS"))
    for pause in intervals():
        try:
            return call(**arguments)
        except ClientError as error:
            known = error_code(error) in codes and message in error.response["Error"].get("Message", "")
            if not known or wait.seconds + pause > timeout:
                raise
            answer = explain(error)
        wait.pause(pause, answer)
    raise AssertionError("unreachable: intervals() never ends")


def intervals(first: float = 1.0, most: float = 12.0) -> t.Iterator[float]:
    """Seconds to pause between polls: short at first, so that quick things cost little, then growing by half."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 1.5, most)

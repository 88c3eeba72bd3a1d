# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A prefetch asks what it can, and never ends a run."""

from __future__ import annotations

import io
import pickle
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import botocore.session
import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.recorded_responses import RecordedResponses, ResponseRecorder
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import names_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.prefetch import known, prefetch
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.resources import Deployment, Layer, Resources
from botocore.awsrequest import AWSResponse
from botocore.config import Config

NO_AWS = t.cast(t.Any, SimpleNamespace(account_id="123456789012", region="eu-west-1", partition="aws"))


class Read(Resource):
    """Reads by a given function."""

    kind = "test"

    def __init__(self, read: t.Callable[[], t.Any]) -> None:
        super().__init__(NO_AWS, "team-x")
        self.read = read

    def describe(self) -> State | None:
        return self.read()


class Layers(Resources):
    """Resources of the given layers."""

    absent = False

    def __init__(self, *layers: Layer) -> None:
        super().__init__(NO_AWS, names_of({"mlflow_unique_name": "team-x"}))
        self.given = layers

    def layers(self) -> tuple[Layer, ...]:
        return self.given


@pytest.mark.parametrize("error", [ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError, AwsError, OSError])
def test_no_answer_ends_a_run(error: type[Exception]) -> None:
    read: list[str] = []

    def odd() -> None:
        raise error(*(["utf-8", b"", 0, 1, "odd"] if error is UnicodeDecodeError else ["odd"]))

    def layer() -> t.Iterator[Resource]:
        yield Read(odd)
        yield Read(lambda: read.append("of this layer"))
        raise error(*(["utf-8", b"", 0, 1, "odd"] if error is UnicodeDecodeError else ["odd"]))

    assert len(prefetch(Layers(layer, lambda: iter([Read(lambda: read.append("of another layer"))])))) == 3
    assert sorted(read) == ["of another layer", "of this layer"]


def test_what_has_no_input_is_left_out_alone() -> None:
    """Where an input is wrong, the others still tell whose everything is."""
    inputs = {"mlflow_unique_name": "team-x", "mlflow_vpc_id": "vpc-00000001"}
    kinds = {resource.kind for layer in Deployment(NO_AWS, inputs, jobs=lambda: True).layers() for resource in known(layer)}
    assert {"rds_subnet_group", "ec2_security_group", "ecs_service", "apigatewayv2_api"} <= kinds
    assert not kinds & {"rds_cluster", "rds_cluster_parameter_group", "route53_record"}


class Body(io.BytesIO):
    def stream(self) -> t.Iterator[bytes]:
        yield self.read()


def test_two_threads_do_not_ask_the_same() -> None:
    """The second waits for the first, and asks by itself only where AWS did not answer the first."""
    calls: list[str] = []
    answered = threading.Event()

    def serve(**_kwargs: t.Any) -> AWSResponse:
        calls.append("call")
        answered.wait(5)
        status, body = (
            (200, b"<R><GetRoleResult><Role/></GetRoleResult><ResponseMetadata/></R>") if len(calls) > 1 else (503, b"<E><Code>ServiceUnavailable</Code></E>")
        )
        return AWSResponse("https://iam.amazonaws.com", status, {}, Body(body))

    recorder = ResponseRecorder(None)
    session = botocore.session.Session()
    session.set_credentials("a", "b")
    iam = session.create_client("iam", config=Config(retries={"total_max_attempts": 1}))
    recorder.attach(iam)
    iam.meta.events.register("before-send", serve)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(iam.get_role, RoleName="team-x") for _number in range(4)]
        answered.set()
        failed = [future for future in asked if future.exception(30)]
    assert len(failed) == 1 and len(calls) == 2
    recorder.invalidate()
    iam.get_role(RoleName="team-x")
    assert len(calls) == 3, "after a pause to wait it is asked anew"


def test_the_first_of_a_list_that_may_be_empty() -> None:
    assert first_or_none(lambda **_names: {"TargetGroups": [{"Port": 1}]}, "TargetGroups", Names=["x"]) == {"Port": 1}
    for answer in ({"TargetGroups": []}, {"TargetGroups": None}, {}):
        assert first_or_none(lambda **_names: answer, "TargetGroups", "TargetGroupNotFound", Names=["x"]) is None  # noqa: B023


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", pickle.dumps(("odd", None)), pickle.dumps((1.5, False, {}))[:-3]], ids=["empty", "no pickle", "odd", "half"]
)
def test_answers_that_cannot_be_read_count_for_nothing(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "answers"
    file.write_bytes(content)
    answers = RecordedResponses(str(file))
    assert answers.since is None
    answers.invalidate()
    assert not file.exists()

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A prefetch asks what it can, and never ends a run."""

from __future__ import annotations

import pickle
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack import prefetch
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import names_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.recorded_responses import RecordedResponses
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError

NO_AWS = t.cast(t.Any, None)


class Questions(prefetch.Prefetch):
    """Puts some questions, and notes which were answered."""

    def __init__(self, *questions: t.Callable[[], t.Any]) -> None:
        super().__init__(NO_AWS, names_of({"mlflow_unique_name": "team-x"}))
        self.given, self.answered = questions, []

    def questions(self) -> t.Iterator[prefetch.Question]:
        yield from self.given
        yield lambda: self.answered.append("last")


@pytest.mark.parametrize("error", [ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError, AwsError, OSError])
def test_no_answer_ends_a_run(error: type[Exception]) -> None:
    def odd() -> None:
        raise error(*(["utf-8", b"", 0, 1, "odd"] if error is UnicodeDecodeError else ["odd"]))

    prefetched = Questions(odd, odd)
    prefetched.run()
    assert prefetched.answered == ["last"], "the other questions are put all the same"


def test_a_question_that_cannot_be_put_ends_no_run() -> None:
    class Broken(Questions):
        def questions(self) -> t.Iterator[prefetch.Question]:
            yield self.given[0]
            raise KeyError("vpc_id")

    Broken(lambda: None).run()


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

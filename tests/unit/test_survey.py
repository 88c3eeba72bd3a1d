# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey of AWX: a specification that AWX takes, and answers that a deployment takes. That it is up to date: test_docs.py."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.check import check
from support.bad_inputs import SPEC
from unit.test_inputs import GOOD

SURVEY = json.loads((Path(__file__).parents[2] / "docs" / "awx-survey.json").read_text(encoding="utf-8"))
QUESTIONS = {question["variable"]: question for question in SURVEY["spec"]}
TYPES: dict[str, type | tuple[type, ...]] = {"text": str, "textarea": str, "integer": int, "float": (int, float), "multiplechoice": str}


def answer(question: dict[str, t.Any], value: t.Any) -> t.Any:
    """A value as AWX hands it over, in the type of its question."""
    return value if question["type"] in ("integer", "float") or isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_one_that_awx_takes(name: str) -> None:
    """As AWX checks it: docs of POST /api/v2/job_templates/N/survey_spec/. It refuses a default that would be a wrong answer."""
    question = QUESTIONS[name]
    assert question.keys() - {"default"} == {"question_name", "question_description", "variable", "type", "required", "choices", "min", "max"}
    assert question["type"] in TYPES and question["question_description"] and " " not in question["variable"]
    assert isinstance(question["required"], bool) and ("default" in question) is not question["required"]
    assert bool(question["choices"]) == (question["type"] == "multiplechoice")
    if "default" in question:
        default = question["default"]
        assert isinstance(default, TYPES[question["type"]]) and not isinstance(default, bool)
        assert default in (question["choices"] or [default])
        assert not isinstance(default, str) or len(default) <= (question["max"] or 1024)


def test_every_required_input_is_asked_for_once_and_every_other_of_a_deployment() -> None:
    assert SURVEY["name"] and SURVEY["description"] and len(QUESTIONS) == len(SURVEY["spec"])
    assert {name for name, option in SPEC.items() if option.get("required")} <= QUESTIONS.keys() <= SPEC.keys()
    of_other_playbooks = ("mlflow_bootstrap_", "mlflow_first_admin_email", "mlflow_import_", "mlflow_policy_", "mlflow_restore_", "mlflow_token_")
    others = {name for name in SPEC.keys() - QUESTIONS.keys() if not name.startswith(of_other_playbooks)}
    assert others == {
        "mlflow_backup_name",
        "mlflow_confirm_destroy",
        "mlflow_confirm_import",
        "mlflow_confirm_restore",
        "mlflow_rds_cluster_engine_version",
        "mlflow_run_in_worker",
    }


def test_the_answers_are_the_inputs_in_their_types() -> None:
    """What nobody answers is given as well, and stays the default of the input."""
    given = {name: question.get("default", answer(question, GOOD[name])) for name, question in QUESTIONS.items()}
    values, problems = check(given, SPEC)
    assert problems == []
    assert values == {name: GOOD[name] for name in QUESTIONS}

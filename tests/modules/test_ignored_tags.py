# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module leaves the tags of others alone that it is told to ignore, also where it changes what carries them."""

from __future__ import annotations

import copy
import typing as t

from modules.run_module import run_module
from support.account import listing
from support.scenarios import TAGS, scenarios
from support.stack import prerequisites
from support.tagging_robot import IGNORED, ROBOT, tag_everything, untagged

NOT_THERE = ["sg-1"]
"""A security group that moto lists because the scenarios name it."""


def test_tags_of_others_stay(aws, tmp_path):
    (tmp_path / "a.py").write_text("def b(event, context): ...\n", encoding="utf-8")
    every = scenarios(prerequisites(aws), str(tmp_path))
    tagged = [each for each in every if each.module not in ("ecs_task", "route53_records")]  # a task that has ended; records have none

    def run(module: str, team: str, **params: t.Any) -> dict[str, t.Any]:
        since = aws.mark()
        result = run_module(module, copy.deepcopy({"tags": {**TAGS, "team": team}, "ignore_tags": IGNORED, **params}), aws)
        assert bool(aws.mutating(since)) == result["changed"]
        return result

    for module, given, _change in every:
        run_module(module, copy.deepcopy({"tags": {**TAGS, "team": "x"}, **given}), aws)
    before = tag_everything(aws, ROBOT, but=NOT_THERE)
    assert {name for _kind, name in untagged(before, ROBOT)} <= {*NOT_THERE}
    assert [each.module for each in tagged if run(each.module, "x", **each.given)["changed"]] == []
    assert [each.module for each in tagged if not run(each.module, "y", **{**each.given, **each.change})["changed"]] == []
    after = listing(aws)
    assert untagged({key: after[key] for key in before.keys() & after.keys()}, ROBOT) == untagged(before, ROBOT)
    (revision,) = [state for (kind, name), state in after.items() if kind == "task_definition" and name.endswith(":2")]
    assert ROBOT.items() <= revision["tags"].items()

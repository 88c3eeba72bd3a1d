# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags of others stay where ``mlflow_ignore_tags`` names them, whatever happens to what carries them. For bootstrap: ``test_bootstrap``."""

from __future__ import annotations

from support.account import listing
from support.stack import Stack
from support.tagging_robot import IGNORED, ROBOT, tag_everything, untagged


def test_after_the_tagging_robot_there_is_nothing_to_do_and_its_tags_stay(deployed_stack: Stack):
    tagged = tag_everything(deployed_stack.aws, ROBOT)
    assert untagged(tagged, ROBOT) == set()

    plan, run = deployed_stack.plan_and_apply(mlflow_ignore_tags=IGNORED)
    assert (plan, run.changed, run.mutating) == ([], 0, [])

    # A change of the stack's own tags is made beside them, and what takes the place of another inherits them.
    deployed_stack.apply(mlflow_tags={"team": "other"}, mlflow_service_environment={"A": "1"})
    after = listing(deployed_stack.aws)
    assert {kind for kind, _name in untagged(after, ROBOT)} <= {"lease"}
    assert {kind for (kind, _name), state in after.items() if state.get("tags", {}).get("team") == "team-x"} == {
        "db_cluster_snapshot",  # of before
        "task_definition",  # the earlier revision
    }

    # Without the input they are tags that nobody wants.
    plan, run = deployed_stack.plan_and_apply(mlflow_ignore_tags=None)
    assert run.changed and {field["name"].partition(".")[0] for change in plan for field in change["fields"]} == {"tags"}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.restore import (
    Marks,
    Mlflow,
    Problem,
    Restore,
    decide,
    is_compatible,
    validate_request,
)

SNAPSHOT, TIME, CLUSTER, DISCARD = (f"mlflow_restore_{kind}" for kind in ("snapshot", "time", "cluster", "discard"))
OLD = "x-before-20261122t221500z"
NEVER, UNDER_WAY, DONE = Marks(), Marks("snapshot:s"), Marks("snapshot:s", "20261122t223000z")
OF_S, OF_TIME = {"snapshot_identifier": "s"}, {"source_cluster_identifier": "x", "time": "latest"}


@pytest.mark.parametrize(
    ("clusters", "request_", "again", "wanted"),
    [
        # A restore from its beginning to its end, by the same command each time
        ({"x": NEVER}, (SNAPSHOT, "s"), False, Restore("snapshot:s", "x-restored", OF_S, switch=True)),
        ({"x": NEVER, "x-restored": UNDER_WAY}, (SNAPSHOT, "s"), False, Restore("snapshot:s", "x-restored", OF_S, switch=True)),
        ({OLD: NEVER, "x-restored": UNDER_WAY}, (SNAPSHOT, "s"), False, Restore("snapshot:s", "x-restored", OF_S, switch=True)),
        ({OLD: NEVER, "x": UNDER_WAY}, (SNAPSHOT, "s"), False, Restore("snapshot:s", "x", OF_S)),
        ({OLD: NEVER, "x": DONE}, (SNAPSHOT, "s"), False, Restore("snapshot:s", "x", OF_S, done=True)),
        ({OLD: NEVER, "x": DONE}, (SNAPSHOT, "s"), True, Restore("snapshot:s", "x-restored", OF_S, switch=True)),
        ({OLD: NEVER, "x": UNDER_WAY}, (SNAPSHOT, "s"), True, Restore("snapshot:s", "x", OF_S)),
        # Another one after it
        ({OLD: NEVER, "x": DONE}, (TIME, "latest"), False, Restore("time:latest", "x-restored", OF_TIME, switch=True)),
        ({OLD: NEVER, "x": DONE}, (CLUSTER, OLD), False, Restore(f"cluster:{OLD}", OLD, {}, switch=True)),
        ({OLD: NEVER, "x": Marks(f"cluster:{OLD}")}, (CLUSTER, OLD), False, Restore(f"cluster:{OLD}", "x", {})),
        ({OLD: NEVER, "x": DONE}, (DISCARD, OLD), False, Restore(discard=OLD)),
        ({"x": NEVER, "x-restored": UNDER_WAY}, (DISCARD, "x-restored"), False, Restore(discard="x-restored")),
        # Without a database, as after destroy, or after a run that died while a kept one went back
        ({}, (SNAPSHOT, "s"), False, Restore("snapshot:s", "x", OF_S)),
        ({"x-before-20261123t000000z": NEVER, OLD: NEVER}, (CLUSTER, OLD), False, Restore(f"cluster:{OLD}", OLD, {}, switch=True)),
    ],
)
def test_what_is_to_be_done(clusters, request_, again, wanted):
    assert decide("x", *request_, clusters, again=again) == wanted


@pytest.mark.parametrize(
    ("clusters", "request_", "told"),
    [
        ({"x": UNDER_WAY}, (SNAPSHOT, "t"), "a restore of snapshot:s is under way: finish it first"),
        ({"x": NEVER, "x-restored": UNDER_WAY}, (TIME, "latest"), "-e mlflow_restore_discard=x-restored"),
        ({"x": NEVER}, (CLUSTER, OLD), "there is no such cluster; those that restores have kept: none"),
        ({"x": NEVER}, (DISCARD, "x"), "there is no such cluster to remove; there is none"),
        ({"x": NEVER, OLD: NEVER}, (DISCARD, "x-restored"), f"there is {OLD}"),
        ({OLD: NEVER}, (DISCARD, OLD), "finish the restore first"),
        ({OLD: NEVER}, (SNAPSHOT, "s"), f"give mlflow_restore_cluster={OLD}"),
        ({}, (TIME, "latest"), "there is no database x to go back in"),
        ({}, (CLUSTER, OLD), "none"),
    ],
)
def test_what_is_in_the_way(clusters, request_, told):
    problem = decide("x", *request_, clusters)
    assert isinstance(problem, Problem) and told in problem.remedy and (problem.variable, problem.value) == request_


@pytest.mark.parametrize(
    ("inputs", "variable"), [({}, SNAPSHOT), ({SNAPSHOT: "s", TIME: "latest"}, TIME), ({SNAPSHOT: "", TIME: "latest"}, None), ({DISCARD: OLD}, None)]
)
def test_one_thing_at_a_time(inputs, variable):
    assert [problem.variable for problem in validate_request(inputs)] == [variable] * (variable is not None)


@pytest.mark.parametrize(
    ("recorded", "deployed", "tag", "fit"),
    [
        (Mlflow("", ""), Mlflow("v2", "abc"), "v2", True),  # nobody knows: the database is asked later
        (Mlflow("v2", "abc"), Mlflow("", ""), "v2", True),
        (Mlflow("v1", "abc"), Mlflow("v2", "abc"), "v2", True),
        (Mlflow("v1", "abc"), Mlflow("v2", "def"), "v2", False),
        (Mlflow("v1", "abc"), Mlflow("v2", "abc"), "v3", False),
        (Mlflow("v1@sha256:a", "abc"), Mlflow("v2", "def"), "v1", True),
        (Mlflow("v1", "abc"), Mlflow("v2", "def"), "v1@sha256:a", True),
        (Mlflow("v1@sha256:a", "abc"), Mlflow("v2", "def"), "v1@sha256:b", False),
        (Mlflow("v1", "abc"), Mlflow("v2@sha256:a", "abc"), "v2", True),
        (Mlflow("v1", "abc"), Mlflow("v10", "def"), "v10", False),
        (Mlflow("v1", "unknown"), Mlflow("v2", "unknown"), "v2", False),
        (Mlflow("v1", ""), Mlflow("v2", ""), "v2", False),
    ],
)
def test_an_image_for_a_database(recorded, deployed, tag, fit):
    assert is_compatible(recorded, deployed, tag) is fit

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MLflow's own auth app behind the check of who calls: a stack in use changes over to it, and back."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from runtime.deployment import Deployment
from runtime.doors.doors import Doors
from runtime.doors.proxy import Proxy
from runtime.test_identity import ADMIN, EDITOR, READER, People

BOB = ("bob",)
CURRENT = "/ajax-api/2.0/mlflow/users/current"
EXPERIMENTS, RUNS = "/ajax-api/2.0/mlflow/experiments", "/ajax-api/2.0/mlflow/runs"
GRANT = "/ajax-api/3.0/mlflow/users/permissions/grant"


@pytest.fixture(scope="module")
def people(deployment: Deployment, proxy: Proxy, doors: Doors, proofs: dict[str, str]) -> Iterator[People]:
    """Those of the stack, whose requests servers with the auth app answer now. The others go on running, as in a rolling deployment."""
    deployment.apply(mlflow_identity="mlflow")
    assert "the tables of MLflow's users are" in deployment.prepare()
    try:
        with deployment.started(2) as proxy.servers:
            yield People(deployment, proxy, doors, proofs)
    finally:
        proxy.servers = deployment.servers
        deployment.apply(mlflow_identity="edge")


def posted(people: People, who: tuple[str, ...] | None, path: str, **body: t.Any) -> dict[str, t.Any]:
    answer = people.ask(who, "POST", path, body)
    assert answer.status == 200, answer
    return json.loads(answer.body)


@pytest.fixture(scope="module")
def of_ada(people: People) -> str:
    """An experiment that ada has made."""
    return posted(people, EDITOR, f"{EXPERIMENTS}/create", name="of ada")["experiment_id"]


def test_a_user_who_comes_for_the_first_time_to_all_servers_at_once_is_one(people: People) -> None:
    names = [f"new-{number}" for number in range(4)]
    for name in names:  # in the user pool he is one already
        assert people.ask((name,), "GET", "/health").status == 200
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: people.ask((name,), "POST", f"{EXPERIMENTS}/search", {"max_results": 1}), names * 4))
    assert {answer.status for answer in answers} == {200}
    users = json.loads(people.ask(ADMIN, "GET", "/ajax-api/2.0/mlflow/users/list").body)["users"]
    assert sorted(user["username"] for user in users if user["username"].startswith("new-")) == names


@pytest.mark.parametrize(("who", "name", "admin"), [(ADMIN, "root", True), (EDITOR, "ada", False), (READER, "rita", False), (None, "ada", False)])
def test_mlflow_knows_who_calls(people: People, who: tuple[str, ...] | None, name: str, admin: bool) -> None:
    for _each_server in range(2):
        answer = people.ask(who, "GET", CURRENT if who else CURRENT.replace("/ajax-api/", "/api/"))
        assert answer.status == 200, answer
        told = json.loads(answer.body)
        assert (told["user"]["username"], told["user"]["is_admin"], told["is_basic_auth"]) == (name, admin, False)


def test_an_admin_is_one_as_long_as_his_groups_say(people: People) -> None:
    for groups, admin in (((), False), (("ml-admins",), True), ((), False)):
        for _each_server in range(2):
            answer = json.loads(people.ask(("max", *groups), "GET", CURRENT).body)
            assert answer["user"]["is_admin"] == admin
    for path in ("create", "update-admin", "update-password"):
        assert people.ask(ADMIN, "POST" if path == "create" else "PATCH", f"/api/2.0/mlflow/users/{path}", {"username": "max", "is_admin": True}).status == 403


def test_only_owners_and_admins_delete(people: People, of_ada: str) -> None:
    """Every editor may write to what another one made."""
    run = posted(people, BOB, f"{RUNS}/create", experiment_id=of_ada)["run"]["info"]
    assert run["user_id"] == "bob"
    assert people.ask(BOB, "POST", f"{EXPERIMENTS}/delete", {"experiment_id": of_ada}).status == 403
    own = posted(people, BOB, f"{EXPERIMENTS}/create", name="of bob")["experiment_id"]
    posted(people, BOB, f"{EXPERIMENTS}/delete", experiment_id=own)
    posted(people, ADMIN, f"{EXPERIMENTS}/restore", experiment_id=own)


def test_an_owner_grants(people: People, of_ada: str) -> None:
    grant = {"resource_type": "experiment", "resource_id": of_ada, "permission": "MANAGE"}
    run = posted(people, EDITOR, f"{RUNS}/create", experiment_id=of_ada)["run"]["info"]["run_id"]
    people.ask(READER, "GET", CURRENT)
    assert people.ask(BOB, "POST", f"{RUNS}/delete", {"run_id": run}).status == 403
    assert people.ask(BOB, "POST", GRANT, {"username": "bob", **grant}).status == 403
    for name in ("bob", "rita"):
        posted(people, EDITOR, GRANT, username=name, **grant)
    posted(people, BOB, f"{RUNS}/delete", run_id=run)
    assert people.ask(READER, "POST", f"{RUNS}/restore", {"run_id": run}).status == 403  # who is a reader stays one


def test_a_denial_holds_for_reading_too(people: People) -> None:
    hidden = posted(people, EDITOR, f"{EXPERIMENTS}/create", name="hidden")["experiment_id"]
    people.ask(BOB, "GET", CURRENT)
    posted(people, EDITOR, GRANT, username="bob", resource_type="experiment", resource_id=hidden, permission="DENY")
    path = f"{EXPERIMENTS}/get?experiment_id={hidden}"
    assert [people.ask(who, "GET", path).status for who in (EDITOR, READER, BOB)] == [200, 200, 403]


def test_a_name_that_the_database_takes_for_anothers_is_refused(people: People, engine: str) -> None:
    assert people.ask(("zoe",), "GET", CURRENT).status == 200
    assert people.ask(("Zoe",), "GET", CURRENT).status == (403 if engine == "aurora-mysql" else 200)


def test_traces_by_way_of_fastapi_are_of_who_sends_them(people: People, of_ada: str) -> None:
    span = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    header = {"x_mlflow_experiment_id": of_ada}
    assert people.ask(READER, "POST", "/v1/traces", body, **header).status == 403
    assert people.ask(BOB, "POST", "/v1/traces", body, **header).status == 200
    locations = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": of_ada}}]
    (trace,) = posted(people, READER, "/ajax-api/3.0/mlflow/traces/search", locations=locations)["traces"]
    assert trace["tags"]["mlflow.user"] == "bob"


def test_servers_of_both_modes_work_side_by_side_and_users_stay(people: People, deployment: Deployment, proxy: Proxy, of_ada: str) -> None:
    users = "SELECT username, is_admin FROM users ORDER BY username"
    before = deployment.database.execute(users, "mlflow")
    with_users, proxy.servers = proxy.servers, deployment.servers
    try:
        assert people.ask(EDITOR, "GET", CURRENT).status == 404
        posted(people, BOB, f"{RUNS}/create", experiment_id=of_ada)
    finally:
        proxy.servers = with_users
    assert "users are" in deployment.prepare() and deployment.database.execute(users, "mlflow") == before
    assert people.ask(BOB, "POST", f"{EXPERIMENTS}/delete", {"experiment_id": of_ada}).status == 200  # to whom it was granted
    assert deployment.database.execute(users, "mlflow") == before
    assert deployment.database.connections("mlflow") == 0  # the auth app keeps none either, so that the database may pause

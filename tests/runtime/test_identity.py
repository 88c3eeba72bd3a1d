# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who calls the real MLflow through the doors, what he may do, whose name what he makes gets, and what the log has of it."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import parse_qs, urlsplit

import pytest
from runtime.deployment import Deployment
from runtime.doors.doors import Doors
from runtime.doors.proxy import Proxy
from runtime.doors.request import Answer, Forward, Request, Source
from runtime.doors.sign_in import access_token

OFFICE, INTERNET = Source("192.0.2.10"), Source("203.0.113.5")
JSON = {"content-type": "application/json"}
ADMIN, EDITOR, READER = ("root", "ml-admins"), ("ada",), ("rita", "auditors")


class People:
    """Requests of people who have signed in, and of programs, through the doors."""

    def __init__(self, deployment: Deployment, proxy: Proxy, doors: Doors, proofs: dict[str, str]) -> None:
        self.deployment, self.proxy, self.doors, self.proofs = deployment, proxy, doors, proofs
        (self.balancer,) = doors.balancers.values()

    def ask(self, who: tuple[str, ...] | None, method: str, path: str, body: t.Any = None, **headers: str) -> Answer:
        """As a person, or for None as a program. Headers of one's own have underscores in place of hyphens."""
        given = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if who is None:
            host, source, proof = self.deployment.programs, INTERNET, {"authorization": self.proofs["access token"]}
        else:
            host, source, proof = self.deployment.people, OFFICE, {"cookie": self.balancer.sign_in(*who)}
        content = b"" if body is None else json.dumps(body).encode()
        outcome = self.doors.decide(Request(source, f"https://{host}{path}", {**given, **proof}, method, content))
        assert isinstance(outcome, Forward), outcome
        return self.proxy.carry(outcome)


@pytest.fixture(scope="module")
def people(deployment: Deployment, proxy: Proxy, doors: Doors, proofs: dict[str, str]) -> People:
    return People(deployment, proxy, doors, proofs)


@pytest.fixture(scope="module")
def experiment(people: People) -> str:
    answer = people.ask(EDITOR, "POST", "/ajax-api/2.0/mlflow/experiments/create", {"name": "rights", "tags": [{"key": "mlflow.user", "value": "eve"}]})
    return json.loads(answer.body)["experiment_id"]


@pytest.mark.parametrize(("who", "name"), [(ADMIN, "root"), (EDITOR, "ada"), (None, "ada")])
def test_a_run_has_the_name_of_who_made_it(people: People, experiment: str, who: tuple[str, ...] | None, name: str) -> None:
    forged = {"experiment_id": experiment, "user_id": "eve", "tags": [{"key": "mlflow.user", "value": "eve"}]}
    made = json.loads(people.ask(who, "POST", "/api/2.0/mlflow/runs/create", forged).body)["run"]
    run = json.loads(people.ask(READER, "GET", f"/ajax-api/2.0/mlflow/runs/get?run_id={made['info']['run_id']}").body)["run"]
    assert run["info"]["user_id"] == name
    assert [tag["value"] for tag in run["data"]["tags"] if tag["key"] == "mlflow.user"] == [name]
    change = {"run_id": made["info"]["run_id"], "key": "mlflow.user", "value": "eve"}
    assert people.ask(ADMIN, "POST", "/ajax-api/2.0/mlflow/runs/set-tag", change).status == 403


def test_an_experiment_and_a_model_have_it_too(people: People, experiment: str) -> None:
    found = json.loads(people.ask(READER, "GET", f"/ajax-api/2.0/mlflow/experiments/get?experiment_id={experiment}").body)["experiment"]
    assert {"key": "mlflow.user", "value": "ada"} in found["tags"]
    people.ask(ADMIN, "POST", "/ajax-api/2.0/mlflow/registered-models/create", {"name": "rights"})
    people.ask(EDITOR, "POST", "/ajax-api/2.0/mlflow/model-versions/create", {"name": "rights", "source": "s3://x/y"})
    model = json.loads(people.ask(READER, "GET", "/ajax-api/2.0/mlflow/registered-models/get?name=rights").body)["registered_model"]
    assert {"key": "mlflow.user", "value": "root"} in model["tags"]
    version = json.loads(people.ask(READER, "GET", "/ajax-api/2.0/mlflow/model-versions/get?name=rights&version=1").body)["model_version"]
    assert {"key": "mlflow.user", "value": "ada"} in version["tags"]


@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        (READER, "POST", "/ajax-api/2.0/mlflow/experiments/search", 200),
        (READER, "POST", "/ajax-api/2.0/mlflow/runs/search", 200),
        (READER, "POST", "/graphql", 200),
        (READER, "GET", "/", 200),
        (READER, "GET", "/version", 200),
        (READER, "POST", "/ajax-api/2.0/mlflow/experiments/create", 403),
        (READER, "POST", "/ajax-api/2.0/mlflow/runs/create", 403),
        (READER, "PUT", "/api/2.0/mlflow-artifacts/artifacts/0/x", 403),
        (READER, "POST", "/v1/traces", 403),
        (READER, "POST", "/gateway/mlflow/v1/chat/completions", 403),
        (READER, "POST", "/ajax-api/3.0/mlflow/scorer/invoke", 403),
        (EDITOR, "POST", "/api/2.0/mlflow/webhooks", 403),
        (EDITOR, "POST", "/ajax-api/3.0/mlflow/gateway/secrets/create", 403),
        (EDITOR, "POST", "/ajax-api/3.0/jobs/", 403),
        (ADMIN, "POST", "/api/2.0/mlflow/webhooks", 400),  # for what is missing in it
        (ADMIN, "POST", "/ajax-api/3.0/mlflow/gateway/secrets/create", 400),
    ],
)
def test_a_right_ends_where_the_next_begins(people: People, who: tuple[str, ...], method: str, path: str, status: int) -> None:
    body = {"max_results": 1, "experiment_ids": ["0"], "query": "{ __typename }"} if status == 200 else {}
    assert people.ask(who, method, path, None if method == "GET" else body).status == status


@pytest.mark.parametrize("who", [EDITOR, READER, None])
def test_headers_of_ones_own_make_nobody_somebody_else(people: People, experiment: str, who: tuple[str, ...] | None) -> None:
    """The doors overwrite their own header; the other one's counts at its own host name alone."""
    deployment = people.deployment
    pool = deployment.stack.inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    root = access_token(deployment.aws, pool, deployment.stack.inputs["mlflow_aws_cognito_user_pool_client_id"], "root", ["ml-admins"])
    data = people.balancer.signer.token(people.balancer.arn, "x", "x", {"sub": "x", "email": "root", "groups": ["ml-admins"]})
    forged = {"x_mlflow_identity": "root", "x_amzn_oidc_data": data, "x_amzn_oidc_accesstoken": root, "x_mlflow_authorization": "Basic cm9vdDp4"}
    name = {EDITOR: "ada", READER: None, None: "ada"}[who]
    answer = people.ask(who, "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": experiment}, **forged)
    if name is None:
        assert answer.status == 403
    else:
        assert json.loads(answer.body)["run"]["info"]["user_id"] == name
    assert people.ask(who, "POST", "/api/2.0/mlflow/webhooks", {}, **forged).status == 403


def test_people_end_their_session_with_the_load_balancer_and_with_cognito(people: People, deployment: Deployment) -> None:
    """By the address that the summary names. Who has no right may, too; a provider of one's own ends its session itself."""
    assert deployment.stack.outputs["sign_out_uri"] == f"https://{deployment.people}/sign-out"
    assert f"sign out at https://{deployment.people}/sign-out" in deployment.site.text
    answer = people.ask(READER, "GET", "/sign-out?logout_uri=https://evil.example.com")
    assert answer.cookies == tuple(f"AWSELBAuthSessionCookie-{shard}=; Max-Age=-1; Path=/; Secure; HttpOnly" for shard in range(4))
    if deployment.stack.inputs.get("mlflow_load_balancer_sign_in") == "oidc":
        assert (answer.status, "location" in answer.headers) == (200, False)
        return
    location, query = urlsplit(answer.headers["location"]), parse_qs(urlsplit(answer.headers["location"]).query)
    assert (answer.status, location.hostname, location.path) == (302, "team-x-sign-in.auth.eu-west-1.amazoncognito.com", "/logout")
    assert query == {"client_id": [deployment.stack.inputs["mlflow_aws_cognito_user_pool_client_id"]], "logout_uri": [f"https://{deployment.people}/"]}


def test_the_log_has_each_write_and_each_refusal(people: People, deployment: Deployment, experiment: str) -> None:
    people.ask(EDITOR, "POST", "/ajax-api/2.0/mlflow/experiments/set-experiment-tag", {"experiment_id": experiment, "key": "audited", "value": "a secret"})
    people.ask(READER, "POST", "/ajax-api/2.0/mlflow/experiments/delete", {"experiment_id": experiment})
    logged = "\n".join(server.log for server in deployment.servers)
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith('{"audit": "mlflow"')]
    (write,) = (line for line in lines if line["path"].endswith("/set-experiment-tag"))
    assert (write["user"], write["right"], write["entry_point"], write["status"], write["ip"]) == ("ada", "editor", "people", 200, OFFICE.address)
    assert write["on"] == {"experiment_id": experiment, "key": "audited"}
    (refusal,) = (line for line in lines if line["path"].endswith("/experiments/delete") and line["user"] == "rita")
    assert (refusal["status"], refusal["reason"]) == (403, "needs editor")
    assert "a secret" not in logged and people.proofs["access token"] not in logged

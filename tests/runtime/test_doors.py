# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets where: a table of requests, each followed through what was deployed to where it ends."""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qs, urlsplit

import pytest
from runtime.deployment import Deployment
from runtime.doors.doors import Doors
from runtime.doors.identities import authorizations
from runtime.doors.request import Answer, Forward, Request, Source

# Where requests come from. The office is in mlflow_load_balancer_ingress_cidr_blocks.
SOURCES = {
    "office": Source("192.0.2.10"),
    "internet": Source("203.0.113.5"),
    "neighbour": Source("10.0.10.77"),  # something else in the VPC
}


class Row(t.NamedTuple):
    """A request, and where it ends with each authorizer: MLflow, sign-in, HTTPS, a status, no route, the inside."""

    source: str
    url: str  # {ui}, {api}, {alb}, {execute_api}, {task}, {database} are names and addresses of the stack
    proof: str  # a key of authorizations(), or "signed in", "a forged session"
    ends: str
    ends_jwt: str = ""  # where that differs
    host: str = ""  # a Host header that differs from the URL's
    method: str = "GET"


RUNS = "/api/2.0/mlflow/runs/search"
ROWS = [
    # People, signed in: all that the UI needs.
    Row("office", "https://{ui}/", "signed in", "MLflow"),
    Row("office", "https://{ui}/static-files/static/js/main.js", "signed in", "MLflow"),
    Row("office", "https://{ui}/ajax-api/2.0/mlflow/experiments/search", "signed in", "MLflow", method="POST"),
    Row("office", "https://{ui}/ajax-api/3.0/mlflow/server-info", "signed in", "MLflow"),
    Row("office", "https://{ui}/graphql", "signed in", "MLflow", method="POST"),
    Row("office", "https://{ui}/get-artifact?path=a&run_uuid=b", "signed in", "MLflow"),
    Row("office", "https://{ui}/model-versions/get-artifact?path=a", "signed in", "MLflow"),
    Row("office", "https://{ui}/api/2.0/mlflow-artifacts/artifacts/0/x", "signed in", "MLflow"),
    Row("office", "https://{ui}/version", "signed in", "MLflow"),
    Row("office", "https://{ui}/", "signed in", "MLflow", host="MLFLOW.TEAM-X.EXAMPLE.COM"),
    # People, not signed in: no path is open, whatever they send.
    Row("office", "https://{ui}/", "none", "sign-in"),
    Row("office", "https://{ui}/health", "none", "sign-in"),
    Row("office", "https://{ui}" + RUNS, "none", "sign-in", method="POST"),
    Row("office", "https://{ui}/v1/traces", "none", "sign-in", method="POST"),
    Row("office", "https://{ui}/", "a forged session", "sign-in"),
    Row("office", "https://{ui}/", "access token", "sign-in"),
    Row("office", "https://{ui}/", "credentials", "sign-in"),
    Row("office", "https://{ui}/api/../", "none", "sign-in"),
    Row("office", "http://{ui}/", "none", "HTTPS"),
    Row("office", "http://{ui}" + RUNS, "access token", "HTTPS", method="POST"),
    Row("office", "http://{ui}/", "signed in", "HTTPS"),
    # The load balancer by other names than people's.
    Row("office", "https://{alb}/", "signed in", "403"),
    Row("office", "https://{alb}/", "none", "sign-in", host="{ui}"),
    Row("office", "https://{ui}/", "signed in", "403", host="{api}"),
    Row("office", "https://{ui}" + RUNS, "access token", "403", host="{api}", method="POST"),
    Row("office", "https://{ui}/", "none", "403", host="anything.example.net"),
    Row("office", "https://{ui}/", "signed in", "403", host="x.{ui}"),
    Row("office", "http://{alb}/health", "none", "HTTPS", host="{api}"),
    # People's door from where it is not open.
    Row("internet", "https://{ui}/", "signed in", "no route"),
    Row("internet", "http://{ui}/", "none", "no route"),
    Row("neighbour", "https://{ui}/", "signed in", "no route"),
    # Programs' listener, which does not ask who calls, by another way than API Gateway.
    Row("office", "https://{ui}:8443" + RUNS, "access token", "no route", host="{api}"),
    Row("internet", "https://{alb}:8443/health", "none", "no route", host="{api}"),
    Row("neighbour", "https://{alb}:8443" + RUNS, "none", "no route", host="{api}"),
    Row("neighbour", "https://{alb}:8443/v1/traces", "none", "no route", host="{api}", method="POST"),
    # The inside.
    Row("office", "http://{task}:5000/", "none", "no route"),
    Row("neighbour", "http://{task}:5000" + RUNS, "none", "no route"),
    Row("office", "https://{database}", "none", "no route"),
    Row("neighbour", "https://{database}", "none", "no route"),
    Row("the load balancer", "http://{task}:5000/health", "none", "the inside"),
    Row("the VPC link", "http://{task}:5000/health", "none", "no route"),
    Row("a task", "https://{database}", "none", "the inside"),
    Row("a task", "https://{alb}:8443/health", "none", "no route", host="{api}"),
    Row("the load balancer", "https://{database}", "none", "no route"),
    # Programs, with proof of who they are: all that programs need, from anywhere.
    Row("internet", "https://{api}" + RUNS, "access token", "MLflow", method="POST"),
    Row("internet", "https://{api}" + RUNS, "ID token", "MLflow", method="POST"),
    Row("internet", "https://{api}" + RUNS, "credentials", "MLflow", "401", method="POST"),
    Row("office", "https://{api}/api/3.0/mlflow/traces/search", "access token", "MLflow", method="POST"),
    Row("neighbour", "https://{api}/api/3.0/mlflow/server-info", "access token", "MLflow"),
    Row("internet", "https://{api}/api/2.0/mlflow-artifacts/artifacts/0/x", "access token", "MLflow", method="PUT"),
    Row("internet", "https://{api}/api/2.0/mlflow-artifacts/mpu/create/0/x", "access token", "MLflow", method="POST"),
    Row("internet", "https://{api}/api/2.0/mlflow-artifacts/presigned/0/x", "access token", "MLflow"),
    Row("internet", "https://{api}/v1/traces", "access token", "MLflow", method="POST"),
    Row("internet", "https://{api}/gateway/mlflow/v1/chat/completions", "access token", "MLflow", method="POST"),
    Row("internet", "https://{api}/version", "access token", "MLflow"),
    Row("internet", "https://{api}/health", "access token", "MLflow"),
    # Programs get no more than that.
    Row("internet", "https://{api}/", "access token", "403"),
    Row("internet", "https://{api}/ajax-api/2.0/mlflow/experiments/search", "access token", "403", method="POST"),
    Row("internet", "https://{api}/graphql", "access token", "403", method="POST"),
    Row("internet", "https://{api}/static-files/index.html", "access token", "403"),
    Row("internet", "https://{api}/API/2.0/mlflow/runs/search", "access token", "403"),
    Row("internet", "https://{api}/healthy", "access token", "403"),
    Row("internet", "https://{api}//api/2.0/mlflow/runs/search", "access token", "403"),
    Row("internet", "http://{api}/health", "access token", "no route"),
    Row("internet", "https://{execute_api}" + RUNS, "access token", "404"),
    Row("internet", "https://{api}" + RUNS, "access token", "404", host="{execute_api}"),
    Row("internet", "https://{api}" + RUNS, "access token", "403", host="{ui}"),
    # Programs without proof, or with a false one: not even /health.
    Row("internet", "https://{api}/health", "none", "401"),
    Row("internet", "https://{api}" + RUNS, "none", "401", method="POST"),
    Row("internet", "https://{api}/v1/traces", "none", "401", method="POST"),
    Row("internet", "https://{api}/gateway/x", "none", "401"),
    Row("internet", "https://{api}/", "signed in", "401"),
    Row("office", "https://{api}/health", "none", "401"),
    Row("internet", "https://{api}" + RUNS, "expired access token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "expired ID token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "access token of another client", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "ID token of another client", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "access token of another pool", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "forged token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "altered token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "unsigned token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "no token", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "credentials of another user", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "wrong credentials", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "no password", "403", "401"),
    Row("internet", "https://{api}" + RUNS, "another scheme", "403", "401"),
]


class Table:
    """The rows' requests to a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment, self.doors = deployment, Doors(deployment.aws)
        self.is_jwt = deployment.stack.inputs.get("mlflow_api_authorizer") == "jwt"
        (self.balancer,) = self.doors.balancers.values()
        (execute_api,) = self.doors.gateway.names
        cluster = deployment.cluster()
        self.names = {
            "ui": deployment.people,
            "api": deployment.programs,
            "alb": self.balancer.dns_name,
            "execute_api": execute_api,
            "task": "10.255.0.1",
            "database": f"{cluster['Endpoint']}:{cluster['Port']}",
        }
        self.authorizations = authorizations(deployment.stack)
        self.cookies = {
            "signed in": self.balancer.sign_in("ada"),
            "a forged session": self.balancer.sign_in("ada")[:-4] + "AAAA",
        }
        groups = deployment.aws.client("ec2").describe_security_groups()["SecurityGroups"]
        named = {group["GroupName"].removeprefix(f"{deployment.name}-"): group["GroupId"] for group in groups}
        inside = {"the load balancer": "load-balancer", "the VPC link": "vpc-link", "a task": "service"}
        self.sources = SOURCES | {name: Source("10.0.10.9", frozenset({named[group]})) for name, group in inside.items()}

    def request(self, row: Row) -> Request:
        headers = {}
        if row.host:
            headers["host"] = row.host.format(**self.names)
        if row.proof in self.cookies:
            headers["cookie"] = self.cookies[row.proof]
        elif authorization := self.authorizations[row.proof]:
            headers["authorization"] = authorization
        return Request(self.sources[row.source], row.url.format(**self.names), headers, row.method)


@pytest.fixture(scope="module")
def table(deployment: Deployment) -> Table:
    return Table(deployment)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.source} {row.method} {row.url} {row.host} {row.proof}")
def test_a_request_ends_where_it_should(table: Table, row: Row) -> None:
    outcome = table.doors.decide(table.request(row))
    assert outcome.label == (table.is_jwt and row.ends_jwt or row.ends), outcome


def test_the_table_is_of_use() -> None:
    assert len(ROWS) >= 50
    assert {row.ends for row in ROWS} == {"MLflow", "sign-in", "HTTPS", "401", "403", "404", "no route", "the inside"}

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doors make of a request passes MLflow's own checks of Host and Origin, and nothing else does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from runtime.deployment import Deployment
from runtime.doors.doors import Doors
from runtime.doors.proxy import Proxy
from runtime.doors.request import Answer, Forward, Request, Source

OFFICE, INTERNET = Source("192.0.2.10"), Source("203.0.113.5")
SEARCH = "/api/2.0/mlflow/experiments/search"
JSON = {"content-type": "application/json"}


def ask(proxy: Proxy, doors: Doors, request: Request) -> Answer:
    """The answer of MLflow to a request as the doors have forwarded it."""
    outcome = doors.decide(request)
    assert isinstance(outcome, Forward), outcome
    return proxy.carry(outcome)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://{people}", 200),  # the UI's own requests
        ("", 200),
        ("https://{programs}", 403),  # no page is served there
        ("http://{people}", 403),
        ("https://{people}.evil.example.net", 403),
        ("https://anything.example.net", 403),
        ("null", 403),
    ],
)
def test_pages_of_other_origins_change_nothing(deployment: Deployment, proxy: Proxy, doors: Doors, origin: str, status: int) -> None:
    """A browser sends the cookie of who has signed in from any page."""
    (balancer,) = doors.balancers.values()
    headers = {**JSON, "cookie": balancer.sign_in("ada")}
    if origin:
        headers["origin"] = origin.format(people=deployment.people, programs=deployment.programs)
    for path in (SEARCH, SEARCH.replace("/api/", "/ajax-api/")):
        request = Request(OFFICE, f"https://{deployment.people}{path}", headers, "POST", b'{"max_results": 1}')
        assert ask(proxy, doors, request).status == status


def test_the_doors_send_the_host_names_that_mlflow_knows(deployment: Deployment, proxy: Proxy, doors: Doors, proofs: dict[str, str]) -> None:
    (balancer,) = doors.balancers.values()
    people = Request(OFFICE, f"https://{deployment.people}/", {"cookie": balancer.sign_in("ada")})
    programs = Request(INTERNET, f"https://{deployment.programs}{SEARCH}?max_results=1", {"authorization": proofs["access token"]})
    assert [ask(proxy, doors, request).status for request in (people, programs)] == [200, 200]
    # Where the load balancer rewrites the header, as it does by default, it adds the port of programs' listener.
    elb = deployment.aws.client("elbv2")
    attribute = {"Key": "routing.http.preserve_host_header.enabled"}
    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer.arn, Attributes=[{**attribute, "Value": "false"}])
    try:
        answer = ask(proxy, Doors(deployment.aws), programs)
    finally:
        elb.modify_load_balancer_attributes(LoadBalancerArn=balancer.arn, Attributes=[{**attribute, "Value": "true"}])
    assert (answer.status, b"UNAUTHENTICATED" in answer.body) == (401, True)


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/health", "10.255.0.1:5000", 200),  # the load balancer's health check
        ("/version", "10.255.0.1:5000", 401),
        ("/", "10.255.0.1:5000", 401),
        ("/", "localhost:5000", 401),
        ("/", "anything.example.net", 401),
        ("/", "x.{people}", 401),
        ("/", "{people}", 401),
        ("/", "{programs}", 401),
        (f"{SEARCH}?max_results=1", "{programs}", 401),
        ("/v1/traces", "{programs}", 401),
        ("/graphql", "{people}", 401),
        ("/get-artifact", "{people}", 401),
        ("/api/3.0/mlflow/server-info", "{programs}", 200),
    ],
)
def test_a_server_answers_nobody_whom_it_does_not_know(deployment: Deployment, proxy: Proxy, path: str, host: str, status: int) -> None:
    host = host.format(people=deployment.people, programs=deployment.programs)
    assert [server.status(path, Host=host) for server in deployment.servers] == [status, status]


def test_the_containers_own_health_check_passes(deployment: Deployment, proxy: Proxy) -> None:
    assert [server.passes_its_own_health_check() for server in deployment.servers] == [True, True]


def test_no_secret_is_in_a_log_or_a_list_of_processes(deployment: Deployment, proxy: Proxy) -> None:
    for server in deployment.servers:
        environment = server.environment
        secrets = {environment[each["name"]].partition("@")[0].rpartition(":")[2] for each in server.container.definition["secrets"]}
        assert len(secrets) in (4, 5) and min(map(len, secrets)) >= 40
        shown = server.log + command_lines(server.process.pid)
        assert "uvicorn" in shown
        assert not [secret for secret in secrets if secret in shown]


def command_lines(group: int) -> str:
    """The arguments of every process of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == group:
                    found.append((entry / "cmdline").read_text())
            except (ProcessLookupError, FileNotFoundError):
                pass
    return "\n".join(found)

# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MLflow's AI gateway in the real server, behind the doors: models of Amazon Bedrock by the role of the tasks and of another provider by a secret of
the stack, as docs/gateway.md has it.
"""

from __future__ import annotations

import http.client
import json
import time
import typing as t
from collections.abc import Iterator

import pytest
from embedded_aws.client import ACCOUNT, EmbeddedAWS
from runtime import inputs
from runtime.client import Client
from runtime.doors.identities import authorizations
from runtime.doors.request import Answer, Forward, Request, Source
from runtime.providers import Asked, Providers, providers
from runtime.test_artifact_access import Site
from support.stack import Stack, prerequisites

KEY = "sk-the-key-of-the-provider"
BEDROCK_MODEL = "eu.amazon.nova-pro-v1:0"
OFFICE = Source("192.0.2.10")
ADMIN, EDITOR = ("root", "ml-admins"), ("eve",)
JSON = {"content-type": "application/json"}
CHAT = "/gateway/mlflow/v1/chat/completions"
UPSTREAM = {"MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES": "http,https", "MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "true"}
"""With which the gateway asks a provider on this machine."""
ONE = {"mlflow_service_min_capacity": 1, "mlflow_service_max_capacity": 1, "mlflow_jobs": "on_demand"}
"""So that the server itself runs jobs."""
HOSTS_OF_JOBS = {"MLFLOW_SERVER_ALLOWED_HOSTS": "127.0.0.1:*,0.0.0.0:*"}
"""At which its jobs ask their server, which has another port here."""


class Gateway:
    """A site whose admin has made an endpoint for each provider."""

    def __init__(self, site: Site, models: Providers) -> None:
        self.site, self.models, self.proofs = site, models, authorizations(site.stack)
        (self.balancer,) = site.proxy.doors.balancers.values()
        self.hosts = {"token access": f"{inputs.TOKEN_RECORD}.{site.stack.inputs['mlflow_api_zone_name']}", "programs": site.programs}
        openai = {"secret_value": {"api_key": "$OPENAI_API_KEY"}, "auth_config": {"api_base": f"{models.url}/v1"}}
        bedrock = {"secret_value": {}, "auth_config": {"auth_mode": "default_chain", "aws_region_name": "eu-west-1"}}
        self.endpoint("gpt", "openai", "gpt-x", openai)
        self.endpoint("nova", "bedrock", BEDROCK_MODEL, bedrock)

    def endpoint(self, name: str, provider: str, model: str, secret: dict[str, t.Any]) -> None:
        secret_id = self.make("secrets", "secret", {"secret_name": name, "provider": provider, **secret})["secret_id"]
        definition = {"name": name, "secret_id": secret_id, "provider": provider, "model_name": model}
        model_id = self.make("model-definitions", "model_definition", definition)["model_definition_id"]
        config = {"model_definition_id": model_id, "linkage_type": "PRIMARY", "weight": 1.0}
        self.make("endpoints", "endpoint", {"name": name, "model_configs": [config]})

    def make(self, kind: str, what: str, document: dict[str, t.Any]) -> dict[str, t.Any]:
        return self.as_person(ADMIN, f"/ajax-api/3.0/mlflow/gateway/{kind}/create", document)[what]

    def as_person(self, who: tuple[str, ...], path: str, document: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        headers = {**JSON, "cookie": self.balancer.sign_in(*who)}
        method, body = ("GET", b"") if document is None else ("POST", json.dumps(document).encode())
        outcome = self.site.proxy.doors.decide(Request(OFFICE, f"https://{self.site.people}{path}", headers, method, body))
        assert isinstance(outcome, Forward)
        answer = self.site.proxy.carry(outcome)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def request(self, door: str, path: str, document: dict[str, t.Any], **headers: str) -> Forward:
        given = {**JSON, "authorization": self.proofs["access token"] or "", **{name.replace("_", "-"): value for name, value in headers.items()}}
        outcome = self.site.proxy.doors.decide(Request(OFFICE, f"https://{self.hosts[door]}{path}", given, "POST", json.dumps(document).encode()))
        assert isinstance(outcome, Forward), outcome
        return outcome

    def ask(self, door: str, path: str, document: dict[str, t.Any], **headers: str) -> Answer:
        return self.site.proxy.carry(self.request(door, path, document, **headers))

    def words(self, door: str, model: str, seconds: int) -> list[tuple[float, str]]:
        """When each word of an answer came, and the word."""
        outcome, question = self.request(door, CHAT, {"model": model, "stream": True, "messages": [{"role": "user", "content": str(seconds)}]}), []
        connection = http.client.HTTPConnection("127.0.0.1", self.site.server.port, timeout=outcome.timeout)
        try:
            connection.request("POST", outcome.request.target, outcome.request.body, outcome.request.headers)
            response = connection.getresponse()
            assert (response.status, response.getheader("content-type", "").partition(";")[0]) == (200, "text/event-stream")
            while line := response.readline():
                event = line.decode().removeprefix("data: ").strip()
                if event and event != "[DONE]":
                    delta = json.loads(event)["choices"][0]["delta"]
                    question += [(time.monotonic(), delta["content"])] if delta.get("content") else []
        finally:
            connection.close()
        return question

    def asked(self) -> Asked:
        return self.models.asked[-1]


@pytest.fixture(scope="module")
def gateway(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    key = aws_server.client("secretsmanager").create_secret(Name="openai", SecretString=KEY)["ARN"]
    site = Site(stack)
    site.apply(
        **inputs.of("aurora-postgresql", stack),
        mlflow_gateway_bedrock_models=[BEDROCK_MODEL],
        mlflow_service_secrets={"OPENAI_API_KEY": key},
        mlflow_service_environment={"MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_ENV": "true", **UPSTREAM, **HOSTS_OF_JOBS},
        **ONE,
    )
    with providers() as models:
        with site.opened(tmp_path_factory.mktemp("site"), AWS_ENDPOINT_URL_BEDROCK_RUNTIME=models.url):
            yield Gateway(site, models)


def lags(gateway: Gateway, words: list[tuple[float, str]]) -> list[float]:
    """For how long each word was under way."""
    return [came - sent for (came, _word), sent in zip(words, gateway.models.sent, strict=False)]


def test_an_answer_of_60_seconds_streams_through_token_access(gateway: Gateway) -> None:
    began = time.monotonic()
    words = gateway.words("token access", "gpt", 60)
    assert [word for _came, word in words] == [f"w{number} " for number in range(60)]
    assert words[-1][0] - began > 55 and max(lags(gateway, words)) < 10
    asked = gateway.asked()
    assert (asked.path, asked.headers["authorization"], asked.body["model"]) == ("/v1/chat/completions", f"Bearer {KEY}", "gpt-x")


def test_bedrock_streams_with_the_credentials_of_the_task(gateway: Gateway) -> None:
    words = gateway.words("token access", "nova", 3)
    assert [word for _came, word in words] == ["w0 ", "w1 ", "w2 "] and words[-1][0] - words[0][0] > 1
    asked = gateway.asked()
    assert asked.path == f"/model/{BEDROCK_MODEL.replace(':', '%3A')}/converse-stream"
    assert f"Credential={gateway.site.server.environment['AWS_ACCESS_KEY_ID']}/" in asked.headers["authorization"]


def test_the_role_of_the_tasks_may_use_these_models(gateway: Gateway) -> None:
    iam, role = gateway.site.aws.client("iam"), gateway.site.stack.outputs["service_task_role_id"]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    statements = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    (allowed,) = (statement["Resource"] for statement in statements if "bedrock:InvokeModelWithResponseStream" in statement["Action"])
    profile = f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:inference-profile/{BEDROCK_MODEL}"
    assert allowed == [profile, "arn:aws:bedrock:*::foundation-model/amazon.nova-pro-v1:0"]


@pytest.mark.parametrize("model", ["gpt", "nova"])
@pytest.mark.parametrize("stream", [True, False])
def test_the_api_answers_whole_in_its_30_seconds(gateway: Gateway, model: str, stream: bool) -> None:
    question = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "3"}]}
    assert gateway.request("programs", CHAT, question).timeout == 30
    answer = gateway.ask("programs", CHAT, question)
    assert answer.status == 200 and (b"w2 " if stream else b"Hello") in answer.body, answer.body


@pytest.mark.parametrize(
    ("path", "upstream"), [("/gateway/proxy/gpt/v1/chat/completions", "/v1/chat/completions"), ("/gateway/openai/v1/chat/completions", "/v1/chat/completions")]
)
@pytest.mark.parametrize("door", ["token access", "programs"])
def test_what_a_caller_proves_who_he_is_with_never_reaches_a_provider(gateway: Gateway, path: str, upstream: str, door: str) -> None:
    """Not even that of a program that MLflow takes for one with a key of its own."""
    agents = {"user_agent": "claude-cli/1.0 (external, cli)", "x_amz_security_token": "session", "x_mlflow_authorization": "Basic cm9vdDp4"}
    question = {"model": "gpt", "messages": [{"role": "user", "content": "0"}]}
    assert gateway.ask(door, path, question, **agents).status == 200
    asked = gateway.asked()
    assert asked.path == upstream and asked.headers["authorization"] == f"Bearer {KEY}"
    token = (gateway.proofs["access token"] or "").removeprefix("Bearer ")
    assert not any(given in value for value in asked.headers.values() for given in (token, "session", "cm9vdDp4"))


def test_the_log_has_who_asked_and_no_key(gateway: Gateway) -> None:
    gateway.ask("token access", CHAT, {"model": "gpt", "messages": [{"role": "user", "content": "0"}]})
    gateway.ask("token access", CHAT, {"model": "gpt", "messages": [{"role": "user", "content": "0"}]})  # the line of the one before is written by now
    log = gateway.site.server.log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith('{"audit": "mlflow"')]
    line = next(line for line in lines if (line["path"], line["entry_point"]) == (CHAT, "token access"))
    assert (line["user"], line["right"], line["entry_point"], line["status"]) == ("ada", "editor", "token access", 200)
    assert KEY not in log and (gateway.proofs["access token"] or "x").removeprefix("Bearer ") not in log


def test_a_judge_asks_the_gateway_in_the_name_of_who_has_started_the_job(gateway: Gateway) -> None:
    client = Client(gateway.site, gateway.site.proxy, gateway.proofs["access token"] or "")
    body = json.loads(client.run("judge.py", "gpt").splitlines()[-1])
    (job,) = gateway.as_person(EDITOR, "/ajax-api/3.0/mlflow/scorer/invoke", body)["jobs"]
    deadline = time.monotonic() + 300
    while (found := gateway.as_person(ADMIN, f"/ajax-api/3.0/jobs/{job['job_id']}"))["status"] in ("PENDING", "RUNNING"):
        assert time.monotonic() < deadline
        time.sleep(1)
    assert found["status"] == "SUCCEEDED" and '"value": true' in json.dumps(found), found
    asked = gateway.asked()
    assert (asked.headers["authorization"], asked.body["model"]) == (f"Bearer {KEY}", "gpt-x") and "42" in json.dumps(asked.body["messages"])
    lines = [json.loads(line) for line in gateway.site.server.log.splitlines() if line.startswith('{"audit": "mlflow"')]
    assert {line["user"] for line in lines if line["entry_point"] == "jobs"} == {EDITOR[0]}

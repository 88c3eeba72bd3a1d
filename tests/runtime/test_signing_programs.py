# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MLflow's client that signs with AWS credentials, and a real server that knows its role: what works, and what docs/access.md says does not."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator

import pytest
from embedded_aws.client import ACCOUNT, REGION, EmbeddedAWS
from runtime import inputs
from runtime.client import Client
from runtime.doors.doors import Doors
from runtime.doors.request import Forward, Request, Source
from runtime.doors.signatures import Signer, signer
from runtime.test_artifact_access import NO_AWS, Site, answer_in
from support.stack import Stack, prerequisites

ROLE = f"arn:aws:iam::{ACCOUNT}:role/trainer"


class Signing(Client):
    """A user's machine with the credentials of a role."""

    who: Signer

    @property
    def proof(self) -> dict[str, str]:
        credentials = self.who.credentials
        return {
            **NO_AWS,
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_SESSION_TOKEN": credentials.token or "",
            "AWS_DEFAULT_REGION": REGION,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        }


class Signed(t.NamedTuple):
    site: Site
    client: Signing
    stranger: Signer


def transfer(client: Client, *what: str | int) -> tuple[str, str]:
    """The run, or else what MLflow's client has said of a refusal."""
    said, _errors = client.start("transfer.py").communicate(json.dumps(what) + "\n", timeout=300)
    answer = answer_in(said.splitlines())
    return answer.run_id, answer.refusal


@pytest.fixture(scope="module")
def signed(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    given = inputs.of("aurora-mysql", stack) | {"mlflow_admin_groups": [ROLE], "mlflow_default_right": "none"}
    site = Site(stack)
    site.apply(
        **{name: value for name, value in given.items() if name not in ("mlflow_api_client_ids", "mlflow_api_credentials_secret_arn")},
        mlflow_api_authorizer="iam",
        mlflow_artifact_access="presigned",
    )
    invoke = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{stack.outputs['api_id']}/*"}
    trainer, stranger = signer(aws_server, "trainer", invoke), signer(aws_server, "stranger", invoke)
    with site.opened(tmp_path_factory.mktemp("site")):
        site.proxy.doors = Doors(aws_server, [trainer, stranger])
        client = Signing(site, site.proxy, "")
        client.who = trainer
        yield Signed(site, client, stranger)


def test_a_run_has_the_name_of_the_role_and_its_artifacts_go_by_signed_urls(signed: Signed) -> None:
    assert signed.client.summary["MLFLOW_TRACKING_AWS_SIGV4"] == "true"
    run_id, refusal = transfer(signed.client, "up", 2, "a.bin")
    assert run_id, refusal[-3000:]
    assert transfer(signed.client, "down", run_id, 2, "a.bin") == (run_id, "")
    assert signed.site.aws.client("s3").head_object(**signed.site.key(run_id, "a.bin"))["ContentLength"] == 2
    lines = [json.loads(line) for line in signed.site.server.log.splitlines() if line.startswith('{"audit": "mlflow"')]
    (made,) = [line for line in lines if line["path"].endswith("/runs/create")][-1:]
    assert (made["user"], made["right"], made["entry_point"], made["status"]) == ("trainer", "admin", "programs", 200)
    credentials = signed.client.who.credentials
    assert credentials.access_key not in signed.site.server.log and (credentials.token or "x") not in signed.site.server.log


def test_a_name_with_a_blank_fails_as_the_docs_say(signed: Signed) -> None:
    """The package does not sign paths as AWS does."""
    run_id, refusal = transfer(signed.client, "up", 2, "a b.bin")  # whose name is in the body
    assert run_id, refusal[-3000:]
    found, refusal = transfer(signed.client, "down", run_id, 2, "a b.bin")
    assert not found and "Failed to download artifacts" in refusal, refusal[-3000:]


def test_a_role_in_no_group_has_the_default_right(signed: Signed) -> None:
    url = f"{signed.site.stack.outputs['api_uri']}/api/2.0/mlflow/experiments/search"
    outcome = signed.site.proxy.doors.decide(signed.stranger.sign(Request(Source("203.0.113.5"), url, {"content-type": "application/json"}, "POST", b"{}")))
    assert isinstance(outcome, Forward)
    assert signed.site.proxy.carry(outcome).status == 403


@pytest.mark.parametrize("host", ["people", "127.0.0.1:5000", "anything.example.net"])
def test_the_header_of_api_gateway_makes_nobody_somebody_at_another_host_name(signed: Signed, host: str) -> None:
    given = {"Host": signed.site.people if host == "people" else host, "X-Caller-Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/trainer/session"}
    # A host that MLflow does not know is refused by its own check of that, behind this one or before it.
    assert signed.site.server.status("/api/2.0/mlflow/experiments/search", "POST", b"{}", **{"Content-Type": "application/json"}, **given) in (401, 403)


def test_a_file_through_the_api_cannot_be_signed(signed: Signed) -> None:
    """mlflow#15051: with mlflow_artifact_access proxied uploads fail, which the table of docs/access.md says."""
    signed.site.apply(mlflow_artifact_access="proxied")
    folder = signed.site.stack.folder / "proxied"
    folder.mkdir()
    with signed.site.opened(folder):
        signed.site.proxy.doors = Doors(signed.site.aws, [signed.client.who])
        client = Signing(signed.site, signed.site.proxy, "")
        client.who = signed.client.who
        run_id, refusal = transfer(client, "up", 2, "a.bin")
    assert not run_id and "has no attribute 'encode'" in refusal, refusal[-3000:]

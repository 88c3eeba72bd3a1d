# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way of artifacts with the real server, its own clients and a browser: every cell of the table of docs/artifacts.md."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import typing as t
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.probe import probe
from embedded_aws.client import EmbeddedAWS
from runtime import inputs
from runtime.browser import Browser
from runtime.client import PROGRAMS, Client
from runtime.containers import MLFLOW_VENV, Server, container
from runtime.databases import free_port
from runtime.deployment import Deployment
from runtime.discarding_store import discarding_store
from runtime.doors.doors import Doors
from runtime.doors.identities import authorizations
from runtime.doors.proxy import Proxy
from runtime.doors.request import Source
from runtime.doors.sign_in import as_program
from runtime.test_browser import HARMLESS
from support.stack import Stack, prerequisites

TABLE = (Path(__file__).resolve().parents[2] / "docs" / "artifacts.md").read_text(encoding="utf-8")
OLD_CLIENT = MLFLOW_VENV.parent / "mlflow-3.17.2"  # scripts/mlflow_venv makes it
NAME = "artifact.bin"
SIZES = {"2 bytes": 2, "25 MB": 25 * 2**20, "512 MB": 512 * 2**20}
MODES: dict[str, dict[str, t.Any]] = {
    "`proxied`": {"mlflow_artifact_access": "proxied", "mlflow_artifact_multipart": False},
    "`proxied`, multipart": {"mlflow_artifact_access": "proxied", "mlflow_artifact_multipart": True},
    "`presigned`": {"mlflow_artifact_access": "presigned", "mlflow_artifact_multipart": False},
    "`direct`": {"mlflow_artifact_access": "direct", "mlflow_artifact_multipart": False},
}
SMALLEST_PART = "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE"
NO_AWS = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


class Cell(t.NamedTuple):
    mode: str
    version: str
    variables: str
    way: str
    size: int
    outcome: str


def cells() -> Iterator[Cell]:
    """Those of the table, one for each client."""
    head, _line, *rows = [
        [cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", TABLE.partition("## What works")[2], re.MULTILINE)
    ]
    assert head[:4] == ["`mlflow_artifact_access`", "client", "variables", "way"] and len(rows) > 12
    for mode, versions, variables, way, *outcomes in rows:
        for version in versions.split(", "):
            for size, outcome in zip(head[4:], outcomes, strict=True):
                yield Cell(mode, version, variables, way, SIZES[size], outcome)


class Answer(t.NamedTuple):
    version: str
    run_id: str = ""
    refusal: str = ""


def answer_in(lines: t.Iterable[str]) -> Answer:
    """The next answer of transfer.py."""
    return Answer(**json.loads(next(line for line in lines if line.startswith("{"))))


class Site(Deployment):
    """A stack whose server keeps its tables in a file, behind the doors."""

    proxy: Proxy
    server: Server

    def __init__(self, stack: Stack) -> None:
        self.stack, self.aws = stack, stack.aws
        self._programs: dict[tuple[str, ...], subprocess.Popen[str]] = {}

    @property
    def client(self) -> Client:
        return Client(self, self.proxy, authorizations(self.stack)["credentials"] or "")

    @contextmanager
    def opened(self, folder: Path, **environment: str) -> Iterator[Site]:
        mlflow = container(self.aws, self.stack.inputs["mlflow_unique_name"], "mlflow")
        given = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/db", **environment}
        self.server = Server(mlflow._replace(environment=mlflow.environment | given), folder / "server", {}, free_port())
        try:
            self.server.wait_until_healthy()
            with Proxy(Doors(self.aws), [self.server], Source("192.0.2.10"), folder / "doors", self.people, self.programs) as self.proxy:
                yield self
        finally:
            for program in self._programs.values():
                program.kill()
                program.communicate()
            self._programs.clear()
            self.server.kill()

    def transfer(self, version: str, *what: str | int, variables: str = "none") -> tuple[str, str]:
        """Do it with a client of that version: the run, or else what the client has said of a refusal."""
        program = self._programs.get((version, variables)) or self._programs.setdefault((version, variables), self._start(version, variables))
        assert program.stdin and program.stdout
        program.stdin.write(json.dumps(what) + "\n")
        program.stdin.flush()
        limit = threading.Timer(600, program.kill)
        limit.start()
        answer = answer_in(program.stdout)
        limit.cancel()
        assert answer.version.startswith(version)
        return answer.run_id, answer.refusal

    def _start(self, version: str, variables: str) -> subprocess.Popen[str]:
        client, given = self.client, {**NO_AWS, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
        if version == "3.17":
            given["PYTHONPATH"] = f"{PROGRAMS / 'names'}:{OLD_CLIENT}"
        if variables == "AWS credentials":
            given |= self.aws.env
        if variables.endswith("as 1"):
            given[SMALLEST_PART] = "1"
        unset = [name for name in client.summary if "MULTIPART" in name] if variables != "those below" else []
        return client.start("transfer.py", without=unset, **given)

    def key(self, run_id: str, name: str = NAME) -> dict[str, str]:
        return {"Bucket": self.stack.outputs["artifact_bucket_id"], "Key": f"0/{run_id}/artifacts/{name}"}

    def put(self, run_id: str, size: int, folder: Path) -> None:
        """Have a file of zeros in S3 that no door has seen."""
        file = folder / NAME
        with file.open("wb") as sparse:
            sparse.truncate(size)
        self.aws.client("s3").upload_file(str(file), *self.key(run_id).values())
        file.unlink()


@pytest.fixture(scope="module")
def stack(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    aws_server.reset()
    stack = Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
    stack.apply(**inputs.of("aurora-mysql", stack))
    return stack


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The stack with one of the MODES."""
    site = Site(stack)
    site.apply(**MODES[request.param])
    with site.opened(tmp_path_factory.mktemp("site")):
        yield site


@pytest.mark.parametrize(
    ("site", "cell"),
    [pytest.param(cell.mode, cell, marks=[pytest.mark.large] if cell.size == max(SIZES.values()) else []) for cell in cells()],
    indirect=["site"],
    ids=str,
    scope="module",  # or each cell would have a stack of its own
)
def test_a_cell_of_the_table(site: Site, cell: Cell, tmp_path: Path) -> None:
    if cell.way == "down":
        run_id, _refusal = site.transfer(cell.version, "run")
        site.put(run_id, cell.size, tmp_path)
        done, refusal = site.transfer(cell.version, "down", run_id, cell.size, NAME, variables=cell.variables)
    else:
        done, refusal = site.transfer(cell.version, "up", cell.size, NAME, variables=cell.variables)
        if done:
            assert site.aws.client("s3").head_object(**site.key(done))["ContentLength"] == cell.size
    assert bool(done) == (cell.outcome == "works"), refusal[-3000:]
    assert cell.outcome == "works" or cell.outcome in refusal, refusal[-3000:]
    if cell.outcome == "403":
        assert "This server requires artifacts to be uploaded directly to storage" in refusal


ODD_NAME = "jörg 50% +&=.txt"
PRESIGNED = pytest.mark.parametrize("site", ["`presigned`"], indirect=True, scope="module")


@PRESIGNED
@pytest.mark.parametrize("name", ["a b.txt", "50%.txt", "+&=.txt", "jörg ß 日本.txt"])
def test_names_come_back_as_they_went(site: Site, name: str) -> None:
    run_id, refusal = site.transfer("3.18", "up", 2, name)
    assert run_id and site.aws.client("s3").head_object(**site.key(run_id, name))["ContentLength"] == 2, refusal[-3000:]
    assert site.transfer("3.18", "down", run_id, 2, name) == (run_id, "")


@PRESIGNED
def test_mlflow_refuses_a_name_with_a_hash(site: Site) -> None:
    run_id, refusal = site.transfer("3.18", "up", 2, "a#b.txt")
    assert not run_id and "Invalid path" in refusal


@PRESIGNED
def test_an_empty_file_goes_too(site: Site) -> None:
    run_id, refusal = site.transfer("3.18", "up", 0, NAME)
    assert run_id and site.transfer("3.18", "down", run_id, 0, NAME) == (run_id, ""), refusal[-3000:]


@PRESIGNED
def test_no_door_sees_a_byte_of_an_artifact(site: Site) -> None:
    before, mark = len(site.proxy.handled), site.aws.mark()
    run_id, _refusal = site.transfer("3.18", "up", 25 * 2**20, NAME)
    site.transfer("3.18", "down", run_id, 25 * 2**20, NAME)
    seen = {(each.method, each.path.partition("/0/")[0]) for each in site.proxy.handled[before:] if "mlflow-artifacts" in each.path}
    root = "/api/2.0/mlflow-artifacts"
    assert seen == {("POST", f"{root}/mpu/create"), ("POST", f"{root}/mpu/complete"), ("GET", f"{root}/artifacts"), ("GET", f"{root}/presigned")}
    operations = [call["operation"] for call in site.aws.calls(mark) if call["service"] == "s3"]
    assert operations.count("UploadPart") == 3 and "PutObject" not in operations


class AsApi(urllib.request.BaseHandler):
    """The API, of which verify's requests have what a server is told of them."""

    def __init__(self, site: Site) -> None:
        self.server = f"127.0.0.1:{site.server.port}"
        self.told = {"Host": site.programs, **as_program(site.server.container.environment, None)}

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        for name, value in self.told.items() if request.host == self.server else ():
            request.add_unredirected_header(name, value)
        return request


@PRESIGNED
def test_verify_logs_an_artifact(site: Site) -> None:
    api = AsApi(site)
    outcomes = dict(probe(f"http://{api.server}", "Bearer token", urllib.request.build_opener(api)))
    assert outcomes["API: an artifact"] == ("ok", "written and read back")


UPLOAD = """(async () => {
  const ask = (what, body) => fetch(`ajax-api/2.0/mlflow-artifacts/mpu/${what}/%s`, {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)}).then(answer => answer.json());
  const {upload_id, credentials: [part]} = await ask("create", {path: "from-a-page.txt", num_parts: 1});
  const put = await fetch(part.url, {method: "PUT", headers: part.headers, body: new Blob(["from a page"], {type: "text/plain"})});
  const etag = put.headers.get("ETag");
  await ask("complete", {path: "from-a-page.txt", upload_id, parts: [{part_number: 1, etag, url: part.url}]});
  return etag;
})()"""
"""What the UI does to upload a file."""
DOWNLOAD = """(async () => {
  const {url, headers} = await fetch(`ajax-api/2.0/mlflow-artifacts/presigned/%s/${encodeURIComponent("%s")}`).then(answer => answer.json());
  return await fetch(url, {headers}).then(answer => answer.text());
})()"""


@PRESIGNED
def test_the_ui_shows_and_uploads_artifacts(site: Site, tmp_path: Path) -> None:
    run_id, _refusal = site.transfer("3.18", "run")
    for name in ("note.txt", ODD_NAME):
        site.aws.client("s3").put_object(**site.key(run_id, name), Body="täxt".encode(), ContentType="text/plain; charset=utf-8")
    (balancer,) = site.proxy.doors.balancers.values()
    mark = site.aws.mark()
    with Browser(tmp_path, {site.people: site.proxy.port}) as browser:
        browser.set_cookie(site.people, balancer.sign_in("ada"))
        browser.open(f"https://{site.people}/#/experiments/0/runs/{run_id}/artifacts/note.txt")
        browser.wait_for_text("note.txt", ODD_NAME, "täxt")
        assert browser.evaluate(DOWNLOAD % (f"0/{run_id}/artifacts", ODD_NAME)) == "täxt"
        assert browser.evaluate(UPLOAD % f"0/{run_id}/artifacts")
        assert [error for error in browser.errors if not any(harmless in error for harmless in HARMLESS)] == []
    assert "GetObject" in [call["operation"] for call in site.aws.calls(mark)]
    assert site.aws.client("s3").get_object(**site.key(run_id, "from-a-page.txt"))["Body"].read() == b"from a page"


@PRESIGNED
def test_without_the_cors_rule_the_ui_shows_none(site: Site, tmp_path: Path) -> None:
    bucket = site.stack.outputs["artifact_bucket_id"]
    rules = site.aws.client("s3").get_bucket_cors(Bucket=bucket)["CORSRules"]
    site.aws.client("s3").delete_bucket_cors(Bucket=bucket)
    run_id, _refusal = site.transfer("3.18", "run")
    site.aws.client("s3").put_object(**site.key(run_id, "note.txt"), Body=b"a text")
    (balancer,) = site.proxy.doors.balancers.values()
    try:
        with Browser(tmp_path, {site.people: site.proxy.port}) as browser:
            browser.set_cookie(site.people, balancer.sign_in("ada"))
            browser.open(f"https://{site.people}/#/experiments/0/runs/{run_id}/artifacts/note.txt")
            browser.wait_for_text("note.txt", "Loading artifact failed")
    finally:
        site.aws.client("s3").put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})


@pytest.mark.large
def test_6_gb_go_by_a_door_of_10_mb(stack: Stack, tmp_path: Path) -> None:
    size = 6 * 10**9
    site = Site(stack)
    site.apply(**MODES["`presigned`"])
    with discarding_store(stack.aws) as store, site.opened(tmp_path, AWS_ENDPOINT_URL_S3=store.endpoint):
        run_id, refusal = site.transfer("3.18", "up", size, NAME)
        assert run_id, refusal[-3000:]
    assert (sum(store.parts.values()), store.completed) == (size, 1)
    assert len(store.parts) == -(-size // (10 * 2**20))

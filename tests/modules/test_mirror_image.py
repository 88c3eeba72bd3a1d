# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one-off task that copies MLflow's image into the stack's own repository: from a small registry into ECR of the embedded AWS."""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path

import pytest
from support.registry import DOCKER_MANIFEST, Registry, digest

SCRIPT = Path(__file__).parents[2] / "roles" / "ecs" / "files" / "mirror_image.py"
PART = 10 * 1024 * 1024
"""Bytes that InitiateLayerUpload asks for."""


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("mirror_image", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def registry():
    registry = Registry()
    yield registry
    registry.close()


@pytest.fixture
def copy(aws, script, registry, monkeypatch, capsys):
    """Runs the task with these tag and settings; returns its exit status and what the last line says."""
    aws.client("ecr").create_repository(repositoryName="x/mlflow", imageTagMutability="IMMUTABLE")
    pauses = []
    monkeypatch.setattr(script.time, "sleep", pauses.append)
    monkeypatch.setattr(script.boto3, "client", aws.client)

    def run(tag="v1", **settings):
        given = {"SOURCE_IMAGE": registry.image, "SOURCE_TAG": tag, "ARCHITECTURE": "amd64", "MIRROR_REPOSITORY": "x/mlflow", "MIRROR_TAG": "v1-0"}
        for name, value in {**given, **settings}.items():
            monkeypatch.setenv(name, value)
        status = script.main()
        last = capsys.readouterr().out.splitlines()[-1]
        return status, json.loads(last) if status == 0 else last

    run.pauses = pauses
    return run


def mirrored(aws):
    """What the repository has: digest and tags of each image."""
    return {image["imageDigest"]: image.get("imageTags") for image in aws.client("ecr").describe_images(repositoryName="x/mlflow")["imageDetails"]}


@pytest.mark.parametrize(("architecture", "other"), [("amd64", "arm64"), ("arm64", "amd64")])
def test_of_an_index_the_image_of_the_tasks_architecture_is_copied_as_it_is(aws, registry, copy, architecture, other):
    wanted = registry.add_image(architecture=architecture, layers=[b"of it", b"shared"])
    index = registry.add_index("v1", **{architecture: wanted, other: registry.add_image(architecture=other, layers=[b"of the other", b"shared"])})
    status, answer = copy(ARCHITECTURE=architecture)
    assert (status, answer["digest"]) == (0, wanted) and mirrored(aws) == {wanted: ["v1-0"]}
    (image,) = aws.client("ecr").batch_get_image(repositoryName="x/mlflow", imageIds=[{"imageTag": "v1-0"}])["images"]
    assert digest(image["imageManifest"].encode()) == wanted
    assert digest(b"of the other") not in "".join(registry.requests)
    aws.client("ecr").create_repository(repositoryName="y/mlflow")
    assert copy(f"v1@{index}", ARCHITECTURE=architecture, MIRROR_REPOSITORY="y/mlflow") == (0, answer)  # by the index's digest too


def test_a_large_layer_goes_in_parts(aws, registry, copy):
    large = random.Random(1).randbytes(PART + 7)
    registry.add_image("v1", layers=[large, b"small"], kind=DOCKER_MANIFEST)
    mark = aws.mark()
    assert copy()[0] == 0
    parts = [call for call in aws.calls(mark) if call["operation"] == "UploadLayerPart"]
    assert len(parts) == 4  # two of it, one of the other, one of the configuration


def test_a_second_task_copies_nothing(aws, registry, copy):
    registry.add_image("v1")
    first, mark = copy()[1], aws.mark()
    assert copy() == (0, {**first, "bytes": 0})
    assert [call["operation"] for call in aws.calls(mark) if call["mutating"]] == ["PutImage"]  # which AWS refuses, since it is there


def test_what_a_killed_task_has_copied_is_not_copied_again(aws, registry, copy):
    registry.add_image("v1", layers=[b"first", b"second"])
    registry.failing = [(f"blobs/{digest(b'second')}", 404)]
    assert copy() == (1, f"failed: {registry.host}: team/mlflow {digest(b'second')}: HTTP status 404")
    assert mirrored(aws) == {}  # neither half an image nor its tag
    status, answer = copy()
    assert status == 0 and answer["bytes"] == len(b"second")


def test_a_registry_that_is_busy_or_breaks_off_is_asked_again(aws, registry, copy):
    wanted = registry.add_image("v1")
    registry.failing, registry.cut = [("manifests", 429), ("manifests", 503), ("/token", 500), ("/store/", 502)], 2
    assert copy()[1]["digest"] == wanted and mirrored(aws) == {wanted: ["v1-0"]}
    assert len(copy.pauses) == 6


def test_a_registry_that_is_away_is_told(registry, copy):
    registry.close()
    status, last = copy()
    assert status == 1 and last.startswith(f"failed: {registry.host}: team/mlflow v1: ") and "refused" in last
    assert sum(copy.pauses) == 30


def test_a_tag_that_was_moved_while_another_task_copied_stays_what_it_is(aws, registry, copy):
    first = registry.add_image("v1")
    assert copy()[0] == 0
    registry.add_image("v1", layers=[b"moved"])
    status, answer = copy()
    assert status == 0, answer
    assert answer["digest"] == first
    assert [tags for tags in mirrored(aws).values() if tags] == [["v1-0"]]


def test_what_is_not_what_its_digest_says_is_refused(aws, registry, copy):
    found = registry.add_image("v1")
    body, kind = registry.manifests[found]
    registry.manifests[found] = (body + b" ", kind)
    status, last = copy(f"v1@{found}")
    assert status == 1 and "the registry sent something else" in last
    registry.add_image("v2")
    registry.blobs[digest(b"a layer")] = b"A LAYER"
    status, last = copy("v2")
    assert status == 1 and "what came is not what its digest says" in last
    assert mirrored(aws) == {}


@pytest.mark.parametrize("tag", ["v1", "v2"])
def test_an_image_of_another_architecture_is_refused(aws, registry, copy, tag):
    registry.add_index("v1", amd64=registry.add_image("v2"))
    assert copy(tag, ARCHITECTURE="arm64") == (1, "failed: the image is not made for arm64, but for amd64")
    assert mirrored(aws) == {}


@pytest.mark.parametrize("challenge", ["Bearer", "Basic"])
def test_a_private_registry_gets_the_credentials_and_nobody_else_does(aws, script, copy, monkeypatch, challenge):
    private = Registry("ci", "hunter2")
    private.challenge = challenge
    wanted = private.add_image("v1")
    given = {"SOURCE_IMAGE": private.image, "REGISTRY_USERNAME": "ci"}
    status, last = copy(**given, REGISTRY_PASSWORD="wrong")
    assert status == 1 and "HTTP status 401" in last and "wrong" not in last
    assert copy(**given, REGISTRY_PASSWORD="hunter2")[1]["digest"] == wanted  # the store of blobs refuses an Authorization
    private.close()


@pytest.mark.parametrize(
    ("image", "host", "path"),
    [
        ("ghcr.io/mlflow/mlflow", "ghcr.io", "mlflow/mlflow"),
        ("python", "registry-1.docker.io", "library/python"),
        ("bitnami/mlflow", "registry-1.docker.io", "bitnami/mlflow"),
        ("docker.io/bitnami/mlflow", "registry-1.docker.io", "bitnami/mlflow"),
        ("registry.example.com:5000/a/b/c", "registry.example.com:5000", "a/b/c"),
    ],
)
def test_the_registry_of_an_image(script, image, host, path):
    found = script.Registry(image)
    assert (found.host, found.path, found.base) == (host, path, f"https://{host}/v2/{path}")


def test_no_password_goes_anywhere_in_clear(script):
    private = script.Registry("registry.example.com/a/b", "ci", "hunter2")
    with pytest.raises(script.Failed, match="in a way that is not known"):
        private._authorize('Bearer realm="http://elsewhere.example.com/token"')

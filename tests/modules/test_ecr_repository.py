# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json

import pytest
from modules.run_module import ModuleFailed, run_module
from support.scenarios import EXPIRY

MODULE = "ecr_repository"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
GIVEN = {"name": "x/mlflow", "image_tag": "v1", "lifecycle_policy": EXPIRY, "tags": {**OWNER, "team": "x"}}


def run(aws, **changes):
    """The result of a run and the calls that changed something, after a check run has changed nothing and announced the same."""
    since = aws.mark()
    planned = run_module(MODULE, {**GIVEN, **changes}, aws, check=True)
    assert aws.mutating(since) == []
    result = run_module(MODULE, {**GIVEN, **changes}, aws)
    assert planned["changes"] == result["changes"]
    return result, [call["operation"] for call in aws.mutating(since)]


def push(aws, tag="v1", content=b"a layer"):
    """An image of one layer; returns its digest."""
    ecr, where = aws.client("ecr"), {"repositoryName": GIVEN["name"]}
    layer = f"sha256:{hashlib.sha256(content).hexdigest()}"
    upload = ecr.initiate_layer_upload(**where)["uploadId"]
    ecr.upload_layer_part(**where, uploadId=upload, partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=content)
    ecr.complete_layer_upload(**where, uploadId=upload, layerDigests=[layer])
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "layers": [{"digest": layer, "size": len(content)}]})
    return ecr.put_image(**where, imageManifest=manifest, imageManifestMediaType=kind, imageTag=tag)["image"]["imageId"]["imageDigest"]


def test_create_again_absent_again(aws):
    planned = run_module(MODULE, GIVEN, aws, check=True)
    arn = "arn:aws:ecr:eu-west-1:123456789012:repository/x/mlflow"
    assert planned["repository"] == {"name": "x/mlflow", "arn": arn, "uri": "(known after apply)", "image_digest": ""}
    result, calls = run(aws)
    uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/x/mlflow"
    assert calls == ["CreateRepository", "PutLifecyclePolicy"]
    assert result["repository"] == {"name": "x/mlflow", "arn": arn, "uri": uri, "image_digest": ""}
    ecr = aws.client("ecr")
    (repository,) = ecr.describe_repositories(repositoryNames=["x/mlflow"])["repositories"]
    assert (repository["imageTagMutability"], repository["imageScanningConfiguration"]) == ("IMMUTABLE", {"scanOnPush": True})
    assert repository["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert json.loads(ecr.get_lifecycle_policy(repositoryName="x/mlflow")["lifecyclePolicyText"]) == EXPIRY
    assert {tag["Key"]: tag["Value"] for tag in ecr.list_tags_for_resource(resourceArn=arn)["tags"]} == GIVEN["tags"]
    assert run(aws)[0]["changed"] is False and run(aws)[1] == []

    push(aws)
    gone, calls = run(aws, state="absent")
    assert calls == ["DeleteRepository"] and gone["repository"] == {}  # with its image
    assert gone["changes"][0]["warnings"] == ["its images are deleted"]
    assert run(aws, state="absent")[1] == []


def test_the_image_with_a_tag_is_found(aws):
    run(aws)
    digest = push(aws)
    push(aws, "v2", b"another")
    result, calls = run(aws)
    assert (result["repository"]["image_digest"], result["changes"], calls) == (digest, [], [])
    assert run(aws, image_tag="v3")[0]["repository"]["image_digest"] == ""


@pytest.mark.parametrize(
    ("change", "field", "operation"),
    [
        ({"image_tag_mutability": "MUTABLE"}, "image_tag_mutability", "PutImageTagMutability"),
        ({"scan_on_push": False}, "scan_on_push", "PutImageScanningConfiguration"),
        ({"lifecycle_policy": {}}, "lifecycle_policy", "DeleteLifecyclePolicy"),
        ({"tags": {**OWNER, "team": "y"}}, "tags.team", "TagResource"),
        ({"tags": OWNER}, "tags.team", "UntagResource"),
    ],
)
def test_one_change_is_one_call(aws, change, field, operation):
    run(aws)
    result, calls = run(aws, **change)
    assert calls == [operation]
    assert {each["name"].partition(".rules")[0] for each in result["changes"][0]["fields"]} == {field}
    assert run(aws, **change)[1] == []
    assert len(run(aws)[1]) == 1 and run(aws)[1] == []  # and back


def test_a_policy_that_is_not_given_is_left_alone(aws):
    run(aws)
    assert run(aws, lifecycle_policy=None)[1] == []


def test_a_repository_of_somebody_else_is_neither_changed_nor_removed(aws):
    aws.client("ecr").create_repository(repositoryName="x/mlflow")
    with pytest.raises(ModuleFailed, match="is not of this stack"):
        run_module(MODULE, GIVEN, aws)
    assert run(aws, state="absent")[1] == []


CACHED = {"name": "team-x/mlflow/mlflow", "image_tag": "v1"}


def secret(aws, name="ghcr", value='{"username": "ci", "accessToken": "t"}'):
    return aws.client("secretsmanager").create_secret(Name=f"ecr-pullthroughcache/{name}", SecretString=value)["ARN"]


def cache(arn, registry="ghcr.io", **more):
    return {**CACHED, "pull_through_cache": {"ecr_repository_prefix": "team-x", "upstream_registry_url": registry, "credential_arn": arn, **more}}


def rules(aws):
    return aws.client("ecr").describe_pull_through_cache_rules()["pullThroughCacheRules"]


def test_an_image_is_brought_by_a_rule_once(aws):
    given, since = cache(secret(aws)), aws.mark()
    planned = run_module(MODULE, {**GIVEN, **given}, aws, check=True)
    assert planned["repository"]["image_digest"] == "" and "BatchGetImage" not in {call["operation"] for call in aws.calls(since)}
    result, calls = run(aws, **given)
    assert sorted(calls) == ["CreatePullThroughCacheRule", "CreateRepository", "PutLifecyclePolicy"]
    assert [(each["kind"], each["name"], each["action"], each["warnings"]) for each in result["changes"]] == [
        ("ecr_repository", "team-x/mlflow/mlflow", "create", []),
        ("ecr_pull_through_cache_rule", "team-x", "create", []),
        ("ecr_image", "team-x/mlflow/mlflow:v1", "create", ["Amazon ECR brings it from ghcr.io, about a gigabyte"]),
    ]
    (rule,) = rules(aws)
    assert (rule["ecrRepositoryPrefix"], rule["upstreamRegistryUrl"], rule["upstreamRegistry"]) == ("team-x", "ghcr.io", "github-container-registry")
    assert rule["credentialArn"] == given["pull_through_cache"]["credential_arn"]
    (image,) = aws.client("ecr").describe_images(repositoryName="team-x/mlflow/mlflow")["imageDetails"]
    assert (image["imageTags"], image["imageDigest"]) == (["v1"], result["repository"]["image_digest"])
    since = aws.mark()
    result, calls = run(aws, **given)
    assert (result["changes"], calls, result["repository"]["image_digest"]) == ([], [], image["imageDigest"])
    assert "BatchGetImage" not in {call["operation"] for call in aws.calls(since)}


def test_another_secret_is_an_update_and_another_registry_a_replacement(aws):
    first = secret(aws)
    run(aws, **cache(first))
    result, calls = run(aws, **cache(secret(aws, "other")))
    assert calls == ["UpdatePullThroughCacheRule"] and [field["name"] for field in result["changes"][0]["fields"]] == ["credential_arn"]
    result, calls = run(aws, **cache(first, "registry.gitlab.com"))
    assert calls == ["DeletePullThroughCacheRule", "CreatePullThroughCacheRule"] and result["changes"][0]["action"] == "replace"
    assert [rule["upstreamRegistry"] for rule in rules(aws)] == ["gitlab-container-registry"]
    assert run(aws, **cache(first, "registry.gitlab.com"))[1] == []


def test_a_tag_has_to_name_the_digest_that_is_given(aws):
    arn = secret(aws)
    digest = run(aws, **cache(arn))[0]["repository"]["image_digest"]
    assert run(aws, **cache(arn, image_digest=digest))[1] == []
    with pytest.raises(ModuleFailed, match="the tag v1 names sha256:.* and not sha256:0000"):
        run_module(MODULE, {**GIVEN, **cache(arn, image_digest=f"sha256:{'0' * 64}")}, aws)


@pytest.mark.parametrize(
    ("value", "tag", "why"),
    [('{"username": "ci", "accessToken": "t"}', "nowhere", "ImageNotFound"), ('{"username": "ci", "password": "t"}', "v1", "UpstreamAccessDenied")],
)
def test_an_image_that_cannot_be_brought_is_told(aws, value, tag, why):
    with pytest.raises(ModuleFailed, match=f"cannot bring it from ghcr.io .{why}.*mlflow_service_image_mirror_secret_arn"):
        run_module(MODULE, {**GIVEN, **cache(secret(aws, value=value)), "image_tag": tag}, aws)


def test_a_rule_goes_with_all_repositories_of_the_stack_below_it(aws):
    arn = secret(aws)
    run(aws, name="team-x/mlflow")
    run(aws, **cache(arn))
    run(aws, **{**cache(arn), "name": "team-x/mlflow/other"})
    for name in ("team-x/somebodys", "team-xy/mlflow"):
        aws.client("ecr").create_repository(repositoryName=name)
    absent = {"name": "team-x/mlflow", "state": "absent", "pull_through_cache": {"ecr_repository_prefix": "team-x"}}
    gone, calls = run(aws, **absent)
    assert sorted(calls) == ["DeletePullThroughCacheRule", *["DeleteRepository"] * 3]
    assert {each["name"] for each in gone["changes"]} == {"team-x", "team-x/mlflow", "team-x/mlflow/mlflow", "team-x/mlflow/other"}
    assert {each["repositoryName"] for each in aws.client("ecr").describe_repositories()["repositories"]} == {"team-x/somebodys", "team-xy/mlflow"}
    assert rules(aws) == [] and run(aws, **absent)[1] == []
